//! `netapi help`: help on a command path, and the topics that belong to no one command.

use std::process::ExitCode;

use clap::{Args, CommandFactory};

use super::context::{DONE, write_out};
use crate::error::{Error, Result};

/// The exit statuses (contract, section 6), for the help topic and the man pages.
pub(super) const EXIT_STATUS: [(&str, &str); 11] = [
    (
        "0",
        "done; also for an empty list, and when the reader of a pipe went away",
    ),
    ("1", "failed, or some items of a bulk run failed"),
    (
        "2",
        "the command line or the settings are wrong; nothing was sent",
    ),
    (
        "3",
        "the named thing (session, code, policy) does not exist",
    ),
    ("4", "authentication or authorization was refused"),
    (
        "5",
        "the server answered with an error, or with something else than it should",
    ),
    ("6", "unreachable: name resolution, connection, TLS"),
    ("7", "timed out"),
    (
        "8",
        "accepted but pending: account awaiting approval, operation still running",
    ),
    ("130", "interrupted (Ctrl-C), as the shell shows it"),
    ("143", "terminated, as the shell shows it"),
];

const ENVIRONMENT: &str = include_str!("help/environment.txt");
const FORMATS: &str = include_str!("help/formats.txt");
const CALLBACKS: &str = include_str!("help/callbacks.txt");

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  netapi help ise mnt sessions\n  netapi help exit-codes")]
pub(crate) struct Help {
    /// A command (ise mnt sessions), or: environment, exit-codes, formats, callbacks
    #[arg(value_name = "COMMAND|TOPIC")]
    words: Vec<String>,
}

impl Help {
    /// Prints it.
    pub(crate) fn run(self) -> Result<ExitCode> {
        let text = match self
            .words
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .as_slice()
        {
            ["environment"] => ENVIRONMENT.to_owned(),
            ["formats"] => FORMATS.to_owned(),
            ["callbacks"] => CALLBACKS.to_owned(),
            ["exit-codes"] => exit_codes(),
            words => command_help(words)?,
        };
        write_out(&text)?;
        Ok(DONE)
    }
}

fn exit_codes() -> String {
    let mut text = String::from("Exit status of every netapi command\n\n");
    text.extend(EXIT_STATUS.map(|(code, meaning)| format!("  {code:>4}  {meaning}\n")));
    text.push_str("\n`netapi ise lab run -- COMMAND` exits as COMMAND does.\n");
    text
}

fn command_help(words: &[&str]) -> Result<String> {
    let mut command = super::Cli::command();
    command.build();
    let mut at = &mut command;
    for word in words {
        at = at.find_subcommand_mut(word).ok_or_else(|| {
            Error::usage(format!("no command or topic '{}'", words.join(" "))).hint(
                "`netapi --help` lists the commands; topics are environment, exit-codes, formats, callbacks",
            )
        })?;
    }
    Ok(at.render_long_help().to_string())
}
