//! Finds where one JSON value ends and checks its grammar on the way, in one pass that can be taken
//! up again when more bytes came.
//!
//! Checked: brackets and their order, commas and colons, strings (ends, escapes, no raw control
//! characters), numbers, the three literals, nesting depth. Not checked: UTF-8 (the text's owner
//! does), surrogate pairs of `\u` escapes, repeated member names. It builds nothing: what is inside
//! a value is read by `serde_json` when somebody looks.

use super::MAX_DEPTH;
use crate::error::{Error, Kind};

/// What is said of a value that nests over [`MAX_DEPTH`].
pub(crate) const TOO_DEEP: &str = "nesting over the bound of 100 levels";

/// Longest number; more digits than this mean nothing and would be read again with each new chunk.
const MAX_NUMBER: usize = 1024;

/// What breaks the grammar, and where, counted from the value's first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) at: usize,
    pub(crate) what: &'static str,
}

impl Fault {
    /// As an error; `before` is how many bytes of the document lie in front of the value.
    pub(crate) fn into_error(self, before: u64) -> Error {
        let at = before.saturating_add(u64::try_from(self.at).unwrap_or(u64::MAX));
        Error::new(
            Kind::Malformed,
            format!(
                "the answer is not well-formed JSON: {} at byte {at}",
                self.what
            ),
        )
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Want {
    Value,
    FirstElement,
    Key,
    FirstKey,
    Colon,
    CommaOrClose,
}

/// The place where scanning of one value stands.
#[derive(Debug, Clone)]
pub(crate) struct Scanner {
    at: usize,
    want: Want,
    depth: usize,
    /// One bit a level, the innermost lowest: set for an object, clear for an array.
    objects: u128,
    in_string: bool,
}

impl Default for Scanner {
    fn default() -> Self {
        Self {
            at: 0,
            want: Want::Value,
            depth: 0,
            objects: 0,
            in_string: false,
        }
    }
}

impl Scanner {
    /// Scans on. `bytes` starts at the value's first byte and holds at least what earlier calls
    /// were given. Returns where the value ends, or `None` when more is needed. A bare number's end
    /// shows only in the byte after it.
    pub(crate) fn resume(&mut self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        loop {
            if self.in_string {
                let rest = string_rest(bytes, self.at)?;
                self.at = rest.at;
                if !rest.closed {
                    return Ok(None);
                }
                self.in_string = false;
                if self.after_string() {
                    return Ok(Some(self.at));
                }
                continue;
            }
            self.at = skip_space(bytes, self.at);
            let Some(&byte) = bytes.get(self.at) else {
                return Ok(None);
            };
            match (self.want, byte) {
                (Want::Value | Want::FirstElement | Want::Key | Want::FirstKey, b'"') => {
                    self.at += 1;
                    self.in_string = true;
                }
                (Want::Colon, b':') => {
                    self.at += 1;
                    self.want = Want::Value;
                }
                (Want::CommaOrClose, b',') => {
                    self.at += 1;
                    self.want = if self.objects & 1 == 1 {
                        Want::Key
                    } else {
                        Want::Value
                    };
                }
                (Want::Value | Want::FirstElement, b'{') => self.open(true)?,
                (Want::Value | Want::FirstElement, b'[') => self.open(false)?,
                (Want::CommaOrClose | Want::FirstKey, b'}') if self.objects & 1 == 1 => {
                    if self.close() {
                        return Ok(Some(self.at));
                    }
                }
                (Want::CommaOrClose | Want::FirstElement, b']') if self.objects & 1 == 0 => {
                    if self.close() {
                        return Ok(Some(self.at));
                    }
                }
                (Want::Value | Want::FirstElement, _) => {
                    let Some(end) = plain(bytes, self.at)? else {
                        return Ok(None);
                    };
                    self.at = end;
                    self.want = Want::CommaOrClose;
                    if self.depth == 0 {
                        return Ok(Some(end));
                    }
                }
                (want, _) => return Err(self.fault(want.missing())),
            }
        }
    }

    /// Whether the value ended with this string.
    fn after_string(&mut self) -> bool {
        if matches!(self.want, Want::Key | Want::FirstKey) {
            self.want = Want::Colon;
            return false;
        }
        self.want = Want::CommaOrClose;
        self.depth == 0
    }

    fn open(&mut self, object: bool) -> Result<(), Fault> {
        if self.depth == MAX_DEPTH {
            return Err(self.fault(TOO_DEEP));
        }
        self.depth += 1;
        self.objects = self.objects << 1 | u128::from(object);
        self.at += 1;
        self.want = if object {
            Want::FirstKey
        } else {
            Want::FirstElement
        };
        Ok(())
    }

    /// Whether the value ended with this bracket.
    fn close(&mut self) -> bool {
        self.at += 1;
        self.depth -= 1;
        self.objects >>= 1;
        self.want = Want::CommaOrClose;
        self.depth == 0
    }

    fn fault(&self, what: &'static str) -> Fault {
        Fault { at: self.at, what }
    }
}

impl Want {
    fn missing(self) -> &'static str {
        match self {
            Self::Value | Self::FirstElement => "a value is missing",
            Self::Key | Self::FirstKey => "a member name is missing",
            Self::Colon => "a colon is missing",
            Self::CommaOrClose => "a comma or a closing bracket is missing",
        }
    }
}

/// How deep JSON nests, counted as its bytes pass by. It checks no grammar and holds nothing.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Nesting {
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Nesting {
    /// Takes the next bytes; whether a value in them nests deeper than `most`.
    pub(crate) fn is_over(&mut self, most: usize, bytes: &[u8]) -> bool {
        for byte in bytes {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                b'{' | b'[' if !self.in_string => {
                    self.depth += 1;
                    if self.depth > most {
                        return true;
                    }
                }
                b'}' | b']' if !self.in_string => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
        false
    }
}

/// Where the string ends whose opening quote stands at `at`, and whether it holds escapes; `None`
/// when it is cut.
pub(crate) fn string_end(bytes: &[u8], at: usize) -> Result<Option<(usize, bool)>, Fault> {
    if let Some(end) = plain_string_end(bytes, at) {
        return Ok(Some((end, false)));
    }
    let rest = string_rest(bytes, at + 1)?;
    Ok(rest.closed.then_some((rest.at, rest.escapes)))
}

/// Where a string without escapes ends, as most are, whose opening quote stands at `at`; `None` also
/// where the bytes end soon after it.
pub(crate) fn plain_string_end(bytes: &[u8], at: usize) -> Option<usize> {
    let mut at = at + 1;
    let mut rest = bytes.get(at..)?;
    while let Some((eight, after)) = rest.split_first_chunk::<8>() {
        let hits = special(u64::from_le_bytes(*eight));
        if hits != 0 {
            at += (hits.trailing_zeros() / 8) as usize;
            return (bytes.get(at) == Some(&b'"')).then_some(at + 1);
        }
        at += 8;
        rest = after;
    }
    None
}

/// Where the whole value that begins at `at` ends; `None` when it is cut. For text that is there in
/// full.
pub(crate) fn value_end(bytes: &[u8], at: usize) -> Result<Option<usize>, Fault> {
    match bytes.get(at) {
        Some(b'"') => Ok(string_end(bytes, at)?.map(|(end, _)| end)),
        Some(b'{' | b'[') => {
            let rest = bytes.get(at..).unwrap_or_default();
            let end = Scanner::default().resume(rest).map_err(|fault| Fault {
                at: at + fault.at,
                ..fault
            })?;
            Ok(end.map(|end| at + end))
        }
        Some(_) => plain(bytes, at),
        None => Ok(None),
    }
}

/// The first byte at or after `at` that is no white space.
pub(crate) fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
        at += 1;
    }
    at
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Eight bytes at once: a word whose lowest set bit lies in the first byte that is a quote, a
/// backslash or a control character. Bits above the lowest may be false; the lowest never is, since
/// a borrow only ever spreads upwards from a hit.
fn special(word: u64) -> u64 {
    let quote = word ^ (ONES * 0x22);
    let backslash = word ^ (ONES * 0x5c);
    ((quote.wrapping_sub(ONES) & !quote)
        | (backslash.wrapping_sub(ONES) & !backslash)
        | (word.wrapping_sub(ONES * 0x20) & !word))
        & HIGHS
}

/// How far a string goes.
struct Rest {
    /// Where to go on.
    at: usize,
    /// Whether the closing quote was passed.
    closed: bool,
    /// Whether there were escapes.
    escapes: bool,
}

/// Inside a string: the rest of it.
fn string_rest(bytes: &[u8], mut at: usize) -> Result<Rest, Fault> {
    let mut escapes = false;
    let rest = |at, closed, escapes| {
        Ok(Rest {
            at,
            closed,
            escapes,
        })
    };
    loop {
        while let Some(eight) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
            let hits = special(u64::from_le_bytes(*eight));
            if hits != 0 {
                at += (hits.trailing_zeros() / 8) as usize;
                break;
            }
            at += 8;
        }
        match bytes.get(at) {
            None => return rest(at, false, escapes),
            Some(b'"') => return rest(at + 1, true, escapes),
            Some(b'\\') => match escape(bytes, at)? {
                Some(end) => {
                    at = end;
                    escapes = true;
                }
                None => return rest(at, false, escapes),
            },
            Some(0..0x20) => {
                return Err(Fault {
                    at,
                    what: "a raw control character in a string",
                });
            }
            Some(_) => at += 1,
        }
    }
}

