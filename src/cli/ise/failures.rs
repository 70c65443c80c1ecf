//! `netapi ise failures`: what is broken now. Failed authentications in groups, from pxGrid's list
//! of RADIUS failures; where that is not set up, from what the Monitoring node can tell
//! (`attempts`).

pub(super) mod attempts;

use std::ops::ControlFlow;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::interfaces::{Failed, Interfaces, MNT, PXGRID};
use super::pxgrid::wire_time;
use crate::cli::Context;
use crate::cli::bulk::Jobs;
use crate::cli::filters::{Filters, Window, kinds, say_of_expression};
use crate::cli::global::Global;
use crate::error::{Error, Kind, Result};
use crate::joins::failing_endpoints::FailingEndpoints;
use crate::joins::failure_facts::{By, Named};
use crate::joins::failure_groups::FailureGroups;
use crate::joins::limits::Limits;
use crate::joins::trend;
use crate::pxgrid::ServiceClient;
use crate::record::selection::{Selected, Selection};
use crate::record::{Record, RecordSink};
use crate::render::{CellKind, Columns, Shape, column, with};

/// How far is looked back without `--since`.
const USUAL_WINDOW: SignedDuration = SignedDuration::from_hours(1);
/// Parts of the trend.
const PARTS: usize = 12;

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise failures
  netapi ise failures --nas sw-lab-02 --since 4h
  netapi ise failures --by nas             # or user, server, policy-set, …
  netapi ise failures 22040                # the endpoints that fail so
  netapi ise failures 22040 --by nas       # and where
  netapi ise failures sw-lab-02 --json

Failed authentications of the last hour (--since, --until) in groups, those with
most endpoints first: endpoints and attempts, the trend over the window, the
newest, and where (or why) mostly. --by is one of reason, nas, user, server,
policy-set, profile; --top N shows the N largest groups. CODE is the number of a
reason, or the value of a group: its endpoints are listed.
From pxGrid's RADIUS failures; ISE's suppression hides repeats. Where pxGrid is
not set up or fails, the Monitoring node is asked for the attempts of up to 1,000
endpoints that have a session: those that never got in are missing then.
JSON: [{\"reason\",\"code\",\"endpoints\",\"attempts\",\"newest\",\"mostly\",\"trend\"}].")]
pub(crate) struct Failures {
    /// A reason's code, or a group's value (switch, user, …): list the endpoints in it
    #[arg(value_name = "CODE")]
    named: Option<String>,
    #[command(flatten)]
    jobs: Jobs,
    #[command(flatten)]
    filters: Filters,
    #[command(flatten)]
    window: Window,
    /// `--by`, which is a global option.
    #[arg(skip)]
    by: Vec<String>,
    /// `--top`, the same.
    #[arg(skip)]
    top: Option<u64>,
}

/// What is wanted, checked before anything is sent.
struct Plan {
    by: By,
    named: Option<Named>,
    /// Endpoints are listed, not groups.
    lists_endpoints: bool,
    window: trend::Window,
    top: Option<usize>,
    jobs: Jobs,
    /// Of pxGrid's failures.
    failures: Selection,
    /// Of the Monitoring node's sessions, as far as they tell it.
    sessions: Selection,
    /// Of the Monitoring node's attempts.
    attempts: Selection,
}

/// Failures as they are counted.
enum Counted {
    Groups(Box<FailureGroups>),
    Endpoints(Box<FailingEndpoints>),
}

/// Counts the failures that are named.
struct FailureSink {
    named: Option<Named>,
    counted: Counted,
}

impl Failures {
    /// Takes the options that are global and mean groups of failures here: nothing is left for the
    /// renderer to count.
    pub(crate) fn take_groups(&mut self, global: &mut Global) {
        self.by = std::mem::take(&mut global.by);
        self.top = global.top.take();
    }

