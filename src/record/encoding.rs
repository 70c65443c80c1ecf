//! The encoding that a document is written in, and its bytes as UTF-8.
//!
//! Who says it, in this order (RFC 7303, section 3; RFC 8259, section 8.1): a byte order mark, the
//! `charset` of the Content-Type, an XML declaration; else it is UTF-8. UTF-8 passes through as it
//! came, at no cost, also where it is not valid: one strange user name must not hide a list, so the
//! readers replace what they cannot read. Of every other encoding invalid bytes are refused, since
//! they show that the declaration is untrue. It knows neither XML nor JSON beyond the declaration.

use std::io::{self, BufRead, Read};

use encoding_rs::{DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};
use quick_xml::events::Event;

use crate::error::{Error, Kind, Result};

/// Bytes in which an XML declaration must end.
const LONGEST_DECLARATION: usize = 1024;

/// How much of an unknown encoding's name is said.
const LONGEST_NAME: usize = 40;

/// What a document is, as far as that says where its encoding may be declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// In the declaration, too.
    Xml,
    /// Nowhere inside.
    Json,
}

enum Decoding {
    /// The beginning, as long as it does not tell the encoding.
    Beginning(Vec<u8>),
    Utf8,
    Other(Box<encoding_rs::Decoder>),
}

/// Bytes in, UTF-8 out, whatever the cuts.
pub(crate) struct Decoder {
    format: Format,
    charset: Option<String>,
    state: Decoding,
    /// Bytes done with.
    at: u64,
}

impl Decoder {
    /// `charset`: what the Content-Type says.
    pub(crate) fn new(format: Format, charset: Option<&str>) -> Self {
        Self {
            format,
            charset: charset.map(str::to_owned),
            state: Decoding::Beginning(Vec::new()),
            at: 0,
        }
    }

    /// Whether bytes now pass through as they come.
    fn passes_through(&self) -> bool {
        matches!(self.state, Decoding::Utf8)
    }

    /// The next bytes as UTF-8, in `room` where they are not what they were; `last`: no more come.
    /// UTF-8 that was not valid stays so.
    ///
    /// Errors: [`Kind::Malformed`] for an encoding that nobody knows, and for bytes that are not in
    /// the declared one.
    pub(crate) fn decode<'b>(
        &mut self,
        bytes: &'b [u8],
        last: bool,
        room: &'b mut Vec<u8>,
    ) -> Result<&'b [u8]> {
        room.clear();
        if let Decoding::Beginning(begun) = &mut self.state {
            begun.extend_from_slice(bytes);
            if !last && is_undecided(begun, self.format, self.charset.as_deref()) {
                return Ok(room);
            }
            let begun = std::mem::take(begun);
            let (encoding, mark) = encoding(&begun, self.format, self.charset.as_deref())?;
            let rest = begun.get(mark..).unwrap_or_default();
            if encoding == UTF_8 {
                self.state = Decoding::Utf8;
                room.extend_from_slice(rest);
                return Ok(room);
            }
            let mut decoder = encoding.new_decoder_without_bom_handling();
            self.at = mark as u64;
            decode(&mut decoder, rest, last, self.at, room)?;
            self.at += rest.len() as u64;
            self.state = Decoding::Other(Box::new(decoder));
            return Ok(room);
        }
        match &mut self.state {
            Decoding::Other(decoder) => {
                decode(decoder, bytes, last, self.at, room)?;
                self.at += bytes.len() as u64;
                Ok(room)
            }
            _ => Ok(bytes),
        }
    }
}

/// Appends `bytes`, which begin `at` bytes into the document, to `room`.
fn decode(
    decoder: &mut encoding_rs::Decoder,
    bytes: &[u8],
    last: bool,
    at: u64,
    room: &mut Vec<u8>,
) -> Result<()> {
    let too_long = || Error::new(Kind::Malformed, "a piece of the answer is too long");
    let most = decoder
        .max_utf8_buffer_length_without_replacement(bytes.len())
        .ok_or_else(too_long)?;
    room.resize(most, 0);
    let (result, read, written) = decoder.decode_to_utf8_without_replacement(bytes, room, last);
    room.truncate(written);
    match result {
        DecoderResult::InputEmpty => Ok(()),
        DecoderResult::OutputFull => Err(too_long()),
        DecoderResult::Malformed(..) => {
            let name = decoder.encoding().name();
            let at = at + read as u64;
            Err(untrue(&format!(
                "it declares {name}, and byte {at} is not in it"
            )))
        }
    }
}

/// Whether more bytes are needed to tell the encoding.
fn is_undecided(begun: &[u8], format: Format, charset: Option<&str>) -> bool {
    if begun.len() < 3 {
        return true;
    }
    let may_declare = format == Format::Xml && charset.is_none() && !has_mark(begun);
    let head = begun.get(..5).unwrap_or(begun);
    may_declare
        && b"<?xml".starts_with(head)
        && begun.len() < LONGEST_DECLARATION
        && memchr::memmem::find(begun, b"?>").is_none()
}

