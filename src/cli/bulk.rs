//! Many calls without harm: at most `--jobs` at once, paced, the first alone (a wrong password must
//! not be tried a thousand times), a breaker while a server is overloaded, an end at the first
//! refusal, and the tally that the exit status comes from (contract, sections 1, 6 and 7).
//!
//! | part | holds |
//! | --- | --- |
//! | `list` | standard input, read and checked whole |
//! | `reads` | a list that is asked for: records as they come, failures named |
//! | `changes` | a list that is changed: one row for each input |
//! | `row`, `ledger` | what became of an input; `--report` and `--resume` |
//! | `progress` | how far it is, for who waits |
//!
//! It knows no server: what a call is, and whether it may be made again, is said by the command.

mod changes;
mod ledger;
mod list;
mod progress;
mod reads;
mod row;

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use futures_util::{FutureExt, Stream, StreamExt};
use tokio::sync::watch;

pub(crate) use self::changes::{Changing, Yes};
use self::ledger::{Earlier, Ledger, Left};
pub(crate) use self::reads::Reading;
use crate::error::{Error, Kind, Result};
use crate::record::{Record, RecordSink};
use crate::transport::{Breaker, CallOutcome, Pace};

/// Calls start at least this far apart; ANC takes 250 operations a second on a large deployment
/// (reference pxgrid-api, section 6).
const APART: Duration = Duration::from_millis(20);

/// How often a call that reads is made while the server is overloaded.
const TRIES: u32 = 4;

/// `--jobs`.
#[derive(Args, Debug, Clone, Copy)]
pub(crate) struct Jobs {
    /// In a bulk run: calls under way at once, at most 10
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=10), hide_short_help = true)]
    jobs: u8,
}

/// The options of a command that takes a list.
#[derive(Args, Debug, Clone)]
pub(crate) struct ListOptions {
    #[command(flatten)]
    jobs: Jobs,
    /// Of a list: keep one row for each input in FILE (JSON lines), written as it is known
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    report: Option<PathBuf>,
    /// Of a list: go on where the run that wrote FILE ended; what it did is not done again
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    resume: Option<PathBuf>,
}

impl ListOptions {
    fn kept(&self) -> Option<&'static str> {
        match (&self.report, &self.resume) {
            (Some(_), _) => Some("--report"),
            (_, Some(_)) => Some("--resume"),
            _ => None,
        }
    }

    /// Refuses what several deployments would write into one file.
    fn of_one_deployment(&self) -> Result<()> {
        match self.kept() {
            Some(option) => Err(Error::usage(format!("{option} is for one deployment"))
                .hint("run it for each profile, each with a file of its own")),
            None => Ok(()),
        }
    }

    /// Refuses what only a list has.
    pub(crate) fn for_one(&self) -> Result<()> {
        let Some(option) = self.kept() else {
            return Ok(());
        };
        Err(Error::usage(format!("{option} is for a list of addresses"))
            .hint("give '-' in place of the address, and the list on standard input"))
    }

    /// What an earlier run left, and the report that this one writes; `command` tells reports
    /// apart.
    fn open(&self, command: &str) -> Result<(Left, Option<Ledger>)> {
        let left = match &self.resume {
            Some(path) => Left::read(path, command)?,
            None => Left::default(),
        };
        let path = self.report.as_ref().or(self.resume.as_ref());
        let resumed = self.resume.as_ref() == path;
        let ledger = path.map(|path| Ledger::open(path, command, resumed));
        Ok((left, ledger.transpose()?))
    }
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

/// Where a run's records go, behind a line that shows how far it is.
pub(crate) trait Screen: RecordSink {
    /// Takes that line away, so that something else can be said.
    fn clear(&mut self);

    /// One more item is done.
    fn item(&mut self) {}
}

/// A bulk run: see the module's documentation.
pub(crate) struct Bulk {
    jobs: usize,
    tries: u32,
    pace: Mutex<Pace>,
    breaker: Mutex<Breaker>,
    /// Held by the first call, until a server has answered one: it shows whether the credentials
    /// are good.
    first: tokio::sync::Mutex<bool>,
    /// Why nothing more is sent.
    ended: watch::Sender<Option<Error>>,
}

impl Bulk {
    /// Calls that read: made again while the server is overloaded.
    pub(crate) fn of_reads(jobs: Jobs) -> Self {
        Self {
            jobs: usize::from(jobs.jobs),
            tries: TRIES,
            pace: Mutex::new(Pace::new(APART)),
            breaker: Mutex::default(),
            first: tokio::sync::Mutex::new(false),
            ended: watch::Sender::new(None),
        }
    }

    /// Calls that are made once each: below them a client decides what may be repeated, and a
    /// change never is.
    pub(crate) fn once_each(jobs: Jobs) -> Self {
        Self {
            tries: 1,
            ..Self::of_reads(jobs)
        }
    }

