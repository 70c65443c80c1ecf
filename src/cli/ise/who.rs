//! `netapi ise who`: one search for an endpoint by whatever is known of it. The Monitoring node and
//! pxGrid are asked side by side; what they say is joined by endpoint, untouched.
//!
//! What is meant is told apart by its form, in `query`; the screen of one endpoint is `screen`; what
//! Data Connect knows beside it, and who had an address once, is `history`.

mod history;
mod query;
mod screen;

use std::borrow::Cow;
use std::collections::HashSet;

use clap::Args;
use serde_json::json;

use super::interfaces::{Failed, HISTORY, Interfaces, MNT, PXGRID};
use crate::cli::Context;
use crate::cli::context::write_out;
use crate::cli::filters::kinds;
use crate::error::{Error, Kind, Result};
use crate::joins::endpoints::{Endpoints, key};
use crate::mnt::MntClient;
use crate::pxgrid::ServiceClient;
use crate::record::{Mac, Presence, Record};
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
            "history.authentication.ip",
            "history.endpoint.ip",
        ],
    )
    .kind(CellKind::Addresses),
    first_of(
        "USER",
        &[
            "pxgrid.session.userName",
            "mnt.session.user_name",
            "pxgrid.failure.userName",
            "mnt.failure.user_name",
            "history.authentication.user",
        ],
    ),
    with("STATE", state).kind(CellKind::Enumeration(14)),
    first_of(
        "NAS",
        &[
            "pxgrid.session.nasIdentifier",
            "pxgrid.session.nasIpAddress",
            "mnt.session.nas_ip_address",
            "pxgrid.failure.networkDeviceName",
            "pxgrid.failure.nasIpAddress",
            "mnt.failure.network_device_name",
            "mnt.failure.nas_ip_address",
            "history.authentication.nas",
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
            "mnt.failure.nas_port_id",
            "history.authentication.port",
        ],
    )
    .kind(CellKind::Port),
    first_of(
        "SERVER",
        &[
            "mnt.session.server",
            "mnt.session.acs_server",
            "pxgrid.failure.serverName",
            "mnt.failure.acs_server",
            "history.authentication.server",
        ],
    ),
];

/// The state of a session that is over, as the Monitoring node's documents have it.
const ENDED: &str = "session ended";

/// How its session is: pxGrid's word for it, else what the Monitoring node's document says. `None`
/// where neither knows one.
fn state(endpoint: &Record) -> Option<Cow<'_, str>> {
    let of_mnt = || {
        let has = |name| endpoint.write_member(name, &mut Vec::new());
        if has("mnt.session") {
            return match Presence::told_by(|name| endpoint.text(&format!("mnt.session.{name}"))) {
                Presence::Active => Some("on the network"),
                Presence::Refused => Some("refused"),
                Presence::Ended => Some(ENDED),
            };
        }
        has("mnt.failure").then_some("refused")
    };
    let told = endpoint.first(&["pxgrid.session.state"]);
    told.or_else(|| of_mnt().map(Cow::Borrowed))
}

/// Why it is not on the network as others are: a quarantine, else its last failure.
fn why(endpoint: &Record) -> Option<Cow<'_, str>> {
    let policy = endpoint.first(&["pxgrid.anc.policyName", "pxgrid.session.ancPolicy"]);
    let policy = policy.map(|policy| format!("ANC policy {policy}").into());
    policy.or_else(|| {
        endpoint.first(&[
            "pxgrid.failure.failureReason",
            "mnt.failure.failure_reason",
            "history.authentication.reason",
        ])
    })
}

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise who pat.kim
  netapi ise who 10.50.10.101
  netapi ise who C8:5B:76:C6:59:62 --json
  netapi ise who sw-lab-02 --by SGT
  netapi ise who 10.50.10.101 --at 2026-11-24T03:00    # who had it then

