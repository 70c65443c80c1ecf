//! `netapi ise mnt version`: product, version and role of the node.

use clap::Args;
use serde_json::json;

use crate::cli::Context;
use crate::error::Result;
use crate::record::Record;
use crate::render::{Column, column};

const COLUMNS: &[Column] =
    &[column("PRODUCT", "name"), column("VERSION", "version"), column("NODE", "node")];

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  netapi ise mnt version")]
pub(crate) struct Version {}

impl Version {
    /// Asks and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let answer = context.mnt()?.version().await?;
        let mut value = answer.record.to_value();
        let node = node_in_words(answer.record.text("type_of_node").as_deref());
        if let Some(object) = value.as_object_mut() {
            object.insert("node".into(), json!(node));
        }
        context.print_answer(&Record::from_value(value), &answer.raw, COLUMNS)
    }
}

/// `type_of_node` in words (reference mnt-api, section 1, row 14).
fn node_in_words(code: Option<&str>) -> String {
    match code {
        Some("0") => "standalone".into(),
        Some("1") => "active MnT node".into(),
        Some("2") => "backup MnT node".into(),
        Some("3") => "not an MnT node".into(),
        Some(other) => format!("unknown type {other}"),
        None => "not said".into(),
    }
}
