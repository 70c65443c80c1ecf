//! Every way a handshake can fail, and what is said about it.

use rcgen::{BasicConstraints, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::version::{TLS12, TLS13};
use sha2::{Digest, Sha256};

use super::get;
use crate::error::{Error, Kind};
use crate::transport::test_server::{NAME, TestCa, params, server_with, start, start_plain};
use crate::transport::tls_error::fingerprint;
use crate::transport::{Client, ClientOptions, Effect, Identity};

/// A client's error from a server with these settings, over HTTP and over a stream of our own: they
/// must say the same.
pub(super) async fn fault(
    config: rustls::ServerConfig,
    options: impl Fn(u16) -> ClientOptions,
) -> Error {
    let (port, counts) = start(config, |mut peer, _| async move {
        while peer.request().await.is_some() {
            peer.answer("<x/>").await;
        }
    })
    .await;
    let client = Client::new(options(port)).unwrap();
    let error = client.send(get(port, Effect::Read)).await.err().unwrap();
    assert_eq!(error.kind(), Kind::Tls, "{error}");
    assert_eq!(counts.connections(), 1, "a TLS failure is not repeated");
    assert_eq!(counts.requests(), 0);
    if let Err(other) = client
        .connect(&crate::authority::Authority::new(NAME, port))
        .await
    {
        assert_eq!(other, error);
        assert!(error.was_nothing_sent());
    }
    error
}

pub(super) async fn works(config: rustls::ServerConfig, options: impl Fn(u16) -> ClientOptions) {
    let (port, _) = start(config, |mut peer, _| async move {
        while peer.request().await.is_some() {
            peer.answer("<x/>").await;
        }
    })
    .await;
    let client = Client::new(options(port)).unwrap();
    let response = client.send(get(port, Effect::Read)).await.unwrap();
    assert_eq!(response.bytes(100).await.unwrap(), b"<x/>");
    client
        .connect(&crate::authority::Authority::new(NAME, port))
        .await
        .unwrap();
}

pub(super) fn says(error: &Error, message: &[&str], hint: &[&str]) {
    for part in message {
        assert!(error.message().contains(part), "no {part:?} in: {error}");
    }
    let text = error.hint_text().unwrap();
    for part in hint {
        assert!(text.contains(part), "no {part:?} in: {text}");
    }
}

fn self_signed(ca: bool) -> Identity {
    let mut params = params(&[NAME]);
    params.distinguished_name.push(DnType::CommonName, NAME);
    if ca {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    let key = KeyPair::generate().unwrap();
    Identity {
        chain: vec![params.self_signed(&key).unwrap().der().clone()],
        key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
    }
}

#[tokio::test]
async fn a_good_server_works() {
    let authority = TestCa::new();
    works(authority.server(), |port| authority.options(port)).await;
}

#[tokio::test]
async fn without_a_bundle_the_systems_trust_decides() {
    let authority = TestCa::new();
    let (port, _) = start(authority.server(), |mut peer, _| async move {
        peer.until_closed().await;
    })
    .await;
    let mut options = authority.options(port);
    options.tls.ca = None;
    let client = Client::new(options).unwrap();
    let error = client.send(get(port, Effect::Read)).await.err().unwrap();
    // Also on a system that has no trusted certificates at all.
    assert_eq!(error.kind(), Kind::Tls);
    says(&error, &["trusted"], &["--cacert FILE"]);
}

#[tokio::test]
async fn an_expired_certificate_says_since_when() {
    let authority = TestCa::new();
    let mut old = params(&[NAME]);
    old.not_after = rcgen::date_time_ymd(2021, 3, 4);
    let own = authority.issue(&old);
    let pin = format!("--pin-sha256 {}", fingerprint(&own.chain[0]));
    let error = fault(server_with(own), |port| authority.options(port)).await;
    says(&error, &["expired, on 2021-03-04T00:00:00Z", NAME], &[&pin]);
}

#[tokio::test]
async fn a_certificate_of_the_future_says_from_when() {
    let authority = TestCa::new();
    let mut early = params(&[NAME]);
    early.not_before = rcgen::date_time_ymd(2080, 1, 2);
    let error = fault(server_with(authority.issue(&early)), |port| {
        authority.options(port)
    })
    .await;
    says(
        &error,
        &["not yet valid", "2080-01-02T00:00:00Z"],
        &["clock"],
    );
}

#[tokio::test]
async fn a_wrong_name_says_which_and_what_the_certificate_has() {
    let authority = TestCa::new();
    let own = authority.issue(&params(&["other.example.com", "192.0.2.7"]));
    let print = fingerprint(&own.chain[0]);
    let error = fault(server_with(own.clone()), |port| authority.options(port)).await;
    says(
        &error,
        &[
            "not for ise.test",
            "it is for other.example.com, 192.0.2.7",
            &print,
        ],
        &["--resolve other.example.com:", "--no-verify-hostname"],
    );
    works(server_with(own), |port| {
        let mut options = authority.options(port);
        options.tls.verify_hostname = false;
        options
    })
    .await;
}

#[tokio::test]
async fn without_the_name_check_the_chain_is_still_checked() {
    let authority = TestCa::new();
    let foreign = TestCa::named("Foreign CA").issue(&params(&["other.example.com"]));
    let error = fault(server_with(foreign), |port| {
        let mut options = authority.options(port);
        options.tls.verify_hostname = false;
        options
    })
    .await;
    says(&error, &["issuer"], &["--cacert"]);
}

#[tokio::test]
async fn a_certificate_without_names_is_said_to_have_none() {
    let authority = TestCa::new();
    let error = fault(server_with(authority.issue(&params(&[]))), |port| {
        authority.options(port)
    })
    .await;
    says(
        &error,
        &["no subject alternative names"],
        &["--no-verify-hostname"],
    );
}

#[tokio::test]
async fn an_unknown_issuer_is_named() {
    let authority = TestCa::new();
    let error = fault(TestCa::named("Foreign CA").server(), |port| {
        authority.options(port)
    })
    .await;
    says(
        &error,
        &["issuer", "CN=Foreign CA", "not trusted"],
        &["--cacert FILE", "--pin-sha256 "],
    );
}

#[tokio::test]
async fn another_ca_of_the_same_name_is_suspected() {
    let authority = TestCa::new();
    let error = fault(TestCa::new().server(), |port| authority.options(port)).await;
    says(&error, &["another CA of the same name"], &["--cacert FILE"]);
}

#[tokio::test]
async fn a_self_signed_certificate_is_told_from_an_unknown_issuer() {
    let authority = TestCa::new();
    let own = self_signed(false);
    let pin = format!("--pin-sha256 {}", fingerprint(&own.chain[0]));
    let error = fault(server_with(own.clone()), |port| authority.options(port)).await;
    says(&error, &["self-signed"], &[&pin, "--insecure"]);
    let right: [u8; 32] = Sha256::digest(&own.chain[0]).into();
    for (pin, insecure) in [(Some(right), false), (None, true)] {
        works(server_with(own.clone()), |port| {
            let mut options = authority.options(port);
            options.tls.pin_sha256 = pin;
            options.tls.insecure = insecure;
            options
        })
        .await;
    }
}

#[tokio::test]
async fn a_ca_certificate_as_server_certificate_is_named_so() {
    let authority = TestCa::new();
    let own = self_signed(true);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &own.chain[0]).unwrap();
    let error = fault(server_with(own.clone()), |port| {
        let mut options = authority.options(port);
        options.tls.ca = Some(file.path().to_owned());
        options
    })
    .await;
    says(&error, &["marked as a CA (CA:TRUE)"], &["--pin-sha256 "]);
}

#[tokio::test]
async fn a_certificate_for_clients_only_is_named_so() {
    let authority = TestCa::new();
    let mut client = params(&[NAME]);
    client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let error = fault(server_with(authority.issue(&client)), |port| {
        authority.options(port)
    })
    .await;
    says(&error, &["serverAuth"], &["reissued"]);
}

#[tokio::test]
async fn a_wrong_pin_shows_both_fingerprints() {
    let authority = TestCa::new();
    let own = authority.issue(&params(&[NAME]));
    let print = fingerprint(&own.chain[0]);
    let error = fault(server_with(own), |port| {
        let mut options = authority.options(port);
        options.tls.pin_sha256 = Some([0xab; 32]);
        options
    })
    .await;
    says(
        &error,
        &["pinned", &"ab".repeat(32), &print],
        &["renewed", &print],
    );
}

#[tokio::test]
async fn neither_pin_nor_insecure_accepts_a_server_without_the_certificates_key() {
    let authority = TestCa::new();
    let own = authority.issue(&params(&[NAME]));
    let right: [u8; 32] = Sha256::digest(&own.chain[0]).into();
    for (pin, insecure) in [(Some(right), false), (None, true)] {
        let thief = super::super::test_server::thief(&own);
        let error = fault(thief, |port| {
            let mut options = authority.options(port);
            options.tls.pin_sha256 = pin;
            options.tls.insecure = insecure;
            options
        })
        .await;
        says(&error, &["signature is bad"], &["--cacert"]);
    }
}

#[tokio::test]
async fn a_demanded_client_certificate_is_said_in_both_versions() {
    let authority = TestCa::new();
    for version in [&TLS12, &TLS13] {
        let error = fault(authority.mutual(&[version]), |port| authority.options(port)).await;
        says(&error, &["demands a client certificate"], &["--cert FILE"]);
        works(authority.mutual(&[version]), |port| {
            let mut options = authority.options(port);
            options.tls.identity = Some(authority.identity("client"));
            options
        })
        .await;
    }
}

#[tokio::test]
async fn a_refused_client_certificate_is_said_in_both_versions() {
    let authority = TestCa::new();
    for version in [&TLS12, &TLS13] {
        let error = fault(authority.mutual(&[version]), |port| {
            let mut options = authority.options(port);
            options.tls.identity = Some(TestCa::new().identity("stranger"));
            options
        })
        .await;
        says(
            &error,
            &["refused our client certificate"],
            &["CA that ISE trusts"],
        );
    }
}

#[tokio::test]
async fn no_common_cipher_is_a_handshake_failure() {
    let authority = TestCa::new();
    // A TLS 1.2 alert, fatal, handshake_failure (40): what a server with CBC suites only says.
    let port = start_plain(&[0x15, 3, 3, 0, 2, 2, 40]).await;
    let client = Client::new(authority.options(port)).unwrap();
    let error = client.send(get(port, Effect::Read)).await.err().unwrap();
    assert_eq!(error.kind(), Kind::Tls);
    says(
        &error,
        &["handshake failure", "(handshake_failure)"],
        &["ECDHE"],
    );
}

#[tokio::test]
async fn a_port_without_tls_is_named_so() {
    let authority = TestCa::new();
    let port = start_plain(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let client = Client::new(authority.options(port)).unwrap();
    let error = client.send(get(port, Effect::Read)).await.err().unwrap();
    assert_eq!(error.kind(), Kind::Tls);
    says(&error, &["does not speak TLS"], &["8910"]);
    assert_eq!(
        client
            .connect(&crate::authority::Authority::new(NAME, port))
            .await
            .err()
            .unwrap(),
        error
    );
}

#[tokio::test]
async fn a_connection_closed_in_the_handshake_is_named_so() {
    let authority = TestCa::new();
    let port = start_plain(b"").await;
    let client = Client::new(authority.options(port)).unwrap();
    let error = client.send(get(port, Effect::Read)).await.err().unwrap();
    assert_eq!(error.kind(), Kind::Tls);
    says(
        &error,
        &["closed the connection during the handshake"],
        &["port"],
    );
    assert_eq!(
        client
            .connect(&crate::authority::Authority::new(NAME, port))
            .await
            .err()
            .unwrap(),
        error
    );
}
