//! The lab's own SQL: what the product's statements need, over the views. Anything else is an error
//! that says what the lab does not know, never a wrong answer.
//!
//! ```text
//! SELECT [DISTINCT] * | expression [[AS] alias], …
//!   FROM view [alias]
//!   [WHERE condition] [GROUP BY expression, …] [HAVING condition]
//!   [ORDER BY expression | number | alias [ASC | DESC] [NULLS FIRST | LAST], …]
//!   [OFFSET n ROWS] [FETCH FIRST n ROWS ONLY]
//! ```
//!
//! Expressions have columns, binds, literals (`DATE`, `TIMESTAMP` and `INTERVAL` too), `+ - * / ||`,
//! CASE, CAST, AT TIME ZONE, SYSDATE, SYSTIMESTAMP, ROWNUM, COUNT, SUM, MIN, MAX, AVG and what
//! `functions` lists; conditions have comparisons, BETWEEN, IN, LIKE, IS NULL, AND, OR, NOT.

mod compute;
mod conditions;
pub(super) mod decimal;
mod functions;
mod grammar;
mod hints;
mod parser;
mod query;
mod statement;
#[cfg(test)]
mod tests;
mod time_format;
mod token;
pub(super) mod value;

use std::fmt;
use std::sync::Arc;

use jiff::tz::TimeZone;

use self::value::ColumnType;
use crate::lab::session_directory::Directory;

pub(super) use self::query::{Query, Step};
pub(super) use self::statement::Statement;

/// An error of Oracle's, or of the lab where it does not know something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::lab::data_connect) struct SqlError {
    pub(in crate::lab::data_connect) code: u32,
    text: String,
    /// At which byte of the statement.
    pub(in crate::lab::data_connect) at: usize,
}

impl SqlError {
    pub(in crate::lab::data_connect) fn new(code: u32, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
            at: 0,
        }
    }

    /// The lab does not know `what`.
    pub(in crate::lab::data_connect) fn unknown(what: impl fmt::Display) -> Self {
        Self::new(
            900,
            format!("invalid SQL statement (the lab does not know {what})"),
        )
    }

    fn at(mut self, at: usize) -> Self {
        self.at = at;
        self
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ORA-{:05}: {}", self.code, self.text)
    }
}

/// A column of a view or of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::lab::data_connect) struct Column {
    pub(in crate::lab::data_connect) name: String,
    pub(in crate::lab::data_connect) kind: ColumnType,
}

/// What a statement is about: the network, at a moment, as one session sees it.
#[derive(Clone)]
pub(in crate::lab::data_connect) struct World {
    pub(in crate::lab::data_connect) directory: Arc<Directory>,
    /// Milliseconds since 1970.
    pub(in crate::lab::data_connect) now: i64,
    /// The node's zone, which is this machine's.
    pub(in crate::lab::data_connect) zone: TimeZone,
    /// The session's zone, minutes east, where the client set one.
    pub(in crate::lab::data_connect) session_minutes: Option<i16>,
    /// Views (`NAME`) and columns (`NAME.COLUMN`) that are not there.
    pub(in crate::lab::data_connect) missing: Vec<String>,
    /// Whether texts have bytes that are no UTF-8.
    pub(in crate::lab::data_connect) spoils_text: bool,
    /// Whether zoned times name a region in place of an offset.
    pub(in crate::lab::data_connect) names_regions: bool,
}

/// The zone that `ALTER SESSION SET TIME_ZONE='+01:00'` sets, in minutes east.
pub(super) fn time_zone_of(text: &str) -> Option<i16> {
    let upper = text.to_ascii_uppercase();
    let (_, value) = upper.split_once("TIME_ZONE")?;
    let value = value.trim_start().strip_prefix('=')?.trim_start();
    let value = value.strip_prefix('\'')?;
    minutes_of(value.split('\'').next()?)
}

/// `+01:00` in minutes; also `UTC`.
fn minutes_of(text: &str) -> Option<i16> {
    let text = text.trim();
    if matches!(text, "UTC" | "GMT" | "Z" | "Etc/UTC" | "ETC/UTC") {
        return Some(0);
    }
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (hours, minutes) = rest.split_once(':')?;
    let hours: i16 = hours
        .parse()
        .ok()
        .filter(|hours| (0..=14).contains(hours))?;
    let minutes: i16 = minutes
        .parse()
        .ok()
        .filter(|minutes| (0..60).contains(minutes))?;
    Some(sign * (hours * 60 + minutes))
}
