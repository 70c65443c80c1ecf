//! The figures of `pxgrid subscribe`: events printed, callbacks started, and what both take of
//! memory.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Figures;
use crate::commands::{Run, compiled};
use crate::pubsub::{Node, Plan};

/// What px-subscribe of pxgrid-util did when the bounds were made, for where it is not installed.
const PX_SUBSCRIBE: f64 = 15_000.0;

/// Sessions of a campus, which change again and again.
pub(crate) const SESSIONS: u64 = 20_000;

/// A callback that writes its message's number and its own start time, in nanoseconds since the
/// epoch.
const CLOCK: &str = r#"
use std::io::Write;
fn main() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let file = std::env::args().nth(1).unwrap();
    let line = format!("{} {}\n", std::env::var("NETAPI_SEQUENCE").unwrap(), now.as_nanos());
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(file).unwrap();
    file.write_all(line.as_bytes()).unwrap();
}
"#;

/// The command that takes this many events.
pub(crate) fn subscribe(node: &Node, events: u64, more: &[&str]) -> Run {
    let count = events.to_string();
    let mut arguments = vec!["ise", "pxgrid", "subscribe", "--topic", "session"];
    arguments.extend(["--count", &count]);
    arguments.extend(more);
    Run::netapi(&arguments)
        .against_pxgrid(&node.server)
        .silent()
}

/// Events a second, from the subscription to the program's end.
pub(crate) fn rate(node: &Node, run: &Run, events: u64) -> f64 {
    run.seconds();
    per_second(events, node.since_subscribed())
}

pub(crate) fn per_second(events: u64, seconds: f64) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "a count of events")]
    let events = events as f64;
    events / seconds
}

pub(crate) fn best_rate(rounds: u32, node: &Node, run: &Run, events: u64) -> f64 {
    (0..rounds)
        .map(|_| rate(node, run, events))
        .fold(0.0, f64::max)
}

/// A loop that starts a script so many times, on two threads.
const LOOP: &str = r"
fn main() {
    let mut args = std::env::args().skip(1);
    let script = args.next().unwrap();
    let count: u64 = args.next().unwrap().parse().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..count / 2 {
                    assert!(std::process::Command::new(&script).status().unwrap().success());
                }
            });
        }
    });
}
";

/// Events printed a second, beside px-subscribe.
pub(crate) fn printed(figures: &mut Figures) {
    const OURS: u64 = 1_000_000;
    const THEIRS: u64 = 20_000;
    let node = |events| {
        Node::start(Plan {
            events,
            sessions: SESSIONS,
            per_second: None,
        })
    };
    let few = node(THEIRS);
    let px = Run::px_subscribe(&few.server);
    let theirs = px.map_or_else(
        || {
            println!(
                "     px-subscribe: not measured, pxgrid-util is not installed; {PX_SUBSCRIBE:.0} events/s stand for it"
            );
            PX_SUBSCRIBE
        },
        |px| best_rate(2, &few, &px, THEIRS),
    );
    let many = node(OURS);
    let ours = best_rate(3, &many, &subscribe(&many, OURS, &["--json"]), OURS);
    println!("     px-subscribe: {theirs:.0} events/s; netapi: {ours:.0} events/s");
    figures.line(
        "subscribe --json, time an event, as a part of px-subscribe (1/20)",
        theirs / ours,
        1.0 / 20.0,
        "x",
    );
}

/// Callbacks a second, beside a bare loop.
pub(crate) fn callbacks(figures: &mut Figures) {
    // So many that beginning and end of the connection hardly count.
    const EVENTS: u64 = 6_000;
    let node = Node::start(Plan {
        events: EVENTS,
        sessions: SESSIONS,
        per_second: None,
    });
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("nothing.sh");
    let made = Command::new("sh")
        .args([
            "-c",
            "printf '#!/bin/sh\\n' > \"$1\" && chmod 755 \"$1\"",
            "sh",
        ])
        .arg(&script)
        .status();
    assert!(made.unwrap().success());
    let callback = script.display().to_string();
    let run = subscribe(&node, EVENTS, &["--callback", &callback, "--jobs", "2"]);
    let bare = compiled("loop", LOOP);
    let bare = || Run::program(&bare, &[&callback, &EVENTS.to_string()]);
    // A script starts slower with more variables, and a callback gets ours: so does the reference,
    // our settings among them.
    let (empty, bare) = (bare(), bare().against_pxgrid(&node.server));
    let (mut ours, mut theirs, mut without) = (0.0, 0.0, 0.0);
    for _ in 0..5 {
        ours = rate(&node, &run, EVENTS).max(ours);
        theirs = per_second(EVENTS, bare.seconds()).max(theirs);
        without = per_second(EVENTS, empty.seconds()).max(without);
    }
    println!(
        "     bare loop: {theirs:.0} callbacks/s, {without:.0} without our settings in its environment; netapi --jobs 2: {ours:.0}"
    );
    figures.line(
        "time a callback, --jobs 2 / a bare loop of two (1/0.8)",
        theirs / ours,
        1.0 / 0.8,
        "x",
    );
}

/// From sent to callback started, without and with a durable spool.
pub(crate) fn latency(figures: &mut Figures) {
    for spool in [false, true] {
        started_after(figures, spool);
    }
}

