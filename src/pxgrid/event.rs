//! An event: what a subscription emits, and the envelope in which callbacks, `--json` and the spool see it (contract, section 4).
//!
//! How events are told from messages is in `subscription`; what happens to them is in `delivery`.

use std::borrow::Cow;
use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use crate::record::{JsonText, Mac};

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// `sessionCreated`, `sessionUpdated` or `sessionDeleted` for session topics; for others the server's operation (`CREATE`, `UPDATE`, `DELETE`),
    /// the status of an ANC operation, or `MESSAGE` where the server names neither.
    pub event: Cow<'static, str>,
    /// The publisher's count of messages of this topic; `None` where it sends none, and in what was recovered over REST.
    pub sequence: Option<i64>,
    /// The topic's path.
    pub topic: Arc<str>,
    /// The pubsub node's pxGrid name, for what was recovered that of the node we were connected to (empty when none).
    pub node: Arc<str>,
    /// When it reached us.
    pub received_at: Timestamp,
    /// Whether it was missed live and fetched from the server afterwards, or belongs to the snapshot at the start.
    pub recovered: bool,
    /// The endpoint's MAC address as the server wrote it.
    pub mac: Option<String>,
    /// Without a MAC address, what else stands for the endpoint: the calling station, else the audit session.
    pub station: Option<String>,
    /// The session's state as the server wrote it.
    pub state: Option<Cow<'static, str>>,
    /// What the server said.
    pub message: Message,
}

/// What an event is about: one JSON object on one line, in the server's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Whether `text` is one session of a message that listed several.
    session: bool,
    /// UTF-8. Often a part of the frame it came in, which is not copied.
    text: Bytes,
}

/// What stands around a session that was cut out of its message.
const AROUND: (&str, &str) = (r#"{"sessions":["#, "]}");

impl Message {
    /// A whole message.
    pub fn whole(text: impl Into<Text>) -> Self {
        Self {
            session: false,
            text: text.into().on_one_line(),
        }
    }

    /// One session of a message.
    pub fn session(text: impl Into<Text>) -> Self {
        Self {
            session: true,
            text: text.into().on_one_line(),
        }
    }

    /// The session, or else the whole message.
    pub fn object(&self) -> &str {
        // It was a `str` when it came in.
        std::str::from_utf8(&self.text).unwrap_or_default()
    }

    /// How long it is written, in bytes.
    pub fn written_length(&self) -> usize {
        AROUND.0.len() + self.text.len() + AROUND.1.len()
    }

    /// Appends the message as a whole: a session stands alone in its list.
    fn write_json(&self, out: &mut Vec<u8>) {
        if self.session {
            out.extend_from_slice(AROUND.0.as_bytes());
        }
        out.extend_from_slice(&self.text);
        if self.session {
            out.extend_from_slice(AROUND.1.as_bytes());
        }
    }
}

impl std::fmt::Display for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (before, after) = if self.session { AROUND } else { ("", "") };
        write!(f, "{before}{}{after}", self.object())
    }
}

/// JSON text on its way into a [`Message`].
#[derive(Debug)]
pub struct Text(Bytes);

impl Text {
    /// A part of `body`, shared and not copied; `part` must lie in it.
    pub fn part_of(body: &Bytes, part: &str) -> Self {
        Self(body.slice_ref(part.as_bytes()))
    }

    /// As it is, unless there are line ends between its tokens.
    fn on_one_line(self) -> Bytes {
        if memchr::memchr2(b'\n', b'\r', &self.0).is_none() {
            return self.0;
        }
        let text = String::from_utf8_lossy(&self.0).into_owned();
        Bytes::from(one_line(text))
    }
}

impl From<&Bytes> for Text {
    /// All of a body, shared and not copied.
    fn from(body: &Bytes) -> Self {
        Self(body.clone())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Bytes::from(text))
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl Event {
    /// Within this key events are to be delivered in order: the endpoint, else the topic as a whole. A MAC address is one endpoint
    /// however a topic spells it.
    pub fn order_key(&self) -> Cow<'_, str> {
        let endpoint = self.mac.as_deref().or(self.station.as_deref());
        endpoint.map_or(Cow::Borrowed(&self.topic), one_spelling)
    }

