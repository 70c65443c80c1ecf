//! TrustSec configuration with its pages, and SXP bindings (reference pxgrid-api, sections 3.4 and
//! 3.6). Security groups are those of the population.

use serde_json::{Value, json};

use super::json::{Object, moment, number, text, time, uuid};
use super::listing::Listing;
use super::reply::Reply;
use super::services::Question;
use crate::lab::population::{LabSession, Population, QUARANTINE_GROUP, QUARANTINE_TAG};

const DAY: i64 = 86_400_000;
const MATRIX: &str = "Production";

/// Answers one operation of the configuration.
pub(super) fn answer(question: &Question<'_>, operation: &str) -> Option<Reply> {
    let (member, deleted_member, rows, deleted) = match operation {
        "getSecurityGroups" => (
            "securityGroups",
            "deletedSecurityGroups",
            groups(question),
            vec![group(question, "Retired_Cameras", -1, 1)],
        ),
        "getSecurityGroupAcls" => (
            "securityGroupAcls",
            "deletedSecurityGroupAcls",
            acls(question),
            vec![acl(question, "Retired_Acl", "deny ip", true)],
        ),
        "getVirtualNetwork" => (
            "virtualNetworks",
            "deletedVirtualNetworks",
            networks(question),
            Vec::new(),
        ),
        "getEgressPolicies" => (
            "egressPolicies",
            "deletedEgressPolicies",
            policies(question),
            Vec::new(),
        ),
        "getEgressMatrices" => {
            let matrix = json!({ "id": uuid(MATRIX), "name": MATRIX,
                "description": "The matrix of the lab", "monitorAll": false });
            return Some(Reply::Json(json!({ "egressMatrices": [matrix] })));
        }
        _ => return None,
    };
    Some(page(question, member, deleted_member, rows, deleted))
}

/// The page that was asked for. Rows that changed in the window are chosen first, and counted;
/// deleted ones are not paged.
fn page(
    question: &Question<'_>,
    member: &str,
    deleted_member: &str,
    rows: Vec<Value>,
    deleted: Vec<Value>,
) -> Reply {
    let request = question.request;
    let (Ok(since), Ok(until)) = (
        moment(request, "startTimestamp"),
        moment(request, "endTimestamp"),
    ) else {
        return Reply::BAD;
    };
    let window = since.unwrap_or(i64::MIN)..=until.unwrap_or(i64::MAX);
    let id = text(request, "id");
    let matrix = text(request, "matrixId");
    let chosen = |row: &Value| {
        let changed = row.get("timestamp").and_then(Value::as_str);
        let changed = changed.and_then(|text| text.parse::<jiff::Timestamp>().ok());
        changed.is_none_or(|at| window.contains(&at.as_millisecond()))
            && id.is_none_or(|id| text(row, "id") == Some(id))
            && matrix.is_none_or(|matrix| text(row, "matrixId") == Some(matrix))
    };
    let rows: Vec<Value> = rows.into_iter().filter(chosen).collect();
    let deleted: Vec<Value> = deleted.into_iter().filter(chosen).collect();
    let total = rows.len();
    let bound = |name, other| {
        number(request, name).map_or(other, |number| {
            usize::try_from(number).unwrap_or(usize::MAX)
        })
    };
    let rows: Vec<Value> = rows
        .into_iter()
        .skip(bound("startIndex", 0))
        .take(bound("recordCount", usize::MAX))
        .collect();
    Reply::Json(json!({ "totalCount": total, member: rows, deleted_member: deleted }))
}

/// When a row last changed: some days before the lab's start, another for each name.
fn changed(question: &Question<'_>, name: &str) -> String {
    let days = i64::try_from(name.len() % 20).unwrap_or(0);
    time(question.directory.population.started_at() - DAY * (2 + days))
}

fn group(question: &Question<'_>, name: &str, tag: i32, days_ago: i64) -> Value {
    let timestamp = if tag < 0 {
        // A deleted row is seen for a day only.
        time(question.directory.population.started_at() - days_ago * DAY / 2)
    } else {
        changed(question, name)
    };
    json!({ "id": uuid(name), "name": name, "description": format!("{} of the lab", name.replace('_', " ")),
        "tag": tag, "timestamp": timestamp })
}

