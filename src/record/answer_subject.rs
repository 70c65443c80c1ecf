//! Whom a question was about, and whether an answer is about the same: a cache, a proxy or a
//! belated answer on a kept connection can bring somebody else's. It compares; what follows from a
//! difference is decided by whoever asked.
//!
//! Servers spell the same thing in several ways (a MAC address, an IPv6 address, `LAB\pat` and
//! `pat@lab.example`), and not every record names everything. So only a value that is there and
//! means something else speaks against an answer.

use std::net::IpAddr;

use super::{Mac, Record};

/// Whom or what a question was about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// An endpoint by its MAC address.
    Mac(Mac),
    /// An endpoint or a network device by its address.
    Ip(IpAddr),
    /// A user, in any spelling.
    User(String),
    /// An id or a name that has one spelling but for its case.
    Name(String),
}

impl Subject {
    /// What `record` says in its members `names` where that is another subject; `None` where it is
    /// the same, or where nothing that can be compared was sent.
    pub fn differs_from(&self, record: &Record, names: &[&str]) -> Option<String> {
        let mut other = None;
        for name in names {
            let Some(text) = record.text(name) else {
                continue;
            };
            // A list of addresses is joined by this mark; neither addresses nor the other names
            // have it.
            for value in text
                .split(',')
                .map(str::trim)
                .filter(|text| !text.is_empty())
            {
                match self.is(value) {
                    Some(true) => return None,
                    Some(false) if other.is_none() => other = Some(value.to_owned()),
                    _ => {}
                }
            }
        }
        other.filter(|_| !self.is_named_anywhere(record))
    }

    /// Whether `value` is this subject; `None` where the two cannot be compared.
    fn is(&self, value: &str) -> Option<bool> {
        match self {
            // A VPN session's calling station is an address, and so no endpoint's that was asked
            // for by its MAC address.
            Self::Mac(mac) => match value.parse::<Mac>() {
                Ok(other) => Some(other == *mac),
                Err(_) => value.parse::<IpAddr>().is_ok().then_some(false),
            },
            Self::Ip(ip) => {
                let address = value.split('%').next().unwrap_or(value);
                let other: IpAddr = address.parse().ok()?;
                Some(other.to_canonical() == ip.to_canonical())
            }
            Self::User(user) => Some(same_user(user, value)),
            Self::Name(name) => Some(name.trim().to_lowercase() == value.to_lowercase()),
        }
    }

    /// Whether the MAC address stands anywhere in the record, as that of a VPN client does among
    /// the attributes.
    fn is_named_anywhere(&self, record: &Record) -> bool {
        let Self::Mac(mac) = self else {
            return false;
        };
        let mut json = Vec::new();
        record.write_json(&mut json);
        let text = String::from_utf8_lossy(&json);
        let mut words = text.split(|c: char| !(c.is_ascii_hexdigit() || ":-.".contains(c)));
        words.any(|word| word.parse::<Mac>() == Ok(*mac))
    }
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Mac(mac) => mac.fmt(f),
            Self::Ip(ip) => ip.fmt(f),
            Self::User(text) | Self::Name(text) => f.write_str(text),
        }
    }
}

/// `LAB\pat`, `pat@lab.example` and `PAT` are one user; a MAC address as a user name (MAB) has
/// every spelling of one.
fn same_user(one: &str, other: &str) -> bool {
    if let (Ok(one), Ok(other)) = (one.parse::<Mac>(), other.parse::<Mac>()) {
        return one == other;
    }
    let (one, other) = (one.trim().to_lowercase(), other.trim().to_lowercase());
    one == other || account(&one) == account(&other)
}

