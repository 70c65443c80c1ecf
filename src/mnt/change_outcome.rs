//! What the answer to a change says of it: carried out, refused, or nothing that can be believed.

use super::client::Answer;
use super::{documents, envelope};
use crate::error::{Error, Kind, Result};
use crate::record::{Record, xml};

/// Reads the outcome of a change of authorization (reference mnt-api section 2.10).
pub(super) fn coa_outcome(raw: Vec<u8>, charset: Option<&str>) -> Result<Answer> {
    let failed = |why: &str| {
        Error::new(
            Kind::Server,
            format!("the change of authorization was not carried out: {why}"),
        )
        .hint("the session may be over, or the NAS may not accept a change of authorization (UDP 1700 or 3799 from the PSN)")
    };
    // Neither yes nor no: whoever sent it must say so.
    let unknown = |why: &str| {
        Error::new(
            Kind::Malformed,
            format!("the answer to the change of authorization {why}"),
        )
    };
    if raw.iter().all(u8::is_ascii_whitespace) {
        return Err(unknown("is empty"));
    }
    let record = xml::single(&raw, charset, &documents::COA)?;
    match record.text("results").as_deref().map(str::trim) {
        Some("true" | "1") => Ok(Answer { record, raw }),
        Some(other) => Err(failed(&format!("results is '{other}'"))),
        None => Err(unknown("has no results")),
    }
}

/// Reads the outcome of a deletion (reference mnt-api section 2.11).
pub(super) fn delete_outcome(raw: Vec<u8>, charset: Option<&str>) -> Result<Answer> {
    if raw.iter().all(u8::is_ascii_whitespace) {
        return Err(Error::new(
            Kind::Malformed,
            "the deletion was not confirmed: the answer is empty",
        )
        .hint("look whether the session is still there: 'netapi ise mnt session'"));
    }
    let record = xml::single(&raw, charset, &documents::RESULT)?;
    let envelope = match &record {
        Record::Fields(fields) => envelope::Envelope::of(fields),
        Record::Json(_) => None,
    };
    match envelope {
        Some(envelope) if envelope.succeeded() => Ok(Answer { record, raw }),
        Some(envelope) => Err(envelope::error(
            envelope
                .http_code
                .filter(|&code| code >= 300)
                .unwrap_or(500),
            Some(&envelope),
        )),
        None => Err(Error::new(
            Kind::Malformed,
            "the deletion was not confirmed: the answer has no status",
        )),
    }
}
