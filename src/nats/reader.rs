//! Reads what a stream holds of some subjects, in order, and on to what comes later. What a message
//! means is not known here, nor how much of it is enough.
//!
//! A request waits for a message. One that is not to wait has no end on a server before 2.10, which
//! miscounts what is left where messages were replaced meanwhile. Where none came, the number of the
//! last message is asked for, so that one that was lost on its way is noticed; such a server tells
//! none where the last message was removed, and then nothing is noticed.

use std::time::{Duration, Instant};

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::consumer::pull::{self, Batch};
use async_nats::jetstream::consumer::{AckPolicy, Consumer, DeliverPolicy};
use async_nats::jetstream::stream::ConsumerErrorKind;
use async_nats::jetstream::{Message, message};
use futures_util::StreamExt;
use serde::Deserialize;
use tokio::time::timeout;

use super::Connection;
use super::connection::{ANSWER, NO_MAJORITY};
use crate::error::{Error, Kind};

/// How long nobody may answer, try after try, before a consumer is made anew. It has one replica, and
/// a cluster may place it on a server that is gone; the last try waits as long as any question.
pub(super) const PATIENCE: [Duration; 5] = [
    Duration::from_millis(1500),
    Duration::from_millis(1500),
    Duration::from_millis(1500),
    Duration::from_millis(1500),
    ANSWER,
];

/// How long the server waits for a message before it answers that there is none.
const WAIT: Duration = Duration::from_secs(2);

/// How much later its answer may come.
const LATE: Duration = Duration::from_millis(2500);

/// Messages asked for at a time.
const BATCH: usize = 256;

/// A consumer that nobody reads any more is removed after this time.
const FORGOTTEN: Duration = Duration::from_secs(30);

/// Why reading broke off.
pub(super) type Broken = &'static str;

const NO_ANSWER: Broken = "no answer";
const BROKE_OFF: Broken = "it broke off";
const LOST: Broken = "a message did not come";

/// How a message of a stream is stored.
#[derive(Deserialize)]
struct Found {
    message: FoundMessage,
}

#[derive(Deserialize)]
pub(super) struct FoundMessage {
    /// Its number in the stream.
    pub(super) seq: u64,
    /// When it was stored, by the server's clock.
    #[serde(default)]
    pub(super) time: String,
    /// Its headers, if it has any.
    pub(super) hdrs: Option<String>,
}

/// The last message of these subjects, as the stream's leader has it; they may have wildcards.
/// `None`: there is none.
///
/// Errors: [`Kind::TimedOut`] where nobody answered; those of asking.
pub(super) async fn last_message(
    connection: &Connection,
    stream: &str,
    subjects: &str,
) -> Result<Option<FoundMessage>, Error> {
    let doing = "looking for the last message";
    let hosts = connection.hosts();
    if !connection.stands() {
        return Err(Error::new(
            Kind::TimedOut,
            format!("{hosts}: no connection while {doing}"),
        ));
    }
    let subject = format!("STREAM.MSG.GET.{stream}");
    let question = serde_json::json!({ "last_by_subj": subjects });
    let asked = connection.ask::<_, Found>(subject, &question, doing);
    match asked.await? {
        Ok(found) => Ok(Some(found.message)),
        Err(error) if error.error_code() == ErrorCode::NO_MESSAGE_FOUND => Ok(None),
        Err(error) => Err(Error::new(
            Kind::Server,
            format!("{hosts}: {doing}: {error}"),
        )),
    }
}

/// See the module's documentation.
pub(super) struct StreamReader {
    connection: Connection,
    stream: String,
    subjects: String,
    consumer: Consumer<pull::Config>,
    /// The request that is under way, and how many messages came of it.
    request: Option<(Batch, usize)>,
    /// How many messages came.
    came: u64,
    /// The number of the last one.
    last: u64,
    /// The number of the last one that was there, when none came.
    end: u64,
    /// A request ended before all of them had come.
    lacks: bool,
}

