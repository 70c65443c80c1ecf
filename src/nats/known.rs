//! What the stream holds, read from headers: which events, and the newest time of each endpoint.
//!
//! The stream knows ids by itself for its duplicate window only. What has waited longer than half
//! of it, by a stall, a restart or because it was recovered, is compared with what the stream
//! stored since then; whatever comes into the stream after the reading is within the window again,
//! unless what is sent then lies in a connection, or in a process that is stopped, for longer than
//! the window: that can be stored twice.
//!
//! An event that others may have overtaken is stored only if nothing came to its subject since this
//! was read, which the server looks after ([`Seen::Not`]). Where something came, that is read
//! first. So such an event does not lie unmarked behind a newer one of its endpoint that its header
//! tells the time of. That holds for what is known to be late when it is looked at.

mod read;

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;
use std::time::Duration;

use foldhash::quality::RandomState;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::Connection;
use crate::error::Result;
use crate::event::EventId;

/// A server's clock may be that much behind ours.
const CLOCKS: SignedDuration = SignedDuration::from_secs(60);

/// With more of them (40 bytes each, and at most as much for its endpoint) a reading is not gone on
/// with, but begun anew.
const MOST_IDS: usize = 5_000_000;

/// With so many it is begun anew where what is asked for is much younger than its beginning: a
/// subscriber whose server's clock is behind asks for ever.
const MANY_IDS: usize = 200_000;
const MUCH_YOUNGER: SignedDuration = SignedDuration::from_mins(30);

/// So many readings at most for one event.
const MOST_READINGS: u32 = 3;

/// See the module's documentation.
pub(super) struct StoredEvents {
    connection: Connection,
    stream: String,
    /// The subjects of our deployment.
    filter: String,
    /// For how long a reading is good.
    good_for: Duration,
    /// Our own name, as headers have it.
    member: String,
    ids: HashSet<EventId, RandomState>,
    /// The newest time, in microseconds, of each endpoint's events on a subject.
    newest: HashMap<u64, i64>,
    hasher: RandomState,
    /// The last number on each subject.
    last: HashMap<String, u64>,
    /// When another subscriber stored something last, by the server's clock.
    others: Option<Timestamp>,
    reading: Option<Reading>,
    /// Where it is said, once, that a reading takes long.
    warn: Option<Warn>,
}

/// Says a warning to the user.
pub(super) type Warn = Box<dyn Fn(&str) + Send + Sync>;

/// An event as it will lie in the stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'e> {
    pub(super) id: EventId,
    pub(super) subject: &'e str,
    /// Its endpoint, as headers have it.
    pub(super) endpoint: &'e str,
    /// The earliest that it can have been stored by anybody.
    pub(super) since: Timestamp,
    /// How old the state is that it tells.
    pub(super) time: Option<Timestamp>,
    /// Whether another subscriber may have stored something since then.
    pub(super) others: bool,
}

/// What the stream holds of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// The event itself.
    Held,
    /// Not that.
    Not {
        /// It has a newer state of its endpoint.
        overtaken: bool,
        /// The last number on the event's subject, 0 where there is none; `None`: nobody else
        /// stored anything that it could lie behind.
        last: Option<u64>,
    },
}

/// What was read.
struct Reading {
    /// Everything stored since then.
    from: Timestamp,
    /// Up to this number.
    last: u64,
    /// Nothing that has a number up to this one is left to read.
    reached: u64,
    /// When the reading began.
    at: Instant,
}

impl Reading {
    /// Whether it is gone on with, with so many ids, for what happened since then.
    fn goes_on(&self, since: Timestamp, ids: usize) -> bool {
        let younger = since.duration_since(self.from);
        let most = if younger > MUCH_YOUNGER {
            MANY_IDS
        } else {
            MOST_IDS
        };
        !younger.is_negative() && ids < most
    }

    /// From when to read for what happened since then. What is recovered comes in any order: who
    /// asks for something older will ask for more of it, so each reading reaches back twice as far
    /// as the one before.
    fn back_to(&self, since: Timestamp, now: Timestamp) -> Timestamp {
        if since >= self.from {
            return since;
        }
        let twice = self.from.checked_sub(now.duration_since(self.from));
        let from = twice.map_or(since, |twice| twice.min(since));
        // Servers are asked for no time before it.
        from.max(Timestamp::UNIX_EPOCH)
    }
}

impl StoredEvents {
    pub(super) fn new(
        connection: Connection,
        stream: String,
        filter: String,
        good_for: Duration,
        member: String,
        warn: Warn,
    ) -> Self {
        Self {
            connection,
            stream,
            filter,
            good_for,
            member,
            ids: HashSet::default(),
            newest: HashMap::new(),
            hasher: RandomState::default(),
            last: HashMap::new(),
            others: None,
            reading: None,
            warn: Some(warn),
        }
    }

