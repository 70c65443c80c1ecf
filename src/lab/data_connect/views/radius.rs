//! Authentications: `RADIUS_AUTHENTICATIONS`, the cheaper one of a week, their summary, and what was
//! dropped.

use std::sync::Arc;

use super::{Clock, Hints, Row, Source, record_id};
use crate::lab::data_connect::sql::World;
use crate::lab::data_connect::sql::value::Value;
use crate::lab::population::{Attempt, LabSession};
use crate::record::Mac;

const WEEK: i64 = 7 * 24 * 3_600_000;

/// The endpoints that a statement can be about, as they now are.
pub(super) fn endpoints(
    world: &World,
    hints: &Hints,
    column: &str,
) -> impl Iterator<Item = LabSession> + Send + use<> {
    let directory = Arc::clone(&world.directory);
    let changes = directory.state.changes(world.now);
    let mac = hints.text(column).and_then(Mac::from_canonical);
    let lone = mac.map(|mac| directory.population.endpoint_of_mac(mac.octets()));
    let (lone, all) = match lone {
        Some(found) => (found.map(|endpoint| endpoint.index()), None),
        None => (None, Some(directory.population.endpoints())),
    };
    let indexes = lone.into_iter().chain(all.into_iter().flatten());
    indexes.map(move |index| {
        let endpoint = directory.population.session(index);
        changes.apply(endpoint).unwrap_or(endpoint)
    })
}

/// Which of the views a row is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    All,
    Week,
    Summary,
    Errors,
}

struct AttemptRow {
    of: Of,
    endpoint: LabSession,
    attempt: Attempt,
    clock: Clock,
}

pub(super) fn rows(name: &str, world: &World, hints: &Hints) -> Option<Source> {
    let of = match name {
        "RADIUS_AUTHENTICATIONS" => Of::All,
        "RADIUS_AUTHENTICATIONS_WEEK" => Of::Week,
        "RADIUS_AUTHENTICATION_SUMMARY" => Of::Summary,
        "RADIUS_ERRORS_VIEW" => Of::Errors,
        _ => return None,
    };
    let directory = Arc::clone(&world.directory);
    let clock = Clock::of(world);
    let now = world.now;
    let oldest = if of == Of::Week { now - WEEK } else { i64::MIN };
    let since = hints.oldest().max(oldest);
    let rows = endpoints(world, hints, "CALLING_STATION_ID").flat_map(move |endpoint| {
        let clock = clock.clone();
        let attempts = directory.population.history(&endpoint, since, now);
        let rows = attempts.into_iter().map(move |attempt| AttemptRow {
            of,
            endpoint,
            attempt,
            clock: clock.clone(),
        });
        // An endpoint may have none.
        std::iter::once(None).chain(rows.map(Some))
    });
    // What is dropped before it is decided has a message of 54xx.
    let is_error = |row: &AttemptRow| {
        row.of != Of::Errors
            || row
                .attempt
                .failure
                .is_some_and(|reason| (5400..5500).contains(&reason.code))
    };
    Some(Box::new(rows.map(move |row| {
        let row = row.filter(is_error)?;
        Some(Box::new(row) as Box<dyn Row>)
    })))
}

