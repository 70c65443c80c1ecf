//! The figures said at the end and on `SIGUSR1`: received, delivered, failed, recovered,
//! duplicates, gaps, lag (contract, section 4), and what else was counted in a run.
//!
//! The subscription counts its part, delivery counts its own; their sum is what is said.

use std::fmt;
use std::ops::Add;
use std::time::Duration;

/// What was counted in a run; whoever counts only a part leaves the others at 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Events taken in this run, to be delivered or printed.
    pub received: u64,
    /// Events delivered or printed, those of an earlier run included.
    pub delivered: u64,
    /// Events that went to the dead letters.
    pub failed: u64,
    /// Of those received, the ones that were fetched after a gap.
    pub recovered: u64,
    /// Of those delivered, the ones that the stream had already.
    pub had_already: u64,
    /// Messages dropped because their number had come before.
    pub duplicates: u64,
    /// Times that numbers were missing.
    pub gaps: u64,
    /// Numbers missing in those gaps.
    pub missed: u64,
    /// Sessions (or messages) dropped because their content had been emitted before, or something
    /// newer.
    pub repeated: u64,
    /// Messages, or sessions in one, that could not be read.
    pub unreadable: u64,
    /// Times that something may have been lost for good.
    pub possibly_lost: u64,
    /// Events on which the user's condition failed; they were left out.
    pub condition_failed: u64,
    /// Messages that came, duplicates and unreadable ones among them.
    pub messages: u64,
    /// Events emitted as they came, wanted or not.
    pub emitted_live: u64,
    /// Events emitted from REST, wanted or not.
    pub emitted_read: u64,
    /// Times that a publisher began to count anew.
    pub restarts: u64,
    /// Connections that stood, after the first.
    pub reconnects: u64,
    /// How long the oldest undelivered event has been waiting.
    pub lag: Duration,
    /// The longest that any event waited.
    pub max_lag: Duration,
}

impl Add for Figures {
    type Output = Self;

    /// Each figure of both; of lags the longer one.
    fn add(self, other: Self) -> Self {
        Self {
            received: self.received + other.received,
            delivered: self.delivered + other.delivered,
            failed: self.failed + other.failed,
            recovered: self.recovered + other.recovered,
            had_already: self.had_already + other.had_already,
            duplicates: self.duplicates + other.duplicates,
            gaps: self.gaps + other.gaps,
            missed: self.missed.saturating_add(other.missed),
            repeated: self.repeated + other.repeated,
            unreadable: self.unreadable + other.unreadable,
            possibly_lost: self.possibly_lost + other.possibly_lost,
            condition_failed: self.condition_failed + other.condition_failed,
            messages: self.messages + other.messages,
            emitted_live: self.emitted_live + other.emitted_live,
            emitted_read: self.emitted_read + other.emitted_read,
            restarts: self.restarts + other.restarts,
            reconnects: self.reconnects + other.reconnects,
            lag: self.lag.max(other.lag),
            max_lag: self.max_lag.max(other.max_lag),
        }
    }
}

impl Figures {
    /// Those that are said, as a JSON object; times in seconds.
    pub fn to_json(self) -> serde_json::Value {
        serde_json::json!({
            "received": self.received,
            "delivered": self.delivered,
            "failed": self.failed,
            "recovered": self.recovered,
            "inStreamAlready": self.had_already,
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

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "received {}, delivered {}, failed {}, recovered {}, duplicates {}, gaps {}",
            self.received, self.delivered, self.failed, self.recovered, self.duplicates, self.gaps,
        )?;
        for (name, figure) in [
            ("in the stream already", self.had_already),
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
        let delivered = Figures {
            received: 10,
            delivered: 1,
            failed: 1,
            recovered: 2,
            ..Figures::default()
        };
        let subscribed = Figures {
            duplicates: 1,
            gaps: 1,
            emitted_live: 12,
            ..Figures::default()
        };
        let figures = delivered + subscribed;
        assert_eq!(
            figures.to_string(),
            "received 10, delivered 1, failed 1, recovered 2, duplicates 1, gaps 1, lag 0.0s (at most 0.0s)"
        );
        assert_eq!(figures.to_json()["recovered"], 2);
        assert_eq!(figures.to_json()["possiblyLost"], 0);
        let lost = Figures {
            missed: 5,
            possibly_lost: 1,
            max_lag: Duration::from_secs(3),
            ..Figures::default()
        };
        let figures = figures + lost;
        assert_eq!(
            figures.to_string(),
            "received 10, delivered 1, failed 1, recovered 2, duplicates 1, gaps 1, missed 5, possibly lost 1, lag 0.0s (at most 3.0s)"
        );
        assert_eq!(figures.to_json()["missed"], 5);
    }
}
