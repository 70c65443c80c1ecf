//! Terminal safety: names of users and hosts are chosen by whoever plugs into the network, so what
//! could steer a terminal, reorder a line or hide in it becomes a visible escape.
//!
//! Every cell, error message, status line and line of the trace that goes to a terminal passes
//! through here, and nowhere else is a list of such characters kept. What goes to a pipe or a file
//! does not: it is data there. What has a structure (JSON) is made safe in its values, by escapes
//! of its own, so that it can still be read.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_width::UnicodeWidthChar;

/// Combining marks allowed on one base character; honest scripts need fewer, and a pile of them
/// draws over other lines.
const MARKS: usize = 4;

/// Whether a terminal must never see this character raw: it steers, reorders or hides, or nobody
/// can tell what it is by looking.
///
/// The one list of the program, by kind: control; format (Unicode's Cf) and all that is ignorable
/// by default, also what is only reserved for it; separators of lines and paragraphs; blanks that
/// are no space, and letters, fillers and notes that are drawn as nothing; variation selectors;
/// private use; noncharacters. A space is the only blank that looks like what it is.
#[must_use]
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{a0}'                        // no-break space
            | '\u{ad}'                      // soft hyphen
            | '\u{34f}'                     // combining grapheme joiner
            | '\u{600}'..='\u{605}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}'
                                            // Arabic and Syriac signs that reach over what follows
            | '\u{61c}'                     // Arabic letter mark
            | '\u{115f}'..='\u{1160}'       // Hangul fillers
            | '\u{1680}'                    // Ogham space
            | '\u{17b4}'..='\u{17b5}'       // invisible Khmer vowels
            | '\u{180b}'..='\u{180f}'       // Mongolian selectors
            | '\u{2000}'..='\u{200f}'       // blanks of many widths, zero width, direction marks
            | '\u{2028}'..='\u{202f}'       // line and paragraph separator, bidi embedding, narrow blank
            | '\u{205f}'..='\u{206f}'       // joiners, invisible operators, bidi isolates
            | '\u{2800}'                    // braille pattern without dots
            | '\u{3000}'                    // ideographic space
            | '\u{3164}' | '\u{ffa0}'       // more Hangul fillers
            | '\u{e000}'..='\u{f8ff}'       // private use
            | '\u{fdd0}'..='\u{fdef}'       // noncharacters
            | '\u{fe00}'..='\u{fe0f}'       // variation selectors
            | '\u{feff}'                    // byte order mark
            | '\u{fff0}'..='\u{fffc}'       // specials: annotation, object replacement
            | '\u{110bd}' | '\u{110cd}'     // Kaithi number signs
            | '\u{13430}'..='\u{1343f}'     // Egyptian format controls
            | '\u{16fe4}'                   // Khitan filler
            | '\u{1bca0}'..='\u{1bca3}'     // shorthand format controls
            | '\u{1d159}'                   // musical null notehead
            | '\u{1d173}'..='\u{1d17a}'     // musical format controls
            | '\u{e0000}'..='\u{e0fff}'     // tags, further variation selectors
            | '\u{f0000}'..='\u{10ffff}'    // private use
        )
        // The last two of each plane are noncharacters.
        || u32::from(c) & 0xfffe == 0xfffe
}

/// Judges characters in their order: a mark is hostile only behind too many others.
#[derive(Debug, Clone, Copy, Default)]
struct MarkCounter {
    /// Marks seen since the last character that takes room.
    marks: usize,
}

impl MarkCounter {
    fn is_hostile(&mut self, c: char) -> bool {
        self.marks = if c.width() == Some(0) {
            self.marks.saturating_add(1)
        } else {
            0
        };
        is_unsafe(c) || self.marks > MARKS
    }

    /// Appends the text with what is hostile written by `escape`, apart from what `stays`.
    fn write(
        &mut self,
        text: &str,
        stays: impl Fn(char) -> bool,
        escape: fn(char, &mut String),
        out: &mut String,
    ) {
        for c in text.chars() {
            if self.is_hostile(c) && !stays(c) {
                escape(c, out);
            } else {
                out.push(c);
            }
        }
    }
}

/// The text with everything unsafe written visibly (`\x1b`, `\u{202e}`); line ends and tabs too.
/// Printable ASCII is never changed, and text without anything unsafe is not copied.
#[must_use]
pub fn terminal_safe(text: &str) -> Cow<'_, str> {
    safe_but(text, |_| false)
}

/// Several lines for a terminal: line ends and tabs stay, the rest is as in [`terminal_safe`].
#[must_use]
pub fn terminal_safe_lines(text: &str) -> Cow<'_, str> {
    safe_but(text, is_layout)
}

fn safe_but(text: &str, stays: impl Fn(char) -> bool) -> Cow<'_, str> {
    if is_printable_ascii(text) {
        return Cow::Borrowed(text);
    }
    let mut judge = MarkCounter::default();
    if !text.chars().any(|c| judge.is_hostile(c) && !stays(c)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    MarkCounter::default().write(text, stays, push_escape, &mut out);
    Cow::Owned(out)
}

