//! A small pxGrid deployment, hand-written: mutual TLS, control API, one page of canned services;
//! what a test wants otherwise, its handler answers. Notes everything that arrives.

mod certificates;
mod services;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use assert_cmd::Command;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::support::running::Running;

pub(crate) use services::session;

use certificates::certificates;
use services::usual;

/// The client's name, and the CN of its certificate.
pub(crate) const CLIENT: &str = "netapi-client";

/// One request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Arrived {
    /// Which node, from 0.
    pub(crate) node: usize,
    /// Which TCP connection of the deployment, from 1.
    pub(crate) connection: usize,
    /// Last segment of the path: a control method or an operation.
    pub(crate) operation: String,
    /// The Basic header's content.
    pub(crate) basic: String,
    /// The body.
    pub(crate) body: Value,
    /// How often this operation has come, this time included.
    pub(crate) turn: usize,
}

/// What a node does with a request.
pub(crate) enum Answer {
    /// Status and body.
    Text(u16, String),
    /// These bytes, then the end of the connection.
    Raw(String),
    /// A list with one element of this many bytes, never finished.
    Flood(usize),
    /// Nothing, for as long as the client waits.
    Silence,
    /// The end of the connection.
    Close,
}

impl Answer {
    pub(crate) fn json(value: &Value) -> Self {
        Self::Text(200, value.to_string())
    }
}

/// Whom the nodes ask for a certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clients {
    /// A certificate of our CA is demanded.
    Ours,
    /// A certificate of another CA is demanded: ours is refused.
    Strangers,
    /// Nobody is asked.
    Anyone,
}

type Handler = dyn Fn(&Arrived) -> Option<Answer> + Send + Sync;

/// A running deployment, until it is dropped.
pub(crate) struct Deployment {
    ports: Vec<u16>,
    log: Arc<Mutex<Vec<Arrived>>>,
    directory: tempfile::TempDir,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
}

/// How a deployment is made.
pub(crate) struct Plan {
    pub(crate) nodes: usize,
    pub(crate) clients: Clients,
    pub(crate) tls12: bool,
    handler: Arc<Handler>,
}

/// A deployment of one node that does as the reference says.
pub(crate) fn plan() -> Plan {
    Plan {
        nodes: 1,
        clients: Clients::Ours,
        tls12: false,
        handler: Arc::new(|_| None),
    }
}

impl Plan {
    pub(crate) fn nodes(self, nodes: usize) -> Self {
        Self { nodes, ..self }
    }

    pub(crate) fn clients(self, clients: Clients) -> Self {
        Self { clients, ..self }
    }

    pub(crate) fn tls12(self) -> Self {
        Self {
            tls12: true,
            ..self
        }
    }

    /// What is answered otherwise than usual.
    pub(crate) fn when(
        self,
        handler: impl Fn(&Arrived) -> Option<Answer> + Send + Sync + 'static,
    ) -> Self {
        Self {
            handler: Arc::new(handler),
            ..self
        }
    }

    /// Whenever this operation comes, this status and body.
    pub(crate) fn answering(self, operation: &'static str, status: u16, body: &str) -> Self {
        let body = body.to_owned();
        self.when(move |arrived| {
            (arrived.operation == operation).then(|| Answer::Text(status, body.clone()))
        })
    }

    pub(crate) fn start(self) -> Deployment {
        let directory = tempfile::tempdir().unwrap();
        let config = certificates(directory.path(), self.clients, self.tls12);
        let log: Arc<Mutex<Vec<Arrived>>> = Arc::default();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let (tell, ports) = std::sync::mpsc::channel();
        let shared = log.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let mut listeners = Vec::new();
                for _ in 0..self.nodes {
                    listeners.push(TcpListener::bind("127.0.0.1:0").await.unwrap());
                }
                let ports: Vec<u16> = listeners
                    .iter()
                    .map(|one| one.local_addr().unwrap().port())
                    .collect();
                tell.send(ports.clone()).unwrap();
                let server = Arc::new(Server {
                    ports,
                    handler: self.handler,
                    log: shared,
                    connections: AtomicUsize::new(0),
                    acceptor: TlsAcceptor::from(Arc::new(config)),
                });
                for (node, listener) in listeners.into_iter().enumerate() {
                    let server = server.clone();
                    tokio::spawn(async move {
                        while let Ok((tcp, _)) = listener.accept().await {
                            tokio::spawn(server.clone().connection(node, tcp));
                        }
                    });
                }
                let _ = stopped.await;
            });
        });
        Deployment {
            ports: ports.recv().unwrap(),
            log,
            directory,
            stop: Some(stop),
        }
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}

