//! `netapi ise pxgrid dead-letters`: events that could not be delivered, listed, delivered again,
//! dropped. It asks no server.

use std::borrow::Cow;
use std::ffi::OsString;
use std::num::NonZero;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use tokio::sync::watch;

use super::delivery_listener::StderrListener;
use crate::cli::Context;
use crate::cli::context::DONE;
use crate::cli::input;
use crate::cli::long_running::{LongRunning, Reader, Request, ServiceArgs, Summary};
use crate::delivery::dead_letter_file::{DeadLetterFile, Letter, Place};
use crate::delivery::endpoint_order::Rules;
use crate::delivery::redelivery::{Retried, Retry};
use crate::delivery::sink::callback::Callback;
use crate::delivery::{RETRY_PAUSES, Stop};
use crate::error::{Error, Kind, Result};
use crate::record::conditions::Stations;
use crate::record::{JsonText, Record, RecordSink};
use crate::render::{CellKind, Column, Shape, column, with};

const COLUMNS: &[Column] = &[
    column("FAILED", "failedAt").kind(CellKind::Time),
    column("EVENT", "event.event").kind(CellKind::Event),
    with("MAC", endpoint),
    column("TOPIC", "event.topic"),
    column("ATTEMPTS", "attempts").kind(CellKind::Number),
    column("OUTCOME", "outcome"),
];

/// Whose event a letter's is.
pub(super) fn endpoint(record: &Record) -> Option<Cow<'_, str>> {
    let letter = letter(record)?;
    let key = letter.event.order_key().into_owned();
    Some(Cow::Owned(letter.event.mac.map_or(key, String::from)))
}

fn letter(record: &Record) -> Option<Letter> {
    match record {
        Record::Json(json) => Letter::parse(json.as_str()),
        Record::Fields(_) => None,
    }
}

/// `netapi ise pxgrid dead-letters …`
#[derive(Subcommand, Debug)]
pub(crate) enum DeadLetters {
    /// What could not be delivered, when it was given up, and why
    List(List),
    /// Run a callback for each again; those that succeed leave the file
    Retry(Box<RetryArgs>),
    /// Take letters out of the file for good
    Drop(DropArgs),
}

/// Which letters.
#[derive(Args, Debug)]
struct Selection {
    /// A spool's directory, or a file of dead letters
    #[arg(value_name = "DIR|FILE")]
    file: PathBuf,
    /// Only of this endpoint
    ///
    /// A MAC address, its beginning, or a VPN's address.
    #[arg(long, value_name = "MAC", value_parser = input::stations)]
    mac: Option<Stations>,
    /// Only what was given up since then
    ///
    /// RFC 3339, or a span such as 2h.
    #[arg(long, value_name = "T")]
    since: Option<String>,
    /// Only what was given up before then
    #[arg(long, value_name = "T")]
    before: Option<String>,
}

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise pxgrid dead-letters list /var/spool/netapi
  netapi ise pxgrid dead-letters list letters.jsonl --since 2h --json")]
pub(crate) struct List {
    #[command(flatten)]
    selection: Selection,
}

/// Arguments.
#[derive(Args, Debug)]
#[command(
    override_usage = "\
netapi ise pxgrid dead-letters retry [OPTIONS] --callback <SCRIPT>
         <DIR|FILE> [-- <ARGS>...]",
    after_help = "\
Examples:
  netapi ise pxgrid dead-letters retry /var/spool/netapi \\
    --callback ./handle.sh
  netapi ise pxgrid dead-letters retry letters.jsonl --mac C8:5B:76 \\
    --callback ./handle.sh -- --dry-run

In order per endpoint. A subscription may run beside it, and then two events
of one endpoint may be handled at the same time. What fails again stays in the
file. Ctrl-C: running callbacks finish, the rest stays."
)]
pub(crate) struct RetryArgs {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    retry: RetryOptions,
}

