//! `netapi ise lab run -- COMMAND…`: a lab for the time of one command.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;

use super::{child, options::Options};
use crate::cli::Context;
use crate::error::Result;
use crate::lab::Lab;

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise lab run -- netapi ise mnt sessions
  netapi ise lab run -- sh -c 'netapi ise mnt sessions --json | jq length'
  netapi ise lab run --sessions 2000000 -- netapi ise mnt sessions --format csv
  netapi ise lab run -- bash

The command finds netapi itself on its PATH, the settings in its environment,
and the first session's address in $MAC. The exit status is the command's.")]
pub(crate) struct Run {
    #[command(flatten)]
    options: Options,
    /// The command and its arguments
    #[arg(required = true, last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

impl Run {
    /// Starts, runs, stops.
    pub(crate) fn run(self) -> Result<ExitCode> {
        let lab = Lab::spawn_in_thread(self.options.into_lab())?;
        Context::block_on(child::run(
            &self.command,
            &lab.environment(),
            &lab.environment_to_remove(std::env::vars_os().map(|(name, _)| name)),
        ))
    }
}
