//! `netapi ise mnt failure-reasons`: the catalogue of failure codes, whole or some of it.

use clap::Args;

use crate::cli::Context;
use crate::error::{Error, Kind, Result};
use crate::mnt::members;
use crate::record::{Record, RecordSink};
use crate::render::{CellKind, Column, Columns, Renderer, Shape, Style, column};

pub(super) const ALL: Columns = Columns::of(COLUMNS, members::FAILURE_REASON);

const COLUMNS: &[Column] = &[
    column("CODE", "id"),
    column("REASON", "code").kind(CellKind::Sentence),
    column("CAUSE", "cause").kind(CellKind::Sentence),
    column("RESOLUTION", "resolution").kind(CellKind::Sentence),
];

/// Arguments.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  netapi ise mnt failure-reasons\n  netapi ise mnt failure-reasons 22040 12514 --json"
)]
pub(crate) struct FailureReasons {
    /// Only these codes
    #[arg(value_name = "CODE", value_parser = clap::value_parser!(u32).range(1..))]
    codes: Vec<u32>,
}

impl FailureReasons {
    /// Asks and prints; a code that the catalogue does not have is named, and is exit status 3 when
    /// it leaves nothing.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        if !self.codes.is_empty() {
            context.refuse_xml("choosing codes filters it")?;
        }
        let catalogue = context.mnt()?.failure_reasons().await?;
        if self.codes.is_empty() {
            return context.print_document(
                &catalogue.records,
                &catalogue.raw,
                ALL,
                Shape::List,
                "the catalogue is empty",
            );
        }
        let mut found = Vec::new();
        let mut missing = Vec::new();
        for code in &self.codes {
            match catalogue
                .records
                .iter()
                .find(|record| is_code(record, *code))
            {
                Some(record) => found.push(record.clone()),
                None => missing.push(code.to_string()),
            }
        }
        if !found.is_empty() && context.shows_a_person() && context.global.sort.is_none() {
            in_full(&found, context)?;
        } else if !found.is_empty() {
            context.print(&found, ALL, Shape::List, "")?;
        }
        if missing.is_empty() {
            return Ok(());
        }
        Err(Error::new(
            Kind::NotFound,
            format!(
                "not in the catalogue of failure reasons: {}",
                missing.join(", ")
            ),
        )
        .hint("`netapi ise mnt failure-reasons` lists them all"))
    }
}

/// For a person, who asked for these: cause and resolution are what it is about, and are not cut.
fn in_full(found: &[Record], context: &Context) -> Result<()> {
    let style = Style {
        fields: ["REASON", "CAUSE", "RESOLUTION"]
            .map(str::to_owned)
            .to_vec(),
        ..context.style()
    };
    let mut output = Renderer::new(style, ALL, Shape::Single, context.paged())?;
    for record in found {
        if output.record(record)?.is_break() {
            break;
        }
    }
    output.finish().map(drop)
}

fn is_code(record: &Record, code: u32) -> bool {
    record
        .text("id")
        .is_some_and(|id| id.trim().parse() == Ok(code))
}
