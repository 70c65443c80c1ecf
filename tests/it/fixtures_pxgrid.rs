//! Documents that nobody here wrote, captured from real deployments: the program reads each through
//! hand-written servers, and the lab's own answers have the captures' shape. Skipped where the
//! documents are not at hand.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use futures_util::{SinkExt, StreamExt};
use netapi::testing::lab::LabOptions;
use netapi::testing::lab::certificates::Flavour;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::Message;

use crate::pxgrid_node::{Answer, Clients, plan};
use crate::support::lab::{TestLab, lab, with};
use crate::support::pubsub::block_on;
use crate::support::{json as answer, skipped, stderr, stdout};

/// A captured document.
pub(crate) fn fixture(name: &str) -> Option<String> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures");
    let text = std::fs::read_to_string(root.join(name)).ok();
    if text.is_none() {
        skipped(&format!("there is no {name}"));
    }
    text
}

pub(crate) fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

pub(crate) fn values(text: &str) -> Vec<Value> {
    text.lines().map(value).collect()
}

#[test]
fn the_account_calls_of_2_7() {
    let Some(text) = fixture("pxgrid/ise27-rest-answers.jsonl") else {
        return;
    };
    let lines: Vec<&str> = text.lines().collect();
    let created = plan()
        .clients(Clients::Anyone)
        .answering("AccountCreate", 200, lines[0])
        .start();
    let run = created
        .without_certificate(&["account", "create", "pwdclient1", "--json"])
        .assert()
        .success();
    assert_eq!(answer(&run), value(lines[0]));
    for (line, code) in [(lines[1], 8), (lines[2], 0)] {
        let node = plan().answering("AccountActivate", 200, line).start();
        node.pxgrid(&["sessions"]).assert().code(code);
        let shown = node
            .pxgrid(&["account", "show", "--json"])
            .assert()
            .success();
        assert_eq!(answer(&shown)["version"], "2.0");
    }
}

/// Every REST answer, whole in JSON and right in columns.
#[test]
fn rest_answers_of_2_6_to_3_3() {
    let Some(text) = fixture("pxgrid/ise27-rest-answers.jsonl") else {
        return;
    };
    let lines: Vec<&str> = text.lines().collect();
    let other = |name: &str| fixture(name).unwrap();
    let newest = other("pxgrid/ise33p11-session.json");
    let vpn = other("pxgrid/ise26-session-vpn-no-mac.json");
    let wireless = other("pxgrid/ise26-session-wireless-byod.json");
    let acls = other("pxgrid/ise26-sgacls.json");
    let cases: &[(&str, &str, &[&str], &str, &str)] = &[
        (
            "getPolicyByName",
            lines[4],
            &["anc", "policy", "Restrict"],
            "",
            "name\tRestrict\nactions\tQUARANTINE\n",
        ),
        (
            "getPolicies",
            lines[5],
            &["anc", "policies"],
            "/policies",
            "Quarantine\tQUARANTINE\nRestrict\tQUARANTINE\nShutdown\tSHUT_DOWN\n",
        ),
        (
            "getSessions",
            lines[7],
            &["sessions", "--fields", "MAC,IP,USER,NAS,STATE,PROFILE,TIME"],
            "/sessions",
            "18:60:24:00:00:02\t172.31.8.150\t18:60:24:00:00:02\t172.31.1.7\tSTARTED\tHP-Kali\t2020-09-29T22:45:45.489-04:00\n",
        ),
        (
            "getSessions",
            &newest,
            &[
                "sessions",
                "--fields",
                "MAC,IP,NAS,METHOD,authMethod,authProtocol",
            ],
            "/sessions",
            "02:1E:5E:00:00:01\t10.200.40.211\t10.200.30.1\tdot1x\tdot1x\tPAP_ASCII\n",
        ),
        (
            "getSessions",
            &vpn,
            &["sessions", "--fields", "MAC,IP,NAS,SGT,PROFILE"],
            "/sessions",
            "\t10.1.201.72\t\tEmployees\tMacintosh-Workstation\n",
        ),
        (
            "getSessionByMacAddress",
            &wireless,
            &[
                "session",
                "00:01:24:80:B3:9C",
                "--fields",
                "MAC,IP,NAS,SGT,ssid,mdmCompliant",
            ],
            "",
            "MAC\t00:01:24:80:B3:9C\nIP\t0.0.0.9\nNAS\t192.168.1.10\nSGT\tBYOD\nssid\t00-04-5F-00-0F-D1\nmdmCompliant\tfalse\n",
        ),
        (
            "getSecurityGroupAcls",
            &acls,
            &["trustsec", "acls", "--fields", "NAME,acl"],
            "/securityGroupAcls",
            "Permit IP\tpermit ip\nPermit_IP_Log\tpermit ip log\ndrop all\tdeny icmp\\ndeny ip\n",
        ),
    ];
    for (operation, body, command, list, columns) in cases {
        let body = (*body).to_owned();
        let operation = (*operation).to_owned();
        let node = plan()
            .when({
                let body = body.clone();
                move |arrived| {
                    (arrived.operation == operation).then(|| Answer::Text(200, body.clone()))
                }
            })
            .start();
        let run = node.pxgrid(command).assert().success();
        for row in columns.lines() {
            assert!(
                stdout(&run).lines().any(|line| line == row),
                "{row}: {run:?}"
            );
        }
        let bare = command
            .iter()
            .position(|word| *word == "--fields")
            .unwrap_or(command.len());
        let mut whole = command[..bare].to_vec();
        whole.push("--json");
        let run = node.pxgrid(&whole).assert().success();
        let sent = value(&body);
        assert_eq!(answer(&run), *sent.pointer(list).unwrap(), "{command:?}");
    }
}

