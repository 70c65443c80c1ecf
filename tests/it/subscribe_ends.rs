//! How `subscribe` ends when what it delivers to ends first: the exit status and the last words say
//! what was the reason.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use netapi::testing::delivery::Spool;
use netapi::testing::event::{Event, EventId, Message};
use netapi::testing::lab::LabOptions;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, prlimit, test_kill_process};

use crate::support::account::adds_up;
use crate::support::callback::{lines, script};
use crate::support::lab::{self, TestLab};
use crate::support::sessions::{SESSIONS, publish, session};
use crate::support::wait_for;

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
    let running = lab.subscribed(
        "session",
        &["--count", "2", "--json", "--spool", spool.to_str().unwrap()],
    );
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

#[test]
fn where_few_files_may_be_open_fewer_callbacks_run() {
    let dir = tempfile::tempdir().unwrap();
    let callback = script(dir.path(), "#!/bin/sh\nexec sleep 0.1\n");
    let lab = lab::lab();
    let arguments = [
        "subscribe",
        "--topic",
        "session",
        "--snapshot",
        "--count",
        "50",
        "--jobs",
        "150",
        "--retries",
        "0",
        "--callback",
        callback.to_str().unwrap(),
    ];
    let running = lab.start_after("ulimit -n 200", &arguments);
    let (code, _, err) = running.end();
    assert_eq!(code, 0, "{err:?}");
    let word = "only 200 files may be open (ulimit -n): 20 callbacks at a time, not 150";
    assert!(err.iter().any(|line| line == word), "{err:?}");
}

#[test]
fn a_callback_that_there_is_no_room_for_waits_and_has_not_failed() {
    let dir = tempfile::tempdir().unwrap();
    let place = |name: &str| dir.path().join(name);
    let callback = script(
        dir.path(),
        "#!/bin/sh\necho $PPID > \"$1/draft\"\nmv \"$1/draft\" \"$1/parent\"\nuntil [ -e \"$1/gate\" ]; do sleep 0.02; done\n",
    );
    let lab = lab::lab();
    let running = lab.subscribed(
        "session",
        &[
            "--count",
            "21",
            "--jobs",
            "30",
            "--retries",
            "0",
            "--callback",
            callback.to_str().unwrap(),
            "--",
            dir.path().to_str().unwrap(),
        ],
    );
    publish(&lab, &[session("00:00:5E:00:53:00", "pat", "STARTED")]);
    running.until("a callback", || place("parent").exists());
    let parent = lines(&place("parent"))[0].parse().unwrap();
    // No more files than it has open now, but for a few.
    let files = std::fs::read_dir(format!("/proc/{parent}/fd"));
    let limit = Rlimit {
        current: Some(files.unwrap().count() as u64 + 8),
        maximum: getrlimit(Resource::Nofile).maximum,
    };
    prlimit(Pid::from_raw(parent), Resource::Nofile, limit).unwrap();
    let more = |number| session(&format!("00:00:5E:00:53:{number}"), "kim", "STARTED");
    publish(&lab, &(10..30).map(more).collect::<Vec<_>>());
    running.says("the system has no room for another callback (Too many open files");
    std::fs::write(place("gate"), "").unwrap();
    let (code, _, err) = running.end();
    assert_eq!(code, 0, "{err:?}");
    let said = err.iter().filter(|line| line.contains("no room")).count();
    assert_eq!(said, 1, "{err:?}");
    adds_up(&err).unwrap();
}

#[test]
fn the_second_signal_ends_it_also_when_nobody_reads_standard_error() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.unwrap().success());
    let log = dir.path().join("log");
    let callback = script(
        dir.path(),
        "#!/bin/sh\necho $$ >> \"$1\"\nhead -c 60000 /dev/zero | tr '\\0' x\nexec sleep 600\n",
    );
    let lab = lab::lab();
    let running = lab.start_after(
        &format!("exec 2> '{}'", fifo.display()),
        &[
            "subscribe",
            "--topic",
            "session",
            "--snapshot",
            "--jobs",
            "30",
            "--callback",
            callback.to_str().unwrap(),
            "--",
            log.to_str().unwrap(),
        ],
    );
    let unread = File::open(&fifo).unwrap();
    running.until("a full pipe", || {
        rustix::io::ioctl_fionread(&unread).unwrap() >= 20_000 && lines(&log).len() >= 4
    });
    // Words of the main task, while there is no room for them.
    running.signal(Signal::USR1);
    running.signal(Signal::INT);
    running.signal(Signal::TERM);
    let begun = Instant::now();
    let (code, _, _) = running.end();
    assert!(code == 130 || code == 143, "{code}");
    assert!(begun.elapsed() < Duration::from_secs(5));
    for number in lines(&log) {
        let pid = Pid::from_raw(number.parse().unwrap()).unwrap();
        wait_for("the end of a callback", || test_kill_process(pid).is_err());
    }
}

