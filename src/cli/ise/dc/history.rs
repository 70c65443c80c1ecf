//! `netapi ise dc history`: what happened to an endpoint, a user, an address or a host, newest
//! first, from authentications and accounting together.

use std::net::IpAddr;

use clap::Args;
use jiff::SignedDuration;

use super::data_connect::DataConnect;
use super::question::{Days, Question, cut, rows};
use crate::cli::filters::Window;
use crate::cli::{Context, input};
use crate::error::Result;
use crate::oracle::Bind;
use crate::record::{Mac, Record};
use crate::render::{CellKind, Column, Columns, Shape, column, first_of};

/// Endpoints that an address or a host name stood for in the window.
const MOST_ENDPOINTS: usize = 10;

const DAY: SignedDuration = SignedDuration::from_hours(24);

const LIST: &[Column] = &[
    column("TIME", "time").kind(CellKind::Time),
    column("WHAT", "what"),
    column("MAC", "mac"),
    column("USER", "user"),
    column("NAS", "nas"),
    column("PORT", "port").kind(CellKind::Port),
    first_of("DETAIL", &["reason", "rule", "ip"]).kind(CellKind::Sentence),
    column("SERVER", "server"),
];

/// The columns of this command.
pub(super) const ALL: Columns = Columns::of(
    LIST,
    &[
        "reason",
        "method",
        "protocol",
        "policySet",
        "rule",
        "profiles",
        "endpointProfile",
        "securityGroup",
        "responseTime",
        "ip",
        "sessionId",
        "sessionTime",
        "terminateCause",
    ],
);

/// Arguments.
#[derive(Args, Debug)]
#[command(
    group = clap::ArgGroup::new("whose").required(true),
    override_usage = "netapi ise dc history [OPTIONS] <MAC|--user USER|--ip IP|--host HOST>",
    before_help = "\
Examples:
  netapi ise dc history C8:5B:76:C6:59:62
  netapi ise dc history --user jdoe --since 7d
  netapi ise dc history --ip 10.50.10.101 --since 2026-11-24T03:00 --json",
    after_help = "\
An address is followed through accounting to the endpoints that had it, a host
name through the endpoints; at most 10 of them. USERNAME is compared as ISE
wrote it. WHAT: pass, fail, start, interim, stop."
)]
pub(crate) struct History {
    /// An endpoint
    #[arg(value_name = "MAC", value_parser = input::mac, group = "whose")]
    mac: Option<Mac>,
    /// A user, as ISE spells it
    #[arg(long, value_name = "USER", group = "whose")]
    user: Option<String>,
    /// An address that an endpoint had
    #[arg(long, value_name = "IP", value_parser = input::ip, group = "whose")]
    ip: Option<IpAddr>,
    /// The host name of an endpoint
    #[arg(long, value_name = "HOST", group = "whose")]
    host: Option<String>,
    #[command(flatten)]
    window: Window,
}

impl History {
    /// Asks and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let days = Days::of(&self.window, DAY)?;
        let mut database = DataConnect::open(context).await?;
        let found = self.collect(context, &mut database, days).await;
        database.close().await;
        let mut records = found?;
        // Times of one form sort as texts; newest first.
        records.sort_by(|a, b| b.text("time").cmp(&a.text("time")));
        cut(context, &mut records);
        context.print(&records, ALL, Shape::List, "nothing in that time")
    }

    async fn collect(
        &self,
        context: &Context,
        database: &mut DataConnect<'_>,
        days: Days,
    ) -> Result<Vec<Record>> {
        if let Some(user) = &self.user {
            return both(context, database, days, "USERNAME", user).await;
        }
        let macs = match (self.mac, self.ip, &self.host) {
            (Some(mac), ..) => vec![mac.to_string()],
            (_, Some(ip), _) => addressed(context, database, days, ip).await?,
            (.., Some(host)) => called(context, database, host).await?,
            _ => Vec::new(),
        };
        let mut records = Vec::new();
        for mac in macs {
            records.extend(both(context, database, days, "CALLING_STATION_ID", &mac).await?);
        }
        Ok(records)
    }
}

