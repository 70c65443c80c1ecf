//! What can be wrong between us and pxGrid: what is said, with which exit status, and what went
//! over the wire.

use std::net::TcpListener;

use assert_cmd::assert::Assert;
use serde_json::json;

use crate::pxgrid_node::{Answer, CLIENT, Deployment, counts, plan, session};
use crate::support::{json, stderr, stdout};

/// Runs a command that must end with `code` and say each of `words`.
pub(crate) fn fails(
    deployment: &Deployment,
    arguments: &[&str],
    code: i32,
    words: &[&str],
) -> Assert {
    told(deployment.pxgrid(arguments).assert().code(code), words)
}

pub(crate) fn told(assert: Assert, words: &[&str]) -> Assert {
    let said = stderr(&assert);
    for word in words {
        assert!(said.contains(word), "no {word:?} in {said}");
    }
    assert!(said.contains("hint: "), "no hint in {said}");
    assert!(!said.contains("secret-of"), "{said}");
    assert
}

/// A port on which nobody listens.
pub(crate) fn dead_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn providers(ports: &[u16]) -> Answer {
    let services: Vec<_> = ports
        .iter()
        .enumerate()
        .map(|(node, port)| {
            json!({"name": "s", "nodeName": format!("~ise-{node}"), "properties": {"restBaseUrl": format!("https://localhost:{port}/x")}})
        })
        .collect();
    Answer::json(&json!({ "services": services }))
}

#[test]
fn accounts_that_are_not_enabled() {
    for (state, code, word) in [
        ("PENDING", 8, "awaits approval"),
        ("INIT", 8, "awaits approval"),
        ("DISABLED", 4, "is disabled"),
    ] {
        let body = json!({ "accountState": state }).to_string();
        let deployment = plan().answering("AccountActivate", 200, &body).start();
        fails(&deployment, &["sessions"], code, &[word, CLIENT]);
        fails(&deployment, &["account", "activate"], code, &[word]);
        assert_eq!(
            deployment.operations(),
            ["AccountActivate", "AccountActivate"]
        );
        let shown = json(
            &deployment
                .pxgrid(&["account", "show", "--json"])
                .assert()
                .success(),
        );
        assert_ne!(shown["accountState"], "ENABLED");
    }
}

#[test]
fn waiting_for_an_approval_that_comes() {
    let deployment = plan()
        .when(|arrived| {
            let pending = arrived.operation == "AccountActivate" && arrived.turn == 1;
            pending.then(|| Answer::json(&json!({"accountState": "PENDING"})))
        })
        .start();
    let assert = deployment
        .pxgrid(&["account", "activate", "--wait", "1s"])
        .assert()
        .success();
    assert!(stdout(&assert).contains("ENABLED"));
    assert!(stderr(&assert).contains("awaits approval"));
    assert_eq!(
        deployment.operations(),
        ["AccountActivate", "AccountActivate"]
    );
}

#[test]
fn an_account_that_the_server_does_not_know() {
    let deployment = plan().answering("AccountActivate", 401, "").start();
    fails(&deployment, &["sessions"], 4, &[CLIENT, "HTTP 401"]);
    assert_eq!(deployment.operations(), ["AccountActivate"]);
    let refused = plan().answering("AccountCreate", 403, "").start();
    fails(
        &refused,
        &["account", "create", "x"],
        4,
        &["does not allow password accounts"],
    );
    let taken = plan().answering("AccountCreate", 409, "").start();
    fails(
        &taken,
        &["account", "create", "x"],
        5,
        &["has an account 'x' already"],
    );
    assert_eq!(taken.operations(), ["AccountCreate"]);
}

#[test]
fn a_service_that_nobody_provides() {
    let deployment = plan()
        .answering("ServiceLookup", 200, "{\"services\":[]}")
        .start();
    fails(&deployment, &["sessions"], 6, &["com.cisco.ise.session"]);
    assert_eq!(
        deployment.operations(),
        ["AccountActivate", "ServiceLookup"]
    );
}

