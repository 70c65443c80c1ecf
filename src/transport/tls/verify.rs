//! The certificate verifiers: chain, chain for any name, one pinned certificate, anything; and the
//! note of what the server showed.
//!
//! Every one of them, the one that accepts any certificate too, checks the handshake's signature,
//! so that the server at least owns the key of the certificate it shows; only where no certificate
//! is checked may it be a key that cannot be. They judge; the words for a failure are in
//! `tls_error`.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, DigitallySignedStruct, OtherError, SignatureScheme};
use sha2::{Digest, Sha256};

use super::provider;
use super::server_key::check_signature;

/// What a server showed in its latest handshake, kept for the error message.
#[derive(Debug, Clone, Default)]
pub struct HandshakeNotes(Arc<NotesInner>);

#[derive(Debug, Default)]
struct NotesInner {
    /// Leaf first.
    chain: Mutex<Vec<Vec<u8>>>,
    asked_for_certificate: AtomicBool,
    ours: Option<Arc<CertifiedKey>>,
}

impl HandshakeNotes {
    pub(super) fn new(ours: Option<Arc<CertifiedKey>>) -> Self {
        Self(Arc::new(NotesInner {
            ours,
            ..NotesInner::default()
        }))
    }

    /// The server's own certificate, DER.
    pub fn leaf(&self) -> Option<Vec<u8>> {
        self.chain().into_iter().next()
    }

    /// The certificates that the server sent, its own first, DER.
    pub fn chain(&self) -> Vec<Vec<u8>> {
        let chain = self.0.chain.lock().unwrap_or_else(PoisonError::into_inner);
        chain.clone()
    }

    /// The last certificate of those that we send, DER.
    pub(in crate::transport) fn last_of_ours(&self) -> Option<&[u8]> {
        let ours = self.0.ours.as_ref()?;
        ours.cert.last().map(AsRef::as_ref)
    }

    /// Whether the server asked for a client certificate.
    pub fn asked_for_certificate(&self) -> bool {
        self.0.asked_for_certificate.load(Ordering::Relaxed)
    }

    /// Whether we have a client certificate to show.
    pub fn we_have_certificate(&self) -> bool {
        self.0.ours.is_some()
    }
}

/// The server's certificate is not the pinned one.
#[derive(Debug, PartialEq, Eq)]
pub struct PinMismatch {
    /// The SHA-256 that was asked for.
    pub wanted: [u8; 32],
}

impl fmt::Display for PinMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the certificate is not the pinned one")
    }
}

impl std::error::Error for PinMismatch {}

/// What is asked of the certificate.
#[derive(Debug)]
pub(super) enum Rule {
    /// Nothing.
    Anything,
    /// To have this SHA-256.
    Pinned([u8; 32]),
    /// A chain, for whatever name.
    AnyName(Arc<dyn ServerCertVerifier>),
    /// A chain and the host's name.
    Chain(Arc<dyn ServerCertVerifier>),
}

/// More certificates than this are not noted; no server needs so many.
const LONGEST_CHAIN: usize = 16;

/// Notes the certificates, judges them by its rule, and checks the handshake's signature.
#[derive(Debug)]
struct CertificateVerifier {
    rule: Rule,
    seen: HandshakeNotes,
}

pub(super) fn verifier(rule: Rule, seen: HandshakeNotes) -> Arc<dyn ServerCertVerifier> {
    Arc::new(CertificateVerifier { rule, seen })
}

impl CertificateVerifier {
    /// Whether a key that cannot be checked is accepted, too.
    fn is_lenient(&self) -> bool {
        matches!(self.rule, Rule::Anything)
    }
}

impl ServerCertVerifier for CertificateVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let shown = std::iter::once(end_entity).chain(intermediates);
        let mut chain = self
            .seen
            .0
            .chain
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *chain = shown.take(LONGEST_CHAIN).map(|der| der.to_vec()).collect();
        drop(chain);
        match &self.rule {
            Rule::Anything => Ok(ServerCertVerified::assertion()),
            Rule::Pinned(wanted) => {
                let found: [u8; 32] = Sha256::digest(end_entity).into();
                if found == *wanted {
                    return Ok(ServerCertVerified::assertion());
                }
                let mismatch = PinMismatch { wanted: *wanted };
                Err(CertificateError::Other(OtherError(Arc::new(mismatch))).into())
            }
            Rule::Chain(chain) => {
                chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            }
            // The name is the last thing webpki looks at: an error about it says that chain and
            // dates were good.
            Rule::AnyName(chain) => match chain.verify_server_cert(
                end_entity,
                intermediates,
                server_name,
                ocsp_response,
                now,
            ) {
                Err(rustls::Error::InvalidCertificate(
                    CertificateError::NotValidForName
                    | CertificateError::NotValidForNameContext { .. },
                )) => Ok(ServerCertVerified::assertion()),
                other => other,
            },
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        check_signature(message, cert, dss, false, self.is_lenient())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        check_signature(message, cert, dss, true, self.is_lenient())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = provider().signature_verification_algorithms;
        let mut schemes = algorithms.supported_schemes();
        if self.is_lenient() {
            schemes.extend(
                UNCHECKED
                    .iter()
                    .filter(|more| !algorithms.supported_schemes().contains(more)),
            );
        }
        schemes
    }
}

/// What a server may sign with although it is not checked: without them a server with a P-521 key
/// or with nothing but SHA-1 ends the handshake.
const UNCHECKED: [SignatureScheme; 4] = [
    SignatureScheme::ECDSA_NISTP521_SHA512,
    SignatureScheme::ED448,
    SignatureScheme::RSA_PKCS1_SHA1,
    SignatureScheme::ECDSA_SHA1_Legacy,
];

/// Shows our certificate whatever CAs the server hints at (ISE's hints are often incomplete), and
/// notes that it asked.
#[derive(Debug)]
struct Shown {
    key: Option<Arc<CertifiedKey>>,
    seen: HandshakeNotes,
}

pub(super) fn identity(
    key: Option<Arc<CertifiedKey>>,
    seen: HandshakeNotes,
) -> Arc<dyn ResolvesClientCert> {
    Arc::new(Shown { key, seen })
}

impl ResolvesClientCert for Shown {
    fn resolve(
        &self,
        _root_hint_subjects: &[&[u8]],
        _schemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        let asked = &self.seen.0.asked_for_certificate;
        asked.store(true, Ordering::Relaxed);
        self.key.clone()
    }

    fn has_certs(&self) -> bool {
        // Always yes, so that we are asked and can note it; without a key the answer is an empty
        // list, as RFC 8446 4.4.2 wants.
        true
    }
}
