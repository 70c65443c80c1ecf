//! What a command that runs until it is stopped hears from outside: Ctrl-C, TERM, the end of its
//! terminal (HUP), USR1.
//!
//! HUP that was ignored when we began, as under nohup, stays ignored.

use tokio::sync::watch;

use crate::error::{Error, Kind, Result};
use crate::threads;
use crate::unix::signals::{
    Arrivals, Ignored, SIGHUP, SIGINT, SIGTERM, SIGUSR1, act_as_if_unhandled, is_listened_to,
};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// To end; the signal's number.
    Stop(i32),
    /// To say the figures.
    ReportFigures,
}

/// Listens from its making to its end; then signals end the program at once again.
pub(crate) struct Signals {
    interrupt: Arrivals,
    terminate: Arrivals,
    hang_up: Option<Arrivals>,
    report: Arrivals,
}

impl Signals {
    /// Must be called inside a runtime.
    pub(crate) fn listen() -> Result<Self> {
        let open = |signal| {
            Arrivals::of(signal).map_err(|error| {
                Error::new(Kind::Failed, format!("cannot listen for signals: {error}"))
            })
        };
        Ok(Self {
            interrupt: open(SIGINT)?,
            terminate: open(SIGTERM)?,
            hang_up: if hang_up_is_ignored() {
                None
            } else {
                Some(open(SIGHUP)?)
            },
            report: open(SIGUSR1)?,
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

    /// Listens no longer. The signal that asks to end, if one came that nobody heard, and nobody
    /// else listens to it: for whoever goes on to what a signal is to end at once.
    pub(crate) fn end(self) -> Option<i32> {
        let stopping = [Some(self.interrupt), Some(self.terminate), self.hang_up];
        // All of them are ended.
        let mut unheard = stopping.into_iter().flatten().filter_map(Arrivals::end);
        let signal = unheard.next();
        unheard.for_each(drop);
        signal
    }

    /// Waits for the next one. Safe to drop and to call again.
    pub(crate) async fn next(&mut self) -> Signal {
        tokio::select! {
            () = self.interrupt.next() => Signal::Stop(SIGINT),
            () = self.terminate.next() => Signal::Stop(SIGTERM),
            () = received(&mut self.hang_up) => Signal::Stop(SIGHUP),
            () = self.report.next() => Signal::ReportFigures,
        }
    }
}

/// Hears the first signal that asks to end on a thread of its own, also while output that nobody
/// reads holds up everything else; a second one ends the program at once. The signal's number is
/// told, 0 until then, and `then` runs on that thread. When all receivers are gone it ends the
/// program at once, as where nobody listens.
pub(crate) fn hear_first_stop(
    then: impl FnOnce(i32, &watch::Sender<i32>) + Send + 'static,
) -> Result<watch::Receiver<i32>> {
    let (tell, told) = watch::channel(0);
    let runtime = threads::runtime()?;
    let mut signals = {
        let _inside = runtime.enter();
        Signals::listen()?
    };
    threads::spawn("signals", move || {
        let heard = runtime.block_on(async {
            tokio::select! {
                signal = signals.stopped() => Some(signal),
                () = tell.closed() => None,
            }
        });
        let unheard = signals.end();
        match (heard, unheard) {
            (Some(signal), _) if tell.send(signal).is_ok() => then(signal, &tell),
            // It came when nobody asked any more, before it was known here.
            (Some(signal), _) | (None, Some(signal)) => {
                if !is_listened_to(signal) {
                    act_as_if_unhandled(signal);
                }
            }
            (None, None) => {}
        }
    })?;
    Ok(told)
}

/// Waits for what [`hear_first_stop`] tells. Safe to drop and to call again.
pub(crate) async fn first_stop(told: &mut watch::Receiver<i32>) -> i32 {
    match told.wait_for(|signal| *signal != 0).await {
        Ok(signal) => *signal,
        Err(_) => std::future::pending().await,
    }
}

async fn received(signal: &mut Option<Arrivals>) {
    match signal {
        Some(signal) => signal.next().await,
        None => std::future::pending().await,
    }
}

/// Whether HUP is ignored, as far as the system says; where it does not, HUP is left as it is.
fn hang_up_is_ignored() -> bool {
    Ignored::read().is_none_or(|ignored| ignored.has(SIGHUP))
}
