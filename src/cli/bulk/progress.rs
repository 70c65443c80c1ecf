//! How far a list is: one line on standard error, where a person waits. Drawn between two outputs
//! and taken away before the next, so that it collides neither with rows nor with errors.

use std::io::{IsTerminal, Write};
use std::ops::ControlFlow;
use std::time::Instant;

use super::Screen;
use crate::cli::context::RecordOutput;
use crate::error::Result;
use crate::record::{Record, RecordSink};
use crate::render::Meter;

/// The line.
pub(super) struct Line {
    meter: Option<Meter>,
    text: String,
    shown: bool,
}

impl Line {
    /// A line for `total` inputs; none where nobody sees it.
    pub(super) fn new(total: usize, quiet: bool) -> Self {
        let seen = !quiet && std::io::stderr().is_terminal();
        let meter = seen.then(|| Meter::new("inputs", Instant::now()).of(total as u64));
        Self {
            meter,
            text: String::new(),
            shown: false,
        }
    }

    /// One more input is done.
    fn step(&mut self) {
        let line = self.meter.as_mut();
        if let Some(line) = line.and_then(|meter| meter.row(Instant::now())) {
            self.text = line;
            self.shown = false;
            self.show();
        }
    }

    /// Draws it, unless it is there.
    fn show(&mut self) {
        if self.shown || self.text.is_empty() {
            return;
        }
        let mut stderr = std::io::stderr();
        let text = &self.text;
        let _unseen = write!(stderr, "{}{text}", Meter::ERASE).and_then(|()| stderr.flush());
        self.shown = true;
    }

    /// Takes it away.
    pub(super) fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            let mut stderr = std::io::stderr();
            let _unseen = write!(stderr, "{}", Meter::ERASE).and_then(|()| stderr.flush());
        }
    }
}

/// An output with the line below it.
pub(super) struct Watched {
    pub(super) output: RecordOutput,
    pub(super) line: Line,
    /// Rows go to the terminal that has the line.
    together: bool,
}

impl Watched {
    pub(super) fn new(output: RecordOutput, total: usize, quiet: bool) -> Self {
        Self {
            output: output.without_progress(),
            line: Line::new(total, quiet),
            together: std::io::stdout().is_terminal(),
        }
    }

    fn make_room(&mut self) {
        if self.together {
            self.line.clear();
        }
    }
}

impl RecordSink for Watched {
    fn begin(&mut self, announced: Option<u64>) -> Result<()> {
        self.output.begin(announced)
    }

    fn record(&mut self, record: &Record) -> Result<ControlFlow<()>> {
        self.make_room();
        self.output.record(record)
    }

    fn pause(&mut self) -> Result<()> {
        self.make_room();
        self.output.pause()?;
        self.line.show();
        Ok(())
    }
}

impl Screen for Watched {
    fn clear(&mut self) {
        self.line.clear();
    }

    fn item(&mut self) {
        self.line.step();
    }
}
