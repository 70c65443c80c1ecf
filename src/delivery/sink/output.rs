//! What a callback writes, cut into lines of bounded length and a bounded amount; a flood is cut,
//! said to be cut, and drained.
//!
//! Nothing here makes text safe for a terminal: the listener that gets the lines does.

use std::io::{self, PipeWriter};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::delivery::Listener;
use crate::process::Group;
use crate::unix::pipes::{self, Receiver};

/// What one run may say, in bytes; the rest is counted and left out.
const BUDGET: usize = 64 << 10;

/// A line longer than this is passed on in pieces.
const LONGEST_LINE: usize = 4 << 10;

/// How much is read at once.
const BUFFER: usize = 8 << 10;

/// What fits into a pipe (pipe(7)).
const FULL_PIPE: usize = 64 << 10;

/// How long we listen after the callback's end to whatever it left running.
const AFTERMATH: Duration = Duration::from_millis(100);

/// Cuts bytes into lines.
#[derive(Debug)]
pub struct Lines {
    line: Vec<u8>,
    left: usize,
    cut: u64,
}

impl Default for Lines {
    fn default() -> Self {
        Self {
            line: Vec::new(),
            left: BUDGET,
            cut: 0,
        }
    }
}

impl Lines {
    /// Takes what was read and passes whole lines on.
    pub fn feed(&mut self, bytes: &[u8], mut say: impl FnMut(&str)) {
        let (kept, over) = bytes.split_at(bytes.len().min(self.left));
        self.left -= kept.len();
        self.cut += over.len() as u64;
        for piece in kept.split_inclusive(|byte| *byte == b'\n') {
            let mut piece = piece;
            while self.line.len() + piece.len() > LONGEST_LINE {
                let (now, later) = piece.split_at(LONGEST_LINE.saturating_sub(self.line.len()));
                self.line.extend_from_slice(now);
                self.pass(&mut say);
                piece = later;
            }
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                self.pass(&mut say);
            }
        }
    }

    /// The end: the last line, also without its end, a word on what was cut, and a fresh budget.
    pub fn finish(&mut self, mut say: impl FnMut(&str)) {
        if !self.line.is_empty() {
            self.pass(&mut say);
        }
        if self.cut > 0 {
            say(&format!("(cut: {} more bytes of output)", self.cut));
        }
        *self = Self::default();
    }

    fn pass(&mut self, say: &mut impl FnMut(&str)) {
        let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        say(&String::from_utf8_lossy(line));
        self.line.clear();
    }
}

/// The pipe into which callbacks write, one after the other.
pub struct Output {
    /// `None` once it can serve no other callback.
    pipe: Option<Receiver>,
    /// Ours, so that the pipe does not end with a callback.
    writer: PipeWriter,
    /// The process group that writes into it.
    group: Option<Group>,
    lines: Lines,
    buffer: Vec<u8>,
    reads: u32,
    listener: Arc<dyn Listener>,
}

impl Output {
    /// Opens a pipe whose lines go to the listener. Must be called inside a runtime.
    pub fn open(listener: &Arc<dyn Listener>) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        Ok(Self {
            pipe: Some(Receiver::from_owned_fd(reader.into())?),
            writer,
            group: None,
            lines: Lines::default(),
            buffer: vec![0; BUFFER],
            reads: 0,
            listener: Arc::clone(listener),
        })
    }

    /// The end for a callback to write into.
    pub fn writer(&self) -> io::Result<PipeWriter> {
        self.writer.try_clone()
    }

    /// From now on this process group writes.
    pub fn begin(&mut self, group: Option<Group>) {
        self.group = group;
    }

    /// Whether another callback can write into it: nothing that an earlier one left behind still
    /// may.
    pub fn is_free(&self) -> bool {
        self.pipe.is_some()
    }

    /// Passes on one read's worth; pends for ever once the pipe serves no more. Safe to drop half
    /// way.
    pub async fn pump(&mut self) {
        let Some(pipe) = &self.pipe else {
            return std::future::pending().await;
        };
        let ready = pipe.readable().await;
        self.reads = self.reads.wrapping_add(1);
        if ready.is_err() || !self.read() {
            self.pipe = None;
        }
        if self.reads.is_multiple_of(16) {
            // A flood is always ready: let the others have their turn.
            tokio::task::yield_now().await;
        }
    }

    /// One read without waiting; false at the end.
    fn read(&mut self) -> bool {
        let Some(pipe) = &self.pipe else {
            return false;
        };
        let read = pipe.try_read(&mut self.buffer);
        self.pass(read)
    }

    /// Passes on what the callback itself has written: what is in the pipe, and no more than fits
    /// into one. Plain reads tell sooner than the runtime.
    fn drain(&mut self) {
        for _ in 0..FULL_PIPE / BUFFER {
            let Some(pipe) = &self.pipe else { return };
            let read = pipes::read(pipe, &mut self.buffer);
            let empty = read
                .as_ref()
                .is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
            if !self.pass(read) {
                self.pipe = None;
            }
            if empty {
                return;
            }
        }
    }

    /// Passes on what a read gave; false at the end.
    fn pass(&mut self, read: io::Result<usize>) -> bool {
        match read {
            Ok(0) => false,
            Ok(count) => {
                let bytes = self.buffer.get(..count).unwrap_or_default();
                self.lines
                    .feed(bytes, |line| self.listener.callback_line(line));
                true
            }
            Err(error) => matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
            ),
        }
    }

    /// The callback has ended: the rest of its output. A process of its group that it left behind
    /// may write for ever; it is listened to for a moment and then left alone, with the pipe.
    pub async fn rest(&mut self) {
        self.drain();
        if self.group.take().is_some_and(Group::is_there) {
            let until = Instant::now() + AFTERMATH;
            while self.pipe.is_some()
                && Instant::now() < until
                && timeout_at(until, self.pump()).await.is_ok()
            {}
            self.pipe = None;
        }
        self.end_of_event();
    }

    /// Passes on a line without its end and says what was cut; the next event has its own budget.
    pub fn end_of_event(&mut self) {
        self.lines.finish(|line| self.listener.callback_line(line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn said(pieces: &[&[u8]]) -> Vec<String> {
        let mut said = Vec::new();
        let mut lines = Lines::default();
        for piece in pieces {
            lines.feed(piece, |line| said.push(line.to_owned()));
        }
        lines.finish(|line| said.push(line.to_owned()));
        said
    }

    #[test]
    fn lines_come_whole_however_they_were_read() {
        assert_eq!(
            said(&[b"on", b"e\r\ntwo\n\nlast"]),
            ["one", "two", "", "last"]
        );
        assert_eq!(said(&[b"\xff\xfe\n"]), ["\u{fffd}\u{fffd}"]);
        assert_eq!(said(&[]), Vec::<String>::new());
    }

    #[test]
    fn a_flood_is_cut_and_said_to_be() {
        let flood = vec![b'y'; BUDGET + 10];
        let said = said(&[&flood]);
        assert_eq!(said.len(), BUDGET / LONGEST_LINE + 1);
        assert_eq!(said.last().unwrap(), "(cut: 10 more bytes of output)");
    }

    proptest! {
        #[test]
        fn the_lines_are_the_text_whatever_the_reads(text in "[a-z\n]{0,200}", cuts in proptest::collection::vec(0_usize..200, 0..5)) {
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|cut| *cut <= text.len()).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts {
                pieces.push(&text.as_bytes()[from..cut]);
                from = cut;
            }
            pieces.push(&text.as_bytes()[from..]);
            let expected: Vec<&str> = text.lines().collect();
            prop_assert_eq!(said(&pieces), expected);
        }
    }
}
