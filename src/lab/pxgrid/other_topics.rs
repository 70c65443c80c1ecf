//! What is published beside session changes: groups and bindings of sessions that come and go,
//! failures, and now and then something of every other topic (reference pxgrid-api, sections 3.3 to
//! 3.12).
//!
//! Only failures are changes; the rest are rows of the REST services, told again.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Value, json};

use super::devices::{self, Managed};
use super::json::{time, uuid};
use super::reply::Reply;
use super::services::Question;
use super::{Grid, anc, radius, sessions, trustsec};
use crate::lab::fast_text::pick;
use crate::lab::population::LabSession;
use crate::lab::shared_changes::Change;

const GROUPS: &str = "/topic/com.cisco.ise.session.group";
const BINDINGS: &str = "/topic/com.cisco.ise.sxp.binding";
const FAILURES: &str = "/topic/com.cisco.ise.radius.failure";
const PROFILES: &str = "/topic/com.cisco.ise.config.profiler";
const MANAGED: &str = "/topic/com.cisco.ise.mdm.endpoint";
const ENDPOINTS: &str = "/topic/com.cisco.ise.endpoint";
const SECURITY_GROUPS: &str = "/topic/com.cisco.ise.config.trustsec.security.group";
const ACLS: &str = "/topic/com.cisco.ise.config.trustsec.security.group.acl";
const NETWORKS: &str = "/topic/com.cisco.ise.config.trustsec.virtualnetwork";
const EGRESS: &str = "/topic/com.cisco.ise.config.trustsec.egress.policy";
const DOWNLOADS: &str = "/topic/com.cisco.ise.trustsec.policy.download";
const POSTURE: &str = "/topic/com.cisco.ise.posture.visibility";

/// Applications of the long posture message: with them it is as long as the longest that was seen,
/// 250 KB.
const APPLICATIONS: u64 = 800;

/// The session's user and binding, when it came (`began`) or went.
pub(super) fn session(grid: &Grid, session: &LabSession, began: bool) {
    let user = session.user_name();
    if began && !user.is_empty() {
        let groups = json!({ "userName": user, "groups": sessions::groups(session) });
        grid.events
            .publish(GROUPS, &json!({ "userGroups": [groups] }));
    }
    let mut binding = String::new();
    if trustsec::push_binding(&mut binding, session) {
        let operation = if began { "CREATE" } else { "DELETE" };
        grid.events.publish_text(
            BINDINGS,
            &format!("{{\"operation\":\"{operation}\",\"binding\":{binding}}}"),
        );
    }
}

/// Something else, in turn; `turn` counts the times.
pub(super) fn another(grid: &Arc<Grid>, turn: u64, now: i64) {
    let request = json!({});
    let question = Question {
        grid,
        directory: &grid.directory,
        request: &request,
        now,
        outcome: anc::ForcedOutcome::Real,
    };
    let events = &grid.events;
    let row = |operation, member| row(&question, operation, member, turn / 12);
    match turn % 12 {
        0 | 6 => failure(&question, turn),
        1 => events.publish(
            PROFILES,
            &json!({ "operation": "UPDATE", "profile": pick(&devices::profiles(), turn) }),
        ),
        2 => {
            if let Some(object) = someone(&question, turn, |session| {
                Some(Managed::of(session)?.object(&session.mac_text()?))
            }) {
                events.publish(MANAGED, &object);
            }
        }
        3 => {
            let object = someone(&question, turn, |one| Some(devices::endpoint_object(one)));
            events.publish(ENDPOINTS, &object.unwrap_or_default());
        }
        4 => events.publish(
            SECURITY_GROUPS,
            &json!({ "operation": "UPDATE", "securityGroup": row("getSecurityGroups", "securityGroups") }),
        ),
        5 => events.publish(ACLS, &flat(row("getSecurityGroupAcls", "securityGroupAcls"))),
        7 => events.publish(NETWORKS, &flat(row("getVirtualNetwork", "virtualNetworks"))),
        8 => events.publish(EGRESS, &flat(row("getEgressPolicies", "egressPolicies"))),
        9 => download(&question),
        10 => posture(&question, turn, 3),
        _ => posture(&question, turn, APPLICATIONS),
    }
}