fn started_after(figures: &mut Figures, spool: bool) {
    const EVENTS: u64 = 500;
    let node = Node::start(Plan {
        events: EVENTS,
        sessions: SESSIONS,
        per_second: Some(50),
    });
    let dir = tempfile::tempdir().unwrap();
    let times = dir.path().join("times").display().to_string();
    let clock = compiled("clock", CLOCK).display().to_string();
    let spool_dir = dir.path().join("spool").display().to_string();
    let mut more = vec!["--callback", &clock];
    if spool {
        more.extend(["--spool", &spool_dir]);
    }
    more.extend(["--", &times]);
    subscribe(&node, EVENTS, &more).seconds();
    let text = std::fs::read_to_string(&times).unwrap();
    let mut late: Vec<f64> = text
        .lines()
        .map(|line| {
            let (sequence, started) = line.split_once(' ').unwrap();
            let started: u128 = started.parse().unwrap();
            let nanoseconds = started.saturating_sub(node.sent(sequence.parse().unwrap()));
            #[allow(clippy::cast_precision_loss, reason = "some milliseconds")]
            let milliseconds = nanoseconds as f64 / 1e6;
            milliseconds
        })
        .collect();
    assert_eq!(late.len() as u64, EVENTS, "a callback is missing");
    late.sort_by(f64::total_cmp);
    println!(
        "     sent -> callback started: half of them within {:.2} ms",
        late[late.len() / 2]
    );
    let what = if spool {
        "the same with --spool"
    } else {
        "sent -> callback started at 50 events/s, 99 of 100 within"
    };
    figures.line(what, late[late.len() * 99 / 100 - 1], 10.0, "ms");
}

/// Peak memory: many sessions printed, many events waiting.
pub(crate) fn memory(figures: &mut Figures) {
    memory_printing(figures);
    memory_waiting(figures);
}

fn memory_printing(figures: &mut Figures) {
    // Each event is of another session: more than are remembered.
    const EVENTS: u64 = 1_000_000;
    let node = Node::start(Plan {
        events: EVENTS,
        sessions: EVENTS,
        per_second: None,
    });
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("events.jsonl");
    let run = subscribe(&node, EVENTS, &["--json"]).into_file(&file);
    let peak = run.peak_mebibytes();
    let lines = line_count(&file);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(lines, EVENTS, "an event is missing");
    figures.line(
        "peak memory of subscribe --json, 1,000,000 sessions to a file",
        peak,
        64.0,
        "MiB",
    );
}

fn line_count(file: &PathBuf) -> u64 {
    let mut reader = std::io::BufReader::with_capacity(1 << 20, std::fs::File::open(file).unwrap());
    let mut lines = 0;
    loop {
        let bytes = std::io::BufRead::fill_buf(&mut reader).unwrap();
        if bytes.is_empty() {
            return lines;
        }
        lines += memchr::memchr_iter(b'\n', bytes).count() as u64;
        let length = bytes.len();
        std::io::BufRead::consume(&mut reader, length);
    }
}

fn memory_waiting(figures: &mut Figures) {
    const SECONDS: u64 = 60;
    let events = 50 * SECONDS;
    let node = Node::start(Plan {
        events,
        sessions: SESSIONS,
        per_second: Some(50),
    });
    let dir = tempfile::tempdir().unwrap();
    let spool = dir.path().join("spool").display().to_string();
    let slow = compiled(
        "slow",
        "fn main() { std::thread::sleep(std::time::Duration::from_secs(1)); }",
    );
    let slow = slow.display().to_string();
    // What waits when all have come would take the rest of the hour: it stays in the spool.
    let run = subscribe(&node, events + 1, &["--callback", &slow, "--spool", &spool])
        .interrupted_after(SECONDS + 1);
    figures.line(
        "peak memory with a callback of 1 s at 50 events/s, a minute",
        run.peak_mebibytes(),
        64.0,
        "MiB",
    );
}

/// Two million sessions that are remembered over a restart: on disk, at the next start, in memory.
pub(crate) fn memory_of_sessions(figures: &mut Figures) {
    const SESSIONS: u64 = 2_000_000;
    let dir = tempfile::tempdir().unwrap();
    let spool = dir.path().join("spool").display().to_string();
    let node = |events| {
        Node::start(Plan {
            events,
            sessions: SESSIONS,
            per_second: None,
        })
    };
    let many = node(SESSIONS);
    let run = subscribe(&many, SESSIONS, &["--json", "--spool", &spool]);
    let first = run.peak_mebibytes();
    figures.line(
        "2,000,000 sessions with --spool: peak memory",
        first,
        64.0,
        "MiB",
    );
    let disk = on_disk(Path::new(&spool));
    figures.line("the same: the spool on disk", disk, 500.0, "MB");
    // It finds an empty directory, which it compares with all that is remembered.
    let one = node(1);
    let again = subscribe(&one, 2, &["--json", "--spool", &spool, "--for", "5s"]);
    let seconds = again.seconds() - one.since_subscribed();
    figures.line(
        "the same: the next start, until it is subscribed",
        seconds,
        10.0,
        "s",
    );
    let second = again.peak_mebibytes();
    figures.line("the same: peak memory of the next run", second, 64.0, "MiB");
}

/// What the files in a directory take, in megabytes.
fn on_disk(dir: &Path) -> f64 {
    let files = std::fs::read_dir(dir).unwrap();
    let blocks: u64 = files
        .map(|file| file.unwrap().metadata().unwrap().blocks())
        .sum();
    #[allow(clippy::cast_precision_loss, reason = "some hundred megabytes")]
    let bytes = (blocks * 512) as f64;
    bytes / 1e6
}
