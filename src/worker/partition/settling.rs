//! From the end of a callback to the moment at which JetStream has heard of it: acknowledged, given
//! back, or a dead letter stored first. It begins nothing.

use std::sync::Arc;
use std::time::Duration;

use super::in_hand::{Stage, Task};
use super::{FINISHED, Moment, Partition, PartitionState, SAY_AGAIN};
use crate::backoff::Backoff;
use crate::delivery::gate::End;

/// The pauses of dead letters that find no place.
const UNBURIED: Backoff = Backoff::new(SAY_AGAIN, Duration::from_secs(10));

/// What comes of the end of an event that had begun.
#[derive(Debug, PartialEq)]
pub struct Ended {
    /// Whether its number is done with.
    pub over: bool,
    /// The numbers that are taken back with it.
    pub withdrawn: Vec<u64>,
    /// What is to be done.
    pub tasks: Vec<Task>,
}

impl Ended {
    fn over(task: Option<Task>) -> Self {
        Self {
            over: true,
            withdrawn: Vec::new(),
            tasks: task.into_iter().collect(),
        }
    }
}

impl Partition {
    /// What became of an event that had begun.
    pub fn ended(&mut self, sequence: u64, end: End, now: Moment) -> Ended {
        let Some(one) = self.in_hand.get_mut(&sequence) else {
            return Ended::over(None);
        };
        let Stage::Running(number) = one.stage else {
            return Ended::over(None);
        };
        one.say_at = now + SAY_AGAIN;
        match end {
            End::Delivered => {
                one.stage = Stage::Done(true);
                one.unsettled = Some(number);
                self.finish(sequence);
                return Ended::over(Some(Task::Ack(sequence)));
            }
            End::GaveUp(letter) => {
                one.stage = Stage::Dead(letter.clone(), true);
                return Ended::over(Some(Task::Bury(sequence, letter)));
            }
            End::NotBegun => one.begun = one.begun.saturating_sub(1),
            End::TakenBack => {
                one.begun = one.begun.saturating_sub(1);
                one.repeated = true;
            }
            End::Failed | End::Stopped => {}
        }
        let goes_on = matches!(self.state, PartitionState::Opening | PartitionState::Open);
        if !goes_on || end == End::Stopped || one.is_orphan() {
            let reply = Arc::clone(&one.reply);
            self.in_hand.remove(&sequence);
            let ours = self.state != PartitionState::Closed;
            return Ended::over(ours.then_some(Task::HandBack(reply)));
        }
        one.say_at = now;
        if self.held || end == End::TakenBack {
            one.stage = Stage::Kept;
            // What is newer does not begin before it.
            let withdrawn = if self.held { Vec::new() } else { self.hold() };
            return Ended {
                withdrawn,
                ..Ended::over(None)
            };
        }
        one.stage = Stage::Offered(number);
        Ended {
            over: false,
            ..Ended::over(None)
        }
    }

    fn finish(&mut self, sequence: u64) {
        // Whether the consumer's answer still counts it is not known: it stands for no other.
        if let Some((_, in_hand)) = &mut self.asking {
            *in_hand = in_hand.saturating_sub(1);
        }
        if let Some(one) = self.in_hand.get(&sequence) {
            self.finished.insert(sequence, one.event.id());
        }
        if self.finished.len() > FINISHED {
            self.finished.pop_first();
        }
    }

    /// Whether the acknowledgement was heard.
    pub fn acked(&mut self, sequence: u64, heard: bool, now: Moment) -> Option<Task> {
        let closed = self.state == PartitionState::Closed;
        let one = self.in_hand.get_mut(&sequence)?;
        if let Stage::Done(sending) = &mut one.stage {
            *sending = false;
            one.say_at = now + SAY_AGAIN;
            // Should it come again, it is known.
            if heard || closed {
                let one = self.in_hand.remove(&sequence)?;
                return one.unsettled.map(Task::Settled);
            }
        }
        None
    }

    /// Whether it was heard, of what was said then, that the event is under way.
    pub fn progressed(&mut self, sequence: u64, sent: Moment, heard: bool, now: Moment) {
        let wait = self.ack_wait;
        if let Some(one) = self.in_hand.get_mut(&sequence) {
            if heard {
                one.ours_until = one.ours_until.max(sent + wait * 9 / 10);
            } else {
                one.say_at = one.say_at.min(now + SAY_AGAIN);
            }
        }
    }

    /// Whether the dead letter is stored.
    pub fn buried(&mut self, sequence: u64, stored: bool, now: Moment) -> Vec<Task> {
        let closed = self.state == PartitionState::Closed;
        let Some(one) = self.in_hand.get_mut(&sequence) else {
            return Vec::new();
        };
        let Stage::Dead(_, storing) = &mut one.stage else {
            return Vec::new();
        };
        *storing = false;
        one.say_at = now + SAY_AGAIN;
        if stored {
            one.stage = Stage::Done(true);
            self.finish(sequence);
            if std::mem::take(&mut self.unburied) > 0 {
                // There is a place again.
                let others = self.in_hand.values_mut();
                others
                    .filter(|one| matches!(one.stage, Stage::Dead(_, false)))
                    .for_each(|one| one.say_at = now);
            }
            return vec![Task::Ack(sequence)];
        }
        self.unburied = self.unburied.saturating_add(1);
        one.say_at = now + UNBURIED.after(self.unburied).min(self.ack_wait / 3);
        let draining = self.state == PartitionState::Draining;
        let reply = Arc::clone(&one.reply);
        if closed || draining {
            self.in_hand.remove(&sequence);
        }
        draining
            .then_some(Task::HandBack(reply))
            .into_iter()
            .collect()
    }
}
