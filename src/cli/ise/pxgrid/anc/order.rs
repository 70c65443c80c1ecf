//! `anc apply` and `anc clear`: one order for one endpoint or for a list of them, given exactly once each, and waiting for the outcome.

use std::net::IpAddr;
use std::time::Duration;

use clap::Args;

use crate::cli::Context;
use crate::cli::bulk::{Bulk, Jobs};
use crate::cli::input::{self, EMPTY_LIST, MacOrList};
use crate::cli::ise::pxgrid::ask::{Ask, permitted, shown};
use crate::error::{Error, Kind, Result};
use crate::pxgrid::ServiceClient;
use crate::pxgrid::anc::{self, Order, State, Status, Target};
use crate::record::{Mac, Record};

use super::SERVICE;

/// Which endpoints.
#[derive(Args, Debug)]
#[group(skip)]
struct Whom {
    /// The endpoint's MAC address, or '-' for one a line on standard input
    #[arg(long, value_name = "MAC", group = "endpoint", value_parser = input::mac_or_list)]
    mac: Option<MacOrList>,
    /// The address of an endpoint with an active session
    #[arg(long, value_name = "IP", group = "endpoint", value_parser = input::ip)]
    ip: Option<IpAddr>,
    /// Only at this network device (2.6p7, 2.7p2, 3.0); do not mix with orders without it
    #[arg(long, value_name = "IP", conflicts_with = "ip", value_parser = input::ip)]
    nas: Option<IpAddr>,
}

/// How long to wait for the outcome.
#[derive(Args, Debug)]
struct Patience {
    /// How long to wait for the outcome
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = input::duration)]
    wait: Duration,
    /// Print the operation at once, with its id for `anc status`
    #[arg(long, conflicts_with = "wait")]
    no_wait: bool,
    #[command(flatten)]
    jobs: Jobs,
}

/// Arguments of `apply`.
#[derive(Args, Debug)]
#[command(
    group = clap::ArgGroup::new("endpoint").required(true).multiple(false),
    after_help = "\
Examples:
  netapi ise pxgrid anc apply --mac C8:5B:76:C6:59:62 --policy Quarantine
  netapi ise pxgrid anc apply --ip 10.50.10.100 --policy Quarantine --no-wait
  netapi ise pxgrid anc apply --mac - --policy Quarantine < macs.txt

An endpoint that has the policy already counts as done. An order is never
repeated; one that still runs when the waiting is over ends with exit status 8."
)]
pub(crate) struct Apply {
    #[command(flatten)]
    whom: Whom,
    /// The policy's name
    #[arg(long, value_name = "NAME")]
    policy: String,
    #[command(flatten)]
    patience: Patience,
}

/// Arguments of `clear`.
#[derive(Args, Debug)]
#[command(
    group = clap::ArgGroup::new("endpoint").required(true).multiple(false),
    after_help = "\
Examples:
  netapi ise pxgrid anc clear --mac C8:5B:76:C6:59:62
  netapi ise pxgrid anc clear --mac - < macs.txt

An endpoint without a policy is an error, in ISE's words. An order is never
repeated; one that still runs when the waiting is over ends with exit status 8."
)]
pub(crate) struct Clear {
    #[command(flatten)]
    whom: Whom,
    #[command(flatten)]
    patience: Patience,
}

impl Apply {
    /// Orders, waits and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let order = Order::Apply(self.policy);
        carry_out(context, &order, self.whom, &self.patience).await
    }
}

impl Clear {
    /// Orders, waits and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        carry_out(context, &Order::Clear, self.whom, &self.patience).await
    }
}

