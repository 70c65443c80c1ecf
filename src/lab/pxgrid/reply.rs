//! What an operation answers, and how that becomes an answer on the wire; the faults that spoil
//! JSON.

use bytes::Bytes;
use memchr::memmem;
use serde_json::Value;

use super::listing::Listing;
use crate::lab::faults::FaultKind;
use crate::lab::wire::{Answer, Part};

const JSON: &str = "application/json";
const LOGIN: &str = "/admin/login.jsp";
/// Size of the huge element.
const HUGE: usize = 300_000_000;
const NESTING: usize = 100_000;

/// What an operation answers.
pub(super) enum Reply {
    /// 200 with a document.
    Json(Value),
    /// 200 with a document that is already text.
    Text(String),
    /// 200 with a list that is made as it is sent.
    List(Box<Listing>),
    /// 200 without a body.
    Empty,
    /// 204: not found, or nothing there.
    Nothing,
    /// Another status.
    Status(u16),
}

impl Reply {
    /// A request that lacks something or cannot be read.
    pub(super) const BAD: Self = Self::Status(400);

    pub(super) fn list(listing: Listing) -> Self {
        Self::List(Box::new(listing))
    }

    pub(super) fn into_answer(self) -> Answer {
        match self {
            Self::Json(value) => Answer::new(200, Some(JSON), value.to_string()),
            Self::Text(text) => Answer::new(200, Some(JSON), text),
            Self::List(listing) => Answer::stream(JSON, Part::Rows(listing)),
            Self::Empty => Answer::bare(200),
            Self::Nothing => Answer::bare(204),
            Self::Status(status) => Answer::bare(status),
        }
    }
}

/// The answer that `fault` puts in place of every other.
pub(super) fn of_fault(fault: FaultKind) -> Option<Answer> {
    Some(match fault {
        FaultKind::Unauthorized => Answer::bare(401),
        FaultKind::Forbidden | FaultKind::PolicyRefused => Answer::bare(403),
        FaultKind::NotFoundPath => Answer::page(404, "Not Found"),
        FaultKind::BadRequest => Answer::bare(400),
        FaultKind::ServerError => Answer::page(500, "Internal Server Error"),
        FaultKind::Overload502 => Answer::page(502, "Bad Gateway"),
        FaultKind::Overload503 | FaultKind::WsUpgradeRefused => {
            Answer::page(503, "Service Unavailable")
        }
        FaultKind::GatewayTimeout => Answer::page(504, "Gateway Timeout"),
        FaultKind::LoginPage => Answer::page(200, "Identity Services Engine login"),
        FaultKind::Redirect => Answer {
            location: Some(LOGIN),
            ..Answer::bare(302)
        },
        FaultKind::EmptyBody => Answer {
            content_type: Some(JSON),
            ..Answer::bare(200)
        },
        _ => return None,
    })
}

/// Spoils the body as `fault` says.
pub(super) fn spoil(answer: &mut Answer, fault: FaultKind) {
    match fault {
        FaultKind::Truncated => answer.cut(b"\":", None),
        FaultKind::Reset => answer.cut(b"\":", Some(Part::Reset)),
        FaultKind::Stalled => answer.parts = [Part::Silence].into(),
        FaultKind::InvalidUtf8 => answer.insert(first_text, || {
            vec![Part::Bytes(Bytes::from_static(b"\xFF\xC3\x28"))]
        }),
        FaultKind::HugeElement => {
            answer.insert(first_element_text, || vec![Part::Fill(b"x", HUGE)]);
        }
        FaultKind::DeepNesting => answer.insert(first_value, || {
            vec![
                Part::Fill(b"[", NESTING),
                Part::Fill(b"]", NESTING),
                Part::Bytes(Bytes::from_static(b",\"rest\":")),
            ]
        }),
        FaultKind::WrongShape => answer.insert(
            |text| memmem::find(text, b"\":").filter(|_| text.starts_with(b"{\"")),
            || vec![Part::Bytes(Bytes::from_static(b"Renamed"))],
        ),
        _ => {}
    }
}

/// Where the first member's value begins.
fn first_value(text: &[u8]) -> Option<usize> {
    memmem::find(text, b"\":").map(|at| at + 2)
}

/// Where the first text value begins.
fn first_text(text: &[u8]) -> Option<usize> {
    memmem::find(text, b":\"").map(|at| at + 2)
}

/// Where the first text inside a list's element begins; in a document without a list the first one
/// at all.
fn first_element_text(text: &[u8]) -> Option<usize> {
    let list = memmem::find(text, b"[{").unwrap_or(0);
    first_text(text.get(list..)?).map(|at| at + list)
}
