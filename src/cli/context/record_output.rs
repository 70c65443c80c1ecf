//! Where a command's records go: a renderer on standard output, with what stands around it.

use std::ops::ControlFlow;

use crate::cli::bulk::Screen;
use crate::cli::deployments::merged_output::MergedOutput;
use crate::cli::pager::PagedOutput;
use crate::error::Result;
use crate::record::{Record, RecordSink};
use crate::render::{Progress, Renderer};

/// A renderer on standard output, behind a progress line where a person waits for a pipe or a file
/// to fill.
pub(crate) enum RecordOutput {
    /// Nobody to show progress to.
    Plain(Renderer<PagedOutput>),
    /// With a line on standard error.
    Watched(Progress<Renderer<PagedOutput>, std::io::Stderr>),
    /// One output for several deployments.
    Merged(MergedOutput),
}

impl RecordOutput {
    /// The same for who shows progress in another way.
    pub(crate) fn without_progress(self) -> Self {
        match self {
            Self::Watched(progress) => Self::Plain(progress.finish()),
            other => other,
        }
    }

    /// The same, where several deployments share the output, for rows that are to stand together
    /// by deployment: they are held until the end, so they must be few.
    pub(crate) fn by_deployment(self) -> Self {
        match self {
            Self::Merged(output) => Self::Merged(output.held()),
            other => other,
        }
    }
}

impl Screen for RecordOutput {
    fn clear(&mut self) {
        if let Self::Watched(progress) = self {
            progress.erase();
        }
    }
}

impl RecordSink for RecordOutput {
    fn begin(&mut self, announced: Option<u64>) -> Result<()> {
        match self {
            Self::Plain(sink) => sink.begin(announced),
            Self::Watched(sink) => sink.begin(announced),
            Self::Merged(sink) => sink.begin(announced),
        }
    }

    fn record(&mut self, record: &Record) -> Result<ControlFlow<()>> {
        match self {
            Self::Plain(sink) => sink.record(record),
            Self::Watched(sink) => sink.record(record),
            Self::Merged(sink) => sink.record(record),
        }
    }

    fn pause(&mut self) -> Result<()> {
        match self {
            Self::Plain(sink) => sink.pause(),
            Self::Watched(sink) => sink.pause(),
            Self::Merged(sink) => sink.pause(),
        }
    }

    fn raw(&mut self, bytes: &[u8]) -> Result<()> {
        match self {
            Self::Plain(sink) => sink.raw(bytes),
            Self::Watched(sink) => sink.raw(bytes),
            Self::Merged(sink) => sink.raw(bytes),
        }
    }

    fn wants_raw(&self) -> bool {
        match self {
            Self::Plain(sink) => sink.wants_raw(),
            Self::Watched(sink) => sink.wants_raw(),
            Self::Merged(_) => false,
        }
    }
}
