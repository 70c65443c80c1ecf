//! Adaptive Network Control from the command line: what is ordered, how its outcome is awaited and
//! told.

use serde_json::json;

use crate::pxgrid_commands::{decoded, table};
use crate::pxgrid_node::{Answer, plan};
use crate::support::{stderr, stdout};

#[test]
fn anc_reads() {
    let deployment = plan().start();
    assert_eq!(
        table(&deployment, &["anc", "policies"]),
        "quarantine\tQUARANTINE\n"
    );
    assert_eq!(
        decoded(&deployment, &["anc", "policy", "quarantine"])["name"],
        "quarantine"
    );
    assert_eq!(
        table(&deployment, &["anc", "endpoints"]),
        "C8:5B:76:00:00:01\tquarantine\n"
    );
    assert_eq!(
        table(&deployment, &["anc", "endpoints", "--by-nas"]),
        "C8:5B:76:00:00:01\t10.50.1.1\tquarantine\n"
    );
    assert_eq!(
        decoded(&deployment, &["anc", "endpoint", "C8:5B:76:00:00:01"])["policyName"],
        "quarantine"
    );
    decoded(
        &deployment,
        &["anc", "endpoint", "C8:5B:76:00:00:01", "--nas", "10.50.1.1"],
    );
    let last = deployment.log().pop().unwrap();
    assert_eq!(last.operation, "getEndpointByNasIpAddress");
    for missing in [
        ["anc", "policy", "nope"],
        ["anc", "endpoint", "C8:5B:76:00:00:30"],
        ["anc", "status", "ise:404"],
    ] {
        deployment.pxgrid(&missing).assert().code(3);
    }
}

#[test]
fn anc_policies_are_made_and_deleted_without_a_question() {
    let deployment = plan().start();
    let made = decoded(
        &deployment,
        &["anc", "create", "bounce", "--action", "port-bounce"],
    );
    assert_eq!(made, json!({"name": "bounce", "actions": ["PORT_BOUNCE"]}));
    assert_eq!(
        table(&deployment, &["anc", "delete", "quarantine"]),
        "deleted\tquarantine\n"
    );
    let assert = deployment
        .pxgrid(&["anc", "delete", "nope"])
        .assert()
        .code(3);
    assert!(stderr(&assert).contains("anc policies"));
    deployment
        .pxgrid(&["anc", "create", "x", "--action", "explode"])
        .assert()
        .code(2);
}

#[test]
fn orders_wait_for_their_outcome() {
    let deployment = plan().start();
    let done = decoded(
        &deployment,
        &[
            "anc",
            "apply",
            "--mac",
            "C8:5B:76:00:00:07",
            "--policy",
            "quarantine",
        ],
    );
    assert_eq!(done["status"], "SUCCESS");
    assert_eq!(
        deployment.operations()[3..],
        ["applyEndpointByMacAddress", "getOperationStatus"]
    );
    let arguments = [
        "anc",
        "apply",
        "--mac",
        "C8:5B:76:00:00:07",
        "--policy",
        "quarantine",
        "--no-wait",
    ];
    assert_eq!(decoded(&deployment, &arguments)["status"], "RUNNING");
    let arguments = [
        "anc",
        "apply",
        "--mac",
        "C8:5B:76:00:00:99",
        "--policy",
        "quarantine",
        "--wait",
        "300ms",
    ];
    let assert = deployment.pxgrid(&arguments).assert().code(8);
    assert!(
        stderr(&assert).contains("anc status ise:99"),
        "{}",
        stderr(&assert)
    );
    assert!(stdout(&assert).contains("ise:99"));
    assert_eq!(
        decoded(&deployment, &["anc", "status", "ise:99"])["status"],
        "RUNNING"
    );
    let assert = deployment
        .pxgrid(&["anc", "status", "ise:8"])
        .assert()
        .code(5);
    assert!(stderr(&assert).contains("Session lookup failure"));
}

#[test]
fn orders_go_by_mac_by_address_and_by_network_device() {
    let deployment = plan().start();
    for (arguments, operation, body) in [
        (
            vec!["apply", "--mac", "c85b76000005", "--policy", "quarantine"],
            "applyEndpointByMacAddress",
            json!({"macAddress": "C8:5B:76:00:00:05", "policyName": "quarantine"}),
        ),
        (
            vec!["apply", "--ip", "10.50.10.5", "--policy", "quarantine"],
            "applyEndpointByIpAddress",
            json!({"ipAddress": "10.50.10.5", "policyName": "quarantine"}),
        ),
        (
            vec![
                "apply",
                "--mac",
                "C8:5B:76:00:00:05",
                "--nas",
                "10.50.1.1",
                "--policy",
                "quarantine",
            ],
            "applyEndpointPolicy",
            json!({"macAddress": "C8:5B:76:00:00:05", "nasIpAddress": "10.50.1.1", "policyName": "quarantine"}),
        ),
        (
            vec!["clear", "--mac", "C8:5B:76:00:00:05"],
            "clearEndpointByMacAddress",
            json!({"macAddress": "C8:5B:76:00:00:05"}),
        ),
        (
            vec!["clear", "--ip", "10.50.10.5"],
            "clearEndpointByIpAddress",
            json!({"ipAddress": "10.50.10.5"}),
        ),
        (
            vec!["clear", "--mac", "C8:5B:76:00:00:05", "--nas", "10.50.1.1"],
            "clearEndpointPolicy",
            json!({"macAddress": "C8:5B:76:00:00:05", "nasIpAddress": "10.50.1.1"}),
        ),
    ] {
        let arguments: Vec<&str> = std::iter::once("anc").chain(arguments).collect();
        deployment.pxgrid(&arguments).assert().success();
        let last = deployment.log().pop().unwrap();
        assert_eq!((last.operation.as_str(), last.body), (operation, body));
    }
    for wrong in [
        vec!["anc", "apply", "--policy", "q"],
        vec!["anc", "apply", "--mac", "C8:5B:76:00:00:05"],
        vec![
            "anc", "apply", "--ip", "10.0.0.1", "--nas", "10.0.0.2", "--policy", "q",
        ],
        vec![
            "anc",
            "clear",
            "--mac",
            "C8:5B:76:00:00:05",
            "--ip",
            "10.0.0.1",
        ],
    ] {
        deployment.pxgrid(&wrong).assert().code(2);
    }
}

