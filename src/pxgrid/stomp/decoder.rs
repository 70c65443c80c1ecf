//! Reading STOMP frames from bytes in any cuts.
//!
//! The decoder holds the bytes of at most one unfinished frame beyond what it was just given. A
//! malformed frame ends the stream: after it nothing can be trusted, so the same error is returned
//! for good. Frames before it are still handed out, whatever the cuts were.

use std::fmt;

use bytes::Bytes;
use memchr::{memchr, memchr2};

use super::unread::Unread;
use super::{Command, Frame, Headers, MAX_BODY, MAX_HEAD, MAX_LINE};
use crate::error::{Error, Kind};

/// What is wrong with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MalformedFrame {
    /// The first line is no command of STOMP that pxGrid uses.
    UnknownCommand,
    /// A command or header line is longer than [`MAX_LINE`].
    LineTooLong,
    /// The header lines together are longer than [`MAX_HEAD`].
    HeadTooLong,
    /// A NUL among the headers.
    NulInHeader,
    /// A header line is not UTF-8.
    NotUtf8,
    /// A header line has no colon, or nothing before it.
    NoHeaderName,
    /// An escape that STOMP 1.2 does not define.
    UndefinedEscape,
    /// `content-length` is no number.
    BadContentLength,
    /// The body is longer than the bound.
    BodyTooLong,
    /// The byte after `content-length` octets is not NUL.
    NoNulAfterBody,
}

impl fmt::Display for MalformedFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownCommand => "unknown command",
            Self::LineTooLong => "a header line is too long",
            Self::HeadTooLong => "the headers are too long",
            Self::NulInHeader => "a NUL among the headers",
            Self::NotUtf8 => "a header is not UTF-8",
            Self::NoHeaderName => "a header without a name",
            Self::UndefinedEscape => "an undefined escape in a header",
            Self::BadContentLength => "content-length is no number",
            Self::BodyTooLong => "the body is too long",
            Self::NoNulAfterBody => "no NUL after the body",
        })
    }
}

impl std::error::Error for MalformedFrame {}

impl From<MalformedFrame> for Error {
    fn from(malformed: MalformedFrame) -> Self {
        Self::new(
            Kind::Malformed,
            format!("malformed STOMP frame: {malformed}"),
        )
    }
}

/// Whose frames are read, which decides about escapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// A server's: headers are unescaped as STOMP 1.2 says.
    Server,
    /// A client's: headers are plain, as ISE reads them (a filter may hold a backslash).
    Client,
}

/// Where in a frame the decoder stands.
#[derive(Debug)]
enum Part {
    Command,
    Headers(Head),
    Body(Command, Headers, Option<usize>),
}

/// Header lines that were looked at and are not taken off yet.
#[derive(Debug)]
struct Head {
    command: Command,
    /// All of them in bytes, with their ends.
    length: usize,
    /// Whether any holds an escape.
    escapes: bool,
    /// How long the body is; `None`: up to NUL.
    body: Option<usize>,
}

/// Bytes in, frames out. See the module's documentation.
#[derive(Debug)]
pub struct Decoder {
    unread: Unread,
    /// How much of that was searched in vain for the end of the current part.
    searched: usize,
    part: Part,
    reading: Reading,
    max_body: usize,
    failed: Option<MalformedFrame>,
}

impl Decoder {
    /// A decoder with the default bound of [`MAX_BODY`] for bodies.
    pub fn new(reading: Reading) -> Self {
        Self {
            unread: Unread::default(),
            searched: 0,
            part: Part::Command,
            reading,
            max_body: MAX_BODY,
            failed: None,
        }
    }

    /// Bounds bodies by `bytes` instead.
    #[must_use]
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Takes bytes as they came. Call [`next_frame`](Self::next_frame) until it gives `None` before
    /// the next push, or they pile up.
    pub fn push(&mut self, bytes: impl Into<Bytes>) {
        if self.failed.is_none() {
            self.unread.push(bytes.into());
        }
    }

