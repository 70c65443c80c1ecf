//! XML events to records: which element is a row, what its fields are, and every way in which a
//! document can be wrong.
//!
//! It is fed pieces of text and keeps its own stack of open elements, since the tokenizer is
//! started anew for each piece; it reads nothing itself.

mod errors;
mod plain;
mod text;

use std::borrow::Cow;
use std::io::BufRead;
use std::ops::ControlFlow;

use quick_xml::Reader;
use quick_xml::errors::SyntaxError;
use quick_xml::events::{BytesStart, Event};

use super::{
    Document, DocumentShape, FIELD_OVERHEAD, MAX_DEPTH, MAX_EVENT, MAX_FIELD, MAX_FOREIGN,
    MAX_NAME, MAX_RECORD, MAX_TAG, XmlSummary,
};
use crate::error::{Error, Kind, Result};
use crate::record::{Fields, Record, RecordSink, Value, embedded_documents};
pub(crate) use errors::NOT_THE_API;
use text::{is_blank, local};

/// The element whose value is a list of texts whatever it holds (reference mnt-api section 2.3,
/// quirk 8).
const LIST: &str = "framed_ipv6_address";
/// A byte order mark.
const BOM: &str = "\u{feff}";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Before,
    Inside,
    After,
}

/// See the module's documentation.
pub(super) struct Parser<'d> {
    document: &'d Document,
    sink: &'d mut dyn RecordSink,
    phase: Phase,
    summary: XmlSummary,
    /// The root was accepted and the sink told of it.
    accepted: bool,
    /// The foreign root's name.
    foreign: Option<String>,
    /// Raw bytes that wait for the root.
    held: Vec<u8>,
    /// The names of the open elements, one after the other, and where each begins.
    names: String,
    starts: Vec<usize>,
    /// The level (root: 1) of the open row, wrapper or skipped element; 0 for none.
    row: usize,
    wrapper: usize,
    skip: usize,
    /// The kept attributes of the open wrapper.
    wrapper_members: Vec<(String, String)>,
    fields: Fields,
    /// The open elements inside the row's field that have children, outermost first.
    nested: Vec<Fields>,
    /// Texts of an open [`LIST`], one after the other, and where each ends.
    in_list: bool,
    items: String,
    item_ends: Vec<usize>,
    /// Text of the open element as far as it did not come in one piece.
    text: String,
    record_bytes: usize,
}

impl<'d> Parser<'d> {
    pub(super) fn new(document: &'d Document, sink: &'d mut dyn RecordSink) -> Self {
        Self {
            document,
            sink,
            phase: Phase::Before,
            summary: XmlSummary::default(),
            accepted: false,
            foreign: None,
            held: Vec::new(),
            names: String::new(),
            starts: Vec::new(),
            row: 0,
            wrapper: 0,
            skip: 0,
            wrapper_members: Vec::new(),
            fields: Fields::new(),
            nested: Vec::new(),
            in_list: false,
            items: String::new(),
            item_ends: Vec::new(),
            text: String::new(),
            record_bytes: 0,
        }
    }

    pub(super) fn summary(&self) -> XmlSummary {
        self.summary
    }

    /// Whether the sink wanted no more.
    pub(super) fn stopped(&self) -> bool {
        self.summary.stopped_early
    }

    /// All rows that have come were passed on, and more is awaited.
    pub(super) fn pause(&mut self) -> Result<()> {
        self.sink.pause()
    }

    /// Bytes as they came, for a sink that wants them; held back until the root was accepted.
    pub(super) fn raw(&mut self, bytes: &[u8]) -> Result<()> {
        if !self.sink.wants_raw() {
            return Ok(());
        }
        if self.accepted {
            return self.sink.raw(bytes);
        }
        self.held.extend_from_slice(bytes);
        Ok(())
    }

