//! Answer bodies: the idle rule, the whole body with a bound, and the bridge to a parser on a
//! blocking thread.
//!
//! It knows bytes, not documents. The idle rule (contract, section 8): fewer than 1 kB received in
//! the time allowed is a time-out. Only the time spent waiting for the network counts, so a slow
//! consumer costs nobody the answer.

use std::io::{self, BufRead, Read};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tower_http::decompression::DecompressionBody;

use super::fault;
use super::wire::AnswerLine;
use crate::error::{Error, Kind, Result};

/// Fewer bytes than this in one idle timeout is a time-out.
const LEAST: u64 = 1024;

/// Chunks on their way from the network to the parser: enough to keep both busy. A fast server
/// makes them 400 kB each (measured), so this is also the memory bound.
const CHUNKS_AHEAD: usize = 4;

/// A pause that is told once more, for whoever does not write at each short one.
const LONG_PAUSE: Duration = Duration::from_secs(1);

/// Measures a body's pace. Pure: it is told how long was waited and how much came.
#[derive(Debug)]
struct Idle {
    allowed: Duration,
    waited: Duration,
    received: u64,
}

impl Idle {
    fn new(allowed: Duration) -> Self {
        Self {
            allowed,
            waited: Duration::ZERO,
            received: 0,
        }
    }

    /// How long the next wait may be.
    fn left(&self) -> Duration {
        self.allowed.saturating_sub(self.waited)
    }

    /// Takes a chunk of `bytes` that came after `waited`.
    fn received(&mut self, waited: Duration, bytes: u64) {
        self.waited += waited;
        self.received += bytes;
        if self.received >= LEAST {
            *self = Self::new(self.allowed);
        }
    }
}

/// An answer whose body is still on the wire, and unpacked as it comes. In a box, since it holds
/// the decompressor.
pub(super) type Answer = hyper::Response<Box<DecompressionBody<Incoming>>>;

/// A body on the wire.
pub(super) struct Body {
    unpacked: Box<DecompressionBody<Incoming>>,
    idle: Idle,
    host: String,
    line: AnswerLine,
}

impl Body {
    pub(super) fn new(
        answer: Answer,
        host: String,
        idle_timeout: Duration,
        line: AnswerLine,
    ) -> Self {
        Self {
            unpacked: answer.into_body(),
            idle: Idle::new(idle_timeout),
            host,
            line,
        }
    }

    /// The next piece, or `None` at the true end: a body that breaks off is [`Kind::Truncated`].
    async fn next(&mut self) -> Result<Option<Bytes>> {
        let started = Instant::now();
        let chunk = tokio::time::timeout(self.idle.left(), chunk(&mut self.unpacked)).await;
        let Ok(chunk) = chunk else {
            let allowed = self.idle.allowed;
            return Err(Error::new(
                Kind::TimedOut,
                format!(
                    "the answer of {} stalled: less than 1 kB came within {allowed:?}",
                    self.host
                ),
            )
            .hint("--timeout allows more time")
            .host(&self.host));
        };
        let chunk = chunk.map_err(|error| fault::of_body(&self.host, &*error))?;
        if let Some(chunk) = &chunk {
            let bytes = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
            self.idle.received(started.elapsed(), bytes);
            self.line.received(bytes);
        } else {
            self.line.complete();
        }
        Ok(chunk)
    }

    pub(super) async fn bytes(mut self, limit: usize) -> Result<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(chunk) = self.next().await? {
            if chunk.len() > limit.saturating_sub(all.len()) {
                return Err(Error::new(
                    Kind::Malformed,
                    format!("the answer of {} is larger than {limit} bytes", self.host),
                )
                .hint("a document of this kind is small; --trace shows what was asked")
                .host(&self.host));
            }
            all.extend_from_slice(&chunk);
        }
        Ok(all)
    }

    pub(super) fn into_reader(mut self) -> BodyReader {
        let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
        let host = self.host.clone();
        let feeder = tokio::spawn(async move {
            loop {
                let mut next = std::pin::pin!(self.next());
                let soon = tokio::time::timeout(LONG_PAUSE, &mut next).await;
                let outcome = if let Ok(outcome) = soon {
                    outcome
                } else {
                    if sender.send(Piece::Quiet).await.is_err() {
                        return;
                    }
                    next.await
                };
                let piece = match outcome {
                    Ok(Some(bytes)) => Piece::Bytes(bytes),
                    Ok(None) => Piece::End,
                    Err(error) => Piece::Failed(error),
                };
                let last = !matches!(piece, Piece::Bytes(_));
                if sender.send(piece).await.is_err() || last {
                    return;
                }
            }
        });
        BodyReader {
            host,
            receiver,
            feeder: feeder.abort_handle(),
            tells_pauses: false,
            told: false,
            current: Bytes::new(),
            state: BodyState::Reading,
        }
    }
}

