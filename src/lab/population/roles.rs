//! What kinds of endpoint there are and what the policy gives them: methods, policy sets, rules,
//! profiles, security groups, devices.
//!
//! Tables, and which endpoint has which role.

use super::nas::Access;

/// A kind of device: what the profiler says of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Device {
    /// The profiler's verdict (`endpoint_policy`).
    pub policy: &'static str,
    /// The operating system it stands for.
    pub operating_system: &'static str,
    /// The vendor's half of the MAC.
    pub oui: [u8; 3],
}

/// How an endpoint came in and what it was given.
#[derive(Debug, PartialEq, Eq)]
pub struct Role {
    /// `authentication_method`.
    pub method: &'static str,
    /// `authentication_protocol`.
    pub protocol: &'static str,
    /// `selected_azn_profiles`, comma-separated.
    pub profiles: &'static str,
    /// Name of the security group; empty when none is assigned.
    pub security_group: &'static str,
    /// Tag of the security group; 0 when none is assigned.
    pub security_group_tag: u16,
    /// VLAN in the access-accept; 0 when none is sent.
    pub vlan: u16,
    /// Policy set.
    pub policy_set: &'static str,
    /// Authentication rule (`IdentityPolicyMatchedRule`).
    pub authentication_rule: &'static str,
    /// Authorization rule (`AuthorizationPolicyMatchedRule`).
    pub authorization_rule: &'static str,
    /// Identity store.
    pub identity_store: &'static str,
    /// Endpoint identity group.
    pub identity_group: &'static str,
    /// RADIUS `Service-Type`.
    pub service_type: &'static str,
    /// `User` or `Host`.
    pub user_type: &'static str,
    /// Codes of the steps of a successful authentication.
    pub steps: &'static [u32],
    /// Devices of this role.
    pub devices: &'static [Device],
}

/// Stands in where a role has no device table.
pub(super) const UNKNOWN_DEVICE: Device = Device {
    policy: "Unknown",
    operating_system: "",
    oui: [0x3C, 0x52, 0x82],
};

const STEPS_TLS: &[u32] = &[
    11001, 11017, 15049, 15008, 11507, 12500, 12625, 12805, 12807, 12811, 12812, 12816, 22070,
    22037, 12506, 15036, 15016, 22081, 11002,
];
const STEPS_PEAP: &[u32] = &[
    11001, 11017, 15049, 15008, 11507, 12300, 12625, 12318, 12800, 12816, 11806, 24430, 24402,
    22037, 11824, 12306, 15036, 15016, 11002,
];
const STEPS_MAB: &[u32] = &[
    11001, 11017, 11027, 15049, 15008, 15041, 15013, 24209, 24211, 22037, 15036, 15016, 11002,
];
const STEPS_VPN: &[u32] = &[
    11001, 11017, 15049, 15008, 15041, 15013, 24430, 24325, 24313, 24402, 22037, 15036, 15016,
    11002,
];

const WINDOWS: &[Device] = &[
    Device {
        policy: "Windows11-Workstation",
        operating_system: "Windows 11 Enterprise",
        oui: [0x3C, 0x52, 0x82],
    },
    Device {
        policy: "Windows10-Workstation",
        operating_system: "Windows 10 Enterprise",
        oui: [0xD4, 0x81, 0xD7],
    },
    Device {
        policy: "Microsoft-Workstation",
        operating_system: "Windows",
        oui: [0x8C, 0xEC, 0x4B],
    },
];

/// A Linux workstation with a certificate; the first session of every lab.
pub(super) const LINUX_CERTIFICATE: Role = Role {
    method: "dot1x",
    protocol: "EAP-TLS",
    profiles: "Linux-EAP-TLS-Access",
    security_group: "Linux_Workstations",
    security_group_tag: 20,
    vlan: 110,
    policy_set: "Wired dot1x",
    authentication_rule: "Dot1X Certificate",
    authorization_rule: "EAP-TLS Full Access",
    identity_store: "Lab_Certificates",
    identity_group: "Workstation",
    service_type: "Framed",
    user_type: "Host",
    steps: STEPS_TLS,
    devices: &[
        Device {
            policy: "Linux-Workstation",
            operating_system: "Linux",
            oui: [0x54, 0xBF, 0x64],
        },
        Device {
            policy: "Ubuntu-Workstation",
            operating_system: "Ubuntu 24.04",
            oui: [0xA4, 0xBB, 0x6D],
        },
    ],
};

/// A domain machine with a certificate.
pub(super) const MACHINE_CERTIFICATE: Role = Role {
    method: "dot1x",
    protocol: "EAP-TLS",
    profiles: "Wired_Machine",
    security_group: "Domain_Computers",
    security_group_tag: 6,
    vlan: 20,
    policy_set: "Wired dot1x",
    authentication_rule: "Dot1X Certificate",
    authorization_rule: "Domain machine",
    identity_store: "Lab_Certificates",
    identity_group: "Workstation",
    service_type: "Framed",
    user_type: "Host",
    steps: STEPS_TLS,
    devices: WINDOWS,
};

/// A person with a password on the wire.
pub(super) const STAFF_PASSWORD: Role = Role {
    method: "dot1x",
    protocol: "PEAP (EAP-MSCHAPv2)",
    profiles: "Wired_Staff,PermitAccess",
    security_group: "Employees",
    security_group_tag: 4,
    vlan: 20,
    policy_set: "Wired dot1x",
    authentication_rule: "Dot1X",
    authorization_rule: "Staff = compliant",
    identity_store: "lab.example",
    identity_group: "Workstation",
    service_type: "Framed",
    user_type: "User",
    steps: STEPS_PEAP,
    devices: WINDOWS,
};

