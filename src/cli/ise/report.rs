//! `netapi ise report`: one page to send. Both interfaces are asked, one list after the other, and
//! what comes is counted while it comes; the page is written from the counts at the end.

mod gathering;
mod sections;
mod target;

use std::path::PathBuf;

use clap::Args;
use jiff::tz::TimeZone;
use serde_json::json;

use self::gathering::gather;
use self::target::Target;
use super::interfaces::Interfaces;
use crate::cli::Context;
use crate::cli::bulk::Jobs;
use crate::cli::change_under_way::stopped;
use crate::cli::filters::Window as Times;
use crate::cli::long_running::Signals;
use crate::error::Result;
use crate::joins::trend::Window;
use crate::record::Record;
use crate::render::{CellKind, Column, column};

/// Parts of a trend.
const PARTS: usize = 24;

const COLUMNS: &[Column] = &[
    column("FILE", "file"),
    column("BYTES", "bytes").kind(CellKind::Number),
    column("SESSIONS", "sessions").kind(CellKind::Number),
    column("FAILURES", "failures").kind(CellKind::Number),
    column("NODES", "nodes").kind(CellKind::Number),
];

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise report today.html
  netapi ise report shift.html --since 8h
  netapi ise report - | mail -A …          # the page on standard output

One HTML file that loads nothing, for a browser, a mail or paper: sessions by
state, method, security group, switch and PSN, failures by reason and by switch,
the endpoints that fail most, nodes, TrustSec's matrix. Tables sort and filter.
From pxGrid, and from the Monitoring node where pxGrid is not set up; sessions
by PSN are the Monitoring node's. What could not be asked is named in the page,
and the exit status is 1. The file is for you alone, and whole or not there.")]
pub(crate) struct Report {
    /// Where to write it, or '-'; only another report is replaced
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// How far back failures and trends reach: 8h, 3d, today, a date, RFC 3339
    #[arg(long, value_name = "T", default_value = "24h")]
    since: String,
    #[command(flatten)]
    jobs: Jobs,
}

impl Report {
    /// Asks, and writes the page.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let window = window(self.since)?;
        let printed = context.before_change(COLUMNS, &[])?;
        let target = Target::new(self.file)?;
        let interfaces = Interfaces::new(context)?;
        interfaces.say_what_is_not_set_up(
            context,
            "sessions by PSN are missing",
            "states, security groups, load and TrustSec are missing",
        );
        let mut signals = Signals::listen()?;
        let gathered = tokio::select! {
            gathered = gather(context, &interfaces, window, self.jobs) => gathered,
            signal = signals.stopped() => return Err(stopped(signal)),
        };
        // What is written may wait for a reader: from here on a signal is the end.
        if let Some(signal) = signals.end() {
            return Err(stopped(signal));
        }
        let (mut gathered, failed) = gathered?;
        if gathered.is_nothing() {
            return failed.instead_of_an_answer(context);
        }
        let counts = gathered.counts();
        let style = context.style();
        let written = target.write(|out| sections::write(&mut gathered, &failed, &style, out))?;
        if let Some((path, bytes)) = written {
            let record = Record::from_value(json!({
                "file": path.display().to_string(), "bytes": bytes, "sessions": counts.sessions,
                "failures": counts.failures, "nodes": counts.nodes,
            }));
            context.print_change(printed, &record)?;
        }
        failed.beside_an_answer(context)
    }
}

/// The window that ends now.
fn window(since: String) -> Result<Window> {
    let (since, _) = Times::beginning(since).times()?;
    let until = jiff::Timestamp::now();
    Ok(Window {
        since: since.unwrap_or(until).min(until),
        until,
        parts: PARTS,
    })
}

/// The name of each part of a window: when it begins.
fn parts(window: &Window, zone: &TimeZone) -> Vec<String> {
    let whole = window.until.as_millisecond() - window.since.as_millisecond();
    let count = i64::try_from(window.parts.max(1)).unwrap_or(1);
    (0..count)
        .map(|part| {
            let at = window.since.as_millisecond() + whole * part / count;
            let at = jiff::Timestamp::from_millisecond(at).unwrap_or(window.since);
            at.to_zoned(zone.clone())
                .strftime("%m-%d %H:%M")
                .to_string()
        })
        .collect()
}
