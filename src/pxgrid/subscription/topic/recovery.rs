//! A topic and its REST reads: which one to make, what its rows add to what was seen, what its end tells. When reads are made is the
//! machine's affair.

use std::borrow::Cow;

use super::{Here, Topic};
use crate::error::Error;
use crate::pxgrid::event::{Event, Message};
use crate::pxgrid::subscription::Action;
use crate::pxgrid::subscription::cache::Source;
use crate::pxgrid::subscription::catch_up::{Purpose, Since};
use crate::pxgrid::subscription::members::Members;
use crate::pxgrid::subscription::notice::{LossCause, Notice};
use crate::pxgrid::subscription::row::{Row, gone_message, identity, recovered_message};
use crate::pxgrid::subscription::ways::{Read, Shape, Way};

impl Topic {
    /// The read to make now, if one is wanted and none runs.
    pub(in crate::pxgrid::subscription) fn begin_read(
        &mut self,
        id: u64,
        filter: Option<&str>,
        here: &mut Here<'_>,
    ) -> Option<Read> {
        let way = self.way?;
        let purpose = self.reads.begin(id)?;
        let since = match purpose {
            Purpose::Missed(Since::Time(since)) => Some(since),
            Purpose::Missed(Since::Everything) | Purpose::Baseline | Purpose::Snapshot => None,
        };
        let Some(mut read) = way.read(since, self.reads.fallback) else {
            self.reads.done();
            return None;
        };
        if read.since.is_none() {
            self.cache.begin_round();
        }
        self.read_events = 0;
        read.filter = filter.map(str::to_owned);
        here.say(Notice::CatchingUp {
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
        here: &mut Here<'_>,
    ) {
        let Some(way) = self.way else { return };
        let source = match purpose {
            Purpose::Baseline => Source::Baseline,
            Purpose::Snapshot => Source::Snapshot,
            Purpose::Missed(_) => Source::Recovered(self.start),
        };
        for text in rows {
            let Ok(members) = Members::parse(text) else {
                self.unreadable(here);
                continue;
            };
            let row = self.row(&members, deleted);
            self.note_time(row.sight.timestamp, here.at);
            let verdict = self.cache.sight(&row.sight, source);
            if let Some((word, message)) = recovered_message(way.shape, verdict, text) {
                self.emit_recovered(word, row, message, here);
            }
        }
    }

    /// The running read came to its end.
    pub(in crate::pxgrid::subscription) fn read_done(
        &mut self,
        purpose: Purpose,
        here: &mut Here<'_>,
    ) {
        let Some(way) = self.way else { return };
        let Purpose::Missed(since) = purpose else {
            self.finish_read(here);
            return;
        };
        let whole = since == Since::Everything || way.compares();
        // A filter hides what goes on but fits no longer: that is no end.
        if whole && !self.filtered {
            for key in self.cache.gone() {
                self.gone(way, &key, here);
            }
        }
        let ends_unknown = if whole {
            self.filtered
        } else {
            way.shape == Shape::Sessions && self.reads.fallback > 0
        };
        if ends_unknown {
            self.lost(LossCause::EndsUnknown, here);
        }
        self.finish_read(here);
    }

    fn finish_read(&mut self, here: &mut Here<'_>) {
        self.reads.done();
        here.say(Notice::CaughtUp {
            topic: self.destination.clone(),
            events: self.read_events,
        });
    }

    /// A session that ended unseen.
    fn gone(&mut self, way: &Way, key: &str, here: &mut Here<'_>) {
        let Some(identity) = identity(key, way) else {
            return;
        };
        let object = format!("{{{identity}}}");
        let Ok(members) = Members::parse(&object) else {
            return;
        };
        let mut row = self.row(&members, true);
        if way.shape == Shape::Sessions {
            row.state = Some(Cow::Borrowed("DISCONNECTED"));
        }
        let (word, message) = gone_message(way.shape, &identity);
        self.emit_recovered(word, row, message, here);
    }

    /// The server knows no such operation: whether there is another one to try.
    pub(in crate::pxgrid::subscription) fn fall_back(&mut self, purpose: Purpose) -> bool {
        let more = matches!(purpose, Purpose::Missed(Since::Time(_)))
            && self
                .way
                .is_some_and(|way| self.reads.fallback + 1 < way.since.len());
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
        here: &mut Here<'_>,
    ) {
        self.reads.give_up();
        self.lost(LossCause::Refused(error), here);
    }

    fn emit_recovered(
        &mut self,
        word: &'static str,
        row: Row<'_>,
        message: Message,
        here: &mut Here<'_>,
    ) {
        self.read_events += 1;
        here.counters.recovered += 1;
        let event = self.event(word.into(), None, row, message, here);
        here.out.push(Action::Emit(Event {
            recovered: true,
            ..event
        }));
    }
}
