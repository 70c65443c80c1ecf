//! The MnT client: builds requests, sends them, and reads what answers.
//!
//! What is sent is [`Requests`]'s affair; sending (and showing instead of sending, and what may be
//! repeated) is [`transport`](crate::transport)'s. Nothing here is retried: at the first 401 the
//! caller must stop.

mod session_search;

use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::active_list_search::Expected;
use super::answer_subject::{Asked, foreign};
use super::change_outcome::{coa_outcome, delete_outcome};
use super::paths::{self, Count};
use super::requests::Requests;
use super::{documents, envelope};
use crate::error::{Error, Kind, Result};
use crate::record::xml::{self, Document, NOT_THE_API, XmlSummary};
use crate::record::{Collect, Mac, Record, RecordSink};
use crate::transport::{Client, Request, Response};

/// Bytes of a short document at most: a session, a count, an outcome.
const MAX_DETAIL: usize = 8 << 20;
/// Bytes of a short list at most: the history of one endpoint over five days, the catalogue of
/// reasons.
const MAX_SHORT_LIST: usize = 64 << 20;
/// Bytes of an error's body that are worth reading.
const MAX_ERROR: usize = 64 << 10;

/// One record and the document it came in (for `--format xml`).
#[derive(Debug, Clone)]
pub struct Answer {
    /// The record.
    pub record: Record,
    /// The document as it came; empty where the record was a row of a list.
    pub raw: Vec<u8>,
}

impl Answer {
    fn of_row(record: Record) -> Self {
        Self {
            record,
            raw: Vec::new(),
        }
    }
}

/// The records of a short list and the document they came in.
#[derive(Debug, Clone, Default)]
pub struct ShortList {
    /// The records.
    pub records: Vec<Record>,
    /// The document as it came; empty where the server had none to send.
    pub raw: Vec<u8>,
}

/// A count and the document it came in.
#[derive(Debug, Clone)]
pub struct Counted {
    /// The number.
    pub count: u64,
    /// The document as it came.
    pub raw: Vec<u8>,
}

/// A client of one Monitoring node.
#[derive(Clone)]
pub struct MntClient {
    client: Client,
    requests: Requests,
    /// Whether the password was refused. Nothing more is sent then, whoever asks: a directory locks
    /// accounts.
    refused: Arc<AtomicBool>,
    expected: Arc<OnceLock<Expected>>,
}

impl fmt::Debug for MntClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MntClient")
            .field("requests", &self.requests)
            .finish_non_exhaustive()
    }
}

impl MntClient {
    /// A client of the node that `requests` go to.
    pub fn new(client: Client, requests: Requests) -> Self {
        Self {
            client,
            requests,
            refused: Arc::default(),
            expected: Arc::default(),
        }
    }

    /// Says which addresses [`session_by_endpoint_ip`](Self::session_by_endpoint_ip) will be asked
    /// for: what the node does not find itself then costs one reading of the active list for all of
    /// them. To be called once, before the first question.
    pub fn expect(&self, addresses: Vec<IpAddr>) {
        let _said_before = self.expected.set(Expected::new(addresses));
    }

    /// The requests of this client's node.
    pub fn requests(&self) -> &Requests {
        &self.requests
    }
}

/// Lists, while they arrive.
impl MntClient {
    /// All active sessions into `sink`, which comes back with the outcome.
    pub async fn sessions<S: RecordSink>(&self, sink: S) -> (S, Result<XmlSummary>) {
        self.list(&paths::active_list(), &documents::ACTIVE_LIST, sink)
            .await
    }

    /// The sessions that authenticated in a window into `sink`. Heavier for the node than
    /// [`sessions`](Self::sessions).
    pub async fn auth_list<S: RecordSink>(
        &self,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
        sink: S,
    ) -> (S, Result<XmlSummary>) {
        let path = paths::auth_list(since.map(local), until.map(local));
        self.list(&path, &documents::ACTIVE_LIST, sink).await
    }

    /// The document behind a path that was [`checked`](super::checked), decoded into `sink`.
    pub async fn get_records<S: RecordSink>(&self, path: &str, sink: S) -> (S, Result<XmlSummary>) {
        self.list(path, documents::answering(path), sink).await
    }

    async fn list<S: RecordSink>(
        &self,
        path: &str,
        document: &'static Document,
        sink: S,
    ) -> (S, Result<XmlSummary>) {
        let response = match self.open(self.requests.read(path)).await {
            Ok(response) => response,
            Err(error) => return (sink, Err(error)),
        };
        if response.status == 204 {
            let mut sink = sink;
            let begun = sink.begin(Some(0));
            return (sink, begun.map(|()| XmlSummary::default()));
        }
        let charset = response.charset();
        let reader = response.into_reader().telling_pauses();
        let parsing = tokio::task::spawn_blocking(move || {
            xml::stream_in(reader, charset.as_deref(), document, sink)
        });
        match parsing.await {
            Ok((sink, outcome)) => (sink, outcome.map_err(|error| self.unread(error))),
            // A blocking task that runs is never cancelled, so only a panic ends here, and it took
            // the sink with it.
            Err(join) => std::panic::resume_unwind(join.into_panic()),
        }
    }
}

