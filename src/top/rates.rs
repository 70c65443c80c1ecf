//! How much happened lately: in the last seconds, and in each minute of the last hour. Times come
//! in; no clock is asked.

use jiff::Timestamp;

/// Over how many whole seconds a rate is taken.
const SECONDS: usize = 5;
/// How many minutes are told apart.
pub(crate) const MINUTES: usize = 60;

/// Events of the last seconds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rate {
    /// The second of the first count.
    second: i64,
    /// Counts of this second and of those before it.
    counts: [u64; SECONDS + 1],
}

/// Events of the last hour, minute by minute.
#[derive(Debug, Clone)]
pub(crate) struct Minutes {
    minute: i64,
    /// Counts of this minute and of those before it.
    counts: [u64; MINUTES],
}

impl Default for Minutes {
    fn default() -> Self {
        Self {
            minute: 0,
            counts: [0; MINUTES],
        }
    }
}

/// Moves counts on by `by` places: the newest stand first.
fn shift(counts: &mut [u64], by: i64) {
    let by = usize::try_from(by)
        .unwrap_or(counts.len())
        .min(counts.len());
    counts.rotate_right(by);
    counts.iter_mut().take(by).for_each(|count| *count = 0);
}

impl Rate {
    /// Counts what happens now.
    pub(crate) fn add(&mut self, now: Timestamp, count: u64) {
        self.until(now);
        let [first, ..] = &mut self.counts;
        *first += count;
    }

    /// Time goes on.
    pub(crate) fn until(&mut self, now: Timestamp) {
        let second = now.as_second();
        if second > self.second {
            shift(&mut self.counts, second - self.second);
            self.second = second;
        }
    }

    /// A second, over the last whole ones.
    pub(crate) fn per_second(&self) -> u64 {
        let sum: u64 = self.counts.iter().skip(1).sum();
        sum.div_ceil(SECONDS as u64)
    }
}

impl Minutes {
    /// Counts what happened at some time of the last hour; what is older is left out, and what is
    /// in the future counts as now.
    pub(crate) fn add(&mut self, at: Timestamp, now: Timestamp) {
        self.until(now);
        let ago = usize::try_from(self.minute - minute(at)).unwrap_or(0);
        if let Some(count) = self.counts.get_mut(ago) {
            *count += 1;
        }
    }

    /// Time goes on; whether a new minute began.
    pub(crate) fn until(&mut self, now: Timestamp) -> bool {
        let minute = minute(now);
        let on = minute - self.minute;
        if on > 0 {
            shift(&mut self.counts, on);
            self.minute = minute;
        }
        on > 0
    }

    /// The counts, oldest first.
    pub(crate) fn oldest_first(&self) -> impl Iterator<Item = u64> + '_ {
        self.counts.iter().rev().copied()
    }

    /// All of the hour.
    pub(crate) fn sum(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// Whether [`Minutes`] counts what happened then: in this minute or the 59 before it.
pub(crate) fn is_in_the_hour(at: Timestamp, now: Timestamp) -> bool {
    usize::try_from(minute(now) - minute(at)).unwrap_or(0) < MINUTES
}

fn minute(time: Timestamp) -> i64 {
    time.as_second().div_euclid(60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_rate_is_of_whole_seconds_and_ends() {
        let mut rate = Rate::default();
        for second in 100..105 {
            rate.add(at(second), 20);
        }
        assert_eq!(rate.per_second(), 16);
        rate.until(at(105));
        assert_eq!(rate.per_second(), 20);
        rate.until(at(109));
        assert_eq!(rate.per_second(), 4);
        rate.until(at(1_000_000));
        assert_eq!(rate.per_second(), 0);
        // A clock that is put back counts on.
        rate.add(at(5), 1);
        assert_eq!(rate.per_second(), 0);
    }

    #[test]
    fn minutes_take_what_is_told_late() {
        let mut minutes = Minutes::default();
        let now = at(6_000_000);
        minutes.add(now, now);
        minutes.add(at(6_000_000 - 120), now);
        minutes.add(at(6_000_000 - 7_200), now);
        minutes.add(at(6_000_500), now);
        let counts: Vec<u64> = minutes.oldest_first().collect();
        assert_eq!(counts[MINUTES - 3..], [1, 0, 2]);
        assert_eq!(minutes.sum(), 3);
        assert!(minutes.until(at(6_000_060)));
        assert!(!minutes.until(at(6_000_061)));
        assert_eq!(minutes.oldest_first().last(), Some(0));
        minutes.until(at(9_000_000));
        assert_eq!(minutes.sum(), 0);
    }
}
