//! The table of settings (contract, section 3) as data: for each its flag, its variables in order,
//! its profile key and its default.
//!
//! Credentials and certificates are taken in pairs, so their order is the affair of `credentials`;
//! here stand their names.

use std::ffi::OsString;

use super::flags::{Flags, many, one, port, switch};
use super::proxy;
use super::value::{self, RawValue};
use crate::error::Result;

/// One row of the table.
pub(crate) struct Spec {
    /// The setting's name in `config show`.
    pub(crate) name: &'static str,
    /// The option, with its dashes.
    pub(crate) flag: &'static str,
    /// What the option was given.
    pub(crate) given: fn(&Flags) -> Vec<OsString>,
    /// Variables, first found wins.
    pub(crate) variables: &'static [&'static str],
    /// The key in a profile.
    pub(crate) key: &'static str,
    /// The value where nobody set one.
    pub(crate) default: Option<&'static str>,
    /// Whether a variable holds several values, parted by commas.
    pub(crate) list: bool,
    /// Whether the value is well formed, for `config show`.
    pub(crate) check: fn(&RawValue) -> Result<()>,
}

pub(crate) const MNT_HOST: Spec = Spec {
    name: "mnt-host",
    flag: "--mnt-host",
    given: |flags| one(flags.mnt_host.as_ref()),
    variables: &[
        "ISE_MNT_FQDN",
        "ISE_MNT_IP",
        "ISE_PAN_FQDN",
        "ISE_PAN_IP",
        "ISE_HOST",
    ],
    key: "mnt_host",
    default: None,
    list: false,
    check: |found| found.hosts().map(drop),
};

pub(crate) const MNT_PORT: Spec = Spec {
    name: "mnt-port",
    flag: "--mnt-port",
    given: |flags| port(flags.mnt_port),
    variables: &["ISE_MNT_PORT"],
    key: "mnt_port",
    default: Some("443"),
    list: false,
    check: |found| found.port().map(drop),
};

pub(crate) const MNT_CA: Spec = Spec {
    name: "cacert (mnt)",
    flag: "--cacert",
    given: |flags| one(flags.cacert.as_ref()),
    variables: &["ISE_CA_CERT", "ISE_MTLS_CA"],
    key: "cacert",
    default: None,
    list: false,
    check: value::a_path,
};

pub(crate) const PXGRID_CA: Spec = Spec {
    name: "cacert (pxgrid)",
    variables: &["PXGRID_CA", "ISE_MTLS_CA", "ISE_CA_CERT"],
    ..MNT_CA
};

pub(crate) const PXGRID_HOSTS: Spec = Spec {
    name: "pxgrid-host",
    flag: "--pxgrid-host",
    given: |flags| many(&flags.pxgrid_host),
    variables: &["ISE_PXGRID_HOST", "ISE_PAN_FQDN", "ISE_PAN_IP"],
    key: "pxgrid_hosts",
    default: None,
    list: true,
    check: |found| found.hosts().map(drop),
};

pub(crate) const PXGRID_PORT: Spec = Spec {
    name: "pxgrid-port",
    flag: "--pxgrid-port",
    given: |flags| port(flags.pxgrid_port),
    variables: &["ISE_PXGRID_PORT"],
    key: "pxgrid_port",
    default: Some("8910"),
    list: false,
    check: |found| found.port().map(drop),
};

pub(crate) const CLIENT_NAME: Spec = Spec {
    name: "client-name",
    flag: "--client-name",
    given: |flags| one(flags.client_name.as_ref()),
    variables: &["ISE_PXGRID_CLIENT_NAME", "ISE_PXGRID_CLIENT"],
    key: "client_name",
    default: None,
    list: false,
    check: |found| found.name().map(drop),
};

pub(crate) const DC_HOST: Spec = Spec {
    name: "dc-host",
    flag: "--dc-host",
    given: |flags| one(flags.dc_host.as_ref()),
    variables: &["ISE_DC_HOST"],
    key: "dc_host",
    default: None,
    list: false,
    check: |found| found.hosts().map(drop),
};

pub(crate) const DC_PORT: Spec = Spec {
    name: "dc-port",
    flag: "--dc-port",
    given: |flags| port(flags.dc_port),
    variables: &["ISE_DC_PORT"],
    key: "dc_port",
    default: Some("2484"),
    list: false,
    check: |found| found.port().map(drop),
};

