//! `--metrics ADDR:PORT`: the figures for Prometheus, in its text format, over HTTP.
//!
//! Only `/metrics`, only GET and HEAD. Whoever asks is a stranger: connections, sizes and times are
//! bounded, nothing of a request but its method and path is looked at, and a connection serves one
//! request. The figures are asked of the command's loop for each scrape, so they are fresh, and a
//! loop that hangs shows as 503.
//!
//! Names, kinds and help texts are kept: `tests/golden/metrics.txt`.

use std::convert::Infallible;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::error::{Error, Result};

/// Connections at a time; further ones wait until one has ended.
const CONNECTIONS: usize = 32;

/// How long a connection may last altogether, the slowest reader's too.
const LONGEST: Duration = Duration::from_secs(10);

/// How long a request's head may take to come.
const HEAD: Duration = Duration::from_secs(5);

/// Bytes of a request's head at most.
const HEAD_BYTES: usize = 16 << 10;

/// How long the command's loop may take to say its figures.
const LOOP: Duration = Duration::from_secs(5);

/// The pause after a connection could not be accepted: files may be short for a moment.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const TEXT_FORMAT: HeaderValue =
    HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Whether a figure only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MetricKind {
    /// It does, until the command starts anew.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// One name that is served.
#[derive(Debug)]
pub(crate) struct Metric {
    name: &'static str,
    kind: MetricKind,
    help: &'static str,
}

impl Metric {
    /// A counter; its name ends in `_total`.
    pub(crate) const fn counter(name: &'static str, help: &'static str) -> Self {
        let kind = MetricKind::Counter;
        Self { name, kind, help }
    }

    /// A gauge.
    pub(crate) const fn gauge(name: &'static str, help: &'static str) -> Self {
        let kind = MetricKind::Gauge;
        Self { name, kind, help }
    }

    /// Its value, without labels.
    pub(crate) fn is(&'static self, value: f64) -> Sample {
        self.of(Vec::new(), value)
    }

    /// The same of a counted figure.
    pub(crate) fn counts(&'static self, count: u64) -> Sample {
        self.counted_of(Vec::new(), count)
    }

    /// The same under these labels.
    #[allow(
        clippy::cast_precision_loss,
        reason = "Prometheus counts in f64; exact to 9e15"
    )]
    pub(crate) fn counted_of(
        &'static self,
        labels: Vec<(&'static str, String)>,
        count: u64,
    ) -> Sample {
        self.of(labels, count as f64)
    }

    /// Its value under these labels.
    pub(crate) fn of(&'static self, labels: Vec<(&'static str, String)>, value: f64) -> Sample {
        Sample {
            metric: self,
            labels,
            value,
        }
    }
}

/// A value of a metric.
#[derive(Debug)]
pub(crate) struct Sample {
    metric: &'static Metric,
    labels: Vec<(&'static str, String)>,
    value: f64,
}

/// Samples in Prometheus' text format. Those of one metric must stand together.
pub(super) fn exposition<'s>(samples: impl IntoIterator<Item = &'s Sample>) -> String {
    let mut text = String::new();
    let mut last = "";
    for sample in samples {
        let Metric { name, kind, help } = sample.metric;
        if *name != last {
            let kind = match kind {
                MetricKind::Counter => "counter",
                MetricKind::Gauge => "gauge",
            };
            // Writing to a String fails never.
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            last = name;
        }
        text.push_str(name);
        let labels = sample.labels.iter();
        let labels: Vec<String> = labels
            .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
            .collect();
        if !labels.is_empty() {
            let _ = write!(text, "{{{}}}", labels.join(","));
        }
        let _ = writeln!(text, " {}", sample.value);
    }
    text
}

/// A label's value as the format wants it.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

/// For clap: `ADDR:PORT`, or `PORT` or `:PORT` on loopback.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let loopback = |port: &str| {
        let port = port.parse::<u16>().ok()?;
        Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
    };
    let alone = text
        .strip_prefix("localhost:")
        .or_else(|| text.strip_prefix(':'));
    alone
        .map_or_else(|| text.parse().ok(), loopback)
        .or_else(|| loopback(text))
        .ok_or_else(|| {
            format!(
                "'{text}' is neither an address of this computer with a port, such as \
                 127.0.0.1:9100 or [::]:9100, nor a port"
            )
        })
}

/// What a scrape waits for: the loop's figures as text.
pub(super) type Scrape = oneshot::Sender<String>;

