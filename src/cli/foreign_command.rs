//! What a command may be that is none of ours: an alias of the configuration, or a program
//! `netapi-NAME` on the PATH. Both are looked for only where the command tree has nothing of the
//! name, so that neither can take a command's place.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::{CommandFactory, FromArgMatches};

use super::global::Global;
use crate::delivery::sink::callback::inheritable;
use crate::error::{Error, Kind, Result};
use crate::settings::{ConfigFile, Environment, Settings};

/// What was found.
pub(super) enum Outside {
    /// An alias: its name, and the command line with its words in its place.
    Alias(String, Vec<OsString>),
    /// A program, with its arguments and the settings that it is to have.
    Program(Box<Program>),
}

/// A program `netapi-NAME`.
pub(super) struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
    settings: Settings,
}

/// Looks for what `line` names; `None` where it is nothing. `used` are the aliases that led here.
///
/// Errors: [`Kind::Usage`] for a configuration that is wrong, and for an alias that leads back to
/// itself.
pub(super) fn find(line: &[OsString], used: &[String]) -> Result<Option<Outside>> {
    let tree = super::Cli::command().allow_external_subcommands(true);
    let Ok(matches) = tree.clone().try_get_matches_from(line) else {
        return Ok(None);
    };
    let Some((name, inner)) = matches.subcommand() else {
        return Ok(None);
    };
    if tree.find_subcommand(name).is_some() {
        return Ok(None);
    }
    let rest = inner.get_many::<OsString>("").unwrap_or_default();
    let rest: Vec<OsString> = rest.cloned().collect();
    let Ok(global) = Global::from_arg_matches(&matches) else {
        return Ok(None);
    };
    let settings = Settings::resolve(global.flags(), Environment::capture());
    if let Some(words) = alias(&settings, name)? {
        if used.iter().any(|used| used == name) {
            let way = [used, &[name.to_owned()]].concat().join(" -> ");
            return Err(
                Error::usage(format!("the alias {name} leads back to itself: {way}"))
                    .hint("`netapi alias list` shows what each stands for"),
            );
        }
        let before = line.len().saturating_sub(rest.len() + 1);
        let mut whole: Vec<OsString> = line.iter().take(before).cloned().collect();
        whole.extend(words.into_iter().map(OsString::from));
        whole.extend(rest);
        return Ok(Some(Outside::Alias(name.to_owned(), whole)));
    }
    let program = on_path(name).map(|path| {
        Outside::Program(Box::new(Program {
            path,
            arguments: rest,
            settings,
        }))
    });
    Ok(program)
}

fn alias(settings: &Settings, name: &str) -> Result<Option<Vec<String>>> {
    // Without a home there is no configuration.
    let Ok(path) = settings.config_path() else {
        return Ok(None);
    };
    let aliases = ConfigFile::open(&path)?.aliases().into_iter();
    let mut found = aliases.filter(|(known, _)| known == name);
    Ok(found.next().map(|(_, words)| words))
}

/// The program of this name; only directories with a whole path are looked into, since the others
/// are where the user happens to be.
fn on_path(name: &str) -> Option<PathBuf> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || !name.chars().all(plain) {
        return None;
    }
    let path = std::env::var_os("PATH")?;
    let file = format!("netapi-{name}");
    let places = std::env::split_paths(&path).filter(|directory| directory.is_absolute());
    let mut files = places.map(|directory| directory.join(&file));
    files.find(|file| is_program(file))
}

fn is_program(file: &std::path::Path) -> bool {
    file.is_file() && crate::unix::files::is_executable(file)
}

impl Program {
    /// Becomes the program. It has the settings in its environment, and in `NETAPI` the path of this
    /// one; no passwords.
    pub(super) fn run(self) -> Result<ExitCode> {
        let failed = |error: &std::io::Error| {
            let path = self.path.display();
            Error::new(Kind::Failed, format!("cannot run {path}: {error}"))
                .hint("a script needs a first line such as #!/bin/sh")
        };
        let mut command = Command::new(&self.path);
        command.args(&self.arguments);
        for (name, value) in std::env::vars_os() {
            match inheritable(&name, value) {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.envs(self.settings.exported()?);
        if let Ok(own) = std::env::current_exe() {
            command.env("NETAPI", own);
        }
        Err(failed(&crate::process::become_program(&mut command)))
    }
}
