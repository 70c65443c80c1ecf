//! What the stream holds, read from headers: which events, and the newest time of each endpoint.
//!
//! The stream knows ids by itself for its duplicate window only. What has waited longer than half
//! of it, by a stall, a restart or because it was recovered, is compared with what the stream
//! stored since then; whatever comes into the stream after the reading is within the window again.
//!
//! An event that others may have overtaken is stored only if nothing came to its subject since this
//! was read, which the server looks after ([`Seen::Not`]). Where something came, that is read
//! first. So such an event never lies unmarked behind a newer one of its endpoint.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;
use std::time::Duration;

use async_nats::jetstream::consumer::{self, AckPolicy, DeliverPolicy, pull};
use foldhash::quality::RandomState;
use futures_util::StreamExt;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::Connection;
use super::connection::ANSWER;
use super::message::names::{KEY_NAME, MEMBER_NAME, SUBJECT_NAME, TIME_NAME};
use crate::event::EventId;

/// A server's clock may be that much behind ours.
const CLOCKS: SignedDuration = SignedDuration::from_secs(60);

/// Events asked for at a time; their headers have about half a kilobyte each.
const BATCH: usize = 2000;

/// With more of them (40 bytes each, and at most as much for its endpoint) a reading is not gone on
/// with, but begun anew.
const MOST_IDS: usize = 5_000_000;

/// With so many it is begun anew where what is asked for is much younger than its beginning: a
/// subscriber whose server's clock is behind asks for ever.
const MANY_IDS: usize = 200_000;
const MUCH_YOUNGER: SignedDuration = SignedDuration::from_mins(30);

/// A consumer that nobody reads any more is removed after this time.
const FORGOTTEN: Duration = Duration::from_secs(30);

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
}

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
        twice.map_or(since, |twice| twice.min(since))
    }
}

