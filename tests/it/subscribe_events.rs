//! `netapi ise pxgrid subscribe` without a callback: what is printed, what is chosen, how it ends.

use std::fs::File;
use std::io::{BufRead, BufReader};

use netapi::testing::lab::{EventRate, LabOptions};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::sessions::{HASTY, SESSIONS, session};
use crate::support::{lab, stderr};

/// What a reader that does not read costs: disk, and no event.
#[test]
fn a_reader_that_stops_keeps_nothing_from_being_received() {
    const EVENTS: usize = 8_000;
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.unwrap().success());
    let lab = lab::with(LabOptions {
        sessions: 2000,
        events_per_second: EventRate::PerSecond(2000),
        ..LabOptions::default()
    });
    let count = EVENTS.to_string();
    let mut arguments = HASTY.to_vec();
    arguments.extend(["--json", "--count", &count]);
    let running = lab.start_after(&format!("exec > '{}'", fifo.display()), &arguments);
    // The shell waits for a reader before it goes on; this one opens and does not read.
    let reader = File::open(&fifo).unwrap();
    running.says("the reader does not keep up");
    running.says("leaving");
    let mut sequence = 0;
    let mut lines = 0;
    for line in BufReader::new(reader).lines() {
        let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
        lines += 1;
        // What was fetched meanwhile has no number.
        if let Some(number) = event["sequenceNumber"].as_i64() {
            assert!(number >= sequence, "{number} after {sequence}");
            sequence = number;
        }
    }
    assert_eq!(lines, EVENTS);
    let (code, _, err) = running.end();
    assert_eq!(code, 0, "{err:?}");
    let figures = format!("\"received\":{EVENTS},\"delivered\":{EVENTS},\"failed\":0");
    assert!(err.iter().any(|line| line.contains(&figures)), "{err:?}");
}

/// A reader that has had enough ends it well, and what nobody read is said.
#[test]
fn what_a_reader_that_is_gone_did_not_read_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.unwrap().success());
    let spool = dir.path().join("spool");
    let spooled = ["--spool", spool.to_str().unwrap()];
    for (more, word) in [
        (
            &[][..],
            "the reader is gone; up to 2 events were not printed",
        ),
        (&spooled, "2 undelivered events in the spool"),
    ] {
        let lab = lab::lab();
        let mut arguments = vec!["subscribe", "--topic", "session", "--json"];
        arguments.extend(more);
        let running = lab.start_after(&format!("exec > '{}'", fifo.display()), &arguments);
        let mut reader = BufReader::new(File::open(&fifo).unwrap());
        running.says("subscribed");
        let pat = session("00:00:5E:00:53:A1", "pat", "STARTED");
        lab.publish(SESSIONS, &json!({ "sessions": [pat] }));
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        drop(reader);
        let kim = session("00:00:5E:00:53:A2", "kim", "STARTED");
        let lou = session("00:00:5E:00:53:A3", "lou", "STARTED");
        lab.publish(SESSIONS, &json!({ "sessions": [kim, lou] }));
        let (code, _, err) = running.end();
        assert_eq!(code, 0, "{err:?}");
        assert!(err.iter().any(|line| line.contains(word)), "{err:?}");
    }
}

fn parsed(lines: &[String]) -> Vec<Value> {
    lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}")))
        .collect()
}

#[test]
fn each_session_is_an_event_in_the_documented_envelope() {
    let lab = lab::lab();
    let running = lab.subscribed("session", &["--json"]);
    let pat = session("00:00:5E:00:53:A1", "pat", "STARTED");
    let kim = session("00:00:5E:00:53:A2", "kim", "STARTED");
    lab.publish(SESSIONS, &json!({ "sessions": [pat, kim] }));
    let gone = session("00:00:5E:00:53:A1", "pat", "DISCONNECTED");
    lab.publish(SESSIONS, &json!({ "sessions": [gone] }));
    running.prints(3);
    running.signal(Signal::TERM);
    let (code, out, err) = running.end();
    assert_eq!(code, 143);
    let events = parsed(&out);
    let words: Vec<_> = events
        .iter()
        .map(|event| event["event"].as_str().unwrap())
        .collect();
    assert_eq!(
        words,
        ["sessionCreated", "sessionCreated", "sessionDeleted"]
    );
    let members: Vec<_> = events[0].as_object().unwrap().keys().collect();
    assert_eq!(
        members,
        [
            "type",
            "id",
            "event",
            "sequenceNumber",
            "topic",
            "node",
            "receivedAt",
            "recovered",
            "message"
        ]
    );
    assert_eq!(events[0]["type"], "MESSAGE");
    assert_eq!(events[0]["topic"], SESSIONS);
    assert_eq!(events[0]["recovered"], false);
    assert_eq!(events[0]["message"], json!({ "sessions": [pat] }));
    assert_eq!(events[1]["sequenceNumber"], events[0]["sequenceNumber"]);
    assert_eq!(events[2]["message"]["sessions"][0]["state"], "DISCONNECTED");
    let last: Value = serde_json::from_str(err.last().unwrap()).unwrap();
    assert_eq!(last["summary"]["received"], 3);
    assert_eq!(last["summary"]["delivered"], 3);
}

