//! One thing in full: every member that has a value; nested members under dotted names. Members
//! without a value are left out: empty means unknown.
//!
//! On a terminal it is grouped (who, where, result, times, the rest, then each nested object), long
//! values are wrapped under themselves, the items of a list stand one a line, and no line is wider
//! than the terminal. What `--fields` names is shown in its order and not grouped. On a pipe it is
//! `name<TAB>value` in the server's order, escaped as TSV.

use std::borrow::Cow;
use std::io::Write;

use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use super::column::{self, CellKind, Chosen, Column};
use super::output::{Body, BufferedOutput};
use super::sections::Section;
use super::tsv_csv::SeparatedRows;
use super::widths::GAP;
use super::wrap::hang;
use super::{Style, paint, time};
use crate::error::Result;
use crate::record::Record;
use crate::sanitize::terminal_safe;

/// Fewer lines need no headings.
const FEW: usize = 8;
/// A name wider than this does not move all values to the right.
const WIDEST_NAME: usize = 32;

/// The members of a thing that are shown, by name.
pub(super) struct Sheet {
    chosen: Option<Vec<Chosen>>,
    columns: Vec<Column>,
}

struct Line {
    name: String,
    /// The items of a list, else one.
    values: Vec<String>,
    kind: CellKind,
    /// The member at the top that it stands in, where it is nested.
    parent: Option<String>,
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
                let before = lines.len();
                let member = column.member(record);
                if let Some(value) = member.and_then(|name| member_of(record, name)) {
                    self.flatten(&column.title, &value, column.kind, None, &mut lines);
                }
                if lines.len() == before {
                    lines.push(Line {
                        name: column.title.to_string(),
                        values: vec![column.text(record).unwrap_or_default().into_owned()],
                        kind: column.kind,
                        parent: None,
                    });
                }
            }
            return lines;
        }
        if let Value::Object(members) = record.to_value() {
            for (name, value) in &members {
                self.flatten(name, value, self.kind(name), None, &mut lines);
            }
        }
        lines.retain(|line| line.values.iter().any(|value| !value.is_empty()));
        lines
    }

    /// Name and value of each line, as programs get them: MAC addresses in one spelling, the items
    /// of a list between commas.
    pub(super) fn pairs(&self, record: &Record) -> impl Iterator<Item = (String, String)> {
        self.lines(record).into_iter().map(|line| {
            let each = line.values.iter();
            let each = each.map(|value| column::plain(Cow::Borrowed(value), line.kind));
            let value = each.collect::<Vec<_>>().join(", ");
            (line.name, value)
        })
    }

    fn kind(&self, name: &str) -> CellKind {
        Chosen::of_member(name, &self.columns).kind
    }

    fn flatten(
        &self,
        name: &str,
        value: &Value,
        kind: CellKind,
        parent: Option<&str>,
        lines: &mut Vec<Line>,
    ) {
        let plain = |value: &Value| match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let mut inside = |step: &str, value: &Value| {
            let inner = format!("{name}.{step}");
            let kind = self.kind(&inner);
            self.flatten(&inner, value, kind, Some(parent.unwrap_or(name)), lines);
        };
        let values = match value {
            Value::Object(members) => {
                for (step, value) in members {
                    inside(step, value);
                }
                return;
            }
            Value::Array(list) if list.iter().any(|item| item.is_object() || item.is_array()) => {
                for (index, value) in list.iter().enumerate() {
                    inside(&index.to_string(), value);
                }
                return;
            }
            Value::Array(list) => list.iter().map(plain).collect(),
            other => vec![plain(other)],
        };
        lines.push(Line {
            name: name.to_owned(),
            values,
            kind,
            parent: parent.map(str::to_owned),
        });
    }
}

fn member_of(record: &Record, name: &str) -> Option<Value> {
    let mut json = Vec::new();
    let there = record.write_member(name, &mut json);
    there.then(|| serde_json::from_slice(&json).ok()).flatten()
}

/// For people.
pub(super) struct OnTerminal<W> {
    output: BufferedOutput<W>,
    sheet: Sheet,
    style: Style,
    started: bool,
}

impl<W: Write> OnTerminal<W> {
    /// Lines to a terminal.
    pub(super) fn new(output: BufferedOutput<W>, sheet: Sheet, style: Style) -> Self {
        Self {
            output,
            sheet,
            style,
            started: false,
        }
    }

    fn cell_text(&self, value: &str, kind: CellKind) -> String {
        match kind {
            _ if value.is_empty() => "-".to_owned(),
            CellKind::Time | CellKind::Age => time::show(value, &self.style),
            _ => {
                let value = column::plain(Cow::Borrowed(value), kind);
                terminal_safe(&value).into_owned()
            }
        }
    }

