//! Events on standard output: for people one line of columns, with `--json` one object a line. When
//! they are written, and what becomes of those that cannot be, is delivery's affair.

use std::borrow::Cow;
use std::io::{self, IoSlice, Stdout, Write};

use serde_json::Value;

use crate::cli::Context;
use crate::delivery::sink::print::{EventWriter, Printed};
use crate::error::{Error, Kind, Result, from_output};
use crate::event::{Delivery, TimeText};
use crate::record::{JsonText, Record, RecordSink};
use crate::render::{CellKind, Column, Format, Renderer, Shape, check_endless, column, with};

const COLUMNS: &[Column] = &[
    column("TIME", "receivedAt").kind(CellKind::Time),
    column("EVENT", "event").kind(CellKind::Event),
    with("MAC", |record| {
        first(
            record,
            &["macAddress", "assetMacAddress", "callingStationId"],
        )
    }),
    with("IP", |record| {
        first(
            record,
            &["ipAddresses", "ipAddress", "assetIpAddress", "ipPrefix"],
        )
    })
    .kind(CellKind::Addresses),
    with("USER", |record| first(record, &["userName"])),
    with("STATE", |record| first(record, &["state", "status"]))
        .kind(CellKind::Enumeration("AUTHENTICATED".len())),
    with("NAS", |record| {
        first(record, &["nasIpAddress", "nasIdentifier", "nasName"])
    }),
    with("ABOUT", |record| {
        first(
            record,
            &[
                "failureReason",
                "policyName",
                "ancPolicy",
                "fullName",
                "name",
                "assetName",
                "tag",
            ],
        )
    })
    .kind(CellKind::Sentence),
    with("NOTE", |record| {
        let recovered = value(record)?.get("recovered")?.as_bool()?;
        recovered.then_some(Cow::Borrowed("recovered"))
    })
    .kind(CellKind::Sentence),
];

/// The members of an event (contract, section 4); what is in its message is its topic's own.
const ENVELOPE: [&str; 9] = [
    "type",
    "id",
    "event",
    "sequenceNumber",
    "topic",
    "node",
    "receivedAt",
    "recovered",
    "message",
];

/// Where a message of each topic holds what it is about; what is none of these is about itself.
const SUBJECTS: [&str; 10] = [
    "sessions",
    "failures",
    "userGroups",
    "policyDownloads",
    "securityGroup",
    "binding",
    "profile",
    "asset",
    "endpoint",
    "endpoints",
];

fn value(record: &Record) -> Option<&Value> {
    match record {
        Record::Json(json) => Some(json.value()),
        Record::Fields(_) => None,
    }
}

/// The first of `names` that the event's subject has, as text.
fn first<'r>(record: &'r Record, names: &[&str]) -> Option<Cow<'r, str>> {
    let message = value(record)?.get("message")?;
    let held = SUBJECTS.iter().find_map(|name| message.get(name));
    let subject = match held {
        Some(Value::Array(list)) => list.first()?,
        Some(object) => object,
        None => message,
    };
    names
        .iter()
        .filter_map(|name| subject.get(name).or_else(|| message.get(name)))
        .find_map(text)
}

fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Array(list) => {
            let texts: Vec<_> = list.iter().filter_map(text).collect();
            (!texts.is_empty()).then(|| Cow::Owned(texts.join(", ")))
        }
        Value::Null | Value::Object(_) => None,
        other => Some(Cow::Owned(other.to_string())),
    }
}

/// Writes events as the options say.
pub(super) enum StdoutWriter {
    /// JSON as it is, a batch at a time.
    Lines(Lines),
    /// Everything else.
    Rendered(Box<Renderer<Stdout>>),
}

impl StdoutWriter {
    /// For the options.
    ///
    /// Errors: [`Kind::Usage`] for what only a list that ends can have.
    pub(super) fn new(context: &Context) -> Result<Self> {
        let mut style = context.style();
        // The number of events is counted before they come here.
        style.limit = None;
        check_endless(&style, "subscribe")?;
        let plain = matches!(style.format, Some(Format::Json | Format::Jsonl))
            && style.fields.is_empty()
            && style.jq.is_none()
            && !style.screen.terminal;
        if plain {
            return Ok(Self::Lines(Lines::default()));
        }
        let renderer = Renderer::new(style, COLUMNS, Shape::List, std::io::stdout())?
            .live()
            .following(context.width_now())
            .settled(&ENVELOPE)?;
        Ok(Self::Rendered(Box::new(renderer)))
    }
}

/// The text of a batch, without the messages themselves: those are written from where they lie. Kept
/// for its room.
#[derive(Default)]
pub(super) struct Lines {
    text: Vec<u8>,
    /// How much of it stands before each message, and after the one before.
    before: Vec<usize>,
    received: TimeText,
}

