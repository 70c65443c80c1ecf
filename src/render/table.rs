//! The table on a terminal: header, fitted to the width, in blocks, the first of which fixes the
//! widths for all.
//!
//! Columns that do not fit even when the words are cut short are left out from the right, and
//! counted at the end of the header (`+2`): part of an address is of no use to anybody. comfy-table
//! draws, and never sees more than a block, since it holds kilobytes a row. A list that comes
//! slowly shows its first rows after a moment. Values are cut with an ellipsis; whoever wants them
//! whole pipes the output or asks for another format.

use std::borrow::Cow;
use std::io::Write;
use std::time::{Duration, Instant};

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ColumnConstraint, Table as Drawing, Width};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use unicode_width::UnicodeWidthStr;

use super::Screen;
use super::column::{self, CellKind, Chosen};
use super::output::{Body, BufferedOutput};
use super::widths::{GAP, MARK, Wish, cut, fit, how_many, spread};
use super::{interface_name, paint, time};
use crate::error::Result;
use crate::record::Record;
use crate::sanitize::terminal_safe;

/// Rows drawn at once.
const BLOCK_ROWS: usize = 1000;
/// How long a row waits for company.
const PATIENCE: Duration = Duration::from_secs(1);
/// What stands for an unknown value.
const EMPTY: &str = "-";

/// How a table is drawn.
pub(super) struct Look {
    /// The terminal.
    pub(super) screen: Screen,
    /// Whether there is a header.
    pub(super) header: bool,
    /// Columns that do not fit are left out from the right (those that the user chose never are).
    pub(super) may_drop: bool,
    /// Each row is drawn at once.
    pub(super) live: bool,
    /// What times are relative to; `None` shows them absolute.
    pub(super) now: Option<Timestamp>,
    /// The zone of shown times.
    pub(super) zone: TimeZone,
}

/// Draws blocks of rows.
pub(super) struct Table<W> {
    output: BufferedOutput<W>,
    columns: Vec<Chosen>,
    titles: Vec<String>,
    look: Look,
    rows: Vec<Vec<String>>,
    since: Option<Instant>,
    widths: Option<Vec<usize>>,
}

impl<W: Write> Table<W> {
    /// A table of these columns.
    pub(super) fn new(output: BufferedOutput<W>, columns: Vec<Chosen>, look: Look) -> Self {
        let titles = columns
            .iter()
            .map(|column| terminal_safe(&column.title).into_owned())
            .collect();
        Self {
            output,
            columns,
            titles,
            look,
            rows: Vec::new(),
            since: None,
            widths: None,
        }
    }

    /// Adds a row that came at `now`, and draws when it is time.
    fn push(&mut self, record: &Record, now: Instant) -> Result<()> {
        let widest = usize::from(self.look.screen.width);
        let row = self
            .columns
            .iter()
            .map(|column| {
                let mut cell = self.cell(column, record);
                // No cell can be wider than the screen, so no block holds more than a screen's
                // width a cell.
                cut(&mut cell, widest);
                cell
            })
            .collect();
        self.rows.push(row);
        let since = *self.since.get_or_insert(now);
        if self.look.live
            || self.rows.len() >= BLOCK_ROWS
            || now.saturating_duration_since(since) >= PATIENCE
        {
            self.draw(true)?;
        }
        Ok(())
    }

    fn cell(&self, column: &Chosen, record: &Record) -> String {
        match column.text(record) {
            None => EMPTY.to_owned(),
            Some(text) if text.is_empty() => EMPTY.to_owned(),
            Some(text) if column.kind == CellKind::Time => {
                time::brief(&text, self.look.now, &self.look.zone)
            }
            Some(text) if column.kind == CellKind::Addresses => {
                terminal_safe(&first_of_many(&text)).into_owned()
            }
            Some(text) if column.kind == CellKind::Event => {
                terminal_safe(&event_word(&text)).into_owned()
            }
            Some(text) if column.kind == CellKind::Port => {
                terminal_safe(&interface_name::short(&text)).into_owned()
            }
            Some(text) => terminal_safe(&column::plain(text, column.kind)).into_owned(),
        }
    }

