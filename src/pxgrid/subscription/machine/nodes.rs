//! The machine and its nodes: trying one, what follows when it refuses, fails or is lost, and the
//! pauses in between.

use std::time::Duration;

use super::{Life, Phase, Subscription};
use crate::backoff::{Backoff, jittered};
use crate::error::Error;
use crate::pxgrid::subscription::{Action, Moment, Notice, SubscriptionOptions, Timer, Why};

impl Subscription {
    pub(super) fn try_node(&mut self, fresh: bool, out: &mut Vec<Action>) {
        self.phase = Phase::Fetching;
        self.refreshed = fresh;
        out.push(Action::SetTimer {
            timer: Timer::Connect,
            after: self.options.connect_timeout,
        });
        if let Some(node) = self.nodes.get(self.at).cloned() {
            self.node = node.name.as_str().into();
            out.push(Action::FetchSecret { node, fresh });
        }
    }

    pub(super) fn refused(&mut self, now: Moment, error: Error, out: &mut Vec<Action>) {
        if !self.refreshed {
            out.push(Action::Say(Notice::SecretRefused {
                node: self.node_name().to_owned(),
            }));
            return self.try_node(true, out);
        }
        self.refusals += 1;
        let all = self.refusals >= self.nodes.len();
        if all && self.refused_before && !self.let_in {
            return self.finish(Some(error), out);
        }
        out.push(Action::Say(Notice::NodeFailed {
            node: self.node_name().to_owned(),
            why: Why::Error(error),
        }));
        if all && !self.let_in {
            // A lookup may know better, and somebody waits for our first word.
            self.refused_before = true;
            let pause = self.next_pause(now);
            self.pause(true, pause, out);
        } else {
            self.next_node(now, out);
        }
    }

    /// A node could not be used: the next one, or a new lookup when that was the last.
    pub(super) fn node_failed(&mut self, now: Moment, why: Why, out: &mut Vec<Action>) {
        out.push(Action::Close);
        out.push(Action::Say(Notice::NodeFailed {
            node: self.node_name().to_owned(),
            why,
        }));
        self.next_node(now, out);
    }

    /// A connection that stood is gone.
    pub(super) fn lost(&mut self, now: Moment, life: Life, why: Why, out: &mut Vec<Action>) {
        out.push(Action::Close);
        out.push(Action::Say(Notice::ConnectionLost {
            node: self.node_name().to_owned(),
            why,
        }));
        for topic in &mut self.topics {
            topic.connection_lost();
        }
        let lived = now.elapsed.saturating_sub(life.since);
        let served = life.message && lived >= self.last_pause;
        if served || lived >= self.options.reconnect_max {
            // Its loss is no verdict on a node that served us: each may be tried before a new
            // lookup, this one among them.
            self.tries = 0;
            self.failed = 0;
            self.try_next(now, out);
        } else if life.message {
            // It lets us in and drops us again: pauses grow, and when each node did so a lookup
            // may know better.
            self.failed += 1;
            if self.failed >= self.nodes.len() {
                let pause = self.next_pause(now);
                self.pause(true, pause, out);
            } else {
                self.try_next(now, out);
            }
        } else {
            self.next_node(now, out);
        }
    }

    pub(super) fn next_node(&mut self, now: Moment, out: &mut Vec<Action>) {
        self.failed += 1;
        // Neither is the first loss of a connection that stood, though it brought nothing.
        let fresh_loss = self.tries == 0 && self.failed == 1 && self.let_in;
        if self.failed >= self.nodes.len() && !fresh_loss {
            self.pause(true, self.options.lookup_pause, out);
        } else {
            self.try_next(now, out);
        }
    }

    fn try_next(&mut self, now: Moment, out: &mut Vec<Action>) {
        self.at = (self.at + 1).checked_rem(self.nodes.len()).unwrap_or(0);
        let pause = self.next_pause(now);
        self.pause(false, pause, out);
    }

    pub(super) fn pause(&mut self, lookup: bool, pause: Duration, out: &mut Vec<Action>) {
        self.phase = Phase::Pausing { lookup };
        self.last_pause = pause;
        out.push(Action::Say(Notice::Pause { pause, lookup }));
        out.push(Action::SetTimer {
            timer: Timer::Pause,
            after: pause,
        });
    }

    pub(super) fn next_pause(&mut self, now: Moment) -> Duration {
        let pause = growing_pause(&self.options, self.tries, now.random);
        self.tries = self.tries.saturating_add(1);
        pause
    }
}

/// `reconnect_min` doubled `tries` times up to `reconnect_max`; half of that is certain, but never
/// less than `reconnect_min`, and the rest is left to chance, so that a thousand subscribers that
/// lost one node do not come back at once.
pub(in crate::pxgrid::subscription) fn growing_pause(
    options: &SubscriptionOptions,
    tries: u32,
    random: u32,
) -> Duration {
    let pauses = Backoff::new(options.reconnect_min, options.reconnect_max);
    let pause = jittered(pauses.after(tries.saturating_add(1)), random);
    pause.max(options.reconnect_min.min(options.reconnect_max))
}
