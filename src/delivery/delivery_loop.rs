//! The delivering loop: reads what waits from the spool, hands it to the sink, repeats failed
//! deliveries after their pauses, and takes out of the spool what was delivered. It lives on a
//! thread of its own, and callbacks on theirs, so that starting processes never delays whoever
//! reads the socket. What an ended delivery means is decided by the [`Scheduler`].

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::queue::spool::Spool;
use super::scheduler::{CHUNK, Scheduler, broken};
use super::sink::{Feed, OpenSink};
use super::stop::Stop;
use crate::error::Result;

/// When delivered events leave the spool at the latest; see [`Spool::flush_at`].
const FLUSH_AFTER: Duration = Duration::from_millis(250);

/// How often it is looked whether the spool is still the one that its path names, where nothing is
/// written to it.
const LOOK_AFTER: Duration = Duration::from_secs(2);

/// The loop's state.
pub(super) struct DeliveryLoop {
    pub(super) spool: Arc<Spool>,
    pub(super) scheduler: Arc<Scheduler>,
    pub(super) sink: OpenSink,
    /// The number that the next event to be spooled gets.
    pub(super) tail: watch::Receiver<u64>,
    pub(super) stop: watch::Receiver<Stop>,
    /// Events below this number were read from the spool.
    pub(super) read_to: u64,
    pub(super) flushing: Option<JoinHandle<Result<()>>>,
    /// When delivered events are taken out of the spool at the latest.
    pub(super) flush_at: Option<Instant>,
}

impl DeliveryLoop {
    /// Delivers until told to stop, or until the spool, the sink or the dead letters fail.
    pub(super) async fn run(mut self) -> Result<()> {
        let mut result = self.deliver().await;
        self.wind_down().await;
        if self.spool.known_gone().is_some() {
            result = result.and(self.scheduler.bury_all());
        }
        self.sink.close(self.stop).await;
        result
    }

    /// After an error callbacks may still run: they finish, unless told to end at once, and what
    /// they delivered is noted.
    async fn wind_down(&mut self) {
        self.scheduler.close();
        self.sink.stop(Stop::Finish);
        loop {
            let killed = self.sink.stopping() == Stop::AtOnce;
            tokio::select! {
                ended = self.sink.ended() => if ended.is_none() { break },
                () = Stop::AtOnce.reached(&mut self.stop), if !killed => {
                    self.sink.stop(Stop::AtOnce);
                }
            }
        }
        if let Some(flushing) = self.flushing.take() {
            // What it did not write is written, or complained of, when the spool is closed.
            let _again = flushing.await;
        }
    }

    async fn deliver(&mut self) -> Result<()> {
        let scheduler = Arc::clone(&self.scheduler);
        loop {
            scheduler.check()?;
            let more = self.hand_over()?;
            self.plan_flush();
            let mut stop = *self.stop.borrow();
            let gone = self.spool.known_gone();
            if let Some(gone) = gone {
                scheduler.say_gone(gone);
                // The next run will not find what is not delivered by this one.
                stop = stop.max(Stop::Drained);
            }
            self.sink.stop(stop);
            if !more && self.is_over(stop) {
                return gone.map_or(Ok(()), |gone| Err(gone.clone()));
            }
            if stop == Stop::Drained
                && self.sink.is_idle()
                && let Some(error) = scheduler.stuck()
            {
                return Err(error);
            }
            let retry = scheduler.wake_at().map(Instant::from_std);
            tokio::select! {
                Some(ended) = self.sink.ended() => ended.map_err(broken)?,
                flushed = joined(&mut self.flushing) => {
                    self.flushing = None;
                    flushed?;
                }
                changed = self.tail.changed() => if changed.is_err() { return Ok(()) },
                changed = self.stop.changed() => if changed.is_err() { return Ok(()) },
                () = scheduler.called() => {}
                () = at(retry) => {}
                () = tokio::task::yield_now(), if more => {}
                () = at(self.flush_at), if self.flushing.is_none() => self.flush(),
            }
        }
    }

    /// Whether nothing remains to be done under `stop`.
    fn is_over(&self, stop: Stop) -> bool {
        let idle = self.sink.is_idle();
        match stop {
            Stop::No => false,
            Stop::Drained => {
                idle && self.scheduler.is_empty() && self.read_to >= *self.tail.borrow()
            }
            Stop::Finish | Stop::AtOnce => idle,
        }
    }

    /// Hands the sink what may begin now; whether there may be more of it at once.
    fn hand_over(&mut self) -> Result<bool> {
        let tail = *self.tail.borrow_and_update();
        match self.sink.feed() {
            Feed::InOrder => {
                if self.read_to >= tail {
                    return Ok(false);
                }
                let portion = self.scheduler.next_in_order(self.read_to)?;
                let Some(last) = portion.last() else {
                    // What was there was delivered by an earlier run.
                    if *self.stop.borrow() < Stop::Finish {
                        self.read_to = tail;
                    }
                    return Ok(false);
                };
                self.read_to = last.number() + 1;
                self.sink.take(portion, &self.scheduler)?;
                Ok(true)
            }
            Feed::PerEndpoint(_) => {
                self.refill(tail)?;
                while let Some(attempt) = self.scheduler.next()? {
                    self.sink.take(vec![attempt], &self.scheduler)?;
                }
                Ok(self.read_to < tail && self.scheduler.has_room())
            }
        }
    }

    /// Reads one chunk of numbers when there is room for it. Deliveries start in between.
    fn refill(&mut self, tail: u64) -> Result<()> {
        if self.read_to < tail && self.scheduler.has_room() {
            let waiting = self.spool.waiting(self.read_to, CHUNK)?;
            self.read_to = waiting.last().map_or(tail, |last| last.id + 1);
            self.scheduler.take(waiting)?;
        }
        Ok(())
    }

    /// Sees to it that delivered events leave the spool.
    fn plan_flush(&mut self) {
        let delivered = self.spool.delivered_count();
        if delivered >= self.spool.flush_at() && self.flushing.is_none() {
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
