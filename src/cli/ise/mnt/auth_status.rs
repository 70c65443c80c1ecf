//! `netapi ise mnt auth-status`: an endpoint's authentication attempts, newest first.

use std::cell::RefCell;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;

use super::columns::ATTEMPT;
use crate::cli::Context;
use crate::cli::bulk::{ListOptions, Reading};
use crate::cli::filters::{Filters, Window, kinds, say_of_expression};
use crate::cli::input::{self, Station, StationOrList};
use crate::error::{Error, Kind, Result};
use crate::mnt::MntClient;
use crate::record::selection::Selection;
use crate::record::{Mac, Record};
use crate::render::Shape;
use crate::settings::duration::parse_when;

/// The longest look back that the node takes: five days (reference mnt-api, section 1, row 16).
pub(crate) const LONGEST: Duration = Duration::from_hours(120);

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise mnt auth-status C8:5B:76:C6:59:62
  netapi ise mnt auth-status C8:5B:76:C6:59:62 --since 1d --records 20
  netapi ise mnt auth-status C8:5B:76:C6:59:62 --where \"failed=='true'\"
  netapi ise mnt auth-status - --json < macs.txt

No attempt in that time is an empty list, not an error.")]
pub(crate) struct AuthStatus {
    /// The endpoint's MAC address, or '-' for one a line on standard input; an IP address is that
    /// of its session
    #[arg(value_name = "MAC", value_parser = input::station_or_list)]
    endpoint: StationOrList,
    /// How far to look back, at most 5d: 15m, 3d, today, yesterday, a date, or RFC 3339
    #[arg(long, value_name = "T", default_value = "1h", value_parser = look_back)]
    since: Duration,
    /// At most this many attempts of an endpoint; 0 for all
    #[arg(long, value_name = "N", default_value_t = 0)]
    records: u32,
    #[command(flatten)]
    list: ListOptions,
    #[command(flatten)]
    filters: Filters,
    /// Only attempts before: the spellings of --since
    #[arg(long, value_name = "T")]
    until: Option<String>,
}

/// For clap: a look back that the node takes.
pub(crate) fn look_back(text: &str) -> Result<Duration, String> {
    let now = Timestamp::now();
    let duration = match (input::duration(text), parse_when(text, now)) {
        (Err(_), Ok(begin)) if begin < now => now.duration_since(begin).unsigned_abs(),
        (duration, _) => duration?,
    };
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
        let (_, until) = Window::ending(self.until.clone()).times()?;
        let selection = self.filters.within(&kinds::ATTEMPT, (None, until))?;
        if !selection.is_empty() {
            context.refuse_xml("filters choose rows")?;
        }
        let selection = RefCell::new(selection);
        let StationOrList::One(station) = self.endpoint else {
            context.refuse_xml("a list joins many documents")?;
            let output = context.output(ATTEMPT, Shape::List)?;
            let attempts = async |station| {
                let mac = mac_of(&client, station).await?;
                let rows = client.auth_status(mac, seconds, self.records).await?;
                Ok(chosen(rows.records, &selection))
            };
            let reading = Reading {
                command: "mnt auth-status".to_owned(),
                options: &self.list,
                nothing: "no attempts in that time",
                expect: &|addresses| client.expect(addresses),
            };
            let ended = reading.run(context, output, attempts).await;
            say_of_expression(context, selection.into_inner());
            return ended;
        };
        self.list.for_one()?;
        let mac = mac_of(&client, station).await?;
        let attempts = client.auth_status(mac, seconds, self.records).await?;
        context.print_document(
            &chosen(attempts.records, &selection),
            &attempts.raw,
            ATTEMPT,
            Shape::List,
            &format!("no attempts of {mac} in that time"),
        )?;
        say_of_expression(context, selection.into_inner());
        Ok(())
    }
}

/// The attempts that are wanted.
fn chosen(mut attempts: Vec<Record>, selection: &RefCell<Selection>) -> Vec<Record> {
    attempts.retain(|attempt| selection.borrow_mut().wants(attempt));
    attempts
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
