//! An address in history: which endpoints had it and when, and what of an endpoint's history belongs
//! to it.

use std::net::IpAddr;

use jiff::Timestamp;

use super::history::{ACCOUNTING_VIEW, MOST_ENDPOINTS, address_column};
use super::known::{AFTERWARDS, LONGEST_SILENCE};
use super::question::Question;
use super::window::{HistoryWindow, LATEST, Within};
use crate::cli::Context;
use crate::joins::address_periods::{self, Period};
use crate::oracle::Bind;
use crate::record::Record;

/// Sessions that are looked at, the latest first.
const MOST_SESSIONS: usize = 1000;

/// Periods of an endpoint that a statement has one by one; of more it has the whole time.
const MOST_PERIODS: usize = 20;

/// The sessions that had an address; also those that were silent when the window began, and their
/// records of the day behind it.
pub(super) fn sessions(window: HistoryWindow, ip: IpAddr) -> Question {
    let column = address_column(ip);
    let within = window.widened(LONGEST_SILENCE, AFTERWARDS).within();
    Question {
        columns: vec![
            ("CALLING_STATION_ID", "mac"),
            ("ACCT_SESSION_ID", "session"),
            ("MIN(TIMESTAMP_TIMEZONE)", "from"),
            (LATEST, "until"),
            (
                "SUM(CASE WHEN ACCT_STATUS_TYPE = 'Stop' THEN 1 ELSE 0 END)",
                "stops",
            ),
        ],
        rest: format!(
            "FROM {ACCOUNTING_VIEW} WHERE {column} = :ip AND {}{} \
             GROUP BY CALLING_STATION_ID, ACCT_SESSION_ID ORDER BY 4 DESC \
             FETCH FIRST {} ROWS ONLY",
            within.rough,
            within.exact,
            MOST_SESSIONS + 1
        ),
        exact: within.exact,
        binds: vec![Bind::Text(ip.to_string())],
    }
}

/// The periods that meet the window, the newest first, of no more endpoints than are looked at.
/// Each is said, also what lies beyond the window.
pub(super) fn periods(
    context: &Context,
    ip: IpAddr,
    window: HistoryWindow,
    found: &[Record],
) -> Vec<Period> {
    if found.len() > MOST_SESSIONS {
        context.reporter.warn(&format!(
            "over {MOST_SESSIONS} sessions had {ip}: the latest are looked at; narrow --since"
        ));
    }
    let mut periods = address_periods::of(found);
    periods.retain(|period| window.meets(period.begin(), period.until));
    let mut endpoints: Vec<String> = Vec::new();
    for period in &periods {
        if !endpoints.contains(&period.mac) {
            endpoints.push(period.mac.clone());
        }
    }
    if endpoints.len() > MOST_ENDPOINTS {
        context.reporter.warn(&format!(
            "more than {MOST_ENDPOINTS} endpoints had {ip}: the latest are looked at; narrow --since"
        ));
        endpoints.truncate(MOST_ENDPOINTS);
        periods.retain(|period| endpoints.contains(&period.mac));
    }
    for period in &periods {
        let until = period.until.map_or_else(
            || "on, as far as is known".to_owned(),
            |until| format!("until {until}"),
        );
        context.reporter.note(&format!(
            "{ip} was {}'s from {} {until}",
            period.mac, period.from
        ));
    }
    periods
}

/// The condition on time that it lies in the window and in one of the periods of `mac`.
pub(super) fn condition(window: HistoryWindow, periods: &[Period], mac: &str) -> Within {
    let own: Vec<&Period> = periods.iter().filter(|period| period.mac == mac).collect();
    let between =
        |from: &Period, until: &Period| format!("({})", window.part(from.begin(), until.until));
    let exact = window.exact();
    if own.len() > MOST_PERIODS
        && let (Some(newest), Some(oldest)) = (own.first(), own.last())
    {
        let rough = between(oldest, newest);
        return Within { rough, exact };
    }
    let each: Vec<String> = own.iter().map(|period| between(period, period)).collect();
    let rough = format!("({})", each.join(" OR "));
    Within { rough, exact }
}

/// Whether a record is of an endpoint while it had the address.
pub(super) fn is_within(record: &Record, periods: &[Period]) -> bool {
    let time = record
        .text("time")
        .and_then(|time| time.parse::<Timestamp>().ok());
    let mac = record.text("mac").unwrap_or_default();
    // What has no time is not left out for it.
    time.is_none_or(|time| periods.iter().any(|period| period.has(&mac, time)))
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn an_address_is_looked_for_in_the_column_of_its_kind() {
        let window = HistoryWindow::back(SignedDuration::from_hours(24));
        for (ip, column) in [
            ("10.0.0.1", " FRAMED_IP_ADDRESS = "),
            ("2001:db8::1", " FRAMED_IPV6_ADDRESS = "),
        ] {
            let sql = sessions(window, ip.parse().unwrap()).sql();
            assert!(sql.contains(column), "{sql}");
            assert!(sql.contains("TIMESTAMP >= SYSDATE - 6.062500"), "{sql}");
        }
    }

    #[test]
    fn many_periods_are_asked_for_as_one() {
        let now = Timestamp::now();
        let window = HistoryWindow::back(SignedDuration::from_hours(24 * 30));
        let period = |hours: i64| Period {
            mac: "a".to_owned(),
            from: now - SignedDuration::from_hours(hours),
            until: Some(now - SignedDuration::from_hours(hours - 1)),
        };
        let parts = |count: i64| {
            let periods: Vec<Period> = (1..=count).map(|n| period(n * 4)).collect();
            let rough = condition(window, &periods, "a").rough;
            rough.matches(">= SYSDATE").count()
        };
        assert_eq!((parts(1), parts(20), parts(21)), (1, 20, 1));
    }
}
