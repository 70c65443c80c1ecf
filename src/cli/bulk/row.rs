//! What became of one input of a bulk run: one of five outcomes, a reason in words, and what the
//! server sent. Data only.

use serde_json::{Value, json};

use crate::record::Record;
use crate::render::{CellKind, CellSource, Column, column};

/// The columns of a bulk run that changes something (contract, section 1).
pub(super) const COLUMNS: &[Column] = &[
    column("INPUT", "input"),
    Column {
        title: "OUTCOME",
        value: CellSource::Member("outcome"),
        kind: CellKind::Verdict,
    },
    column("REASON", "reason"),
];

/// The members that are no columns.
pub(super) const MEMBERS: &[&str] = &["answer"];

/// What became of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowOutcome {
    /// It was carried out.
    Done,
    /// There was nothing to do.
    Already,
    /// It was not carried out, or nobody knows.
    Failed,
    /// The input is no address.
    Invalid,
    /// The run ended before.
    NotSent,
}

impl RowOutcome {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Already => "already",
            Self::Failed => "failed",
            Self::Invalid => "invalid",
            Self::NotSent => "not-sent",
        }
    }
}

/// One input's row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) input: String,
    pub(super) outcome: RowOutcome,
    pub(super) reason: Option<String>,
    /// As the server sent it.
    pub(super) answer: Option<Value>,
    /// Something was sent, and nobody knows what came of it: it must not be sent again unseen.
    pub(super) unsure: bool,
}

impl Row {
    pub(super) fn new(input: &str, outcome: RowOutcome, reason: impl Into<Option<String>>) -> Self {
        Self {
            input: input.to_owned(),
            outcome,
            reason: reason.into(),
            answer: None,
            unsure: false,
        }
    }

    /// The row as it is printed.
    pub(super) fn record(&self) -> Record {
        Record::from_value(json!({
            "input": self.input,
            "outcome": self.outcome.name(),
            "reason": self.reason,
            "answer": self.answer,
        }))
    }
}

/// How many inputs had which outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) done: u64,
    pub(super) already: u64,
    pub(super) failed: u64,
    pub(super) invalid: u64,
    pub(super) not_sent: u64,
    /// Rows that `--jq` could not print.
    pub(super) unprinted: u64,
}

impl Counts {
    pub(super) fn add(&mut self, outcome: RowOutcome) {
        *match outcome {
            RowOutcome::Done => &mut self.done,
            RowOutcome::Already => &mut self.already,
            RowOutcome::Failed => &mut self.failed,
            RowOutcome::Invalid => &mut self.invalid,
            RowOutcome::NotSent => &mut self.not_sent,
        } += 1;
    }

    /// All of them.
    pub(super) fn total(&self) -> u64 {
        self.done + self.already + self.failed + self.invalid + self.not_sent
    }

    /// `391 done, 5 already, 2 failed`: what there is none of is left out.
    pub(super) fn words(&self) -> String {
        let counts = [
            (self.done, "done"),
            (self.already, "already"),
            (self.failed, "failed"),
            (self.invalid, "invalid"),
            (self.not_sent, "not sent"),
        ];
        let words: Vec<String> = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        words.join(", ")
    }
}
