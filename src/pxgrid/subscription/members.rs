//! The members of one JSON object as text, without building values: what a subscription needs to
//! look at in a message.
//!
//! Values stay as the server spelled them. Whole documents are not read here; REST lists come in
//! row by row.

use std::borrow::Cow;

use jiff::Timestamp;

use super::member_names::{MemberNames, NameId};
use crate::record::json_scan::{Fault, plain_string_end, skip_space, string_end, value_end};
use crate::record::read_json;

/// One element of a list: its text, and its members if it is an object.
pub(super) type Element<'a> = (&'a str, Option<Members<'a>>);

/// A whole object, and the elements of the list in it that was looked into, if there is one.
type ScannedObject<'a> = (Members<'a>, Option<Vec<Element<'a>>>);

/// Names and the text of their values, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Members<'a>(Vec<Member<'a>>);

/// A name and the text of its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member<'a> {
    pub(super) name: Cow<'a, str>,
    /// Of the name, if it was read as one of [`MemberNames`].
    pub(super) id: NameId,
    pub(super) value: &'a str,
}

/// A place in JSON text.
struct Walk<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Walk<'a> {
    /// Steps over white space.
    fn space(&mut self) {
        self.at = skip_space(self.text.as_bytes(), self.at);
    }

    /// The byte that stands here.
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Steps over white space and then over `byte`; false where another one stands.
    fn passes(&mut self, byte: u8) -> bool {
        self.space();
        let passes = self.byte() == Some(byte);
        self.at += usize::from(passes);
        passes
    }

    /// Steps over one value.
    fn value(&mut self) -> Result<&'a str, Fault> {
        self.space();
        let end = value_end(self.text.as_bytes(), self.at)?;
        let value = end.and_then(|end| self.text.get(self.at..end));
        let value = value.ok_or_else(|| self.fault("the text is cut"))?;
        self.at += value.len();
        Ok(value)
    }

    /// Steps over a pair of brackets; each part within is stepped over by `part`, commas stand in
    /// between.
    fn list(
        &mut self,
        (open, close): (u8, u8),
        mut part: impl FnMut(&mut Self) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if !self.passes(open) {
            return Err(self.fault("something else stands here"));
        }
        if self.passes(close) {
            return Ok(());
        }
        loop {
            part(self)?;
            if self.passes(close) {
                return Ok(());
            }
            if !self.passes(b',') {
                return Err(self.fault("a comma or a closing bracket is missing"));
            }
        }
    }

    /// Steps over an object. Each value is stepped over by `member`, which is told its name.
    fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, Cow<'a, str>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.list((b'{', b'}'), |walk| {
            walk.space();
            let name = walk.name()?;
            walk.colon()?;
            walk.space();
            member(walk, name)
        })
    }

    fn name(&mut self) -> Result<Cow<'a, str>, Fault> {
        if self.byte() != Some(b'"') {
            return Err(self.fault("a member name is missing"));
        }
        let end = string_end(self.text.as_bytes(), self.at)?;
        let (end, escapes) = end.ok_or_else(|| self.fault("the text is cut"))?;
        let start = std::mem::replace(&mut self.at, end);
        let name = if escapes {
            string(self.text.get(start..end).unwrap_or_default())
        } else {
            self.text.get(start + 1..end - 1).map(Cow::Borrowed)
        };
        name.ok_or_else(|| self.fault("a member name is missing"))
    }

    /// Steps over one element of a list.
    fn element(&mut self, names: &mut MemberNames) -> Result<Element<'a>, Fault> {
        self.space();
        if self.byte() != Some(b'{') {
            return Ok((self.value()?, None));
        }
        let start = self.at;
        let members = self.row(names)?;
        let text = self.text.get(start..self.at).unwrap_or_default();
        Ok((text, Some(members)))
    }

    /// Steps over an object that is a row.
    fn row(&mut self, names: &mut MemberNames) -> Result<Members<'a>, Fault> {
        let mut members = names.take_room();
        let mut before = None;
        self.list((b'{', b'}'), |walk| {
            while let Some(member) = walk.plain_member(names, before) {
                before = Some(member.id);
                members.push(member);
            }
            walk.space();
            let (name, id) = walk.known_name(names, before)?;
            before = Some(id);
            walk.space();
            let value = walk.value()?;
            members.push(Member { name, id, value });
            Ok(())
        })?;
        Ok(Members(members))
    }

    /// Steps over a member and the comma after it, without a look at what nearly no server sends:
    /// `None` where anything else stands than the name that came after `before` the last time, a
    /// [plain value](plain_value_end), and no white space.
    fn plain_member(&mut self, names: &MemberNames, before: Option<NameId>) -> Option<Member<'a>> {
        let (id, quoted) = names.next(before)?;
        let rest = self.text.as_bytes().get(self.at..)?;
        let rest = without_prefix(rest, quoted.as_bytes())?;
        let length = plain_value_end(rest)?;
        if rest.get(length) != Some(&b',') {
            return None;
        }
        let start = self.at + quoted.len();
        let member = Member {
            name: Cow::Borrowed(self.text.get(self.at + 1..start - 2)?),
            id,
            value: self.text.get(start..start + length)?,
        };
        self.at = start + length + 1;
        Some(member)
    }

    /// Steps over a name and its colon; fast where it comes after the same one again.
    fn known_name(
        &mut self,
        names: &mut MemberNames,
        before: Option<NameId>,
    ) -> Result<(Cow<'a, str>, NameId), Fault> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if let Some((id, quoted)) = names.next(before)
            && rest.as_bytes().starts_with(quoted.as_bytes())
            && let Some(name) = rest.get(1..quoted.len() - 2)
        {
            self.at += quoted.len();
            return Ok((Cow::Borrowed(name), id));
        }
        let name = self.name()?;
        self.colon()?;
        let id = names.learn(&name, before);
        Ok((name, id))
    }

    fn colon(&mut self) -> Result<(), Fault> {
        if self.passes(b':') {
            Ok(())
        } else {
            Err(self.fault("a colon is missing"))
        }
    }

    /// Nothing may follow.
    fn end(&mut self) -> Result<(), Fault> {
        self.space();
        if self.at < self.text.len() {
            return Err(self.fault("something follows"));
        }
        Ok(())
    }

    fn fault(&self, what: &'static str) -> Fault {
        Fault { at: self.at, what }
    }
}

