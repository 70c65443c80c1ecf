//! The units in `deploy/systemd` are what the program prints for their command lines.

use crate::support::callback::script;
use crate::support::{netapi, stdout};

/// What a unit says but for its paths, and for what follows from where this test runs.
fn lines(unit: &str, callback: &str) -> Vec<String> {
    let here = [
        "User=",
        "ProtectHome=",
        "PrivateTmp=",
        "# It runs as root",
        "# able to read",
    ];
    unit.replace(env!("CARGO_BIN_EXE_netapi"), "/usr/bin/netapi")
        .replace(callback, "/etc/netapi/callback")
        .lines()
        .filter(|line| !here.iter().any(|start| line.starts_with(start)))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_packaged_units_are_the_programs_own() {
    let dir = tempfile::tempdir().unwrap();
    let callback = script(dir.path(), "#!/bin/sh\n");
    let callback = callback.to_str().unwrap();
    let subscribe = format!(
        "--config /etc/netapi/config.toml ise pxgrid subscribe --topic session \
         --callback {callback} --spool /var/lib/netapi --print-unit"
    );
    let watch = "--config /etc/netapi/config.toml ise mnt watch --interval 30s \
                 --format jsonl --print-unit";
    for (name, file, arguments) in [
        (
            "subscribe",
            include_str!("../../deploy/systemd/netapi-subscribe.service"),
            subscribe.as_str(),
        ),
        (
            "watch",
            include_str!("../../deploy/systemd/netapi-watch.service"),
            watch,
        ),
    ] {
        let run = netapi()
            .current_dir("/")
            .args(arguments.split_whitespace())
            .assert()
            .success();
        let printed = lines(&stdout(&run), callback);
        assert_eq!(
            lines(file, callback),
            printed,
            "deploy/systemd/netapi-{name}.service"
        );
        assert!(file.contains("\nProtectHome=yes\n"), "{file}");
        assert!(file.contains("\nPrivateTmp=yes\n"), "{file}");
    }
}
