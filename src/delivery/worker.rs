//! The delivering loop: reads the numbers of waiting events from the spool, asks [`super::order`] whose turn it is, starts
//! deliveries, and settles their outcomes. It lives on a thread of its own, so that starting processes never delays whoever
//! reads the socket, and holds no event in memory but those being delivered.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle, JoinSet};

use super::callback::{Callback, Outcome};
use super::counters::Counters;
use super::dead_letters::DeadLetters;
use super::deliverer::{Print, Stop};
use super::keep_running::{Feeder, KeepRunning};
use super::order::{After, Order, Start};
use super::spool::Spool;
use super::{Envelope, Listener};
use crate::error::{Error, Kind, Result};

/// How many numbers are read from the spool at a time.
const CHUNK: usize = 1000;

/// Delivered events leave the spool in batches of this size, or after [`FLUSH_AFTER`].
const FLUSH_AT: usize = 256;

/// See [`FLUSH_AT`].
const FLUSH_AFTER: Duration = Duration::from_millis(250);

/// How a single event is handed over.
pub(super) enum Way {
    /// One process an event.
    Callback(Arc<Callback>),
    /// One process for all of them.
    Child(KeepRunning, Feeder),
    /// A function, called one event at a time.
    Print(Print),
}

/// The loop's state.
pub(super) struct Worker {
    pub(super) spool: Arc<Spool>,
    pub(super) order: Order,
    pub(super) way: Way,
    pub(super) letters: DeadLetters,
    pub(super) listener: Arc<dyn Listener>,
    pub(super) counters: Arc<Counters>,
    /// The directory for callbacks' inputs.
    pub(super) scratch: PathBuf,
    /// The number that the next event to be spooled gets.
    pub(super) tail: watch::Receiver<u64>,
    pub(super) stop: watch::Receiver<Stop>,
    pub(super) kill: watch::Sender<bool>,
    /// Deliveries under way; each ends with its event.
    pub(super) running: JoinSet<Ended>,
    /// Events read from the spool and not done with: number and time of receipt.
    pub(super) outstanding: BTreeMap<u64, i64>,
    /// Events below this number were read from the spool.
    pub(super) read_to: u64,
    pub(super) flushing: Option<JoinHandle<Result<()>>>,
    /// When delivered events are taken out of the spool at the latest.
    pub(super) flush_at: Option<tokio::time::Instant>,
}

/// A delivery that ended.
pub(super) struct Ended {
    start: Start,
    event: Envelope,
    outcome: Outcome,
}

impl Worker {
    /// Delivers until told to stop, or until the spool or the dead letters fail.
    pub(super) async fn run(mut self) -> Result<()> {
        let result = self.deliver().await;
        self.wind_down().await;
        if let Way::Child(child, feeder) = self.way {
            drop(feeder);
            let kill = self.kill;
            let mut stop = self.stop;
            tokio::join!(child.close(), async {
                // The second Ctrl-C also ends a child that takes its time.
                tokio::select! {
                    () = at_once(&mut stop) => {}
                    () = kill.closed() => {}
                }
                kill.send_replace(true);
            });
        }
        result
    }

    /// After an error callbacks may still run: they finish, unless told to end at once, and what they delivered is noted.
    async fn wind_down(&mut self) {
        loop {
            tokio::select! {
                ended = self.running.join_next() => match ended {
                    Some(Ok(ended)) if ended.outcome == Outcome::Success => {
                        self.counters.delivered(ended.event.received_at);
                        self.leave(ended.start.id);
                    }
                    Some(_) => {}
                    None => break,
                },
                () = at_once(&mut self.stop), if !*self.kill.borrow() => {
                    self.kill.send_replace(true);
                }
            }
        }
        if let Some(flushing) = self.flushing.take() {
            // What it did not write is written, or complained of, when the spool is closed.
            let _again = flushing.await;
        }
    }

    async fn deliver(&mut self) -> Result<()> {
        loop {
            let more = self.refill()?;
            self.start_ready()?;
            let stop = *self.stop.borrow();
            if stop == Stop::AtOnce {
                self.kill.send_replace(true);
            }
            if self.is_over(stop) {
                return Ok(());
            }
            let retry = self.order.wake_at().map(tokio::time::Instant::from_std);
            tokio::select! {
                Some(ended) = self.running.join_next() => {
                    self.settle(ended.map_err(broken)?)?;
                }
                flushed = joined(&mut self.flushing) => {
                    self.flushing = None;
                    flushed?;
                }
                changed = self.tail.changed() => if changed.is_err() { return Ok(()) },
                changed = self.stop.changed() => if changed.is_err() { return Ok(()) },
                () = at(retry) => {}
                () = tokio::task::yield_now(), if more => {}
                () = at(self.flush_at), if self.flushing.is_none() => self.flush(),
            }
        }
    }

    /// Whether nothing remains to be done under `stop`.
    fn is_over(&self, stop: Stop) -> bool {
        let idle = self.running.is_empty();
        match stop {
            Stop::No => false,
            Stop::Drained => idle && self.order.is_empty() && self.read_to >= *self.tail.borrow(),
            Stop::Finish | Stop::AtOnce => idle,
        }
    }