impl Deployment {
    pub(crate) fn file(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    pub(crate) fn host(&self, node: usize) -> String {
        format!("localhost:{}", self.ports[node])
    }

    /// `netapi ise pxgrid …`, pointed at this deployment, with its CA and a client certificate.
    pub(crate) fn pxgrid(&self, arguments: &[&str]) -> Command {
        let mut command = self.without_certificate(arguments);
        command
            .env("PXGRID_CERT", self.file("client.pem"))
            .env("PXGRID_KEY", self.file("client.key"));
        command
    }

    /// `netapi ise …`, the same; the Monitoring node is not set up.
    pub(crate) fn ise(&self, arguments: &[&str]) -> Command {
        let mut command = super::support::netapi();
        let hosts: Vec<String> = (0..self.ports.len()).map(|node| self.host(node)).collect();
        command
            .env("ISE_PXGRID_HOST", hosts.join(","))
            .env("PXGRID_CA", self.file("ca.pem"))
            .env("PXGRID_CERT", self.file("client.pem"))
            .env("PXGRID_KEY", self.file("client.key"))
            .arg("ise")
            .args(arguments);
        command
    }

    /// The same, running beside the test, with this file as standard input.
    pub(crate) fn start(&self, arguments: &[&str], input: std::fs::File) -> Running {
        let hosts: Vec<String> = (0..self.ports.len()).map(|node| self.host(node)).collect();
        let mut command = super::support::process();
        command
            .env("ISE_PXGRID_HOST", hosts.join(","))
            .env("PXGRID_CA", self.file("ca.pem"))
            .env("PXGRID_CERT", self.file("client.pem"))
            .env("PXGRID_KEY", self.file("client.key"))
            .args(["ise", "pxgrid"])
            .args(arguments)
            .stdin(input);
        Running::start(command)
    }

    /// The same without certificate.
    pub(crate) fn without_certificate(&self, arguments: &[&str]) -> Command {
        let hosts: Vec<String> = (0..self.ports.len()).map(|node| self.host(node)).collect();
        let mut command = super::support::netapi();
        command
            .env("ISE_PXGRID_HOST", hosts.join(","))
            .env("PXGRID_CA", self.file("ca.pem"))
            .args(["ise", "pxgrid"])
            .args(arguments);
        command
    }

    /// What arrived, oldest first.
    pub(crate) fn log(&self) -> Vec<Arrived> {
        self.log.lock().unwrap().clone()
    }

    /// The operations that arrived.
    pub(crate) fn operations(&self) -> Vec<String> {
        self.log().into_iter().map(|one| one.operation).collect()
    }
}

struct Server {
    ports: Vec<u16>,
    handler: Arc<Handler>,
    log: Arc<Mutex<Vec<Arrived>>>,
    connections: AtomicUsize,
    acceptor: TlsAcceptor,
}

impl Server {
    async fn connection(self: Arc<Self>, node: usize, tcp: TcpStream) {
        let Ok(mut tls) = self.acceptor.accept(tcp).await else {
            return;
        };
        let connection = self.connections.fetch_add(1, Ordering::Relaxed) + 1;
        let mut buffer = Vec::new();
        loop {
            let end = loop {
                if let Some(at) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                    break at + 4;
                }
                if !more(&mut tls, &mut buffer).await {
                    return;
                }
            };
            let head = String::from_utf8(buffer.drain(..end).collect()).unwrap();
            let length = header(&head, "content-length").map_or(0, |text| text.parse().unwrap());
            while buffer.len() < length {
                if !more(&mut tls, &mut buffer).await {
                    return;
                }
            }
            let body: Vec<u8> = buffer.drain(..length).collect();
            let path = head.split_whitespace().nth(1).unwrap();
            let arrived = self.note(node, connection, path, &head, &body);
            let answer = (self.handler)(&arrived).unwrap_or_else(|| usual(&arrived, &self.ports));
            if !give(&mut tls, answer).await {
                return;
            }
        }
    }

    fn note(&self, node: usize, connection: usize, path: &str, head: &str, body: &[u8]) -> Arrived {
        let operation = path.rsplit('/').next().unwrap().to_owned();
        let mut log = self.log.lock().unwrap();
        let turn = 1 + log.iter().filter(|one| one.operation == operation).count();
        let arrived = Arrived {
            node,
            connection,
            operation,
            basic: header(head, "authorization").map_or_else(String::new, |text| basic(&text)),
            body: serde_json::from_slice(body).unwrap_or(Value::Null),
            turn,
        };
        log.push(arrived.clone());
        arrived
    }
}

type Tls = tokio_rustls::server::TlsStream<TcpStream>;

async fn more(tls: &mut Tls, buffer: &mut Vec<u8>) -> bool {
    let mut piece = [0; 4096];
    match tls.read(&mut piece).await {
        Ok(0) | Err(_) => false,
        Ok(count) => {
            buffer.extend_from_slice(&piece[..count]);
            true
        }
    }
}

/// Whether the connection goes on.
async fn give(tls: &mut Tls, answer: Answer) -> bool {
    match answer {
        Answer::Text(204, _) => written(tls, b"HTTP/1.1 204 No Content\r\n\r\n").await,
        Answer::Text(status, body) => {
            let text = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            written(tls, text.as_bytes()).await
        }
        Answer::Raw(text) => {
            let _ = tls.write_all(text.as_bytes()).await;
            let _ = tls.shutdown().await;
            false
        }
        Answer::Flood(bytes) => {
            let head = "HTTP/1.1 200 X\r\ncontent-type: application/json\r\n\r\n{\"sessions\":[{\"userName\":\"";
            let mut sent = tls.write_all(head.as_bytes()).await;
            let piece = vec![b'x'; 256 * 1024];
            for _ in 0..bytes / piece.len() {
                if sent.is_err() {
                    return false;
                }
                sent = tls.write_all(&piece).await;
            }
            false
        }
        Answer::Silence => {
            std::future::pending::<()>().await;
            false
        }
        Answer::Close => false,
    }
}

/// Written and flushed: what a full socket did not take stays in the TLS session otherwise.
async fn written(tls: &mut Tls, bytes: &[u8]) -> bool {
    tls.write_all(bytes).await.is_ok() && tls.flush().await.is_ok()
}

fn header(head: &str, name: &str) -> Option<String> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name)
            .then(|| value.trim().to_owned())
    })
}

/// `user:password` of a Basic header.
fn basic(text: &str) -> String {
    let encoded = text.trim_start_matches("Basic ");
    String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap()
}

/// Counts, by operation.
pub(crate) fn counts(deployment: &Deployment) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for operation in deployment.operations() {
        *counts.entry(operation).or_default() += 1;
    }
    counts
}