#[test]
fn security_groups_of_2_7() {
    let Some(text) = fixture("pxgrid/ise27-rest-answers.jsonl") else {
        return;
    };
    let lines: Vec<&str> = text.lines().collect();
    let groups = plan().answering("getSecurityGroups", 200, lines[8]).start();
    let run = groups
        .pxgrid(&["trustsec", "groups", "--json"])
        .assert()
        .success();
    assert_eq!(answer(&run), value(lines[8])["securityGroups"]);
}

#[test]
fn a_lookup_of_3_4() {
    let Some(text) = fixture("pxgrid/ise34-posture-servicelookup.json") else {
        return;
    };
    let answers = value(&text);
    let node = plan()
        .answering("ServiceLookup", 200, &answers[0].to_string())
        .start();
    let run = node
        .pxgrid(&["services", "com.cisco.ise.posture", "--json"])
        .assert()
        .success();
    let told = answer(&run).to_string();
    for text in [
        "~ise-admin-ise-34",
        "https://ise-34.lab.example:8910/pxgrid/ise/posture",
        "/topic/com.cisco.ise.posture.visibility",
    ] {
        assert!(told.contains(text), "{told}");
    }
}

/// 3.3 announces the address under an old name as well, which leads to paths that are gone: the new
/// one counts, in whatever order.
#[test]
fn the_old_name_of_the_address_is_passed_over() {
    for old_first in [true, false] {
        let host = Arc::new(OnceLock::<String>::new());
        let node = plan()
            .when({
                let host = Arc::clone(&host);
                move |arrived| {
                    let host = host.get()?;
                    let old = format!("\"restBaseURL\":\"https://{host}/pxgrid/mnt/sd\"");
                    let new = format!("\"restBaseUrl\":\"https://{host}/pxgrid/ise/session\"");
                    let pair = if old_first {
                        format!("{old},{new}")
                    } else {
                        format!("{new},{old}")
                    };
                    (arrived.operation == "ServiceLookup").then(|| {
                        Answer::Text(
                            200,
                            format!(
                                "{{\"services\":[{{\"name\":\"com.cisco.ise.session\",\"nodeName\":\"~ise-0\",\"properties\":{{{pair}}}}}]}}"
                            ),
                        )
                    })
                }
            })
            .start();
        host.set(node.host(0)).unwrap();
        let run = node
            .pxgrid(&["call", "com.cisco.ise.session", "getSessions", "--trace"])
            .assert()
            .success();
        let trace = stderr(&run);
        assert!(trace.contains("/pxgrid/ise/session/getSessions"), "{trace}");
        assert!(!trace.contains("/mnt/sd"), "{trace}");
    }
    // The lab announces both, as 3.3 does.
    let lab = lab();
    let run = lab
        .pxgrid(&["services", "com.cisco.ise.session", "--json"])
        .assert()
        .success();
    let told = answer(&run).to_string();
    assert!(
        told.contains("restBaseURL") && told.contains("/pxgrid/mnt/sd"),
        "{told}"
    );
    let run = lab
        .pxgrid(&["sessions", "--jq", "length", "--json"])
        .assert()
        .success();
    assert_eq!(stdout(&run).trim(), "50");
    let old: Vec<String> = lab
        .requests()
        .into_iter()
        .filter(|line| line.contains("/mnt/sd"))
        .collect();
    assert!(old.is_empty(), "{old:?}");
}

