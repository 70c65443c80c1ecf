//! Pauses between attempts that fail one after the other: each twice as long as the one before, up
//! to a longest.
//!
//! Plain data: nothing sleeps here, and chance comes in from outside.

use std::time::Duration;

/// Growing pauses, and how many failures there were in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// The first pause is `first`, and none is longer than `longest`; no failure yet.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            failures: 0,
        }
    }

    /// The pause after the `failures`th failure in a row; the first pause for 0 too.
    pub fn after(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1);
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        self.first.saturating_mul(factor).min(self.longest)
    }

    /// No pause is longer.
    pub const fn longest(&self) -> Duration {
        self.longest
    }

    /// One more failure: the pause that follows it.
    pub fn next_pause(&mut self) -> Duration {
        self.failures = self.failures.saturating_add(1);
        self.after(self.failures)
    }

    /// It worked: the next failure is the first again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

/// The pause with equal jitter: half of it is certain, the other half left to `random` (uniform over
/// `u32`), so that a thousand clients that failed together do not come back together.
pub fn jittered(pause: Duration, random: u32) -> Duration {
    let half = pause / 2;
    half + half.mul_f64(f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn pauses_double_to_the_longest_and_begin_anew_after_a_success() {
        let mut backoff = Backoff::new(SECOND, 10 * SECOND);
        let pauses: Vec<u64> = (0..6).map(|_| backoff.next_pause().as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 10, 10]);
        backoff.reset();
        assert_eq!(backoff.next_pause(), SECOND);
    }

    #[test]
    fn the_longest_holds_for_the_first_too() {
        assert_eq!(Backoff::new(10 * SECOND, SECOND).next_pause(), SECOND);
        assert_eq!(Backoff::new(SECOND, SECOND).after(0), SECOND);
    }

    proptest! {
        #[test]
        fn any_pause_is_within_bounds_and_no_shorter_than_the_one_before(
            first in 0..=u64::MAX, longest in 0..=u64::MAX, failures in any::<u32>(), random in any::<u32>()
        ) {
            let longest = Duration::from_millis(longest);
            let backoff = Backoff::new(Duration::from_millis(first), longest);
            let pause = backoff.after(failures);
            prop_assert!(pause <= longest);
            prop_assert!(pause >= backoff.after(failures.saturating_sub(1)));
            let part = jittered(pause, random);
            prop_assert!(part <= pause && part >= pause / 2);
        }
    }
}
