//! Whether an event is late: it waited here, or came later after it had happened than events have
//! come lately. The clocks of servers and ours need not agree for that; what counts is how much more
//! than the least an event needed. It remembers two numbers, and looks at no clock.

use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// Later than this is late.
pub(super) const LATE: SignedDuration = SignedDuration::from_secs(2);

/// What is least is found anew after this time, for clocks are set.
const LATELY: SignedDuration = SignedDuration::from_mins(1);

/// See the module's documentation.
#[derive(Default)]
pub(super) struct Lateness(Mutex<Least>);

/// The least time from happening to being sent.
#[derive(Default)]
struct Least {
    before: Option<SignedDuration>,
    lately: Option<SignedDuration>,
    since: Option<Timestamp>,
}

impl Lateness {
    /// Whether one is late that we received then, that happened then by the server's clock, and is
    /// sent now.
    pub(super) fn is_late(
        &self,
        received: Timestamp,
        happened: Option<Timestamp>,
        now: Timestamp,
    ) -> bool {
        let waited = now.duration_since(received);
        // Negative: our clock was set back, and nobody knows.
        let here = waited > LATE || waited.is_negative();
        let Some(happened) = happened else {
            return here;
        };
        let took = now.duration_since(happened);
        // A poisoned lock holds numbers that are whole all the same.
        let mut least = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |since: &Timestamp| {
            let age = now.duration_since(*since);
            !age.is_negative() && age <= LATELY
        };
        if !least.since.as_ref().is_some_and(fits) {
            least.before = least.lately.take();
            least.since = Some(now);
        }
        let shortest = least.lately.map_or(took, |lately| lately.min(took));
        least.lately = Some(shortest);
        let usual = least.before.map_or(shortest, |before| before.min(shortest));
        here || took.saturating_sub(usual) > LATE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waited_is_late_and_clocks_that_differ_are_not() {
        let lateness = Lateness::default();
        let start: Timestamp = "2026-11-22T03:00:00Z".parse().unwrap();
        let at = |seconds| start + SignedDuration::from_secs(seconds);
        let late =
            |received, happened, now| lateness.is_late(at(received), Some(at(happened)), at(now));
        // The server's clock is ten seconds ahead, or behind.
        assert!(!late(0, 10, 0));
        assert!(!late(1, 11, 1));
        // It waited here; it waited before it came.
        assert!(late(1, 11, 4));
        assert!(late(5, 12, 5));
        assert!(!late(5, 15, 5));
        // The server's clock is set: that is usual after a while.
        assert!(late(6, 6, 6));
        assert!(late(70, 70, 70));
        assert!(!late(140, 140, 140));
        // Ours is set back.
        assert!(late(150, 150, 140));
        assert!(lateness.is_late(at(0), None, at(3)));
        assert!(!lateness.is_late(at(0), None, at(1)));
    }
}
