//! The HTTP/1.1 client: kept-alive connections to an origin, no redirects, what may be repeated and
//! what never.
//!
//! Statuses are not judged here, redirects apart: what a 500 means depends on the API. Repeating
//! (contract, section 7): what only reads is sent once more when the connection could not be made
//! or broke before the answer's head; what changes something is sent at most once.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderValue};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use secrecy::ExposeSecret;
use tokio_rustls::client::TlsStream;
use tower_http::decompression::Decompression;
use tower_service::Service;
use url::Url;

use super::body::{Answer, Body};
use super::connection::Connection;
use super::connector::Connector;
use super::dial::{Dialer, Override};
use super::proxy::{Proxy, ProxyOptions};
use super::request::{is_basic_user, refused_by_read_only};
use super::response::Response;
use super::show::{self, CurlOptions};
use super::tls::{HandshakeNotes, Tls, TlsOptions};
use super::tls_stream::{connect_tls, handshake, shake_hands};
use super::unconfirmed_password::{Logons, Verdict};
use super::wire::{self, AnswerLine, Watch};
use super::{Basic, Effect, Request, fault};
use crate::authority::Authority;
use crate::error::{Error, Kind, Result};

/// An idle connection older than this is not used again: ISE's own limit is longer, so it rarely
/// closes under a request.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What happens to requests.
#[derive(Clone)]
pub enum Sending {
    /// Everything is sent.
    Everything,
    /// Nothing (or with `reads`, only what reads) is sent; the rest is shown with the function and
    /// ends in [`Kind::NotSent`].
    Show {
        /// As a curl command instead of as a request.
        curl: bool,
        /// Requests that only read are sent all the same.
        reads: bool,
        /// Receives the text.
        show: Arc<dyn Fn(&str) + Send + Sync>,
    },
}

/// How a client connects.
#[derive(Clone)]
pub struct ClientOptions {
    /// Whom to trust, and who we are.
    pub tls: TlsOptions,
    /// Name overrides (`--resolve`).
    pub overrides: Vec<Override>,
    /// The proxy, where there is one.
    pub proxy: Option<ProxyOptions>,
    /// The time for name, TCP and TLS together.
    pub connect_timeout: Duration,
    /// The time for an answer's head, and for each kilobyte of its body.
    pub idle_timeout: Duration,
    /// What is sent and what only shown.
    pub sending: Sending,
    /// Refuse every [`Effect::Change`].
    pub read_only: bool,
    /// Log requests and answers (target `netapi::wire`).
    pub trace: bool,
    /// Where the identity came from, for `--curl`: the certificate's file, and the key's if it is
    /// another.
    pub identity_files: Option<(PathBuf, Option<PathBuf>)>,
}

impl Default for ClientOptions {
    /// 10 seconds to connect, 30 idle, everything sent, no trace.
    fn default() -> Self {
        Self {
            tls: TlsOptions::default(),
            overrides: Vec::new(),
            proxy: None,
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
            sending: Sending::Everything,
            read_only: false,
            trace: false,
            identity_files: None,
        }
    }
}

/// An HTTP client for one set of options. Clones share connections.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    options: ClientOptions,
    tls: Tls,
    dialer: Dialer,
    origins: Mutex<HashMap<(Authority, Effect), Origin>>,
    logons: Logons,
    notes: Vec<String>,
}

/// One host and port. Each has a client of its own: an override is for a port, and what a server
/// showed is that server's.
///
/// What changes something has one without kept connections: the answer to it must be no belated
/// answer to an earlier question, and a connection that the server has just closed must not leave
/// it unknown whether the change arrived.
#[derive(Clone)]
struct Origin {
    node: Authority,
    /// The same, for messages.
    host: String,
    http: Decompression<legacy::Client<Connector, Full<Bytes>>>,
    seen: HandshakeNotes,
    watch: Watch,
}

