//! Which events the stream holds, read from their headers.
//!
//! The stream knows ids by itself for its duplicate window only. What has waited longer than half
//! of it, by a stall, a restart or because it was recovered, is compared with what the stream
//! stored since then; whatever comes into the stream after the reading is within the window again.
//! A process that is stopped between this look and the sending, for longer than the window, can
//! store that event a second time: no server compares it then.

use std::collections::HashSet;
use std::time::Duration;

use async_nats::jetstream::consumer::{self, AckPolicy, DeliverPolicy, pull};
use futures_util::StreamExt;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::Connection;
use super::connection::ANSWER;
use crate::event::EventId;

/// A server's clock may be that much behind ours.
const CLOCKS: SignedDuration = SignedDuration::from_secs(60);

/// Events asked for at a time; their headers have about half a kilobyte each.
const BATCH: usize = 2000;

/// With more of them (40 bytes each) a reading is not gone on with, but begun anew.
const MOST_IDS: usize = 5_000_000;

/// With so many it is begun anew where what is asked for is much younger than its beginning: a
/// subscriber whose server's clock is behind asks for ever.
const MANY_IDS: usize = 200_000;
const MUCH_YOUNGER: SignedDuration = SignedDuration::from_mins(30);

/// A consumer that nobody reads any more is removed after this time.
const FORGOTTEN: Duration = Duration::from_secs(30);

/// See the module's documentation.
pub(super) struct KnownIds {
    connection: Connection,
    stream: String,
    /// The subjects of our deployment.
    filter: String,
    /// For how long a reading is good.
    good_for: Duration,
    ids: HashSet<EventId>,
    reading: Option<Reading>,
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

impl KnownIds {
    pub(super) fn new(
        connection: Connection,
        stream: String,
        filter: String,
        good_for: Duration,
    ) -> Self {
        Self {
            connection,
            stream,
            filter,
            good_for,
            ids: HashSet::new(),
            reading: None,
        }
    }

    /// Whether the stream has an event that cannot have been stored before `since`. Reads the
    /// stream where that is not known. `Err`: why it cannot be known now.
    pub(super) async fn has(&mut self, id: EventId, since: Timestamp) -> Result<bool, String> {
        let good = self
            .reading
            .as_ref()
            .is_some_and(|reading| reading.from <= since && reading.at.elapsed() < self.good_for);
        if !good {
            self.read(since).await?;
        }
        Ok(self.ids.contains(&id))
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
                self.ids = HashSet::new();
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
        let mut left = consumer.cached_info().num_pending;
        let mut last = after.unwrap_or(0);
        let result = loop {
            if left == 0 {
                break Ok(last);
            }
            match self.read_batch(&consumer).await {
                Ok(Some((number, pending))) => (last, left) = (number, pending),
                Ok(None) => match consumer.get_info().await {
                    // What was there is gone: purged, or too old.
                    Ok(info) if info.num_pending == 0 => break Ok(last),
                    _ => break Err(self.broken()),
                },
                Err(why) => break Err(why),
            }
        };
        self.connection.drop_consumer(&self.stream, &name).await;
        result
    }

    /// Adds the ids of a batch: the last one's number, and how many are left after it.
    async fn read_batch(
        &mut self,
        consumer: &consumer::Consumer<pull::Config>,
    ) -> Result<Option<(u64, u64)>, String> {
        let mut batch = consumer
            .fetch()
            .max_messages(BATCH)
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
            let id = message.headers.as_ref().and_then(|headers| {
                let id = headers.get(async_nats::header::NATS_MESSAGE_ID)?;
                id.as_str().parse().ok()
            });
            // One of somebody else's, without such an id, is none of ours.
            if let Some(id) = id {
                self.ids.insert(id);
            }
            let info = message.info().map_err(|_| self.broken())?;
            seen = Some((info.stream_sequence, info.pending));
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
