//! What lies over the table: details, an explanation, the keys, a choice, a question, a line that is
//! typed. Data only; `keys` says what a key does to it, `draw` how it looks.

use super::change::Change;
use super::session::{readable, safe};
use crate::record::{Mac, Record};

/// The most lines of an answer that are shown.
const MOST_LINES: usize = 2_000;
/// The longest line that is typed.
const LONGEST_INPUT: usize = 200;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) enum Overlay {
    /// Nothing.
    #[default]
    None,
    /// What every key does.
    Help(Scroll),
    /// Names and values of a session or a failure.
    Details(Details),
    /// Text of several lines.
    Text(Text),
    /// A change is chosen.
    Choice(Choice),
    /// A change is asked for.
    Question(Question),
    /// A line is typed.
    Prompt(Prompt),
}

impl Overlay {
    /// Whether it is something that is read, and scrolled.
    pub(super) fn is_read(&self) -> bool {
        matches!(self, Self::Help(_) | Self::Details(_) | Self::Text(_))
    }
}

/// How far something long was scrolled.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Scroll(pub(super) usize);

impl Scroll {
    /// Scrolls by so many lines, within `most`.
    pub(super) fn by(&mut self, lines: isize, most: usize) {
        self.0 = self.0.saturating_add_signed(lines).min(most);
    }
}

/// An endpoint as something lies over the table that is about it.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    /// What it is asked and changed by.
    pub(super) mac: Option<Mac>,
    /// As a person knows it: with its user and its switch.
    pub(super) name: String,
}

/// Names and values.
#[derive(Debug)]
pub(crate) struct Details {
    pub(super) title: String,
    pub(super) endpoint: Endpoint,
    /// Of a failure, the code by which its cause is found.
    pub(super) code: Box<str>,
    /// More is to come.
    pub(super) awaited: bool,
    pub(super) lines: Vec<(Box<str>, Box<str>)>,
    pub(super) scroll: Scroll,
}

impl Details {
    /// Every member of a record that has a value.
    pub(super) fn take(&mut self, record: &Record) {
        let members = record.names();
        let named = members.iter().filter_map(|name| {
            let value = record.text(name)?;
            Some((safe(name), readable(&value)))
        });
        self.lines = named.take(MOST_LINES).collect();
        self.awaited = false;
    }
}

/// Lines of text.
#[derive(Debug)]
pub(crate) struct Text {
    pub(super) title: String,
    pub(super) endpoint: Endpoint,
    /// They are to come.
    pub(super) awaited: bool,
    pub(super) lines: Vec<Box<str>>,
    pub(super) scroll: Scroll,
}

impl Text {
    pub(super) fn take(&mut self, text: &str) {
        self.awaited = false;
        self.lines = text.lines().take(MOST_LINES).map(readable).collect();
    }
}

/// A change out of several.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(super) title: String,
    pub(super) endpoint: Endpoint,
    /// The choices are to come.
    pub(super) awaited: bool,
    pub(super) choices: Vec<(Box<str>, Change)>,
    pub(super) at: usize,
}

/// A change that waits for y.
#[derive(Debug)]
pub(crate) struct Question {
    pub(super) text: Box<str>,
    pub(super) change: Change,
}

/// What a typed line is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PromptKind {
    /// Text that is looked for in every column, as it is typed.
    Search,
    /// Filters.
    Filter,
}

/// A line that is typed.
#[derive(Debug)]
pub(crate) struct Prompt {
    pub(super) kind: PromptKind,
    pub(super) text: String,
    /// What was looked for before.
    pub(super) before: String,
}

impl Prompt {
    /// Types a character, or several that were pasted.
    pub(super) fn type_text(&mut self, text: &str) {
        let printable = |c: &char| !crate::sanitize::is_unsafe(*c);
        for c in text.chars().filter(printable) {
            if self.text.len() + c.len_utf8() > LONGEST_INPUT {
                break;
            }
            self.text.push(c);
        }
    }
}
