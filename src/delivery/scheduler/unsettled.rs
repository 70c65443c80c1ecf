//! From the end of a delivery to the next one of the same job. Whoever has a say on events may
//! keep the place of one that is done with, and its endpoint for longer: the job goes on with
//! another endpoint then, and the event is settled beside it.

use std::sync::Arc;

use tokio::sync::oneshot::error::TryRecvError;
use tokio::task::JoinSet;

use super::{Attempt, Scheduler, broken};
use crate::delivery::gate::Settling;
use crate::delivery::sink::callback::CallbackOutcome;
use crate::error::Result;

/// Deliveries of one job that gave up their places, and whose endpoints the gate still holds. The
/// job ends after all of them: a sink with nothing under way has settled everything.
#[derive(Default)]
pub(in crate::delivery) struct Unsettled(JoinSet<()>);

impl Scheduler {
    /// Settles a delivery and gives the event to go on with; `None`: nothing is left for this job.
    /// A failure is left for the loop. `idle` is called before the job waits for endpoints alone:
    /// its place may be another's then, and with it what a place may keep open.
    pub(in crate::delivery) async fn settle_and_next(
        self: &Arc<Self>,
        attempt: Attempt,
        outcome: CallbackOutcome,
        unsettled: &mut Unsettled,
        idle: &mut (dyn FnMut() + Send),
    ) -> Option<Attempt> {
        let mut settled = match (&outcome, &self.gate) {
            (CallbackOutcome::Success, Some(gate)) => {
                let settling = gate.delivered(attempt.number());
                self.settle_behind(settling, attempt, unsettled).await
            }
            _ => self.settle(&attempt, &outcome),
        };
        loop {
            // A job that always finds a next event would keep them for ever.
            while let Some(ended) = unsettled.0.try_join_next() {
                settled = settled.and(ended.map_err(broken));
            }
            match settled.and_then(|()| self.next()) {
                Ok(Some(next)) => return Some(next),
                Ok(None) => idle(),
                Err(error) => {
                    self.fail(error);
                    idle();
                    self.settle_rest(unsettled).await;
                    return None;
                }
            }
            // What comes next may be of an endpoint that waits.
            settled = unsettled.0.join_next().await?.map_err(broken);
        }
    }

    /// Settles a delivery when the gate gives its endpoint, and waits only for its place.
    async fn settle_behind(
        self: &Arc<Self>,
        settling: Settling,
        attempt: Attempt,
        unsettled: &mut Unsettled,
    ) -> Result<()> {
        let Settling {
            place,
            mut endpoint,
        } = settling;
        // Without an answer it is settled all the same.
        let _gone = place.await;
        if endpoint.try_recv() == Err(TryRecvError::Empty) {
            self.state().order.gives_place(attempt.number());
            let this = Arc::clone(self);
            unsettled.0.spawn(async move {
                let _gone = endpoint.await;
                match this.settle(&attempt, &CallbackOutcome::Success) {
                    // The job that had it may be busy for long, and others may have ended.
                    Ok(()) => this.call.notify_one(),
                    Err(error) => this.fail(error),
                }
            });
            return Ok(());
        }
        self.settle(&attempt, &CallbackOutcome::Success)
    }

    /// Waits for all that gave up their places, where nothing more begins here.
    async fn settle_rest(&self, unsettled: &mut Unsettled) {
        while let Some(ended) = unsettled.0.join_next().await {
            if let Err(error) = ended {
                self.fail(broken(error));
            }
        }
    }
}

#[cfg(test)]
mod tests;
