//! Finds the private key in a file: PKCS#8, PKCS#1 and SEC1 in PEM or DER are read here, an
//! encrypted one is handed to `locked`.

use std::path::Path;

use rustls::pki_types::PrivateKeyDer;
use secrecy::SecretString;
use x509_parser::asn1_rs::{Any, FromDer, Tag};
use zeroize::Zeroizing;

use super::super::bundle::{self, place};
use super::super::pem::{self, Label};
use crate::error::{Error, Result};
use crate::files::display_path;

/// What messages call the file.
pub(super) const WHAT: &str = "private key";

/// A key as it was found.
pub(super) enum Key {
    /// Ready for use.
    Plain(PrivateKeyDer<'static>),
    /// PKCS#8, encrypted.
    Locked(Zeroizing<Vec<u8>>),
}

impl Key {
    /// Whether a passphrase opens it.
    pub(super) fn is_locked(&self) -> bool {
        matches!(self, Self::Locked(_))
    }

    /// The key; `password` is for a locked one.
    pub(super) fn open(
        &self,
        path: &Path,
        password: Option<&SecretString>,
    ) -> Result<PrivateKeyDer<'static>> {
        match self {
            Self::Plain(key) => Ok(key.clone_key()),
            Self::Locked(der) => super::locked::decrypt(der, path, password),
        }
    }
}

/// The first private key of a file.
pub(super) fn find(bytes: &[u8], path: &Path) -> Result<Key> {
    if super::is_pkcs12(bytes) {
        return Err(Error::usage(format!(
            "{}: it is a PKCS#12 file, which brings certificate and key",
            place(WHAT, path, None)
        ))
        .hint("give it with --cert, and leave --key away"));
    }
    if bundle::is_der(bytes) {
        return plain(bytes)
            .or_else(|| is_locked(bytes).then(|| Key::Locked(Zeroizing::new(bytes.to_vec()))))
            .ok_or_else(|| none(bytes, path));
    }
    let text = bundle::pem_text(bytes);
    // A key in a lossy copy is wiped as well.
    let text = Zeroizing::new(text.into_owned());
    let blocks = pem::blocks(&text).map_err(|fault| bundle::fault(&fault, WHAT, path))?;
    for block in &blocks {
        match block.label {
            Label::Key if block.is_traditional() => return Err(traditional(path)),
            Label::OpensshKey => return Err(openssh(path, block.line)),
            Label::Key | Label::EncryptedKey => {
                let der = block
                    .der()
                    .map_err(|fault| bundle::fault(&fault, WHAT, path))?;
                if block.label == Label::EncryptedKey {
                    return Ok(Key::Locked(der));
                }
                return plain(&der).ok_or_else(|| {
                    Error::usage(format!(
                        "{}: the block {} is damaged: it holds no key",
                        place(WHAT, path, Some(block.line)),
                        block.name
                    ))
                    .hint("copy the file anew from where it came, whole and unchanged")
                });
            }
            _ => {}
        }
    }
    Err(none(bytes, path))
}

/// The label is not asked: people write the wrong one.
fn plain(der: &[u8]) -> Option<Key> {
    PrivateKeyDer::try_from(der.to_vec()).ok().map(Key::Plain)
}

/// `EncryptedPrivateKeyInfo` (RFC 5958, section 3): an algorithm, which begins with its OID, then
/// the encrypted bytes.
fn is_locked(der: &[u8]) -> bool {
    let parts = || -> Option<bool> {
        let (_, outer) = Any::from_der(der).ok()?;
        let (behind, algorithm) = Any::from_der(outer.data).ok()?;
        let (_, oid) = Any::from_der(algorithm.data).ok()?;
        let (_, data) = Any::from_der(behind).ok()?;
        Some(oid.tag() == Tag::Oid && data.tag() == Tag::OctetString)
    };
    parts().unwrap_or(false)
}

fn none(bytes: &[u8], path: &Path) -> Error {
    let usual =
        "give the key with --key, in PEM or DER (PKCS#8, PKCS#1 or SEC1), or use one PKCS#12 file";
    Error::usage(format!(
        "{}: there is no private key in it",
        place(WHAT, path, None)
    ))
    .hint(bundle::hint_of_base64(bytes, path).unwrap_or_else(|| usual.to_owned()))
}

fn traditional(path: &Path) -> Error {
    Error::usage(format!(
        "the private key in {} is encrypted in OpenSSL's traditional form (Proc-Type: 4,ENCRYPTED), which is not supported",
        display_path(path)
    ))
    .hint(format!(
        "convert it: openssl pkcs8 -topk8 -in '{}' -out client.key",
        display_path(path)
    ))
}

fn openssh(path: &Path, line: usize) -> Error {
    Error::usage(format!(
        "{}: the key is in OpenSSH's own form, which is not supported",
        place(WHAT, path, Some(line))
    ))
    .hint(format!(
        "convert a copy of it: cp '{0}' client.key; ssh-keygen -p -N '' -m PKCS8 -f client.key",
        display_path(path)
    ))
}

pub(super) fn no_password(path: &Path) -> Error {
    Error::usage(format!(
        "the private key in {} is encrypted and no passphrase was given",
        display_path(path)
    ))
    .hint("give it with --key-password-file FILE or PXGRID_KEY_PASSWORD")
}

#[cfg(feature = "pkcs12")]
pub(super) fn wrong_password(path: &Path) -> Error {
    Error::usage(format!(
        "the passphrase does not open the private key in {}",
        display_path(path)
    ))
    .hint("check --key-password-file or PXGRID_KEY_PASSWORD")
}
