//! System health and performance (reference pxgrid-api, section 3.8): a sample of each node every
//! five minutes.

use serde_json::{Value, json};

use super::json::{moment, text, time};
use super::reply::Reply;
use super::services::Question;
use crate::lab::fast_text::mix;

/// Without a start the last hour is answered.
const HOUR: i64 = 3_600_000;
const EVERY: i64 = 300_000;
/// Samples are kept for a day.
const KEPT: i64 = 24 * HOUR;
const NODES: &[&str] = &["ise-mnt", "psn-a", "psn-b"];

/// Answers one operation.
pub(super) fn answer(question: &Question<'_>, operation: &str) -> Option<Reply> {
    let (member, sample): (&str, fn(&str, i64) -> Value) = match operation {
        "getHealths" => ("healths", health),
        "getPerformances" => ("performances", performance),
        _ => return None,
    };
    let Ok(since) = moment(question.request, "startTimestamp") else {
        return Some(Reply::BAD);
    };
    let since = since
        .unwrap_or(question.now - HOUR)
        .max(question.now - KEPT);
    let node = text(question.request, "nodeName");
    let first = since.div_euclid(EVERY) + i64::from(since.rem_euclid(EVERY) > 0);
    let last = question.now.div_euclid(EVERY);
    let rows: Vec<Value> = (first..=last)
        .flat_map(|number| NODES.iter().map(move |node| (*node, number * EVERY)))
        .filter(|(name, _)| node.is_none_or(|node| node == *name))
        .map(|(name, at)| sample(name, at))
        .collect();
    Some(Reply::Json(json!({ member: rows })))
}

/// A number below `below` that depends on node, time and what it is for.
fn chance(node: &str, at: i64, salt: u64, below: u64) -> u64 {
    let node = node
        .bytes()
        .fold(salt, |hash, byte| mix(hash ^ u64::from(byte)));
    mix(node ^ at.unsigned_abs()) % below.max(1)
}

fn health(node: &str, at: i64) -> Value {
    let hundredths = |salt, below| {
        let value = chance(node, at, salt, below);
        serde_json::from_str::<Value>(&format!("{}.{:02}", value / 100, value % 100))
            .unwrap_or(Value::Null)
    };
    json!({
        "timestamp": time(at),
        "serverName": node,
        "ioWait": hundredths(1, 300),
        "cpuUsage": hundredths(2, 6000),
        "memoryUsage": hundredths(3, 9000),
        "diskUsageRoot": 20 + chance(node, at, 4, 3),
        "diskUsageOpt": 35 + chance(node, at, 5, 3),
        "loadAverage": hundredths(6, 800),
        "networkSent": chance(node, at, 7, 90_000_000),
        "networkReceived": chance(node, at, 8, 90_000_000),
    })
}

fn performance(node: &str, at: i64) -> Value {
    let count = chance(node, at, 9, 3000);
    json!({
        "timestamp": time(at),
        "serverName": node,
        "radiusRate": count / 300,
        "radiusCount": count,
        "radiusLatency": 20 + chance(node, at, 10, 60),
    })
}