    /// The envelope: one line of JSON, always with the same members (`sequenceNumber` is `null` where there is none).
    pub fn to_json(&self) -> String {
        let mut out = Vec::with_capacity(self.message.written_length() + 256);
        self.write_json(&mut out);
        // Every part came from a `str`, cut at ASCII only, so nothing is ever replaced.
        String::from_utf8(out)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }

    /// Appends the envelope to `out`, without a line end.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"type":"MESSAGE","event":"#);
        write_string(&self.event, out);
        out.extend_from_slice(br#","sequenceNumber":"#);
        match self.sequence {
            // A Vec always takes bytes.
            Some(sequence) => {
                let _ = write!(out, "{sequence}");
            }
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(br#","topic":"#);
        write_string(&self.topic, out);
        out.extend_from_slice(br#","node":"#);
        write_string(&self.node, out);
        out.extend_from_slice(br#","receivedAt":"#);
        // A Vec always takes bytes, and a time has nothing to escape.
        let _ = write!(out, "\"{}\"", self.received_at);
        out.extend_from_slice(br#","recovered":"#);
        out.extend_from_slice(if self.recovered { b"true" } else { b"false" });
        out.extend_from_slice(br#","message":"#);
        self.message.write_json(out);
        out.push(b'}');
    }
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

/// JSON text on one line: as it came, unless there are line ends between its tokens.
pub(crate) fn one_line(json: String) -> String {
    if memchr::memchr2(b'\n', b'\r', json.as_bytes()).is_none() {
        return json;
    }
    let Ok(text) = JsonText::parse(json.clone()) else {
        return json.replace(['\n', '\r'], " ");
    };
    let mut out = Vec::with_capacity(json.len());
    text.write_compact(&mut out);
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_envelope_is_the_contracts() {
        let mut event = Event {
            event: "sessionCreated".into(),
            sequence: Some(1),
            topic: "/topic/com.cisco.ise.session".into(),
            node: "~ise-pubsub-\"a\"".into(),
            received_at: "2026-11-22T02:00:00Z".parse().unwrap(),
            recovered: false,
            mac: Some("C8:5B:76:C6:59:62".into()),
            state: Some("STARTED".into()),
            station: None,
            message: Message::session(r#"{"macAddress":"C8:5B:76:C6:59:62","v":1.10}"#),
        };
        assert_eq!(
            event.to_json(),
            r#"{"type":"MESSAGE","event":"sessionCreated","sequenceNumber":1,"topic":"/topic/com.cisco.ise.session","node":"~ise-pubsub-\"a\"","receivedAt":"2026-11-22T02:00:00Z","recovered":false,"message":{"sessions":[{"macAddress":"C8:5B:76:C6:59:62","v":1.10}]}}"#
        );
        event.sequence = None;
        event.recovered = true;
        let json: serde_json::Value = serde_json::from_str(&event.to_json()).unwrap();
        assert!(json["sequenceNumber"].is_null());
        assert_eq!(json["recovered"], true);
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

    #[test]
    fn a_pretty_message_becomes_one_line() {
        let body = Bytes::from_static(b"{\"sessions\":[{\n \"a\": 1 }, {\"b\": 2}]}");
        let text = std::str::from_utf8(&body).unwrap();
        let session = |part: &str| {
            let part = text.find(part).and_then(|at| text.get(at..at + part.len()));
            Message::session(Text::part_of(&body, part.unwrap())).to_string()
        };
        assert_eq!(session("{\n \"a\": 1 }"), r#"{"sessions":[{"a":1}]}"#);
        assert_eq!(session("{\"b\": 2}"), r#"{"sessions":[{"b": 2}]}"#);
        assert_eq!(
            one_line("{\n \"a\": \"x y\" }".to_owned()),
            r#"{"a":"x y"}"#
        );
        assert_eq!(one_line(r#"{"a": 1}"#.to_owned()), r#"{"a": 1}"#);
    }
}
