//! What history knows of endpoints, for commands that ask the live interfaces first: the last
//! authentication and the inventory's row of each, who had an address at a time, and what failed.
//! Few statements, each bounded in time and rows.

use std::collections::HashSet;
use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};

use super::data_connect::{DataConnect, only_shows};
use super::history::{
    ACCOUNTING, ACCOUNTING_VIEW, AUTHENTICATIONS, VIEW, address_column, in_our_words,
};
use super::question::{HOST, Question, ask_parts};
use super::window::HistoryWindow;
use crate::cli::Context;
use crate::error::{Error, Result};
use crate::joins::address_holders;
use crate::oracle::Bind;
use crate::record::Record;

/// How far back authentications are looked for.
pub(in crate::cli::ise) const WINDOW: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Of no more endpoints.
pub(in crate::cli::ise) const MOST_ENDPOINTS: usize = 10;

/// Rows of which the newest of each endpoint is taken.
const MOST_ROWS: usize = 200;

/// Failures that are read at once.
pub(in crate::cli::ise) const MOST_FAILURES: usize = 20_000;

/// What is asked of a failure, and pxGrid's names of it.
const FAILURES: [(&str, &str); 14] = [
    ("ID", "id"),
    ("TIMESTAMP_TIMEZONE", "timestamp"),
    ("FAILURE_REASON", "failureReason"),
    ("CALLING_STATION_ID", "callingStationId"),
    ("USERNAME", "userName"),
    ("DEVICE_NAME", "networkDeviceName"),
    ("NAS_IP_ADDRESS", "nasIpAddress"),
    ("NAS_PORT_ID", "nasPortId"),
    ("ise_node", "serverName"),
    ("POLICY_SET_NAME", "policySetName"),
    ("ENDPOINT_PROFILE", "endpointProfile"),
    ("AUTHENTICATION_METHOD", "authenticationMethod"),
    ("SECURITY_GROUP", "ctsSecurityGroup"),
    ("FRAMED_IP_ADDRESS", "ipAddresses"),
];

/// ISE forgets a session that is silent for so long.
pub(super) const LONGEST_SILENCE: SignedDuration = SignedDuration::from_hours(5 * 24);

/// How long after a time its session's next record is looked for.
pub(super) const AFTERWARDS: SignedDuration = SignedDuration::from_hours(24);

/// Whom to look for.
pub(in crate::cli::ise) enum Sought {
    /// These endpoints, by what stands in `CALLING_STATION_ID`.
    Endpoints(Vec<String>),
    /// Who had this address.
    Address(IpAddr),
    /// A user or a host, whole and as ISE spells it.
    Name(String),
}

/// What is known, by the member under which it is shown: `authentication`, `endpoint`.
pub(in crate::cli::ise) async fn look_up(
    context: &Context,
    sought: Sought,
) -> Result<Vec<(&'static str, Record)>> {
    let first = match &sought {
        Sought::Endpoints(endpoints) => authentications_of(endpoints),
        Sought::Address(ip) => stations(ACCOUNTING_VIEW, address_column(*ip), &ip.to_string()),
        Sought::Name(name) => stations(VIEW, "USERNAME", name),
    };
    only_shows(context, &first.sql())?;
    let mut database = DataConnect::open_beside(context).await?;
    let found = find(context, &mut database, sought).await;
    database.close().await;
    found
}

