//! A frame's headers: names and values in order. Those that were read stay the lines they came in,
//! shared with the frame's body, so that a frame among hundreds of thousands a second costs no
//! allocation for them; those to be written are a list.
//!
//! What may stand in a header that is written, and what escapes are read, is the frame's and the
//! decoder's affair.

use std::fmt;

use bytes::Bytes;
use memchr::{memchr, memchr_iter};

/// Names and values in order; of repeated names the first counts ([`Headers::get`]).
#[derive(Clone)]
pub struct Headers(Form);

#[derive(Clone)]
enum Form {
    /// Lines that the decoder has looked at: UTF-8, each with a colon and an end, without escapes.
    Lines(Bytes),
    /// Anything else.
    List(Vec<(String, String)>),
}

impl Headers {
    /// None yet.
    pub fn new() -> Self {
        Self(Form::List(Vec::new()))
    }

    /// The lines of a head, looked at by the decoder.
    pub(super) fn from_lines(lines: Bytes) -> Self {
        Self(Form::Lines(lines))
    }

    /// Appends one.
    pub fn push(&mut self, name: &str, value: &str) {
        let pair = (name.to_owned(), value.to_owned());
        if let Form::List(list) = &mut self.0 {
            list.push(pair);
            return;
        }
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let list = self.iter().map(owned).chain([pair]).collect();
        self.0 = Form::List(list);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match &self.0 {
            Form::Lines(lines) => memchr_iter(b'\n', lines).count(),
            Form::List(list) => list.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let (lines, list) = match &self.0 {
            Form::Lines(lines) => (lines.as_ref(), [].as_slice()),
            Form::List(list) => ([].as_slice(), list.as_slice()),
        };
        let list = list.iter().map(|(name, value)| (&**name, &**value));
        Lines(lines).map(texts).chain(list)
    }

    /// The value of the first one called `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        match &self.0 {
            Form::Lines(lines) => Lines(lines)
                .find(|(key, _)| *key == name.as_bytes())
                .map(|pair| texts(pair).1),
            Form::List(list) => list
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.as_str()),
        }
    }
}

/// Names and values of lines.
struct Lines<'a>(&'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (line, rest) = self.0.split_at_checked(memchr(b'\n', self.0)?)?;
        self.0 = rest.get(1..)?;
        let (name, value) = line.split_at_checked(memchr(b':', line)?)?;
        let value = value.get(1..)?;
        Some((name, value.strip_suffix(b"\r").unwrap_or(value)))
    }
}

/// The decoder has seen that it is UTF-8.
fn texts<'a>((name, value): (&'a [u8], &'a [u8])) -> (&'a str, &'a str) {
    let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
    (text(name), text(value))
}

impl Default for Headers {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for Headers {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Headers {}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut headers = Self::new();
        for (name, value) in pairs {
            headers.push(name.as_ref(), value.as_ref());
        }
        headers
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
