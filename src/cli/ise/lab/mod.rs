//! `netapi ise lab`: the simulated deployment from the command line. What it simulates is in
//! `crate::lab`.

mod background;
mod child;
mod down;
mod faults;
mod options;
mod run;
mod shell;
mod up;

use std::process::ExitCode;

use clap::Subcommand;

use crate::cli::Context;
use crate::error::Result;

/// `netapi ise lab …`
#[derive(Subcommand, Debug)]
pub(crate) enum Lab {
    /// Start a lab, run a command or a shell in it, stop
    Run(run::Run),
    /// Start a lab, print the variables to set, and keep it running
    Up(up::Up),
    /// End the lab that `lab up --detach` left in the background
    Down(down::Down),
    /// The faults that --fault can inject
    #[command(after_help = faults::EXAMPLES)]
    Faults,
}

impl Lab {
    /// Runs the command.
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        match self {
            Self::Run(command) => command.run(context),
            Self::Up(command) => command.run(context),
            Self::Down(down::Down {}) => down::Down::run(context),
            Self::Faults => faults::run(context),
        }
    }
}
