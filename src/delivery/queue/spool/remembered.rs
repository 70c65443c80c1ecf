//! What a durable spool remembers of what was told, as a subscription looks into it. It writes
//! nothing: that is done with the events.

use std::sync::{Arc, Weak};

use super::place::failed;
use super::{Spool, lock};
use crate::delivery::queue::remembered_tables::{self, MemoryTables, Place};
use crate::event::Memory;
use crate::event::remembered::RememberedState;

/// What a durable spool remembers, for as long as it is open.
#[derive(Debug)]
pub struct SpoolMemory {
    spool: Weak<Spool>,
    seed: u64,
}

impl SpoolMemory {
    /// That of a spool; `None` for a temporary one, which remembers nothing.
    pub fn of(spool: &Arc<Spool>) -> Option<Self> {
        let durable = spool.durable.as_ref()?;
        let seed = lock(&durable.memory).seed();
        Some(Self {
            spool: Arc::downgrade(spool),
            seed,
        })
    }

    fn read(
        &self,
        place: impl FnOnce(&MemoryTables) -> Option<Place>,
        found: impl FnMut(&str, RememberedState),
    ) {
        let Some(spool) = self.spool.upgrade() else {
            return;
        };
        let Some(durable) = &spool.durable else {
            return;
        };
        let Some(place) = place(&lock(&durable.memory)) else {
            return;
        };
        let Some(database) = spool.database.get() else {
            return;
        };
        if let Err(error) = remembered_tables::read(database, place, found) {
            let _first = durable.unreadable.set(failed(&spool.place, "read", error));
        }
    }
}

impl Memory for SpoolMemory {
    fn seed(&self) -> u64 {
        self.seed
    }

    fn find(&self, topic: &str, key: &str) -> Option<RememberedState> {
        let mut found = None;
        self.read(
            |memory| memory.place(topic, key),
            |other, state| {
                if other == key {
                    found = Some(state);
                }
            },
        );
        found
    }

    fn find_endpoint(
        &self,
        topic: &str,
        endpoint: &str,
        found: &mut dyn FnMut(&str, RememberedState),
    ) {
        self.read(|memory| memory.endpoint_place(topic, endpoint), found);
    }

    fn walk(&self, topic: &str, found: &mut dyn FnMut(&str, RememberedState)) {
        self.read(|memory| memory.topic_place(topic), found);
    }

    fn is_whole(&self, topic: &str) -> bool {
        let spool = self.spool.upgrade();
        let durable = spool.as_ref().and_then(|spool| spool.durable.as_ref());
        durable.is_none_or(|durable| lock(&durable.memory).is_whole(topic))
    }
}
