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

    /// The event of this number is done with.
    fn delivered(&self, number: u64) -> Settling;

    /// What else became of an event that had begun.
    fn ended(&self, number: u64, end: End);
}

/// What a delivery that is done with still holds. Each is free when its channel ends.
pub struct Settling {
    /// Its place among those that may run at a time.
    pub place: oneshot::Receiver<()>,
    /// Its endpoint, of which nothing begins before. Never free before the place.
    pub endpoint: oneshot::Receiver<()>,
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

#[cfg(test)]
pub(super) mod testing {
    //! What the tests of this room share.

    use std::collections::BTreeMap;
    use std::sync::{Mutex, PoisonError};

    use super::{Delivery, End, Gate, Settling, oneshot};

    /// Gives places at once, and an endpoint when it is told to.
    #[derive(Default)]
    pub(crate) struct Holding(Mutex<BTreeMap<u64, oneshot::Sender<()>>>);

    impl Holding {
        /// Whether it holds the endpoint of this event.
        pub(crate) fn holds(&self, number: u64) -> bool {
            self.held(|held| held.contains_key(&number))
        }

        /// Gives it.
        pub(crate) fn free(&self, number: u64) {
            let held = self.held(|held| held.remove(&number));
            assert!(held.is_some(), "{number} is not held");
        }

        fn held<T>(&self, look: impl FnOnce(&mut BTreeMap<u64, oneshot::Sender<()>>) -> T) -> T {
            look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
        }
    }

    impl Gate for Holding {
        fn begin(&self, _number: u64, attempt: u32) -> Option<Delivery> {
            let repeated = false;
            Some(Delivery { attempt, repeated })
        }

        fn delivered(&self, number: u64) -> Settling {
            let (_, place) = oneshot::channel();
            let (held, endpoint) = oneshot::channel();
            self.held(|all| all.insert(number, held));
            Settling { place, endpoint }
        }

        fn ended(&self, _number: u64, _end: End) {}
    }
}
