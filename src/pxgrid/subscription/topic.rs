//! One subscribed topic: the numbers of its messages, the events in them, and what REST adds to
//! them.
//!
//! Sequence (reference pxgrid-api, section 4): the first number is the base line, the same one
//! again a duplicate, the next one fine, a greater one a loss, a smaller one (0, or the same with
//! another body) a restarted publisher. After a loss the topic is read over REST; what comes live
//! meanwhile is emitted at once, and the rows of the answer are compared with what was seen. When
//! reads are made is the machine's affair.
//!
//! Times that are asked for are the server's, never ours: our clock may be off by more than the
//! overlap of two reads.

mod list_trust;
mod live;
mod numbers;
mod recovery;

use std::borrow::Cow;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use foldhash::quality::{FixedState, RandomState};
use jiff::{SignedDuration, Timestamp};

use super::cache::Cache;
use super::catch_up::{CatchUp, Purpose, Since};
use super::catch_up_plan::{CatchUpPlan, MessageShape};
use super::member_names::MemberNames;
use super::members::Members;
use super::notice::{LossCause, Notice};
use super::row::{Row, RowDigests};
use super::{Action, SubscriptionOptions};
use crate::event::{Event, Figures, HashedMembers, IdMaker, Mark, Message};
use crate::pxgrid::catalogue::Occurrence;
#[cfg(test)]
pub(super) use list_trust::CONFIRM;
use list_trust::Doubt;
use numbers::SEQUENCE;

/// How far before the newest time seen a read begins: nodes' clocks differ, and a lost message may
/// be older than the last that came.
const OVERLAP: SignedDuration = SignedDuration::from_secs(30);
/// A message may be late: so many tell the clock of the events.
const ENOUGH_TIMES: u32 = 3;
/// After so long a message that was published before a read was answered has come.
const SETTLED: SignedDuration = SignedDuration::from_secs(5);

/// What a topic needs to know of its surroundings to emit an event.
pub(super) struct EmitContext<'a> {
    pub(super) node: &'a Arc<str>,
    /// Our clock.
    pub(super) at: Timestamp,
    /// Monotonic time since the start.
    pub(super) elapsed: Duration,
    /// How far the node's clock is ahead of ours, if it told.
    pub(super) ahead: Option<SignedDuration>,
    pub(super) figures: &'a mut Figures,
    pub(super) out: &'a mut Vec<Action>,
}

impl EmitContext<'_> {
    /// The node's clock; ours, where it is not known.
    fn server(&self) -> Timestamp {
        later(self.at, self.ahead.unwrap_or_default())
    }

    fn say(&mut self, notice: Notice) {
        self.out.push(Action::Say(notice));
    }
}

/// See the module's documentation.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Topic {
    pub(super) destination: String,
    /// Its place among the topics.
    index: usize,
    /// The same as the destination, for its events.
    path: Arc<str>,
    plan: Option<&'static CatchUpPlan>,
    cache: Cache,
    names: MemberNames,
    /// The members of the row or message that was looked at last.
    hashed: HashedMembers,
    /// Makes the digests of rows.
    hasher: FixedState,
    ids: IdMaker,
    last: Option<i64>,
    /// The last numbered message, to tell a duplicate from a restarted publisher that has come to
    /// the same number.
    last_body: Bytes,
    /// The server's newest time seen, never ahead of its clock.
    newest: Option<Timestamp>,
    /// Changes after this are ours to tell, since an earlier run told those before.
    resumed: Option<Timestamp>,
    /// When this run began to follow it, by our clock, and how far the node's clock was ahead of
    /// it: the least of all connections.
    followed: Option<(Timestamp, Option<SignedDuration>)>,
    /// How far the newest time of a message was ahead of our clock when it came: the most of all.
    events_ahead: Option<SignedDuration>,
    /// How many messages told their time.
    timed: u32,
    /// From when on changes were missed while no connection stood.
    away: Option<Since>,
    /// It was subscribed in this run.
    begun: bool,
    filtered: bool,
    /// That filtered messages cannot be told from missing ones was said.
    holes_said: bool,
    /// When what the last read told is long ago, and the read's number.
    settles: Option<(Timestamp, u32)>,
    pub(super) reads: CatchUp,
    /// From when on changes were read last; reads of everything follow for the same reason.
    read_since: Option<Timestamp>,
    /// Events that the running read brought so far.
    read_events: u64,
    /// Rows that it brought so far.
    read_rows: u64,
    /// A list that is not believed yet.
    doubt: Option<Doubt>,
    /// Everything that was there is remembered, over restarts too.
    compared: bool,
}

