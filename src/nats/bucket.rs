//! A bucket of JetStream's key-value store: the last value of each key, written unconditionally or
//! only where nobody else wrote meanwhile, and watched. Made the way the servers' own clients make
//! one; by hand, because the library's way fails on servers before 2.10.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use async_nats::jetstream::stream::{Config, DiscardPolicy, Info, StorageType};
use async_nats::jetstream::{self, ErrorCode, Message};
use async_nats::{HeaderMap, header};
use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::Connection;
use super::acknowledgement::{Acknowledged, Failure};
use super::connection::until_answered;
use super::open::{create_stream, said};
use super::reader::{StreamReader, last_message, said_of};
use crate::error::{Error, Kind, Result};

/// The header of a message that removes a key.
const OPERATION: &str = "KV-Operation";

/// A watch that broke off begins anew after this time.
const AGAIN: Duration = Duration::from_millis(500);

/// The largest window in which a server knows a message again.
const WINDOW: Duration = Duration::from_mins(2);

/// What came of a conditional write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It is written, with this revision.
    Done(u64),
    /// Another one came before.
    Conflict,
    /// Nobody knows.
    Unknown,
}

/// What came of an unconditional write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// It is written.
    Done,
    /// The server does not take it, and will not soon: why.
    Refused(String),
    /// Nobody knows, or that may pass soon: why, where more is known than that nobody answered.
    Unknown(Option<String>),
}

/// What is said where permissions are the reason.
pub(super) const NOT_PERMITTED: &str = "the account has no permission for it (netapi ise pxgrid fleet permissions STREAM --for subscriber prints what it needs)";

/// Why a bucket could not be found or made.
pub struct NotOpened {
    /// The error.
    pub error: Error,
    /// Whether it will not pass soon: permissions, or limits of the account.
    pub lasts: bool,
}

impl From<Error> for NotOpened {
    fn from(error: Error) -> Self {
        let lasts = error.kind() == Kind::Refused;
        Self { error, lasts }
    }
}

impl From<NotOpened> for Error {
    fn from(NotOpened { error, .. }: NotOpened) -> Self {
        error
    }
}

/// Whether an error of JetStream is a limit, or another's stream in the way, which lasts. Everything
/// else may be a server that goes or comes.
fn lasts(error: &jetstream::Error) -> bool {
    matches!(
        error.error_code(),
        ErrorCode::ACCOUNT_RESOURCES_EXCEEDED
            | ErrorCode::INSUFFICIENT_RESOURCES
            | ErrorCode::MAXIMUM_STREAMS_LIMIT
            | ErrorCode::MEMORY_RESOURCES_EXCEEDED
            | ErrorCode::STORAGE_RESOURCES_EXCEEDED
            | ErrorCode::STREAM_STORE_FAILED
            | ErrorCode::STREAM_SUBJECT_OVERLAP
    )
}

/// A key and its value.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Which write of the bucket it was.
    pub revision: u64,
    /// `None`: it was removed.
    pub value: Option<Bytes>,
    /// When, by the server's clock.
    pub at: Timestamp,
}

/// What a watch tells.
#[derive(Debug)]
pub enum News {
    /// Everything that is there is told, from the beginning.
    Began,
    /// A key has this value.
    Entry(Entry),
    /// All that was there has been told; what follows is new.
    Complete,
}

/// See the module's documentation. A clone is the same bucket.
#[derive(Clone)]
pub struct Bucket {
    connection: Connection,
    name: String,
}

/// A reading of a bucket.
struct Reading {
    reader: StreamReader,
    /// The subjects of keys that were there at its beginning and have not come yet. The numbers of
    /// messages would not tell: a value that is replaced comes later, under another one.
    lacks: BTreeSet<String>,
}

impl Reading {
    /// Whether every key that was there at its beginning has come.
    fn is_complete(&self) -> bool {
        self.lacks.is_empty()
    }
}

/// The subjects that a stream has.
#[derive(Deserialize)]
struct Subjects {
    state: SubjectsState,
}

#[derive(Deserialize)]
struct SubjectsState {
    /// With the number of their messages.
    subjects: Option<BTreeMap<String, u64>>,
}

