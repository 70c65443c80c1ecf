//! What a stored event is told by (contract, section 10): its subject with the partition, its id,
//! its endpoint, when it happened. Its headers are made of that in [`super::headers`].
//!
//! Nothing in a subject was chosen freely by somebody on the network: what the server says there is
//! cut down to letters, digits, `-` and `_`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use async_nats::Subject;
use jiff::Timestamp;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer as _};

use crate::event::{Event, EventId};
use crate::record::Mac;

/// How many partitions a stream has, unless its metadata says another number.
pub const PARTITIONS: u32 = 32;

/// More partitions than this are refused: each is a consumer of every group.
pub const MOST_PARTITIONS: u32 = 1024;

/// The longest name or word in a subject or header.
const LONGEST_WORD: usize = 128;

/// What the messages of one subscriber have in common.
#[derive(Debug, Clone)]
pub struct MessageMaker {
    /// The deployment's name.
    pub deployment: String,
    /// The subscriber's pxGrid client name.
    pub member: String,
    /// How many partitions there are.
    pub partitions: u32,
    /// What is known of topics, by path.
    pub topics: Arc<HashMap<String, TopicFacts>>,
}

/// What is known of a topic.
#[derive(Debug, Clone)]
pub struct TopicFacts {
    /// Its name in subjects.
    pub alias: String,
    /// Whether an event's id is that of one occurrence also without a number: its content has a
    /// time, or an operation's number.
    pub exact: bool,
}

impl MessageMaker {
    /// The subject of an event.
    pub fn subject(&self, event: &Event) -> Subject {
        let alias = self.alias(&event.topic);
        subject(&self.deployment, &alias, self.partition(event)).into()
    }

    /// The partition of an event.
    pub fn partition(&self, event: &Event) -> u32 {
        partition(&event.order_key(), self.partitions)
    }

    /// The topic's name in subjects.
    fn alias(&self, topic: &str) -> Cow<'_, str> {
        match self.topics.get(topic) {
            Some(facts) => Cow::Borrowed(&facts.alias),
            None => Cow::Owned(token(topic.strip_prefix("/topic/").unwrap_or(topic))),
        }
    }

    /// What the stream keeps an event's first copy by: its id. Where that is the same for two
    /// occurrences (of CREATE, DELETE, CREATE of one row the first and the third), each
    /// subscriber's copy has its own, which stays the same when it is sent again: `number` is the
    /// event's in the subscriber's spool.
    pub fn message_id(&self, event: &Event, number: u64) -> EventId {
        let exact = self
            .topics
            .get(&*event.topic)
            .is_some_and(|facts| facts.exact);
        if exact || event.sequence.is_some() {
            return event.id();
        }
        let (id, member, received) = (event.id(), &self.member, event.received_at);
        EventId::of_text(&format!("{id} {member} {received} {number}"))
    }
}

/// The subject of a topic's partition.
pub fn subject(deployment: &str, alias: &str, partition: u32) -> String {
    format!("netapi.{deployment}.{alias}.{partition}")
}

/// The partition of an order key: FNV-1a of 32 bits, modulo their number.
pub fn partition(key: &str, partitions: u32) -> u32 {
    hash(key) % partitions.max(1)
}

/// FNV-1a of 32 bits.
fn hash(key: &str) -> u32 {
    let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    key.bytes().fold(0x811c_9dc5, step)
}

/// What tells an endpoint without MAC address from others, and does not say who it is: the hash
/// that its partition is told by.
pub(super) fn key(event: &Event) -> String {
    format!("{:08x}", hash(&event.order_key()))
}

/// What messages of an endpoint have in a header: its MAC address, else its key.
pub(super) fn endpoint_or_key(event: &Event) -> Cow<'_, str> {
    endpoint(event).unwrap_or_else(|| Cow::Owned(key(event)))
}

/// The MAC address of the endpoint as [`Mac`] writes it, where it is known by one.
pub(super) fn endpoint(event: &Event) -> Option<Cow<'_, str>> {
    let text = event.mac.as_deref().or(event.station.as_deref())?;
    // Nearly always it is written so already.
    if Mac::from_canonical(text).is_some() {
        return Some(Cow::Borrowed(text));
    }
    let mac: Mac = text.parse().ok()?;
    Some(Cow::Owned(mac.to_string()))
}

