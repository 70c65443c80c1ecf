//! What the worker and its callbacks share: the machine, behind a lock.
//!
//! A callback's job goes on with another endpoint when the acknowledgement of its event has left
//! this process, and where as many as there are jobs are not heard yet, when the server has heard it.
//! So after our end no more events come again than there are jobs. It may be twice as many, never
//! more, where the server or the computer ends with us, or the connection stalled or broke before:
//! the library says that something was flushed also where a full socket did not take it, and what
//! lies in a socket may go with it. An
//! endpoint goes on when the server has heard it: else an older event could come again behind a
//! newer one that is done. That way is short: it is beside the driver, which is woken only where few
//! events are left in hand.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};

use crate::delivery::gate::{End, Gate, Settling};
use crate::event::Delivery;
use crate::nats::Connection;
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
    unsettled: Mutex<Unsettled>,
    /// Of so many events the place may be free before the server has heard: `--jobs`, also where
    /// fewer callbacks may run for want of files. Who waits for an endpoint keeps none open.
    jobs: usize,
}

/// Events that are done, by their numbers, of which the server is not known to have heard.
#[derive(Default)]
struct Unsettled {
    waiting: HashMap<u64, Waiting>,
    /// Of how many the place is free.
    written: usize,
}

/// Who waits is answered by the end of the channel.
struct Waiting {
    place: Option<oneshot::Sender<()>>,
    _endpoint: oneshot::Sender<()>,
}

impl Unsettled {
    fn wait(&mut self, number: u64) -> Settling {
        let (free, place) = oneshot::channel();
        let (over, endpoint) = oneshot::channel();
        let waiting = Waiting {
            place: Some(free),
            _endpoint: over,
        };
        self.waiting.insert(number, waiting);
        Settling { place, endpoint }
    }

    /// The server has heard of this event, or nobody asks any more.
    fn settled(&mut self, number: u64) {
        let waiting = self.waiting.remove(&number);
        if waiting.is_some_and(|waiting| waiting.place.is_none()) {
            self.written -= 1;
        }
    }

    /// The acknowledgement of this event left us. Of `most` the places are free so.
    fn written(&mut self, number: u64, most: usize) {
        if self.written >= most {
            return;
        }
        let waiting = self.waiting.get_mut(&number);
        if waiting.and_then(|waiting| waiting.place.take()).is_some() {
            self.written += 1;
        }
    }
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
    /// For a worker of this connection, with so many jobs. Inside the runtime that serves it.
    pub fn new(connection: Connection, machine: Machine, jobs: usize) -> Arc<Self> {
        let runtime = Handle::current();
        Arc::new_cyclic(|this| Self {
            this: Weak::clone(this),
            connection,
            runtime,
            machine: Mutex::new(machine),
            wake: Notify::new(),
            unsettled: Mutex::default(),
            jobs,
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
        match number {
            Some(number) => self.unsettled().settled(number),
            None => *self.unsettled() = Unsettled::default(),
        }
    }

    /// Only a panic while the guard is held poisons a mutex; the state is whole all the same.
    fn unsettled(&self) -> MutexGuard<'_, Unsettled> {
        self.unsettled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends an acknowledgement, and tells the machine whether it was heard. What was not heard is
    /// the driver's to say again.
    async fn acknowledge(self: Arc<Self>, number: u64, receipt: Receipt) {
        let written = || self.unsettled().written(number, self.jobs);
        let heard = self.connection.say_done(&receipt.reply, written).await;
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

    /// As [`Shared::unsettled`].
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

    fn may_start(&self, number: u64) -> bool {
        self.machine().may_start(number, moment())
    }

    fn delivered(&self, number: u64) -> Settling {
        let settling = self.unsettled().wait(number);
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
        settling
    }

    fn ended(&self, number: u64, end: End) {
        self.machine().ended(number, end, moment());
        self.wake.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use oneshot::error::TryRecvError::Closed;

    use super::*;

    fn is_free(wait: &mut oneshot::Receiver<()>) -> bool {
        wait.try_recv() == Err(Closed)
    }

    #[test]
    fn no_more_acknowledgements_are_in_doubt_than_there_are_jobs() {
        let mut unsettled = Unsettled::default();
        let mut three: Vec<_> = (0..3).map(|one| unsettled.wait(one)).collect();
        for number in 0..3 {
            unsettled.written(number, 2);
        }
        let places = three.iter_mut().map(|one| is_free(&mut one.place));
        assert_eq!(places.collect::<Vec<_>>(), [true, true, false]);
        assert!(!three.iter_mut().any(|one| is_free(&mut one.endpoint)));
        unsettled.settled(2);
        assert!(is_free(&mut three[2].place) && is_free(&mut three[2].endpoint));
        // One that was heard before it was known to be written takes no place.
        unsettled.written(2, 2);
        unsettled.settled(0);
        assert!(is_free(&mut three[0].endpoint));
        let mut next = unsettled.wait(3);
        unsettled.written(3, 2);
        assert!(is_free(&mut next.place));
        let mut last = unsettled.wait(4);
        unsettled.written(4, 2);
        unsettled.settled(1);
        assert!(!is_free(&mut last.place));
        unsettled.settled(4);
        assert!(is_free(&mut last.place) && is_free(&mut last.endpoint));
    }
}
