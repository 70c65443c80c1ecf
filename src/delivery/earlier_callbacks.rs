//! Callbacks of a run that was killed: whoever starts next on the same spool waits for them before
//! anything is delivered again.
//!
//! `DIR/running` is open, and locked, in every process that a callback starts, since they inherit
//! it. The operating system lets go of the lock when the last of them has ended, whatever became
//! of us, so that no process number has to be kept and believed. Who starts next waits for that,
//! as long as a callback may take; then they are ended as we would have ended them. Linux tells
//! who they are; on other systems one is told to end them.
//!
//! A process that has left our session (a daemon that a callback started on purpose) is not waited
//! for.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::Listener;
use super::file_identity;
use super::stop::Stop;
use crate::error::{Error, Kind, Result};
use crate::process::{Group, Membership, Pid, Signal};
use crate::unix::files;

/// The file's name inside a spool's directory.
const FILE: &str = "running";

/// Longest text that is read back.
const LONGEST_TEXT: u64 = 100;

/// How often it is looked whether they have ended.
const LOOK: Duration = Duration::from_millis(50);

/// How long killed processes may take to be gone.
const REAP: Duration = Duration::from_secs(5);

/// The open file, which children inherit.
#[derive(Debug)]
pub(super) struct EarlierCallbacks {
    file: File,
    /// The session of the run before.
    session: Option<i32>,
}

/// A process that holds the file open.
#[derive(Debug, Clone, Copy)]
struct Holder {
    pid: Pid,
    session: Option<i32>,
}

impl EarlierCallbacks {
    /// Opens the file in a spool's directory whose lock we hold.
    pub(super) fn open(dir: &Path) -> Result<Self> {
        let path = dir.join(FILE);
        let cannot = |error: &std::io::Error| {
            Error::usage(format!("cannot open {}: {error}", path.display()))
                .hint("remove that file, or name another directory: --spool DIR")
        };
        let mut file = file_identity::open_file(
            File::options()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false),
            &path,
        )
        .map_err(|error| cannot(&error))?;
        let mut text = String::new();
        let read = (&mut file).take(LONGEST_TEXT).read_to_string(&mut text);
        let session = read.ok().and_then(|_| text.trim().parse().ok());
        files::let_inherit(&file).map_err(|error| cannot(&error))?;
        Ok(Self { file, session })
    }

    /// Waits until no callback of an earlier run is left, or the user wants to end. `limit` is how
    /// long a callback may take, `grace` how long it may take to end after TERM.
    pub(super) async fn wait(
        &mut self,
        limit: Duration,
        grace: Duration,
        listener: &Arc<dyn Listener>,
        stop: &mut watch::Receiver<Stop>,
    ) -> Result<()> {
        let begun = Instant::now();
        let mut taken = None;
        while self.file.try_lock().is_err() {
            let callbacks = holders(&self.file).map(|holders| self.callbacks(&holders));
            if callbacks.as_ref().is_some_and(Vec::is_empty) {
                break;
            }
            let next = Step::after(begun.elapsed(), limit, grace);
            if taken.replace(next) != Some(next) {
                take(next, callbacks.as_deref(), limit, listener)?;
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                _ended = stop.wait_for(|stop| *stop > Stop::Drained) => return Ok(()),
            }
        }
        self.begin();
        Ok(())
    }

    /// From now on it is ours, and our children's.
    fn begin(&mut self) {
        // Shared with daemons of earlier callbacks. Where it cannot be had, the next run has
        // nobody to wait for.
        let _unlocked = self.file.lock_shared();
        let session = Membership::ours().map(|ours| ours.session.to_string());
        let _unknown = self
            .file
            .set_len(0)
            .and_then(|()| self.file.rewind())
            .and_then(|()| writeln!(self.file, "{}", session.unwrap_or_default()));
    }

    /// Those who have not left the session.
    fn callbacks(&self, holders: &[Holder]) -> Vec<Holder> {
        let stayed = |holder: &&Holder| self.session.is_none() || holder.session == self.session;
        holders.iter().filter(stayed).copied().collect()
    }
}

