//! `subscribe --callback`: what the script gets, what becomes of its failures, and that a spool
//! loses nothing.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::callback::{lines, script};
use crate::support::sessions::{publish, session};
use crate::support::{lab, wait_for};

#[test]
fn the_script_gets_the_event_its_arguments_and_a_few_clean_variables() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let callback = script(
        dir.path(),
        "#!/bin/sh\n{ printf '%s|%s|%s|%s|%s|' \"$1\" \"$NETAPI_EVENT\" \"$NETAPI_MAC\" \"$NETAPI_STATE\" \"$NETAPI_TOPIC\"; cat; } >> \"$2\"\nenv | grep -c PASS\n",
    );
    let lab = lab::lab();
    let running = lab.subscribed(
        "session",
        &[
            "--count",
            "2",
            "--jobs",
            "1",
            "--callback",
            callback.to_str().unwrap(),
            "--retries",
            "0",
            "--",
            "first argument",
            log.to_str().unwrap(),
        ],
    );
    publish(
        &lab,
        &[
            session("00:00:5E:00:53:A1", "$(touch /tmp/owned) `id`", "STARTED"),
            session("00:00:5E:00:53:A1", "pat", "POSTURED"),
        ],
    );
    let (code, out, err) = running.end();
    // grep -c ends with 1 when it counts nothing: each event is tried once and fails, so there are
    // dead letters.
    assert_eq!(code, 1, "{err:?}");
    assert!(out.is_empty());
    assert!(err.iter().any(|line| line == "0"), "{err:?}");
    let log = lines(&log);
    assert_eq!(log.len(), 2);
    let (head, event) = log[0].split_once("|/topic/com.cisco.ise.session|").unwrap();
    assert_eq!(
        head,
        "first argument|sessionCreated|00:00:5E:00:53:A1|STARTED"
    );
    let event: Value = serde_json::from_str(event).unwrap();
    assert_eq!(
        event["message"]["sessions"][0]["userName"],
        "$(touch /tmp/owned) `id`"
    );
    assert!(log[1].contains("|sessionUpdated|"), "{log:?}");
}

#[test]
fn what_fails_for_good_is_a_dead_letter() {
    let dir = tempfile::tempdir().unwrap();
    let callback = script(dir.path(), "#!/bin/sh\nexit 3\n");
    let letters = dir.path().join("letters.jsonl");
    let lab = lab::lab();
    let running = lab.subscribed(
        "session",
        &[
            "--count",
            "1",
            "--retries",
            "1",
            "--callback",
            callback.to_str().unwrap(),
            "--dead-letters",
            letters.to_str().unwrap(),
        ],
    );
    publish(&lab, &[session("00:00:5E:00:53:A1", "pat", "STARTED")]);
    let (code, _, err) = running.end();
    assert_eq!(code, 1);
    assert!(
        err.iter().any(|line| line.contains("dead letter")),
        "{err:?}"
    );
    let letters = lines(&letters);
    let letter: Value = serde_json::from_str(&letters[0]).unwrap();
    assert_eq!(
        (&letter["attempts"], &letter["outcome"]),
        (&json!(2), &json!("exit 3"))
    );
    assert_eq!(letter["event"]["event"], "sessionCreated");
}

