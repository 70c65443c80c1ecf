//! `netapi ise who`: one search for an endpoint by whatever is known of it. The Monitoring node and
//! pxGrid are asked side by side; what they say is joined by endpoint, untouched.
//!
//! What is meant is told apart by its form, in `query`; the screen of one endpoint is `screen`.

mod query;
mod screen;

use clap::Args;
use serde_json::{Map, Value, json};

use crate::cli::Context;
use crate::cli::context::write_out;
use crate::cli::filters::kinds;
use crate::error::{Error, Kind, Result};
use crate::mnt::MntClient;
use crate::pxgrid::ServiceClient;
use crate::record::{Mac, Record};
use crate::render::{CellKind, Column, Format, Shape, column, first_of};
use query::{Found, Query};

/// The columns: each fact from whichever of the two tells it.
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
    first_of(
        "PORT",
        &["pxgrid.session.nasPortId", "pxgrid.failure.nasPortId"],
    )
    .kind(CellKind::Port),
    first_of("STATE", &["pxgrid.session.state"]),
    first_of("SGT", &["pxgrid.session.ctsSecurityGroup"]),
    first_of(
        "ANC",
        &["pxgrid.anc.policyName", "pxgrid.session.ancPolicy"],
    ),
    first_of("POSTURE", &["pxgrid.session.postureStatus"]),
    first_of("FAILURE", &["pxgrid.failure.failureReason"]),
    first_of(
        "SERVER",
        &["mnt.session.server", "pxgrid.failure.serverName"],
    ),
];

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
are those of the last hour. JSON is an array with an object an endpoint, what
each source sent untouched. Nobody found: exit status 3.")]
pub(crate) struct Who {
    /// What is known: a MAC or IP address, a user, a host, a switch, an audit session id
    #[arg(value_name = "ANYTHING", value_parser = query::query)]
    query: Query,
}

impl Who {
    /// Asks and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let is_set = |setting| super::doctor::is_set(context, setting);
        let (mnt, pxgrid) = (is_set("mnt-host"), is_set("pxgrid-host"));
        // With neither set the Monitoring node's settings say what they need.
        let mnt = (mnt || !pxgrid).then(|| context.mnt()).transpose()?;
        let pxgrid = pxgrid.then(|| context.pxgrid()).transpose()?;
        if mnt.is_none() {
            context
                .reporter
                .step("the Monitoring node was not asked: not set up (--mnt-host or ISE_MNT_FQDN)");
        }
        if pxgrid.is_none() {
            context
                .reporter
                .step("pxGrid was not asked: not set up (--pxgrid-host or ISE_PXGRID_HOST)");
        }
        let ((sessions, from_mnt), (told, from_pxgrid)) = tokio::join!(
            of_mnt(mnt.as_ref(), &self.query),
            of_pxgrid(pxgrid.as_ref(), &self.query)
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
        let failed: Vec<(&str, Error)> =
            [("the Monitoring node", from_mnt), ("pxGrid", from_pxgrid)]
                .into_iter()
                .filter_map(|(source, outcome)| Some((source, outcome.err()?)))
                .collect();
        if endpoints.0.is_empty() {
            return Err(match failed.into_iter().next() {
                Some((_, error)) => error,
                None => self.nobody(),
            });
        }
        Self::print(context, &endpoints)?;
        for (_, error) in &failed {
            context.reporter.error(error);
        }
        match failed.first() {
            None => Ok(()),
            Some((source, _)) => Err(Error::new(
                Kind::Partial,
                format!("{source} could not be asked; what is printed lacks its part"),
            )),
        }
    }

    fn nobody(&self) -> Error {
        let text = self.query.text();
        let error = Error::new(Kind::NotFound, format!("nobody is known by '{text}'"));
        error.hint("neither in a session nor in a failure of the last hour; '*' stands for any text: `netapi ise who '*kim*'`")
    }

