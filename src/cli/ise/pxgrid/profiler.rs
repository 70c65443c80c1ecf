//! `netapi ise pxgrid profiler`: profiler policies.

use clap::Subcommand;

use super::read_operation::Ask;
use crate::cli::Context;
use crate::error::Result;

/// `netapi ise pxgrid profiler …`
#[derive(Subcommand, Debug)]
pub(crate) enum Profiler {
    /// Profiler policies with their full names
    #[command(after_help = "Example:\n  netapi ise pxgrid profiler profiles --sort NAME")]
    Profiles,
}

impl Profiler {
    /// Asks and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let Self::Profiles = self;
        Ask::new("profiler", "getProfiles", "no profiles")
            .list(context)
            .await
    }
}
