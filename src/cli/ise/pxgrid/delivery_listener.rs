//! What delivery has to say, on standard error.

use crate::cli::report::Reporter;
use crate::delivery::Listener;

/// Passes it on.
pub(super) struct StderrListener {
    reporter: Reporter,
    /// Dead letters wait for room: the thread that brings them has nothing else to do.
    waits: bool,
}

impl StderrListener {
    /// `waits`: whether whoever brings dead letters may be kept waiting for their reader.
    pub(super) fn new(reporter: Reporter, waits: bool) -> Self {
        Self { reporter, waits }
    }
}

impl Listener for StderrListener {
    fn callback_line(&self, line: &str) {
        self.reporter.pass_on(line);
    }

    fn notice(&self, text: &str) {
        self.reporter.step(text);
    }

    fn dead_letter(&self, json: &str) {
        if self.waits {
            self.reporter.wait_for_data_room();
        }
        self.reporter.data(json);
    }

    fn has_room(&self) -> bool {
        self.reporter.has_room_for_data()
    }
}
