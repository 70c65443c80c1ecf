//! Certificates, keys and CA bundles as variables, mails and editors mangle them: read where that
//! can be, else named with their line, and in no notation quoted.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use proptest::prelude::*;

use super::*;
use crate::transport::TlsOptions;
use crate::transport::tls::Tls;

/// The same that the integration tests look with.
#[path = "../../../../tests/it/support/leak.rs"]
mod leak;

use leak::{leaks, secrets};

fn said(error: &Error) -> String {
    format!(
        "{error} {error:?} {}",
        error.hint_text().unwrap_or_default()
    )
}

#[test]
fn the_leak_detector_detects() {
    let secret = vec![b"correct horse battery".to_vec()];
    let decimal = format!("illegal section start: {:?}", secret[0]);
    let hex: Vec<String> = secret[0].iter().map(|byte| format!("{byte:02x}")).collect();
    let hex = hex.join(":");
    for said in [
        "it is 'correct horse'",
        &decimal,
        &hex,
        &BASE64_STANDARD.encode(&secret[0]),
    ] {
        assert!(leaks(said, &secret), "{said}");
    }
    assert!(!leaks(
        "client.key:1: the block PRIVATE KEY is damaged",
        &secret
    ));
}

struct Files {
    directory: TempDir,
}

impl Files {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn put(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }
}

fn content(name: &str) -> String {
    std::fs::read_to_string(fixture(name)).unwrap()
}

/// Ways in which a file is changed and still says the same.
fn harmless(pem: &str) -> Vec<Vec<u8>> {
    let utf16 = |order: fn(u16) -> [u8; 2]| {
        let units = "\u{feff}"
            .encode_utf16()
            .chain(pem.encode_utf16())
            .collect::<Vec<_>>();
        units.into_iter().flat_map(order).collect::<Vec<u8>>()
    };
    let mut ways: Vec<Vec<u8>> = [
        pem.replace('\n', "\r\n"),
        pem.replace('\n', "\r"),
        pem.replace('\n', "\\n"),
        pem.replace('\n', "\\r\\n"),
        pem.replace('\n', " "),
        pem.replace('\n', ""),
        pem.replace(' ', "\n"),
        pem.lines().flat_map(|line| ["    ", line, "\n"]).collect(),
        format!("\u{feff}{pem}"),
        format!("key: \"{}\"\n", pem.trim_end().replace('\n', "\\n")),
        format!("Bag Attributes: <No Attributes>\n{pem}"),
        pem.trim_end().to_owned(),
    ]
    .map(String::into_bytes)
    .to_vec();
    ways.extend([utf16(u16::to_le_bytes), utf16(u16::to_be_bytes)]);
    // A comment in another character set.
    ways.push([b"# M\xfcller\n", pem.as_bytes()].concat());
    ways
}

/// Ways in which a file is broken.
fn harmful(pem: &str) -> Vec<String> {
    let half = pem.len() / 2;
    let mut ways = vec![
        String::new(),
        pem[..half].to_owned(),
        pem[half..].to_owned(),
        pem.replace("-----BEGIN", "----BEGIN"),
        pem.replacen("KEY-----", "KEY---", 1),
        pem.replacen("CERTIFICATE-----", "CERTIFICATE---", 1),
        pem.replace("-----END", "-----"),
        pem.replace('\n', "\\x"),
        pem.replace('\n', "").replace("-----", ""),
        pem.replacen('M', "*", 3),
        pem.replacen('A', "", 1),
        pem.replacen("-----BEGIN ", "-----BEGIN OPENSSH ", 1),
        pem.lines().filter(|line| !line.starts_with('-')).collect(),
        BASE64_STANDARD.encode(pem),
    ];
    ways.retain(|way| way != pem);
    ways
}

