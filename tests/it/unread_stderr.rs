//! Nobody reads standard error: that stops no command, and a second signal ends each at once, also
//! while ISE does not answer. For `subscribe` see `subscribe_ends` and `subscribe_holds`.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::lab::{self, TestLab};
use crate::support::process;
use crate::support::running::Running;

/// Starts the program with a standard error that is full and stays so while the file is open.
fn start(lab: &TestLab, dir: &Path, arguments: &[&str]) -> (Running, File) {
    let fifo = dir.join("fifo");
    let made = Command::new("mkfifo").arg(&fifo).status();
    assert!(made.unwrap().success());
    let mut command = Command::new("/bin/sh");
    command
        .args([
            "-c",
            "exec 2> \"$1\"; head -c 65536 /dev/zero >&2; shift; exec \"$@\"",
            "sh",
        ])
        .arg(&fifo)
        .arg(process().get_program())
        .args(arguments)
        .stdin(Stdio::null());
    let running = lab.start_command(command);
    // The shell waits until it is opened.
    (running, File::open(&fifo).unwrap())
}

const PUBLISH: [&str; 4] = ["ise", "pxgrid", "publish", "/topic/com.example.custom"];

fn asked(lab: &TestLab, what: &str) -> bool {
    lab.requests().iter().any(|line| line.contains(what))
}

#[test]
fn messages_are_published_all_the_same() {
    let lab = lab::lab();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("messages.jsonl");
    std::fs::write(&file, "{\"a\":1}\n".repeat(50)).unwrap();
    let reader = lab.start(&[
        "subscribe",
        "--topic",
        "/topic/com.example.custom",
        "--count",
        "50",
        "--json",
    ]);
    reader.says("subscribed");
    let arguments = [&PUBLISH[..], &[file.to_str().unwrap()]].concat();
    let (running, unread) = start(&lab, dir.path(), &arguments);
    let (code, out, err) = reader.end();
    assert_eq!((code, out.len()), (0, 50), "{err:?}");
    let (code, _, _) = running.end();
    assert_eq!(code, 0);
    drop(unread);
}

#[test]
fn a_second_signal_ends_each_at_once() {
    let publish = [&PUBLISH[..], &["/dev/null", "--stay"]].concat();
    let watch = ["ise", "mnt", "watch"];
    let up = ["ise", "lab", "up"];
    for (arguments, ready) in [
        (&publish[..], "/ServiceRegister"),
        (&watch, "ActiveList"),
        (&up, ""),
    ] {
        let lab = lab::lab();
        let dir = tempfile::tempdir().unwrap();
        let (running, unread) = start(&lab, dir.path(), arguments);
        match ready {
            "" => running.prints(1),
            ready => running.until(ready, || asked(&lab, ready)),
        }
        let publishes = ready == "/ServiceRegister";
        if publishes {
            lab.order("fault stalled");
        }
        running.signal(Signal::TERM);
        if publishes {
            running.until("its leaving", || asked(&lab, "/ServiceUnregister"));
        }
        let begun = Instant::now();
        running.signal(Signal::TERM);
        let (ended_by, _) = running.end_by_signal();
        assert_eq!(ended_by, Some(Signal::TERM.as_raw()), "{arguments:?}");
        // It would wait three seconds for ISE.
        assert!(
            begun.elapsed() < Duration::from_millis(2500),
            "{arguments:?}"
        );
        drop(unread);
    }
}
