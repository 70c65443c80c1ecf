//! Whether an answer is about whom was asked for: which members of the node's documents say so. It
//! sends nothing.

use std::net::IpAddr;

use crate::error::{Error, Kind, Result};
use crate::record::{Mac, Presence, Record, Subject};

/// Whom a question was about, and where an answer names it.
#[derive(Debug)]
pub(super) struct Asked {
    subject: Subject,
    names: &'static [&'static str],
}

impl Asked {
    /// Histories name the endpoint around their rows too, which then need not.
    pub(super) fn endpoint(mac: Mac) -> Self {
        Self {
            subject: Subject::Mac(mac),
            names: &[
                "calling_station_id",
                "orig_calling_station_id",
                "key",
                "macAddress",
            ],
        }
    }

    /// By the endpoint's address. That of a VPN client stands in the place of its MAC address.
    pub(super) fn address(ip: IpAddr) -> Self {
        Self {
            subject: Subject::Ip(ip),
            names: &[
                "framed_ip_address",
                "framed_ipv6_address",
                "calling_station_id",
            ],
        }
    }

    /// By the network device, which may have sent from another address than it names.
    pub(super) fn nas(ip: IpAddr) -> Self {
        Self {
            subject: Subject::Ip(ip),
            names: &["nas_ip_address", "nas_ipv6_address", "device_ip_address"],
        }
    }

    pub(super) fn user(user: &str) -> Self {
        Self {
            subject: Subject::User(user.to_owned()),
            names: &["user_name", "username", "radius_username"],
        }
    }

    pub(super) fn session_id(id: &str) -> Self {
        Self {
            subject: Subject::Name(id.to_owned()),
            names: &["audit_session_id", "cpmsession_id", "acct_session_id"],
        }
    }

    /// Whom an answer is about in place of whom was asked for. "There is no session of MAC" names
    /// an endpoint too.
    pub(super) fn other(&self, answer: Result<&[Record], &Error>) -> Option<String> {
        match answer {
            Ok(records) => records
                .iter()
                .find_map(|record| self.subject.differs_from(record, self.names)),
            Err(error) if error.kind() == Kind::NotFound => self.other_in(error.message()),
            Err(_) => None,
        }
    }

    fn other_in(&self, words: &str) -> Option<String> {
        let Subject::Mac(mac) = self.subject else {
            return None;
        };
        let named: Vec<Mac> = words
            .split(|c: char| !(c.is_ascii_hexdigit() || ":-.".contains(c)))
            .filter_map(|word| word.trim_end_matches('.').parse().ok())
            .collect();
        let other = named.first()?;
        (!named.contains(&mac)).then(|| other.to_string())
    }
}

/// The answer is about somebody else.
pub(super) fn foreign(host: &str, asked: &Asked, other: &str) -> Error {
    let asked = &asked.subject;
    Error::new(
        Kind::Malformed,
        format!("{host} was asked about {asked} and answered about {other}, twice"),
    )
    .hint("a cache or a proxy between here and the node may answer in its place; --trace shows what was asked")
    .host(host)
}

/// The policy service node that holds the session of `mac`; `None` where the document does not tell
/// of an active session: it is that of a refused attempt or of a session that is over, or has
/// neither verdict, start nor id.
///
/// Errors: [`Kind::Malformed`] for a session of somebody else, [`Kind::Server`] for one without MAC
/// address or node.
pub fn psn_of(session: &Record, mac: Mac) -> Result<Option<String>> {
    let station = session.text("calling_station_id").unwrap_or_default();
    match session.mac() {
        Some(own) if own == mac => {}
        Some(other) => {
            return Err(Error::new(
                Kind::Malformed,
                format!("the session that came for {mac} is that of {other}"),
            )
            .hint("nothing was sent; a cache or a proxy between here and the node may answer in its place"));
        }
        None => {
            return Err(Error::new(
                Kind::Server,
                format!("the session's calling station '{station}' is no MAC address"),
            )
            .hint("a change of authorization needs one; a VPN session has none"));
        }
    }
    let is_told = session.passed() == Some(true)
        || session.text("audit_session_id").is_some()
        || matches!(session.text("started").as_deref(), Some("true" | "1"));
    if session.presence() != Presence::Active || !is_told {
        return Ok(None);
    }
    match session.server() {
        Some(server) => Ok(Some(server.into_owned())),
        None => Err(Error::new(
            Kind::Server,
            format!("the session of {mac} does not name its PSN"),
        )
        .hint("name the PSN yourself: --server PSN")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked() -> Asked {
        Asked::endpoint("C8:5B:76:C6:59:62".parse().unwrap())
    }

    #[test]
    fn every_row_counts() {
        let row = |mac: &str| Record::from_value(json!({ "calling_station_id": mac }));
        let own = row("c8-5b-76-c6-59-62");
        let others = row("00:00:5E:00:53:01");
        assert_eq!(asked().other(Ok(&[])), None);
        assert_eq!(asked().other(Ok(std::slice::from_ref(&own))), None);
        let other = asked().other(Ok(&[own, others]));
        assert_eq!(other.as_deref(), Some("00:00:5E:00:53:01"));
    }

    #[test]
    fn also_nothing_is_said_about_somebody() {
        let nothing = |words: &str| {
            let error = Error::new(Kind::NotFound, words);
            asked().other(Err(&error))
        };
        assert_eq!(nothing("ise:443: no session of C8:5B:76:C6:59:62."), None);
        assert_eq!(nothing("ise:443: there is none"), None);
        assert!(nothing("no session of 00:00:5E:00:53:01.").is_some());
        let error = Error::new(Kind::Server, "00:00:5E:00:53:01 broke it");
        assert_eq!(asked().other(Err(&error)), None);
    }
}
