//! `netapi ise nodes`: which node is in trouble. Load and latency from pxGrid, sessions of each
//! from the Monitoring node's active list; `--fail-over` makes it a check for monitoring systems.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write;
use std::ops::ControlFlow;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::counting::Counting;
use super::interfaces::{Failed, Interfaces, MNT, PXGRID};
use super::pxgrid::wire_time;
use crate::cli::Context;
use crate::error::{Error, Kind, Result};
use crate::joins::nodes::{Limit, Metric, NodeState, Nodes as NodeTable, same_host};
use crate::joins::trend::Window;
use crate::mnt::MntClient;
use crate::pxgrid::ServiceClient;
use crate::record::{Record, RecordSink};
use crate::render::{CellKind, Column, Shape, column, with};

/// What the trend is over.
pub(super) const WINDOW: SignedDuration = SignedDuration::from_hours(1);
/// Parts of the trend.
const PARTS: usize = 10;
/// Servers that the active list may name.
const MOST_SERVERS: usize = 10_000;
/// What is worth a look on a terminal.
const PERCENT: CellKind = CellKind::Threshold {
    high: 80,
    critical: 90,
};
const MILLISECONDS: CellKind = CellKind::Threshold {
    high: 200,
    critical: 500,
};
/// Nodes that a message names.
const NAMED: usize = 10;

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise nodes
  netapi ise nodes psn-a psn-b --json
  netapi ise nodes --fail-over cpu=90,memory=90,latency=500
  netapi ise nodes psn-a --no-sessions --fail-over load=8 -q    # a check

One row a node, worst first: the one that nobody has measured for 15 minutes,
then the one nearest to a limit (without --fail-over: cpu 90, memory 90, disk 90,
latency 500). CPU, MEMORY in percent; AUTHS are the RADIUS requests of the newest
sample, LATENCY is in milliseconds; _1H is the last hour, oldest first. From
pxGrid's system service; sessions from the Monitoring node, which has to list
them all for it: a check that runs often spares it with --no-sessions.
--fail-over METRIC=LIMIT[,…] (cpu, memory, load, authentications, latency,
iowait, disk, sessions): exit status 1 where a node is over a limit, or where
nobody knows, and the message names them. 3: no such node; 4 to 7: not asked.")]
pub(crate) struct Nodes {
    /// Only these nodes
    #[arg(value_name = "NODE")]
    node: Vec<String>,
    /// Fail where a node is over a limit or not measured: cpu=90,memory=90,latency=500
    #[arg(long, value_name = "METRIC=LIMIT", value_delimiter = ',', value_parser = limit)]
    fail_over: Vec<Limit>,
    /// Do not count sessions: the whole active list is read for it
    #[arg(long)]
    no_sessions: bool,
}

/// For clap: a limit.
fn limit(text: &str) -> Result<Limit, String> {
    let wrong = || format!("'{text}' is no limit; write METRIC=NUMBER, as cpu=90");
    let (name, most) = text.split_once('=').ok_or_else(wrong)?;
    let name = name.trim().to_lowercase();
    let metric = Metric::ALL.into_iter().find(|metric| metric.name() == name);
    let metric = metric.ok_or_else(|| {
        let names = Metric::ALL.map(Metric::name).join(", ");
        format!("'{name}' is not measured; it is one of {names}")
    })?;
    let number = most.trim().trim_end_matches('%').trim_end_matches("ms");
    let most = number.trim().parse().map_err(|_| wrong())?;
    if !f64::is_finite(most) || most < 0.0 {
        return Err(wrong());
    }
    Ok(Limit { metric, most })
}

