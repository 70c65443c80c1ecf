//! A subscription as a state machine: what happened goes in, what to do comes out. No socket, no
//! clock and no randomness inside, so that whole histories of faults are plain tests.
//!
//! A small shell drives it: it feeds [`Input`]s to [`Subscription::handle`] with a [`Moment`], and
//! carries out the [`Action`]s in order:
//!
//! | action | what the shell does | what it answers |
//! | --- | --- | --- |
//! | [`Action::LookUp`] | `ServiceLookup` of each topic's service and of the pubsub service | `LookedUp` or `LookupFailed` |
//! | [`Action::FetchSecret`] | `AccessSecret` for that node, not from a cache when `fresh` | `SecretGot` or `SecretFailed` |
//! | [`Action::Connect`] | WebSocket upgrade with that secret | `Connected` or `ConnectFailed` |
//! | [`Action::Send`] | one frame in one binary message | nothing; a failure is `Closed` |
//! | [`Action::Ping`] | a ping, after what was sent before | `Pong` |
//! | [`Action::Close`] | closes the socket or drops the attempt, secret included | nothing, and nothing more from that one |
//! | [`Action::SetTimer`] | sets that timer anew, in place of an older setting | `Fired` |
//! | [`Action::Recover`] | the REST read, row by row | `Rows` as they come, then `ReadDone` or `ReadFailed` |
//! | [`Action::Emit`] | hands the event on; all of one call belong together | nothing |
//! | [`Action::Remember`] | keeps what was told, in one go with the events before it | nothing |
//! | [`Action::Say`] | says it | nothing |
//! | [`Action::Finished`] | ends; an error is why | nothing |
//!
//! While connected: each decoded frame is `Frame`, each ping `Ping`, each pong `Pong`, an end or a
//! malformed frame `Closed`.
//!
//! | part | holds |
//! | --- | --- |
//! | `machine` | connection: lookup, secret, node after node, pauses, watchdog, leaving |
//! | `topic` | one topic: numbers, events, what REST adds |
//! | `row` | one session or row: what identifies it, words and messages of its events |
//! | `catch_up` | which reads of a topic run, wait or are wanted |
//! | `cache` | what was seen of each session |
//! | `catch_up_plan` | which topics can be read over REST, and how |
//! | `members` | looking into JSON text |
//! | `notice` | what is said and counted |
//! | `notice_limit` | notices that come as often as messages do, summed up |

mod cache;
mod catch_up;
mod catch_up_plan;
mod machine;
mod member_names;
mod members;
mod notice;
mod notice_limit;
mod row;
mod topic;

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::stomp::Frame;
use crate::error::Error;
use crate::event::{Event, Memory, Remembered};

pub use catch_up_plan::Read;
pub use machine::Subscription;
pub use notice::{Notice, Why};

/// The deployment where none is named.
pub const DEPLOYMENT: &str = "ise";

/// What a subscription is told at its start.
#[derive(Debug, Clone)]
pub struct SubscriptionOptions {
    /// Which deployment it is: part of the ids of events.
    pub deployment: String,
    /// The server-side filter, on every topic.
    pub filter: Option<String>,
    /// Whether the current sessions come first, as `sessionCreated` marked recovered.
    pub snapshot: bool,
    /// The first pause before the next try.
    pub reconnect_min: Duration,
    /// The longest pause before the next try.
    pub reconnect_max: Duration,
    /// The pause before a new lookup when every node failed.
    pub lookup_pause: Duration,
    /// How long secret, connection and STOMP handshake of one node may take together.
    pub connect_timeout: Duration,
    /// After so long without data or ping a connection is dead.
    pub silence: Duration,
    /// How long to wait for the receipt when leaving.
    pub stop_wait: Duration,
    /// What earlier runs told, where that is kept.
    pub memory: Option<Arc<dyn Memory>>,
    /// How many sessions of each topic are remembered at least; at most twice as many are, at some
    /// 200 bytes each.
    pub remembered: usize,
}

