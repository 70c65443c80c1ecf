//! Tests of the long-lived child, with real scripts.

use std::path::Path;

use super::*;
use crate::delivery::gate::Gate;
use crate::delivery::gate::testing::{Limited, permit_for};
use crate::delivery::testing::{Heard, event, script};
use crate::event::Message;

impl Feeder {
    /// Delivers what may be started at any time.
    async fn give(&self, event: &Event, delivery: Delivery) -> CallbackOutcome {
        self.deliver(event, delivery, StartPermit::default()).await
    }
}

/// Runs `body` as the child, and `with` against it.
fn with_child(
    body: &str,
    limit: Duration,
    with: impl AsyncFnOnce(Feeder, watch::Sender<Stop>),
) -> Heard {
    with_handle(body, limit, async |child, stop, _dir| {
        with(child.feeder(), stop).await;
    })
}

/// The same with the handle, and the directory that `DIR` stands for.
fn with_handle(
    body: &str,
    limit: Duration,
    with: impl AsyncFnOnce(&LongLivedChild, watch::Sender<Stop>, &Path),
) -> Heard {
    let dir = tempfile::tempdir().unwrap();
    let body = body.replace("DIR", &dir.path().display().to_string());
    let path = script(dir.path(), "child", &format!("#!/bin/sh\n{body}\n"));
    let heard = Arc::new(Heard::default());
    let theirs: Arc<dyn Listener> = heard.clone();
    let callback = Callback::new(&path, Vec::new(), limit, Duration::from_millis(200)).unwrap();
    let backoff = Backoff::new(Duration::from_millis(10), Duration::from_mins(1));
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(async {
            let (stop, stopped) = watch::channel(Stop::No);
            let child = LongLivedChild::start(callback, backoff, theirs, stopped);
            with(&child, stop.clone(), dir.path()).await;
            child.close().await;
        });
    Arc::into_inner(heard).unwrap()
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
            let outcome = feeder.give(&event("a", sequence), Delivery::FIRST).await;
            assert_eq!(outcome, CallbackOutcome::Success);
        }
    });
    let lines = heard.lines.into_inner().unwrap();
    assert_eq!(sequences(&lines), (0..50).collect::<Vec<_>>());
    assert_eq!(lines.last().unwrap(), "end");
    assert!(heard.notices.into_inner().unwrap().is_empty());
}

