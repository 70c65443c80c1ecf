//! STOMP 1.2 frames as pxGrid speaks them: the frame, how it is written, and (in [`Decoder`]) how
//! it is read.
//!
//! Both ends use this codec, the subscriber and the lab's pubsub node. It does no I/O and knows
//! nothing of WebSocket messages: bytes in, frames out, whatever the cuts. What frames mean is
//! `subscription`'s affair.
//!
//! Deviations from STOMP 1.2, all because of what ISE really does (reference pxgrid-api, section
//! 4): header values are **written plain**, since the server unescapes nothing and every client
//! sends a bare colon; a header line is kept below 1 KB, since its parser caps them there;
//! heart-beats are neither asked for nor sent.

mod decoder;
mod frame;
mod headers;
mod unread;

pub use decoder::{Decoder, MalformedFrame, Reading};
pub use frame::{Command, Frame};
pub use headers::Headers;

/// The longest header line that is written, in bytes without the line end: the server's parser
/// stops at 1,024.
pub const MAX_SENT_LINE: usize = 1023;
/// The longest command or header line that is read, in bytes without the line end.
pub const MAX_LINE: usize = 16 * 1024;
/// All header lines of a frame together, in bytes.
pub const MAX_HEAD: usize = 64 * 1024;
/// The default bound of a body in bytes; the server's own limit for a message is 300 KB.
pub const MAX_BODY: usize = 8 * 1024 * 1024;

#[cfg(test)]
mod tests;
