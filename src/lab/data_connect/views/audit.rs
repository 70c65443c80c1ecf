//! Who changed what: logins of administrators, changes of the configuration, calls of the Open API.
//! The rows are made of tables, the same ones each day.

use super::estate::{Facts, facts};
use super::{Clock, Hints, Rows, record_id};
use crate::lab::data_connect::sql::World;
use crate::lab::data_connect::sql::value::Value;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAYS: i64 = 30;

/// From where administrators work.
const DESK: &str = "10.50.0.200";

/// Who changed what: administrator, operation, type and name of the object, its properties.
const CHANGES: [(&str, &str, &str, &str, &str); 3] = [
    (
        "lab-admin",
        "Changed configuration",
        "AuthorizationPolicyRule",
        "Contractors",
        "Permissions = Contractor_Access, state = enabled",
    ),
    (
        "lab-admin",
        "Added configuration",
        "NetworkDevice",
        "sw-lab-spare",
        "IP = 10.50.254.1/32, Location = All Locations#Lab#Warehouse",
    ),
    (
        "net.admin",
        "Deleted configuration",
        "EndPointIdentityGroup",
        "Old-Printers",
        "",
    ),
];

/// Calls of the Open API: method, what it is called, status, its word.
const CALLS: [(&str, &str, u64, &str); 3] = [
    ("GET", "/api/v1/deployment/node", 200, "OK"),
    ("PUT", "/api/v1/mnt/data-connect/settings/status", 200, "OK"),
    ("DELETE", "/api/v1/endpoint/unknown", 404, "Not Found"),
];

pub(super) fn rows(name: &str, world: &World, _: &Hints) -> Option<Rows> {
    let clock = Clock::of(world);
    let hour = world.now / HOUR * HOUR;
    // An hour of each day, the newest day first.
    let of_days = move |hours: i64| (0..DAYS).map(move |day| hour - day * 24 * HOUR - hours * HOUR);
    Some(match name {
        "ADMINISTRATOR_LOGINS" => facts(of_days(3).map(move |at| {
            Facts(vec![
                ("TIMESTAMP", clock.local(at)),
                ("TIMESTAMP_TIMEZONE", clock.zoned(at)),
                ("ISE_NODE", Value::from("ise-pan")),
                ("ADMIN_NAME", Value::from("lab-admin")),
                ("IP_ADDRESS", Value::from(DESK)),
                ("INTERFACE", Value::from("GUI")),
                (
                    "EVENT",
                    Value::from("Administrator authentication succeeded"),
                ),
            ])
        })),
        "CHANGE_CONFIGURATION_AUDIT" => facts(of_days(2).flat_map(move |at| {
            let clock = clock.clone();
            let changes = (0..).zip(CHANGES);
            changes.map(move |(number, change)| changed(number, at, change, &clock))
        })),
        "OPENAPI_OPERATIONS" => facts(of_days(1).flat_map(move |at| {
            let clock = clock.clone();
            let calls = (0..).zip(CALLS);
            calls.map(move |(number, call)| called(at - number * MINUTE, call, &clock))
        })),
        _ => return None,
    })
}

fn changed(
    number: u64,
    at: i64,
    (administrator, operation, object_type, object, properties): (&str, &str, &str, &str, &str),
    clock: &Clock,
) -> Facts {
    let at = at + i64::try_from(number).unwrap_or(0) * 7 * MINUTE;
    Facts(vec![
        ("ID", record_id(at, number)),
        ("TIMESTAMP", clock.local(at)),
        ("TIMESTAMP_TIMEZONE", clock.zoned(at)),
        ("ISE_NODE", Value::from("ise-pan")),
        ("MESSAGE_CODE", Value::from("52001")),
        ("ADMIN_NAME", Value::from(administrator)),
        ("NAS_IP_ADDRESS", Value::from(DESK)),
        ("INTERFACE", Value::from("GUI")),
        ("OBJECT_NAME", Value::from(object)),
        ("OBJECT_TYPE", Value::from(object_type)),
        ("MESSAGE_CLASS", Value::from("Configuration-Changes")),
        ("EVENT", Value::from(operation)),
        ("REQUESTED_OPERATION", Value::from(operation)),
        ("FAILURE_FLAG", Value::from("false")),
        ("MODIFIED_PROPERTIES", Value::from(properties)),
    ])
}

fn called(at: i64, (method, path, status, word): (&str, &str, u64, &str), clock: &Clock) -> Facts {
    Facts(vec![
        ("LOGGED_AT", clock.local(at)),
        ("REQUEST_TIME", clock.zoned(at)),
        ("MESSAGE_TEXT", Value::from("Open API request")),
        ("REQUEST_NAME", Value::from(path)),
        ("HTTP_METHOD", Value::from(method)),
        ("HTTP_CODE", Value::from(status)),
        ("HTTP_STATUS", Value::from(word)),
        ("SERVER", Value::from("ise-pan")),
        ("RESPONSE_DURATION", Value::from(38_u64)),
        ("CLIENT_IP", Value::from(DESK)),
        ("ADMINISTRATOR", Value::from("lab-admin")),
    ])
}
