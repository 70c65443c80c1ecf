//! `dead-letters`: what no callback took is listed, delivered again and dropped, also beside a
//! subscription that writes more.

use std::path::{Path, PathBuf};
use std::process::Output;

use rustix::process::Signal;

use crate::support::callback::{lines, script, text};
use crate::support::lab;
use crate::support::sessions::{SESSIONS, publish, session};

/// A letter about the endpoint `number`, given up at this hour.
fn letter(number: u8, hour: u8) -> String {
    format!(
        r#"{{"failedAt":"2026-11-20T{hour:02}:00:00.000Z","attempts":4,"outcome":"exit 3","event":{{"type":"MESSAGE","id":"AAAAAAAAAAAAAAAAAAAAAA","event":"sessionCreated","sequenceNumber":{number},"topic":"/topic/com.cisco.ise.session","node":"n","receivedAt":"2026-11-20T01:00:00Z","recovered":false,"message":{{"sessions":[{{"macAddress":"00:00:5E:00:53:{number:02}","state":"STARTED","userName":"pat\u001b[2J","weight":1.10}}]}}}}}}"#
    )
}

/// A file with letters about three endpoints, and two lines that are none.
fn file(dir: &Path) -> PathBuf {
    let path = dir.join("letters.jsonl");
    let parts = [
        letter(1, 1),
        "{\"half".to_owned(),
        letter(2, 2),
        "null".to_owned(),
        letter(3, 3),
    ];
    std::fs::write(&path, parts.join("\n") + "\n").unwrap();
    path
}

