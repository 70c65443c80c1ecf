//! The figures said at the end and on `SIGUSR1`: received, delivered, failed, recovered, duplicates, gaps, lag (contract,
//! section 4), and what the subscription counts beside. It counts; it decides nothing and prints nothing.

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use jiff::Timestamp;

/// The counters of one run, shared by whoever counts.
#[derive(Debug)]
pub struct Counters {
    received: AtomicU64,
    delivered: AtomicU64,
    failed: AtomicU64,
    recovered: AtomicU64,
    duplicates: AtomicU64,
    gaps: AtomicU64,
    /// When the oldest undelivered event was received, in milliseconds; [`NONE`] when there is none.
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
            duplicates: AtomicU64::new(0),
            gaps: AtomicU64::new(0),
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

    /// A message came twice and was left out.
    pub fn duplicate(&self) {
        self.duplicates.fetch_add(1, Relaxed);
    }

    /// The sequence had a gap.
    pub fn gap(&self) {
        self.gaps.fetch_add(1, Relaxed);
    }

    /// When the oldest undelivered event was received, in milliseconds since the epoch.
    pub fn oldest(&self, received: Option<i64>) {
        self.oldest.store(received.unwrap_or(NONE), Relaxed);
    }

    /// The figures as they stand.
    pub fn snapshot(&self) -> Snapshot {
        let oldest = self.oldest.load(Relaxed);
        let now = if oldest == NONE {
            Duration::ZERO
        } else {
            lag(oldest)
        };
        Snapshot {
            received: self.received.load(Relaxed),
            delivered: self.delivered.load(Relaxed),
            failed: self.failed.load(Relaxed),
            recovered: self.recovered.load(Relaxed),
            duplicates: self.duplicates.load(Relaxed),
            gaps: self.gaps.load(Relaxed),
            missed: 0,
            repeated: 0,
            unreadable: 0,
            possibly_lost: 0,
            condition_failed: 0,
            lag: now,
            max_lag: now.max(Duration::from_millis(self.max_lag.load(Relaxed))),
        }
    }
}

/// How long ago `since` was; never negative, clocks may be set back.
fn lag(since: i64) -> Duration {
    let ago = Timestamp::now().as_millisecond().saturating_sub(since);
    Duration::from_millis(u64::try_from(ago).unwrap_or(0))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The figures at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// Events received in this run.
    pub received: u64,
    /// Events whose callback succeeded, those of an earlier run included.
    pub delivered: u64,
    /// Events that went to the dead letters.
    pub failed: u64,
    /// Events fetched after a gap.
    pub recovered: u64,
    /// Messages that came twice and were left out.
    pub duplicates: u64,
    /// Gaps in a sequence.
    pub gaps: u64,
    /// Numbers missing in those gaps. This and the next four are the subscription's own figures;
    /// here they are 0.
    pub missed: u64,
    /// Sessions or messages that had come before, or something newer, and were left out.
    pub repeated: u64,
    /// Messages, or sessions in one, that could not be read.
    pub unreadable: u64,
    /// Times that something may have been lost for good.
    pub possibly_lost: u64,
    /// Events on which the user's condition failed; they were left out.
    pub condition_failed: u64,
    /// How long the oldest undelivered event has been waiting.
    pub lag: Duration,
    /// The longest that any event waited.
    pub max_lag: Duration,
}

impl Snapshot {
    /// The figures as a JSON object; times in seconds.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "received": self.received,
            "delivered": self.delivered,
            "failed": self.failed,
            "recovered": self.recovered,
            "duplicates": self.duplicates,
            "gaps": self.gaps,
            "missed": self.missed,
            "repeated": self.repeated,
            "unreadable": self.unreadable,
            "possiblyLost": self.possibly_lost,
            "conditionFailed": self.condition_failed,
            "lagSeconds": self.lag.as_secs_f64(),
            "maxLagSeconds": self.max_lag.as_secs_f64(),
        })
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "received {}, delivered {}, failed {}, recovered {}, duplicates {}, gaps {}",
            self.received, self.delivered, self.failed, self.recovered, self.duplicates, self.gaps,
        )?;
        for (name, figure) in [
            ("missed", self.missed),
            ("repeated", self.repeated),
            ("unreadable", self.unreadable),
            ("possibly lost", self.possibly_lost),
            ("condition failed", self.condition_failed),
        ] {
            if figure > 0 {
                write!(f, ", {name} {figure}")?;
            }
        }
        write!(
            f,
            ", lag {:.1}s (at most {:.1}s)",
            self.lag.as_secs_f64(),
            self.max_lag.as_secs_f64(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_every_figure() {
        let counters = Counters::default();
        counters.received(10, 2);
        counters.delivered(Timestamp::now());
        counters.failed();
        counters.duplicate();
        counters.gap();
        assert_eq!(
            counters.snapshot().to_string(),
            "received 10, delivered 1, failed 1, recovered 2, duplicates 1, gaps 1, lag 0.0s (at most 0.0s)"
        );
        assert_eq!(counters.snapshot().to_json()["recovered"], 2);
        assert_eq!(counters.snapshot().to_json()["possiblyLost"], 0);
        let snapshot = Snapshot {
            missed: 5,
            possibly_lost: 1,
            ..counters.snapshot()
        };
        assert_eq!(
            snapshot.to_string(),
            "received 10, delivered 1, failed 1, recovered 2, duplicates 1, gaps 1, missed 5, possibly lost 1, lag 0.0s (at most 0.0s)"
        );
        assert_eq!(snapshot.to_json()["missed"], 5);
    }

    #[test]
    fn lag_is_that_of_the_oldest_and_a_clock_set_back_gives_none() {
        let counters = Counters::default();
        let now = Timestamp::now().as_millisecond();
        counters.oldest(Some(now - 5_000));
        let snapshot = counters.snapshot();
        assert!(snapshot.lag >= Duration::from_secs(5) && snapshot.max_lag >= snapshot.lag);
        counters.oldest(Some(now + 3_600_000));
        assert_eq!(counters.snapshot().lag, Duration::ZERO);
        counters.oldest(None);
        assert_eq!(counters.snapshot().lag, Duration::ZERO);
    }
}
