//! Where a secret is to be had, and fetching it: a variable, a file, standard input, a command, a question on the terminal.
//!
//! Effects of this room happen here. What is fetched is never logged and stands in no error; a command is named in errors by its
//! program alone, as its arguments may be secret too.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use secrecy::SecretString;
use zeroize::Zeroizing;

use super::environment::Environment;
use super::found::Found;
use super::source::Source;
use crate::error::{Error, Kind, Result};

/// No password is longer; what is longer is the wrong file.
const LONGEST: u64 = 64 * 1024;

/// How long a password command may take: long enough to type a passphrase or touch a key.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where a secret is to be had.
#[derive(Clone)]
pub(crate) enum SecretPlace {
    /// It was in a variable.
    Text(SecretString),
    /// First line of a file.
    File(PathBuf),
    /// First line of standard input.
    Stdin,
    /// First line that a program prints.
    Command(Vec<OsString>),
    /// The user is asked for what the text names.
    Asked(String),
}

/// A secret not yet fetched.
#[derive(Clone)]
pub(crate) struct Secret {
    pub(crate) place: SecretPlace,
    pub(crate) source: Source,
}

impl Secret {
    /// Out of a variable.
    pub(crate) fn text(found: Found) -> Result<Self> {
        Ok(Self {
            place: SecretPlace::Text(SecretString::from(found.text()?)),
            source: found.source,
        })
    }

    /// To be asked for.
    pub(crate) fn asked(user: &str) -> Self {
        Self {
            place: SecretPlace::Asked(format!("Password of {user}")),
            source: Source::Derived("asked for on the terminal"),
        }
    }

    /// Fetches it. What the user should be warned of is added to `warnings`.
    pub(crate) fn fetch(
        &self,
        environment: &Environment,
        no_input: bool,
        warnings: &mut Vec<String>,
    ) -> Result<SecretString> {
        match &self.place {
            SecretPlace::Text(secret) => Ok(secret.clone()),
            SecretPlace::File(path) => {
                let path = environment.expand(path)?;
                self.read_file(&path, warnings)
            }
            SecretPlace::Stdin if environment.terminal() => ask("Password", environment, no_input),
            SecretPlace::Stdin => {
                let line = first_line(&mut std::io::stdin().lock());
                self.line(line, "standard input")
            }
            SecretPlace::Command(command) => self.run(command, environment, PATIENCE),
            SecretPlace::Asked(what) => ask(what, environment, no_input),
        }
    }

    fn read_file(&self, path: &Path, warnings: &mut Vec<String>) -> Result<SecretString> {
        let file = std::fs::File::open(path).map_err(|error| {
            Error::usage(format!(
                "{}: cannot read {}: {error}",
                self.source.name(),
                path.display()
            ))
            .hint_of_file(&error)
        })?;
        if others_can_read(&file) {
            warnings.push(format!(
                "{} can be read by others than its owner; `chmod 600` it",
                path.display()
            ));
        }
        let line = first_line(&mut BufReader::new(file));
        self.line(line, &path.display().to_string())
    }

    fn line(&self, line: std::io::Result<Zeroizing<Vec<u8>>>, place: &str) -> Result<SecretString> {
        let wrong = |what: &str| Error::usage(format!("{}: {place} {what}", self.source.name()));
        let line =
            line.map_err(|error| wrong(&format!("cannot be read: {error}")).hint_of_file(&error))?;
        let text =
            std::str::from_utf8(&line).map_err(|_| wrong("does not begin with a line of UTF-8"))?;
        if text.is_empty() {
            return Err(wrong("has an empty first line").hint("the first line is the password"));
        }
        Ok(SecretString::from(text))
    }

    /// Runs the program directly, no shell, nothing on its standard input; its standard error stays the user's.
    fn run(
        &self,
        command: &[OsString],
        environment: &Environment,
        patience: Duration,
    ) -> Result<SecretString> {
        let deadline = Instant::now() + patience;
        let mut words = command.iter();
        let program = words.next().map_or(OsStr::new(""), OsString::as_os_str);
        let name = program.display().to_string();
        let wrong =
            |kind, what: &str| Error::new(kind, format!("{}: `{name}` {what}", self.source.name()));
        let mut child = Command::new(environment.expand(Path::new(program))?)
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| wrong(Kind::Usage, &format!("cannot be run: {error}")))?;
        let received = receive(&mut child, deadline);
        let status = wait_until(&mut child, deadline);
        let (Some(line), Some(status)) = (received, status) else {
            // It may have ended in this very moment; then there is nothing to kill and nothing lost.
            let _ = child.kill();
            let _ = child.wait();
            return Err(wrong(
                Kind::TimedOut,
                &format!("gave no password within {} s", patience.as_secs()),
            ));
        };
        if !status.success() {
            return Err(wrong(Kind::Usage, &format!("failed: {status}"))
                .hint("run it by hand: it must print the password as its first line"));
        }
        self.line(line, &format!("`{name}`"))
    }
}

type Line = std::io::Result<Zeroizing<Vec<u8>>>;

/// The first line of the child's output, or `None` at the deadline. The rest is read and dropped, so that the child does not die
/// of a closed pipe.
fn receive(child: &mut Child, deadline: Instant) -> Option<Line> {
    let mut output = BufReader::new(child.stdout.take()?);
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let line = first_line(&mut output);
        // The receiver is gone only when the time was over.
        if sender.send(line).is_ok() {
            let _ = std::io::copy(&mut output, &mut std::io::sink());
        }
    });
    let left = deadline.saturating_duration_since(Instant::now());
    receiver.recv_timeout(left).ok()
}

