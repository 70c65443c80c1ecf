//! What must not stop `subscribe`, and what it waits for: a callback's file that is away, a
//! standard error that nobody reads.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::lab::{self, TestLab};
use crate::support::sessions::{SESSIONS, publish, session};
use crate::support::subscription::Subscription;

fn started(lab: &TestLab, number: u8) {
    let mac = format!("00:00:5E:00:53:{number:02}");
    publish(lab, &[session(&mac, "pat", "STARTED")]);
}

/// Runs `command` in a shell with the callback's path as `$1`.
fn shell(command: &str, callback: &Path) {
    let status = std::process::Command::new("sh")
        .args(["-c", command, "sh"])
        .arg(callback)
        .status();
    assert!(status.unwrap().success());
}

#[test]
fn a_callback_that_is_away_for_a_while_is_waited_for_and_nothing_is_a_dead_letter() {
    let lab = lab::lab();
    for (number, (away, word, back)) in [
        (
            "mv \"$1\" \"$1.away\"",
            "No such file or directory",
            "mv \"$1.away\" \"$1\"",
        ),
        ("chmod a-x \"$1\"", "is not executable", "chmod a+x \"$1\""),
        (
            "cp \"$1\" \"$1.whole\"; printf '#!/no/such/interpreter\\n' > \"$1\"",
            "'/no/such/interpreter', which does not exist",
            "mv \"$1.whole\" \"$1\"",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let subscription = Subscription::new(&["--count", "5", "--retries", "0"])
            .spool()
            .callback_with("#!/bin/sh\necho $NETAPI_MAC >> \"$1\"\n", "log");
        let callback = subscription.path("callback.sh");
        let running = subscription.subscribed(&lab);
        lab.listened_to(SESSIONS, number + 1);
        shell(away, &callback);
        for number in 1..=5 {
            started(&lab, number);
        }
        running.says(word);
        running.says("events wait, and it is tried again in 2.0s");
        shell(back, &callback);
        running.says("the callback can be started again, after ");
        let (code, _, err) = running.end();
        assert_eq!(code, 0, "{err:?}");
        assert_eq!(subscription.lines("log").len(), 5, "{err:?}");
        let letters = subscription.lines("spool/dead-letters.jsonl");
        assert_eq!(letters, [""; 0]);
        let said = err.iter().filter(|line| line.contains("tried again"));
        assert!(said.count() <= 6, "{err:?}");
    }
}

#[test]
fn an_unread_standard_error_stops_no_delivery_and_one_signal_ends_it() {
    // Loud, and half of them fail.
    let subscription = Subscription::new(&["--snapshot", "--jobs", "4", "--retries", "0"])
        .with_file("--dead-letters", "letters")
        .callback_with(
            "#!/bin/sh\nhead -c 200000 /dev/zero | tr '\\0' '\\n' >&2\necho $NETAPI_MAC >> \"$1\"\n\
             case $NETAPI_MAC in *[02468]) exit 1;; esac\n",
            "log",
        );
    let fifo = subscription.fifo();
    let lab = lab::lab();
    let running = subscription.start_after(&format!("exec 2> '{}'", fifo.display()), &lab);
    let unread = File::open(&fifo).unwrap();
    running.until("all callbacks", || subscription.lines("log").len() >= 50);
    running.signal(Signal::TERM);
    let begun = Instant::now();
    let (code, _, _) = running.end();
    assert_eq!(code, 143);
    assert!(
        begun.elapsed() < Duration::from_secs(8),
        "{:?}",
        begun.elapsed()
    );
    drop(unread);
}

#[test]
fn what_nobody_read_is_counted_and_said_when_somebody_reads_again() {
    let subscription = Subscription::new(&["--snapshot", "--count", "50"]).callback_with(
        "#!/bin/sh\nhead -c 60000 /dev/zero | tr '\\0' '\\n' >&2\necho >> \"$1\"\n",
        "log",
    );
    let fifo = subscription.fifo();
    let lab = lab::lab();
    let running = subscription.start_after(&format!("exec 2> '{}'", fifo.display()), &lab);
    let unread = File::open(&fifo).unwrap();
    running.until("all callbacks", || subscription.lines("log").len() >= 50);
    let said = std::io::read_to_string(unread).unwrap();
    let (code, _, _) = running.end();
    assert_eq!(code, 0);
    let left_out = "not said, since nobody read standard error: ";
    assert!(said.lines().any(|line| line.starts_with(left_out)));
    assert!(said.contains("received 50, delivered 50,"));
}
