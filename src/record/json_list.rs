//! JSON list streams: walks `{"sessions":[ {…}, {…} ]}` and hands out one element at a time,
//! whatever the length of the list.
//!
//! One pass over the bytes, in the pieces in which they came; an element is held only when it lies
//! across two pieces. Its text is passed on as the server sent it. Checked: the grammar of the
//! whole document (the module `scan` says what that leaves out), that the root is an object, that
//! the member is an array of objects (or an object that holds it, as
//! `{"endpoints":{"endpoint":[…]}}`) and comes once, that the document closed. Bytes that are no
//! UTF-8 become replacement characters: one strange user name must not hide the list.

use std::io::BufRead;
use std::ops::ControlFlow;

use super::json_scan::{Scanner, skip_space};
use super::{JsonText, Record, RecordSink, read_json};
use crate::error::{Error, Kind, Result};

/// Longest element, or other member beside the list. The largest object that anyone saw from an ISE
/// has 250 KB (reference pxgrid-api, section 3.12); a sender who does not stop must cost a bounded
/// amount of memory.
pub const MAX_ELEMENT: usize = 16 * 1024 * 1024;

/// What a member beside the list costs in memory besides its text.
const EXTRA_OVERHEAD: usize = 128;

/// Longest name of a top-level member.
const MAX_NAME: usize = 1024;

/// How much of a new piece is first copied behind the beginning of an element that an earlier piece
/// held.
const FIRST_COPY: usize = 4 * 1024;

/// What a list stream was.
#[derive(Debug, Clone, Default)]
pub struct ListSummary {
    /// `totalCount`, where the server sent one before the list.
    pub announced: Option<u64>,
    /// Records given to the sink.
    pub rows: u64,
    /// The sink wanted no more; the rest of the document was not read.
    pub stopped_early: bool,
    /// The other top-level members, in order; together no longer than [`MAX_ELEMENT`].
    pub extras: Vec<(String, JsonText)>,
}

/// Reads the list `member` of the document into `sink`, which is handed back in any case. Rows that
/// came before an error were delivered.
///
/// Errors: [`Kind::Malformed`] (HTML, broken JSON, wrong shape, a bound passed),
/// [`Kind::Truncated`] (the end is missing), what reading reports, and the sink's own.
pub fn stream<S: RecordSink>(
    mut reader: impl BufRead,
    member: &str,
    mut sink: S,
) -> (S, Result<ListSummary>) {
    let mut splitter = Splitter::new(member);
    let result = pump(&mut reader, &mut splitter, &mut sink).map(|()| splitter.summary);
    (sink, result)
}

// One in the program for all kinds of reader and sink: they are called once a piece, once a record.
fn pump(
    reader: &mut dyn BufRead,
    splitter: &mut Splitter,
    sink: &mut dyn RecordSink,
) -> Result<()> {
    let mut record = Record::Json(JsonText::from_value(serde_json::Value::Null));
    loop {
        let piece = match reader.fill_buf() {
            Ok(piece) => piece,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                sink.pause()?;
                continue;
            }
            Err(error) => return Err(from_reader(&error)),
        };
        if piece.is_empty() {
            return splitter.finish();
        }
        let length = piece.len();
        let mut take = |part: Part<'_>| match part {
            Part::Begin(announced) => {
                sink.begin(announced)?;
                Ok(ControlFlow::Continue(()))
            }
            Part::Element(bytes) => {
                if let Record::Json(text) = &mut record {
                    text.refill(bytes);
                }
                sink.record(&record)
            }
        };
        if splitter.push(piece, &mut take)?.is_break() {
            splitter.summary.stopped_early = true;
            return Ok(());
        }
        reader.consume(length);
    }
}

fn from_reader(error: &std::io::Error) -> Error {
    if let Some(error) = Error::inside(error) {
        return error;
    }
    let kind = if error.kind() == std::io::ErrorKind::TimedOut {
        Kind::TimedOut
    } else {
        Kind::Truncated
    };
    Error::new(kind, format!("the answer broke off: {error}"))
}

