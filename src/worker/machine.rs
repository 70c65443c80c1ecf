//! A worker as a state machine without I/O and without a clock of its own: which partitions are
//! ours ([`Leases`]), what is in hand of each ([`Partition`]), and what may begin.
//!
//! Whoever drives it tells what was heard, and does the [`Action`]s that it gives, each answered
//! once. What may begin, and a moment later be started, is asked from the threads that run
//! callbacks, so it is decided at once ([`Machine::begin`], [`Machine::may_start`]).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::Moment;
use super::claim::{Before, Claim};
use super::leases::{Leases, Step};
use super::partition::{Partition, Room, Task};
use crate::delivery::gate::End;
use crate::event::{Delivery, Event, EventId};
use crate::nats::bucket::Written;
use crate::nats::consumer::{ConsumerState, Pulled};

/// So many events a second a server is told of, about, that they are under way.
const MOST_TOLD: u64 = 100;

/// A delivery that JetStream is to be told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The partition.
    pub partition: u32,
    /// The event's number in the stream.
    pub sequence: u64,
    /// Where what is said goes.
    pub reply: Arc<str>,
}

/// What is to be done. Each but `Offer`, `HandBack`, `Settled` and `Lost` is answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Write our member's key: [`Machine::renewed`].
    Renew {
        /// Whether we are leaving.
        leaving: bool,
    },
    /// Write a claim: [`Machine::wrote`].
    Claim {
        /// Of this partition.
        partition: u32,
        /// For us, or for nobody.
        ours: bool,
        /// If its revision is this one.
        expected: u64,
        /// What may have been done.
        before: Before,
    },
    /// Ask for the revision of a member's key: [`Machine::confirmed`].
    Confirm(String),
    /// Ask how a partition's consumer stands: [`Machine::asked`].
    Ask {
        /// The partition.
        partition: u32,
        /// The number of the question.
        question: u64,
    },
    /// Ask a partition's consumer for so many events: [`Machine::delivered`], then
    /// [`Machine::pull_ended`].
    Pull(u32, usize),
    /// Hand an event to the sink, under this number; numbers follow each other.
    Offer(u64, Event),
    /// Acknowledge: [`Machine::acked`].
    Ack(Receipt),
    /// Say that it is under way: [`Machine::progressed`].
    Progress(Receipt),
    /// Give an event back.
    HandBack(Arc<str>),
    /// Store the dead letter of the event with this id: [`Machine::buried`].
    Bury(Receipt, EventId, String),
    /// That the event of this number is done with is known to the server, or no longer our affair.
    Settled(u64),
    /// A partition was lost, not handed over.
    Lost,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Machine {
    leases: Leases,
    partitions: Vec<Partition>,
    /// Of each number that was offered and is not done with: partition and event.
    numbers: HashMap<u64, (u32, u64)>,
    next_number: u64,
    actions: Vec<Action>,
    repeated: u64,
    /// How many events may run at a time.
    jobs: usize,
}

impl Machine {
    /// A worker that has not joined yet, and runs so many events at a time.
    pub fn new(me: String, lease: Duration, partitions: u32, jobs: usize) -> Self {
        Self {
            leases: Leases::new(me, lease, partitions),
            partitions: (0..partitions).map(|_| Partition::new()).collect(),
            numbers: HashMap::new(),
            next_number: 0,
            actions: Vec::new(),
            repeated: 0,
            jobs,
        }
    }

    /// What is to be done since it was last asked.
    pub fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    /// The last of what is to be done, if it is such a one; whoever takes it does it.
    pub fn take_last(&mut self, wanted: impl FnOnce(&Action) -> bool) -> Option<Action> {
        self.actions.pop_if(|action| wanted(action))
    }

    /// How many partitions are ours.
    pub fn owned(&self) -> usize {
        self.leases.owned()
    }

    /// Which partitions are ours.
    #[cfg(test)]
    pub fn owned_partitions(&self) -> Vec<u32> {
        self.leases.owned_partitions()
    }

    /// How many members there are, ourselves included.
    pub fn members(&self, now: Moment) -> usize {
        self.leases.members(now)
    }

    /// Whether our partitions are ours now.
    pub fn is_sure(&self, now: Moment) -> bool {
        self.leases.is_sure(now)
    }

    /// How many events are in hand.
    pub fn in_hand(&self) -> usize {
        self.partitions.iter().map(Partition::len).sum()
    }

    /// How many events were begun that may have been handled before.
    pub fn repeated(&self) -> u64 {
        self.repeated
    }

    /// Time passes.
    pub fn tick(&mut self, now: Moment) {
        let steps = self.leases.tick(now);
        self.step(steps);
        let room = self.room();
        for partition in 0..self.partitions.len() {
            let Ok(number) = u32::try_from(partition) else {
                return;
            };
            let Some(one) = self.partitions.get_mut(partition) else {
                return;
            };
            let tasks = one.tick(room, now);
            if one.is_drained() {
                let before = one.close();
                self.leases.release(number, before);
                // The claim is written at once.
                let steps = self.leases.tick(now);
                self.step(steps);
            }
            self.perform(number, tasks);
        }
    }