#[test]
fn dead_control_nodes_are_passed_over_and_all_are_named() {
    let deployment = plan().start();
    let dead = format!("localhost:{}", dead_port());
    let mut command = deployment.pxgrid(&["sessions"]);
    command.env("ISE_PXGRID_HOST", format!("{dead},{}", deployment.host(0)));
    command.assert().success();
    assert_eq!(deployment.operations().len(), 4);
    let other = format!("localhost:{}", dead_port());
    let mut command = deployment.pxgrid(&["sessions"]);
    command.env("ISE_PXGRID_HOST", format!("{dead},{other}"));
    told(command.assert().code(6), &[&dead, &other]);
}

#[test]
fn dead_replicas_of_a_service() {
    let dead = dead_port();
    let all = plan()
        .when(move |arrived| {
            (arrived.operation == "ServiceLookup").then(|| providers(&[dead, dead]))
        })
        .start();
    fails(
        &all,
        &["sessions"],
        6,
        &[&format!("localhost:{dead}"), "refused"],
    );
    let first = plan()
        .nodes(2)
        .when(|arrived| {
            (arrived.operation == "getSessions" && arrived.node == 0)
                .then_some(Answer::Text(503, String::new()))
        })
        .start();
    let rows = json(&first.pxgrid(&["sessions", "--json"]).assert().success());
    assert_eq!(rows.as_array().unwrap().len(), 50);
    let nodes: Vec<usize> = first
        .log()
        .iter()
        .filter(|one| one.operation == "getSessions")
        .map(|one| one.node)
        .collect();
    assert_eq!(nodes, [0, 1]);
}

#[test]
fn a_change_goes_to_no_second_replica_once_it_was_sent() {
    for answer in [503_u16, 0] {
        let deployment = plan()
            .nodes(2)
            .when(move |arrived| {
                arrived
                    .operation
                    .starts_with("applyEndpoint")
                    .then(|| match answer {
                        0 => Answer::Close,
                        status => Answer::Text(status, String::new()),
                    })
            })
            .start();
        let arguments = [
            "anc",
            "apply",
            "--mac",
            "C8:5B:76:00:00:05",
            "--policy",
            "quarantine",
        ];
        let code = if answer == 0 { 6 } else { 5 };
        fails(&deployment, &arguments, code, &[]);
        assert_eq!(counts(&deployment)["applyEndpointByMacAddress"], 1);
    }
}

#[test]
fn a_secret_that_is_refused_once_is_asked_for_again() {
    let deployment = plan()
        .when(|arrived| {
            (arrived.operation == "getSessions" && arrived.turn == 1)
                .then_some(Answer::Text(401, String::new()))
        })
        .start();
    deployment.pxgrid(&["sessions"]).assert().success();
    let counts = counts(&deployment);
    assert_eq!(
        (
            counts["AccessSecret"],
            counts["getSessions"],
            counts["ServiceLookup"]
        ),
        (2, 2, 1)
    );
}

#[test]
fn a_secret_that_is_always_refused_ends_after_a_fresh_lookup() {
    let deployment = plan().answering("getSessions", 401, "").start();
    fails(
        &deployment,
        &["sessions"],
        4,
        &["access secret", "HTTP 401"],
    );
    let counts = counts(&deployment);
    assert_eq!(
        (
            counts["AccessSecret"],
            counts["getSessions"],
            counts["ServiceLookup"]
        ),
        (3, 3, 2)
    );
}

#[test]
fn a_policy_that_forbids_one_operation_is_named() {
    let deployment = plan().answering("createPolicy", 403, "").start();
    deployment.pxgrid(&["anc", "policies"]).assert().success();
    let arguments = ["anc", "create", "x", "--action", "quarantine"];
    fails(
        &deployment,
        &arguments,
        4,
        &["HTTP 403", "'sets'", "Client Management > Policy"],
    );
}

