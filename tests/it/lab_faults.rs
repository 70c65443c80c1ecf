//! Faults of the lab's pubsub nodes, and orders to a running lab: connections end as they were told
//! to, messages are lost, nodes go and come.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;
use std::time::Duration;

use futures_util::StreamExt as _;
use netapi::testing::lab::{Lab, LabOptions, PubsubTimes, RunningLab};
use netapi::testing::pxgrid::stomp::Command;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::support::pubsub::{Came, block_on, lab, open, soon};
use crate::support::{process, wait_for};

const SESSION: &str = "/topic/com.cisco.ise.session";
const ANC: &str = "/topic/com.cisco.ise.config.anc.status";

#[test]
fn a_refused_upgrade_is_a_503() {
    let lab = lab(&["ws-upgrade-refused@1"], "0");
    block_on(async {
        assert_eq!(open(&lab, 1).await.err(), Some(503));
        assert!(open(&lab, 1).await.is_ok());
    });
}

#[test]
fn a_rotated_secret_is_refused_and_a_fresh_one_taken() {
    let lab = lab(&["secret-rotation@1:pubsub"], "0");
    block_on(async {
        assert_eq!(open(&lab, 1).await.err(), Some(401));
        assert!(open(&lab, 1).await.is_ok());
    });
}

#[test]
fn connections_end_in_every_way_and_once() {
    for (fault, ends) in [
        ("ws-close@1~0.1", "closed"),
        ("ws-error@1~0.1", "error"),
        ("ws-reset@1~0.1", "broken"),
        ("slow-consumer-cut@1~0.1", "broken"),
    ] {
        let lab = lab(&[fault], "0");
        block_on(async {
            let mut client = open(&lab, 1).await.ok().unwrap();
            client.subscribe("x", ANC, None).await;
            let end = match client.came().await {
                Came::Closed(Some(CloseCode::Away)) => "closed",
                Came::Frame(frame) if frame.command == Command::Error => "error",
                Came::Broken => "broken",
                other => panic!("{fault}: {other:?}"),
            };
            assert_eq!(end, ends, "{fault}");
            let mut client = open(&lab, 1).await.ok().unwrap();
            client.subscribe("x", ANC, None).await;
            lab.events().publish(ANC, &json!({}));
            client.message().await;
        });
    }
}

#[test]
fn a_silent_node_keeps_the_connection() {
    let lab = lab(&[], "0");
    block_on(async {
        let mut client = open(&lab, 1).await.ok().unwrap();
        client.subscribe("x", ANC, None).await;
        lab.order("fault ws-silence~0").unwrap();
        // Another connection, for which the fault has gone, shows that the message was published.
        let mut other = open(&lab, 2).await.ok().unwrap();
        // The order and the strike are asynchronous: what is published before them still comes.
        let silent = async {
            loop {
                lab.events().publish(ANC, &json!({}));
                let next =
                    tokio::time::timeout(std::time::Duration::from_millis(300), client.message());
                if next.await.is_err() {
                    break;
                }
            }
        };
        soon("silence", silent).await;
        lab.order("clear ws-silence").unwrap();
        other.subscribe("y", ANC, None).await;
        lab.events().publish(ANC, &json!({}));
        other.message().await;
    });
}

#[test]
fn numbered_messages_are_lost_doubled_and_counted_anew() {
    for (fault, expected) in [
        ("sequence-gap@1", [0, 1, 2, 4, 5, 6, 7, 8]),
        ("duplicate@1", [0, 1, 2, 3, 3, 4, 5, 6]),
        ("publisher-restart@1", [0, 1, 2, 0, 1, 2, 3, 4]),
    ] {
        let lab = lab(&[fault], "0");
        block_on(async {
            let mut client = open(&lab, 1).await.ok().unwrap();
            client.subscribe("x", SESSION, None).await;
            for _ in 0..9 {
                lab.events().publish(SESSION, &json!({ "sessions": [] }));
            }
            let mut came = Vec::new();
            for _ in expected {
                came.push(client.message().await.1["sequence"].as_u64().unwrap());
            }
            assert_eq!(came, expected, "{fault}");
        });
    }
}

