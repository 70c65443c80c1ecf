//! What an answer that is no success means: HTTP status and the `mnt-rest-result` envelope to an
//! error (reference mnt-api section 3).
//!
//! Decided from facts: the status first, and for a 500 the words of `internal-error-info`, since
//! "no session" and "no Monitoring node" come with the same code 34110. A body that cannot be read
//! never hides the status. It sends nothing.

use crate::error::{Error, Kind};
use crate::record::xml::{Document, single};
use crate::record::{Fields, Record};

/// What to do about a failure that only the server can explain.
const ITS_OWN_LOG: &str = "try again; if it stays so, the node's own log says more (Operations > Troubleshoot > Download Logs)";

/// The members of a `mnt-rest-result`, under whatever root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Envelope {
    /// `http-code`.
    pub http_code: Option<u16>,
    /// `cpm-code`.
    pub cpm_code: Option<String>,
    /// `status` (`SUCCESSFUL`, `SERVER_ERROR`).
    pub status: Option<String>,
    /// `internal-error-info`: what really happened.
    pub internal_error: Option<String>,
    /// `description`.
    pub description: Option<String>,
}

impl Envelope {
    /// The envelope in `fields`, if it is one: it has a `status` or a `http-code`.
    pub fn of(fields: &Fields) -> Option<Self> {
        let text = |name: &str| fields.text(name).map(|text| text.trim().to_owned());
        let envelope = Self {
            http_code: text("http-code").and_then(|code| code.parse().ok()),
            cpm_code: text("cpm-code"),
            status: text("status"),
            internal_error: text("internal-error-info"),
            description: text("description"),
        };
        (envelope.status.is_some() || envelope.http_code.is_some()).then_some(envelope)
    }

    /// The envelope in a body; `None` when the body is anything else. `charset`: what its
    /// Content-Type says.
    pub fn parse(body: &[u8], charset: Option<&str>) -> Option<Self> {
        match single(body, charset, &Document::ANY).ok()? {
            Record::Fields(fields) => Self::of(&fields),
            Record::Json(_) => None,
        }
    }

    /// Whether it says that the request was done.
    pub fn succeeded(&self) -> bool {
        match &self.status {
            Some(status) => status.eq_ignore_ascii_case("SUCCESSFUL"),
            None => self.http_code == Some(200),
        }
    }

    /// The most telling text in it.
    pub fn reason(&self) -> Option<&str> {
        let wrapped = self
            .internal_error
            .as_deref()
            .or(self.description.as_deref())
            .or(self.status.as_deref())?;
        // The server wraps its sentence in another one.
        let reason = match wrapped.split_once("Error message = ") {
            Some((_, inner)) => inner,
            None => wrapped,
        };
        Some(reason.trim().trim_end_matches('.'))
    }

    fn says(&self, words: &str) -> bool {
        self.internal_error
            .as_deref()
            .is_some_and(|text| text.to_ascii_lowercase().contains(words))
    }
}

/// The error behind an HTTP status that is no success, and the envelope if the body was one. Names
/// no host: the client adds it. Redirects never come here; the transport ends them.
pub fn error(status: u16, envelope: Option<&Envelope>) -> Error {
    let reason = envelope.and_then(Envelope::reason);
    let with = |text: &str| match reason {
        Some(reason) => format!("{text} (HTTP {status}): {reason}"),
        None => format!("{text} (HTTP {status})"),
    };
    let error = match status {
        401 => Error::new(Kind::Refused, with("user or password was refused")).hint(
            "the account must be an internal ISE administrator with the role MnT Admin, System Admin or Super Admin; \
             do not try again and again: ISE locks an account after a few wrong passwords",
        ),
        403 => Error::new(Kind::Refused, with("the account may not do this"))
            .hint("give the account the role MnT Admin, System Admin or Super Admin"),
        404 => Error::new(Kind::Server, with("the server does not know this path"))
            .hint("check that host and port are the Monitoring node's, and that its release has this call"),
        400 => Error::new(Kind::Server, with("the server refused the request as malformed"))
            .hint("--trace shows the request; another release may want it otherwise"),
        405 => Error::new(Kind::Server, with("the server does not take such a request"))
            .hint("is this the Monitoring node and its port (443)? pxGrid answers on another, 8910"),
        // A 5xx of the gateway: the node behind it is gone or busy (section 3, "MnT overloaded").
        502 | 503 => Error::new(Kind::Overloaded, with("the Monitoring node is overloaded or restarting"))
            .hint("wait some minutes before the next try: repeated lists are what keeps it down"),
        504 => Error::new(Kind::TimedOut, with("the Monitoring node did not answer its gateway in time"))
            .hint("wait a minute, then ask for less, or ask the other Monitoring node"),
        500 => internal(envelope, &with),
        _ => Error::new(Kind::Server, with("the server answered with an error")).hint(ITS_OWN_LOG),
    };
    error.status(status)
}

