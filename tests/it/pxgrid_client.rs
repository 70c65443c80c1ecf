//! The pxGrid client against a hand-written node: what goes over the wire, in which order, over how
//! many connections.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use netapi::testing::authority::Authority;
use netapi::testing::error::{Kind, Result};
use netapi::testing::pxgrid::{Account, Control, ServiceClient};
use netapi::testing::record::json_list::ListSummary;
use netapi::testing::record::{Collect, Record, RecordSink};
use netapi::testing::transport::{Client, ClientOptions, TlsOptions};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

type Log = Arc<Mutex<Vec<(usize, String, String, Value)>>>;
type Handler = dyn Fn(&str, &str, &Value, usize) -> (u16, String) + Send + Sync;

struct Node {
    port: u16,
    log: Log,
    ca: tempfile::NamedTempFile,
}

/// Base64 of `user:password`, read back.
fn basic(head: &str) -> String {
    let Some(line) = head.lines().find(|line| {
        line.to_ascii_lowercase()
            .starts_with("authorization: basic ")
    }) else {
        return String::new();
    };
    let text = line.split_whitespace().nth(2).unwrap();
    let out = STANDARD.decode(text).unwrap();
    String::from_utf8(out).unwrap()
}

async fn node(handler: Arc<Handler>) -> Node {
    let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_no_client_auth()
    .with_single_cert(
        vec![key.cert.der().clone()],
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.signing_key.serialize_der())),
    )
    .unwrap();
    let ca = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(ca.path(), key.cert.pem()).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let log: Log = Arc::default();
    let shared = log.clone();
    tokio::spawn(async move {
        let mut connections = 0;
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            connections += 1;
            let (id, acceptor, log, handler) = (
                connections,
                acceptor.clone(),
                shared.clone(),
                handler.clone(),
            );
            tokio::spawn(async move {
                let Ok(mut tls) = acceptor.accept(tcp).await else {
                    return;
                };
                let mut buffer = Vec::new();
                loop {
                    let end = loop {
                        if let Some(at) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                            break at + 4;
                        }
                        let mut piece = [0; 4096];
                        match tls.read(&mut piece).await {
                            Ok(0) | Err(_) => return,
                            Ok(count) => buffer.extend_from_slice(&piece[..count]),
                        }
                    };
                    let head = String::from_utf8(buffer.drain(..end).collect()).unwrap();
                    let length: usize = head
                        .lines()
                        .find_map(|line| {
                            line.to_ascii_lowercase()
                                .strip_prefix("content-length: ")
                                .map(|n| n.trim().parse().unwrap())
                        })
                        .unwrap();
                    while buffer.len() < length {
                        let mut piece = [0; 4096];
                        let count = tls.read(&mut piece).await.unwrap();
                        buffer.extend_from_slice(&piece[..count]);
                    }
                    let body: Value =
                        serde_json::from_slice(&buffer.drain(..length).collect::<Vec<_>>())
                            .unwrap();
                    let path = head.split_whitespace().nth(1).unwrap().to_owned();
                    let user = basic(&head);
                    let turn = {
                        let mut log = log.lock().unwrap();
                        log.push((id, path.clone(), user.clone(), body.clone()));
                        log.iter().filter(|one| one.1 == path).count()
                    };
                    let (status, answer) = handler(&path, &user, &body, turn);
                    let text = format!(
                        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{answer}",
                        answer.len()
                    );
                    let text = if status == 204 {
                        "HTTP/1.1 204 No Content\r\n\r\n".to_owned()
                    } else {
                        text
                    };
                    tls.write_all(text.as_bytes()).await.unwrap();
                    tls.flush().await.unwrap();
                }
            });
        }
    });
    Node { port, log, ca }
}

fn client(node: &Node) -> ServiceClient {
    let options = ClientOptions {
        tls: TlsOptions {
            ca: Some(node.ca.path().to_owned()),
            insecure: true,
            ..TlsOptions::default()
        },
        ..ClientOptions::default()
    };
    let account = Account {
        name: "our-client".parse().unwrap(),
        password: None,
    };
    ServiceClient::new(
        Control::new(
            Client::new(options).unwrap(),
            vec![Authority::new("localhost", node.port)],
            account,
        )
        .unwrap(),
    )
}

fn names(node: &Node) -> Vec<String> {
    node.log
        .lock()
        .unwrap()
        .iter()
        .map(|one| one.1.rsplit('/').next().unwrap().to_owned())
        .collect()
}

fn control(path: &str, bases: &[String]) -> Option<(u16, String)> {
    let answer = match path.rsplit('/').next().unwrap() {
        "AccountActivate" => json!({"accountState":"ENABLED","version":"2.0.2.1"}),
        "ServiceLookup" => {
            json!({"services": bases.iter().enumerate().map(|(n, base)| json!({"name":"s","nodeName":format!("~ise-{n}"),"properties":{"restBaseUrl":base}})).collect::<Vec<_>>()})
        }
        "AccessSecret" => json!({"secret":"peer-secret"}),
        _ => return None,
    };
    Some((200, answer.to_string()))
}

/// The node announces itself, so its port must be known to its handler.
type Bases = Arc<Mutex<Vec<String>>>;

