//! A small pxGrid deployment, hand-written: mutual TLS, control API, one page of canned services; what a test wants otherwise, its handler
//! answers. Notes everything that arrives.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use assert_cmd::Command;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair,
};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

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
        Answer::Text(204, _) => tls
            .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
            .await
            .is_ok(),
        Answer::Text(status, body) => {
            let text = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            tls.write_all(text.as_bytes()).await.is_ok()
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

fn header(head: &str, name: &str) -> Option<String> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name)
            .then(|| value.trim().to_owned())
    })
}

/// `user:password` of a Basic header.
fn basic(text: &str) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.trim_start_matches("Basic ").bytes();
    let bits: String = digits
        .filter_map(|byte| LETTERS.iter().position(|letter| *letter == byte))
        .map(|digit| format!("{digit:06b}"))
        .collect();
    let bytes = bits.as_bytes().chunks_exact(8);
    let decoded = bytes
        .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap())
        .collect();
    String::from_utf8(decoded).unwrap()
}

/// What a node answers when nothing is wrong.
fn usual(arrived: &Arrived, ports: &[u16]) -> Answer {
    match arrived.operation.as_str() {
        "AccountActivate" => {
            Answer::json(&json!({"accountState": "ENABLED", "version": "2.0.2.1"}))
        }
        "AccountCreate" => Answer::json(&json!({
            "nodeName": arrived.body["nodeName"], "password": "made-by-ise", "userName": arrived.body["nodeName"]
        })),
        "ServiceLookup" => Answer::json(&lookup(arrived.body["name"].as_str().unwrap(), ports)),
        "AccessSecret" => {
            let peer = arrived.body["peerNodeName"].as_str().unwrap();
            Answer::json(&json!({ "secret": secret(peer) }))
        }
        // Only our own name with the secret of the node that was asked opens a service.
        _ if arrived.basic != format!("{CLIENT}:{}", secret(&format!("~ise-{}", arrived.node))) => {
            Answer::Text(401, String::new())
        }
        operation => service(operation, &arrived.body),
    }
}

fn secret(peer: &str) -> String {
    format!("secret-of-{peer}")
}

fn lookup(service: &str, ports: &[u16]) -> Value {
    if matches!(service, "com.cisco.ise.echo" | "com.example.nobody") {
        return json!({ "services": [] });
    }
    let services: Vec<Value> = ports
        .iter()
        .enumerate()
        .map(|(node, port)| {
            let name = service
                .trim_start_matches("com.cisco.ise.")
                .replace('.', "/");
            json!({
                "name": service,
                "nodeName": format!("~ise-{node}"),
                "properties": {
                    "restBaseUrl": format!("https://localhost:{port}/pxgrid/ise/{name}"),
                    "wsPubsubService": "com.cisco.ise.pubsub",
                    "sessionTopic": "/topic/com.cisco.ise.session"
                }
            })
        })
        .collect();
    json!({ "services": services })
}

/// The sessions that a node has.
pub(crate) fn session(number: u64) -> Value {
    json!({
        "timestamp": "2026-03-09T07:40:01.554Z",
        "state": if number % 5 == 0 { "POSTURED" } else { "STARTED" },
        "macAddress": format!("C8:5B:76:00:00:{number:02X}"),
        "callingStationId": format!("C8:5B:76:00:00:{number:02X}"),
        "ipAddresses": [format!("10.50.10.{number}")],
        "userName": format!("LAB\\user{number}"),
        "nasIpAddress": format!("10.50.1.{}", number % 2),
        "ctsSecurityGroup": "Employees",
        "endpointProfile": "Windows10-Workstation",
        "newInALaterRelease": 1.10
    })
}

