//! `netapi ise lab faults`: the faults that the lab can inject, by name.

use std::process::ExitCode;

use serde_json::json;

use crate::cli::Context;
use crate::cli::context::DONE;
use crate::error::Result;
use crate::lab::Fault;
use crate::record::Record;
use crate::render::{Column, Shape, column};

const COLUMNS: &[Column] = &[column("FAULT", "fault"), column("WHAT", "what")];

/// How a fault is written.
pub(super) const EXAMPLES: &str = "\
Examples:
  netapi ise lab run --fault overload-502 -- netapi ise mnt count
  netapi ise lab run --fault reset@1:ActiveList -- netapi ise mnt sessions
  netapi ise lab run --fault account-pending@1 -- \\
    netapi ise pxgrid account activate
  netapi ise lab run --fault 'anc-failure:Policy is not configured' -- sh
  netapi ise lab run --fault ws-reset~5 -- netapi ise pxgrid services

NAME[@N][~SECONDS][:PATHPART]: after '@' how many requests it hits before it
stops, after '~' how long it takes to begin, after ':' a part of the paths it
applies to. Faults of pubsub: '~' counts from a connection's first
subscription, ':' is a part of the topic.";

/// Prints the list.
pub(super) fn run(context: &Context) -> Result<ExitCode> {
    let records: Vec<Record> = Fault::ALL
        .iter()
        .map(|(_, name, what)| Record::from_value(json!({ "fault": name, "what": what })))
        .collect();
    context.print(&records, COLUMNS, Shape::List, "")?;
    Ok(DONE)
}
