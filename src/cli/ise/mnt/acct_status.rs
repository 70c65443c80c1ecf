//! `netapi ise mnt acct-status`: an endpoint's accounting counters.

use std::time::Duration;

use clap::Args;

use super::auth_status::{look_back, mac_of, seconds};
use crate::cli::Context;
use crate::cli::input::{self, Station};
use crate::error::Result;
use crate::mnt::members;
use crate::render::{CellKind, Column, Columns, Format, Shape, Source, column};

const ALL: Columns = Columns::of(COLUMNS, members::ACCOUNTING);

const COLUMNS: &[Column] = &[
    column("MAC", "calling_station_id"),
    column("SESSION", "audit_session_id"),
    number("SECONDS", "session_time"),
    number("BYTES-IN", "bytes_in"),
    number("BYTES-OUT", "bytes_out"),
    number("PACKETS-IN", "paks_in"),
    number("PACKETS-OUT", "paks_out"),
    column("SERVER", "server"),
];

const fn number(title: &'static str, member: &'static str) -> Column {
    Column {
        title,
        value: Source::Member(member),
        kind: CellKind::Number,
    }
}

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  netapi ise mnt acct-status C8:5B:76:C6:59:62 --since 1d")]
pub(crate) struct AcctStatus {
    /// The endpoint's MAC address; an IP address is that of its session
    #[arg(value_name = "MAC", value_parser = input::station)]
    mac: Station,
    /// How far to look back, at most 5d
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = look_back)]
    since: Duration,
}

impl AcctStatus {
    /// Asks and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.mnt()?;
        let mac = mac_of(&client, self.mac).await?;
        let counters = client.acct_status(mac, seconds(self.since)?).await?;
        if context.global.chosen_format() == Some(Format::Xml) {
            return context.print_raw(&counters.raw, ALL);
        }
        context.print(
            &counters.records,
            ALL,
            Shape::List,
            &format!("no accounting of {mac} in that time"),
        )
    }
}