/// Single things and short lists.
impl MntClient {
    /// Product, version and node type.
    pub async fn version(&self) -> Result<Answer> {
        self.detail(&paths::version(), &documents::PRODUCT).await
    }

    /// A number of sessions.
    pub async fn count(&self, what: Count) -> Result<Counted> {
        let answer = self.detail(&paths::count(what), &documents::COUNT).await?;
        let text = answer.record.text("count").unwrap_or_default();
        let count = text.trim().parse().map_err(|_| {
            let error = Error::new(
                Kind::Malformed,
                format!("the session count is '{text}', no number"),
            );
            with_host(&self.host(), error)
        })?;
        Ok(Counted {
            count,
            raw: answer.raw,
        })
    }

    /// The sessions of an audit session id, at least one.
    pub async fn sessions_by_id(&self, audit_session_id: &str) -> Result<ShortList> {
        let path = paths::session_by_id(audit_session_id)?;
        let asked = Asked::session_id(audit_session_id);
        let rows = self
            .rows_about(&path, &documents::SESSION_BY_ID, &asked)
            .await?;
        if rows.records.is_empty() {
            let message = format!("no session has the id '{audit_session_id}'");
            return Err(with_host(&self.host(), Error::new(Kind::NotFound, message)));
        }
        Ok(rows)
    }

    /// Authentication attempts of an endpoint in the last `seconds` (to 432000), newest first, at
    /// most `records` (0: all). None is an empty list.
    pub async fn auth_status(&self, mac: Mac, seconds: u32, records: u32) -> Result<ShortList> {
        let path = paths::auth_status(mac, seconds, records)?;
        let asked = Asked::endpoint(mac);
        let answer = self.rows_about(&path, &documents::AUTH_STATUS, &asked);
        let mut rows = match answer.await {
            Err(error) if error.kind() == Kind::NotFound => ShortList::default(),
            outcome => outcome?,
        };
        newest_first(&mut rows.records);
        if let Ok(limit @ 1..) = usize::try_from(records) {
            rows.records.truncate(limit);
        }
        Ok(rows)
    }

    /// Accounting counters of an endpoint over the last `seconds` (to 432000).
    pub async fn acct_status(&self, mac: Mac, seconds: u32) -> Result<ShortList> {
        let path = paths::acct_status(mac, seconds)?;
        let asked = Asked::endpoint(mac);
        let document = &documents::ACCT_STATUS;
        match self.rows_about(&path, document, &asked).await {
            Err(error) if error.http_status() == Some(404) => {
                let path = paths::acct_status_short(mac, seconds)?;
                self.rows_about(&path, document, &asked).await
            }
            outcome => outcome,
        }
    }

    /// The catalogue of failure reasons.
    pub async fn failure_reasons(&self) -> Result<ShortList> {
        self.rows(&paths::failure_reasons(), &documents::FAILURE_REASONS)
            .await
    }

    /// The answer to a GET of a path that was [`checked`](super::checked), its body still on the
    /// wire.
    pub async fn get(&self, path: &str) -> Result<Response> {
        self.open_any(self.requests.read(path)).await
    }

    async fn session(&self, path: &str, asked: &Asked) -> Result<Answer> {
        let ask = || self.detail(path, &documents::SESSION);
        self.about(asked, ask, |answer| std::slice::from_ref(&answer.record))
            .await
    }

    async fn rows_about(
        &self,
        path: &str,
        document: &Document,
        asked: &Asked,
    ) -> Result<ShortList> {
        let ask = || self.rows(path, document);
        self.about(asked, ask, |rows| &rows.records).await
    }

    /// Asks, and once more on a new connection when the answer is about somebody else, or no such
    /// document: it was then that of an earlier question, and so would be the next ones on its
    /// connection.
    ///
    /// Errors: [`Kind::Malformed`] when the second one is about somebody else too.
    async fn about<T, F: Future<Output = Result<T>>>(
        &self,
        asked: &Asked,
        ask: impl Fn() -> F,
        records: impl Fn(&T) -> &[Record],
    ) -> Result<T> {
        let first = ask().await;
        let unreadable = first.as_ref().is_err_and(is_no_such_document);
        if !unreadable && asked.other(first.as_ref().map(&records)).is_none() {
            return first;
        }
        self.distrust();
        let second = ask().await;
        let Some(other) = asked.other(second.as_ref().map(&records)) else {
            return second;
        };
        self.distrust();
        Err(foreign(&self.host(), asked, &other))
    }

    /// Asks nothing more on the connections that are open: an answer on one of them was another
    /// question's.
    fn distrust(&self) {
        self.client.drop_connections(self.requests.node());
    }

