//! Where a spool lies, and the errors for people when its file cannot be used: what was tried, with
//! which file, why, and what to do about this cause. It opens nothing.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Kind};

/// The database's name inside the directory.
pub(in crate::delivery::queue) const FILE: &str = "spool.redb";

/// What to do about a file that is not what was written.
const MOVE_AWAY: &str =
    "move the file away and start again; the server still knows the current sessions";

/// Where the spool lies, for messages.
#[derive(Debug, Clone)]
pub(super) enum Place {
    Directory(PathBuf),
    Temporary,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(dir) => write!(f, "the spool {}", dir.join(FILE).display()),
            Self::Temporary => write!(
                f,
                "the temporary spool in {}",
                std::env::temp_dir().display()
            ),
        }
    }
}

/// The error for people when the library of the spool's file panics, as it does on some damage.
pub fn damaged(dir: &Path) -> Error {
    let place = Place::Directory(dir.to_path_buf());
    Error::new(Kind::Failed, format!("{place} is damaged")).hint(MOVE_AWAY)
}

/// The library of the spool's file, as it stands in the paths of its sources.
pub const LIBRARY: &str = "/redb-";

/// The error for people: what was tried, with which file, why, and what to do about this cause.
pub(super) fn failed(place: &Place, verb: &str, error: impl Into<redb::Error>) -> Error {
    let error = error.into();
    let hint = match &error {
        redb::Error::Io(io) => match io.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "free some space and start again: what the spool holds is delivered then"
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                "name a directory that you may write to: --spool DIR"
            }
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => MOVE_AWAY,
            _ => "look after the disk and start again: what the spool holds is delivered then",
        },
        redb::Error::Corrupted(_) | redb::Error::UpgradeRequired(_) => MOVE_AWAY,
        _ => "start again: what the spool holds is delivered then",
    };
    Error::new(Kind::Failed, format!("cannot {verb} {place}: {error}")).hint(hint)
}
