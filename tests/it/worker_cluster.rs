//! Workers on a stream of three servers whose leader is killed, or stopped: every event is handled,
//! those of an endpoint in order, and what is handled again is marked. Judged by what the lab
//! published.

use std::time::Duration;

use rustix::process::Signal;

use crate::support::fleet::Fleet;
use crate::support::nats_cluster::{Cluster, cluster};
use crate::support::running::Running;
use crate::support::seeds::{seeds, shown};

const GROUP: &str = "g";
const JOBS: [&str; 2] = ["--jobs", "2"];

/// The fault comes within this time.
const MOMENT: Duration = Duration::from_millis(500);

fn fleet() -> Option<(Fleet<Cluster>, [Running; 2])> {
    let fleet = Fleet::start(cluster()?, 60);
    let one = fleet.worker(GROUP, "", &JOBS);
    one.says("32 of 32 partitions are ours");
    let two = fleet.worker(GROUP, "", &JOBS);
    two.says("16 of 32 partitions are ours");
    fleet.more_runs(GROUP, 50);
    Some((fleet, [one, two]))
}

fn ends(mut fleet: Fleet<Cluster>, workers: [Running; 2]) {
    // Servers that are elected have forgotten acknowledgements: what is handled again is marked.
    let repeats = fleet.judge(GROUP);
    shown(&format!("{repeats} repeats, all of them marked"));
    for worker in workers {
        worker.signal(Signal::TERM);
        let (code, _, err) = worker.end();
        assert_eq!(code, 143, "{err:?}");
        assert!(err.join("\n").contains("failed 0"), "{err:?}");
    }
}

#[test]
fn the_streams_leader_is_killed_and_comes_back() {
    for mut seed in seeds(5) {
        let Some((mut fleet, workers)) = fleet() else {
            return;
        };
        seed.moment(MOMENT);
        let leader = fleet.server.leader();
        fleet.server.servers[leader].kill();
        fleet.more_runs(GROUP, 50);
        fleet.server.servers[leader].start();
        fleet.more_runs(GROUP, 50);
        ends(fleet, workers);
    }
}

#[test]
fn the_streams_leader_is_stopped_and_goes_on() {
    for mut seed in seeds(5) {
        let Some((fleet, workers)) = fleet() else {
            return;
        };
        seed.moment(MOMENT);
        let leader = fleet.server.leader();
        fleet.server.servers[leader].signal(Signal::STOP);
        // Longer than the others wait for a sign of it.
        std::thread::sleep(Duration::from_secs(12));
        fleet.server.servers[leader].signal(Signal::CONT);
        fleet.more_runs(GROUP, 50);
        ends(fleet, workers);
    }
}

#[test]
fn a_worker_and_the_streams_leader_are_killed_at_once() {
    for mut seed in seeds(5) {
        let Some((mut fleet, [one, two])) = fleet() else {
            return;
        };
        seed.moment(MOMENT);
        let leader = fleet.server.leader();
        one.signal(Signal::KILL);
        fleet.server.servers[leader].kill();
        two.says("32 of 32 partitions are ours");
        fleet.more_runs(GROUP, 50);
        fleet.server.servers[leader].start();
        let three = fleet.worker(GROUP, "", &JOBS);
        three.says("16 of 32 partitions are ours");
        ends(fleet, [two, three]);
    }
}
