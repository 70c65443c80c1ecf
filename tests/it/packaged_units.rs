//! The units in `deploy/systemd` are what the program prints for their command lines, and systemd
//! takes them.

use std::path::Path;
use std::process::Command;

use crate::support::callback::script;
use crate::support::{netapi, skipped, stdout};

/// What a unit says but for its paths, and for what follows from where this test runs.
fn lines(unit: &str, callback: &str) -> Vec<String> {
    let here = [
        "User=",
        "ProtectHome=",
        "PrivateTmp=",
        "# It runs as root",
        "# able to read",
        // In a file that the package names.
        "Environment=NATS_URL=",
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
    // Read where a command needs settings for a stream.
    let config = dir.path().join("config.toml");
    std::fs::write(&config, "").unwrap();
    let config = config.to_str().unwrap();
    let subscribe = format!(
        "ise pxgrid subscribe --topic session --callback {callback} --spool /var/lib/netapi"
    );
    #[cfg(feature = "nats")]
    let worker = format!("ise pxgrid worker --from EVENTS --callback {callback}");
    let watch = "ise mnt watch --interval 30s --format jsonl";
    for (name, prints, file, arguments) in [
        #[cfg(feature = "nats")]
        (
            "stream",
            "subscribe",
            include_str!("../../deploy/systemd/netapi-stream.service"),
            "ise pxgrid subscribe --topic session --to EVENTS --spool /var/lib/netapi-stream",
        ),
        (
            "subscribe",
            "subscribe",
            include_str!("../../deploy/systemd/netapi-subscribe.service"),
            subscribe.as_str(),
        ),
        #[cfg(feature = "nats")]
        (
            "worker",
            "worker",
            include_str!("../../deploy/systemd/netapi-worker.service"),
            worker.as_str(),
        ),
        (
            "watch",
            "watch",
            include_str!("../../deploy/systemd/netapi-watch.service"),
            watch,
        ),
    ] {
        let run = netapi()
            .current_dir("/")
            .args(["--config", config])
            .args(arguments.split_whitespace())
            .arg("--print-unit")
            .env("NATS_URL", "nats://n1.example.com")
            .assert()
            .success();
        let unit = |name| format!("netapi-{name}");
        let printed = stdout(&run)
            .replace(&unit(prints), &unit(name))
            .replace(config, "/etc/netapi/config.toml");
        let printed = lines(&printed, callback);
        assert_eq!(
            lines(file, callback),
            printed,
            "deploy/systemd/netapi-{name}.service"
        );
        assert!(file.contains("\nProtectHome=yes\n"), "{file}");
        assert!(file.contains("\nPrivateTmp=yes\n"), "{file}");
    }
}

/// Each with its drop-in, and with the program that was built: systemd looks for it.
#[test]
fn systemd_takes_them() {
    let units = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/systemd"));
    let dir = tempfile::tempdir().unwrap();
    let mut count = 0;
    for entry in std::fs::read_dir(units).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !name.ends_with(".service") {
            continue;
        }
        let file = std::fs::read_to_string(units.join(&name)).unwrap();
        let file = file.replace("/usr/bin/netapi", env!("CARGO_BIN_EXE_netapi"));
        let path = dir.path().join(&name);
        std::fs::write(&path, file).unwrap();
        let drop_in = units.join(format!("{name}.d/packaged.conf"));
        let there = dir.path().join(format!("{name}.d"));
        std::fs::create_dir(&there).unwrap();
        std::fs::copy(drop_in, there.join("packaged.conf")).unwrap();
        let run = Command::new("systemd-analyze")
            .args(["verify", "--man=no"])
            .arg(&path)
            .output();
        let Ok(run) = run else {
            skipped("there is no systemd-analyze");
            return;
        };
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        // It looks at units of the machine, too.
        let ours = said.lines().filter(|line| line.contains("netapi"));
        let ours = ours.collect::<Vec<_>>();
        assert!(run.status.success() && ours.is_empty(), "{said}");
        count += 1;
    }
    assert_eq!(count, 4);
}
