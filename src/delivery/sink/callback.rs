//! One run of the callback: the program is executed directly, without a shell, in a process group
//! of its own.
//!
//! The event lies on its standard input as a file (in memory) that is already written, so a script
//! that never reads cannot block us; what its environment holds is `environment`'s affair. A run
//! that takes too long is asked to end (TERM), then ended (KILL), with everything in its group, and
//! always reaped. One that begins when its event is somebody else's already is ended at once.
//!
//! Whether a failed run is repeated is decided elsewhere ([`crate::delivery::endpoint_order`]).

mod environment;

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::timeout;

use super::output::Output;
use crate::delivery::Listener;
use crate::delivery::gate::StartPermit;
use crate::delivery::stop::Stop;
use crate::error::{Error, Result};
use crate::event::{Delivery, Event};
use crate::process::{
    Group, Signal, began_at, in_a_group_of_its_own, is_fault_of_file, lacks_room,
};
use crate::unix::{clock, files, signals};
pub(crate) use environment::inheritable;
use environment::{Environment, OURS, variables};

/// How long a killed process may take to be gone before we go on without it.
const REAP: Duration = Duration::from_secs(5);

/// Who starts a callback so long after it was known to be allowed was stopped between. Whoever takes
/// over needs a tenth of the lease at least, and some answers.
const STOPPED: Duration = Duration::from_millis(200);

/// How a run, or an attempt to deliver, ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallbackOutcome {
    /// Exit status 0; for a long-lived child: it has read the event.
    Success,
    /// Another exit status.
    Exit(i32),
    /// Ended by a signal that was not ours.
    Signal(i32),
    /// It took longer than it may, and was ended.
    TimedOut,
    /// What became of it could not be learned: why, in the system's words.
    Unknown(String),
    /// It could not be started, or its input could not be written: why. No fault of the callback's,
    /// and no attempt.
    NotStarted(String),
    /// The same because the system has no room for it now (files, processes, memory): the end of
    /// another one may make some.
    NoRoom(String),
    /// What takes the events takes nothing now: why. No fault of the event's, and no attempt.
    #[cfg_attr(not(feature = "nats"), allow(dead_code, reason = "of a stream"))]
    Unavailable(String),
    /// It will never take this event: why.
    #[cfg_attr(not(feature = "nats"), allow(dead_code, reason = "of a stream"))]
    Refused(String),
    /// We are stopping at once, and ended it.
    Stopped,
    /// Whoever brought the event has taken it back: it was not started, or ended as soon as it was.
    TakenBack,
}

impl fmt::Display for CallbackOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Success => f.write_str("success"),
            Self::Exit(code) => write!(f, "exit {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
            Self::TimedOut => f.write_str("timed out"),
            Self::Unknown(why) => write!(f, "its end is unknown: {why}"),
            Self::NotStarted(why) | Self::NoRoom(why) => write!(f, "not started: {why}"),
            Self::Unavailable(why) => write!(f, "not taken: {why}"),
            Self::Refused(why) => write!(f, "refused: {why}"),
            Self::Stopped => f.write_str("stopped"),
            Self::TakenBack => f.write_str("taken back"),
        }
    }
}

impl From<ExitStatus> for CallbackOutcome {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), signals::that_ended(status)) {
            (Some(0), _) => Self::Success,
            (Some(code), _) => Self::Exit(code),
            (None, Some(signal)) => Self::Signal(signal),
            (None, None) => Self::Exit(-1),
        }
    }
}

/// The callback as the user named it, checked.
#[derive(Debug, Clone)]
pub struct Callback {
    program: PathBuf,
    args: Vec<OsString>,
    /// How long one run may take (`--callback-timeout`).
    pub timeout: Duration,
    /// How long it may take to end after TERM (`--callback-grace`).
    pub grace: Duration,
    /// The inherited variables that it gets.
    environment: Environment,
}

