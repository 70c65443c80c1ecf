//! The rows of `TrustSec`: its configuration, policy downloads and SXP. Sources: reference
//! pxgrid-api, sections 3.4 to 3.6.

use super::row::{FILTER, SINCE, may, read, topic};
use super::{Field, FieldKind as Kind, Occurrence, Reply, Service, members};

const TRUSTSEC_PAGE: &[Field] = &[
    may("id", Kind::Text),
    may("startIndex", Kind::Integer),
    may("recordCount", Kind::Integer),
    SINCE,
    may("endTimestamp", Kind::Time),
];
const TRUSTSEC_POLICY_PAGE: &[Field] = &[
    may("id", Kind::Text),
    may("matrixId", Kind::Text),
    may("startIndex", Kind::Integer),
    may("recordCount", Kind::Integer),
    SINCE,
    may("endTimestamp", Kind::Time),
];

/// Section 3.4. TrustSec configuration: groups, ACLs, egress policies, virtual networks.
pub(super) const TRUSTSEC_CONFIG: Service = Service {
    name: "com.cisco.ise.config.trustsec",
    alias: "trustsec-config",
    operations: &[
        read(
            "getSecurityGroups",
            TRUSTSEC_PAGE,
            Reply::List("securityGroups"),
        )
        .columns(&["tag", "name", "description", "id"])
        .members(members::SECURITY_GROUP)
        .paged("startIndex", "recordCount"),
        read(
            "getSecurityGroupAcls",
            TRUSTSEC_PAGE,
            Reply::List("securityGroupAcls"),
        )
        .columns(&["name", "ipVersion", "description", "generationId", "id"])
        .members(members::SGACL)
        .paged("startIndex", "recordCount"),
        read(
            "getVirtualNetwork",
            TRUSTSEC_PAGE,
            Reply::List("virtualNetworks"),
        )
        .columns(&["name", "id", "timestamp"])
        .members(members::VIRTUAL_NETWORK)
        .paged("startIndex", "recordCount"),
        read(
            "getEgressPolicies",
            TRUSTSEC_POLICY_PAGE,
            Reply::List("egressPolicies"),
        )
        .columns(&[
            "name",
            "status",
            "sourceSecurityGroupId",
            "destinationSecurityGroupId",
            "sgaclIds",
            "matrixId",
        ])
        .members(members::EGRESS_POLICY)
        .paged("startIndex", "recordCount"),
        read("getEgressMatrices", &[], Reply::List("egressMatrices"))
            .columns(&["name", "description", "monitorAll", "id"])
            .members(members::EGRESS_MATRIX),
    ],
    topics: &[
        topic(
            "trustsec-groups",
            "securityGroupTopic",
            "/topic/com.cisco.ise.config.trustsec.security.group",
        )
        .counted("sequence"),
        topic(
            "trustsec-acls",
            "securityGroupAclTopic",
            "/topic/com.cisco.ise.config.trustsec.security.group.acl",
        )
        .counted("sequence"),
        topic(
            "trustsec-vlans",
            "securityGroupVnVlanTopic",
            "/topic/com.cisco.ise.config.trustsec.security.group.vnvlan",
        )
        .counted("sequence"),
        topic(
            "trustsec-networks",
            "virtualnetworkTopic",
            "/topic/com.cisco.ise.config.trustsec.virtualnetwork",
        )
        .counted("sequence"),
        topic(
            "trustsec-policies",
            "egressPolicyTopic",
            "/topic/com.cisco.ise.config.trustsec.egress.policy",
        )
        .counted("sequence"),
    ],
};

/// Section 3.5: events only. TrustSec policy downloads of network devices.
pub(super) const TRUSTSEC: Service = Service {
    name: "com.cisco.ise.trustsec",
    alias: "trustsec",
    operations: &[],
    topics: &[topic(
        "trustsec-download",
        "policyDownloadTopic",
        "/topic/com.cisco.ise.trustsec.policy.download",
    )
    .list("policyDownloads")],
};

/// Section 3.6. SXP bindings: which security group tag an IP prefix has.
pub(super) const SXP: Service = Service {
    name: "com.cisco.ise.sxp",
    alias: "sxp",
    operations: &[read("getBindings", &[FILTER], Reply::List("bindings"))
        .columns(&["ipPrefix", "tag", "source", "peerSequence", "vpn"])
        .members(members::BINDING)],
    topics: &[
        topic("sxp", "bindingTopic", "/topic/com.cisco.ise.sxp.binding")
            .told_apart_by(Occurrence::Number),
    ],
};
