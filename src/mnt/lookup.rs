//! Finding one session in the active list, for what the node cannot be asked directly: a user name that does not survive in a path, an
//! endpoint's IP address (reference mnt-api section 1, row 9, and section 3, "Identifiers in the path").
//!
//! A sink that stops at the first usable row; it sends nothing.

use std::ops::ControlFlow;

use crate::error::Result;
use crate::record::{Mac, Record, RecordSink};

/// How to ask for the full session of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Handle {
    Mac(Mac),
    SessionId(String),
}

/// Looks for a row whose `field` is exactly `wanted`.
#[derive(Debug)]
pub(super) struct Find {
    field: &'static str,
    wanted: String,
    /// What was found: a MAC address ends the search, an audit session id (a VPN row has no MAC) is kept while a better row may come.
    pub(super) found: Option<Handle>,
}

impl Find {
    pub(super) fn new(field: &'static str, wanted: impl Into<String>) -> Self {
        Self {
            field,
            wanted: wanted.into(),
            found: None,
        }
    }
}

impl RecordSink for Find {
    fn begin(&mut self, _announced: Option<u64>) -> Result<()> {
        Ok(())
    }

    fn record(&mut self, record: &Record) -> Result<ControlFlow<()>> {
        if record.text(self.field).as_deref() != Some(self.wanted.as_str()) {
            return Ok(ControlFlow::Continue(()));
        }
        if let Some(mac) = record.mac() {
            self.found = Some(Handle::Mac(mac));
            return Ok(ControlFlow::Break(()));
        }
        if self.found.is_none() {
            let id = record.text("audit_session_id");
            self.found = id.map(|id| Handle::SessionId(id.into_owned()));
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// Whether a user name may not survive in a path: only what every server and gateway passes on does.
pub(super) fn is_awkward(user: &str) -> bool {
    !user
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._@".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mnt::{documents::ACTIVE_LIST, samples};
    use crate::record::xml::stream;

    fn find(field: &'static str, wanted: &str) -> Option<Handle> {
        let (sink, outcome) = stream(
            samples::ACTIVE_LIST.as_bytes(),
            &ACTIVE_LIST,
            Find::new(field, wanted),
        );
        outcome.unwrap();
        sink.found
    }

    #[test]
    fn rows_are_found_by_exact_text() {
        let mac = |text: &str| Some(Handle::Mac(text.parse().unwrap()));
        assert_eq!(find("user_name", "LAB\\pat.kim"), mac("00:00:5E:00:53:01"));
        assert_eq!(find("user_name", "pat.kim"), None);
        assert_eq!(
            find("framed_ip_address", "198.51.100.23"),
            mac("00:00:5E:00:53:03")
        );
        // A VPN row has neither a MAC nor, here, an audit session id.
        assert_eq!(find("user_name", "vpn.user@lab.example"), None);
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
