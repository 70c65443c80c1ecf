//! Columns: what a command shows of a record by default, and what `--fields` makes of it.
//!
//! Writing cells is done by the formats; this file only decides which value stands in which column.

use std::borrow::Cow;
use std::cell::Cell;

use crate::error::{Error, Result};
use crate::record::Record;

/// One column of a table. Titles are upper-case and have no spaces.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// The heading.
    pub title: &'static str,
    /// Where the value comes from.
    pub value: Source,
    /// How it is shown.
    pub kind: CellKind,
}

/// Where a column's value comes from.
#[derive(Debug, Clone, Copy)]
pub enum Source {
    /// The member of this name; a dot steps into nested objects.
    Member(&'static str),
    /// The first of these members that has a text.
    FirstOf(&'static [&'static str]),
    /// Computed from the record.
    With(fn(&Record) -> Option<Cow<'_, str>>),
}

/// How a value is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellKind {
    /// As it is.
    Text,
    /// Local and relative on a terminal, RFC 3339 elsewhere; the server's text where it is no time.
    Time,
    /// Right-aligned on a terminal.
    Number,
    /// Pass or fail, coloured on a terminal.
    Verdict,
    /// Addresses, often several: on a terminal the first, and how many more (`10.50.10.101 +2`).
    Addresses,
    /// What happened: on a terminal `created` for `sessionCreated`, so that a narrow column shows what tells them apart.
    Event,
    /// A switch port: on a terminal `Gi1/0/5` for `GigabitEthernet1/0/5`, as switches print it.
    Port,
}

/// A column that shows a member as it is.
#[must_use]
pub const fn column(title: &'static str, member: &'static str) -> Column {
    Column {
        title,
        value: Source::Member(member),
        kind: CellKind::Text,
    }
}

/// A column that shows the first of several members that has a text.
#[must_use]
pub const fn first_of(title: &'static str, members: &'static [&'static str]) -> Column {
    Column {
        title,
        value: Source::FirstOf(members),
        kind: CellKind::Text,
    }
}

/// A column that shows a computed text.
#[must_use]
pub const fn with(title: &'static str, value: fn(&Record) -> Option<Cow<'_, str>>) -> Column {
    Column {
        title,
        value: Source::With(value),
        kind: CellKind::Text,
    }
}

impl Column {
    /// The same column shown as `kind`: `column("TIME", "timestamp").kind(CellKind::Time)`.
    #[must_use]
    pub const fn kind(self, kind: CellKind) -> Self {
        Self { kind, ..self }
    }
}

impl Source {
    fn text<'r>(&self, record: &'r Record) -> Option<Cow<'r, str>> {
        match self {
            Self::Member(name) => record.text(name),
            Self::FirstOf(names) => names.iter().find_map(|name| record.text(name)),
            Self::With(value) => value(record),
        }
    }

    fn reads(&self, name: &str) -> bool {
        match self {
            Self::Member(member) => *member == name,
            Self::FirstOf(members) => members.contains(&name),
            Self::With(_) => false,
        }
    }
}

/// A column or member that was chosen for this output.
#[derive(Debug, Clone)]
pub(super) struct Chosen {
    /// The heading, or the member's own name.
    pub(super) title: Cow<'static, str>,
    /// How it is shown.
    pub(super) kind: CellKind,
    from: From,
    // Where the member stood in the last record.
    place: Cell<usize>,
}

#[derive(Debug, Clone)]
enum From {
    Column(Source),
    Member(String),
}

