//! Adaptive Network Control (reference pxgrid-api, section 3.3): policies, assignments, and
//! operations that take a moment.
//!
//! What an operation does to a session it does to the one session there is, so the Monitoring node
//! shows it too.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::Grid;
use super::json::text;
use super::reply::Reply;
use super::services::Question;
use crate::lab::shared_changes::Change;
use crate::record::Mac;

/// How long an operation is `RUNNING`.
const DURATION: Duration = Duration::from_millis(200);
/// The topic of outcomes.
const TOPIC: &str = "/topic/com.cisco.ise.config.anc.status";
/// The reason of the fault that names none.
const BROKEN: &str = "Radius session could not be reached";

const ASSOCIATED: &str = "mac address is already associated with this policy";
const NOT_CONFIGURED: &str = "Policy is not configured";
const NO_SESSION: &str = "Session lookup failure";
const NOT_ASSOCIATED: &str = "mac address is not associated with a policy";

/// What the faults want of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ForcedOutcome {
    /// Nothing.
    Real,
    /// It fails, with this reason.
    Failure(Option<String>),
    /// It never ends.
    Running,
}

/// Policies, assignments by NAS, and operations.
#[derive(Debug)]
pub(super) struct Anc {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    policies: Vec<(String, Vec<String>)>,
    /// The NAS that a policy was assigned with, by MAC.
    nas: HashMap<String, String>,
    operations: HashMap<String, Value>,
    count: u64,
}

impl Default for Anc {
    fn default() -> Self {
        let policies = [
            ("Quarantine", "QUARANTINE"),
            ("Shutdown", "SHUT_DOWN"),
            ("Bounce", "PORT_BOUNCE"),
            ("ReAuth", "RE_AUTHENTICATE"),
        ];
        Self {
            inner: Mutex::new(Inner {
                policies: policies
                    .map(|(name, action)| (name.to_owned(), vec![action.to_owned()]))
                    .into(),
                nas: HashMap::new(),
                operations: HashMap::new(),
                count: 0,
            }),
        }
    }
}

impl Anc {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn policy(&self, name: &str) -> Option<Vec<String>> {
        let inner = self.lock();
        let found = inner.policies.iter().find(|(known, _)| known == name);
        found.map(|(_, actions)| actions.clone())
    }
}

fn policy_object(name: &str, actions: &[String]) -> Value {
    json!({ "name": name, "actions": actions })
}

/// Answers one operation.
pub(super) fn answer(question: &Question<'_>, operation: &str) -> Option<Reply> {
    let anc = &question.grid.anc;
    let request = question.request;
    let member = |name| text(request, name).unwrap_or("");
    Some(match operation {
        "getPolicies" => {
            let inner = anc.lock();
            let all = inner.policies.iter();
            let policies: Vec<Value> = all
                .map(|(name, actions)| policy_object(name, actions))
                .collect();
            Reply::Json(json!({ "policies": policies }))
        }
        "getPolicyByName" => {
            let name = member("name");
            anc.policy(name).map_or(Reply::Nothing, |actions| {
                Reply::Json(policy_object(name, &actions))
            })
        }
        "createPolicy" => create(question),
        "deletePolicyByName" => {
            let mut inner = anc.lock();
            let before = inner.policies.len();
            inner.policies.retain(|(name, _)| name != member("name"));
            if inner.policies.len() < before {
                Reply::Empty
            } else {
                Reply::Nothing
            }
        }
        "getEndpoints" => endpoints(question, false),
        "getEndpointPolicies" => endpoints(question, true),
        "getEndpointByMacAddress" => endpoint(question, member("macAddress"), None),
        "getEndpointByNasIpAddress" => {
            endpoint(question, member("macAddress"), Some(member("nasIpAddress")))
        }
        "applyEndpointByIpAddress" | "applyEndpointByMacAddress" => start(question, true, None),
        "applyEndpointPolicy" => {
            let nas = text(request, "nasIpAddress").map(str::to_owned);
            let nas = nas.or_else(|| {
                let session = question.session_of(member("macAddress"))?;
                Some(session.nas_ip()?.to_string())
            });
            start(question, true, nas)
        }
        "clearEndpointByIpAddress" | "clearEndpointByMacAddress" | "clearEndpointPolicy" => start(
            question,
            false,
            text(request, "nasIpAddress").map(str::to_owned),
        ),
        "getOperationStatus" => {
            let inner = anc.lock();
            let known = inner.operations.get(member("operationId"));
            known.map_or(Reply::Nothing, |status| Reply::Json(status.clone()))
        }
        _ => return None,
    })
}

