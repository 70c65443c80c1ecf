//! Conditions that a row of a list, or an event, must meet: the filters of every list, `watch` and
//! `subscribe`, over the names that one fact has in different documents.
//!
//! [`Conditions`] say what is wanted, [`Carried`] says under which members a kind of record carries
//! it; together they are [`Tests`]. A fact that a record was not sent with meets no condition.
//! Reading a command line is not done here.

use std::net::IpAddr;

use ipnet::IpNet;
use jiff::Timestamp;

use super::{Mac, MacPrefix, Record, time};

/// What a condition can be on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// The endpoint's MAC address, or what stands in its place.
    Mac,
    /// The endpoint's addresses.
    Ip,
    /// The user.
    User,
    /// The address of the switch or controller.
    NasAddress,
    /// The name of the switch or controller.
    NasName,
    /// The policy service node.
    Server,
    /// The security group.
    Sgt,
    /// What the profiler takes the endpoint for.
    Profile,
    /// The posture's verdict.
    Posture,
    /// How the endpoint authenticated.
    Method,
    /// The session's state.
    State,
    /// When it was, or last changed.
    Time,
}

/// Under which members a kind of record carries facts. A fact that is not in it is never told.
#[derive(Debug, Clone, Copy)]
pub struct Carried(pub &'static [(Fact, &'static [&'static str])]);

impl Carried {
    /// The members of a fact; none where it is not carried.
    pub fn members(self, fact: Fact) -> &'static [&'static str] {
        let known = self.0.iter().find(|(known, _)| *known == fact);
        known.map_or(&[], |(_, members)| members)
    }
}

/// Which endpoints are meant by what a MAC column shows: an address or its beginning, or the IP
/// address that a VPN user's row has in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stations {
    /// Those whose MAC address begins so.
    Prefix(MacPrefix),
    /// The one whose calling station is this address.
    Address(IpAddr),
}

impl Stations {
    /// Whether a calling station, in whatever spelling, is among them.
    pub fn contain(self, station: &str) -> bool {
        match self {
            Self::Prefix(prefix) => station.parse().is_ok_and(|mac| prefix.matches(mac)),
            Self::Address(address) => {
                let station = station.trim().parse::<IpAddr>();
                station.is_ok_and(|station| station.to_canonical() == address)
            }
        }
    }
}

/// A text compared whole and without case; `*` stands for any run of characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// What a user typed.
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_lowercase())
    }

    /// Whether `text` is meant.
    pub fn matches(&self, text: &str) -> bool {
        self.matches_lower(&text.to_lowercase())
    }

    fn matches_lower(&self, name: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = name.strip_prefix(first) else {
            return false;
        };
        let Some(last) = parts.next_back() else {
            return rest.is_empty();
        };
        for part in parts {
            let Some(at) = rest.find(part) else {
                return false;
            };
            rest = rest.get(at + part.len()..).unwrap_or_default();
        }
        rest.ends_with(last)
    }

    /// The same of a host: a name without a dot is also the first label of a longer one.
    pub fn matches_host(&self, text: &str) -> bool {
        let name = text.to_lowercase();
        let label = || name.split('.').next().unwrap_or_default();
        self.matches_lower(&name) || (!self.0.contains('.') && self.matches_lower(label()))
    }

    /// The same of a word that servers spell with and without separators (`NonCompliant`,
    /// `non-compliant`).
    fn matches_word(&self, text: &str) -> bool {
        let letters = |text: &str| {
            let kept = |c: &char| c.is_alphanumeric() || *c == '*';
            text.to_lowercase().chars().filter(kept).collect::<String>()
        };
        self.matches(text) || Self(letters(&self.0)).matches_lower(&letters(text))
    }

    /// The same of a method: `mab`, `dot1x`, also within the kind of flow (`Wired802_1x`).
    fn matches_method(&self, text: &str) -> bool {
        let plain = |text: &str| {
            let text = text.to_lowercase().replace("dot1x", "8021x");
            let kept = |c: &char| c.is_alphanumeric() || *c == '*';
            text.chars().filter(kept).collect::<String>()
        };
        let (wanted, method) = (plain(&self.0), plain(text));
        let within = !wanted.is_empty() && !wanted.contains('*') && method.ends_with(&wanted);
        within || Self(wanted).matches_lower(&method)
    }
}

