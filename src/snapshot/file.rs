//! A snapshot file: one session a line as the server sent it, compressed by gzip, so that `zcat`
//! and `jq` read it. What it is stands in the comment of gzip's header: source, host, time, and
//! how many sessions there are, which is written last.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use flate2::bufread::GzDecoder;
use flate2::{Compression, GzBuilder, write::GzEncoder};
use jiff::Timestamp;
use serde::Deserialize;

use crate::error::{Error, Kind, Result};
use crate::record::Record;

/// Sessions that a file may have: more than twice what a deployment has, and bounded in memory.
pub(super) const MOST_SESSIONS: u64 = 5_000_000;
/// The longest line that is read: far beyond any session.
const LONGEST_LINE: u64 = 1 << 20;
/// Bytes of all lines that are read.
const MOST_BYTES: u64 = 64 << 30;
/// What the comment begins with; the number is that of the format.
const MARK: &str = "netapi-snapshot/1 ";
/// Where the comment stands in a file: behind gzip's fixed header, which has no other part.
const COMMENT_AT: u64 = 10;
/// Room for the number of sessions, which is not known before the end.
const COUNT_WIDTH: usize = 10;
/// What is written and read at once.
const BLOCK: usize = 256 * 1024;

/// Which interface the sessions came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The Monitoring node's active list.
    Mnt,
    /// pxGrid's session directory.
    Pxgrid,
}

impl Source {
    /// `mnt`, `pxgrid`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mnt => "mnt",
            Self::Pxgrid => "pxgrid",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mnt => "the Monitoring node",
            Self::Pxgrid => "pxGrid",
        })
    }
}

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Where its sessions came from.
    pub source: Source,
    /// The node that was asked.
    pub host: String,
    /// When it was asked.
    pub taken: Timestamp,
    /// How many sessions there are.
    pub sessions: u64,
}

/// The same as it is written.
#[derive(Deserialize)]
struct HeadText {
    source: Source,
    host: String,
    taken: String,
    sessions: u64,
}

impl Head {
    /// The comment, always as long for the same source, host and time.
    fn comment(&self) -> String {
        // A host has no other characters in a URL; gzip's comment is Latin-1 without NUL.
        let host: String = self.host.chars().filter(char::is_ascii_graphic).collect();
        format!(
            "{MARK}{{\"source\":\"{}\",\"host\":{},\"taken\":\"{}\",\"sessions\":{:<COUNT_WIDTH$}}}",
            self.source.name(),
            serde_json::Value::String(host),
            self.taken,
            self.sessions
        )
    }

    fn read(comment: &[u8]) -> Option<Self> {
        let json = std::str::from_utf8(comment).ok()?.strip_prefix(MARK)?;
        let text: HeadText = serde_json::from_str(json).ok()?;
        Some(Self {
            source: text.source,
            host: text.host,
            taken: text.taken.parse().ok()?,
            sessions: text.sessions,
        })
    }
}

/// Writes a file.
pub struct SnapshotWriter {
    gzip: GzEncoder<BufWriter<File>>,
    head: Head,
    line: Vec<u8>,
}

impl SnapshotWriter {
    /// Begins at the beginning of `file`, which is empty.
    pub fn new(file: File, head: Head) -> Self {
        let head = Head {
            sessions: 0,
            ..head
        };
        let seconds = u32::try_from(head.taken.as_second()).unwrap_or(0);
        let gzip = GzBuilder::new()
            .comment(head.comment())
            .mtime(seconds)
            .write(BufWriter::with_capacity(BLOCK, file), Compression::fast());
        Self {
            gzip,
            head,
            line: Vec::new(),
        }
    }

    /// Adds a session.
    ///
    /// Errors: [`Kind::Failed`] where it cannot be written.
    pub fn add(&mut self, record: &Record) -> Result<()> {
        if self.head.sessions >= MOST_SESSIONS {
            return Err(Error::new(
                Kind::Failed,
                format!("there are more than {MOST_SESSIONS} sessions, the most that are kept"),
            ));
        }
        self.line.clear();
        record.write_json(&mut self.line);
        self.line.push(b'\n');
        if self.line.len() as u64 > LONGEST_LINE {
            return Err(Error::new(
                Kind::Malformed,
                format!("a session has more than {LONGEST_LINE} bytes"),
            ));
        }
        self.gzip
            .write_all(&self.line)
            .map_err(|error| cannot_write(&error))?;
        self.head.sessions += 1;
        Ok(())
    }

    /// Ends the file, puts the number of sessions into its head, and sees it on the disk.
    pub fn finish(self) -> Result<Head> {
        let head = self.head;
        let ended = || -> io::Result<()> {
            let mut file = self.gzip.finish()?.into_inner()?;
            file.seek(SeekFrom::Start(COMMENT_AT))?;
            file.write_all(head.comment().as_bytes())?;
            file.sync_all()
        };
        ended().map_err(|error| cannot_write(&error))?;
        Ok(head)
    }
}

