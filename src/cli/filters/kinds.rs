//! Which facts each kind of row carries, and under which members (reference mnt-api, section 2;
//! pxgrid-api, section 3). A test keeps the members to those that the catalogues know.

use crate::record::conditions::{Carried, Fact};

/// A kind of row.
pub(crate) struct Kind {
    /// The beginning of the sentence that says what it lacks.
    pub lacks: &'static str,
    /// The commands that list such rows.
    commands: &'static [&'static str],
    /// Those that take no `--since` and `--until`.
    without_window: &'static [&'static str],
    /// Its facts.
    pub carried: Carried,
}

/// A row of the Monitoring node's active list.
pub(crate) const ACTIVE: Kind = Kind {
    lacks: "the Monitoring node's list of sessions has",
    commands: &["`netapi ise mnt sessions`", "`netapi ise mnt watch`"],
    without_window: &["`netapi ise diff --source mnt`"],
    carried: Carried(&[
        (Fact::Mac, &["calling_station_id"]),
        (Fact::Ip, &["framed_ip_address", "framed_ipv6_address"]),
        (Fact::User, &["user_name", "username", "radius_username"]),
        (Fact::NasAddress, &["nas_ip_address", "nas_ipv6_address"]),
        (Fact::Server, &["server", "acs_server"]),
    ]),
};

/// A session in full, which keeps the list's members where there is no detail of it.
pub(crate) const DETAIL: Kind = Kind {
    lacks: "a session's detail has",
    commands: &["`netapi ise mnt sessions --detail`"],
    without_window: &[],
    carried: Carried(&[
        (Fact::Mac, &["calling_station_id"]),
        (Fact::Ip, &["framed_ip_address", "framed_ipv6_address"]),
        (Fact::User, &["user_name", "username", "radius_username"]),
        (Fact::NasAddress, &["nas_ip_address", "nas_ipv6_address"]),
        (Fact::NasName, &["network_device_name"]),
        (Fact::Server, &["acs_server", "server"]),
        (Fact::Sgt, &["cts_security_group", "security_group"]),
        (Fact::Profile, &["endpoint_policy"]),
        (Fact::Posture, &["posture_status"]),
        (Fact::Method, &["authentication_method", "auth_method"]),
        (Fact::Time, &["auth_acs_timestamp", "auth_timestamp"]),
    ]),
};

/// An authentication attempt.
pub(crate) const ATTEMPT: Kind = Kind {
    lacks: "an attempt has",
    commands: &["`netapi ise mnt auth-status`"],
    without_window: &[],
    carried: Carried(&[
        (Fact::Mac, &["calling_station_id"]),
        (Fact::Ip, &["framed_ip_address", "framed_ipv6_address"]),
        (Fact::User, &["user_name"]),
        (Fact::NasAddress, &["nas_ip_address", "nas_ipv6_address"]),
        (Fact::NasName, &["network_device_name"]),
        (Fact::Server, &["acs_server"]),
        (Fact::Sgt, &["cts_security_group", "security_group"]),
        (Fact::Profile, &["endpoint_policy"]),
        (Fact::Posture, &["posture_status"]),
        (Fact::Method, &["authentication_method"]),
        (Fact::Time, &["acs_timestamp"]),
    ]),
};

/// A session of pxGrid.
pub(crate) const SESSION: Kind = Kind {
    lacks: "a session of pxGrid has",
    commands: &["`netapi ise pxgrid sessions`"],
    without_window: &["`netapi ise diff --source pxgrid`"],
    carried: Carried(&[
        (Fact::Mac, &["macAddress", "callingStationId"]),
        (Fact::Ip, &["ipAddresses"]),
        (
            Fact::User,
            &[
                "userName",
                "adNormalizedUser",
                "adUserSamAccountName",
                "adUserQualifiedName",
                "adUserResolvedIdentities",
                "adHostResolvedIdentities",
            ],
        ),
        (Fact::NasAddress, &["nasIpAddress"]),
        (Fact::NasName, &["nasIdentifier"]),
        (Fact::Sgt, &["ctsSecurityGroup"]),
        (Fact::Profile, &["endpointProfile"]),
        (Fact::Posture, &["postureStatus"]),
        (Fact::Method, &["authMethod", "radiusFlowType"]),
        (Fact::State, &["state"]),
        (Fact::Time, &["timestamp"]),
    ]),
};