impl Nodes {
    /// Asks and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let counts_sessions = |limit: &Limit| limit.metric == Metric::Sessions;
        if self.no_sessions && self.fail_over.iter().any(counts_sessions) {
            return Err(
                Error::usage("a limit of sessions, and they are not to be counted")
                    .hint("leave out --no-sessions"),
            );
        }
        let interfaces = Interfaces::new(context)?;
        interfaces.say_what_is_not_set_up(
            context,
            if self.no_sessions {
                ""
            } else {
                "sessions are not counted"
            },
            "nothing is known of load and latency",
        );
        let now = Timestamp::now();
        let window = Window {
            since: now.checked_sub(WINDOW).unwrap_or(now),
            until: now,
            parts: PARTS,
        };
        let mnt = interfaces.mnt.as_ref().filter(|_| !self.no_sessions);
        let ((mut nodes, measured), (counts, counted)) =
            tokio::join!(measure(interfaces.pxgrid.as_ref(), window), count(mnt));
        let mut failed = Failed::default();
        failed.note(PXGRID, measured);
        let whole = failed.note(MNT, counted).is_some();
        if whole {
            for (name, count) in &counts.servers {
                nodes.add_sessions(name, *count);
            }
            if mnt.is_some() {
                nodes.sessions_are_counted();
            }
        }
        let beyond = nodes.beyond + counts.unnamed;
        if nodes.len() == 0 && !failed.is_empty() {
            return failed.instead_of_an_answer(context);
        }
        let mut states = nodes.finish(&self.fail_over, now);
        if let Err(missing) = self.choose(&mut states) {
            return if failed.is_empty() {
                Err(missing)
            } else {
                failed.instead_of_an_answer(context)
            };
        }
        let records: Vec<Record> = states.iter().map(|state| state.record.clone()).collect();
        // On a terminal the message below says it, and the room is for the figures.
        let columns = columns(!self.fail_over.is_empty() && !Context::on_terminal());
        context.print(&records, columns, Shape::List, "no node was named")?;
        say_beside(context, &states, beyond);
        let over = self.verdict(&states);
        let lacking = failed.beside_an_answer(context);
        match (over, lacking) {
            // One ends the command; the other is said before.
            (Err(over), Err(lacking)) => {
                context.reporter.error(&lacking);
                Err(over)
            }
            (over, lacking) => over.and(lacking),
        }
    }

    /// Keeps the nodes that are named.
    ///
    /// Errors: [`Kind::NotFound`] for a name that no node has.
    fn choose(&self, states: &mut Vec<NodeState>) -> Result<()> {
        let is = |state: &NodeState, name: &str| {
            same_host(&state.name.to_lowercase(), &name.trim().to_lowercase())
        };
        for name in &self.node {
            if !states.iter().any(|state| is(state, name)) {
                let known: Vec<&str> = states.iter().map(|state| state.name.as_str()).collect();
                let known = known.get(..NAMED).unwrap_or(&known).join(", ");
                let error = Error::new(Kind::NotFound, format!("no node is called '{name}'"));
                return Err(error.hint(format!("known: {known}")));
            }
        }
        if !self.node.is_empty() {
            states.retain(|state| self.node.iter().any(|name| is(state, name)));
        }
        Ok(())
    }

    /// Who is over a limit, or of whom nobody knows.
    fn verdict(&self, states: &[NodeState]) -> Result<()> {
        if self.fail_over.is_empty() {
            return Ok(());
        }
        if states.is_empty() {
            let error = Error::new(Kind::Failed, "no node was named: nothing is known");
            return Err(error.hint("`netapi ise doctor` walks the path to both interfaces"));
        }
        let bad = |state: &&NodeState| !state.over.is_empty() || !state.missing.is_empty();
        let bad: Vec<&NodeState> = states.iter().filter(bad).collect();
        if bad.is_empty() {
            return Ok(());
        }
        let named = bad.iter().take(NAMED).map(|state| trouble(state));
        let mut message = named.collect::<Vec<_>>().join("; ");
        if let more @ 1.. = bad.len().saturating_sub(NAMED) {
            // Writing to a String cannot fail.
            let _ = write!(message, "; and {more} more nodes");
        }
        Err(Error::new(Kind::Failed, message))
    }
}

/// What is wrong with a node: `psn-b: cpu 95.50 over 90, latency unknown`.
fn trouble(state: &NodeState) -> String {
    let over = state.over.iter();
    let over = over.map(|(metric, value, most)| format!("{} {value} over {most}", metric.name()));
    let missing = state.missing.iter();
    let missing = missing.map(|metric| format!("{} unknown", metric.name()));
    let words: Vec<String> = over.chain(missing).collect();
    format!("{}: {}", state.name, words.join(", "))
}

/// What else there is to know: samples that are old, rows that could not be used.
fn say_beside(context: &Context, states: &[NodeState], beyond: u64) {
    for state in states
        .iter()
        .filter(|state| state.stale.is_some())
        .take(NAMED)
    {
        let minutes = state.stale.map_or(0, |age| age.as_mins());
        context.reporter.warn(&format!(
            "{}: the newest sample is {minutes} minutes old, so its load is not known",
            state.name
        ));
    }
    if beyond > 0 {
        let rows = if beyond == 1 { "row was" } else { "rows were" };
        context.reporter.warn(&format!(
            "{beyond} {rows} left out: without a node's name or a time, too large, or of more \
             nodes than are told apart"
        ));
    }
}

