//! `netapi ise mnt explain`: why an endpoint is, or is not, on the network. Joins its session, its
//! last attempts and the failure catalogue into one screen.

mod others;
mod screen;
mod steps;

use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value, json};
use tokio::sync::OnceCell;

use super::auth_status::{LONGEST, look_back, seconds};
use crate::cli::Context;
use crate::cli::bulk::{ListOptions, Reading};
use crate::cli::input::{self, Station, StationOrList};
use crate::cli::pager;
use crate::error::{Error, Kind, Result, from_output};
use crate::mnt::MntClient;
use crate::record::{Mac, Record};
use crate::render::{CellKind, Column, Shape, Style, column};

const COLUMNS: &[Column] = &[];

/// Of a list: one line for each.
const LISTED: &[Column] = &[
    column("MAC", "mac"),
    column("VERDICT", "verdict"),
    column("FAILURE", "why.failure").kind(CellKind::Sentence),
    column("NAS", "why.nas"),
    column("PORT", "why.port").kind(CellKind::Port),
];

/// How far is looked back without `--since`, and at how many attempts without `--records`.
const USUAL_WINDOW: Duration = Duration::from_hours(24);
const USUAL_RECORDS: u32 = 10;

/// Why nothing is known of a VPN client's attempts.
const NO_MAC: &str = "the node keeps attempts by MAC address, and this session has none";

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise mnt explain C8:5B:76:C6:59:62
  netapi ise mnt explain C8:5B:76:C6:59:62 --since 5d --json
  netapi ise mnt explain - < macs.txt

The steps are in words, their times by position: ISE does not document which
time is whose. Where pxGrid is set up, a failure says who else fails at that
switch for the same reason, in the last hour. Of a list there is one line for
each endpoint; --json has the whole of each.")]
pub(crate) struct Explain {
    /// The endpoint's MAC address, or the IP address of its session; '-' for a list on standard
    /// input
    #[arg(value_name = "MAC", value_parser = input::station_or_list)]
    mac: StationOrList,
    /// How far to look back, at most 5d
    #[arg(long, value_name = "DURATION", default_value = "1d", value_parser = look_back)]
    since: Duration,
    /// At most this many attempts; 0 for all
    #[arg(long, value_name = "N", default_value_t = USUAL_RECORDS)]
    records: u32,
    #[command(flatten)]
    list: ListOptions,
}

impl Explain {
    /// Asks and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.mnt()?;
        let catalogue = OnceCell::new();
        let look_back = LookBack {
            since: self.since,
            records: self.records,
        };
        let StationOrList::One(station) = self.mac else {
            let output = context.output_of("rows", LISTED, Shape::List)?;
            let reading = Reading {
                command: "mnt explain".to_owned(),
                options: &self.list,
                nothing: "nothing to explain",
                expect: &|addresses| client.expect(addresses),
            };
            let explain = async |station| {
                let explanation = look_back.explain(station, &client, &catalogue).await?;
                Ok(vec![Record::from_value(explanation)])
            };
            return reading.run(context, output, explain).await;
        };
        self.list.for_one()?;
        let mut explanation = look_back.explain(station, &client, &catalogue).await?;
        let others = others::count(context, &explanation).await;
        if let Value::Object(members) = &mut explanation {
            members.insert("others".to_owned(), others);
        }
        let global = &context.global;
        if context.is_one_of_several() {
            let record = [Record::from_value(explanation)];
            return context.print(&record, LISTED, Shape::Single, "");
        }
        if global
            .chosen_format()
            .is_none_or(|format| format == crate::render::Format::Table)
            && global.jq.is_none()
            && global.fields.is_empty()
        {
            let screen = screen::draw(&explanation, &context.style());
            return pager::write_out(&screen, global.no_pager).map_err(|error| from_output(&error));
        }
        context.print(
            &[Record::from_value(explanation)],
            COLUMNS,
            Shape::Single,
            "",
        )
    }
}

/// How far is looked back, and at how many attempts.
#[derive(Debug, Clone, Copy)]
struct LookBack {
    since: Duration,
    records: u32,
}

