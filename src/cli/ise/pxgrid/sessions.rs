//! `netapi ise pxgrid sessions`: all sessions. The server starts at `--since` and applies
//! `--filter`; the other conditions hold for every ISE release and are looked at here, while the
//! list streams by.

use clap::Args;

use super::read_operation::Ask;
use super::wire_time;
use crate::cli::Context;
use crate::cli::filters::{Filters, Window, kinds};
use crate::error::Result;

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise pxgrid sessions
  netapi ise pxgrid sessions --state started --nas sw-lab-02
  netapi ise pxgrid sessions --user pat.kim
  netapi ise pxgrid sessions --older-than 3d --sgt Employees
  netapi ise pxgrid sessions --since 15m --json
  netapi ise pxgrid sessions --filter \"userName=='pat.kim'\"

Rows are printed as they arrive. A list that breaks off ends with an error and
a non-zero exit status, never as if it were whole.")]
pub(crate) struct Sessions {
    /// A JMESPath condition, applied by the server (ISE 3.4)
    #[arg(long, value_name = "JMESPATH")]
    filter: Option<String>,
    #[command(flatten)]
    filters: Filters,
    #[command(flatten)]
    window: Window,
}

impl Sessions {
    /// Streams and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let (since, until) = self.window.times()?;
        let selection = self.filters.within(&kinds::SESSION, (None, until))?;
        Ask::new("session", "getSessions", "no sessions")
            .with_some("startTimestamp", since.map(wire_time))
            .filtered(self.filter.as_deref())?
            .list_of(context, selection)
            .await
    }
}