impl Topic {
    /// A topic that goes on from `mark`, if there is one. `index`: its place among the topics.
    pub(super) fn new(
        destination: String,
        index: usize,
        options: &SubscriptionOptions,
        mark: Option<&Mark>,
    ) -> Self {
        let plan = CatchUpPlan::of(&destination);
        // Of what cannot be read back nothing could come again.
        let memory = options.memory.as_ref().filter(|_| plan.is_some()).cloned();
        let by_chance = || RandomState::default().hash_one(0_u8);
        let seed = memory
            .as_ref()
            .map_or_else(by_chance, |memory| memory.seed());
        let numbered = Occurrence::of_topic(&destination) == Occurrence::Number;
        Self {
            ids: IdMaker::new(&options.deployment, &destination, numbered),
            path: destination.as_str().into(),
            plan,
            cache: Cache::new(
                options.remembered,
                memory
                    .clone()
                    .map(|memory| (memory, destination.as_str().into())),
                plan.is_some_and(|plan| matches!(plan.shape, MessageShape::List(_))),
            ),
            compared: memory.is_some() && mark.is_some_and(|mark| mark.compared),
            names: MemberNames::default(),
            hashed: HashedMembers::default(),
            hasher: FixedState::with_seed(seed),
            last: mark.and_then(|mark| mark.sequence),
            last_body: Bytes::new(),
            newest: mark.map(|mark| mark.newest),
            index,
            resumed: mark.map(|mark| earlier(mark.newest, OVERLAP)),
            followed: None,
            events_ahead: None,
            timed: 0,
            away: mark.map(|mark| Since::Time(earlier(mark.newest, OVERLAP))),
            begun: false,
            filtered: options.filter.is_some(),
            holes_said: false,
            settles: None,
            reads: CatchUp::default(),
            read_since: None,
            read_events: 0,
            read_rows: 0,
            doubt: None,
            destination,
        }
    }

    /// The topic is being subscribed: from now on messages may come.
    pub(super) fn subscribing(&mut self, context: &EmitContext<'_>) {
        let (at, ahead) = self.followed.unwrap_or((context.at, context.ahead));
        let least = ahead.into_iter().chain(context.ahead).min();
        self.followed = Some((at, least));
        let latest = earlier(context.server(), OVERLAP);
        // A mark of a run whose clock was ahead would hide everything until then.
        self.resumed = self.resumed.map(|resumed| resumed.min(latest));
        self.newest = self.newest.map(|newest| newest.min(context.server()));
        self.away = self.away.map(|away| away.min(Since::Time(latest)));
    }

    /// The topic is subscribed, for the first time or again.
    pub(super) fn subscribed(&mut self, snapshot: bool, context: &mut EmitContext<'_>) {
        let first = !std::mem::replace(&mut self.begun, true);
        let away = self.away.take();
        match self.plan {
            Some(plan) if first && plan.compares() => {
                if away.is_some() && self.compared {
                    return self.reads.want(Purpose::Missed(Since::Everything));
                }
                if away.is_some() {
                    self.lost(LossCause::NothingToCompare, context);
                }
                return self.reads.want(Purpose::Baseline);
            }
            Some(plan) if first && snapshot && plan.shape == MessageShape::Sessions => {
                self.reads.want(Purpose::Snapshot);
            }
            _ => {}
        }
        if let Some(since) = away {
            self.want_missed(since, context);
        }
    }

    /// The connection is gone: what changes from now on is missed. Decided here, for what comes
    /// first on the next one is newer.
    pub(super) fn connection_lost(&mut self) {
        if self.start().is_some() {
            let since = self.since();
            self.away = Some(self.away.map_or(since, |away| away.min(since)));
        }
    }

    /// Where a later subscription has to go on; `None` before this one began.
    pub(super) fn mark(&self) -> Option<Mark> {
        let start = self.start()?;
        let doubted = self.doubt.and_then(Doubt::from).map(Since::Time);
        let open = [self.reads.open_since(), self.away, doubted]
            .into_iter()
            .flatten()
            .min();
        // Whoever goes on from here begins as much earlier again.
        let newest = match (open, self.newest) {
            (Some(Since::Time(since)), _) => later(since, OVERLAP),
            (None, Some(newest)) => newest,
            (Some(Since::Everything), _) | (None, None) => later(start, OVERLAP),
        };
        Some(Mark {
            topic: self.destination.clone(),
            newest,
            sequence: self.last,
            compared: self.compared && self.cache.is_whole(),
        })
    }

