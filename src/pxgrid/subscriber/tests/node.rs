//! A node of one test: control, REST and pubsub on one port, whose answers the test gives and whose
//! WebSockets it holds.

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

use super::super::*;
use crate::authority::Authority;
use crate::pxgrid::stomp::{Command, Decoder, Reading};
use crate::pxgrid::{Account, Control};
use crate::transport::{Client, ClientOptions, TlsOptions};

pub(super) const TOPIC: &str = "/topic/com.cisco.ise.session";
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// What the node answers: status and body by the URL's last segment; used up from the front, the
/// last one stays.
pub(super) type Answers = Arc<Mutex<HashMap<&'static str, Vec<(u16, Value)>>>>;

pub(super) struct TestNode {
    pub(super) port: u16,
    pub(super) answers: Answers,
    pub(super) asked: Arc<Mutex<Vec<String>>>,
    pub(super) peers: mpsc::UnboundedReceiver<Peer>,
}

/// The node's end of one WebSocket.
pub(super) struct Peer {
    pub(super) stream: WebSocketStream<TlsStream<TcpStream>>,
    pub(super) decoder: Decoder,
    pub(super) authorization: String,
}

impl Peer {
    pub(super) async fn say(&mut self, frame: Frame) {
        let message = Message::Binary(frame.encode().unwrap().into());
        self.stream.send(message).await.unwrap();
    }

    pub(super) async fn frame(&mut self) -> Frame {
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

    pub(super) async fn expect(&mut self, command: Command) -> Frame {
        let frame = self.frame().await;
        assert_eq!(frame.command, command);
        frame
    }

    /// The handshake, one subscription, and the pong that says so.
    pub(super) async fn greet(&mut self) -> Frame {
        self.expect(Command::Connect).await;
        self.say(Frame::connected()).await;
        let subscribe = self.expect(Command::Subscribe).await;
        let ping = tokio::time::timeout(PATIENCE, self.stream.next()).await;
        assert!(matches!(ping, Ok(Some(Ok(Message::Ping(_))))), "{ping:?}");
        self.stream.flush().await.unwrap();
        subscribe
    }

    pub(super) async fn publish(&mut self, sequence: i64, mac: &str) {
        let body = json!({"sequence": sequence, "sessions": [{
            "macAddress": mac, "state": "STARTED", "timestamp": Timestamp::now().to_string()
        }]});
        self.say(Frame::message("0", TOPIC, 1, Some("ab"), body.to_string()))
            .await;
    }
}

pub(super) async fn node() -> TestNode {
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

pub(super) async fn serve(
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
                tls.flush().await.unwrap();
                return;
            }
            let accept = derive_accept_key(key.as_bytes());
            let text = format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
            );
            tls.write_all(text.as_bytes()).await.unwrap();
            tls.flush().await.unwrap();
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
        tls.flush().await.unwrap();
    }
}

pub(super) fn pop(table: &Answers, name: &str) -> Option<(u16, Value)> {
    let mut table = table.lock().unwrap();
    let list = table.get_mut(name)?;
    if list.len() > 1 {
        Some(list.remove(0))
    } else {
        list.first().cloned()
    }
}

impl TestNode {
    pub(super) fn answer(&self, name: &'static str, answers: &[(u16, Value)]) {
        self.answers.lock().unwrap().insert(name, answers.to_vec());
    }

    pub(super) async fn peer(&mut self) -> Peer {
        tokio::time::timeout(PATIENCE, self.peers.recv())
            .await
            .unwrap()
            .unwrap()
    }

    pub(super) fn asked(&self, name: &str) -> usize {
        self.asked
            .lock()
            .unwrap()
            .iter()
            .filter(|one| *one == name)
            .count()
    }

    pub(super) fn subscriber(&self, options: SubscriptionOptions) -> Subscriber {
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
        let hosts = vec![Authority::new("localhost", self.port)];
        let services = ServiceClient::new(Control::new(client, hosts, account).unwrap());
        let topics = vec![TopicName::parse("session").unwrap()];
        Subscriber::start(Arc::new(services), topics, options, Vec::new()).unwrap()
    }
}
