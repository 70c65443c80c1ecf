//! Fields of one XML record: names and values in document order. Buffers are reused from record to
//! record, since a list may have two million of them.
//!
//! The mapping to JSON, the only one in the program: an element becomes a member of the same name;
//! a repeated element, or one that is a list by definition (`framed_ipv6_address`), an array; an
//! empty one `null`; everything else a string. Parsing lives in the XML reader, not here.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;

use foldhash::quality::RandomState;
use serde_json::Value as Json;

/// A field's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Text, not empty.
    Text(String),
    /// Present and empty (`<x/>`, `<x></x>`).
    Empty,
    /// A list, possibly empty: repeated elements, IPv6 addresses.
    List(Vec<Value>),
    /// Ordered members: a decoded `other_attr_string` or `response`, or an unknown element that has
    /// children.
    Nested(Fields),
}

/// A record with more fields than this gets an index of its names: a search through thousands for
/// each one more would cost quadratic time.
const SEARCHED: usize = 64;

/// Ordered fields with reusable buffers.
#[derive(Debug, Clone, Default)]
pub struct Fields {
    entries: Vec<(String, Value)>,
    used: usize,
    /// The names of the first `distinct` entries differ from each other, also those that an earlier
    /// record left behind: a record with the names of the one before it needs no search for
    /// repeated ones.
    distinct: usize,
    /// Of a long record only.
    index: Option<Box<Index>>,
}

/// Where each name stands first, for the first `entries` of a record's entries.
#[derive(Debug, Clone, Default)]
struct Index {
    places: HashMap<Box<str>, usize, RandomState>,
    entries: usize,
}

impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Fields {}

impl Fields {
    /// No fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the fields and keeps their buffers.
    pub fn clear(&mut self) {
        self.used = 0;
        self.index = None;
    }

    /// The same with a text in front, in place of what stands under that name.
    pub(super) fn led_by(&self, name: &str, text: &str) -> Self {
        let mut led = Self::new();
        led.push_text(name, text);
        for (key, value) in self.iter().filter(|(key, _)| *key != name) {
            led.push(key, value.clone());
        }
        led
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.used
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// The fields in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.entries
            .iter()
            .take(self.used)
            .map(|(name, value)| (name.as_str(), value))
    }

    /// The value of the first field called `name`.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }

    /// The value of the first field called `name`, to change it.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.entries
            .iter_mut()
            .take(self.used)
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    /// Adds text under `name` into reused buffers: empty text becomes [`Value::Empty`], a second
    /// value of the same name a list. Costs no search while the names come in the order of the
    /// record before.
    pub fn put_text(&mut self, name: &str, text: &str) {
        let (index, repeated) = self.place(name);
        let Some((_, value)) = self.entries.get_mut(index) else {
            return;
        };
        if repeated {
            append(value, text_value(text));
        } else {
            set_text(value, text);
        }
    }

