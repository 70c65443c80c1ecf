//! Dead letters delivered again: the callback is run for each now, in order per endpoint, and
//! those that succeed leave the file.
//!
//! What fails again stays in the file as it is. A callback that cannot be started ends it, and
//! nothing has been lost or counted as tried. The file is rewritten now and then and at the end:
//! what was delivered between that and a kill would be delivered twice.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Listener;
use super::dead_letter_file::{DeadLetterFile, Letter, Place};
use super::endpoint_order::{After, EndpointOrder, Rules, Start};
use super::gate::StartPermit;
use super::sink::callback::{Callback, CallbackOutcome, RunContext};
use super::stop::Stop;
use crate::error::{Error, Kind, Result};
use crate::event::Delivery;

/// How long at least between two rewritings.
const REWRITE: Duration = Duration::from_secs(1);

/// How much of the time rewriting may take: one part of so many.
const SHARE: u32 = 20;

/// What is done, and how.
pub struct Retry {
    /// What is run.
    pub callback: Callback,
    /// How many at a time, how often each, and the pauses before that.
    pub rules: Rules,
    /// Who hears of it.
    pub listener: Arc<dyn Listener>,
}

/// What came of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retried {
    /// Letters whose callback succeeded; they have left the file.
    pub delivered: u64,
    /// Letters that failed again, and stay.
    pub failed: u64,
    /// Letters that were not tried, since it was ended before.
    pub left: u64,
}

impl Retry {
    /// Delivers these letters; each comes with its order key. `stop` ends it early. What came of
    /// it is given also when it broke off.
    pub async fn run(
        self,
        letters: &mut DeadLetterFile,
        chosen: Vec<(Place, String)>,
        stop: watch::Receiver<Stop>,
    ) -> (Retried, Result<()>) {
        let mut order = EndpointOrder::new(Rules {
            capacity: usize::MAX,
            ..self.rules
        });
        let mut places = HashMap::with_capacity(chosen.len());
        for (place, key) in chosen {
            let id = place.line as u64;
            // There is always room.
            let _taken = order.offer(id, &key);
            places.insert(id, place);
        }
        let mut work = Work {
            retry: self,
            order,
            places,
            delivered: Vec::new(),
            retried: Retried::default(),
            stop: stop.clone(),
        };
        let ended = work.run(letters, stop).await;
        let removed = letters.remove(&std::mem::take(&mut work.delivered));
        work.retried.left = work.order.len() as u64;
        (work.retried, ended.and(removed))
    }
}

struct Work {
    retry: Retry,
    order: EndpointOrder,
    places: HashMap<u64, Place>,
    /// Lines to be taken out of the file.
    delivered: Vec<usize>,
    retried: Retried,
    stop: watch::Receiver<Stop>,
}

type Ended = (Start, Letter, CallbackOutcome);

impl Work {
    async fn run(
        &mut self,
        letters: &mut DeadLetterFile,
        mut stop: watch::Receiver<Stop>,
    ) -> Result<()> {
        let mut running: JoinSet<Ended> = JoinSet::new();
        let mut result = Ok(());
        let (mut rewrite_at, mut stopping) = (Instant::now() + REWRITE, false);
        loop {
            let asked = *stop.borrow();
            stopping |= asked >= Stop::Finish || result.is_err();
            while !stopping && let Some(start) = self.order.next(Instant::now()) {
                if let Some(letter) = self.letter(letters, start)? {
                    self.start(&mut running, start, letter);
                }
            }
            if running.is_empty() && (stopping || self.order.is_empty()) {
                return result;
            }
            tokio::select! {
                Some(ended) = running.join_next() => match ended {
                    Ok(ended) => result = result.and(self.settle(ended)),
                    Err(error) => result = Err(Error::new(Kind::Failed, format!("a delivery broke off: {error}"))),
                },
                changed = stop.changed() => if changed.is_err() { stopping = true },
                () = pause(self.order.wake_at()), if !stopping => {}
            }
            if Instant::now() >= rewrite_at {
                let begun = Instant::now();
                letters.remove(&self.delivered)?;
                self.delivered.clear();
                rewrite_at = Instant::now() + REWRITE.max(begun.elapsed() * SHARE);
            }
        }
    }

    fn letter(&mut self, letters: &DeadLetterFile, start: Start) -> Result<Option<Letter>> {
        let place = self.places.get(&start.id).copied();
        let letter = place.map(|place| letters.letter(place)).transpose()?;
        let letter = letter.flatten();
        if letter.is_none() {
            // It was one when the file was read: somebody writes over it. It stays.
            self.order.done(start.id, true, Instant::now());
            self.retried.failed += 1;
        }
        Ok(letter)
    }

    fn start(&self, running: &mut JoinSet<Ended>, start: Start, letter: Letter) {
        let delivery = Delivery {
            attempt: letter.attempts.saturating_add(start.attempt),
            repeated: letter.attempts > 0 || start.attempt > 1,
        };
        let callback = self.retry.callback.clone();
        let context = RunContext {
            listener: Arc::clone(&self.retry.listener),
            scratch: std::env::temp_dir(),
            stop: self.stop.clone(),
        };
        let permit = StartPermit::default();
        running.spawn(async move {
            let outcome = callback
                .run(&letter.event, delivery, &permit, &mut None, &context)
                .await;
            (start, letter, outcome)
        });
    }

    fn settle(&mut self, (start, letter, outcome): Ended) -> Result<()> {
        let now = Instant::now();
        match outcome {
            CallbackOutcome::Stopped | CallbackOutcome::TakenBack => return Ok(()),
            CallbackOutcome::NoRoom(_) => {
                self.order.not_started(start.id, true, now);
                return Ok(());
            }
            CallbackOutcome::NotStarted(why) | CallbackOutcome::Unavailable(why) => {
                self.order.not_started(start.id, false, now);
                return Err(Error::new(Kind::Failed, why)
                    .hint("what was not delivered stays in the file; mend that and try again"));
            }
            _ => {}
        }
        let (name, key) = (&letter.event.event, letter.event.order_key());
        match self
            .order
            .done(start.id, outcome == CallbackOutcome::Success, now)
        {
            After::Delivered => {
                self.retried.delivered += 1;
                self.delivered
                    .extend(self.places.get(&start.id).map(|place| place.line));
            }
            After::Again(pause) => self.retry.listener.notice(&format!(
                "callback for {name} of {key} failed ({outcome}); again in {:.1}s",
                pause.as_secs_f64()
            )),
            After::GaveUp { .. } => {
                self.retried.failed += 1;
                self.retry.listener.notice(&format!(
                    "callback for {name} of {key} failed ({outcome}); it stays a dead letter"
                ));
            }
            After::Unknown => {}
        }
        Ok(())
    }
}

async fn pause(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until.into()).await,
        None => std::future::pending().await,
    }
}
