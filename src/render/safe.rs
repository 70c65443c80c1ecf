//! Terminal safety: names of users and hosts are chosen by whoever plugs into the network, so what could steer a terminal,
//! reorder a line or hide in it becomes a visible escape.
//!
//! Every cell, error message and status line that goes to a terminal passes through [`terminal_safe`]. What goes to a pipe or a
//! file does not: it is data there. The set follows fd's sanitising (control, bidi, zero-width) and adds Unicode's other
//! default-ignorable characters.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_width::UnicodeWidthChar;

/// Combining marks allowed on one base character; honest scripts need fewer, and a pile of them draws over other lines.
const MARKS: usize = 4;

/// Whether a terminal must never see this character raw.
#[must_use]
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}'                        // soft hyphen
            | '\u{34f}'                     // combining grapheme joiner
            | '\u{61c}'                     // Arabic letter mark
            | '\u{115f}'..='\u{1160}'       // Hangul fillers
            | '\u{17b4}'..='\u{17b5}'       // invisible Khmer vowels
            | '\u{180b}'..='\u{180f}'       // Mongolian selectors
            | '\u{200b}'..='\u{200f}'       // zero width, direction marks
            | '\u{2028}'..='\u{202e}'       // line and paragraph separator, bidi embedding
            | '\u{2060}'..='\u{206f}'       // joiners, invisible operators, bidi isolates
            | '\u{3164}' | '\u{ffa0}'       // more Hangul fillers
            | '\u{fe00}'..='\u{fe0f}'       // variation selectors
            | '\u{feff}'                    // byte order mark
            | '\u{fff0}'..='\u{fffb}'       // specials, interlinear annotation
            | '\u{1bca0}'..='\u{1bca3}'     // shorthand format controls
            | '\u{1d173}'..='\u{1d17a}'     // musical format controls
            | '\u{e0000}'..='\u{e0fff}'     // tags, further variation selectors
        )
}

/// Judges characters in their order: a mark is hostile only behind too many others.
#[derive(Debug, Clone, Copy, Default)]
struct Judge {
    /// Marks seen since the last character that takes room.
    marks: usize,
}

impl Judge {
    fn is_hostile(&mut self, c: char) -> bool {
        self.marks = if c.width() == Some(0) {
            self.marks.saturating_add(1)
        } else {
            0
        };
        is_unsafe(c) || self.marks > MARKS
    }

    /// Appends the text with what is hostile written visibly, apart from what `stays`.
    fn write(&mut self, text: &str, stays: impl Fn(char) -> bool, out: &mut String) {
        for c in text.chars() {
            if self.is_hostile(c) && !stays(c) {
                push_escape(c, out);
            } else {
                out.push(c);
            }
        }
    }
}

/// The text with everything unsafe written visibly (`\x1b`, `\u{202e}`); line ends and tabs too. Printable ASCII is
/// never changed, and text without anything unsafe is not copied.
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
    if text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return Cow::Borrowed(text);
    }
    let mut judge = Judge::default();
    if !text.chars().any(|c| judge.is_hostile(c) && !stays(c)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    Judge::default().write(text, stays, &mut out);
    Cow::Owned(out)
}

/// What lays out a text of several lines.
fn is_layout(c: char) -> bool {
    matches!(c, '\n' | '\t')
}

/// Appends the visible form of one character.
pub(super) fn push_escape(c: char, out: &mut String) {
    let code = u32::from(c);
    // Writing to a String cannot fail.
    let _ = if code < 0x100 {
        write!(out, "\\x{code:02x}")
    } else {
        write!(out, "\\u{{{code:x}}}")
    };
}

/// Appends text from inside JSON with unsafe characters as `\u` escapes, which leaves the JSON valid and its value the same.
pub(super) fn push_json_safe(text: &str, out: &mut Vec<u8>) {
    if text.is_ascii() && !text.as_bytes().contains(&0x7f) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    let mut judge = Judge::default();
    for c in text.chars() {
        if judge.is_hostile(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
            }
        } else {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
}

/// Makes a stream of bytes safe for a terminal, chunk by chunk: line ends and tabs stay, bytes that are no UTF-8 show as `\xNN`.
#[derive(Debug, Default)]
pub(super) struct SafeStream {
    rest: Vec<u8>,
    /// Goes on over the chunks: a pile of marks may be cut anywhere.
    judge: Judge,
}

impl SafeStream {
    /// Appends the safe form of the next chunk; the start of a character that the next chunk completes is kept back.
    pub(super) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let mut held = std::mem::take(&mut self.rest);
        held.extend_from_slice(bytes);
        let mut shown = String::with_capacity(held.len());
        for chunk in held.utf8_chunks() {
            self.give_up(out);
            shown.clear();
            self.judge.write(chunk.valid(), is_layout, &mut shown);
            out.extend_from_slice(shown.as_bytes());
            self.rest.extend_from_slice(chunk.invalid());
        }
        // A whole wrong sequence is of no use to the next chunk; only an unfinished one at the very end is.
        if std::str::from_utf8(&self.rest).is_err_and(|error| error.error_len().is_some()) {
            self.give_up(out);
        }
    }

    /// Appends what was kept back; what is pushed afterwards is a new text.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        self.give_up(out);
        self.judge = Judge::default();
    }

    /// Appends what can no longer become a character.
    fn give_up(&mut self, out: &mut Vec<u8>) {
        if !self.rest.is_empty() {
            self.judge = Judge::default();
        }
        for byte in self.rest.drain(..) {
            out.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
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
            let (mut stream, mut shown) = (SafeStream::default(), Vec::new());
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
        let mut shown = Vec::new();
        push_json_safe(&pile, &mut shown);
        let shown = String::from_utf8(shown).unwrap();
        assert_eq!(shown.matches("\\u0301").count(), 50 - MARKS);
        assert_eq!(
            serde_json::from_str::<String>(&shown).unwrap(),
            serde_json::from_str::<String>(&pile).unwrap()
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
            let mut stream = SafeStream::default();
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
    }
}
