//! Every pxGrid command against a deployment that works: its table, its JSON, and what goes over the wire.

use serde_json::{Value, json};

use crate::pxgrid_node::{CLIENT, Deployment, plan};
use crate::support::{json, stderr, stdout};

fn table(deployment: &Deployment, arguments: &[&str]) -> String {
    stdout(&deployment.pxgrid(arguments).assert().success())
}

fn decoded(deployment: &Deployment, arguments: &[&str]) -> Value {
    json(
        &deployment
            .pxgrid(arguments)
            .arg("--json")
            .assert()
            .success(),
    )
}

#[test]
fn sessions_take_four_requests_over_one_connection() {
    let deployment = plan().start();
    let rows = decoded(&deployment, &["sessions"]);
    assert_eq!(rows.as_array().unwrap().len(), 50);
    assert_eq!(
        deployment.operations(),
        [
            "AccountActivate",
            "ServiceLookup",
            "AccessSecret",
            "getSessions"
        ]
    );
    let log = deployment.log();
    assert!(log.iter().all(|one| one.connection == 1), "{log:?}");
    assert_eq!(log[0].basic, format!("{CLIENT}:"));
    assert_eq!(log[3].basic, format!("{CLIENT}:secret-of-~ise-0"));
    assert_eq!(log[3].body, json!({}));
}

#[test]
fn sessions_are_a_table_of_the_documented_columns_and_keep_what_nobody_knows() {
    let deployment = plan().start();
    let text = table(&deployment, &["sessions", "--limit", "1"]);
    assert_eq!(
        text,
        "C8:5B:76:00:00:00\t10.50.10.0\tLAB\\user0\t10.50.1.0\tPOSTURED\tEmployees\tWindows10-Workstation\t2026-03-09T07:40:01.554Z\n"
    );
    let text = stdout(
        &deployment
            .pxgrid(&["sessions", "--limit", "1", "--json"])
            .assert()
            .success(),
    );
    assert!(text.contains("\"newInALaterRelease\""), "{text}");
    let text = table(
        &deployment,
        &["sessions", "--limit", "1", "--format", "csv"],
    );
    assert!(
        text.starts_with("MAC,IP,USER,NAS,STATE,SGT,PROFILE,TIME"),
        "{text}"
    );
}

#[test]
fn the_server_gets_since_and_filter_and_the_rest_is_done_here() {
    let deployment = plan().start();
    let arguments = [
        "sessions",
        "--since",
        "2026-03-09T08:00:00+01:00",
        "--filter",
        "userName=='x'",
        "--state",
        "postured",
        "--nas",
        "10.50.1.0",
        "--user",
        "lab\\user*",
    ];
    let rows = decoded(&deployment, &arguments);
    let macs: Vec<&str> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["macAddress"].as_str().unwrap())
        .collect();
    assert_eq!(macs.len(), 5, "{macs:?}");
    assert_eq!(
        deployment.log()[3].body,
        json!({"startTimestamp": "2026-03-09T07:00:00Z", "filter": "userName=='x'"})
    );
    deployment
        .pxgrid(&["sessions", "--state", "gone"])
        .assert()
        .code(2);
    deployment
        .pxgrid(&["sessions", "--since", "yesterday"])
        .assert()
        .code(2);
}

#[test]
fn one_session_by_mac_and_by_address() {
    let deployment = plan().start();
    let text = table(&deployment, &["session", "c85b.7600.0003"]);
    assert!(text.contains("macAddress\tC8:5B:76:00:00:03\n"), "{text}");
    let one = decoded(&deployment, &["session", "--ip", "10.50.10.3"]);
    assert_eq!(one["userName"], "LAB\\user3");
    let assert = deployment
        .pxgrid(&["session", "00:00:00:00:00:01"])
        .assert()
        .code(3);
    assert!(
        stderr(&assert).contains("00:00:00:00:00:01"),
        "{}",
        stderr(&assert)
    );
    deployment.pxgrid(&["session"]).assert().code(2);
}

#[test]
fn groups_of_all_of_one_and_of_nobody() {
    let deployment = plan().start();
    assert_eq!(table(&deployment, &["groups"]), "pat\tStaff, VPN\n");
    assert_eq!(decoded(&deployment, &["groups", "pat"])[0]["name"], "Staff");
    deployment.pxgrid(&["groups", "nobody"]).assert().code(3);
}

