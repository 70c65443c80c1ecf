//! `netapi ise mnt delete`: removes stale session records. The record goes, the endpoint's access to the network does not.

use clap::Args;
use serde_json::json;

use crate::cli::Context;
use crate::cli::input;
use crate::error::{Error, Result};
use crate::mnt::DeleteTarget;
use crate::record::{Mac, Record};
use crate::render::{Column, Format, column};

const COLUMNS: &[Column] = &[column("DELETED", "deleted"), column("STATUS", "status")];

/// Arguments.
#[derive(Args, Debug)]
#[command(
    group = clap::ArgGroup::new("target").required(true).multiple(false),
    after_help = "\
Examples:
  netapi ise mnt delete C8:5B:76:C6:59:62
  netapi ise mnt delete --session-id 0A3201000000002A5D2E7781 --yes
  netapi ise mnt delete --all

Only the Monitoring node's record is removed; to take an endpoint off the
network use `netapi ise mnt coa MAC --type disconnect`."
)]
pub(crate) struct Delete {
    /// The endpoint's MAC address
    #[arg(value_name = "MAC", group = "target", value_parser = input::mac)]
    mac: Option<Mac>,
    /// The audit session id
    #[arg(long, value_name = "ID", group = "target")]
    session_id: Option<String>,
    /// Every session record of the node
    #[arg(long, group = "target")]
    all: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

impl Delete {
    /// Asks the user, then the node.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let (target, what) = match (self.mac, self.session_id) {
            (Some(mac), _) => (
                DeleteTarget::Mac(mac),
                format!("the session record of {mac}"),
            ),
            (_, Some(id)) => {
                let what = format!("the session record {id}");
                (DeleteTarget::SessionId(id), what)
            }
            _ => (
                DeleteTarget::All,
                "EVERY session record of the node".to_owned(),
            ),
        };
        let output = context.before_change(COLUMNS, &[])?;
        let client = context.mnt()?;
        if context.settings.read_only()? {
            return Err(Error::usage(
                "delete changes the session directory, and --read-only is set",
            )
            .hint("leave out --read-only, or unset NETAPI_READ_ONLY"));
        }
        if !context.global.shows_only() {
            input::confirm_deletion(&what, self.yes, context.global.no_input)?;
        }
        let answer = client.delete(client.requests().delete(&target)?).await?;
        if context.global.chosen_format() == Some(Format::Xml) {
            return context.print_raw(&answer.raw, COLUMNS);
        }
        let name = match &target {
            DeleteTarget::Mac(mac) => mac.to_string(),
            DeleteTarget::SessionId(id) => id.clone(),
            DeleteTarget::All => "all".to_owned(),
        };
        let status = answer
            .record
            .text("status")
            .map_or_else(|| "SUCCESSFUL".into(), std::borrow::Cow::into_owned);
        let record = Record::from_value(json!({ "deleted": name, "status": status }));
        context.print_change(output, &record)
    }
}