/// What serves one run after the other: the command as far as it is always the same, and the pipe
/// that takes its output. Standard output and error share it, so that their lines keep their order.
/// It keeps no file open that a run alone needs: each that is open here costs the start of every
/// other program.
pub struct PreparedCommand {
    command: Command,
    pub(super) output: Output,
}

impl PreparedCommand {
    pub(super) fn new(callback: &Callback, listener: &Arc<dyn Listener>) -> io::Result<Self> {
        Ok(Self {
            output: Output::open(listener)?,
            command: callback.command(),
        })
    }

    /// Starts the callback with this input and these variables of its own; `None`: it is not to be
    /// started any more.
    fn start_with(
        &mut self,
        input: File,
        variables: &[(&str, String)],
        permit: &StartPermit,
    ) -> io::Result<Option<Started>> {
        for name in OURS {
            match variables.iter().find(|(ours, _)| *ours == name) {
                Some((_, value)) => self.command.env(name, value),
                None => self.command.env_remove(name),
            };
        }
        self.attach(input)?;
        let asked_at = clock::since_start();
        if !permit.holds() {
            self.detach();
            return Ok(None);
        }
        let child = self.spawn()?;
        Ok(Some(Started { child, asked_at }))
    }

    /// Starts the callback with this input.
    pub(super) fn start(&mut self, input: impl Into<Stdio>) -> io::Result<Child> {
        self.attach(input)?;
        self.spawn()
    }

    fn spawn(&mut self) -> io::Result<Child> {
        let child = self.command.spawn();
        self.detach();
        let child = child?;
        self.output.begin(group(&child));
        Ok(child)
    }

    /// Opens what a run alone needs.
    fn attach(&mut self, input: impl Into<Stdio>) -> io::Result<()> {
        let (out, err) = (self.output.writer()?, self.output.writer()?);
        self.command.stdin(input).stdout(out).stderr(err);
        Ok(())
    }

    /// That is the callback's alone from now on.
    fn detach(&mut self) {
        let none = Stdio::null;
        self.command.stdin(none()).stdout(none()).stderr(none());
    }
}

/// A run that was just started.
struct Started {
    child: Child,
    /// When it was known, the last time before, that it may be.
    asked_at: Duration,
}

impl Started {
    /// Whether it began when it was not to any more. Nothing makes question and start one step: we
    /// may have been stopped between them. Where the system does not say when it began, it is not.
    fn is_late(&self, permit: &StartPermit) -> bool {
        let late = self.asked_at + STOPPED;
        // Nothing begins later than now: most need not be looked at.
        if clock::since_start() <= late || permit.holds() {
            return false;
        }
        let began = self.child.id().and_then(began_at);
        began.is_some_and(|began| began > late)
    }
}

/// What every run shares beside the callback.
pub struct RunContext {
    /// Who hears what it prints.
    pub listener: Arc<dyn Listener>,
    /// The directory for inputs that have to lie in one.
    pub scratch: PathBuf,
    /// How urgently it is to end: with [`Stop::AtOnce`] it is killed.
    pub stop: watch::Receiver<Stop>,
}

impl Callback {
    /// Checks that `program` can be run, before anything is subscribed; see [`check`].
    pub fn new(
        program: &Path,
        args: Vec<OsString>,
        timeout: Duration,
        grace: Duration,
    ) -> Result<Self> {
        Ok(Self {
            program: check(program)?,
            args,
            timeout,
            grace,
            environment: Environment::of(std::env::vars_os()),
        })
    }