#[test]
fn services_by_name_and_all() {
    let deployment = plan().start();
    let text = table(&deployment, &["services", "session"]);
    assert!(
        text.starts_with("com.cisco.ise.session\t~ise-0\thttps://localhost:"),
        "{text}"
    );
    assert!(
        text.trim_end().ends_with("/topic/com.cisco.ise.session"),
        "{text}"
    );
    let all = decoded(&deployment, &["services"]);
    let names: Vec<&str> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert!(
        names.contains(&"com.cisco.ise.config.anc") && !names.contains(&"com.cisco.ise.echo"),
        "{names:?}"
    );
    let assert = deployment
        .pxgrid(&["services", "com.example.nobody"])
        .assert()
        .code(6);
    assert!(stderr(&assert).contains("com.example.nobody"));
}

#[test]
fn accounts_are_made_activated_and_shown() {
    let deployment = plan().start();
    assert_eq!(
        decoded(&deployment, &["account", "create", "reporter"]),
        json!({"nodeName": "reporter", "password": "made-by-ise", "userName": "reporter"})
    );
    assert_eq!(deployment.log()[0].basic, "");
    assert_eq!(
        decoded(&deployment, &["account", "activate"])["accountState"],
        "ENABLED"
    );
    let shown = decoded(&deployment, &["account", "show"]);
    assert_eq!(shown["nodeName"], CLIENT);
    assert!(
        shown["certificate"]["subject"]
            .as_str()
            .unwrap()
            .contains(CLIENT)
    );
    assert!(table(&deployment, &["account", "show"]).contains("accountState\tENABLED\n"));
    deployment
        .pxgrid(&["account", "create", "no good"])
        .assert()
        .code(2);
}

#[test]
fn a_password_account_uses_its_password_for_control_and_the_secret_for_services() {
    let deployment = plan().clients(crate::pxgrid_node::Clients::Anyone).start();
    let mut command = deployment.without_certificate(&["anc", "policies"]);
    command
        .env("ISE_PXGRID_CLIENT_NAME", CLIENT)
        .env("ISE_PXGRID_PASSWORD", "hunter2")
        .assert()
        .success();
    let log = deployment.log();
    assert_eq!(log[0].basic, format!("{CLIENT}:hunter2"));
    assert_eq!(log[3].basic, format!("{CLIENT}:secret-of-~ise-0"));
}

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

#[test]
fn the_other_services_have_a_table_and_json_each() {
    let deployment = plan().start();
    for (arguments, first) in [
        (vec!["trustsec", "groups"], "4\tEmployees\td\t1\n"),
        (vec!["trustsec", "acls"], "Deny\tIPV4\t\t0\t2\n"),
        (
            vec!["trustsec", "policies", "--matrix", "m"],
            "cell\tENABLED\t\t\t2\tm\n",
        ),
        (vec!["trustsec", "matrices"], "Production\t\tfalse\t5\n"),
        (vec!["trustsec", "networks"], "Campus\t3\t\n"),
        (
            vec!["sxp", "bindings"],
            "10.0.0.1/32\t4\t10.0.0.9\t10.0.0.9\tdefault\n",
        ),
        (
            vec!["radius", "failures"],
            "2026-03-09T07:40:01Z\tC8:5B:76:00:00:09\tpat\t5440 Endpoint abandoned EAP session\t10.50.1.1\tise-psn-1\t77\n",
        ),
        (
            vec!["profiler", "profiles"],
            "Apple-Device\tApple-Device:x\t6\n",
        ),
        (
            vec!["mdm", "endpoints"],
            "C8:5B:76:00:00:01\ttrue\t\t\t17.1\t\t\n",
        ),
        (
            vec!["mdm", "endpoints", "--type", "non-compliant"],
            "C8:5B:76:00:00:02\t\t\tphone\t\t\t\n",
        ),
        (
            vec!["mdm", "endpoints", "--os", "ios"],
            "C8:5B:76:00:00:02\t\t\tphone\t\t\t\n",
        ),
        (
            vec!["system", "health"],
            "2026-03-09T07:40:01Z\tise-psn-1\t12.5\t40.0\t\t\t\t\n",
        ),
        (
            vec!["system", "performance"],
            "2026-03-09T07:40:01Z\tise-psn-1\t3.1\t9\t8\n",
        ),
    ] {
        assert_eq!(table(&deployment, &arguments), first, "{arguments:?}");
        assert_eq!(
            decoded(&deployment, &arguments).as_array().unwrap().len(),
            1,
            "{arguments:?}"
        );
    }
    assert_eq!(
        decoded(&deployment, &["radius", "failure", "77"])["id"],
        "77"
    );
    deployment
        .pxgrid(&["radius", "failure", "78"])
        .assert()
        .code(3);
    assert_eq!(
        decoded(&deployment, &["mdm", "endpoints", "C8:5B:76:00:00:01"])["registered"],
        true
    );
    assert_eq!(
        decoded(&deployment, &["posture", "macs"])["macAddresses"][0],
        "C8:5B:76:00:00:05"
    );
    let data = decoded(
        &deployment,
        &["posture", "data", "c85b76000005", "--category", "app"],
    );
    assert_eq!(
        data,
        json!({"category": "app", "macAddresses": ["C8:5B:76:00:00:05"]})
    );
}

