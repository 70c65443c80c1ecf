//! `netapi ise pxgrid`: pxGrid's commands, one file each. What only reads a service is a row of the
//! catalogue, asked by `read_operation`.

mod account;
mod anc;
mod call;
mod callback_args;
mod columns;
mod connection_state;
mod dead_letters;
mod delivery_listener;
mod endpoints;
#[cfg(feature = "nats")]
mod fleet;
mod groups;
mod mdm;
#[cfg(feature = "nats")]
mod nats_login;
mod posture;
mod profiler;
mod publish;
mod radius;
pub(super) mod read_operation;
mod services;
mod session;
mod sessions;
mod subscribe;
mod sxp;
mod system;
pub(super) mod test;
mod trustsec;
#[cfg(feature = "nats")]
mod worker;

use std::process::ExitCode;

use clap::Subcommand;
use jiff::Timestamp;

use crate::cli::Context;
use crate::cli::context::DONE;
use crate::error::Result;
use crate::pxgrid::catalogue;
use crate::render::Columns;

/// The columns of a command's records.
pub(super) fn columns_of(path: &str) -> Option<Columns> {
    let (service, operation) = match path.strip_prefix("ise pxgrid ")? {
        "sessions" | "session" => ("session", "getSessions"),
        "groups" => ("session", "getUserGroups"),
        "anc policies" | "anc policy" => ("anc", "getPolicies"),
        "anc endpoints" | "anc endpoint" => ("anc", "getEndpoints"),
        "trustsec groups" => ("trustsec-config", "getSecurityGroups"),
        "trustsec acls" => ("trustsec-config", "getSecurityGroupAcls"),
        "trustsec policies" => ("trustsec-config", "getEgressPolicies"),
        "trustsec matrices" => ("trustsec-config", "getEgressMatrices"),
        "sxp bindings" => ("sxp", "getBindings"),
        "radius failures" | "radius failure" => ("radius", "getFailures"),
        "profiler profiles" => ("profiler", "getProfiles"),
        "mdm endpoints" => ("mdm", "getEndpoints"),
        "system health" => ("system", "getHealths"),
        "system performance" => ("system", "getPerformances"),
        "endpoints" => ("endpoint", "getEndpoints"),
        _ => return None,
    };
    catalogue::operation(service, operation).map(columns::of)
}

/// `netapi ise pxgrid …`
#[derive(Subcommand, Debug)]
pub(crate) enum Pxgrid {
    /// Walk the whole path to pxGrid and say what to mend
    Test(test::Test),
    /// Our account: create, activate, show
    #[command(subcommand, arg_required_else_help = true)]
    Account(account::Account),
    /// Which services are up, on which nodes, with their topics
    Services(services::Services),
    /// All sessions
    Sessions(Box<sessions::Sessions>),
    /// One session in full
    Session(session::Session),
    /// Groups of users, or of one user
    Groups(groups::Groups),
    /// Events as they happen: printed, or each handed to a callback
    Subscribe(Box<subscribe::Subscribe>),
    /// Run a callback for a stream's events, on any number of machines
    #[cfg(feature = "nats")]
    Worker(Box<worker::Worker>),
    /// Events that no callback took: list, deliver again, drop
    #[command(subcommand, arg_required_else_help = true)]
    DeadLetters(dead_letters::DeadLetters),
    /// What runs on several machines: how it stands, what failed, permissions
    #[cfg(feature = "nats")]
    #[command(subcommand, arg_required_else_help = true)]
    Fleet(fleet::Fleet),
    /// Adaptive Network Control: policies and their endpoints
    #[command(subcommand, arg_required_else_help = true)]
    Anc(anc::Anc),
    /// TrustSec: security groups, ACLs, policies, matrices, networks
    #[command(subcommand, arg_required_else_help = true)]
    Trustsec(trustsec::Trustsec),
    /// SXP: which security group tag an address has
    #[command(subcommand, arg_required_else_help = true)]
    Sxp(sxp::Sxp),
    /// RADIUS failures
    #[command(subcommand, arg_required_else_help = true)]
    Radius(radius::Radius),
    /// Profiler policies
    #[command(subcommand, arg_required_else_help = true)]
    Profiler(profiler::Profiler),
    /// Endpoints under mobile device management
    #[command(subcommand, arg_required_else_help = true)]
    Mdm(mdm::Mdm),
    /// Health and performance of ISE's nodes
    #[command(subcommand, arg_required_else_help = true)]
    System(system::System),
    /// Endpoints with their profiler attributes (ISE 3.3)
    Endpoints(endpoints::Endpoints),
    /// Posture: endpoints, their applications and hardware (ISE 3.4)
    #[command(subcommand, arg_required_else_help = true)]
    Posture(posture::Posture),
    /// Publish assets (context-in), or a service of your own
    Publish(publish::Publish),
    /// Any operation of any service, the answer as it came
    Call(call::Call),
}

impl Pxgrid {
    /// Runs the command.
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        context.run(async {
            match self {
                Self::Subscribe(command) => return command.run(context).await,
                #[cfg(feature = "nats")]
                Self::Worker(command) => return Box::pin(command.run(context)).await,
                Self::DeadLetters(command) => return Box::pin(command.run(context)).await,
                #[cfg(feature = "nats")]
                Self::Fleet(command) => return Box::pin(command.run(context)).await,
                Self::Publish(command) => return Box::pin(command.run(context)).await,
                Self::Test(command) => command.run(context).await,
                Self::Account(command) => command.run(context).await,
                Self::Services(command) => command.run(context).await,
                Self::Sessions(command) => command.run(context).await,
                Self::Session(command) => command.run(context).await,
                Self::Groups(command) => command.run(context).await,
                Self::Anc(command) => command.run(context).await,
                Self::Trustsec(command) => command.run(context).await,
                Self::Sxp(command) => command.run(context).await,
                Self::Radius(command) => command.run(context).await,
                Self::Profiler(command) => command.run(context).await,
                Self::Mdm(command) => command.run(context).await,
                Self::System(command) => command.run(context).await,
                Self::Endpoints(command) => command.run(context).await,
                Self::Posture(command) => command.run(context).await,
                Self::Call(command) => command.run(context).await,
            }?;
            Ok(DONE)
        })
    }
}

/// `--since` as the request's member.
fn timestamp(since: Option<&str>) -> Result<Option<String>> {
    let time = since.map(|text| crate::settings::duration::parse_when(text, Timestamp::now()));
    Ok(time.transpose()?.map(wire_time))
}

/// A time as requests have it: RFC 3339 to the millisecond, which is as fine as ISE's own times
/// are.
pub(super) fn wire_time(time: Timestamp) -> String {
    let whole = Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time);
    whole.to_string()
}
