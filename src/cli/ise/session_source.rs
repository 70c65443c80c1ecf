//! Which interface the sessions come from, for the commands that take them from either: pxGrid
//! where it is set up, else the Monitoring node. And all sessions of it, into a snapshot.

use std::fs::File;
use std::io::IsTerminal;
use std::ops::ControlFlow;

use clap::ValueEnum;
use jiff::Timestamp;
use serde_json::json;

use super::doctor::is_set;
use super::pxgrid::read_operation;
use crate::authority;
use crate::cli::Context;
use crate::cli::change_under_way::stopped;
use crate::cli::long_running::Signals;
use crate::error::{Error, Kind, Result};
use crate::record::{Record, RecordSink};
use crate::render::Progress;
use crate::snapshot::{Head, SnapshotWriter, Source};

/// `--source`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SourceName {
    /// The Monitoring node
    Mnt,
    /// pxGrid
    Pxgrid,
}

impl From<SourceName> for Source {
    fn from(name: SourceName) -> Self {
        match name {
            SourceName::Mnt => Self::Mnt,
            SourceName::Pxgrid => Self::Pxgrid,
        }
    }
}

/// The source that was asked for, else pxGrid where a node and an account are set, else the
/// Monitoring node, whose settings say what they need.
pub(super) fn choose(context: &Context, wanted: Option<SourceName>) -> Source {
    if let Some(name) = wanted {
        return name.into();
    }
    let account = ["cert", "client-password"];
    if is_set(context, "pxgrid-host") && account.iter().any(|name| is_set(context, name)) {
        Source::Pxgrid
    } else {
        Source::Mnt
    }
}

/// The host that stands for a deployment's interface: the first one that is set, without its port.
pub(super) fn host(context: &Context, source: Source) -> Option<String> {
    let setting = match source {
        Source::Mnt => "mnt-host",
        Source::Pxgrid => "pxgrid-host",
    };
    let rows = context.settings.rows();
    let row = rows.iter().find(|row| row.setting == setting)?;
    let first = row.value.split([',', ' ']).next()?;
    let (host, _) = authority::parse(first)?;
    Some(host.clone())
}

/// Asks for all sessions and writes them into `file`, to its end on the disk.
///
/// Errors: those of the interface, and of a signal; what stands in `file` is then no snapshot.
pub(super) async fn take(context: &Context, source: Source, file: File) -> Result<Head> {
    let head = Head {
        source,
        host: host(context, source).unwrap_or_default(),
        taken: to_the_millisecond(Timestamp::now()),
        sessions: 0,
    };
    let writer = Taking(SnapshotWriter::new(file, head));
    let watched = !context.global.quiet && std::io::stderr().is_terminal();
    let taking = async {
        if watched {
            let progress = Progress::new(writer, "sessions", std::io::stderr());
            let (progress, outcome) = all_sessions(context, source, progress).await;
            (progress.map(Progress::finish), outcome)
        } else {
            all_sessions(context, source, writer).await
        }
    };
    let mut signals = Signals::listen()?;
    let (writer, outcome) = tokio::select! {
        taken = taking => taken,
        signal = signals.stopped() => return Err(stopped(signal)),
    };
    if let Some(signal) = signals.end() {
        return Err(stopped(signal));
    }
    outcome?;
    let Some(Taking(writer)) = writer else {
        return Err(Error::new(Kind::NotSent, "nothing was asked for"));
    };
    tokio::task::spawn_blocking(|| writer.finish())
        .await
        .map_err(|error| Error::new(Kind::Failed, format!("writing broke off: {error}")))?
}

/// As far as the name of a file tells it.
fn to_the_millisecond(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}

/// The sink comes back unless nothing was asked for.
async fn all_sessions<S: RecordSink>(
    context: &Context,
    source: Source,
    sink: S,
) -> (Option<S>, Result<()>) {
    match source {
        Source::Mnt => match context.mnt() {
            Ok(client) => {
                let (sink, outcome) = client.sessions(sink).await;
                (Some(sink), outcome.map(|_| ()))
            }
            Err(error) => (None, Err(error)),
        },
        Source::Pxgrid => {
            let body = json!({});
            match read_operation::ready(context, "session", "getSessions", &body).await {
                Ok(client) => {
                    let (sink, outcome) = client.list("session", "getSessions", &body, sink).await;
                    (Some(sink), outcome.map(|_| ()))
                }
                Err(error) => (None, Err(error)),
            }
        }
    }
}

/// Writes what comes, but for sessions that pxGrid still tells of and that have ended.
struct Taking(SnapshotWriter);

impl RecordSink for Taking {
    fn begin(&mut self, _announced: Option<u64>) -> Result<()> {
        Ok(())
    }

    fn record(&mut self, record: &Record) -> Result<ControlFlow<()>> {
        let ended = match record {
            Record::Json(json) => json
                .peek("state")
                .is_some_and(|state| state == "DISCONNECTED"),
            Record::Fields(_) => false,
        };
        if !ended {
            self.0.add(record)?;
        }
        Ok(ControlFlow::Continue(()))
    }
}
