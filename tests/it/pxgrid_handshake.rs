//! Names, certificates, handshakes: what goes wrong before the first request, and how far `test`
//! goes then.

use serde_json::json;

use crate::pxgrid_faults::{dead_port, fails, told};
use crate::pxgrid_node::{Answer, CLIENT, Clients, Deployment, plan};
use crate::support::{json, stderr};

#[test]
fn without_certificate_and_password_nothing_is_sent() {
    let deployment = plan().start();
    let assert = deployment
        .without_certificate(&["sessions"])
        .assert()
        .code(2);
    told(assert, &["no client certificate", "--cert FILE"]);
    assert!(deployment.log().is_empty());
}

#[test]
fn files_that_cannot_be_used_are_told_before_the_first_connection() {
    let deployment = plan().start();
    for (certificate, key, word) in [
        ("missing.pem", "client.key", "missing.pem"),
        ("client.key", "client.key", "no certificate"),
        ("client.pem", "stranger.key", "does not belong"),
    ] {
        let mut command = deployment.without_certificate(&["sessions"]);
        command.args([
            "--cert",
            &deployment.file(certificate),
            "--key",
            &deployment.file(key),
        ]);
        let assert = command.assert().code(2);
        assert!(stderr(&assert).contains(word), "{}", stderr(&assert));
    }
    assert!(deployment.log().is_empty());
}

#[test]
fn a_server_that_demands_a_certificate_from_a_password_account() {
    for plan in [plan(), plan().tls12()] {
        let deployment = plan.start();
        let mut command = deployment.without_certificate(&["sessions"]);
        command
            .env("ISE_PXGRID_CLIENT_NAME", CLIENT)
            .env("ISE_PXGRID_PASSWORD", "hunter2");
        told(
            command.assert().code(6),
            &["client certificate", "--cert FILE --key FILE"],
        );
        assert!(deployment.log().is_empty());
    }
}

#[test]
fn a_certificate_that_the_server_refuses() {
    // TLS 1.3 refuses it only when the request is already under way.
    for plan in [plan(), plan().tls12()] {
        let deployment = plan.clients(Clients::Strangers).start();
        fails(
            &deployment,
            &["sessions"],
            6,
            &["refused our client certificate", "trusts for clients"],
        );
        assert!(deployment.log().is_empty());
    }
}

#[test]
fn a_server_of_another_ca_gets_nothing() {
    let deployment = plan().start();
    let mut command = deployment.pxgrid(&["sessions"]);
    command.env("PXGRID_CA", deployment.file("other-ca.pem"));
    told(command.assert().code(6), &["not trusted", "--cacert FILE"]);
    assert!(deployment.log().is_empty());
}

#[test]
fn a_server_that_does_not_ask_for_a_certificate_works_and_is_warned_of() {
    let deployment = plan().clients(Clients::Anyone).start();
    deployment.pxgrid(&["sessions"]).assert().success();
    // The hand-written nodes have no pubsub service: the walk ends there.
    let steps = json(&deployment.pxgrid(&["test", "--json"]).assert().code(5));
    let tls = steps
        .as_array()
        .unwrap()
        .iter()
        .find(|step| step["step"] == "tls")
        .unwrap();
    assert_eq!(tls["result"], "warn");
    assert!(
        tls["detail"]
            .as_str()
            .unwrap()
            .contains("did not ask for a client certificate")
    );
}

