//! What Data Connect adds to `who`: the last authentication of those who were found, or of whom
//! only it knows; and who had an address at a time.

use std::collections::HashSet;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::query::Query;
use crate::cli::Context;
use crate::cli::ise::dc::known::{self, MOST_ENDPOINTS, Sought};
use crate::cli::ise::interfaces::HISTORY;
use crate::error::{Error, Kind, Result};
use crate::record::Record;
use crate::render::{CellKind, Column, Columns, Shape, column};
use crate::settings::duration::parse_when;

const HOLDERS: &[Column] = &[
    column("MAC", "mac"),
    column("USER", "user"),
    column("NAS", "nas"),
    column("PORT", "port").kind(CellKind::Port),
    column("FROM", "from").kind(CellKind::Time),
    column("UNTIL", "until").kind(CellKind::Time),
    column("CERTAIN", "certain"),
];

const MEMBERS: &[&str] = &["began", "ended", "ip", "sessionId", "server"];

/// What is known of `found`, or where nobody was found of whom the query means. Nothing where Data
/// Connect is not set up; what it cannot be asked is said.
pub(super) async fn look_up<'e>(
    context: &Context,
    query: &Query,
    found: impl Iterator<Item = &'e str>,
) -> Result<Vec<(&'static str, Record)>> {
    if !context.settings.has_data_connect()? {
        return Ok(Vec::new());
    }
    let not_asked = |why: &str| {
        let text = format!("{HISTORY} was not asked: {why}");
        context.reporter.step(&text);
        Ok(Vec::new())
    };
    // People behind one address are called alike, and those without one are called nothing.
    let mut seen = HashSet::new();
    let found = found.filter(|name| !name.is_empty() && seen.insert(*name));
    let found: Vec<String> = found.take(MOST_ENDPOINTS + 1).map(str::to_owned).collect();
    if found.len() > MOST_ENDPOINTS {
        return not_asked(&format!("more than {MOST_ENDPOINTS} endpoints are meant"));
    }
    let sought = if !found.is_empty() {
        Sought::Endpoints(found)
    } else if let Some(ip) = query.ip() {
        Sought::Address(ip)
    } else if let Some(mac) = query.mac() {
        Sought::Endpoints(vec![mac.to_string()])
    } else if let Some(name) = query.name() {
        Sought::Name(name.to_owned())
    } else {
        return not_asked("it takes whole names and addresses");
    };
    match known::look_up(context, sought).await {
        // It is the settings' fault, and what the others said stands without it.
        Err(error) if error.kind() == Kind::Usage => not_asked(error.message()),
        known => known,
    }
}

/// Who had the address at a time.
pub(super) async fn print_holders(context: &Context, query: &Query, at: &str) -> Result<()> {
    let ip = query.ip().ok_or_else(|| {
        Error::usage("--at is for one IP address: who had it then")
            .hint("of an endpoint, a user or a host: `netapi ise dc history`")
    })?;
    let at = time(at)?;
    let holders = known::holders(context, ip, at).await?;
    if holders.is_empty() {
        return Err(Error::new(
            Kind::NotFound,
            format!("nobody is known to have had {ip} at {at}"),
        )
        .hint(format!(
            "by accounting of the 5 days before; `netapi ise dc history --ip {ip} --since 30d` has all of it"
        )));
    }
    let columns = Columns::of(HOLDERS, MEMBERS);
    context.print(&holders, columns, Shape::List, "")
}

/// A point in time; one without a zone is this machine's.
fn time(text: &str) -> Result<Timestamp> {
    if let Ok(local) = text.trim().parse::<DateTime>()
        && text.trim().len() > "2026-03-01".len()
        && text.trim().parse::<Timestamp>().is_err()
        && let Ok(local) = local.to_zoned(TimeZone::system())
    {
        return Ok(local.timestamp());
    }
    parse_when(text, Timestamp::now())
}
