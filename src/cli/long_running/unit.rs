//! `--print-unit`: a systemd unit that runs exactly this command line.
//!
//! The command line is written anew from what clap understood: whole paths, quoted by systemd's
//! rules. Settings of the environment become `Environment=`; a secret is only named, with the file
//! that is to hold it. Nothing is installed or started.

use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, CommandFactory, ValueHint};

use crate::cli::context::write_out;
use crate::cli::{Cli, Context};
use crate::error::{Error, Kind, Result};
use crate::settings::Server;

/// Longer than the watchdog's own period of signs of life by far.
const WATCHDOG: Duration = Duration::from_secs(30);

/// What the unit's command may take to end beside its callbacks.
const ENDING: Duration = Duration::from_secs(15);

/// Where a service keeps its state, below which systemd makes directories.
const STATE: &str = "/var/lib";

/// What a command knows of itself as a service.
pub(crate) struct Service {
    /// What comes after `netapi-` in the unit's name.
    pub(crate) name: &'static str,
    /// What it does, in a few words.
    pub(crate) does: String,
    /// The longest that a callback may go on after TERM; zero without callbacks.
    pub(crate) callbacks: Duration,
    /// Whom it speaks with: their settings and secrets stand in the unit. With callbacks the other
    /// settings do too, without their secrets, which callbacks do not get.
    pub(crate) speaks_with: Vec<Server>,
    /// Directories that it writes to.
    pub(crate) writes: Vec<PathBuf>,
}

/// Prints the unit.
///
/// Errors: [`Kind::Usage`] for what no service can have: standard input, bytes that are no text.
pub(super) fn print(context: &Context, service: &Service) -> Result<()> {
    let mut words = command_line(std::env::args_os())?;
    if context.global.config.is_none()
        && let Ok(path) = context.settings.config_path()
        && path.exists()
    {
        words.splice(1..1, ["--config".into(), path.into_os_string()]);
    }
    let directory = std::env::current_dir()
        .map_err(|error| Error::new(Kind::Failed, format!("where are we? {error}")))?;
    let writes = service.writes.iter().map(|path| absolute(path));
    let unit = Unit {
        service,
        words: texts(words)?,
        directory: text(directory.into_os_string())?,
        writes: texts(writes.map(PathBuf::into_os_string).collect())?,
        variables: context
            .settings
            .variables(&service.speaks_with, !service.callbacks.is_zero()),
        user: user(),
    };
    write_out(&unit.text())
}

struct Unit<'s> {
    service: &'s Service,
    /// The program and its arguments.
    words: Vec<String>,
    directory: String,
    writes: Vec<String>,
    variables: Vec<(&'static str, Option<String>)>,
    /// `None` for root.
    user: Option<String>,
}