impl LookBack {
    /// The whole story of one endpoint; the failure catalogue is asked for once, when a code needs
    /// it.
    async fn explain(
        &self,
        station: Station,
        client: &MntClient,
        catalogue: &OnceCell<Vec<Record>>,
    ) -> Result<Value> {
        let NodeAnswers {
            mac,
            session,
            attempts,
            no_history,
        } = self.find(station, client).await?;
        let since = crate::settings::duration::show(self.since);
        if session.is_none() && attempts.is_empty() {
            let further = if self.since < LONGEST {
                "look further back with --since 5d; if there is still nothing, "
            } else {
                ""
            };
            return Err(Error::new(
                Kind::NotFound,
                format!("no session of {station}, and no attempt in the last {since}"),
            )
            .hint(format!("{further}no request of it may have reached this node: check the cable, the port's configuration and the switch's RADIUS settings")));
        }
        let failed = |record: &Record| record.failure_code().is_some();
        let catalogue: &[Record] = if attempts.iter().chain(&session).any(failed) {
            let asked = async || client.failure_reasons().await.map(|rows| rows.records);
            catalogue.get_or_try_init(asked).await?
        } else {
            &[]
        };
        let asked = usize::try_from(self.records).unwrap_or(usize::MAX);
        let history = History {
            attempts: &attempts,
            cut: asked > 0 && attempts.len() >= asked,
            missing: no_history.as_deref(),
        };
        let name = mac.map_or_else(|| station.to_string(), |mac| mac.to_string());
        Ok(explanation(&name, session.as_ref(), &history, catalogue))
    }
}

/// The screen of one endpoint as text, for who draws it elsewhere: without what pxGrid knows of
/// others.
pub(in crate::cli::ise) async fn text(
    client: &MntClient,
    mac: Mac,
    style: &Style,
) -> Result<String> {
    let look_back = LookBack {
        since: USUAL_WINDOW,
        records: USUAL_RECORDS,
    };
    let catalogue = OnceCell::new();
    let explanation = look_back
        .explain(Station::Mac(mac), client, &catalogue)
        .await?;
    Ok(screen::draw(&explanation, style))
}

/// What the node said.
struct NodeAnswers {
    /// None of a VPN client.
    mac: Option<Mac>,
    session: Option<Record>,
    attempts: Vec<Record>,
    /// Why the attempts are not known.
    no_history: Option<String>,
}

impl LookBack {
    async fn find(&self, station: Station, client: &MntClient) -> Result<NodeAnswers> {
        let by_address = match station {
            Station::Address(address) => Some(client.session_by_endpoint_ip(address).await?.record),
            Station::Mac(_) => None,
        };
        let mac = match (station, &by_address) {
            (Station::Mac(mac), _) => Some(mac),
            (_, session) => session.as_ref().and_then(Record::mac),
        };
        let Some(mac) = mac else {
            return Ok(NodeAnswers {
                mac,
                session: by_address,
                attempts: Vec::new(),
                no_history: Some(NO_MAC.to_owned()),
            });
        };
        let attempts = client
            .auth_status(mac, seconds(self.since)?, self.records)
            .await;
        // Live 3.3 sites answer 404, or 500, and know the session all the same (reference mnt-api,
        // section 6).
        let (attempts, failed) = match attempts {
            Ok(rows) => (rows.records, None),
            Err(error) if error.kind() == Kind::Server => (Vec::new(), Some(error)),
            Err(error) => return Err(error),
        };
        let session = match by_address {
            Some(session) => Some(session),
            None => match client.session_by_mac(mac).await {
                Ok(answer) => Some(answer.record),
                Err(error) if error.kind() == Kind::NotFound => None,
                Err(error) => return Err(error),
            },
        };
        match (failed, &session) {
            (Some(error), None) => Err(error),
            (failed, _) => Ok(NodeAnswers {
                mac: Some(mac),
                session,
                attempts,
                no_history: failed.map(|error| error.message().to_owned()),
            }),
        }
    }
}

/// The attempts, newest first, and how much is known of them.
struct History<'a> {
    attempts: &'a [Record],
    /// No more were asked for, so that there may be older ones.
    cut: bool,
    /// Why they are not known.
    missing: Option<&'a str>,
}