/// How a callback is run again.
#[derive(Args, Debug)]
pub(super) struct RetryOptions {
    /// Run this program for each event
    ///
    /// The event is on its standard input.
    #[arg(long, value_name = "SCRIPT", required = true)]
    callback: PathBuf,
    /// How many callbacks run at a time [default: the cores]
    ///
    /// Events of one endpoint stay in order.
    #[arg(long, hide_short_help = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: Option<u16>,
    /// How long a callback may take
    #[arg(
        long,
        hide_short_help = true,
        value_name = "DURATION",
        default_value = "30s",
        value_parser = input::duration
    )]
    callback_timeout: Duration,
    /// How long it may take to end after TERM
    #[arg(
        long,
        hide_short_help = true,
        value_name = "DURATION",
        default_value = "5s",
        value_parser = input::duration
    )]
    callback_grace: Duration,
    /// How often a callback that fails is run again
    #[arg(long, hide_short_help = true, value_name = "N", default_value_t = 0)]
    retries: u32,
    /// Arguments for the callback
    #[arg(last = true, value_name = "ARGS")]
    arguments: Vec<OsString>,
}

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise pxgrid dead-letters drop /var/spool/netapi --before 30d
  netapi ise pxgrid dead-letters drop letters.jsonl --all --yes

Lines that are no dead letters are kept.")]
pub(crate) struct DropArgs {
    #[command(flatten)]
    selection: Selection,
    /// Every letter
    #[arg(long, conflicts_with_all = ["mac", "since", "before"])]
    all: bool,
    /// Do not ask
    #[arg(long, short = 'y')]
    yes: bool,
}

/// What was chosen of a file.
struct Chosen {
    letters: DeadLetterFile,
    places: Vec<(Place, String)>,
    /// Lines, counted from 1, that are no letters: the first of them, and how many.
    damaged: Option<(usize, usize)>,
}

impl Selection {
    fn since_and_before(&self) -> Result<(Option<Timestamp>, Option<Timestamp>)> {
        let now = Timestamp::now();
        let time = |text: &Option<String>| {
            let text = text.as_deref();
            text.map(|text| crate::settings::duration::parse_when(text, now))
                .transpose()
        };
        Ok((time(&self.since)?, time(&self.before)?))
    }

    /// Opens the file and gives each letter that is meant to `take`.
    fn choose(self, mut take: impl FnMut(&Letter) -> Result<ControlFlow<()>>) -> Result<Chosen> {
        let (since, before) = self.since_and_before()?;
        let mut letters = DeadLetterFile::open(&self.file)?;
        let mac = self.mac;
        let (mut places, mut damaged) = (Vec::new(), None);
        let mut over = false;
        letters.read(|place, letter| {
            let Some(letter) = letter else {
                let (_, count) = damaged.get_or_insert((place.line + 1, 0));
                *count += 1;
                return Ok(());
            };
            let at = letter.failed_at;
            let meant = mac.is_none_or(|mac| mac.contain(&letter.event.order_key()))
                && since.is_none_or(|since| at.is_some_and(|at| at >= since))
                && before.is_none_or(|before| at.is_some_and(|at| at < before));
            if meant && !over {
                over = take(&letter)?.is_break();
                places.push((place, letter.event.order_key().into_owned()));
            }
            Ok(())
        })?;
        Ok(Chosen {
            letters,
            places,
            damaged,
        })
    }
}

impl Chosen {
    /// Says what in the file is no letter.
    fn say_damaged(&self, context: &Context) {
        if let Some((first, count)) = self.damaged {
            context.reporter.warn(&format!(
                "{}: {count} of its lines are no dead letters (the first is line {first}); they are kept",
                self.letters.path().display()
            ));
        }
    }
}

impl DeadLetters {
    /// Runs the command.
    pub(crate) async fn run(self, context: &Context) -> Result<ExitCode> {
        match self {
            Self::List(List { selection }) => list(context, selection).map(|()| DONE),
            Self::Retry(command) => command.run(context).await,
            Self::Drop(command) => command.run(context).map(|()| DONE),
        }
    }
}

fn list(context: &Context, selection: Selection) -> Result<()> {
    let mut output = context.output_of("dead letters", COLUMNS, Shape::List)?;
    let listed = selection.choose(|letter| match JsonText::parse(letter.text.clone()) {
        Ok(json) => output.record(&Record::Json(json)),
        // It was JSON a moment ago.
        Err(_) => Ok(ControlFlow::Continue(())),
    });
    context
        .end_list(output, listed, "no dead letters")?
        .say_damaged(context);
    Ok(())
}

fn letters(count: usize) -> String {
    match count {
        1 => "1 dead letter".to_owned(),
        count => format!("{count} dead letters"),
    }
}

