//! Many calls without harm: at most `--jobs` at once, paced, the first alone (a wrong password must not be tried a thousand times), a
//! breaker while a server is overloaded, an end at the first refusal, and the tally that the exit status comes from (contract, sections 6
//! and 7).
//!
//! It knows no server: what a call is, and whether it may be made again, is said by the command.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use futures_util::{FutureExt, Stream, StreamExt};

use super::Context;
use super::context::Output;
use super::input::{ListLine, listed_macs};
use crate::error::{Error, Kind, Result};
use crate::record::{Mac, Record, RecordSink};
use crate::transport::{Breaker, Outcome, Pace};

/// Calls start at least this far apart; ANC takes 250 operations a second on a large deployment (reference pxgrid-api, section 6).
const APART: Duration = Duration::from_millis(20);

/// How often a call that reads is made while the server is overloaded.
const TRIES: u32 = 4;

/// `--jobs`.
#[derive(Args, Debug, Clone, Copy)]
pub(crate) struct Jobs {
    /// In a bulk run: calls under way at once, at most 10
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=10))]
    jobs: u8,
}

/// What one item brought: records in the order to print, and its failure if it had one.
pub(crate) struct Item {
    /// To print.
    pub records: Vec<Record>,
    /// To name.
    pub error: Option<Error>,
}

impl From<Result<Vec<Record>>> for Item {
    fn from(result: Result<Vec<Record>>) -> Self {
        match result {
            Ok(records) => Self {
                records,
                error: None,
            },
            Err(error) => Self {
                records: Vec::new(),
                error: Some(error),
            },
        }
    }
}

/// A bulk run: see the module's documentation.
pub(crate) struct Bulk {
    jobs: usize,
    tries: u32,
    whole_list: bool,
    pace: Mutex<Pace>,
    breaker: Mutex<Breaker>,
}

impl Bulk {
    /// Calls that read: made again while the server is overloaded, and no more of them when nothing more is wanted (`--limit`) or when the
    /// requests are only shown.
    pub(crate) fn of_reads(jobs: Jobs) -> Self {
        Self {
            jobs: usize::from(jobs.jobs),
            tries: TRIES,
            whole_list: false,
            pace: Mutex::new(Pace::new(APART)),
            breaker: Mutex::default(),
        }
    }

    /// Calls that are made once each (below them a client decides what may be repeated, and a change never is), for the whole list, however
    /// much of it is printed.
    pub(crate) fn once_each(jobs: Jobs) -> Self {
        Self {
            tries: 1,
            whole_list: true,
            ..Self::of_reads(jobs)
        }
    }

    /// Makes a call when it is its turn.
    pub(crate) async fn call<T>(&self, call: impl AsyncFn() -> Result<T>) -> Result<T> {
        let mut tries = 0;
        loop {
            self.turn().await;
            let result = call().await;
            let outcome = result
                .as_ref()
                .err()
                .map_or(Outcome::Answered, Outcome::of_error);
            lock(&self.breaker).on_result(Instant::now(), outcome);
            tries += 1;
            if outcome == Outcome::Answered || tries >= self.tries {
                return result;
            }
        }
    }

