//! `netapi ise mnt`: the Monitoring node's commands, one file each.

mod acct_status;
mod auth_list;
mod auth_status;
pub(super) mod coa;
mod columns;
mod count;
mod delete;
pub(super) mod explain;
mod failure_reasons;
mod get;
mod session;
mod sessions;
mod version;
pub(super) mod watch;

use std::process::ExitCode;

use clap::Subcommand;

use crate::cli::Context;
use crate::cli::context::DONE;
use crate::error::Result;
use crate::render::Columns;

/// The columns of a command's records.
pub(super) fn columns_of(path: &str) -> Option<Columns> {
    match path {
        "ise mnt sessions" | "ise mnt session" => Some(columns::SESSION_DETAIL),
        "ise mnt auth-list" | "ise mnt watch" => Some(columns::SESSION),
        "ise mnt auth-status" => Some(columns::ATTEMPT),
        "ise mnt acct-status" => Some(acct_status::ALL),
        "ise mnt failure-reasons" => Some(failure_reasons::ALL),
        _ => None,
    }
}

/// `netapi ise mnt …`
#[derive(Subcommand, Debug)]
pub(crate) enum Mnt {
    /// Product, version and role of the node
    Version(version::Version),
    /// How many sessions are active
    Count(count::Count),
    /// Active sessions
    Sessions(Box<sessions::Sessions>),
    /// One session in full
    Session(session::Session),
    /// Authenticated sessions in a window of time
    AuthList(Box<auth_list::AuthList>),
    /// Authentication attempts of an endpoint, newest first
    AuthStatus(Box<auth_status::AuthStatus>),
    /// Accounting counters of an endpoint
    AcctStatus(acct_status::AcctStatus),
    /// The catalogue of failure reasons: code, cause, resolution
    FailureReasons(failure_reasons::FailureReasons),
    /// Why an endpoint is, or is not, on the network
    Explain(explain::Explain),
    /// Change of authorization: reauthenticate, disconnect, bounce a port
    Coa(coa::Coa),
    /// Remove stale session records
    Delete(delete::Delete),
    /// Print sessions as they come, change and go
    Watch(Box<watch::Watch>),
    /// Any GET below /admin/API/mnt/, as it came
    Get(get::Get),
}

impl Mnt {
    /// Runs the command.
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        context.run(async {
            match self {
                Self::Version(command) => command.run(context).await,
                Self::Count(command) => command.run(context).await,
                Self::Sessions(command) => command.run(context).await,
                Self::Session(command) => command.run(context).await,
                Self::AuthList(command) => command.run(context).await,
                Self::AuthStatus(command) => command.run(context).await,
                Self::AcctStatus(command) => command.run(context).await,
                Self::FailureReasons(command) => command.run(context).await,
                Self::Explain(command) => command.run(context).await,
                Self::Coa(command) => command.run(context).await,
                Self::Delete(command) => command.run(context).await,
                Self::Watch(command) => return command.run(context).await,
                Self::Get(command) => command.run(context).await,
            }?;
            Ok(DONE)
        })
    }
}
