//! A result as columns and records: its names and types come from the server with the rows.

use std::collections::HashSet;
use std::fmt::Write;

use crate::oracle::{Column as Described, ColumnKind, Row, value_text};
use crate::record::{Fields, Record};
use crate::render::{CellKind, Column, column};
use crate::sanitize::is_unsafe;

/// Longest name of a column; Oracle's own are at most 128 bytes long.
const LONGEST_NAME: usize = 128;

/// So many bytes of a value that cannot be read are shown.
const MOST_UNREADABLE: usize = 32;

/// What a result's columns are called here, and how their values are read.
pub(super) struct Layout {
    names: Vec<String>,
    kinds: Vec<ColumnKind>,
    /// Which value of a row each is.
    places: Vec<usize>,
}

impl Layout {
    /// Of what the server described.
    pub(super) fn of(columns: &[Described]) -> Self {
        let mut seen = HashSet::new();
        let mut name = |column: &Described| {
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
            unlike
        };
        Self {
            names: columns.iter().map(&mut name).collect(),
            kinds: columns.iter().map(|column| column.kind).collect(),
            places: (0..columns.len()).collect(),
        }
    }

    /// Leaves out columns of long texts and bytes; their names.
    pub(super) fn leave_out_long(&mut self) -> Vec<String> {
        let is_long =
            |kind: ColumnKind| matches!(kind, ColumnKind::LongText | ColumnKind::LongBytes);
        let kept: Vec<bool> = self.kinds.iter().map(|kind| !is_long(*kind)).collect();
        let names = self.names.iter().zip(&kept);
        let long = names
            .filter(|(_, kept)| !**kept)
            .map(|(name, _)| name.clone());
        let long = long.collect();
        keep(&mut self.names, &kept);
        keep(&mut self.kinds, &kept);
        keep(&mut self.places, &kept);
        long
    }

    /// Whether no column is left.
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The columns for a table. Their names are kept for as long as the program runs, as those of
    /// all other tables: for a command that prints one result, not for each of many statements.
    pub(super) fn columns(&self) -> Vec<Column> {
        let both = self.names.iter().zip(&self.kinds);
        let column = both.map(|(name, kind)| {
            let shown = match kind {
                ColumnKind::Number => CellKind::Number,
                ColumnKind::Instant => CellKind::Time,
                _ => CellKind::Text,
            };
            let name: &'static str = Box::leak(name.clone().into_boxed_str());
            column(name, name).kind(shown)
        });
        column.collect()
    }

    /// A row as a record, into the buffers of the one before.
    pub(super) fn fill(&self, row: &Row, record: &mut Record) {
        self.fill_with(self.names.iter().map(String::as_str), row, record);
    }

    /// The same with names of ours.
    pub(super) fn fill_as(&self, names: &[&str], row: &Row, record: &mut Record) {
        self.fill_with(names.iter().copied(), row, record);
    }

    fn fill_with<'n>(&self, names: impl Iterator<Item = &'n str>, row: &Row, record: &mut Record) {
        if !matches!(record, Record::Fields(_)) {
            *record = Record::Fields(Fields::new());
        }
        let Record::Fields(fields) = record else {
            return;
        };
        fields.clear();
        for ((name, kind), at) in names.zip(&self.kinds).zip(&self.places) {
            // A value that cannot be read is no NULL: its bytes are shown.
            let text = row
                .value(*at)
                .map(|bytes| value_text(*kind, bytes).unwrap_or_else(|| unreadable(bytes).into()));
            fields.push_text(name, text.as_deref().unwrap_or_default());
        }
    }
}

/// Leaves what is to be kept.
fn keep<T>(list: &mut Vec<T>, kept: &[bool]) {
    let mut kept = kept.iter();
    list.retain(|_| kept.next().copied().unwrap_or(true));
}

/// The bytes of a value that is not what its column is said to hold.
fn unreadable(bytes: &[u8]) -> String {
    let mut text = "unreadable:".to_owned();
    for byte in bytes.iter().take(MOST_UNREADABLE) {
        let _ = write!(text, "{byte:02X}");
    }
    if bytes.len() > MOST_UNREADABLE {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::unreadable;

    #[test]
    fn a_value_that_cannot_be_read_is_shown_by_its_bytes() {
        assert_eq!(unreadable(&[0, 0xAB]), "unreadable:00AB");
        assert_eq!(
            unreadable(&[0; 40]),
            format!("unreadable:{}…", "00".repeat(32))
        );
    }
}
