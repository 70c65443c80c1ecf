//! Stores one event in the stream, and says what became of it. Whether and when it is tried again
//! is decided by whoever asks.
//!
//! Where several subscribers store the same events, one that missed some can store what followed
//! before another has stored those. So:
//!
//! - Nothing is stored that others would not see us store ([`OwnSign`]).
//! - What comes first after a gap waits for [`SETTLED`] where others are at work: by then they have
//!   stored what they received before, or it is late.
//! - What is late ([`Lateness`]) or was recovered, and what is sent beside that to the same
//!   partition, is compared with the stream, and stored only if nothing came to its subject since it
//!   was read. Where the stream holds a newer state of its endpoint it is stored all the same,
//!   marked as overtaken.
//! - Where no other subscriber was at work since ([`Others`], and what was read) nothing was
//!   overtaken: it is compared only where the stream may have forgotten its id.
//! - What is held up between that look and the server is neither: it may lie behind a newer state
//!   unmarked, and be stored twice where that takes longer than the duplicate window.

mod permission;
mod since;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_nats::jetstream::ErrorCode;
use async_nats::{Subject, header};
use jiff::{SignedDuration, Timestamp};
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::time::sleep;

use self::since::{at_work, kept_since};
use super::Connection;
use super::acknowledgement::{Acknowledged, Failure, last_number};
use super::bodies::Bodies;
use super::connection::ANSWER;
use super::headers::HeaderMaker;
use super::known::{Seen, StoredEvents, Wanted};
use super::lateness::Lateness;
use super::message::{Happened, MessageMaker, endpoint_or_key, happened, word};
use super::open::OpenStream;
use super::subscribers::{Others, OwnSign, bucket_name};
use crate::event::{Event, EventId};
use crate::threads::RuntimeThread;

/// A copy whose first is still on its way to the replicas: to be asked again after this time.
const STILL_STORING: ErrorCode = ErrorCode(10158);
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// How long an event that comes live may have been on its way: it lies in buffers while we, or the
/// network, are stopped. It bounds what is read of a stream where clocks differ.
const ON_ITS_WAY: SignedDuration = SignedDuration::from_mins(15);

/// How long after a gap others may still store what they received before its end, without being
/// [late](super::lateness).
const SETTLED: Duration = Duration::from_secs(3);

/// How often what has to be compared is sent while others store on the same subject.
const MOST_TRIES: u32 = 100;

/// What became of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    /// The stream has it now.
    Stored,
    /// The stream had it already, by another subscriber or from an earlier try.
    HadIt,
    /// The stream will never take this event: why.
    Refused(String),
    /// The stream takes nothing now: why.
    Unavailable(String),
}

/// See the module's documentation.
pub struct Publisher {
    connection: Connection,
    stream: String,
    maker: MessageMaker,
    /// An event that has waited longer may have been stored, and be forgotten by the stream.
    fresh: Duration,
    /// What is older than this is in the stream no more; zero: it stays for ever.
    max_age: Duration,
    known: Mutex<StoredEvents>,
    others: Others,
    sign: Arc<OwnSign>,
    /// Of each partition: what has to be compared is stored one after the other.
    turns: Vec<Mutex<()>>,
    lateness: Lateness,
    /// When a gap ended, until what others do about it has been waited for.
    gap: std::sync::Mutex<Option<Instant>>,
    waiting: Mutex<()>,
    headers: HeaderMaker,
    bodies: std::sync::Mutex<Bodies>,
    /// Where the connection is served.
    thread: RuntimeThread,
    stored: AtomicU64,
    had: AtomicU64,
}

