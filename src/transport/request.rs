//! A request as data, before anything is sent: what `--dry-run` shows, `--curl` spells and the
//! client sends.

use secrecy::SecretString;

use crate::error::Error;

/// The HTTP methods that ISE's APIs use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET: MnT reads, and MnT change of authorization too (see [`Effect`]).
    Get,
    /// POST: everything in pxGrid.
    Post,
    /// PUT: settings of Data Connect.
    Put,
    /// DELETE: MnT session records.
    Delete,
}

/// What a request does to the network, whatever its method: a MnT change of authorization is a GET.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Reads only: repeated once on connection trouble.
    Read,
    /// Changes something: sent at most once, refused by `--read-only`.
    Change,
}

/// HTTP Basic credentials. `Debug` shows no password.
#[derive(Debug, Clone)]
pub struct Basic {
    /// The user: a MnT administrator, or our own pxGrid node name (reference pxgrid-api, section
    /// 2).
    pub user: String,
    /// The password or access secret.
    pub password: SecretString,
}

/// Whether HTTP Basic can carry it as a user: it parts user and password at the first colon (RFC
/// 7617, section 2), so a user with one would be another user; and a control character belongs in
/// no header.
pub fn is_basic_user(user: &str) -> bool {
    !user.contains(|c: char| c == ':' || c.is_control())
}

/// The error for what changes something under `--read-only`; `change` says what and what of (`coa
/// changes the network`).
pub fn refused_by_read_only(change: &str) -> Error {
    Error::usage(format!("{change}, and --read-only is set"))
        .hint("leave out --read-only, or unset NETAPI_READ_ONLY")
        .nothing_sent()
}

/// One request.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The whole URL, already percent-encoded.
    pub url: String,
    /// The `Accept` header.
    pub accept: &'static str,
    /// Basic credentials, if any are to be sent.
    pub basic: Option<Basic>,
    /// A JSON body, sent with its content type.
    pub json: Option<Vec<u8>>,
    /// Read or change.
    pub effect: Effect,
}
