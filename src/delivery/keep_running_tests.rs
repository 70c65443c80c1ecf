//! Tests of the long-lived child, with real scripts.

use std::path::Path;

use super::*;
use crate::delivery::testing::{Heard, event, script};

/// Runs `body` as the child, and `with` against it.
fn with_child<F: Future<Output = ()>>(
    body: &str,
    limit: Duration,
    with: impl FnOnce(Feeder, watch::Sender<bool>) -> F,
) -> Heard {
    let dir = tempfile::tempdir().unwrap();
    let body = body.replace("DIR", &dir.path().display().to_string());
    let path = script(dir.path(), "child", &format!("#!/bin/sh\n{body}\n"));
    let heard = Arc::new(Heard::default());
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(run(&path, limit, heard.clone(), with));
    Arc::into_inner(heard).unwrap()
}

async fn run<F: Future<Output = ()>>(
    path: &Path,
    limit: Duration,
    heard: Arc<Heard>,
    with: impl FnOnce(Feeder, watch::Sender<bool>) -> F,
) {
    let callback = Callback::new(path, Vec::new(), limit, Duration::from_millis(200)).unwrap();
    let pauses = Pauses {
        first: Duration::from_millis(10),
        longest: Duration::from_mins(1),
    };
    let (stop, kill) = watch::channel(false);
    let keeper = KeepRunning::start(callback, pauses, heard, kill);
    with(keeper.feeder(), stop.clone()).await;
    keeper.close().await;
}

const LONG: Duration = Duration::from_secs(20);

fn sequences(lines: &[String]) -> Vec<i64> {
    lines
        .iter()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .map(|event| event["sequenceNumber"].as_i64().unwrap())
        .collect()
}

#[test]
fn every_event_is_a_line_and_the_child_ends_with_its_input() {
    let heard = with_child("cat; echo end", LONG, async |feeder, _stop| {
        for sequence in 0..50 {
            let outcome = feeder.deliver(&event("a", sequence)).await;
            assert_eq!(outcome, Outcome::Success);
        }
    });
    let lines = heard.lines.into_inner().unwrap();
    assert_eq!(sequences(&lines), (0..50).collect::<Vec<_>>());
    assert_eq!(lines.last().unwrap(), "end");
    assert!(heard.notices.into_inner().unwrap().is_empty());
}

#[test]
fn a_child_that_ends_is_started_again_and_nothing_unread_is_lost() {
    // Each child reads one line and ends; the shell's `read` takes no more than its line from the pipe.
    let heard = with_child(
        "read line; echo \"$line\"; exit 3",
        LONG,
        async |feeder, _stop| {
            for sequence in 0..6 {
                while feeder.deliver(&event("a", sequence)).await != Outcome::Success {}
            }
        },
    );
    assert_eq!(
        sequences(&heard.lines.into_inner().unwrap()),
        [0, 1, 2, 3, 4, 5]
    );
    let notices = heard.notices.into_inner().unwrap();
    assert!(
        !notices
            .iter()
            .any(|notice| notice.contains("without reading")),
        "{notices:?}"
    );
}

#[test]
fn lines_that_no_child_reads_are_said() {
    let heard = with_child(
        "read line; exec <&-; exit 3",
        LONG,
        async |feeder, _stop| {
            assert_eq!(feeder.deliver(&event("a", 1)).await, Outcome::Success);
        },
    );
    assert!(heard.notices.into_inner().unwrap().is_empty());
    let heard = with_child(": > DIR/begun; exit 3", LONG, async |feeder, stop| {
        // The pipe takes it, nobody reads it.
        while feeder.deliver(&event("a", 1)).await != Outcome::Success {}
        stop.send_replace(true);
    });
    let notices = heard.notices.into_inner().unwrap();
    assert_eq!(
        notices.last().unwrap(),
        "the callback ended without reading the last 1 events written to it"
    );
}

#[test]
fn a_child_that_stops_reading_is_ended() {
    let heard = with_child(
        "trap '' TERM; while :; do sleep 0.05; done",
        Duration::from_millis(300),
        async |feeder, stop| {
            let mut big = event("a", 1);
            big.json = format!(
                "{{\"sequenceNumber\":1,\"message\":\"{}\"}}",
                "x".repeat(300 << 10)
            );
            assert_eq!(feeder.deliver(&big).await, Outcome::TimedOut);
            stop.send_replace(true);
        },
    );
    let notices = heard.notices.into_inner().unwrap();
    assert!(
        notices[0].contains("stopped reading and was ended"),
        "{notices:?}"
    );
}

#[test]
fn a_child_that_cannot_be_started_again_fails_its_events() {
    let heard = with_child(
        "rm DIR/child; read line; exit 0",
        LONG,
        async |feeder, _stop| {
            let mut outcome = feeder.deliver(&event("a", 1)).await;
            while !matches!(outcome, Outcome::NotStarted(_)) {
                outcome = feeder.deliver(&event("a", 2)).await;
            }
            assert_eq!(outcome, Outcome::NotStarted(io::ErrorKind::NotFound));
        },
    );
    let notices = heard.notices.into_inner().unwrap();
    assert!(
        notices
            .iter()
            .any(|n| n.starts_with("cannot start the callback")),
        "{notices:?}"
    );
}

#[test]
fn what_was_read_is_forgotten_line_by_line() {
    let mut unread = Unread::default();
    for line in ["aaaa", "bbbb", "cccc"] {
        unread.push(line.to_owned());
    }
    unread.trim(12);
    assert_eq!(unread.lines.len(), 3);
    // A line read in part is kept whole.
    unread.trim(7);
    assert_eq!(unread.lines, ["bbbb", "cccc"]);
    unread.trim(4);
    assert_eq!(unread.lines, ["cccc"]);
    unread.trim(0);
    assert_eq!((unread.lines.len(), unread.bytes), (0, 0));
}
