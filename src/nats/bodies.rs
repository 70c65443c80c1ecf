//! Where bodies of stored events are written: several in one piece of memory, which is asked for
//! once.

use bytes::{Bytes, BytesMut};

use crate::event::Event;

/// See the module's documentation.
#[derive(Default)]
pub(super) struct Bodies {
    written: Vec<u8>,
    piece: BytesMut,
}

/// The size of a piece, unless one body is larger.
const PIECE: usize = 16 << 10;

impl Bodies {
    /// The body of an event.
    pub(super) fn body(&mut self, event: &Event) -> Bytes {
        self.written.clear();
        event.write_json(None, &mut self.written);
        let length = self.written.len();
        if self.piece.capacity() < length {
            self.piece = BytesMut::with_capacity(length.max(PIECE));
        }
        self.piece.extend_from_slice(&self.written);
        self.written.shrink_to(PIECE);
        self.piece.split().freeze()
    }
}
