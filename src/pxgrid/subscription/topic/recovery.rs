//! A topic and its REST reads: which one to make, what its rows add to what was seen, what its end
//! tells. When reads are made is the machine's affair.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::{EmitContext, SETTLED, Topic, later};
use crate::error::Error;
use crate::event::{Event, Message};
use crate::pxgrid::subscription::Action;
use crate::pxgrid::subscription::cache::{ObservationSource, Verdict};
use crate::pxgrid::subscription::catch_up::{Purpose, Since};
use crate::pxgrid::subscription::catch_up_plan::{CatchUpPlan, MessageShape, Read};
use crate::pxgrid::subscription::members::Members;
use crate::pxgrid::subscription::notice::{LossCause, Notice};
use crate::pxgrid::subscription::row::{
    KNOWN_UNTIL, Row, gone_message, identity, mac_of, recovered_message,
};

impl Topic {
    /// The read to make now, if one is wanted and none runs.
    pub(in crate::pxgrid::subscription) fn begin_read(
        &mut self,
        id: u64,
        filter: Option<&str>,
        context: &mut EmitContext<'_>,
    ) -> Option<Read> {
        let plan = self.plan?;
        let purpose = self.reads.begin(id)?;
        let since = match purpose {
            Purpose::Missed(Since::Time(since)) => Some(since),
            Purpose::Missed(Since::Everything) | Purpose::Baseline | Purpose::Snapshot => None,
        };
        let Some(mut read) = plan.read(since, self.reads.fallback) else {
            self.reads.skip();
            return None;
        };
        if purpose != Purpose::Missed(Since::Everything) {
            self.read_since = since;
        }
        self.cache.begin_round();
        self.read_events = 0;
        self.read_rows = 0;
        read.filter = filter.map(str::to_owned);
        context.say(Notice::CatchingUp {
            topic: self.destination.clone(),
            operation: read.operation,
        });
        Some(read)
    }

    /// Rows of the running read came.
    pub(in crate::pxgrid::subscription) fn rows(
        &mut self,
        purpose: Purpose,
        rows: &[String],
        deleted: bool,
        context: &mut EmitContext<'_>,
    ) {
        let Some(plan) = self.plan else { return };
        let source = match purpose {
            Purpose::Baseline => ObservationSource::Baseline,
            Purpose::Snapshot => ObservationSource::Snapshot,
            Purpose::Missed(_) => ObservationSource::Recovered(self.start()),
        };
        self.read_rows += rows.len() as u64;
        let mut read = Vec::with_capacity(rows.len());
        for text in rows {
            match Members::parse_row(text, &mut self.names) {
                Ok(members) => read.push((text, self.row(&members, deleted))),
                Err(_) => self.unreadable(context),
            }
        }
        if let (MessageShape::Sessions, Purpose::Missed(since)) = (plan.shape, purpose) {
            self.end_replaced(plan, &read, since == Since::Everything, context);
        }
        for (text, row) in read {
            self.note_time(row.observation.timestamp, context.server());
            let verdict = self.cache.observe(&row.observation, source);
            // It may have been there before; that not all could be compared is said at the end.
            let unsure = verdict == Verdict::Created && plan.compares() && !self.cache.is_whole();
            let told = recovered_message(plan.shape, verdict, text).filter(|_| !unsure);
            if let Some((word, message)) = told {
                self.emit_recovered(word, row, message, context);
            }
            self.remember(context);
        }
    }

