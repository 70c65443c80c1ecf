//! Throw-away certificates: a CA of this lab alone, its nodes' and its client's certificates, and
//! wrong ones for the faults.
//!
//! Keys that leave the process (the client's) are written readable by their owner only; the nodes'
//! keys never do. Nothing here opens a connection.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{Span, Timestamp, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use secrecy::{ExposeSecret, SecretString};

use crate::error::{Error, Kind, Result};
use crate::unix::files;

/// Common names of the client certificates: two, so that pairs of subscribers can be tried.
pub const CLIENT_NAMES: [&str; 2] = ["lab-client", "lab-client-2"];
/// The domain of every node.
pub const DOMAIN: &str = "lab.example";

/// How right, or in what way wrong, a certificate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// From the lab's CA, for the right names, in its time.
    Good,
    /// Its time has passed.
    Expired,
    /// Its time has not come.
    NotYetValid,
    /// For other names.
    WrongName,
    /// Signed by itself.
    SelfSigned,
    /// From a CA that nobody was told of.
    UnknownIssuer,
}

/// A certificate as PEM and its private key.
pub struct Identity {
    certificate: CertificateDer<'static>,
    /// What is sent along: the CA, as ISE does it.
    chain: Vec<CertificateDer<'static>>,
    key: PrivatePkcs8KeyDer<'static>,
    /// The certificate, PEM.
    pub certificate_pem: String,
    /// The private key, PKCS#8 in PEM.
    pub key_pem: SecretString,
}

/// The lab's CA and the place where what clients need is written.
pub struct Certificates {
    ca_pem: String,
    stranger_pem: String,
    issuer: Issuer<'static, KeyPair>,
    stranger: Issuer<'static, KeyPair>,
    directory: PathBuf,
    /// Removes the directory when it was ours.
    _temporary: Option<tempfile::TempDir>,
}

impl Certificates {
    /// Makes a CA and two client certificates, and writes `ca.pem`, `client.pem`, `client.key`,
    /// `client-2.pem` and `client-2.key` to `directory`, or to a private temporary one that goes
    /// away with this value.
    pub fn create(directory: Option<&Path>) -> Result<Self> {
        let (directory, temporary) = if let Some(directory) = directory {
            make_private_directory(directory)?;
            (absolute(directory)?, None)
        } else {
            let temporary = make_temporary_directory()?;
            (temporary.path().to_path_buf(), Some(temporary))
        };
        let (ca_pem, issuer) = authority("netapi lab CA")?;
        let (stranger_pem, stranger) = authority("somebody else's CA")?;
        let certificates = Self {
            ca_pem,
            stranger_pem,
            issuer,
            stranger,
            directory,
            _temporary: temporary,
        };
        write_private(&certificates.ca_path(), &certificates.ca_pem)?;
        let files = [
            (certificates.client_path(), certificates.client_key_path()),
            (
                certificates.second_client_path(),
                certificates.second_client_key_path(),
            ),
        ];
        for (name, (certificate, key)) in CLIENT_NAMES.iter().zip(files) {
            let client = certificates.client(name, Flavour::Good)?;
            write_private(&certificate, &client.certificate_pem)?;
            write_private(&key, client.key_pem.expose_secret())?;
        }
        Ok(certificates)
    }

    /// Where the files are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The CA's certificate, PEM.
    pub fn ca_path(&self) -> PathBuf {
        self.directory.join("ca.pem")
    }

    /// The client's certificate, PEM.
    pub fn client_path(&self) -> PathBuf {
        self.directory.join("client.pem")
    }

    /// The client's key, PKCS#8 in PEM.
    pub fn client_key_path(&self) -> PathBuf {
        self.directory.join("client.key")
    }

    /// The second client's certificate, PEM.
    pub fn second_client_path(&self) -> PathBuf {
        self.directory.join("client-2.pem")
    }

    /// The second client's key, PKCS#8 in PEM.
    pub fn second_client_key_path(&self) -> PathBuf {
        self.directory.join("client-2.key")
    }

    /// The CA's certificate, PEM: what a node that asks for client certificates trusts.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The certificate, PEM, of a CA that signed nobody here: a node that trusts it alone refuses
    /// every client.
    pub fn stranger_pem(&self) -> &str {
        &self.stranger_pem
    }