    /// The next whole frame; `None` when more bytes are needed.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, MalformedFrame> {
        if let Some(failed) = self.failed {
            return Err(failed);
        }
        self.advance().inspect_err(|malformed| {
            self.failed = Some(*malformed);
            self.unread = Unread::default();
        })
    }

    /// Whether a frame was begun and is not whole yet.
    pub fn is_mid_frame(&self) -> bool {
        !matches!(self.part, Part::Command) || !self.unread.bytes().is_empty()
    }

    fn advance(&mut self) -> Result<Option<Frame>, MalformedFrame> {
        loop {
            match std::mem::replace(&mut self.part, Part::Command) {
                Part::Command => {
                    let Some(end) = self.line_end(0)? else {
                        return Ok(None);
                    };
                    let line = line(self.unread.bytes(), 0, end);
                    if !line.is_empty() {
                        let command = std::str::from_utf8(line)
                            .ok()
                            .and_then(Command::from_word)
                            .ok_or(MalformedFrame::UnknownCommand)?;
                        self.part = Part::Headers(Head {
                            command,
                            length: 0,
                            escapes: false,
                            body: None,
                        });
                    }
                    self.unread.advance(end + 1);
                }
                Part::Headers(mut head) => {
                    let Some(end) = self.line_end(head.length)? else {
                        self.part = Part::Headers(head);
                        return Ok(None);
                    };
                    if line(self.unread.bytes(), head.length, end).is_empty() {
                        let lines = self.unread.split_to(head.length);
                        self.unread.advance(end + 1 - head.length);
                        let headers = headers(lines, head.escapes)?;
                        self.part = Part::Body(head.command, headers, head.body);
                    } else {
                        self.header(&mut head, end)?;
                        self.part = Part::Headers(head);
                    }
                }
                Part::Body(command, headers, length) => {
                    let Some(body) = self.body(length)? else {
                        self.part = Part::Body(command, headers, length);
                        return Ok(None);
                    };
                    return Ok(Some(Frame {
                        command,
                        headers,
                        body,
                    }));
                }
            }
        }
    }

    /// Where the line ends that begins at `start`.
    fn line_end(&mut self, start: usize) -> Result<Option<usize>, MalformedFrame> {
        let bytes = self.unread.bytes();
        let from = self.searched.max(start);
        let found = memchr2(b'\n', 0, bytes.get(from..).unwrap_or_default());
        let end = found.map_or(bytes.len(), |at| at + from);
        if end - start > MAX_LINE {
            return Err(MalformedFrame::LineTooLong);
        }
        if bytes.get(end) == Some(&0) {
            return Err(MalformedFrame::NulInHeader);
        }
        self.searched = if found.is_some() { 0 } else { end };
        Ok(found.map(|_| end))
    }

    /// Looks at the header line that ends at `end`.
    fn header(&self, head: &mut Head, end: usize) -> Result<(), MalformedFrame> {
        if end > MAX_HEAD {
            return Err(MalformedFrame::HeadTooLong);
        }
        let line = line(self.unread.bytes(), head.length, end);
        let line = std::str::from_utf8(line).map_err(|_| MalformedFrame::NotUtf8)?;
        // Values hold colons (node names with ports, times, filters): only the first one separates.
        let colon = memchr(b':', line.as_bytes()).unwrap_or(0);
        let (name, value) = line.split_at(colon);
        if name.is_empty() {
            return Err(MalformedFrame::NoHeaderName);
        }
        let unescaped = self.reading == Reading::Server && head.command.has_escapes();
        if unescaped && memchr(b'\\', line.as_bytes()).is_some() {
            unescape(line)?;
            head.escapes = true;
        }
        if name == "content-length" && head.body.is_none() {
            head.body = Some(self.content_length(value.get(1..).unwrap_or_default())?);
        }
        head.length = end + 1;
        Ok(())
    }

    fn content_length(&self, value: &str) -> Result<usize, MalformedFrame> {
        // Not plain `parse`: it would take a sign.
        if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(MalformedFrame::BadContentLength);
        }
        match value.parse::<usize>() {
            Ok(length) if length <= self.max_body => Ok(length),
            _ => Err(MalformedFrame::BodyTooLong),
        }
    }

    fn body(&mut self, length: Option<usize>) -> Result<Option<Bytes>, MalformedFrame> {
        let end = if let Some(length) = length {
            match self.unread.bytes().get(length) {
                None => {
                    self.unread.expect(length + 1);
                    return Ok(None);
                }
                Some(0) => length,
                Some(_) => return Err(MalformedFrame::NoNulAfterBody),
            }
        } else {
            let unsearched = self.unread.bytes().get(self.searched..).unwrap_or_default();
            let found = memchr(0, unsearched).map(|at| at + self.searched);
            if found.unwrap_or(self.unread.bytes().len()) > self.max_body {
                return Err(MalformedFrame::BodyTooLong);
            }
            let Some(end) = found else {
                self.searched = self.unread.bytes().len();
                return Ok(None);
            };
            self.searched = 0;
            end
        };
        let body = self.unread.split_to(end);
        self.unread.advance(1);
        Ok(Some(body))
    }
}

/// The line from `start` that ends (with LF or CRLF) at `end`, without its end.
fn line(bytes: &[u8], start: usize, end: usize) -> &[u8] {
    let line = bytes.get(start..end).unwrap_or_default();
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The headers of lines that were looked at.
fn headers(lines: Bytes, escapes: bool) -> Result<Headers, MalformedFrame> {
    let headers = Headers::from_lines(lines);
    if !escapes {
        return Ok(headers);
    }
    headers
        .iter()
        .map(|(name, value)| Ok((unescape(name)?, unescape(value)?)))
        .collect()
}

/// Undoes the escapes of STOMP 1.2, "Value Encoding".
fn unescape(text: &str) -> Result<String, MalformedFrame> {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            out.push(character);
            continue;
        }
        out.push(match characters.next() {
            Some('n') => '\n',
            Some('r') => '\r',
            Some('c') => ':',
            Some('\\') => '\\',
            _ => return Err(MalformedFrame::UndefinedEscape),
        });
    }
    Ok(out)
}