impl StreamReader {
    /// Begins with the oldest message of these subjects.
    ///
    /// Errors: why it cannot be read.
    pub(super) async fn open(
        connection: &Connection,
        stream: &str,
        subjects: String,
    ) -> Result<Self, Error> {
        let config = pull::Config {
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::None,
            filter_subject: subjects.clone(),
            inactive_threshold: FORGOTTEN,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let mut patience = PATIENCE.iter();
        let consumer = loop {
            let silence = patience.next().copied();
            let made = make_consumer(
                connection,
                stream,
                config.clone(),
                silence.unwrap_or(ANSWER),
            );
            match made.await {
                Err(error)
                    if error.kind() == Kind::TimedOut
                        && patience.len() > 0
                        && connection.stands() => {}
                made => break made?,
            }
        };
        Ok(Self {
            connection: connection.clone(),
            stream: stream.to_owned(),
            subjects,
            consumer,
            request: None,
            came: 0,
            last: 0,
            end: 0,
            lacks: false,
        })
    }

    /// Whether, when none came for a while, nothing was left.
    pub(super) fn is_at_end(&self) -> bool {
        self.last >= self.end
    }

    /// The next message and what the server says of it. `None`: none came for a while, and
    /// [`is_at_end`](Self::is_at_end) tells about now.
    ///
    /// Errors: what broke it off; one that did not come is noticed.
    pub(super) async fn next(&mut self) -> Result<Option<Message>, Broken> {
        loop {
            let (batch, of_it) = match &mut self.request {
                Some(request) => request,
                request => request.insert((ask(&self.consumer).await?, 0)),
            };
            let next = timeout(WAIT + LATE, batch.next()).await;
            let Some(message) = next.map_err(|_| NO_ANSWER)? else {
                let full = *of_it == BATCH;
                self.request = None;
                if full {
                    continue;
                }
                self.find_end().await?;
                let lacked = self.lacks;
                self.lacks = !self.is_at_end();
                // One may have been stored between the request's end and the question.
                if lacked && self.lacks {
                    return Err(LOST);
                }
                return Ok(None);
            };
            let message = message.map_err(|_| BROKE_OFF)?;
            *of_it += 1;
            let said = said_of(&message)?;
            self.came += 1;
            if said.consumer_sequence != self.came {
                return Err(LOST);
            }
            self.last = said.stream_sequence;
            self.lacks = false;
            return Ok(Some(message));
        }
    }

    async fn find_end(&mut self) -> Result<(), Broken> {
        let last = last_message(&self.connection, &self.stream, &self.subjects).await;
        let last = last.map_err(|_| NO_ANSWER)?;
        self.end = last.map_or(0, |message| message.seq);
        Ok(())
    }

    /// Tells the server that nothing more is read. Otherwise it notices after a while.
    pub(super) async fn close(self) {
        let name = &self.consumer.cached_info().name;
        self.connection.drop_consumer(&self.stream, name).await;
    }
}

/// Makes a consumer that one reader has for itself, unless nobody answers for so long.
///
/// Errors: [`Kind::TimedOut`] where nobody answered, or a cluster elects; [`Kind::Refused`] without
/// the permission; [`Kind::Server`] for what the server said.
pub(super) async fn make_consumer(
    connection: &Connection,
    stream: &str,
    config: pull::Config,
    silence: Duration,
) -> Result<Consumer<pull::Config>, Error> {
    let began = Instant::now();
    let made = connection
        .jetstream
        .create_consumer_on_stream(config, stream);
    let kind = match timeout(silence, made).await {
        Ok(Ok(consumer)) => return Ok(consumer),
        Ok(Err(error)) => error.kind(),
        Err(_) => ConsumerErrorKind::TimedOut,
    };
    let doing = "reading the stream";
    let hosts = connection.hosts();
    Err(match kind {
        ConsumerErrorKind::TimedOut => {
            let subject = format!("$JS.API.CONSUMER.CREATE.{stream}");
            match connection.denied_since(began, Some(&subject)) {
                Some(why) => connection.no_permission(doing, &why),
                None => Error::new(
                    Kind::TimedOut,
                    format!("{hosts}: no answer while {doing} {stream}"),
                )
                .hint(NO_MAJORITY),
            }
        }
        ConsumerErrorKind::JetStream(error)
            if error.error_code() == ErrorCode::CLUSTER_NOT_AVAILABLE =>
        {
            connection.no_leader(doing)
        }
        kind => Error::new(
            Kind::Server,
            format!("the stream {stream} on {hosts} cannot be read: {kind}"),
        ),
    })
}

async fn ask(consumer: &Consumer<pull::Config>) -> Result<Batch, Broken> {
    let asked = consumer
        .batch()
        .max_messages(BATCH)
        .expires(WAIT)
        .messages();
    let asked = timeout(ANSWER, asked).await.map_err(|_| NO_ANSWER)?;
    asked.map_err(|_| BROKE_OFF)
}

/// What the server says of a message beside it.
pub(super) fn said_of(message: &Message) -> Result<message::Info<'_>, Broken> {
    message.info().map_err(|_| BROKE_OFF)
}