    /// Runs it for one event and waits for its end. `prepared` is that of an earlier run (one is
    /// made where there is none, and left there for the next run).
    pub async fn run(
        &self,
        event: &Event,
        delivery: Delivery,
        permit: &StartPermit,
        prepared: &mut Option<PreparedCommand>,
        context: &RunContext,
    ) -> CallbackOutcome {
        let RunContext {
            listener, scratch, ..
        } = context;
        let free = prepared.take().filter(|prepared| prepared.output.is_free());
        let started = input(event.to_json(Some(delivery)), scratch).and_then(|input| {
            let mut prepared = free.map_or_else(|| PreparedCommand::new(self, listener), Ok)?;
            let started = prepared.start_with(input, &variables(event, delivery), permit)?;
            Ok((started, prepared))
        });
        let (started, mut used) = match started {
            Ok(started) => started,
            Err(error) => return self.not_started(&error),
        };
        let mut outcome = CallbackOutcome::TakenBack;
        if let Some(started) = started {
            let (output, stop) = (&mut used.output, context.stop.clone());
            outcome = self.finish(started, output, permit, stop).await;
            used.output.rest().await;
        }
        *prepared = Some(used);
        outcome
    }

    /// Waits for the end of what was just started.
    async fn finish(
        &self,
        started: Started,
        output: &mut Output,
        permit: &StartPermit,
        mut stop: watch::Receiver<Stop>,
    ) -> CallbackOutcome {
        let is_late = started.is_late(permit);
        let Started { mut child, .. } = started;
        // One that began in time goes on, like any other whose event is no longer ours.
        if is_late {
            end_group(&mut child, output).await;
            return CallbackOutcome::TakenBack;
        }
        tokio::select! {
            outcome = self.supervise(&mut child, output) => outcome,
            () = Stop::AtOnce.reached(&mut stop) => {
                end_group(&mut child, output).await;
                CallbackOutcome::Stopped
            }
        }
    }

    /// What it is that there was this error in place of a run. A file that is not there, or not as
    /// it must be, is looked at again for better words.
    pub(super) fn not_started(&self, error: &io::Error) -> CallbackOutcome {
        if lacks_room(error) {
            return CallbackOutcome::NoRoom(error.to_string());
        }
        if is_fault_of_file(error)
            && let Err(better) = check(&self.program)
        {
            return CallbackOutcome::NotStarted(better.message().to_owned());
        }
        CallbackOutcome::NotStarted(format!(
            "cannot start the callback {}: {error}",
            self.program.display()
        ))
    }

    /// The program with its arguments and environment, in a process group of its own.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .env_clear()
            .envs(self.environment.iter())
            .kill_on_drop(true);
        in_a_group_of_its_own(command.as_std_mut());
        command
    }

    /// Waits for the end within the time limit, and makes it end after.
    async fn supervise(&self, child: &mut Child, output: &mut Output) -> CallbackOutcome {
        match timeout(self.timeout, ended(child, output)).await {
            Ok(Ok(status)) => status.into(),
            Ok(Err(error)) => CallbackOutcome::Unknown(error.to_string()),
            Err(_) => {
                self.end(child, output).await;
                CallbackOutcome::TimedOut
            }
        }
    }

    /// TERM, the grace, KILL, for the whole group.
    pub(super) async fn end(&self, child: &mut Child, output: &mut Output) {
        let group = group(child);
        signal(group, Signal::TERM);
        if timeout(self.grace, ended(child, output)).await.is_ok() {
            // The leader went; what it had started and left behind goes too. The group's number
            // cannot be somebody else's while it has a member, and process numbers come round much
            // later than this.
            signal(group, Signal::KILL);
        } else {
            end_group(child, output).await;
        }
    }
}

/// KILL for the whole group, and the leader is reaped.
pub(super) async fn end_group(child: &mut Child, output: &mut Output) {
    signal(group(child), Signal::KILL);
    // The kernel may hold a process that waits for a dead disk; the runtime reaps it whenever it
    // ends.
    let _late = timeout(REAP, ended(child, output)).await;
}

/// The child's process group; `None` once it was reaped, when the number may be somebody else's.
fn group(child: &Child) -> Option<Group> {
    child.id().and_then(Group::led_by)
}

fn signal(group: Option<Group>, signal: Signal) {
    if let Some(group) = group {
        group.signal(signal);
    }
}