impl Default for SubscriptionOptions {
    /// The contract's pauses, and the times that Cisco names (reference pxgrid-api, section 4).
    fn default() -> Self {
        Self {
            deployment: DEPLOYMENT.to_owned(),
            filter: None,
            snapshot: false,
            reconnect_min: Duration::from_secs(1),
            reconnect_max: Duration::from_mins(1),
            lookup_pause: Duration::from_mins(1),
            connect_timeout: Duration::from_secs(30),
            silence: Duration::from_secs(75),
            stop_wait: Duration::from_secs(2),
            memory: None,
            remembered: 100_000,
        }
    }
}

/// When something happened, and a throw of the dice.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Monotonic time since the start.
    pub elapsed: Duration,
    /// The clock on the wall, for `receivedAt` and where the server has given no time yet.
    pub wall: Timestamp,
    /// Uniformly random, for the jitter of pauses.
    pub random: u32,
}

/// A pubsub node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PubsubNode {
    /// Its pxGrid name: whom the secret is for, and the STOMP host.
    pub name: String,
    /// Its `wsUrl`.
    pub url: String,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum Input {
    /// Begin.
    Started,
    /// The lookup is done.
    LookedUp {
        /// The paths of the wanted topics, in the order the user gave them, each once.
        destinations: Vec<String>,
        /// The pubsub nodes, each of which carries every topic.
        nodes: Vec<PubsubNode>,
    },
    /// The lookup failed.
    LookupFailed(Error),
    /// The secret is there.
    SecretGot,
    /// There is no secret to be had.
    SecretFailed(Error),
    /// The WebSocket is open.
    Connected {
        /// The server's clock, if its answer had it (RFC 9110, section 6.6.1).
        date: Option<Timestamp>,
    },
    /// It could not be opened.
    ConnectFailed {
        /// Why.
        error: Error,
        /// Whether the upgrade was answered 401 or 403.
        refused: bool,
    },
    /// A frame came.
    Frame(Frame),
    /// The server's ping came, and was answered.
    Ping,
    /// The answer to a ping came.
    Pong,
    /// The connection ended by itself, with why.
    Closed(Error),
    /// A timer ran out.
    Fired(Timer),
    /// Rows of a read came.
    Rows {
        /// The read's number.
        id: u64,
        /// Each the text of one JSON object.
        rows: Vec<String>,
        /// Whether they are from the list of deleted rows.
        deleted: bool,
    },
    /// A read came to the proper end of its document.
    ReadDone {
        /// The read's number.
        id: u64,
    },
    /// A read failed, perhaps after some rows.
    ReadFailed {
        /// The read's number.
        id: u64,
        /// Why; HTTP 404 means that the operation is unknown there.
        error: Error,
    },
    /// The user wants to end.
    StopRequested,
}

/// A timer's name; there is one of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Timer {
    /// The pause before the next try.
    Pause,
    /// The bound on reaching a node.
    Connect,
    /// The watchdog of the connection.
    Silence,
    /// The bound on leaving.
    Receipt,
    /// The pause before the next read of a topic, by its place among the destinations.
    CatchUp(usize),
    /// When a list that is doubted is read again, by the topic's place among the destinations.
    Confirm(usize),
    /// When notices that are alike are summed up.
    NoticeLimit,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Look the services up.
    LookUp,
    /// Get the secret for a node.
    FetchSecret {
        /// The node.
        node: PubsubNode,
        /// Whether a remembered secret must not be used.
        fresh: bool,
    },
    /// Open the WebSocket.
    Connect {
        /// The node.
        node: PubsubNode,
    },
    /// Send a frame.
    Send(Frame),
    /// Send a WebSocket ping.
    Ping,
    /// Close the connection, or drop the attempt to make one.
    Close,
    /// Set a timer.
    SetTimer {
        /// Which.
        timer: Timer,
        /// How long from now.
        after: Duration,
    },
    /// Read over REST.
    Recover {
        /// The number to answer with.
        id: u64,
        /// What to read.
        read: Read,
    },
    /// Hand an event on.
    Emit(Event),
    /// Keep what was told, with the events before it; only with a memory.
    Remember(Remembered),
    /// Say something.
    Say(Notice),
    /// It is over.
    Finished(Option<Error>),
}
