//! `netapi ise mnt auth-list`: sessions authenticated in a window of time.

use clap::Args;
use jiff::Timestamp;

use super::columns::SESSION;
use crate::cli::Context;
use crate::error::{Error, Result};
use crate::render::Shape;
use crate::settings::duration::parse_when;

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise mnt auth-list --since 15m
  netapi ise mnt auth-list --since 2026-03-09T08:00:00+01:00 \\
    --until 2026-03-09T09:00:00+01:00

The node does not say in which time zone it reads the window; like Cisco's own
client, netapi sends the local time of this machine. On a large deployment keep
the window short: six hours can be millions of rows, and repeated calls can
bring the node down for minutes.")]
pub(crate) struct AuthList {
    /// Beginning of the window: RFC 3339, or a span such as 2h
    #[arg(long, value_name = "T")]
    since: Option<String>,
    /// End of the window: RFC 3339, or a span such as 30m
    #[arg(long, value_name = "T")]
    until: Option<String>,
}

impl AuthList {
    /// Streams and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let now = Timestamp::now();
        let since = self
            .since
            .as_deref()
            .map(|text| parse_when(text, now))
            .transpose()?;
        let until = self
            .until
            .as_deref()
            .map(|text| parse_when(text, now))
            .transpose()?;
        if let (Some(since), Some(until)) = (since, until)
            && since >= until
        {
            return Err(Error::usage(format!(
                "the window is empty: --since {since} is not before --until {until}"
            ))
            .hint("spans count back from now: --since 2h --until 1h is the hour before the last"));
        }
        let client = context.mnt()?;
        let output = context.output(SESSION, Shape::List)?;
        let (output, outcome) = client.auth_list(since, until, output).await;
        context.end_list(output, outcome, "no sessions in that time")?;
        Ok(())
    }
}
