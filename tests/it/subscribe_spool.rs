//! The spool under attack and accident: removed or replaced while it is in use, somebody else's,
//! and callbacks of a run that was killed.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::process::Signal;

use crate::support::callback::{lines, script};
use crate::support::lab::{self, TestLab};
use crate::support::running::Running;
use crate::support::sessions::{SESSIONS, publish, session};

/// Its first argument is a directory: `log` there is appended to, and it ends when there is a
/// `gate`.
const GATED: &str = "#!/bin/sh\necho \"begin $NETAPI_MAC\" >> \"$1/log\"\n\
    until [ -e \"$1/gate\" ]; do sleep 0.02; done\necho \"end $NETAPI_MAC\" >> \"$1/log\"\n";

fn start(lab: &TestLab, dir: &Path, callback: &Path, more: &[&str]) -> Running {
    let spool = dir.join("spool");
    let first = ["subscribe", "--topic", "session", "--spool"];
    let (spool, callback) = (spool.to_str().unwrap(), callback.to_str().unwrap());
    let dir = dir.to_str().unwrap();
    let jobs: &[&str] = if more.contains(&"--keep-running") {
        &[]
    } else {
        &["--jobs", "1"]
    };
    let last = ["--callback", callback, "--", dir];
    lab.start(&[&first[..], &[spool], more, jobs, &last].concat())
}

fn three_events(lab: &TestLab) {
    for number in 1..=3 {
        let mac = format!("00:00:5E:00:53:0{number}");
        publish(lab, &[session(&mac, "pat", "STARTED")]);
    }
}

#[test]
fn what_was_taken_is_delivered_when_the_spool_is_removed_and_nothing_more_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let callback = script(dir.path(), GATED);
    let lab = lab::lab();
    let running = start(&lab, dir.path(), &callback, &[]);
    running.says("subscribed");
    lab.listened_to(SESSIONS, 1);
    three_events(&lab);
    running.until("a callback", || !lines(&dir.path().join("log")).is_empty());
    std::fs::remove_dir_all(dir.path().join("spool")).unwrap();
    running.says("was removed while it was in use as spool; nothing more is taken");
    std::fs::write(dir.path().join("gate"), "").unwrap();
    let (code, _, err) = running.end();
    assert_eq!(code, 1, "{err:?}");
    assert!(
        err.iter()
            .any(|line| line.starts_with("netapi: ") && line.contains("was removed")),
        "{err:?}"
    );
    assert_eq!(lines(&dir.path().join("log")).len(), 6, "{err:?}");
}

#[test]
fn what_is_left_at_a_signal_is_said_when_the_spool_was_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let callback = script(dir.path(), GATED);
    let lab = lab::lab();
    let running = start(&lab, dir.path(), &callback, &[]);
    running.says("subscribed");
    lab.listened_to(SESSIONS, 1);
    three_events(&lab);
    running.until("a callback", || !lines(&dir.path().join("log")).is_empty());
    let spool = dir.path().join("spool");
    // Another one's spool takes its place; at no moment there is none.
    let beside = dir.path().join("beside");
    std::fs::create_dir(&beside).unwrap();
    let second = start(&lab, &beside, &callback, &[]);
    second.says("subscribed");
    let other = beside.join("spool");
    renameat_with(CWD, &spool, CWD, &other, RenameFlags::EXCHANGE).unwrap();
    running.says("was replaced while it was in use as spool");
    running.signal(Signal::TERM);
    running.says("leaving");
    std::fs::write(dir.path().join("gate"), "").unwrap();
    let (code, _, err) = running.end();
    assert_eq!(code, 143, "{err:?}");
    // They are where an operator looks for them.
    let letters = lines(&spool.join("dead-letters.jsonl"));
    assert_eq!(letters.len(), 2, "{err:?}");
    let why = r#""attempts":0,"outcome":"not delivered: the spool was removed""#;
    assert!(letters.iter().all(|line| line.contains(why)), "{letters:?}");
    drop(second);
}

