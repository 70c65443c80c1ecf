//! `netapi ise mnt coa`: change of authorization. The policy service node is found from the session; the request is sent exactly once.

use clap::{Args, ValueEnum};
use serde_json::json;

use crate::cli::Context;
use crate::cli::input;
use crate::error::{Error, Kind, Result};
use crate::mnt::{Coa as Change, Reauth, psn_of};
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

The request is never repeated. 'sent' means that the node sent it, not that the
endpoint came back: look with `netapi ise mnt session`."
)]
pub(crate) struct Coa {
    /// The endpoint's MAC address
    #[arg(value_name = "MAC", group = "endpoint", value_parser = input::mac)]
    mac: Option<Mac>,
    /// The same, as an option
    #[arg(long = "mac", value_name = "MAC", group = "endpoint", value_parser = input::mac, hide = true)]
    mac_option: Option<Mac>,
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
}

impl Coa {
    /// Finds the node, sends once, reads the result.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        context.refuse_xml("this command joins two documents")?;
        let Some(mac) = self.mac.or(self.mac_option) else {
            return Err(Error::usage("no MAC address given"));
        };
        let action = match self.action {
            Action::Reauth => Change::Reauth(Reauth::Default),
            Action::Disconnect => Change::Disconnect,
            Action::PortBounce => Change::PortBounce,
            Action::PortShutdown => Change::PortShutdown,
        };
        if context.settings.read_only()? {
            return Err(
                Error::usage("coa changes the network, and --read-only is set")
                    .hint("leave out --read-only, or unset NETAPI_READ_ONLY"),
            );
        }
        let output = context.before_change(COLUMNS, &[])?;
        let client = context.mnt_that_reads()?;
        let server = match self.server {
            Some(server) => server,
            // Only a lookup could tell the node (contract, section 8).
            None if context.global.curl => "PSN-OF-THE-SESSION".to_owned(),
            None => {
                let answer = client.session_by_mac(mac).await;
                let session = answer.map_err(|error| no_session(error, mac))?.record;
                psn_of(&session, mac)?
            }
        };
        let request = client.requests().coa(mac, action, &server)?;
        client.coa(request).await?;
        let name = self
            .action
            .to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default();
        let record = Record::from_value(
            json!({ "mac": mac.to_string(), "action": name, "server": server, "result": "sent" }),
        );
        context.print_change(output, &record)
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
