//! What waits to be printed: in memory while the reader keeps up, in a temporary spool when it has
//! not for a moment. So a reader that is slow, or stopped, never keeps the socket from being read;
//! what lies on disk is printed in its turn.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::{Duration, Instant, timeout_at};

use crate::delivery::spool::Spool;
use crate::error::{Error, Kind, Result};
use crate::event::Event;

/// How many bytes of messages wait in memory.
const MEMORY: usize = 4 << 20;

/// How many bytes are read from the spool at once.
const PORTION: usize = 1 << 20;

/// How many events are.
const MOST: usize = 1000;

/// What is printed at once.
pub(super) enum Portion {
    /// Events as they came.
    Events(Vec<Event>),
    /// Events that lay on disk, with their numbers in the spool.
    Spooled(Vec<(u64, Arc<Event>)>),
}

/// See the module's documentation.
pub(super) struct Backlog {
    /// How long a full memory is waited for, since the reader last kept up.
    patience: Duration,
    state: Mutex<State>,
    /// For the printing thread: there is more, or an end.
    more: Condvar,
    /// For whoever brings events: there is room in memory, or nobody reads any more.
    room: Notify,
}

#[derive(Default)]
struct State {
    memory: VecDeque<(usize, Vec<Event>)>,
    /// Of all events in memory.
    bytes: usize,
    /// When memory was first found full, since it was last empty.
    behind_since: Option<Instant>,
    spool: Option<Arc<Spool>>,
    /// Events of the spool with a smaller number were taken.
    taken: u64,
    /// Events of the spool have a smaller number.
    written: u64,
    end: Option<End>,
    /// The printing thread has ended.
    over: bool,
}

/// How it ends: nothing more is brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// All is printed.
    Drained,
    /// What lies on disk is left there.
    MemoryOnly,
}

impl Backlog {
    /// Nothing waits. A full memory is waited for so long, since the reader last kept up.
    pub(super) fn new(patience: Duration) -> Self {
        Self {
            patience,
            state: Mutex::default(),
            more: Condvar::new(),
            room: Notify::new(),
        }
    }

    /// Takes events. Waits for the reader a moment at most, else for the disk; true if they are the
    /// first ones that went there.
    pub(super) async fn push(&self, events: Vec<Event>) -> Result<bool> {
        let bytes = events.iter().map(size).sum();
        loop {
            let full = self.room.notified();
            let patience = {
                let mut state = self.state();
                if state.over {
                    return Ok(false);
                }
                if state.taken == state.written && state.bytes < MEMORY {
                    state.bytes += bytes;
                    state.memory.push_back((bytes, events));
                    self.more.notify_one();
                    return Ok(false);
                }
                if state.taken < state.written {
                    break;
                }
                *state.behind_since.get_or_insert_with(Instant::now) + self.patience
            };
            if timeout_at(patience, full).await.is_err() {
                break;
            }
        }
        self.spill(events).await
    }

    async fn spill(&self, events: Vec<Event>) -> Result<bool> {
        let (known, first) = {
            let state = self.state();
            (state.spool.clone(), state.taken == state.written)
        };
        let writing = tokio::task::spawn_blocking(move || {
            let spool = known.map_or_else(|| Spool::temporary().map(Arc::new), Ok)?;
            let written = spool.append(events, &[])?;
            Ok::<_, Error>((spool, written))
        });
        let (spool, written) = writing
            .await
            .map_err(|error| Error::new(Kind::Failed, format!("spooling broke off: {error}")))??;
        let mut state = self.state();
        state.spool = Some(spool);
        state.written = written;
        self.more.notify_one();
        Ok(first)
    }

