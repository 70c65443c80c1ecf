//! What the worker and its callbacks share: the machine, behind a lock.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use crate::delivery::gate::{End, Gate};
use crate::event::Delivery;
use crate::worker::machine::Machine;
use crate::worker::moment;

/// What the worker and its callbacks share.
pub struct Shared {
    machine: Mutex<Machine>,
    pub(super) wake: Notify,
    /// Who waits, by an event's number, until the server knows that it is done.
    unsettled: Mutex<HashMap<u64, oneshot::Sender<()>>>,
}

/// How a worker stands.
#[derive(Debug, Clone, Copy, Default)]
pub struct Standing {
    /// Whether our lease is good.
    pub sure: bool,
    /// How many partitions are ours.
    pub partitions: usize,
    /// How many members there are, ourselves included.
    pub members: usize,
    /// How many events are in hand.
    pub in_hand: usize,
    /// How many events were begun that may have been handled before.
    pub repeated: u64,
}

impl Shared {
    /// For a worker of this name.
    pub fn new(me: String, lease: Duration, partitions: u32, jobs: usize) -> Arc<Self> {
        Arc::new(Self {
            machine: Mutex::new(Machine::new(me, lease, partitions, jobs)),
            wake: Notify::new(),
            unsettled: Mutex::default(),
        })
    }

    /// How the worker stands now.
    pub fn standing(&self) -> Standing {
        let now = moment();
        let machine = self.machine();
        Standing {
            sure: machine.is_sure(now),
            partitions: machine.owned(),
            members: machine.members(now),
            in_hand: machine.in_hand(),
            repeated: machine.repeated(),
        }
    }

    /// Nobody need wait for this event any more; for none (`None`).
    pub(super) fn settle(&self, number: Option<u64>) {
        let mut unsettled = self
            .unsettled
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // Who waits is answered by the end of the channel.
        match number {
            Some(number) => {
                unsettled.remove(&number);
            }
            None => unsettled.clear(),
        }
    }

    /// Only a panic while the guard is held poisons a mutex; the state is whole all the same.
    pub(super) fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gate for Shared {
    fn begin(&self, number: u64, _attempt: u32) -> Option<Delivery> {
        let delivery = self.machine().begin(number, moment());
        if delivery.is_none() {
            self.wake.notify_one();
        }
        delivery
    }

    fn delivered(&self, number: u64) -> oneshot::Receiver<()> {
        let (settled, wait) = oneshot::channel();
        let mut unsettled = self
            .unsettled
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        unsettled.insert(number, settled);
        drop(unsettled);
        self.ended(number, End::Delivered);
        wait
    }

    fn ended(&self, number: u64, end: End) {
        self.machine().ended(number, end, moment());
        self.wake.notify_one();
    }
}