/// The whole story as JSON; the screen is drawn from it.
fn explanation(
    endpoint: &str,
    session: Option<&Record>,
    history: &History<'_>,
    catalogue: &[Record],
) -> Value {
    let attempts = history.attempts;
    let last = attempts
        .first()
        .map(Record::passed)
        .or_else(|| session.map(Record::passed))
        .flatten();
    let quarantine = session.and_then(Record::quarantine);
    let verdict = match (session.is_some(), last) {
        (true, Some(false)) if history.missing.is_some() => "refused",
        (true, Some(false)) => "has a session, but its last attempt failed",
        (true, _) if quarantine.is_some() => "on the network, quarantined",
        (true, _) => "on the network",
        (false, Some(true)) => "passed, but has no active session",
        (false, Some(false)) => "refused",
        (false, None) => "unknown",
    };
    let latest = attempts.first().or(session);
    json!({
        "mac": endpoint,
        "verdict": verdict,
        "quarantine": quarantine,
        "why": latest.map_or(Value::Null, |record| why(record, catalogue)),
        "session": session.map_or(Value::Null, Record::to_value),
        "attempts": attempts.iter().map(|record| facts(record, catalogue)).collect::<Vec<_>>(),
        "attemptsMayContinue": history.cut,
        "attemptsMissing": history.missing,
    })
}

/// The facts of the attempt that is explained, with its steps one by one.
fn why(record: &Record, catalogue: &[Record]) -> Value {
    let mut facts = facts(record, catalogue);
    let latency = record.text("other_attr_string.StepLatency");
    let steps = steps::list(record, latency.as_deref(), catalogue);
    if let (Value::Object(members), false) = (&mut facts, steps.is_empty()) {
        members.insert("stepDetails".to_owned(), Value::Array(steps));
    }
    facts
}

/// The facts of one attempt that explain it, under our names; absent ones are left out.
fn facts(record: &Record, catalogue: &[Record]) -> Value {
    let mut object = Map::new();
    let mut put = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|text| !text.is_empty()) {
            object.insert(name.to_owned(), Value::String(value));
        }
    };
    let text = |member: &str| record.text(member).map(std::borrow::Cow::into_owned);
    put(
        "time",
        record.auth_time_text().map(std::borrow::Cow::into_owned),
    );
    put(
        "result",
        record
            .passed()
            .map(|passed| if passed { "pass".into() } else { "fail".into() }),
    );
    put("failure", text("failure_reason"));
    if let Some(code) = record.failure_code() {
        let entry = catalogue
            .iter()
            .find(|entry| entry.text("id").as_deref() == Some(code.as_str()));
        put(
            "cause",
            entry
                .and_then(|entry| entry.text("cause"))
                .map(std::borrow::Cow::into_owned),
        );
        put(
            "resolution",
            entry
                .and_then(|entry| entry.text("resolution"))
                .map(std::borrow::Cow::into_owned),
        );
    }
    put("user", record.user().map(std::borrow::Cow::into_owned));
    put("device", text("network_device_name"));
    put("nas", text("nas_ip_address"));
    put("port", text("nas_port_id"));
    put("server", record.server().map(std::borrow::Cow::into_owned));
    put("method", text("authentication_method"));
    put("protocol", text("authentication_protocol"));
    put("identityStore", text("identity_store"));
    put(
        "policySet",
        record.policy_set().map(std::borrow::Cow::into_owned),
    );
    put(
        "authenticationRule",
        record
            .authentication_rule()
            .map(std::borrow::Cow::into_owned),
    );
    put(
        "authorizationRule",
        record
            .authorization_rule()
            .map(std::borrow::Cow::into_owned),
    );
    put("profiles", Some(record.profiles().join(", ")));
    put("sgt", record.sgt().map(std::borrow::Cow::into_owned));
    put("posture", text("posture_status"));
    put("steps", text("execution_steps"));
    put(
        "latencyMs",
        record.latency().map(|latency| latency.to_string()),
    );
    put("stepLatency", text("other_attr_string.StepLatency"));
    Value::Object(object)
}
