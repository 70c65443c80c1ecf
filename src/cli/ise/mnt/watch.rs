//! `netapi ise mnt watch`: polls the active list and prints the sessions that came, changed and
//! went.
//!
//! It keeps the last list, one short JSON text a session; that is its memory. A poll that fails
//! is said and the next one follows after a longer pause, also the first one where the node is
//! overloaded or cannot be reached. A refusal ends it at once, and so do, at the first poll,
//! answers that waiting does not mend.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;
use std::io::Stdout;
use std::ops::ControlFlow;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::sync::Notify;

use crate::backoff::Backoff;
use crate::cli::Context;
use crate::cli::context::DONE;
use crate::cli::filters::{Filters, Window, kinds};
use crate::cli::input;
use crate::cli::ise::idle_lab_hint;
use crate::cli::long_running::{
    LongRunning, Metric, Reader, Request, Service, ServiceArgs, Summary,
};
use crate::cli::report::Reporter;
use crate::error::{Error, Kind, Result};
use crate::mnt::MntClient;
use crate::record::selection::{Selected, Selection};
use crate::record::{JsonText, Record, RecordSink};
use crate::render::{CellKind, Column, Format, Renderer, Shape, column, with};

const TIME: Column = column("TIME", "at").kind(CellKind::Time);
const CHANGE: Column = column("CHANGE", "change").kind(CellKind::Enumeration("changed".len()));
const MAC: Column = column("MAC", "session.calling_station_id");
const IP: Column = column("IP", "session.framed_ip_address");
const USER: Column = column("USER", "session.user_name");
const NAS: Column = column("NAS", "session.nas_ip_address");
const SERVER: Column = column("SERVER", "session.server");
const WHAT: Column = with("WHAT", what_changed).kind(CellKind::Sentence);

/// For scripts that know the columns by their places.
const ON_PIPE: &[Column] = &[CHANGE, MAC, IP, USER, NAS, SERVER];
/// For a person.
const ON_TERMINAL: &[Column] = &[TIME, CHANGE, MAC, IP, USER, NAS, SERVER, WHAT];

/// The longest pause after failed polls.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise mnt watch
  netapi ise mnt watch --interval 30s --nas 10.50.1.10 --json

Each poll reads the whole active list; on a large deployment choose a long
interval, or use pxGrid. With --json one object a line:
{\"change\":\"came\",\"session\":{…},\"at\":\"…\"}; what changed is in
\"changed\":{\"user_name\":{\"from\":…,\"to\":…}}")]
pub(crate) struct Watch {
    /// Pause between polls, at least 1s
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = input::pause)]
    interval: Duration,
    #[command(flatten)]
    service: ServiceArgs,
    #[command(flatten)]
    filters: Filters,
    #[command(flatten)]
    window: Window,
}

impl Watch {
    /// Polls until it is stopped, or refused.
    pub(crate) async fn run(self, context: &Context) -> Result<ExitCode> {
        let selection = self.filters.over(&kinds::ACTIVE, &self.window)?;
        let style = context.style();
        if style.sort.is_some() || matches!(style.format, Some(Format::Yaml)) {
            return Err(Error::usage(
                "watch prints as things happen: --sort and --format yaml do not go with it",
            ));
        }
        let columns = if style.screen.terminal {
            ON_TERMINAL
        } else {
            ON_PIPE
        };
        let output = Renderer::new(style, columns, Shape::List, std::io::stdout())?
            .live()
            .following(context.width_now())
            .settled(&["change", "session", "at", "changed"])?;
        let service = || {
            Ok(Service {
                name: "watch",
                does: "changes of ISE's sessions".to_owned(),
                callbacks: Duration::ZERO,
                writes: Vec::new(),
            })
        };
        if self.service.prints_unit(context, service)? {
            return Ok(DONE);
        }
        if context.global.limit == Some(0) {
            // As of any list: nothing is wanted, so nothing is asked for.
            return Ok(DONE);
        }
        let client = context.mnt()?;
        let mut running = LongRunning::begin(context, &self.service)?;
        let counts = Cell::default();
        let listed = Notify::new();
        let result = {
            let mut polling =
                pin!(self.poll_on(context, &client, output, selection, &counts, &listed));
            loop {
                tokio::select! {
                    result = &mut polling => break result.map(|()| DONE),
                    () = listed.notified() => running.ready(),
                    request = running.next() => match request {
                        Request::Figures(reader) => running.report(reader, &counts.get().figures()),
                        Request::Stop(_) => {
                            running.report(Reader::Stderr, &counts.get().figures());
                            break Ok(DONE);
                        }
                    },
                }
            }
        };
        running.end(result).await
    }

