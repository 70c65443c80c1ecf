//! When a picture may be drawn: never more than ten in any second; at once where somebody waits, and
//! else only when the last one is a while ago. Times come in.

use std::collections::VecDeque;
use std::time::Duration;

use super::Urgency;

/// Pictures in any second.
const MOST: usize = 10;
const SECOND: Duration = Duration::from_secs(1);
/// Between a picture that somebody waited for and one that nobody does: half of the ten stay for
/// keys.
const PAUSE: Duration = Duration::from_millis(200);

/// See the module's documentation. Times are since some beginning.
#[derive(Debug, Default)]
pub(crate) struct Pacer {
    drawn: VecDeque<Duration>,
}

impl Pacer {
    /// When the next picture is due: `now` or later.
    pub(crate) fn due(&self, urgency: Urgency, now: Duration) -> Duration {
        let full = (self.drawn.len() >= MOST).then(|| self.drawn.front());
        let room = full.flatten().map_or(now, |oldest| *oldest + SECOND);
        let rested = match (urgency, self.drawn.back()) {
            (Urgency::Soon, Some(last)) => *last + PAUSE,
            _ => now,
        };
        now.max(room).max(rested)
    }

    /// A picture is drawn.
    pub(crate) fn drew(&mut self, now: Duration) {
        self.drawn.push_back(now);
        if self.drawn.len() > MOST {
            self.drawn.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn who_waits_is_served_at_once_and_ten_are_the_most() {
        let mut pacer = Pacer::default();
        assert_eq!(pacer.due(Urgency::Soon, ms(0)), ms(0));
        pacer.drew(ms(0));
        assert_eq!(pacer.due(Urgency::Soon, ms(1)), ms(200));
        assert_eq!(pacer.due(Urgency::Now, ms(1)), ms(1));
        for at in 1..10 {
            pacer.drew(ms(at));
        }
        assert_eq!(pacer.due(Urgency::Now, ms(20)), ms(1000));
        pacer.drew(ms(1000));
        assert_eq!(pacer.due(Urgency::Now, ms(1000)), ms(1001));
    }

    #[test]
    fn a_typist_is_never_kept_waiting_by_events() {
        // Seven keys a second, and events all the time.
        let (mut pacer, mut now) = (Pacer::default(), ms(0));
        let mut late = 0;
        for step in 0..2_000_u64 {
            now = ms(step * 5);
            let key = step % 28 == 0;
            let due = pacer.due(Urgency::Now, now);
            late += u64::from(key && due > now);
            if key || pacer.due(Urgency::Soon, now) <= now {
                pacer.drew(now);
            }
        }
        assert_eq!(late, 0, "{now:?}");
    }
}
