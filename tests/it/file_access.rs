//! Files with secrets or commands in them that others than their owner can read or write: warned of,
//! or refused.

use std::fs;

use assert_cmd::Command;
use netapi::testing::lab::PASSWORD;

use crate::secret_files::{Files, mode};
use crate::support::lab::lab;
use crate::support::{netapi, stderr};

fn warns(run: &mut Command, words: &str) {
    let run = run.assert().success();
    let said = stderr(&run);
    assert_eq!(said.matches(words).count(), 1, "{said}");
}

#[test]
fn secrets_that_others_can_read_are_warned_of_once() {
    let lab = lab();
    let files = Files::new();
    let key = files.put("client.key", fs::read(lab.variable("PXGRID_KEY")).unwrap());
    let cert = lab.variable("PXGRID_CERT");
    let both = files.put(
        "both.pem",
        [
            fs::read(&cert).unwrap(),
            fs::read(lab.variable("PXGRID_KEY")).unwrap(),
        ]
        .concat(),
    );
    let show = |arguments: &[&str]| {
        let mut run = lab.pxgrid(&["account", "show"]);
        run.args(arguments);
        run
    };
    show(&["--cert", &cert, "--key", &key])
        .assert()
        .success()
        .stderr("");
    mode(&files.path("client.key"), 0o640);
    let words = "client.key can be read by others than its owner; `chmod 600` it";
    warns(&mut show(&["--cert", &cert, "--key", &key]), words);
    let mut doctor = lab.netapi();
    doctor.args(["ise", "doctor", "--cert", &cert, "--key", &key]);
    warns(&mut doctor, words);
    mode(&files.path("both.pem"), 0o644);
    warns(
        &mut show(&["--cert", &both]),
        "both.pem can be read by others",
    );

    let text = format!("ISE_MNT_USER=lab-admin\nISE_MNT_PASS={PASSWORD}\n");
    let env = files.put("ise.env", text);
    let count = || {
        let mut run = lab.mnt(&["count", "--env-file", &env]);
        run.env_remove("ISE_MNT_USER").env_remove("ISE_MNT_PASS");
        run
    };
    count().assert().success().stderr("");
    mode(&files.path("ise.env"), 0o644);
    warns(&mut count(), "ise.env can be read by others than its owner");
    mode(&files.path("ise.env"), 0o620);
    warns(&mut count(), "ise.env can be written by others than you");
    fs::write(&env, "ISE_MNT_PORT=1\n").unwrap();
    mode(&files.path("ise.env"), 0o644);
    lab.mnt(&["count", "--env-file", &env])
        .assert()
        .success()
        .stderr("");
}

#[test]
fn a_configuration_that_others_write_runs_no_command() {
    let lab = lab();
    let files = Files::new();
    let marker = files.path("it-ran");
    let host = format!(
        "[profiles.lab]\nmnt_host = \"localhost\"\nmnt_port = {}\ncacert = \"{}\"\n",
        lab.variable("ISE_MNT_PORT"),
        lab.variable("ISE_CA_CERT")
    );
    let config = files.put(
        "config.toml",
        format!(
            "{host}mnt_user = \"lab-admin\"\nmnt_password_command = [\"touch\", \"{}\"]\n",
            marker.display()
        ),
    );
    let count = || {
        let mut run = netapi();
        run.args([
            "ise",
            "mnt",
            "count",
            "--profile",
            "lab",
            "--config",
            &config,
        ]);
        run
    };
    mode(&files.path("config.toml"), 0o664);
    let run = count().assert().code(2);
    let said = stderr(&run);
    assert!(said.contains("can be written by others than you"), "{said}");
    assert!(said.contains("chmod go-w '"), "{said}");
    assert!(!marker.exists());
    mode(&files.path("config.toml"), 0o644);
    count().assert().code(2);
    assert!(marker.exists());

    fs::write(files.path("config.toml"), host).unwrap();
    mode(&files.path("config.toml"), 0o666);
    let mut run = count();
    run.env("ISE_MNT_USER", "lab-admin")
        .env("ISE_MNT_PASS", PASSWORD);
    warns(&mut run, "config.toml can be written by others than you");
}
