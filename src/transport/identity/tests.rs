//! Tests of reading identities: every encoding that people have, and every mistake they make.
//!
//! The fixtures are throw-away keys made with openssl for these tests; the passphrase of the
//! encrypted ones is `fixture`.

use std::path::PathBuf;

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd};
use tempfile::TempDir;

use super::*;
use crate::error::Kind;

mod damage;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/identity")
        .join(name)
}

fn read_fixture(
    cert: &str,
    key: Option<&str>,
    password: Option<&str>,
) -> Result<(Identity, IdentityFacts)> {
    let key = key.map(fixture);
    let password = password.map(SecretString::from);
    read_identity(&fixture(cert), key.as_deref())?.open(password.as_ref())
}

#[cfg(feature = "pkcs12")]
fn needs_password(cert: &str, key: Option<&str>) -> bool {
    let key = key.map(fixture);
    read_identity(&fixture(cert), key.as_deref())
        .unwrap()
        .needs_password()
}

fn complaint(cert: &str, key: Option<&str>, password: Option<&str>) -> Error {
    let error = read_fixture(cert, key, password).unwrap_err();
    assert_eq!(error.kind(), Kind::Usage, "{error}");
    error
}

#[test]
fn every_plain_encoding_gives_the_same_identity() {
    for (cert, key, name) in [
        ("ec.crt", Some("ec-sec1.key"), "throwaway-ec"),
        ("ec.crt", Some("ec-pkcs8.key"), "throwaway-ec"),
        ("ec-both.pem", None, "throwaway-ec"),
        ("rsa.crt", Some("rsa-pkcs8.key"), "throwaway-rsa"),
        ("rsa.crt", Some("rsa-pkcs1.key"), "throwaway-rsa"),
    ] {
        let (identity, facts) = read_fixture(cert, key, None).unwrap();
        assert_eq!(facts.common_name.as_deref(), Some(name));
        assert_eq!(identity.chain.len(), 1);
        if name == "throwaway-ec" {
            // openssl x509 -noout -fingerprint -sha256
            assert_eq!(
                facts.sha256,
                "d229f836a57b89fd048809d35203f4bac523618b45c37722d8b00413eaa4fb6c"
            );
        }
        assert_eq!(
            facts.extended_key_usage,
            Some(vec!["clientAuth".to_owned()])
        );
        assert!(facts.warnings(Timestamp::now()).is_empty());
    }
}

#[cfg(feature = "pkcs12")]
#[test]
fn every_encryption_opens_with_its_passphrase_and_only_with_it() {
    for key in [
        "ec-aes256.key",
        "ec-aes128-sha1.key",
        "ec-3des.key",
        "ec-scrypt.key",
        "ec-pbe-sha1-3des.key",
    ] {
        read_fixture("ec.crt", Some(key), Some("fixture")).unwrap();
        assert!(needs_password("ec.crt", Some(key)));
        for wrong in ["", "Fixture", "fixture "] {
            let error = complaint("ec.crt", Some(key), Some(wrong));
            assert!(error.message().contains("passphrase"), "{key}: {error}");
            assert!(error.message().contains(key));
        }
        let error = complaint("ec.crt", Some(key), None);
        assert!(error.message().contains("no passphrase was given"));
    }
}

#[cfg(feature = "pkcs12")]
#[test]
fn pkcs12_is_told_by_its_content() {
    for file in ["ec.p12", "ec-3des.p12", "ec-legacy.p12"] {
        let (identity, facts) = read_fixture(file, None, Some("fixture")).unwrap();
        assert_eq!(facts.common_name.as_deref(), Some("throwaway-ec"));
        assert_eq!(identity.chain.len(), 1);
        assert!(needs_password(file, None));
        assert!(
            complaint(file, None, Some("other"))
                .message()
                .contains("passphrase")
        );
        assert!(
            complaint(file, None, None)
                .message()
                .contains("no passphrase was given")
        );
    }
    read_fixture("ec-empty-password.p12", None, None).unwrap();
    assert!(!needs_password("ec-empty-password.p12", None));
    assert!(
        complaint("no-key.p12", None, Some("fixture"))
            .message()
            .contains("no private key")
    );
    assert!(
        complaint("ec.p12", Some("rsa-pkcs8.key"), Some("fixture"))
            .message()
            .contains("brings its own key")
    );
}

