//! `netapi ise dc` against the lab's database.

use assert_cmd::Command;
use serde_json::Value;

use crate::support::lab::{TestLab, lab};
use crate::support::{stderr, stdout};

/// The lab with a place to remember in.
struct Asked {
    lab: TestLab,
    state: tempfile::TempDir,
}

impl Asked {
    fn start() -> Self {
        Self {
            lab: lab(),
            state: tempfile::tempdir().unwrap(),
        }
    }

    fn ise(&self, words: &[&str]) -> Command {
        let mut command = self.lab.netapi();
        command.env("XDG_STATE_HOME", self.state.path());
        command.arg("ise").args(words);
        command
    }

    fn json(&self, words: &[&str]) -> Vec<Value> {
        let assert = self.ise(words).arg("--json").assert().success();
        serde_json::from_str(&stdout(&assert)).unwrap()
    }
}

#[test]
fn the_views_of_this_node_and_their_columns_are_listed() {
    let lab = Asked::start();
    let views = lab.json(&["dc", "views"]);
    let find = |name: &str| views.iter().find(|view| view["view"] == name);
    assert_eq!(find("RADIUS_AUTHENTICATIONS").unwrap()["columns"], "38");
    let columns = lab.json(&["dc", "views", "node_list"]);
    assert_eq!(columns.len(), 21);
    assert_eq!(columns[0]["column"], "HOSTNAME");
    lab.ise(&["dc", "views", "nope"]).assert().code(3);
}

#[test]
fn a_statement_is_answered_in_every_format_and_its_errors_are_explained() {
    let lab = Asked::start();
    let sql = "SELECT 1 AS one, 'x' AS text FROM dual";
    assert_eq!(lab.json(&["dc", "sql", sql])[0]["TEXT"], "x");
    let csv = lab
        .ise(&["dc", "sql", sql, "--format", "csv"])
        .assert()
        .success();
    assert_eq!(stdout(&csv), "ONE,TEXT\n1,x\n");
    for (sql, code, word) in [
        ("SELECT * FROM nope", 3, "ORA-00942"),
        ("SELECT nope FROM node_list", 2, "ORA-00904"),
        ("SELECT FROM", 2, "ORA-"),
    ] {
        let assert = lab.ise(&["dc", "sql", sql]).assert().code(code);
        assert!(stderr(&assert).contains(word), "{}", stderr(&assert));
        assert!(stderr(&assert).contains("hint: "), "{}", stderr(&assert));
    }
}

#[test]
fn an_endpoint_has_the_same_story_in_its_history() {
    let lab = Asked::start();
    let sessions = lab.json(&["mnt", "sessions", "--limit", "1"]);
    let mac = sessions[0]["calling_station_id"].as_str().unwrap();
    let session = lab
        .ise(&["mnt", "session", mac, "--json"])
        .assert()
        .success();
    let session: Value = serde_json::from_str(&stdout(&session)).unwrap();
    let history = lab.json(&["dc", "history", mac, "--since", "30d"]);
    let passed = history
        .iter()
        .find(|record| record["what"] == "pass")
        .unwrap();
    assert_eq!(passed["mac"], session["calling_station_id"]);
    assert_eq!(passed["user"], session["user_name"]);
    assert_eq!(passed["nas"], session["network_device_name"]);
    let times: Vec<&str> = history
        .iter()
        .map(|record| record["time"].as_str().unwrap())
        .collect();
    assert!(times.is_sorted_by(|a, b| a >= b), "{times:?}");
}

#[test]
fn failures_endpoints_and_switches_are_asked_for() {
    let lab = Asked::start();
    let failures = lab.json(&["dc", "failures", "--since", "30d"]);
    assert!(
        failures[0]["attempts"].as_str().unwrap() >= "1",
        "{failures:?}"
    );
    lab.json(&["dc", "failures", "--by", "policy-set", "--since", "7d"]);
    let endpoints = lab.json(&["dc", "endpoints", "--limit", "3"]);
    assert_eq!(endpoints.len(), 3);
    let host = endpoints
        .iter()
        .find_map(|endpoint| endpoint["host"].as_str());
    if let Some(host) = host {
        let found = lab.json(&["dc", "endpoints", "--host", host]);
        assert!(found.iter().all(|endpoint| endpoint["host"] == host));
    }
    assert!(!lab.json(&["dc", "last", "--nas"]).is_empty());
    assert!(!lab.json(&["dc", "last"]).is_empty());
    lab.ise(&["dc", "failures", "--by", "nope"])
        .assert()
        .code(2);
}