fn service(operation: &str, body: &Value) -> Answer {
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let value = match operation {
        "getSessions" => json!({"sessions": (0..50).map(session).collect::<Vec<_>>()}),
        "getSessionByMacAddress" | "getSessionByIpAddress" => {
            let found = (0..50).map(session).find(|one| {
                one["macAddress"] == body["macAddress"]
                    || one["ipAddresses"][0] == body["ipAddress"]
            });
            match found {
                Some(found) => found,
                None => return Answer::Text(204, String::new()),
            }
        }
        "getUserGroups" => {
            json!({"userGroups": [{"userName": "pat", "groups": [{"name": "Staff", "type": "ACTIVE_DIRECTORY"}, {"name": "VPN", "type": "IDENTITY"}]}]})
        }
        "getUserGroupByUserName" if text("userName") == "pat" => {
            json!({"groups": [{"name": "Staff", "type": "ACTIVE_DIRECTORY"}]})
        }
        "getPolicies" => json!({"policies": [{"name": "quarantine", "actions": ["QUARANTINE"]}]}),
        "getPolicyByName" if text("name") == "quarantine" => {
            json!({"name": "quarantine", "actions": ["QUARANTINE"]})
        }
        "createPolicy" => body.clone(),
        "deletePolicyByName" if text("name") == "quarantine" => {
            return Answer::Text(200, String::new());
        }
        "getEndpoints" if body.get("startIndex").is_some() => page(body),
        "getEndpoints" => {
            json!({"endpoints": [{"macAddress": "C8:5B:76:00:00:01", "policyName": "quarantine", "osVersion": "17.1", "registered": true}]})
        }
        "getEndpointPolicies" => {
            json!({"endpoints": [{"macAddress": "C8:5B:76:00:00:01", "nasIpAddress": "10.50.1.1", "policyName": "quarantine"}]})
        }
        "getEndpointByMacAddress" | "getEndpointByNasIpAddress"
            if text("macAddress") == "C8:5B:76:00:00:01" =>
        {
            json!({"macAddress": "C8:5B:76:00:00:01", "policyName": "quarantine", "registered": true})
        }
        "getEndpointsByType" | "getEndpointsByOsType" => {
            json!({"endpoints": [{"macAddress": "C8:5B:76:00:00:02", "model": "phone"}]})
        }
        _ if operation.starts_with("applyEndpoint") || operation.starts_with("clearEndpoint") => {
            order(operation, body)
        }
        "getOperationStatus" => match text("operationId").as_str() {
            "ise:7" => {
                json!({"operationId": "ise:7", "status": "SUCCESS", "macAddress": "C8:5B:76:00:00:07"})
            }
            "ise:8" => {
                json!({"operationId": "ise:8", "status": "FAILURE", "failureReason": "Session lookup failure"})
            }
            "ise:99" => json!({"operationId": "ise:99", "status": "RUNNING"}),
            _ => return Answer::Text(204, String::new()),
        },
        "getSecurityGroups" => {
            json!({"totalCount": 1, "securityGroups": [{"id": "1", "name": "Employees", "tag": 4, "description": "d"}]})
        }
        "getSecurityGroupAcls" => {
            json!({"totalCount": 1, "securityGroupAcls": [{"id": "2", "name": "Deny", "ipVersion": "IPV4", "generationId": "0"}]})
        }
        "getVirtualNetwork" => {
            json!({"totalCount": 1, "virtualNetworks": [{"id": "3", "name": "Campus"}]})
        }
        "getEgressPolicies" => {
            json!({"totalCount": 1, "egressPolicies": [{"id": "4", "name": "cell", "status": "ENABLED", "matrixId": body["matrixId"], "sgaclIds": ["2"]}]})
        }
        "getEgressMatrices" => {
            json!({"egressMatrices": [{"id": "5", "name": "Production", "monitorAll": false}]})
        }
        "getBindings" => {
            json!({"bindings": [{"ipPrefix": "10.0.0.1/32", "tag": 4, "source": "10.0.0.9", "peerSequence": "10.0.0.9", "vpn": "default"}]})
        }
        "getFailures" => json!({"failures": [failure()]}),
        "getFailureById" if text("id") == "77" => failure(),
        "getHealths" => {
            json!({"healths": [{"timestamp": "2026-03-09T07:40:01Z", "serverName": "ise-psn-1", "cpuUsage": 12.50, "memoryUsage": 40.0}]})
        }
        "getPerformances" => {
            json!({"performances": [{"timestamp": "2026-03-09T07:40:01Z", "serverName": "ise-psn-1", "radiusRate": 3.1, "radiusCount": 9, "radiusLatency": 8}]})
        }
        "getProfiles" => {
            json!({"profiles": [{"id": "6", "name": "Apple-Device", "fullName": "Apple-Device:x"}]})
        }
        "getPosturedMacs" => json!({"macAddresses": ["C8:5B:76:00:00:05"]}),
        "getPostureDataByMacList" => {
            json!({"category": body["category"], "macAddresses": body["macAddresses"]})
        }
        _ => return Answer::Text(204, String::new()),
    };
    Answer::json(&value)
}

