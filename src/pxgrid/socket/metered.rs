//! A connection that counts what comes on it between two messages: pieces of a message without end
//! (empty ones cost no memory, and no bound of the WebSocket library counts them) end it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::MAX_MESSAGE;

/// Bytes that may come before a message is whole: the largest one, in small pieces.
const MOST: usize = 2 * MAX_MESSAGE;

/// What a ping or a pong takes at most (RFC 6455, section 5.5); they come between the pieces of a
/// message too.
const SMALL: usize = 127;

/// The connection, and what came on it since a message was whole.
#[derive(Debug)]
pub(super) struct Metered<S> {
    inner: S,
    since: usize,
}

impl<S> Metered<S> {
    pub(super) fn new(inner: S) -> Self {
        Self { inner, since: 0 }
    }

    /// A message was whole. What lies behind it in the same reading is not counted.
    pub(super) fn was_whole(&mut self) {
        self.since = 0;
    }

    /// A ping or a pong came.
    pub(super) fn was_small(&mut self) {
        self.since = self.since.saturating_sub(SMALL);
    }

    /// Whether more came than a message may take.
    pub(super) fn is_over(&self) -> bool {
        self.since > MOST
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        self.since += buffer.filled().len() - before;
        if self.is_over() {
            return Poll::Ready(Err(io::Error::other("a message that never ends")));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    /// Reads until `stream` ends it; how much came.
    async fn taken(
        stream: &mut Metered<tokio::io::Repeat>,
        after: impl Fn(&mut Metered<tokio::io::Repeat>),
    ) -> usize {
        let mut piece = vec![0; 64 * 1024];
        let mut all = 0;
        while all < 3 * MOST {
            match stream.read(&mut piece).await {
                Ok(count) => all += count,
                Err(_) => break,
            }
            after(stream);
        }
        all
    }

    #[tokio::test]
    async fn only_what_never_becomes_a_message_ends_it() {
        let stream = || Metered::new(tokio::io::repeat(0));
        let mut pieces = stream();
        assert!(taken(&mut pieces, |_| ()).await <= MOST);
        assert!(pieces.is_over());
        // Pongs between them do not help.
        let mut pieces = stream();
        assert!(taken(&mut pieces, Metered::was_small).await < MOST + MOST / 100);
        let mut messages = stream();
        assert_eq!(taken(&mut messages, Metered::was_whole).await, 3 * MOST);
    }
}
