//! `netapi ise dc live`: authentications of the lab as they come, once each, over the ends of
//! sessions and connections.

use serde_json::Value;

use crate::support::database::{Database, Script, Stage};
use crate::support::lab::{TestLab, lab};
use crate::support::mnt::{MAC, said};
use crate::support::running::Running;

/// `dc live --json` at the lab, following.
fn following(lab: &TestLab, state: &tempfile::TempDir, more: &[&str]) -> Running {
    let words = ["ise", "dc", "live", "--interval", "1s", "--json"];
    let state = state.path().to_str().unwrap();
    let running = lab.start_netapi(&[&words, more].concat(), &[("XDG_STATE_HOME", state)]);
    running.says("following authentications");
    running
}

fn rows(running: &Running) -> Vec<Value> {
    let lines = running.out();
    let row = |line: &String| serde_json::from_str(line).unwrap();
    lines.iter().map(row).collect()
}

/// Each number once, all of this endpoint that passed.
fn are_of(rows: &[Value], mac: &str) {
    let mut ids: Vec<&str> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), rows.len(), "{rows:?}");
    for row in rows {
        assert_eq!(row["mac"], mac);
        assert_eq!(row["what"], "pass");
    }
}

#[test]
fn new_authentications_come_once_and_a_signal_ends_it_with_a_summary() {
    let (lab, state) = (lab(), tempfile::tempdir().unwrap());
    let live = following(&lab, &state, &["--mac", MAC]);
    said(&lab, &["coa", MAC]);
    live.prints(1);
    said(&lab, &["coa", MAC]);
    live.prints(2);
    // The turn is given back between two polls.
    let mut asked = lab.netapi();
    asked.env("XDG_STATE_HOME", state.path());
    asked.args(["ise", "dc", "sql", "SELECT 1 AS one FROM dual"]);
    asked.assert().success();
    are_of(&rows(&live), MAC);
    live.signal(rustix::process::Signal::INT);
    let (signal, err) = live.end_by_signal();
    assert_eq!(signal, Some(2));
    let err = err.join("\n");
    assert!(err.contains("\"passed\":2"), "{err}");
}

#[test]
fn the_end_of_a_session_and_a_lost_connection_cost_nothing() {
    let (lab, state) = (lab(), tempfile::tempdir().unwrap());
    let live = following(&lab, &state, &["--mac", MAC]);
    // The next statement ends the session, as ISE does after a while: nobody need know.
    lab.order("fault dc-session-limit@1");
    said(&lab, &["coa", MAC]);
    live.prints(1);
    assert!(
        !live.err().join("\n").contains("next poll"),
        "{:?}",
        live.err()
    );
    // The next two connections break at a statement: the second is said.
    lab.order("fault dc-drop@2:execute");
    said(&lab, &["coa", MAC]);
    live.says("next poll in");
    live.says("Data Connect answers again");
    live.prints(2);
    lab.order("fault dc-session-limit@1");
    said(&lab, &["coa", MAC]);
    live.prints(3);
    are_of(&rows(&live), MAC);
}

#[test]
fn since_begins_in_the_past_and_a_limit_ends_it() {
    let (lab, state) = (lab(), tempfile::tempdir().unwrap());
    let mut command = lab.netapi();
    command.env("XDG_STATE_HOME", state.path());
    command.args(["ise", "dc", "live", "--since", "3h", "--limit", "5"]);
    let assert = command.args(["--format", "tsv"]).assert().success();
    let out = crate::support::stdout(&assert);
    let mut lines = out.lines();
    assert!(lines.next().unwrap().starts_with("TIME\tWHAT\tMAC\t"));
    let times: Vec<&str> = lines.map(|line| line.split('\t').next().unwrap()).collect();
    assert_eq!(times.len(), 5);
    assert!(times.is_sorted(), "oldest first: {times:?}");
}

#[test]
fn a_wrong_password_is_tried_once_and_ends_it() {
    let database = Database::start(Script::default());
    for words in ["ORA-01017", "not tried"] {
        let mut command = database.dc(&["live", "--interval", "1s"]);
        let assert = command.env("ISE_DC_PASS", "Wrong-Password-1").assert();
        let err = crate::support::stderr(&assert.code(4));
        assert!(err.contains(words), "{err}");
    }
    assert_eq!(database.logons(), 1);
}

#[test]
fn a_signal_during_a_poll_interrupts_the_statement() {
    let database = Database::start(Script {
        silent_at: Some(Stage::Statement),
        ..Script::default()
    });
    let live = Running::start(database.process(&["live"]));
    crate::support::wait_for("the statement", || database.statements() > 0);
    live.signal(rustix::process::Signal::TERM);
    assert_eq!(live.end_by_signal().0, Some(15));
    assert_eq!(database.interrupts(), 1);
}