async fn announced(
    handler: impl Fn(&str, &str, &Value, usize) -> (u16, String) + Send + Sync + 'static,
) -> (Node, Bases) {
    let bases: Bases = Arc::default();
    let known = bases.clone();
    let node = node(Arc::new(
        move |path: &str, user: &str, body: &Value, turn: usize| {
            control(path, &known.lock().unwrap()).unwrap_or_else(|| handler(path, user, body, turn))
        },
    ))
    .await;
    bases.lock().unwrap().push(format!(
        "https://localhost:{}/pxgrid/ise/session",
        node.port
    ));
    (node, bases)
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

#[test]
fn sessions_take_four_requests_over_one_connection() {
    run(async {
        let (node, _) = announced(|_, _, _, _| {
            let sessions: Vec<_> = (0..50)
                .map(|n| json!({"userName": format!("u{n}")}))
                .collect();
            (200, json!({"sessions": sessions}).to_string())
        })
        .await;
        let client = client(&node);
        let (sink, result) = client
            .list("session", "getSessions", &json!({}), Collect::default())
            .await;
        assert_eq!(result.unwrap().rows, 50);
        assert_eq!(sink.records.len(), 50);
        assert_eq!(
            names(&node),
            [
                "AccountActivate",
                "ServiceLookup",
                "AccessSecret",
                "getSessions"
            ]
        );
        let log = node.log.lock().unwrap();
        assert!(log.iter().all(|one| one.0 == 1), "{log:?}");
        assert_eq!(log[0].2, "our-client:");
        assert_eq!(log[3].2, "our-client:peer-secret");
    });
}

#[test]
fn a_refused_secret_is_renewed_once_then_the_lookup() {
    run(async {
        let (node, _) = announced(|_, _, _, turn| {
            if turn == 1 {
                (401, String::new())
            } else {
                (200, "{\"userName\":\"x\"}".into())
            }
        })
        .await;
        let answer = client(&node)
            .query("session", "getSessionByMacAddress", &json!({}))
            .await
            .unwrap();
        assert_eq!(answer.text("userName").as_deref(), Some("x"));
        assert_eq!(
            names(&node),
            [
                "AccountActivate",
                "ServiceLookup",
                "AccessSecret",
                "getSessionByMacAddress",
                "AccessSecret",
                "getSessionByMacAddress"
            ]
        );

        let (node, _) = announced(|_, _, _, _| (403, String::new())).await;
        let error = client(&node)
            .query("session", "getSessions", &json!({}))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), Kind::Refused);
        assert!(error.hint_text().unwrap().contains("policy"));
        assert_eq!(
            names(&node)
                .iter()
                .filter(|name| *name == "getSessions")
                .count(),
            3
        );
        assert_eq!(
            names(&node)
                .iter()
                .filter(|name| *name == "ServiceLookup")
                .count(),
            2
        );
    });
}

#[test]
fn reads_go_to_the_next_replica_and_changes_only_when_the_connection_was_refused() {
    run(async {
        let (node, bases) = announced(|path, _, _, turn| {
            if path.contains("bad") && turn == 1 {
                (500, String::new())
            } else {
                (200, "{\"status\":\"SUCCESS\"}".into())
            }
        })
        .await;
        let good = bases.lock().unwrap()[0].clone();
        *bases.lock().unwrap() = vec![good.replace("session", "bad"), good.clone()];
        let client_ = client(&node);
        assert!(
            client_
                .query("anc", "getOperationStatus", &json!({}))
                .await
                .is_ok()
        );
        let error = client(&node)
            .query("anc", "applyEndpointByMacAddress", &json!({}))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), Kind::Server);
        *bases.lock().unwrap() = vec!["https://localhost:1/x".into(), "http://plain/".into(), good];
        assert!(
            client(&node)
                .query("anc", "applyEndpointByMacAddress", &json!({}))
                .await
                .is_ok()
        );
        assert_eq!(
            names(&node)
                .iter()
                .filter(|name| *name == "applyEndpointByMacAddress")
                .count(),
            2
        );
    });
}

#[test]
fn nothing_is_not_found_for_one_and_empty_for_a_list() {
    run(async {
        let (node, bases) = announced(|_, _, _, _| (204, String::new())).await;
        let client_ = client(&node);
        assert_eq!(
            client_
                .query(
                    "session",
                    "getSessionByMacAddress",
                    &json!({"macAddress":"x"})
                )
                .await
                .unwrap_err()
                .kind(),
            Kind::NotFound
        );
        let (sink, result) = client_
            .list("session", "getSessions", &json!({}), Collect::default())
            .await;
        assert_eq!((result.unwrap().rows, sink.records.len()), (0, 0));
        bases.lock().unwrap().clear();
        let error = client(&node)
            .query("session", "getSessions", &json!({}))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), Kind::Connect);
        assert!(error.message().contains("com.cisco.ise.session"));
    });
}

#[test]
fn pages_are_read_to_the_end_and_a_limit_stops() {
    struct Limit(u64);
    impl RecordSink for Limit {
        fn begin(&mut self, _: Option<u64>) -> Result<()> {
            Ok(())
        }
        fn record(&mut self, _: &Record) -> Result<ControlFlow<()>> {
            self.0 += 1;
            Ok(if self.0 == 1500 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            })
        }
    }
    run(async {
        let (node, _) = announced(|_, _, body, _| {
            let start = body["startIndex"].as_u64().unwrap();
            let rows: Vec<_> = (start..(start + 1000).min(2300))
                .map(|n| json!({"tag": n}))
                .collect();
            (
                200,
                json!({"totalCount": 2300, "securityGroups": rows}).to_string(),
            )
        })
        .await;
        let client_ = client(&node);
        let (sink, result) = client_
            .list(
                "trustsec-config",
                "getSecurityGroups",
                &json!({}),
                Collect::default(),
            )
            .await;
        let ListSummary {
            rows, announced, ..
        } = result.unwrap();
        assert_eq!(
            (rows, announced, sink.records.len()),
            (2300, Some(2300), 2300)
        );
        let (sink, result) = client_
            .list("trustsec-config", "getSecurityGroups", &json!({}), Limit(0))
            .await;
        assert_eq!((sink.0, result.unwrap().stopped_early), (1500, true));
    });
}
