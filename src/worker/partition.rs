//! What is in hand of one partition: events that its consumer delivered and that are not done with.
//! A state machine without I/O and without a clock of its own.
//!
//! Nothing begins while older events may come: after a takeover, and after a delivery that did not
//! reach us, everything is **held**, sorted, until the consumer has nothing delivered that is not in
//! hand here. A delivery is ours for nine tenths of the consumer's acknowledgement wait since the
//! pull was sent, or since we last said that it is under way.

mod in_hand;
mod settling;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Moment;
use super::claim::Before;
use crate::backoff::Backoff;
use crate::event::{Delivery, Event, EventId};
use crate::nats::consumer::{ConsumerState, MOST_PENDING, Pulled};
pub use in_hand::Task;
use in_hand::{InHand, Ownership, Stage, unreadable};

/// How often a consumer is asked, while events are held.
const ASK_AGAIN: Duration = Duration::from_millis(300);

/// The pauses after a pull or a question that failed: with many partitions few requests a second.
const FAILED: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(4));

/// What JetStream did not hear is said again after this time.
const SAY_AGAIN: Duration = Duration::from_millis(500);

/// When few events are in hand so many are asked for at least, whatever the others have.
const LEAST: usize = 4;

/// So many finished events are known again when they come again.
const FINISHED: usize = 1024;

