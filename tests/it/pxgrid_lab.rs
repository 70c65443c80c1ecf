//! The pxGrid commands against the lab, whole: what goes over the wire, and the lab's own faults
//! with message, exit status and requests.

use std::collections::{HashMap, HashSet};

use assert_cmd::Command;
use netapi::testing::lab::{LabOptions, RequestEntry};

use crate::support::lab::{TestLab, faulty, lab, with};
use crate::support::{json, stderr, stdout};

fn pxgrid(lab: &TestLab, arguments: &[&str]) -> Command {
    let mut command = lab.netapi();
    command.args(["ise", "pxgrid"]).args(arguments);
    command
}

/// The last segments of the paths that arrived.
fn operations(lab: &TestLab) -> Vec<String> {
    let last = |entry: &RequestEntry| entry.path.rsplit('/').next().unwrap().to_owned();
    lab.entries().iter().map(last).collect()
}

fn count(lab: &TestLab, operation: &str) -> usize {
    operations(lab)
        .iter()
        .filter(|one| *one == operation)
        .count()
}

#[test]
fn fifty_sessions_take_four_requests_and_one_connection_a_node() {
    let lab = lab();
    let rows = json(&pxgrid(&lab, &["sessions", "--json"]).assert().success());
    assert_eq!(rows.as_array().unwrap().len(), 50);
    assert_eq!(
        operations(&lab),
        [
            "AccountActivate",
            "ServiceLookup",
            "AccessSecret",
            "getSessions"
        ]
    );
    let mut connections: HashMap<String, HashSet<u64>> = HashMap::new();
    for entry in lab.entries() {
        assert_eq!(entry.user.as_deref(), Some("lab-client"));
        connections
            .entry(entry.node)
            .or_default()
            .insert(entry.connection);
    }
    assert!(
        connections.values().all(|numbers| numbers.len() == 1),
        "{connections:?}"
    );
}

#[test]
fn every_reading_command_has_rows_in_table_and_json() {
    let lab = lab();
    for arguments in [
        vec!["services"],
        vec!["services", "anc"],
        vec!["sessions"],
        vec!["groups"],
        vec!["anc", "policies"],
        vec!["trustsec", "groups"],
        vec!["trustsec", "acls"],
        vec!["trustsec", "policies"],
        vec!["trustsec", "matrices"],
        vec!["trustsec", "networks"],
        vec!["sxp", "bindings"],
        vec!["radius", "failures"],
        vec!["profiler", "profiles"],
        vec!["mdm", "endpoints"],
        vec!["mdm", "endpoints", "--os", "ios"],
        vec!["mdm", "endpoints", "--type", "registered"],
        vec!["system", "health"],
        vec!["system", "performance"],
        vec!["endpoints"],
        vec!["test"],
    ] {
        let text = stdout(&pxgrid(&lab, &arguments).assert().success());
        let rows = json(&pxgrid(&lab, &arguments).arg("--json").assert().success());
        let rows = rows.as_array().unwrap().len();
        assert!(rows > 0, "{arguments:?}");
        assert_eq!(text.lines().count(), rows, "{arguments:?}: {text}");
    }
}

#[test]
fn an_endpoint_is_quarantined_and_let_go() {
    let lab = lab();
    let mac = stdout(
        &pxgrid(&lab, &["sessions", "--limit", "1", "--fields", "MAC"])
            .assert()
            .success(),
    );
    let mac = mac.trim();
    let apply = ["anc", "apply", "--mac", mac, "--policy", "Quarantine"];
    pxgrid(&lab, &apply).assert().success();
    let again = pxgrid(&lab, &apply).assert().success();
    assert!(stderr(&again).contains("already"), "{}", stderr(&again));
    let one = json(
        &pxgrid(&lab, &["anc", "endpoint", mac, "--json"])
            .assert()
            .success(),
    );
    assert_eq!(one["policyName"], "Quarantine");
    pxgrid(&lab, &["anc", "clear", "--mac", mac])
        .assert()
        .success();
    let none = pxgrid(&lab, &["anc", "clear", "--mac", mac])
        .assert()
        .code(5);
    assert!(stderr(&none).contains("not associated with a policy"));
    let missing = pxgrid(&lab, &["anc", "apply", "--mac", mac, "--policy", "nope"])
        .assert()
        .code(5);
    assert!(
        stderr(&missing).contains("Policy is not configured"),
        "{}",
        stderr(&missing)
    );
    // By MAC address the endpoint need not be on the network; by IP address it must.
    pxgrid(
        &lab,
        &[
            "anc",
            "apply",
            "--mac",
            "02:00:00:00:00:99",
            "--policy",
            "Quarantine",
        ],
    )
    .assert()
    .success();
    pxgrid(
        &lab,
        &[
            "anc",
            "apply",
            "--ip",
            "192.0.2.99",
            "--policy",
            "Quarantine",
        ],
    )
    .assert()
    .code(5);
}

#[test]
fn policies_come_and_go() {
    let lab = lab();
    pxgrid(
        &lab,
        &["anc", "create", "bounce2", "--action", "port-bounce"],
    )
    .assert()
    .success();
    pxgrid(
        &lab,
        &["anc", "create", "bounce2", "--action", "port-bounce"],
    )
    .assert()
    .code(5);
    pxgrid(&lab, &["anc", "delete", "bounce2"])
        .assert()
        .success();
    pxgrid(&lab, &["anc", "delete", "bounce2"]).assert().code(3);
}

