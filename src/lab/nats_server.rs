//! The nats-server beside the lab: a real one, from the user's PATH, on loopback, with JetStream in
//! a directory of its own. It ends with the lab, whatever ends that: a shell waits at a pipe for
//! the lab's end.
//!
//! What is stored in it is not the lab's affair.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::error::{Error, Kind, Result};
use crate::process::in_a_group_of_its_own;
use crate::unix::files::{is_executable, make_temporary_directory};

/// The program's name.
const PROGRAM: &str = "nats-server";

/// Where systems put it that do not have that on everybody's PATH.
const FURTHER: [&str; 2] = ["/usr/local/sbin", "/usr/sbin"];

/// How long it may take to serve, and to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// Runs the server and ends it when standard input ends, which only the lab holds open.
const GUARD: &str = "\
exec 3<&0
\"$@\" </dev/null 3<&- &
server=$!
{ read -r _ <&3; kill \"$server\"; } 2>/dev/null &
exec 3<&-
wait \"$server\"";

/// A running server. Ends when dropped.
pub(super) struct NatsServer {
    guard: Child,
    address: String,
    /// Removed after the server's end.
    directory: TempDir,
}

impl NatsServer {
    /// Starts it; it serves when this returns.
    ///
    /// Errors: [`Kind::Usage`] where there is no such program.
    pub(super) async fn start() -> Result<Self> {
        let program = find(std::env::var_os("PATH"), &FURTHER)?;
        let directory = make_temporary_directory("netapi-lab-nats-").map_err(|error| {
            Error::new(
                Kind::Failed,
                format!("cannot make a directory for nats-server: {error}"),
            )
        })?;
        let guard = begin(&program, directory.path()).map_err(|error| {
            Error::new(Kind::Failed, format!("cannot start nats-server: {error}"))
        })?;
        let mut server = Self {
            guard,
            address: String::new(),
            directory,
        };
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            if let Some(address) = address(server.directory.path()) {
                server.address = address;
                return Ok(server);
            }
            if !matches!(server.guard.try_wait(), Ok(None)) {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        Err(server.failure(&program))
    }

    /// `nats://127.0.0.1:PORT`.
    pub(super) fn url(&self) -> &str {
        &self.address
    }

    /// Why it does not serve, as far as it says itself.
    fn failure(&self, program: &Path) -> Error {
        let log = std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
        let fatal = log.lines().rev().find_map(|line| line.split_once("[FTL] "));
        let why = fatal.map_or("it does not serve", |(_, why)| why);
        Error::new(
            Kind::Failed,
            format!("{} beside the lab: {why}", program.display()),
        )
        .hint("the lab needs nats-server 2.9 or newer; `nats-server --version` says which it is")
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        // The guard's sign to end it.
        drop(self.guard.stdin.take());
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            if !matches!(self.guard.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(LOOK);
        }
        if let Some(group) = crate::process::Group::led_by(self.guard.id()) {
            group.signal(crate::process::Signal::KILL);
        }
        let _reaped = self.guard.wait();
    }
}

/// Where the program is.
fn find(path: Option<OsString>, further: &[&str]) -> Result<PathBuf> {
    let path = path.unwrap_or_default();
    let further = further.iter().map(PathBuf::from);
    let mut files = std::env::split_paths(&path)
        .chain(further)
        .map(|directory| directory.join(PROGRAM));
    files
        .find(|file| file.is_file() && is_executable(file))
        .ok_or_else(|| {
            Error::usage("there is no nats-server on PATH").hint(
                "Debian, Ubuntu: apt-get install nats-server; macOS: brew install nats-server; \
                 others: https://docs.nats.io/running-a-nats-service/introduction/installation",
            )
        })
}

/// Starts the guard, and by it the server. Ctrl-C is not for them: clients that end by it still
/// store what they have.
fn begin(program: &Path, directory: &Path) -> std::io::Result<Child> {
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", GUARD, "netapi-lab-nats"])
        .arg(program)
        .args(["--addr", "127.0.0.1", "--port", "-1"])
        .args(["--name", "netapi-lab", "--jetstream", "--store_dir"])
        .arg(directory)
        .arg("--ports_file_dir")
        .arg(directory)
        .arg("--log")
        .arg(directory.join("log"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    in_a_group_of_its_own(&mut command);
    command.spawn()
}

/// The address that a serving server leaves in its directory.
fn address(directory: &Path) -> Option<String> {
    let files = std::fs::read_dir(directory).ok()?;
    let mut paths = files.flatten().map(|file| file.path());
    let ports = paths.find(|path| path.extension().is_some_and(|end| end == "ports"))?;
    let ports: serde_json::Value = serde_json::from_slice(&std::fs::read(ports).ok()?).ok()?;
    let address = ports.get("nats")?.get(0)?.as_str()?;
    Some(address.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_looked_for_where_path_says() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(PROGRAM);
        std::fs::write(&file, "").unwrap();
        let path = || Some(dir.path().as_os_str().to_owned());
        for path in [None, path()] {
            let error = find(path, &["/nonexistent"]).unwrap_err();
            assert_eq!(error.kind(), Kind::Usage);
            assert!(
                error
                    .hint_text()
                    .unwrap()
                    .contains("apt-get install nats-server")
            );
        }
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
        assert_eq!(find(path(), &[]).unwrap(), file);
        assert_eq!(find(None, &[dir.path().to_str().unwrap()]).unwrap(), file);
    }
}
