//! Tests of the whole way: offered, spooled, delivered by real scripts, stopped, restarted.

mod gated;
mod printed;

use std::time::Instant;

use super::*;
use crate::delivery::sink::callback::Callback;
use crate::delivery::testing::{Heard, event, script};

/// A place with a script, a log that the script appends to, and a spool.
struct Place {
    dir: tempfile::TempDir,
    heard: Arc<Heard>,
    counters: Arc<Counters>,
}

impl Place {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            heard: Arc::new(Heard::default()),
            counters: Arc::new(Counters::default()),
        }
    }

    /// `LOG` in the script is the log.
    fn callback(&self, body: &str) -> Callback {
        let log = self.path("log").display().to_string();
        let dir = self.dir.path().display().to_string();
        let text = format!(
            "#!/bin/sh\n{}\n",
            body.replace("LOG", &log).replace("DIR", &dir)
        );
        let path = script(self.dir.path(), "callback", &text);
        let limit = Duration::from_secs(20);
        Callback::new(&path, Vec::new(), limit, Duration::from_millis(300)).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn log(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.path("log")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn options(&self) -> DeliveryOptions {
        DeliveryOptions {
            jobs: 2,
            retries: 2,
            backoff: Backoff::new(Duration::from_millis(5), Duration::from_millis(20)),
            spool: None,
            dead_letters: None,
            listener: self.heard.clone(),
            counters: Arc::clone(&self.counters),
            gate: None,
        }
    }

    fn durable(&self) -> DeliveryOptions {
        DeliveryOptions {
            spool: Some(self.path("spool")),
            ..self.options()
        }
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

async fn until(mut condition: impl FnMut() -> bool) {
    let limit = Instant::now() + Duration::from_secs(15);
    while !condition() {
        assert!(Instant::now() < limit, "it did not come to pass");
        tokio::task::yield_now().await;
    }
}

fn numbers(n: std::ops::Range<i64>, key: &str) -> Vec<Event> {
    n.map(|n| event(key, n)).collect()
}

#[test]
fn events_of_an_endpoint_arrive_in_order_and_leave_the_spool() {
    let place = Place::new();
    let callback = place.callback("echo $NETAPI_MAC $NETAPI_SEQUENCE >> LOG");
    let ending = block_on(async {
        let deliverer = Deliverer::start(Sink::Callback(callback), place.durable()).unwrap();
        for n in 0..10 {
            let batch = vec![event("C8:5B:76:C6:59:01", n), event("C8:5B:76:C6:59:02", n)];
            deliverer.offer_batch(batch, Vec::new()).await.unwrap();
        }
        deliverer.stop(Stop::Drained);
        deliverer.finish().await
    });
    assert_eq!(ending.left, 0);
    for mac in ["C8:5B:76:C6:59:01", "C8:5B:76:C6:59:02"] {
        let of_one: Vec<String> = place
            .log()
            .into_iter()
            .filter(|line| line.starts_with(mac))
            .collect();
        let expected: Vec<String> = (0..10).map(|n| format!("{mac} {n}")).collect();
        assert_eq!(of_one, expected);
    }
    let snapshot = place.counters.figures();
    assert_eq!(
        (snapshot.received, snapshot.delivered, snapshot.failed),
        (20, 20, 0)
    );
    assert!(place.heard.notices.lock().unwrap().is_empty());
}

#[test]
fn a_failing_callback_is_retried_then_a_dead_letter_and_the_next_goes_on() {
    let place = Place::new();
    let callback =
        place.callback("echo $NETAPI_SEQUENCE >> LOG; test $NETAPI_SEQUENCE != 1 || exit 3");
    let ending = block_on(async {
        let deliverer = Deliverer::start(Sink::Callback(callback), place.durable()).unwrap();
        deliverer
            .offer_batch(numbers(1..3, "a"), Vec::new())
            .await
            .unwrap();
        deliverer.stop(Stop::Drained);
        deliverer.finish().await
    });
    assert_eq!(ending.left, 0);
    assert_eq!(place.log(), ["1", "1", "1", "2"]);
    let letters = std::fs::read_to_string(place.path("spool/dead-letters.jsonl")).unwrap();
    let letter: serde_json::Value = serde_json::from_str(&letters).unwrap();
    assert_eq!(
        (&letter["attempts"], &letter["outcome"]),
        (&3.into(), &"exit 3".into())
    );
    assert_eq!(letter["event"]["sequenceNumber"], 1);
    let snapshot = place.counters.figures();
    assert_eq!((snapshot.delivered, snapshot.failed), (1, 1));
}

#[test]
fn without_a_spool_dead_letters_are_said_and_what_is_left_is_counted() {
    let place = Place::new();
    let callback = place.callback("exit 1");
    let ending = block_on(async {
        let options = DeliveryOptions {
            retries: 0,
            ..place.options()
        };
        let deliverer = Deliverer::start(Sink::Callback(callback), options).unwrap();
        deliverer
            .offer_batch(numbers(1..2, "a"), Vec::new())
            .await
            .unwrap();
        until(|| !place.heard.letters.lock().unwrap().is_empty()).await;
        deliverer.stop(Stop::Finish);
        deliverer.over().await;
        deliverer.finish().await
    });
    assert_eq!(
        ending,
        Ending {
            left: 0,
            ..Ending::default()
        }
    );
}

#[test]
fn dead_letters_that_cannot_be_written_end_delivery_and_the_event_stays() {
    let place = Place::new();
    let callback = place.callback(
        "test $NETAPI_MAC = C8:5B:76:C6:59:01 && { until test -e DIR/begun; do sleep 0.01; done; exit 3; }; : > DIR/begun; sleep 0.3; echo done >> LOG",
    );
    block_on(async {
        let options = DeliveryOptions {
            retries: 0,
            dead_letters: Some(PathBuf::from("/dev/full")),
            ..place.durable()
        };
        let deliverer = Deliverer::start(Sink::Callback(callback), options).unwrap();
        let batch = vec![event("C8:5B:76:C6:59:01", 1), event("C8:5B:76:C6:59:02", 2)];
        deliverer.offer_batch(batch, Vec::new()).await.unwrap();
        deliverer.over().await;
        let ending = deliverer.finish().await;
        let error = ending.failure.clone().unwrap();
        assert!(error.message().contains("/dev/full"), "{error}");
        assert_eq!(ending.left, 1);
    });
    // The other callback was running and finished; only the failed event is left.
    assert_eq!(place.log(), ["done"]);
    let spool = Spool::open(&place.path("spool")).unwrap();
    let waiting = spool.waiting(0, 10).unwrap();
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].key, "C8:5B:76:C6:59:01");
}

#[test]
fn the_first_stop_finishes_the_running_one_and_keeps_the_rest_for_the_next_run() {
    let place = Place::new();
    let callback =
        place.callback(": > DIR/begun; until test -e DIR/go; do sleep 0.01; done; cat >> LOG");
    let ending = block_on(async {
        let deliverer =
            Deliverer::start(Sink::Callback(callback.clone()), place.durable()).unwrap();
        let mark = Mark {
            topic: "/topic/t".to_owned(),
            sequence: Some(3),
            newest: jiff::Timestamp::UNIX_EPOCH,
            compared: false,
        };
        deliverer
            .offer_batch(numbers(1..4, "a"), vec![mark])
            .await
            .unwrap();
        until(|| place.path("begun").exists()).await;
        deliverer.stop(Stop::Finish);
        std::fs::write(place.path("go"), "").unwrap();
        deliverer.finish().await
    });
    assert_eq!(ending.left, 2);
    assert!(
        ending
            .to_string()
            .starts_with("2 undelivered events in the spool "),
        "{ending}"
    );
    assert_eq!(place.log().len(), 1);
    block_on(async {
        let deliverer = Deliverer::start(Sink::Callback(callback), place.durable()).unwrap();
        assert_eq!(deliverer.left_over(), 2);
        assert_eq!(deliverer.marks().unwrap()[0].sequence, Some(3));
        deliverer
            .offer_batch(numbers(4..5, "a"), Vec::new())
            .await
            .unwrap();
        deliverer.stop(Stop::Drained);
        assert_eq!(deliverer.finish().await.left, 0);
    });
    let came: Vec<(i64, bool)> = place
        .log()
        .iter()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|event| {
            (
                event["sequenceNumber"].as_i64().unwrap(),
                event["repeated"] == true,
            )
        })
        .collect();
    // What was not begun does not come again.
    assert_eq!(came, [(1, false), (2, false), (3, false), (4, false)]);
}