/// The end of the escape that starts at `at`; `None` when it is cut.
fn escape(bytes: &[u8], at: usize) -> Result<Option<usize>, Fault> {
    let fault = Fault {
        at,
        what: "an unknown escape in a string",
    };
    match bytes.get(at + 1) {
        None => Ok(None),
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(Some(at + 2)),
        Some(b'u') => {
            let digits = bytes.get(at + 2..).unwrap_or_default();
            let digits = digits.get(..4).unwrap_or(digits);
            if !digits.iter().all(u8::is_ascii_hexdigit) {
                Err(fault)
            } else if digits.len() < 4 {
                Ok(None)
            } else {
                Ok(Some(at + 6))
            }
        }
        Some(_) => Err(fault),
    }
}

/// The end of a number or literal; `None` when the bytes end before it is sure.
fn plain(bytes: &[u8], at: usize) -> Result<Option<usize>, Fault> {
    let rest = bytes.get(at..).unwrap_or_default();
    let mut length = 0;
    while let Some(b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'+' | b'-' | b'.') = rest.get(length)
        && length <= MAX_NUMBER
    {
        length += 1;
    }
    let word = rest.get(..length).unwrap_or_default();
    let fault = |what| Err(Fault { at, what });
    if length > MAX_NUMBER {
        fault("a number over the bound of 1024 digits")
    } else if length == rest.len() {
        Ok(None)
    } else if matches!(word, b"true" | b"false" | b"null") || is_number(word) {
        Ok(Some(at + length))
    } else {
        fault("a value is missing")
    }
}

/// RFC 8259, section 6.
fn is_number(word: &[u8]) -> bool {
    fn digits(word: &[u8]) -> Option<&[u8]> {
        let count = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 { None } else { word.get(count..) }
    }
    let word = word.strip_prefix(b"-").unwrap_or(word);
    let Some(mut rest) = (match word.strip_prefix(b"0") {
        Some(rest) => Some(rest),
        None => digits(word),
    }) else {
        return false;
    };
    if let Some(fraction) = rest.strip_prefix(b".") {
        match digits(fraction) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    if let Some((b'e' | b'E', exponent)) = rest.split_first() {
        let exponent = match exponent.split_first() {
            Some((b'+' | b'-', unsigned)) => unsigned,
            _ => exponent,
        };
        match digits(exponent) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests;