/// The samples of the window. One of the two lists may fail and hide nothing of the other.
/// How many nodes were measured lately, and how many are known; `None` where nobody tells.
pub(super) async fn up(client: &ServiceClient) -> Option<(usize, usize)> {
    let now = Timestamp::now();
    let window = Window {
        since: now.checked_sub(WINDOW).unwrap_or(now),
        until: now,
        parts: PARTS,
    };
    let (nodes, outcome) = measure(Some(client), window).await;
    outcome.ok()?;
    let states = nodes.finish(&[], now);
    let up = states.iter().filter(|state| state.stale.is_none()).count();
    (!states.is_empty()).then_some((up, states.len()))
}

pub(super) async fn measure(
    client: Option<&ServiceClient>,
    window: Window,
) -> (NodeTable, Result<()>) {
    let nodes = NodeTable::new(window);
    let Some(client) = client else {
        return (nodes, Ok(()));
    };
    let body = json!({ "startTimestamp": wire_time(window.since) });
    let sink = Counting {
        counts: nodes,
        add: NodeTable::add_health,
    };
    let (sink, health) = client.list("system", "getHealths", &body, sink).await;
    if let Err(error) = &health
        && matches!(error.kind(), Kind::Refused | Kind::Pending | Kind::NotSent)
    {
        return (sink.counts, health.map(|_| ()));
    }
    let sink = Counting {
        add: NodeTable::add_performance,
        ..sink
    };
    let (sink, performance) = client.list("system", "getPerformances", &body, sink).await;
    (sink.counts, health.and(performance).map(|_| ()))
}

/// The sessions of each server.
#[derive(Default)]
struct Sessions {
    servers: HashMap<String, u64>,
    /// Rows without a server, or of more servers than are told apart.
    unnamed: u64,
}

async fn count(client: Option<&MntClient>) -> (Sessions, Result<()>) {
    let sessions = Sessions::default();
    let Some(client) = client else {
        return (sessions, Ok(()));
    };
    let (sessions, outcome) = client.sessions(sessions).await;
    (sessions, outcome.map(|_| ()))
}

impl RecordSink for Sessions {
    fn begin(&mut self, _announced: Option<u64>) -> Result<()> {
        Ok(())
    }

    fn record(&mut self, record: &Record) -> Result<ControlFlow<()>> {
        let server = record.first(&["server", "acs_server"]).unwrap_or_default();
        if let Some(count) = self.servers.get_mut(server.as_ref()) {
            *count += 1;
        } else if server.is_empty() || server.len() > 255 || self.servers.len() >= MOST_SERVERS {
            self.unnamed += 1;
        } else {
            self.servers.insert(server.into_owned(), 1);
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// The columns; what is over a limit comes second where limits were given.
fn columns(limited: bool) -> Vec<Column> {
    let number = |title, member| column(title, member).kind(CellKind::Number);
    let over = limited.then(|| column("OVER", "over"));
    let first = std::iter::once(column("NODE", "node")).chain(over);
    let others = [
        number("SESSIONS", "sessions"),
        column("CPU", "cpu").kind(PERCENT),
        column("MEMORY", "memory").kind(PERCENT),
        number("LOAD", "load"),
        number("AUTHS", "authentications"),
        with("AUTHS_1H", authentications).kind(CellKind::Trend),
        column("LATENCY", "latency").kind(MILLISECONDS),
        with("LATENCY_1H", latency).kind(CellKind::Trend),
    ];
    first.chain(others).collect()
}

fn authentications(node: &Record) -> Option<Cow<'_, str>> {
    trend(node, "authentications")
}

fn latency(node: &Record) -> Option<Cow<'_, str>> {
    trend(node, "latency")
}

/// A trend as numbers between commas; nothing stands where nothing was measured.
fn trend(node: &Record, metric: &str) -> Option<Cow<'static, str>> {
    let value = node.to_value();
    let parts = value.get("trend")?.get(metric)?.as_array()?;
    let texts = parts.iter().map(|part| match part {
        serde_json::Value::Null => String::new(),
        number => number.to_string(),
    });
    Some(texts.collect::<Vec<_>>().join(",").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_as_people_write_them() {
        for (text, metric, most) in [
            ("cpu=90", Metric::Cpu, 90.0),
            ("CPU = 90%", Metric::Cpu, 90.0),
            ("latency=500ms", Metric::Latency, 500.0),
            ("load=7.5", Metric::Load, 7.5),
            ("sessions=0", Metric::Sessions, 0.0),
        ] {
            assert_eq!(limit(text), Ok(Limit { metric, most }), "{text}");
        }
        for text in [
            "cpu", "cpu=", "cpu=x", "cpu=-1", "cpu=nan", "cpu=inf", "heat=3", "=3",
        ] {
            assert!(limit(text).is_err(), "{text}");
        }
    }
}
