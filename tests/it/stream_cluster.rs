//! A stream on three servers: whoever leads it is killed, stopped, and comes back, and the stream
//! holds each event once and in order.

use std::time::Duration;

use jiff::Timestamp;
use netapi::testing::lab::{EventRate, LabOptions};
use rustix::process::Signal;

use crate::support::account::{published, stop};
use crate::support::lab::{self, TestLab};
use crate::support::nats::{Servers, holds};
use crate::support::nats_cluster::{Cluster, cluster};
use crate::support::running::Running;
use crate::support::seeds::seeds;
use crate::support::sessions::SESSIONS;
use crate::support::wait_for;

/// The fault comes within this time.
const MOMENT: Duration = Duration::from_millis(500);

fn subscribed(cluster: &Cluster) -> (TestLab, Running, Timestamp) {
    let lab = lab::with(LabOptions {
        sessions: 400,
        events_per_second: EventRate::PerSecond(200),
        ..LabOptions::default()
    });
    let to = cluster.to();
    let create = ["--create-stream", "--max-bytes", "50M", "--replicas", "3"];
    let running = lab.subscribed("session", &[&["--to", to.as_str()][..], &create].concat());
    lab.listened_to(SESSIONS, 1);
    (lab, running, Timestamp::now())
}

/// Waits until so many more are stored.
fn goes_on(cluster: &Cluster, more: u64) {
    let mut wanted = None;
    wait_for("events in the stream", || {
        let Some(count) = cluster.count() else {
            return false;
        };
        count >= *wanted.get_or_insert(count + more)
    });
}

#[test]
fn leaders_that_are_killed_cost_no_event_and_no_order() {
    for mut seed in seeds(5) {
        let Some(mut cluster) = cluster() else {
            return;
        };
        let (lab, running, since) = subscribed(&cluster);
        for _ in 0..2 {
            goes_on(&cluster, 100);
            seed.moment(MOMENT);
            let leader = cluster.leader();
            cluster.servers[leader].kill();
            goes_on(&cluster, 100);
            cluster.servers[leader].start();
        }
        holds(&cluster, &published(&lab, since));
        stop(running);
    }
}

#[test]
fn a_leader_that_is_stopped_and_goes_on_costs_no_event_and_no_order() {
    for mut seed in seeds(5) {
        let Some(cluster) = cluster() else {
            return;
        };
        let (lab, running, since) = subscribed(&cluster);
        goes_on(&cluster, 100);
        seed.moment(MOMENT);
        let leader = cluster.leader();
        cluster.servers[leader].signal(Signal::STOP);
        // Longer than the others wait for a sign of it.
        std::thread::sleep(Duration::from_secs(12));
        cluster.servers[leader].signal(Signal::CONT);
        goes_on(&cluster, 100);
        holds(&cluster, &published(&lab, since));
        stop(running);
    }
}

/// A reading's consumer lies on one server, and may be placed on the one that is gone.
#[test]
fn subscribers_start_while_one_of_three_servers_is_gone() {
    let Some(mut cluster) = cluster() else {
        return;
    };
    let lab = lab::with(LabOptions {
        sessions: 20,
        events_per_second: EventRate::PerSecond(0),
        ..LabOptions::default()
    });
    let to = cluster.to();
    let wanted = ["subscribe", "--topic", "session", "--snapshot", "--count"];
    let create = ["--create-stream", "--max-bytes", "50M", "--replicas", "3"];
    let first = [&wanted[..], &["20", "--to", &to], &create].concat();
    let (code, _, err) = lab.start(&first).end();
    assert_eq!(code, 0, "{err:?}");
    let away = (cluster.leader() + 1) % 3;
    cluster.servers[away].kill();
    for round in 0..4 {
        let again = [&wanted[..], &["20", "--to", &to]].concat();
        let (code, _, err) = lab.start(&again).end();
        assert_eq!(code, 0, "round {round}: {err:?}");
    }
    assert_eq!(cluster.count(), Some(20));
}
