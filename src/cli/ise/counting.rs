//! A sink that counts: each record is handed to what holds the counts, and nothing else is kept.

use std::ops::ControlFlow;

use crate::error::Result;
use crate::record::{Record, RecordSink};

/// See the module's documentation.
pub(super) struct Counting<T> {
    pub(super) counts: T,
    pub(super) add: fn(&mut T, &Record),
}

impl<T: Send + 'static> RecordSink for Counting<T> {
    fn begin(&mut self, _announced: Option<u64>) -> Result<()> {
        Ok(())
    }

    fn record(&mut self, record: &Record) -> Result<ControlFlow<()>> {
        (self.add)(&mut self.counts, record);
        Ok(ControlFlow::Continue(()))
    }
}
