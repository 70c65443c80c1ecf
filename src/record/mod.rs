//! The record: one thing that a server told us (a session, an attempt, a policy), with every field
//! it sent, in its order and under its own names, also the fields that nobody here knows.
//!
//! Two shapes stand behind one type. An XML record holds fields parsed from a MnT document; a JSON
//! record holds the text of one pxGrid object exactly as it came, parsed only when a column, a
//! filter or a callback looks inside. Typed accessors (`mac()`, `passed()`, …) are views; the
//! record is the truth. This room fetches nothing and prints nothing.

mod answer_subject;
pub mod conditions;
pub mod embedded_documents;
pub(crate) mod encoding;
pub mod jmespath;
pub mod json_list;
pub(crate) mod json_scan;
mod json_text;
mod mac;
mod mnt_facts;
pub mod selection;
pub mod time;
pub mod xml;
mod xml_fields;

pub use answer_subject::Subject;
pub use json_text::JsonText;
pub(crate) use json_text::compact as compact_json;
pub(crate) use json_text::read as read_json;
pub(crate) use json_text::read_bounded as read_bounded_json;
#[cfg(feature = "jq")]
pub(crate) use json_text::without_halves;
pub use mac::{Mac, MacPrefix};
pub use mnt_facts::Presence;
pub(crate) use xml_fields::write_json_string;
pub use xml_fields::{Fields, Value};

use std::borrow::Cow;

use crate::error::Result;

/// How deep elements, objects and lists may nest in whatever comes from outside: documents,
/// answers, messages, what a user hands in. `serde_json`, `jaq` and our own writers recurse, and
/// the first refuses 128 levels; what this program puts around a record (a list, an envelope) still
/// fits.
pub const MAX_DEPTH: usize = 100;

/// One record. See the module's documentation.
#[derive(Debug, Clone)]
pub enum Record {
    /// Fields of a MnT document.
    Fields(Fields),
    /// The text of one JSON object.
    Json(JsonText),
}

impl Record {
    /// A record from a JSON value that we made ourselves (`explain`, `watch`, `count`).
    pub fn from_value(value: serde_json::Value) -> Self {
        Self::Json(JsonText::from_value(value))
    }

    /// The text of the member `name`, for a table cell or a comparison: a text as it is, a list
    /// joined with `, `, a nested value as compact JSON. Missing, `null` and empty are all `None`
    /// ("unknown", reference mnt-api section 2). A dot steps into nested objects (`asset.assetId`).
    pub fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        match self {
            Self::Fields(fields) => fields.text(name),
            Self::Json(json) => json.text(name),
        }
    }

    /// Whether a member of this name was sent, also when it is empty.
    pub fn has(&self, name: &str) -> bool {
        match self {
            Self::Fields(fields) => fields.get(name).is_some(),
            Self::Json(json) => json.value().get(name).is_some(),
        }
    }

    /// The names of the members, in the order they were sent.
    pub fn names(&self) -> Vec<&str> {
        match self {
            Self::Fields(fields) => fields.iter().map(|(name, _)| name).collect(),
            Self::Json(json) => json.names(),
        }
    }

    /// Appends the record as compact JSON on one line, without a line end. XML values are strings,
    /// empty ones `null`, lists arrays; a JSON record's numbers keep their spelling.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Self::Fields(fields) => fields.write_json(out),
            Self::Json(json) => json.write_compact(out),
        }
    }

    /// Appends the JSON of the member `name` (a dot steps into nested objects); `false` and nothing
    /// written where there is none.
    pub fn write_member(&self, name: &str, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Fields(fields) => fields.write_member(name, out),
            Self::Json(json) => json.write_member(name, out),
        }
    }

    /// The same with a text of ours in front, under `name`; what was sent under that name gives
    /// way, so that nobody who answers can pass for another.
    #[must_use]
    pub fn led_by(&self, name: &str, text: &str) -> Self {
        match self {
            Self::Fields(fields) => Self::Fields(fields.led_by(name, text)),
            Self::Json(json) => Self::Json(json.led_by(name, text)),
        }
    }

    /// The record as a JSON value (numbers keep their spelling).
    pub fn to_value(&self) -> serde_json::Value {
        match self {
            Self::Fields(fields) => fields.to_value(),
            Self::Json(json) => json.value().clone(),
        }
    }
}

/// Takes records one at a time as they come off the wire; what `mnt` and `pxgrid` push lists into.
///
/// It runs on the thread that parses, so that back-pressure is the call itself: a slow sink slows
/// the socket.
pub trait RecordSink: Send + 'static {
    /// The list's head was read: `announced` is the number of rows that the server says will
    /// follow.
    fn begin(&mut self, announced: Option<u64>) -> Result<()>;

    /// One record. `Break` ends the list early without an error (`--limit`).
    fn record(&mut self, record: &Record) -> Result<std::ops::ControlFlow<()>>;

    /// All that has come was passed on, and more is awaited: what is held back may be written. It
    /// may be called at any time.
    fn pause(&mut self) -> Result<()> {
        Ok(())
    }

    /// The bytes of the document as they came, for `--format xml`; called only when
    /// [`wants_raw`](Self::wants_raw) is true, and only after the document was recognised as the
    /// one asked for.
    fn raw(&mut self, _bytes: &[u8]) -> Result<()> {
        Ok(())
    }

    /// Whether [`raw`](Self::raw) is to be called with the document's bytes.
    fn wants_raw(&self) -> bool {
        false
    }
}

/// A sink that keeps every record: for lists known to be short (failure reasons, attempts of one
/// endpoint).
#[derive(Debug, Default)]
pub struct Collect {
    /// What came.
    pub records: Vec<Record>,
}

impl RecordSink for Collect {
    fn begin(&mut self, _announced: Option<u64>) -> Result<()> {
        Ok(())
    }

    fn record(&mut self, record: &Record) -> Result<std::ops::ControlFlow<()>> {
        self.records.push(record.clone());
        Ok(std::ops::ControlFlow::Continue(()))
    }
}
