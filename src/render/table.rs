//! The table on a terminal: header, fitted to the width, in blocks, the first of which decides the
//! layout (`widths`), so that a list of any length takes the memory of a block.
//!
//! Columns that are left out for want of room are counted at the end of the header (`+2`). Later
//! rows may widen a column where there is room. Where the terminal is resized, a column that nobody
//! filled before gets a value, or an address no longer fits, the layout is made anew under a header
//! of its own. comfy-table draws, and never sees more than a block, since it holds kilobytes a row.
//! A list that comes slowly shows its first rows after a moment. Words are cut with an ellipsis;
//! whoever wants them whole pipes the output or asks for another format.

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
use super::measures::Gathered;
use super::output::{Body, BufferedOutput};
use super::sparkline::sparkline;
use super::widths::{GAP, Layout, cut, layout, spread};
use super::{interface_name, paint, time};
use crate::error::Result;
use crate::record::Record;
use crate::sanitize::terminal_safe;

/// Rows drawn at once.
const BLOCK_ROWS: usize = 1000;
/// How long a row waits for company.
const PATIENCE: Duration = Duration::from_secs(1);
/// A terminal that is narrower shows of what happens now the time of day alone.
const ROOM_FOR_THE_DAY: u16 = 100;
/// What stands for an unknown value.
pub(super) const EMPTY: &str = "-";

/// How a table is drawn.
pub(super) struct Look {
    /// The terminal.
    pub(super) screen: Screen,
    /// How wide it is now; `None` where it stays as it was.
    pub(super) width_now: Option<fn() -> u16>,
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
    gathered: Vec<Gathered>,
    layout: Option<Layout>,
    resized: bool,
}

impl<W: Write> Table<W> {
    /// A table of these columns.
    pub(super) fn new(output: BufferedOutput<W>, columns: Vec<Chosen>, look: Look) -> Self {
        let titles: Vec<String> = columns
            .iter()
            .map(|column| terminal_safe(&column.title).into_owned())
            .collect();
        let gathered = columns.iter().zip(&titles).map(|(column, title)| {
            let title = if look.header { title.width() } else { 1 };
            let roomy = look.screen.width >= ROOM_FOR_THE_DAY;
            Gathered::new(column.kind, title, look.live.then_some(roomy))
        });
        Self {
            gathered: gathered.collect(),
            output,
            columns,
            titles,
            look,
            rows: Vec::new(),
            since: None,
            layout: None,
            resized: false,
        }
    }

    /// Adds a row that came at `now`, and draws when it is time.
    fn push(&mut self, record: &Record, now: Instant) -> Result<()> {
        if let (true, Some(width_now)) = (self.rows.is_empty(), self.look.width_now) {
            let before = std::mem::replace(&mut self.look.screen.width, width_now());
            self.resized |= before != self.look.screen.width;
        }
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
                let with_day = self.look.screen.width >= ROOM_FOR_THE_DAY;
                time::brief(&text, self.look.now, &self.look.zone, with_day)
            }
            Some(text) if column.kind == CellKind::Age => time::ago(&text, self.look.now),
            Some(text) if column.kind == CellKind::Trend => {
                sparkline(&text).unwrap_or_else(|| terminal_safe(&text).into_owned())
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
        let (layout, is_new) = self.layout(more);
        let pick = |cells: &[String]| -> Vec<String> {
            let picked = layout.shown.iter();
            let picked = picked.map(|(column, width)| {
                let mut cell = cells.get(*column).cloned().unwrap_or_default();
                cut(&mut cell, *width);
                cell
            });
            picked.collect()
        };
        let rows: Vec<Vec<String>> = self.rows.iter().map(|cells| pick(cells)).collect();
        let with_header = self.look.header && is_new;
        let mut drawing = Drawing::new();
        drawing.add_rows(&rows);
        if with_header {
            drawing.set_header(pick(&self.titles));
        }
        arrange(&mut drawing, &self.columns, &layout);
        let mut lines = drawing.lines();
        if with_header && let Some(line) = lines.next() {
            let line = paint::bold(line.trim_end(), self.look.screen.color);
            self.output.buffer.extend_from_slice(line.as_bytes());
            if layout.left_out > 0 {
                let mark = format!("  +{}", layout.left_out);
                self.output.buffer.extend_from_slice(mark.as_bytes());
            }
            self.output.buffer.push(b'\n');
        }
        for (line, cells) in lines.zip(&rows) {
            let line = self.painted(&line, cells, &layout);
            self.output
                .buffer
                .extend_from_slice(line.trim_end().as_bytes());
            self.output.buffer.push(b'\n');
        }
        self.rows.clear();
        self.layout = Some(layout);
        self.output.flush()
    }

    /// The layout for the rows held, and whether the header must be shown for it.
    fn layout(&mut self, more: bool) -> (Layout, bool) {
        let before: Vec<bool> = self.gathered.iter().map(Gathered::is_filled).collect();
        for (index, gathered) in self.gathered.iter_mut().enumerate() {
            gathered.take(self.rows.iter().filter_map(|row| row.get(index)));
        }
        let resized = std::mem::take(&mut self.resized);
        let screen = usize::from(self.look.screen.width);
        if let Some(mut known) = self.layout.take() {
            let appeared =
                self.look.may_drop && self.gathered.iter().map(Gathered::is_filled).ne(before);
            if !resized && !appeared && self.widen(&mut known, screen) {
                return (known, false);
            }
            let anew = self.make_layout(more, screen);
            let same_columns = anew.shown.iter().map(|(column, _)| column);
            let same_columns = same_columns.eq(known.shown.iter().map(|(column, _)| column));
            let is_new = resized || !same_columns || anew.left_out != known.left_out;
            return (anew, is_new);
        }
        (self.make_layout(more, screen), true)
    }

