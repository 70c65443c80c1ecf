//! JSON written without a tree, for lists of many objects; times, and the members of requests.

use jiff::Timestamp;
use serde_json::Value;

/// An object being appended to a string. Members with nothing in them are left out, as ISE does.
pub(super) struct Object<'a> {
    out: &'a mut String,
    first: bool,
}

impl<'a> Object<'a> {
    pub(super) fn new(out: &'a mut String) -> Self {
        out.push('{');
        Self { out, first: true }
    }

    pub(super) fn end(self) {
        self.out.push('}');
    }

    /// `key` comes from us and needs no escaping.
    fn key(&mut self, key: &str) {
        self.out.push_str(if self.first { "\"" } else { ",\"" });
        self.first = false;
        self.out.push_str(key);
        self.out.push_str("\":");
    }

    /// A text that came from us and needs no escaping.
    pub(super) fn plain(&mut self, key: &str, text: &str) {
        if !text.is_empty() {
            self.key(key);
            self.out.push('"');
            self.out.push_str(text);
            self.out.push('"');
        }
    }

    /// A text that is pushed and needs no escaping.
    pub(super) fn pushed(&mut self, key: &str, push: impl FnOnce(&mut String)) {
        let (start, first) = (self.out.len(), self.first);
        self.key(key);
        self.out.push('"');
        let text = self.out.len();
        push(self.out);
        if self.out.len() == text {
            self.out.truncate(start);
            self.first = first;
        } else {
            self.out.push('"');
        }
    }

    /// Any text.
    pub(super) fn text(&mut self, key: &str, text: &str) {
        if !text.is_empty() {
            self.key(key);
            push_string(self.out, text);
        }
    }

    /// Texts that came from us and need no escaping.
    pub(super) fn list<'t>(&mut self, key: &str, texts: impl Iterator<Item = &'t str>) {
        self.key(key);
        self.out.push('[');
        for (number, text) in texts.enumerate() {
            self.out.push_str(if number == 0 { "\"" } else { ",\"" });
            self.out.push_str(text);
            self.out.push('"');
        }
        self.out.push(']');
    }

    pub(super) fn number(&mut self, key: &str, value: u64) {
        self.key(key);
        crate::lab::fast_text::push_number(self.out, value, 1);
    }

    pub(super) fn boolean(&mut self, key: &str, value: bool) {
        self.key(key);
        self.out.push_str(if value { "true" } else { "false" });
    }

    pub(super) fn time(&mut self, key: &str, at: i64) {
        self.pushed(key, |out| push_time(out, at));
    }
}

/// Appends a JSON string.
pub(super) fn push_string(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            control if control < ' ' => {
                out.push_str("\\u");
                crate::lab::fast_text::push_hex_lower(out, u64::from(control), 4);
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

/// Appends a time, ISO 8601 in UTC with milliseconds.
pub(super) fn push_time(out: &mut String, at: i64) {
    if let Ok(at) = Timestamp::from_millisecond(at) {
        use std::fmt::Write;
        let _ = write!(out, "{}", at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ"));
    }
}

/// A time as text.
pub(super) fn time(at: i64) -> String {
    let mut text = String::new();
    push_time(&mut text, at);
    text
}

/// An object without its empty members, also in objects within: ISE leaves out what has no value.
pub(super) fn without_nulls(mut object: Value) -> Value {
    if let Value::Object(members) = &mut object {
        members.retain(|_, value| !value.is_null());
        for value in members.values_mut() {
            *value = without_nulls(value.take());
        }
    }
    object
}

/// The text member `name` of a request.
pub(super) fn text<'r>(request: &'r Value, name: &str) -> Option<&'r str> {
    request.get(name)?.as_str().filter(|text| !text.is_empty())
}

/// The whole number `name` of a request; clients send it as a number or as text.
pub(super) fn number(request: &Value, name: &str) -> Option<u64> {
    let value = request.get(name)?;
    value
        .as_u64()
        .or_else(|| value.as_str().and_then(|text| text.parse().ok()))
}

/// The time `name` of a request, ISO 8601 with `Z` or an offset; `Err` when it is there and is
/// none.
pub(super) fn moment(request: &Value, name: &str) -> Result<Option<i64>, ()> {
    text(request, name).map_or(Ok(None), |text| {
        text.parse::<Timestamp>()
            .map(|at| Some(at.as_millisecond()))
            .map_err(|_| ())
    })
}

/// An identifier in the shape of a UUID that depends on `name` only.
pub(super) fn uuid(name: &str) -> String {
    use crate::lab::fast_text::{mix, push_hex_lower};
    let hash = name
        .bytes()
        .fold(0, |hash, byte| mix(hash ^ u64::from(byte)));
    let mut digits = String::new();
    push_hex_lower(&mut digits, hash, 16);
    push_hex_lower(&mut digits, mix(hash), 16);
    let mut id = String::with_capacity(36);
    for (number, digit) in digits.chars().enumerate() {
        if matches!(number, 8 | 12 | 16 | 20) {
            id.push('-');
        }
        id.push(digit);
    }
    id
}
