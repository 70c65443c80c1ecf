//! Where a secret is to be had, and fetching it: a variable, a file, standard input, a command, a
//! question on the terminal.
//!
//! Effects of this room happen here. What is fetched is never logged and stands in no error; a
//! command is named in errors by its program alone, as its arguments may be secret too.

mod command_output;

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use self::command_output::{Line, MOST_OUTPUT, end, own_group, receive, wait_until};
use super::environment::Environment;
use super::source::Source;
use super::value::{RawValue, control_character};
use crate::error::{Error, Kind, Result};
use crate::files;
use crate::unix::signals::SIGINT;

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
    pub(crate) fn text(found: RawValue) -> Result<Self> {
        let text = found.text()?;
        if let Some((what, hint)) = control_character(text) {
            return Err(found
                .wrong(&format!("{what}, which no password can have"))
                .hint(hint));
        }
        Ok(Self {
            place: SecretPlace::Text(SecretString::from(text)),
            source: found.source,
        })
    }

    /// In a file that an option of a command names.
    pub(crate) fn of_file(path: &Path, option: &'static str) -> Self {
        Self {
            place: SecretPlace::File(path.to_owned()),
            source: Source::Derived(option),
        }
    }

    /// What an input begins with that an option of a command names; `place` is for messages.
    pub(crate) fn of_input(
        input: &mut impl BufRead,
        option: &'static str,
        place: &str,
    ) -> Result<SecretString> {
        let secret = Self {
            place: SecretPlace::Stdin,
            source: Source::Derived(option),
        };
        secret.line(first_line(input), place)
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
        let (file, access) = files::open(path, &self.source.name())?;
        warnings.extend(access.warning(path));
        let line = first_line(&mut BufReader::new(file));
        self.line(line, &files::display_path(path))
    }

    fn line(&self, line: std::io::Result<Zeroizing<Vec<u8>>>, place: &str) -> Result<SecretString> {
        let wrong = |what: &str| Error::usage(format!("{}: {place} {what}", self.source.name()));
        let line = line.map_err(|error| {
            wrong(&format!("cannot be read: {error}"))
                .hint("the first line is the password, at most 64 KiB; name the file that holds it")
                .hint_of_file(&error)
        })?;
        if files::is_utf16(&line) {
            return Err(wrong("is UTF-16 text").hint("save it as UTF-8"));
        }
        let text = std::str::from_utf8(files::without_mark(&line)).map_err(|_| {
            wrong("does not begin with a line of UTF-8")
                .hint("the first line is the password; save it as UTF-8")
        })?;
        if text.is_empty() {
            return Err(wrong("has an empty first line").hint("the first line is the password"));
        }
        // The line's own end was taken off.
        if text.contains(char::is_control) {
            return Err(wrong(
                "holds a control character in its first line, which no password can have",
            )
            .hint("write it anew, for instance: printf '%s\\n' 'PASSWORD' > FILE"));
        }
        Ok(SecretString::from(text))
    }

    /// What a command prints, for who is about to name it in a profile.
    pub(crate) fn of_command(words: &[String], environment: &Environment) -> Result<SecretString> {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        let secret = Self {
            place: SecretPlace::Command(words),
            source: Source::Derived("the command"),
        };
        secret.fetch(environment, true, &mut Vec::new())
    }

    /// Runs the program directly, no shell, nothing on its standard input; its standard error stays
    /// the user's.
    fn run(
        &self,
        command: &[OsString],
        environment: &Environment,
        patience: Duration,
    ) -> Result<SecretString> {
        // It may ask on the terminal itself.
        let _one = while_nobody_is_asked();
        let deadline = Instant::now() + patience;
        let mut words = command.iter();
        let program = words.next().map_or(OsStr::new(""), OsString::as_os_str);
        let name = program.display().to_string();
        let wrong =
            |kind, what: &str| Error::new(kind, format!("{}: `{name}` {what}", self.source.name()));
        let mut command = Command::new(environment.expand(Path::new(program))?);
        command
            .args(words)
            // A service manager speaks with us alone.
            .env_remove("NOTIFY_SOCKET")
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let group = own_group(&mut command);
        let mut child = command.spawn().map_err(|error| {
            wrong(Kind::Usage, &format!("cannot be run: {error}"))
                .hint("write the program's whole path, and make sure that it may be executed")
        })?;
        let flood = Arc::new(AtomicBool::new(false));
        let line = receive(&mut child, deadline, &flood);
        let status = line
            .as_ref()
            .and_then(|_| wait_until(&mut child, deadline, &flood));
        if status.is_none() {
            end(&mut child, group);
        }
        let error = match (line, status) {
            (Some(line), Some(status)) if status.success() => {
                return self.line(line, &format!("`{name}`"));
            }
            _ if flood.load(Ordering::Relaxed) => wrong(
                Kind::Usage,
                &format!(
                    "printed more than {} MiB and was stopped",
                    MOST_OUTPUT >> 20
                ),
            ),
            (_, Some(status)) => wrong(Kind::Usage, &format!("failed: {status}")),
            _ => wrong(
                Kind::TimedOut,
                &format!(
                    "did not end within {} s and was stopped",
                    patience.as_secs()
                ),
            ),
        };
        Err(error.hint("run it by hand: it must print the password as its first line, and end"))
    }
}

