//! Which REST reads of one topic run, wait or have still to be made.
//!
//! At most one read of a topic runs at a time; what is wanted meanwhile is merged into one more. What failed is wanted again, from the same
//! time on, after a pause: a time that was missed is only done with when a read of it came to its end.

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
    missed: Option<Since>,
    pausing: bool,
    failures: u32,
    /// How many of the operations that take a time turned out unknown to this server.
    pub(super) fallback: usize,
}

impl CatchUp {
    /// Wants a read.
    pub(super) fn want(&mut self, purpose: Purpose) {
        match purpose {
            Purpose::Missed(since) => {
                self.missed = Some(match self.missed {
                    Some(earlier) => earlier.min(since),
                    None => since,
                });
            }
            initial => self.initial = Some(initial),
        }
    }

    /// What to read now, under the number `id`; `None` when nothing is wanted, or something runs or waits.
    pub(super) fn begin(&mut self, id: u64) -> Option<Purpose> {
        if self.running.is_some() || self.pausing {
            return None;
        }
        let purpose = self
            .initial
            .take()
            .or_else(|| self.missed.take().map(Purpose::Missed))?;
        self.running = Some((id, purpose));
        Some(purpose)
    }

    /// What the read `id` is for, if it is the one that runs.
    pub(super) fn purpose(&self, id: u64) -> Option<Purpose> {
        self.running
            .and_then(|(running, purpose)| (running == id).then_some(purpose))
    }

    /// The running read came to its end.
    pub(super) fn done(&mut self) {
        self.running = None;
        self.failures = 0;
    }

    /// The running read failed and is wanted again at once.
    pub(super) fn again(&mut self) {
        if let Some((_, purpose)) = self.running.take() {
            self.want(purpose);
        }
    }

    /// The running read failed and is wanted again after a pause. Gives the number of failures in a row before this one.
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
        match (running, self.missed) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Whether nothing runs, waits or is wanted.
    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        self.running.is_none() && self.initial.is_none() && self.missed.is_none()
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
        books.want(Purpose::Missed(Since::Everything));
        books.done();
        assert_eq!(books.begin(5), Some(Purpose::Missed(Since::Everything)));
        assert_eq!(books.failed(), 0);
        assert!(!books.is_idle());
        books.give_up();
        assert!(books.is_idle());
    }
}
