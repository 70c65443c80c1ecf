//! `netapi ise mnt version`: product, version and role of the node.

use clap::Args;
use serde_json::json;

use crate::cli::Context;
use crate::error::Result;
use crate::mnt::documents::node_type;
use crate::record::Record;
use crate::render::{Column, Shape, column};

const COLUMNS: &[Column] = &[
    column("PRODUCT", "name"),
    column("VERSION", "version"),
    column("NODE", "node"),
];

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  netapi ise mnt version")]
pub(crate) struct Version {}

impl Version {
    /// Asks and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let answer = context.mnt()?.version().await?;
        let mut value = answer.record.to_value();
        let code = answer.record.text("type_of_node").unwrap_or_default();
        let node = node_type(&code).map_or_else(|| format!("unknown ({code})"), str::to_owned);
        if let Some(object) = value.as_object_mut() {
            object.insert("node".into(), json!(node));
        }
        let record = Record::from_value(value);
        context.print_document(&[record], &answer.raw, COLUMNS, Shape::Single, "")
    }
}