fn is_printable_ascii(text: &str) -> bool {
    text.bytes().all(|byte| (0x20..0x7f).contains(&byte))
}

/// What lays out a text of several lines.
fn is_layout(c: char) -> bool {
    matches!(c, '\n' | '\t')
}

/// Appends the visible form of one character.
pub(crate) fn push_escape(c: char, out: &mut String) {
    let code = u32::from(c);
    // Writing to a String cannot fail.
    let _ = if code < 0x100 {
        write!(out, "\\x{code:02x}")
    } else {
        write!(out, "\\u{{{code:x}}}")
    };
}

/// Appends one character as JSON writes it in a string, by its UTF-16 units.
fn push_json_escape(c: char, out: &mut String) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        // Writing to a String cannot fail.
        let _ = write!(out, "\\u{unit:04x}");
    }
}

/// JSON with unsafe characters as `\u` escapes, which leaves it valid and its value the same.
#[must_use]
pub fn json_safe(text: &str) -> Cow<'_, str> {
    if is_printable_ascii(text) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    MarkCounter::default().write(text, |_| false, push_json_escape, &mut out);
    Cow::Owned(out)
}

/// What a [`SafeStream`] carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Any text: escapes as in [`terminal_safe_lines`], bytes that are no UTF-8 as `\xNN`.
    Text,
    /// JSON: escapes as in [`json_safe`], so that it stays what it was; bytes that are no UTF-8 as
    /// U+FFFD.
    Json,
}

/// Makes a stream of bytes safe for a terminal, chunk by chunk, wherever they were cut: line ends
/// and tabs stay.
#[derive(Debug)]
pub struct SafeStream {
    content: Content,
    rest: Vec<u8>,
    /// Goes on over the chunks: a pile of marks may be cut anywhere.
    judge: MarkCounter,
}

impl SafeStream {
    /// Nothing has come yet.
    pub fn new(content: Content) -> Self {
        Self {
            content,
            rest: Vec::new(),
            judge: MarkCounter::default(),
        }
    }