/// Waits for the child's end and passes its output on meanwhile. Safe to drop half way.
pub(super) async fn ended(child: &mut Child, output: &mut Output) -> io::Result<ExitStatus> {
    loop {
        tokio::select! {
            status = child.wait() => return status,
            () = output.pump() => {}
        }
    }
}

/// The event in a file without a name, ready to be read from its start: in memory, or in `scratch`
/// where the system has no such files.
fn input(json: String, scratch: &Path) -> io::Result<File> {
    let file = files::in_memory().or_else(|_| tempfile::tempfile_in(scratch))?;
    write_input(file, json)
}

/// Writes the event's line; the file's position stays at the start.
fn write_input(file: File, mut line: String) -> io::Result<File> {
    line.push('\n');
    files::write_to_be_read(&file, line.as_bytes())?;
    Ok(file)
}

/// Whether the callback can be run, said before anything is subscribed; returns its absolute path.
///
/// A name with a slash is a path; a bare name is looked for in the current directory, then in
/// `PATH`.
pub fn check(program: &Path) -> Result<PathBuf> {
    let path = locate(program)?;
    let name = path.display();
    let metadata = path.metadata().map_err(|error| {
        Error::usage(format!("cannot run the callback {name}: {error}")).hint_of_file(&error)
    })?;
    if !metadata.is_file() {
        return Err(Error::usage(format!("the callback {name} is not a file")));
    }
    if !files::is_executable(&path) {
        return Err(
            Error::usage(format!("the callback {name} is not executable"))
                .hint(format!("chmod +x '{name}'")),
        );
    }
    // A program that may be run but not read cannot be looked into; the kernel will judge it.
    let mut head = Vec::new();
    if let Ok(file) = File::open(&path)
        && file.take(256).read_to_end(&mut head).is_ok()
    {
        check_head(&path, &head)?;
    }
    Ok(path)
}

/// The path that the user's name stands for.
fn locate(program: &Path) -> Result<PathBuf> {
    let absolute = std::path::absolute(program).map_err(|error| {
        Error::usage(format!(
            "'{}' names no callback: {error}",
            program.display()
        ))
    })?;
    if program.components().count() > 1 || program.is_absolute() || absolute.exists() {
        return Ok(absolute);
    }
    std::env::var_os("PATH")
        .iter()
        .flat_map(std::env::split_paths)
        .map(|dir| dir.join(program))
        .find(|path| path.is_absolute() && path.is_file())
        .ok_or_else(|| {
            Error::usage(format!(
                "there is no callback {} here or in PATH",
                program.display()
            ))
            .hint("name the script with its path: --callback ./handle-session.sh")
        })
}

/// What the kernel would refuse, or refuse with words that mislead: a script without an
/// interpreter.
fn check_head(path: &Path, head: &[u8]) -> Result<()> {
    let name = path.display();
    let Some(line) = head.strip_prefix(b"#!") else {
        // Only text is judged here: a binary of another kind may have its own loader.
        if std::str::from_utf8(head).is_ok() && !head.contains(&0) {
            return Err(
                Error::usage(format!("the callback {name} does not say what runs it"))
                    .hint("make '#!/bin/sh' (or the interpreter it needs) its first line"),
            );
        }
        return Ok(());
    };
    let Some(end) = line.iter().position(|byte| *byte == b'\n') else {
        return Ok(());
    };
    let line = String::from_utf8_lossy(line.get(..end).unwrap_or_default());
    if line.ends_with('\r') {
        return Err(
            Error::usage(format!("the callback {name} has Windows line ends"))
                .hint(format!("sed -i 's/\\r$//' '{name}'")),
        );
    }
    let interpreter = line.split_whitespace().next().unwrap_or_default();
    if !Path::new(interpreter).exists() {
        return Err(Error::usage(format!(
            "the callback {name} wants to be run by '{interpreter}', which does not exist"
        ))
        .hint("correct its first line"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
