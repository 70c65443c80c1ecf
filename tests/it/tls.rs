//! TLS with the Monitoring node: every fault of a certificate in words, with its fingerprint and
//! the flag that helps, and that the flag does.

use crate::support::lab::{TestLab, faulty, lab};
use crate::support::{stderr, stdout};

const COUNT: &str = "GET /admin/API/mnt/Session/ActiveCount";
const WARNING: &str = "warning: ";

/// The fingerprint that a message names.
fn fingerprint(text: &str) -> String {
    let (_, rest) = text
        .split_once("(the certificate's SHA-256 is ")
        .unwrap_or_else(|| panic!("no fingerprint in {text}"));
    let digits: String = rest.chars().take_while(char::is_ascii_hexdigit).collect();
    assert_eq!(digits.len(), 64, "{text}");
    digits
}

/// `count` with these options: refused for TLS, nothing on standard output, nothing sent. Its
/// message.
fn refused(lab: &TestLab, options: &[&str]) -> String {
    let before = lab.requests().len();
    let run = lab.mnt(&["count"]).args(options).assert();
    let text = stderr(&run);
    assert_eq!(run.get_output().status.code(), Some(6), "{text}");
    assert_eq!(stdout(&run), "");
    assert_eq!(lab.requests().len(), before, "nothing may be sent");
    assert!(
        text.starts_with(&format!("netapi: TLS with {} failed: ", lab.host())),
        "{text}"
    );
    text
}

/// `count` with these options: answered. What stood on standard error.
fn answered(lab: &TestLab, options: &[&str]) -> String {
    let before = lab.requests().len();
    let run = lab.mnt(&["count"]).args(options).assert();
    assert!(run.get_output().status.success(), "{}", stderr(&run));
    assert_eq!(stdout(&run), "50\n");
    assert_eq!(lab.requests().get(before..), Some(&[COUNT.to_owned()][..]));
    stderr(&run)
}

/// A fault, what is said about it, a part of the hint, and whether `--no-verify-hostname` helps.
const FAULTS: &[(&str, &str, &str, bool)] = &[
    (
        "tls-expired",
        "a certificate of its chain has expired, on 20",
        "renew the certificate in ISE",
        false,
    ),
    (
        "tls-not-yet-valid",
        "a certificate of its chain is not yet valid, only from 20",
        "is this computer's clock right?",
        false,
    ),
    (
        "tls-wrong-name",
        "the certificate is not for localhost; it is for other.lab.example (",
        "--no-verify-hostname",
        true,
    ),
    (
        "tls-self-signed",
        "the certificate is self-signed and not trusted",
        "--cacert FILE",
        false,
    ),
    (
        "tls-unknown-issuer",
        "the certificate's issuer (CN=somebody else's CA) is not trusted",
        "--cacert FILE",
        false,
    ),
];

#[test]
fn each_fault_is_named_with_its_fingerprint_and_the_flag_that_helps() {
    for (fault, message, hint, name_only) in FAULTS {
        let lab = faulty(&[fault]);
        let text = refused(&lab, &[]);
        assert!(text.contains(message), "{fault}: {text}");
        let (_, hinted) = text.split_once("\nhint: ").unwrap();
        assert!(hinted.contains(hint), "{fault}: {text}");

        let pin = fingerprint(&text);
        assert!(
            *name_only || hinted.contains(&format!("--pin-sha256 {pin}")),
            "{fault}: {text}"
        );
        assert_eq!(answered(&lab, &["--pin-sha256", &pin]), "", "{fault}");

        if *name_only {
            let warned = answered(&lab, &["--no-verify-hostname"]);
            assert!(warned.is_empty() || warned.starts_with(WARNING), "{warned}");
        } else {
            let text = refused(&lab, &["--no-verify-hostname"]);
            assert!(text.contains(message), "{fault}: {text}");
        }
    }
}

#[test]
fn checking_nothing_works_and_warns_every_time() {
    for (fault, ..) in FAULTS {
        let lab = faulty(&[fault]);
        for _ in 0..2 {
            let warned = answered(&lab, &["--insecure"]);
            assert!(warned.starts_with(WARNING), "{fault}: {warned}");
            assert_eq!(warned.lines().count(), 1, "{fault}: {warned}");
        }
        let run = lab
            .mnt(&["count"])
            .env("NETAPI_INSECURE", "1")
            .assert()
            .success();
        assert!(stderr(&run).starts_with(WARNING) && stderr(&run).contains("NETAPI_INSECURE"));
        let run = lab.mnt(&["count", "--insecure", "--json"]).assert();
        let warning: serde_json::Value = serde_json::from_str(&stderr(&run)).unwrap();
        assert!(warning.get("warning").is_some());
    }
}

