//! `netapi ise who`: one search for an endpoint by whatever is known of it. The Monitoring node and
//! pxGrid are asked side by side; what they say is joined by endpoint, untouched.
//!
//! What is meant is told apart by its form, in `query`; the screen of one endpoint is `screen`.

mod query;
mod screen;

use std::borrow::Cow;
use std::collections::HashSet;

use clap::Args;
use serde_json::json;

use super::interfaces::{Failed, Interfaces, MNT, PXGRID};
use crate::cli::Context;
use crate::cli::context::write_out;
use crate::cli::filters::kinds;
use crate::error::{Error, Kind, Result};
use crate::joins::endpoints::{Endpoints, key};
use crate::mnt::MntClient;
use crate::pxgrid::ServiceClient;
use crate::record::{Mac, Record};
use crate::render::{CellKind, Column, Format, Shape, column, first_of, with};
use query::{Found, Query};

/// The columns: each fact from whichever of the two tells it. What tells endpoints apart comes
/// first: a narrow terminal has no room for the others.
const COLUMNS: &[Column] = &[
    column("MAC", "endpoint"),
    first_of(
        "IP",
        &[
            "pxgrid.session.ipAddresses",
            "mnt.session.framed_ip_address",
            "mnt.session.framed_ipv6_address",
        ],
    )
    .kind(CellKind::Addresses),
    first_of(
        "USER",
        &[
            "pxgrid.session.userName",
            "mnt.session.user_name",
            "pxgrid.failure.userName",
        ],
    ),
    first_of("STATE", &["pxgrid.session.state"]).kind(CellKind::Enumeration(14)),
    first_of(
        "NAS",
        &[
            "pxgrid.session.nasIdentifier",
            "pxgrid.session.nasIpAddress",
            "mnt.session.nas_ip_address",
            "pxgrid.failure.networkDeviceName",
            "pxgrid.failure.nasIpAddress",
        ],
    ),
    with("WHY", why),
    first_of(
        "SGT",
        &[
            "pxgrid.session.ctsSecurityGroup",
            "mnt.session.cts_security_group",
        ],
    ),
    first_of(
        "ANC",
        &["pxgrid.anc.policyName", "pxgrid.session.ancPolicy"],
    ),
    first_of(
        "POSTURE",
        &["pxgrid.session.postureStatus", "mnt.session.posture_status"],
    ),
    first_of(
        "PORT",
        &[
            "pxgrid.session.nasPortId",
            "mnt.session.nas_port_id",
            "pxgrid.failure.nasPortId",
        ],
    )
    .kind(CellKind::Port),
    first_of(
        "SERVER",
        &["mnt.session.server", "pxgrid.failure.serverName"],
    ),
];

/// Why it is not on the network as others are: a quarantine, else its last failure.
fn why(endpoint: &Record) -> Option<Cow<'_, str>> {
    let policy = endpoint.first(&["pxgrid.anc.policyName", "pxgrid.session.ancPolicy"]);
    let policy = policy.map(|policy| format!("ANC policy {policy}").into());
    policy.or_else(|| endpoint.text("pxgrid.failure.failureReason"))
}

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise who pat.kim
  netapi ise who 10.50.10.101
  netapi ise who C8:5B:76:C6:59:62 --json
  netapi ise who sw-lab-02 --by SGT

Told apart by its form: a MAC address in any spelling or its beginning
(C8:5B:76), an IP address or network, an audit session id, else the name of a
user in any spelling, of a host or of a switch; '*' stands for any text.
The Monitoring node and pxGrid are asked side by side. What could not be asked
is named on standard error; one that failed makes it exit status 1. Failures
are those of the last hour. WHY is an ANC policy, else the last failure. JSON is an array with an object an endpoint, what
each source sent untouched. Nobody found: exit status 3.")]
pub(crate) struct Who {
    /// What is known: a MAC or IP address, a user, a host, a switch, an audit session id
    #[arg(value_name = "ANYTHING", value_parser = query::query)]
    query: Query,
}

