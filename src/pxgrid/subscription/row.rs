//! One row of a topic, a session or whatever the topic tells of: what identifies it, and the words
//! and messages of its events.

use std::borrow::Cow;
use std::hash::BuildHasher;

use foldhash::quality::FixedState;
use jiff::Timestamp;

use super::cache::{Observation, Verdict};
use super::catch_up_plan::{CatchUpPlan, MessageShape};
use super::member_names::{Meaning, MemberNames};
use super::members::{Members, text_of};
use crate::event::id::compact_value;
use crate::event::{HashedMembers, Message, Text};

/// The longest identity that is remembered as it is, in bytes; a longer one, which no endpoint has,
/// by its digest.
const MAX_KEY: usize = 512;

/// Members of which some identify a session: the MAC address, else the calling station; and the
/// audit session, else the addresses.
const SESSION_KEY: [&str; 4] = [
    "macAddress",
    "callingStationId",
    "ipAddresses",
    "auditSessionId",
];

/// Begins an identity that is only a digest.
const DIGESTED: char = '#';

/// The states of a session (reference pxgrid-api, section 3.1).
const STATES: [&str; 5] = [
    "AUTHENTICATING",
    "AUTHENTICATED",
    "POSTURED",
    "STARTED",
    "DISCONNECTED",
];

/// One row, looked at.
pub(super) struct Row<'a> {
    pub(super) observation: Observation,
    /// The identity as text, where the observation holds only a digest of it, or of the whole row.
    long_identity: Option<String>,
    pub(super) mac: Option<Cow<'a, str>>,
    /// The calling station, else the audit session, of a row without MAC address.
    pub(super) station: Option<Cow<'a, str>>,
    pub(super) state: Option<Cow<'static, str>>,
}

/// The members that matter in any row, each the text of its value.
#[derive(Default)]
struct RowScan<'a> {
    mac: Option<&'a str>,
    asset_mac: Option<&'a str>,
    calling: Option<&'a str>,
    addresses: Option<&'a str>,
    audit: Option<&'a str>,
    state: Option<&'a str>,
    timestamp: Option<&'a str>,
    deleted: bool,
}

impl<'a> RowScan<'a> {
    fn of(members: &Members<'a>, names: &MemberNames) -> Self {
        let mut scan = Self::default();
        for member in members.as_slice() {
            scan.note(names.meaning(member), member.value);
        }
        scan
    }

    fn note(&mut self, meaning: Meaning, value: &'a str) {
        let place = match meaning {
            Meaning::Mac => &mut self.mac,
            Meaning::AssetMac => &mut self.asset_mac,
            Meaning::Calling => &mut self.calling,
            Meaning::Addresses => &mut self.addresses,
            Meaning::AuditSession => &mut self.audit,
            Meaning::State => &mut self.state,
            Meaning::Timestamp => &mut self.timestamp,
            Meaning::Deleted => {
                self.deleted |= value == "true";
                return;
            }
            Meaning::Other => return,
        };
        // Of repeated names the first counts.
        place.get_or_insert(value);
    }
}

/// What rows are told apart by, beside their identity.
pub(super) struct RowDigests<'n> {
    pub(super) hasher: &'n FixedState,
    /// The row's members. Their order is none of the row's: REST and topic need not agree on that.
    pub(super) members: &'n HashedMembers,
}

impl RowDigests<'_> {
    fn whole(&self) -> u64 {
        self.hasher.hash_one(self.members.as_bytes())
    }
}

impl<'a> Row<'a> {
    /// Looks at a row of a topic that is caught up by `plan`, if by any. `deleted`: it comes from a
    /// list of deleted rows, or the message says so.
    pub(super) fn read(
        members: &Members<'a>,
        plan: Option<&CatchUpPlan>,
        deleted: bool,
        names: &MemberNames,
        digests: &RowDigests<'_>,
    ) -> Self {
        let scan = RowScan::of(members, names);
        let Some(plan) = plan.filter(|plan| plan.shape != MessageShape::Sessions) else {
            return Self::session(&scan, deleted, digests);
        };
        let digest = if plan.comparable {
            digests.whole()
        } else {
            let shown = (scan.timestamp, deleted || scan.deleted);
            digests.hasher.hash_one(shown)
        };
        let key = key(plan.key.iter().map(|name| members.get(name)));
        let mut row = Self::new(&scan, key, (digest, digests), deleted);
        row.observation.whole = plan.comparable;
        row
    }