impl Bucket {
    /// Finds or makes the bucket. `max_age`: a value that is older is gone; none: it stays.
    pub async fn open(
        connection: &Connection,
        name: String,
        max_age: Option<Duration>,
        replicas: usize,
    ) -> Result<Self, NotOpened> {
        let bucket = Self::named(connection, name);
        let config = Config {
            name: bucket.stream(),
            subjects: vec![format!("$KV.{}.>", bucket.name)],
            description: Some("how netapi's workers and subscribers stand".to_owned()),
            discard: DiscardPolicy::New,
            storage: StorageType::File,
            max_bytes: -1,
            max_messages: -1,
            max_messages_per_subject: 1,
            max_message_size: -1,
            max_consumers: -1,
            max_age: max_age.unwrap_or_default(),
            num_replicas: replicas,
            duplicate_window: max_age.map_or(WINDOW, |age| age.min(WINDOW)),
            allow_rollup: true,
            deny_delete: true,
            allow_direct: true,
            ..Config::default()
        };
        let doing = format!("making the bucket {}", bucket.name);
        match create_stream(connection, &config, &doing).await? {
            Ok(_) => Ok(bucket),
            Err(error) if error.error_code() == ErrorCode::STREAM_NAME_EXIST => {
                if let Some(age) = max_age {
                    bucket.keep_for(age).await?;
                }
                Ok(bucket)
            }
            Err(error) => Err(NotOpened {
                lasts: lasts(&error),
                error: said(connection, &doing, &error)
                    .hint("the account needs room for a few kilobytes, and two more streams"),
            }),
        }
    }

    /// Makes a bucket that is there keep its values for so long at least. It was made for somebody
    /// else's lease: with a shorter one a worker would vanish from it between two renewals, and
    /// others would take what is its own.
    async fn keep_for(&self, age: Duration) -> Result<()> {
        let stream = self.stream();
        let doing = &format!("looking at the bucket {}", self.name);
        let subject = format!("STREAM.INFO.{stream}");
        let found = || self.connection.ask::<(), Info>(subject.clone(), &(), doing);
        let config = until_answered(found)
            .await?
            .map_err(|error| said(&self.connection, doing, &error))?
            .config;
        if config.max_age.is_zero() || config.max_age >= age {
            return Ok(());
        }
        let kept = config.max_age.as_secs_f64();
        let doing = &format!("making the bucket {} keep its values for longer", self.name);
        let config = Config {
            max_age: age,
            ..config
        };
        let subject = format!("STREAM.UPDATE.{stream}");
        let changed = || {
            let subject = subject.clone();
            self.connection.ask::<Config, Info>(subject, &config, doing)
        };
        let changed = until_answered(changed)
            .await
            .and_then(|changed| changed.map_err(|error| said(&self.connection, doing, &error)));
        changed.map(drop).map_err(|error| {
            error.hint(format!(
                "the bucket {} was made for a shorter lease and forgets workers after {kept} s: give all workers of the stream one --lease, or let the account publish $JS.API.STREAM.UPDATE.{stream}",
                self.name
            ))
        })
    }

    /// One that is there already, or not.
    pub fn named(connection: &Connection, name: String) -> Self {
        Self {
            connection: connection.clone(),
            name,
        }
    }

    fn stream(&self) -> String {
        format!("KV_{}", self.name)
    }

    fn subject(&self, key: &str) -> String {
        format!("$KV.{}.{key}", self.name)
    }

    /// Writes a value.
    pub async fn put(&self, key: &str, value: String) -> Put {
        let began = Instant::now();
        match self.write(key, HeaderMap::new(), value).await {
            Ok(_) => Put::Done,
            Err(Failure::JetStream(error)) if lasts(&error) => Put::Refused(error.to_string()),
            Err(Failure::JetStream(error)) => Put::Unknown(Some(error.to_string())),
            Err(Failure::TooLarge) => Put::Refused("it is too large (max_payload)".to_owned()),
            Err(Failure::NoResponders | Failure::TimedOut) => {
                let subject = self.subject(key);
                let denied = self.connection.denied_since(began, Some(&subject));
                denied.map_or(Put::Unknown(None), |_| {
                    Put::Refused(NOT_PERMITTED.to_owned())
                })
            }
        }
    }

    /// Writes a value if the key has this revision; 0: if it was never written.
    pub async fn put_if(&self, key: &str, value: String, revision: u64) -> Written {
        let mut headers = HeaderMap::new();
        let name = header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE;
        headers.insert(name, revision.to_string());
        match self.write(key, headers, value).await {
            Ok(revision) => Written::Done(revision),
            Err(Failure::JetStream(error))
                if error.error_code() == ErrorCode::STREAM_WRONG_LAST_SEQUENCE =>
            {
                Written::Conflict
            }
            Err(_) => Written::Unknown,
        }
    }

