//! `--format md`: a table as GitHub, GitLab and wikis show it, one line a row.
//!
//! A value that is more than letters, digits and blanks stands in a code span: inside one nothing
//! is a link, a mention, markup or HTML, and a backslash is one. A pipe would end the cell in some
//! readers also there, so it stands between two spans as a character reference.

use std::io::Write;

use super::document::{Cell, Content};
use super::output::{Body, BufferedOutput};
use crate::error::Result;
use crate::record::Record;

/// Writes the table.
pub(super) struct Markdown<W> {
    output: BufferedOutput<W>,
    content: Content,
}

impl<W: Write> Markdown<W> {
    /// Starts the table; without `header` rows alone, to be put behind others.
    pub(super) fn new(
        mut output: BufferedOutput<W>,
        content: Content,
        header: bool,
    ) -> Result<Self> {
        if header {
            let titles = content.titles();
            write_row(&titles, &mut output.buffer);
            for title in &titles {
                let rule: &[u8] = if title.number { b"| ---: " } else { b"| --- " };
                output.buffer.extend_from_slice(rule);
            }
            output.buffer.extend_from_slice(b"|\n");
            output.line_end()?;
        }
        Ok(Self { output, content })
    }
}

impl<W: Write + Send> Body for Markdown<W> {
    fn record(&mut self, record: &Record) -> Result<()> {
        let (content, buffer) = (&self.content, &mut self.output.buffer);
        content.rows(record, |cells| {
            write_row(cells, buffer);
            Ok(())
        })?;
        self.output.line_end()
    }

    fn pause(&mut self) -> Result<()> {
        self.output.flush()
    }

    fn end(&mut self, whole: bool) -> Result<()> {
        if !whole {
            let words = b"\n**The list broke off here: more was to come.**\n";
            self.output.buffer.extend_from_slice(words);
        }
        self.output.flush()
    }
}

fn write_row(cells: &[Cell<'_>], out: &mut Vec<u8>) {
    for cell in cells {
        out.extend_from_slice(b"| ");
        let before = out.len();
        write_text(&cell.text, out);
        if out.len() > before {
            out.push(b' ');
        }
    }
    out.extend_from_slice(b"|\n");
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    if is_plain(text) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    for (index, part) in text.split('|').enumerate() {
        if index > 0 {
            out.extend_from_slice(b"&#124;");
        }
        if is_plain(part) {
            out.extend_from_slice(part.as_bytes());
        } else {
            write_code(part, out);
        }
    }
}

/// A code span, fenced by one backtick more than stand together in it.
fn write_code(text: &str, out: &mut Vec<u8>) {
    let runs = text.split(|c| c != '`').map(str::len);
    let fence = "`".repeat(runs.max().unwrap_or(0) + 1);
    // One blank on each side is taken off by readers where there is one on both.
    let blank = |c| matches!(c, '`' | ' ');
    let pad = if text.starts_with(blank) || text.ends_with(blank) {
        " "
    } else {
        ""
    };
    for part in [&fence, pad, text, pad, &fence] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// Whether no reader makes anything of it: letters, digits and single blanks, and a point, comma,
/// slash or hyphen between digits or letters, but no point beside a letter (it may be a host's).
fn is_plain(text: &str) -> bool {
    let mut before = ' ';
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let after = chars.peek().copied().unwrap_or(' ');
        let fits = match c {
            '.' => before.is_ascii_digit() && after.is_ascii_digit(),
            ' ' | '-' | '/' | ',' => before.is_alphanumeric() && after.is_alphanumeric(),
            '%' => before.is_ascii_digit(),
            c => c.is_alphanumeric(),
        };
        if !fits {
            return false;
        }
        before = c;
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cell(text: &str) -> String {
        let mut out = Vec::new();
        write_text(text, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn plain_values_stay_plain_and_everything_else_is_code() {
        for (text, shown) in [
            ("", ""),
            ("STARTED", "STARTED"),
            ("10.50.1.10", "10.50.1.10"),
            ("psn-a", "psn-a"),
            ("Zoë Kim", "Zoë Kim"),
            ("LAB\\pat.kim", "`LAB\\pat.kim`"),
            ("C8:5B:76:C6:59:62", "`C8:5B:76:C6:59:62`"),
            ("www.evil.example", "`www.evil.example`"),
            ("pat@evil.example", "`pat@evil.example`"),
            ("<script>alert(1)</script>", "`<script>alert(1)</script>`"),
            ("[click](http://e)", "`[click](http://e)`"),
            ("a|b", "a&#124;b"),
            ("a\\|`b`", "`a\\`&#124;`` `b` ``"),
            ("``", "``` `` ```"),
            (" x ", "`  x  `"),
            ("**x**", "`**x**`"),
            ("|", "&#124;"),
        ] {
            assert_eq!(cell(text), shown);
        }
    }

    /// What a reader of CommonMark makes of a cell: its code spans' content and the rest.
    fn read(shown: &str) -> Option<String> {
        let mut text = String::new();
        let mut rest = shown;
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix("&#124;") {
                text.push('|');
                rest = after;
                continue;
            }
            let ticks = rest.len() - rest.trim_start_matches('`').len();
            if ticks == 0 {
                let end = rest.find(['`', '&']).unwrap_or(rest.len());
                text.push_str(rest.get(..end)?);
                rest = rest.get(end..)?;
                continue;
            }
            let inner = rest.get(ticks..)?;
            let mut at = 0;
            let end = loop {
                let start = at + inner.get(at..)?.find('`')?;
                let run = inner.get(start..)?;
                let run = run.len() - run.trim_start_matches('`').len();
                if run == ticks {
                    break start;
                }
                at = start + run;
            };
            let code = inner.get(..end)?;
            let both = code.starts_with(' ') && code.ends_with(' ') && !code.trim().is_empty();
            text.push_str(if both {
                code.get(1..code.len() - 1)?
            } else {
                code
            });
            rest = inner.get(end + ticks..)?;
        }
        Some(text)
    }

    proptest! {
        #[test]
        fn a_reader_gets_the_value_and_no_cell_ends_early(text in "([a-z`| \\\\<>\\[\\]()*_~&#:@.!-]|[ -~])*") {
            let shown = cell(&text);
            prop_assert!(!shown.contains('|'));
            // Blanks alone are taken off by nobody.
            if !text.split('|').any(|part| !part.is_empty() && part.trim().is_empty()) {
                prop_assert_eq!(read(&shown), Some(text));
            }
        }
    }
}
