//! What a subscription has to say about itself, for standard error.
//!
//! A notice is data with words of its own (`Display`, one line); who prints it makes server text in
//! it safe for a terminal.

use std::fmt;
use std::time::Duration;

use jiff::SignedDuration;

use crate::error::Error;

/// One step of a subscription's life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The lookup failed; another follows.
    LookupFailed(Error),
    /// The lookup named no pubsub node.
    NoNodes,
    /// Connected and subscribed.
    Subscribed {
        /// The pubsub node.
        node: String,
        /// How many topics.
        topics: usize,
    },
    /// A node could not be used.
    NodeFailed {
        /// The pubsub node.
        node: String,
        /// Why.
        why: Why,
    },
    /// A connection that stood was lost.
    ConnectionLost {
        /// The pubsub node.
        node: String,
        /// Why.
        why: Why,
    },
    /// The node refused our secret; a fresh one is fetched.
    SecretRefused {
        /// The pubsub node.
        node: String,
    },
    /// The node answered CONNECT with ERROR, which may mean the secret; a fresh one is fetched.
    ConnectRefused {
        /// The pubsub node.
        node: String,
        /// The server's words.
        said: String,
    },
    /// Before the next try.
    Pause {
        /// How long.
        pause: Duration,
        /// Whether the services are looked up anew then; else the next node is tried.
        lookup: bool,
    },
    /// Numbers are missing in a topic.
    Gap {
        /// The topic's path.
        topic: String,
        /// How many messages.
        missed: u64,
    },
    /// Numbers are missing in a topic that the server filters; said once.
    FilteredNumbers {
        /// The topic's path.
        topic: String,
    },
    /// The publisher began to count anew.
    PublisherRestarted {
        /// The topic's path.
        topic: String,
    },
    /// What was missed is being fetched.
    CatchingUp {
        /// The topic's path.
        topic: String,
        /// The REST operation.
        operation: &'static str,
    },
    /// A fetch came to its end.
    CaughtUp {
        /// The topic's path.
        topic: String,
        /// How many events came of it.
        events: u64,
    },
    /// A list lacks what was seen live a moment ago, or too much at once: it is not believed, and
    /// read again.
    NotWhole {
        /// The topic's path.
        topic: String,
        /// How much of what is known it lacks.
        missing: usize,
        /// Time until it is read again.
        pause: Duration,
    },
    /// A node's clock is far from another; said once of a node.
    ClockDiffers {
        /// The pubsub node.
        node: String,
        /// How far it is ahead; behind, where that is negative.
        ahead: SignedDuration,
        /// Of which clock.
        of: ClockOf,
    },
    /// A fetch failed and is tried again.
    CatchUpFailed {
        /// The topic's path.
        topic: String,
        /// Why.
        error: Error,
        /// Time until the next try.
        pause: Duration,
    },
    /// What was missed cannot be fetched, or not all of it.
    PossiblyLost {
        /// The topic's path.
        topic: String,
        /// Why not.
        why: LossCause,
    },
    /// A message could not be read.
    Unreadable {
        /// The topic's path, or what was named as such.
        topic: String,
    },
    /// Notices like `last` that were not said one by one.
    Again {
        /// The last of them.
        last: Box<Notice>,
        /// How many.
        times: u64,
    },
    /// Going.
    Stopping,
    /// The server did not confirm our leave in time.
    NoReceipt,
}

/// Why a node or a connection failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// An error of connecting, reading or fetching the secret.
    Error(Error),
    /// No answer within this time.
    TimedOut(Duration),
    /// Neither data nor ping for this time.
    Silent(Duration),
    /// An ERROR frame with this text.
    ErrorFrame(String),
}

/// What a node's clock is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockOf {
    /// Ours.
    Us,
    /// The times in messages.
    Events,
}

/// Why something may have been lost for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LossCause {
    /// The topic has no REST view of what was published.
    NoWay,
    /// The server does not let this account read it.
    Refused(Error),
    /// This release tells what changed, not what ended.
    EndsUnknown,
    /// What ended cannot be told from what the server's filter hides.
    Filtered,
    /// The topic is caught up by comparing, and there is nothing to compare with: it was an earlier
    /// run that knew.
    NothingToCompare,
    /// The topic is caught up by comparing, and has more rows than are remembered.
    TooMany,
    /// The subscription ended before what was missed was read.
    Ended,
}

