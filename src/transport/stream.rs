//! A TLS connection of our own, for the WebSocket: the same dialer, trust, identity and error words as HTTP.

use std::io;

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::resolve::{Dialer, authority, cannot_connect, connect, connect_timed_out};
use super::tls::{Seen, Tls};
use super::tls_error::{self, rustls_error};
use crate::error::{Error, Result};

/// Connects and shakes hands within the dialer's connect timeout. The [`Seen`] is for [`tls_error::explain_io`]: a server that speaks TLS 1.3
/// refuses a client certificate only after this has returned.
///
/// Errors: [`crate::error::Kind::Resolve`], `Connect`, `TimedOut`, `Tls`; nothing was sent in any of them.
pub async fn connect_tls(
    tls: &Tls,
    dialer: &Dialer,
    host: &str,
    port: u16,
) -> Result<(TlsStream<TcpStream>, Seen)> {
    let end = Instant::now() + dialer.connect_timeout();
    let shown = authority(host, port);
    let (config, seen) = tls.config()?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(bare.to_owned())
        .map_err(|_| Error::usage(format!("{host} is not a host name")))?;
    let tcp = connect(dialer, host, port).await?;
    let handshake = TlsConnector::from(std::sync::Arc::new(config)).connect(name, tcp);
    match timeout_at(end, handshake).await {
        Ok(Ok(stream)) => Ok((stream, seen)),
        Ok(Err(error)) => Err(refused(&shown, &error, &seen)),
        Err(_) => Err(connect_timed_out(&shown, dialer.connect_timeout())),
    }
}

fn refused(host: &str, error: &io::Error, seen: &Seen) -> Error {
    match rustls_error(error) {
        Some(tls) => tls_error::explain(host, tls, seen).nothing_sent(),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            tls_error::closed(host, seen).nothing_sent()
        }
        None => cannot_connect(host, error),
    }
}