impl Unit<'_> {
    fn text(&self) -> String {
        let name = self.service.name;
        let mut text = format!(
            "# /etc/systemd/system/netapi-{name}.service; then: systemctl daemon-reload, and\n\
             # systemctl enable --now netapi-{name}\n\
             [Unit]\n\
             Description={}\n\
             Wants=network-online.target\n\
             After=network-online.target\n\n\
             [Service]\n\
             Type=notify\n\
             NotifyAccess=main\n",
            line(&format!("netapi: {}", self.service.does)),
        );
        self.command(&mut text);
        self.environment(&mut text);
        let stop = self.service.callbacks + ENDING;
        // Writing to a String fails never.
        let _ = write!(
            text,
            "# Ready when it does its work: ISE may be away when the computer starts.\n\
             TimeoutStartSec=infinity\n\
             WatchdogSec={}\n\
             Restart=on-failure\n\
             RestartSec=5\n\
             # Wrong settings and refused accounts: trying again can lock the account.\n\
             RestartPreventExitStatus=2 4\n\
             # TERM is for netapi alone: running callbacks finish.\n\
             KillMode=mixed\n\
             TimeoutStopSec={}\n\
             UMask=0077\n\n",
            WATCHDOG.as_secs(),
            stop.as_secs() + u64::from(stop.subsec_nanos() > 0),
        );
        self.hardening(&mut text);
        text.push_str("\n[Install]\nWantedBy=multi-user.target\n");
        text
    }

    fn command(&self, text: &mut String) {
        let mut words = self.words.iter();
        // systemd looks for variables in the arguments only.
        let program = words.next().map_or_else(String::new, |word| quoted(word));
        let arguments = words.map(|word| quoted(&word.replace('$', "$$")));
        let words: Vec<String> = std::iter::once(program).chain(arguments).collect();
        let _ = writeln!(text, "ExecStart={}", words.join(" "));
        let _ = writeln!(text, "WorkingDirectory={}", line(&self.directory));
        match &self.user {
            Some(user) => {
                let _ = writeln!(text, "User={}", line(user));
            }
            None => text.push_str(
                "# It runs as root, as you do now; with User= it runs as another, who must be\n\
                 # able to read its certificate and key.\n",
            ),
        }
    }

    fn environment(&self, text: &mut String) {
        for (name, value) in &self.variables {
            if let Some(value) = value {
                let _ = writeln!(text, "Environment={}", quoted(&format!("{name}={value}")));
            }
        }
        let secret = self.variables.iter().filter(|(_, value)| value.is_none());
        let secret: Vec<&str> = secret.map(|(name, _)| *name).collect();
        if !secret.is_empty() {
            let file = format!("/etc/netapi/netapi-{}.env", self.service.name);
            let _ = writeln!(
                text,
                "# Secret, so not printed: {}. Write NAME=value lines\n\
                 # into this file, which only root may read (chmod 600):\n\
                 EnvironmentFile={file}",
                secret.join(", "),
            );
        }
    }

    fn hardening(&self, text: &mut String) {
        let all = || {
            self.words
                .iter()
                .chain(&self.writes)
                .chain([&self.directory])
        };
        let below = |places: &[&str]| {
            all().any(|word| {
                places
                    .iter()
                    .any(|place| Path::new(word).starts_with(place))
            })
        };
        text.push_str(
            "# Callbacks run under the same restrictions; ReadWritePaths= adds what they write.\n\
             NoNewPrivileges=yes\nProtectSystem=strict\nPrivateDevices=yes\n",
        );
        let home = if below(&["/home", "/root", "/run/user"]) {
            "read-only"
        } else {
            "yes"
        };
        let _ = writeln!(text, "ProtectHome={home}");
        if !below(&["/tmp", "/var/tmp"]) {
            text.push_str("PrivateTmp=yes\n");
        }
        text.push_str(
            "ProtectKernelTunables=yes\nProtectKernelModules=yes\nProtectKernelLogs=yes\n\
             ProtectControlGroups=yes\nProtectClock=yes\nProtectHostname=yes\n\
             RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK\n\
             RestrictNamespaces=yes\nRestrictRealtime=yes\nRestrictSUIDSGID=yes\n\
             LockPersonality=yes\nSystemCallArchitectures=native\n",
        );
        for directory in &self.writes {
            match Path::new(directory).strip_prefix(STATE) {
                Ok(rest) if rest.components().next().is_some() => {
                    let rest = quoted(&rest.to_string_lossy());
                    let _ = writeln!(text, "StateDirectory={rest}\nStateDirectoryMode=0700");
                }
                _ => {
                    let _ = writeln!(
                        text,
                        "# This directory must exist and belong to the user of the service.\n\
                         ReadWritePaths={}",
                        quoted(directory)
                    );
                }
            }
        }
    }
}

