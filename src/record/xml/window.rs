//! The bytes of a body as a moving window of valid text: what the parser has used is dropped, what
//! it could not finish stays.
//!
//! What is written in another encoding is decoded; invalid UTF-8 becomes U+FFFD, the same however
//! the bytes were cut into chunks. The window knows no XML.

use std::io::{BufRead, ErrorKind};

use crate::error::{Error, Kind, Result};
use crate::record::encoding::{Decoder, Format};

/// Bytes taken from the reader at once: small enough for the processor's cache, large enough to
/// amortise a parser's start.
const CHUNK: usize = 64 << 10;
/// A rest up to this length is parsed again with every chunk; a longer one only once the window
/// doubled, so that one long piece costs linear time.
const CHEAP: usize = 4 << 10;

/// See the module's documentation.
pub(super) struct Window<'r> {
    reader: &'r mut dyn BufRead,
    decoder: Decoder,
    /// Decoded bytes on their way into `text`.
    room: Vec<u8>,
    text: String,
    /// The beginning of a character whose end has not come yet.
    partial: Vec<u8>,
    /// Where `text` begins in the document, in bytes of decoded text.
    offset: u64,
    ended: bool,
}

impl<'r> Window<'r> {
    /// `charset`: what the Content-Type says.
    pub(super) fn new(reader: &'r mut dyn BufRead, charset: Option<&str>) -> Self {
        Self {
            reader,
            decoder: Decoder::new(Format::Xml, charset),
            room: Vec::new(),
            text: String::with_capacity(2 * CHUNK),
            partial: Vec::new(),
            offset: 0,
            ended: false,
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether nothing comes after what the window holds.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// Drops the first `used` bytes.
    pub(super) fn consume(&mut self, used: usize) {
        self.text.drain(..used);
        self.offset += used as u64;
    }

    /// Reads on, and shows the bytes as they came to `raw`. Whether the reader told a pause: all
    /// that has come is here.
    pub(super) fn fill(&mut self, mut raw: impl FnMut(&[u8]) -> Result<()>) -> Result<bool> {
        let rest = self.text.len();
        let enough = if rest <= CHEAP { rest + 1 } else { 2 * rest };
        while self.text.len() < enough && !self.ended {
            let available = match self.reader.fill_buf() {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(from_io(&error)),
            };
            let chunk = available.get(..CHUNK).unwrap_or(available);
            let length = chunk.len();
            if length == 0 {
                self.ended = true;
                let rest = self.decoder.decode(&[], true, &mut self.room)?;
                decode(rest, &mut self.partial, &mut self.text);
                if !self.partial.is_empty() {
                    self.text.push(char::REPLACEMENT_CHARACTER);
                }
                break;
            }
            raw(chunk)?;
            let utf8 = self.decoder.decode(chunk, false, &mut self.room)?;
            decode(utf8, &mut self.partial, &mut self.text);
            self.reader.consume(length);
        }
        Ok(false)
    }
}

/// Appends `chunk` to `text`; the beginning of a character at its end waits in `partial`.
fn decode(chunk: &[u8], partial: &mut Vec<u8>, text: &mut String) {
    let joined;
    let mut bytes = chunk;
    if !partial.is_empty() {
        partial.extend_from_slice(chunk);
        joined = std::mem::take(partial);
        bytes = &joined;
    }
    loop {
        let error = match std::str::from_utf8(bytes) {
            Ok(valid) => return text.push_str(valid),
            Err(error) => error,
        };
        let (valid, rest) = bytes.split_at(error.valid_up_to());
        text.push_str(std::str::from_utf8(valid).unwrap_or_default());
        let Some(length) = error.error_len() else {
            partial.extend_from_slice(rest);
            return;
        };
        text.push(char::REPLACEMENT_CHARACTER);
        bytes = rest.get(length..).unwrap_or_default();
    }
}

/// The fact behind a failed read: the reader's own [`Error`] where it wrapped one.
fn from_io(error: &std::io::Error) -> Error {
    if let Some(fact) = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>())
    {
        return fact.clone();
    }
    let kind = match error.kind() {
        ErrorKind::UnexpectedEof => Kind::Truncated,
        ErrorKind::TimedOut => Kind::TimedOut,
        _ => Kind::Connect,
    };
    Error::new(kind, format!("reading the answer failed: {error}"))
}
