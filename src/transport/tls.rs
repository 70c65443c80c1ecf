//! TLS settings: one function builds every `rustls::ClientConfig`, for HTTP and WebSocket alike.
//!
//! The cryptography provider is always named, never taken from a process-wide default. Trust comes
//! from the given CA bundle alone, or from the system where none is given (loaded at the first
//! connection, not at start-up). It reads no keys: an [`Identity`] is handed in. What a failed
//! handshake means is told by [`super::tls_error`].

pub(super) mod server_key;
mod verify;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::bundle;
use crate::error::{Error, Kind, Result};
use crate::files;

use verify::Rule;
pub use verify::{HandshakeNotes, PinMismatch};

/// What messages call the file of trusted certificates.
const BUNDLE: &str = "CA bundle";

/// A CA bundle above this is not read: the system's own bundle has about 250 kB.
const LARGEST_BUNDLE: u64 = 16 * 1024 * 1024;

/// Whom to trust, and who we are.
#[derive(Debug, Clone)]
pub struct TlsOptions {
    /// A file of CA certificates (PEM, DER, PKCS#7): trusted alone, the system's are not. `None`:
    /// the system's.
    pub ca: Option<PathBuf>,
    /// CA certificates (DER) that are no file yet: trusted alone where there are some, and no `ca`.
    pub roots: Vec<Vec<u8>>,
    /// Accept any certificate (`--insecure`).
    pub insecure: bool,
    /// Whether the certificate must be for the host that was asked for (`--no-verify-hostname`
    /// clears it).
    pub verify_hostname: bool,
    /// SHA-256 of the one server certificate (DER) to accept, instead of a chain (`--pin-sha256`).
    pub pin_sha256: Option<[u8; 32]>,
    /// Our certificate, for servers that ask for one.
    pub identity: Option<Identity>,
}

impl Default for TlsOptions {
    /// The system's trust, everything verified, no identity.
    fn default() -> Self {
        Self {
            ca: None,
            roots: Vec::new(),
            insecure: false,
            verify_hostname: true,
            pin_sha256: None,
            identity: None,
        }
    }
}

/// A client certificate with its chain and private key. `Debug` shows no key.
pub struct Identity {
    /// Leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// The leaf's key.
    pub key: PrivateKeyDer<'static>,
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self {
            chain: self.chain.clone(),
            key: self.key.clone_key(),
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("certificates", &self.chain.len())
            .finish_non_exhaustive()
    }
}

/// What [`provider`] is, by the name of its feature.
pub const PROVIDER_NAME: &str = if cfg!(feature = "aws-lc") {
    "aws-lc"
} else {
    "ring"
};

/// The cryptography that every connection uses.
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| {
        #[cfg(feature = "aws-lc")]
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        #[cfg(not(feature = "aws-lc"))]
        let provider = rustls::crypto::ring::default_provider();
        Arc::new(provider)
    }))
}

/// Settings that were read and checked, from which configurations are made.
#[derive(Debug, Clone)]
pub struct Tls {
    trust: Trust,
    verify_hostname: bool,
    identity: Option<Arc<CertifiedKey>>,
    notes: Vec<String>,
}

#[derive(Debug, Clone)]
enum Trust {
    System,
    Bundle(Arc<dyn ServerCertVerifier>),
    Pin([u8; 32]),
    Anything,
}

impl Tls {
    /// Reads the CA bundle, if one is named, and checks the identity. The system's trust is not
    /// touched here.
    ///
    /// Errors: [`Kind::Usage`] for a bundle that cannot be read or holds no certificate, and for a
    /// key that does not fit its certificate.
    pub fn new(options: &TlsOptions) -> Result<Self> {
        let mut notes = Vec::new();
        let trust = if options.insecure {
            Trust::Anything
        } else if let Some(pin) = options.pin_sha256 {
            Trust::Pin(pin)
        } else if let Some(path) = &options.ca {
            let (verifier, said) = trusted(path)?;
            notes = said;
            Trust::Bundle(verifier)
        } else if !options.roots.is_empty() {
            Trust::Bundle(rooted(&options.roots)?)
        } else {
            Trust::System
        };
        Ok(Self {
            trust,
            verify_hostname: options.verify_hostname,
            identity: options.identity.as_ref().map(certified).transpose()?,
            notes,
        })
    }

    /// What is worth a word about the CA bundle: certificates in it that are not used, by line.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// A configuration for HTTP/1.1 or a WebSocket over it, and where it notes what the server
    /// showed.
    ///
    /// Errors: [`Kind::Tls`] when the system has no trusted certificates to load.
    pub fn config(&self) -> Result<(ClientConfig, HandshakeNotes)> {
        let seen = HandshakeNotes::new(self.identity.clone());
        let verifier = verify::verifier(self.rule()?, seen.clone());
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| {
                Error::new(
                    Kind::Failed,
                    format!("cannot set up TLS: {error} (built-in settings)"),
                )
            })?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_cert_resolver(verify::identity(self.identity.clone(), seen.clone()));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok((config, seen))
    }

    /// Notes of a handshake that nothing is written into.
    #[cfg(feature = "nats")]
    pub fn no_handshake(&self) -> HandshakeNotes {
        HandshakeNotes::new(self.identity.clone())
    }

    fn rule(&self) -> Result<Rule> {
        let chain = match &self.trust {
            Trust::Anything => return Ok(Rule::Anything),
            Trust::Pin(pin) => return Ok(Rule::Pinned(*pin)),
            Trust::Bundle(verifier) => Arc::clone(verifier),
            Trust::System => system()?,
        };
        Ok(if self.verify_hostname {
            Rule::Chain(chain)
        } else {
            Rule::AnyName(chain)
        })
    }
}

