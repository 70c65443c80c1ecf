//! The lab that `lab up --detach` leaves behind and `lab down` ends: one for each user. A file lock
//! says whether it runs, so that neither a process number that somebody else has now nor a lab that
//! was killed can mislead; the file's text only says which process it is.
//!
//! It starts the process and ends it; what a lab is, and what it prints, is `up`'s affair.

use std::fs::{self, File, TryLockError};
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use crate::cli::context::{DONE, write_out};
use crate::cli::report::Reporter;
use crate::error::{Error, Kind, Result};
use crate::process::{self, Pid, terminate};
use crate::unix::files::{self, Links};

/// What the lab's process is started with; it is no option for people.
pub(super) const MEMBER: &str = "in-background";

/// Between the exports and nothing more, on the way from the lab's process to the one that started
/// it.
const END: u8 = 0;

/// How long a lab may take to end.
const ENDING: Duration = Duration::from_secs(10);

/// Longest text that is read back: a process number.
const LONGEST: u64 = 20;

/// Where the state of the lab in the background is.
struct Place {
    directory: PathBuf,
}

impl Place {
    /// `$XDG_RUNTIME_DIR/netapi`, else `netapi-UID` in the temporary directory. Made where it is
    /// missing; one that belongs to somebody else or that others may write is refused.
    fn find() -> Result<Self> {
        let uid = process::user();
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let directory = match runtime.filter(|path| path.is_absolute()) {
            Some(runtime) => runtime.join("netapi"),
            None => std::env::temp_dir().join(format!("netapi-{uid}")),
        };
        let made = files::make_new_private_directory(&directory);
        if let Err(error) = made
            && error.kind() != std::io::ErrorKind::AlreadyExists
        {
            return Err(cannot("make", &directory, &error));
        }
        let found = fs::symlink_metadata(&directory);
        let found = found.map_err(|error| cannot("look at", &directory, &error))?;
        let ours = files::owner(&found) == uid && !files::others_may_write(&found);
        if !found.is_dir() || !ours {
            return Err(Error::usage(format!(
                "{} is not a directory that only this user may write to",
                directory.display()
            ))
            .hint("remove it, or name another place: XDG_RUNTIME_DIR=DIR"));
        }
        Ok(Self { directory })
    }

    fn lock_path(&self) -> PathBuf {
        self.directory.join("lab.lock")
    }

    /// Where the exports are, for other shells.
    fn exports_path(&self) -> PathBuf {
        self.directory.join("lab.env")
    }

    fn lock(&self) -> Result<File> {
        private(&self.lock_path(), false).map_err(|error| cannot("open", &self.lock_path(), &error))
    }
}

/// The process that is the lab in the background, for as long as it is.
pub(super) struct Member {
    place: Place,
    /// Held until the end.
    _lock: File,
}

impl Member {
    /// Leaves the terminal and takes the place. Another lab there is [`Kind::Failed`].
    pub(super) fn begin() -> Result<Self> {
        let place = Place::find()?;
        let mut lock = place.lock()?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let which =
                    pid(&mut lock).map_or_else(String::new, |pid| format!(": process {pid}"));
                return Err(Error::new(
                    Kind::Failed,
                    format!("a lab runs in the background already{which}"),
                )
                .hint(format!(
                    "use it: . {}; or end it: netapi ise lab down",
                    place.exports_path().display()
                )));
            }
            Err(TryLockError::Error(error)) => {
                return Err(cannot("lock", &place.lock_path(), &error));
            }
        }
        lock.set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| write!(lock, "{}", std::process::id()))
            .map_err(|error| cannot("write", &place.lock_path(), &error))?;
        // Nobody made us the leader of a group.
        process::leave_session();
        Ok(Self { place, _lock: lock })
    }

    /// Hands the exports to whoever waits for them, and leaves them for other shells.
    pub(super) fn serving(&self, exports: &str) -> Result<()> {
        let path = self.place.exports_path();
        private(&path, true)
            .and_then(|mut file| file.write_all(exports.as_bytes()))
            .map_err(|error| cannot("write", &path, &error))?;
        let mut text = exports.to_owned();
        text.push(char::from(END));
        write_out(&text)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // Where it stays the lock still says that there is no lab.
        let _gone = fs::remove_file(self.place.exports_path());
    }
}

