//! Events that are printed: in the order in which they came, a batch at a time, and done with when
//! they are written. How a line looks is the writer's affair.

use crate::delivery::scheduler::{Attempt, Scheduler};
use crate::error::{Error, Result};
use crate::event::Event;

/// Writes events for whoever reads them.
pub trait EventWriter: Send {
    /// Writes events in order, so that a reader has them when this returns. Gives those that
    /// cannot be written, by their place, with the reason: they become dead letters.
    ///
    /// Errors: any ends the delivery, and none of these events counts as written;
    /// [`Kind::ClosedPipe`](crate::error::Kind::ClosedPipe), since nobody reads any more, is no
    /// failure in the end.
    fn write(&mut self, events: &[Printed<'_>]) -> Result<Vec<(usize, Error)>>;

    /// How much stack that takes, where it is more than usual.
    fn stack_size(&self) -> Option<usize> {
        None
    }
}

/// An event to be printed.
#[derive(Debug, Clone, Copy)]
pub struct Printed<'e> {
    /// The event.
    pub event: &'e Event,
    /// Whether it may have been printed before.
    pub repeated: bool,
}

/// Prints what a sink was handed, and settles it.
pub(super) fn print(
    writer: &mut dyn EventWriter,
    attempts: &[Attempt],
    scheduler: &Scheduler,
) -> Result<()> {
    let events: Vec<_> = attempts
        .iter()
        .map(|attempt| Printed {
            event: &attempt.event,
            repeated: attempt.delivery.repeated,
        })
        .collect();
    let unprinted = writer.write(&events)?;
    scheduler.settle_printed(attempts, unprinted)
}
