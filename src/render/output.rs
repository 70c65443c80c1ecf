//! The way out: one reused buffer before standard output, flushed by size, when nothing more has
//! come yet, or line by line where lines are awaited.

use std::io::Write;

use crate::error::{Result, from_output};
use crate::record::Record;

/// Bytes gathered before they are written.
pub(super) const BLOCK: usize = 64 * 1024;

/// One format at work. Columns are settled before it starts.
pub(super) trait Body: Send {
    /// Writes one record.
    fn record(&mut self, record: &Record) -> Result<()>;

    /// Bytes of the document, for the format that passes them through.
    fn raw(&mut self, _bytes: &[u8]) -> Result<()> {
        Ok(())
    }

    /// No more has come yet: a reader gets what there is.
    fn pause(&mut self) -> Result<()>;

    /// Writes what is still held. Only a `whole` list is closed; one that broke off must not look
    /// whole.
    fn end(&mut self, whole: bool) -> Result<()>;
}

/// A buffered writer that says when it writes.
pub(super) struct BufferedOutput<W> {
    out: W,
    /// What was not written yet; formats append to it and then call [`line_end`](Self::line_end).
    pub(super) buffer: Vec<u8>,
    live: bool,
}

impl<W: Write> BufferedOutput<W> {
    /// Buffers before `out`; `live` writes each line at once.
    pub(super) fn new(out: W, live: bool) -> Self {
        Self {
            out,
            buffer: Vec::with_capacity(BLOCK + 4096),
            live,
        }
    }

    /// A good moment to write.
    pub(super) fn line_end(&mut self) -> Result<()> {
        if self.live || self.buffer.len() >= BLOCK {
            return self.flush();
        }
        Ok(())
    }

    /// Writes everything.
    pub(super) fn flush(&mut self) -> Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        // Cleared also after an error: nobody must write the same bytes twice.
        let written = self.out.write_all(&self.buffer);
        self.buffer.clear();
        written
            .and_then(|()| self.out.flush())
            .map_err(|error| from_output(&error))
    }
}