fn run(arguments: &[&str]) -> (i32, String, String) {
    let mut command = crate::support::process();
    let Output {
        status,
        stdout,
        stderr,
    } = command
        .args(["ise", "pxgrid", "dead-letters"])
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

#[test]
fn letters_are_listed_and_chosen() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(dir.path());
    let path = path.to_str().unwrap();
    let (code, out, err) = run(&["list", path]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(
        out.lines().next().unwrap(),
        "2026-11-20T01:00:00.000Z\tsessionCreated\t00:00:5E:00:53:01\t/topic/com.cisco.ise.session\t4\texit 3"
    );
    assert_eq!(out.lines().count(), 3);
    let word = "2 of its lines are no dead letters (the first is line 2)";
    assert!(err.contains(word), "{err}");
    let (code, out, _) = run(&["list", path, "--json", "--mac", "0000.5e00.5302"]);
    assert_eq!(code, 0);
    assert_eq!(out.replace('\n', ""), format!("[{}]", letter(2, 2)));
    let (_, out, _) = run(&["list", path, "--before", "2026-11-20T02:00:00Z"]);
    assert_eq!(out.lines().count(), 1);
    let (_, out, _) = run(&["list", path, "--since", "2026-11-20T02:00:00Z"]);
    assert_eq!(out.lines().count(), 2);
    let (code, _, err) = run(&["list", dir.path().join("none").to_str().unwrap()]);
    assert_eq!(code, 3, "{err}");
}

#[test]
fn letters_are_dropped_only_when_that_was_said() {
    let dir = tempfile::tempdir().unwrap();
    let file = file(dir.path());
    let path = file.to_str().unwrap();
    let before = text(&file);
    for refused in [
        &["drop", path, "--yes"][..],
        &["drop", path, "--all"],
        &["drop", path, "--all", "--yes", "--read-only"],
    ] {
        let (code, _, err) = run(refused);
        assert_eq!(code, 2, "{err}");
    }
    let (code, out, _) = run(&["drop", path, "--all", "--dry-run"]);
    assert_eq!((code, out.lines().count()), (0, 3));
    assert_eq!(text(&file), before);
    let (code, _, err) = run(&["drop", path, "--mac", "00:00:5E:00:53:02", "--yes"]);
    assert_eq!(code, 0, "{err}");
    assert!(err.contains("1 dead letter dropped"), "{err}");
    let left = [&letter(1, 1), "{\"half", "null", &letter(3, 3)];
    assert_eq!(lines(&file), left);
    let (code, _, _) = run(&["drop", path, "--all", "--yes"]);
    assert_eq!(code, 0);
    assert_eq!(lines(&file), ["{\"half", "null"]);
}

#[test]
fn what_succeeds_now_leaves_the_file_and_what_fails_stays() {
    let dir = tempfile::tempdir().unwrap();
    let file = file(dir.path());
    let path = file.to_str().unwrap();
    let log = dir.path().join("log");
    let callback = script(
        dir.path(),
        "#!/bin/sh\n[ \"$NETAPI_MAC\" = 00:00:5E:00:53:02 ] && exit 5\ncat >> \"$1\"\n",
    );
    let callback = callback.to_str().unwrap();
    let more = ["--callback", callback, "--", log.to_str().unwrap()];
    let (code, out, err) = run(&[&["retry", path, "--dry-run"][..], &more].concat());
    assert_eq!(
        (code, out.lines().count(), lines(&log).len()),
        (0, 3, 0),
        "{err}"
    );
    let (code, _, err) = run(&[&["retry", path][..], &more].concat());
    assert_eq!(code, 1, "{err}");
    assert!(
        err.contains("delivered 2, failed again 1, not tried 0"),
        "{err}"
    );
    assert!(
        err.contains("failed (exit 5); it stays a dead letter"),
        "{err}"
    );
    assert_eq!(lines(&file), ["{\"half", &letter(2, 2), "null"]);
    let mut events = lines(&log);
    events.sort();
    // Word by word what the first callback was given, and that it comes again.
    for (number, event) in [(1, &events[0]), (3, &events[1])] {
        let delivery = r#","attempt":5,"repeated":true"#;
        assert!(
            event.contains(delivery) && event.contains("1.10"),
            "{event}"
        );
        assert!(letter(number, number).contains(&event.replace(delivery, "")));
    }
    std::fs::remove_file(callback).unwrap();
    let (code, _, err) = run(&[&["retry", path][..], &more].concat());
    assert_eq!(code, 2, "{err}");
    assert_eq!(lines(&file).len(), 3);
}

#[test]
fn a_subscription_goes_on_writing_letters_while_they_are_taken_out() {
    let dir = tempfile::tempdir().unwrap();
    let spool = dir.path().join("spool");
    let callback = script(dir.path(), "#!/bin/sh\nexit 1\n");
    let lab = lab::lab();
    let running = lab.subscribed(
        "session",
        &[
            "--retries",
            "0",
            "--spool",
            spool.to_str().unwrap(),
            "--callback",
            callback.to_str().unwrap(),
        ],
    );
    lab.listened_to(SESSIONS, 1);
    let letters = spool.join("dead-letters.jsonl");
    for number in 1..=3 {
        let mac = format!("00:00:5E:00:53:0{number}");
        publish(&lab, &[session(&mac, "pat", "STARTED")]);
        running.until("a letter", || text(&letters).contains(&mac));
        let (code, _, err) = run(&["drop", spool.to_str().unwrap(), "--all", "--yes"]);
        assert_eq!(code, 0, "{err}");
        assert!(err.contains("1 dead letter dropped"), "{err}");
    }
    assert_eq!(text(&letters), "");
    running.signal(Signal::TERM);
    assert_eq!(running.end().0, 143);
}

#[test]
fn a_signal_leaves_what_was_not_tried() {
    let dir = tempfile::tempdir().unwrap();
    let file = file(dir.path());
    let callback = script(
        dir.path(),
        "#!/bin/sh\necho $NETAPI_MAC >> \"$1/log\"\nuntil [ -e \"$1/gate\" ]; do sleep 0.02; done\n",
    );
    let lab = lab::lab();
    let running = lab.start(&[
        "dead-letters",
        "retry",
        file.to_str().unwrap(),
        "--jobs",
        "1",
        "--callback",
        callback.to_str().unwrap(),
        "--",
        dir.path().to_str().unwrap(),
    ]);
    running.until("a callback", || !lines(&dir.path().join("log")).is_empty());
    running.signal(Signal::TERM);
    std::fs::write(dir.path().join("gate"), "").unwrap();
    let (code, _, err) = running.end();
    assert_eq!(code, 143, "{err:?}");
    let tried = lines(&dir.path().join("log")).len();
    let said = format!("delivered {tried}, failed again 0, not tried {}", 3 - tried);
    assert!(err.contains(&said), "{err:?}");
    assert_eq!(lines(&file).len(), 5 - tried);
}
