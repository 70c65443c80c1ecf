//! An answer before it is sent, the errors of the reference (mnt-api, section 3), and how faults
//! replace or spoil an answer.

use std::collections::VecDeque;
use std::fmt::Write;

use bytes::Bytes;
use memchr::memmem;

use super::xml::Xml;
use crate::lab::faults::FaultKind;
use crate::lab::wire::{Answer, Part};

pub(super) const XML: &str = "application/xml;charset=UTF-8";
const LOGIN: &str = "/admin/login.jsp";
const HUGE_FIELD: usize = 100_000_000;
const NESTING: usize = 100_000;

impl Answer {
    /// A document with status 200.
    pub(super) fn document(xml: Xml) -> Self {
        Self::new(200, Some(XML), xml.finish())
    }

    /// "No session for `what`": status 500, code 34110.
    pub(super) fn not_found(what: &str) -> Self {
        Self::failure(
            34110,
            &format!(
                "Error in generating XML output. Error message = Session data is not available for {what}."
            ),
            "RESTSDStatus",
        )
    }

    fn failure(code: u64, information: &str, resource_type: &str) -> Self {
        let mut xml = Xml::new();
        result(
            &mut xml,
            500,
            code,
            "Server has encountered error while processing the REST request",
            information,
            "Get By Type",
            resource_type,
            "SERVER_ERROR",
        );
        Self {
            status: 500,
            ..Self::document(xml)
        }
    }

    /// A deletion that was done.
    pub(super) fn deleted() -> Self {
        let mut xml = Xml::new();
        result(
            &mut xml,
            200,
            0,
            "The session records were removed",
            "",
            "DELETE",
            "RESTSDStatus",
            "SUCCESSFUL",
        );
        Self::document(xml)
    }

    /// The answer that `fault` puts in the place of the right one, if it is one of those.
    pub(super) fn of_fault(fault: FaultKind) -> Option<Self> {
        Some(match fault {
            FaultKind::Unauthorized => Self::bare(401),
            FaultKind::UnauthorizedHtml => Self::page(401, "Unauthorized"),
            FaultKind::Forbidden => Self::page(403, "Forbidden"),
            FaultKind::NotFoundPath => Self::page(404, "Not Found"),
            FaultKind::BadRequest => Self::page(400, "Bad Request"),
            FaultKind::WrongNode => Self::failure(
                34110,
                "This host is not a MnT node. MnT REST APIs can not be executed on this node.",
                "ActiveCount",
            ),
            FaultKind::ServerError => Self::failure(
                34101,
                "The session directory could not be read: its database connection was lost.",
                "RESTSDStatus",
            ),
            FaultKind::Overload502 => Self::page(502, "Bad Gateway"),
            FaultKind::Overload503 => Self::page(503, "Service Unavailable"),
            FaultKind::GatewayTimeout => Self::page(504, "Gateway Timeout"),
            FaultKind::LoginPage => Self::page(200, "Identity Services Engine login"),
            FaultKind::Redirect => Self {
                location: Some(LOGIN),
                ..Self::bare(302)
            },
            FaultKind::EmptyBody | FaultKind::CoaEmpty => Self {
                content_type: Some(XML),
                ..Self::bare(200)
            },
            _ => return None,
        })
    }

    /// Spoils the body as `fault` says.
    pub(super) fn spoil(&mut self, fault: FaultKind) {
        match fault {
            FaultKind::Doctype => self.insert(
                |text| memmem::find(text, b"?>").map(|at| at + 2),
                || {
                    let mut entities = String::from("<!DOCTYPE lab [<!ENTITY e0 \"ha\">");
                    for level in 1..10 {
                        let inner = format!("&e{};", level - 1).repeat(10);
                        let _ = write!(entities, "<!ENTITY e{level} \"{inner}\">");
                    }
                    entities.push_str("]>");
                    vec![Part::Bytes(entities.into())]
                },
            ),
            FaultKind::Entity => self.insert_in_field(Part::Bytes("&undeclared;".into())),
            FaultKind::InvalidUtf8 => {
                self.insert_in_field(Part::Bytes(Bytes::from_static(b"\xFF\xC3\x28")));
            }
            FaultKind::HugeField => self.insert_in_field(Part::Fill(b"x", HUGE_FIELD)),
            FaultKind::DeepNesting => self.insert(
                |text| memchr::memchr_iter(b'>', text).nth(1).map(|at| at + 1),
                || vec![Part::Fill(b"<n>", NESTING), Part::Fill(b"</n>", NESTING)],
            ),
            FaultKind::Truncated => self.cut(b"</", None),
            FaultKind::Reset => self.cut(b"</", Some(Part::Reset)),
            FaultKind::Stalled => self.parts = VecDeque::from([Part::Silence]),
            _ => {}
        }
    }

    fn insert_in_field(&mut self, part: Part) {
        self.insert(|text| memmem::find(text, b"</"), || vec![part]);
    }
}

/// Writes a `mnt-rest-result` (section 2.11).
#[expect(
    clippy::too_many_arguments,
    reason = "one for each element that differs"
)]
fn result(
    xml: &mut Xml,
    status: u64,
    code: u64,
    description: &str,
    information: &str,
    operation: &str,
    resource_type: &str,
    outcome: &str,
) {
    xml.open("mnt-rest-result");
    xml.number("http-code", status);
    xml.number("cpm-code", code);
    xml.element("description", description);
    xml.element("module-name", "MnT");
    xml.element("internal-error-info", information);
    xml.element("requested-operation", operation);
    xml.element("resource-id", "N/A");
    xml.element("resource-name", "N/A");
    xml.element("resource-type", resource_type);
    xml.element("status", outcome);
    xml.close("mnt-rest-result");
}
