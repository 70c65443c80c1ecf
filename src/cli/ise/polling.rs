//! What the commands that poll a server until they are stopped have in common: how long they pause
//! after failed polls, which errors end them, their rows' way to standard output, and what they
//! count for Prometheus. Nothing is asked here.

use std::io::Stdout;
use std::ops::ControlFlow;
use std::time::Duration;

use crate::cli::long_running::Metric;
use crate::cli::report::Reporter;
use crate::error::{Error, Kind, Result};
use crate::record::{Record, RecordSink};
use crate::render::Renderer;

/// The longest pause after failed polls.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_mins(5);

pub(super) static POLLS: Metric =
    Metric::counter("netapi_polls_total", "Times the server was asked.");
pub(super) static POLLS_FAILED: Metric =
    Metric::counter("netapi_polls_failed_total", "Times that this failed.");
pub(super) static UNPRINTED: Metric = Metric::counter(
    "netapi_expression_failures_total",
    "Changes or events on which the user's --jq or --where failed.",
);

/// Whether polling on would do harm or be of no use.
pub(super) fn ends(error: &Error) -> bool {
    matches!(
        error.kind(),
        Kind::Refused | Kind::Usage | Kind::WrongNode | Kind::NotSent
    )
}

/// The rows of one poll on their way to standard output.
pub(super) struct Printing {
    pub(super) rows: Vec<Record>,
    /// What they are, for messages: `changes`.
    pub(super) what: &'static str,
    pub(super) output: Renderer<Stdout>,
    pub(super) reporter: Reporter,
    /// Rows on which `--jq` failed so far.
    pub(super) unprinted: u64,
}

impl Printing {
    /// Prints where a reader that pauses keeps nobody from hearing a signal.
    pub(super) async fn on_a_thread(mut self) -> Result<(Self, Result<ControlFlow<()>>)> {
        let printing = tokio::task::spawn_blocking(move || {
            let flow = self.print();
            (self, flow)
        });
        printing
            .await
            .map_err(|error| Error::new(Kind::Failed, format!("printing broke off: {error}")))
    }

    /// `--jq` may fail on one row and do for the next: the first failure is said, the others of
    /// this poll are counted.
    fn print(&mut self) -> Result<ControlFlow<()>> {
        let before = self.unprinted;
        let mut flow = ControlFlow::Continue(());
        for row in &self.rows {
            flow = match self.output.record(row) {
                Ok(flow) => flow,
                Err(error) if error.kind() == Kind::Expression => {
                    if self.unprinted == before {
                        self.reporter.error(&error);
                    }
                    self.unprinted += 1;
                    ControlFlow::Continue(())
                }
                Err(error) => return Err(error),
            };
            if flow.is_break() {
                break;
            }
        }
        let more = self.unprinted.saturating_sub(before + 1);
        if more > 0 {
            let what = self.what;
            self.reporter
                .step(&format!("--jq failed on {more} more {what} of this poll"));
        }
        Ok(flow)
    }
}

/// An error where `--jq` failed on rows.
pub(super) fn all_printed(what: &str, unprinted: u64) -> Result<()> {
    if unprinted == 0 {
        return Ok(());
    }
    Err(Error::new(
        Kind::Partial,
        format!("{what} on which --jq failed: {unprinted}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_passes_and_a_wrong_address_does_not() {
        for kind in [Kind::Overloaded, Kind::TimedOut, Kind::Connect] {
            let error = Error::new(kind, "");
            assert!(error.passes() && !ends(&error), "{kind:?}");
        }
        assert!(Error::new(Kind::Server, "").status(500).passes());
        for kind in [Kind::Resolve, Kind::Tls, Kind::Malformed, Kind::Refused] {
            assert!(!Error::new(kind, "").passes(), "{kind:?}");
        }
        assert!(!Error::new(Kind::Server, "").status(404).passes());
        assert!(ends(&Error::new(Kind::Refused, "").status(401)));
    }
}
