//! Pipes by the system's own calls: a plain read or write tells sooner what is there than the
//! runtime does.

use std::io::{PipeWriter, Result};
use std::os::fd::AsFd;

/// Pipes that the runtime waits for, as it names them.
pub(crate) use tokio::net::unix::pipe::{Receiver, Sender};

/// Reads what is there; of a pipe that does not wait, [`std::io::ErrorKind::WouldBlock`] is an
/// empty one.
pub(crate) fn read(pipe: impl AsFd, buffer: &mut [u8]) -> Result<usize> {
    Ok(rustix::io::read(pipe, buffer)?)
}

/// Writes what it takes; of a pipe that does not wait, [`std::io::ErrorKind::WouldBlock`] is a full
/// one.
pub(crate) fn write(pipe: impl AsFd, bytes: &[u8]) -> Result<usize> {
    Ok(rustix::io::write(pipe, bytes)?)
}

/// How many bytes in it nobody has read; 0 where the system does not say.
pub(crate) fn unread(pipe: impl AsFd) -> u64 {
    rustix::io::ioctl_fionread(pipe).unwrap_or(0)
}

/// Makes a pipe as small as the system has them, where it lets us.
pub(crate) fn make_smallest(writer: &PipeWriter) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _larger = rustix::pipe::fcntl_setpipe_size(writer, 1);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = writer;
}