#[test]
fn a_child_that_ends_is_started_again_and_nothing_unread_is_lost() {
    // Each child reads one line and ends; the shell's `read` takes no more than its line from the
    // pipe.
    let heard = with_child(
        "read line; echo \"$line\"; exit 3",
        LONG,
        async |feeder, _stop| {
            for sequence in 0..6 {
                while feeder.give(&event("a", sequence), Delivery::FIRST).await
                    != CallbackOutcome::Success
                {}
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
fn what_a_child_that_reads_nothing_was_given_has_failed() {
    let heard = with_child("exit 3", LONG, async |feeder, _stop| {
        let (first, second) = (event("a", 1), event("b", 2));
        let outcomes = tokio::join!(
            feeder.give(&first, Delivery::FIRST),
            feeder.give(&second, Delivery::FIRST)
        );
        assert_eq!(
            outcomes,
            (CallbackOutcome::Exit(3), CallbackOutcome::Exit(3))
        );
        // Its end with status 0 is no success for what it did not read.
    });
    assert!(heard.lines.into_inner().unwrap().is_empty());
    with_child("exit 0", LONG, async |feeder, _stop| {
        assert_eq!(
            feeder.give(&event("a", 1), Delivery::FIRST).await,
            CallbackOutcome::Exit(0)
        );
    });
}

#[test]
fn what_was_not_read_before_the_end_stays_where_it_was() {
    let heard = with_handle(
        "read line; echo \"$line\"; : > DIR/read; exec sleep 600",
        Duration::from_millis(500),
        async |child, stop, dir| {
            let feeder = child.feeder();
            let (first, second) = (event("a", 1), event("b", 2));
            let ((), outcomes) = tokio::join!(
                async {
                    while !dir.join("read").exists() {
                        tokio::task::yield_now().await;
                    }
                    Stop::Finish.raise(&stop);
                },
                async {
                    tokio::join!(
                        feeder.give(&first, Delivery::FIRST),
                        feeder.give(&second, Delivery::FIRST)
                    )
                },
            );
            assert_eq!(
                outcomes,
                (CallbackOutcome::Success, CallbackOutcome::Stopped)
            );
        },
    );
    assert_eq!(sequences(&heard.lines.into_inner().unwrap()), [1]);
}

#[test]
fn a_child_that_reads_slowly_is_waited_for_and_costs_nothing() {
    let begun = std::time::Instant::now();
    let heard = with_child(
        "while read line; do echo \"$line\"; sleep 0.2; done",
        Duration::from_millis(900),
        async |feeder, _stop| {
            let events: Vec<_> = (0..6).map(|n| event("a", n)).collect();
            let all = events
                .iter()
                .map(|event| feeder.give(event, Delivery::FIRST));
            let outcomes = futures_util::future::join_all(all).await;
            assert_eq!(outcomes, vec![CallbackOutcome::Success; 6]);
        },
    );
    // All of them lay in the pipe before the first was dealt with.
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_eq!(
        sequences(&heard.lines.into_inner().unwrap()),
        [0, 1, 2, 3, 4, 5]
    );
    assert!(heard.notices.into_inner().unwrap().is_empty());
}

#[test]
fn a_child_that_stops_reading_is_ended() {
    let heard = with_child(
        "trap '' TERM; while :; do sleep 0.05; done",
        Duration::from_millis(300),
        async |feeder, stop| {
            let mut big = event("a", 1);
            big.message = Message::whole(format!("{{\"a\":\"{}\"}}", "x".repeat(300 << 10)));
            assert_eq!(
                feeder.give(&big, Delivery::FIRST).await,
                CallbackOutcome::TimedOut
            );
            Stop::AtOnce.raise(&stop);
        },
    );
    let notices = heard.notices.into_inner().unwrap();
    assert!(
        notices[0].contains("stopped reading and was ended"),
        "{notices:?}"
    );
}

#[test]
fn a_child_that_cannot_be_started_again_is_no_failure_of_its_events() {
    let heard = with_child(
        "rm DIR/child; read line; exit 0",
        LONG,
        async |feeder, _stop| {
            let mut outcome = feeder.give(&event("a", 1), Delivery::FIRST).await;
            while !matches!(outcome, CallbackOutcome::NotStarted(_)) {
                outcome = feeder.give(&event("a", 2), Delivery::FIRST).await;
            }
            let CallbackOutcome::NotStarted(why) = outcome else {
                panic!("{outcome}")
            };
            assert!(
                why.ends_with("No such file or directory (os error 2)"),
                "{why}"
            );
        },
    );
    let notices = heard.notices.into_inner().unwrap();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].starts_with("the callback ended"), "{notices:?}");
}

#[test]
fn what_was_taken_back_is_not_written() {
    let heard = with_child("cat", LONG, async |feeder, _stop| {
        let (one, two) = (event("a", 1), event("a", 2));
        let outcome = feeder.deliver(&one, Delivery::FIRST, permit_for(0)).await;
        assert_eq!(outcome, CallbackOutcome::TakenBack);
        let outcome = feeder.give(&two, Delivery::FIRST).await;
        assert_eq!(outcome, CallbackOutcome::Success);
    });
    assert_eq!(sequences(&heard.lines.into_inner().unwrap()), [2]);
}

/// An event whose line nearly fills the smallest pipe.
fn a_pipe_full() -> Event {
    let mut big = event("a", 2);
    let message = |rest: usize| Message::whole(format!("{{\"a\":\"{}\"}}", "x".repeat(rest)));
    big.message = message(0);
    let short = big.to_json(Some(Delivery::FIRST)).len();
    big.message = message(rustix::param::page_size() - short - 100);
    big
}

/// The line before has not been read, and leaves no room in the pipe.
#[test]
fn a_line_that_waits_for_room_can_be_taken_back() {
    let script = "read line; while [ ! -e DIR/go ]; do sleep 0.01; done; cat";
    let heard = with_handle(script, LONG, async |child, _stop, dir| {
        let gate = Arc::new(Limited::of(usize::MAX));
        let theirs: Arc<dyn Gate> = gate.clone();
        let feeder = child.feeder();
        let (first, big, third) = (event("a", 1), a_pipe_full(), event("a", 3));
        let outcome = feeder.give(&first, Delivery::FIRST).await;
        assert_eq!(outcome, CallbackOutcome::Success);
        let permit = StartPermit::new(Some(&theirs), 3);
        let ends = async {
            while !gate.was_asked() {
                sleep(Duration::from_millis(1)).await;
            }
            gate.end();
            std::fs::write(dir.join("go"), "").unwrap();
        };
        let (big, third, ()) = tokio::join!(
            feeder.give(&big, Delivery::FIRST),
            feeder.deliver(&third, Delivery::FIRST, permit),
            ends
        );
        assert_eq!(big, CallbackOutcome::Success);
        assert_eq!(third, CallbackOutcome::TakenBack);
    });
    assert_eq!(sequences(&heard.lines.into_inner().unwrap()), [2]);
}
