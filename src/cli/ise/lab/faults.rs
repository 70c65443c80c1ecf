//! `netapi ise lab faults`: the faults that the lab can inject, by name.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::cli::Context;
use crate::cli::context::DONE;
use crate::error::Result;
use crate::lab::Fault;
use crate::record::Record;
use crate::render::{Column, Shape, column};

const COLUMNS: &[Column] = &[column("FAULT", "fault"), column("WHAT", "what")];

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise lab run --fault overload-502 -- netapi ise mnt count
  netapi ise lab run --fault reset:ActiveList@1 -- netapi ise mnt sessions

A fault takes a part of the path it applies to after ':', and after '@' how many
requests it hits before it stops.")]
pub(crate) struct Faults {}

impl Faults {
    /// Prints the list.
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        let records: Vec<Record> = Fault::catalogue()
            .iter()
            .map(|(name, what)| Record::from_value(json!({ "fault": name, "what": what })))
            .collect();
        context.print(&records, COLUMNS, Shape::List, "")?;
        Ok(DONE)
    }
}
