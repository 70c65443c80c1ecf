//! `netapi ise pxgrid anc`: Adaptive Network Control. What reads is asked as any service is; orders
//! to put a policy on an endpoint, or to take it off, are in `policy_change`.

mod policy_change;

use std::net::IpAddr;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::read_operation::{Ask, ready};
use crate::cli::Context;
use crate::cli::bulk::ListOptions;
use crate::cli::change_under_way::{self, Attempt};
use crate::cli::filters::{Filters, kinds};
use crate::cli::input::{self, MacOrList};
use crate::error::{Kind, Result};
use crate::pxgrid::{ServiceClient, anc};
use crate::record::{JsonText, Record};
use crate::render::{Shape, column};
use crate::transport::show::quote;

const SERVICE: &str = "anc";
const NO_OPERATION: &str = "an id is what apply and clear print, and ISE keeps it for a while only; `netapi ise pxgrid anc endpoints` lists the endpoints that have a policy";
const NO_POLICY: &str = "`netapi ise pxgrid anc policies` lists the policies";

/// `netapi ise pxgrid anc …`
#[derive(Subcommand, Debug)]
pub(crate) enum Anc {
    /// The policies and what they do
    #[command(after_help = "Example:\n  netapi ise pxgrid anc policies")]
    Policies,
    /// One policy
    #[command(after_help = "Example:\n  netapi ise pxgrid anc policy Quarantine --json")]
    Policy(Named),
    /// Make a policy
    Create(Create),
    /// Delete a policy
    #[command(after_help = "\
Examples:
  netapi ise pxgrid anc delete Quarantine
  netapi ise pxgrid anc delete Quarantine --dry-run")]
    Delete(Named),
    /// Endpoints that have a policy
    Endpoints(Box<Endpoints>),
    /// The policy of one endpoint
    Endpoint(Endpoint),
    /// Put a policy on endpoints
    Apply(policy_change::Apply),
    /// Take the policy off endpoints
    Clear(policy_change::Clear),
    /// How far an operation is
    Status(Status),
}

/// A policy's name.
#[derive(Args, Debug)]
pub(crate) struct Named {
    /// The policy's name
    #[arg(value_name = "NAME")]
    name: String,
}

/// What ISE does to an endpoint with the policy (reference pxgrid-api, section 3.3).
#[derive(ValueEnum, Debug, Clone, Copy)]
enum Action {
    /// Authorize it as quarantined
    #[value(alias = "QUARANTINE")]
    Quarantine,
    /// Shut its switch port
    #[value(alias = "SHUT_DOWN", alias = "shutdown")]
    ShutDown,
    /// Take its switch port down and up again
    #[value(alias = "PORT_BOUNCE")]
    PortBounce,
    /// Authenticate it again
    #[value(alias = "RE_AUTHENTICATE", alias = "reauthenticate")]
    ReAuthenticate,
}

impl Action {
    fn wire(self) -> &'static str {
        match self {
            Self::Quarantine => "QUARANTINE",
            Self::ShutDown => "SHUT_DOWN",
            Self::PortBounce => "PORT_BOUNCE",
            Self::ReAuthenticate => "RE_AUTHENTICATE",
        }
    }
}

/// Arguments of `create`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise pxgrid anc create NoAccess --action shut-down
  netapi ise pxgrid anc create bounce --action port-bounce --dry-run")]
pub(crate) struct Create {
    /// The new policy's name
    #[arg(value_name = "NAME")]
    name: String,
    /// What it does; repeatable
    #[arg(long, value_name = "ACTION", required = true, ignore_case = true)]
    action: Vec<Action>,
}

/// Arguments of `endpoints`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise pxgrid anc endpoints
  netapi ise pxgrid anc endpoints --by-nas --json")]
pub(crate) struct Endpoints {
    /// Those that have their policy at one network device (apply --nas) as well
    #[arg(long)]
    by_nas: bool,
    #[command(flatten)]
    filters: Filters,
}

/// Arguments of `endpoint`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise pxgrid anc endpoint C8:5B:76:C6:59:62
  netapi ise pxgrid anc endpoint C8:5B:76:C6:59:62 --nas 10.50.1.10
  netapi ise pxgrid anc endpoint - --format csv < macs.txt")]
pub(crate) struct Endpoint {
    /// The endpoint's MAC address, or '-' for one a line on standard input
    #[arg(value_name = "MAC", value_parser = input::mac_or_list)]
    mac: MacOrList,
    /// The network device at which it has the policy
    #[arg(long, value_name = "IP", value_parser = input::ip)]
    nas: Option<IpAddr>,
    #[command(flatten)]
    list: ListOptions,
}

/// Arguments of `status`.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  netapi ise pxgrid anc status ise-admin-1:42