/// Authentications and accounting in which a column has this value.
async fn both(
    context: &Context,
    database: &mut DataConnect<'_>,
    days: Days,
    key: &str,
    value: &str,
) -> Result<Vec<Record>> {
    let rest = |view: &str| {
        format!(
            "FROM {view} WHERE {key} = :value AND {} ORDER BY TIMESTAMP DESC \
             FETCH FIRST {} ROWS ONLY",
            days.condition("TIMESTAMP"),
            rows(context)
        )
    };
    let authentications = Question {
        columns: vec![
            ("TIMESTAMP_TIMEZONE", "time"),
            ("PASSED", "what"),
            ("CALLING_STATION_ID", "mac"),
            ("USERNAME", "user"),
            ("DEVICE_NAME", "nas"),
            ("NAS_PORT_ID", "port"),
            ("FAILURE_REASON", "reason"),
            ("AUTHENTICATION_METHOD", "method"),
            ("AUTHENTICATION_PROTOCOL", "protocol"),
            ("POLICY_SET_NAME", "policySet"),
            ("AUTHORIZATION_RULE", "rule"),
            ("AUTHORIZATION_PROFILES", "profiles"),
            ("ENDPOINT_PROFILE", "endpointProfile"),
            ("SECURITY_GROUP", "securityGroup"),
            ("RESPONSE_TIME", "responseTime"),
            ("FRAMED_IP_ADDRESS", "ip"),
            ("AUDIT_SESSION_ID", "sessionId"),
            ("ise_node", "server"),
        ],
        rest: rest("RADIUS_AUTHENTICATIONS"),
        binds: vec![Bind::Text(value.to_owned())],
    };
    let accounting = Question {
        columns: vec![
            ("TIMESTAMP_TIMEZONE", "time"),
            ("ACCT_STATUS_TYPE", "what"),
            ("CALLING_STATION_ID", "mac"),
            ("USERNAME", "user"),
            ("DEVICE_NAME", "nas"),
            ("NAS_PORT_ID", "port"),
            ("FRAMED_IP_ADDRESS", "ip"),
            ("AUDIT_SESSION_ID", "sessionId"),
            ("ACCT_SESSION_TIME", "sessionTime"),
            ("ACCT_TERMINATE_CAUSE", "terminateCause"),
            ("ise_node", "server"),
        ],
        rest: rest("RADIUS_ACCOUNTING"),
        binds: vec![Bind::Text(value.to_owned())],
    };
    let mut records = authentications.ask(context, database).await?;
    records.extend(accounting.ask(context, database).await?);
    records.iter_mut().for_each(in_our_words);
    Ok(records)
}

/// `Pass`, `Interim-Update` and the like as other commands of this program say them.
fn in_our_words(record: &mut Record) {
    let Record::Fields(fields) = record else {
        return;
    };
    let what = fields.text("what").unwrap_or_default().to_lowercase();
    let word = match what.as_str() {
        "interim-update" => "interim",
        other => other,
    };
    if let Some(value) = fields.get_mut("what") {
        *value = crate::record::Value::Text(word.to_owned());
    }
}

/// The endpoints that had an address in the window, the latest first.
async fn addressed(
    context: &Context,
    database: &mut DataConnect<'_>,
    days: Days,
    ip: IpAddr,
) -> Result<Vec<String>> {
    let found = Question {
        columns: vec![
            ("CALLING_STATION_ID", "mac"),
            ("MIN(TIMESTAMP_TIMEZONE)", "from"),
            ("MAX(TIMESTAMP_TIMEZONE)", "until"),
        ],
        rest: format!(
            "FROM RADIUS_ACCOUNTING WHERE FRAMED_IP_ADDRESS = :ip AND {} \
             GROUP BY CALLING_STATION_ID ORDER BY 3 DESC FETCH FIRST {} ROWS ONLY",
            days.condition("TIMESTAMP"),
            MOST_ENDPOINTS + 1
        ),
        binds: vec![Bind::Text(ip.to_string())],
    };
    let found = found.ask(context, database).await?;
    for record in found.iter().take(MOST_ENDPOINTS) {
        let text = |name: &str| record.text(name).unwrap_or_default().into_owned();
        context.reporter.note(&format!(
            "{ip} was {}'s from {} until {}",
            text("mac"),
            text("from"),
            text("until")
        ));
    }
    Ok(first_ones(context, &found))
}

/// The endpoints of a host name.
async fn called(
    context: &Context,
    database: &mut DataConnect<'_>,
    host: &str,
) -> Result<Vec<String>> {
    let found = Question {
        columns: vec![("MAC_ADDRESS", "mac")],
        rest: format!(
            "FROM ENDPOINTS_DATA WHERE HOSTNAME = :host FETCH FIRST {} ROWS ONLY",
            MOST_ENDPOINTS + 1
        ),
        binds: vec![Bind::Text(host.to_owned())],
    };
    let found = found.ask(context, database).await?;
    Ok(first_ones(context, &found))
}

fn first_ones(context: &Context, found: &[Record]) -> Vec<String> {
    if found.len() > MOST_ENDPOINTS {
        context.reporter.warn(&format!(
            "more than {MOST_ENDPOINTS} endpoints are meant: the first are looked at; narrow --since"
        ));
    }
    let macs = found.iter().filter_map(|record| record.text("mac"));
    macs.map(std::borrow::Cow::into_owned)
        .take(MOST_ENDPOINTS)
        .collect()
}