/// A user, whatever spelling a server has: `pat.kim` is also `LAB\pat.kim`, `pat.kim@lab.example`;
/// `ws-1` is also `host/ws-1.lab.example` and `LAB\ws-1$`. A name that is typed with its domain is
/// of that domain alone. Stars are compared with the whole name and with the name alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserName {
    whole: Pattern,
    name: Pattern,
    domain: Option<String>,
    mac: Option<Mac>,
}

impl UserName {
    /// What a user typed.
    pub fn new(text: &str) -> Self {
        let whole = Pattern::new(text);
        let (name, domain) = parted(&whole.0);
        Self {
            name: Pattern(name.to_owned()),
            domain: domain.map(str::to_owned),
            mac: text.parse().ok(),
            whole,
        }
    }

    /// Whether `text`, as a server has it, is this user.
    pub fn matches(&self, text: &str) -> bool {
        let text = text.trim().to_lowercase();
        if self.whole.matches_lower(&text) {
            return true;
        }
        if self.mac.is_some() {
            return self.mac == text.parse().ok();
        }
        let (name, domain) = parted(&text);
        let named = |name: &str| {
            self.name.matches_lower(name)
                || self
                    .name
                    .matches_lower(name.strip_suffix('$').unwrap_or(name))
        };
        let host = text.starts_with("host/");
        let first = name.split('.').next().unwrap_or_default();
        if !(named(name) || (host && named(first))) {
            return false;
        }
        match (&self.domain, domain) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(wanted), Some(domain)) => same_domain(wanted, domain),
        }
    }
}

/// The name and the domain that stands before or behind it.
fn parted(text: &str) -> (&str, Option<&str>) {
    let text = text.strip_prefix("host/").unwrap_or(text);
    if let Some((domain, name)) = text.split_once('\\') {
        return (name, Some(domain));
    }
    match text.rsplit_once('@') {
        Some((name, domain)) if !name.is_empty() => (name, Some(domain)),
        _ => (text, None),
    }
}

/// `lab` and `lab.example` are spellings of one domain, its short name and its whole one.
fn same_domain(one: &str, other: &str) -> bool {
    let label = |name| str::split(name, '.').next().unwrap_or_default();
    let short = !one.contains('.') || !other.contains('.');
    one == other || (short && label(one) == label(other))
}

/// The switch or controller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Nas {
    /// By address or network.
    Network(IpNet),
    /// By name.
    Name(Pattern),
}

/// What is wanted. Several conditions must all hold.
#[derive(Debug, Clone, Default)]
pub struct Conditions {
    /// These endpoints.
    pub mac: Option<Stations>,
    /// An address in this network.
    pub ip: Option<IpNet>,
    /// This user.
    pub user: Option<UserName>,
    /// This switch or controller.
    pub nas: Option<Nas>,
    /// This policy service node.
    pub server: Option<Pattern>,
    /// This security group.
    pub sgt: Option<Pattern>,
    /// This profile.
    pub profile: Option<Pattern>,
    /// This posture.
    pub posture: Option<Pattern>,
    /// This method.
    pub method: Option<Pattern>,
    /// This state, as the server writes it, in any case.
    pub state: Option<String>,
    /// At this time or later.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
}

/// One condition, ready to be tried.
#[derive(Debug, Clone)]
enum Want {
    Station(Stations),
    Address(IpNet),
    User(UserName),
    Host(Pattern),
    Name(Pattern),
    Word(Pattern),
    Method(Pattern),
    State(String),
    Time(Option<Timestamp>, Option<Timestamp>),
}

impl Want {
    fn is_met_by(&self, text: &str) -> bool {
        match self {
            Self::Station(stations) => stations.contain(text),
            Self::Address(network) => {
                let address = text.trim().parse::<IpAddr>();
                address.is_ok_and(|address| network.contains(&address))
            }
            Self::User(user) => user.matches(text),
            Self::Host(pattern) => pattern.matches_host(text),
            Self::Name(pattern) => pattern.matches(text),
            Self::Word(pattern) => pattern.matches_word(text),
            Self::Method(pattern) => pattern.matches_method(text),
            Self::State(state) => text.eq_ignore_ascii_case(state),
            Self::Time(since, until) => time::instant(text).is_some_and(|at| {
                since.is_none_or(|since| at >= since) && until.is_none_or(|until| at < until)
            }),
        }
    }
}

