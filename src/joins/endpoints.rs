//! Endpoints: what each source says of one, side by side, in the order in which they were found.
//!
//! Where the calling station is no MAC address, it can be that of several people: those behind one
//! address, or at one VPN gateway. They are told apart by user, or else by session.

use std::borrow::Cow;
use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::record::{Mac, Presence, Record, time};

/// What an endpoint is called: its MAC address in one spelling, else what stands in its place, else
/// the session's id; empty where none of them was sent.
pub fn name(record: &Record) -> String {
    let station = station(record);
    match station.as_deref().and_then(mac) {
        Some(mac) => mac.to_string(),
        None => station
            .or_else(|| session_id(record))
            .unwrap_or_default()
            .into_owned(),
    }
}

/// By what records of one endpoint are joined: its MAC address in one spelling; without one its
/// station and user, else the session's id, else the station alone. `None` where nothing was sent
/// by which two could be told to be one.
pub fn key(record: &Record) -> Option<String> {
    let station = station(record);
    if let Some(mac) = station.as_deref().and_then(mac) {
        return Some(mac.to_string());
    }
    let user = record.first(&["userName", "user_name", "username", "user"]);
    match (&station, user) {
        (_, Some(user)) => {
            let station = station.unwrap_or_default();
            // No name and no address has a line end.
            Some(format!("{station}\n{}", user.to_lowercase()))
        }
        (_, None) => session_key(record).or(station.map(Cow::into_owned)),
    }
}

fn station(record: &Record) -> Option<Cow<'_, str>> {
    record.first(&[
        "macAddress",
        "callingStationId",
        "calling_station_id",
        "mac",
    ])
}

/// An IPv6 address can be written like a MAC address.
fn mac(station: &str) -> Option<Mac> {
    let address = station.parse::<std::net::IpAddr>().is_ok();
    station.parse().ok().filter(|_| !address)
}

fn session_id(record: &Record) -> Option<Cow<'_, str>> {
    record.first(&["auditSessionId", "audit_session_id"])
}

fn session_key(record: &Record) -> Option<String> {
    let id = session_id(record)?;
    Some(format!("session\n{}", id.to_lowercase()))
}

/// Which of two records of one kind is shown: that of an active session, then the later one.
type Rank = (bool, Option<Timestamp>);

fn rank(record: &Record) -> Rank {
    let at = record.first(&["timestamp", "auth_acs_timestamp", "auth_timestamp"]);
    let active = record.presence() == Presence::Active;
    (active, at.and_then(|at| time::instant(&at)))
}

/// One endpoint and what each source said of it.
struct Endpoint {
    name: String,
    /// Whether it is known by its MAC address.
    has_mac: bool,
    sources: Map<String, Value>,
    /// Of what is shown of a source's member.
    ranks: HashMap<String, Rank>,
}

/// See the module's documentation.
#[derive(Default)]
pub struct Endpoints {
    found: Vec<Endpoint>,
    places: HashMap<String, usize>,
}

impl Endpoints {
    /// Adds what a source (`pxgrid`) said under a member (`session`). Of several the newest is
    /// shown, or the first where they have no time; the others of a session are kept beside it.
    pub fn add(&mut self, (source, member): (&str, &str), record: &Record) {
        let place = self.place(record);
        let Some(endpoint) = self.found.get_mut(place) else {
            return;
        };
        endpoint.put(source, member, record);
    }

    /// Where the endpoint of this record is. One without a MAC address is also known by the id of
    /// its session, whatever the sources call the user.
    fn place(&mut self, record: &Record) -> usize {
        let station = station(record);
        let has_mac = station.as_deref().is_some_and(|text| mac(text).is_some());
        let (key, session) = (key(record), session_key(record));
        let known = |key: &Option<String>| self.places.get(key.as_ref()?).copied();
        let by_session = || {
            known(&session).filter(|place| {
                let other = self.found.get(*place);
                other.is_some_and(|other| !(has_mac && other.has_mac))
            })
        };
        let place = known(&key).or_else(by_session).unwrap_or(self.found.len());
        if place == self.found.len() {
            self.found.push(Endpoint {
                name: name(record),
                has_mac,
                sources: Map::new(),
                ranks: HashMap::new(),
            });
        }
        for key in key.into_iter().chain(session) {
            self.places.entry(key).or_insert(place);
        }
        place
    }

    /// What they are called: MAC addresses, where they have one.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.found.iter().map(|endpoint| endpoint.name.as_str())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// Each as a record: `endpoint`, then an object for each source.
    pub fn into_records(self) -> Vec<Record> {
        self.found.into_iter().map(Endpoint::record).collect()
    }
}

impl Endpoint {
    fn put(&mut self, source: &str, member: &str, record: &Record) {
        let members = self.sources.entry(source).or_insert_with(|| json!({}));
        let Some(members) = members.as_object_mut() else {
            return;
        };
        let (mut value, rank) = (record.to_value(), rank(record));
        let shown = self.ranks.entry(format!("{source}.{member}"));
        let shown = shown.or_insert(rank);
        let Some(known) = members.get_mut(member) else {
            members.insert(member.to_owned(), value);
            return;
        };
        if rank > *shown {
            *shown = rank;
            std::mem::swap(known, &mut value);
        }
        if member == "session" {
            let others = members.entry("otherSessions").or_insert_with(|| json!([]));
            if let Some(others) = others.as_array_mut() {
                others.push(value);
            }
        }
    }