/// The name without its domain; the whole where nothing would be left.
fn account(user: &str) -> &str {
    let name = user.rsplit_once('\\').map_or(user, |(_, name)| name);
    let name = name.split_once('@').map_or(name, |(name, _)| name);
    if name.is_empty() { user } else { name }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const STATION: &[&str] = &["calling_station_id", "orig_calling_station_id"];

    fn mac() -> Subject {
        Subject::Mac("C8:5B:76:C6:59:62".parse().unwrap())
    }

    fn differs(subject: &Subject, record: Value, names: &[&str]) -> Option<String> {
        subject.differs_from(&Record::from_value(record), names)
    }

    #[test]
    fn every_spelling_of_an_address_is_the_same_endpoint() {
        for text in ["C8:5B:76:C6:59:62", "c8-5b-76-c6-59-62", "c85b.76c6.5962"] {
            let record = json!({ "calling_station_id": text });
            assert_eq!(differs(&mac(), record, STATION), None, "{text}");
        }
        let other = json!({ "calling_station_id": "00:00:5E:00:53:01" });
        let said = differs(&mac(), other, STATION);
        assert_eq!(said.as_deref(), Some("00:00:5E:00:53:01"));
        let one_of_two = json!({
            "calling_station_id": "00:00:5E:00:53:01",
            "orig_calling_station_id": "c8-5b-76-c6-59-62",
        });
        assert_eq!(differs(&mac(), one_of_two, STATION), None);
        assert_eq!(
            differs(&mac(), json!({ "user_name": "pat" }), STATION),
            None
        );
    }

    #[test]
    fn a_vpn_session_is_its_owners_where_it_names_the_endpoint() {
        let foreign = json!({ "calling_station_id": "203.0.113.90" });
        assert!(differs(&mac(), foreign, STATION).is_some());
        let own = json!({
            "calling_station_id": "203.0.113.90",
            "response": "cisco-av-pair=mdm-tlv=device-mac=c8-5b-76-c6-59-62; ",
        });
        assert_eq!(differs(&mac(), own, STATION), None);
    }

    #[test]
    fn addresses_compare_as_addresses() {
        let ip = |text: &str| Subject::Ip(text.parse().unwrap());
        let names = &[
            "framed_ip_address",
            "framed_ipv6_address",
            "calling_station_id",
        ];
        let record = || {
            json!({
                "framed_ip_address": "198.51.100.24",
                "framed_ipv6_address": ["2001:DB8:0:0::1", "fe80::1%eth0"],
                "calling_station_id": "203.0.113.90",
            })
        };
        for same in ["198.51.100.24", "2001:db8::1", "fe80::1", "203.0.113.90"] {
            assert_eq!(differs(&ip(same), record(), names), None, "{same}");
        }
        assert!(differs(&ip("198.51.100.25"), record(), names).is_some());
        // A MAC address says nothing about an IP address.
        let record = json!({ "calling_station_id": "C8:5B:76:C6:59:62" });
        assert_eq!(differs(&ip("198.51.100.25"), record, names), None);
    }

    #[test]
    fn users_are_the_same_with_and_without_their_domain() {
        let user = |text: &str| Subject::User(text.to_owned());
        for (asked, said) in [
            ("pat", "LAB\\pat"),
            ("LAB\\Pat", "pat@lab.example"),
            ("00-00-5E-00-53-02", "00:00:5e:00:53:02"),
            ("host/ws-1", "HOST/WS-1"),
            ("@", "@"),
        ] {
            let record = json!({ "user_name": said });
            assert_eq!(
                differs(&user(asked), record, &["user_name"]),
                None,
                "{asked}"
            );
        }
        let record = json!({ "user_name": "LAB\\robin" });
        assert!(differs(&user("pat"), record, &["user_name"]).is_some());
    }

    #[test]
    fn names_and_ids_compare_without_case() {
        let id = Subject::Name("C0000201000000A1".into());
        let record = json!({ "audit_session_id": "c0000201000000a1" });
        assert_eq!(differs(&id, record, &["audit_session_id"]), None);
        let record = json!({ "audit_session_id": "C0000201000000A2" });
        assert!(differs(&id, record, &["audit_session_id"]).is_some());
    }
}
