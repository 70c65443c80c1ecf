//! `netapi ise lab`: the command of `lab run` has its settings, its signals and its exit status;
//! `lab up` says what to set and cleans up.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::support::{json, netapi, process, skipped, stderr, stdout, wait_for};

fn terminate(pid: u32) {
    let status = Command::new("kill")
        .args(["-TERM", &pid.to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}

/// `lab run` of a shell line.
fn shell(line: &str) -> assert_cmd::Command {
    let mut command = netapi();
    command.args(["ise", "lab", "run", "--", "sh", "-c", line]);
    command
}

#[test]
fn the_exit_status_is_the_commands() {
    for status in [0, 1, 7, 42] {
        shell(&format!("exit {status}")).assert().code(status);
    }
    shell("kill -TERM $$").assert().code(143);
    shell("kill -KILL $$").assert().code(137);
}

#[test]
fn the_command_finds_the_lab_and_netapi_itself() {
    let run = shell("netapi ise mnt count && netapi ise mnt session $MAC --fields MAC")
        .assert()
        .success();
    assert!(
        stdout(&run).starts_with("50\n") && stdout(&run).contains("C8:5B:76:C6:59:62"),
        "{}",
        stdout(&run)
    );
}

#[test]
fn settings_that_contradict_the_lab_do_not_reach_it_but_safety_does() {
    shell("test -z \"$ISE_MNT_IP$NETAPI_PROFILE\" && test \"$NETAPI_READ_ONLY\" = 1 && netapi ise mnt count")
        .env("ISE_MNT_IP", "192.0.2.1")
        .env("NETAPI_PROFILE", "production")
        .env("NETAPI_READ_ONLY", "1")
        .assert()
        .success();
}

#[test]
fn a_command_that_cannot_be_run_is_named() {
    let run = netapi()
        .args(["ise", "lab", "run", "--", "no-such-command"])
        .assert()
        .code(2);
    assert!(
        stderr(&run).starts_with("netapi: cannot run 'no-such-command': "),
        "{}",
        stderr(&run)
    );
    assert!(stderr(&run).contains("hint: check the spelling"));
}

#[test]
fn a_term_is_passed_on_to_the_command() {
    let mut child = process()
        .args([
            "ise",
            "lab",
            "run",
            "--",
            "sh",
            "-c",
            "trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line, "ready\n");
    terminate(child.id());
    assert_eq!(child.wait().unwrap().code(), Some(9));
}

#[test]
fn lab_up_prints_exports_and_nothing_more_and_removes_its_directory() {
    let mut child = process()
        .args(["ise", "lab", "up", "--sessions", "3"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    BufReader::new(child.stderr.take().unwrap())
        .read_line(&mut said)
        .unwrap();
    assert!(said.starts_with("the lab is up"), "{said}");
    terminate(child.id());
    let mut exports = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut exports)
        .unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.signal(), Some(Signal::TERM.as_raw()), "{status}");
    assert!(
        exports
            .lines()
            .all(|line| line.starts_with("export ") && line.contains("='") && line.ends_with('\'')),
        "{exports}"
    );
    let (_, ca) = exports.split_once("export ISE_CA_CERT='").unwrap();
    let (ca, _) = ca.split_once('\'').unwrap();
    assert!(
        !Path::new(ca).parent().unwrap().exists(),
        "{ca} is still there"
    );
}

/// The exports come all at once, and hold where another directory is the current one.
#[test]
fn the_exports_of_lab_up_are_whole_and_name_files_from_anywhere() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("lab.env");
    let mut child = process()
        .args(["ise", "lab", "up", "--dir", "./lab"])
        .current_dir(directory.path())
        .stdout(std::fs::File::create(&file).unwrap())
        .spawn()
        .unwrap();
    let mut exports = String::new();
    wait_for("the exports", || {
        exports = std::fs::read_to_string(&file).unwrap();
        !exports.is_empty()
    });
    let run = netapi()
        .args(["ise", "mnt", "count"])
        .envs(exports.lines().map(|line| {
            let (name, value) = line
                .strip_prefix("export ")
                .unwrap()
                .split_once('=')
                .unwrap();
            (name.to_owned(), value.trim_matches('\'').to_owned())
        }))
        .assert();
    terminate(child.id());
    child.wait().unwrap();
    assert_eq!(stdout(&run.success()), "50\n");
    assert!(exports.contains("export MAC="), "{exports}");
}

#[test]
fn lab_faults_lists_what_can_be_injected() {
    let faults = json(
        &netapi()
            .args(["ise", "lab", "faults", "--json"])
            .assert()
            .success(),
    );
    let names: Vec<&str> = faults
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["fault"].as_str().unwrap())
        .collect();
    for name in [
        "unauthorized",
        "overload-502",
        "truncated",
        "hostile-names",
        "tls-expired",
    ] {
        assert!(names.contains(&name), "{names:?}");
    }
    let run = netapi()
        .args(["ise", "lab", "run", "--fault", "no-such", "--", "true"])
        .assert()
        .code(2);
    assert!(
        stderr(&run).contains("netapi ise lab faults lists them"),
        "{}",
        stderr(&run)
    );
}

/// As in a container whose first process somebody else began: its session and its group have no
/// number there.
#[test]
fn callbacks_run_where_the_session_leader_is_outside_of_the_namespace() {
    let apart = ["--map-root-user", "--pid", "--fork", "--mount-proc"];
    let unshare = || {
        let mut unshare = Command::new("unshare");
        unshare.args(apart).stdin(Stdio::null());
        unshare
    };
    let outside = "read -r _ _ _ _ _ session _ < /proc/self/stat; test $session = 0";
    if !unshare()
        .args(["sh", "-c", outside])
        .status()
        .is_ok_and(|status| status.success())
    {
        return skipped("no PID namespace can be made here");
    }
    let dir = tempfile::tempdir().unwrap();
    let out = unshare()
        .arg(env!("CARGO_BIN_EXE_netapi"))
        .args(["ise", "lab", "run", "--events-per-second", "20", "--"])
        .args(["netapi", "ise", "pxgrid", "subscribe"])
        .args([
            "--topic",
            "session",
            "--count",
            "2",
            "--callback",
            "/bin/true",
        ])
        .arg("--spool")
        .arg(dir.path().join("spool"))
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{:?} {stderr}", out.status);
    assert!(stderr.contains("delivered 2"), "{stderr}");
}
