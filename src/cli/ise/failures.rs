//! `netapi ise failures`: what is broken now. Failed authentications in groups, from pxGrid's list
//! of RADIUS failures, and before those from Data Connect; without both from what the Monitoring
//! node can tell (`attempts`).

pub(super) mod attempts;
mod columns;

use std::ops::ControlFlow;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use self::columns::{endpoint_columns, group_columns};
use super::dc::known;
use super::interfaces::{Failed, HISTORY, Interfaces, MNT, PXGRID};
use super::pxgrid::wire_time;
use crate::cli::Context;
use crate::cli::bulk::Jobs;
use crate::cli::filters::{Filters, Window, kinds, say_of_expression};
use crate::cli::global::Global;
use crate::error::{Error, Kind, Result};
use crate::joins::failing_endpoints::FailingEndpoints;
use crate::joins::failure_facts::{By, Named, moment};
use crate::joins::failure_groups::FailureGroups;
use crate::joins::limits::Limits;
use crate::joins::trend;
use crate::pxgrid::ServiceClient;
use crate::record::selection::{Selected, Selection};
use crate::record::{Record, RecordSink};
use crate::render::{Columns, Shape};

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
From pxGrid's RADIUS failures; ISE's suppression hides repeats. Where the
password of Data Connect is set, it tells those before pxGrid's oldest, or all.
Without both the Monitoring node is asked for the attempts of up to 1,000
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
    /// What the name that was typed may mean, the likelier first; one without a name is all.
    meanings: Vec<Meaning>,
    window: trend::Window,
    /// A window was asked for: what has no time is not surely within.
    is_window_asked: bool,
    has_end: bool,
    top: Option<usize>,
    jobs: Jobs,
    /// Of pxGrid's failures.
    failures: Selection,
    /// Of the Monitoring node's sessions, as far as they tell it.
    sessions: Selection,
    /// Of the Monitoring node's attempts.
    attempts: Selection,
}

/// Which failures are meant, and how they are shown.
#[derive(Clone)]
struct Meaning {
    named: Option<Named>,
    /// Endpoints are listed, not groups.
    lists_endpoints: bool,
}

/// Failures as they are counted.
enum Counted {
    Groups(Box<FailureGroups>),
    Endpoints(Box<FailingEndpoints>),
}

/// The failures of one meaning.
struct Reading {
    meaning: Meaning,
    counted: Counted,
    attempts: u64,
    /// Without a time that can be read.
    timeless: u64,
}

