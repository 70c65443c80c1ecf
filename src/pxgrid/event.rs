//! An event: what a subscription emits, and the envelope in which callbacks, `--json` and the spool see it (contract, section 4).
//!
//! How events are told from messages is in `subscription`; what happens to them is in `delivery`.

use std::io::Write;

use jiff::Timestamp;

use crate::record::JsonText;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// `sessionCreated`, `sessionUpdated` or `sessionDeleted` for session topics; for others the server's operation (`CREATE`, `UPDATE`, `DELETE`),
    /// the status of an ANC operation, or `MESSAGE` where the server names neither.
    pub event: String,
    /// The publisher's count of messages of this topic; `None` where it sends none, and in what was recovered over REST.
    pub sequence: Option<i64>,
    /// The topic's path.
    pub topic: String,
    /// The pubsub node's pxGrid name, for what was recovered that of the node we were connected to (empty when none).
    pub node: String,
    /// When it reached us.
    pub received_at: Timestamp,
    /// Whether it was missed live and fetched from the server afterwards, or belongs to the snapshot at the start.
    pub recovered: bool,
    /// The endpoint's MAC address as the server wrote it.
    pub mac: Option<String>,
    /// The session's state as the server wrote it.
    pub state: Option<String>,
    /// What events of one endpoint have in common: its MAC address, else the calling station, else the audit session. `None`: the topic as a whole.
    pub endpoint: Option<String>,
    /// The message: one JSON object on one line, in the server's own words.
    pub message: String,
}

impl Event {
    /// Within this key events are to be delivered in order.
    pub fn order_key(&self) -> &str {
        self.endpoint.as_deref().unwrap_or(&self.topic)
    }

    /// The envelope: one line of JSON, always with the same members (`sequenceNumber` is `null` where there is none).
    pub fn to_json(&self) -> String {
        let mut out = Vec::with_capacity(self.message.len() + 256);
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
        out.extend_from_slice(self.message.as_bytes());
        out.push(b'}');
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
            endpoint: None,
            message: r#"{"sessions":[{"macAddress":"C8:5B:76:C6:59:62","v":1.10}]}"#.into(),
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
        assert_eq!(event.order_key(), "/topic/com.cisco.ise.session");
    }

    #[test]
    fn a_pretty_message_becomes_one_line() {
        assert_eq!(
            one_line("{\n \"a\": \"x y\" }".to_owned()),
            r#"{"a":"x y"}"#
        );
        assert_eq!(one_line(r#"{"a": 1}"#.to_owned()), r#"{"a": 1}"#);
    }
}
