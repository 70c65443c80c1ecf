//! What there is rather than what happened: endpoints, network devices, nodes, groups, policy sets,
//! codes of failures.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::radius::endpoints;
use super::{Clock, Hints, Row, Rows};
use crate::lab::data_connect::sql::World;
use crate::lab::data_connect::sql::value::Value;
use crate::lab::population::{CATALOGUE, LabSession, Nas, Population};

const DAY: i64 = 24 * 3_600_000;

/// A row of names and values.
pub(super) struct Facts(pub(super) Vec<(&'static str, Value)>);

impl Row for Facts {
    fn value(&self, column: &str) -> Value {
        let found = self.0.iter().find(|(name, _)| *name == column);
        found.map_or(Value::Null, |(_, value)| value.clone())
    }
}

/// Such rows as a source.
pub(super) fn facts(rows: impl Iterator<Item = Facts> + Send + 'static) -> Rows {
    Box::new(rows.map(|row| Box::new(row) as Box<dyn Row>))
}

#[allow(clippy::too_many_lines, reason = "a table")]
pub(super) fn rows(name: &str, world: &World, hints: &Hints) -> Option<Rows> {
    let clock = Clock::of(world);
    let began = world.directory.population.started_at();
    Some(match name {
        "ENDPOINTS_DATA" => {
            let directory = Arc::clone(&world.directory);
            let endpoints = endpoints(world, hints, "MAC_ADDRESS");
            let endpoints = endpoints.filter(|endpoint| endpoint.mac().is_some());
            Box::new(endpoints.map(move |endpoint| {
                let since = known_since(&directory.population, &endpoint);
                let clock = clock.clone();
                Box::new(Known {
                    endpoint,
                    since,
                    clock,
                }) as Box<dyn Row>
            }))
        }
        "NETWORK_DEVICES" => {
            let count = world.directory.population.nas_count();
            let devices = (0..count).map(|number| device(Population::nas(number)));
            // One that was defined and never asked anything.
            facts(devices.chain(std::iter::once(Facts(vec![
                ("ID", Value::from("spare")),
                ("NAME", Value::from("sw-lab-spare")),
                ("IP_MASK", Value::from("10.50.254.1/32")),
                ("PROFILE_NAME", Value::from("Cisco")),
                ("LOCATION", Value::from("All Locations#Lab#Warehouse")),
                ("TYPE", Value::from("All Device Types#Switch")),
            ]))))
        }
        "NODE_LIST" => facts(NODES.iter().map(move |node| {
            Facts(vec![
                ("HOSTNAME", Value::from(node.0)),
                ("HOST_ALIAS", Value::from(format!("{}.lab.example", node.0))),
                ("NODE_TYPE", Value::from(node.1)),
                ("NODE_ROLE", Value::from(node.2)),
                ("ACTIVE_STATUS", Value::from("ACTIVE")),
                ("REPLICATION_STATUS", Value::from("SYNC COMPLETED")),
                ("PDP_SERVICES", Value::from(node.3)),
                ("CREATE_TIME", clock.zoned(began - 400 * DAY)),
                ("UPDATE_TIME", clock.zoned(began - 12 * DAY)),
                ("PATCH_VERSION", Value::from("11")),
                ("XGRID_ENABLED", Value::from(0_u64)),
                ("PIC_NODE", Value::from(0_u64)),
                ("API_NODE", Value::from(u64::from(node.2 == "PRIMARY"))),
                ("UDI_PID", Value::from("SNS-3715-K9")),
            ])
        })),
        "FAILURE_CODE_CAUSE" => facts(CATALOGUE.iter().map(|reason| {
            Facts(vec![
                (
                    "FAILURE_CODE",
                    Value::from(format!("{} {}", reason.code, reason.text)),
                ),
                ("FAILURE_CAUSE", Value::from(reason.cause)),
            ])
        })),
        "ENDPOINT_IDENTITY_GROUPS" => facts(groups().into_iter().map(move |name| {
            Facts(vec![
                ("ID", Value::from(group_id(name))),
                ("NAME", Value::from(name)),
                (
                    "DESCRIPTION",
                    Value::from(format!("Identity group of the profile {name}")),
                ),
                ("CREATED_BY", Value::from("admin")),
                ("CREATE_TIME", clock.zoned(began - 400 * DAY)),
                ("UPDATE_TIME", clock.zoned(began - 400 * DAY)),
                ("STATUS", Value::from("Active")),
            ])
        })),
        "SECURITY_GROUPS" => facts(security_groups().into_iter().map(|(tag, name)| {
            Facts(vec![
                ("NAME", Value::from(name)),
                ("SGT_DEC", Value::from(u64::from(tag))),
                ("SGT_HEX", Value::from(format!("{tag:04x}"))),
            ])
        })),
        "POLICY_SETS" => facts(
            (1..)
                .zip(policy_sets())
                .map(move |(number, name): (u64, _)| {
                    Facts(vec![
                        (
                            "ID",
                            Value::from(format!("00000000-0000-0000-0000-{number:012}")),
                        ),
                        ("POLICYSET_NAME", Value::from(name)),
                        ("POLICYSET_STATUS", Value::from("Active")),
                        ("CREATE_TIME", clock.zoned(began - 400 * DAY)),
                        ("UPDATE_TIME", clock.zoned(began - 30 * DAY)),
                    ])
                }),
        ),
        "AUTHORIZATION_PROFILES" => facts(
            profiles()
                .into_iter()
                .map(|name| Facts(vec![("NAME", Value::from(name))])),
        ),
        _ => return None,
    })
}

/// Short name, kind, role, services.
const NODES: [(&str, &str, &str, &str); 4] = [
    ("ise-pan", "PAP", "PRIMARY", ""),
    ("ise-mnt", "MNT", "PRIMARY", ""),
    ("psn-a", "PDP", "STANDALONE", "SESSION,PROFILER"),
    ("psn-b", "PDP", "STANDALONE", "SESSION,PROFILER"),
];

fn device(nas: Nas) -> Facts {
    Facts(vec![
        ("ID", Value::from(format!("nad-{}", nas.number()))),
        ("NAME", Value::from(nas.name())),
        ("IP_MASK", Value::from(format!("{}/32", nas.ip()))),
        ("PROFILE_NAME", Value::from("Cisco")),
        ("LOCATION", Value::from(nas.location())),
        ("TYPE", Value::from(nas.device_type())),
    ])
}

fn groups() -> BTreeSet<&'static str> {
    Population::roles()
        .iter()
        .map(|role| role.identity_group)
        .filter(|name| !name.is_empty())
        .collect()
}

fn policy_sets() -> BTreeSet<&'static str> {
    Population::roles()
        .iter()
        .map(|role| role.policy_set)
        .collect()
}

