//! The example callbacks in `callbacks/`: they do what they say, and a hostile name does nothing.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

const HOSTILE: &str = "'; touch owned; $(touch owned) `touch owned` \u{1b}[2J\u{202e}\n-rf";

fn run(name: &str, arguments: &[&str], dir: &Path, event: &Value) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/callbacks")
        .join(name);
    let path = format!("{}:{}", dir.display(), std::env::var("PATH").unwrap());
    let mut child = Command::new(script)
        .args(arguments)
        .current_dir(dir)
        .env("PATH", path)
        .env("NETAPI_MAC", "00:00:5E:00:53:A1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(event.to_string().as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        !dir.join("owned").exists(),
        "{name} ran what stood in a name"
    );
    output
}

fn event(posture: &str) -> Value {
    json!({
        "event": "sessionUpdated", "receivedAt": "2026-11-22T02:00:00Z", "recovered": false,
        "message": { "sessions": [{
            "macAddress": "00:00:5E:00:53:A1", "userName": HOSTILE, "state": "POSTURED", "postureStatus": posture,
        }]},
    })
}

/// A `netapi` that only writes down how it was called.
fn stand_in(dir: &Path) -> PathBuf {
    let calls = dir.join("calls");
    let text = format!(
        "#!/bin/sh\nprintf '%s\\n' \"$*\" >> '{}'\n",
        calls.display()
    );
    let made = Command::new("sh")
        .args(["-c", "printf %s \"$2\" > \"$1\" && chmod 755 \"$1\"", "sh"])
        .arg(dir.join("netapi"))
        .arg(text)
        .status();
    assert!(made.unwrap().success());
    calls
}

#[test]
fn quarantine_acts_on_its_condition_only() {
    let dir = tempfile::tempdir().unwrap();
    let calls = stand_in(dir.path());
    let healthy = run(
        "quarantine.sh",
        &["Quarantine"],
        dir.path(),
        &event("Compliant"),
    );
    assert!(healthy.status.success() && !calls.exists());
    let sick = run(
        "quarantine.sh",
        &["Quarantine"],
        dir.path(),
        &event("NonCompliant"),
    );
    assert!(sick.status.success(), "{sick:?}");
    assert_eq!(
        std::fs::read_to_string(calls).unwrap(),
        "ise pxgrid anc apply --mac 00:00:5E:00:53:A1 --policy Quarantine\n"
    );
    let broken = run("quarantine.sh", &[], dir.path(), &json!("no event"));
    assert!(!broken.status.success());
}

#[test]
fn log_writes_one_plain_line_an_event() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        assert!(
            run("log.sh", &["log.jsonl"], dir.path(), &event("Compliant"))
                .status
                .success()
        );
    }
    let text = std::fs::read_to_string(dir.path().join("log.jsonl")).unwrap();
    assert!(text.is_ascii() && !text.contains('\u{1b}'));
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["session"]["userName"], HOSTILE);
}

#[test]
fn webhook_posts_the_event_and_fails_when_it_is_not_taken() {
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let mut bodies = Vec::new();
        for status in ["204 No Content", "500 No"] {
            let (mut stream, _) = listener.accept().unwrap();
            let mut seen = Vec::new();
            let mut piece = [0; 4096];
            while !seen.ends_with(b"}") {
                let count = stream.read(&mut piece).unwrap();
                assert!(count > 0, "no whole request");
                seen.extend_from_slice(&piece[..count]);
            }
            stream
                .write_all(
                    format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                        .as_bytes(),
                )
                .unwrap();
            bodies.push(String::from_utf8(seen).unwrap());
        }
        bodies
    });
    let event = event("Compliant");
    assert!(
        run("webhook.sh", &[&url], dir.path(), &event)
            .status
            .success()
    );
    assert!(
        !run("webhook.sh", &[&url], dir.path(), &event)
            .status
            .success()
    );
    let requests = server.join().unwrap();
    let (head, body) = requests[0].split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /hook") && head.contains("Content-Type: application/json"));
    assert_eq!(serde_json::from_str::<Value>(body).unwrap(), event);
    let key = |request: &str| {
        request
            .lines()
            .find(|line| line.starts_with("Idempotency-Key"))
            .map(str::to_owned)
    };
    assert!(key(&requests[0]).is_some() && key(&requests[0]) == key(&requests[1]));
}
