//! JSON text for a terminal: indented, coloured, and without a character that could steer it.
//!
//! It works on the text, so numbers keep their spelling and depth costs no stack. The text must be
//! well-formed JSON (or jaq's superset); it is never checked here.

use crate::sanitize::json_safe;

/// Indentation stops here, so that deep nesting does not write mostly spaces.
const DEEPEST: usize = 32;

const KEY: &str = "\x1b[1;34m";
const TEXT: &str = "\x1b[32m";
const OTHER: &str = "\x1b[33m";
const RESET: &str = "\x1b[0m";

/// Appends `text` indented as a value that stands at `level`, without a line end.
pub(super) fn write(text: &str, level: usize, color: bool, out: &mut Vec<u8>) {
    let mut printer = Printer {
        out,
        color,
        level,
        open: Vec::new(),
        key: false,
    };
    let mut rest = text;
    while let Some(first) = rest.bytes().next() {
        let length = match first {
            b'"' => string_length(rest),
            b' ' | b'\n' | b'\r' | b'\t' | b'{' | b'[' | b'}' | b']' | b',' | b':' => 1,
            _ => rest
                .find([',', ':', '}', ']', ' ', '\n', '\r', '\t', '"'])
                .unwrap_or(rest.len()),
        };
        let (token, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        rest = after;
        printer.token(first, token, rest);
    }
}

fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

struct Printer<'o> {
    out: &'o mut Vec<u8>,
    color: bool,
    level: usize,
    open: Vec<u8>,
    key: bool,
}

impl Printer<'_> {
    fn token(&mut self, first: u8, token: &str, rest: &str) {
        match first {
            b' ' | b'\n' | b'\r' | b'\t' => {}
            b'{' | b'[' => {
                self.out.push(first);
                self.open.push(first);
                self.key = first == b'{';
                if !rest.trim_start().starts_with(['}', ']']) {
                    self.new_line();
                }
            }
            b'}' | b']' => {
                self.open.pop();
                if !matches!(self.out.last(), Some(b'{' | b'[')) {
                    self.new_line();
                }
                self.out.push(first);
            }
            b',' => {
                self.out.push(b',');
                self.key = self.open.last() == Some(&b'{');
                self.new_line();
            }
            b':' => {
                self.out.extend_from_slice(b": ");
                self.key = false;
            }
            b'"' if self.key => self.painted(KEY, token),
            b'"' => self.painted(TEXT, token),
            _ => self.painted(OTHER, token),
        }
    }

    fn painted(&mut self, paint: &str, token: &str) {
        if self.color {
            self.out.extend_from_slice(paint.as_bytes());
        }
        self.out.extend_from_slice(json_safe(token).as_bytes());
        if self.color {
            self.out.extend_from_slice(RESET.as_bytes());
        }
    }

    fn new_line(&mut self) {
        self.out.push(b'\n');
        for _ in 0..(self.level + self.open.len()).min(DEEPEST) {
            self.out.extend_from_slice(b"  ");
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::sanitize::is_unsafe;

    fn pretty(text: &str, color: bool) -> String {
        let mut out = Vec::new();
        write(text, 0, color, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn indented_as_people_know_it() {
        let text = r#"{"a":1.10,"b":{},"c":[],"d":[1,{"e":"x:,]"}],"f":null}"#;
        assert_eq!(
            pretty(text, false),
            "{\n  \"a\": 1.10,\n  \"b\": {},\n  \"c\": [],\n  \"d\": [\n    1,\n    {\n      \"e\": \"x:,]\"\n    }\n  ],\n  \"f\": null\n}"
        );
        assert_eq!(
            pretty(r#"{"a":"b"}"#, true),
            "{\n  \x1b[1;34m\"a\"\x1b[0m: \x1b[32m\"b\"\x1b[0m\n}"
        );
    }

    #[test]
    fn depth_costs_neither_stack_nor_much_space() {
        let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
        assert!(pretty(&deep, false).len() < 8_000_000);
    }

    proptest! {
        #[test]
        fn safe_and_the_same_value(text in any::<String>(), name in any::<String>()) {
            let value = json!({name: [text.clone(), {"n": text}, [], {}, 1, true]});
            let shown = pretty(&value.to_string(), false);
            prop_assert!(!shown.chars().any(|c| is_unsafe(c) && c != '\n'));
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
        }
    }
}