    fn plan(self) -> Result<Plan> {
        let by = match self.by.as_slice() {
            [] => None,
            [one] => Some(By::named(one).ok_or_else(|| not_a_group(one))?),
            _ => return Err(not_a_group(&self.by.join(","))),
        };
        let (since, until) = self.window.times()?;
        let until = until.unwrap_or_else(Timestamp::now);
        let since = since.map_or_else(|| until.checked_sub(USUAL_WINDOW), Ok);
        let since = since.map_err(|_| Error::usage("--until is too early a time"))?;
        let window = trend::Window {
            since,
            until,
            parts: PARTS,
        };
        let within = (Some(since), self.window.has_end().then_some(until));
        let code = self.named.as_deref().map(|text| Named::new(text, None));
        let code = code.filter(|named| matches!(named, Named::Code(_)));
        let by_reason = matches!(by, None | Some(By::Reason));
        let lists_endpoints = self.named.is_some() && (by_reason || code.is_none());
        let named = self.named.as_deref();
        let named = code.or_else(|| named.map(|text| Named::new(text, by)));
        Ok(Plan {
            by: by.unwrap_or(By::Reason),
            named,
            lists_endpoints,
            window,
            top: self
                .top
                .map(|top| usize::try_from(top).unwrap_or(usize::MAX)),
            jobs: self.jobs,
            failures: self.filters.within(&kinds::FAILURE, within)?,
            sessions: self.filters.already(&kinds::ACTIVE)?,
            attempts: self.filters.within(&kinds::ATTEMPT, within)?,
        })
    }

    /// Asks and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let plan = self.plan()?;
        let interfaces = Interfaces::new(context)?;
        let mut failed = Failed::default();
        if let Some(client) = &interfaces.pxgrid {
            let (rows, outcome) = of_pxgrid(client, &plan).await;
            if let Err(error) = &outcome
                && (error.kind().is_quiet() || error.kind() == Kind::Usage)
            {
                return outcome;
            }
            if failed.note(PXGRID, outcome).is_some() {
                say_of_expression(context, rows.selection);
                return plan.print(context, rows.inner);
            }
        }
        let Some(client) = &interfaces.mnt else {
            return failed.instead_of_an_answer(context);
        };
        let so = "the Monitoring node has no list of failures, so the attempts of endpoints that \
                  have a session are looked at";
        if failed.is_empty() {
            interfaces.say_what_is_not_set_up(context, "", so);
        } else {
            context.reporter.step(&format!("{PXGRID} fails: {so}"));
        }
        let (counted, outcome) = {
            let question = attempts::Question {
                sessions: plan.sessions.clone(),
                attempts: plan.attempts.clone(),
                since: plan.window.since,
                jobs: plan.jobs,
            };
            attempts::failed(client, context, question, plan.sink()).await
        };
        let Some(asked_for_all) = failed.note(MNT, outcome) else {
            return failed.instead_of_an_answer(context);
        };
        plan.print(context, counted)?;
        failed.beside_an_answer(context)?;
        asked_for_all.outcome()
    }
}

/// What `--by` takes.
pub(super) fn groups() -> Vec<String> {
    By::ALL.map(|by| by.name().to_owned()).to_vec()
}

fn not_a_group(typed: &str) -> Error {
    let names = By::ALL.map(By::name).join(", ");
    Error::usage(format!("failures are not grouped by '{typed}'"))
        .hint(format!("--by takes one of {names}"))
}

async fn of_pxgrid(client: &ServiceClient, plan: &Plan) -> (Selected<FailureSink>, Result<()>) {
    let rows = Selected {
        selection: plan.failures.clone(),
        inner: plan.sink(),
    };
    let body = json!({ "startTimestamp": wire_time(plan.window.since) });
    let (rows, outcome) = client.list("radius", "getFailures", &body, rows).await;
    (rows, outcome.map(|_| ()))
}

impl Plan {
    fn sink(&self) -> FailureSink {
        let counted = if self.lists_endpoints {
            let endpoints = FailingEndpoints::new(self.window, Limits::ENDPOINTS);
            Counted::Endpoints(Box::new(endpoints))
        } else {
            let groups = FailureGroups::new(self.by, self.window, Limits::GROUPS);
            Counted::Groups(Box::new(groups))
        };
        FailureSink {
            named: self.named.clone(),
            counted,
        }
    }