#[test]
fn another_certificate_than_the_pinned_one_is_refused() {
    let pin = "ab".repeat(32);
    let lab = lab();
    let text = refused(&lab, &["--pin-sha256", &pin]);
    assert!(
        text.contains(&format!(
            "the server's certificate is not the pinned one, {pin}"
        )),
        "{text}"
    );
    let right = fingerprint(&text);
    assert_ne!(right, pin);
    answered(&lab, &["--pin-sha256", &right]);
    // As openssl prints it: upper case with colons.
    let pairs: Vec<&str> = right
        .as_bytes()
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).unwrap())
        .collect();
    answered(&lab, &["--pin-sha256", &pairs.join(":").to_uppercase()]);
}

/// The lab's CA is unknown to the system; the same CA given by flag or by any of its variables is
/// enough.
#[test]
fn the_ca_bundle_helps_wherever_it_is_named() {
    let lab = lab();
    let ca = lab.variable("ISE_CA_CERT");
    let run = lab
        .mnt(&["count"])
        .env_remove("ISE_CA_CERT")
        .assert()
        .code(6);
    assert!(stderr(&run).contains("is not trusted"), "{}", stderr(&run));
    assert!(stderr(&run).contains("--cacert FILE"));
    assert_eq!(lab.requests(), [""; 0]);
    lab.mnt(&["count", "--cacert", &ca])
        .env_remove("ISE_CA_CERT")
        .assert()
        .success();
    lab.mnt(&["count"])
        .env_remove("ISE_CA_CERT")
        .env("ISE_MTLS_CA", &ca)
        .assert()
        .success();
    assert_eq!(lab.requests().len(), 2);
}

/// The names that the certificate has are in the message; using one of them is the honest way out.
#[test]
fn a_wrong_name_is_mended_with_the_right_one() {
    let lab = faulty(&["tls-wrong-name"]);
    let port = lab.variable("ISE_MNT_PORT");
    let text = refused(&lab, &[]);
    assert!(
        text.contains(&format!("--resolve other.lab.example:{port}:ADDRESS")),
        "{text}"
    );
    let resolve = format!("other.lab.example:{port}:127.0.0.1");
    answered(
        &lab,
        &["--mnt-host", "other.lab.example", "--resolve", &resolve],
    );
    let run = lab
        .mnt(&["count", "--mnt-host", "other.lab.example"])
        .env("NETAPI_RESOLVE", &resolve)
        .assert()
        .success();
    assert_eq!(stdout(&run), "50\n");
}

/// A certificate that is mended while we run: the fault of the first connection only.
#[test]
fn a_tls_fault_is_not_tried_again() {
    let lab = faulty(&["tls-expired@1"]);
    refused(&lab, &[]);
    answered(&lab, &[]);
}

#[test]
fn a_tls_error_as_json_names_kind_and_host() {
    let lab = faulty(&["tls-self-signed"]);
    let run = lab.mnt(&["count", "--json"]).assert().code(6);
    let error: serde_json::Value = serde_json::from_str(&stderr(&run)).unwrap();
    assert_eq!(error["error"]["kind"], "tls");
    assert_eq!(error["error"]["host"], lab.host());
    assert_eq!(error["error"]["exitCode"], 6);
    assert!(
        error["error"]["hint"]
            .as_str()
            .unwrap()
            .contains("--pin-sha256")
    );
}

/// A port that speaks something else.
#[test]
fn a_server_that_does_not_speak_tls() {
    use std::io::Write as _;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            .unwrap();
        // Until the client has gone, so that a reset does not overtake the answer.
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let lab = lab();
    let run = lab.mnt(&["count", "--mnt-port", &port]).assert().code(6);
    let text = stderr(&run);
    assert!(
        text.contains(&format!("TLS with localhost:{port} failed")),
        "{text}"
    );
    assert!(text.contains("\nhint: "), "{text}");
    server.join().unwrap();
}
