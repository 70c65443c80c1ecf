//! Who had an address at a time, by the accounting records that have it. Pure: records and a time
//! in, holders out.
//!
//! A record tells that its session had the address then; between two records of one session it had
//! it all the time. A session whose last record is before the time may have ended unheard: it is a
//! holder without certainty, unless another had the address later.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::json;

use crate::record::Record;

/// A session's records with the address, in short.
struct Holding<'r> {
    /// The latest record up to the time, else the earliest after it.
    shown: &'r Record,
    first: Timestamp,
    last: Timestamp,
    /// The latest record up to the time.
    before: Option<Timestamp>,
    started: bool,
    stopped: Option<Timestamp>,
}

/// The holders at `at`, the most certain first. Records have the members `mac`, `time`, `what`
/// (`start`, `interim`, `stop`) and `sessionId`; one may come twice.
pub fn at(records: &[Record], at: Timestamp) -> Vec<Record> {
    let mut sessions: BTreeMap<(String, String), Holding<'_>> = BTreeMap::new();
    for record in records {
        let text = |name: &str| record.text(name).unwrap_or_default().into_owned();
        let Ok(time) = text("time").parse::<Timestamp>() else {
            continue;
        };
        let session = text("acctSessionId");
        let session = if session.is_empty() {
            text("sessionId")
        } else {
            session
        };
        let holding = sessions
            .entry((text("mac"), session))
            .or_insert_with(|| Holding {
                shown: record,
                first: time,
                last: time,
                before: None,
                started: false,
                stopped: None,
            });
        holding.first = holding.first.min(time);
        holding.last = holding.last.max(time);
        if time <= at && holding.before.is_none_or(|before| time >= before) {
            holding.before = Some(time);
            holding.shown = record;
        }
        match text("what").as_str() {
            "start" => holding.started = true,
            "stop" => holding.stopped = Some(time),
            _ => {}
        }
    }
    let mut holders: Vec<&Holding<'_>> = sessions
        .values()
        .filter(|session| session.before.is_some())
        .filter(|session| session.stopped.is_none_or(|stopped| stopped > at))
        .collect();
    let certain = |session: &Holding<'_>| session.last >= at;
    // Whoever was heard of last had it; the others had ended unheard.
    let latest = sessions.values().filter_map(|session| session.before).max();
    holders.retain(|session| certain(session) || session.before == latest);
    crate::order::sort_by_key(&mut holders, |session| {
        (!certain(session), std::cmp::Reverse(session.before))
    });
    holders
        .into_iter()
        .map(|session| record_of(session, certain(session)))
        .collect()
}

fn record_of(session: &Holding<'_>, certain: bool) -> Record {
    let member = |name: &str| session.shown.text(name).map(std::borrow::Cow::into_owned);
    Record::from_value(json!({
        "mac": member("mac"),
        "user": member("user"),
        "nas": member("nas"),
        "port": member("port"),
        "from": session.first.to_string(),
        "until": session.last.to_string(),
        "began": session.started,
        "ended": session.stopped.is_some(),
        "certain": certain,
        "ip": member("ip"),
        "sessionId": member("sessionId"),
        "server": member("server"),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(mac: &str, what: &str, minute: u32) -> Record {
        Record::from_value(json!({
            "mac": mac, "acctSessionId": format!("s-{mac}"), "what": what,
            "time": format!("2026-11-24T03:{minute:02}:00Z"),
        }))
    }

    fn who(records: &[Record], minute: u32) -> Vec<(String, bool)> {
        let time = format!("2026-11-24T03:{minute:02}:00Z").parse().unwrap();
        let holders = at(records, time);
        let told = |holder: &Record| {
            let certain = holder.text("certain").unwrap() == "true";
            (holder.text("mac").unwrap().into_owned(), certain)
        };
        holders.iter().map(told).collect()
    }

    #[test]
    fn between_two_records_of_a_session_the_address_was_its() {
        let a = || "a".to_owned();
        let b = || "b".to_owned();
        let records = [
            record("a", "start", 10),
            record("a", "interim", 15),
            record("a", "stop", 20),
            record("b", "start", 30),
            record("b", "interim", 35),
            record("b", "interim", 35),
        ];
        assert_eq!(who(&records, 5), []);
        assert_eq!(who(&records, 12), [(a(), true)]);
        assert_eq!(who(&records, 20), []);
        assert_eq!(who(&records, 25), []);
        assert_eq!(who(&records, 32), [(b(), true)]);
        // Not heard of any more, and of nobody else either.
        assert_eq!(who(&records, 50), [(b(), false)]);
    }

    #[test]
    fn who_ended_unheard_gives_way_to_the_next() {
        let records = [record("a", "start", 10), record("b", "start", 30)];
        assert_eq!(who(&records, 20), [("a".to_owned(), false)]);
        assert_eq!(who(&records, 40), [("b".to_owned(), false)]);
    }
}