impl Publisher {
    /// For a stream that was opened, by a connection that is served on this thread. `warn` says a
    /// warning to the user.
    pub fn new(
        connection: Connection,
        thread: RuntimeThread,
        stream: String,
        open: &OpenStream,
        maker: MessageMaker,
        warn: impl Fn(&str) + Send + Sync + 'static,
    ) -> Self {
        let headers = HeaderMaker::new(&maker, &stream);
        let fresh = open.dedupe_window / 2;
        let filter = format!("netapi.{}.>", maker.deployment);
        let member = word(&maker.member);
        let others = Others::than(&connection, &stream, &maker.deployment, &maker.member);
        let known = StoredEvents::new(
            connection.clone(),
            stream.clone(),
            filter,
            fresh / 2,
            member,
            Box::new(warn),
        );
        let turns = (0..maker.partitions).map(|_| Mutex::default()).collect();
        Self {
            connection,
            stream,
            maker,
            fresh,
            max_age: open.max_age,
            known: Mutex::new(known),
            others,
            sign: Arc::new(OwnSign::new()),
            turns,
            lateness: Lateness::default(),
            gap: std::sync::Mutex::default(),
            waiting: Mutex::default(),
            headers,
            bodies: std::sync::Mutex::default(),
            thread,
            stored: AtomicU64::new(0),
            had: AtomicU64::new(0),
        }
    }

    /// Where events are best published from: what goes through the connection changes no thread
    /// then.
    pub fn runtime(&self) -> &Handle {
        self.thread.handle()
    }

    /// A poisoned lock holds a state that is whole all the same.
    fn bodies(&self) -> MutexGuard<'_, Bodies> {
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many events were stored, and how many the stream had already.
    pub fn counts(&self) -> (u64, u64) {
        (self.stored.load(Relaxed), self.had.load(Relaxed))
    }

    /// Stores an event, whose number in the spool is this. Takes as long as an answer may; longer
    /// where the stream has to be read.
    pub async fn publish(&self, event: &Event, number: u64) -> Published {
        let published = self.try_to_publish(event, number).await;
        match published {
            Published::Stored => self.stored.fetch_add(1, Relaxed),
            Published::HadIt => self.had.fetch_add(1, Relaxed),
            Published::Refused(_) | Published::Unavailable(_) => 0,
        };
        published
    }

    /// Whether others see us.
    pub(super) fn sign(&self) -> &Arc<OwnSign> {
        &self.sign
    }

    /// Others see us since then. Where they did not, what they have under way is waited for: they
    /// took it that nobody else stores.
    pub(super) fn is_seen_since(&self, told: Instant) {
        if !self.sign.is_seen() {
            self.listens();
        }
        self.sign.is_heard(told);
    }

    /// A subscription stands, for the first time or again: what happened before it was missed.
    pub fn listens(&self) {
        *self.gap() = Some(Instant::now());
    }

    fn gap(&self) -> MutexGuard<'_, Option<Instant>> {
        self.gap.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn try_to_publish(&self, event: &Event, number: u64) -> Published {
        if let Some(why) = self.disconnected() {
            return why;
        }
        if !self.sign.suffices_within(ANSWER).await {
            return self.unseen();
        }
        if let Err(why) = self.after_gap().await {
            return Published::Unavailable(why);
        }
        let subject = self.maker.subject(event);
        let message = Outgoing {
            event,
            id: self.maker.message_id(event, number),
            // The whole message is read for it, so it is read once.
            happened: happened(event),
            subject: &subject,
        };
        match self.to_compare(&message).await {
            Some((since, others)) => self.store_compared(&message, since, others).await,
            None => match self.store(&message, None).await {
                Stored::Done(published, _) => published,
                Stored::Differs(_) => self.busy(&subject),
            },
        }
    }

    fn disconnected(&self) -> Option<Published> {
        let hosts = self.connection.hosts();
        let why = || Published::Unavailable(format!("no connection to NATS at {hosts}"));
        (!self.connection.stands()).then(why)
    }

    /// Others would not see us store anything.
    fn unseen(&self) -> Published {
        self.disconnected().unwrap_or_else(|| {
            let bucket = bucket_name(&self.stream);
            let seen = "by which subscribers see each other";
            Published::Unavailable(match self.sign.why_unheard() {
                Some(why) => format!("the bucket {bucket}, {seen}: {why}"),
                None => format!("no answer from the bucket {bucket}, {seen}"),
            })
        })
    }

