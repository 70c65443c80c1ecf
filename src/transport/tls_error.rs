//! A failed TLS handshake in words: what is wrong with which certificate, its fingerprint, and the flag that would help.
//!
//! It decides from rustls' typed error and from the certificate itself, never from the words of a message, and it verifies nothing.

use std::fmt::Write as _;
use std::io;

use rustls::pki_types::{ServerName, UnixTime};
use rustls::{AlertDescription, CertificateError};
use sha2::{Digest, Sha256};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::tls::{PinMismatch, Seen};
use crate::error::{Error, Kind};

/// The SHA-256 of a certificate's DER as `--pin-sha256` takes it: 64 lower-case hexadecimal digits.
pub fn fingerprint(der: &[u8]) -> String {
    hexadecimal(&Sha256::digest(der))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The TLS fact inside an error's chain of sources; an `io::Error` hides the one it wraps from `source()`.
pub(super) fn rustls_error<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a rustls::Error> {
    find(error, &|link| link.downcast_ref::<rustls::Error>())
}

/// The first link of an error's chain that `pick` takes, looking inside every `io::Error`.
pub(super) fn find<'a, T>(
    error: &'a (dyn std::error::Error + 'static),
    pick: &dyn Fn(&'a (dyn std::error::Error + 'static)) -> Option<T>,
) -> Option<T> {
    /// Deeper than any library nests; a cycle ends here.
    const LONGEST: usize = 32;
    let mut link = error;
    for _ in 0..LONGEST {
        if let Some(found) = pick(link) {
            return Some(found);
        }
        let inside = link
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            .map(|inner| inner as &(dyn std::error::Error + 'static));
        link = inside.or_else(|| link.source())?;
    }
    None
}

/// The [`Kind::Tls`] error for a handshake with `host` (`host:port`) that failed with `error`.
pub fn explain(host: &str, error: &rustls::Error, seen: &Seen) -> Error {
    let leaf = seen.leaf();
    let facts = Facts {
        host,
        leaf: leaf.as_deref(),
        seen,
    };
    match error {
        rustls::Error::InvalidCertificate(reason) => facts.certificate(reason),
        rustls::Error::AlertReceived(alert) => facts.alert(*alert),
        rustls::Error::PeerIncompatible(reason) => facts.no_common_ground(&format!("{reason:?}")),
        rustls::Error::InvalidMessage(_) if leaf.is_none() => facts.not_tls(),
        rustls::Error::InappropriateHandshakeMessage { .. }
        | rustls::Error::InappropriateMessage { .. }
            if leaf.is_none() =>
        {
            facts.not_tls()
        }
        other => facts.error(
            &other.to_string(),
            "look at the server with: openssl s_client -connect HOST:PORT",
        ),
    }
}

/// The [`Kind::Tls`] error for a handshake with a proxy itself, `host` (`host:port`).
pub(super) fn of_proxy(host: &str, error: &rustls::Error, seen: &Seen) -> Error {
    explain(host, error, seen).hint("give the CA that signed it: --proxy-cacert FILE")
}

/// The TLS fault behind an I/O error of an open connection, if that is what it is.
pub fn explain_io(host: &str, error: &io::Error, seen: &Seen) -> Option<Error> {
    rustls_error(error).map(|tls| explain(host, tls, seen))
}

/// The [`Kind::Tls`] error for a connection that `host` closed or reset in the middle of the handshake.
pub(super) fn closed(host: &str, seen: &Seen) -> Error {
    let facts = Facts {
        host,
        leaf: None,
        seen,
    };
    if seen.asked_for_certificate() {
        return facts.client_certificate("the server closed the connection");
    }
    facts.error(
        "the server closed the connection during the handshake",
        "is this the right port? pxGrid listens on 8910, the MnT API on 443",
    )
}

struct Facts<'a> {
    host: &'a str,
    leaf: Option<&'a [u8]>,
    seen: &'a Seen,
}

impl Facts<'_> {
    fn error(&self, why: &str, hint: &str) -> Error {
        let mut message = format!("TLS with {} failed: {why}", self.host);
        if let Some(leaf) = self.leaf {
            let _ = write!(
                message,
                " (the certificate's SHA-256 is {})",
                fingerprint(leaf)
            );
        }
        Error::new(Kind::Tls, message).hint(hint).host(self.host)
    }

    fn pin(&self) -> String {
        match self.leaf {
            Some(leaf) => format!("--pin-sha256 {}", fingerprint(leaf)),
            None => "--pin-sha256 FINGERPRINT".to_owned(),
        }
    }

    fn certificate(&self, reason: &CertificateError) -> Error {
        let certificate = self
            .leaf
            .and_then(|der| X509Certificate::from_der(der).ok())
            .map(|(_, certificate)| certificate);
        let leaf = certificate.as_ref();
        let pin = self.pin();
        match reason {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => self.error(
                &expired(reason, leaf),
                &format!("renew the certificate in ISE; until then, if you trust this one: {pin}"),
            ),
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => self
                .error(
                    &not_yet_valid(reason, leaf),
                    &format!("is this computer's clock right? If you trust the certificate: {pin}"),
                ),
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                self.wrong_name(reason, leaf)
            }
            CertificateError::UnknownIssuer => self.unknown_issuer(leaf),
            CertificateError::BadSignature => self.error(
                "a signature is bad: the server has not the certificate's key, or another CA of the same name signed it, or its key is too short",
                "give the CA that signed it: --cacert FILE; a short RSA key (under 2048 bits) must be reissued",
            ),
            CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => self
                .error(
                    "the certificate is signed with an algorithm that is not accepted (SHA-1, or a rare curve)",
                    &format!("have it reissued with SHA-256; if you trust this one: {pin}"),
                ),
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                self.error(
                    "the certificate is not for servers (extended key usage serverAuth is missing)",
                    &format!("have it reissued for server authentication; if you trust this one: {pin}"),
                )
            }
            CertificateError::Other(other) => {
                if let Some(mismatch) = other.0.downcast_ref::<PinMismatch>() {
                    self.pin_mismatch(mismatch)
                } else if leaf.is_some_and(|leaf| leaf.is_ca()) {
                    self.error(
                        "CaUsedAsEndEntity: the server shows a certificate that is marked as a CA (CA:TRUE), which is no server's certificate",
                        &format!("ISE's own self-signed certificate is often so; if you trust this one: {pin}"),
                    )
                } else {
                    self.error(&reason.to_string(), &format!("if you trust this certificate: {pin}"))
                }
            }
            other => self.error(
                &other.to_string(),
                &format!("if you trust this certificate: {pin}"),
            ),
        }
    }

    fn wrong_name(&self, reason: &CertificateError, leaf: Option<&X509Certificate<'_>>) -> Error {
        let wanted = match reason {
            CertificateError::NotValidForNameContext { expected, .. } => server_name(expected),
            _ => self.host.to_owned(),
        };
        let names = leaf.map(names).unwrap_or_default();
        let has = match names.as_slice() {
            [] => "it has no subject alternative names at all".to_owned(),
            names => format!("it is for {}", names.join(", ")),
        };
        let port = self.host.rsplit_once(':').map_or("PORT", |(_, port)| port);
        let hint = match names
            .iter()
            .find(|name| name.contains('.') && !name.contains('*'))
        {
            Some(name) if name.parse::<std::net::IpAddr>().is_err() => format!(
                "use that name as the host, with --resolve {name}:{port}:ADDRESS if it does not resolve; or skip the name check: --no-verify-hostname"
            ),
            _ => format!(
                "skip the name check: --no-verify-hostname; or trust this one certificate: {}",
                self.pin()
            ),
        };
        self.error(
            &format!("the certificate is not for {wanted}; {has}"),
            &hint,
        )
    }

    fn unknown_issuer(&self, leaf: Option<&X509Certificate<'_>>) -> Error {
        let pin = self.pin();
        match leaf {
            Some(leaf) if leaf.issuer() == leaf.subject() => self.error(
                "the certificate is self-signed and not trusted",
                &format!(
                    "trust this one certificate: {pin}; or give the CA: --cacert FILE; or check nothing: --insecure"
                ),
            ),
            _ => {
                let issuer = leaf.map(|leaf| format!(" ({})", leaf.issuer()));
                self.error(
                    &format!(
                        "the certificate's issuer{} is not trusted",
                        issuer.unwrap_or_default()
                    ),
                    &format!(
                        "give the CA that signed it: --cacert FILE; or trust this one certificate: {pin}"
                    ),
                )
            }
        }
    }

    fn pin_mismatch(&self, mismatch: &PinMismatch) -> Error {
        self.error(
            &format!(
                "the server's certificate is not the pinned one, {}",
                hexadecimal(&mismatch.wanted)
            ),
            &format!(
                "was the certificate renewed? Make sure of it with the server's administrator, then: {}",
                self.pin()
            ),
        )
    }

    fn alert(&self, alert: AlertDescription) -> Error {
        let said = format!("the server said {alert:?}");
        match alert {
            AlertDescription::CertificateRequired
            | AlertDescription::NoCertificate
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError => self.client_certificate(&said),
            AlertDescription::HandshakeFailure if self.seen.asked_for_certificate() => {
                self.client_certificate(&said)
            }
            AlertDescription::HandshakeFailure
            | AlertDescription::ProtocolVersion
            | AlertDescription::InsufficientSecurity => self.no_common_ground(&said),
            _ => self.error(&said, "the server's own log says more"),
        }
    }

    /// The server's certificate was fine: its fingerprint would only distract.
    fn client_certificate(&self, said: &str) -> Error {
        let facts = Facts {
            leaf: None,
            ..*self
        };
        if self.seen.we_have_certificate() {
            facts.error(
                &format!("the server refused our client certificate: {said}"),
                "is it issued by a CA that ISE trusts for clients (pxGrid's own CA, or one under Trusted Certificates), still valid, and for client authentication?",
            )
        } else {
            facts.error(
                &format!("the server demands a client certificate: {said}"),
                "give one: --cert FILE --key FILE (or PXGRID_CERT, PXGRID_KEY)",
            )
        }
    }

    fn no_common_ground(&self, why: &str) -> Error {
        self.error(
            &format!("handshake failure, no common protocol version or cipher: {why}"),
            "the server must offer TLS 1.3, or TLS 1.2 with ECDHE and AES-GCM or ChaCha20 (ISE: Administration > Settings > Security Settings)",
        )
    }

    fn not_tls(&self) -> Error {
        self.error(
            "the server does not speak TLS on this port",
            "is this the right port? The MnT API is on 443, pxGrid on 8910",
        )
    }
}