    /// Reads one chunk of numbers when there is room for it; whether another one could follow. Deliveries start in between.
    fn refill(&mut self) -> Result<bool> {
        let tail = *self.tail.borrow_and_update();
        if self.read_to < tail && self.order.room() >= CHUNK {
            let waiting = self.spool.waiting(self.read_to, CHUNK)?;
            self.read_to = waiting.last().map_or(tail, |last| last.id + 1);
            for event in waiting {
                if !self.order.offer(event.id, &event.key) {
                    return Err(Error::new(
                        Kind::Failed,
                        "the delivery order is over its bound",
                    ));
                }
                self.outstanding.insert(event.id, event.received);
            }
        }
        self.tell_oldest();
        Ok(self.read_to < tail && self.order.room() >= CHUNK)
    }

    /// Starts what may start now.
    fn start_ready(&mut self) -> Result<()> {
        while matches!(*self.stop.borrow(), Stop::No | Stop::Drained) {
            let Some(start) = self.order.next(Instant::now()) else {
                break;
            };
            let Some(event) = self.spool.get(start.id)? else {
                return Err(Error::new(
                    Kind::Failed,
                    format!("event {} is missing from the spool", start.id),
                ));
            };
            self.begin(start, event)?;
        }
        Ok(())
    }

    fn begin(&mut self, start: Start, event: Envelope) -> Result<()> {
        match &mut self.way {
            Way::Print(print) => {
                print(&event)?;
                return self.settle(Ended {
                    start,
                    event,
                    outcome: Outcome::Success,
                });
            }
            Way::Callback(callback) => {
                let callback = Arc::clone(callback);
                let listener = Arc::clone(&self.listener);
                let scratch = self.scratch.clone();
                let kill = self.kill.subscribe();
                self.running.spawn(async move {
                    let outcome = callback.run(&event, &scratch, &listener, kill).await;
                    Ended {
                        start,
                        event,
                        outcome,
                    }
                });
            }
            Way::Child(_, feeder) => {
                let feeder = feeder.clone();
                self.running.spawn(async move {
                    let outcome = feeder.deliver(&event).await;
                    Ended {
                        start,
                        event,
                        outcome,
                    }
                });
            }
        }
        Ok(())
    }

    /// Settles a delivery that ended: the event is done with, waits for a retry, or is a dead letter.
    fn settle(&mut self, ended: Ended) -> Result<()> {
        let Ended {
            start,
            event,
            outcome,
        } = ended;
        if outcome == Outcome::Stopped {
            // It stays in the spool.
            return Ok(());
        }
        let delivered = outcome == Outcome::Success;
        match self.order.done(start.id, delivered, Instant::now()) {
            After::Delivered => {
                self.counters.delivered(event.received_at);
                self.leave(start.id);
            }
            After::Again(pause) => self.listener.notice(&format!(
                "callback for {} of {} failed ({outcome}), attempt {}; again in {:.1}s",
                event.event,
                event.key,
                start.attempt,
                pause.as_secs_f64()
            )),
            After::GaveUp { attempts } => {
                self.letters.write(&event, attempts, outcome)?;
                self.counters.failed();
                self.listener.notice(&format!(
                    "callback for {} of {} failed ({outcome}) after {attempts} attempts; it is a dead letter",
                    event.event, event.key
                ));
                self.leave(start.id);
            }
            After::Unknown => {}
        }
        Ok(())
    }

    /// The event may leave the spool.
    fn leave(&mut self, id: u64) {
        self.outstanding.remove(&id);
        self.tell_oldest();
        let waiting = self.spool.delivered_event(id);
        if self.flush_at.is_none() {
            self.flush_at = Some(tokio::time::Instant::now() + FLUSH_AFTER);
        }
        if waiting >= FLUSH_AT && self.flushing.is_none() {
            self.flush();
        }
    }

    /// Takes delivered events out of the spool, on a thread that may wait for the disk.
    fn flush(&mut self) {
        self.flush_at = None;
        let spool = Arc::clone(&self.spool);
        self.flushing = Some(tokio::task::spawn_blocking(move || spool.flush()));
    }

    fn tell_oldest(&self) {
        let oldest = self.outstanding.first_key_value();
        self.counters.oldest(oldest.map(|(_, received)| *received));
    }
}

/// Waits until everything must end at once; also when nobody is left to say so.
async fn at_once(stop: &mut watch::Receiver<Stop>) {
    let _gone = stop.wait_for(|stop| *stop == Stop::AtOnce).await.is_err();
}

/// Waits until the moment, for ever if there is none.
async fn at(moment: Option<tokio::time::Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Waits for a flush under way, for ever if there is none.
async fn joined(flushing: &mut Option<JoinHandle<Result<()>>>) -> Result<()> {
    match flushing {
        Some(flushing) => flushing.await.map_err(broken)?,
        None => std::future::pending().await,
    }
}

#[allow(clippy::needless_pass_by_value)] // the shape that `map_err` wants
/// A task that panicked or was cancelled; neither is expected.
fn broken(error: JoinError) -> Error {
    Error::new(Kind::Failed, format!("a delivery broke off: {error}"))
}