Told apart by its form: a MAC address in any spelling or its beginning
(C8:5B:76), an IP address or network, an audit session id, else the name of a
user in any spelling, of a host or of a switch; '*' stands for any text.
The Monitoring node and pxGrid are asked side by side. What could not be asked
is named on standard error; one that failed makes it exit status 1. Failures
are those of the last hour, and a refused attempt that is the Monitoring node's
latest of the endpoint. Where the password of Data Connect is set, it tells the
last authentication of up to 10 endpoints in a week (whole names only), and --at
who had an address at a time. STATE is pxGrid's, else what the Monitoring node's
document says. WHY is an ANC policy, else the last failure. JSON is an array
with an object an endpoint, what each source sent untouched. Nobody found: exit
status 3.")]
pub(crate) struct Who {
    /// What is known: a MAC or IP address, a user, a host, a switch, an audit session id
    #[arg(value_name = "ANYTHING", value_parser = query::query)]
    query: Query,
    /// Who had this address then, by Data Connect: RFC 3339, without a zone in this machine's
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
}

impl Who {
    /// Asks and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        if let Some(at) = &self.at {
            return history::print_holders(context, &self.query, at).await;
        }
        let interfaces = Interfaces::new(context)?;
        // The active list has addresses of switches only, so a name is not found there.
        let no_names = if self.query.may_name_a_switch() {
            "the Monitoring node's list has switches by address only, so none was looked for by \
             this name"
        } else {
            ""
        };
        interfaces.say_what_is_not_set_up(context, "", no_names);
        let (mnt, pxgrid) = (interfaces.mnt.as_ref(), interfaces.pxgrid.as_ref());
        let ((of_mnt, from_mnt), (sessions, asked)) = tokio::join!(
            of_mnt(mnt, &self.query),
            sessions_of_pxgrid(pxgrid, &self.query)
        );
        let found = keys(of_mnt.iter().chain([&sessions]), &self.query);
        let (others, from_pxgrid) = others_of_pxgrid(pxgrid, &self.query, found, asked).await;
        let mut endpoints = Endpoints::default();
        let of_pxgrid = [sessions].into_iter().chain(others);
        let told = of_pxgrid.map(|told| ("pxgrid", told));
        for (source, (member, records)) in told.chain(of_mnt.into_iter().map(|told| ("mnt", told)))
        {
            for record in &records {
                endpoints.add((source, member), record);
            }
        }
        let mut failed = Failed::default();
        failed.note(MNT, from_mnt);
        let known = history::look_up(context, &self.query, endpoints.names()).await;
        for (member, record) in failed.note_unless_ended(HISTORY, known)?.iter().flatten() {
            endpoints.add(("history", member), record);
        }
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

/// What a source knows under a member (`session`).
type Told = (&'static str, Vec<Record>);

/// What the Monitoring node knows, and how asking ended.
async fn of_mnt(client: Option<&MntClient>, query: &Query) -> (Vec<Told>, Result<()>) {
    let Some(client) = client else {
        return (Vec::new(), Ok(()));
    };
    let Some(mac) = query.mac() else {
        let (told, outcome) = active_sessions(client, query).await;
        return (vec![told], outcome);
    };
    // The detail tells more than the list's row.
    let document = match client.session_by_mac(mac).await {
        Ok(answer) => answer.record,
        Err(error) if error.kind() == Kind::NotFound => return (Vec::new(), Ok(())),
        Err(error) => return (Vec::new(), Err(error)),
    };
    let member = match document.presence() {
        Presence::Active => return (vec![("session", vec![document])], Ok(())),
        Presence::Refused => "failure",
        Presence::Ended => "session",
    };
    // It is the endpoint's latest, and another session of it may be active.
    let (active, outcome) = active_sessions(client, query).await;
    (vec![active, (member, vec![document])], outcome)
}

/// The keys of the endpoints in these records, and of the one that was asked for.
fn keys<'a>(told: impl Iterator<Item = &'a Told>, query: &Query) -> HashSet<String> {
    let found = told.flat_map(|(_, records)| records).filter_map(key);
    found
        .chain(query.mac().map(|mac| mac.to_string()))
        .collect()
}

