//! What delivery counts of a run's [`Figures`]: received, delivered, failed, recovered, lag. It
//! decides nothing and prints nothing.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use jiff::Timestamp;

use crate::event::Figures;

/// See the module's documentation; shared by whoever counts.
#[derive(Debug)]
pub struct Counters {
    received: AtomicU64,
    delivered: AtomicU64,
    failed: AtomicU64,
    recovered: AtomicU64,
    had_already: AtomicU64,
    /// When the oldest undelivered event was received, in milliseconds; [`NONE`] when there is
    /// none.
    oldest: AtomicI64,
    max_lag: AtomicU64,
}

/// No event waits.
const NONE: i64 = i64::MIN;

impl Default for Counters {
    fn default() -> Self {
        Self {
            received: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            recovered: AtomicU64::new(0),
            had_already: AtomicU64::new(0),
            oldest: AtomicI64::new(NONE),
            max_lag: AtomicU64::new(0),
        }
    }
}

impl Counters {
    /// Events were received (and written to the spool), `recovered` of them fetched after a gap.
    pub fn received(&self, events: u64, recovered: u64) {
        self.received.fetch_add(events, Relaxed);
        self.recovered.fetch_add(recovered, Relaxed);
    }

    /// An event that was received at `since` was delivered.
    pub fn delivered(&self, since: Timestamp) {
        self.delivered_together(1, since);
    }

    /// So many events were delivered, the oldest of which was received at `since`.
    pub fn delivered_together(&self, events: u64, since: Timestamp) {
        self.delivered.fetch_add(events, Relaxed);
        self.max_lag
            .fetch_max(millis(lag(since.as_millisecond())), Relaxed);
    }

    /// An event went to the dead letters.
    pub fn failed(&self) {
        self.failed.fetch_add(1, Relaxed);
    }

    /// An event that was delivered was in the stream before.
    #[cfg(feature = "nats")]
    pub fn had_already(&self) {
        self.had_already.fetch_add(1, Relaxed);
    }

    /// When the oldest undelivered event was received, in milliseconds since the epoch.
    pub fn oldest(&self, received: Option<i64>) {
        self.oldest.store(received.unwrap_or(NONE), Relaxed);
    }

    /// The figures as they stand.
    pub fn figures(&self) -> Figures {
        let oldest = self.oldest.load(Relaxed);
        let now = if oldest == NONE {
            Duration::ZERO
        } else {
            lag(oldest)
        };
        Figures {
            received: self.received.load(Relaxed),
            delivered: self.delivered.load(Relaxed),
            failed: self.failed.load(Relaxed),
            recovered: self.recovered.load(Relaxed),
            had_already: self.had_already.load(Relaxed),
            lag: now,
            max_lag: now.max(Duration::from_millis(self.max_lag.load(Relaxed))),
            ..Figures::default()
        }
    }
}

/// How long ago `since` was; never negative, clocks may be set back. Nothing is known of an event
/// that does not say when it was received: it has the epoch.
fn lag(since: i64) -> Duration {
    if since == 0 {
        return Duration::ZERO;
    }
    let ago = Timestamp::now().as_millisecond().saturating_sub(since);
    Duration::from_millis(u64::try_from(ago).unwrap_or(0))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_is_that_of_the_oldest_and_a_clock_set_back_gives_none() {
        let counters = Counters::default();
        let now = Timestamp::now().as_millisecond();
        counters.oldest(Some(now - 5_000));
        let figures = counters.figures();
        assert!(figures.lag >= Duration::from_secs(5) && figures.max_lag >= figures.lag);
        counters.oldest(Some(now + 3_600_000));
        assert_eq!(counters.figures().lag, Duration::ZERO);
        counters.oldest(None);
        assert_eq!(counters.figures().lag, Duration::ZERO);
        // Of an event that does not say when it was received nothing is known.
        let counters = Counters::default();
        counters.delivered(Timestamp::UNIX_EPOCH);
        assert_eq!(counters.figures().max_lag, Duration::ZERO);
    }
}
