//! `lab run --nats` and `lab up --nats`: a real nats-server that begins and ends with the lab. It
//! needs one on this machine.

use std::net::TcpStream;
use std::process::Command;

use rustix::process::Signal;

use crate::support::running::Running;
use crate::support::{netapi, process, skipped, stderr, stdout, wait_for};

/// Whether there is a nats-server; that there is none is said.
fn is_there() -> bool {
    let found = Command::new("nats-server").arg("--version").output();
    if found.is_err() {
        skipped("there is no nats-server on PATH");
    }
    found.is_ok()
}

fn answers(url: &str) -> bool {
    TcpStream::connect(url.strip_prefix("nats://").unwrap()).is_ok()
}

fn ends(url: &str) {
    wait_for("the end of nats-server", || !answers(url));
}

/// The value of `NATS_URL` in `export` lines.
fn url(exports: &[String]) -> Option<String> {
    let line = exports
        .iter()
        .find_map(|line| line.strip_prefix("export NATS_URL='"))?;
    Some(line.trim_end_matches('\'').to_owned())
}

#[test]
fn events_of_the_lab_are_stored_beside_it_and_nothing_is_left() {
    if !is_there() {
        return;
    }
    let temporary = tempfile::tempdir().unwrap();
    let line = "echo $NATS_URL; test -z \"$NATS_CREDS$NATS_USER\" && exec netapi ise pxgrid \
                subscribe --topic session --snapshot --count 5 \
                --to EVENTS --create-stream --max-bytes 10M";
    let run = netapi()
        .args(["ise", "lab", "run", "--nats", "--", "sh", "-c", line])
        .env("TMPDIR", temporary.path())
        .env("NATS_URL", "nats://n1.example.com")
        .env("NATS_CREDS", "/nonexistent")
        .env("NATS_USER", "pat")
        .assert()
        .success();
    let url = stdout(&run).trim().to_owned();
    assert!(url.starts_with("nats://127.0.0.1:"), "{url}");
    assert!(stderr(&run).contains("received 5, delivered 5"));
    assert!(!answers(&url), "it ended before its lab did");
    let left = std::fs::read_dir(temporary.path()).unwrap().count();
    assert_eq!(left, 0, "its directory stayed");
}

/// Hides each nats-server that the lab would find: in a mount namespace nothing else is touched.
const HIDING: &str = "\
IFS=:
for dir in $PATH:/usr/local/sbin:/usr/sbin; do
    if test -f \"$dir/nats-server\"; then
        mount --bind /dev/null \"$dir/nats-server\" || exit 77
    fi
done
exec \"$@\"";

#[test]
fn without_a_server_it_is_said_how_to_install_one() {
    let unshare = |options: &[&str], what: &[&str]| {
        let mut command = assert_cmd::Command::new("unshare");
        command.arg("--mount").args(options).args(what).output()
    };
    let works = |options: &&&[&str]| {
        let probe = ["sh", "-c", HIDING, "sh", "true"];
        unshare(options, &probe).is_ok_and(|output| output.status.success())
    };
    let ways: [&[&str]; 2] = [&["--map-root-user"], &[]];
    let Some(way) = ways.iter().find(works) else {
        skipped("nats-server cannot be hidden: mount namespaces are not allowed here");
        return;
    };
    let program = env!("CARGO_BIN_EXE_netapi");
    let lab = [
        "sh", "-c", HIDING, "sh", program, "ise", "lab", "up", "--nats",
    ];
    let output = unshare(way, &lab).unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(err.contains("there is no nats-server on PATH"), "{err}");
    assert!(err.contains("apt-get install nats-server"), "{err}");
}

#[test]
fn a_lab_that_is_killed_leaves_no_server_behind() {
    if !is_there() {
        return;
    }
    let temporary = tempfile::tempdir().unwrap();
    let mut command = process();
    command
        .args(["ise", "lab", "up", "--nats"])
        .env("TMPDIR", temporary.path());
    let running = Running::start(command);
    running.until("the address", || url(&running.out()).is_some());
    let url = url(&running.out()).unwrap();
    assert!(answers(&url));
    running.signal(Signal::KILL);
    assert_eq!(running.end().0, 137);
    ends(&url);
}

#[test]
fn a_lab_in_the_background_has_it_until_it_is_ended() {
    if !is_there() {
        return;
    }
    let runtime = tempfile::tempdir().unwrap();
    let lab = |arguments: &[&str]| {
        let run = netapi()
            .args(["ise", "lab"])
            .args(arguments)
            .env("XDG_RUNTIME_DIR", runtime.path())
            .assert()
            .success();
        stdout(&run).lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let url = url(&lab(&["up", "--detach", "--nats"])).unwrap();
    assert!(answers(&url));
    let unset = lab(&["down"]);
    assert!(
        unset.iter().any(|line| line.contains("NATS_URL")),
        "{unset:?}"
    );
    assert!(!answers(&url));
}
