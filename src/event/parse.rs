//! An event read back from its JSON: of dead letters, and of spools that an earlier version wrote.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Event, EventId, Message};
use crate::record::read_json;

/// What is read of an event; what is in the message is its topic's own.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'j> {
    id: Option<String>,
    event: String,
    sequence_number: Option<i64>,
    topic: String,
    node: Option<String>,
    received_at: Option<String>,
    recovered: Option<bool>,
    overtaken: Option<bool>,
    #[serde(borrow)]
    message: &'j RawValue,
}

impl Event {
    /// Reads an event's JSON, with or without the members of a delivery. The message keeps its
    /// spelling. One without an id, which an earlier version wrote, gets one of its text. What is
    /// in a message that nests too deep to be looked into is not known. `None` when it is no event.
    pub fn parse(json: &str) -> Option<Self> {
        let read: Envelope<'_> = serde_json::from_str(json).ok()?;
        if !read.message.get().starts_with('{') {
            return None;
        }
        let message = read_json(read.message.get()).unwrap_or(Value::Null);
        let text = |names: &[&str]| member(&message, names, 3).map(str::to_owned);
        let mac = text(&["macAddress", "assetMacAddress"]);
        let station = || text(&["callingStationId", "auditSessionId"]);
        let received = read.received_at.and_then(|text| text.parse().ok());
        Some(Self {
            id: match read.id {
                Some(id) => id.parse::<EventId>().ok()?.into(),
                None => EventId::of_text(json).into(),
            },
            event: read.event.into(),
            sequence: read.sequence_number,
            topic: read.topic.into(),
            node: read.node.unwrap_or_default().into(),
            received_at: received.unwrap_or(Timestamp::UNIX_EPOCH),
            recovered: read.recovered == Some(true),
            overtaken: read.overtaken == Some(true),
            station: mac.is_none().then(station).flatten().map(Into::into),
            mac: mac.map(Into::into),
            state: text(&["state"]).map(Into::into),
            message: Message::whole(read.message.get()),
        })
    }
}

/// The first text of one of these names in a message, or in what it holds, so deep.
fn member<'v>(value: &'v Value, names: &[&str], depth: usize) -> Option<&'v str> {
    let depth = depth.checked_sub(1)?;
    match value {
        Value::Object(members) => names
            .iter()
            .find_map(|name| members.get(*name)?.as_str())
            .or_else(|| {
                let mut inner = members.values();
                inner.find_map(|inner| member(inner, names, depth))
            }),
        // An event is about one of them.
        Value::Array(list) => member(list.first()?, names, depth + 1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Delivery;

    #[test]
    fn what_was_written_is_read_back_word_by_word() {
        let text = r#"{"type":"MESSAGE","id":"AQAAAAAAAAAAAAAAAAAAAA","event":"CREATE","sequenceNumber":7,"topic":"/topic/t","node":"n","receivedAt":"2026-11-22T02:00:00Z","recovered":true,"message":{"x":[{"macAddress":"C8:5B:76:C6:59:62","v":1.10,"u":"\u00e4"}]}}"#;
        let event = Event::parse(text).unwrap();
        assert_eq!(event.to_json(None), text);
        assert_eq!(event.mac.as_deref(), Some("C8:5B:76:C6:59:62"));
        let delivered = event.to_json(Some(Delivery::FIRST));
        assert_eq!(Event::parse(&delivered), Some(event));
        let overtaken = text.replace(
            r#""recovered":true"#,
            r#""recovered":true,"overtaken":true"#,
        );
        assert_eq!(Event::parse(&overtaken).unwrap().to_json(None), overtaken);
        // As earlier versions wrote them.
        let old = text.replace(r#""id":"AQAAAAAAAAAAAAAAAAAAAA","#, "");
        let (one, other) = (Event::parse(&old).unwrap(), Event::parse(&old).unwrap());
        assert_eq!(one, other);
        // What servers leave behind when they cut a text, and what nests too deep to be read.
        let half = text.replace("\\u00e4", "\\ud83d");
        let event = Event::parse(&half).unwrap();
        assert_eq!(event.mac.as_deref(), Some("C8:5B:76:C6:59:62"));
        assert_eq!(event.to_json(None), half);
        let deep = format!("{}1{}", "[".repeat(140), "]".repeat(140));
        let deep = text.replace("1.10", &deep);
        assert_eq!(Event::parse(&deep).unwrap().to_json(None), deep);
        for hostile in ["", "null", "{}", r#"{"message":1}"#, &"[".repeat(100_000)] {
            assert!(Event::parse(hostile).is_none(), "{hostile:.40}");
        }
    }
}