async fn carry_out(
    context: &Context,
    order: &Order,
    whom: Whom,
    patience: &Patience,
) -> Result<()> {
    let operation = match order {
        Order::Apply(_) => "applyEndpointByMacAddress",
        Order::Clear => "clearEndpointByMacAddress",
    };
    permitted(context, SERVICE, operation)?;
    let ask = Ask::new(SERVICE, operation, "");
    let output = ask.before_change(context)?;
    let client = context.pxgrid()?;
    let target = match (whom.mac, whom.ip) {
        (Some(MacOrList::One(mac)), _) => at(mac, whom.nas),
        (_, Some(ip)) => Target::Ip(ip),
        (Some(MacOrList::List), None) => {
            let output = ask.output_of_changes(context)?;
            let bulk = Bulk::once_each(patience.jobs);
            let order_one = async |mac| {
                let target = at(mac, whom.nas);
                let status = give(context, &client, order, &target, patience).await?;
                judge(context, order, &target, &status, patience)?;
                Ok(vec![Record::Json(status.json)])
            };
            return bulk
                .for_each_mac(context, output, EMPTY_LIST, order_one)
                .await;
        }
        (None, None) => return Err(Error::usage("no endpoint given")),
    };
    let status = give(context, &client, order, &target, patience).await?;
    let judged = judge(context, order, &target, &status, patience);
    // A failure's own words are in the error; what runs has an id that is needed.
    if judged.is_ok() || status.state == State::Running {
        let record = Record::Json(status.json);
        context.print_change(output, &record)?;
    }
    judged
}

fn at(mac: Mac, nas: Option<IpAddr>) -> Target {
    match nas {
        Some(nas) => Target::MacAtNas(mac, nas),
        None => Target::Mac(mac),
    }
}

/// Gives the order once, and waits unless that is not wanted.
async fn give(
    context: &Context,
    client: &ServiceClient,
    order: &Order,
    target: &Target,
    patience: &Patience,
) -> Result<Status> {
    let (operation, body) = anc::operation(order, target);
    shown(context, client, SERVICE, operation, &body).await?;
    let first = anc::start(client, order, target).await?;
    if patience.no_wait {
        return Ok(first);
    }
    anc::wait(client, first, patience.wait).await
}

/// What the status means; says so when there was nothing to do.
fn judge(
    context: &Context,
    order: &Order,
    target: &Target,
    status: &Status,
    patience: &Patience,
) -> Result<()> {
    if patience.no_wait && status.state == State::Running {
        return Ok(());
    }
    let endpoint = match target {
        Target::Mac(mac) => mac.to_string(),
        Target::Ip(ip) => ip.to_string(),
        Target::MacAtNas(mac, nas) => format!("{mac} at {nas}"),
    };
    match anc::outcome(order, status) {
        Ok(()) => {
            if let (State::Failure, Order::Apply(policy)) = (status.state, order) {
                context
                    .reporter
                    .note(&format!("{endpoint} had the policy {policy} already"));
            }
            Ok(())
        }
        Err(error) => {
            let what = match order {
                Order::Apply(policy) => format!("{policy} for {endpoint}"),
                Order::Clear => format!("clearing {endpoint}"),
            };
            let kind = error.kind();
            let message = format!("{what}: {}", error.message());
            let told = error.reworded(message);
            Err(match kind {
                Kind::Server => told.hint(advice(order, target)),
                _ => told,
            })
        }
    }
}

/// What to look at after a failure: the causes that the reference knows (section 3.3) for this order and target.
fn advice(order: &Order, target: &Target) -> &'static str {
    match (order, target) {
        (Order::Apply(_), Target::Ip(_)) => {
            "does the policy exist (`netapi ise pxgrid anc policies`), and has the address an active session (`netapi ise pxgrid session --ip IP`)? --mac needs none"
        }
        (Order::Apply(_), _) => {
            "does the policy exist? `netapi ise pxgrid anc policies` lists them"
        }
        (Order::Clear, Target::Ip(_)) => {
            "has the address an active session (`netapi ise pxgrid session --ip IP`), and a policy (`netapi ise pxgrid anc endpoints`)?"
        }
        (Order::Clear, _) => {
            "`netapi ise pxgrid anc endpoints` lists those that have a policy; one that was put on with --nas must be taken off with it"
        }
    }
}

/// The outcome of an operation of which only the id is known. Only an order to apply fails because it was carried out already.
pub(super) fn told(status: &Status) -> Result<()> {
    anc::outcome(&Order::Apply(String::new()), status)
}