    /// Waits for the next portion; `None` at the end. For the printing thread.
    pub(super) fn pop(&self) -> Result<Option<Portion>> {
        let mut state = self.state();
        loop {
            if let Some((bytes, events)) = state.memory.pop_front() {
                state.bytes -= bytes;
                if state.memory.is_empty() {
                    state.behind_since = None;
                }
                self.room.notify_one();
                return Ok(Some(Portion::Events(events)));
            }
            let left = state.taken < state.written && state.end != Some(End::MemoryOnly);
            if let (true, Some(spool)) = (left, state.spool.clone()) {
                let from = state.taken;
                drop(state);
                let portion = read(&spool, from)?;
                let mut state = self.state();
                state.taken = portion.last().map_or(state.written, |(id, _)| id + 1);
                return Ok(Some(Portion::Spooled(portion)));
            }
            if state.end.is_some() {
                return Ok(None);
            }
            state = self
                .more
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// These were printed, and leave the spool.
    pub(super) fn printed(&self, portion: &[(u64, Arc<Event>)]) -> Result<()> {
        let Some(spool) = self.state().spool.clone() else {
            return Ok(());
        };
        for (id, _) in portion {
            spool.delivered_event(*id);
        }
        spool.flush()
    }

    /// Nothing more will be brought. A call that is less urgent than an earlier one changes
    /// nothing.
    pub(super) fn end(&self, end: End) {
        let mut state = self.state();
        if state.end != Some(End::MemoryOnly) {
            state.end = Some(end);
        }
        self.more.notify_one();
    }

    /// The printing thread has ended: what is brought from now on goes nowhere.
    pub(super) fn over(&self) {
        self.state().over = true;
        self.room.notify_one();
    }

    /// How many events were left on disk; they are gone with this.
    pub(super) fn left(&self) -> Result<u64> {
        let spool = self.state().spool.take();
        spool.map_or(Ok(0), |spool| spool.count())
    }

    /// A poisoned lock holds a state that is whole all the same.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an event takes, roughly.
fn size(event: &Event) -> usize {
    event.message.written_length() + size_of::<Event>()
}

fn read(spool: &Spool, from: u64) -> Result<Vec<(u64, Arc<Event>)>> {
    let mut portion = Vec::new();
    let mut bytes = 0;
    for waiting in spool.waiting(from, MOST)? {
        if bytes >= PORTION {
            break;
        }
        if let Some(event) = spool.get(waiting.id)? {
            bytes += event.message.written_length();
            portion.push((waiting.id, event));
        }
    }
    Ok(portion)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EventId, Message};

    fn event(number: i64, length: usize) -> Event {
        Event {
            id: EventId::default(),
            event: "CREATE".into(),
            sequence: Some(number),
            topic: "/topic/x".into(),
            node: "a".into(),
            received_at: jiff::Timestamp::UNIX_EPOCH,
            recovered: false,
            mac: None,
            station: None,
            state: None,
            message: Message::whole(format!("{{\"x\":\"{}\"}}", "x".repeat(length))),
        }
    }

    /// The numbers of a portion, and whether it came from disk.
    fn numbers(backlog: &Backlog) -> Option<(Vec<i64>, bool)> {
        let sequence = |event: &Event| event.sequence.unwrap();
        match backlog.pop().unwrap()? {
            Portion::Events(events) => Some((events.iter().map(sequence).collect(), false)),
            Portion::Spooled(events) => {
                backlog.printed(&events).unwrap();
                let sequences = events.iter().map(|(_, event)| event.sequence.unwrap());
                Some((sequences.collect(), true))
            }
        }
    }

    #[tokio::test]
    async fn what_is_not_read_in_time_waits_on_disk_and_keeps_its_order() {
        let backlog = Backlog::new(Duration::ZERO);
        assert!(!backlog.push(vec![event(1, MEMORY)]).await.unwrap());
        assert!(
            backlog
                .push(vec![event(2, 10), event(3, 10)])
                .await
                .unwrap()
        );
        assert!(!backlog.push(vec![event(4, 10)]).await.unwrap());
        assert_eq!(numbers(&backlog), Some((vec![1], false)));
        // Memory is empty, but what lies on disk comes first.
        backlog.push(vec![event(5, 10)]).await.unwrap();
        assert_eq!(numbers(&backlog), Some((vec![2, 3, 4, 5], true)));
        assert!(!backlog.push(vec![event(6, 10)]).await.unwrap());
        assert_eq!(numbers(&backlog), Some((vec![6], false)));
        backlog.end(End::Drained);
        assert_eq!(numbers(&backlog), None);
        assert_eq!(backlog.left().unwrap(), 0);
    }

    #[tokio::test]
    async fn a_reader_that_catches_up_in_time_spares_the_disk() {
        let backlog = Arc::new(Backlog::new(Duration::from_mins(10)));
        backlog.push(vec![event(1, MEMORY)]).await.unwrap();
        let theirs = Arc::clone(&backlog);
        let pushing = tokio::spawn(async move { theirs.push(vec![event(2, 10)]).await });
        tokio::task::yield_now().await;
        assert_eq!(numbers(&backlog), Some((vec![1], false)));
        assert!(!pushing.await.unwrap().unwrap());
        assert_eq!(numbers(&backlog), Some((vec![2], false)));
    }

    #[tokio::test]
    async fn at_an_urgent_end_what_lies_on_disk_is_left_and_counted() {
        let backlog = Backlog::new(Duration::ZERO);
        backlog.push(vec![event(1, MEMORY)]).await.unwrap();
        backlog
            .push(vec![event(2, 10), event(3, 10)])
            .await
            .unwrap();
        backlog.end(End::MemoryOnly);
        backlog.end(End::Drained);
        assert_eq!(numbers(&backlog), Some((vec![1], false)));
        assert_eq!(numbers(&backlog), None);
        assert_eq!(backlog.left().unwrap(), 2);
    }

    #[tokio::test]
    async fn nobody_waits_for_a_printer_that_is_gone() {
        let backlog = Backlog::new(Duration::from_mins(10));
        backlog.push(vec![event(1, MEMORY)]).await.unwrap();
        backlog.over();
        assert!(!backlog.push(vec![event(2, 10)]).await.unwrap());
        assert_eq!(backlog.left().unwrap(), 0);
    }
}
