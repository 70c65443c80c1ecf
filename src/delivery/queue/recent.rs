//! Events that are kept in memory until they are delivered, up to a number of bytes, so that
//! whoever delivers as fast as events come need not read them back from the spool's file.
//!
//! Whether they lie in the file as well is [`super::spool`]'s affair; nothing is written here.

use std::collections::BTreeMap;
use std::sync::Arc;

use compact_str::CompactString;

use super::spool::Waiting;
use crate::event::Event;

/// What an event takes beside its texts.
const OVERHEAD: usize = 512;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Recent {
    events: BTreeMap<u64, Arc<Event>>,
    bytes: usize,
    /// How many bytes were given up so far.
    gone: u64,
    /// How many bytes there may be.
    limit: usize,
    /// How many bytes were last refused, or 0.
    refused: usize,
    /// Numbers of events that are kept beyond the limit until they are written together, in order;
    /// some may be gone.
    unwritten: Vec<u64>,
    unwritten_bytes: usize,
    /// How many bytes of them there may be.
    unwritten_limit: usize,
    /// How often events left for the file.
    moves: u64,
}

impl Recent {
    pub(super) fn new(limit: usize, unwritten_limit: usize) -> Self {
        Self {
            events: BTreeMap::new(),
            bytes: 0,
            gone: 0,
            limit,
            refused: 0,
            unwritten: Vec::new(),
            unwritten_bytes: 0,
            unwritten_limit,
            moves: 0,
        }
    }

    /// Whether at least half of it is free.
    pub(super) fn is_half_empty(&self) -> bool {
        self.bytes <= self.limit / 2
    }

    /// Whether so much of it is free that more is worth bringing: what was refused, at least.
    pub(super) fn is_worth_filling(&self) -> bool {
        let wanted = self.refused.max(self.limit / 16).min(self.limit);
        self.bytes <= self.limit - wanted
    }

    /// Whether what was last refused is more than there may ever be.
    pub(super) fn refused_for_good(&self) -> bool {
        self.refused > self.limit
    }

    /// How often as much as there may be was given up so far.
    pub(super) fn turnovers(&self) -> u64 {
        self.gone / (self.limit as u64).max(1)
    }

    /// The events from number `from` to the first that is not here: at most `most`, and of no more
    /// than about `bytes` bytes, but one if there is one.
    pub(super) fn run(&self, from: u64, most: usize, bytes: usize) -> Vec<(u64, Arc<Event>)> {
        let mut taken = 0;
        let run = self
            .events
            .range(from..)
            .zip(from..)
            .take_while(|((id, _), expected)| *id == expected)
            .take(most)
            .take_while(|((_, event), _)| {
                let fits = taken < bytes;
                taken += size(event);
                fits
            });
        let mut events = Vec::with_capacity(most.min(self.events.len()));
        events.extend(run.map(|((id, event), _)| (*id, Arc::clone(event))));
        events
    }

    /// Whether all of them can be kept. What cannot is remembered, to say when it can
    /// ([`is_worth_filling`](Self::is_worth_filling)).
    pub(super) fn fits(&mut self, batch: &[Event]) -> bool {
        let bytes: usize = batch.iter().map(size).sum();
        let fits = self.bytes + bytes <= self.limit;
        self.refused = if fits { 0 } else { bytes };
        fits
    }

    /// Keeps the event, if it fits. Its id is made where it will have to wait.
    pub(super) fn keep(&mut self, id: u64, mut event: Event) {
        if self.bytes > self.limit / 4 {
            event.id.settle();
        }
        let bytes = self.bytes + size(&event);
        if bytes <= self.limit {
            self.bytes = bytes;
            self.events.insert(id, Arc::new(event));
        }
    }

    /// Whether all of them could be kept until they are written with others.
    pub(super) fn fits_unwritten(&mut self, batch: &[Event]) -> bool {
        let bytes: usize = batch.iter().map(size).sum();
        if self.unwritten_bytes + bytes > self.unwritten_limit {
            self.unwritten.retain(|id| self.events.contains_key(id));
            let left = self.unwritten.iter().filter_map(|id| self.events.get(id));
            self.unwritten_bytes = left.map(|event| size(event)).sum();
        }
        self.unwritten_bytes + bytes <= self.unwritten_limit
    }

    /// Keeps the event beyond the limit, until it is written.
    pub(super) fn keep_unwritten(&mut self, id: u64, mut event: Event) {
        event.id.settle();
        let bytes = size(&event);
        self.bytes += bytes;
        self.unwritten_bytes += bytes;
        self.unwritten.push(id);
        self.events.insert(id, Arc::new(event));
    }

    /// What is to be written, in order.
    pub(super) fn unwritten(&self) -> Vec<(u64, Arc<Event>)> {
        let ids = self.unwritten.iter();
        ids.filter_map(|id| Some((*id, self.get(*id)?))).collect()
    }

