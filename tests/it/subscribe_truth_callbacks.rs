//! Callbacks that hang, crash, refuse to end, do not read or say too much: each event is handed
//! over or is a dead letter, and the figures say so.

use std::path::Path;

use jiff::Timestamp;
use rustix::process::Signal;
use serde_json::Value;

use crate::support::account::{Account, adds_up, published};
use crate::support::callback::{script, text};
use crate::support::lab::{self, TestLab};
use crate::support::sessions::{self, SESSIONS, session};
use crate::support::wait_for;

/// How many endpoints there are, and events.
const ENDPOINTS: usize = 4;

/// A callback, and what becomes of its events.
struct Case {
    name: &'static str,
    /// Its script; `$1` is its log.
    script: &'static str,
    /// The outcome in the dead letters; `None` where there are none.
    outcome: Option<&'static str>,
    /// How many events reach the log.
    logged: usize,
}

const HANGS: &str = "timed out";

const CASES: [Case; 10] = [
    Case {
        name: "hangs",
        script: "exec sleep 600",
        outcome: Some(HANGS),
        logged: 0,
    },
    Case {
        name: "ignores TERM",
        script: "trap '' TERM; while :; do sleep 600; done",
        outcome: Some(HANGS),
        logged: 0,
    },
    Case {
        name: "says success when it is told to end",
        script: "trap 'exit 0' TERM; while :; do sleep 0.02; done",
        outcome: Some(HANGS),
        logged: 0,
    },
    Case {
        name: "crashes",
        script: "kill -SEGV $$",
        outcome: Some("signal 11"),
        logged: 0,
    },
    Case {
        name: "is killed half way",
        script: "cat >> \"$1\"; kill -KILL $$",
        outcome: Some("signal 9"),
        logged: ENDPOINTS,
    },
    Case {
        name: "fails",
        script: "cat >> \"$1\"; exit 255",
        outcome: Some("exit 255"),
        logged: ENDPOINTS,
    },
    Case {
        name: "never reads",
        script: "echo '{}' > /dev/null",
        outcome: None,
        logged: 0,
    },
    Case {
        name: "closes everything",
        script: "exec <&- >&- 2>&-; exit 0",
        outcome: None,
        logged: 0,
    },
    Case {
        name: "says too much",
        script: "head -c 3000000 /dev/zero | tr '\\0' x; head -c 300000 /dev/urandom; cat >> \"$1\"",
        outcome: None,
        logged: ENDPOINTS,
    },
    Case {
        name: "leaves something running that holds its output",
        script: "sleep 3 & cat >> \"$1\"",
        outcome: None,
        logged: ENDPOINTS,
    },
];

/// One event of each endpoint.
fn publish(lab: &TestLab) {
    for number in 0..ENDPOINTS {
        let mac = format!("00:00:5E:00:53:0{number}");
        sessions::publish(lab, &[session(&mac, "pat", "STARTED")]);
    }
}

/// The events of a file of dead letters, which all have this outcome.
fn dead(path: &Path, outcome: &str) -> Vec<String> {
    let letters = text(path);
    let letters = letters.lines().map(|line| {
        let letter: Value = serde_json::from_str(line).unwrap();
        assert_eq!(letter["outcome"], outcome);
        letter["event"].to_string()
    });
    letters.collect()
}

