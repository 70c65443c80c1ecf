//! What a MnT record says, across the names that the same fact has in different documents
//! (reference mnt-api section 2.5).
//!
//! Views only: the record is the truth, and a fact that was not sent is `None` or an empty list,
//! never a default.

use std::borrow::Cow;
use std::net::IpAddr;

use jiff::Timestamp;

use super::{Mac, Record, Value, time};

/// What a document about a session says of the endpoint. The node answers with the latest one,
/// which can be that of a refused attempt or of a session that is over (reference mnt-api,
/// section 2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// On the network. So is whose document tells no verdict: a row of the active list.
    Active,
    /// The attempt failed.
    Refused,
    /// The session is over.
    Ended,
}

impl Presence {
    /// The same of a document whose members `text` tells.
    pub fn told_by<'a>(text: impl Fn(&str) -> Option<Cow<'a, str>>) -> Self {
        if passed(&text) == Some(false) {
            return Self::Refused;
        }
        let is = |name: &str, words: &[&str]| {
            let said = text(name);
            let said = said.as_deref().unwrap_or_default().trim();
            words.iter().any(|word| said.eq_ignore_ascii_case(word))
        };
        let over = is("stopped", &["1", "true"])
            || is("acct_status_type", &["Stop"])
            || is("session_state", &["DISCONNECTED", "TERMINATED"]);
        if over { Self::Ended } else { Self::Active }
    }
}

fn passed<'a>(text: impl Fn(&str) -> Option<Cow<'a, str>>) -> Option<bool> {
    let boolean = |name: &str| match text(name)?.trim() {
        "1" => Some(true),
        "0" => Some(false),
        word if word.eq_ignore_ascii_case("true") => Some(true),
        word if word.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    };
    match (boolean("passed"), boolean("failed")) {
        (Some(false), _) | (_, Some(true)) => Some(false),
        (Some(true), _) | (_, Some(false)) => Some(true),
        (None, None) => None,
    }
}

