//! A run of the callback for each event: what the runs share, and how one follows the other.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;

use super::callback::Callback;
use super::spawn_pool::Busy;
use crate::delivery::Listener;
use crate::delivery::scheduler::{Attempt, Scheduler, Unsettled};
use crate::delivery::stop::Stop;

/// What a run of the callback needs beside the event.
pub(super) struct CallbackRunner {
    pub(super) callback: Callback,
    pub(super) listener: Arc<dyn Listener>,
    /// The directory for inputs that have to lie in one.
    pub(super) scratch: PathBuf,
    pub(super) stop: watch::Receiver<Stop>,
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
                &self.scratch,
                &mut prepared,
                &self.listener,
                self.stop.clone(),
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