    /// Draws the rows held; `more` rows may follow.
    fn draw(&mut self, more: bool) -> Result<()> {
        self.since = None;
        if self.rows.is_empty() {
            return Ok(());
        }
        let with_header = self.look.header && self.widths.is_none();
        let screen = usize::from(self.look.screen.width);
        let widths = self.widths.take().unwrap_or_else(|| {
            let mut wishes = wishes(&self.columns, &self.titles, &self.rows, self.look.header);
            if self.look.live {
                for (wish, column) in wishes.iter_mut().zip(&self.columns) {
                    wish.width = wish.width.max(room_to_come(column.kind));
                }
            }
            let mut screen = screen;
            if self.look.may_drop {
                wishes.truncate(how_many(&wishes, screen));
            }
            if wishes.len() < self.columns.len() {
                screen = screen.saturating_sub(MARK);
            }
            let mut widths = fit(&wishes, screen);
            if more {
                spread(&mut widths, screen);
            }
            widths
        });
        let dropped = self.titles.len().saturating_sub(widths.len());
        let mut head = self.titles.clone();
        head.truncate(widths.len());
        for cells in &mut self.rows {
            cells.truncate(widths.len());
        }
        for cells in self.rows.iter_mut().chain([&mut head]) {
            for (cell, width) in cells.iter_mut().zip(widths.iter()) {
                cut(cell, *width);
            }
        }
        let mut drawing = Drawing::new();
        drawing.add_rows(&self.rows);
        if with_header {
            drawing.set_header(&head);
        }
        arrange(&mut drawing, &self.columns, &widths);
        let mut lines = drawing.lines();
        if with_header && let Some(line) = lines.next() {
            let line = paint::bold(line.trim_end(), self.look.screen.color);
            self.output.buffer.extend_from_slice(line.as_bytes());
            if dropped > 0 {
                self.output
                    .buffer
                    .extend_from_slice(format!("  +{dropped}").as_bytes());
            }
            self.output.buffer.push(b'\n');
        }
        for (line, cells) in lines.zip(&self.rows) {
            let line = self.painted(&line, cells, &widths);
            self.output
                .buffer
                .extend_from_slice(line.trim_end().as_bytes());
            self.output.buffer.push(b'\n');
        }
        self.rows.clear();
        self.widths = Some(widths);
        self.output.flush()
    }

    /// The drawn line with its verdicts coloured. comfy-table measures colour sequences as text, so
    /// they are put in afterwards.
    fn painted(&self, line: &str, cells: &[String], widths: &[usize]) -> String {
        let mut out = String::with_capacity(line.len() + 16);
        let mut rest = line;
        for ((cell, width), column) in cells.iter().zip(widths).zip(&self.columns) {
            let bytes = cell.len() + width.saturating_sub(cell.width()) + GAP;
            let (part, after) = rest.split_at_checked(bytes).unwrap_or((rest, ""));
            rest = after;
            match part.strip_prefix(cell.as_str()) {
                Some(padding) if column.kind == CellKind::Verdict => {
                    out.push_str(&paint::verdict(cell, self.look.screen.color));
                    out.push_str(padding);
                }
                _ => out.push_str(part),
            }
        }
        out.push_str(rest);
        out
    }
}

impl<W: Write + Send> Body for Table<W> {
    fn record(&mut self, record: &Record) -> Result<()> {
        self.push(record, Instant::now())
    }

    /// The first rows fix the widths of all, so a short pause is not worth a block.
    fn pause(&mut self) -> Result<()> {
        let waits = self.since.is_some_and(|since| since.elapsed() >= PATIENCE);
        if waits { self.draw(true) } else { Ok(()) }
    }

    fn end(&mut self, _whole: bool) -> Result<()> {
        self.draw(false)?;
        self.output.flush()
    }
}

