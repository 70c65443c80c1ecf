//! One WebSocket connection to a pubsub node: frames in and out, pings answered and sent (reference
//! pxgrid-api, section 4).
//!
//! It connects once, with one secret, and ends for good: where to go next is `subscription`'s
//! affair, which also decides when silence means that the connection is dead. What is sent is
//! binary, for a text frame makes the server drop the connection; both are read.

mod metered;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::future::poll_immediate;
use futures_util::{SinkExt, StreamExt};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::header::{
    AUTHORIZATION, DATE, HeaderMap, HeaderValue, USER_AGENT,
};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as WsError, error::ProtocolError};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use url::Url;

use self::metered::Metered;
use super::answer;
use super::stomp::{Decoder, Frame, MAX_BODY, Reading};
use crate::authority::Authority;
use crate::error::{Error, Kind, Result};
use crate::transport::{Basic, Client, Connection, HandshakeNotes, tls_error};

/// The largest WebSocket message: the largest STOMP body, and room for its headers. The server's
/// own limit is 300 KB.
const MAX_MESSAGE: usize = MAX_BODY + 64 * 1024;

/// How much is read at once: two records of TLS. What is more is made zero before each read and
/// never filled.
const READ_AT_ONCE: usize = 32 * 1024;

/// How much is handed on at once, in bytes of bodies, when more has come already.
const BATCH: usize = 64 * 1024;

/// How much may wait to be written: the largest message, and what is answered meanwhile. The
/// library keeps no more pongs than fit.
const MAX_UNWRITTEN: usize = 2 * MAX_MESSAGE;

/// How many answers to pings may wait to be written: a server that asks and does not read is
/// left. One that does read is asked for an answer twice a minute.
const MAX_UNANSWERED: u32 = 1000;

/// What a ping or pong that waits for its reader counts, in bytes.
pub(super) const SIGN_OF_LIFE: usize = 32;

/// How long one frame may take to be written: the server's own patience with us.
const SEND_TIMEOUT: Duration = Duration::from_mins(1);

/// How long the close handshake may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// What to do about a connection that ends or stalls without a word.
const RESTARTING: &str = "the node may be restarting or have too many connections (a client name may hold 2 on old releases): try again in a minute";

/// What to do about an address that cannot be used.
const ANNOUNCED: &str =
    "ISE itself announces that address: `netapi ise pxgrid services com.cisco.ise.pubsub` shows it";

/// What came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// A STOMP frame.
    Frame(Frame),
    /// The server's ping, which was answered.
    Ping,
    /// The answer to a ping of ours. The server has read what we sent before that.
    Pong,
}

/// An open connection.
pub struct Socket {
    stream: WebSocketStream<Metered<TlsStream<Connection>>>,
    decoder: Decoder,
    /// The connection is over, to be said after what came before.
    over: Option<Error>,
    /// Pings in a row whose answers could not be written at once.
    unanswered: u32,
    /// How much was handed on last: room for as much is made at once.
    handed_on: usize,
    date: Option<Timestamp>,
    host: String,
    seen: HandshakeNotes,
}

