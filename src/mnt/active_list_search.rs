//! Finding sessions in the active list, for what the node cannot be asked directly: a user name
//! that does not survive in a path, an address (reference mnt-api section 1, row 9, and section 3,
//! "Identifiers in the path").
//!
//! A sink that stops at the first row that is surely the one, and one for many addresses, so that
//! the list is read once for all of them; they send nothing.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::ops::ControlFlow;

use tokio::sync::OnceCell;

use crate::error::Result;
use crate::record::{Presence, Record, RecordSink};

/// Whose row is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The user, exactly as ISE has the name.
    User(String),
    /// The endpoint with this address, or the VPN client that comes from it: the list shows the
    /// latter as calling station.
    Address(IpAddr),
}

impl Wanted {
    /// What is true once no row was found.
    pub(super) fn in_no_row(&self) -> &'static str {
        match self {
            Self::User(_) => "no row of the active list has exactly this user name either",
            Self::Address(_) => {
                "no row of the active list has it as the endpoint's address or calling station either"
            }
        }
    }

    /// The members of a row that show an address by which it is found.
    const SHOWN: [&str; 3] = [
        "framed_ip_address",
        "framed_ipv6_address",
        "calling_station_id",
    ];

    fn fits(&self, row: &Record) -> Fit {
        match self {
            Self::User(user) if row.text("user_name").as_deref() == Some(user) => Fit::Own,
            Self::User(_) => Fit::No,
            Self::Address(ip) => {
                let has = |name| row.has_address(name, *ip);
                if has("framed_ip_address") || has("framed_ipv6_address") {
                    Fit::Own
                } else if has("calling_station_id") {
                    Fit::Station
                } else {
                    Fit::No
                }
            }
        }
    }
}

/// How a row fits. Several VPN clients may come from one address; an address of its own is the
/// better sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    No,
    Station,
    Own,
}

/// Looks for the row of [`Wanted`].
#[derive(Debug, Clone)]
pub(super) struct Find {
    pub(super) wanted: Wanted,
    fit: Fit,
    /// The first row that fits best.
    pub(super) found: Option<Record>,
    /// Rows that fit no less, but for a repeated audit session id.
    pub(super) equals: u64,
}

impl Find {
    pub(super) fn new(wanted: Wanted) -> Self {
        Self {
            wanted,
            fit: Fit::No,
            found: None,
            equals: 0,
        }
    }

    /// Whether no further row can be the better one.
    fn is_settled(&self) -> bool {
        self.fit == Fit::Own && self.found.as_ref().is_some_and(|row| row.mac().is_some())
    }

    /// Whether several sessions are shown under the address, so that it names none of them.
    pub(super) fn is_shared(&self) -> bool {
        self.fit == Fit::Station && self.equals > 0
    }
}

impl RecordSink for Find {
    fn begin(&mut self, _announced: Option<u64>) -> Result<()> {
        Ok(())
    }

