//! Which rows of a view are new, where numbers grow with time and a row may come after one with a
//! higher number. Plain data: nothing is asked here.
//!
//! A row is looked for again for [`SETTLE`] after it could have come first; numbers that were seen
//! in that time are kept, so that no row is taken twice.

use std::collections::{BTreeSet, VecDeque};

use jiff::{SignedDuration, Timestamp};

/// How long after its time a row may still come. Thirty seconds were seen on a live ISE.
const SETTLE: SignedDuration = SignedDuration::from_secs(60);

/// No more numbers are kept.
const MOST: usize = 200_000;

/// What was seen so far.
#[derive(Debug)]
pub(super) struct Follower {
    /// Rows up to this number are known. `None`: no number has been seen.
    floor: Option<u128>,
    /// Numbers above it of rows that were taken.
    seen: BTreeSet<u128>,
    /// The latest rounds, of which the first is not settled.
    rounds: VecDeque<Round>,
    /// Rows of that time are wanted.
    from: Timestamp,
    /// Whether numbers had to be forgotten.
    crowded: bool,
}

/// A round that took in all there was.
#[derive(Debug, Clone, Copy)]
struct Round {
    began: Timestamp,
    ended: Timestamp,
    /// The highest number known at its end.
    newest: u128,
}

/// What to ask for next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Rows not older than so many seconds.
    pub(super) seconds: i64,
    /// Rows with higher numbers.
    pub(super) above: u128,
}

impl Follower {
    /// Rows from `since` on are new.
    pub(super) fn from(since: Timestamp) -> Self {
        Self {
            floor: None,
            seen: BTreeSet::new(),
            rounds: VecDeque::new(),
            from: since,
            crowded: false,
        }
    }

    /// The bounds of a round that begins `now`.
    pub(super) fn bounds(&self, now: Timestamp) -> Bounds {
        let since_last = self.rounds.back().map_or(self.from, |round| round.began);
        let age = now.duration_since(since_last).max(SignedDuration::ZERO);
        Bounds {
            seconds: (age + SETTLE).as_secs(),
            above: self.floor.unwrap_or(0),
        }
    }

    /// How old rows are at least that were there before the first round.
    pub(super) fn settled(&self, now: Timestamp) -> SignedDuration {
        now.duration_since(self.from).max(SignedDuration::ZERO) + SETTLE
    }

    /// Whether nothing is known yet of the numbers.
    pub(super) fn lacks_floor(&self) -> bool {
        self.floor.is_none()
    }

    /// Rows up to `floor` were there before the first round.
    pub(super) fn set_floor(&mut self, floor: u128) {
        self.floor = Some(floor);
    }

    /// Whether a row is new; it is not from then on.
    pub(super) fn take(&mut self, number: u128) -> bool {
        if self.floor.is_some_and(|floor| number <= floor) {
            return false;
        }
        let is_new = self.seen.insert(number);
        if self.seen.len() > MOST {
            self.crowded = true;
            self.floor = self.seen.pop_first().max(self.floor);
        }
        is_new
    }

    /// A round took in all there was.
    pub(super) fn end_round(&mut self, began: Timestamp, ended: Timestamp) {
        if let (None, Some(first)) = (self.floor, self.seen.first()) {
            self.floor = Some(first.saturating_sub(1));
        }
        if let Some(newest) = self.seen.last().copied().or(self.floor) {
            self.rounds.push_back(Round {
                began,
                ended,
                newest,
            });
        }
        // What was known so long ago has no more rows below it to come.
        let settled = |round: &Round| began.duration_since(round.ended) >= SETTLE;
        while self.rounds.len() > 1 && self.rounds.front().is_some_and(settled) {
            if let Some(round) = self.rounds.pop_front() {
                self.raise(round.newest);
            }
        }
    }

    /// Whether there were too many rows at once to know all numbers; asked once.
    pub(super) fn was_crowded(&mut self) -> bool {
        std::mem::take(&mut self.crowded)
    }

    /// Numbers are another node's from now on; rows since the latest round are new.
    pub(super) fn begin_anew(&mut self) {
        if let Some(round) = self.rounds.back() {
            self.from = round.began;
        }
        self.floor = None;
        self.seen.clear();
        self.rounds.clear();
    }

    fn raise(&mut self, floor: u128) {
        if self.floor.is_none_or(|before| floor > before) {
            self.floor = Some(floor);
            self.seen = self.seen.split_off(&floor.saturating_add(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    #[test]
    fn a_row_that_comes_late_with_a_lower_number_is_taken_once() {
        let mut follower = Follower::from(at(0));
        assert_eq!(
            follower.bounds(at(0)),
            Bounds {
                seconds: 60,
                above: 0
            }
        );
        assert!(follower.take(100) && follower.take(105));
        follower.end_round(at(0), at(0));
        assert!(!follower.take(100) && !follower.take(99));
        assert!(follower.take(103));
        follower.end_round(at(30), at(30));
        assert_eq!(follower.bounds(at(30)).above, 99);
        assert!(!follower.take(103) && !follower.take(105));
        follower.end_round(at(70), at(70));
        assert_eq!(follower.bounds(at(70)).above, 105);
        assert!(!follower.take(104) && follower.take(106));
    }

    #[test]
    fn a_long_pause_is_looked_back_over_and_a_quiet_start_takes_its_floor() {
        let mut follower = Follower::from(at(0));
        follower.end_round(at(0), at(0));
        assert!(follower.lacks_floor());
        assert_eq!(follower.settled(at(2)).as_secs(), 62);
        follower.set_floor(50);
        follower.end_round(at(5), at(5));
        assert!(follower.bounds(at(7205)).seconds >= 7200);
        assert!(follower.take(51) && !follower.take(50));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut follower = Follower::from(at(0));
        follower.set_floor(0);
        for number in 1..=(MOST as u128 + 10) {
            assert!(follower.take(number));
        }
        follower.end_round(at(1), at(1));
        assert!(follower.was_crowded() && !follower.was_crowded());
        assert_eq!(follower.seen.len(), MOST);
        assert!(!follower.take(10) && !follower.take(11));
    }

    proptest! {
        /// Rows that commit up to 50 s after the time at which they took their number: none is
        /// missed, none taken twice, whenever rounds begin.
        #[test]
        fn nothing_twice_and_nothing_missed(
            delays in proptest::collection::vec(0_i64..50, 1..80),
            pauses in proptest::collection::vec(1_i64..40, 1..60),
        ) {
            // Row n takes its number at second 2n, and can be read from its commit on.
            let rows: Vec<(u128, i64, i64)> = delays
                .iter()
                .zip(0_i64..)
                .map(|(delay, n)| (u128::try_from(n).unwrap() + 1, 2 * n, 2 * n + delay))
                .collect();
            let mut follower = Follower::from(at(-100));
            let mut taken = Vec::new();
            let mut now = 0;
            let rest = [200, 100, 100];
            for pause in pauses.iter().chain(&rest) {
                let bounds = follower.bounds(at(now));
                for (number, made, commit) in &rows {
                    let wanted = *number > bounds.above && *made >= now - bounds.seconds;
                    if *commit <= now && wanted && follower.take(*number) {
                        taken.push(*number);
                    }
                }
                if follower.lacks_floor() {
                    follower.set_floor(0);
                }
                follower.end_round(at(now), at(now));
                now += pause;
            }
            let end = now - rest[2];
            taken.sort_unstable();
            let wanted: Vec<u128> = rows
                .iter()
                .filter(|(_, _, commit)| *commit <= end)
                .map(|(number, ..)| *number)
                .collect();
            prop_assert_eq!(taken, wanted);
        }
    }
}