/// Where a value ends that is a string without escapes, a truth value, or a short whole number.
fn plain_value_end(bytes: &[u8]) -> Option<usize> {
    match bytes.first()? {
        b'"' => plain_string_end(bytes, 0),
        b'0' => Some(1),
        b'1'..=b'9' => {
            let digits = bytes.iter().take(16);
            Some(digits.take_while(|byte| byte.is_ascii_digit()).count())
        }
        b't' => bytes.starts_with(b"true").then_some(4),
        b'f' => bytes.starts_with(b"false").then_some(5),
        _ => None,
    }
}

/// What follows `prefix`, which is a name: compared by its two ends, since a call for so few bytes
/// would cost more.
fn without_prefix<'a>(bytes: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (begin, rest) = bytes.split_at_checked(prefix.len())?;
    let same = match prefix.len() {
        8..=16 => {
            begin.first_chunk::<8>() == prefix.first_chunk()
                && begin.last_chunk::<8>() == prefix.last_chunk()
        }
        17..=32 => {
            begin.first_chunk::<16>() == prefix.first_chunk()
                && begin.last_chunk::<16>() == prefix.last_chunk()
        }
        _ => begin == prefix,
    };
    same.then_some(rest)
}

/// The text of a value that was found to be well-formed and is a string; borrowed where it has no
/// escapes.
fn string(raw: &str) -> Option<Cow<'_, str>> {
    let text = raw.strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', text.as_bytes()).is_none() {
        return Some(Cow::Borrowed(text));
    }
    read_json(raw).ok().map(Cow::Owned)
}

impl<'a> Members<'a> {
    /// Reads the text of one object.
    pub(super) fn parse(text: &'a str) -> Result<Self, Fault> {
        Self::walk(text, |walk, _| walk.value().map(|_| ()))
    }

    /// Reads the text of one object that is a row.
    pub(super) fn parse_row(text: &'a str, names: &mut MemberNames) -> Result<Self, Fault> {
        let mut walk = Walk { text, at: 0 };
        let members = walk.row(names)?;
        walk.end()?;
        Ok(members)
    }

