//! Columns: what a command shows of a record by default. What the names of `--fields` stand for is
//! found in `names`.
//!
//! Writing cells is done by the formats; this file only decides which value stands in which column.

use std::borrow::Cow;
use std::cell::Cell;
use std::net::IpAddr;

use super::time;
use crate::record::{Mac, Record};

/// One column of a table. Titles are upper-case and have no spaces.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// The heading.
    pub title: &'static str,
    /// Where the value comes from.
    pub value: CellSource,
    /// How it is shown.
    pub kind: CellKind,
}

/// A command's columns, and what else its records are known to have.
#[derive(Debug, Clone)]
pub struct Columns {
    /// The columns, in their order.
    pub list: Cow<'static, [Column]>,
    /// The members that a catalogue knows of the records, whether or not a column reads them; empty
    /// where there is none.
    pub members: &'static [&'static str],
}

impl Columns {
    /// Columns of records of which a catalogue knows the members.
    #[must_use]
    pub const fn of(list: &'static [Column], members: &'static [&'static str]) -> Self {
        Self {
            list: Cow::Borrowed(list),
            members,
        }
    }
}

impl From<&'static [Column]> for Columns {
    fn from(list: &'static [Column]) -> Self {
        Self::of(list, &[])
    }
}

impl<const N: usize> From<[Column; N]> for Columns {
    fn from(list: [Column; N]) -> Self {
        Vec::from(list).into()
    }
}

impl From<Vec<Column>> for Columns {
    fn from(list: Vec<Column>) -> Self {
        Self {
            list: Cow::Owned(list),
            members: &[],
        }
    }
}

/// Where a column's value comes from.
#[derive(Debug, Clone, Copy)]
pub enum CellSource {
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
    /// A number that is worth a look from `high` on and alarming from `critical`: right-aligned and
    /// coloured on a terminal.
    Threshold {
        /// Yellow from here on.
        high: u16,
        /// Red from here on.
        critical: u16,
    },
    /// Pass or fail, coloured on a terminal.
    Verdict,
    /// One of a few words, never cut and coloured by what it means on a terminal. Its longest known
    /// word has so many letters; 0 where they are not known.
    Enumeration(usize),
    /// What a row is about, in words: gets room before names do. In a live table it is not shown
    /// until a row has one.
    Sentence,
    /// Addresses, often several: on a terminal the first, and how many more (`10.50.10.101 +2`).
    Addresses,
    /// What happened: on a terminal `created` for `sessionCreated`, so that a narrow column shows
    /// what tells them apart.
    Event,
    /// A MAC address, or several: in one spelling wherever it stands in a column. What a member or
    /// a title says of itself need not be given.
    Mac,
    /// How long ago: on a terminal `5m ago`, RFC 3339 elsewhere.
    Age,
    /// Numbers over time, separated by commas: on a terminal as small bars.
    Trend,
    /// A switch port: on a terminal `Gi1/0/5` for `GigabitEthernet1/0/5`, as switches print it.
    Port,
}

/// A column that shows a member as it is.
#[must_use]
pub const fn column(title: &'static str, member: &'static str) -> Column {
    Column {
        title,
        value: CellSource::Member(member),
        kind: CellKind::Text,
    }
}

/// A column that shows the first of several members that has a text.
#[must_use]
pub const fn first_of(title: &'static str, members: &'static [&'static str]) -> Column {
    Column {
        title,
        value: CellSource::FirstOf(members),
        kind: CellKind::Text,
    }
}

/// A column that shows a computed text.
#[must_use]
pub const fn with(title: &'static str, value: fn(&Record) -> Option<Cow<'_, str>>) -> Column {
    Column {
        title,
        value: CellSource::With(value),
        kind: CellKind::Text,
    }
}

impl Column {
    /// The same column shown as `kind`: `column("TIME", "timestamp").kind(CellKind::Time)`.
    #[must_use]
    pub const fn kind(self, kind: CellKind) -> Self {
        Self { kind, ..self }
    }

    /// Whether it shows this member and nothing else.
    pub(super) fn is_member(&self, name: &str) -> bool {
        matches!(self.value, CellSource::Member(member) if member == name)
    }

    /// How it is shown, by what it reads where nothing else was said.
    fn kind_shown(&self) -> CellKind {
        let macs =
            || self.title == "MAC" || self.value.members().iter().any(|name| holds_mac(name));
        if self.kind == CellKind::Text && macs() {
            CellKind::Mac
        } else {
            self.kind
        }
    }
}

impl CellSource {
    fn text<'r>(&self, record: &'r Record) -> Option<Cow<'r, str>> {
        match self {
            Self::Member(name) => record.text(name),
            Self::FirstOf(names) => names.iter().find_map(|name| record.text(name)),
            Self::With(value) => value(record),
        }
    }

    /// The members that it reads.
    fn members(&self) -> &[&'static str] {
        match self {
            Self::Member(member) => std::slice::from_ref(member),
            Self::FirstOf(members) => members,
            Self::With(_) => &[],
        }
    }

    fn reads(&self, name: &str) -> bool {
        self.members().contains(&name)
    }
}