/// For how many more events of a partition there is room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// So many.
    pub events: usize,
    /// With some events in hand it is asked for no fewer than these.
    pub worth_a_pull: usize,
    /// A partition's share of all. With a third of it, or fewer, in hand more are asked for,
    /// whatever the others have.
    pub share: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PartitionState {
    /// It is not ours.
    Closed,
    /// It is ours; how the consumer stands is not known yet.
    Opening,
    Open,
    /// It is to be handed over.
    Draining,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Partition {
    state: PartitionState,
    in_hand: BTreeMap<u64, InHand>,
    /// By their numbers in the stream. A number alone would not do: a stream that was made anew has
    /// other events there.
    finished: BTreeMap<u64, EventId>,
    /// The number of the last delivery.
    last: u64,
    held: bool,
    /// The question that is under way, and how many events are in hand since it was asked.
    asking: Option<(u64, usize)>,
    asked: u64,
    /// How many events were delivered, when it was asked last, that are not in hand here.
    missing: usize,
    ask_at: Moment,
    pulling: bool,
    pull_at: Moment,
    /// How many pulls or questions failed in a row.
    failures: u32,
    /// How many times in a row a dead letter could not be stored.
    unburied: u32,
    ack_wait: Duration,
    /// Events up to this number are marked, whatever the server's count: it is the largest that
    /// began here, or before.
    done_to: u64,
    /// And so many of the next deliveries.
    marks: u64,
}

impl Partition {
    /// One that is not ours.
    pub fn new() -> Self {
        Self {
            state: PartitionState::Closed,
            in_hand: BTreeMap::new(),
            finished: BTreeMap::new(),
            last: 0,
            held: true,
            asking: None,
            asked: 0,
            missing: 0,
            ask_at: Moment::ZERO,
            pulling: false,
            pull_at: Moment::ZERO,
            failures: 0,
            unburied: 0,
            ack_wait: Duration::ZERO,
            done_to: 0,
            marks: 0,
        }
    }

    /// It is ours from now on.
    pub fn open(&mut self, before: Before) {
        self.state = PartitionState::Opening;
        self.held = true;
        self.marks = before.marks;
        self.done_to = self.done_to.max(before.done_to);
        self.ask_at = Moment::ZERO;
        self.last = 0;
        // An answer that is still to come says nothing of now.
        self.asking = None;
    }

    /// It may be somebody else's: what has not begun is none of ours.
    pub fn lose(&mut self) -> (Vec<u64>, Vec<Task>) {
        self.state = PartitionState::Closed;
        let numbers = self.withdraw();
        let unsettled = self.in_hand.values_mut();
        let unsettled = unsettled.filter_map(|one| one.unsettled.take());
        let settled = unsettled.map(Task::Settled).collect();
        self.in_hand.retain(|_, one| {
            !matches!(
                one.stage,
                Stage::Kept | Stage::Done(false) | Stage::Dead(_, false)
            )
        });
        for one in self.in_hand.values_mut() {
            one.ownership = Ownership::Lost;
        }
        (numbers, settled)
    }

    /// It is to be handed over: what has not begun is given back.
    pub fn drain(&mut self) -> (Vec<u64>, Vec<Task>) {
        self.state = PartitionState::Draining;
        let numbers = self.withdraw();
        let mut tasks = Vec::new();
        self.in_hand.retain(|_, one| {
            let kept = one.stage == Stage::Kept;
            if kept {
                // The server may forget that it was delivered.
                self.marks = self.marks.saturating_add(one.by_count.into());
                tasks.push(Task::HandBack(Arc::clone(&one.reply)));
            }
            !kept
        });
        (numbers, tasks)
    }

    /// Whether it is to be handed over, and nothing is under way any more.
    pub fn is_drained(&self) -> bool {
        self.state == PartitionState::Draining && !self.pulling && self.in_hand.is_empty()
    }

    /// It was handed over. Gives what may have been done.
    pub fn close(&mut self) -> Before {
        self.state = PartitionState::Closed;
        Before {
            done_to: self.done_to,
            marks: self.marks,
        }
    }

    /// How many events are in hand.
    pub fn len(&self) -> usize {
        self.in_hand.len()
    }

    /// How long its consumer waits for an acknowledgement.
    pub fn ack_wait(&self) -> Duration {
        self.ack_wait
    }

    /// The event, to be offered.
    pub fn event(&self, sequence: u64) -> Option<&Event> {
        self.in_hand.get(&sequence).map(|one| &one.event)
    }

    /// Where the event's acknowledgement goes.
    pub fn reply(&self, sequence: u64) -> Option<&Arc<str>> {
        self.in_hand.get(&sequence).map(|one| &one.reply)
    }

    /// The event was offered under this number.
    pub fn offered(&mut self, sequence: u64, number: u64) {
        if let Some(one) = self.in_hand.get_mut(&sequence) {
            one.stage = Stage::Offered(number);
        }
    }

    /// Takes back what was offered and has not begun; the numbers of those.
    fn withdraw(&mut self) -> Vec<u64> {
        let mut numbers = Vec::new();
        for one in self.in_hand.values_mut() {
            if let Stage::Offered(number) = one.stage {
                numbers.push(number);
                one.stage = Stage::Kept;
            }
        }
        numbers
    }

    /// Older events may come: nothing begins. The numbers that are taken back.
    fn hold(&mut self) -> Vec<u64> {
        self.held = true;
        // What is being answered was asked before.
        self.asking = None;
        self.ask_at = Moment::ZERO;
        self.withdraw()
    }

    /// How long to wait after another failure.
    fn pause(&mut self) -> Duration {
        self.failures = self.failures.saturating_add(1);
        FAILED.after(self.failures)
    }

    /// The consumer stands so; `None`: nobody answered.
    pub fn asked(&mut self, question: u64, found: Option<ConsumerState>, now: Moment) -> Vec<Task> {
        let Some((_, in_hand)) = self.asking.take_if(|(asked, _)| *asked == question) else {
            return Vec::new();
        };
        let Some(found) = found else {
            self.ask_at = now + self.pause();
            return Vec::new();
        };
        self.ask_at = now + ASK_AGAIN;
        self.failures = 0;
        self.missing = found.pending.saturating_sub(in_hand);
        self.ack_wait = found.ack_wait;
        if self.state == PartitionState::Opening {
            self.state = PartitionState::Open;
            self.last = self.last.max(found.delivered);
            let most = u64::try_from(found.most_pending).unwrap_or(Before::UNKNOWN);
            self.marks = self.marks.min(most.saturating_mul(2));
        }
        let is_ours = |one: &InHand| one.stage != Stage::Kept || now < one.ours_until;
        if found.pending > in_hand || !self.in_hand.values().all(is_ours) {
            return Vec::new();
        }
        self.held = false;
        let kept = self
            .in_hand
            .iter()
            .filter(|(_, one)| one.stage == Stage::Kept);
        kept.map(|(sequence, _)| Task::Offer(*sequence)).collect()
    }

    /// An event came. Also the numbers that are taken back.
    /// `sent`: when the pull was that it came by.
    pub fn delivered(
        &mut self,
        delivered: Pulled,
        sent: Moment,
        now: Moment,
    ) -> (Vec<u64>, Vec<Task>) {
        let Pulled {
            sequence,
            delivery,
            times,
            reply,
            event,
        } = delivered;
        let gap = self.state == PartitionState::Open && delivery != self.last + 1;
        self.last = delivery;
        let mut withdrawn = if gap { self.hold() } else { Vec::new() };
        let mut tasks = Vec::new();
        if let Some(event) = &event
            && !self.makes_room(sequence, event.id(), &mut withdrawn, &mut tasks)
        {
            return (withdrawn, tasks);
        }
        let wait = self.ack_wait;
        let ours_until = sent + wait * 9 / 10;
        let known = times > 1 || sequence <= self.done_to;
        if let Some(one) = self.in_hand.get_mut(&sequence) {
            // Others may have had an orphan meanwhile.
            one.repeated |= one.is_orphan() && (known || self.marks > 0);
            one.reply = reply;
            one.times = one.times.max(times);
            one.ours_until = one.ours_until.max(ours_until);
            if one.is_orphan() && self.state != PartitionState::Closed {
                one.ownership = Ownership::Regained;
            }
            if let Stage::Done(sending) = &mut one.stage {
                *sending = true;
                one.say_at = now + SAY_AGAIN;
                tasks.push(Task::Ack(sequence));
            }
            return (withdrawn, tasks);
        }
        // A server that was killed has forgotten acknowledgements.
        let finished = self.finished.get(&sequence);
        let done = event
            .as_ref()
            .is_none_or(|event| finished == Some(&event.id()));
        match self.state {
            PartitionState::Closed => return (withdrawn, tasks),
            PartitionState::Draining if !done => {
                tasks.push(Task::HandBack(reply));
                return (withdrawn, tasks);
            }
            _ => {}
        }
        // One that is marked anyway uses up nothing.
        let by_count = !done && !known && self.marks > 0;
        self.marks = self.marks.saturating_sub(by_count.into());
        let one = InHand {
            stage: if done { Stage::Done(true) } else { Stage::Kept },
            reply,
            event: event.unwrap_or_else(unreadable),
            times,
            repeated: known || by_count,
            by_count,
            ours_until,
            say_at: now + wait / 3,
            ownership: Ownership::Ours,
            begun: 0,
            unsettled: None,
        };
        self.in_hand.insert(sequence, one);
        if done {
            tasks.push(Task::Ack(sequence));
        } else if !self.held {
            tasks.push(Task::Offer(sequence));
        }
        (withdrawn, tasks)
    }

    /// Drops what is in hand under this number, if it is another event: a server that was killed
    /// may have lost its last messages, and then gives their numbers to others. False while that
    /// other one runs; this one comes again.
    fn makes_room(
        &mut self,
        sequence: u64,
        id: EventId,
        withdrawn: &mut Vec<u64>,
        tasks: &mut Vec<Task>,
    ) -> bool {
        let Some(one) = self.in_hand.get(&sequence) else {
            return true;
        };
        if one.event.id() == id {
            return true;
        }
        match one.stage {
            Stage::Running(_) => return false,
            Stage::Offered(number) => withdrawn.push(number),
            Stage::Kept | Stage::Done(_) | Stage::Dead(..) => {}
        }
        tasks.extend(one.unsettled.map(Task::Settled));
        self.in_hand.remove(&sequence);
        true
    }

    /// A pull ended; whether it was answered as a pull is.
    pub fn pull_ended(&mut self, well: bool, now: Moment) -> Vec<u64> {
        self.pulling = false;
        if well {
            self.failures = 0;
            return Vec::new();
        }
        self.pull_at = now + self.pause();
        if self.state == PartitionState::Open {
            // Something may have been on its way.
            self.hold()
        } else {
            Vec::new()
        }
    }

    /// The offered event is about to begin. `None`: it is not to, and is taken back; perhaps
    /// others, too.
    pub fn begin(&mut self, sequence: u64, now: Moment) -> (Option<Delivery>, Vec<u64>) {
        if self.state != PartitionState::Open || self.held {
            return (None, Vec::new());
        }
        let Some(one) = self.in_hand.get_mut(&sequence) else {
            return (None, Vec::new());
        };
        let Stage::Offered(number) = one.stage else {
            return (None, Vec::new());
        };
        if now >= one.ours_until {
            return (None, self.hold());
        }
        one.begun += 1;
        one.ownership = Ownership::Ours;
        one.stage = Stage::Running(number);
        self.done_to = self.done_to.max(sequence);
        let attempt = one.times.saturating_sub(1) + u64::from(one.begun);
        let delivery = Delivery {
            attempt: u32::try_from(attempt).unwrap_or(u32::MAX),
            repeated: one.repeated || attempt > 1,
        };
        (Some(delivery), Vec::new())
    }

    /// Whether the event that began under this number may still be started.
    pub fn may_start(&self, sequence: u64, number: u64, now: Moment) -> bool {
        let Some(one) = self.in_hand.get(&sequence) else {
            return false;
        };
        let began = one.stage == Stage::Running(number);
        began && one.ownership == Ownership::Ours && now < one.ours_until
    }

    /// Whether few events are left in hand.
    pub fn is_short(&self, room: Room) -> bool {
        self.in_hand.len() <= room.share / 3
    }

    /// What is to be done now.
    pub fn tick(&mut self, room: Room, now: Moment) -> Vec<Task> {
        let mut tasks = Vec::new();
        if self.state == PartitionState::Closed {
            return tasks;
        }
        let asks = self.state == PartitionState::Opening
            || (self.state == PartitionState::Open && self.held);
        if asks && self.asking.is_none() && now >= self.ask_at {
            let ours = |one: &&InHand| !one.is_orphan() && !matches!(one.stage, Stage::Done(_));
            self.asked += 1;
            self.asking = Some((self.asked, self.in_hand.values().filter(ours).count()));
            tasks.push(Task::Ask(self.asked));
        }
        // What is held goes on only when all that was delivered is here; it comes before new ones.
        let wanted = match self.in_hand.len() {
            // Dead letters find no place: there are enough of them.
            _ if self.unburied > 0 && !self.held => 0,
            _ if self.held => self.missing.max(LEAST),
            _ if self.is_short(room) => room.events.max(room.share).max(LEAST),
            // A pull costs both sides more than an event.
            _ if room.events < room.worth_a_pull => 0,
            _ => room.events,
        };
        if self.state == PartitionState::Open && !self.pulling && wanted > 0 && now >= self.pull_at
        {
            self.pulling = true;
            tasks.push(Task::Pull(wanted.min(MOST_PENDING.into())));
        }
        let wait = self.ack_wait;
        for (sequence, one) in &mut self.in_hand {
            if now < one.say_at {
                continue;
            }
            match &mut one.stage {
                Stage::Done(sending) if !*sending => {
                    *sending = true;
                    tasks.push(Task::Ack(*sequence));
                }
                Stage::Done(_) => {}
                Stage::Dead(letter, storing) => {
                    if !*storing {
                        *storing = true;
                        tasks.push(Task::Bury(*sequence, letter.clone()));
                    }
                    one.say_at = now + wait / 3;
                    tasks.push(Task::Progress(*sequence));
                }
                _ => {
                    one.say_at = now + wait / 3;
                    tasks.push(Task::Progress(*sequence));
                }
            }
        }
        tasks
    }
}

#[cfg(test)]
mod tests;
