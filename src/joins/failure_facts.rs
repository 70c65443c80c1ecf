//! What a failed authentication tells, whichever interface told it: a RADIUS failure of pxGrid
//! (reference pxgrid-api, section 3.7) or an attempt of the Monitoring node (mnt-api, section 2.6);
//! and which failures a user names by a code or by a group's value.

use std::borrow::Cow;
use std::net::IpAddr;

use jiff::Timestamp;

use super::endpoints;
use crate::record::conditions::{Pattern, UserName};
use crate::record::{Record, time};

/// By what failures are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Code and words of the failure.
    Reason,
    /// The switch or controller, by name where it has one.
    Nas,
    /// The user, as the server wrote it.
    User,
    /// The policy service node.
    Server,
    /// The policy set.
    PolicySet,
    /// What the profiler takes the endpoint for.
    Profile,
}

impl By {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Reason,
        Self::Nas,
        Self::User,
        Self::Server,
        Self::PolicySet,
        Self::Profile,
    ];

    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::PolicySet => "policy-set",
            other => other.member(),
        }
    }

    /// As it is called in JSON.
    pub fn member(self) -> &'static str {
        match self {
            Self::Reason => "reason",
            Self::Nas => "nas",
            Self::User => "user",
            Self::Server => "server",
            Self::PolicySet => "policySet",
            Self::Profile => "profile",
        }
    }

    /// What a user means; letters' case, hyphens and underscores do not matter.
    pub fn named(text: &str) -> Option<Self> {
        let plain = |text: &str| text.to_lowercase().replace(['-', '_'], "");
        let wanted = plain(text.trim());
        let known = Self::ALL.into_iter().find(|by| plain(by.name()) == wanted);
        known.or_else(|| (wanted == "psn").then_some(Self::Server))
    }

    /// The value by which a failure is grouped; `None` where it was not sent.
    pub fn value(self, failure: &Record) -> Option<Cow<'_, str>> {
        let policy_set = || failure.policy_set();
        let value = failure.first(self.members());
        match self {
            Self::PolicySet => value.or_else(policy_set),
            _ => value,
        }
    }

    /// The members that tell it, the one that is shown first.
    fn members(self) -> &'static [&'static str] {
        match self {
            Self::Reason => &["failureReason", "failure_reason"],
            Self::Nas => &[
                "networkDeviceName",
                "nasName",
                "network_device_name",
                "nasIpAddress",
                "nas_ip_address",
                "nas_ipv6_address",
            ],
            Self::User => &["userName", "user_name"],
            Self::Server => &["serverName", "acs_server"],
            Self::PolicySet => &["policySetName"],
            Self::Profile => &[
                "endpointProfile",
                "endpointMatchedProfile",
                "endpoint_policy",
            ],
        }
    }
}

/// The number that a reason begins with, else that of the message.
pub fn code(failure: &Record) -> Option<String> {
    let reason = By::Reason.value(failure);
    let first = reason
        .as_deref()
        .and_then(|text| text.split_whitespace().next());
    first
        .filter(|word| is_code(word))
        .map(str::to_owned)
        .or_else(|| {
            let message = failure.first(&["messageCode", "message_code"])?;
            is_code(&message).then(|| message.into_owned())
        })
}

