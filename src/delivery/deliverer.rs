//! The way in: a handle to the delivering thread. Offering events waits for the disk, or some seconds
//! for room in memory, and never for one delivery.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};

use super::Listener;
use super::counters::Counters;
use super::dead_letters::{self, DeadLetters};
use super::delivery_loop::DeliveryLoop;
use super::earlier_callbacks::EarlierCallbacks;
use super::endpoint_order::{EndpointOrder, Rules};
use super::gate::Gate;
use super::queue::spool::{Spool, SpoolMemory};
use super::scheduler::Scheduler;
use super::sink::{OpenSink, Sink};
use super::stop::Stop;
use crate::backoff::Backoff;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Mark, Memory, Progress};

/// How many numbers of waiting events are in memory at most; everything else lies in the spool.
const WINDOW: usize = 20_000;

/// How long whoever brings events waits for room in memory before they go to disk, counted from
/// when it was first full since at least half of it was free.
const PATIENCE: Duration = Duration::from_secs(1);

/// The same where delivery is only slower than the source: as much as memory holds is delivered
/// within [`PATIENCE`], and writing it to disk would take the time that delivering it takes.
const MOST_PATIENCE: Duration = Duration::from_secs(10);

/// How events are delivered, and where they wait.
pub struct DeliveryOptions {
    /// How many callbacks may run at a time (`--jobs`).
    pub jobs: usize,
    /// How often a failed one is tried again (`--retries`).
    pub retries: u32,
    /// The pauses before a retry, and before a long-lived child is started again.
    pub backoff: Backoff,
    /// The durable spool's directory; `None` for a temporary one.
    pub spool: Option<PathBuf>,
    /// The file for dead letters. `None`: `DIR/dead-letters.jsonl` of a durable spool, else the
    /// listener.
    pub dead_letters: Option<PathBuf>,
    /// Who hears of it.
    pub listener: Arc<dyn Listener>,
    /// What is counted; shared with whoever reports it.
    pub counters: Arc<Counters>,
    /// Who has a say on each event, and is given dead letters; with a temporary spool only.
    pub gate: Option<Arc<dyn Gate>>,
}

/// How delivery ended. Its text is the last word on what was left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ending {
    /// Events not delivered, as far as that is known.
    pub left: u64,
    /// The spool's directory, which keeps them; `None`: the spool was temporary and they are gone.
    pub spool: Option<PathBuf>,
    /// Whether it ended since nobody reads any more what is printed, which is no failure.
    pub reader_gone: bool,
    /// Why delivery ended by itself, or the spool could not be closed.
    pub failure: Option<Error>,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (left, events, were) = match self.left {
            1 => (1, "event", "was"),
            left => (left, "events", "were"),
        };
        match &self.spool {
            Some(dir) => write!(
                f,
                "{left} undelivered {events} in the spool {}, delivered first next time",
                dir.display()
            ),
            None if self.reader_gone => {
                // A part of them may have been printed: what a failed write left behind is not known.
                write!(
                    f,
                    "the reader is gone; up to {left} {events} {were} not printed"
                )
            }
            None => write!(
                f,
                "{left} undelivered {events} discarded with the temporary spool; --spool DIR keeps them"
            ),
        }
    }
}

/// Takes events and delivers them. See the room's documentation.
pub struct Deliverer {
    spool: Arc<Spool>,
    counters: Arc<Counters>,
    listener: Arc<dyn Listener>,
    left_over: u64,
    /// Whether what a temporary spool has in memory is delivered even after the first Ctrl-C.
    empties_memory: bool,
    /// What is said when events begin to wait on disk.
    lagging: Option<&'static str>,
    lag: Mutex<Lag>,
    /// Notified when there may be room in memory.
    room: Arc<Notify>,
    tail: watch::Sender<u64>,
    stop: watch::Sender<Stop>,
    over: watch::Receiver<bool>,
    thread: JoinHandle<Result<()>>,
}

/// Since when delivery does not keep up with what is offered to a temporary spool.
#[derive(Default)]
struct Lag {
    /// When memory was first found full.
    since: Option<Instant>,
    /// How often what it holds had been delivered when that was looked at, and when.
    looked: Option<(u64, Instant)>,
    /// Whether it was said.
    said: bool,
}

impl Lag {
    /// Until when to wait for room, where what memory holds has been delivered so often by now.
    fn patience(&mut self, turnovers: u64, now: Instant) -> Instant {
        let since = *self.since.get_or_insert(now);
        let (before, at) = *self.looked.get_or_insert((turnovers, now));
        let in_time = turnovers > before && now < at + PATIENCE;
        let from = if in_time { now } else { at };
        if in_time {
            self.looked = Some((turnovers, now));
        }
        (from + PATIENCE).min(since + MOST_PATIENCE)
    }
}