impl Client {
    /// Builds a client; connects nowhere.
    ///
    /// Errors: [`Kind::Usage`] for a CA bundle or an identity that cannot be used.
    pub fn new(options: ClientOptions) -> Result<Self> {
        let tls = Tls::new(&options.tls)?;
        let proxy = options.proxy.clone().map(Proxy::new).transpose()?;
        let proxys = proxy.as_ref().map_or(&[][..], Proxy::notes);
        let notes = [tls.notes(), proxys].concat();
        let dialer = Dialer::new(options.overrides.clone(), options.connect_timeout);
        let dialer = dialer.with_proxy(proxy);
        Ok(Self(Arc::new(Inner {
            options,
            tls,
            dialer,
            origins: Mutex::default(),
            logons: Logons::default(),
            notes,
        })))
    }

    /// What is worth a word about the CA bundles, the proxy's too: see [`Tls::notes`].
    pub fn notes(&self) -> &[String] {
        &self.0.notes
    }

    /// A TLS connection with this client's settings, for a WebSocket. See [`connect_tls`].
    pub async fn connect(&self, to: &Authority) -> Result<(TlsStream<Connection>, HandshakeNotes)> {
        connect_tls(&self.0.tls, &self.0.dialer, to).await
    }

    /// The same for a server that speaks no protocol of the web: none is named in the handshake.
    pub async fn connect_without_alpn(
        &self,
        to: &Authority,
    ) -> Result<(TlsStream<Connection>, HandshakeNotes)> {
        let (mut config, seen) = self.0.tls.config()?;
        config.alpn_protocols.clear();
        let stream = shake_hands(Arc::new(config), &seen, &self.0.dialer, to).await?;
        Ok((stream, seen))
    }

    /// Another handshake on a connection whose first was broken off by agreement, as Oracle's
    /// listener asks for it when it hands the connection on.
    pub async fn shake_hands_again(
        &self,
        stream: TlsStream<Connection>,
        to: &Authority,
    ) -> Result<(TlsStream<Connection>, HandshakeNotes)> {
        let (mut config, seen) = self.0.tls.config()?;
        config.alpn_protocols.clear();
        let (connection, _) = stream.into_inner();
        let end = tokio::time::Instant::now() + self.0.dialer.connect_timeout();
        let stream = handshake(Arc::new(config), &seen, &self.0.dialer, to, connection, end);
        Ok((stream.await?, seen))
    }

    /// The dialer, for whoever looks at name and connection on their own.
    pub fn dialer(&self) -> &Dialer {
        &self.0.dialer
    }

    /// Sends, or shows. Any status is a [`Response`], but for 3xx.
    ///
    /// Errors: [`Kind::NotSent`], [`Kind::Usage`] (`--read-only`, a URL that is not https),
    /// [`Kind::Resolve`], [`Kind::Connect`], [`Kind::Tls`], [`Kind::TimedOut`],
    /// [`Kind::Redirected`], [`Kind::Malformed`] (no HTTP).
    pub async fn send(&self, request: Request) -> Result<Response> {
        self.permit(&request)?;
        let url = https(&request.url)?;
        let origin = self.origin(&url, request.effect)?;
        let entry = self
            .0
            .logons
            .enter(&origin.host, request.basic.as_ref())
            .await?;
        let result = match self.attempt(&origin, &request, &url).await {
            Err(error) if request.effect == Effect::Read && error.kind() == Kind::Connect => {
                self.attempt(&origin, &request, &url).await
            }
            other => other,
        };
        if let Some(entry) = entry {
            entry.end(match &result {
                Ok(response) => Verdict::of_status(response.status),
                Err(_) => Verdict::Nothing,
            });
        }
        result.map_err(|error| {
            let unsure = matches!(error.kind(), Kind::Connect | Kind::TimedOut);
            if request.effect == Effect::Change && unsure && !error.was_nothing_sent() {
                error.hint(
                    "the change may have been carried out all the same: look before you repeat it",
                )
            } else {
                error
            }
        })
    }

    /// Forgets the connections to `node`: an answer that was about something else may have followed
    /// an earlier question, and the answers on that connection would stay one behind. What is under
    /// way goes on.
    pub fn drop_connections(&self, node: &Authority) {
        self.origins().remove(&(node.clone(), Effect::Read));
    }

