//! Kept lists of sessions: the file that holds the sessions of one moment, and what differs
//! between two of them. Data in, data out: no server is asked here and nothing is printed.
//!
//! | file | holds |
//! | --- | --- |
//! | `file` | writing and reading the file: JSON lines in gzip, its head in the comment of gzip's |
//! | `session_line` | which endpoint and session a line is about, and its digest |
//! | `comparison` | two files compared: came, went, changed |
//! | `differences` | what differs between two lines of one session |

mod comparison;
mod differences;
mod file;
mod session_line;
#[cfg(test)]
mod tests;

pub use comparison::{Change, Found, compare};
pub use file::{Head, Snapshot, SnapshotWriter, Source};
pub use session_line::Compared;
