//! The delivering loop: reads the numbers of waiting events from the spool, begins deliveries,
//! repeats them after their pauses, and takes out of the spool what was delivered. It lives on a
//! thread of its own, and callbacks on theirs ([`super::starters`]), so that starting processes
//! never delays whoever reads the socket. What an ended delivery means is decided at the
//! [`super::desk`].

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::Instant;

use super::Listener;
use super::callback::{Callback, Outcome, Slot};
use super::deliverer::{Print, Stop};
use super::desk::{CHUNK, Desk, FLUSH_AT, Turn};
use super::keep_running::{Feeder, KeepRunning};
use super::queue::spool::Spool;
use super::starters::Starters;
use crate::error::{Error, Kind, Result};

/// When delivered events leave the spool at the latest; see [`FLUSH_AT`].
const FLUSH_AFTER: Duration = Duration::from_millis(250);

/// How often it is looked whether the spool is still the one that its path names, where nothing is
/// written to it.
const LOOK_AFTER: Duration = Duration::from_secs(2);

/// How a single event is handed over.
pub(super) enum Way {
    /// One process an event.
    Callback(Arc<Means>, Starters),
    /// One process for all of them.
    Child(KeepRunning, Feeder),
    /// A function, called one event at a time.
    Print(Print),
}

/// What a run of the callback needs beside the event.
pub(super) struct Means {
    pub(super) callback: Callback,
    pub(super) listener: Arc<dyn Listener>,
    /// The directory for inputs that have to lie in one.
    pub(super) scratch: PathBuf,
    pub(super) kill: watch::Receiver<bool>,
}

/// The loop's state.
pub(super) struct Worker {
    pub(super) spool: Arc<Spool>,
    pub(super) desk: Arc<Desk>,
    pub(super) way: Way,
    /// The number that the next event to be spooled gets.
    pub(super) tail: watch::Receiver<u64>,
    pub(super) stop: watch::Receiver<Stop>,
    pub(super) kill: watch::Sender<bool>,
    /// Deliveries under way; each goes on with the next event as long as there is one.
    pub(super) running: JoinSet<()>,
    /// Events below this number were read from the spool.
    pub(super) read_to: u64,
    pub(super) flushing: Option<JoinHandle<Result<()>>>,
    /// When delivered events are taken out of the spool at the latest.
    pub(super) flush_at: Option<Instant>,
}

