//! The client identity as people keep it: PEM certificates with a key in the same file or another,
//! plain or encrypted, or one PKCS#12 file.
//!
//! Everything that can be known before the first connection is said here, naming the file: a key
//! that belongs to another certificate, a wrong or missing passphrase, a certificate that has
//! expired. Whether ISE trusts the certificate is the handshake's affair. Reading certificates
//! lives in `bundle`, finding the key in `keys`, decrypting it in `locked`.

mod keys;
#[cfg_attr(not(feature = "pkcs12"), path = "identity/locked_unsupported.rs")]
mod locked;

use std::path::Path;

use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};
use zeroize::Zeroizing;

use self::keys::Key;
use super::bundle;
use super::tls::{Identity, provider};
use crate::error::{Error, Result};
use crate::files::{self, Access, display_path};

/// A certificate that expires within this time gets a warning.
const EXPIRES_SOON_SECONDS: i64 = 14 * 24 * 3600;

/// What the client certificate says of itself (RFC 5280).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityFacts {
    /// The subject's common name: what ISE shows, and our node name where none is configured.
    pub common_name: Option<String>,
    /// The whole subject, as `CN=…, O=…`.
    pub subject: String,
    /// The whole issuer.
    pub issuer: String,
    /// DNS names and IP addresses of the subject alternative name.
    pub names: Vec<String>,
    /// Valid from.
    pub not_before: Timestamp,
    /// Valid until.
    pub not_after: Timestamp,
    /// SHA-256 of the certificate's DER, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// Purposes of the extended key usage by name (`clientAuth`, `serverAuth`, …, else the OID);
    /// `None` without the extension, which allows all.
    pub extended_key_usage: Option<Vec<String>>,
    /// How many certificates are sent: the leaf and what was found of its issuers.
    pub chain_length: usize,
    /// What is worth a word about the files, one line each, with what to do.
    pub notes: Vec<String>,
}

impl IdentityFacts {
    /// What is worth a word although the certificate can be used: one line each.
    pub fn warnings(&self, now: Timestamp) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(usage) = &self.extended_key_usage
            && !usage
                .iter()
                .any(|purpose| purpose == "clientAuth" || purpose == "anyExtendedKeyUsage")
        {
            warnings.push(format!(
                "the client certificate {} is not made for client authentication (its extended key usage is {}): ISE will refuse it",
                self.subject,
                usage.join(", ")
            ));
        }
        if self.not_after.as_second() - now.as_second() < EXPIRES_SOON_SECONDS {
            warnings.push(format!(
                "the client certificate {} expires on {}",
                self.subject, self.not_after
            ));
        }
        warnings
    }
}

/// What messages call the certificate's file.
const WHAT: &str = "client certificate";

/// The identity's files, read once, so that a pipe (`--key <(pass show key)`) does as well; the key
/// may still be locked.
pub struct IdentityFiles<'p> {
    certificate: &'p Path,
    /// The file that the key is in.
    key: &'p Path,
    content: FilesContent,
    notes: Vec<String>,
}

enum FilesContent {
    Pkcs12(Zeroizing<Vec<u8>>),
    Apart(Vec<CertificateDer<'static>>, Key),
}

/// Reads certificate and key from `cert` and, where they are apart, `key`.
///
/// Errors: [`crate::error::Kind::Usage`], naming the file, for everything that would fail later.
pub fn read_identity<'p>(cert: &'p Path, key: Option<&'p Path>) -> Result<IdentityFiles<'p>> {
    let key = key.filter(|key| *key != cert);
    let file = files::read(cert, WHAT, files::SMALL)?;
    if is_pkcs12(&file.bytes) {
        if let Some(key) = key {
            return Err(Error::usage(format!(
                "{} is a PKCS#12 file and brings its own key; {} was given as well",
                display_path(cert),
                display_path(key)
            ))
            .hint("leave --key away"));
        }
        let content = FilesContent::Pkcs12(file.bytes);
        return Ok(IdentityFiles::new(cert, cert, content, file.access));
    }
    let found = bundle::certificates(&file.bytes, WHAT, cert, true)?;
    let (key, key_file) = match key {
        Some(key) => (key, files::read(key, keys::WHAT, files::SMALL)?),
        None => (cert, file),
    };
    let private = keys::find(&key_file.bytes, key)?;
    let certificates = found.list.into_iter().map(|listed| listed.der).collect();
    let content = FilesContent::Apart(certificates, private);
    let mut files = IdentityFiles::new(cert, key, content, key_file.access);
    files.notes.extend(found.notes);
    Ok(files)
}

impl<'p> IdentityFiles<'p> {
    /// `access` is that of the file with the key: who else can read it is worth a word.
    fn new(certificate: &'p Path, key: &'p Path, content: FilesContent, access: Access) -> Self {
        Self {
            certificate,
            key,
            content,
            notes: access.warning(key).into_iter().collect(),
        }
    }

