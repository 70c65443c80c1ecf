//! Named faults: what goes wrong in the field, on demand.
//!
//! A fault is written `NAME[@N][~SECONDS][:PATHPART]`: `@N` limits it to the first N requests that
//! it applies to, `~SECONDS` lets it begin so long after it was asked for, `:PATHPART` limits it to
//! requests whose path, as sent, contains that text. `overload-503@2` overloads twice and then
//! recovers; `reset:ActiveList` resets lists only. The TLS faults apply to connections, and
//! `hostile-names` to the population, so these take no `:PATHPART`, and `hostile-names` nothing at
//! all.
//!
//! Faults of pubsub apply to connections (`ws-…`, `slow-consumer-cut`) or to numbered messages;
//! their `:PATHPART` is a part of the topic. Those of connections strike a second, or `~SECONDS`,
//! after the first subscription; those of messages strike each fourth. `node-down:2` takes node 2
//! away.
//!
//! Faults of Data Connect (`dc-…`) apply to stages of a connection or to statements, not to paths.
//!
//! For `ServiceLookup` the path ends with the service that is looked up. `anc-failure:REASON` has a
//! reason in place of a part of the path.
//!
//! This file names them, `active` chooses whom they meet; `mnt`, `pxgrid` and `data_connect` carry
//! them out.

mod active;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::certificates::Flavour;
use super::data_connect::Stage;
use crate::error::{Error, Result};

pub use active::Faults;

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
    HostileNames "hostile-names" "gives some users names with control characters, bidi overrides, formulas and markup";
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
    OwnNameOnly "own-name-only" "pxGrid: answers 401 to calls that do not name the client itself as Basic user, whatever its certificate says";
    SecretIgnored "secret-ignored" "pxGrid: services take any password together with a client certificate, as ISE 3.4 seems to";
    AncFailure "anc-failure" "pxGrid: ANC operations fail; :REASON is the reason";
    AncRunning "anc-running" "pxGrid: ANC operations never end";
    WsUpgradeRefused "ws-upgrade-refused" "pubsub: answers 503 to the WebSocket upgrade";
    WsClose "ws-close" "pubsub: closes the WebSocket, as a node that goes away";
    WsError "ws-error" "pubsub: sends an ERROR frame and closes";
    WsReset "ws-reset" "pubsub: resets the connection";
    WsSilence "ws-silence" "pubsub: falls silent: no messages, no pings, no answers";
    SlowConsumerCut "slow-consumer-cut" "pubsub: cuts the connection in the middle of a frame, as for a consumer that is too slow";
    SequenceGap "sequence-gap" "pubsub: loses each fourth numbered message; @N: N of them";
    Duplicate "duplicate" "pubsub: sends each fourth numbered message twice; @N: N of them";
    PublisherRestart "publisher-restart" "pubsub: counts from 0 again after each third message; @N: N times";
    NodeDown "node-down" "pxGrid: takes a node away; :NUMBER says which";
    ClientCertRefused "client-cert-refused" "pxGrid: refuses every client certificate in the TLS handshake";
    TlsNoClientAuth "tls-no-client-auth" "pxGrid: does not ask for a client certificate";
    DcHang "dc-hang" "Data Connect: falls silent; :STAGE is tls, connect, protocol, types, logon1, logon2, execute or fetch";
    DcDrop "dc-drop" "Data Connect: drops the connection; :STAGE as for dc-hang";
    DcSlow "dc-slow" "Data Connect: statements take a minute; :PART of the statement";
    DcLocked "dc-locked" "Data Connect: the account is locked (ORA-28000)";
    DcExpired "dc-expired" "Data Connect: the password has expired (ORA-28001)";
    DcExpiring "dc-expiring" "Data Connect: warns at the logon that the password will expire (ORA-28002)";
    DcWrongService "dc-wrong-service" "Data Connect: does not know the service (ORA-12514), as a node that is not the right one";
    DcSessionLimit "dc-session-limit" "Data Connect: ends the session at a statement (ORA-02399), as ISE does after a fixed time";
    DcMissing "dc-missing" "Data Connect: lacks a view or a column; :VIEW or :VIEW.COLUMN";
    DcInvalidUtf8 "dc-invalid-utf8" "Data Connect: names have a byte that is no UTF-8";
    DcRegions "dc-regions" "Data Connect: times with a zone name a region, not an offset";
    DcRedirect "dc-redirect" "Data Connect: the listener redirects to its own address";
    DcOldVerifier "dc-old-verifier" "Data Connect: the password is kept as in 11g";
    TlsExpired "tls-expired" "shows an expired certificate";
    TlsNotYetValid "tls-not-yet-valid" "shows a certificate whose time has not come";
    TlsWrongName "tls-wrong-name" "shows a certificate for another name";
    TlsSelfSigned "tls-self-signed" "shows a certificate signed by itself";
    TlsUnknownIssuer "tls-unknown-issuer" "shows a certificate of a CA that the client does not know";
}