#[test]
fn answers_that_are_no_answers() {
    let half = format!("{{\"sessions\":[{},", session(1));
    for (status, body, words) in [
        (200, half.as_str(), vec!["getSessions", "localhost:"]),
        (
            200,
            "{\"sessions\":{\"a\":1}}",
            vec!["'sessions' of the answer is no list"],
        ),
        (200, "{\"other\":[]}", vec!["has no list 'sessions'"]),
        (200, "{\"sessions\":[1]}", vec!["is no JSON object"]),
        (200, "<html><body>login</body></html>", vec!["HTML"]),
        (200, "", vec!["getSessions"]),
        (404, "", vec!["HTTP 404"]),
        (
            500,
            "{\"message\":\"database is down\"}",
            vec!["HTTP 500", "database is down"],
        ),
    ] {
        let deployment = plan().answering("getSessions", status, body).start();
        let assert = deployment.pxgrid(&["sessions", "--json"]).assert().code(5);
        let said = stderr(&assert);
        for word in words {
            assert!(said.contains(word), "{body}: no {word:?} in {said}");
        }
        // A list that broke off must not read as if it were whole.
        assert!(
            serde_json::from_str::<serde_json::Value>(&stdout(&assert)).is_err(),
            "{body}: {}",
            stdout(&assert)
        );
    }
}

#[test]
fn call_checks_what_passes_by() {
    for (body, word) in [
        ("{\"a\":[1,", "breaks off"),
        ("{\"a\" 1}", "no JSON"),
        ("<html>", "web page"),
    ] {
        let deployment = plan().answering("getSessions", 200, body).start();
        let assert = deployment
            .pxgrid(&["call", "session", "getSessions"])
            .assert()
            .code(5);
        assert!(stderr(&assert).contains(word), "{}", stderr(&assert));
    }
}

#[test]
fn a_body_that_ends_early_is_told() {
    let deployment = plan()
        .when(|arrived| {
            (arrived.operation == "getSessions").then(|| {
                Answer::Raw(format!(
                    "HTTP/1.1 200 X\r\ncontent-length: 100000\r\n\r\n{{\"sessions\":[{}",
                    session(1)
                ))
            })
        })
        .start();
    fails(&deployment, &["sessions"], 5, &["broke off before its end"]);
}

#[test]
fn an_element_without_end_costs_a_bounded_amount_of_memory() {
    let deployment = plan()
        .when(|arrived| {
            (arrived.operation == "getSessions").then_some(Answer::Flood(300 * 1024 * 1024))
        })
        .start();
    let assert = deployment.pxgrid(&["sessions"]).assert().code(5);
    assert!(
        stderr(&assert).contains("over the bound"),
        "{}",
        stderr(&assert)
    );
}

#[test]
fn redirects_are_not_followed() {
    let elsewhere = plan().start();
    let to = elsewhere.host(0);
    let deployment = plan()
        .when(move |arrived| {
            (arrived.operation == "getSessions").then(|| {
                Answer::Raw(format!(
                    "HTTP/1.1 302 X\r\nlocation: https://{to}/login\r\ncontent-length: 0\r\n\r\n"
                ))
            })
        })
        .start();
    fails(&deployment, &["sessions"], 5, &["redirects to"]);
    assert!(elsewhere.log().is_empty());
}

#[test]
fn a_server_that_does_not_answer() {
    let deployment = plan()
        .when(|arrived| (arrived.operation == "getSessions").then_some(Answer::Silence))
        .start();
    fails(
        &deployment,
        &["sessions", "--timeout", "300ms"],
        7,
        &["did not answer", "--timeout"],
    );
    assert_eq!(counts(&deployment)["getSessions"], 1);
}

#[test]
fn orders_that_fail_say_why_in_ises_words() {
    let deployment = plan().start();
    for (arguments, words) in [
        (
            vec!["apply", "--mac", "C8:5B:76:00:00:05", "--policy", "nope"],
            vec![
                "Policy is not configured",
                "nope for C8:5B:76:00:00:05",
                "anc policies",
            ],
        ),
        (
            vec!["apply", "--ip", "10.9.9.9", "--policy", "quarantine"],
            vec!["Session lookup failure", "10.9.9.9", "active session"],
        ),
        (
            vec!["clear", "--mac", "C8:5B:76:00:00:00"],
            vec!["not associated with a policy", "anc endpoints"],
        ),
    ] {
        let arguments: Vec<&str> = std::iter::once("anc").chain(arguments).collect();
        let assert = fails(&deployment, &arguments, 5, &words);
        assert_eq!(stdout(&assert), "");
    }
}

