//! `netapi ise mnt explain`: why an endpoint is, or is not, on the network. Joins its session, its last attempts and the failure catalogue into one screen.

mod screen;

use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value, json};

use super::auth_status::{look_back, seconds};
use crate::cli::Context;
use crate::cli::context::write_out;
use crate::cli::input;
use crate::error::{Error, Kind, Result};
use crate::record::{Mac, Record};
use crate::render::{Column, Shape};

const COLUMNS: &[Column] = &[];

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise mnt explain C8:5B:76:C6:59:62
  netapi ise mnt explain C8:5B:76:C6:59:62 --since 5d --json")]
pub(crate) struct Explain {
    /// The endpoint's MAC address
    #[arg(value_name = "MAC", value_parser = input::mac)]
    mac: Mac,
    /// How far to look back, at most 5d
    #[arg(long, value_name = "DURATION", default_value = "1d", value_parser = look_back)]
    since: Duration,
    /// At most this many attempts; 0 for all
    #[arg(long, value_name = "N", default_value_t = 10)]
    records: u32,
}

impl Explain {
    /// Asks and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        context.refuse_xml("this command joins three documents")?;
        let client = context.mnt()?;
        let attempts = client
            .auth_status(self.mac, seconds(self.since)?, self.records)
            .await?
            .records;
        let session = match client.session_by_mac(self.mac).await {
            Ok(answer) => Some(answer.record),
            Err(error) if error.kind() == Kind::NotFound => None,
            Err(error) => return Err(error),
        };
        if session.is_none() && attempts.is_empty() {
            return Err(Error::new(
                Kind::NotFound,
                format!("no session of {}, and no attempt in the time looked at", self.mac),
            )
            .hint("look further back with --since 5d; if there is still nothing, ISE never heard of it: check the cable, the port's configuration and the switch's RADIUS settings"));
        }
        let catalogue = if attempts
            .iter()
            .chain(&session)
            .any(|record| record.failure_code().is_some())
        {
            client.failure_reasons().await?.records
        } else {
            Vec::new()
        };
        let explanation = explanation(self.mac, session.as_ref(), &attempts, &catalogue);
        let global = &context.global;
        if global
            .chosen_format()
            .is_none_or(|format| format == crate::render::Format::Table)
            && global.jq.is_none()
            && global.fields.is_empty()
        {
            return write_out(&screen::draw(&explanation, &context.style()));
        }
        context.print(
            &[Record::from_value(explanation)],
            COLUMNS,
            Shape::Single,
            "",
        )
    }
}

/// The whole story as JSON; the screen is drawn from it.
fn explanation(
    mac: Mac,
    session: Option<&Record>,
    attempts: &[Record],
    catalogue: &[Record],
) -> Value {
    let last = attempts
        .first()
        .map(Record::passed)
        .or_else(|| session.map(Record::passed))
        .flatten();
    let verdict = match (session.is_some(), last) {
        (true, Some(false)) => "has a session, but its last attempt failed",
        (true, _) => "on the network",
        (false, Some(true)) => "passed, but has no active session",
        (false, Some(false)) => "refused",
        (false, None) => "unknown",
    };
    let latest = attempts.first().or(session);
    json!({
        "mac": mac.to_string(),
        "verdict": verdict,
        "why": latest.map_or(Value::Null, |record| facts(record, catalogue)),
        "session": session.map_or(Value::Null, Record::to_value),
        "attempts": attempts.iter().map(|record| facts(record, catalogue)).collect::<Vec<_>>(),
    })
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
