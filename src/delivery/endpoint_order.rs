//! Whose turn it is: events of one key in order, different keys in parallel, never more than `jobs`
//! at a time.
//!
//! A state machine without I/O and without a clock of its own: it holds numbers of events, not
//! events, and the caller says what time it is. It starts nothing and stores nothing;
//! [`super::queue`] keeps the events.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use compact_str::CompactString;
use foldhash::quality::RandomState;

use crate::backoff::Backoff;

/// The rules of a run.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// How many deliveries may run at a time (`--jobs`); 0 counts as 1.
    pub jobs: usize,
    /// How often a failed delivery is tried again (`--retries`).
    pub retries: u32,
    /// The pauses before retries.
    pub backoff: Backoff,
    /// Whether, after nothing could be started, one is tried alone, and then one more for each
    /// that ends well, up to `jobs`.
    pub probes: bool,
    /// How many events are held at most; [`EndpointOrder::offer`] refuses what goes beyond.
    pub capacity: usize,
}

/// A delivery to start now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// The event's number.
    pub id: u64,
    /// 1 for the first attempt.
    pub attempt: u32,
}

/// What became of an event whose delivery ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// It is done with.
    Delivered,
    /// It is tried again after this pause; the later events of its key wait behind it.
    Again(Duration),
    /// Every attempt failed; its key goes on with the next event.
    GaveUp {
        /// How many attempts there were.
        attempts: u32,
    },
    /// No such delivery was running.
    Unknown,
}

/// The events of one key.
#[derive(Debug)]
struct Line {
    /// The one that is ready, waiting or running.
    first: u64,
    /// Those that come after it; mostly there are none.
    later: VecDeque<u64>,
    /// Attempts of the first event that have ended.
    failed: u32,
}

/// The state machine. Each key is in exactly one place: ready, waiting for a retry, or running.
#[derive(Debug)]
pub struct EndpointOrder {
    rules: Rules,
    lines: HashMap<CompactString, Line, RandomState>,
    ready: VecDeque<CompactString>,
    waiting: BTreeMap<(Instant, u64), CompactString>,
    /// Each with the outage before which it began.
    running: HashMap<u64, (CompactString, u32), RandomState>,
    /// Those of them that take no place any more, only their key.
    placeless: HashSet<u64, RandomState>,
    held: usize,
    hold: Option<Hold>,
    /// How often in a row nothing could be started.
    not_started: u32,
    /// How many deliveries may run just now.
    allowed: usize,
    /// How often something could not be started, with [`Rules::probes`].
    outages: u32,
}

/// Nothing starts before this moment.
#[derive(Debug)]
struct Hold {
    until: Instant,
    /// Or the end of a delivery, if that comes first.
    or_an_end: bool,
}