#[test]
fn the_second_stop_ends_a_callback_that_would_not() {
    let place = Place::new();
    let callback = place.callback("trap '' TERM; : > DIR/begun; while :; do sleep 1; done");
    let begun = Instant::now();
    let ending = block_on(async {
        let deliverer = Deliverer::start(Sink::Callback(callback), place.durable()).unwrap();
        deliverer
            .offer_batch(numbers(1..3, "a"), Vec::new())
            .await
            .unwrap();
        until(|| place.path("begun").exists()).await;
        deliverer.stop(Stop::Finish);
        deliverer.stop(Stop::AtOnce);
        deliverer.stop(Stop::Finish);
        deliverer.finish().await
    });
    assert_eq!(ending.left, 2);
    assert!(begun.elapsed() < Duration::from_secs(15));
}

#[test]
fn a_slow_callback_does_not_slow_the_reader() {
    let place = Place::new();
    let callback = place.callback("until test -e DIR/go; do sleep 0.01; done");
    block_on(async {
        let deliverer = Deliverer::start(Sink::Callback(callback), place.options()).unwrap();
        // Far more than the window, while no callback ends.
        for n in 0..60 {
            let batch = numbers(n * 500..(n + 1) * 500, "a");
            deliverer.offer_batch(batch, Vec::new()).await.unwrap();
        }
        assert_eq!(place.counters.figures().delivered, 0);
        std::fs::write(place.path("go"), "").unwrap();
        deliverer.stop(Stop::Finish);
        let ending = deliverer.finish().await;
        assert!(ending.left >= 29_990, "{}", ending.left);
        assert!(ending.to_string().contains("--spool DIR keeps them"));
    });
}