#[test]
fn a_name_that_does_not_resolve_says_what_to_write() {
    let deployment = plan().start();
    let mut command = deployment.pxgrid(&["sessions"]);
    command.env("ISE_PXGRID_HOST", "ise.invalid:8910");
    told(command.assert().code(6), &["--resolve ise.invalid:8910:"]);
    let announced = plan()
        .when(|arrived| {
            (arrived.operation == "ServiceLookup").then(|| {
                Answer::json(&json!({"services": [{"name": "s", "nodeName": "~ise-0", "properties": {"restBaseUrl": "https://ise-mnt.invalid:8910/pxgrid/ise/session"}}]}))
            })
        })
        .start();
    fails(
        &announced,
        &["sessions"],
        6,
        &["--resolve ise-mnt.invalid:8910:"],
    );
    // With the override, the same name leads to the node; its certificate is for another name,
    // which is the next thing to say.
    let port = announced.host(0).rsplit(':').next().unwrap().to_owned();
    let mut command = announced.pxgrid(&["sessions"]);
    command
        .env("ISE_PXGRID_HOST", format!("ise-px.invalid:{port}"))
        .args(["--resolve", &format!("ise-px.invalid:{port}:127.0.0.1")]);
    told(command.assert().code(6), &["is not for ise-px.invalid"]);
}

#[test]
fn the_test_goes_as_far_as_it_can() {
    let results = |deployment: &Deployment, code: i32| -> Vec<(String, String)> {
        let steps = json(&deployment.pxgrid(&["test", "--json"]).assert().code(code));
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        steps
            .as_array()
            .unwrap()
            .iter()
            .map(|step| (text(&step["step"]), text(&step["result"])))
            .collect()
    };
    let last = |results: Vec<(String, String)>| results.last().unwrap().clone();
    let pair = |step: &str, result: &str| (step.to_owned(), result.to_owned());

    let pending = plan()
        .answering("AccountActivate", 200, "{\"accountState\":\"PENDING\"}")
        .start();
    assert_eq!(last(results(&pending, 8)), pair("account", "fail"));
    let nobody = plan()
        .answering("ServiceLookup", 200, "{\"services\":[]}")
        .start();
    assert_eq!(last(results(&nobody, 6)), pair("lookup", "fail"));
    // A policy that refuses REST may allow events, so the walk goes on, and ends with the first
    // refusal's exit status.
    let forbidden = plan().answering("getSessionByMacAddress", 403, "").start();
    let steps = results(&forbidden, 4);
    assert!(steps.contains(&pair("rest", "fail")), "{steps:?}");
    assert_eq!(last(steps), pair("websocket", "fail"));
    let no_secret = plan().answering("AccessSecret", 500, "").start();
    assert_eq!(last(results(&no_secret, 5)), pair("secret", "fail"));

    // A certificate that cannot be used does not hide what is wrong with the servers.
    let deployment = plan().start();
    let mut command = deployment.without_certificate(&["test", "--json"]);
    command
        .env("PXGRID_CERT", deployment.file("missing.pem"))
        .env("PXGRID_KEY", deployment.file("client.key"));
    let steps = json(&command.assert().code(2));
    let names: Vec<&str> = steps
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["step"].as_str().unwrap())
        .collect();
    assert_eq!(names[..3], ["certificate", "name", "tcp"]);
    assert_eq!(steps[0]["result"], "fail");

    // One dead node of two costs a warning (these hand-written nodes have no pubsub service, where
    // the walk ends).
    let mut command = deployment.pxgrid(&["test", "--json"]);
    command.env(
        "ISE_PXGRID_HOST",
        format!("localhost:{},{}", dead_port(), deployment.host(0)),
    );
    let steps = json(&command.assert().code(5));
    let tcp = steps
        .as_array()
        .unwrap()
        .iter()
        .find(|step| step["step"] == "tcp")
        .unwrap();
    assert_eq!(tcp["result"], "warn");

    // A name that does not resolve: the exact option is in the hint.
    let mut command = deployment.pxgrid(&["test", "--json"]);
    command.env("ISE_PXGRID_HOST", "ise.invalid:8910");
    let steps = json(&command.assert().code(6));
    let name = steps
        .as_array()
        .unwrap()
        .iter()
        .find(|step| step["step"] == "name")
        .unwrap();
    assert!(
        name["hint"]
            .as_str()
            .unwrap()
            .contains("--resolve ise.invalid:8910:")
    );
}