    fn record(self) -> Record {
        let mut members = Map::new();
        members.insert("endpoint".to_owned(), self.name.into());
        members.extend(self.sources);
        Record::from_value(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(parts: &[(&str, &str, Value)]) -> Vec<Value> {
        let mut endpoints = Endpoints::default();
        for (source, member, value) in parts {
            endpoints.add((source, member), &Record::from_value(value.clone()));
        }
        endpoints
            .into_records()
            .iter()
            .map(Record::to_value)
            .collect()
    }

    #[test]
    fn one_endpoint_is_joined_whatever_the_spelling() {
        let pxgrid = json!({"macAddress": "00:00:5E:00:53:01", "state": "STARTED"});
        let mnt = json!({"calling_station_id": "0000.5e00.5301", "server": "psn-a"});
        let vpn = json!({"callingStationId": "20.30.40.50"});
        let rows = joined(&[
            ("pxgrid", "session", pxgrid.clone()),
            ("pxgrid", "session", vpn.clone()),
            ("mnt", "session", mnt.clone()),
        ]);
        assert_eq!(
            rows,
            [
                json!({"endpoint": "00:00:5E:00:53:01", "pxgrid": {"session": pxgrid},
                    "mnt": {"session": mnt}}),
                json!({"endpoint": "20.30.40.50", "pxgrid": {"session": vpn}}),
            ]
        );
    }

    #[test]
    fn the_newest_is_shown_and_other_sessions_are_kept() {
        let at = |minute: u32, port: &str| {
            json!({"macAddress": "00:00:5E:00:53:01", "nasPortId": port,
                "timestamp": format!("2026-03-01T10:{minute:02}:00Z")})
        };
        let of = |member: &'static str| {
            let parts = [(10, "a"), (12, "b"), (11, "c")]
                .map(|(minute, port)| ("pxgrid", member, at(minute, port)));
            joined(&parts)[0]["pxgrid"].clone()
        };
        assert_eq!(
            of("session"),
            json!({"session": at(12, "b"), "otherSessions": [at(10, "a"), at(11, "c")]})
        );
        assert_eq!(of("failure"), json!({"failure": at(12, "b")}));
    }

    #[test]
    fn the_newest_is_by_instant_and_an_active_session_goes_first() {
        let session = |time: &str, id: &str| json!({"macAddress": "00:00:5E:00:53:01", "timestamp": time, "auditSessionId": id});
        for (older, newer) in [
            ("2026-11-29T14:00:00+03:00", "2026-11-29T12:30:00Z"),
            ("2026-11-29T12:30:23Z", "2026-11-29T12:30:23.19Z"),
            ("soon", "2026-11-29T12:30:23Z"),
        ] {
            let (older, newer) = (session(older, "A"), session(newer, "B"));
            for pair in [[&older, &newer], [&newer, &older]] {
                let rows = joined(&pair.map(|one| ("pxgrid", "session", one.clone())));
                assert_eq!(rows[0]["pxgrid"]["session"], newer, "{pair:?}");
            }
        }
        let mac = "00:00:5E:00:53:01";
        let active = json!({"calling_station_id": mac, "audit_session_id": "A"});
        let ended = json!({"calling_station_id": mac, "stopped": "true",
            "auth_acs_timestamp": "2026-11-29T12:30:23Z"});
        let rows = joined(&[
            ("mnt", "session", ended.clone()),
            ("mnt", "session", active.clone()),
        ]);
        assert_eq!(
            rows[0]["mnt"],
            json!({"session": active, "otherSessions": [ended]})
        );
    }

    #[test]
    fn people_behind_one_address_and_people_without_one_are_told_apart() {
        let nat = "203.0.113.90";
        let mnt = |user: &str, id: &str| json!({"calling_station_id": nat, "user_name": user, "audit_session_id": id});
        let (anna, boris) = (mnt("vpn.anna", "A1"), mnt("vpn.boris", "B2"));
        let again = json!({"callingStationId": nat, "userName": "LAB\\vpn.anna",
            "auditSessionId": "a1"});
        let failure = json!({"callingStationId": nat, "userName": "VPN.Boris"});
        let [cleo, dora] = ["cleo", "dora"].map(|user| json!({"userName": user}));
        let nothing = json!({"state": "STARTED"});
        let rows = joined(&[
            ("mnt", "session", anna.clone()),
            ("mnt", "session", boris.clone()),
            ("pxgrid", "session", again.clone()),
            ("pxgrid", "failure", failure.clone()),
            ("pxgrid", "session", cleo.clone()),
            ("pxgrid", "session", dora.clone()),
            ("pxgrid", "session", nothing.clone()),
            ("pxgrid", "session", nothing.clone()),
        ]);
        assert_eq!(
            rows,
            [
                json!({"endpoint": nat, "mnt": {"session": anna}, "pxgrid": {"session": again}}),
                json!({"endpoint": nat, "mnt": {"session": boris},
                    "pxgrid": {"failure": failure}}),
                json!({"endpoint": "", "pxgrid": {"session": cleo}}),
                json!({"endpoint": "", "pxgrid": {"session": dora}}),
                json!({"endpoint": "", "pxgrid": {"session": nothing}}),
                json!({"endpoint": "", "pxgrid": {"session": nothing}}),
            ]
        );
    }

    /// Ten thousand against ten thousand would take minutes if each were looked for in a list.
    #[test]
    fn many_are_joined_in_one_walk() {
        let mut endpoints = Endpoints::default();
        for source in ["mnt", "pxgrid"] {
            for number in 0..20_000_u32 {
                let [_, a, b, c] = number.to_be_bytes();
                let mac = format!("02:00:00:{a:02X}:{b:02X}:{c:02X}");
                let row = Record::from_value(json!({ "macAddress": mac }));
                endpoints.add((source, "session"), &row);
            }
        }
        assert_eq!(endpoints.len(), 20_000);
    }
}
