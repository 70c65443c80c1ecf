//! `netapi ise pxgrid session`: one session in full, or one for each MAC address on standard input.

use std::net::IpAddr;

use clap::Args;
use serde_json::json;

use super::ask::{Ask, shown};
use crate::cli::Context;
use crate::cli::bulk::{Bulk, Jobs};
use crate::cli::input::{self, EMPTY_LIST, MacOrList};
use crate::error::Result;
use crate::record::{Mac, Record};
use crate::render::Shape;

const BY_MAC: &str = "getSessionByMacAddress";
const NOTHING: &str = "it has no session now; `netapi ise mnt explain MAC` shows its last attempts";

/// Arguments: exactly one selector.
#[derive(Args, Debug)]
#[command(
    group = clap::ArgGroup::new("selector").required(true).multiple(false),
    after_help = "\
Examples:
  netapi ise pxgrid session C8:5B:76:C6:59:62
  netapi ise pxgrid session --ip 10.50.10.100 --json
  cut -f1 macs.tsv | netapi ise pxgrid session - --format jsonl

From a list, what was found is printed, each address that failed is named on
standard error, and the exit status is 1."
)]
pub(crate) struct Session {
    /// The endpoint's MAC address in any spelling, or '-' for one a line on standard input
    #[arg(value_name = "MAC", group = "selector", value_parser = input::mac_or_list)]
    mac: Option<MacOrList>,
    /// The endpoint's IP address
    #[arg(long, value_name = "IP", group = "selector", value_parser = input::ip)]
    ip: Option<IpAddr>,
    #[command(flatten)]
    jobs: Jobs,
}

impl Session {
    /// Asks and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        match (self.mac, self.ip) {
            (Some(MacOrList::List), _) => listed(context, self.jobs).await,
            (Some(MacOrList::One(mac)), _) => by_mac(mac).one(context).await,
            (None, ip) => {
                let address = ip.map(|ip| ip.to_string());
                Ask::new("session", "getSessionByIpAddress", NOTHING)
                    .with_some("ipAddress", address)
                    .one(context)
                    .await
            }
        }
    }
}

fn by_mac(mac: Mac) -> Ask {
    Ask::new("session", BY_MAC, NOTHING).with("macAddress", mac.to_string())
}

async fn listed(context: &Context, jobs: Jobs) -> Result<()> {
    let columns = Ask::new("session", BY_MAC, NOTHING).columns()?;
    let client = context.pxgrid()?;
    let output = context.output_of("rows", columns, Shape::List)?;
    let bulk = Bulk::once_each(jobs);
    bulk.for_each_mac(context, output, EMPTY_LIST, async |mac| {
        let body = json!({ "macAddress": mac.to_string() });
        shown(context, &client, "session", BY_MAC, &body).await?;
        let answer = client.query("session", BY_MAC, &body).await?;
        Ok(vec![Record::Json(answer)])
    })
    .await
}
