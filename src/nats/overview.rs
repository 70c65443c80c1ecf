//! How a stream stands, for a person who looks: its size, its groups of workers, what each
//! partition still has to do. Asked of the server; nothing is changed.

use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::consumer;
use async_nats::jetstream::stream::{DiscardPolicy, Info};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::open::{MADE_BY_SUBSCRIBER, missing, partitions_of, said};
use super::{Connection, StreamAddress};
use crate::error::{Error, Kind, Result};

/// Consumers that are looked at, at most.
const MOST_CONSUMERS: usize = 20_000;

/// The stream itself.
#[derive(Debug, Clone)]
pub struct StreamState {
    /// How many messages it has.
    pub messages: u64,
    /// How many bytes they take.
    pub bytes: u64,
    /// How many it may; `None`: as many as the account.
    pub max_bytes: Option<u64>,
    /// How long it keeps an event; `None`: for ever.
    pub max_age: Option<Duration>,
    /// When its oldest message was stored.
    pub oldest: Option<Timestamp>,
    /// When its newest was.
    pub newest: Option<Timestamp>,
    /// How many partitions it has.
    pub partitions: u32,
    /// On how many servers it lies.
    pub replicas: usize,
    /// Whether it drops old events when it is full.
    pub drops_old: bool,
}

/// A partition, as a group's consumer stands.
#[derive(Debug, Clone)]
pub struct PartitionState {
    /// The group's name.
    pub group: String,
    /// The partition.
    pub partition: u32,
    /// Events that nobody was given yet.
    pub waiting: u64,
    /// Events that were given to a worker and are not done with.
    pub under_way: u64,
    /// When the oldest that is not done was stored, if any is not.
    pub oldest: Option<Timestamp>,
}

#[derive(Serialize)]
struct Offset {
    offset: usize,
}

#[derive(Deserialize)]
struct Page {
    total: usize,
    #[serde(default)]
    consumers: Option<Vec<consumer::Info>>,
}

#[derive(Deserialize)]
struct Found {
    message: FoundMessage,
}

#[derive(Deserialize)]
struct FoundMessage {
    time: String,
}

/// How the stream stands.
///
/// Errors: [`Kind::NotFound`] where there is none.
pub async fn stream(connection: &Connection, address: &StreamAddress) -> Result<StreamState> {
    let info = info(connection, &address.stream).await?;
    let Some(info) = info else {
        return Err(missing(address).hint(MADE_BY_SUBSCRIBER));
    };
    let (config, state) = (&info.config, &info.state);
    let time = |time: async_nats::datetime::DateTime| {
        Timestamp::from_nanosecond(time.unix_timestamp_nanos()).ok()
    };
    let any = state.messages > 0;
    Ok(StreamState {
        messages: state.messages,
        bytes: state.bytes,
        max_bytes: u64::try_from(config.max_bytes)
            .ok()
            .filter(|most| *most > 0),
        max_age: Some(config.max_age).filter(|age| !age.is_zero()),
        oldest: time(state.first_timestamp).filter(|_| any),
        newest: time(state.last_timestamp).filter(|_| any),
        partitions: partitions_of(config),
        replicas: config.num_replicas,
        drops_old: config.discard == DiscardPolicy::Old,
    })
}

/// How many messages a stream has; `None`: it is not there.
pub async fn messages(connection: &Connection, stream: &str) -> Result<Option<u64>> {
    Ok(info(connection, stream)
        .await?
        .map(|info| info.state.messages))
}

async fn info(connection: &Connection, stream: &str) -> Result<Option<Info>> {
    let subject = format!("STREAM.INFO.{stream}");
    let doing = "looking at the stream";
    match connection.ask::<(), Info>(subject, &(), doing).await? {
        Ok(info) => Ok(Some(info)),
        Err(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => Ok(None),
        Err(error) => Err(said(connection, doing, &error)),
    }
}

/// The partitions of every group, in order.
pub async fn groups(
    connection: &Connection,
    address: &StreamAddress,
) -> Result<Vec<PartitionState>> {
    let mut found: Vec<consumer::Info> = Vec::new();
    let doing = "looking at the groups";
    loop {
        let subject = format!("CONSUMER.LIST.{}", address.stream);
        let offset = Offset {
            offset: found.len(),
        };
        let page = connection.ask::<_, Page>(subject, &offset, doing).await?;
        let page = page.map_err(|error| said(connection, doing, &error))?;
        let consumers = page.consumers.unwrap_or_default();
        if consumers.is_empty() {
            break;
        }
        found.extend(consumers);
        if found.len() >= page.total {
            break;
        }
        if found.len() > MOST_CONSUMERS {
            return Err(Error::new(
                Kind::Server,
                format!("the {address} has more than {MOST_CONSUMERS} consumers"),
            ));
        }
    }
    let mut states = Vec::new();
    for info in &found {
        if let Some(state) = state_of(connection, address, info).await? {
            states.push(state);
        }
    }
    crate::order::sort_by(&mut states, |a, b| {
        (&a.group, a.partition).cmp(&(&b.group, b.partition))
    });
    Ok(states)
}

/// What a consumer is a partition's of; `None`: it is none of ours.
async fn state_of(
    connection: &Connection,
    address: &StreamAddress,
    info: &consumer::Info,
) -> Result<Option<PartitionState>> {
    let Some((group, partition)) = info.name.rsplit_once('-') else {
        return Ok(None);
    };
    let filter = &info.config.filter_subject;
    let ours = filter.starts_with("netapi.") && filter.ends_with(&format!(".*.{partition}"));
    let (true, Ok(number)) = (ours, partition.parse()) else {
        return Ok(None);
    };
    let under_way = info.num_ack_pending as u64;
    let oldest = if info.num_pending > 0 || under_way > 0 {
        let after = info.ack_floor.stream_sequence.saturating_add(1);
        first_after(connection, address, filter, after).await?
    } else {
        None
    };
    Ok(Some(PartitionState {
        group: group.to_owned(),
        partition: number,
        waiting: info.num_pending,
        under_way,
        oldest,
    }))
}

/// When the first message that a filter takes, from this number on, was stored.
async fn first_after(
    connection: &Connection,
    address: &StreamAddress,
    filter: &str,
    sequence: u64,
) -> Result<Option<Timestamp>> {
    let subject = format!("STREAM.MSG.GET.{}", address.stream);
    let question = serde_json::json!({ "seq": sequence, "next_by_subj": filter });
    let doing = "looking for the oldest event";
    let found = connection
        .ask::<_, Found>(subject, &question, doing)
        .await?;
    // It may just have been done, or grown too old.
    Ok(found.ok().and_then(|found| found.message.time.parse().ok()))
}
