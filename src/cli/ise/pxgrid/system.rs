//! `netapi ise pxgrid system`: health and performance of ISE's nodes.

use clap::{Args, Subcommand};

use super::read_operation::Ask;
use super::timestamp;
use crate::cli::Context;
use crate::error::Result;

/// `netapi ise pxgrid system …`
#[derive(Subcommand, Debug)]
pub(crate) enum System {
    /// Load, memory and disks of the nodes
    #[command(
        after_help = "Examples:\n  netapi ise pxgrid system health\n  netapi ise pxgrid system health --node ise-psn-1 --since 10m"
    )]
    Health(Window),
    /// RADIUS requests and latency of the nodes
    #[command(
        after_help = "Examples:\n  netapi ise pxgrid system performance\n  netapi ise pxgrid system performance --since 10m --json"
    )]
    Performance(Window),
}

/// Arguments of both.
#[derive(Args, Debug)]
pub(crate) struct Window {
    /// Only this node
    #[arg(long, value_name = "NODE")]
    node: Option<String>,
    /// Only samples since: RFC 3339, or a span such as 10m; without it the last hour
    #[arg(long, value_name = "T")]
    since: Option<String>,
}

impl System {
    /// Asks and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let (operation, window) = match self {
            Self::Health(window) => ("getHealths", window),
            Self::Performance(window) => ("getPerformances", window),
        };
        Ask::new("system", operation, "no samples")
            .with_some("nodeName", window.node)
            .with_some("startTimestamp", timestamp(window.since.as_deref())?)
            .list(context)
            .await
    }
}