/// When something happened, by the server's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happened {
    /// The server says so.
    At(Timestamp),
    /// An end that was found, not told: the session went on until then.
    After(Timestamp),
    /// Nobody says.
    Unknown,
}

impl Happened {
    /// When, where the server says so.
    pub fn at(self) -> Option<Timestamp> {
        match self {
            Self::At(time) => Some(time),
            Self::After(_) | Self::Unknown => None,
        }
    }

    /// The earliest that it can have been.
    pub fn earliest(self) -> Option<Timestamp> {
        match self {
            Self::At(time) | Self::After(time) => Some(time),
            Self::Unknown => None,
        }
    }
}

/// A member of a message, as far as it tells when it happened.
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum Member {
    Timestamp,
    Failures,
    SecurityGroup,
    LastSyncTime,
    KnownUntil,
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Row {
    timestamp: Option<String>,
}

/// Looks for the time of a message. What follows its `timestamp` is not read.
#[derive(Default)]
struct TimeSeeker {
    timestamp: Option<String>,
    of_row: Option<String>,
    known_until: Option<String>,
}

impl<'de> Visitor<'de> for &mut TimeSeeker {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(member) = members.next_key()? {
            match member {
                Member::Timestamp => {
                    self.timestamp = members.next_value()?;
                    if self.timestamp.is_some() {
                        break;
                    }
                }
                Member::Failures => {
                    let rows: Vec<Row> = members.next_value()?;
                    self.of_row = rows.into_iter().find_map(|row| row.timestamp);
                }
                Member::SecurityGroup => {
                    let row: Row = members.next_value()?;
                    self.of_row = row.timestamp;
                }
                Member::LastSyncTime => self.of_row = members.next_value()?,
                Member::KnownUntil => self.known_until = members.next_value()?,
                Member::Other => {
                    let _skipped: IgnoredAny = members.next_value()?;
                }
            }
        }
        Ok(())
    }
}

/// When it happened by the server's clock, where it says so.
pub fn happened(event: &Event) -> Happened {
    let mut seeker = TimeSeeker::default();
    let mut message = serde_json::Deserializer::from_slice(event.message.text());
    // That is an error where it stopped early, too.
    let whole = message.deserialize_map(&mut seeker).is_ok();
    let time = |text: Option<String>| text.and_then(|text| text.parse().ok());
    let of_whole = |text: Option<String>| time(text.filter(|_| whole));
    let at = match seeker.timestamp {
        Some(text) => time(Some(text)),
        None => of_whole(seeker.of_row),
    };
    let until = of_whole(seeker.known_until.filter(|_| event.recovered));
    at.map(Happened::At)
        .or(until.map(Happened::After))
        .unwrap_or(Happened::Unknown)
}

/// A text as one token of a subject.
fn token(text: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    cut(text, fits)
}

/// A text as a word in a header.
pub(super) fn word(text: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    cut(text, fits)
}

