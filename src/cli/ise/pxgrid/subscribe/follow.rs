//! Follows one subscription: takes what the subscriber gives, hands it on to delivery, answers
//! what is asked from outside, and ends in good order.

use std::pin::Pin;
use std::process::ExitCode;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use super::super::connection_state::ConnectionState;
use super::metrics;
use crate::cli::context::DONE;
use crate::cli::long_running::{LongRunning, Reader, Request, Summary};
use crate::cli::report::Reporter;
use crate::delivery::{Deliverer, Stop};
use crate::error::{Error, Kind, Result};
use crate::event::{self, Event, Mark, Progress};
use crate::pxgrid::subscriber::{Subscriber, Update};
use crate::pxgrid::subscription::{Notice, Why};
use crate::record::selection::Selection;

/// How long killed callbacks may take to be gone.
const AT_ONCE: Duration = Duration::from_secs(2);

/// See the module's documentation.
pub(super) struct Follower {
    pub(super) reporter: Reporter,
    pub(super) subscriber: Subscriber,
    pub(super) selection: Selection,
    /// How many more events are wanted; `None`: any number.
    pub(super) left: Option<u64>,
    /// `--for`: how long, and when that is over.
    pub(super) time: Option<(Duration, Instant)>,
    /// The last trouble before a connection stood.
    pub(super) trouble: Option<Why>,
    /// How many topics were left with something that was missed and not fetched.
    pub(super) unread: u64,
    pub(super) connection: ConnectionState,
    /// Told when a subscription stands, for the first time or again.
    pub(super) listens: Box<dyn Fn() + Send>,
}

/// Events on their way into the spool.
type Offering<'d> = Pin<Box<dyn Future<Output = Result<bool>> + 'd>>;

/// How the subscription ended.
#[derive(Default)]
struct Followed {
    /// Why the subscriber ended, where that is an error.
    failure: Option<Error>,
    /// A part of what came was left out: this mark and the later ones stand for more than was
    /// taken, and the next run is to fetch it.
    cut: bool,
    /// Why events could not be taken; no more were offered then.
    untaken: Option<Error>,
}

impl Follower {
    /// Runs to the end, and says why it came.
    pub(super) async fn run(
        mut self,
        deliverer: Deliverer,
        running: &mut LongRunning,
    ) -> Result<ExitCode> {
        let outcome = self.follow(&deliverer, running).await;
        if running.stop() < Stop::AtOnce {
            let stop = match (running.stop(), &outcome.failure, &outcome.untaken) {
                (Stop::No, None, None) => Stop::Drained,
                (Stop::No, _, _) if deliverer.is_gone() => Stop::Drained,
                _ => Stop::Finish,
            };
            deliverer.stop(stop);
            self.wind_down(&deliverer, running).await;
        }
        if running.stop() == Stop::AtOnce {
            deliverer.stop(Stop::AtOnce);
            if timeout(AT_ONCE, deliverer.over()).await.is_err() {
                running.report(Reader::Stderr, &self.figures(&deliverer));
                return Ok(DONE);
            }
        }
        if let Some(warning) = self.selection.last_warning("event") {
            self.reporter.warn(&warning);
        }
        running.report(Reader::Stderr, &self.figures(&deliverer));
        let failed = deliverer.counters().figures().failed;
        let ending = deliverer.finish().await;
        if running.stop() < Stop::AtOnce {
            self.subscriber.close().await;
        }
        if ending.left > 0 {
            self.reporter.step(&ending.to_string());
        }
        // After a failed write the spool refuses everything: what failed first is the reason.
        let undelivered = outcome.untaken.or(ending.failure);
        // A subscriber that fails while it leaves is no news.
        let failure = outcome.failure.filter(|_| running.stop() == Stop::No);
        match (undelivered, failure) {
            (Some(error), other) => {
                if let Some(other) = &other {
                    self.reporter.error(other);
                }
                Err(error)
            }
            (None, Some(error)) => Err(error),
            (None, None) if running.stop() > Stop::No => Ok(DONE),
            (None, None) => all_delivered(failed),
        }
    }

    /// Until the subscriber has ended.
    async fn follow(&mut self, deliverer: &Deliverer, running: &mut LongRunning) -> Followed {
        let mut outcome = Followed::default();
        let mut offering: Option<Offering<'_>> = None;
        let mut ended = false;
        let mut over = false;
        let mut kept: Vec<Mark> = Vec::new();
        while !ended || offering.is_some() {
            tokio::select! {
                update = self.subscriber.next(), if offering.is_none() && !ended => {
                    if let Some(end) = &update.ended {
                        ended = true;
                        outcome.failure = outcome.failure.or(end.clone().err());
                    }
                    let (events, progress) = self.wanted(update, &mut outcome);
                    if self.connection.ever_stood() {
                        running.ready();
                    }
                    let moved = progress.marks != kept && !progress.marks.is_empty();
                    let news = deliverer.is_durable() && (moved || !progress.remembered.is_empty());
                    if outcome.untaken.is_none() && (!events.is_empty() || news) {
                        kept.clone_from(&progress.marks);
                        offering = Some(Box::pin(deliverer.offer_batch(events, progress)));
                    }
                }
                offered = offered(&mut offering) => {
                    offering = None;
                    if let Err(error) = offered {
                        outcome.untaken = Some(error);
                        self.subscriber.stop();
                    }
                }
                () = deliverer.over(), if !over => {
                    over = true;
                    self.subscriber.stop();
                }
                () = at(self.time) => {
                    self.left = Some(0);
                    outcome.failure = self.never_connected();
                    self.time = None;
                    self.leave(deliverer);
                }
                request = running.next() => match request {
                    Request::Figures(reader) => running.report(reader, &self.figures(deliverer)),
                    Request::Stop(Stop::AtOnce) => return outcome,
                    Request::Stop(_) => {
                        deliverer.hold();
                        self.leave(deliverer);
                    }
                },
            }
        }
        outcome
    }