/// What the block's columns would like.
fn wishes(columns: &[Chosen], titles: &[String], rows: &[Vec<String>], header: bool) -> Vec<Wish> {
    let column = |(index, (column, title)): (usize, (&Chosen, &String))| {
        let cells = || rows.iter().filter_map(|row| row.get(index));
        let least = if header { title.width() } else { 1 };
        Wish {
            width: cells().map(|cell| cell.width()).fold(least, usize::max),
            firm: column.kind != CellKind::Text || cells().all(|cell| is_address(cell)),
        }
    };
    columns.iter().zip(titles).enumerate().map(column).collect()
}

/// The first of a joined list, and how many more there are.
fn first_of_many(text: &str) -> Cow<'_, str> {
    match text.split_once(", ") {
        None => Cow::Borrowed(text),
        Some((first, rest)) => Cow::Owned(format!("{first} +{}", rest.split(", ").count())),
    }
}

/// What happened, without what it happened to.
fn event_word(text: &str) -> Cow<'_, str> {
    let rest = text.strip_prefix("session").unwrap_or_default();
    if rest.starts_with(|c: char| c.is_ascii_uppercase()) {
        Cow::Owned(rest.to_ascii_lowercase())
    } else {
        Cow::Borrowed(text)
    }
}

/// What a column of a live table wants whatever its first row holds: the rows that fix the widths
/// of others are still to come.
fn room_to_come(kind: CellKind) -> usize {
    match kind {
        CellKind::Addresses => "255.255.255.255".len(),
        CellKind::Text => "recovered".len(),
        CellKind::Mac => "C8:5B:76:C6:59:62".len(),
        CellKind::Event => "created".len(),
        CellKind::Time | CellKind::Number | CellKind::Verdict | CellKind::Port => 0,
    }
}

/// MAC and IP addresses, and the mark of an unknown one.
fn is_address(cell: &str) -> bool {
    cell.bytes()
        .all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.' | b'-'))
}

/// Sets style and widths; comfy-table knows its columns only once it has rows.
fn arrange(drawing: &mut Drawing, columns: &[Chosen], widths: &[usize]) {
    let gap = u16::try_from(GAP).unwrap_or_default();
    drawing.load_style(NOTHING);
    for ((drawn, column), width) in drawing.column_iter_mut().zip(columns).zip(widths) {
        let width = u16::try_from(*width)
            .unwrap_or(u16::MAX)
            .saturating_add(gap);
        drawn.set_padding((0, gap));
        drawn.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width)));
        if column.kind == CellKind::Number {
            drawn.set_cell_alignment(CellAlignment::Right);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::column::column;
    use super::super::tests::{Shared, style};
    use super::*;

    #[test]
    fn what_happened_is_told_apart_in_few_letters() {
        for (event, shown) in [
            ("sessionCreated", "created"),
            ("sessionDeleted", "deleted"),
            ("sessions", "sessions"),
            ("session", "session"),
            ("UPDATE", "UPDATE"),
        ] {
            assert_eq!(event_word(event), shown);
        }
    }

    #[test]
    fn a_slow_list_shows_rows_before_its_end() {
        let shared = Shared::default();
        let style = style();
        let look = Look {
            may_drop: false,
            screen: style.screen,
            header: true,
            live: false,
            now: Some(style.now),
            zone: style.zone,
        };
        let columns = column::all(&[column("MAC", "mac")]);
        let mut table = Table::new(BufferedOutput::new(shared.clone(), false), columns, look);
        let record = Record::from_value(serde_json::json!({"mac": "AA"}));
        let start = Instant::now();
        table.push(&record, start).unwrap();
        table.push(&record, start + PATIENCE / 2).unwrap();
        assert_eq!(shared.text(), "");
        table.push(&record, start + PATIENCE).unwrap();
        assert_eq!(shared.text(), "MAC\nAA\nAA\nAA\n");
        table.push(&record, start + PATIENCE).unwrap();
        assert_eq!(shared.text().lines().count(), 4);
        table.end(true).unwrap();
        assert_eq!(shared.text().lines().count(), 5);
    }
}
