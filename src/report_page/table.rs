//! Tables of a report, and the texts in them.

use jiff::tz::TimeZone;
use unicode_width::UnicodeWidthChar;

use super::chart::Spark;
use crate::render::page::{line_breaks, table_class, visible};
use crate::render::time;

/// Columns of text that one cell shows; a name that is longer says nothing more to a person.
const LONGEST: usize = 120;
const LONGEST_SENTENCE: usize = 1_000;

/// A text that may have come from a stranger: visible, and cut. Templates escape it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text(String);

impl Text {
    /// Of any text.
    pub fn new(text: &str) -> Self {
        Self(cut(&visible(text), LONGEST))
    }

    /// Of a sentence, an error's message for one: longer than a name may be.
    pub fn sentence(text: &str) -> Self {
        Self(cut(&visible(text), LONGEST_SENTENCE))
    }
}

impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text in at most so many columns, with `…` for what was cut.
pub(super) fn cut(text: &str, most: usize) -> String {
    let mut width = 0;
    for (at, c) in text.char_indices() {
        width += c.width().unwrap_or(0).max(usize::from(at == 0));
        if width > most || at > 4 * most {
            return format!("{}…", text.get(..at).unwrap_or_default().trim_end());
        }
    }
    text.to_owned()
}

/// A column's title.
#[derive(Debug, Clone, Copy)]
pub struct Heading {
    /// The words.
    pub title: &'static str,
    /// Its values stand on the right.
    pub number: bool,
}

impl Heading {
    /// Of texts.
    pub const fn text(title: &'static str) -> Self {
        Self {
            title,
            number: false,
        }
    }

    /// Of numbers.
    pub const fn number(title: &'static str) -> Self {
        Self {
            title,
            number: true,
        }
    }
}

/// How a cell stands out: by a sign and a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Worth a look.
    High,
    /// Alarming.
    Critical,
}

/// One cell.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    /// What it says.
    pub text: Text,
    /// What it is sorted by, where that is not its text.
    pub(super) order: Option<String>,
    pub(super) number: bool,
    pub(super) time: bool,
    pub(super) mark: Option<Mark>,
    pub(super) spark: Option<Spark>,
}

impl Cell {
    /// A stranger's or our text.
    pub fn text(text: &str) -> Self {
        Self {
            text: Text::new(text),
            ..Self::default()
        }
    }

    /// A number: thousands apart, sorted by its value.
    pub fn count(count: u64) -> Self {
        Self {
            text: Text(grouped(count)),
            order: Some(count.to_string()),
            number: true,
            ..Self::default()
        }
    }

    /// A part of a whole, in percent.
    #[allow(clippy::cast_precision_loss, reason = "a share has one decimal")]
    pub fn share(count: u64, whole: u64) -> Self {
        let share = count as f64 / (whole.max(1) as f64) * 100.0;
        Self {
            text: Text(format!("{share:.1} %")),
            order: Some(format!("{share:.3}")),
            number: true,
            ..Self::default()
        }
    }

    /// A number as a server spelled it.
    pub fn number(text: &str) -> Self {
        Self {
            text: Text::new(text),
            number: true,
            ..Self::default()
        }
    }

    /// A time in `zone`, to the minute; a server's text where it is no time.
    pub fn time(text: &str, zone: &TimeZone) -> Self {
        let Some(at) = time::parse(text) else {
            return Self::text(text);
        };
        let local = at.to_zoned(zone.clone());
        Self {
            text: Text(local.strftime("%Y-%m-%d %H:%M").to_string()),
            order: Some(at.as_second().to_string()),
            time: true,
            ..Self::default()
        }
    }

    /// A trend as a small line; `None` where nothing was measured.
    pub fn trend(values: &[Option<f64>]) -> Self {
        let spark = Spark::new(values);
        Self {
            order: Some(spark.last.to_string()),
            spark: Some(spark),
            ..Self::default()
        }
    }

    /// The same cell, standing out.
    #[must_use]
    pub fn marked(self, mark: Option<Mark>) -> Self {
        Self { mark, ..self }
    }

    /// The classes of the cell; empty for none.
    pub(super) fn classes(&self) -> String {
        let kind = match (self.number, self.time) {
            (true, _) => Some("n"),
            (false, true) => Some("t"),
            (false, false) => line_breaks(&self.text.0),
        };
        let mark = self.mark.map(|mark| match mark {
            Mark::High => "high",
            Mark::Critical => "critical",
        });
        let classes: Vec<&str> = kind.into_iter().chain(mark).collect();
        classes.join(" ")
    }

    /// What tells the mark without colour.
    pub(super) fn sign(&self) -> &'static str {
        match self.mark {
            None => "",
            Some(Mark::High) => "▲ ",
            Some(Mark::Critical) => "▲▲ ",
        }
    }
}

/// A table that can be sorted and filtered.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// What it is of, for readers that do not see it; filters are named by it.
    pub caption: &'static str,
    /// The titles.
    pub columns: Vec<Heading>,
    /// The rows, as many cells each as there are titles.
    pub rows: Vec<Vec<Cell>>,
    /// What is not in it.
    pub more: Option<String>,
    /// It has many rows of little interest: it gets a height of its own on a screen.
    pub low: bool,
}

/// The numbers that small lines are drawn from.
#[derive(Debug, Clone, Default)]
pub struct Numbers {
    /// When each part of the time begins.
    pub heads: Vec<String>,
    /// Whose numbers, and the numbers.
    pub rows: Vec<(Text, Vec<String>)>,
}

impl Numbers {
    /// Adds a row; a hole is empty.
    pub fn add(&mut self, name: &str, values: &[Option<f64>]) {
        let words = |value: &Option<f64>| value.map_or(String::new(), brief);
        let words = values.iter().map(words).collect();
        self.rows.push((Text::new(name), words));
    }
}

/// To one decimal, if it has any.
pub(super) fn brief(value: f64) -> String {
    ((value * 10.0).round() / 10.0).to_string()
}

/// A matrix.
#[derive(Debug, Clone, Default)]
pub struct Grid {
    /// Its name.
    pub name: Text,
    /// Titles of the columns.
    pub columns: Vec<Text>,
    /// The rows.
    pub rows: Vec<GridRow>,
    /// What is not in it.
    pub more: Option<String>,
}

impl Grid {
    /// Its class, beside `grid`.
    pub(super) fn class(&self) -> Option<&'static str> {
        table_class(self.columns.len())
    }
}

/// A row of a matrix.
#[derive(Debug, Clone, Default)]
pub struct GridRow {
    /// Its title.
    pub name: Text,
    /// Text and class (`deny`, `permit`, `other`, or empty) of each cell.
    pub cells: Vec<(Text, &'static str)>,
}

/// `20000` as `20 000`, with a narrow blank that does not break.
pub(super) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() * 2);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}