    /// Waits after a gap until others have stored what they received before its end, where there
    /// are others.
    async fn after_gap(&self) -> Result<(), String> {
        if self.gap().is_none() {
            return Ok(());
        }
        // Whoever comes meanwhile waits here.
        let _waiting = self.waiting.lock().await;
        loop {
            let Some(ended) = *self.gap() else {
                return Ok(());
            };
            if self.others_at_work(ended).await? {
                sleep(SETTLED.saturating_sub(ended.elapsed())).await;
            }
            self.gap().take_if(|later| *later == ended);
        }
    }

    /// Whether others store something of late, or may begin to: as a look shows that began after
    /// this.
    async fn others_at_work(&self, after: Instant) -> Result<bool, String> {
        let stored = self.known.lock().await.others_since(at_work()).await;
        Ok(stored.map_err(|error| error.to_string())?
            || self.others.since(at_work(), Some(after)).await)
    }

    /// Stores an event unless the stream has it, and marks it where the stream has a newer state of
    /// its endpoint. `since`: the earliest that anybody can have stored it; `others`: whether anybody
    /// else may have stored something since then.
    async fn store_compared(
        &self,
        message: &Outgoing<'_>,
        since: Timestamp,
        others: bool,
    ) -> Published {
        let Outgoing { event, subject, .. } = *message;
        let endpoint = endpoint_or_key(event);
        let wanted = Wanted {
            id: message.id,
            subject,
            endpoint: &endpoint,
            since,
            time: message.happened.earliest(),
            others,
        };
        let _turn = match self.turn(event) {
            Some(turn) if others => Some(turn.lock().await),
            _ => None,
        };
        for _ in 0..MOST_TRIES {
            let seen = self.known.lock().await.look(&wanted).await;
            let (overtaken, last) = match seen {
                Ok(Seen::Held) => return Published::HadIt,
                Ok(Seen::Not { overtaken, last }) => (overtaken, last),
                Err(error) => return Published::Unavailable(error.to_string()),
            };
            let marked;
            let message = if overtaken {
                let event = event.clone();
                marked = Event { overtaken, ..event };
                Outgoing {
                    event: &marked,
                    ..*message
                }
            } else {
                *message
            };
            match self.store(&message, last).await {
                // A cluster may have noted the id of a copy that it then did not store, in this try
                // or an earlier one, of ours or of another.
                Stored::Done(Published::HadIt, _) if last.is_some() => {
                    let mut known = self.known.lock().await;
                    if let Err(error) = known.read(since).await {
                        return Published::Unavailable(error.to_string());
                    }
                    if known.holds(message.id) {
                        return Published::HadIt;
                    }
                    drop(known);
                    sleep(ASK_AGAIN).await;
                }
                Stored::Done(published, number) => {
                    if let (Some(number), Some(_)) = (number, last) {
                        let at = message.happened.at();
                        self.known.lock().await.stored(&wanted, at, number);
                    }
                    return published;
                }
                Stored::Differs(now) => {
                    let read = self
                        .known
                        .lock()
                        .await
                        .differs(&wanted, last.unwrap_or(0), now)
                        .await;
                    if let Err(error) = read {
                        return Published::Unavailable(error.to_string());
                    }
                }
            }
        }
        self.busy(subject)
    }