impl Deliverer {
    /// Opens the spool and starts delivering what an earlier run left in it. Blocks on the disk for
    /// a moment.
    pub fn start(sink: Sink, options: DeliveryOptions) -> Result<Self> {
        let spool = Arc::new(match &options.spool {
            Some(dir) => Spool::open(dir)?,
            None => Spool::temporary(),
        });
        let letters = match (&options.dead_letters, spool.directory()) {
            (Some(file), dir) => DeadLetters::open(file, dir.is_some(), &options.listener)?,
            (None, Some(dir)) => {
                DeadLetters::open(&dir.join(dead_letters::FILE), true, &options.listener)?
            }
            (None, None) => DeadLetters::Listener(Arc::clone(&options.listener)),
        };
        let earlier = match (sink.callback(), spool.directory()) {
            (Some(_), Some(dir)) => Some(EarlierCallbacks::open(dir)?),
            _ => None,
        };
        let (tail, tail_seen) = watch::channel(spool.tail());
        let (stop, stop_seen) = watch::channel(Stop::No);
        let (say_over, over) = watch::channel(false);
        let room = Arc::new(Notify::new());
        let left_over = spool.count()?;
        let counters = Arc::clone(&options.counters);
        let listener = Arc::clone(&options.listener);
        let empties_memory = sink.empties_memory() && spool.directory().is_none();
        let lagging = sink.lagging();
        let mut builder = std::thread::Builder::new().name("delivery".to_owned());
        if let Some(bytes) = sink.stack_size() {
            builder = builder.stack_size(bytes);
        }
        let parts = Parts {
            spool: Arc::clone(&spool),
            letters,
            earlier,
            tail: tail_seen,
            stop: stop_seen,
            room: Arc::clone(&room),
        };
        let thread = builder
            .spawn(move || {
                let result = run(sink, options, parts);
                say_over.send_replace(true);
                result
            })
            .map_err(|error| cannot_start(&error))?;
        Ok(Self {
            spool,
            counters,
            listener,
            left_over,
            empties_memory,
            lagging,
            lag: Mutex::default(),
            room,
            tail,
            stop,
            over,
            thread,
        })
    }

    /// How many events an earlier run left in the spool.
    pub fn left_over(&self) -> u64 {
        self.left_over
    }

    /// What is counted.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What an earlier run last saw of each topic, to fetch what was missed since.
    pub fn marks(&self) -> Result<Vec<Mark>> {
        self.spool.marks()
    }

    /// What earlier runs told, where the spool is durable.
    pub fn memory(&self) -> Option<Arc<dyn Memory>> {
        let memory = SpoolMemory::of(&self.spool)?;
        Some(Arc::new(memory))
    }

    /// Whether events and marks outlive this run.
    pub fn is_durable(&self) -> bool {
        self.spool.directory().is_some()
    }

    /// Takes the events of one received frame, and the progress that goes with it. When it returns
    /// they are in the spool, all of them or (with an error) none; after an error the caller stops
    /// taking events. Where the error is that the spool [`is_gone`](Self::is_gone) they were taken
    /// all the same, and are delivered by this run. False when delivery has ended, so that nothing
    /// was taken; [`finish`](Self::finish) says why it has.
    pub async fn offer_batch(
        &self,
        batch: Vec<Event>,
        progress: impl Into<Progress>,
    ) -> Result<bool> {
        let progress = progress.into();
        let received = batch.len() as u64;
        let recovered = batch.iter().filter(|event| event.recovered).count() as u64;
        let counters = Arc::clone(&self.counters);
        let count = move || counters.received(received, recovered);
        let batch = match self.offer_to_memory(batch, &count).await {
            Ok(taken) => return Ok(taken),
            Err(batch) => batch,
        };
        let batch = match self.spool.append_unwritten(batch) {
            Ok(next) => {
                count();
                advance(&self.tail, next);
                return Ok(true);
            }
            Err(batch) => batch,
        };
        let spool = Arc::clone(&self.spool);
        let tail = self.tail.clone();
        // The whole of it on the blocking thread: a caller that loses patience half way has still
        // offered.
        let offered = tokio::task::spawn_blocking(move || {
            let next = spool.append_with(batch, &progress)?;
            count();
            advance(&tail, next);
            // They are delivered, but the next ones are not to come.
            spool.gone().map_or(Ok(true), |gone| Err(gone.clone()))
        });
        offered
            .await
            .map_err(|error| Error::new(Kind::Failed, format!("spooling broke off: {error}")))?
    }

    /// Offers events to the memory of a temporary spool, and waits a moment for room there. Gives
    /// back those that are for the disk; false when delivery has ended.
    async fn offer_to_memory(
        &self,
        mut batch: Vec<Event>,
        count: &impl Fn(),
    ) -> Result<bool, Vec<Event>> {
        loop {
            let room = self.room.notified();
            if *self.over.borrow() {
                return Ok(false);
            }
            if self.spool.directory().is_some() {
                return Err(batch);
            }
            let roomy = self.spool.is_half_empty();
            match self.spool.append_in_memory(batch) {
                Ok(next) => {
                    if roomy {
                        *self.lag() = Lag::default();
                    }
                    count();
                    advance(&self.tail, next);
                    return Ok(true);
                }
                Err(refused) => batch = refused,
            }
            if self.spool.refused_for_good() {
                return Err(batch);
            }
            let turnovers = self.spool.turnovers();
            let patience = self.lag().patience(turnovers, Instant::now());
            tokio::select! {
                waited = timeout_at(patience, room) => if waited.is_err() {
                    let said = std::mem::replace(&mut self.lag().said, true);
                    if let (false, Some(notice)) = (said, self.lagging) {
                        self.listener.notice(notice);
                    }
                    return Err(batch);
                },
                () = self.over() => {}
            }
        }
    }

