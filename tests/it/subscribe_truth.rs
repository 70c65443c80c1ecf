//! What the lab published against what became of it: a disk that takes no more, a spool and a file
//! of dead letters that cannot be written.
//!
//! The books are in `support::account`, the kills in `subscribe_truth_kill`, callbacks that
//! misbehave in `subscribe_truth_callbacks`, the lab's outages in `subscribe_truth_outages`.

use jiff::Timestamp;
use netapi::testing::lab::{EventRate, LabOptions};
use serde_json::json;

use crate::support::account::{Account, published, stop};
use crate::support::callback::{script, text};
use crate::support::lab;
use crate::support::sessions::{HASTY, SESSIONS, session};

#[test]
fn a_disk_that_takes_no_more_ends_it_and_the_next_run_lacks_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let spool = dir.path().join("spool");
    let log = dir.path().join("log");
    // Slower than events come, so that they pile up.
    let callback = script(
        dir.path(),
        "#!/bin/sh\nulimit -S -f unlimited\nsleep 0.05\ncat >> \"$1\"\n",
    );
    let lab = lab::with(LabOptions {
        sessions: 8000,
        events_per_second: EventRate::PerSecond(800),
        ..LabOptions::default()
    });
    let mut arguments = HASTY.to_vec();
    arguments.extend(["--spool", spool.to_str().unwrap()]);
    let mut handing = arguments.clone();
    handing.extend(["--callback", callback.to_str().unwrap()]);
    handing.extend(["--", log.to_str().unwrap()]);
    // In blocks of 512 bytes; ignored, the signal becomes an error of writing, as on a full disk.
    let running = lab.start_after("trap '' XFSZ; ulimit -S -f 5000", &handing);
    running.says("subscribed");
    let since = Timestamp::now();
    let (code, _, err) = running.end();
    assert_eq!(code, 1, "{err:?}");
    let spooled = format!("cannot write to the spool {}", spool.display());
    assert!(err.iter().any(|line| line.contains(&spooled)), "{err:?}");
    assert!(err.iter().any(|line| line.contains("hint:")), "{err:?}");
    let wanted = published(&lab, since);
    assert!(wanted.len() > 100);
    let mut account = Account::default();
    account.note_lines(text(&log).lines(), false);
    arguments.push("--json");
    let running = lab.start(&arguments);
    account.follow(&running, &wanted);
    stop(running);
    assert!(account.unmarked.is_empty(), "{:?}", account.unmarked);
}

#[test]
fn a_spool_that_cannot_be_opened_is_named_before_anything_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let place = |name: &str| dir.path().join(name);
    std::fs::write(place("file"), "").unwrap();
    std::fs::create_dir(place("garbage")).unwrap();
    std::fs::write(place("garbage/spool.redb"), "no database".repeat(1000)).unwrap();
    std::fs::create_dir_all(place("taken/spool.redb")).unwrap();
    std::fs::create_dir_all(place("letters/dead-letters.jsonl")).unwrap();
    let lab = lab::lab();
    let cases = [
        ("file", 2, "file"),
        ("garbage", 1, "garbage/spool.redb"),
        ("taken", 2, "taken/spool.redb"),
        ("letters", 2, "letters/dead-letters.jsonl"),
    ];
    for (name, wanted, word) in cases {
        let spool = place(name);
        let running = lab.start(&[
            "subscribe",
            "--topic",
            "session",
            "--callback",
            "/bin/true",
            "--spool",
            spool.to_str().unwrap(),
        ]);
        let (code, _, err) = running.end();
        assert_eq!(code, wanted, "{name}: {err:?}");
        assert!(err[0].contains(word), "{name}: {err:?}");
        assert!(err.iter().any(|line| line.contains("hint:")), "{err:?}");
    }
    assert!(lab.requests().is_empty(), "{:?}", lab.requests());
    assert_eq!(
        text(&place("garbage/spool.redb")),
        "no database".repeat(1000),
        "what is no spool was changed"
    );
}

#[test]
fn a_dead_letter_that_cannot_be_written_leaves_its_event_in_the_spool() {
    let dir = tempfile::tempdir().unwrap();
    let spool = dir.path().join("spool");
    let lab = lab::lab();
    let arguments = [
        "subscribe",
        "--topic",
        "session",
        "--spool",
        spool.to_str().unwrap(),
    ];
    let mut failing = arguments.to_vec();
    failing.extend(["--callback", "/bin/false", "--retries", "0"]);
    failing.extend(["--dead-letters", "/dev/full"]);
    let running = lab.start(&failing);
    running.says("subscribed");
    let since = Timestamp::now();
    let one = session("00:00:5E:00:53:A1", "pat", "STARTED");
    lab.publish(SESSIONS, &json!({ "sessions": [one] }));
    let (code, _, err) = running.end();
    assert_eq!(code, 1, "{err:?}");
    assert!(err.iter().any(|line| line.contains("/dev/full")), "{err:?}");
    let wanted = published(&lab, since);
    assert_eq!(wanted.len(), 1);
    let mut printing = arguments.to_vec();
    printing.push("--json");
    let running = lab.start(&printing);
    running.says("1 event of an earlier run");
    running.prints(1);
    let mut account = Account::default();
    for line in stop(running) {
        account.note(&line);
    }
    assert_eq!(account.lacks(&wanted), Vec::<String>::new());
}