/// The system's trust, read once a process: it takes milliseconds.
fn system() -> Result<Arc<dyn ServerCertVerifier>> {
    static SYSTEM: OnceLock<Option<Arc<dyn ServerCertVerifier>>> = OnceLock::new();
    SYSTEM
        .get_or_init(|| {
            rustls_platform_verifier::Verifier::new(provider())
                .ok()
                .map(|verifier| Arc::new(verifier) as Arc<dyn ServerCertVerifier>)
        })
        .clone()
        .ok_or_else(|| {
            Error::new(
                Kind::Tls,
                "this system has no trusted certificates that can be read",
            )
            .hint("name the CA that signed the server's certificate: --cacert FILE")
        })
}

/// The verifier over a CA bundle, and what is worth a word about the file.
fn trusted(path: &Path) -> Result<(Arc<dyn ServerCertVerifier>, Vec<String>)> {
    let file = files::read(path, BUNDLE, LARGEST_BUNDLE)?;
    let found = bundle::certificates(&file.bytes, BUNDLE, path, false)?;
    let mut notes = found.notes;
    let mut roots = RootCertStore::empty();
    for listed in found.list {
        let place = bundle::place(BUNDLE, path, listed.line);
        let Ok((_, certificate)) = X509Certificate::from_der(&listed.der) else {
            return Err(Error::usage(format!(
                "{place}: what stands there is no X.509 certificate, or a damaged one"
            ))
            .hint("copy the file anew from where it came, whole and unchanged"));
        };
        let subject = certificate.subject();
        if listed.not_for_servers {
            notes.push(format!(
                "{place}: {subject} is marked as not to be trusted for servers, and is not used"
            ));
        } else if roots.add(listed.der.clone()).is_err() {
            notes.push(format!(
                "{place}: {subject} is a certificate that cannot serve as a CA here, and is not used"
            ));
        }
    }
    if roots.is_empty() {
        return Err(Error::usage(format!(
            "{}; there is no other certificate",
            notes.join("; ")
        ))
        .hint("give --cacert (or ISE_CA_CERT, ISE_MTLS_CA, PXGRID_CA) the CA's certificate, as exported from ISE under Trusted Certificates"));
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .map_err(|_| {
            Error::usage(format!(
                "{}: no certificate in it can be used",
                bundle::place(BUNDLE, path, None)
            ))
        })?;
    Ok((verifier, notes))
}

/// The verifier over certificates that a server showed.
fn rooted(list: &[Vec<u8>]) -> Result<Arc<dyn ServerCertVerifier>> {
    let unusable = || Error::usage("the certificate cannot serve as a CA here");
    let mut roots = RootCertStore::empty();
    for der in list {
        let certificate = CertificateDer::from(der.clone());
        roots.add(certificate).map_err(|_| unusable())?;
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build();
    Ok(verifier.map_err(|_| unusable())?)
}

fn certified(identity: &Identity) -> Result<Arc<CertifiedKey>> {
    CertifiedKey::from_der(
        identity.chain.clone(),
        identity.key.clone_key(),
        &provider(),
    )
    .map(Arc::new)
    .map_err(|error| {
        let why = match error {
            rustls::Error::InconsistentKeys(_) => "the private key is not the certificate's",
            rustls::Error::NoCertificatesPresented => "there is no certificate",
            rustls::Error::InvalidCertificate(_) => {
                "it is not well-formed, or not of X.509 version 3"
            }
            _ => "its private key is of a kind that is not supported",
        };
        Error::usage(format!("cannot use the client certificate: {why}")).hint(
            "--cert and --key must be a pair; ISE exports both in one archive or PKCS#12 file",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::test_server::TestCa;

    fn with_bundle(content: &[u8]) -> Result<Tls> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        Tls::new(&TlsOptions {
            ca: Some(file.path().to_owned()),
            ..TlsOptions::default()
        })
    }

    #[test]
    fn a_bundle_is_pem_or_der() {
        let authority = TestCa::new();
        with_bundle(authority.pem().as_bytes()).unwrap();
        with_bundle(authority.der()).unwrap();
        let several = format!("text\n{}\n{}", authority.pem(), TestCa::new().pem());
        with_bundle(several.as_bytes()).unwrap();
    }

    #[test]
    fn a_bundle_without_certificate_is_a_usage_error_that_names_the_file() {
        for content in [&b""[..], b"no PEM here", b"0\x82"] {
            let error = with_bundle(content).unwrap_err();
            assert_eq!(error.kind(), Kind::Usage);
            assert!(error.message().contains("CA bundle"), "{error}");
        }
        let error = Tls::new(&TlsOptions {
            ca: Some("/nowhere/ca.pem".into()),
            ..TlsOptions::default()
        })
        .unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        assert!(error.message().contains("/nowhere/ca.pem"), "{error}");
    }

    #[test]
    fn an_identity_with_a_foreign_key_is_a_usage_error_and_shows_no_key() {
        let authority = TestCa::new();
        let mut identity = authority.identity("one");
        identity.key = authority.identity("two").key;
        let shown = format!("{identity:?}");
        assert_eq!(shown, "Identity { certificates: 1, .. }");
        let error = Tls::new(&TlsOptions {
            identity: Some(identity),
            ..TlsOptions::default()
        })
        .unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        assert!(error.message().contains("private key"), "{error}");
    }
}
