//! The connection's side of a subscription: lookup, secret, node after node, pauses, watchdog,
//! leaving.
//!
//! Pauses double from `reconnect_min` to `reconnect_max` with equal jitter (half fixed, half
//! random) and go on to the next node; when each node of a lookup failed once, `lookup_pause` and
//! a new lookup follow. A connection counts as success, which resets all that, once it brought a
//! message and outlived the pause before it, or outlived `reconnect_max`; merely being let in
//! does not, or a server that sends ERROR after SUBSCRIBE would be asked every second, and so
//! would one that sends a message first.
//!
//! A refused secret is fetched anew once; refused again, the node counts as failed. A first lookup
//! that fails, and a refusal by every node of two lookups at the start, end the subscription with
//! their error: waiting would not mend a wrong name or a missing permission. Afterwards nothing
//! ends it but the user.

mod frames;
pub(super) mod nodes;
mod reads;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use super::notice::{ClockOf, LossCause, Notice, Why};
use super::notice_limit::NoticeLimit;
use super::topic::Topic;
use super::{Action, Input, Moment, PubsubNode, SubscriptionOptions, Timer};
use crate::error::{Error, Kind, Result};
use crate::event::{Figures, Mark};
use crate::pxgrid::stomp::Frame;

/// The receipt asked for when leaving.
const RECEIPT: &str = "bye";

/// Clocks that differ by more are said to.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_secs(30);

/// Of so many nodes it is said; a lookup may name as many as it likes.
const MOST_CLOCKS: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    LookingUp,
    Fetching,
    Connecting,
    Greeting,
    Live(Life),
    /// Before a new lookup, or before the next node.
    Pausing {
        lookup: bool,
    },
    Stopping,
    Done,
}

/// A connection that stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Life {
    since: Duration,
    heard: Duration,
    message: bool,
    /// The server has read our SUBSCRIBE frames: it answered the ping behind them. Only what is
    /// read over REST from then on misses nothing that was published before the topic was ours.
    subscribed: bool,
}

/// See the folder's documentation.
#[derive(Debug)]
pub struct Subscription {
    options: SubscriptionOptions,
    resume: Vec<Mark>,
    phase: Phase,
    topics: Vec<Topic>,
    nodes: Vec<PubsubNode>,
    at: usize,
    /// The name of the node that was tried last.
    node: Arc<str>,
    /// How many nodes failed in a row since the lookup.
    failed: usize,
    /// How many tries failed in a row.
    tries: u32,
    /// The pause before the last try.
    last_pause: Duration,
    /// How many lookups have succeeded.
    lookups: u64,
    /// The secret was fetched anew for this node.
    refreshed: bool,
    /// Every node of an earlier lookup refused us, and none let us in since.
    refused_before: bool,
    /// How many nodes of this lookup refused us.
    refusals: usize,
    /// A connection stood at some time.
    let_in: bool,
    /// How far the server's clock is ahead of ours, if it ever told.
    ahead: Option<SignedDuration>,
    /// Nodes of which it was said that their clock is wrong.
    clocks: BTreeSet<Arc<str>>,
    reads: u64,
    figures: Figures,
    repeats: NoticeLimit,
}

impl Subscription {
    /// A subscription that has not begun. `resume`: how far an earlier run got, topics it does not
    /// name begin now.
    ///
    /// A filter that cannot be sent is a usage error.
    pub fn new(options: SubscriptionOptions, resume: Vec<Mark>) -> Result<Self> {
        Frame::subscribe("0", "/", options.filter.as_deref()).encode()?;
        Ok(Self {
            options,
            resume,
            phase: Phase::Idle,
            topics: Vec::new(),
            nodes: Vec::new(),
            at: 0,
            node: Arc::default(),
            failed: 0,
            tries: 0,
            last_pause: Duration::ZERO,
            lookups: 0,
            refreshed: false,
            refused_before: false,
            refusals: 0,
            let_in: false,
            ahead: None,
            clocks: BTreeSet::new(),
            reads: 0,
            figures: Figures::default(),
            repeats: NoticeLimit::default(),
        })
    }

    /// What the subscription counted so far.
    pub fn figures(&self) -> Figures {
        self.figures
    }

    /// How far each topic was followed; none before the first connection stood.
    pub fn marks(&self) -> Vec<Mark> {
        self.topics.iter().filter_map(Topic::mark).collect()
    }

