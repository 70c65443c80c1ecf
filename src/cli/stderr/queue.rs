//! The queue between those who say something and the thread that writes it to standard error.
//!
//! It is bounded, and this is what happens at the bounds:
//!
//! | what | at the bound |
//! | --- | --- |
//! | a callback's output | waits for room, but no longer than [`PATIENCE`] since the reader last took something; then it is left out and counted |
//! | steps | are left out and counted |
//! | errors, warnings, figures | have a reserve of their own; then they are left out and counted |
//! | dead letters | are data: they are always taken, and [`Queue::has_room_for_data`] says that no more should be made |
//!
//! What was left out is said as soon as the reader goes on. At the end what waits is written while
//! the reader takes it.

use std::io::{ErrorKind, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// How many bytes wait before a callback's output has to, and how many bytes of dead letters
/// before no more should be made.
const ROOM: usize = 256 << 10;

/// How many bytes wait before steps are left out.
const FULL: usize = 16 * ROOM;

/// How long somebody waits for a reader that takes nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// The same at the end, for the last words, when nobody is in a hurry.
const LAST_PATIENCE: Duration = Duration::from_secs(10);

/// How long the last words may take altogether after a signal.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// The same when nobody waits any more.
const AT_ONCE: Duration = Duration::from_millis(200);

/// How long the last words of a program that breaks off may take.
const MOMENT: Duration = Duration::from_secs(1);

/// How much is written at once: progress is seen after each piece.
const PIECE: usize = 16 << 10;

/// What a line is, which decides what happens to it when nobody reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Line {
    /// A callback's output.
    Output,
    /// A step of something that goes on for long.
    Step,
    /// An error, a warning, figures.
    Report,
    /// A dead letter.
    Data,
}

/// Words for what was left out.
pub(super) type LeftOutWords = Box<dyn Fn(&LeftOut) -> String + Send + Sync>;

/// How long the last words are waited for.
pub(super) struct Patience {
    begun: Instant,
    /// When the reader last took something, and how much it had taken then.
    progress: Instant,
    taken: u64,
}

impl Patience {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            begun: now,
            progress: now,
            taken: 0,
        }
    }

    /// How long to wait before looking again; `None`: not at all.
    fn left(&mut self, state: &QueueState) -> Option<Duration> {
        if state.is_quiet() {
            return None;
        }
        if state.taken != self.taken {
            self.taken = state.taken;
            self.progress = Instant::now();
        }
        let (altogether, without_progress) = match state.haste {
            Haste::GivenUp => (AT_ONCE, AT_ONCE),
            Haste::Hurried => (LAST_WORDS, PATIENCE),
            Haste::None => (Duration::MAX, LAST_PATIENCE),
        };
        let left = altogether
            .saturating_sub(self.begun.elapsed())
            .min(without_progress.saturating_sub(self.progress.elapsed()))
            // A hurry may begin meanwhile.
            .min(PATIENCE);
        (!left.is_zero()).then_some(left)
    }
}

/// See the module's documentation.
pub(super) struct Queue {
    state: Mutex<QueueState>,
    /// For the thread: there is more, or an end.
    more: Condvar,
    /// For those who wait: there is room, quiet, or a hurry.
    room: Condvar,
    quiet: Notify,
    left_out: LeftOutWords,
}

/// What nobody read, and nobody will.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) struct LeftOut {
    /// Lines of callbacks.
    pub(in crate::cli) output: u64,
    /// Steps, errors, warnings.
    pub(in crate::cli) steps: u64,
}

#[derive(Default)]
struct QueueState {
    waiting: Vec<u8>,
    /// How many bytes of dead letters wait.
    data: usize,
    /// Whether the thread is writing what it took.
    writing: bool,
    /// Since when there has been no room, while nothing was taken.
    full_since: Option<Instant>,
    /// How many bytes the reader has taken.
    taken: u64,
    haste: Haste,
    ended: bool,
    left_out: LeftOut,
}

/// How long anybody waits for the reader.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Haste {
    /// As long as is said at each constant above.
    #[default]
    None,
    /// The end has begun: only for the last words.
    Hurried,
    /// Hardly at all.
    GivenUp,
}

impl QueueState {
    fn is_quiet(&self) -> bool {
        self.waiting.is_empty() && !self.writing
    }
}

impl Queue {
    /// Empty; `left_out` words what nobody read.
    pub(super) fn new(left_out: LeftOutWords) -> Self {
        Self {
            state: Mutex::default(),
            more: Condvar::new(),
            room: Condvar::new(),
            quiet: Notify::new(),
            left_out,
        }
    }

