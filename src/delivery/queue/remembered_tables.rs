//! The spool's memory: of each session, or row of a topic, the state that was told last, written in
//! the same commits as the events.
//!
//! A state is found by the hashes of its endpoint and of its identity, so that the sessions of one
//! endpoint lie side by side; the identity itself lies there too. The memory is bounded: with each
//! state that is written some others are looked at, and those that may be forgotten and are old go.
//! Above [`MOST`] any that is looked at goes, and that it did is kept.

use std::collections::HashMap;
use std::hash::BuildHasher;

use foldhash::quality::FixedState;
use redb::{Database, TableError, WriteTransaction};
use redb::{ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition};

use crate::event::remembered::{DIGESTS, Remembered, RememberedState, endpoint};

/// Topic, endpoint, identity.
type Key = (u16, u64, u64);
/// newest, digests, flags, when it was written (s since the epoch), identity.
type Row = (i64, &'static [u8; 32], u8, u32, &'static str);

const REMEMBERED: TableDefinition<'static, Key, Row> = TableDefinition::new("told");
/// The numbers of topics.
const TOPICS: TableDefinition<'static, &str, u16> = TableDefinition::new("topics");
/// The seed, and which topics forgot something.
const SEEDS: TableDefinition<'static, &str, u64> = TableDefinition::new("seeds");

/// How many states are kept at most.
pub(super) const MOST: u64 = 2_000_000;

/// What a state takes of the file at most.
pub(super) const ROOM: u64 = 250;

/// How many are looked at for each that is written.
const LOOKED_AT: usize = 4;

/// A state that may be forgotten is kept at least so long, by our clock and by the server's.
const KEPT: i64 = 6 * 3600;

const ENDED: u8 = 1;
const RECOVERED: u8 = 2;
const PASSING: u8 = 4;

/// What is known of the tables without reading them.
#[derive(Debug)]
pub(super) struct MemoryTables {
    hasher: FixedState,
    seed: u64,
    topics: HashMap<String, u16>,
    /// Topics of which something was forgotten that may not be.
    partial: Vec<String>,
    /// Where the looking for old ones goes on.
    cursor: Key,
}

impl MemoryTables {
    /// Reads what an earlier run left, or makes the tables.
    pub(super) fn open(database: &Database) -> Result<Self, redb::Error> {
        let transaction = database.begin_write()?;
        let mut topics = HashMap::new();
        let mut partial = Vec::new();
        let seed;
        if !is_same_hash(&transaction)? {
            // What was written by another version of the hash cannot be found.
            transaction.delete_table(REMEMBERED)?;
            transaction.delete_table(SEEDS)?;
        }
        {
            transaction.open_table(REMEMBERED)?;
            for entry in transaction.open_table(TOPICS)?.iter()? {
                let (topic, number) = entry?;
                topics.insert(topic.value().to_owned(), number.value());
            }
            let mut seeds = transaction.open_table(SEEDS)?;
            let kept = seeds.get("")?.map(|seed| seed.value());
            seed = if let Some(seed) = kept {
                seed
            } else {
                let seed = foldhash::quality::RandomState::default().hash_one(0_u8);
                seeds.insert("", seed)?;
                seeds.insert(SAMPLE, sample(seed))?;
                seed
            };
            for entry in seeds.iter()? {
                let (topic, _) = entry?;
                if topic.value().starts_with('/') {
                    partial.push(topic.value().to_owned());
                }
            }
        }
        transaction.commit()?;
        Ok(Self {
            hasher: FixedState::with_seed(seed),
            seed,
            topics,
            partial,
            cursor: (0, 0, 0),
        })
    }

    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    pub(super) fn is_whole(&self, topic: &str) -> bool {
        !self.partial.iter().any(|partial| partial == topic)
    }

    fn key(&self, topic: u16, key: &str) -> Key {
        let endpoint = self.hasher.hash_one(endpoint(key));
        (topic, endpoint, self.hasher.hash_one(key))
    }

    /// Where to look for one.
    pub(super) fn place(&self, topic: &str, key: &str) -> Option<Place> {
        let number = *self.topics.get(topic)?;
        let at = self.key(number, key);
        Some(Place(at, at))
    }

    /// Where to look for those of an endpoint.
    pub(super) fn endpoint_place(&self, topic: &str, endpoint: &str) -> Option<Place> {
        let number = *self.topics.get(topic)?;
        let hash = self.hasher.hash_one(endpoint);
        Some(Place((number, hash, 0), (number, hash, u64::MAX)))
    }

    /// Where to look for all of a topic.
    pub(super) fn topic_place(&self, topic: &str) -> Option<Place> {
        let number = *self.topics.get(topic)?;
        Some(Place((number, 0, 0), (number, u64::MAX, u64::MAX)))
    }

