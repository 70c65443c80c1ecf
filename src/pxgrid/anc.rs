//! Adaptive Network Control: which operation puts a policy on an endpoint or takes it off, what its
//! status says, and waiting for the end.
//!
//! HTTP is 200 even when the operation failed: the status object decides (reference pxgrid-api,
//! section 3.3). The reads of this service (policies, endpoints) are plain operations of the
//! catalogue and have nothing here.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::catalogue::ANC_POLICY_KEY;
use super::rest::ServiceClient;
use crate::backoff::Backoff;
use crate::error::{Error, Kind, Result};
use crate::record::{JsonText, Mac};
use crate::transport::show::quote;

/// The service.
pub const SERVICE: &str = "com.cisco.ise.config.anc";

/// What ISE says when the policy is on the endpoint already (section 3.3); compared without regard
/// to case.
const ALREADY_APPLIED: &str = "already associated with this policy";

/// Pauses between two looks at a running operation: growing from the first to the second.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// The endpoint that an order is about. Cisco warns not to mix `Mac` and `MacAtNas` for one
/// endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// By MAC address; it need not be online.
    Mac(Mac),
    /// By IP address; it needs an active session.
    Ip(IpAddr),
    /// By MAC address at one network device (2.6p7, 2.7p2, 3.0).
    MacAtNas(Mac, IpAddr),
}

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyChange {
    /// Put this policy on the endpoint.
    Apply(String),
    /// Take the policy off.
    Clear,
}

/// The operation and its body.
pub fn operation(order: &PolicyChange, target: &Target) -> (&'static str, Value) {
    let (name, mut body) = match (order, target) {
        (PolicyChange::Apply(_), Target::Mac(mac)) => (
            "applyEndpointByMacAddress",
            json!({"macAddress": mac.to_string()}),
        ),
        (PolicyChange::Apply(_), Target::Ip(ip)) => {
            ("applyEndpointByIpAddress", json!({"ipAddress": ip}))
        }
        (PolicyChange::Apply(_), Target::MacAtNas(mac, nas)) => (
            "applyEndpointPolicy",
            json!({"macAddress": mac.to_string(), "nasIpAddress": nas}),
        ),
        (PolicyChange::Clear, Target::Mac(mac)) => (
            "clearEndpointByMacAddress",
            json!({"macAddress": mac.to_string()}),
        ),
        (PolicyChange::Clear, Target::Ip(ip)) => {
            ("clearEndpointByIpAddress", json!({"ipAddress": ip}))
        }
        (PolicyChange::Clear, Target::MacAtNas(mac, nas)) => (
            "clearEndpointPolicy",
            json!({"macAddress": mac.to_string(), "nasIpAddress": nas}),
        ),
    };
    if let (PolicyChange::Apply(policy), Some(members)) = (order, body.as_object_mut()) {
        members.insert(ANC_POLICY_KEY.to_owned(), json!(policy));
    }
    (name, body)
}

/// How far an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationState {
    /// Done.
    Success,
    /// Ended without effect.
    Failure,
    /// Not ended.
    Running,
}

/// A status object.
#[derive(Debug, Clone)]
pub struct Status {
    /// How far it is.
    pub state: OperationState,
    /// The operation's id, for `getOperationStatus`.
    pub operation_id: Option<String>,
    /// Why it failed, in the server's words.
    pub failure_reason: Option<String>,
    /// The object as it came.
    pub json: JsonText,
}

/// Reads a status object.
///
/// Errors: [`Kind::Malformed`] without a status that the reference knows.
pub fn read_status(json: JsonText) -> Result<Status> {
    let text = |name: &str| json.text(name).map(std::borrow::Cow::into_owned);
    let state = match text("status").as_deref() {
        Some("SUCCESS") => OperationState::Success,
        Some("FAILURE") => OperationState::Failure,
        Some("RUNNING") => OperationState::Running,
        Some(other) => {
            return Err(Error::new(
                Kind::Malformed,
                format!("the ANC operation has the unknown status '{other}'"),
            ));
        }
        None => {
            return Err(Error::new(
                Kind::Malformed,
                "the answer is no ANC status: it has no 'status'",
            ));
        }
    };
    Ok(Status {
        state,
        operation_id: text("operationId"),
        failure_reason: text("failureReason"),
        json,
    })
}

/// What a status means for the order that it answers: `Ok` is done (also when the policy was on the
/// endpoint already).
///
/// Errors: [`Kind::Server`] with ISE's reason for a failure, [`Kind::Pending`] for one that still
/// runs.
pub fn outcome(order: &PolicyChange, status: &Status) -> Result<()> {
    match status.state {
        OperationState::Success => Ok(()),
        OperationState::Failure => {
            let reason = status
                .failure_reason
                .as_deref()
                .unwrap_or("no reason given");
            if matches!(order, PolicyChange::Apply(_))
                && reason.to_ascii_lowercase().contains(ALREADY_APPLIED)
            {
                return Ok(());
            }
            Err(Error::new(
                Kind::Server,
                format!("ISE did not carry out the ANC operation: {reason}"),
            ))
        }
        OperationState::Running => {
            let error = Error::new(Kind::Pending, "the ANC operation is still running");
            Err(match &status.operation_id {
                Some(id) => error.hint(format!(
                    "look again with `netapi ise pxgrid anc status {}`",
                    quote(id)
                )),
                None => error,
            })
        }
    }
}

/// Gives the order, once: the answer as it came, for [`read_status`].
pub async fn start(
    client: &ServiceClient,
    order: &PolicyChange,
    target: &Target,
) -> Result<JsonText> {
    let (name, body) = operation(order, target);
    client.query(SERVICE, name, &body).await
}

/// Looks at an operation.
///
/// Errors: [`Kind::NotFound`] for an id that ISE does not know.
pub async fn status(client: &ServiceClient, operation_id: &str) -> Result<Status> {
    let body = json!({"operationId": operation_id});
    read_status(client.query(SERVICE, "getOperationStatus", &body).await?)
}

/// Looks at a running operation until it ends or `patience` is over; the last status in any case,
/// which may still run (see [`outcome`]).
pub async fn wait(client: &ServiceClient, first: Status, patience: Duration) -> Result<Status> {
    settle(first, patience, FIRST_PAUSE, async |id| {
        status(client, &id).await
    })
    .await
}

async fn settle(
    first: Status,
    patience: Duration,
    first_pause: Duration,
    mut look: impl AsyncFnMut(String) -> Result<Status>,
) -> Result<Status> {
    let deadline = Instant::now() + patience;
    let mut backoff = Backoff::new(first_pause, LONGEST_PAUSE);
    let mut now = first;
    while now.state == OperationState::Running {
        let Some(id) = now.operation_id.clone() else {
            return Ok(now);
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(now);
        }
        sleep(backoff.next_pause().min(left)).await;
        let mut next = look(id.clone()).await?;
        next.operation_id.get_or_insert(id);
        now = next;
    }
    Ok(now)
}

#[cfg(test)]
mod tests;