    fn origins(&self) -> MutexGuard<'_, HashMap<(Authority, Effect), Origin>> {
        self.0
            .origins
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything that ends a request before the wire.
    fn permit(&self, request: &Request) -> Result<()> {
        let options = &self.0.options;
        if options.read_only && request.effect == Effect::Change {
            return Err(refused_by_read_only(&format!(
                "{} {} changes the network",
                request.method.name(),
                request.url
            )));
        }
        let Sending::Show { curl, reads, show } = &options.sending else {
            return Ok(());
        };
        if *reads && request.effect == Effect::Read {
            return Ok(());
        }
        let text = if *curl {
            show::curl(request, &self.curl_options(&request.url))
        } else {
            show::plain(request)
        };
        show(&text);
        Err(Error::new(Kind::NotSent, "the request was shown and not sent").nothing_sent())
    }

    fn curl_options(&self, url: &str) -> CurlOptions {
        let options = &self.0.options;
        let tls = &options.tls;
        let url = Url::parse(url).ok();
        let host = url.as_ref().and_then(Url::host_str);
        let proxy = host.and_then(|host| self.0.dialer.proxy(host));
        CurlOptions {
            ca: tls.ca.clone(),
            identity_files: options.identity_files.clone(),
            overrides: options.overrides.clone(),
            no_proxy: options.proxy.is_some() && proxy.is_none(),
            proxy: proxy.cloned(),
            insecure: tls.insecure,
            beyond_curl: !tls.insecure && (tls.pin_sha256.is_some() || !tls.verify_hostname),
        }
    }

    fn origin(&self, url: &Url, effect: Effect) -> Result<Origin> {
        let node = Authority::of_url(url)
            .ok_or_else(|| Error::usage("the URL names no host").nothing_sent())?;
        let mut origins = self.origins();
        let key = (node, effect);
        if let Some(origin) = origins.get(&key) {
            return Ok(origin.clone());
        }
        let (config, seen) = self.0.tls.config()?;
        let watch = Watch::new();
        let connector = Connector {
            config: Arc::new(config),
            seen: seen.clone(),
            dialer: self.0.dialer.clone(),
            watch: watch.clone(),
        };
        // Its repeating is for requests of which not a byte was written; ours decides on all
        // others.
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEEP_ALIVE)
            .pool_max_idle_per_host(match effect {
                Effect::Read => usize::MAX,
                Effect::Change => 0,
            })
            .build(connector);
        let http = Decompression::new(http);
        let origin = Origin {
            node: key.0.clone(),
            host: key.0.to_string(),
            http,
            seen,
            watch,
        };
        origins.insert(key, origin.clone());
        Ok(origin)
    }

    async fn attempt(&self, origin: &Origin, request: &Request, url: &Url) -> Result<Response> {
        let trace = self.0.options.trace;
        let started = Instant::now();
        let opened = origin.watch.ever();
        if trace {
            let proxy = self.0.dialer.proxy(url.host_str().unwrap_or_default());
            wire::asked(request.method.name(), &request.url, proxy);
        }
        let answer = self.head(origin, request, url).await.inspect_err(|error| {
            if trace {
                wire::failed(request.method.name(), &request.url, started, error);
            }
        })?;
        let status = answer.status().as_u16();
        let text = |name| -> Option<String> {
            let value = answer.headers().get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let content_type = text(header::CONTENT_TYPE);
        let location = text(header::LOCATION);
        let line = AnswerLine::new(trace, started, || {
            format!(
                "{status} {} {} {} ({} connection)",
                request.method.name(),
                request.url,
                content_type.as_deref().unwrap_or("no content type,"),
                if origin.watch.ever() == opened {
                    "kept"
                } else {
                    "new"
                }
            )
        });
        // What was asked for is unpacked by now, and its header gone.
        if let Some(packed) = text(header::CONTENT_ENCODING)
            && (200..300).contains(&status)
            && !packed.eq_ignore_ascii_case("identity")
        {
            return Err(packed_otherwise(&origin.host, &packed));
        }
        if (300..400).contains(&status) {
            return Err(redirected(&origin.host, status, location.as_deref()));
        }
        Ok(Response {
            status,
            content_type,
            location,
            body: Body::new(
                answer,
                origin.host.clone(),
                self.0.options.idle_timeout,
                line,
            ),
            host: origin.node.clone(),
        })
    }

    /// Waits for the answer's head. The clock runs while a connection is there to wait on: making
    /// one has its own time-out.
    async fn head(&self, origin: &Origin, request: &Request, url: &Url) -> Result<Answer> {
        let Inner { options, .. } = &*self.0;
        let mut opening = origin.watch.subscribe();
        let mut sending = Box::pin(origin.http.clone().call(form(request, url)?));
        loop {
            let connecting = opening.borrow_and_update().now > 0;
            tokio::select! {
                biased;
                answer = &mut sending => {
                    return match answer {
                        Ok(answer) => Ok(answer.map(Box::new)),
                        Err(error) => Err(fault::of_head(&origin.host, &error, &origin.seen)),
                    };
                }
                Ok(()) = opening.changed() => {}
                () = tokio::time::sleep(options.idle_timeout), if !connecting => {
                    return Err(Error::new(
                        Kind::TimedOut,
                        format!("{} did not answer within {:?}", origin.host, options.idle_timeout),
                    )
                    .hint("--timeout allows more time; a Monitoring node under load can be silent for minutes")
                    .host(&origin.host));
                }
            }
        }
    }
}

