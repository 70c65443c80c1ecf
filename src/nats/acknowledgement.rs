//! Sends a message to a stream: whether it was acknowledged, and why not, as the library and the
//! server tell it. What follows from it is the affair of whoever sends.

use async_nats::client::{RequestError, RequestErrorKind};
use async_nats::{HeaderMap, Request, Subject, jetstream};
use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio::time::timeout;

use super::Connection;
use super::connection::ANSWER;

/// What the stream answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Acknowledged {
    HadIt,
    /// It noted the id of a copy that has no number yet, and may never have one.
    Storing,
    Stored(u64),
}

impl Connection {
    /// Sends a message that a stream is to take. The library's publishing does the same, but reads
    /// each answer as a failure first.
    pub(super) async fn publish(
        &self,
        subject: Subject,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Acknowledged, Failure> {
        // The library would wait for a place among what it has not sent yet, however long.
        let request = Request::new().headers(headers).payload(body).timeout(None);
        let answer = timeout(ANSWER, self.client().send_request(subject, request));
        let answer = answer.await.map_err(|_| Failure::TimedOut)??;
        Acknowledged::read(&answer.payload)
    }
}

/// An answer as the server writes it. Beside an error there may be a number, of nothing.
#[derive(Deserialize)]
struct Answer {
    error: Option<jetstream::Error>,
    /// Which one it is of: the one that we expect, as a header says.
    stream: Option<IgnoredAny>,
    seq: Option<u64>,
    #[serde(default)]
    duplicate: bool,
}

impl Acknowledged {
    /// What an answer says.
    fn read(answer: &[u8]) -> Result<Self, Failure> {
        match serde_json::from_slice(answer) {
            Ok(Answer {
                error: Some(error), ..
            }) => Err(Failure::JetStream(error)),
            Ok(Answer {
                stream: Some(_),
                seq: Some(number),
                duplicate,
                ..
            }) => Ok(Self::of(duplicate, number)),
            // No server says that: as if nothing had come.
            _ => Err(Failure::TimedOut),
        }
    }

    fn of(duplicate: bool, number: u64) -> Self {
        match (duplicate, number) {
            (true, 0) => Self::Storing,
            (true, _) => Self::HadIt,
            (false, number) => Self::Stored(number),
        }
    }
}

/// Why a message was not acknowledged.
pub(super) enum Failure {
    TooLarge,
    NoResponders,
    TimedOut,
    JetStream(jetstream::Error),
}

impl From<RequestError> for Failure {
    fn from(error: RequestError) -> Self {
        match error.kind() {
            RequestErrorKind::MaxPayloadExceeded => Self::TooLarge,
            RequestErrorKind::NoResponders => Self::NoResponders,
            _ => Self::TimedOut,
        }
    }
}

/// The number in the server's words `wrong last sequence: NUMBER`.
pub(super) fn last_number(said: &str) -> u64 {
    let words = said.split_once("sequence: ").map_or("", |(_, after)| after);
    let end = words.find(|c: char| !c.is_ascii_digit());
    let digits = end.and_then(|end| words.get(..end)).unwrap_or(words);
    digits.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use async_nats::jetstream::ErrorCode;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::nats::scripted;

    #[test]
    fn an_answer_is_read_as_the_server_means_it() {
        let stored = Acknowledged::read(br#"{"stream":"EVENTS","seq":7}"#);
        assert!(matches!(stored, Ok(Acknowledged::Stored(7))));
        let had = Acknowledged::read(br#"{"stream":"EVENTS","seq":7,"duplicate":true}"#);
        assert!(matches!(had, Ok(Acknowledged::HadIt)));
        let error = r#"{"error":{"code":503,"err_code":10077,"description":"full"}"#;
        for end in [r#","stream":"EVENTS","seq":0}"#, "}"] {
            let answer = format!("{error}{end}");
            let read = Acknowledged::read(answer.as_bytes());
            assert!(matches!(
                read,
                Err(Failure::JetStream(error)) if error.error_code() == ErrorCode::STREAM_STORE_FAILED
            ));
        }
        // The last is of no stream: whoever listens there beside it has stored nothing.
        for answer in ["", "{}", "[]", r#"{"stream":"EVENTS"}"#, r#"{"seq":7}"#] {
            assert!(matches!(
                Acknowledged::read(answer.as_bytes()),
                Err(Failure::TimedOut)
            ));
        }
    }

    #[tokio::test]
    async fn a_server_that_reads_nothing_is_waited_for_no_longer_than_for_an_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let connecting = scripted::connect(&listener);
        let accepting = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(scripted::INFO.as_bytes()).await.unwrap();
            let mut seen = Vec::new();
            while !seen.ends_with(b"PING\r\n") {
                stream.read_buf(&mut seen).await.unwrap();
            }
            stream.write_all(b"PONG\r\n").await.unwrap();
            stream
        };
        let (connection, _silent) = tokio::join!(connecting, accepting);
        let body = Bytes::from(vec![b'x'; 64 * 1024]);
        let one = |_| connection.publish("a".into(), HeaderMap::new(), body.clone());
        let all = futures_util::future::join_all((0..4000).map(one));
        let answers = timeout(3 * ANSWER, all).await.unwrap();
        assert!(
            answers
                .iter()
                .all(|answer| matches!(answer, Err(Failure::TimedOut)))
        );
    }

    #[test]
    fn a_copy_without_a_number_is_not_stored_yet() {
        assert_eq!(Acknowledged::of(true, 0), Acknowledged::Storing);
        assert_eq!(Acknowledged::of(true, 7), Acknowledged::HadIt);
        assert_eq!(Acknowledged::of(false, 7), Acknowledged::Stored(7));
    }

    #[test]
    fn the_last_number_is_in_the_servers_words() {
        for (said, number) in [
            ("wrong last sequence: 57 (code 400, error code 10071)", 57),
            ("wrong last sequence: 0", 0),
            ("wrong last sequence", 0),
        ] {
            assert_eq!(last_number(said), number, "{said}");
        }
    }
}
