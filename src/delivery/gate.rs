//! Who has a say on events beside the queue: whoever brought them, where that must be able to take
//! them back, and is to hear at once what became of each. The fleet's worker has one: its events
//! belong to a stream, and are its own for a time only.

use tokio::sync::oneshot;

use crate::event::Delivery;

/// See the module's documentation. All are called from several threads, and never while the one
/// behind it is asked for something.
pub trait Gate: Send + Sync + 'static {
    /// The event of this number is about to begin, for the `attempt`th time of this run. `None`:
    /// it is not to, and is dropped as if it had never been offered.
    fn begin(&self, number: u64, attempt: u32) -> Option<Delivery>;

    /// The event of this number is done with. The place that it took among those that may run at
    /// a time stays taken until this is answered, so that no more than those are ever in doubt.
    fn delivered(&self, number: u64) -> oneshot::Receiver<()>;

    /// What else became of an event that had begun.
    fn ended(&self, number: u64, end: End);
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// It is done with.
    #[cfg_attr(
        not(feature = "nats"),
        expect(dead_code, reason = "only a worker has a gate")
    )]
    Delivered,
    /// It failed, and is tried again after a pause.
    Failed,
    /// It could not be begun after all, and is tried again.
    NotBegun,
    /// Every attempt failed; its dead letter, as one line of JSON.
    GaveUp(String),
    /// We are stopping: it was ended before it was done, or is not tried again.
    Stopped,
}
