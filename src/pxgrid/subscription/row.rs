//! One row of a topic, a session or whatever the topic tells of: what identifies it, and the words
//! and messages of its events.

use std::borrow::Cow;
use std::hash::{BuildHasher, Hasher};

use foldhash::quality::FixedState;
use jiff::Timestamp;

use super::cache::{Observation, Verdict};
use super::catch_up_plan::{CatchUpPlan, MessageShape};
use super::member_names::{Meaning, MemberNames};
use super::members::{Members, text_of};
use crate::event::id::compact_value;
use crate::event::{Message, Text};

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

/// A look at the members of a row as they are read: those that matter in any row, each the text of
/// its value, and a digest of all.
pub(super) struct RowScan<'a, 'n> {
    mac: Option<&'a str>,
    asset_mac: Option<&'a str>,
    calling: Option<&'a str>,
    addresses: Option<&'a str>,
    audit: Option<&'a str>,
    state: Option<&'a str>,
    timestamp: Option<&'a str>,
    deleted: bool,
    /// Of names and values. It does not depend on their order: REST and topic need not agree on
    /// that.
    digest: u64,
    hasher: &'n FixedState,
}

impl<'a, 'n> RowScan<'a, 'n> {
    fn new(hasher: &'n FixedState) -> Self {
        Self {
            mac: None,
            asset_mac: None,
            calling: None,
            addresses: None,
            audit: None,
            state: None,
            timestamp: None,
            deleted: false,
            digest: 0,
            hasher,
        }
    }

    fn of(members: &Members<'a>, names: &'n MemberNames) -> Self {
        let mut glance = Self::new(names.hasher());
        for member in members.as_slice() {
            let (meaning, digest) = names.look(member.id, &member.name);
            glance.note(meaning, digest, member.value);
        }
        glance
    }

    /// Takes in one member; `digest` has got as far as its name.
    fn note(&mut self, meaning: Meaning, mut digest: impl Hasher, value: &'a str) {
        digest.write(compact_value(value).as_bytes());
        self.digest = self.digest.wrapping_add(digest.finish());
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

impl<'a> Row<'a> {
    /// Looks at a row of a topic that is caught up by `plan`, if by any. `deleted`: it comes from a
    /// list of deleted rows, or the message says so.
    pub(super) fn read(
        members: &Members<'a>,
        plan: Option<&CatchUpPlan>,
        deleted: bool,
        names: &MemberNames,
    ) -> Self {
        let glance = RowScan::of(members, names);
        let Some(plan) = plan.filter(|plan| plan.shape != MessageShape::Sessions) else {
            return Self::session(&glance, deleted);
        };
        let digest = if plan.comparable {
            glance.digest
        } else {
            names
                .hasher()
                .hash_one((glance.timestamp, deleted || glance.deleted))
        };
        let key = key(plan.key.iter().map(|name| members.get(name)));
        let mut row = Self::new(&glance, key, digest, deleted);
        row.observation.whole = plan.comparable;
        row
    }

    /// A session, or whatever a topic tells of that is not known here.
    pub(super) fn session(glance: &RowScan<'a, '_>, deleted: bool) -> Self {
        let once = glance.audit.and_then(text_of).is_some();
        let key = if glance.mac.and_then(text_of).is_some() {
            key([glance.mac, None, None, glance.audit])
        } else if once {
            // Its addresses may come later and change.
            key([None, glance.calling, None, glance.audit])
        } else {
            key([None, glance.calling, glance.addresses, None])
        };
        let state = glance.state.and_then(text_of);
        let ended = deleted || state.as_deref() == Some("DISCONNECTED");
        let mut row = Self::new(glance, key, glance.digest, ended);
        row.observation.once = once;
        row.state = state.map(kept);
        row
    }

    fn new(glance: &RowScan<'a, '_>, key: Option<String>, digest: u64, ended: bool) -> Self {
        let text = |value: Option<&'a str>| value.and_then(text_of);
        let mac = text(glance.mac).or_else(|| text(glance.asset_mac));
        let station = || text(glance.calling).or_else(|| text(glance.audit));
        let (key, long_identity) = match key {
            Some(key) if key.len() <= MAX_KEY => (key, None),
            Some(key) => (
                format!("{DIGESTED}{}", glance.hasher.hash_one(&key)),
                Some(key),
            ),
            None => (format!("{DIGESTED}{digest}"), Some(String::new())),
        };
        Self {
            long_identity,
            observation: Observation {
                key,
                timestamp: glance.timestamp.and_then(time),
                ended: ended || glance.deleted,
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

/// A row that ended unseen: of it only remains what identified it.
pub(super) fn gone_message(shape: MessageShape, identity: &str) -> (&'static str, Message) {
    match shape {
        MessageShape::Sessions => (
            "sessionDeleted",
            Message::session(format!(r#"{{{identity},"state":"DISCONNECTED"}}"#)),
        ),
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

    #[test]
    fn a_digest_ignores_the_order_of_members() {
        let names = MemberNames::new(FixedState::default());
        let digest = |text: &str| RowScan::of(&Members::parse(text).unwrap(), &names).digest;
        assert_eq!(
            digest(r#"{"a":1,"b":[2]}"#),
            digest(r#"{"b":[ 2 ], "a":1}"#)
        );
        assert_ne!(digest(r#"{"a":1,"b":2}"#), digest(r#"{"a":2,"b":1}"#));
        assert_ne!(digest(r#"{"a":1}"#), digest(r#"{"a":1,"b":1}"#));
    }

    #[test]
    fn an_identity_can_be_told_from_its_key() {
        let names = MemberNames::new(FixedState::default());
        let plan = CatchUpPlan::of("/topic/com.cisco.ise.session").unwrap();
        let told = |text: &str| {
            let row = Row::read(&Members::parse(text).unwrap(), Some(plan), false, &names);
            identity(&row.observation.key, plan)
        };
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
