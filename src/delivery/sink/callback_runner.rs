//! A run of the callback for each event: what the runs share, and how one follows the other.

use std::sync::Arc;

use super::callback::{Callback, RunContext};
use super::spawn_pool::Busy;
use crate::delivery::scheduler::{Attempt, Scheduler, Unsettled};

/// What a run of the callback needs beside the event.
pub(super) struct CallbackRunner {
    pub(super) callback: Callback,
    pub(super) context: RunContext,
}

impl CallbackRunner {
    /// Runs the callback for one event after the other, as long as there is one.
    pub(super) async fn run_on(
        self: Arc<Self>,
        scheduler: Arc<Scheduler>,
        first: Attempt,
        mut busy: Busy,
    ) {
        let mut next = Some(first);
        let mut unsettled = Unsettled::default();
        let mut prepared = None;
        while let Some(attempt) = next {
            let run = self.callback.run(
                &attempt.event,
                attempt.delivery,
                &attempt.permit,
                &mut prepared,
                &self.context,
            );
            let outcome = run.await;
            let mut idle = || {
                prepared = None;
                busy.rests();
            };
            next = scheduler
                .settle_and_next(attempt, outcome, &mut unsettled, &mut idle)
                .await;
            busy.works();
        }
    }
}
