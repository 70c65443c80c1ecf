//! Stands in for `locked` in a build without the feature `pkcs12`: says that, and how to convert
//! the file.

use std::path::Path;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::SecretString;

use super::keys::no_password;
use crate::error::{Error, Result};

fn unsupported(path: &Path) -> Error {
    Error::usage(format!(
        "{} is encrypted or PKCS#12, which this build does not read",
        crate::files::display_path(path)
    ))
    .hint("convert it: openssl pkcs12 -in FILE -nodes -out client.pem, or openssl pkcs8 -in FILE -out client.key")
}

pub(super) fn decrypt(
    _der: &[u8],
    path: &Path,
    password: Option<&SecretString>,
) -> Result<PrivateKeyDer<'static>> {
    Err(if password.is_none() {
        no_password(path)
    } else {
        unsupported(path)
    })
}

pub(super) fn from_pkcs12(
    _bytes: &[u8],
    path: &Path,
    _password: Option<&SecretString>,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    Err(unsupported(path))
}

pub(super) fn pkcs12_is_locked(_bytes: &[u8]) -> bool {
    false
}