    /// Appends the safe form of the next chunk; the start of a character that the next chunk
    /// completes is kept back.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let escape = match self.content {
            Content::Text => push_escape,
            Content::Json => push_json_escape,
        };
        let mut held = std::mem::take(&mut self.rest);
        held.extend_from_slice(bytes);
        let mut shown = String::with_capacity(held.len());
        for chunk in held.utf8_chunks() {
            self.give_up(out);
            shown.clear();
            self.judge
                .write(chunk.valid(), is_layout, escape, &mut shown);
            out.extend_from_slice(shown.as_bytes());
            self.rest.extend_from_slice(chunk.invalid());
        }
        // A whole wrong sequence is of no use to the next chunk; only an unfinished one at the very
        // end is.
        if std::str::from_utf8(&self.rest).is_err_and(|error| error.error_len().is_some()) {
            self.give_up(out);
        }
    }

    /// Appends what was kept back; what is pushed afterwards is a new text.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        self.give_up(out);
        self.judge = MarkCounter::default();
    }

    /// Appends what can no longer become a character.
    fn give_up(&mut self, out: &mut Vec<u8>) {
        if self.rest.is_empty() {
            return;
        }
        self.judge = MarkCounter::default();
        match self.content {
            Content::Text => {
                for byte in self.rest.drain(..) {
                    out.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
                }
            }
            Content::Json => {
                self.rest.clear();
                out.extend_from_slice("\u{fffd}".as_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn attacks_become_visible() {
        for (raw, shown) in [
            ("\u{1b}]52;c;cm0gLXJm\u{7}", "\\x1b]52;c;cm0gLXJm\\x07"),
            ("\u{9b}31m", "\\x9b31m"),
            ("a\nb\tc\r", "a\\x0ab\\x09c\\x0d"),
            ("adm\u{200b}in", "adm\\u{200b}in"),
            ("\u{202e}cod.exe", "\\u{202e}cod.exe"),
            ("x\u{e0041}", "x\\u{e0041}"),
            ("ok\u{2028}no", "ok\\u{2028}no"),
            ("root\u{2800}", "root\\u{2800}"),
            ("pat\u{a0}kim", "pat\\xa0kim"),
            ("\u{3164}\u{ffa0}\u{115f}", "\\u{3164}\\u{ffa0}\\u{115f}"),
            (
                "\u{e000}\u{f8ff}\u{100000}",
                "\\u{e000}\\u{f8ff}\\u{100000}",
            ),
            ("\u{fdd0}\u{fffe}\u{1ffff}", "\\u{fdd0}\\u{fffe}\\u{1ffff}"),
            (
                "\u{1d159}\u{16fe4}\u{13430}",
                "\\u{1d159}\\u{16fe4}\\u{13430}",
            ),
            ("a\u{fe0f}\u{e0100}\u{ad}", "a\\u{fe0f}\\u{e0100}\\xad"),
        ] {
            assert_eq!(terminal_safe(raw), shown);
        }
    }

    #[test]
    fn honest_names_stay() {
        for name in [
            "CORP\\alice",
            "Zoë",
            "Zoe\u{308}",
            "משה",
            "محمد",
            "山田",
            "😀",
        ] {
            assert!(matches!(terminal_safe(name), Cow::Borrowed(same) if same == name));
        }
    }

    #[test]
    fn a_pile_of_marks_is_cut() {
        let pile = format!("a{}", "\u{301}".repeat(50));
        assert_eq!(terminal_safe(&pile).matches("\\u{301}").count(), 50 - MARKS);
    }

    #[test]
    fn a_pile_of_marks_is_cut_wherever_its_chunks_end() {
        let pile = format!("a{}", "\u{301}".repeat(50));
        for size in [1, 2, 3, 7, 64] {
            let (mut stream, mut shown) = (SafeStream::new(Content::Text), Vec::new());
            for chunk in pile.as_bytes().chunks(size) {
                stream.push(chunk, &mut shown);
            }
            stream.end(&mut shown);
            assert_eq!(String::from_utf8(shown).unwrap(), terminal_safe(&pile));
        }
    }

    #[test]
    fn a_pile_of_marks_in_json_keeps_its_value() {
        let pile = format!("\"a{}\"", "\u{301}".repeat(50));
        let shown = json_safe(&pile);
        assert_eq!(shown.matches("\\u0301").count(), 50 - MARKS);
        assert_eq!(
            serde_json::from_str::<String>(&shown).unwrap(),
            serde_json::from_str::<String>(&pile).unwrap()
        );
    }

    #[test]
    fn every_blank_but_the_space_is_visible() {
        for c in ('\0'..=char::MAX).filter(|c| c.is_whitespace() && *c != ' ') {
            assert!(is_unsafe(c), "{:x}", u32::from(c));
        }
    }

    #[test]
    fn json_in_pieces_stays_json() {
        let json = "{\"name\":\"Zo\u{eb}\u{9b}31m\u{202e}\u{e0041}\",\n\t\"b\":[1]}";
        for size in 1..9 {
            let (mut stream, mut shown) = (SafeStream::new(Content::Json), Vec::new());
            for chunk in json.as_bytes().chunks(size) {
                stream.push(chunk, &mut shown);
            }
            stream.end(&mut shown);
            let shown = String::from_utf8(shown).unwrap();
            assert!(
                shown.contains("Zo\u{eb}\\u009b31m\\u202e\\udb40\\udc41"),
                "{shown}"
            );
            let value = |text| serde_json::from_str::<serde_json::Value>(text).unwrap();
            assert_eq!(value(&shown), value(json));
        }
        let (mut stream, mut shown) = (SafeStream::new(Content::Json), Vec::new());
        stream.push(b"\"a\xc3", &mut shown);
        stream.push(b"\x1b\xff\"", &mut shown);
        stream.end(&mut shown);
        assert_eq!(
            String::from_utf8(shown).unwrap(),
            "\"a\u{fffd}\\u001b\u{fffd}\""
        );
    }

    proptest! {
        #[test]
        fn nothing_unsafe_comes_out(text in any::<String>()) {
            prop_assert!(!terminal_safe(&text).chars().any(is_unsafe));
            prop_assert!(!terminal_safe_lines(&text).chars().any(|c| is_unsafe(c) && c != '\n' && c != '\t'));
        }

        #[test]
        fn printable_ascii_is_unchanged(text in "[ -~]*") {
            prop_assert_eq!(terminal_safe(&text), text.as_str());
        }

        #[test]
        fn chunks_do_not_matter(text in "(.|[\u{300}-\u{305}\u{1ab0}\u{1e000}]{1,9})*", wrong in any::<Vec<u8>>(), size in 1_usize..5) {
            let mut bytes = text.into_bytes();
            bytes.extend(wrong);
            let (mut whole, mut parts) = (Vec::new(), Vec::new());
            let mut stream = SafeStream::new(Content::Text);
            stream.push(&bytes, &mut whole);
            stream.end(&mut whole);
            for chunk in bytes.chunks(size) {
                stream.push(chunk, &mut parts);
            }
            stream.end(&mut parts);
            prop_assert_eq!(&whole, &parts);
            let shown = String::from_utf8(whole).unwrap();
            prop_assert!(!shown.chars().any(|c| is_unsafe(c) && c != '\n' && c != '\t'));
        }

        #[test]
        fn safe_json_has_the_same_value(text in any::<String>()) {
            let json = serde_json::to_string(&text).unwrap();
            let safe = json_safe(&json);
            prop_assert!(!safe.chars().any(is_unsafe));
            prop_assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), text);
        }
    }
}
