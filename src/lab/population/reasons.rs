//! The catalogue of failure reasons: real-looking codes, worded here for the lab.
//!
//! What the lab's failed attempts name and what `FailureReasons` answers come from this one table.

/// One reason for which an authentication fails.
#[derive(Debug, PartialEq, Eq)]
pub struct Reason {
    /// The code, which every `failure_reason` begins with.
    pub code: u32,
    /// What happened.
    pub text: &'static str,
    /// Why.
    pub cause: &'static str,
    /// What to do.
    pub resolution: &'static str,
}

const fn reason(
    code: u32,
    text: &'static str,
    cause: &'static str,
    resolution: &'static str,
) -> Reason {
    Reason {
        code,
        text,
        cause,
        resolution,
    }
}

/// Wrong password: what the first failing endpoints fail with.
pub(super) const WRONG_PASSWORD: Reason = reason(
    22040,
    "Wrong password or invalid shared secret",
    "The password does not match, or the shared secrets differ so that it cannot be read.",
    "Let the user type the password again; else compare the shared secrets.",
);

/// The whole catalogue, in order of the codes.
pub const CATALOGUE: &[Reason] = &[
    reason(
        5411,
        "Supplicant stopped responding to ISE",
        "The endpoint fell silent in the middle of an EAP conversation.",
        "Look at the supplicant's own log; check for a prompt nobody answered, and for packet loss between the switch and the node.",
    ),
    reason(
        5417,
        "Dynamic Authorization failed",
        "The network device did not carry out a change of authorization.",
        "Check that the device accepts dynamic authorization from this node, on the right port and with the right secret.",
    ),
    reason(
        5434,
        "Endpoint conducted several failed authentications of the same scenario",
        "The same endpoint failed again and again for the same reason, so that it is answered without being asked.",
        "Mend the reason of the first failures, then clear the rejected endpoint.",
    ),
    reason(
        5436,
        "RADIUS packet already in the process",
        "A repeated request came while the first was still being worked on.",
        "Raise the network device's time-out; look for slow identity stores.",
    ),
    reason(
        5440,
        "Endpoint abandoned EAP session and started new",
        "The endpoint began a second EAP conversation and left the first open.",
        "Compare the supplicant's time-outs with the network device's.",
    ),
    reason(
        5449,
        "Endpoint failed authentication of the same scenario several times and was rejected",
        "The endpoint is held back for a while after repeated failures.",
        "Correct its credentials; release it from the list of rejected endpoints.",
    ),
    reason(
        11007,
        "Could not locate Network Device or AAA Client",
        "No network device is defined with the address that the request came from.",
        "Add the device, or correct its address.",
    ),
    reason(
        11036,
        "The Message-Authenticator RADIUS attribute is invalid",
        "The shared secret of the network device and that of the node differ.",
        "Enter the same shared secret on both sides.",
    ),
    reason(
        11038,
        "RADIUS Accounting-Request header contains invalid Authenticator field",
        "The accounting packet was signed with another shared secret.",
        "Enter the same shared secret on both sides, for accounting too.",
    ),
    reason(
        11051,
        "RADIUS packet contains invalid state attribute",
        "The reply belongs to no conversation this node knows; perhaps another node began it.",
        "Check the load balancer's stickiness.",
    ),
    reason(
        12153,
        "EAP-FAST failed SSL/TLS handshake because the client rejected the ISE local-certificate",
        "The endpoint does not trust the node's certificate.",
        "Install the issuing CA on the endpoint.",
    ),
    reason(
        12308,
        "Client sent Result TLV indicating failure",
        "Inside PEAP the endpoint said that it could not go on.",
        "Look at the supplicant's log for the inner method.",
    ),
    reason(
        12309,
        "PEAP handshake failed",
        "The TLS tunnel of PEAP did not come up.",
        "Compare TLS versions and ciphers; check the node's EAP certificate.",
    ),
    reason(
        12321,
        "PEAP failed SSL/TLS handshake because the client rejected the ISE local-certificate",
        "The endpoint does not trust the certificate that the node showed for PEAP.",
        "Distribute the issuing CA to the endpoints, or the right server name to their profile.",
    ),
    reason(
        12505,
        "EAP-TLS handshake failed",
        "The TLS handshake ended with an alert.",
        "Read the alert in the attempt's details.",
    ),
    reason(
        12511,
        "Unexpectedly received TLS alert message; treating as a rejection by the client",
        "The endpoint broke the handshake off.",
        "Look at the alert: mostly the endpoint does not trust the node.",
    ),
    reason(
        12512,
        "Treat the unexpected TLS acknowledge message as a rejection from the client",
        "The endpoint ended the handshake in an unexpected place.",
        "Update the supplicant.",
    ),
    reason(
        12514,
        "EAP-TLS failed SSL/TLS handshake because of an unknown CA in the client certificates chain",
        "The endpoint's certificate was issued by a CA that this deployment does not trust.",
        "Import the issuing CA and trust it for client authentication, or renew the certificate from the right CA.",
    ),
    reason(
        12515,
        "EAP-TLS failed SSL/TLS handshake because of an expired CRL associated with a CA in the client certificates chain",
        "The revocation list of the issuing CA is out of date.",
        "Make the CRL reachable and let the node fetch it again.",
    ),
    reason(
        12516,
        "EAP-TLS failed SSL/TLS handshake because of an expired certificate in the client certificates chain",
        "The endpoint's certificate, or one above it, has expired.",
        "Renew the endpoint's certificate.",
    ),
    reason(
        12517,
        "EAP-TLS failed SSL/TLS handshake because of a revoked certificate in the client certificates chain",
        "The endpoint's certificate was revoked.",
        "Find out why it was revoked; issue a new one.",
    ),
    reason(
        12520,
        "EAP-TLS failed SSL/TLS handshake because the client rejected the ISE local-certificate",
        "The endpoint does not trust the certificate that the node showed for EAP-TLS.",
        "Distribute the issuing CA to the endpoints.",
    ),
    reason(
        12529,
        "Inner EAP-TLS authentication failed",
        "The inner certificate authentication failed.",
        "See the steps for the inner reason.",
    ),
    reason(
        12552,
        "EAP-TLS failed because the certificate has no usable identity",
        "The field of the certificate that should name the endpoint is empty.",
        "Choose another field in the certificate authentication profile.",
    ),
    reason(
        12817,
        "The endpoint's TLS version is not allowed",
        "The endpoint offers only TLS versions that are switched off.",
        "Update the endpoint, or allow the version for as long as it needs.",
    ),
    reason(
        12852,
        "No cipher is shared with the endpoint",
        "Endpoint and node have no cipher in common.",
        "Update the endpoint's TLS stack.",
    ),
    reason(
        12929,
        "NAS sends RADIUS accounting update messages too frequently",
        "The network device reports far more often than is useful.",
        "Raise the device's interim interval.",
    ),
    reason(
        12930,
        "Supplicant stopped responding to ISE after sending it the first EAP message",
        "The endpoint never answered the first EAP message.",
        "Check whether the endpoint has an enabled supplicant at all.",
    ),
    reason(
        15019,
        "Could not find selected Authorization Profile",
        "The rule names an authorization profile that no longer exists.",
        "Choose an existing profile in the rule.",
    ),
    reason(
        15022,
        "Could not find selected Access Service",
        "No set of allowed protocols is defined for this policy set.",
        "Choose the allowed protocols in the policy set.",
    ),
    reason(
        15039,
        "Rejected per authorization profile",
        "The policy matched a rule that denies access.",
        "If that is not wanted, look at which rule matched and why.",
    ),
    reason(
        15048,
        "Queried PIP attribute could not be found",
        "A rule asks for an attribute that the identity store did not deliver.",
        "Check the attribute's name and the store.",
    ),
    reason(
        22028,
        "Authentication failed and the advanced options are ignored",
        "The identity could not be proved.",
        "See the steps before this one.",
    ),
    WRONG_PASSWORD,
    reason(
        22044,
        "Identity policy result is configured for certificate based authentication methods but received password based",
        "The policy expects a certificate and a password came.",
        "Correct the rule, or the endpoint's method.",
    ),
    reason(
        22045,
        "Identity policy result is configured for password based authentication methods but received certificate based",
        "The policy expects a password and a certificate came.",
        "Correct the rule, or the endpoint's method.",
    ),
    reason(
        22047,
        "User name attribute is missing in client certificate",
        "The certificate has no field to take the name from.",
        "Choose another field in the certificate authentication profile.",
    ),
    reason(
        22056,
        "Subject not found in the applicable identity store(s)",
        "None of the identity stores that were asked knows this name.",
        "Check the name's spelling, the stores of the rule, and whether the endpoint is registered.",
    ),
    reason(
        22058,
        "The advanced option that is configured for an unknown user is used",
        "The name is unknown and the policy says what then happens.",
        "Register the identity if it should be known.",
    ),
    reason(
        22061,
        "The advanced option that is configured for a failed authentication request is used",
        "The identity was not proved and the policy says what then happens.",
        "See the steps before this one.",
    ),
    reason(
        22063,
        "Wrong password",
        "The password does not match.",
        "Let the user type it again, or set a new one.",
    ),
    reason(
        24206,
        "User disabled",
        "The internal account is disabled.",
        "Enable it if the person should have access.",
    ),
    reason(
        24210,
        "Looking up User in Internal Users IDStore failed",
        "The internal store does not know this name.",
        "Check the name, or ask another store.",
    ),
    reason(
        24401,
        "Could not establish connection with ISE Active Directory agent",
        "The node's link to the domain is down.",
        "Check the join state, the name servers and the clock.",
    ),
    reason(
        24403,
        "User authentication against Active Directory failed",
        "The domain refused the name or the password.",
        "See the domain controller's log for the exact reason.",
    ),
    reason(
        24408,
        "User authentication against Active Directory failed since user has entered the wrong password",
        "The domain says the password is wrong.",
        "Let the user type it again; watch for devices with an old stored password.",
    ),
    reason(
        24409,
        "User authentication against Active Directory failed since the user's account is disabled",
        "The domain account is disabled.",
        "Enable it if the person should have access.",
    ),
    reason(
        24411,
        "Change password against Active Directory failed since the new password does not meet the password policy",
        "The new password is not good enough for the domain.",
        "Choose another.",
    ),
    reason(
        24412,
        "User not found in Active Directory",
        "The domain does not know this name.",
        "Check the name and the domain suffix.",
    ),
    reason(
        24415,
        "User authentication against Active Directory failed since user's account is locked out",
        "Too many wrong passwords locked the account.",
        "Unlock it, and find the device that keeps trying.",
    ),
    reason(
        24454,
        "User authentication against Active Directory failed because of a timeout error",
        "The domain controller did not answer in time.",
        "Check the path to the controllers and their load.",
    ),
    reason(
        24470,
        "Machine authentication against Active Directory is failed",
        "The domain refused the machine account.",
        "Rejoin the machine to its domain.",
    ),
    reason(
        24486,
        "Machine authentication against Active Directory failed because the machine's account is disabled",
        "The machine account is disabled.",
        "Enable it if the machine is still in use.",
    ),
    reason(
        24493,
        "ISE has problems communicating with Active Directory using its machine credentials",
        "The node's own machine account is refused.",
        "Join the node to the domain again.",
    ),
    reason(
        24495,
        "Active Directory servers are not available",
        "No domain controller could be reached.",
        "Check name resolution and firewalls.",
    ),
    reason(
        24707,
        "User not found in the LDAP identity store",
        "The directory does not know this name.",
        "Check the search base and the subject attribute.",
    ),
];

/// Codes that people with a password fail with.
pub(super) const OF_PASSWORDS: &[u32] = &[22040, 24408, 24415, 24409, 22056, 5411];

/// Codes that endpoints with a certificate fail with.
pub(super) const OF_CERTIFICATES: &[u32] = &[12514, 12516, 12520, 12517, 5440, 12930];

/// Codes that endpoints without a supplicant fail with.
pub(super) const OF_MAB: &[u32] = &[22056, 15039, 5434];

/// The entry of `code`; the wrong password for a code that is not in the catalogue.
pub(super) fn of_code(code: u32) -> &'static Reason {
    CATALOGUE
        .iter()
        .find(|reason| reason.code == code)
        .unwrap_or(&WRONG_PASSWORD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_ordered_and_covers_what_attempts_name() {
        assert!(CATALOGUE.len() >= 40);
        assert!(CATALOGUE.is_sorted_by(|a, b| a.code < b.code));
        for code in [OF_PASSWORDS, OF_CERTIFICATES, OF_MAB].concat() {
            assert_eq!(of_code(code).code, code);
        }
    }
}
