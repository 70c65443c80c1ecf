//! `netapi ise lab down`: ends the lab that `lab up --detach` left in the background.

use std::process::ExitCode;

use clap::Args;

use super::background;
use crate::cli::Context;
use crate::cli::context::{DONE, write_out};
use crate::error::Result;

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise lab down
  eval \"$(netapi ise lab down)\"

Standard output is one line, 'unset' and the lab's variables: eval takes them
out of this shell again. Exit status 3 when no lab runs in the background.")]
pub(crate) struct Down {}

impl Down {
    /// Ends it.
    pub(crate) fn run(context: &Context) -> Result<ExitCode> {
        let names = background::end()?;
        if !names.is_empty() {
            write_out(&format!("unset {}\n", names.join(" ")))?;
        }
        context.reporter.note("the lab is down");
        Ok(DONE)
    }
}
