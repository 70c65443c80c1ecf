//! Events of a temporary spool on their way into its file: those that fit stay in memory, others are
//! kept there until enough of them are written together. It reads nothing for delivery.

use super::place::failed;
use super::{Spool, lock};
use crate::error::Result;
use crate::event::{Event, Progress};

impl Spool {
    /// Takes events into the memory of a temporary spool, where that suffices; gives them back
    /// where it does not, and where the spool is none. It waits for no disk.
    pub fn append_in_memory(&self, batch: Vec<Event>) -> Result<u64, Vec<Event>> {
        let mut tail = lock(&self.next);
        let mut recent = lock(&self.recent);
        if !self.is_temporary() || !recent.fits(&batch) {
            return Err(batch);
        }
        for event in batch {
            recent.keep(*tail, event);
            *tail += 1;
        }
        Ok(*tail)
    }

    /// Whether at least half of the memory for events is free.
    pub fn is_half_empty(&self) -> bool {
        lock(&self.recent).is_half_empty()
    }

    /// Whether so much memory for events is free that more are worth bringing.
    pub fn is_worth_filling(&self) -> bool {
        lock(&self.recent).is_worth_filling()
    }

    /// Whether what memory last had no room for is more than it ever holds.
    pub fn refused_for_good(&self) -> bool {
        lock(&self.recent).refused_for_good()
    }

    /// How often as much as memory holds was delivered from it so far.
    pub fn turnovers(&self) -> u64 {
        lock(&self.recent).turnovers()
    }

    /// Takes events that go to the file of a temporary spool later, with others; gives them back
    /// where what waits for that has to be written first, and where the spool is none. It waits
    /// for no disk.
    pub fn append_unwritten(&self, mut batch: Vec<Event>) -> Result<u64, Vec<Event>> {
        if !self.is_temporary() {
            return Err(batch);
        }
        let mut tail = lock(&self.next);
        self.keep_unwritten(&mut tail, &mut batch).ok_or(batch)
    }

    /// The same under the lock; what was not taken stays in the batch.
    pub(super) fn keep_unwritten(&self, tail: &mut u64, batch: &mut Vec<Event>) -> Option<u64> {
        let mut recent = lock(&self.recent);
        if !recent.fits_unwritten(batch) {
            return None;
        }
        for event in batch.drain(..) {
            recent.keep_unwritten(*tail, event);
            *tail += 1;
        }
        Some(*tail)
    }

    /// Writes what is to be written, unless these can wait with it. Under the lock.
    pub(super) fn make_room_for(&self, batch: &[Event]) -> Result<()> {
        let unwritten = {
            let mut recent = lock(&self.recent);
            if recent.fits_unwritten(batch) {
                return Ok(());
            }
            recent.unwritten()
        };
        if unwritten.is_empty() {
            return Ok(());
        }
        let events = unwritten.iter().map(|(id, event)| (*id, &**event));
        self.write(self.file()?, events, &Progress::default())
            .map_err(|error| failed(&self.place, "write to", error))?;
        // Delivered while they were written: in the file all the same.
        let delivered = lock(&self.recent).written(&unwritten);
        lock(&self.delivered).extend(delivered);
        Ok(())
    }
}