impl StoredEvents {
    pub(super) fn new(
        connection: Connection,
        stream: String,
        filter: String,
        good_for: Duration,
        member: String,
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
        }
    }

    /// What the stream holds of an event. Reads the stream where that is not known. `Err`: why it
    /// cannot be known now.
    pub(super) async fn look(&mut self, wanted: &Wanted<'_>) -> Result<Seen, String> {
        let good = self.reading.as_ref().is_some_and(|reading| {
            reading.from <= wanted.since && reading.at.elapsed() < self.good_for
        });
        if !good {
            self.read(wanted.since).await?;
        }
        if self.ids.contains(&wanted.id) {
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

    /// An event was stored under this number, and nothing came to its subject before it.
    pub(super) fn stored(&mut self, wanted: &Wanted<'_>, at: Option<Timestamp>, number: u64) {
        self.ids.insert(wanted.id);
        self.note(wanted.subject, wanted.endpoint, at, number);
    }

    /// The server does not have `sent` as the last number on this subject, but `now`: reads what
    /// came.
    pub(super) async fn differs(
        &mut self,
        wanted: &Wanted<'_>,
        sent: u64,
        now: u64,
    ) -> Result<(), String> {
        let read = self.reading.as_ref().map_or(0, |reading| reading.last);
        if now > read {
            self.read(wanted.since).await?;
        }
        let seen = self.last.entry(wanted.subject.to_owned()).or_default();
        // It is older than the reading reaches back, or what came after it was removed.
        if *seen == sent {
            *seen = now;
        }
        Ok(())
    }

    /// Whether another subscriber stored anything since then.
    pub(super) async fn others_since(&mut self, since: Timestamp) -> Result<bool, String> {
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

    /// Reads what was stored since then, or since the last reading where that reaches as far back.
    pub(super) async fn read(&mut self, since: Timestamp) -> Result<(), String> {
        let began = Instant::now();
        let from = since.checked_sub(CLOCKS).unwrap_or(Timestamp::UNIX_EPOCH);
        let (from, after) = match self.reading.take() {
            Some(reading) if reading.goes_on(since, self.ids.len()) => {
                (reading.from, Some(reading.last))
            }
            reading => {
                self.ids = HashSet::default();
                self.newest = HashMap::new();
                self.last = HashMap::new();
                let now = Timestamp::now();
                (
                    reading.map_or(from, |reading| reading.back_to(from, now)),
                    None,
                )
            }
        };
        let last = self.read_ids(from, after).await?;
        self.reading = Some(Reading {
            from,
            last,
            at: began,
        });
        Ok(())
    }

    /// Adds the ids stored since then, or after that number; gives the last one's number.
    async fn read_ids(&mut self, from: Timestamp, after: Option<u64>) -> Result<u64, String> {
        let deliver_policy = match after.filter(|last| *last > 0) {
            Some(last) => DeliverPolicy::ByStartSequence {
                start_sequence: last + 1,
            },
            None => DeliverPolicy::ByStartTime {
                start_time: async_nats::datetime::from_nanos(from.as_nanosecond())
                    .map_err(|_| "a time that nobody can ask for".to_owned())?,
            },
        };
        let config = pull::Config {
            deliver_policy,
            ack_policy: AckPolicy::None,
            headers_only: true,
            filter_subject: self.filter.clone(),
            inactive_threshold: FORGOTTEN,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let jetstream = &self.connection.jetstream;
        let consumer: consumer::Consumer<pull::Config> = jetstream
            .create_consumer_on_stream(config, &self.stream)
            .await
            .map_err(|error| {
                let hosts = self.connection.hosts();
                format!(
                    "the stream {} on {hosts} cannot be read: {}",
                    self.stream,
                    error.kind()
                )
            })?;
        let name = consumer.cached_info().name.clone();
        // Those that were there when it was made; what comes meanwhile would have no end.
        let wanted = consumer.cached_info().num_pending;
        let mut last = after.unwrap_or(0);
        let mut came = 0;
        let result = loop {
            let left = wanted.saturating_sub(came);
            if left == 0 {
                break Ok(last);
            }
            match self.read_batch(&consumer, left, &mut came).await {
                Ok(Some(number)) => last = number,
                Ok(None) => match consumer.get_info().await {
                    // What was there is gone: purged, or too old.
                    Ok(info)
                        if info.num_pending == 0 && info.delivered.consumer_sequence == came =>
                    {
                        break Ok(last);
                    }
                    _ => break Err(self.broken()),
                },
                Err(why) => break Err(why),
            }
        };
        self.connection.drop_consumer(&self.stream, &name).await;
        result
    }

    /// Adds what a batch holds, of no more than these; gives the last one's number. `came`: how many
    /// came so far.
    async fn read_batch(
        &mut self,
        consumer: &consumer::Consumer<pull::Config>,
        left: u64,
        came: &mut u64,
    ) -> Result<Option<u64>, String> {
        let mut batch = consumer
            .fetch()
            .max_messages(usize::try_from(left).map_or(BATCH, |left| left.min(BATCH)))
            .expires(ANSWER)
            .messages()
            .await
            .map_err(|_| self.broken())?;
        let mut seen = None;
        loop {
            let next = tokio::time::timeout(ANSWER, batch.next()).await;
            let Some(message) = next.map_err(|_| self.broken())? else {
                return Ok(seen);
            };
            let message = message.map_err(|_| self.broken())?;
            let info = message.info().map_err(|_| self.broken())?;
            *came += 1;
            // One before it went to a connection that is gone.
            if info.consumer_sequence != *came {
                return Err(self.broken());
            }
            let header = |name: &str| {
                let value = message.headers.as_ref()?.get(name)?;
                Some(value.as_str())
            };
            // One of somebody else's, without such an id, is none of ours.
            let id = header(async_nats::header::NATS_MESSAGE_ID.as_ref());
            if let Some(id) = id.and_then(|id| id.parse().ok()) {
                self.ids.insert(id);
            }
            let at = header(TIME_NAME).and_then(|time| time.parse().ok());
            self.note(
                &message.subject,
                header(SUBJECT_NAME)
                    .or(header(KEY_NAME))
                    .unwrap_or_default(),
                at,
                info.stream_sequence,
            );
            if header(MEMBER_NAME).is_some_and(|member| member != self.member) {
                let stored = info.published.unix_timestamp_nanos();
                self.others = Timestamp::from_nanosecond(stored).ok().max(self.others);
            }
            seen = Some(info.stream_sequence);
        }
    }

    /// Why a reading ended early; the library's words say no more.
    fn broken(&self) -> String {
        let hosts = self.connection.hosts();
        format!("reading the stream {} on {hosts} broke off", self.stream)
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
            at: Instant::now(),
        };
        assert_eq!(reading(10).back_to(minutes(5), now), minutes(5));
        assert_eq!(reading(10).back_to(minutes(11), now), minutes(20));
        assert_eq!(reading(10).back_to(minutes(50), now), minutes(50));
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
