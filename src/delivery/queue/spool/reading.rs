//! What waits in a spool, read from memory where it is there, else from the file. It takes nothing
//! out.

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

impl Spool {
    /// The waiting events from number `from` on, in order, at most `limit`; perhaps fewer, but
    /// always one if there is one.
    pub fn waiting(&self, from: u64, limit: usize) -> Result<Vec<Waiting>> {
        let kept = lock(&self.recent).waiting(from, limit);
        if !kept.is_empty() {
            return Ok(kept);
        }
        let mut listed = self
            .list(from, limit)
            .map_err(|error| failed(&self.place, "read", error))?;
        // Asked after the file was read: whatever came before the last event listed is in one of
        // the two.
        let recent = lock(&self.recent);
        let Some(first) = recent.first(from) else {
            return Ok(listed);
        };
        listed.retain(|event| event.id < first);
        if listed.is_empty() {
            return Ok(recent.waiting(first, limit));
        }
        Ok(listed)
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
        self.find(id)
            .map(|event| event.map(Arc::new))
            .map_err(|error| failed(&self.place, "read", error))
    }

    fn find(&self, id: u64) -> Result<Option<Event>, redb::Error> {
        let Some(database) = self.database.get() else {
            return Ok(None);
        };
        let events = database.begin_read()?.open_table(EVENTS)?;
        Ok(events.get(id)?.map(|row| tables::read(row.value())))
    }
}