/// A printer, known by its MAC; has no security group.
pub(super) const PRINTER_MAB: Role = Role {
    method: "mab",
    protocol: "Lookup",
    profiles: "Printers",
    security_group: "",
    security_group_tag: 0,
    vlan: 40,
    policy_set: "Wired MAB",
    authentication_rule: "MAB",
    authorization_rule: "Printers",
    identity_store: "Internal Endpoints",
    identity_group: "Printers",
    service_type: "Call Check",
    user_type: "Host",
    steps: STEPS_MAB,
    devices: &[
        Device {
            policy: "HP-Printer",
            operating_system: "",
            oui: [0x94, 0x57, 0xA5],
        },
        Device {
            policy: "Xerox-Device",
            operating_system: "",
            oui: [0x9C, 0x93, 0x4E],
        },
    ],
};

/// A desk phone, known by its MAC.
pub(super) const PHONE_MAB: Role = Role {
    method: "mab",
    protocol: "Lookup",
    profiles: "Cisco_IP_Phones",
    security_group: "IP_Phones",
    security_group_tag: 12,
    vlan: 50,
    policy_set: "Wired MAB",
    authentication_rule: "MAB",
    authorization_rule: "Profiled Cisco IP Phones",
    identity_store: "Internal Endpoints",
    identity_group: "Cisco-IP-Phone",
    service_type: "Call Check",
    user_type: "Host",
    steps: STEPS_MAB,
    devices: &[
        Device {
            policy: "Cisco-IP-Phone-8845",
            operating_system: "",
            oui: [0x00, 0xA2, 0xEE],
        },
        Device {
            policy: "Cisco-IP-Phone-7841",
            operating_system: "",
            oui: [0x6C, 0x99, 0x89],
        },
    ],
};

/// A person with a password on the wireless network.
pub(super) const STAFF_WIRELESS: Role = Role {
    method: "dot1x",
    protocol: "PEAP (EAP-MSCHAPv2)",
    profiles: "Wireless_Staff",
    security_group: "Employees",
    security_group_tag: 4,
    vlan: 60,
    policy_set: "Wireless",
    authentication_rule: "Dot1X",
    authorization_rule: "Staff wireless",
    identity_store: "lab.example",
    identity_group: "Workstation",
    service_type: "Framed",
    user_type: "User",
    steps: STEPS_PEAP,
    devices: &[
        Device {
            policy: "MacBook-Workstation",
            operating_system: "macOS 15",
            oui: [0xF0, 0x18, 0x98],
        },
        Device {
            policy: "Windows11-Workstation",
            operating_system: "Windows 11 Enterprise",
            oui: [0x4C, 0x79, 0x6E],
        },
    ],
};

/// An own device with a certificate on the wireless network.
pub(super) const OWN_DEVICE: Role = Role {
    method: "dot1x",
    protocol: "EAP-TLS",
    profiles: "Wireless_BYOD",
    security_group: "BYOD",
    security_group_tag: 15,
    vlan: 70,
    policy_set: "Wireless",
    authentication_rule: "Dot1X Certificate",
    authorization_rule: "Registered own device",
    identity_store: "Lab_Certificates",
    identity_group: "RegisteredDevices",
    service_type: "Framed",
    user_type: "User",
    steps: STEPS_TLS,
    devices: &[
        Device {
            policy: "Apple-iPhone",
            operating_system: "iOS 18",
            oui: [0xA8, 0x51, 0xAB],
        },
        Device {
            policy: "Android",
            operating_system: "Android 15",
            oui: [0x5C, 0xCB, 0x99],
        },
    ],
};

/// A person on the VPN: the calling station is an IP address.
pub(super) const VPN: Role = Role {
    method: "PAP_ASCII",
    protocol: "PAP_ASCII",
    profiles: "VPN_Staff",
    security_group: "VPN_Users",
    security_group_tag: 30,
    vlan: 0,
    policy_set: "Remote Access",
    authentication_rule: "VPN",
    authorization_rule: "VPN staff",
    identity_store: "lab.example",
    identity_group: "",
    service_type: "Framed",
    user_type: "User",
    steps: STEPS_VPN,
    devices: WINDOWS,
};

/// Every role, for those who need the whole policy (security groups, profiles).
pub(super) const ALL: &[&Role] = &[
    &LINUX_CERTIFICATE,
    &MACHINE_CERTIFICATE,
    &STAFF_PASSWORD,
    &PRINTER_MAB,
    &PHONE_MAB,
    &STAFF_WIRELESS,
    &OWN_DEVICE,
    &VPN,
];

/// Which role the endpoint with that index has, by how its device lets it in.
pub(super) fn of(access: Access, index: u64, hash: u64) -> &'static Role {
    match (access, index) {
        (_, 0) => &LINUX_CERTIFICATE,
        (_, 1 | 2 | 9) => &STAFF_PASSWORD,
        (_, 3) => &PRINTER_MAB,
        (_, 4) => &MACHINE_CERTIFICATE,
        (_, 5) => &STAFF_WIRELESS,
        (_, 6) => &OWN_DEVICE,
        (Access::Vpn, _) => &VPN,
        (Access::Wireless, _) if hash.is_multiple_of(3) => &OWN_DEVICE,
        (Access::Wireless, _) => &STAFF_WIRELESS,
        (Access::Wired, _) => match hash % 10 {
            0..=3 => &STAFF_PASSWORD,
            4 | 5 => &MACHINE_CERTIFICATE,
            6 => &LINUX_CERTIFICATE,
            7 => &PRINTER_MAB,
            _ => &PHONE_MAB,
        },
    }
}
