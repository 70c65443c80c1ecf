//! Standard error, owned by the command's context: whoever holds a clone writes to the same place,
//! in order.
//!
//! Without a queue a line is written where it is said. A command that runs until it is stopped
//! starts a [`StderrQueue`]: then a thread writes, and nobody who reads standard error slowly, or
//! not at all, stops what the command is there for, or its end. When the queue is dropped, what was
//! said before is written first, as far as the reader takes it, then lines go out directly again.
//!
//! It makes nothing safe for a terminal and chooses no words: that is `report`'s part.
//!
//! | part | holds |
//! | --- | --- |
//! | `queue` | what waits, its bounds, and how long the last words are waited for |

mod queue;

use std::io::Write;
use std::sync::{Arc, PoisonError, RwLock, Weak};

pub(super) use queue::Line;
use queue::{Haste, LeftOutWords, Queue};

/// The way to the queue, where there is one.
type Current = RwLock<Option<Arc<Queue>>>;

/// See the module's documentation. Clones are the same standard error.
#[derive(Clone, Default)]
pub(crate) struct Stderr(Arc<Current>);

impl Stderr {
    /// Writes a line: through the queue, where there is one.
    pub(super) fn say(&self, line: &str, what: Line) {
        match self.current() {
            Some(queue) => queue.push(line, what),
            None => {
                // Standard error closed: there is nobody left to tell.
                let _ = writeln!(std::io::stderr(), "{line}");
            }
        }
    }

    /// Whether another dead letter has room; always, where there is no queue.
    pub(super) fn has_room_for_data(&self) -> bool {
        self.current().is_none_or(|queue| queue.has_room_for_data())
    }

    /// Waits until another dead letter has room, or the end is in a hurry.
    pub(super) fn wait_for_data_room(&self) {
        if let Some(queue) = self.current() {
            queue.wait_for_data_room();
        }
    }

    /// Waits until all that was said is written, but not for long: before an end that waits for
    /// nobody.
    pub(super) fn wait_a_moment(&self) {
        if let Some(queue) = self.current() {
            queue.wait_a_moment();
        }
    }

    /// Starts the thread; without one, lines are written where they are said. `left_out` words
    /// what nobody read.
    pub(super) fn start_queue(&self, left_out: LeftOutWords) -> StderrQueue {
        let queue = Arc::new(Queue::new(left_out));
        let theirs = Arc::clone(&queue);
        let thread = std::thread::Builder::new()
            .name("stderr".to_owned())
            .spawn(move || theirs.write(std::io::stderr()));
        if thread.is_ok() {
            *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&queue));
        }
        StderrQueue {
            queue,
            stderr: self.clone(),
        }
    }

    /// From now on the words of a panic come after what was said before it.
    pub(super) fn keep_panics_in_order(&self) {
        let stderr: Weak<Current> = Arc::downgrade(&self.0);
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if let Some(current) = stderr.upgrade() {
                Self(current).wait_a_moment();
            }
            usual(panic);
        }));
    }

    fn current(&self) -> Option<Arc<Queue>> {
        let queue = self.0.read().unwrap_or_else(PoisonError::into_inner);
        queue.clone()
    }
}

/// While it is there, standard error is written by its thread. Dropped, it waits until all is
/// written, as far as the reader takes it.
pub(crate) struct StderrQueue {
    queue: Arc<Queue>,
    stderr: Stderr,
}

impl StderrQueue {
    /// The end has begun: nobody waits for the reader any more before something is said.
    pub(crate) fn hurry(&self) {
        self.queue.hasten(Haste::Hurried);
    }

    /// Nobody waits any more, and hardly for the last words.
    pub(crate) fn give_up(&self) {
        self.queue.hasten(Haste::GivenUp);
    }

    /// Waits until all that was said is written, as long as the reader goes on taking it; then it
    /// is given up. For one at a time; safe to drop.
    pub(crate) async fn written(&self) {
        self.queue.written().await;
    }
}

impl Drop for StderrQueue {
    fn drop(&mut self) {
        // Held until the end: who says something meanwhile waits, and comes after what waits here.
        let mut current = self
            .stderr
            .0
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        self.queue.end();
        *current = None;
    }
}