    /// Whether a passphrase is needed: the key is encrypted, or it is a PKCS#12 file whose
    /// passphrase is not empty.
    pub fn needs_password(&self) -> bool {
        match &self.content {
            FilesContent::Pkcs12(bytes) => locked::pkcs12_is_locked(bytes),
            FilesContent::Apart(_, key) => key.is_locked(),
        }
    }

    /// The identity, checked as far as it can be without a connection. `password` is for an
    /// encrypted key or a PKCS#12 file.
    pub fn open(&self, password: Option<&SecretString>) -> Result<(Identity, IdentityFacts)> {
        self.open_at(password, Timestamp::now())
    }

    fn open_at(
        &self,
        password: Option<&SecretString>,
        now: Timestamp,
    ) -> Result<(Identity, IdentityFacts)> {
        let (certificates, private) = match &self.content {
            FilesContent::Pkcs12(bytes) => locked::from_pkcs12(bytes, self.certificate, password)?,
            FilesContent::Apart(certificates, key) => {
                (certificates.clone(), key.open(self.key, password)?)
            }
        };
        let chain = chain_for(certificates, &private, self.certificate, self.key)?;
        let mut facts = facts(&chain, self.certificate)?;
        check_validity(&facts, self.certificate, now)?;
        facts.notes.clone_from(&self.notes);
        Ok((
            Identity {
                chain,
                key: private,
            },
            facts,
        ))
    }
}

/// PKCS#12 is DER that begins with a sequence whose first member is the version, 3 (RFC 7292,
/// section 4).
pub(super) fn is_pkcs12(bytes: &[u8]) -> bool {
    let ([0x30, 0x83, _, _, _, body @ ..]
    | [0x30, 0x82, _, _, body @ ..]
    | [0x30, 0x81, _, body @ ..]
    | [0x30, _, body @ ..]) = bytes
    else {
        return false;
    };
    body.starts_with(&[0x02, 0x01, 0x03])
}

fn parsed<'a>(der: &'a CertificateDer<'_>, path: &Path) -> Result<X509Certificate<'a>> {
    X509Certificate::from_der(der)
        .map(|(_, certificate)| certificate)
        .map_err(|_| {
            Error::usage(format!(
                "a certificate in {} cannot be read: it is no X.509 certificate, or a damaged one",
                display_path(path)
            ))
            .hint("copy the file anew from where it came, whole and unchanged")
        })
}

/// The certificate that the key belongs to, then its issuers as far as they are there; a root is
/// left out, the server has it or does not trust it.
fn chain_for(
    mut rest: Vec<CertificateDer<'static>>,
    key: &PrivateKeyDer<'static>,
    cert_file: &Path,
    key_file: &Path,
) -> Result<Vec<CertificateDer<'static>>> {
    let signer = provider()
        .key_provider
        .load_private_key(key.clone_key())
        .map_err(|_| {
            Error::usage(format!(
                "the private key in {} cannot be used: it is damaged, or of a kind or size that is not supported",
                display_path(key_file)
            ))
            .hint("RSA keys of 2048 bits and more, and EC keys on P-256 and P-384, are supported")
        })?;
    let wanted = signer.public_key();
    let mut leaf = None;
    for (index, der) in rest.iter().enumerate() {
        let certificate = parsed(der, cert_file)?;
        // A signer that does not tell its public key cannot be checked here: then the first
        // certificate is taken to be the leaf.
        let fits = wanted
            .as_ref()
            .is_none_or(|spki| certificate.public_key().raw == spki.as_ref());
        if fits {
            leaf = Some(index);
            break;
        }
    }
    let Some(leaf) = leaf else {
        return Err(Error::usage(format!(
            "the private key in {} does not belong to the certificate in {}",
            display_path(key_file),
            display_path(cert_file)
        ))
        .hint(
            "compare `openssl x509 -noout -pubkey -in CERT` with `openssl pkey -pubout -in KEY`",
        ));
    };
    let mut chain = vec![rest.remove(leaf)];
    while let Some(last) = chain.last() {
        let last = parsed(last, cert_file)?;
        let mut next = None;
        for (index, der) in rest.iter().enumerate() {
            let candidate = parsed(der, cert_file)?;
            let is_root = candidate.subject().as_raw() == candidate.issuer().as_raw();
            if !is_root && candidate.subject().as_raw() == last.issuer().as_raw() {
                next = Some(index);
                break;
            }
        }
        match next {
            Some(index) => chain.push(rest.remove(index)),
            None => break,
        }
    }
    Ok(chain)
}

