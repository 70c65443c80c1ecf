//! Workers that come, go, are killed and stopped, and a server that is: every event is handled,
//! those of an endpoint in order, and what is handled again is marked. Judged by what the lab
//! published.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::callback::lines;
use crate::support::fleet::Fleet;
use crate::support::nats::{JETSTREAM, Servers, server};
use crate::support::running::Running;
use crate::support::seeds::{seeds, shown};
use crate::support::wait_for;

const GROUP: &str = "g";
const JOBS: [&str; 2] = ["--jobs", "2"];

/// The fault comes within this time.
const MOMENT: Duration = Duration::from_millis(500);

/// What workers have here, and how long their consumers wait for an acknowledgement.
const LEASE: Duration = Duration::from_secs(2);
const ACK_WAIT: Duration = Duration::from_secs(4);

/// How long it may take to see that an event was handled, on a machine with much to do.
const TO_SEE: Duration = Duration::from_secs(6);

/// A fleet of two workers, both at work.
fn fleet() -> Option<(Fleet, Running, Running)> {
    let fleet = Fleet::start(server(JETSTREAM)?, 60);
    let one = fleet.worker(GROUP, "", &JOBS);
    one.says("32 of 32 partitions are ours");
    let two = fleet.worker(GROUP, "", &JOBS);
    two.says("16 of 32 partitions are ours");
    fleet.more_runs(GROUP, 50);
    Some((fleet, one, two))
}

/// Ends it; it must have handed over everything, soon.
fn leaves(worker: Running) -> Vec<String> {
    let began = Instant::now();
    worker.signal(Signal::TERM);
    let (code, _, err) = worker.end();
    assert_eq!(code, 143, "{err:?}");
    assert!(
        !err.join("\n").contains("could not be handed over"),
        "{err:?}"
    );
    assert!(began.elapsed() < Duration::from_secs(10), "{err:?}");
    err
}

#[test]
fn workers_join_and_leave_and_nothing_is_repeated() {
    for mut seed in seeds(5) {
        let Some((mut fleet, one, two)) = fleet() else {
            return;
        };
        seed.moment(MOMENT);
        let three = fleet.worker(GROUP, "", &JOBS);
        three.says("the group g has 3 workers");
        fleet.more_runs(GROUP, 50);
        leaves(one);
        two.says_times("16 of 32 partitions are ours", 2);
        fleet.more_runs(GROUP, 50);
        leaves(two);
        three.says("32 of 32 partitions are ours");
        assert_eq!(fleet.judge(GROUP), 0);
        let err = leaves(three);
        assert!(err.join("\n").contains("failed 0"), "{err:?}");
    }
}

#[test]
fn a_worker_that_is_killed_repeats_at_most_its_jobs() {
    for mut seed in seeds(5) {
        let Some((mut fleet, one, two)) = fleet() else {
            return;
        };
        let usual = fleet.catches_up(GROUP);
        seed.moment(MOMENT);
        one.signal(Signal::KILL);
        let killed = Instant::now();
        // What came later waits behind it: that is not the dead worker's affair.
        std::thread::sleep(Duration::from_secs(1));
        let stored = fleet.server.stored();
        two.says("32 of 32 partitions are ours");
        // A lease to be sure that it is dead, and one for a worker that sees it late.
        let taken_over = killed.elapsed();
        assert!(taken_over < 2 * LEASE + TO_SEE, "{taken_over:?}");
        fleet.handles(GROUP, &stored);
        let silent = killed.elapsed();
        shown(&format!(
            "all is handled after {silent:?}, {usual:?} before"
        ));
        assert!(silent < 2 * LEASE + ACK_WAIT + TO_SEE + usual, "{silent:?}");
        let again = fleet.worker(GROUP, "", &JOBS);
        again.says("16 of 32 partitions are ours");
        let repeats = fleet.judge(GROUP);
        shown(&format!("{repeats} repeats"));
        assert!(repeats <= 2, "{repeats} repeats");
        leaves(again);
        leaves(two);
    }
}

#[test]
fn a_worker_that_is_stopped_for_a_while_does_nothing_unmarked() {
    for mut seed in seeds(5) {
        let Some((mut fleet, one, two)) = fleet() else {
            return;
        };
        seed.moment(MOMENT);
        one.signal(Signal::STOP);
        let stopped = Instant::now();
        two.says("32 of 32 partitions are ours");
        fleet.more_runs(GROUP, 50);
        std::thread::sleep(Duration::from_secs(5).saturating_sub(stopped.elapsed()));
        one.signal(Signal::CONT);
        one.says("our lease ran out");
        one.says_times("16 of 32 partitions are ours", 2);
        let repeats = fleet.judge(GROUP);
        assert!(repeats <= 2, "{repeats} repeats");
        leaves(one);
        leaves(two);
    }
}