impl Record {
    /// The first of `names` that has text.
    pub fn first(&self, names: &[&str]) -> Option<Cow<'_, str>> {
        names.iter().find_map(|name| self.text(name))
    }

    /// The verdict: `passed` and `failed`, each `true`/`false` or `1`/`0` whatever type is declared
    /// (quirk 1). Where either says that it failed, it did not pass; without both, what has a reason
    /// of failure failed.
    pub fn passed(&self) -> Option<bool> {
        passed(|name| self.text(name)).or_else(|| {
            let reason = self.failure_reason()?;
            (!reason.trim().is_empty()).then_some(false)
        })
    }

    /// The member `key` of `other_attr_string`; `None` where it came twice with different values:
    /// names that strangers choose stand there as well, and nothing tells which is the server's.
    fn attribute(&self, key: &str) -> Option<Cow<'_, str>> {
        fn only<T: PartialEq>(list: &[T]) -> Option<&T> {
            let (first, others) = list.split_first()?;
            others.iter().all(|other| other == first).then_some(first)
        }
        let text = match self {
            Self::Fields(fields) => {
                let Value::Nested(members) = fields.get("other_attr_string")? else {
                    return None;
                };
                let value = match members.get(key)? {
                    Value::List(list) => only(list)?,
                    value => value,
                };
                let Value::Text(text) = value else {
                    return None;
                };
                text
            }
            Self::Json(json) => {
                let value = json.value().get("other_attr_string")?.get(key)?;
                match value.as_array() {
                    Some(list) => only(list)?.as_str()?,
                    None => value.as_str()?,
                }
            }
        };
        (!text.is_empty()).then(|| text.into())
    }

    /// Whether this document about a session is of somebody on the network.
    pub fn presence(&self) -> Presence {
        Presence::told_by(|name| self.text(name))
    }

    /// The endpoint's MAC address; `None` where the calling station is none (VPN).
    pub fn mac(&self) -> Option<Mac> {
        ["calling_station_id", "orig_calling_station_id"]
            .iter()
            .find_map(|name| self.text(name)?.parse().ok())
    }

    /// Whether the member `name` is this address, or a list that holds it, in whatever spelling.
    pub fn has_address(&self, name: &str, wanted: IpAddr) -> bool {
        self.addresses(name).contains(&wanted.to_canonical())
    }

    /// The addresses that the member `name` is, or holds as a list.
    pub fn addresses(&self, name: &str) -> Vec<IpAddr> {
        let address = |text: &str| {
            let address: IpAddr = text.trim().parse().ok()?;
            Some(address.to_canonical())
        };
        match self {
            Self::Fields(fields) => match fields.get(name) {
                Some(Value::Text(text)) => address(text).into_iter().collect(),
                Some(Value::List(list)) => list
                    .iter()
                    .filter_map(|item| match item {
                        Value::Text(text) => address(text),
                        _ => None,
                    })
                    .collect(),
                _ => Vec::new(),
            },
            Self::Json(_) => {
                let text = self.text(name).unwrap_or_default();
                text.split(", ").filter_map(address).collect()
            }
        }
    }

    /// What the record says of a quarantine, if it is in one: the ANC policy where that is named,
    /// else the authorization rule, profile or security group that is called so.
    pub fn quarantine(&self) -> Option<String> {
        let attribute = self.attribute("ANCPolicy");
        if let Some(policy) = attribute.or_else(|| self.first(&["ancPolicy"])) {
            return Some(format!("ANC {policy}"));
        }
        [
            self.authorization_rule(),
            self.first(&["eps_status"]),
            self.sgt(),
        ]
        .into_iter()
        .flatten()
        .map(Cow::into_owned)
        .chain(self.profiles())
        .find(|name| means_quarantine(name))
    }

    /// The user.
    pub fn user(&self) -> Option<Cow<'_, str>> {
        self.first(&["user_name", "username", "radius_username"])
    }

    /// The PSN's short host name.
    pub fn server(&self) -> Option<Cow<'_, str>> {
        self.first(&["server", "acs_server"])
    }

    /// The endpoint's IPv4 address.
    pub fn ip(&self) -> Option<Cow<'_, str>> {
        self.first(&["framed_ip_address"])
    }

    /// When the endpoint authenticated, in the server's words.
    pub fn auth_time_text(&self) -> Option<Cow<'_, str>> {
        self.first(&["auth_acs_timestamp", "auth_timestamp", "acs_timestamp"])
    }

    /// When the endpoint authenticated. Times of `/Session` and `/AuthStatus` are not comparable
    /// (quirk 7).
    pub fn auth_time(&self) -> Option<Timestamp> {
        time::instant(&self.auth_time_text()?)
    }

    /// The method (`dot1x`, `mab`).
    pub fn method(&self) -> Option<Cow<'_, str>> {
        self.first(&["authentication_method", "auth_method"])
    }

    /// The protocol (`PEAP (EAP-MSCHAPv2)`).
    pub fn protocol(&self) -> Option<Cow<'_, str>> {
        self.first(&[
            "authentication_protocol",
            "auth_protocol",
            "authen_protocol",
        ])
    }

    /// The policy set that matched.
    pub fn policy_set(&self) -> Option<Cow<'_, str>> {
        self.attribute("ISEPolicySetName")
    }

    /// The authentication rule that matched.
    pub fn authentication_rule(&self) -> Option<Cow<'_, str>> {
        self.first(&["authentication_rule"])
            .or_else(|| self.attribute("IdentityPolicyMatchedRule"))
            .or_else(|| self.first(&["identity_policy_matched_rule"]))
    }

    /// The authorization rule that matched.
    pub fn authorization_rule(&self) -> Option<Cow<'_, str>> {
        self.first(&["authorization_rule"])
            .or_else(|| self.attribute("AuthorizationPolicyMatchedRule"))
    }

    /// The authorization profiles that were selected.
    pub fn profiles(&self) -> Vec<String> {
        let names = [
            "selected_azn_profiles",
            "selected_authz_profiles",
            "selected_azn_profile",
        ];
        listed(self.first(&names), ',')
    }

    /// The codes of the execution steps, in order.
    pub fn steps(&self) -> Vec<String> {
        listed(self.first(&["execution_steps"]), ',')
    }

    /// The steps' latencies in milliseconds by position. Which step each belongs to is not settled
    /// (quirk 5): there can be one fewer than steps.
    pub fn step_latency(&self) -> Vec<u64> {
        listed(self.attribute("StepLatency"), ';')
            .iter()
            .filter_map(|part| part.split_once('=')?.1.trim().parse().ok())
            .collect()
    }

    /// The whole authentication's latency in milliseconds.
    pub fn latency(&self) -> Option<u64> {
        self.first(&["response_time"])
            .or_else(|| self.attribute("TotalAuthenLatency"))?
            .trim()
            .parse()
            .ok()
    }

    /// The reason of failure as sent: code and text.
    pub fn failure_reason(&self) -> Option<Cow<'_, str>> {
        self.text("failure_reason")
    }

    /// The code of the failure: the first token of the reason, the key into the catalogue of
    /// failure reasons.
    pub fn failure_code(&self) -> Option<String> {
        let reason = self.failure_reason()?;
        reason.split_whitespace().next().map(str::to_owned)
    }

    /// The security group, from authentication or else from accounting; of pxGrid's session too.
    pub fn sgt(&self) -> Option<Cow<'_, str>> {
        self.first(&["cts_security_group", "security_group", "ctsSecurityGroup"])
    }
}

