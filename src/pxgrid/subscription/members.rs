//! The members of one JSON object as text, without building values: what a subscription needs to look at in a message.
//!
//! Values stay as the server spelled them. Whole documents are not read here; REST lists come in row by row.

use std::borrow::Cow;
use std::fmt;
use std::hash::{BuildHasher, RandomState};

use jiff::Timestamp;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Names and the text of their values, in order.
#[derive(Debug)]
pub(super) struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

/// A string that is borrowed where it has no escapes.
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(32);
                while let Some((Text(name), value)) = map.next_entry::<Text<'de>, &RawValue>()? {
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}

impl<'a> Members<'a> {
    /// Reads the text of one object.
    pub(super) fn parse(text: &'a str) -> serde_json::Result<Self> {
        serde_json::from_str(text)
    }

    /// The text of the first member called `name`.
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.get())
    }

    /// A member that is a string and not empty.
    pub(super) fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        let raw = self.get(name)?;
        let Text(text) = serde_json::from_str(raw).ok()?;
        (!text.is_empty()).then_some(text)
    }

    /// A member that is an integer.
    pub(super) fn integer(&self, name: &str) -> Option<i64> {
        self.get(name)?.parse().ok()
    }

    /// The member `timestamp`; unreadable ones count as missing.
    pub(super) fn timestamp(&self) -> Option<Timestamp> {
        self.text("timestamp")?.parse().ok()
    }

    /// The elements of a member that is an array.
    pub(super) fn elements(&self, name: &str) -> Option<Vec<&'a RawValue>> {
        serde_json::from_str(self.get(name)?).ok()
    }

    /// A digest of names and values that does not depend on their order: REST and topic need not agree on that.
    pub(super) fn digest(&self, hasher: &RandomState) -> u64 {
        self.0.iter().fold(0, |sum, (name, value)| {
            sum.wrapping_add(hasher.hash_one((name.as_ref(), value.get())))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_spelling_and_their_digest_ignores_order() {
        let members =
            Members::parse(r#"{"a":1.10,"t\u0069mestamp":"2025-04-15T19:24:23.19-04:00","n":7}"#)
                .unwrap();
        assert_eq!(members.get("a"), Some("1.10"));
        assert_eq!(members.integer("n"), Some(7));
        assert_eq!(members.integer("a"), None);
        assert_eq!(
            members.timestamp().unwrap().to_string(),
            "2025-04-15T23:24:23.19Z"
        );
        let hasher = RandomState::new();
        let digest = |text: &str| Members::parse(text).unwrap().digest(&hasher);
        assert_eq!(digest(r#"{"a":1,"b":[2]}"#), digest(r#"{"b":[2], "a":1}"#));
        assert_ne!(digest(r#"{"a":1,"b":2}"#), digest(r#"{"a":2,"b":1}"#));
        assert!(Members::parse("[1]").is_err());
        assert!(Members::parse(r#"{"a":1"#).is_err());
    }
}