/// Counts the failures of the window that are named.
struct FailureSink {
    readings: Vec<Reading>,
    since: Timestamp,
    /// The end, where one was asked for.
    until: Option<Timestamp>,
    takes_timeless: bool,
    /// When the oldest was that came, whatever its name.
    oldest: Option<Timestamp>,
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
        let (is_window_asked, has_end) = (since.is_some() || until.is_some(), until.is_some());
        let until = until.unwrap_or_else(Timestamp::now);
        let since = since.map_or_else(|| until.checked_sub(USUAL_WINDOW), Ok);
        let since = since.map_err(|_| Error::usage("--until is too early a time"))?;
        let window = trend::Window {
            since,
            until,
            parts: PARTS,
        };
        // What has no time passes here; who counts tells it apart.
        let always = (None, None);
        Ok(Plan {
            by: by.unwrap_or(By::Reason),
            meanings: meanings(self.named.as_deref(), by),
            window,
            is_window_asked,
            has_end,
            top: self
                .top
                .map(|top| usize::try_from(top).unwrap_or(usize::MAX)),
            jobs: self.jobs,
            failures: self.filters.within(&kinds::FAILURE, always)?,
            sessions: self.filters.already(&kinds::ACTIVE)?,
            attempts: self.filters.within(&kinds::ATTEMPT, always)?,
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
                let mut rows = rows;
                let until = rows.inner.oldest.unwrap_or(plan.window.until);
                if plan.reaches_before_pxgrid(until) {
                    let added = plan.add_history(context, &mut rows, until).await;
                    failed.note_unless_ended(HISTORY, added)?;
                }
                say_of_expression(context, rows.selection);
                plan.print(context, rows.inner)?;
                return failed.beside_an_answer(context);
            }
        }
        if context.settings.has_data_connect()? {
            let mut rows = Selected {
                selection: plan.failures.clone(),
                inner: plan.sink(),
            };
            let asked = plan
                .add_history(context, &mut rows, plan.window.until)
                .await;
            if failed.note_unless_ended(HISTORY, asked)? == Some(true) {
                say_of_expression(context, rows.selection);
                plan.print(context, rows.inner)?;
                return failed.beside_an_answer(context);
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

/// What a name may mean: a code, with another field than the reason grouped by that; else a value,
/// whose endpoints are listed.
fn meanings(named: Option<&str>, by: Option<By>) -> Vec<Meaning> {
    let Some(text) = named else {
        return vec![Meaning {
            named: None,
            lists_endpoints: false,
        }];
    };
    let value = |named| Meaning {
        named: Some(named),
        lists_endpoints: true,
    };
    let code = Named::new(text, None);
    if !matches!(code, Named::Code(_)) {
        return vec![value(Named::value(text, by))];
    }
    let by_reason = matches!(by, None | Some(By::Reason));
    let code = Meaning {
        named: Some(code),
        lists_endpoints: by_reason,
    };
    match by {
        Some(By::Reason) => vec![code],
        _ => vec![code, value(Named::value(text, by))],
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
    /// Whether failures are wanted from before `oldest`, the oldest that pxGrid told, and from
    /// further back than it is sure to know.
    fn reaches_before_pxgrid(&self, oldest: Timestamp) -> bool {
        let sure = USUAL_WINDOW + SignedDuration::from_mins(1);
        let known = Timestamp::now().checked_sub(sure);
        self.window.since < oldest && known.is_ok_and(|known| self.window.since < known)
    }

    /// Adds what Data Connect knows of the time before `until`. Whether it was asked: it is not
    /// where it is not set up, and where its settings are at fault, which is said.
    async fn add_history(
        &self,
        context: &Context,
        rows: &mut Selected<FailureSink>,
        until: Timestamp,
    ) -> Result<bool> {
        if !context.settings.has_data_connect()? {
            return Ok(false);
        }
        let found = Box::pin(known::failures(context, self.window.since, until)).await;
        let (found, more) = match found {
            Err(error) if error.kind() == Kind::Usage => {
                let why = error.message();
                let text = format!("{HISTORY} was not asked: {why}");
                context.reporter.step(&text);
                return Ok(false);
            }
            found => found?,
        };
        // The boundary is one millisecond wide or more: its row is pxGrid's.
        let before = |record: &Record| moment(record).is_some_and(|(at, _)| at < until);
        for record in found.iter().filter(|record| before(record)) {
            let _ = rows.record(record)?;
        }
        if more {
            context.reporter.warn(&format!(
                "of {HISTORY} the newest {} failures are counted: narrow --since, or `netapi ise dc failures`",
                known::MOST_FAILURES
            ));
        }
        Ok(true)
    }

    fn sink(&self) -> FailureSink {
        let reading = |meaning: &Meaning| Reading {
            counted: if meaning.lists_endpoints {
                let endpoints = FailingEndpoints::new(self.window, Limits::ENDPOINTS);
                Counted::Endpoints(Box::new(endpoints))
            } else {
                let groups = FailureGroups::new(self.by, self.window, Limits::GROUPS);
                Counted::Groups(Box::new(groups))
            },
            meaning: meaning.clone(),
            attempts: 0,
            timeless: 0,
        };
        FailureSink {
            readings: self.meanings.iter().map(reading).collect(),
            since: self.window.since,
            until: self.has_end.then_some(self.window.until),
            takes_timeless: !self.is_window_asked,
            oldest: None,
        }
    }

    fn print(&self, context: &Context, sink: FailureSink) -> Result<()> {
        let reporter = &context.reporter;
        let looked_at = Context::on_terminal();
        let mut readings = sink.readings;
        let found = readings.iter().position(|reading| reading.attempts > 0);
        let others = readings.split_off(found.map_or(1, |at| at + 1).min(readings.len()));
        let Some(reading) = readings.pop() else {
            return Ok(());
        };
        let is_code = matches!(reading.meaning.named, Some(Named::Code(_)));
        self.say_of_times(context, reading.timeless);
        if let Some(other) = others.iter().find(|other| other.attempts > 0) {
            let count = other.attempts;
            reporter.note(&format!(
                "a reason has this code; attempts that have it as another value: {count} \
                 (--user, --nas or --server lists those)"
            ));
        }
        match reading.counted {
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
                let columns = endpoint_columns(is_code);
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

impl Plan {
    fn say_of_times(&self, context: &Context, timeless: u64) {
        if timeless == 0 {
            return;
        }
        let (have, they) = match timeless {
            1 => ("1 failure has", "it is"),
            _ => (&*format!("{timeless} failures have"), "they are"),
        };
        let so = if self.is_window_asked {
            "left out, for nobody knows whether within the window"
        } else {
            "counted, and in no part of the trend"
        };
        let text = format!("{have} no time that can be read: {they} {so}");
        context.reporter.warn(&text);
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
        let at = moment(failure).map(|(at, _)| at);
        if let Some(at) = at {
            if at < self.since || self.until.is_some_and(|until| at >= until) {
                return;
            }
            self.oldest = Some(self.oldest.map_or(at, |oldest| oldest.min(at)));
        }
        for reading in &mut self.readings {
            let named = reading.meaning.named.as_ref();
            if named.is_some_and(|named| !named.has(failure)) {
                continue;
            }
            reading.timeless += u64::from(at.is_none());
            if at.is_none() && !self.takes_timeless {
                continue;
            }
            reading.attempts += 1;
            match &mut reading.counted {
                Counted::Groups(groups) => groups.add(failure),
                Counted::Endpoints(endpoints) => endpoints.add(failure),
            }
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
