//! Records to output: table, tsv, csv, json, jsonl, yaml, html, md, and the Monitoring node's xml as
//! it came. It fetches nothing and prints only to the writer it is given.
//!
//! A [`Renderer`] is a [`RecordSink`]: records are pushed in one at a time, and leave in blocks
//! while more are there and at once when the server pauses. What must see more says so: a terminal
//! table holds a block, `--sort` and `--jq` hold the list within bounds. Facts about the terminal
//! come in with the [`Style`], so everything here is a function of its input.
//!
//! | file | holds |
//! | --- | --- |
//! | `body` | what writes which format |
//! | `column`, `names` | columns, and what the names of `--fields` and `--sort` stand for |
//! | `tsv_csv` | tsv and csv |
//! | `json`, `pretty`, `yaml` | JSON, JSON for a terminal, YAML |
//! | `document`, `html`, `markdown` | tables in documents |
//! | [`page`] | what every HTML page has |
//! | `table`, `measures`, `widths`, `single`, `sections`, `tree`, [`wrap`], `paint`, `interface_name` | what a person looks at |
//! | `raw` | xml |
//! | `sort`, `jq` | what holds a list |
//! | `counts`, `bars` | rows counted by their values, and how a terminal shows that |
//! | `sparkline` | numbers over time as small bars |
//! | [`time`], [`progress`] | times for people, and a sign of life |

mod bars;
mod body;
mod column;
mod counts;
mod document;
mod format;
mod html;
mod interface_name;
#[cfg_attr(not(feature = "jq"), path = "jq_unsupported.rs")]
mod jq;
mod json;
mod markdown;
mod measures;
mod names;
mod output;
pub mod page;
mod paint;
mod pretty;
pub mod progress;
mod raw;
mod sections;
mod single;
mod sort;
mod sparkline;
mod style;
mod table;
pub mod time;
mod tree;
mod tsv_csv;
pub(crate) mod widths;
pub mod wrap;
mod yaml;

pub use crate::sanitize::terminal_safe;
pub use bars::bar;
pub use column::{CellKind, CellSource, Column, Columns, column, first_of, with};
pub use format::Format;
pub(crate) use interface_name::short as short_interface_name;
pub use jq::JqFilter;
pub use paint::word as meaning_of_word;
pub use progress::{Meter, Progress};
pub use style::{Screen, Style, check, check_endless};
pub use tree::tree;

use std::io::Write;
use std::ops::ControlFlow;

use crate::error::{Error, Result};
use crate::record::{Record, RecordSink};
use column::Chosen;
use names::{Known, Unseen};
use output::{Body, BufferedOutput};

/// Appends well-formed JSON for a terminal: indented, coloured where `color` says so, safe.
pub fn pretty_json(text: &str, color: bool, out: &mut Vec<u8>) {
    pretty::write(text, 0, color, out);
}

/// The stack of a thread that evaluates `--jq`: its library calls itself for each level of a value,
/// also to drop it. Only what is used of it costs memory.
pub const JQ_STACK: usize = 256 << 20;

/// What the records are together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Any number of like things: an array, a table.
    List,
    /// One thing in full: an object, `name  value` lines. Explicit tsv and csv have one row of all
    /// its members.
    Single,
    /// One value (`count`): an object in JSON and YAML, the bare first column in table and tsv; csv
    /// like a list.
    Bare,
}

/// What `--fields`, `--sort` and `--by` come to.
type Settled = (
    Option<Vec<Chosen>>,
    Option<sort::Sorter>,
    Option<counts::Counter>,
    Vec<Unseen>,
);

/// Writes records in a format.
///
/// After the last record call [`finish`](Self::finish), or [`broke_off`](Self::broke_off) when the
/// list did not come to its end; without either, what is still buffered is lost.
pub struct Renderer<W> {
    style: Style,
    columns: Vec<Column>,
    shape: Shape,
    live: bool,
    width_now: Option<fn() -> u16>,
    members: &'static [&'static str],
    unseen: Vec<Unseen>,
    out: Option<W>,
    body: Option<Box<dyn Body>>,
    settled: Option<Settled>,
    sorter: Option<sort::Sorter>,
    counter: Option<counts::Counter>,
    rows: u64,
    announced: Option<u64>,
    came: u64,
}