    async fn poll_on(
        &self,
        context: &Context,
        client: &MntClient,
        output: Renderer<Stdout>,
        selection: Selection,
        counts: &Cell<Counts>,
        listed: &Notify,
    ) -> Result<()> {
        let (mut output, mut selection) = (output, selection);
        let mut known: Option<Snapshot> = None;
        // A failed poll makes the pause longer than the usual one.
        let longest = LONGEST_PAUSE.max(self.interval);
        let mut backoff = Backoff::new(self.interval.saturating_mul(2), longest);
        let mut pause;
        loop {
            let (looked, polled) = poll(client, selection).await;
            selection = looked;
            if let Some(warning) = selection.warning("row") {
                context.reporter.warn(&warning);
            }
            let mut figures = counts.get();
            figures.polls += 1;
            figures.failed += u64::from(polled.is_err());
            counts.set(figures);
            match polled {
                Ok(now) => {
                    backoff.reset();
                    pause = self.interval;
                    figures.sessions = now.len() as u64;
                    if let Some(before) = &known {
                        let changes = figures.compare(before, &now);
                        let printing = Printing {
                            changes,
                            output,
                            reporter: context.reporter.clone(),
                            unprinted: figures.unprinted,
                        };
                        let (printing, flow) = printing.on_a_thread().await?;
                        output = printing.output;
                        figures.unprinted = printing.unprinted;
                        if flow?.is_break() {
                            output.finish()?;
                            return all_printed(figures.unprinted);
                        }
                    } else {
                        context.reporter.note(&format!(
                            "watching {} sessions, every {:?}",
                            now.len(),
                            self.interval
                        ));
                        if let Some(notice) = idle_lab_hint::notice(context, "mnt-host") {
                            context.reporter.note(notice);
                        }
                    }
                    counts.set(figures);
                    listed.notify_one();
                    known = Some(now);
                }
                Err(error) if ends(&error) || known.is_none() && !error.passes() => {
                    return Err(error);
                }
                Err(error) => {
                    pause = backoff.next_pause();
                    context.reporter.error(&error);
                    context.reporter.step(&format!("next poll in {pause:?}"));
                }
            }
            tokio::time::sleep(pause).await;
        }
    }
}

static POLLS: Metric =
    Metric::counter("netapi_polls_total", "Times the active list was asked for.");
static POLLS_FAILED: Metric =
    Metric::counter("netapi_polls_failed_total", "Times that this failed.");
static SESSIONS: Metric = Metric::gauge(
    "netapi_sessions",
    "Sessions in the last list that was read, after the filters.",
);
static CHANGES: Metric = Metric::counter(
    "netapi_session_changes_total",
    "Sessions that came, changed or went between two lists.",
);
static UNPRINTED: Metric = Metric::counter(
    "netapi_expression_failures_total",
    "Changes or events on which the user's --jq or --where failed.",
);

/// What is counted.
#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    polls: u64,
    failed: u64,
    /// In the last list.
    sessions: u64,
    came: u64,
    changed: u64,
    went: u64,
    /// Changes on which `--jq` failed.
    unprinted: u64,
}

impl Counts {
    /// The changes between two lists, counted.
    fn compare(&mut self, before: &Snapshot, after: &Snapshot) -> Vec<Record> {
        let changes = changes(before, after, Timestamp::now());
        let of = |word| changes.iter().filter(|(had, _)| *had == word).count() as u64;
        self.came += of("came");
        self.changed += of("changed");
        self.went += of("went");
        changes.into_iter().map(|(_, record)| record).collect()
    }

    fn figures(self) -> Summary {
        let Self {
            polls,
            failed,
            sessions,
            came,
            changed,
            went,
            unprinted,
        } = self;
        let change = |change: &str, count| {
            let labels = vec![("change", change.to_owned())];
            CHANGES.counted_of(labels, count)
        };
        let mut text = format!(
            "polls {polls}, failed {failed}, sessions {sessions}, came {came}, changed {changed}, went {went}"
        );
        if unprinted > 0 {
            text = format!("{text}, not printed {unprinted}");
        }
        Summary {
            state: format!("watching {sessions} sessions"),
            text,
            json: json!({
                "polls": polls, "failed": failed, "sessions": sessions,
                "came": came, "changed": changed, "went": went, "notPrinted": unprinted,
            }),
            samples: vec![
                POLLS.counts(polls),
                POLLS_FAILED.counts(failed),
                SESSIONS.counts(sessions),
                change("came", came),
                change("changed", changed),
                change("went", went),
                UNPRINTED.counts(unprinted),
            ],
        }
    }
}

