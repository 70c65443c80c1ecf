//! The consumers of a group of workers: one for each partition, durable, so that the server knows
//! what of it was done. Who asks a consumer for events, and when, is not decided here.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::consumer::{self, AckPolicy, Consumer, DeliverPolicy, Info, pull};
use async_nats::jetstream::stream::{ConsumerError, ConsumerErrorKind};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use tokio::time::timeout;

use super::Connection;
use super::connection::{ANSWER, until_answered};
use super::open::said;
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::record::Mac;

/// How many events of a partition may be under way, whoever has them.
pub const MOST_PENDING: u16 = 64;

/// Consumers looked for or made at a time: on a cluster each is an election.
const AT_A_TIME: usize = 8;

/// What a server answers while a cluster has no leader.
const UNAVAILABLE: usize = 503;

/// How much later than asked for the server's answer to a pull may come.
const LATE: Duration = Duration::from_secs(1);

/// What the server takes for an empty question: an object without members.
const NOTHING: Nothing = Nothing {};

#[derive(Serialize)]
struct Nothing {}

/// How a consumer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsumerState {
    /// The number of its last delivery.
    pub delivered: u64,
    /// How many events it has delivered that were not acknowledged.
    pub pending: usize,
    /// How long it waits for that.
    pub ack_wait: Duration,
    /// How many it lets be so at most.
    pub most_pending: usize,
}

/// An event that a consumer delivered.
#[derive(Debug, Clone)]
pub struct Pulled {
    /// Its number in the stream.
    pub sequence: u64,
    /// The delivery's number in the consumer.
    pub delivery: u64,
    /// How often it was delivered, by the server's count.
    pub times: u64,
    /// Where its acknowledgement goes.
    pub reply: Arc<str>,
    /// `None`: it could not be read.
    pub event: Option<Event>,
}

/// How the consumers of a group are made that are not there.
#[derive(Debug, Clone)]
pub struct Group {
    /// The stream's name.
    pub stream: String,
    /// The group's.
    pub name: String,
    /// The deployment whose events it gets.
    pub deployment: String,
    /// How many partitions the stream has.
    pub partitions: u32,
    /// How long a consumer waits for an acknowledgement.
    pub ack_wait: Duration,
    /// Whether a new group begins with what comes from now on.
    pub from_now: bool,
}

/// One partition's consumer. A clone is the same.
#[derive(Clone)]
pub struct PartitionConsumer {
    connection: Connection,
    consumer: Arc<Consumer<pull::Config>>,
}

impl Group {
    /// The consumer of each partition, in their order, made where it is not there; whether any was.
    ///
    /// Errors: [`Kind::Usage`] where the group was made for another number of partitions.
    pub async fn open(&self, connection: &Connection) -> Result<(Vec<PartitionConsumer>, bool)> {
        let beyond = until_answered(|| self.info(connection, self.partitions));
        if beyond.await?.is_some() {
            return Err(self.other_partitions());
        }
        let found = (0..self.partitions).map(|partition| self.find_or_make(connection, partition));
        let found = stream::iter(found).buffered(AT_A_TIME);
        let found: Vec<(PartitionConsumer, bool)> = found.try_collect().await?;
        let made = found.iter().any(|(_, made)| *made);
        Ok((found.into_iter().map(|(one, _)| one).collect(), made))
    }

    fn other_partitions(&self) -> Error {
        Error::usage(format!(
            "the group {} was made for another deployment than {}, or for another number of partitions than the {} of the stream {}",
            self.name, self.deployment, self.partitions, self.stream
        ))
        .hint("choose another --group, or remove its consumers (nats consumer rm) when all its events are done")
    }

    fn consumer_name(&self, partition: u32) -> String {
        format!("{}-{partition}", self.name)
    }

    async fn info(&self, connection: &Connection, partition: u32) -> Result<Option<Info>> {
        let name = self.consumer_name(partition);
        let subject = format!("CONSUMER.INFO.{}.{name}", self.stream);
        let doing = "looking for the group's consumers";
        match connection.ask::<_, Info>(subject, &NOTHING, doing).await? {
            Ok(info) => Ok(Some(info)),
            Err(error) if is_gone(error.error_code()) => Ok(None),
            Err(error) => Err(said(connection, doing, &error)),
        }
    }

