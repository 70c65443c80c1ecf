//! Endpoints: what each source says of one, side by side, in the order in which they were found.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::record::{Mac, Record};

/// By what records of one endpoint are joined: its MAC address in one spelling, else what stands in
/// its place, else the session's id; empty where none of them was sent.
pub fn key(record: &Record) -> String {
    let station = record.first(&["macAddress", "callingStationId", "calling_station_id"]);
    let station = station.or_else(|| record.first(&["auditSessionId", "audit_session_id"]));
    let station = station.unwrap_or_default();
    match station.parse::<Mac>() {
        Ok(mac) if station.parse::<std::net::IpAddr>().is_err() => mac.to_string(),
        _ => station.into_owned(),
    }
}

/// One endpoint and what each source said of it.
struct Endpoint {
    key: String,
    sources: Map<String, Value>,
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
        let key = key(record);
        let place = self.places.get(&key).copied().unwrap_or_else(|| {
            let sources = Map::new();
            self.places.insert(key.clone(), self.found.len());
            self.found.push(Endpoint { key, sources });
            self.found.len() - 1
        });
        let Some(endpoint) = self.found.get_mut(place) else {
            return;
        };
        let source = endpoint.sources.entry(source).or_insert_with(|| json!({}));
        if let Some(members) = source.as_object_mut() {
            put(members, member, record.to_value());
        }
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

fn put(members: &mut Map<String, Value>, member: &str, mut value: Value) {
    let time = |value: &Value| {
        let time = value.get("timestamp").and_then(Value::as_str);
        time.map(str::to_owned)
    };
    let Some(known) = members.get_mut(member) else {
        members.insert(member.to_owned(), value);
        return;
    };
    if time(&value) > time(known) {
        std::mem::swap(known, &mut value);
    }
    if member == "session" {
        let others = members.entry("otherSessions").or_insert_with(|| json!([]));
        if let Some(others) = others.as_array_mut() {
            others.push(value);
        }
    }
}

impl Endpoint {
    fn record(self) -> Record {
        let mut members = Map::new();
        members.insert("endpoint".to_owned(), self.key.into());
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
