//! `netapi ise lab run [-- COMMAND…]`: a lab for the time of one command, or of a shell.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;

use super::options::LabArgs;
use super::{child, shell::Shell};
use crate::cli::Context;
use crate::error::Result;
use crate::lab::Lab;

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise lab run
  netapi ise lab run -- netapi ise mnt sessions
  netapi ise lab run -- sh -c 'netapi ise mnt sessions --json | jq length'
  netapi ise lab run --sessions 2000000 -- netapi ise mnt sessions --format csv

Without a command it is your shell ($SHELL), its prompt marked '(lab)'.
The command finds netapi itself on its PATH, the settings in its environment,
and the first session's address in $MAC. The exit status is the command's.")]
pub(crate) struct Run {
    #[command(flatten)]
    options: LabArgs,
    /// The command and its arguments [default: your shell]
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

impl Run {
    /// Starts, runs, stops.
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        let still = self.options.makes_no_events();
        let lab = Lab::spawn_in_thread(self.options.into_lab())?;
        let exports = lab.environment();
        let remove = lab.environment_to_remove(std::env::vars_os().map(|(name, _)| name));
        let variables = |(name, value): &(&'static str, String)| (*name, value.into());
        let mut environment: Vec<(&str, OsString)> = exports.iter().map(variables).collect();
        if !self.command.is_empty() {
            return Context::block_on(child::run(&self.command, &environment, &remove));
        }
        let shell = Shell::of_user(&exports, child::directory_of_ours().as_deref())?;
        environment.extend(shell.environment.iter().cloned());
        if shell.interactive {
            let events = if still {
                "; nothing happens in it by itself, --events-per-second 5 would make events"
            } else {
                ""
            };
            context
                .reporter
                .note(&format!("a shell in the lab{events}"));
            context
                .reporter
                .note("try: netapi ise mnt sessions; 'exit' ends shell and lab");
        }
        Context::block_on(child::run(&shell.command, &environment, &remove))
    }
}
