//! Certificates in whatever wrapping people's files have them: PEM, OpenSSL's trusted certificates,
//! PKCS#7 (in PEM or DER), DER, and several of each one after the other.
//!
//! Whom to trust and which certificate is ours is told elsewhere; here nothing is left out in
//! silence. No error quotes content.

use std::path::Path;

use rustls::pki_types::CertificateDer;
use x509_parser::asn1_rs::{Any, FromBer, FromDer, Tag};
use x509_parser::prelude::X509Certificate;

use super::pem::{self, Block, Fault, Label};
use crate::error::{Error, Result};
use crate::files::{self, display_path};

/// id-signedData (RFC 2315, section 14), as it stands in DER behind its tag and length.
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];

/// id-kp-serverAuth and anyExtendedKeyUsage (RFC 5280, section 4.2.1.12), likewise.
const FOR_SERVERS: [&[u8]; 2] = [
    &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01],
    &[0x55, 0x1d, 0x25, 0x00],
];

/// A Java keystore begins so.
const JAVA_KEYSTORE: &[u8] = &[0xfe, 0xed, 0xfe, 0xed];

/// A certificate and where it stood.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) der: CertificateDer<'static>,
    /// The line where its block begins; `None` in a file without lines.
    pub(super) line: Option<usize>,
    /// OpenSSL's trust settings beside it say that it is not for servers.
    pub(super) not_for_servers: bool,
}

/// What a file holds.
#[derive(Debug, Default)]
pub(super) struct Certificates {
    /// At least one, in the file's order.
    pub(super) list: Vec<Listed>,
    /// What is worth a word: blocks that hold no certificate.
    pub(super) notes: Vec<String>,
}

/// Where a message says it is about: `CA bundle: ca.pem:12`.
pub(super) fn place(what: &str, path: &Path, line: Option<usize>) -> String {
    match line {
        Some(line) => format!("{what}: {}:{line}", display_path(path)),
        None => format!("{what}: {}", display_path(path)),
    }
}

/// A fault of a PEM file.
pub(super) fn fault(fault: &Fault, what: &str, path: &Path) -> Error {
    Error::usage(format!(
        "{}: {}",
        place(what, path, Some(fault.line)),
        fault.what
    ))
    .hint("copy the file anew from where it came, whole and unchanged")
}

/// The text of a file that may be PEM. Comments in any character set do no harm.
pub(super) fn pem_text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    match files::utf16(bytes) {
        Some(Ok(text)) => text.into(),
        _ => String::from_utf8_lossy(bytes),
    }
}

/// All certificates of a file. `with_keys`: keys belong into it, and are passed over.
pub(super) fn certificates(
    bytes: &[u8],
    what: &str,
    path: &Path,
    with_keys: bool,
) -> Result<Certificates> {
    if is_der(bytes) {
        return in_der(bytes, what, path);
    }
    let text = pem_text(bytes);
    let blocks = pem::blocks(&text).map_err(|found| fault(&found, what, path))?;
    let mut found = Certificates::default();
    for block in &blocks {
        let line = Some(block.line);
        match block.label {
            Label::Certificate => found.list.push(Listed {
                der: CertificateDer::from(der(block, what, path)?),
                line,
                not_for_servers: false,
            }),
            Label::TrustedCertificate => {
                found.list.push(
                    trusted(&der(block, what, path)?, line)
                        .ok_or_else(|| no_certificate_at(what, path, line, block.name))?,
                );
            }
            Label::Pkcs7 => {
                let der = der(block, what, path)?;
                let inside = pkcs7(&der)
                    .filter(|inside| !inside.is_empty())
                    .ok_or_else(|| no_certificate_at(what, path, line, block.name))?;
                found.list.extend(inside.into_iter().map(|der| Listed {
                    der,
                    line,
                    not_for_servers: false,
                }));
            }
            Label::Key | Label::EncryptedKey | Label::Parameters if with_keys => {}
            _ => found.notes.push(format!(
                "{}: the block {} holds no certificate and is not used",
                place(what, path, line),
                block.name
            )),
        }
    }
    if found.list.is_empty() {
        return Err(none(bytes, &blocks, what, path));
    }
    Ok(found)
}

fn der(block: &Block<'_>, what: &str, path: &Path) -> Result<Vec<u8>> {
    block
        .der()
        .map(|der| der.to_vec())
        .map_err(|found| fault(&found, what, path))
}

