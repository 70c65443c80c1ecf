//! The sessions topic: what is published on it, and subscribing to it in a hurry.

use serde_json::{Value, json};

use super::lab::TestLab;

/// The topic of sessions.
pub(crate) const SESSIONS: &str = "/topic/com.cisco.ise.session";

/// Reconnects as soon as a user may ask for, so that an outage is short.
pub(crate) const HASTY: [&str; 9] = [
    "subscribe",
    "--topic",
    "session",
    "--reconnect-min",
    "1s",
    "--reconnect-max",
    "1s",
    "--lookup-pause",
    "1s",
];

/// A session as the topic tells of it.
pub(crate) fn session(mac: &str, user: &str, state: &str) -> Value {
    json!({
        "timestamp": jiff::Timestamp::now().to_string(),
        "state": state,
        "macAddress": mac,
        "ipAddresses": ["10.1.2.3"],
        "auditSessionId": format!("0A{}", mac.replace(':', "")),
        "userName": user,
        "nasIpAddress": "10.50.1.10",
    })
}

/// Publishes sessions, in one message.
pub(crate) fn publish(lab: &TestLab, sessions: &[Value]) {
    lab.publish(SESSIONS, &json!({ "sessions": sessions }));
}
