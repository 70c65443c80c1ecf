//! What is wrong with a server's certificate: one message for each of rustls' and webpki's errors,
//! what must change, and a way to go on that works with this very certificate.

use rustls::CertificateError as Fault;
use rustls::pki_types::{ServerName, UnixTime};
use webpki::Error as Webpki;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::signature::signature_kind;
use super::{Facts, hexadecimal};
use crate::authority;
use crate::error::Error;
use crate::transport::show::quote;
use crate::transport::tls::PinMismatch;
use crate::transport::tls::server_key::{ServerKey, UnusableKey, key_kind};

impl Facts<'_> {
    #[allow(
        clippy::too_many_lines,
        deprecated,
        reason = "one arm for each fault; some are still made by older verifiers"
    )]
    pub(super) fn certificate(&self, fault: &Fault) -> Error {
        let leaf = self.parsed(0);
        let leaf = leaf.as_ref();
        match fault {
            Fault::Expired | Fault::ExpiredContext { .. } => self.expired(fault, leaf),
            Fault::NotValidYet | Fault::NotValidYetContext { .. } => self.reissue(
                &not_yet_valid(fault, leaf),
                "is this computer's clock right?",
            ),
            Fault::NotValidForName | Fault::NotValidForNameContext { .. } => {
                self.wrong_name(fault, leaf)
            }
            Fault::UnknownIssuer => self.unknown_issuer(leaf),
            Fault::BadSignature => self.bad_signature(),
            Fault::UnsupportedSignatureAlgorithm => self.reissue(
                "a certificate of its chain is signed in a way that is not accepted",
                "have it reissued with SHA-256",
            ),
            Fault::UnsupportedSignatureAlgorithmContext {
                signature_algorithm_id: signature,
                ..
            } => self.unknown_signature(signature, None),
            Fault::UnsupportedSignatureAlgorithmForPublicKeyContext {
                signature_algorithm_id: signature,
                public_key_algorithm_id: key,
            } => self.unknown_signature(signature, Some(key)),
            Fault::InvalidPurpose => self.purpose(""),
            Fault::InvalidPurposeContext { presented, .. } => {
                let known: Vec<String> = presented.iter().map(purpose_name).collect();
                self.purpose(&format!("; it is for {}", known.join(", ")))
            }
            Fault::BadEncoding => self.reissue(
                "the certificate, or one of its chain, is not well-formed",
                "have it reissued",
            ),
            Fault::Revoked => self.error(
                "the certificate is revoked",
                "its CA has taken it back: the node needs a new one",
            ),
            Fault::UnhandledCriticalExtension => self.critical_extension(leaf),
            Fault::UnknownRevocationStatus => self.reissue(
                "nobody could tell whether the certificate is revoked",
                "this computer must reach the CA's revocation service",
            ),
            Fault::ExpiredRevocationList | Fault::ExpiredRevocationListContext { .. } => self
                .reissue(
                    "the list of revoked certificates is out of date",
                    "the CA must publish a new one",
                ),
            Fault::InvalidOcspResponse => self.reissue(
                "the proof that the certificate is not revoked is wrong (OCSP)",
                "the server must fetch a new one",
            ),
            Fault::ApplicationVerificationFailure => self.reissue(
                "this computer's rules for certificates refuse it",
                "have it reissued by a CA that they allow",
            ),
            Fault::Other(other) => {
                if let Some(mismatch) = other.0.downcast_ref::<PinMismatch>() {
                    self.pin_mismatch(mismatch)
                } else if other.0.downcast_ref::<UnusableKey>().is_some() {
                    self.unusable_key()
                } else if let Some(error) = other.0.downcast_ref::<Webpki>() {
                    self.webpki(error, leaf)
                } else {
                    self.reissue("the certificate was refused", "have it reissued")
                }
            }
            _ => self.reissue("the certificate was refused", "have it reissued"),
        }
    }

    /// A fault of the certificate's form: `remedy`, and until then the way that works with it.
    fn reissue(&self, why: &str, remedy: &str) -> Error {
        self.error(why, &format!("{remedy}; {}", self.trust_this_one()))
    }

    /// How to go on with this very certificate: by its pin, where a pin can work.
    fn trust_this_one(&self) -> String {
        let key = self.leaf().and_then(ServerKey::of);
        match key {
            Some(key) if key.is_usable() => {
                format!("if you trust this certificate: {}", self.pin())
            }
            Some(key) => format!(
                "its key ({}) cannot be checked, so a pin does not help; check nothing: --insecure",
                key.in_words()
            ),
            None => "no key can be read from it, so that no option helps".to_owned(),
        }
    }

    fn unusable_key(&self) -> Error {
        let kind = self
            .leaf()
            .and_then(ServerKey::of)
            .map_or_else(|| "a key of no known kind".to_owned(), |key| key.in_words());
        let build = if kind.ends_with("P-521") && !cfg!(feature = "aws-lc") {
            "build netapi with the feature aws-lc, or "
        } else {
            ""
        };
        self.error(
            &format!("the certificate has {kind}, whose signatures cannot be checked here"),
            &format!("{build}have it reissued with RSA of 2048 bits or more, or EC on P-256 or P-384; or check nothing: --insecure"),
        )
    }

    fn bad_signature(&self) -> Error {
        let key = self.leaf().and_then(ServerKey::of);
        if key.is_some_and(|key| !key.is_usable()) {
            return self.unusable_key();
        }
        self.error(
            "a signature is bad: the server has not the certificate's key, or another CA of the same name signed it, or the CA's key is too short",
            "give the CA that signed it: --cacert FILE; a CA with a short RSA key (under 2048 bits) must be replaced",
        )
    }

    fn unknown_signature(&self, signature: &[u8], key: Option<&Vec<u8>>) -> Error {
        let signed = signature_kind(signature);
        let by = key.map_or_else(String::new, |key| format!(", made by {}", key_kind(key)));
        let remedy = if cfg!(feature = "aws-lc")
            || !(signed.ends_with("SHA-512") || by.ends_with("P-521"))
        {
            "have it reissued with SHA-256"
        } else {
            "have it reissued with SHA-256 or SHA-384 by a key that is RSA or EC on P-256 or P-384, or build netapi with the feature aws-lc"
        };
        self.reissue(
            &format!(
                "a certificate of its chain is signed in a way that is not accepted: {signed}{by}"
            ),
            remedy,
        )
    }

    fn purpose(&self, has: &str) -> Error {
        self.reissue(
            &format!(
                "the certificate is not for servers (extended key usage serverAuth is missing{has})"
            ),
            "have it reissued for server authentication",
        )
    }

    fn critical_extension(&self, leaf: Option<&X509Certificate<'_>>) -> Error {
        let unknown = leaf.and_then(|leaf| {
            leaf.extensions().iter().find(|extension| {
                extension.critical
                    && matches!(
                        extension.parsed_extension(),
                        ParsedExtension::UnsupportedExtension { .. }
                    )
            })
        });
        let which = unknown.map_or_else(String::new, |extension| format!(" ({})", extension.oid));
        self.reissue(
            &format!(
                "a certificate of its chain has a critical extension that is not known here{which}"
            ),
            "have it reissued without it, or with it not critical",
        )
    }

    #[allow(
        clippy::too_many_lines,
        deprecated,
        reason = "one arm for each fault; some are still made by older verifiers"
    )]
    fn webpki(&self, error: &Webpki, leaf: Option<&X509Certificate<'_>>) -> Error {
        let (why, remedy) = match error {
            Webpki::CaUsedAsEndEntity => (
                "the server shows a certificate that is marked as a CA (CA:TRUE), which is no server's certificate",
                "ISE's own self-signed certificate is often so: replace it",
            ),
            Webpki::UnsupportedCertVersion => (
                "a certificate of its chain is of X.509 version 1, which has no extensions and names no host",
                "have it reissued as version 3 with the host as a subject alternative name",
            ),
            Webpki::UnsupportedCriticalExtension => return self.critical_extension(leaf),
            Webpki::NameConstraintViolation => {
                if self.limits_directory_names() {
                    (
                        "a CA of its chain is limited to certain directory names (name constraints), which cannot be checked here, so that nothing it signed is accepted",
                        "have it issued by a CA that is limited by DNS names or addresses, or not at all",
                    )
                } else {
                    (
                        "a CA of its chain may not sign for this name (name constraints)",
                        "have it issued by a CA that may",
                    )
                }
            }
            Webpki::PathLenConstraintViolated => (
                "there are more CAs in its chain than one of them allows (path length)",
                "have it issued by a CA that may",
            ),
            Webpki::EndEntityUsedAsCa => (
                "a certificate of its chain signed another and is no CA (CA:TRUE is missing)",
                "have it issued by a CA",
            ),
            Webpki::EmptyEkuExtension => (
                "a certificate of its chain has an empty extended key usage, so it is for nothing",
                "have it reissued for server authentication",
            ),
            Webpki::CertDistrusted => (
                "the certificate's key is distrusted",
                "have it reissued with another key",
            ),
            Webpki::ExtensionValueInvalid | Webpki::MalformedExtensions => (
                "an extension of a certificate of its chain is malformed",
                "have it reissued",
            ),
            Webpki::InvalidSerialNumber => (
                "the serial number of a certificate of its chain is malformed, negative or too long",
                "have it reissued",
            ),
            Webpki::InvalidCertValidity => (
                "a certificate of its chain ends before it begins",
                "have it reissued",
            ),
            Webpki::InvalidNetworkMaskConstraint => (
                "a CA of its chain is limited to a network with a malformed mask (name constraints)",
                "the CA's certificate must be reissued",
            ),
            Webpki::MalformedNameConstraint => (
                "a CA of its chain has malformed name constraints",
                "the CA's certificate must be reissued",
            ),
            Webpki::MalformedDnsIdentifier => (
                "a DNS name in a certificate of its chain is malformed",
                "have it reissued",
            ),
            Webpki::SignatureAlgorithmMismatch => (
                "a certificate of its chain says two things of how it is signed",
                "have it reissued",
            ),
            Webpki::MaximumPathDepthExceeded => (
                "its chain is too long",
                "give the CA that is nearest to it: --cacert FILE",
            ),
            Webpki::MaximumNameConstraintComparisonsExceeded
            | Webpki::MaximumPathBuildCallsExceeded
            | Webpki::MaximumSignatureChecksExceeded => (
                "its chain can be put together in too many ways",
                "the server must send its own certificate and the intermediate ones, and nothing else",
            ),
            Webpki::BadDer | Webpki::BadDerTime | Webpki::TrailingData(_) => (
                "the certificate, or one of its chain, is not well-formed",
                "have it reissued",
            ),
            Webpki::UnsupportedNameType => (
                "the host's name is of a kind that no certificate has",
                "name the host by its name or address",
            ),
            Webpki::InvalidCrlNumber
            | Webpki::InvalidCrlSignatureForPublicKey
            | Webpki::IssuerNotCrlSigner
            | Webpki::CrlExpired { .. }
            | Webpki::UnsupportedCrlIssuingDistributionPoint
            | Webpki::UnsupportedCrlVersion
            | Webpki::UnsupportedDeltaCrl
            | Webpki::UnsupportedIndirectCrl
            | Webpki::UnsupportedRevocationReason
            | Webpki::UnsupportedRevocationReasonsPartitioning
            | Webpki::UnsupportedCrlSignatureAlgorithm
            | Webpki::UnsupportedCrlSignatureAlgorithmContext(_)
            | Webpki::UnsupportedCrlSignatureAlgorithmForPublicKey
            | Webpki::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(_) => (
                "the list of revoked certificates cannot be used",
                "the CA must publish another",
            ),
            _ => ("the certificate was refused", "have it reissued"),
        };
        self.reissue(why, remedy)
    }

    /// Whether a CA that the server sent has name constraints on directory names.
    fn limits_directory_names(&self) -> bool {
        let directory = |name: &GeneralName<'_>| matches!(name, GeneralName::DirectoryName(_));
        (1..self.chain.len())
            .filter_map(|at| self.parsed(at))
            .any(|ca| {
                ca.name_constraints().ok().flatten().is_some_and(|limits| {
                    let lists = [
                        &limits.value.permitted_subtrees,
                        &limits.value.excluded_subtrees,
                    ];
                    let mut trees = lists.into_iter().flatten().flatten();
                    trees.any(|tree| directory(&tree.base))
                })
            })
    }

    fn parsed(&self, at: usize) -> Option<X509Certificate<'_>> {
        let der = self.chain.get(at)?;
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        Some(certificate)
    }

    fn wrong_name(&self, fault: &Fault, leaf: Option<&X509Certificate<'_>>) -> Error {
        let wanted = match fault {
            Fault::NotValidForNameContext { expected, .. } => server_name(expected),
            _ => self.host.to_owned(),
        };
        let names = leaf.map(names).unwrap_or_default();
        let port = authority::parse(self.host)
            .and_then(|(_, port)| port)
            .map_or_else(|| "PORT".to_owned(), |port| port.to_string());
        let usable = names
            .iter()
            .find(|name| !name.is_address && name.text.contains('.') && !name.text.contains('*'))
            .filter(|name| name.text.parse::<std::net::IpAddr>().is_err());
        let hint = match usable {
            Some(Name { text, .. }) => format!(
                "use that name as the host, with --resolve {}:{port}:ADDRESS if it does not resolve; or skip the name check: --no-verify-hostname",
                quote(text)
            ),
            None => format!(
                "skip the name check: --no-verify-hostname; or {}",
                self.trust_this_one()
            ),
        };
        if names
            .iter()
            .any(|name| !name.is_address && name.text == wanted)
        {
            return self.error(
                &format!("the certificate has the address {wanted} as a DNS name, which counts for no address"),
                &format!("have it reissued with the address as an IP address among the subject alternative names; {hint}"),
            );
        }
        let listed: Vec<&str> = names.iter().map(|name| name.text.as_str()).collect();
        let has = if listed.is_empty() {
            "it has no subject alternative names at all, and its common name does not count"
                .to_owned()
        } else {
            format!("it is for {}", listed.join(", "))
        };
        self.error(
            &format!("the certificate is not for {wanted}; {has}"),
            &hint,
        )
    }

    fn unknown_issuer(&self, leaf: Option<&X509Certificate<'_>>) -> Error {
        match leaf {
            Some(leaf) if leaf.issuer() == leaf.subject() => self.error(
                "the certificate is self-signed and not trusted",
                &format!(
                    "{}; or give the CA: --cacert FILE; or check nothing: --insecure",
                    self.trust_this_one()
                ),
            ),
            _ => {
                // The last certificate that was sent names whom to look for.
                let last = self
                    .chain
                    .len()
                    .checked_sub(1)
                    .and_then(|at| self.parsed(at));
                let issuer = last.map(|last| format!(" ({})", last.issuer()));
                self.error(
                    &format!(
                        "the certificate's issuer{} is not trusted",
                        issuer.unwrap_or_default()
                    ),
                    &format!(
                        "give the CA that signed it: --cacert FILE; or {}",
                        self.trust_this_one()
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

    fn expired(&self, fault: &Fault, leaf: Option<&X509Certificate<'_>>) -> Error {
        let since = match fault {
            Fault::ExpiredContext { not_after, .. } => Some(seconds(*not_after)),
            _ => leaf.map(|leaf| leaf.validity().not_after.timestamp()),
        };
        let reversed =
            leaf.is_some_and(|leaf| leaf.validity().not_after < leaf.validity().not_before);
        let why = match since.and_then(time) {
            _ if reversed => "the certificate ends before it begins".to_owned(),
            Some(since) => format!("a certificate of its chain has expired, on {since}"),
            None => "a certificate of its chain has expired".to_owned(),
        };
        self.reissue(&why, "renew the certificate in ISE")
    }
}

fn purpose_name(purpose: &rustls::ExtendedKeyPurpose) -> String {
    use rustls::ExtendedKeyPurpose as Purpose;
    match purpose {
        Purpose::ClientAuth => "clientAuth".to_owned(),
        Purpose::ServerAuth => "serverAuth".to_owned(),
        Purpose::Other(arcs) => {
            let arcs: Vec<String> = arcs.iter().map(usize::to_string).collect();
            arcs.join(".")
        }
    }
}

fn not_yet_valid(fault: &Fault, leaf: Option<&X509Certificate<'_>>) -> String {
    let from = match fault {
        Fault::NotValidYetContext { not_before, .. } => Some(seconds(*not_before)),
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
    name.to_str().into_owned()
}

/// A subject alternative name that can be a host's.
struct Name {
    text: String,
    is_address: bool,
}

/// At most 8: the message is one line.
fn names(certificate: &X509Certificate<'_>) -> Vec<Name> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let names = extension.value.general_names.iter();
    names
        .filter_map(|name| {
            let (text, is_address) = match name {
                GeneralName::DNSName(name) => ((*name).to_owned(), false),
                GeneralName::IPAddress(bytes) => (address(bytes)?, true),
                _ => return None,
            };
            Some(Name { text, is_address })
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