/// A file without any: what it is instead, where that can be told.
fn none(bytes: &[u8], blocks: &[Block<'_>], what: &str, path: &Path) -> Error {
    let file = display_path(path);
    let error = Error::usage(format!(
        "{}: there is no certificate in it",
        place(what, path, None)
    ));
    if bytes.trim_ascii().is_empty() {
        return Error::usage(format!("{}: the file is empty", place(what, path, None)))
            .hint("copy the file anew from where it came");
    }
    if bytes.starts_with(JAVA_KEYSTORE) {
        return error.hint(format!(
            "it is a Java keystore; export from it: keytool -exportcert -rfc -keystore '{file}' -alias NAME"
        ));
    }
    if let Some(hint) = hint_of_base64(bytes, path) {
        return error.hint(hint);
    }
    if let Some(first) = blocks.first() {
        return error.hint(format!(
            "its first block is {}; a certificate begins with -----BEGIN CERTIFICATE-----",
            first.name
        ));
    }
    error.hint("PEM, DER or PKCS#7 is read; PEM begins with -----BEGIN CERTIFICATE-----")
}

/// What to do with `-----BEGIN`, encoded once more, as CI systems want it.
pub(super) fn hint_of_base64(bytes: &[u8], path: &Path) -> Option<String> {
    files::without_mark(bytes)
        .trim_ascii()
        .starts_with(b"LS0tLS1CRUdJT")
        .then(|| {
            format!(
                "it is base64 around PEM; decode it: base64 -d '{}'",
                display_path(path)
            )
        })
}

fn no_certificate_at(what: &str, path: &Path, line: Option<usize>, name: &str) -> Error {
    Error::usage(format!(
        "{}: the block {name} holds no certificate that can be read",
        place(what, path, line)
    ))
    .hint("copy the file anew from where it came, whole and unchanged")
}

/// ASN.1 begins with a SEQUENCE. So does a text with a zero, which is no PEM either.
pub(super) fn is_der(bytes: &[u8]) -> bool {
    bytes.first() == Some(&0x30) && !bytes.windows(10).any(|window| window == b"-----BEGIN")
}

fn in_der(bytes: &[u8], what: &str, path: &Path) -> Result<Certificates> {
    let listed = |der: CertificateDer<'static>| Listed {
        der,
        line: None,
        not_for_servers: false,
    };
    if super::identity::is_pkcs12(bytes) {
        let file = display_path(path);
        return Err(Error::usage(format!("{}: it is a PKCS#12 file", place(what, path, None))).hint(
            format!("take the certificates out of it: openssl pkcs12 -in '{file}' -nokeys -out ca.pem"),
        ));
    }
    if let Some(inside) = pkcs7(bytes).filter(|inside| !inside.is_empty()) {
        return Ok(Certificates {
            list: inside.into_iter().map(listed).collect(),
            notes: Vec::new(),
        });
    }
    let mut list = Vec::new();
    let mut rest = bytes;
    while !rest.trim_ascii().is_empty() {
        // A line's end between two is not of them.
        let der = if list.is_empty() {
            rest
        } else {
            rest.trim_ascii_start()
        };
        let Ok((behind, _)) = X509Certificate::from_der(der) else {
            return Err(Error::usage(format!(
                "{}: certificate {} of it cannot be read: it is no certificate in DER, or a damaged one",
                place(what, path, None),
                list.len() + 1
            ))
            .hint("copy the file anew from where it came, whole and unchanged"));
        };
        let own = der.get(..der.len() - behind.len()).unwrap_or(der);
        list.push(listed(CertificateDer::from(own.to_vec())));
        rest = behind;
    }
    Ok(Certificates {
        list,
        notes: Vec::new(),
    })
}

/// A certificate with OpenSSL's trust settings behind it.
fn trusted(bytes: &[u8], line: Option<usize>) -> Option<Listed> {
    let (settings, _) = X509Certificate::from_der(bytes).ok()?;
    let own = bytes.get(..bytes.len() - settings.len())?;
    Some(Listed {
        der: CertificateDer::from(own.to_vec()),
        line,
        not_for_servers: !settings.is_empty() && !trusts_servers(settings)?,
    })
}

/// `X509_CERT_AUX` of OpenSSL: uses to trust it for, and behind the tag 0 uses to reject it for;
/// neither list has to be there.
fn trusts_servers(settings: &[u8]) -> Option<bool> {
    let (_, settings) = Any::from_der(settings).ok()?;
    let mut trusts = true;
    for member in members(settings.data)? {
        let names_servers = || -> Option<bool> {
            let uses = members(member.data)?;
            Some(
                uses.iter()
                    .any(|purpose| FOR_SERVERS.contains(&purpose.data)),
            )
        };
        match member.tag() {
            Tag::Sequence => trusts = names_servers()?,
            Tag(0) if names_servers()? => return Some(false),
            _ => {}
        }
    }
    Some(trusts)
}

/// The certificates of PKCS#7 signed data (RFC 2315, section 9.1; RFC 5652, section 5.1); `None`
/// where it is something else.
fn pkcs7(bytes: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let (_, outer) = Any::from_ber(bytes).ok()?;
    let outer = members(outer.data)?;
    let [kind, content, ..] = outer.as_slice() else {
        return None;
    };
    if kind.tag() != Tag::Oid || kind.data != SIGNED_DATA {
        return None;
    }
    let (_, signed) = Any::from_ber(content.data).ok()?;
    let certificates = members(signed.data)?.into_iter().find(|member| {
        member.class() == x509_parser::asn1_rs::Class::ContextSpecific && member.tag() == Tag(0)
    })?;
    let mut list = Vec::new();
    let mut rest = certificates.data;
    while !rest.is_empty() && !rest.starts_with(&[0, 0]) {
        let (behind, member) = Any::from_ber(rest).ok()?;
        let own = rest.get(..rest.len() - behind.len())?;
        // Attribute certificates are other choices, with tags of their own.
        if member.tag() == Tag::Sequence {
            list.push(CertificateDer::from(own.to_vec()));
        }
        rest = behind;
    }
    Some(list)
}

/// The members of a constructed value.
fn members(mut data: &[u8]) -> Option<Vec<Any<'_>>> {
    let mut members = Vec::new();
    // Two zeros end a value of indefinite length.
    while !data.is_empty() && !data.starts_with(&[0, 0]) {
        let (behind, member) = Any::from_ber(data).ok()?;
        members.push(member);
        data = behind;
    }
    Some(members)
}
