//! What is known of an event in hand, and what is to be done with it.

use std::sync::Arc;

use crate::event::{Event, EventId, Message};
use crate::worker::Moment;

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Task {
    /// Ask how the consumer stands; the answer is to be given with this number.
    Ask(u64),
    /// Ask for so many events.
    Pull(usize),
    /// Hand this event on, with the next number.
    Offer(u64),
    /// Acknowledge.
    Ack(u64),
    /// Say that it is under way.
    Progress(u64),
    /// Give it back, for somebody else; nothing is heard of that.
    HandBack(Arc<str>),
    /// Store the dead letter.
    Bury(u64, String),
    /// That the event of this number is done with is known to the server, or no longer our affair.
    Settled(u64),
}

/// How far an event in hand is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage {
    /// It is kept until the hold is over.
    Kept,
    /// It waits for its turn, or for a retry.
    Offered(u64),
    Running(u64),
    /// It is done; whether the acknowledgement is being sent.
    Done(bool),
    /// Its dead letter is to be stored; whether that is being done.
    Dead(String, bool),
}

/// Whose an event in hand is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ownership {
    /// Ours since before it began.
    Ours,
    /// It began when the partition was ours before, and did not come again since: an orphan.
    Lost,
    /// It came again since; its mark is as it was when it began.
    Regained,
}

/// An event that was delivered and is not done with.
#[derive(Debug)]
pub(super) struct InHand {
    pub(super) stage: Stage,
    pub(super) reply: Arc<str>,
    pub(super) event: Event,
    pub(super) times: u64,
    pub(super) repeated: bool,
    /// Whether that is so since it was one of the next deliveries after a takeover.
    pub(super) by_count: bool,
    /// Until when it is ours.
    pub(super) ours_until: Moment,
    /// When something is to be said of it again.
    pub(super) say_at: Moment,
    pub(super) ownership: Ownership,
    /// How often it was begun here.
    pub(super) begun: u32,
    /// Under which number it waits for the server to know that it is done.
    pub(super) unsettled: Option<u64>,
}

impl InHand {
    /// Whether others may have it by now, and it did not come again.
    pub(super) fn is_orphan(&self) -> bool {
        self.ownership == Ownership::Lost
    }
}

/// Stands for what could not be read, which is only acknowledged.
pub(super) fn unreadable() -> Event {
    Event {
        id: EventId::default().into(),
        event: "MESSAGE".into(),
        sequence: None,
        topic: Arc::default(),
        node: Arc::default(),
        received_at: jiff::Timestamp::UNIX_EPOCH,
        recovered: false,
        overtaken: false,
        mac: None,
        station: None,
        state: None,
        message: Message::whole("{}"),
    }
}