/// The parts of a text, without empty ones.
fn listed(text: Option<Cow<'_, str>>, separator: char) -> Vec<String> {
    let text = text.unwrap_or_default();
    let parts = text.split(separator).map(str::trim);
    parts
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Whether a name speaks of a quarantine, and not of its end.
fn means_quarantine(name: &str) -> bool {
    let name = name.to_lowercase();
    let Some((before, _)) = name.split_once("quarantin") else {
        return false;
    };
    let before = before.trim_end_matches(|c: char| !c.is_alphanumeric());
    !["un", "no", "non", "not"]
        .iter()
        .any(|word| before.ends_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Fields, embedded_documents};

    fn record(fields: &[(&str, &str)]) -> Record {
        let mut all = Fields::new();
        for (name, text) in fields {
            all.add(name, Value::Text((*text).to_owned()));
        }
        embedded_documents::details(&mut all);
        Record::Fields(all)
    }

    #[test]
    fn the_verdict_is_read_in_every_type() {
        for (name, text, passed) in [
            ("passed", "true", Some(true)),
            ("passed", "0", Some(false)),
            ("failed", "1", Some(false)),
            ("failed", "False", Some(true)),
            ("passed", "maybe", None),
            ("reason", "true", None),
            ("failure_reason", "22040 Wrong password", Some(false)),
            ("failure_reason", "", None),
        ] {
            assert_eq!(record(&[(name, text)]).passed(), passed, "{name}={text}");
        }
    }

    #[test]
    fn who_was_refused_or_left_is_not_on_the_network() {
        for (fields, presence) in [
            (
                &[("failed", "1"), ("started", "true")][..],
                Presence::Refused,
            ),
            (&[("passed", "1"), ("failed", "1")], Presence::Refused),
            (&[("passed", "true"), ("stopped", "true")], Presence::Ended),
            (
                &[("passed", "1"), ("acct_status_type", "Stop")],
                Presence::Ended,
            ),
            (&[("session_state", "DISCONNECTED")], Presence::Ended),
            (
                &[
                    ("passed", "1"),
                    ("stopped", "0"),
                    ("acct_status_type", "Interim-Update"),
                ],
                Presence::Active,
            ),
            (&[("session_state", "STARTED")], Presence::Active),
            (&[("user_name", "Stop")], Presence::Active),
        ] {
            assert_eq!(record(fields).presence(), presence, "{fields:?}");
        }
    }

    #[test]
    fn facts_are_found_under_each_documents_name() {
        let detail = record(&[
            ("acs_server", "psn-a"),
            ("calling_station_id", "198.51.100.7"),
            ("orig_calling_station_id", "00-00-5e-00-53-01"),
            ("auth_acs_timestamp", "2026-03-09T08:14:55.207+01:00"),
            ("selected_azn_profiles", "Wired_Staff, PermitAccess"),
            ("execution_steps", "11001,11017,22040"),
            (
                "failure_reason",
                "22040 Wrong password or invalid shared secret",
            ),
            (
                "other_attr_string",
                ":!:ISEPolicySetName=Wired dot1x:!:IdentityPolicyMatchedRule=Dot1X:!:AuthorizationPolicyMatchedRule=Staff:!:StepLatency=1=0;2=14:!:TotalAuthenLatency=31",
            ),
        ]);
        assert_eq!(detail.server().as_deref(), Some("psn-a"));
        assert_eq!(detail.mac().unwrap().to_string(), "00:00:5E:00:53:01");
        assert_eq!(
            detail.auth_time().unwrap().to_string(),
            "2026-03-09T07:14:55.207Z"
        );
        assert_eq!(detail.profiles(), ["Wired_Staff", "PermitAccess"]);
        assert_eq!(detail.steps().len(), 3);
        assert_eq!(detail.step_latency(), [0, 14]);
        assert_eq!(detail.latency(), Some(31));
        assert_eq!(detail.failure_code().as_deref(), Some("22040"));
        assert_eq!(detail.policy_set().as_deref(), Some("Wired dot1x"));
        assert_eq!(detail.authentication_rule().as_deref(), Some("Dot1X"));
        assert_eq!(detail.authorization_rule().as_deref(), Some("Staff"));
        let by_id = record(&[("username", "pat.kim"), ("authorization_rule", "Staff")]);
        assert_eq!(by_id.user().as_deref(), Some("pat.kim"));
        assert_eq!(by_id.authorization_rule().as_deref(), Some("Staff"));
        assert_eq!(by_id.mac(), None);
    }

    #[test]
    fn a_quarantine_is_what_the_server_calls_one() {
        for (name, text, said) in [
            (
                "other_attr_string",
                ":!:ANCPolicy=Isolate:!:x=1",
                Some("ANC Isolate"),
            ),
            (
                "other_attr_string",
                ":!:ANCPolicy=Isolate:!:ANCPolicy=Isolate",
                Some("ANC Isolate"),
            ),
            ("other_attr_string", ":!:ANCPolicy=A:!:ANCPolicy=B", None),
            (
                "authorization_rule",
                "ANC Quarantine",
                Some("ANC Quarantine"),
            ),
            (
                "selected_azn_profiles",
                "Wired,Quarantine_ACL",
                Some("Quarantine_ACL"),
            ),
            (
                "cts_security_group",
                "Quarantined_Systems",
                Some("Quarantined_Systems"),
            ),
            ("eps_status", "quarantined", Some("quarantined")),
            ("eps_status", "unquarantined", None),
            ("authorization_rule", "Not-Quarantined", None),
            ("user_name", "quarantine", None),
            ("selected_azn_profiles", "PermitAccess", None),
        ] {
            assert_eq!(
                record(&[(name, text)]).quarantine().as_deref(),
                said,
                "{name}={text}"
            );
        }
    }

    #[test]
    fn a_user_cannot_name_rules_and_policies() {
        let name = "x:!:ANCPolicy=Quarantine:!:ISEPolicySetName=Mine:!:AuthorizationPolicyMatchedRule=Mine:!:IdentityPolicyMatchedRule=Mine";
        let attributes = format!(":!:ISEPolicySetName=Wired:!:RADIUS Username={name}:!:x=1");
        let forged = record(&[("user_name", name), ("other_attr_string", &attributes)]);
        assert_eq!(forged.quarantine(), None);
        assert_eq!(forged.policy_set().as_deref(), Some("Wired"));
        assert_eq!(forged.authorization_rule(), None);
        assert_eq!(forged.authentication_rule(), None);
        // Where the name is told nowhere else, two of a key are none.
        let unknown = record(&[("other_attr_string", &format!("{attributes}:!:ANCPolicy="))]);
        assert_eq!((unknown.policy_set(), unknown.quarantine()), (None, None));
        let json = Record::from_value(unknown.to_value());
        assert_eq!((json.policy_set(), json.quarantine()), (None, None));
    }

    #[test]
    fn addresses_are_found_in_any_spelling() {
        let record = record(&[("framed_ip_address", " 10.0.0.7"), ("x", "2001:DB8::0:7")]);
        assert!(record.has_address("framed_ip_address", "10.0.0.7".parse().unwrap()));
        assert!(record.has_address("x", "2001:db8::7".parse().unwrap()));
        assert!(!record.has_address("x", "10.0.0.7".parse().unwrap()));
        assert!(!record.has_address("y", "10.0.0.7".parse().unwrap()));
    }
}