    /// Whether something was missed and is not read yet. With `resumed`, what a later run can
    /// read does not count.
    pub(super) fn is_unread(&self, resumed: bool) -> bool {
        let unread = self.away.is_some() || self.reads.open_since().is_some();
        let open = unread || self.doubt.is_some();
        open && !(resumed && self.plan.is_some())
    }

    /// Changes after this are ours to tell, by the clock of the events.
    fn start(&self) -> Option<Timestamp> {
        let begun = self.followed.map(|(at, ahead)| {
            let there = later(at, list_trust::lead(self.events_ahead, ahead));
            earlier(there, OVERLAP)
        });
        self.resumed.into_iter().chain(begun).min()
    }

    /// From when on to read what was missed; never later than the newest time seen, whatever
    /// clocks say.
    fn since(&self) -> Since {
        let newest = self.newest.map(|newest| earlier(newest, OVERLAP));
        let since = newest.max(self.start());
        let latest = self.newest.or(since);
        since.min(latest).map_or(Since::Everything, Since::Time)
    }

    /// How far the node's clock is ahead of the times in messages, once enough of them came to
    /// tell.
    pub(super) fn clock_ahead_of_events(
        &self,
        ahead: Option<SignedDuration>,
    ) -> Option<SignedDuration> {
        let enough = self.timed >= ENOUGH_TIMES;
        ahead?.checked_sub(self.events_ahead.filter(|_| enough)?)
    }

    /// Whether what is told is kept over restarts.
    fn remembers(&self) -> bool {
        self.cache.remembers()
    }

    /// Gives out what was told since, to be kept with the events before it.
    fn remember(&mut self, context: &mut EmitContext<'_>) {
        let told = self.cache.take_changes();
        context.out.extend(told.into_iter().map(Action::Remember));
    }

    fn want_missed(&mut self, since: Since, context: &mut EmitContext<'_>) {
        if self.plan.is_some() {
            self.reads.want(Purpose::Missed(since));
        } else {
            self.lost(LossCause::NoWay, context);
        }
    }

    fn lost(&self, why: LossCause, context: &mut EmitContext<'_>) {
        context.figures.possibly_lost += 1;
        context.say(Notice::PossiblyLost {
            topic: self.destination.clone(),
            why,
        });
    }

    /// A message's time tells the clock of the events: ours may be wrong, and the node's too.
    fn note_live_time(&mut self, timestamp: Option<Timestamp>, context: &EmitContext<'_>) {
        if let Some(time) = timestamp {
            self.events_ahead = self.events_ahead.max(Some(time.duration_since(context.at)));
            self.timed = self.timed.saturating_add(1);
        }
        self.note_time(timestamp, context.server());
    }

    /// A time ahead of the server's clock counts as its clock's: else one wrong time would make
    /// every later read miss everything.
    fn note_time(&mut self, timestamp: Option<Timestamp>, server: Timestamp) {
        self.newest = self.newest.max(timestamp.map(|time| time.min(server)));
    }

    /// Emits what came live. The members that the message shows were hashed last.
    fn emit(
        &mut self,
        word: Cow<'static, str>,
        sequence: Option<i64>,
        row: Row<'_>,
        message: Message,
        context: &mut EmitContext<'_>,
    ) {
        context.figures.emitted_live += 1;
        let event = self.event(word, sequence, row, message, context);
        context.out.push(Action::Emit(event));
    }

    fn event(
        &mut self,
        word: Cow<'static, str>,
        sequence: Option<i64>,
        row: Row<'_>,
        message: Message,
        context: &EmitContext<'_>,
    ) -> Event {
        Event {
            id: self.ids.id(row.identity(), &self.hashed, sequence),
            event: word,
            sequence,
            topic: Arc::clone(&self.path),
            node: Arc::clone(context.node),
            received_at: context.at,
            recovered: false,
            overtaken: false,
            mac: row.mac.map(Into::into),
            station: row.station.map(Into::into),
            state: row.state,
            message,
        }
    }

    /// Takes what a message shows for its id: the same for what is recovered, which has no counter.
    fn hash(&mut self, message: &Members<'_>) {
        let shown = message.without(&SEQUENCE);
        self.names.hash(&shown, &mut self.hashed);
    }

    fn row<'a>(&mut self, members: &Members<'a>, deleted: bool) -> Row<'a> {
        self.names.hash(members, &mut self.hashed);
        let digests = RowDigests {
            hasher: &self.hasher,
            members: &self.hashed,
        };
        Row::read(members, self.plan, deleted, &self.names, &digests)
    }
}

fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

fn earlier(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_sub(by).unwrap_or(Timestamp::MIN)
}
