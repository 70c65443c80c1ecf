//! The members that rows are known to have (reference pxgrid-api, sections 3 and 7). ISE sends only
//! those that have a value, and releases add others.

/// Sections 3.1 and 7.
pub(super) const SESSION: &[&str] = &[
    "timestamp",
    "state",
    "macAddress",
    "callingStationId",
    "calledStationId",
    "ipAddresses",
    "auditSessionId",
    "userName",
    "nasIpAddress",
    "nasPortId",
    "nasPortType",
    "nasIdentifier",
    "selectedAuthzProfiles",
    "postureStatus",
    "endpointProfile",
    "endpointOperatingSystem",
    "ctsSecurityGroup",
    "ancPolicy",
    "authMethod",
    "authProtocol",
    "adNormalizedUser",
    "adUserDomainName",
    "adHostDomainName",
    "adUserNetBiosName",
    "adHostNetBiosName",
    "adUserResolvedIdentities",
    "adUserResolvedDns",
    "adHostResolvedIdentities",
    "adHostResolvedDns",
    "adUserSamAccountName",
    "adHostSamAccountName",
    "adUserQualifiedName",
    "adHostQualifiedName",
    "providers",
    "endpointCheckResult",
    "endpointCheckTime",
    "identitySourcePortStart",
    "identitySourcePortEnd",
    "identitySourcePortFirst",
    "terminalServerAgentId",
    "isMachineAuthentication",
    "serviceType",
    "tunnelPrivateGroupId",
    "airespaceWlanId",
    "networkDeviceProfileName",
    "radiusFlowType",
    "ssid",
    "mdmMacAddress",
    "mdmOsVersion",
    "mdmModel",
    "mdmManufacturer",
    "mdmImei",
    "mdmMeid",
    "mdmUdid",
    "mdmSerialNumber",
    "mdmLocation",
    "mdmDeviceManager",
    "mdmLastSyncTime",
    "mdmRegistered",
    "mdmCompliant",
    "mdmDiskEncrypted",
    "mdmJailBroken",
    "mdmPinLocked",
    "virtualNetwork",
    "vn",
];

/// Section 3.1: a user with its groups, and one group.
pub(super) const USER: &[&str] = &["userName", "groups"];
pub(super) const GROUP: &[&str] = &["name", "type"];

/// Section 3.3: a policy, an endpoint that has one, and what became of an order.
pub(super) const ANC_POLICY: &[&str] = &["name", "actions", "id"];
pub(super) const ANC_ENDPOINT: &[&str] = &["macAddress", "nasIpAddress", "policyName", "id"];
pub(super) const ANC_STATUS: &[&str] = &[
    "operationId",
    "status",
    "macAddress",
    "ipAddress",
    "nasIpAddress",
    "policyName",
    "failureReason",
];

/// Section 3.4.
pub(super) const SECURITY_GROUP: &[&str] = &["id", "name", "description", "tag", "timestamp"];
pub(super) const SGACL: &[&str] = &[
    "id",
    "isDeleted",
    "name",
    "description",
    "ipVersion",
    "acl",
    "modelledContent",
    "generationId",
    "timestamp",
];
pub(super) const VIRTUAL_NETWORK: &[&str] = &["id", "name", "additionalAttributes", "timestamp"];
pub(super) const EGRESS_POLICY: &[&str] = &[
    "id",
    "name",
    "matrixId",
    "status",
    "description",
    "sourceSecurityGroupId",
    "destinationSecurityGroupId",
    "sgaclIds",
    "timestamp",
];
pub(super) const EGRESS_MATRIX: &[&str] = &["id", "name", "description", "monitorAll"];

/// Section 3.6.
pub(super) const BINDING: &[&str] = &["ipPrefix", "tag", "source", "peerSequence", "vpn"];

/// Section 3.7.
pub(super) const FAILURE: &[&str] = &[
    "id",
    "timestamp",
    "failureReason",
    "userName",
    "serverName",
    "callingStationId",
    "auditSessionId",
    "nasIpAddress",
    "nasPortId",
    "nasPortType",
    "nasName",
    "ipAddresses",
    "macAddress",
    "messageCode",
    "destinationIpAddress",
    "userType",
    "accessService",
    "identityStore",
    "identityGroup",
    "authenticationMethod",
    "authenticationProtocol",
    "serviceType",
    "networkDeviceName",
    "deviceType",
    "location",
    "selectedAznProfiles",
    "postureStatus",
    "ctsSecurityGroup",
    "response",
    "responseTime",
    "executionSteps",
    "credentialCheck",
    "endpointMatchedProfile",
    "endpointProfile",
    "mdmServerName",
    "policySetName",
    "authorizationRule",
    "mseResponseTime",
    "mseServerName",
    "originalCallingStationId",
];

/// Section 3.8.
pub(super) const HEALTH: &[&str] = &[
    "timestamp",
    "serverName",
    "ioWait",
    "cpuUsage",
    "memoryUsage",
    "diskUsageRoot",
    "diskUsageOpt",
    "loadAverage",
    "networkSent",
    "networkReceived",
];
pub(super) const PERFORMANCE: &[&str] = &[
    "timestamp",
    "serverName",
    "radiusRate",
    "radiusCount",
    "radiusLatency",
];

/// Section 3.9.
pub(super) const PROFILE: &[&str] = &["id", "name", "fullName"];

/// Section 3.10.
pub(super) const MANAGED_ENDPOINT: &[&str] = &[
    "macAddress",
    "osVersion",
    "registered",
    "compliant",
    "diskEncrypted",
    "jailBroken",
    "pinLocked",
    "model",
    "manufacturer",
    "imei",
    "meid",
    "udid",
    "serialNumber",
    "location",
    "deviceManager",
    "lastSyncTime",
];
