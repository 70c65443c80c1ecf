//! What the lab published against what became of it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rustix::process::Signal;
use serde_json::Value;

use super::lab::TestLab;
use super::running::Running;
use super::sessions::SESSIONS;

/// What happened to each session, and when.
pub(crate) type Changes = BTreeMap<String, BTreeSet<Timestamp>>;

/// Session and time of one object of a list of sessions.
fn change(session: &Value) -> (String, Timestamp) {
    // An end that was found, not told, has no time, and nothing follows it.
    let time = session["timestamp"]
        .as_str()
        .map_or(Timestamp::MAX, |text| text.parse().unwrap());
    (
        format!("{} {}", session["macAddress"], session["auditSessionId"]),
        time,
    )
}

/// What the lab published of sessions from then on.
pub(crate) fn published(lab: &TestLab, since: Timestamp) -> Changes {
    let mut changes = Changes::new();
    for event in lab.event_log() {
        if event.topic.as_ref() == SESSIONS {
            let body: Value = serde_json::from_str(&event.body).unwrap();
            for (key, time) in body["sessions"].as_array().unwrap().iter().map(change) {
                if time >= since {
                    changes.entry(key).or_default().insert(time);
                }
            }
        }
    }
    changes
}

/// What was handed over.
#[derive(Debug, Default)]
pub(crate) struct Account {
    changes: Changes,
    /// Events that came again.
    pub(crate) again: usize,
    /// Those among them that did not say so.
    pub(crate) unmarked: Vec<String>,
    /// Those among them whose delivery was not cut off.
    pub(crate) unrepeated: Vec<String>,
    /// How often the end of each session was told.
    pub(crate) ends: BTreeMap<String, usize>,
}

impl Account {
    /// An event, as the callback read it or as it was printed.
    pub(crate) fn note(&mut self, line: &str) {
        let event: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
        let (key, time) = change(&event["message"]["sessions"][0]);
        if event["event"] == "sessionDeleted" && event["repeated"] != true {
            *self.ends.entry(key.clone()).or_default() += 1;
        }
        if !self.changes.entry(key).or_default().insert(time) {
            self.again += 1;
            if event["repeated"] != true {
                self.unrepeated.push(line.to_owned());
            }
            if event["recovered"] != true && event["repeated"] != true {
                self.unmarked.push(line.to_owned());
            }
        }
    }

    /// Whether anything of this session was handed over.
    pub(crate) fn knows(&self, key: &str) -> bool {
        self.changes.contains_key(key)
    }

    /// A file of them, a line each; the last may be cut where `torn` says that its writer was
    /// killed.
    pub(crate) fn note_lines<'l>(&mut self, lines: impl Iterator<Item = &'l str>, torn: bool) {
        let mut lines = lines.peekable();
        while let Some(line) = lines.next() {
            let whole = serde_json::from_str::<Value>(line).is_ok();
            if whole || !torn || lines.peek().is_some() {
                self.note(line);
            }
        }
    }

    /// What was published and is not here. The server knows of each session only how it is now: a
    /// change that was not seen as it happened, and that another followed, is made good by that
    /// one.
    pub(crate) fn lacks(&self, published: &Changes) -> Vec<String> {
        let mut lacking = Vec::new();
        for (key, times) in published {
            for time in times {
                let got = self.changes.get(key);
                if got.is_none_or(|got| got.range(*time..).next().is_none()) {
                    lacking.push(format!("{key} at {time}"));
                }
            }
        }
        lacking
    }

    /// Notes what is printed until nothing of `published` is lacking; answers how many lines that
    /// took.
    pub(crate) fn follow(&mut self, running: &Running, published: &Changes) -> usize {
        let mut seen = 0;
        running.until("all that was published", || {
            let lines = running.out_from(seen);
            seen += lines.len();
            for line in &lines {
                self.note(line);
            }
            self.lacks(published).is_empty()
        });
        seen
    }
}

/// Whether the last words add up: what an earlier run left and what was received is what was
/// delivered, failed and is left now.
pub(crate) fn adds_up(err: &[String]) -> Result<(), String> {
    let mut figures = None;
    let (mut before, mut left) = (0, 0);
    for line in err {
        let json: Value = serde_json::from_str(line).unwrap_or_default();
        let text = json["notice"].as_str().unwrap_or(line);
        let number = || text.split(' ').next().unwrap().parse::<u64>().unwrap();
        if text.contains("of an earlier run") {
            before = number();
        } else if text.contains(" undelivered event") {
            left = number();
        } else if let Some(summary) = json.get("summary") {
            figures = Some(["received", "delivered", "failed"].map(|name| summary[name].as_u64()));
        } else if text.starts_with("received ") && text.contains(", lag ") {
            let mut words = text.split([' ', ',']).filter_map(|word| word.parse().ok());
            figures = Some([words.next(), words.next(), words.next()]);
        }
    }
    let Some([Some(received), Some(delivered), Some(failed)]) = figures else {
        return Err(format!("no figures in {err:?}"));
    };
    if before + received == delivered + failed + left {
        return Ok(());
    }
    Err(format!(
        "{before} before and {received} received, {delivered} delivered, {failed} failed and {left} left: {err:?}"
    ))
}

/// Ends it as an administrator does, and looks at its last words.
pub(crate) fn stop(running: Running) -> Vec<String> {
    running.signal(Signal::TERM);
    let (code, out, err) = running.end();
    assert_eq!(code, 143, "{err:?}");
    adds_up(&err).unwrap();
    out
}
