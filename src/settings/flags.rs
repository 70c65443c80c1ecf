//! What was typed: the global options of the contract's section 3, filled in by the command line's
//! parser.

use std::ffi::OsString;
use std::path::PathBuf;

/// The options as they were given; `None`, empty and `false` mean not given. Texts are checked when
/// a setting is demanded.
#[derive(Debug, Clone, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one switch of the command line, independent of the others"
)]
pub struct Flags {
    /// `--profile NAME`.
    pub profile: Option<String>,
    /// What belongs to one deployment (hosts, accounts, certificates, trust) comes from the profile
    /// alone: several deployments are asked, and what the environment has is for one of them.
    pub profile_alone: bool,
    /// `--config FILE`.
    pub config: Option<PathBuf>,
    /// `--env-file FILE`.
    pub env_file: Option<PathBuf>,
    /// `--mnt-host HOST` or `HOST:PORT`.
    pub mnt_host: Option<String>,
    /// `--mnt-port PORT`.
    pub mnt_port: Option<u16>,
    /// `--mnt-user NAME`.
    pub mnt_user: Option<String>,
    /// `--password-file FILE`; `-` is standard input.
    pub password_file: Option<PathBuf>,
    /// `--cacert FILE`.
    pub cacert: Option<PathBuf>,
    /// `--pxgrid-host HOST` or `HOST:PORT`, repeated.
    pub pxgrid_host: Vec<String>,
    /// `--pxgrid-port PORT`.
    pub pxgrid_port: Option<u16>,
    /// `--client-name NAME`.
    pub client_name: Option<String>,
    /// `--cert FILE`.
    pub cert: Option<PathBuf>,
    /// `--key FILE`.
    pub key: Option<PathBuf>,
    /// `--key-password-file FILE`; `-` is standard input.
    pub key_password_file: Option<PathBuf>,
    /// `--client-password-file FILE`; `-` is standard input.
    pub client_password_file: Option<PathBuf>,
    /// `--dc-host HOST`.
    pub dc_host: Option<String>,
    /// `--dc-port PORT`.
    pub dc_port: Option<u16>,
    /// `--dc-service NAME`.
    pub dc_service: Option<String>,
    /// `--dc-user NAME`.
    pub dc_user: Option<String>,
    /// `--dc-password-file FILE`; `-` is standard input.
    pub dc_password_file: Option<PathBuf>,
    /// `--resolve HOST:PORT:ADDR`, repeated.
    pub resolve: Vec<String>,
    /// `--proxy URL`, without a password.
    pub proxy: Option<String>,
    /// `--no-proxy`.
    pub no_proxy: bool,
    /// `--proxy-credentials-file FILE`; `-` is standard input.
    pub proxy_credentials_file: Option<PathBuf>,
    /// `--proxy-cacert FILE`.
    pub proxy_cacert: Option<PathBuf>,
    /// `--insecure`.
    pub insecure: bool,
    /// `--no-verify-hostname`.
    pub no_verify_hostname: bool,
    /// `--pin-sha256 HEX`.
    pub pin_sha256: Option<String>,
    /// `--connect-timeout DURATION`.
    pub connect_timeout: Option<String>,
    /// `--timeout DURATION`.
    pub timeout: Option<String>,
    /// `--read-only`.
    pub read_only: bool,
    /// `--no-input`.
    pub no_input: bool,
}

/// An option's value as a list of at most one.
pub(crate) fn one<T: Clone + Into<OsString>>(value: Option<&T>) -> Vec<OsString> {
    value.cloned().map(Into::into).into_iter().collect()
}

/// A port's value as a list of at most one.
pub(crate) fn port(value: Option<u16>) -> Vec<OsString> {
    value
        .map(|port| port.to_string().into())
        .into_iter()
        .collect()
}

/// A repeated option's values.
pub(crate) fn many(values: &[String]) -> Vec<OsString> {
    values.iter().map(OsString::from).collect()
}

/// What a switch sets its setting to, if it was given.
pub(crate) fn switch(given: bool, means: &str) -> Vec<OsString> {
    given.then(|| OsString::from(means)).into_iter().collect()
}
