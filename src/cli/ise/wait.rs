//! `netapi ise wait`: returns when an endpoint's session is as it is wanted.

use std::io::IsTerminal;
use std::rc::Rc;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use super::pxgrid::read_operation;
use super::session_source::{SourceName, choose};
use super::session_wait::{BY_MAC, Condition, Counts, Sessions, Waiting, condition};
use crate::cli::Context;
use crate::cli::bulk::about;
use crate::cli::input;
use crate::error::Result;
use crate::record::Mac;
use crate::render::Shape;
use crate::settings::duration::{parse, parse_when};
use crate::snapshot::Source;

/// How long is waited unless something else is said.
const PATIENCE: Duration = Duration::from_mins(5);

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise wait C8:5B:76:C6:59:62 --for \"ctsSecurityGroup=='Employees'\"
  netapi ise wait C8:5B:76:C6:59:62 --for '!ancPolicy' --timeout 2m
  netapi ise wait C8:5B:76:C6:59:62 --for '!@'      # until it has no session

The expression is JMESPath over the endpoint's session, with the members that
`netapi ise pxgrid session MAC --json` shows where pxGrid is set up, else those
of `netapi ise mnt session`; without a session it is over null. What satisfies
it already satisfies it: --after T wants a state later than T, by the server's
clock. Behind a change, `--wait-for` of coa and anc knows that by itself.
Printed is the session that satisfied it. --timeout is how long to wait here, 5m
unless it is given; then the exit status is 7, with the last state that was seen.")]
pub(crate) struct Wait {
    /// The endpoint's MAC address
    #[arg(value_name = "MAC", value_parser = one_mac)]
    mac: Mac,
    /// The expression that its session is to satisfy, within --timeout [default: 5m]
    #[arg(long = "for", value_name = "EXPR", value_parser = condition)]
    condition: Condition,
    /// Pause between two looks, at least 1s
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = input::pause)]
    interval: Duration,
    /// Only a state that is later: 5m, today, RFC 3339
    #[arg(long, value_name = "T")]
    after: Option<String>,
    /// Where the session comes from
    #[arg(long, value_name = "mnt|pxgrid", hide_possible_values = true)]
    source: Option<SourceName>,
}

/// For clap: one MAC address, and what to do with a list.
fn one_mac(text: &str) -> Result<Mac, String> {
    if text == "-" {
        return Err(
            "wait is for one endpoint; a list is waited for by --wait-for of coa, anc apply and \
             anc clear"
                .to_owned(),
        );
    }
    input::mac(text)
}

impl Wait {
    /// Waits, and prints what it was waited for.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        // Of all commands this one has an end to wait for: the option of all means that here.
        let patience = context.global.timeout.as_deref().map(parse).transpose()?;
        let counts = match self.after.as_deref() {
            Some(text) => Counts::After(parse_when(text, Timestamp::now())?),
            None => Counts::Any,
        };
        let (sessions, columns) = match choose(context, self.source) {
            Source::Mnt => (
                Sessions::Mnt(context.mnt()?),
                super::mnt::columns_of("ise mnt session"),
            ),
            Source::Pxgrid => {
                let body = json!({ "macAddress": self.mac.to_string() });
                let client = read_operation::ready(context, "session", BY_MAC, &body).await?;
                let columns = super::pxgrid::columns_of("ise pxgrid session");
                (Sessions::Pxgrid(Rc::new(client)), columns)
            }
        };
        let columns = columns.unwrap_or_else(|| Vec::new().into());
        let watched = std::io::stderr().is_terminal();
        let waiting = Waiting {
            sessions,
            condition: self.condition,
            patience: patience.unwrap_or(PATIENCE),
            interval: self.interval,
            reporter: watched.then_some(&context.reporter),
        };
        let found = waiting.until(self.mac, &counts).await;
        let found = found.map_err(|error| about(self.mac, error))?;
        match found {
            Some(session) => context.print(&[session], columns, Shape::Single, ""),
            // That it has none is what was wanted, and there is nothing to print.
            None => Ok(()),
        }
    }
}
