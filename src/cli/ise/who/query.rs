//! What `who` was asked for, told apart by its form, and the rows that it finds. Nothing is sent
//! from here.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use ipnet::IpNet;

use crate::cli::filters::kinds::Kind as RowKind;
use crate::error::{Error, Kind, Result};
use crate::joins::endpoints::key;
use crate::joins::failure_facts::moment;
use crate::record::conditions::{Conditions, Nas, Pattern, Stations, Tests, UserName};
use crate::record::{Mac, Record, RecordSink};

/// Rows of one source that are kept, and their bytes.
const MOST: usize = 10_000;
const MOST_BYTES: usize = 128 << 20;

/// See the module's documentation.
#[derive(Debug, Clone)]
pub(super) struct Query {
    text: String,
    /// The one endpoint that is meant.
    mac: Option<Mac>,
    /// A row that meets one of these is meant.
    alternatives: Vec<Conditions>,
}

/// For clap: anything that names an endpoint.
pub(super) fn query(text: &str) -> Result<Query, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("nothing is asked for".to_owned());
    }
    if text.len() > 256 {
        return Err("at most 256 bytes".to_owned());
    }
    let network = text.parse::<IpNet>();
    let network = network.or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from));
    let mac = text.parse::<Mac>().ok();
    let conditions = Conditions::default;
    let alternatives = if let Ok(network) = network {
        let host = network.prefix_len() == network.max_prefix_len();
        // A VPN client's row has an address in the place of a MAC address.
        let station = host.then(|| Conditions {
            mac: Some(Stations::Address(network.addr())),
            ..conditions()
        });
        let ip = Conditions {
            ip: Some(network),
            ..conditions()
        };
        let nas = Conditions {
            nas: Some(Nas::Network(network)),
            ..conditions()
        };
        [ip, nas].into_iter().chain(station).collect()
    } else if let Some(prefix) = mac_prefix(text, mac) {
        let mac = Some(Stations::Prefix(prefix));
        vec![Conditions {
            mac,
            ..conditions()
        }]
    } else {
        let user = Conditions {
            user: Some(UserName::new(text)),
            ..conditions()
        };
        let nas = Conditions {
            nas: Some(Nas::Name(Pattern::new(text))),
            ..conditions()
        };
        vec![user, nas]
    };
    Ok(Query {
        text: text.to_owned(),
        mac,
        alternatives,
    })
}

/// A whole MAC address, or a beginning of at least three bytes that is written as one: `cafe` and
/// `pat` are names.
fn mac_prefix(text: &str, whole: Option<Mac>) -> Option<crate::record::MacPrefix> {
    let digits = text.bytes().filter(u8::is_ascii_hexdigit).count();
    let written = digits >= 6 && text.contains([':', '-', '.']);
    (whole.is_some() || written)
        .then(|| text.parse().ok())
        .flatten()
}

impl Query {
    /// As it was typed.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The one endpoint that is meant by its MAC address.
    pub(super) fn mac(&self) -> Option<Mac> {
        self.mac
    }

    /// The one address that is meant.
    pub(super) fn ip(&self) -> Option<std::net::IpAddr> {
        self.text.parse().ok()
    }

    /// The whole name that is meant, of a user or a host.
    pub(super) fn name(&self) -> Option<&str> {
        let named = self.alternatives.iter().any(|wanted| wanted.user.is_some());
        (named && !self.text.contains('*')).then_some(self.text.as_str())
    }

    /// Whether a switch may be meant by its name.
    pub(super) fn may_name_a_switch(&self) -> bool {
        let by_name = |wanted: &Conditions| matches!(wanted.nas, Some(Nas::Name(_)));
        self.alternatives.iter().any(by_name)
    }

    /// A sink for rows of this kind that keeps those that are meant; `session_id` is the member
    /// with the audit session id.
    pub(super) fn over(&self, kind: &RowKind, session_id: &'static str) -> Found {
        let alternatives = self
            .alternatives
            .iter()
            .map(|wanted| wanted.on(kind.carried));
        let alternatives = alternatives.filter(|(_, missing)| missing.is_empty());
        Found::new(Wanted {
            tests: alternatives.map(|(tests, _)| tests).collect(),
            session_id: Some((session_id, self.text.clone())),
            endpoints: HashSet::new(),
        })
    }
}

/// Which rows are kept: those that one of these names.
#[derive(Default)]
struct Wanted {
    /// Those that pass one of these.
    tests: Vec<Tests>,
    /// Those with this audit session id in this member.
    session_id: Option<(&'static str, String)>,
    /// Those of these endpoints.
    endpoints: HashSet<String>,
}

/// Keeps rows that are meant.
pub(super) struct Found {
    wanted: Wanted,
    records: Vec<Record>,
    /// Of rows of which only the newest of an endpoint is kept: where each endpoint's is.
    places: Option<HashMap<String, usize>>,
    bytes: usize,
    /// There are more than are kept.
    more: bool,
}

impl Found {
    fn new(wanted: Wanted) -> Self {
        Self {
            wanted,
            records: Vec::new(),
            places: None,
            bytes: 0,
            more: false,
        }
    }

