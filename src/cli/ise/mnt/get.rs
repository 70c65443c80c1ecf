//! `netapi ise mnt get`: the escape hatch. Any GET below `/admin/API/mnt/`, the body as it came, or
//! decoded with `--json`.

use std::io::{BufRead, ErrorKind, Write};

use clap::Args;

use crate::cli::Context;
use crate::cli::global::Global;
use crate::cli::pager::PagedOutput;
use crate::error::{Error, Kind, Result, from_output};
use crate::mnt::{self, documents};
use crate::record::xml;
use crate::render::{Column, Format, Shape};
use crate::sanitize::{Content, SafeStream};
use crate::transport::BodyReader;

const COLUMNS: &[Column] = &[];

/// A longer document goes to a terminal as it came: nobody looks at all of it.
const LARGEST_INDENTED: usize = 16 << 20;

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise mnt get Session/ActiveCount
  netapi ise mnt get Version --json

Paths that change the network (CoA, Delete) are refused: use `coa` and
`delete`.")]
pub(crate) struct Get {
    /// Path below /admin/API/mnt/, already percent-encoded
    #[arg(value_name = "PATH")]
    path: String,
}

impl Get {
    /// Asks and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let path = mnt::checked(&self.path)?;
        let as_it_came = matches!(context.global.chosen_format(), None | Some(Format::Xml));
        let as_it_came = as_it_came && context.global.jq.is_none();
        if as_it_came && context.is_one_of_several() {
            return Err(Error::usage(
                "the document as it came is one deployment's, and several are asked",
            )
            .hint("add --json, which decodes the documents and says whose each is"));
        }
        if as_it_came {
            for_records_only(&context.global)?;
        }
        let client = context.mnt()?;
        if as_it_came {
            let reader = client.get(&path).await?.into_reader().telling_pauses();
            let output = context.paged();
            return tokio::task::spawn_blocking(move || copy(reader, output))
                .await
                .map_err(|error| Error::new(Kind::Failed, format!("the copy ended: {error}")))?;
        }
        let shape = match documents::answering(&path).shape {
            xml::DocumentShape::Single => Shape::Single,
            xml::DocumentShape::Rows { .. } => Shape::List,
        };
        let output = context.output(COLUMNS, shape)?;
        let (output, outcome) = client.get_records(&path, output).await;
        context.end_list(output, outcome, "no records")?;
        Ok(())
    }
}

/// Options that choose among records mean nothing for a document.
fn for_records_only(global: &Global) -> Result<()> {
    let used = [
        ("--fields", !global.fields.is_empty()),
        ("--sort", global.sort.is_some()),
        ("--limit", global.limit.is_some()),
    ];
    match used.into_iter().find(|(_, used)| *used) {
        Some((option, _)) => Err(Error::usage(format!(
            "{option} does not go with the document as it came, which get prints"
        ))
        .hint("add --json, which decodes it")),
        None => Ok(()),
    }
}

/// Bytes of the body to standard output: whole lines of a document may be megabytes long, so by
/// pieces. On a terminal it is made safe, and indented where it is short enough to be looked at.
fn copy(mut reader: BodyReader, mut output: PagedOutput) -> Result<()> {
    let mut safe = Context::on_terminal().then(|| SafeStream::new(Content::Text));
    let mut held = safe.is_some().then(Vec::new);
    let mut shown = Vec::new();
    loop {
        let piece = match reader.fill_buf() {
            Ok(piece) => piece,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                // The server pauses: what it has sent is not held back.
                output.flush().map_err(|error| from_output(&error))?;
                continue;
            }
            Err(error) => {
                return Err(Error::inside(&error).unwrap_or_else(|| {
                    Error::new(Kind::Failed, format!("cannot read the answer: {error}"))
                }));
            }
        };
        if piece.is_empty() {
            break;
        }
        let length = piece.len();
        let written = match (&mut held, &mut safe) {
            (Some(document), _) if document.len() + length <= LARGEST_INDENTED => {
                document.extend_from_slice(piece);
                Ok(())
            }
            (_, Some(safe)) => {
                shown.clear();
                safe.push(&held.take().unwrap_or_default(), &mut shown);
                safe.push(piece, &mut shown);
                output.write_all(&shown)
            }
            (_, None) => output.write_all(piece),
        };
        written.map_err(|error| from_output(&error))?;
        reader.consume(length);
    }
    shown.clear();
    if let Some(safe) = &mut safe {
        let document = held.unwrap_or_default();
        let indented = xml::indented(&document);
        safe.push(&indented.unwrap_or(document), &mut shown);
        safe.end(&mut shown);
        if !shown.ends_with(b"\n") {
            // The prompt belongs on its own line.
            shown.push(b'\n');
        }
    }
    let written = output.write_all(&shown).and_then(|()| output.flush());
    written.map_err(|error| from_output(&error))
}
