//! `netapi ise mnt explain`: why an endpoint is, or is not, on the network. Joins its session, its
//! last attempts and the failure catalogue into one screen.

mod others;
mod past;
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
use crate::record::{Mac, Presence, Record};
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

/// What to look at where nothing is known.
const NEVER_SEEN: &str = "no request of it may have reached this node: check the cable, the port's configuration and the switch's RADIUS settings";

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise mnt explain C8:5B:76:C6:59:62
  netapi ise mnt explain C8:5B:76:C6:59:62 --since 5d --json
  netapi ise mnt explain - < macs.txt

The steps are in words, their times by position: ISE does not document which
time is whose. Where pxGrid is set up, a failure says who else fails at that
switch for the same reason, in the last hour; where Data Connect is, it tells
how the endpoint fared in 7 days, or of whom the node knows nothing in 30. Of a
list there is one line for each endpoint; --json has the whole of each.")]
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
        let mut explanation = match look_back.explain(station, &client, &catalogue).await {
            Ok(mut explanation) => {
                past::add(context, &mut explanation).await?;
                explanation
            }
            Err(error) => {
                let mut past = of_the_past(context, station, error).await?;
                add_meaning(&mut past, &client, &catalogue).await?;
                past
            }
        };
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

/// The explanation of whom the node no longer knows, where history does; else `unknown`.
async fn of_the_past(context: &Context, station: Station, unknown: Error) -> Result<Value> {
    match station {
        Station::Mac(mac) if unknown.kind() == Kind::NotFound => {
            past::alone(context, mac, unknown).await
        }
        _ => Err(unknown),
    }
}

/// Adds what the failure means that is explained: history does not tell it.
async fn add_meaning(
    explanation: &mut Value,
    client: &MntClient,
    catalogue: &OnceCell<Catalogue>,
) -> Result<()> {
    let why = explanation.get_mut("why").and_then(Value::as_object_mut);
    let Some(why) = why else {
        return Ok(());
    };
    let failure = why.get("failure").and_then(Value::as_str);
    let code = failure.and_then(|failure| failure.split_whitespace().next());
    let Some(code) = code.map(str::to_owned) else {
        return Ok(());
    };
    let catalogue = catalogue
        .get_or_try_init(|| Catalogue::read(client))
        .await?;
    let names = ["cause", "resolution"];
    for (name, text) in names.into_iter().zip(catalogue.meaning(&code)) {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            why.insert(name.to_owned(), Value::String(text));
        }
    }
    if let Value::Object(members) = explanation {
        let missing = catalogue.missing.as_deref();
        members.insert("catalogueMissing".to_owned(), missing.into());
    }
    Ok(())
}

/// The failure catalogue: what the codes mean.
#[derive(Default)]
struct Catalogue {
    entries: Vec<Record>,
    /// Why it is not known.
    missing: Option<String>,
}

impl Catalogue {
    /// Asks for it. An explanation stands without it: it adds cause and remedy to the reason.
    ///
    /// Errors: a refusal, after which nothing more is asked, and what ends the program.
    async fn read(client: &MntClient) -> Result<Self> {
        let ends = |kind| matches!(kind, Kind::Refused | Kind::Stopped(_) | Kind::NotSent);
        match client.failure_reasons().await {
            Ok(rows) => Ok(Self {
                entries: rows.records,
                missing: None,
            }),
            Err(error) if ends(error.kind()) => Err(error),
            Err(error) => Ok(Self {
                entries: Vec::new(),
                missing: Some(error.message().to_owned()),
            }),
        }
    }

    /// Cause and resolution of a failure's code.
    fn meaning(&self, code: &str) -> [Option<String>; 2] {
        let mut entries = self.entries.iter();
        let entry = entries.find(|entry| entry.text("id").as_deref() == Some(code));
        ["cause", "resolution"].map(|member| Some(entry?.text(member)?.into_owned()))
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
        catalogue: &OnceCell<Catalogue>,
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
            .hint(format!("{further}{NEVER_SEEN}")));
        }
        let failed = |record: &Record| record.failure_code().is_some();
        let unread = Catalogue::default();
        let catalogue = if attempts.iter().chain(&session).any(failed) {
            catalogue
                .get_or_try_init(|| Catalogue::read(client))
                .await?
        } else {
            &unread
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
        let session = match session {
            Some(session) if session.presence() != Presence::Active => {
                let active = still_active(client, mac, &attempts).await?;
                Some(active.unwrap_or(session))
            }
            other => other,
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

/// The session that the newest attempt which passed began, where it is still active: the node's
/// latest document of an endpoint can be that of a refused attempt after it.
async fn still_active(client: &MntClient, mac: Mac, attempts: &[Record]) -> Result<Option<Record>> {
    let mut passed = attempts.iter().filter(|one| one.passed() == Some(true));
    let id = passed.find_map(|attempt| attempt.text("audit_session_id"));
    let Some(id) = id else {
        return Ok(None);
    };
    match client.sessions_by_id(&id).await {
        Ok(rows) => Ok(rows
            .records
            .into_iter()
            .find(|session| session.mac() == Some(mac) && session.presence() == Presence::Active)),
        Err(error) if matches!(error.kind(), Kind::NotFound | Kind::Server | Kind::Usage) => {
            Ok(None)
        }
        Err(error) => Err(error),
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
    catalogue: &Catalogue,
) -> Value {
    let attempts = history.attempts;
    let last = attempts
        .first()
        .map(Record::passed)
        .or_else(|| session.map(Record::passed))
        .flatten();
    let quarantine = session.and_then(Record::quarantine);
    let presence = session.map(Record::presence);
    let verdict = verdict(presence, last, quarantine.is_some());
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
        "catalogueMissing": catalogue.missing,
    })
}

/// What is to be said first. `presence`: what the session's document says, where there is one;
/// `last`: whether the last attempt passed, which that document tells where nothing else does.
fn verdict(presence: Option<Presence>, last: Option<bool>, quarantined: bool) -> &'static str {
    match (presence, last) {
        (Some(Presence::Active), Some(false)) => "has a session, but its last attempt failed",
        (Some(Presence::Active), _) if quarantined => "on the network, quarantined",
        (Some(Presence::Active), _) => "on the network",
        (_, Some(true)) => "passed, but has no active session",
        (_, Some(false)) => "refused",
        (Some(_), None) => "has no active session",
        (None, None) => "unknown",
    }
}

/// The facts of the attempt that is explained, with its steps one by one.
fn why(record: &Record, catalogue: &Catalogue) -> Value {
    let mut facts = facts(record, catalogue);
    let latency = record.text("other_attr_string.StepLatency");
    let steps = steps::list(record, latency.as_deref(), &catalogue.entries);
    if let (Value::Object(members), false) = (&mut facts, steps.is_empty()) {
        members.insert("stepDetails".to_owned(), Value::Array(steps));
    }
    facts
}

/// The facts of one attempt that explain it, under our names; absent ones are left out.
fn facts(record: &Record, catalogue: &Catalogue) -> Value {
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
        let [cause, resolution] = catalogue.meaning(&code);
        put("cause", cause);
        put("resolution", resolution);
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