impl EndpointOrder {
    /// An empty order.
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            lines: HashMap::default(),
            ready: VecDeque::new(),
            waiting: BTreeMap::new(),
            running: HashMap::default(),
            placeless: HashSet::default(),
            held: 0,
            hold: None,
            not_started: 0,
            allowed: rules.jobs.max(1),
            outages: 0,
        }
    }

    /// Takes an event. False when `capacity` is reached: the event was not taken.
    #[must_use]
    pub fn offer(&mut self, id: u64, key: &str) -> bool {
        if self.held >= self.rules.capacity {
            return false;
        }
        self.held += 1;
        if let Some(line) = self.lines.get_mut(key) {
            line.later.push_back(id);
        } else {
            // An address stands in it without memory of its own.
            let key = CompactString::from(key);
            let line = Line {
                first: id,
                later: VecDeque::new(),
                failed: 0,
            };
            self.lines.insert(key.clone(), line);
            self.ready.push_back(key);
        }
        true
    }

    /// The next delivery to start, if one may start at `now`.
    pub fn next(&mut self, now: Instant) -> Option<Start> {
        while let Some(entry) = self.waiting.first_entry() {
            if entry.key().0 > now {
                break;
            }
            self.ready.push_back(entry.remove());
        }
        if self.hold.as_ref().is_some_and(|hold| hold.until > now) {
            return None;
        }
        self.hold = None;
        if self.running.len() - self.placeless.len() >= self.allowed {
            return None;
        }
        let key = self.ready.pop_front()?;
        let line = self.lines.get(&key)?;
        let start = Start {
            id: line.first,
            attempt: line.failed + 1,
        };
        self.running.insert(start.id, (key, self.outages));
        Some(start)
    }

    /// The delivery of `id` ended, and another key may have its place. Its own waits for
    /// [`done`](Self::done).
    pub fn gives_place(&mut self, id: u64) {
        if self.running.contains_key(&id) {
            self.placeless.insert(id);
            self.hold.take_if(|hold| hold.or_an_end);
        }
    }

    /// The delivery of `id` ended at `now`.
    pub fn done(&mut self, id: u64, delivered: bool, now: Instant) -> After {
        let proves = self.proves_recovery(id);
        let Some((key, _)) = self.running.remove(&id) else {
            return After::Unknown;
        };
        self.placeless.remove(&id);
        if proves && self.is_probing() {
            self.allowed += 1;
        }
        if !self.is_probing() {
            self.not_started = 0;
        }
        self.hold.take_if(|hold| hold.or_an_end);
        let Some(line) = self.lines.get_mut(&key) else {
            return After::Unknown;
        };
        if !delivered {
            line.failed += 1;
            if line.failed <= self.rules.retries {
                let pause = self.rules.backoff.after(line.failed);
                self.waiting.insert((now + pause, id), key);
                return After::Again(pause);
            }
        }
        let attempts = line.failed;
        line.failed = 0;
        self.held -= 1;
        if let Some(next) = line.later.pop_front() {
            line.first = next;
            // To the end of the queue: a busy endpoint does not starve the quiet ones.
            self.ready.push_back(key);
        } else {
            self.lines.remove(&key);
        }
        if delivered {
            After::Delivered
        } else {
            After::GaveUp { attempts }
        }
    }

    /// The delivery of `id` could not be started, which does not count as an attempt: it comes
    /// next, after a pause for everything, which is returned and grows while nothing can be
    /// started. Where another delivery's end makes room (`or_an_end`), it comes then.
    pub fn not_started(&mut self, id: u64, or_an_end: bool, now: Instant) -> Duration {
        if let Some((key, _)) = self.running.remove(&id) {
            self.placeless.remove(&id);
            self.ready.push_front(key);
        }
        if self.rules.probes {
            self.allowed = 1;
            self.outages = self.outages.wrapping_add(1);
        }
        // Several that were begun together count once.
        if self.hold.as_ref().is_none_or(|hold| hold.until <= now) {
            self.not_started = self.not_started.saturating_add(1);
        }
        let pause = self.rules.backoff.after(self.not_started);
        let until = now + pause;
        self.hold = Some(Hold { until, or_an_end });
        pause
    }

    /// Whether the good end of this delivery shows that there is no outage any more: one that began
    /// before it does not.
    pub fn proves_recovery(&self, id: u64) -> bool {
        let running = self.running.get(&id);
        running.is_some_and(|(_, before)| *before == self.outages)
    }

    /// Whether fewer run than may, until enough of them ended well.
    pub fn is_probing(&self) -> bool {
        self.allowed < self.rules.jobs
    }

    /// Nothing starts for so long.
    pub fn hold(&mut self, pause: Duration, now: Instant) {
        self.hold = Some(Hold {
            until: now + pause,
            or_an_end: false,
        });
    }

    /// Whether nothing could be started until the longest pause was reached.
    pub fn is_stuck(&self) -> bool {
        let backoff = self.rules.backoff;
        self.not_started > 0 && backoff.after(self.not_started) >= backoff.longest()
    }

    /// When [`next`](Self::next) is worth asking again because a pause ends; `None` while nothing
    /// waits for one.
    pub fn wake_at(&self) -> Option<Instant> {
        let retry = self.waiting.first_key_value().map(|((at, _), _)| *at);
        match &self.hold {
            None => retry,
            Some(hold) if self.ready.is_empty() => retry.map(|at| at.max(hold.until)),
            Some(hold) => Some(hold.until),
        }
    }

    /// How many more events fit.
    pub fn room(&self) -> usize {
        self.rules.capacity.saturating_sub(self.held)
    }

    /// How many events are held, running ones included.
    pub fn len(&self) -> usize {
        self.held
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.held == 0
    }
}

#[cfg(test)]
mod tests;
