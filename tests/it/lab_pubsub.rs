//! The lab's pubsub nodes: STOMP over WebSocket, what is published, and who gets it.

use std::collections::HashMap;

use netapi::testing::lab::{Lab, LabOptions};
use netapi::testing::pxgrid::stomp::{Command, Frame};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::support::pubsub::{
    Came, Client, block_on, control, lab, open, open_as, post, secret, soon,
};

const SESSION: &str = "/topic/com.cisco.ise.session";
const ALL: &str = "/topic/com.cisco.ise.session.all";
const ANC: &str = "/topic/com.cisco.ise.config.anc.status";

#[test]
fn a_subscriber_sees_every_session_event_in_order() {
    let lab = lab(&[], "200");
    block_on(async {
        let mut client = open(&lab, 1).await.ok().unwrap();
        client.send(&Frame::connect("~ise-pubsub-lab-1")).await;
        let connected = client.frame(Command::Connected).await;
        assert_eq!(connected.header("heart-beat"), Some("0,0"));
        assert_eq!(connected.header("version"), Some("1.2"));
        client.subscribe("my-id", SESSION, None).await;
        let first = client.frame(Command::Message).await;
        let names: Vec<&str> = first.headers.iter().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            [
                "content-length",
                "trace-id",
                "destination",
                "message-id",
                "subscription"
            ]
        );
        assert_eq!(first.header("subscription"), Some("my-id"));
        assert_eq!(first.header("destination"), Some(SESSION));
        let body: Value = serde_json::from_slice(&first.body).unwrap();
        let mut expected = body["sequence"].as_u64().unwrap();
        let mut states = HashMap::<String, u64>::new();
        while states.len() < 3 {
            let (_, body) = client.message().await;
            expected += 1;
            assert_eq!(body["sequence"], expected);
            for session in body["sessions"].as_array().unwrap() {
                let state = session["state"].as_str().unwrap();
                *states.entry(state.to_owned()).or_default() += 1;
            }
        }
        assert!(states["DISCONNECTED"] > 0, "{states:?}");
    });
}

#[test]
fn what_is_published_is_what_the_other_interfaces_show() {
    let lab = lab(&[], "300");
    block_on(async {
        let mut client = open(&lab, 2).await.ok().unwrap();
        client.subscribe("0", ALL, None).await;
        let password = secret(&lab, "~ise-mnt-lab-1").await;
        let (gone, ended) = loop {
            let (_, body) = client.message().await;
            let sessions = body["sessions"].as_array().unwrap().clone();
            if let Some(one) = sessions.iter().find(|one| one["state"] == "DISCONNECTED") {
                break (one["macAddress"].clone(), one["timestamp"].clone());
            }
        };
        let request = json!({ "startTimestamp": ended });
        let path = "/pxgrid/ise/session/getSessionsForRecovery";
        let (status, recovered) = post(&lab, path, &password, &request).await;
        assert_eq!(status, 200);
        let sessions = recovered["sessions"].as_array().unwrap();
        // Back again by now, or still gone; either way it changed since.
        assert!(sessions.iter().any(|one| one["macAddress"] == gone));
    });
}

#[test]
fn the_outcome_of_an_anc_operation_comes_as_an_event() {
    let lab = lab(&[], "0");
    block_on(async {
        let mut client = open(&lab, 1).await.ok().unwrap();
        client.subscribe("a", ANC, None).await;
        client.subscribe("s", SESSION, None).await;
        let password = secret(&lab, "~ise-admin-lab-1").await;
        let request = json!({ "policyName": "Quarantine", "macAddress": "00:00:5E:00:53:01" });
        let path = "/pxgrid/ise/config/anc/applyEndpointByMacAddress";
        let (_, running) = post(&lab, path, &password, &request).await;
        assert_eq!(running["status"], "RUNNING");
        let (topic, body) = client.message().await;
        assert_eq!(topic, SESSION);
        assert_eq!(body["sessions"][0]["ancPolicy"], "Quarantine");
        let (topic, body) = client.message().await;
        assert_eq!(topic, ANC);
        assert_eq!(body["status"], "SUCCESS");
        assert_eq!(body["operationId"], running["operationId"]);
    });
}

