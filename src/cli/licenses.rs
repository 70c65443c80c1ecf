//! `netapi licenses`: the licences of everything in this program. The text is made by
//! `deploy/licenses.sh` and stands beside this file; a test compares it with the crates that are
//! linked.

use std::io::Read;

use clap::Args;
use flate2::read::GzDecoder;
use serde_json::json;

use super::Context;
use super::context::write_out;
use crate::error::{Error, Kind, Result};
use crate::record::Record;
use crate::render::{Column, Shape, column};

/// The list of crates, then each licence's text with the crates that it is of. A hundred copies of
/// one text are small when they are packed.
const NOTICES: &[u8] = include_bytes!("licenses.txt.gz");

const COLUMNS: &[Column] = &[
    column("NAME", "name"),
    column("VERSION", "version"),
    column("LICENSE", "license"),
];

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi licenses > THIRD-PARTY-NOTICES
  netapi licenses --format tsv

Without an output option it prints the list and every licence in full; with one
(--format, --json, --fields, --jq, …) the list alone.")]
pub(crate) struct Licenses {}

impl Licenses {
    /// Prints them.
    pub(crate) fn run(context: &Context) -> Result<()> {
        let text = notices()?;
        if !context.global.shapes_output() {
            return write_out(&text);
        }
        let records: Vec<Record> = crates(&text)
            .map(|(name, version, license)| {
                Record::from_value(json!({ "name": name, "version": version, "license": license }))
            })
            .collect();
        context.print(&records, COLUMNS, Shape::List, "")
    }
}

fn notices() -> Result<String> {
    let mut text = String::new();
    match GzDecoder::new(NOTICES).read_to_string(&mut text) {
        Ok(_) => Ok(text),
        Err(error) => Err(Error::new(
            Kind::Failed,
            format!("this program's licences cannot be unpacked: {error}"),
        )),
    }
}

/// The list at the beginning of the notices: name, version and SPDX expression of each crate.
fn crates(text: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    let lines = text.lines().skip_while(|line| !line.starts_with("  "));
    lines.map_while(|line| {
        let mut words = line.strip_prefix("  ")?.splitn(3, ' ');
        Some((words.next()?, words.next()?, words.next()?))
    })
}