/// Whether a text is a number as codes are.
fn is_code(text: &str) -> bool {
    (1..=6).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// When it was, and in the server's words.
pub fn moment(failure: &Record) -> Option<(Timestamp, Cow<'_, str>)> {
    let text = failure.first(&["timestamp", "acs_timestamp", "auth_acs_timestamp"])?;
    Some((time::instant(&text)?, text))
}

/// By what failures of one endpoint are joined; `None` where nothing tells whose failure it is.
pub fn endpoint(failure: &Record) -> Option<String> {
    endpoints::key(failure)
}

/// Failures that a user names.
#[derive(Debug, Clone)]
pub enum Named {
    /// Those with this code.
    Code(String),
    /// Those whose value in the group, or in any where no group was named, is this one.
    Value(Option<By>, Wanted),
}

/// A value as a user typed it.
#[derive(Debug, Clone)]
pub struct Wanted {
    text: String,
    pattern: Pattern,
    user: UserName,
    address: Option<IpAddr>,
}

impl Named {
    /// A code where the text is one (and no group was named), else a value; `by` is the group that
    /// it is a value of, if one was named.
    pub fn new(text: &str, by: Option<By>) -> Self {
        let text = text.trim();
        if is_code(text) && by.is_none() {
            return Self::Code(text.to_owned());
        }
        Self::value(text, by)
    }

    /// A value, also where the text could be a code: users and switches have names of digits.
    pub fn value(text: &str, by: Option<By>) -> Self {
        let text = text.trim();
        let wanted = Wanted {
            text: text.to_lowercase(),
            pattern: Pattern::new(text),
            user: UserName::new(text),
            address: text.parse().ok(),
        };
        Self::Value(by, wanted)
    }

    /// Whether this failure is one of them.
    pub fn has(&self, failure: &Record) -> bool {
        match self {
            Self::Code(wanted) => code(failure).is_some_and(|code| code == *wanted),
            Self::Value(Some(by), wanted) => wanted.is_in(*by, failure),
            Self::Value(None, wanted) => {
                // Digits within the words of a reason are no name of it.
                let words = !is_code(&wanted.text);
                let named = |by: &By| words || *by != By::Reason;
                By::ALL
                    .iter()
                    .filter(|by| named(by))
                    .any(|by| wanted.is_in(*by, failure))
            }
        }
    }
}

impl Wanted {
    fn is_in(&self, by: By, failure: &Record) -> bool {
        let mut sent = by.members().iter().filter_map(|name| failure.text(name));
        match by {
            // The words of a reason are many: some of them are enough.
            By::Reason => sent.any(|text| {
                self.pattern.matches(&text) || text.to_lowercase().contains(&self.text)
            }),
            By::User => sent.any(|text| self.user.matches(&text)),
            By::Nas | By::Server => sent.any(|text| {
                let address = text.trim().parse::<IpAddr>().ok();
                self.pattern.matches_host(&text)
                    || (self.address.is_some() && address == self.address)
            }),
            By::PolicySet | By::Profile => {
                let value = by.value(failure);
                value.is_some_and(|text| self.pattern.matches(&text))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn failure() -> Record {
        Record::from_value(json!({
            "failureReason": "22040 Wrong password", "messageCode": 5400,
            "networkDeviceName": "sw-lab-02.lab.example", "nasIpAddress": "10.50.1.11",
            "userName": "LAB\\pat.kim", "serverName": "psn-a", "policySetName": "Wired dot1x",
            "endpointProfile": "Workstation", "macAddress": "00-00-5e-00-53-01",
            "timestamp": "2026-03-01T10:00:00Z"
        }))
    }

    #[test]
    fn both_interfaces_tell_the_same_facts() {
        let attempt = Record::from_value(json!({
            "failure_reason": "22040 Wrong password", "message_code": "5400",
            "network_device_name": "sw-lab-02.lab.example", "nas_ip_address": "10.50.1.11",
            "user_name": "LAB\\pat.kim", "acs_server": "psn-a",
            "endpoint_policy": "Workstation", "calling_station_id": "00:00:5E:00:53:01",
            "acs_timestamp": "2026-03-01T10:00:00Z",
            "other_attr_string": {"ISEPolicySetName": "Wired dot1x"}
        }));
        for by in By::ALL {
            assert_eq!(by.value(&failure()), by.value(&attempt), "{by:?}");
            assert!(by.value(&attempt).is_some(), "{by:?}");
        }
        assert_eq!(code(&failure()), code(&attempt));
        assert_eq!(endpoint(&failure()), endpoint(&attempt));
        assert_eq!(moment(&failure()), moment(&attempt));
    }

    #[test]
    fn a_code_is_the_reasons_and_only_else_the_messages() {
        let of = |value| code(&Record::from_value(value));
        assert_eq!(
            of(json!({"failureReason": "22040 x", "messageCode": 5400})).unwrap(),
            "22040"
        );
        assert_eq!(
            of(json!({"failureReason": "x", "messageCode": 5440})).unwrap(),
            "5440"
        );
        assert_eq!(of(json!({"failureReason": "99999999999 x"})), None);
        assert_eq!(of(json!({})), None);
    }

    #[test]
    fn failures_are_named_by_code_or_by_any_value() {
        for (text, by, meant) in [
            ("22040", None, true),
            ("22041", None, false),
            ("5400", None, false),
            ("wrong PASS", None, true),
            ("sw-lab-02", None, true),
            ("10.50.1.11", None, true),
            ("10.50.1.1", None, false),
            ("pat.kim", None, true),
            ("pat.kim", Some(By::Nas), false),
            ("SW-LAB-02", Some(By::Nas), true),
            ("wired*", Some(By::PolicySet), true),
            ("wired", Some(By::PolicySet), false),
            ("psn-a", Some(By::Server), true),
            ("workstation", Some(By::Profile), true),
            ("22040", Some(By::User), false),
        ] {
            assert_eq!(Named::new(text, by).has(&failure()), meant, "{text} {by:?}");
        }
        let numbered = Record::from_value(json!({
            "failureReason": "22040 Wrong password", "userName": "LAB\\104233"
        }));
        for (text, by, meant) in [
            ("104233", None, true),
            ("104233", Some(By::User), true),
            ("104233", Some(By::Nas), false),
            ("2204", None, false),
        ] {
            assert!(!Named::new(text, None).has(&numbered), "{text}");
            assert_eq!(
                Named::value(text, by).has(&numbered),
                meant,
                "{text} {by:?}"
            );
        }
    }

    #[test]
    fn groups_are_named_in_any_spelling() {
        for (text, by) in [
            ("reason", Some(By::Reason)),
            ("NAS", Some(By::Nas)),
            ("Policy_Set", Some(By::PolicySet)),
            ("policySet", Some(By::PolicySet)),
            ("psn", Some(By::Server)),
            ("switch", None),
        ] {
            assert_eq!(By::named(text), by, "{text}");
        }
    }
}
