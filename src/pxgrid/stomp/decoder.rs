//! Reading STOMP frames from bytes in any cuts.
//!
//! The decoder holds the bytes of at most one unfinished frame beyond what it was just given. A malformed frame ends the stream: after it
//! nothing can be trusted, so the same error is returned for good. Frames before it are still handed out, whatever the cuts were.

use std::fmt;

use bytes::Bytes;
use memchr::{memchr, memchr2};

use super::unread::Unread;
use super::{Command, Frame, Headers, MAX_BODY, MAX_HEADERS, MAX_LINE};
use crate::error::{Error, Kind};

/// What is wrong with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MalformedFrame {
    /// The first line is no command of STOMP that pxGrid uses.
    UnknownCommand,
    /// A command or header line is longer than [`MAX_LINE`].
    LineTooLong,
    /// More headers than [`MAX_HEADERS`].
    TooManyHeaders,
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
            Self::TooManyHeaders => "too many headers",
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
    /// `None`: up to NUL.
    Body(Head, Option<usize>),
}

#[derive(Debug)]
struct Head {
    command: Command,
    headers: Headers,
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

    /// Takes bytes as they came. Call [`next_frame`](Self::next_frame) until it gives `None` before the next push, or they pile up.
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
                    let Some(end) = self.line_end()? else {
                        return Ok(None);
                    };
                    let line = line(self.unread.bytes(), end);
                    if !line.is_empty() {
                        let command = std::str::from_utf8(line)
                            .ok()
                            .and_then(Command::from_word)
                            .ok_or(MalformedFrame::UnknownCommand)?;
                        self.part = Part::Headers(Head {
                            command,
                            headers: Headers::with_room(),
                        });
                    }
                    self.unread.advance(end + 1);
                }
                Part::Headers(mut head) => {
                    let Some(end) = self.line_end()? else {
                        self.part = Part::Headers(head);
                        return Ok(None);
                    };
                    let line = line(self.unread.bytes(), end);
                    if line.is_empty() {
                        let length = self.content_length(&head)?;
                        self.part = Part::Body(head, length);
                    } else {
                        if head.headers.len() == MAX_HEADERS {
                            return Err(MalformedFrame::TooManyHeaders);
                        }
                        let unescaped =
                            self.reading == Reading::Server && head.command.has_escapes();
                        header(line, unescaped, &mut head.headers)?;
                        self.part = Part::Headers(head);
                    }
                    self.unread.advance(end + 1);
                }
                Part::Body(head, length) => {
                    let Some(body) = self.body(length)? else {
                        self.part = Part::Body(head, length);
                        return Ok(None);
                    };
                    return Ok(Some(Frame {
                        command: head.command,
                        headers: head.headers,
                        body,
                    }));
                }
            }
        }
    }

    /// Where the line ends that the buffer begins with.
    fn line_end(&mut self) -> Result<Option<usize>, MalformedFrame> {
        let unsearched = self.unread.bytes().get(self.searched..).unwrap_or_default();
        let found = memchr2(b'\n', 0, unsearched).map(|at| at + self.searched);
        let Some(end) = found else {
            if self.unread.bytes().len() > MAX_LINE {
                return Err(MalformedFrame::LineTooLong);
            }
            self.searched = self.unread.bytes().len();
            return Ok(None);
        };
        if end > MAX_LINE {
            return Err(MalformedFrame::LineTooLong);
        }
        if self.unread.bytes().get(end) == Some(&0) {
            return Err(MalformedFrame::NulInHeader);
        }
        self.searched = 0;
        Ok(Some(end))
    }

    fn content_length(&self, head: &Head) -> Result<Option<usize>, MalformedFrame> {
        let Some(value) = head.headers.get("content-length") else {
            return Ok(None);
        };
        // Not plain `parse`: it would take a sign.
        if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(MalformedFrame::BadContentLength);
        }
        match value.parse::<usize>() {
            Ok(length) if length <= self.max_body => Ok(Some(length)),
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

/// The line that ends (with LF or CRLF) at `end`, without its end.
fn line(buffer: &[u8], end: usize) -> &[u8] {
    let line = buffer.get(..end).unwrap_or_default();
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Reads one header line into `headers`.
fn header(line: &[u8], unescaped: bool, headers: &mut Headers) -> Result<(), MalformedFrame> {
    let line = std::str::from_utf8(line).map_err(|_| MalformedFrame::NotUtf8)?;
    // Values hold colons (node names with ports, times, filters): only the first one separates.
    let (name, value) = line.split_once(':').ok_or(MalformedFrame::NoHeaderName)?;
    if name.is_empty() {
        return Err(MalformedFrame::NoHeaderName);
    }
    if unescaped && memchr(b'\\', line.as_bytes()).is_some() {
        headers.push(&unescape(name)?, &unescape(value)?);
    } else {
        headers.push(name, value);
    }
    Ok(())
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
