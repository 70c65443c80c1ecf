//! `--metrics`: what Prometheus gets, and what strangers at the port cannot do.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::support::lab::{self, TestLab};
use crate::support::running::Running;
use crate::support::{PATIENCE, stderr};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/metrics.txt");

const SUBSCRIBE: [&str; 6] = [
    "ise",
    "pxgrid",
    "subscribe",
    "--topic",
    "session",
    "--snapshot",
];

fn start(lab: &TestLab, arguments: &[&str]) -> (Running, String) {
    start_with(lab, arguments, &[])
}

fn start_with(lab: &TestLab, arguments: &[&str], variables: &[(&str, &str)]) -> (Running, String) {
    let mut words = arguments.to_vec();
    words.extend(["--metrics", "0"]);
    let running = lab.start_netapi(&words, variables);
    running.says("metrics at");
    let err = running.err();
    let line = err
        .iter()
        .find_map(|line| line.strip_prefix("metrics at http://"));
    let address = line.unwrap().strip_suffix("/metrics").unwrap().to_owned();
    assert!(address.starts_with("127.0.0.1:"), "{address}");
    (running, address)
}

/// Sends `request` and reads until the server has had enough.
fn ask(address: &str, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // A server that has had enough may close before it has all of it.
    let _broken = stream.write_all(request);
    let mut answer = Vec::new();
    let _broken = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

fn scrape(address: &str) -> BTreeMap<String, String> {
    let answer = ask(address, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let kind = "content-type: text/plain; version=0.0.4; charset=utf-8";
    assert!(head.contains(kind), "{head}");
    parsed(body).1
}

/// Text format 0.0.4, strictly: each metric described once, before its samples, which stand
/// together. Gives the descriptions and the samples.
fn parsed(text: &str) -> (Vec<String>, BTreeMap<String, String>) {
    let (mut described, mut samples) = (Vec::new(), BTreeMap::new());
    let (mut seen, mut current) = (BTreeSet::new(), String::new());
    assert!(text.ends_with('\n'));
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            let legal = |c: char| c.is_ascii_lowercase() || c == '_';
            assert!(name.chars().all(legal), "{name}");
            assert!(help.ends_with('.') && !help.contains('\\'), "{help}");
            assert!(seen.insert(name.to_owned()), "twice: {name}");
            let kind = lines.next().unwrap();
            let kind = kind.strip_prefix(&format!("# TYPE {name} ")).unwrap();
            assert!(["counter", "gauge"].contains(&kind));
            assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
            described.push(format!("{name} {kind} {help}"));
            name.clone_into(&mut current);
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap();
        let bare = name.split('{').next().unwrap();
        assert_eq!(bare, current, "{line}");
        if let Some(labels) = name.strip_prefix(bare).filter(|labels| !labels.is_empty()) {
            assert!(labels.starts_with('{') && labels.ends_with("\"}"), "{line}");
        }
        value.parse::<f64>().unwrap();
        assert!(
            samples.insert(name.to_owned(), value.to_owned()).is_none(),
            "{line}"
        );
    }
    (described, samples)
}

/// `UPDATE_GOLDEN=1` writes the file anew. Who watches netapi relies on these names.
#[test]
fn names_kinds_and_help_are_those_of_the_golden_file() {
    let lab = lab::lab();
    let mut text = String::new();
    let state = tempfile::tempdir().unwrap();
    let variables = [("XDG_STATE_HOME", state.path().to_str().unwrap())];
    for (name, arguments, ready) in [
        ("subscribe", &SUBSCRIBE[..], "subscribed on"),
        (
            "publish",
            &[
                "ise",
                "pxgrid",
                "publish",
                "/topic/com.example.x",
                "/dev/null",
                "--stay",
            ],
            "connected to",
        ),
        ("watch", &["ise", "mnt", "watch"], "watching"),
        ("dc live", &["ise", "dc", "live"], "following"),
        ("lab up", &["ise", "lab", "up"], "the lab is up"),
    ] {
        let (running, address) = start_with(&lab, arguments, &variables);
        running.says(ready);
        let answer = ask(&address, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let described = parsed(body).0.join("\n  ");
        writeln!(text, "{name}\n  {described}").unwrap();
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(GOLDEN, &text).unwrap();
    }
    let golden = std::fs::read_to_string(GOLDEN).unwrap_or_default();
    assert_eq!(golden, text, "UPDATE_GOLDEN=1 writes {GOLDEN} anew");
}

/// Those of a worker, which needs a server; a file of their own.
#[cfg(feature = "nats")]
#[test]
fn names_kinds_and_help_of_a_worker_are_kept() {
    use crate::support::nats::{JETSTREAM, Servers, server};

    let Some(server) = server(JETSTREAM) else {
        return;
    };
    server.make_stream(|_| {});
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
    ];
    let (running, address) = start(&lab, &arguments);
    running.says("32 of 32 partitions are ours");
    let answer = ask(&address, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let text = parsed(body).0.join("\n") + "\n";
    let path = GOLDEN.replace("metrics.txt", "metrics-worker.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(golden, text, "UPDATE_GOLDEN=1 writes {path} anew");
    let metrics = scrape(&address);
    assert_eq!(metrics["netapi_worker_partitions"], "32");
    assert_eq!(metrics["netapi_worker_members"], "1");
    assert_eq!(metrics["netapi_worker_lease_good"], "1");
}

#[test]
fn a_scrape_counts_what_the_summary_counts() {
    let lab = lab::lab();
    let (running, address) = start(&lab, &SUBSCRIBE);
    running.says("subscribed on");
    running.until("the snapshot", || {
        let metrics = scrape(&address);
        let received = &metrics["netapi_events_received_total"];
        received != "0"
            && metrics["netapi_events_delivered_total"] == *received
            && metrics["netapi_events_recovered_total"] == *received
            && metrics["netapi_spool_events"] == "0"
            && metrics["netapi_connected"] == "1"
    });
    let metrics = scrape(&address);
    let days = &metrics["netapi_certificate_days_left{certificate=\"client\"}"];
    let days: f64 = days.parse().unwrap();
    assert!((28.0..31.0).contains(&days), "{days}");
    lab.order("fault ws-close@1");
    running.until("a second connection", || {
        scrape(&address)["netapi_reconnects_total"] == "1"
    });
}

#[test]
fn only_get_and_head_of_one_path() {
    let lab = lab::lab();
    let (_running, address) = start(&lab, &SUBSCRIBE);
    for (request, status) in [
        ("GET /metrics?x=1", "200"),
        ("HEAD /metrics", "200"),
        ("GET /", "404"),
        ("GET /metrics/", "404"),
        ("POST /", "404"),
        ("POST /metrics", "405"),
        ("DELETE /metrics", "405"),
    ] {
        let text = format!("{request} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
        let answer = ask(&address, text.as_bytes());
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{request}: {answer}"
        );
        let head = answer.split_once("\r\n\r\n").unwrap();
        assert_eq!(head.1.is_empty(), request.starts_with("HEAD"), "{answer}");
        if status == "405" {
            assert!(answer.contains("allow: GET, HEAD"), "{answer}");
        }
    }
}

/// Big heads, nonsense, and more connections than there is room for: each is ended, and the next
/// scrape is answered.
#[test]
fn strangers_cannot_keep_it_from_answering() {
    let lab = lab::lab();
    let (running, address) = start(&lab, &SUBSCRIBE);
    running.says("subscribed on");
    let big = format!(
        "GET /metrics HTTP/1.1\r\nX: {}\r\n\r\n",
        "x".repeat(1 << 20)
    );
    let answer = ask(&address, big.as_bytes());
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
        "{answer}"
    );
    let answer = ask(&address, b"\x16\x03\x01 this is no HTTP\r\n\r\n");
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 400"),
        "{answer}"
    );
    let begun = Instant::now();
    let silent: Vec<TcpStream> = (0..40)
        .map(|_| TcpStream::connect(&address).unwrap())
        .collect();
    scrape(&address);
    assert!(begun.elapsed() < Duration::from_secs(30));
    drop(silent);
    // Nobody was disturbed in what it is there for.
    running.signal(rustix::process::Signal::TERM);
    assert_eq!(running.end().0, 143);
}

#[test]
fn a_port_in_use_is_a_usage_error_before_anything_begins() {
    let lab = lab::lab();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let dir = tempfile::tempdir().unwrap();
    let spool = dir.path().join("spool");
    let spool_text = spool.to_str().unwrap();
    let mut command = lab.netapi();
    command
        .args(SUBSCRIBE)
        .args(["--spool", spool_text, "--metrics", &address]);
    let run = command.assert().code(2);
    assert!(stderr(&run).contains(&address), "{}", stderr(&run));
    assert!(!spool.exists());
    assert_eq!(lab.requests(), [""; 0]);
}
