//! The machine and its topics' REST reads: when one begins, whose answer came, what follows from a
//! failure.

use super::nodes::growing_pause;
use super::{Phase, Subscription};
use crate::error::{Error, Kind};
use crate::pxgrid::subscription::catch_up::Purpose;
use crate::pxgrid::subscription::topic::{EmitContext, Topic};
use crate::pxgrid::subscription::{Action, Moment, Notice, Timer};

impl Subscription {
    /// Calls into a topic with its surroundings.
    pub(super) fn with_topic<T>(
        &mut self,
        now: Moment,
        index: usize,
        out: &mut Vec<Action>,
        call: impl FnOnce(&mut Topic, &mut EmitContext<'_>) -> T,
    ) -> Option<T> {
        let mut context = EmitContext {
            node: &self.node,
            at: now.wall,
            elapsed: now.elapsed,
            ahead: self.ahead,
            figures: &mut self.figures,
            out,
        };
        let topic = self.topics.get_mut(index)?;
        Some(call(topic, &mut context))
    }

    /// Makes the topic's next read if there is one; only while subscribed, for what is published
    /// before that would be missed again.
    pub(super) fn begin_read(&mut self, now: Moment, index: usize, out: &mut Vec<Action>) {
        if !matches!(self.phase, Phase::Live(life) if life.subscribed) {
            return;
        }
        let id = self.reads;
        let filter = self.options.filter.clone();
        let read = self.with_topic(now, index, out, |topic, context| {
            topic.begin_read(id, filter.as_deref(), context)
        });
        if let Some(Some(read)) = read {
            self.reads += 1;
            out.push(Action::Recover { id, read });
        }
    }

    fn reading(&self, id: u64) -> Option<(usize, Purpose)> {
        self.topics
            .iter()
            .enumerate()
            .find_map(|(index, topic)| Some((index, topic.reads.purpose(id)?)))
    }

    pub(super) fn rows(
        &mut self,
        now: Moment,
        id: u64,
        rows: &[String],
        deleted: bool,
        out: &mut Vec<Action>,
    ) {
        if let (Some((index, purpose)), false) = (self.reading(id), self.phase == Phase::Stopping) {
            self.with_topic(now, index, out, |topic, context| {
                topic.rows(purpose, rows, deleted, context);
            });
        }
    }

    pub(super) fn read_done(&mut self, now: Moment, id: u64, out: &mut Vec<Action>) {
        if let (Some((index, purpose)), false) = (self.reading(id), self.phase == Phase::Stopping) {
            let done = self.with_topic(now, index, out, |topic, context| {
                topic.read_done(purpose, context)
            });
            if let Some(Some(before)) = done {
                out.push(Action::SetTimer {
                    timer: Timer::CatchUp(index),
                    after: growing_pause(&self.options, before, now.random),
                });
            }
            self.begin_read(now, index, out);
        }
    }

    pub(super) fn read_failed(
        &mut self,
        now: Moment,
        id: u64,
        error: Error,
        out: &mut Vec<Action>,
    ) {
        let Some((index, purpose)) = self.reading(id) else {
            return;
        };
        let options = self.options.clone();
        self.with_topic(now, index, out, |topic, context| {
            if error.http_status() == Some(404) && topic.fall_back(purpose) {
                return;
            }
            if error.kind() == Kind::Refused {
                topic.read_refused(error, context);
                return;
            }
            let pause = growing_pause(&options, topic.reads.failed(), now.random);
            context.out.push(Action::Say(Notice::CatchUpFailed {
                topic: topic.destination.clone(),
                error,
                pause,
            }));
            context.out.push(Action::SetTimer {
                timer: Timer::CatchUp(index),
                after: pause,
            });
        });
        self.begin_read(now, index, out);
    }
}
