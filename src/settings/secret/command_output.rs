//! The output of a password command: its first line, within a time and a size, and the end of the
//! program and of what it has started. What is read is not judged here.

use std::io::{BufReader, Read};
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::first_line;
use crate::process::{Group, Signal};

/// A password command may print this much; only the first line is used.
pub(super) const MOST_OUTPUT: u64 = 1024 * 1024;

/// Whether the program leads a group of its own, so that what it has started ends with it. On a
/// terminal it does not: there only the group in front may ask for a passphrase.
pub(super) fn own_group(command: &mut Command) -> bool {
    let alone = std::fs::File::open("/dev/tty").is_err();
    if alone {
        crate::process::in_a_group_of_its_own(command);
    }
    alone
}

/// Ends a program. It may have ended in this very moment; then there is nothing to kill and nothing
/// lost.
pub(super) fn end(child: &mut Child, group: bool) {
    if let (true, Some(group)) = (group, Group::led_by(child.id())) {
        group.signal(Signal::KILL);
    }
    let _gone = child.kill();
    let _gone = child.wait();
}

pub(super) type Line = std::io::Result<Zeroizing<Vec<u8>>>;

/// The first line of the child's output, or `None` at the deadline. What is behind it is read and
/// dropped, so that the child does not die of a closed pipe, up to a bound: then there is a
/// `flood`.
pub(super) fn receive(
    child: &mut Child,
    deadline: Instant,
    flood: &Arc<AtomicBool>,
) -> Option<Line> {
    let mut output = BufReader::new(child.stdout.take()?);
    let (sender, receiver) = mpsc::channel();
    let flood = Arc::clone(flood);
    let started = crate::threads::spawn("password", move || {
        let line = first_line(&mut output);
        // The receiver is gone only when the time was over.
        let _late = sender.send(line);
        let copied = std::io::copy(&mut output.by_ref().take(MOST_OUTPUT), &mut std::io::sink());
        flood.store(
            copied.is_ok_and(|copied| copied == MOST_OUTPUT),
            Ordering::Relaxed,
        );
    });
    if let Err(error) = started {
        return Some(Err(std::io::Error::other(error)));
    }
    let left = deadline.saturating_duration_since(Instant::now());
    receiver.recv_timeout(left).ok()
}

/// The standard library can wait for a child for ever or not at all; this looks again every few
/// milliseconds. `None` at the deadline and after a `flood`.
pub(super) fn wait_until(
    child: &mut Child,
    deadline: Instant,
    flood: &AtomicBool,
) -> Option<ExitStatus> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < deadline && !flood.load(Ordering::Relaxed) => {
                std::thread::sleep(Duration::from_millis(5));
            }
            _ => return None,
        }
    }
}
