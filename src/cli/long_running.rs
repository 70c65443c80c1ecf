//! What commands that go on until they are stopped have in common: what they are asked from
//! outside, how urgently they are to end, their last words, and the end by the signal itself.
//!
//! The command's loop waits for [`LongRunning::next`] beside its own work, and gives
//! [`LongRunning::end`] what came of it. How urgently to end is [`Stop`], delivery's own word: the
//! first signal asks for [`Stop::Finish`], a second one for [`Stop::AtOnce`]. What a command does
//! then is its own affair; nothing here subscribes, delivers or counts.
//!
//! | part | holds |
//! | --- | --- |
//! | `signals` | Ctrl-C, TERM, HUP, USR1 |

mod signals;

use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use super::Context;
use super::report::Reporter;
use super::stderr::StderrQueue;
use crate::delivery::Stop;
use crate::error::{Error, Kind, Result};
use signals::Signal;
pub(crate) use signals::Signals;

/// What the loop is asked.
pub(crate) enum Request {
    /// To end: [`Stop::Finish`], then [`Stop::AtOnce`].
    Stop(Stop),
    /// To hand [`LongRunning::report`] its figures.
    Figures,
}

/// What a command counts, for whoever asks.
pub(crate) struct Figures {
    /// One line for people.
    pub(crate) text: String,
    /// An object for programs.
    pub(crate) json: Value,
}

/// See the module's documentation.
pub(crate) struct LongRunning {
    reporter: Reporter,
    stderr: StderrQueue,
    signals: Signals,
    /// How urgently to end.
    stop: Stop,
    /// The first signal that asked for it.
    signal: Option<i32>,
}

impl LongRunning {
    /// Listens for signals and lets a thread write standard error, from now on. Must be called
    /// inside a runtime, before anything begins that a signal should end in good order.
    pub(crate) fn begin(context: &Context) -> Result<Self> {
        Ok(Self {
            signals: Signals::listen()?,
            reporter: context.reporter.clone(),
            stderr: context.reporter.start_queue(),
            stop: Stop::No,
            signal: None,
        })
    }

    /// How urgently to end, by what was asked so far.
    pub(crate) fn stop(&self) -> Stop {
        self.stop
    }

    /// Waits for the next request. Safe to drop and to call again.
    pub(crate) async fn next(&mut self) -> Request {
        match self.signals.next().await {
            Signal::ReportFigures => Request::Figures,
            Signal::Stop(signal) => Request::Stop(self.stop_by(signal)),
        }
    }

    fn stop_by(&mut self, signal: i32) -> Stop {
        if self.stop == Stop::No {
            self.stop = Stop::Finish;
            self.signal = Some(signal);
            self.stderr.hurry();
        } else {
            self.stop = Stop::AtOnce;
            self.stderr.give_up();
        }
        self.stop
    }

    /// Says the figures.
    pub(crate) fn report(&self, figures: &Figures) {
        self.reporter
            .figures("summary", &figures.text, &figures.json);
    }

    /// Waits for `work`: after the first signal, perhaps before, for `patience`, after a second one
    /// no longer. `None`: it was given up. Figures that are asked for meanwhile are not said.
    pub(crate) async fn wait_for<T>(
        &mut self,
        patience: Duration,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let mut work = pin!(work);
        while self.stop == Stop::No {
            tokio::select! {
                done = &mut work => return Some(done),
                _request = self.next() => {}
            }
        }
        let mut work = pin!(timeout(patience, work));
        while self.stop < Stop::AtOnce {
            tokio::select! {
                done = &mut work => return done.ok(),
                _request = self.next() => {}
            }
        }
        None
    }

    /// Waits until the last words are written, unless a signal comes meanwhile or came twice, and
    /// gives the exit status. Where a signal was the reason for the end it is
    /// [`Kind::Stopped`] without a message, and an error in `result` was said before.
    pub(crate) async fn end(mut self, result: Result<ExitCode>) -> Result<ExitCode> {
        let code = match result {
            Ok(code) => code,
            Err(error) => self.reporter.end(&error),
        };
        tokio::select! {
            () = self.stderr.written() => {}
            signal = self.signals.stopped() => {
                self.stop_by(signal);
                self.stderr.give_up();
            }
        }
        match self.signal {
            Some(signal) => Err(Error::new(Kind::Stopped(signal), "")),
            None => Ok(code),
        }
    }
}

/// Ends the process by `signal`, as if nobody had handled it: a shell sees which it was, and a
/// service manager a clean stop. It returns where the signal ends nothing: the first process of a
/// container is spared by its kernel.
pub(crate) fn end_by(signal: i32) {
    if std::process::id() != 1 {
        // An error means that the signal is none that ends a process.
        let _unknown = signal_hook::low_level::emulate_default_handler(signal);
    }
}