#[test]
fn a_killed_subscriber_delivers_the_rest_when_it_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let spool = dir.path().join("spool");
    let started = dir.path().join("started");
    // The first run's callback never ends by itself.
    let callback = script(
        dir.path(),
        "#!/bin/sh\nif [ -e \"$1.second\" ]; then cat >> \"$1.log\"; else echo x >> \"$1\"; exec sleep 600; fi\n",
    );
    let lab = lab::lab();
    let arguments = [
        "subscribe",
        "--topic",
        "session",
        "--jobs",
        "2",
        "--spool",
        spool.to_str().unwrap(),
        "--callback",
        callback.to_str().unwrap(),
        "--",
        started.to_str().unwrap(),
    ];
    let running = lab.start(&arguments);
    running.says("subscribed");
    let sessions: Vec<_> = (0..6)
        .map(|n| session(&format!("00:00:5E:00:53:0{n}"), "pat", "STARTED"))
        .collect();
    publish(&lab, &sessions);
    running.until("two callbacks", || lines(&started).len() == 2);
    running.signal(Signal::KILL);
    assert_eq!(running.end().0, 137);
    std::fs::write(dir.path().join("started.second"), "").unwrap();
    let log = dir.path().join("started.log");
    let running = lab.start(&arguments);
    running.says("6 events of an earlier run");
    running.until("the six events", || lines(&log).len() >= 6);
    running.signal(Signal::TERM);
    assert_eq!(running.end().0, 143);
    let mut repeated = 0;
    let mut macs: Vec<_> = lines(&log)
        .iter()
        .map(|line| {
            let event: Value = serde_json::from_str(line).unwrap();
            assert_eq!(event["recovered"], false);
            if event["repeated"] == true {
                assert_eq!(event["attempt"], 2);
                repeated += 1;
            }
            event["message"]["sessions"][0]["macAddress"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    // The two that were being delivered.
    assert_eq!(repeated, 2);
    macs.sort();
    macs.dedup();
    let wanted: Vec<_> = (0..6).map(|n| format!("00:00:5E:00:53:0{n}")).collect();
    assert_eq!(
        macs.iter().filter(|mac| wanted.contains(mac)).count(),
        6,
        "{macs:?}"
    );
}

#[test]
fn the_first_interrupt_lets_callbacks_finish_and_keeps_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let spool = dir.path().join("spool");
    let gate = dir.path().join("gate");
    let callback = script(
        dir.path(),
        "#!/bin/sh\necho started\nwhile [ ! -e \"$1\" ]; do sleep 0.05; done\necho finished\n",
    );
    let lab = lab::lab();
    let running = lab.subscribed(
        "session",
        &[
            "--jobs",
            "1",
            "--spool",
            spool.to_str().unwrap(),
            "--callback",
            callback.to_str().unwrap(),
            "--",
            gate.to_str().unwrap(),
        ],
    );
    publish(
        &lab,
        &[
            session("00:00:5E:00:53:01", "pat", "STARTED"),
            session("00:00:5E:00:53:02", "kim", "STARTED"),
        ],
    );
    running.says("started");
    running.signal(Signal::INT);
    running.says("leaving");
    std::fs::write(&gate, "").unwrap();
    let (code, _, err) = running.end();
    assert_eq!(code, 130);
    let count = |word: &str| err.iter().filter(|line| *line == word).count();
    assert_eq!((count("started"), count("finished")), (1, 1), "{err:?}");
    assert!(
        err.iter()
            .any(|line| line.starts_with("1 undelivered event in the spool")),
        "{err:?}"
    );
}

#[test]
fn the_second_interrupt_ends_everything_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let callback = script(
        dir.path(),
        "#!/bin/sh\ntrap '' TERM\necho $$\nwhile :; do sleep 1; done\n",
    );
    let lab = lab::lab();
    let running = lab.subscribed("session", &["--callback", callback.to_str().unwrap()]);
    publish(&lab, &[session("00:00:5E:00:53:01", "pat", "STARTED")]);
    let pid = || {
        running
            .err()
            .iter()
            .find_map(|line| line.parse::<i32>().ok())
    };
    running.until("the callback", || pid().is_some());
    let pid = rustix::process::Pid::from_raw(pid().unwrap()).unwrap();
    running.signal(Signal::INT);
    running.says("leaving");
    running.signal(Signal::INT);
    let (code, _, err) = running.end();
    assert_eq!(code, 130);
    assert!(
        err.iter()
            .any(|line| line.contains("discarded with the temporary spool")),
        "{err:?}"
    );
    wait_for("the callback's end", || {
        rustix::process::test_kill_process(pid).is_err()
    });
}

#[test]
fn a_long_lived_child_reads_an_event_a_line() {
    let dir = tempfile::tempdir().unwrap();
    let callback = script(
        dir.path(),
        "#!/bin/sh\nwhile read -r line; do printf 'got %s\\n' \"$line\"; done\necho over\n",
    );
    let lab = lab::lab();
    let running = lab.subscribed(
        "session",
        &[
            "--count",
            "2",
            "--keep-running",
            "--callback",
            callback.to_str().unwrap(),
        ],
    );
    publish(
        &lab,
        &[
            session("00:00:5E:00:53:01", "pat", "STARTED"),
            session("00:00:5E:00:53:02", "kim", "STARTED"),
        ],
    );
    let (code, _, err) = running.end();
    assert_eq!(code, 0);
    assert_eq!(
        err.iter().filter(|line| line.starts_with("got {")).count(),
        2,
        "{err:?}"
    );
    assert!(err.iter().any(|line| line == "over"));
}

#[test]
fn a_spool_without_a_callback_prints_what_an_earlier_run_did_not() {
    let dir = tempfile::tempdir().unwrap();
    let spool = dir.path().join("spool");
    let callback = script(dir.path(), "#!/bin/sh\nexec sleep 600\n");
    let lab = lab::lab();
    let spool = spool.to_str().unwrap();
    let running = lab.subscribed(
        "session",
        &[
            "--spool",
            spool,
            "--callback",
            callback.to_str().unwrap(),
            "--callback-grace",
            "100ms",
        ],
    );
    publish(&lab, &[session("00:00:5E:00:53:01", "pat", "STARTED")]);
    running.signal(Signal::USR1);
    running.until("the event", || {
        running.signal(Signal::USR1);
        running
            .err()
            .iter()
            .any(|line| line.starts_with("received 1"))
    });
    running.signal(Signal::INT);
    running.says("leaving");
    running.signal(Signal::INT);
    assert_eq!(running.end().0, 130);
    let running = lab.start(&[
        "subscribe",
        "--topic",
        "session",
        "--spool",
        spool,
        "--json",
    ]);
    running.prints(1);
    let event: Value = serde_json::from_str(&running.out()[0]).unwrap();
    assert_eq!(event["repeated"], true);
    assert!(event.get("attempt").is_none());
    running.signal(Signal::INT);
    assert_eq!(running.end().0, 130);
}
