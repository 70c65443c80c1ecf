//! A TLS connection to a host, for HTTP and WebSocket alike: one dialer, trust, identity and error
//! words.

use std::io;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::connection::Connection;
use super::dial::{Dialer, cannot_connect, connect, connect_timed_out};
use super::tls::{HandshakeNotes, Tls};
use super::tls_error::{self, rustls_error};
use crate::authority::Authority;
use crate::error::{Error, Result};

/// Connects and shakes hands within the dialer's connect timeout. The [`HandshakeNotes`] is for
/// [`tls_error::explain_io`]: a server that speaks TLS 1.3 refuses a client certificate only after
/// this has returned.
///
/// Errors: [`crate::error::Kind::Resolve`], `Connect`, `TimedOut`, `Tls`, with a proxy also
/// `Refused`; nothing was sent in any of them.
pub async fn connect_tls(
    tls: &Tls,
    dialer: &Dialer,
    to: &Authority,
) -> Result<(TlsStream<Connection>, HandshakeNotes)> {
    let (config, seen) = tls.config()?;
    let stream = shake_hands(Arc::new(config), &seen, dialer, to).await?;
    Ok((stream, seen))
}

/// The same with a configuration made before, which notes what the server shows in `seen`.
pub(super) async fn shake_hands(
    config: Arc<ClientConfig>,
    seen: &HandshakeNotes,
    dialer: &Dialer,
    to: &Authority,
) -> Result<TlsStream<Connection>> {
    let end = Instant::now() + dialer.connect_timeout();
    let connection = connect(dialer, to).await?;
    handshake(config, seen, dialer, to, connection, end).await
}

/// Shakes hands on a connection that is there.
pub(super) async fn handshake(
    config: Arc<ClientConfig>,
    seen: &HandshakeNotes,
    dialer: &Dialer,
    to: &Authority,
    connection: Connection,
    end: Instant,
) -> Result<TlsStream<Connection>> {
    let shown = to.to_string();
    let name = ServerName::try_from(to.host().to_owned())
        .map_err(|_| Error::usage(format!("{} is not a host name", to.host())))?;
    let handshake = TlsConnector::from(config).connect(name, connection);
    let error = match timeout_at(end, handshake).await {
        Ok(Ok(stream)) => return Ok(stream),
        Ok(Err(error)) => refused(&shown, &error, seen),
        Err(_) => connect_timed_out(&shown, dialer.connect_timeout()),
    };
    Err(match dialer.proxy(to.host()) {
        Some(proxy) => {
            let hint = error.hint_text().unwrap_or_default();
            let hint = format!("{hint}; the way leads through {proxy}, which may look into TLS");
            error.hint(hint)
        }
        None => error,
    })
}

fn refused(host: &str, error: &io::Error, seen: &HandshakeNotes) -> Error {
    match rustls_error(error) {
        Some(tls) => tls_error::explain(host, tls, seen).nothing_sent(),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            tls_error::closed(host, seen).nothing_sent()
        }
        None => cannot_connect(host, error),
    }
}
