//! The certificate verifiers: chain, chain for any name, one pinned certificate, anything; and the note of what the server showed.
//!
//! Every one of them, the one that accepts any certificate too, checks the handshake's signature, so that the server at least owns the key
//! of the certificate it shows. They judge; the words for a failure are in `tls_error`.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, DigitallySignedStruct, OtherError, SignatureScheme};
use sha2::{Digest, Sha256};

/// What a server showed in its latest handshake, kept for the error message.
#[derive(Debug, Clone, Default)]
pub struct Seen(Arc<Notes>);

#[derive(Debug, Default)]
struct Notes {
    leaf: Mutex<Option<Vec<u8>>>,
    asked_for_certificate: AtomicBool,
    we_have_certificate: bool,
}

impl Seen {
    pub(super) fn new(we_have_certificate: bool) -> Self {
        Self(Arc::new(Notes {
            we_have_certificate,
            ..Notes::default()
        }))
    }

    /// The server's own certificate, DER.
    pub fn leaf(&self) -> Option<Vec<u8>> {
        let leaf = self.0.leaf.lock().unwrap_or_else(PoisonError::into_inner);
        leaf.clone()
    }

    /// Whether the server asked for a client certificate.
    pub fn asked_for_certificate(&self) -> bool {
        self.0.asked_for_certificate.load(Ordering::Relaxed)
    }

    /// Whether we have a client certificate to show.
    pub fn we_have_certificate(&self) -> bool {
        self.0.we_have_certificate
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
enum Rule {
    Anything,
    Pinned([u8; 32]),
    AnyName(Arc<dyn ServerCertVerifier>),
}

#[derive(Debug)]
struct Judge {
    rule: Rule,
    provider: Arc<CryptoProvider>,
}

pub(super) fn anything(provider: Arc<CryptoProvider>) -> Arc<dyn ServerCertVerifier> {
    let rule = Rule::Anything;
    Arc::new(Judge { rule, provider })
}

pub(super) fn pinned(pin: [u8; 32], provider: Arc<CryptoProvider>) -> Arc<dyn ServerCertVerifier> {
    let rule = Rule::Pinned(pin);
    Arc::new(Judge { rule, provider })
}

pub(super) fn any_name(
    chain: Arc<dyn ServerCertVerifier>,
    provider: Arc<CryptoProvider>,
) -> Arc<dyn ServerCertVerifier> {
    let rule = Rule::AnyName(chain);
    Arc::new(Judge { rule, provider })
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
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
            // The name is the last thing webpki looks at: an error about it says that chain and dates were good.
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
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Notes the certificate, then lets `inner` judge it.
#[derive(Debug)]
struct Recording {
    inner: Arc<dyn ServerCertVerifier>,
    seen: Seen,
}

pub(super) fn recording(
    inner: Arc<dyn ServerCertVerifier>,
    seen: Seen,
) -> Arc<dyn ServerCertVerifier> {
    Arc::new(Recording { inner, seen })
}

impl ServerCertVerifier for Recording {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let notes = &self.seen.0;
        *notes.leaf.lock().unwrap_or_else(PoisonError::into_inner) = Some(end_entity.to_vec());
        self.inner
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Shows our certificate whatever CAs the server hints at (ISE's hints are often incomplete), and notes that it asked.
#[derive(Debug)]
struct Shown {
    key: Option<Arc<CertifiedKey>>,
    seen: Seen,
}

pub(super) fn identity(key: Option<Arc<CertifiedKey>>, seen: Seen) -> Arc<dyn ResolvesClientCert> {
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
        // Always yes, so that we are asked and can note it; without a key the answer is an empty list, as RFC 8446 4.4.2 wants.
        true
    }
}
