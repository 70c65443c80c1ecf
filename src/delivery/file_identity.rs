//! Whether a path still names the file that was opened: files under a running program are removed,
//! rotated, replaced, restored.
//!
//! Files are opened here without following a symbolic link, so that nobody who may write beside
//! them can lead us elsewhere. It decides nothing: what a change runner is said by whoever owns the
//! file.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::process::effective_user;
use crate::unix::files::{self, Links};

/// Opens the file that the path itself names; a new one is its owner's only. It never waits for a
/// writer or reader at the other end.
///
/// A symbolic link is an error with the text of [`LINK`], a pipe without a reader one with that of
/// [`UNREAD`].
pub(super) fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let links = if is_descriptor(path) {
        Links::Follow
    } else {
        Links::Refuse
    };
    files::open_private(options, path, links).map_err(|error| match error {
        error if files::is_link(&error) => io::Error::other(LINK),
        error if files::is_unread_pipe(&error) => io::Error::other(UNREAD),
        error => error,
    })
}

/// The same for a file of ours in a directory of ours, where a pipe or a directory has no business.
///
/// What is no file is an error with the text of [`NO_FILE`].
pub(super) fn open_file(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let is_other = |facts: Metadata| !facts.is_file() && !facts.is_symlink();
    // Opened to be written, a directory or a pipe without reader is an error that says less.
    if path.symlink_metadata().is_ok_and(is_other) {
        return Err(io::Error::other(NO_FILE));
    }
    let file = open(options, path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other(NO_FILE))
    }
}

/// Why something that is no file is not opened.
const NO_FILE: &str = "it is no file";

/// What to do about something of ours in a spool's directory that could not be opened.
pub(super) fn hint_of(error: &io::Error) -> &'static str {
    // What we found ourselves is no matter of permissions or of the disk.
    if error.get_ref().is_some() {
        "nothing else may have that name there: move it away, or name another directory: --spool DIR"
    } else {
        "name a directory that you may write to: --spool DIR"
    }
}

/// Whether the path names something that is open already (`/dev/stderr`, `/dev/fd/63`): a link
/// that nobody else can lead elsewhere.
fn is_descriptor(path: &Path) -> bool {
    ["/dev", "/dev/fd", "/proc/self/fd"]
        .iter()
        .any(|dir| path.parent() == Some(Path::new(dir)))
}

/// Why a symbolic link is not opened.
const LINK: &str = "it is a symbolic link, which is not followed";

/// Why a pipe is not opened to be written.
const UNREAD: &str = "it is a pipe that nobody reads, or a device that is not there";

/// What became of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// It names nothing.
    Removed,
    /// It names something else.
    Replaced,
}

impl Change {
    /// What happened, as a verb.
    pub(super) fn verb(self) -> &'static str {
        match self {
            Self::Removed => "was removed",
            Self::Replaced => "was replaced",
        }
    }
}

/// What was opened, and the path that named it then.
#[derive(Debug)]
pub(super) struct Identity {
    path: PathBuf,
    id: (u64, u64),
    /// The path's last part may be a link, which may be led elsewhere.
    follows: bool,
    /// Numbers that stay the same from one look to the next; some file systems have none.
    reliable: bool,
}

impl Identity {
    /// That of an open file or directory.
    pub(super) fn of(file: &File, path: &Path) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let mut identity = Self {
            path: path.to_path_buf(),
            id: files::id(&metadata),
            follows: metadata.is_dir() || is_descriptor(path),
            reliable: true,
        };
        identity.reliable = identity.change() != Some(Change::Replaced);
        Ok(identity)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What became of the path since; `None` while it names the same, and where the system cannot
    /// tell at the moment.
    pub(super) fn change(&self) -> Option<Change> {
        if !self.reliable {
            return None;
        }
        let now = if self.follows {
            self.path.metadata()
        } else {
            self.path.symlink_metadata()
        };
        match now {
            Ok(now) if files::id(&now) == self.id => None,
            Ok(_) => Some(Change::Replaced),
            Err(error) => match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Some(Change::Removed),
                _ => None,
            },
        }
    }
}

/// Refuses a directory in which somebody else could put files, or that is somebody else's.
pub(super) fn check_private(dir: &Path, metadata: &Metadata) -> Result<()> {
    let name = dir.display();
    let (us, owner) = (effective_user(), files::owner(metadata));
    if owner != us {
        return Err(Error::usage(format!(
            "the spool directory {name} belongs to user {owner}, and this is user {us}"
        ))
        .hint(format!(
            "run this as its owner, or make the directory yours: chown {us} '{name}'"
        )));
    }
    if files::others_may_write(metadata) {
        return Err(Error::usage(format!(
            "others may write to the spool directory {name} (mode {:o})",
            files::mode(metadata)
        ))
        .hint(format!("chmod go-w '{name}'")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_path_that_names_something_else_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let file = open(File::options().append(true).create(true), &path).unwrap();
        let identity = Identity::of(&file, &path).unwrap();
        assert_eq!(identity.change(), None);
        std::fs::rename(&path, dir.path().join("rotated")).unwrap();
        assert_eq!(identity.change(), Some(Change::Removed));
        std::fs::write(&path, "").unwrap();
        assert_eq!(identity.change(), Some(Change::Replaced));
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(dir.path().join("rotated"), &path).unwrap();
        assert_eq!(identity.change(), Some(Change::Replaced));
        let error = open(File::options().append(true), &path).unwrap_err();
        assert_eq!(error.to_string(), LINK);
    }

    #[test]
    fn what_is_open_already_may_be_named() {
        let path = Path::new("/dev/stderr");
        let file = open(File::options().append(true), path).unwrap();
        assert_eq!(Identity::of(&file, path).unwrap().change(), None);
        assert!(!is_descriptor(Path::new("/dev/shm/letters")));
    }

    #[test]
    fn a_directory_that_others_may_write_is_refused_with_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        for (mode, refused) in [
            (0o700, false),
            (0o755, false),
            (0o775, true),
            (0o1777, true),
        ] {
            std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(mode)).unwrap();
            let checked = check_private(dir.path(), &dir.path().metadata().unwrap());
            assert_eq!(checked.is_err(), refused, "{mode:o}");
            if let Err(error) = checked {
                assert!(error.hint_text().unwrap().starts_with("chmod go-w"));
            }
        }
    }

    #[test]
    fn somebody_elses_directory_is_refused() {
        let us = effective_user();
        let others = ["/", "/proc/1", "/var/spool/mail", "/home"]
            .into_iter()
            .filter_map(|path| Some((path, Path::new(path).metadata().ok()?)))
            .find(|(_, metadata)| files::owner(metadata) != us);
        let Some((path, metadata)) = others else {
            return;
        };
        let error = check_private(Path::new(path), &metadata).unwrap_err();
        assert!(error.message().contains("belongs to user"), "{error}");
    }
}
