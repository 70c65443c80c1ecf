//! What scripts rely on, as golden files: exit statuses and the kinds of JSON errors, and what an
//! event looks like wherever it is seen. A change of either shows in a review as a change of
//! `tests/golden`. `UPDATE_GOLDEN=1` writes the files anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use netapi::testing::error::Kind;
use netapi::testing::lab::{EventRate, LabOptions};
use serde_json::Value;

use crate::support::lab::{self, TestLab};
#[cfg(feature = "nats")]
use crate::support::nats::{JETSTREAM, Servers, server};
use crate::support::sessions::{publish, session};
use crate::support::stderr;
use crate::support::subscription::Subscription;

fn compare(name: &str, text: &str) {
    let path = format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(golden, text, "UPDATE_GOLDEN=1 writes {path} anew");
}

/// Every kind in the order of its declaration: from each the next. A kind that is added does not
/// compile until it stands here.
fn next(kind: Kind) -> Option<Kind> {
    Some(match kind {
        Kind::Failed => Kind::Expression,
        Kind::Expression => Kind::Partial,
        Kind::Partial => Kind::Usage,
        Kind::Usage => Kind::NotFound,
        Kind::NotFound => Kind::Refused,
        Kind::Refused => Kind::Server,
        Kind::Server => Kind::WrongNode,
        Kind::WrongNode => Kind::Overloaded,
        Kind::Overloaded => Kind::Malformed,
        Kind::Malformed => Kind::Truncated,
        Kind::Truncated => Kind::Redirected,
        Kind::Redirected => Kind::Resolve,
        Kind::Resolve => Kind::Connect,
        Kind::Connect => Kind::Tls,
        Kind::Tls => Kind::TimedOut,
        Kind::TimedOut => Kind::Pending,
        Kind::Pending => Kind::ClosedPipe,
        Kind::ClosedPipe => Kind::NotSent,
        // INT, as an example.
        Kind::NotSent => Kind::Stopped(2),
        Kind::Stopped(_) => return None,
    })
}

/// The members of an object with the types of their values, those of objects in it below. What the
/// server said is the server's affair.
fn shape(value: &Value, depth: usize, out: &mut String) {
    for (name, value) in value.as_object().unwrap() {
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "number",
            Value::String(text) if name == "type" || name == "kind" => text,
            Value::String(_) => "text",
            Value::Array(_) => "list",
            Value::Object(_) => "object",
        };
        writeln!(out, "{:depth$}{name}: {kind}", "").unwrap();
        if value.is_object() && name != "message" {
            shape(value, depth + 2, out);
        }
    }
}

fn section(title: &str, value: &Value, out: &mut String) {
    writeln!(out, "\n{title}").unwrap();
    shape(value, 2, out);
}

/// The error that a command ends with, as `--json` has it.
fn error(lab: &TestLab, arguments: &[&str], password: Option<&str>) -> Value {
    let mut command = lab.mnt(arguments);
    if let Some(password) = password {
        command.env("ISE_MNT_PASS", password);
    }
    let assert = command.arg("--json").assert().failure();
    let text = stderr(&assert);
    let error: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let status = error["error"]["exitCode"].as_i64();
    let code = assert.get_output().status.code();
    assert_eq!(status, code.map(i64::from), "{error}");
    error
}

#[test]
fn exit_statuses_and_error_kinds_are_those_of_the_golden_file() {
    let mut text = "Kinds of errors (\"kind\" with --json) and their exit statuses\n".to_owned();
    let mut statuses = BTreeMap::<u8, Vec<&str>>::new();
    let mut kind = Some(Kind::Failed);
    while let Some(this) = kind {
        let (name, status) = (this.name(), this.exit_status());
        writeln!(text, "  {name}: {status}").unwrap();
        statuses.entry(status).or_default().push(name);
        kind = next(this);
    }
    assert_eq!(statuses[&130], ["stopped"]);
    let lab = lab::lab();
    for (title, arguments, password) in [
        ("An error of usage", &["session", "no-mac"][..], None),
        ("What is not there", &["session", "02:00:5E:00:53:FE"], None),
        ("A refusal", &["sessions"], Some("wrong")),
    ] {
        section(title, &error(&lab, arguments, password), &mut text);
    }
    compare("errors.txt", &text);
}