/// Writes down each line, and goes on after it when it is told to.
const CHILD: &str = "#!/bin/sh\nwhile read -r line; do printf '%s\\n' \"$line\" >> \"$NOTES.lines\"\n\
    while [ ! -e \"$NOTES.go\" ]; do sleep 0.05; done; done\n";

/// Its child reads slowly: what has begun waits for room in the pipe.
#[test]
fn a_child_of_a_worker_that_was_stopped_is_given_nothing_that_others_had() {
    for mut seed in seeds(5) {
        let Some(server) = server(JETSTREAM) else {
            return;
        };
        let fleet = Fleet::start(server, 60);
        let one = fleet.worker_of(GROUP, CHILD, &["--keep-running"]);
        let notes = |name| fleet.notes(GROUP).with_extension(name);
        let (read, go) = (notes("lines"), notes("go"));
        wait_for("a line", || read.exists() && !lines(&read).is_empty());
        let many = fleet.server.count() + 100;
        wait_for("events in hand", || fleet.server.count() >= many);
        seed.moment(MOMENT);
        one.signal(Signal::STOP);
        let two = fleet.worker(GROUP, "", &JOBS);
        two.says("32 of 32 partitions are ours");
        fleet.more_runs(GROUP, 150);
        one.signal(Signal::CONT);
        one.says("our lease ran out");
        std::fs::write(&go, "").unwrap();
        one.says("16 of 32 partitions are ours");
        let many = lines(&read).len() + 50;
        wait_for("lines", || lines(&read).len() >= many);
        leaves(one);
        leaves(two);
        let theirs = fleet.runs(GROUP);
        let theirs: BTreeSet<&str> = theirs.iter().map(|run| run.id.as_str()).collect();
        let late = lines(&read).into_iter().filter(|line| {
            let event: Value = serde_json::from_str(line).unwrap();
            event["repeated"] != true && theirs.contains(event["id"].as_str().unwrap())
        });
        // What lay in the pipe, the smallest there is, is the child's.
        let late: Vec<usize> = late.map(|line| line.len() + 1).collect();
        shown(&format!("the child was given {late:?}"));
        assert!(
            late.iter().sum::<usize>() <= rustix::param::page_size(),
            "{late:?}"
        );
    }
}

#[test]
fn a_server_that_is_killed_and_comes_back_loses_nothing() {
    for mut seed in seeds(5) {
        let Some((mut fleet, one, two)) = fleet() else {
            return;
        };
        for _ in 0..2 {
            seed.moment(MOMENT);
            fleet.server.kill();
            // Once shorter than a lease, once longer.
            std::thread::sleep(Duration::from_millis(500));
            fleet.server.start();
            fleet.more_runs(GROUP, 50);
        }
        fleet.server.kill();
        one.says("our lease ran out, no connection to NATS at ");
        fleet.server.start();
        fleet.more_runs(GROUP, 50);
        // A server that is killed has forgotten acknowledgements: what is handled again is marked.
        fleet.judge(GROUP);
        leaves(one);
        leaves(two);
    }
}

#[test]
fn a_worker_and_the_server_are_killed_at_once() {
    for mut seed in seeds(5) {
        let Some((mut fleet, one, two)) = fleet() else {
            return;
        };
        seed.moment(MOMENT);
        one.signal(Signal::KILL);
        fleet.server.kill();
        std::thread::sleep(Duration::from_millis(300));
        fleet.server.start();
        two.says("32 of 32 partitions are ours");
        // The server has forgotten acknowledgements that the dead worker alone knew.
        fleet.judge(GROUP);
        leaves(two);
    }
}

#[test]
fn a_stream_that_fills_is_enlarged_while_workers_read_it() {
    for mut seed in seeds(5) {
        let Some(server) = server(JETSTREAM) else {
            return;
        };
        server.make_stream(|config| config.max_messages = 150);
        let mut fleet = Fleet::start(server, 60);
        let worker = fleet.worker(GROUP, "", &JOBS);
        let subscriber = fleet.subscriber.as_ref().unwrap();
        subscriber.says("is full");
        wait_for("what the stream holds", || fleet.runs(GROUP).len() == 150);
        seed.moment(MOMENT);
        fleet.server.enlarge_stream();
        subscriber.says("the stream takes events again");
        fleet.more_runs(GROUP, 50);
        assert_eq!(fleet.judge(GROUP), 0);
        leaves(worker);
    }
}