    /// Removes a key.
    pub async fn remove(&self, key: &str) {
        let mut headers = HeaderMap::new();
        headers.insert(OPERATION, "DEL");
        // Should it stay it grows old.
        let _written = self.write(key, headers, String::new()).await;
    }

    /// Its revision.
    async fn write(&self, key: &str, headers: HeaderMap, value: String) -> Result<u64, Failure> {
        if !self.connection.stands() {
            return Err(Failure::TimedOut);
        }
        let subject = self.subject(key).into();
        match self
            .connection
            .publish(subject, headers, value.into())
            .await?
        {
            Acknowledged::Stored(revision) => Ok(revision),
            // Without an id no server knows a message again.
            Acknowledged::HadIt | Acknowledged::Storing => Err(Failure::TimedOut),
        }
    }

    /// The revision of a key, as the stream's leader has it; `None`: there is none. `Err`: nobody
    /// answered.
    pub async fn revision(&self, key: &str) -> Result<Option<u64>, ()> {
        let (stream, subject) = (self.stream(), self.subject(key));
        let found = last_message(&self.connection, &stream, &subject).await;
        let found = found.map_err(|_| ())?;
        Ok(found
            .filter(|found| found.hdrs.is_none())
            .map(|found| found.seq))
    }

    /// Tells what is in the bucket, and each change, of keys that this filter takes (`group.>`).
    /// Where it breaks off it begins anew. Ends when nobody listens.
    pub async fn watch(self, filter: &str, tell: mpsc::UnboundedSender<News>) {
        while !tell.is_closed() {
            if self.connection.stands() {
                // Whatever broke it off: everything is told again.
                let _broken = self.watch_once(filter, &tell).await;
            }
            sleep(AGAIN).await;
        }
    }

    /// What is in the bucket now.
    ///
    /// Errors: `None` where it breaks off.
    pub async fn entries(&self, filter: &str) -> Option<Vec<Entry>> {
        let mut reading = self.read(filter).await?;
        let mut entries = BTreeMap::new();
        while !reading.is_complete() {
            if let Some(entry) = self.next(&mut reading).await? {
                // One that was written during the reading comes a second time.
                entries.insert(entry.key.clone(), entry);
            }
        }
        reading.reader.close().await;
        Some(entries.into_values().collect())
    }

    async fn watch_once(&self, filter: &str, tell: &mpsc::UnboundedSender<News>) -> Option<()> {
        let mut reading = self.read(filter).await?;
        tell.send(News::Began).ok()?;
        let mut complete = false;
        loop {
            if !complete && reading.is_complete() {
                complete = true;
                tell.send(News::Complete).ok()?;
            }
            if let Some(entry) = self.next(&mut reading).await? {
                tell.send(News::Entry(entry)).ok()?;
            }
        }
    }

    /// Begins to read.
    async fn read(&self, filter: &str) -> Option<Reading> {
        let (stream, subjects) = (self.stream(), self.subject(filter));
        let opened = StreamReader::open(&self.connection, &stream, subjects.clone());
        let reader = opened.await.ok()?;
        let question = serde_json::json!({ "subjects_filter": subjects });
        let asked = self.connection.ask::<_, Subjects>(
            format!("STREAM.INFO.{stream}"),
            &question,
            "looking at the keys of a bucket",
        );
        let state = asked.await.ok()?.ok()?.state;
        Some(Reading {
            reader,
            lacks: state.subjects.unwrap_or_default().into_keys().collect(),
        })
    }

    /// The next entry; `None` (inside) where there is none for a while. `None`: it broke off.
    async fn next(&self, reading: &mut Reading) -> Option<Option<Entry>> {
        let Some(message) = reading.reader.next().await.ok()? else {
            if reading.reader.is_at_end() {
                // What has not come was removed, or grew too old.
                reading.lacks.clear();
            }
            return Some(None);
        };
        reading.lacks.remove(message.subject.as_str());
        self.entry(&message).map(Some)
    }

    /// What a message says; `None`: it is none of this bucket.
    fn entry(&self, message: &Message) -> Option<Entry> {
        let info = said_of(message).ok()?;
        let prefix = self.subject("");
        let key = message.subject.strip_prefix(&prefix)?.to_owned();
        let headers = message.headers.as_ref();
        let removed = headers.is_some_and(|headers| headers.get(OPERATION).is_some());
        Some(Entry {
            key,
            revision: info.stream_sequence,
            value: (!removed).then(|| message.payload.clone()),
            at: Timestamp::from_nanosecond(info.published.unix_timestamp_nanos()).ok()?,
        })
    }
}
