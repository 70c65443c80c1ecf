//! Files as Unix has them: modes, owners, numbers of files, links that are not followed, reading
//! and writing at an offset, files in memory.
//!
//! What a file is for, and what an owner or mode means for it, is the caller's affair.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io::{Error, Result};
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{Gid, OFlags, Uid};
use rustix::io::{Errno, FdFlags};

/// Makes a directory, and those above it, for us alone.
pub(crate) fn make_private_directory(path: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Makes one directory for us alone.
///
/// Errors: also where there is one already.
#[cfg(feature = "lab")]
pub(crate) fn make_new_private_directory(path: &Path) -> Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

/// Makes a temporary directory for us alone, whose name begins so.
#[cfg(feature = "lab")]
pub(crate) fn make_temporary_directory(prefix: &str) -> Result<tempfile::TempDir> {
    tempfile::Builder::new()
        .prefix(prefix)
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700))
        .tempdir()
}

/// Makes a file that is not there yet, for us alone.
pub(crate) fn create_private(path: &Path) -> Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// What opening a file does with the last part of its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Links {
    /// It follows a symbolic link.
    Follow,
    /// A symbolic link is an error ([`is_link`]).
    Refuse,
}

/// Opens a file; a new one is for us alone. It never waits for somebody at a pipe's other end: one
/// that nobody reads is an error ([`is_unread_pipe`]).
pub(crate) fn open_private(options: &mut OpenOptions, path: &Path, links: Links) -> Result<File> {
    let mut flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    flags.set(OFlags::NOFOLLOW, links == Links::Refuse);
    options
        .mode(0o600)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
}

/// Whether it is why [`open_private`] did not open a symbolic link.
pub(crate) fn is_link(error: &Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::LOOP)
}

/// Whether it is why [`open_private`] did not open a pipe to write, or a device.
pub(crate) fn is_unread_pipe(error: &Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::NXIO)
}

/// The number of the user that it belongs to.
pub(crate) fn owner(metadata: &Metadata) -> u32 {
    metadata.uid()
}

/// The permission bits, with those for set-uid, set-gid and sticky.
pub(crate) fn mode(metadata: &Metadata) -> u32 {
    metadata.mode() & 0o7777
}

/// Whether group or world may read it.
pub(crate) fn others_may_read(metadata: &Metadata) -> bool {
    metadata.mode() & 0o044 != 0
}

/// Whether group or world may write it.
pub(crate) fn others_may_write(metadata: &Metadata) -> bool {
    metadata.mode() & 0o022 != 0
}

/// Which file it is: the same for every path and handle of it.
pub(crate) fn id(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// Whether a path is left that names it.
pub(crate) fn has_name(metadata: &Metadata) -> bool {
    metadata.nlink() > 0
}

/// Whether we may run it, and it is made to be run: root may run what is made so for anybody.
pub(crate) fn is_executable(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
        && path
            .metadata()
            .is_ok_and(|metadata| metadata.mode() & 0o111 != 0)
}

/// Whether it is a file on a disk: no pipe, terminal or directory.
pub(crate) fn is_plain(file: impl AsFd) -> bool {
    let stat = rustix::fs::fstat(file);
    stat.is_ok_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file())
}

/// What a standard stream is, as a file of its own; they share their position.
pub(crate) fn file_of(stream: impl AsFd) -> Result<File> {
    stream.as_fd().try_clone_to_owned().map(File::from)
}

/// Gives a new file the mode and the owner of the one that it will replace.
pub(crate) fn keep_owner(file: &File, before: &Metadata) -> Result<()> {
    file.set_permissions(before.permissions())?;
    let ours = file.metadata()?;
    if (ours.uid(), ours.gid()) != (before.uid(), before.gid()) {
        let (owner, group) = (Uid::from_raw(before.uid()), Gid::from_raw(before.gid()));
        rustix::fs::fchown(file, Some(owner), Some(group))?;
    }
    Ok(())
}

/// Leaves a file open in the programs that we start.
pub(crate) fn let_inherit(file: &File) -> Result<()> {
    Ok(rustix::io::fcntl_setfd(file, FdFlags::empty())?)
}

/// A file without a name, in memory.
///
/// Errors: also where the system has none.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
pub(crate) fn in_memory() -> Result<File> {
    use rustix::fs::{MemfdFlags, memfd_create};
    Ok(memfd_create(c"event", MemfdFlags::CLOEXEC)?.into())
}

/// A file without a name, in memory.
///
/// Errors: also where the system has none.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
pub(crate) fn in_memory() -> Result<File> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// Reads as many bytes as the buffer holds, from this offset on.
pub(crate) fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> Result<()> {
    file.read_exact_at(buffer, offset)
}

/// Writes at a new file's start, and leaves its position there, so that whoever gets it reads all.
pub(crate) fn write_to_be_read(file: &File, bytes: &[u8]) -> Result<()> {
    file.write_all_at(bytes, 0)
}
