//! `netapi ise pxgrid fleet dead`: events that no callback of a worker took, in the stream beside
//! the stream of events: listed, delivered again.

use std::io::Write;
use std::ops::ControlFlow;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use tokio::sync::mpsc;

use super::super::dead_letters::{RetryOptions, end_of_retry, endpoint};
use super::super::worker::group;
use super::{FleetStream, opened};
use crate::cli::Context;
use crate::cli::context::DONE;
use crate::cli::input;
use crate::cli::long_running::{LongRunning, ServiceArgs};
use crate::delivery::dead_letter_file::{DeadLetterFile, Letter};
use crate::error::{Error, Kind, Result};
use crate::nats::dead::{DeadStream, StoredLetter};
use crate::record::conditions::Stations;
use crate::record::{JsonText, Record, RecordSink};
use crate::render::{CellKind, Column, Shape, column, with};

const COLUMNS: &[Column] = &[
    column("FAILED", "failedAt").kind(CellKind::Time),
    column("GROUP", "group"),
    column("EVENT", "event.event").kind(CellKind::Event),
    with("MAC", endpoint),
    column("TOPIC", "event.topic"),
    column("ATTEMPTS", "attempts").kind(CellKind::Number),
    column("OUTCOME", "outcome"),
];

/// `netapi ise pxgrid fleet dead …`
#[derive(Subcommand, Debug)]
pub(crate) enum Dead {
    /// What no callback took, when it was given up, and why
    List(Box<List>),
    /// Run a callback for each again; those that succeed leave the stream
    Retry(Box<RetryArgs>),
}

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise pxgrid fleet dead list nats://n1.example.com/EVENTS
  netapi ise pxgrid fleet dead list EVENTS --group tickets --json")]
pub(crate) struct List {
    #[command(flatten)]
    stream: FleetStream,
    /// Only those of this group of workers
    #[arg(long, value_name = "NAME", value_parser = group)]
    group: Option<String>,
    /// Only of this endpoint
    ///
    /// A MAC address, its beginning, or a VPN's address.
    #[arg(long, value_name = "MAC", value_parser = input::stations)]
    mac: Option<Stations>,
}

/// Arguments.
#[derive(Args, Debug)]
#[command(
    override_usage = "\
netapi ise pxgrid fleet dead retry [OPTIONS] --callback <SCRIPT> <URL>
         [-- <ARGS>...]",
    after_help = "\
Examples:
  netapi ise pxgrid fleet dead retry nats://n1.example.com/EVENTS \\
    --callback ./handle-session.sh

Here, and in order per endpoint. Workers may run beside it, and then two events
of one endpoint may be handled at the same time. What fails again stays in the
stream. Ctrl-C: running callbacks finish, the rest stays."
)]
pub(crate) struct RetryArgs {
    #[command(flatten)]
    stream: FleetStream,
    /// Those of this group of workers
    #[arg(long, value_name = "NAME", default_value = "workers", value_parser = group)]
    group: String,
    /// Only of this endpoint
    ///
    /// A MAC address, its beginning, or a VPN's address.
    #[arg(long, value_name = "MAC", value_parser = input::stations)]
    mac: Option<Stations>,
    #[command(flatten)]
    retry: RetryOptions,
}

impl Dead {
    /// Runs the command.
    pub(crate) async fn run(self, context: &Context) -> Result<ExitCode> {
        match self {
            Self::List(command) => {
                let group = command.group.as_deref();
                list(context, &command.stream, group, command.mac).await?;
                Ok(DONE)
            }
            Self::Retry(command) => command.run(context).await,
        }
    }
}

/// The letter, if it is one that is meant.
fn meant(stored: &StoredLetter, mac: Option<Stations>, damaged: &mut usize) -> Option<Letter> {
    let Some(letter) = Letter::parse(&stored.text) else {
        *damaged += 1;
        return None;
    };
    let wanted = mac.is_none_or(|mac| mac.contain(&letter.event.order_key()));
    wanted.then_some(letter)
}

