//! The control interface of the administration node: whether Data Connect is on, where it is, its
//! password and expiry (reference dataconnect, A1.1). HTTP is the Monitoring node's affair here,
//! which stands in for it.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::{SERVICE, Shared, USER};
use crate::lab::wire::Answer;

/// Where its paths begin.
const BASE: &str = "/api/v1/mnt/data-connect/";
/// The list of nodes, by which a client finds the full name.
const NODES: &str = "/api/v1/deployment/node";
const JSON: &str = "application/json";
const VERSION: &str = "1.0.0";

/// Whether it answers requests for `path`.
pub(in crate::lab) fn is_of(path: &str) -> bool {
    path.starts_with(BASE) || path == NODES
}

/// The answer to `method` on `path` with `body`, from whom may ask.
pub(in crate::lab) fn answer(
    shared: &Shared,
    method: &str,
    path: &str,
    body: &[u8],
    now: Timestamp,
) -> Answer {
    let account = &shared.account;
    let name = path.strip_prefix(BASE).unwrap_or(path);
    match (method, name) {
        ("GET", NODES) => told(200, &json!({ "response": [node()], "version": VERSION })),
        ("GET", "settings") => {
            let settings = account.settings();
            let expires = expires_on(settings.expires_at);
            response(&json!({
                "isEnabled": settings.is_enabled,
                "isPasswordChanged": settings.is_password_changed,
                "passwordExpiresInDays": settings.days,
                "passwordExpiresOn": expires,
            }))
        }
        ("GET", "details") if account.is_enabled() => response(&json!({
            "hostname": "localhost",
            "port": shared.port,
            "servicename": SERVICE,
            "username": USER,
        })),
        ("GET", "details") => failure(400, "Data Connect feature is not enabled"),
        ("PUT", "settings/password") => {
            let password = member(body, "password");
            let password = password.as_ref().and_then(Value::as_str);
            let set = password.ok_or("password is missing");
            let set = set.and_then(|one| account.set_password(one, now.as_millisecond()));
            done(set, "Data Connect password is updated")
        }
        ("PUT", "settings/password/expiry") => {
            let days = member(body, "passwordExpiresInDays");
            let days = days.as_ref().and_then(Value::as_i64);
            let set = days.ok_or("passwordExpiresInDays is missing");
            done(
                set.and_then(|days| account.set_days(days)),
                "Data Connect password expiry is updated",
            )
        }
        ("PUT", "settings/status") => {
            let wanted = member(body, "isEnabled");
            let wanted = wanted.as_ref().and_then(Value::as_bool);
            let set = wanted.ok_or("isEnabled is missing");
            done(
                set.map(|wanted| account.enable(wanted)),
                "Data Connect status is updated",
            )
        }
        ("GET" | "PUT", _) => failure(404, "The resource does not exist"),
        _ => failure(405, "Method not allowed"),
    }
}

/// A member of the body, which is an object.
fn member(body: &[u8], name: &str) -> Option<Value> {
    let body: Value = serde_json::from_slice(body).ok()?;
    body.get(name).cloned()
}

fn node() -> Value {
    json!({
        "hostname": "localhost",
        "fqdn": "localhost",
        "ipAddress": "127.0.0.1",
        "roles": ["PrimaryAdmin", "PrimaryMonitoring"],
        "services": ["pxGrid"],
        "nodeStatus": "Connected",
    })
}

fn told(status: u16, body: &Value) -> Answer {
    Answer::new(status, Some(JSON), body.to_string())
}

fn response(body: &Value) -> Answer {
    told(200, &json!({ "response": body, "version": VERSION }))
}

fn failure(status: u16, message: &str) -> Answer {
    told(
        status,
        &json!({ "error": { "message": message }, "version": VERSION }),
    )
}

fn done(outcome: Result<(), &str>, message: &str) -> Answer {
    match outcome {
        Ok(()) => told(
            200,
            &json!({ "success": { "message": message }, "version": VERSION }),
        ),
        Err(rule) => failure(400, rule),
    }
}

/// For people: `15 December 2026 at 18:05 UTC`.
fn expires_on(at: i64) -> String {
    let Ok(at) = Timestamp::from_millisecond(at) else {
        return String::new();
    };
    let at = at.to_zoned(TimeZone::system());
    at.strftime("%d %B %Y at %H:%M %Z").to_string()
}
