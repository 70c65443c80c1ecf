//! How `subscribe` ends when what it delivers to ends first: the exit status and the last words say what was the reason.

use std::fs::File;
use std::io::{BufRead, BufReader};

use netapi::lab::LabOptions;

use crate::support::callback::script;
use crate::support::lab::{self, TestLab};

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
