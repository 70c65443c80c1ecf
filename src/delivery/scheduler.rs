//! What the delivering loop and the sink share: which events come next, and what becomes of each.
//!
//! A delivery that ends is settled where it ran, and the next event is begun there, without a
//! detour over the loop's thread; the loop is called only for what is its own: more numbers from
//! the spool, retries, taking out what was delivered, failures.
//!
//! It starts no delivery. Nothing slow happens while the state is held, but for dead letters. It
//! holds at most as many numbers as [`EndpointOrder`] has room for; no more are read from the spool
//! then.
//! While dead letters have no room ([`Listener::has_room`]) nothing begins. A callback that cannot
//! be started holds everything, with growing pauses.

mod refusals;
mod unsettled;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tokio::task::JoinError;

use super::Listener;
use super::counters::Counters;
use super::dead_letters::{DeadLetters, letter};
use super::endpoint_order::{After, EndpointOrder, Start};
use super::gate::{End, Gate, StartPermit};
use super::queue::spool::{Spool, Waiting};
use super::sink::Outage;
use super::sink::callback::CallbackOutcome;
use super::stop::Stop;
use crate::error::{Error, Kind, Result};
use crate::event::{Delivery, Event};
use refusals::Refusals;
pub(super) use unsettled::Unsettled;

/// How many numbers are read from the spool at a time.
pub(super) const CHUNK: usize = 1000;

/// How many bytes of events are handed over at a time where they go as they came.
const PORTION: usize = 1 << 20;

/// See the module's documentation.
pub(super) struct Scheduler {
    spool: Arc<Spool>,
    listener: Arc<dyn Listener>,
    counters: Arc<Counters>,
    stop: watch::Receiver<Stop>,
    /// Notified when there is something for the loop to do.
    call: Notify,
    /// Notified when there may be room in memory for more events.
    room: Arc<Notify>,
    /// Who has a say on each event.
    gate: Option<Arc<dyn Gate>>,
    state: Mutex<SchedulerState>,
}

struct SchedulerState {
    order: EndpointOrder,
    letters: DeadLetters,
    /// Events read from the spool and not done with: number and time of receipt.
    outstanding: BTreeMap<u64, i64>,
    failure: Option<Error>,
    /// Whether nothing more may begin; what still runs is noted when it succeeds.
    closed: bool,
    refusals: Refusals,
    /// Whether it was said that the spool is gone.
    gone_said: bool,
}

/// How long to wait before looking whether dead letters have room again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// One delivery of an event, for a sink to settle.
pub(super) struct Attempt {
    start: Start,
    pub(super) event: Arc<Event>,
    pub(super) delivery: Delivery,
    /// Leave to start it.
    pub(super) permit: StartPermit,
}

impl Attempt {
    /// The event's number in the spool.
    pub(super) fn number(&self) -> u64 {
        self.start.id
    }
}

impl Scheduler {
    pub(super) fn new(
        spool: Arc<Spool>,
        order: EndpointOrder,
        letters: DeadLetters,
        listener: Arc<dyn Listener>,
        counters: Arc<Counters>,
        stop: watch::Receiver<Stop>,
        room: Arc<Notify>,
    ) -> Self {
        Self {
            spool,
            listener,
            counters,
            stop,
            call: Notify::new(),
            room,
            gate: None,
            state: Mutex::new(SchedulerState {
                order,
                letters,
                outstanding: BTreeMap::new(),
                failure: None,
                closed: false,
                refusals: Refusals::new(Outage::OF_CALLBACKS),
                gone_said: false,
            }),
        }
    }

    /// The same for a sink that has other words for not taking anything.
    pub(super) fn saying(self, outage: Outage) -> Self {
        self.state().refusals = Refusals::new(outage);
        self
    }

    /// The same where somebody has a say on each event.
    pub(super) fn behind(self, gate: Option<Arc<dyn Gate>>) -> Self {
        Self { gate, ..self }
    }