impl FaultKind {
    /// How it is written.
    fn name(self) -> &'static str {
        Fault::ALL
            .iter()
            .find(|(kind, ..)| *kind == self)
            .map_or("", |(_, name, _)| *name)
    }

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

    /// Whether it ends or silences a pubsub connection.
    fn is_of_websocket(self) -> bool {
        matches!(
            self,
            Self::WsClose | Self::WsError | Self::WsReset | Self::WsSilence | Self::SlowConsumerCut
        )
    }

    /// Whether it is one of Data Connect, which is no HTTP.
    fn is_of_data_connect(self) -> bool {
        self.name().starts_with("dc-")
    }

    /// Whether it is one of numbered messages.
    fn is_of_messages(self) -> bool {
        matches!(
            self,
            Self::SequenceGap | Self::Duplicate | Self::PublisherRestart
        )
    }

    /// Whether it can come and go while the lab runs: what certificates and names need is made at
    /// the start.
    fn is_of_the_start(self) -> bool {
        self == Self::HostileNames || self.flavour().is_some() || self.is_client_authentication()
    }

    /// Whether the fault can do anything to a request for `path`. One that cannot does not use up
    /// its `@N`.
    fn concerns(self, path: &str) -> bool {
        match self {
            Self::WsUpgradeRefused => path.starts_with(PUBSUB),
            Self::NodeDown => false,
            _ if self.is_of_websocket() || self.is_of_messages() => false,
            _ if self.is_of_data_connect() => false,
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
            Self::WrongShape | Self::HugeElement | Self::OwnNameOnly => path.starts_with(PXGRID),
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
/// Where the pubsub nodes' WebSocket is.
const PUBSUB: &str = "/pxgrid/ise/pubsub";
/// Where the paths of services begin.
const SERVICES: &str = "/pxgrid/ise/";

/// A fault that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    kind: FaultKind,
    first: Option<u64>,
    after: Option<Duration>,
    path_part: Option<String>,
}

impl Fault {
    /// A fault of every request.
    pub fn always(kind: FaultKind) -> Self {
        Self {
            kind,
            first: None,
            after: None,
            path_part: None,
        }
    }

    /// What stands behind the `:`.
    pub fn part(&self) -> Option<&str> {
        self.path_part.as_deref()
    }

    /// Its kind.
    pub fn kind(&self) -> FaultKind {
        self.kind
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        if let Some(first) = self.first
            && (self.kind != FaultKind::SecretRefusedOnce || first != 1)
        {
            write!(f, "@{first}")?;
        }
        if let Some(after) = self.after {
            write!(f, "~{}", after.as_secs_f64())?;
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
        let end = head.find(['@', '~']).unwrap_or(head.len());
        let (name, limits) = head.split_at(end);
        let (first, after) = limits_of(text, limits)?;
        let kind = Self::ALL
            .iter()
            .find(|(_, known, _)| *known == name)
            .map(|(kind, ..)| *kind)
            .ok_or_else(|| {
                Error::usage(format!("there is no fault '{name}'"))
                    .hint("netapi ise lab faults lists them")
            })?;
        let first = first.or((kind == FaultKind::SecretRefusedOnce).then_some(1));
        let fault = Self {
            kind,
            first,
            after,
            path_part,
        };
        fault.check(text, name)?;
        Ok(fault)
    }
}

impl Fault {
    /// Whether what was written behind the name belongs to this kind.
    fn check(&self, text: &str, name: &str) -> Result<()> {
        let kind = self.kind;
        let on_population = kind == FaultKind::HostileNames;
        let limited = self.first.is_some() || self.after.is_some();
        if (self.path_part.is_some() && kind.is_of_the_start()) || (limited && on_population) {
            return Err(Error::usage(format!(
                "'{text}': {name} does not belong to single requests"
            ))
            .hint(format!("write just {name}")));
        }
        let part = self.path_part.as_deref();
        let is_stage = |part: &str| Stage::ALL.iter().any(|stage| stage.name() == part);
        if matches!(kind, FaultKind::DcHang | FaultKind::DcDrop) && !part.is_none_or(is_stage) {
            let stages = Stage::ALL.map(Stage::name).join(", ");
            return Err(Error::usage(format!("'{text}': there is no such stage"))
                .hint(format!("the stages are {stages}")));
        }
        if kind == FaultKind::DcMissing && part.is_none_or(str::is_empty) {
            return Err(
                Error::usage(format!("'{text}': what is missing is not said")).hint(
                    "write dc-missing:RADIUS_ERRORS_VIEW or dc-missing:ENDPOINTS_DATA.HOSTNAME",
                ),
            );
        }
        let is_node = |part: &String| part.parse().is_ok_and(|number: u16| number > 0);
        if kind == FaultKind::NodeDown
            && (!self.path_part.as_ref().is_some_and(is_node) || self.first.is_some())
        {
            return Err(
                Error::usage(format!("'{text}': which node goes down is not said"))
                    .hint("write node-down:1, or node-down~30:1 for one that goes down later"),
            );
        }
        Ok(())
    }
}

/// How many, and after how long: `@N` and `~SECONDS` in any order.
fn limits_of(text: &str, limits: &str) -> Result<(Option<u64>, Option<Duration>)> {
    let (mut first, mut after) = (None, None);
    let mut rest = limits;
    while let Some(mark) = rest.chars().next() {
        let body = rest.get(1..).unwrap_or_default();
        let end = body.find(['@', '~']).unwrap_or(body.len());
        let (value, later) = body.split_at(end);
        if mark == '@' && first.is_none() {
            let number = value.parse().ok().filter(|number| *number > 0);
            first = Some(number.ok_or_else(|| {
                Error::usage(format!("'{text}': after @ stands how many requests fail"))
                    .hint("write NAME[@N][~SECONDS][:PATHPART], as overload-503@2:ActiveList")
            })?);
        } else if mark == '~' && after.is_none() {
            let seconds = value.parse().ok();
            let seconds = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            // Far below what could overflow a clock.
            let seconds = seconds.filter(|seconds| *seconds <= Duration::from_hours(24));
            after = Some(seconds.ok_or_else(|| {
                Error::usage(format!(
                    "'{text}': after ~ stands in how many seconds it begins"
                ))
                .hint("write NAME~5, or NAME~0.5")
            })?);
        } else {
            return Err(Error::usage(format!("'{text}' says one thing twice")));
        }
        rest = later;
    }
    Ok((first, after))
}
