//! Finds the private key in a PEM file: PKCS#8, PKCS#1 and SEC1 are read here, an encrypted one is handed to `locked`.

use std::path::Path;

use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use secrecy::SecretString;

use crate::error::{Error, Result};

pub(super) const BEGIN_ENCRYPTED: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";

fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// The old encryption of OpenSSL (RFC 1421 headers around a PKCS#1 or SEC1 key), keyed with one round of MD5.
fn is_traditional(bytes: &[u8]) -> bool {
    text(bytes).contains("Proc-Type: 4,ENCRYPTED")
}

/// Whether the first private key of a PEM file is encrypted in a way that a passphrase opens here.
pub(super) fn is_encrypted(bytes: &[u8]) -> bool {
    text(bytes).contains(BEGIN_ENCRYPTED)
}

/// The first private key of a PEM file.
pub(super) fn from_pem(
    bytes: &[u8],
    path: &Path,
    password: Option<&SecretString>,
) -> Result<PrivateKeyDer<'static>> {
    if is_traditional(bytes) {
        return Err(Error::usage(format!(
            "the private key in {} is encrypted in OpenSSL's traditional form (Proc-Type: 4,ENCRYPTED), which is not supported",
            path.display()
        ))
        .hint(format!(
            "convert it: openssl pkcs8 -topk8 -in '{}' -out client.key",
            path.display()
        )));
    }
    if is_encrypted(bytes) {
        return super::locked::decrypt(&text(bytes), path, password);
    }
    PrivateKeyDer::from_pem_slice(bytes).map_err(|error| {
        let what = if matches!(error, rustls::pki_types::pem::Error::NoItemsFound) {
            "holds no private key".to_owned()
        } else {
            format!("holds a private key that cannot be read ({error})")
        };
        Error::usage(format!("{} {what}", path.display())).hint(
            "give the key with --key, in PEM (PKCS#8, PKCS#1 or SEC1), or use one PKCS#12 file",
        )
    })
}

pub(super) fn no_password(path: &Path) -> Error {
    Error::usage(format!(
        "the private key in {} is encrypted and no passphrase was given",
        path.display()
    ))
    .hint("give it with --key-password-file FILE or PXGRID_KEY_PASSWORD")
}

#[cfg(feature = "pkcs12")]
pub(super) fn wrong_password(path: &Path) -> Error {
    Error::usage(format!(
        "the passphrase does not open the private key in {}",
        path.display()
    ))
    .hint("check --key-password-file or PXGRID_KEY_PASSWORD")
}
