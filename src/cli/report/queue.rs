//! Standard error behind a queue, for a command that runs until it is stopped: a reader that pauses must not keep it from hearing signals.
//!
//! While there is a [`Words`], one thread writes, in order, whatever the module above says. Whoever brings much waits for room
//! ([`Patience::Room`]); whoever must not be kept waiting, since others wait for it, does not ([`Patience::None`]).

use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Notify;

/// How many bytes wait before those who can wait have to.
const MOST: usize = 256 << 10;

/// How many bytes wait at most before steps are no longer said but counted.
const TOO_MANY: usize = 16 * MOST;

/// How long the last words of a program that breaks off may take.
const MOMENT: Duration = Duration::from_secs(1);

static QUEUE: RwLock<Option<Arc<Queue>>> = RwLock::new(None);

/// Whether somebody who says something can wait for what was said before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// Until there is room.
    Room,
    /// Not at all.
    None,
}

/// Says a line: through the queue, where there is one.
pub(super) fn say(line: &str, patience: Patience) {
    match current() {
        Some(queue) => queue.push(line, patience),
        None => {
            // Standard error closed: there is nobody left to tell.
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }
}

/// Says a step, unless far too much waits already: then it is counted. `left_out` words the steps that were, as soon as there is room again.
pub(super) fn say_step(line: &str, left_out: impl Fn(u64) -> String) {
    match current() {
        Some(queue) => queue.push_step(line, left_out),
        None => say(line, Patience::None),
    }
}

/// Waits until there is room for more.
pub(super) fn wait_for_room() {
    if let Some(queue) = current() {
        drop(queue.with_room());
    }
}

/// Waits until all that was said is written, but not for long: before an end that waits for nobody.
pub(super) fn wait_a_moment() {
    if let Some(queue) = current() {
        let loud = |state: &mut State| !state.is_quiet();
        let _late = queue
            .room
            .wait_timeout_while(queue.state(), MOMENT, loud)
            .is_err();
    }
}

fn current() -> Option<Arc<Queue>> {
    let queue = QUEUE.read().unwrap_or_else(PoisonError::into_inner);
    queue.clone()
}

/// While it is there, standard error is written by its thread. Dropped, it waits until all is written, unless it was given up.
pub(crate) struct Words(Arc<Queue>);

impl Words {
    /// Starts the thread; without one, words are written where they are said.
    pub(crate) fn start() -> Self {
        let queue = Arc::new(Queue::default());
        let theirs = Arc::clone(&queue);
        let thread = std::thread::Builder::new()
            .name("words".to_owned())
            .spawn(move || theirs.write(std::io::stderr()));
        if thread.is_ok() {
            set(Some(Arc::clone(&queue)));
        }
        Self(queue)
    }

    fn is_quiet(&self) -> bool {
        self.0.state().is_quiet()
    }

    /// Nobody waits any more, whether anybody reads or not: what finds no room is lost.
    pub(crate) fn give_up(&self) {
        self.0.state().given_up = true;
        self.0.room.notify_all();
    }

    /// Whether it was given up.
    pub(crate) fn is_given_up(&self) -> bool {
        self.0.state().given_up
    }

    /// Waits until all that was said is written. For one at a time; safe to drop.
    pub(crate) async fn written(&self) {
        while !self.is_quiet() {
            self.0.quiet.notified().await;
        }
    }
}

impl Drop for Words {
    fn drop(&mut self) {
        set(None);
        let mut state = self.0.state();
        while !state.given_up && !state.is_quiet() {
            state = wait(&self.0.room, state);
        }
        state.ended = true;
        self.0.more.notify_one();
    }
}

fn set(queue: Option<Arc<Queue>>) {
    *QUEUE.write().unwrap_or_else(PoisonError::into_inner) = queue;
}

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    /// For the thread: there is more, or an end.
    more: Condvar,
    /// For those who wait: there is room, or quiet.
    room: Condvar,
    quiet: Notify,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    /// Whether the thread is writing what it took.
    writing: bool,
    given_up: bool,
    ended: bool,
    /// Steps that were not said.
    left_out: u64,
}