#[test]
fn only_who_has_the_pubsub_nodes_secret_gets_in() {
    let lab = lab(&[], "0");
    block_on(async {
        let good = secret(&lab, "~ise-pubsub-lab-1").await;
        let other = secret(&lab, "~ise-mnt-lab-1").await;
        assert!(open_as(&lab, 1, "tester", &good).await.is_ok());
        for (name, password) in [("tester", &other), ("~ise-pubsub-lab-1", &good)] {
            assert_eq!(open_as(&lab, 1, name, password).await.err(), Some(401));
        }
        control(&lab, "AccountActivate", &json!({})).await;
    });
}

#[test]
fn a_filter_lets_through_what_it_fits() {
    let lab = lab(&[], "0");
    block_on(async {
        let mut client = open(&lab, 1).await.ok().unwrap();
        client
            .subscribe("f", SESSION, Some("userName=='jsmith'"))
            .await;
        let sessions = json!([{"userName": "pat"}, {"userName": "jsmith", "n": 1}]);
        let events = lab.events();
        events.publish(SESSION, &json!({ "sessions": [{"userName": "pat"}] }));
        events.publish(SESSION, &json!({ "sessions": sessions }));
        let (_, body) = client.message().await;
        let passed = json!({ "sequence": 1, "sessions": [{"userName": "jsmith", "n": 1}] });
        assert_eq!(body, passed);
    });
}

#[test]
fn clients_publish_to_each_other() {
    let lab = lab(&[], "0");
    block_on(async {
        let mut reader = open(&lab, 1).await.ok().unwrap();
        let mut writer = open(&lab, 2).await.ok().unwrap();
        let topic = "/topic/com.example.custom";
        reader.subscribe("x", topic, None).await;
        writer
            .send(&Frame::send(topic, "{\"name\":\"Jürgen\"}\n\n"))
            .await;
        let frame = reader.frame(Command::Message).await;
        assert_eq!(frame.body, "{\"name\":\"Jürgen\"}\n\n".as_bytes());
        writer.send(&Frame::send(SESSION, "{}")).await;
        writer.frame(Command::Error).await;
    });
}

#[test]
fn a_big_body_arrives_whole() {
    let lab = lab(&[], "0");
    block_on(async {
        let mut client = open(&lab, 1).await.ok().unwrap();
        client.subscribe("x", ANC, None).await;
        let body = json!({ "text": "ü\n\n".repeat(60_000) });
        lab.events().publish(ANC, &body);
        assert_eq!(client.message().await.1, body);
    });
}

#[test]
fn unsubscribing_and_leaving_end_the_messages() {
    let lab = lab(&[], "0");
    block_on(async {
        let mut client = open(&lab, 1).await.ok().unwrap();
        client.subscribe("a", ANC, None).await;
        client.subscribe("b", SESSION, None).await;
        let mut frame = Frame::unsubscribe("a");
        frame.headers.push("receipt", "r");
        client.send(&frame).await;
        client.frame(Command::Receipt).await;
        lab.events().publish(ANC, &json!({}));
        lab.events().publish(SESSION, &json!({ "sessions": [] }));
        assert_eq!(client.message().await.0, SESSION);
        client.send(&Frame::disconnect("bye")).await;
        let receipt = client.frame(Command::Receipt).await;
        assert_eq!(receipt.header("receipt-id"), Some("bye"));
    });
}

#[test]
fn nonsense_is_answered_and_ends_the_connection() {
    let lab = lab(&[], "0");
    block_on(async {
        let no_id = Frame {
            headers: [("destination", ANC)].into_iter().collect(),
            ..Frame::unsubscribe("x")
        };
        for bytes in [
            b"HELLO\n\n\0".to_vec(),
            Frame::subscribe("x", "/queue/x", None).encode().unwrap(),
            Frame::subscribe("x", SESSION, Some("a=="))
                .encode()
                .unwrap(),
            Frame::subscribe("x", ANC, Some("a=='b'")).encode().unwrap(),
            Frame::unsubscribe("x").encode().unwrap(),
            Frame::connected().encode().unwrap(),
            no_id.encode().unwrap(),
        ] {
            let mut client = open(&lab, 1).await.ok().unwrap();
            send(&mut client, Message::Binary(bytes.into())).await;
            client.frame(Command::Error).await;
            assert!(matches!(client.came().await, Came::Closed(_)));
        }
        let mut client = open(&lab, 1).await.ok().unwrap();
        send(&mut client, Message::Text("CONNECT\n\n\0".into())).await;
        assert!(matches!(
            client.came().await,
            Came::Closed(Some(CloseCode::Unsupported))
        ));
    });
}

