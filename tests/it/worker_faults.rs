//! Workers that come, go, are killed and stopped, and a server that is: every event is handled,
//! those of an endpoint in order, and what is handled again is marked. Judged by what the lab
//! published.
//!
//! `WORKER_ROUNDS` says how often each fault is tried (once, unless it says more).

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::fleet::Fleet;
use crate::support::nats::{JETSTREAM, server};
use crate::support::running::Running;

const GROUP: &str = "g";
const JOBS: [&str; 2] = ["--jobs", "2"];

fn rounds() -> usize {
    let given = std::env::var("WORKER_ROUNDS").ok();
    given.map_or(1, |text| text.parse().unwrap())
}

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
    for _ in 0..rounds() {
        let Some((mut fleet, one, two)) = fleet() else {
            return;
        };
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
    for _ in 0..rounds() {
        let Some((mut fleet, one, two)) = fleet() else {
            return;
        };
        one.signal(Signal::KILL);
        let killed = Instant::now();
        two.says("32 of 32 partitions are ours");
        // A lease to be sure that it is dead, and one for a worker that sees it late.
        assert!(killed.elapsed() < Duration::from_secs(8));
        fleet.more_runs(GROUP, 50);
        let again = fleet.worker(GROUP, "", &JOBS);
        again.says("16 of 32 partitions are ours");
        let repeats = fleet.judge(GROUP);
        assert!(repeats <= 2, "{repeats} repeats");
        leaves(again);
        leaves(two);
    }
}

#[test]
fn a_worker_that_is_stopped_for_a_while_does_nothing_unmarked() {
    for _ in 0..rounds() {
        let Some((mut fleet, one, two)) = fleet() else {
            return;
        };
        one.signal(Signal::STOP);
        two.says("32 of 32 partitions are ours");
        fleet.more_runs(GROUP, 50);
        one.signal(Signal::CONT);
        one.says("our lease ran out");
        one.says_times("16 of 32 partitions are ours", 2);
        let repeats = fleet.judge(GROUP);
        assert!(repeats <= 2, "{repeats} repeats");
        leaves(one);
        leaves(two);
    }
}

#[test]
fn a_server_that_is_killed_and_comes_back_loses_nothing() {
    for _ in 0..rounds() {
        let Some((mut fleet, one, two)) = fleet() else {
            return;
        };
        for _ in 0..2 {
            fleet.server.kill();
            // Once shorter than a lease, once longer.
            std::thread::sleep(Duration::from_millis(500));
            fleet.server.start();
            fleet.more_runs(GROUP, 50);
        }
        fleet.server.kill();
        std::thread::sleep(Duration::from_secs(3));
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
    for _ in 0..rounds() {
        let Some((mut fleet, one, two)) = fleet() else {
            return;
        };
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
