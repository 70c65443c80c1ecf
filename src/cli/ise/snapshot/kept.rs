//! The snapshots that are kept in the state directory: one directory for each interface of each
//! deployment, in it files that are named by their time. What a file is stands in its head.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use tempfile::NamedTempFile;

use crate::cli::Context;
use crate::cli::ise::session_source;
use crate::cli::state_directory;
use crate::error::{Error, Kind, Result};
use crate::snapshot::{Head, Snapshot, Source};
use crate::unix::files::make_private_directory;

/// How every file's name ends.
const ENDING: &str = ".jsonl.gz";
/// How the name of a file begins that is being written.
const UNFINISHED: &str = ".unfinished-";
/// One that is older was left by a run that was killed.
const ABANDONED: Duration = Duration::from_hours(24);
/// Files of a directory that are looked at.
const MOST_FILES: usize = 100_000;

/// One of them.
#[derive(Debug, Clone)]
pub(in crate::cli::ise) struct Kept {
    /// Where it is.
    pub(in crate::cli::ise) path: PathBuf,
    /// What it is.
    pub(in crate::cli::ise) head: Head,
    /// How large it is.
    pub(in crate::cli::ise) bytes: u64,
}

/// Where all of them are.
///
/// Errors: [`Kind::Usage`] where there is no home to keep them in.
pub(in crate::cli::ise) fn root() -> Result<PathBuf> {
    state_directory::of("snapshots").ok_or_else(|| {
        Error::usage("there is no home directory to keep snapshots in")
            .hint("set XDG_STATE_HOME to a directory, or name a file: `netapi ise snapshot FILE`")
    })
}

/// The directory of one interface of the deployment that is set up.
pub(in crate::cli::ise) fn directory(context: &Context, source: Source) -> Result<PathBuf> {
    let host = session_source::host(context, source).unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    let host: String = host
        .chars()
        .map(|c| if plain(c) { c } else { '_' })
        .collect();
    Ok(root()?.join(format!("{}-{host}", source.name())))
}

/// The name of a snapshot of this time: `2026-11-28T21-40-05.123Z.jsonl.gz`.
pub(super) fn name(taken: Timestamp) -> String {
    format!("{}{ENDING}", taken.strftime("%Y-%m-%dT%H-%M-%S.%3fZ"))
}

/// A file beside those that are kept, for us alone, that goes unless it is given its name.
pub(super) fn unfinished(directory: &Path) -> Result<NamedTempFile> {
    make_private_directory(directory)
        .and_then(|()| {
            tempfile::Builder::new()
                .prefix(UNFINISHED)
                .tempfile_in(directory)
        })
        .map_err(|error| {
            Error::usage(format!(
                "cannot keep a snapshot in {}: {error}",
                directory.display()
            ))
            .hint_of_file(&error)
        })
}

/// Those of a directory, oldest first; and the names of files that are none.
pub(in crate::cli::ise) fn list(directory: &Path) -> Result<(Vec<Kept>, Vec<Error>)> {
    let (mut kept, mut wrong) = (Vec::new(), Vec::new());
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((kept, wrong)),
        Err(error) => return Err(unreadable(directory, &error)),
    };
    for entry in entries.take(MOST_FILES) {
        let entry = entry.map_err(|error| unreadable(directory, &error))?;
        let path = entry.path();
        let name = entry.file_name();
        if !name.to_string_lossy().ends_with(ENDING) || name.to_string_lossy().starts_with('.') {
            continue;
        }
        match Snapshot::open(&path) {
            Ok(snapshot) => kept.push(Kept {
                bytes: entry.metadata().map_or(0, |facts| facts.len()),
                head: snapshot.head,
                path,
            }),
            Err(error) => wrong.push(error),
        }
    }
    crate::order::sort_by_key(&mut kept, |one| one.head.taken);
    Ok((kept, wrong))
}

fn unreadable(directory: &Path, error: &io::Error) -> Error {
    Error::usage(format!("cannot read {}: {error}", directory.display())).hint_of_file(error)
}

/// Removes those of a directory that were taken before `oldest`, and what runs left that were
/// killed; how many snapshots went.
///
/// Errors: [`Kind::Failed`] for one that cannot be removed.
pub(super) fn prune(directory: &Path, oldest: Option<Timestamp>) -> Result<usize> {
    remove_abandoned(directory);
    let Some(oldest) = oldest else {
        return Ok(0);
    };
    let (kept, _) = list(directory)?;
    let old: Vec<Kept> = kept
        .into_iter()
        .filter(|one| one.head.taken < oldest)
        .collect();
    for one in &old {
        std::fs::remove_file(&one.path).map_err(|error| {
            Error::new(
                Kind::Failed,
                format!("cannot remove {}: {error}", one.path.display()),
            )
            .hint_of_file(&error)
        })?;
    }
    Ok(old.len())
}

fn remove_abandoned(directory: &Path) {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    for entry in entries.take(MOST_FILES) {
        let name = entry.file_name();
        let age = entry
            .metadata()
            .and_then(|facts| facts.modified())
            .ok()
            .and_then(|written| SystemTime::now().duration_since(written).ok());
        if name.to_string_lossy().starts_with(UNFINISHED) && age.is_some_and(|age| age > ABANDONED)
        {
            // Nobody misses it, and the next run tries again.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// The newest of `kept` that was taken by `moment`; where none is that old, the oldest.
pub(in crate::cli::ise) fn nearest(kept: &[Kept], moment: Timestamp) -> Option<&Kept> {
    let after = kept.partition_point(|one| one.head.taken <= moment);
    kept.get(after.saturating_sub(1))
}
