//! Two snapshots compared. Each is read twice: first for three numbers a session (24 bytes), from
//! which it is known what came, went and changed; then for the lines of these. The earlier lines of
//! what changed wait in memory, from [`IN_MEMORY`] on in a temporary file.
//!
//! Sessions are compared by endpoint: of one that has several, those with the same id belong
//! together, and what is left over is paired in its order, because an endpoint that comes back has
//! a new id.

use std::hash::RandomState;
use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::path::Path;

use tempfile::SpooledTempFile;

use super::differences::write_differences;
use super::file::{MOST_SESSIONS, Snapshot};
use super::session_line::{Compared, LineReader, members, station_text};
use crate::error::{Error, Kind, Result};
use crate::record::{JsonText, Record, write_json_string};

/// Bytes of earlier lines that wait in memory.
const IN_MEMORY: usize = 32 << 20;

/// What happened to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is in the later snapshot only.
    Came,
    /// It is in the earlier one only.
    Went,
    /// It is in both, and differs.
    Changed,
}

impl Change {
    /// The word for it, that of `watch`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Came => "came",
            Self::Went => "went",
            Self::Changed => "changed",
        }
    }
}

/// One difference.
pub struct Found {
    /// What happened.
    pub change: Change,
    /// The session as it is, or was before it went.
    pub session: Record,
    /// As it was before it changed.
    pub before: Option<Record>,
    /// All of it, as it is printed: change, mac, session, before, changed.
    pub record: Record,
}

/// One session of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    endpoint: u64,
    session: u32,
    line: u32,
    digest: u64,
}

/// A session that is in both and differs.
#[derive(Debug, Clone, Copy)]
struct Pair {
    before: u32,
    after: u32,
    /// How long its earlier line is, and where it waits.
    length: u32,
    at: u64,
}

/// The lines that are to be read again.
#[derive(Debug, Default)]
struct Lines {
    went: Vec<u32>,
    came: Vec<u32>,
    changed: Vec<Pair>,
}

/// Compares `before` with `after` and hands over each difference: what went in the order of
/// `before`, then what came and changed in that of `after`. `directory` is for temporary files.
///
/// Errors: those of the files, and those of `take`.
pub fn compare(
    (before, after): (Snapshot, Snapshot),
    compared: &Compared,
    directory: &Path,
    mut take: impl FnMut(Found) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let hasher = RandomState::new();
    let reading = {
        let (hasher, compared) = (hasher.clone(), compared.clone());
        crate::threads::spawn("snapshot", move || {
            let entries = entries(&before, hasher, compared);
            (before, entries)
        })?
    };
    let later = entries(&after, hasher.clone(), compared.clone());
    let (before, earlier) = reading
        .join()
        .map_err(|_| Error::new(Kind::Failed, "reading a snapshot broke off"))?;
    let mut lines = matched(&earlier?, &later?);
    let mut waiting = tempfile::spooled_tempfile_in(IN_MEMORY, directory);
    let mut text = Vec::new();
    if earlier_lines(&before, &mut lines, &mut waiting, &mut take)?.is_break() {
        return Ok(());
    }
    lines.changed.sort_unstable_by_key(|pair| pair.after);
    let (mut came, mut changed) = (
        lines.came.iter().peekable(),
        lines.changed.iter().peekable(),
    );
    let mut reading = after.lines()?;
    while came.peek().is_some() || changed.peek().is_some() {
        let Some((index, line)) = reading.next()? else {
            break;
        };
        let found = if came.next_if_eq(&&index).is_some() {
            of_one(Change::Came, line)
        } else if let Some(pair) = changed.next_if(|pair| pair.after == index) {
            read_back(&mut waiting, pair, &mut text).map_err(|error| no_room(&error))?;
            let old = std::str::from_utf8(&text).ok();
            old.and_then(|old| of_two(&hasher, compared, old, line))
        } else {
            continue;
        };
        let found = found.ok_or_else(|| reading.no_session(index))?;
        if take(found)?.is_break() {
            break;
        }
    }
    Ok(())
}

/// The sessions of a snapshot, sorted by endpoint.
fn entries(snapshot: &Snapshot, hasher: RandomState, compared: Compared) -> Result<Vec<Entry>> {
    let announced = snapshot.head.sessions.min(MOST_SESSIONS);
    let mut entries = Vec::new();
    // What a head says may be wrong: it is no reason for an end without room.
    let room = usize::try_from(announced).unwrap_or_default();
    if entries.try_reserve_exact(room).is_err() {
        return Err(Error::new(Kind::Failed, "there is no memory to compare by"));
    }
    let mut reader = LineReader::new(hasher, compared);
    let mut lines = snapshot.lines()?;
    while let Some((line, text)) = lines.next()? {
        let Some(facts) = reader.facts(text) else {
            return Err(lines.no_session(line));
        };
        entries.push(Entry {
            endpoint: facts.endpoint,
            session: facts.session,
            line,
            digest: facts.digest,
        });
    }
    entries.sort_unstable();
    Ok(entries)
}