#[test]
fn requests_carry_what_the_options_say() {
    let deployment = plan().start();
    for (arguments, body) in [
        (
            vec!["sxp", "bindings", "--filter", "tag == `5`"],
            json!({"filter": "tag == `5`"}),
        ),
        (
            vec!["radius", "failures", "--since", "2026-03-09T07:00:00Z"],
            json!({"startTimestamp": "2026-03-09T07:00:00Z"}),
        ),
        (
            vec!["system", "health", "--node", "n"],
            json!({"nodeName": "n"}),
        ),
        (
            vec!["mdm", "endpoints", "--type", "NON_COMPLIANT"],
            json!({"type": "NON_COMPLIANT"}),
        ),
        (
            vec!["mdm", "endpoints", "--os", "windows"],
            json!({"osType": "WINDOWS"}),
        ),
        (
            vec!["trustsec", "groups", "--limit", "5"],
            json!({"recordCount": 5, "startIndex": 0}),
        ),
    ] {
        deployment.pxgrid(&arguments).assert().success();
        assert_eq!(deployment.log().pop().unwrap().body, body, "{arguments:?}");
    }
}

#[test]
fn paged_services_are_read_to_the_end_unless_limited() {
    let deployment = plan().start();
    assert_eq!(table(&deployment, &["endpoints"]).lines().count(), 2500);
    let starts: Vec<u64> = deployment
        .log()
        .iter()
        .filter(|one| one.operation == "getEndpoints")
        .map(|one| one.body["startIndex"].as_u64().unwrap())
        .collect();
    assert_eq!(starts, [0, 1000, 2000]);
    let limited = plan().start();
    assert_eq!(
        table(&limited, &["endpoints", "--limit", "7"])
            .lines()
            .count(),
        7
    );
    let log = limited.log();
    assert_eq!(log.len(), 4);
    assert_eq!(
        log[3].body,
        json!({"order": "ASC", "startIndex": 0, "count": 7})
    );
}

#[test]
fn call_prints_the_answer_as_it_came() {
    let body = "{\"v\": 1.10,\n  \"list\": [ 1, 2 ]}";
    let deployment = plan().answering("query", 200, body).start();
    let arguments = ["call", "com.example.custom", "query", "{\"a\": 1.10}"];
    assert_eq!(table(&deployment, &arguments), format!("{body}\n"));
    assert_eq!(
        deployment.log()[1].body,
        json!({"name": "com.example.custom"})
    );
    assert_eq!(deployment.log()[3].body.to_string(), "{\"a\":1.10}");
    let assert = deployment
        .pxgrid(&arguments)
        .args(["--jq", ".list[1]"])
        .assert()
        .success();
    assert_eq!(stdout(&assert), "2\n");
    let assert = deployment
        .pxgrid(&["call", "echo2", "query", "-"])
        .write_stdin("{\"b\":2}")
        .assert()
        .success();
    drop(assert);
    assert_eq!(deployment.log().pop().unwrap().body, json!({"b": 2}));
    for wrong in ["[1]", "{", "nope"] {
        deployment
            .pxgrid(&["call", "x", "query", wrong])
            .assert()
            .code(2);
    }
    deployment.pxgrid(&["call", "x", "a/b"]).assert().code(2);
    deployment
        .pxgrid(&[
            "call",
            "session",
            "getSessionByMacAddress",
            "{\"macAddress\":\"x\"}",
        ])
        .assert()
        .code(3);
    deployment
        .pxgrid(&["call", "com.example.custom", "getNothing"])
        .assert()
        .success()
        .stdout("");
}

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
    let deployment = plan().nodes(2).start();
    let steps = decoded(&deployment, &["test"]);
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
        ]
    );
    assert!(
        table(&deployment, &["test"])
            .lines()
            .all(|line| line.split('\t').nth(1) == Some("ok"))
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
    let steps = json(&command.assert().success());
    assert_eq!(
        (&steps[0]["step"], &steps[0]["result"]),
        (&json!("mnt"), &json!("warn"))
    );
    let last = steps.as_array().unwrap().last().unwrap();
    assert_eq!(
        (&last["step"], &last["result"]),
        (&json!("rest"), &json!("ok"))
    );
    crate::support::netapi()
        .args(["ise", "doctor"])
        .assert()
        .code(2);
}

#[cfg(feature = "lab")]
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
