//! The figures of the README, measured in one run beside their references: `cargo bench --bench
//! figures`.
//!
//! Whole commands are timed, netapi and its reference in turn, on documents that a TLS server in
//! this process hands out from memory, so that the lab's own cost does not count. Needs curl,
//! timeout and GNU time (`/usr/bin/time`), and nats-server for the groups of a stream. A missed
//! bound is exit status 1.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::get_unwrap
)]

mod commands;
mod data_connect;
mod events;
mod lab;
mod nats;
mod pubsub;
mod report;
mod server;
mod streams;
mod top;

use commands::{Run, best_of};
use server::{Body, Server};

/// Rows of the timed list: 81 MB.
const ROWS: u64 = 200_000;

type Group = fn(&mut Figures);

/// The groups by name, in the order of the README.
const GROUPS: [(&str, Group); 16] = [
    ("start-up", start_up),
    ("big-list", big_list),
    ("slow-link", slow_link),
    ("pxgrid-list", pxgrid_list),
    ("memory", memory),
    ("size", size),
    ("printed", events::printed),
    ("callbacks", events::callbacks),
    ("latency", events::latency),
    ("waiting", events::memory),
    ("memory-of-sessions", events::memory_of_sessions),
    ("stored", streams::stored),
    ("workers", streams::workers_rates),
    ("data-connect", data_connect::data_connect),
    ("top", top::top),
    ("report", report::report),
];

struct Figures {
    missed: u32,
}

impl Figures {
    fn line(&mut self, what: &str, measured: f64, bound: f64, unit: &str) {
        let ok = measured <= bound;
        self.missed += u32::from(!ok);
        println!(
            "{} {what:64} {measured:9.3} {unit:4} (bound {bound})",
            if ok { "ok  " } else { "MISS" }
        );
    }
}

fn main() {
    // `cargo test --benches` passes --test: nothing to measure then.
    if std::env::args().any(|arg| arg == "--test") {
        return;
    }
    let mut figures = Figures { missed: 0 };
    // `cargo bench --bench figures -- printed callbacks`: those alone.
    let named: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with('-'))
        .collect();
    let known: Vec<&str> = GROUPS.iter().map(|(name, _)| *name).collect();
    if let Some(unknown) = named.iter().find(|name| !known.contains(&name.as_str())) {
        panic!("there are no figures '{unknown}', but {}", known.join(", "));
    }
    for (name, group) in GROUPS {
        if named.is_empty() || named.iter().any(|wanted| wanted == name) {
            group(&mut figures);
        }
    }
    std::process::exit(i32::from(figures.missed > 0));
}

/// How many sessions a large deployment has: fewer try whether a group works.
fn sessions(usual: u64) -> u64 {
    std::env::var("NETAPI_FIGURE_SESSIONS").map_or(usual, |text| {
        text.parse().expect("NETAPI_FIGURE_SESSIONS is a number")
    })
}

fn start_up(figures: &mut Figures) {
    let one_line = commands::one_line_program();
    let netapi = Run::netapi(&["--version"]);
    let reference = Run::program(&one_line, &[]);
    let (ours, theirs) = best_of(300, &netapi, &reference);
    figures.line(
        "--version / a Rust program that prints one line",
        ours.mean / theirs.mean,
        2.0,
        "x",
    );

    let server = Server::start(Body::Count, None);
    let count = Run::netapi(&["ise", "mnt", "count"]).against(&server);
    let curl = Run::curl(&server, "/admin/API/mnt/Session/ActiveCount");
    let (ours, theirs) = best_of(100, &count, &curl);
    figures.line(
        "mnt count / curl of the same request",
        ours.mean / theirs.mean,
        1.0,
        "x",
    );
}

fn big_list(figures: &mut Figures) {
    let server = Server::start(Body::List { rows: ROWS }, None);
    let csv = Run::netapi(&["ise", "mnt", "sessions", "--format", "csv"]).against(&server);
    let curl = Run::curl(&server, "/admin/API/mnt/Session/ActiveList");
    let (ours, theirs) = best_of(15, &csv, &curl);
    println!(
        "     curl -o /dev/null, {ROWS} rows: {:.3} s; netapi csv: {:.3} s",
        theirs.best, ours.best
    );
    figures.line(
        "mnt sessions csv, 200,000 rows / curl",
        ours.best / theirs.best,
        3.0,
        "x",
    );
    if let Some(pipeline) = Run::pipeline(&server) {
        let (ours, theirs) = best_of(2, &csv, &pipeline);
        println!("     curl | xq | jq: {:.2} s", theirs.best);
        figures.line(
            "the same, as a part of curl | xq | jq (1/30)",
            ours.best / theirs.best,
            1.0 / 30.0,
            "x",
        );
    } else {
        println!("     curl | xq | jq: not measured, xq is not installed");
    }
}

fn slow_link(figures: &mut Figures) {
    let server = Server::start(Body::List { rows: ROWS }, Some(125_000_000));
    let csv = Run::netapi(&["ise", "mnt", "sessions", "--format", "csv"]).against(&server);
    let curl = Run::curl(&server, "/admin/API/mnt/Session/ActiveList");
    let (ours, theirs) = best_of(5, &csv, &curl);
    figures.line(
        "the same over 1 Gbit/s / curl",
        ours.best / theirs.best,
        1.1,
        "x",
    );
}

fn pxgrid_list(figures: &mut Figures) {
    let server = Server::start(Body::Pxgrid { rows: 100_000 }, None);
    let sessions =
        Run::netapi(&["ise", "pxgrid", "sessions", "--format", "jsonl"]).against_pxgrid(&server);
    let curl = Run::curl(&server, "/pxgrid/ise/session/getSessions");
    let (ours, theirs) = best_of(15, &sessions, &curl);
    println!(
        "     curl -o /dev/null, 100000 sessions: {:.3} s; netapi jsonl: {:.3} s",
        theirs.best, ours.best
    );
    figures.line(
        "pxgrid sessions jsonl, 100,000 sessions / curl",
        ours.best / theirs.best,
        3.0,
        "x",
    );
    figures.line(
        "peak memory of pxgrid sessions --format jsonl",
        sessions.peak_mebibytes(),
        32.0,
        "MiB",
    );
    if let Some(cisco) = Run::session_query_all(&server) {
        let (ours, theirs) = best_of(3, &sessions, &cisco);
        println!("     session-query-all: {:.2} s", theirs.best);
        figures.line(
            "the same, as a part of session-query-all (1/25)",
            ours.best / theirs.best,
            1.0 / 25.0,
            "x",
        );
    } else {
        println!("     session-query-all: not measured, pxgrid-util is not installed");
    }
}

fn memory(figures: &mut Figures) {
    for rows in [20_000, 2_000_000] {
        let server = Server::start(Body::List { rows }, None);
        for format in ["json", "jsonl", "csv", "tsv"] {
            let run = Run::netapi(&["ise", "mnt", "sessions", "--format", format]).against(&server);
            let what = format!("peak memory of mnt sessions --format {format}, {rows} rows");
            figures.line(&what, run.peak_mebibytes(), 32.0, "MiB");
        }
    }
}

fn size(figures: &mut Figures) {
    let bytes = std::fs::metadata(env!("CARGO_BIN_EXE_netapi"))
        .unwrap()
        .len();
    #[allow(
        clippy::cast_precision_loss,
        reason = "a file size in megabytes, for printing"
    )]
    figures.line("size of the binary", bytes as f64 / 1e6, 16.0, "MB");
}
