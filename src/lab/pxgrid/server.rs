//! Connections of a pxGrid node: TLS that asks for a client certificate, HTTP/1.1 with keep-alive,
//! one log entry a request.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    AUTHORIZATION, CONNECTION, CONTENT_TYPE, HeaderValue, LOCATION, SEC_WEBSOCKET_ACCEPT, UPGRADE,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;

use super::control::{self, Call, Caller};
use super::pubsub::{self, Accepted, Bodies, PubsubTimes};
use super::services::{self, Question};
use super::{Grid, anc, json as members, reply};
use crate::lab::certificates::Flavour;
use crate::lab::faults::{FaultKind, Faults};
use crate::lab::log::{RequestEntry, RequestLog};
use crate::lab::wire::{Answer, LabBody, Resettable, read_basic};

/// A handshake that takes longer is given up, so that silent connections do not pile up.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// After a failed accept (mostly: no file descriptors left) connections get this long to end.
const BREATH: Duration = Duration::from_millis(50);
/// The status that turns a connection into a WebSocket.
const SWITCHING: u16 = 101;
/// The longest request body.
const LONGEST: usize = 1024 * 1024;

/// The node's TLS configurations: for each flavour of certificate and each way of treating the
/// client's.
pub(in crate::lab) struct Tls {
    pub(in crate::lab) flavour: Flavour,
    /// `None` asks for a certificate of the lab's CA.
    pub(in crate::lab) client_authentication: Option<FaultKind>,
    pub(in crate::lab) acceptor: TlsAcceptor,
}

/// What the node's connections share.
pub(in crate::lab) struct PxGridNode {
    pub(in crate::lab) grid: Arc<Grid>,
    /// From 1.
    pub(in crate::lab) number: usize,
    pub(in crate::lab) faults: Arc<Faults>,
    pub(in crate::lab) log: Arc<RequestLog>,
    pub(in crate::lab) tls: Vec<Tls>,
    /// What subscribers of sessions are flooded with, if they are.
    pub(in crate::lab) flood: Option<Arc<Bodies>>,
    /// How long its pubsub waits.
    pub(in crate::lab) times: PubsubTimes,
}

/// Serves until it is dropped, and ends every connection with itself.
pub(in crate::lab) async fn serve(node: PxGridNode, listener: TcpListener) {
    let Ok(address) = listener.local_addr() else {
        return;
    };
    let node = Arc::new(node);
    let mut number = 0;
    let mut listener = Some(listener);
    loop {
        let outages = node.faults.outages(node.number);
        node.wait_until(|down| !down).await;
        let ready = match listener.take() {
            Some(listener) => Some(listener),
            None => listen_again(address).await,
        };
        let Some(listener) = ready else { continue };
        // Going down drops the listener and every connection.
        let mut connections = JoinSet::new();
        let serving = async {
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => {
                        number += 1;
                        connections.spawn(connection(Arc::clone(&node), stream, number));
                    }
                    Err(_) => tokio::time::sleep(BREATH).await,
                }
                while connections.try_join_next().is_some() {}
            }
        };
        tokio::select! {
            () = serving => {}
            // Down, or already up again: the connections of before are gone either way.
            () = node.wait_until(|down| down || node.faults.outages(node.number) > outages) => {}
        }
    }
}

/// The node's port again, after it was down.
async fn listen_again(address: SocketAddr) -> Option<TcpListener> {
    let listener = TcpListener::bind(address).await;
    if listener.is_err() {
        tokio::time::sleep(BREATH).await;
    }
    listener.ok()
}

impl PxGridNode {
    /// Waits until `reached` says so of the node, when told whether it is to be down.
    async fn wait_until(&self, reached: impl Fn(bool) -> bool) {
        let mut changes = self.faults.changes();
        loop {
            let from = self.faults.down_from(self.number).map(Instant::from_std);
            let is_down = from.is_some_and(|from| from <= Instant::now());
            if reached(is_down) {
                return;
            }
            match from.filter(|_| !is_down) {
                Some(from) => {
                    tokio::select! {
                        _ = changes.changed() => {}
                        () = sleep_until(from) => {}
                    }
                }
                None => {
                    let _ = changes.changed().await;
                }
            }
        }
    }
}

