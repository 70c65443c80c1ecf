//! The same for each MAC address on standard input: at most `--jobs` at once, paced, the first alone (a refused account must not be tried a
//! thousand times), a breaker while a node is overloaded, an end at the first refusal (contract, sections 6 and 7).
//!
//! Nothing is repeated here: what may be is decided by the pxGrid client, and a change never is.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use futures_util::{Stream, StreamExt};

use crate::cli::Context;
use crate::cli::context::{Output, bulk_outcome};
use crate::cli::input::{ListLine, listed_macs};
use crate::error::{Error, Kind, Result};
use crate::record::{Mac, Record, RecordSink};
use crate::render::{Column, Shape};
use crate::transport::{Breaker, Outcome, Pace};

/// Calls start at least this far apart; ANC takes 250 operations a second on a large deployment (reference pxgrid-api, section 6).
const APART: Duration = Duration::from_millis(20);

/// `--jobs`.
#[derive(Args, Debug, Clone, Copy)]
pub(super) struct Jobs {
    /// With a list: calls under way at once, at most 10
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=10))]
    jobs: u8,
}

/// Calls wait here for their turn.
struct Turns {
    pace: Mutex<Pace>,
    breaker: Mutex<Breaker>,
}

impl Turns {
    /// Waits for the breaker, then for the pace.
    async fn next(&self) {
        loop {
            let wait = lock(&self.breaker).wait(Instant::now());
            if wait.is_zero() {
                break;
            }
            tokio::time::sleep(wait).await;
        }
        let wait = lock(&self.pace).turn(Instant::now());
        tokio::time::sleep(wait).await;
    }

    fn took<T>(&self, result: &Result<T>) {
        let outcome = result
            .as_ref()
            .err()
            .map_or(Outcome::Answered, Outcome::of_error);
        lock(&self.breaker).on_result(Instant::now(), outcome);
    }
}

/// Calls for each address that is listed on standard input and prints the records in the list's order; what failed is named as it fails.
///
/// Errors: [`Kind::Partial`] when something failed, a refusal at once, [`Kind::NotSent`] when the requests were only shown.
pub(super) async fn for_each_mac(
    context: &Context,
    jobs: Jobs,
    columns: Vec<Column>,
    call: impl AsyncFn(Mac) -> Result<Record>,
) -> Result<()> {
    let mut output = context.output_of("rows", columns, Shape::List)?;
    let turns = Turns {
        pace: Mutex::new(Pace::new(APART)),
        breaker: Mutex::default(),
    };
    let calls = listed_macs().map(|line| async {
        let mac = address(line)?;
        turns.next().await;
        let result = call(mac).await;
        turns.took(&result);
        result.map_err(|error| about(mac, error))
    });
    let tally = drain(calls, usize::from(jobs.jobs), &mut output, context).await;
    let tally = context.end_list(output, tally, "no addresses on standard input")?;
    if tally.shown > 0 && tally.failed == 0 {
        return Err(Error::new(
            Kind::NotSent,
            "the requests were shown and not sent",
        ));
    }
    bulk_outcome(tally.failed, tally.total)
}

fn address(line: Result<ListLine>) -> Result<Mac> {
    let line = line?;
    line.mac.map_err(|error| {
        let told = Error::usage(format!(
            "line {} of standard input: {}",
            line.number,
            error.message()
        ));
        match error.hint_text() {
            Some(hint) => told.hint(hint),
            None => told,
        }
    })
}

/// Names the endpoint in an error that does not: several fail side by side.
fn about(mac: Mac, error: Error) -> Error {
    let name = mac.to_string();
    if error.message().contains(&name) {
        return error;
    }
    renamed(&error, format!("{name}: {}", error.message()))
}

/// The same error with another message.
pub(super) fn renamed(error: &Error, message: String) -> Error {
    let mut told = Error::new(error.kind(), message);
    if let Some(hint) = error.hint_text() {
        told = told.hint(hint);
    }
    if let Some(host) = error.host_name() {
        told = told.host(host);
    }
    if let Some(status) = error.http_status() {
        told = told.status(status);
    }
    told
}

/// What became of a list.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    failed: u64,
    shown: u64,
    total: u64,
}

impl Tally {
    /// Prints an item. An output that wants no more (`--limit`) is no reason to leave the rest of the list undone.
    fn take(&mut self, item: Result<Record>, output: &mut Output, context: &Context) -> Result<()> {
        self.total += 1;
        match item {
            Ok(record) => {
                let _ = output.record(&record)?;
            }
            Err(error) if error.kind() == Kind::Refused => return Err(error),
            Err(error) if error.kind() == Kind::NotSent => self.shown += 1,
            Err(error) => {
                self.failed += 1;
                context.reporter.error(&error);
            }
        }
        Ok(())
    }
}

async fn drain<F: Future<Output = Result<Record>>>(
    calls: impl Stream<Item = F>,
    jobs: usize,
    output: &mut Output,
    context: &Context,
) -> Result<Tally> {
    output.begin(None)?;
    let mut tally = Tally::default();
    let mut calls = std::pin::pin!(calls);
    // The first ones run alone until a server has answered one: it shows whether the account is good.
    let mut proven = false;
    while !proven {
        let Some(call) = calls.next().await else {
            return Ok(tally);
        };
        let item = call.await;
        proven = !item
            .as_ref()
            .is_err_and(|error| matches!(error.kind(), Kind::Usage | Kind::NotSent));
        tally.take(item, output, context)?;
    }
    let mut items = calls.buffered(jobs);
    while let Some(item) = items.next().await {
        tally.take(item, output, context)?;
    }
    Ok(tally)
}

/// The state behind the lock is always whole: nothing panics while holding it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
