//! Files with secrets in them as people's tools leave them: read, or refused with file and line,
//! and never shown; files without end. Who else can get at them: `file_access`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use netapi::testing::lab::PASSWORD;
use tempfile::TempDir;

use crate::support::lab::{TestLab, lab};
use crate::support::leak::{leaks, secrets};
use crate::support::{stderr, stdout};

pub(crate) struct Files(TempDir);

impl Files {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A file that only we can read.
    pub(crate) fn put(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        mode(&path, 0o600);
        path.to_str().unwrap().to_owned()
    }
}

pub(crate) fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

/// What happens to a PEM file on its way, and whether it still says the same.
fn manglings(pem: &str) -> Vec<(&'static str, Vec<u8>, bool)> {
    let utf16: Vec<u8> = std::iter::once(0xfeff)
        .chain(pem.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    let text = |text: String| text.into_bytes();
    vec![
        ("crlf", text(pem.replace('\n', "\r\n")), true),
        ("written out", text(pem.replace('\n', "\\n")), true),
        ("written out twice", text(pem.replace('\n', "\\\\n")), true),
        ("blanks", text(pem.replace('\n', " ")), true),
        ("lost", text(pem.replace('\n', "")), true),
        (
            "indented",
            text(pem.lines().flat_map(|line| ["  ", line, "\n"]).collect()),
            true,
        ),
        ("mark", text(format!("\u{feff}{pem}")), true),
        ("utf-16", utf16, true),
        ("quoted", text(format!("'{}'", pem.trim_end())), true),
        (
            "first line cut",
            text(pem.replacen("-----\n", "---\n", 1)),
            false,
        ),
        (
            "first line glued to the next",
            text(pem.replacen("-----\n", "", 1)),
            false,
        ),
        ("last line lost", text(pem.replace("-----END", "")), false),
        ("half", pem.as_bytes()[..pem.len() / 2].to_vec(), false),
        (
            "other half",
            pem.as_bytes()[pem.len() / 2..].to_vec(),
            false,
        ),
        (
            "a foreign sign",
            text(pem.replacen("\nMI", "\nM*I", 1)),
            false,
        ),
        ("a sign lost", text(pem.replacen("\nMI", "\nM", 1)), false),
        (
            "no armour",
            text(pem.lines().filter(|line| !line.starts_with('-')).collect()),
            false,
        ),
        ("base64", text(BASE64_STANDARD.encode(pem)), false),
        ("empty", Vec::new(), false),
    ]
}

#[test]
fn no_command_shows_a_mangled_file() {
    let lab = lab();
    let files = Files::new();
    for (option, variable, commands) in [
        (
            "--key",
            "PXGRID_KEY",
            &[
                &["ise", "pxgrid", "account", "show"][..],
                &["ise", "pxgrid", "account", "show", "--json"],
                &["ise", "pxgrid", "test"],
                &["ise", "doctor", "--json"],
            ][..],
        ),
        (
            "--cert",
            "PXGRID_CERT",
            &[
                &["ise", "pxgrid", "account", "show"],
                &["ise", "pxgrid", "test", "--json"],
            ],
        ),
        (
            "--cacert",
            "PXGRID_CA",
            &[&["ise", "mnt", "count"], &["ise", "mnt", "count", "--json"]],
        ),
    ] {
        let pem = fs::read_to_string(lab.variable(variable)).unwrap();
        let secret = secrets(&pem);
        for (what, content, whole) in manglings(&pem) {
            let file = files.put("mangled.pem", &content);
            for command in commands {
                let mut run = lab.netapi();
                run.args(*command);
                if option == "--key" {
                    run.args(["--cert", &lab.variable("PXGRID_CERT")]);
                }
                if option == "--cert" {
                    run.args(["--key", &lab.variable("PXGRID_KEY")]);
                }
                let run = run.args([option, &file]).assert();
                let said = format!("{}{}", stdout(&run), stderr(&run));
                let shown = format!("{option} {what} {command:?}: {said}");
                let code = run.get_output().status.code();
                if whole {
                    assert_eq!(code, Some(0), "{shown}");
                } else {
                    assert_eq!(code, Some(2), "{shown}");
                    assert!(said.contains("mangled.pem"), "{shown}");
                    assert!(advises(&said), "{shown}");
                }
                // What a certificate says of itself is no secret, and other certificates may say it
                // too.
                let secret = if option == "--key" {
                    &secret[..]
                } else {
                    &secret[..1]
                };
                assert!(!leaks(&said, secret), "{shown}");
            }
        }
    }
}

/// Whether it says what to do: after "hint", or in the last column of a step that failed.
fn advises(said: &str) -> bool {
    let step = |line: &str| {
        let cells: Vec<&str> = line.split('\t').collect();
        cells.get(1) == Some(&"fail") && cells.last().is_some_and(|hint| !hint.is_empty())
    };
    said.contains("hint") || said.lines().any(step)
}

#[test]
fn a_key_in_the_place_of_its_path_is_not_shown() {
    let lab = lab();
    let key = fs::read_to_string(lab.variable("PXGRID_KEY")).unwrap();
    let one_line = key.replace('\n', "\\n");
    for content in [&key, &one_line] {
        let variable = |arguments: &[&str]| {
            let mut run = lab.netapi();
            run.args(arguments).env("PXGRID_KEY", content);
            run
        };
        let flag = |arguments: &[&str]| {
            let mut run = lab.netapi();
            run.args(["ise", "pxgrid", "account", "show"])
                .args(arguments);
            run
        };
        let joined = format!("--key={content}");
        for mut run in [
            variable(&["ise", "pxgrid", "account", "show"]),
            variable(&["ise", "pxgrid", "account", "show", "--json"]),
            variable(&["ise", "pxgrid", "test"]),
            flag(&["--key", content]),
            flag(&["--key", content, "--json"]),
            flag(&["--cert", "x", &joined]),
            flag(&["--env-file", &format!("x{content}")]),
            flag(&["--config", &format!("x{content}")]),
        ] {
            let run = run.assert().code(2);
            let said = format!("{}{}", stdout(&run), stderr(&run));
            assert!(!leaks(&said, &secrets(&key)), "{said}");
            assert!(said.contains("path") && advises(&said), "{said}");
        }
        let run = variable(&["config", "show"]).assert();
        let said = format!("{}{}", stdout(&run), stderr(&run));
        assert!(!leaks(&said, &secrets(&key)), "{said}");
    }
    assert_eq!(lab.requests(), [""; 0]);
}

/// Nor is one that was given in the place of a name, of a profile, a host or a client.
#[test]
fn a_key_in_the_place_of_a_name_is_not_shown() {
    let lab = lab();
    let key = fs::read_to_string(lab.variable("PXGRID_KEY")).unwrap();
    let contents = [key.clone(), key.replace('\n', " "), key.replace('\n', "")];
    for content in &contents {
        for name in [
            "NETAPI_PROFILE",
            "ISE_MNT_FQDN",
            "ISE_MNT_PORT",
            "ISE_MNT_USER",
            "ISE_PXGRID_HOST",
            "ISE_PXGRID_CLIENT_NAME",
        ] {
            for command in [["mnt", "count"], ["pxgrid", "services"]] {
                let mut run = lab.netapi();
                run.arg("ise").args(command).env(name, content);
                let run = run.assert();
                let said = format!("{}{}", stdout(&run), stderr(&run));
                assert!(!leaks(&said, &secrets(&key)), "{name}: {said}");
            }
        }
        for flag in ["--profile", "--client-name"] {
            let mut run = lab.netapi();
            run.args(["ise", "pxgrid", "services", flag, content]);
            let run = run.assert().code(2);
            assert!(
                !leaks(&stderr(&run), &secrets(&key)),
                "{flag}: {}",
                stderr(&run)
            );
        }
    }
}

#[test]
fn files_without_end_are_refused_with_their_bound() {
    let lab = lab();
    for (arguments, bound) in [
        (
            &["ise", "pxgrid", "account", "show", "--cert", "/dev/urandom"][..],
            "1 MiB",
        ),
        (
            &[
                "ise",
                "pxgrid",
                "account",
                "show",
                "--cert",
                "/dev/zero",
                "--key",
                "/dev/zero",
            ],
            "1 MiB",
        ),
        (
            &["ise", "mnt", "count", "--cacert", "/dev/urandom"],
            "16 MiB",
        ),
        (&["ise", "mnt", "count", "--env-file", "/dev/zero"], "1 MiB"),
        (
            &["ise", "mnt", "count", "--config", "/dev/urandom"],
            "1 MiB",
        ),
        (
            &[
                "ise",
                "mnt",
                "count",
                "--mnt-user",
                "x",
                "--password-file",
                "/dev/zero",
            ],
            "64 KiB",
        ),
    ] {
        let run = lab.netapi().args(arguments).assert().code(2);
        let said = stderr(&run);
        let device = arguments.last().unwrap();
        assert!(said.contains(device) && said.contains(bound), "{said}");
        assert!(said.contains("hint: "), "{said}");
    }
}

#[test]
fn names_and_passwords_with_line_ends_are_refused_before_anything_is_sent() {
    let lab = lab();
    for (variable, value) in [
        ("ISE_MNT_USER", "lab-admin\n"),
        ("ISE_MNT_USER", "lab\tadmin"),
        ("ISE_MNT_PASS", &*format!("{PASSWORD}\n")),
        ("ISE_MNT_PASS", &*format!("{PASSWORD}\r")),
        ("ISE_MNT_PASS", "a\x1bb"),
        ("ISE_PXGRID_CLIENT_NAME", "lab\nclient"),
        ("ISE_PXGRID_PASSWORD", "secret\n"),
        ("PXGRID_KEY_PASSWORD", "secret\r\n"),
    ] {
        let command: &[&str] = if variable.starts_with("ISE_MNT") {
            &["ise", "mnt", "count"]
        } else {
            &["ise", "pxgrid", "account", "show"]
        };
        let run = lab
            .netapi()
            .args(command)
            .env(variable, value)
            .assert()
            .code(2);
        let said = stderr(&run);
        assert!(said.starts_with(&format!("netapi: {variable} ")), "{said}");
        assert!(
            said.contains("hint: ") && !said.contains(PASSWORD),
            "{said}"
        );
    }
    assert_eq!(lab.requests(), [""; 0]);
}

#[test]
fn byte_order_marks_are_taken_off_everywhere() {
    let lab = lab();
    let files = Files::new();
    let marked = |name: &str, text: &str| files.put(name, format!("\u{feff}{text}"));
    let password = marked("password", &format!("{PASSWORD}\r\n"));
    let env = marked(
        "ise.env",
        &format!("ISE_MNT_USER=lab-admin\r\nISE_MNT_PASS={PASSWORD}\r\n"),
    );
    let config = marked(
        "config.toml",
        &format!(
            "[profiles.lab]\r\nmnt_user = \"lab-admin\"\r\nmnt_password_file = \"{password}\"\r\n"
        ),
    );
    let bare = |arguments: &[&str]| {
        let mut run = lab.mnt(&["count"]);
        run.env_remove("ISE_MNT_USER").env_remove("ISE_MNT_PASS");
        run.args(arguments);
        run
    };
    for mut run in [
        bare(&["--mnt-user", "lab-admin", "--password-file", &password]),
        bare(&["--env-file", &env]),
        bare(&["--profile", "lab", "--config", &config]),
    ] {
        run.assert().success().stdout("50\n");
    }
    let mut run = bare(&["--mnt-user", "\u{feff}lab-admin", "--password-file", "-"]);
    run.write_stdin(format!("\u{feff}{PASSWORD}\n"))
        .assert()
        .success();
    lab.mnt(&["count"])
        .env("ISE_MNT_PASS", format!("\u{feff}{PASSWORD}"))
        .assert()
        .success();
}

#[test]
fn an_error_of_a_file_never_quotes_it() {
    let lab: TestLab = lab();
    let files = Files::new();
    for (option, content) in [
        ("--config", "[profiles.a]\nmnt_host = hunter2hunter2\n"),
        ("--config", "hunter2hunter2\n"),
        ("--config", "hunter2hunter2 = 1\n"),
        ("--config", "[profiles.lab]\nhunter2hunter2 = 1\n"),
        (
            "--config",
            "[profiles.lab]\nmnt_host = \"hunter2 hunter2\"\n",
        ),
        ("--config", "[profiles.lab]\ntimeout = \"hunter2hunter2\"\n"),
        ("--config", "[profiles.lab]\nresolve = \"hunter2hunter2\"\n"),
        (
            "--config",
            "[profiles.lab]\npin_sha256 = \"hunter2hunter2\"\n",
        ),
        ("--env-file", "hunter2hunter2\n"),
        ("--env-file", "ISE_MNT_PORT=hunter2hunter2\n"),
        ("--env-file", "ISE_MNT_FQDN=hunter2 hunter2\n"),
        ("--env-file", "NETAPI_INSECURE='hunter2hunter2'\n"),
    ] {
        let file = files.put("settings", content);
        let mut run = lab.mnt(&["count", option, &file]);
        for name in ["ISE_MNT_FQDN", "ISE_MNT_PORT", "ISE_PAN_FQDN", "ISE_PAN_IP"] {
            run.env_remove(name);
        }
        if option == "--config" {
            run.args(["--profile", "lab"]);
        }
        let run = run.assert().code(2);
        let said = format!("{}{}", stdout(&run), stderr(&run));
        assert!(!said.contains("hunter2"), "{content}: {said}");
    }
}

/// A filter's complaint holds the value that it failed on.
#[test]
fn a_filter_that_fails_on_a_new_password_does_not_repeat_it() {
    let lab = lab();
    for filter in [".password | error", ".password.x", ".password | tonumber"] {
        let run = lab
            .pxgrid(&["account", "create", "joe", "--jq", filter])
            .assert()
            .code(1);
        let answer: serde_json::Value = serde_json::from_str(&stdout(&run)).unwrap();
        let password = answer["password"].as_str().unwrap();
        assert!(!stderr(&run).contains(password), "{}", stderr(&run));
    }
}