/// Starts the lab of this very command line in the background, and returns when it serves; prints
/// its exports.
pub(super) fn start(reporter: &Reporter) -> Result<ExitCode> {
    let failed =
        |error: &std::io::Error| Error::new(Kind::Failed, format!("cannot start the lab: {error}"));
    // Nobody else can look into it, and it goes with its last reader.
    let mut words = tempfile::tempfile().map_err(|error| failed(&error))?;
    let program = crate::process::this_program().map_err(|error| failed(&error))?;
    let mut lab = Command::new(program)
        .args(std::env::args_os().skip(1))
        .arg(format!("--{MEMBER}"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(words.try_clone().map_err(|error| failed(&error))?)
        .spawn()
        .map_err(|error| failed(&error))?;
    let mut exports = Vec::new();
    if let Some(output) = lab.stdout.take() {
        BufReader::new(output)
            .read_until(END, &mut exports)
            .map_err(|error| failed(&error))?;
    }
    if exports.pop() == Some(END) {
        write_out(&String::from_utf8_lossy(&exports))?;
        return Ok(DONE);
    }
    let status = lab.wait().map_err(|error| failed(&error))?;
    // Its error is the command's, in the form that was asked for.
    let mut text = String::new();
    let _words = words
        .rewind()
        .and_then(|()| words.read_to_string(&mut text));
    text.lines().for_each(|line| reporter.pass_on(line));
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(1)))
}

/// Ends the lab in the background; gives the names of the variables that it was reached by.
pub(super) fn end() -> Result<Vec<String>> {
    let place = Place::find()?;
    let mut lock = place.lock()?;
    if lock.try_lock().is_ok() {
        return Err(
            Error::new(Kind::NotFound, "no lab runs in the background").hint(
                "eval \"$(netapi ise lab up --detach)\" starts one; Ctrl-C ends one in a terminal",
            ),
        );
    }
    let exports = fs::read_to_string(place.exports_path()).unwrap_or_default();
    let process = pid(&mut lock).and_then(Pid::from_raw);
    let process = process.ok_or_else(|| {
        Error::new(
            Kind::Failed,
            format!(
                "{} does not say which process the lab is",
                place.lock_path().display()
            ),
        )
        .hint("it may be starting just now: try again")
    })?;
    terminate(process).map_err(|error| {
        Error::new(
            Kind::Failed,
            format!(
                "cannot end the lab, process {}: {error}",
                process.as_raw_nonzero()
            ),
        )
    })?;
    let since = Instant::now();
    while lock.try_lock().is_err() {
        if since.elapsed() > ENDING {
            return Err(Error::new(
                Kind::TimedOut,
                format!(
                    "the lab, process {}, did not end within {ENDING:?}",
                    process.as_raw_nonzero()
                ),
            )
            .hint("end it by force: kill -9"));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(exports
        .lines()
        .filter_map(name)
        .map(str::to_owned)
        .collect())
}

/// The name in `export NAME='value'`.
fn name(line: &str) -> Option<&str> {
    Some(line.strip_prefix("export ")?.split_once('=')?.0)
}

/// The process that the lock's text names.
fn pid(lock: &mut File) -> Option<i32> {
    let mut text = String::new();
    lock.rewind().ok()?;
    lock.take(LONGEST).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// A file that only its owner reads, never what a symbolic link points to.
fn private(path: &Path, fresh: bool) -> std::io::Result<File> {
    if fresh {
        match fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    files::open_private(&mut options, path, Links::Refuse)
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> Error {
    Error::usage(format!("cannot {what} {}: {error}", path.display()))
        .hint("name another place for the lab's state: XDG_RUNTIME_DIR=DIR")
}