    /// ISE shows one session of an endpoint, its newest (reference pxgrid-api, section 4: merged
    /// per MAC address). So one that is shown has taken the place of those we know, and their ends
    /// are told before it. In a `whole` answer those it is news beside; the others are told at its
    /// end.
    fn end_replaced(
        &mut self,
        plan: &CatchUpPlan,
        rows: &[(&String, Row<'_>)],
        whole: bool,
        context: &mut EmitContext<'_>,
    ) {
        let start = self.start();
        let mut arriving = HashMap::new();
        for (_, row) in rows {
            let observation = &row.observation;
            let news = || observation.timestamp >= start && !self.cache.knows(&observation.key);
            // An end that comes late is no sign of a newer session, unless it is one that we never
            // saw.
            let newest = if whole || observation.ended {
                news()
            } else {
                true
            };
            if let (true, Some(mac)) = (newest, mac_of(&observation.key)) {
                arriving.insert(mac, observation.timestamp);
            }
        }
        if arriving.is_empty() {
            return;
        }
        let shown: HashSet<&str> = rows
            .iter()
            .map(|(_, row)| row.observation.key.as_str())
            .collect();
        let replaced = self.cache.replaced(arriving.keys().copied(), |key| {
            let mac = mac_of(key).filter(|_| !shown.contains(key))?;
            arriving.get(mac).copied()
        });
        for key in replaced {
            self.gone(plan, &key, context);
        }
    }

    /// The running read came to its end. If a pause must follow: how many such reads came before it
    /// in a row.
    pub(in crate::pxgrid::subscription) fn read_done(
        &mut self,
        purpose: Purpose,
        context: &mut EmitContext<'_>,
    ) -> Option<u32> {
        if let (Some(plan), Purpose::Missed(since)) = (self.plan, purpose) {
            self.tell_ends(plan, since, context);
        }
        let everything = matches!(
            purpose,
            Purpose::Baseline | Purpose::Missed(Since::Everything)
        );
        self.compared |= everything && self.cache.is_whole();
        self.settles = Some((later(context.at, SETTLED), self.cache.round()));
        context.say(Notice::CaughtUp {
            topic: self.destination.clone(),
            events: self.read_events,
        });
        self.reads.done()
    }

    /// What was not in the answer has ended, if the answer was of everything; says where that
    /// cannot be told.
    fn tell_ends(&mut self, plan: &CatchUpPlan, since: Since, context: &mut EmitContext<'_>) {
        let whole = since == Since::Everything || plan.compares();
        if plan.compares() && !self.cache.is_whole() {
            return self.lost(LossCause::TooMany, context);
        }
        // A filter hides what goes on but fits no longer: that is no end.
        if whole && !self.filtered && self.believes_list(context) {
            for key in self.cache.gone() {
                self.gone(plan, &key, context);
            }
        }
        if !whole && !self.filtered {
            self.doubt_changes(plan, since, context);
        }
        if plan.shape == MessageShape::Sessions
            && !whole
            && self.reads.fallback > 0
            && self.remembers()
        {
            // What was told over restarts tells by a list of all which of them have ended.
            self.reads.want(Purpose::Missed(Since::Everything));
        }
        // What names ended sessions, or is told by everything that follows.
        let told = self.reads.fallback == 0 || self.reads.whole_follows();
        if whole && self.filtered {
            self.lost(LossCause::Filtered, context);
        } else if plan.shape == MessageShape::Sessions && !told && !(whole && self.cache.is_whole())
        {
            self.lost(LossCause::EndsUnknown, context);
        }
    }

    /// A session that ended unseen.
    fn gone(&mut self, plan: &CatchUpPlan, key: &str, context: &mut EmitContext<'_>) {
        self.cache.tell_end(key);
        // While nothing was missed its end would have been told.
        let known_until = self.cache.newest(key).max(self.read_since);
        let Some(identity) = identity(key, plan) else {
            return self.remember(context);
        };
        let object = format!("{{{identity}}}");
        let Ok(members) = Members::parse(&object) else {
            return self.remember(context);
        };
        let mut row = self.row(&members, true);
        if plan.shape == MessageShape::Sessions {
            row.state = Some(Cow::Borrowed("DISCONNECTED"));
        }
        let (word, message) = gone_message(plan.shape, &identity, known_until);
        self.emit_recovered(word, row, message, context);
        self.remember(context);
    }

    /// The server knows no such operation: whether there is another one to try.
    pub(in crate::pxgrid::subscription) fn fall_back(&mut self, purpose: Purpose) -> bool {
        let more = matches!(purpose, Purpose::Missed(Since::Time(_)))
            && self
                .plan
                .is_some_and(|plan| self.reads.fallback + 1 < plan.since.len());
        if more {
            self.reads.fallback += 1;
            self.reads.again();
        }
        more
    }

    /// The server does not let us read: what was missed stays missed.
    pub(in crate::pxgrid::subscription) fn read_refused(
        &mut self,
        error: Error,
        context: &mut EmitContext<'_>,
    ) {
        self.reads.give_up();
        self.doubt = None;
        self.lost(LossCause::Refused(error), context);
    }

    fn emit_recovered(
        &mut self,
        word: &'static str,
        row: Row<'_>,
        message: Message,
        context: &mut EmitContext<'_>,
    ) {
        self.read_events += 1;
        context.figures.emitted_read += 1;
        let text = message.clone();
        // It was read before, or written by us.
        let members = Members::parse_row(text.object(), &mut self.names).unwrap_or_default();
        if message.is_session() {
            let shown = members.without(&[KNOWN_UNTIL]);
            self.names.hash(&shown, &mut self.hashed);
        } else {
            self.hash(&members);
        }
        let event = self.event(word.into(), None, row, message, context);
        context.out.push(Action::Emit(Event {
            recovered: true,
            ..event
        }));
    }
}
