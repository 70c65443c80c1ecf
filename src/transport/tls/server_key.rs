//! The public key of a server's certificate, however odd the rest of the certificate is: what kind
//! it is, whether this program's cryptography knows it, and whether a handshake was signed with it.
//!
//! rustls reads a whole certificate before it checks a handshake's signature, and refuses one of
//! version 1 or with a critical extension that it does not know. Who pins a certificate or checks
//! none is in no need of that; the key is enough.

use std::fmt;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, PeerMisbehaved};
use webpki::RawPublicKeyEntity;
use x509_parser::asn1_rs::{Any, Oid};
use x509_parser::prelude::{FromDer, X509CertificateParser};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::provider;

/// The sizes of RSA keys that a signature can be checked with, in bits.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// See the module's documentation.
pub(in crate::transport) struct ServerKey<'a> {
    key: SubjectPublicKeyInfo<'a>,
}

impl<'a> ServerKey<'a> {
    /// The key of a certificate in DER; `None` where there is nothing like one in it.
    pub(in crate::transport) fn of(certificate: &'a [u8]) -> Option<Self> {
        use x509_parser::nom::Parser;
        let mut parser = X509CertificateParser::new().with_deep_parse_extensions(false);
        let (_, certificate) = parser.parse(certificate).ok()?;
        Some(Self {
            key: certificate.tbs_certificate.subject_pki,
        })
    }

    /// Whether a signature made with it can be checked.
    pub(in crate::transport) fn is_usable(&self) -> bool {
        let size_fits = match self.key.parsed() {
            Ok(PublicKey::RSA(key)) => RSA_BITS.contains(&key.key_size()),
            _ => true,
        };
        let known = provider().signature_verification_algorithms.all;
        size_fits
            && self.algorithm().is_some_and(|ours| {
                known
                    .iter()
                    .any(|known| known.public_key_alg_id().as_ref() == ours)
            })
    }

    /// The content of its AlgorithmIdentifier.
    fn algorithm(&self) -> Option<&'a [u8]> {
        let (_, key) = Any::from_der(self.key.raw).ok()?;
        let (_, algorithm) = Any::from_der(key.data).ok()?;
        Some(algorithm.data)
    }

    /// In words: `an RSA key of 1024 bits`, `an EC key on P-521`.
    pub(in crate::transport) fn in_words(&self) -> String {
        if let Ok(PublicKey::RSA(key)) = self.key.parsed() {
            return format!("an RSA key of {} bits", key.key_size());
        }
        key_kind(self.algorithm().unwrap_or_default())
    }

    fn der(&self) -> SubjectPublicKeyInfoDer<'a> {
        SubjectPublicKeyInfoDer::from(self.key.raw)
    }
}

/// The kind of a public key by its AlgorithmIdentifier, in words.
pub(in crate::transport) fn key_kind(algorithm: &[u8]) -> String {
    let (oid, rest) = oid(algorithm);
    match oid.as_str() {
        "1.2.840.113549.1.1.1" => "an RSA key".to_owned(),
        "1.2.840.113549.1.1.10" => "an RSA key for PSS only".to_owned(),
        "1.2.840.10040.4.1" => "a DSA key".to_owned(),
        "1.3.101.112" => "an Ed25519 key".to_owned(),
        "1.3.101.113" => "an Ed448 key".to_owned(),
        "1.2.840.10045.2.1" => {
            let (curve, _) = self::oid(rest);
            let name = match curve.as_str() {
                "1.2.840.10045.3.1.7" => "P-256",
                "1.3.132.0.34" => "P-384",
                "1.3.132.0.35" => "P-521",
                "1.3.132.0.33" => "P-224",
                "1.3.132.0.10" => "secp256k1",
                "1.3.36.3.3.2.8.1.1.7" => "brainpoolP256r1",
                "1.3.36.3.3.2.8.1.1.11" => "brainpoolP384r1",
                "1.3.36.3.3.2.8.1.1.13" => "brainpoolP512r1",
                other => other,
            };
            format!("an EC key on {name}")
        }
        other => format!("a key of the kind {other}"),
    }
}

/// The first object identifier, dotted, and what follows it.
pub(in crate::transport) fn oid(bytes: &[u8]) -> (String, &[u8]) {
    match Oid::from_der(bytes) {
        Ok((rest, oid)) => (oid.to_id_string(), rest),
        Err(_) => ("unknown".to_owned(), &[]),
    }
}

/// The server signed with a key that nobody here can check.
#[derive(Debug)]
pub(in crate::transport) struct UnusableKey;

impl fmt::Display for UnusableKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the certificate's key is of a kind that cannot be checked")
    }
}

impl std::error::Error for UnusableKey {}

/// Whether the server has the key of the certificate that it shows.
///
/// A key that cannot be checked is an error, or nothing where the certificate is not looked at
/// anyway (`lenient`).
pub(super) fn check_signature(
    message: &[u8],
    certificate: &[u8],
    signed: &DigitallySignedStruct,
    tls13: bool,
    lenient: bool,
) -> Result<HandshakeSignatureValid, Error> {
    let algorithms = provider().signature_verification_algorithms;
    let key = ServerKey::of(certificate).ok_or(CertificateError::BadEncoding)?;
    let scheme_known = algorithms.supported_schemes().contains(&signed.scheme);
    if !key.is_usable() || (lenient && !scheme_known) {
        if lenient {
            return Ok(HandshakeSignatureValid::assertion());
        }
        return Err(CertificateError::Other(OtherError(std::sync::Arc::new(UnusableKey))).into());
    }
    if tls13 {
        return verify_tls13_signature_with_raw_key(message, &key.der(), signed, &algorithms);
    }
    tls12(message, &key, signed, &algorithms)
}

/// A scheme of TLS 1.2 does not say which curve; each that it may mean is tried.
fn tls12(
    message: &[u8],
    key: &ServerKey<'_>,
    signed: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let mut mapping = algorithms.mapping.iter();
    let (_, possible) = mapping
        .find(|(scheme, _)| *scheme == signed.scheme)
        .ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
    let der = key.der();
    let entity = RawPublicKeyEntity::try_from(&der).map_err(|_| CertificateError::BadEncoding)?;
    for algorithm in *possible {
        match entity.verify_signature(*algorithm, message, signed.signature()) {
            Ok(()) => return Ok(HandshakeSignatureValid::assertion()),
            Err(webpki::Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_)) => {}
            Err(_) => return Err(CertificateError::BadSignature.into()),
        }
    }
    Err(PeerMisbehaved::SignedKxWithWrongAlgorithm.into())
}
