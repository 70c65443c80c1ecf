//! Whether a list over REST can be believed when it lacks what we know. A directory that has just
//! come up answers with an empty or half a list, properly ended; taken at its word it would end
//! everybody.
//!
//! A list is doubted when it
//!
//! - is empty, or
//! - lacks a session that was seen live a moment ago ([`MOMENT`]), or
//! - lacks more than a fifth of those that were known, and more than one: of a handful of
//!   sessions a single one is always more than a fifth, and single ends are the usual case.
//!
//! Nothing is told then. What it lacks is remembered, and the list is read again some minutes
//! later ([`CONFIRM`]). The second list is believed if it lacks the same, and nothing of it was
//! seen anywhere meanwhile; if not, it is doubted in turn, with longer pauses, a few times
//! ([`MOST_READINGS`]), for a list that never settles must not hide ends for ever. Where the
//! publisher restarts meanwhile, what was doubted before says nothing of the lists after it.
//!
//! The answer of changes since a time is doubted too when it lacks what was seen after that time:
//! then both are read again, whatever a list says meanwhile.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{EmitContext, OVERLAP, Topic, later};
use crate::backoff::Backoff;
use crate::pxgrid::subscription::cache::Lacking;
use crate::pxgrid::subscription::catch_up::{Purpose, Since};
use crate::pxgrid::subscription::catch_up_plan::{CatchUpPlan, MessageShape};
use crate::pxgrid::subscription::notice::Notice;
use crate::pxgrid::subscription::{Action, Timer};

/// What was seen live within this time must be in a list.
const MOMENT: Duration = Duration::from_mins(2);
/// How long after a list that is doubted the next one is read; doubled with each further one.
pub(in crate::pxgrid::subscription) const CONFIRM: Duration = Duration::from_mins(3);
/// The longest such pause.
const LONGEST: Duration = Duration::from_mins(30);
/// After so many lists that do not agree the last one is believed.
const MOST_READINGS: u32 = 6;
/// Reads that follow each other within this time are one reading.
const TOGETHER: Duration = Duration::from_secs(30);

/// What is not believed yet: a list, changes, or both.
#[derive(Debug, Clone, Copy)]
pub(super) struct Doubt {
    /// When it was read.
    at: Duration,
    /// How many lists of everything were doubted in a row; 0: only changes are.
    readings: u32,
    /// Changes that are to be read again with the list.
    changes: Option<DoubtedChanges>,
}

/// Answers of changes that are not believed yet.
#[derive(Debug, Clone, Copy)]
struct DoubtedChanges {
    /// The earliest time that one of them was from.
    from: Timestamp,
    /// The next such time, where one that was from a later time came after the first.
    later: Option<Timestamp>,
    /// When the last of those came.
    at: Duration,
}

impl DoubtedChanges {
    fn new(from: Timestamp, at: Duration) -> Self {
        Self {
            from,
            later: None,
            at,
        }
    }

    /// An answer of changes since `from` came. `lacks`: it lacks something; `due`: the time had come
    /// to read the first ones again.
    fn answered(&mut self, from: Timestamp, lacks: bool, due: bool, at: Duration) {
        match (from <= self.from, due) {
            // What was doubted first was read again, and is believed.
            (true, true) => self.from = self.later.take().unwrap_or(self.from),
            (true, false) if lacks => self.from = from,
            (false, _) if lacks => {
                self.later = Some(self.later.map_or(from, |later| later.min(from)));
                self.at = at;
            }
            _ => {}
        }
    }
}

impl Doubt {
    /// How long after it the next list is read.
    fn pause(self) -> Duration {
        Backoff::new(CONFIRM, LONGEST).after(self.readings)
    }

    /// How long it is until then; `None`: it has been.
    fn left(self, elapsed: Duration) -> Option<Duration> {
        let left = self.at.saturating_add(self.pause()).checked_sub(elapsed)?;
        (!left.is_zero()).then_some(left)
    }

    /// From when on changes are to be read again.
    pub(super) fn from(self) -> Option<Timestamp> {
        self.changes.map(|changes| changes.from)
    }
}

/// Whether a list of `rows` rows that lacks this much can be whole.
fn is_plausible(lacking: &Lacking, rows: u64) -> bool {
    let mass = lacking.missing > 1 && lacking.missing.saturating_mul(5) > lacking.known;
    lacking.missing == 0 || (rows > 0 && lacking.recent == 0 && !mass)
}

impl Topic {
    /// A list of everything came to its end: whether what it lacks has ended.
    pub(super) fn believes_list(&mut self, context: &mut EmitContext<'_>) -> bool {
        let lacking = self
            .cache
            .lacking(seconds(context.elapsed.saturating_sub(MOMENT)));
        if lacking.missing == 0 {
            self.trust_list(context);
            return false;
        }
        let Some(doubt) = self.doubt else {
            if is_plausible(&lacking, self.read_rows) {
                return true;
            }
            self.cache.doubt();
            self.begin_doubt(1, None, lacking.missing, context);
            return false;
        };
        let age = context.elapsed.saturating_sub(doubt.at);
        if age < TOGETHER {
            self.cache.doubt();
            let readings = doubt.readings.max(1);
            self.begin_doubt(readings, doubt.changes, lacking.missing, context);
            return false;
        }
        if age < doubt.pause() {
            // Read for another reason; who is in it is no longer doubted.
            return false;
        }
        let more = Lacking {
            missing: lacking.missing.saturating_sub(lacking.doubted),
            ..lacking
        };
        let agrees =
            lacking.returned == 0 && lacking.recent == 0 && is_plausible(&more, self.read_rows);
        if agrees || doubt.readings >= MOST_READINGS {
            self.trust_list(context);
            return true;
        }
        self.cache.doubt();
        self.begin_doubt(doubt.readings + 1, doubt.changes, lacking.missing, context);
        false
    }