impl Lines {
    fn write(&mut self, events: &[Printed<'_>], out: &mut impl Write) -> io::Result<()> {
        self.text.clear();
        self.before.clear();
        let mut written = 0;
        for printed in events {
            let event = printed.event;
            event.write_head(delivery(printed), &mut self.received, &mut self.text);
            self.before.push(self.text.len() - written);
            written = self.text.len();
            event.write_tail(&mut self.text);
            self.text.push(b'\n');
        }
        let mut parts = Vec::with_capacity(2 * events.len() + 1);
        let mut rest = self.text.as_slice();
        for (printed, before) in events.iter().zip(&self.before) {
            let (text, after) = rest.split_at_checked(*before).unwrap_or_default();
            parts.extend([text, printed.event.message.text()].map(IoSlice::new));
            rest = after;
        }
        parts.push(IoSlice::new(rest));
        write_all(&mut parts, out)
    }
}

/// Writes all of these, one after the other.
fn write_all(mut parts: &mut [IoSlice<'_>], out: &mut impl Write) -> io::Result<()> {
    // None that is empty in front, or nothing would seem to be written.
    IoSlice::advance_slices(&mut parts, 0);
    while !parts.is_empty() {
        match out.write_vectored(parts) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut parts, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl EventWriter for StdoutWriter {
    fn write(&mut self, events: &[Printed<'_>]) -> Result<Vec<(usize, Error)>> {
        let mut unprinted = Vec::new();
        match self {
            Self::Lines(lines) => {
                let mut out = std::io::stdout().lock();
                lines
                    .write(events, &mut out)
                    .and_then(|()| out.flush())
                    .map_err(|error| from_output(&error))?;
            }
            Self::Rendered(renderer) => {
                for (place, printed) in events.iter().enumerate() {
                    match rendered(renderer, printed.event.to_json(delivery(printed))) {
                        Err(error) if error.kind() == Kind::Expression => {
                            unprinted.push((place, error));
                        }
                        done => done?,
                    }
                }
            }
        }
        Ok(unprinted)
    }

    fn stack_size(&self) -> Option<usize> {
        matches!(self, Self::Rendered(_)).then_some(crate::render::JQ_STACK)
    }
}

/// A printed event says of its delivery only that it may have been printed before.
fn delivery(printed: &Printed<'_>) -> Option<Delivery> {
    printed.repeated.then_some(Delivery {
        attempt: 0,
        repeated: true,
    })
}

fn rendered(renderer: &mut Renderer<Stdout>, json: String) -> Result<()> {
    if renderer
        .record(&Record::Json(JsonText::of_ours(json)))?
        .is_break()
    {
        return Err(Error::new(Kind::ClosedPipe, "no more is wanted"));
    }
    Ok(())
}

/// With a callback, and into a stream, nothing is printed: options for printing would be read and
/// ignored.
pub(in super::super) fn refuse_formats(context: &Context) -> Result<()> {
    let global = &context.global;
    // --json alone still says how errors are written.
    let format = global
        .chosen_format()
        .is_some_and(|format| !matches!(format, Format::Json | Format::Jsonl));
    if format
        || !global.fields.is_empty()
        || global.sort.is_some()
        || global.jq.is_some()
        || global.no_header
    {
        return Err(Error::usage(
            "with a callback or --to nothing is printed: --format, --fields, --sort, --jq and --no-header do not go with it",
        )
        .hint("the callback gets the event as JSON on its standard input, the stream as its body"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;

    /// Takes so many bytes at a time.
    struct Narrow(Vec<u8>, usize);

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(self.1);
            self.0.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_is_written_in_parts_is_what_one_buffer_would_hold() {
        let texts = [
            r#"{"type":"MESSAGE","id":"AAAAAAAAAAAAAAAAAAAAAA","event":"e","sequenceNumber":1,"topic":"t","node":"n","receivedAt":"2026-11-22T02:00:00Z","recovered":false,"message":{"sessions":[{"a":1}]}}"#,
            r#"{"type":"MESSAGE","id":"AAAAAAAAAAAAAAAAAAAAAA","event":"e","sequenceNumber":null,"topic":"t","node":"n","receivedAt":"2026-11-22T02:00:00Z","recovered":true,"message":{"b":"ä"}}"#,
        ];
        let events = texts.map(|text| Event::parse(text).unwrap());
        let printed = events.each_ref().map(|event| Printed {
            event,
            repeated: event.recovered,
        });
        let again = texts[1].replace(r#""recovered":true"#, r#""recovered":true,"repeated":true"#);
        let expected = format!("{}\n{again}\n", texts[0]);
        for width in [1, 2, 7, 10_000] {
            let mut out = Narrow(Vec::new(), width);
            let mut lines = Lines::default();
            lines.write(&printed, &mut out).unwrap();
            lines.write(&[], &mut out).unwrap();
            assert_eq!(String::from_utf8(out.0).unwrap(), expected);
        }
    }
}
