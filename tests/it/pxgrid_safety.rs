//! What is shown instead of sent, what is refused, what the trace tells, and the walks that look
//! for faults: `test` and `doctor`.

use serde_json::json;

use crate::pxgrid_commands::table;
use crate::pxgrid_node::plan;
use crate::support::{json, lab, stderr, stdout};

#[test]
fn what_only_shows_sends_nothing_at_all() {
    let deployment = plan().start();
    let text = table(
        &deployment,
        &[
            "anc",
            "apply",
            "--mac",
            "C8:5B:76:00:00:05",
            "--policy",
            "q",
            "--dry-run",
        ],
    );
    assert!(
        text.contains(
            "POST https://{restBaseUrl of com.cisco.ise.config.anc}/applyEndpointByMacAddress"
        ),
        "{text}"
    );
    assert!(text.contains("\"policyName\":\"q\""), "{text}");
    let text = table(&deployment, &["sessions", "--curl"]);
    assert!(
        text.contains("--cert") && text.contains("--key") && text.contains("--cacert"),
        "{text}"
    );
    let text = table(&deployment, &["account", "create", "x", "--dry-run"]);
    assert!(text.contains("/pxgrid/control/AccountCreate"), "{text}");
    let text = table(&deployment, &["services", "session", "--dry-run"]);
    assert!(text.contains("ServiceLookup"), "{text}");
    let text = table(&deployment, &["test", "--dry-run"]);
    assert!(text.contains("AccountActivate"), "{text}");
    let list = "C8:5B:76:00:00:05\nC8:5B:76:00:00:06\n";
    let assert = deployment
        .pxgrid(&["anc", "clear", "--mac", "-", "--dry-run"])
        .write_stdin(list)
        .assert()
        .success();
    assert_eq!(stdout(&assert).matches("POST ").count(), 2);
    assert!(deployment.log().is_empty());
}

#[test]
fn read_only_stops_what_changes_before_anything_is_sent() {
    let deployment = plan().start();
    for arguments in [
        vec![
            "anc",
            "apply",
            "--mac",
            "C8:5B:76:00:00:05",
            "--policy",
            "quarantine",
        ],
        vec!["anc", "clear", "--mac", "-"],
        vec!["anc", "create", "x", "--action", "quarantine"],
        vec!["anc", "delete", "x"],
        vec!["account", "create", "x"],
        vec!["call", "anc", "createPolicy", "{}"],
        vec!["call", "com.example.custom", "purge"],
    ] {
        let assert = deployment
            .pxgrid(&arguments)
            .arg("--read-only")
            .assert()
            .code(2);
        assert!(stderr(&assert).contains("--read-only"), "{arguments:?}");
    }
    assert!(deployment.log().is_empty());
    deployment
        .pxgrid(&["anc", "policies", "--read-only"])
        .assert()
        .success();
}

#[test]
fn the_trace_tells_requests_and_no_secret() {
    let deployment = plan().start();
    let assert = deployment
        .pxgrid(&["sessions", "--trace"])
        .assert()
        .success();
    let trace = stderr(&assert);
    assert!(
        trace.contains("> POST https://localhost:") && trace.contains("getSessions"),
        "{trace}"
    );
    assert!(!trace.contains("secret-of"), "{trace}");
}

#[test]
fn xml_is_not_what_pxgrid_speaks() {
    let deployment = plan().start();
    for arguments in [
        vec!["sessions"],
        vec!["test"],
        vec!["call", "session", "getSessions"],
    ] {
        deployment
            .pxgrid(&arguments)
            .args(["--format", "xml"])
            .assert()
            .code(2);
    }
    assert!(deployment.log().is_empty());
}

