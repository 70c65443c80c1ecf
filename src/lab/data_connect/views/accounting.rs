//! Accounting: `RADIUS_ACCOUNTING` and the cheaper one of a week. A session has a start, an interim
//! update each quarter of an hour and, where it ended, a stop; on each former day the endpoint had
//! one of a working day. On some of those days two neighbours had each other's address, and of some
//! sessions no stop came: ghosts.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::sync::Arc;

use super::radius::{endpoints, place};
use super::{Clock, Hints, Row, Source, record_id};
use crate::lab::data_connect::sql::World;
use crate::lab::data_connect::sql::value::Value;
use crate::lab::population::{LabSession, Population};

const DAY: i64 = 24 * 3_600_000;
const INTERIM: i64 = 15 * 60_000;
/// How long a session of a former day was.
const WORKING_DAY: i64 = 7 * 3_600_000 + 30 * 60_000;
const FORMER_DAYS: i64 = 29;
/// The day of which some sessions have no stop.
const DAY_OF_GHOSTS: i64 = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Start,
    Interim,
    Stop,
}

struct Record {
    session: LabSession,
    at: i64,
    began_at: i64,
    status: Status,
    address: Option<Ipv4Addr>,
    /// How many days ago the session was; 0 is the present one.
    day: i64,
    clock: Clock,
}

pub(super) fn rows(name: &str, world: &World, hints: &Hints) -> Option<Source> {
    let oldest = match name {
        "RADIUS_ACCOUNTING" => world.now - (FORMER_DAYS + 1) * DAY,
        "RADIUS_ACCOUNTING_WEEK" => world.now - 7 * DAY,
        _ => return None,
    };
    let since = hints.oldest().max(oldest);
    let directory = Arc::clone(&world.directory);
    let changes = directory.state.changes(world.now);
    let address = hints
        .text("FRAMED_IP_ADDRESS")
        .and_then(|text| text.parse().ok());
    let owner = address.and_then(|address| directory.population.find_by_ip(address));
    let mut hints = hints.clone();
    // Who has the address, or had the neighbour's.
    let sought = owner.map(|owner| [owner.index(), owner.index() ^ 1]);
    if sought.is_some() {
        hints.equal.retain(|(name, _)| name != "CALLING_STATION_ID");
    }
    let clock = Clock::of(world);
    let rows = endpoints(world, &hints, "CALLING_STATION_ID").flat_map(move |session| {
        let is_sought = sought.is_none_or(|sought| sought.contains(&session.index()));
        if !is_sought || !session.has_ids() || session.is_failed_only() {
            return vec![None];
        }
        let original = directory.population.session(session.index());
        let ended = changes.ended(original);
        let mut records = Vec::new();
        if let Some((ended, at)) = ended {
            present(&ended, Some(at), &clock, &mut records);
        }
        if changes.apply(original).is_some() {
            present(&session, None, &clock, &mut records);
        }
        for day in 1..=FORMER_DAYS {
            former(&directory.population, &original, day, &clock, &mut records);
        }
        records.retain(|record| record.at >= since);
        crate::order::sort_by_key(&mut records, |record| -record.at);
        let rows = records
            .into_iter()
            .map(|row| Some(Box::new(row) as Box<dyn Row>));
        std::iter::once(None).chain(rows).collect()
    });
    Some(Box::new(rows))
}

/// The records of a session of today.
fn present(session: &LabSession, ended_at: Option<i64>, clock: &Clock, records: &mut Vec<Record>) {
    let began_at = session.connected_at();
    let mut add = |at, status| {
        records.push(Record {
            session: *session,
            at,
            began_at,
            status,
            address: session.framed_ip(),
            day: 0,
            clock: clock.clone(),
        });
    };
    add(began_at, Status::Start);
    let mut at = began_at + INTERIM;
    while at <= session.accounted_at() {
        add(at, Status::Interim);
        at += INTERIM;
    }
    if let Some(at) = ended_at {
        add(at, Status::Stop);
    }
}

/// The records of the session `day` days ago.
fn former(
    population: &Population,
    session: &LabSession,
    day: i64,
    clock: &Clock,
    records: &mut Vec<Record>,
) {
    let neighbour = session.index() ^ 1;
    let address = if day % 3 == 2 && neighbour < population.sessions() {
        population.session(neighbour).framed_ip()
    } else {
        session.framed_ip()
    };
    let began_at = session.connected_at() - day * DAY;
    let is_ghost = day == DAY_OF_GHOSTS && session.index() % 10 == 7;
    for (status, at) in [
        (Status::Start, began_at),
        (Status::Stop, began_at + WORKING_DAY),
    ] {
        if is_ghost && status == Status::Stop {
            continue;
        }
        records.push(Record {
            session: *session,
            at,
            began_at,
            status,
            address,
            day,
            clock: clock.clone(),
        });
    }
}

impl Row for Record {
    fn value(&self, column: &str) -> Value {
        let session = &self.session;
        let seconds = u64::try_from((self.at - self.began_at) / 1000).unwrap_or(0);
        let octets = |rate: u64| Value::from((seconds * (session.hash() % rate)).to_string());
        let packets = |rate: u64, size: u64| Value::from(seconds * (session.hash() % rate) / size);
        match column {
            "ID" => record_id(self.at, session.index()),
            "TIMESTAMP" => self.clock.local(self.at),
            "TIMESTAMP_TIMEZONE" => self.clock.zoned(self.at),
            "EVENT_TIMESTAMP" => Value::from((self.at / 1000).to_string()),
            "ACCT_STATUS_TYPE" => Value::from(match self.status {
                Status::Start => "Start",
                Status::Interim => "Interim-Update",
                Status::Stop => "Stop",
            }),
            "SYSLOG_MESSAGE_CODE" => Value::from(match self.status {
                Status::Start => "3000",
                Status::Interim => "3002",
                Status::Stop => "3001",
            }),
            "STARTED" => Value::from(u64::from(self.status == Status::Start)),
            "STOPPED" => Value::from(u64::from(self.status == Status::Stop)),
            "ACCT_TERMINATE_CAUSE" if self.status == Status::Stop => Value::from("User-Request"),
            "ACCT_SESSION_TIME" => Value::from(seconds),
            "ACCT_INPUT_OCTETS" => octets(2_000_003),
            "ACCT_OUTPUT_OCTETS" => octets(90_001),
            "ACCT_INPUT_PACKETS" => packets(2_000_003, 1320),
            "ACCT_OUTPUT_PACKETS" => packets(90_001, 320),
            "ACCT_SESSION_ID" => {
                let mut id = String::new();
                session.push_acct_session_id(&mut id);
                Value::from(if self.day > 0 {
                    format!("{id}{:02}", self.day)
                } else {
                    id
                })
            }
            "AUDIT_SESSION_ID" => {
                let mut id = session.audit_session_id();
                if self.day > 0 {
                    id.truncate(id.len().saturating_sub(2));
                    let _ = write!(id, "{:02X}", self.day);
                }
                Value::from(id)
            }
            "FRAMED_IP_ADDRESS" => self
                .address
                .map_or(Value::Null, |address| Value::from(address.to_string())),
            "ACCT_AUTHENTIC" => Value::from("RADIUS"),
            "IDENTITY_GROUP" => Value::from(session.role().identity_group),
            "SECURITY_GROUP" => Value::from(session.security_group()),
            "NAS_IDENTIFIER" => session
                .nas()
                .map_or(Value::Null, |nas| Value::from(nas.name())),
            _ => place(session, column).unwrap_or(Value::Null),
        }
    }
}