    /// Makes a call when it is its turn, unless the run has ended.
    ///
    /// Errors: those of the call; [`Kind::NotSent`] when a call was refused, here or meanwhile
    /// elsewhere, and nothing more is sent.
    pub(crate) async fn call<T>(&self, call: impl AsyncFn() -> Result<T>) -> Result<T> {
        let mut answered = self.first.lock().await;
        if *answered {
            drop(answered);
            return self.tried(call).await;
        }
        let result = self.tried(call).await;
        *answered =
            !matches!(&result, Err(error) if matches!(error.kind(), Kind::Usage | Kind::NotSent));
        result
    }

    async fn tried<T>(&self, call: impl AsyncFn() -> Result<T>) -> Result<T> {
        let mut tries = 0;
        loop {
            self.turn().await;
            if self.ended.borrow().is_some() {
                return Err(Error::new(Kind::NotSent, "the run ended before").nothing_sent());
            }
            let result = call().await;
            let outcome = result
                .as_ref()
                .err()
                .map_or(CallOutcome::Answered, CallOutcome::of_error);
            lock(&self.breaker).on_result(Instant::now(), outcome);
            if let Err(error) = &result
                && ends_the_run(error)
            {
                self.end(error);
            }
            tries += 1;
            if outcome == CallOutcome::Answered || tries >= self.tries {
                return result;
            }
        }
    }

    /// From now on nothing more is sent. What the server refused says more than what was not sent
    /// for it.
    fn end(&self, error: &Error) {
        self.ended.send_if_modified(|ended| {
            let better = ended
                .as_ref()
                .is_none_or(|known| known.was_nothing_sent() && !error.was_nothing_sent());
            if better {
                *ended = Some(error.clone());
            }
            better
        });
    }

    fn why_ended(&self) -> Option<Error> {
        self.ended.borrow().clone()
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

    /// Prints what comes, in order, and reports what failed as it fails, the same hint once.
    ///
    /// Errors: what ends a run at once (a refusal, a node that is the wrong one), and those of the
    /// output.
    pub(crate) async fn drain<F: Future<Output = Item>>(
        &self,
        items: impl Stream<Item = F>,
        output: &mut impl Screen,
        report: impl Fn(&Error),
    ) -> Result<Tally> {
        output.begin(None)?;
        let mut tally = Tally::default();
        let mut hints = SaidHints::default();
        let mut items = std::pin::pin!(items.buffered(self.jobs));
        while let Some(item) = next_or_pause(&mut items, output).await? {
            tally.total += 1;
            match item.error {
                Some(error) if ends_the_run(&error) || error.kind() == Kind::NotSent => {
                    return Err(self.why_ended().unwrap_or(error));
                }
                Some(error) => {
                    if let Some(ended) = self.why_ended() {
                        return Err(ended);
                    }
                    tally.failed += 1;
                    output.clear();
                    report(&hints.once(error));
                }
                None => {}
            }
            for record in &item.records {
                if output.record(record)?.is_break() {
                    return Ok(tally);
                }
            }
            output.item();
        }
        Ok(tally)
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

/// What became of a bulk run that reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Items that failed, each of them reported.
    failed: u64,
    /// All items.
    total: u64,
}

impl Tally {
    /// Whether there was something, and all of it failed.
    pub(crate) fn all_failed(self) -> bool {
        self.total > 0 && self.failed == self.total
    }

    /// The end of the command.
    ///
    /// Errors: [`Kind::Partial`] when something failed.
    pub(crate) fn outcome(self) -> Result<()> {
        let Self { failed, total } = self;
        if failed == 0 {
            return Ok(());
        }
        let message = format!("{failed} of {total} failed");
        Err(Error::new(Kind::Partial, message))
    }
}

/// The hints of a run that were said: fifty endpoints fail for the same reason.
#[derive(Default)]
struct SaidHints(Vec<String>);

impl SaidHints {
    /// More different ones are not remembered: most name an endpoint then.
    const MOST: usize = 50;

    /// The error, without its hint where that was said before.
    fn once(&mut self, error: Error) -> Error {
        let Some(hint) = error.hint_text() else {
            return error;
        };
        if self.0.iter().any(|said| said == hint) {
            return error.without_hint();
        }
        if self.0.len() < Self::MOST {
            self.0.push(hint.to_owned());
        }
        error
    }
}

/// Whether an error is no matter of one item: to go on would only repeat it.
fn ends_the_run(error: &Error) -> bool {
    matches!(error.kind(), Kind::Refused | Kind::WrongNode)
}

/// Whether a call was not made because another one ended the run.
fn was_held_back(error: &Error) -> bool {
    match error.kind() {
        Kind::NotSent => true,
        Kind::Refused => error.was_nothing_sent(),
        _ => false,
    }
}

/// Names the endpoint in an error that does not: several fail side by side. What ends the run is
/// about no endpoint.
pub(crate) fn about(address: impl std::fmt::Display, error: Error) -> Error {
    let name = address.to_string();
    if ends_the_run(&error) || error.message().contains(&name) {
        return error;
    }
    let message = format!("{name}: {}", error.message());
    error.reworded(message)
}

/// The state behind the lock is always whole: nothing panics while holding it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
