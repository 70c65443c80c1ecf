//! Signals while the terminal does not show what is typed: it is put back as it was before the
//! process ends by the signal, or stops.
//!
//! Once a handler is in place the system's own action is gone for good, so the thread that waits
//! here goes on after the question, and does what the system would have done, while nobody else
//! listens to the signal.

use std::fs::File;
use std::io::{Result, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::unix::signals::{self, ENDING, SIGTSTP};
use crate::unix::terminal::Modes;

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
    changed: Option<Changed>,
}

static STATE: Mutex<EchoState> = Mutex::new(EchoState {
    waiting: false,
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
        let caught = [&ENDING[..], &[SIGTSTP]].concat();
        signals::hand_over(&caught, received)?;
        state.waiting = true;
    }
    state.changed = Some(changed);
    Ok(())
}

/// The terminal is about to be put back.
pub(super) fn end() {
    state().changed = None;
}

fn received(signal: i32) {
    let mut state = state();
    if let Some(changed) = &state.changed {
        // Where the terminal has gone there is nothing to put back.
        let _gone = changed.before.set(&changed.terminal);
        let _gone = (&changed.terminal).write_all(b"\n");
    } else if signals::is_listened_to(signal) {
        return;
    }
    // After all but TSTP this is the end.
    signals::act_as_if_unhandled(signal);
    if let Some(changed) = &mut state.changed {
        let _gone = changed.now.set(&changed.terminal);
        let _gone = changed.terminal.write_all(changed.prompt.as_bytes());
    }
}
