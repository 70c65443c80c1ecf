//! Where a report goes: a file that is whole or not there, or standard output. Nobody's file is lost
//! by a slip: only another report is replaced.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Error, Kind, Result};
use crate::report_page::is_report;

/// How much of a file is looked at to know what it is.
const LOOKED_AT: u64 = 1024;

/// See the module's documentation.
pub(super) enum Target {
    Stdout,
    File {
        path: PathBuf,
        /// Beside it, until it is whole; gone where it is dropped.
        unfinished: NamedTempFile,
    },
}

impl Target {
    /// Makes sure of the place before anything is asked.
    ///
    /// Errors: [`Kind::Usage`] where something else is there, or nothing can be written.
    pub(super) fn new(path: PathBuf) -> Result<Self> {
        if path.as_os_str() == "-" {
            return Ok(Self::Stdout);
        }
        if std::fs::symlink_metadata(&path).is_ok() && !is_report_file(&path) {
            let error = format!(
                "{} is there, and is no report: it stays as it is",
                path.display()
            );
            return Err(Error::usage(error).hint("name another file, or remove it"));
        }
        let directory = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new("."));
        let unfinished = tempfile::Builder::new()
            .prefix(".unfinished-")
            .tempfile_in(directory)
            .map_err(|error| {
                let words = format!("cannot write a report in {}: {error}", directory.display());
                Error::usage(words).hint_of_file(&error)
            })?;
        Ok(Self::File { path, unfinished })
    }

    /// Writes what `page` writes, which says its size. Path and size of the file, if it is one.
    ///
    /// Errors: those of `page` and of writing; the file is then as it was.
    pub(super) fn write(
        self,
        page: impl FnOnce(&mut dyn Write) -> Result<u64>,
    ) -> Result<Option<(PathBuf, u64)>> {
        match self {
            Self::Stdout => page(&mut BufWriter::new(std::io::stdout().lock())).map(|_| None),
            Self::File { path, unfinished } => {
                let bytes = page(&mut BufWriter::new(unfinished.as_file()))?;
                unfinished
                    .as_file()
                    .sync_all()
                    .map_err(|error| cannot_write(&path, &error))?;
                let persisted = unfinished.persist(&path);
                persisted.map_err(|error| cannot_write(&path, &error.error))?;
                Ok(Some((path, bytes)))
            }
        }
    }
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Error {
    Error::new(
        Kind::Failed,
        format!("cannot write {}: {error}", path.display()),
    )
    .hint_of_file(error)
}

/// Whether a file is one of ours. A pipe or a device is not opened: it could wait for ever.
fn is_report_file(path: &Path) -> bool {
    if !std::fs::metadata(path).is_ok_and(|facts| facts.is_file()) {
        return false;
    }
    let mut beginning = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LOOKED_AT).read_to_end(&mut beginning));
    read.is_ok() && is_report(&beginning)
}