#[test]
fn nodes_go_down_and_come_back() {
    let lab = lab(&[], "0");
    block_on(async {
        let mut client = open(&lab, 2).await.ok().unwrap();
        client.subscribe("x", ANC, None).await;
        assert!(lab.order("node-down 3").is_err());
        assert_eq!(lab.order("node-down 2").unwrap(), "node 2 is down");
        assert!(matches!(client.came().await, Came::Broken));
        let address = lab.pxgrid_addresses()[1];
        let refused = async {
            while tokio::net::TcpStream::connect(address).await.is_ok() {
                tokio::task::yield_now().await;
            }
        };
        soon("the refusal", refused).await;
        assert!(open(&lab, 1).await.is_ok());
        lab.order("node-up 2").unwrap();
        let up = async {
            while tokio::net::TcpStream::connect(address).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        soon("the return", up).await;
        assert!(open(&lab, 2).await.is_ok());
        for wrong in [
            "",
            "fault",
            "fault no-such",
            "clear ws-close",
            "node-up 1",
            "fault tls-expired",
        ] {
            assert!(lab.order(wrong).is_err(), "{wrong}");
        }
    });
}

#[test]
fn a_node_that_goes_down_cuts_its_connections_however_soon_it_is_back() {
    let lab = lab(&[], "0");
    block_on(async {
        for _ in 0..20 {
            let mut other = open(&lab, 1).await.ok().unwrap();
            let mut client = open(&lab, 2).await.ok().unwrap();
            client.subscribe("x", ANC, None).await;
            lab.order("node-down 2").unwrap();
            lab.order("node-up 2").unwrap();
            assert!(matches!(client.came().await, Came::Broken));
            // The other node's stay.
            other.subscribe("x", ANC, None).await;
            let address = lab.pxgrid_addresses()[1];
            let up = async {
                while tokio::net::TcpStream::connect(address).await.is_err() {
                    tokio::task::yield_now().await;
                }
            };
            soon("the return", up).await;
        }
    });
}

/// A lab whose pubsub waits as long as this, and floods its subscribers.
fn impatient(times: PubsubTimes) -> RunningLab {
    Lab::spawn_in_thread(LabOptions {
        events_per_second: "max".parse().unwrap(),
        pubsub_times: times,
        ..LabOptions::default()
    })
    .unwrap()
}

/// Why connections were cut.
fn cuts(lab: &RunningLab) -> Vec<String> {
    lab.requests()
        .into_iter()
        .filter(|entry| entry.method == "CUT")
        .map(|entry| entry.path)
        .collect()
}

#[test]
fn a_consumer_that_takes_nothing_is_cut_off() {
    let lab = impatient(PubsubTimes {
        send: Duration::from_millis(200),
        ..PubsubTimes::default()
    });
    block_on(async {
        let mut client = open(&lab, 1).await.ok().unwrap();
        client.subscribe("x", SESSION, None).await;
        wait_for("the cut", || cuts(&lab) == ["slow consumer"]);
    });
}

#[test]
fn a_client_that_says_nothing_is_pinged_and_then_cut_off() {
    let lab = impatient(PubsubTimes {
        ping: Duration::from_millis(50),
        silence: Duration::from_millis(300),
        ..PubsubTimes::default()
    });
    block_on(async {
        let mut client = open(&lab, 1).await.ok().unwrap();
        // Reading answers pings: as long as it does, it stays.
        for _ in 0..10 {
            let next = soon("a ping", client.stream.next()).await;
            assert!(matches!(next, Some(Ok(Message::Ping(_)))));
        }
        assert!(cuts(&lab).is_empty());
        wait_for("the cut", || cuts(&lab) == ["silent peer"]);
    });
}

#[test]
fn a_running_lab_takes_orders_and_tells_what_it_published() {
    let directory = tempfile::tempdir().unwrap();
    let mut lab = process()
        .args(["ise", "lab", "up", "--events-per-second", "100", "--dir"])
        .arg(directory.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(lab.stderr.take().unwrap()).lines();
    let mut orders = lab.stdin.take().unwrap();
    let mut answer = |order: &str| {
        orders.write_all(order.as_bytes()).unwrap();
        said.next().unwrap().unwrap()
    };
    answer("");
    assert!(answer("node-down 2\n").contains("node 2 is down"));
    assert!(answer("node-up 2\n").contains("node 2 is up"));
    assert!(answer("fault ws-close@1\n").contains("begins"));
    assert!(answer("clear ws-close\n").contains("is over"));
    let refused = answer("make tea\n");
    assert!(refused.contains("'make tea' is no order"), "{refused}");
    // The end of its orders is not the lab's end.
    drop(orders);
    let log = directory.path().join("requests.jsonl");
    let told = || -> Vec<Value> {
        let text = std::fs::read_to_string(&log).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        lines
            .filter(|line: &Value| line["topic"] == SESSION)
            .collect()
    };
    wait_for("ten events", || told().len() >= 10);
    for (number, line) in told().iter().enumerate() {
        assert_eq!(line["sequence"], number);
        assert!(line["facts"]["sessions"][0]["state"].is_string(), "{line}");
    }
    assert!(lab.try_wait().unwrap().is_none());
    lab.kill().unwrap();
    lab.wait().unwrap();
}