pub(crate) const DC_SERVICE: Spec = Spec {
    name: "dc-service",
    flag: "--dc-service",
    given: |flags| one(flags.dc_service.as_ref()),
    variables: &["ISE_DC_SERVICE"],
    key: "dc_service",
    default: Some("cpm10"),
    list: false,
    check: |found| found.name().map(drop),
};

pub(crate) const DC_USER: Spec = Spec {
    name: "dc-user",
    flag: "--dc-user",
    given: |flags| one(flags.dc_user.as_ref()),
    variables: &["ISE_DC_USER"],
    key: "dc_user",
    default: Some("dataconnect"),
    list: false,
    check: |found| found.name().map(drop),
};

pub(crate) const RESOLVE: Spec = Spec {
    name: "resolve",
    flag: "--resolve",
    given: |flags| many(&flags.resolve),
    variables: &["NETAPI_RESOLVE"],
    key: "resolve",
    default: None,
    list: true,
    check: |found| found.texts().map(drop),
};

pub(crate) const PROXY: Spec = Spec {
    name: "proxy",
    flag: "--proxy",
    given: |flags| one(flags.proxy.as_ref()),
    variables: &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
    key: "proxy",
    default: None,
    list: false,
    check: |found| proxy::address(found).map(drop),
};

/// Hosts without proxy: the switch is for all of them.
pub(crate) const NO_PROXY: Spec = Spec {
    name: "no-proxy",
    flag: "--no-proxy",
    given: |flags| switch(flags.no_proxy, "*"),
    variables: &["no_proxy", "NO_PROXY"],
    key: "no_proxy",
    default: None,
    list: true,
    check: |found| proxy::exceptions(found).map(drop),
};

pub(crate) const PROXY_CA: Spec = Spec {
    name: "proxy-cacert",
    flag: "--proxy-cacert",
    given: |flags| one(flags.proxy_cacert.as_ref()),
    variables: &["NETAPI_PROXY_CA"],
    key: "proxy_cacert",
    default: None,
    list: false,
    check: value::non_empty,
};

pub(crate) const INSECURE: Spec = Spec {
    name: "insecure",
    flag: "--insecure",
    given: |flags| switch(flags.insecure, "true"),
    variables: &["NETAPI_INSECURE"],
    key: "insecure",
    default: Some("false"),
    list: false,
    check: |found| found.boolean().map(drop),
};

pub(crate) const VERIFY_HOSTNAME: Spec = Spec {
    name: "verify-hostname",
    flag: "--no-verify-hostname",
    given: |flags| switch(flags.no_verify_hostname, "false"),
    variables: &[],
    key: "verify_hostname",
    default: Some("true"),
    list: false,
    check: |found| found.boolean().map(drop),
};

pub(crate) const PIN: Spec = Spec {
    name: "pin-sha256",
    flag: "--pin-sha256",
    given: |flags| one(flags.pin_sha256.as_ref()),
    variables: &[],
    key: "pin_sha256",
    default: None,
    list: false,
    check: |found| found.fingerprint().map(drop),
};

pub(crate) const CONNECT_TIMEOUT: Spec = Spec {
    name: "connect-timeout",
    flag: "--connect-timeout",
    given: |flags| one(flags.connect_timeout.as_ref()),
    variables: &[],
    key: "connect_timeout",
    default: Some("10s"),
    list: false,
    check: |found| found.timeout().map(drop),
};

pub(crate) const TIMEOUT: Spec = Spec {
    name: "timeout",
    flag: "--timeout",
    given: |flags| one(flags.timeout.as_ref()),
    variables: &[],
    key: "timeout",
    default: Some("60s"),
    list: false,
    check: |found| found.timeout().map(drop),
};

pub(crate) const READ_ONLY: Spec = Spec {
    name: "read-only",
    flag: "--read-only",
    given: |flags| switch(flags.read_only, "true"),
    variables: &["NETAPI_READ_ONLY"],
    key: "read_only",
    default: Some("false"),
    list: false,
    check: |found| found.boolean().map(drop),
};

/// User and password variables of the Monitoring node, first found pair wins.
pub(crate) const MNT_PAIRS: [(&str, &str); 3] = [
    ("ISE_MNT_USER", "ISE_MNT_PASS"),
    ("ISE_API_USER", "ISE_API_PASS"),
    ("ISE_USER", "ISE_PASS"),
];

/// Certificate and key variables, first found pair wins.
pub(crate) const CERTIFICATE_PAIRS: [(&str, &str); 2] = [
    ("PXGRID_CERT", "PXGRID_KEY"),
    ("ISE_MTLS_CERT", "ISE_MTLS_KEY"),
];