fn create(question: &Question<'_>) -> Reply {
    const ACTIONS: &[&str] = &["QUARANTINE", "SHUT_DOWN", "PORT_BOUNCE", "RE_AUTHENTICATE"];
    let name = text(question.request, "name").unwrap_or("");
    let actions: Option<Vec<String>> = question
        .request
        .get("actions")
        .and_then(Value::as_array)
        .and_then(|actions| {
            let words = actions.iter().map(|action| action.as_str());
            words
                .map(|word| {
                    word.filter(|word| ACTIONS.contains(word))
                        .map(str::to_owned)
                })
                .collect()
        });
    let Some(actions) = actions.filter(|actions| !actions.is_empty() && !name.is_empty()) else {
        return Reply::BAD;
    };
    let mut inner = question.grid.anc.lock();
    if inner.policies.iter().any(|(known, _)| known == name) {
        return Reply::Status(409);
    }
    inner.policies.push((name.to_owned(), actions.clone()));
    Reply::Json(policy_object(name, &actions))
}

/// Assignments; those of the MAC alone, or those of a MAC at a NAS.
fn endpoints(question: &Question<'_>, with_nas: bool) -> Reply {
    let inner = question.grid.anc.lock();
    let all = question.directory.state.anc_policies();
    let rows: Vec<Value> = all
        .iter()
        .filter_map(|(mac, policy)| match (with_nas, inner.nas.get(mac)) {
            (true, Some(nas)) => {
                Some(json!({ "macAddress": mac, "nasIpAddress": nas, "policyName": policy }))
            }
            (false, None) => Some(json!({ "macAddress": mac, "policyName": policy })),
            _ => None,
        })
        .collect();
    Reply::Json(json!({ "endpoints": rows }))
}

fn endpoint(question: &Question<'_>, mac: &str, nas: Option<&str>) -> Reply {
    let Some(policy) = question.directory.state.anc_policy(mac) else {
        return Reply::Nothing;
    };
    let inner = question.grid.anc.lock();
    match (nas, inner.nas.get(mac)) {
        (Some(asked), Some(known)) if asked == known => {
            Reply::Json(json!({ "macAddress": mac, "nasIpAddress": known, "policyName": policy }))
        }
        (Some(_), _) => Reply::Nothing,
        (None, _) => Reply::Json(json!({ "macAddress": mac, "policyName": policy })),
    }
}

/// An operation under way.
struct Operation {
    grid: Arc<Grid>,
    id: String,
    status: Map<String, Value>,
    /// Upper-case MAC; `None` when the address has no session.
    mac: Option<String>,
    /// The policy to apply; `None` clears.
    policy: Option<String>,
    nas: Option<String>,
}

/// Begins an operation: refusals that need no look at the network are there at once, the rest comes
/// a moment later.
fn start(question: &Question<'_>, apply: bool, nas: Option<String>) -> Reply {
    let request = question.request;
    let policy = text(request, "policyName").or_else(|| text(request, "policy"));
    let policy = policy.filter(|_| apply).map(str::to_owned);
    let ip = text(request, "ipAddress");
    let mac = match text(request, "macAddress") {
        Some(mac) if Mac::from_canonical(mac).is_some() => Some(mac.to_owned()),
        Some(_) => return Reply::BAD,
        None => ip
            .and_then(|ip| ip.parse().ok())
            .and_then(|ip| question.directory.by_ip(ip, question.now))
            .and_then(|session| session.mac_text()),
    };
    let grid = question.grid;
    let id = {
        let mut inner = grid.anc.lock();
        inner.count += 1;
        format!("ise-pan.lab.example:{}", inner.count)
    };
    let mut status = Map::new();
    status.insert("operationId".to_owned(), id.clone().into());
    status.insert("status".to_owned(), "RUNNING".into());
    for (name, value) in [
        ("macAddress", mac.as_deref()),
        ("nasIpAddress", nas.as_deref()),
        ("ipAddress", ip),
        ("policyName", policy.as_deref()),
    ] {
        if let Some(value) = value {
            status.insert(name.to_owned(), value.into());
        }
    }
    let operation = Operation {
        grid: Arc::clone(grid),
        id,
        status,
        mac,
        policy,
        nas,
    };
    if let Some(reason) = refusal(question, &operation, apply) {
        return Reply::Json(operation.end(Some(reason)));
    }
    let running = Value::Object(operation.status.clone());
    grid.anc
        .lock()
        .operations
        .insert(operation.id.clone(), running.clone());
    let outcome = question.outcome.clone();
    if outcome != ForcedOutcome::Running {
        tokio::spawn(async move {
            tokio::time::sleep(DURATION).await;
            operation.finish(outcome);
        });
    }
    Reply::Json(running)
}

