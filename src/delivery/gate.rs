//! Who has a say on events beside the queue: whoever brought them, where that must be able to take
//! them back, and is to hear at once what became of each. The fleet's worker has one: its events
//! belong to a stream, and are its own for a time only.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::event::Delivery;

/// See the module's documentation. All are called from several threads, and never while the one
/// behind it is asked for something.
pub trait Gate: Send + Sync + 'static {
    /// The event of this number is about to begin, for the `attempt`th time of this run. `None`:
    /// it is not to, and is dropped as if it had never been offered.
    fn begin(&self, number: u64, attempt: u32) -> Option<Delivery>;

    /// Whether the event of this number, which began, may still be started. Getting ready takes
    /// time, and a process that was stopped meanwhile does not know how long.
    fn may_start(&self, number: u64) -> bool;

    /// The event of this number is done with.
    fn delivered(&self, number: u64) -> Settling;

    /// What else became of an event that had begun.
    fn ended(&self, number: u64, end: End);
}

/// Leave to start an event that began. It can end at any moment, so it is asked for at the last.
#[derive(Clone, Default)]
pub struct StartPermit(Option<(Arc<dyn Gate>, u64)>);

impl StartPermit {
    /// Of this event; where nobody has a say, one that does not end.
    pub fn new(gate: Option<&Arc<dyn Gate>>, number: u64) -> Self {
        Self(gate.map(|gate| (Arc::clone(gate), number)))
    }

    /// Whether it is still given.
    pub fn holds(&self) -> bool {
        let Self(asked) = self;
        asked
            .as_ref()
            .is_none_or(|(gate, number)| gate.may_start(*number))
    }
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
    /// It was not to be started any more, or was ended as soon as it was: none of ours for now.
    TakenBack,
    /// Every attempt failed; its dead letter, as one line of JSON.
    GaveUp(String),
    /// We are stopping: it was ended before it was done, or is not tried again.
    Stopped,
}

#[cfg(test)]
pub(super) mod testing {
    //! What the tests of this room share.

    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex, PoisonError};

    use super::{Delivery, End, Gate, Settling, StartPermit, oneshot};

    /// Gives places at once, and an endpoint when it is told to.
    #[derive(Default)]
    pub(crate) struct Holding {
        endpoints: Mutex<BTreeMap<u64, oneshot::Sender<()>>>,
        ends: Mutex<Vec<(u64, End)>>,
    }

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

        /// What it heard that became of events.
        pub(crate) fn ends(&self) -> Vec<(u64, End)> {
            let ends = self.ends.lock();
            ends.unwrap_or_else(PoisonError::into_inner).clone()
        }

        fn held<T>(&self, look: impl FnOnce(&mut BTreeMap<u64, oneshot::Sender<()>>) -> T) -> T {
            let endpoints = self.endpoints.lock();
            look(&mut endpoints.unwrap_or_else(PoisonError::into_inner))
        }
    }

    impl Gate for Holding {
        fn begin(&self, _number: u64, attempt: u32) -> Option<Delivery> {
            let repeated = false;
            Some(Delivery { attempt, repeated })
        }

        fn may_start(&self, _number: u64) -> bool {
            true
        }

        fn delivered(&self, number: u64) -> Settling {
            let (_, place) = oneshot::channel();
            let (held, endpoint) = oneshot::channel();
            self.held(|all| all.insert(number, held));
            Settling { place, endpoint }
        }

        fn ended(&self, number: u64, end: End) {
            let ends = self.ends.lock();
            let mut ends = ends.unwrap_or_else(PoisonError::into_inner);
            ends.push((number, end));
        }
    }

    /// Gives leave to start so many times.
    pub(crate) struct Limited {
        left: AtomicUsize,
        asked: AtomicBool,
    }

    impl Limited {
        /// So many times from now on.
        pub(crate) fn of(times: usize) -> Self {
            Self {
                left: times.into(),
                asked: false.into(),
            }
        }

        /// Not any more.
        pub(crate) fn end(&self) {
            self.left.store(0, Ordering::SeqCst);
        }

        /// Whether it was asked at all.
        pub(crate) fn was_asked(&self) -> bool {
            self.asked.load(Ordering::SeqCst)
        }
    }

    impl Gate for Limited {
        fn begin(&self, _number: u64, attempt: u32) -> Option<Delivery> {
            let repeated = false;
            Some(Delivery { attempt, repeated })
        }

        fn may_start(&self, _number: u64) -> bool {
            let order = Ordering::SeqCst;
            let one_less = |left: usize| left.checked_sub(1);
            self.asked.store(true, order);
            self.left.fetch_update(order, order, one_less).is_ok()
        }

        fn delivered(&self, _number: u64) -> Settling {
            let (_, place) = oneshot::channel();
            let (_, endpoint) = oneshot::channel();
            Settling { place, endpoint }
        }

        fn ended(&self, _number: u64, _end: End) {}
    }

    /// One that holds so many times.
    pub(crate) fn permit_for(times: usize) -> StartPermit {
        let gate: Arc<dyn Gate> = Arc::new(Limited::of(times));
        StartPermit::new(Some(&gate), 0)
    }
}
