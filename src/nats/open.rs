//! The stream: found, or created where that is asked for, and checked before anything is sent. What
//! would lose events is refused here, what may surprise is said.

use std::collections::HashMap;
use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::stream::{Config, DiscardPolicy, Info, RetentionPolicy, StorageType};
use tokio::time::{Instant, sleep};

use super::connection::until_answered;
use super::message::{self, MOST_PARTITIONS, PARTITIONS};
use super::{Connection, StreamAddress};
use crate::error::{Error, Kind, Result};

/// The key in the stream's metadata that says how many partitions there are.
const METADATA: &str = "netapi.partitions";

/// How a description ends that says the same; servers before 2.10 keep no metadata.
const DESCRIBED: &str = " partitions";

/// A cluster that has just started has no servers to place a stream on for so long.
const PLACING: Duration = Duration::from_secs(10);

/// Of two that make the same stream at the same moment a server tells one that its subjects are
/// another stream's, until the other one is done: within this time.
const BEING_MADE: Duration = Duration::from_secs(3);

/// Pause between two tries of either.
const CREATE_AGAIN: Duration = Duration::from_millis(500);

/// How a stream is made that is not there.
#[derive(Debug, Clone)]
pub struct CreateOptions {
    /// Most bytes that it may hold.
    pub max_bytes: i64,
    /// How long it keeps an event.
    pub max_age: Duration,
    /// On how many servers each event lies.
    pub replicas: usize,
    /// How long it knows an event's id.
    pub dedupe_window: Duration,
}

/// A stream that can be published to.
#[derive(Debug, Clone)]
pub struct OpenStream {
    /// How many partitions it has.
    pub partitions: u32,
    /// How long it knows an event's id.
    pub dedupe_window: Duration,
    /// How long it keeps an event; zero: for ever.
    pub max_age: Duration,
    /// On how many servers each event lies.
    pub replicas: usize,
    /// What the user should hear.
    pub notices: Vec<String>,
}

/// What is to be published.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'w> {
    /// The deployment's name.
    pub deployment: &'w str,
    /// The names of the topics in subjects.
    pub aliases: &'w [String],
    /// How many partitions the user says there are, or wants.
    pub partitions: Option<u32>,
    /// Whether a stream that is not there is made, and how.
    pub create: Option<&'w CreateOptions>,
}

impl OpenStream {
    /// Finds or makes the stream.
    ///
    /// Errors: [`Kind::NotFound`] where there is none; [`Kind::Server`] for one that events would
    /// be lost on; [`Kind::Usage`] for another number of partitions; those of asking.
    pub async fn open(
        connection: &Connection,
        address: &StreamAddress,
        wanted: Wanted<'_>,
    ) -> Result<Self> {
        let mut notices = Vec::new();
        let info = if let Some(info) = find(connection, &address.stream).await? {
            let differs = wanted.create.map(|create| differs(&info.config, create));
            notices.extend(differs.flatten());
            info
        } else {
            let create = wanted
                .create
                .ok_or_else(|| missing(address).hint("--create-stream --max-bytes 10G makes it"))?;
            if create.replicas > 1 {
                old_with_replicas(connection)?;
            }
            let info = make(connection, address, &wanted, create).await?;
            notices.push(format!("made the {address}"));
            info
        };
        Self::of(connection, address, &info.config, wanted, notices)
    }

    /// The stream as one that is read.
    ///
    /// Errors: those of [`open`](Self::open).
    pub async fn to_read(
        connection: &Connection,
        address: &StreamAddress,
        deployment: &str,
        partitions: Option<u32>,
    ) -> Result<Self> {
        let info = find(connection, &address.stream).await?;
        let info = info.ok_or_else(|| missing(address).hint(MADE_BY_SUBSCRIBER))?;
        let wanted = Wanted {
            deployment,
            aliases: &["session".to_owned()],
            partitions,
            create: None,
        };
        Self::of(connection, address, &info.config, wanted, Vec::new())
    }

