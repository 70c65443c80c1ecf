//! Events on standard output: for people one line of columns, with `--json` one object a line.
//!
//! It has a thread of its own, so that a reader that pauses stops neither the pings nor Ctrl-C.

use std::borrow::Cow;
use std::io::{Stdout, Write};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;

use super::backlog::{Backlog, End, Portion};
use crate::cli::Context;
use crate::delivery::Listener;
use crate::delivery::dead_letters::DeadLetters;
use crate::delivery::tally::Tally;
use crate::error::{Error, Kind, Result, from_output};
use crate::event::{Delivery, Event};
use crate::record::{JsonText, Record, RecordSink};
use crate::render::{CellKind, Column, Format, Renderer, Shape, column, with};

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
    with("STATE", |record| first(record, &["state", "status"])),
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
    }),
    with("NOTE", |record| {
        let recovered = value(record)?.get("recovered")?.as_bool()?;
        recovered.then_some(Cow::Borrowed("recovered"))
    }),
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

/// How events are written.
pub(super) enum Paper {
    /// JSON as it is, a batch at a time.
    Lines(Stdout),
    /// Everything else.
    Rendered(Box<Renderer<Stdout>>),
}

impl Paper {
    /// For the options.
    ///
    /// Errors: [`Kind::Usage`] for what only a list that ends can have.
    pub(super) fn new(context: &Context) -> Result<Self> {
        let mut style = context.style();
        // The number of events is counted before they come here.
        style.limit = None;
        if style.sort.is_some() || style.format == Some(Format::Yaml) {
            return Err(Error::usage(
                "subscribe prints as things happen: --sort and --format yaml do not go with it",
            )
            .hint("--json gives one object a line"));
        }
        let plain = matches!(style.format, Some(Format::Json | Format::Jsonl))
            && style.fields.is_empty()
            && style.jq.is_none()
            && !style.screen.terminal;
        if plain {
            return Ok(Self::Lines(std::io::stdout()));
        }
        let renderer = Renderer::new(style, COLUMNS, Shape::List, std::io::stdout())?
            .live()
            .settled(&ENVELOPE)?;
        Ok(Self::Rendered(Box::new(renderer)))
    }

    /// Writes events; how many were printed.
    fn batch<'e>(
        &mut self,
        events: impl Iterator<Item = &'e Event>,
        buffer: &mut Vec<u8>,
        unprinted: &mut Unprinted,
    ) -> Result<u64> {
        let mut printed = 0;
        match self {
            Self::Lines(out) => {
                buffer.clear();
                for event in events {
                    event.write_json(None, buffer);
                    buffer.push(b'\n');
                    printed += 1;
                }
                write(out, buffer)?;
            }
            Self::Rendered(renderer) => {
                for event in events {
                    match rendered(renderer, event.to_json(None)) {
                        Ok(()) => printed += 1,
                        Err(error) => unprinted.take(event, error)?,
                    }
                }
            }
        }
        Ok(printed)
    }

    /// Writes one event, and that it may have been printed before.
    ///
    /// Errors: [`Kind::Expression`] when `--jq` fails on it.
    pub(super) fn one(&mut self, event: &Event, repeated: bool) -> Result<()> {
        let again = repeated.then_some(Delivery {
            attempt: 0,
            repeated,
        });
        let mut json = event.to_json(again);
        match self {
            Self::Lines(out) => {
                json.push('\n');
                write(out, json.as_bytes())
            }
            Self::Rendered(renderer) => rendered(renderer, json),
        }
    }
}

/// What becomes of events on which `--jq` fails: they are dead letters, and the others are printed
/// all the same.
struct Unprinted {
    letters: DeadLetters,
    listener: Arc<dyn Listener>,
    tally: Arc<Tally>,
}

impl Unprinted {
    /// Any other error is passed back.
    fn take(&mut self, event: &Event, error: Error) -> Result<()> {
        if error.kind() != Kind::Expression {
            return Err(error);
        }
        self.letters.unprinted(event, &error, &*self.listener)?;
        self.tally.failed();
        Ok(())
    }
}