    /// Sends an event until it is known what became of it. `last`: the last number that its subject
    /// must have.
    async fn store(&self, message: &Outgoing<'_>, last: Option<u64>) -> Stored {
        let Outgoing { event, id, .. } = *message;
        // What had to be looked at before may have taken long.
        if !self.sign.suffices() {
            return Stored::Done(self.unseen(), None);
        }
        let body = self.bodies().body(event);
        let began = Instant::now();
        loop {
            let mut headers = self.headers.headers(event, id, message.happened);
            if let Some(last) = last {
                headers.insert(
                    header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE,
                    last.to_string(),
                );
            }
            let subject = message.subject.clone();
            let sent = self.connection.publish(subject, headers, body.clone());
            let published = match sent.await {
                Ok(Acknowledged::Storing) if began.elapsed() < ANSWER => {
                    sleep(ASK_AGAIN).await;
                    continue;
                }
                Ok(Acknowledged::Storing) => Published::Unavailable(format!(
                    "the stream {} has not stored another copy yet",
                    self.stream
                )),
                Ok(Acknowledged::HadIt) => Published::HadIt,
                Ok(Acknowledged::Stored(number)) => {
                    return Stored::Done(Published::Stored, Some(number));
                }
                Err(Failure::TooLarge) => Published::Refused(format!(
                    "{} bytes are more than the server takes (max_payload)",
                    body.len()
                )),
                Err(Failure::JetStream(error)) => match error.error_code() {
                    // Or something else is on its way there.
                    STILL_STORING | ErrorCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT
                        if began.elapsed() < ANSWER =>
                    {
                        sleep(ASK_AGAIN).await;
                        continue;
                    }
                    ErrorCode::STREAM_WRONG_LAST_SEQUENCE => {
                        return Stored::Differs(last_number(&error.to_string()));
                    }
                    ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM
                    | ErrorCode::STREAM_HEADER_EXCEEDS_MAXIMUM => {
                        Published::Refused(error.to_string())
                    }
                    ErrorCode::STREAM_STORE_FAILED => Published::Unavailable(format!(
                        "the stream {} is full, or cannot be written ({error})",
                        self.stream
                    )),
                    _ => Published::Unavailable(format!("the stream {}: {error}", self.stream)),
                },
                Err(Failure::NoResponders) => Published::Unavailable(format!(
                    "nobody takes events of the stream {}: it is gone, or has no leader",
                    self.stream
                )),
                Err(Failure::TimedOut) => {
                    Published::Unavailable(self.silent(began, message.subject))
                }
            };
            return Stored::Done(published, None);
        }
    }

    /// Where what has to be compared takes its turn.
    fn turn(&self, event: &Event) -> Option<&Mutex<()>> {
        let partition = usize::try_from(self.maker.partition(event)).ok()?;
        self.turns.get(partition)
    }

    /// Others store on a subject without a break.
    fn busy(&self, subject: &str) -> Published {
        Published::Unavailable(format!("the stream {}: too much on {subject}", self.stream))
    }

    /// Why nothing came back of what was sent to this subject since then.
    fn silent(&self, began: Instant, subject: &str) -> String {
        match self.connection.denied_since(began, Some(subject)) {
            Some(why) => format!("{}: {why}", self.connection.hosts()),
            None => format!("no answer from NATS at {}", self.connection.hosts()),
        }
    }

    /// Whether an event has to be compared with the stream, which may have forgotten its id, or
    /// have a newer one of its endpoint: since when, and whether others may have stored something.
    async fn to_compare(&self, message: &Outgoing<'_>) -> Option<(Timestamp, bool)> {
        let event = message.event;
        let (received, now) = (event.received_at, Timestamp::now());
        // Another subscriber may have stored it when it happened.
        let happened = message.happened.earliest();
        let earliest = received.checked_sub(ON_ITS_WAY).unwrap_or(received);
        let kept = kept_since(now, self.max_age);
        if event.recovered {
            let since = happened.map_or(earliest, |time| time.min(received));
            let since = since.max(kept);
            return Some((since, self.others.since(since, None).await));
        }
        let since = happened.map_or(received, |time| time.min(received).max(earliest));
        // Negative: our clock was set back, and nobody knows how long it waited.
        let waited = Duration::try_from(now.duration_since(since));
        let since = since.max(kept);
        let known_again = waited.is_ok_and(|waited| waited <= self.fresh);
        let late = self.lateness.is_late(received, message.happened.at(), now);
        // Beside what is compared: what was stored without a look would have to be read by that.
        let turn = self.turn(event);
        let beside = || turn.is_some_and(|turn| turn.try_lock().is_err());
        let overtaken = (late || beside()) && self.others.since(since, None).await;
        (overtaken || !known_again).then_some((since, overtaken))
    }
}

/// An event that is being stored.
#[derive(Clone, Copy)]
struct Outgoing<'e> {
    event: &'e Event,
    id: EventId,
    happened: Happened,
    subject: &'e Subject,
}

/// What came of sending it.
enum Stored {
    /// What became of it, and under which number it was stored.
    Done(Published, Option<u64>),
    /// Another number is the last on its subject.
    Differs(u64),
}
