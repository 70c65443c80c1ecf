//! What a table in a document holds (HTML, Markdown): the columns of a list, or name and value of
//! each member of one thing. The cells are those of tsv, with unsafe characters visible.

use std::borrow::Cow;

use super::column::{CellKind, Chosen};
use super::page::{line_breaks, visible};
use super::single::Sheet;
use crate::error::Result;
use crate::record::Record;

/// See the module's documentation.
pub(super) enum Content {
    List(Vec<Chosen>),
    Single(Sheet),
}

/// One cell of a document.
pub(super) struct Cell<'a> {
    /// Its text, not escaped for the format.
    pub(super) text: Cow<'a, str>,
    /// It stands on the right.
    pub(super) number: bool,
}

impl Cell<'_> {
    /// The class of the cell in a page.
    pub(super) fn class(&self) -> Option<&'static str> {
        if self.number {
            return Some("n");
        }
        line_breaks(&self.text)
    }
}

impl Content {
    /// The header.
    pub(super) fn titles(&self) -> Vec<Cell<'_>> {
        match self {
            Self::List(columns) => columns
                .iter()
                .map(|column| Cell {
                    text: visible(&column.title),
                    number: is_number(column.kind),
                })
                .collect(),
            Self::Single(_) => ["NAME", "VALUE"]
                .map(|title| Cell {
                    text: Cow::Borrowed(title),
                    number: false,
                })
                .into(),
        }
    }

    /// Hands over the rows of a record: one, or one for each member.
    pub(super) fn rows(
        &self,
        record: &Record,
        mut row: impl FnMut(&[Cell<'_>]) -> Result<()>,
    ) -> Result<()> {
        match self {
            Self::List(columns) => {
                let plain: Vec<_> = columns
                    .iter()
                    .map(|column| (column.plain(record).unwrap_or_default(), column.kind))
                    .collect();
                let cells: Vec<Cell<'_>> = plain
                    .iter()
                    .map(|(text, kind)| Cell {
                        text: visible(text),
                        number: is_number(*kind),
                    })
                    .collect();
                row(&cells)
            }
            Self::Single(sheet) => {
                for (name, value) in sheet.pairs(record) {
                    let cell = |text| Cell {
                        text: visible(text),
                        number: false,
                    };
                    row(&[cell(&name), cell(&value)])?;
                }
                Ok(())
            }
        }
    }
}

fn is_number(kind: CellKind) -> bool {
    matches!(kind, CellKind::Number | CellKind::Threshold { .. })
}