impl<W: Write + Send + 'static> Renderer<W> {
    /// Checks the style and settles what can be settled before the first record. Usage errors:
    /// options that the format has no use for.
    pub fn new(style: Style, columns: impl Into<Columns>, shape: Shape, out: W) -> Result<Self> {
        check(&style)?;
        if !style.by.is_empty() && shape != Shape::List {
            return Err(Error::usage(
                "--by counts the rows of a list, and this is one thing",
            ));
        }
        let columns = columns.into();
        Ok(Self {
            style,
            columns: columns.list.into_owned(),
            shape,
            live: false,
            width_now: None,
            members: columns.members,
            unseen: Vec::new(),
            out: Some(out),
            body: None,
            settled: None,
            sorter: None,
            counter: None,
            rows: 0,
            announced: None,
            came: 0,
        })
    }

    /// For what comes when it comes (`watch`, `subscribe`): each record is written at once, JSON
    /// one object a line, `--jq` sees one object after the other, and a terminal table draws each
    /// row alone, with widths guessed from the first and absolute times. Lists are written by size
    /// instead: they end.
    #[must_use]
    pub fn live(mut self) -> Self {
        self.live = true;
        self
    }

    /// A terminal's table follows its width, which `width_now` tells; `None` where it is fixed.
    #[must_use]
    pub fn following(mut self, width_now: Option<fn() -> u16>) -> Self {
        self.width_now = width_now;
        self
    }

    /// Settles `--fields` and `--sort` now, for what must not fail by its first record: the answer
    /// to a change, events that come later. A name is a column's, one of `members`, or after a dot
    /// one below them; a record that lacks it has an empty cell.
    ///
    /// Errors: [`Kind::Usage`](crate::error::Kind::Usage) for any other name.
    pub fn settled(mut self, members: &[&str]) -> Result<Self> {
        self.settled = Some(self.settle(members, None, true)?);
        Ok(self)
    }

    /// The same by a record that is the only one to come; what was settled before stays.
    pub fn settled_by(self, only: &Record) -> Result<Self> {
        if self.settled.is_some() {
            return Ok(self);
        }
        self.settled(&only.names())
    }

    /// What to say at the end of names that stood in no record (`names`).
    pub fn unknown_fields(&self) -> Vec<String> {
        self.unseen.iter().filter_map(Unseen::words).collect()
    }

    /// How many rows there are where `--limit` kept some back and their number is known: by who
    /// announced it, or because all came to be sorted.
    pub fn beyond_limit(&self) -> Option<u64> {
        let all = self.announced.unwrap_or(0).max(self.came);
        let is_cut = self.style.limit == Some(self.rows) && all > self.rows;
        is_cut.then_some(all)
    }

    /// Whether it ended with `--limit`, so that nobody knows whether there are more.
    pub fn stopped_at_limit(&self) -> bool {
        let stopped = self.style.limit == Some(self.rows) && self.style.sort.is_none();
        stopped && self.rows > 0 && self.announced.is_none()
    }

    /// Ends well: writes what is held, closes what is open. The number of records written; for xml,
    /// of those seen. A second call does nothing.
    pub fn finish(&mut self) -> Result<u64> {
        self.end(true)
    }

    /// Ends a list that broke off: what was received is written (sorted, if it was to be), but a
    /// JSON array stays open, so that its reader fails too, and a `--jq` filter over the whole list
    /// does not run.
    pub fn broke_off(&mut self) -> Result<u64> {
        self.end(false)
    }

    fn end(&mut self, whole: bool) -> Result<u64> {
        if self.body.is_none() && self.counter.is_none() {
            if whole && self.out.is_some() {
                self.start(None)?;
            }
            if self.counter.is_none() {
                // What broke off before anything came leaves nothing, not half of an empty list.
                self.out = None;
            }
        }
        if let Some(counter) = self.counter.take() {
            self.write_counts(counter.finish(self.style.top))?;
        }
        if let Some(sorter) = self.sorter.take() {
            for record in sorter.finish() {
                if self.emit(&record?)?.is_break() {
                    break;
                }
            }
        }
        if let Some(mut body) = self.body.take() {
            body.end(whole)?;
        }
        Ok(self.rows)
    }

    fn emit(&mut self, record: &Record) -> Result<ControlFlow<()>> {
        let limit = self.style.limit.unwrap_or(u64::MAX);
        if self.rows < limit {
            if let Some(body) = &mut self.body {
                body.record(record)?;
            }
            self.rows += 1;
        }
        Ok(if self.rows < limit {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        })
    }

    /// Settles fields and sorting by the first record (`None`: there is none) and starts the
    /// format.
    fn start(&mut self, first: Option<&Record>) -> Result<()> {
        let (chosen, sorter, counter, unseen) = match self.settled.take() {
            Some(settled) => settled,
            None => self.settle(self.members, first, false)?,
        };
        self.sorter = sorter;
        self.counter = counter;
        self.unseen = unseen;
        if self.counter.is_some() {
            // What is written is known at the end.
            return Ok(());
        }
        let Some(out) = self.out.take() else {
            return Ok(());
        };
        let format = self.style.format.unwrap_or(Format::Table);
        self.body = Some(self.body(format, chosen, first, out)?);
        Ok(())
    }

    /// What `--fields` and `--sort` mean.
    fn settle(&self, members: &[&str], first: Option<&Record>, closed: bool) -> Result<Settled> {
        let format = self.style.format.unwrap_or(Format::Table);
        let objects = self.style.jq.is_some()
            || matches!(format, Format::Json | Format::Jsonl | Format::Yaml);
        let known = Known {
            columns: &self.columns,
            members,
            first,
            closed,
            members_first: objects,
        };
        let mut unseen = Vec::new();
        let fields = &self.style.fields;
        let chosen: Result<Vec<Chosen>> = fields
            .iter()
            .map(|name| known.find(name, &mut unseen))
            .collect();
        let mut chosen = chosen?;
        if objects {
            // No object has a name twice; a column may stand twice.
            let mut seen = std::collections::HashSet::new();
            chosen.retain(|member| seen.insert(member.key().into_owned()));
        }
        let mut chosen = Some(chosen).filter(|chosen| !chosen.is_empty());
        if self.style.name_only && chosen.is_none() {
            chosen = column::name(&self.columns).map(|name| vec![name]);
        }
        let sorter = match self.style.sort.as_deref() {
            Some(field) => {
                let name = field.strip_prefix('-').unwrap_or(field);
                let by = known.find(name, &mut unseen)?;
                Some(sort::Sorter::new(by, name.len() < field.len()))
            }
            None => None,
        };
        let by = self.style.by.iter();
        let by: Result<Vec<Chosen>> = by.map(|name| known.find(name, &mut unseen)).collect();
        let counter = Some(by?).filter(|by| !by.is_empty());
        if counter.is_some() && self.live {
            return Err(Error::usage("--by counts a list, and this one has no end"));
        }
        Ok((chosen, sorter, counter.map(counts::Counter::new), unseen))
    }

    /// Writes groups: as bars on a terminal, else as the records that they are.
    fn write_counts(&mut self, counted: counts::Counted) -> Result<()> {
        let Some(out) = self.out.take() else {
            return Ok(());
        };
        let names = std::mem::take(&mut self.style.by);
        let format = self.style.format.unwrap_or(Format::Table);
        if format == Format::Table && self.style.screen.terminal && self.style.jq.is_none() {
            let mut output = BufferedOutput::new(out, false);
            let text = bars::draw(&counted, &names, self.style.screen, self.style.header);
            output.buffer.extend_from_slice(text.as_bytes());
            self.rows = counted.groups.len() as u64;
            return output.flush();
        }
        let fields = names.iter().map(String::as_str).chain([counts::COUNT]);
        let column = |name| {
            let mut column = Chosen::of_member(name, &[]);
            if name == counts::COUNT {
                column.kind = CellKind::Number;
            }
            column
        };
        let columns =
            (format.has_columns() && self.style.jq.is_none()).then(|| fields.map(column).collect());
        self.body = Some(self.body(format, columns, None, out)?);
        for group in counted.groups {
            if self.emit(&group.record(&names))?.is_break() {
                break;
            }
        }
        Ok(())
    }
}

