//! Encrypted private keys and PKCS#12 files.
//!
//! PBES2 (AES or 3DES with PBKDF2 or scrypt, RFC 8018) is the `pkcs8` crate's work. PBE-SHA1-3DES
//! (RFC 7292, appendix C), which Java tools write and ISE may export, is done here. Work factors
//! are capped: a file may not keep us busy for minutes.

use std::path::Path;

use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use p12_keystore::Pkcs12Archive;
use pkcs8::EncryptedPrivateKeyInfoRef;
use pkcs8::der::{Decode, Encode};
use pkcs12::kdf::{Pkcs12KeyType, derive_key_utf8};
use pkcs12::pbe_params::{EncryptedPrivateKeyInfo, Pkcs12PbeParams};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::keys::{no_password, wrong_password};
use crate::error::{Error, Result};
use crate::files::display_path;

/// Most rounds of key derivation, and most memory of scrypt; p12-keystore has the same caps.
const MAX_ROUNDS: u32 = 1_000_000;
const MAX_SCRYPT_MEMORY: u64 = 1 << 30;

/// pbeWithSHAAnd3-KeyTripleDES-CBC (RFC 7292, appendix C).
const PBE_SHA1_3DES: pkcs8::ObjectIdentifier =
    pkcs8::ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.3");

pub(super) fn decrypt(
    der: &[u8],
    path: &Path,
    password: Option<&SecretString>,
) -> Result<PrivateKeyDer<'static>> {
    if pkcs8::der::AnyRef::from_der(der).is_err() {
        return Err(Error::usage(format!(
            "the encrypted private key in {} is damaged",
            display_path(path)
        ))
        .hint("copy the file anew from where it came, whole and unchanged"));
    }
    let password = password.ok_or_else(|| no_password(path))?.expose_secret();
    let plain = decrypt_der(der, path, password)?;
    Ok(PrivatePkcs8KeyDer::from(plain.to_vec()).into())
}

fn decrypt_der(der: &[u8], path: &Path, password: &str) -> Result<Zeroizing<Vec<u8>>> {
    if let Ok(info) = EncryptedPrivateKeyInfoRef::from_der(der) {
        return decrypt_pbes2(&info, path, password);
    }
    let info = EncryptedPrivateKeyInfo::from_der(der).map_err(|_| unsupported(path))?;
    if info.encryption_algorithm.oid != PBE_SHA1_3DES {
        return Err(unsupported(path));
    }
    let params = info
        .encryption_algorithm
        .parameters
        .and_then(|params| params.to_der().ok())
        .and_then(|params| Pkcs12PbeParams::from_der(&params).ok())
        .ok_or_else(|| unsupported(path))?;
    if !u32::try_from(params.iterations).is_ok_and(|rounds| rounds <= MAX_ROUNDS) {
        return Err(too_dear(path));
    }
    decrypt_3des(info.encrypted_data.as_bytes(), &params, password)
        .ok_or_else(|| wrong_password(path))
}

/// `None` when the padding does not come out, which is how a wrong passphrase shows.
fn decrypt_3des(
    data: &[u8],
    params: &Pkcs12PbeParams,
    password: &str,
) -> Option<Zeroizing<Vec<u8>>> {
    let derive = |purpose, length| {
        derive_key_utf8::<sha1::Sha1>(
            password,
            params.salt.as_bytes(),
            purpose,
            params.iterations,
            length,
        )
        .ok()
        .map(Zeroizing::new)
    };
    if params.salt.as_bytes().is_empty() {
        return None;
    }
    let key = derive(Pkcs12KeyType::EncryptionKey, 24)?;
    let iv = derive(Pkcs12KeyType::Iv, 8)?;
    let plain = cbc::Decryptor::<des::TdesEde3>::new_from_slices(&key, &iv)
        .ok()?
        .decrypt_padded_vec::<Pkcs7>(data)
        .map(Zeroizing::new)
        .ok()?;
    // One wrong passphrase in 256 still yields a valid padding, but no key.
    pkcs8::PrivateKeyInfoRef::from_der(&plain).ok()?;
    Some(plain)
}

