//! In which part of one thing in full a member stands: who it is about, where, with what result,
//! when, and the rest.
//!
//! Names are compared without case and separators, so that the Monitoring node's `nas_ip_address`
//! and pxGrid's `nasIpAddress` are one entry.

use super::column::plain_name;

/// A part, in the order in which they are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Section {
    Who,
    Where,
    Result,
    Times,
    Rest,
}

impl Section {
    /// Its heading.
    pub(super) fn heading(self) -> &'static str {
        match self {
            Self::Who => "who",
            Self::Where => "where",
            Self::Result => "result",
            Self::Times => "times",
            Self::Rest => "the rest",
        }
    }

    /// The part of a member; `is_time`: its value is a time.
    pub(super) fn of(name: &str, is_time: bool) -> Self {
        let name = plain_name(name);
        let is = |names: &[&str], beginnings: &[&str]| {
            names.contains(&name.as_str()) || beginnings.iter().any(|begin| name.starts_with(begin))
        };
        if is_time {
            Self::Times
        } else if is(WHO, &["aduser", "adhost", "adnormalized"]) {
            Self::Who
        } else if is(WHERE, &["nas", "networkdevice"]) {
            Self::Where
        } else if is(RESULT, &[]) {
            Self::Result
        } else {
            Self::Rest
        }
    }
}

const WHO: &[&str] = &[
    "mac",
    "macaddress",
    "callingstationid",
    "origcallingstationid",
    "originalcallingstationid",
    "username",
    "radiususername",
    "acsusername",
    "ipaddress",
    "ipaddresses",
    "framedipaddress",
    "framedipv6address",
    "hostname",
    "endpointpolicy",
    "endpointprofile",
    "endpointmatchedprofile",
    "endpointoperatingsystem",
    "identitygroup",
    "identitystore",
    "usertype",
    "userdomainname",
    "hostdomainname",
    "usernetbiosname",
    "hostnetbiosname",
    "ismachineauthentication",
    "assetname",
    "assetid",
    "assetipaddress",
    "assetmacaddress",
];

const WHERE: &[&str] = &[
    "deviceipaddress",
    "devicetype",
    "location",
    "interfacename",
    "calledstationid",
    "server",
    "acsserver",
    "servername",
    "nodename",
    "destinationipaddress",
    "vlan",
    "vn",
    "virtualnetwork",
    "tunnelprivategroupid",
    "airespacewlanid",
    "ssid",
];

const RESULT: &[&str] = &[
    "passed",
    "failed",
    "failurereason",
    "failure",
    "reason",
    "messagecode",
    "status",
    "state",
    "sessionstate",
    "verdict",
    "authenticationmethod",
    "authenticationprotocol",
    "authmethod",
    "authprotocol",
    "authenticationrule",
    "authorizationrule",
    "policyset",
    "policysetname",
    "selectedaznprofiles",
    "selectedauthzprofiles",
    "selectedaznprofile",
    "dacl",
    "posturestatus",
    "ctssecuritygroup",
    "securitygroup",
    "ancpolicy",
    "policyname",
    "endpointcheckresult",
    "started",
    "stopped",
    "results",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_stand_in_one_part() {
        for (names, group) in [
            (["user_name", "userName"], Section::Who),
            (["calling_station_id", "callingStationId"], Section::Who),
            (["nas_port_id", "nasPortId"], Section::Where),
            (["network_device_name", "networkDeviceName"], Section::Where),
            (["posture_status", "postureStatus"], Section::Result),
            (["audit_session_id", "auditSessionId"], Section::Rest),
        ] {
            for name in names {
                assert_eq!(Section::of(name, false), group, "{name}");
            }
        }
        assert_eq!(Section::of("auth_acs_timestamp", true), Section::Times);
        assert_eq!(Section::of("acct_session_time", false), Section::Rest);
    }
}
