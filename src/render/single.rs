//! One thing in full, as `name  value` lines: every member that has a value, in the server's order; nested members under dotted names.
//!
//! On a terminal the values stand in one column and are made safe; on a pipe it is `name<TAB>value`, escaped as TSV. Members
//! without a value are left out: empty means unknown.

use std::io::Write;

use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use super::column::{CellKind, Chosen, Column};
use super::lines::Rows;
use super::output::{Body, Output};
use super::safe::terminal_safe;
use super::widths::GAP;
use super::{Style, paint, time};
use crate::error::Result;
use crate::record::Record;

/// The members of a thing that are shown, by name.
pub(super) struct Sheet {
    chosen: Option<Vec<Chosen>>,
    columns: Vec<Column>,
}

struct Line {
    name: String,
    value: String,
    kind: CellKind,
}

impl Sheet {
    /// The chosen members, or all; `columns` say how a member that they read is shown.
    pub(super) fn new(chosen: Option<Vec<Chosen>>, columns: Vec<Column>) -> Self {
        Self { chosen, columns }
    }

    fn lines(&self, record: &Record) -> Vec<Line> {
        let mut lines = Vec::new();
        if let Some(chosen) = &self.chosen {
            for column in chosen {
                let value = column.text(record).unwrap_or_default().into_owned();
                lines.push(Line {
                    name: column.title.to_string(),
                    value,
                    kind: column.kind,
                });
            }
            return lines;
        }
        if let Value::Object(members) = record.to_value() {
            for (name, value) in &members {
                let kind = Chosen::of_member(name, &self.columns).kind;
                flatten(name, value, kind, &mut lines);
            }
        }
        lines.retain(|line| !line.value.is_empty());
        lines
    }
}

fn flatten(name: &str, value: &Value, kind: CellKind, lines: &mut Vec<Line>) {
    let plain = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match value {
        Value::Object(members) => {
            for (inner, value) in members {
                flatten(&format!("{name}.{inner}"), value, CellKind::Text, lines);
            }
        }
        Value::Array(list) if list.iter().any(|item| item.is_object() || item.is_array()) => {
            for (index, value) in list.iter().enumerate() {
                flatten(&format!("{name}.{index}"), value, CellKind::Text, lines);
            }
        }
        Value::Array(list) => lines.push(Line {
            name: name.to_owned(),
            value: list.iter().map(plain).collect::<Vec<_>>().join(", "),
            kind,
        }),
        other => lines.push(Line {
            name: name.to_owned(),
            value: plain(other),
            kind,
        }),
    }
}

/// For people.
pub(super) struct OnTerminal<W> {
    output: Output<W>,
    sheet: Sheet,
    style: Style,
    started: bool,
}

impl<W: Write> OnTerminal<W> {
    /// Lines to a terminal.
    pub(super) fn new(output: Output<W>, sheet: Sheet, style: Style) -> Self {
        Self {
            output,
            sheet,
            style,
            started: false,
        }
    }
}

impl<W: Write + Send> Body for OnTerminal<W> {
    fn record(&mut self, record: &Record) -> Result<()> {
        let mut lines = self.sheet.lines(record);
        for line in &mut lines {
            line.name = terminal_safe(&line.name).into_owned();
        }
        let widest = lines.iter().map(|line| line.name.width()).max();
        let out = &mut self.output.buffer;
        if self.started {
            out.push(b'\n');
        }
        self.started = true;
        let color = self.style.screen.color;
        for line in lines {
            let value = match line.kind {
                _ if line.value.is_empty() => "-".to_owned(),
                CellKind::Time => time::show(&line.value, &self.style),
                CellKind::Verdict => {
                    paint::verdict(&terminal_safe(&line.value), color).into_owned()
                }
                CellKind::Text
                | CellKind::Number
                | CellKind::Event
                | CellKind::Port
                | CellKind::Addresses => terminal_safe(&line.value).into_owned(),
            };
            let pad = widest.unwrap_or(0).saturating_sub(line.name.width()) + GAP;
            out.extend_from_slice(paint::bold(&line.name, color).as_bytes());
            out.extend_from_slice(" ".repeat(pad).as_bytes());
            out.extend_from_slice(value.as_bytes());
            out.push(b'\n');
        }
        self.output.flush()
    }

    fn end(&mut self, _whole: bool) -> Result<()> {
        self.output.flush()
    }
}

/// For programs.
pub(super) struct OnPipe<W: Write> {
    rows: Rows<W>,
    sheet: Sheet,
}

impl<W: Write> OnPipe<W> {
    /// Rows of name and value.
    pub(super) fn new(rows: Rows<W>, sheet: Sheet) -> Self {
        Self { rows, sheet }
    }
}

impl<W: Write + Send> Body for OnPipe<W> {
    fn record(&mut self, record: &Record) -> Result<()> {
        for line in self.sheet.lines(record) {
            self.rows.cell(&line.name)?;
            if line.kind == CellKind::Time {
                self.rows.cell(&time::plain(&line.value))?;
            } else {
                self.rows.cell(&line.value)?;
            }
            self.rows.end_row()?;
        }
        Ok(())
    }

    fn end(&mut self, _whole: bool) -> Result<()> {
        self.rows.flush()
    }
}
