//! Tests of the spool on a disk that is full from some moment on.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

/// A disk that is full from some moment on.
#[derive(Debug)]
struct Disk {
    file: FileBackend,
    full: Arc<AtomicBool>,
}

impl Disk {
    fn check(&self) -> io::Result<()> {
        if self.full.load(Ordering::Relaxed) {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        Ok(())
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check()?;
        self.file.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.check()?;
        self.file.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check()?;
        self.file.write(offset, data)
    }
}

#[test]
fn a_full_disk_is_said_and_what_was_spooled_before_survives() {
    let dir = tempfile::tempdir().unwrap();
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(dir.path().join(FILE))
        .unwrap();
    let full = Arc::new(AtomicBool::new(false));
    let disk = Disk {
        file: FileBackend::new(file).unwrap(),
        full: Arc::clone(&full),
    };
    let place = Place::Directory(dir.path().to_path_buf());
    let (database, next) = Spool::database(disk, &place).unwrap();
    let spool = Spool::over(database.into(), place, None, Before::default(), next);
    spool
        .append(vec![event("a", 1), event("a", 2)], &[])
        .unwrap();
    full.store(true, Ordering::Relaxed);
    let error = spool.append(vec![event("a", 3)], &[]).unwrap_err();
    assert_eq!(error.kind(), Kind::Failed);
    assert!(error.message().contains("spool.redb"), "{error}");
    assert!(
        error.hint_text().unwrap().contains("free some space"),
        "{error:?}"
    );
    // Space alone does not mend an open file; opening it anew does.
    full.store(false, Ordering::Relaxed);
    assert!(spool.append(vec![event("a", 4)], &[]).is_err());
    let copy = crash_copy(dir.path());
    assert_eq!(ids(&Spool::open(copy.path()).unwrap()), [0, 1]);
}
