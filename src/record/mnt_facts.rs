//! What a MnT record says, across the names that the same fact has in different documents
//! (reference mnt-api section 2.5).
//!
//! Views only: the record is the truth, and a fact that was not sent is `None` or an empty list,
//! never a default.

use std::borrow::Cow;
use std::net::IpAddr;

use jiff::Timestamp;

use super::{Mac, Record, Value, time};

impl Record {
    /// The first of `names` that has text.
    pub fn first(&self, names: &[&str]) -> Option<Cow<'_, str>> {
        names.iter().find_map(|name| self.text(name))
    }

    /// The verdict: `passed`, or the opposite of `failed`, each `true`/`false` or `1`/`0` whatever
    /// type is declared (quirk 1).
    pub fn passed(&self) -> Option<bool> {
        self.boolean("passed")
            .or_else(|| self.boolean("failed").map(|failed| !failed))
    }

    fn boolean(&self, name: &str) -> Option<bool> {
        match self.text(name)?.trim() {
            "1" => Some(true),
            "0" => Some(false),
            word if word.eq_ignore_ascii_case("true") => Some(true),
            word if word.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
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
        let policy = self.first(&["other_attr_string.ANCPolicy", "ancPolicy"]);
        if let Some(policy) = policy {
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
        self.first(&["other_attr_string.ISEPolicySetName"])
    }

    /// The authentication rule that matched.
    pub fn authentication_rule(&self) -> Option<Cow<'_, str>> {
        self.first(&[
            "authentication_rule",
            "other_attr_string.IdentityPolicyMatchedRule",
            "identity_policy_matched_rule",
        ])
    }

    /// The authorization rule that matched.
    pub fn authorization_rule(&self) -> Option<Cow<'_, str>> {
        self.first(&[
            "authorization_rule",
            "other_attr_string.AuthorizationPolicyMatchedRule",
        ])
    }

    /// The authorization profiles that were selected.
    pub fn profiles(&self) -> Vec<String> {
        self.listed(
            &[
                "selected_azn_profiles",
                "selected_authz_profiles",
                "selected_azn_profile",
            ],
            ',',
        )
    }

    /// The codes of the execution steps, in order.
    pub fn steps(&self) -> Vec<String> {
        self.listed(&["execution_steps"], ',')
    }

    fn listed(&self, names: &[&str], separator: char) -> Vec<String> {
        self.first(names)
            .map(|text| {
                text.split(separator)
                    .map(str::trim)
                    .filter(|part| !part.is_empty())
                    .map(str::to_owned)
                    .collect()
            })
            .unwrap_or_default()
    }

    /// The steps' latencies in milliseconds by position. Which step each belongs to is not settled
    /// (quirk 5): there can be one fewer than steps.
    pub fn step_latency(&self) -> Vec<u64> {
        self.listed(&["other_attr_string.StepLatency"], ';')
            .iter()
            .filter_map(|part| part.split_once('=')?.1.trim().parse().ok())
            .collect()
    }

    /// The whole authentication's latency in milliseconds.
    pub fn latency(&self) -> Option<u64> {
        self.first(&["response_time", "other_attr_string.TotalAuthenLatency"])?
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
        ] {
            assert_eq!(record(&[(name, text)]).passed(), passed, "{name}={text}");
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
    fn addresses_are_found_in_any_spelling() {
        let record = record(&[("framed_ip_address", " 10.0.0.7"), ("x", "2001:DB8::0:7")]);
        assert!(record.has_address("framed_ip_address", "10.0.0.7".parse().unwrap()));
        assert!(record.has_address("x", "2001:db8::7".parse().unwrap()));
        assert!(!record.has_address("x", "10.0.0.7".parse().unwrap()));
        assert!(!record.has_address("y", "10.0.0.7".parse().unwrap()));
    }
}
