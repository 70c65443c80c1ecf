//! One session as the live screen keeps it: what its columns show, small enough for a hundred
//! thousand of them. The whole of it is asked for when somebody looks.
//!
//! Texts are made safe for a terminal and cut to a bound here, where they come in: nothing below
//! draws what a stranger wrote.

use std::borrow::Cow;
use std::net::IpAddr;

use jiff::Timestamp;

use crate::record::{Mac, Record, time};
use crate::sanitize::terminal_safe;

/// The longest text that is kept, in bytes.
const LONGEST: usize = 256;
/// The longest of a text that is read as a whole, a remedy for one.
const LONGEST_READ: usize = 16 << 10;

/// A fact that many sessions share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    /// The session's state.
    State,
    /// How the endpoint authenticated.
    Method,
    /// The switch or controller, by name where it has one.
    Nas,
    /// The security group.
    Sgt,
    /// The posture's verdict.
    Posture,
    /// What the profiler takes the endpoint for.
    Profile,
    /// The policy service node.
    Server,
    /// The port of the switch.
    Port,
}

impl Field {
    /// All of them, in the order in which a [`Facts`] has them.
    pub(crate) const ALL: [Self; 8] = [
        Self::State,
        Self::Method,
        Self::Nas,
        Self::Sgt,
        Self::Posture,
        Self::Profile,
        Self::Server,
        Self::Port,
    ];

    /// As it is typed in a filter.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Method => "method",
            Self::Nas => "nas",
            Self::Sgt => "sgt",
            Self::Posture => "posture",
            Self::Profile => "profile",
            Self::Server => "server",
            Self::Port => "port",
        }
    }

    /// As a heading.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::State => "STATE",
            Self::Method => "METHOD",
            Self::Nas => "NAS",
            Self::Sgt => "SGT",
            Self::Posture => "POSTURE",
            Self::Profile => "PROFILE",
            Self::Server => "SERVER",
            Self::Port => "PORT",
        }
    }

    /// The members that tell it, in both interfaces (references mnt-api, section 2; pxgrid-api,
    /// section 3).
    fn members(self) -> &'static [&'static str] {
        match self {
            Self::State => &["state"],
            Self::Method => &["authMethod", "authentication_method", "radiusFlowType"],
            Self::Nas => &[
                "nasIdentifier",
                "network_device_name",
                "nasIpAddress",
                "nas_ip_address",
                "nas_ipv6_address",
            ],
            Self::Sgt => &["ctsSecurityGroup", "cts_security_group", "security_group"],
            Self::Posture => &["postureStatus", "posture_status"],
            Self::Profile => &["endpointProfile", "endpoint_policy"],
            Self::Server => &["serverName", "server", "acs_server"],
            Self::Port => &["nasPortId", "nas_port_id"],
        }
    }
}

/// The shared facts of a session, in the order of [`Field::ALL`].
pub(crate) type Facts<T> = [T; Field::ALL.len()];

/// What identifies an endpoint or its session in a record of either interface.
const STATION: &[&str] = &[
    "macAddress",
    "callingStationId",
    "calling_station_id",
    "orig_calling_station_id",
];
const USER: &[&str] = &[
    "userName",
    "user_name",
    "username",
    "radius_username",
    "adNormalizedUser",
];
const AUDIT_SESSION: &[&str] = &["auditSessionId", "audit_session_id"];
const ADDRESSES: &[&str] = &["ipAddresses", "framed_ip_address", "framed_ipv6_address"];

/// A session as it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    /// What makes it the same session later.
    pub(crate) identity: String,
    /// The endpoint.
    pub(crate) mac: Option<Mac>,
    /// What stands in the place of the MAC address where there is none.
    pub(crate) station: Box<str>,
    /// The first address.
    pub(crate) ip: Option<IpAddr>,
    /// The user.
    pub(crate) user: Box<str>,
    /// State, method and so on.
    pub(crate) facts: Facts<Box<str>>,
    /// A quarantine is on the endpoint.
    pub(crate) quarantined: bool,
    /// When it changed last, by the server's clock; else when it came.
    pub(crate) changed: Timestamp,
    /// The server told that time.
    pub(crate) is_dated: bool,
}

