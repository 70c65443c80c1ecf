//! What a command that runs until it is stopped hears from outside: Ctrl-C, TERM, the end of its
//! terminal (HUP), USR1.
//!
//! HUP that was ignored when we began, as under nohup, stays ignored.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use tokio::signal::unix::{self, SignalKind, signal};

use crate::error::{Error, Kind, Result};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// To end; the signal's number.
    Stop(i32),
    /// To say the figures.
    ReportFigures,
}

/// Listens from its making on.
pub(crate) struct Signals {
    interrupt: unix::Signal,
    terminate: unix::Signal,
    hang_up: Option<unix::Signal>,
    report: unix::Signal,
}

impl Signals {
    /// Must be called inside a runtime.
    pub(crate) fn listen() -> Result<Self> {
        crate::settings::leave_signals();
        let open = |kind| {
            signal(kind).map_err(|error| {
                Error::new(Kind::Failed, format!("cannot listen for signals: {error}"))
            })
        };
        Ok(Self {
            interrupt: open(SignalKind::interrupt())?,
            terminate: open(SignalKind::terminate())?,
            hang_up: if hang_up_is_ignored() {
                None
            } else {
                Some(open(SignalKind::hangup())?)
            },
            report: open(SignalKind::user_defined1())?,
        })
    }

    /// Waits until one asks to end: its number.
    pub(crate) async fn stopped(&mut self) -> i32 {
        loop {
            if let Signal::Stop(signal) = self.next().await {
                return signal;
            }
        }
    }

    /// Waits for the next one. Safe to drop and to call again.
    pub(crate) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Stop(SIGINT),
            _ = self.terminate.recv() => Signal::Stop(SIGTERM),
            () = received(&mut self.hang_up) => Signal::Stop(SIGHUP),
            _ = self.report.recv() => Signal::ReportFigures,
        }
    }
}

async fn received(signal: &mut Option<unix::Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Whether HUP is ignored, as far as the system says; where it does not, HUP is left as it is.
fn hang_up_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status");
    status.map_or(true, |status| ignores_hang_up(&status))
}

/// The same, from the text of proc(5): a mask in hexadecimal, in which HUP is the lowest bit.
fn ignores_hang_up(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_none_or(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_is_known_from_the_mask() {
        let status = |mask: &str| format!("Name:\tx\nSigBlk:\t1\nSigIgn:\t{mask}\n");
        assert!(!ignores_hang_up(&status("0000000000001000")));
        assert!(ignores_hang_up(&status("0000000000001001")));
        assert!(ignores_hang_up("Name:\tx\n"));
    }
}
