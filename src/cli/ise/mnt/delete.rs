//! `netapi ise mnt delete`: removes stale session records. The record goes, the endpoint's access
//! to the network does not.

use clap::Args;
use serde_json::{Value, json};

use crate::cli::Context;
use crate::cli::bulk::{Changing, ListOptions, Yes};
use crate::cli::change_under_way::{self, Attempt, Carried, Change};
use crate::cli::input::{self, MacOrList};
use crate::error::Result;
use crate::mnt::{DeleteTarget, MntClient};
use crate::record::{Mac, Record};
use crate::render::{Column, column};

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
  netapi ise mnt delete - --yes < macs.txt

Only the Monitoring node's record is removed; to take an endpoint off the
network use `netapi ise mnt coa MAC --type disconnect`."
)]
pub(crate) struct Delete {
    /// The endpoint's MAC address, or '-' for one a line on standard input
    #[arg(value_name = "MAC", group = "target", value_parser = input::mac_or_list)]
    mac: Option<MacOrList>,
    /// The audit session id
    #[arg(long, value_name = "ID", group = "target")]
    session_id: Option<String>,
    /// Every session record of the node
    #[arg(long, group = "target")]
    all: bool,
    #[command(flatten)]
    yes: Yes,
    #[command(flatten)]
    list: ListOptions,
}

impl Delete {
    /// Asks the user, then the node.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let (target, what) = match (self.mac, self.session_id) {
            (Some(MacOrList::List), _) => {
                context.refuse_xml("a list joins many documents")?;
                let change = Records(context.mnt()?);
                let changing = Changing {
                    change: &change,
                    options: &self.list,
                    yes: self.yes,
                };
                return changing.run(context).await;
            }
            (Some(MacOrList::One(mac)), _) => (
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
        self.list.for_one()?;
        let output = context.before_change(COLUMNS, &[])?;
        let client = context.mnt()?;
        if !context.global.shows_only() {
            input::confirm_deletion(&what, self.yes.is_given(), context.global.no_input)?;
        }
        let request = client.requests().delete(&target)?;
        let attempt = Attempt::default();
        attempt.sending()?;
        let what = format!("the deletion of {what}");
        let deleting = client.delete(request);
        let answer = change_under_way::alone(&attempt, &what, |_| look(), deleting).await?;
        if context.print_xml(&answer.raw, COLUMNS)? {
            return Ok(());
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

fn look() -> String {
    "look with `netapi ise mnt sessions` whether it is still there before you repeat it".to_owned()
}

/// The session records of listed endpoints.
struct Records(MntClient);

impl Change for Records {
    fn command(&self) -> String {
        "delete".to_owned()
    }

    fn question(&self) -> String {
        "Delete the session records of".to_owned()
    }

    fn asks_always(&self) -> bool {
        true
    }

    fn what(&self, mac: Mac) -> String {
        format!("the deletion of the session record of {mac}")
    }

    fn look(&self, mac: Mac, _answer: Option<&Value>) -> String {
        format!("look with `netapi ise mnt session {mac}` before you repeat it")
    }

    async fn carry_out(&self, mac: Mac, attempt: &Attempt<'_>) -> Result<Carried> {
        let request = self.0.requests().delete(&DeleteTarget::Mac(mac))?;
        attempt.sending()?;
        let answer = self.0.delete(request).await?;
        attempt.settled();
        Ok(Carried {
            already: false,
            reason: None,
            answer: Some(answer.record.to_value()),
            record: answer.record,
        })
    }
}
