//! `netapi ise mnt auth-list`: sessions authenticated in a window of time.

use clap::Args;

use super::columns::SESSION;
use crate::cli::Context;
use crate::cli::filters::{Filters, Window, kinds, say_of_expression};
use crate::error::Result;
use crate::record::selection::Selected;
use crate::render::Shape;

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise mnt auth-list --since 15m --nas 10.50.1.0/24
  netapi ise mnt auth-list --since 2026-03-09T08:00:00+01:00 \\
    --until 2026-03-09T09:00:00+01:00

The node does not say in which time zone it reads the window; like Cisco's own
client, netapi sends the local time of this machine. On a large deployment keep
the window short: six hours can be millions of rows, and repeated calls can
bring the node down for minutes.")]
pub(crate) struct AuthList {
    #[command(flatten)]
    window: Window,
    #[command(flatten)]
    filters: Filters,
}

impl AuthList {
    /// Streams and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        // The node looks at the window itself, and its rows carry no time.
        let (since, until) = self.window.times()?;
        let selection = self.filters.within(&kinds::ACTIVE, (None, None))?;
        if !selection.is_empty() {
            context.refuse_xml("filters choose rows")?;
        }
        let client = context.mnt()?;
        let inner = context.output(SESSION, Shape::List)?;
        let rows = Selected { selection, inner };
        let (rows, outcome) = client.auth_list(since, until, rows).await;
        context.end_list(rows.inner, outcome, "no sessions in that time")?;
        say_of_expression(context, rows.selection);
        Ok(())
    }
}
