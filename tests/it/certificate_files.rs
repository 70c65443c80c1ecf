//! Certificates and keys in the wrappings that people's tools give them: each one is read whole, or
//! refused with its place.

use std::fs;
use std::process::Command as Tool;

use assert_cmd::Command;

use crate::secret_files::Files;
use crate::support::lab::lab;
use crate::support::{skipped, stderr};

/// Makes a file of the lab's CA with openssl; `None`, with a word, where that is not there.
fn openssl(arguments: &[&str]) -> Option<Vec<u8>> {
    match Tool::new("openssl").args(arguments).output() {
        Ok(output) if output.status.success() => Some(output.stdout),
        _ => {
            skipped("openssl cannot make the file");
            None
        }
    }
}

#[test]
fn ca_bundles_of_every_wrapping_are_read_whole() {
    let lab = lab();
    let files = Files::new();
    let ca = lab.variable("ISE_CA_CERT");
    let pem = fs::read_to_string(&ca).unwrap();
    let Some(pkcs7) = openssl(&["crl2pkcs7", "-nocrl", "-certfile", &ca]) else {
        return;
    };
    let der = openssl(&["x509", "-in", &ca, "-outform", "der"]).unwrap();
    let p7b = openssl(&["crl2pkcs7", "-nocrl", "-certfile", &ca, "-outform", "DER"]).unwrap();
    let trusted = openssl(&["x509", "-in", &ca, "-addtrust", "serverAuth", "-trustout"]).unwrap();
    let rejected = openssl(&["x509", "-in", &ca, "-addreject", "serverAuth", "-trustout"]).unwrap();
    let other = fs::read_to_string("tests/fixtures/identity/rsa.crt").unwrap();
    let glued = format!("{}{}", other.trim_end(), pem.trim_end());
    for content in [
        &pkcs7,
        &p7b,
        &der,
        &der.repeat(2),
        &trusted,
        &glued.clone().into_bytes(),
    ] {
        let file = files.put("ca", content);
        lab.mnt(&["count", "--cacert", &file])
            .assert()
            .success()
            .stderr("");
    }
    let run = lab
        .mnt(&["count", "--cacert", &files.put("ca", &rejected)])
        .assert()
        .code(2);
    assert!(stderr(&run).contains("ca:1: "), "{}", stderr(&run));

    let crl = "-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n";
    let file = files.put(
        "ca",
        format!("{crl}{pem}{}", String::from_utf8(rejected).unwrap()),
    );
    let run = lab.mnt(&["count", "--cacert", &file]).assert().success();
    let said = stderr(&run);
    let last = 4 + pem.lines().count();
    assert!(
        said.contains("ca:1: the block X509 CRL holds no certificate"),
        "{said}"
    );
    assert!(said.contains(&format!("ca:{last}: ")), "{said}");
}

#[test]
fn identity_files_may_be_pipes_der_and_pkcs7() {
    let lab = lab();
    let files = Files::new();
    let (cert, key) = (lab.variable("PXGRID_CERT"), lab.variable("PXGRID_KEY"));
    let Some(der) = openssl(&["x509", "-in", &cert, "-outform", "der"]) else {
        return;
    };
    let certs = [
        files.put("client.crt", der),
        files.put(
            "client.p7b",
            openssl(&["crl2pkcs7", "-nocrl", "-certfile", &cert]).unwrap(),
        ),
    ];
    let key_der = files.put(
        "client.der",
        openssl(&["pkey", "-in", &key, "-outform", "der"]).unwrap(),
    );
    for cert in &certs {
        lab.pxgrid(&["account", "show", "--cert", cert, "--key", &key_der])
            .assert()
            .success();
    }
    let program = lab.process(&[]);
    let script = "exec \"$0\" ise pxgrid account show --cert <(cat \"$PXGRID_CERT\") --key <(cat \"$PXGRID_KEY\")";
    let mut run = Command::new("bash");
    run.args(["-c", script]).arg(program.get_program());
    run.envs(
        program
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    run.assert().success();
}