/// A connection as its requests see it.
struct Connection {
    node: Arc<PxGridNode>,
    number: u64,
    /// The common name of the client's certificate; `None` without one.
    certificate: Option<String>,
    reset: Arc<AtomicBool>,
    /// The WebSocket that this connection becomes after its last answer.
    accepted: Mutex<Option<Accepted>>,
}

/// Serves one connection. How it ends is the client's affair and told nowhere: the log has what was
/// asked.
async fn connection(node: Arc<PxGridNode>, stream: TcpStream, number: u64) {
    let flavour = node.faults.of_connection();
    let asked = node.faults.of_client_authentication();
    let Some(tls) = node
        .tls
        .iter()
        .find(|tls| tls.flavour == flavour && tls.client_authentication == asked)
    else {
        return;
    };
    let reset = Arc::new(AtomicBool::new(false));
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let stream = Resettable::new(stream, Arc::clone(&reset));
    let Ok(Ok(stream)) = timeout(HANDSHAKE, tls.acceptor.accept(stream)).await else {
        return;
    };
    let certificate = stream
        .get_ref()
        .1
        .peer_certificates()
        .and_then(|chain| common_name(chain.first()?));
    let connection = Arc::new(Connection {
        node,
        number,
        certificate,
        reset,
        accepted: Mutex::default(),
    });
    let service = service_fn(|request| respond(Arc::clone(&connection), request));
    let _ = http1::Builder::new()
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
    let accepted = connection
        .accepted
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    if let Some(accepted) = accepted {
        pubsub::serve(
            Arc::clone(&connection.node),
            accepted,
            number,
            Arc::clone(&connection.reset),
        )
        .await;
    }
}

/// The common name in a client's certificate.
fn common_name(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let name = parsed.subject().iter_common_name().next()?;
    name.as_str().ok().map(str::to_owned)
}

async fn respond(
    connection: Arc<Connection>,
    mut request: Request<Incoming>,
) -> io::Result<Response<LabBody>> {
    let upgrade = hyper::upgrade::on(&mut request);
    let (head, body) = request.into_parts();
    // A body that is too long or breaks off is none; the request is then refused for what it lacks.
    let body = Limited::new(body, LONGEST).collect().await;
    let body = body
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    let node = &connection.node;
    let now = Timestamp::now();
    let path = head.uri.path_and_query().map_or("", |path| path.as_str());
    let header = head.headers.get(AUTHORIZATION);
    let credentials = header.and_then(|value| read_basic(value.as_bytes()));
    let parsed = parse(&body);
    let faults = node.faults.of_request(&subject(path, parsed.as_ref()));
    let early = faults.contains(&FaultKind::ResetEarly);
    let answer = if early {
        Answer::bare(200)
    } else {
        let asked = Asked {
            connection: &connection,
            method: &head.method,
            path: head.uri.path(),
            headers: &head.headers,
            credentials: credentials.as_ref(),
            request: parsed.as_ref(),
            faults: &faults,
            now: now.as_millisecond(),
        };
        asked.answer()
    };
    node.log.add(RequestEntry {
        time: now.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
        node: format!("ise-pxgrid-{}", node.number),
        connection: connection.number,
        method: head.method.as_str().to_owned(),
        path: path.to_owned(),
        authorization: header.is_some(),
        user: credentials.as_ref().map(|(user, _)| user.clone()),
        status: (!early).then_some(answer.status),
    });
    if early {
        connection.reset.store(true, Ordering::Relaxed);
        return Err(io::Error::other("reset by a fault"));
    }
    let mut response = Response::builder().status(answer.status);
    if answer.status == SWITCHING
        && let (Some(key), Some((user, _))) =
            (pubsub::handshake::accept_key(&head.headers), credentials)
    {
        response = response
            .header(UPGRADE, HeaderValue::from_static("websocket"))
            .header(CONNECTION, HeaderValue::from_static("Upgrade"))
            .header(SEC_WEBSOCKET_ACCEPT, key);
        let accepted = Accepted { upgrade, user };
        *connection
            .accepted
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(accepted);
    }
    if let Some(content_type) = answer.content_type {
        response = response.header(CONTENT_TYPE, content_type);
    }
    if let Some(location) = answer.location {
        response = response.header(LOCATION, location);
    }
    let slow = faults.contains(&FaultKind::Slow);
    response
        .body(LabBody::new(
            answer.parts,
            slow,
            Arc::clone(&connection.reset),
        ))
        .map_err(io::Error::other)
}

