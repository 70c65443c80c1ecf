//! Nobody reads what is printed: INT and TERM end a command all the same, also one that listened to
//! signals before, as while Data Connect was asked. For rows of Data Connect's own see `dc_hostile`.

use std::fmt::Write as _;
use std::io::{PipeReader, Read, Seek, Write as _, pipe};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::lab::{TestLab, lab};
use crate::support::mnt::MAC;
use crate::support::{PATIENCE, process, skipped, wait_for};

/// Starts a command whose output is hardly read: one byte, so that it has begun to print.
fn begin(lab: &TestLab, arguments: &[&str], input: Stdio) -> Unread {
    let state = tempfile::tempdir().unwrap();
    let (mut reader, writer) = pipe().unwrap();
    // One page: far less than what is printed.
    rustix::pipe::fcntl_setpipe_size(&writer, 4096).unwrap();
    let mut command = process();
    let netapi = lab.netapi();
    let variables = netapi.get_envs();
    command
        .envs(variables.filter_map(|(name, value)| Some((name, value?))))
        .env("XDG_STATE_HOME", state.path())
        .arg("ise")
        .args(arguments)
        .stdin(input)
        .stdout(writer)
        .stderr(Stdio::null());
    let child = command.spawn().unwrap();
    drop(command);
    reader.read_exact(&mut [0]).unwrap();
    Unread {
        child,
        reader,
        _state: state,
    }
}

struct Unread {
    child: Child,
    reader: PipeReader,
    _state: tempfile::TempDir,
}

impl Unread {
    fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// The signal that ended it.
    fn end(mut self) -> Option<i32> {
        wait_for("the end of the process", || {
            self.child.try_wait().unwrap().is_some()
        });
        let mut rest = Vec::new();
        self.reader.read_to_end(&mut rest).unwrap();
        // Otherwise it had printed all.
        assert!(rest.len() > 3900, "{}", rest.len());
        self.child.wait().unwrap().signal()
    }
}

#[test]
fn a_signal_ends_what_nobody_reads() {
    let lab = lab();
    for arguments in [
        &["report", "-"][..],
        &["who", MAC, "--json"],
        &["dc", "history", MAC, "--since", "7d", "--json"],
    ] {
        for signal in [Signal::INT, Signal::TERM] {
            let unread = begin(&lab, arguments, Stdio::null());
            unread.send(signal);
            assert_eq!(unread.end(), Some(signal.as_raw()), "{arguments:?}");
        }
    }
}

/// The first one asks for rows of what is under way; nobody reads them.
#[test]
fn a_second_signal_ends_a_bulk_change_that_nobody_reads() {
    let lab = lab();
    let addresses = (0..200).fold(String::new(), |mut list, number| {
        let _ = writeln!(list, "C8:5B:76:0A:00:{number:02X}");
        list
    });
    let mut input = tempfile::tempfile().unwrap();
    input.write_all(addresses.as_bytes()).unwrap();
    input.rewind().unwrap();
    let arguments = [
        "pxgrid",
        "anc",
        "apply",
        "--mac",
        "-",
        "--policy",
        "Quarantine",
        "--yes",
    ];
    let mut unread = begin(&lab, &arguments, input.into());
    let waits_for = format!("/proc/{}/wchan", unread.child.id());
    let told = || std::fs::read_to_string(&waits_for).unwrap_or_default();
    let begun = Instant::now();
    wait_for("a write that waits", || {
        told().contains("pipe") || begun.elapsed() > PATIENCE / 2
    });
    if !told().contains("pipe") {
        skipped("the system does not say what a process waits for");
    }
    wait_for("the end", || {
        unread.send(Signal::TERM);
        unread.child.try_wait().unwrap().is_some()
    });
    assert_eq!(unread.end(), Some(Signal::TERM.as_raw()));
}
