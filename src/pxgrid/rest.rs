//! Asks services: account checked once, lookup, access secret, request; replicas in turn, fresh
//! secrets, fresh lookups.
//!
//! What to do next after each outcome is decided in `attempts`, what a request and its refusal are
//! in `exchange`, what a page is in `paging`; here they are carried out. Lookups and secrets are
//! kept for the life of the process.

mod answer_subject;
mod attempts;
mod exchange;
mod paging;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use secrecy::SecretString;
use serde_json::Value;

pub use exchange::preview;

use super::catalogue::{self, Operation, Reply};
use super::control::{Activation, Control, ServiceNode, require_enabled};
use super::failover::{joined, may_try_next};
use crate::authority::Authority;
use crate::error::{Error, Kind, Result};
use crate::record::encoding::{Format, Utf8};
use crate::record::json_list::{ListSummary, MAX_ELEMENT, stream};
use crate::record::{JsonText, RecordSink};
use crate::transport::{Effect, Response};
use attempts::{AttemptOutcome, Attempts, NextStep};
use exchange::Exchange;
use paging::{PageSink, Pages};

/// A client of every service of one deployment.
pub struct ServiceClient {
    control: Control,
    activation: tokio::sync::OnceCell<Activation>,
    nodes: Mutex<HashMap<String, Vec<ServiceNode>>>,
    secrets: Mutex<HashMap<String, SecretString>>,
}

impl fmt::Debug for ServiceClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceClient")
            .field("control", &self.control)
            .finish_non_exhaustive()
    }
}

/// What one request to one replica came to.
enum Sent {
    Answered(Box<Response>),
    Denied(Error),
}

impl ServiceClient {
    /// A client over `control`; nothing is sent yet.
    pub fn new(control: Control) -> Self {
        Self {
            control,
            activation: tokio::sync::OnceCell::new(),
            nodes: Mutex::default(),
            secrets: Mutex::default(),
        }
    }

    /// The control API underneath.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// `AccountActivate`, once in the life of this client.
    ///
    /// Errors: [`Kind::Pending`] and [`Kind::Refused`] for an account that is not enabled; asked
    /// again the next time.
    pub async fn ready(&self) -> Result<&Activation> {
        self.activation
            .get_or_try_init(|| async {
                let activation = self.control.activate(None).await?;
                require_enabled(&activation, &self.control.account().name)?;
                Ok(activation)
            })
            .await
    }

    /// The nodes that provide a service (name or alias); `fresh` asks ISE again.
    ///
    /// Errors: [`Kind::Connect`] naming the service when nobody does (contract, section 8).
    pub async fn lookup(&self, service: &str, fresh: bool) -> Result<Vec<ServiceNode>> {
        let service = full_name(service);
        self.ready().await?;
        if !fresh && let Some(nodes) = lock(&self.nodes).get(service) {
            return Ok(nodes.clone());
        }
        let nodes = self.control.lookup(service).await?;
        if nodes.is_empty() {
            return Err(Error::new(
                Kind::Connect,
                format!("no node provides the pxGrid service {service} now"),
            )
            .hint("is the service on in ISE (Administration > System > Deployment)? A restarting node takes a minute or more"));
        }
        lock(&self.nodes).insert(service.to_owned(), nodes.clone());
        Ok(nodes)
    }

    /// The access secret for a peer node; `fresh` asks ISE for a new one.
    pub async fn secret(&self, peer: &str, fresh: bool) -> Result<SecretString> {
        self.ready().await?;
        if !fresh && let Some(secret) = lock(&self.secrets).get(peer) {
            return Ok(secret.clone());
        }
        let secret = self.control.access_secret(peer).await?;
        lock(&self.secrets).insert(peer.to_owned(), secret.clone());
        Ok(secret)
    }