While the operation runs the state is the answer, with exit status 0; a failed
one ends with 5.")]
pub(crate) struct Status {
    /// The operation's id, as apply and clear print it
    #[arg(value_name = "OPERATION-ID")]
    id: String,
}

impl Anc {
    /// Asks and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::Policies => {
                Ask::new(SERVICE, "getPolicies", "no policies")
                    .list(context)
                    .await
            }
            Self::Policy(Named { name }) => {
                Ask::new(SERVICE, "getPolicyByName", NO_POLICY)
                    .with("name", name)
                    .one(context)
                    .await
            }
            Self::Create(create) => create.run(context).await,
            Self::Delete(Named { name }) => delete(&name, context).await,
            Self::Endpoints(endpoints) => {
                let Endpoints { by_nas, filters } = *endpoints;
                let selection = filters.within(&kinds::ANC_ENDPOINT, (None, None))?;
                let operation = if by_nas {
                    "getEndpointPolicies"
                } else {
                    "getEndpoints"
                };
                Ask::new(SERVICE, operation, "no endpoint has a policy")
                    .list_of(context, selection)
                    .await
            }
            Self::Endpoint(endpoint) => endpoint.run(context).await,
            Self::Apply(apply) => apply.run(context).await,
            Self::Clear(clear) => clear.run(context).await,
            Self::Status(status) => status.run(context).await,
        }
    }
}

impl Endpoint {
    async fn run(self, context: &Context) -> Result<()> {
        let operation = if self.nas.is_some() {
            "getEndpointByNasIpAddress"
        } else {
            "getEndpointByMacAddress"
        };
        let nothing =
            "it has no policy; `netapi ise pxgrid anc endpoints` lists those that have one";
        let nas = self.nas.map(|nas| nas.to_string());
        let ask = Ask::new(SERVICE, operation, nothing).with_some("nasIpAddress", nas);
        let MacOrList::One(mac) = self.mac else {
            let none = "none has a policy";
            return ask.of_each(context, &self.list, "anc endpoint", none).await;
        };
        self.list.for_one()?;
        ask.of(mac).one(context).await
    }
}

impl Create {
    async fn run(self, context: &Context) -> Result<()> {
        let actions: Vec<&str> = self.action.iter().map(|action| action.wire()).collect();
        let body = json!({ "name": self.name, "actions": actions });
        let output = Ask::new(SERVICE, "createPolicy", "").before_change(context)?;
        let client = ready(context, SERVICE, "createPolicy", &body).await?;
        let what = format!("the new policy {}", self.name);
        let mut answer = sent(&client, "createPolicy", &body, &what, &self.name).await?;
        if answer.names().is_empty() {
            // Some releases answer with nothing: what was asked for is then what there is.
            answer = JsonText::from_value(body);
        }
        context.print_change(output, &Record::Json(answer))
    }
}

/// Sends a change of a policy, once; an answer that is lost is told with how to look.
async fn sent(
    client: &ServiceClient,
    operation: &str,
    body: &Value,
    what: &str,
    policy: &str,
) -> Result<JsonText> {
    let attempt = Attempt::default();
    attempt.sending()?;
    let look = |_: Option<&Value>| {
        let policy = quote(policy);
        format!("look with `netapi ise pxgrid anc policy {policy}` before you repeat it")
    };
    change_under_way::alone(&attempt, what, look, client.query(SERVICE, operation, body)).await
}

async fn delete(name: &str, context: &Context) -> Result<()> {
    let body = json!({ "name": name });
    let output = context.before_change([column("DELETED", "deleted")], &[])?;
    let client = ready(context, SERVICE, "deletePolicyByName", &body).await?;
    let what = format!("the deletion of the policy {name}");
    sent(&client, "deletePolicyByName", &body, &what, name)
        .await
        .map_err(|error| match error.kind() {
            Kind::NotFound => error.hint(NO_POLICY),
            _ => error,
        })?;
    let record = Record::from_value(json!({ "deleted": name }));
    context.print_change(output, &record)
}

impl Status {
    async fn run(self, context: &Context) -> Result<()> {
        let body = json!({ "operationId": self.id });
        let columns = Ask::new(SERVICE, "getOperationStatus", "").columns()?;
        let client = ready(context, SERVICE, "getOperationStatus", &body).await?;
        let status = anc::status(&client, &self.id)
            .await
            .map_err(|error| match error.kind() {
                Kind::NotFound => error.hint(NO_OPERATION),
                _ => error,
            })?;
        let state = status.state;
        let record = Record::Json(status.json.clone());
        context.print(&[record], columns, Shape::Single, "")?;
        match state {
            anc::OperationState::Failure => policy_change::check_outcome(&status),
            anc::OperationState::Success | anc::OperationState::Running => Ok(()),
        }
    }
}