/// What can be refused without looking at the network.
fn refusal(question: &Question<'_>, operation: &Operation, apply: bool) -> Option<&'static str> {
    let current = operation
        .mac
        .as_deref()
        .and_then(|mac| question.directory.state.anc_policy(mac));
    match &operation.policy {
        Some(policy) if operation.grid.anc.policy(policy).is_none() => Some(NOT_CONFIGURED),
        Some(policy) if current.as_ref() == Some(policy) => Some(ASSOCIATED),
        None if apply => Some(NOT_CONFIGURED),
        None if operation.mac.is_some() && current.is_none() => Some(NOT_ASSOCIATED),
        _ => None,
    }
}

impl Operation {
    /// Does it, and says how it went.
    fn finish(self, outcome: ForcedOutcome) {
        let reason = match (outcome, &self.mac) {
            (ForcedOutcome::Failure(reason), _) => {
                Some(reason.unwrap_or_else(|| BROKEN.to_owned()))
            }
            (_, None) => Some(NO_SESSION.to_owned()),
            (_, Some(mac)) => {
                self.perform(mac);
                None
            }
        };
        self.end(reason.as_deref());
    }

    fn perform(&self, mac: &str) {
        let state = &self.grid.directory.state;
        let before = state.set_anc_policy(mac, self.policy.clone());
        {
            let mut inner = self.grid.anc.lock();
            match (&self.policy, &self.nas) {
                (Some(_), Some(nas)) => inner.nas.insert(mac.to_owned(), nas.clone()),
                _ => inner.nas.remove(mac),
            };
        }
        let Some(octets) = Mac::from_canonical(mac).map(Mac::octets) else {
            return;
        };
        let population = &self.grid.directory.population;
        let Some(original) = population.find_by_mac(octets) else {
            return;
        };
        let now = Timestamp::now().as_millisecond();
        let name = self.policy.as_ref().or(before.as_ref());
        let actions = name
            .and_then(|name| self.grid.anc.policy(name))
            .unwrap_or_default();
        for action in actions {
            let change = match (self.policy.is_some(), action.as_str()) {
                (true, "QUARANTINE") => Change::Quarantine,
                (true, "SHUT_DOWN") => Change::PortShutdown,
                (true, "PORT_BOUNCE") => Change::PortBounce,
                (true, _) => Change::Reauthenticate,
                (false, "QUARANTINE" | "SHUT_DOWN") => Change::Release,
                (false, _) => continue,
            };
            let present = self.grid.directory.by_mac(octets, now).is_some();
            if present || change == Change::Release {
                state.change(&original, change, now);
            }
        }
        self.grid.session_changed(original.index());
    }

    /// Remembers and publishes the outcome.
    fn end(self, reason: Option<&str>) -> Value {
        let mut status = self.status;
        let word = if reason.is_some() {
            "FAILURE"
        } else {
            "SUCCESS"
        };
        status.insert("status".to_owned(), word.into());
        if let Some(reason) = reason {
            status.insert("failureReason".to_owned(), reason.into());
        }
        let status = Value::Object(status);
        self.grid
            .anc
            .lock()
            .operations
            .insert(self.id, status.clone());
        self.grid.events.publish(TOPIC, &status);
        status
    }
}