/// A column or member that was chosen for this output.
#[derive(Debug, Clone)]
pub(super) struct Chosen {
    /// The heading, or the member's own name.
    pub(super) title: Cow<'static, str>,
    /// How it is shown.
    pub(super) kind: CellKind,
    from: Origin,
    // Where the member stood in the last record.
    place: Cell<usize>,
}

#[derive(Debug, Clone)]
enum Origin {
    Column(CellSource),
    Member(String),
}

impl Chosen {
    /// The cell's text; `None` when it is unknown.
    pub(super) fn text<'r>(&self, record: &'r Record) -> Option<Cow<'r, str>> {
        match (&self.from, record) {
            (Origin::Column(CellSource::Member(name)), Record::Fields(fields)) => {
                fields.text_near(name, &self.place)
            }
            (Origin::Column(source), _) => source.text(record),
            (Origin::Member(name), Record::Fields(fields)) => fields.text_near(name, &self.place),
            (Origin::Member(name), _) => record.text(name),
        }
    }

    /// The cell for a program, of a record of which nothing else is looked at: JSON is not read
    /// whole for it.
    pub(super) fn peek<'r>(&self, record: &'r Record) -> Option<Cow<'r, str>> {
        let Record::Json(json) = record else {
            return self.plain(record);
        };
        let text = match &self.from {
            Origin::Column(CellSource::With(value)) => value(record),
            Origin::Column(source) => source.members().iter().find_map(|name| json.peek(name)),
            Origin::Member(name) => json.peek(name),
        };
        text.map(|text| plain(text, self.kind))
    }

    /// The cell for a program: times in RFC 3339, MAC addresses in one spelling.
    pub(super) fn plain<'r>(&self, record: &'r Record) -> Option<Cow<'r, str>> {
        self.text(record).map(|text| plain(text, self.kind))
    }

    /// The name in JSON and YAML: the server's own for a member, the title in lower case for what
    /// we put together.
    pub(super) fn key(&self) -> Cow<'_, str> {
        match &self.from {
            Origin::Column(CellSource::Member(name)) => Cow::Borrowed(name),
            Origin::Column(_) => Cow::Owned(self.title.to_lowercase()),
            Origin::Member(name) => Cow::Borrowed(name),
        }
    }

    /// The member whose JSON value is meant; `None` for a computed column.
    pub(super) fn member(&self, record: &Record) -> Option<&str> {
        match &self.from {
            Origin::Column(CellSource::Member(name)) => Some(name),
            Origin::Column(CellSource::FirstOf(names)) => names
                .iter()
                .find(|name| record.text(name).is_some())
                .copied(),
            Origin::Column(CellSource::With(_)) => None,
            Origin::Member(name) => Some(name),
        }
    }

    /// A member under its own name; shown as the column that reads it would be.
    pub(super) fn of_member(name: &str, columns: &[Column]) -> Self {
        let kind = columns
            .iter()
            .find(|column| column.value.reads(name))
            .map_or(CellKind::Text, |column| column.kind);
        let kind = match kind {
            CellKind::Text if holds_mac(name) => CellKind::Mac,
            CellKind::Text if holds_time(name) => CellKind::Time,
            said => said,
        };
        Self {
            title: Cow::Owned(name.to_owned()),
            kind,
            from: Origin::Member(name.to_owned()),
            place: Cell::new(0),
        }
    }

    /// A column of the command.
    pub(super) fn of_column(column: &Column) -> Self {
        Self {
            title: Cow::Borrowed(column.title),
            kind: column.kind_shown(),
            from: Origin::Column(column.value),
            place: Cell::new(0),
        }
    }
}