impl Session {
    /// Reads a session of pxGrid or a row of the Monitoring node's active list, that came `at` this
    /// time. `None` where nothing tells whose it is.
    pub(crate) fn read(record: &Record, at: Timestamp) -> Option<Self> {
        let station = record.first(STATION);
        let mac = STATION
            .iter()
            .find_map(|name| record.text(name)?.parse::<Mac>().ok());
        let ip = ADDRESSES
            .iter()
            .find_map(|name| record.addresses(name).into_iter().next());
        let audit = record.first(AUDIT_SESSION);
        let mut identity = match (&mac, &station) {
            (Some(mac), _) => mac.to_string(),
            (None, Some(station)) => station.clone().into_owned(),
            (None, None) => String::new(),
        };
        let place = match (&audit, ip) {
            (Some(audit), _) => audit.to_ascii_uppercase(),
            (None, Some(ip)) => ip.to_string(),
            (None, None) => String::new(),
        };
        if identity.is_empty() && place.is_empty() {
            return None;
        }
        identity.push('|');
        identity.push_str(&place);
        let station = match (mac, station, ip) {
            (Some(_), ..) => Box::from(""),
            (None, Some(station), _) => safe(&station),
            (None, None, Some(ip)) => ip.to_string().into(),
            (None, None, None) => safe(&place),
        };
        let told = record.text("timestamp");
        let told = told.and_then(|text| time::instant(&text));
        Some(Self {
            identity,
            mac,
            station,
            ip,
            user: safe(&record.first(USER).unwrap_or_default()),
            facts: Field::ALL.map(|field| safe(&record.first(field.members()).unwrap_or_default())),
            quarantined: record.first(&["ancPolicy"]).is_some() || record.quarantine().is_some(),
            changed: told.unwrap_or(at),
            is_dated: told.is_some(),
        })
    }

    /// Whether it is over.
    pub(crate) fn has_ended(record: &Record) -> bool {
        record
            .text("state")
            .is_some_and(|state| state.eq_ignore_ascii_case("DISCONNECTED"))
    }
}

/// A text from outside as it may be drawn: within the bound, and nothing in it that steers a
/// terminal.
pub(crate) fn safe(text: &str) -> Box<str> {
    let end = text.floor_char_boundary(LONGEST);
    let cut = text.get(..end).unwrap_or_default();
    match terminal_safe(cut) {
        Cow::Borrowed(text) => text.into(),
        Cow::Owned(text) => text.into(),
    }
}

/// The same of a text that is read as a whole: its bound is far away, and a cut is seen.
pub(crate) fn readable(text: &str) -> Box<str> {
    let end = text.floor_char_boundary(LONGEST_READ);
    let cut = text.get(..end).unwrap_or_default();
    let mark = if end < text.len() { "…" } else { "" };
    format!("{}{mark}", terminal_safe(cut)).into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: serde_json::Value) -> Option<Session> {
        Session::read(&Record::from_value(value), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn both_interfaces_tell_the_same_session() {
        let pxgrid = read(json!({
            "macAddress": "C8:5B:76:C6:59:62", "callingStationId": "c8-5b-76-c6-59-62",
            "ipAddresses": ["10.50.10.100", "fe80::1"], "userName": "pat",
            "auditSessionId": "0a32", "nasIpAddress": "10.50.1.10"
        }));
        let mnt = read(json!({
            "calling_station_id": "C8-5B-76-C6-59-62", "framed_ip_address": "10.50.10.100",
            "user_name": "pat", "audit_session_id": "0A32", "nas_ip_address": "10.50.1.10"
        }));
        assert_eq!(pxgrid, mnt);
        assert_eq!(pxgrid.unwrap().identity, "C8:5B:76:C6:59:62|0A32");
    }

    #[test]
    fn what_a_stranger_wrote_is_made_safe_and_short() {
        let long = "x".repeat(3 * LONGEST);
        let session = read(json!({
            "callingStationId": "\u{1b}]0;owned\u{7}", "userName": "pat\u{202e}mik",
            "ctsSecurityGroup": long
        }));
        let session = session.unwrap();
        assert_eq!(&*session.station, "\\x1b]0;owned\\x07");
        assert_eq!(&*session.user, "pat\\u{202e}mik");
        assert!(session.facts.iter().all(|text| text.len() <= LONGEST));
        assert_eq!(session.mac, None);
    }

    #[test]
    fn what_is_read_is_whole_and_a_cut_is_seen() {
        let remedy = "Check the certificate. ".repeat(40);
        assert_eq!(&*readable(&remedy), remedy);
        let long = readable(&"\u{1b}x".repeat(LONGEST_READ));
        assert!(long.starts_with("\\x1bx") && long.ends_with('…'));
    }

    #[test]
    fn nobody_has_no_session() {
        assert_eq!(read(json!({"state": "STARTED"})), None);
    }
}