    /// Adds a list of texts under `name`, into reused buffers like [`put_text`](Self::put_text).
    pub fn put_list<'a>(&mut self, name: &str, items: impl Iterator<Item = &'a str>) {
        let (index, repeated) = self.place(name);
        let Some((_, value)) = self.entries.get_mut(index) else {
            return;
        };
        if repeated {
            for item in items {
                append(value, text_value(item));
            }
            return;
        }
        if !matches!(value, Value::List(_)) {
            *value = Value::List(Vec::new());
        }
        if let Value::List(list) = value {
            let mut used = 0;
            for item in items {
                match list.get_mut(used) {
                    Some(old) => set_text(old, item),
                    None => list.push(text_value(item)),
                }
                used += 1;
            }
            list.truncate(used);
        }
    }

    /// The name that stood in the record before where the next field goes.
    pub(crate) fn expected(&self) -> Option<&str> {
        let (name, _) = self.entries.get(..self.distinct)?.get(self.used)?;
        Some(name)
    }

    /// Where the value of `name` goes, and whether one is there already.
    fn place(&mut self, name: &str) -> (usize, bool) {
        let next = self.used;
        if next < self.distinct && self.entries.get(next).is_some_and(|(key, _)| key == name) {
            self.used += 1;
            return (next, false);
        }
        self.distinct = self.distinct.min(next);
        if let Some(earlier) = self.find(name) {
            return (earlier, true);
        }
        match self.entries.get_mut(next) {
            Some((key, _)) => {
                key.clear();
                key.push_str(name);
            }
            None => self.entries.push((name.to_owned(), Value::Empty)),
        }
        self.used += 1;
        if self.distinct == next {
            self.distinct = self.used;
        }
        (next, false)
    }

    /// Where the first field called `name` stands.
    fn find(&mut self, name: &str) -> Option<usize> {
        if self.used <= SEARCHED {
            return self.iter().position(|(key, _)| key == name);
        }
        let index = self.index.get_or_insert_default();
        let added = self.entries.iter().enumerate().take(self.used);
        for (at, (key, _)) in added.skip(index.entries) {
            if !index.places.contains_key(key.as_str()) {
                index.places.insert(key.as_str().into(), at);
            }
        }
        index.entries = self.used;
        index.places.get(name).copied()
    }

    /// The text of a field that likely stands where it stood in the record before: `place` is tried
    /// first, and remembers. A list's records mostly have the same fields in the same order, and
    /// looking each up by name is what costs.
    pub(crate) fn text_near(&self, name: &str, place: &Cell<usize>) -> Option<Cow<'_, str>> {
        let here = |at: usize| {
            let (key, value) = self.entries.get(..self.used)?.get(at)?;
            (key == name).then_some(value)
        };
        if let Some(value) = here(place.get()) {
            return value.text();
        }
        if let Some(at) = self.iter().position(|(key, _)| key == name) {
            place.set(at);
        }
        self.text(name)
    }

    /// Appends text (empty text becomes [`Value::Empty`]) into reused buffers. Does not look for an
    /// earlier field of the name.
    pub fn push_text(&mut self, name: &str, text: &str) {
        self.distinct = self.distinct.min(self.used);
        match self.entries.get_mut(self.used) {
            Some((key, value)) => {
                if key != name {
                    key.clear();
                    key.push_str(name);
                }
                set_text(value, text);
            }
            None => self.entries.push((name.to_owned(), text_value(text))),
        }
        self.used += 1;
    }

    /// Appends a value. Does not look for an earlier field of the name.
    pub fn push(&mut self, name: &str, value: Value) {
        self.distinct = self.distinct.min(self.used);
        self.entries.truncate(self.used);
        self.entries.push((name.to_owned(), value));
        self.used += 1;
    }

    /// Adds a value under `name`: a second one of the same name turns the field into a list.
    pub fn add(&mut self, name: &str, value: Value) {
        let earlier = self.find(name);
        match earlier.and_then(|at| self.entries.get_mut(at)) {
            None => self.push(name, value),
            Some((_, old)) => append(old, value),
        }
    }

    /// The text of a field, see [`Record::text`](super::Record::text).
    pub fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        if let Some(value) = self.get(name) {
            return value.text();
        }
        let (head, rest) = name.split_once('.')?;
        match self.get(head)? {
            Value::Nested(inner) => inner.text(rest),
            _ => None,
        }
    }

    /// Appends compact JSON.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        for (index, (name, value)) in self.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            write_json_string(name, out);
            out.push(b':');
            value.write_json(out);
        }
        out.push(b'}');
    }

    /// Appends the JSON of one field, see [`Record::write_member`](super::Record::write_member).
    pub(super) fn write_member(&self, name: &str, out: &mut Vec<u8>) -> bool {
        if let Some(value) = self.get(name) {
            value.write_json(out);
            return true;
        }
        match name
            .split_once('.')
            .map(|(head, rest)| (self.get(head), rest))
        {
            Some((Some(Value::Nested(inner)), rest)) => inner.write_member(rest, out),
            _ => false,
        }
    }

    /// The fields as a JSON object.
    pub fn to_value(&self) -> Json {
        Json::Object(
            self.iter()
                .map(|(name, value)| (name.to_owned(), value.to_json()))
                .collect(),
        )
    }
}

impl<'a> FromIterator<(&'a str, Value)> for Fields {
    fn from_iter<T: IntoIterator<Item = (&'a str, Value)>>(iter: T) -> Self {
        let mut fields = Self::new();
        for (name, value) in iter {
            fields.add(name, value);
        }
        fields
    }
}

impl Value {
    /// The text for a cell; `None` when there is nothing in it.
    pub fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Empty => None,
            Self::List(list) => match list.as_slice() {
                [] => None,
                [one] => one.text(),
                many => Some(Cow::Owned(
                    many.iter()
                        .filter_map(Self::text)
                        .collect::<Vec<_>>()
                        .join(", "),
                )),
            },
            Self::Nested(fields) => {
                let mut out = Vec::new();
                fields.write_json(&mut out);
                Some(Cow::Owned(String::from_utf8_lossy(&out).into_owned()))
            }
        }
    }

    fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => write_json_string(text, out),
            Self::Empty => out.extend_from_slice(b"null"),
            Self::List(list) => {
                out.push(b'[');
                for (index, value) in list.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    value.write_json(out);
                }
                out.push(b']');
            }
            Self::Nested(fields) => fields.write_json(out),
        }
    }

    fn to_json(&self) -> Json {
        match self {
            Self::Text(text) => Json::String(text.clone()),
            Self::Empty => Json::Null,
            Self::List(list) => Json::Array(list.iter().map(Self::to_json).collect()),
            Self::Nested(fields) => fields.to_value(),
        }
    }
}

/// `text` as a value of its own.
fn text_value(text: &str) -> Value {
    if text.is_empty() {
        Value::Empty
    } else {
        Value::Text(text.to_owned())
    }
}

/// Overwrites a value with `text`, in the buffer that it has.
fn set_text(value: &mut Value, text: &str) {
    match value {
        Value::Text(old) if !text.is_empty() => {
            old.clear();
            old.push_str(text);
        }
        other => *other = text_value(text),
    }
}

/// Adds a second or further value: what was one value becomes a list.
fn append(old: &mut Value, value: Value) {
    if let Value::List(list) = old {
        list.push(value);
    } else {
        let first = std::mem::replace(old, Value::Empty);
        *old = Value::List(vec![first, value]);
    }
}

/// Appends `text` as a JSON string.
pub(crate) fn write_json_string(text: &str, out: &mut Vec<u8>) {
    // A string always serializes and a Vec always takes bytes, so there is no error to see.
    let _ = serde_json::to_writer(out, text);
}

#[cfg(test)]
mod tests;
