//! TSV and CSV: one record, one line, whatever the cells hold.
//!
//! TSV has no quoting, and there is one TSV: a table in a pipe is the explicit format without its
//! header. Tab, line feed and carriage return become `\t`, `\n`, `\r`; a backslash stays, since
//! `cut -f3` is to give `LAB\pat.kim` as ISE has it. So a cell `a\tb` may have held a tab or a
//! backslash: whoever must know asks for JSON. An empty cell is empty, also when it is the only one
//! of its line. CSV is quoted by the csv crate; line ends in a cell are written `\n`, since a line
//! is a record. In both, other control characters and line separators show as `\xNN` or `\u{…}`. A
//! CSV cell that a spreadsheet would run as a formula (`=`, `+`, `-`, `@`, also full-width) gets a
//! `'` in front; plain signed numbers such as `-12.5` do not. Where the list separator is `;` a
//! spreadsheet splits there, also within quotes that do not begin a line: what would be a formula
//! behind a `;` gets a `'` too. On a terminal everything is made safe for it as well.

use std::borrow::Cow;
use std::io::Write;

use csv::{QuoteStyle, Writer, WriterBuilder};

use super::column::Chosen;
use super::output::{BLOCK, Body, BufferedOutput};
use crate::error::{Error, Kind, Result, from_output};
use crate::record::Record;
use crate::sanitize::{push_escape, terminal_safe};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Tab-separated, escapes, no quotes.
    Tsv,
    /// Comma-separated, quotes, formulas defused.
    Csv,
}

/// Writes rows of cells.
pub(super) struct SeparatedRows<W: Write> {
    writer: RowWriter<W>,
    terminal: bool,
    live: bool,
}

enum RowWriter<W: Write> {
    Tsv {
        output: BufferedOutput<W>,
        /// Whether the line has a cell already.
        begun: bool,
    },
    Csv(Box<Writer<W>>),
}

impl<W: Write> SeparatedRows<W> {
    /// Rows to `out`; `live` writes each at once.
    pub(super) fn new(out: W, dialect: Dialect, terminal: bool, live: bool) -> Self {
        let writer = match dialect {
            Dialect::Tsv => RowWriter::Tsv {
                output: BufferedOutput::new(out, live),
                begun: false,
            },
            Dialect::Csv => RowWriter::Csv(Box::new(
                WriterBuilder::new()
                    .quote_style(QuoteStyle::Necessary)
                    .flexible(true)
                    .buffer_capacity(BLOCK)
                    .from_writer(out),
            )),
        };
        Self {
            writer,
            terminal,
            live,
        }
    }

    /// One cell of the row.
    pub(super) fn cell(&mut self, text: &str) -> Result<()> {
        let text = match &self.writer {
            RowWriter::Tsv { .. } => tsv_cell(text),
            RowWriter::Csv(_) => csv_cell(text),
        };
        let text = if self.terminal {
            Cow::Owned(terminal_safe(&text).into_owned())
        } else {
            text
        };
        match &mut self.writer {
            RowWriter::Tsv { output, begun } => {
                if std::mem::replace(begun, true) {
                    output.buffer.push(b'\t');
                }
                output.buffer.extend_from_slice(text.as_bytes());
                Ok(())
            }
            RowWriter::Csv(writer) => writer.write_field(text.as_bytes()).map_err(failed),
        }
    }

    /// Ends the row.
    pub(super) fn end_row(&mut self) -> Result<()> {
        match &mut self.writer {
            RowWriter::Tsv { output, begun } => {
                *begun = false;
                output.buffer.push(b'\n');
                output.line_end()
            }
            RowWriter::Csv(writer) => {
                writer.write_record(None::<&[u8]>).map_err(failed)?;
                if self.live { self.flush() } else { Ok(()) }
            }
        }
    }

    /// Writes what is held.
    pub(super) fn flush(&mut self) -> Result<()> {
        match &mut self.writer {
            RowWriter::Tsv { output, .. } => output.flush(),
            RowWriter::Csv(writer) => writer.flush().map_err(|error| from_output(&error)),
        }
    }
}

