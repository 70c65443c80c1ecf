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

/// What was last seen of a session.
#[derive(Clone, Copy)]
struct Seen {
    at: Timestamp,
    ended: bool,
}

/// By endpoint and audit session. Who has no MAC address is an endpoint for each session: nothing
/// takes its place.
type Last = BTreeMap<(String, String), Seen>;

fn note(last: &mut Last, message: &Value) {
    for session in message["sessions"].as_array().unwrap() {
        let audit = session["auditSessionId"].to_string();
        let mac = session["macAddress"].as_str();
        let endpoint = mac.map_or_else(|| audit.clone(), str::to_owned);
        // Of a session that ended unseen only its identity is told; nothing follows.
        let time = session["timestamp"].as_str();
        let at = time.map_or(Timestamp::MAX, |time| time.parse().unwrap());
        let ended = session["state"] == "DISCONNECTED";
        let newest = last.entry((endpoint, audit)).or_insert(Seen { at, ended });
        if at >= newest.at {
            *newest = Seen { at, ended };
        }
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
    last.retain(|_, seen| seen.at >= since);
    last
}

/// Whether what was printed tells the last change of each endpoint, and the end of each session
/// that another one of its endpoint has followed. A session that began, ended and was followed
/// while nobody listened is nowhere to be seen any more.
fn tells(got: &Last, published: &Last) -> bool {
    let mut newest = BTreeMap::new();
    for ((endpoint, audit), seen) in published {
        let newest = newest.entry(endpoint).or_insert((audit, seen.at));
        if seen.at >= newest.1 {
            *newest = (audit, seen.at);
        }
    }
    newest.iter().all(|(endpoint, (audit, at))| {
        let key = ((*endpoint).clone(), (*audit).clone());
        got.get(&key).is_some_and(|seen| seen.at >= *at)
    }) && got.iter().all(|((endpoint, audit), seen)| {
        let followed = newest
            .get(endpoint)
            .filter(|(last, at)| *last != audit && *at > seen.at);
        followed.is_none() || seen.ended
    })
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
        tells(&printed(&running), &wanted)
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
