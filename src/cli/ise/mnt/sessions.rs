//! `netapi ise mnt sessions`: the active sessions, filtered while they stream; with `--detail` one
//! more call a row.

use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;

use clap::Args;
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;

use super::columns::{SESSION, SESSION_DETAIL};
use crate::cli::Context;
use crate::cli::bulk::{Bulk, Item, Jobs, Tally, about};
use crate::cli::context::RecordOutput;
use crate::cli::filters::{Filters, Window, kinds, say_of_expression};
use crate::error::{Error, Kind, Result};
use crate::mnt::MntClient;
use crate::record::selection::{Selected, Selection};
use crate::record::xml::XmlSummary;
use crate::record::{Record, RecordSink};
use crate::render::Shape;

/// Rows waiting for their detail call; a full queue slows the list itself.
const QUEUE: usize = 64;

/// What to say when there is nothing.
const NOTHING: &str = "no sessions";

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise mnt sessions
  netapi ise mnt sessions --nas 10.50.1.10 --user pat.kim
  netapi ise mnt sessions --mac C8:5B:76 --json
  netapi ise mnt sessions --detail --nas sw-lab-02 --posture noncompliant
  netapi ise mnt sessions --format csv > sessions.csv

Rows are printed as they arrive. A list that breaks off ends with an error and
a non-zero exit status, never as if it were whole.")]
pub(crate) struct Sessions {
    /// One detail call for each row: adds PORT, METHOD, PROFILE, SGT, and all members in JSON
    #[arg(long)]
    detail: bool,
    #[command(flatten)]
    jobs: Jobs,
    #[command(flatten)]
    filters: Filters,
    #[command(flatten)]
    window: Window,
}

impl Sessions {
    /// Streams and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        if self.detail {
            context.refuse_xml("--detail joins many documents")?;
            return self.with_details(context).await;
        }
        let selection = self.filters.over(&kinds::ACTIVE, &self.window)?;
        if !selection.is_empty() {
            context.refuse_xml("filters choose rows")?;
        }
        let client = context.mnt()?;
        let inner = context.output(SESSION, Shape::List)?;
        let rows = Selected { selection, inner };
        let (rows, outcome) = client.sessions(rows).await;
        context.end_list(rows.inner, outcome, NOTHING)?;
        say_of_expression(context, rows.selection);
        Ok(())
    }

    async fn with_details(self, context: &Context) -> Result<()> {
        // What the list tells is looked at there: it saves the detail call.
        let already = self.filters.already(&kinds::ACTIVE)?;
        let wanted = self.filters.over(&kinds::DETAIL, &self.window)?;
        let client = context.mnt()?;
        let mut output = context.output(SESSION_DETAIL, Shape::List)?;
        let (sender, receiver) = mpsc::channel(QUEUE);
        let limit = context.global.limit;
        let rows = DetailFeed {
            sender,
            // With filters nobody knows how many rows the wanted ones are among.
            left: limit.filter(|_| context.global.sort.is_none() && wanted.is_empty()),
        };
        let rows = Selected {
            selection: already,
            inner: rows,
        };
        let list = list(client.clone(), rows);
        let bulk = Bulk::of_reads(self.jobs);
        let wanted = RefCell::new(wanted);
        let details = join(&bulk, &client, receiver, &mut output, &wanted, context);
        let (outcome, printed) = tokio::join!(list, details);
        // Where the detail calls ended first, the list's own error only says so.
        let tally = context.end_list(
            output,
            printed.and_then(|tally| outcome.map(|_| tally)),
            NOTHING,
        )?;
        say_of_expression(context, wanted.into_inner());
        tally.outcome()
    }
}

/// Replaces each row that comes in by its detail; a row without MAC address (VPN), or whose session
/// ended meanwhile, or of which the node tells no more, stays as it is. How many are of the last
/// kind is said.
async fn join(
    bulk: &Bulk,
    client: &MntClient,
    rows: mpsc::Receiver<Record>,
    output: &mut RecordOutput,
    wanted: &RefCell<Selection>,
    context: &Context,
) -> Result<Tally> {
    let rows = stream::unfold(rows, |mut rows| async {
        rows.recv().await.map(|row| (row, rows))
    });
    let as_listed = Cell::new(0_usize);
    let items = rows.map(|row| async {
        let Some(mac) = row.mac() else {
            return Item::from(Ok(chosen(row, wanted)));
        };
        match bulk.call(async || client.session_of_row(&row).await).await {
            Ok(Some(answer)) => Item::from(Ok(chosen(answer.record, wanted))),
            Ok(None) => {
                let chosen = chosen(row, wanted);
                as_listed.set(as_listed.get() + chosen.len());
                Item::from(Ok(chosen))
            }
            Err(error) => Item {
                records: chosen(row, wanted),
                error: (error.kind() != Kind::NotFound).then(|| about(mac, error)),
            },
        }
    });
    let report = |error: &Error| context.reporter.error(error);
    let tally = bulk.drain(items, output, report).await?;
    let plural = |many, one| if as_listed.get() == 1 { one } else { many };
    if as_listed.get() > 0 {
        let text = format!(
            "{} {} as the list has {}: the node's document of the endpoint is of another session \
             or of a refused attempt",
            as_listed.get(),
            plural("sessions are", "session is"),
            plural("them", "it"),
        );
        context.reporter.step(&text);
    }
    Ok(tally)
}

/// The row, where it is wanted.
fn chosen(row: Record, wanted: &RefCell<Selection>) -> Vec<Record> {
    let wanted = wanted.borrow_mut().wants(&row);
    wanted.then_some(row).into_iter().collect()
}

async fn list(client: MntClient, sink: Selected<DetailFeed>) -> Result<XmlSummary> {
    let (sink, outcome) = client.sessions(sink).await;
    // The queue must close for the details to end.
    drop(sink);
    outcome
}

/// Hands rows from the parser's thread to the detail calls.
struct DetailFeed {
    sender: mpsc::Sender<Record>,
    left: Option<u64>,
}

impl RecordSink for DetailFeed {
    fn begin(&mut self, _announced: Option<u64>) -> Result<()> {
        Ok(())
    }

    fn record(&mut self, record: &Record) -> Result<ControlFlow<()>> {
        if let Some(left) = &mut self.left {
            if *left == 0 {
                return Ok(ControlFlow::Break(()));
            }
            *left -= 1;
        }
        // Nobody takes more: enough were printed, or the detail calls ended with an error, which is
        // theirs to tell.
        Ok(match self.sender.blocking_send(record.clone()) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        })
    }
}
