//! Bulk runs against made-up calls: their order, how many are under way, what ends them, and the
//! tally.

use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;

use futures_util::stream;
use serde_json::json;

use super::*;

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

fn jobs(jobs: u8) -> Jobs {
    Jobs { jobs }
}

fn row(number: usize) -> Record {
    Record::from_value(json!({ "n": number }))
}

fn failed(kind: Kind) -> Result<Vec<Record>> {
    Err(Error::new(kind, "no"))
}

/// An output that wants so many rows.
struct Wanted {
    left: usize,
    rows: Vec<String>,
}

impl Wanted {
    fn rows(left: usize) -> Self {
        let rows = Vec::new();
        Self { left, rows }
    }
}

impl RecordSink for Wanted {
    fn begin(&mut self, announced: Option<u64>) -> Result<()> {
        assert_eq!(announced, None);
        Ok(())
    }

    fn record(&mut self, record: &Record) -> Result<ControlFlow<()>> {
        if self.left == 0 {
            return Ok(ControlFlow::Break(()));
        }
        self.left -= 1;
        self.rows.push(record.text("n").unwrap().into_owned());
        Ok(ControlFlow::Continue(()))
    }
}

impl Screen for Wanted {
    fn clear(&mut self) {}
}

/// A bulk run over `results`, and what was seen of it.
struct Seen {
    outcome: Result<Tally>,
    rows: Vec<String>,
    reported: usize,
    begun: usize,
}

fn drained(bulk: &Bulk, wanted: usize, results: Vec<Result<Vec<Record>>>) -> Seen {
    let mut output = Wanted::rows(wanted);
    let reported = Cell::new(0);
    let begun = Cell::new(0);
    let items = results.into_iter().map(|result| async {
        begun.set(begun.get() + 1);
        Item::from(result)
    });
    let report = |_: &Error| reported.set(reported.get() + 1);
    let outcome = run(bulk.drain(stream::iter(items), &mut output, report));
    Seen {
        outcome,
        rows: output.rows,
        reported: reported.get(),
        begun: begun.get(),
    }
}

#[test]
fn the_first_runs_alone_then_as_many_as_allowed_and_rows_keep_their_order() {
    let under_way = Cell::new(0_usize);
    let seen = RefCell::new(Vec::new());
    let bulk = Bulk::of_reads(jobs(3));
    let items = (0..12).map(|number| {
        let (bulk, under_way, seen) = (&bulk, &under_way, &seen);
        let call = async move || {
            under_way.set(under_way.get() + 1);
            seen.borrow_mut().push(under_way.get());
            // Long enough for those that wait for their turn.
            tokio::time::sleep(4 * APART).await;
            under_way.set(under_way.get() - 1);
            Ok(vec![row(number)])
        };
        async move { Item::from(bulk.call(call).await) }
    });
    let mut output = Wanted::rows(100);
    let tally = run(bulk.drain(stream::iter(items), &mut output, |_| panic!())).unwrap();
    let numbers: Vec<String> = (0..12).map(|number: usize| number.to_string()).collect();
    assert_eq!(output.rows, numbers);
    assert_eq!(seen.borrow()[..3], [1, 1, 2]);
    assert_eq!(seen.borrow().iter().max(), Some(&3));
    assert_eq!((tally.failed, tally.total), (0, 12));
    assert!(tally.outcome().is_ok());
}

#[test]
fn what_never_reached_a_server_proves_nothing() {
    let under_way = Cell::new(0_usize);
    let alone = Cell::new(true);
    let bulk = Bulk::once_each(jobs(10));
    let items = (0..6).map(|number| {
        let (bulk, under_way, alone) = (&bulk, &under_way, &alone);
        let call = async move || {
            under_way.set(under_way.get() + 1);
            tokio::time::sleep(2 * APART).await;
            alone.set(alone.get() && (number > 2 || under_way.get() == 1));
            under_way.set(under_way.get() - 1);
            if number < 2 {
                failed(Kind::Usage)
            } else {
                Ok(Vec::new())
            }
        };
        async move { Item::from(bulk.call(call).await) }
    });
    let tally = run(bulk.drain(stream::iter(items), &mut Wanted::rows(9), |_| {})).unwrap();
    assert!(alone.get());
    assert_eq!((tally.failed, tally.total), (2, 6));
}

#[test]
fn failures_are_reported_and_end_in_partial() {
    let results = vec![
        Ok(vec![row(0)]),
        failed(Kind::NotFound),
        Ok(vec![row(2), row(3)]),
        failed(Kind::Server),
    ];
    let seen = drained(&Bulk::of_reads(jobs(1)), 9, results);
    assert_eq!(seen.rows, ["0", "2", "3"]);
    assert_eq!(seen.reported, 2);
    let error = seen.outcome.unwrap().outcome().unwrap_err();
    assert_eq!(error.kind(), Kind::Partial);
    assert_eq!(error.message(), "2 of 4 failed");
}

