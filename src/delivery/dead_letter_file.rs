//! A file of dead letters read back: its lines one by one, and a rewriting without some of them
//! that is safe against a crash and against a subscriber that appends meanwhile.
//!
//! The subscriber appends under the file's lock ([`super::dead_letters`]); under the same lock the
//! file is written anew beside itself and renamed, after which the subscriber goes on in the new
//! one. One such command works on a file at a time. What is no letter (half a line, somebody
//! else's text) is kept as it is and named by its line. Nothing here delivers.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc::UnboundedSender;

use super::dead_letters::{FILE, Locked};
use super::file_identity::{self, Identity};
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::unix::files;

/// Longest line that is read.
const LONGEST: u64 = 64 << 20;

/// How long the subscriber may hold the lock.
const LOCKED: Duration = Duration::from_secs(10);

/// The open file.
#[derive(Debug)]
pub struct DeadLetterFile {
    path: PathBuf,
    /// As it was when it was opened, also after it was rewritten.
    file: File,
    /// What the path must name when it is rewritten.
    now: (File, Identity),
    /// For each line of `file`, whether it is in the file that the path names.
    there: Vec<bool>,
    /// Who is told of lines that were removed.
    removed: Option<UnboundedSender<Vec<usize>>>,
    _only_one: File,
}

/// A line of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its number, from 0.
    pub line: usize,
    offset: u64,
    length: usize,
}

/// A dead letter.
#[derive(Debug)]
pub struct Letter {
    /// Its line, one JSON object.
    pub text: String,
    /// When its event was given up.
    pub failed_at: Option<Timestamp>,
    /// How often its event was delivered without success.
    pub attempts: u32,
    /// Its event, ready to be delivered again.
    pub event: Event,
}

/// What is read of a line.
#[derive(Deserialize)]
struct Line<'l> {
    #[serde(rename = "failedAt")]
    failed_at: Option<String>,
    attempts: Option<u32>,
    #[serde(borrow)]
    event: &'l RawValue,
}

impl Letter {
    /// Reads a line; `None` when it is no letter.
    pub fn parse(text: &str) -> Option<Self> {
        let line: Line<'_> = serde_json::from_str(text).ok()?;
        Some(Self {
            text: text.to_owned(),
            failed_at: line.failed_at.and_then(|text| text.parse().ok()),
            attempts: line.attempts.unwrap_or(0),
            event: Event::parse(line.event.get())?,
        })
    }
}