#[test]
fn the_whole_path_is_walked_and_told() {
    // The hand-written nodes have no pubsub service: the walk ends there. The lab's test walks to
    // the end.
    let deployment = plan().nodes(2).start();
    let steps = json(&deployment.pxgrid(&["test", "--json"]).assert().code(5));
    let told: Vec<(&str, &str)> = steps
        .as_array()
        .unwrap()
        .iter()
        .map(|step| {
            (
                step["step"].as_str().unwrap(),
                step["result"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("certificate", "ok"),
            ("client name", "ok"),
            ("name", "ok"),
            ("tcp", "ok"),
            ("tls", "ok"),
            ("name", "ok"),
            ("tcp", "ok"),
            ("tls", "ok"),
            ("account", "ok"),
            ("lookup", "ok"),
            ("secret", "ok"),
            ("rest", "ok"),
            ("websocket", "fail"),
        ]
    );
    let text = stdout(&deployment.pxgrid(&["test"]).assert().code(5));
    let results: Vec<_> = text
        .lines()
        .filter_map(|line| line.split('\t').nth(1))
        .collect();
    assert_eq!(
        results.iter().filter(|result| **result == "ok").count(),
        12,
        "{text}"
    );
}

#[test]
fn the_doctor_leaves_out_what_is_not_set_and_looks_at_the_rest() {
    let deployment = plan().start();
    let mut command = crate::support::netapi();
    command
        .args([
            "ise",
            "doctor",
            "--json",
            "--pxgrid-host",
            &deployment.host(0),
        ])
        .args(["--cacert", &deployment.file("ca.pem")])
        .args([
            "--cert",
            &deployment.file("client.pem"),
            "--key",
            &deployment.file("client.key"),
        ]);
    let steps = json(&command.assert().code(5));
    assert_eq!(
        (&steps[0]["step"], &steps[0]["result"]),
        (&json!("mnt"), &json!("warn"))
    );
    let steps = steps.as_array().unwrap();
    assert!(
        steps
            .iter()
            .any(|step| step["step"] == "rest" && step["result"] == "ok"),
        "{steps:?}"
    );
    crate::support::netapi()
        .args(["ise", "doctor"])
        .assert()
        .code(2);
}

#[test]
fn the_doctor_walks_to_the_monitoring_node() {
    let lab = crate::support::lab::lab();
    let mut command = crate::support::netapi();
    for name in [
        "ISE_MNT_FQDN",
        "ISE_MNT_PORT",
        "ISE_MNT_USER",
        "ISE_MNT_PASS",
        "ISE_CA_CERT",
    ] {
        command.env(name, lab.variable(name));
    }
    let steps = json(&command.args(["ise", "doctor", "--json"]).assert().success());
    let told: Vec<(&str, &str)> = steps
        .as_array()
        .unwrap()
        .iter()
        .map(|step| {
            (
                step["step"].as_str().unwrap(),
                step["result"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("mnt settings", "ok"),
            ("name", "ok"),
            ("tcp", "ok"),
            ("tls", "ok"),
            ("mnt version", "ok"),
            ("pxgrid", "warn")
        ]
    );
    command.env("ISE_MNT_PASS", "wrong").assert().code(4);
}

/// A server-side filter that is none is found here, before anything is sent.
#[test]
fn filters_for_the_server_are_checked_before_they_are_sent() {
    let deployment = plan().start();
    for words in [&["sessions"][..], &["sxp", "bindings"]] {
        let mut words = words.to_vec();
        words.extend(["--filter", "a==="]);
        let run = deployment.pxgrid(&words).assert().code(2);
        assert!(
            stderr(&run).contains("'a===' is not a filter"),
            "{}",
            stderr(&run)
        );
    }
    assert!(deployment.log().is_empty());
}

/// An error says what to do: about an operation, a port, an id, a file.
#[test]
fn errors_say_what_to_do() {
    let lab = lab::lab();
    let port = lab.variable("ISE_PXGRID_HOST").replace("localhost:", "");
    let port = port.split(',').next().unwrap();
    let missing = "/nonexistent/file";
    for (words, code, hint) in [
        (
            &["pxgrid", "call", "anc", "fooBar"][..],
            5,
            "is the operation's name right? Those of anc are: getPolicies, ",
        ),
        (
            &["pxgrid", "anc", "status", "nope"],
            3,
            "an id is what apply and clear print",
        ),
        (
            &["mnt", "count", "--mnt-port", port],
            5,
            "is this the Monitoring node and its port",
        ),
        (
            &["pxgrid", "sessions", "--cert", missing],
            2,
            "check the path",
        ),
        (
            &["mnt", "count", "--password-file", missing],
            2,
            "check the path",
        ),
        (
            &["mnt", "count", "--password-file", "/"],
            2,
            "name a file in that directory",
        ),
        (
            &["mnt", "count", "--env-file", missing],
            2,
            "check the path",
        ),
        (
            &[
                "pxgrid",
                "subscribe",
                "--topic",
                "session",
                "--callback",
                missing,
            ],
            2,
            "check the path",
        ),
    ] {
        let run = lab.netapi().arg("ise").args(words).assert().code(code);
        assert!(
            stderr(&run).contains(&format!("\nhint: {hint}")),
            "{words:?}: {}",
            stderr(&run)
        );
    }
}
