//! RADIUS failures (reference pxgrid-api, section 3.7): the failed attempts that `AuthStatus` of
//! the Monitoring node shows.

use serde_json::{Value, json};

use super::json::{moment, text, time, without_nulls};
use super::listing::Listing;
use super::reply::Reply;
use super::services::Question;
use crate::lab::population::{Attempt, LabSession, Population, Reason};

/// Without a start the last hour is answered.
const HOUR: i64 = 3_600_000;

/// Answers one operation.
pub(super) fn answer(question: &Question<'_>, operation: &str) -> Option<Reply> {
    Some(match operation {
        "getFailures" => match moment(question.request, "startTimestamp") {
            Ok(since) => list(question, since.unwrap_or(question.now - HOUR)),
            Err(()) => Reply::BAD,
        },
        "getFailureById" => by_id(question).map_or(Reply::Nothing, Reply::Json),
        _ => return None,
    })
}

fn list(question: &Question<'_>, since: i64) -> Reply {
    let indexes = question.directory.population.endpoints();
    Reply::list(Listing::new(
        question.source(),
        "failures",
        indexes,
        None,
        Box::new(move |source, original, rows| {
            // Nine in ten never failed; not to be asked for their history of five days.
            if !original.is_failed_only() && original.index() % 10 != 2 {
                return;
            }
            let endpoint = source.changes.apply(original).unwrap_or(original);
            let attempts = source
                .directory
                .population
                .attempts(&endpoint, since, source.now);
            for attempt in attempts {
                if let Some(reason) = attempt.failure {
                    rows.row(|out| {
                        out.push_str(&failure(&endpoint, &attempt, reason).to_string());
                    });
                }
            }
        }),
    ))
}

fn by_id(question: &Question<'_>) -> Option<Value> {
    let id = text(question.request, "id")?.parse().ok()?;
    let population = &question.directory.population;
    let original = population.endpoint_of_record(id)?;
    let endpoint = question.changes().apply(original).unwrap_or(original);
    let attempts = population.attempts(&endpoint, i64::MIN, question.now);
    let attempt = attempts.into_iter().find(|attempt| attempt.id == id)?;
    Some(failure(&endpoint, &attempt, attempt.failure?))
}

/// The newest failure of an endpoint.
pub(super) fn latest(population: &Population, endpoint: &LabSession, now: i64) -> Option<Value> {
    let attempts = population.attempts(endpoint, i64::MIN, now);
    let attempt = attempts.iter().find(|attempt| attempt.failure.is_some())?;
    Some(failure(endpoint, attempt, attempt.failure?))
}

/// `failureReason` is what the Monitoring node says; the code of the message is of 5400 to 5499.
fn failure(endpoint: &LabSession, attempt: &Attempt, reason: &Reason) -> Value {
    let role = endpoint.role();
    let mac = endpoint.mac_text();
    let message = if (5400..5500).contains(&reason.code) {
        reason.code
    } else {
        5400
    };
    let steps: Vec<String> = endpoint
        .steps(Some(reason))
        .iter()
        .map(ToString::to_string)
        .collect();
    let mut row = json!({
        "id": attempt.id.to_string(),
        "timestamp": time(attempt.at),
        "failureReason": format!("{} {}", reason.code, reason.text),
        "userName": endpoint.user_name(),
        "serverName": endpoint.psn(),
        "callingStationId": mac,
        "macAddress": mac,
        "nasPortId": endpoint.port(),
        "messageCode": message,
        "userType": role.user_type,
        "accessService": "Default Network Access",
        "identityStore": role.identity_store,
        "authenticationMethod": role.method,
        "authenticationProtocol": role.protocol,
        "serviceType": role.service_type,
        "response": "{RadiusPacketType=AccessReject; AuthenticationResult=Failed; }",
        "responseTime": endpoint.response_time(),
        "executionSteps": steps.join(","),
        "credentialCheck": role.protocol,
        "endpointProfile": endpoint.device().policy,
        "policySetName": role.policy_set,
    });
    if let (Some(nas), Some(row)) = (endpoint.nas(), row.as_object_mut()) {
        row.insert("nasIpAddress".to_owned(), nas.ip().to_string().into());
        row.insert("nasPortType".to_owned(), nas.port_type().into());
        row.insert("networkDeviceName".to_owned(), nas.name().into());
        row.insert("deviceType".to_owned(), nas.device_type().into());
        row.insert("location".to_owned(), nas.location().into());
    }
    without_nulls(row)
}
