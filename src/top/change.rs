//! What the live screen can do to an endpoint, in words. Nothing is sent from here: a change is only
//! ever handed out after its question was answered with y.

use crate::mnt::Coa;
use crate::record::Mac;

/// A change of one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    /// The endpoint.
    pub(crate) mac: Mac,
    /// What is done to it.
    pub(crate) kind: ChangeKind,
}

/// What is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ChangeKind {
    /// This ANC policy is put on the endpoint; the name as the server wrote it.
    Apply(String),
    /// The ANC policy is taken off.
    Clear,
    /// A change of authorization is sent.
    Coa(Coa),
}

/// The changes of authorization, the gentlest first.
pub(super) const COA: [Coa; 4] = [
    Coa::Reauth,
    Coa::Disconnect,
    Coa::PortBounce,
    Coa::PortShutdown,
];

/// What a change of authorization is called, as `coa --type` has it.
pub(super) fn coa_name(coa: Coa) -> &'static str {
    match coa {
        Coa::Reauth => "reauth",
        Coa::Disconnect => "disconnect",
        Coa::PortBounce => "port-bounce",
        Coa::PortShutdown => "port-shutdown",
    }
}

/// What it does.
pub(super) fn coa_does(coa: Coa) -> &'static str {
    match coa {
        Coa::Reauth => "authenticate again",
        Coa::Disconnect => "end the session",
        Coa::PortBounce => "take the port down and up",
        Coa::PortShutdown => "shut the port",
    }
}

impl Change {
    /// What it is, with its endpoint; not made safe for a terminal.
    pub(crate) fn words(&self) -> String {
        let mac = self.mac;
        match &self.kind {
            ChangeKind::Apply(policy) => format!("{policy} for {mac}"),
            ChangeKind::Clear => format!("clearing {mac}"),
            ChangeKind::Coa(coa) => format!("{} of {mac}", coa_name(*coa)),
        }
    }

    /// How to look what became of it.
    pub(crate) fn look(&self) -> String {
        let mac = self.mac;
        match self.kind {
            ChangeKind::Apply(_) | ChangeKind::Clear => {
                format!("look with `netapi ise pxgrid anc endpoint {mac}`")
            }
            ChangeKind::Coa(_) => format!("look with `netapi ise mnt session {mac}`"),
        }
    }

    /// The question before it, of an endpoint that is called so.
    pub(super) fn question(&self, endpoint: &str) -> String {
        match &self.kind {
            ChangeKind::Apply(policy) => format!("Put {policy} on {endpoint}?"),
            ChangeKind::Clear => format!("Take the ANC policy off {endpoint}?"),
            ChangeKind::Coa(coa) => format!(
                "Send a change of authorization ({}: {}) to {endpoint}?",
                coa_name(*coa),
                coa_does(*coa)
            ),
        }
    }
}