async fn send(client: &mut Client, message: Message) {
    use futures_util::SinkExt;
    soon("the sending", client.stream.send(message))
        .await
        .unwrap();
}

#[test]
fn every_topic_has_its_events() {
    let lab = lab(&[], "2000");
    block_on(async {
        let mut client = open(&lab, 1).await.ok().unwrap();
        let topics = [
            "session.group",
            "sxp.binding",
            "radius.failure",
            "config.profiler",
            "mdm.endpoint",
            "endpoint",
            "config.trustsec.security.group",
            "config.trustsec.security.group.acl",
            "config.trustsec.virtualnetwork",
            "config.trustsec.egress.policy",
            "trustsec.policy.download",
            "posture.visibility",
        ];
        for topic in topics {
            let path = format!("/topic/com.cisco.ise.{topic}");
            client.subscribe(topic, &path, None).await;
            let mut came = None;
            while came.is_none() {
                let (of, body) = client.message().await;
                came = (of == path).then_some(body);
            }
            assert!(!came.unwrap().as_object().unwrap().is_empty(), "{topic}");
            let mut frame = Frame::unsubscribe(topic);
            frame.headers.push("receipt", "r");
            client.send(&frame).await;
            while client.any_frame().await.command != Command::Receipt {}
        }
    });
    let events = lab.events().event_log();
    let longest = events.iter().map(|event| event.body.len()).max().unwrap();
    assert!((200_000..300_000).contains(&longest), "{longest}");
    for event in events.iter().filter(|event| event.body.len() < 50_000) {
        let body: Value = serde_json::from_str(&event.body).unwrap();
        assert!(
            !body.to_string().contains(":null"),
            "{}: {body}",
            event.topic
        );
    }
}

#[test]
fn a_failure_told_is_a_failure_found() {
    let lab = lab(&[], "500");
    block_on(async {
        let mut client = open(&lab, 1).await.ok().unwrap();
        let topic = "/topic/com.cisco.ise.radius.failure";
        client.subscribe("r", topic, None).await;
        let failure = client.message().await.1["failures"][0].clone();
        let password = secret(&lab, "~ise-mnt-lab-1").await;
        let request = json!({ "id": failure["id"] });
        let path = "/pxgrid/ise/radius/getFailureById";
        let (_, found) = post(&lab, path, &password, &request).await;
        assert_eq!(found["macAddress"], failure["macAddress"]);
        assert!(found["timestamp"].as_str().unwrap() >= failure["timestamp"].as_str().unwrap());
    });
}

#[test]
fn a_flood_comes_in_order_and_leaves_room_for_the_rest() {
    let lab = Lab::spawn_in_thread(LabOptions {
        sessions: 5000,
        events_per_second: "max".parse().unwrap(),
        ..LabOptions::default()
    })
    .unwrap();
    block_on(async {
        let mut client = open(&lab, 1).await.ok().unwrap();
        client.subscribe("f", SESSION, None).await;
        let mut frame = Frame::subscribe("a", ANC, None);
        frame.headers.push("receipt", "r");
        client.send(&frame).await;
        let (mut expected, mut receipt, mut status) = (0_u64, false, false);
        while expected < 3_000 || !receipt || !status {
            let frame = client.any_frame().await;
            if frame.command == Command::Receipt {
                receipt = true;
                lab.events().publish(ANC, &json!({"status": "SUCCESS"}));
            } else if frame.header("destination") == Some(ANC) {
                status = true;
            } else {
                assert!(
                    (1200..1400).contains(&frame.body.len()),
                    "{}",
                    frame.body.len()
                );
                let start = format!("{{\"sequence\":{expected},\"sessions\":[{{");
                assert!(frame.body.starts_with(start.as_bytes()));
                assert!(expected > 100 || serde_json::from_slice::<Value>(&frame.body).is_ok());
                expected += 1;
            }
        }
    });
}
