//! Whether the server would take an event from us and let us read the stream, asked before anything
//! is stored.

use std::time::Instant;

use async_nats::jetstream::ErrorCode;
use async_nats::{HeaderMap, header};
use bytes::Bytes;

use super::Publisher;
use super::since::at_work;
use crate::error::{Error, Kind, Result};
use crate::nats::Connection;
use crate::nats::acknowledgement::Failure;
use crate::nats::connection::until_answered;
use crate::nats::message::subject;
use crate::nats::open::said;

/// A stream that no server has, to be refused by: it shows that the server would take an event.
const NO_STREAM: &str = "netapi-nobody";

impl Publisher {
    /// Whether the server would take an event from us, and let us read the stream: asked without
    /// storing anything.
    ///
    /// Errors: [`Kind::Refused`] without the permission, [`Kind::Server`] and [`Kind::TimedOut`]
    /// where the stream does not answer for long.
    pub async fn check_permission(&self, alias: &str) -> Result<()> {
        let subject = subject(&self.maker.deployment, alias, 0);
        until_answered(|| may_publish(&self.connection, &self.stream, &subject)).await?;
        until_answered(|| self.may_read()).await
    }

    async fn may_read(&self) -> Result<()> {
        let began = Instant::now();
        let mut known = self.known.lock().await;
        known
            .others_since(at_work())
            .await
            .map(drop)
            .map_err(|error| match self.connection.denied_since(began, None) {
                Some(why) => self.connection.no_permission("reading the stream", &why),
                None => error,
            })
    }
}

/// Whether a stream would take what we send to one of its subjects.
///
/// Errors: [`Kind::TimedOut`] also where nobody listens there. A stream that is there does, unless
/// its cluster elects, or another client makes it at this moment.
async fn may_publish(connection: &Connection, stream: &str, subject: &str) -> Result<()> {
    let mut headers = HeaderMap::new();
    headers.insert(header::NATS_EXPECTED_STREAM, NO_STREAM);
    let doing = "trying whether events may be published";
    let began = Instant::now();
    let sent = connection.publish(subject.into(), headers, Bytes::new());
    match sent.await {
        Err(Failure::JetStream(error)) if error.error_code() == ErrorCode::STREAM_NOT_MATCH => {
            Ok(())
        }
        Err(Failure::JetStream(error)) => Err(said(connection, doing, &error)),
        Err(Failure::NoResponders) => Err(Error::new(
            Kind::TimedOut,
            format!(
                "{}: nobody takes events of the stream {stream}",
                connection.hosts()
            ),
        )
        .hint("is the stream there, with netapi.> among its subjects, and has it a leader?")),
        Ok(_) | Err(_) => Err(connection.denied_since(began, Some(subject)).map_or_else(
            || connection.no_answer(doing),
            |why| connection.no_permission(doing, &why),
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use super::*;
    use crate::nats::scripted::{self, Answer};

    #[tokio::test]
    async fn a_stream_that_another_makes_at_this_moment_is_waited_for() {
        let asked = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&asked);
        let connection = scripted::connection(move |subject| {
            assert_eq!(subject, "netapi.ise.session.0");
            match count.fetch_add(1, Relaxed) {
                0 => Answer::NoResponders,
                _ => Answer::Body(
                    r#"{"error":{"code":400,"err_code":10060,"description":"expected stream does not match"}}"#,
                ),
            }
        });
        let connection = connection.await;
        until_answered(|| may_publish(&connection, "EVENTS", "netapi.ise.session.0"))
            .await
            .unwrap();
        assert_eq!(asked.load(Relaxed), 2);
    }
}
