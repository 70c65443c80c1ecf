//! What a command that runs until it is stopped hears from outside: Ctrl-C, TERM, USR1.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::{Error, Kind, Result};

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// To end; the exit status as the shell shows it.
    Stop(u8),
    /// To say the figures.
    Tell,
}

/// Listens from its making on.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    tell: Signal,
}

impl Signals {
    /// Must be called inside a runtime.
    pub(super) fn listen() -> Result<Self> {
        let open = |kind| {
            signal(kind).map_err(|error| {
                Error::new(Kind::Failed, format!("cannot listen for signals: {error}"))
            })
        };
        Ok(Self {
            interrupt: open(SignalKind::interrupt())?,
            terminate: open(SignalKind::terminate())?,
            tell: open(SignalKind::user_defined1())?,
        })
    }

    /// Waits until it is asked to end: the exit status.
    pub(super) async fn stopped(&mut self) -> u8 {
        loop {
            if let Asked::Stop(code) = self.next().await {
                return code;
            }
        }
    }

    /// Waits for the next one. Safe to drop and to call again.
    pub(super) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.interrupt.recv() => Asked::Stop(130),
            _ = self.terminate.recv() => Asked::Stop(143),
            _ = self.tell.recv() => Asked::Tell,
        }
    }
}