/// Names and tags: those that ISE brings, those of the roles, the quarantine.
fn tags() -> Vec<(&'static str, u16)> {
    let mut tags = vec![
        ("Unknown", 0),
        ("TrustSec_Devices", 2),
        (QUARANTINE_GROUP, QUARANTINE_TAG),
    ];
    tags.extend(
        Population::roles()
            .iter()
            .filter(|role| role.security_group_tag > 0)
            .map(|role| (role.security_group, role.security_group_tag)),
    );
    crate::order::sort_by_key(&mut tags, |(_, tag)| *tag);
    tags.dedup();
    tags
}

fn groups(question: &Question<'_>) -> Vec<Value> {
    let all = tags().into_iter();
    all.map(|(name, tag)| group(question, name, i32::from(tag), 0))
        .collect()
}

fn acl(question: &Question<'_>, name: &str, acl: &str, deleted: bool) -> Value {
    let timestamp = if deleted {
        time(question.directory.population.started_at() - DAY / 2)
    } else {
        changed(question, name)
    };
    json!({ "id": uuid(name), "isDeleted": deleted, "name": name, "description": "",
        "ipVersion": "IPV4", "acl": acl, "generationId": "0", "timestamp": timestamp })
}

fn acls(question: &Question<'_>) -> Vec<Value> {
    [
        ("Permit IP", "permit ip"),
        ("Deny IP", "deny ip"),
        ("Deny_IP_Log", "deny ip log"),
        (
            "Permit_Web",
            "permit tcp dst eq 80\npermit tcp dst eq 443\ndeny ip",
        ),
    ]
    .into_iter()
    .map(|(name, text)| acl(question, name, text, false))
    .collect()
}

fn networks(question: &Question<'_>) -> Vec<Value> {
    ["DEFAULT_VN", "Campus_VN"]
        .into_iter()
        .map(|name| {
            json!({ "id": uuid(name), "name": name, "additionalAttributes": "",
                "timestamp": changed(question, name) })
        })
        .collect()
}

/// Quarantine is denied towards everything; the rest may browse.
fn policies(question: &Question<'_>) -> Vec<Value> {
    let quarantine = uuid(QUARANTINE_GROUP);
    tags()
        .into_iter()
        .filter(|(_, tag)| *tag > 2)
        .flat_map(|(name, _)| {
            [
                (QUARANTINE_GROUP, name, "Deny IP"),
                (name, "TrustSec_Devices", "Permit_Web"),
            ]
        })
        .map(|(source, destination, acl)| {
            let name = format!("{source}-{destination}");
            let status = if uuid(source) == quarantine {
                "ENABLED"
            } else {
                "MONITOR"
            };
            json!({ "id": uuid(&name), "name": name, "matrixId": uuid(MATRIX), "status": status,
                "description": "", "sourceSecurityGroupId": uuid(source),
                "destinationSecurityGroupId": uuid(destination), "sgaclIds": [uuid(acl)],
                "timestamp": changed(question, &name) })
        })
        .collect()
}

/// Answers the operation of SXP.
pub(super) fn bindings(question: &Question<'_>, operation: &str) -> Option<Reply> {
    if operation != "getBindings" {
        return None;
    }
    let Ok(filter) = question.filter() else {
        return Some(Reply::BAD);
    };
    let indexes = 0..question.directory.population.sessions();
    Some(Reply::list(Listing::new(
        question.source(),
        "bindings",
        indexes,
        filter,
        Box::new(|source, session, rows| {
            if let Some(session) = source.changes.apply(session) {
                rows.maybe(|out| push_binding(out, &session));
            }
        }),
    )))
}

/// Appends a session's binding; false when it has none.
pub(super) fn push_binding(out: &mut String, session: &LabSession) -> bool {
    let Some(address) = session.framed_ip() else {
        return false;
    };
    if session.security_group_tag() == 0 {
        return false;
    }
    let mut object = Object::new(out);
    object.plain("ipPrefix", &format!("{address}/32"));
    object.number("tag", u64::from(session.security_group_tag()));
    object.plain("source", "10.50.0.31");
    object.plain("peerSequence", "10.50.0.31");
    object.plain("vpn", "default");
    object.end();
    true
}
