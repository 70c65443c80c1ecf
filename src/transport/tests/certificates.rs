//! Certificates that a company's CA really makes and a strict verifier refuses: what is said of
//! each, and that the way out which is proposed works.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CustomExtension, DistinguishedName, DnType, GeneralSubtree, IsCa, Issuer,
    KeyPair, NameConstraints, PublicKeyData, SanType, SigningKey as _,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{Signer, SigningKey};
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SignatureAlgorithm, SignatureScheme};
use sha2::{Digest, Sha256};

use super::get;
use super::tls_faults::{fault, says, works};
use crate::transport::test_server::{NAME, TestCa, params, server_with, showing, signing, start};
use crate::transport::{Client, Effect, Identity};

/// A server's certificates and its key.
struct Shown {
    chain: Vec<CertificateDer<'static>>,
    key: Arc<dyn SigningKey>,
}

impl Shown {
    fn server(&self) -> ServerConfig {
        showing(self.chain.clone(), Arc::clone(&self.key))
    }
}

/// What is wrong, the certificates, a part of the message, a part of the hint, and whether a pin
/// works.
type Case = (Shown, &'static str, &'static str, bool);

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut bytes = vec![tag];
    match u8::try_from(length) {
        Ok(short) if short < 128 => bytes.push(short),
        Ok(long) => bytes.extend([0x81, long]),
        Err(_) => {
            bytes.push(0x82);
            bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
    }
    bytes.extend(content);
    bytes
}

fn oid(arcs: &[u8]) -> Vec<u8> {
    der(0x30, &der(6, arcs))
}

const ECDSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const ECDSA_SHA512: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4];
const RSA_SHA1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5];

/// A name with one CN.
fn name(common_name: &str) -> Vec<u8> {
    let value = der(0x0c, common_name.as_bytes());
    let attribute = der(0x30, &[der(6, &[0x55, 4, 3]), value].concat());
    der(0x30, &der(0x31, &attribute))
}

/// A certificate by hand, for what rcgen does not make; signed with `signer` whatever `algorithm`
/// says.
fn by_hand(
    version1: bool,
    algorithm: &[u8],
    issuer: &str,
    spki: &[u8],
    signer: &KeyPair,
) -> CertificateDer<'static> {
    let version = if version1 {
        Vec::new()
    } else {
        der(0xa0, &der(2, &[2]))
    };
    let alternative = der(0x30, &der(0x82, NAME.as_bytes()));
    let extension = der(
        0x30,
        &[der(6, &[0x55, 0x1d, 0x11]), der(4, &alternative)].concat(),
    );
    let extensions = if version1 {
        Vec::new()
    } else {
        der(0xa3, &der(0x30, &extension))
    };
    let validity = [der(0x17, b"200101000000Z"), der(0x17, b"400101000000Z")].concat();
    let to_sign = der(
        0x30,
        &[
            version,
            der(2, &[7]),
            oid(algorithm),
            name(issuer),
            der(0x30, &validity),
            name(NAME),
            spki.to_vec(),
            extensions,
        ]
        .concat(),
    );
    let signature = [vec![0], signer.sign(&to_sign).unwrap()].concat();
    let whole = [to_sign, oid(algorithm), der(3, &signature)].concat();
    CertificateDer::from(der(0x30, &whole))
}

fn crafted(version1: bool, algorithm: &[u8]) -> Shown {
    let key = KeyPair::generate().unwrap();
    let spki = key.subject_public_key_info();
    let leaf = by_hand(version1, algorithm, "Test CA", &spki, &key);
    Shown {
        chain: vec![leaf],
        key: signing(&key),
    }
}

/// A key that a server claims to sign with, and cannot.
#[derive(Debug, Clone, Copy)]
struct Claimed {
    scheme: SignatureScheme,
    algorithm: SignatureAlgorithm,
    /// Whether it looks at what the client offers.
    obeys: bool,
}

impl SigningKey for Claimed {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let takes = !self.obeys || offered.contains(&self.scheme);
        takes.then(|| Box::new(*self) as Box<dyn Signer>)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }
}

impl Signer for Claimed {
    fn sign(&self, _message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        Ok(vec![0; 64])
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}

const P521: Claimed = Claimed {
    scheme: SignatureScheme::ECDSA_NISTP521_SHA512,
    algorithm: SignatureAlgorithm::ECDSA,
    obeys: true,
};
const RSA: Claimed = Claimed {
    scheme: SignatureScheme::RSA_PSS_SHA256,
    algorithm: SignatureAlgorithm::RSA,
    obeys: true,
};

/// A key of an EC curve whose point nobody looks at.
fn p521() -> Vec<u8> {
    let curve = [
        der(6, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]),
        der(6, &[0x2b, 0x81, 4, 0, 0x23]),
    ]
    .concat();
    let point = [vec![0, 4], vec![1; 132]].concat();
    der(0x30, &[der(0x30, &curve), der(3, &point)].concat())
}