/// A RADIUS failure of pxGrid.
pub(crate) const FAILURE: Kind = Kind {
    lacks: "a RADIUS failure has",
    commands: &[
        "`netapi ise pxgrid radius failures`",
        "`netapi ise failures`",
    ],
    without_window: &[],
    carried: Carried(&[
        (Fact::Mac, &["macAddress", "callingStationId"]),
        (Fact::Ip, &["ipAddresses"]),
        (Fact::User, &["userName"]),
        (Fact::NasAddress, &["nasIpAddress"]),
        (Fact::NasName, &["networkDeviceName", "nasName"]),
        (Fact::Server, &["serverName"]),
        (Fact::Sgt, &["ctsSecurityGroup"]),
        (
            Fact::Profile,
            &["endpointProfile", "endpointMatchedProfile"],
        ),
        (Fact::Posture, &["postureStatus"]),
        (Fact::Method, &["authenticationMethod"]),
        (Fact::Time, &["timestamp"]),
    ]),
};

/// What a topic tells of: a session, a failure, an endpoint.
pub(crate) const EVENT: Kind = Kind {
    lacks: "an event has",
    commands: &["`netapi ise pxgrid subscribe`"],
    without_window: &[],
    carried: Carried(&[
        (Fact::Mac, &["macAddress", "callingStationId"]),
        (Fact::Ip, &["ipAddresses", "ipAddress"]),
        (
            Fact::User,
            &[
                "userName",
                "adNormalizedUser",
                "adUserSamAccountName",
                "adUserQualifiedName",
                "adUserResolvedIdentities",
                "adHostResolvedIdentities",
            ],
        ),
        (Fact::NasAddress, &["nasIpAddress"]),
        (
            Fact::NasName,
            &["nasIdentifier", "networkDeviceName", "nasName"],
        ),
        (Fact::Server, &["serverName"]),
        (Fact::Sgt, &["ctsSecurityGroup"]),
        (
            Fact::Profile,
            &["endpointProfile", "endpointMatchedProfile"],
        ),
        (Fact::Posture, &["postureStatus"]),
        (
            Fact::Method,
            &["authMethod", "authenticationMethod", "radiusFlowType"],
        ),
        (Fact::State, &["state"]),
        (Fact::Time, &["timestamp"]),
    ]),
};

/// An endpoint that has an ANC policy.
pub(crate) const ANC_ENDPOINT: Kind = Kind {
    lacks: "an endpoint with a policy has",
    commands: &["`netapi ise pxgrid anc endpoints`"],
    without_window: &[],
    carried: Carried(&[
        (Fact::Mac, &["macAddress"]),
        (Fact::NasAddress, &["nasIpAddress"]),
    ]),
};

/// An authentication of Data Connect, under names of ours.
pub(crate) const HISTORY: Kind = Kind {
    lacks: "an authentication of the history has",
    commands: &["`netapi ise dc live`"],
    without_window: &[],
    carried: Carried(&[
        (Fact::Mac, &["mac"]),
        (Fact::Ip, &["ip"]),
        (Fact::User, &["user"]),
        (Fact::NasAddress, &["nasAddress"]),
        (Fact::NasName, &["nas"]),
        (Fact::Server, &["server"]),
        (Fact::Sgt, &["securityGroup"]),
        (Fact::Profile, &["endpointProfile"]),
        (Fact::Posture, &["postureStatus"]),
        (Fact::Method, &["method"]),
        (Fact::Time, &["time"]),
    ]),
};

/// All of them.
const ALL: &[&Kind] = &[
    &ACTIVE,
    &SESSION,
    &DETAIL,
    &ATTEMPT,
    &FAILURE,
    &EVENT,
    &ANC_ENDPOINT,
    &HISTORY,
];

/// The commands whose rows tell a fact; of a window, those that take one.
pub(crate) fn that_tell(fact: Fact, of_window: bool) -> Vec<&'static str> {
    let tell = |kind: &&&Kind| !kind.carried.members(fact).is_empty();
    let commands = ALL.iter().filter(tell).flat_map(|kind| {
        let others = if of_window { &[] } else { kind.without_window };
        kind.commands.iter().chain(others)
    });
    commands.copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mnt::members;
    use crate::pxgrid::catalogue;

    #[test]
    fn the_members_are_those_that_the_catalogues_know() {
        let of = |service, operation| {
            let operation = catalogue::operation(service, operation).unwrap();
            operation.members
        };
        let session = of("session", "getSessions");
        let failure = of("radius", "getFailures");
        let both = [session, failure, &["ipAddress"]].concat();
        for (kind, members) in [
            (
                &ACTIVE,
                [
                    members::ACTIVE,
                    &["username", "radius_username", "acs_server"],
                ]
                .concat(),
            ),
            (&DETAIL, members::SESSION.to_vec()),
            (&ATTEMPT, members::ATTEMPT.to_vec()),
            (&SESSION, session.to_vec()),
            (&FAILURE, failure.to_vec()),
            (&EVENT, both),
            (&ANC_ENDPOINT, of("anc", "getEndpoints").to_vec()),
        ] {
            for (fact, carried) in kind.carried.0 {
                for member in *carried {
                    assert!(
                        members.contains(member),
                        "{fact:?} {member} of {}",
                        kind.lacks
                    );
                }
            }
        }
    }
}