#[test]
fn a_spool_that_others_could_use_against_us_is_refused() {
    let lab = lab::lab();
    for (what, word) in [
        ("spool.redb", "symbolic link"),
        ("lock", "symbolic link"),
        ("dead-letters.jsonl", "symbolic link"),
        ("running", "symbolic link"),
        ("", "others may write to the spool directory"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let callback = script(dir.path(), "#!/bin/sh\n");
        let (spool, victim) = (dir.path().join("spool"), dir.path().join("victim"));
        std::fs::create_dir(&spool).unwrap();
        std::fs::write(&victim, "precious\n").unwrap();
        let mode = if what.is_empty() { 0o777 } else { 0o700 };
        std::fs::set_permissions(&spool, std::fs::Permissions::from_mode(mode)).unwrap();
        if !what.is_empty() {
            symlink(&victim, spool.join(what)).unwrap();
        }
        let (code, _, err) = start(&lab, dir.path(), &callback, &[]).end();
        assert!(code == 1 || code == 2, "{what}: {code} {err:?}");
        assert!(
            err.iter().any(|line| line.contains(word)),
            "{what}: {err:?}"
        );
        assert!(err.iter().any(|line| line.starts_with("hint: ")), "{what}");
        assert_eq!(lines(&victim), ["precious"]);
    }
}

/// What is no file where a file of ours lies is named, and nothing waits for it.
#[test]
fn a_pipe_or_a_directory_in_the_place_of_a_file_of_the_spool_is_named() {
    let lab = lab::lab();
    for name in ["lock", "spool.redb", "running"] {
        for pipe in [true, false] {
            let dir = tempfile::tempdir().unwrap();
            let callback = script(dir.path(), "#!/bin/sh\n");
            let place = dir.path().join("spool").join(name);
            std::fs::create_dir(place.parent().unwrap()).unwrap();
            let private = std::fs::Permissions::from_mode(0o700);
            std::fs::set_permissions(place.parent().unwrap(), private).unwrap();
            if pipe {
                let made = std::process::Command::new("mkfifo").arg(&place).status();
                assert!(made.unwrap().success());
            } else {
                std::fs::create_dir(&place).unwrap();
            }
            let (code, _, err) = start(&lab, dir.path(), &callback, &[]).end();
            assert_eq!(code, 2, "{name}: {err:?}");
            let says = |words: &str| err.iter().any(|line| line.contains(words));
            assert!(says(&format!("{name}: it is no file")), "{err:?}");
            assert!(
                says("hint: nothing else may have that name") || says("hint: remove that file")
            );
        }
    }
}

#[test]
fn a_callback_that_outlived_a_killed_run_is_waited_for_before_its_event_comes_again() {
    let dir = tempfile::tempdir().unwrap();
    // The shell that we start is gone with a part of its work under way.
    let callback = script(
        dir.path(),
        &format!(
            "#!/bin/sh\nsh -c '{}' sh \"$1\" &\nwait\n",
            &GATED[10..].replace('\'', "")
        ),
    );
    let lab = lab::lab();
    let log = dir.path().join("log");
    let running = start(&lab, dir.path(), &callback, &[]);
    running.says("subscribed");
    lab.listened_to(SESSIONS, 1);
    publish(&lab, &[session("00:00:5E:00:53:01", "pat", "STARTED")]);
    running.until("a callback", || !lines(&log).is_empty());
    running.signal(Signal::KILL);
    running.end();
    let next = start(&lab, dir.path(), &callback, &["--count", "1"]);
    next.says("still at work: ");
    assert_eq!(lines(&log), ["begin 00:00:5E:00:53:01"]);
    std::fs::write(dir.path().join("gate"), "").unwrap();
    next.until("the redelivery", || lines(&log).len() == 4);
    let (begin, end) = ("begin 00:00:5E:00:53:01", "end 00:00:5E:00:53:01");
    assert_eq!(lines(&log), [begin, end, begin, end]);
    next.signal(Signal::TERM);
    assert_eq!(next.end().0, 143);
}

#[test]
fn one_that_takes_longer_than_it_may_is_ended_and_a_daemon_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let callback = script(
        dir.path(),
        "#!/bin/sh\nif [ -e \"$1/again\" ]; then echo again >> \"$1/log\"; exit; fi\n\
         : > \"$1/again\"\nsetsid sleep 30 &\necho begin >> \"$1/log\"\n\
         trap '' TERM\nwhile :; do sleep 600; done\n",
    );
    let lab = lab::lab();
    let log = dir.path().join("log");
    let running = start(&lab, dir.path(), &callback, &["--keep-running"]);
    running.says("subscribed");
    lab.listened_to(SESSIONS, 1);
    running.until("the child", || !lines(&log).is_empty());
    running.signal(Signal::KILL);
    running.end();
    let limits = [
        "--callback-timeout",
        "300ms",
        "--callback-grace",
        "100ms",
        "--snapshot",
    ];
    let next = start(&lab, dir.path(), &callback, &limits);
    next.says("took longer than a callback may; it is ended");
    next.until("the next", || lines(&log).len() > 1);
    next.signal(Signal::TERM);
    assert_eq!(next.end().0, 143);
}

/// A pipe may take dead letters while somebody reads it; else it is called what it is.
#[test]
fn a_pipe_in_the_place_of_the_dead_letters_is_called_one() {
    let lab = lab::lab();
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("letters");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let path = pipe.to_str().unwrap();
    let words = ["subscribe", "--topic", "session", "--callback", "/bin/true"];
    let run = lab
        .pxgrid(&words)
        .args(["--dead-letters", path])
        .assert()
        .code(2);
    let text = crate::support::stderr(&run);
    assert!(text.contains("it is a pipe that nobody reads"), "{text}");
    assert!(text.contains("hint: "), "{text}");
    let run = lab.pxgrid(&["dead-letters", "list", path]).assert().code(1);
    let text = crate::support::stderr(&run);
    assert!(text.contains("it is no file"), "{text}");
}
