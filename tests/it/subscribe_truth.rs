//! What the lab published against what became of it: the books of these tests, and a disk that takes no more.
//!
//! The kills are in `subscribe_truth_kill`, callbacks that misbehave in `subscribe_truth_callbacks`, the lab's outages in `subscribe_truth_outages`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::Timestamp;
use netapi::lab::{EventRate, LabOptions};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::subscribe_callbacks::script;
use crate::subscribe_events::session;
use crate::support::lab::{self, TestLab};
use crate::support::running::Running;

pub(crate) const SESSIONS: &str = "/topic/com.cisco.ise.session";

/// Reconnects soon, so that an outage is short.
pub(crate) const HASTY: [&str; 9] = [
    "subscribe",
    "--topic",
    "session",
    "--reconnect-min",
    "20ms",
    "--reconnect-max",
    "200ms",
    "--lookup-pause",
    "100ms",
];

/// What happened to each session, and when.
pub(crate) type Changes = BTreeMap<String, BTreeSet<Timestamp>>;

/// Session and time of one object of a list of sessions.
fn change(session: &Value) -> (String, Timestamp) {
    (
        format!("{} {}", session["macAddress"], session["auditSessionId"]),
        session["timestamp"].as_str().unwrap().parse().unwrap(),
    )
}

/// What the lab published of sessions from then on.
pub(crate) fn published(lab: &TestLab, since: Timestamp) -> Changes {
    let mut changes = Changes::new();
    for event in lab.truth() {
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
}

impl Account {
    /// An event, as the callback read it or as it was printed.
    pub(crate) fn note(&mut self, line: &str) {
        let event: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
        let (key, time) = change(&event["message"]["sessions"][0]);
        if !self.changes.entry(key).or_default().insert(time) {
            self.again += 1;
            if event["recovered"] != true {
                self.unmarked.push(line.to_owned());
            }
        }
    }

    /// A file of them, a line each; the last may be cut where `torn` says that its writer was killed.
    pub(crate) fn note_lines<'l>(&mut self, lines: impl Iterator<Item = &'l str>, torn: bool) {
        let mut lines = lines.peekable();
        while let Some(line) = lines.next() {
            let whole = serde_json::from_str::<Value>(line).is_ok();
            if whole || !torn || lines.peek().is_some() {
                self.note(line);
            }
        }
    }

    /// What was published and is not here. The server knows of each session only how it is now: a change that was not seen as it
    /// happened, and that another followed, is made good by that one.
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
}

/// The lines of a file, which need not be there.
pub(crate) fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Whether the last words add up: what an earlier run left and what was received is what was delivered, failed and is left now.
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

#[test]
fn a_disk_that_takes_no_more_ends_it_and_the_next_run_lacks_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let spool = dir.path().join("spool");
    let log = dir.path().join("log");
    let callback = script(
        dir.path(),
        "#!/bin/sh\nulimit -S -f unlimited\ncat >> \"$1\"\n",
    );
    let lab = lab::with(LabOptions {
        sessions: 8000,
        events_per_second: EventRate::PerSecond(800),
        ..LabOptions::default()
    });
    let mut arguments = HASTY.to_vec();
    arguments.extend(["--spool", spool.to_str().unwrap()]);
    let mut handing = arguments.clone();
    handing.extend(["--callback", callback.to_str().unwrap()]);
    handing.extend(["--", log.to_str().unwrap()]);
    // In blocks of 512 bytes; ignored, the signal becomes an error of writing, as on a full disk.
    let running = lab.start_after("trap '' XFSZ; ulimit -S -f 5000", &handing);
    running.says("subscribed");
    let since = Timestamp::now();
    let (code, _, err) = running.end();
    assert_eq!(code, 1, "{err:?}");
    let spooled = format!("cannot write to the spool {}", spool.display());
    assert!(err.iter().any(|line| line.contains(&spooled)), "{err:?}");
    assert!(err.iter().any(|line| line.contains("hint:")), "{err:?}");
    let wanted = published(&lab, since);
    assert!(wanted.len() > 100);
    let mut account = Account::default();
    account.note_lines(text(&log).lines(), false);
    arguments.push("--json");
    let running = lab.start(&arguments);
    let mut seen = 0;
    running.until("what the full disk held up", || {
        let lines = running.out_from(seen);
        seen += lines.len();
        for line in &lines {
            account.note(line);
        }
        account.lacks(&wanted).is_empty()
    });
    stop(running);
    assert!(account.unmarked.is_empty(), "{:?}", account.unmarked);
}

#[test]
fn a_spool_that_cannot_be_opened_is_named_before_anything_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let place = |name: &str| dir.path().join(name);
    std::fs::write(place("file"), "").unwrap();
    std::fs::create_dir(place("garbage")).unwrap();
    std::fs::write(place("garbage/spool.redb"), "no database".repeat(1000)).unwrap();
    std::fs::create_dir_all(place("taken/spool.redb")).unwrap();
    std::fs::create_dir_all(place("letters/dead-letters.jsonl")).unwrap();
    let lab = lab::lab();
    let cases = [
        ("file", 2, "file"),
        ("garbage", 1, "garbage/spool.redb"),
        ("taken", 1, "taken/spool.redb"),
        ("letters", 2, "letters/dead-letters.jsonl"),
    ];
    for (name, wanted, word) in cases {
        let spool = place(name);
        let running = lab.start(&[
            "subscribe",
            "--topic",
            "session",
            "--callback",
            "/bin/true",
            "--spool",
            spool.to_str().unwrap(),
        ]);
        let (code, _, err) = running.end();
        assert_eq!(code, wanted, "{name}: {err:?}");
        assert!(err[0].contains(word), "{name}: {err:?}");
        assert!(err.iter().any(|line| line.contains("hint:")), "{err:?}");
    }
    assert!(lab.requests().is_empty(), "{:?}", lab.requests());
    assert_eq!(
        text(&place("garbage/spool.redb")),
        "no database".repeat(1000),
        "what is no spool was changed"
    );
}

#[test]
fn a_dead_letter_that_cannot_be_written_leaves_its_event_in_the_spool() {
    let dir = tempfile::tempdir().unwrap();
    let spool = dir.path().join("spool");
    let lab = lab::lab();
    let arguments = [
        "subscribe",
        "--topic",
        "session",
        "--spool",
        spool.to_str().unwrap(),
    ];
    let mut failing = arguments.to_vec();
    failing.extend(["--callback", "/bin/false", "--retries", "0"]);
    failing.extend(["--dead-letters", "/dev/full"]);
    let running = lab.start(&failing);
    running.says("subscribed");
    let since = Timestamp::now();
    let one = session("00:00:5E:00:53:A1", "pat", "STARTED");
    lab.publish(SESSIONS, &json!({ "sessions": [one] }));
    let (code, _, err) = running.end();
    assert_eq!(code, 1, "{err:?}");
    assert!(err.iter().any(|line| line.contains("/dev/full")), "{err:?}");
    let wanted = published(&lab, since);
    assert_eq!(wanted.len(), 1);
    let mut printing = arguments.to_vec();
    printing.push("--json");
    let running = lab.start(&printing);
    running.says("1 events of an earlier run");
    running.prints(1);
    let mut account = Account::default();
    for line in stop(running) {
        account.note(&line);
    }
    assert_eq!(account.lacks(&wanted), Vec::<String>::new());
}
