//! What is said of a sink that takes nothing, and how often. It decides nothing: pauses and order
//! are [`EndpointOrder`](crate::delivery::endpoint_order::EndpointOrder)'s.

use std::time::{Duration, Instant};

use crate::delivery::sink::Outage;

/// What still holds is said again after this time.
const SAY_AGAIN: Duration = Duration::from_mins(10);

/// What was said of a sink so far.
pub(super) struct Refusals {
    outage: Outage,
    /// Whether it was said that there is no room for another callback.
    no_room_said: bool,
    held: Option<Held>,
}

/// The sink takes nothing.
struct Held {
    /// Since when, why, and when and with which pause it was said last.
    since: Instant,
    why: String,
    said: Instant,
    pause: Duration,
}

impl Refusals {
    /// Nothing was said yet.
    pub(super) fn new(outage: Outage) -> Self {
        Self {
            outage,
            no_room_said: false,
            held: None,
        }
    }

    /// What is said when there is no room for another callback: once.
    pub(super) fn no_room(&mut self, why: &str, pause: Duration) -> Option<String> {
        let said = std::mem::replace(&mut self.no_room_said, true);
        (!said).then(|| {
            format!(
                "the system has no room for another callback ({why}); from now on it waits until one ends, or {:.1}s",
                pause.as_secs_f64()
            )
        })
    }

    /// What is said when the sink takes nothing: at first, with each longer pause where the outage
    /// asks for that, and now and then. `waiting`: how many events are known to wait.
    pub(super) fn takes_nothing(
        &mut self,
        why: &str,
        pause: Duration,
        waiting: usize,
        now: Instant,
    ) -> Option<String> {
        let since = match &self.held {
            None => now,
            Some(held) => {
                let other = held.why != why || pause > held.pause;
                let again = other && self.outage.each_pause;
                if !again && now < held.said + SAY_AGAIN {
                    return None;
                }
                held.since
            }
        };
        self.held = Some(Held {
            since,
            why: why.to_owned(),
            said: now,
            pause,
        });
        Some(if self.outage.each_pause {
            format!(
                "{why}; events wait, and it is tried again in {:.1}s",
                pause.as_secs_f64()
            )
        } else {
            format!(
                "{why}; events wait ({waiting} or more) and are received meanwhile; it is tried until it takes them"
            )
        })
    }

    /// What is said when it takes events again, if it was said that it does not.
    pub(super) fn over(&mut self) -> Option<String> {
        let held = self.held.take()?;
        Some(format!(
            "{}, after {:.1}s",
            self.outage.over,
            held.since.elapsed().as_secs_f64()
        ))
    }

    /// Why the sink takes nothing, if it does not.
    pub(super) fn why(&self) -> Option<&str> {
        self.held.as_ref().map(|held| held.why.as_str())
    }
}
