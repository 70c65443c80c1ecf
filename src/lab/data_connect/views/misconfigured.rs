//! What is set up wrongly: network devices that report too often, and supplicants that never get in.

use std::sync::Arc;

use super::estate::{Facts, facts};
use super::radius::{endpoints, place};
use super::{Clock, Hints, Row, Rows, record_id};
use crate::lab::data_connect::sql::World;
use crate::lab::data_connect::sql::value::Value;
use crate::lab::population::{Attempt, LabSession, Population};

const HOUR: i64 = 3_600_000;
const DAYS: i64 = 30;

pub(super) fn rows(name: &str, world: &World, hints: &Hints) -> Option<Rows> {
    let clock = Clock::of(world);
    Some(match name {
        "MISCONFIGURED_NAS_VIEW" => {
            let count = world.directory.population.nas_count();
            let hour = world.now / HOUR * HOUR;
            // One in eight, and the last at least.
            let devices = (0..count).filter(move |number| number % 8 == 7 || number + 1 == count);
            let days = (0..DAYS).map(move |day| hour - day * 24 * HOUR - HOUR);
            let rows = days.flat_map(move |at| devices.clone().map(move |number| (at, number)));
            facts(rows.map(move |(at, number)| device(at, number, &clock)))
        }
        "MISCONFIGURED_SUPPLICANTS_VIEW" => {
            let directory = Arc::clone(&world.directory);
            let (since, now) = (hints.oldest(), world.now);
            let failing = endpoints(world, hints, "CALLING_STATION_ID")
                .filter(LabSession::is_failed_only)
                .filter_map(move |endpoint| {
                    let attempts = directory.population.history(&endpoint, since, now);
                    let newest = attempts.into_iter().find(|one| one.failure.is_some())?;
                    Some((endpoint, newest))
                });
            Box::new(failing.map(move |(endpoint, newest)| {
                let clock = clock.clone();
                Box::new(Supplicant {
                    endpoint,
                    newest,
                    clock,
                }) as Box<dyn Row>
            }))
        }
        _ => return None,
    })
}

fn device(at: i64, number: u64, clock: &Clock) -> Facts {
    let nas = Population::nas(number);
    Facts(vec![
        ("ID", record_id(at, number)),
        ("TIMESTAMP", clock.local(at)),
        ("ACSVIEW_TIMESTAMP", clock.local(at)),
        ("TIMESTAMP_TIMEZONE", clock.zoned(at)),
        ("ACS_TIMESTAMP", clock.zoned(at)),
        ("ISE_NODE", Value::from("psn-a")),
        ("ACS_SERVER", Value::from("psn-a")),
        ("NAS_IP_ADDRESS", Value::from(nas.ip().to_string())),
        (
            "MESSAGE_TEXT",
            Value::from("NAS sends accounting updates too often"),
        ),
        ("DETAIL_INFO", Value::from("an update each 20 seconds")),
        ("FAILED_ATTEMPTS", Value::from((180 + number).to_string())),
        ("FAILED_TIMES", Value::from("3600")),
        ("FAILED_TIMES_HOURS", Value::from("1")),
        ("FAILED_TIMES_IN_HOURS", Value::from("1")),
    ])
}

/// An endpoint that never got in, with its latest attempt.
struct Supplicant {
    endpoint: LabSession,
    newest: Attempt,
    clock: Clock,
}

impl Row for Supplicant {
    fn value(&self, column: &str) -> Value {
        let at = self.newest.at;
        match column {
            "ID" => record_id(at, self.endpoint.index()),
            "TIMESTAMP" | "ACSVIEW_TIMESTAMP" => self.clock.local(at),
            "TIMESTAMP_TIMEZONE" | "ACS_TIMESTAMP" => self.clock.zoned(at),
            "PASSED" => Value::from(0_u64),
            "FAILED" => Value::from(1_u64),
            "MESSAGE_CODE" => self
                .newest
                .failure
                .map_or(Value::Null, |reason| Value::from(u64::from(reason.code))),
            "MESSAGE_TEXT" => self
                .newest
                .failure
                .map_or(Value::Null, |reason| Value::from(reason.text)),
            "FAILURE_REASON" => self.newest.failure.map_or(Value::Null, |reason| {
                Value::from(format!("{} {}", reason.code, reason.text))
            }),
            _ => place(&self.endpoint, column).unwrap_or(Value::Null),
        }
    }
}