#[test]
fn mangled_files_are_read_and_broken_ones_named_and_never_quoted() {
    let files = Files::new();
    let (cert, ca) = (content("ec.crt"), content("ec.crt"));
    let mut keys = vec!["ec-sec1.key", "ec-pkcs8.key"];
    if cfg!(feature = "pkcs12") {
        keys.push("ec-aes256.key");
    }
    for key in keys {
        let key = content(key);
        let mut secret = secrets(&key);
        secret.extend(secrets(&cert));
        let password = SecretString::from("fixture");
        for way in harmless(&key) {
            let (cert, key) = (fixture("ec.crt"), files.put("client.key", &way));
            let read =
                read_identity(&cert, Some(&key)).and_then(|files| files.open(Some(&password)));
            assert!(
                read.is_ok(),
                "{:?}\n{}",
                read.err(),
                String::from_utf8_lossy(&way)
            );
        }
        for way in harmful(&key) {
            let key = files.put("client.key", &way);
            let error = read_identity(&fixture("ec.crt"), Some(&key))
                .err()
                .or_else(|| {
                    let cert = fixture("ec.crt");
                    let files = read_identity(&cert, Some(&key)).unwrap();
                    files.open(Some(&password)).err()
                });
            let error = error.unwrap_or_else(|| panic!("was read: {way}"));
            assert_eq!(error.kind(), Kind::Usage);
            assert!(error.message().contains("client.key"), "{error}");
            assert!(error.hint_text().is_some(), "{error}");
            assert!(!leaks(&said(&error), &secret), "{}", said(&error));
        }
    }
    for way in harmless(&cert) {
        let cert = files.put("client.crt", &way);
        let key = fixture("ec-sec1.key");
        let read = read_identity(&cert, Some(&key)).and_then(|files| files.open(None));
        assert!(
            read.is_ok(),
            "{:?}\n{}",
            read.err(),
            String::from_utf8_lossy(&way)
        );
    }
    for way in harmless(&ca) {
        let path = files.put("ca.pem", &way);
        let read = bundle_of(path);
        assert!(
            read.is_ok(),
            "{:?}\n{}",
            read.err(),
            String::from_utf8_lossy(&way)
        );
    }
    for way in harmful(&ca) {
        let client = files.put("client.crt", &way);
        let bundle = files.put("ca.pem", &way);
        let key = fixture("ec-sec1.key");
        for (error, name) in [
            (
                read_identity(&client, Some(&key)).map(drop).unwrap_err(),
                "client.crt",
            ),
            (bundle_of(bundle).map(drop).unwrap_err(), "ca.pem"),
        ] {
            assert_eq!(error.kind(), Kind::Usage);
            assert!(error.message().contains(name), "{error}");
            assert!(error.hint_text().is_some(), "{error}");
            assert!(!leaks(&said(&error), &secrets(&ca)), "{}", said(&error));
        }
    }
}

fn bundle_of(path: PathBuf) -> Result<Tls> {
    Tls::new(&TlsOptions {
        ca: Some(path),
        ..TlsOptions::default()
    })
}

/// What happens to a file on its way.
#[derive(Debug, Clone)]
enum Damage {
    Cut(usize),
    Drop(usize),
    Change(usize, char),
    Insert(usize, &'static str),
    Replace(&'static str, &'static str),
    From(usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let texts = prop::sample::select(vec![
        "\n",
        "\\n",
        "-----",
        "-----BEGIN ",
        "-----END ",
        ":",
        " ",
        "\u{feff}",
        "\0",
    ]);
    let marks = prop::sample::select(vec![
        "\n",
        "-----",
        "-----BEGIN",
        "-----END",
        " ",
        "=",
        "KEY",
        "PRIVATE",
    ]);
    prop_oneof![
        (0_usize..400).prop_map(Damage::Cut),
        (0_usize..400).prop_map(Damage::Drop),
        (0_usize..400, any::<char>()).prop_map(|(at, c)| Damage::Change(at, c)),
        (0_usize..400, texts.clone()).prop_map(|(at, text)| Damage::Insert(at, text)),
        (marks, texts).prop_map(|(from, to)| Damage::Replace(from, to)),
        (0_usize..400).prop_map(Damage::From),
    ]
}

fn damaged(mut text: String, all: &[Damage]) -> String {
    for damage in all {
        let at = |at: usize| at % (text.len() + 1);
        // The fixtures are ASCII; what was inserted may have made it something else.
        match damage {
            Damage::Cut(to) if text.is_char_boundary(at(*to)) => text.truncate(at(*to)),
            Damage::From(to) if text.is_char_boundary(at(*to)) => text = text.split_off(at(*to)),
            Damage::Drop(to) if text.is_char_boundary(at(*to)) && at(*to) < text.len() => {
                text.remove(at(*to));
            }
            Damage::Change(to, c) if text.is_char_boundary(at(*to)) && at(*to) < text.len() => {
                let to = at(*to);
                text.remove(to);
                text.insert(to, *c);
            }
            Damage::Insert(to, what) if text.is_char_boundary(at(*to)) => {
                text.insert_str(at(*to), what);
            }
            Damage::Replace(from, to) => text = text.replace(from, to),
            _ => {}
        }
    }
    text
}

proptest! {
    #[test]
    fn no_damage_makes_a_key_seen(
        name in prop::sample::select(vec!["ec-sec1.key", "ec-pkcs8.key", "rsa-pkcs1.key", "ec-scrypt.key", "ec-both.pem"]),
        all in prop::collection::vec(damage(), 1..5),
    ) {
        let whole = content(name);
        let secret = if name == "ec-both.pem" {
            let mut secret = secrets(&content("ec-sec1.key"));
            secret.extend(secrets(&content("ec-pkcs8.key")));
            secret
        } else {
            secrets(&whole)
        };
        let files = Files::new();
        let path = files.put("client.key", damaged(whole, &all));
        let cert = fixture("ec.crt");
        for (cert, key) in [(&cert, Some(&path)), (&path, None), (&path, Some(&path))] {
            // A wrong passphrase costs much with scrypt; without one it is not tried.
            let read = read_identity(cert, key.map(PathBuf::as_path)).and_then(|files| files.open(None));
            if let Err(error) = read {
                prop_assert!(!leaks(&said(&error), &secret), "{}", said(&error));
            }
        }
        if let Err(error) = bundle_of(path.clone()) {
            prop_assert!(!leaks(&said(&error), &secret), "{}", said(&error));
        }
    }
}
