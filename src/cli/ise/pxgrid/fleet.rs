//! `netapi ise pxgrid fleet`: what runs on more than one machine. Permissions: what an account of
//! a NATS server needs for `subscribe --to`, as the server's configuration. It connects to nothing.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::cli::context::{DONE, write_out};
use crate::error::Result;
use crate::nats::address::stream_name;
use crate::pxgrid::subscription::DEPLOYMENT;

/// The commands.
#[derive(Subcommand, Debug)]
pub(crate) enum Fleet {
    /// What an account of a NATS server needs, as the server's configuration
    Permissions(Permissions),
}

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise pxgrid fleet permissions EVENTS
  netapi ise pxgrid fleet permissions EVENTS > /etc/nats/netapi.conf

In the server's configuration, beside its users:
  authorization {
    include netapi.conf
    users = [
      { user: netapi, password: $SECRET, permissions: $NETAPI_SUBSCRIBER }
    ]
  }")]
pub(crate) struct Permissions {
    /// The stream's name
    #[arg(value_name = "STREAM")]
    stream: String,
    /// The deployment's name, as `subscribe` has it
    #[arg(long, value_name = "NAME", default_value = DEPLOYMENT, value_parser = super::subscribe::deployment)]
    deployment: String,
}

impl Fleet {
    /// Runs the command.
    pub(crate) fn run(&self) -> Result<ExitCode> {
        match self {
            Self::Permissions(permissions) => permissions.run(),
        }
    }
}

impl Permissions {
    fn run(&self) -> Result<ExitCode> {
        let stream = stream_name(&self.stream)?;
        let deployment = &self.deployment;
        write_out(&format!(
            "\
# netapi ise pxgrid subscribe --to nats://HOST/{stream}: stores events, and reads what is there.
# STREAM.CREATE is for --create-stream alone.
NETAPI_SUBSCRIBER = {{
  publish = {{
    allow = [
      \"netapi.{deployment}.>\"
      \"$JS.API.STREAM.INFO.{stream}\"
      \"$JS.API.STREAM.CREATE.{stream}\"
      \"$JS.API.CONSUMER.CREATE.{stream}\"
      \"$JS.API.CONSUMER.CREATE.{stream}.>\"
      \"$JS.API.CONSUMER.INFO.{stream}.>\"
      \"$JS.API.CONSUMER.MSG.NEXT.{stream}.>\"
      \"$JS.API.CONSUMER.DELETE.{stream}.>\"
    ]
  }}
  subscribe = {{ allow = [ \"_INBOX.>\" ] }}
}}
"
        ))?;
        Ok(DONE)
    }
}
