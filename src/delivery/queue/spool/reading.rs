//! What waits in a spool, read from memory where it is there, else from the file. It takes nothing
//! out.

use std::collections::BTreeMap;
use std::sync::Arc;

use redb::ReadableDatabase;

use super::place::failed;
use super::{Spool, Waiting, lock};
use crate::delivery::queue::tables::{self, EVENTS};
use crate::error::Result;
use crate::event::Event;

/// How many bytes of events are gone through at most to find out what is next.
pub(super) const SCAN_BYTES: usize = 8 << 20;

/// How many events are given at once.
const MOST_AT_ONCE: usize = 1000;

/// How many events, and bytes of them, are read from the file when one is asked for.
const AHEAD: usize = 256;
const AHEAD_BYTES: usize = 512 << 10;

/// Events that were read from the file together: whoever asks for one mostly asks for those after
/// it next.
#[derive(Debug, Default)]
pub(super) struct ReadAhead {
    events: BTreeMap<u64, Arc<Event>>,
    /// How many there were.
    read: usize,
    /// How many others were asked for since.
    others: usize,
}

impl ReadAhead {
    fn take(&mut self, id: u64) -> Option<Arc<Event>> {
        self.events.remove(&id)
    }

    /// Whether several are worth reading again, since most of the last were asked for, or others
    /// were for so long.
    fn is_used(&mut self) -> bool {
        self.others += 1;
        self.events.len() * 2 <= self.read || self.others > self.read
    }

    fn replace(&mut self, events: BTreeMap<u64, Arc<Event>>) {
        let read = events.len();
        *self = Self {
            events,
            read,
            others: 0,
        };
    }
}

impl Spool {
    /// The waiting events from number `from` on, in order, at most `limit`; perhaps fewer, but
    /// always one if there is one.
    pub fn waiting(&self, from: u64, limit: usize) -> Result<Vec<Waiting>> {
        loop {
            let moves = {
                let recent = lock(&self.recent);
                let kept = recent.waiting(from, limit);
                if !kept.is_empty() {
                    return Ok(kept);
                }
                recent.moves()
            };
            let mut listed = self
                .list(from, limit)
                .map_err(|error| failed(&self.place, "read", error))?;
            // Asked after the file was read: whatever came before the last event listed is in one
            // of the two, unless it moved to the file meanwhile.
            let recent = lock(&self.recent);
            if recent.moves() != moves {
                continue;
            }
            let Some(first) = recent.first(from) else {
                return Ok(listed);
            };
            listed.retain(|event| event.id < first);
            if listed.is_empty() {
                return Ok(recent.waiting(first, limit));
            }
            return Ok(listed);
        }
    }

    /// The events from number `from` on, in order, of about `bytes` bytes; perhaps fewer, but
    /// always one if there is one.
    pub fn events(&self, from: u64, bytes: usize) -> Result<Vec<(u64, Arc<Event>)>> {
        let mut events = self.events_in_memory(from, bytes);
        if !events.is_empty() {
            return Ok(events);
        }
        let mut taken = 0;
        for Waiting { id, .. } in self.waiting(from, MOST_AT_ONCE)? {
            if taken >= bytes {
                break;
            }
            if let Some(event) = self.get(id)? {
                taken += event.message.written_length();
                events.push((id, event));
            }
        }
        Ok(events)
    }

    /// The same, up to the first event that is not in memory.
    pub fn events_in_memory(&self, from: u64, bytes: usize) -> Vec<(u64, Arc<Event>)> {
        lock(&self.recent).run(from, MOST_AT_ONCE, bytes)
    }

    fn list(&self, from: u64, limit: usize) -> Result<Vec<Waiting>, redb::Error> {
        let mut waiting = Vec::new();
        let Some(database) = self.database.get() else {
            return Ok(waiting);
        };
        let events = database.begin_read()?.open_table(EVENTS)?;
        let mut bytes = 0;
        for entry in events.range(from..)?.take(limit) {
            if bytes > SCAN_BYTES {
                break;
            }
            let (id, row) = entry?;
            let (key, received, length) = tables::glance(row.value());
            bytes += length;
            waiting.push(Waiting {
                id: id.value(),
                key,
                received,
            });
        }
        Ok(waiting)
    }

    /// One event; `None` when it is not (or no longer) there.
    pub fn get(&self, id: u64) -> Result<Option<Arc<Event>>> {
        if let Some(event) = lock(&self.recent).get(id) {
            return Ok(Some(event));
        }
        let mut ahead = lock(&self.ahead);
        if let Some(event) = ahead.take(id) {
            return Ok(Some(event));
        }
        let most = if ahead.is_used() { AHEAD } else { 1 };
        let read = self.read(id, most);
        let mut events = read.map_err(|error| failed(&self.place, "read", error))?;
        let event = events.remove(&id);
        if most > 1 {
            ahead.replace(events);
        }
        Ok(event)
    }

    /// The events of the file from number `from` on, at most `most`.
    fn read(&self, from: u64, most: usize) -> Result<BTreeMap<u64, Arc<Event>>, redb::Error> {
        let mut read = BTreeMap::new();
        let Some(database) = self.database.get() else {
            return Ok(read);
        };
        let events = database.begin_read()?.open_table(EVENTS)?;
        let mut bytes = 0;
        for entry in events.range(from..)?.take(most) {
            let (id, row) = entry?;
            let event = tables::read(row.value());
            bytes += event.message.written_length();
            read.insert(id.value(), Arc::new(event));
            if bytes > AHEAD_BYTES {
                break;
            }
        }
        Ok(read)
    }
}
