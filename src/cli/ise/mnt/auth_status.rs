//! `netapi ise mnt auth-status`: an endpoint's authentication attempts, newest first.

use std::time::Duration;

use clap::Args;

use super::columns::ATTEMPT;
use crate::cli::Context;
use crate::cli::bulk::{ListOptions, Reading};
use crate::cli::input::{self, Station, StationOrList};
use crate::error::{Error, Kind, Result};
use crate::mnt::MntClient;
use crate::record::Mac;
use crate::render::Shape;

/// The longest look back that the node takes: five days (reference mnt-api, section 1, row 16).
pub(crate) const LONGEST: Duration = Duration::from_hours(120);

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise mnt auth-status C8:5B:76:C6:59:62
  netapi ise mnt auth-status C8:5B:76:C6:59:62 --since 1d --records 20
  netapi ise mnt auth-status - --json < macs.txt

No attempt in that time is an empty list, not an error.")]
pub(crate) struct AuthStatus {
    /// The endpoint's MAC address, or '-' for one a line on standard input; an IP address is that
    /// of its session
    #[arg(value_name = "MAC", value_parser = input::station_or_list)]
    mac: StationOrList,
    /// How far to look back, at most 5d
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = look_back)]
    since: Duration,
    /// At most this many attempts of an endpoint; 0 for all
    #[arg(long, value_name = "N", default_value_t = 0)]
    records: u32,
    #[command(flatten)]
    list: ListOptions,
}

/// For clap: a look back that the node takes.
pub(crate) fn look_back(text: &str) -> Result<Duration, String> {
    let duration = input::duration(text)?;
    if duration > LONGEST || duration.as_secs() == 0 {
        return Err(format!(
            "'{text}' is out of range: the node looks back from 1s to 5d"
        ));
    }
    Ok(duration)
}

impl AuthStatus {
    /// Asks and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.mnt()?;
        let seconds = seconds(self.since)?;
        let StationOrList::One(station) = self.mac else {
            context.refuse_xml("a list joins many documents")?;
            let output = context.output(ATTEMPT, Shape::List)?;
            let attempts = async |station| {
                let mac = mac_of(&client, station).await?;
                let rows = client.auth_status(mac, seconds, self.records).await?;
                Ok(rows.records)
            };
            let reading = Reading {
                command: "mnt auth-status".to_owned(),
                options: &self.list,
                nothing: "no attempts in that time",
            };
            return reading.run(context, output, attempts).await;
        };
        self.list.for_one()?;
        let mac = mac_of(&client, station).await?;
        let attempts = client.auth_status(mac, seconds, self.records).await?;
        context.print_document(
            &attempts.records,
            &attempts.raw,
            ATTEMPT,
            Shape::List,
            &format!("no attempts of {mac} in that time"),
        )
    }
}

/// The MAC address of an endpoint: histories are kept by nothing else.
///
/// Errors: [`Kind::NotFound`] for a session without one, as a VPN client's is.
pub(crate) async fn mac_of(client: &MntClient, station: Station) -> Result<Mac> {
    let address = match station {
        Station::Mac(mac) => return Ok(mac),
        Station::Address(address) => address,
    };
    let session = client.session_by_endpoint_ip(address).await?.record;
    session.mac().ok_or_else(|| {
        Error::new(
            Kind::NotFound,
            format!("the session of {address} has no MAC address, and the node keeps histories by nothing else"),
        )
        .hint(format!("its last attempt is in the session: `netapi ise mnt session {address}`"))
    })
}

/// Whole seconds for the path.
pub(crate) fn seconds(duration: Duration) -> Result<u32> {
    u32::try_from(duration.as_secs()).map_err(|_| Error::usage("the look back is too long"))
}