/// The program's path, and its arguments with whole paths, without `--print-unit`.
fn command_line(arguments: impl Iterator<Item = OsString>) -> Result<Vec<OsString>> {
    let program = crate::process::this_program()
        .map_err(|error| Error::new(Kind::Failed, format!("which program are we? {error}")))?;
    let mut root = Cli::command();
    root.build();
    let matches = root
        .clone()
        .try_get_matches_from(arguments)
        .map_err(|error| Error::usage(error.to_string()))?;
    let mut words = vec![program.into_os_string()];
    let (mut command, mut matches) = (&root, &matches);
    while let Some((name, inner)) = matches.subcommand() {
        words.push(name.into());
        let Some(found) = command.find_subcommand(name) else {
            break;
        };
        (command, matches) = (found, inner);
    }
    words.extend(options(command, matches)?);
    Ok(words)
}

fn options(command: &Command, matches: &ArgMatches) -> Result<Vec<OsString>> {
    let (mut words, mut operands, mut last) = (Vec::new(), Vec::new(), Vec::new());
    for argument in command.get_arguments() {
        let id = argument.get_id().as_str();
        if id == super::PRINT_UNIT || matches.value_source(id) != Some(ValueSource::CommandLine) {
            continue;
        }
        let values: Vec<OsString> = matches
            .get_raw(id)
            .into_iter()
            .flatten()
            .map(|value| whole(argument, value))
            .collect::<Result<_>>()?;
        let Some(long) = argument.get_long() else {
            let into = if argument.is_last_set() {
                &mut last
            } else {
                &mut operands
            };
            into.extend(values);
            continue;
        };
        let option = format!("--{long}");
        if !argument.get_action().takes_values() {
            words.push(option.into());
            continue;
        }
        for value in values {
            if value.as_encoded_bytes().starts_with(b"-") {
                let mut word = OsString::from(format!("{option}="));
                word.push(value);
                words.push(word);
            } else {
                words.extend([option.clone().into(), value]);
            }
        }
    }
    words.extend(operands);
    if !last.is_empty() {
        words.push("--".into());
        words.extend(last);
    }
    Ok(words)
}

/// A path in whole, another value as it is.
fn whole(argument: &Arg, value: &OsStr) -> Result<OsString> {
    if argument.get_value_hint() != ValueHint::AnyPath {
        return Ok(value.to_owned());
    }
    if value == "-" {
        return Err(Error::usage(format!(
            "{argument} is standard input, which a service does not have"
        ))
        .hint("name a file"));
    }
    if argument.get_id() == "callback" {
        let program = crate::delivery::sink::callback::check(Path::new(value))?;
        return Ok(program.into_os_string());
    }
    Ok(absolute(Path::new(value)).into_os_string())
}

fn absolute(path: &Path) -> PathBuf {
    let path = match (path.strip_prefix("~"), std::env::home_dir()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_path_buf(),
    };
    let whole = std::path::absolute(&path).unwrap_or(path);
    // Without `.` in it.
    whole.components().collect()
}

fn texts(words: Vec<OsString>) -> Result<Vec<String>> {
    words.into_iter().map(text).collect()
}

fn text(word: OsString) -> Result<String> {
    word.into_string().map_err(|word| {
        Error::usage(format!(
            "'{}' is no UTF-8, and a unit can hold nothing else",
            word.display()
        ))
    })
}

/// Who runs this now; `None` for root.
fn user() -> Option<String> {
    let user = crate::process::user();
    if user == 0 {
        return None;
    }
    let number = user.to_string();
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, uid) = (fields.next()?, fields.next()?, fields.next()?);
        (uid == number).then(|| name.to_owned())
    });
    Some(name.unwrap_or(number))
}

/// A word as systemd.syntax(7) quotes it; `%` begins a specifier everywhere.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@$".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    let mut text = String::from("\"");
    for c in word.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            '\r' => text.push_str("\\r"),
            '%' => text.push_str("%%"),
            c if c.is_ascii_control() => {
                let _ = write!(text, "\\x{:02x}", u32::from(c));
            }
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

/// A value that is a line as it stands, without quotes.
fn line(value: &str) -> String {
    let value: String = value
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    value.replace('%', "%%")
}

#[cfg(test)]
#[path = "unit_tests.rs"]
mod tests;
