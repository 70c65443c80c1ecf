//! The endpoints of a group of failures: how often each failed, when last, and its newest failure
//! as it was sent.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::endpoints;
use super::failure_facts::{self, By};
use super::limits::Limits;
use super::trend::{Counts, Window};
use crate::record::{JsonText, Record};

/// See the module's documentation.
pub struct FailingEndpoints {
    window: Window,
    limits: Limits,
    endpoints: HashMap<String, Endpoint>,
    bytes: usize,
    totals: Totals,
}

/// What is said beside the endpoints.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Failed attempts, those left out too.
    pub attempts: u64,
    /// Attempts of endpoints that there was no room for.
    pub beyond: u64,
}

struct Endpoint {
    attempts: u64,
    newest: Option<Timestamp>,
    failure: Record,
    bytes: usize,
    trend: Counts,
}

impl FailingEndpoints {
    /// None yet.
    pub fn new(window: Window, limits: Limits) -> Self {
        Self {
            window,
            limits,
            endpoints: HashMap::new(),
            bytes: 0,
            totals: Totals::default(),
        }
    }

    /// Adds a failure.
    pub fn add(&mut self, failure: &Record) {
        self.totals.attempts += 1;
        let key = failure_facts::endpoint(failure).unwrap_or_default();
        let at = failure_facts::moment(failure).map(|(at, _)| at);
        let known = self.endpoints.get_mut(&key);
        let is_newest = known.as_ref().is_none_or(|known| at > known.newest);
        let mut text = Vec::new();
        if is_newest {
            failure.write_json(&mut text);
        }
        let bytes = text.len();
        let held = known.as_ref().map_or(0, |known| known.bytes);
        let fits = self.bytes + bytes <= self.limits.bytes + held;
        if let Some(known) = known {
            known.attempts += 1;
            if let Some(at) = at {
                known.trend.add(&self.window, at);
            }
            if is_newest && fits {
                known.newest = at;
                known.failure = unread(failure, text);
                known.bytes = bytes;
                self.bytes = self.bytes + bytes - held;
            }
            return;
        }
        if !fits || self.endpoints.len() >= self.limits.rows {
            self.totals.beyond += 1;
            return;
        }
        let mut trend = Counts::default();
        if let Some(at) = at {
            trend.add(&self.window, at);
        }
        self.bytes += bytes;
        let endpoint = Endpoint {
            attempts: 1,
            newest: at,
            failure: unread(failure, text),
            bytes,
            trend,
        };
        self.endpoints.insert(key, endpoint);
    }

    /// The endpoints as records, those that failed most often first; and the totals. A record is
    /// made when it is asked for.
    pub fn finish(self) -> (impl Iterator<Item = Record>, Totals) {
        let mut endpoints: Vec<(String, Endpoint)> = self.endpoints.into_iter().collect();
        let rank = |endpoint: &Endpoint| Reverse((endpoint.attempts, endpoint.newest));
        crate::order::sort_by(&mut endpoints, |(a_key, a), (b_key, b)| {
            rank(a).cmp(&rank(b)).then_with(|| a_key.cmp(b_key))
        });
        let window = self.window;
        let records = endpoints.into_iter();
        let records = records.map(move |(_, endpoint)| endpoint.record(&window));
        (records, self.totals)
    }
}

/// A failure as its text alone: once somebody has looked into a record it holds its values too,
/// which take ten times the room that is counted here.
fn unread(failure: &Record, text: Vec<u8>) -> Record {
    let text = String::from_utf8(text);
    text.map_or_else(
        |_| failure.clone(),
        |text| Record::Json(JsonText::of_ours(text)),
    )
}