    /// No list is doubted any more. Of changes that are doubted too, no list tells: what came and
    /// went is in none. They stay so until they were read again as long after as a list is.
    fn trust_list(&mut self, context: &mut EmitContext<'_>) {
        let Some((doubt, changes)) = self.doubt.take().and_then(|it| Some((it, it.changes?)))
        else {
            return;
        };
        let of_changes = Doubt {
            at: changes.at,
            readings: 0,
            ..doubt
        };
        for doubt in [doubt, of_changes] {
            if let Some(after) = doubt.left(context.elapsed) {
                self.doubt = Some(doubt);
                self.set_confirm(after, context);
                return;
            }
        }
    }

    /// The answer of what changed since a time came to its end.
    pub(super) fn doubt_changes(
        &mut self,
        plan: &CatchUpPlan,
        since: Since,
        context: &mut EmitContext<'_>,
    ) {
        let (Since::Time(from), MessageShape::Sessions) = (since, plan.shape) else {
            return;
        };
        // Of those near its beginning the server may have an older time than the newest that we
        // saw.
        let surely = later(from, OVERLAP / 2);
        // What has ended is named too, unless another session of its endpoint has taken its place.
        let ended = self.reads.fallback == 0 && self.read_rows == 0;
        // Where not, all of them are read next, and compared with what earlier runs told.
        let away = self.reads.fallback == 0;
        let missing = self.cache.lacks_since(surely, ended, away);
        let overtaken = self.read_rows == 0 && self.cache.overtook_since(surely);
        let missing = missing.max(usize::from(overtaken));
        let (lacks, at) = (missing > 0, context.elapsed);
        match &mut self.doubt {
            None if lacks => {
                let changes = DoubtedChanges::new(from, at);
                self.begin_doubt(0, Some(changes), missing, context);
            }
            None => {}
            // They are read again with the list.
            Some(doubt) => {
                let due = doubt.left(at).is_none();
                match &mut doubt.changes {
                    Some(changes) => changes.answered(from, lacks, due, at),
                    none => *none = lacks.then(|| DoubtedChanges::new(from, at)),
                }
            }
        }
    }

    /// The publisher has restarted while a list is doubted: its directory may be empty once more, so
    /// that the next list agrees with none before.
    pub(super) fn doubt_anew(&mut self, context: &mut EmitContext<'_>) {
        if let Some(doubt) = &mut self.doubt
            && (1..MOST_READINGS).contains(&doubt.readings)
            && context.elapsed.saturating_sub(doubt.at) >= TOGETHER
        {
            doubt.at = context.elapsed;
            doubt.readings += 1;
            let doubt = *doubt;
            self.set_confirm(doubt.pause(), context);
        }
    }

    fn set_confirm(&self, after: Duration, context: &mut EmitContext<'_>) {
        let timer = Timer::Confirm(self.index);
        context.out.push(Action::SetTimer { timer, after });
    }

    /// Whether a list is not believed yet.
    #[cfg(test)]
    pub(in crate::pxgrid::subscription) fn doubts(&self) -> bool {
        self.doubt.is_some()
    }

    fn begin_doubt(
        &mut self,
        readings: u32,
        changes: Option<DoubtedChanges>,
        missing: usize,
        context: &mut EmitContext<'_>,
    ) {
        let doubt = Doubt {
            at: context.elapsed,
            readings,
            changes,
        };
        self.doubt = Some(doubt);
        context.say(Notice::NotWhole {
            topic: self.destination.clone(),
            missing,
            pause: doubt.pause(),
        });
        self.set_confirm(doubt.pause(), context);
    }

    /// The time has come to read again what was doubted.
    pub(in crate::pxgrid::subscription) fn confirm(&mut self) {
        let Some(doubt) = self.doubt else { return };
        if let Some(from) = doubt.from() {
            self.reads.want(Purpose::Missed(Since::Time(from)));
        }
        if self.plan.is_some_and(|plan| plan.full.is_some()) {
            self.reads.want(Purpose::Missed(Since::Everything));
        }
    }
}

/// Whole seconds since the start, as the cache keeps them; never 0, which is never.
pub(super) fn seconds(elapsed: Duration) -> u32 {
    u32::try_from(elapsed.as_secs().saturating_add(1)).unwrap_or(u32::MAX)
}

/// The events' clock against ours, as far as it is known: `events`, how far the newest event was
/// ahead of our clock when it came; `date`, how far the node's clock is. What is ahead of both is
/// not believed: to read too early costs a few rows, to read too late costs events.
pub(super) fn lead(events: Option<SignedDuration>, date: Option<SignedDuration>) -> SignedDuration {
    match (events, date) {
        (Some(events), Some(date)) => events.min(date),
        (Some(one), None) | (None, Some(one)) => one.min(SignedDuration::ZERO),
        (None, None) => SignedDuration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_is_of_more_than_one_and_an_empty_list_is_never_believed_at_once() {
        let lacking = |known, missing| Lacking {
            known,
            missing,
            ..Lacking::default()
        };
        for (known, missing, rows, plausible) in [
            (3, 0, 0, true),
            (1, 1, 0, false),
            (3, 1, 2, true),
            (3, 2, 1, false),
            (10, 2, 8, true),
            (10, 3, 7, false),
            (1000, 200, 800, true),
            (1000, 201, 799, false),
        ] {
            let case = (known, missing, rows);
            assert_eq!(
                is_plausible(&lacking(known, missing), rows),
                plausible,
                "{case:?}"
            );
        }
        let recent = Lacking {
            recent: 1,
            ..lacking(1000, 1)
        };
        assert!(!is_plausible(&recent, 999));
    }
}
