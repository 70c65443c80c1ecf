//! Connections of the Monitoring node: TLS, HTTP/1.1 with keep-alive, one log entry a request.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt, Collected, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::routes::Question;
use crate::lab::certificates::Flavour;
use crate::lab::data_connect::{self, control};
use crate::lab::deployment::{MNT_NODE, PASSWORD, USER};
use crate::lab::faults::{FaultKind, Faults};
use crate::lab::log::{RequestEntry, RequestLog};
use crate::lab::pxgrid::Grid;
use crate::lab::session_directory::Directory;
use crate::lab::wire::{Answer, LabBody, Resettable, read_basic};

/// The longest body of a request.
const LONGEST_BODY: usize = 64 * 1024;
/// A handshake that takes longer is given up, so that silent connections do not pile up.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// After a failed accept (mostly: no file descriptors left) connections get this long to end.
const BREATH: Duration = Duration::from_millis(50);

/// What the node's connections share.
pub(in crate::lab) struct MntNode {
    pub(in crate::lab) directory: Arc<Directory>,
    /// Is told what changes.
    pub(in crate::lab) grid: Arc<Grid>,
    pub(in crate::lab) faults: Arc<Faults>,
    pub(in crate::lab) log: Arc<RequestLog>,
    /// What the control interface of Data Connect sets.
    pub(in crate::lab) data_connect: Arc<data_connect::Shared>,
    /// A TLS configuration for each flavour of certificate that may be shown.
    pub(in crate::lab) tls: Vec<(Flavour, TlsAcceptor)>,
}

/// Serves until it is dropped, and ends every connection with itself.
pub(in crate::lab) async fn serve(node: MntNode, listener: TcpListener) {
    let node = Arc::new(node);
    let mut connections = JoinSet::new();
    let mut number = 0;
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
}

/// Serves one connection. How it ends is the client's affair and told nowhere: the log has what was
/// asked.
async fn connection(node: Arc<MntNode>, stream: TcpStream, number: u64) {
    let flavour = node.faults.of_connection();
    let Some((_, acceptor)) = node.tls.iter().find(|(known, _)| *known == flavour) else {
        return;
    };
    let reset = Arc::new(AtomicBool::new(false));
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let stream = Resettable::new(stream, Arc::clone(&reset));
    let Ok(Ok(stream)) = timeout(HANDSHAKE, acceptor.accept(stream)).await else {
        return;
    };
    let service = service_fn(async |request: Request<Incoming>| {
        let (head, body) = request.into_parts();
        let body = if control::is_of(head.uri.path()) {
            Limited::new(body, LONGEST_BODY).collect().await
        } else {
            Ok(Collected::default())
        };
        let body = body.map_err(io::Error::other)?.to_bytes();
        respond(&node, number, &head, &body, &reset)
    });
    let _ = http1::Builder::new()
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

fn respond(
    node: &MntNode,
    connection: u64,
    request: &Parts,
    body: &[u8],
    reset: &Arc<AtomicBool>,
) -> io::Result<Response<LabBody>> {
    let now = Timestamp::now();
    let method = request.method.as_str();
    let path = request
        .uri
        .path_and_query()
        .map_or("", |path| path.as_str());
    let header = request.headers.get(AUTHORIZATION);
    let credentials = header.and_then(|value| read_basic(value.as_bytes()));
    let faults = node.faults.of_request(path);
    let early = faults.contains(&FaultKind::ResetEarly);
    let answer = if early {
        Answer::bare(200)
    } else {
        decide(
            node,
            (method, path, body),
            credentials.as_ref(),
            &faults,
            now,
        )
    };
    node.log.add(RequestEntry {
        time: now.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
        node: MNT_NODE.to_owned(),
        connection,
        method: method.to_owned(),
        path: path.to_owned(),
        authorization: header.is_some(),
        user: credentials.map(|(user, _)| user),
        status: (!early).then_some(answer.status),
    });
    if early {
        reset.store(true, Ordering::Relaxed);
        return Err(io::Error::other("reset by a fault"));
    }
    let mut response = Response::builder().status(answer.status);
    if let Some(content_type) = answer.content_type {
        response = response.header(CONTENT_TYPE, content_type);
    }
    if let Some(location) = answer.location {
        response = response.header(LOCATION, location);
    }
    let slow = faults.contains(&FaultKind::Slow);
    response
        .body(LabBody::new(answer.parts, slow, Arc::clone(reset)))
        .map_err(io::Error::other)
}

/// The answer with every fault of the request in it.
fn decide(
    node: &MntNode,
    (method, path, body): (&str, &str, &[u8]),
    credentials: Option<&(String, String)>,
    faults: &[FaultKind],
    now: Timestamp,
) -> Answer {
    let welcome = credentials.is_some_and(|(user, password)| user == USER && password == PASSWORD);
    let replaced = faults.iter().find_map(|fault| Answer::of_fault(*fault));
    let mut answer = match replaced {
        Some(answer) => answer,
        None if !welcome => Answer::bare(401),
        None if control::is_of(path) => {
            control::answer(&node.data_connect, method, path, body, now)
        }
        None => Question {
            directory: &node.directory,
            grid: &node.grid,
            faults,
            now: now.as_millisecond(),
        }
        .answer(method, path),
    };
    for fault in faults {
        answer.spoil(*fault);
    }
    answer
}