/// A row of the TrustSec configuration.
fn row(question: &Question<'_>, operation: &str, member: &str, number: u64) -> Value {
    match trustsec::answer(question, operation) {
        Some(Reply::Json(answer)) => answer
            .get(member)
            .and_then(Value::as_array)
            .and_then(|rows| pick(rows, number))
            .cloned()
            .unwrap_or_default(),
        _ => Value::Null,
    }
}

/// A row as the topics have it: it says itself whether it was deleted.
fn flat(mut row: Value) -> Value {
    if let Some(members) = row.as_object_mut() {
        members.shift_remove("isDeleted");
        members.insert("deleted".to_owned(), false.into());
    }
    row
}

/// The first session from `turn` on that has what is wanted.
fn someone<T>(
    question: &Question<'_>,
    turn: u64,
    wanted: impl Fn(&LabSession) -> Option<T>,
) -> Option<T> {
    let population = &question.directory.population;
    let count = population.sessions().min(100);
    (0..count)
        .map(|step| population.session((turn + step) % count.max(1)))
        .filter_map(|session| question.directory.state.apply(session, question.now))
        .find_map(|session| wanted(&session))
}

/// An endpoint that never came in fails once more.
fn failure(question: &Question<'_>, turn: u64) {
    let population = &question.directory.population;
    let endpoints: Vec<LabSession> = population.failures().take(20).collect();
    let Some(original) = pick(&endpoints, turn / 6) else {
        return;
    };
    let state = &question.directory.state;
    state.change(original, Change::Fail, question.now);
    if let Some(endpoint) = state.apply(*original, question.now)
        && let Some(failure) = radius::latest(population, &endpoint, question.now)
    {
        let body = json!({ "failures": [failure] });
        question.grid.events.publish(FAILURES, &body);
    }
}

fn download(question: &Question<'_>) {
    let body = json!({ "policyDownloads": [{
        "timestamp": time(question.now),
        "serverName": "psn-a",
        "status": "SUCCESS",
        "nasIpAddress": "10.50.1.10",
        "matrixName": "Production",
        "policies": [{ "sourceSgt": 255, "sourceSgtGenerationId": "0", "destinationSgt": 2,
            "destinationSgtGenerationId": "0", "sgaclName": "Deny IP", "sgaclGenerationId": "0" }],
    }]});
    question.grid.events.publish(DOWNLOADS, &body);
}

/// The applications of an endpoint, written with blank lines, which real bodies may hold and simple
/// parsers stumble over.
fn posture(question: &Question<'_>, turn: u64, applications: u64) {
    let Some(mac) = someone(question, turn, LabSession::mac_text) else {
        return;
    };
    let mut body = format!(
        "{{\n\n\"macAddress\":\"{mac}\",\"notificationType\":\"app\",\"operationType\":\"CREATE\",\"timestamp\":\"{}\",\n\n\"data\":[",
        time(question.now)
    );
    for number in 0..applications {
        let application = json!({
            "id": uuid(&number.to_string()),
            "productName": format!("Prüfprogramm № {number}"),
            "vendorName": "Beispiel GmbH – 例",
            "version": format!("12.{number}.0"),
            "category": "Werkzeuge",
            "installDirectory": format!("C:\\Program Files\\Prüfprogramm {number}"),
            "runningProcesses": [{ "processID": 4000 + number, "filePath": format!("C:\\Program Files\\Prüfprogramm {number}\\start.exe") }],
        });
        let comma = if number == 0 { "" } else { ",\n\n" };
        // Writing to a String cannot fail.
        let _ = write!(body, "{comma}{application}");
    }
    body.push_str("]}");
    question.grid.events.publish_text(POSTURE, &body);
}
