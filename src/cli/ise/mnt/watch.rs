//! `netapi ise mnt watch`: polls the active list and prints the sessions that came, changed and
//! went.
//!
//! It keeps the last list, one short JSON text a row; that is its memory, and it has bounds. A poll that fails
//! is said and the next one follows after a longer pause, also the first one where the node is
//! overloaded or cannot be reached. A refusal ends it at once, and so do, at the first poll,
//! answers that waiting does not mend.

mod snapshots;

use std::cell::Cell;
use std::io::Stdout;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use serde_json::json;
use tokio::sync::Notify;

use self::snapshots::{Snapshot, changes, poll, what_changed};
use crate::backoff::Backoff;
use crate::cli::Context;
use crate::cli::context::DONE;
use crate::cli::filters::{Filters, Window, kinds};
use crate::cli::input;
use crate::cli::ise::idle_lab_hint;
use crate::cli::ise::polling::{
    LONGEST_PAUSE, POLLS, POLLS_FAILED, Printing, UNPRINTED, all_printed, ends,
};
use crate::cli::long_running::{
    LongRunning, Metric, Reader, Request, Service, ServiceArgs, Summary,
};
use crate::error::Result;
use crate::mnt::MntClient;
use crate::record::Record;
use crate::record::selection::Selection;
use crate::render::{CellKind, Column, Renderer, Shape, check_endless, column, with};
use crate::settings::Server;

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
        check_endless(&style, "watch")?;
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
                speaks_with: vec![Server::Mnt],
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
                    figures.sessions = now.len();
                    if let Some(before) = &known {
                        let changes = figures.compare(before, &now);
                        let printing = Printing {
                            rows: changes,
                            what: "changes",
                            output,
                            reporter: context.reporter.clone(),
                            unprinted: figures.unprinted,
                        };
                        let (printing, flow) = printing.on_a_thread().await?;
                        output = printing.output;
                        figures.unprinted = printing.unprinted;
                        if flow?.is_break() {
                            output.finish()?;
                            return all_printed("changes", figures.unprinted);
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

static SESSIONS: Metric = Metric::gauge(
    "netapi_sessions",
    "Sessions in the last list that was read, after the filters.",
);
static CHANGES: Metric = Metric::counter(
    "netapi_session_changes_total",
    "Sessions that came, changed or went between two lists.",
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