impl Who {
    /// Asks and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let interfaces = Interfaces::new(context)?;
        // The active list has addresses of switches only, so a name is not found there.
        let no_names = if self.query.may_name_a_switch() {
            "the Monitoring node's list has switches by address only, so none was looked for by \
             this name"
        } else {
            ""
        };
        interfaces.say_what_is_not_set_up(context, "", no_names);
        let ((sessions, from_mnt), (told, from_pxgrid)) = tokio::join!(
            of_mnt(interfaces.mnt.as_ref(), &self.query),
            of_pxgrid(interfaces.pxgrid.as_ref(), &self.query)
        );
        let mut endpoints = Endpoints::default();
        for (member, records) in told {
            let member = ("pxgrid", member);
            for record in &records {
                endpoints.add(member, record);
            }
        }
        for record in &sessions {
            endpoints.add(("mnt", "session"), record);
        }
        let mut failed = Failed::default();
        failed.note(MNT, from_mnt);
        if failed.note(PXGRID, from_pxgrid).is_none() && !no_names.is_empty() {
            context.reporter.step(no_names);
        }
        if endpoints.len() == 0 {
            failed.instead_of_an_answer(context)?;
            return Err(self.nobody());
        }
        Self::print(context, &endpoints.into_records())?;
        failed.beside_an_answer(context)
    }

    fn nobody(&self) -> Error {
        let text = self.query.text();
        let error = Error::new(Kind::NotFound, format!("nobody is known by '{text}'"));
        error.hint("neither in a session nor in a failure of the last hour; '*' stands for any text: `netapi ise who '*kim*'`")
    }

    fn print(context: &Context, endpoints: &[Record]) -> Result<()> {
        let global = &context.global;
        let table = global
            .chosen_format()
            .is_none_or(|format| format == Format::Table);
        let alone = !context.is_one_of_several();
        let plain =
            alone && global.jq.is_none() && global.fields.is_empty() && global.by.is_empty();
        if let ([one], true, true) = (endpoints, table && plain, Context::on_terminal()) {
            return write_out(&screen::draw(one, &context.style()));
        }
        context.print(endpoints, COLUMNS, Shape::List, "")
    }
}

/// What the Monitoring node knows, and how asking ended.
async fn of_mnt(client: Option<&MntClient>, query: &Query) -> (Vec<Record>, Result<()>) {
    let Some(client) = client else {
        return (Vec::new(), Ok(()));
    };
    if let Some(mac) = query.mac() {
        // The detail tells more than the list's row.
        return match client.session_by_mac(mac).await {
            Ok(answer) => (vec![answer.record], Ok(())),
            Err(error) if error.kind() == Kind::NotFound => (Vec::new(), Ok(())),
            Err(error) => (Vec::new(), Err(error)),
        };
    }
    let (found, outcome) = client
        .sessions(query.over(&kinds::ACTIVE, "audit_session_id"))
        .await;
    let outcome = outcome.and(found.not_too_many("sessions"));
    (found.into_records(), outcome)
}

/// What pxGrid's services know, by the member under which it is shown.
type Told = Vec<(&'static str, Vec<Record>)>;

/// Sessions, endpoints with a policy, failures: each service on its own, so that one that is away
/// hides no other.
async fn of_pxgrid(client: Option<&ServiceClient>, query: &Query) -> (Told, Result<()>) {
    let Some(client) = client else {
        return (Vec::new(), Ok(()));
    };
    let mut told = Vec::new();
    // One after the other: they share the first look-up of a node and of its secret, and what one
    // finds says what is wanted of the next.
    let rows = query.over(&kinds::SESSION, "auditSessionId");
    let (found, outcome) = client
        .list("session", "getSessions", &json!({}), rows)
        .await;
    let outcome = outcome.and(found.not_too_many("sessions"));
    let records = found.into_records();
    let alone = records.len() == 1 || query.mac().is_some();
    let mac = records.first().and_then(endpoint_mac).or(query.mac());
    told.push(("session", records));
    if let Err(error) = outcome {
        return (told, Err(error));
    }
    let rows = query
        .over(&kinds::FAILURE, "auditSessionId")
        .newest_of_each();
    let (found, outcome) = client.list("radius", "getFailures", &json!({}), rows).await;
    let mut outcome = outcome.and(found.not_too_many("endpoints that failed"));
    told.push(("failure", found.into_records()));
    // Policies are of endpoints that were found, or of the one that was asked for.
    let known = told.iter().flat_map(|(_, rows)| rows).map(key);
    let known: HashSet<String> = known
        .chain(query.mac().map(|mac| mac.to_string()))
        .collect();
    let rows = Found::of(known);
    let (found, policies) = client.list("anc", "getEndpoints", &json!({}), rows).await;
    told.push(("anc", found.into_records()));
    outcome = outcome.and(policies.map(|_| ()));
    if let (true, Some(mac)) = (alone, mac) {
        let body = json!({ "macAddress": mac.to_string() });
        match client.query("mdm", "getEndpointByMacAddress", &body).await {
            Ok(managed) => told.push(("mdm", vec![Record::Json(managed)])),
            // No device manager is the usual case.
            Err(error) if matches!(error.kind(), Kind::NotFound | Kind::Connect) => {}
            Err(error) => outcome = outcome.and(Err(error)),
        }
    }
    (told, outcome)
}

fn endpoint_mac(record: &Record) -> Option<Mac> {
    key(record).parse().ok()
}
