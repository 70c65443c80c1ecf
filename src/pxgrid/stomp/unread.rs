//! Bytes that came and are not read yet. What came whole is shared with whoever brought it; only a
//! frame over several pieces is gathered by copying.

use bytes::{Buf, Bytes, BytesMut};

/// See the module's documentation.
#[derive(Debug)]
pub(super) enum Unread {
    /// What is left of one piece.
    Piece(Bytes),
    /// What is left of several.
    Gathered(BytesMut),
}

impl Default for Unread {
    fn default() -> Self {
        Self::Piece(Bytes::new())
    }
}

impl Unread {
    /// What is there.
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Piece(piece) => piece,
            Self::Gathered(gathered) => gathered,
        }
    }

    /// A further piece came.
    pub(super) fn push(&mut self, bytes: Bytes) {
        match self {
            _ if self.bytes().is_empty() => *self = Self::Piece(bytes),
            Self::Gathered(gathered) => gathered.extend_from_slice(&bytes),
            Self::Piece(piece) => {
                let mut gathered = BytesMut::with_capacity(piece.len() + bytes.len());
                gathered.extend_from_slice(piece);
                gathered.extend_from_slice(&bytes);
                *self = Self::Gathered(gathered);
            }
        }
    }

    /// So many bytes in all will be wanted, which is known to be within bounds.
    pub(super) fn expect(&mut self, bytes: usize) {
        if let Self::Gathered(gathered) = self {
            gathered.reserve(bytes.saturating_sub(gathered.len()));
        }
    }

    /// The first `length` bytes were read; at most as many as are there.
    pub(super) fn advance(&mut self, length: usize) {
        match self {
            Self::Piece(piece) => piece.advance(length),
            Self::Gathered(gathered) => gathered.advance(length),
        }
    }

    /// Takes the first `length` bytes off; at most as many as are there.
    pub(super) fn split_to(&mut self, length: usize) -> Bytes {
        match self {
            Self::Piece(piece) => piece.split_to(length),
            Self::Gathered(gathered) => gathered.split_to(length).freeze(),
        }
    }
}
