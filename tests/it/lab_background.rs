//! `lab up --detach` and `lab down`: one lab in the background, started and ended by one line each.

use std::path::Path;

use assert_cmd::Command;

use crate::support::{netapi, stderr, stdout, wait_for};

/// A user's place for the state of the lab; whatever runs there is ended.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn lab(&self, arguments: &[&str]) -> Command {
        let mut command = netapi();
        command
            .env("XDG_RUNTIME_DIR", self.0.path())
            .args(["ise", "lab"])
            .args(arguments);
        command
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join("netapi").join(name)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ended = self.lab(&["down"]).output();
    }
}

/// The variables of export lines.
fn variables(exports: &str) -> Vec<(String, String)> {
    let lines = exports.lines().map(|line| {
        let (name, value) = line
            .strip_prefix("export ")
            .unwrap()
            .split_once('=')
            .unwrap();
        (name.to_owned(), value.trim_matches('\'').to_owned())
    });
    lines.collect()
}

fn value(exports: &str, name: &str) -> String {
    let mut found = variables(exports).into_iter();
    found.find(|(known, _)| known == name).unwrap().1
}

fn count(exports: &str) -> Command {
    let mut command = netapi();
    command
        .args(["ise", "mnt", "count"])
        .envs(variables(exports));
    command
}

#[test]
fn a_lab_in_the_background_serves_until_it_is_ended() {
    let place = Place::new();
    let up = place
        .lab(&["up", "--detach", "--sessions", "7"])
        .assert()
        .success();
    let exports = stdout(&up);
    assert_eq!(stderr(&up), "", "nothing to say");
    assert_eq!(stdout(&count(&exports).assert().success()), "7\n");
    assert_eq!(
        std::fs::read_to_string(place.path("lab.env")).unwrap(),
        exports
    );

    let down = place.lab(&["down"]).assert().success();
    let names: Vec<String> = variables(&exports)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(stdout(&down), format!("unset {}\n", names.join(" ")));
    let port = value(&exports, "ISE_MNT_PORT").parse().unwrap();
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
    assert!(!place.path("lab.env").exists());
    let ca = value(&exports, "PXGRID_CA");
    assert!(!Path::new(&ca).exists(), "{ca} is still there");

    let again = place.lab(&["down"]).assert().code(3);
    assert!(stderr(&again).starts_with("netapi: no lab runs in the background\nhint: "));
}

#[test]
fn a_second_lab_in_the_background_is_refused_and_the_first_named() {
    let place = Place::new();
    let first = stdout(&place.lab(&["up", "--detach"]).assert().success());
    let pid = std::fs::read_to_string(place.path("lab.lock")).unwrap();
    let second = place.lab(&["up", "--detach"]).assert().code(1);
    assert_eq!(stdout(&second), "");
    assert_eq!(
        stderr(&second),
        format!(
            "netapi: a lab runs in the background already: process {pid}\n\
             hint: use it: . {}; or end it: netapi ise lab down\n",
            place.path("lab.env").display()
        )
    );
    assert_eq!(stdout(&count(&first).assert().success()), "50\n");
}

/// After `kill -9` the state lies around and names a process that is somebody else's by now.
#[test]
fn a_lab_that_was_killed_is_none() {
    let place = Place::new();
    place.lab(&["up", "--detach"]).assert().success();
    let pid = std::fs::read_to_string(place.path("lab.lock")).unwrap();
    let killed = std::process::Command::new("kill")
        .args(["-9", &pid])
        .status()
        .unwrap();
    assert!(killed.success());
    wait_for("the end of the lab", || {
        place.lab(&["down"]).output().unwrap().status.code() == Some(3)
    });
    // This very test would be ended if the number alone were believed.
    std::fs::write(place.path("lab.lock"), std::process::id().to_string()).unwrap();
    place.lab(&["down"]).assert().code(3);
    place.lab(&["up", "--detach"]).assert().success();
    place.lab(&["down"]).assert().success();
}

#[test]
fn what_keeps_it_from_starting_is_said_by_the_command_itself() {
    let place = Place::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let up = place
        .lab(&["up", "--detach", "--listen-mnt", &port])
        .assert()
        .code(1);
    let said = stderr(&up);
    assert!(
        said.starts_with("netapi: the lab cannot listen on 127.0.0.1, port "),
        "{said}"
    );
    assert!(
        said.contains("\nhint: choose another port with --listen-mnt"),
        "{said}"
    );
    assert_eq!(stdout(&up), "");
    place.lab(&["down"]).assert().code(3);
}

#[test]
fn a_place_that_others_may_write_to_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let state = place.0.path().join("netapi");
    std::fs::create_dir(&state).unwrap();
    std::fs::set_permissions(&state, std::fs::Permissions::from_mode(0o777)).unwrap();
    for command in [&["up", "--detach"][..], &["down"]] {
        let run = place.lab(command).assert().code(2);
        assert!(stderr(&run).contains("is not a directory that only this user may write to"));
    }
    std::fs::remove_dir(&state).unwrap();
    std::os::unix::fs::symlink("/tmp", &state).unwrap();
    place.lab(&["down"]).assert().code(2);
}
