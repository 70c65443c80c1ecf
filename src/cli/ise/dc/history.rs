//! `netapi ise dc history`: what happened to an endpoint, a user, an address or a host, newest
//! first, from authentications and accounting together.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::net::IpAddr;

use clap::Args;
use jiff::{SignedDuration, Timestamp};

use super::address;
use super::data_connect::{DataConnect, only_shows};
use super::question::{HOST, Question, ask_parts, cut, rows};
use super::window::{HistoryWindow, Within};
use crate::cli::filters::Window;
use crate::cli::{Context, input};
use crate::error::Result;
use crate::oracle::Bind;
use crate::record::{Mac, Record};
use crate::render::{CellKind, Column, Columns, Shape, column, first_of};

/// Endpoints that an address or a host name stood for in the window.
pub(super) const MOST_ENDPOINTS: usize = 10;

const DAY: SignedDuration = SignedDuration::from_hours(24);

const STATION: &str = "CALLING_STATION_ID";

/// The columns, of `dc live` too.
pub(super) const LIST: &[Column] = &[
    column("TIME", "time").kind(CellKind::Time),
    column("WHAT", "what"),
    column("MAC", "mac"),
    column("USER", "user"),
    column("NAS", "nas"),
    column("PORT", "port").kind(CellKind::Port),
    first_of("DETAIL", &["reason", "rule", "ip"]).kind(CellKind::Sentence),
    column("SERVER", "server"),
];

/// The members that are no columns.
pub(super) const MEMBERS: &[&str] = &[
    "id",
    "nasAddress",
    "reason",
    "method",
    "protocol",
    "policySet",
    "rule",
    "profiles",
    "endpointProfile",
    "securityGroup",
    "postureStatus",
    "responseTime",
    "ip",
    "sessionId",
    "acctSessionId",
    "sessionTime",
    "terminateCause",
];

/// Where authentications are.
pub(super) const VIEW: &str = "RADIUS_AUTHENTICATIONS";

/// What is asked of an authentication, and our names of it.
pub(super) const AUTHENTICATIONS: [(&str, &str); 21] = [
    ("ID", "id"),
    ("TIMESTAMP_TIMEZONE", "time"),
    ("PASSED", "what"),
    ("CALLING_STATION_ID", "mac"),
    ("USERNAME", "user"),
    ("DEVICE_NAME", "nas"),
    ("NAS_IP_ADDRESS", "nasAddress"),
    ("NAS_PORT_ID", "port"),
    ("FAILURE_REASON", "reason"),
    ("AUTHENTICATION_METHOD", "method"),
    ("AUTHENTICATION_PROTOCOL", "protocol"),
    ("POLICY_SET_NAME", "policySet"),
    ("AUTHORIZATION_RULE", "rule"),
    ("AUTHORIZATION_PROFILES", "profiles"),
    ("ENDPOINT_PROFILE", "endpointProfile"),
    ("SECURITY_GROUP", "securityGroup"),
    ("POSTURE_STATUS", "postureStatus"),
    ("RESPONSE_TIME", "responseTime"),
    ("FRAMED_IP_ADDRESS", "ip"),
    ("AUDIT_SESSION_ID", "sessionId"),
    ("ise_node", "server"),
];

/// Where accounting is.
pub(super) const ACCOUNTING_VIEW: &str = "RADIUS_ACCOUNTING";

/// What is asked of an accounting record.
pub(super) const ACCOUNTING: [(&str, &str); 14] = [
    ("ID", "id"),
    ("TIMESTAMP_TIMEZONE", "time"),
    ("ACCT_STATUS_TYPE", "what"),
    ("CALLING_STATION_ID", "mac"),
    ("USERNAME", "user"),
    ("DEVICE_NAME", "nas"),
    ("NAS_IP_ADDRESS", "nasAddress"),
    ("NAS_PORT_ID", "port"),
    ("FRAMED_IP_ADDRESS", "ip"),
    ("AUDIT_SESSION_ID", "sessionId"),
    ("ACCT_SESSION_ID", "acctSessionId"),
    ("ACCT_SESSION_TIME", "sessionTime"),
    ("ACCT_TERMINATE_CAUSE", "terminateCause"),
    ("ise_node", "server"),
];

