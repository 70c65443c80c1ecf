//! The id of an event: the same text for the same occurrence, wherever and however it is seen: live
//! or recovered, by this subscriber or another of the same deployment, before or after a restart.
//!
//! It is base64url, without padding, of the first 16 bytes of SHA-256 over these parts, each NUL
//! apart: `netapi/1`; the deployment; the topic's path; the identity; then, sorted by name, each
//! member's name and its value as compact JSON, spelled as the server sent it. The members are
//! those of the session, or else of the message without its counter. For topics without a time of
//! their own the message's number follows, where there is one.
//!
//! The identity is the text of the values that identify a row, each NUL apart and empty where it
//! lacks; for a session these are `macAddress`, `callingStationId`, `ipAddresses` and
//! `auditSessionId`, of which the later ones count only where the earlier do not suffice. Which
//! members identify a row is the topic's affair, and so is whether it has a time.
//!
//! Not in it: the word `event`, which each subscriber tells from what it has seen; the node; our
//! clock; whether it was recovered.
//!
//! To hash it costs as much as to read it. Whoever reads events only puts the text together
//! ([`DeferredId`]); it is hashed where the id is first needed, on another thread.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::{Bytes, BytesMut};
use sha2::{Digest, Sha256};

use crate::record::compact_json;

/// What is hashed; another number when that changes.
const SCHEME: &str = "netapi/1";

/// Bytes of the digest that make the id.
const LENGTH: usize = 16;

/// Characters of its text.
pub(crate) const TEXT: usize = 22;

/// See the module's documentation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId([u8; LENGTH]);

impl EventId {
    /// The bytes that the text stands for.
    pub fn bytes(&self) -> &[u8; LENGTH] {
        &self.0
    }

    /// Made of a text: of an event that was written before there were ids, or of what tells a copy
    /// of an event from another's.
    pub(crate) fn of_text(text: &str) -> Self {
        Self::cut(&Sha256::digest(text))
    }

    /// Its text, written into this room.
    pub(crate) fn text<'r>(&self, room: &'r mut [u8; TEXT]) -> &'r str {
        // There is room for all of it, and base64 is ASCII.
        let written = URL_SAFE_NO_PAD.encode_slice(self.0, room).unwrap_or(0);
        let text = room.get(..written).unwrap_or_default();
        std::str::from_utf8(text).unwrap_or_default()
    }

    fn cut(digest: &[u8]) -> Self {
        let mut id = Self::default();
        for (byte, digested) in id.0.iter_mut().zip(digest) {
            *byte = *digested;
        }
        id
    }
}

impl From<[u8; LENGTH]> for EventId {
    fn from(bytes: [u8; LENGTH]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text(&mut [0; TEXT]))
    }
}

impl FromStr for EventId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| ())?;
        bytes.try_into().map(Self).map_err(|_| ())
    }
}

/// An event's id, or the text that it is made of.
#[derive(Clone)]
pub struct DeferredId(Source);

#[derive(Clone)]
enum Source {
    Made(EventId),
    Text(Bytes),
}

impl DeferredId {
    /// The id. Made anew each time where only its text is here.
    pub fn get(&self) -> EventId {
        match &self.0 {
            Source::Made(id) => *id,
            Source::Text(text) => EventId::cut(&Sha256::digest(text)),
        }
    }

    /// Makes the id, once and for all; its text takes memory no more.
    pub(crate) fn settle(&mut self) {
        self.0 = Source::Made(self.get());
    }

    /// How much memory the text takes, in bytes.
    pub(crate) fn text_length(&self) -> usize {
        match &self.0 {
            Source::Made(_) => 0,
            Source::Text(text) => text.len(),
        }
    }
}

impl From<EventId> for DeferredId {
    fn from(id: EventId) -> Self {
        Self(Source::Made(id))
    }
}

impl PartialEq for DeferredId {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl Eq for DeferredId {}

impl fmt::Debug for DeferredId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

/// Makes the ids of one topic's events.
#[derive(Debug)]
pub struct IdMaker {
    /// What the texts of all of them begin with.
    begin: Box<[u8]>,
    numbered: bool,
    /// Room that the texts of many events lie in.
    room: BytesMut,
}

/// How much room is taken at a time, in bytes.
const ROOM: usize = 32 * 1024;

/// The members of a session or of a message as ids hash them: sorted by name, each name and value
/// after a NUL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HashedMembers(Vec<u8>);

impl IdMaker {
    /// For a topic of a deployment. `numbered`: its events carry no time of their own, so that the
    /// message's number, where there is one, belongs to the id.
    pub fn new(deployment: &str, topic: &str, numbered: bool) -> Self {
        let mut begin = Vec::new();
        for part in [SCHEME, deployment, topic] {
            begin.extend_from_slice(part.as_bytes());
            begin.push(0);
        }
        Self {
            begin: begin.into(),
            numbered,
            room: BytesMut::new(),
        }
    }

