//! `netapi ise snapshot`: the active sessions, kept for `netapi ise diff`; and the list of those
//! that are kept.

pub(super) mod kept;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::json;

use super::session_source::{SourceName, choose, take};
use crate::cli::Context;
use crate::cli::input;
use crate::error::{Error, Kind, Result};
use crate::record::Record;
use crate::render::{CellKind, Column, Shape, column};
use crate::snapshot::{Head, Snapshot};

pub(super) const COLUMNS: &[Column] = &[
    column("TAKEN", "taken").kind(CellKind::Time),
    column("SESSIONS", "sessions").kind(CellKind::Number),
    column("SOURCE", "source"),
    column("HOST", "host"),
    column("BYTES", "bytes").kind(CellKind::Number),
    column("FILE", "file"),
];

/// Arguments.
#[derive(Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  netapi ise snapshot
  netapi ise snapshot --keep 30d -q        # from cron, once an hour
  netapi ise snapshot before-upgrade.gz
  netapi ise snapshot list
  netapi ise diff yesterday

All active sessions as they were sent, from pxGrid where that is set up, else
from the Monitoring node. They are kept for you alone (netapi help files), or
in FILE: JSON lines in gzip, `zcat FILE | jq` reads them. A list that breaks off
leaves no snapshot."
)]
pub(crate) struct SnapshotArgs {
    #[command(subcommand)]
    command: Option<SnapshotCommand>,
    /// Write it here instead; only another snapshot is replaced
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Where the sessions come from
    #[arg(long, value_name = "mnt|pxgrid", hide_possible_values = true)]
    source: Option<SourceName>,
    /// Then remove older ones of this deployment
    #[arg(long, value_name = "DURATION", value_parser = input::some_time, conflicts_with = "file")]
    keep: Option<std::time::Duration>,
}

/// `netapi ise snapshot …`
#[derive(Subcommand, Debug)]
enum SnapshotCommand {
    /// The snapshots that are kept, of every deployment, oldest first
    #[command(after_help = "\
Examples:
  netapi ise snapshot list
  netapi ise snapshot list --fields FILE")]
    List,
}

impl SnapshotArgs {
    /// Takes one, or lists them.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        match self.command {
            Some(SnapshotCommand::List) => list(context),
            None => self.take(context).await,
        }
    }

    async fn take(self, context: &Context) -> Result<()> {
        let output = context.before_change(COLUMNS, &[])?;
        let source = choose(context, self.source);
        let oldest = self.keep.map(oldest).transpose()?;
        let (directory, file) = match &self.file {
            Some(path) => {
                refuse_other_files(path)?;
                let parent = path
                    .parent()
                    .filter(|parent| !parent.as_os_str().is_empty());
                (parent.unwrap_or(Path::new(".")).to_owned(), Some(path))
            }
            None => (kept::directory(context, source)?, None),
        };
        let unfinished = kept::unfinished(&directory)?;
        let handle = unfinished.reopen().map_err(|error| cannot_keep(&error))?;
        let head = take(context, source, handle).await?;
        let path = match file {
            Some(path) => path.clone(),
            None => directory.join(kept::name(head.taken)),
        };
        unfinished
            .persist(&path)
            .map_err(|error| cannot_keep(&error.error))?;
        if self.file.is_none() {
            let gone = kept::prune(&directory, oldest)?;
            if gone > 0 {
                context
                    .reporter
                    .step(&format!("removed {gone} older than --keep"));
            }
        }
        let bytes = std::fs::metadata(&path).map_or(0, |facts| facts.len());
        context.print_change(output, &record(&path, &head, bytes))
    }
}

/// What was taken before this is not kept.
fn oldest(keep: std::time::Duration) -> Result<Timestamp> {
    let too_long = |_| Error::usage("--keep reaches back before the beginning of time");
    Timestamp::now().checked_sub(keep).map_err(too_long)
}

/// Nobody's file is lost by a slip: only a snapshot is replaced.
fn refuse_other_files(path: &Path) -> Result<()> {
    if std::fs::symlink_metadata(path).is_err() || Snapshot::open(path).is_ok() {
        return Ok(());
    }
    Err(Error::usage(format!(
        "{} is there, and is no snapshot: it stays as it is",
        path.display()
    ))
    .hint("name another file, or remove it"))
}

fn cannot_keep(error: &std::io::Error) -> Error {
    Error::new(Kind::Failed, format!("cannot keep the snapshot: {error}")).hint_of_file(error)
}

fn list(context: &Context) -> Result<()> {
    let root = kept::root()?;
    let mut records = Vec::new();
    let directories = std::fs::read_dir(&root).into_iter().flatten().flatten();
    let mut directories: Vec<PathBuf> = directories.map(|entry| entry.path()).collect();
    crate::order::sort(&mut directories);
    for directory in directories.iter().filter(|path| path.is_dir()) {
        let (kept, wrong) = kept::list(directory)?;
        for error in wrong {
            context.reporter.warn(error.message());
        }
        let of = |one: kept::Kept| (one.head.taken, record(&one.path, &one.head, one.bytes));
        records.extend(kept.into_iter().map(of));
    }
    crate::order::sort_by_key(&mut records, |(taken, _)| *taken);
    let records: Vec<Record> = records.into_iter().map(|(_, record)| record).collect();
    let nothing = "no snapshots; `netapi ise snapshot` keeps one";
    context.print(&records, COLUMNS, Shape::List, nothing)
}

fn record(path: &Path, head: &Head, bytes: u64) -> Record {
    Record::from_value(json!({
        "file": path.display().to_string(),
        "taken": head.taken.to_string(),
        "source": head.source.name(),
        "host": head.host,
        "sessions": head.sessions,
        "bytes": bytes,
    }))
}
