//! `netapi ise mnt coa`: change of authorization, of one endpoint or of a list. The policy service
//! node is found from the session; the request is sent exactly once.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::cli::Context;
use crate::cli::bulk::{Changing, ListOptions, Yes};
use crate::cli::change_under_way::{self, Attempt, Carried, Change};
use crate::cli::input::{self, MacOrList};
use crate::error::{Error, Kind, Result};
use crate::mnt::{Coa as Kinds, MntClient, psn_of};
use crate::record::{Mac, Record};
use crate::render::{Column, column};

const COLUMNS: &[Column] = &[
    column("MAC", "mac"),
    column("ACTION", "action"),
    column("SERVER", "server"),
    column("RESULT", "result"),
];

/// What the endpoint's switch or controller is told.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    /// Authenticate again
    #[value(alias = "Reauth", alias = "reauthenticate")]
    Reauth,
    /// End the session
    #[value(alias = "Disconnect")]
    Disconnect,
    /// Take the switch port down and up again
    #[value(alias = "PortBounce", alias = "portbounce")]
    PortBounce,
    /// Shut the switch port
    #[value(alias = "PortShutdown", alias = "portshutdown")]
    PortShutdown,
}

/// Arguments.
#[derive(Args, Debug)]
#[command(
    group = clap::ArgGroup::new("endpoint").required(true).multiple(false),
    after_help = "\
Examples:
  netapi ise mnt coa C8:5B:76:C6:59:62
  netapi ise mnt coa C8:5B:76:C6:59:62 --type port-bounce
  netapi ise mnt coa --mac C8:5B:76:C6:59:62 --action reauth
  netapi ise mnt coa C8:5B:76:C6:59:62 -t disconnect --dry-run
  netapi ise mnt coa - -t reauth --report done.jsonl < macs.txt

The request is never repeated. 'sent' means that the node sent it, not that the
endpoint came back: look with `netapi ise mnt session`. A list has one row for
each input: done, already, failed, invalid or not-sent, and why."
)]
pub(crate) struct Coa {
    /// The endpoint's MAC address, or '-' for one a line on standard input
    #[arg(value_name = "MAC", group = "endpoint", value_parser = input::mac_or_list)]
    mac: Option<MacOrList>,
    /// The same, as an option
    #[arg(long = "mac", value_name = "MAC", group = "endpoint", value_parser = input::mac_or_list, hide = true)]
    mac_option: Option<MacOrList>,
    /// What to do
    #[arg(
        long = "type",
        short = 't',
        alias = "action",
        value_name = "TYPE",
        ignore_case = true,
        default_value = "reauth"
    )]
    action: Action,
    /// The policy service node that sends it, when the session does not tell
    #[arg(long, value_name = "PSN")]
    server: Option<String>,
    #[command(flatten)]
    list: ListOptions,
    #[command(flatten)]
    yes: Yes,
}

impl Coa {
    /// Finds the node, sends once, reads the result.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let Some(endpoint) = self.mac.or(self.mac_option) else {
            return Err(Error::usage("no MAC address given"));
        };
        let coa = Authorization {
            action: self.action,
            server: self.server,
            look_up: !context.global.curl,
            client: context.mnt_that_reads()?,
        };
        let mac = match endpoint {
            MacOrList::One(mac) => mac,
            MacOrList::List => {
                let changing = Changing {
                    change: &coa,
                    options: &self.list,
                    yes: self.yes,
                };
                return changing.run(context).await;
            }
        };
        self.list.for_one()?;
        let output = context.before_change(COLUMNS, &[])?;
        let attempt = Attempt::default();
        let look = |answer: Option<&Value>| coa.look(mac, answer);
        let carrying = coa.carry_out(mac, &attempt);
        let carried = change_under_way::alone(&attempt, &coa.what(mac), look, carrying).await?;
        context.print_change(output, &carried.record)
    }
}

/// One kind of change of authorization.
struct Authorization {
    client: MntClient,
    action: Action,
    server: Option<String>,
    /// Whether the session may be asked for its node.
    look_up: bool,
}

impl Authorization {
    fn name(&self) -> String {
        let value = self.action.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// The node that holds the session.
    async fn node(&self, mac: Mac) -> Result<String> {
        match &self.server {
            Some(server) => Ok(server.clone()),
            // Only a lookup could tell (contract, section 8).
            None if !self.look_up => Ok("PSN-OF-THE-SESSION".to_owned()),
            None => {
                let answer = self.client.session_by_mac(mac).await;
                let session = answer.map_err(|error| no_session(error, mac))?.record;
                psn_of(&session, mac)
            }
        }
    }
}

impl Change for Authorization {
    fn command(&self) -> String {
        format!("coa {}", self.name())
    }

    fn question(&self) -> String {
        format!("Send a change of authorization ({}) to", self.name())
    }

    fn what(&self, mac: Mac) -> String {
        format!("the change of authorization ({}) of {mac}", self.name())
    }

    fn look(&self, mac: Mac, _answer: Option<&Value>) -> String {
        format!(
            "look with `netapi ise mnt session {mac}` and `netapi ise mnt auth-status {mac}` before you send it again"
        )
    }

    async fn carry_out(&self, mac: Mac, attempt: &Attempt<'_>) -> Result<Carried> {
        let kind = match self.action {
            Action::Reauth => Kinds::Reauth,
            Action::Disconnect => Kinds::Disconnect,
            Action::PortBounce => Kinds::PortBounce,
            Action::PortShutdown => Kinds::PortShutdown,
        };
        let server = self.node(mac).await?;
        let request = self.client.requests().coa(mac, kind, &server)?;
        attempt.sending()?;
        let answer = self.client.coa(request).await.map_err(|error| {
            let message = format!("{} (PSN {server})", error.message());
            error.reworded(message)
        })?;
        attempt.settled();
        let record = json!({
            "mac": mac.to_string(),
            "action": self.name(),
            "server": server,
            "result": "sent",
        });
        Ok(Carried {
            already: false,
            reason: Some(format!("sent by {server}")),
            answer: Some(answer.record.to_value()),
            record: Record::from_value(record),
        })
    }
}

fn no_session(error: Error, mac: Mac) -> Error {
    if error.kind() == Kind::NotFound {
        return error.hint(format!(
            "a change of authorization needs a session; `netapi ise mnt explain {mac}` shows the last attempts"
        ));
    }
    error
}