fn has_mark(begun: &[u8]) -> bool {
    Encoding::for_bom(begun).is_some()
}

/// The encoding, and the length of the byte order mark in front.
fn encoding(
    begun: &[u8],
    format: Format,
    charset: Option<&str>,
) -> Result<(&'static Encoding, usize)> {
    if let Some(marked) = Encoding::for_bom(begun) {
        return Ok(marked);
    }
    // A document begins with an ASCII character, which has a zero byte beside it in UTF-16.
    let wide = match begun {
        [0, second, ..] if *second > 0 => Some(UTF_16BE),
        [first, 0, ..] if *first > 0 => Some(UTF_16LE),
        _ => None,
    };
    let declared = match (charset, format) {
        (Some(charset), _) => Some(charset.to_owned()),
        (None, Format::Xml) => declared_in(begun),
        (None, Format::Json) => None,
    };
    let Some(declared) = declared else {
        return Ok((wide.unwrap_or(UTF_8), 0));
    };
    let label = declared.trim().to_ascii_lowercase();
    let known = Encoding::for_label_no_replacement(label.as_bytes()).ok_or_else(|| {
        let name: String = declared.chars().take(LONGEST_NAME).collect();
        untrue(&format!(
            "it declares the encoding '{name}', which is none that is known"
        ))
    })?;
    if known != UTF_16LE && known != UTF_16BE {
        return Ok((known, 0));
    }
    // "UTF-16" leaves the order of the bytes to the mark, or to the first character.
    let ordered = label.ends_with("le") || label.ends_with("be");
    match wide.filter(|wide| !ordered || *wide == known) {
        Some(wide) => Ok((wide, 0)),
        None if begun.is_empty() => Ok((UTF_8, 0)),
        None => Err(untrue(&format!(
            "it declares {declared}, and does not begin so"
        ))),
    }
}

/// What the XML declaration says, if there is one.
fn declared_in(begun: &[u8]) -> Option<String> {
    let head = begun.get(..LONGEST_DECLARATION).unwrap_or(begun);
    let end = memchr::memmem::find(head, b"?>")? + 2;
    let text = std::str::from_utf8(head.get(..end)?).ok()?;
    match quick_xml::Reader::from_str(text).read_event() {
        Ok(Event::Decl(declaration)) => {
            let encoding = declaration.encoding()?.ok()?;
            Some(encoding.into_owned())
        }
        _ => None,
    }
}

fn untrue(what: &str) -> Error {
    Error::new(
        Kind::Malformed,
        format!("the answer cannot be read: {what}"),
    )
    .hint("the server, or a gateway on the way, declares another encoding than it writes; ISE itself writes UTF-8")
}

/// A whole document as UTF-8, see [`Decoder`].
pub(crate) fn to_utf8(bytes: Vec<u8>, format: Format, charset: Option<&str>) -> Result<Vec<u8>> {
    let (encoding, mark) = encoding(&bytes, format, charset)?;
    if encoding == UTF_8 && mark == 0 {
        return Ok(bytes);
    }
    let mut room = Vec::new();
    let mut decoder = Decoder::new(format, charset);
    decoder.decode(&bytes, true, &mut room)?;
    Ok(room)
}

/// A reader whose bytes are UTF-8 (as far as they were valid), whatever encoding they came in.
pub(crate) struct Utf8<R> {
    reader: R,
    decoder: Decoder,
    room: Vec<u8>,
    consumed: usize,
    ended: bool,
}

impl<R: BufRead> Utf8<R> {
    /// Reads `reader`; `charset` is what the Content-Type says.
    pub(crate) fn new(reader: R, format: Format, charset: Option<&str>) -> Self {
        Self {
            reader,
            decoder: Decoder::new(format, charset),
            room: Vec::new(),
            consumed: 0,
            ended: false,
        }
    }
}

impl<R: BufRead> BufRead for Utf8<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.consumed >= self.room.len() {
            if self.decoder.passes_through() {
                return self.reader.fill_buf();
            }
            if self.ended {
                return Ok(&[]);
            }
            let bytes = self.reader.fill_buf()?;
            let length = bytes.len();
            self.ended = length == 0;
            self.consumed = 0;
            self.decoder
                .decode(bytes, self.ended, &mut self.room)
                .map_err(io::Error::other)?;
            self.reader.consume(length);
        }
        Ok(self.room.get(self.consumed..).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        if self.consumed < self.room.len() {
            self.consumed += amount;
        } else {
            self.reader.consume(amount);
        }
    }
}

