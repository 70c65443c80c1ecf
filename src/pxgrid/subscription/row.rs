//! One row of a topic, a session or whatever the topic tells of: what identifies it, and the words and messages of its events.

use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};

use super::cache::{Sight, Verdict};
use super::members::Members;
use super::ways::{Shape, Way};
use crate::pxgrid::event::one_line;

/// The longest identity that is remembered as it is, in bytes; a longer one, which no endpoint has, by its digest.
const MAX_KEY: usize = 512;

/// One row, looked at.
pub(super) struct Row<'a> {
    pub(super) sight: Sight,
    pub(super) endpoint: Option<Cow<'a, str>>,
    pub(super) mac: Option<Cow<'a, str>>,
    pub(super) state: Option<Cow<'a, str>>,
}

impl<'a> Row<'a> {
    /// Looks at a row of a topic that is caught up by `way`, if by any. `deleted`: it comes from a list of deleted rows, or the message says so.
    pub(super) fn read(
        members: &Members<'a>,
        way: Option<&Way>,
        deleted: bool,
        hasher: &RandomState,
    ) -> Self {
        let sessions = way.is_none_or(|way| way.shape == Shape::Sessions);
        let digest = if way.is_none_or(|way| way.comparable) {
            members.digest(hasher)
        } else {
            hasher.hash_one(members.get("timestamp"))
        };
        let mac = members
            .text("macAddress")
            .or_else(|| members.text("assetMacAddress"));
        let endpoint = mac
            .clone()
            .or_else(|| members.text("callingStationId"))
            .or_else(|| members.text("auditSessionId"));
        let names: &[&str] = match way {
            Some(way) if !sessions => way.key,
            _ if mac.is_some() => &["macAddress", "auditSessionId"],
            _ => &["callingStationId", "ipAddresses", "auditSessionId"],
        };
        let state = if sessions {
            members.text("state")
        } else {
            None
        };
        let flag = |name| members.get(name) == Some("true");
        let key = match key(members, names) {
            Some(key) if key.len() <= MAX_KEY => key,
            Some(key) => hasher.hash_one(key).to_string(),
            None => digest.to_string(),
        };
        Self {
            sight: Sight {
                key,
                timestamp: members.timestamp(),
                ended: deleted
                    || flag("deleted")
                    || flag("isDeleted")
                    || state.as_deref() == Some("DISCONNECTED"),
                digest,
            },
            endpoint,
            mac,
            state,
        }
    }
}

/// The identity as the text of a JSON object; a row without one is only like itself.
fn key(members: &Members<'_>, names: &[&str]) -> Option<String> {
    let mut key = String::with_capacity(96);
    for name in names {
        if let Some(value) = members.get(name) {
            key.push(if key.is_empty() { '{' } else { ',' });
            key.push('"');
            key.push_str(name);
            key.push_str("\":");
            key.push_str(value);
        }
    }
    if key.is_empty() {
        return None;
    }
    key.push('}');
    Some(key)
}

pub(super) fn session_word(verdict: Verdict) -> Option<&'static str> {
    match verdict {
        Verdict::Created => Some("sessionCreated"),
        Verdict::Updated => Some("sessionUpdated"),
        Verdict::Ended => Some("sessionDeleted"),
        Verdict::Known | Verdict::Outdated => None,
    }
}

pub(super) fn session_message(text: &str) -> String {
    one_line(format!(r#"{{"sessions":[{text}]}}"#))
}

/// The server's word for what happened (reference pxgrid-api, sections 3.3 to 3.13).
pub(super) fn message_word(message: &Members<'_>) -> String {
    ["operation", "operationType", "opType", "status"]
        .into_iter()
        .find_map(|name| message.text(name))
        .map_or_else(
            || {
                let deleted = message.get("deleted") == Some("true");
                if deleted { "DELETE" } else { "MESSAGE" }.to_owned()
            },
            Cow::into_owned,
        )
}

/// The word and message of a row that REST brought, shaped like those of the topic.
pub(super) fn recovered_message(
    shape: Shape,
    verdict: Verdict,
    text: &str,
) -> Option<(&'static str, String)> {
    let session = session_word(verdict)?;
    let operation = match verdict {
        Verdict::Created => "CREATE",
        Verdict::Ended => "DELETE",
        _ => "UPDATE",
    };
    Some(match shape {
        Shape::Sessions => (session, session_message(text)),
        Shape::List(name) => ("MESSAGE", one_line(format!(r#"{{"{name}":[{text}]}}"#))),
        Shape::Operation(name) => (
            operation,
            one_line(format!(r#"{{"operation":"{operation}","{name}":{text}}}"#)),
        ),
        Shape::Flat => (operation, one_line(text.to_owned())),
    })
}
