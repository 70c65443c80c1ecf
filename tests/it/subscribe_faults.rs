//! `subscribe` while connections break, nodes go and messages get lost: in the end every session's
//! last change was printed, and nothing twice.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use netapi::testing::lab::{EventRate, LabOptions};
use rustix::process::Signal;
use serde_json::Value;

use crate::support::lab::{self, TestLab};
use crate::support::running::Running;
use crate::support::sessions::{HASTY, SESSIONS};

/// When each session changed last, by endpoint and audit session.
type Last = BTreeMap<String, Timestamp>;

fn note(last: &mut Last, message: &Value) {
    for session in message["sessions"].as_array().unwrap() {
        let key = format!("{} {}", session["macAddress"], session["auditSessionId"]);
        // Of a session that ended unseen only its identity is told; nothing follows.
        let time = session["timestamp"].as_str();
        let time = time.map_or(Timestamp::MAX, |time| time.parse().unwrap());
        let newest = last.entry(key).or_insert(time);
        *newest = time.max(*newest);
    }
}

fn printed(running: &Running) -> Last {
    let mut last = Last::new();
    for line in running.out() {
        let event: Value = serde_json::from_str(&line).unwrap();
        note(&mut last, &event["message"]);
    }
    last
}

fn published(lab: &TestLab, since: Timestamp) -> Last {
    let mut last = Last::new();
    for event in lab.event_log() {
        if event.topic.as_ref() == SESSIONS {
            note(&mut last, &serde_json::from_str(&event.body).unwrap());
        }
    }
    last.retain(|_, time| *time >= since);
    last
}

/// Follows a lab in which these orders are given; `word` is said, that many times.
fn survives(orders: &[&str], word: &str, times: usize) {
    survives_what(
        |lab, _| orders.iter().for_each(|order| lab.order(order)),
        word,
        times,
    );
}

/// Follows a lab to which something is done.
fn survives_what(trouble: impl FnOnce(&TestLab, &Running), word: &str, times: usize) {
    let lab = lab::with(LabOptions {
        sessions: 40,
        events_per_second: EventRate::PerSecond(40),
        ..LabOptions::default()
    });
    let mut arguments = HASTY.to_vec();
    arguments.push("--json");
    let running = lab.start(&arguments);
    running.says("subscribed");
    let since = Timestamp::now();
    running.prints(5);
    trouble(&lab, &running);
    running.says_times(word, times);
    running.prints(running.out().len() + 20);
    let wanted = published(&lab, since);
    assert!(wanted.len() > 5);
    running.until("every session's last change", || {
        let got = printed(&running);
        wanted
            .iter()
            .all(|(key, time)| got.get(key).is_some_and(|seen| seen >= time))
    });
    running.signal(Signal::TERM);
    let (code, out, _) = running.end();
    assert_eq!(code, 143);
    let mut seen = HashSet::new();
    for line in out {
        let event: Value = serde_json::from_str(&line).unwrap();
        assert!(
            seen.insert(event["message"].to_string()),
            "twice: {}",
            event["message"]
        );
    }
}

#[test]
fn a_closed_connection() {
    survives(&["fault ws-close@3"], "connection to", 3);
}

#[test]
fn an_error_frame() {
    survives(&["fault ws-error@2"], "the server said", 2);
}

#[test]
fn a_reset_connection() {
    survives(&["fault ws-reset@2"], "connection to", 2);
}

#[test]
fn a_frame_that_is_cut() {
    survives(&["fault slow-consumer-cut@1"], "connection to", 1);
}

#[test]
fn lost_messages() {
    survives(&["fault sequence-gap@3"], "missed", 3);
}

#[test]
fn messages_that_come_twice() {
    survives(&["fault duplicate@3"], "subscribed", 1);
}

#[test]
fn a_publisher_that_counts_anew() {
    survives(&["fault publisher-restart@2"], "publisher restarted", 2);
}

#[test]
fn a_node_that_goes() {
    survives_what(
        |lab, running| {
            let said = running.err();
            let on = said.iter().find(|line| line.contains("subscribed"));
            let on = on.unwrap().trim_end_matches(['"', '}']);
            let number = on.rsplit('-').next().unwrap();
            lab.order(&format!("node-down {number}"));
        },
        "subscribed",
        2,
    );
}

#[test]
fn a_secret_that_changes_meanwhile() {
    survives(
        &["fault secret-refused-once", "fault ws-close@1"],
        "refused our secret",
        1,
    );
}