    /// Parses what is complete in `text`, which begins `base` bytes into the document, and says how
    /// much that was. What is not, has to come again with more behind it; when `last` is true
    /// nothing more comes.
    pub(super) fn feed(&mut self, text: &str, base: u64, last: bool) -> Result<usize> {
        let mut skipped = 0;
        while let Some(rest) = text.get(skipped..).filter(|rest| rest.starts_with(BOM)) {
            // The tokenizer would drop the mark wherever a piece begins; it means nothing only
            // where the document does.
            if base > 0 || skipped > 0 {
                let end = rest.len().min(BOM.len());
                let mut pending = None;
                self.characters(
                    rest.get(..end).unwrap_or_default(),
                    &mut pending,
                    base + skipped as u64,
                )?;
                self.keep(&mut pending, base)?;
            }
            skipped += BOM.len();
        }
        let body = text.get(skipped..).unwrap_or_default();
        let used = match self.events(body, base + skipped as u64, last) {
            // What is wrong inside a foreign root matters less than that it is foreign.
            Err(_) if self.foreign.is_some() && self.row > 0 => return Err(self.foreign_root()),
            outcome => outcome?,
        };
        if self.phase == Phase::Before && base + used as u64 > MAX_EVENT as u64 {
            return Err(self.malformed("no element begins in its first megabyte", base));
        }
        Ok(skipped + used)
    }

    fn events(&mut self, body: &str, base: u64, last: bool) -> Result<usize> {
        let mut reader = Reader::from_str(body);
        let config = reader.config_mut();
        config.allow_dangling_amp = true;
        // Names are checked here, against a stack that outlives the piece.
        config.check_end_names = false;
        config.allow_unmatched_ends = true;
        let mut pending: Option<&str> = None;
        let mut used = 0;
        loop {
            let event = reader.read_event();
            let end = usize::try_from(reader.buffer_position()).unwrap_or(body.len());
            let at = base + used as u64;
            match event {
                Ok(Event::Text(_)) if end == body.len() && !last => break,
                Ok(Event::Text(text)) => match text.into_inner() {
                    Cow::Borrowed(text) => self.characters(text, &mut pending, at)?,
                    Cow::Owned(text) => self.owned(&text, &mut pending, at)?,
                },
                Ok(Event::CData(text)) => match text.into_inner() {
                    Cow::Borrowed(text) => self.characters(text, &mut pending, at)?,
                    Cow::Owned(text) => self.owned(&text, &mut pending, at)?,
                },
                Ok(Event::GeneralRef(reference)) => {
                    self.reference(&reference, &mut pending, at)?;
                }
                Ok(Event::Start(tag)) => self.start(&tag, pending.take(), at)?,
                Ok(Event::End(tag)) => self.end(tag.name().0, pending.take(), at)?,
                Ok(Event::Empty(tag)) => {
                    self.start(&tag, pending.take(), at)?;
                    self.end(tag.name().0, None, at)?;
                }
                Ok(Event::Comment(_) | Event::Decl(_) | Event::PI(_)) => {}
                Ok(Event::DocType(name)) => return Err(self.document_type(&name, at)),
                Ok(Event::Eof) => break,
                Err(quick_xml::Error::Syntax(error)) => {
                    let rest = body.len() - used.min(body.len());
                    // "<!" and a byte that begins nothing is wrong for good; all else that is
                    // unfinished may still be finished.
                    if error == SyntaxError::InvalidBangMarkup && rest > 2 {
                        return Err(self.malformed(&error.to_string(), at));
                    }
                    if last {
                        return Err(self.broke_off());
                    }
                    break;
                }
                Err(error) => return Err(self.malformed(&error.to_string(), at)),
            }
            used = end;
            if self.summary.stopped_early {
                break;
            }
            if self.row > 0 && self.starts.len() == self.row && pending.is_none() {
                let length = self.plain_fields(body.get(used..).unwrap_or_default(), at)?;
                reader.stream().consume(length);
                used += length;
            }
            if self.foreign.is_some() && at > MAX_FOREIGN {
                return Err(self.foreign_root());
            }
        }
        self.keep(&mut pending, base + used as u64)?;
        Ok(used)
    }