async fn find(
    context: &Context,
    database: &mut DataConnect<'_>,
    sought: Sought,
) -> Result<Vec<(&'static str, Record)>> {
    let endpoints = match sought {
        Sought::Endpoints(endpoints) => endpoints,
        Sought::Address(ip) => {
            let column = address_column(ip);
            let ip = ip.to_string();
            let had = stations(ACCOUNTING_VIEW, column, &ip);
            macs(
                [had, inventory("ENDPOINT_IP = :ip", &ip)],
                context,
                database,
            )
            .await?
        }
        Sought::Name(name) => {
            let had = stations(VIEW, "USERNAME", &name);
            macs([had, inventory(HOST, &name)], context, database).await?
        }
    };
    let mut seen = HashSet::new();
    let mut endpoints = endpoints;
    endpoints.retain(|endpoint| !endpoint.is_empty() && seen.insert(endpoint.clone()));
    endpoints.truncate(MOST_ENDPOINTS);
    if endpoints.is_empty() {
        return Ok(Vec::new());
    }
    let mut authentications = authentications_of(&endpoints);
    let mut known = Vec::new();
    let mut newest = HashSet::new();
    for mut record in authentications.ask(context, database).await? {
        let mac = record.text("mac").map(std::borrow::Cow::into_owned);
        if newest.insert(mac) {
            in_our_words(&mut record);
            known.push(("authentication", record));
        }
    }
    let mut rows = Question {
        columns: vec![
            ("MAC_ADDRESS", "mac"),
            ("HOSTNAME", "host"),
            ("ENDPOINT_IP", "ip"),
            ("ENDPOINT_POLICY", "profile"),
            ("CREATE_TIME", "created"),
        ],
        rest: format!(
            "FROM ENDPOINTS_DATA WHERE MAC_ADDRESS IN ({}) \
             FETCH FIRST {MOST_ENDPOINTS} ROWS ONLY",
            places(&endpoints)
        ),
        exact: String::new(),
        binds: binds(&endpoints),
    };
    let rows = rows.ask_if_there(context, database).await?;
    known.extend(
        rows.into_iter()
            .flatten()
            .map(|record| ("endpoint", record)),
    );
    Ok(known)
}

/// Authentications of endpoints, the newest first.
fn authentications_of(endpoints: &[String]) -> Question {
    let within = HistoryWindow::back(WINDOW).within();
    Question {
        columns: AUTHENTICATIONS.to_vec(),
        rest: format!(
            "FROM {VIEW} WHERE CALLING_STATION_ID IN ({}) AND {}{} \
             ORDER BY TIMESTAMP DESC FETCH FIRST {MOST_ROWS} ROWS ONLY",
            places(endpoints),
            within.rough,
            within.exact
        ),
        exact: within.exact,
        binds: binds(endpoints),
    }
}

/// The authentications of an endpoint so far back, the newest first and in our words; at most
/// [`MOST_ROWS`], and whether there are more.
pub(in crate::cli::ise) async fn authentications(
    context: &Context,
    mac: &str,
    window: SignedDuration,
) -> Result<(Vec<Record>, bool)> {
    let within = HistoryWindow::back(window).within();
    let question = Question {
        columns: AUTHENTICATIONS.to_vec(),
        rest: format!(
            "FROM {VIEW} WHERE CALLING_STATION_ID = :e1 AND {}{} \
             ORDER BY TIMESTAMP DESC FETCH FIRST {} ROWS ONLY",
            within.rough,
            within.exact,
            MOST_ROWS + 1
        ),
        exact: within.exact,
        binds: vec![Bind::Text(mac.to_owned())],
    };
    let (mut found, more) = at_most(MOST_ROWS, question, context).await?;
    found.iter_mut().for_each(in_our_words);
    Ok((found, more))
}

/// The first `most` rows of a question that asks for one more, and whether there are more.
async fn at_most(
    most: usize,
    mut question: Question,
    context: &Context,
) -> Result<(Vec<Record>, bool)> {
    only_shows(context, &question.sql())?;
    let mut database = DataConnect::open_beside(context).await?;
    let found = question.ask(context, &mut database).await;
    database.close().await;
    let mut found = found?;
    let more = found.len() > most;
    found.truncate(most);
    Ok((found, more))
}

/// A place for each bind.
fn places(endpoints: &[String]) -> String {
    let places: Vec<String> = (1..=endpoints.len()).map(|n| format!(":e{n}")).collect();
    places.join(", ")
}

fn binds(endpoints: &[String]) -> Vec<Bind> {
    endpoints.iter().cloned().map(Bind::Text).collect()
}