/// The rows of the active list that are meant.
async fn active_sessions(client: &MntClient, query: &Query) -> (Told, Result<()>) {
    let rows = query.over(&kinds::ACTIVE, "audit_session_id");
    let (found, outcome) = client.sessions(rows).await;
    let outcome = outcome.and(found.not_too_many("sessions"));
    (("session", found.into_records()), outcome)
}

/// The sessions that pxGrid has, and how asking ended.
async fn sessions_of_pxgrid(client: Option<&ServiceClient>, query: &Query) -> (Told, Result<()>) {
    let Some(client) = client else {
        return (("session", Vec::new()), Ok(()));
    };
    let rows = query.over(&kinds::SESSION, "auditSessionId");
    let (found, outcome) = client
        .list("session", "getSessions", &json!({}), rows)
        .await;
    let outcome = outcome.and(found.not_too_many("sessions"));
    (("session", found.into_records()), outcome)
}

/// What pxGrid's other services know of those that are meant and of those that were `found`: last
/// failures, policies, what the device manager says. A service that is away hides no other; after a
/// refusal, or a time-out, nothing more is asked. `asked`: how asking for sessions ended.
async fn others_of_pxgrid(
    client: Option<&ServiceClient>,
    query: &Query,
    mut found: HashSet<String>,
    asked: Result<()>,
) -> (Vec<Told>, Result<()>) {
    let Some(client) = client else {
        return (Vec::new(), Ok(()));
    };
    let mut told = Vec::new();
    if ends_asking(&asked) {
        return (told, asked);
    }
    let one = match found.iter().next().filter(|_| found.len() == 1) {
        Some(one) => one.parse::<Mac>().ok(),
        None => query.mac(),
    };
    let rows = query
        .over(&kinds::FAILURE, "auditSessionId")
        .or_of(found.clone())
        .newest_of_each();
    // One after the other: they share the first look-up of a node and of its secret, and what one
    // finds says what is wanted of the next.
    let (failures, ended) = client.list("radius", "getFailures", &json!({}), rows).await;
    let ended = ended.and(failures.not_too_many("endpoints that failed"));
    let failures = failures.into_records();
    found.extend(failures.iter().filter_map(key));
    told.push(("failure", failures));
    if ends_asking(&ended) {
        return (told, asked.and(ended));
    }
    // Policies are of endpoints that were found, or of the one that was asked for.
    let rows = Found::of(found);
    let (policies, of_policies) = client.list("anc", "getEndpoints", &json!({}), rows).await;
    told.push(("anc", policies.into_records()));
    let of_policies = of_policies.map(|_| ());
    let mut of_managed = Ok(());
    if let Some(mac) = one.filter(|_| !ends_asking(&of_policies)) {
        let body = json!({ "macAddress": mac.to_string() });
        match client.query("mdm", "getEndpointByMacAddress", &body).await {
            Ok(managed) => told.push(("mdm", vec![Record::Json(managed)])),
            // No device manager is the usual case.
            Err(error) if matches!(error.kind(), Kind::NotFound | Kind::Connect) => {}
            Err(error) => of_managed = Err(error),
        }
    }
    (told, asked.and(ended).and(of_policies).and(of_managed))
}

/// Whether nothing more is to be asked of pxGrid after this.
fn ends_asking(outcome: &Result<()>) -> bool {
    let ends = |kind| {
        // One of the account, of the node that knows the services, or of the program.
        matches!(
            kind,
            Kind::Refused
                | Kind::Pending
                | Kind::TimedOut
                | Kind::Resolve
                | Kind::Tls
                | Kind::Stopped(_)
                | Kind::NotSent
        )
    };
    outcome.as_ref().is_err_and(|error| ends(error.kind()))
}
