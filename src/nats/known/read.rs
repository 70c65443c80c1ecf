//! Reads what the stream holds into [`StoredEvents`]: from headers, in order, once more where it
//! broke off.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, Consumer, DeliverPolicy, pull};
use futures_util::StreamExt;
use jiff::Timestamp;
use tokio::time::{Instant, sleep_until, timeout};

use super::{CLOCKS, Reading, StoredEvents, Warn};
use crate::error::{Error, Kind, Result};
use crate::event::EventId;
use crate::nats::connection::{ANSWER, NO_MAJORITY};
use crate::nats::headers::names::{KEY_NAME, MEMBER_NAME, SUBJECT_NAME, TIME_NAME};
use crate::nats::reader::{PATIENCE, last_message, make_consumer};

/// Events asked for at a time; their headers have about half a kilobyte each.
const BATCH: usize = 2000;

/// A consumer that nobody reads any more is removed after this time.
const FORGOTTEN: Duration = Duration::from_secs(30);

/// Two tries begin no sooner after each other.
const AGAIN: Duration = Duration::from_millis(300);

/// A reading that takes longer is told of.
const LONG: Duration = Duration::from_secs(5);

/// A server that lags is read from again so often, after this pause.
const MOST_LAGS: u32 = 50;
const LAG: Duration = Duration::from_millis(100);

/// The last message of our subjects, as the stream's leader has it.
struct End {
    number: u64,
    /// When it was stored, by the server's clock.
    stored: Option<Timestamp>,
}

/// Up to which number nothing is left, after what was stored since then was read up to this one;
/// `None`: something is. Without an end nothing is left, or nobody can tell: servers before 2.10,
/// which none lags behind, tell of none where the last message was removed.
fn reached(end: Option<&End>, from: Timestamp, last: u64) -> Option<u64> {
    let Some(end) = end else {
        return Some(u64::MAX);
    };
    let older = end.stored.is_some_and(|stored| stored < from);
    (last >= end.number || older).then(|| last.max(end.number))
}

/// Says this where the work takes longer; gives the means back where it does not.
async fn or_say<T>(
    work: impl Future<Output = T>,
    longer: Duration,
    warn: Warn,
    text: &str,
) -> (T, Option<Warn>) {
    let mut work = pin!(work);
    if let Ok(done) = timeout(longer, &mut work).await {
        return (done, Some(warn));
    }
    warn(text);
    (work.await, None)
}

impl StoredEvents {
    /// Reads what was stored since then, or since the last reading where that reaches as far back.
    /// Says it, the first time, where that takes long.
    pub(in crate::nats) async fn read(&mut self, since: Timestamp) -> Result<()> {
        let Some(warn) = self.warn.take() else {
            return self.read_since(since).await;
        };
        let text = format!(
            "reading what the stream {} holds takes longer than {} s: events that are compared with it wait",
            self.stream,
            LONG.as_secs()
        );
        let (read, warn) = or_say(self.read_since(since), LONG, warn, &text).await;
        self.warn = warn;
        read
    }

    async fn read_since(&mut self, since: Timestamp) -> Result<()> {
        let from = since.checked_sub(CLOCKS).unwrap_or(Timestamp::UNIX_EPOCH);
        let from = from.max(Timestamp::UNIX_EPOCH);
        let (from, mut last) = match self.reading.take() {
            Some(reading) if reading.goes_on(since, self.ids.len()) => (reading.from, reading.last),
            reading => {
                self.forget();
                let now = Timestamp::now();
                let from = reading.map_or(from, |reading| reading.back_to(from, now));
                (from, 0)
            }
        };
        let (mut tries, mut lags) = (0, 0);
        while let Some(silence) = PATIENCE.get(tries) {
            let (at, before) = (Instant::now(), last);
            let pause = match self.read_to_end(from, &mut last, *silence).await {
                Ok(Some(reached)) => {
                    self.reading = Some(Reading {
                        from,
                        last,
                        reached,
                        at,
                    });
                    return Ok(());
                }
                Ok(None) => {
                    lags += 1;
                    if lags == MOST_LAGS {
                        return Err(self.broken());
                    }
                    LAG
                }
                Err(error) if error.kind() != Kind::TimedOut || !self.connection.stands() => {
                    return Err(error);
                }
                Err(error) => {
                    // What was read stays so, and is gone on from.
                    tries = if last > before { 0 } else { tries + 1 };
                    if tries == PATIENCE.len() {
                        return Err(error);
                    }
                    AGAIN
                }
            };
            sleep_until(at + pause).await;
        }
        Err(self.broken())
    }

    fn forget(&mut self) {
        self.ids = HashSet::default();
        self.newest = HashMap::new();
        self.last = HashMap::new();
    }

    /// Reads on to what the stream's leader has now, and gives the number up to which nothing is left
    /// then. `None`: the server that was read from has not got it all yet.
    async fn read_to_end(
        &mut self,
        from: Timestamp,
        last: &mut u64,
        silence: Duration,
    ) -> Result<Option<u64>> {
        let asked = last_message(&self.connection, &self.stream, &self.filter);
        let asked = timeout(silence, asked).await;
        let found = asked.map_err(|_| self.broken())??;
        let end = found.map(|message| End {
            number: message.seq,
            stored: message.time.parse().ok(),
        });
        if end.as_ref().is_none_or(|end| end.number < *last) {
            // The stream was made anew or restored, or its end was removed.
            self.forget();
            *last = 0;
        }
        self.read_on(from, last, silence).await?;
        Ok(reached(end.as_ref(), from, *last))
    }