    /// How many more events each partition may ask for: a server is not told of more than some a
    /// second that they are under way. Half of a partition's share is worth a pull.
    fn room(&self) -> Room {
        let wait = self.partitions.iter().map(Partition::ack_wait).max();
        let told = wait.unwrap_or_default().as_secs() / 3 * MOST_TOLD;
        let most = usize::try_from(told).unwrap_or(usize::MAX);
        let most = most.max(self.jobs.saturating_mul(4));
        let partitions = self.leases.owned().max(1);
        Room {
            events: most.saturating_sub(self.in_hand()) / partitions,
            worth_a_pull: (most / partitions / 2).max(1),
            share: most / partitions,
        }
    }

    /// Whether so few of a partition's events are left in hand that more are to be asked for now.
    pub fn is_short(&self, partition: u32) -> bool {
        let room = self.room();
        let place = usize::try_from(partition).ok();
        place
            .and_then(|place| self.partitions.get(place))
            .is_some_and(|one| one.is_short(room))
    }

    /// We are to hand over everything.
    pub fn leave(&mut self, now: Moment) {
        self.leases.leave();
        self.tick(now);
    }

    /// Whether everything is handed over.
    pub fn has_left(&self) -> bool {
        self.leases.has_left()
    }

    /// See [`Leases::view_began`].
    pub fn view_began(&mut self) {
        self.leases.view_began();
    }

    /// See [`Leases::members_told_anew`].
    pub fn members_told_anew(&mut self, now: Moment) {
        self.leases.members_told_anew(now);
    }

    /// See [`Leases::view_complete`].
    pub fn view_complete(&mut self, now: Moment) {
        let steps = self.leases.view_complete();
        self.step(steps);
        self.tick(now);
    }

    /// See [`Leases::member`].
    pub fn member(
        &mut self,
        name: &str,
        revision: u64,
        told: Option<(Duration, bool)>,
        now: Moment,
    ) {
        self.leases.member(name, revision, told, now);
    }

    /// See [`Leases::claim`].
    pub fn claim(&mut self, partition: u32, claim: Claim, now: Moment) {
        let steps = self.leases.claim(partition, claim, now);
        self.step(steps);
    }

    /// See [`Leases::renewed`].
    pub fn renewed(&mut self, sent: Moment, done: bool, now: Moment) {
        let steps = self.leases.renewed(sent, done, now);
        self.step(steps);
        self.tick(now);
    }

    /// See [`Leases::confirmed`].
    pub fn confirmed(&mut self, name: &str, found: Result<Option<u64>, ()>, now: Moment) {
        self.leases.confirmed(name, found, now);
        self.tick(now);
    }

    /// See [`Leases::wrote`].
    pub fn wrote(&mut self, partition: u32, written: Written, now: Moment) {
        let steps = self.leases.wrote(partition, written, now);
        self.step(steps);
        self.tick(now);
    }

    /// How a partition's consumer stands; `None`: nobody answered.
    pub fn asked(
        &mut self,
        partition: u32,
        question: u64,
        found: Option<ConsumerState>,
        now: Moment,
    ) {
        if let Some(one) = self.partition(partition) {
            let tasks = one.asked(question, found, now);
            self.perform(partition, tasks);
        }
    }

    /// An event came, by a pull that was sent then.
    pub fn delivered(&mut self, partition: u32, delivered: Pulled, sent: Moment, now: Moment) {
        if let Some(one) = self.partition(partition) {
            let (withdrawn, tasks) = one.delivered(delivered, sent, now);
            self.forget(&withdrawn);
            self.perform(partition, tasks);
        }
    }

    /// A pull ended; whether it was answered as a pull is.
    pub fn pull_ended(&mut self, partition: u32, well: bool, now: Moment) {
        if let Some(one) = self.partition(partition) {
            let withdrawn = one.pull_ended(well, now);
            self.forget(&withdrawn);
            self.tick(now);
        }
    }

    /// The event of this number is about to begin. `None`: it is not to.
    pub fn begin(&mut self, number: u64, now: Moment) -> Option<Delivery> {
        let steps = self.leases.expire(now);
        self.step(steps);
        let (partition, sequence) = *self.numbers.get(&number)?;
        let (delivery, withdrawn) = self.partition(partition)?.begin(sequence, now);
        self.forget(&withdrawn);
        if delivery.is_none() {
            self.numbers.remove(&number);
        }
        self.repeated += u64::from(delivery.is_some_and(|delivery| delivery.repeated));
        delivery
    }

    /// Whether the event of this number, which began, may still be started.
    pub fn may_start(&mut self, number: u64, now: Moment) -> bool {
        let steps = self.leases.expire(now);
        self.step(steps);
        let Some((partition, sequence)) = self.numbers.get(&number).copied() else {
            return false;
        };
        self.partition(partition)
            .is_some_and(|one| one.may_start(sequence, number, now))
    }