    /// Writes states, and forgets some old ones. `now` is our clock in seconds.
    pub(super) fn write(
        &mut self,
        transaction: &WriteTransaction,
        remembered: &[(usize, Remembered)],
        now: i64,
    ) -> Result<(), redb::Error> {
        if remembered.is_empty() {
            return Ok(());
        }
        let mut table = transaction.open_table(REMEMBERED)?;
        let noted = u32::try_from(now).unwrap_or(u32::MAX);
        for (_, one) in remembered {
            let topic = self.number(transaction, &one.topic)?;
            let RememberedState {
                newest, digests, ..
            } = one.state;
            let mut bytes = [0; DIGESTS * 8];
            for (place, digest) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(digests) {
                *place = digest.to_le_bytes();
            }
            let flags = flags(&one.state);
            let row = (newest, &bytes, flags, noted, &*one.key);
            table.insert(self.key(topic, &one.key), row)?;
        }
        let crowd = table.len()?.saturating_sub(MOST);
        let crowd = usize::try_from(crowd).unwrap_or(usize::MAX);
        let (mut gone, mut forgotten) = (Vec::new(), Vec::new());
        let mut looked = 0;
        let looks = remembered.len().saturating_mul(LOOKED_AT);
        let old = now.saturating_sub(KEPT);
        for entry in table.range(self.cursor..)?.take(looks) {
            let (key, row) = entry?;
            let (newest, _, flags, noted, _) = row.value();
            self.cursor = next(key.value());
            looked += 1;
            let passed = flags & PASSING != 0
                && i64::from(noted) < old
                && newest < old.saturating_mul(1_000_000);
            if passed {
                gone.push(key.value());
            } else if gone.len() < crowd {
                gone.push(key.value());
                if flags & PASSING == 0 {
                    forgotten.push(key.value().0);
                }
            }
        }
        if looked < looks {
            self.cursor = (0, 0, 0);
        }
        for key in gone {
            table.remove(key)?;
        }
        self.note_forgotten(transaction, &forgotten)
    }

    fn note_forgotten(
        &mut self,
        transaction: &WriteTransaction,
        forgotten: &[u16],
    ) -> Result<(), redb::Error> {
        for (topic, number) in &self.topics {
            if forgotten.contains(number) && !self.partial.contains(topic) {
                self.partial.push(topic.clone());
                transaction
                    .open_table(SEEDS)?
                    .insert(topic.as_str(), u64::from(*number))?;
            }
        }
        Ok(())
    }

    fn number(&mut self, transaction: &WriteTransaction, topic: &str) -> Result<u16, redb::Error> {
        if let Some(number) = self.topics.get(topic) {
            return Ok(*number);
        }
        // Each topic was named by the user, so there are few.
        let number = u16::try_from(self.topics.len()).unwrap_or(u16::MAX);
        transaction.open_table(TOPICS)?.insert(topic, number)?;
        self.topics.insert(topic.to_owned(), number);
        Ok(number)
    }
}

/// The name of a hash that is kept to know the hash again.
const SAMPLE: &str = "sample";

fn sample(seed: u64) -> u64 {
    FixedState::with_seed(seed).hash_one(SAMPLE)
}

/// Whether hashes come out as they did when the tables were made.
fn is_same_hash(transaction: &WriteTransaction) -> Result<bool, redb::Error> {
    let seeds = transaction.open_table(SEEDS)?;
    let kept = |name| -> Result<Option<u64>, redb::Error> {
        Ok(seeds.get(name)?.map(|value| value.value()))
    };
    Ok(match kept("")? {
        Some(seed) => kept(SAMPLE)? == Some(sample(seed)),
        None => true,
    })
}

/// How many states are kept.
pub(super) fn length(database: &Database) -> Result<u64, redb::Error> {
    match database.begin_read()?.open_table(REMEMBERED) {
        Ok(table) => Ok(table.len()?),
        Err(TableError::TableDoesNotExist(_)) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// From one key to another, both included.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place(Key, Key);

/// Reads what lies there.
pub(super) fn read(
    database: &Database,
    place: Place,
    mut found: impl FnMut(&str, RememberedState),
) -> Result<(), redb::Error> {
    let table = database.begin_read()?.open_table(REMEMBERED)?;
    let Place(first, last) = place;
    if first == last {
        if let Some(row) = table.get(first)? {
            give(row.value(), &mut found);
        }
        return Ok(());
    }
    for entry in table.range(first..=last)? {
        let (_, row) = entry?;
        give(row.value(), &mut found);
    }
    Ok(())
}

fn give(row: (i64, &[u8; 32], u8, u32, &str), found: &mut impl FnMut(&str, RememberedState)) {
    let (newest, bytes, flags, _, key) = row;
    let mut digests = [0; DIGESTS];
    for (digest, bytes) in digests.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *digest = u64::from_le_bytes(*bytes);
    }
    let state = RememberedState {
        newest,
        digests,
        ended: flags & ENDED != 0,
        recovered: flags & RECOVERED != 0,
        passing: flags & PASSING != 0,
    };
    found(key, state);
}

fn flags(state: &RememberedState) -> u8 {
    let flag = |set: bool, flag: u8| if set { flag } else { 0 };
    flag(state.ended, ENDED) | flag(state.recovered, RECOVERED) | flag(state.passing, PASSING)
}

fn next((topic, endpoint, identity): Key) -> Key {
    match identity.checked_add(1) {
        Some(identity) => (topic, endpoint, identity),
        None => (topic, endpoint.saturating_add(1), 0),
    }
}