impl Worker {
    /// Delivers until told to stop, or until the spool or the dead letters fail.
    pub(super) async fn run(mut self) -> Result<()> {
        let mut result = self.deliver().await;
        self.wind_down().await;
        if self.spool.known_gone().is_some() {
            result = result.and(self.desk.bury_all());
        }
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

    /// After an error callbacks may still run: they finish, unless told to end at once, and what
    /// they delivered is noted.
    async fn wind_down(&mut self) {
        self.desk.close();
        self.finish_child();
        loop {
            tokio::select! {
                ended = self.running.join_next() => if ended.is_none() { break },
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

    /// A long-lived child is given nothing more to read.
    fn finish_child(&self) {
        if let Way::Child(child, _) = &self.way {
            child.finish();
        }
    }

    async fn deliver(&mut self) -> Result<()> {
        let desk = Arc::clone(&self.desk);
        loop {
            desk.check()?;
            let more = self.refill()?;
            self.start_ready()?;
            self.plan_flush();
            let mut stop = *self.stop.borrow();
            let gone = self.spool.known_gone();
            if let Some(gone) = gone {
                desk.say_gone(gone);
                // The next run will not find what is not delivered by this one.
                stop = stop.max(Stop::Drained);
            }
            if stop > Stop::Drained {
                self.finish_child();
            }
            if stop == Stop::AtOnce {
                self.kill.send_replace(true);
            }
            if self.is_over(stop) {
                return gone.map_or(Ok(()), |gone| Err(gone.clone()));
            }
            if stop == Stop::Drained
                && self.running.is_empty()
                && let Some(error) = desk.stuck()
            {
                return Err(error);
            }
            let retry = desk.wake_at().map(Instant::from_std);
            tokio::select! {
                Some(ended) = self.running.join_next() => ended.map_err(broken)?,
                flushed = joined(&mut self.flushing) => {
                    self.flushing = None;
                    flushed?;
                }
                changed = self.tail.changed() => if changed.is_err() { return Ok(()) },
                changed = self.stop.changed() => if changed.is_err() { return Ok(()) },
                () = desk.called() => {}
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
            Stop::Drained => idle && self.desk.is_empty() && self.read_to >= *self.tail.borrow(),
            Stop::Finish | Stop::AtOnce => idle,
        }
    }

    /// Reads one chunk of numbers when there is room for it; whether another one could follow.
    /// Deliveries start in between.
    fn refill(&mut self) -> Result<bool> {
        let tail = *self.tail.borrow_and_update();
        if self.read_to < tail && self.desk.has_room() {
            let waiting = self.spool.waiting(self.read_to, CHUNK)?;
            self.read_to = waiting.last().map_or(tail, |last| last.id + 1);
            self.desk.take(waiting)?;
        }
        Ok(self.read_to < tail && self.desk.has_room())
    }

    /// Starts what may start now.
    fn start_ready(&mut self) -> Result<()> {
        while let Some(turn) = self.desk.next()? {
            let desk = Arc::clone(&self.desk);
            match &mut self.way {
                Way::Print(print) => match print(&turn.event, turn.delivery.repeated) {
                    Ok(()) => desk.settle(&turn, &Outcome::Success)?,
                    Err(error) if error.kind() == Kind::Expression => desk.refuse(&turn, &error)?,
                    Err(error) => return Err(error),
                },
                Way::Callback(means, starters) => {
                    let means = Arc::clone(means);
                    starters.spawn(&mut self.running, callbacks(desk, means, turn));
                }
                Way::Child(_, feeder) => {
                    self.running.spawn(feed(desk, feeder.clone(), turn));
                }
            }
        }
        Ok(())
    }

    /// Sees to it that delivered events leave the spool.
    fn plan_flush(&mut self) {
        let delivered = self.spool.delivered_count();
        if delivered >= FLUSH_AT && self.flushing.is_none() {
            self.flush();
            return;
        }
        let after = match (delivered, self.spool.directory()) {
            (0, None) => return,
            (0, Some(_)) => LOOK_AFTER,
            _ => FLUSH_AFTER,
        };
        let at = Instant::now() + after;
        self.flush_at = Some(self.flush_at.map_or(at, |planned| planned.min(at)));
    }

    /// Takes delivered events out of the spool, and looks whether it is still there, on a thread
    /// that may wait for the disk.
    fn flush(&mut self) {
        self.flush_at = None;
        let spool = Arc::clone(&self.spool);
        self.flushing = Some(tokio::task::spawn_blocking(move || {
            let flushed = spool.flush();
            // Found here, acted on by the loop.
            let _found = spool.gone();
            flushed
        }));
    }
}

/// Runs the callback for one event after the other.
async fn callbacks(desk: Arc<Desk>, means: Arc<Means>, first: Turn) {
    let mut turn = Some(first);
    let mut slot = None;
    while let Some(now) = turn {
        let outcome = means.run(&now, &mut slot).await;
        turn = desk.go_on(&now, &outcome);
    }
}

impl Means {
    async fn run(&self, turn: &Turn, slot: &mut Option<Slot>) -> Outcome {
        let kill = self.kill.clone();
        self.callback
            .run(
                &turn.event,
                turn.delivery,
                &self.scratch,
                slot,
                &self.listener,
                kill,
            )
            .await
    }
}

/// Feeds one event after the other to the long-lived child.
async fn feed(desk: Arc<Desk>, feeder: Feeder, first: Turn) {
    let mut turn = Some(first);
    while let Some(now) = turn {
        let outcome = feeder.deliver(&now.event, now.delivery).await;
        turn = desk.go_on(&now, &outcome);
    }
}

/// Waits until everything must end at once; also when nobody is left to say so.
async fn at_once(stop: &mut watch::Receiver<Stop>) {
    let _gone = stop.wait_for(|stop| *stop == Stop::AtOnce).await.is_err();
}

/// Waits until the moment, for ever if there is none.
async fn at(moment: Option<Instant>) {
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
