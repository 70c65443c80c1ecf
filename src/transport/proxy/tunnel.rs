//! The handshakes with a proxy, until a connection to the host stands.
//!
//! One attempt with a connection to the proxy each; the time is the caller's affair. HTTP CONNECT
//! is hyper's, SOCKS 5 is tokio-socks'.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, USER_AGENT};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use secrecy::ExposeSecret;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_socks::TargetAddr;
use tokio_socks::tcp::Socks5Stream;

use super::fault::{self, Fault};
use super::{Proxy, ProxyLogin, Scheme};
use crate::authority::Authority;
use crate::error::{Error, Kind, Result};
use crate::transport::connection::Connection;
use crate::transport::dial::{Address, Dialer, connect_directly};
use crate::transport::tls_error;

/// A connection to `to` through `proxy`, made before `end`.
///
/// A name goes to the proxy as it is, or as `--resolve` has it; for `socks5://` it is resolved
/// here, and its addresses are tried in turn.
///
/// Errors name host and proxy: [`Kind::Resolve`], [`Kind::Connect`], [`Kind::Tls`] (with the proxy
/// itself), [`Kind::Refused`] (the proxy wants other credentials), [`Kind::TimedOut`]; nothing was
/// sent in any of them.
pub(in crate::transport) async fn through(
    proxy: &Proxy,
    dialer: &Dialer,
    to: &Authority,
    end: Instant,
) -> Result<Connection> {
    let shown = to.to_string();
    let mut last = None;
    for target in targets(proxy, dialer, to).await? {
        let attempt = attempt(proxy, dialer, &target);
        let fault = match timeout_at(end, attempt).await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(fault)) => fault,
            Err(_) => Fault::Late(dialer.connect_timeout()),
        };
        let another = fault.may_be_the_addresses();
        last = Some(fault::explain(proxy, &shown, fault));
        if !another {
            break;
        }
    }
    Err(last.unwrap_or_else(|| Error::new(Kind::Resolve, format!("{shown} has no address"))))
}

/// What the proxy is asked to connect to.
async fn targets(
    proxy: &Proxy,
    dialer: &Dialer,
    to: &Authority,
) -> Result<Vec<TargetAddr<'static>>> {
    if !proxy.address().scheme.resolves() {
        let found = dialer.addresses(to).await?;
        return Ok(found.into_iter().map(TargetAddr::Ip).collect());
    }
    let port = to.port();
    Ok(vec![match dialer.overridden(to) {
        Address::Ip(ip) => TargetAddr::Ip(SocketAddr::new(ip, port)),
        Address::Name(name) => match name.parse::<IpAddr>() {
            Ok(ip) => TargetAddr::Ip(SocketAddr::new(ip, port)),
            Err(_) => TargetAddr::Domain(name.into(), port),
        },
    }])
}

async fn attempt(
    proxy: &Proxy,
    dialer: &Dialer,
    target: &TargetAddr<'static>,
) -> Result<Connection, Fault> {
    let address = proxy.address();
    let tcp = connect_directly(dialer, &address.at)
        .await
        .map_err(Fault::Unreachable)?;
    let login = address.login.as_ref();
    match address.scheme {
        Scheme::Http => connect(tcp, target, login).await.map(Connection::Tcp),
        Scheme::Https => {
            let tls = shake_hands(proxy, tcp).await?;
            connect(tls, target, login)
                .await
                .map(|stream| Connection::Tls(Box::new(stream)))
        }
        Scheme::Socks5 | Scheme::Socks5h => socks(tcp, target.to_owned(), login)
            .await
            .map(Connection::Tcp)
            .map_err(Fault::Socks),
    }
}

/// TLS with the proxy itself.
async fn shake_hands(
    proxy: &Proxy,
    tcp: tokio::net::TcpStream,
) -> Result<tokio_rustls::client::TlsStream<tokio::net::TcpStream>, Fault> {
    let address = proxy.address();
    let tls = proxy.tls().ok_or(Fault::NoTls)?;
    let (config, seen) = tls.config().map_err(Fault::Unreachable)?;
    let name = ServerName::try_from(address.at.host().to_owned()).map_err(|_| Fault::NoTls)?;
    let connector = TlsConnector::from(std::sync::Arc::new(config));
    connector
        .connect(name, tcp)
        .await
        .map_err(|error| match tls_error::rustls_error(&error) {
            Some(why) => Fault::Tls(tls_error::of_proxy(&address.at.to_string(), why, &seen)),
            None => Fault::Io(error),
        })
}

/// HTTP CONNECT.
async fn connect<S>(
    stream: S,
    target: &TargetAddr<'_>,
    login: Option<&ProxyLogin>,
) -> Result<S, Fault>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let request = request(target, login)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let mut connection = pin!(connection.without_shutdown());
    let mut answering = pin!(sender.send_request(request));
    let mut parts = None;
    let answer = tokio::select! {
        biased;
        answer = &mut answering => answer,
        ended = &mut connection => {
            parts = Some(ended?);
            answering.await
        }
    }?;
    if !answer.status().is_success() {
        let ways = answer.headers().get_all(PROXY_AUTHENTICATE).iter();
        return Err(Fault::Answered {
            status: answer.status().as_u16(),
            ways: ways
                .filter_map(|way| way.to_str().ok())
                .filter_map(|way| way.split_whitespace().next())
                .map(|way| way.trim_end_matches(',').to_owned())
                .collect(),
        });
    }
    let parts = match parts {
        Some(parts) => parts,
        None => connection.await?,
    };
    // The host says nothing before we do: these bytes are not its own.
    if !parts.read_buf.is_empty() {
        return Err(Fault::SpokeFirst);
    }
    Ok(parts.io.into_inner())
}

fn request(
    target: &TargetAddr<'_>,
    login: Option<&ProxyLogin>,
) -> Result<Request<Empty<Bytes>>, Fault> {
    let target = match target {
        TargetAddr::Ip(address) => address.to_string(),
        TargetAddr::Domain(name, port) => Authority::new(name, *port).to_string(),
    };
    let mut request = Request::builder()
        .method(Method::CONNECT)
        .uri(&target)
        .header(HOST, &target)
        .header(USER_AGENT, concat!("netapi/", env!("CARGO_PKG_VERSION")));
    if let Some(login) = login {
        let password = login
            .password
            .as_ref()
            .map_or("", |password| password.expose_secret());
        let pair = STANDARD.encode(format!("{}:{password}", login.user));
        let mut value =
            HeaderValue::try_from(format!("Basic {pair}")).map_err(|_| Fault::NoRequest)?;
        value.set_sensitive(true);
        request = request.header(PROXY_AUTHORIZATION, value);
    }
    request.body(Empty::new()).map_err(|_| Fault::NoRequest)
}

async fn socks<S>(
    stream: S,
    target: TargetAddr<'static>,
    login: Option<&ProxyLogin>,
) -> Result<S, tokio_socks::Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let stream = match login {
        None => Socks5Stream::connect_with_socket(stream, target).await?,
        Some(ProxyLogin { user, password }) => {
            let password = password
                .as_ref()
                .map_or("", |password| password.expose_secret());
            Socks5Stream::connect_with_password_and_socket(stream, target, user, password).await?
        }
    };
    Ok(stream.into_inner())
}

impl From<hyper::Error> for Fault {
    fn from(error: hyper::Error) -> Self {
        if error.is_parse() {
            return Self::NoHttp;
        }
        match tls_error::find(&error, &|link| link.downcast_ref::<io::Error>()) {
            Some(io) => Self::Io(io::Error::from(io.kind())),
            None => Self::Closed,
        }
    }
}