    /// A certificate for the node with the short name `node`: also good for `localhost` and the
    /// loopback addresses.
    pub fn server(&self, node: &str, flavour: Flavour) -> Result<Identity> {
        let names = if flavour == Flavour::WrongName {
            vec![format!("other.{DOMAIN}")]
        } else {
            vec![
                format!("{node}.{DOMAIN}"),
                "localhost".to_owned(),
                "127.0.0.1".to_owned(),
                "::1".to_owned(),
            ]
        };
        let common_name = format!("{node}.{DOMAIN}");
        self.issue(
            &common_name,
            names,
            ExtendedKeyUsagePurpose::ServerAuth,
            flavour,
        )
    }

    /// A client certificate with the common name `name`.
    pub fn client(&self, name: &str, flavour: Flavour) -> Result<Identity> {
        self.issue(
            name,
            Vec::new(),
            ExtendedKeyUsagePurpose::ClientAuth,
            flavour,
        )
    }

    fn issue(
        &self,
        common_name: &str,
        names: Vec<String>,
        usage: ExtendedKeyUsagePurpose,
        flavour: Flavour,
    ) -> Result<Identity> {
        let mut params = CertificateParams::new(names).map_err(|error| cannot_issue(&error))?;
        params
            .distinguished_name
            .push(DnType::CommonName, common_name);
        params.use_authority_key_identifier_extension = flavour != Flavour::SelfSigned;
        params.key_usages.push(KeyUsagePurpose::DigitalSignature);
        params.extended_key_usages.push(usage);
        let (from, to) = match flavour {
            Flavour::Expired => (-60, -2),
            Flavour::NotYetValid => (2, 30),
            _ => (-1, 30),
        };
        set_validity(&mut params, from, to)?;
        let key = KeyPair::generate().map_err(|error| cannot_issue(&error))?;
        let certificate = match flavour {
            Flavour::SelfSigned => params.self_signed(&key),
            Flavour::UnknownIssuer => params.signed_by(&key, &self.stranger),
            _ => params.signed_by(&key, &self.issuer),
        }
        .map_err(|error| cannot_issue(&error))?;
        let own = matches!(flavour, Flavour::SelfSigned | Flavour::UnknownIssuer);
        let chain = CertificateDer::pem_slice_iter(self.ca_pem.as_bytes());
        let chain: Vec<_> = chain.filter_map(std::result::Result::ok).collect();
        Ok(Identity {
            chain: if own { Vec::new() } else { chain },
            certificate: certificate.der().clone(),
            certificate_pem: certificate.pem(),
            key_pem: SecretString::from(key.serialize_pem()),
            key: PrivatePkcs8KeyDer::from(key),
        })
    }
}

impl Identity {
    /// The TLS configuration of an HTTP/1.1 server that shows this certificate and asks clients for
    /// none.
    pub fn server_config(&self) -> Result<Arc<ServerConfig>> {
        self.config(WebPkiClientVerifier::no_client_auth())
    }

    /// The TLS configuration of an HTTP/1.1 server that shows this certificate and asks clients for
    /// one from the CA `ca_pem`. A client without one gets in (it may have a password), one with a
    /// certificate of somebody else does not.
    pub fn server_config_asking(&self, ca_pem: &str) -> Result<Arc<ServerConfig>> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(ca_pem.as_bytes()) {
            let certificate = certificate.map_err(|error| cannot_serve(&error))?;
            roots
                .add(certificate)
                .map_err(|error| cannot_serve(&error))?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
            .allow_unauthenticated()
            .build()
            .map_err(|error| cannot_serve(&error))?;
        self.config(verifier)
    }

    fn config(&self, verifier: Arc<dyn ClientCertVerifier>) -> Result<Arc<ServerConfig>> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| cannot_serve(&error))?
            .with_client_cert_verifier(verifier)
            .with_single_cert(
                std::iter::once(self.certificate.clone())
                    .chain(self.chain.iter().cloned())
                    .collect(),
                PrivateKeyDer::Pkcs8(self.key.clone_key()),
            )
            .map_err(|error| cannot_serve(&error))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

/// The cryptography behind the lab's TLS, named explicitly: with two providers linked rustls would
/// not choose.
pub(super) fn provider() -> Arc<CryptoProvider> {
    #[cfg(feature = "ring")]
    let provider = rustls::crypto::ring::default_provider();
    #[cfg(not(feature = "ring"))]
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    Arc::new(provider)
}