#[test]
fn the_labs_faults_end_as_the_contract_says() {
    for (fault, arguments, code, word) in [
        ("account-pending", vec!["sessions"], 8, "awaits approval"),
        ("account-disabled", vec!["sessions"], 4, "disabled"),
        (
            "account-create-403",
            vec!["account", "create", "x"],
            4,
            "does not allow password accounts",
        ),
        (
            "account-create-503",
            vec!["account", "create", "x"],
            4,
            "does not allow password accounts",
        ),
        ("lookup-empty", vec!["sessions"], 6, "com.cisco.ise.session"),
        ("secret-refused", vec!["sessions"], 4, "access secret"),
        ("policy-refused", vec!["sessions"], 4, "'gets'"),
        (
            "client-cert-refused",
            vec!["sessions"],
            6,
            "refused our client certificate",
        ),
        (
            "wrong-shape:getSessions",
            vec!["sessions"],
            5,
            "has no list 'sessions'",
        ),
        (
            "huge-element:getSessions",
            vec!["sessions"],
            5,
            "over the bound",
        ),
        (
            "anc-failure",
            vec![
                "anc",
                "apply",
                "--mac",
                "02:00:00:00:00:01",
                "--policy",
                "Quarantine",
            ],
            5,
            "did not carry out",
        ),
        (
            "anc-running",
            vec![
                "anc",
                "apply",
                "--mac",
                "02:00:00:00:00:01",
                "--policy",
                "Quarantine",
                "--wait",
                "300ms",
            ],
            8,
            "still running",
        ),
        // Nobody asks who we are: then there is only a password, and we have none.
        ("tls-no-client-auth", vec!["sessions"], 4, "HTTP 401"),
        ("tls-expired", vec!["sessions"], 6, "expired"),
        (
            "tls-wrong-name",
            vec!["sessions"],
            6,
            "is not for localhost",
        ),
        ("tls-unknown-issuer", vec!["sessions"], 6, "not trusted"),
    ] {
        let lab = faulty(&[fault]);
        let assert = pxgrid(&lab, &arguments).assert().code(code);
        let said = stderr(&assert);
        assert!(said.contains(word), "{fault}: no {word:?} in {said}");
        assert!(
            said.contains("hint: ") || code == 5,
            "{fault}: no hint in {said}"
        );
    }
}

#[test]
fn faults_that_only_cost_a_detour() {
    for (fault, secrets) in [
        ("dead-replica", None),
        ("dead-replica-shuffled", None),
        ("secret-refused-once", Some(2)),
        ("secret-ignored", Some(1)),
    ] {
        let lab = faulty(&[fault]);
        let rows = json(&pxgrid(&lab, &["sessions", "--json"]).assert().success());
        assert_eq!(rows.as_array().unwrap().len(), 50, "{fault}");
        if let Some(secrets) = secrets {
            assert_eq!(count(&lab, "AccessSecret"), secrets, "{fault}");
        }
    }
}

#[test]
fn ten_thousand_sessions_and_their_endpoints_are_read_to_the_end() {
    let lab = with(LabOptions {
        sessions: 10_000,
        ..LabOptions::default()
    });
    let text = stdout(
        &pxgrid(&lab, &["sessions", "--format", "jsonl"])
            .assert()
            .success(),
    );
    assert_eq!(text.lines().count(), 10_000);
    let text = stdout(&pxgrid(&lab, &["endpoints"]).assert().success());
    let distinct: HashSet<&str> = text.lines().collect();
    assert_eq!(distinct.len(), text.lines().count());
    assert!(count(&lab, "getEndpoints") > 1);
}

#[test]
fn the_doctor_walks_both_paths() {
    let lab = lab();
    let mut command = lab.netapi();
    let steps = json(&command.args(["ise", "doctor", "--json"]).assert().success());
    let names: Vec<&str> = steps
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["step"].as_str().unwrap())
        .collect();
    assert!(
        names.contains(&"mnt version") && names.last() == Some(&"stomp"),
        "{names:?}"
    );
    assert!(
        steps
            .as_array()
            .unwrap()
            .iter()
            .all(|step| step["result"] == "ok"),
        "{steps}"
    );
}

/// What is wrong with the way to the Monitoring node is no reason to look less far at pxGrid.
#[test]
fn the_doctor_walks_the_path_to_pxgrid_though_the_password_is_wrong() {
    let lab = lab();
    let mut command = lab.netapi();
    let command = command.env("ISE_MNT_PASS", "wrong");
    let run = command.args(["ise", "doctor", "--json"]).assert().code(4);
    let steps = json(&run);
    let of = |name: &str| {
        let mut steps = steps.as_array().unwrap().iter();
        steps.find(|step| step["step"] == name).unwrap()["result"].clone()
    };
    assert_eq!(of("mnt version"), "fail");
    for step in ["secret", "rest", "websocket", "stomp"] {
        assert_eq!(of(step), "ok", "{steps}");
    }
}
