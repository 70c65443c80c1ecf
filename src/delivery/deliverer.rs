//! The way in: a handle to the delivering thread. Offering events waits for the disk and never for
//! a delivery.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Listener;
use super::callback::Callback;
use super::dead_letters::{self, DeadLetters};
use super::desk::Desk;
use super::keep_running::{self, KeepRunning, Pauses};
use super::order::{Order, Rules};
use super::queue::spool::{Spool, SpoolMemory};
use super::running::Running;
use super::starters::{self, Starters};
use super::tally::Tally;
use super::worker::{Means, Way, Worker};
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Mark, Memory, Progress};

/// How many numbers of waiting events are in memory at most; everything else lies in the spool.
const WINDOW: usize = 20_000;

/// What is delivered how, and where it waits.
pub struct Options {
    /// Where events go.
    pub sink: Sink,
    /// How many callbacks may run at a time (`--jobs`).
    pub jobs: usize,
    /// How often a failed one is tried again (`--retries`).
    pub retries: u32,
    /// The pause before the first retry, and before a long-lived child is started again; each
    /// further one is twice as long.
    pub first_pause: Duration,
    /// The longest such pause.
    pub longest_pause: Duration,
    /// The durable spool's directory; `None` for a temporary one.
    pub spool: Option<PathBuf>,
    /// The file for dead letters. `None`: `DIR/dead-letters.jsonl` of a durable spool, else the
    /// listener.
    pub dead_letters: Option<PathBuf>,
    /// Who hears of it.
    pub listener: Arc<dyn Listener>,
    /// The figures; shared with whoever counts duplicates and gaps.
    pub tally: Arc<Tally>,
}

/// Where events go.
pub enum Sink {
    /// One process an event.
    Callback(Callback),
    /// One long-lived process (`--keep-running`); having read an event is having delivered it.
    KeepRunning(Callback),
    /// A function that prints (`--spool` without a callback): having printed is having delivered.
    /// [`Kind::Expression`] makes the event a dead letter; any other error, also
    /// [`Kind::ClosedPipe`] (which is none in the end), ends the delivery, and the event stays in
    /// the spool.
    Print(Print),
}

/// A function that prints one event; it is told whether that may have been printed before.
pub type Print = Box<dyn FnMut(&Event, bool) -> Result<()> + Send>;

/// How far delivery has been told to end; it only ever gets more urgent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// Not at all.
    No,
    /// Everything offered is delivered first (`--count`, `--for`).
    Drained,
    /// The running callbacks finish, the rest stays in the spool (first Ctrl-C).
    Finish,
    /// The running callbacks are killed (second Ctrl-C).
    AtOnce,
}

/// What was left when delivery ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// Events not delivered.
    pub left: u64,
    /// The spool's directory, which keeps them; `None`: the spool was temporary and they are gone.
    pub spool: Option<PathBuf>,
    /// Why delivery ended by itself, where that is an error.
    pub failure: Option<Error>,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let events = if self.left == 1 { "event" } else { "events" };
        match &self.spool {
            Some(dir) => write!(
                f,
                "{} undelivered {events} in the spool {}, delivered first next time",
                self.left,
                dir.display()
            ),
            None => write!(
                f,
                "{} undelivered {events} discarded with the temporary spool; --spool DIR keeps them",
                self.left
            ),
        }
    }
}

/// Takes events and delivers them. See the room's documentation.
#[derive(Debug)]
pub struct Deliverer {
    spool: Arc<Spool>,
    tally: Arc<Tally>,
    left_over: u64,
    tail: watch::Sender<u64>,
    stop: watch::Sender<Stop>,
    over: watch::Receiver<bool>,
    thread: JoinHandle<Result<()>>,
}

