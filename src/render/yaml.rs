//! YAML: a list is one block sequence, a single thing one block mapping.
//!
//! Written here and not by a serializer for two reasons, both of them data: a number keeps the
//! server's spelling (`1.10`), and a text stands bare only when no reader of YAML 1.1 or 1.2 could
//! take it for anything else. `10:11:22:33:44:55` is a number to the former, `no` a boolean, so
//! they are quoted. Unsafe characters are escapes, on a pipe too. Depth is bounded by the parser of
//! the record.

use std::io::Write;

use serde_json::Value;

use super::column::Chosen;
use super::json::write_members;
use super::output::{Body, BufferedOutput};
use crate::error::Result;
use crate::record::Record;
use crate::sanitize::is_unsafe;

/// Writes YAML.
pub(super) struct Yaml<W> {
    output: BufferedOutput<W>,
    members: Option<Vec<Chosen>>,
    list: bool,
    started: bool,
}

impl<W: Write> Yaml<W> {
    /// `members`: the chosen ones, or `None` for all; `list`: a sequence, else single mappings.
    pub(super) fn new(output: BufferedOutput<W>, members: Option<Vec<Chosen>>, list: bool) -> Self {
        Self {
            output,
            members,
            list,
            started: false,
        }
    }

    fn value(&self, record: &Record) -> Value {
        let Some(members) = self.members.as_deref() else {
            return record.to_value();
        };
        let mut text = Vec::new();
        write_members(record, Some(members), &mut text);
        serde_json::from_slice(&text).unwrap_or(Value::Null)
    }
}

impl<W: Write + Send> Body for Yaml<W> {
    fn record(&mut self, record: &Record) -> Result<()> {
        let value = self.value(record);
        let out = &mut self.output.buffer;
        if self.list {
            out.extend_from_slice(b"- ");
            block(&value, 1, true, out);
        } else {
            if self.started {
                out.extend_from_slice(b"---\n");
            }
            block(&value, 0, true, out);
        }
        self.started = true;
        self.output.line_end()
    }

    fn pause(&mut self) -> Result<()> {
        self.output.flush()
    }

    fn end(&mut self, whole: bool) -> Result<()> {
        if whole && self.list && !self.started {
            self.output.buffer.extend_from_slice(b"[]\n");
        }
        self.output.flush()
    }
}

/// Appends a value with its line end. `level` is the indentation of its entries; `same_line`: the
/// first entry goes where we stand.
fn block(value: &Value, level: usize, same_line: bool, out: &mut Vec<u8>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (index, (name, member)) in members.iter().enumerate() {
                entry_start(index, level, same_line, out);
                scalar_text(name, out);
                out.push(b':');
                out.extend_from_slice(if is_block(member) { b"" } else { b" " });
                block(member, level + 1, false, out);
            }
        }
        Value::Array(list) if !list.is_empty() => {
            for (index, item) in list.iter().enumerate() {
                entry_start(index, level, same_line, out);
                out.extend_from_slice(b"- ");
                block(item, level + 1, true, out);
            }
        }
        Value::Object(_) => out.extend_from_slice(b"{}\n"),
        Value::Array(_) => out.extend_from_slice(b"[]\n"),
        Value::String(text) => {
            scalar_text(text, out);
            out.push(b'\n');
        }
        // null, booleans and numbers are spelled as in JSON.
        other => {
            out.extend_from_slice(other.to_string().as_bytes());
            out.push(b'\n');
        }
    }
}

fn entry_start(index: usize, level: usize, same_line: bool, out: &mut Vec<u8>) {
    if index == 0 && same_line {
        return;
    }
    if index == 0 {
        out.push(b'\n');
    }
    for _ in 0..level {
        out.extend_from_slice(b"  ");
    }
}

fn is_block(value: &Value) -> bool {
    match value {
        Value::Object(members) => !members.is_empty(),
        Value::Array(list) => !list.is_empty(),
        _ => false,
    }
}

fn scalar_text(text: &str, out: &mut Vec<u8>) {
    if is_plain(text) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    out.push(b'"');
    for c in text.chars() {
        match c {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\t' => out.extend_from_slice(b"\\t"),
            c if is_unsafe(c) => {
                out.extend_from_slice(format!("\\U{:08x}", u32::from(c)).as_bytes());
            }
            c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

/// Words that some reader takes for a boolean or null.
const WORDS: [&str; 10] = [
    "y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan",
];

/// Starts with an ASCII letter, holds only letters, digits and harmless marks, and is no reserved
/// word: nothing that is a number, a date, an indicator or a comment to anybody.
fn is_plain(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b" _-./@".contains(&byte))
        && !text.ends_with(' ')
        && !WORDS.iter().any(|word| word.eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn yaml(value: &Value) -> String {
        let mut out = Vec::new();
        block(value, 0, true, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn texts_stay_texts_and_numbers_their_spelling() {
        let value: Value = serde_json::from_str(
            r#"{"v":1.10,"zero":"0032","mac":"10:11:22:33:44:55","no":"no","e":"1e5","ok":"Cisco-Switch","n":null,"l":["a",{"b":[1,[]]}],"o":{"p":{}}}"#,
        )
        .unwrap();
        assert_eq!(
            yaml(&value),
            "v: 1.10\nzero: \"0032\"\nmac: \"10:11:22:33:44:55\"\n\"no\": \"no\"\ne: \"1e5\"\nok: Cisco-Switch\n\"n\": null\nl:\n  - a\n  - b:\n      - 1\n      - []\no:\n  p: {}\n"
        );
    }

    fn tree() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<String>().prop_map(Value::String),
            "[a-zA-Z0-9:.,_~ #'\"-]{0,12}".prop_map(Value::String),
            any::<i32>().prop_map(|number| json!(number)),
            any::<bool>().prop_map(Value::Bool),
            Just(Value::Null),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                prop::collection::vec((any::<String>(), inner), 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn reads_back_equal(value in tree()) {
            let text = yaml(&value);
            prop_assert!(!text.chars().any(|c| is_unsafe(c) && c != '\n'));
            let back: yaml_serde::Value = yaml_serde::from_str(&text).unwrap();
            prop_assert_eq!(serde_json::to_value(back).unwrap(), value);
        }
    }
}
