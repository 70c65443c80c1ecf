//! Doing no harm to a Monitoring node with many detail calls: even pacing, and a breaker that stops
//! asking while the node is overloaded.
//!
//! Both are plain state machines: the clock is passed in, nothing sleeps, nothing is sent
//! (contract, section 7; an overloaded MnT node answers 502 and is then silent for minutes,
//! reference mnt-api, section 3).

use std::time::{Duration, Instant};

use crate::backoff::Backoff;
use crate::error::{Error, Kind};

/// Keeps calls at least `min_interval` apart, whoever makes them.
#[derive(Debug)]
pub struct Pace {
    min_interval: Duration,
    next: Option<Instant>,
}

impl Pace {
    /// A pace of one call per `min_interval`; the first is free.
    pub fn new(min_interval: Duration) -> Self {
        Self {
            min_interval,
            next: None,
        }
    }

    /// Takes the next turn, and says how long from `now` it is.
    pub fn turn(&mut self, now: Instant) -> Duration {
        let turn = self.next.map_or(now, |next| next.max(now));
        self.next = turn.checked_add(self.min_interval);
        turn.saturating_duration_since(now)
    }
}

/// What a call said about the server's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallOutcome {
    /// It answered, with whatever: also a 404 is an answer.
    Answered,
    /// 502, 503, 504, or nothing in time.
    Overloaded,
}

impl CallOutcome {
    /// From an HTTP status.
    pub fn of_status(status: u16) -> Self {
        match status {
            502..=504 => Self::Overloaded,
            _ => Self::Answered,
        }
    }

    /// From an error.
    pub fn of_error(error: &Error) -> Self {
        match error.kind() {
            Kind::TimedOut | Kind::Overloaded => Self::Overloaded,
            _ => error.http_status().map_or(Self::Answered, Self::of_status),
        }
    }
}

/// Opens on [`CallOutcome::Overloaded`] for a pause that doubles up to five minutes, then lets one call
/// through as a probe.
#[derive(Debug)]
pub struct Breaker {
    backoff: Backoff,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    until: Instant,
    pause: Duration,
    /// When the probe that is out was let through.
    probe: Option<Instant>,
}

/// The longest pause, and how long a probe may be out before it counts as lost.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

impl Default for Breaker {
    /// The first pause is 5 seconds.
    fn default() -> Self {
        Self::new(Duration::from_secs(5))
    }
}

impl Breaker {
    /// A closed breaker whose first pause is `first_pause`.
    pub fn new(first_pause: Duration) -> Self {
        Self {
            backoff: Backoff::new(first_pause, LONGEST_PAUSE),
            open: None,
        }
    }

    /// How long to wait before calling. Zero: call now, and report with [`Breaker::on_result`].
    /// After any other answer, wait and ask again: at the end of a pause one caller alone is let
    /// through.
    pub fn wait(&mut self, now: Instant) -> Duration {
        let Some(open) = &mut self.open else {
            return Duration::ZERO;
        };
        match open.probe {
            Some(since) if now.saturating_duration_since(since) < LONGEST_PAUSE => {
                return open.pause.max(Duration::from_millis(1));
            }
            None if now < open.until => return open.until.saturating_duration_since(now),
            _ => {}
        }
        open.probe = Some(now);
        Duration::ZERO
    }

    /// Takes a call's outcome. Late results of calls that were under way when the breaker opened
    /// change nothing.
    pub fn on_result(&mut self, now: Instant, outcome: CallOutcome) {
        match (&self.open, outcome) {
            (None, CallOutcome::Answered) => return,
            (None, CallOutcome::Overloaded) => self.backoff.reset(),
            (Some(open), _) if open.probe.is_none() => return,
            (Some(_), CallOutcome::Answered) => {
                self.open = None;
                return;
            }
            (Some(_), CallOutcome::Overloaded) => {}
        }
        let pause = self.backoff.next_pause();
        self.open = Some(Open {
            until: now + pause,
            pause,
            probe: None,
        });
    }