    /// They were written, and are only in the file from now on. Gives those that were given up
    /// meanwhile.
    pub(super) fn written(&mut self, events: &[(u64, Arc<Event>)]) -> Vec<u64> {
        self.unwritten.clear();
        self.unwritten_bytes = 0;
        self.moves += 1;
        let ids = events.iter().map(|(id, _)| *id);
        ids.filter(|id| !self.remove(*id)).collect()
    }

    /// Another number whenever events left for the file.
    pub(super) fn moves(&self) -> u64 {
        self.moves
    }

    pub(super) fn get(&self, id: u64) -> Option<Arc<Event>> {
        self.events.get(&id).cloned()
    }

    /// Gives the event up; whether it was there.
    pub(super) fn remove(&mut self, id: u64) -> bool {
        let removed = self.events.remove(&id);
        let bytes = removed.as_deref().map_or(0, size);
        self.bytes -= bytes;
        self.gone += bytes as u64;
        removed.is_some()
    }

    /// The first number at or after `from`.
    pub(super) fn first(&self, from: u64) -> Option<u64> {
        self.events.range(from..).next().map(|(id, _)| *id)
    }

    /// The events from number `from` to the first that is not here, at most `limit`.
    pub(super) fn waiting(&self, from: u64, limit: usize) -> Vec<Waiting> {
        self.events
            .range(from..)
            .zip(from..)
            .take_while(|((id, _), expected)| *id == expected)
            .take(limit)
            .map(|((id, event), _)| Waiting {
                id: *id,
                key: event.order_key().into(),
                received: event.received_at.as_millisecond(),
            })
            .collect()
    }

    pub(super) fn len(&self) -> usize {
        self.events.len()
    }
}

/// About how many bytes it takes in memory. A message may hold more of its frame than it shows; of
/// sessions that came together each counts its own part.
fn size(event: &Event) -> usize {
    let length = |text: &Option<CompactString>| text.as_ref().map_or(0, CompactString::len);
    let texts = length(&event.mac) + length(&event.station) + event.id.text_length();
    event.message.written_length() + texts + OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::testing::event;

    #[test]
    fn no_more_is_kept_than_may_be_and_what_goes_makes_room() {
        let one = size(&event("a", 1));
        let mut recent = Recent::new(2 * one, 0);
        assert!(recent.fits(&[event("a", 1), event("a", 2)]));
        assert!(!recent.fits(&[event("a", 1), event("a", 2), event("a", 3)]));
        assert!(recent.is_worth_filling() && recent.refused_for_good());
        for (id, n) in [(5, 1), (6, 2), (7, 3)] {
            recent.keep(id, event("a", n));
        }
        assert_eq!((recent.len(), recent.first(0)), (2, Some(5)));
        assert!(recent.remove(5) && !recent.remove(5) && !recent.remove(7));
        recent.keep(8, event("a", 4));
        assert_eq!(recent.get(8).unwrap().sequence, Some(4));
        // 7 is not here: it comes from elsewhere before 8.
        let run = |from| -> Vec<u64> {
            let run = recent.waiting(from, 9);
            run.into_iter().map(|waiting| waiting.id).collect()
        };
        assert_eq!((run(6), run(7), run(8)), (vec![6], vec![], vec![8]));
        assert!(!recent.fits(&[event("a", 9)]) && !recent.refused_for_good());
        assert!(!recent.is_half_empty() && !recent.is_worth_filling());
        let turnovers = recent.turnovers();
        recent.remove(8);
        assert!(recent.is_worth_filling() && recent.turnovers() > turnovers);
        assert!(recent.is_half_empty());
        recent.keep(7, event("a", 3));
        let ids = |most, bytes| -> Vec<u64> {
            let run = recent.run(6, most, bytes);
            run.into_iter().map(|(id, _)| id).collect()
        };
        assert_eq!(ids(9, 9 * one), [6, 7]);
        assert_eq!((ids(1, 9 * one), ids(9, one)), (vec![6], vec![6]));
    }

    #[test]
    fn what_is_to_be_written_together_is_kept_until_then() {
        let one = size(&event("a", 1));
        let mut recent = Recent::new(0, 2 * one);
        let two = [event("a", 1), event("a", 2)];
        assert!(!recent.fits(&two) && recent.fits_unwritten(&two));
        recent.keep_unwritten(5, event("a", 1));
        recent.keep_unwritten(6, event("a", 2));
        assert!(!recent.fits_unwritten(&two));
        // What was delivered makes room, and is not written.
        assert!(recent.remove(5) && recent.fits_unwritten(&two[..1]));
        recent.keep_unwritten(7, event("a", 3));
        let unwritten = recent.unwritten();
        let ids: Vec<u64> = unwritten.iter().map(|(id, _)| *id).collect();
        assert_eq!(ids, [6, 7]);
        assert!(recent.remove(6));
        let moves = recent.moves();
        assert_eq!(recent.written(&unwritten), [6]);
        assert!(recent.moves() != moves && recent.len() == 0 && recent.bytes == 0);
        assert!(recent.fits_unwritten(&two));
    }
}
