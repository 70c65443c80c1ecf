//! MnT documents as streams: bytes in, one reused [`Record`] out for each row, nothing held back.
//!
//! A [`Document`] says what is expected: the root, what a row is, which attributes are members.
//! Anything else that can come instead (an error envelope, a login page, an answer that broke off,
//! an attack) is told apart here, and bounded. The reader is tolerant where a NAS chooses the bytes
//! (invalid UTF-8 becomes the replacement character, a bare `&` is text) and strict where only the
//! server does (structure, entities, document types). Field mapping: `record/xml_fields.rs`. What a
//! foreign root means is the caller's knowledge, given as [`Document::foreign`]; this module knows
//! no HTTP.

mod indent;
mod parser;
#[cfg(test)]
mod tests;
mod window;

use std::io::BufRead;

use super::{Collect, Fields, MAX_DEPTH, Record, RecordSink};
use crate::error::{Error, Kind, Result};
pub use indent::indented;
pub(crate) use parser::NOT_THE_API;
use parser::Parser;
use window::Window;

/// Bytes of one field at most; `other_attr_string`, the longest, has a few thousand.
pub const MAX_FIELD: usize = 1 << 20;
/// Bytes of one record at most, all its text and what each field costs besides: what one row can
/// cost in memory. The number of fields is bounded by this only; ISE's system summary has thousands
/// in one record.
pub const MAX_RECORD: usize = 16 << 20;
/// What a field costs in memory besides its name and text.
const FIELD_OVERHEAD: usize = 128;
/// Bytes of an element's name at most.
pub const MAX_NAME: usize = 256;
/// Bytes of a start tag with its attributes at most.
pub const MAX_TAG: usize = 64 << 10;
/// Bytes that the parser may need to see at once (one text, comment or tag) at most, and of all
/// that precedes the root.
const MAX_EVENT: usize = MAX_FIELD + (64 << 10);
/// Bytes read of a document with a foreign root before it counts as just that.
const MAX_FOREIGN: u64 = 64 << 10;

/// What a document is made of.
#[derive(Debug, Clone, Copy)]
pub enum DocumentShape {
    /// The root is the only record.
    Single,
    /// The root, or a wrapper in it, holds rows; other children are skipped.
    Rows {
        /// The element that is a row.
        row: &'static str,
        /// Elements between root and row; their kept attributes become members of each row in them.
        wrappers: &'static [&'static str],
    },
}

/// What is expected of an answer. Names are without namespace prefix.
#[derive(Debug, Clone, Copy)]
pub struct Document {
    /// What it is called in messages, with its article ("the list of active sessions").
    pub name: &'static str,
    /// The root elements that are accepted; none named accepts any.
    pub roots: &'static [&'static str],
    /// Where the records are.
    pub shape: DocumentShape,
    /// Attributes of root (of a single record), wrapper and row that become members.
    pub keep: &'static [&'static str],
    /// The root's attribute that announces the number of rows; a root that has it is accepted
    /// whatever its name.
    pub announced: Option<&'static str>,
    /// Whether the announced number is to be believed: then another number of rows means a
    /// truncated document.
    pub exact: bool,
    /// Whether the fields of a detail (`other_attr_string`, `response`) are decoded.
    pub details: bool,
    /// Reads an error out of a document with a foreign root: the root's name and its children.
    pub foreign: fn(&str, &Fields) -> Option<Error>,
}

impl Document {
    /// Any XML document, as one record.
    pub const ANY: Self = Self {
        name: "the answer",
        roots: &[],
        shape: DocumentShape::Single,
        keep: &[],
        announced: None,
        exact: false,
        details: false,
        foreign: |_, _| None,
    };
}

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct XmlSummary {
    /// The number of rows that the root announced.
    pub announced: Option<u64>,
    /// The number of records that the sink got.
    pub rows: u64,
    /// The sink wanted no more; the rest was not read.
    pub stopped_early: bool,
}

/// Reads one document into `sink`, which comes back with the outcome: records that were delivered
/// before an error stay delivered.
///
/// Errors: [`Kind::Malformed`] (not XML, not in the declared encoding, HTML, a document type, an
/// unknown entity, foreign root, over a bound, text after the end), [`Kind::Truncated`] (the answer
/// broke off, or holds another number of rows than an [`exact`](Document::exact) document
/// announced), what [`Document::foreign`] made of a foreign root, what the sink returned, and what
/// reading the bytes returned (an [`Error`] inside an `io::Error` keeps its kind).
pub fn stream<S: RecordSink>(
    reader: impl BufRead,
    document: &Document,
    sink: S,
) -> (S, Result<XmlSummary>) {
    stream_in(reader, None, document, sink)
}

/// The same of bytes whose Content-Type names a `charset`, which goes before what the document
/// declares.
pub fn stream_in<S: RecordSink>(
    mut reader: impl BufRead,
    charset: Option<&str>,
    document: &Document,
    mut sink: S,
) -> (S, Result<XmlSummary>) {
    // One parser in the program for all kinds of sink: they are called once a record.
    let mut parser = Parser::new(document, &mut sink);
    let outcome = run(Window::new(&mut reader, charset), &mut parser);
    let outcome = outcome.map(|()| parser.summary());
    (sink, outcome)
}

fn run(mut window: Window<'_>, parser: &mut Parser<'_>) -> Result<()> {
    loop {
        let filled = window.fill(|bytes| parser.raw(bytes));
        let paused = filled.map_err(|error| parser.interrupted(error))?;
        let used = parser.feed(window.text(), window.offset(), window.ended())?;
        if parser.stopped() {
            return Ok(());
        }
        window.consume(used);
        if paused {
            parser.pause()?;
        }
        if window.text().len() > MAX_EVENT {
            return Err(parser.malformed(
                &format!("a piece of it is longer than {MAX_EVENT} bytes"),
                window.offset(),
            ));
        }
        if window.ended() {
            return parser.finish();
        }
    }
}

/// Reads a document that is one record; `charset` as in [`stream_in`].
pub fn single(bytes: &[u8], charset: Option<&str>, document: &Document) -> Result<Record> {
    let (collected, outcome) = stream_in(bytes, charset, document, Collect::default());
    outcome?;
    collected.records.into_iter().next().ok_or_else(|| {
        Error::new(
            Kind::Malformed,
            format!("{} holds no record", document.name),
        )
    })
}
