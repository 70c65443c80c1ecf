//! One REST read of what was missed, handed over in portions while it streams in.

use std::ops::ControlFlow;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::mpsc;

use crate::error::{Error, Result};
use crate::pxgrid::rest::ServiceClient;
use crate::pxgrid::subscription::Read;
use crate::record::jmespath::Filter;
use crate::record::{Record, RecordSink};

/// A portion is at most so many rows, and not much more than so many bytes.
const ROWS: usize = 256;
const BYTES: usize = 256 * 1024;

/// A portion of a read, or its end.
#[derive(Debug)]
pub(super) enum Part {
    /// Rows, each the text of one object.
    Rows {
        rows: Vec<String>,
        /// From the list of deleted ones.
        deleted: bool,
    },
    /// The document came to its proper end.
    Done,
    /// It did not.
    Failed(Error),
}

/// Makes the read and hands over its parts under `id`. `filter`: what the server could not apply.
pub(super) async fn read(
    services: Arc<ServiceClient>,
    id: u64,
    read: Read,
    filter: Option<Arc<Filter>>,
    parts: mpsc::Sender<(u64, Part)>,
) {
    let end = match rows(&services, id, &read, filter, &parts).await {
        Ok(()) => Part::Done,
        Err(error) => Part::Failed(error),
    };
    // Nobody there any more: then nobody waits for it.
    let _gone = parts.send((id, end)).await;
}

async fn rows(
    services: &ServiceClient,
    id: u64,
    read: &Read,
    filter: Option<Arc<Filter>>,
    parts: &mpsc::Sender<(u64, Part)>,
) -> Result<()> {
    let body: Value = serde_json::from_str(&read.body()).unwrap_or_default();
    let sink = Portions {
        id,
        filter: filter.clone(),
        parts: parts.clone(),
        rows: Vec::new(),
        bytes: 0,
    };
    let (mut sink, outcome) = services
        .list(read.service, read.operation, &body, sink)
        .await;
    let summary = outcome?;
    let deleted = read.deleted.and_then(|name| {
        let (_, list) = summary.extras.iter().find(|(member, _)| member == name)?;
        list.value().as_array().cloned()
    });
    let rows = std::mem::take(&mut sink.rows);
    send(parts, id, rows, false).await;
    let texts: Vec<String> = deleted.iter().flatten().map(Value::to_string).collect();
    let wanted = texts.into_iter().filter(|text| {
        filter
            .as_ref()
            .is_none_or(|filter| filter.matches_text(text))
    });
    send(parts, id, wanted.collect(), true).await;
    Ok(())
}

async fn send(parts: &mpsc::Sender<(u64, Part)>, id: u64, rows: Vec<String>, deleted: bool) {
    if !rows.is_empty() {
        let _gone = parts.send((id, Part::Rows { rows, deleted })).await;
    }
}

/// Collects rows and hands them over when they make a portion. It runs where it may block.
struct Portions {
    id: u64,
    filter: Option<Arc<Filter>>,
    parts: mpsc::Sender<(u64, Part)>,
    rows: Vec<String>,
    bytes: usize,
}

impl RecordSink for Portions {
    fn begin(&mut self, _announced: Option<u64>) -> Result<()> {
        Ok(())
    }

    fn record(&mut self, record: &Record) -> Result<ControlFlow<()>> {
        let Record::Json(json) = record else {
            return Ok(ControlFlow::Continue(()));
        };
        let text = json.as_str();
        if self
            .filter
            .as_ref()
            .is_some_and(|filter| !filter.matches_text(text))
        {
            return Ok(ControlFlow::Continue(()));
        }
        self.bytes += text.len();
        self.rows.push(text.to_owned());
        if self.rows.len() < ROWS && self.bytes < BYTES {
            return Ok(ControlFlow::Continue(()));
        }
        self.bytes = 0;
        let part = Part::Rows {
            rows: std::mem::take(&mut self.rows),
            deleted: false,
        };
        Ok(match self.parts.blocking_send((self.id, part)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        })
    }
}
