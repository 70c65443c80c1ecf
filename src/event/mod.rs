//! What travels from a subscription to whoever is told: one [`Event`] with its [`EventId`], how far
//! each topic was followed ([`Mark`]), and the figures of a run ([`Figures`]). No I/O, no clock.
//!
//! An event's wire body is shared with the frame it came in. Everything else is a field; the JSON
//! that callbacks, `--json` and dead letters show (contract, section 4) is written from the fields
//! and never edited. How events are told from messages is in `pxgrid::subscription`; what happens
//! to them is in `delivery`.
//!
//! | part | holds |
//! | --- | --- |
//! | [`message`] | what the server said, one JSON object on one line |
//! | [`id`] | the same text for the same occurrence, wherever it is seen |
//! | `parse` | an event read back from its JSON |
//! | [`remembered`] | what was told of each session, over restarts |
//! | [`figures`] | what was counted in a run |

pub mod figures;
pub mod id;
pub mod message;
mod parse;
pub mod remembered;

use std::borrow::Cow;
use std::io::Write;
use std::sync::Arc;

use compact_str::CompactString;
use jiff::Timestamp;

use crate::record::Mac;

pub use figures::Figures;
pub use id::{DeferredId, EventId, HashedMembers, HashedName, IdMaker};
pub use message::{Message, Text};
pub use remembered::{Memory, Progress, Remembered};

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The same for the same occurrence, wherever and however it is seen.
    pub id: DeferredId,
    /// `sessionCreated`, `sessionUpdated` or `sessionDeleted` for session topics; for others the
    /// server's operation (`CREATE`, `UPDATE`, `DELETE`), the status of an ANC operation, or
    /// `MESSAGE` where the server names neither.
    pub event: Cow<'static, str>,
    /// The publisher's count of messages of this topic; `None` where it sends none, and in what was
    /// recovered over REST.
    pub sequence: Option<i64>,
    /// The topic's path.
    pub topic: Arc<str>,
    /// The pubsub node's pxGrid name, for what was recovered that of the node we were connected to
    /// (empty when none).
    pub node: Arc<str>,
    /// When it reached us.
    pub received_at: Timestamp,
    /// Whether it was missed live and fetched from the server afterwards, or belongs to the
    /// snapshot at the start.
    pub recovered: bool,
    /// Whether the stream that it is in held a newer state of its endpoint when it was stored.
    pub overtaken: bool,
    /// The endpoint's MAC address as the server wrote it.
    pub mac: Option<CompactString>,
    /// Without a MAC address, what else stands for the endpoint: the calling station, else the
    /// audit session.
    pub station: Option<CompactString>,
    /// The session's state as the server wrote it.
    pub state: Option<Cow<'static, str>>,
    /// What the server said.
    pub message: Message,
}

/// One of the deliveries of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// Which one it is, over restarts too: 1 for the first. 0: it is not said.
    pub attempt: u32,
    /// Whether the event may have been handled before.
    pub repeated: bool,
}

impl Delivery {
    /// The first one.
    pub const FIRST: Self = Self {
        attempt: 1,
        repeated: false,
    };
}

/// How far a topic was followed: what a spool keeps, so that the next run can go on from there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The topic's path.
    pub topic: String,
    /// All changes up to this time, by the server's clock, were emitted, but for what other nodes'
    /// clocks put before it: reads begin 30 s earlier.
    pub newest: Timestamp,
    /// The last number of a message.
    pub sequence: Option<i64>,
    /// Whether everything that was there is remembered, of a topic that is caught up by comparing.
    pub compared: bool,
}

impl Event {
    /// Its id; made anew each time for an event that came just now.
    pub fn id(&self) -> EventId {
        self.id.get()
    }