#[test]
fn the_same_hint_is_said_once() {
    let hints = RefCell::new(Vec::new());
    let items = ["a", "a", "b", "", "a", "b"].map(|hint| async move {
        let error = Error::new(Kind::NotFound, "no");
        Item::from(Err(match hint {
            "" => error,
            hint => error.hint(hint),
        }))
    });
    let report = |error: &Error| {
        let hint = error.hint_text().map(str::to_owned);
        hints.borrow_mut().push(hint.unwrap_or_default());
    };
    let bulk = Bulk::of_reads(jobs(1));
    let tally = run(bulk.drain(stream::iter(items), &mut Wanted::rows(9), report)).unwrap();
    assert_eq!(*hints.borrow(), ["a", "", "b", "", "", ""]);
    assert_eq!((tally.failed, tally.total), (6, 6));
}

#[test]
fn a_failed_item_keeps_its_row() {
    let item = Item {
        records: vec![row(7)],
        error: Some(Error::new(Kind::Server, "no")),
    };
    let mut output = Wanted::rows(9);
    let bulk = Bulk::of_reads(jobs(1));
    let items = stream::iter([async { item }]);
    let tally = run(bulk.drain(items, &mut output, |_| {})).unwrap();
    assert_eq!(output.rows, ["7"]);
    assert_eq!((tally.failed, tally.total), (1, 1));
}

#[test]
fn a_refusal_ends_the_run_and_is_not_reported_twice() {
    for kind in [Kind::Refused, Kind::WrongNode] {
        let results = vec![Ok(vec![row(0)]), failed(kind), Ok(vec![row(2)])];
        let seen = drained(&Bulk::of_reads(jobs(1)), 9, results);
        assert_eq!(seen.outcome.unwrap_err().kind(), kind);
        assert_eq!((seen.rows.len(), seen.reported, seen.begun), (1, 0, 2));
    }
}

/// What was refused says more than what was not sent for it, whichever ends first.
#[test]
fn after_a_refusal_nothing_is_called_and_its_own_words_are_kept() {
    let bulk = Bulk::once_each(jobs(10));
    let refuse = async |error: Error| run_refused(&bulk, error).await;
    run(async {
        let held_back = Error::new(Kind::Refused, "not sent").nothing_sent();
        refuse(held_back).await;
        bulk.end(&Error::new(Kind::Refused, "wrong password"));
        let called = Cell::new(false);
        let error = bulk.call(async || -> Result<()> {
            called.set(true);
            Ok(())
        });
        assert_eq!(error.await.unwrap_err().kind(), Kind::NotSent);
        assert!(!called.get());
    });
    assert_eq!(bulk.why_ended().unwrap().message(), "wrong password");
}

async fn run_refused(bulk: &Bulk, error: Error) {
    let result: Result<()> = bulk.call(async || Err(error.clone())).await;
    assert_eq!(result.unwrap_err(), error);
}

#[test]
fn enough_is_enough() {
    let results = (0..5).map(|number| Ok(vec![row(number)])).collect();
    let seen = drained(&Bulk::of_reads(jobs(1)), 2, results);
    assert_eq!((seen.rows.len(), seen.begun), (2, 3));
}

#[test]
fn requests_that_are_only_shown() {
    let results = vec![failed(Kind::NotSent), failed(Kind::NotSent)];
    let seen = drained(&Bulk::of_reads(jobs(1)), 9, results);
    assert_eq!(seen.outcome.unwrap_err().kind(), Kind::NotSent);
    assert_eq!(seen.begun, 1);
}

#[test]
fn only_reads_are_made_again_while_the_server_is_overloaded() {
    let quick = |bulk: Bulk| Bulk {
        breaker: Mutex::new(Breaker::new(Duration::from_millis(1))),
        ..bulk
    };
    let made = |bulk: &Bulk, kind| {
        let made = Cell::new(0);
        let result: Result<()> = run(bulk.call(async || {
            made.set(made.get() + 1);
            Err(Error::new(kind, "no"))
        }));
        assert_eq!(result.unwrap_err().kind(), kind);
        made.get()
    };
    let reads = quick(Bulk::of_reads(jobs(1)));
    assert_eq!(made(&reads, Kind::Overloaded), TRIES);
    assert_eq!(made(&reads, Kind::NotFound), 1);
    let orders = quick(Bulk::once_each(jobs(1)));
    assert_eq!(made(&orders, Kind::Overloaded), 1);
}

#[test]
fn calls_are_paced() {
    let bulk = Bulk::once_each(jobs(10));
    let started = Instant::now();
    run(async {
        for _ in 0..4 {
            bulk.call(async || Ok(())).await.unwrap();
        }
    });
    assert!(started.elapsed() >= 3 * APART);
}

#[test]
fn errors_name_the_endpoint_once_and_keep_what_they_know() {
    let mac: crate::record::Mac = "C8:5B:76:C6:59:62".parse().unwrap();
    let error = Error::new(Kind::Connect, "no route").host("ise:443");
    let named = about(mac, error.hint("look"));
    assert_eq!(named.message(), "C8:5B:76:C6:59:62: no route");
    assert_eq!(named.host_name(), Some("ise:443"));
    assert_eq!(named.hint_text(), Some("look"));
    assert_eq!(about(mac, named.clone()), named);
    let refused = Error::new(Kind::Refused, "who are you");
    assert_eq!(about(mac, refused.clone()), refused);
}
