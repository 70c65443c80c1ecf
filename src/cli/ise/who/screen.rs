//! One endpoint for a person: what it is and where, then what is wrong with it. Pure: a record in,
//! text out.

use std::borrow::Cow;

use crate::record::Record;
use crate::render::{Style, terminal_safe, time, wrap};

/// Width of the labels.
const LABEL: usize = 15;

/// Labels, and the members of which the first with a text is shown. A second list stands behind it.
const FACTS: &[(&str, &[&str], &[&str])] = &[
    (
        "user",
        &[
            "pxgrid.session.userName",
            "mnt.session.user_name",
            "pxgrid.failure.userName",
            "mnt.failure.user_name",
            "history.authentication.user",
        ],
        &[],
    ),
    (
        "address",
        &[
            "pxgrid.session.ipAddresses",
            "mnt.session.framed_ip_address",
            "history.authentication.ip",
            "history.endpoint.ip",
        ],
        &[],
    ),
    (
        "switch",
        &[
            "pxgrid.session.nasIdentifier",
            "mnt.session.network_device_name",
            "pxgrid.failure.networkDeviceName",
            "pxgrid.session.nasIpAddress",
            "mnt.session.nas_ip_address",
            "mnt.failure.network_device_name",
            "mnt.failure.nas_ip_address",
            "history.authentication.nas",
        ],
        &[
            "pxgrid.session.nasIpAddress",
            "mnt.session.nas_ip_address",
            "pxgrid.failure.nasIpAddress",
            "mnt.failure.nas_ip_address",
        ],
    ),
    (
        "port",
        &[
            "pxgrid.session.nasPortId",
            "mnt.session.nas_port_id",
            "pxgrid.failure.nasPortId",
            "mnt.failure.nas_port_id",
            "history.authentication.port",
        ],
        &[],
    ),
    (
        "server",
        &[
            "mnt.session.acs_server",
            "mnt.session.server",
            "pxgrid.failure.serverName",
            "mnt.failure.acs_server",
            "history.authentication.server",
        ],
        &[],
    ),
    (
        "method",
        &[
            "pxgrid.session.authMethod",
            "mnt.session.authentication_method",
        ],
        &[
            "pxgrid.session.authProtocol",
            "mnt.session.authentication_protocol",
        ],
    ),
    (
        "SGT",
        &[
            "pxgrid.session.ctsSecurityGroup",
            "mnt.session.cts_security_group",
        ],
        &[],
    ),
    (
        "profile",
        &[
            "pxgrid.session.endpointProfile",
            "mnt.session.endpoint_policy",
        ],
        &["pxgrid.session.endpointOperatingSystem"],
    ),
    (
        "authorization",
        &[
            "pxgrid.session.selectedAuthzProfiles",
            "mnt.session.selected_azn_profiles",
        ],
        &[],
    ),
    (
        "posture",
        &["pxgrid.session.postureStatus", "mnt.session.posture_status"],
        &[],
    ),
    (
        "session id",
        &[
            "pxgrid.session.auditSessionId",
            "mnt.session.audit_session_id",
        ],
        &[],
    ),
];

/// The screen.
pub(super) fn draw(endpoint: &Record, style: &Style) -> String {
    let mut out = String::new();
    let text = |names: &[&str]| endpoint.first(names);
    let name = text(&["endpoint"]).unwrap_or_default().into_owned();
    let state = super::state(endpoint);
    let is_over = state.as_deref() == Some(super::ENDED);
    let state = state.map_or_else(|| "no session".to_owned(), |state| state.to_lowercase());
    let policy = text(&["pxgrid.anc.policyName", "pxgrid.session.ancPolicy"]);
    let policy = policy
        .map(|name| format!(", ANC policy {name}"))
        .unwrap_or_default();
    let width = usize::from(style.screen.width);
    let head = format!("{}  ", terminal_safe(&name));
    let verdict = format!("{state}{policy}");
    wrap::hang(&mut out, &head, &terminal_safe(&verdict), 2, width);
    out.push('\n');
    let mut line = |label: &str, value: &str| {
        let head = format!("  {label:<LABEL$}");
        wrap::hang(&mut out, &head, &terminal_safe(value), LABEL + 2, width);
    };
    for (label, first, behind) in FACTS {
        let Some(value) = text(first) else { continue };
        let behind = text(behind).filter(|behind| *behind != value);
        let value = match behind {
            Some(behind) => Cow::Owned(format!("{value} ({behind})")),
            None => value,
        };
        line(label, &value);
    }
    if let Some(at) = text(&["pxgrid.session.timestamp", "mnt.session.auth_acs_timestamp"]) {
        let label = if is_over { "authenticated" } else { "since" };
        line(label, &time::show(&at, style));
    }
    if let Some(at) = text(&["mnt.session.acct_acs_timestamp"]).filter(|_| is_over) {
        line("ended", &time::show(&at, style));
    }
    if let Some(host) = text(&["history.endpoint.host"]) {
        line("host", &host);
    }
    if let Some(managed) = managed(endpoint) {
        line("MDM", &managed);
    }
    let failures = [
        ["pxgrid.failure.failureReason", "pxgrid.failure.timestamp"],
        [
            "mnt.failure.failure_reason",
            "mnt.failure.auth_acs_timestamp",
        ],
    ];
    let failure = failures
        .iter()
        .find_map(|[reason, at]| Some((text(&[*reason])?, text(&[*at]))));
    if let Some((reason, at)) = failure {
        let at = at.unwrap_or_default();
        let failure = format!("{}: {reason}", time::show(&at, style));
        line("last failure", &failure);
    }
    if let Some(at) = text(&["history.authentication.time"]) {
        let result = text(&["history.authentication.what"]).unwrap_or_default();
        let why = text(&[
            "history.authentication.reason",
            "history.authentication.rule",
        ]);
        let why = why.map(|why| format!(": {why}")).unwrap_or_default();
        let last = format!("{result}, {}{why}", time::show(&at, style));
        line("history", &last);
    }
    out
}

/// What the device manager says, where there is one.
fn managed(endpoint: &Record) -> Option<String> {
    let member = |one: &str, other: &str| {
        endpoint
            .first(&[
                &format!("pxgrid.mdm.{one}"),
                &format!("pxgrid.session.{other}"),
            ])
            .map(Cow::into_owned)
    };
    let manager = member("deviceManager", "mdmDeviceManager")?;
    let word = |value: Option<String>, yes: &str, no: &str| {
        value.map(|value| if value == "true" { yes } else { no }.to_owned())
    };
    let facts = [
        word(
            member("registered", "mdmRegistered"),
            "registered",
            "not registered",
        ),
        word(
            member("compliant", "mdmCompliant"),
            "compliant",
            "not compliant",
        ),
        member("model", "mdmModel"),
        Some(manager),
    ];
    Some(facts.into_iter().flatten().collect::<Vec<_>>().join(", "))
}
