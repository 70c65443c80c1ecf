//! `netapi ise pxgrid session`: one session in full, or one for each MAC address on standard input.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::ControlFlow;

use clap::Args;
use serde_json::json;
use tokio::sync::OnceCell;

use super::read_operation::Ask;
use crate::cli::Context;
use crate::cli::bulk::{ListOptions, Reading};
use crate::cli::input::{self, Station, StationOrList};
use crate::error::{Error, Kind, Result};
use crate::pxgrid::ServiceClient;
use crate::record::{Mac, Record, RecordSink};
use crate::render::Shape;

const BY_MAC: &str = "getSessionByMacAddress";
const BY_ADDRESS: &str = "getSessionByIpAddress";
const NOTHING: &str =
    "it has no session now; `netapi ise mnt explain MAC` shows its last attempts, if there are any";

/// Arguments: exactly one selector.
#[derive(Args, Debug)]
#[command(
    group = clap::ArgGroup::new("selector").required(true).multiple(false),
    after_help = "\
Examples:
  netapi ise pxgrid session C8:5B:76:C6:59:62
  netapi ise pxgrid session --ip 10.50.10.100 --json
  cut -f1 macs.tsv | netapi ise pxgrid session - --format jsonl

From a list, what was found is printed, each address that failed is named on
standard error, and the exit status is 1."
)]
pub(crate) struct Session {
    /// The endpoint's MAC address in any spelling, or '-' for one a line on standard input
    #[arg(value_name = "MAC", group = "selector", value_parser = input::station_or_list)]
    mac: Option<StationOrList>,
    /// The endpoint's IP address
    #[arg(long, value_name = "IP", group = "selector", value_parser = input::ip)]
    ip: Option<IpAddr>,
    #[command(flatten)]
    list: ListOptions,
}

impl Session {
    /// Asks and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        if self.mac == Some(StationOrList::List) {
            return listed(context, &self.list).await;
        }
        self.list.for_one()?;
        match (self.mac, self.ip) {
            (Some(StationOrList::One(Station::Mac(mac))), _) => by_mac(mac).one(context).await,
            (Some(StationOrList::One(Station::Address(ip))), _) | (None, Some(ip)) => {
                by_address(context, ip).await
            }
            _ => Err(Error::usage("no endpoint given")),
        }
    }
}

async fn by_address(context: &Context, ip: IpAddr) -> Result<()> {
    let columns = Ask::new("session", BY_ADDRESS, NOTHING).columns()?;
    let client = context.pxgrid()?;
    let stations = Stations::default();
    stations.expect(vec![ip]);
    let session = of_address(context, &client, &stations, ip).await?;
    context.print(&[session], columns, Shape::Single, "")
}

/// ISE finds a session by the endpoint's own addresses only; a VPN client's row shows the address
/// that it comes from as calling station.
async fn of_address(
    context: &Context,
    client: &ServiceClient,
    stations: &Stations,
    ip: IpAddr,
) -> Result<Record> {
    let ask = Ask::new("session", BY_ADDRESS, NOTHING).with("ipAddress", ip.to_string());
    match ask.answer_of(context, client).await {
        Err(error) if error.kind() == Kind::NotFound => {}
        outcome => return outcome,
    }
    match stations.sessions(client, ip).await? {
        Found {
            first: Some(one),
            count: 1,
        } => Ok(one),
        Found { first: None, .. } => Err(Error::new(Kind::NotFound, format!("no session has the address {ip}"))
            .hint("neither as an address of the endpoint nor as calling station")),
        Found { count, .. } => Err(Error::usage(format!(
            "{ip} is the calling station of {count} sessions"
        ))
        .hint("`netapi ise pxgrid sessions` lists them; name the one that is meant by its own address")),
    }
}

/// The sessions by calling station, for the addresses that are asked for: the list is read once for
/// all of them, when the first is looked for.
#[derive(Default)]
struct Stations {
    expected: RefCell<Vec<IpAddr>>,
    found: OnceCell<Stationed>,
}

/// The sessions of one calling station: the first, and how many.
#[derive(Debug, Default, Clone)]
struct Found {
    first: Option<Record>,
    count: u64,
}

impl Stations {
    /// Says which addresses will be asked for, before the first is.
    fn expect(&self, addresses: Vec<IpAddr>) {
        *self.expected.borrow_mut() = addresses;
    }

    /// The sessions of one of them.
    ///
    /// Errors: those of the list, which the next question reads again.
    async fn sessions(&self, client: &ServiceClient, ip: IpAddr) -> Result<Found> {
        let read = async || {
            let none = |ip: &IpAddr| (ip.to_canonical(), Found::default());
            let sink = Stationed(self.expected.borrow().iter().map(none).collect());
            let all = json!({});
            let (stations, outcome) = client.list("session", "getSessions", &all, sink).await;
            outcome.map(|_| stations)
        };
        let stations = self.found.get_or_try_init(read).await?;
        let found = stations.0.get(&ip.to_canonical());
        Ok(found.cloned().unwrap_or_default())
    }
}

/// Counts the sessions whose calling station is one of some addresses.
#[derive(Debug)]
struct Stationed(HashMap<IpAddr, Found>);

impl RecordSink for Stationed {
    fn begin(&mut self, _announced: Option<u64>) -> Result<()> {
        Ok(())
    }

    fn record(&mut self, record: &Record) -> Result<ControlFlow<()>> {
        for address in record.addresses("callingStationId") {
            if let Some(found) = self.0.get_mut(&address) {
                found.count += 1;
                found.first.get_or_insert_with(|| record.clone());
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

fn by_mac(mac: Mac) -> Ask {
    Ask::new("session", BY_MAC, NOTHING).with("macAddress", mac.to_string())
}

async fn listed(context: &Context, options: &ListOptions) -> Result<()> {
    let columns = Ask::new("session", BY_MAC, NOTHING).columns()?;
    let client = context.pxgrid()?;
    let output = context.output_of("rows", columns, Shape::List)?;
    let stations = Stations::default();
    let reading = Reading {
        command: "pxgrid session".to_owned(),
        options,
        nothing: "no sessions",
        expect: &|addresses| stations.expect(addresses),
    };
    let session = async |station| {
        let session = match station {
            Station::Mac(mac) => by_mac(mac).answer_of(context, &client).await,
            Station::Address(ip) => of_address(context, &client, &stations, ip).await,
        };
        Ok(vec![session?])
    };
    reading.run(context, output, session).await
}