fn cannot_write(error: &io::Error) -> Error {
    Error::new(Kind::Failed, format!("cannot write the snapshot: {error}")).hint_of_file(error)
}

/// A file that is read, as often as wanted.
pub struct Snapshot {
    file: File,
    /// What messages call it.
    name: String,
    /// What it is.
    pub head: Head,
}

impl Snapshot {
    /// Opens a file and reads its head.
    ///
    /// Errors: [`Kind::Usage`] for what cannot be opened or is no snapshot, naming it.
    pub fn open(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|error| {
            Error::usage(format!("cannot read the snapshot {name}: {error}")).hint_of_file(&error)
        })?;
        Self::of_file(file, name)
    }

    /// The same of an open file, which messages call `name`.
    pub fn of_file(file: File, name: String) -> Result<Self> {
        let no_snapshot = || {
            Error::usage(format!("{name} is no snapshot"))
                .hint("`netapi ise snapshot FILE` makes one; `netapi ise snapshot list` has those that are kept")
        };
        if !file.metadata().is_ok_and(|facts| facts.is_file()) {
            return Err(no_snapshot());
        }
        let head = {
            let start = (&file).seek(SeekFrom::Start(0));
            start.map_err(|_| no_snapshot())?;
            let gzip = GzDecoder::new(BufReader::new(&file));
            let comment = gzip.header().and_then(|header| header.comment());
            comment.and_then(Head::read).ok_or_else(no_snapshot)?
        };
        Ok(Self { file, name, head })
    }

    /// What messages call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The lines from the first on. One reading at a time.
    pub(super) fn lines(&self) -> Result<Lines<'_>> {
        (&self.file)
            .seek(SeekFrom::Start(0))
            .map_err(|error| Error::usage(format!("cannot read {}: {error}", self.name)))?;
        let gzip = GzDecoder::new(BufReader::with_capacity(BLOCK, &self.file));
        Ok(Lines {
            snapshot: self,
            text: BufReader::with_capacity(BLOCK, gzip).take(MOST_BYTES),
            line: Vec::new(),
            number: 0,
        })
    }
}

/// The lines of a file, in their order.
pub(super) struct Lines<'s> {
    snapshot: &'s Snapshot,
    text: io::Take<BufReader<GzDecoder<BufReader<&'s File>>>>,
    line: Vec<u8>,
    number: u64,
}

impl Lines<'_> {
    /// The next line with its number, from 0; without its end.
    ///
    /// Errors: [`Kind::Truncated`] and [`Kind::Malformed`], naming the file.
    pub(super) fn next(&mut self) -> Result<Option<(u32, &str)>> {
        self.line.clear();
        let mut bounded = (&mut self.text).take(LONGEST_LINE);
        let read = bounded.read_until(b'\n', &mut self.line);
        let read = read.map_err(|error| self.damaged(&error))?;
        let head = &self.snapshot.head;
        if read == 0 {
            if self.number == head.sessions {
                return Ok(None);
            }
            return Err(self.broken_off());
        }
        let number = self.number;
        self.number += 1;
        let text = self
            .line
            .strip_suffix(b"\n")
            .and_then(|line| std::str::from_utf8(line).ok());
        match (text, u32::try_from(number)) {
            (Some(text), Ok(index)) if number < MOST_SESSIONS.min(head.sessions) => {
                Ok(Some((index, text)))
            }
            _ => Err(self.no_session(number)),
        }
    }

    /// The error for a line that is no session.
    pub(super) fn no_session(&self, index: impl Into<u64>) -> Error {
        let line = index.into() + 1;
        let name = &self.snapshot.name;
        Error::new(
            Kind::Malformed,
            format!("{name} is damaged: line {line} is no session"),
        )
        .hint("nothing that it says can be trusted; take another snapshot")
    }

    fn broken_off(&self) -> Error {
        let Snapshot { name, head, .. } = self.snapshot;
        Error::new(
            Kind::Truncated,
            format!(
                "{name} breaks off: it has {} of its {} sessions",
                self.number, head.sessions
            ),
        )
        .hint("was it copied whole? a comparison with half a list would call the rest gone")
    }

    fn damaged(&self, error: &io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => self.broken_off(),
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => Error::new(
                Kind::Malformed,
                format!(
                    "{} is damaged after line {}",
                    self.snapshot.name, self.number
                ),
            )
            .hint(
                "its checksum or its compression is wrong; copy it anew, or take another snapshot",
            ),
            _ => Error::new(
                Kind::Failed,
                format!("cannot read {}: {error}", self.snapshot.name),
            ),
        }
    }
}
