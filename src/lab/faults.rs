//! Named faults: what goes wrong in the field, on demand.
//!
//! A fault is written `NAME[@N][:PATHPART]`: `@N` limits it to the first N requests that it applies to, `:PATHPART` to requests
//! whose path, as sent, contains that text. `overload-503@2` overloads twice and then recovers; `reset:ActiveList` resets
//! lists only. The TLS faults apply to connections, and `hostile-names` to the population, so these take no `:PATHPART`, and `hostile-names` no `@N`.
//!
//! This file names and chooses; `mnt` carries them out.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use super::certificates::Flavour;
use crate::error::{Error, Result};

macro_rules! kinds {
    ($($variant:ident $name:literal $description:literal;)*) => {
        /// A kind of fault.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum FaultKind {
            $(#[doc = $description] $variant,)*
        }

        impl Fault {
            /// Every kind with its name and what it does.
            pub const ALL: &[(FaultKind, &str, &str)] = &[
                $((FaultKind::$variant, $name, $description),)*
            ];
        }
    };
}

kinds! {
    Unauthorized "unauthorized" "answers 401 without a body, as for a wrong password";
    UnauthorizedHtml "unauthorized-html" "answers 401 with an HTML page, as for a user without the MnT role";
    Forbidden "forbidden" "answers 403";
    NotFoundPath "not-found-path" "answers 404, as for a path that this release does not have";
    BadRequest "bad-request" "answers 400";
    WrongNode "wrong-node" "answers 500 with the words of a node that is no Monitoring node";
    ServerError "server-error" "answers 500 with an internal error that is no 'not found'";
    Overload502 "overload-502" "answers 502 with an HTML page, as an overloaded gateway does";
    Overload503 "overload-503" "answers 503";
    GatewayTimeout "gateway-timeout-504" "answers 504";
    LoginPage "login-page" "answers 200 with the HTML login page";
    Redirect "redirect" "answers 302 to the login page";
    EmptyBody "empty-body" "answers 200 without a body";
    Truncated "truncated" "ends the answer properly in the middle of an element";
    Reset "reset" "resets the connection in the middle of the body";
    ResetEarly "reset-early" "resets the connection before the answer's head";
    CountMismatch "count-mismatch" "announces three sessions more than a list has";
    Doctype "doctype" "puts a document type with nested entities before the root";
    Entity "entity" "refers to an entity that nobody declared";
    HugeField "huge-field" "sends a field of 100 MB";
    DeepNesting "deep-nesting" "nests 100,000 elements";
    InvalidUtf8 "invalid-utf8" "puts bytes that are no UTF-8 into the first field";
    HostileNames "hostile-names" "gives some users names with control characters, bidi overrides and formulas";
    Slow "slow" "sends the body at a byte a second";
    Stalled "stalled" "sends the head and then nothing";
    CoaFalse "coa-false" "answers a change of authorization with results false, and does nothing";
    CoaEmpty "coa-empty" "answers a change of authorization with an empty body, and does nothing";
    OldRoot "old-root" "calls the root of session lists activeSessionList, as old guides do";
    VerdictStrings "verdict-strings" "writes passed and failed as 1 and 0 of type xs:string";
    UserBackslash "user-backslash" "refuses user names with a backslash (400) or a slash (404) in the path";
    EndpointIpUnreliable "endpoint-ip-unreliable" "finds no session by the endpoint's IP address";
    TlsExpired "tls-expired" "shows an expired certificate";
    TlsNotYetValid "tls-not-yet-valid" "shows a certificate whose time has not come";
    TlsWrongName "tls-wrong-name" "shows a certificate for another name";
    TlsSelfSigned "tls-self-signed" "shows a certificate signed by itself";
    TlsUnknownIssuer "tls-unknown-issuer" "shows a certificate of a CA that the client does not know";
}

impl FaultKind {
    /// The certificate that this fault shows, if it is one of TLS.
    pub fn flavour(self) -> Option<Flavour> {
        match self {
            Self::TlsExpired => Some(Flavour::Expired),
            Self::TlsNotYetValid => Some(Flavour::NotYetValid),
            Self::TlsWrongName => Some(Flavour::WrongName),
            Self::TlsSelfSigned => Some(Flavour::SelfSigned),
            Self::TlsUnknownIssuer => Some(Flavour::UnknownIssuer),
            _ => None,
        }
    }

    /// Whether the fault can do anything to a request for `path`. One that cannot does not use up its `@N`.
    fn concerns(self, path: &str) -> bool {
        match self {
            Self::CountMismatch | Self::OldRoot => {
                path.contains("/ActiveList") || path.contains("/AuthList/")
            }
            Self::CoaFalse | Self::CoaEmpty => path.contains("/CoA/"),
            Self::UserBackslash => {
                path.contains("/UserName/") && (path.contains("%5C") || path.contains("%2F"))
            }
            Self::EndpointIpUnreliable => path.contains("/EndPointIPAddress/"),
            Self::VerdictStrings => path.contains("/Session/"),
            Self::HostileNames => false,
            _ => self.flavour().is_none(),
        }
    }
}

/// A fault that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    kind: FaultKind,
    first: Option<u64>,
    path_part: Option<String>,
}