    /// Within this key events are to be delivered in order: the endpoint, else the topic as a
    /// whole. A MAC address is one endpoint however a topic spells it.
    pub fn order_key(&self) -> Cow<'_, str> {
        order_key(self.mac.as_deref(), self.station.as_deref(), &self.topic)
    }

    /// The event as one line of JSON, always with the same members (`sequenceNumber` is `null`
    /// where there is none) but `overtaken`, which is there where it is true; with those of its
    /// delivery, where it is being delivered.
    pub fn to_json(&self, delivery: Option<Delivery>) -> String {
        let mut out = Vec::with_capacity(self.message.written_length() + 288);
        self.write_json(delivery, &mut out);
        // Every part came from a `str`, cut at ASCII only, so nothing is ever replaced.
        String::from_utf8(out)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }

    /// Appends the same to `out`, without a line end.
    pub fn write_json(&self, delivery: Option<Delivery>, out: &mut Vec<u8>) {
        self.write_head(delivery, &mut TimeText::default(), out);
        out.extend_from_slice(self.message.text());
        self.write_tail(out);
    }

    /// Appends what stands before the text of the message. `received` is the text of the last
    /// event's time.
    pub fn write_head(
        &self,
        delivery: Option<Delivery>,
        received: &mut TimeText,
        out: &mut Vec<u8>,
    ) {
        // A Vec always takes bytes; ids, numbers and times have nothing to escape.
        let _ = write!(out, r#"{{"type":"MESSAGE","id":"{}","event":"#, self.id());
        write_string(&self.event, out);
        out.extend_from_slice(br#","sequenceNumber":"#);
        match self.sequence {
            Some(sequence) => {
                let _ = write!(out, "{sequence}");
            }
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(br#","topic":"#);
        write_string(&self.topic, out);
        out.extend_from_slice(br#","node":"#);
        write_string(&self.node, out);
        let _ = write!(
            out,
            r#","receivedAt":"{}","recovered":{}"#,
            received.of(self.received_at),
            self.recovered
        );
        if self.overtaken {
            out.extend_from_slice(br#","overtaken":true"#);
        }
        if let Some(Delivery { attempt, repeated }) = delivery {
            if attempt > 0 {
                let _ = write!(out, r#","attempt":{attempt}"#);
            }
            if repeated {
                out.extend_from_slice(br#","repeated":true"#);
            }
        }
        out.extend_from_slice(br#","message":"#);
        out.extend_from_slice(self.message.around().0.as_bytes());
    }

    /// Appends what stands after it.
    pub fn write_tail(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.message.around().1.as_bytes());
        out.push(b'}');
    }
}

/// The text of the time that was written last: events that came together have the same one.
#[derive(Debug, Default)]
pub struct TimeText {
    time: Option<Timestamp>,
    text: String,
}

impl TimeText {
    fn of(&mut self, time: Timestamp) -> &str {
        if self.time.replace(time) != Some(time) {
            self.text = time.to_string();
        }
        &self.text
    }
}

/// See [`Event::order_key`].
pub(crate) fn order_key<'e>(
    mac: Option<&'e str>,
    station: Option<&'e str>,
    topic: &'e str,
) -> Cow<'e, str> {
    mac.or(station).map_or(Cow::Borrowed(topic), one_spelling)
}

/// A MAC address as [`Mac`] writes it; other text as it is.
fn one_spelling(text: &str) -> Cow<'_, str> {
    // Nearly always it is spelled so already.
    if Mac::from_canonical(text).is_some() {
        return Cow::Borrowed(text);
    }
    match text.parse::<Mac>() {
        Ok(mac) => Cow::Owned(mac.to_string()),
        Err(_) => Cow::Borrowed(text),
    }
}

fn write_string(text: &str, out: &mut Vec<u8>) {
    // A string always serializes and a Vec always takes bytes, so there is no error to see.
    let _ = serde_json::to_writer(out, text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_is_the_contracts() {
        let mut event = Event {
            id: EventId::default().into(),
            event: "sessionCreated".into(),
            sequence: Some(1),
            topic: "/topic/com.cisco.ise.session".into(),
            node: "~ise-pubsub-\"a\"".into(),
            received_at: "2026-11-22T02:00:00Z".parse().unwrap(),
            recovered: false,
            overtaken: false,
            mac: Some("C8:5B:76:C6:59:62".into()),
            state: Some("STARTED".into()),
            station: None,
            message: Message::session(r#"{"macAddress":"C8:5B:76:C6:59:62","v":1.10}"#),
        };
        assert_eq!(
            event.to_json(None),
            r#"{"type":"MESSAGE","id":"AAAAAAAAAAAAAAAAAAAAAA","event":"sessionCreated","sequenceNumber":1,"topic":"/topic/com.cisco.ise.session","node":"~ise-pubsub-\"a\"","receivedAt":"2026-11-22T02:00:00Z","recovered":false,"message":{"sessions":[{"macAddress":"C8:5B:76:C6:59:62","v":1.10}]}}"#
        );
        event.sequence = None;
        event.recovered = true;
        let json: serde_json::Value = serde_json::from_str(&event.to_json(None)).unwrap();
        assert!(json["sequenceNumber"].is_null());
        assert_eq!(json["recovered"], true);
        assert!(json.get("attempt").is_none() && json.get("repeated").is_none());
        let again = Delivery {
            attempt: 2,
            repeated: true,
        };
        let text = event.to_json(Some(again));
        assert!(text.contains(r#""recovered":true,"attempt":2,"repeated":true,"message""#));
        let text = event.to_json(Some(Delivery::FIRST));
        assert!(text.contains(r#""recovered":true,"attempt":1,"message""#));
    }

    #[test]
    fn an_endpoint_has_one_key_however_it_is_spelled() {
        let mut event = Event {
            id: EventId::default().into(),
            event: "MESSAGE".into(),
            sequence: None,
            topic: "/topic/com.cisco.ise.session".into(),
            node: Arc::default(),
            received_at: Timestamp::UNIX_EPOCH,
            recovered: false,
            overtaken: false,
            mac: Some("C8:5B:76:C6:59:62".into()),
            state: None,
            station: None,
            message: Message::whole("{}"),
        };
        assert_eq!(event.order_key(), "C8:5B:76:C6:59:62");
        event.mac = None;
        assert_eq!(event.order_key(), "/topic/com.cisco.ise.session");
        event.station = Some("192.0.2.7".into());
        assert_eq!(event.order_key(), "192.0.2.7");
        for mac in [
            "C8:5B:76:C6:59:62",
            "c8-5b-76-c6-59-62",
            "c85b.76c6.5962",
            "c85b76c65962",
        ] {
            event.station = Some(mac.into());
            assert_eq!(event.order_key(), "C8:5B:76:C6:59:62");
        }
        for other in ["C8:5B:76:C6:59:6G", "host-c85b76c65962", "pat"] {
            event.station = Some(other.into());
            assert_eq!(event.order_key(), other);
        }
    }
}
