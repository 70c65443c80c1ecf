//! The spool: events wait here, in one redb file, from the moment they count as received until
//! their callback succeeded.
//!
//! One received frame is one commit, so after a crash a frame is there whole or not at all.
//! Deliveries are taken out in batches (with the next frame, or by [`Spool::flush`]); a crash in
//! between delivers those again: at least once. What an earlier run left comes first, in order, and
//! is marked `"repeated":true`, since nobody can know whether it was delivered before the crash.
//! The marks of what was last seen are written in the same commits as the events, so that the time
//! we were away can be fetched from the server.
//!
//! Events are kept in memory as well, up to a bound, so that they need not be read back. A
//! temporary spool keeps those in memory only, and the others in the same kind of file, which has
//! no name and never waits for the disk: all is gone when the process is, however that ends, and
//! marks, which serve the next run, are not kept.
//!
//! The file is bounded by the disk: when that is full nothing more is taken, and what it holds
//! stays. Numbers of delivered events wait for the next commit, which comes at once after some
//! hundred. When the directory, the lock or the file is removed or replaced under us, what we write
//! is nobody's any more: [`Spool::gone`] says so after each commit.
//!
//! It calls no callback and decides no order. Every function blocks on the disk: async callers use
//! a blocking thread.

mod memory;
mod place;
mod reading;
mod remembered;

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use compact_str::CompactString;
use redb::backends::FileBackend;
use redb::{Database, ReadableDatabase, ReadableTableMetadata, StorageBackend};

use super::journal::Journal;
use super::recent::Recent;
use super::remembered_tables::{self, MemoryTables};
use super::tables::{self, Before, EVENTS};
use super::temporary_file::NeverSynced;
use crate::delivery::file_identity::{self, Identity};
use crate::delivery::lock::DirectoryLock;
use crate::error::{Error, Kind, Result};
use crate::event::{Delivery, Event, Mark, Progress};
pub(super) use place::FILE;
pub use place::{LIBRARY, damaged};
use place::{Place, failed};
use reading::ReadAhead;
pub use remembered::SpoolMemory;

/// Pages that redb keeps in memory. The default would be a gigabyte.
const CACHE_BYTES: usize = 8 << 20;

/// How many bytes of events are kept in memory.
const RECENT_BYTES: usize = 8 << 20;

/// How many bytes of events are kept until they go to the file of a temporary spool together.
const UNWRITTEN_BYTES: usize = 512 << 10;

/// A file without events that is larger than what was told takes by this is made small again when
/// it is opened.
const COMPACT_ABOVE: u64 = 64 << 20;

/// An event that waits in the spool, as far as its turn depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its number; later events have larger ones.
    pub id: u64,
    /// Its order key.
    pub key: CompactString,
    /// When it was received, in milliseconds since the epoch.
    pub received: i64,
}

/// The durable queue. See the module's documentation.
pub struct Spool {
    /// That of a temporary spool is made when the first event goes there.
    database: OnceLock<Database>,
    place: Place,
    /// What earlier runs did with the events that they left.
    before: Before,
    /// The next event's number. Held over a whole write, so that writers come one after the other.
    next: Mutex<u64>,
    delivered: Mutex<BTreeSet<u64>>,
    recent: Mutex<Recent>,
    ahead: Mutex<ReadAhead>,
    durable: Option<Durable>,
    gone: OnceLock<Error>,
}

/// What a durable spool holds beside its database.
#[derive(Debug)]
struct Durable {
    lock: DirectoryLock,
    database: Identity,
    journal: Mutex<Journal>,
    memory: Mutex<MemoryTables>,
    /// Why what was told could not be read; the next write says so.
    unreadable: OnceLock<Error>,
}

