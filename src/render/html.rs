//! `--format html`: a small page with one table, written as rows come. It loads nothing, runs
//! nothing, and its templates escape every value.

use std::io::Write;

use askama::Template;
use jiff::Timestamp;

use super::document::{Cell, Content};
use super::output::{Body, BufferedOutput};
use super::page;
use crate::error::{Error, Kind, Result};
use crate::record::Record;

#[derive(Template)]
#[template(config = "src/render/askama.toml", path = "render/html/head.html")]
struct Head<'a> {
    policy: String,
    title: String,
    style: &'static str,
    class: Option<&'static str>,
    titles: Option<Vec<Cell<'a>>>,
}

#[derive(Template)]
#[template(config = "src/render/askama.toml", path = "render/html/row.html")]
struct Row<'a> {
    cells: &'a [Cell<'a>],
}

#[derive(Template)]
#[template(config = "src/render/askama.toml", path = "render/html/end.html")]
struct End {
    rows: u64,
    broke_off: bool,
}

/// Writes the page.
pub(super) struct Html<W> {
    output: BufferedOutput<W>,
    content: Content,
    rows: u64,
}

impl<W: Write> Html<W> {
    /// Starts the page; `header`: whether its table has titles, `now`: when it was made.
    pub(super) fn new(
        mut output: BufferedOutput<W>,
        content: Content,
        header: bool,
        now: Timestamp,
    ) -> Result<Self> {
        let titles = content.titles();
        let head = Head {
            policy: page::policy(page::STYLE, None),
            title: format!("netapi {}", now.strftime("%Y-%m-%d %H:%M UTC")),
            style: page::STYLE,
            class: page::table_class(titles.len()),
            titles: header.then_some(titles),
        };
        fill(&head, &mut output.buffer)?;
        Ok(Self {
            output,
            content,
            rows: 0,
        })
    }
}

/// Appends a template with its values.
pub(super) fn fill(template: &impl Template, out: &mut Vec<u8>) -> Result<()> {
    Template::write_into(template, out)
        .map_err(|error| Error::new(Kind::Failed, format!("cannot write the page: {error}")))?;
    out.push(b'\n');
    Ok(())
}

impl<W: Write + Send> Body for Html<W> {
    fn record(&mut self, record: &Record) -> Result<()> {
        let (content, buffer) = (&self.content, &mut self.output.buffer);
        content.rows(record, |cells| fill(&Row { cells }, buffer))?;
        self.rows += 1;
        self.output.line_end()
    }

    fn pause(&mut self) -> Result<()> {
        self.output.flush()
    }

    /// The page is closed in any case, for a person to look at; what lacks is said in it.
    fn end(&mut self, whole: bool) -> Result<()> {
        let end = End {
            rows: self.rows,
            broke_off: !whole,
        };
        fill(&end, &mut self.output.buffer)?;
        self.output.flush()
    }
}
