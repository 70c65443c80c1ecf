//! `netapi ise dc`: Data Connect, the read-only database on the Monitoring node that has what the
//! live interfaces no longer know, and the switch for it in ISE. The client of the database itself
//! is the room `oracle`.
//!
//! | file | holds |
//! | --- | --- |
//! | `data_connect` | finding the node, logging on, running statements within what a node bears |
//! | `guard` | one statement at a time, a share of the node's time, one try of a wrong password |
//! | `question` | columns and rows, for the questions that are commands |
//! | `window` | windows of time as conditions |
//! | `address` | which endpoints had an address, and when |
//! | `known` | what other commands add of endpoints |
//! | `live` | following authentications, poll by poll |
//! | `rows` | a result as columns and records |
//! | `control` | the control interface on the administration node |
//! | the others | one command each |

mod address;
mod control;
mod data_connect;
mod endpoints;
mod failures;
mod guard;
mod history;
pub(super) mod known;
mod last;
mod live;
mod question;
mod rows;
mod sql;
mod status;
mod switch;
mod views;
mod window;

use std::process::ExitCode;

use clap::Subcommand;

use crate::cli::Context;
use crate::cli::context::DONE;
use crate::error::Result;

/// `netapi ise dc …`
#[derive(Subcommand, Debug)]
#[command(
    before_help = "\
Examples:
  netapi ise lab run -- netapi ise dc views         # without an ISE
  netapi ise dc history C8:5B:76:C6:59:62 --since 7d",
    after_help = "\
What is asked every day, with statements: netapi help queries. No real ISE was
at hand when this was made: it was tried against the lab."
)]
pub(crate) enum Dc {
    /// What happened to an endpoint, user, address or host, newest first
    History(history::History),
    /// Failed authentications in groups, over days
    Failures(failures::Failures),
    /// Endpoints by name or address, and new ones
    Endpoints(endpoints::Endpoints),
    /// When endpoints or switches authenticated last, and who is silent
    Last(last::Last),
    /// Follow authentications as they come
    Live(Box<live::Live>),
    /// Any SELECT, streamed
    Sql(sql::Sql),
    /// The views of this node, or the columns of one
    Views(views::Views),
    /// Whether it is enabled, where, and how long its password lasts
    Status(status::Status),
    /// Switch Data Connect on
    Enable(switch::Enable),
    /// Switch Data Connect off
    Disable(switch::Disable),
    /// Set a new password for the account dataconnect
    Password(switch::Password),
    /// Set how many days a password lasts
    Expiry(switch::Expiry),
}

impl Dc {
    /// Takes global options that mean something of its own in a command.
    pub(crate) fn take_own(&mut self, global: &mut crate::cli::global::Global) {
        if let Self::Failures(command) = self {
            command.take_groups(global);
        }
    }

    /// Whether it asks the database; the others speak HTTP with ISE, which may take longer.
    fn runs_statements(&self) -> bool {
        !matches!(
            self,
            Self::Enable(_) | Self::Disable(_) | Self::Password(_) | Self::Expiry(_)
        )
    }

    /// Runs the command.
    pub(crate) async fn run(self, context: &Context) -> Result<ExitCode> {
        if self.runs_statements() {
            context.settings.check_statement_limit()?;
        }
        match self {
            Self::Live(command) => return Box::pin(command.run(context)).await,
            Self::History(command) => command.run(context).await,
            Self::Failures(command) => command.run(context).await,
            Self::Endpoints(command) => command.run(context).await,
            Self::Last(command) => command.run(context).await,
            Self::Sql(command) => command.run(context).await,
            Self::Views(command) => command.run(context).await,
            Self::Status(command) => command.run(context).await,
            Self::Enable(command) => command.run(context).await,
            Self::Disable(command) => command.run(context).await,
            Self::Password(command) => command.run(context).await,
            Self::Expiry(command) => command.run(context).await,
        }
        .map(|()| DONE)
    }
}