#[test]
fn errors_are_json_too() {
    let deployment = plan().answering("getSessions", 403, "").start();
    let assert = deployment.pxgrid(&["sessions", "--json"]).assert().code(4);
    let error: serde_json::Value = serde_json::from_str(stderr(&assert).trim()).unwrap();
    assert_eq!(error["error"]["kind"], "refused");
    assert_eq!(error["error"]["status"], 403);
    assert_eq!(error["error"]["exitCode"], 4);
}

#[test]
fn of_a_list_what_is_good_is_done_and_what_is_bad_is_named() {
    let deployment = plan().start();
    let mut list: Vec<String> = (10..20)
        .map(|number| format!("C8:5B:76:00:00:{number}"))
        .collect();
    list.insert(3, "not-a-mac".to_owned());
    list.insert(7, "00:00:00:00:00:00".to_owned());
    let text = list.join("\n");
    let assert = deployment
        .pxgrid(&["session", "-", "--json"])
        .write_stdin(text.clone())
        .assert()
        .code(1);
    let rows = json(&assert);
    assert_eq!(rows.as_array().unwrap().len(), 10);
    assert_eq!(rows[9]["macAddress"], "C8:5B:76:00:00:19");
    let said = stderr(&assert);
    assert!(
        said.contains("line 4 of standard input")
            && said.contains("00:00:00:00:00:00")
            && said.contains("2 of 12 failed"),
        "{said}"
    );

    let orders = plan().start();
    let assert = orders
        .pxgrid(&["anc", "clear", "--mac", "-", "--jobs", "3"])
        .write_stdin(text)
        .assert()
        .code(1);
    let rows = stdout(&assert);
    assert_eq!(rows.lines().count(), 12, "{rows}");
    assert_eq!(rows.matches("\tdone\t").count(), 10, "{rows}");
    assert!(rows.contains("\nnot-a-mac\tinvalid\t"), "{rows}");
    assert!(rows.contains("\n00:00:00:00:00:00\tfailed\t"), "{rows}");
    let said = stderr(&assert);
    assert!(
        said.contains("not-a-mac")
            && said.contains("00:00:00:00:00:00")
            && said.contains("2 of 12 failed"),
        "{said}"
    );
    assert_eq!(counts(&orders)["clearEndpointByMacAddress"], 11);
    assert_eq!(counts(&orders)["AccountActivate"], 1);
}

#[test]
fn a_list_ends_at_the_first_refusal() {
    let deployment = plan()
        .answering("applyEndpointByMacAddress", 403, "")
        .start();
    let list: Vec<String> = (10..60)
        .map(|number| format!("C8:5B:76:00:00:{number}"))
        .collect();
    let assert = deployment
        .pxgrid(&["anc", "apply", "--mac", "-", "--policy", "quarantine"])
        .write_stdin(list.join("\n"))
        .assert()
        .code(4);
    assert!(stderr(&assert).contains("HTTP 403"));
    // The one order, with the secret that was refused, a fresh one, and one after a fresh lookup.
    assert_eq!(counts(&deployment)["applyEndpointByMacAddress"], 3);
}

/// A secret that cannot be read is not tried: the refusal would send somebody to look for it.
#[test]
fn a_secret_that_is_no_utf8_is_named_and_never_used() {
    let lab = crate::support::lab::faulty(&["invalid-utf8:AccessSecret"]);
    let run = lab.pxgrid(&["sessions"]).assert().code(5);
    let said = stderr(&run);
    assert!(
        said.contains("answered AccessSecret with a 'secret' that is no UTF-8"),
        "{said}"
    );
    assert!(said.contains("localhost:"), "{said}");
    assert!(lab.entries().iter().all(|entry| entry.status != Some(401)));
}