    /// The document is over: was it whole?
    pub(super) fn finish(&mut self) -> Result<()> {
        match self.phase {
            Phase::Before => Err(Error::new(
                Kind::Malformed,
                format!("{} is missing: empty answer", self.document.name),
            )
            .hint("try again; if it stays so, check host and port")),
            Phase::Inside if self.foreign.is_some() => Err(self.foreign_root()),
            Phase::Inside => Err(self.broke_off()),
            Phase::After => {
                let XmlSummary {
                    announced, rows, ..
                } = self.summary;
                match announced {
                    // Rows under an announced 0 are seen in Cisco's own examples (reference mnt-api
                    // section 2.4).
                    Some(number) if self.document.exact && number != rows && number != 0 => {
                        Err(Error::new(
                            Kind::Truncated,
                            format!("{}: announced {number}, sent {rows}", self.document.name),
                        )
                        .hint("the list is not complete; try again"))
                    }
                    _ => Ok(()),
                }
            }
        }
    }

    fn start(&mut self, tag: &BytesStart<'_>, pending: Option<&str>, at: u64) -> Result<()> {
        let name = tag.name().0;
        if self.phase == Phase::After {
            return Err(self.malformed("something follows its end", at));
        }
        if self.starts.len() >= MAX_DEPTH {
            return Err(self.malformed(&format!("nested deeper than {MAX_DEPTH} elements"), at));
        }
        if name.len() > MAX_NAME || tag.len() > MAX_TAG {
            return Err(self.malformed("a tag is too long", at));
        }
        self.starts.push(self.names.len());
        self.names.push_str(name);
        let level = self.starts.len();
        if self.skip > 0 {
            return Ok(());
        }
        if self.row > 0 {
            return self.open_field(level - self.row, name, pending, at);
        }
        if level == 1 {
            return self.open_root(tag, at);
        }
        match self.document.shape {
            DocumentShape::Rows { row, .. } if local(name) == row => self.open_row(tag, level, at),
            DocumentShape::Rows { wrappers, .. } if wrappers.contains(&local(name)) => {
                self.wrapper = level;
                self.wrapper_members.clear();
                for (key, value) in self.kept(tag, at)? {
                    self.wrapper_members.push((key.to_owned(), value));
                }
                Ok(())
            }
            _ => {
                self.skip = level;
                Ok(())
            }
        }
    }

    fn open_root(&mut self, tag: &BytesStart<'_>, at: u64) -> Result<()> {
        self.phase = Phase::Inside;
        let name = local(tag.name().0);
        if name.eq_ignore_ascii_case("html") {
            return Err(self.html());
        }
        let announced = match self.document.announced {
            Some(attribute) => self.attribute(tag, attribute, at)?,
            None => None,
        };
        let known = self.document.roots.is_empty() || self.document.roots.contains(&name);
        if !known && announced.is_none() {
            self.foreign = Some(name.to_owned());
            self.row = 1;
            return Ok(());
        }
        self.summary.announced = announced.and_then(|number| number.trim().parse().ok());
        self.accepted = true;
        self.sink.begin(self.summary.announced)?;
        if !self.held.is_empty() {
            let held = std::mem::take(&mut self.held);
            self.sink.raw(&held)?;
        }
        match self.document.shape {
            DocumentShape::Single => self.open_row(tag, 1, at),
            DocumentShape::Rows { .. } => Ok(()),
        }
    }

    fn open_row(&mut self, tag: &BytesStart<'_>, level: usize, at: u64) -> Result<()> {
        self.row = level;
        self.fields.clear();
        self.record_bytes = 0;
        if self.wrapper > 0 {
            for (key, value) in &self.wrapper_members {
                self.fields.put_text(key, value);
            }
        }
        if !self.document.keep.is_empty() && tag.len() > tag.name().0.len() {
            for (key, value) in self.kept(tag, at)? {
                self.fields.put_text(key, &value);
            }
        }
        Ok(())
    }

    /// An element `below` levels under the row opens: 1 is a field, deeper ones make their parent a
    /// nested value.
    fn open_field(
        &mut self,
        below: usize,
        name: &str,
        pending: Option<&str>,
        at: u64,
    ) -> Result<()> {
        if below == 1 {
            self.in_list = name.ends_with(LIST) && local(name) == LIST;
            return self.mixed(pending, at);
        }
        if self.in_list {
            self.text.clear();
            return Ok(());
        }
        if self.nested.len() < below - 1 {
            self.nested.push(Fields::new());
        }
        self.mixed(pending, at)
    }

