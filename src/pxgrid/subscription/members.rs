//! The members of one JSON object as text, without building values: what a subscription needs to look at in a message.
//!
//! Values stay as the server spelled them. Whole documents are not read here; REST lists come in row by row.

use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};

use jiff::Timestamp;

use crate::record::scan::{Fault, Scanner, skip_space};

/// Names and the text of their values, in order.
#[derive(Debug)]
pub(super) struct Members<'a>(Vec<(Cow<'a, str>, &'a str)>);

/// A place in JSON text.
struct Walk<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Walk<'a> {
    /// Steps over white space and then over `byte`; false where another one stands.
    fn passes(&mut self, byte: u8) -> bool {
        self.at = skip_space(self.text.as_bytes(), self.at);
        let passes = self.text.as_bytes().get(self.at) == Some(&byte);
        self.at += usize::from(passes);
        passes
    }

    /// Steps over one value.
    fn value(&mut self) -> Result<&'a str, Fault> {
        self.at = skip_space(self.text.as_bytes(), self.at);
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = Scanner::default().resume(rest.as_bytes())?;
        let value = length.and_then(|length| rest.get(..length));
        let value = value.ok_or_else(|| self.fault("the text is cut"))?;
        self.at += value.len();
        Ok(value)
    }

    /// The text within this pair of brackets: each part of it is read by `part`, commas stand in between, and nothing follows.
    fn list<T>(
        &mut self,
        (open, close): (u8, u8),
        part: impl Fn(&mut Self) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        if !self.passes(open) {
            return Err(self.fault("something else stands here"));
        }
        let mut parts = Vec::new();
        if !self.passes(close) {
            // As many members as a session has.
            parts.reserve(if open == b'{' { 48 } else { 1 });
            loop {
                parts.push(part(self)?);
                if self.passes(close) {
                    break;
                }
                if !self.passes(b',') {
                    return Err(self.fault("a comma or a closing bracket is missing"));
                }
            }
        }
        self.at = skip_space(self.text.as_bytes(), self.at);
        if self.at < self.text.len() {
            return Err(self.fault("something follows"));
        }
        Ok(parts)
    }

    fn member(&mut self) -> Result<(Cow<'a, str>, &'a str), Fault> {
        let name = string(self.value()?).ok_or_else(|| self.fault("a member name is missing"))?;
        if !self.passes(b':') {
            return Err(self.fault("a colon is missing"));
        }
        Ok((name, self.value()?))
    }

    fn fault(&self, what: &'static str) -> Fault {
        Fault { at: self.at, what }
    }
}

/// The text of a value that was found to be well-formed and is a string; borrowed where it has no escapes.
fn string(raw: &str) -> Option<Cow<'_, str>> {
    let text = raw.strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', text.as_bytes()).is_none() {
        return Some(Cow::Borrowed(text));
    }
    serde_json::from_str(raw).ok().map(Cow::Owned)
}

impl<'a> Members<'a> {
    /// Reads the text of one object.
    pub(super) fn parse(text: &'a str) -> Result<Self, Fault> {
        let mut walk = Walk { text, at: 0 };
        walk.list((b'{', b'}'), Walk::member).map(Self)
    }

    /// The text of the first member called `name`.
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| *value)
    }

    /// A member that is a string and not empty.
    pub(super) fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        string(self.get(name)?).filter(|text| !text.is_empty())
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
    pub(super) fn elements(&self, name: &str) -> Option<Vec<&'a str>> {
        let text = self.get(name)?;
        Walk { text, at: 0 }.list((b'[', b']'), Walk::value).ok()
    }

    /// A digest of names and values that does not depend on their order: REST and topic need not agree on that.
    pub(super) fn digest(&self, hasher: &RandomState) -> u64 {
        self.0.iter().fold(0, |sum, (name, value)| {
            sum.wrapping_add(hasher.hash_one((name.as_ref(), *value)))
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;

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
        let wrong = [
            "[1]",
            "",
            "{",
            r#"{"a":1"#,
            r#"{"a":1,}"#,
            r#"{"a" 1}"#,
            r"{a:1}",
            r#"{"a":1} 2"#,
            r#"{"a":1 "b":2}"#,
            r#"{"a":[1}"#,
            r"{1:1}",
        ];
        for text in wrong {
            assert!(Members::parse(text).is_err(), "{text}");
        }
        assert!(Members::parse(" { } ").unwrap().get("a").is_none());
    }

    #[test]
    fn texts_and_elements_are_found_whatever_the_spaces() {
        let members = Members::parse(
            "{ \"l\" : [ {\"x\":1} , 2,\"]\" ]\n,\"e\":[], \"t\":\"a\\u0062\\\"\",\"n\":\"\" }",
        )
        .unwrap();
        assert_eq!(
            members.elements("l").unwrap(),
            [r#"{"x":1}"#, "2", r#""]""#]
        );
        assert_eq!(members.elements("e").unwrap(), [""; 0]);
        assert_eq!(members.elements("t"), None);
        assert_eq!(members.text("t").unwrap(), "ab\"");
        assert_eq!(members.text("n"), None);
        assert_eq!(members.text("e"), None);
    }

    proptest! {
        /// Whatever serde_json reads as an object of so many members, we read alike.
        #[test]
        fn it_reads_what_serde_json_reads(text in r#"[ \n]{0,1}\{("[a-c\\\\"n]{0,3}"[ :]{0,2}("x\\\\?"|-?[0-9.e]{1,3}|null|\[[0-9,]{0,3}\]|\{\})[,]?){0,3}\}? ?"#) {
            let theirs = serde_json::from_str::<std::collections::BTreeMap<String, Box<RawValue>>>(&text);
            let ours = Members::parse(&text);
            prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{}", text);
            if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
                for (name, _) in &ours.0 {
                    prop_assert!(theirs.contains_key(name.as_ref()));
                }
                for (name, value) in &theirs {
                    // Of repeated names serde_json keeps the last.
                    let last = ours.0.iter().rfind(|(key, _)| key == name).unwrap().1;
                    prop_assert_eq!(last, value.get());
                }
            }
        }
    }
}
