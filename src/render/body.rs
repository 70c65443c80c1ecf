//! What writes the records of a format, by the shape of what is printed and where it goes.

use std::io::Write;

use super::column::{self, Chosen};
use super::document::Content;
use super::json::{self, Frame};
use super::output::{Body, BufferedOutput};
use super::tsv_csv::{self, Dialect, SeparatedRows};
use super::{Format, Renderer, Shape, html, markdown, raw, single, table, yaml};
use crate::error::Result;
use crate::record::Record;

impl<W: Write + Send + 'static> Renderer<W> {
    /// For this format; `first`: the first record, where one is known.
    pub(super) fn body(
        &mut self,
        format: Format,
        chosen: Option<Vec<Chosen>>,
        first: Option<&Record>,
        out: W,
    ) -> Result<Box<dyn Body>> {
        let (screen, live) = (self.style.screen, self.live);
        let list = self.shape == Shape::List;
        let frame = match format {
            Format::Jsonl => Frame::Lines,
            // What comes when it comes has no end that an array could wait for.
            _ if list && live => Frame::Lines,
            _ if list => Frame::Array,
            _ => Frame::Objects,
        };
        if let Some(filter) = self.style.jq.clone() {
            let output = BufferedOutput::new(out, live);
            return Ok(filter.body(output, chosen, frame, screen));
        }
        Ok(match format {
            Format::Table => return self.table(chosen, out),
            Format::Tsv if self.shape == Shape::Bare => return self.table(chosen, out),
            Format::Tsv | Format::Csv => {
                let dialect = if format == Format::Csv {
                    Dialect::Csv
                } else {
                    Dialect::Tsv
                };
                let rows = SeparatedRows::new(out, dialect, screen.terminal, live);
                let columns = chosen.unwrap_or_else(|| self.default_columns(first));
                Box::new(tsv_csv::Lines::new(rows, columns, self.style.header)?)
            }
            Format::Json | Format::Jsonl => {
                let output = BufferedOutput::new(out, live);
                Box::new(json::Json::new(output, chosen, frame, screen))
            }
            Format::Yaml => Box::new(yaml::Yaml::new(
                BufferedOutput::new(out, live),
                chosen,
                list,
            )),
            Format::Xml => Box::new(raw::Raw::new(
                BufferedOutput::new(out, live),
                screen.terminal,
            )),
            Format::Html | Format::Md => {
                let output = BufferedOutput::new(out, live);
                let (content, header) = (self.document(chosen), self.style.header);
                if format == Format::Html {
                    Box::new(html::Html::new(output, content, header, self.style.now)?)
                } else {
                    Box::new(markdown::Markdown::new(output, content, header)?)
                }
            }
        })
    }

    /// The columns of explicit tsv and csv: those of the list, or all members of the single thing.
    fn default_columns(&self, first: Option<&Record>) -> Vec<Chosen> {
        match (self.shape, first) {
            (Shape::Single, Some(record)) => record
                .names()
                .into_iter()
                .map(|name| Chosen::of_member(name, &self.columns))
                .collect(),
            _ => column::all(&self.columns),
        }
    }

    /// The columns of a list, or the members of one thing.
    fn document(&self, chosen: Option<Vec<Chosen>>) -> Content {
        if self.shape == Shape::Single {
            return Content::Single(single::Sheet::new(chosen, self.columns.clone()));
        }
        Content::List(chosen.unwrap_or_else(|| column::all(&self.columns)))
    }

    fn table(&mut self, chosen: Option<Vec<Chosen>>, out: W) -> Result<Box<dyn Body>> {
        let (screen, live) = (self.style.screen, self.live);
        let pipe = |out| SeparatedRows::new(out, Dialect::Tsv, screen.terminal, live);
        if self.shape == Shape::Single {
            let sheet = single::Sheet::new(chosen, self.columns.clone());
            return Ok(if screen.terminal {
                let output = BufferedOutput::new(out, live);
                Box::new(single::OnTerminal::new(output, sheet, self.style.clone()))
            } else {
                Box::new(single::OnPipe::new(pipe(out), sheet))
            });
        }
        let may_drop = chosen.is_none();
        let mut columns = chosen.unwrap_or_else(|| column::all(&self.columns));
        if self.shape == Shape::Bare {
            columns.truncate(1);
        }
        if !screen.terminal || self.shape == Shape::Bare {
            return Ok(Box::new(tsv_csv::Lines::new(pipe(out), columns, false)?));
        }
        let look = table::Look {
            screen,
            width_now: self.width_now,
            header: self.style.header,
            may_drop,
            live,
            now: (!live).then_some(self.style.now),
            zone: self.style.zone.clone(),
        };
        let output = BufferedOutput::new(out, live);
        Ok(Box::new(table::Table::new(output, columns, look)))
    }
}