    /// The error of a document that came from this node and could not be read.
    fn unread(&self, error: Error) -> Error {
        if is_no_such_document(&error) {
            self.distrust();
        }
        with_host(&self.host(), error)
    }

    async fn detail(&self, path: &str, document: &Document) -> Result<Answer> {
        let response = self.open(self.requests.read(path)).await?;
        let charset = response.charset();
        let raw = response.bytes(MAX_DETAIL).await?;
        let record =
            xml::single(&raw, charset.as_deref(), document).map_err(|error| self.unread(error))?;
        Ok(Answer { record, raw })
    }

    async fn rows(&self, path: &str, document: &Document) -> Result<ShortList> {
        let response = self.open(self.requests.read(path)).await?;
        let charset = response.charset();
        let raw = response.bytes(MAX_SHORT_LIST).await?;
        let (collected, outcome) = xml::stream_in(
            raw.as_slice(),
            charset.as_deref(),
            document,
            Collect::default(),
        );
        outcome.map_err(|error| self.unread(error))?;
        Ok(ShortList {
            records: collected.records,
            raw,
        })
    }
}

/// What changes the network.
impl MntClient {
    /// Sends a change of authorization ([`Requests::coa`]), once. Success means that the command
    /// went out, not that the endpoint came back; anything but `results` true is [`Kind::Server`].
    pub async fn coa(&self, request: Request) -> Result<Answer> {
        let response = self.open(request).await?;
        let charset = response.charset();
        let raw = response.bytes(MAX_DETAIL).await?;
        coa_outcome(raw, charset.as_deref()).map_err(|error| with_host(&self.host(), error))
    }

    /// Sends a deletion ([`Requests::delete`]), once.
    pub async fn delete(&self, request: Request) -> Result<Answer> {
        let response = self.open(request).await?;
        let charset = response.charset();
        let raw = response.bytes(MAX_DETAIL).await?;
        delete_outcome(raw, charset.as_deref()).map_err(|error| with_host(&self.host(), error))
    }

    // ---- sending ----

    /// Sends, and passes on a success that is not a web page.
    async fn open(&self, request: Request) -> Result<Response> {
        let response = self.open_any(request).await?;
        let html = response.content_type.as_deref().is_some_and(|kind| {
            let kind = kind.trim_start().to_ascii_lowercase();
            kind.starts_with("text/html")
        });
        if html {
            let error = Error::new(
                Kind::Malformed,
                format!(
                    "the server answered with a web page (HTTP {})",
                    response.status
                ),
            );
            return Err(
                with_host(&response.host.to_string(), error.hint(NOT_THE_API))
                    .status(response.status),
            );
        }
        Ok(response)
    }

    /// Sends, and passes on a success.
    async fn open_any(&self, request: Request) -> Result<Response> {
        if self.refused.load(Ordering::Relaxed) {
            let message = format!("not sent: {} has just refused this password", self.host());
            return Err(Error::new(Kind::Refused, message)
                .host(self.host())
                .nothing_sent());
        }
        let response = self.client.send(request).await?;
        let status = response.status;
        if status == 401 {
            self.refused.store(true, Ordering::Relaxed);
        }
        if (200..300).contains(&status) {
            return Ok(response);
        }
        let host = response.host.to_string();
        let charset = response.charset();
        // The body is a comment on the status: one that cannot be read, or is too long, changes
        // nothing.
        let body = response.bytes(MAX_ERROR).await.unwrap_or_default();
        let envelope = envelope::Envelope::parse(&body, charset.as_deref());
        Err(with_host(&host, envelope::error(status, envelope.as_ref())))
    }

    fn host(&self) -> String {
        self.requests.node().to_string()
    }
}

/// Newest first; attempts of the same or of no readable time keep their order, those without time
/// last.
pub(super) fn newest_first(records: &mut [Record]) {
    crate::order::sort_by_cached_key(records, |record| std::cmp::Reverse(record.auth_time()));
}

/// Whether an answer with a good status is not what was asked for, as a belated answer to another
/// question is.
fn is_no_such_document(error: &Error) -> bool {
    error.kind() == Kind::Malformed && error.http_status().is_none()
}

/// The time on this machine's clock, as Cisco's own client sends it.
fn local(time: Timestamp) -> DateTime {
    time.to_zoned(TimeZone::system()).datetime()
}

/// `error` with the host in its message and beside it. The host is not named where the receiver of
/// the records is at fault: an unknown field, a closed pipe, a full disk.
fn with_host(host: &str, error: Error) -> Error {
    let local = matches!(error.kind(), Kind::Usage | Kind::ClosedPipe | Kind::Failed);
    if local || error.host_name().is_some() {
        return error;
    }
    let message = format!("{host}: {}", error.message());
    error.reworded(message).host(host)
}

#[cfg(test)]
mod tests;