/// The endpoints of which a view has rows with this value, the latest first.
fn stations(view: &str, column: &str, value: &str) -> Question {
    let within = HistoryWindow::back(WINDOW).within();
    Question {
        columns: vec![("CALLING_STATION_ID", "mac"), ("MAX(TIMESTAMP)", "newest")],
        rest: format!(
            "FROM {view} WHERE {column} = :value AND {}{} GROUP BY CALLING_STATION_ID \
             ORDER BY 2 DESC FETCH FIRST {MOST_ENDPOINTS} ROWS ONLY",
            within.rough, within.exact
        ),
        exact: within.exact,
        binds: vec![Bind::Text(value.to_owned())],
    }
}

/// The endpoints of the inventory of which a condition with this value holds.
fn inventory(condition: &str, value: &str) -> Question {
    Question {
        columns: vec![("MAC_ADDRESS", "mac")],
        rest: format!(
            "FROM ENDPOINTS_DATA WHERE {condition} FETCH FIRST {MOST_ENDPOINTS} ROWS ONLY"
        ),
        exact: String::new(),
        binds: vec![Bind::Text(value.to_owned())],
    }
}

/// The endpoints that one or the other tells.
async fn macs(
    questions: [Question; 2],
    context: &Context,
    database: &mut DataConnect<'_>,
) -> Result<Vec<String>> {
    let found = ask_parts(questions, context, database).await?;
    let macs = found.iter().filter_map(|record| record.text("mac"));
    Ok(macs.map(std::borrow::Cow::into_owned).collect())
}

/// Failed authentications from `since` until `until`, the newest first, under the names that pxGrid
/// has for them; at most [`MOST_FAILURES`], and whether there are more.
pub(in crate::cli::ise) async fn failures(
    context: &Context,
    since: Timestamp,
    until: Timestamp,
) -> Result<(Vec<Record>, bool)> {
    let within = HistoryWindow::between(since, until).within();
    let question = Question {
        columns: FAILURES.to_vec(),
        rest: format!(
            "FROM {VIEW} WHERE {}{} AND FAILED = 1 ORDER BY TIMESTAMP DESC \
             FETCH FIRST {} ROWS ONLY",
            within.rough,
            within.exact,
            MOST_FAILURES + 1
        ),
        exact: within.exact,
        binds: Vec::new(),
    };
    at_most(MOST_FAILURES, question, context).await
}

/// Who had an address at a time, by accounting.
///
/// Errors: [`crate::error::Kind::Usage`] for a time that is to come.
pub(in crate::cli::ise) async fn holders(
    context: &Context,
    ip: IpAddr,
    at: Timestamp,
) -> Result<Vec<Record>> {
    if at > Timestamp::now() {
        return Err(Error::usage("--at lies in the future"));
    }
    let too_early = |_| Error::usage("--at is too early a time");
    let first = at.checked_sub(LONGEST_SILENCE).map_err(too_early)?;
    let last = at.checked_add(AFTERWARDS).map_err(too_early)?;
    let before = HistoryWindow::between(first, at);
    let after = HistoryWindow::between(at, last);
    let column = address_column(ip);
    let question = |window: HistoryWindow, order: &str| {
        let within = window.within();
        Question {
            columns: ACCOUNTING.to_vec(),
            rest: format!(
                "FROM {ACCOUNTING_VIEW} WHERE {column} = :ip AND {}{} \
                 ORDER BY TIMESTAMP {order} FETCH FIRST {MOST_ROWS} ROWS ONLY",
                within.rough, within.exact
            ),
            exact: within.exact,
            binds: vec![Bind::Text(ip.to_string())],
        }
    };
    only_shows(context, &question(before, "DESC").sql())?;
    let mut database = DataConnect::open(context).await?;
    let asked = async {
        let mut records = question(before, "DESC").ask(context, &mut database).await?;
        records.extend(question(after, "ASC").ask(context, &mut database).await?);
        Ok(records)
    };
    let asked: Result<Vec<Record>> = asked.await;
    database.close().await;
    let mut records = asked?;
    records.iter_mut().for_each(in_our_words);
    Ok(address_holders::at(&records, at))
}