    /// Adds what is stored after this number, or without one since then. `last`: the last one's
    /// number, as far as it came.
    ///
    /// Errors: [`Kind::TimedOut`] where nobody answered for so long, or some did not come.
    async fn read_on(&mut self, from: Timestamp, last: &mut u64, silence: Duration) -> Result<()> {
        let deliver_policy = if *last > 0 {
            DeliverPolicy::ByStartSequence {
                start_sequence: *last + 1,
            }
        } else {
            let start_time =
                async_nats::datetime::from_nanos(from.as_nanosecond()).map_err(|_| {
                    let hosts = self.connection.hosts();
                    Error::new(
                        Kind::Failed,
                        format!("{hosts}: a time that nobody can ask for"),
                    )
                })?;
            DeliverPolicy::ByStartTime { start_time }
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
        let consumer = make_consumer(&self.connection, &self.stream, config, silence).await?;
        let read = self.read_pending(&consumer, last, silence).await;
        let (connection, stream) = (self.connection.clone(), self.stream.clone());
        let name = consumer.cached_info().name.clone();
        // Where it is gone with its server nobody answers.
        tokio::spawn(async move { connection.drop_consumer(&stream, &name).await });
        read
    }

    /// Adds what was there when the consumer was made; what comes meanwhile would have no end.
    async fn read_pending(
        &mut self,
        consumer: &Consumer<pull::Config>,
        last: &mut u64,
        silence: Duration,
    ) -> Result<()> {
        let wanted = consumer.cached_info().num_pending;
        let mut came = 0;
        while came < wanted {
            let before = came;
            self.read_batch(consumer, wanted - came, &mut came, last, silence)
                .await?;
            if came == before {
                let info = timeout(silence, consumer.get_info()).await;
                let info = info.ok().and_then(Result::ok);
                // What was there is gone: purged, or too old.
                let gone = info.is_some_and(|info| {
                    info.num_pending == 0 && info.delivered.consumer_sequence == came
                });
                return if gone { Ok(()) } else { Err(self.broken()) };
            }
        }
        Ok(())
    }

    /// Adds what a batch holds, of no more than these. `came`: how many came so far.
    async fn read_batch(
        &mut self,
        consumer: &Consumer<pull::Config>,
        left: u64,
        came: &mut u64,
        last: &mut u64,
        silence: Duration,
    ) -> Result<()> {
        let asked = consumer
            .fetch()
            .max_messages(usize::try_from(left).map_or(BATCH, |left| left.min(BATCH)))
            .expires(ANSWER)
            .messages();
        let asked = timeout(silence, asked).await.map_err(|_| self.broken())?;
        let mut batch = asked.map_err(|_| self.broken())?;
        loop {
            let next = timeout(silence, batch.next()).await;
            let Some(message) = next.map_err(|_| self.broken())? else {
                return Ok(());
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
            if let Some(id) = id.and_then(|id| id.parse::<EventId>().ok()) {
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
            *last = info.stream_sequence;
        }
    }

    /// Why a reading ended early; the library's words say no more.
    fn broken(&self) -> Error {
        let hosts = self.connection.hosts();
        Error::new(
            Kind::TimedOut,
            format!("reading the stream {} on {hosts} broke off", self.stream),
        )
        .hint(NO_MAJORITY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_takes_long_is_said_while_it_does() {
        let (say, mut said) = tokio::sync::mpsc::unbounded_channel();
        let warn = || -> Warn {
            let say = say.clone();
            Box::new(move |text: &str| say.send(text.to_owned()).unwrap())
        };
        let (done, left) = or_say(async { 7 }, LONG, warn(), "long").await;
        assert!(done == 7 && left.is_some());
        let (text, left) = or_say(said.recv(), Duration::from_millis(1), warn(), "long").await;
        assert_eq!(text.as_deref(), Some("long"));
        assert!(left.is_none());
    }

    #[test]
    fn a_reading_is_whole_when_it_has_what_the_leader_has() {
        let from: Timestamp = "2026-11-22T03:00:00Z".parse().unwrap();
        let end = |number, stored: &str| End {
            number,
            stored: stored.parse().ok(),
        };
        let later = end(7, "2026-11-22T03:00:00.5Z");
        assert_eq!(reached(Some(&later), from, 0), None);
        assert_eq!(reached(Some(&later), from, 6), None);
        assert_eq!(reached(Some(&later), from, 7), Some(7));
        assert_eq!(reached(Some(&later), from, 9), Some(9));
        // Nothing was stored since then.
        let older = end(7, "2026-11-22T02:59:59.5Z");
        assert_eq!(reached(Some(&older), from, 0), Some(7));
        assert_eq!(reached(None, from, 3), Some(u64::MAX));
    }
}
