//! The table itself: rows only. Sources are the subsections of reference pxgrid-api, section 3,
//! named at each service.

use super::row::{FILTER, MAC, NAS, SINCE, change, may, needs, read, topic};
use super::trustsec::{SXP, TRUSTSEC, TRUSTSEC_CONFIG};
use super::{FieldKind as Kind, Occurrence, Reply, Service, members};

const SESSION_COLUMNS: &[&str] = &[
    "macAddress",
    "ipAddresses",
    "userName",
    "nasIpAddress",
    "state",
    "ctsSecurityGroup",
    "endpointProfile",
    "timestamp",
    "authMethod",
];
const ANC_ENDPOINT: &[&str] = &["macAddress", "nasIpAddress", "policyName"];
const ANC_STATUS: &[&str] = &[
    "operationId",
    "status",
    "macAddress",
    "ipAddress",
    "nasIpAddress",
    "policyName",
    "failureReason",
];
const FAILURE_COLUMNS: &[&str] = &[
    "timestamp",
    "callingStationId",
    "userName",
    "failureReason",
    "nasIpAddress",
    "serverName",
    "id",
];
const MDM_COLUMNS: &[&str] = &[
    "macAddress",
    "registered",
    "compliant",
    "model",
    "osVersion",
    "deviceManager",
    "lastSyncTime",
];

/// Every service of the reference.
pub const SERVICES: &[Service] = &[
    SESSION,
    ANC,
    TRUSTSEC_CONFIG,
    TRUSTSEC,
    SXP,
    RADIUS,
    SYSTEM,
    PROFILER,
    MDM,
    ENDPOINT,
    POSTURE,
    ASSET,
    ECHO,
    PUBSUB,
];

/// Section 3.1. Session directory: who is on the network, and user groups.
const SESSION: Service = Service {
    name: "com.cisco.ise.session",
    alias: "session",
    operations: &[
        read("getSessions", &[SINCE, FILTER], Reply::List("sessions"))
            .columns(SESSION_COLUMNS)
            .members(members::SESSION),
        read(
            "getSessionsForRecovery",
            &[
                needs("startTimestamp", Kind::Time),
                may("endTimestamp", Kind::Time),
            ],
            Reply::List("sessions"),
        )
        .columns(SESSION_COLUMNS)
        .members(members::SESSION),
        read(
            "getSessionByIpAddress",
            &[needs("ipAddress", Kind::Ip)],
            Reply::Object,
        )
        .columns(SESSION_COLUMNS)
        .members(members::SESSION),
        read("getSessionByMacAddress", &[MAC], Reply::Object)
            .columns(SESSION_COLUMNS)
            .members(members::SESSION),
        read("getUserGroups", &[FILTER, SINCE], Reply::List("userGroups"))
            .columns(&["userName", "groups"])
            .members(members::USER),
        read(
            "getUserGroupByUserName",
            &[needs("userName", Kind::Text)],
            Reply::List("groups"),
        )
        .columns(&["name", "type"])
        .members(members::GROUP),
    ],
    topics: &[
        topic("session", "sessionTopic", "/topic/com.cisco.ise.session")
            .counted("sequence")
            .list("sessions"),
        topic(
            "session-all",
            "sessionTopicAll",
            "/topic/com.cisco.ise.session.all",
        )
        .counted("sequence")
        .list("sessions"),
        topic("group", "groupTopic", "/topic/com.cisco.ise.session.group")
            .list("userGroups")
            .told_apart_by(Occurrence::Number),
    ],
};

/// The one member name on which clients disagree for `applyEndpointPolicy` (section 3.3:
/// `policyName` or `policy`); Cisco's newest client sends this.
pub(crate) const ANC_POLICY_KEY: &str = "policyName";