/// A body as JSON; none at all is an empty object.
fn parse(body: &Bytes) -> Option<Value> {
    if body.is_empty() {
        return Some(json!({}));
    }
    serde_json::from_slice(body).ok().filter(Value::is_object)
}

/// What faults' parts of paths are looked for in: the path, and for lookups the service that is
/// asked for.
fn subject(path: &str, request: Option<&Value>) -> String {
    let name = request.and_then(|request| members::text(request, "name"));
    match name {
        Some(name) if path.ends_with("/ServiceLookup") => format!("{path}/{name}"),
        _ => path.to_owned(),
    }
}

/// One request, read.
struct Asked<'a> {
    connection: &'a Connection,
    method: &'a Method,
    path: &'a str,
    headers: &'a HeaderMap,
    credentials: Option<&'a (String, String)>,
    /// `None` when the body is no JSON object.
    request: Option<&'a Value>,
    faults: &'a [FaultKind],
    now: i64,
}

impl Asked<'_> {
    /// The answer with every fault of the request in it.
    fn answer(&self) -> Answer {
        let replaced = self.faults.iter().find_map(|fault| reply::of_fault(*fault));
        let mut answer = replaced.unwrap_or_else(|| self.honest().into_answer());
        if answer.status == SWITCHING {
            return answer;
        }
        for fault in self.faults {
            reply::spoil(&mut answer, *fault);
        }
        answer
    }

    fn honest(&self) -> reply::Reply {
        if self.path == services::PUBSUB_PATH {
            return self.upgrade();
        }
        if self.method != Method::POST {
            return reply::Reply::Status(405);
        }
        let Some(request) = self.request else {
            return reply::Reply::BAD;
        };
        let node = &self.connection.node;
        if let Some(method) = self.path.strip_prefix(control::BASE) {
            let call = Call {
                grid: &node.grid,
                caller: Caller {
                    credentials: self.credentials,
                    certificate: self.connection.certificate.as_deref(),
                },
                request,
                faults: self.faults,
                now: self.now,
            };
            return call.answer(method);
        }
        let Some((service, operation)) = services::of_path(self.path) else {
            return reply::Reply::Status(404);
        };
        if !self.may_use(service.name) {
            return reply::Reply::Status(401);
        }
        let question = Question {
            grid: &node.grid,
            directory: &node.grid.directory,
            request,
            now: self.now,
            outcome: self.outcome(),
        };
        question.answer(service, &operation)
    }

    /// The answer to a WebSocket handshake.
    fn upgrade(&self) -> reply::Reply {
        if self.method != Method::GET {
            return reply::Reply::Status(405);
        }
        if !self.may_use(services::PUBSUB) {
            return reply::Reply::Status(401);
        }
        if pubsub::handshake::accept_key(self.headers).is_none() {
            return reply::Reply::BAD;
        }
        reply::Reply::Status(SWITCHING)
    }

    /// Whether the Basic header holds the client's own name and its secret with the peer that
    /// provides `service` here. With a certificate the peer's name does as well: the certificate
    /// says who comes, and recipes in circulation write the peer's.
    fn may_use(&self, service: &str) -> bool {
        let Some((name, secret)) = self.credentials else {
            return false;
        };
        let node = &self.connection.node;
        let peer = services::peer(service, node.number);
        let has = |fault| self.faults.contains(&fault);
        let certificate = self.connection.certificate.as_deref();
        let name = match certificate {
            Some(own) if *name == peer && !has(FaultKind::OwnNameOnly) => own,
            _ => name,
        };
        let accounts = &node.grid.accounts;
        if accounts.state(name) != Some(super::accounts::AccountState::Enabled) {
            return false;
        }
        if has(FaultKind::SecretRotation) {
            accounts.rotate(name, &peer);
        }
        if has(FaultKind::SecretRefused) || has(FaultKind::SecretRefusedOnce) {
            return false;
        }
        (has(FaultKind::SecretIgnored) && certificate.is_some())
            || accounts.is_secret(name, &peer, secret)
    }

    fn outcome(&self) -> anc::ForcedOutcome {
        if self.faults.contains(&FaultKind::AncRunning) {
            return anc::ForcedOutcome::Running;
        }
        if self.faults.contains(&FaultKind::AncFailure) {
            let reason = self.connection.node.faults.text_of(FaultKind::AncFailure);
            return anc::ForcedOutcome::Failure(reason);
        }
        anc::ForcedOutcome::Real
    }
}