impl<R: BufRead> Read for Utf8<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut available = self.fill_buf()?;
        let amount = available.read(buffer)?;
        self.consume(amount);
        Ok(amount)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAME: &str = "Müller";

    /// The document in an encoding's bytes; UTF-16 is not an encoder of the crate's.
    fn bytes(text: &str, label: &str) -> Vec<u8> {
        match label {
            "utf-16le" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            "utf-16be" => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            _ => Encoding::for_label(label.as_bytes())
                .unwrap()
                .encode(text)
                .0
                .into_owned(),
        }
    }

    /// Decoded at once and in pieces of `size`, which must be the same.
    fn decoded(bytes: &[u8], format: Format, charset: Option<&str>, size: usize) -> Result<String> {
        let whole = to_utf8(bytes.to_vec(), format, charset);
        let pieces = io::BufReader::with_capacity(size, bytes);
        let mut read = Vec::new();
        let outcome = Utf8::new(pieces, format, charset).read_to_end(&mut read);
        assert_eq!(whole.is_ok(), outcome.is_ok(), "{whole:?} {outcome:?}");
        let whole = whole?;
        assert_eq!(whole, read);
        Ok(String::from_utf8_lossy(&whole).into_owned())
    }

    #[test]
    fn the_declaration_the_charset_and_the_mark_are_believed_in_the_right_order() {
        let xml =
            |declared: &str| format!("<?xml version='1.0' encoding='{declared}' ?><a>{NAME}</a>");
        let plain = format!("<a>{NAME}</a>");
        let mark = |text: &str| format!("\u{feff}{text}");
        for (text, written, charset) in [
            (xml("ISO-8859-1"), "iso-8859-1", None),
            (xml("windows-1252"), "windows-1252", None),
            (xml("utf-8"), "utf-8", None),
            (plain.clone(), "utf-8", None),
            (plain.clone(), "iso-8859-1", Some("ISO-8859-1")),
            // The charset goes before the declaration, the mark before both.
            (xml("utf-8"), "iso-8859-15", Some("iso-8859-15")),
            (xml("utf-16"), "utf-8", Some("utf-8")),
            (mark(&xml("iso-8859-1")), "utf-8", Some("iso-8859-1")),
            (mark(&xml("iso-8859-1")), "utf-16le", Some("iso-8859-1")),
            (mark(&xml("UTF-16")), "utf-16be", None),
            (plain.clone(), "utf-16be", Some("utf-16")),
            (plain.clone(), "utf-16le", Some("utf-16")),
            (plain.clone(), "utf-16le", Some("utf-16le")),
            (plain.clone(), "utf-16be", None),
        ] {
            let bytes = bytes(&text, written);
            for size in [1, 2, 3, 7, 4096] {
                let read = decoded(&bytes, Format::Xml, charset, size).unwrap();
                assert_eq!(
                    read,
                    text.trim_start_matches('\u{feff}'),
                    "{text} {written}"
                );
            }
        }
        let json = format!("{{\"a\":\"{NAME}\"}}");
        for (written, charset) in [
            ("utf-8", None),
            ("windows-1252", Some("windows-1252")),
            ("utf-16le", None),
        ] {
            let read = decoded(&bytes(&json, written), Format::Json, charset, 5).unwrap();
            assert_eq!(read, json);
        }
    }

    #[test]
    fn what_cannot_be_decoded_is_refused_and_utf8_is_left_to_the_readers() {
        let odd = b"<?xml version='1.0' encoding='x-odd'?><a/>";
        let ascii = b"<?xml version='1.0' encoding='UTF-16'?><a/>";
        let half = [
            &b"\xff\xfe"[..],
            &bytes("<a>", "utf-16le"),
            b"\x00\xd8<\x00",
        ]
        .concat();
        let shift_jis = b"<?xml version='1.0' encoding='Shift_JIS'?><a>\x85</a>";
        for (bytes, charset, words) in [
            (&odd[..], None, "'x-odd', which is none that is known"),
            (b"<a/>", Some("klingon"), "'klingon'"),
            (ascii, None, "declares UTF-16, and does not begin so"),
            (b"<a/>", Some("utf-16be"), "does not begin so"),
            (&half, None, "declares UTF-16LE, and byte 10 is not in it"),
            (shift_jis, None, "declares Shift_JIS, and byte"),
        ] {
            let error = decoded(bytes, Format::Xml, charset, 3).unwrap_err();
            assert_eq!(error.kind(), Kind::Malformed);
            assert!(error.message().contains(words), "{error}");
            assert!(error.hint_text().is_some());
        }
        let invalid = b"<a>M\xfcller</a>";
        assert_eq!(
            to_utf8(invalid.to_vec(), Format::Xml, None).unwrap(),
            invalid
        );
        assert_eq!(
            to_utf8(invalid.to_vec(), Format::Xml, Some("UTF-8")).unwrap(),
            invalid
        );
        assert_eq!(
            to_utf8(Vec::new(), Format::Json, Some("utf-16")).unwrap(),
            b""
        );
    }

    proptest! {
        #[test]
        fn any_bytes_give_the_same_in_any_cuts(
            bytes in proptest::collection::vec(any::<u8>(), 0..40),
            head in prop::sample::select(&["", "<?xml version='1.0' encoding='shift_jis'?>", "<?xml", "\u{feff}", "<a>"]),
            charset in prop::option::of(prop::sample::select(&["utf-16", "big5", "utf-8", "x"])),
            size in 1_usize..9,
        ) {
            let bytes = [head.as_bytes(), &bytes].concat();
            for format in [Format::Xml, Format::Json] {
                let _ = decoded(&bytes, format, charset, size);
            }
        }
    }
}
