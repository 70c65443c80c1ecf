//! Who holds a spool's directory: one process at a time, and the file says which.
//!
//! The operating system's file lock decides; it is gone when its holder is, also after a kill or a
//! reboot, so there is no stale lock to clean up. The file's text (`process 4711 on host since …`)
//! only serves the error message. The directory must be ours alone to write, and the file must
//! still be the one that its path names: else somebody could take the "same" lock beside us.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use super::file_identity::{self, Identity};
use crate::error::{Error, Kind, Result};
use crate::unix::files::make_private_directory;

/// The lock; dropping it lets go.
#[derive(Debug)]
pub struct DirectoryLock {
    file: File,
    /// The directory's and the lock's.
    identities: [Identity; 2],
}

/// Longest holder's text that is read back.
const LONGEST_TEXT: u64 = 300;

/// How long a lock may outlive its holder: when that was killed while it started callbacks, each
/// of them holds a copy of the lock until it is executed.
const LINGERING: Duration = Duration::from_millis(500);

impl DirectoryLock {
    /// Makes the directory (only its owner may look inside) where it is missing, and takes its
    /// lock.
    ///
    /// Another holder is [`Kind::Failed`] and is named; a directory that cannot be made or
    /// written, that others may write, or that is somebody else's, is [`Kind::Usage`].
    pub fn take(dir: &Path) -> Result<Self> {
        let cannot = |what: &str, error: &std::io::Error| {
            Error::usage(format!("cannot {what} {}: {error}", dir.display()))
                .hint("name a directory that you may write to: --spool DIR")
        };
        make_private_directory(dir).map_err(|error| cannot("make the spool directory", &error))?;
        let unwritable = |error: std::io::Error| cannot("write to the spool directory", &error);
        let opened = File::open(dir).map_err(unwritable)?;
        file_identity::check_private(dir, &opened.metadata().map_err(unwritable)?)?;
        let path = dir.join("lock");
        let mut file = file_identity::open_file(
            File::options()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false),
            &path,
        )
        .map_err(|error| {
            Error::usage(format!("cannot open {}: {error}", path.display()))
                .hint(file_identity::hint_of(&error))
        })?;
        let identities = [Identity::of(&opened, dir), Identity::of(&file, &path)];
        let [Ok(of_directory), Ok(of_file)] = identities else {
            return Err(Error::usage(format!(
                "cannot look at the spool directory {}",
                dir.display()
            )));
        };

        match lock_soon(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(dir, &mut file)),
            Err(TryLockError::Error(error)) => {
                return Err(cannot("lock the spool directory", &error));
            }
        }
        let text = format!(
            "process {} on {} since {:.0}\n",
            std::process::id(),
            crate::process::host_name(),
            jiff::Timestamp::now(),
        );
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(text.as_bytes()))
            .map_err(|error| cannot("write to the spool directory", &error))?;
        Ok(Self {
            file,
            identities: [of_directory, of_file],
        })
    }
}

impl DirectoryLock {
    /// What must go on being what its path names.
    pub(super) fn identities(&self) -> &[Identity] {
        &self.identities
    }
}

/// Takes the lock within [`LINGERING`].
fn lock_soon(file: &File) -> std::result::Result<(), TryLockError> {
    let until = Instant::now() + LINGERING;
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(2));
            }
            result => return result,
        }
    }
}

impl Drop for DirectoryLock {
    fn drop(&mut self) {
        // Closing the file would not do: a callback that is just being started holds a copy until
        // it is executed.
        let _closed_next = self.file.unlock();
    }
}

/// The error that names the holder.
fn held(dir: &Path, file: &mut File) -> Error {
    let mut text = String::new();
    let read = file.take(LONGEST_TEXT).read_to_string(&mut text);
    let holder = match (read, text.lines().next()) {
        (Ok(_), Some(line)) if !line.is_empty() => line,
        _ => "another process",
    };
    Error::new(
        Kind::Failed,
        format!(
            "the spool directory {} is in use by {holder}",
            dir.display()
        ),
    )
    .hint("stop that process, or give this subscription a directory of its own: --spool DIR")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_second_holder_learns_who_is_first() {
        let dir = tempfile::tempdir().unwrap();
        let spool = dir.path().join("deep/spool");
        let lock = DirectoryLock::take(&spool).unwrap();
        let error = DirectoryLock::take(&spool).unwrap_err();
        assert_eq!(error.kind(), Kind::Failed);
        let me = format!("in use by process {} on ", std::process::id());
        assert!(error.message().contains(&me), "{error}");
        drop(lock);
        DirectoryLock::take(&spool).unwrap();
    }

    #[test]
    fn a_lock_that_lingers_for_a_moment_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let lock = DirectoryLock::take(dir.path()).unwrap();
        std::thread::scope(|scope| {
            let next = scope.spawn(|| DirectoryLock::take(dir.path()));
            // Let go at some moment of the other's attempt, whichever it is.
            std::thread::yield_now();
            drop(lock);
            next.join().unwrap().unwrap();
        });
    }

    #[test]
    fn a_lock_that_is_a_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let victim = dir.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        let spool = dir.path().join("spool");
        make_private_directory(&spool).unwrap();
        std::os::unix::fs::symlink(&victim, spool.join("lock")).unwrap();
        let error = DirectoryLock::take(&spool).unwrap_err();
        assert!(error.message().contains("symbolic link"), "{error}");
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    }

    #[test]
    fn a_path_that_is_no_directory_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "").unwrap();
        let error = DirectoryLock::take(&path.join("spool")).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        assert!(error.message().contains("file/spool"), "{error}");
    }
}