fn cut(text: &str, fits: impl Fn(char) -> bool) -> String {
    if (1..=LONGEST_WORD).contains(&text.len()) && text.chars().all(&fits) {
        return text.to_owned();
    }
    let text = text.chars().take(LONGEST_WORD);
    let text: String = text.map(|c| if fits(c) { c } else { '-' }).collect();
    if text.is_empty() {
        "-".to_owned()
    } else {
        text
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::event::{EventId, Message};

    pub(in crate::nats) fn event(topic: &str, mac: Option<&str>, message: Message) -> Event {
        Event {
            id: EventId::default().into(),
            event: "sessionCreated".into(),
            sequence: None,
            topic: topic.into(),
            node: Arc::default(),
            received_at: Timestamp::UNIX_EPOCH,
            recovered: false,
            overtaken: false,
            mac: mac.map(Into::into),
            station: None,
            state: None,
            message,
        }
    }

    fn maker() -> MessageMaker {
        let session = TopicFacts {
            alias: "session".to_owned(),
            exact: true,
        };
        let topics = [("/topic/com.cisco.ise.session".to_owned(), session)];
        MessageMaker {
            deployment: "ise".to_owned(),
            member: "one".to_owned(),
            partitions: PARTITIONS,
            topics: Arc::new(topics.into()),
        }
    }

    /// The published values of the hash.
    #[test]
    fn partitions_are_those_of_fnv_1a() {
        let whole = |text| partition(text, u32::MAX);
        assert_eq!(whole(""), 0x811c_9dc5);
        assert_eq!(whole("a"), 0xe40c_292c);
        assert_eq!(whole("foobar"), 0xbf9c_f968);
        assert_eq!(partition("foobar", 32), 0xbf9c_f968 % 32);
    }

    #[test]
    fn the_subject_is_the_contracts() {
        let mac = Some("c8-5b-76-c6-59-62");
        let event = event("/topic/com.cisco.ise.session", mac, Message::session("{}"));
        let partition = partition("C8:5B:76:C6:59:62", 32);
        let subject = maker().subject(&event);
        assert_eq!(&*subject, format!("netapi.ise.session.{partition}"));
    }

    #[test]
    fn nothing_that_a_stranger_chose_gets_into_the_subject() {
        let hostile = event("/topic/a b.*.>\r\nX: y", None, Message::whole("[]"));
        let subject = maker().subject(&hostile);
        assert!(subject.starts_with("netapi.ise.a-b------X--y."));
    }

    #[test]
    fn what_cannot_be_told_apart_has_an_id_for_each_copy() {
        let timed = event("/topic/com.cisco.ise.session", None, Message::session("{}"));
        assert_eq!(maker().message_id(&timed, 1), timed.id());
        let mut binding = event(
            "/topic/com.cisco.ise.sxp.binding",
            None,
            Message::whole("{}"),
        );
        let first = maker().message_id(&binding, 1);
        assert_eq!(maker().message_id(&binding, 1), first);
        assert_ne!(maker().message_id(&binding, 2), first);
        let mut other = maker();
        other.member = "two".to_owned();
        assert_ne!(other.message_id(&binding, 1), first);
        binding.received_at += jiff::SignedDuration::from_millis(1);
        assert_ne!(maker().message_id(&binding, 1), first);
        binding.sequence = Some(7);
        assert_eq!(maker().message_id(&binding, 1), binding.id());
    }

    #[test]
    fn the_time_is_the_servers() {
        let rows = r#"{"failures":[{"id":"1","timestamp":"2026-11-22T03:00:00Z"}]}"#;
        for (message, wanted) in [
            (Message::whole(rows), Some("2026-11-22T03:00:00Z")),
            (Message::whole(r#"{"timestamp":7}"#), None),
            (Message::whole(r#"{"timestamp":"today"}"#), None),
            (
                Message::whole(
                    r#"{"a":{"timestamp":"x"},"timestamp":null,"failures":[{},{"timestamp":"2026-11-22T03:00:00Z"}]}"#,
                ),
                Some("2026-11-22T03:00:00Z"),
            ),
            (
                Message::session(r#"{"a":[1],"timestamp":"2026-11-22T04:00:00Z","b":1}"#),
                Some("2026-11-22T04:00:00Z"),
            ),
            (
                Message::whole(
                    r#"{"operation":"UPDATE","securityGroup":{"id":"1","timestamp":"2026-11-22T03:00:00Z"}}"#,
                ),
                Some("2026-11-22T03:00:00Z"),
            ),
            (
                Message::whole(r#"{"lastSyncTime":"2026-11-22T03:00:00Z"}"#),
                Some("2026-11-22T03:00:00Z"),
            ),
            (Message::whole("{}"), None),
        ] {
            let time = happened(&event("/topic/t", None, message)).at();
            assert_eq!(time.map(|time| time.to_string()).as_deref(), wanted);
        }
        let text = r#"{"state":"DISCONNECTED","knownUntil":"2026-11-22T03:00:00Z"}"#;
        let found = event("/topic/t", None, Message::session(text));
        assert_eq!(happened(&found), Happened::Unknown);
        let found = Event {
            recovered: true,
            ..found
        };
        let until = "2026-11-22T03:00:00Z".parse().unwrap();
        assert_eq!(happened(&found), Happened::After(until));
    }
}
