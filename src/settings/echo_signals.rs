//! Signals while the terminal does not show what is typed: it is put back as it was before the
//! process ends by the signal, or stops.
//!
//! Once a handler is in place the system's own action is gone for good, so the thread that waits
//! here goes on after the question, and does what the system would have done; until somebody else
//! handles signals ([`leave_signals`]).

use std::fs::File;
use std::io::{Result, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::termios::{OptionalActions, Termios, tcsetattr};
use signal_hook::consts::{
    SIGALRM, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2, SIGXCPU,
};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

/// What ends or stops a process, and can be caught. PIPE is ignored by Rust's runtime.
const CAUGHT: [i32; 9] = [
    SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGALRM, SIGUSR1, SIGUSR2, SIGXCPU, SIGTSTP,
];

/// What commands that run for long handle themselves.
const LEFT: [i32; 4] = [SIGHUP, SIGINT, SIGTERM, SIGUSR1];

/// A terminal as it was and as it is.
pub(super) struct Changed {
    pub(super) terminal: File,
    pub(super) before: Termios,
    pub(super) now: Termios,
    /// Said again after a stop.
    pub(super) prompt: String,
}

struct EchoState {
    waiting: bool,
    left: bool,
    changed: Option<Changed>,
}

static STATE: Mutex<EchoState> = Mutex::new(EchoState {
    waiting: false,
    left: false,
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
        let ignored = ignored();
        // What was ignored when we began, as HUP under nohup, stays ignored.
        let caught = CAUGHT
            .into_iter()
            .filter(|signal| ignored >> (signal - 1) & 1 == 0);
        let mut signals = Signals::new(caught)?;
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || signals.forever().for_each(received))?;
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

fn received(signal: i32) {
    let mut state = state();
    if let Some(changed) = &state.changed {
        // Where the terminal has gone there is nothing to put back.
        let _gone = tcsetattr(&changed.terminal, OptionalActions::Now, &changed.before);
        let _gone = (&changed.terminal).write_all(b"\n");
    } else if state.left && LEFT.contains(&signal) {
        return;
    }
    // After all but TSTP this is the end.
    let _unknown = emulate_default_handler(signal);
    if let Some(changed) = &mut state.changed {
        let _gone = tcsetattr(&changed.terminal, OptionalActions::Now, &changed.now);
        let _gone = changed.terminal.write_all(changed.prompt.as_bytes());
    }
}

/// The signals that are ignored, from proc(5): a mask in which HUP is the lowest bit. Where the
/// system does not tell, none.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.unwrap_or(0)
}
