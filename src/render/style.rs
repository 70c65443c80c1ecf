//! How a user wants the output, and what of it contradicts itself. It prints nothing and looks at
//! no record.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Format, JqFilter};
use crate::error::{Error, Result};

/// Facts about where the output goes, captured once by the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// It is a terminal.
    pub terminal: bool,
    /// Its width in columns; looked at only on a terminal.
    pub width: u16,
    /// Colour is wanted.
    pub color: bool,
}

/// How the user wants it.
#[derive(Debug, Clone)]
pub struct Style {
    /// The format asked for; `None` is the default table.
    pub format: Option<Format>,
    /// `--fields`: columns or members, in this order; empty for the default.
    pub fields: Vec<String>,
    /// `--sort`: a column or member, descending with a `-` in front.
    pub sort: Option<String>,
    /// `--limit`: at most so many rows, after sorting.
    pub limit: Option<u64>,
    /// `--by`: fields to count rows by instead of listing them; empty for a list.
    pub by: Vec<String>,
    /// `--top`: at most so many groups.
    pub top: Option<u64>,
    /// Whether tables, explicit tsv and csv have a header.
    pub header: bool,
    /// Only what a row is known by: its MAC address, else its first column.
    pub name_only: bool,
    /// `--jq`: a jq expression over the JSON, compiled.
    pub jq: Option<JqFilter>,
    /// Where it goes.
    pub screen: Screen,
    /// What relative times are relative to.
    pub now: Timestamp,
    /// The zone that times are shown in.
    pub zone: TimeZone,
}

/// Options that contradict the format: what can be said of a style without columns and records, so
/// that it is said before anything is sent.
pub fn check(style: &Style) -> Result<()> {
    let format = style.format.unwrap_or(Format::Table);
    if style.jq.is_some() && !matches!(format, Format::Table | Format::Json | Format::Jsonl) {
        return Err(Error::usage(format!("--jq works on JSON, not on {format}"))
            .hint("leave out --format, or use --format json or jsonl"));
    }
    let used = [
        ("--fields", !style.fields.is_empty()),
        ("--sort", style.sort.is_some()),
        ("--limit", style.limit.is_some()),
        ("--by", !style.by.is_empty()),
    ];
    if style.by.is_empty() && style.top.is_some() {
        return Err(Error::usage("--top is of --by").hint("--limit N is for lists"));
    }
    counted_alone(style, &used)?;
    match used.into_iter().find(|(_, used)| *used) {
        Some((option, _)) if format == Format::Xml => Err(Error::usage(format!(
            "{option} does not go with --format xml, which is the document as it came"
        ))
        .hint("use another format")),
        _ => Ok(()),
    }
}

/// The same for a command that prints as things happen.
///
/// Errors: [`Kind::Usage`](crate::error::Kind::Usage) for what only a list that ends can have.
pub fn check_endless(style: &Style, command: &str) -> Result<()> {
    let option = match style.format {
        _ if style.sort.is_some() => "--sort does".to_owned(),
        Some(format) if !format.is_endless() => format!("--format {format} does"),
        _ => return Ok(()),
    };
    let error = format!("{command} prints as things happen: {option} not go with it");
    Err(Error::usage(error).hint("--json gives one object a line, --format md a row"))
}

/// Groups have their own order, columns and number.
fn counted_alone(style: &Style, used: &[(&str, bool)]) -> Result<()> {
    if style.by.is_empty() {
        return Ok(());
    }
    let other = used
        .iter()
        .find(|(option, used)| *used && *option != "--by");
    let other = other.map(|(option, _)| *option);
    let Some(option) = other.or(style.name_only.then_some("-o name")) else {
        return Ok(());
    };
    Err(Error::usage(format!(
        "{option} does not go with --by, which counts the whole list"
    ))
    .hint("--top N shows the N largest groups"))
}
