//! `--sort FIELD`: the one place besides `--jq` that holds a whole list, as keys and compact JSON,
//! and within bounds.
//!
//! The order is what people mean: numbers by value, addresses by address, times by instant, texts
//! with their digits read as numbers (`Gi1/0/2` before `Gi1/0/10`) and without regard to case.
//! Equal rows keep their order; rows without a value come last either way.

use std::cmp::Ordering;
use std::net::IpAddr;

use jiff::Timestamp;

use super::column::{CellKind, Chosen};
use super::time;
use crate::error::{Error, Kind, Result};
use crate::record::{JsonText, Mac, Record};

/// Rows that may be held.
const MOST_ROWS: usize = 2_000_000;
/// Bytes of rows that may be held.
const MOST_BYTES: usize = 1 << 30;

/// What a row is sorted by. Values of different nature are ordered by nature.
#[derive(Debug, Clone, PartialEq)]
enum Key {
    Number(f64),
    Time(Timestamp),
    Ip(IpAddr),
    Mac(Mac),
    Text(Box<str>),
    Missing,
}

impl Key {
    fn of(text: Option<&str>, kind: CellKind) -> Self {
        let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else {
            return Self::Missing;
        };
        if matches!(kind, CellKind::Time | CellKind::Age)
            && let Some(time) = time::parse(text)
        {
            return Self::Time(time);
        }
        // Longer numbers than a float holds are texts, whose digits are compared whole.
        if text.len() <= 15
            && text.starts_with(|c: char| c.is_ascii_digit() || c == '-')
            && let Ok(number) = text.parse::<f64>()
        {
            return Self::Number(number);
        }
        if let Ok(address) = text.parse() {
            return Self::Ip(address);
        }
        if let Ok(mac) = text.parse() {
            return Self::Mac(mac);
        }
        Self::Text(text.into())
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Number(_) => 0,
            Self::Time(_) => 1,
            Self::Ip(_) => 2,
            Self::Mac(_) => 3,
            Self::Text(_) => 4,
            Self::Missing => 5,
        }
    }

    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.total_cmp(b),
            (Self::Time(a), Self::Time(b)) => a.cmp(b),
            (Self::Ip(a), Self::Ip(b)) => a.cmp(b),
            (Self::Mac(a), Self::Mac(b)) => a.cmp(b),
            (Self::Text(a), Self::Text(b)) => natural(a, b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

/// Texts as people order them: runs of digits by value, letters without case.
pub(super) fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        let (x, y) = (digits(left), digits(right));
        let order = if x.is_empty() || y.is_empty() {
            let (x, y) = (left.chars().next(), right.chars().next());
            let (Some(x), Some(y)) = (x, y) else {
                // One is the other's beginning, or they differ in case or leading zeros only.
                return left.len().cmp(&right.len()).then_with(|| a.cmp(b));
            };
            left = left.get(x.len_utf8()..).unwrap_or_default();
            right = right.get(y.len_utf8()..).unwrap_or_default();
            x.to_lowercase().cmp(y.to_lowercase())
        } else {
            left = left.get(x.len()..).unwrap_or_default();
            right = right.get(y.len()..).unwrap_or_default();
            let (x, y) = (x.trim_start_matches('0'), y.trim_start_matches('0'));
            x.len().cmp(&y.len()).then_with(|| x.cmp(y))
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// The run of digits that the text begins with.
fn digits(text: &str) -> &str {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

/// Holds rows until all are there.
pub(super) struct Sorter {
    by: Chosen,
    descending: bool,
    rows: Vec<(Key, usize)>,
    // The rows' JSON, one after the other; a row ends where the next begins.
    text: Vec<u8>,
    most_rows: usize,
    most_bytes: usize,
}

impl Sorter {
    /// Sorts by a column or member.
    pub(super) fn new(by: Chosen, descending: bool) -> Self {
        Self {
            by,
            descending,
            rows: Vec::new(),
            text: Vec::new(),
            most_rows: MOST_ROWS,
            most_bytes: MOST_BYTES,
        }
    }

    /// Holds one row.
    pub(super) fn push(&mut self, record: &Record) -> Result<()> {
        if self.rows.len() >= self.most_rows || self.text.len() >= self.most_bytes {
            return Err(Error::new(
                Kind::Failed,
                format!(
                    "the list is too long to sort: over {} rows or {} MiB",
                    self.most_rows,
                    self.most_bytes >> 20
                ),
            )
            .hint("narrow the list with a filter, or leave out --sort and pipe the output through sort(1)"));
        }
        let key = Key::of(self.by.text(record).as_deref(), self.by.kind);
        self.rows.push((key, self.text.len()));
        record.write_json(&mut self.text);
        Ok(())
    }

    /// The rows in order.
    pub(super) fn finish(self) -> impl Iterator<Item = Result<Record>> {
        let Self {
            rows,
            text,
            descending,
            ..
        } = self;
        let ends = rows.iter().skip(1).map(|(_, start)| *start);
        let ends: Vec<usize> = ends.chain([text.len()]).collect();
        let mut rows: Vec<(Key, usize, usize)> = rows
            .into_iter()
            .zip(ends)
            .map(|((key, start), end)| (key, start, end))
            .collect();
        rows.sort_by(|(a, ..), (b, ..)| {
            let order = a.compare(b);
            if descending && *a != Key::Missing && *b != Key::Missing {
                order.reverse()
            } else {
                order
            }
        });
        rows.into_iter()
            .map(move |(_, start, end)| restore(text.get(start..end).unwrap_or_default()))
    }
}

/// A record from the JSON that we wrote of it; an XML record comes back with the same members and
/// texts.
fn restore(json: &[u8]) -> Result<Record> {
    let broken = |why: String| Error::new(Kind::Failed, format!("cannot sort the row: {why}"));
    let text = String::from_utf8(json.to_vec()).map_err(|error| broken(error.to_string()))?;
    Ok(Record::Json(JsonText::of_ours(text)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::column::Chosen;
    use super::*;

    fn sorted(values: &[&str], descending: bool) -> Vec<String> {
        let mut sorter = Sorter::new(Chosen::of_member("v", &[]), descending);
        for value in values {
            sorter
                .push(&Record::from_value(json!({"v": value})))
                .unwrap();
        }
        sorter
            .finish()
            .map(|record| record.unwrap().text("v").unwrap_or_default().into_owned())
            .collect()
    }

    #[test]
    fn natural_order() {
        for values in [
            &["-3", "2", "10", "100"][..],
            &["10.0.0.2", "10.0.0.10", "10.0.1.1", "fe80::2", "fe80::10"],
            &["Gi1/0/2", "gi1/0/10", "Gi2/0/1"],
            &["08:00:00:00:00:01", "8A:00:00:00:00:01"],
            &["alice", "Bob", "carol", ""],
            &["12345678901234567890", "98765432109876543210"],
        ] {
            let mut mixed = values.to_vec();
            mixed.rotate_left(1);
            mixed.reverse();
            assert_eq!(sorted(&mixed, false), values);
        }
        assert_eq!(sorted(&["", "1", "2"], true), ["2", "1", ""]);
    }

    #[test]
    fn bounded() {
        let mut sorter = Sorter::new(Chosen::of_member("v", &[]), false);
        sorter.most_rows = 1;
        let record = Record::from_value(json!({"v": 1}));
        sorter.push(&record).unwrap();
        let error = sorter.push(&record).unwrap_err();
        assert_eq!(error.kind(), Kind::Failed);
        assert!(error.hint_text().is_some());
    }

    proptest! {
        #[test]
        fn a_total_order(a in "[a-zA-Z0-9./:-]{0,6}", b in "[a-zA-Z0-9./:-]{0,6}", c in "[a-zA-Z0-9./:-]{0,6}") {
            let [a, b, c] = [a, b, c].map(|text| Key::of(Some(&text), CellKind::Text));
            prop_assert_eq!(a.compare(&b), b.compare(&a).reverse());
            if a.compare(&b).is_le() && b.compare(&c).is_le() {
                prop_assert!(a.compare(&c).is_le());
            }
        }
    }
}
