//! An answer's body, made as it is sent: text, lists written a piece at a time, and what the faults
//! make of them.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

/// Pause between the bytes of a slow answer.
const SLOWLY: Duration = Duration::from_secs(1);
/// Before a reset what was sent gets this long to leave, or the peer would see the reset first.
const LEAVE: Duration = Duration::from_millis(20);
const FILL_PIECE: usize = 64 * 1024;

/// A document that is written as it is sent.
pub(in crate::lab) trait Pieces: Send {
    /// Appends a piece of at least 64 KiB, or the rest; false when that was the end.
    fn write_piece(&mut self, out: &mut String) -> bool;
}

/// A part of a body.
pub(in crate::lab) enum Part {
    /// As it is.
    Bytes(Bytes),
    /// A pattern this many times over, made as it is sent.
    Fill(&'static [u8], usize),
    /// A list.
    Rows(Box<dyn Pieces>),
    /// Nothing more, for ever.
    Silence,
    /// The connection is reset.
    Reset,
}

/// A body of parts.
pub(in crate::lab) struct LabBody {
    parts: VecDeque<Part>,
    slow: bool,
    pause: Option<Pin<Box<Sleep>>>,
    reset: Arc<AtomicBool>,
}

impl LabBody {
    /// `reset` is set before the body fails, so that the connection's owner resets it.
    pub(in crate::lab) fn new(parts: VecDeque<Part>, slow: bool, reset: Arc<AtomicBool>) -> Self {
        Self {
            parts,
            slow,
            pause: None,
            reset,
        }
    }

    /// The next bytes to send of the part in front.
    fn next_bytes(&mut self) -> Option<Bytes> {
        loop {
            match self.parts.pop_front()? {
                Part::Bytes(mut bytes) => {
                    if bytes.is_empty() {
                        continue;
                    }
                    if self.slow && bytes.len() > 1 {
                        let rest = bytes.split_off(1);
                        self.parts.push_front(Part::Bytes(rest));
                    }
                    return Some(bytes);
                }
                Part::Fill(pattern, times) => {
                    let now = times.min(FILL_PIECE / pattern.len().max(1)).max(1);
                    if times > now {
                        self.parts.push_front(Part::Fill(pattern, times - now));
                    }
                    self.parts
                        .push_front(Part::Bytes(pattern.repeat(now).into()));
                }
                Part::Rows(mut rows) => {
                    let mut piece = String::new();
                    if rows.write_piece(&mut piece) {
                        self.parts.push_front(Part::Rows(rows));
                    }
                    self.parts.push_front(Part::Bytes(piece.into()));
                }
                end @ (Part::Silence | Part::Reset) => {
                    self.parts.push_front(end);
                    return None;
                }
            }
        }
    }
}

impl Body for LabBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(pause) = &mut self.pause {
            std::task::ready!(pause.as_mut().poll(context));
            self.pause = None;
            if matches!(self.parts.front(), Some(Part::Reset)) {
                self.reset.store(true, Ordering::Relaxed);
                return Poll::Ready(Some(Err(io::Error::other("reset by a fault"))));
            }
        }
        if let Some(bytes) = self.next_bytes() {
            if self.slow {
                self.pause = Some(Box::pin(sleep(SLOWLY)));
            }
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        match self.parts.front() {
            // The server watches the connection meanwhile, so this ends when the peer leaves.
            Some(Part::Silence) => Poll::Pending,
            Some(Part::Reset) => {
                let mut pause = Box::pin(sleep(LEAVE));
                let _ = pause.as_mut().poll(context);
                self.pause = Some(pause);
                Poll::Pending
            }
            _ => Poll::Ready(None),
        }
    }

    fn size_hint(&self) -> SizeHint {
        let known = self.parts.iter().try_fold(0_u64, |sum, part| match part {
            Part::Bytes(bytes) => Some(sum + u64::try_from(bytes.len()).ok()?),
            _ => None,
        });
        known.map_or_else(SizeHint::default, SizeHint::with_exact)
    }

    fn is_end_stream(&self) -> bool {
        self.parts.is_empty()
    }
}