/// When the terminal is closed the callbacks must not run on alone; under nohup nothing happens.
#[test]
fn a_closed_terminal_ends_it_in_good_order_unless_that_is_to_be_ignored() {
    let dir = tempfile::tempdir().unwrap();
    let gate = dir.path().join("gate");
    let callback = script(
        dir.path(),
        "#!/bin/sh\necho begun\nuntil [ -e \"$1\" ]; do sleep 0.02; done\necho finished\n",
    );
    let lab = lab::lab();
    let arguments = [
        "subscribe",
        "--topic",
        "session",
        "--callback",
        callback.to_str().unwrap(),
        "--",
        gate.to_str().unwrap(),
    ];
    let nohup = lab.start_after("trap '' HUP", &arguments);
    let running = lab.start(&arguments);
    for running in [&nohup, &running] {
        running.says("subscribed");
    }
    lab.listened_to(SESSIONS, 2);
    publish(&lab, &[session("00:00:5E:00:53:01", "pat", "STARTED")]);
    for running in [&nohup, &running] {
        running.says("begun");
        running.signal(Signal::HUP);
    }
    running.says("leaving");
    std::fs::write(&gate, "").unwrap();
    let (code, _, err) = running.end();
    assert_eq!(code, 129, "{err:?}");
    assert!(err.iter().any(|line| line == "finished"), "{err:?}");
    nohup.says("finished");
    nohup.signal(Signal::TERM);
    let (code, _, err) = nohup.end();
    assert_eq!(code, 143, "{err:?}");
}

#[test]
fn a_dead_letter_that_was_written_in_part_is_taken_back() {
    const LENGTH: u64 = (20 << 20) - 100;
    let dir = tempfile::tempdir().unwrap();
    let letters = dir.path().join("letters");
    let file = File::create(&letters).unwrap();
    file.write_all_at(b"\n", LENGTH - 1).unwrap();
    let callback = script(dir.path(), "#!/bin/sh\nexit 1\n");
    let lab = lab::lab();
    // Files may be a hundred bytes longer, and to want more is no reason to be ended.
    let running = lab.start_after(
        &format!("trap '' XFSZ; ulimit -f {}", (20 << 20) / 512),
        &[
            "subscribe",
            "--topic",
            "session",
            "--snapshot",
            "--retries",
            "0",
            "--dead-letters",
            letters.to_str().unwrap(),
            "--callback",
            callback.to_str().unwrap(),
        ],
    );
    let (code, _, err) = running.end();
    assert_eq!(code, 1, "{err:?}");
    for word in [
        "netapi: cannot write the dead letter to",
        "undelivered events discarded",
    ] {
        assert!(err.iter().any(|line| line.contains(word)), "{err:?}");
    }
    assert_eq!(file.metadata().unwrap().len(), LENGTH);
}

#[test]
fn a_damaged_spool_is_named_with_what_to_do() {
    let lab = lab::lab();
    for (what, damage) in [("is damaged", true), ("cannot open the spool", false)] {
        let dir = tempfile::tempdir().unwrap();
        let spool = dir.path().join("spool");
        let file = spool.join("spool.redb");
        if damage {
            // One byte of an event that is no UTF-8.
            spooled(&spool);
            let mut bytes = std::fs::read(&file).unwrap();
            let event = bytes.windows(6).rposition(|part| part == b"CREATE");
            bytes[event.unwrap()] = 0xff;
            std::fs::write(&file, bytes).unwrap();
        } else {
            std::fs::create_dir(&spool).unwrap();
            std::fs::write(&file, "not what was written").unwrap();
        }
        let arguments = ["subscribe", "--topic", "session", "--spool"];
        let running = lab.start(&[&arguments[..], &[spool.to_str().unwrap()]].concat());
        let (code, _, err) = running.end();
        // The build that people get aborts where this one unwinds.
        assert_eq!(code, 1, "{err:?}");
        let named = err
            .iter()
            .any(|line| line.contains(what) && line.contains("spool.redb"));
        let hint = err
            .iter()
            .any(|line| line.starts_with("hint: move the file away"));
        assert!(named && hint, "{err:?}");
    }
}

/// A spool with one event.
fn spooled(dir: &Path) {
    let event = Event {
        id: EventId::default(),
        event: "CREATE".into(),
        sequence: None,
        topic: "/topic/t".into(),
        node: "n".into(),
        received_at: jiff::Timestamp::now(),
        recovered: false,
        mac: None,
        station: Some("k".to_owned()),
        state: None,
        message: Message::whole("{}"),
    };
    let spool = Spool::open(dir).unwrap();
    spool.append(vec![event], &[]).unwrap();
    spool.close().unwrap();
}