/// Only https, and no credentials hidden in the URL: it may come from a lookup's answer.
fn https(text: &str) -> Result<Url> {
    let wrong = |why: String| {
        Error::usage(format!("cannot use the URL {text}: {why}"))
            .hint("a URL of ISE's APIs is https://HOST:PORT/PATH")
            .nothing_sent()
    };
    let url = Url::parse(text).map_err(|error| wrong(error.to_string()))?;
    if url.scheme() != "https" {
        return Err(wrong("only https is spoken".to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            Error::usage("the URL has a user or password in it, which is not sent")
                .hint("give credentials by their own settings")
                .nothing_sent(),
        );
    }
    Ok(url)
}

fn form(request: &Request, url: &Url) -> Result<hyper::Request<Full<Bytes>>> {
    let mut formed = hyper::Request::builder()
        .method(request.method.name())
        .uri(url.as_str())
        .header(header::ACCEPT, request.accept)
        .header(
            header::USER_AGENT,
            concat!("netapi/", env!("CARGO_PKG_VERSION")),
        );
    let wrong = |why: String| Error::usage(why).nothing_sent();
    if let Some(Basic { user, password }) = &request.basic {
        if !is_basic_user(user) {
            return Err(wrong(format!(
                "the user name {user} cannot be used: it has a colon or a control character"
            ))
            .hint("check the user setting; the password has a setting of its own"));
        }
        let pair = STANDARD.encode(format!("{user}:{}", password.expose_secret()));
        let mut value = HeaderValue::try_from(format!("Basic {pair}"))
            .map_err(|_| wrong("the credentials do not fit in a header".to_owned()))?;
        value.set_sensitive(true);
        formed = formed.header(header::AUTHORIZATION, value);
    }
    if request.json.is_some() {
        formed = formed.header(header::CONTENT_TYPE, "application/json");
    }
    let body = request.json.clone().unwrap_or_default();
    formed.body(Full::new(Bytes::from(body))).map_err(|_| {
        wrong(format!("cannot form a request from the URL {url}"))
            .hint("a URL of ISE's APIs is https://HOST:PORT/PATH")
    })
}

fn packed_otherwise(host: &str, packed: &str) -> Error {
    Error::new(
        Kind::Malformed,
        format!("{host} packed its answer as '{packed}'; gzip or nothing was asked for"),
    )
    .hint("a cache or a proxy between here and the node may pack it; --no-proxy goes round one that is set here")
    .host(host)
}

fn redirected(host: &str, status: u16, location: Option<&str>) -> Error {
    let redirects = location.is_some() || matches!(status, 301 | 302 | 303 | 307 | 308);
    if !redirects {
        let meaning = match status {
            304 => "'not modified'",
            _ => "a redirect to nowhere",
        };
        return Error::new(
            Kind::Malformed,
            format!("{host} answered with {meaning} (HTTP {status}), which was not asked for"),
        )
        .hint("a cache or a proxy between here and the node may answer in its place; --trace shows what was asked")
        .status(status)
        .host(host);
    }
    let to = location.unwrap_or("a place it does not name");
    Error::new(
        Kind::Redirected,
        format!("{host} redirects to {to} (HTTP {status}); redirects are not followed"),
    )
    .hint("a login page means that the API is not enabled on this node; else name the host that answers itself")
    .status(status)
    .host(host)
}
