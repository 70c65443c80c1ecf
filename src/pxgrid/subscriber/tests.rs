//! The subscriber over real sockets, against a hand-written node: control calls and REST answered
//! by a table, each WebSocket handed to the test.

mod node;

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio_tungstenite::tungstenite::protocol::Message;

use super::*;
use crate::error::Kind;
use crate::pxgrid::stomp::Command;
use crate::pxgrid::subscription::Why;
use node::{PATIENCE, TOPIC, node};

fn hasty() -> SubscriptionOptions {
    SubscriptionOptions {
        reconnect_min: Duration::from_millis(10),
        reconnect_max: Duration::from_millis(50),
        lookup_pause: Duration::from_millis(20),
        ..SubscriptionOptions::default()
    }
}

/// Runs the subscriber until `done` likes what has come so far.
async fn until(subscriber: &mut Subscriber, seen: &mut Update, done: impl Fn(&Update) -> bool) {
    let run = async {
        while !done(seen) {
            let update = subscriber.next().await;
            seen.events.extend(update.events);
            seen.notices.extend(update.notices);
            seen.progress.marks = update.progress.marks;
            seen.ended = update.ended.or(seen.ended.take());
        }
    };
    tokio::time::timeout(PATIENCE, run)
        .await
        .expect("it happens");
}

fn subscribed(update: &Update) -> bool {
    update
        .notices
        .iter()
        .any(|notice| matches!(notice, Notice::Subscribed { .. }))
}

#[tokio::test]
async fn an_event_arrives_and_leaving_is_confirmed() {
    let mut node = node().await;
    let mut subscriber = node.subscriber(hasty());
    let mut seen = Update::default();
    let ((), mut peer) = tokio::join!(until(&mut subscriber, &mut seen, subscribed), async {
        let mut peer = node.peer().await;
        let subscribe = peer.greet().await;
        assert_eq!(subscribe.header("destination"), Some(TOPIC));
        peer
    });
    assert_eq!(peer.authorization, "Basic b3duLW5hbWU6Zmlyc3Q=");
    peer.publish(7, "00:00:00:00:00:01").await;
    until(&mut subscriber, &mut seen, |seen| seen.events.len() == 1).await;
    assert_eq!(seen.events[0].event, "sessionCreated");
    assert_eq!(seen.events[0].sequence, Some(7));
    assert_eq!(seen.progress.marks[0].sequence, Some(7));
    subscriber.stop();
    let leave = async {
        peer.expect(Command::Unsubscribe).await;
        let bye = peer.expect(Command::Disconnect).await;
        peer.say(Frame::receipt(bye.header("receipt").unwrap()))
            .await;
    };
    tokio::join!(
        leave,
        until(&mut subscriber, &mut seen, |seen| seen.ended.is_some())
    );
    assert_eq!(seen.ended, Some(Ok(())));
    let closing = async {
        let close = peer.stream.next().await;
        assert!(matches!(close, Some(Ok(Message::Close(_)))), "{close:?}");
        while peer.stream.next().await.is_some() {}
    };
    tokio::join!(subscriber.close(), closing);
}

#[tokio::test]
async fn after_a_loss_it_subscribes_again_and_fetches_what_was_missed() {
    let mut node = node().await;
    node.answer(
        "getSessionsForRecovery",
        &[(200, json!({"sessions": [{
            "macAddress": "00:00:00:00:00:02", "state": "STARTED", "timestamp": Timestamp::now().to_string()
        }]}))],
    );
    let mut subscriber = node.subscriber(hasty());
    let mut seen = Update::default();
    let server = async {
        let mut peer = node.peer().await;
        peer.greet().await;
        peer.publish(0, "00:00:00:00:00:01").await;
        // Text is read as well, and a frame may come in pieces.
        let body = json!({"sequence": 1, "sessions": [{"macAddress": "00:00:00:00:00:03", "state": "STARTED"}]});
        let bytes = Frame::message("0", TOPIC, 2, None, body.to_string())
            .encode()
            .unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let (first, second) = text.split_at(40);
        peer.stream.send(Message::text(first)).await.unwrap();
        peer.stream.send(Message::text(second)).await.unwrap();
        peer.stream.close(None).await.unwrap();
        let mut peer = node.peer().await;
        peer.greet().await;
        peer
    };
    let (_peer, ()) = tokio::join!(
        server,
        until(&mut subscriber, &mut seen, |seen| seen.events.len() == 3)
    );
    assert!(seen.events[2].recovered);
    assert_eq!(seen.events[2].mac.as_deref(), Some("00:00:00:00:00:02"));
    assert_eq!(subscriber.figures().reconnects, 1);
}

#[tokio::test]
async fn a_refused_secret_is_fetched_anew_once() {
    let mut node = node().await;
    node.answer("upgrade", &[(401, json!({})), (101, json!({}))]);
    let mut subscriber = node.subscriber(hasty());
    let mut seen = Update::default();
    let ((), peer) = tokio::join!(until(&mut subscriber, &mut seen, subscribed), async {
        let mut peer = node.peer().await;
        peer.greet().await;
        peer
    });
    assert_eq!(peer.authorization, "Basic b3duLW5hbWU6c2Vjb25k");
    assert_eq!(node.asked("AccessSecret"), 2);
    assert!(matches!(seen.notices[0], Notice::SecretRefused { .. }));
}