#[test]
fn one_child_gets_everything_and_ends_with_us() {
    let place = Place::new();
    let callback = place.callback("cat >> LOG; echo end >> LOG");
    block_on(async {
        let deliverer = Deliverer::start(Sink::KeepRunning(callback), place.durable()).unwrap();
        deliverer
            .offer_batch(numbers(0..500, "a"), Vec::new())
            .await
            .unwrap();
        deliverer.stop(Stop::Drained);
        assert_eq!(deliverer.finish().await.left, 0);
    });
    let log = place.log();
    assert_eq!(log.len(), 501);
    assert_eq!(log[500], "end");
}

#[test]
fn a_child_that_outlives_its_input_is_ended_by_the_second_stop() {
    let place = Place::new();
    let callback = place.callback("trap '' TERM; : > DIR/begun; while :; do sleep 1; done");
    let begun = Instant::now();
    block_on(async {
        let deliverer = Deliverer::start(Sink::KeepRunning(callback), place.options()).unwrap();
        until(|| place.path("begun").exists()).await;
        deliverer.stop(Stop::Finish);
        deliverer.stop(Stop::AtOnce);
        deliverer.finish().await;
    });
    assert!(begun.elapsed() < Duration::from_secs(15));
}

#[test]
fn a_spool_in_use_is_refused() {
    let place = Place::new();
    let sink = || Sink::Callback(place.callback("exit 0"));
    let first = Deliverer::start(sink(), place.durable()).unwrap();
    let error = Deliverer::start(sink(), place.durable()).unwrap_err();
    assert!(error.message().contains("in use by process"), "{error}");
    first.stop(Stop::Finish);
    block_on(first.finish());
}

#[test]
fn a_callback_that_stays_away_ends_a_finite_run_and_its_events_stay() {
    let place = Place::new();
    let callback = place.callback("echo $NETAPI_SEQUENCE >> LOG");
    std::fs::remove_file(place.path("callback")).unwrap();
    let ending = block_on(async {
        let deliverer = Deliverer::start(Sink::Callback(callback), place.durable()).unwrap();
        deliverer
            .offer_batch(numbers(0..3, "a"), Vec::new())
            .await
            .unwrap();
        deliverer.stop(Stop::Drained);
        deliverer.finish().await
    });
    assert_eq!(ending.left, 3);
    let failure = ending.failure.unwrap();
    assert_eq!(failure.kind(), Kind::Failed);
    assert!(
        failure.message().contains("cannot run the callback"),
        "{failure}"
    );
    let letters = place.path("spool").join("dead-letters.jsonl");
    assert_eq!(std::fs::read_to_string(letters).unwrap(), "");
}

#[test]
fn whoever_brings_events_waits_longer_for_a_sink_that_is_only_slower() {
    let start = tokio::time::Instant::now();
    let at = |tenths: u32| start + PATIENCE * tenths / 10;
    let mut lag = Lag::default();
    assert_eq!(lag.patience(7, at(0)), at(10));
    // Nothing was delivered, or not enough.
    assert_eq!(lag.patience(7, at(9)), at(10));
    assert_eq!(lag.patience(8, at(9)), at(19));
    // Not within the time.
    assert_eq!(lag.patience(9, at(19)), at(19));
    assert_eq!(lag.patience(10, at(20)), at(19));
    // Not for ever.
    let mut lag = Lag::default();
    let last = (0..200).map(|step| lag.patience(step.into(), at(5 * step)));
    assert_eq!(last.max(), Some(start + MOST_PATIENCE));
}
