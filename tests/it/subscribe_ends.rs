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
use crate::support::lab::{self, TestLab};
use crate::support::sessions::{SESSIONS, publish, session};
use crate::support::subscription::{Subscription, assert_said};
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
    let subscription = Subscription::new(&["--snapshot", "--json"]).spool();
    let fifo = subscription.fifo();
    let lab = crowd();
    let running = subscription.start_after(&format!("exec > '{}'", fifo.display()), &lab);
    let mut line = String::new();
    BufReader::new(File::open(&fifo).unwrap())
        .read_line(&mut line)
        .unwrap();
    let (code, _, err) = running.end();
    assert_eq!(code, 0, "{err:?}");
    assert_said(&err, "undelivered events in the spool");
}

#[test]
fn what_ended_delivery_is_the_error_not_that_it_takes_no_more() {
    let subscription = Subscription::new(&["--snapshot", "--retries", "0"])
        .with(&["--dead-letters", "/dev/full"])
        .spool()
        .callback("#!/bin/sh\nexit 1\n");
    let lab = crowd();
    let (code, _, err) = subscription.start(&lab).end();
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
    assert_said(&err, "hint: the event stays in the spool");
    assert_said(&err, "undelivered events in the spool");
}

#[test]
fn what_a_count_left_out_is_no_event_that_the_next_run_takes_as_seen() {
    let subscription = Subscription::new(&["--count", "2", "--json"]).spool();
    let lab = lab::lab();
    let running = subscription.subscribed(&lab);
    publish(&lab, &[session("00:00:5E:00:53:01", "pat", "STARTED")]);
    running.prints(1);
    let more = |number| session(&format!("00:00:5E:00:53:0{number}"), "kim", "STARTED");
    publish(&lab, &[more(2), more(3), more(4)]);
    let (code, out, err) = running.end();
    assert_eq!((code, out.len()), (0, 2), "{err:?}");
    let marks = Spool::open(&subscription.path("spool"))
        .unwrap()
        .marks()
        .unwrap();
    let sequences: Vec<_> = marks.iter().map(|mark| mark.sequence).collect();
    assert_eq!(sequences, [Some(0)]);
}

#[test]
fn what_a_long_lived_child_never_read_was_not_delivered() {
    let subscription = Subscription::new(&["--count", "5", "--snapshot"])
        .with(&["--keep-running", "--retries", "1"])
        .spool()
        .callback("#!/bin/sh\nexit 4\n");
    let lab = lab::lab();
    let (code, _, err) = subscription.start(&lab).end();
    assert_eq!(code, 1, "{err:?}");
    assert_said(&err, "received 5, delivered 0, failed 5,");
    let letters = subscription.lines("spool/dead-letters.jsonl");
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
    let subscription = Subscription::new(&["--snapshot", "--keep-running"])
        .with(&["--callback-timeout", "500ms"])
        .spool()
        .callback("#!/bin/sh\nread -r line\necho begun\nexec sleep 600\n");
    let lab = lab::lab();
    let running = subscription.start(&lab);
    running.says("begun");
    running.signal(Signal::TERM);
    let (code, _, err) = running.end();
    assert_eq!(code, 143, "{err:?}");
    assert_said(&err, "49 undelivered events in the spool");
    adds_up(&err).unwrap();
}

#[test]
fn where_few_files_may_be_open_fewer_callbacks_run() {
    let subscription = Subscription::new(&["--snapshot", "--count", "50"])
        .with(&["--jobs", "150", "--retries", "0"])
        .callback("#!/bin/sh\nexec sleep 0.1\n");
    let lab = lab::lab();
    let (code, _, err) = subscription.start_after("ulimit -n 200", &lab).end();
    assert_eq!(code, 0, "{err:?}");
    let word = "only 200 files may be open (ulimit -n): 34 callbacks at a time, not 150";
    assert!(err.iter().any(|line| line == word), "{err:?}");
}