    /// Waits until there is something for the loop to do. A call that nobody waited for is
    /// remembered.
    pub(super) async fn called(&self) {
        self.call.notified().await;
    }

    /// Whether another chunk of numbers fits.
    pub(super) fn has_room(&self) -> bool {
        self.state().order.room() >= CHUNK
    }

    /// Whether every event that was taken is done with.
    pub(super) fn is_empty(&self) -> bool {
        self.state().order.is_empty()
    }

    /// When a pause before a retry ends.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        self.state().order.wake_at()
    }

    /// Takes waiting events, which come after those taken before.
    pub(super) fn take(&self, waiting: Vec<Waiting>) -> Result<()> {
        let mut state = self.state();
        for event in waiting {
            if !state.order.offer(event.id, &event.key) {
                return Err(Error::new(
                    Kind::Failed,
                    "the delivery order is over its bound",
                ));
            }
            state.outstanding.insert(event.id, event.received);
        }
        self.count_oldest(&state);
        Ok(())
    }

    /// The event that may begin now, if there is one.
    pub(super) fn next(&self) -> Result<Option<Attempt>> {
        while let Some(start) = self.next_start() {
            let Some(delivery) = self.begin(start)? else {
                self.taken_back(&mut self.state(), start.id);
                continue;
            };
            return match self.spool.get(start.id)? {
                Some(event) => Ok(Some(Attempt {
                    start,
                    event,
                    delivery,
                    permit: StartPermit::new(self.gate.as_ref(), start.id),
                })),
                None => Err(Error::new(
                    Kind::Failed,
                    format!("event {} is missing from the spool", start.id),
                )),
            };
        }
        Ok(None)
    }

    /// Whose turn it is, if anybody's.
    fn next_start(&self) -> Option<Start> {
        if *self.stop.borrow() >= Stop::Finish {
            return None;
        }
        let mut state = self.state();
        if state.closed {
            return None;
        }
        if !state.letters.has_room() {
            state.order.hold(LOOK_AGAIN, Instant::now());
        }
        state.order.next(Instant::now())
    }

    /// Notes that a delivery begins; `None`: it is not to.
    fn begin(&self, start: Start) -> Result<Option<Delivery>> {
        if let Some(gate) = &self.gate {
            return Ok(gate.begin(start.id, start.attempt));
        }
        self.spool.begin(start.id)?;
        Ok(Some(self.spool.delivery(start.id, start.attempt)))
    }

    /// Tells whoever has a say what became of an event.
    fn tell_gate(&self, number: u64, end: End) {
        if let Some(gate) = &self.gate {
            gate.ended(number, end);
        }
    }

    /// The next events as they came, from number `from` on, for a sink that is done with them at
    /// once.
    ///
    /// From [`Stop::Finish`] on a temporary spool gives only what it has in memory, which nobody
    /// would ever see again; what lies on its disk may be long.
    pub(super) fn next_in_order(&self, from: u64) -> Result<Vec<Attempt>> {
        let events = match *self.stop.borrow() {
            Stop::No | Stop::Drained => self.spool.events(from, PORTION)?,
            Stop::Finish if self.spool.directory().is_none() => {
                self.spool.events_in_memory(from, PORTION)
            }
            Stop::Finish | Stop::AtOnce => return Ok(Vec::new()),
        };
        let oldest = events.iter().map(|(_, event)| event.received_at);
        let oldest = oldest.min().map(jiff::Timestamp::as_millisecond);
        self.counters.oldest(oldest);
        let mut attempts = Vec::with_capacity(events.len());
        for (id, event) in events {
            self.spool.begin(id)?;
            attempts.push(Attempt {
                start: Start { id, attempt: 1 },
                event,
                delivery: self.spool.delivery(id, 1),
                permit: StartPermit::default(),
            });
        }
        Ok(attempts)
    }

    /// Settles a delivery that ended: the event is done with, waits for a retry, or is a dead
    /// letter.
    pub(super) fn settle(&self, attempt: &Attempt, outcome: &CallbackOutcome) -> Result<()> {
        let Attempt {
            start,
            event,
            delivery,
            permit: _,
        } = attempt;
        let delivered = *outcome == CallbackOutcome::Success;
        let mut state = self.state();
        if *outcome == CallbackOutcome::Stopped || (state.closed && !delivered) {
            // It stays in the spool.
            self.tell_gate(start.id, End::Stopped);
            return Ok(());
        }
        if *outcome == CallbackOutcome::TakenBack {
            self.tell_gate(start.id, End::TakenBack);
            self.taken_back(&mut state, start.id);
            return Ok(());
        }
        if let CallbackOutcome::NoRoom(why)
        | CallbackOutcome::NotStarted(why)
        | CallbackOutcome::Unavailable(why) = outcome
        {
            let no_room = matches!(outcome, CallbackOutcome::NoRoom(_));
            self.spool.not_begun(start.id)?;
            self.tell_gate(start.id, End::NotBegun);
            let pause = state.order.not_started(start.id, no_room, Instant::now());
            self.call.notify_one();
            let waiting = state.outstanding.len();
            let notice = if no_room {
                state.refusals.no_room(why, pause)
            } else {
                state
                    .refusals
                    .takes_nothing(why, pause, waiting, Instant::now())
            };
            if let Some(notice) = notice {
                self.listener.notice(&notice);
            }
            return Ok(());
        }
        if state.order.proves_recovery(start.id)
            && let Some(notice) = state.refusals.over()
        {
            self.listener.notice(&notice);
        }
        let after = state.order.done(start.id, delivered, Instant::now());
        if state.order.is_probing() {
            // One more may begin than has ended.
            self.call.notify_one();
        }
        match after {
            After::Delivered => {
                self.counters.delivered(event.received_at);
                self.leave(&mut state, start.id);
            }
            After::Again(pause) => {
                self.tell_gate(start.id, End::Failed);
                self.call.notify_one();
                self.listener.notice(&format!(
                    "callback for {} of {} failed ({outcome}), attempt {}; again in {:.1}s",
                    event.event,
                    event.order_key(),
                    delivery.attempt,
                    pause.as_secs_f64()
                ));
            }
            After::GaveUp { .. } => {
                let attempts = delivery.attempt;
                match &self.gate {
                    Some(gate) => {
                        gate.ended(start.id, End::GaveUp(letter(event, attempts, outcome)));
                    }
                    None => state.letters.write(event, attempts, outcome)?,
                }
                self.counters.failed();
                let (what, whose) = (&event.event, event.order_key());
                let attempts = match attempts {
                    1 => "an attempt".to_owned(),
                    attempts => format!("{attempts} attempts"),
                };
                self.listener.notice(&match outcome {
                    CallbackOutcome::Refused(why) => format!(
                        "{what} of {whose} will never be taken ({why}); it is a dead letter"
                    ),
                    _ => format!(
                        "callback for {what} of {whose} failed ({outcome}) after {attempts}; it is a dead letter"
                    ),
                });
                self.leave(&mut state, start.id);
            }
            After::Unknown => {}
        }
        Ok(())
    }

    /// Settles events that were printed; those that could not be, by their place, are dead letters
    /// at once.
    pub(super) fn settle_printed(
        &self,
        attempts: &[Attempt],
        unprinted: Vec<(usize, Error)>,
    ) -> Result<()> {
        let refused: BTreeMap<usize, Error> = unprinted.into_iter().collect();
        let printed = || {
            let all = attempts.iter().enumerate();
            all.filter(|(place, _)| !refused.contains_key(place))
                .map(|(_, attempt)| attempt)
        };
        if let Some(oldest) = printed().map(|attempt| attempt.event.received_at).min() {
            let count = attempts.len().saturating_sub(refused.len());
            self.counters.delivered_together(count as u64, oldest);
        }
        for attempt in printed() {
            self.spool.delivered_event(attempt.start.id);
        }
        for (place, error) in &refused {
            let Some(attempt) = attempts.get(*place) else {
                continue;
            };
            let letters = &mut self.state().letters;
            letters.unprinted(&attempt.event, error, &*self.listener)?;
            self.counters.failed();
            self.spool.delivered_event(attempt.start.id);
        }
        self.counters.oldest(None);
        self.room.notify_one();
        Ok(())
    }

    /// The error when nothing is left that can go on, since the callback cannot be started and
    /// every pause was tried.
    pub(super) fn stuck(&self) -> Option<Error> {
        let state = self.state();
        let why = state.refusals.why().filter(|_| state.order.is_stuck())?;
        Some(Error::new(
            Kind::Failed,
            format!("what waits was not delivered: {why}"),
        ))
    }

    /// Leaves a failure for the loop.
    fn fail(&self, error: Error) {
        self.state().failure.get_or_insert(error);
        self.call.notify_one();
    }

    /// What went wrong since it was last asked.
    pub(super) fn check(&self) -> Result<()> {
        self.state().failure.take().map_or(Ok(()), Err)
    }

    /// Says, once, that the spool was removed or replaced, and from then on says dead letters
    /// where they cannot be written.
    pub(super) fn say_gone(&self, gone: &Error) {
        let mut state = self.state();
        if !std::mem::replace(&mut state.gone_said, true) {
            state.letters.fall_back();
            self.listener.notice(&format!(
                "{gone}; nothing more is taken, and this ends when what was taken is delivered"
            ));
        }
    }

    /// Whatever is not delivered, and will not be found by the next run, becomes a dead letter.
    pub(super) fn bury_all(&self) -> Result<()> {
        self.spool.flush()?;
        let mut from = 0;
        let mut buried = 0_u64;
        loop {
            let waiting = self.spool.waiting(from, CHUNK)?;
            let Some(last) = waiting.last() else { break };
            from = last.id + 1;
            for Waiting { id, .. } in waiting {
                if let Some(event) = self.spool.get(id)? {
                    let why = "not delivered: the spool was removed";
                    self.state().letters.write(&event, 0, &why)?;
                    self.counters.failed();
                    self.spool.delivered_event(id);
                    buried += 1;
                }
            }
        }
        if buried > 0 {
            self.listener.notice(&format!(
                "events that were not delivered and are dead letters, since the spool is gone: {buried}"
            ));
        }
        Ok(())
    }

    /// Lets nothing more begin.
    pub(super) fn close(&self) {
        self.state().closed = true;
    }

    /// Whoever brought the event has it again.
    fn taken_back(&self, state: &mut SchedulerState, id: u64) {
        state.order.done(id, true, Instant::now());
        self.leave(state, id);
    }

    /// The event may leave the spool.
    fn leave(&self, state: &mut SchedulerState, id: u64) {
        state.outstanding.remove(&id);
        self.count_oldest(state);
        let delivered = self.spool.delivered_event(id);
        // Whoever waits for room is not woken for each event.
        if self.spool.is_worth_filling() {
            self.room.notify_one();
        }
        let room = state.order.room();
        if delivered == 1 || delivered == self.spool.flush_at() || room.is_multiple_of(CHUNK) {
            self.call.notify_one();
        }
    }

    fn count_oldest(&self, state: &SchedulerState) {
        let oldest = state.outstanding.first_key_value();
        self.counters.oldest(oldest.map(|(_, received)| *received));
    }

    /// Only a panic while the guard is held poisons a mutex, and a delivery that broke off is
    /// reported as that.
    fn state(&self) -> MutexGuard<'_, SchedulerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A task that panicked or was cancelled; neither is expected.
#[allow(clippy::needless_pass_by_value)] // the shape that `map_err` wants
pub(super) fn broken(error: JoinError) -> Error {
    Error::new(Kind::Failed, format!("a delivery broke off: {error}"))
}
