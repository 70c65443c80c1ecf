//! What a subscriber remembers over restarts: after a clean stop nothing comes again and nothing
//! lacks; after a kill only what was being delivered comes again, and says so; who ended while it
//! was away is told as ended, once.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use netapi::testing::lab::{EventRate, LabOptions};
use rustix::process::Signal;
use serde_json::Value;

use crate::support::account::{Account, published, stop};
use crate::support::callback::{script, text};
use crate::support::lab::{self, TestLab};
use crate::support::running::Running;
use crate::support::sessions::{HASTY, SESSIONS};

/// How often it is stopped or killed; `NETAPI_ROUNDS=20` for the long form.
fn rounds() -> usize {
    let given = std::env::var("NETAPI_ROUNDS").ok();
    given.map_or(4, |text| text.parse().unwrap())
}

fn busy_lab() -> TestLab {
    lab::with(LabOptions {
        sessions: 1500,
        events_per_second: EventRate::PerSecond(25),
        ..LabOptions::default()
    })
}

/// One round's run: every other one hands its events to a callback.
fn start(lab: &TestLab, dir: &Path, round: usize) -> Running {
    let spool = dir.join("spool");
    let log = dir.join(format!("log.{round}"));
    let callback = dir.join("callback.sh");
    let mut arguments = HASTY.to_vec();
    arguments.extend(["--spool", spool.to_str().unwrap()]);
    if round.is_multiple_of(2) {
        arguments.push("--json");
        return lab.start(&arguments);
    }
    arguments.extend(["--jobs", "2", "--callback", callback.to_str().unwrap()]);
    arguments.extend(["--", log.to_str().unwrap()]);
    lab.start(&arguments)
}

/// The sessions that ended since then.
fn ended_since(lab: &TestLab, since: Timestamp) -> BTreeSet<String> {
    let mut ended = BTreeSet::new();
    for event in lab
        .event_log()
        .iter()
        .filter(|event| event.topic.as_ref() == SESSIONS)
    {
        let body: Value = serde_json::from_str(&event.body).unwrap();
        for session in body["sessions"].as_array().unwrap() {
            let time: Timestamp = session["timestamp"].as_str().unwrap().parse().unwrap();
            if session["state"] == "DISCONNECTED" && time >= since {
                ended.insert(format!(
                    "{} {}",
                    session["macAddress"], session["auditSessionId"]
                ));
            }
        }
    }
    ended
}

/// Rounds that end by `signal`, then one that takes all that is missing.
fn account_of(signal: Signal) -> (Account, BTreeSet<String>) {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    script(dir, "#!/bin/sh\nexec cat >> \"$1\"\n");
    let lab = busy_lab();
    let mut since = None;
    let mut account = Account::default();
    let rounds = rounds();
    for round in 0..rounds {
        let running = start(&lab, dir, round);
        running.says("subscribed");
        since.get_or_insert_with(Timestamp::now);
        // The moment of its end, and how long it is away, are any.
        let moment = u64::try_from(round * 277 % 900).unwrap();
        std::thread::sleep(Duration::from_millis(200 + moment));
        let out = if signal == Signal::KILL {
            running.signal(signal);
            running.end().1
        } else {
            stop(running)
        };
        account.note_lines(out.iter().map(String::as_str), signal == Signal::KILL);
        std::thread::sleep(Duration::from_millis(moment));
        let log = text(&dir.join(format!("log.{round}")));
        account.note_lines(log.lines(), signal == Signal::KILL);
    }
    let wanted = published(&lab, since.unwrap());
    let ended = ended_since(&lab, since.unwrap());
    assert!(wanted.len() > 10);
    let running = start(&lab, dir, rounds.next_multiple_of(2));
    account.follow(&running, &wanted);
    stop(running);
    (account, ended)
}

#[test]
fn after_a_clean_stop_nothing_comes_again_and_nothing_lacks() {
    let (account, ended) = account_of(Signal::TERM);
    assert_eq!(account.again, 0, "{:?}", account.unrepeated);
    // Who ended while it was away among them.
    let known = ended.iter().filter(|key| account.knows(key));
    let told: Vec<_> = known
        .map(|key| (key, account.ends.get(key).copied().unwrap_or(0)))
        .collect();
    assert!(
        told.len() > 3 && told.iter().all(|(_, ends)| *ends == 1),
        "{told:?}"
    );
}

#[test]
fn after_a_kill_only_what_was_being_delivered_comes_again_and_says_so() {
    let (account, ended) = account_of(Signal::KILL);
    assert!(account.unrepeated.is_empty(), "{:?}", account.unrepeated);
    // A callback a job, or a line, each time.
    assert!(account.again <= 2 * rounds(), "{}", account.again);
    for key in ended.iter().filter(|key| account.knows(key)) {
        assert!(account.ends.get(key).is_none_or(|ends| *ends == 1), "{key}");
    }
}