impl Conditions {
    /// Each condition with the fact that it is on.
    fn wants(&self) -> Vec<(Fact, Want)> {
        let mut wants = Vec::new();
        let mut add = |fact, want: Option<Want>| wants.extend(want.map(|want| (fact, want)));
        add(Fact::Mac, self.mac.map(Want::Station));
        add(Fact::Ip, self.ip.map(Want::Address));
        add(Fact::User, self.user.clone().map(Want::User));
        match self.nas.clone() {
            Some(Nas::Network(network)) => add(Fact::NasAddress, Some(Want::Address(network))),
            Some(Nas::Name(name)) => add(Fact::NasName, Some(Want::Host(name))),
            None => {}
        }
        add(Fact::Server, self.server.clone().map(Want::Host));
        add(Fact::Sgt, self.sgt.clone().map(Want::Name));
        add(Fact::Profile, self.profile.clone().map(Want::Name));
        add(Fact::Posture, self.posture.clone().map(Want::Word));
        add(Fact::Method, self.method.clone().map(Want::Method));
        add(Fact::State, self.state.clone().map(Want::State));
        if self.since.is_some() || self.until.is_some() {
            add(Fact::Time, Some(Want::Time(self.since, self.until)));
        }
        wants
    }

    /// The conditions over a kind of record, and those facts that it does not carry.
    pub fn on(&self, carried: Carried) -> (Tests, Vec<Fact>) {
        let (mut tests, mut missing) = (Tests::default(), Vec::new());
        for (fact, want) in self.wants() {
            match carried.members(fact) {
                [] => missing.push(fact),
                members => tests.0.push((members, want)),
            }
        }
        (tests, missing)
    }
}

/// Conditions over one kind of record.
#[derive(Debug, Clone, Default)]
pub struct Tests(Vec<(&'static [&'static str], Want)>);

