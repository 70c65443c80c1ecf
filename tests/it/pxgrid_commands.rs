//! Every pxGrid command against a deployment that works: its table, its JSON, and what goes over
//! the wire.

use serde_json::{Value, json};

use crate::pxgrid_node::{Answer, CLIENT, Deployment, plan};
use crate::support::{json, stderr, stdout};

pub(crate) fn table(deployment: &Deployment, arguments: &[&str]) -> String {
    stdout(&deployment.pxgrid(arguments).assert().success())
}

pub(crate) fn decoded(deployment: &Deployment, arguments: &[&str]) -> Value {
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
        "C8:5B:76:00:00:00\t10.50.10.0\tLAB\\user0\t10.50.1.0\tPOSTURED\tEmployees\tWindows10-Workstation\t2026-03-09T07:40:01.554Z\t\n"
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
        text.starts_with("MAC,IP,USER,NAS,STATE,SGT,PROFILE,TIME,METHOD\n"),
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
        .pxgrid(&["sessions", "--since", "tomorrow"])
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

/// A VPN client's row shows the address that it comes from in the place of a MAC address; ISE
/// itself finds sessions by inner addresses only.
#[test]
fn a_vpn_session_is_found_by_the_address_that_its_row_shows() {
    let vpn = |station: &str, inner: &str| json!({"callingStationId": station, "ipAddresses": [inner], "userName": inner, "state": "STARTED"});
    let sessions = json!({"sessions": [
        vpn("203.0.113.90", "10.0.0.1"), vpn("198.51.100.7", "10.0.0.2"), vpn("198.51.100.7", "10.0.0.3")
    ]});
    let deployment = plan()
        .when(move |arrived| match arrived.operation.as_str() {
            "getSessionByIpAddress" => Some(Answer::Text(204, String::new())),
            "getSessions" => Some(Answer::json(&sessions)),
            _ => None,
        })
        .start();
    for selector in [&["203.0.113.90"][..], &["--ip", "203.0.113.90"]] {
        let mut words = vec!["session"];
        words.extend(selector);
        assert_eq!(decoded(&deployment, &words)["userName"], "10.0.0.1");
    }
    let run = deployment
        .pxgrid(&["session", "198.51.100.7"])
        .assert()
        .code(2);
    assert!(
        stderr(&run).contains("is the calling station of 2 sessions"),
        "{}",
        stderr(&run)
    );
    let run = deployment
        .pxgrid(&["session", "192.0.2.9"])
        .assert()
        .code(3);
    assert!(
        stderr(&run).contains("no session has the address 192.0.2.9"),
        "{}",
        stderr(&run)
    );
}

/// The whole list for each address of a list would be five downloads where one does.
#[test]
fn a_list_of_addresses_reads_the_sessions_once() {
    let vpn = |station: &str| json!({"callingStationId": station, "userName": station});
    let sessions =
        json!({"sessions": [vpn("203.0.113.1"), vpn("203.0.113.2"), vpn("203.0.113.2")]});
    let deployment = plan()
        .when(move |arrived| match arrived.operation.as_str() {
            "getSessionByIpAddress" => Some(Answer::Text(204, String::new())),
            "getSessions" => Some(Answer::json(&sessions)),
            _ => None,
        })
        .start();
    let run = deployment
        .pxgrid(&["session", "-", "--json"])
        .write_stdin("203.0.113.1\n203.0.113.2\n203.0.113.3\n203.0.113.4\n")
        .assert()
        .code(1);
    let found: Value = serde_json::from_str(&stdout(&run)).unwrap();
    assert_eq!(
        found,
        json!([{"callingStationId": "203.0.113.1", "userName": "203.0.113.1"}])
    );
    let words = stderr(&run);
    for said in [
        "203.0.113.2 is the calling station of 2 sessions",
        "no session has the address 203.0.113.3",
        "no session has the address 203.0.113.4",
    ] {
        assert!(words.contains(said), "{words}");
    }
    let operations = deployment.operations();
    let lists = operations.iter().filter(|name| *name == "getSessions");
    assert_eq!(lists.count(), 1, "{operations:?}");
}

/// One bound for whatever comes in, also where an answer is only passed on, and for what a user
/// hands in.
#[test]
fn nothing_nests_deeper_than_a_hundred_levels() {
    let deep = |levels: usize| format!(r#"{{"a":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
    for levels in [100, 127, 100_000] {
        let answer = deep(levels);
        let deployment = plan()
            .answering("getSessionByMacAddress", 200, &answer)
            .start();
        for words in [
            &["session", "C8:5B:76:00:00:03"][..],
            &["session", "C8:5B:76:00:00:03", "--json"],
            &["session", "C8:5B:76:00:00:03", "--format", "yaml"],
            &["session", "C8:5B:76:00:00:03", "--jq", "."],
            &["call", "session", "getSessionByMacAddress", "{}"],
            &[
                "call",
                "session",
                "getSessionByMacAddress",
                "{}",
                "--format",
                "yaml",
            ],
        ] {
            let run = deployment.pxgrid(words).assert().code(5);
            assert!(
                stderr(&run).contains("100 levels"),
                "{words:?}: {}",
                stderr(&run)
            );
        }
        let before = deployment.operations().len();
        let run = deployment
            .pxgrid(&["call", "session", "getSessions", "-"])
            .write_stdin(answer.clone())
            .assert()
            .code(2);
        assert!(stderr(&run).contains("100 levels"), "{}", stderr(&run));
        assert_eq!(deployment.operations().len(), before);
    }
    let session = deep(99).replacen('{', r#"{"state":"STARTED","#, 1);
    let deployment = plan()
        .answering("getSessionByMacAddress", 200, &session)
        .start();
    for format in ["json", "yaml", "table"] {
        let words = ["session", "C8:5B:76:00:00:03", "--format", format];
        deployment.pxgrid(&words).assert().success();
    }
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

/// What could only come to nothing is refused before anything is sent.
#[test]
fn subscribe_refuses_fields_and_states_that_no_event_can_have() {
    let deployment = plan().start();
    let refused = |words: &[&str], what: &str| {
        let mut all = vec!["subscribe", "--topic", "anc"];
        all.extend(words);
        let run = deployment.pxgrid(&all).assert().code(2);
        assert!(stderr(&run).contains(what), "{}", stderr(&run));
    };
    refused(&["--fields", "TIME,nope"], "unknown field 'nope'");
    refused(&["--fields", "macAddress", "--json"], "unknown field");
    refused(
        &["--state", "started"],
        "none of the topics carries sessions",
    );
    refused(
        &["--topic", "sxp", "--state", "started"],
        "none of the topics",
    );
    assert!(deployment.log().is_empty());
    for words in [
        &["--fields", "sequenceNumber,message.sessions,USER", "--json"][..],
        &["--state", "started", "--topic", "session"],
        &["--state", "started", "--topic", "com.example:ourTopic"],
    ] {
        let mut all = vec!["subscribe", "--topic", "anc", "--dry-run"];
        all.extend(words);
        deployment.pxgrid(&all).assert().success();
    }
}
