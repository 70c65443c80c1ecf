//! `netapi ise dc failures`: failed authentications in groups, over days.

use clap::Args;
use jiff::SignedDuration;

use super::data_connect::{DataConnect, only_shows};
use super::question::{NEWEST, Question, cut, rows};
use super::window::{HistoryWindow, LATEST};
use crate::cli::Context;
use crate::cli::filters::Window;
use crate::cli::global::Global;
use crate::error::{Error, Result};
use crate::render::{CellKind, Column, Shape, column};

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// What failures are grouped by: the word for it, the column, the view that has it.
const GROUPS: [(&str, &str, &str); 5] = [
    ("reason", "FAILURE_REASON", SUMMARY),
    ("nas", "DEVICE_NAME", SUMMARY),
    ("user", "USERNAME", SUMMARY),
    ("location", "LOCATION", SUMMARY),
    ("policy-set", "POLICY_SET_NAME", "RADIUS_AUTHENTICATIONS"),
];

/// Cheap to ask, and without policy sets.
const SUMMARY: &str = "RADIUS_AUTHENTICATION_SUMMARY";

/// Arguments.
#[derive(Args, Debug)]
#[command(
    before_help = "\
Examples:
  netapi ise dc failures --since 7d
  netapi ise dc failures --by nas --since 30d --top 10",
    after_help = "\
--by takes reason, nas, user, location or policy-set. Beyond a change of the
node's clocks NEWEST and the window are up to an hour off, but for policy-set.
Without history, `netapi ise failures` has what the live interfaces know."
)]
pub(crate) struct Failures {
    #[command(flatten)]
    window: Window,
    /// Filled from the global options, which mean this here.
    #[arg(skip)]
    by: Vec<String>,
    #[arg(skip)]
    top: Option<u64>,
}

impl Failures {
    /// Takes `--by` and `--top`, which would otherwise be left for the renderer.
    pub(crate) fn take_groups(&mut self, global: &mut Global) {
        self.by = std::mem::take(&mut global.by);
        self.top = global.top.take();
    }

    /// Asks and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let wanted = match self.by.as_slice() {
            [] => "reason",
            [one] => one,
            _ => return Err(not_a_group(&self.by.join(","))),
        };
        let group = GROUPS.iter().find(|(name, ..)| *name == wanted);
        let (name, member, view) = *group.ok_or_else(|| not_a_group(wanted))?;
        let window = HistoryWindow::of(&self.window, DAY)?;
        let (attempts, newest, rough, exact, failed) = if view == SUMMARY {
            let within = window.of_clock();
            let failed = "FAILED_COUNT > 0";
            ("SUM(FAILED_COUNT)", NEWEST, within, String::new(), failed)
        } else {
            let within = window.within();
            let failed = "FAILED = 1";
            ("COUNT(*)", LATEST, within.rough, within.exact, failed)
        };
        let most = self.top.unwrap_or_else(|| rows(context));
        let mut question = Question {
            columns: vec![
                (member, "group"),
                ("COUNT(DISTINCT CALLING_STATION_ID)", "endpoints"),
                (attempts, "attempts"),
                (newest, "newest"),
            ],
            rest: format!(
                "FROM {view} WHERE {rough}{exact} AND {failed} GROUP BY {member} \
                 ORDER BY 3 DESC FETCH FIRST {most} ROWS ONLY"
            ),
            exact,
            binds: Vec::new(),
        };
        only_shows(context, &question.sql())?;
        let mut database = DataConnect::open(context).await?;
        let found = question.ask(context, &mut database).await;
        database.close().await;
        let mut records = found?;
        cut(context, &mut records);
        let columns = columns(name);
        context.print(&records, columns, Shape::List, "no failures in that time")
    }
}

fn columns(name: &str) -> Vec<Column> {
    let title = match name {
        "reason" => "REASON",
        "nas" => "NAS",
        "user" => "USER",
        "location" => "LOCATION",
        _ => "POLICY-SET",
    };
    vec![
        column(title, "group"),
        column("ENDPOINTS", "endpoints").kind(CellKind::Number),
        column("ATTEMPTS", "attempts").kind(CellKind::Number),
        column("NEWEST", "newest").kind(CellKind::Age),
    ]
}

fn not_a_group(typed: &str) -> Error {
    let names = GROUPS.map(|(name, ..)| name).join(", ");
    Error::usage(format!("failures are not grouped by '{typed}'"))
        .hint(format!("--by takes one of {names}"))
}
