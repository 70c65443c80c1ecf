//! `netapi ise report` of a small and of a large deployment: what the run takes of memory, and how
//! large the page is.
//!
//! `NETAPI_FIGURE_SESSIONS` sets the sessions of the large one, 2,000,000 otherwise.

use crate::Figures;
use crate::commands::Run;
use crate::lab::Lab;

/// The group.
pub(crate) fn report(figures: &mut Figures) {
    for sessions in [20_000, crate::sessions(2_000_000)] {
        let lab = Lab::start(&["--sessions", &sessions.to_string()]);
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("report.html");
        let path = file.display().to_string();
        let run = Run::netapi(&["ise", "report", &path]).in_environment(&lab.environment);
        let peak = run.silent().peak_mebibytes();
        let bytes = std::fs::metadata(&file).unwrap().len();
        #[allow(clippy::cast_precision_loss, reason = "some hundred kilobytes")]
        let megabytes = bytes as f64 / 1e6;
        let what = format!("report of {sessions} sessions: peak memory");
        figures.line(&what, peak, 128.0, "MiB");
        figures.line("the same: the page", megabytes, 5.0, "MB");
    }
}