fn rsa(bits: usize) -> Vec<u8> {
    let algorithm = [
        der(6, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1]),
        vec![5, 0],
    ]
    .concat();
    let modulus = [vec![0], vec![0xff; bits / 8]].concat();
    let key = der(0x30, &[der(2, &modulus), der(2, &[1, 0, 1])].concat());
    der(
        0x30,
        &[der(0x30, &algorithm), der(3, &[vec![0], key].concat())].concat(),
    )
}

fn claimed(spki: &[u8], authority: &TestCa, claim: Claimed) -> Shown {
    let leaf = by_hand(false, ECDSA_SHA256, "Test CA", spki, authority.issuer.key());
    Shown {
        chain: vec![leaf],
        key: Arc::new(claim),
    }
}

/// A leaf below a CA of its own kind, below the authority; the server sends both.
fn below(authority: &TestCa, change: impl Fn(&mut rcgen::CertificateParams)) -> Shown {
    let mut ca = params(&[]);
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name
        .push(DnType::CommonName, "Intermediate CA");
    change(&mut ca);
    let ca_key = KeyPair::generate().unwrap();
    let intermediate = ca.signed_by(&ca_key, &authority.issuer).unwrap();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().unwrap();
    let mut leaf = params(&[NAME]);
    leaf.distinguished_name.push(DnType::CommonName, NAME);
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    Shown {
        chain: vec![leaf.der().clone(), intermediate.der().clone()],
        key: signing(&key),
    }
}

fn issued(authority: &TestCa, change: impl Fn(&mut rcgen::CertificateParams)) -> Shown {
    let mut leaf = params(&[NAME]);
    change(&mut leaf);
    let key = KeyPair::generate().unwrap();
    let leaf = leaf.signed_by(&key, &authority.issuer).unwrap();
    Shown {
        chain: vec![leaf.der().clone()],
        key: signing(&key),
    }
}

fn constrained(tree: GeneralSubtree) -> impl Fn(&mut rcgen::CertificateParams) {
    move |ca| {
        ca.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![tree.clone()],
            excluded_subtrees: Vec::new(),
        });
    }
}

fn cases(authority: &TestCa) -> Vec<Case> {
    let mut directory = DistinguishedName::new();
    directory.push(DnType::OrganizationName, "Example");
    vec![
        (
            crafted(true, ECDSA_SHA256),
            "X.509 version 1",
            "version 3",
            true,
        ),
        (
            crafted(false, RSA_SHA1),
            "not accepted: RSA with SHA-1",
            "reissued with SHA-256",
            true,
        ),
        (
            crafted(false, ECDSA_SHA512),
            "not accepted: ECDSA with SHA-512",
            "SHA-256 or SHA-384",
            true,
        ),
        (
            issued(authority, |leaf| {
                let mut unknown = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
                unknown.set_criticality(true);
                leaf.custom_extensions = vec![unknown];
            }),
            "a critical extension that is not known here (1.2.3.4)",
            "reissued without it",
            true,
        ),
        (
            issued(authority, |leaf| {
                let empty = CustomExtension::from_oid_content(&[2, 5, 29, 37], vec![0x30, 0]);
                leaf.custom_extensions = vec![empty];
            }),
            "extended key usage",
            "server authentication",
            true,
        ),
        (
            below(
                authority,
                constrained(GeneralSubtree::DirectoryName(directory)),
            ),
            "limited to certain directory names (name constraints)",
            "DNS names or addresses",
            true,
        ),
        (
            below(
                authority,
                constrained(GeneralSubtree::DnsName("other.example".to_owned())),
            ),
            "may not sign for this name (name constraints)",
            "by a CA that may",
            true,
        ),
        (
            below(authority, |ca| ca.is_ca = IsCa::ExplicitNoCa),
            "is no CA (CA:TRUE is missing)",
            "issued by a CA",
            true,
        ),
        (
            issued(authority, |leaf| {
                leaf.not_after = rcgen::date_time_ymd(2019, 1, 1);
            }),
            "ends before it begins",
            "renew",
            true,
        ),
        (
            claimed(
                &rsa(1024),
                authority,
                Claimed {
                    obeys: false,
                    ..RSA
                },
            ),
            "an RSA key of 1024 bits, whose signatures cannot be checked here",
            "check nothing: --insecure",
            false,
        ),
        (
            claimed(
                &p521(),
                authority,
                Claimed {
                    obeys: false,
                    ..P521
                },
            ),
            "an EC key on P-521, whose signatures cannot be checked here",
            "build netapi with the feature aws-lc, or",
            false,
        ),
    ]
}