fn failed(error: csv::Error) -> Error {
    let text = error.to_string();
    match error.into_kind() {
        csv::ErrorKind::Io(error) => from_output(&error),
        _ => Error::new(Kind::Failed, format!("cannot write the row: {text}")),
    }
}

/// A list with columns.
pub(super) struct Lines<W: Write> {
    rows: SeparatedRows<W>,
    columns: Vec<Chosen>,
}

impl<W: Write> Lines<W> {
    /// Starts the list, with its header if there is to be one.
    pub(super) fn new(
        mut rows: SeparatedRows<W>,
        columns: Vec<Chosen>,
        header: bool,
    ) -> Result<Self> {
        if header {
            for column in &columns {
                rows.cell(&column.title)?;
            }
            rows.end_row()?;
        }
        Ok(Self { rows, columns })
    }
}

impl<W: Write + Send> Body for Lines<W> {
    fn record(&mut self, record: &Record) -> Result<()> {
        for column in &self.columns {
            self.rows.cell(&column.plain(record).unwrap_or_default())?;
        }
        self.rows.end_row()
    }

    fn pause(&mut self) -> Result<()> {
        self.rows.flush()
    }

    fn end(&mut self, _whole: bool) -> Result<()> {
        self.rows.flush()
    }
}

/// Characters that some reader takes for a line end or a terminal for a command.
fn breaks_line(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Whether [`breaks_line`] could be true of a character that has this byte: C0 and DEL themselves,
/// and the lead bytes of C1 (U+0080) and of the separators (U+2028).
fn suspicious(byte: u8) -> bool {
    matches!(byte, ..0x20 | 0x7f | 0xc2 | 0xe2)
}

/// Whether it is true of any byte. Without an early end, so that the compiler takes many bytes at
/// once; nearly all cells are harmless.
fn any_byte(text: &str, is: impl Fn(u8) -> bool) -> bool {
    text.bytes().fold(false, |found, byte| found | is(byte))
}

fn tsv_cell(text: &str) -> Cow<'_, str> {
    if any_byte(text, suspicious) {
        visible(text)
    } else {
        Cow::Borrowed(text)
    }
}

fn csv_cell(text: &str) -> Cow<'_, str> {
    let mut text = tsv_cell(text);
    if is_formula(&text) {
        text = Cow::Owned(format!("'{text}"));
    }
    if any_byte(&text, |byte| byte == b';') {
        return Cow::Owned(behind_semicolons(&text));
    }
    text
}

/// Defuses what would be a formula if the cell ended at each `;`. Quotes are looked through: an
/// empty pair in front of a formula is nothing to a spreadsheet.
fn behind_semicolons(text: &str) -> String {
    let mut parts = text.split(';');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push(';');
        // What follows it, and is computed with it, is not known: signed numbers count as well.
        if part.trim_start_matches('"').starts_with(begins_formula) {
            out.push('\'');
        }
        out.push_str(part);
    }
    out
}

fn visible(text: &str) -> Cow<'_, str> {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c if breaks_line(c) => push_escape(c, &mut out),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Whether a spreadsheet would run the cell.
fn is_formula(text: &str) -> bool {
    // Nearly every cell begins with a letter or a digit: one look at a byte settles those.
    if text
        .as_bytes()
        .first()
        .is_none_or(u8::is_ascii_alphanumeric)
    {
        return false;
    }
    match text.chars().next() {
        Some('+' | '-') => !is_number(text),
        first => first.is_some_and(begins_formula),
    }
}

fn begins_formula(first: char) -> bool {
    matches!(first, '=' | '@' | '+' | '-' | '＝' | '＋' | '－' | '＠')
}

