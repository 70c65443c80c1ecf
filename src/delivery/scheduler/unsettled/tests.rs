//! Jobs of a gate that gives places at once, and endpoints when a test says so.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use super::*;
use crate::backoff::Backoff;
use crate::delivery::counters::Counters;
use crate::delivery::dead_letters::DeadLetters;
use crate::delivery::endpoint_order::{EndpointOrder, Rules};
use crate::delivery::gate::End;
use crate::delivery::gate::testing::Holding;
use crate::delivery::queue::spool::{Spool, Waiting};
use crate::delivery::stop::Stop;
use crate::delivery::testing::{Heard, event};

const LONG: Duration = Duration::from_secs(15);

/// A scheduler of two jobs with an event of each of these endpoints, in their order.
struct Place {
    scheduler: Arc<Scheduler>,
    gate: Arc<Holding>,
    counters: Arc<Counters>,
    _stop: watch::Sender<Stop>,
}

impl Place {
    fn new(endpoints: &[&str]) -> Self {
        let spool = Arc::new(Spool::temporary());
        let events = endpoints.iter().map(|key| event(key, 1)).collect();
        spool.append_in_memory(events).unwrap();
        let order = EndpointOrder::new(Rules {
            jobs: 2,
            retries: 0,
            backoff: Backoff::new(LONG, LONG),
            probes: false,
            capacity: 1500,
        });
        let heard = Arc::new(Heard::default());
        let counters = Arc::new(Counters::default());
        let (stop, seen) = watch::channel(Stop::No);
        let gate = Arc::new(Holding::default());
        let scheduler = Scheduler::new(
            Arc::clone(&spool),
            order,
            DeadLetters::Listener(heard.clone()),
            heard,
            Arc::clone(&counters),
            seen,
            Arc::new(Notify::new()),
        );
        let scheduler = scheduler.behind(Some(gate.clone()));
        scheduler.take(spool.waiting(0, 1000).unwrap()).unwrap();
        Self {
            scheduler: Arc::new(scheduler),
            gate,
            counters,
            _stop: stop,
        }
    }

    fn begin(&self) -> Option<u64> {
        let attempt = self.scheduler.next().unwrap();
        attempt.map(|attempt| attempt.number())
    }

    /// The first event.
    fn first(&self) -> Attempt {
        self.scheduler.next().unwrap().unwrap()
    }

    async fn end(&self, attempt: Attempt, unsettled: &mut Unsettled) -> Option<Attempt> {
        let ended = CallbackOutcome::Success;
        let mut idle = || ();
        let next = self
            .scheduler
            .settle_and_next(attempt, ended, unsettled, &mut idle);
        timeout(LONG, next).await.unwrap()
    }

    async fn called(&self) {
        timeout(LONG, self.scheduler.called()).await.unwrap();
    }
}

fn is_pending<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> bool {
    let polled = future.poll(&mut Context::from_waker(Waker::noop()));
    matches!(polled, Poll::Pending)
}

#[tokio::test]
async fn an_endpoint_that_is_free_calls_the_loop_while_its_job_is_busy() {
    let place = Place::new(&["a", "a", "b"]);
    let mut unsettled = Unsettled::default();
    let busy = place.end(place.first(), &mut unsettled).await.unwrap();
    assert_eq!(busy.number(), 2);
    assert_eq!(place.begin(), None);
    assert!(is_pending(pin!(place.scheduler.called())));
    assert_eq!(place.counters.figures().delivered, 0);
    place.gate.free(0);
    place.called().await;
    assert_eq!(place.counters.figures().delivered, 1);
    assert_eq!(place.begin(), Some(1));
}

#[tokio::test]
async fn what_is_settled_is_forgotten_by_a_job_that_always_finds_more() {
    let place = Place::new(&["a", "b", "c", "d", "e", "f"]);
    let mut unsettled = Unsettled::default();
    let mut next = place.first();
    for number in 0..5 {
        assert_eq!(next.number(), number);
        next = place.end(next, &mut unsettled).await.unwrap();
        assert_eq!(unsettled.0.len(), 1);
        place.gate.free(number);
        place.called().await;
    }
}

#[tokio::test]
async fn a_job_that_waits_for_endpoints_alone_keeps_nothing_and_goes_on() {
    let place = Place::new(&["a", "a"]);
    let mut unsettled = Unsettled::default();
    let mut idle = false;
    let (first, ended) = (place.first(), CallbackOutcome::Success);
    {
        let mut becomes_idle = || idle = true;
        let next = place
            .scheduler
            .settle_and_next(first, ended, &mut unsettled, &mut becomes_idle);
        let mut next = pin!(next);
        assert!(is_pending(next.as_mut()));
        place.gate.free(0);
        let next = timeout(LONG, next).await.unwrap().unwrap();
        assert_eq!(next.number(), 1);
    }
    assert!(idle);
}

#[tokio::test]
async fn a_job_ends_when_all_is_settled_also_after_an_error() {
    let place = Place::new(&["a", "b"]);
    let mut unsettled = Unsettled::default();
    let second = place.end(place.first(), &mut unsettled).await.unwrap();
    let missing = Waiting {
        id: 9,
        key: "c".into(),
        received: 0,
    };
    place.scheduler.take(vec![missing]).unwrap();
    let mut end = pin!(place.end(second, &mut unsettled));
    assert!(is_pending(end.as_mut()));
    let error = place.scheduler.check().unwrap_err();
    assert!(error.message().contains("missing"), "{error}");
    place.gate.free(1);
    place.called().await;
    assert!(is_pending(end.as_mut()));
    place.gate.free(0);
    assert!(end.await.is_none());
    assert_eq!(place.counters.figures().delivered, 2);
}

#[test]
fn what_was_taken_back_is_forgotten_and_its_endpoint_free() {
    let place = Place::new(&["a", "a"]);
    for number in 0..2 {
        let attempt = place.first();
        assert_eq!(attempt.number(), number);
        let taken_back = CallbackOutcome::TakenBack;
        place.scheduler.settle(&attempt, &taken_back).unwrap();
    }
    assert_eq!(
        place.gate.ends(),
        [(0, End::TakenBack), (1, End::TakenBack)]
    );
    assert!(place.scheduler.is_empty());
    assert_eq!(place.counters.figures().delivered, 0);
    assert_eq!(place.counters.figures().failed, 0);
}
