//! The request log: what came over the wire, for tests to read. In memory for those in this
//! process, as JSON lines in a file for others.
//!
//! The file also has a line for every event that was published: it has a `topic` where a request
//! has a `method`.
//!
//! An entry is complete before the answer's first byte leaves, so a client that has its answer
//! finds it here. Passwords are not logged, only the user's name and whether there was an
//! `Authorization` header.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde_json::Value;

use crate::error::{Error, Kind, Result};

/// Entries kept in memory: a load test must not fill it. The file has them all.
const KEPT: usize = 100_000;

/// One request; or on a WebSocket a STOMP frame (`method` is its command, `path` its destination or
/// id), or why the node ended the connection (`method` is `CUT`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequestEntry {
    /// When its head was read, RFC 3339 with microseconds.
    pub time: String,
    /// The node that was asked (`ise-mnt`).
    pub node: String,
    /// Number of the connection, counted from 1.
    pub connection: u64,
    /// Method.
    pub method: String,
    /// Path and query as sent, still encoded.
    pub path: String,
    /// Whether there was an `Authorization` header.
    pub authorization: bool,
    /// The user of a readable Basic header.
    pub user: Option<String>,
    /// Status of the answer; `None` when the connection was reset instead, and for frames, which
    /// have none.
    pub status: Option<u16>,
}

#[derive(Debug, Default)]
struct Inner {
    /// All of them, also those that are kept no more.
    count: u64,
    entries: VecDeque<RequestEntry>,
    file: Option<File>,
}

impl Inner {
    fn write(&mut self, entry: &impl Serialize) {
        if let Some(file) = &mut self.file
            && let Ok(mut line) = serde_json::to_vec(entry)
        {
            line.push(b'\n');
            // One write, so that a reader never sees half a line. A log that cannot be written must
            // not end what it watches.
            if file.write_all(&line).is_err() {
                self.file = None;
            }
        }
    }
}

/// The log.
#[derive(Debug, Default)]
pub struct RequestLog {
    inner: Mutex<Inner>,
}

impl RequestLog {
    /// A log in memory and, with `path`, in a file that is begun anew.
    pub fn new(path: Option<&Path>) -> Result<Self> {
        let file = path
            .map(|path| {
                File::create(path).map_err(|error| {
                    Error::new(
                        Kind::Failed,
                        format!("cannot write the request log {}: {error}", path.display()),
                    )
                })
            })
            .transpose()?;
        Ok(Self {
            inner: Mutex::new(Inner {
                count: 0,
                entries: VecDeque::new(),
                file,
            }),
        })
    }

    /// Adds an entry.
    pub fn add(&self, entry: RequestEntry) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.write(&entry);
        inner.count += 1;
        if inner.entries.len() == KEPT {
            inner.entries.pop_front();
        }
        inner.entries.push_back(entry);
    }

    /// Writes the line of a published event to the file, if there is one; `entry` is not made
    /// otherwise.
    pub(super) fn published(&self, entry: impl FnOnce() -> Value) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.file.is_some() {
            inner.write(&entry());
        }
    }

    /// How many entries were added.
    pub fn count(&self) -> u64 {
        self.inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .count
    }

    /// The entries kept in memory, oldest first.
    pub fn entries(&self) -> Vec<RequestEntry> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.entries.iter().cloned().collect()
    }
}
