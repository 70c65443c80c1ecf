//! `--print-unit`: the unit that systemd reads, and what never stands in it.

use std::process::Command;

use crate::support::callback::script;
use crate::support::{netapi, skipped, stderr, stdout};

/// `systemd-analyze verify`, where there is one.
fn verified(unit: &str) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("netapi-test.service");
    std::fs::write(&path, unit).unwrap();
    let verify = Command::new("systemd-analyze")
        .arg("verify")
        .arg(&path)
        .output();
    let Ok(verify) = verify else {
        skipped("no systemd-analyze here");
        return;
    };
    let said = String::from_utf8_lossy(&verify.stderr);
    let ours = said
        .lines()
        .any(|line| line.contains("netapi-test.service:"));
    assert!(verify.status.success() && !ours, "{said}\n{unit}");
}

#[test]
fn each_command_prints_a_unit_that_systemd_takes() {
    let dir = tempfile::tempdir().unwrap();
    let callback = script(dir.path(), "#!/bin/sh\n");
    let file = dir.path().join("assets.jsonl");
    std::fs::write(&file, "").unwrap();
    let subscribe = [
        "ise",
        "pxgrid",
        "subscribe",
        "--topic",
        "session",
        "--spool",
        "/var/lib/netapi",
        "--callback",
        callback.to_str().unwrap(),
        "--metrics",
        "9100",
        "--",
        "a b",
        "100%",
        "$HOME",
        "\"",
        "'",
        ";",
        "\\",
    ];
    for arguments in [
        &subscribe[..],
        &["ise", "pxgrid", "publish", "asset", file.to_str().unwrap()],
        &["ise", "mnt", "watch", "--interval", "30s"],
        &["ise", "lab", "up", "--sessions", "5"],
    ] {
        let at = arguments
            .iter()
            .position(|word| *word == "--")
            .unwrap_or(arguments.len());
        let mut words = arguments.to_vec();
        words.insert(at, "--print-unit");
        let run = netapi().args(&words).assert().code(0);
        let unit = stdout(&run);
        for line in [
            "Type=notify",
            "WatchdogSec=30",
            "Restart=on-failure",
            "KillMode=mixed",
        ] {
            assert!(unit.lines().any(|other| other == line), "{line}\n{unit}");
        }
        assert!(!unit.contains("--print-unit"), "{unit}");
        verified(&unit);
    }
}

#[test]
fn the_command_line_is_whole_and_quoted() {
    let dir = tempfile::tempdir().unwrap();
    let callback = script(dir.path(), "#!/bin/sh\n");
    let arguments = [
        "ise",
        "pxgrid",
        "subscribe",
        "--print-unit",
        "--topic=session",
        "--callback",
        "./callback.sh",
        "--spool",
        "spool",
        "--",
        "a b",
        "100%",
        "$HOME",
        "\"",
        ";",
    ];
    let run = netapi()
        .current_dir(dir.path())
        .args(arguments)
        .assert()
        .code(0);
    let unit = stdout(&run);
    let here = dir.path().display();
    let command = format!(
        "{} ise pxgrid subscribe --topic session --callback {} --spool {here}/spool -- \"a b\" \"100%%\" $$HOME \"\\\"\" \";\"",
        env!("CARGO_BIN_EXE_netapi"),
        callback.display(),
    );
    let line = unit
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart="));
    assert_eq!(line, Some(command.as_str()));
    assert!(
        unit.contains(&format!("WorkingDirectory={here}\n")),
        "{unit}"
    );
    assert!(
        unit.contains(&format!("ReadWritePaths={here}/spool\n")),
        "{unit}"
    );
    // The callback's time limit and grace, and ours.
    assert!(unit.contains("TimeoutStopSec=50\n"), "{unit}");
}

