//! `netapi ise mnt get`: the escape hatch. Any GET below `/admin/API/mnt/`, the body as it came, or decoded with `--json`.

use clap::Args;

use crate::cli::Context;
use crate::error::Result;
use crate::render::{Column, Format, Shape};

const COLUMNS: &[Column] = &[];

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise mnt get Session/ActiveCount
  netapi ise mnt get Version --json

Paths that change the network (CoA, Delete) are refused: use `coa` and `delete`.")]
pub(crate) struct Get {
    /// Path below /admin/API/mnt/, already percent-encoded
    #[arg(value_name = "PATH")]
    path: String,
}

impl Get {
    /// Asks and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.mnt()?;
        let raw = client.get(&self.path).await?;
        match context.global.chosen_format() {
            None | Some(Format::Xml | Format::Table) if context.global.jq.is_none() => context.print_raw_as_xml(&raw),
            _ => {
                let record = crate::record::xml::decode_document(&raw)?;
                context.print(&[record], COLUMNS, Shape::Single, "")
            }
        }
    }
}