    /// Whether calls are being held back.
    #[cfg(test)]
    fn is_open(&self) -> bool {
        self.open.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn turns_are_an_interval_apart_and_idle_time_is_not_saved_up() {
        let start = Instant::now();
        let mut pace = Pace::new(SECOND);
        assert_eq!(pace.turn(start), Duration::ZERO);
        assert_eq!(pace.turn(start), SECOND);
        assert_eq!(pace.turn(start), 2 * SECOND);
        assert_eq!(pace.turn(start + 10 * SECOND), Duration::ZERO);
        assert_eq!(pace.turn(start + 10 * SECOND), SECOND);
    }

    #[test]
    fn pauses_double_to_five_minutes_and_an_answer_closes() {
        let mut now = Instant::now();
        let mut breaker = Breaker::default();
        assert_eq!(breaker.wait(now), Duration::ZERO);
        breaker.on_result(now, CallOutcome::Overloaded);
        for expected in [5, 10, 20, 40, 80, 160, 300, 300] {
            assert_eq!(breaker.wait(now), expected * SECOND);
            now += expected * SECOND;
            assert_eq!(breaker.wait(now), Duration::ZERO);
            breaker.on_result(now, CallOutcome::Overloaded);
        }
        now += 300 * SECOND;
        assert_eq!(breaker.wait(now), Duration::ZERO);
        breaker.on_result(now, CallOutcome::Answered);
        assert!(!breaker.is_open());
        assert_eq!(breaker.wait(now), Duration::ZERO);
    }

    #[test]
    fn late_results_neither_close_nor_lengthen() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        breaker.on_result(now, CallOutcome::Overloaded);
        breaker.on_result(now, CallOutcome::Overloaded);
        breaker.on_result(now, CallOutcome::Answered);
        assert_eq!(breaker.wait(now), 5 * SECOND);
    }

    #[test]
    fn a_lost_probe_does_not_hold_everybody_for_ever() {
        let now = Instant::now() + 5 * SECOND;
        let mut breaker = Breaker::new(SECOND);
        breaker.on_result(now, CallOutcome::Overloaded);
        assert_eq!(breaker.wait(now + SECOND), Duration::ZERO);
        assert_ne!(breaker.wait(now + 2 * SECOND), Duration::ZERO);
        assert_eq!(breaker.wait(now + SECOND + LONGEST_PAUSE), Duration::ZERO);
    }

    #[test]
    fn outcomes_come_from_facts() {
        assert_eq!(CallOutcome::of_status(503), CallOutcome::Overloaded);
        assert_eq!(CallOutcome::of_status(500), CallOutcome::Answered);
        let timed_out = Error::new(Kind::TimedOut, "");
        assert_eq!(CallOutcome::of_error(&timed_out), CallOutcome::Overloaded);
        let not_found = Error::new(Kind::NotFound, "").status(500);
        assert_eq!(CallOutcome::of_error(&not_found), CallOutcome::Answered);
    }

    proptest! {
        /// Whatever happens, at most one call is under way from the moment the breaker opens until
        /// it closes.
        #[test]
        fn one_probe_at_a_time(steps in prop::collection::vec((0u64..10, 0u8..3), 1..200)) {
            let mut now = Instant::now();
            let mut breaker = Breaker::default();
            let mut probe_out = false;
            for (seconds, step) in steps {
                now += Duration::from_millis(seconds * 100);
                match step {
                    0 if breaker.is_open() => {
                        if breaker.wait(now).is_zero() {
                            prop_assert!(!probe_out);
                            probe_out = true;
                        }
                    }
                    0 => {}
                    1 => {
                        breaker.on_result(now, CallOutcome::Overloaded);
                        probe_out = false;
                        prop_assert!(breaker.wait(now) <= LONGEST_PAUSE);
                        prop_assert!(!breaker.wait(now).is_zero());
                    }
                    _ => {
                        breaker.on_result(now, CallOutcome::Answered);
                        prop_assert_eq!(breaker.is_open() && probe_out, false);
                        probe_out = false;
                    }
                }
            }
        }
    }
}