fn internal(envelope: Option<&Envelope>, with: &dyn Fn(&str) -> String) -> Error {
    let says = |words| envelope.is_some_and(|envelope| envelope.says(words));
    if says("not a mnt node") {
        return Error::new(
            Kind::WrongNode,
            with("this node is not a Monitoring node"),
        )
        .hint("set the host to the deployment's Monitoring node (--mnt-host, ISE_MNT_FQDN); the administration page System > Deployment names it");
    }
    if says("is not available") {
        return Error::new(Kind::NotFound, with("no session")).hint(
            "there may be authentication attempts all the same: 'netapi ise mnt auth-status MAC'",
        );
    }
    Error::new(Kind::Server, with("the server failed")).hint(ITS_OWN_LOG)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(info: &str) -> Vec<u8> {
        format!("<mnt-rest-result><http-code>500</http-code><cpm-code>34110</cpm-code><description>Server has encountered error</description><internal-error-info>{info}</internal-error-info><resource-type>ActiveCount</resource-type><status>SERVER_ERROR</status></mnt-rest-result>").into_bytes()
    }

    #[test]
    fn the_same_code_is_told_apart_by_its_words() {
        for (info, kind, message) in [
            (
                "Error in generating XML output. Error message = Session data is not available for 00:00:5E:00:53:99.",
                Kind::NotFound,
                "no session (HTTP 500): Session data is not available for 00:00:5E:00:53:99",
            ),
            (
                "This host is not a MnT node. MnT REST APIs can not be executed on this node.",
                Kind::WrongNode,
                "this node is not a Monitoring node (HTTP 500): This host is not a MnT node. MnT REST APIs can not be executed on this node",
            ),
            (
                "Database down",
                Kind::Server,
                "the server failed (HTTP 500): Database down",
            ),
            (
                "",
                Kind::Server,
                "the server failed (HTTP 500): Server has encountered error",
            ),
        ] {
            let envelope = Envelope::parse(&body(info), None);
            let error = error(500, envelope.as_ref());
            assert_eq!((error.kind(), error.message()), (kind, message));
            assert_eq!(error.http_status(), Some(500));
        }
    }

    #[test]
    fn an_unreadable_body_never_hides_the_status() {
        for body in [
            &b""[..],
            b"<html><body>401</body></html>",
            b"<a><b>",
            b"\x00\xff",
            b"{}",
            b"<a/>",
        ] {
            assert_eq!(Envelope::parse(body, None), None);
            for (status, kind, code) in [
                (401, Kind::Refused, 4),
                (403, Kind::Refused, 4),
                (400, Kind::Server, 5),
                (404, Kind::Server, 5),
                (500, Kind::Server, 5),
                (501, Kind::Server, 5),
                (502, Kind::Overloaded, 5),
                (503, Kind::Overloaded, 5),
                (504, Kind::TimedOut, 7),
            ] {
                let error = error(status, Envelope::parse(body, None).as_ref());
                assert_eq!((error.kind(), error.kind().exit_status()), (kind, code));
                assert!(error.message().contains(&status.to_string()));
            }
        }
    }

    #[test]
    fn words_decide_only_within_a_500() {
        let envelope = Envelope::parse(&body("Session data is not available for X"), None);
        assert_eq!(error(401, envelope.as_ref()).kind(), Kind::Refused);
        assert_eq!(error(503, envelope.as_ref()).kind(), Kind::Overloaded);
    }

    #[test]
    fn success_is_said_by_status_under_any_root() {
        let done = |text: &str| Envelope::parse(text.as_bytes(), None).map(|e| e.succeeded());
        assert_eq!(
            done("<mnt-request-result><status>SUCCESSFUL</status></mnt-request-result>"),
            Some(true)
        );
        assert_eq!(done("<r><http-code>200</http-code></r>"), Some(true));
        assert_eq!(
            done("<r><http-code>200</http-code><status>SERVER_ERROR</status></r>"),
            Some(false)
        );
        assert_eq!(done("<r><http-code>500</http-code></r>"), Some(false));
        assert_eq!(done("<r><x/></r>"), None);
    }
}