    fn end(&mut self, name: &str, pending: Option<&str>, at: u64) -> Result<()> {
        let level = self.starts.len();
        let open = self.starts.pop();
        match open {
            Some(start) if self.names.get(start..) == Some(name) => self.names.truncate(start),
            Some(start) => {
                let open = self.names.get(start..).unwrap_or_default().to_owned();
                let message = format!("</{name}> where </{open}> was expected");
                return Err(self.malformed(&message, at));
            }
            None => return Err(self.malformed(&format!("</{name}> closes nothing"), at)),
        }
        if self.skip > 0 {
            if self.skip == level {
                self.skip = 0;
            }
        } else if self.row > 0 && level > self.row {
            self.close_field(level - self.row, local(name), pending, at)?;
        } else if self.row == level {
            self.mixed(pending, at)?;
            self.close_row()?;
        } else if self.wrapper == level {
            self.wrapper = 0;
        }
        if level == 1 {
            self.phase = Phase::After;
        }
        Ok(())
    }

    fn close_field(
        &mut self,
        below: usize,
        name: &str,
        pending: Option<&str>,
        at: u64,
    ) -> Result<()> {
        if self.in_list {
            return self.close_list(below, name, pending, at);
        }
        if self.nested.len() == below {
            self.mixed(pending, at)?;
            let value = Value::Nested(self.nested.pop().unwrap_or_default());
            self.count(name.len(), at)?;
            self.target().add(name, value);
            return Ok(());
        }
        let whole = pending.filter(|_| self.text.is_empty());
        if let Some(text) = whole {
            self.count(name.len() + text.len(), at)?;
            let text = if is_blank(text) { "" } else { text };
            self.target().put_text(name, text);
            return Ok(());
        }
        let mut rest = pending;
        self.keep(&mut rest, at)?;
        self.count(name.len() + self.text.len(), at)?;
        let text = std::mem::take(&mut self.text);
        self.target()
            .put_text(name, if is_blank(&text) { "" } else { &text });
        self.text = text;
        self.text.clear();
        Ok(())
    }

    /// Any element inside a [`LIST`] closes, or the list itself: its text is an item unless it is
    /// empty.
    fn close_list(
        &mut self,
        below: usize,
        name: &str,
        pending: Option<&str>,
        at: u64,
    ) -> Result<()> {
        let mut rest = pending;
        self.keep(&mut rest, at)?;
        let item = self.text.trim();
        if !item.is_empty() {
            self.items.push_str(item);
            self.item_ends.push(self.items.len());
            self.count(self.text.len(), at)?;
        }
        self.text.clear();
        if below == 1 {
            self.count(name.len(), at)?;
            let mut start = 0;
            let items = &self.items;
            let texts = self.item_ends.iter().map(|&end| {
                let text = items.get(start..end).unwrap_or_default();
                start = end;
                text
            });
            self.fields.put_list(name, texts);
            self.items.clear();
            self.item_ends.clear();
            self.in_list = false;
        }
        Ok(())
    }

    fn close_row(&mut self) -> Result<()> {
        self.row = 0;
        if let Some(root) = &self.foreign {
            let error = (self.document.foreign)(root, &self.fields);
            return Err(error.unwrap_or_else(|| self.foreign_root()));
        }
        if self.document.details {
            embedded_documents::details(&mut self.fields);
        }
        let record = Record::Fields(std::mem::take(&mut self.fields));
        let flow = self.sink.record(&record);
        if let Record::Fields(fields) = record {
            self.fields = fields;
        }
        self.summary.rows += 1;
        if flow? == ControlFlow::Break(()) {
            self.summary.stopped_early = true;
        }
        Ok(())
    }

    /// Where a field that closes belongs: into the innermost open element.
    fn target(&mut self) -> &mut Fields {
        self.nested.last_mut().unwrap_or(&mut self.fields)
    }

    /// Counts one more field of `length` bytes, its name included.
    fn count(&mut self, length: usize, at: u64) -> Result<()> {
        self.record_bytes += length + FIELD_OVERHEAD;
        if length > MAX_FIELD + MAX_NAME || self.record_bytes > MAX_RECORD {
            let what = format!("a record takes more than {} MiB", MAX_RECORD >> 20);
            return Err(self.malformed(&what, at));
        }
        Ok(())
    }
}
