//! Signals while the terminal does not show what is typed: it is put back as it was before the
//! process ends by the signal, or stops.
//!
//! Once a handler is in place the system's own action is gone for good, so the thread that waits
//! here goes on after the question, and does what the system would have done; until somebody else
//! handles signals ([`leave_signals`], [`leave_stop_signal`]).

use std::fs::File;
use std::io::{Result, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::unix::signals::{
    self, SIGALRM, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2, SIGXCPU,
};
use crate::unix::terminal::Modes;

/// What ends or stops a process, and can be caught. PIPE is ignored by Rust's runtime.
const CAUGHT: [i32; 9] = [
    SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGALRM, SIGUSR1, SIGUSR2, SIGXCPU, SIGTSTP,
];

/// What commands that run for long handle themselves.
const LEFT: [i32; 4] = [SIGHUP, SIGINT, SIGTERM, SIGUSR1];

/// What a command that holds the terminal handles besides.
const STOP: i32 = SIGTSTP;

/// A terminal as it was and as it is.
pub(super) struct Changed {
    pub(super) terminal: File,
    pub(super) before: Modes,
    pub(super) now: Modes,
    /// Said again after a stop.
    pub(super) prompt: String,
}

struct EchoState {
    waiting: bool,
    left: bool,
    stop_left: bool,
    changed: Option<Changed>,
}

static STATE: Mutex<EchoState> = Mutex::new(EchoState {
    waiting: false,
    left: false,
    stop_left: false,
    changed: None,
});

fn state() -> MutexGuard<'static, EchoState> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on the terminal is put back before a signal does its work. To be called before the
/// change.
pub(super) fn begin(changed: Changed) -> Result<()> {
    let mut state = state();
    if !state.waiting {
        signals::hand_over(&CAUGHT, received)?;
        state.waiting = true;
    }
    state.changed = Some(changed);
    Ok(())
}

/// The terminal is about to be put back.
pub(super) fn end() {
    state().changed = None;
}

/// From now on somebody else does what HUP, INT, TERM and USR1 ask for.
pub fn leave_signals() {
    state().left = true;
}

/// From now on somebody else does what TSTP asks for.
pub fn leave_stop_signal() {
    state().stop_left = true;
}

fn received(signal: i32) {
    let mut state = state();
    if let Some(changed) = &state.changed {
        // Where the terminal has gone there is nothing to put back.
        let _gone = changed.before.set(&changed.terminal);
        let _gone = (&changed.terminal).write_all(b"\n");
    } else if state.left && LEFT.contains(&signal) || state.stop_left && signal == STOP {
        return;
    }
    // After all but TSTP this is the end.
    signals::act_as_if_unhandled(signal);
    if let Some(changed) = &mut state.changed {
        let _gone = changed.now.set(&changed.terminal);
        let _gone = changed.terminal.write_all(changed.prompt.as_bytes());
    }
}
