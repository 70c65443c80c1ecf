//! The lines of the event log: of every published event its topic, its number, and the facts that
//! an account of a subscriber can be checked against.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::hub::Event;

/// The members of the first level, and of the objects in lists, that identify what happened.
const FACTS: &[&str] = &[
    "operation",
    "operationId",
    "status",
    "macAddress",
    "auditSessionId",
    "state",
    "timestamp",
    "userName",
    "policyName",
    "id",
    "ipPrefix",
];

/// The line of `event`.
pub(super) fn entry(at: Timestamp, event: &Event) -> Value {
    let mut entry = json!({
        "time": at.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
        "topic": &*event.topic,
        "sequence": event.sequence,
        "bytes": event.body.len(),
    });
    let body = serde_json::from_str(&event.body).unwrap_or_default();
    if let (Value::Object(body), Some(entry)) = (body, entry.as_object_mut()) {
        entry.insert("facts".to_owned(), Value::Object(facts(body)));
    }
    entry
}

fn facts(members: Map<String, Value>) -> Map<String, Value> {
    let kept = members.into_iter().filter_map(|(name, value)| match value {
        Value::Array(rows) => {
            let rows: Vec<Value> = rows
                .into_iter()
                .filter_map(|row| match row {
                    Value::Object(row) => Some(Value::Object(facts(row))),
                    _ => None,
                })
                .collect();
            (!rows.is_empty()).then(|| (name, rows.into()))
        }
        Value::Object(inner) => Some((name, Value::Object(facts(inner)))),
        value => FACTS.contains(&name.as_str()).then_some((name, value)),
    });
    kept.collect()
}