    /// Nobody waits longer than this from now on.
    pub(super) fn hasten(&self, haste: Haste) {
        let mut state = self.state();
        state.haste = state.haste.max(haste);
        self.room.notify_all();
    }

    /// Whether another dead letter has room.
    pub(super) fn has_room_for_data(&self) -> bool {
        self.state().data < ROOM
    }

    /// Waits until another dead letter has room, or the end is in a hurry.
    pub(super) fn wait_for_data_room(&self) {
        let full = |state: &mut QueueState| state.data >= ROOM && state.haste == Haste::None;
        let _poisoned = self.room.wait_while(self.state(), full).is_err();
    }

    /// Waits until all that was said is written, but not for long: before an end that waits for
    /// nobody.
    pub(super) fn wait_a_moment(&self) {
        let loud = |state: &mut QueueState| !state.is_quiet();
        let _late = self
            .room
            .wait_timeout_while(self.state(), MOMENT, loud)
            .is_err();
    }

    /// Waits until all that was said is written, as long as the reader goes on taking it; then it
    /// is given up. For one at a time; safe to drop.
    pub(super) async fn written(&self) {
        let mut last = Patience::new();
        loop {
            let left = last.left(&self.state());
            let Some(patience) = left else { break };
            // Late or not, the state is looked at again.
            let _late = tokio::time::timeout(patience, self.quiet.notified()).await;
        }
        self.hasten(Haste::GivenUp);
    }

    /// The same, blocking; then the thread ends.
    pub(super) fn end(&self) {
        let mut last = Patience::new();
        let mut state = self.state();
        while state.haste < Haste::GivenUp
            && let Some(patience) = last.left(&state)
        {
            let waited = self.room.wait_timeout(state, patience);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.ended = true;
        self.more.notify_one();
    }

    /// Takes a line; what happens where there is no room is in the module's documentation.
    pub(super) fn push(&self, line: &str, what: Line) {
        let mut state = self.state();
        match what {
            Line::Output => {
                let (then, room) = self.room_for_output(state);
                state = then;
                if !room {
                    state.left_out.output += 1;
                    return;
                }
            }
            Line::Step | Line::Report => {
                let reserve = if what == Line::Report { ROOM } else { 0 };
                if state.waiting.len() >= FULL + reserve {
                    state.left_out.steps += 1;
                    return;
                }
            }
            Line::Data => state.data += line.len() + 1,
        }
        state.waiting.extend_from_slice(line.as_bytes());
        state.waiting.push(b'\n');
        self.more.notify_one();
    }

    /// Waits for room; false when the reader took nothing for too long.
    fn room_for_output<'s>(
        &self,
        mut state: MutexGuard<'s, QueueState>,
    ) -> (MutexGuard<'s, QueueState>, bool) {
        while state.waiting.len() >= ROOM {
            let since = *state.full_since.get_or_insert_with(Instant::now);
            let left = PATIENCE.saturating_sub(since.elapsed());
            if state.haste > Haste::None || left.is_zero() {
                return (state, false);
            }
            let waited = self.room.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        (state, true)
    }

    /// What the thread does, until the end.
    pub(super) fn write(&self, mut out: impl Write) {
        let mut state = self.state();
        loop {
            if !state.waiting.is_empty() {
                let mut text = std::mem::take(&mut state.waiting);
                let left_out = std::mem::take(&mut state.left_out);
                state.data = 0;
                state.full_since = None;
                state.writing = true;
                self.room.notify_all();
                drop(state);
                if left_out != LeftOut::default() {
                    text.extend_from_slice((self.left_out)(&left_out).as_bytes());
                    text.push(b'\n');
                }
                self.write_pieces(&mut out, &text);
                state = self.state();
                state.writing = false;
                continue;
            }
            self.room.notify_all();
            self.quiet.notify_one();
            if state.ended {
                return;
            }
            let waited = self.more.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn write_pieces(&self, out: &mut impl Write, text: &[u8]) {
        let mut rest = text;
        while !rest.is_empty() {
            let piece = rest.get(..PIECE).unwrap_or(rest);
            match out.write(piece) {
                Ok(count) if count > 0 => {
                    rest = rest.get(count..).unwrap_or_default();
                    self.state().taken += count as u64;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Somebody who shares our terminal made it so.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                // Standard error closed: there is nobody left to tell.
                _ => return,
            }
        }
    }

    /// A poisoned lock holds a state that is whole all the same.
    fn state(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