#[test]
fn settings_of_the_environment_are_written_down_and_secrets_only_named() {
    let run = netapi()
        .args([
            "ise",
            "pxgrid",
            "subscribe",
            "--topic",
            "session",
            "--print-unit",
        ])
        .env("ISE_PXGRID_HOST", "ise 1.example")
        .env("ISE_PXGRID_CLIENT_NAME", "a%b")
        .env("ISE_PXGRID_PASSWORD", "geheim")
        .env("PXGRID_KEY_PASSWORD", "geheim")
        .assert()
        .code(0);
    let unit = stdout(&run);
    for line in [
        "Environment=\"ISE_PXGRID_HOST=ise 1.example\"",
        "Environment=\"ISE_PXGRID_CLIENT_NAME=a%%b\"",
        "EnvironmentFile=/etc/netapi/netapi-subscribe.env",
        "# Secret, so not printed: ISE_PXGRID_PASSWORD, PXGRID_KEY_PASSWORD. Write NAME=value lines",
    ] {
        assert!(unit.lines().any(|other| other == line), "{line}\n{unit}");
    }
    assert!(!unit.contains("geheim") && !stderr(&run).contains("geheim"));
}

/// A secret that a command does not use is not asked for, and none of its neighbours' settings stand
/// in its unit, but where a callback may speak with anybody.
#[test]
fn a_unit_names_only_what_its_command_uses() {
    let environment = [
        ("ISE_MNT_FQDN", "mnt.example"),
        ("ISE_MNT_USER", "reader"),
        ("ISE_MNT_PASS", "geheim"),
        ("ISE_API_PASS", "geheim"),
        ("ISE_DC_HOST", "dc.example"),
        ("ISE_DC_PASS", "geheim"),
        ("ISE_PXGRID_HOST", "px.example"),
        ("ISE_PXGRID_CLIENT_NAME", "me"),
        ("ISE_PXGRID_PASSWORD", "geheim"),
        ("NATS_URL", "nats://127.0.0.1:1"),
    ];
    let all = environment.iter().map(|(name, _)| *name);
    let mnt = [
        "ISE_MNT_FQDN",
        "ISE_MNT_USER",
        "ISE_MNT_PASS",
        "ISE_API_PASS",
    ];
    let pxgrid = [
        "ISE_PXGRID_HOST",
        "ISE_PXGRID_CLIENT_NAME",
        "ISE_PXGRID_PASSWORD",
    ];
    for (words, wanted) in [
        (
            "pxgrid worker --from EVENTS --callback /bin/true",
            all.filter(|name| !name.ends_with("_PASS") && !name.ends_with("PASSWORD"))
                .collect(),
        ),
        ("pxgrid subscribe --topic session", pxgrid.to_vec()),
        (
            "pxgrid subscribe --topic session --to EVENTS",
            [&pxgrid[..], &["NATS_URL"]].concat(),
        ),
        ("mnt watch", mnt.to_vec()),
        (
            "dc live",
            vec!["ISE_MNT_FQDN", "ISE_DC_HOST", "ISE_DC_PASS"],
        ),
        ("lab up", Vec::new()),
    ] {
        let run = netapi()
            .arg("ise")
            .args(words.split(' '))
            .arg("--print-unit")
            .envs(environment)
            .assert()
            .code(0);
        let unit = stdout(&run);
        for (name, _) in environment {
            let named = unit.contains(name);
            assert_eq!(named, wanted.contains(&name), "{words}: {name}\n{unit}");
        }
        assert!(!unit.contains("geheim"), "{unit}");
        let secret = wanted.iter().any(|name| name.contains("PASS"));
        assert_eq!(unit.contains("EnvironmentFile="), secret, "{words}");
    }
}

#[test]
fn what_no_service_can_have_is_refused() {
    for arguments in [
        &["ise", "mnt", "watch", "--password-file", "-"][..],
        &["ise", "pxgrid", "publish", "asset"],
        &["ise", "pxgrid", "publish", "asset", "-", "--stay"],
    ] {
        let run = netapi()
            .args(arguments)
            .arg("--print-unit")
            .assert()
            .code(2);
        assert!(stderr(&run).contains("standard input"), "{}", stderr(&run));
        assert_eq!(stdout(&run), "");
    }
}