/// A lab with one session and no changes but ours.
fn quiet_lab() -> TestLab {
    lab::with(LabOptions {
        sessions: 1,
        events_per_second: EventRate::PerSecond(0),
        ..LabOptions::default()
    })
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn an_event_looks_as_in_the_golden_file_wherever_it_is_seen() {
    let lab = quiet_lab();
    let mut text = "An event is one JSON object, its members in this order\n".to_owned();
    let pat = session("00:00:5E:00:53:A1", "pat", "STARTED");

    let printed = Subscription::new(&["--snapshot", "--json", "--count", "2"]);
    let running = printed.subscribed(&lab);
    running.prints(1);
    publish(&lab, std::slice::from_ref(&pat));
    let (code, out, err) = running.end();
    assert_eq!(code, 0, "{err:?}");
    let (snapshot, live) = (parse(&out[0]), parse(&out[1]));
    assert_eq!(
        (&snapshot["recovered"], &live["recovered"]),
        (&true.into(), &false.into())
    );
    section("Printed with --json, live", &live, &mut text);
    section("Printed with --json, fetched", &snapshot, &mut text);
    let figures = err.iter().rev().find(|line| line.contains("\"received\""));
    section(
        "The last words with --json",
        &parse(figures.unwrap()),
        &mut text,
    );

    let script = "#!/bin/sh\ncat > \"$1\"; env | sed -n 's/^\\(NETAPI_[A-Z]*\\)=.*/\\1/p' | sort > \"$1.env\"; exit 3";
    let run = Subscription::new(&["--retries", "0", "--count", "1"])
        .with_file("--dead-letters", "letters")
        .callback_with(script, "event");
    let running = run.subscribed(&lab);
    publish(&lab, &[pat]);
    let (code, _, err) = running.end();
    assert_eq!(code, 1, "{err:?}");
    let given = parse(&run.lines("event")[0]);
    section("On a callback's standard input", &given, &mut text);
    writeln!(text, "\nIn a callback's environment").unwrap();
    for name in run.lines("event.env") {
        writeln!(text, "  {name}").unwrap();
    }
    let letter = parse(&run.lines("letters")[0]);
    section("A dead letter", &letter, &mut text);
    compare("events.txt", &text);
}

#[cfg(feature = "nats")]
#[test]
fn a_stored_event_has_the_headers_of_the_golden_file() {
    let Some(server) = server(JETSTREAM) else {
        return;
    };
    server.make_stream(|_| {});
    let lab = quiet_lab();
    let run = Subscription::new(&["--count", "1", "--to", &server.to()]);
    let running = run.subscribed(&lab);
    publish(&lab, &[session("00:00:5E:00:53:A1", "pat", "STARTED")]);
    let (code, _, err) = running.end();
    assert_eq!(code, 0, "{err:?}");
    let stored = server.stored();
    let one = stored.last().unwrap();
    let mut text = format!("Subject\n  {}\n\nHeaders\n", pattern(&one.subject));
    let names = one.headers.iter().map(|(name, _)| name.to_string());
    for name in names.collect::<std::collections::BTreeSet<_>>() {
        // What depends on the moment or the machine is named alone.
        let constant = ["ce-specversion", "ce-type", "ce-source", "ce-subject"];
        let value = one
            .header(&name)
            .filter(|_| constant.contains(&name.as_str()));
        writeln!(
            text,
            "  {name}{}",
            value.map_or_else(String::new, |value| format!(": {value}"))
        )
        .unwrap();
    }
    section("Body", &one.body, &mut text);
    compare("stream.txt", &text);
}

/// A subject without its partition, which the endpoint decides.
#[cfg(feature = "nats")]
fn pattern(subject: &str) -> String {
    let (before, _) = subject.rsplit_once('.').unwrap();
    format!("{before}.PARTITION")
}
