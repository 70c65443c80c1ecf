//! A frame's headers: names and values in order, in one piece of text, so that a frame among hundreds of thousands a second costs two
//! allocations and not two for each header.
//!
//! What may stand in a header that is written, and what escapes are read, is the frame's and the decoder's affair.

use std::fmt;

/// Names and values in order; of repeated names the first counts ([`Headers::get`]).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers {
    /// Name, value, name, value, with nothing in between.
    text: String,
    /// Where each name and each value ends in it.
    ends: Vec<(usize, usize)>,
}

impl Headers {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends one.
    pub fn push(&mut self, name: &str, value: &str) {
        self.text.push_str(name);
        let name_end = self.text.len();
        self.text.push_str(value);
        self.ends.push((name_end, self.text.len()));
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut start = 0;
        self.ends.iter().map(move |&(name_end, end)| {
            // The ends are where pushed text ended, so these ranges are never out of it.
            let name = self.text.get(start..name_end).unwrap_or_default();
            let value = self.text.get(name_end..end).unwrap_or_default();
            start = end;
            (name, value)
        })
    }

    /// The value of the first one called `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut start = 0;
        for &(name_end, end) in &self.ends {
            // Most names differ in length already.
            if name_end - start == name.len() && self.text.get(start..name_end) == Some(name) {
                return self.text.get(name_end..end);
            }
            start = end;
        }
        None
    }

    /// Room for what an ordinary `MESSAGE` has.
    pub(super) fn with_room() -> Self {
        Self {
            text: String::with_capacity(256),
            ends: Vec::with_capacity(8),
        }
    }
}

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