    /// Sends one operation and returns the successful answer (status 200 to 299) with its body
    /// unread, for `call`.
    ///
    /// Errors: [`Kind::Refused`] telling account, secret and policy apart; what every replica said
    /// when all failed.
    pub async fn send(&self, service: &str, operation: &str, body: &Value) -> Result<Response> {
        let exchange = Exchange::new(full_name(service), operation, body)?;
        let mut attempts = Attempts::default();
        let mut nodes = Vec::new();
        let mut failures = Vec::new();
        let mut step = Attempts::FIRST;
        loop {
            step = match step {
                NextStep::LookUp { fresh } => {
                    // Nothing of the request itself is on its way yet.
                    let found = self.lookup(exchange.service, fresh).await;
                    nodes = found.map_err(Error::nothing_sent)?;
                    attempts.after(AttemptOutcome::Found(nodes.len()))
                }
                NextStep::Send {
                    replica,
                    fresh_secret,
                } => {
                    let Some(node) = nodes.get(replica) else {
                        return Err(joined(&exchange.to_string(), failures));
                    };
                    match self.send_to(node, &exchange, fresh_secret).await {
                        Ok(Sent::Answered(response)) => return Ok(*response),
                        Ok(Sent::Denied(error)) => {
                            failures.push(error);
                            attempts.after(AttemptOutcome::Denied)
                        }
                        Err(error) => {
                            let try_next = may_try_next(exchange.effect, &error);
                            failures.push(error);
                            attempts.after(AttemptOutcome::Failed { try_next })
                        }
                    }
                }
                NextStep::GiveUp => return Err(joined(&exchange.to_string(), failures)),
            };
        }
    }

    async fn send_to(
        &self,
        node: &ServiceNode,
        exchange: &Exchange<'_>,
        fresh_secret: bool,
    ) -> Result<Sent> {
        // Whatever goes wrong up to here, nothing was sent to the service: the next replica may be
        // asked, also for a change.
        let url = exchange.url(node).map_err(Error::nothing_sent)?;
        let secret = match self.secret(&node.node_name, fresh_secret).await {
            Ok(secret) => secret,
            Err(error) if error.kind() == Kind::Refused => return Err(error),
            Err(error) => return Err(error.nothing_sent()),
        };
        let account = self.control.account();
        let request = exchange.request(url, account.basic_with(secret));
        let response = self.control.client().send(request).await?;
        let status = response.status;
        if (200..300).contains(&status) {
            return Ok(Sent::Answered(Box::new(response)));
        }
        let host = response.host.to_string();
        // The status is the fact; a body that cannot be read takes nothing from it.
        let body = response
            .bytes(super::answer::MAX_CONTROL)
            .await
            .unwrap_or_default();
        let error = exchange.refusal(&account.name, &host, status, &body);
        if matches!(status, 401 | 403) {
            Ok(Sent::Denied(error))
        } else {
            Err(error)
        }
    }

    /// One operation's answer, whole. An empty 200 is an empty object, and so is a 204 to a change
    /// that names no thing which may lack. An answer about somebody
    /// else, or with no member of what was asked for, may be a belated one to an earlier question:
    /// it closes the connections; what only reads is then asked once more.
    ///
    /// Errors: [`Kind::NotFound`] for 204, [`Kind::Malformed`] for what is no JSON, over 16 MiB,
    /// about somebody else or something else, and those of [`send`](Self::send).
    pub async fn query(&self, service: &str, operation: &str, body: &Value) -> Result<JsonText> {
        let known = catalogue::operation(service, operation)
            // Some releases answer a change with nothing.
            .filter(|known| known.effect == Effect::Read);
        self.compared(service, operation, body, known).await
    }

    /// The same, where the answer may have any shape.
    pub async fn query_any(
        &self,
        service: &str,
        operation: &str,
        body: &Value,
    ) -> Result<JsonText> {
        self.compared(service, operation, body, None).await
    }

