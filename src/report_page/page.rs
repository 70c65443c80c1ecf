//! The page: its head, its sections one after the other, its end.

use std::io::Write;

use askama::Template;

use super::chart::{Bars, Chart};
use super::table::{Grid, Numbers, Table, Text, grouped};
use crate::error::{Result, from_output};
use crate::render::page;

/// The style: what all pages share, and the report's own.
const STYLE: &str = concat!(
    include_str!("../render/html/page.css"),
    include_str!("html/report.css")
);
/// What sorts and filters. The page is whole without it.
const SCRIPT: &str = include_str!("html/report.js");

/// By this a file is known as a report.
const MARK: &str = "<meta name=\"generator\" content=\"netapi report\">";
/// Within so many bytes of its beginning.
const MARK_WITHIN: usize = 1024;

/// What the page is of.
#[derive(Debug, Clone)]
pub struct Head {
    /// The deployment.
    pub deployment: Text,
    /// Over which time, and when it was made.
    pub when: String,
    /// By which program.
    pub program: String,
    /// The most important numbers.
    pub facts: Vec<Fact>,
    /// Where it comes from, and what is missing.
    pub sources: Vec<(Text, Text)>,
    /// What could not be asked: the page is not whole.
    pub lacking: Vec<Text>,
}

/// One number, and what it counts.
#[derive(Debug, Clone)]
pub struct Fact {
    /// The number in words.
    pub number: String,
    /// What it counts.
    pub words: String,
}

impl Fact {
    /// A count.
    pub fn new(count: u64, words: &str) -> Self {
        Self {
            number: grouped(count),
            words: words.to_owned(),
        }
    }
}

/// One section, with a heading that the table of contents names.
#[derive(Debug, Clone, Default)]
pub struct Section {
    /// Its place in the page.
    pub id: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// Sentences below it.
    pub words: Vec<Text>,
    /// What it holds.
    pub parts: Vec<Part>,
}

/// A chart with its table, or a matrix.
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// Its heading.
    pub title: String,
    /// The chart.
    pub chart: Option<Chart>,
    /// The table.
    pub table: Option<Table>,
    /// The numbers of the table's small lines.
    pub numbers: Option<Numbers>,
    /// The matrix.
    pub grid: Option<Grid>,
}

#[derive(Template)]
#[template(config = "src/render/askama.toml", path = "report_page/html/head.html")]
struct Beginning<'a> {
    policy: String,
    style: &'static str,
    head: &'a Head,
    contents: &'a [(&'static str, &'static str)],
}

#[derive(Template)]
#[template(
    config = "src/render/askama.toml",
    path = "report_page/html/section.html"
)]
struct Middle<'a> {
    section: &'a Section,
}

#[derive(Template)]
#[template(config = "src/render/askama.toml", path = "report_page/html/end.html")]
struct End {
    script: &'static str,
}

/// Writes a page.
pub struct Page<W: Write> {
    out: W,
    bytes: u64,
}

impl<W: Write> Page<W> {
    /// Begins it; `contents`: id and title of each section that will come.
    ///
    /// Errors: those of `out`.
    pub fn begin(out: W, head: &Head, contents: &[(&'static str, &'static str)]) -> Result<Self> {
        let mut page = Self { out, bytes: 0 };
        page.write(&Beginning {
            policy: page::policy(STYLE, Some(SCRIPT)),
            style: STYLE,
            head,
            contents,
        })?;
        Ok(page)
    }

    /// Writes a section.
    pub fn section(&mut self, section: &Section) -> Result<()> {
        self.write(&Middle { section })
    }

    /// Ends the page; what it was written to, and how many bytes it has.
    pub fn end(mut self) -> Result<(W, u64)> {
        self.write(&End { script: SCRIPT })?;
        self.out.flush().map_err(|error| from_output(&error))?;
        Ok((self.out, self.bytes))
    }

    fn write(&mut self, template: &impl Template) -> Result<()> {
        let mut counted = Counted {
            out: &mut self.out,
            bytes: 0,
        };
        let written = Template::write_into(template, &mut counted);
        self.bytes += counted.bytes;
        written.map_err(|error| from_output(&error))
    }
}

struct Counted<'a, W> {
    out: &'a mut W,
    bytes: u64,
}

impl<W: Write> Write for Counted<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

/// Whether a file that begins so is a report, which another may replace.
pub fn is_report(beginning: &[u8]) -> bool {
    let beginning = beginning.get(..MARK_WITHIN).unwrap_or(beginning);
    memchr::memmem::find(beginning, MARK.as_bytes()).is_some()
}