fn authority(common_name: &str) -> Result<(String, Issuer<'static, KeyPair>)> {
    let mut params =
        CertificateParams::new(Vec::<String>::new()).map_err(|error| cannot_issue(&error))?;
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_validity(&mut params, -90, 90)?;
    let key = KeyPair::generate().map_err(|error| cannot_issue(&error))?;
    let certificate = params
        .self_signed(&key)
        .map_err(|error| cannot_issue(&error))?;
    Ok((certificate.pem(), Issuer::new(params, key)))
}

/// Sets the validity in whole days from today.
fn set_validity(params: &mut CertificateParams, from: i64, to: i64) -> Result<()> {
    let day = |offset: i64| {
        let date = Timestamp::now()
            .to_zoned(TimeZone::UTC)
            .date()
            .checked_add(Span::new().days(offset))
            .ok()?;
        let month = u8::try_from(date.month()).ok()?;
        let day = u8::try_from(date.day()).ok()?;
        Some(rcgen::date_time_ymd(i32::from(date.year()), month, day))
    };
    let out_of_range = || {
        Error::new(
            Kind::Failed,
            "the clock of this machine shows no usable date",
        )
    };
    params.not_before = day(from).ok_or_else(out_of_range)?;
    params.not_after = day(to).ok_or_else(out_of_range)?;
    Ok(())
}

fn cannot_issue(error: &rcgen::Error) -> Error {
    Error::new(
        Kind::Failed,
        format!("cannot make the lab's certificates: {error}"),
    )
}

fn cannot_serve(error: &dyn std::fmt::Display) -> Error {
    Error::new(
        Kind::Failed,
        format!("cannot use the lab's certificates: {error}"),
    )
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Error {
    Error::new(
        Kind::Failed,
        format!("cannot write {}: {error}", path.display()),
    )
    .hint("choose another place with --dir")
}

/// Whoever is told the paths need not stand where we do.
fn absolute(directory: &Path) -> Result<PathBuf> {
    std::path::absolute(directory).map_err(|error| {
        Error::new(
            Kind::Failed,
            format!("cannot tell where {} is: {error}", directory.display()),
        )
    })
}

fn make_temporary_directory() -> Result<tempfile::TempDir> {
    files::make_temporary_directory("netapi-lab-").map_err(|error| {
        Error::new(
            Kind::Failed,
            format!("cannot make a temporary directory: {error}"),
        )
    })
}

fn make_private_directory(path: &Path) -> Result<()> {
    files::make_private_directory(path).map_err(|error| cannot_write(path, &error))
}

/// Writes a file that only its owner reads. One of an earlier lab is replaced, not reused, since
/// its mode may be another.
fn write_private(path: &Path, text: &str) -> Result<()> {
    match fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(cannot_write(path, &error)),
    }
    files::create_private(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| cannot_write(path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn files_are_private_and_temporary_ones_go_away() {
        let certificates = Certificates::create(None).unwrap();
        let directory = certificates.directory().to_path_buf();
        assert_eq!(mode(&directory), 0o700);
        assert_eq!(mode(&certificates.client_key_path()), 0o600);
        assert_eq!(mode(&certificates.second_client_key_path()), 0o600);
        drop(certificates);
        assert!(!directory.exists());
    }

    #[test]
    fn a_chosen_directory_stays_and_an_old_key_is_replaced() {
        let parent = tempfile::tempdir().unwrap();
        let chosen = parent.path().join("certificates");
        drop(Certificates::create(Some(&chosen)).unwrap());
        let key = chosen.join("client.key");
        let before = fs::read_to_string(&key).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        drop(Certificates::create(Some(&chosen)).unwrap());
        assert_ne!(fs::read_to_string(&key).unwrap(), before);
        assert_eq!((mode(&chosen), mode(&key)), (0o700, 0o600));
        let error = Certificates::create(Some(&key)).err().unwrap();
        assert!(error.message().contains("client.key"), "{error}");
    }

    #[test]
    fn validity_is_realistic() {
        let certificates = Certificates::create(None).unwrap();
        let good = certificates.server("ise-mnt", Flavour::Good).unwrap();
        let (_, parsed) = x509_parser::parse_x509_certificate(&good.certificate).unwrap();
        let days = parsed.validity().time_to_expiration().unwrap().whole_days();
        assert!((28..=30).contains(&days), "{days}");
        let expired = certificates.server("ise-mnt", Flavour::Expired).unwrap();
        let (_, parsed) = x509_parser::parse_x509_certificate(&expired.certificate).unwrap();
        assert!(!parsed.validity().is_valid());
    }
}