    /// A poisoned lock holds a state that is whole all the same.
    fn lag(&self) -> MutexGuard<'_, Lag> {
        self.lag.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the spool was removed or replaced under us: what was taken is best delivered now.
    pub fn is_gone(&self) -> bool {
        self.spool.known_gone().is_some()
    }

    /// The user wants to end: no further callback is started. What was received before can still be
    /// offered.
    pub fn hold(&self) {
        if !self.empties_memory {
            self.stop(Stop::Finish);
        }
    }

    /// Tells delivery to end; a call that is less urgent than an earlier one changes nothing.
    pub fn stop(&self, stop: Stop) {
        stop.raise(&self.stop);
    }

    /// Waits until delivery has ended, since it was told to or since it failed. Safe to drop and to
    /// ask again.
    pub async fn over(&self) {
        let mut over = self.over.clone();
        // An error means that the thread is gone: over as well.
        let _gone = over.wait_for(|over| *over).await;
    }

    /// Whether delivery has ended.
    #[cfg(feature = "nats")]
    pub fn is_over(&self) -> bool {
        *self.over.borrow()
    }

    /// Waits for the end, closes the spool, and says how it ended. Not to be called before
    /// [`stop`](Self::stop); use [`over`](Self::over) to stay able to say it again.
    pub async fn finish(self) -> Ending {
        self.over().await;
        let Self { spool, thread, .. } = self;
        let closing = tokio::task::spawn_blocking(move || {
            let result = thread
                .join()
                .unwrap_or_else(|_| Err(Error::new(Kind::Failed, "the delivery thread broke off")));
            let dir = spool.directory().map(Path::to_path_buf);
            let left = match Arc::into_inner(spool) {
                Some(spool) => spool.close(),
                // An offer that was given up half way is still writing.
                None => Err(Error::new(Kind::Failed, "the spool is still being written")),
            };
            let reader_gone = |error: &Error| error.kind() == Kind::ClosedPipe;
            Ending {
                left: *left.as_ref().unwrap_or(&0),
                spool: dir,
                reader_gone: result.as_ref().is_err_and(reader_gone),
                // What broke off first is the reason for the other.
                failure: result
                    .err()
                    .filter(|error| !reader_gone(error))
                    .or(left.err()),
            }
        });
        closing.await.unwrap_or_else(|error| Ending {
            failure: Some(Error::new(
                Kind::Failed,
                format!("closing broke off: {error}"),
            )),
            ..Ending::default()
        })
    }
}

impl fmt::Debug for Deliverer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deliverer")
            .field("spool", &self.spool)
            .finish_non_exhaustive()
    }
}

/// The number that the next event gets is this one; it never goes back.
fn advance(tail: &watch::Sender<u64>, next: u64) {
    tail.send_if_modified(|tail| {
        let more = next > *tail;
        *tail = next.max(*tail);
        more
    });
}

/// What the delivering thread is given beside the options.
struct Parts {
    spool: Arc<Spool>,
    letters: DeadLetters,
    earlier: Option<EarlierCallbacks>,
    tail: watch::Receiver<u64>,
    stop: watch::Receiver<Stop>,
    room: Arc<Notify>,
}

/// The delivering thread.
fn run(sink: Sink, options: DeliveryOptions, parts: Parts) -> Result<()> {
    let runtime = crate::threads::runtime()?;
    runtime.block_on(async move {
        let Parts {
            spool,
            letters,
            mut earlier,
            tail,
            mut stop,
            room,
        } = parts;
        if let (Some(earlier), Some(callback)) = (&mut earlier, sink.callback()) {
            let (limit, grace) = (callback.timeout, callback.grace);
            earlier
                .wait(limit, grace, &options.listener, &mut stop)
                .await?;
        }
        let scratch = spool
            .directory()
            .map_or_else(std::env::temp_dir, Path::to_path_buf);
        let sink = OpenSink::open(sink, &options, scratch)?;
        let order = EndpointOrder::new(Rules {
            capacity: WINDOW,
            ..sink.rules(&options)
        });
        let scheduler = Scheduler::new(
            Arc::clone(&spool),
            order,
            letters,
            options.listener,
            options.counters,
            stop.clone(),
            room,
        );
        let scheduler = scheduler.saying(sink.outage()).behind(options.gate);
        let delivery = DeliveryLoop {
            spool,
            scheduler: Arc::new(scheduler),
            sink,
            tail,
            stop,
            read_to: 0,
            flushing: None,
            flush_at: None,
        };
        delivery.run().await
    })
}

pub(super) fn cannot_start(error: &std::io::Error) -> Error {
    Error::new(Kind::Failed, format!("cannot start delivery: {error}"))
}

#[cfg(test)]
mod tests;