    /// What would be lost for good if it ended now: one notice a topic of which something was
    /// missed and not read yet. With `resumed`, a later run goes on from the marks and reads what
    /// can be read.
    pub fn unread(&self, resumed: bool) -> Vec<Notice> {
        let unread = self.topics.iter().filter(|topic| topic.is_unread(resumed));
        unread
            .map(|topic| Notice::PossiblyLost {
                topic: topic.destination.clone(),
                why: LossCause::Ended,
            })
            .collect()
    }

    /// Whether a connection stood at some time.
    pub fn was_live(&self) -> bool {
        self.let_in
    }

    /// Whether a connection stands.
    pub fn is_live(&self) -> bool {
        matches!(self.phase, Phase::Live(_))
    }

    /// Whether [`Action::Finished`] was given.
    pub fn is_finished(&self) -> bool {
        self.phase == Phase::Done
    }

    /// Whether no read runs, waits or is wanted.
    #[cfg(test)]
    pub(super) fn is_at_rest(&self) -> bool {
        let at_rest = |topic: &Topic| topic.reads.is_idle() && !topic.is_unread(false);
        self.topics.iter().all(at_rest)
    }

    /// Whether a list is doubted.
    #[cfg(test)]
    pub(super) fn doubts(&self) -> bool {
        self.topics.iter().any(Topic::doubts)
    }

    /// Takes what happened and appends what to do to `out`, in order. Inputs that fit no longer (a
    /// late timer, an answer to a dropped read) do nothing.
    pub fn handle(&mut self, now: Moment, input: Input, out: &mut Vec<Action>) {
        let begin = out.len();
        self.step(now, input, out);
        self.repeats.sum_up(begin, out);
    }

    fn step(&mut self, now: Moment, input: Input, out: &mut Vec<Action>) {
        match (input, self.phase) {
            (_, Phase::Done) => {}
            (Input::StopRequested, _) => self.stop(out),
            (Input::Started, Phase::Idle) => self.look_up(out),
            (
                Input::LookedUp {
                    destinations,
                    nodes,
                },
                Phase::LookingUp,
            ) => self.looked_up(destinations, nodes, out),
            (Input::LookupFailed(error), Phase::LookingUp) => {
                if self.lookups == 0 {
                    self.finish(Some(error), out);
                } else {
                    out.push(Action::Say(Notice::LookupFailed(error)));
                    self.pause(true, self.options.lookup_pause, out);
                }
            }
            (Input::SecretGot, Phase::Fetching) => {
                self.phase = Phase::Connecting;
                if let Some(node) = self.nodes.get(self.at).cloned() {
                    out.push(Action::Connect { node });
                }
            }
            (Input::SecretFailed(error), Phase::Fetching) if error.kind() == Kind::Refused => {
                // Our account is refused, no secret of it: another one would be asked for with the
                // same password.
                self.refreshed = true;
                self.refused(now, error, out);
            }
            (Input::SecretFailed(error), Phase::Fetching)
            | (Input::Closed(error), Phase::Greeting) => {
                self.node_failed(now, Why::Error(error), out);
            }
            (Input::Connected { date }, Phase::Connecting) => {
                // Without it the clocks are taken to be as far apart as they were.
                if let Some(date) = date {
                    let ahead = date.duration_since(now.wall);
                    self.ahead = Some(ahead);
                    self.compare_clocks(ahead, ClockOf::Us, out);
                }
                self.phase = Phase::Greeting;
                out.push(Action::Send(Frame::connect(self.node_name())));
            }
            (Input::ConnectFailed { error, refused }, Phase::Connecting) => {
                if refused {
                    self.refused(now, error, out);
                } else {
                    self.node_failed(now, Why::Error(error), out);
                }
            }
            (Input::Frame(frame), phase) => self.frame(now, &frame, phase, out),
            (Input::Ping, Phase::Live(life)) => self.note_sign_of_life(now, life),
            (Input::Pong, Phase::Live(life)) => {
                self.note_sign_of_life(now, life);
                self.subscribed(now, out);
            }
            (Input::Closed(error), Phase::Live(life)) => {
                self.lost(now, life, Why::Error(error), out);
            }
            (Input::Closed(_), Phase::Stopping) => self.finish(None, out),
            (Input::Fired(timer), phase) => self.fired(now, timer, phase, out),
            (Input::Rows { id, rows, deleted }, _) => {
                self.rows(now, id, &rows, deleted, out);
            }
            (Input::ReadDone { id }, _) => self.read_done(now, id, out),
            (Input::ReadFailed { id, error }, _) => self.read_failed(now, id, error, out),
            _ => {}
        }
    }