impl State {
    fn is_quiet(&self) -> bool {
        self.waiting.is_empty() && !self.writing
    }

    fn has_room(&self) -> bool {
        self.waiting.len() < MOST
    }
}

impl Queue {
    fn push(&self, line: &str, patience: Patience) {
        let mut state = match patience {
            Patience::Room => self.with_room(),
            Patience::None => self.state(),
        };
        if state.given_up && !state.has_room() {
            return;
        }
        state.waiting.extend_from_slice(line.as_bytes());
        state.waiting.push(b'\n');
        self.more.notify_one();
    }

    fn push_step(&self, line: &str, left_out: impl Fn(u64) -> String) {
        let before = {
            let mut state = self.state();
            if state.waiting.len() >= TOO_MANY {
                state.left_out += 1;
                return;
            }
            if state.has_room() {
                std::mem::take(&mut state.left_out)
            } else {
                0
            }
        };
        if before > 0 {
            self.push(&left_out(before), Patience::None);
        }
        self.push(line, Patience::None);
    }

    fn with_room(&self) -> MutexGuard<'_, State> {
        let mut state = self.state();
        while !state.given_up && !state.has_room() {
            state = wait(&self.room, state);
        }
        state
    }

    /// The thread.
    fn write(&self, mut out: impl Write) {
        let mut state = self.state();
        loop {
            if !state.waiting.is_empty() {
                let text = std::mem::take(&mut state.waiting);
                state.writing = true;
                self.room.notify_all();
                drop(state);
                // Standard error closed: there is nobody left to tell.
                let _ = out.write_all(&text);
                state = self.state();
                state.writing = false;
                continue;
            }
            self.room.notify_all();
            self.quiet.notify_one();
            if state.ended {
                return;
            }
            state = wait(&self.more, state);
        }
    }

    /// A poisoned lock holds a state that is whole all the same.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wait<'s>(until: &Condvar, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
    until.wait(state).unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_reader_that_pauses_keeps_only_the_patient_waiting_and_loses_nothing() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let queue = Arc::new(Queue::default());
        let theirs = Arc::clone(&queue);
        let writing = std::thread::spawn(move || theirs.write(writer));
        let line = "x".repeat(1023);
        // More than a pipe takes.
        queue.push(&"x".repeat(MOST), Patience::None);
        while !queue.state().waiting.is_empty() {
            std::thread::yield_now();
        }
        // And more than may wait: these do not.
        let many = 2 * MOST / 1024;
        for _ in 0..many {
            queue.push(&line, Patience::None);
        }
        let theirs = Arc::clone(&queue);
        let patient = std::thread::spawn(move || theirs.push("last", Patience::Room));
        assert!(!queue.state().has_room());
        assert!(!patient.is_finished());
        let reading = std::thread::spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).unwrap();
            text
        });
        patient.join().unwrap();
        queue.state().ended = true;
        queue.more.notify_one();
        writing.join().unwrap();
        let text = reading.join().unwrap();
        assert_eq!(text.lines().count(), many + 2);
        assert!(text.ends_with("\nlast\n"));
    }

    #[test]
    fn far_too_many_steps_are_counted_and_that_is_said() {
        let queue = Queue::default();
        let words = |steps: u64| format!("{steps} left out");
        queue.push(&"x".repeat(TOO_MANY), Patience::None);
        for _ in 0..7 {
            queue.push_step("lost", words);
        }
        assert_eq!(queue.state().waiting.len(), TOO_MANY + 1);
        queue.state().waiting.clear();
        queue.push_step("next", words);
        assert_eq!(queue.state().waiting, b"7 left out\nnext\n");
    }

    #[test]
    fn given_up_nobody_waits() {
        let queue = Queue::default();
        queue.push(&"x".repeat(MOST), Patience::Room);
        queue.state().given_up = true;
        queue.push("lost", Patience::Room);
        assert_eq!(queue.state().waiting.len(), MOST + 1);
    }
}