impl Socket {
    /// Connects and upgrades. `url` is the node's `wsUrl`, `basic` our own name with the node's
    /// secret.
    ///
    /// Errors: those of [`Client::connect`]; [`Kind::Refused`] with status 401 or 403 for a refused
    /// secret; [`Kind::Malformed`] for an address that is no `wss` or an answer that is no upgrade;
    /// [`Kind::TimedOut`].
    pub async fn open(client: &Client, url: &str, basic: &Basic) -> Result<Self> {
        let node = target(url)?;
        let host = node.to_string();
        let request = upgrade(url, basic)?;
        let (tls, seen) = client.connect(&node).await?;
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_AT_ONCE)
            .write_buffer_size(0)
            .max_write_buffer_size(MAX_UNWRITTEN)
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        let patience = client.dialer().connect_timeout();
        let upgraded = timeout(
            patience,
            client_async_with_config(request, Metered::new(tls), Some(config)),
        )
        .await
        .map_err(|_| {
            Error::new(
                Kind::TimedOut,
                format!("{host} did not answer the WebSocket upgrade within {patience:?}"),
            )
            .hint("is the pubsub service up there (pxGrid WebSocket in Administration > pxGrid Services > Diagnostics)? A firewall that looks into TLS can also hold an upgrade back")
            .host(&host)
        })?;
        let (stream, answer) = upgraded.map_err(|error| not_upgraded(&host, error, &seen))?;
        Ok(Self {
            date: date(answer.headers()),
            stream,
            decoder: Decoder::new(Reading::Server),
            over: None,
            unanswered: 0,
            handed_on: 0,
            host,
            seen,
        })
    }

    /// The server's clock when it let us in, to the second, if it said so (`Date`, RFC 9110,
    /// section 6.6.1).
    pub fn date(&self) -> Option<Timestamp> {
        self.date
    }

    /// Waits for what comes next, and gives it with what has come behind it already, up to a bound;
    /// never nothing. Pings are answered meanwhile. Safe to drop and to call again.
    ///
    /// Errors: the connection is over, and why.
    pub async fn receive(&mut self) -> Result<Vec<Incoming>> {
        let mut batch = Vec::with_capacity(self.handed_on);
        let mut bytes = 0;
        while bytes < BATCH && self.over.is_none() {
            match self.decoder.next_frame() {
                Ok(Some(frame)) => {
                    bytes += frame.body.len();
                    batch.push(Incoming::Frame(frame));
                    continue;
                }
                Ok(None) => {}
                Err(error) => {
                    self.over = Some(
                        Error::new(
                            Kind::Malformed,
                            format!("{} sent a malformed STOMP frame: {error}", self.host),
                        )
                        .hint(ANNOUNCED)
                        .host(&self.host),
                    );
                    break;
                }
            }
            // Nothing is waited for once something has come: a caller that drops this loses
            // nothing.
            let message = if batch.is_empty() {
                self.stream.next().await
            } else {
                match poll_immediate(self.stream.next()).await {
                    Some(message) => message,
                    None => break,
                }
            };
            match &message {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {
                    self.stream.get_mut().was_small();
                }
                Some(Ok(_)) => self.stream.get_mut().was_whole(),
                _ => {}
            }
            match message {
                Some(Ok(Message::Binary(bytes))) => self.decoder.push(bytes),
                Some(Ok(Message::Text(text))) => self.decoder.push(text),
                Some(Err(_)) if self.stream.get_ref().is_over() => {
                    self.over = Some(
                        Error::new(
                            Kind::Malformed,
                            format!("{} sends pieces of a message that never ends", self.host),
                        )
                        .hint(ANNOUNCED)
                        .host(&self.host),
                    );
                }
                Some(Ok(Message::Ping(_))) => {
                    bytes += SIGN_OF_LIFE;
                    batch.push(Incoming::Ping);
                    self.answer_ping().await;
                }
                Some(Ok(Message::Pong(_))) => {
                    bytes += SIGN_OF_LIFE;
                    batch.push(Incoming::Pong);
                }
                Some(Ok(Message::Close(reason))) => self.over = Some(self.closed(reason.as_ref())),
                Some(Ok(Message::Frame(_))) => {}
                Some(Err(error)) => self.over = Some(broken(&self.host, &error, &self.seen)),
                None => self.over = Some(self.closed(None)),
            }
        }
        match self.over.take() {
            Some(error) if batch.is_empty() => Err(error),
            over => {
                self.over = over;
                self.handed_on = batch.len();
                Ok(batch)
            }
        }
    }

    /// The library has put the answer to a ping behind what waits to be written. Writes it if it
    /// can be written at once, and ends the connection when too many could not be.
    async fn answer_ping(&mut self) {
        match poll_immediate(self.stream.flush()).await {
            Some(Ok(())) => self.unanswered = 0,
            Some(Err(error)) => self.over = Some(broken(&self.host, &error, &self.seen)),
            None => {
                self.unanswered += 1;
                if self.unanswered > MAX_UNANSWERED {
                    self.over = Some(
                        Error::new(
                            Kind::TimedOut,
                            format!(
                                "{} sends pings and does not read: {MAX_UNANSWERED} answers wait",
                                self.host
                            ),
                        )
                        .host(&self.host),
                    );
                }
            }
        }
    }

    /// Sends one frame, in one binary message.
    pub async fn send(&mut self, frame: &Frame) -> Result<()> {
        let bytes = frame.encode()?;
        self.write(Message::Binary(bytes.into())).await
    }

    /// Sends a ping, whose answer will be [`Incoming::Pong`].
    pub async fn ping(&mut self) -> Result<()> {
        self.write(Message::Ping(Bytes::new())).await
    }

    async fn write(&mut self, message: Message) -> Result<()> {
        match timeout(SEND_TIMEOUT, self.stream.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(broken(&self.host, &error, &self.seen)),
            Err(_) => Err(Error::new(
                Kind::TimedOut,
                format!("{} took nothing from us for {SEND_TIMEOUT:?}", self.host),
            )
            .hint(RESTARTING)
            .host(&self.host)),
        }
    }

    /// Says goodbye and waits a moment for the other side to do the same.
    pub async fn close(mut self) {
        // Whatever happens to it, the connection is dropped next.
        let _ended = timeout(CLOSE_TIMEOUT, async {
            if self.stream.close(None).await.is_ok() {
                while let Some(Ok(_)) = self.stream.next().await {}
            }
        })
        .await;
    }

    fn closed(&self, reason: Option<&CloseFrame>) -> Error {
        let why = reason.map_or_else(String::new, |reason| {
            let code = u16::from(reason.code);
            let words: String = reason.reason.chars().take(120).collect();
            if words.is_empty() {
                format!(" (code {code})")
            } else {
                format!(" (code {code}: {words})")
            }
        });
        Error::new(
            Kind::Connect,
            format!("{} closed the WebSocket{why}", self.host),
        )
        .hint(RESTARTING)
        .host(&self.host)
    }
}