/// The standard library can wait for a child for ever or not at all; this looks again every few milliseconds.
fn wait_until(child: &mut Child, deadline: Instant) -> Option<ExitStatus> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(5));
            }
            _ => return None,
        }
    }
}

/// The first line without its end, of at most [`LONGEST`] bytes.
fn first_line(input: &mut impl BufRead) -> Line {
    let mut line = Zeroizing::new(Vec::new());
    input.take(LONGEST + 1).read_until(b'\n', &mut line)?;
    if line.len() as u64 > LONGEST {
        return Err(std::io::Error::new(
            ErrorKind::InvalidData,
            "its first line is too long",
        ));
    }
    for end in [b'\n', b'\r'] {
        if line.last() == Some(&end) {
            line.pop();
        }
    }
    Ok(line)
}

/// Asks on the terminal, hidden, or says why not and what to do instead.
pub(crate) fn ask(what: &str, environment: &Environment, no_input: bool) -> Result<SecretString> {
    if no_input || !environment.terminal() {
        let why = if no_input {
            "--no-input forbids asking for it"
        } else {
            "standard input is no terminal to ask on"
        };
        return Err(
            Error::usage(format!("{what} is missing, and {why}")).hint(
                "give it with a password file (`-` reads standard input), the environment (`netapi help environment`), or a profile's password command",
            ),
        );
    }
    super::hidden::ask(&format!("{what}: "))
        .map_err(|error| Error::usage(format!("{what} could not be asked for: {error}")))
}

/// Whether a regular file is open to group or world. Pipes (`<(pass show ise)`) have no lasting content to guard.
#[cfg(unix)]
fn others_can_read(file: &std::fs::File) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o044 != 0)
}

#[cfg(not(unix))]
fn others_can_read(_file: &std::fs::File) -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;
    use std::os::unix::fs::PermissionsExt;

    fn secret(place: SecretPlace) -> Secret {
        Secret {
            place,
            source: Source::Profile("lab".to_owned(), "mnt_password_command".to_owned()),
        }
    }

    fn run(script: &str, patience: Duration) -> Result<String> {
        let command = ["sh", "-c", script].map(OsString::from);
        secret(SecretPlace::Command(command.to_vec()))
            .run(&command, &Environment::default(), patience)
            .map(|secret| secret.expose_secret().to_owned())
    }

    #[test]
    fn a_command_gives_its_first_line() {
        assert_eq!(run("echo one; echo two", PATIENCE).unwrap(), "one");
        assert_eq!(run("printf 'no end'", PATIENCE).unwrap(), "no end");
        assert_eq!(
            run("cat; echo stdin was empty", PATIENCE).unwrap(),
            "stdin was empty"
        );
        // More than a pipe holds, after the first line.
        assert_eq!(
            run("echo one; head -c 300000 /dev/zero", PATIENCE).unwrap(),
            "one"
        );
    }

    #[test]
    fn a_command_that_fails_is_named_without_its_arguments() {
        let error = run("echo hunter2; exit 3", PATIENCE).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        assert_eq!(
            error.message(),
            "mnt_password_command of profile lab: `sh` failed: exit status: 3"
        );
        assert!(
            run("true", PATIENCE)
                .unwrap_err()
                .message()
                .contains("empty first line")
        );
        assert!(
            run("printf '\\377\\n'", PATIENCE)
                .unwrap_err()
                .message()
                .contains("UTF-8")
        );
        let none = [OsString::from("/nonexistent/pass")];
        let error = secret(SecretPlace::Command(none.to_vec()))
            .run(&none, &Environment::default(), PATIENCE)
            .unwrap_err();
        assert!(error.message().contains("cannot be run"));
    }

    #[test]
    fn a_command_that_hangs_is_ended() {
        let started = Instant::now();
        for script in [
            "exec sleep 60",
            "echo one; exec sleep 60",
            "exec sleep 60 >&-",
        ] {
            let error = run(script, Duration::from_millis(200)).unwrap_err();
            assert_eq!(error.kind(), Kind::TimedOut, "{script}");
        }
        assert!(started.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_file_gives_its_first_line_and_a_warning_if_others_can_read_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("password");
        for (content, wanted) in [("a b\r\nsecond", "a b"), (" x \n", " x "), ("x", "x")] {
            std::fs::write(&path, content).unwrap();
            for (mode, warned) in [(0o600, 0), (0o640, 1), (0o604, 1)] {
                std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
                let mut warnings = Vec::new();
                let got = secret(SecretPlace::File(path.clone()))
                    .fetch(&Environment::default(), true, &mut warnings)
                    .unwrap();
                assert_eq!(got.expose_secret(), wanted);
                assert_eq!(warnings.len(), warned, "{mode:o}");
            }
        }
    }

    #[test]
    fn files_that_hold_no_password() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("password");
        let long = vec![b'x'; 70_000];
        for content in [&b""[..], b"\nx", b"\xff", &long] {
            std::fs::write(&path, content).unwrap();
            let error = secret(SecretPlace::File(path.clone()))
                .fetch(&Environment::default(), true, &mut Vec::new())
                .unwrap_err();
            assert_eq!(error.kind(), Kind::Usage);
        }
        assert!(
            secret(SecretPlace::File(directory.path().to_path_buf()))
                .fetch(&Environment::default(), true, &mut Vec::new())
                .is_err()
        );
    }

    #[test]
    fn nobody_is_asked_without_a_terminal() {
        let error = Secret::asked("admin")
            .fetch(&Environment::default(), false, &mut Vec::new())
            .unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        assert!(error.message().contains("no terminal"));
        let error = Secret::asked("admin")
            .fetch(&Environment::default(), true, &mut Vec::new())
            .unwrap_err();
        assert!(error.message().contains("--no-input"));
    }
}