#[cfg(feature = "pkcs12")]
#[test]
fn dear_key_derivation_is_refused_at_once() {
    for key in [
        "ec-pbe-too-many-iterations.key",
        "ec-pbkdf2-too-many-iterations.key",
    ] {
        let begun = std::time::Instant::now();
        let error = complaint("ec.crt", Some(key), Some("fixture"));
        assert!(error.message().contains("rounds"), "{error}");
        assert!(begun.elapsed().as_millis() < 500);
    }
}

#[test]
fn mistakes_are_named_with_their_file() {
    let error = complaint("ec.crt", Some("rsa-pkcs8.key"), None);
    assert!(error.message().contains("does not belong"));
    assert!(error.message().contains("rsa-pkcs8.key") && error.message().contains("ec.crt"));

    let error = complaint("rsa.crt", Some("rsa-proc-type.key"), Some("fixture"));
    assert!(
        error
            .hint_text()
            .unwrap()
            .contains("openssl pkcs8 -topk8 -in")
    );

    assert!(
        complaint("ec.crt", None, None)
            .message()
            .contains("no private key")
    );
    assert!(
        complaint("ec-sec1.key", None, None)
            .message()
            .contains("no certificate")
    );
    assert!(
        complaint("absent.crt", None, None)
            .message()
            .contains("absent.crt")
    );
    assert!(
        complaint("ec.crt", Some("absent.key"), None)
            .message()
            .contains("absent.key")
    );
}

/// A certificate of our own making with its key, in one file.
fn made(change: impl FnOnce(&mut CertificateParams)) -> (TempDir, PathBuf) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["client.example.com".to_owned()]).unwrap();
    params
        .distinguished_name
        .push(DnType::CommonName, "made-client");
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2027, 1, 1);
    change(&mut params);
    let cert = params.self_signed(&key).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("client.pem");
    std::fs::write(&path, format!("{}{}", cert.pem(), key.serialize_pem())).unwrap();
    (dir, path)
}

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

#[test]
fn the_clock_decides_before_the_first_connection() {
    let (_dir, path) = made(|_| ());
    let read = |time: &str| read_identity(&path, None)?.open_at(None, at(time));
    let (_, facts) = read("2026-06-01T00:00:00Z").unwrap();
    assert_eq!(facts.names, ["client.example.com"]);
    assert_eq!(facts.extended_key_usage, None);
    assert!(facts.warnings(at("2026-06-01T00:00:00Z")).is_empty());
    assert_eq!(facts.warnings(at("2026-12-25T00:00:00Z")).len(), 1);
    let late = read("2027-01-02T00:00:00Z").unwrap_err();
    assert!(late.message().contains("expired on 2027-01-01"), "{late}");
    assert_eq!(late.kind(), Kind::Usage);
    let early = read("2025-12-31T00:00:00Z").unwrap_err();
    assert!(
        early.message().contains("not valid before 2026-01-01"),
        "{early}"
    );
}

#[test]
fn a_certificate_for_servers_only_is_worth_a_warning() {
    let (_dir, path) = made(|params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    let now = at("2026-06-01T00:00:00Z");
    let (_, facts) = read_identity(&path, None)
        .unwrap()
        .open_at(None, now)
        .unwrap();
    let [warning] = facts.warnings(now).try_into().unwrap();
    assert!(warning.contains("serverAuth"), "{warning}");
}

#[test]
fn the_chain_is_put_in_order_whatever_the_files_order() {
    let issuer = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        (params, key)
    };
    let (root, root_key) = issuer("root");
    let root_pem = root.self_signed(&root_key).unwrap().pem();
    let root = rcgen::Issuer::new(root, root_key);
    let (middle, middle_key) = issuer("middle");
    let middle_pem = middle.signed_by(&middle_key, &root).unwrap().pem();
    let middle = rcgen::Issuer::new(middle, middle_key);
    let leaf_key = KeyPair::generate().unwrap();
    let mut leaf = CertificateParams::default();
    leaf.distinguished_name.push(DnType::CommonName, "leaf");
    let leaf_pem = leaf.signed_by(&leaf_key, &middle).unwrap().pem();

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("client.pem");
    std::fs::write(
        &path,
        format!(
            "{root_pem}{middle_pem}{leaf_pem}{}",
            leaf_key.serialize_pem()
        ),
    )
    .unwrap();
    let (identity, facts) = read_identity(&path, None).unwrap().open(None).unwrap();
    assert_eq!(facts.common_name.as_deref(), Some("leaf"));
    assert_eq!(facts.chain_length, 2);
    let second = parsed(&identity.chain[1], &path).unwrap();
    assert_eq!(second.subject().to_string(), "CN=middle");
}