#[test]
fn for_people_an_event_is_one_line_of_columns() {
    let lab = lab::lab();
    let running = lab.subscribed("session", &["--count", "1"]);
    let session = session("00:00:5E:00:53:A1", "pat\u{1b}[2J", "STARTED");
    lab.publish(SESSIONS, &json!({ "sessions": [session] }));
    let (code, out, _) = running.end();
    assert_eq!((code, out.len()), (0, 1));
    let cells: Vec<_> = out[0].split('\t').collect();
    assert_eq!(
        cells[1..4],
        ["sessionCreated", "00:00:5E:00:53:A1", "10.1.2.3"]
    );
    assert_eq!(cells[5..7], ["STARTED", "10.50.1.10"]);
}

#[test]
fn events_are_chosen_by_condition_and_state_and_counted_after_that() {
    let lab = lab::lab();
    let running = lab.subscribed(
        "session",
        &[
            "--where",
            "starts_with(userName,'p')",
            "--state",
            "started",
            "--count",
            "2",
            "--json",
        ],
    );
    let all = [
        session("00:00:5E:00:53:01", "kim", "STARTED"),
        session("00:00:5E:00:53:02", "pat", "POSTURED"),
        session("00:00:5E:00:53:03", "pat", "STARTED"),
        session("00:00:5E:00:53:04", "pia", "STARTED"),
        session("00:00:5E:00:53:05", "pia", "STARTED"),
    ];
    lab.publish(SESSIONS, &json!({ "sessions": all }));
    let (code, out, _) = running.end();
    assert_eq!(code, 0);
    let macs: Vec<_> = parsed(&out)
        .iter()
        .map(|event| event["message"]["sessions"][0]["macAddress"].clone())
        .collect();
    assert_eq!(macs, ["00:00:5E:00:53:03", "00:00:5E:00:53:04"]);
}

/// A filter that stumbles over what a stranger chose neither ends the subscription nor blocks its
/// spool.
#[test]
fn an_event_on_which_jq_fails_is_a_dead_letter_and_the_others_are_printed() {
    let filter = r#".message.sessions[0].userName | if . == "sam" then error("no") else . end"#;
    let dir = tempfile::tempdir().unwrap();
    let spool = dir.path().join("spool");
    let spooled = ["--spool", spool.to_str().unwrap()];
    for more in [&[][..], &spooled] {
        let lab = lab::lab();
        let mut arguments = vec!["subscribe", "--topic", "session", "--jq", filter];
        arguments.extend(["--count", "3"]);
        arguments.extend(more);
        let running = lab.start(&arguments);
        running.says("subscribed");
        for (mac, user) in [("A1", "pat"), ("A2", "sam"), ("A3", "cut\u{1f600}")] {
            let session = session(&format!("00:00:5E:00:53:{mac}"), user, "STARTED");
            lab.publish(SESSIONS, &json!({ "sessions": [session] }));
        }
        let (code, out, err) = running.end();
        assert_eq!(code, 1, "{err:?}");
        assert_eq!(out, ["pat", "cut\u{1f600}"]);
        let figures = "received 3, delivered 2, failed 1,";
        assert!(err.iter().any(|line| line.contains(figures)), "{err:?}");
        let letters = std::fs::read_to_string(spool.join("dead-letters.jsonl"));
        let letters = match more {
            [] => err,
            _ => letters.unwrap().lines().map(str::to_owned).collect(),
        };
        let letters: Vec<Value> = letters
            .iter()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|line| line["attempts"] == 1)
            .collect();
        let [letter] = letters.as_slice() else {
            panic!("{letters:?}");
        };
        assert_eq!(letter["outcome"], "--jq: \"no\"");
        assert_eq!(letter["event"]["message"]["sessions"][0]["userName"], "sam");
    }
}

