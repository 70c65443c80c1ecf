//! What workers do with events: groups, dead letters, retries, a long-lived child; and what is
//! refused before anything begins.

use std::time::Duration;

use crate::support::callback::{lines, script};
use crate::support::fleet::Fleet;
use crate::support::lab;
use crate::support::nats::{JETSTREAM, NatsServer, Servers, server};
use crate::support::running::Running;
use crate::support::{netapi, process, stderr, stdout, wait_for};

use rustix::process::Signal;

fn worker(server: &NatsServer, more: &[&str]) -> assert_cmd::assert::Assert {
    let from = server.to();
    netapi()
        .args(["ise", "pxgrid", "worker", "--from", &from])
        .args(["--callback", "/bin/true"])
        .args(more)
        .timeout(Duration::from_secs(30))
        .assert()
}

fn ends(worker: Running) {
    worker.signal(Signal::TERM);
    let (code, _, err) = worker.end();
    assert_eq!(code, 143, "{err:?}");
}

#[test]
fn what_cannot_work_is_said_before_anything_begins() {
    for more in [
        &["--group", "a.b"][..],
        &["--lease", "100ms"],
        &["--lease", "10m"],
        &["--partitions", "0"],
        &["--format", "csv"],
    ] {
        netapi()
            .args(["ise", "pxgrid", "worker", "--from", "nats://127.0.0.1/E"])
            .args(["--callback", "/bin/true"])
            .args(more)
            .assert()
            .code(2);
    }
    let none = ["ise", "pxgrid", "worker", "--from", "nats://127.0.0.1/E"];
    netapi().args(none).assert().code(2);
    let Some(server) = server(JETSTREAM) else {
        return;
    };
    let err = stderr(&worker(&server, &[]).code(3));
    assert!(err.contains("there is no stream EVENTS"), "{err}");
    assert!(err.contains("--create-stream"), "{err}");
    server.make_stream(|config| {
        config.description = Some("events in 8 partitions".to_owned());
        config
            .metadata
            .insert("netapi.partitions".to_owned(), "8".to_owned());
    });
    let err = stderr(&worker(&server, &["--partitions", "32"]).code(2));
    assert!(err.contains("has 8 partitions, not 32"), "{err}");
    let err = stderr(&worker(&server, &["--deployment", "other"]).code(5));
    assert!(err.contains("netapi.other.session.0"), "{err}");
    let ok = stderr(&worker(&server, &["--dry-run"]).success());
    assert!(
        ok.contains("would join the group workers") && ok.contains("8 partitions"),
        "{ok}"
    );
}

#[test]
fn a_group_made_for_other_partitions_is_refused() {
    let Some(server) = server(JETSTREAM) else {
        return;
    };
    let describe = |partitions: u32| {
        move |config: &mut async_nats::jetstream::stream::Config| {
            config.description = Some(format!("events in {partitions} partitions"));
            let metadata = &mut config.metadata;
            metadata.insert("netapi.partitions".to_owned(), partitions.to_string());
        }
    };
    server.make_stream(describe(8));
    let lab = lab::lab();
    let from = server.to();
    let arguments = [
        "ise",
        "pxgrid",
        "worker",
        "--from",
        &from,
        "--callback",
        "/bin/true",
        "--lease",
        "1s",
    ];
    let running = lab.start_netapi(&arguments, &[]);
    running.says("8 of 8 partitions are ours");
    ends(running);
    server.ask(async |jetstream| {
        let mut stream = jetstream.get_stream("EVENTS").await.unwrap();
        let mut config = stream.info().await.unwrap().config.clone();
        describe(4)(&mut config);
        jetstream.update_stream(config).await.unwrap();
    });
    let err = stderr(&worker(&server, &[]).code(2));
    assert!(err.contains("another number of partitions"), "{err}");
    worker(&server, &["--group", "other", "--dry-run"]).success();
}

#[test]
fn a_longer_lease_than_the_first_workers_is_remembered_for_as_long() {
    let Some(server) = server(JETSTREAM) else {
        return;
    };
    server.make_stream(|_| {});
    let kept = |lease: &str| {
        let mut command = process();
        command.args(["ise", "pxgrid", "worker", "--from", &server.to()]);
        command.args(["--callback", "/bin/true", "--lease", lease]);
        let worker = Running::start(command);
        worker.says("32 of 32 partitions are ours");
        ends(worker);
        server.ask(async |jetstream| {
            let name = "KV_NETAPI_EVENTS_members";
            let mut bucket = jetstream.get_stream(name).await.unwrap();
            bucket.info().await.unwrap().config.max_age
        })
    };
    assert_eq!(kept("2s"), Duration::from_secs(6));
    assert_eq!(kept("20s"), Duration::from_mins(1));
    assert_eq!(kept("2s"), Duration::from_mins(1));
}

