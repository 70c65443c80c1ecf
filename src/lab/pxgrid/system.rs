//! System health and performance (reference pxgrid-api, section 3.8): a sample of each node every
//! five minutes.

use serde_json::{Value, json};

use super::json::{moment, text, time};
use super::reply::Reply;
use super::services::Question;
use crate::lab::fast_text::mix;

/// Without a start the last hour is answered.
const HOUR: i64 = 3_600_000;
const MINUTE: i64 = 60_000;
const EVERY: i64 = 300_000;
/// Samples are kept for a day.
const KEPT: i64 = 24 * HOUR;
/// A sample of a node at a time, in a lab that started at another.
type Sample = fn(&str, i64, i64) -> Value;

const NODES: &[&str] = &["ise-mnt", "psn-a", "psn-b"];

/// Answers one operation.
pub(super) fn answer(question: &Question<'_>, operation: &str) -> Option<Reply> {
    let (member, sample): (&str, Sample) = match operation {
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
    let started_at = question.directory.population.started_at();
    let first = since.div_euclid(EVERY) + i64::from(since.rem_euclid(EVERY) > 0);
    let last = question.now.div_euclid(EVERY);
    let rows: Vec<Value> = (first..=last)
        .flat_map(|number| NODES.iter().map(move |node| (*node, number * EVERY)))
        .filter(|(name, _)| node.is_none_or(|node| node == *name))
        .map(|(name, at)| sample(name, at, started_at))
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

/// How busy a node is, in percent of what it can do, some noise on it. `psn-b` is in trouble: for
/// fifty minutes before the lab's start it got busier, and it stays so.
fn busy(node: &str, at: i64, started_at: i64) -> u64 {
    let usual = match node {
        "psn-b" => {
            let into = (at - started_at + 50 * MINUTE).clamp(0, 50 * MINUTE);
            40 + u64::try_from(into / MINUTE).unwrap_or(0)
        }
        "psn-a" => 14,
        _ => 22,
    };
    usual + chance(node, at, 2, 5)
}

/// A number with two decimals.
fn decimal(hundredths: u64) -> Value {
    let text = format!("{}.{:02}", hundredths / 100, hundredths % 100);
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

fn health(node: &str, at: i64, started_at: i64) -> Value {
    let busy = busy(node, at, started_at);
    let noise = |salt| chance(node, at, salt, 100);
    let memory = match node {
        "ise-mnt" => 71,
        "psn-b" => 50 + busy / 4,
        _ => 41,
    };
    json!({
        "timestamp": time(at),
        "serverName": node,
        "ioWait": decimal(busy * 3 + noise(1)),
        "cpuUsage": decimal(busy * 100 + noise(2)),
        "memoryUsage": decimal(memory * 100 + noise(3)),
        "diskUsageRoot": 20 + chance(node, at, 4, 3),
        "diskUsageOpt": 35 + chance(node, at, 5, 3),
        "loadAverage": decimal(busy * 9 + noise(6)),
        "networkSent": chance(node, at, 7, 90_000_000),
        "networkReceived": chance(node, at, 8, 90_000_000),
    })
}

/// An MnT node answers no endpoint.
fn performance(node: &str, at: i64, started_at: i64) -> Value {
    let busy = busy(node, at, started_at);
    let (count, latency) = match node {
        "ise-mnt" => (0, 0),
        _ => (
            busy * 20 + chance(node, at, 9, 60),
            18 + busy * busy / 20 + chance(node, at, 10, 6),
        ),
    };
    json!({
        "timestamp": time(at),
        "serverName": node,
        "radiusRate": count / 300,
        "radiusCount": count,
        "radiusLatency": latency,
    })
}