#[test]
fn several_topics_come_over_one_connection() {
    let lab = lab::lab();
    let running = lab.start(&[
        "subscribe",
        "--topic",
        "anc",
        "--topic",
        "com.cisco.ise.radius:failureTopic",
        "--topic",
        "/topic/com.cisco.ise.sxp.binding",
        "--count",
        "3",
        "--json",
    ]);
    running.says("subscribed to 3 topics");
    lab.publish(
        "/topic/com.cisco.ise.config.anc.status",
        &json!({ "operationId": "x:1", "status": "SUCCESS", "macAddress": "00:00:5E:00:53:A1" }),
    );
    lab.publish(
        "/topic/com.cisco.ise.radius.failure",
        &json!({ "failures": [{ "id": "1", "userName": "pat", "failureReason": "12514" }] }),
    );
    lab.publish(
        "/topic/com.cisco.ise.sxp.binding",
        &json!({ "operation": "CREATE", "binding": { "ipPrefix": "10.0.0.1/32", "tag": 1.10 } }),
    );
    let (code, out, _) = running.end();
    assert_eq!(code, 0);
    let mut words: Vec<_> = parsed(&out)
        .iter()
        .map(|event| event["event"].as_str().unwrap().to_owned())
        .collect();
    words.sort();
    assert_eq!(words, ["CREATE", "MESSAGE", "SUCCESS"]);
}

#[test]
fn the_current_sessions_come_first_when_asked_for() {
    let lab = lab::lab();
    let running = lab.start(&[
        "subscribe",
        "--topic",
        "session",
        "--snapshot",
        "--count",
        "50",
        "--json",
    ]);
    let (code, out, _) = running.end();
    assert_eq!(code, 0);
    assert!(
        parsed(&out)
            .iter()
            .all(|event| event["recovered"] == true && event["sequenceNumber"].is_null())
    );
}

#[test]
fn it_ends_after_its_time_and_says_the_figures_when_asked() {
    let lab = lab::lab();
    let running = lab.subscribed("session", &["--for", "2s"]);
    running.signal(Signal::USR1);
    running.says("received 0, delivered 0");
    let (code, out, err) = running.end();
    assert_eq!((code, out.len()), (0, 0));
    assert!(err.last().unwrap().starts_with("received 0"), "{err:?}");
}

#[test]
fn an_interrupt_ends_it_as_the_shell_shows_it() {
    let lab = lab::lab();
    let running = lab.subscribed("session", &[]);
    running.signal(Signal::INT);
    let (code, _, err) = running.end();
    assert_eq!(code, 130);
    assert!(
        !err.iter().any(|line| line.contains("did not confirm")),
        "{err:?}"
    );
}

#[test]
fn mistakes_are_said_before_anything_is_sent() {
    let lab = lab::lab();
    let cases: [(&[&str], &str); 8] = [
        (&["--topic", "sessions"], "radius-failure"),
        (&[], "--topic"),
        (&["--topic", "session", "--where", "userName=='x"], "filter"),
        (
            &["--topic", "session", "--callback", "/nonexistent/script"],
            "/nonexistent/script",
        ),
        (&["--topic", "session", "--jobs", "2"], "--callback"),
        (&["--topic", "session", "--sort", "event"], "--sort"),
        (
            &["--topic", "session", "--reconnect-min", "2m"],
            "--reconnect-max",
        ),
        (&["--topic", "session", "--count", "0"], "--count"),
    ];
    for (arguments, word) in cases {
        let mut command = lab.pxgrid(&["subscribe"]);
        let assert = command.args(arguments).assert().code(2);
        assert!(
            stderr(&assert).contains(word),
            "{arguments:?}: {}",
            stderr(&assert)
        );
    }
    assert!(lab.requests().is_empty(), "{:?}", lab.requests());
}

#[test]
fn a_topic_that_nobody_provides_is_named() {
    let lab = lab::faulty(&["lookup-empty:com.cisco.ise.sxp"]);
    let assert = lab
        .pxgrid(&["subscribe", "--topic", "sxp"])
        .assert()
        .code(6);
    assert!(stderr(&assert).contains("com.cisco.ise.sxp"));
    let assert = lab
        .pxgrid(&["subscribe", "--topic", "session:otherTopic"])
        .assert()
        .code(3);
    assert!(
        stderr(&assert).contains("sessionTopic"),
        "{}",
        stderr(&assert)
    );
}

#[test]
fn a_dry_run_shows_the_first_request_and_sends_nothing() {
    let lab = lab::lab();
    lab.pxgrid(&["subscribe", "--topic", "session", "--dry-run"])
        .assert()
        .success();
    assert!(lab.requests().is_empty());
}