impl Tests {
    /// Whether every record passes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the record meets all conditions.
    pub fn pass(&self, record: &Record) -> bool {
        self.0.iter().all(|(members, want)| {
            let mut texts = members.iter().filter_map(|member| record.text(member));
            match want {
                // Later members are other times of the same record.
                Want::Time(..) => texts.next().is_some_and(|text| want.is_met_by(&text)),
                // A user chooses its name, and may have put another's behind a comma.
                Want::User(_) => texts.any(|text| want.is_met_by(&text)),
                _ => texts.any(|text| {
                    want.is_met_by(&text) || text.split(", ").any(|part| want.is_met_by(part))
                }),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const CARRIED: Carried = Carried(&[
        (Fact::Mac, &["mac"]),
        (Fact::Ip, &["ips"]),
        (Fact::User, &["user"]),
        (Fact::NasAddress, &["nas"]),
        (Fact::NasName, &["nasName"]),
        (Fact::Posture, &["posture"]),
        (Fact::Method, &["method", "flow"]),
        (Fact::Time, &["at", "before"]),
    ]);

    fn wants(conditions: &Conditions, record: serde_json::Value) -> bool {
        let (tests, missing) = conditions.on(CARRIED);
        assert_eq!(missing, []);
        tests.pass(&Record::from_value(record))
    }

    #[test]
    fn a_user_is_found_in_any_spelling_and_no_other_is() {
        for (typed, sent, same) in [
            ("pat.kim", "LAB\\pat.kim", true),
            ("PAT.KIM", "pat.kim@lab.example", true),
            ("pat.kim", "pat.kimble", false),
            ("pat", "pat.kim", false),
            ("lab\\pat.kim", "pat.kim@LAB.example", true),
            ("pat.kim@lab.example", "LAB\\pat.kim", true),
            ("pat.kim@lab.example", "pat.kim@lab.other", false),
            ("LAB\\pat.kim", "BRANCH\\pat.kim", false),
            ("LAB\\pat.kim", "pat.kim", false),
            ("pat.*", "LAB\\pat.kim", true),
            ("*kim*", "pat.kim@lab.example", true),
            ("lab\\PAT.*", "LAB\\pat.kim", true),
            ("ws-1", "host/ws-1.lab.example", true),
            ("ws-1", "LAB\\WS-1$", true),
            ("host/ws-1.lab.example", "host/WS-1.lab.example", true),
            ("6c9989cebef4", "6C-99-89-CE-BE-F4", true),
            ("6c9989cebef4", "6C-99-89-CE-BE-F5", false),
            ("", "pat.kim", false),
            ("*", "", true),
        ] {
            assert_eq!(UserName::new(typed).matches(sent), same, "{typed} {sent}");
        }
        let tests = Tests(vec![(&["user"], Want::User(UserName::new("pat.kim")))]);
        assert!(!tests.pass(&Record::from_value(json!({"user": "x, pat.kim"}))));
    }

    #[test]
    fn hosts_words_and_methods() {
        let host = |typed: &str, sent: &str| Pattern::new(typed).matches_host(sent);
        assert!(host("SW-lab-02", "sw-lab-02.lab.example") && host("sw-*", "sw-lab-02"));
        assert!(!host("sw-lab", "sw-lab-02") && !host("sw-lab-02.other", "sw-lab-02.lab.example"));
        let word = |typed: &str, sent: &str| Pattern::new(typed).matches_word(sent);
        assert!(word("non-compliant", "NonCompliant") && word("Compliant", "compliant"));
        assert!(!word("compliant", "NonCompliant"));
        let method = |typed: &str, sent: &str| Pattern::new(typed).matches_method(sent);
        assert!(method("dot1x", "dot1x") && method("802.1X", "Wired802_1x"));
        assert!(method("dot1x", "Wireless802_1x") && method("MAB", "WiredMAB"));
        assert!(!method("mab", "dot1x") && !method("", "dot1x"));
    }

    #[test]
    fn names_compare_whole_without_case_and_with_stars() {
        for (pattern, name, same) in [
            ("LAB\\Pat.Kim", "lab\\pat.kim", true),
            ("pat", "pat.kim", false),
            ("*pat.kim*", "LAB\\pat.kim", true),
            ("host/*.example", "host/ws-1.lab.example", true),
            ("a*a", "a", false),
            ("*", "", true),
        ] {
            assert_eq!(
                Pattern::new(pattern).matches(name),
                same,
                "{pattern} {name}"
            );
        }
    }

    #[test]
    fn conditions_hold_together_and_on_each_of_several_values() {
        let conditions = Conditions {
            ip: Some("10.50.0.0/16".parse().unwrap()),
            nas: Some(Nas::Name(Pattern::new("sw-lab-02"))),
            ..Conditions::default()
        };
        let row = |ips: &[&str], name: &str| json!({"ips": ips, "nasName": name});
        assert!(wants(
            &conditions,
            row(&["fe80::1", "10.50.1.9"], "sw-lab-02")
        ));
        assert!(!wants(&conditions, row(&["fe80::1"], "sw-lab-02")));
        assert!(!wants(&conditions, row(&["10.50.1.9"], "sw-lab-03")));
        assert!(!wants(&conditions, json!({})));
    }

    #[test]
    fn a_window_holds_its_beginning_and_not_its_end() {
        let at = |text: &str| Some(text.parse().unwrap());
        let conditions = Conditions {
            since: at("2026-03-01T08:00:00Z"),
            until: at("2026-03-01T09:00:00Z"),
            ..Conditions::default()
        };
        for (time, inside) in [
            ("2026-03-01T09:00:00+01:00", true),
            ("2026-03-01T08:59:59.999Z", true),
            ("2026-03-01T09:00:00Z", false),
            ("2026-03-01T07:59:59Z", false),
            ("nonsense", false),
        ] {
            assert_eq!(wants(&conditions, json!({"at": time})), inside, "{time}");
        }
        // The first time that a record has is the one that is meant.
        let both = json!({"at": "2026-03-01T01:00:00Z", "before": "2026-03-01T08:30:00Z"});
        assert!(!wants(&conditions, both));
        assert!(!wants(&conditions, json!({})));
    }

    #[test]
    fn what_is_not_carried_is_named() {
        let conditions = Conditions {
            sgt: Some(Pattern::new("Employees")),
            posture: Some(Pattern::new("compliant")),
            ..Conditions::default()
        };
        let (tests, missing) = conditions.on(CARRIED);
        assert_eq!(missing, [Fact::Sgt]);
        assert!(tests.pass(&Record::from_value(json!({"posture": "Compliant"}))));
    }

    #[test]
    fn a_vpn_rows_address_is_matched_whole_and_never_by_its_digits() {
        let prefix = Stations::Prefix("c8-5b-76".parse().unwrap());
        assert!(prefix.contain("C8:5B:76:C6:59:62") && prefix.contain("c85b.76c6.5962"));
        assert!(!prefix.contain("C8:5C:76:C6:59:62"));
        assert!(!Stations::Prefix("20".parse().unwrap()).contain("203.0.113.90"));
        let address = Stations::Address("203.113.190.145".parse().unwrap());
        assert!(address.contain("203.113.190.145"));
        assert!(!address.contain("20:31:13:19:01:45") && !address.contain("203.113.190.14"));
    }
}
