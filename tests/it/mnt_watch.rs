//! `netapi ise mnt watch`: what came, changed and went from one poll to the next.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::support::lab::lab;
use crate::support::mnt::{ID, MAC, said};
use crate::support::{self, stderr};

/// Kills the process when a test ends, also when it fails.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn watch_prints_what_came_changed_and_went() {
    let lab = lab();
    let mut child = Killed(
        lab.process(&["watch", "--interval", "1s", "--json", "--nas", "10.50.1.10"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    support::wait_for("the first poll", || !lab.requests().is_empty());
    // The second poll shows that the first has been read: what happens now is a change.
    support::wait_for("the second poll", || lab.requests().len() > 1);
    said(&lab, &["delete", MAC, "--yes"]);
    let change: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(change["change"], "went");
    assert_eq!(change["session"]["calling_station_id"], MAC);
    assert_eq!(change["session"]["audit_session_id"], ID);
}

/// As of any list that nothing is wanted of.
#[test]
fn a_limit_of_nothing_ends_at_once_and_asks_for_nothing() {
    let lab = lab();
    let watch = lab.mnt(&["watch", "--limit", "0"]).assert();
    watch.success().stdout("").stderr("");
    let subscribe = ["subscribe", "--topic", "session", "--limit", "0"];
    let subscribe = lab.pxgrid(&subscribe).assert();
    subscribe.success().stdout("").stderr("");
    assert_eq!(lab.requests(), Vec::<String>::new());
}

#[test]
fn watch_sees_a_disconnected_endpoint_go() {
    let lab = lab();
    let mut child = Killed(
        lab.process(&["watch", "--interval", "1s", "--limit", "1"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    support::wait_for("the second poll", || lab.requests().len() > 1);
    said(&lab, &["coa", MAC, "-t", "disconnect"]);
    let changes: Vec<Vec<String>> = lines
        .take(1)
        .map(|line| line.unwrap().split('\t').map(str::to_owned).collect())
        .collect();
    let words: Vec<&str> = changes.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(words, ["went"]);
    assert!(changes.iter().all(|row| row[1] == MAC && row.len() == 6));
    let status = child.0.wait().unwrap();
    assert_eq!(status.code(), Some(0), "--limit ends it");
}

/// A filter that fails on one change is said; the next change may do.
#[test]
fn watch_goes_on_after_a_change_on_which_jq_fails() {
    let lab = lab();
    let macs = said(&lab, &["sessions", "--fields", "MAC"]);
    let other = macs.lines().find(|mac| *mac != MAC).unwrap().to_owned();
    let asked = lab.requests().len();
    let filter =
        format!(r#".session.calling_station_id | if . == "{MAC}" then error("no") else . end"#);
    let arguments = ["watch", "--interval", "1s", "--limit", "1", "--jq", &filter];
    let mut child = Killed(
        lab.process(&arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    support::wait_for("the second poll", || lab.requests().len() > asked + 1);
    said(&lab, &["delete", MAC, "--yes"]);
    let mut complaints = BufReader::new(child.0.stderr.take().unwrap()).lines();
    assert!(
        complaints
            .by_ref()
            .any(|line| line.unwrap() == r#"netapi: --jq: "no""#)
    );
    said(&lab, &["delete", &other, "--yes"]);
    let lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    assert_eq!(lines.map(Result::unwrap).collect::<Vec<_>>(), [other]);
    let last = complaints.map(Result::unwrap).last().unwrap();
    assert_eq!(last, "netapi: changes on which --jq failed: 1");
    assert_eq!(child.0.wait().unwrap().code(), Some(1));
}

/// A poll that fails is said, and the next one follows; a refusal ends it.
#[test]
fn watch_survives_an_overload_and_ends_at_a_refusal() {
    let lab = lab();
    let run = lab
        .mnt(&["watch", "--interval", "1s"])
        .env("ISE_MNT_PASS", "wrong")
        .assert()
        .code(4);
    assert!(stderr(&run).contains("(HTTP 401)"));
    assert_eq!(lab.requests().len(), 1);
}

/// A misspelt field is found at the start, not hours later by the first change.
#[test]
fn watch_refuses_unknown_fields_at_the_start() {
    let lab = lab();
    for words in [
        &["watch", "--fields", "nope"][..],
        &["watch", "--fields", "mac,sessions.x", "--json"],
    ] {
        let run = lab.mnt(words).assert().code(2);
        assert!(stderr(&run).contains("unknown field"), "{}", stderr(&run));
        assert!(stderr(&run).contains("CHANGE, MAC"), "{}", stderr(&run));
    }
    assert_eq!(lab.requests(), [""; 0]);
    let fields = "change,session.calling_station_id,session.nope";
    let mut child = Killed(
        lab.process(&[
            "watch",
            "--interval",
            "1s",
            "--limit",
            "1",
            "--fields",
            fields,
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap(),
    );
    support::wait_for("the second poll", || lab.requests().len() > 1);
    said(&lab, &["delete", MAC, "--yes"]);
    let lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    let printed: Vec<String> = lines.map(Result::unwrap).collect();
    assert_eq!(printed, [format!("went\t{MAC}\t")]);
}