    /// One section of lines under its heading, if it has one, the values in one column.
    fn section(&self, heading: Option<&str>, lines: &[Line], out: &mut String) {
        let Style { screen, .. } = self.style;
        let width = usize::from(screen.width);
        let margin = if heading.is_some() { GAP } else { 0 };
        if let Some(heading) = heading {
            let mut line = String::new();
            hang(&mut line, "", &terminal_safe(heading), 0, width);
            out.push_str(&paint::bold(line.trim_end(), screen.color));
            out.push('\n');
        }
        let name = |line: &Line| {
            let prefix = line
                .parent
                .as_deref()
                .filter(|_| heading == line.parent.as_deref());
            let inside =
                prefix.and_then(|parent| line.name.strip_prefix(parent)?.strip_prefix('.'));
            terminal_safe(inside.unwrap_or(&line.name)).into_owned()
        };
        let names: Vec<String> = lines.iter().map(name).collect();
        let widest = WIDEST_NAME.min(width / 2);
        let column = names.iter().map(|name| name.width());
        let column = column.filter(|name| *name <= widest).max().unwrap_or(0);
        let indent = margin + column + GAP;
        for (line, name) in lines.iter().zip(&names) {
            let values: Vec<String> = line
                .values
                .iter()
                .map(|value| self.cell_text(value, line.kind))
                .collect();
            let room = width.saturating_sub(margin + name.width() + GAP);
            let mut head = format!("{:margin$}{name}", "");
            if name.width() <= column {
                head.push_str(&" ".repeat(indent - margin - name.width()));
            } else if let [value] = values.as_slice()
                && value.width() <= room
            {
                head.push_str(&" ".repeat(GAP));
            } else {
                // The name has its own line, and the values stand where all do.
                hang(out, &head, "", 2 * GAP, width);
                head = " ".repeat(indent);
            }
            self.values(&mut head, name, line.kind, &values, indent, out);
        }
    }

    fn values(
        &self,
        head: &mut String,
        name: &str,
        kind: CellKind,
        values: &[String],
        indent: usize,
        out: &mut String,
    ) {
        let Style { screen, .. } = self.style;
        for value in values {
            let mut text = String::new();
            hang(&mut text, head, value, indent, usize::from(screen.width));
            if screen.color {
                // Measured first, painted then: a colour takes no room.
                text = text.replacen(name, &paint::bold(name, true), 1);
                if let Some(code) = paint::meaning(kind, value)
                    && let Some(start) = text.strip_suffix(&format!("{value}\n"))
                {
                    text = format!("{start}{}\n", paint::painted(code, value, true));
                }
            }
            out.push_str(&text);
            *head = " ".repeat(indent);
        }
    }
}

impl<W: Write + Send> Body for OnTerminal<W> {
    fn record(&mut self, record: &Record) -> Result<()> {
        let lines = self.sheet.lines(record);
        let mut out = String::new();
        if self.started {
            out.push('\n');
        }
        self.started = true;
        let sections = if self.sheet.chosen.is_some() {
            vec![(None, lines)]
        } else {
            sections(lines)
        };
        for (index, (heading, lines)) in sections.iter().enumerate() {
            if index > 0 && heading.is_some() {
                out.push('\n');
            }
            self.section(heading.as_deref(), lines, &mut out);
        }
        self.output.buffer.extend_from_slice(out.as_bytes());
        self.output.flush()
    }

    fn pause(&mut self) -> Result<()> {
        self.output.flush()
    }

    fn end(&mut self, _whole: bool) -> Result<()> {
        self.output.flush()
    }
}

/// The lines under the headings of their groups; as they came where they are few or of one group.
fn sections(lines: Vec<Line>) -> Vec<(Option<String>, Vec<Line>)> {
    if lines.len() < FEW {
        return vec![(None, lines)];
    }
    let mut sections: Vec<(Section, Option<String>, Vec<Line>)> = Vec::new();
    for line in lines {
        let time = |value: &String| time::parse(value).is_some();
        let is_time = line.kind == CellKind::Time && line.values.iter().any(time);
        let group = match &line.parent {
            Some(_) => Section::Rest,
            None => Section::of(&line.name, is_time),
        };
        let parent = line.parent.clone();
        match sections
            .iter_mut()
            .find(|(known, inside, _)| *known == group && *inside == parent)
        {
            Some((.., lines)) => lines.push(line),
            None => sections.push((group, parent, vec![line])),
        }
    }
    // Stable: nested objects keep their order, behind the rest.
    crate::order::sort_by_key(&mut sections, |(group, parent, _)| {
        (*group, parent.is_some())
    });
    if sections.len() > 1 {
        let headed = |(group, parent, lines): (Section, Option<String>, _)| {
            (
                Some(parent.unwrap_or_else(|| group.heading().to_owned())),
                lines,
            )
        };
        return sections.into_iter().map(headed).collect();
    }
    let all = sections.into_iter().flat_map(|(.., lines)| lines).collect();
    vec![(None, all)]
}

/// For programs.
pub(super) struct OnPipe<W: Write> {
    rows: SeparatedRows<W>,
    sheet: Sheet,
}

impl<W: Write> OnPipe<W> {
    /// Rows of name and value.
    pub(super) fn new(rows: SeparatedRows<W>, sheet: Sheet) -> Self {
        Self { rows, sheet }
    }
}

impl<W: Write + Send> Body for OnPipe<W> {
    fn record(&mut self, record: &Record) -> Result<()> {
        for (name, value) in self.sheet.pairs(record) {
            self.rows.cell(&name)?;
            self.rows.cell(&value)?;
            self.rows.end_row()?;
        }
        Ok(())
    }

    fn pause(&mut self) -> Result<()> {
        self.rows.flush()
    }

    fn end(&mut self, _whole: bool) -> Result<()> {
        self.rows.flush()
    }
}
