//! What a server says when it ends the handshake: each alert in words, and whose certificate or
//! setting it is about.

use rustls::AlertDescription as Alert;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::Facts;
use crate::error::Error;

impl Facts<'_> {
    pub(super) fn alert(&self, alert: Alert) -> Error {
        let said = format!("the server said: {}", words(alert));
        match alert {
            Alert::CertificateRequired
            | Alert::NoCertificate
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
            | Alert::DecryptError => self.client_certificate(&said, Some(alert)),
            Alert::HandshakeFailure if self.seen.asked_for_certificate() => {
                self.client_certificate(&said, Some(alert))
            }
            Alert::HandshakeFailure | Alert::ProtocolVersion | Alert::InsufficientSecurity => {
                self.no_common_ground(&said)
            }
            Alert::UnrecognisedName => self.error(
                &said,
                "name the host as its certificate does; --resolve NAME:PORT:ADDRESS if that name does not resolve",
            ),
            _ => self.error(&said, &self.look()),
        }
    }

    /// The server's certificate was fine: its fingerprint would only distract.
    pub(super) fn client_certificate(&self, said: &str, alert: Option<Alert>) -> Error {
        let facts = Facts {
            chain: &[],
            ..*self
        };
        if !self.seen.we_have_certificate() {
            return facts.error(
                &format!("the server demands a client certificate: {said}"),
                "give one: --cert FILE --key FILE (or PXGRID_CERT, PXGRID_KEY)",
            );
        }
        let hint = match alert {
            Some(Alert::CertificateExpired) => "compare the clocks of this computer and the server; `netapi ise pxgrid test` shows until when the certificate is valid".to_owned(),
            Some(Alert::CertificateRevoked) => "issue a new one (in ISE: Administration > pxGrid Services > Client Management > Certificates)".to_owned(),
            Some(Alert::UnsupportedCertificate) => "is it for client authentication (extended key usage clientAuth)? `netapi ise pxgrid test` warns where it is not; then have it reissued".to_owned(),
            _ => self.issuer_hint(),
        };
        facts.error(
            &format!("the server refused our client certificate: {said}"),
            &hint,
        )
    }

    /// Whom the server must trust, or what is missing on the way to somebody it trusts.
    fn issuer_hint(&self) -> String {
        const USUAL: &str = "is it issued by a CA that ISE trusts for clients (pxGrid's own CA, or one under Trusted Certificates), still valid, and for client authentication?";
        let last = self.seen.last_of_ours();
        match last.and_then(|der| X509Certificate::from_der(der).ok()) {
            Some((_, last)) if last.issuer() != last.subject() => format!(
                "{USUAL} The last certificate that we send is issued by {}: ISE must trust that CA; where it is an intermediate one, put its certificate into the file of --cert, behind ours",
                last.issuer()
            ),
            _ => USUAL.to_owned(),
        }
    }

    pub(super) fn no_common_ground(&self, why: &str) -> Error {
        let hint = if cfg!(feature = "aws-lc") {
            "the server must offer TLS 1.3, or TLS 1.2 with ECDHE and AES-GCM or ChaCha20 (ISE: Administration > Settings > Security Settings), and a certificate whose key is RSA or EC"
        } else {
            "the server must offer TLS 1.3, or TLS 1.2 with ECDHE and AES-GCM or ChaCha20 (ISE: Administration > Settings > Security Settings), and a certificate whose key is RSA or EC on P-256 or P-384; for P-521 build netapi with the feature aws-lc, or check nothing: --insecure"
        };
        let message = "handshake failure, no version, cipher or kind of key in common";
        self.error(&format!("{message}: {why}"), hint)
    }
}

/// An alert in words, with its name in RFC 8446.
fn words(alert: Alert) -> &'static str {
    match alert {
        Alert::CloseNotify => "it closes the connection (close_notify)",
        Alert::UnexpectedMessage => "it did not expect a message of ours (unexpected_message)",
        Alert::BadRecordMac => "a record of ours came damaged (bad_record_mac)",
        Alert::DecryptionFailed => "it cannot decrypt a record of ours (decryption_failed)",
        Alert::RecordOverflow => "a record of ours is too large for it (record_overflow)",
        Alert::DecompressionFailure => "it cannot unpack a record of ours (decompression_failure)",
        Alert::HandshakeFailure => "it cannot agree with us (handshake_failure)",
        Alert::NoCertificate => "it has no certificate of ours (no_certificate)",
        Alert::BadCertificate => "the certificate is bad (bad_certificate)",
        Alert::UnsupportedCertificate => {
            "it takes no certificate of this kind (unsupported_certificate)"
        }
        Alert::CertificateRevoked => "the certificate is revoked (certificate_revoked)",
        Alert::CertificateExpired => {
            "the certificate is expired, or not yet valid (certificate_expired)"
        }
        Alert::CertificateUnknown => "it does not take the certificate (certificate_unknown)",
        Alert::IllegalParameter => "something in our greeting is forbidden (illegal_parameter)",
        Alert::UnknownCA => "it does not know the certificate's CA (unknown_ca)",
        Alert::AccessDenied => "the certificate is good and has no access (access_denied)",
        Alert::DecodeError => "it cannot read a message of ours (decode_error)",
        Alert::DecryptError => "our signature is wrong for it (decrypt_error)",
        Alert::ExportRestriction => "an export restriction forbids it (export_restriction)",
        Alert::ProtocolVersion => "it speaks no version of TLS that we do (protocol_version)",
        Alert::InsufficientSecurity => "our ciphers are too weak for it (insufficient_security)",
        Alert::InternalError => "it has trouble of its own (internal_error)",
        Alert::InappropriateFallback => {
            "it takes us for one who fell back to an old version (inappropriate_fallback)"
        }
        Alert::UserCanceled => "somebody cancelled it there (user_canceled)",
        Alert::NoRenegotiation => "it does not begin again (no_renegotiation)",
        Alert::MissingExtension => "our greeting lacks an extension (missing_extension)",
        Alert::UnsupportedExtension => {
            "an extension of ours does not belong there (unsupported_extension)"
        }
        Alert::CertificateUnobtainable => {
            "it could not fetch our certificate (certificate_unobtainable)"
        }
        Alert::UnrecognisedName => "it has no host of this name (unrecognized_name)",
        Alert::BadCertificateStatusResponse => {
            "the certificate's status is bad (bad_certificate_status_response)"
        }
        Alert::BadCertificateHashValue => {
            "the certificate's hash is bad (bad_certificate_hash_value)"
        }
        Alert::UnknownPSKIdentity => "it does not know the shared key (unknown_psk_identity)",
        Alert::CertificateRequired => "it got no certificate (certificate_required)",
        Alert::NoApplicationProtocol => "it speaks no HTTP/1.1 here (no_application_protocol)",
        Alert::EncryptedClientHelloRequired => {
            "it wants an encrypted greeting (encrypted_client_hello_required)"
        }
        _ => "an alert that TLS does not have",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alert_has_words_of_its_own_and_none_of_the_librarys() {
        let known: Vec<Alert> = (0..=u8::MAX)
            .map(Alert::from)
            .filter(|alert| !matches!(alert, Alert::Unknown(_)))
            .collect();
        assert!(known.len() >= 35, "{}", known.len());
        let mut said = std::collections::BTreeSet::new();
        for alert in known {
            let text = words(alert);
            assert!(!text.contains(&format!("{alert:?}")), "{text}");
            assert!(text.ends_with(')') && said.insert(text), "{text}");
        }
    }
}