    async fn compared(
        &self,
        service: &str,
        operation: &str,
        body: &Value,
        known: Option<&Operation>,
    ) -> Result<JsonText> {
        let mut repeat = catalogue::effect(service, operation) == Effect::Read;
        loop {
            let (answer, node) = self.query_once(service, operation, body).await?;
            let host = node.to_string();
            let error = match answer_subject::other(body, &answer) {
                Some(names) => answer_subject::foreign(operation, &host, &names),
                None if known.is_none_or(|known| answer_subject::is_of(known, &answer)) => {
                    return Ok(answer);
                }
                None => answer_subject::something_else(service, operation, &host),
            };
            self.control.client().drop_connections(&node);
            if !std::mem::take(&mut repeat) {
                return Err(error);
            }
        }
    }

    /// The answer, and the node that gave it.
    async fn query_once(
        &self,
        service: &str,
        operation: &str,
        body: &Value,
    ) -> Result<(JsonText, Authority)> {
        let response = self.send(service, operation, body).await?;
        let node = response.host.clone();
        let host = node.to_string();
        if response.status == 204 {
            if exchange::is_taken_by(service, operation) {
                return Ok((exchange::empty(), node));
            }
            return Err(exchange::nothing(
                full_name(service),
                operation,
                body,
                &host,
            ));
        }
        let charset = response.charset();
        let bytes = response.bytes(MAX_ELEMENT).await?;
        let answer = exchange::json(bytes, charset.as_deref(), operation, &host)?;
        Ok((answer, node))
    }

    /// A list operation's rows into `sink`, which is handed back; a paged one is read to its end.
    /// 204 is an empty list.
    ///
    /// Errors: [`Kind::Usage`] for an operation that is not known to answer a list, those of
    /// [`stream`] and of [`send`](Self::send).
    pub async fn list<S: RecordSink>(
        &self,
        service: &str,
        operation: &str,
        body: &Value,
        sink: S,
    ) -> (S, Result<ListSummary>) {
        let known = catalogue::operation(service, operation);
        let Some((
            known,
            Operation {
                reply: Reply::List(member),
                ..
            },
        )) = known.map(|known| (known, *known))
        else {
            return (
                sink,
                Err(Error::usage(format!(
                    "{operation} of {service} is not known to answer with a list"
                ))),
            );
        };
        let mut pages = Pages::new(known.paging, body);
        let mut sink = PageSink::new(sink);
        let mut total = ListSummary::default();
        loop {
            let (back, result) = self
                .page(service, operation, &pages.body(), member, sink)
                .await;
            sink = back;
            let page = match result {
                Ok(page) => page,
                Err(error) => return (sink.into_inner(), Err(error)),
            };
            let more = pages.after(&page);
            total.absorb(page);
            if !more {
                return (sink.into_inner(), Ok(total));
            }
        }
    }

    async fn page<S: RecordSink>(
        &self,
        service: &str,
        operation: &str,
        body: &Value,
        member: &'static str,
        mut sink: S,
    ) -> (S, Result<ListSummary>) {
        let response = match self.send(service, operation, body).await {
            Ok(response) => response,
            Err(error) => return (sink, Err(error)),
        };
        if response.status == 204 {
            let result = sink.begin(Some(0)).map(|()| ListSummary::default());
            return (sink, result);
        }
        let host = response.host.to_string();
        let charset = response.charset();
        let body = response.into_reader().telling_pauses();
        let reader = Utf8::new(body, Format::Json, charset.as_deref());
        // Parsing waits for bytes and works on the processor: neither belongs on the thread that
        // receives them.
        let parsing = move || {
            let (mut sink, result) = stream(reader, member, sink);
            // The next page is a wait as well.
            let result = result.and_then(|page| sink.pause().map(|()| page));
            (sink, result)
        };
        match tokio::task::spawn_blocking(parsing).await {
            Ok((sink, result)) => (
                sink,
                result.map_err(|error| exchange::with_host(error, operation, &host)),
            ),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // A blocking task is only cancelled when the runtime ends, and then nobody asks for
                // this answer again.
                Err(_) => std::future::pending().await,
            },
        }
    }
}

/// The service's full name for a name or an alias.
fn full_name(service: &str) -> &str {
    catalogue::service(service).map_or(service, |known| known.name)
}

/// A poisoned lock only means that a thread died while it held a cache that is whole all the same.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
