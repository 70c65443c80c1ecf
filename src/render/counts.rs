//! `--by FIELD[,FIELD]`: rows are counted by the values of fields instead of being listed. Only the
//! groups are held, and within bounds; a row is looked into no further than its fields.
//!
//! What a terminal shows of the groups is in `bars`.

use std::cmp::Ordering;
use std::collections::HashMap;

use foldhash::quality::RandomState;
use serde_json::{Map, Value};

use super::column::Chosen;
use super::sort::natural;
use crate::error::{Error, Kind, Result};
use crate::record::Record;

/// Groups that may be held.
const MOST_GROUPS: usize = 1_000_000;
/// Bytes of their values that may be held.
const MOST_BYTES: usize = 256 << 20;

/// The member that holds how many rows a group has.
pub(super) const COUNT: &str = "count";

/// Counts rows.
pub(super) struct Counter {
    by: Vec<Chosen>,
    groups: HashMap<Box<[u8]>, u64, RandomState>,
    /// Bytes of all keys.
    bytes: usize,
    most_groups: usize,
    /// The key of the row at hand, its buffer reused.
    key: Vec<u8>,
}

/// Rows that have the same values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    /// One for each field; `None` where the rows lack it.
    pub(super) values: Vec<Option<String>>,
    /// How many rows.
    pub(super) count: u64,
}

/// The groups, most rows first.
pub(super) struct Counted {
    /// Those to be shown.
    pub(super) groups: Vec<Group>,
    /// How many groups were left out, and their rows.
    pub(super) others: (u64, u64),
}

impl Counter {
    /// Counts by these fields.
    pub(super) fn new(by: Vec<Chosen>) -> Self {
        Self {
            by,
            groups: HashMap::default(),
            bytes: 0,
            most_groups: MOST_GROUPS,
            key: Vec::new(),
        }
    }

    /// Counts one row.
    ///
    /// Errors: [`Kind::Failed`] where the values differ too often to be held; counts without them
    /// would not be true.
    pub(super) fn add(&mut self, record: &Record) -> Result<()> {
        self.key.clear();
        for field in &self.by {
            // Each value with its length: no two rows with other values have one key.
            match field.peek(record) {
                Some(text) => {
                    let length = u32::try_from(text.len()).unwrap_or(u32::MAX - 1);
                    self.key.extend_from_slice(&length.to_le_bytes());
                    self.key.extend_from_slice(text.as_bytes());
                }
                None => self.key.extend_from_slice(&u32::MAX.to_le_bytes()),
            }
        }
        if let Some(count) = self.groups.get_mut(self.key.as_slice()) {
            *count += 1;
            return Ok(());
        }
        if self.groups.len() >= self.most_groups || self.bytes >= MOST_BYTES {
            return Err(Error::new(
                Kind::Failed,
                format!(
                    "too many different values to count by: over {} groups or {} MiB",
                    self.most_groups,
                    MOST_BYTES >> 20
                ),
            )
            .hint("count by fewer or other fields, or print them with --fields through sort(1) and uniq(1)"));
        }
        self.bytes += self.key.len();
        self.groups.insert(self.key.as_slice().into(), 1);
        Ok(())
    }

    /// The groups, most rows first, those with as many in the order of their values; at most `top`.
    pub(super) fn finish(self, top: Option<u64>) -> Counted {
        let fields = self.by.len();
        let groups = self.groups.into_iter();
        let mut groups: Vec<Group> = groups
            .map(|(key, count)| Group {
                values: values(&key, fields),
                count,
            })
            .collect();
        groups.sort_unstable_by(|a, b| b.count.cmp(&a.count).then_with(|| in_order(a, b)));
        let top = top.and_then(|top| usize::try_from(top).ok());
        let others = groups.split_off(groups.len().min(top.unwrap_or(usize::MAX)));
        let rows = others.iter().map(|group| group.count).sum();
        Counted {
            others: (others.len() as u64, rows),
            groups,
        }
    }
}

/// What a key was made of.
fn values(mut key: &[u8], fields: usize) -> Vec<Option<String>> {
    let mut values = Vec::with_capacity(fields);
    while let Some((length, rest)) = key.split_first_chunk::<4>() {
        let length = u32::from_le_bytes(*length);
        if length == u32::MAX {
            values.push(None);
            key = rest;
            continue;
        }
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let (text, rest) = rest.split_at(length.min(rest.len()));
        values.push(Some(String::from_utf8_lossy(text).into_owned()));
        key = rest;
    }
    values
}

/// By their values; what is missing comes last.
fn in_order(a: &Group, b: &Group) -> Ordering {
    let pairs = a.values.iter().zip(&b.values);
    let orders = pairs.map(|pair| match pair {
        (Some(a), Some(b)) => natural(a, b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    });
    orders
        .into_iter()
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

impl Group {
    /// The group as a record: each field's value, or `null`, under its name as it was given, and
    /// the count.
    pub(super) fn record(self, names: &[String]) -> Record {
        let values = self.values.into_iter();
        let values = values.map(|value| value.map_or(Value::Null, Value::String));
        let mut members: Map<String, Value> = names.iter().cloned().zip(values).collect();
        members.insert(COUNT.to_owned(), self.count.into());
        Record::from_value(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn counted(fields: &[&str], rows: &[Value], top: Option<u64>) -> Counted {
        let by = fields.iter().map(|name| Chosen::of_member(name, &[]));
        let mut counter = Counter::new(by.collect());
        for row in rows {
            counter.add(&Record::from_value(row.clone())).unwrap();
        }
        counter.finish(top)
    }

    #[test]
    fn most_first_then_by_value_and_what_is_missing_last() {
        let rows = ["b", "a10", "a2", "c", "c"].map(|text| json!({"x": text}));
        let rows = [&rows[..], &[json!({"y": 1}), json!({"x": null})]].concat();
        let counted = counted(&["x"], &rows, None);
        let shown: Vec<_> = counted
            .groups
            .iter()
            .map(|group| (group.values[0].as_deref(), group.count))
            .collect();
        assert_eq!(
            shown,
            [
                (Some("c"), 2),
                (None, 2),
                (Some("a2"), 1),
                (Some("a10"), 1),
                (Some("b"), 1)
            ]
        );
        assert_eq!(counted.others, (0, 0));
    }

    #[test]
    fn values_are_told_apart_however_they_are_cut() {
        let rows = [
            json!({"x": "ab", "y": "c"}),
            json!({"x": "a", "y": "bc"}),
            json!({"x": "abc"}),
            json!({"y": "abc"}),
            json!({"x": "a\u{0}", "y": "\u{0}"}),
        ];
        let counted = counted(&["x", "y"], &rows, Some(3));
        assert_eq!((counted.groups.len(), counted.others), (3, (2, 2)));
        let one = counted.groups[0].clone().record(&["x".into(), "y".into()]);
        assert_eq!(
            one.to_value().to_string(),
            r#"{"x":"a","y":"bc","count":1}"#
        );
    }

    #[test]
    fn too_many_groups_are_an_error_and_known_ones_are_counted_on() {
        let mut counter = Counter::new(vec![Chosen::of_member("x", &[])]);
        counter.most_groups = 1;
        let row = |text: &str| Record::from_value(json!({"x": text}));
        counter.add(&row("a")).unwrap();
        counter.add(&row("a")).unwrap();
        let error = counter.add(&row("b")).unwrap_err();
        assert!(error.message().contains("over 1 groups"), "{error}");
        assert!(error.hint_text().is_some());
    }
}
