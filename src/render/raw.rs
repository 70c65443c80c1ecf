//! `--format xml`: the document's bytes as they came; on a terminal made safe for it.

use std::io::Write;

use super::output::{Body, BufferedOutput};
use crate::error::Result;
use crate::record::Record;
use crate::sanitize::{Content, SafeStream};

/// Passes bytes through.
pub(super) struct Raw<W> {
    output: BufferedOutput<W>,
    safe: Option<SafeStream>,
    ends_line: bool,
}

impl<W: Write> Raw<W> {
    /// Bytes to `output`.
    pub(super) fn new(output: BufferedOutput<W>, terminal: bool) -> Self {
        Self {
            output,
            safe: terminal.then(|| SafeStream::new(Content::Text)),
            ends_line: true,
        }
    }
}

impl<W: Write + Send> Body for Raw<W> {
    /// The document is passed on, its records are not needed.
    fn record(&mut self, _record: &Record) -> Result<()> {
        Ok(())
    }

    fn raw(&mut self, bytes: &[u8]) -> Result<()> {
        if let Some(last) = bytes.last() {
            self.ends_line = *last == b'\n';
        }
        match &mut self.safe {
            Some(safe) => safe.push(bytes, &mut self.output.buffer),
            None => self.output.buffer.extend_from_slice(bytes),
        }
        self.output.line_end()
    }

    fn pause(&mut self) -> Result<()> {
        self.output.flush()
    }

    fn end(&mut self, _whole: bool) -> Result<()> {
        if let Some(safe) = &mut self.safe {
            safe.end(&mut self.output.buffer);
            if !self.ends_line {
                // The prompt belongs on its own line.
                self.output.buffer.push(b'\n');
            }
        }
        self.output.flush()
    }
}