#[test]
fn a_callback_that_there_is_no_room_for_waits_and_has_not_failed() {
    let subscription = Subscription::new(&["--count", "21", "--jobs", "30", "--retries", "0"])
        .callback_with(
            "#!/bin/sh\necho $PPID > \"$1/draft\"\nmv \"$1/draft\" \"$1/parent\"\nuntil [ -e \"$1/gate\" ]; do sleep 0.02; done\n",
            "",
        );
    let lab = lab::lab();
    let running = subscription.subscribed(&lab);
    publish(&lab, &[session("00:00:5E:00:53:00", "pat", "STARTED")]);
    running.until("a callback", || subscription.path("parent").exists());
    let parent = subscription.lines("parent")[0].parse().unwrap();
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
    std::fs::write(subscription.path("gate"), "").unwrap();
    let (code, _, err) = running.end();
    assert_eq!(code, 0, "{err:?}");
    let said = err.iter().filter(|line| line.contains("no room")).count();
    assert_eq!(said, 1, "{err:?}");
    adds_up(&err).unwrap();
}

#[test]
fn the_second_signal_ends_it_also_when_nobody_reads_standard_error() {
    let subscription = Subscription::new(&["--snapshot", "--jobs", "30"]).callback_with(
        "#!/bin/sh\necho $$ >> \"$1\"\nhead -c 60000 /dev/zero | tr '\\0' x\nexec sleep 600\n",
        "log",
    );
    let fifo = subscription.fifo();
    let lab = lab::lab();
    let running = subscription.start_after(&format!("exec 2> '{}'", fifo.display()), &lab);
    let unread = File::open(&fifo).unwrap();
    running.until("a full pipe", || {
        rustix::io::ioctl_fionread(&unread).unwrap() >= 20_000
            && subscription.lines("log").len() >= 4
    });
    // Words of the main task, while there is no room for them.
    running.signal(Signal::USR1);
    running.signal(Signal::INT);
    running.signal(Signal::TERM);
    let begun = Instant::now();
    let (code, _, _) = running.end();
    assert!(code == 130 || code == 143, "{code}");
    assert!(begun.elapsed() < Duration::from_secs(5));
    for number in subscription.lines("log") {
        let pid = Pid::from_raw(number.parse().unwrap()).unwrap();
        wait_for("the end of a callback", || test_kill_process(pid).is_err());
    }
}

/// When the terminal is closed the callbacks must not run on alone; under nohup nothing happens.
#[test]
fn a_closed_terminal_ends_it_in_good_order_unless_that_is_to_be_ignored() {
    let subscription = Subscription::new(&[]).callback_with(
        "#!/bin/sh\necho begun\nuntil [ -e \"$1\" ]; do sleep 0.02; done\necho finished\n",
        "gate",
    );
    let lab = lab::lab();
    let nohup = subscription.start_after("trap '' HUP", &lab);
    let running = subscription.start(&lab);
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
    std::fs::write(subscription.path("gate"), "").unwrap();
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
    let subscription = Subscription::new(&["--snapshot", "--retries", "0"])
        .with_file("--dead-letters", "letters")
        .callback("#!/bin/sh\nexit 1\n");
    let file = File::create(subscription.path("letters")).unwrap();
    file.write_all_at(b"\n", LENGTH - 1).unwrap();
    let lab = lab::lab();
    // Files may be a hundred bytes longer, and to want more is no reason to be ended.
    let limit = format!("trap '' XFSZ; ulimit -f {}", (20 << 20) / 512);
    let (code, _, err) = subscription.start_after(&limit, &lab).end();
    assert_eq!(code, 1, "{err:?}");
    for word in [
        "netapi: cannot write the dead letter to",
        "undelivered events discarded",
    ] {
        assert_said(&err, word);
    }
    assert_eq!(file.metadata().unwrap().len(), LENGTH);
}

#[test]
fn a_damaged_spool_is_named_with_what_to_do() {
    let lab = lab::lab();
    for (what, damage) in [("is damaged", true), ("cannot open the spool", false)] {
        let subscription = Subscription::new(&[]).spool();
        let spool = subscription.path("spool");
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
        let (code, _, err) = subscription.start(&lab).end();
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
        id: EventId::default().into(),
        event: "CREATE".into(),
        sequence: None,
        topic: "/topic/t".into(),
        node: "n".into(),
        received_at: jiff::Timestamp::now(),
        recovered: false,
        overtaken: false,
        mac: None,
        station: Some("k".into()),
        state: None,
        message: Message::whole("{}"),
    };
    let spool = Spool::open(dir).unwrap();
    spool.append(vec![event], &[]).unwrap();
    spool.close().unwrap();
}