impl DeadLetterFile {
    /// Opens the file, or that of a spool's directory.
    ///
    /// Errors: [`Kind::NotFound`] where there is none; [`Kind::Failed`] while another such command
    /// works on it.
    pub fn open(path: &Path) -> Result<Self> {
        let path = if path.is_dir() {
            path.join(FILE)
        } else {
            path.to_path_buf()
        };
        let dir = match path.parent() {
            Some(dir) if dir != Path::new("") => dir,
            _ => Path::new("."),
        };
        let opened = file_identity::open_file(File::options().read(true), &path);
        let file = opened.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::new(
                Kind::NotFound,
                format!("there is no file of dead letters {}", path.display()),
            )
            .hint("name the spool's directory (--spool) or the file (--dead-letters)"),
            _ => failed(&path, "open", &error),
        })?;
        let only_one = File::open(dir).map_err(|error| failed(&path, "open", &error))?;
        if let Err(std::fs::TryLockError::WouldBlock) = only_one.try_lock() {
            return Err(Error::new(
                Kind::Failed,
                format!(
                    "another command works on the dead letters in {}",
                    dir.display()
                ),
            )
            .hint("wait until it has ended, and try again"));
        }
        let now = file
            .try_clone()
            .and_then(|file| Identity::of(&file, &path).map(|identity| (file, identity)))
            .map_err(|error| failed(&path, "open", &error))?;
        Ok(Self {
            path,
            file,
            now,
            there: Vec::new(),
            removed: None,
            _only_one: only_one,
        })
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives every whole line to `take`, with its letter if it is one. To be called once, before
    /// anything is removed.
    pub fn read(
        &mut self,
        mut take: impl FnMut(Place, Option<Letter>) -> Result<()>,
    ) -> Result<()> {
        let cannot = |error: &io::Error| failed(&self.path, "read", error);
        let mut reader = BufReader::new(&self.file);
        reader.rewind().map_err(|error| cannot(&error))?;
        let (mut bytes, mut offset) = (Vec::new(), 0);
        while next_line(&mut reader, &mut bytes).map_err(|error| cannot(&error))? {
            let place = Place {
                line: self.there.len(),
                offset,
                length: bytes.len(),
            };
            offset += bytes.len() as u64;
            self.there.push(true);
            let text = std::str::from_utf8(&bytes).ok();
            take(place, text.and_then(|text| Letter::parse(text.trim_end())))?;
        }
        Ok(())
    }

    /// Reads one letter again.
    pub fn letter(&self, place: Place) -> Result<Option<Letter>> {
        let mut bytes = vec![0; place.length];
        files::read_exact_at(&self.file, &mut bytes, place.offset)
            .map_err(|error| failed(&self.path, "read", &error))?;
        let text = std::str::from_utf8(&bytes).ok();
        Ok(text.and_then(|text| Letter::parse(text.trim_end())))
    }

    /// Rewrites the file without these lines. When it returns, that is on the disk; after an error
    /// nothing has changed.
    pub fn remove(&mut self, lines: &[usize]) -> Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let mut left = self.there.clone();
        for line in lines {
            if let Some(left) = left.get_mut(*line) {
                *left = false;
            }
        }
        let now = self
            .rewrite(&left)
            .map_err(|error| failed(&self.path, "rewrite", &error))?;
        self.now = now;
        self.there = left;
        if let Some(tell) = &self.removed {
            // Nobody wants to know any more.
            let _gone = tell.send(lines.to_vec());
        }
        Ok(())
    }

    /// The lines that are removed from now on are told here, when they are.
    #[cfg(feature = "nats")]
    pub fn tell_removed(&mut self, tell: UnboundedSender<Vec<usize>>) {
        self.removed = Some(tell);
    }

    fn rewrite(&self, left: &[bool]) -> io::Result<(File, Identity)> {
        let (file, identity) = &self.now;
        let _locked = Locked::take(file, LOCKED)?;
        if let Some(change) = identity.change() {
            return Err(io::Error::other(format!(
                "it {} meanwhile, and what was to be taken out is still in it",
                change.verb()
            )));
        }
        let dir = self.path.parent().filter(|dir| *dir != Path::new(""));
        let dir = dir.unwrap_or(Path::new("."));
        let mut draft = tempfile::Builder::new()
            .prefix(".dead-letters.")
            .tempfile_in(dir)?;
        let before = file.metadata()?;
        // It is whose the old one was, so that the subscriber can go on writing.
        files::keep_owner(draft.as_file(), &before)?;
        let mut out = BufWriter::new(draft.as_file_mut());
        let mut reader = BufReader::new(file);
        reader.rewind()?;
        // What stands behind the lines that we know was appended meanwhile.
        let mut known = self.there.iter().zip(left).filter(|(there, _)| **there);
        let mut bytes = Vec::new();
        while next_line(&mut reader, &mut bytes)? {
            if known.next().is_none_or(|(_, left)| *left) {
                out.write_all(&bytes)?;
            }
        }
        out.flush()?;
        drop(out);
        draft.as_file().sync_all()?;
        let file = draft.persist(&self.path).map_err(|error| error.error)?;
        File::open(dir)?.sync_all()?;
        let identity = Identity::of(&file, &self.path)?;
        Ok((file, identity))
    }
}

/// The next line with its end; false at the end of the file.
fn next_line(reader: &mut impl BufRead, bytes: &mut Vec<u8>) -> io::Result<bool> {
    bytes.clear();
    let read = io::Read::take(reader, LONGEST).read_until(b'\n', bytes)?;
    if read as u64 == LONGEST {
        return Err(io::Error::other("it has a line that is too long"));
    }
    Ok(read > 0)
}

fn failed(path: &Path, verb: &str, error: &io::Error) -> Error {
    Error::new(
        Kind::Failed,
        format!("cannot {verb} the dead letters {}: {error}", path.display()),
    )
    .hint("look after that file; nothing of it was changed")
}

#[cfg(test)]
mod tests;
