//! When endpoints had an address, by the sessions of accounting that have it. Pure: sessions in,
//! periods out.
//!
//! A session without a stop lasts until another endpoint has the address, or goes on. Sessions of
//! one endpoint between which nobody else had the address are one period.

use jiff::{SignedDuration, Timestamp};

use crate::record::Record;

/// An endpoint asks to be let in before it has an address.
const BEFORE: SignedDuration = SignedDuration::from_mins(5);

/// What an endpoint had the address for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    /// The endpoint, as accounting names it.
    pub mac: String,
    /// Its first record with the address.
    pub from: Timestamp,
    /// `None`: it has it still, as far as is known.
    pub until: Option<Timestamp>,
}

impl Period {
    /// From when on what happened to the endpoint belongs to it.
    pub fn begin(&self) -> Timestamp {
        self.from.checked_sub(BEFORE).unwrap_or(self.from)
    }

    /// Whether it is of this endpoint and has this moment.
    pub fn has(&self, mac: &str, at: Timestamp) -> bool {
        self.mac == mac && at >= self.begin() && self.until.is_none_or(|until| at <= until)
    }
}

/// The periods, the newest first. Sessions have the members `mac`, `from`, `until` (their first and
/// last record) and `stops` (how many stops there are among them).
pub fn of(sessions: &[Record]) -> Vec<Period> {
    let mut sessions: Vec<Period> = sessions.iter().filter_map(session).collect();
    crate::order::sort_by_key(&mut sessions, |session| session.from);
    let mut periods: Vec<Period> = Vec::new();
    for session in sessions {
        match periods.last_mut() {
            Some(last) if last.mac == session.mac => {
                // A session that was not stopped had ended when the next one began.
                let until = session.until;
                last.until = until.map(|until| last.until.map_or(until, |one| one.max(until)));
            }
            last => {
                // Who was not heard of any more had lost it by then.
                if let Some(last) = last {
                    let until = last.until.unwrap_or(session.from);
                    last.until = Some(until.min(session.from).max(last.from));
                }
                periods.push(session);
            }
        }
    }
    periods.reverse();
    periods
}

fn session(record: &Record) -> Option<Period> {
    let text = |name: &str| record.text(name);
    let time = |name: &str| text(name)?.parse::<Timestamp>().ok();
    let mac = text("mac").filter(|mac| !mac.is_empty())?.into_owned();
    let stopped = text("stops").is_some_and(|stops| !stops.is_empty() && stops != "0");
    Some(Period {
        mac,
        from: time("from")?,
        until: time("until").filter(|_| stopped),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn time(minute: u32) -> String {
        format!("2026-11-24T03:{minute:02}:00Z")
    }

    fn at(minute: u32) -> Timestamp {
        time(minute).parse().unwrap()
    }

    fn session(mac: &str, from: u32, until: u32, stops: u32) -> Record {
        Record::from_value(json!({
            "mac": mac, "from": time(from), "until": time(until), "stops": stops.to_string(),
        }))
    }

    fn period(mac: &str, from: u32, until: Option<u32>) -> Period {
        Period {
            mac: mac.to_owned(),
            from: at(from),
            until: until.map(at),
        }
    }

    #[test]
    fn sessions_of_one_endpoint_in_a_row_are_one_period() {
        let sessions = [
            session("a", 50, 55, 0),
            session("a", 10, 11, 0),
            session("b", 40, 45, 1),
            session("a", 25, 30, 1),
        ];
        assert_eq!(
            of(&sessions),
            [
                period("a", 50, None),
                period("b", 40, Some(45)),
                period("a", 10, Some(30))
            ]
        );
    }

    #[test]
    fn who_ended_unheard_gives_way_to_the_next() {
        let sessions = [session("a", 10, 15, 0), session("b", 30, 31, 0)];
        assert_eq!(
            of(&sessions),
            [period("b", 30, None), period("a", 10, Some(30))]
        );
    }

    #[test]
    fn what_happened_is_of_whom_had_the_address_then() {
        let had = period("a", 10, Some(20));
        for (mac, minute, belongs) in [
            ("a", 4, false),
            ("a", 5, true),
            ("a", 20, true),
            ("a", 21, false),
            ("b", 15, false),
        ] {
            assert_eq!(had.has(mac, at(minute)), belongs, "{mac} {minute}");
        }
        assert!(period("a", 10, None).has("a", at(59)));
    }

    #[test]
    fn rows_without_a_time_or_an_endpoint_are_passed_over() {
        let odd = [
            json!({"mac": "a", "from": "unreadable:00", "until": time(3), "stops": "1"}),
            json!({"mac": "", "from": time(1), "until": time(3), "stops": "1"}),
        ];
        assert_eq!(of(&odd.map(Record::from_value)), []);
    }
}
