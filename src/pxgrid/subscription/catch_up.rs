//! Which REST reads of one topic run, wait or have still to be made.
//!
//! At most one read of a topic runs at a time; what is wanted meanwhile is merged into one more,
//! which waits a moment: a topic that loses messages all the time must not be read all the time.
//! What failed is wanted again, from the same time on, after a pause: a time that was missed is
//! only done with when a read of it came to its end.

use jiff::Timestamp;

/// From when on something is wanted. Everything sorts before any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Since {
    /// Whatever there is.
    Everything,
    /// What changed at that time or later.
    Time(Timestamp),
}

/// What a read is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To know what is there, for a topic that is caught up by comparing.
    Baseline,
    /// To show the current sessions at the start.
    Snapshot,
    /// To find what was missed.
    Missed(Since),
}

/// The books on one topic's reads.
#[derive(Debug, Default)]
pub(super) struct CatchUp {
    running: Option<(u64, Purpose)>,
    initial: Option<Purpose>,
    missed: Option<Timestamp>,
    /// Everything is to be read, after what changed since a time: that tells ends too, this tells
    /// what went on unchanged.
    whole: bool,
    pausing: bool,
    failures: u32,
    /// Reads of what was missed without a pause in which nothing was.
    in_a_row: u32,
    /// How many of the operations that take a time turned out unknown to this server.
    pub(super) fallback: usize,
}

impl CatchUp {
    /// Wants a read.
    pub(super) fn want(&mut self, purpose: Purpose) {
        match purpose {
            Purpose::Missed(Since::Everything) => self.whole = true,
            Purpose::Missed(Since::Time(since)) => {
                self.missed = Some(self.missed.map_or(since, |earlier| earlier.min(since)));
            }
            initial => self.initial = Some(initial),
        }
    }

    /// What to read now, under the number `id`; `None` when nothing is wanted, or something runs or
    /// waits.
    pub(super) fn begin(&mut self, id: u64) -> Option<Purpose> {
        if self.running.is_some() || self.pausing {
            return None;
        }
        let timed = |since| Purpose::Missed(Since::Time(since));
        let purpose = self
            .initial
            .take()
            .or_else(|| self.missed.take().map(timed))
            .or_else(|| {
                std::mem::take(&mut self.whole).then_some(Purpose::Missed(Since::Everything))
            })?;
        self.running = Some((id, purpose));
        Some(purpose)
    }

    /// What the read `id` is for, if it is the one that runs.
    pub(super) fn purpose(&self, id: u64) -> Option<Purpose> {
        self.running
            .and_then(|(running, purpose)| (running == id).then_some(purpose))
    }

    /// The running read came to its end. If a pause must follow: how many such reads came before it
    /// in a row.
    pub(super) fn done(&mut self) -> Option<u32> {
        self.failures = 0;
        let (_, purpose) = self.running.take()?;
        let follows = self.whole && matches!(purpose, Purpose::Missed(Since::Time(_)));
        if follows || !matches!(purpose, Purpose::Missed(_)) {
            return None;
        }
        self.pausing = true;
        let before = self.in_a_row;
        self.in_a_row = before.saturating_add(1);
        Some(before)
    }

    /// There is no way to make the running read.
    pub(super) fn skip(&mut self) {
        self.running = None;
    }

    /// Whether a read of everything is still to come.
    pub(super) fn whole_follows(&self) -> bool {
        self.whole
    }

    /// The running read failed and is wanted again at once.
    pub(super) fn again(&mut self) {
        if let Some((_, purpose)) = self.running.take() {
            self.want(purpose);
        }
    }

    /// The running read failed and is wanted again after a pause. Gives the number of failures in a
    /// row before this one.
    pub(super) fn failed(&mut self) -> u32 {
        self.again();
        self.pausing = true;
        let before = self.failures;
        self.failures = before.saturating_add(1);
        before
    }

    /// The pause is over.
    pub(super) fn resume(&mut self) {
        self.pausing = false;
        if self.missed.is_none() && !self.whole {
            self.in_a_row = 0;
        }
    }

    /// Drops what runs and what is wanted: the server does not let us.
    pub(super) fn give_up(&mut self) {
        *self = Self {
            fallback: self.fallback,
            ..Self::default()
        };
    }

    /// From when on changes are not all known yet.
    pub(super) fn open_since(&self) -> Option<Since> {
        let running = match self.running {
            Some((_, Purpose::Missed(since))) => Some(since),
            _ => None,
        };
        let whole = self.whole.then_some(Since::Everything);
        [running, self.missed.map(Since::Time), whole]
            .into_iter()
            .flatten()
            .min()
    }

    /// Whether nothing runs, waits or is wanted.
    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        self.running.is_none() && self.initial.is_none() && self.missed.is_none() && !self.whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missed_stays_wanted_until_it_was_read() {
        let at = |second| Since::Time(Timestamp::from_second(second).unwrap());
        let mut books = CatchUp::default();
        books.want(Purpose::Missed(at(20)));
        assert_eq!(books.begin(1), Some(Purpose::Missed(at(20))));
        books.want(Purpose::Missed(at(30)));
        assert_eq!(books.begin(2), None);
        assert_eq!(books.open_since(), Some(at(20)));
        assert_eq!(books.failed(), 0);
        assert_eq!(books.begin(3), None);
        books.resume();
        assert_eq!(books.begin(4), Some(Purpose::Missed(at(20))));
        assert_eq!(books.purpose(1), None);
        // Of a restart both are wanted, one at once after the other; then a pause.
        books.want(Purpose::Missed(Since::Everything));
        assert_eq!(books.open_since(), Some(Since::Everything));
        assert_eq!(books.done(), None);
        assert_eq!(books.begin(5), Some(Purpose::Missed(Since::Everything)));
        assert_eq!(books.failed(), 0);
        assert!(!books.is_idle());
        books.give_up();
        assert!(books.is_idle());
    }

    #[test]
    fn reads_that_follow_each_other_wait_and_a_quiet_pause_ends_the_row() {
        let missed = Purpose::Missed(Since::Time(Timestamp::UNIX_EPOCH));
        let mut books = CatchUp::default();
        for before in 0..3 {
            books.want(missed);
            assert_eq!(books.begin(1), Some(missed));
            // While it runs more is missed.
            books.want(missed);
            assert_eq!(books.done(), Some(before));
            assert_eq!(books.begin(2), None);
            books.resume();
        }
        assert_eq!(books.begin(3), Some(missed));
        assert_eq!(books.done(), Some(3));
        books.resume();
        books.want(missed);
        assert_eq!(books.begin(4), Some(missed));
        assert_eq!(books.done(), Some(0));
        // What is read at the start is no reason to wait.
        books.resume();
        books.want(Purpose::Snapshot);
        assert_eq!(books.begin(5), Some(Purpose::Snapshot));
        assert_eq!(books.done(), None);
    }
}
