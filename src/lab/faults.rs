//! Named faults: what goes wrong in the field, on demand.
//!
//! A fault is written `NAME[@N][:PATHPART]`: `@N` limits it to the first N requests that it applies to, `:PATHPART` to requests
//! whose path, as sent, contains that text. `overload-503@2` overloads twice and then recovers; `reset:ActiveList` resets
//! lists only. The TLS faults apply to connections, and `hostile-names` to the population, so these take no `:PATHPART`, and `hostile-names` no `@N`.
//!
//! For `ServiceLookup` the path ends with the service that is looked up. `anc-failure:REASON` has a reason in place of a part of the path.
//!
//! This file names and chooses; `mnt` and `pxgrid` carry them out.

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
    WrongShape "wrong-shape" "pxGrid: calls the list in the answer by another name";
    HugeElement "huge-element" "pxGrid: sends a list element of 300 MB";
    PolicyRefused "policy-refused" "pxGrid: answers 403 to operations of services, as when the policy does not let this client do them";
    AccountPending "account-pending" "pxGrid: the account waits for approval; @N: for N activations";
    AccountDisabled "account-disabled" "pxGrid: the account is disabled";
    AccountCreateForbidden "account-create-403" "pxGrid: refuses to create password accounts with 403";
    AccountCreateUnavailable "account-create-503" "pxGrid: refuses to create password accounts with 503";
    LookupEmpty "lookup-empty" "pxGrid: knows no provider; :SERVICE for one service";
    DeadReplica "dead-replica" "pxGrid: announces first a replica that is not there";
    DeadReplicaShuffled "dead-replica-shuffled" "pxGrid: announces anywhere in the list a replica that is not there";
    SecretRefused "secret-refused" "pxGrid: services answer 401 to every secret";
    SecretRefusedOnce "secret-refused-once" "pxGrid: services answer 401 to a good secret, once";
    SecretRotation "secret-rotation" "pxGrid: a service changes the secret before it looks at it; @N: for N requests";
    SecretIgnored "secret-ignored" "pxGrid: services take any password together with a client certificate, as ISE 3.4 seems to";
    AncFailure "anc-failure" "pxGrid: ANC operations fail; :REASON is the reason";
    AncRunning "anc-running" "pxGrid: ANC operations never end";
    ClientCertRefused "client-cert-refused" "pxGrid: refuses every client certificate in the TLS handshake";
    TlsNoClientAuth "tls-no-client-auth" "pxGrid: does not ask for a client certificate";
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

    /// Whether it is one of the pxGrid nodes' handshakes.
    fn is_client_authentication(self) -> bool {
        matches!(self, Self::ClientCertRefused | Self::TlsNoClientAuth)
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
            Self::WrongNode
            | Self::Doctype
            | Self::Entity
            | Self::HugeField
            | Self::UnauthorizedHtml => !path.starts_with(PXGRID),
            Self::WrongShape | Self::HugeElement => path.starts_with(PXGRID),
            Self::PolicyRefused
            | Self::SecretRefused
            | Self::SecretRefusedOnce
            | Self::SecretRotation
            | Self::SecretIgnored => path.starts_with(SERVICES),
            Self::AccountPending | Self::AccountDisabled => path.ends_with("/AccountActivate"),
            Self::AccountCreateForbidden | Self::AccountCreateUnavailable => {
                path.ends_with("/AccountCreate")
            }
            Self::LookupEmpty | Self::DeadReplica | Self::DeadReplicaShuffled => {
                path.contains("/ServiceLookup")
            }
            Self::AncFailure | Self::AncRunning => {
                path.contains("/anc/apply") || path.contains("/anc/clear")
            }
            _ => self.flavour().is_none() && !self.is_client_authentication(),
        }
    }
}

/// Where the pxGrid nodes' paths begin.
const PXGRID: &str = "/pxgrid/";
/// Where those of their services do.
const SERVICES: &str = "/pxgrid/ise/";

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
        if let Some(first) = self.first
            && (self.kind != FaultKind::SecretRefusedOnce || first != 1)
        {
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
        let first = first.or((kind == FaultKind::SecretRefusedOnce).then_some(1));
        let on_population = kind == FaultKind::HostileNames;
        let on_connections = kind.flavour().is_some() || kind.is_client_authentication();
        if (path_part.is_some() && (on_population || on_connections))
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
                    && fault.path_part.as_ref().is_none_or(|part| {
                        fault.kind == FaultKind::AncFailure || path.contains(part.as_str())
                    })
                    && take(left)
            })
            .map(|(fault, _)| fault.kind)
            .collect()
    }

    /// What was written behind the `:` of `kind`.
    pub fn text_of(&self, kind: FaultKind) -> Option<&str> {
        self.active
            .iter()
            .find(|(fault, _)| fault.kind == kind)
            .and_then(|(fault, _)| fault.path_part.as_deref())
    }

    /// How a pxGrid node treats client certificates on a new connection, if not as it should. Uses up the `@N`.
    pub fn of_client_authentication(&self) -> Option<FaultKind> {
        self.active
            .iter()
            .filter(|(fault, _)| fault.kind.is_client_authentication())
            .find(|(_, left)| take(left))
            .map(|(fault, _)| fault.kind)
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