/// Host and port of a `wsUrl`.
fn target(url: &str) -> Result<Authority> {
    let wrong = || {
        Error::new(
            Kind::Malformed,
            format!("'{url}' is announced as wsUrl and is no wss address"),
        )
        .hint(ANNOUNCED)
    };
    let parsed = Url::parse(url).map_err(|_| wrong())?;
    let plain = parsed.username().is_empty() && parsed.password().is_none();
    match Authority::of_url(&parsed) {
        Some(node) if parsed.scheme() == "wss" && plain => Ok(node),
        _ => Err(wrong()),
    }
}

/// The upgrade request; no subprotocol, as every client of Cisco's does it.
fn upgrade(url: &str, basic: &Basic) -> Result<Request> {
    let mut request = url.into_client_request().map_err(|error| {
        Error::new(
            Kind::Malformed,
            format!("'{url}' is announced as wsUrl and cannot be used: {error}"),
        )
        .hint(ANNOUNCED)
    })?;
    let pair = format!("{}:{}", basic.user, basic.password.expose_secret());
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair)))
        .map_err(|_| Error::new(Kind::Failed, "the credentials do not fit in a header"))?;
    value.set_sensitive(true);
    let headers = request.headers_mut();
    headers.insert(AUTHORIZATION, value);
    headers.insert(
        USER_AGENT,
        HeaderValue::from_static(concat!("netapi/", env!("CARGO_PKG_VERSION"))),
    );
    Ok(request)
}

/// The time of an answer; without the header, or with one that cannot be read, nothing is known.
fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let text = headers.get(DATE)?.to_str().ok()?;
    let parser = jiff::fmt::rfc2822::DateTimeParser::new();
    parser.parse_timestamp(text).ok()
}