    /// Waits for the breaker, then for the pace.
    async fn turn(&self) {
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

    /// Calls for each address that is listed on standard input and prints what comes into `output`, in the list's order; `nothing` is said
    /// of an empty list.
    ///
    /// Errors: as [`Tally::outcome`], and a refusal at once.
    pub(crate) async fn for_each_mac(
        &self,
        context: &Context,
        mut output: Output,
        nothing: &str,
        call: impl AsyncFn(Mac) -> Result<Vec<Record>>,
    ) -> Result<()> {
        let items = listed_macs().map(|line| async {
            let found = async {
                let mac = address(line?)?;
                let found = self.call(async || call(mac).await).await;
                found.map_err(|error| about(mac, error))
            };
            Item::from(found.await)
        });
        let report = |error: &Error| context.reporter.error(error);
        let tally = self.drain(items, &mut output, report).await;
        context.end_list(output, tally, nothing)?.outcome()
    }

    /// Prints what comes, in order, and reports what failed as it fails.
    ///
    /// Errors: what ends a run at once (a refusal, a node that is the wrong one), and those of the output.
    pub(crate) async fn drain<F: Future<Output = Item>>(
        &self,
        items: impl Stream<Item = F>,
        output: &mut impl RecordSink,
        report: impl Fn(&Error),
    ) -> Result<Tally> {
        output.begin(None)?;
        let mut tally = Tally::default();
        let mut items = std::pin::pin!(items);
        // The first ones run alone until the server has answered one: it shows whether the credentials are good.
        let mut proven = false;
        while !proven {
            let Some(item) = items.next().await else {
                return Ok(tally);
            };
            output.pause()?;
            let item = item.await;
            proven = item
                .error
                .as_ref()
                .is_none_or(|error| !matches!(error.kind(), Kind::Usage | Kind::NotSent));
            if self.take(&mut tally, item, output, &report)? {
                return Ok(tally);
            }
        }
        let mut items = items.buffered(self.jobs);
        while let Some(item) = next_or_pause(&mut items, output).await? {
            if self.take(&mut tally, item, output, &report)? {
                break;
            }
        }
        Ok(tally)
    }

    /// Reports and prints an item; whether that was enough.
    fn take(
        &self,
        tally: &mut Tally,
        item: Item,
        output: &mut impl RecordSink,
        report: &impl Fn(&Error),
    ) -> Result<bool> {
        tally.total += 1;
        match item.error {
            Some(error) if ends_the_run(&error) => return Err(error),
            Some(error) if error.kind() == Kind::NotSent => {
                if !self.whole_list {
                    return Err(error);
                }
                tally.shown += 1;
            }
            Some(error) => {
                tally.failed += 1;
                report(&error);
            }
            None => {}
        }
        for record in &item.records {
            match output.record(record) {
                Ok(flow) if flow.is_break() && !self.whole_list => return Ok(true),
                Ok(_) => {}
                // It was carried out; `--jq` may do for the next one.
                Err(error) if self.whole_list && error.kind() == Kind::Expression => {
                    tally.failed += 1;
                    report(&error);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }
}

/// The next item; while it is awaited, what was printed before reaches its reader.
async fn next_or_pause<T>(
    items: &mut (impl Stream<Item = T> + Unpin),
    output: &mut impl RecordSink,
) -> Result<Option<T>> {
    let mut next = items.next();
    if let Some(item) = (&mut next).now_or_never() {
        return Ok(item);
    }
    output.pause()?;
    Ok(next.await)
}

/// What became of a bulk run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Items that failed, each of them reported.
    failed: u64,
    /// Items whose request was shown and not sent.
    shown: u64,
    /// All items.
    total: u64,
}

impl Tally {
    /// The end of the command.
    ///
    /// Errors: [`Kind::Partial`] when something failed, [`Kind::NotSent`] when the requests were only shown.
    pub(crate) fn outcome(self) -> Result<()> {
        let Self {
            failed,
            shown,
            total,
        } = self;
        if failed > 0 {
            let message = format!("{failed} of {total} failed");
            return Err(Error::new(Kind::Partial, message));
        }
        if shown > 0 {
            let message = "the requests were shown and not sent";
            return Err(Error::new(Kind::NotSent, message));
        }
        Ok(())
    }
}

/// Whether an error is no matter of one item: to go on would only repeat it.
fn ends_the_run(error: &Error) -> bool {
    matches!(error.kind(), Kind::Refused | Kind::WrongNode)
}

/// Names the endpoint in an error that does not: several fail side by side. What ends the run is about no endpoint.
pub(crate) fn about(mac: Mac, error: Error) -> Error {
    let name = mac.to_string();
    if ends_the_run(&error) || error.message().contains(&name) {
        return error;
    }
    let message = format!("{name}: {}", error.message());
    error.reworded(message)
}

/// The address of a line of the list.
fn address(line: ListLine) -> Result<Mac> {
    line.mac.map_err(|error| {
        let message = format!(
            "line {} of standard input: {}",
            line.number,
            error.message()
        );
        error.reworded(message)
    })
}

/// The state behind the lock is always whole: nothing panics while holding it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
