//! The figures of `subscribe --to` and `worker`, beside a nats-server with file storage: events
//! stored, and callbacks of one, two and four workers.
//!
//! `NETAPI_FIGURE_EVENTS` sets the number of events stored, 100,000 otherwise, and those of workers
//! in proportion: few of them try whether the groups work.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::Figures;
use crate::commands::{Run, compiled};
use crate::events::{SESSIONS, best_rate, per_second, rate, subscribe};
use crate::nats::NatsServer;
use crate::pubsub::{Node, Plan};

/// What every stream has.
const PARTITIONS: usize = 32;

/// Events of the first groups.
fn events() -> u64 {
    let given = std::env::var("NETAPI_FIGURE_EVENTS").ok();
    given.map_or(100_000, |text| text.parse().expect("a number of events"))
}

fn node(events: u64) -> Node {
    Node::start(Plan {
        events,
        sessions: SESSIONS,
        per_second: None,
    })
}

/// Events stored a second: beside the client alone, and beside a child that reads them.
pub(crate) fn stored(figures: &mut Figures) {
    let Some(server) = NatsServer::start() else {
        return;
    };
    let events = events();
    let node = node(events);
    let to = server.stream();
    let run = subscribe(&node, events, &["--to", &to]);
    let stored = |run: &Run| {
        server.empty();
        let rate = rate(&node, run, events);
        assert_eq!(server.count(), events, "an event is missing");
        rate
    };
    let mut ours = stored(&run);
    let messages = server.messages();
    let (mut bodies, mut whole) = (0.0, 0.0);
    for _ in 0..3 {
        ours = stored(&run).max(ours);
        let client = |headers| per_second(events, server.stored_by_client(&messages, headers));
        bodies = client(false).max(bodies);
        whole = client(true).max(whole);
    }
    drop(messages);
    println!(
        "     async-nats alone, a window of 512: {bodies:.0} events/s, {whole:.0} with the headers; subscribe --to: {ours:.0}"
    );
    figures.line(
        "time an event, --to / async-nats alone, the same bodies (1/0.5)",
        bodies / ours,
        1.0 / 0.5,
        "x",
    );
    figures.line(
        "the same, beside async-nats with the same headers (1/0.5)",
        whole / ours,
        1.0 / 0.5,
        "x",
    );

    let dir = tempfile::tempdir().unwrap();
    let spool = dir.path().join("spool");
    let path = spool.display().to_string();
    let to = subscribe(&node, events, &["--to", &to, "--spool", &path]).forgetting(&spool);
    let child = ["--callback", "/bin/cat", "--keep-running", "--spool", &path];
    let child = subscribe(&node, events, &child).forgetting(&spool);
    let (mut ours, mut theirs) = (0.0, 0.0);
    for _ in 0..3 {
        ours = stored(&to).max(ours);
        theirs = best_rate(1, &node, &child, events).max(theirs);
    }
    println!("     --spool --keep-running: {theirs:.0} events/s; --spool --to: {ours:.0}");
    figures.line(
        "time an event, --spool --to / --spool --keep-running (1/0.5)",
        theirs / ours,
        1.0 / 0.5,
        "x",
    );
}