fn security_groups() -> BTreeSet<(u16, &'static str)> {
    let roles = Population::roles().iter();
    let groups = roles.map(|role| (role.security_group_tag, role.security_group));
    groups.filter(|(tag, _)| *tag > 0).collect()
}

fn profiles() -> BTreeSet<&'static str> {
    let roles = Population::roles().iter();
    roles
        .flat_map(|role| role.profiles.split(','))
        .filter(|name| !name.is_empty())
        .collect()
}

/// Of its name, so that it is the same everywhere.
fn group_id(name: &str) -> String {
    let sum = name.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3)
    });
    format!(
        "{:08x}-8c01-11e6-996c-{:012x}",
        sum >> 32,
        sum & 0xFFFF_FFFF
    )
}

/// When an endpoint was first seen: before all that is known of it, and of one that never came in
/// just before its first attempt.
fn known_since(population: &Population, endpoint: &LabSession) -> i64 {
    if endpoint.is_failed_only() {
        let attempts = population.history(endpoint, i64::MIN, i64::MAX);
        let first = attempts
            .last()
            .map_or(population.started_at(), |attempt| attempt.at);
        return first - 1500;
    }
    let days = i64::try_from(31 + endpoint.hash() % 400).unwrap_or(31);
    population.started_at() - days * DAY
}

struct Known {
    endpoint: LabSession,
    since: i64,
    clock: Clock,
}

impl Row for Known {
    fn value(&self, column: &str) -> Value {
        let endpoint = &self.endpoint;
        let role = endpoint.role();
        match column {
            "MAC_ADDRESS" => endpoint.mac_text().map_or(Value::Null, Value::from),
            "ID" | "ENDPOINT_ID" | "ENDPOINT_UNIQUE_ID" => Value::from(format!(
                "{:08x}-e9c1-11ee-9b1a-{:012x}",
                endpoint.hash() & 0xFFFF_FFFF,
                endpoint.index()
            )),
            "ENDPOINT_IP" => endpoint
                .framed_ip()
                .map_or(Value::Null, |ip| Value::from(ip.to_string())),
            "HOSTNAME" if role.user_type == "Host" => {
                // The first is known by a name of its own.
                if endpoint.index() == 0 {
                    return Value::from("workstation.example.com");
                }
                let mut name = String::new();
                endpoint.push_host_name(&mut name);
                Value::from(name)
            }
            "ENDPOINT_POLICY" | "MATCHED_VALUE" => Value::from(endpoint.device().policy),
            "IDENTITY_GROUP_ID" if !role.identity_group.is_empty() => {
                Value::from(group_id(role.identity_group))
            }
            "CREATE_TIME" => self.clock.zoned(self.since),
            "UPDATE_TIME" => self.clock.zoned(endpoint.authenticated_at()),
            "STATIC_ASSIGNMENT" | "STATIC_GROUP_ASSIGNMENT" => Value::from("false"),
            "POSTURE_APPLICABLE" => Value::from(u64::from(role.user_type == "Host")),
            "PROFILE_SERVER" => Value::from(format!("{}.lab.example", endpoint.psn())),
            "VERSION" | "ENDPOINT_POLICY_VERSION" => Value::from(1_u64),
            // Names and values with their lengths, in bytes that are no text.
            "PROBE_DATA" => Value::Text(
                [
                    &b"\x02\x11\x0Fdhcp-class-iden\x11\x08"[..],
                    b"MSFT 5.0",
                    &[0x11, 0x80, 0xFF],
                ]
                .concat(),
            ),
            _ => Value::Null,
        }
    }
}
