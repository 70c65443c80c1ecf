//! What a subscriber remembers over restarts: after a clean stop nothing comes again and nothing
//! lacks; after a kill only what was being delivered comes again, and says so; who ended while it
//! was away is told as ended, once; a directory that has just come up ends nobody; what a spool of
//! an earlier version holds is delivered.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use netapi::testing::lab::{EventRate, LabOptions};
use redb::{Database, TableDefinition};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::account::{Account, published, stop};
use crate::support::callback::{script, text};
use crate::support::lab::{self, TestLab};
use crate::support::running::Running;
use crate::support::sessions::{HASTY, SESSIONS, publish, session};

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

#[test]
fn an_empty_directory_ends_nobody_that_an_earlier_run_knew() {
    let dir = tempfile::tempdir().unwrap();
    let spool = dir.path().join("spool");
    let mut arguments = HASTY.to_vec();
    arguments.extend(["--json", "--spool", spool.to_str().unwrap()]);
    let mac = |number| format!("00:00:5E:00:53:{number:02}");

    let lab = lab::lab();
    let running = lab.start(&arguments);
    running.says("subscribed");
    lab.listened_to(SESSIONS, 1);
    let known: Vec<Value> = (1..=6)
        .map(|number| session(&mac(number), "pat", "STARTED"))
        .collect();
    publish(&lab, &known);
    running.prints(6);
    stop(running);
    drop(lab);

    // The same deployment, but its directory knows nobody yet.
    let lab = lab::with(LabOptions {
        sessions: 0,
        ..LabOptions::default()
    });
    let running = lab.start(&arguments);
    running.says("the answer lacks 6 of what is known");
    // A publisher that counts anew makes it read the list of everybody as well.
    lab.listened_to(SESSIONS, 1);
    publish(&lab, &[session(&mac(7), "kim", "STARTED")]);
    running.says("the publisher");
    running.says_times("not believed, read again in 180 s", 2);
    let out = stop(running);
    assert_eq!(out.len(), 1, "{out:?}");
    assert!(out[0].contains("sessionCreated") && out[0].contains(&mac(7)));
}

/// The tables of format 1, as that version wrote them.
fn old_spool(dir: &Path, sequences: std::ops::RangeInclusive<u64>) {
    type Row = (
        &'static str,
        &'static str,
        &'static str,
        Option<i64>,
        Option<&'static str>,
        Option<&'static str>,
        i64,
        &'static str,
    );
    const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
    const MARKS: TableDefinition<'_, &str, (Option<i64>, Option<&str>)> =
        TableDefinition::new("marks");
    const EVENTS: TableDefinition<'_, u64, Row> = TableDefinition::new("events");
    std::fs::create_dir(dir).unwrap();
    std::fs::set_permissions(dir, PermissionsExt::from_mode(0o700)).unwrap();
    let database = Database::create(dir.join("spool.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut meta = transaction.open_table(META).unwrap();
        meta.insert("format", 1).unwrap();
        let mut marks = transaction.open_table(MARKS).unwrap();
        let newest = Timestamp::now().to_string();
        let last = sequences.end().cast_signed();
        let mark = (Some(last), Some(newest.as_str()));
        marks.insert(SESSIONS, mark).unwrap();
        let mut events = transaction.open_table(EVENTS).unwrap();
        for sequence in sequences {
            let mac = format!("00:00:5E:00:53:{sequence:02}");
            let json = json!({
                "type": "MESSAGE", "event": "sessionCreated", "sequenceNumber": sequence,
                "topic": SESSIONS, "node": "~ise-pubsub-old", "receivedAt": "2026-11-22T02:00:00Z",
                "recovered": false, "message": {"sessions": [session(&mac, "pat", "STARTED")]},
            })
            .to_string();
            let row = (
                mac.as_str(),
                SESSIONS,
                "sessionCreated",
                Some(sequence.cast_signed()),
                Some(mac.as_str()),
                Some("STARTED"),
                1_795_312_800_000_000,
                json.as_str(),
            );
            events.insert(sequence, row).unwrap();
        }
    }
    transaction.commit().unwrap();
}

#[test]
fn what_a_spool_of_an_earlier_version_holds_is_delivered_once() {
    let dir = tempfile::tempdir().unwrap();
    let spool = dir.path().join("spool");
    old_spool(&spool, 21..=40);
    let callback = script(dir.path(), "#!/bin/sh\nexec cat >> \"$1\"\n");
    let log = dir.path().join("log");
    let lab = lab::lab();
    let mut arguments = HASTY.to_vec();
    arguments.extend(["--spool", spool.to_str().unwrap(), "--jobs", "1"]);
    arguments.extend(["--callback", callback.to_str().unwrap()]);
    arguments.extend(["--", log.to_str().unwrap()]);
    let running = lab.start(&arguments);
    running.says("20 events of an earlier run are delivered first");
    running.until("all of them", || text(&log).lines().count() == 20);
    stop(running);
    let events: Vec<Value> = text(&log)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let sequences: Vec<_> = events
        .iter()
        .map(|event| &event["sequenceNumber"])
        .collect();
    assert_eq!(sequences, (21..=40).collect::<Vec<_>>());
    for event in &events {
        // That version did not note what it had begun.
        assert_eq!(
            (&event["repeated"], &event["attempt"]),
            (&json!(true), &json!(1))
        );
        assert_eq!(event["node"], "~ise-pubsub-old");
        assert_eq!(event["id"].as_str().unwrap().len(), 22);
        let session = &event["message"]["sessions"][0];
        let mac = format!("00:00:5E:00:53:{}", event["sequenceNumber"]);
        assert_eq!(
            (&session["macAddress"], &session["userName"]),
            (&json!(mac), &json!("pat"))
        );
    }
    let again = lab.start(&arguments);
    again.says("subscribed");
    again.says("fetched, 0 events");
    stop(again);
    assert_eq!(text(&log).lines().count(), 20);
}
