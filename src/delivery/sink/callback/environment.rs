//! What a callback finds in its environment: ours without our secrets, and variables about the event,
//! each only if its value fits a strict pattern.

use std::ffi::{OsStr, OsString};
use std::fmt;

use crate::event::{Delivery, Event};
use crate::record::Mac;

/// What we set for the callback; also taken out of what we inherited, so that a value is never an
/// older one.
pub(super) const OURS: [&str; 8] = [
    "NETAPI_ID",
    "NETAPI_ATTEMPT",
    "NETAPI_REPEATED",
    "NETAPI_TOPIC",
    "NETAPI_EVENT",
    "NETAPI_SEQUENCE",
    "NETAPI_MAC",
    "NETAPI_STATE",
];

/// What a service manager tells us alone: a callback with these could speak for us.
const NOT_INHERITED: [&str; 3] = ["NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"];

/// Variables with their values; those are nobody's business.
#[derive(Clone)]
pub(super) struct Environment(Vec<(OsString, OsString)>);

impl Environment {
    /// Those that a callback inherits.
    pub(super) fn of(inherited: impl Iterator<Item = (OsString, OsString)>) -> Self {
        let ours = |name: &OsStr| OURS.iter().chain(&NOT_INHERITED).any(|ours| *ours == name);
        Self(
            inherited
                .filter(|(name, _)| !ours(name))
                .filter_map(|(name, value)| Some((name.clone(), inheritable(&name, value)?)))
                .collect(),
        )
    }

    /// Name and value of each.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&OsString, &OsString)> {
        let Self(variables) = self;
        variables.iter().map(|(name, value)| (name, value))
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.iter().map(|(name, _)| name))
            .finish()
    }
}

/// What a program that we start is given of a variable that we inherited: nothing of a secret, and
/// a proxy's address without the name and password in it.
pub(crate) fn inheritable(name: &OsStr, value: OsString) -> Option<OsString> {
    let proxy = name
        .to_string_lossy()
        .to_ascii_lowercase()
        .ends_with("_proxy");
    if is_secret(name) {
        None
    } else if proxy {
        value.to_str().map(|address| without_login(address).into())
    } else {
        Some(value)
    }
}

/// An address without what stands between its scheme and its last `@`.
fn without_login(address: &str) -> String {
    match address.rsplit_once('@') {
        Some((before, host)) => match before.split_once("://") {
            Some((scheme, _)) => format!("{scheme}://{host}"),
            None => host.to_owned(),
        },
        None => address.to_owned(),
    }
}

/// Whether the inherited variable `name` holds a secret: the passwords of the contract's section 3,
/// and whatever under our prefixes is named like one.
fn is_secret(name: &OsStr) -> bool {
    let name = name.to_string_lossy().to_ascii_uppercase();
    let ours = ["ISE_", "PXGRID_", "NETAPI_"]
        .iter()
        .any(|prefix| name.starts_with(prefix));
    ours && ["PASS", "SECRET", "TOKEN"]
        .iter()
        .any(|word| name.contains(word))
}

/// The variables about the event, each only if its value fits its pattern.
pub(super) fn variables(event: &Event, delivery: Delivery) -> Vec<(&'static str, String)> {
    let fits = |text: &str, longest: usize, extra: &str| {
        !text.is_empty()
            && text.len() <= longest
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
    };
    let mut variables = Vec::with_capacity(OURS.len());
    variables.push(("NETAPI_ID", event.id().to_string()));
    variables.push(("NETAPI_ATTEMPT", delivery.attempt.to_string()));
    variables.push(("NETAPI_REPEATED", delivery.repeated.to_string()));
    if event.topic.starts_with('/') && fits(&event.topic, 200, "/._-") {
        variables.push(("NETAPI_TOPIC", event.topic.to_string()));
    }
    if fits(&event.event, 64, "_-") {
        variables.push(("NETAPI_EVENT", event.event.to_string()));
    }
    if let Some(sequence) = event.sequence {
        variables.push(("NETAPI_SEQUENCE", sequence.to_string()));
    }
    let mac = event.mac.as_deref().map(str::parse::<Mac>);
    if let Some(Ok(mac)) = mac {
        variables.push(("NETAPI_MAC", mac.to_string()));
    }
    if let Some(state) = event.state.as_deref().filter(|state| fits(state, 32, "_")) {
        variables.push(("NETAPI_STATE", state.to_owned()));
    }
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_name() {
        for name in [
            "ISE_MNT_PASS",
            "ISE_API_PASS",
            "ISE_PASS",
            "PXGRID_KEY_PASSWORD",
            "ISE_PXGRID_PASSWORD",
            "NETAPI_ACCESS_SECRET",
            "ise_pass",
        ] {
            assert!(is_secret(OsStr::new(name)), "{name}");
        }
        for name in ["PATH", "ISE_MNT_FQDN", "PXGRID_CERT", "SSH_ASKPASS"] {
            assert!(!is_secret(OsStr::new(name)), "{name}");
        }
    }
}
