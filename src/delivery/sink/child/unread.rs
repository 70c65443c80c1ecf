//! What a long-lived child was given, or is being given, and has perhaps not read.

use std::collections::VecDeque;

use tokio::sync::oneshot;

use crate::delivery::gate::StartPermit;
use crate::delivery::sink::callback::CallbackOutcome;

/// One event to be written.
pub(super) struct Request {
    pub(super) line: String,
    /// Leave to write it.
    pub(super) permit: StartPermit,
    pub(super) reply: oneshot::Sender<CallbackOutcome>,
}

impl Request {
    /// Answers it; whoever asked may be gone.
    pub(super) fn answer(self, outcome: CallbackOutcome) {
        let _gone = self.reply.send(outcome);
    }
}

/// Lines that were written, or begun, and perhaps not read, oldest first.
#[derive(Default)]
pub(super) struct Unread {
    pub(super) lines: VecDeque<Request>,
    /// How many of their bytes were written.
    bytes: u64,
    /// How many bytes of the last one were not.
    pub(super) rest: usize,
}

impl Unread {
    /// Begins a line, after the one before was written whole.
    pub(super) fn begin(&mut self, request: Request) {
        self.rest = request.line.len();
        self.lines.push_back(request);
    }

    /// Gives the last line back if nothing of it was written and it is not to be any more.
    pub(super) fn take_back(&mut self) -> Option<Request> {
        let rest = self.rest;
        let late = self
            .lines
            .pop_back_if(|last| rest == last.line.len() && !last.permit.holds())?;
        self.rest = 0;
        Some(late)
    }

    /// What is to be written of the last line.
    pub(super) fn rest(&self) -> &[u8] {
        let last = self.lines.back().map_or("", |request| &request.line);
        let done = last.len().saturating_sub(self.rest);
        last.as_bytes().get(done..).unwrap_or_default()
    }

    pub(super) fn wrote(&mut self, count: usize) {
        self.rest = self.rest.saturating_sub(count);
        self.bytes += count as u64;
    }

    /// Only the last `unread` bytes lie in the pipe: gives the next line that was read to its end.
    pub(super) fn next_read(&mut self, unread: u64) -> Option<Request> {
        let first = self.lines.front()?;
        let left = self.bytes.checked_sub(first.line.len() as u64)?;
        if left < unread {
            return None;
        }
        self.bytes = left;
        self.lines.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::gate::testing::permit_for;

    #[test]
    fn what_was_read_is_known_line_by_line() {
        let mut unread = Unread::default();
        for line in ["aaaa", "bbbb", "cccc"] {
            let (reply, _) = oneshot::channel();
            unread.begin(Request {
                line: line.to_owned(),
                permit: StartPermit::default(),
                reply,
            });
            assert_eq!(unread.rest(), line.as_bytes());
            unread.wrote(3);
            if line != "cccc" {
                unread.wrote(1);
            }
        }
        assert_eq!(unread.rest(), b"c");
        let read = |unread: &mut Unread, left| {
            let next = std::iter::from_fn(|| unread.next_read(left));
            next.map(|request| request.line).collect::<Vec<_>>()
        };
        assert!(read(&mut unread, 11).is_empty());
        // A line read in part is not read.
        assert_eq!(read(&mut unread, 6), ["aaaa"]);
        // One that is not yet written whole neither.
        assert_eq!(read(&mut unread, 0), ["bbbb"]);
        unread.wrote(1);
        assert_eq!(read(&mut unread, 0), ["cccc"]);
        assert_eq!((unread.lines.len(), unread.bytes), (0, 0));
    }

    #[test]
    fn only_a_line_that_was_not_begun_is_taken_back() {
        let mut unread = Unread::default();
        let line = |permit| {
            let (reply, _) = oneshot::channel();
            let line = "aaaa".to_owned();
            Request {
                line,
                permit,
                reply,
            }
        };
        unread.begin(line(StartPermit::default()));
        assert!(unread.take_back().is_none());
        unread.wrote(4);
        assert!(unread.take_back().is_none());
        unread.begin(line(permit_for(1)));
        assert!(unread.take_back().is_none());
        unread.wrote(1);
        assert!(unread.take_back().is_none());
        unread.wrote(3);
        unread.begin(line(permit_for(0)));
        assert!(unread.take_back().is_some());
        assert_eq!((unread.lines.len(), unread.rest()), (2, &b""[..]));
    }
}
