//! An answer before it is sent: status, head, a body of parts, and the two ways of spoiling one
//! that every kind of document shares.

use std::collections::VecDeque;

use bytes::Bytes;
use memchr::memmem;

use super::answer_body::Part;

const HTML: &str = "text/html;charset=UTF-8";

/// Status, head and body of an answer.
pub(in crate::lab) struct Answer {
    pub(in crate::lab) status: u16,
    pub(in crate::lab) content_type: Option<&'static str>,
    pub(in crate::lab) location: Option<&'static str>,
    pub(in crate::lab) parts: VecDeque<Part>,
}

impl Answer {
    /// A status with a text.
    pub(in crate::lab) fn new(
        status: u16,
        content_type: Option<&'static str>,
        text: String,
    ) -> Self {
        Self {
            status,
            content_type,
            location: None,
            parts: VecDeque::from([Part::Bytes(Bytes::from(text))]),
        }
    }

    /// A document of parts with status 200.
    pub(in crate::lab) fn stream(content_type: &'static str, part: Part) -> Self {
        Self {
            parts: VecDeque::from([part]),
            ..Self::new(200, Some(content_type), String::new())
        }
    }

    /// A status without a body.
    pub(in crate::lab) fn bare(status: u16) -> Self {
        Self {
            parts: VecDeque::new(),
            ..Self::new(status, None, String::new())
        }
    }

    /// A status with the servlet container's or the gateway's page. What 400 and 404 carry is in no
    /// source; a page is what the container sends by default.
    pub(in crate::lab) fn page(status: u16, title: &str) -> Self {
        Self::new(
            status,
            Some(HTML),
            format!(
                "<!doctype html><html lang=\"en\"><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
            ),
        )
    }

    /// Inserts parts where `place` says in the first piece.
    pub(in crate::lab) fn insert(
        &mut self,
        place: impl FnOnce(&[u8]) -> Option<usize>,
        parts: impl FnOnce() -> Vec<Part>,
    ) {
        let mut first = self.take_first();
        let tail = place(&first)
            .filter(|at| *at <= first.len())
            .map(|at| first.split_off(at));
        if let Some(tail) = tail {
            self.parts.push_front(Part::Bytes(tail));
            for part in parts().into_iter().rev() {
                self.parts.push_front(part);
            }
        }
        self.parts.push_front(Part::Bytes(first));
    }

    /// Cuts the body one byte behind the last `mark` in the first two thirds of its first piece, or
    /// the first one at all, and ends with `then`.
    pub(in crate::lab) fn cut(&mut self, mark: &[u8], then: Option<Part>) {
        let mut first = self.take_first();
        let at = first
            .get(..first.len() * 2 / 3)
            .and_then(|text| memmem::rfind(text, mark))
            .or_else(|| memmem::find(&first, mark))
            .map_or(first.len() / 2, |at| at + mark.len() + 1);
        first.truncate(at);
        self.parts = VecDeque::from([Part::Bytes(first)]);
        self.parts.extend(then);
    }

    fn take_first(&mut self) -> Bytes {
        match self.parts.pop_front() {
            Some(Part::Bytes(bytes)) => bytes,
            Some(Part::Rows(mut rows)) => {
                let mut piece = String::new();
                if rows.write_piece(&mut piece) {
                    self.parts.push_front(Part::Rows(rows));
                }
                piece.into()
            }
            Some(other) => {
                self.parts.push_front(other);
                Bytes::new()
            }
            None => Bytes::new(),
        }
    }
}
