//! How the deployment does: load of the policy nodes by the hour, processors and disks, posture,
//! who holds which ANC policy.

use std::sync::Arc;

use super::estate::{Facts, facts};
use super::radius::endpoints;
use super::{Clock, Hints, Rows, record_id};
use crate::lab::data_connect::sql::World;
use crate::lab::data_connect::sql::value::Value;
use crate::lab::fast_text::mix;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const PSNS: [&str; 2] = ["psn-a", "psn-b"];

#[allow(clippy::too_many_lines, reason = "a table")]
pub(super) fn rows(name: &str, world: &World, hints: &Hints) -> Option<Rows> {
    let clock = Clock::of(world);
    let now = world.now;
    let sessions = world.directory.population.sessions();
    Some(match name {
        "KEY_PERFORMANCE_METRICS" => {
            let hour = now / HOUR * HOUR;
            let hours = (0..30 * 24).flat_map(|back| PSNS.map(|psn| (back, psn)));
            facts(hours.map(move |(back, psn)| {
                let at = hour - back * HOUR;
                let chance = chance(at, psn);
                let requests = sessions * 2 + chance % 100;
                Facts(vec![
                    ("LOGGED_TIME", clock.local(at)),
                    ("ISE_NODE", Value::from(psn)),
                    ("RADIUS_REQUESTS_HR", Value::from(requests)),
                    ("LOGGED_TO_MNT_HR", Value::from(requests * 9 / 10)),
                    ("NOISE_HR", Value::from(requests / 20)),
                    ("SUPPRESSION_HR", Value::from(requests / 12)),
                    ("AVG_LOAD", Value::from(5 + chance % 20)),
                    ("MAX_LOAD", Value::from(30 + chance % 50)),
                    ("AVG_LATENCY_PER_REQ", Value::from(20 + chance % 60)),
                    ("AVG_TPS", Value::from(requests / 3600 + 1)),
                ])
            }))
        }
        "SYSTEM_SUMMARY" => {
            let step = 5 * MINUTE;
            let samples = (0..24 * 12)
                .flat_map(|back| ["ise-mnt", "psn-a", "psn-b"].map(|node| (back, node)));
            facts(samples.map(move |(back, node)| {
                let at = now / step * step - back * step;
                let chance = chance(at, node);
                Facts(vec![
                    ("TIMESTAMP", clock.local(at)),
                    ("ISE_NODE", Value::from(node)),
                    ("CPU_UTILIZATION", Value::from(3 + chance % 30)),
                    ("CPU_COUNT", Value::from(24_u64)),
                    ("MEMORY_UTILIZATION", Value::from(40 + chance % 20)),
                    ("DISKSPACE_ROOT", Value::from(21_u64)),
                    ("DISKSPACE_BOOT", Value::from(28_u64)),
                    ("DISKSPACE_OPT", Value::from(35 + chance % 3)),
                    ("DISKSPACE_STOREDCONFIG", Value::from(2_u64)),
                    ("DISKSPACE_TMP", Value::from(1_u64)),
                    ("DISKSPACE_RUNTIME", Value::from(1_u64)),
                ])
            }))
        }
        "POSTURE_ASSESSMENT_BY_CONDITION" | "POSTURE_ASSESSMENT_BY_ENDPOINT" => {
            let machines = endpoints(world, hints, "ENDPOINT_ID")
                .filter(|one| one.role().user_type == "Host" && !one.is_failed_only());
            facts(machines.map(move |machine| {
                // One in eight lacks an update.
                let fails = machine.index() % 8 == 4;
                let status = if fails { "NonCompliant" } else { "Compliant" };
                let at = machine.authenticated_at() + 20_000;
                let mac = machine.mac_text().map_or(Value::Null, Value::from);
                let system = Value::from(machine.device().operating_system);
                let failed = |yes: &str, no: &str| Value::from(if fails { yes } else { no });
                Facts(vec![
                    ("ID", record_id(at, machine.index())),
                    ("LOGGED_AT", clock.local(at)),
                    ("TIMESTAMP", clock.local(at)),
                    ("TIMESTAMP_TIMEZONE", clock.zoned(at)),
                    ("ISE_NODE", Value::from(machine.psn())),
                    ("ENDPOINT_ID", mac.clone()),
                    ("ENDPOINT_MAC_ADDRESS", mac),
                    ("ENDPOINT_OS", system.clone()),
                    ("ENDPOINT_OPERATING_SYSTEM", system),
                    ("POSTURE_AGENT_VERSION", Value::from("Posture Agent 5.1.4")),
                    ("POSTURE_STATUS", Value::from(status)),
                    ("POLICY", Value::from("Windows-Updates")),
                    ("POLICY_STATUS", failed("Failed", "Passed")),
                    ("ENFORCEMENT_NAME", Value::from("Updates-Mandatory")),
                    ("ENFORCEMENT_TYPE", Value::from("Mandatory")),
                    ("ENFORCEMENT_STATUS", failed("Failed", "Passed")),
                    ("CONDITION_NAME", Value::from("updates_within_30_days")),
                    ("CONDITION_STATUS", failed("Failed", "Passed")),
                    ("IDENTITY", Value::from(machine.user_name())),
                    ("USERNAME", Value::from(machine.user_name())),
                    ("SESSION_ID", Value::from(machine.audit_session_id())),
                    (
                        "POSTURE_REPORT",
                        Value::from(format!("Updates-Mandatory\\;{status}")),
                    ),
                    ("FAILURE_REASON", failed("Mandatory requirement failed", "")),
                ])
            }))
        }
        "ADAPTIVE_NETWORK_CONTROL" => {
            let policies = world.directory.state.anc_policies();
            let directory = Arc::clone(&world.directory);
            facts((1_u64..).zip(policies).map(move |(number, (mac, policy))| {
                let mac_octets = crate::record::Mac::from_canonical(&mac);
                let session = mac_octets.and_then(|one| directory.by_mac(one.octets(), now));
                let at = session.map_or(directory.population.started_at(), |session| {
                    session.authenticated_at()
                });
                let audit = session.map_or(Value::Null, |session| {
                    Value::from(session.audit_session_id())
                });
                Facts(vec![
                    ("ID", Value::from(number)),
                    ("LOGGED_AT", clock.local(at)),
                    ("ENDPOINT_ID", Value::from(mac)),
                    ("OPERATION_TYPE", Value::from(policy)),
                    ("OPERATION_STATUS", Value::from("SUCCESS")),
                    ("AUDIT_SESSION", audit),
                    ("ADMIN_IDENTITY", Value::from("pxgrid-client")),
                    ("ADMIN_IP", Value::from("127.0.0.1")),
                    ("ISE_NODE", Value::from("ise-mnt")),
                ])
            }))
        }
        _ => return None,
    })
}

/// A number that belongs to a moment and a node.
fn chance(at: i64, node: &str) -> u64 {
    let name = node
        .bytes()
        .fold(0, |sum: u64, byte| sum * 31 + u64::from(byte));
    mix((at.unsigned_abs() / 1000) ^ name)
}