/// How far it has come with those who do not end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Waiting,
    Asked,
    Killed,
    GivenUp,
}

impl Step {
    fn after(waited: Duration, limit: Duration, grace: Duration) -> Self {
        if waited < limit {
            Self::Waiting
        } else if waited < limit + grace {
            Self::Asked
        } else if waited < limit + grace + REAP {
            Self::Killed
        } else {
            Self::GivenUp
        }
    }
}

/// Says, or does, what the step is.
fn take(
    step: Step,
    callbacks: Option<&[Holder]>,
    limit: Duration,
    listener: &Arc<dyn Listener>,
) -> Result<()> {
    let named = named(callbacks);
    match (step, callbacks) {
        (Step::Waiting, _) => listener.notice(&format!(
            "still at work: {named} of a run that was killed; deliveries begin after its end, in {:.0}s at the latest",
            limit.as_secs_f64(),
        )),
        (Step::Asked, Some(callbacks)) => {
            listener.notice(&format!("{named} took longer than a callback may; it is ended"));
            signal(callbacks, Signal::TERM);
        }
        (Step::Killed, Some(callbacks)) => signal(callbacks, Signal::KILL),
        (Step::GivenUp, _) | (_, None) => {
            return Err(Error::new(
                Kind::Failed,
                format!("{named} of a run that was killed does not end, so nothing is delivered beside it"),
            )
            .hint("end it and start again: what the spool holds is delivered then"));
        }
    }
    Ok(())
}

/// Words for them.
fn named(callbacks: Option<&[Holder]>) -> String {
    match callbacks {
        None | Some([]) => "a callback".to_owned(),
        Some([one]) => format!("a callback (process {})", one.pid.as_raw_nonzero()),
        Some([first, ..]) => format!(
            "callbacks (process {} and others)",
            first.pid.as_raw_nonzero()
        ),
    }
}

/// To the process groups that callbacks are; never to our own.
fn signal(callbacks: &[Holder], signal: Signal) {
    let Some(ours) = Membership::ours() else {
        return;
    };
    for callback in callbacks {
        if let Some(theirs) = Membership::of(callback.pid)
            && theirs.group != ours.group
            && let Some(group) = Group::of_number(theirs.group)
        {
            group.signal(signal);
        }
    }
}

/// Who else has the file open; `None` where the system does not say. Those of other users are not
/// seen, and callbacks are ours.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn holders(file: &File) -> Option<Vec<Holder>> {
    let wanted = files::id(&file.metadata().ok()?);
    let holds = |pid: i32| {
        let open = std::fs::read_dir(format!("/proc/{pid}/fd"));
        open.is_ok_and(|open| {
            open.flatten()
                .filter_map(|entry| std::fs::metadata(entry.path()).ok())
                .any(|open| files::id(&open) == wanted)
        })
    };
    let us = crate::process::ours();
    let processes = std::fs::read_dir("/proc").ok()?;
    let holders = processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter_map(|number| Some((number, Pid::from_raw(number)?)))
        .filter(|(number, pid)| *pid != us && holds(*number))
        .map(|(_, pid)| Holder {
            pid,
            session: Membership::of(pid).map(|theirs| theirs.session),
        });
    Some(holders.collect())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn holders(_file: &File) -> Option<Vec<Holder>> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_do_not_end_are_asked_then_killed_then_given_up() {
        let second = Duration::from_secs(1);
        let after = |seconds| Step::after(seconds * second, 30 * second, 5 * second);
        assert_eq!(after(0), Step::Waiting);
        assert_eq!(after(29), Step::Waiting);
        assert_eq!(after(30), Step::Asked);
        assert_eq!(after(35), Step::Killed);
        assert_eq!(after(40), Step::GivenUp);
    }
}