/// What the splitter finds.
#[derive(Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// The list begins; the `totalCount` that stood before it.
    Begin(Option<u64>),
    /// One element, a well-formed JSON object.
    Element(&'a [u8]),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ParserState {
    Start,
    FirstName,
    Name,
    Colon,
    Value,
    AfterValue,
    FirstElement,
    Element,
    AfterElement,
    End,
}

/// One step's outcome, for the bytes it was shown.
enum StepResult {
    /// This many bytes are done with.
    Done(usize),
    /// The token is not whole yet.
    More,
    /// The taker wanted no more.
    Stop,
}

/// The push splitter: bytes in, in any cuts, parts out. It reads nothing itself.
#[derive(Debug)]
pub struct Splitter {
    member: String,
    state: ParserState,
    /// Name of the top-level member whose value comes next.
    name: String,
    /// The beginning of a token whose rest has not come yet, and where scanning it stands.
    carry: Vec<u8>,
    scanner: Scanner,
    /// Bytes done with.
    position: u64,
    found: bool,
    /// Inside the object that some releases put around the list.
    wrapped: bool,
    /// Memory that the other members take.
    extra_bytes: usize,
    summary: ListSummary,
}

impl Splitter {
    /// A splitter for the list `member`.
    pub fn new(member: &str) -> Self {
        Self {
            member: member.to_owned(),
            state: ParserState::Start,
            name: String::new(),
            carry: Vec::new(),
            scanner: Scanner::default(),
            position: 0,
            found: false,
            wrapped: false,
            extra_bytes: 0,
            summary: ListSummary::default(),
        }
    }

    /// What was read so far.
    pub fn summary(&self) -> &ListSummary {
        &self.summary
    }