/// Arguments.
#[derive(Args, Debug)]
#[command(
    group = clap::ArgGroup::new("whose").required(true),
    override_usage = "netapi ise dc history [OPTIONS] <MAC|--user USER|--ip IP|--host HOST>",
    before_help = "\
Examples:
  netapi ise dc history C8:5B:76:C6:59:62
  netapi ise dc history --user jdoe --since 7d
  netapi ise dc history --ip 10.50.10.101 --since 2026-11-24T03:00Z --json",
    after_help = "\
An address is followed through accounting to the endpoints that had it, and each
of them while it had it and 5 minutes before; a host name through the endpoints.
At most 10 of them. A user is compared as ISE wrote it. WHAT: pass, fail, start,
interim, stop."
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
        let window = HistoryWindow::of(&self.window, DAY)?;
        if context.global.shows_only() {
            let questions = self.first_questions(context, window);
            let statements: Vec<String> = questions.iter().map(Question::sql).collect();
            return only_shows(context, &statements.join(";\n"));
        }
        let mut database = DataConnect::open(context).await?;
        let found = self.collect(context, &mut database, window).await;
        database.close().await;
        let mut records = found?;
        newest_first(&mut records);
        cut(context, &mut records);
        context.print(
            &records,
            Columns::of(LIST, MEMBERS),
            Shape::List,
            "nothing in that time",
        )
    }

    /// What is asked first; an address and a host name stand for endpoints that it tells.
    fn first_questions(&self, context: &Context, window: HistoryWindow) -> Vec<Question> {
        let within = window.within();
        match (self.mac, &self.user, self.ip, &self.host) {
            (Some(mac), ..) => both(context, &within, STATION, &mac.to_string()).into(),
            (_, Some(user), ..) => both(context, &within, "USERNAME", user).into(),
            (.., Some(ip), _) => vec![address::sessions(window, ip)],
            (.., Some(host)) => vec![called(host)],
            _ => Vec::new(),
        }
    }

    async fn collect(
        &self,
        context: &Context,
        database: &mut DataConnect<'_>,
        window: HistoryWindow,
    ) -> Result<Vec<Record>> {
        let first = self.first_questions(context, window);
        let mut records = ask_parts(first, context, database).await?;
        if let Some(ip) = self.ip {
            let periods = address::periods(context, ip, window, &records);
            records.clear();
            let mut seen = HashSet::new();
            for period in periods.iter().filter(|period| seen.insert(&period.mac)) {
                let within = address::condition(window, &periods, &period.mac);
                let both = both(context, &within, STATION, &period.mac);
                records.extend(ask_parts(both, context, database).await?);
            }
            records.retain(|record| address::is_within(record, &periods));
        }
        if self.host.is_some() {
            let macs = first_ones(context, &records);
            records.clear();
            let within = window.within();
            for mac in macs {
                let both = both(context, &within, STATION, &mac);
                records.extend(ask_parts(both, context, database).await?);
            }
        }
        records.iter_mut().for_each(in_our_words);
        Ok(records)
    }
}

/// Newest first; what has no time comes last. As texts they would not do: the digits of a second
/// are as many as it takes.
fn newest_first(records: &mut [Record]) {
    crate::order::sort_by_cached_key(records, |record| {
        let time = record.text("time");
        Reverse(time.and_then(|time| time.parse::<Timestamp>().ok()))
    });
}

/// Authentications and accounting `within` a time in which a column has this value.
fn both(context: &Context, within: &Within, key: &str, value: &str) -> [Question; 2] {
    let rest = |view: &str| {
        format!(
            "FROM {view} WHERE {key} = :value AND {}{} ORDER BY TIMESTAMP DESC \
             FETCH FIRST {} ROWS ONLY",
            within.rough,
            within.exact,
            rows(context)
        )
    };
    let authentications = Question {
        columns: AUTHENTICATIONS.to_vec(),
        rest: rest(VIEW),
        exact: within.exact.clone(),
        binds: vec![Bind::Text(value.to_owned())],
    };
    let accounting = Question {
        columns: ACCOUNTING.to_vec(),
        rest: rest(ACCOUNTING_VIEW),
        exact: within.exact.clone(),
        binds: vec![Bind::Text(value.to_owned())],
    };
    [authentications, accounting]
}

/// `Pass`, `Interim-Update` and the like as other commands of this program say them.
pub(super) fn in_our_words(record: &mut Record) {
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

/// The column of accounting that has addresses of this kind.
pub(super) fn address_column(ip: IpAddr) -> &'static str {
    match ip {
        IpAddr::V4(_) => "FRAMED_IP_ADDRESS",
        IpAddr::V6(_) => "FRAMED_IPV6_ADDRESS",
    }
}

/// The endpoints of a host name.
fn called(host: &str) -> Question {
    Question {
        columns: vec![("MAC_ADDRESS", "mac")],
        rest: format!(
            "FROM ENDPOINTS_DATA WHERE {HOST} FETCH FIRST {} ROWS ONLY",
            MOST_ENDPOINTS + 1
        ),
        exact: String::new(),
        binds: vec![Bind::Text(host.to_owned())],
    }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_are_in_order_whatever_their_digits() {
        let times = [
            "2026-11-24T03:04:05Z",
            "2026-11-24T03:04:05.120Z",
            "",
            "2026-11-24T03:04:05.123456Z",
            "2026-11-24T03:04:04.900Z",
        ];
        let mut records: Vec<Record> = times
            .iter()
            .map(|time| Record::from_value(json!({ "time": time })))
            .collect();
        newest_first(&mut records);
        let sorted: Vec<_> = records
            .iter()
            .map(|record| record.text("time").unwrap_or_default().into_owned())
            .collect();
        assert_eq!(sorted, [times[3], times[1], times[0], times[4], ""]);
    }
}
