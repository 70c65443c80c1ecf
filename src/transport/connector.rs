//! The HTTP client's connector: the connections that hyper's pool holds are made by the same dialer
//! and handshake as the WebSocket's.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection as Pooled};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio_rustls::client::TlsStream;
use tower_service::Service;

use super::connection::Connection;
use super::dial::Dialer;
use super::tls::HandshakeNotes;
use super::tls_stream::shake_hands;
use super::wire::Watch;
use crate::authority::Authority;
use crate::error::Error;

/// Connects to one origin.
#[derive(Clone)]
pub(super) struct Connector {
    pub(super) config: Arc<ClientConfig>,
    pub(super) seen: HandshakeNotes,
    pub(super) dialer: Dialer,
    pub(super) watch: Watch,
}

impl Service<Uri> for Connector {
    type Response = Secured;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Secured, Error>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, url: Uri) -> Self::Future {
        let this = self.clone();
        let opening = self.watch.opening();
        Box::pin(async move {
            let (host, port) = (url.host().unwrap_or_default(), url.port_u16());
            let to = Authority::new(host, port.unwrap_or(443));
            let made = shake_hands(this.config, &this.seen, &this.dialer, &to).await;
            opening.end(made.is_ok());
            Ok(Secured(TokioIo::new(made?)))
        })
    }
}

/// A connection with TLS, as hyper wants it.
pub(super) struct Secured(TokioIo<TlsStream<Connection>>);

impl Secured {
    fn inner(self: Pin<&mut Self>) -> Pin<&mut TokioIo<TlsStream<Connection>>> {
        Pin::new(&mut self.get_mut().0)
    }
}

impl Pooled for Secured {
    /// A tunnel is as good as a connection: what is sent through it is addressed to the host.
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Secured {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        self.inner().poll_read(context, buffer)
    }
}

impl Write for Secured {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.inner().poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.inner().poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_shutdown(context)
    }
}