    /// Says of a node, once, that its clock is far from another.
    fn compare_clocks(&mut self, ahead: SignedDuration, of: ClockOf, out: &mut Vec<Action>) {
        let known = self.clocks.contains(&self.node) || self.clocks.len() >= MOST_CLOCKS;
        if ahead.abs() <= CLOCK_TOLERANCE || known {
            return;
        }
        self.clocks.insert(Arc::clone(&self.node));
        out.push(Action::Say(Notice::ClockDiffers {
            node: self.node_name().to_owned(),
            ahead,
            of,
        }));
    }

    fn note_sign_of_life(&mut self, now: Moment, life: Life) {
        self.phase = Phase::Live(Life {
            heard: now.elapsed,
            ..life
        });
    }

    fn node_name(&self) -> &str {
        self.nodes.get(self.at).map_or("", |node| &node.name)
    }

    fn look_up(&mut self, out: &mut Vec<Action>) {
        self.phase = Phase::LookingUp;
        out.push(Action::LookUp);
    }

    fn looked_up(
        &mut self,
        destinations: Vec<String>,
        nodes: Vec<PubsubNode>,
        out: &mut Vec<Action>,
    ) {
        if let Some(error) = destinations.iter().find_map(|destination| {
            let frame = Frame::subscribe("0", destination, None);
            frame.encode().err()
        }) {
            return self.finish(Some(error), out);
        }
        // A fresh lookup gives the same topics; should a path have changed, what was known of the
        // old one is of no use.
        for (index, destination) in destinations.into_iter().enumerate() {
            let same = |topic: &Topic| topic.destination == destination;
            if self.topics.get(index).is_some_and(same) {
                continue;
            }
            let mark = self.resume.iter().find(|mark| mark.topic == destination);
            let topic = Topic::new(destination, index, &self.options, mark);
            match self.topics.get_mut(index) {
                Some(slot) => *slot = topic,
                None => self.topics.push(topic),
            }
        }
        self.lookups += 1;
        self.nodes = nodes;
        self.at = 0;
        self.failed = 0;
        self.refusals = 0;
        if self.nodes.is_empty() {
            out.push(Action::Say(Notice::NoNodes));
            self.pause(true, self.options.lookup_pause, out);
        } else {
            self.try_node(false, out);
        }
    }

    fn fired(&mut self, now: Moment, timer: Timer, phase: Phase, out: &mut Vec<Action>) {
        match (timer, phase) {
            (Timer::Pause, Phase::Pausing { lookup: true }) => self.look_up(out),
            (Timer::Pause, Phase::Pausing { lookup: false }) => self.try_node(false, out),
            (Timer::Connect, Phase::Fetching | Phase::Connecting | Phase::Greeting) => {
                self.node_failed(now, Why::TimedOut(self.options.connect_timeout), out);
            }
            // A server that answers no ping is taken at its word of CONNECTED.
            (Timer::Connect, Phase::Live(_)) => self.subscribed(now, out),
            (Timer::Silence, Phase::Live(life)) => {
                let quiet = now.elapsed.saturating_sub(life.heard);
                if quiet >= self.options.silence {
                    self.lost(now, life, Why::Silent(self.options.silence), out);
                } else {
                    out.push(Action::SetTimer {
                        timer,
                        after: self.options.silence.saturating_sub(quiet),
                    });
                }
            }
            (Timer::Receipt, Phase::Stopping) => {
                out.push(Action::Say(Notice::NoReceipt));
                self.finish(None, out);
            }
            (Timer::CatchUp(index), _) => {
                self.with_topic(now, index, out, |topic, _| topic.reads.resume());
                self.begin_read(now, index, out);
            }
            (Timer::Confirm(index), _) => {
                self.with_topic(now, index, out, |topic, _| topic.confirm());
                self.begin_read(now, index, out);
            }
            (Timer::NoticeLimit, _) => self.repeats.say(out),
            _ => {}
        }
    }

    fn stop(&mut self, out: &mut Vec<Action>) {
        match self.phase {
            Phase::Stopping => {}
            Phase::Live(_) => {
                out.push(Action::Say(Notice::Stopping));
                for index in 0..self.topics.len() {
                    out.push(Action::Send(Frame::unsubscribe(&index.to_string())));
                }
                out.push(Action::Send(Frame::disconnect(RECEIPT)));
                out.push(Action::SetTimer {
                    timer: Timer::Receipt,
                    after: self.options.stop_wait,
                });
                self.phase = Phase::Stopping;
            }
            _ => self.finish(None, out),
        }
    }

    fn finish(&mut self, error: Option<Error>, out: &mut Vec<Action>) {
        self.repeats.say(out);
        out.push(Action::Close);
        out.push(Action::Finished(error));
        self.phase = Phase::Done;
    }
}
