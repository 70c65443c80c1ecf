//! The reference's documents and errors, read as the client reads them.

use secrecy::SecretString;

use super::change_outcome::{coa_outcome, delete_outcome};
use super::client::newest_first;
use super::paths::{Coa, DeleteTarget};
use super::{Requests, documents, psn_of, samples};
use crate::authority::Authority;
use crate::error::Kind;
use crate::record::xml::{Document, single, stream};
use crate::record::{Collect, Mac, Record};
use crate::transport::{Basic, Effect, Method};

fn records(text: &str, document: &Document) -> Vec<Record> {
    let (collected, outcome) = stream(text.as_bytes(), document, Collect::default());
    outcome.unwrap();
    collected.records
}

fn json(record: &Record) -> String {
    record.to_value().to_string()
}

fn requests() -> Requests {
    let password = SecretString::from("hush");
    let user = "ops".to_owned();
    Requests::new(
        Authority::new("mnt.lab.example", 443),
        Basic { user, password },
    )
}

#[test]
fn counts_and_product() {
    let count = single(samples::COUNT.as_bytes(), None, &documents::COUNT).unwrap();
    assert_eq!(json(&count), r#"{"count":"1284"}"#);
    let product = single(samples::PRODUCT.as_bytes(), None, &documents::PRODUCT).unwrap();
    assert_eq!(
        json(&product),
        r#"{"name":"Cisco Identity Services Engine","version":"3.4.0.608","type_of_node":"1"}"#
    );
    assert_eq!(documents::node_type("1"), Some("active"));
    assert_eq!(documents::node_type("9"), None);
}

#[test]
fn the_active_list_keeps_missing_and_empty_apart() {
    let rows = records(samples::ACTIVE_LIST, &documents::ACTIVE_LIST);
    assert_eq!(rows.len(), 5);
    assert!(
        json(&rows[0])
            .contains(r#""framed_ipv6_address":["2001:db8:7::21","fe80::200:5eff:fe00:5301"]"#)
    );
    assert!(json(&rows[1]).ends_with(r#""framed_ip_address":null,"framed_ipv6_address":[]}"#));
    assert!(!rows[2].has("acct_session_id"));
    assert_eq!(rows[3].mac(), None);
    assert_eq!(rows[3].server().as_deref(), Some("psn-b"));
    assert_eq!(
        json(&rows[4]),
        r#"{"calling_station_id":"00:00:5E:00:53:05","server":"psn-a"}"#
    );
    for root in ["activeSessionList", "whatever"] {
        let other = samples::ACTIVE_LIST.replace("activeList", root);
        assert_eq!(records(&other, &documents::ACTIVE_LIST).len(), 5);
    }
    for empty in [
        "<activeList noOfActiveSession=\"0\"></activeList>",
        "<activeList noOfActiveSession=\"0\"/>",
        "<activeSessionList/>",
    ] {
        assert!(records(empty, &documents::ACTIVE_LIST).is_empty());
    }
}

#[test]
fn a_detail_shows_verdict_rules_and_decoded_attributes() {
    let session = single(samples::SESSION.as_bytes(), None, &documents::SESSION).unwrap();
    assert_eq!(session.passed(), Some(true));
    assert_eq!(session.policy_set().as_deref(), Some("Wired dot1x"));
    assert_eq!(
        session.authorization_rule().as_deref(),
        Some("Staff = compliant")
    );
    assert_eq!(session.profiles(), ["Wired_Staff", "PermitAccess"]);
    assert_eq!(session.steps().len(), 11);
    assert_eq!(session.step_latency().len(), 10);
    assert_eq!(
        session.text("response.Tunnel-Private-Group-ID").as_deref(),
        Some("(tag=1) 20")
    );
    let value = session.to_value();
    assert_eq!(
        value["response"]["cisco-av-pair"][1],
        "url-redirect=https://psn-a.lab.example:8443/portal/gateway?sessionId=C0000201000000A15D2E7781&action=cwa"
    );
    assert_eq!(value["framed_ipv6_address"].as_array().unwrap().len(), 1);
    assert_eq!(value["posture_status"], serde_json::Value::Null);
    assert_eq!(value["acct_session_id"], "0000A2F1");
    let failed = single(
        samples::SESSION_FAILED.as_bytes(),
        None,
        &documents::SESSION,
    )
    .unwrap();
    assert_eq!(failed.passed(), Some(false));
    assert_eq!(failed.failure_code().as_deref(), Some("22040"));
}

#[test]
fn sessions_by_id_do_not_believe_the_announced_number() {
    let text = samples::SESSION_BY_ID.replace("=\"1\"", "=\"7\"");
    let rows = records(&text, &documents::SESSION_BY_ID);
    assert_eq!(rows[0].authentication_rule().as_deref(), Some("Dot1X"));
    assert_eq!(rows[0].user().as_deref(), Some("pat.kim"));
    let (_, outcome) = stream(text.as_bytes(), &documents::ACTIVE_LIST, Collect::default());
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), Kind::Truncated);
    assert!(error.message().contains("announced 7, sent 1"), "{error}");
}

#[test]
fn attempts_are_sorted_newest_first() {
    for root in ["authStatusOutputList", "restAuthStatusOutputList"] {
        let text = samples::AUTH_STATUS.replace("authStatusOutputList", root);
        let mut rows = records(&text, &documents::AUTH_STATUS);
        assert_eq!(rows[0].text("key").as_deref(), Some("00:00:5E:00:53:06"));
        assert_eq!(rows[0].policy_set().as_deref(), Some("Default"));
        rows.reverse();
        newest_first(&mut rows);
        assert_eq!(rows[0].passed(), Some(false));
        assert_eq!(rows[1].passed(), Some(true));
        assert!(rows[1].has("other_attributes"));
    }
    for empty in [
        "<authStatusOutputList/>",
        "<authStatusOutputList><authStatusList key='x'/></authStatusOutputList>",
    ] {
        assert!(records(empty, &documents::AUTH_STATUS).is_empty());
    }
    let timed = |times: &[&str]| -> Vec<Record> {
        let rows: Vec<String> = times
            .iter()
            .map(|time| {
                format!(
                    "<authStatusElements><acs_timestamp>{time}</acs_timestamp></authStatusElements>"
                )
            })
            .collect();
        let text = format!(
            "<authStatusOutputList><authStatusList>{}</authStatusList></authStatusOutputList>",
            rows.concat()
        );
        records(&text, &documents::AUTH_STATUS)
    };
    let mut rows = timed(&[
        "odd",
        "2026-03-09T08:00:00+02:00",
        "2026-03-09T07:00:00Z",
        "none",
    ]);
    newest_first(&mut rows);
    let order: Vec<_> = rows
        .iter()
        .map(|row| row.text("acs_timestamp").unwrap())
        .collect();
    assert_eq!(
        order,
        [
            "2026-03-09T07:00:00Z",
            "2026-03-09T08:00:00+02:00",
            "odd",
            "none"
        ]
    );
}

#[test]
fn counters_and_reasons_keep_their_attributes() {
    let counters = records(samples::ACCT_STATUS, &documents::ACCT_STATUS);
    assert_eq!(
        counters[0].text("macAddress").as_deref(),
        Some("00:00:5E:00:53:01")
    );
    assert_eq!(counters[0].text("bytes_in").as_deref(), Some("5300123456"));
    let reasons = records(samples::FAILURE_REASONS, &documents::FAILURE_REASONS);
    assert_eq!(
        json(&reasons[0]),
        r#"{"id":"100901","code":"100901 SAMPLE-5-FAIL Invented entry one","cause":"Invented cause with an ampersand & an arrow >","resolution":"Invented remedy"}"#
    );
    assert_eq!(reasons[1].text("resolution"), None);
    assert!(records("<failureReasonList/>", &documents::FAILURE_REASONS).is_empty());
}

#[test]
fn an_undocumented_document_is_kept_whole() {
    let summary = single(samples::DASHBOARD.as_bytes(), None, &documents::RESULT).unwrap();
    assert_eq!(
        summary.text("lstProcessStatuses.sxpEngine").as_deref(),
        Some("2")
    );
}

#[test]
fn an_envelope_under_200_is_an_error_wherever_it_comes() {
    for document in [
        &documents::COUNT,
        &documents::ACTIVE_LIST,
        &documents::SESSION,
        &documents::AUTH_STATUS,
        &documents::COA,
    ] {
        for (text, kind) in [
            (samples::NOT_FOUND, Kind::NotFound),
            (samples::WRONG_NODE, Kind::WrongNode),
            ("<other><status>DOWN</status></other>", Kind::Server),
            (samples::DELETED, Kind::Malformed),
            ("<ers/>", Kind::Malformed),
            ("<html><title>login</title><br></html>", Kind::Malformed),
            ("", Kind::Malformed),
        ] {
            let (_, outcome) = stream(text.as_bytes(), document, Collect::default());
            assert_eq!(
                outcome.unwrap_err().kind(),
                kind,
                "{}: {text}",
                document.name
            );
        }
    }
}

#[test]
fn paths_know_their_documents() {
    for (path, document) in [
        ("/admin/API/mnt/Version", documents::PRODUCT),
        ("/admin/API/mnt/Session/ActiveList", documents::ACTIVE_LIST),
        (
            "/admin/API/mnt/Session/AuthList/null/null",
            documents::ACTIVE_LIST,
        ),
        (
            "/admin/API/mnt/Session/Active/SessionID/x/0",
            documents::SESSION_BY_ID,
        ),
        ("/admin/API/mnt/Session/UserName/x", documents::SESSION),
        (
            "/admin/API/mnt/AuthStatus/MACAddress/x",
            documents::AUTH_STATUS,
        ),
        ("/admin/API/mnt/AcctStatusTT/x", documents::ACCT_STATUS),
        ("/admin/API/mnt/FailureReasons", documents::FAILURE_REASONS),
        ("/admin/API/mnt/Session/PostureCount", documents::COUNT),
        ("/admin/API/mnt/New/Thing", documents::RESULT),
    ] {
        let answering = documents::answering(path);
        assert_eq!(
            (answering.name, answering.exact),
            (document.name, document.exact),
            "{path}"
        );
    }
}

#[test]
fn a_change_of_authorization_is_sent_by_the_sessions_psn() {
    let session = single(samples::SESSION.as_bytes(), None, &documents::SESSION).unwrap();
    let mac = |text: &str| text.parse::<Mac>().unwrap();
    let endpoint = mac("00:00:5E:00:53:01");
    let server = psn_of(&session, endpoint).unwrap().unwrap();
    let reauth = Coa::Reauth;
    let request = requests().coa(endpoint, reauth, &server).unwrap();
    assert_eq!(
        request.url,
        "https://mnt.lab.example:443/admin/API/mnt/CoA/Reauth/psn-a/00:00:5E:00:53:01/0"
    );
    assert_eq!(
        (request.method, request.effect),
        (Method::Get, Effect::Change)
    );
    assert!(requests().coa(endpoint, reauth, "x/../y").is_err());
    // Whoever's session came: the endpoint that was named is acted on, or none.
    let error = psn_of(&session, mac("00:00:5E:00:53:02")).unwrap_err();
    assert_eq!(error.kind(), Kind::Malformed);
    let nameless = "<sessionParameters><passed>true</passed><calling_station_id>00:00:5E:00:53:02</calling_station_id></sessionParameters>";
    let nameless = single(nameless.as_bytes(), None, &documents::SESSION).unwrap();
    let error = psn_of(&nameless, mac("00:00:5E:00:53:02")).unwrap_err();
    assert_eq!(error.kind(), Kind::Server);
    assert!(error.hint_text().unwrap().contains("--server"));
    // Neither a refused attempt, nor a session that is over, nor a document that tells neither
    // says where an active session is.
    let failed = single(
        samples::SESSION_FAILED.as_bytes(),
        None,
        &documents::SESSION,
    )
    .unwrap();
    assert_eq!(psn_of(&failed, mac("00:00:5E:00:53:06")).unwrap(), None);
    let over = samples::SESSION.replace(">Interim-Update<", ">Stop<");
    let over = single(over.as_bytes(), None, &documents::SESSION).unwrap();
    assert_eq!(psn_of(&over, endpoint).unwrap(), None);
    let silent = samples::SESSION_FAILED.replace("failed", "unknown");
    let silent = silent.replace("passed", "unknown");
    let silent = single(silent.as_bytes(), None, &documents::SESSION).unwrap();
    assert_eq!(psn_of(&silent, mac("00:00:5E:00:53:06")).unwrap(), None);
    let vpn = &records(samples::ACTIVE_LIST, &documents::ACTIVE_LIST)[3];
    let error = psn_of(vpn, endpoint).unwrap_err();
    assert_eq!(error.kind(), Kind::Server);
}

#[test]
fn requests_hold_no_readable_secret() {
    let request = requests().delete(&DeleteTarget::All).unwrap();
    assert_eq!(
        (request.method, request.effect),
        (Method::Delete, Effect::Change)
    );
    let read = requests().read("/admin/API/mnt/Version");
    assert_eq!((read.method, read.effect), (Method::Get, Effect::Read));
    assert_eq!(read.accept, "application/xml");
    assert!(!format!("{request:?}{read:?}{:?}", requests()).contains("hush"));
    assert_eq!(requests().node().to_string(), "mnt.lab.example:443");
}

#[test]
fn only_true_is_a_change_carried_out() {
    let outcome =
        |text: &str| coa_outcome(text.as_bytes().to_vec(), None).map_err(|error| error.kind());
    let with = |results: &str| samples::COA_FALSE.replace("<results>false</results>", results);
    assert!(outcome(&with("<results>true</results>")).is_ok());
    for results in ["<results>false</results>", "<results>maybe</results>"] {
        assert_eq!(outcome(&with(results)).unwrap_err(), Kind::Server);
    }
    // Neither yes nor no: it may have been carried out.
    for results in ["<results/>", ""] {
        assert_eq!(outcome(&with(results)).unwrap_err(), Kind::Malformed);
    }
    assert_eq!(outcome(" ").unwrap_err(), Kind::Malformed);
    assert_eq!(outcome("<html/>").unwrap_err(), Kind::Malformed);
    assert_eq!(outcome(samples::NOT_FOUND).unwrap_err(), Kind::NotFound);
}

#[test]
fn only_a_confirmed_delete_is_done() {
    let outcome =
        |text: &str| delete_outcome(text.as_bytes().to_vec(), None).map_err(|error| error.kind());
    assert!(outcome(samples::DELETED).is_ok());
    assert!(outcome("<r><http-code>200</http-code></r>").is_ok());
    assert_eq!(outcome("").unwrap_err(), Kind::Malformed);
    assert_eq!(outcome("<r/>").unwrap_err(), Kind::Malformed);
    assert_eq!(outcome(samples::NOT_FOUND).unwrap_err(), Kind::NotFound);
    assert_eq!(
        outcome("<r><http-code>200</http-code><status>FAILED</status></r>").unwrap_err(),
        Kind::Server
    );
}