impl<W: Write + Send + 'static> RecordSink for Renderer<W> {
    fn begin(&mut self, announced: Option<u64>) -> Result<()> {
        self.announced = announced;
        Ok(())
    }

    fn record(&mut self, record: &Record) -> Result<ControlFlow<()>> {
        self.came += 1;
        if self.body.is_none() && self.counter.is_none() {
            self.start(Some(record))?;
        }
        if !self.unseen.is_empty() {
            self.unseen.retain(|name| !name.is_in(record));
        }
        if let Some(counter) = &mut self.counter {
            counter.add(record)?;
            return Ok(ControlFlow::Continue(()));
        }
        if let Some(sorter) = &mut self.sorter {
            sorter.push(record)?;
            return Ok(ControlFlow::Continue(()));
        }
        self.emit(record)
    }

    fn pause(&mut self) -> Result<()> {
        match &mut self.body {
            Some(body) => body.pause(),
            None => Ok(()),
        }
    }

    fn raw(&mut self, bytes: &[u8]) -> Result<()> {
        if self.body.is_none() {
            self.start(None)?;
        }
        match &mut self.body {
            Some(body) => body.raw(bytes),
            None => Ok(()),
        }
    }

    fn wants_raw(&self) -> bool {
        self.style.format == Some(Format::Xml)
    }
}

#[cfg(test)]
mod tests;