/// A pubsub node that sends the captured bytes: headers as ISE 3.4 sent them, this subscription's
/// id, this body's length.
fn captured_node(headers: &str, bodies: Vec<(String, String)>) -> TestLab {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let lab = with(LabOptions {
        pubsub_url: Some(format!("wss://localhost:{port}/pxgrid/ise/pubsub")),
        ..LabOptions::default()
    });
    let identity = lab
        .certificates()
        .server("ise-pubsub", Flavour::Good)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::clone(&identity.server_config().unwrap()));
    let mut blocks = headers
        .split("\n\n")
        .map(str::trim)
        .filter(|block| !block.is_empty());
    let connected = format!("{}\n\n\0", blocks.next().unwrap());
    let message = blocks
        .next()
        .unwrap()
        .lines()
        .take_while(|line| *line != "--")
        .collect::<Vec<_>>();
    let message = message.join("\n");
    std::thread::spawn(move || {
        block_on(async {
            listener.set_nonblocking(true).unwrap();
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(stream) = acceptor.accept(stream).await else {
                    continue;
                };
                let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else {
                    continue;
                };
                while let Some(Ok(came)) = socket.next().await {
                    let Message::Binary(bytes) = came else {
                        continue;
                    };
                    let frame = String::from_utf8_lossy(&bytes).into_owned();
                    if frame.starts_with("CONNECT\n") {
                        let _sent = socket.send(Message::Binary(connected.clone().into())).await;
                    }
                    let id = frame.lines().find_map(|line| line.strip_prefix("id:"));
                    if let (true, Some(id)) = (frame.starts_with("SUBSCRIBE\n"), id) {
                        for (topic, body) in &bodies {
                            let head: Vec<String> = message
                                .lines()
                                .map(|line| match line.split_once(':') {
                                    Some(("content-length", _)) => {
                                        format!("content-length:{}", body.len())
                                    }
                                    Some(("destination", _)) => format!("destination:{topic}"),
                                    Some(("subscription", _)) => format!("subscription:{id}"),
                                    _ => line.to_owned(),
                                })
                                .collect();
                            let frame = format!("{}\n\n{body}\0", head.join("\n"));
                            let _sent = socket.send(Message::Binary(frame.into())).await;
                        }
                    }
                    if frame.starts_with("DISCONNECT\n") {
                        let receipt = frame.lines().find_map(|line| line.strip_prefix("receipt:"));
                        let frame =
                            format!("RECEIPT\nreceipt-id:{}\n\n\0", receipt.unwrap_or_default());
                        let _sent = socket.send(Message::Binary(frame.into())).await;
                    }
                }
            }
        });
    });
    lab
}

/// Every captured message, live, through `subscribe`: topic, MAC, and the message as it was sent.
#[test]
fn messages_of_2_7_to_3_4() {
    let Some(headers) = fixture("pxgrid/ise34-posture-stomp-headers.txt") else {
        return;
    };
    let cases = [
        (
            "posture",
            "/topic/com.cisco.ise.posture.visibility",
            "ise34-posture-messages.jsonl",
            json!("00:00:5E:00:53:34"),
        ),
        (
            "session",
            "/topic/com.cisco.ise.session",
            "ise27-session-topic.jsonl",
            json!("18:60:24:00:00:02"),
        ),
        (
            "anc",
            "/topic/com.cisco.ise.config.anc.status",
            "ise27-anc-status-topic.jsonl",
            json!("11:22:33:44:55:66"),
        ),
        (
            "trustsec-groups",
            "/topic/com.cisco.ise.config.trustsec.security.group",
            "ise30-trustsec-securitygroup-topic.jsonl",
            Value::Null,
        ),
        (
            "profiler",
            "/topic/com.cisco.ise.config.profiler",
            "ise30-profiler-topic.jsonl",
            Value::Null,
        ),
    ];
    for (alias, topic, file, mac) in cases {
        let text = fixture(&format!("pxgrid/{file}")).unwrap();
        let sent = values(&text);
        let bodies = text
            .lines()
            .map(|line| (topic.to_owned(), line.to_owned()))
            .collect();
        let lab = captured_node(&headers, bodies);
        let run = lab
            .pxgrid(&[
                "subscribe",
                "--topic",
                alias,
                "--json",
                "--count",
                &sent.len().to_string(),
            ])
            .assert()
            .success();
        let events = values(&stdout(&run));
        assert_eq!(events.len(), sent.len(), "{alias}");
        for (event, sent) in events.iter().zip(&sent) {
            assert_eq!(event["topic"], topic, "{alias}: {event}");
            assert_eq!(event["message"], *sent, "{alias}");
            assert_eq!(event["recovered"], false, "{alias}");
            if !mac.is_null() {
                assert!(
                    event.to_string().contains(mac.as_str().unwrap()),
                    "{alias}: {event}"
                );
            }
        }
        let counter = events[0].get("sequenceNumber").cloned().unwrap_or_default();
        assert_eq!(
            counter,
            sent[0].get("sequenceNo").cloned().unwrap_or_default(),
            "{alias}"
        );
    }
}

/// Context-in as a third party writes it, over many lines.
#[test]
fn an_asset_is_published_as_it_was_written() {
    let Some(text) = fixture("pxgrid/context-in-asset.json") else {
        return;
    };
    let lab = lab();
    let run = lab
        .pxgrid(&["publish", "asset", "-", "--settle", "0s"])
        .write_stdin(text.clone())
        .assert()
        .success();
    let requests = lab.requests();
    assert!(
        requests
            .iter()
            .any(|line| line.starts_with("SEND /topic/com.cisco.endpoint.asset")),
        "{requests:?} {run:?}"
    );
}