impl Chosen {
    /// The cell's text; `None` when it is unknown.
    pub(super) fn text<'r>(&self, record: &'r Record) -> Option<Cow<'r, str>> {
        match (&self.from, record) {
            (From::Column(Source::Member(name)), Record::Fields(fields)) => {
                fields.text_near(name, &self.place)
            }
            (From::Column(source), _) => source.text(record),
            (From::Member(name), Record::Fields(fields)) => fields.text_near(name, &self.place),
            (From::Member(name), _) => record.text(name),
        }
    }

    /// The name in JSON and YAML: the server's own for a member, the title in lower case for what we put together.
    pub(super) fn key(&self) -> Cow<'_, str> {
        match &self.from {
            From::Column(Source::Member(name)) => Cow::Borrowed(name),
            From::Column(_) => Cow::Owned(self.title.to_lowercase()),
            From::Member(name) => Cow::Borrowed(name),
        }
    }

    /// The member whose JSON value is meant; `None` for a computed column.
    pub(super) fn member(&self, record: &Record) -> Option<&str> {
        match &self.from {
            From::Column(Source::Member(name)) => Some(name),
            From::Column(Source::FirstOf(names)) => names
                .iter()
                .find(|name| record.text(name).is_some())
                .copied(),
            From::Column(Source::With(_)) => None,
            From::Member(name) => Some(name),
        }
    }

    /// A member under its own name; shown as the column that reads it would be.
    pub(super) fn of_member(name: &str, columns: &[Column]) -> Self {
        let kind = columns
            .iter()
            .find(|column| column.value.reads(name))
            .map_or(CellKind::Text, |column| column.kind);
        Self {
            title: Cow::Owned(name.to_owned()),
            kind,
            from: From::Member(name.to_owned()),
            place: Cell::new(0),
        }
    }

    fn of_column(column: &Column) -> Self {
        Self {
            title: Cow::Borrowed(column.title),
            kind: column.kind,
            from: From::Column(column.value),
            place: Cell::new(0),
        }
    }
}

/// All columns, in their order.
pub(super) fn all(columns: &[Column]) -> Vec<Chosen> {
    columns.iter().map(Chosen::of_column).collect()
}

/// The columns and members that `--fields` names, in its order. A name is a column's title (in any case), the member that a
/// column reads, or a member of the first record, whose own name wins where `members_first` (JSON and YAML). In an empty
/// list nothing tells members from misspellings, so every name is taken.
pub(super) fn choose(
    fields: &[String],
    columns: &[Column],
    first: Option<&Record>,
    members_first: bool,
) -> Result<Vec<Chosen>> {
    fields
        .iter()
        .map(|name| find(name, columns, first, members_first))
        .collect()
}

/// One name of `--fields` or `--sort`, see [`choose`].
pub(super) fn find(
    name: &str,
    columns: &[Column],
    first: Option<&Record>,
    members_first: bool,
) -> Result<Chosen> {
    let known = first.is_none_or(|record| {
        record.has(name)
            || name
                .split_once('.')
                .is_some_and(|(head, _)| record.has(head))
    });
    if members_first && known && first.is_some() {
        return Ok(Chosen::of_member(name, columns));
    }
    let by_title = columns
        .iter()
        .find(|column| column.title.eq_ignore_ascii_case(name));
    let by_member = || {
        columns
            .iter()
            .find(|column| matches!(column.value, Source::Member(member) if member == name))
    };
    if let Some(column) = by_title.or_else(by_member) {
        return Ok(Chosen::of_column(column));
    }
    if known {
        return Ok(Chosen::of_member(name, columns));
    }
    let mut valid: Vec<&str> = columns.iter().map(|column| column.title).collect();
    valid.extend(first.map(Record::names).unwrap_or_default());
    Err(Error::usage(format!("unknown field '{name}'"))
        .hint(format!("the fields here are: {}", valid.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] = &[
        column("MAC", "calling_station_id"),
        first_of("IP", &["framed_ip_address", "ip"]),
        column("TIME", "at").kind(CellKind::Time),
    ];

    fn record() -> Record {
        Record::from_value(
            serde_json::json!({"calling_station_id": "AA", "ip": "10.0.0.1", "mac": "x", "nested": {"id": 1}}),
        )
    }

    #[test]
    fn names_are_titles_or_members() {
        let record = record();
        for (name, members_first, key, text) in [
            ("mac", false, "calling_station_id", Some("AA")),
            ("mac", true, "mac", Some("x")),
            (
                "calling_station_id",
                false,
                "calling_station_id",
                Some("AA"),
            ),
            ("Ip", false, "ip", Some("10.0.0.1")),
            ("nested.id", false, "nested.id", Some("1")),
            ("at", true, "at", None),
        ] {
            let chosen = find(name, COLUMNS, Some(&record), members_first).unwrap();
            assert_eq!(chosen.key(), key);
            assert_eq!(chosen.text(&record).as_deref(), text);
        }
    }

    #[test]
    fn an_unknown_name_lists_the_valid_ones() {
        let error = find("nope", COLUMNS, Some(&record()), false).unwrap_err();
        assert_eq!(error.kind(), crate::error::Kind::Usage);
        assert_eq!(
            error.hint_text(),
            Some("the fields here are: MAC, IP, TIME, calling_station_id, ip, mac, nested")
        );
        assert!(find("nope", COLUMNS, None, false).is_ok());
    }
}