impl Endpoint {
    fn record(self, window: &Window) -> Record {
        let failure = &self.failure;
        let name = Some(endpoints::name(failure)).filter(|name| !name.is_empty());
        let text = |value: Option<Cow<'_, str>>| -> Value {
            value.map_or(Value::Null, |text| text.into_owned().into())
        };
        let mut members = Map::new();
        let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
        put(
            "endpoint",
            text(name.map(Cow::Owned).or_else(|| By::User.value(failure))),
        );
        put("user", text(By::User.value(failure)));
        put("nas", text(By::Nas.value(failure)));
        put("port", text(failure.first(&["nasPortId", "nas_port_id"])));
        put("server", text(By::Server.value(failure)));
        put("reason", text(By::Reason.value(failure)));
        put("code", failure_facts::code(failure).into());
        put("attempts", self.attempts.into());
        put(
            "newest",
            text(failure_facts::moment(failure).map(|(_, text)| text)),
        );
        put("trend", self.trend.value(window));
        put("failure", failure.to_value());
        Record::from_value(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn listed(failures: &[Value], limits: Limits) -> (Vec<Value>, Totals) {
        let window = Window {
            since: "2026-03-01T10:00:00Z".parse().unwrap(),
            until: "2026-03-01T11:00:00Z".parse().unwrap(),
            parts: 2,
        };
        let mut endpoints = FailingEndpoints::new(window, limits);
        for failure in failures {
            endpoints.add(&Record::from_value(failure.clone()));
        }
        let (records, totals) = endpoints.finish();
        (records.map(|record| record.to_value()).collect(), totals)
    }

    fn failure(mac: u8, minute: u32) -> Value {
        json!({"macAddress": format!("00:00:5E:00:53:{mac:02X}"), "nasPortId": "Gi1/0/5",
            "failureReason": "22040 x", "userName": "robin", "nasIpAddress": "10.50.1.10",
            "serverName": "psn-a", "timestamp": format!("2026-03-01T10:{minute:02}:00Z")})
    }

    #[test]
    fn each_endpoint_once_with_its_newest_failure_as_sent() {
        let failures = [
            failure(1, 5),
            failure(2, 10),
            failure(1, 40),
            failure(1, 20),
        ];
        let (rows, totals) = listed(&failures, Limits::ENDPOINTS);
        assert_eq!(
            rows[0],
            json!({"endpoint": "00:00:5E:00:53:01", "user": "robin", "nas": "10.50.1.10",
                "port": "Gi1/0/5", "server": "psn-a", "reason": "22040 x", "code": "22040",
                "attempts": 3, "newest": "2026-03-01T10:40:00Z", "trend": [2, 1],
                "failure": failure(1, 40)})
        );
        assert_eq!((rows.len(), rows[1]["attempts"].as_u64()), (2, Some(1)));
        assert_eq!(
            totals,
            Totals {
                attempts: 4,
                beyond: 0
            }
        );
    }

    /// Which is what its bytes are counted by: a failure that was looked into holds more.
    #[test]
    fn a_failure_is_kept_as_its_text_alone() {
        let sent = Record::from_value(failure(1, 5));
        let window = Window {
            since: "2026-03-01T10:00:00Z".parse().unwrap(),
            until: "2026-03-01T11:00:00Z".parse().unwrap(),
            parts: 2,
        };
        let mut endpoints = FailingEndpoints::new(window, Limits::ENDPOINTS);
        endpoints.add(&sent);
        let kept = endpoints.endpoints.values().next().unwrap();
        let Record::Json(kept) = &kept.failure else {
            panic!("JSON stays JSON")
        };
        assert!(!kept.is_parsed());
        assert_eq!(kept.value(), &failure(1, 5));
        assert!(kept.is_parsed());
    }

    #[test]
    fn people_behind_one_address_are_endpoints_of_their_own() {
        let of = |user: &str| {
            json!({"callingStationId": "203.0.113.90", "userName": user,
                "timestamp": "2026-03-01T10:05:00Z"})
        };
        let (rows, _) = listed(&[of("anna"), of("boris"), of("anna")], Limits::ENDPOINTS);
        let seen: Vec<_> = rows
            .iter()
            .map(|row| (&row["endpoint"], &row["user"], &row["attempts"]))
            .collect();
        let nat = json!("203.0.113.90");
        assert_eq!(
            seen,
            [
                (&nat, &json!("anna"), &json!(2)),
                (&nat, &json!("boris"), &json!(1)),
            ]
        );
    }

    #[test]
    fn what_has_no_room_is_counted() {
        let few = Limits {
            rows: 2,
            ..Limits::ENDPOINTS
        };
        let failures = [
            failure(1, 5),
            failure(2, 10),
            failure(3, 11),
            failure(1, 20),
        ];
        let (rows, totals) = listed(&failures, few);
        assert_eq!((rows.len(), totals.attempts, totals.beyond), (2, 4, 1));
        let small = Limits {
            bytes: failure(1, 5).to_string().len() + 10,
            ..Limits::ENDPOINTS
        };
        let (rows, totals) = listed(&failures, small);
        assert_eq!((rows.len(), totals.beyond), (1, 2));
        assert_eq!(rows[0]["attempts"], 2);
        assert_eq!(rows[0]["newest"], "2026-03-01T10:20:00Z");
    }
}
