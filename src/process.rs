//! Processes and their groups: the one place that knows how they are begun and signalled, whose a
//! process is, and since when it is there. Also where this program's own file is, and who and where
//! we are for the system. It waits for nobody.
//!
//! Whose a process is are numbers that may be 0: a container's first process may have come from
//! outside of its PID namespace, and so may the leader of its group or session. `rustix` takes 0
//! for impossible, so on Linux the numbers are read from `/proc`.

#[cfg(any(target_os = "linux", target_os = "android"))]
use std::fs;

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::io::Errno;

pub(crate) use rustix::process::{Pid, Signal};

/// This program's file, to start it again. The system tells; in a bare tree, where `/proc` is not
/// mounted, it is what we were called by, looked for as a shell does.
///
/// Errors: the system's own, where neither leads to a file.
pub(crate) fn this_program() -> io::Result<PathBuf> {
    std::env::current_exe().or_else(|error| {
        let called = std::env::args_os().next().unwrap_or_default();
        let path = std::env::var_os("PATH");
        called_by(&called, path.as_deref()).ok_or(error)
    })
}

/// The file that a shell runs for a word; `path` is the variable's value.
fn called_by(word: &OsStr, path: Option<&OsStr>) -> Option<PathBuf> {
    if word.is_empty() {
        return None;
    }
    let is_path = Path::new(word).components().count() > 1;
    let found = if is_path {
        Some(PathBuf::from(word))
    } else {
        let directories = std::env::split_paths(path?);
        directories
            .map(|directory| directory.join(word))
            .find(|file| file.is_file())
    };
    std::path::absolute(found?)
        .ok()
        .filter(|file| file.is_file())
}

/// A process group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Group(Pid);

impl Group {
    /// That of a child which was begun in a group of its own; `None` for no number of a process.
    pub(crate) fn led_by(child: u32) -> Option<Self> {
        i32::try_from(child).ok().and_then(Self::of_number)
    }

    /// That of this number; `None` for one that is none here.
    pub(crate) fn of_number(number: i32) -> Option<Self> {
        Pid::from_raw(number).map(Self)
    }

    /// Signals all of it. It may have gone in this very moment, which is as good.
    pub(crate) fn signal(self, signal: Signal) {
        let _gone = rustix::process::kill_process_group(self.0, signal);
    }

    /// Whether a process of it is left.
    pub(crate) fn is_there(self) -> bool {
        rustix::process::test_kill_process_group(self.0).is_ok()
    }
}

/// Signals our own group, as a terminal does: everyone in the foreground.
pub(crate) fn signal_our_group(signal: Signal) -> io::Result<()> {
    rustix::process::kill_current_process_group(signal).map_err(io::Error::from)
}

/// Asks a process to end (TERM).
///
/// Errors: the system's own; there may be no such process any more.
#[cfg(feature = "lab")]
pub(crate) fn terminate(process: Pid) -> io::Result<()> {
    rustix::process::kill_process(process, Signal::TERM).map_err(io::Error::from)
}

/// Lets a command begin a process group of its own.
pub(crate) fn in_a_group_of_its_own(command: &mut Command) {
    command.process_group(0);
}

/// Becomes another program. It returns only where that fails.
pub(crate) fn become_program(command: &mut Command) -> io::Error {
    command.exec()
}

/// Leaves the terminal and begins a session. It fails only for a leader of a group.
#[cfg(feature = "lab")]
pub(crate) fn leave_session() {
    let _already_leads = rustix::process::setsid();
}

/// Whether a program was not started because the system has no room for it now: no process, no open
/// file, no memory.
pub(crate) fn lacks_room(error: &io::Error) -> bool {
    let full = [Errno::MFILE, Errno::NFILE, Errno::AGAIN, Errno::NOMEM];
    Errno::from_io_error(error).is_some_and(|errno| full.contains(&errno))
}

/// Whether a program was not started because of its file: it is not there, or not as it must be.
pub(crate) fn is_fault_of_file(error: &io::Error) -> bool {
    let file = [Errno::NOENT, Errno::ACCESS, Errno::NOEXEC, Errno::NOTDIR];
    Errno::from_io_error(error).is_some_and(|errno| file.contains(&errno))
}

/// Our own process.
pub(crate) fn ours() -> Pid {
    rustix::process::getpid()
}

/// The user that started us, by number. 0 is root.
pub(crate) fn user() -> u32 {
    rustix::process::getuid().as_raw()
}

/// The user whose rights we have, by number.
pub(crate) fn effective_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// How many files we may have open; `None` for any number.
pub(crate) fn most_open_files() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

/// This host's name, as it calls itself.
pub(crate) fn host_name() -> String {
    let names = rustix::system::uname();
    names.nodename().to_string_lossy().into_owned()
}

