//! Stores one event in the stream, and says what became of it. Whether and when it is tried again
//! is decided by whoever asks.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, ErrorCode};
use async_nats::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use jiff::{SignedDuration, Timestamp};
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::time::sleep;

use super::Connection;
use super::connection::ANSWER;
use super::known::KnownIds;
use super::message::{MessageMaker, add_headers, server_time, subject};
use super::open::{OpenStream, said};
use crate::error::{Error, Kind, Result};
use crate::event::id::TEXT;
use crate::event::{Event, EventId};
use crate::threads::RuntimeThread;

/// A copy whose first is still on its way to the replicas: to be asked again after this time.
const STILL_STORING: ErrorCode = ErrorCode(10158);
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// A stream that no server has, to be refused by: it shows that the server would take an event.
const NO_STREAM: &str = "netapi-nobody";

/// How long an event that comes live may have been on its way: it lies in buffers while we, or the
/// network, are stopped. It bounds what is read of a stream where clocks differ.
const ON_ITS_WAY: SignedDuration = SignedDuration::from_mins(15);

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
    /// The headers that all messages have alike.
    common_headers: HeaderMap,
    bodies: std::sync::Mutex<Bodies>,
    /// Where the connection is served.
    thread: RuntimeThread,
    stored: AtomicU64,
    had: AtomicU64,
}

impl Publisher {
    /// For a stream that was opened, by a connection that is served on this thread.
    pub fn new(
        connection: Connection,
        thread: RuntimeThread,
        stream: String,
        open: &OpenStream,
        maker: MessageMaker,
    ) -> Self {
        let mut common_headers = maker.common_headers();
        common_headers.insert(header::NATS_EXPECTED_STREAM, stream.as_str());
        let fresh = open.dedupe_window / 2;
        let filter = format!("netapi.{}.>", maker.deployment);
        let known = KnownIds::new(connection.clone(), stream.clone(), filter, fresh / 2);
        Self {
            connection,
            stream,
            maker,
            fresh,
            known: Mutex::new(known),
            common_headers,
            bodies: std::sync::Mutex::default(),
            thread,
            stored: AtomicU64::new(0),
            had: AtomicU64::new(0),
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
        let ours = subject.clone();
        let doing = "trying whether events may be published";
        let began = Instant::now();
        let timed_out = || {
            let denied = self.connection.denied_since(began, Some(&ours));
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
            let denied = self.connection.denied_since(began, None);
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

    /// Where events are best published from: what goes through the connection changes no thread
    /// then.
    pub fn runtime(&self) -> &Handle {
        self.thread.handle()
    }

    /// A poisoned lock holds a state that is whole all the same.
    fn bodies(&self) -> MutexGuard<'_, Bodies> {
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many events were stored, and how many the stream had already.
    pub fn counts(&self) -> (u64, u64) {
        (self.stored.load(Relaxed), self.had.load(Relaxed))
    }

    /// Stores an event, whose number in the spool is this. Takes as long as an answer may; longer
    /// where the stream has to be read.
    pub async fn publish(&self, event: &Event, number: u64) -> Published {
        let published = self.try_to_publish(event, number).await;
        match published {
            Published::Stored => self.stored.fetch_add(1, Relaxed),
            Published::HadIt => self.had.fetch_add(1, Relaxed),
            Published::Refused(_) | Published::Unavailable(_) => 0,
        };
        published
    }

    async fn try_to_publish(&self, event: &Event, number: u64) -> Published {
        if !self.connection.stands() {
            return Published::Unavailable(format!(
                "no connection to NATS at {}",
                self.connection.hosts()
            ));
        }
        let id = self.maker.message_id(event, number);
        // The whole message is read for it, so it is read once.
        let happened = server_time(event);
        match self.may_be_forgotten(event, id, happened).await {
            Ok(true) => return Published::HadIt,
            Ok(false) => {}
            Err(why) => return Published::Unavailable(why),
        }
        let body = self.bodies().body(event);
        let began = Instant::now();
        let subject = self.maker.subject(event);
        loop {
            let mut headers = self.common_headers.clone();
            add_headers(event, id, happened, &mut headers);
            headers.insert(header::NATS_MESSAGE_ID, id.text(&mut [0; TEXT]));
            let message = PublishMessage::build()
                .payload(body.clone())
                .headers(headers);
            return match self.send(subject.clone(), message).await {
                Ok(true) => Published::HadIt,
                Ok(false) => Published::Stored,
                Err(Failure::TooLarge) => Published::Refused(format!(
                    "{} bytes are more than the server takes (max_payload)",
                    body.len()
                )),
                Err(Failure::JetStream(error)) => match error.error_code() {
                    STILL_STORING if began.elapsed() < ANSWER => {
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
                Err(Failure::TimedOut) => Published::Unavailable(self.silent(began, &subject)),
            };
        }
    }

    /// Why nothing came back of what was sent to this subject since then.
    fn silent(&self, began: Instant, subject: &str) -> String {
        match self.connection.denied_since(began, Some(subject)) {
            Some(why) => format!("{}: {why}", self.connection.hosts()),
            None => format!("no answer from NATS at {}", self.connection.hosts()),
        }
    }

    /// Whether the stream has an event that waited for so long that the stream may have forgotten
    /// its id. `happened`: when it was, by the server's clock.
    async fn may_be_forgotten(
        &self,
        event: &Event,
        id: EventId,
        happened: Option<Timestamp>,
    ) -> Result<bool, String> {
        let received = event.received_at;
        // Another subscriber may have stored it when it happened.
        let happened = happened.map_or(received, |time| time.min(received));
        let since = if event.recovered {
            happened
        } else {
            let earliest = received.checked_sub(ON_ITS_WAY).unwrap_or(received);
            happened.max(earliest)
        };
        // Negative: our clock was set back, and nobody knows how long it waited.
        let waited = Duration::try_from(Timestamp::now().duration_since(since));
        if waited.is_ok_and(|waited| waited <= self.fresh) {
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

/// Where bodies are written: several in one piece of memory, which is asked for once.
#[derive(Default)]
struct Bodies {
    written: Vec<u8>,
    piece: BytesMut,
}

/// The size of a piece, unless one body is larger.
const PIECE: usize = 16 << 10;

impl Bodies {
    fn body(&mut self, event: &Event) -> Bytes {
        self.written.clear();
        event.write_json(None, &mut self.written);
        let length = self.written.len();
        if self.piece.capacity() < length {
            self.piece = BytesMut::with_capacity(length.max(PIECE));
        }
        self.piece.extend_from_slice(&self.written);
        self.written.shrink_to(PIECE);
        self.piece.split().freeze()
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
