//! A line of a snapshot looked at in passing: whose session it is, and a digest of what is
//! compared. Nothing of it is kept but three numbers.
//!
//! Numbers are hashes with a key of this process, so that nobody outside can choose two names that
//! fall together.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::record::Mac;

/// Names of members that are remembered; a session has some thirty.
const MOST_NAMES: usize = 1000;

/// Which members are compared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Compared {
    /// All but those that move by themselves: times, and counters of bytes and packets.
    #[default]
    Usual,
    /// All.
    All,
    /// These.
    Only(Vec<String>),
}

impl Compared {
    /// Whether a member of this name is compared.
    pub fn looks_at(&self, name: &str) -> bool {
        match self {
            Self::Usual => !moves(name),
            Self::All => true,
            Self::Only(names) => names.iter().any(|wanted| wanted == name),
        }
    }
}

/// Whether a member moves while nothing happens: `acct_session_time`, `timestamp`,
/// `acct_input_octets`, `mdmLastSyncTime`.
fn moves(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let counts = ["octets", "packets", "bytes", "gigawords", "latency"];
    name.ends_with("time")
        || name.ends_with("timestamp")
        || counts.iter().any(|part| name.contains(part))
}

/// What a member says of whose session it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Mac,
    Station,
    SessionId,
    AccountingId,
    Nas,
    User,
}

/// The members with a role, in both interfaces.
const ROLES: &[(&str, Role)] = &[
    ("macAddress", Role::Mac),
    ("callingStationId", Role::Station),
    ("calling_station_id", Role::Station),
    ("auditSessionId", Role::SessionId),
    ("audit_session_id", Role::SessionId),
    ("acctSessionId", Role::AccountingId),
    ("acct_session_id", Role::AccountingId),
    ("nasIpAddress", Role::Nas),
    ("nas_ip_address", Role::Nas),
    ("userName", Role::User),
    ("user_name", Role::User),
];

/// What is known of a name.
#[derive(Debug, Clone, Copy)]
struct Name {
    hash: u64,
    role: Option<Role>,
    compared: bool,
}

/// What is kept of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Facts {
    /// The endpoint.
    pub(super) endpoint: u64,
    /// Its session.
    pub(super) session: u32,
    /// What is compared.
    pub(super) digest: u64,
}

/// Looks at lines.
pub(super) struct LineReader {
    hasher: RandomState,
    compared: Compared,
    names: HashMap<Box<str>, Name, foldhash::quality::RandomState>,
}

impl LineReader {
    /// Two that are made with the same `hasher` give the same numbers.
    pub(super) fn new(hasher: RandomState, compared: Compared) -> Self {
        Self {
            hasher,
            compared,
            names: HashMap::default(),
        }
    }

    /// The numbers of a line; `None` where it is no JSON object.
    pub(super) fn facts(&mut self, line: &str) -> Option<Facts> {
        let members = members(line)?;
        let mut digest = 0_u64;
        let mut identity = Identity::default();
        for (name, raw) in &members {
            let known = self.name(name);
            if let Some(role) = known.role {
                identity.put(role, raw);
            }
            if known.compared
                && let Some(value) = value_hash(&self.hasher, raw)
            {
                // In whatever order they were sent.
                digest = digest.wrapping_add(self.hasher.hash_one((known.hash, value)));
            }
        }
        let (endpoint, session) = identity.hashes(&self.hasher);
        Some(Facts {
            endpoint,
            session,
            digest,
        })
    }

    fn name(&mut self, name: &str) -> Name {
        if let Some(known) = self.names.get(name) {
            return *known;
        }
        let role = ROLES.iter().find(|(of, _)| *of == name);
        let known = Name {
            hash: self.hasher.hash_one(name),
            role: role.map(|(_, role)| *role),
            compared: self.compared.looks_at(name),
        };
        if self.names.len() < MOST_NAMES {
            self.names.insert(name.into(), known);
        }
        known
    }
}

/// What a line says of whose session it is, as raw JSON.
#[derive(Default)]
struct Identity<'l> {
    mac: Option<&'l str>,
    station: Option<&'l str>,
    session: Option<&'l str>,
    accounting: Option<&'l str>,
    nas: Option<&'l str>,
    user: Option<&'l str>,
}