fn write(out: &mut Stdout, bytes: &[u8]) -> Result<()> {
    out.write_all(bytes)
        .and_then(|()| out.flush())
        .map_err(|error| from_output(&error))
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

/// With a callback nothing is printed: options for printing would be read and ignored.
pub(super) fn refuse_formats(context: &Context) -> Result<()> {
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
            "with --callback nothing is printed: --format, --fields, --sort, --jq and --no-header do not go with it",
        )
        .hint("the callback gets the event as JSON on its standard input"));
    }
    Ok(())
}

/// How long a reader may keep us waiting before events go to the disk.
const PATIENCE: Duration = Duration::from_secs(1);

/// The printing thread.
pub(super) struct Printer {
    backlog: Arc<Backlog>,
    over: watch::Receiver<bool>,
    thread: JoinHandle<Result<()>>,
}

impl Printer {
    /// Starts the thread.
    pub(super) fn start(
        paper: Paper,
        tally: Arc<Tally>,
        listener: Arc<dyn Listener>,
    ) -> Result<Self> {
        let backlog = Arc::new(Backlog::new(PATIENCE));
        let (tell, over) = watch::channel(false);
        let theirs = Arc::clone(&backlog);
        let mut builder = std::thread::Builder::new().name("printer".to_owned());
        if matches!(paper, Paper::Rendered(_)) {
            builder = builder.stack_size(crate::render::JQ_STACK);
        }
        let thread = builder
            .spawn(move || {
                let result = print(paper, &theirs, &tally, listener);
                theirs.over();
                tell.send_replace(true);
                result
            })
            .map_err(|error| Error::new(Kind::Failed, format!("cannot start printing: {error}")))?;
        Ok(Self {
            backlog,
            over,
            thread,
        })
    }

    /// Hands events over; true if from now on they wait on disk, because the reader does not keep
    /// up. After the end they go nowhere, and [`finish`](Self::finish) says why.
    pub(super) async fn take(&self, events: Vec<Event>) -> Result<bool> {
        self.backlog.push(events).await
    }

    /// No more events will come.
    pub(super) fn stop(&self, end: End) {
        self.backlog.end(end);
    }

    /// Waits until everything is printed or printing has failed.
    pub(super) async fn over(&self) {
        let mut over = self.over.clone();
        // An error means that the thread is gone: over as well.
        let _gone = over.wait_for(|over| *over).await;
    }

    /// How it ended, and how many events were not printed; to be called when it is
    /// [`over`](Self::over).
    pub(super) fn finish(self) -> Result<u64> {
        self.thread
            .join()
            .unwrap_or_else(|_| Err(Error::new(Kind::Failed, "printing broke off")))?;
        self.backlog.left()
    }
}

fn print(
    mut paper: Paper,
    backlog: &Backlog,
    tally: &Arc<Tally>,
    listener: Arc<dyn Listener>,
) -> Result<()> {
    let mut buffer = Vec::new();
    let mut unprinted = Unprinted {
        letters: DeadLetters::Listener(Arc::clone(&listener)),
        listener,
        tally: Arc::clone(tally),
    };
    while let Some(portion) = backlog.pop()? {
        let (printed, oldest) = match &portion {
            Portion::Events(events) => {
                let printed = paper.batch(events.iter(), &mut buffer, &mut unprinted)?;
                (printed, events.iter().map(|event| event.received_at).min())
            }
            Portion::Spooled(events) => {
                let lying = events.iter().map(|(_, event)| event.as_ref());
                let printed = paper.batch(lying, &mut buffer, &mut unprinted)?;
                backlog.printed(events)?;
                let received = events.iter().map(|(_, event)| event.received_at);
                (printed, received.min())
            }
        };
        if let Some(oldest) = oldest {
            tally.delivered_together(printed, oldest);
        }
    }
    Ok(())
}