/// The next piece of data; trailers, which nobody asked for, are passed over.
async fn chunk(
    body: &mut DecompressionBody<Incoming>,
) -> std::result::Result<Option<Bytes>, tower_http::BoxError> {
    while let Some(frame) = body.frame().await {
        if let Ok(bytes) = frame.map(Frame::into_data)? {
            return Ok(Some(bytes));
        }
    }
    Ok(None)
}

/// A message from the feeding task. The end is said, never guessed from a closed channel: a task
/// that died must not look like a whole body.
enum Piece {
    Bytes(Bytes),
    /// Nothing has come for a [`LONG_PAUSE`].
    Quiet,
    End,
    Failed(Error),
}

enum BodyState {
    Reading,
    Ended,
    Failed(Error),
}

/// A body as [`BufRead`], for a parser inside `spawn_blocking`; it must not be read on a thread
/// that runs async tasks.
///
/// `fill_buf` lends the received chunk itself, no copy. Reading fails again and again once it
/// failed. Dropping it stops the download.
pub struct BodyReader {
    host: String,
    receiver: mpsc::Receiver<Piece>,
    feeder: tokio::task::AbortHandle,
    tells_pauses: bool,
    /// Since the last bytes a pause was told, so that the next call waits.
    told: bool,
    current: Bytes,
    state: BodyState,
}

impl BodyReader {
    /// `host:port` that answers, for messages.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// From now on reading fails with [`WouldBlock`](io::ErrorKind::WouldBlock), once, when all
    /// that has come was read and more is awaited, and once more when nothing has come for a
    /// second. Whoever then reads again waits. So what was made of the bytes can be passed on
    /// before the wait, at no cost while bytes are there.
    #[must_use]
    pub fn telling_pauses(mut self) -> Self {
        self.tells_pauses = true;
        self
    }

    /// The next message; a pause that is to be told is an error.
    fn piece(&mut self) -> io::Result<Option<Piece>> {
        use mpsc::error::TryRecvError;

        let piece = if self.tells_pauses && !self.told {
            match self.receiver.try_recv() {
                Ok(piece) => Some(piece),
                Err(TryRecvError::Disconnected) => None,
                Err(TryRecvError::Empty) => {
                    self.told = true;
                    return Err(io::ErrorKind::WouldBlock.into());
                }
            }
        } else {
            self.receiver.blocking_recv()
        };
        if matches!(piece, Some(Piece::Quiet)) {
            self.told = true;
            if self.tells_pauses {
                return Err(io::ErrorKind::WouldBlock.into());
            }
        } else {
            self.told = false;
        }
        Ok(piece)
    }

    fn refill(&mut self) -> io::Result<()> {
        while self.current.is_empty() {
            match &self.state {
                BodyState::Reading => {}
                BodyState::Ended => return Ok(()),
                BodyState::Failed(error) => return Err(io::Error::other(error.clone())),
            }
            match self.piece()? {
                Some(Piece::Bytes(bytes)) => self.current = bytes,
                Some(Piece::Quiet) => {}
                Some(Piece::End) => self.state = BodyState::Ended,
                Some(Piece::Failed(error)) => self.state = BodyState::Failed(error),
                None => {
                    self.state = BodyState::Failed(
                        Error::new(
                            Kind::Truncated,
                            format!("the answer of {} was abandoned before its end", self.host),
                        )
                        .host(&self.host),
                    );
                }
            }
        }
        Ok(())
    }
}

impl BufRead for BodyReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.refill()?;
        Ok(&self.current)
    }

    fn consume(&mut self, amount: usize) {
        self.current.advance(amount.min(self.current.len()));
    }
}

impl Read for BodyReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut available = self.fill_buf()?;
        let amount = available.read(buf)?;
        self.consume(amount);
        Ok(amount)
    }
}

impl Drop for BodyReader {
    fn drop(&mut self) {
        self.feeder.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_byte_a_second_uses_the_time_up_and_a_kilobyte_buys_new() {
        let mut idle = Idle::new(10 * SECOND);
        for _ in 0..10 {
            assert!(!idle.left().is_zero());
            idle.received(SECOND, 1);
        }
        assert_eq!(idle.left(), Duration::ZERO);
        idle.received(Duration::ZERO, LEAST);
        assert_eq!(idle.left(), 10 * SECOND);
    }

    proptest! {
        /// Never is more than the idle timeout waited for a kilobyte, and never is a body ended
        /// that brings one in each.
        #[test]
        fn the_wait_for_each_kilobyte_is_bounded(chunks in prop::collection::vec((0u64..5000, 0u64..3000), 0..100)) {
            let allowed = 10 * SECOND;
            let mut idle = Idle::new(allowed);
            let (mut waited, mut got) = (Duration::ZERO, 0);
            for (milliseconds, bytes) in chunks {
                let wait = Duration::from_millis(milliseconds);
                prop_assert_eq!(idle.left(), allowed.saturating_sub(waited));
                idle.received(wait, bytes);
                waited += wait;
                got += bytes;
                if got >= LEAST {
                    (waited, got) = (Duration::ZERO, 0);
                }
            }
        }
    }
}
