//! The Monitoring node's documents that nobody here wrote, served by a hand-written node to the
//! real program. They lie beside the project and are no part of it; where they are not, each test
//! says so and is skipped.

use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::documents::{Document, Node, xml};
use crate::support::{json as parsed, stderr, stdout};

/// A document's bytes; `None`, and a word, where the folder is not there.
fn document(name: &str) -> Option<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures/mnt");
    if !folder.is_dir() {
        let word = format!("skipped: {} is not here\n", folder.display());
        std::io::stderr().write_all(word.as_bytes()).unwrap();
        return None;
    }
    Some(std::fs::read(folder.join(name)).unwrap())
}

/// A node that answers everything with one document.
fn node(name: &str, status: u16) -> Option<Node> {
    let body = document(name)?;
    Some(Node::answering(move |_| -> Document {
        (status, "application/xml", body.clone())
    }))
}

/// What a command prints as JSON.
fn read(node: &Node, arguments: &[&str]) -> Value {
    let mut words = arguments.to_vec();
    words.push("--json");
    parsed(&node.mnt(&words).assert().success())
}

#[test]
fn lists_of_1_1_and_3_3() {
    if let Some(node) = node("ise11-activelist.xml", 200) {
        assert_eq!(
            read(&node, &["sessions"]),
            json!([{
                "user_name": "username", "calling_station_id": "00:17:AB:CD:EF:01", "nas_ip_address": "1.1.1.1",
                "acct_session_id": "00000002", "audit_session_id": null, "server": "ise1", "framed_ip_address": null
            }])
        );
    }
    let Some(node) = node("ise33p11-shape-activelist.xml", 200) else {
        return;
    };
    let rows = read(&node, &["sessions"]);
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 25);
    assert_eq!(
        rows[24],
        json!({
            "user_name": "user00024@example.net", "calling_station_id": "0A:5E:ED:00:00:18", "nas_ip_address": "10.16.4.1",
            "acct_session_id": "00000018D5336898", "audit_session_id": "00000018D5336898", "server": "psn01",
            "framed_ip_address": "172.25.0.25", "framed_ipv6_address": []
        })
    );
    let run = node
        .mnt(&["sessions", "--nas", "10.16.3.1", "--mac", "0a5e.ed"])
        .assert()
        .success();
    assert_eq!(
        stdout(&run),
        "0A:5E:ED:00:00:03\t172.19.0.4\tuser00003@example.net\t10.16.3.1\tpsn02\n0A:5E:ED:00:00:17\t172.24.0.24\tuser00023@example.net\t10.16.3.1\tpsn02\n"
    );
}

#[test]
fn sessions_of_3_3_and_a_sparse_one() {
    if let Some(node) = node("ise33p11-shape-session.xml", 200) {
        let session = read(&node, &["session", "0A:5E:ED:00:00:01"]);
        assert_eq!(session["passed"], "true");
        assert_eq!(session["posture_status"], Value::Null);
        assert_eq!(
            session["response"],
            json!({"Class": "CACS:0000000000000001", "LicenseTypes": "1"})
        );
        let attributes = &session["other_attr_string"];
        assert_eq!(attributes["ISEPolicySetName"], "Corporate-Wireless");
        assert_eq!(
            attributes["Device Type"],
            "Device Type#All Device Types#AccessPoint"
        );
        assert_eq!(
            attributes["AD-User-Resolved-DNs"],
            "CN=user00001,OU=Lab,DC=lab,DC=local"
        );
        assert_eq!(session["endpoint_policy"], "Windows11-Workstation");
    }
    if let Some(node) = node("posture-shape-session.xml", 200) {
        let session = read(&node, &["session", "0A:5E:ED:00:00:02"]);
        assert_eq!(session["network_device_name"], "sw-site-00-0002");
        let attributes = session["other_attr_string"].as_object().unwrap();
        assert!(
            attributes["PostureReport"]
                .as_str()
                .unwrap()
                .contains("\\;"),
            "{attributes:?}"
        );
        assert!(attributes.contains_key("PostureAgentVersion"));
    }
    let Some(node) = node("mcp-session-sparse.xml", 200) else {
        return;
    };
    let session = read(&node, &["session", "AA:BB:CC:DD:EE:FF"]);
    assert_eq!(session.as_object().unwrap().len(), 10);
    assert_eq!(session["session_state"], "STARTED");
}

/// Live 3.3 sites have no AuthStatus: the session alone explains, also a sparse one.
#[test]
fn a_session_document_alone_is_explained() {
    for (name, mac, policy_set, rule) in [
        (
            "ise33p11-shape-session.xml",
            "0A:5E:ED:00:00:01",
            json!("Corporate-Wireless"),
            "Corp-NonCompliant-Remediate",
        ),
        (
            "mcp-session-sparse.xml",
            "AA:BB:CC:DD:EE:FF",
            Value::Null,
            "Printers_Permit",
        ),
    ] {
        let Some(body) = document(name) else { return };
        let node = Node::answering(move |path| match path.split('/').next() {
            Some("AuthStatus") => (404, "text/html", b"<html/>".to_vec()),
            _ => xml(body.clone()),
        });
        let story = read(&node, &["explain", mac]);
        assert_eq!(story["verdict"], "on the network");
        assert_eq!(story["quarantine"], Value::Null);
        assert_eq!(story["why"]["policySet"], policy_set);
        assert_eq!(story["why"]["authorizationRule"], rule);
        assert!(
            story["attemptsMissing"]
                .as_str()
                .unwrap()
                .contains("HTTP 404")
        );
    }
}

#[test]
fn no_session_is_told_from_a_failure() {
    let Some(node) = node("ise33p11-shape-500-nosession.xml", 500) else {
        return;
    };
    let run = node.mnt(&["session", "00:11:22:33:44:55"]).assert().code(3);
    assert!(stderr(&run).contains("Session data is not available for 00:11:22:33:44:55"));
}

#[test]
fn the_small_documents_of_1_1() {
    if let Some(node) = node("ise11-activecount.xml", 200) {
        assert_eq!(stdout(&node.mnt(&["count"]).assert().success()), "1\n");
    }
    if let Some(node) = node("ise11-version.xml", 200) {
        let version = read(&node, &["version"]);
        assert_eq!(version["version"], "1.1.0.665");
        assert_eq!(version["type_of_node"], "1");
    }
    if let Some(node) = node("ise11-failurereasons.xml", 200) {
        let reasons = read(&node, &["failure-reasons"]);
        assert_eq!(reasons.as_array().unwrap().len(), 2);
        assert_eq!(reasons[1]["id"], "100002");
        assert_eq!(
            reasons[1]["code"],
            "100002 AUTHMGR-5-SECURITY_VIOLATION Security violation on the interface"
        );
    }
    let Some(node) = node("ise11-authstatus.xml", 200) else {
        return;
    };
    let attempts = read(&node, &["auth-status", "00:17:AB:CD:EF:01"]);
    let attempt = &attempts[0];
    assert_eq!(attempts.as_array().unwrap().len(), 1);
    assert_eq!(attempt["key"], "00:17:AB:CD:EF:01");
    assert_eq!(attempt["passed"], "true");
    assert_eq!(attempt["nas_port_id"], "FastEthernet1/0/47");
    assert_eq!(
        attempt["response"]["cisco-av-pair"][1],
        "url-redirect=https://ise-lab-1.cisco.com:8443/guestportal/gateway?sessionId=0A43D4A500000019208676B7&action=cwa"
    );
}
