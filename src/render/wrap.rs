//! Long text on a terminal: broken between words, after commas and semicolons, and anywhere where
//! it has none of them; never wider than the room it gets, never cut.

use textwrap::core::Word;
use textwrap::{Options, WordSeparator, WordSplitter};
use unicode_width::UnicodeWidthStr;

/// Less room than this is taken to be this much: a wide character needs two columns.
const LEAST: usize = 4;

/// The lines of a text, which must be safe for a terminal already: the first at most `first`
/// columns wide, the others `rest`.
pub(super) fn lines(text: &str, first: usize, rest: usize) -> Vec<String> {
    let (first, rest) = (first.max(LEAST), rest.max(LEAST));
    // The library has one width and indents; the difference is one.
    let width = first.max(rest);
    let pad = |room: usize| " ".repeat(width - room);
    let (head, tail) = (pad(first), pad(rest));
    let options = Options::new(width)
        .initial_indent(&head)
        .subsequent_indent(&tail)
        .word_separator(WordSeparator::Custom(pieces))
        .word_splitter(WordSplitter::NoHyphenation);
    let lines = textwrap::wrap(text, options);
    let indents = std::iter::once(head.len()).chain(std::iter::repeat(tail.len()));
    lines
        .iter()
        .zip(indents)
        .map(|(line, indent)| line.get(indent..).unwrap_or_default().to_owned())
        .collect()
}

/// Appends `head` and the text behind it; what does not fit goes on under `indent` columns. No line
/// is wider than `width`.
pub fn hang(out: &mut String, head: &str, text: &str, indent: usize, width: usize) {
    let taken = textwrap::core::display_width(head);
    let indent = indent.min(width / 2);
    let mut lines = if taken + LEAST > width {
        // No room beside the head: it is text as well.
        lines(&format!("{head}{text}"), width, width - indent).into_iter()
    } else {
        out.push_str(head);
        lines(text, width - taken, width - indent).into_iter()
    };
    out.push_str(&lines.next().unwrap_or_default());
    for line in lines {
        out.push('\n');
        out.push_str(&" ".repeat(indent));
        out.push_str(&line);
    }
    out.push('\n');
}

/// How many columns a text takes.
#[must_use]
pub fn width(text: &str) -> usize {
    text.width()
}

/// Cuts the text to `width` columns, the last of them an ellipsis.
pub fn cut(text: &mut String, width: usize) {
    super::widths::cut(text, width);
}

/// Where a line may end.
fn pieces(line: &str) -> Box<dyn Iterator<Item = Word<'_>> + '_> {
    let ends = line.char_indices().filter_map(|(at, c)| {
        let end = at + c.len_utf8();
        let next = line.get(end..)?.chars().next()?;
        (matches!(c, ' ' | ',' | ';') && next != ' ').then_some(end)
    });
    let mut start = 0;
    let pieces = ends.chain([line.len()]).filter_map(move |end| {
        let piece = line.get(std::mem::replace(&mut start, end)..end)?;
        (!piece.is_empty()).then(|| Word::from(piece))
    });
    Box::new(pieces)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_end_where_words_and_items_do() {
        assert_eq!(
            lines("11001,11017,15049 and more", 12, 10),
            ["11001,11017,", "15049 and", "more"]
        );
        assert_eq!(lines("abcdefghij", 6, 6), ["abcdef", "ghij"]);
        assert_eq!(lines("", 10, 10), [""]);
        let mut out = String::new();
        hang(&mut out, "  user  ", "one two three", 8, 14);
        assert_eq!(out, "  user  one\n       two\n       three\n");
    }

    proptest! {
        #[test]
        fn nothing_is_wider_and_nothing_is_lost(text in any::<String>(), head in "[a-z ]{0,20}", indent in 0_usize..20, width in 8_usize..60) {
            let text = crate::sanitize::terminal_safe(&text).into_owned();
            let mut out = String::new();
            hang(&mut out, &head, &text, indent, width);
            for line in out.lines() {
                prop_assert!(line.width() <= width, "{line:?}");
            }
            let letters = |text: &str| text.chars().filter(|c| *c != ' ' && *c != '\n').collect::<String>();
            prop_assert_eq!(letters(&out), letters(&format!("{head}{text}")));
        }
    }
}