impl Fault {
    /// A fault of every request.
    pub fn always(kind: FaultKind) -> Self {
        Self {
            kind,
            first: None,
            path_part: None,
        }
    }

    /// Its kind.
    pub fn kind(&self) -> FaultKind {
        self.kind
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL
            .iter()
            .find(|(kind, ..)| *kind == self.kind)
            .map_or("", |(_, name, _)| *name);
        f.write_str(name)?;
        if let Some(first) = self.first {
            write!(f, "@{first}")?;
        }
        self.path_part
            .as_ref()
            .map_or(Ok(()), |part| write!(f, ":{part}"))
    }
}

impl FromStr for Fault {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (head, path_part) = match text.split_once(':') {
            Some((head, part)) => (head, Some(part.to_owned())),
            None => (text, None),
        };
        let (name, first) = match head.split_once('@') {
            Some((name, number)) => {
                let number = number.parse().ok().filter(|number| *number > 0);
                let number = number.ok_or_else(|| {
                    Error::usage(format!("'{text}': after @ stands how many requests fail"))
                        .hint("write NAME[@N][:PATHPART], as overload-503@2:ActiveList")
                })?;
                (name, Some(number))
            }
            None => (head, None),
        };
        let kind = Self::ALL
            .iter()
            .find(|(_, known, _)| *known == name)
            .map(|(kind, ..)| *kind)
            .ok_or_else(|| {
                Error::usage(format!("there is no fault '{name}'"))
                    .hint("netapi ise lab faults lists them")
            })?;
        let on_population = kind == FaultKind::HostileNames;
        if (path_part.is_some() && (on_population || kind.flavour().is_some()))
            || (first.is_some() && on_population)
        {
            return Err(Error::usage(format!(
                "'{text}': {name} does not belong to single requests"
            ))
            .hint(format!("write just {name}")));
        }
        Ok(Self {
            kind,
            first,
            path_part,
        })
    }
}

/// The faults of one lab, with what is left of their `@N`.
#[derive(Debug, Default)]
pub struct Faults {
    active: Vec<(Fault, AtomicU64)>,
}

impl Faults {
    /// Arms `faults`.
    pub fn new(faults: Vec<Fault>) -> Self {
        let active = faults
            .into_iter()
            .map(|fault| {
                let left = fault.first.unwrap_or(u64::MAX);
                (fault, AtomicU64::new(left))
            })
            .collect();
        Self { active }
    }

    /// Whether `kind` was asked for.
    pub fn has(&self, kind: FaultKind) -> bool {
        self.active.iter().any(|(fault, _)| fault.kind == kind)
    }

    /// The faults that a request for `path` meets, in the order they were asked for. Uses up their `@N`.
    pub fn of_request(&self, path: &str) -> Vec<FaultKind> {
        self.active
            .iter()
            .filter(|(fault, left)| {
                fault.kind.concerns(path)
                    && fault
                        .path_part
                        .as_ref()
                        .is_none_or(|part| path.contains(part.as_str()))
                    && take(left)
            })
            .map(|(fault, _)| fault.kind)
            .collect()
    }

    /// The certificate that a new connection gets to see. Uses up the `@N` of the TLS faults.
    pub fn of_connection(&self) -> Flavour {
        self.active
            .iter()
            .filter_map(|(fault, left)| Some((fault.kind.flavour()?, left)))
            .find(|(_, left)| take(left))
            .map_or(Flavour::Good, |(flavour, _)| flavour)
    }
}

/// Takes one of what is left; `u64::MAX` is without end.
fn take(left: &AtomicU64) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| match left {
        0 => None,
        u64::MAX => Some(u64::MAX),
        left => Some(left - 1),
    })
    .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_and_written() {
        for (kind, name, description) in Fault::ALL {
            let fault: Fault = name.parse().unwrap();
            assert_eq!(fault.kind(), *kind);
            assert_eq!(fault.to_string(), *name);
            assert!(!description.is_empty());
        }
        let text = "reset@3:Session/ActiveList";
        assert_eq!(text.parse::<Fault>().unwrap().to_string(), text);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for text in [
            "",
            "no-such",
            "reset@",
            "reset@0",
            "reset@x",
            "hostile-names@1",
            "hostile-names:x",
            "tls-expired:x",
            "Reset",
        ] {
            assert!(text.parse::<Fault>().is_err(), "{text}");
        }
    }

    #[test]
    fn limits_count_only_requests_that_are_met() {
        let faults = Faults::new(vec![
            "overload-503@2:ActiveList".parse().unwrap(),
            "coa-false@1".parse().unwrap(),
            "tls-expired@1".parse().unwrap(),
        ]);
        assert_eq!(faults.of_request("/Version"), []);
        assert_eq!(faults.of_request("/ActiveList"), [FaultKind::Overload503]);
        assert_eq!(faults.of_request("/ActiveList"), [FaultKind::Overload503]);
        assert_eq!(faults.of_request("/ActiveList"), []);
        assert_eq!(faults.of_request("/CoA/x"), [FaultKind::CoaFalse]);
        assert_eq!(faults.of_request("/CoA/x"), []);
        assert_eq!(faults.of_connection(), Flavour::Expired);
        assert_eq!(faults.of_connection(), Flavour::Good);
    }
}