    /// What became of an event that had begun.
    pub fn ended(&mut self, number: u64, end: End, now: Moment) {
        let Some((partition, sequence)) = self.numbers.get(&number).copied() else {
            self.actions.push(Action::Settled(number));
            return;
        };
        if let Some(one) = self.partition(partition) {
            let waits = end == End::Delivered;
            let ended = one.ended(sequence, end, now);
            if ended.over {
                self.numbers.remove(&number);
            }
            if waits && ended.tasks.is_empty() {
                // Nobody would answer.
                self.actions.push(Action::Settled(number));
            }
            self.forget(&ended.withdrawn);
            self.perform(partition, ended.tasks);
        }
    }

    /// Whether an acknowledgement was heard.
    pub fn acked(&mut self, partition: u32, sequence: u64, heard: bool, now: Moment) {
        if let Some(one) = self.partition(partition) {
            let settled = one.acked(sequence, heard, now);
            self.perform(partition, settled.into_iter().collect());
        }
    }

    /// Whether it was heard, of what was sent then, that an event is under way.
    pub fn progressed(
        &mut self,
        partition: u32,
        sequence: u64,
        sent: Moment,
        heard: bool,
        now: Moment,
    ) {
        if let Some(one) = self.partition(partition) {
            one.progressed(sequence, sent, heard, now);
        }
    }

    /// Whether a dead letter is stored.
    pub fn buried(&mut self, partition: u32, sequence: u64, stored: bool, now: Moment) {
        if let Some(one) = self.partition(partition) {
            let tasks = one.buried(sequence, stored, now);
            self.perform(partition, tasks);
        }
    }

    fn partition(&mut self, partition: u32) -> Option<&mut Partition> {
        self.partitions.get_mut(usize::try_from(partition).ok()?)
    }

    fn forget(&mut self, numbers: &[u64]) {
        for number in numbers {
            self.numbers.remove(number);
        }
    }

    /// Does what the leases want.
    fn step(&mut self, steps: Vec<Step>) {
        for step in steps {
            match step {
                Step::Renew { leaving } => self.actions.push(Action::Renew { leaving }),
                Step::Confirm(member) => self.actions.push(Action::Confirm(member)),
                Step::Write {
                    partition,
                    ours,
                    expected,
                    before,
                } => self.actions.push(Action::Claim {
                    partition,
                    ours,
                    expected,
                    before,
                }),
                Step::Open { partition, before } => {
                    if let Some(one) = self.partition(partition) {
                        one.open(before);
                    }
                }
                Step::Drain(partition) => {
                    if let Some(one) = self.partition(partition) {
                        let (withdrawn, tasks) = one.drain();
                        self.forget(&withdrawn);
                        self.perform(partition, tasks);
                    }
                }
                Step::Lost(partition) => {
                    if let Some(one) = self.partition(partition) {
                        let (withdrawn, tasks) = one.lose();
                        self.forget(&withdrawn);
                        self.perform(partition, tasks);
                        self.actions.push(Action::Lost);
                    }
                }
            }
        }
    }

    /// Does what a partition wants.
    fn perform(&mut self, partition: u32, tasks: Vec<Task>) {
        for task in tasks {
            let action = match task {
                Task::Ask(question) => Action::Ask {
                    partition,
                    question,
                },
                Task::Pull(count) => Action::Pull(partition, count),
                Task::Settled(number) => Action::Settled(number),
                Task::HandBack(reply) => Action::HandBack(reply),
                Task::Offer(sequence) => {
                    let number = self.next_number;
                    let Some(one) = self.partition(partition) else {
                        continue;
                    };
                    let Some(event) = one.event(sequence).cloned() else {
                        continue;
                    };
                    one.offered(sequence, number);
                    self.numbers.insert(number, (partition, sequence));
                    self.next_number += 1;
                    Action::Offer(number, event)
                }
                Task::Ack(sequence) => match self.receipt(partition, sequence) {
                    Some(receipt) => Action::Ack(receipt),
                    None => continue,
                },
                Task::Progress(sequence) => match self.receipt(partition, sequence) {
                    Some(receipt) => Action::Progress(receipt),
                    None => continue,
                },
                Task::Bury(sequence, letter) => {
                    let id = self
                        .partition(partition)
                        .and_then(|one| Some(one.event(sequence)?.id()));
                    match (self.receipt(partition, sequence), id) {
                        (Some(receipt), Some(id)) => Action::Bury(receipt, id, letter),
                        _ => continue,
                    }
                }
            };
            self.actions.push(action);
        }
    }

    fn receipt(&mut self, partition: u32, sequence: u64) -> Option<Receipt> {
        let reply = Arc::clone(self.partition(partition)?.reply(sequence)?);
        Some(Receipt {
            partition,
            sequence,
            reply,
        })
    }
}