#[tokio::test]
#[cfg(not(feature = "aws-lc"))]
async fn each_fault_has_its_words_and_the_way_out_that_is_proposed_works() {
    let authority = TestCa::new();
    for (shown, message, hint, pinnable) in cases(&authority) {
        let error = fault(shown.server(), |port| authority.options(port)).await;
        says(&error, &[message], &[hint]);
        assert_eq!(error.kind().exit_status(), 6);
        let proposed = error.hint_text().unwrap().contains("--pin-sha256 ");
        assert_eq!(proposed, pinnable, "{error}: {:?}", error.hint_text());
        for rust in ["Error", "{", "::", "Context"] {
            assert!(!error.message().contains(rust), "{error}");
        }
        let pin: [u8; 32] = Sha256::digest(&shown.chain[0]).into();
        let pinned = |port| {
            let mut options = authority.options(port);
            options.tls.pin_sha256 = Some(pin);
            options
        };
        if pinnable {
            works(shown.server(), pinned).await;
        } else {
            says(&fault(shown.server(), pinned).await, &[message], &[hint]);
        }
        works(shown.server(), |port| {
            let mut options = authority.options(port);
            options.tls.insecure = true;
            options
        })
        .await;
    }
}

#[tokio::test]
#[cfg(not(feature = "aws-lc"))]
async fn a_server_that_has_only_a_p_521_key_is_told_and_reached_unchecked() {
    let authority = TestCa::new();
    let shown = claimed(&p521(), &authority, P521);
    let error = fault(shown.server(), |port| authority.options(port)).await;
    says(
        &error,
        &["kind of key", "(handshake_failure)"],
        &[
            "for P-521 build netapi with the feature aws-lc",
            "--insecure",
        ],
    );
    works(shown.server(), |port| {
        let mut options = authority.options(port);
        options.tls.insecure = true;
        options
    })
    .await;
}

#[tokio::test]
async fn a_pin_works_with_an_odd_certificate_in_tls_1_2_too() {
    let authority = TestCa::new();
    for shown in [crafted(true, ECDSA_SHA256), crafted(false, RSA_SHA1)] {
        let pin: [u8; 32] = Sha256::digest(&shown.chain[0]).into();
        let mut server = shown.server();
        server = ServerConfig::builder_with_provider(crate::transport::provider())
            .with_protocol_versions(&[&TLS12])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&server.cert_resolver));
        works(server, |port| {
            let mut options = authority.options(port);
            options.tls.pin_sha256 = Some(pin);
            options
        })
        .await;
    }
}

#[tokio::test]
async fn an_address_that_stands_as_a_dns_name_is_told_from_a_wrong_one() {
    let authority = TestCa::new();
    let mut own = params(&[]);
    own.subject_alt_names = vec![SanType::DnsName("127.0.0.1".try_into().unwrap())];
    let (port, _) = start(
        server_with(authority.issue(&own)),
        |mut peer, _| async move {
            while peer.request().await.is_some() {
                peer.answer("<x/>").await;
            }
        },
    )
    .await;
    let mut request = get(port, Effect::Read);
    request.url = request.url.replace(NAME, "127.0.0.1");
    let mut options = authority.options(port);
    let client = Client::new(options.clone()).unwrap();
    let error = client.send(request.clone()).await.err().unwrap();
    says(
        &error,
        &["has the address 127.0.0.1 as a DNS name, which counts for no address"],
        &["as an IP address among", "--no-verify-hostname"],
    );
    options.tls.verify_hostname = false;
    let client = Client::new(options).unwrap();
    client.send(request).await.unwrap();
}

#[tokio::test]
async fn a_missing_intermediate_of_our_own_certificate_is_named() {
    let authority = TestCa::new();
    let mut ca = params(&[]);
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name
        .push(DnType::CommonName, "Company Sub-CA");
    let ca_key = KeyPair::generate().unwrap();
    let intermediate = ca.signed_by(&ca_key, &authority.issuer).unwrap();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().unwrap();
    let leaf = params(&[]).signed_by(&key, &issuer).unwrap();
    let identity = |chain: &[&rcgen::Certificate]| Identity {
        chain: chain
            .iter()
            .map(|certificate| certificate.der().clone())
            .collect(),
        key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
    };
    for version in [&TLS12, &TLS13] {
        let options = |own: Identity, port| {
            let mut options = authority.options(port);
            options.tls.identity = Some(own);
            options
        };
        let error = fault(authority.mutual(&[version]), |port| {
            options(identity(&[&leaf]), port)
        })
        .await;
        says(
            &error,
            &["refused our client certificate", "(unknown_ca)"],
            &[
                "issued by CN=Company Sub-CA",
                "into the file of --cert, behind ours",
            ],
        );
        works(authority.mutual(&[version]), |port| {
            options(identity(&[&leaf, &intermediate]), port)
        })
        .await;
    }
}
