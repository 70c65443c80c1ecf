//! How the members that the catalogue names as columns are headed and shown. Which columns an
//! operation has is the catalogue's to say.

use std::borrow::Cow;

use crate::pxgrid::catalogue::Operation;
use crate::record::Record;
use crate::render::{CellKind, Column, Columns, column, first_of, with};

/// Of a node's resources, in percent.
const PERCENT: CellKind = CellKind::Threshold {
    high: 80,
    critical: 90,
};

/// The members that need more than their own name as a heading.
const KNOWN: &[(&str, Column)] = &[
    // VPN sessions have a calling station that is no MAC address, and no macAddress.
    (
        "macAddress",
        first_of("MAC", &["macAddress", "callingStationId"]),
    ),
    (
        "callingStationId",
        first_of("MAC", &["callingStationId", "macAddress"]),
    ),
    (
        "ipAddresses",
        column("IP", "ipAddresses").kind(CellKind::Addresses),
    ),
    ("ipAddress", column("IP", "ipAddress")),
    ("userName", column("USER", "userName")),
    // Some devices come by name only.
    (
        "nasIpAddress",
        first_of("NAS", &["nasIpAddress", "nasIdentifier", "nasName"]),
    ),
    (
        "authMethod",
        column("METHOD", "authMethod").kind(CellKind::Enumeration(0)),
    ),
    ("ctsSecurityGroup", column("SGT", "ctsSecurityGroup")),
    ("endpointProfile", column("PROFILE", "endpointProfile")),
    (
        "timestamp",
        column("TIME", "timestamp").kind(CellKind::Time),
    ),
    ("groups", with("GROUPS", groups)),
    ("policyName", column("POLICY", "policyName")),
    ("operationId", column("OPERATION", "operationId")),
    ("status", column("STATUS", "status").kind(CellKind::Verdict)),
    (
        "failureReason",
        column("REASON", "failureReason").kind(CellKind::Sentence),
    ),
    ("serverName", column("SERVER", "serverName")),
    ("osVersion", column("OS", "osVersion")),
    ("deviceManager", column("MANAGER", "deviceManager")),
    (
        "lastSyncTime",
        column("SYNCED", "lastSyncTime").kind(CellKind::Time),
    ),
    ("tag", column("TAG", "tag").kind(CellKind::Number)),
    (
        "ipVersion",
        column("IPVERSION", "ipVersion").kind(CellKind::Enumeration(0)),
    ),
    ("generationId", column("GENERATION", "generationId")),
    (
        "sourceSecurityGroupId",
        column("SOURCE", "sourceSecurityGroupId"),
    ),
    (
        "destinationSecurityGroupId",
        column("DESTINATION", "destinationSecurityGroupId"),
    ),
    ("sgaclIds", column("ACLS", "sgaclIds")),
    ("matrixId", column("MATRIX", "matrixId")),
    (
        "monitorAll",
        column("MONITOR", "monitorAll").kind(CellKind::Enumeration(0)),
    ),
    ("fullName", column("FULLNAME", "fullName")),
    ("ipPrefix", column("PREFIX", "ipPrefix")),
    ("peerSequence", column("PEERS", "peerSequence")),
    ("cpuUsage", column("CPU", "cpuUsage").kind(PERCENT)),
    ("memoryUsage", column("MEMORY", "memoryUsage").kind(PERCENT)),
    (
        "loadAverage",
        column("LOAD", "loadAverage").kind(CellKind::Number),
    ),
    ("ioWait", column("IOWAIT", "ioWait").kind(CellKind::Number)),
    (
        "diskUsageRoot",
        column("ROOT", "diskUsageRoot").kind(PERCENT),
    ),
    ("diskUsageOpt", column("OPT", "diskUsageOpt").kind(PERCENT)),
    (
        "radiusRate",
        column("RATE", "radiusRate").kind(CellKind::Number),
    ),
    (
        "radiusCount",
        column("COUNT", "radiusCount").kind(CellKind::Number),
    ),
    (
        "radiusLatency",
        column("LATENCY", "radiusLatency").kind(CellKind::Number),
    ),
    ("name", column("NAME", "name")),
    (
        "type",
        column("TYPE", "type").kind(CellKind::Enumeration(0)),
    ),
    (
        "state",
        column("STATE", "state").kind(CellKind::Enumeration(0)),
    ),
    ("actions", column("ACTIONS", "actions")),
    ("description", column("DESCRIPTION", "description")),
    ("id", column("ID", "id")),
    (
        "registered",
        column("REGISTERED", "registered").kind(CellKind::Enumeration(0)),
    ),
    (
        "compliant",
        column("COMPLIANT", "compliant").kind(CellKind::Enumeration(0)),
    ),
    ("model", column("MODEL", "model")),
    ("source", column("SOURCE", "source")),
    ("vpn", column("VPN", "vpn").kind(CellKind::Enumeration(0))),
];

/// For rows whose members are not published (reference pxgrid-api, section 3.11): the names that
/// other services use.
const UNPUBLISHED: &[Column] = &[
    first_of("MAC", &["macAddress", "mac", "MACAddress"]),
    first_of("IP", &["ipAddress", "ip", "ipAddresses"]).kind(CellKind::Addresses),
    first_of(
        "PROFILE",
        &[
            "endpointProfile",
            "endpointPolicy",
            "profileName",
            "EndPointPolicy",
        ],
    ),
    first_of("USER", &["userName", "user"]),
    first_of("ID", &["id", "endpointId"]),
];

/// The columns of an operation's rows.
pub(super) fn of(operation: &Operation) -> Columns {
    if operation.columns.is_empty() {
        return UNPUBLISHED.into();
    }
    let columns = operation.columns.iter();
    let list = columns.filter_map(|member| known(member)).collect();
    Columns {
        list,
        members: operation.members,
    }
}

fn known(member: &str) -> Option<Column> {
    KNOWN
        .iter()
        .find(|(name, _)| *name == member)
        .map(|(_, column)| *column)
}

/// The names of a user's groups, without their types.
fn groups(record: &Record) -> Option<Cow<'_, str>> {
    let value = record.to_value();
    let names: Vec<&str> = value
        .get("groups")?
        .as_array()?
        .iter()
        .filter_map(|group| group.get("name")?.as_str())
        .collect();
    (!names.is_empty()).then(|| Cow::Owned(names.join(", ")))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::pxgrid::catalogue::SERVICES;

    #[test]
    fn every_column_of_the_catalogue_has_a_heading_of_its_own() {
        for operation in SERVICES.iter().flat_map(|service| service.operations) {
            if operation.columns.is_empty() {
                continue;
            }
            let columns = of(operation).list;
            assert_eq!(columns.len(), operation.columns.len(), "{}", operation.name);
            let titles: HashSet<_> = columns.iter().map(|column| column.title).collect();
            assert_eq!(titles.len(), columns.len(), "{}", operation.name);
        }
    }

    #[test]
    fn groups_are_shown_by_name() {
        let user = Record::from_value(serde_json::json!({
            "userName": "pat", "groups": [{"name": "a", "type": "IDENTITY"}, {"name": "b"}]
        }));
        assert_eq!(groups(&user).as_deref(), Some("a, b"));
        let none = Record::from_value(serde_json::json!({"groups": []}));
        assert_eq!(groups(&none), None);
    }
}
