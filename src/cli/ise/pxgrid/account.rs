//! `netapi ise pxgrid account`: making a password account, activating ours and waiting for its
//! approval, looking at it.

use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::Context;
use crate::cli::change_under_way::{self, Attempt};
use crate::cli::input;
use crate::cli::pxgrid_context;
use crate::error::{Error, Kind, Result};
use crate::pxgrid::control::{Activation, Call, require_enabled};
use crate::pxgrid::{Account as Ours, AccountState, Control};
use crate::record::Record;
use crate::render::{CellKind, Column, Shape, column};

/// ISE wants to be asked no more often than this while an account is pending (reference pxgrid-api,
/// section 1).
const PAUSE: Duration = Duration::from_mins(1);

const COLUMNS: &[Column] = &[
    column("NAME", "nodeName"),
    column("STATE", "accountState"),
    column("VERSION", "version"),
    column("CERTIFICATE", "certificate.subject"),
    column("UNTIL", "certificate.notAfter").kind(CellKind::Time),
];

const NEW: &[Column] = &[column("NAME", "nodeName"), column("PASSWORD", "password")];

/// `netapi ise pxgrid account …`
#[derive(Subcommand, Debug)]
pub(crate) enum Account {
    /// Make an account with a password, for a client without certificate
    Create(Create),
    /// Activate our account, and wait for an administrator to approve it
    Activate(Activate),
    /// Our name, our certificate, and the account's state
    #[command(after_help = "\
Example:
  netapi ise pxgrid account show --json

The state is the answer, whatever it is: the exit status is 0 also for an
account that awaits approval.")]
    Show,
}

/// Arguments of `create`.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  netapi ise pxgrid account create reporter --jq .password > ~/.pxgrid-password

The password is printed once and kept nowhere. ISE must allow password accounts
(Administration > pxGrid Services > Settings). Then: `netapi ise pxgrid account
activate --client-name reporter --client-password-file ~/.pxgrid-password`.")]
pub(crate) struct Create {
    /// The new account's name
    #[arg(value_name = "NAME")]
    name: String,
}

/// Arguments of `activate`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise pxgrid account activate
  netapi ise pxgrid account activate --wait 10m

An account that still awaits approval at the end ends the command with exit
status 8.")]
pub(crate) struct Activate {
    /// How long to wait for the approval; ISE is asked once a minute
    #[arg(long, value_name = "DURATION", value_parser = input::duration)]
    wait: Option<Duration>,
}

impl Account {
    /// Asks and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::Create(create) => create.run(context).await,
            Self::Activate(activate) => activate.run(context).await,
            Self::Show => show(context).await,
        }
    }
}

impl Create {
    async fn run(self, context: &Context) -> Result<()> {
        let output = context.before_change(NEW, &["userName"])?;
        let settings = context.settings.pxgrid()?;
        let account = Ours {
            name: self.name.parse()?,
            password: None,
        };
        let identity = context.identity(&settings)?.map(|(identity, _)| identity);
        let client = context.pxgrid_http(&settings, identity)?;
        let call = Call::account_create(&account.name);
        let control = pxgrid_context::control(&settings, client, account)?;
        let attempt = Attempt::default();
        attempt.sending()?;
        let what = format!("AccountCreate of {}", self.name);
        let look = |_: Option<&Value>| {
            "the account may be there with a password that nobody has: delete it in ISE (Administration > pxGrid Services > Client Management > Clients) before you create it again".to_owned()
        };
        let creating = async {
            let (host, answer) = control.call(&call).await?;
            if answer.get("password").and_then(Value::as_str).is_none() {
                return Err(Error::new(
                    Kind::Malformed,
                    format!("{host} answered AccountCreate without a password"),
                )
                .host(host));
            }
            Ok(answer)
        };
        let answer = change_under_way::alone(&attempt, &what, look, creating).await?;
        let printed = context.print_change(output, &Record::from_value(answer));
        // A filter's own words hold the value that it failed on, which is the password.
        printed.map_err(|error| match error.kind() {
            Kind::Expression => error.reworded("--jq: the expression failed on the answer"),
            _ => error,
        })
    }
}

impl Activate {
    async fn run(self, context: &Context) -> Result<()> {
        let output = context.before_change(COLUMNS, &[])?;
        let client = context.pxgrid()?;
        let control = client.control();
        let name = &control.account().name;
        let until = self.wait.map(|wait| Instant::now() + wait);
        let mut activation = control.activate(None).await?;
        while activation.state == AccountState::Pending
            && let Some(left) = until.and_then(|until| until.checked_duration_since(Instant::now()))
            && !left.is_zero()
        {
            context.reporter.note(&format!(
                "'{name}' awaits approval in ISE: Administration > pxGrid Services > Client Management > Clients"
            ));
            tokio::time::sleep(PAUSE.min(left)).await;
            activation = control.activate(None).await?;
        }
        context.print_change(output, &record(control, &activation, None))?;
        require_enabled(&activation, name)
    }
}

async fn show(context: &Context) -> Result<()> {
    let (client, facts) = context.pxgrid_as()?;
    let control = client.control();
    let activation = control.activate(None).await?;
    let certificate = facts.map(|facts| {
        json!({
            "subject": facts.subject,
            "issuer": facts.issuer,
            "notBefore": facts.not_before.to_string(),
            "notAfter": facts.not_after.to_string(),
            "sha256": facts.sha256,
        })
    });
    let record = record(control, &activation, certificate);
    context.print(&[record], COLUMNS, Shape::Single, "")
}

fn record(control: &Control, activation: &Activation, certificate: Option<Value>) -> Record {
    let state = match activation.state {
        AccountState::Enabled => "ENABLED",
        AccountState::Pending => "PENDING",
        AccountState::Disabled => "DISABLED",
    };
    let mut value = json!({
        "nodeName": control.account().name.as_str(),
        "accountState": state,
        "version": activation.version,
    });
    if let (Some(members), Some(certificate)) = (value.as_object_mut(), certificate) {
        members.insert("certificate".into(), certificate);
    }
    Record::from_value(value)
}
