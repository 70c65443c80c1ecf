//! `netapi ise pxgrid sxp`: SXP bindings.

use clap::{Args, Subcommand};

use super::read_operation::Ask;
use crate::cli::Context;
use crate::error::Result;

/// `netapi ise pxgrid sxp …`
#[derive(Subcommand, Debug)]
pub(crate) enum Sxp {
    /// Which security group tag each address or prefix has
    Bindings(Bindings),
}

/// Arguments of `bindings`.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  netapi ise pxgrid sxp bindings\n  netapi ise pxgrid sxp bindings --filter 'tag == `5`'"
)]
pub(crate) struct Bindings {
    /// A JMESPath condition on one binding, applied by the server (ISE 3.4)
    #[arg(long, value_name = "JMESPATH")]
    filter: Option<String>,
}

impl Sxp {
    /// Asks and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let Self::Bindings(Bindings { filter }) = self;
        Ask::new("sxp", "getBindings", "no bindings")
            .filtered(filter.as_deref())?
            .list(context)
            .await
    }
}
