//! The subscriber over real sockets, against a hand-written node: control calls and REST answered by a table, each WebSocket handed to the test.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Message, Role};

use super::*;
use crate::error::Kind;
use crate::pxgrid::stomp::{Command, Decoder, Reading};
use crate::pxgrid::subscription::Why;
use crate::pxgrid::{Account, Control};
use crate::transport::{Client, ClientOptions, TlsOptions};

const TOPIC: &str = "/topic/com.cisco.ise.session";
const PATIENCE: Duration = Duration::from_secs(20);

/// What the node answers: status and body by the URL's last segment; used up from the front, the last one stays.
type Answers = Arc<Mutex<HashMap<&'static str, Vec<(u16, Value)>>>>;

struct TestNode {
    port: u16,
    answers: Answers,
    asked: Arc<Mutex<Vec<String>>>,
    peers: mpsc::UnboundedReceiver<Peer>,
}

/// The node's end of one WebSocket.
struct Peer {
    stream: WebSocketStream<TlsStream<TcpStream>>,
    decoder: Decoder,
    authorization: String,
}

impl Peer {
    async fn say(&mut self, frame: Frame) {
        let message = Message::Binary(frame.encode().unwrap().into());
        self.stream.send(message).await.unwrap();
    }

    async fn frame(&mut self) -> Frame {
        loop {
            if let Some(frame) = self.decoder.next_frame().unwrap() {
                return frame;
            }
            match tokio::time::timeout(PATIENCE, self.stream.next())
                .await
                .unwrap()
            {
                Some(Ok(Message::Binary(bytes))) => self.decoder.push(bytes),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    async fn expect(&mut self, command: Command) -> Frame {
        let frame = self.frame().await;
        assert_eq!(frame.command, command);
        frame
    }

    /// The handshake, one subscription, and the pong that says so.
    async fn greet(&mut self) -> Frame {
        self.expect(Command::Connect).await;
        self.say(Frame::connected()).await;
        let subscribe = self.expect(Command::Subscribe).await;
        let ping = tokio::time::timeout(PATIENCE, self.stream.next()).await;
        assert!(matches!(ping, Ok(Some(Ok(Message::Ping(_))))), "{ping:?}");
        self.stream.flush().await.unwrap();
        subscribe
    }

    async fn publish(&mut self, sequence: i64, mac: &str) {
        let body = json!({"sequence": sequence, "sessions": [{
            "macAddress": mac, "state": "STARTED", "timestamp": Timestamp::now().to_string()
        }]});
        self.say(Frame::message("0", TOPIC, 1, Some("ab"), body.to_string()))
            .await;
    }
}

async fn node() -> TestNode {
    let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(crate::transport::provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![key.cert.der().clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.signing_key.serialize_der())),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let base = format!("localhost:{port}");
    let answers: Answers = Arc::new(Mutex::new(HashMap::from([
        (
            "AccountActivate",
            vec![(200, json!({"accountState": "ENABLED", "version": "2.0"}))],
        ),
        (
            "com.cisco.ise.session",
            vec![(
                200,
                json!({"services": [{
                    "name": "com.cisco.ise.session", "nodeName": "mnt",
                    "properties": {
                        "sessionTopic": TOPIC, "wsPubsubService": "com.cisco.ise.pubsub",
                        "restBaseUrl": format!("https://{base}/rest"),
                    },
                }]}),
            )],
        ),
        (
            "com.cisco.ise.pubsub",
            vec![(
                200,
                json!({"services": [{
                    "name": "com.cisco.ise.pubsub", "nodeName": "pubsub-1",
                    "properties": {"wsUrl": format!("wss://{base}/pubsub")},
                }]}),
            )],
        ),
        (
            "AccessSecret",
            vec![
                (200, json!({"secret": "first"})),
                (200, json!({"secret": "second"})),
            ],
        ),
        (
            "getSessionsForRecovery",
            vec![(200, json!({"sessions": []}))],
        ),
    ])));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (give, peers) = mpsc::unbounded_channel();
    let (table, log) = (Arc::clone(&answers), Arc::clone(&asked));
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let (acceptor, table, log, give) = (
                acceptor.clone(),
                Arc::clone(&table),
                Arc::clone(&log),
                give.clone(),
            );
            tokio::spawn(async move {
                let tls = acceptor.accept(tcp).await.unwrap();
                serve(tls, &table, &log, &give).await;
            });
        }
    });
    TestNode {
        port,
        answers,
        asked,
        peers,
    }
}