#[tokio::test]
async fn a_lasting_refusal_at_the_start_ends_it() {
    let node = node().await;
    node.answer("upgrade", &[(403, json!({}))]);
    let mut subscriber = node.subscriber(hasty());
    let mut seen = Update::default();
    until(&mut subscriber, &mut seen, |seen| seen.ended.is_some()).await;
    let error = seen.ended.unwrap().unwrap_err();
    assert_eq!(
        (error.kind(), error.http_status()),
        (Kind::Refused, Some(403))
    );
    assert_eq!(node.asked("upgrade"), 4);
}

#[tokio::test]
async fn a_half_open_connection_is_given_up() {
    let mut node = node().await;
    let mut subscriber = node.subscriber(SubscriptionOptions {
        silence: Duration::from_millis(300),
        ..hasty()
    });
    let mut seen = Update::default();
    let server = async {
        let mut first = node.peer().await;
        first.greet().await;
        // Not read any more, it answers no ping.
        let mut second = node.peer().await;
        second.greet().await;
        // This one is read, so its pongs keep it alive for longer than the silence allowed.
        let reading = async { while second.stream.next().await.is_some() {} };
        let _ = tokio::time::timeout(Duration::from_millis(900), reading).await;
        (first, second)
    };
    let lost = |seen: &Update| {
        let silent = |notice: &&Notice| {
            matches!(
                notice,
                Notice::ConnectionLost {
                    why: Why::Silent(_),
                    ..
                }
            )
        };
        seen.notices.iter().filter(silent).count()
    };
    let (peers, ()) = tokio::join!(
        server,
        until(&mut subscriber, &mut seen, |seen| {
            seen.notices
                .iter()
                .filter(|notice| matches!(notice, Notice::Subscribed { .. }))
                .count()
                == 2
        })
    );
    assert_eq!(lost(&seen), 1);
    let more = tokio::time::timeout(Duration::from_millis(1), subscriber.next()).await;
    let still = more.is_ok_and(|update| lost(&update) > 0);
    assert!(!still, "the living connection was given up");
    drop(peers);
}

#[tokio::test]
async fn a_slow_owner_costs_a_bounded_queue_and_loses_nothing() {
    let mut node = node().await;
    let mut subscriber = node.subscriber(hasty());
    let mut seen = Update::default();
    let ((), mut peer) = tokio::join!(until(&mut subscriber, &mut seen, subscribed), async {
        let mut peer = node.peer().await;
        peer.greet().await;
        peer
    });
    // More than fits in the queue and in the sockets' buffers: the server has to wait for us.
    let padding = "x".repeat(200_000);
    let publishing = tokio::spawn(async move {
        for sequence in 0..150 {
            let body = json!({"sequence": sequence, "sessions": [{
                "macAddress": format!("00:00:00:00:00:{sequence:02X}"), "state": "STARTED", "padding": padding
            }]});
            peer.say(Frame::message("0", TOPIC, 1, None, body.to_string()))
                .await;
        }
        peer
    });
    let full = async {
        while subscriber
            .link
            .as_ref()
            .is_some_and(|link| link.queued() < 15)
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, full).await.unwrap();
    assert!(!publishing.is_finished());
    until(&mut subscriber, &mut seen, |seen| seen.events.len() == 150).await;
    assert_eq!(subscriber.figures().gaps, 0);
}

#[tokio::test]
async fn a_service_that_nobody_provides_ends_it_at_the_start() {
    let node = node().await;
    node.answer("com.cisco.ise.pubsub", &[(200, json!({"services": []}))]);
    let mut subscriber = node.subscriber(hasty());
    let mut seen = Update::default();
    until(&mut subscriber, &mut seen, |seen| seen.ended.is_some()).await;
    let error = seen.ended.unwrap().unwrap_err();
    assert_eq!(error.kind(), Kind::Connect);
    assert!(error.message().contains("com.cisco.ise.pubsub"), "{error}");
}

/// Answers to pings of a server that reads none of them do not pile up: it is left.
#[tokio::test]
async fn a_server_that_asks_and_never_reads_is_left() {
    use tokio::io::AsyncWriteExt;
    let mut node = node().await;
    let mut subscriber = node.subscriber(hasty());
    let mut seen = Update::default();
    let ((), mut peer) = tokio::join!(until(&mut subscriber, &mut seen, subscribed), async {
        let mut peer = node.peer().await;
        peer.greet().await;
        peer
    });
    let flooding = async {
        // Pings with as much in them as a control frame may have.
        let mut ping = vec![0x89, 125];
        ping.resize(2 + 125, b'x');
        let flood = ping.repeat(500);
        while peer.stream.get_mut().write_all(&flood).await.is_ok() {}
    };
    let left = until(&mut subscriber, &mut seen, |seen| {
        let why = |notice: &Notice| match notice {
            Notice::ConnectionLost { why, .. } => why.to_string(),
            _ => String::new(),
        };
        seen.notices
            .iter()
            .any(|notice| why(notice).contains("sends pings and does not read"))
    });
    tokio::join!(flooding, left);
}