    /// A session, or whatever a topic tells of that is not known here.
    fn session(scan: &RowScan<'a>, deleted: bool, digests: &RowDigests<'_>) -> Self {
        let once = scan.audit.and_then(text_of).is_some();
        let key = if scan.mac.and_then(text_of).is_some() {
            key([scan.mac, None, None, scan.audit])
        } else if once {
            // Its addresses may come later and change.
            key([None, scan.calling, None, scan.audit])
        } else {
            key([None, scan.calling, scan.addresses, None])
        };
        let state = scan.state.and_then(text_of);
        let ended = deleted || state.as_deref() == Some("DISCONNECTED");
        let mut row = Self::new(scan, key, (digests.whole(), digests), ended);
        row.observation.once = once;
        row.state = state.map(kept);
        row
    }

    fn new(
        scan: &RowScan<'a>,
        key: Option<String>,
        (digest, digests): (u64, &RowDigests<'_>),
        ended: bool,
    ) -> Self {
        let text = |value: Option<&'a str>| value.and_then(text_of);
        let mac = text(scan.mac).or_else(|| text(scan.asset_mac));
        let station = || text(scan.calling).or_else(|| text(scan.audit));
        let (key, long_identity) = match key {
            Some(key) if key.len() <= MAX_KEY => (key, None),
            Some(key) => (
                format!("{DIGESTED}{}", digests.hasher.hash_one(&key)),
                Some(key),
            ),
            None => (format!("{DIGESTED}{digest}"), Some(String::new())),
        };
        Self {
            long_identity,
            observation: Observation {
                key,
                timestamp: scan.timestamp.and_then(time),
                ended: ended || scan.deleted,
                digest,
                whole: true,
                once: false,
            },
            station: mac.is_none().then(station).flatten(),
            mac,
            state: None,
        }
    }

    /// The values that identify it, as the ids of its events hold them.
    pub(super) fn identity(&self) -> &str {
        self.long_identity
            .as_deref()
            .unwrap_or(&self.observation.key)
    }
}

/// The identity: the values of the members that identify a row, each NUL apart, which no JSON text
/// holds. A row without one is only like itself.
fn key<'a>(values: impl IntoIterator<Item = Option<&'a str>>) -> Option<String> {
    let mut key = String::with_capacity(64);
    let mut any = false;
    for (index, value) in values.into_iter().enumerate() {
        if index > 0 {
            key.push('\0');
        }
        any |= value.is_some();
        key.push_str(&compact_value(value.unwrap_or_default()));
    }
    any.then_some(key)
}

/// An identity as the members of a JSON object without its brackets, as far as it is known as text.
pub(super) fn identity(key: &str, plan: &CatchUpPlan) -> Option<String> {
    if key.starts_with(DIGESTED) {
        return None;
    }
    let names = if plan.shape == MessageShape::Sessions {
        SESSION_KEY.as_slice()
    } else {
        plan.key
    };
    let known = names
        .iter()
        .zip(key.split('\0'))
        .filter(|(_, value)| !value.is_empty());
    let members: Vec<String> = known
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .collect();
    Some(members.join(","))
}

/// The MAC address in a session's identity, as JSON text.
pub(super) fn mac_of(key: &str) -> Option<&str> {
    key.split('\0').next().filter(|mac| mac.starts_with('"'))
}

/// A time; unreadable ones count as missing.
fn time(value: &str) -> Option<Timestamp> {
    text_of(value)?.parse().ok()
}

/// A state that outlives its message; the states that ISE has cost nothing.
fn kept(state: Cow<'_, str>) -> Cow<'static, str> {
    match STATES.into_iter().find(|known| *known == state) {
        Some(known) => Cow::Borrowed(known),
        None => Cow::Owned(state.into_owned()),
    }
}

pub(super) fn session_word(verdict: Verdict) -> Option<&'static str> {
    match verdict {
        Verdict::Created => Some("sessionCreated"),
        Verdict::Updated => Some("sessionUpdated"),
        Verdict::Ended => Some("sessionDeleted"),
        Verdict::Known | Verdict::Outdated => None,
    }
}

