//! `netapi help queries`: each command and each statement of it is run against the lab, as a shell
//! runs it, and has rows.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::support::lab::{TestLab, lab};
use crate::support::mnt::MAC;
use crate::support::{netapi, stdout};

/// The views that questions of operators are answered from.
const VIEWS: [&str; 18] = [
    "RADIUS_ERRORS_VIEW",
    "FAILURE_CODE_CAUSE",
    "RADIUS_ACCOUNTING",
    "ENDPOINT_IDENTITY_GROUPS",
    "POSTURE_ASSESSMENT_BY_CONDITION",
    "POSTURE_ASSESSMENT_BY_ENDPOINT",
    "TACACS_COMMAND_ACCOUNTING",
    "TACACS_ACCOUNTING_LAST_TWO_DAYS",
    "TACACS_AUTHORIZATION",
    "KEY_PERFORMANCE_METRICS",
    "SYSTEM_SUMMARY",
    "ADAPTIVE_NETWORK_CONTROL",
    "CHANGE_CONFIGURATION_AUDIT",
    "OPENAPI_OPERATIONS",
    "ADMINISTRATOR_LOGINS",
    "MISCONFIGURED_NAS_VIEW",
    "MISCONFIGURED_SUPPLICANTS_VIEW",
    "NODE_LIST",
];

/// The commands of the topic, each with the lines that belong to it.
fn commands(topic: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    for line in topic.lines() {
        if line.starts_with("  netapi ") {
            commands.push(line.trim().to_owned());
        } else if line.starts_with("    ") {
            let last = commands.last_mut().unwrap();
            last.push('\n');
            last.push_str(line);
        }
    }
    commands
}

/// What a shell that the lab began runs.
fn rows(lab: &TestLab, command: &str) -> Vec<Value> {
    let program = Path::new(env!("CARGO_BIN_EXE_netapi")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    // What a node bears in one go is not for so many questions.
    let state = tempfile::tempdir().unwrap();
    let run = Command::new("/bin/sh")
        .args(["-c", &format!("{command} --json")])
        .envs(lab.environment())
        .env("PATH", path)
        .env("HOME", "/nonexistent")
        .env("XDG_STATE_HOME", state.path())
        .output()
        .unwrap();
    assert!(run.status.success(), "{command}: {run:?}");
    serde_json::from_slice(&run.stdout).unwrap()
}

/// It has rows, and a statement no column that is empty in all of them: that would say nothing of
/// whether its name is right.
fn look(lab: &TestLab, command: &str) {
    let rows = rows(lab, command);
    assert!(!rows.is_empty(), "{command}");
    if !command.contains(" dc sql ") {
        return;
    }
    for name in rows[0].as_object().unwrap().keys() {
        let known = rows.iter().any(|row| !row[name].is_null());
        assert!(known, "{name} is always empty: {command}");
    }
}

#[test]
fn every_question_of_the_topic_is_answered_by_the_lab() {
    let lab = lab();
    let order = ["ise", "pxgrid", "anc", "apply", "--mac", MAC];
    let order = [&order[..], &["--policy", "Quarantine"]].concat();
    lab.netapi().args(order).assert().success();
    let topic = stdout(&netapi().args(["help", "queries"]).assert().success());
    let commands = commands(&topic);
    // Several at a time: each is a process that logs on.
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(command) = commands.get(next.fetch_add(1, Ordering::Relaxed)) {
                    look(&lab, command);
                }
            });
        }
    });
    let statements = commands.join("\n");
    for view in VIEWS {
        let mut words = statements.split_whitespace();
        let asked = words.any(|word| word.trim_matches('"') == view);
        assert!(asked, "nothing asks {view}");
    }
}