/// The changes of one poll on their way to standard output.
struct Printing {
    changes: Vec<Record>,
    output: Renderer<Stdout>,
    reporter: Reporter,
    unprinted: u64,
}

impl Printing {
    /// Prints where a reader that pauses keeps nobody from hearing a signal.
    async fn on_a_thread(mut self) -> Result<(Self, Result<ControlFlow<()>>)> {
        let printing = tokio::task::spawn_blocking(move || {
            let Self {
                changes,
                output,
                reporter,
                unprinted,
            } = &mut self;
            let flow = print(changes, output, reporter, unprinted);
            (self, flow)
        });
        printing
            .await
            .map_err(|error| Error::new(Kind::Failed, format!("printing broke off: {error}")))
    }
}

/// Prints changes. `--jq` may fail on one and do for the next: the first failure is said, the
/// others of this poll are counted.
fn print(
    changes: &[Record],
    output: &mut Renderer<Stdout>,
    reporter: &Reporter,
    failed: &mut u64,
) -> Result<ControlFlow<()>> {
    let before = *failed;
    let mut flow = ControlFlow::Continue(());
    for change in changes {
        flow = match output.record(change) {
            Ok(flow) => flow,
            Err(error) if error.kind() == Kind::Expression => {
                if *failed == before {
                    reporter.error(&error);
                }
                *failed += 1;
                ControlFlow::Continue(())
            }
            Err(error) => return Err(error),
        };
        if flow.is_break() {
            break;
        }
    }
    let more = failed.saturating_sub(before + 1);
    if more > 0 {
        reporter.step(&format!("--jq failed on {more} more changes of this poll"));
    }
    Ok(flow)
}

/// Whether polling on would do harm or be of no use.
fn ends(error: &Error) -> bool {
    matches!(
        error.kind(),
        Kind::Refused | Kind::Usage | Kind::WrongNode | Kind::NotSent
    )
}

fn all_printed(failed: u64) -> Result<()> {
    if failed == 0 {
        return Ok(());
    }
    Err(Error::new(
        Kind::Partial,
        format!("changes on which --jq failed: {failed}"),
    ))
}

/// The active list by session: key -> JSON text.
type Snapshot = HashMap<Box<str>, Box<str>>;

async fn poll(client: &MntClient, selection: Selection) -> (Selection, Result<Snapshot>) {
    let inner = SnapshotSink::default();
    let (rows, outcome) = client.sessions(Selected { selection, inner }).await;
    (rows.selection, outcome.map(|_| rows.inner.snapshot))
}

/// Collects a snapshot.
#[derive(Default)]
struct SnapshotSink {
    snapshot: Snapshot,
    text: Vec<u8>,
}

impl RecordSink for SnapshotSink {
    fn begin(&mut self, _announced: Option<u64>) -> Result<()> {
        Ok(())
    }

    fn record(&mut self, record: &Record) -> Result<ControlFlow<()>> {
        self.text.clear();
        record.write_json(&mut self.text);
        let text = String::from_utf8_lossy(&self.text).into_owned();
        self.snapshot.insert(key(record).into(), text.into());
        Ok(ControlFlow::Continue(()))
    }
}

/// What makes a session the same session from poll to poll: its audit session id, else its
/// accounting id at its NAS, else the endpoint at its NAS.
fn key(record: &Record) -> String {
    let text = |member: &str| record.text(member).unwrap_or_default();
    if let Some(id) = record.text("audit_session_id") {
        return id.to_ascii_uppercase();
    }
    format!(
        "{}|{}|{}|{}",
        text("nas_ip_address"),
        text("acct_session_id"),
        text("calling_station_id"),
        text("user_name")
    )
}

