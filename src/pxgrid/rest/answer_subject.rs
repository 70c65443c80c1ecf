//! Whether an answer is about whom and what the request named. It sends nothing.

use serde_json::Value;

use crate::error::{Error, Kind};
use crate::pxgrid::catalogue::{Operation, Reply};
use crate::record::{JsonText, Record, Subject};

/// Members of a request that say whom it is about, and where the answer names the same.
const NAMED: [(&str, Spelling, &[&str]); 7] = [
    (
        "macAddress",
        Spelling::Mac,
        &["macAddress", "callingStationId"],
    ),
    (
        "ipAddress",
        Spelling::Ip,
        &["ipAddresses", "ipAddress", "callingStationId"],
    ),
    ("nasIpAddress", Spelling::Ip, &["nasIpAddress"]),
    (
        "userName",
        Spelling::User,
        &["userName", "adNormalizedUser"],
    ),
    ("operationId", Spelling::Name, &["operationId"]),
    ("name", Spelling::Name, &["name"]),
    ("id", Spelling::Name, &["id"]),
];

#[derive(Clone, Copy)]
enum Spelling {
    Mac,
    Ip,
    User,
    Name,
}

/// Whom an answer is about in place of whom `body` asked for: the one asked for, and the other.
pub(super) fn other(body: &Value, answer: &JsonText) -> Option<(String, String)> {
    let record = Record::Json(answer.clone());
    NAMED.iter().find_map(|(member, spelling, names)| {
        let asked = body.get(member)?.as_str()?;
        let subject = match spelling {
            Spelling::Mac => Subject::Mac(asked.parse().ok()?),
            Spelling::Ip => Subject::Ip(asked.parse().ok()?),
            Spelling::User => Subject::User(asked.to_owned()),
            Spelling::Name => Subject::Name(asked.to_owned()),
        };
        let other = subject.differs_from(&record, names)?;
        Some((asked.to_owned(), other))
    })
}

/// Whether an answer can be one of `operation`: where that answers with one thing, a member of that
/// thing is there.
pub(super) fn is_of(operation: &Operation, answer: &JsonText) -> bool {
    let columns = operation.columns;
    operation.reply != Reply::Object
        || columns.is_empty()
        || columns
            .iter()
            .any(|name| answer.value().get(name).is_some())
}

/// The answer has nothing of what was asked for.
pub(super) fn something_else(service: &str, operation: &str, host: &str) -> Error {
    Error::new(
        Kind::Malformed,
        format!("{host} answered {operation} with something else: no member of it is there"),
    )
    .hint(format!(
        "`netapi ise pxgrid call {service} {operation}` shows the answer as it came"
    ))
    .host(host)
}

/// The answer is about somebody else.
pub(super) fn foreign(operation: &str, host: &str, (asked, other): &(String, String)) -> Error {
    Error::new(
        Kind::Malformed,
        format!("{host} answered {operation} of {asked} about {other}"),
    )
    .hint("a proxy between here and the node may answer in its place; --trace shows what was asked")
    .host(host)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::pxgrid::catalogue;

    fn differs(body: &Value, answer: Value) -> bool {
        other(body, &JsonText::from_value(answer)).is_some()
    }

    #[test]
    fn one_thing_has_a_member_of_its_own() {
        let operation = catalogue::operation("session", "getSessionByMacAddress").unwrap();
        let is_of = |answer: Value| is_of(operation, &JsonText::from_value(answer));
        assert!(is_of(json!({"callingStationId": "x", "state": "STARTED"})));
        for other in [
            json!({}),
            json!(null),
            json!([]),
            json!(5),
            json!({"accountState": "ENABLED"}),
            json!({"sessions": [{"macAddress": "C8:5B:76:00:00:01"}]}),
        ] {
            assert!(!is_of(other.clone()), "{other}");
        }
    }

    #[test]
    fn each_member_that_names_somebody_is_compared() {
        for (body, same, another) in [
            (
                json!({"macAddress": "C8:5B:76:00:00:01"}),
                json!({"macAddress": "c8-5b-76-00-00-01"}),
                json!({"macAddress": "C8:5B:76:00:00:02"}),
            ),
            (
                json!({"ipAddress": "10.50.10.1"}),
                json!({"ipAddresses": ["fe80::1", "10.50.10.1"]}),
                json!({"ipAddresses": ["10.50.10.2"]}),
            ),
            (
                json!({"macAddress": "C8:5B:76:00:00:01", "nasIpAddress": "10.50.1.1"}),
                json!({"macAddress": "C8:5B:76:00:00:01", "nasIpAddress": "10.50.1.1"}),
                json!({"macAddress": "C8:5B:76:00:00:01", "nasIpAddress": "10.50.1.2"}),
            ),
            (
                json!({"userName": "pat"}),
                json!({"userName": "LAB\\pat"}),
                json!({"userName": "robin"}),
            ),
            (
                json!({"operationId": "ise:7"}),
                json!({"operationId": "ise:7"}),
                json!({"operationId": "ise:8"}),
            ),
            (
                json!({"name": "Quarantine"}),
                json!({"name": "Quarantine"}),
                json!({"name": "Bounce"}),
            ),
            (json!({"id": "1"}), json!({"id": "1"}), json!({"id": "2"})),
        ] {
            assert!(!differs(&body, same), "{body}");
            assert!(differs(&body, another), "{body}");
            assert!(!differs(&body, json!({"status": "SUCCESS"})), "{body}");
        }
    }
}
