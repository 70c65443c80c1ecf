//! A result as columns and records: its names and types come from the server with the rows.

use std::collections::HashSet;

use crate::oracle::{Column as Described, ColumnKind, Row, value_text};
use crate::record::{Fields, Record};
use crate::render::{CellKind, Column, column};
use crate::sanitize::is_unsafe;

/// Longest name of a column; Oracle's own are at most 128 bytes long.
const LONGEST_NAME: usize = 128;

/// What a result's columns are called here, and how their values are read.
pub(super) struct Layout {
    names: Vec<&'static str>,
    kinds: Vec<ColumnKind>,
}

impl Layout {
    /// Of what the server described. Names are kept for as long as the program runs, as those of
    /// all other columns: a command has one result, or a few.
    pub(super) fn of(columns: &[Described]) -> Self {
        let mut seen = HashSet::new();
        let mut name = |column: &Described| -> &'static str {
            let plain = column.name.chars().filter(|c| !is_unsafe(*c));
            let plain: String = plain.take(LONGEST_NAME).collect();
            let plain = if plain.is_empty() {
                "COLUMN".to_owned()
            } else {
                plain
            };
            let mut unlike = plain.clone();
            let mut number = 2;
            while !seen.insert(unlike.clone()) {
                unlike = format!("{plain}_{number}");
                number += 1;
            }
            Box::leak(unlike.into_boxed_str())
        };
        Self {
            names: columns.iter().map(&mut name).collect(),
            kinds: columns.iter().map(|column| column.kind).collect(),
        }
    }

    /// The columns for a table.
    pub(super) fn columns(&self) -> Vec<Column> {
        let both = self.names.iter().zip(&self.kinds);
        let column = both.map(|(name, kind)| {
            let shown = match kind {
                ColumnKind::Number => CellKind::Number,
                ColumnKind::Instant => CellKind::Time,
                _ => CellKind::Text,
            };
            column(name, name).kind(shown)
        });
        column.collect()
    }

    /// A row as a record, into the buffers of the one before.
    pub(super) fn fill(&self, row: &Row, record: &mut Record) {
        self.fill_as(&self.names, row, record);
    }

    /// The same with names of ours.
    pub(super) fn fill_as(&self, names: &[&str], row: &Row, record: &mut Record) {
        let Record::Fields(fields) = record else {
            *record = Record::Fields(Fields::new());
            return self.fill_as(names, row, record);
        };
        fields.clear();
        for (at, (name, kind)) in names.iter().zip(&self.kinds).enumerate() {
            let value = row.value(at);
            let text = value.and_then(|bytes| value_text(*kind, bytes));
            fields.push_text(name, text.as_deref().unwrap_or_default());
        }
    }
}