fn examine(lab: &TestLab, number: usize, case: &Case) {
    let name = case.name;
    let dir = tempfile::tempdir().unwrap();
    let place = |name: &str| dir.path().join(name);
    let (spool, log) = (place("spool"), place("log"));
    let callback = script(dir.path(), &format!("#!/bin/sh\n{}\n", case.script));
    let count = ENDPOINTS.to_string();
    let running = lab.subscribed(
        "session",
        &[
            "--count",
            &count,
            "--jobs",
            "1",
            "--retries",
            "0",
            "--callback-timeout",
            if case.outcome == Some(HANGS) {
                "100ms"
            } else {
                "30s"
            },
            "--callback-grace",
            "100ms",
            "--spool",
            spool.to_str().unwrap(),
            "--callback",
            callback.to_str().unwrap(),
            "--",
            log.to_str().unwrap(),
        ],
    );
    lab.listened_to(SESSIONS, number);
    let since = Timestamp::now();
    publish(lab);
    running.until(name, || {
        running
            .err()
            .iter()
            .any(|line| line.starts_with("received "))
    });
    let (code, out, err) = running.end();
    let bytes: usize = err.iter().map(String::len).sum();
    let letters = case.outcome.map_or_else(Vec::new, |outcome| {
        dead(&spool.join("dead-letters.jsonl"), outcome)
    });
    assert!(bytes < 1_000_000, "{name}: {bytes} bytes on standard error");
    assert_eq!(code, i32::from(case.outcome.is_some()), "{name}: {err:?}");
    assert!(out.is_empty(), "{name}");
    adds_up(&err).unwrap();
    let logged = text(&log);
    assert_eq!(logged.lines().count(), case.logged, "{name}: {err:?}");
    let mut account = Account::default();
    logged.lines().for_each(|line| account.note(line));
    // An event that was read and then failed stands in both.
    let mut letters_account = Account::default();
    for line in &letters {
        letters_account.note(line);
    }
    let wanted = published(lab, since);
    let lacks = match case.outcome {
        // Success is the callback's word; there is nothing to look at.
        None if case.logged == 0 => Vec::new(),
        None => account.lacks(&wanted),
        Some(_) => letters_account.lacks(&wanted),
    };
    assert_eq!(lacks, Vec::<String>::new(), "{name}");
    let delivered = format!(
        "delivered {}, failed {},",
        ENDPOINTS - letters.len(),
        letters.len()
    );
    assert!(
        err.iter().any(|line| line.contains(&delivered)),
        "{name}: {err:?}"
    );
}

#[test]
fn whatever_a_callback_does_each_event_is_delivered_or_a_dead_letter() {
    let lab = lab::lab();
    for (number, case) in (1..).zip(&CASES) {
        examine(&lab, number, case);
    }
}

#[test]
fn nothing_of_a_callback_outlives_its_time() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    // It and what it starts ignore TERM.
    let callback = script(
        dir.path(),
        "#!/bin/sh\ntrap '' TERM\nsleep 600 &\necho $$ $! >> \"$1\"\nwait\nwhile :; do sleep 600; done\n",
    );
    let lab = lab::lab();
    let running = lab.subscribed(
        "session",
        &[
            "--count",
            "4",
            "--retries",
            "0",
            "--callback-timeout",
            "100ms",
            "--callback-grace",
            "100ms",
            "--callback",
            callback.to_str().unwrap(),
            "--",
            log.to_str().unwrap(),
        ],
    );
    publish(&lab);
    let (code, _, err) = running.end();
    assert_eq!(code, 1, "{err:?}");
    let letters = err.iter().filter(|line| line.contains("\"timed out\""));
    assert_eq!(letters.count(), ENDPOINTS, "{err:?}");
    adds_up(&err).unwrap();
    for number in text(&log).split_whitespace() {
        let pid = rustix::process::Pid::from_raw(number.parse().unwrap()).unwrap();
        wait_for("the end of what the callback started", || {
            // What nobody has reaped yet is no longer there either.
            rustix::process::test_kill_process(pid).is_err()
                || text(Path::new(&format!("/proc/{number}/stat"))).contains(") Z ")
        });
    }
}

#[test]
fn a_long_lived_child_that_keeps_dying_loses_at_most_what_it_had_read() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    // `read` takes byte after byte: what follows its line stays in the pipe.
    let callback = script(
        dir.path(),
        "#!/bin/sh\nIFS= read -r line || exit 0\nprintf '%s\\n' \"$line\" >> \"$1\"\nkill -KILL $$\n",
    );
    let lab = lab::lab();
    let running = lab.subscribed(
        "session",
        &[
            "--keep-running",
            "--callback",
            callback.to_str().unwrap(),
            "--",
            log.to_str().unwrap(),
        ],
    );
    let since = Timestamp::now();
    publish(&lab);
    // The pauses between its lives are one, two and four seconds.
    let mut account = Account::default();
    running.until("three of its lives", || text(&log).lines().count() >= 3);
    running.signal(Signal::TERM);
    let (code, _, err) = running.end();
    assert_eq!(code, 143, "{err:?}");
    adds_up(&err).unwrap();
    text(&log).lines().for_each(|line| account.note(line));
    let lacks = account.lacks(&published(&lab, since));
    assert!(lacks.len() <= 1, "{lacks:?}\n{err:?}");
    assert_eq!(account.again, 0, "{:?}", account.unmarked);
}