#[test]
fn a_policy_that_is_there_already_counts_as_done_and_says_so() {
    let deployment = plan().start();
    let arguments = [
        "anc",
        "apply",
        "--mac",
        "C8:5B:76:00:00:01",
        "--policy",
        "quarantine",
    ];
    let assert = deployment.pxgrid(&arguments).assert().success();
    assert!(
        stderr(&assert).contains("C8:5B:76:00:00:01 had the policy quarantine already"),
        "{}",
        stderr(&assert)
    );
}

/// Nothing in an answer to a change is no "nobody knows it": the change was sent.
#[test]
fn an_answer_without_a_body_says_that_the_change_was_sent() {
    const MAC: &str = "C8:5B:76:00:00:01";
    let deployment = plan()
        .when(|arrived| {
            let known = ["get", "Account", "Service", "AccessSecret"];
            let change = !known
                .iter()
                .any(|begin| arrived.operation.starts_with(begin));
            change.then(|| Answer::Text(204, String::new()))
        })
        .start();
    for arguments in [
        &["anc", "apply", "--mac", MAC, "--policy", "quarantine"][..],
        &[
            "anc",
            "apply",
            "--ip",
            "10.50.10.1",
            "--policy",
            "quarantine",
        ],
        &["anc", "clear", "--mac", MAC],
    ] {
        let run = deployment.pxgrid(arguments).assert().code(5);
        let said = stderr(&run);
        assert!(
            said.contains("was sent, and what became of it is not known"),
            "{said}"
        );
        assert!(
            said.contains("hint: look with `netapi ise pxgrid anc endpoint"),
            "{said}"
        );
    }
    let list = ["anc", "apply", "--mac", "-", "--policy", "quarantine"];
    let run = deployment.pxgrid(&list).write_stdin(MAC).assert().code(1);
    let row = stdout(&run);
    assert!(
        row.starts_with(&format!(
            "{MAC}\tfailed\tquarantine for {MAC} was sent, and"
        )),
        "{row}"
    );
    // Of a new policy there is nothing more to say than that it is there.
    let made = decoded(
        &deployment,
        &["anc", "create", "new", "--action", "quarantine"],
    );
    assert_eq!(made, json!({"name": "new", "actions": ["QUARANTINE"]}));
    let body = format!(r#"{{"macAddress":"{MAC}","policyName":"quarantine"}}"#);
    let call = ["call", "anc", "applyEndpointByMacAddress", &body];
    let run = deployment.pxgrid(&call).assert().success();
    assert!(
        stderr(&run).contains("the answer is empty (HTTP 204)"),
        "{}",
        stderr(&run)
    );
    // A policy that is to be deleted and is not there is another matter.
    let run = deployment
        .pxgrid(&["anc", "delete", "nope"])
        .assert()
        .code(3);
    assert!(stderr(&run).contains("hint: "), "{}", stderr(&run));
}

/// A command in a hint is one that may be pasted, whatever the server calls an operation.
#[test]
fn what_a_server_names_stands_quoted_in_the_command_of_a_hint() {
    const ID: &str = "1'; touch harm #";
    let status = json!({"operationId": ID, "status": "RUNNING"}).to_string();
    let deployment = plan()
        .answering("applyEndpointByMacAddress", 200, &status)
        .start();
    let apply = [
        "anc",
        "apply",
        "--mac",
        "C8:5B:76:00:00:01",
        "--policy",
        "quarantine",
    ];
    let quoted = r"`netapi ise pxgrid anc status '1'\''; touch harm #'`";
    let run = deployment.pxgrid(&apply).args(["--wait", "1s"]).assert();
    assert!(stderr(&run).contains(quoted), "{}", stderr(&run));
    let list = [
        "anc",
        "apply",
        "--mac",
        "-",
        "--policy",
        "quarantine",
        "--no-wait",
    ];
    let run = deployment
        .pxgrid(&list)
        .write_stdin("C8:5B:76:00:00:01")
        .assert();
    assert!(stdout(&run).contains(quoted), "{}", stdout(&run));
}
