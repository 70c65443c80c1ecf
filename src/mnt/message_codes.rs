//! What the codes of an authentication's steps mean, in short words.
//!
//! The interface has no text for them: its catalogue of failure reasons covers only some, and goes
//! before this table where it is at hand. The numbers and what they stand for are those of the
//! message catalogue that Cisco publishes for ISE; the words are ours. A code that is missing here
//! is shown as a number.

/// The meaning of a step's code; `None` where this program does not know it.
#[must_use]
pub fn message_name(code: &str) -> Option<&'static str> {
    let code: u32 = code.trim().parse().ok()?;
    let place = NAMES.binary_search_by_key(&code, |(known, _)| *known);
    place
        .ok()
        .and_then(|at| NAMES.get(at))
        .map(|(_, name)| *name)
}

/// In the order of the codes.
const NAMES: &[(u32, &str)] = &[
    (5200, "authentication succeeded"),
    (5400, "authentication failed"),
    (5411, "supplicant stopped responding"),
    (5440, "endpoint abandoned the EAP session and began anew"),
    (11001, "RADIUS Access-Request received"),
    (11002, "RADIUS Access-Accept returned"),
    (11003, "RADIUS Access-Reject returned"),
    (11004, "RADIUS Accounting-Request received"),
    (11005, "RADIUS Accounting-Response returned"),
    (11006, "RADIUS Access-Challenge returned"),
    (11007, "network device or AAA client not found"),
    (11017, "new RADIUS session"),
    (11018, "existing RADIUS session goes on"),
    (11027, "host lookup (MAB) recognised"),
    (11049, "default network device's settings used"),
    (11117, "new session id made"),
    (11503, "EAP-Success prepared"),
    (11504, "EAP-Failure prepared"),
    (11506, "EAP identity asked for"),
    (11507, "EAP identity received"),
    (11519, "EAP-Success prepared for the inner method"),
    (11520, "EAP-Failure prepared for the inner method"),
    (11521, "EAP identity asked for, inner method"),
    (11522, "EAP identity received, inner method"),
    (11806, "EAP-MSCHAP proposed as inner method"),
    (11808, "EAP-MSCHAP accepted as inner method"),
    (11810, "MSCHAP answer received, inner method"),
    (11814, "inner EAP-MSCHAP authentication succeeded"),
    (11815, "inner EAP-MSCHAP authentication failed"),
    (12300, "PEAP proposed"),
    (12301, "endpoint asks for PEAP instead"),
    (12302, "endpoint accepts PEAP"),
    (12304, "PEAP answer received"),
    (12305, "next PEAP request prepared"),
    (12306, "PEAP authentication succeeded"),
    (12307, "PEAP authentication failed"),
    (12310, "PEAP full handshake finished"),
    (12313, "PEAP inner method started"),
    (12314, "PEAP inner method succeeded"),
    (12315, "PEAP inner method failed"),
    (12318, "PEAP version 0 agreed"),
    (12319, "PEAP version 1 agreed"),
    (12500, "EAP-TLS proposed"),
    (12501, "endpoint asks for EAP-TLS instead"),
    (12502, "endpoint accepts EAP-TLS"),
    (12504, "EAP-TLS answer received"),
    (12505, "next EAP-TLS request prepared"),
    (12506, "EAP-TLS authentication succeeded"),
    (12507, "EAP-TLS authentication failed"),
    (12508, "EAP-TLS handshake failed"),
    (12509, "EAP-TLS full handshake finished"),
    (12514, "unknown CA in the client's certificate chain"),
    (12515, "expired CRL for the client's certificate chain"),
    (12516, "expired certificate in the client's chain"),
    (12520, "the client rejected ISE's certificate"),
    (12625, "valid EAP-Key-Name received"),
    (12800, "TLS handshake started"),
    (12801, "TLS ChangeCipherSpec prepared"),
    (12802, "TLS Finished prepared"),
    (12803, "TLS ChangeCipherSpec received"),
    (12804, "TLS Finished received"),
    (12805, "TLS ClientHello received"),
    (12806, "TLS ServerHello prepared"),
    (12807, "TLS Certificate prepared"),
    (12808, "TLS ServerKeyExchange prepared"),
    (12809, "TLS CertificateRequest prepared"),
    (12810, "TLS ServerHelloDone prepared"),
    (12811, "client's TLS Certificate received"),
    (12812, "TLS ClientKeyExchange received"),
    (12813, "TLS CertificateVerify received"),
    (12816, "TLS handshake succeeded"),
    (12817, "TLS handshake failed"),
    (15004, "rule matched"),
    (15006, "default rule matched"),
    (15008, "policy set (service selection) evaluated"),
    (15012, "access service selected"),
    (15013, "identity source selected"),
    (15016, "authorization profile selected"),
    (15036, "authorization policy evaluated"),
    (15039, "rejected by the authorization profile"),
    (15041, "identity policy evaluated"),
    (15048, "attribute looked up (PIP)"),
    (15049, "policy group evaluated"),
    (22037, "authentication passed"),
    (22040, "wrong password or shared secret"),
    (22044, "policy wants a certificate, a password came"),
    (22045, "policy wants a password, a certificate came"),
    (22056, "subject not found in the identity stores"),
    (22057, "option for a failed authentication used"),
    (22058, "option for an unknown user used"),
    (22060, "option: continue after a failed authentication"),
    (22061, "option: reject after a failed authentication"),
    (22063, "wrong password"),
    (22064, "method not supported by any identity store"),
    (22070, "name taken from the certificate"),
    (22072, "identity source sequence selected"),
    (22081, "limit of sessions kept"),
    (24209, "endpoint looked up, internal store"),
    (24210, "user looked up, internal store"),
    (24211, "endpoint found, internal store"),
    (24212, "user found, internal store"),
    (24216, "user not found, internal store"),
    (24217, "endpoint not found, internal store"),
    (24313, "matching accounts searched at the join point"),
    (24325, "identity resolved in Active Directory"),
    (24343, "Active Directory logon succeeded"),
    (24344, "Active Directory logon failed"),
    (24402, "Active Directory authentication succeeded"),
    (24408, "Active Directory: wrong password"),
    (24412, "user not found in Active Directory"),
    (24416, "user's groups read from Active Directory"),
    (24420, "user's attributes read from Active Directory"),
    (24430, "user authenticated against Active Directory"),
    (24431, "machine authenticated against Active Directory"),
    (24432, "user looked up in Active Directory"),
    (24433, "machine looked up in Active Directory"),
    (24470, "machine authentication succeeded"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_order_short_and_found() {
        assert!(NAMES.is_sorted_by(|(a, _), (b, _)| a < b));
        for (code, name) in NAMES {
            assert!(name.len() <= 50, "{name}");
            assert_eq!(message_name(&code.to_string()), Some(*name));
        }
        assert_eq!(
            message_name(" 11001 "),
            Some("RADIUS Access-Request received")
        );
        for unknown in ["", "x", "1", "99999999999"] {
            assert_eq!(message_name(unknown), None);
        }
    }
}