/// The server. Dropped, it ends.
pub(super) struct MetricsServer {
    scrapes: mpsc::Receiver<Scrape>,
    _serving: JoinSet<()>,
    /// Where it listens.
    pub(super) address: SocketAddr,
}

impl MetricsServer {
    /// Begins to serve. Must be called inside a runtime.
    ///
    /// Errors: [`Kind::Usage`](crate::error::Kind::Usage) where nobody can listen there.
    pub(super) fn start(address: SocketAddr) -> Result<Self> {
        let cannot = |error: std::io::Error| {
            Error::usage(format!("cannot serve metrics on {address}: {error}"))
                .hint("choose another port, or end what listens there")
        };
        let listener = TcpListener::bind(address).map_err(cannot)?;
        listener.set_nonblocking(true).map_err(cannot)?;
        let listener = tokio::net::TcpListener::from_std(listener).map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let (asks, scrapes) = mpsc::channel(CONNECTIONS);
        let mut serving = JoinSet::new();
        serving.spawn(accept(listener, asks));
        Ok(Self {
            scrapes,
            _serving: serving,
            address,
        })
    }

    /// Waits for the next scrape. Safe to drop.
    pub(super) async fn scrape(&mut self) -> Scrape {
        match self.scrapes.recv().await {
            Some(scrape) => scrape,
            None => std::future::pending().await,
        }
    }
}

async fn accept(listener: tokio::net::TcpListener, asks: mpsc::Sender<Scrape>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let asks = asks.clone();
                connections.spawn(async move {
                    let _late = timeout(LONGEST, serve(stream, asks)).await;
                    drop(place);
                });
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn serve(stream: TcpStream, asks: mpsc::Sender<Scrape>) {
    let service = service_fn(move |request| answer(request, asks.clone()));
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // What a stranger does wrong is no news.
    let _broken = connection.await;
}

async fn answer(
    request: Request<Incoming>,
    asks: mpsc::Sender<Scrape>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.uri().path() != "/metrics" {
        return Ok(words(
            StatusCode::NOT_FOUND,
            "the figures are at /metrics\n",
        ));
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = words(StatusCode::METHOD_NOT_ALLOWED, "GET and HEAD only\n");
        let allowed = HeaderValue::from_static("GET, HEAD");
        response.headers_mut().insert(ALLOW, allowed);
        return Ok(response);
    }
    let figures = async {
        let (scrape, figures) = oneshot::channel();
        asks.send(scrape).await.ok()?;
        figures.await.ok()
    };
    let Ok(Some(figures)) = timeout(LOOP, figures).await else {
        let text = "netapi is busy or ending\n";
        return Ok(words(StatusCode::SERVICE_UNAVAILABLE, text));
    };
    let mut response = Response::new(Full::new(Bytes::from(figures)));
    response.headers_mut().insert(CONTENT_TYPE, TEXT_FORMAT);
    Ok(response)
}

fn words(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, PLAIN);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped_and_a_metric_is_described_once() {
        static METRIC: Metric = Metric::gauge("netapi_test", "For a test.");
        let label = |text: &str| vec![("node", text.to_owned())];
        let samples = [
            METRIC.of(label("a\"b\\c\nd"), 1.5),
            METRIC.of(label("plain"), 2.0),
        ];
        assert_eq!(
            exposition(&samples),
            "# HELP netapi_test For a test.\n# TYPE netapi_test gauge\n\
             netapi_test{node=\"a\\\"b\\\\c\\nd\"} 1.5\nnetapi_test{node=\"plain\"} 2\n"
        );
    }

    #[test]
    fn an_address_is_loopback_unless_named() {
        let shown = |text| address(text).map(|address| address.to_string());
        for text in ["9100", ":9100", "localhost:9100", "127.0.0.1:9100"] {
            assert_eq!(shown(text).as_deref(), Ok("127.0.0.1:9100"), "{text}");
        }
        assert_eq!(shown("[::]:9100").as_deref(), Ok("[::]:9100"));
        assert_eq!(shown("0.0.0.0:1").as_deref(), Ok("0.0.0.0:1"));
        for text in [
            "",
            "host:9100",
            "1.2.3.4",
            "70000",
            ":x",
            "127.0.0.1:9100/metrics",
        ] {
            assert!(address(text).is_err(), "{text}");
        }
    }
}
