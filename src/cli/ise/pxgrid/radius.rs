//! `netapi ise pxgrid radius`: RADIUS failures, of the last hour or since a time, and one in full.

use clap::{Args, Subcommand};

use super::read_operation::Ask;
use super::wire_time;
use crate::cli::Context;
use crate::cli::filters::{Filters, Window, kinds};
use crate::error::Result;

/// `netapi ise pxgrid radius …`
#[derive(Subcommand, Debug)]
pub(crate) enum Radius {
    /// RADIUS failures, codes 5400 to 5499
    Failures(Box<Failures>),
    /// One failure in full
    Failure(Failure),
}

/// Arguments of `failures`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise pxgrid radius failures
  netapi ise pxgrid radius failures --since 4h --nas sw-lab-02 --json

Without --since ISE answers with the last hour. Its RADIUS suppression hides
repeats.")]
pub(crate) struct Failures {
    #[command(flatten)]
    filters: Filters,
    #[command(flatten)]
    window: Window,
}

/// Arguments of `failure`.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  netapi ise pxgrid radius failure 1773043330123456")]
pub(crate) struct Failure {
    /// The failure's id
    #[arg(value_name = "ID")]
    id: String,
}

impl Radius {
    /// Asks and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::Failures(failures) => {
                let Failures { filters, window } = *failures;
                let (since, until) = window.times()?;
                let selection = filters.within(&kinds::FAILURE, (None, until))?;
                Ask::new("radius", "getFailures", "no failures")
                    .with_some("startTimestamp", since.map(wire_time))
                    .list_of(context, selection)
                    .await
            }
            Self::Failure(Failure { id }) => {
                let nothing = "`netapi ise pxgrid radius failures` lists the ids";
                Ask::new("radius", "getFailureById", nothing)
                    .with("id", id)
                    .one(context)
                    .await
            }
        }
    }
}
