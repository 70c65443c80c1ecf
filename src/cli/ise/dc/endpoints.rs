//! `netapi ise dc endpoints`: the inventory, by name or address, and what is new in it.

use std::net::IpAddr;

use clap::Args;
use jiff::Timestamp;

use super::data_connect::{DataConnect, only_shows};
use super::question::{HOST, Question, cut, rows};
use crate::cli::{Context, input};
use crate::error::{Error, Result};
use crate::oracle::Bind;
use crate::record::{Record, Value};
use crate::render::{CellKind, Column, Columns, Shape, column};
use crate::settings::duration::parse_when;

/// Second digits of addresses that a device made up for itself.
const MADE_UP: [char; 4] = ['2', '6', 'A', 'E'];

const LIST: &[Column] = &[
    column("MAC", "mac"),
    column("IP", "ip"),
    column("HOST", "host"),
    column("PROFILE", "profile"),
    column("USER", "portalUser"),
    column("RANDOM", "random"),
    column("CREATED", "created").kind(CellKind::Time),
    column("UPDATED", "updated").kind(CellKind::Time),
];

const ALL: Columns = Columns::of(LIST, &["groupId", "postureApplicable"]);

/// Arguments.
#[derive(Args, Debug)]
#[command(
    before_help = "\
Examples:
  netapi ise dc endpoints --host LAB-PC-0001
  netapi ise dc endpoints --new-since 7d --no-random",
    after_help = "\
ISE renews most of it every 12 hours, the address among them; host name and
profile are those of now. RANDOM: the device made up its address."
)]
pub(crate) struct Endpoints {
    /// With this host name, in any case of its letters
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// With this address
    #[arg(long, value_name = "IP", value_parser = input::ip)]
    ip: Option<IpAddr>,
    /// That came to be known since then
    #[arg(long, value_name = "TIME|DURATION")]
    new_since: Option<String>,
    /// Without addresses that devices made up
    #[arg(long)]
    no_random: bool,
}

impl Endpoints {
    /// Asks and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let mut question = self.question(rows(context))?;
        only_shows(context, &question.sql())?;
        let mut database = DataConnect::open(context).await?;
        let found = question.ask(context, &mut database).await;
        database.close().await;
        let mut records = found?;
        cut(context, &mut records);
        records.iter_mut().for_each(mark);
        context.print(&records, ALL, Shape::List, "no such endpoints")
    }

    fn question(self, rows: u64) -> Result<Question> {
        let mut conditions = Vec::new();
        let mut binds = Vec::new();
        if let Some(host) = self.host {
            conditions.push(HOST.to_owned());
            binds.push(Bind::Text(host));
        }
        if let Some(ip) = self.ip {
            conditions.push("ENDPOINT_IP = :ip".to_owned());
            binds.push(Bind::Text(ip.to_string()));
        }
        if let Some(text) = self.new_since {
            let now = Timestamp::now();
            let since = now.duration_since(parse_when(&text, now)?).as_secs();
            if since <= 0 {
                return Err(Error::usage("--new-since lies in the future"));
            }
            conditions.push(format!(
                "CREATE_TIME >= SYSTIMESTAMP - NUMTODSINTERVAL({since}, 'SECOND')"
            ));
        }
        if self.no_random {
            let digits = MADE_UP.map(|digit| format!("'{digit}'")).join(", ");
            conditions.push(format!(
                "UPPER(SUBSTR(MAC_ADDRESS, 2, 1)) NOT IN ({digits})"
            ));
        }
        let conditions = if conditions.is_empty() {
            String::new()
        } else {
            format!("WHERE {} ", conditions.join(" AND "))
        };
        Ok(Question {
            columns: vec![
                ("MAC_ADDRESS", "mac"),
                ("ENDPOINT_IP", "ip"),
                ("HOSTNAME", "host"),
                ("ENDPOINT_POLICY", "profile"),
                ("PORTAL_USER", "portalUser"),
                ("IDENTITY_GROUP_ID", "groupId"),
                ("POSTURE_APPLICABLE", "postureApplicable"),
                ("CREATE_TIME", "created"),
                ("UPDATE_TIME", "updated"),
            ],
            rest: format!(
                "FROM ENDPOINTS_DATA {conditions}ORDER BY CREATE_TIME DESC \
                 FETCH FIRST {rows} ROWS ONLY"
            ),
            exact: String::new(),
            binds,
        })
    }
}

/// Says of an address that its device made it up.
fn mark(record: &mut Record) {
    let random = is_random(&record.text("mac").unwrap_or_default());
    if let Record::Fields(fields) = record {
        let value = if random {
            Value::Text("random".to_owned())
        } else {
            Value::Empty
        };
        fields.push("random", value);
    }
}

fn is_random(mac: &str) -> bool {
    let second = mac.chars().nth(1);
    second.is_some_and(|digit| MADE_UP.contains(&digit.to_ascii_uppercase()))
}

#[cfg(test)]
mod tests {
    use super::is_random;

    #[test]
    fn the_second_digit_tells_a_made_up_address() {
        for (mac, random) in [
            ("C8:5B:76:C6:59:62", false),
            ("DA:A1:19:00:00:01", true),
            ("06:00:00:00:00:01", true),
            ("", false),
        ] {
            assert_eq!(is_random(mac), random, "{mac}");
        }
    }
}