    fn record(&mut self, record: &Record) -> Result<ControlFlow<()>> {
        let fit = self.wanted.fits(record);
        if fit == Fit::No || fit < self.fit {
            return Ok(ControlFlow::Continue(()));
        }
        if fit == Fit::Own && record.mac().is_some() {
            (self.fit, self.found, self.equals) = (fit, Some(record.clone()), 0);
            return Ok(ControlFlow::Break(()));
        }
        match &self.found {
            Some(found) if fit == self.fit => {
                let id = |row: &Record| row.text("audit_session_id").map(|id| id.to_lowercase());
                self.equals += u64::from(id(found).is_none() || id(found) != id(record));
            }
            _ => (self.fit, self.found, self.equals) = (fit, Some(record.clone()), 0),
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// Looks for the rows of many addresses.
#[derive(Debug)]
pub(super) struct FindEach(HashMap<IpAddr, Find>);

impl FindEach {
    fn new(addresses: &HashSet<IpAddr>) -> Self {
        let find = |ip: &IpAddr| (*ip, Find::new(Wanted::Address(*ip)));
        Self(addresses.iter().map(find).collect())
    }
}

impl RecordSink for FindEach {
    fn begin(&mut self, _announced: Option<u64>) -> Result<()> {
        Ok(())
    }

    fn record(&mut self, record: &Record) -> Result<ControlFlow<()>> {
        let shown = Wanted::SHOWN.iter();
        let mut addresses: Vec<IpAddr> = shown.flat_map(|name| record.addresses(name)).collect();
        addresses.sort_unstable();
        addresses.dedup();
        for address in addresses {
            if let Some(find) = self.0.get_mut(&address)
                && !find.is_settled()
            {
                let _ended = find.record(record)?.is_break();
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// Addresses that will be asked for one after the other: the list is read once for all of them,
/// when the first is looked for.
#[derive(Debug)]
pub(super) struct Expected {
    addresses: HashSet<IpAddr>,
    found: OnceCell<FindEach>,
}

impl Expected {
    pub(super) fn new(addresses: Vec<IpAddr>) -> Self {
        Self {
            addresses: addresses.into_iter().collect(),
            found: OnceCell::new(),
        }
    }

    /// What the list has for one of them; None for another address.
    ///
    /// Errors: those of `read`, which the next one calls again.
    pub(super) async fn find(
        &self,
        address: IpAddr,
        read: impl AsyncFn(FindEach) -> Result<FindEach>,
    ) -> Result<Option<Find>> {
        if !self.addresses.contains(&address) {
            return Ok(None);
        }
        let reading = async || read(FindEach::new(&self.addresses)).await;
        let found = self.found.get_or_try_init(reading).await?;
        Ok(found.0.get(&address).cloned())
    }
}

/// Whether a document is that of a row: by the audit session id, which both must have.
pub(super) fn is_same_session(row: &Record, document: &Record) -> bool {
    let id = |record: &Record, name| record.text(name).map(|id| id.to_lowercase());
    let named = id(row, "audit_session_id");
    named.is_some()
        && ["audit_session_id", "cpmsession_id"]
            .into_iter()
            .any(|name| id(document, name) == named)
}

/// Whether an endpoint's document is that of the session in a row with its MAC address: by the
/// audit session id, or where one of them has none, by being of an active session and
/// contradicting the row in neither user nor switch.
pub(super) fn is_document_of(row: &Record, document: &Record) -> bool {
    let has_id = |record: &Record| record.text("audit_session_id").is_some();
    if has_id(row) && (has_id(document) || document.text("cpmsession_id").is_some()) {
        return is_same_session(row, document);
    }
    let agree = |name| match (row.text(name), document.text(name)) {
        (Some(one), Some(other)) => one.trim().eq_ignore_ascii_case(other.trim()),
        _ => true,
    };
    document.presence() == Presence::Active && agree("user_name") && agree("nas_ip_address")
}

/// Whether a user name may not survive in a path: only what every server and gateway passes on
/// does.
pub(super) fn is_awkward(user: &str) -> bool {
    !user
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._@".contains(&byte))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::mnt::{documents::ACTIVE_LIST, samples};
    use crate::record::xml::stream;

    fn find_in(text: &str, wanted: Wanted) -> Find {
        let (sink, outcome) = stream(text.as_bytes(), &ACTIVE_LIST, Find::new(wanted));
        outcome.unwrap();
        sink
    }

    fn station(find: &Find) -> Option<String> {
        let row = find.found.as_ref()?;
        Some(row.text("calling_station_id")?.into_owned())
    }

    #[test]
    fn rows_are_found_by_exact_name_and_by_every_address_they_show() {
        let list = samples::ACTIVE_LIST;
        let user = |name: &str| station(&find_in(list, Wanted::User(name.to_owned())));
        let address = |ip: &str| station(&find_in(list, Wanted::Address(ip.parse().unwrap())));
        assert_eq!(user("LAB\\pat.kim").as_deref(), Some("00:00:5E:00:53:01"));
        assert_eq!(user("pat.kim"), None);
        assert_eq!(
            address("198.51.100.23").as_deref(),
            Some("00:00:5E:00:53:03")
        );
        let vpn = user("vpn.user@lab.example").unwrap();
        assert!(vpn.parse::<IpAddr>().is_ok(), "{vpn}");
        assert_eq!(address(&vpn), Some(vpn));
        assert_eq!(address("192.0.2.99"), None);
    }

    #[test]
    fn an_address_of_its_own_goes_before_a_calling_station_and_a_shared_one_is_none() {
        let row = |station: &str, framed: &str, id: &str| {
            format!(
                "<activeSession><calling_station_id>{station}</calling_station_id><framed_ip_address>{framed}</framed_ip_address><audit_session_id>{id}</audit_session_id></activeSession>"
            )
        };
        let list = |rows: &[String]| format!("<activeList>{}</activeList>", rows.concat());
        let wanted = || Wanted::Address("203.0.113.90".parse().unwrap());
        let vpn = row("203.0.113.90", "10.0.0.1", "A1");
        let other = row("203.0.113.90", "10.0.0.2", "A2");
        let own = row("198.51.100.1", "203.0.113.90", "A3");
        assert!(!find_in(&list(&[vpn.clone(), vpn.clone()]), wanted()).is_shared());
        assert!(find_in(&list(&[vpn.clone(), other.clone()]), wanted()).is_shared());
        let found = find_in(&list(&[vpn, other, own]), wanted());
        assert!(!found.is_shared());
        assert_eq!(station(&found).as_deref(), Some("198.51.100.1"));
    }

    #[test]
    fn a_document_is_a_rows_by_its_id_or_by_contradicting_it_in_nothing() {
        let record = |value| Record::from_value(value);
        let row = record(json!({"audit_session_id": "A1", "user_name": "robin",
            "nas_ip_address": "192.0.2.12"}));
        let nameless = record(json!({"user_name": "robin", "nas_ip_address": "192.0.2.12"}));
        for (row, document, same) in [
            (
                &row,
                json!({"audit_session_id": "a1", "user_name": "ROBIN"}),
                true,
            ),
            (&row, json!({"cpmsession_id": "A1"}), true),
            (
                &row,
                json!({"audit_session_id": "B2", "user_name": "robin"}),
                false,
            ),
            (&row, json!({"failed": "1", "user_name": "robin"}), false),
            (&row, json!({"passed": "1", "user_name": "robin"}), true),
            (
                &nameless,
                json!({"audit_session_id": "B2", "user_name": "robin"}),
                true,
            ),
            (
                &nameless,
                json!({"passed": "1", "user_name": "intruder"}),
                false,
            ),
            (
                &nameless,
                json!({"passed": "1", "nas_ip_address": "192.0.2.99"}),
                false,
            ),
            (&nameless, json!({"passed": "1", "stopped": "true"}), false),
        ] {
            let words = document.to_string();
            assert_eq!(is_document_of(row, &record(document)), same, "{words}");
        }
    }

    #[test]
    fn awkward_names() {
        for name in ["LAB\\pat", "host/ws", "a b", "é", "a%b"] {
            assert!(is_awkward(name), "{name}");
        }
        for name in ["pat.kim@lab.example", "00-00-5E-00-53-02"] {
            assert!(!is_awkward(name), "{name}");
        }
    }
}
