//! `netapi ise`: the Monitoring node, and the lab.

#[cfg(feature = "lab")]
mod lab;
mod mnt;

use std::process::ExitCode;

use clap::Subcommand;

use super::Context;
use crate::error::Result;

/// `netapi ise …`
#[derive(Subcommand, Debug)]
pub(crate) enum Ise {
    /// The Monitoring node: sessions, authentications, change of authorization
    #[command(subcommand, arg_required_else_help = true)]
    Mnt(mnt::Mnt),
    /// A simulated ISE on this machine, to learn, test and script against
    #[cfg(feature = "lab")]
    #[command(subcommand, arg_required_else_help = true)]
    Lab(lab::Lab),
}

impl Ise {
    /// Runs the command.
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        match self {
            Self::Mnt(command) => command.run(context),
            #[cfg(feature = "lab")]
            Self::Lab(command) => command.run(context),
        }
    }
}
