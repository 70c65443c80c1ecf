//! The views of Data Connect: which there are, with which columns, and their rows, made of the same
//! population and changes as everything else in the lab.
//!
//! | part | holds |
//! | --- | --- |
//! | `columns.txt` | the views and columns as a live dictionary had them |
//! | `radius` | authentications, their summary, errors |
//! | `accounting` | accounting, with sessions of former days |
//! | `estate` | endpoints, network devices, nodes, groups, failure codes |
//! | `tacacs` | device administration |
//! | `operation` | load of the nodes, posture, quarantine |
//! | `audit` | logins of administrators, changes, calls of the Open API |
//! | `misconfigured` | network devices and supplicants that are set up wrongly |
//! | `dictionary` | `USER_VIEWS` and its like |
//! | `samples` | `LAB_VALUES` and `LAB_ROWS`, which no ISE has: every kind of value, and many rows |
//!
//! A view without a part is there and empty.

mod accounting;
mod audit;
mod dictionary;
mod estate;
mod misconfigured;
mod operation;
mod radius;
mod samples;
mod tacacs;

use std::sync::LazyLock;

use super::sql::value::{ColumnType, Value, Zone, minutes_east};
use super::sql::{Column, World};

/// A view.
#[derive(Debug, Clone)]
pub(in crate::lab::data_connect) struct View {
    pub(in crate::lab::data_connect) name: &'static str,
    pub(in crate::lab::data_connect) columns: Vec<Column>,
}

/// A row of a view; a column that it does not know is NULL.
pub(in crate::lab::data_connect) trait Row: Send {
    fn value(&self, column: &str) -> Value;
}

/// Rows one after the other; `None` for something that was looked at and is no row, so that who
/// reads can be interrupted.
pub(in crate::lab::data_connect) type Source =
    Box<dyn Iterator<Item = Option<Box<dyn Row>>> + Send>;

/// The same where nothing is passed over.
type Rows = Box<dyn Iterator<Item = Box<dyn Row>> + Send>;

/// What a statement says of the rows it wants.
#[derive(Debug, Clone, Default)]
pub(in crate::lab::data_connect) struct Hints {
    /// Not older, on the node's clock, give or take a day.
    pub(in crate::lab::data_connect) since: Option<i64>,
    /// Columns with the text that they have.
    pub(in crate::lab::data_connect) equal: Vec<(String, Vec<u8>)>,
}

impl Hints {
    /// The text that `column` has.
    fn text(&self, column: &str) -> Option<&str> {
        let (_, text) = self.equal.iter().find(|(name, _)| name == column)?;
        std::str::from_utf8(text).ok()
    }

    /// The oldest moment, milliseconds since 1970, for who reads that far from the clock.
    fn oldest(&self) -> i64 {
        self.since
            .map_or(i64::MIN, |since| since / 1000 - 86_400_000)
    }
}

static COLUMNS: &str = include_str!("columns.txt");

static VIEWS: LazyLock<Vec<View>> = LazyLock::new(|| {
    let lines = COLUMNS.lines().chain(dictionary::COLUMNS.lines());
    lines.filter_map(view_of).collect()
});

fn view_of(line: &'static str) -> Option<View> {
    let (name, columns) = line.split_once(' ')?;
    let columns = columns.split(' ').filter_map(|column| {
        let (name, kind) = column.split_once(':')?;
        Some(Column {
            name: name.to_owned(),
            kind: kind_of(kind)?,
        })
    });
    Some(View {
        name,
        columns: columns.collect(),
    })
}

fn kind_of(code: &str) -> Option<ColumnType> {
    let size = || code.get(1..)?.parse().ok();
    Some(match code.as_bytes().first()? {
        b'V' => ColumnType::Varchar(size()?),
        b'H' => ColumnType::Char(size()?),
        b'R' => ColumnType::Raw(size()?),
        b'N' => ColumnType::Number,
        b'D' => ColumnType::Date,
        b'T' => ColumnType::Timestamp,
        b'Z' => ColumnType::Zoned,
        b'I' => ColumnType::Interval,
        b'C' => ColumnType::Clob,
        b'B' => ColumnType::Blob,
        _ => return None,
    })
}

/// The view `name`, without what is `missing`.
pub(in crate::lab::data_connect) fn find(name: &str, missing: &[String]) -> Option<View> {
    let view = VIEWS.iter().find(|view| view.name == name)?;
    if missing.iter().any(|missing| missing == name) {
        return None;
    }
    let mut view = view.clone();
    view.columns
        .retain(|column| !is_missing(missing, name, &column.name));
    Some(view)
}

fn is_missing(missing: &[String], view: &str, column: &str) -> bool {
    missing
        .iter()
        .any(|missing| missing.split_once('.') == Some((view, column)))
}

/// The rows of the view `name`.
pub(in crate::lab::data_connect) fn rows(name: &str, world: &World, hints: &Hints) -> Source {
    if let Some(rows) = dictionary::rows(name, world) {
        return Box::new(rows.map(Some));
    }
    let long = [radius::rows, accounting::rows];
    let mut long = long.iter().filter_map(|rows| rows(name, world, hints));
    if let Some(rows) = long.next() {
        return rows;
    }
    let parts = [
        estate::rows,
        tacacs::rows,
        operation::rows,
        audit::rows,
        misconfigured::rows,
        samples::rows,
    ];
    let mut found = parts.iter().filter_map(|rows| rows(name, world, hints));
    let found = found.next();
    found.map_or_else(
        || Box::new(std::iter::empty()) as Source,
        |rows| Box::new(rows.map(Some)),
    )
}

/// The node's clock and zone.
#[derive(Debug, Clone)]
struct Clock {
    zone: jiff::tz::TimeZone,
    names_regions: bool,
}

/// Oracle's number of a region, of which only this lab knows which.
const REGION: u16 = 540;

impl Clock {
    fn of(world: &World) -> Self {
        Self {
            zone: world.zone.clone(),
            names_regions: world.names_regions,
        }
    }

    /// A moment (milliseconds since 1970) on the node's clock, as a TIMESTAMP.
    fn local(&self, at: i64) -> Value {
        Value::Timestamp(at * 1000 + i64::from(minutes_east(&self.zone, at * 1000)) * 60_000_000)
    }

    /// A moment with the node's zone.
    fn zoned(&self, at: i64) -> Value {
        let minutes = minutes_east(&self.zone, at * 1000);
        let zone = if self.names_regions {
            Zone::Region(REGION, minutes)
        } else {
            Zone::Offset(minutes)
        };
        Value::Zoned(at * 1000, zone)
    }

    /// By a format of jiff's.
    fn text(&self, at: i64, format: &str) -> String {
        jiff::Timestamp::from_millisecond(at).map_or_else(
            |_| String::new(),
            |at| at.to_zoned(self.zone.clone()).strftime(format).to_string(),
        )
    }
}

/// A number of the record that grows with time over the whole deployment, another for each endpoint.
fn record_id(at: i64, index: u64) -> Value {
    /// More endpoints than the lab has at most; the product with today's milliseconds fits.
    const ENDPOINTS: i64 = 4_000_000;
    let index = i64::try_from(index).unwrap_or_default() % ENDPOINTS;
    Value::from(at.saturating_mul(ENDPOINTS) + index)
}
