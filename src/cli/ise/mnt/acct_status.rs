//! `netapi ise mnt acct-status`: an endpoint's accounting counters.

use std::time::Duration;

use clap::Args;

use super::auth_status::{look_back, mac_of, seconds};
use crate::cli::Context;
use crate::cli::bulk::{ListOptions, Reading};
use crate::cli::input::{self, StationOrList};
use crate::error::Result;
use crate::mnt::members;
use crate::render::{CellKind, CellSource, Column, Columns, Shape, column};

pub(super) const ALL: Columns = Columns::of(COLUMNS, members::ACCOUNTING);

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
        value: CellSource::Member(member),
        kind: CellKind::Number,
    }
}

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise mnt acct-status C8:5B:76:C6:59:62 --since 1d
  netapi ise mnt acct-status - --format csv < macs.txt")]
pub(crate) struct AcctStatus {
    /// The endpoint's MAC address; an IP address is that of its session; '-' for a list on standard
    /// input
    #[arg(value_name = "MAC", value_parser = input::station_or_list)]
    mac: StationOrList,
    /// How far to look back, at most 5d
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = look_back)]
    since: Duration,
    #[command(flatten)]
    list: ListOptions,
}

impl AcctStatus {
    /// Asks and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.mnt()?;
        let seconds = seconds(self.since)?;
        let StationOrList::One(station) = self.mac else {
            context.refuse_xml("a list joins many documents")?;
            let output = context.output_of("rows", ALL, Shape::List)?;
            let reading = Reading {
                command: "mnt acct-status".to_owned(),
                options: &self.list,
                nothing: "no accounting in that time",
                expect: &|addresses| client.expect(addresses),
            };
            let counters = async |station| {
                let mac = mac_of(&client, station).await?;
                Ok(client.acct_status(mac, seconds).await?.records)
            };
            return reading.run(context, output, counters).await;
        };
        self.list.for_one()?;
        let mac = mac_of(&client, station).await?;
        let counters = client.acct_status(mac, seconds).await?;
        context.print_document(
            &counters.records,
            &counters.raw,
            ALL,
            Shape::List,
            &format!("no accounting of {mac} in that time"),
        )
    }
}