    fn of(
        connection: &Connection,
        address: &StreamAddress,
        config: &Config,
        wanted: Wanted<'_>,
        mut notices: Vec<String>,
    ) -> Result<Self> {
        if config.num_replicas > 1 {
            old_with_replicas(connection)?;
        }
        let partitions = partitions_of(config);
        if let Some(said) = wanted.partitions.filter(|said| *said != partitions) {
            return Err(Error::usage(format!(
                "the {address} has {partitions} partitions, not {said}"
            ))
            .hint("leave --partitions out: the number is chosen once, when a stream is made"));
        }
        check(config, address, &wanted, partitions)?;
        notices.extend(warnings(config));
        Ok(Self {
            partitions,
            dedupe_window: config.duplicate_window,
            max_age: config.max_age,
            replicas: config.num_replicas,
            notices,
        })
    }
}

/// How there comes to be a stream, for who does not make it.
pub(super) const MADE_BY_SUBSCRIBER: &str =
    "a subscriber makes it: netapi ise pxgrid subscribe --to … --create-stream --max-bytes 10G";

pub(super) fn missing(address: &StreamAddress) -> Error {
    Error::new(Kind::NotFound, format!("there is no {address}"))
}

async fn find(connection: &Connection, name: &str) -> Result<Option<Info>> {
    let subject = format!("STREAM.INFO.{name}");
    let doing = "looking for the stream";
    let found = || connection.ask::<(), Info>(subject.clone(), &(), doing);
    match until_answered(found).await? {
        Ok(info) => Ok(Some(info)),
        Err(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => Ok(None),
        Err(error) => Err(said(connection, "the stream", &error)),
    }
}

async fn make(
    connection: &Connection,
    address: &StreamAddress,
    wanted: &Wanted<'_>,
    create: &CreateOptions,
) -> Result<Info> {
    let partitions = wanted.partitions.unwrap_or(PARTITIONS);
    let config = Config {
        name: address.stream.clone(),
        subjects: vec![format!("netapi.{}.>", wanted.deployment)],
        description: Some(format!("events of netapi in {partitions}{DESCRIBED}")),
        metadata: HashMap::from([(METADATA.to_owned(), partitions.to_string())]),
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::New,
        storage: StorageType::File,
        max_bytes: create.max_bytes,
        max_messages: -1,
        max_messages_per_subject: -1,
        max_message_size: -1,
        max_consumers: -1,
        max_age: create.max_age,
        num_replicas: create.replicas,
        duplicate_window: create.dedupe_window,
        ..Config::default()
    };
    loop {
        match create_stream(connection, &config, "making the stream").await? {
            Ok(info) => return Ok(info),
            // Another subscriber was faster.
            Err(error) if error.error_code() == ErrorCode::STREAM_NAME_EXIST => {
                if let Some(info) = find(connection, &address.stream).await? {
                    return Ok(info);
                }
            }
            Err(error) => {
                return Err(said(connection, "making the stream", &error).hint(
                    "--max-bytes must fit into the server's storage, --replicas needs as many servers, and no other stream may have the subjects",
                ));
            }
        }
        sleep(CREATE_AGAIN).await;
    }
}

/// Makes a stream, or finds one that is alike.
pub(super) async fn create_stream(
    connection: &Connection,
    config: &Config,
    doing: &str,
) -> Result<Result<Info, async_nats::jetstream::Error>> {
    let subject = format!("STREAM.CREATE.{}", config.name);
    let mut since = None;
    loop {
        let asked = || connection.ask::<Config, Info>(subject.clone(), config, doing);
        let created = until_answered(asked).await?;
        let passes = created.as_ref().err().and_then(passes_within);
        let since = since.get_or_insert_with(Instant::now);
        if passes.is_none_or(|patience| since.elapsed() >= patience) {
            return Ok(created);
        }
        sleep(CREATE_AGAIN).await;
    }
}

/// How long an error may last that goes by itself.
fn passes_within(error: &async_nats::jetstream::Error) -> Option<Duration> {
    match error.error_code() {
        ErrorCode::STREAM_SUBJECT_OVERLAP => Some(BEING_MADE),
        ErrorCode::CLUSTER_NO_PEERS => Some(PLACING),
        _ => None,
    }
}

/// JetStream's own error; its texts name settings and numbers.
pub(super) fn said(
    connection: &Connection,
    what: &str,
    error: &async_nats::jetstream::Error,
) -> Error {
    Error::new(
        Kind::Server,
        format!("{}: {what}: {error}", connection.hosts()),
    )
}

/// Replicas of servers before 2.10 lose events with two writers.
fn old_with_replicas(connection: &Connection) -> Result<()> {
    let (major, minor, text) = connection.version();
    if (major, minor) >= (2, 10) {
        return Ok(());
    }
    Err(Error::new(
        Kind::Server,
        format!(
            "nats-server {text} at {} loses events of a stream with replicas",
            connection.hosts()
        ),
    )
    .hint("use nats-server 2.10 or newer for a cluster; with one replica this one is fine"))
}

/// How many partitions a stream has.
pub(super) fn partitions_of(config: &Config) -> u32 {
    partitions(config).unwrap_or(PARTITIONS)
}

/// How many partitions the stream says that it has.
fn partitions(config: &Config) -> Option<u32> {
    let described = || {
        let text = config.description.as_deref()?;
        text.strip_suffix(DESCRIBED)?.rsplit(' ').next()
    };
    let text = config.metadata.get(METADATA).map(String::as_str);
    let number = text.or_else(described)?.parse().ok()?;
    (1..=MOST_PARTITIONS).contains(&number).then_some(number)
}

/// What events would be lost on.
fn check(
    config: &Config,
    address: &StreamAddress,
    wanted: &Wanted<'_>,
    partitions: u32,
) -> Result<()> {
    let wrong = |what: &str| Error::new(Kind::Server, format!("the {address} {what}"));
    for alias in wanted.aliases {
        for partition in 0..partitions {
            let subject = message::subject(wanted.deployment, alias, partition);
            if !config.subjects.iter().any(|one| takes(one, &subject)) {
                return Err(wrong(&format!("does not take the subject {subject}")).hint(
                    format!(
                        "its subjects must have netapi.{}.> among them (nats stream edit), or --deployment is another",
                        wanted.deployment
                    ),
                ));
            }
        }
    }
    let elsewhere = "make another stream with --create-stream --max-bytes 10G";
    if config.retention != RetentionPolicy::Limits {
        return Err(wrong("does not keep events by limits alone: it drops what consumers took, or what nobody waits for").hint(elsewhere));
    }
    if config.max_messages_per_subject > 0 {
        return Err(wrong(&format!(
            "keeps {} events of a subject, which is a share of all endpoints: later ones push earlier ones out",
            config.max_messages_per_subject
        ))
        .hint("set its max-msgs-per-subject to -1 (nats stream edit), or make another stream with --create-stream --max-bytes 10G"));
    }
    if config.no_ack {
        return Err(
            wrong("acknowledges nothing, so that nobody knows what it has").hint(elsewhere),
        );
    }
    if config.sealed || config.mirror.is_some() {
        return Err(wrong("takes nothing: it is sealed, or a mirror").hint(elsewhere));
    }
    Ok(())
}

/// What may surprise.
fn warnings(config: &Config) -> Vec<String> {
    let mut said = Vec::new();
    let limited = config.max_bytes > 0 || config.max_messages > 0;
    if config.discard == DiscardPolicy::Old && limited {
        said.push(format!(
            "warning: the stream {} discards old events when it is full, whether a worker had them or not; discard new makes subscribers wait instead",
            config.name
        ));
    }
    if config.storage == StorageType::Memory {
        said.push(format!(
            "warning: the stream {} lies in memory: it is gone when its servers restart",
            config.name
        ));
    }
    said
}

/// What was asked for, and is otherwise on a stream that is there.
fn differs(config: &Config, create: &CreateOptions) -> Option<String> {
    let same = config.max_bytes == create.max_bytes
        && config.max_age == create.max_age
        && config.num_replicas == create.replicas
        && config.duplicate_window == create.dedupe_window;
    (!same).then(|| {
        format!(
            "the stream {} is there already and stays as it is: {} bytes at most, age at most {} s, {} replicas, ids known for {} s",
            config.name,
            config.max_bytes,
            config.max_age.as_secs(),
            config.num_replicas,
            config.duplicate_window.as_secs()
        )
    })
}

/// Whether a stream's subject, which may have wildcards, takes this one.
fn takes(filter: &str, subject: &str) -> bool {
    let mut tokens = subject.split('.');
    for part in filter.split('.') {
        match (part, tokens.next()) {
            (">", Some(_)) => return true,
            ("*", Some(_)) => {}
            (part, Some(token)) if part == token => {}
            _ => return false,
        }
    }
    tokens.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nats::scripted::{self, Answer};

    #[tokio::test]
    async fn a_stream_that_another_makes_at_this_moment_is_there() {
        let mut asked = 0;
        let connection = scripted::connection(move |subject| {
            assert_eq!(subject, "$JS.API.STREAM.CREATE.EVENTS");
            asked += 1;
            Answer::Body(match asked {
                1 => {
                    r#"{"error":{"code":400,"err_code":10065,"description":"subjects overlap with an existing stream"}}"#
                }
                _ => {
                    r#"{"error":{"code":400,"err_code":10058,"description":"stream name already in use"}}"#
                }
            })
        });
        let config = Config {
            name: "EVENTS".to_owned(),
            ..Config::default()
        };
        let created = create_stream(&connection.await, &config, "making it").await;
        let error = created.unwrap().unwrap_err();
        assert_eq!(error.error_code(), ErrorCode::STREAM_NAME_EXIST);
    }

    #[test]
    fn wildcards_are_those_of_nats() {
        for (filter, wanted) in [
            ("netapi.ise.>", true),
            ("netapi.*.session.*", true),
            (">", true),
            ("netapi.ise.session.0", true),
            ("netapi.ise.session.1", false),
            ("netapi.ise.session", false),
            ("netapi.ise.session.0.>", false),
            ("netapi.*", false),
        ] {
            assert_eq!(takes(filter, "netapi.ise.session.0"), wanted, "{filter}");
        }
    }

    #[test]
    fn partitions_are_in_the_metadata_or_in_the_description() {
        let described = |text: &str| Config {
            description: Some(text.to_owned()),
            ..Config::default()
        };
        assert_eq!(partitions(&Config::default()), None);
        assert_eq!(
            partitions(&described("events of netapi in 8 partitions")),
            Some(8)
        );
        assert_eq!(partitions(&described("many partitions")), None);
        assert_eq!(partitions(&described("0 partitions")), None);
        let mut both = described("8 partitions");
        both.metadata.insert(METADATA.to_owned(), "16".to_owned());
        assert_eq!(partitions(&both), Some(16));
    }

    fn checked(change: impl FnOnce(&mut Config)) -> Result<()> {
        let mut config = Config {
            name: "EVENTS".to_owned(),
            subjects: vec!["netapi.ise.>".to_owned()],
            ..Config::default()
        };
        change(&mut config);
        let address = StreamAddress::parse("nats://a/EVENTS", None).unwrap();
        let wanted = Wanted {
            deployment: "ise",
            aliases: &["session".to_owned()],
            partitions: None,
            create: None,
        };
        check(&config, &address, &wanted, 4)
    }

    #[test]
    fn a_stream_that_would_lose_events_is_refused() {
        checked(|_| {}).unwrap();
        let faults: [fn(&mut Config); 6] = [
            |config| config.subjects = vec!["other.>".to_owned()],
            |config| config.subjects = vec!["netapi.ise.session.0".to_owned()],
            |config| config.retention = RetentionPolicy::Interest,
            |config| config.max_messages_per_subject = 1,
            |config| config.no_ack = true,
            |config| config.sealed = true,
        ];
        for fault in faults {
            let error = checked(fault).unwrap_err();
            assert_eq!(error.kind(), Kind::Server);
            assert!(error.hint_text().is_some(), "{error}");
        }
    }

    #[test]
    fn old_events_that_go_and_memory_are_said() {
        let mut config = Config {
            discard: DiscardPolicy::Old,
            max_bytes: -1,
            ..Config::default()
        };
        assert!(warnings(&config).is_empty());
        config.max_bytes = 1;
        config.storage = StorageType::Memory;
        assert_eq!(warnings(&config).len(), 2);
    }
}