    /// The id of an event. `identity` is that of its row; `members` are those of the session, or of
    /// the message without its counter. `number` is the message's.
    pub fn id(
        &mut self,
        identity: &str,
        members: &HashedMembers,
        number: Option<i64>,
    ) -> DeferredId {
        let number = number.filter(|_| self.numbered);
        let number = number.map_or_else(String::new, |number| format!("\0{number}"));
        let parts = [
            &self.begin,
            identity.as_bytes(),
            &members.0,
            number.as_bytes(),
        ];
        let length = parts.iter().map(|part| part.len()).sum();
        if self.room.capacity() < length {
            self.room = BytesMut::with_capacity(ROOM.max(length));
        }
        for part in parts {
            self.room.extend_from_slice(part);
        }
        DeferredId(Source::Text(self.room.split().freeze()))
    }
}

impl HashedMembers {
    /// None, with the room of those before.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Adds a member: its name, and the text of its value. Names come sorted; repeated ones keep
    /// their order.
    pub fn push(&mut self, name: &HashedName, value: &str) {
        match name {
            HashedName::Short(room, length) => {
                let before = self.0.len();
                self.0.extend_from_slice(room);
                self.0.truncate(before + usize::from(*length));
            }
            HashedName::Long(name) => self.0.extend_from_slice(name),
        }
        self.0.extend_from_slice(compact_value(value).as_bytes());
    }

    /// All of them, as they are hashed.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// So many bytes are copied faster than as many as there are, if those are fewer.
const SHORT: usize = 32;

/// What a name adds to what is hashed.
#[derive(Debug, Clone)]
pub enum HashedName {
    /// The first so many bytes of these.
    Short([u8; SHORT], u8),
    /// It is longer.
    Long(Box<[u8]>),
}

impl HashedName {
    /// The name between two NUL.
    pub fn of(name: &str) -> Self {
        let bytes = [b"\0", name.as_bytes(), b"\0"].concat();
        let mut room = [0; SHORT];
        match (room.get_mut(..bytes.len()), u8::try_from(bytes.len())) {
            (Some(begin), Ok(length)) => {
                begin.copy_from_slice(&bytes);
                Self::Short(room, length)
            }
            _ => Self::Long(bytes.into()),
        }
    }
}

/// A value as compact JSON; only lists and objects can hold white space between tokens.
pub(crate) fn compact_value(value: &str) -> Cow<'_, str> {
    if matches!(value.as_bytes().first(), Some(b'[' | b'{')) {
        compact_json(value)
    } else {
        Cow::Borrowed(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: [(&str, &str); 5] = [
        ("timestamp", r#""2026-11-22T03:00:00.120+01:00""#),
        ("state", r#""STARTED""#),
        ("macAddress", r#""C8:5B:76:C6:59:62""#),
        ("ipAddresses", r#"["192.0.2.7"]"#),
        ("auditSessionId", r#""0A01""#),
    ];

    fn id(
        maker: &mut IdMaker,
        identity: &str,
        members: &[(&str, &str)],
        number: Option<i64>,
    ) -> String {
        let mut sorted = members.to_vec();
        sorted.sort_by_key(|(name, _)| *name);
        let mut hashed = HashedMembers::default();
        for (name, value) in sorted {
            hashed.push(&HashedName::of(name), value);
        }
        maker.id(identity, &hashed, number).get().to_string()
    }

    /// The published test vectors, made by another program; `src/cli/contract.md` has them too.
    #[test]
    fn the_published_vectors() {
        let mut session = IdMaker::new("ise", "/topic/com.cisco.ise.session", false);
        let identity = "\"C8:5B:76:C6:59:62\"\0\0\0\"0A01\"";
        assert_eq!(
            id(&mut session, identity, &SESSION, Some(7)),
            "7ABYge6I_sGs7LOmksDgHA"
        );
        let mut sxp = IdMaker::new("ise", "/topic/com.cisco.ise.sxp.binding", true);
        let binding = [
            ("operation", r#""CREATE""#),
            ("binding", r#"{"ipPrefix":"10.0.0.0/24","tag":5}"#),
        ];
        let identity = "\"10.0.0.0/24\"\0\0\0";
        assert_eq!(
            id(&mut sxp, identity, &binding, None),
            "XjH-g1njmZhH2okZovdnkw"
        );
        assert_eq!(
            id(&mut sxp, identity, &binding, Some(3)),
            "WxUqvGOgy50uzkdMM5QcgA"
        );
        let mut other = IdMaker::new("lab", "/topic/com.cisco.ise.sxp.binding", true);
        assert_eq!(
            id(&mut other, identity, &binding, None),
            "Tg53YYdR6g-gpFRo280LCg"
        );
    }

    #[test]
    fn names_of_any_length_are_hashed_whole() {
        for length in (0..40).chain([254, 255, 256, 300]) {
            let name = "é".repeat(length / 2) + &"x".repeat(length % 2);
            let mut hashed = HashedMembers::default();
            hashed.push(&HashedName::of(&name), "1");
            hashed.push(&HashedName::of("b"), "2");
            let expected = format!("\0{name}\01\0b\02");
            assert_eq!(hashed.as_bytes(), expected.as_bytes(), "{length}");
        }
    }

    #[test]
    fn the_hashed_text_is_the_documented_one() {
        let text = "netapi/1\0ise\0/topic/t\0\"M\"\0a\0[1,\"x y\"]\0b\x001.10\x007";
        let digest = Sha256::digest(text);
        let mut maker = IdMaker::new("ise", "/topic/t", true);
        let members = [("b", "1.10"), ("a", "[ 1,\n\"x y\" ]")];
        let expected = URL_SAFE_NO_PAD.encode(&digest[..16]);
        assert_eq!(id(&mut maker, "\"M\"", &members, Some(7)), expected);
        assert_eq!(expected.len(), 22);
        assert_eq!(expected.parse::<EventId>().unwrap().to_string(), expected);
        assert!("short".parse::<EventId>().is_err());
    }
}
