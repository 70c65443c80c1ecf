//! What is said about a document that is not what it should be.

use super::super::DocumentShape;
use super::{Parser, Phase};
use crate::error::{Error, Kind};

/// What to do about an answer that does not come from the API.
pub(crate) const NOT_THE_API: &str = "this may be a login page: check that host and port are the Monitoring node's, and that the account is an internal administrator with the MnT Admin role";

/// What to do about a document that ISE does not write.
const NOT_OF_ISE: &str = "ISE sends no such document: check that host and port are the Monitoring node's, and that no gateway on the way changes its answers";

impl Parser<'_> {
    /// A [`Kind::Malformed`] error that says `what` at byte `at` of the document.
    pub(in super::super) fn malformed(&self, what: &str, at: u64) -> Error {
        Error::new(
            Kind::Malformed,
            format!("{}: {what}, at byte {at}", self.document.name),
        )
        .hint(NOT_OF_ISE)
    }

    /// `error` ended the reading; says how far it got. Before the root there is nothing to say.
    pub(in super::super) fn interrupted(&self, error: Error) -> Error {
        if !self.accepted {
            return error;
        }
        let message = format!("{}: {}", self.progress(), error.message());
        let mut told = Error::new(error.kind(), message);
        if let Some(hint) = error.hint_text() {
            told = told.hint(hint);
        }
        if let Some(host) = error.host_name() {
            told = told.host(host);
        }
        told
    }

    pub(super) fn progress(&self) -> String {
        let name = self.document.name;
        let rows = self.summary.rows;
        match (self.document.shape, self.summary.announced) {
            (DocumentShape::Single, _) => format!("{name} broke off before its end"),
            (_, Some(announced)) => format!("{name} broke off after {rows} of {announced} rows"),
            (_, None) => format!("{name} broke off after {rows} rows"),
        }
    }

    pub(super) fn broke_off(&self) -> Error {
        if self.phase == Phase::Before {
            return self.malformed("not XML", 0).hint(NOT_THE_API);
        }
        Error::new(Kind::Truncated, self.progress())
            .hint("the connection or a gateway cut the answer; try again")
    }

    pub(super) fn foreign_root(&self) -> Error {
        let root = self.foreign.as_deref().unwrap_or_default();
        Error::new(
            Kind::Malformed,
            format!("the answer is <{root}>, not {}", self.document.name),
        )
        .hint(NOT_OF_ISE)
    }

    pub(super) fn document_type(&self, name: &str, at: u64) -> Error {
        let name = name.trim_start();
        if name
            .get(..4)
            .is_some_and(|word| word.eq_ignore_ascii_case("html"))
        {
            return self.html();
        }
        self.malformed("a document type, which ISE never sends", at)
    }

    pub(super) fn html(&self) -> Error {
        Error::new(
            Kind::Malformed,
            format!("the answer is a web page, not {}", self.document.name),
        )
        .hint(NOT_THE_API)
    }
}
