//! Many detail calls without harm: at most `--jobs` at once, paced, the first alone (a wrong password must not be tried a thousand times), a
//! breaker while the node is overloaded, and an end at the first refusal (contract, section 7).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::mpsc;

use crate::cli::Context;
use crate::cli::context::Output;
use crate::cli::input::{ListLine, listed_macs};
use crate::error::{Error, Kind, Result};
use crate::mnt::MntClient;
use crate::record::{Mac, Record, RecordSink};
use crate::transport::{Breaker, Outcome, Pace};

/// Calls start at least this far apart.
const APART: Duration = Duration::from_millis(20);

/// How often one call is tried while the node is overloaded.
const TRIES: u32 = 4;

/// `--jobs`.
#[derive(Args, Debug, Clone, Copy)]
pub(crate) struct Jobs {
    /// Detail calls under way at once, at most 10
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=10))]
    jobs: u8,
}

/// What became of a bulk run.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    /// Items that failed, each named on standard error.
    pub failed: u64,
    /// All items.
    pub total: u64,
}

/// See the module's documentation.
#[derive(Clone)]
pub(crate) struct Details {
    client: MntClient,
    jobs: usize,
    pace: Arc<Mutex<Pace>>,
    breaker: Arc<Mutex<Breaker>>,
}

/// What one item brought: records in the order to print, and its failure if it had one.
struct Item {
    records: Vec<Record>,
    error: Option<Error>,
}

impl Item {
    fn of(result: Result<Vec<Record>>) -> Self {
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

impl Details {
    /// Detail calls through `client`.
    pub(crate) fn new(client: MntClient, jobs: Jobs) -> Self {
        Self {
            client,
            jobs: usize::from(jobs.jobs),
            pace: Arc::new(Mutex::new(Pace::new(APART))),
            breaker: Arc::default(),
        }
    }

    /// Makes a call when it is its turn, again while the node is overloaded.
    async fn call<T, F: Future<Output = Result<T>>>(&self, call: impl Fn() -> F) -> Result<T> {
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
            if outcome == Outcome::Answered || tries == TRIES {
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

    async fn session(&self, mac: Mac) -> Result<Vec<Record>> {
        let answer = self.call(|| self.client.session_by_mac(mac)).await?;
        Ok(vec![answer.record])
    }

    /// Replaces each row that comes in by its detail; a row without MAC address (VPN), or whose session ended meanwhile, stays as it is.
    pub(crate) async fn join(
        &self,
        rows: mpsc::Receiver<Record>,
        output: &mut Output,
        context: &Context,
    ) -> Result<Tally> {
        let rows = stream::unfold(rows, |mut rows| async {
            rows.recv().await.map(|row| (row, rows))
        });
        let calls = rows.map(|row| async {
            let Some(mac) = row.mac() else {
                return Item::of(Ok(vec![row]));
            };
            match self.session(mac).await {
                Err(error) if error.kind() == Kind::NotFound => Item::of(Ok(vec![row])),
                Err(error) => Item {
                    records: vec![row],
                    error: Some(error),
                },
                found => Item::of(found),
            }
        });
        self.drain(calls, output, context).await
    }

    /// One session for each MAC address on standard input.
    pub(crate) async fn sessions_listed(
        &self,
        output: &mut Output,
        context: &Context,
    ) -> Result<Tally> {
        let calls = listed_macs()
            .map(|line| async { Item::of(self.each(line, |mac| self.session(mac)).await) });
        self.drain(calls, output, context).await
    }

    /// The attempts of each MAC address on standard input.
    pub(crate) async fn attempts_listed(
        &self,
        seconds: u32,
        records: u32,
        output: &mut Output,
        context: &Context,
    ) -> Result<Tally> {
        let attempts = async |mac| {
            self.call(|| self.client.auth_status(mac, seconds, records))
                .await
                .map(|rows| rows.records)
        };
        let calls = listed_macs().map(|line| async { Item::of(self.each(line, attempts).await) });
        self.drain(calls, output, context).await
    }

    async fn each(
        &self,
        line: Result<ListLine>,
        call: impl AsyncFn(Mac) -> Result<Vec<Record>>,
    ) -> Result<Vec<Record>> {
        let line = line?;
        let mac = line.mac.map_err(|error| {
            let hint = error.hint_text().unwrap_or_default().to_owned();
            Error::usage(format!(
                "line {} of standard input: {}",
                line.number,
                error.message()
            ))
            .hint(hint)
        })?;
        call(mac).await
    }

    /// Prints what comes, in order; names what failed; ends at a refusal, or when the requests are only shown.
    async fn drain<F: Future<Output = Item>>(
        &self,
        calls: impl Stream<Item = F>,
        output: &mut Output,
        context: &Context,
    ) -> Result<Tally> {
        let mut tally = Tally::default();
        let mut calls = std::pin::pin!(calls);
        // The first ones run alone until one was answered by the server: it shows whether the credentials are good.
        let mut proven = false;
        while !proven {
            let Some(call) = calls.next().await else {
                return Ok(tally);
            };
            let item = call.await;
            proven = item
                .error
                .as_ref()
                .is_none_or(|error| error.kind() != Kind::Usage);
            if tally.take(item, output, context)? {
                return Ok(tally);
            }
        }
        let mut items = calls.buffered(self.jobs);
        while let Some(item) = items.next().await {
            if tally.take(item, output, context)? {
                break;
            }
        }
        Ok(tally)
    }
}

impl Tally {
    /// Prints an item; whether the output wants no more.
    fn take(&mut self, item: Item, output: &mut Output, context: &Context) -> Result<bool> {
        self.total += 1;
        if let Some(error) = item.error {
            if matches!(
                error.kind(),
                Kind::Refused | Kind::NotSent | Kind::WrongNode
            ) {
                return Err(error);
            }
            self.failed += 1;
            context.reporter.error(&error);
        }
        for record in &item.records {
            if output.record(record)?.is_break() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The state behind the lock is always whole: nothing panics while holding it.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