impl Deliverer {
    /// Opens the spool and starts delivering what an earlier run left in it. Blocks on the disk for
    /// a moment.
    pub fn start(options: Options) -> Result<Self> {
        let spool = Arc::new(match &options.spool {
            Some(dir) => Spool::open(dir)?,
            None => Spool::temporary()?,
        });
        let letters = match (&options.dead_letters, spool.directory()) {
            (Some(file), dir) => DeadLetters::open(file, dir.is_some(), &options.listener)?,
            (None, Some(dir)) => {
                DeadLetters::open(&dir.join(dead_letters::FILE), true, &options.listener)?
            }
            (None, None) => DeadLetters::Listener(Arc::clone(&options.listener)),
        };
        let running = match (&options.sink, spool.directory()) {
            (Sink::Callback(_) | Sink::KeepRunning(_), Some(dir)) => Some(Running::open(dir)?),
            _ => None,
        };
        let (tail, tail_seen) = watch::channel(spool.tail());
        let (stop, stop_seen) = watch::channel(Stop::No);
        let (over_tell, over) = watch::channel(false);
        let tally = Arc::clone(&options.tally);
        let left_over = spool.count()?;
        let theirs = Arc::clone(&spool);
        let thread = std::thread::Builder::new()
            .name("delivery".to_owned())
            .spawn(move || {
                let result = run(options, theirs, letters, running, tail_seen, stop_seen);
                over_tell.send_replace(true);
                result
            })
            .map_err(|error| cannot_start(&error))?;
        Ok(Self {
            spool,
            tally,
            left_over,
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

    /// What an earlier run last saw of each topic, to fetch what was missed since.
    pub fn marks(&self) -> Result<Vec<Mark>> {
        self.spool.marks()
    }

    /// What earlier runs told, where the spool is durable.
    pub fn memory(&self) -> Option<Arc<dyn Memory>> {
        let memory = SpoolMemory::of(&self.spool)?;
        Some(Arc::new(memory))
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
        if *self.over.borrow() {
            return Ok(false);
        }
        let spool = Arc::clone(&self.spool);
        let tally = Arc::clone(&self.tally);
        let tail = self.tail.clone();
        // The whole of it on the blocking thread: a caller that loses patience half way has still
        // offered.
        let offered = tokio::task::spawn_blocking(move || {
            let received = batch.len() as u64;
            let recovered = batch.iter().filter(|event| event.recovered).count();
            let next = spool.append_with(batch, &progress)?;
            tally.received(received, recovered as u64);
            tail.send_if_modified(|tail| {
                let more = next > *tail;
                *tail = next.max(*tail);
                more
            });
            // They are delivered, but the next ones are not to come.
            spool.gone().map_or(Ok(true), |gone| Err(gone.clone()))
        });
        offered
            .await
            .map_err(|error| Error::new(Kind::Failed, format!("spooling broke off: {error}")))?
    }

    /// Whether the spool was removed or replaced under us: what was taken is best delivered now.
    pub fn is_gone(&self) -> bool {
        self.spool.known_gone().is_some()
    }

    /// Tells delivery to end; a call that is less urgent than an earlier one changes nothing.
    pub fn stop(&self, stop: Stop) {
        self.stop.send_if_modified(|now| {
            let more = stop > *now;
            *now = stop.max(*now);
            more
        });
    }

    /// Waits until delivery has ended, since it was told to or since it failed. Safe to drop and to
    /// ask again.
    pub async fn over(&self) {
        let mut over = self.over.clone();
        // An error means that the thread is gone: over as well.
        let _gone = over.wait_for(|over| *over).await;
    }

    /// Waits for the end, closes the spool, and says what was left, and why delivery failed. Not to
    /// be called before [`stop`](Self::stop); use [`over`](Self::over) to stay able to say it
    /// again.
    pub async fn finish(self) -> Result<Ending> {
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
            // Whoever reads what is printed has had enough; what is left says so.
            let failure = result
                .err()
                .filter(|error| error.kind() != Kind::ClosedPipe);
            match (left, failure) {
                (Ok(left), failure) => Ok(Ending {
                    left,
                    spool: dir,
                    failure,
                }),
                // What broke off first is the reason for the other.
                (Err(_), Some(failure)) => Err(failure),
                (Err(error), None) => Err(error),
            }
        });
        closing
            .await
            .map_err(|error| Error::new(Kind::Failed, format!("closing broke off: {error}")))?
    }
}

/// The delivering thread.
fn run(
    options: Options,
    spool: Arc<Spool>,
    letters: DeadLetters,
    mut running: Option<Running>,
    tail: watch::Receiver<u64>,
    mut stop: watch::Receiver<Stop>,
) -> Result<()> {
    let runtime = crate::threads::runtime()?;
    runtime.block_on(async move {
        if let (Some(running), Sink::Callback(callback) | Sink::KeepRunning(callback)) =
            (&mut running, &options.sink)
        {
            let (limit, grace) = (callback.timeout, callback.grace);
            running
                .wait(limit, grace, &options.listener, &mut stop)
                .await?;
        }
        let kill = watch::Sender::new(false);
        let pauses = Pauses {
            first: options.first_pause,
            longest: options.longest_pause,
        };
        let (way, jobs) = match options.sink {
            Sink::Callback(callback) => {
                let files = starters::open_files();
                let jobs = starters::affordable(options.jobs, files);
                if let (true, Some(files)) = (jobs < options.jobs, files) {
                    options.listener.notice(&format!(
                        "only {files} files may be open (ulimit -n): {jobs} callbacks at a time, not {}",
                        options.jobs
                    ));
                }
                let starters = Starters::new(jobs)?;
                let means = Means {
                    callback,
                    listener: Arc::clone(&options.listener),
                    scratch: spool
                        .directory()
                        .map_or_else(std::env::temp_dir, Path::to_path_buf),
                    kill: kill.subscribe(),
                };
                (Way::Callback(Arc::new(means), starters), jobs)
            }
            Sink::KeepRunning(callback) => {
                let listener = Arc::clone(&options.listener);
                let child = KeepRunning::start(callback, pauses, listener, kill.subscribe());
                let feeder = child.feeder();
                (Way::Child(child, feeder), keep_running::WINDOW)
            }
            Sink::Print(print) => (Way::Print(print), 1),
        };
        let order = Order::new(Rules {
            jobs,
            retries: options.retries,
            first_pause: options.first_pause,
            longest_pause: options.longest_pause,
            capacity: WINDOW,
        });
        let desk = Desk::new(
            Arc::clone(&spool),
            order,
            letters,
            options.listener,
            options.tally,
            stop.clone(),
        );
        let worker = Worker {
            spool,
            desk: Arc::new(desk),
            way,
            tail,
            stop,
            kill,
            running: JoinSet::new(),
            read_to: 0,
            flushing: None,
            flush_at: None,
        };
        worker.run().await
    })
}

pub(super) fn cannot_start(error: &std::io::Error) -> Error {
    Error::new(Kind::Failed, format!("cannot start delivery: {error}"))
}

#[cfg(test)]
mod tests;
