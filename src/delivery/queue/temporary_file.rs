//! The file under a temporary spool: one that no one reads after us.

use std::io;

use redb::StorageBackend;
use redb::backends::FileBackend;

/// A backend that leaves the time of writing to the operating system.
#[derive(Debug)]
pub(super) struct NeverSynced(pub(super) FileBackend);

impl StorageBackend for NeverSynced {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }
    fn close(&self) -> io::Result<()> {
        self.0.close()
    }
}