/// A worker; killed when it is dropped.
struct Worker {
    child: Child,
    log: PathBuf,
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// So many workers of a new group, each with its share.
fn workers(server: &NatsServer, dir: &Path, count: usize, callback: &[&str]) -> Vec<Worker> {
    static GROUPS: AtomicU32 = AtomicU32::new(0);
    let from = server.stream();
    // Nothing is left of the group before.
    let group = format!("group-{}", GROUPS.fetch_add(1, Ordering::Relaxed));
    let start = |number: usize| {
        let log = dir.join(format!("worker-{number}"));
        let child = Command::new(env!("CARGO_BIN_EXE_netapi"))
            .args(["ise", "pxgrid", "worker", "--from", &from, "--lease", "3s"])
            .args(["--group", &group])
            .args(callback)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Worker { child, log }
    };
    let workers: Vec<Worker> = (0..count).map(start).collect();
    let share = format!("{} of {PARTITIONS} partitions are ours", PARTITIONS / count);
    let began = Instant::now();
    let has_share = |worker: &Worker| {
        let text = std::fs::read_to_string(&worker.log).unwrap();
        text.lines()
            .last()
            .is_some_and(|last| last.starts_with(&share))
    };
    while !workers.iter().all(has_share) {
        assert!(began.elapsed() < Duration::from_mins(1), "no share");
        std::thread::sleep(Duration::from_millis(20));
    }
    workers
}

/// Callbacks a second of so many workers, for events that are all in the stream.
fn worked(server: &NatsServer, node: &Node, events: u64, count: usize, callback: &[&str]) -> f64 {
    server.empty();
    let dir = tempfile::tempdir().unwrap();
    let workers = workers(server, dir.path(), count, callback);
    subscribe(node, events, &["--to", &server.stream()]).seconds();
    assert_eq!(server.count(), events, "an event is missing");
    let (began, first) = (Instant::now(), server.left());
    let mut left = first;
    while left > 0 {
        std::thread::sleep(pause(began.elapsed(), first, left));
        left = server.left();
    }
    let rate = per_second(first, began.elapsed().as_secs_f64());
    drop(workers);
    rate
}

/// How long not to ask the server what is left: a quarter of what that will take. Each answer costs
/// it about 2 ms, one a partition's consumer, which no reference pays.
fn pause(elapsed: Duration, first: u64, left: u64) -> Duration {
    let done = first.saturating_sub(left).max(1);
    let part = u32::try_from(left * 1000 / done).unwrap_or(u32::MAX);
    let to_come = elapsed.saturating_mul(part) / 1000;
    (to_come / 4).clamp(Duration::from_millis(20), Duration::from_secs(1))
}

/// A callback that sleeps for so many milliseconds.
fn sleeping(milliseconds: u32) -> String {
    let source = format!(
        "fn main() {{ std::thread::sleep(std::time::Duration::from_millis({milliseconds})); }}"
    );
    let program = compiled(&format!("sleeps_{milliseconds}"), &source);
    program.display().to_string()
}

/// Starts a program so many times, on so many threads.
const LOOP: &str = r"
use std::sync::atomic::{AtomicI64, Ordering};
fn main() {
    let mut args = std::env::args().skip(1);
    let program = args.next().unwrap();
    let left = AtomicI64::new(args.next().unwrap().parse().unwrap());
    let threads: u32 = args.next().unwrap().parse().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while left.fetch_sub(1, Ordering::Relaxed) > 0 {
                    assert!(std::process::Command::new(&program).status().unwrap().success());
                }
            });
        }
    });
}
";

/// Callbacks of workers: two and four beside one, one beside `subscribe`, and slow callbacks beside
/// what a bare loop can do.
pub(crate) fn workers_rates(figures: &mut Figures) {
    let Some(server) = NatsServer::start() else {
        return;
    };
    let each = events() / 50;
    let sleep = sleeping(1);
    // One at a time: with more the machine's cores are the bound, since each starts a process.
    let one_by_one = ["--callback", &sleep, "--jobs", "1"];
    let mut rates = [0.0_f64; 3];
    for _ in 0..2 {
        for (rate, count) in rates.iter_mut().zip([1_usize, 2, 4]) {
            let events = each * count as u64;
            let worked = worked(&server, &node(events), events, count, &one_by_one);
            *rate = worked.max(*rate);
        }
    }
    let [one, two, four] = rates;
    println!(
        "     a callback of 1 ms, --jobs 1: one worker {one:.0} events/s, two {two:.0}, four {four:.0}"
    );
    figures.line(
        "time an event, two workers / one (1/1.6)",
        one / two,
        1.0 / 1.6,
        "x",
    );
    figures.line(
        "time an event, four workers / one (1/2.3)",
        one / four,
        1.0 / 2.3,
        "x",
    );

    let events = 2 * each;
    let node_of = node(events);
    let callback = ["--callback", &sleep, "--jobs", "2"];
    let subscribing = subscribe(&node_of, events, &callback);
    let (mut ours, mut theirs) = (0.0, 0.0);
    for _ in 0..3 {
        ours = worked(&server, &node_of, events, 1, &callback).max(ours);
        theirs = rate(&node_of, &subscribing, events).max(theirs);
    }
    println!("     the same, --jobs 2: subscribe {theirs:.0} events/s; one worker {ours:.0}");
    figures.line(
        "time an event, one worker / subscribe (1/0.8)",
        theirs / ours,
        1.0 / 0.8,
        "x",
    );
    slow(figures, &server, 5 * each);
}

/// Callbacks of 50 ms, 64 at a time in each of four workers.
fn slow(figures: &mut Figures, server: &NatsServer, events: u64) {
    const IN_THEORY: f64 = 4.0 * 64.0 / 0.05;
    let sleep = sleeping(50);
    let many = compiled("starts_many", LOOP);
    let many = Run::program(&many, &[&sleep, &events.to_string(), "256"]);
    let node = node(events);
    let callback = ["--callback", &sleep, "--jobs", "64"];
    let (mut ours, mut theirs) = (0.0, 0.0);
    for _ in 0..3 {
        ours = worked(server, &node, events, 4, &callback).max(ours);
        theirs = per_second(events, many.seconds()).max(theirs);
    }
    println!(
        "     a callback of 50 ms, 256 at a time: {IN_THEORY:.0} events/s in theory, a bare loop on this machine {theirs:.0}; four workers {ours:.0}"
    );
    figures.line(
        "time an event, four workers of 64 jobs / the possible (1/0.8)",
        theirs / ours,
        1.0 / 0.8,
        "x",
    );
}
