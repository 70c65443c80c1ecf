//! What `dc live` counts, in words, as JSON and for Prometheus.

use serde_json::json;

use crate::cli::ise::polling::{POLLS, POLLS_FAILED, UNPRINTED};
use crate::cli::long_running::{Metric, Summary};
use crate::record::Record;

static AUTHENTICATIONS: Metric = Metric::counter(
    "netapi_authentications_total",
    "Authentications that came, before the filters.",
);

/// See the module's documentation.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Counts {
    polls: u64,
    failed_polls: u64,
    passed: u64,
    failed: u64,
    /// Authentications on which `--jq` failed.
    pub(super) unprinted: u64,
}

impl Counts {
    /// A poll ended.
    pub(super) fn polled(&mut self, succeeded: bool) {
        self.polls += 1;
        self.failed_polls += u64::from(!succeeded);
    }

    /// A page of a poll brought these rows.
    pub(super) fn brought(&mut self, rows: &[Record]) {
        let is = |record: &&Record| record.text("what").is_some_and(|what| what == "pass");
        let passed = rows.iter().filter(is).count() as u64;
        self.passed += passed;
        self.failed += rows.len() as u64 - passed;
    }

    pub(super) fn figures(self) -> Summary {
        let Self {
            polls,
            failed_polls,
            passed,
            failed,
            unprinted,
        } = self;
        let of = |result: &str, count| {
            AUTHENTICATIONS.counted_of(vec![("result", result.to_owned())], count)
        };
        let mut text = format!(
            "polls {polls}, failed {failed_polls}, authentications passed {passed}, failed {failed}"
        );
        if unprinted > 0 {
            text = format!("{text}, not printed {unprinted}");
        }
        Summary {
            state: "following authentications".to_owned(),
            text,
            json: json!({
                "polls": polls, "failedPolls": failed_polls,
                "passed": passed, "failed": failed, "notPrinted": unprinted,
            }),
            samples: vec![
                POLLS.counts(polls),
                POLLS_FAILED.counts(failed_polls),
                of("pass", passed),
                of("fail", failed),
                UNPRINTED.counts(unprinted),
            ],
        }
    }
}