    fn print(context: &Context, endpoints: &Endpoints) -> Result<()> {
        let global = &context.global;
        let table = global
            .chosen_format()
            .is_none_or(|format| format == Format::Table);
        let alone = !context.is_one_of_several();
        let plain =
            alone && global.jq.is_none() && global.fields.is_empty() && global.by.is_empty();
        if let ([one], true, true) = (
            endpoints.0.as_slice(),
            table && plain,
            Context::on_terminal(),
        ) {
            return write_out(&screen::draw(&one.record(), &context.style()));
        }
        let records: Vec<Record> = endpoints.0.iter().map(Endpoint::record).collect();
        context.print(&records, COLUMNS, Shape::List, "")
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
    let outcome = outcome.map(|_| ()).and(found.not_too_many());
    (found.records, outcome)
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
    let sessions = async {
        let rows = query.over(&kinds::SESSION, "auditSessionId");
        let (found, outcome) = client
            .list("session", "getSessions", &json!({}), rows)
            .await;
        (found.not_too_many(), found.records, outcome.map(|_| ()))
    };
    let failures = async {
        let rows = query.over(&kinds::FAILURE, "auditSessionId");
        let (found, outcome) = client.list("radius", "getFailures", &json!({}), rows).await;
        (found.records, outcome.map(|_| ()))
    };
    let policies = async {
        let all = Found::all();
        let (found, outcome) = client.list("anc", "getEndpoints", &json!({}), all).await;
        (found.records, outcome.map(|_| ()))
    };
    // One after the other: they share the first look-up of a node and of its secret.
    let (bounded, records, first) = sessions.await;
    let alone = records.len() == 1 || query.mac().is_some();
    let mac = records.first().and_then(endpoint_mac).or(query.mac());
    told.push(("session", records));
    if let Err(error) = first.and(bounded) {
        return (told, Err(error));
    }
    let ((failed, second), (policies, third)) = tokio::join!(failures, policies);
    told.push(("failure", failed));
    // Policies are of endpoints that were found, or of the one that was asked for.
    let known: Vec<String> = told.iter().flat_map(|(_, rows)| rows).map(key).collect();
    let asked = query.mac().map(|mac| mac.to_string());
    let wanted = |record: &Record| {
        let key = key(record);
        known.contains(&key) || asked.as_ref() == Some(&key)
    };
    told.push(("anc", policies.into_iter().filter(wanted).collect()));
    let mut outcome = second.and(third);
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

/// By what records of one endpoint are joined: its MAC address in one spelling, else what stands in
/// its place, else the session's id.
fn key(record: &Record) -> String {
    let station = record.first(&["macAddress", "callingStationId", "calling_station_id"]);
    let station = station.or_else(|| record.first(&["auditSessionId", "audit_session_id"]));
    let station = station.unwrap_or_default();
    match station.parse::<Mac>() {
        Ok(mac) if station.parse::<std::net::IpAddr>().is_err() => mac.to_string(),
        _ => station.into_owned(),
    }
}

/// One endpoint and what each source said of it.
struct Endpoint {
    key: String,
    sources: Map<String, Value>,
}

impl Endpoint {
    fn record(&self) -> Record {
        let mut members = Map::new();
        members.insert("endpoint".to_owned(), self.key.clone().into());
        members.extend(self.sources.clone());
        Record::from_value(Value::Object(members))
    }
}

/// The endpoints in the order in which they were found.
#[derive(Default)]
struct Endpoints(Vec<Endpoint>);

impl Endpoints {
    /// Adds what a source said. Of several the newest is shown, or the first where they have no
    /// time; the others of a session are kept beside it.
    fn add(&mut self, (source, member): (&str, &str), record: &Record) {
        let key = key(record);
        let at = self
            .0
            .iter()
            .position(|known| known.key == key)
            .unwrap_or_else(|| {
                let sources = Map::new();
                self.0.push(Endpoint { key, sources });
                self.0.len() - 1
            });
        let Some(endpoint) = self.0.get_mut(at) else {
            return;
        };
        let source = endpoint.sources.entry(source).or_insert_with(|| json!({}));
        let Some(members) = source.as_object_mut() else {
            return;
        };
        let mut value = record.to_value();
        let time = |value: &Value| {
            value
                .get("timestamp")
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        if let Some(known) = members.get_mut(member) {
            if time(&value) > time(known) {
                std::mem::swap(known, &mut value);
            }
            if member == "session" {
                let others = members.entry("otherSessions").or_insert_with(|| json!([]));
                others
                    .as_array_mut()
                    .into_iter()
                    .for_each(|others| others.push(value.clone()));
            }
            return;
        }
        members.insert(member.to_owned(), value);
    }
}