    /// Leaves before enough has come: what was missed and is not fetched yet may be lost, and
    /// that is said.
    fn leave(&mut self, deliverer: &Deliverer) {
        let unread = self.subscriber.unread(deliverer.is_durable());
        for notice in &unread {
            self.reporter.step(&notice.to_string());
        }
        self.unread = unread.len() as u64;
        self.subscriber.stop();
    }

    /// The error of a run in whose whole time no connection stood.
    fn never_connected(&self) -> Option<Error> {
        let (time, _) = self.time.filter(|_| !self.subscriber.was_live())?;
        let (kind, why) = match &self.trouble {
            None | Some(Why::TimedOut(_)) => (Kind::TimedOut, None),
            Some(Why::Error(error)) if error.kind() == Kind::TimedOut => (Kind::TimedOut, None),
            Some(why) => (Kind::Connect, Some(why)),
        };
        let why = why.or(self.trouble.as_ref());
        let why = why.map_or_else(|| "nobody answered".to_owned(), ToString::to_string);
        Some(
            Error::new(kind, format!("no connection stood in {time:?}: {why}"))
                .hint("`netapi ise pxgrid test` walks the way to the events step by step"),
        )
    }

    /// Until the deliverer has ended.
    async fn wind_down(&mut self, deliverer: &Deliverer, running: &mut LongRunning) {
        while running.stop() < Stop::AtOnce {
            tokio::select! {
                () = deliverer.over() => return,
                request = running.next() => match request {
                    Request::Figures(reader) => running.report(reader, &self.figures(deliverer)),
                    Request::Stop(stop) => deliverer.stop(stop),
                },
            }
        }
    }

    /// Says what there is to say, and gives the events that are wanted with the progress that holds
    /// then.
    fn wanted(&mut self, update: Update, outcome: &mut Followed) -> (Vec<Event>, Progress) {
        for notice in &update.notices {
            self.connection.hear(notice);
            match notice {
                Notice::Subscribed { .. } => (self.listens)(),
                Notice::NodeFailed { why, .. } => self.trouble = Some(why.clone()),
                Notice::LookupFailed(error) => self.trouble = Some(Why::Error(error.clone())),
                _ => {}
            }
            self.reporter.step(&notice.to_string());
        }
        let Update {
            mut events,
            mut progress,
            ..
        } = update;
        // The places of those that are wanted, counted from 1.
        let (mut place, mut places) = (0, Vec::with_capacity(events.len()));
        let all = self.selection.is_empty();
        events.retain(|event| {
            place += 1;
            let wanted = all || self.selection.wants_message(event.message.object());
            places.extend(wanted.then_some(place));
            wanted
        });
        if let Some(warning) = self.selection.warning("event") {
            self.reporter.warn(&warning);
        }
        if outcome.cut {
            progress.remembered.clear();
        }
        if let Some(left) = &mut self.left {
            let most = usize::try_from(*left).unwrap_or(usize::MAX);
            if events.len() > most {
                events.truncate(most);
                outcome.cut = true;
                // What follows the last one that is taken will be told by another run.
                let last = most.checked_sub(1).and_then(|last| places.get(last));
                progress
                    .remembered
                    .retain(|(after, _)| last.is_some_and(|last| after <= last));
            }
            let before = *left;
            *left = before.saturating_sub(events.len() as u64);
            if *left == 0 && before > 0 {
                self.subscriber.stop();
            }
        }
        if outcome.cut {
            progress.marks.clear();
        }
        (events, progress)
    }

    fn figures(&self, deliverer: &Deliverer) -> Summary {
        let ours = event::Figures {
            possibly_lost: self.unread,
            condition_failed: self.selection.failed(),
            ..event::Figures::default()
        };
        let figures = deliverer.counters().figures() + self.subscriber.figures() + ours;
        let mut samples = metrics::samples(&figures, deliverer.left_over());
        samples.extend(self.connection.samples(figures.reconnects));
        Summary {
            state: self.connection.state(),
            text: figures.to_string(),
            json: figures.to_json(),
            samples,
        }
    }
}

fn all_delivered(failed: u64) -> Result<ExitCode> {
    let what = match failed {
        0 => return Ok(DONE),
        1 => "an event could not be delivered and is a dead letter".to_owned(),
        failed => format!("{failed} events could not be delivered and are dead letters"),
    };
    Err(Error::new(Kind::Partial, what))
}

async fn offered(offering: &mut Option<Offering<'_>>) -> Result<bool> {
    match offering {
        Some(offering) => offering.await,
        None => std::future::pending().await,
    }
}

async fn at(time: Option<(Duration, Instant)>) {
    match time {
        Some((_, end)) => sleep_until(end).await,
        None => std::future::pending().await,
    }
}