/// What went, came and changed, the first and the last by the earlier line.
fn matched(before: &[Entry], after: &[Entry]) -> Lines {
    let mut lines = Lines::default();
    let mut rest = after;
    for one in before.chunk_by(|a, b| a.endpoint == b.endpoint) {
        let endpoint = one.first().map_or(0, |entry| entry.endpoint);
        let (new, others) = rest.split_at(rest.partition_point(|entry| entry.endpoint < endpoint));
        lines.came.extend(new.iter().map(|entry| entry.line));
        let (same, others) =
            others.split_at(others.partition_point(|entry| entry.endpoint == endpoint));
        rest = others;
        endpoint_matched(one, same, &mut lines);
    }
    lines.came.extend(rest.iter().map(|entry| entry.line));
    lines.came.sort_unstable();
    lines.went.sort_unstable();
    lines.changed.sort_unstable_by_key(|pair| pair.before);
    lines
}

/// The same of the sessions of one endpoint, sorted by session.
fn endpoint_matched(before: &[Entry], after: &[Entry], lines: &mut Lines) {
    let mut pair = |old: &Entry, new: &Entry| {
        if old.digest != new.digest {
            lines.changed.push(Pair {
                before: old.line,
                after: new.line,
                length: 0,
                at: 0,
            });
        }
    };
    if let ([old], [new]) = (before, after) {
        return pair(old, new);
    }
    let (mut left, mut new_ones) = (Vec::new(), Vec::new());
    let mut later = after.iter().peekable();
    for old in before {
        while let Some(new) = later.next_if(|new| new.session < old.session) {
            new_ones.push(new);
        }
        match later.next_if(|new| new.session == old.session) {
            Some(new) => pair(old, new),
            None => left.push(old),
        }
    }
    new_ones.extend(later);
    left.sort_unstable_by_key(|entry| entry.line);
    new_ones.sort_unstable_by_key(|entry| entry.line);
    for (old, new) in left.iter().zip(&new_ones) {
        pair(old, new);
    }
    let both = left.len().min(new_ones.len());
    lines
        .went
        .extend(left.iter().skip(both).map(|old| old.line));
    lines
        .came
        .extend(new_ones.iter().skip(both).map(|new| new.line));
}

/// Reads the earlier snapshot again: hands over what went, and keeps the lines of what changed.
fn earlier_lines(
    before: &Snapshot,
    lines: &mut Lines,
    waiting: &mut SpooledTempFile,
    take: &mut impl FnMut(Found) -> Result<ControlFlow<()>>,
) -> Result<ControlFlow<()>> {
    let mut went = lines.went.iter().peekable();
    let mut changed = lines.changed.iter_mut().peekable();
    let mut reading = before.lines()?;
    let mut at = 0;
    while went.peek().is_some() || changed.peek().is_some() {
        let Some((index, line)) = reading.next()? else {
            break;
        };
        if let Some(pair) = changed.next_if(|pair| pair.before == index) {
            waiting
                .write_all(line.as_bytes())
                .map_err(|error| no_room(&error))?;
            pair.at = at;
            pair.length = u32::try_from(line.len()).unwrap_or(u32::MAX);
            at += u64::from(pair.length);
        } else if went.next_if_eq(&&index).is_some() {
            let found = of_one(Change::Went, line).ok_or_else(|| reading.no_session(index))?;
            if take(found)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn read_back(
    waiting: &mut SpooledTempFile,
    pair: &Pair,
    text: &mut Vec<u8>,
) -> std::io::Result<()> {
    text.clear();
    waiting.seek(SeekFrom::Start(pair.at))?;
    waiting.take(u64::from(pair.length)).read_to_end(text)?;
    Ok(())
}

fn no_room(error: &std::io::Error) -> Error {
    Error::new(
        Kind::Failed,
        format!("cannot keep the sessions that changed: {error}"),
    )
    .hint_of_file(error)
}

/// `None` where the line is no session.
fn of_one(change: Change, line: &str) -> Option<Found> {
    let session = Record::Json(JsonText::parse(line.to_owned()).ok()?);
    let record = written(change, line, &station_of(line)?, None);
    Some(Found {
        change,
        session,
        before: None,
        record,
    })
}

fn of_two(hasher: &RandomState, compared: &Compared, old: &str, new: &str) -> Option<Found> {
    let (before, after) = (members(old)?, members(new)?);
    let mut changed = Vec::new();
    write_differences(hasher, compared, (&before, &after), &mut changed);
    let record = written(
        Change::Changed,
        new,
        &station_of(new)?,
        Some((old, &changed)),
    );
    Some(Found {
        change: Change::Changed,
        session: Record::Json(JsonText::parse(new.to_owned()).ok()?),
        before: Some(Record::Json(JsonText::parse(old.to_owned()).ok()?)),
        record,
    })
}

/// The endpoint as JSON.
fn station_of(line: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    match station_text(&members(line)?) {
        Some(station) => write_json_string(&station, &mut out),
        None => out.extend_from_slice(b"null"),
    }
    Some(out)
}

fn written(change: Change, session: &str, mac: &[u8], more: Option<(&str, &[u8])>) -> Record {
    let mut text = Vec::with_capacity(2 * session.len() + 256);
    let parts = |parts: &[&[u8]], text: &mut Vec<u8>| {
        for part in parts {
            text.extend_from_slice(part);
        }
    };
    parts(
        &[
            b"{\"change\":\"",
            change.word().as_bytes(),
            b"\",\"mac\":",
            mac,
            b",\"session\":",
            session.as_bytes(),
        ],
        &mut text,
    );
    if let Some((before, changed)) = more {
        parts(
            &[
                b",\"before\":",
                before.as_bytes(),
                b",\"changed\":",
                changed,
            ],
            &mut text,
        );
    }
    text.push(b'}');
    Record::Json(JsonText::from_split(&text))
}