/// The first line without its end, of at most [`LONGEST`] bytes.
fn first_line(input: &mut impl BufRead) -> Line {
    let mut line = Zeroizing::new(Vec::new());
    input.take(LONGEST + 1).read_until(b'\n', &mut line)?;
    if line.len() as u64 > LONGEST {
        return Err(std::io::Error::new(
            ErrorKind::InvalidData,
            "its first line is longer than 64 KiB",
        ));
    }
    for end in [b'\n', b'\r'] {
        if line.last() == Some(&end) {
            line.pop();
        }
    }
    Ok(line)
}

/// One question at a time, also of several threads: a person answers them.
static ASKING: Mutex<()> = Mutex::new(());

/// Waits until no question is on the terminal; none is asked while the guard is there.
pub fn while_nobody_is_asked() -> MutexGuard<'static, ()> {
    ASKING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where a secret can come from when nobody types it.
const OTHER_WAYS: &str = "give it with a password file (`-` reads standard input), the environment (`netapi help environment`), or a profile's password command";

/// Whether there is somebody to ask.
pub(super) fn may_ask(environment: &Environment, no_input: bool) -> bool {
    !no_input && environment.terminal()
}

/// Asks on the terminal, hidden, or says why not and what to do instead.
pub(crate) fn ask(what: &str, environment: &Environment, no_input: bool) -> Result<SecretString> {
    if !may_ask(environment, no_input) {
        let why = if no_input {
            "--no-input forbids asking for it"
        } else {
            "standard input is no terminal to ask on"
        };
        return Err(Error::usage(format!("{what} is missing, and {why}")).hint(OTHER_WAYS));
    }
    let _one = while_nobody_is_asked();
    let typed =
        super::hidden_input::ask(&format!("{what}: ")).map_err(|error| match error.kind() {
            // Somebody listens to the signal; it ends the command nevertheless.
            ErrorKind::Interrupted => Error::new(Kind::Stopped(SIGINT), "interrupted"),
            _ => Error::usage(format!("{what} could not be asked for: {error}")).hint(OTHER_WAYS),
        })?;
    if typed.expose_secret().is_empty() {
        return Err(
            Error::usage(format!("{what} is missing: the line is empty"))
                .hint("nothing was sent; run it again and type it"),
        );
    }
    Ok(typed)
}

#[cfg(test)]
mod tests {
    use super::*;
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
        assert_eq!(
            run("printf '\\357\\273\\277one\\r\\n'", PATIENCE).unwrap(),
            "one"
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
    fn a_command_that_prints_without_end_is_ended() {
        for (script, said) in [
            (
                "exec yes hunter2",
                "printed more than 1 MiB and was stopped",
            ),
            (
                "exec tr '\\0' x </dev/zero",
                "printed more than 1 MiB and was stopped",
            ),
        ] {
            let error = run(script, PATIENCE).unwrap_err();
            assert_eq!(error.kind(), Kind::Usage, "{script}: {error}");
            assert!(error.message().ends_with(said), "{script}: {error}");
            assert!(error.hint_text().is_some());
        }
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
            assert!(error.hint_text().is_some(), "{script}");
        }
        assert!(started.elapsed() < Duration::from_secs(30));
    }

    /// They would hold the standard error that a script waits for.
    #[test]
    #[expect(clippy::print_stdout, reason = "a word to whoever runs the tests")]
    fn what_a_command_has_started_ends_with_it() {
        if std::fs::File::open("/dev/tty").is_ok() {
            println!("skipped: on a terminal the command stays in our group");
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pid");
        let script = format!("sleep 300 & echo $! > '{}'; wait", file.display());
        let error = run(&script, Duration::from_secs(2)).unwrap_err();
        assert_eq!(error.kind(), Kind::TimedOut);
        let pid: i32 = std::fs::read_to_string(&file)
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        let state = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let deadline = Instant::now() + PATIENCE;
        // Gone, or dead and not yet waited for by whoever inherited it.
        while !state().is_empty() && !state().contains(") Z ") {
            assert!(Instant::now() < deadline, "{}", state());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn a_file_gives_its_first_line_and_a_warning_if_others_can_read_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("password");
        for (content, wanted) in [
            ("a b\r\nsecond", "a b"),
            (" x \n", " x "),
            ("x", "x"),
            ("\u{feff}x\n", "x"),
        ] {
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
        for content in [
            &b""[..],
            b"\nx",
            b"\xff",
            &long,
            b"\xef\xbb\xbf",
            b"hunter2\r\r\n",
            b"hunter\t2",
            b"hunter2\x1b[A\n",
            "hunter2\u{85}".as_bytes(),
            b"\xff\xfeh\0u\0n\0t\0",
        ] {
            std::fs::write(&path, content).unwrap();
            let error = secret(SecretPlace::File(path.clone()))
                .fetch(&Environment::default(), true, &mut Vec::new())
                .unwrap_err();
            assert_eq!(error.kind(), Kind::Usage);
            assert!(
                error.hint_text().is_some() || content.len() > 1000,
                "{error}"
            );
            assert!(!error.message().contains("hunter"), "{error}");
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
