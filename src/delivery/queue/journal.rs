//! Which deliveries were begun, and which succeeded, since the spool's file was last written: so
//! that after a kill only what was being delivered comes again, and is known to.
//!
//! `DIR/deliveries` holds the system's boot id and then a number of eight bytes for each thing that
//! happened. They are written and not waited for: what a process wrote outlives its death, which
//! costs a microsecond. What a power cut takes shows by the boot id; then nobody knows, and every
//! event that is left may have been handled before. A spool that was closed in order leaves it
//! empty.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::delivery::file_identity;

/// The file's name inside a spool's directory.
const FILE: &str = "deliveries";

/// From this length on it is written anew.
const LONGEST: u64 = 1 << 20;

/// The longest file that is read.
const MOST_READ: u64 = 64 << 20;

/// The bytes before the first number.
const HEAD: usize = 40;

/// What happened, in the two highest bits of a number.
const BEGUN: u64 = 1 << 62;
const DONE: u64 = 2 << 62;
const NOT_BEGUN: u64 = 3 << 62;
const KIND: u64 = 3 << 62;

/// What an earlier run left.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Left {
    /// Events that were delivered.
    pub(super) done: Vec<u64>,
    /// Events whose delivery was begun, and how often.
    pub(super) begun: BTreeMap<u64, u32>,
    /// Nobody knows what else was.
    pub(super) uncertain: bool,
}

/// The open file.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    length: u64,
    /// Deliveries begun of events that are not done with.
    open: BTreeMap<u64, u32>,
}

impl Journal {
    /// Opens the file in a spool's directory whose lock we hold, with what an earlier run left.
    /// Nothing may be written before [`reset`](Self::reset).
    pub(super) fn open(dir: &Path) -> io::Result<(Self, Left)> {
        let path = dir.join(FILE);
        let mut file = open(&path)?;
        let mut bytes = Vec::new();
        (&mut file).take(MOST_READ).read_to_end(&mut bytes)?;
        let left = read(&bytes, &boot_id());
        let journal = Self {
            path,
            file,
            length: 0,
            open: BTreeMap::new(),
        };
        Ok((journal, left))
    }

    /// Forgets what an earlier run left, and begins anew.
    pub(super) fn reset(&mut self) -> io::Result<()> {
        self.clear()?;
        self.write(&boot_id())
    }

    /// The spool is closed in order: the next run finds nothing here.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.length = 0;
        Ok(())
    }

    /// A delivery begins.
    pub(super) fn begun(&mut self, id: u64) -> io::Result<()> {
        *self.open.entry(id).or_default() += 1;
        self.write(&(id | BEGUN).to_le_bytes())
    }

    /// It was none: what was to be started could not be.
    pub(super) fn not_begun(&mut self, id: u64) -> io::Result<()> {
        if let Some(begun) = self.open.get_mut(&id) {
            *begun = begun.saturating_sub(1);
        }
        self.write(&(id | NOT_BEGUN).to_le_bytes())
    }

    /// An event is done with.
    pub(super) fn done(&mut self, id: u64) -> io::Result<()> {
        self.open.remove(&id);
        self.write(&(id | DONE).to_le_bytes())
    }

    /// How often deliveries were begun of events that are not done with.
    pub(super) fn open_deliveries(&self) -> &BTreeMap<u64, u32> {
        &self.open
    }

    /// Leaves out what the spool's file tells by now; `done` is what it does not.
    pub(super) fn shorten<'d>(&mut self, done: impl Iterator<Item = &'d u64>) -> io::Result<()> {
        if self.length < LONGEST {
            return Ok(());
        }
        let mut bytes = boot_id().to_vec();
        for id in done {
            bytes.extend_from_slice(&(id | DONE).to_le_bytes());
        }
        for (id, begun) in &self.open {
            for _ in 0..*begun {
                bytes.extend_from_slice(&(id | BEGUN).to_le_bytes());
            }
        }
        // Beside it and renamed: a kill finds the one or the other.
        let draft = self.path.with_extension("new");
        let mut file = open(&draft)?;
        file.set_len(0)?;
        file.write_all(&bytes)?;
        std::fs::rename(&draft, &self.path)?;
        self.file = file;
        self.length = bytes.len() as u64;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.length += bytes.len() as u64;
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    file_identity::open_file(
        File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false),
        path,
    )
}

/// What the system is called since it was started; where it has no such name, it is always another.
fn boot_id() -> [u8; HEAD] {
    let mut head = [b' '; HEAD];
    let text = std::fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    for (byte, read) in head.iter_mut().zip(text.trim_ascii()) {
        *byte = *read;
    }
    head
}

fn read(bytes: &[u8], boot: &[u8; HEAD]) -> Left {
    let mut left = Left::default();
    let Some((head, numbers)) = bytes.split_at_checked(HEAD) else {
        left.uncertain = !bytes.is_empty();
        return left;
    };
    left.uncertain = head != boot || boot.trim_ascii().is_empty();
    if left.uncertain {
        return left;
    }
    for number in numbers.as_chunks::<8>().0 {
        let number = u64::from_le_bytes(*number);
        let id = number & !KIND;
        match number & KIND {
            BEGUN => *left.begun.entry(id).or_default() += 1,
            NOT_BEGUN => {
                if let Some(begun) = left.begun.get_mut(&id) {
                    *begun = begun.saturating_sub(1);
                }
            }
            DONE => {
                left.begun.remove(&id);
                left.done.push(id);
            }
            // Not written by us.
            _ => left.uncertain = true,
        }
    }
    left.begun.retain(|_, begun| *begun > 0);
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_begun_and_done_is_known_after_a_kill_and_nothing_after_a_power_cut() {
        let dir = tempfile::tempdir().unwrap();
        let (mut journal, left) = Journal::open(dir.path()).unwrap();
        assert_eq!(left, Left::default());
        journal.reset().unwrap();
        for id in [1, 2, 2, 3, 4] {
            journal.begun(id).unwrap();
        }
        journal.done(1).unwrap();
        journal.not_begun(4).unwrap();
        let expected = Left {
            done: vec![1],
            begun: BTreeMap::from([(2, 2), (3, 1)]),
            uncertain: false,
        };
        drop(journal);
        let (mut journal, left) = Journal::open(dir.path()).unwrap();
        assert_eq!(left, expected);
        let path = dir.path().join(FILE);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[3] ^= 1;
        assert!(read(&bytes, &boot_id()).uncertain);
        assert!(read(&bytes[..7], &boot_id()).uncertain);
        journal.clear().unwrap();
        assert_eq!(Journal::open(dir.path()).unwrap().1, Left::default());
    }

    #[test]
    fn a_long_one_is_written_anew_with_what_still_counts() {
        let dir = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::open(dir.path()).unwrap();
        journal.reset().unwrap();
        journal.begun(7).unwrap();
        for id in 8..70_000 {
            journal.begun(id).unwrap();
            journal.done(id).unwrap();
        }
        journal.shorten([69_999].iter()).unwrap();
        journal.begun(7).unwrap();
        let (journal, left) = Journal::open(dir.path()).unwrap();
        assert_eq!((left.done, left.uncertain), (vec![69_999], false));
        assert_eq!(left.begun, BTreeMap::from([(7, 2)]));
        assert!(journal.file.metadata().unwrap().len() < 100);
    }
}
