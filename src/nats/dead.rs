//! The stream of dead letters beside a stream of events: what no callback of a group took. It keeps
//! them until somebody takes them out.

use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::consumer::{self, AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::{Config, DiscardPolicy, Info, StorageType};
use async_nats::{HeaderMap, header};
use futures_util::StreamExt;
use serde::Deserialize;
use tokio::time::timeout;

use super::acknowledgement::{Acknowledged, Failure};
use super::connection::ANSWER;
use super::open::{create_stream, said};
use super::{Connection, StreamAddress};
use crate::error::{Error, Kind, Result};
use crate::event::EventId;

/// Letters asked for at a time.
const BATCH: usize = 200;

/// A reading that nobody goes on with is removed after this time.
const FORGOTTEN: Duration = Duration::from_secs(30);

/// The header that says whose callback did not take it.
const GROUP: &str = "Netapi-Group";

/// One dead letter.
#[derive(Debug, Clone)]
pub struct StoredLetter {
    /// Its number in the stream of dead letters.
    pub sequence: u64,
    /// The group whose callback did not take the event.
    pub group: String,
    /// One JSON object.
    pub text: String,
}

/// See the module's documentation. A clone is the same stream.
#[derive(Clone)]
pub struct DeadStream {
    connection: Connection,
    /// The stream of events.
    of: String,
}

/// The answer to a removal.
#[derive(Deserialize)]
struct Removed {}

impl DeadStream {
    /// Beside this stream.
    pub fn of(connection: &Connection, address: &StreamAddress) -> Self {
        Self {
            connection: connection.clone(),
            of: address.stream.clone(),
        }
    }

    /// Its name.
    pub fn name(&self) -> String {
        format!("{}_DEAD", self.of)
    }

    fn subjects(&self) -> String {
        format!("netapi_dead.{}.>", self.of)
    }

    /// Makes it where it is not there.
    pub async fn make(&self, replicas: usize) -> Result<()> {
        let config = Config {
            name: self.name(),
            subjects: vec![self.subjects()],
            description: Some(format!("events of {} that no callback took", self.of)),
            discard: DiscardPolicy::New,
            storage: StorageType::File,
            max_bytes: -1,
            max_messages: -1,
            max_messages_per_subject: -1,
            max_message_size: -1,
            max_consumers: -1,
            num_replicas: replicas,
            duplicate_window: Duration::from_mins(2),
            ..Config::default()
        };
        let doing = "making the stream of dead letters";
        match create_stream(&self.connection, &config, doing).await? {
            Ok(_) => Ok(()),
            Err(error) if error.error_code() == ErrorCode::STREAM_NAME_EXIST => Ok(()),
            Err(error) => Err(said(&self.connection, doing, &error)
                .hint("the account needs room for another stream; or make it by hand, as you want it: nats stream add")),
        }
    }

    /// Stores the letter of an event, known by its number in the stream and its id: a stream that was
    /// made anew, or a server that lost its last messages, gives a number to another event. `Err`:
    /// why it is not stored now.
    pub async fn store(
        &self,
        group: &str,
        partition: u32,
        (sequence, id): (u64, EventId),
        letter: String,
    ) -> Result<(), String> {
        if !self.connection.stands() {
            return Err(format!(
                "no connection to NATS at {}",
                self.connection.hosts()
            ));
        }
        let mut headers = HeaderMap::new();
        headers.insert(GROUP, group);
        headers.insert("content-type", "application/json");
        headers.insert(header::NATS_MESSAGE_ID, format!("{group}-{sequence}-{id}"));
        let subject = format!("netapi_dead.{}.{group}.{partition}", self.of);
        let sent = self
            .connection
            .publish(subject.into(), headers, letter.into());
        let why = match sent.await {
            Ok(Acknowledged::Stored(_) | Acknowledged::HadIt) => return Ok(()),
            Ok(Acknowledged::Storing) => "it has not stored another copy yet".to_owned(),
            Err(Failure::TooLarge) => "it is more than the server takes (max_payload)".to_owned(),
            Err(Failure::NoResponders) => {
                "nobody takes messages: it is gone, or has no leader".to_owned()
            }
            Err(Failure::TimedOut) => "no answer".to_owned(),
            Err(Failure::JetStream(error)) => error.to_string(),
        };
        let hosts = self.connection.hosts();
        Err(format!("the stream {} on {hosts}: {why}", self.name()))
    }

    /// Gives every letter to `take`, those of one group where it is named, oldest first.
    ///
    /// Errors: [`Kind::NotFound`] where there is no such stream; [`Kind::Server`] where reading
    /// breaks off.
    pub async fn read(
        &self,
        group: Option<&str>,
        mut take: impl FnMut(StoredLetter) -> Result<()>,
    ) -> Result<()> {
        let config = pull::Config {
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::None,
            filter_subject: match group {
                Some(group) => format!("netapi_dead.{}.{group}.*", self.of),
                None => self.subjects(),
            },
            inactive_threshold: FORGOTTEN,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let jetstream = &self.connection.jetstream;
        let made = jetstream.create_consumer_on_stream(config, self.name());
        let broken = |why: &str| {
            Error::new(
                Kind::Server,
                format!(
                    "{}: reading the dead letters: {why}",
                    self.connection.hosts()
                ),
            )
        };
        let consumer: consumer::Consumer<pull::Config> = match made.await {
            Ok(consumer) => consumer,
            Err(_) if !self.is_there().await? => {
                return Err(Error::new(
                    Kind::NotFound,
                    format!(
                        "there is no stream {} at {}",
                        self.name(),
                        self.connection.hosts()
                    ),
                )
                .hint("a worker of this stream makes it when it starts"));
            }
            Err(error) => return Err(broken(&error.kind().to_string())),
        };
        loop {
            let batch = consumer.fetch().max_messages(BATCH).messages().await;
            let mut batch = batch.map_err(|error| broken(&error.to_string()))?;
            let mut came = false;
            loop {
                let next = timeout(ANSWER, batch.next()).await;
                let Some(message) = next.map_err(|_| broken("no answer"))? else {
                    break;
                };
                let message = message.map_err(|_| broken("it broke off"))?;
                let info = message.info().map_err(|_| broken("it broke off"))?;
                came = true;
                let headers = message.headers.as_ref();
                let group = headers.and_then(|headers| headers.get(GROUP));
                take(StoredLetter {
                    sequence: info.stream_sequence,
                    group: group.map(ToString::to_string).unwrap_or_default(),
                    text: String::from_utf8_lossy(&message.payload).into_owned(),
                })?;
            }
            if !came {
                break;
            }
        }
        let name = consumer.cached_info().name.clone();
        self.connection.drop_consumer(&self.name(), &name).await;
        Ok(())
    }

    async fn is_there(&self) -> Result<bool> {
        let subject = format!("STREAM.INFO.{}", self.name());
        let doing = "looking for the dead letters";
        match self.connection.ask::<(), Info>(subject, &(), doing).await? {
            Ok(_) => Ok(true),
            Err(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => Ok(false),
            Err(error) => Err(said(&self.connection, doing, &error)),
        }
    }

    /// Takes a letter out for good.
    pub async fn remove(&self, sequence: u64) -> Result<()> {
        let subject = format!("STREAM.MSG.DELETE.{}", self.name());
        let question = serde_json::json!({ "seq": sequence });
        let doing = "taking a dead letter out";
        let removed = self
            .connection
            .ask::<_, Removed>(subject, &question, doing)
            .await?;
        match removed {
            Ok(_) => Ok(()),
            // Somebody else took it out.
            Err(error) if error.error_code() == ErrorCode::NO_MESSAGE_FOUND => Ok(()),
            Err(error) => Err(said(&self.connection, doing, &error)),
        }
    }
}
