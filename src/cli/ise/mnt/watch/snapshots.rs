//! Snapshots of the active list: taken from the node, compared with the one before, and what
//! differs told as records. Nothing is printed here.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::ops::ControlFlow;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::error::{Error, Kind, Result};
use crate::mnt::MntClient;
use crate::record::selection::{Selected, Selection};
use crate::record::{JsonText, Record, RecordSink};

/// Sessions that are kept; the largest deployment has 2,000,000.
const MOST_SESSIONS: u64 = 5_000_000;
/// Bytes that are kept: some hundred for each session are usual.
const MOST_BYTES: u64 = 4 << 30;
/// Bytes that each session adds at most, on average over the list.
const MOST_BYTES_EACH: u64 = 4 << 10;
/// Bytes that even a short list may have.
const BYTES_AT_LEAST: u64 = 16 << 20;

/// The active list by session. A server may have several rows of one session; they have no order.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    /// The first row of each key, as JSON text.
    first: HashMap<Box<str>, Box<str>>,
    /// The rows behind the first.
    further: HashMap<Box<str>, Vec<Box<str>>>,
    rows: u64,
    bytes: u64,
}

impl Snapshot {
    /// How many rows there are.
    pub(super) fn len(&self) -> u64 {
        self.rows
    }

    /// Keeps a row.
    ///
    /// Errors: [`Kind::Failed`] where the list is longer than any deployment's.
    fn add(&mut self, key: String, text: String) -> Result<()> {
        self.rows += 1;
        self.bytes += (key.len() + text.len()) as u64;
        if self.rows > MOST_SESSIONS {
            return Err(too_long(&format!("more than {MOST_SESSIONS} sessions")));
        }
        if self.bytes > (BYTES_AT_LEAST + self.rows * MOST_BYTES_EACH).min(MOST_BYTES) {
            let (rows, megabytes) = (self.rows, self.bytes >> 20);
            return Err(too_long(&format!("{megabytes} MB in {rows} sessions")));
        }
        if self.first.contains_key(key.as_str()) {
            let further = self.further.entry(key.into()).or_default();
            further.push(text.into());
        } else {
            self.first.insert(key.into(), text.into());
        }
        Ok(())
    }

    /// The rows of a key, in an order that is not the server's.
    fn rows(&self, key: &str) -> Vec<&str> {
        let first = self.first.get(key).into_iter();
        let further = self.further.get(key).into_iter().flatten();
        let mut rows: Vec<&str> = first.chain(further).map(AsRef::as_ref).collect();
        rows.sort_unstable();
        rows
    }

    /// The only row of a key.
    fn only(&self, key: &str) -> Option<&str> {
        let alone = !self.further.contains_key(key);
        self.first.get(key).filter(|_| alone).map(AsRef::as_ref)
    }
}

fn too_long(what: &str) -> Error {
    let text = format!("the active list is too long to be compared: {what} and no end");
    Error::new(Kind::Failed, text)
}

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
        self.snapshot.add(key(record), text)?;
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
    let (mut went, mut others) = (Vec::new(), Vec::new());
    for key in before.first.keys() {
        if !after.first.contains_key(key) {
            let rows = before.rows(key).into_iter();
            went.extend(rows.map(|text| change("went", text, at, "")));
        }
    }
    for key in after.first.keys() {
        let (old, new) = (before.only(key), after.only(key));
        if old.is_some() && old == new {
            continue;
        }
        let (old, new) = differing(&before.rows(key), &after.rows(key));
        for (old, new) in old.iter().zip(&new) {
            let members = format!(",\"changed\":{}", differences(old, new));
            others.push(change("changed", new, at, &members));
        }
        let gone = old.iter().skip(new.len());
        went.extend(gone.map(|text| change("went", text, at, "")));
        let come = new.iter().skip(old.len());
        others.extend(come.map(|text| change("came", text, at, "")));
    }
    went.append(&mut others);
    went
}

/// What only one of two sorted lists has, each as often as it has it more.
fn differing<'a>(old: &[&'a str], new: &[&'a str]) -> (Vec<&'a str>, Vec<&'a str>) {
    let (mut only_old, mut only_new) = (Vec::new(), Vec::new());
    let (mut old, mut new) = (old.iter().peekable(), new.iter().peekable());
    loop {
        let order = match (old.peek(), new.peek()) {
            (Some(old), Some(new)) => old.cmp(new),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return (only_old, only_new),
        };
        match order {
            Ordering::Less => only_old.extend(old.next()),
            Ordering::Greater => only_new.extend(new.next()),
            Ordering::Equal => {
                let _both = (old.next(), new.next());
            }
        }
    }
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
        let mut snapshot = Snapshot::default();
        for (key, text) in rows {
            let (key, text) = ((*key).to_owned(), (*text).to_owned());
            snapshot.add(key, text).unwrap();
        }
        snapshot
    }

    fn words(before: &Snapshot, after: &Snapshot) -> Vec<&'static str> {
        let changes = changes(before, after, Timestamp::UNIX_EPOCH);
        changes.iter().map(|(word, _)| *word).collect()
    }

    /// A server that has a session twice need not have it twice in the same order.
    #[test]
    fn several_rows_of_a_session_are_compared_without_their_order() {
        let before = snapshot(&[("a", "1"), ("a", "2"), ("a", "2"), ("b", "5")]);
        assert_eq!(before.len(), 4);
        let turned = snapshot(&[("b", "5"), ("a", "2"), ("a", "1"), ("a", "2")]);
        assert_eq!(words(&before, &turned), [""; 0]);
        let one_less = snapshot(&[("b", "5"), ("a", "2"), ("a", "1")]);
        assert_eq!(words(&before, &one_less), ["went"]);
        assert_eq!(words(&one_less, &before), ["came"]);
        let another = snapshot(&[("b", "5"), ("a", "2"), ("a", "3"), ("a", "2")]);
        assert_eq!(words(&before, &another), ["changed"]);
        let none = snapshot(&[("b", "5")]);
        assert_eq!(words(&before, &none), ["went", "went", "went"]);
    }

    /// A list without an end takes no memory without one.
    #[test]
    fn a_list_of_large_rows_ends_in_an_error() {
        let mut snapshot = Snapshot::default();
        let row = "x".repeat(900 << 10);
        let mut rows = 0..100;
        let error = rows.find_map(|row_number| {
            let key = format!("{row_number}");
            snapshot.add(key, row.clone()).err()
        });
        assert!(error.unwrap().message().contains("16 MB in 19 sessions"));
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