    /// Reads the text of one object, and in the same pass the elements of its first member called
    /// `list`, if that is an array; those that are objects are rows.
    pub(super) fn parse_with(
        text: &'a str,
        list: &str,
        names: &mut MemberNames,
    ) -> Result<ScannedObject<'a>, Fault> {
        let mut elements = None;
        let members = Self::walk(text, |walk, name| {
            if name != list || elements.is_some() || walk.byte() != Some(b'[') {
                return walk.value().map(|_| ());
            }
            let found = elements.insert(Vec::with_capacity(1));
            walk.list((b'[', b']'), |walk| {
                found.push(walk.element(names)?);
                Ok(())
            })
        })?;
        Ok((members, elements))
    }

    /// Reads the text of one object; each value is stepped over by `value`, which is told its name.
    fn walk(
        text: &'a str,
        mut value: impl FnMut(&mut Walk<'a>, &str) -> Result<(), Fault>,
    ) -> Result<Self, Fault> {
        let mut walk = Walk { text, at: 0 };
        let mut members = Vec::new();
        walk.object(|walk, name| {
            let start = walk.at;
            value(walk, &name)?;
            members.push(Member {
                name,
                id: NameId::default(),
                value: walk.text.get(start..walk.at).unwrap_or_default(),
            });
            Ok(())
        })?;
        walk.end()?;
        Ok(Self(members))
    }

    /// Those that are called otherwise.
    pub(super) fn without(&self, names: &[&str]) -> Self {
        let kept = |member: &&Member<'_>| !names.contains(&member.name.as_ref());
        Self(self.0.iter().filter(kept).cloned().collect())
    }

    /// What they lie in.
    pub(super) fn into_room(self) -> Vec<Member<'a>> {
        self.0
    }

    /// All of them, in order.
    pub(super) fn as_slice(&self) -> &[Member<'a>] {
        &self.0
    }

    /// The text of the first member called `name`.
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }

    /// Names and the text of their values, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.0
            .iter()
            .map(|member| (member.name.as_ref(), member.value))
    }

    /// A member that is a string and not empty.
    pub(super) fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        text_of(self.get(name)?)
    }

    /// A member that is an integer.
    pub(super) fn integer(&self, name: &str) -> Option<i64> {
        self.get(name)?.parse().ok()
    }

    /// The member `timestamp`; unreadable ones count as missing.
    pub(super) fn timestamp(&self) -> Option<Timestamp> {
        self.text("timestamp")?.parse().ok()
    }
}

/// The text of a value that is a string and not empty.
pub(super) fn text_of(value: &str) -> Option<Cow<'_, str>> {
    string(value).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn members_keep_their_spelling() {
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
    fn a_value_that_is_none_is_told_where_its_name_is_known_too() {
        let mut names = MemberNames::default();
        let known = r#"{"a":1,"b":true,"c":"x"}"#;
        assert!(Members::parse_row(known, &mut names).is_ok());
        let wrong = [
            "01", "+1", "1.", "1e", "truely", "fals", "tru", "\"x", "x\"", "-", "\"\t\"", "",
        ];
        for value in wrong {
            for text in [
                format!(r#"{{"a":{value},"b":true,"c":"x"}}"#),
                format!(r#"{{"a":1,"b":{value},"c":"x"}}"#),
            ] {
                assert!(Members::parse_row(&text, &mut names).is_err(), "{text}");
            }
        }
        let members = Members::parse_row(known, &mut names).unwrap();
        assert!(
            members
                .iter()
                .eq([("a", "1"), ("b", "true"), ("c", r#""x""#)])
        );
    }

    #[test]
    fn texts_and_elements_are_found_whatever_the_spaces() {
        let text = "{ \"l\" : [ {\"x\":1} , 2,\"]\", [{}] ]\n,\"e\":[], \"t\":\"a\\u0062\\\"\",\"n\":\"\", \"l\":[] }";
        let mut names = MemberNames::default();
        let (members, elements) = Members::parse_with(text, "l", &mut names).unwrap();
        let elements = elements.unwrap();
        let texts: Vec<&str> = elements.iter().map(|(text, _)| *text).collect();
        assert_eq!(texts, [r#"{"x":1}"#, "2", r#""]""#, "[{}]"]);
        let objects: Vec<bool> = elements
            .iter()
            .map(|(_, object)| object.is_some())
            .collect();
        assert_eq!(objects, [true, false, false, false]);
        assert_eq!(elements[0].1.as_ref().unwrap().integer("x"), Some(1));
        assert_eq!(members.get("l"), Some("[ {\"x\":1} , 2,\"]\", [{}] ]"));
        let empty = Members::parse_with(text, "e", &mut names).unwrap().1;
        assert!(empty.unwrap().is_empty());
        let text_member = Members::parse_with(text, "t", &mut names).unwrap().1;
        assert!(text_member.is_none());
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
            // Looking into a list on the way changes nothing.
            let mut names = MemberNames::default();
            let within = Members::parse_with(&text, "a", &mut names).map(|(members, _)| members.0);
            prop_assert_eq!(within.ok(), ours.as_ref().ok().map(|members| members.0.clone()));
            // Nor does what is known of names, the first time and again.
            for _ in 0..2 {
                let row = Members::parse_row(&text, &mut names).ok();
                prop_assert_eq!(
                    row.as_ref().map(|row| row.iter().collect::<Vec<_>>()),
                    ours.as_ref().ok().map(|ours| ours.iter().collect())
                );
            }
            if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
                for (name, _) in ours.iter() {
                    prop_assert!(theirs.contains_key(name));
                }
                for (name, value) in &theirs {
                    // Of repeated names serde_json keeps the last.
                    let last = ours.iter().filter(|(key, _)| key == name).last().unwrap().1;
                    prop_assert_eq!(last, value.get());
                }
            }
        }
    }
}