/// Section 3.3. Adaptive network control: quarantine and its kin.
const ANC: Service = Service {
    name: "com.cisco.ise.config.anc",
    alias: "anc",
    operations: &[
        read("getPolicies", &[], Reply::List("policies"))
            .columns(&["name", "actions"])
            .members(members::ANC_POLICY),
        read(
            "getPolicyByName",
            &[needs("name", Kind::Text)],
            Reply::Object,
        )
        .columns(&["name", "actions"])
        .members(members::ANC_POLICY),
        change(
            "createPolicy",
            &[
                needs("name", Kind::Text),
                needs(
                    "actions",
                    Kind::ListOf(&["QUARANTINE", "SHUT_DOWN", "PORT_BOUNCE", "RE_AUTHENTICATE"]),
                ),
            ],
            Reply::Object,
        )
        .columns(&["name", "actions"])
        .members(members::ANC_POLICY),
        change(
            "deletePolicyByName",
            &[needs("name", Kind::Text)],
            Reply::Empty,
        ),
        read("getEndpoints", &[], Reply::List("endpoints"))
            .columns(&["macAddress", "policyName"])
            .members(members::ANC_ENDPOINT),
        read("getEndpointPolicies", &[], Reply::List("endpoints"))
            .columns(ANC_ENDPOINT)
            .members(members::ANC_ENDPOINT),
        read("getEndpointByMacAddress", &[MAC], Reply::Object)
            .columns(&["macAddress", "policyName"])
            .members(members::ANC_ENDPOINT),
        read("getEndpointByNasIpAddress", &[MAC, NAS], Reply::Object)
            .columns(ANC_ENDPOINT)
            .members(members::ANC_ENDPOINT),
        change(
            "applyEndpointByIpAddress",
            &[
                needs("policyName", Kind::Text),
                needs("ipAddress", Kind::Ip),
            ],
            Reply::Object,
        )
        .columns(ANC_STATUS)
        .members(members::ANC_STATUS),
        change(
            "applyEndpointByMacAddress",
            &[needs("policyName", Kind::Text), MAC],
            Reply::Object,
        )
        .columns(ANC_STATUS)
        .members(members::ANC_STATUS),
        change(
            "clearEndpointByIpAddress",
            &[needs("ipAddress", Kind::Ip)],
            Reply::Object,
        )
        .columns(ANC_STATUS)
        .members(members::ANC_STATUS),
        change("clearEndpointByMacAddress", &[MAC], Reply::Object)
            .columns(ANC_STATUS)
            .members(members::ANC_STATUS),
        change(
            "applyEndpointPolicy",
            &[
                needs(ANC_POLICY_KEY, Kind::Text),
                MAC,
                NAS,
                may("sessionId", Kind::Text),
                may("nasPortId", Kind::Text),
                may("ipAddress", Kind::Ip),
                may("userName", Kind::Text),
            ],
            Reply::Object,
        )
        .columns(ANC_STATUS)
        .members(members::ANC_STATUS),
        change("clearEndpointPolicy", &[MAC, NAS], Reply::Object)
            .columns(ANC_STATUS)
            .members(members::ANC_STATUS),
        read(
            "getOperationStatus",
            &[needs("operationId", Kind::Text)],
            Reply::Object,
        )
        .columns(ANC_STATUS)
        .members(members::ANC_STATUS),
    ],
    topics: &[topic(
        "anc",
        "statusTopic",
        "/topic/com.cisco.ise.config.anc.status",
    )
    .told_apart_by(Occurrence::Operation)],
};

/// Section 3.7. RADIUS failures, codes 5400 to 5499.
const RADIUS: Service = Service {
    name: "com.cisco.ise.radius",
    alias: "radius",
    operations: &[
        read("getFailures", &[SINCE], Reply::List("failures"))
            .columns(FAILURE_COLUMNS)
            .members(members::FAILURE),
        read("getFailureById", &[needs("id", Kind::Text)], Reply::Object)
            .columns(FAILURE_COLUMNS)
            .members(members::FAILURE),
    ],
    topics: &[topic(
        "radius-failure",
        "failureTopic",
        "/topic/com.cisco.ise.radius.failure",
    )
    .counted("sequence")
    .list("failures")],
};

/// Section 3.8: no topic. Health and performance of ISE's nodes.
const SYSTEM: Service = Service {
    name: "com.cisco.ise.system",
    alias: "system",
    operations: &[
        read(
            "getHealths",
            &[may("nodeName", Kind::Text), SINCE],
            Reply::List("healths"),
        )
        .columns(&[
            "timestamp",
            "serverName",
            "cpuUsage",
            "memoryUsage",
            "loadAverage",
            "ioWait",
            "diskUsageRoot",
            "diskUsageOpt",
        ])
        .members(members::HEALTH),
        read(
            "getPerformances",
            &[may("nodeName", Kind::Text), SINCE],
            Reply::List("performances"),
        )
        .columns(&[
            "timestamp",
            "serverName",
            "radiusRate",
            "radiusCount",
            "radiusLatency",
        ])
        .members(members::PERFORMANCE),
    ],
    topics: &[],
};