impl Notice {
    /// Of what comes as often as messages do: a number for its kind, and the topic's path.
    pub(super) fn per_message(&self) -> Option<(u8, &str)> {
        match self {
            Self::Unreadable { topic } => Some((0, topic)),
            Self::Gap { topic, .. } => Some((1, topic)),
            Self::PublisherRestarted { topic } => Some((2, topic)),
            Self::PossiblyLost { topic, .. } => Some((3, topic)),
            _ => None,
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => write!(f, "{error}"),
            Self::TimedOut(time) => write!(f, "no answer in {time:?}"),
            Self::Silent(time) => write!(f, "neither data nor ping for {time:?}"),
            Self::ErrorFrame(text) => write!(f, "the server said: {text}"),
        }
    }
}

impl fmt::Display for LossCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoWay => f.write_str("this topic cannot be read over REST"),
            Self::Refused(error) => write!(f, "{error}"),
            Self::EndsUnknown => {
                f.write_str("this release does not tell which sessions ended meanwhile")
            }
            Self::Filtered => f.write_str("--filter hides which of them ended meanwhile"),
            Self::NothingToCompare => {
                f.write_str("its REST view has no times, so what changed meanwhile cannot be told")
            }
            Self::TooMany => f.write_str("there are more rows than can be compared"),
            Self::Ended => f.write_str("the command ended before what was missed was fetched"),
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LookupFailed(error) => write!(f, "lookup failed: {error}"),
            Self::NoNodes => f.write_str("the lookup names no pubsub node"),
            Self::Subscribed { node, topics: 0 } => write!(f, "connected to {node}"),
            Self::Subscribed { node, topics: 1 } => write!(f, "subscribed on {node}"),
            Self::Subscribed { node, topics } => {
                write!(f, "subscribed to {topics} topics on {node}")
            }
            Self::NodeFailed { node, why } => write!(f, "cannot use {node}: {why}"),
            Self::ConnectionLost { node, why } => write!(f, "connection to {node} lost: {why}"),
            Self::SecretRefused { node } => {
                write!(f, "{node} refused our secret; fetching a fresh one")
            }
            Self::ConnectRefused { node, said } => write!(
                f,
                "{node} refused CONNECT (the server said: {said}); fetching a fresh secret"
            ),
            Self::Pause { pause, lookup } => write!(
                f,
                "{} in {:.1} s",
                if *lookup { "new lookup" } else { "next try" },
                pause.as_secs_f64()
            ),
            Self::Gap { topic, missed: 1 } => write!(f, "{topic}: a message was missed"),
            Self::Gap { topic, missed } => write!(f, "{topic}: {missed} messages were missed"),
            Self::FilteredNumbers { topic } => write!(
                f,
                "{topic}: with --filter a lost message looks like a filtered one; --where has every message counted"
            ),
            Self::PublisherRestarted { topic } => write!(f, "{topic}: the publisher restarted"),
            Self::CatchingUp { topic, operation } => {
                write!(f, "{topic}: fetching over REST ({operation})")
            }
            Self::CaughtUp { topic, events: 1 } => write!(f, "{topic}: fetched, 1 event"),
            Self::CaughtUp { topic, events } => write!(f, "{topic}: fetched, {events} events"),
            Self::CatchUpFailed {
                topic,
                error,
                pause,
            } => write!(
                f,
                "{topic}: fetching failed: {error}; next try in {:.1} s",
                pause.as_secs_f64()
            ),
            Self::PossiblyLost { topic, why } => {
                write!(f, "{topic}: events may have been lost: {why}")
            }
            Self::Unreadable { topic } => write!(f, "{topic}: a message could not be read"),
            Self::NotWhole {
                topic,
                missing,
                pause,
            } => write!(
                f,
                "{topic}: the answer lacks {missing} of what is known, as of a node that has just started; not believed, read again in {:.0} s",
                pause.as_secs_f64()
            ),
            Self::ClockDiffers { node, ahead, of } => write!(
                f,
                "the clock of {node} is {} s {} {}; what is missed is fetched by the times in events",
                ahead.as_secs().unsigned_abs(),
                if ahead.is_negative() {
                    "behind"
                } else {
                    "ahead of"
                },
                match of {
                    ClockOf::Us => "ours",
                    ClockOf::Events => "the times in its events",
                },
            ),
            Self::Again { last, times: 1 } => write!(f, "{last}"),
            Self::Again { last, times } => write!(f, "{last} ({times} times more in a second)"),
            Self::Stopping => f.write_str("leaving"),
            Self::NoReceipt => f.write_str("the server did not confirm that we left"),
        }
    }
}
