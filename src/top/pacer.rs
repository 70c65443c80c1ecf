//! When a picture may be drawn: never more than ten in any second; at once where somebody waits, and
//! else only when the last one is a while ago. Who holds a key down gets the ten evenly. Times come
//! in.

use std::collections::VecDeque;
use std::time::Duration;

use super::Urgency;

/// Pictures in any second.
const MOST: usize = 10;
const SECOND: Duration = Duration::from_secs(1);
/// Between a picture that somebody waited for and one that nobody does: half of the ten stay for
/// keys.
const PAUSE: Duration = Duration::from_millis(200);
/// Of the ten, those that come at once however fast keys come.
const AT_ONCE: usize = 5;
/// Between the others at least.
const EVENLY: Duration = Duration::from_millis(100);

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
            (_, None) => now,
            (Urgency::Soon, Some(last)) => *last + PAUSE,
            (Urgency::Now, Some(last)) => *last + self.pause(*last, now),
        };
        now.max(room).max(rested)
    }

    /// The pause after the last picture: none, or what is left of the second, shared by those that
    /// are left of the ten.
    fn pause(&self, last: Duration, now: Duration) -> Duration {
        let newer = self.drawn.iter().filter(|at| **at + SECOND > now);
        let (mut count, mut oldest) = (0, last);
        for at in newer {
            count += 1;
            oldest = oldest.min(*at);
        }
        if count < AT_ONCE {
            return Duration::ZERO;
        }
        let left = u32::try_from(MOST.saturating_sub(count)).unwrap_or(0);
        let share = (oldest + SECOND).saturating_sub(last) / left.max(1);
        share.max(EVENLY)
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
        for at in 1..5 {
            assert_eq!(pacer.due(Urgency::Now, ms(at)), ms(at));
            pacer.drew(ms(at));
        }
        // The other five share the rest of the second.
        assert!(pacer.due(Urgency::Now, ms(5)) > ms(200));
        for at in 5..10 {
            pacer.drew(ms(at));
        }
        assert_eq!(pacer.due(Urgency::Now, ms(20)), ms(1000));
    }

    #[test]
    fn who_holds_a_key_down_sees_it_move_all_the_time() {
        // A terminal repeats a key some thirty times a second.
        let mut pacer = Pacer::default();
        let mut drawn = Vec::new();
        for at in (0..10_000).step_by(5).map(ms) {
            let key = at.as_millis().is_multiple_of(30);
            let waits = drawn.last().is_none_or(|last| at > *last + ms(25)) || key;
            if waits && pacer.due(Urgency::Now, at) <= at {
                pacer.drew(at);
                drawn.push(at);
            }
        }
        let gaps = drawn.windows(2).map(|pair| pair[1].saturating_sub(pair[0]));
        assert!(gaps.max().unwrap() <= ms(210), "{drawn:?}");
        for first in &drawn {
            let within = drawn
                .iter()
                .filter(|at| (*first..*first + SECOND).contains(*at));
            assert!(within.count() <= 10, "{first:?}");
        }
        assert!(drawn.len() >= 85, "{}", drawn.len());
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
