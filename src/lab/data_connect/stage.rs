//! The stages of a client's way to its rows, at each of which a fault can silence the server.

/// A stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The TLS handshake.
    Tls,
    /// CONNECT and ACCEPT.
    Connect,
    /// What both sides can do.
    Protocol,
    /// Which types they have.
    Types,
    /// The logon's challenge.
    LogonBegin,
    /// The password.
    LogonEnd,
    /// A statement.
    Execute,
    /// More of its rows.
    Fetch,
}

impl Stage {
    /// Every stage, in their order.
    pub const ALL: [Self; 8] = [
        Self::Tls,
        Self::Connect,
        Self::Protocol,
        Self::Types,
        Self::LogonBegin,
        Self::LogonEnd,
        Self::Execute,
        Self::Fetch,
    ];

    /// As faults are written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Connect => "connect",
            Self::Protocol => "protocol",
            Self::Types => "types",
            Self::LogonBegin => "logon1",
            Self::LogonEnd => "logon2",
            Self::Execute => "execute",
            Self::Fetch => "fetch",
        }
    }
}