    /// The consumer, and whether it was made.
    async fn find_or_make(
        &self,
        connection: &Connection,
        partition: u32,
    ) -> Result<(PartitionConsumer, bool)> {
        let ever_made = AtomicBool::new(false);
        let found = until_answered(|| async {
            let (consumer, made) = self.find_or_make_once(connection, partition).await?;
            ever_made.fetch_or(made, Relaxed);
            consumer
        });
        found.await.map(|found| (found, ever_made.load(Relaxed)))
    }

    /// The consumer, if somebody answered, and whether it was to be made.
    async fn find_or_make_once(
        &self,
        connection: &Connection,
        partition: u32,
    ) -> Result<(Result<PartitionConsumer>, bool)> {
        let filter = format!("netapi.{}.*.{partition}", self.deployment);
        let info = self.info(connection, partition).await?;
        if let Some(info) = &info
            && info.config.filter_subject != filter
        {
            return Err(self.other_partitions());
        }
        let made = info.is_none();
        let doing = "making a consumer of the group";
        let began = Instant::now();
        let consumer = if made {
            let config = pull::Config {
                durable_name: Some(self.consumer_name(partition)),
                deliver_policy: if self.from_now {
                    DeliverPolicy::New
                } else {
                    DeliverPolicy::All
                },
                ack_policy: AckPolicy::Explicit,
                ack_wait: self.ack_wait,
                max_ack_pending: MOST_PENDING.into(),
                filter_subject: filter,
                ..pull::Config::default()
            };
            let making = connection
                .jetstream
                .create_consumer_on_stream(config, &self.stream);
            making.await
        } else {
            let finding = connection
                .jetstream
                .get_consumer_from_stream(self.consumer_name(partition), &self.stream);
            finding.await
        };
        let consumer = consumer.map(|consumer| PartitionConsumer {
            connection: connection.clone(),
            consumer: Arc::new(consumer),
        });
        let consumer = consumer.map_err(|error| {
            connection.denied_since(began, None).map_or_else(
                || not_made(connection, doing, &error),
                |denied| connection.no_permission(doing, &denied),
            )
        });
        Ok((consumer, made))
    }
}

/// Why a consumer was not made, or not found. [`Kind::TimedOut`]: it may be later.
fn not_made(connection: &Connection, doing: &str, error: &ConsumerError) -> Error {
    let unavailable = match error.kind() {
        ConsumerErrorKind::TimedOut => true,
        ConsumerErrorKind::JetStream(error) => error.code() == UNAVAILABLE,
        _ => false,
    };
    let text = format!("{}: {doing}: {error}", connection.hosts());
    if unavailable {
        return Error::new(Kind::TimedOut, text)
            .hint("a cluster answers when a majority of its servers is up; look at their logs");
    }
    Error::new(Kind::Server, text)
        .hint("the server's log says more; the account may have its number of consumers")
}

fn is_gone(code: ErrorCode) -> bool {
    code == ErrorCode::CONSUMER_NOT_FOUND || code == ErrorCode::STREAM_NOT_FOUND
}

impl PartitionConsumer {
    /// How it stands; `None`: nobody answered.
    ///
    /// Errors: [`Kind::NotFound`] where it is gone.
    pub async fn state(&self) -> Result<Option<ConsumerState>> {
        if !self.connection.stands() {
            return Ok(None);
        }
        let known = self.consumer.cached_info();
        let subject = format!("CONSUMER.INFO.{}.{}", known.stream_name, known.name);
        let doing = "asking a consumer of the group";
        match self.connection.ask::<_, Info>(subject, &NOTHING, doing).await {
            Ok(Ok(info)) => Ok(Some(state_of(&info))),
            Ok(Err(error)) if is_gone(error.error_code()) => Err(Error::new(
                Kind::NotFound,
                format!(
                    "the consumer {} of the stream {} on {} is gone: somebody removed it, or the stream",
                    known.name, known.stream_name, self.connection.hosts()
                ),
            )
            .hint("start again: a new group gets all events of the stream, or with --from-now those to come")),
            Err(error) if error.kind() == Kind::Refused => Err(error),
            Ok(Err(_)) | Err(_) => Ok(None),
        }
    }

    /// Asks for so many events, for so long, and gives each that comes to `take`. Whether the server
    /// answered as it does to a pull.
    pub async fn pull(
        &self,
        count: usize,
        expires: Duration,
        mut take: impl FnMut(Pulled),
    ) -> bool {
        if !self.connection.stands() {
            return false;
        }
        let asked = self
            .consumer
            .batch()
            .max_messages(count)
            .expires(expires)
            .messages();
        let Ok(Ok(mut batch)) = timeout(ANSWER, asked).await else {
            return false;
        };
        loop {
            match timeout(expires + LATE, batch.next()).await {
                Ok(Some(Ok(message))) => match pulled(&message) {
                    Some(pulled) => take(pulled),
                    None => return false,
                },
                Ok(None) => return true,
                Ok(Some(Err(_))) | Err(_) => return false,
            }
        }
    }
}

