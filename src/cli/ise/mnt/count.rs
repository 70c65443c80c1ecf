//! `netapi ise mnt count`: how many sessions are active, postured or profiled.

use clap::Args;
use serde_json::json;

use crate::cli::Context;
use crate::error::Result;
use crate::mnt;
use crate::record::Record;
use crate::render::{Column, Shape, column};

const COLUMNS: &[Column] = &[column("COUNT", "count")];

/// Arguments.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  netapi ise mnt count\n  netapi ise mnt count --posture --json"
)]
pub(crate) struct Count {
    /// Count endpoints in posture assessment
    #[arg(long, conflicts_with = "profiler")]
    posture: bool,
    /// Count profiler sessions
    #[arg(long)]
    profiler: bool,
}

impl Count {
    /// Asks and prints; the bare number as table and TSV (contract, section 1).
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let which = match (self.posture, self.profiler) {
            (true, _) => mnt::Count::Posture,
            (_, true) => mnt::Count::Profiler,
            _ => mnt::Count::Active,
        };
        let counted = context.mnt()?.count(which).await?;
        let record = Record::from_value(json!({ "count": counted.count }));
        context.print_document(&[record], &counted.raw, COLUMNS, Shape::Bare, "")
    }
}