#[test]
fn each_group_gets_all_events_and_one_from_now_on_those_to_come() {
    let Some(server) = server(JETSTREAM) else {
        return;
    };
    let mut fleet = Fleet::start(server, 40);
    let one = fleet.worker("one", "", &["--jobs", "2"]);
    fleet.more_runs("one", 60);
    let before = fleet.server.count();
    let late = fleet.worker("late", "", &["--from-now"]);
    late.says("32 of 32 partitions are ours");
    let two = fleet.worker("two", "", &[]);
    fleet.more_runs("two", 60);
    fleet.more_runs("late", 20);
    let stored = fleet.fill();
    assert_eq!(fleet.judge_stored("one", &stored), 0);
    assert_eq!(fleet.judge_stored("two", &stored), 0);
    let late_runs = fleet.runs("late").len() as u64;
    assert!(
        late_runs <= stored.len() as u64 - before,
        "{late_runs} of {}, {before} were there",
        stored.len()
    );
    for worker in [one, two, late] {
        ends(worker);
    }
}

#[test]
fn what_fails_is_tried_again_then_is_a_dead_letter_and_others_go_on() {
    let Some(server) = server(JETSTREAM) else {
        return;
    };
    let mut fleet = Fleet::start(server, 20);
    // Everything whose id begins so fails.
    let fails = "case $NETAPI_ID in [A-H]*) exit 3;; esac\n";
    let worker = fleet.worker("g", fails, &["--retries", "1"]);
    fleet.more_runs("g", 60);
    let stored = fleet.fill();
    fleet.judge_stored("g", &stored);
    let failing = |id: &str| id.starts_with(|c: char| ('A'..='H').contains(&c));
    let ids = stored
        .iter()
        .map(|stored| stored.body["id"].as_str().unwrap());
    let wanted = ids.filter(|id| failing(id)).count() as u64;
    assert!(wanted > 0);
    let dead = || {
        fleet.server.ask(async |jetstream| {
            let mut stream = jetstream.get_stream("EVENTS_DEAD").await.unwrap();
            stream.info().await.unwrap().state.messages
        })
    };
    wait_for("the dead letters", || dead() == wanted);
    let runs = fleet.runs("g");
    let attempts = runs.iter().filter(|run| failing(&run.id));
    assert_eq!(attempts.count() as u64, 2 * wanted);
    ends(worker);
    // All is acknowledged: another worker has nothing to do.
    let before = fleet.runs("g").len();
    let again = fleet.worker("g", "", &[]);
    again.says("32 of 32 partitions are ours");
    let pending = fleet.server.ask(async |jetstream| {
        let mut pending = 0;
        for partition in 0..32 {
            let name = format!("g-{partition}");
            let consumer: async_nats::jetstream::consumer::PullConsumer = jetstream
                .get_consumer_from_stream(&name, "EVENTS")
                .await
                .unwrap();
            let info = consumer.cached_info();
            pending += info.num_pending + info.num_ack_pending as u64;
        }
        pending
    });
    assert_eq!((pending, fleet.runs("g").len()), (0, before));
    ends(again);
}

#[test]
fn a_long_lived_child_gets_the_events_too() {
    let Some(server) = server(JETSTREAM) else {
        return;
    };
    let mut fleet = Fleet::start(server, 40);
    let out = fleet.dir.path().join("child");
    let text = format!("#!/bin/sh\nexec cat >> {}\n", out.display());
    let callback = script(fleet.dir.path(), &text);
    let from = fleet.server.to();
    let arguments = [
        "ise",
        "pxgrid",
        "worker",
        "--from",
        &from,
        "--lease",
        "2s",
        "--callback",
        callback.to_str().unwrap(),
        "--keep-running",
    ];
    let running = fleet.lab.start_netapi(&arguments, &[]);
    wait_for("events", || out.exists() && lines(&out).len() > 40);
    let stored = fleet.fill();
    wait_for("all events", || lines(&out).len() == stored.len());
    ends(running);
    let line: serde_json::Value = serde_json::from_str(&lines(&out)[0]).unwrap();
    assert!(line["id"].is_string() && line["message"]["sessions"].is_array());
}

#[test]
fn a_unit_is_printed_without_asking_anybody() {
    let unit = netapi()
        .args(["ise", "pxgrid", "worker", "--from"])
        .args(["nats://n1.invalid/EVENTS", "--callback", "/bin/true"])
        .arg("--print-unit")
        .assert()
        .success();
    let text = stdout(&unit);
    assert!(text.contains("--from nats://n1.invalid/EVENTS"), "{text}");
}

/// The acknowledgement of what ran is heard by nobody.
#[test]
fn a_stream_that_is_removed_while_a_callback_runs_ends_the_worker() {
    let Some(server) = server(JETSTREAM) else {
        return;
    };
    let fleet = Fleet::start(server, 20);
    let wait = "while [ ! -e \"$NOTES.go\" ]; do sleep 0.05; done\n";
    let worker = fleet.worker("g", wait, &["--jobs", "1"]);
    fleet.more_runs("g", 1);
    fleet.server.ask(async |jetstream| {
        jetstream.delete_stream("EVENTS").await.unwrap();
    });
    std::fs::write(fleet.dir.path().join("notes-g.go"), "").unwrap();
    let (code, _, err) = worker.end();
    assert_eq!(code, 3, "{err:?}");
    assert!(err.join("\n").contains("is gone"), "{err:?}");
}