/// Section 3.9. Profiler policies.
const PROFILER: Service = Service {
    name: "com.cisco.ise.config.profiler",
    alias: "profiler",
    operations: &[read("getProfiles", &[], Reply::List("profiles"))
        .columns(&["name", "fullName", "id"])
        .members(members::PROFILE)],
    topics: &[
        topic("profiler", "topic", "/topic/com.cisco.ise.config.profiler")
            .told_apart_by(Occurrence::Number),
    ],
};

/// Section 3.10. Endpoints under mobile device management.
const MDM: Service = Service {
    name: "com.cisco.ise.mdm",
    alias: "mdm",
    operations: &[
        read(
            "getEndpoints",
            &[may("filter", Kind::Object)],
            Reply::List("endpoints"),
        )
        .columns(MDM_COLUMNS)
        .members(members::MANAGED_ENDPOINT),
        read("getEndpointByMacAddress", &[MAC], Reply::Object)
            .columns(MDM_COLUMNS)
            .members(members::MANAGED_ENDPOINT),
        read(
            "getEndpointsByType",
            &[needs(
                "type",
                Kind::OneOf(&["NON_COMPLIANT", "REGISTERED", "DISCONNECTED"]),
            )],
            Reply::List("endpoints"),
        )
        .columns(MDM_COLUMNS)
        .members(members::MANAGED_ENDPOINT),
        read(
            "getEndpointsByOsType",
            &[needs("osType", Kind::OneOf(&["ANDROID", "IOS", "WINDOWS"]))],
            Reply::List("endpoints"),
        )
        .columns(MDM_COLUMNS)
        .members(members::MANAGED_ENDPOINT),
    ],
    topics: &[topic(
        "mdm",
        "endpointTopic",
        "/topic/com.cisco.ise.mdm.endpoint",
    )],
};

/// Section 3.11; the name of the reply's list is not published and taken from the other services.
/// Endpoints with their profiler attributes.
const ENDPOINT: Service = Service {
    name: "com.cisco.ise.endpoint",
    alias: "endpoint",
    operations: &[read(
        "getEndpoints",
        &[
            may("order", Kind::OneOf(&["ASC", "DESC"])),
            may("startCreateTimestamp", Kind::Time),
            may("startUpdateTimestamp", Kind::Time),
            may("startIndex", Kind::Integer),
            may("count", Kind::Integer),
            may("skipConfigCheck", Kind::Flag),
        ],
        Reply::List("endpoints"),
    )
    .paged("startIndex", "count")],
    topics: &[topic("endpoint", "topic", "/topic/com.cisco.ise.endpoint")],
};

/// Section 3.12; the answers' shapes are not known. Posture: applications and hardware of
/// endpoints.
const POSTURE: Service = Service {
    name: "com.cisco.ise.posture",
    alias: "posture",
    operations: &[
        read("getPosturedMacs", &[], Reply::Object),
        read(
            "getPostureDataByMacList",
            &[
                needs("macAddresses", Kind::MacList),
                needs("category", Kind::Text),
            ],
            Reply::Object,
        ),
    ],
    topics: &[topic(
        "posture",
        "postureVisibilityTopic",
        "/topic/com.cisco.ise.posture.visibility",
    )
    .counted("sequenceNo")],
};

/// Section 3.13: registered by an outside provider, no REST. Context-in: assets that an outside
/// system tells ISE about.
const ASSET: Service = Service {
    name: "com.cisco.endpoint.asset",
    alias: "asset",
    operations: &[],
    topics: &[
        topic("asset", "assetTopic", "/topic/com.cisco.endpoint.asset")
            .told_apart_by(Occurrence::Number),
    ],
};

/// Section 3.14. Answers what it was sent, for tests of the connection.
const ECHO: Service = Service {
    name: "com.cisco.ise.echo",
    alias: "echo",
    operations: &[read("query", &[], Reply::Object)],
    topics: &[
        topic("echo", "echoTopic", "/topic/com.cisco.ise.echo").told_apart_by(Occurrence::Number)
    ],
};

/// Section 3.14: carries the topics of all others. The WebSocket that carries every topic.
const PUBSUB: Service = Service {
    name: "com.cisco.ise.pubsub",
    alias: "pubsub",
    operations: &[],
    topics: &[],
};