fn expired(reason: &CertificateError, leaf: Option<&X509Certificate<'_>>) -> String {
    let since = match reason {
        CertificateError::ExpiredContext { not_after, .. } => Some(seconds(*not_after)),
        _ => leaf.map(|leaf| leaf.validity().not_after.timestamp()),
    };
    match since.and_then(time) {
        Some(since) => format!("a certificate of its chain has expired, on {since}"),
        None => "a certificate of its chain has expired".to_owned(),
    }
}

fn not_yet_valid(reason: &CertificateError, leaf: Option<&X509Certificate<'_>>) -> String {
    let from = match reason {
        CertificateError::NotValidYetContext { not_before, .. } => Some(seconds(*not_before)),
        _ => leaf.map(|leaf| leaf.validity().not_before.timestamp()),
    };
    match from.and_then(time) {
        Some(from) => format!("a certificate of its chain is not yet valid, only from {from}"),
        None => "a certificate of its chain is not yet valid".to_owned(),
    }
}

fn seconds(time: UnixTime) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

fn time(seconds: i64) -> Option<String> {
    let time = jiff::Timestamp::from_second(seconds).ok()?;
    Some(time.to_string())
}

fn server_name(name: &ServerName<'_>) -> String {
    match name {
        ServerName::DnsName(name) => name.as_ref().to_owned(),
        ServerName::IpAddress(address) => std::net::IpAddr::from(*address).to_string(),
        other => format!("{other:?}"),
    }
}

/// The subject alternative names that can be a host's. At most 8: the message is one line.
fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let names = extension.value.general_names.iter();
    names
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(bytes) => address(bytes),
            _ => None,
        })
        .take(8)
        .collect()
}

fn address(bytes: &[u8]) -> Option<String> {
    if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
        return Some(std::net::IpAddr::from(bytes).to_string());
    }
    let bytes = <[u8; 16]>::try_from(bytes).ok()?;
    Some(std::net::IpAddr::from(bytes).to_string())
}
