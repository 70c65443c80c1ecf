//! What the worker and its callbacks share: the machine, behind a lock.
//!
//! A callback's job waits until the server has heard that its event is done, so that way is short:
//! the acknowledgement is sent and heard beside the driver, which is woken only where few events are
//! left in hand.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};

use crate::delivery::gate::{End, Gate};
use crate::event::Delivery;
use crate::nats::Connection;
use crate::nats::consumer::Saying;
use crate::worker::machine::{Action, Machine, Receipt};
use crate::worker::moment;

/// What the worker and its callbacks share.
pub struct Shared {
    /// Ourselves, for what is sent.
    this: Weak<Self>,
    connection: Connection,
    /// Where it is sent and heard: the runtime that serves the connection.
    runtime: Handle,
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
    /// For a worker of this connection. Inside the runtime that serves it.
    pub fn new(connection: Connection, machine: Machine) -> Arc<Self> {
        let runtime = Handle::current();
        Arc::new_cyclic(|this| Self {
            this: Weak::clone(this),
            connection,
            runtime,
            machine: Mutex::new(machine),
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

    /// Sends an acknowledgement, and tells the machine whether it was heard. What was not heard is
    /// the driver's to say again.
    async fn acknowledge(self: Arc<Self>, number: u64, receipt: Receipt) {
        let heard = self.connection.say(&receipt.reply, Saying::Done).await;
        let (settled, short) = {
            let mut machine = self.machine();
            machine.acked(receipt.partition, receipt.sequence, heard, moment());
            let settled = machine.take_last(|action| *action == Action::Settled(number));
            (settled.is_some(), machine.is_short(receipt.partition))
        };
        if settled {
            self.settle(Some(number));
        }
        // The driver need not wait for its time to ask for more.
        if short {
            self.wake.notify_one();
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
        let mut machine = self.machine();
        machine.ended(number, End::Delivered, moment());
        let receipt = match machine.take_last(|action| matches!(action, Action::Ack(_))) {
            Some(Action::Ack(receipt)) => Some(receipt),
            _ => None,
        };
        drop(machine);
        match (receipt, self.this.upgrade()) {
            (Some(receipt), Some(this)) => {
                self.runtime.spawn(this.acknowledge(number, receipt));
            }
            _ => self.wake.notify_one(),
        }
        wait
    }

    fn ended(&self, number: u64, end: End) {
        self.machine().ended(number, end, moment());
        self.wake.notify_one();
    }
}
