//! Which document answers which call (reference mnt-api section 2), as data for the stream reader.
//!
//! Root names are taken loosely where sources differ: a list is known by its announcing attribute
//! too.

use super::envelope;
use super::paths::BASE;
use crate::record::xml::{Document, DocumentShape};

/// `sessionCount` (section 2.1).
pub const COUNT: Document = Document {
    name: "the session count",
    roots: &["sessionCount"],
    ..single()
};

/// The lists of sessions, `activeList` by either name (section 2.2). The announced number of rows
/// holds (observed on 3.3).
pub const ACTIVE_LIST: Document = Document {
    name: "the list of sessions",
    roots: &[
        "activeList",
        "activeSessionList",
        "authSessionList",
        "sessionList",
    ],
    announced: Some("noOfActiveSession"),
    exact: true,
    ..rows("activeSession", &[])
};

/// `sessionParameters`: one session in full (section 2.3).
pub const SESSION: Document = Document {
    name: "the session",
    roots: &["sessionParameters"],
    details: true,
    ..single()
};

/// The sessions of an audit session id (section 2.4); its announced number is not to be believed.
pub const SESSION_BY_ID: Document = Document {
    exact: false,
    ..ACTIVE_LIST
};

/// Authentication attempts, in the full and the filtered form (section 2.6).
pub const AUTH_STATUS: Document = Document {
    name: "the authentication history",
    roots: &["authStatusOutputList", "restAuthStatusOutputList"],
    keep: &["key"],
    details: true,
    ..rows("authStatusElements", &["authStatusList"])
};

/// Accounting counters (section 2.7).
pub const ACCT_STATUS: Document = Document {
    name: "the accounting counters",
    roots: &["acctStatusOutputList"],
    keep: &["macAddress"],
    ..rows("acctStatusElements", &["acctStatusList"])
};

/// The catalogue of failure reasons (section 2.8).
pub const FAILURE_REASONS: Document = Document {
    name: "the catalogue of failure reasons",
    roots: &["failureReasonList"],
    keep: &["id"],
    ..rows("failureReason", &[])
};

/// Product and version (section 2.9).
pub const PRODUCT: Document = Document {
    name: "the product's version",
    roots: &["product"],
    keep: &["name"],
    ..single()
};

/// The outcome of a change of authorization (section 2.10).
pub const COA: Document = Document {
    name: "the outcome of the change of authorization",
    roots: &["remoteCoA"],
    keep: &["requestType"],
    ..single()
};

/// The outcome of a delete, and the error envelope: known by its members, under any root (section
/// 2.11).
pub const RESULT: Document = Document {
    name: "the outcome",
    ..single()
};

/// The document that answers a GET of `path` (as [`checked`](super::checked) returns it); an
/// unknown one is read as one record.
pub fn answering(path: &str) -> &'static Document {
    let tail = path.strip_prefix(BASE).unwrap_or(path);
    let mut segments = tail.split('/').filter(|segment| !segment.is_empty());
    match (segments.next(), segments.next()) {
        (Some("Version"), _) => &PRODUCT,
        (Some("FailureReasons"), _) => &FAILURE_REASONS,
        (Some("AuthStatus"), _) => &AUTH_STATUS,
        (Some("AcctStatus" | "AcctStatusTT"), _) => &ACCT_STATUS,
        (Some("Session"), Some("ActiveCount" | "PostureCount" | "ProfilerCount")) => &COUNT,
        (Some("Session"), Some("ActiveList" | "AuthList")) => &ACTIVE_LIST,
        (Some("Session"), Some("Active")) => &SESSION_BY_ID,
        (Some("Session"), Some("MACAddress" | "UserName" | "IPAddress" | "EndPointIPAddress")) => {
            &SESSION
        }
        _ => &RESULT,
    }
}

/// What a `type_of_node` number means (row 14), `None` for a number that is not documented.
pub fn node_type(number: &str) -> Option<&'static str> {
    match number.trim() {
        "0" => Some("standalone"),
        "1" => Some("active"),
        "2" => Some("backup"),
        "3" => Some("not a Monitoring node"),
        _ => None,
    }
}

const fn single() -> Document {
    Document {
        foreign: |_, fields| {
            envelope::Envelope::of(fields)
                .filter(|envelope| !envelope.succeeded())
                .map(|envelope| {
                    let status = envelope.http_code.unwrap_or(500);
                    envelope::error(status, Some(&envelope))
                })
        },
        ..Document::ANY
    }
}

const fn rows(row: &'static str, wrappers: &'static [&'static str]) -> Document {
    Document {
        shape: DocumentShape::Rows { row, wrappers },
        ..single()
    }
}