fn state_of(info: &consumer::Info) -> ConsumerState {
    ConsumerState {
        delivered: info.delivered.consumer_sequence,
        pending: info.num_ack_pending,
        ack_wait: info.config.ack_wait,
        most_pending: usize::try_from(info.config.max_ack_pending)
            .unwrap_or_else(|_| MOST_PENDING.into()),
    }
}

/// What a message is; `None` where it is none of a consumer.
fn pulled(message: &async_nats::jetstream::Message) -> Option<Pulled> {
    let info = message.info().ok()?;
    let text = std::str::from_utf8(&message.payload).ok();
    let mut event = text.and_then(Event::parse);
    // The endpoint as the subscriber knew it: it chose the partition by that.
    let headers = message.headers.as_ref();
    let subject = headers.and_then(|headers| headers.get("ce-subject"));
    if let (Some(event), Some(subject)) = (&mut event, subject)
        && let Ok(mac) = subject.as_str().parse::<Mac>()
    {
        event.mac = Some(mac.to_string().into());
        event.station = None;
    }
    Some(Pulled {
        sequence: info.stream_sequence,
        delivery: info.consumer_sequence,
        times: u64::try_from(info.delivered).unwrap_or(1),
        reply: message.reply.as_ref()?.as_str().into(),
        event,
    })
}

/// What is said of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saying {
    /// It is done.
    Done,
    /// It is under way.
    UnderWay,
    /// Somebody else is to have it.
    HandedBack,
}

impl Connection {
    /// Says that a delivery is done; whether the server heard it. `written` is called when that has
    /// left this process, so that it arrives also if that is killed, but for a connection that
    /// stalled or broke.
    pub async fn say_done(&self, reply: &str, written: impl FnOnce()) -> bool {
        let mut said = pin!(self.say(reply, Saying::Done));
        // In this order: what is flushed is what was said before.
        tokio::select! {
            biased;
            heard = &mut said => return heard,
            Ok(()) = self.client().flush() => written(),
        }
        said.await
    }

    /// Says something of a delivery; whether the server heard it. What is not answered when the
    /// connection is lost was not heard.
    pub async fn say(&self, reply: &str, saying: Saying) -> bool {
        let mut losses = self.losses.clone();
        losses.mark_unchanged();
        if !self.stands() {
            return false;
        }
        let client = self.client();
        let text = match saying {
            Saying::Done => "+ACK",
            Saying::UnderWay => "+WPI",
            Saying::HandedBack => "-NAK",
        };
        let subject = reply.to_owned();
        if saying == Saying::HandedBack {
            return client.publish(subject, text.into()).await.is_ok();
        }
        // The library waits for a place among what it has not sent yet, however long.
        let asked = timeout(ANSWER, client.request(subject, text.into()));
        tokio::select! {
            biased;
            answer = asked => matches!(answer, Ok(Ok(_))),
            // Also when it is closed.
            _lost = losses.changed() => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;
    use tokio::time::timeout;

    use super::{ANSWER, Saying};
    use crate::nats::scripted::{self, Answer};

    const REPLY: &str = "$JS.ACK.EVENTS.workers-0.1.7.3.0.0";

    #[tokio::test]
    async fn what_is_done_has_left_us_also_where_the_server_does_not_answer() {
        let connection = scripted::connection(|_| Answer::Nothing).await;
        let (left, has_left) = oneshot::channel();
        let written = || left.send(()).unwrap();
        let said = connection.say_done(REPLY, written);
        tokio::select! {
            heard = said => panic!("{heard}"),
            left = has_left => left.unwrap(),
        }
    }

    #[tokio::test]
    async fn what_the_server_did_not_hear_is_known_when_the_connection_is_lost() {
        let mut answers = vec![Answer::Body(""), Answer::Gone].into_iter();
        let answer = move |_: &str| answers.next_back().unwrap_or(Answer::Body(""));
        let connection = scripted::connection(answer).await;
        let said = connection.say_done(REPLY, || ());
        assert_eq!(timeout(ANSWER / 2, said).await, Ok(false));
        let again = async {
            while !connection.say(REPLY, Saying::Done).await {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(15), again).await.unwrap();
    }
}