impl<'l> Identity<'l> {
    fn put(&mut self, role: Role, raw: &'l str) {
        let place = match role {
            Role::Mac => &mut self.mac,
            Role::Station => &mut self.station,
            Role::SessionId => &mut self.session,
            Role::AccountingId => &mut self.accounting,
            Role::Nas => &mut self.nas,
            Role::User => &mut self.user,
        };
        *place = Some(raw).filter(|raw| !is_nothing(raw));
    }

    /// The endpoint and its session. Endpoints are known by their MAC address. A VPN client comes
    /// with an address that many may share: it is known by that and its user. A row without either
    /// is known by its session.
    fn hashes(&self, hasher: &RandomState) -> (u64, u32) {
        let session = match self.session {
            Some(id) => hasher.hash_one(text(id).to_ascii_uppercase()),
            None => hasher.hash_one((self.nas, self.accounting)),
        };
        let endpoint = match station(self.mac, self.station) {
            Some(Station::Mac(mac)) => hasher.hash_one((1, mac)),
            Some(Station::Other(text)) => hasher.hash_one((2, text, self.user)),
            None => hasher.hash_one((3, session, self.user)),
        };
        // Within an endpoint half of it tells sessions apart.
        (endpoint, u32::try_from(session >> 32).unwrap_or_default())
    }
}

/// How an endpoint is known.
pub(super) enum Station<'l> {
    /// By its MAC address.
    Mac(Mac),
    /// By what stands in its place.
    Other(Cow<'l, str>),
}

/// The endpoint of the first of two raw values that names one.
fn station<'l>(mac: Option<&'l str>, station: Option<&'l str>) -> Option<Station<'l>> {
    let text = text(mac.or(station)?);
    let is_address = text.parse::<IpAddr>().is_ok();
    Some(match text.parse::<Mac>() {
        Ok(mac) if !is_address => Station::Mac(mac),
        _ => Station::Other(text),
    })
}

/// The endpoint of a line in one spelling.
pub(super) fn station_text(members: &[(Cow<'_, str>, &str)]) -> Option<String> {
    let mut identity = Identity::default();
    for (name, raw) in members {
        if let Some((_, role)) = ROLES.iter().find(|(of, _)| of == name) {
            identity.put(*role, raw);
        }
    }
    Some(match station(identity.mac, identity.station)? {
        Station::Mac(mac) => mac.to_string(),
        Station::Other(text) => text.into_owned(),
    })
}

/// Whether a raw value says nothing: `null`, and what is empty.
pub(super) fn is_nothing(raw: &str) -> bool {
    matches!(raw, "null" | "\"\"" | "[]" | "{}")
}

/// The text of a raw value: what a string says, else the value as it is written.
fn text(raw: &str) -> Cow<'_, str> {
    match raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')) {
        Some(inside) if !inside.contains('\\') => Cow::Borrowed(inside),
        Some(_) => match crate::record::read_json::<String>(raw) {
            Ok(text) => Cow::Owned(text),
            Err(_) => Cow::Borrowed(raw),
        },
        None => Cow::Borrowed(raw),
    }
}

/// The hash of a raw value, `None` for one that says nothing. Lists are the same in whatever
/// order: servers send them as they find them.
pub(super) fn value_hash(hasher: &RandomState, raw: &str) -> Option<u64> {
    if is_nothing(raw) {
        return None;
    }
    if raw.starts_with('[')
        && let Ok(entries) = serde_json::from_str::<Vec<&RawValue>>(raw)
    {
        let each = entries.iter().map(|entry| hasher.hash_one(entry.get()));
        return Some(each.fold(1, u64::wrapping_add));
    }
    Some(hasher.hash_one(raw))
}

/// The members of a JSON object with their values as they are written; `None` where it is none.
pub(super) fn members(line: &str) -> Option<Vec<(Cow<'_, str>, &str)>> {
    let mut reader = serde_json::Deserializer::from_str(line);
    let members = reader.deserialize_map(MemberList).ok()?;
    reader.end().ok()?;
    Some(members)
}

struct MemberList;

impl<'de> Visitor<'de> for MemberList {
    type Value = Vec<(Cow<'de, str>, &'de str)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::with_capacity(32);
        while let Some(name) = map.next_key_seed(MemberName)? {
            if members.len() >= MOST_NAMES {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            members.push((name, map.next_value::<&RawValue>()?.get()));
        }
        Ok(members)
    }
}

/// A name that is borrowed where it has no escapes.
struct MemberName;

impl<'de> serde::de::DeserializeSeed<'de> for MemberName {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for MemberName {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}
