//! Snapshots of the active list: taken from the node, compared with the one before, and what
//! differs told as records. Nothing is printed here.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::ControlFlow;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::error::Result;
use crate::mnt::MntClient;
use crate::record::selection::{Selected, Selection};
use crate::record::{JsonText, Record, RecordSink};

/// The active list by session: key -> JSON text.
pub(super) type Snapshot = HashMap<Box<str>, Box<str>>;

pub(super) async fn poll(
    client: &MntClient,
    selection: Selection,
) -> (Selection, Result<Snapshot>) {
    let inner = SnapshotSink::default();
    let (rows, outcome) = client.sessions(Selected { selection, inner }).await;
    (rows.selection, outcome.map(|_| rows.inner.snapshot))
}

/// Collects a snapshot.
#[derive(Default)]
struct SnapshotSink {
    snapshot: Snapshot,
    text: Vec<u8>,
}

impl RecordSink for SnapshotSink {
    fn begin(&mut self, _announced: Option<u64>) -> Result<()> {
        Ok(())
    }

    fn record(&mut self, record: &Record) -> Result<ControlFlow<()>> {
        self.text.clear();
        record.write_json(&mut self.text);
        let text = String::from_utf8_lossy(&self.text).into_owned();
        self.snapshot.insert(key(record).into(), text.into());
        Ok(ControlFlow::Continue(()))
    }
}

/// What makes a session the same session from poll to poll: its audit session id, else its
/// accounting id at its NAS, else the endpoint at its NAS.
fn key(record: &Record) -> String {
    let text = |member: &str| record.text(member).unwrap_or_default();
    if let Some(id) = record.text("audit_session_id") {
        return id.to_ascii_uppercase();
    }
    format!(
        "{}|{}|{}|{}",
        text("nas_ip_address"),
        text("acct_session_id"),
        text("calling_station_id"),
        text("user_name")
    )
}

/// What happened between two snapshots, seen `at` this time: first what went, then what came and
/// changed.
pub(super) fn changes(
    before: &Snapshot,
    after: &Snapshot,
    at: Timestamp,
) -> Vec<(&'static str, Record)> {
    let mut list = Vec::new();
    for (key, text) in before {
        if !after.contains_key(key) {
            list.push(change("went", text, at, ""));
        }
    }
    for (key, text) in after {
        match before.get(key) {
            None => list.push(change("came", text, at, "")),
            Some(old) if old != text => {
                let members = format!(",\"changed\":{}", differences(old, text));
                list.push(change("changed", text, at, &members));
            }
            Some(_) => {}
        }
    }
    list
}

/// A change as JSON; `more` are members with their comma.
fn change(word: &'static str, session: &str, at: Timestamp, more: &str) -> (&'static str, Record) {
    let text = format!("{{\"change\":\"{word}\",\"session\":{session},\"at\":\"{at}\"{more}}}");
    (word, Record::Json(JsonText::of_ours(text)))
}

/// The members that differ: `{"user_name":{"from":"a","to":"b"}}`.
fn differences(old: &str, new: &str) -> Value {
    let members = |text: &str| serde_json::from_str::<Map<String, Value>>(text).unwrap_or_default();
    let (old, new) = (members(old), members(new));
    let value = |members: &Map<String, Value>, name: &str| {
        members.get(name).cloned().unwrap_or(Value::Null)
    };
    let gone = old.keys().filter(|name| !new.contains_key(*name));
    let names = new.keys().chain(gone);
    let changed = names.filter_map(|name| {
        let (from, to) = (value(&old, name), value(&new, name));
        (from != to).then(|| (name.clone(), json!({"from": from, "to": to})))
    });
    Value::Object(changed.collect())
}

/// What differs, in words: `user_name pat → kim, server psn-a → psn-b`.
pub(super) fn what_changed(record: &Record) -> Option<Cow<'_, str>> {
    let record = record.to_value();
    let changed = record.get("changed")?.as_object()?;
    let text = |value: Option<&Value>| match value {
        Some(Value::String(text)) if !text.is_empty() => text.clone(),
        None | Some(Value::Null | Value::String(_)) => "-".to_owned(),
        Some(other) => other.to_string(),
    };
    let each = changed.iter().map(|(name, values)| {
        let (from, to) = (text(values.get("from")), text(values.get("to")));
        format!("{name} {from} → {to}")
    });
    Some(Cow::Owned(each.collect::<Vec<_>>().join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(rows: &[(&str, &str)]) -> Snapshot {
        rows.iter()
            .map(|(key, text)| ((*key).into(), (*text).into()))
            .collect()
    }

    #[test]
    fn what_came_changed_and_went() {
        let before = snapshot(&[
            ("a", r#"{"x":"1"}"#),
            ("b", r#"{"x":"2"}"#),
            ("c", r#"{"x":"3"}"#),
        ]);
        let after = snapshot(&[
            ("a", r#"{"x":"1"}"#),
            ("b", r#"{"x":"9","y":"1"}"#),
            ("d", r#"{"x":"4"}"#),
        ]);
        let mut words: Vec<String> = changes(&before, &after, Timestamp::UNIX_EPOCH)
            .iter()
            .map(|(_, record)| record.to_value().to_string())
            .collect();
        words.sort();
        let changed = Record::from_value(serde_json::from_str(&words[1]).unwrap());
        assert_eq!(what_changed(&changed).as_deref(), Some("x 2 → 9, y - → 1"));
        assert_eq!(
            words,
            [
                r#"{"change":"came","session":{"x":"4"},"at":"1970-01-01T00:00:00Z"}"#,
                r#"{"change":"changed","session":{"x":"9","y":"1"},"at":"1970-01-01T00:00:00Z","changed":{"x":{"from":"2","to":"9"},"y":{"from":null,"to":"1"}}}"#,
                r#"{"change":"went","session":{"x":"3"},"at":"1970-01-01T00:00:00Z"}"#
            ]
        );
    }
}
