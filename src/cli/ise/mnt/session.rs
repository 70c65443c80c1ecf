//! `netapi ise mnt session`: one session in full, or one for each MAC address on standard input.

use std::net::IpAddr;

use clap::Args;

use super::columns::SESSION_DETAIL;
use crate::cli::Context;
use crate::cli::bulk::{ListOptions, Reading};
use crate::cli::input::{self, Station, StationOrList};
use crate::error::{Kind, Result};
use crate::render::Shape;

/// Arguments: exactly one selector.
#[derive(Args, Debug)]
#[command(
    group = clap::ArgGroup::new("selector").required(true).multiple(false),
    override_usage = "\
netapi ise mnt session [OPTIONS] <MAC|->
       netapi ise mnt session <--ip IP|--user USER|--nas IP|--session-id ID>",
    after_help = "\
Examples:
  netapi ise mnt session C8:5B:76:C6:59:62
  netapi ise mnt session --ip 10.50.10.100 --json
  netapi ise mnt session --user 'LAB\\pat.kim'
  cut -f1 macs.tsv | netapi ise mnt session - --format jsonl

From a list, what was found is printed, each address that failed is named on
standard error, and the exit status is 1."
)]
pub(crate) struct Session {
    /// The endpoint's MAC address, or '-' for one a line on standard input
    ///
    /// Any spelling will do; an IP address, as a VPN session shows in its place, is looked for as
    /// with --ip.
    #[arg(value_name = "MAC", group = "selector", value_parser = input::station_or_list)]
    mac: Option<StationOrList>,
    /// The endpoint's IP address, or the one a VPN client comes from
    #[arg(long, value_name = "IP", group = "selector", value_parser = input::ip)]
    ip: Option<IpAddr>,
    /// The user name, exactly as ISE has it
    #[arg(long, value_name = "USER", group = "selector")]
    user: Option<String>,
    /// The latest session on the switch or controller with this address
    #[arg(long, value_name = "IP", group = "selector", value_parser = input::ip)]
    nas: Option<IpAddr>,
    /// The audit session id
    #[arg(long, value_name = "ID", group = "selector")]
    #[allow(
        clippy::struct_field_names,
        reason = "audit session id is the field's own name"
    )]
    session_id: Option<String>,
    #[command(flatten)]
    list: ListOptions,
}

impl Session {
    /// Asks and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        if self.mac == Some(StationOrList::List) {
            return from_list(&self.list, context).await;
        }
        self.list.for_one()?;
        let client = context.mnt()?;
        let answer = match (self.mac, self.ip, self.user, self.nas) {
            (Some(StationOrList::One(Station::Mac(mac))), ..) => {
                client.session_by_mac(mac).await.map_err(|error| {
                    if error.kind() != Kind::NotFound {
                        return error;
                    }
                    error.hint(format!("why not: `netapi ise mnt explain {mac}`"))
                })?
            }
            (Some(StationOrList::One(Station::Address(ip))), ..) | (_, Some(ip), ..) => {
                client.session_by_endpoint_ip(ip).await?
            }
            (_, _, Some(user), _) => client.session_by_user(&user).await?,
            (_, _, _, Some(nas)) => client.session_by_nas_ip(nas).await?,
            _ => return by_session_id(&self.session_id.unwrap_or_default(), context).await,
        };
        if answer.raw.is_empty() {
            context.refuse_xml("of this session the node has only a row of its list")?;
        }
        let record = std::slice::from_ref(&answer.record);
        context.print_document(record, &answer.raw, SESSION_DETAIL, Shape::Single, "")
    }
}

/// The only selector that can answer several sessions (reference mnt-api, section 2.4).
async fn by_session_id(id: &str, context: &Context) -> Result<()> {
    let rows = context.mnt()?.sessions_by_id(id).await?;
    match rows.records.as_slice() {
        one @ [_] => context.print_document(one, &rows.raw, SESSION_DETAIL, Shape::Single, ""),
        many => context.print_document(many, &rows.raw, SESSION_DETAIL, Shape::List, "no sessions"),
    }
}

async fn from_list(options: &ListOptions, context: &Context) -> Result<()> {
    context.refuse_xml("a list joins many documents")?;
    let client = context.mnt()?;
    let output = context.output(SESSION_DETAIL, Shape::List)?;
    let reading = Reading {
        command: "mnt session".to_owned(),
        options,
        nothing: "no sessions",
        expect: &|addresses| client.expect(addresses),
    };
    let session = async |station| {
        let answer = match station {
            Station::Mac(mac) => client.session_by_mac(mac).await?,
            Station::Address(ip) => client.session_by_endpoint_ip(ip).await?,
        };
        Ok(vec![answer.record])
    };
    reading.run(context, output, session).await
}