    fn print(&self, context: &Context, sink: FailureSink) -> Result<()> {
        let reporter = &context.reporter;
        let looked_at = Context::on_terminal();
        match sink.counted {
            Counted::Groups(groups) => {
                let (records, totals) = groups.finish(self.top);
                let nothing = "no failures in that time";
                print(context, records, group_columns(self.by), nothing)?;
                if looked_at && totals.attempts > 0 {
                    let more = if totals.at_least { "at least " } else { "" };
                    let s = |count| if count == 1 { "" } else { "s" };
                    let endpoints = totals.endpoints;
                    reporter.note(&format!(
                        "{more}{endpoints} endpoint{}, {} attempt{}; `netapi ise failures CODE` \
                         lists one group",
                        s(endpoints as u64),
                        totals.attempts,
                        s(totals.attempts)
                    ));
                }
                if totals.beyond > 0 {
                    reporter.warn(&format!(
                        "{} of {} attempts are in no group that is shown: there are over {} \
                         groups, or their names take too much room; narrow it down with a filter",
                        totals.beyond,
                        totals.attempts,
                        Limits::GROUPS.rows
                    ));
                }
                if totals.at_least {
                    reporter.warn(
                        "there are too many endpoints to tell all of them apart: their numbers \
                         are at least as high as shown; attempts are exact",
                    );
                }
            }
            Counted::Endpoints(endpoints) => {
                let (records, totals) = endpoints.finish();
                let records = records.take(self.top.unwrap_or(usize::MAX));
                let nothing =
                    "nothing failed so in that time; `netapi ise failures` has the groups";
                let columns = endpoint_columns(matches!(self.named, Some(Named::Code(_))));
                print(context, records, columns, nothing)?;
                if totals.beyond > 0 {
                    reporter.warn(&format!(
                        "{} of {} attempts are of endpoints that are not listed: there are over \
                         {}, or they take too much room; narrow it down with a filter",
                        totals.beyond,
                        totals.attempts,
                        Limits::ENDPOINTS.rows
                    ));
                }
            }
        }
        Ok(())
    }
}

/// Prints records as they are made.
fn print(
    context: &Context,
    records: impl Iterator<Item = Record>,
    columns: Columns,
    nothing: &str,
) -> Result<()> {
    let output = context.output_of("groups", columns, Shape::List)?;
    let mut output = output.without_progress();
    output.begin(None)?;
    for record in records {
        if output.record(&record)?.is_break() {
            break;
        }
    }
    context.end_list(output, Ok(()), nothing)
}

impl FailureSink {
    fn add(&mut self, failure: &Record) {
        if self.named.as_ref().is_some_and(|named| !named.has(failure)) {
            return;
        }
        match &mut self.counted {
            Counted::Groups(groups) => groups.add(failure),
            Counted::Endpoints(endpoints) => endpoints.add(failure),
        }
    }
}

impl RecordSink for FailureSink {
    fn begin(&mut self, _announced: Option<u64>) -> Result<()> {
        Ok(())
    }

    fn record(&mut self, record: &Record) -> Result<ControlFlow<()>> {
        self.add(record);
        Ok(ControlFlow::Continue(()))
    }
}

/// The columns of groups; what names the group comes first.
fn group_columns(by: By) -> Columns {
    let (title, members): (_, &[&str]) = match by {
        By::Reason => ("REASON", &["code", "mostly"]),
        By::Nas => ("NAS", &["mostly"]),
        By::User => ("USER", &["mostly"]),
        By::Server => ("SERVER", &["mostly"]),
        By::PolicySet => ("POLICY-SET", &["mostly"]),
        By::Profile => ("PROFILE", &["mostly"]),
    };
    let value = column(title, by.member());
    let columns = [
        value,
        column("ENDPOINTS", "endpoints").kind(CellKind::Number),
        column("ATTEMPTS", "attempts").kind(CellKind::Number),
        column("TREND", "trend").kind(CellKind::Trend),
        column("NEWEST", "newest").kind(CellKind::Age),
        with("MOSTLY", mostly),
    ];
    Columns {
        list: columns.to_vec().into(),
        members,
    }
}

/// Where a group is mostly found, and how many of its endpoints.
fn mostly(group: &Record) -> Option<std::borrow::Cow<'_, str>> {
    let place = group.first(&["mostly.nas", "mostly.reason"])?;
    let endpoints = group.text("mostly.endpoints")?;
    Some(format!("{place} ({endpoints})").into())
}

/// The columns of endpoints: what all of a group share comes last.
fn endpoint_columns(share_a_reason: bool) -> Columns {
    let reason = column("REASON", "reason");
    let nas = column("NAS", "nas");
    let port = column("PORT", "port").kind(CellKind::Port);
    let [first, second, last] = if share_a_reason {
        [nas, port, reason]
    } else {
        [reason.kind(CellKind::Sentence), port, nas]
    };
    let columns = [
        column("MAC", "endpoint"),
        column("USER", "user"),
        first,
        second,
        column("ATTEMPTS", "attempts").kind(CellKind::Number),
        column("NEWEST", "newest").kind(CellKind::Age),
        column("TREND", "trend").kind(CellKind::Trend),
        column("SERVER", "server"),
        last,
    ];
    Columns {
        list: columns.to_vec().into(),
        members: &["code", "failure"],
    }
}
