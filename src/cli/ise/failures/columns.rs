//! The columns of failures: of groups, and of the endpoints in one. Nothing is counted here.

use std::borrow::Cow;

use crate::joins::failure_facts::By;
use crate::record::Record;
use crate::render::{CellKind, Columns, column, with};

/// The columns of groups; what names the group comes first.
pub(super) fn group_columns(by: By) -> Columns {
    let (title, members): (_, &[&str]) = match by {
        By::Reason => ("REASON", &["code", "mostly"]),
        By::Nas => ("NAS", &["mostly"]),
        By::User => ("USER", &["mostly"]),
        By::Server => ("SERVER", &["mostly"]),
        By::PolicySet => ("POLICY-SET", &["mostly"]),
        By::Profile => ("PROFILE", &["mostly"]),
    };
    let value = column(title, by.member());
    let columns = [
        value,
        column("ENDPOINTS", "endpoints").kind(CellKind::Number),
        column("ATTEMPTS", "attempts").kind(CellKind::Number),
        column("TREND", "trend").kind(CellKind::Trend),
        column("NEWEST", "newest").kind(CellKind::Age),
        with("MOSTLY", mostly),
    ];
    Columns {
        list: columns.to_vec().into(),
        members,
    }
}

/// Where a group is mostly found, and how many of its endpoints.
fn mostly(group: &Record) -> Option<Cow<'_, str>> {
    let place = group.first(&["mostly.nas", "mostly.reason"])?;
    let endpoints = group.text("mostly.endpoints")?;
    Some(format!("{place} ({endpoints})").into())
}

/// The columns of endpoints: what all of a group share comes last.
pub(super) fn endpoint_columns(share_a_reason: bool) -> Columns {
    let reason = column("REASON", "reason");
    let nas = column("NAS", "nas");
    let port = column("PORT", "port").kind(CellKind::Port);
    let [first, second, last] = if share_a_reason {
        [nas, port, reason]
    } else {
        [reason.kind(CellKind::Sentence), port, nas]
    };
    let columns = [
        column("MAC", "endpoint"),
        column("USER", "user"),
        first,
        second,
        column("ATTEMPTS", "attempts").kind(CellKind::Number),
        column("NEWEST", "newest").kind(CellKind::Age),
        column("TREND", "trend").kind(CellKind::Trend),
        column("SERVER", "server"),
        last,
    ];
    Columns {
        list: columns.to_vec().into(),
        members: &["code", "failure"],
    }
}
