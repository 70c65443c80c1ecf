//! A pxGrid client for tests of the lab's pubsub: control calls by hand, STOMP over
//! tokio-tungstenite, no code of the shipped client but the codec.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures_util::{SinkExt, StreamExt};
use netapi::testing::lab::{Lab, RunningLab};
use netapi::testing::pxgrid::stomp::{Command, Decoder, Frame, Reading};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

/// Our name.
const NAME: &str = "tester";
/// Nothing here takes longer; a hang is a failure.
const PATIENCE: Duration = Duration::from_secs(20);

/// Within [`PATIENCE`].
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("never came: {what}"))
}

/// A runtime for one test.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

async fn tls(lab: &Lab, node: usize) -> std::io::Result<TlsStream<TcpStream>> {
    let files = lab.certificates();
    let mut roots = RootCertStore::empty();
    for one in CertificateDer::pem_file_iter(files.ca_path()).unwrap() {
        roots.add(one.unwrap()).unwrap();
    }
    let chain = CertificateDer::pem_file_iter(files.client_path()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(
            chain.map(Result::unwrap).collect(),
            PrivateKeyDer::from_pem_file(files.client_key_path()).unwrap(),
        )
        .unwrap();
    let stream = TcpStream::connect(lab.pxgrid_addresses()[node - 1]).await?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}

/// A call on node 1; the status and the answer. HTTP/1.0, so that no answer comes in chunks.
pub(crate) async fn post(lab: &Lab, path: &str, secret: &str, body: &Value) -> (u16, Value) {
    let mut stream = tls(lab, 1).await.unwrap();
    let body = body.to_string();
    let head = format!(
        "POST {path} HTTP/1.0\r\nAuthorization: {}\r\nContent-Length: {}\r\n\r\n{body}",
        basic(NAME, secret),
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    let mut answer = Vec::new();
    // The node ends without close_notify, which is no matter here.
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or_default())
}

/// A control call.
pub(crate) async fn control(lab: &Lab, method: &str, body: &Value) -> Value {
    let (status, answer) = post(lab, &format!("/pxgrid/control/{method}"), "", body).await;
    assert_eq!(status, 200, "{method}");
    answer
}

/// Activates our account and asks for the secret of `peer`.
pub(crate) async fn secret(lab: &Lab, peer: &str) -> String {
    control(lab, "AccountActivate", &json!({})).await;
    let answer = control(lab, "AccessSecret", &json!({ "peerNodeName": peer })).await;
    answer["secret"].as_str().unwrap().to_owned()
}

fn basic(user: &str, password: &str) -> String {
    format!(
        "Basic {}",
        BASE64_STANDARD.encode(format!("{user}:{password}"))
    )
}

/// What came.
#[derive(Debug)]
pub(crate) enum Came {
    Frame(Frame),
    Closed(Option<CloseCode>),
    /// Ended without a close frame.
    Broken,
}

/// A WebSocket to a pubsub node.
pub(crate) struct Client {
    pub(crate) stream: WebSocketStream<TlsStream<TcpStream>>,
    decoder: Decoder,
}

/// Opens one with our secret; the status of a refusal.
pub(crate) async fn open(lab: &Lab, node: usize) -> Result<Client, u16> {
    let secret = secret(lab, &format!("~ise-pubsub-lab-{node}")).await;
    open_as(lab, node, NAME, &secret).await
}

/// Opens one; the status of a refusal.
pub(crate) async fn open_as(
    lab: &Lab,
    node: usize,
    name: &str,
    password: &str,
) -> Result<Client, u16> {
    let stream = tls(lab, node).await.unwrap();
    let mut request = "wss://localhost/pxgrid/ise/pubsub"
        .into_client_request()
        .unwrap();
    request
        .headers_mut()
        .insert("Authorization", basic(name, password).parse().unwrap());
    match tokio_tungstenite::client_async(request, stream).await {
        Ok((stream, _)) => Ok(Client {
            stream,
            decoder: Decoder::new(Reading::Server),
        }),
        Err(Error::Http(response)) => Err(response.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

impl Client {
    pub(crate) async fn send(&mut self, frame: &Frame) {
        let bytes = frame.encode().unwrap();
        self.stream
            .send(Message::Binary(bytes.into()))
            .await
            .unwrap();
    }

    /// Subscribes, and waits until the node has read it.
    pub(crate) async fn subscribe(&mut self, id: &str, topic: &str, filter: Option<&str>) {
        let mut frame = Frame::subscribe(id, topic, filter);
        frame.headers.push("receipt", &format!("sub-{id}"));
        self.send(&frame).await;
        let receipt = self.frame(Command::Receipt).await;
        assert_eq!(receipt.header("receipt-id").unwrap(), format!("sub-{id}"));
    }

    /// What comes next; pings are answered and passed over.
    pub(crate) async fn came(&mut self) -> Came {
        loop {
            if let Some(frame) = self.decoder.next_frame().unwrap() {
                return Came::Frame(frame);
            }
            match soon("anything", self.stream.next()).await {
                Some(Ok(Message::Binary(bytes))) => self.decoder.push(bytes),
                Some(Ok(Message::Close(close))) => return Came::Closed(close.map(|one| one.code)),
                Some(Ok(Message::Text(text))) => panic!("a text frame: {text}"),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Came::Broken,
            }
        }
    }

    /// The next frame, which is this one.
    pub(crate) async fn frame(&mut self, command: Command) -> Frame {
        match self.came().await {
            Came::Frame(frame) if frame.command == command => frame,
            other => panic!("{command} was expected, {other:?} came"),
        }
    }

    /// The next frame, whatever it is.
    pub(crate) async fn any_frame(&mut self) -> Frame {
        match self.came().await {
            Came::Frame(frame) => frame,
            other => panic!("a frame was expected, {other:?} came"),
        }
    }

    /// The next message's topic and body.
    pub(crate) async fn message(&mut self) -> (String, Value) {
        let frame = self.frame(Command::Message).await;
        let topic = frame.header("destination").unwrap().to_owned();
        (topic, serde_json::from_slice(&frame.body).unwrap())
    }
}

/// A lab with these faults and so many events a second.
pub(crate) fn lab(faults: &[&str], rate: &str) -> RunningLab {
    Lab::spawn_in_thread(netapi::testing::lab::LabOptions {
        faults: faults.iter().map(|text| text.parse().unwrap()).collect(),
        events_per_second: rate.parse().unwrap(),
        ..netapi::testing::lab::LabOptions::default()
    })
    .unwrap()
}