    /// Takes the next bytes of the document. `Break` comes from `take` and ends the work.
    pub fn push(
        &mut self,
        mut piece: &[u8],
        take: &mut impl FnMut(Part<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<ControlFlow<()>> {
        while !self.carry.is_empty() {
            // A whole piece behind each held beginning would copy every byte once more: take a
            // little, then as much again.
            let held = self.carry.len();
            let (next, _) = piece.split_at(piece.len().min(held.max(FIRST_COPY)));
            if next.is_empty() {
                return Ok(ControlFlow::Continue(()));
            }
            let mut carry = std::mem::take(&mut self.carry);
            carry.extend_from_slice(next);
            let (done, flow) = self.run(&carry, held, take)?;
            if flow.is_break() {
                return Ok(flow);
            }
            if let Some(into_piece) = done.checked_sub(held) {
                piece = piece.get(into_piece..).unwrap_or_default();
                carry.clear();
                self.carry = carry;
                break;
            }
            piece = piece.get(next.len()..).unwrap_or_default();
            carry.drain(..done);
            self.carry = carry;
        }
        let (done, flow) = self.run(piece, usize::MAX, take)?;
        self.carry
            .extend_from_slice(piece.get(done..).unwrap_or_default());
        Ok(flow)
    }

    /// To be called at the end of the bytes: was it the whole document?
    pub fn finish(&mut self) -> Result<()> {
        match self.state {
            ParserState::End if self.found => Ok(()),
            ParserState::End => Err(self.missing_list()),
            ParserState::Start => Err(Error::new(Kind::Malformed, "the answer is empty")),
            _ => Err(Error::new(
                Kind::Truncated,
                format!(
                    "the answer broke off after {} records: its end is missing",
                    self.summary.rows
                ),
            )
            .hint("run it again; if it breaks off again, look at the node's load and at proxies in between")),
        }
    }

    /// Steps until `enough` bytes are done with or a token is not whole. Returns how many are.
    fn run(
        &mut self,
        bytes: &[u8],
        enough: usize,
        take: &mut impl FnMut(Part<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<(usize, ControlFlow<()>)> {
        let mut done = 0;
        while done < enough {
            match self.step(bytes.get(done..).unwrap_or_default(), take)? {
                StepResult::Done(length) => {
                    done += length;
                    self.position = self.position.saturating_add(length as u64);
                }
                StepResult::More => break,
                StepResult::Stop => return Ok((done, ControlFlow::Break(()))),
            }
        }
        Ok((done, ControlFlow::Continue(())))
    }

    fn step(
        &mut self,
        bytes: &[u8],
        take: &mut impl FnMut(Part<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<StepResult> {
        let space = skip_space(bytes, 0);
        if space > 0 {
            return Ok(StepResult::Done(space));
        }
        let Some(&byte) = bytes.first() else {
            return Ok(StepResult::More);
        };
        match (self.state, byte) {
            (ParserState::Start, b'{') => Ok(self.go(ParserState::FirstName)),
            (ParserState::Start, b'<') => Err(html()),
            (ParserState::Start, _) => {
                Err(Error::new(Kind::Malformed, "the answer is no JSON object"))
            }
            (ParserState::FirstName | ParserState::Name, b'"') => self.name(bytes),
            (ParserState::FirstName | ParserState::AfterValue, b'}') if self.wrapped => {
                self.unwrap_list()
            }
            (ParserState::FirstName | ParserState::AfterValue, b'}') => {
                Ok(self.go(ParserState::End))
            }
            (ParserState::Colon, b':') => Ok(self.go(ParserState::Value)),
            (ParserState::Value, b'{') if self.is_wrapper() => {
                self.wrapped = true;
                Ok(self.go(ParserState::FirstName))
            }
            (ParserState::Value, _) if self.names_the_list() => self.open_list(byte, take),
            (ParserState::Value, _) => self.extra(bytes),
            (ParserState::AfterValue, b',') => Ok(self.go(ParserState::Name)),
            (ParserState::FirstElement | ParserState::Element, b'{') => self.element(bytes, take),
            (ParserState::FirstElement | ParserState::AfterElement, b']') => {
                Ok(self.go(ParserState::AfterValue))
            }
            (ParserState::AfterElement, b',') => Ok(self.go(ParserState::Element)),
            (ParserState::FirstElement | ParserState::Element, _) => Err(Error::new(
                Kind::Malformed,
                format!(
                    "element {} of '{}' is no JSON object",
                    self.summary.rows + 1,
                    self.member
                ),
            )),
            _ => Err(Error::new(
                Kind::Malformed,
                format!(
                    "the answer is not well-formed JSON: '{}' is out of place at byte {}",
                    byte.escape_ascii(),
                    self.position
                ),
            )),
        }
    }

    /// A token of one byte.
    fn go(&mut self, state: ParserState) -> StepResult {
        self.state = state;
        StepResult::Done(1)
    }

    /// The rest of a value; a whole one makes room for the next.
    fn scan(&mut self, bytes: &[u8], bound: usize) -> Result<Option<usize>> {
        let end = self
            .scanner
            .resume(bytes)
            .map_err(|fault| fault.into_error(self.position))?;
        if end.unwrap_or(bytes.len()) > bound {
            let what = match self.state {
                ParserState::Element | ParserState::FirstElement => {
                    format!("element {} of '{}'", self.summary.rows + 1, self.member)
                }
                ParserState::Value => "what stands beside the list".to_owned(),
                _ => "a member name".to_owned(),
            };
            let bound = match self.state {
                ParserState::Value => MAX_ELEMENT,
                _ => bound,
            };
            return Err(Error::new(
                Kind::Malformed,
                format!("{what} is over the bound of {bound} bytes"),
            ));
        }
        if end.is_some() {
            self.scanner = Scanner::default();
        }
        Ok(end)
    }

    fn name(&mut self, bytes: &[u8]) -> Result<StepResult> {
        let Some(end) = self.scan(bytes, MAX_NAME)? else {
            return Ok(StepResult::More);
        };
        let text = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default());
        self.name = read_json(&text).unwrap_or_else(|_| text.into_owned());
        self.state = ParserState::Colon;
        Ok(StepResult::Done(end))
    }

    /// The list's name without its `s`, under which it stands where there is an object around it:
    /// `{"endpoints":{"endpoint":[…]}}`.
    fn inner_name(&self) -> &str {
        self.member.strip_suffix('s').unwrap_or(&self.member)
    }

    fn is_wrapper(&self) -> bool {
        !self.wrapped && !self.found && self.name == self.member
    }

    fn names_the_list(&self) -> bool {
        if self.wrapped {
            self.name == self.inner_name()
        } else {
            self.name == self.member
        }
    }

    /// The end of the object around the list, which must have been in it.
    fn unwrap_list(&mut self) -> Result<StepResult> {
        if !self.found {
            return Err(Error::new(
                Kind::Malformed,
                format!("'{}' of the answer is no list", self.member),
            ));
        }
        self.wrapped = false;
        Ok(self.go(ParserState::AfterValue))
    }

    fn open_list(
        &mut self,
        byte: u8,
        take: &mut impl FnMut(Part<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<StepResult> {
        if byte != b'[' || self.found {
            let why = if self.found {
                "comes twice"
            } else {
                "is no list"
            };
            return Err(Error::new(
                Kind::Malformed,
                format!("'{}' of the answer {why}", self.member),
            ));
        }
        self.found = true;
        self.summary.announced = self
            .summary
            .extras
            .iter()
            .find(|(name, _)| name == "totalCount")
            .and_then(|(_, text)| text.as_str().parse().ok());
        self.state = ParserState::FirstElement;
        match take(Part::Begin(self.summary.announced))? {
            ControlFlow::Continue(()) => Ok(StepResult::Done(1)),
            ControlFlow::Break(()) => Ok(StepResult::Stop),
        }
    }

    fn element(
        &mut self,
        bytes: &[u8],
        take: &mut impl FnMut(Part<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<StepResult> {
        let Some(end) = self.scan(bytes, MAX_ELEMENT)? else {
            return Ok(StepResult::More);
        };
        self.state = ParserState::AfterElement;
        self.summary.rows += 1;
        match take(Part::Element(bytes.get(..end).unwrap_or_default()))? {
            ControlFlow::Continue(()) => Ok(StepResult::Done(end)),
            ControlFlow::Break(()) => Ok(StepResult::Stop),
        }
    }

    fn extra(&mut self, bytes: &[u8]) -> Result<StepResult> {
        let bound = MAX_ELEMENT.saturating_sub(self.extra_bytes);
        let Some(end) = self.scan(bytes, bound)? else {
            return Ok(StepResult::More);
        };
        self.extra_bytes += end + self.name.len() + EXTRA_OVERHEAD;
        let text = JsonText::from_split(bytes.get(..end).unwrap_or_default());
        let name = std::mem::take(&mut self.name);
        self.summary.extras.push((name, text));
        self.state = ParserState::AfterValue;
        Ok(StepResult::Done(end))
    }

    fn missing_list(&self) -> Error {
        let names = self
            .summary
            .extras
            .iter()
            .map(|(name, _)| name.as_str())
            .take(8)
            .collect::<Vec<_>>()
            .join(", ");
        let found = if names.is_empty() {
            String::new()
        } else {
            format!(", only: {names}")
        };
        Error::new(
            Kind::Malformed,
            format!("the answer has no list '{}'{found}", self.member),
        )
    }
}

fn html() -> Error {
    Error::new(
        Kind::Malformed,
        "the answer is an HTML or XML page, not JSON",
    )
    .hint("is this a pxGrid node, and the right port? pxGrid answers on 8910, the web pages on 443")
}

#[cfg(test)]
mod tests;