    /// What the stream holds of an event. Reads the stream where that is not known. `Err`: why it
    /// cannot be known now.
    pub(super) async fn look(&mut self, wanted: &Wanted<'_>) -> Result<Seen> {
        // One that took long is gone on with, which is short then.
        for _ in 0..MOST_READINGS {
            let good = self.reading.as_ref().is_some_and(|reading| {
                reading.from <= wanted.since && reading.at.elapsed() < self.good_for
            });
            if good {
                break;
            }
            self.read(wanted.since).await?;
        }
        if self.holds(wanted.id) {
            return Ok(Seen::Held);
        }
        // Others that were seen in the stream alone count too.
        if !wanted.others && !self.others_stored(wanted.since) {
            return Ok(Seen::Not {
                overtaken: false,
                last: None,
            });
        }
        let place = self.place(wanted.subject, wanted.endpoint);
        let newest = wanted.time.zip(self.newest.get(&place));
        let last = self.last.get(wanted.subject).copied().unwrap_or(0);
        Ok(Seen::Not {
            overtaken: newest.is_some_and(|(time, newest)| time.as_microsecond() < *newest),
            last: Some(last),
        })
    }

    /// Whether one of this id was read, or stored by us.
    pub(super) fn holds(&self, id: EventId) -> bool {
        self.ids.contains(&id)
    }

    /// An event was stored under this number, and nothing came to its subject before it.
    pub(super) fn stored(&mut self, wanted: &Wanted<'_>, at: Option<Timestamp>, number: u64) {
        self.ids.insert(wanted.id);
        self.note(wanted.subject, wanted.endpoint, at, number);
    }

    /// The server does not have `sent` as the last number on this subject, but `now`: reads what
    /// came.
    pub(super) async fn differs(&mut self, wanted: &Wanted<'_>, sent: u64, now: u64) -> Result<()> {
        let read = self.reading.as_ref().map_or(0, |reading| reading.last);
        if now > read {
            self.read(wanted.since).await?;
        }
        let reached = self.reading.as_ref().map_or(0, |reading| reading.reached);
        let seen = self.last.entry(wanted.subject.to_owned()).or_default();
        // It is older than the reading reaches back, or what came after it was removed. What has not
        // come yet is read first.
        if *seen == sent && now <= reached {
            *seen = now;
        }
        Ok(())
    }

    /// Whether another subscriber stored anything since then.
    pub(super) async fn others_since(&mut self, since: Timestamp) -> Result<bool> {
        self.read(since).await?;
        Ok(self.others_stored(since))
    }

    /// The same, as far as was read.
    fn others_stored(&self, since: Timestamp) -> bool {
        let since = since.checked_sub(CLOCKS).unwrap_or(since);
        self.others.is_some_and(|time| time >= since)
    }

    fn place(&self, subject: &str, endpoint: &str) -> u64 {
        self.hasher.hash_one((subject, endpoint))
    }

    fn note(&mut self, subject: &str, endpoint: &str, at: Option<Timestamp>, number: u64) {
        if let Some(at) = at.map(Timestamp::as_microsecond) {
            let place = self.place(subject, endpoint);
            let newest = self.newest.entry(place).or_insert(at);
            *newest = at.max(*newest);
        }
        match self.last.get_mut(subject) {
            Some(last) => *last = number.max(*last),
            None => {
                self.last.insert(subject.to_owned(), number);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reading_reaches_back_twice_as_far() {
        let now = Timestamp::now();
        let minutes = |minutes| now - SignedDuration::from_mins(minutes);
        let reading = |from| Reading {
            from: minutes(from),
            last: 1,
            reached: 1,
            at: Instant::now(),
        };
        assert_eq!(reading(10).back_to(minutes(5), now), minutes(5));
        assert_eq!(reading(10).back_to(minutes(11), now), minutes(20));
        assert_eq!(reading(10).back_to(minutes(50), now), minutes(50));
        let decades = minutes(60 * 24 * 365 * 40);
        assert_eq!(
            reading(60 * 24 * 365 * 30).back_to(decades, now),
            Timestamp::UNIX_EPOCH
        );
        // Rows of an hour, newest first.
        let mut reading = reading(1);
        let older = (1..=3600).map(|seconds| now - SignedDuration::from_secs(seconds));
        let mut readings = 0;
        for since in older.filter(|since| *since < now - SignedDuration::from_mins(1)) {
            if since < reading.from {
                reading.from = reading.back_to(since, now);
                readings += 1;
            }
        }
        assert!(readings <= 6, "{readings}");
    }

    #[test]
    fn what_nobody_asks_for_any_more_is_not_kept() {
        let now = Timestamp::now();
        let reading = |minutes| Reading {
            from: now - SignedDuration::from_mins(minutes),
            last: 1,
            reached: 1,
            at: Instant::now(),
        };
        assert!(reading(1).goes_on(now, MANY_IDS));
        assert!(!reading(1).goes_on(now, MOST_IDS));
        assert!(reading(60).goes_on(now, MANY_IDS - 1));
        assert!(!reading(60).goes_on(now, MANY_IDS));
        // It does not reach that far back.
        assert!(!reading(-1).goes_on(now, 0));
    }
}