/// A sign, digits, and at most one point: nothing that a spreadsheet could compute with a name in
/// it.
fn is_number(text: &str) -> bool {
    let digits = text.trim_start_matches(['+', '-']);
    text.len() - digits.len() == 1
        && digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.bytes().filter(|byte| *byte == b'.').count() <= 1
        && digits
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(dialect: Dialect, cells: &[Vec<String>]) -> String {
        let mut out = Vec::new();
        let mut rows = SeparatedRows::new(&mut out, dialect, false, false);
        for row in cells {
            for cell in row {
                rows.cell(cell).unwrap();
            }
            rows.end_row().unwrap();
        }
        rows.flush().unwrap();
        drop(rows);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn formulas_are_defused_and_numbers_are_not() {
        for (cell, expected) in [
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
            ("-2+3", "'-2+3"),
            ("--5", "'--5"),
            ("-", "'-"),
            ("＝1", "'＝1"),
            ("-12.5", "-12.5"),
            ("+49", "+49"),
            ("\t=1", "\\t=1"),
            ("x;=cmd|' /C calc'!A0", "x;'=cmd|' /C calc'!A0"),
            ("=1;\"\"@2;-3;4", "'=1;'\"\"@2;'-3;4"),
            ("a;b; c", "a;b; c"),
            ("CORP\\alice", "CORP\\alice"),
            ("a\r\nb", "a\\r\\nb"),
            ("\u{85}\u{2028}", "\\x85\\u{2028}"),
        ] {
            assert_eq!(csv_cell(cell), expected);
        }
    }

    #[test]
    fn an_empty_cell_is_empty_also_alone() {
        let rows = [vec![String::new()], vec!["a".to_owned()]];
        assert_eq!(written(Dialect::Tsv, &rows), "\na\n");
        let pair = [vec![String::new(), String::new()]];
        assert_eq!(written(Dialect::Tsv, &pair), "\t\n");
        // A line without anything is no row to readers of CSV.
        assert_eq!(written(Dialect::Csv, &rows), "\"\"\na\n");
    }

    #[test]
    fn a_backslash_in_tsv_stays_as_it_is() {
        let row = [vec![
            "LAB\\pat.kim".to_owned(),
            "a\tb\nc\rd\u{7}".to_owned(),
        ]];
        assert_eq!(
            written(Dialect::Tsv, &row),
            "LAB\\pat.kim\ta\\tb\\nc\\rd\\x07\n"
        );
    }

    proptest! {
        #[test]
        fn tsv_is_one_line_a_record_of_its_cells(cells in prop::collection::vec(prop::collection::vec(any::<String>(), 1..4), 0..8)) {
            let text = written(Dialect::Tsv, &cells);
            prop_assert!(!text.contains(|c| breaks_line(c) && c != '\n' && c != '\t'));
            let lines: Vec<&str> = text.split_terminator('\n').collect();
            prop_assert_eq!(lines.len(), cells.len());
            for (line, row) in lines.iter().zip(&cells) {
                let shown: Vec<&str> = line.split('\t').collect();
                prop_assert_eq!(shown.len(), row.len());
                for (got, cell) in shown.iter().zip(row) {
                    prop_assert_eq!(*got, &*tsv_cell(cell));
                    if !cell.contains(breaks_line) {
                        prop_assert_eq!(*got, cell);
                    }
                }
            }
        }

        #[test]
        fn csv_is_one_line_a_record_and_reads_back(cells in prop::collection::vec(prop::collection::vec(any::<String>(), 3), 0..8)) {
            let text = written(Dialect::Csv, &cells);
            prop_assert_eq!(text.lines().count(), cells.len());
            prop_assert!(!text.contains(|c| breaks_line(c) && c != '\n'));
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
            for (row, cells) in reader.records().zip(&cells) {
                let row = row.unwrap();
                prop_assert_eq!(row.len(), cells.len());
                for (got, cell) in row.iter().zip(cells) {
                    prop_assert_eq!(got, &*csv_cell(cell));
                    prop_assert!(!is_formula(got));
                    for part in got.split(';').skip(1) {
                        prop_assert!(!part.trim_start_matches('"').starts_with(begins_formula));
                    }
                    if !cell.contains(breaks_line) && !is_formula(cell) && !cell.contains(';') {
                        prop_assert_eq!(got, cell);
                    }
                }
            }
        }
    }
}