    fn make_layout(&self, more: bool, screen: usize) -> Layout {
        let measures = self.gathered.iter().map(Gathered::measure);
        let measures: Vec<_> = measures.collect();
        let mut layout = layout(&measures, screen, self.look.may_drop);
        if more {
            spread(&mut layout, &measures, screen);
        }
        layout
    }

    /// Widens columns for the rows held while there is room. Whether what must not be cut fits.
    fn widen(&self, layout: &mut Layout, screen: usize) -> bool {
        let mut spare = layout.spare(screen);
        let mut fits = true;
        for (column, width) in &mut layout.shown {
            let Some(gathered) = self.gathered.get(*column) else {
                continue;
            };
            let missing = gathered.widest().saturating_sub(*width);
            let more = missing.min(spare);
            *width += more;
            spare -= more;
            fits &= more == missing || !gathered.must_be_whole();
        }
        fits
    }

    /// The drawn line with what has a meaning coloured. comfy-table measures colour sequences as
    /// text, so they are put in afterwards.
    fn painted(&self, line: &str, cells: &[String], layout: &Layout) -> String {
        let mut out = String::with_capacity(line.len() + 16);
        let mut rest = line;
        for (cell, (column, width)) in cells.iter().zip(&layout.shown) {
            let bytes = cell.len() + width.saturating_sub(cell.width()) + GAP;
            let (part, after) = rest.split_at_checked(bytes).unwrap_or((rest, ""));
            rest = after;
            let kind = self.columns.get(*column).map(|column| column.kind);
            let code = kind.and_then(|kind| paint::meaning(kind, cell));
            match (code, part.split_once(cell.as_str())) {
                (Some(code), Some((before, behind))) if !cell.is_empty() => {
                    out.push_str(before);
                    out.push_str(&paint::painted(code, cell, self.look.screen.color));
                    out.push_str(behind);
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

/// Sets style and widths; comfy-table knows its columns only once it has rows.
fn arrange(drawing: &mut Drawing, columns: &[Chosen], layout: &Layout) {
    let gap = u16::try_from(GAP).unwrap_or_default();
    drawing.load_style(NOTHING);
    for (drawn, (column, width)) in drawing.column_iter_mut().zip(&layout.shown) {
        let width = u16::try_from(*width)
            .unwrap_or(u16::MAX)
            .saturating_add(gap);
        drawn.set_padding((0, gap));
        drawn.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width)));
        let kind = columns.get(*column).map(|column| column.kind);
        if matches!(kind, Some(CellKind::Number | CellKind::Threshold { .. })) {
            drawn.set_cell_alignment(CellAlignment::Right);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU16, Ordering};

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
    fn a_live_table_follows_the_terminal_and_grows_into_free_room() {
        static WIDTH: AtomicU16 = AtomicU16::new(60);
        let shared = Shared::default();
        let style = style();
        let look = Look {
            width_now: Some(|| WIDTH.load(Ordering::Relaxed)),
            may_drop: true,
            screen: style.screen,
            header: true,
            live: true,
            now: None,
            zone: style.zone,
        };
        let columns = column::all(&[
            column("MAC", "mac"),
            column("USER", "user"),
            column("STATE", "state").kind(CellKind::Enumeration(13)),
            column("NOTE", "note").kind(CellKind::Sentence),
        ]);
        let mut table = Table::new(BufferedOutput::new(shared.clone(), true), columns, look);
        let mut shows = |user: &str, note: Option<&str>| {
            let row = serde_json::json!({
                "mac": "C8:5B:76:C6:59:62", "user": user, "state": "STARTED", "note": note,
            });
            let before = shared.text().len();
            table
                .push(&Record::from_value(row), Instant::now())
                .unwrap();
            shared.text()[before..].to_owned()
        };
        assert!(shows("pat", None).starts_with("MAC                USER"));
        let long = shows("a.long.name@lab.example", None);
        assert_eq!(long.lines().count(), 1, "{long}");
        assert!(long.contains("a.long.name@lab.example  STARTED"), "{long}");
        // A remark comes with a header of its own, once.
        let noted = shows("pat", Some("recovered"));
        assert!(noted.lines().next().unwrap().ends_with("NOTE"), "{noted}");
        assert_eq!(shows("pat", Some("recovered")).lines().count(), 1);
        WIDTH.store(36, Ordering::Relaxed);
        let narrow = shows("pat", None);
        assert!(narrow.lines().all(|line| line.width() <= 36), "{narrow}");
        assert!(narrow.starts_with("MAC                STATE"), "{narrow}");
        assert!(narrow.ends_with("STARTED\n"), "{narrow}");
    }

    #[test]
    fn a_slow_list_shows_rows_before_its_end() {
        let shared = Shared::default();
        let style = style();
        let look = Look {
            width_now: None,
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
