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
fn long_texts_and_bytes_are_printed_where_they_are_asked_for() {
    let lab = Asked::start();
    let sql = "SELECT notes, id, picture, text FROM lab_values WHERE id IN (1, 2) ORDER BY id";
    let run = lab.ise(&["dc", "sql", sql, "--json"]).assert().success();
    let rows: Vec<Value> = serde_json::from_str(&stdout(&run)).unwrap();
    let text = "häuser & \"quotes\"";
    assert_eq!(rows[0], serde_json::json!({"ID": "1", "TEXT": text}));
    assert_eq!(rows[1], serde_json::json!({"ID": "2", "TEXT": null}));
    let words = stderr(&run);
    assert!(words.contains(": NOTES, PICTURE; --wide"), "{words}");
    let run = lab.ise(&["dc", "sql", sql, "--wide", "--json"]);
    let run = { run }.assert().success();
    let rows: Vec<Value> = serde_json::from_str(&stdout(&run)).unwrap();
    let all =
        serde_json::json!({"NOTES": "a note", "ID": "1", "PICTURE": "89504E47", "TEXT": text});
    assert_eq!(rows[0], all);
    assert_eq!(stderr(&run), "");
    let run = lab.ise(&["dc", "sql", "SELECT notes FROM lab_values"]);
    let words = stderr(&{ run }.assert().code(2));
    assert!(words.contains("hint: --wide prints them"), "{words}");
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
    // A host name is found in any case of its letters.
    for host in ["workstation.example.com", "WorkStation.Example.COM"] {
        assert_eq!(lab.json(&["dc", "endpoints", "--host", host]).len(), 1);
        assert!(!lab.json(&["dc", "history", "--host", host]).is_empty());
        assert_eq!(lab.json(&["who", host]).len(), 1);
    }
    assert!(!lab.json(&["dc", "last", "--nas"]).is_empty());
    assert!(!lab.json(&["dc", "last"]).is_empty());
    // What is shown is no bound of what is compared.
    for limit in ["1", "3", "1000"] {
        let silent = lab.json(&["dc", "last", "--nas", "--silent", "20d", "--limit", limit]);
        let names: Vec<&Value> = silent.iter().map(|switch| &switch["nas"]).collect();
        assert_eq!(names, ["sw-lab-spare"], "{limit}");
    }
    let silent = lab.ise(&["dc", "last", "--silent", "40d"]).assert().code(2);
    assert!(stderr(&silent).contains("--since"), "{}", stderr(&silent));
    lab.ise(&["dc", "failures", "--by", "nope"])
        .assert()
        .code(2);
}

#[test]
fn the_newest_of_a_group_is_a_time_in_utc_and_the_version_is_in_digits() {
    let lab = Asked::start();
    for words in [
        &["dc", "failures", "--since", "30d"][..],
        &["dc", "failures", "--by", "policy-set"],
        &["dc", "last", "--nas"],
        &["dc", "last"],
    ] {
        for row in lab.json(words) {
            let time = row.get("newest").or_else(|| row.get("last")).unwrap();
            let time: jiff::Timestamp = time.as_str().unwrap().parse().unwrap();
            assert!(time <= jiff::Timestamp::now(), "{words:?}: {row}");
        }
    }
    let status = lab.ise(&["dc", "status", "--verbose", "--json"]);
    let status = stdout(&{ status }.assert().success());
    let status: Value = serde_json::from_str(&status).unwrap();
    let version = status["version"].as_str().unwrap();
    assert!(version.starts_with("19.26.0.0.0"), "{version}");
}

/// As every password and every list: Windows writes a byte order mark, and UTF-16.
#[test]
fn a_statement_and_a_new_password_may_begin_with_a_byte_order_mark() {
    let lab = Asked::start();
    let sql = "SELECT 1 AS one FROM dual;\r\n";
    let marked = format!("\u{feff}{sql}");
    let wide: Vec<u8> = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("one.sql");
    for bytes in [sql.as_bytes(), marked.as_bytes(), &wide] {
        std::fs::write(&file, bytes).unwrap();
        for given in ["-", file.to_str().unwrap()] {
            let mut run = lab.ise(&["dc", "sql", given, "--format", "csv"]);
            let run = run.write_stdin(bytes).assert().success();
            assert_eq!(stdout(&run), "ONE\n1\n", "{given}");
        }
    }
    let mut damaged = lab.ise(&["dc", "sql", "-"]);
    let damaged = damaged.write_stdin(&b"SELECT '\xff'"[..]).assert().code(2);
    let words = stderr(&damaged);
    assert!(words.contains("standard input:1: is no UTF-8"), "{words}");

    let password = directory.path().join("password");
    std::fs::write(&password, "\u{feff}Another-Pass-1\r\n").unwrap();
    let words = ["dc", "password", "--new-password-file"];
    lab.ise(&[&words[..], &[password.to_str().unwrap()]].concat())
        .assert()
        .success();
    let mut run = lab.ise(&["dc", "sql", sql, "--format", "csv"]);
    run.env("ISE_DC_PASS", "Another-Pass-1").assert().success();
    let mut run = lab.ise(&[&words[..], &["-"]].concat());
    run.write_stdin("\u{feff}Third-Password-3\n")
        .assert()
        .success();
    let mut run = lab.ise(&["dc", "sql", sql, "--format", "csv"]);
    run.env("ISE_DC_PASS", "Third-Password-3")
        .assert()
        .success();
    // What no password can have is told, as of other passwords.
    std::fs::write(&password, "Another\tPass-1\n").unwrap();
    let run = lab.ise(&[&words[..], &[password.to_str().unwrap()]].concat());
    let words = stderr(&{ run }.assert().code(2));
    assert!(words.contains("holds a control character"), "{words}");
}
