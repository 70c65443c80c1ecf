//! What happens on the wire, noted: connections being opened (for the head's time-out and the
//! trace), and the trace's lines.
//!
//! Lines go to `tracing`, target `netapi::wire`, never with credentials, never with raw control
//! characters. This module decides nothing.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;

use super::proxy::Proxy;
use crate::sanitize::terminal_safe;

/// How many connections to one origin are being opened, and how many were.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Opening {
    pub(super) now: usize,
    pub(super) ever: u64,
}

/// Keeps an [`Opening`]; the client's connector tells it.
#[derive(Debug, Clone)]
pub(super) struct Watch(Arc<watch::Sender<Opening>>);

impl Watch {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Opening::default())))
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Opening> {
        self.0.subscribe()
    }

    pub(super) fn ever(&self) -> u64 {
        self.0.borrow().ever
    }

    /// A connection is being opened, until the guard ends.
    pub(super) fn opening(&self) -> Guard {
        Guard::new(self.clone())
    }
}

/// Ends an opening also when its future is dropped half-way.
pub(super) struct Guard {
    watch: Watch,
    opened: bool,
}

impl Guard {
    fn new(watch: Watch) -> Self {
        watch.0.send_modify(|opening| opening.now += 1);
        Self {
            watch,
            opened: false,
        }
    }

    /// It is open, or it failed.
    pub(super) fn end(mut self, opened: bool) {
        self.opened = opened;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.watch.0.send_modify(|opening| {
            opening.now = opening.now.saturating_sub(1);
            opening.ever += u64::from(self.opened);
        });
    }
}

/// Notes a request, and the proxy that it goes through.
pub(super) fn asked(method: &str, url: &str, proxy: Option<&Proxy>) {
    let way = proxy.map_or_else(String::new, |proxy| format!(" through {proxy}"));
    let (url, way) = (terminal_safe(url), terminal_safe(&way));
    tracing::info!(target: "netapi::wire", "> {method} {url}{way}");
}

/// Notes that a request got no answer.
pub(super) fn failed(method: &str, url: &str, started: Instant, error: &crate::error::Error) {
    tracing::info!(
        target: "netapi::wire",
        "< {method} {} no answer after {:.1?}: {}",
        terminal_safe(url),
        started.elapsed(),
        terminal_safe(error.message())
    );
}

/// One answer's line, written when its body has ended, failed or been given up.
pub(super) struct AnswerLine {
    head: Option<String>,
    started: Instant,
    bytes: u64,
    complete: bool,
}

impl AnswerLine {
    /// A line for an answer; without `traced` it is never written.
    pub(super) fn new(traced: bool, started: Instant, head: impl FnOnce() -> String) -> Self {
        Self {
            head: traced.then(head),
            started,
            bytes: 0,
            complete: false,
        }
    }

    pub(super) fn received(&mut self, bytes: u64) {
        self.bytes += bytes;
    }

    pub(super) fn complete(&mut self) {
        self.complete = true;
    }
}

impl Drop for AnswerLine {
    fn drop(&mut self) {
        if let Some(head) = &self.head {
            tracing::info!(
                target: "netapi::wire",
                "< {} {} bytes{} {:.1?}",
                terminal_safe(head),
                self.bytes,
                if self.complete { "" } else { " (not to the end)" },
                self.started.elapsed()
            );
        }
    }
}
