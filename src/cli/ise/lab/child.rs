//! Runs the command of `lab run`: the lab's settings in its environment, this program on its PATH,
//! signals passed on, its exit status ours.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use tokio::process::Command;

use crate::error::{Error, Kind, Result};
use crate::process::{Pid, terminate};
use crate::unix::signals::{self, Arrivals, SIGINT, SIGTERM};

/// Runs `command` to its end.
pub(super) async fn run(
    command: &[OsString],
    environment: &[(&str, OsString)],
    remove: &BTreeSet<OsString>,
) -> Result<ExitCode> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(Error::usage("no command given"));
    };
    // Ctrl-C reaches the whole foreground group: the command answers it, and we end when it does.
    // TERM comes to us alone and is passed on.
    let mut interrupt = Arrivals::of(SIGINT).map_err(no_signals)?;
    let mut terminate = Arrivals::of(SIGTERM).map_err(no_signals)?;
    let mut child = Command::new(program);
    child.args(arguments);
    for name in remove {
        child.env_remove(name);
    }
    child.envs(environment.iter().map(|(name, value)| (name, value)));
    if let Some(path) = path_with_ourselves() {
        child.env("PATH", path);
    }
    let mut child = child
        .spawn()
        .map_err(|error| not_started(program, &error))?;
    loop {
        tokio::select! {
            status = child.wait() => {
                let status = status.map_err(|error| Error::new(Kind::Failed, format!("lost the command: {error}")))?;
                return Ok(ExitCode::from(as_the_shell_shows(status)));
            }
            () = interrupt.next() => {}
            () = terminate.next() => pass_on_terminate(&child),
        }
    }
}

fn pass_on_terminate(child: &tokio::process::Child) {
    if let Some(pid) = child
        .id()
        .and_then(|pid| i32::try_from(pid).ok())
        .and_then(Pid::from_raw)
    {
        // The command may have ended in this moment; its status is about to be read either way.
        let _ = terminate(pid);
    }
}

/// The exit code, or 128 and the signal's number.
fn as_the_shell_shows(status: std::process::ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| signals::that_ended(status).map(|signal| 128 + signal))
        .unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}

/// PATH with this program's directory in front.
fn path_with_ourselves() -> Option<OsString> {
    let old = std::env::var_os("PATH").unwrap_or_default();
    let paths = directory_of_ours()
        .into_iter()
        .chain(std::env::split_paths(&old));
    std::env::join_paths(paths).ok()
}

/// This program's directory.
pub(super) fn directory_of_ours() -> Option<PathBuf> {
    let program = crate::process::this_program().ok()?;
    program.parent().map(std::path::Path::to_path_buf)
}

fn not_started(program: &OsString, error: &std::io::Error) -> Error {
    let program = program.to_string_lossy();
    let hint = match error.kind() {
        std::io::ErrorKind::NotFound => "check the spelling; a shell line needs sh -c '…'",
        std::io::ErrorKind::PermissionDenied => "make it executable: chmod +x",
        _ => "what follows -- must be a program and its arguments",
    };
    Error::usage(format!("cannot run '{program}': {error}")).hint(hint)
}

#[allow(
    clippy::needless_pass_by_value,
    reason = "handed to map_err, which gives the error away"
)]
fn no_signals(error: std::io::Error) -> Error {
    Error::new(Kind::Failed, format!("cannot listen for signals: {error}"))
}
