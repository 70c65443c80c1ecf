//! The columns that session lists and details share. Member names differ from document to document
//! (reference mnt-api, section 2.5); a column names them all.

use crate::mnt::members;
use crate::render::{CellKind, Column, Columns, column, first_of, with};

/// Columns of the active list.
pub(crate) const SESSION: Columns = Columns::of(ACTIVE, members::ACTIVE);

const ACTIVE: &[Column] = &[
    column("MAC", "calling_station_id"),
    first_of("IP", &["framed_ip_address", "framed_ipv6_address"]).kind(CellKind::Addresses),
    first_of("USER", &["user_name", "username", "radius_username"]),
    first_of("NAS", &["nas_ip_address", "nas_ipv6_address"]),
    first_of("SERVER", &["server", "acs_server"]),
];

/// Columns of the active list with one detail call a row.
pub(crate) const SESSION_DETAIL: Columns = Columns::of(DETAIL, members::SESSION);

const DETAIL: &[Column] = &[
    column("MAC", "calling_station_id"),
    first_of("IP", &["framed_ip_address", "framed_ipv6_address"]).kind(CellKind::Addresses),
    first_of("USER", &["user_name", "username", "radius_username"]),
    first_of("NAS", &["nas_ip_address", "nas_ipv6_address"]),
    first_of("SERVER", &["acs_server", "server"]),
    column("PORT", "nas_port_id").kind(CellKind::Port),
    first_of("METHOD", &["authentication_method", "auth_method"]).kind(CellKind::Enumeration(0)),
    column("PROFILE", "endpoint_policy"),
    first_of("SGT", &["cts_security_group", "security_group"]),
];

/// Columns of authentication attempts.
pub(crate) const ATTEMPT: Columns = Columns::of(ATTEMPTS, members::ATTEMPT);

const ATTEMPTS: &[Column] = &[
    first_of("TIME", &["acs_timestamp", "auth_acs_timestamp"]).kind(CellKind::Time),
    with("RESULT", verdict).kind(CellKind::Verdict),
    column("REASON", "failure_reason").kind(CellKind::Sentence),
    first_of("USER", &["user_name"]),
    column("NAS", "nas_ip_address"),
    column("PORT", "nas_port_id").kind(CellKind::Port),
    column("METHOD", "authentication_method").kind(CellKind::Enumeration(0)),
    column("SERVER", "acs_server"),
    column("MAC", "calling_station_id"),
];

fn verdict(record: &crate::record::Record) -> Option<std::borrow::Cow<'_, str>> {
    record
        .passed()
        .map(|passed| if passed { "pass".into() } else { "fail".into() })
}
