//! `netapi help`: help on a command path, and the topics that belong to no one command.

pub(super) mod layout;

use std::process::ExitCode;

use clap::Args;

use super::context::DONE;
use super::pager;
use crate::error::{Error, Result, from_output};

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
const FILES: &str = include_str!("help/files.txt");
const FORMATS: &str = include_str!("help/formats.txt");
const CALLBACKS: &str = include_str!("help/callbacks.txt");
const FILTERS: &str = include_str!("help/filters.txt");
const QUERIES: &str = include_str!("help/queries.txt");

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  netapi help ise mnt sessions\n  netapi help exit-codes")]
pub(crate) struct Help {
    /// A command (ise mnt sessions), or: options, environment, files, exit-codes, formats,
    /// filters, callbacks, queries
    #[arg(value_name = "COMMAND|TOPIC")]
    words: Vec<String>,
}

/// A topic: its name, what it is about in a line, and its text.
pub(super) struct Topic {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) text: fn() -> String,
}

/// The topics that belong to no one command.
pub(super) const TOPICS: &[Topic] = &[
    Topic {
        name: "options",
        about: "the options that every command takes",
        text: options,
    },
    Topic {
        name: "environment",
        about: "settings: flags, environment variables, profiles",
        text: || ENVIRONMENT.to_owned(),
    },
    Topic {
        name: "files",
        about: "files that netapi reads and writes",
        text: || FILES.to_owned(),
    },
    Topic {
        name: "exit-codes",
        about: "exit status of every command",
        text: exit_codes,
    },
    Topic {
        name: "formats",
        about: "output formats, columns, sorting",
        text: || FORMATS.to_owned(),
    },
    Topic {
        name: "filters",
        about: "which rows of a list, and times",
        text: || FILTERS.to_owned(),
    },
    Topic {
        name: "callbacks",
        about: "scripts that are run for events",
        text: || CALLBACKS.to_owned(),
    },
    Topic {
        name: "queries",
        about: "what history is asked, and the statements for it",
        text: || QUERIES.to_owned(),
    },
];

impl Help {
    /// Prints it.
    pub(crate) fn run(self, no_pager: bool) -> Result<ExitCode> {
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        let topic = match words.as_slice() {
            [word] => TOPICS.iter().find(|topic| topic.name == *word),
            _ => None,
        };
        let text = match topic {
            Some(topic) => (topic.text)(),
            None => command_help(&words)?,
        };
        pager::write_out(&text, no_pager).map_err(|error| from_output(&error))?;
        Ok(DONE)
    }
}

fn options() -> String {
    let text = layout::global_options().render_help().to_string();
    format!(
        "Options of every command, before or after its own\n\n{}\n",
        text.trim()
    )
}

fn exit_codes() -> String {
    let mut text = String::from("Exit status of every netapi command\n\n");
    text.extend(EXIT_STATUS.map(|(code, meaning)| format!("  {code:>4}  {meaning}\n")));
    text.push_str("\n`netapi ise lab run -- COMMAND` exits as COMMAND does.\n");
    text
}

fn command_help(words: &[&str]) -> Result<String> {
    let mut command = super::command_tree();
    command.build();
    let mut at = &mut command;
    for word in words {
        at = at.find_subcommand_mut(word).ok_or_else(|| {
            let topics: Vec<&str> = TOPICS.iter().map(|topic| topic.name).collect();
            Error::usage(format!("no command or topic '{}'", words.join(" "))).hint(format!(
                "`netapi --help` lists the commands; topics are {}",
                topics.join(", ")
            ))
        })?;
    }
    Ok(at.render_long_help().to_string())
}
