//! `netapi ise pxgrid endpoints`: endpoints with their profiler attributes, read page by page.

use clap::Args;

use super::read_operation::Ask;
use super::timestamp;
use crate::cli::Context;
use crate::error::Result;

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise pxgrid endpoints --limit 20
  netapi ise pxgrid endpoints --since 1h --format jsonl

The list is read to its end, a thousand endpoints a request, unless --limit is
given.")]
pub(crate) struct Endpoints {
    /// Only endpoints that changed since: RFC 3339, or a span such as 2h
    #[arg(long, value_name = "T")]
    since: Option<String>,
}

impl Endpoints {
    /// Streams and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        // Ascending is the only order that works so far (reference pxgrid-api, section 3.11), and
        // the one in which pages do not shift.
        Ask::new("endpoint", "getEndpoints", "no endpoints")
            .with("order", "ASC")
            .with_some("startUpdateTimestamp", timestamp(self.since.as_deref())?)
            .list(context)
            .await
    }
}