fn failure() -> Value {
    json!({"id": "77", "timestamp": "2026-03-09T07:40:01Z", "callingStationId": "C8:5B:76:00:00:09", "userName": "pat", "failureReason": "5440 Endpoint abandoned EAP session", "nasIpAddress": "10.50.1.1", "serverName": "ise-psn-1"})
}

/// 2,500 endpoints, by pages.
fn page(body: &Value) -> Value {
    let start = body["startIndex"].as_u64().unwrap();
    let count = body["count"].as_u64().unwrap();
    let rows: Vec<Value> = (start..(start + count).min(2500))
        .map(|number| json!({"id": number.to_string(), "mac": format!("00:00:00:00:{:02X}:{:02X}", number / 256, number % 256)}))
        .collect();
    json!({ "endpoints": rows })
}

/// ANC as the reference has it (section 3.3): the last byte of the address says what becomes of the order.
fn order(operation: &str, body: &Value) -> Value {
    let mac = body["macAddress"].as_str().unwrap_or_default();
    let reason = |reason: &str| json!({"operationId": "ise:1", "status": "FAILURE", "macAddress": mac, "failureReason": reason});
    if operation.starts_with("applyEndpoint") && body["policyName"] != "quarantine" {
        return reason("Policy is not configured");
    }
    match mac.rsplit(':').next().unwrap_or_default() {
        "01" if operation.starts_with("apply") => {
            reason("mac address is already associated with this policy")
        }
        "00" if operation.starts_with("clear") => {
            reason("mac address is not associated with a policy")
        }
        "07" => json!({"operationId": "ise:7", "status": "RUNNING", "macAddress": mac}),
        "99" => json!({"operationId": "ise:99", "status": "RUNNING", "macAddress": mac}),
        _ if body["ipAddress"] == "10.9.9.9" => reason("Session lookup failure"),
        _ => {
            json!({"operationId": "ise:2", "status": "SUCCESS", "macAddress": mac, "policyName": body["policyName"]})
        }
    }
}

/// A CA, a server's certificate for localhost, a client's, and another CA with a client of its own, as files; and the server's side of it.
fn certificates(
    directory: &std::path::Path,
    clients: Clients,
    tls12: bool,
) -> rustls::ServerConfig {
    let ours = authority("Lab CA");
    let other = authority("Other CA");
    let write = |name: &str, text: String| std::fs::write(directory.join(name), text).unwrap();
    write("ca.pem", ours.pem());
    write("other-ca.pem", other.pem());
    for (file, common_name, authority) in
        [("client", CLIENT, &ours), ("stranger", "stranger", &other)]
    {
        let (certificate, key) = leaf(common_name, authority, ExtendedKeyUsagePurpose::ClientAuth);
        write(&format!("{file}.pem"), certificate.pem());
        write(&format!("{file}.key"), key.serialize_pem());
    }
    let (certificate, key) = leaf("ise-px-1", &ours, ExtendedKeyUsagePurpose::ServerAuth);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = |der: &CertificateDer<'static>| {
        let mut roots = RootCertStore::empty();
        roots.add(der.clone()).unwrap();
        Arc::new(roots)
    };
    let verifier = match clients {
        Clients::Anyone => None,
        Clients::Ours => Some(roots(ours.der())),
        Clients::Strangers => Some(roots(other.der())),
    };
    let versions: &[&rustls::SupportedProtocolVersion] = if tls12 {
        &[&rustls::version::TLS12]
    } else {
        &[&rustls::version::TLS13]
    };
    let builder = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(versions)
        .unwrap();
    let builder = match verifier {
        None => builder.with_no_client_auth(),
        Some(roots) => builder.with_client_cert_verifier(
            WebPkiClientVerifier::builder_with_provider(roots, provider)
                .build()
                .unwrap(),
        ),
    };
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    builder
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap()
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn leaf(
    name: &str,
    issuer: &Issuer<'static, KeyPair>,
    usage: ExtendedKeyUsagePurpose,
) -> (rcgen::Certificate, KeyPair) {
    let mut params =
        CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages = vec![usage];
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, issuer).unwrap(), key)
}

/// Counts, by operation.
pub(crate) fn counts(deployment: &Deployment) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for operation in deployment.operations() {
        *counts.entry(operation).or_default() += 1;
    }
    counts
}