/// What happened between two snapshots, seen `at` this time: first what went, then what came and
/// changed.
fn changes(before: &Snapshot, after: &Snapshot, at: Timestamp) -> Vec<(&'static str, Record)> {
    let mut list = Vec::new();
    for (key, text) in before {
        if !after.contains_key(key) {
            list.push(change("went", text, at, ""));
        }
    }
    for (key, text) in after {
        match before.get(key) {
            None => list.push(change("came", text, at, "")),
            Some(old) if old != text => {
                let members = format!(",\"changed\":{}", differences(old, text));
                list.push(change("changed", text, at, &members));
            }
            Some(_) => {}
        }
    }
    list
}

/// A change as JSON; `more` are members with their comma.
fn change(word: &'static str, session: &str, at: Timestamp, more: &str) -> (&'static str, Record) {
    let text = format!("{{\"change\":\"{word}\",\"session\":{session},\"at\":\"{at}\"{more}}}");
    (word, Record::Json(JsonText::of_ours(text)))
}

/// The members that differ: `{"user_name":{"from":"a","to":"b"}}`.
fn differences(old: &str, new: &str) -> Value {
    let members = |text: &str| serde_json::from_str::<Map<String, Value>>(text).unwrap_or_default();
    let (old, new) = (members(old), members(new));
    let value = |members: &Map<String, Value>, name: &str| {
        members.get(name).cloned().unwrap_or(Value::Null)
    };
    let gone = old.keys().filter(|name| !new.contains_key(*name));
    let names = new.keys().chain(gone);
    let changed = names.filter_map(|name| {
        let (from, to) = (value(&old, name), value(&new, name));
        (from != to).then(|| (name.clone(), json!({"from": from, "to": to})))
    });
    Value::Object(changed.collect())
}

/// What differs, in words: `user_name pat → kim, server psn-a → psn-b`.
fn what_changed(record: &Record) -> Option<Cow<'_, str>> {
    let record = record.to_value();
    let changed = record.get("changed")?.as_object()?;
    let text = |value: Option<&Value>| match value {
        Some(Value::String(text)) if !text.is_empty() => text.clone(),
        None | Some(Value::Null | Value::String(_)) => "-".to_owned(),
        Some(other) => other.to_string(),
    };
    let each = changed.iter().map(|(name, values)| {
        let (from, to) = (text(values.get("from")), text(values.get("to")));
        format!("{name} {from} → {to}")
    });
    Some(Cow::Owned(each.collect::<Vec<_>>().join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(rows: &[(&str, &str)]) -> Snapshot {
        rows.iter()
            .map(|(key, text)| ((*key).into(), (*text).into()))
            .collect()
    }

    #[test]
    fn trouble_passes_and_a_wrong_address_does_not() {
        for kind in [Kind::Overloaded, Kind::TimedOut, Kind::Connect] {
            let error = Error::new(kind, "");
            assert!(error.passes() && !ends(&error), "{kind:?}");
        }
        assert!(Error::new(Kind::Server, "").status(500).passes());
        for kind in [Kind::Resolve, Kind::Tls, Kind::Malformed, Kind::Refused] {
            assert!(!Error::new(kind, "").passes(), "{kind:?}");
        }
        assert!(!Error::new(Kind::Server, "").status(404).passes());
        assert!(ends(&Error::new(Kind::Refused, "").status(401)));
    }

    #[test]
    fn what_came_changed_and_went() {
        let before = snapshot(&[
            ("a", r#"{"x":"1"}"#),
            ("b", r#"{"x":"2"}"#),
            ("c", r#"{"x":"3"}"#),
        ]);
        let after = snapshot(&[
            ("a", r#"{"x":"1"}"#),
            ("b", r#"{"x":"9","y":"1"}"#),
            ("d", r#"{"x":"4"}"#),
        ]);
        let mut words: Vec<String> = changes(&before, &after, Timestamp::UNIX_EPOCH)
            .iter()
            .map(|(_, record)| record.to_value().to_string())
            .collect();
        words.sort();
        let changed = Record::from_value(serde_json::from_str(&words[1]).unwrap());
        assert_eq!(what_changed(&changed).as_deref(), Some("x 2 → 9, y - → 1"));
        assert_eq!(
            words,
            [
                r#"{"change":"came","session":{"x":"4"},"at":"1970-01-01T00:00:00Z"}"#,
                r#"{"change":"changed","session":{"x":"9","y":"1"},"at":"1970-01-01T00:00:00Z","changed":{"x":{"from":"2","to":"9"},"y":{"from":null,"to":"1"}}}"#,
                r#"{"change":"went","session":{"x":"3"},"at":"1970-01-01T00:00:00Z"}"#
            ]
        );
    }
}