impl Row for AttemptRow {
    fn value(&self, column: &str) -> Value {
        let (at, index) = (self.attempt.at, self.endpoint.index());
        let passed = self.attempt.failure.is_none();
        match column {
            "ID" => record_id(at, index),
            "TIMESTAMP" | "ACSVIEW_TIMESTAMP" => self.clock.local(at),
            "TIMESTAMP_TIMEZONE" | "ACS_TIMESTAMP" => self.clock.zoned(at),
            "SYSLOG_MESSAGE_CODE" => Value::from(if passed { 5200_u64 } else { 5400 }),
            "MESSAGE_CODE" => {
                let code = self
                    .attempt
                    .failure
                    .map_or(5200, |reason| u64::from(reason.code));
                Value::from(code)
            }
            "MESSAGE_TEXT" | "MESSAGETEXT" => {
                Value::from(self.attempt.failure.map_or("", |reason| reason.text))
            }
            "FAILURE_REASON" => self.attempt.failure.map_or(Value::Null, |reason| {
                Value::from(format!("{} {}", reason.code, reason.text))
            }),
            "PASSED" if self.of == Of::Week => Value::from(u64::from(passed)),
            "PASSED" => Value::from(if passed { "Pass" } else { "Fail" }),
            "FAILED" | "FAILED_COUNT" => Value::from(u64::from(!passed)),
            "PASSED_COUNT" => Value::from(u64::from(passed)),
            "RESPONSE_TIME" | "TOTAL_RESPONSE_TIME" | "MAX_RESPONSE_TIME" if passed => {
                Value::from(self.endpoint.response_time())
            }
            "TOTAL_RESPONSE_TIME" | "MAX_RESPONSE_TIME" => Value::from(0_u64),
            "EXECUTION_STEPS" => {
                let steps = self.endpoint.steps(self.attempt.failure);
                let steps: Vec<String> = steps.iter().map(ToString::to_string).collect();
                Value::from(steps.join(","))
            }
            "AUTHENTICATION_POLICY" => {
                let role = self.endpoint.role();
                Value::from(format!(
                    "{} >> {}",
                    role.policy_set, role.authentication_rule
                ))
            }
            "OTHER_ATTR_STRING" | "OTHER_ATTRIBUTES_STRING" => Value::from(format!(
                ":!:ConfigVersionId=118:!:Protocol=Radius:!:ISEPolicySetName={}",
                self.endpoint.role().policy_set
            )),
            _ if passed => granted(&self.endpoint, column)
                .or_else(|| place(&self.endpoint, column))
                .unwrap_or(Value::Null),
            _ => place(&self.endpoint, column).unwrap_or(Value::Null),
        }
    }
}

/// What an endpoint was given.
fn granted(endpoint: &LabSession, column: &str) -> Option<Value> {
    Some(match column {
        "IDENTITY_GROUP" => Value::from(endpoint.role().identity_group),
        "AUDIT_SESSION_ID" => Value::from(endpoint.audit_session_id()),
        "AUTHORIZATION_PROFILES" | "SELECTED_AZN_PROFILES" | "SELECTED_AUTHORIZATION_PROFILES" => {
            Value::from(endpoint.profiles())
        }
        "POSTURE_STATUS" => Value::from(endpoint.posture_status()),
        "SECURITY_GROUP" | "CTS_SECURITY_GROUP" => Value::from(endpoint.security_group()),
        "AUTHORIZATION_RULE" => Value::from(endpoint.authorization_rule()),
        "AUTHORIZATION_POLICY" => Value::from(format!(
            "{} >> {}",
            endpoint.role().policy_set,
            endpoint.authorization_rule()
        )),
        _ => return None,
    })
}

/// Who an endpoint is, how it asks and where it stands.
pub(super) fn place(endpoint: &LabSession, column: &str) -> Option<Value> {
    let role = endpoint.role();
    let nas = endpoint.nas();
    let mut text = String::new();
    Some(match column {
        "ISE_NODE" | "ACS_SERVER" => Value::from(endpoint.psn()),
        "USERNAME" | "USER_NAME" => Value::from(endpoint.user_name()),
        "USER_TYPE" => Value::from(role.user_type),
        "CALLING_STATION_ID" => {
            endpoint.push_calling_station(&mut text);
            Value::from(text)
        }
        "ORIG_CALLING_STATION_ID" => {
            endpoint.push_original_calling_station(&mut text);
            Value::from(text)
        }
        "ACCESS_SERVICE" => Value::from("Default Network Access"),
        "IDENTITY_STORE" => Value::from(role.identity_store),
        "AUTHENTICATION_METHOD" => Value::from(role.method),
        "AUTHENTICATION_PROTOCOL" => Value::from(role.protocol),
        "SERVICE_TYPE" => Value::from(role.service_type),
        "DEVICE_NAME" | "NETWORK_DEVICE_NAME" => {
            nas.map_or(Value::Null, |nas| Value::from(nas.name()))
        }
        "DEVICE_TYPE" => nas.map_or(Value::Null, |nas| Value::from(nas.device_type())),
        "LOCATION" => nas.map_or(Value::Null, |nas| Value::from(nas.location())),
        "NAS_IP_ADDRESS" => nas.map_or(Value::Null, |nas| Value::from(nas.ip().to_string())),
        "NAS_PORT_TYPE" => nas.map_or(Value::Null, |nas| Value::from(nas.port_type())),
        "NAS_PORT_ID" => Value::from(endpoint.port()),
        "ENDPOINT_PROFILE" | "ENDPOINTMATCHEDPROFILE" => Value::from(endpoint.device().policy),
        "POLICY_SET_NAME" => Value::from(role.policy_set),
        "NAD_PROFILE_NAME" => Value::from("Cisco"),
        _ => return None,
    })
}