fn decrypt_pbes2(
    info: &EncryptedPrivateKeyInfoRef<'_>,
    path: &Path,
    password: &str,
) -> Result<Zeroizing<Vec<u8>>> {
    let Some(params) = info.encryption_algorithm.pbes2() else {
        return Err(unsupported(path));
    };
    let rounds = params.kdf.pbkdf2().map_or(0, |kdf| kdf.iteration_count);
    let memory = params.kdf.scrypt().map_or(0, |kdf| {
        128_u64
            .saturating_mul(kdf.cost_parameter)
            .saturating_mul(u64::from(kdf.block_size))
            .saturating_mul(u64::from(kdf.parallelization))
    });
    if rounds > MAX_ROUNDS || memory > MAX_SCRYPT_MEMORY {
        return Err(too_dear(path));
    }
    match info.decrypt(password) {
        Ok(document) => Ok(Zeroizing::new(document.as_bytes().to_vec())),
        Err(pkcs8::Error::EncryptedPrivateKey(
            pkcs8::pkcs5::Error::UnsupportedAlgorithm { .. }
            | pkcs8::pkcs5::Error::NoPbes1CryptSupport
            | pkcs8::pkcs5::Error::AlgorithmParametersInvalid { .. },
        )) => Err(unsupported(path)),
        // Bad padding, or good padding by chance around no key: the passphrase, as far as anyone
        // can tell.
        Err(_) => Err(wrong_password(path)),
    }
}

fn unsupported(path: &Path) -> Error {
    Error::usage(format!(
        "the private key in {} is encrypted in a way that is not supported",
        display_path(path)
    ))
    .hint(format!(
        "convert it: openssl pkcs8 -topk8 -v2 aes-256-cbc -in '{}' -out client.key",
        display_path(path)
    ))
}

fn too_dear(path: &Path) -> Error {
    Error::usage(format!(
        "the private key in {} asks for more than {MAX_ROUNDS} rounds of key derivation or 1 GiB of memory",
        display_path(path)
    ))
    .hint(format!(
        "encrypt it anew: openssl pkcs8 -topk8 -v2 aes-256-cbc -in '{}' -out client.key",
        display_path(path)
    ))
}

/// All certificates and the first key of a PKCS#12 file.
pub(super) fn from_pkcs12(
    bytes: &[u8],
    path: &Path,
    password: Option<&SecretString>,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let secret = password.map_or("", ExposeSecret::expose_secret);
    let archive = Pkcs12Archive::from_pkcs12(bytes, secret).map_err(|error| match error {
        p12_keystore::error::Error::MacError(_) if password.is_none() => no_password(path),
        p12_keystore::error::Error::MacError(_) | p12_keystore::error::Error::UnpadError => {
            wrong_password(path)
        }
        // Its own words may quote what it read.
        _ => Error::usage(format!(
            "the PKCS#12 file {} cannot be read: it is damaged, or protected in a way that is not supported",
            display_path(path)
        ))
        .hint(format!(
            "convert it: openssl pkcs12 -in '{}' -nodes -out client.pem",
            display_path(path)
        )),
    })?;
    let Some(key) = archive.keys.first() else {
        return Err(Error::usage(format!(
            "the PKCS#12 file {} holds no private key",
            display_path(path)
        ))
        .hint("export it together with its key"));
    };
    if archive.certs.is_empty() {
        return Err(Error::usage(format!(
            "the PKCS#12 file {} holds no certificate",
            display_path(path)
        )));
    }
    let certificates = archive
        .certs
        .iter()
        .map(|bag| CertificateDer::from(bag.cert.as_der().to_vec()))
        .collect();
    let key = PrivatePkcs8KeyDer::from(key.key.as_der().to_vec());
    Ok((certificates, key.into()))
}

/// Whether an empty passphrase does not open the file.
pub(super) fn pkcs12_is_locked(bytes: &[u8]) -> bool {
    matches!(
        Pkcs12Archive::from_pkcs12(bytes, ""),
        Err(p12_keystore::error::Error::MacError(_))
    )
}