    /// A sink for rows of these endpoints.
    pub(super) fn of(endpoints: HashSet<String>) -> Self {
        Self::new(Wanted {
            endpoints,
            ..Wanted::default()
        })
    }

    /// Rows of these endpoints are kept as well.
    pub(super) fn or_of(mut self, endpoints: HashSet<String>) -> Self {
        self.wanted.endpoints = endpoints;
        self
    }

    /// Of each endpoint only the newest row is kept.
    pub(super) fn newest_of_each(self) -> Self {
        Self {
            places: Some(HashMap::new()),
            ..self
        }
    }

    /// What was found.
    pub(super) fn into_records(self) -> Vec<Record> {
        self.records
    }

    /// An error where rows were left out; `what` they are of.
    pub(super) fn not_too_many(&self, what: &str) -> Result<()> {
        if !self.more {
            return Ok(());
        }
        let kept = self.records.len();
        let error = Error::new(Kind::Failed, format!("over {kept} {what} are meant"));
        Err(error.hint("ask for something narrower, or list them: `netapi ise mnt sessions`"))
    }

    fn means(&self, record: &Record) -> bool {
        let wanted = &self.wanted;
        let by_id = || {
            wanted.session_id.as_ref().is_some_and(|(member, id)| {
                record
                    .text(member)
                    .is_some_and(|text| text.eq_ignore_ascii_case(id))
            })
        };
        let of_endpoint = || {
            !wanted.endpoints.is_empty()
                && key(record).is_some_and(|key| wanted.endpoints.contains(&key))
        };
        wanted.tests.iter().any(|tests| tests.pass(record)) || by_id() || of_endpoint()
    }

    /// Replaces the endpoint's row where this one is newer. Whether there is one.
    fn replaced(&mut self, key: &str, record: &Record) -> bool {
        let place = self.places.as_ref().and_then(|places| places.get(key));
        let Some(known) = place.and_then(|place| self.records.get_mut(*place)) else {
            return false;
        };
        let at = |record: &Record| moment(record).map(|(at, _)| at);
        if at(record) > at(known) {
            let length = length(record);
            if self.bytes + length > MOST_BYTES {
                self.more = true;
                return true;
            }
            self.bytes += length;
            *known = record.clone();
        }
        true
    }
}

/// How much room a record takes, about.
fn length(record: &Record) -> usize {
    let mut text = Vec::new();
    record.write_json(&mut text);
    text.len()
}

impl RecordSink for Found {
    fn begin(&mut self, _announced: Option<u64>) -> Result<()> {
        Ok(())
    }

    fn record(&mut self, record: &Record) -> Result<ControlFlow<()>> {
        if !self.means(record) {
            return Ok(ControlFlow::Continue(()));
        }
        let key = self.places.as_ref().and_then(|_| key(record));
        if let Some(key) = &key
            && self.replaced(key, record)
        {
            return Ok(ControlFlow::Continue(()));
        }
        let length = length(record);
        if self.records.len() >= MOST || self.bytes + length > MOST_BYTES {
            self.more = true;
            return Ok(ControlFlow::Break(()));
        }
        self.bytes += length;
        if let (Some(key), Some(places)) = (key, &mut self.places) {
            places.insert(key, self.records.len());
        }
        self.records.push(record.clone());
        Ok(ControlFlow::Continue(()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::filters::kinds;

    #[test]
    fn what_is_meant_is_told_by_its_form() {
        let session = Record::from_value(json!({
            "macAddress": "00:00:5E:00:53:01", "ipAddresses": ["10.50.10.101", "2001:db8:7::1:1"],
            "userName": "LAB\\pat.kim", "nasIpAddress": "10.50.1.11",
            "nasIdentifier": "sw-lab-02", "auditSessionId": "0A32010B00000001"
        }));
        for (text, found) in [
            ("00-00-5e-00-53-01", true),
            ("00005e005301", true),
            ("00:00:5e", true),
            ("00:00:5f", false),
            ("10.50.10.101", true),
            ("10.50.10.0/24", true),
            ("10.50.1.11", true),
            ("2001:DB8:7::0001:1", true),
            ("10.50.10.1", false),
            ("PAT.kim", true),
            ("pat.kim@lab.example", true),
            ("*kim*", true),
            ("pat", false),
            ("SW-LAB-02", true),
            ("0a32010b00000001", true),
            ("cafe", false),
        ] {
            let found_it = query(text)
                .unwrap()
                .over(&kinds::SESSION, "auditSessionId")
                .means(&session);
            assert_eq!(found_it, found, "{text}");
        }
        assert!(query(" ").is_err() && query(&"x".repeat(300)).is_err());
    }
}