async fn serve(
    mut tls: TlsStream<TcpStream>,
    table: &Answers,
    log: &Mutex<Vec<String>>,
    give: &mpsc::UnboundedSender<Peer>,
) {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match tls.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return,
            }
        }
        let head = String::from_utf8(head).unwrap();
        let header = |name: &str| {
            head.lines().find_map(|line| {
                let (key, value) = line.split_once(": ")?;
                key.eq_ignore_ascii_case(name).then(|| value.to_owned())
            })
        };
        if let Some(key) = header("sec-websocket-key") {
            assert_eq!(header("sec-websocket-protocol"), None);
            log.lock().unwrap().push("upgrade".to_owned());
            let refused = pop(table, "upgrade");
            if let Some((status, _)) = refused.filter(|(status, _)| *status != 101) {
                let text = format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n");
                tls.write_all(text.as_bytes()).await.unwrap();
                return;
            }
            let accept = derive_accept_key(key.as_bytes());
            let text = format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
            );
            tls.write_all(text.as_bytes()).await.unwrap();
            let stream = WebSocketStream::from_raw_socket(tls, Role::Server, None).await;
            let authorization = header("authorization").unwrap();
            give.send(Peer {
                stream,
                decoder: Decoder::new(Reading::Client),
                authorization,
            })
            .ok();
            return;
        }
        let mut body = vec![0; header("content-length").unwrap().parse().unwrap()];
        tls.read_exact(&mut body).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let path = head.split_whitespace().nth(1).unwrap().to_owned();
        let mut name = path.rsplit('/').next().unwrap().to_owned();
        if name == "ServiceLookup" {
            body["name"].as_str().unwrap().clone_into(&mut name);
        }
        log.lock().unwrap().push(name.clone());
        let (status, answer) = pop(table, &name).unwrap_or((404, json!({})));
        let answer = answer.to_string();
        let text = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{answer}",
            answer.len()
        );
        tls.write_all(text.as_bytes()).await.unwrap();
    }
}

fn pop(table: &Answers, name: &str) -> Option<(u16, Value)> {
    let mut table = table.lock().unwrap();
    let list = table.get_mut(name)?;
    if list.len() > 1 {
        Some(list.remove(0))
    } else {
        list.first().cloned()
    }
}

impl TestNode {
    fn answer(&self, name: &'static str, answers: &[(u16, Value)]) {
        self.answers.lock().unwrap().insert(name, answers.to_vec());
    }

    async fn peer(&mut self) -> Peer {
        tokio::time::timeout(PATIENCE, self.peers.recv())
            .await
            .unwrap()
            .unwrap()
    }

    fn asked(&self, name: &str) -> usize {
        self.asked
            .lock()
            .unwrap()
            .iter()
            .filter(|one| *one == name)
            .count()
    }

    fn subscriber(&self, options: Options) -> Subscriber {
        let client = Client::new(ClientOptions {
            tls: TlsOptions {
                insecure: true,
                ..TlsOptions::default()
            },
            ..ClientOptions::default()
        })
        .unwrap();
        let account = Account {
            name: "own-name".parse().unwrap(),
            password: None,
        };
        let hosts = vec![format!("localhost:{}", self.port)];
        let services = ServiceClient::new(Control::new(client, hosts, account).unwrap());
        let topics = vec![TopicName::parse("session").unwrap()];
        Subscriber::start(Arc::new(services), topics, options, Vec::new()).unwrap()
    }
}

fn hasty() -> Options {
    Options {
        reconnect_min: Duration::from_millis(10),
        reconnect_max: Duration::from_millis(50),
        lookup_pause: Duration::from_millis(20),
        ..Options::default()
    }
}

/// Runs the subscriber until `done` likes what has come so far.
async fn until(subscriber: &mut Subscriber, seen: &mut Update, done: impl Fn(&Update) -> bool) {
    let run = async {
        while !done(seen) {
            let update = subscriber.next().await;
            seen.events.extend(update.events);
            seen.notices.extend(update.notices);
            seen.marks = update.marks;
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
    assert_eq!(seen.marks[0].sequence, Some(7));
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
    assert_eq!(subscriber.counters().reconnects, 1);
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
    let mut subscriber = node.subscriber(Options {
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
            .is_some_and(|link| link.queued() < 30)
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, full).await.unwrap();
    assert!(!publishing.is_finished());
    until(&mut subscriber, &mut seen, |seen| seen.events.len() == 150).await;
    assert_eq!(subscriber.counters().gaps, 0);
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