/// What a certificate in DER says of itself, for one that a server showed.
pub fn certificate_facts(der: &[u8]) -> Result<IdentityFacts> {
    facts(
        &[CertificateDer::from(der.to_vec())],
        Path::new("the server's answer"),
    )
}

fn facts(chain: &[CertificateDer<'static>], path: &Path) -> Result<IdentityFacts> {
    let Some(leaf) = chain.first() else {
        return Err(Error::usage(format!(
            "{} holds no certificate",
            display_path(path)
        )));
    };
    let certificate = parsed(leaf, path)?;
    let time = |time: x509_parser::time::ASN1Time| {
        Timestamp::from_second(time.timestamp()).map_err(|_| {
            Error::usage(format!(
                "the certificate in {} has a validity time that is no time",
                display_path(path)
            ))
        })
    };
    Ok(IdentityFacts {
        common_name: certificate
            .subject()
            .iter_common_name()
            .next()
            .and_then(|name| name.as_str().ok())
            .map(str::to_owned),
        subject: certificate.subject().to_string(),
        issuer: certificate.issuer().to_string(),
        names: names(&certificate),
        not_before: time(certificate.validity().not_before)?,
        not_after: time(certificate.validity().not_after)?,
        sha256: Sha256::digest(leaf.as_ref())
            .iter()
            .flat_map(|byte| [byte >> 4, byte & 15])
            .filter_map(|digit| char::from_digit(u32::from(digit), 16))
            .collect(),
        extended_key_usage: purposes(&certificate),
        chain_length: chain.len(),
        notes: Vec::new(),
    })
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    extension
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(octets) => {
                let v4 = <[u8; 4]>::try_from(*octets).map(std::net::IpAddr::from);
                let v6 = <[u8; 16]>::try_from(*octets).map(std::net::IpAddr::from);
                v4.or(v6).ok().map(|address| address.to_string())
            }
            _ => None,
        })
        .collect()
}

fn purposes(certificate: &X509Certificate<'_>) -> Option<Vec<String>> {
    let usage = certificate.extended_key_usage().ok().flatten()?.value;
    let mut purposes: Vec<String> = [
        (usage.any, "anyExtendedKeyUsage"),
        (usage.client_auth, "clientAuth"),
        (usage.server_auth, "serverAuth"),
        (usage.code_signing, "codeSigning"),
        (usage.email_protection, "emailProtection"),
        (usage.time_stamping, "timeStamping"),
        (usage.ocsp_signing, "OCSPSigning"),
    ]
    .into_iter()
    .filter(|(given, _)| *given)
    .map(|(_, name)| name.to_owned())
    .collect();
    purposes.extend(usage.other.iter().map(ToString::to_string));
    Some(purposes)
}

fn check_validity(facts: &IdentityFacts, path: &Path, now: Timestamp) -> Result<()> {
    let problem = |what: String, hint: &str| {
        Err(Error::usage(format!(
            "the client certificate {} in {} {what}",
            facts.subject,
            display_path(path)
        ))
        .hint(hint))
    };
    if now > facts.not_after {
        problem(
            format!("expired on {}", facts.not_after),
            "issue a new one (in ISE: Administration > pxGrid Services > Certificates)",
        )
    } else if now < facts.not_before {
        problem(
            format!("is not valid before {}", facts.not_before),
            "is this computer's clock right?",
        )
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