impl DropArgs {
    fn run(self, context: &Context) -> Result<()> {
        let Selection {
            mac, since, before, ..
        } = &self.selection;
        if !self.all && mac.is_none() && since.is_none() && before.is_none() {
            return Err(Error::usage("which dead letters to drop was not said")
                .hint("choose with --mac, --since or --before, or say --all"));
        }
        if context.global.shows_only() {
            return list(context, self.selection);
        }
        let mut chosen = self.selection.choose(|_| Ok(ControlFlow::Continue(())))?;
        chosen.say_damaged(context);
        let count = chosen.places.len();
        if count > 0 {
            let what = format!("{} of {}", letters(count), chosen.letters.path().display());
            input::confirm_deletion(&what, self.yes, context.global.no_input)?;
            let lines: Vec<_> = chosen.places.iter().map(|(place, _)| place.line).collect();
            chosen.letters.remove(&lines)?;
        }
        context
            .reporter
            .note(&format!("{} dropped", letters(count)));
        Ok(())
    }
}

impl RetryArgs {
    async fn run(self, context: &Context) -> Result<ExitCode> {
        let callback = self.retry.callback()?;
        if context.global.shows_only() {
            return list(context, self.selection).map(|()| DONE);
        }
        let mut running = LongRunning::begin(context, &ServiceArgs::default())?;
        let mut chosen = self.selection.choose(|_| Ok(ControlFlow::Continue(())))?;
        chosen.say_damaged(context);
        let Chosen {
            letters, places, ..
        } = &mut chosen;
        let places = std::mem::take(places);
        let retrying = self
            .retry
            .run(context, callback, &mut running, letters, places);
        let (retried, ended) = retrying.await;
        let stay = chosen.letters.path().display().to_string();
        let result = end_of_retry(&running, retried, ended, &stay);
        running.end(result).await
    }
}

/// The exit status of a retry; what failed again stays where `stay` says.
pub(super) fn end_of_retry(
    running: &LongRunning,
    retried: Retried,
    ended: Result<()>,
    stay: &str,
) -> Result<ExitCode> {
    ended.and_then(|()| match retried.failed {
        0 => Ok(DONE),
        _ if running.stop() > Stop::No => Ok(DONE),
        failed => Err(Error::new(
            Kind::Partial,
            format!("failed again: {failed}; they stay in {stay}"),
        )),
    })
}

impl RetryOptions {
    /// What is run, checked.
    pub(super) fn callback(&self) -> Result<Callback> {
        Callback::new(
            &self.callback,
            self.arguments.clone(),
            self.callback_timeout,
            self.callback_grace,
        )
    }

    /// Runs it for these letters, until it is stopped, and says what came of it.
    pub(super) async fn run(
        &self,
        context: &Context,
        callback: Callback,
        running: &mut LongRunning,
        letters: &mut DeadLetterFile,
        places: Vec<(Place, String)>,
    ) -> (Retried, Result<()>) {
        let (stop, stopped) = watch::channel(Stop::No);
        let cores = || std::thread::available_parallelism().map_or(1, NonZero::get);
        let retry = Retry {
            callback,
            rules: Rules {
                jobs: self.jobs.map_or_else(cores, usize::from),
                retries: self.retries,
                backoff: RETRY_PAUSES,
                probes: false,
                capacity: places.len(),
            },
            listener: Arc::new(StderrListener::new(context.reporter.clone(), false)),
        };
        let done = {
            let mut run = std::pin::pin!(retry.run(letters, places, stopped));
            loop {
                tokio::select! {
                    done = &mut run => break done,
                    request = running.next() => match request {
                        // They are known at the end.
                        Request::Figures(_) => {}
                        Request::Stop(how) => {
                            stop.send_replace(how);
                        }
                    },
                }
            }
        };
        running.report(Reader::Stderr, &figures(done.0));
        done
    }
}

fn figures(retried: Retried) -> Summary {
    let Retried {
        delivered,
        failed,
        left,
    } = retried;
    let text = format!("delivered {delivered}, failed again {failed}, not tried {left}");
    Summary {
        state: "delivering again".to_owned(),
        text,
        json: serde_json::json!({ "delivered": delivered, "failed": failed, "left": left }),
        samples: Vec::new(),
    }
}