fn say_damaged(context: &Context, damaged: usize) {
    if damaged > 0 {
        context.reporter.warn(&format!(
            "{damaged} messages of the stream are no dead letters, and are left alone"
        ));
    }
}

async fn list(
    context: &Context,
    stream: &FleetStream,
    group: Option<&str>,
    mac: Option<Stations>,
) -> Result<()> {
    let (connection, address) = opened(context, stream).await?;
    let mut output = context.output_of("dead letters", COLUMNS, Shape::List)?;
    let mut damaged = 0;
    let mut over = false;
    let dead = DeadStream::of(&connection, &address);
    let listed = dead
        .read(group, |stored| {
            if over || meant(&stored, mac, &mut damaged).is_none() {
                return Ok(());
            }
            // A letter is an object; where it comes from stands first.
            let rest = stored.text.trim_start().strip_prefix('{').unwrap_or("}");
            let (number, name) = (stored.sequence, serde_json::json!(stored.group));
            let text = format!(r#"{{"sequence":{number},"group":{name},{rest}"#);
            if let Ok(json) = JsonText::parse(text) {
                over = output.record(&Record::Json(json))? == ControlFlow::Break(());
            }
            Ok(())
        })
        .await;
    context.end_list(output, listed, "no dead letters")?;
    say_damaged(context, damaged);
    Ok(())
}

impl RetryArgs {
    async fn run(self, context: &Context) -> Result<ExitCode> {
        let callback = self.retry.callback()?;
        if context.global.shows_only() {
            list(context, &self.stream, Some(&self.group), self.mac).await?;
            return Ok(DONE);
        }
        let mut running = LongRunning::begin(context, &ServiceArgs::default())?;
        let result = self.retry_all(context, callback, &mut running).await;
        running.end(result).await
    }

    async fn retry_all(
        &self,
        context: &Context,
        callback: crate::delivery::sink::callback::Callback,
        running: &mut LongRunning,
    ) -> Result<ExitCode> {
        let (connection, address) = opened(context, &self.stream).await?;
        let dead = DeadStream::of(&connection, &address);
        // As a file, so that there may be many.
        let failed = |error: std::io::Error| {
            Error::new(
                Kind::Failed,
                format!("cannot keep the dead letters: {error}"),
            )
        };
        let directory = tempfile::tempdir().map_err(failed)?;
        let path = directory.path().join("letters.jsonl");
        let mut file = std::io::BufWriter::new(std::fs::File::create(&path).map_err(failed)?);
        let (mut sequences, mut damaged) = (Vec::new(), 0);
        let mac = self.mac;
        dead.read(Some(&self.group), |stored| {
            if meant(&stored, mac, &mut damaged).is_some() {
                // A line end between members would make two lines of it.
                let line = stored.text.replace(['\n', '\r'], " ");
                writeln!(file, "{line}").map_err(failed)?;
                sequences.push(stored.sequence);
            }
            Ok(())
        })
        .await?;
        file.flush().map_err(failed)?;
        say_damaged(context, damaged);
        let mut letters = DeadLetterFile::open(&path)?;
        let mut places = Vec::with_capacity(sequences.len());
        letters.read(|place, letter| {
            if let Some(letter) = letter {
                places.push((place, letter.event.order_key().into_owned()));
            }
            Ok(())
        })?;
        let (tell, mut removed) = mpsc::unbounded_channel::<Vec<usize>>();
        letters.tell_removed(tell);
        let removing = tokio::spawn(async move {
            while let Some(lines) = removed.recv().await {
                for line in lines {
                    if let Some(sequence) = sequences.get(line) {
                        dead.remove(*sequence).await?;
                    }
                }
            }
            Ok(())
        });
        let retrying = self
            .retry
            .run(context, callback, running, &mut letters, places);
        let (retried, ended) = retrying.await;
        // Nothing more is told then.
        drop(letters);
        let removed = removing.await.unwrap_or_else(|error| {
            Err(Error::new(
                Kind::Failed,
                format!("removing broke off: {error}"),
            ))
        });
        let stay = format!("the stream {}_DEAD", address.stream);
        end_of_retry(running, retried, ended.and(removed), &stay)
    }
}
