//! Failures as the Monitoring node can tell them. It has no list of them: the active list names
//! endpoints, and each is asked for its attempts, paced and at most so many.

use std::cell::Cell;
use std::collections::HashSet;
use std::ops::ControlFlow;

use futures_util::stream;
use jiff::Timestamp;

use crate::cli::Context;
use crate::cli::bulk::{Bulk, Item, Jobs, Screen, Tally, about};
use crate::cli::filters::say_of_expression;
use crate::error::{Error, Result};
use crate::mnt::MntClient;
use crate::record::selection::{Selected, Selection};
use crate::record::{Mac, Record, RecordSink};

/// Endpoints that are asked for.
const MOST_ENDPOINTS: usize = 1_000;
/// How many calls a bulk run makes in a second, at most.
const CALLS_A_SECOND: usize = 50;
/// How far the node looks back (reference mnt-api, section 1, row 16).
const LONGEST: u32 = 432_000;
/// Failed calls that are told one by one.
const TOLD: u32 = 3;

/// Whose attempts are asked for, and which of them are wanted.
pub(in crate::cli::ise) struct Question {
    /// Of the active list.
    pub(in crate::cli::ise) sessions: Selection,
    /// Of the attempts.
    pub(in crate::cli::ise) attempts: Selection,
    /// The earliest that is wanted.
    pub(in crate::cli::ise) since: Timestamp,
    /// Calls under way at once.
    pub(in crate::cli::ise) jobs: Jobs,
}

/// Hands the failed attempts of endpoints that have a session to `sink`, which comes back; and how
/// many of the calls failed.
///
/// Errors: the list's, what ends a bulk run, and where every call failed the first one's.
pub(in crate::cli::ise) async fn failed<S: RecordSink>(
    client: &MntClient,
    context: &Context,
    question: Question,
    sink: S,
) -> (S, Result<Tally>) {
    let sessions = Selected {
        selection: question.sessions,
        inner: Endpoints::default(),
    };
    let (sessions, outcome) = client.sessions(sessions).await;
    let endpoints = sessions.inner;
    let mut sink = Attempts {
        failed: sink,
        selection: question.attempts,
    };
    if let Err(error) = outcome {
        return (sink.failed, Err(error));
    }
    if endpoints.left_out {
        context.reporter.warn(&format!(
            "only the first {MOST_ENDPOINTS} endpoints with a session are looked at; narrow it \
             down with --nas, --user, --server or --mac"
        ));
    }
    let age = Timestamp::now().duration_since(question.since).as_secs();
    let seconds = u32::try_from(age.max(1)).unwrap_or(u32::MAX);
    if seconds > LONGEST {
        context
            .reporter
            .warn("the Monitoring node keeps attempts for five days: older ones are missing");
    }
    let seconds = seconds.min(LONGEST);
    let wait = endpoints.macs.len() / CALLS_A_SECOND;
    if wait > 1 {
        let count = endpoints.macs.len();
        context.reporter.step(&format!(
            "asking the Monitoring node for the attempts of {count} endpoints: {wait} s or more"
        ));
    }
    let bulk = Bulk::of_reads(question.jobs);
    let calls = endpoints.macs.into_iter().map(|mac| {
        let bulk = &bulk;
        async move {
            let rows = bulk
                .call(async || client.auth_status(mac, seconds, 0).await)
                .await;
            Item::from(
                rows.map(|rows| rows.records)
                    .map_err(|error| about(mac, error)),
            )
        }
    });
    let (told, first) = (Cell::new(0), Cell::new(None));
    let report = |error: &Error| {
        told.set(told.get() + 1);
        if told.get() <= TOLD {
            context.reporter.error(error);
        }
        if told.get() == 1 {
            first.set(Some(error.clone().without_hint()));
        }
    };
    let tally = bulk.drain(stream::iter(calls), &mut sink, report).await;
    say_of_expression(context, sink.selection);
    let tally = match (tally, first.take()) {
        (Ok(tally), Some(error)) if tally.all_failed() => Err(error),
        (tally, _) => tally,
    };
    (sink.failed, tally)
}

/// The endpoints of the active list, each once.
#[derive(Default)]
struct Endpoints {
    macs: Vec<Mac>,
    seen: HashSet<Mac>,
    left_out: bool,
}

impl RecordSink for Endpoints {
    fn begin(&mut self, _announced: Option<u64>) -> Result<()> {
        Ok(())
    }

    fn record(&mut self, record: &Record) -> Result<ControlFlow<()>> {
        let Some(mac) = record.mac().filter(|mac| !self.seen.contains(mac)) else {
            return Ok(ControlFlow::Continue(()));
        };
        if self.macs.len() >= MOST_ENDPOINTS {
            self.left_out = true;
            return Ok(ControlFlow::Break(()));
        }
        self.seen.insert(mac);
        self.macs.push(mac);
        Ok(ControlFlow::Continue(()))
    }
}

/// Takes the failed ones of attempts.
struct Attempts<S> {
    failed: S,
    selection: Selection,
}

impl<S: RecordSink> RecordSink for Attempts<S> {
    fn begin(&mut self, _announced: Option<u64>) -> Result<()> {
        Ok(())
    }

    fn record(&mut self, record: &Record) -> Result<ControlFlow<()>> {
        if record.passed() == Some(false) && self.selection.wants(record) {
            return self.failed.record(record);
        }
        Ok(ControlFlow::Continue(()))
    }
}

impl<S: RecordSink> Screen for Attempts<S> {
    fn clear(&mut self) {}
}