/// Why there was no upgrade.
fn not_upgraded(host: &str, error: WsError, seen: &HandshakeNotes) -> Error {
    match error {
        WsError::Http(response) => {
            let status = response.status().as_u16();
            let body = response.body().as_deref().unwrap_or_default();
            let refusal = answer::plain_refusal("the WebSocket upgrade", host, status, body);
            match status {
                401 => refusal.hint("the node does not take our access secret; with a certificate, check that --client-name is the name it was issued for"),
                403 => refusal.hint("ISE does not let this client subscribe: see its groups in Administration > pxGrid Services > Client Management"),
                _ => refusal,
            }
        }
        other => broken(host, &other, seen),
    }
}

/// Why a connection broke.
fn broken(host: &str, error: &WsError, seen: &HandshakeNotes) -> Error {
    let gone = |why: &str| {
        let error =
            Error::new(Kind::Connect, format!("{host} closed the connection{why}")).host(host);
        if seen.asked_for_certificate() && !seen.we_have_certificate() {
            error.hint("the server asked for a client certificate and got none: give one with --cert FILE --key FILE")
        } else {
            error.hint(RESTARTING)
        }
    };
    match error {
        WsError::Io(io) => {
            let why = match io.kind() {
                // rustls explains at length that no goodbye came; the connection is gone all the
                // same.
                std::io::ErrorKind::UnexpectedEof => String::new(),
                _ => format!(": {io}"),
            };
            tls_error::explain_io(host, io, seen).unwrap_or_else(|| gone(&why))
        }
        WsError::ConnectionClosed
        | WsError::AlreadyClosed
        | WsError::Protocol(
            ProtocolError::ResetWithoutClosingHandshake | ProtocolError::HandshakeIncomplete,
        ) => gone(""),
        other => Error::new(
            Kind::Malformed,
            format!("{host} does not speak WebSocket as it should: {other}"),
        )
        .hint("is that ISE's pubsub service, with no proxy or inspection between? `netapi ise pxgrid services com.cisco.ise.pubsub` shows the address")
        .host(host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_wss_address_without_credentials_is_dialled() {
        assert_eq!(
            target("wss://ise.example.com:8910/pxgrid/ise/pubsub").unwrap(),
            Authority::new("ise.example.com", 8910)
        );
        assert_eq!(target("wss://[::1]/x").unwrap(), Authority::new("::1", 443));
        for url in ["ws://a:1/", "https://a/", "wss://u:p@a/", "", "a:8910"] {
            assert_eq!(target(url).unwrap_err().kind(), Kind::Malformed, "{url}");
        }
    }

    #[test]
    fn the_servers_clock_is_read_from_its_answer() {
        let dated = |text: &'static str| {
            date(&HeaderMap::from_iter([(
                DATE,
                HeaderValue::from_static(text),
            )]))
        };
        let time = dated("Sun, 22 Nov 2026 02:00:00 GMT").unwrap();
        assert_eq!(time.to_string(), "2026-11-22T02:00:00Z");
        assert_eq!(dated("yesterday"), None);
        assert_eq!(date(&HeaderMap::new()), None);
    }

    #[test]
    fn the_upgrade_carries_our_name_and_hides_the_secret() {
        let basic = Basic {
            user: "client".to_owned(),
            password: "secret".to_owned().into(),
        };
        let request = upgrade("wss://ise.example.com:8910/pxgrid/ise/pubsub", &basic).unwrap();
        let value = request.headers().get(AUTHORIZATION).unwrap();
        assert_eq!(value.to_str().unwrap(), "Basic Y2xpZW50OnNlY3JldA==");
        assert!(!format!("{request:?}").contains("Y2xpZW50"));
        assert!(request.headers().get("sec-websocket-protocol").is_none());
    }

    #[test]
    fn refused_secrets_are_told_from_other_answers() {
        use tokio_tungstenite::tungstenite::http::Response;
        for (status, kind) in [
            (401, Kind::Refused),
            (403, Kind::Refused),
            (404, Kind::Server),
            (503, Kind::Overloaded),
        ] {
            let response = Response::builder().status(status).body(None).unwrap();
            let error = not_upgraded(
                "ise:8910",
                WsError::Http(Box::new(response)),
                &HandshakeNotes::default(),
            );
            assert_eq!((error.kind(), error.http_status()), (kind, Some(status)));
        }
    }
}
