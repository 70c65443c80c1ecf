//! A stream that is away or full for a while: events wait, and go on when it takes them again.

use std::time::Duration;

use jiff::Timestamp;
use netapi::testing::lab::{EventRate, LabOptions};
use rustix::process::Signal;

use crate::support::account::{published, stop};
use crate::support::lab::{self, TestLab};
use crate::support::nats::{JETSTREAM, NatsServer, Servers, holds, server};
use crate::support::running::Running;
use crate::support::sessions::{SESSIONS, publish, session};
use crate::support::wait_for;

const AGAIN: &str = "the stream takes events again";

/// Waits until all that was received is in the stream, and ends it.
fn settle(running: Running, lab: &TestLab, server: &NatsServer, since: Timestamp) {
    holds(server, &published(lab, since));
    stop(running);
}

fn busy_lab() -> TestLab {
    lab::with(LabOptions {
        sessions: 400,
        events_per_second: EventRate::PerSecond(300),
        ..LabOptions::default()
    })
}

#[test]
fn a_server_that_is_killed_and_comes_back_loses_nothing() {
    let Some(mut server) = server(JETSTREAM) else {
        return;
    };
    server.make_stream(|config| config.duplicate_window = Duration::from_secs(1));
    let lab = busy_lab();
    let to = server.to();
    let running = lab.subscribed("session", &["--to", &to]);
    lab.listened_to(SESSIONS, 1);
    let since = Timestamp::now();
    for times in 1..=3 {
        let before = server.count();
        wait_for("events", || server.count() > before + 100);
        server.kill();
        running.says_times("events wait", times);
        // Longer than the stream knows ids.
        std::thread::sleep(Duration::from_millis(1200));
        server.start();
        running.says_times(AGAIN, times);
    }
    let said = running.err();
    let outages = said.iter().filter(|line| line.contains("events wait"));
    assert_eq!(outages.count(), 3, "said once an outage: {said:?}");
    settle(running, &lab, &server, since);
}

#[test]
fn a_server_that_is_stopped_is_not_hammered() {
    let Some(server) = server(JETSTREAM) else {
        return;
    };
    server.make_stream(|_| {});
    let lab = busy_lab();
    let to = server.to();
    let running = lab.subscribed("session", &["--to", &to]);
    lab.listened_to(SESSIONS, 1);
    let since = Timestamp::now();
    wait_for("events", || server.count() > 100);
    server.signal(Signal::STOP);
    running.says("events wait");
    std::thread::sleep(Duration::from_secs(2));
    server.signal(Signal::CONT);
    running.says(AGAIN);
    settle(running, &lab, &server, since);
}

#[test]
fn a_full_stream_that_is_made_larger_goes_on() {
    let Some(server) = server(JETSTREAM) else {
        return;
    };
    server.make_stream(|config| config.max_messages = 150);
    let lab = busy_lab();
    let to = server.to();
    let running = lab.subscribed("session", &["--to", &to]);
    lab.listened_to(SESSIONS, 1);
    let since = Timestamp::now();
    running.says("is full");
    let received = lab.event_log().len();
    let (asked, seconds) = server.requests_while(|| {
        wait_for("more events", || lab.event_log().len() > received + 600);
    });
    // Two more for what was on its way.
    assert!(
        asked <= 10.0 * seconds + 2.0,
        "{asked} requests in {seconds} s"
    );
    assert_eq!(server.count(), 150);
    server.enlarge_stream();
    running.says(AGAIN);
    settle(running, &lab, &server, since);
}

#[test]
fn an_event_that_is_too_large_is_a_dead_letter_and_the_others_go_on() {
    let Some(server) = server(JETSTREAM) else {
        return;
    };
    server.make_stream(|config| config.max_message_size = 4000);
    let lab = lab::with(LabOptions {
        events_per_second: EventRate::PerSecond(0),
        ..LabOptions::default()
    });
    let dir = tempfile::tempdir().unwrap();
    let letters = dir.path().join("letters.jsonl");
    let to = server.to();
    let more = ["--to", &to, "--dead-letters", letters.to_str().unwrap()];
    let running = lab.subscribed("session", &more);
    let long = "x".repeat(6000);
    publish(&lab, &[session("00:00:5E:00:53:01", &long, "STARTED")]);
    publish(&lab, &[session("00:00:5E:00:53:01", "pat", "STARTED")]);
    running.says("will never be taken");
    wait_for("the other one", || server.count() == 1);
    running.signal(Signal::TERM);
    let (code, _, err) = running.end();
    assert_eq!(code, 143, "{err:?}");
    let letters = std::fs::read_to_string(letters).unwrap();
    assert_eq!(letters.lines().count(), 1);
    assert!(letters.contains("refused: "), "{letters}");
}

#[test]
fn it_ends_in_words_when_the_stream_never_comes_back() {
    let Some(mut server) = server(JETSTREAM) else {
        return;
    };
    server.make_stream(|_| {});
    let lab = busy_lab();
    let to = server.to();
    let running = lab.subscribed("session", &["--to", &to, "--count", "200"]);
    wait_for("events", || server.count() > 20);
    server.kill();
    let (code, _, err) = running.end();
    let err = err.join("\n");
    assert_eq!(code, 1, "{err}");
    assert!(
        err.contains("what waits was not delivered: no connection to NATS"),
        "{err}"
    );
}