impl Spool {
    /// Opens, or makes, the spool in `dir` and takes the directory's lock.
    pub fn open(dir: &Path) -> Result<Self> {
        let lock = DirectoryLock::take(dir)?;
        let place = Place::Directory(dir.to_path_buf());
        let path = dir.join(FILE);
        let failed_to_open = |error| failed(&place, "open", redb::Error::Io(error));
        let file = file_identity::open_file(
            File::options()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false),
            &path,
        )
        .map_err(|error| {
            Error::usage(format!("cannot open the spool {}: {error}", path.display()))
                .hint(file_identity::hint_of(&error))
        })?;
        let database = Identity::of(&file, &path).map_err(failed_to_open)?;
        let backend = FileBackend::new(file).map_err(|error| failed(&place, "open", error))?;
        let (database_file, prepared) = Self::database(backend, &place)?;
        let opened = Journal::open(dir).map_err(failed_to_open)?;
        let (mut journal, left) = opened;
        let cannot = |error| failed(&place, "open", error);
        let before = tables::take_over(&database_file, &left).map_err(cannot)?;
        // Some of what was there may have been delivered.
        let (next, _) = tables::after_last(&database_file).map_err(cannot)?;
        let memory = MemoryTables::open(&database_file).map_err(cannot)?;
        journal.reset().map_err(failed_to_open)?;
        let durable = Durable {
            lock,
            database,
            journal: Mutex::new(journal),
            memory: Mutex::new(memory),
            unreadable: OnceLock::new(),
        };
        let next = next.max(prepared);
        Ok(Self::over(
            OnceLock::from(database_file),
            place,
            Some(durable),
            before,
            next,
        ))
    }

    /// A temporary spool. It has a file when memory does not suffice.
    pub fn temporary() -> Self {
        let none = OnceLock::new();
        Self::over(none, Place::Temporary, None, Before::default(), 0)
    }

    /// The file, which a temporary spool gets now.
    fn file(&self) -> Result<&Database> {
        if let Some(database) = self.database.get() {
            return Ok(database);
        }
        let place = &self.place;
        let file =
            tempfile::tempfile().map_err(|error| failed(place, "make", redb::Error::Io(error)))?;
        let backend = FileBackend::new(file).map_err(|error| failed(place, "make", error))?;
        let (database, _) = Self::database(NeverSynced(backend), place)?;
        Ok(self.database.get_or_init(|| database))
    }

    /// Opens the database; the number of the next event.
    fn database(backend: impl StorageBackend, place: &Place) -> Result<(Database, u64)> {
        let length = backend.len().unwrap_or(0);
        let mut database = Database::builder()
            .set_cache_size(CACHE_BYTES)
            .create_with_backend(backend)
            .map_err(|error| failed(place, "open", error))?;
        let (next, empty) = prepare(&database, place)?;
        let memory =
            remembered_tables::length(&database).map_err(|error| failed(place, "open", error))?;
        // What is told stays: only the room of events that are gone is worth the time.
        let wanted = memory
            .saturating_mul(remembered_tables::ROOM)
            .saturating_add(COMPACT_ABOVE);
        if empty && length > wanted {
            database
                .compact()
                .map_err(|error| failed(place, "compact", error))?;
        }
        Ok((database, next))
    }

    fn over(
        database: OnceLock<Database>,
        place: Place,
        durable: Option<Durable>,
        before: Before,
        next: u64,
    ) -> Self {
        Self {
            database,
            place,
            before,
            next: Mutex::new(next),
            delivered: Mutex::default(),
            recent: Mutex::new(Recent::new(RECENT_BYTES, UNWRITTEN_BYTES)),
            ahead: Mutex::default(),
            durable,
            gone: OnceLock::new(),
        }
    }

    /// The directory, unless the spool is temporary.
    pub fn directory(&self) -> Option<&Path> {
        match &self.place {
            Place::Directory(dir) => Some(dir),
            Place::Temporary => None,
        }
    }

    fn is_temporary(&self) -> bool {
        matches!(self.place, Place::Temporary)
    }

    /// Takes the events of one frame and the marks: in one durable commit, which also takes out
    /// what was delivered meanwhile. When it returns, the events outlive a crash, unless the spool
    /// is temporary.
    ///
    /// Returns the number that follows the last event's. After an error nothing of the batch is
    /// there, and the caller stops taking events: a spool that failed once (disk full, say) refuses
    /// everything until it is opened anew.
    pub fn append(&self, batch: Vec<Event>, marks: &[Mark]) -> Result<u64> {
        self.append_with(batch, &Progress::from(marks.to_vec()))
    }

    /// The same with what was told.
    pub fn append_with(&self, mut batch: Vec<Event>, progress: &Progress) -> Result<u64> {
        self.check_readable()?;
        let mut tail = lock(&self.next);
        let temporary = self.is_temporary();
        if !temporary {
            for event in &mut batch {
                event.id.settle();
            }
        }
        let in_memory = temporary && lock(&self.recent).fits(&batch);
        if !in_memory {
            if temporary {
                self.make_room_for(&batch)?;
                if let Some(next) = self.keep_unwritten(&mut tail, &mut batch) {
                    return Ok(next);
                }
            }
            self.write(self.file()?, (*tail..).zip(&batch), progress)
                .map_err(|error| failed(&self.place, "write to", error))?;
        }
        // What a temporary spool has in its file is nowhere else.
        let keep = in_memory || !temporary;
        let mut recent = lock(&self.recent);
        for event in batch {
            if keep {
                recent.keep(*tail, event);
            }
            *tail += 1;
        }
        Ok(*tail)
    }

    /// One commit.
    fn write<'e>(
        &self,
        database: &Database,
        batch: impl Iterator<Item = (u64, &'e Event)>,
        progress: &Progress,
    ) -> Result<(), redb::Error> {
        let transaction = database.begin_write()?;
        let gone = std::mem::take(&mut *lock(&self.delivered));
        tables::remove_events(&transaction, &gone, &self.before)?;
        tables::write_events(&transaction, batch)?;
        tables::write_marks(&transaction, &progress.marks)?;
        if let Some(durable) = &self.durable {
            let now = jiff::Timestamp::now().as_second();
            lock(&durable.memory).write(&transaction, &progress.remembered, now)?;
        }
        transaction.commit()?;
        if let Some(durable) = &self.durable {
            let delivered = lock(&self.delivered);
            lock(&durable.journal).shorten(delivered.iter())?;
        }
        Ok(())
    }

    /// Notes that a delivery begins.
    pub fn begin(&self, id: u64) -> Result<()> {
        self.note(|journal| journal.begun(id))
    }

    /// Notes that it did not, after all.
    pub fn not_begun(&self, id: u64) -> Result<()> {
        self.note(|journal| journal.not_begun(id))
    }

    fn note(&self, what: impl FnOnce(&mut Journal) -> io::Result<()>) -> Result<()> {
        let Some(durable) = &self.durable else {
            return Ok(());
        };
        what(&mut lock(&durable.journal))
            .map_err(|error| failed(&self.place, "write to", redb::Error::Io(error)))
    }

    fn check_readable(&self) -> Result<()> {
        let unreadable = self.durable.as_ref().and_then(|it| it.unreadable.get());
        unreadable.map_or(Ok(()), |error| Err(error.clone()))
    }

    /// Notes that an event needs no further delivery. It leaves the memory at once and the file
    /// with the next commit. Returns [`delivered_count`](Self::delivered_count), or 0 where the
    /// event was not in the file.
    pub fn delivered_event(&self, id: u64) -> usize {
        let kept = lock(&self.recent).remove(id);
        if kept && self.is_temporary() {
            return 0;
        }
        // Should that fail it comes again, and is known to have been begun.
        let _noted = self.note(|journal| journal.done(id));
        let mut gone = lock(&self.delivered);
        gone.insert(id);
        gone.len()
    }

    /// How many events were delivered and are still in the file.
    pub fn delivered_count(&self) -> usize {
        lock(&self.delivered).len()
    }

    /// So many delivered events leave the file together: on a disk, the sooner the fewer come again
    /// after a power cut.
    pub fn flush_at(&self) -> usize {
        if self.is_temporary() { 4096 } else { 256 }
    }

    /// Why what is written here is nobody's any more: a file that no path names, or a directory
    /// that somebody else may take. It is looked at anew until it is so, and stays.
    pub fn gone(&self) -> Option<&Error> {
        let durable = self.durable.as_ref()?;
        if self.gone.get().is_none() {
            let mut identities = durable.lock.identities().iter().chain([&durable.database]);
            let (path, change) = identities.find_map(|identity| {
                let change = identity.change()?;
                Some((identity.path(), change))
            })?;
            let error = Error::new(
                Kind::Failed,
                format!(
                    "{} {} while it was in use as spool",
                    path.display(),
                    change.verb()
                ),
            )
            .hint("start again, which makes a new spool; do not remove, move or restore one while it is in use");
            let _set = self.gone.set(error);
        }
        self.gone.get()
    }

    /// The same, as it was found last.
    pub fn known_gone(&self) -> Option<&Error> {
        self.gone.get()
    }

    /// Takes out now what was delivered.
    pub fn flush(&self) -> Result<()> {
        if lock(&self.delivered).is_empty() {
            return Ok(());
        }
        let _whole = lock(&self.next);
        self.write(self.file()?, std::iter::empty(), &Progress::default())
            .map_err(|error| failed(&self.place, "write to", error))
    }

    /// The delivery of an event that is the `attempt`th of this run.
    pub fn delivery(&self, id: u64, attempt: u32) -> Delivery {
        let earlier = self.before.attempts.get(&id).copied().unwrap_or(0);
        let attempt = attempt.saturating_add(earlier);
        Delivery {
            attempt,
            repeated: attempt > 1 || id < self.before.uncertain_below,
        }
    }

    /// How far an earlier run followed each topic.
    pub fn marks(&self) -> Result<Vec<Mark>> {
        let Some(database) = self.database.get() else {
            return Ok(Vec::new());
        };
        tables::marks(database).map_err(|error| failed(&self.place, "read", error))
    }

    /// How many events wait, those noted as delivered left out.
    pub fn count(&self) -> Result<u64> {
        let held = || -> Result<u64, redb::Error> {
            let in_file = match self.database.get() {
                Some(database) => database.begin_read()?.open_table(EVENTS)?.len()?,
                None => 0,
            };
            let in_file = in_file.saturating_sub(lock(&self.delivered).len() as u64);
            let beside = if self.is_temporary() {
                lock(&self.recent).len() as u64
            } else {
                0
            };
            Ok(in_file + beside)
        };
        held().map_err(|error| failed(&self.place, "read", error))
    }

    /// The number that the next event will get.
    pub fn tail(&self) -> u64 {
        *lock(&self.next)
    }

    /// Takes out what was delivered, closes the file and says how many events it still holds. A
    /// temporary file is not written any more.
    pub fn close(self) -> Result<u64> {
        if self.is_temporary() {
            return self.count();
        }
        self.flush()?;
        let left = self.count()?;
        let place = self.place.clone();
        if let Some(durable) = &self.durable {
            let mut journal = lock(&durable.journal);
            let begun = journal.open_deliveries();
            if !begun.is_empty() {
                tables::add_attempts(self.file()?, begun)
                    .map_err(|error| failed(&place, "close", error))?;
            }
            journal
                .clear()
                .map_err(|error| failed(&place, "close", redb::Error::Io(error)))?;
        }
        if let Some(database) = self.database.into_inner() {
            database
                .close()
                .map_err(|error| failed(&place, "close", error))?;
        }
        Ok(left)
    }
}

/// Only a panic while the guard is held poisons a mutex; a value that is written last is right all
/// the same.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Spool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spool")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

/// Makes the tables where they are missing; the next number, and whether no event waits.
fn prepare(database: &Database, place: &Place) -> Result<(u64, bool)> {
    let cannot = |error| failed(place, "open", error);
    match tables::prepare(database).map_err(cannot)? {
        tables::FORMAT => tables::after_last(database).map_err(cannot),
        other => Err(Error::new(
            Kind::Failed,
            format!(
                "{place} has format {other}, this program reads {}",
                tables::FORMAT
            ),
        )
        .hint("deliver what it holds with the version that wrote it, or use another directory")),
    }
}

#[cfg(test)]
mod tests;
