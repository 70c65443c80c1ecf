//! Stores one event in the stream, and says what became of it. Whether and when it is tried again
//! is decided by whoever asks.

use std::time::Duration;

use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, ErrorCode};
use jiff::Timestamp;
use tokio::sync::Mutex;
use tokio::time::sleep;

use super::Connection;
use super::known::KnownIds;
use super::message::{MessageMaker, server_time, subject};
use super::open::{OpenStream, said};
use crate::error::{Error, Kind, Result};
use crate::event::{Event, EventId};

/// A copy whose first is still on its way to the replicas: to be asked again after this time.
const STILL_STORING: ErrorCode = ErrorCode(10158);
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// A stream that no server has, to be refused by: it shows that the server would take an event.
const NO_STREAM: &str = "netapi-nobody";

/// What became of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    /// The stream has it now.
    Stored,
    /// The stream had it already, by another subscriber or from an earlier try.
    HadIt,
    /// The stream will never take this event: why.
    Refused(String),
    /// The stream takes nothing now: why.
    Unavailable(String),
}

/// See the module's documentation.
pub struct Publisher {
    connection: Connection,
    stream: String,
    maker: MessageMaker,
    /// An event that has waited longer may have been stored, and be forgotten by the stream.
    fresh: Duration,
    known: Mutex<KnownIds>,
}

impl Publisher {
    /// For a stream that was opened.
    pub fn new(
        connection: Connection,
        stream: String,
        open: &OpenStream,
        maker: MessageMaker,
    ) -> Self {
        let fresh = open.dedupe_window / 2;
        let filter = format!("netapi.{}.>", maker.deployment);
        let known = KnownIds::new(connection.clone(), stream.clone(), filter, fresh / 2);
        Self {
            connection,
            stream,
            maker,
            fresh,
            known: Mutex::new(known),
        }
    }

    /// Whether the server would take an event from us, and let us read the stream: asked without
    /// storing anything.
    ///
    /// Errors: [`Kind::Refused`] without the permission, [`Kind::Server`] and [`Kind::TimedOut`]
    /// where the stream does not answer.
    pub async fn check_permission(&self, alias: &str) -> Result<()> {
        let subject = subject(&self.maker.deployment, alias, 0);
        let message = PublishMessage::build().expected_stream(NO_STREAM);
        let doing = "trying whether events may be published";
        let timed_out = || {
            let denied = self.connection.denied();
            denied.map_or_else(
                || {
                    Error::new(
                        Kind::TimedOut,
                        format!("{}: no answer while {doing}", self.connection.hosts()),
                    )
                    .hint("a cluster answers when a majority of its servers is up; look at their logs")
                },
                |why| self.connection.no_permission(doing, &why),
            )
        };
        match self.send(subject, message).await {
            Err(Failure::JetStream(error)) if error.error_code() == ErrorCode::STREAM_NOT_MATCH => {
            }
            Err(Failure::JetStream(error)) => return Err(said(&self.connection, doing, &error)),
            Err(Failure::NoResponders) => {
                return Err(Error::new(
                    Kind::Server,
                    format!(
                        "{}: nobody takes events of the stream {}",
                        self.connection.hosts(),
                        self.stream
                    ),
                )
                .hint(
                    "is the stream there, with netapi.> among its subjects, and has it a leader?",
                ));
            }
            Ok(_) | Err(_) => return Err(timed_out()),
        }
        let mut known = self.known.lock().await;
        known.read(Timestamp::now()).await.map_err(|why| {
            let denied = self.connection.denied();
            let doing = "reading the stream";
            denied.map_or_else(
                || {
                    Error::new(
                        Kind::Server,
                        format!("{}: {doing}: {why}", self.connection.hosts()),
                    )
                },
                |why| self.connection.no_permission(doing, &why),
            )
        })
    }

    /// Stores an event, whose number in the spool is this. Takes as long as an answer may; longer
    /// where the stream has to be read.
    pub async fn publish(&self, event: &Event, number: u64) -> Published {
        if !self.connection.stands() {
            return Published::Unavailable(format!(
                "no connection to NATS at {}",
                self.connection.hosts()
            ));
        }
        let id = self.maker.message_id(event, number);
        match self.may_be_forgotten(event, id).await {
            Ok(true) => return Published::HadIt,
            Ok(false) => {}
            Err(why) => return Published::Unavailable(why),
        }
        let body = event.to_json(None);
        loop {
            let message = PublishMessage::build()
                .payload(body.clone().into())
                .headers(self.maker.headers(event, id))
                .message_id(id.to_string())
                .expected_stream(&self.stream);
            return match self.send(self.maker.subject(event), message).await {
                Ok(true) => Published::HadIt,
                Ok(false) => Published::Stored,
                Err(Failure::TooLarge) => Published::Refused(format!(
                    "{} bytes are more than the server takes (max_payload)",
                    body.len()
                )),
                Err(Failure::JetStream(error)) => match error.error_code() {
                    STILL_STORING => {
                        sleep(ASK_AGAIN).await;
                        continue;
                    }
                    ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM
                    | ErrorCode::STREAM_HEADER_EXCEEDS_MAXIMUM => {
                        Published::Refused(error.to_string())
                    }
                    ErrorCode::STREAM_STORE_FAILED => Published::Unavailable(format!(
                        "the stream {} is full, or cannot be written ({error})",
                        self.stream
                    )),
                    _ => Published::Unavailable(format!("the stream {}: {error}", self.stream)),
                },
                Err(Failure::NoResponders) => Published::Unavailable(format!(
                    "nobody takes events of the stream {}: it is gone, or has no leader",
                    self.stream
                )),
                Err(Failure::TimedOut) => Published::Unavailable(self.silent()),
            };
        }
    }

    /// Why nothing came back.
    fn silent(&self) -> String {
        match self.connection.denied() {
            Some(why) => format!("{}: {why}", self.connection.hosts()),
            None => format!("no answer from NATS at {}", self.connection.hosts()),
        }
    }

    /// Whether the stream has an event that waited for so long that the stream may have forgotten
    /// its id.
    async fn may_be_forgotten(&self, event: &Event, id: EventId) -> Result<bool, String> {
        let received = event.received_at;
        // Another subscriber may have stored it live.
        let since = if event.recovered {
            server_time(event).map_or(received, |time| time.min(received))
        } else {
            received
        };
        let waited = Timestamp::now().duration_since(since);
        if Duration::try_from(waited).unwrap_or_default() <= self.fresh {
            return Ok(false);
        }
        self.known.lock().await.has(id, since).await
    }

    /// Sends a message; whether the stream had it already.
    async fn send(&self, subject: String, message: PublishMessage) -> Result<bool, Failure> {
        let jetstream = &self.connection.jetstream;
        let sent = jetstream.send_publish(subject, message).await?;
        Ok(sent.await?.duplicate)
    }
}

/// Why an event was not acknowledged.
enum Failure {
    TooLarge,
    NoResponders,
    TimedOut,
    JetStream(jetstream::Error),
}

impl From<async_nats::jetstream::context::PublishError> for Failure {
    fn from(error: async_nats::jetstream::context::PublishError) -> Self {
        match error.kind() {
            PublishErrorKind::MaxPayloadExceeded => Self::TooLarge,
            PublishErrorKind::StreamNotFound => Self::NoResponders,
            _ => {
                let source = std::error::Error::source(&error);
                let answer = source.and_then(|source| source.downcast_ref::<jetstream::Error>());
                answer.map_or(Self::TimedOut, |answer| Self::JetStream(answer.clone()))
            }
        }
    }
}