/// Whose a process is. 0 is a leader that has no number in our PID namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Membership {
    /// The process group, for signals and for the terminal.
    pub(crate) group: i32,
    /// The session, which a daemon leaves.
    pub(crate) session: i32,
}

impl Membership {
    /// Our own; `None` where the system does not say.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn ours() -> Option<Self> {
        parse(&fs::read("/proc/self/stat").ok()?)
    }

    /// That of another process; `None` where it is gone or the system does not say.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn of(process: Pid) -> Option<Self> {
        let process = process.as_raw_nonzero();
        parse(&fs::read(format!("/proc/{process}/stat")).ok()?)
    }

    /// Our own; `None` where the system does not say.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(crate) fn ours() -> Option<Self> {
        Self::of(ours())
    }

    /// That of another process; `None` where it is gone or the system does not say.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(crate) fn of(process: Pid) -> Option<Self> {
        let number = |pid: Pid| pid.as_raw_nonzero().get();
        Some(Self {
            group: number(rustix::process::getpgid(Some(process)).ok()?),
            session: number(rustix::process::getsid(Some(process)).ok()?),
        })
    }
}

/// When a process began, by the clock that goes on from the computer's start, and to a tick of it
/// (10 ms); `None` where it is gone or the system does not say.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn began_at(process: u32) -> Option<Duration> {
    let ticks = parse_beginning(&fs::read(format!("/proc/{process}/stat")).ok()?)?;
    let each = rustix::param::clock_ticks_per_second();
    let rest = ticks.checked_rem(each)?.saturating_mul(1000) / each;
    Some(Duration::from_secs(ticks / each) + Duration::from_millis(rest))
}

/// When a process began: the system does not say.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn began_at(_process: u32) -> Option<Duration> {
    None
}

/// From a `stat` document: number, name in parentheses, state, parent, group, session, and more.
/// The name may hold anything, so what counts is its last parenthesis.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn parse(stat: &[u8]) -> Option<Membership> {
    let mut numbers = after_name(stat)?.skip(2);
    Some(Membership {
        group: numbers.next()?.parse().ok()?,
        session: numbers.next()?.parse().ok()?,
    })
}

/// The same for its beginning, in clock ticks.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn parse_beginning(stat: &[u8]) -> Option<u64> {
    after_name(stat)?.nth(19)?.parse().ok()
}

/// What comes after the name.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn after_name(stat: &[u8]) -> Option<impl Iterator<Item = &str>> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(stat.get(end + 1..)?).ok()?;
    Some(rest.split_ascii_whitespace())
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_blanks_hides_nothing() {
        let stat = b"4711 (a) S 9 9 (b)) S 1 4711 4000 0 -1 4194560";
        let expected = Membership {
            group: 4711,
            session: 4000,
        };
        assert_eq!(parse(stat), Some(expected));
        assert_eq!(parse(b"1 (cut"), None);
        assert_eq!(parse(b"1 (cut) S 0"), None);
    }

    #[test]
    fn a_process_began_between_what_was_before_and_after_it() {
        let now = || {
            let uptime = fs::read_to_string("/proc/uptime").unwrap();
            let seconds = uptime.split(' ').next().unwrap().parse().unwrap();
            Duration::from_secs_f64(seconds).as_millis()
        };
        let before = now();
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let began = began_at(child.id()).unwrap().as_millis();
        let after = now();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(began_at(child.id()), None);
        assert!(
            (before..=after).contains(&began),
            "{before} {began} {after}"
        );
    }

    #[test]
    fn our_file_is_found_by_what_we_were_called() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("netapi");
        std::fs::write(&file, "").unwrap();
        let path = std::env::join_paths([Path::new("/nonexistent"), dir.path()]).unwrap();
        let found = |word: &OsStr| called_by(word, Some(&path));
        assert_eq!(found(OsStr::new("netapi")), Some(file.clone()));
        assert_eq!(found(file.as_os_str()), Some(file.clone()));
        assert_eq!(found(OsStr::new("")), None);
        assert_eq!(found(OsStr::new("not-netapi")), None);
        assert_eq!(found(OsStr::new("/nonexistent/netapi")), None);
        assert_eq!(called_by(OsStr::new("netapi"), None), None);
        assert!(this_program().unwrap().is_file());
    }

    #[test]
    fn leaders_outside_of_the_namespace_are_zero() {
        let outside = Membership {
            group: 0,
            session: 0,
        };
        assert_eq!(parse(b"1 (sh) R 0 0 0 34816 1"), Some(outside));
    }

    #[test]
    fn our_own_is_that_of_our_number() {
        let ours = Membership::ours().unwrap();
        assert_eq!(Membership::of(super::ours()), Some(ours));
    }
}
