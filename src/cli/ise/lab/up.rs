//! `netapi ise lab up`: a lab that stays, for a second terminal or another program.

use std::process::ExitCode;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::options::Options;
use crate::cli::Context;
use crate::cli::context::write_out;
use crate::error::{Error, Kind, Result};
use crate::lab::Lab;

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise lab up --listen-mnt 8443 --listen-pxgrid 8910 --dir ./lab > lab.env &
  . ./lab.env && netapi ise mnt sessions

Standard output is the export lines and nothing else. Ctrl-C ends the lab.")]
pub(crate) struct Up {
    #[command(flatten)]
    options: Options,
}

impl Up {
    /// Starts, prints the exports, waits for a signal.
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        let lab = Lab::spawn_in_thread(self.options.into_lab())?;
        for (name, value) in lab.environment() {
            write_out(&format!(
                "export {name}='{}'\n",
                value.replace('\'', r"'\''")
            ))?;
        }
        context.reporter.note("the lab is up; Ctrl-C ends it");
        let status = Context::block_on(async {
            let mut terminate = signal(SignalKind::terminate()).map_err(no_signals)?;
            let mut interrupt = signal(SignalKind::interrupt()).map_err(no_signals)?;
            Ok(tokio::select! {
                _ = terminate.recv() => 143,
                _ = interrupt.recv() => 130,
            })
        })?;
        drop(lab);
        Ok(ExitCode::from(status))
    }
}

#[allow(
    clippy::needless_pass_by_value,
    reason = "handed to map_err, which gives the error away"
)]
pub(super) fn no_signals(error: std::io::Error) -> Error {
    Error::new(Kind::Failed, format!("cannot listen for signals: {error}"))
}