/// A value for a program, see [`Chosen::plain`].
pub(super) fn plain(text: Cow<'_, str>, kind: CellKind) -> Cow<'_, str> {
    match kind {
        CellKind::Time | CellKind::Age => time::plain(text),
        CellKind::Mac => canonical_macs(text),
        _ => text,
    }
}

/// All columns, in their order.
pub(super) fn all(columns: &[Column]) -> Vec<Chosen> {
    columns.iter().map(Chosen::of_column).collect()
}

/// What a row is known by: the MAC address, else the first column.
pub(super) fn name(columns: &[Column]) -> Option<Chosen> {
    let mac = columns.iter().find(|column| column.title == "MAC");
    mac.or(columns.first()).map(Chosen::of_column)
}

/// Whether a member of this name holds a MAC address, or several: what holds an endpoint's or a
/// NAS's own address is called so in every document and service.
fn holds_mac(name: &str) -> bool {
    let name = plain_name(name);
    name.ends_with("mac")
        || ["macaddress", "callingstationid", "calledstationid"]
            .iter()
            .any(|part| name.contains(part))
}

/// Whether a member of this name holds a time, or a number of seconds, which no reader of times
/// takes for one.
fn holds_time(name: &str) -> bool {
    let name = plain_name(name);
    name.ends_with("timestamp")
        || name.ends_with("time")
        || name == "notbefore"
        || name == "notafter"
}

/// The last step of a dotted name without its separators, in lower case.
pub(super) fn plain_name(name: &str) -> String {
    let last = name.rsplit('.').next().unwrap_or_default();
    let letters = last.bytes().filter(u8::is_ascii_alphanumeric);
    letters
        .map(|byte| char::from(byte.to_ascii_lowercase()))
        .collect()
}

/// Each MAC address of the list upper-case with colons, as the Monitoring node and pxGrid take it
/// back, however a NAS spelled it. What is none (a VPN user comes with an IP address) stays as it
/// came.
pub(super) fn canonical_macs(text: Cow<'_, str>) -> Cow<'_, str> {
    if is_canonical(&text) || text.parse::<IpAddr>().is_ok() {
        return text;
    }
    if text.contains(", ") {
        let each = text.split(", ").map(|one| canonical_macs(one.into()));
        return Cow::Owned(each.collect::<Vec<_>>().join(", "));
    }
    match text.parse::<Mac>() {
        Ok(mac) => Cow::Owned(mac.to_string()),
        Err(_) => text,
    }
}

/// Nearly all are: one look settles those.
fn is_canonical(text: &str) -> bool {
    text.len() == 17
        && text.bytes().enumerate().all(|(at, byte)| {
            if at % 3 == 2 {
                byte == b':'
            } else {
                matches!(byte, b'0'..=b'9' | b'A'..=b'F')
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn macs_are_shown_in_one_spelling_and_what_is_none_as_it_came() {
        for (sent, shown) in [
            ("C8:5B:76:C6:59:62", "C8:5B:76:C6:59:62"),
            ("c8-5b-76-c6-59-62", "C8:5B:76:C6:59:62"),
            ("c85b.76c6.5962", "C8:5B:76:C6:59:62"),
            ("c85b76c65962", "C8:5B:76:C6:59:62"),
            (
                "c8-5b-76-c6-59-62, 203.0.113.9, x",
                "C8:5B:76:C6:59:62, 203.0.113.9, x",
            ),
            ("203.113.190.145", "203.113.190.145"),
            ("2001:db8::1", "2001:db8::1"),
            ("00-00-5E-00-53-01:staff", "00-00-5E-00-53-01:staff"),
            ("", ""),
        ] {
            assert_eq!(canonical_macs(sent.into()), shown);
        }
    }

    #[test]
    fn members_that_hold_a_mac_are_known_in_every_spelling() {
        for name in [
            "calling_station_id",
            "orig_calling_station_id",
            "macAddress",
            "callingStationId",
            "calledStationId",
            "originalCallingStationId",
            "mdmMacAddress",
            "assetMacAddress",
            "MACAddress",
            "mac",
            "session.calling_station_id",
            "other_attr_string.EndPointMACAddress",
            "other_attr_string.Called-Station-ID",
        ] {
            assert_eq!(Chosen::of_member(name, &[]).kind, CellKind::Mac, "{name}");
        }
        for name in ["user_name", "userName", "machine", "nas_ip_address"] {
            assert_eq!(Chosen::of_member(name, &[]).kind, CellKind::Text, "{name}");
        }
        let computed = with("MAC", |record| record.text("x"));
        assert_eq!(Chosen::of_column(&computed).kind, CellKind::Mac);
    }
}