/// The server's word for what happened (reference pxgrid-api, sections 3.3 to 3.13).
pub(super) fn message_word(message: &Members<'_>) -> Cow<'static, str> {
    ["operation", "operationType", "opType", "status"]
        .into_iter()
        .find_map(|name| message.text(name))
        .map_or_else(
            || {
                let deleted = message.get("deleted") == Some("true");
                Cow::Borrowed(if deleted { "DELETE" } else { "MESSAGE" })
            },
            |word| Cow::Owned(word.into_owned()),
        )
}

/// The word and message of a row that REST brought, shaped like those of the topic.
pub(super) fn recovered_message(
    shape: MessageShape,
    verdict: Verdict,
    text: &str,
) -> Option<(&'static str, Message)> {
    let session = session_word(verdict)?;
    let operation = match verdict {
        Verdict::Created => "CREATE",
        Verdict::Ended => "DELETE",
        _ => "UPDATE",
    };
    Some(match shape {
        MessageShape::Sessions => (session, Message::session(text)),
        MessageShape::List(name) => ("MESSAGE", whole(format!(r#"{{"{name}":[{text}]}}"#))),
        MessageShape::Operation(name) => (operation, operation_message(operation, name, text)),
        MessageShape::Flat => (operation, Message::whole(text)),
    })
}

/// The member of a session whose end was found that says how long it went on for certain. It is
/// none of the session's, and not in ids: each subscriber knows another time.
pub(super) const KNOWN_UNTIL: &str = "knownUntil";

/// A row that ended unseen: of it only remains what identified it, and how long it went on for
/// certain.
pub(super) fn gone_message(
    shape: MessageShape,
    identity: &str,
    known_until: Option<Timestamp>,
) -> (&'static str, Message) {
    match shape {
        MessageShape::Sessions => {
            let until = known_until.map(|time| format!(r#","{KNOWN_UNTIL}":"{time}""#));
            let until = until.unwrap_or_default();
            let text = format!(r#"{{{identity},"state":"DISCONNECTED"{until}}}"#);
            ("sessionDeleted", Message::session(text))
        }
        MessageShape::Operation(name) => (
            "DELETE",
            operation_message("DELETE", name, &format!("{{{identity}}}")),
        ),
        MessageShape::List(_) | MessageShape::Flat => ("DELETE", whole(format!("{{{identity}}}"))),
    }
}

fn operation_message(operation: &str, name: &str, row: &str) -> Message {
    whole(format!(r#"{{"operation":"{operation}","{name}":{row}}}"#))
}

fn whole(text: String) -> Message {
    Message::whole(Text::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'a>(text: &'a str, plan: Option<&CatchUpPlan>) -> Row<'a> {
        let (mut names, mut hashed) = (MemberNames::default(), HashedMembers::default());
        let members = Members::parse(text).unwrap();
        names.hash(&members, &mut hashed);
        let digests = RowDigests {
            hasher: &FixedState::default(),
            members: &hashed,
        };
        Row::read(&members, plan, false, &names, &digests)
    }

    #[test]
    fn a_digest_ignores_the_order_of_members() {
        let digest = |text| read(text, None).observation.digest;
        assert_eq!(
            digest(r#"{"a":1,"b":[2]}"#),
            digest(r#"{"b":[ 2 ], "a":1}"#)
        );
        assert_ne!(digest(r#"{"a":1,"b":2}"#), digest(r#"{"a":2,"b":1}"#));
        assert_ne!(digest(r#"{"a":1}"#), digest(r#"{"a":1,"b":1}"#));
    }

    #[test]
    fn an_identity_can_be_told_from_its_key() {
        let plan = CatchUpPlan::of("/topic/com.cisco.ise.session").unwrap();
        let told = |text| identity(&read(text, Some(plan)).observation.key, plan);
        assert_eq!(
            told(r#"{"auditSessionId":"0A","ipAddresses":["192.0.2.1"],"macAddress":"M","x":1}"#),
            Some(r#""macAddress":"M","auditSessionId":"0A""#.to_owned())
        );
        assert_eq!(
            told(r#"{"auditSessionId":"0A","ipAddresses":["192.0.2.1", "b"],"macAddress":""}"#),
            Some(r#""auditSessionId":"0A""#.to_owned())
        );
        assert_eq!(
            told(r#"{"callingStationId":"198.51.100.7","ipAddresses":["192.0.2.1", "b"]}"#),
            Some(r#""callingStationId":"198.51.100.7","ipAddresses":["192.0.2.1","b"]"#.to_owned())
        );
        assert_eq!(told(r#"{"x":1}"#), None);
        let long = format!(r#"{{"callingStationId":"{}"}}"#, "x".repeat(600));
        assert_eq!(told(&long), None);
    }
}
