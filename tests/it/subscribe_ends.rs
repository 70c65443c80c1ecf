//! How `subscribe` ends when what it delivers to ends first: the exit status and the last words say what was the reason.

use std::fs::File;
use std::io::{BufRead, BufReader};

use netapi::delivery::spool::Spool;
use netapi::lab::LabOptions;
use rustix::process::Signal;

use crate::support::account::adds_up;
use crate::support::callback::{lines, script};
use crate::support::lab::{self, TestLab};
use crate::support::sessions::{publish, session};

/// So many current sessions that delivery ends while there is more to come.
fn crowd() -> TestLab {
    lab::with(LabOptions {
        sessions: 4000,
        ..LabOptions::default()
    })
}

#[test]
fn a_reader_that_is_gone_is_success_also_while_events_go_into_the_spool() {
    let dir = tempfile::tempdir().unwrap();
    let spool = dir.path().join("spool");
    let fifo = dir.path().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.unwrap().success());
    let lab = crowd();
    let running = lab.start_after(
        &format!("exec > '{}'", fifo.display()),
        &[
            "subscribe",
            "--topic",
            "session",
            "--snapshot",
            "--json",
            "--spool",
            spool.to_str().unwrap(),
        ],
    );
    let mut line = String::new();
    BufReader::new(File::open(&fifo).unwrap())
        .read_line(&mut line)
        .unwrap();
    let (code, _, err) = running.end();
    assert_eq!(code, 0, "{err:?}");
    assert!(
        err.iter()
            .any(|line| line.contains("undelivered events in the spool")),
        "{err:?}"
    );
}

#[test]
fn what_ended_delivery_is_the_error_not_that_it_takes_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let spool = dir.path().join("spool");
    let callback = script(dir.path(), "#!/bin/sh\nexit 1\n");
    let lab = crowd();
    let running = lab.start(&[
        "subscribe",
        "--topic",
        "session",
        "--snapshot",
        "--retries",
        "0",
        "--dead-letters",
        "/dev/full",
        "--spool",
        spool.to_str().unwrap(),
        "--callback",
        callback.to_str().unwrap(),
    ]);
    let (code, _, err) = running.end();
    assert_eq!(code, 1, "{err:?}");
    let errors: Vec<_> = err
        .iter()
        .filter(|line| line.starts_with("netapi: "))
        .collect();
    assert_eq!(errors.len(), 1, "{err:?}");
    assert!(
        errors[0].starts_with("netapi: cannot write the dead letter to /dev/full: "),
        "{err:?}"
    );
    assert!(
        err.iter()
            .any(|line| line.contains("hint: the event stays in the spool")),
        "{err:?}"
    );
    assert!(
        err.iter()
            .any(|line| line.contains("undelivered events in the spool")),
        "{err:?}"
    );
}

#[test]
fn what_a_count_left_out_is_no_event_that_the_next_run_takes_as_seen() {
    let dir = tempfile::tempdir().unwrap();
    let spool = dir.path().join("spool");
    let lab = lab::lab();
    let running = lab.start(&[
        "subscribe",
        "--topic",
        "session",
        "--count",
        "2",
        "--json",
        "--spool",
        spool.to_str().unwrap(),
    ]);
    running.says("subscribed");
    publish(&lab, &[session("00:00:5E:00:53:01", "pat", "STARTED")]);
    running.prints(1);
    let more = |number| session(&format!("00:00:5E:00:53:0{number}"), "kim", "STARTED");
    publish(&lab, &[more(2), more(3), more(4)]);
    let (code, out, err) = running.end();
    assert_eq!((code, out.len()), (0, 2), "{err:?}");
    let marks = Spool::open(&spool).unwrap().marks().unwrap();
    let sequences: Vec<_> = marks.iter().map(|mark| mark.sequence).collect();
    assert_eq!(sequences, [Some(0)]);
}

#[test]
fn what_a_long_lived_child_never_read_was_not_delivered() {
    let dir = tempfile::tempdir().unwrap();
    let spool = dir.path().join("spool");
    let callback = script(dir.path(), "#!/bin/sh\nexit 4\n");
    let lab = lab::lab();
    let running = lab.start(&[
        "subscribe",
        "--topic",
        "session",
        "--count",
        "5",
        "--snapshot",
        "--keep-running",
        "--retries",
        "1",
        "--spool",
        spool.to_str().unwrap(),
        "--callback",
        callback.to_str().unwrap(),
    ]);
    let (code, _, err) = running.end();
    assert_eq!(code, 1, "{err:?}");
    assert!(
        err.iter()
            .any(|line| line.starts_with("received 5, delivered 0, failed 5,")),
        "{err:?}"
    );
    let letters = lines(&spool.join("dead-letters.jsonl"));
    assert_eq!(letters.len(), 5);
    assert!(
        letters
            .iter()
            .all(|line| line.contains(r#""attempts":2,"outcome":"exit 4""#)),
        "{letters:?}"
    );
}

#[test]
fn what_a_long_lived_child_has_not_read_when_it_is_stopped_stays_in_the_spool() {
    let dir = tempfile::tempdir().unwrap();
    let spool = dir.path().join("spool");
    let callback = script(
        dir.path(),
        "#!/bin/sh\nread -r line\necho begun\nexec sleep 600\n",
    );
    let lab = lab::lab();
    let running = lab.start(&[
        "subscribe",
        "--topic",
        "session",
        "--snapshot",
        "--keep-running",
        "--callback-timeout",
        "500ms",
        "--spool",
        spool.to_str().unwrap(),
        "--callback",
        callback.to_str().unwrap(),
    ]);
    running.says("begun");
    running.signal(Signal::TERM);
    let (code, _, err) = running.end();
    assert_eq!(code, 143, "{err:?}");
    let left = "49 undelivered events in the spool";
    assert!(err.iter().any(|line| line.starts_with(left)), "{err:?}");
    adds_up(&err).unwrap();
}
