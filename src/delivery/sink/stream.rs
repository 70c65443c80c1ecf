//! Events that are stored in a NATS JetStream stream: done with when the stream has acknowledged
//! them. One event of an endpoint is under way at a time, up to [`WINDOW`] over all endpoints.
//!
//! While the stream takes nothing, nothing is sent but a probe: one event, after pauses that grow.
//! Which one that is, and when, is decided where every order is
//! ([`crate::delivery::endpoint_order`]); what is sent, in [`crate::nats`].

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::Outage;
use super::callback::CallbackOutcome;
use crate::backoff::Backoff;
use crate::delivery::counters::Counters;
use crate::delivery::endpoint_order::Rules;
use crate::delivery::scheduler::{Attempt, Scheduler, Unsettled};
use crate::delivery::stop::Stop;
use crate::event::Event;
use crate::nats::{Published, Publisher};

/// How many events may be under way at once.
pub(super) const WINDOW: usize = 512;

/// The pauses before a probe: never more than ten requests a second.
const PROBES: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));

/// What is said when the stream takes nothing.
pub(super) const OUTAGE: Outage = Outage {
    over: "the stream takes events again",
    each_pause: false,
};

/// An event that the stream refuses is refused for good; everything else is tried until it is
/// stored.
pub(super) fn rules(rules: Rules) -> Rules {
    Rules {
        retries: 0,
        backoff: PROBES,
        probes: true,
        ..rules
    }
}

/// What storing an event needs beside it.
pub(super) struct StreamSink {
    pub(super) publisher: Arc<Publisher>,
    pub(super) counters: Arc<Counters>,
    pub(super) stop: watch::Receiver<Stop>,
}

impl StreamSink {
    /// Stores one event after the other, as long as there is one.
    pub(super) async fn store_on(self: Arc<Self>, scheduler: Arc<Scheduler>, first: Attempt) {
        let mut stop = self.stop.clone();
        // Asked for once: to begin to wait takes longer than to go on.
        let mut stopped = pin!(Stop::AtOnce.reached(&mut stop));
        let mut next = Some(first);
        let mut unsettled = Unsettled::default();
        while let Some(attempt) = next {
            let outcome = tokio::select! {
                biased;
                () = &mut stopped => CallbackOutcome::Stopped,
                outcome = self.store(&attempt.event, attempt.number()) => outcome,
            };
            let ends = outcome == CallbackOutcome::Stopped;
            next = scheduler
                .settle_and_next(attempt, outcome, &mut unsettled, &mut || ())
                .await;
            if ends {
                return;
            }
        }
    }

    async fn store(&self, event: &Event, number: u64) -> CallbackOutcome {
        match self.publisher.publish(event, number).await {
            Published::Stored => CallbackOutcome::Success,
            Published::HadIt => {
                self.counters.had_already();
                CallbackOutcome::Success
            }
            Published::Refused(why) => CallbackOutcome::Refused(why),
            Published::Unavailable(why) => CallbackOutcome::Unavailable(why),
        }
    }
}
