//! `subscribe --to`: what stands in a real stream afterwards, judged by the lab's own log.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use netapi::testing::lab::{EventRate, LabOptions};
use rustix::process::Signal;
use serde_json::Value;

use crate::support::account::{published, stop};
use crate::support::lab;
use crate::support::nats::{JETSTREAM, Servers, endpoint, holds, server};
use crate::support::sessions::{HASTY, SESSIONS};
use crate::support::{json, netapi, stdout, wait_for};

/// Partition of an endpoint, by the published definition of FNV-1a.
fn partition(mac: &str) -> u32 {
    let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(16_777_619);
    mac.bytes().fold(2_166_136_261, step) % 32
}

#[test]
fn events_are_stored_once_in_order_and_as_the_contract_says() {
    let Some(server) = server(JETSTREAM) else {
        return;
    };
    let lab = lab::with(LabOptions {
        sessions: 200,
        events_per_second: EventRate::PerSecond(400),
        ..LabOptions::default()
    });
    let to = server.to();
    let running = lab.start(&[
        "subscribe",
        "--topic",
        "session",
        "--to",
        &to,
        "--create-stream",
        "--max-bytes",
        "50M",
    ]);
    running.says("made the stream EVENTS");
    running.says("subscribed");
    lab.listened_to(SESSIONS, 1);
    let since = Timestamp::now();
    wait_for("events", || server.count() > 600);
    let stored = holds(&server, &published(&lab, since));
    stop(running);
    let member = lab.variable("ISE_PXGRID_CLIENT_NAME");
    for message in &stored {
        let session = &message.body["message"]["sessions"][0];
        let subject = format!("netapi.ise.session.{}", partition(endpoint(session)));
        assert_eq!(message.subject, subject);
        let id = message.body["id"].as_str();
        let time: Timestamp = session["timestamp"].as_str().unwrap().parse().unwrap();
        let time = time.to_string();
        for (name, value) in [
            ("Nats-Msg-Id", id),
            ("ce-id", id),
            ("ce-specversion", Some("1.0")),
            ("ce-type", Some("com.cisco.ise.session")),
            ("ce-source", Some("urn:netapi:pxgrid:ise")),
            ("ce-subject", session["macAddress"].as_str()),
            ("ce-time", Some(time.as_str())),
            ("content-type", Some("application/json")),
            ("Netapi-Event", message.body["event"].as_str()),
            ("Netapi-Member", Some(member.as_str())),
            ("Netapi-Recovered", Some("false")),
        ] {
            assert_eq!(message.header(name), value, "{name} of {message:?}");
        }
        assert!(message.body.get("attempt").is_none());
        let user = session["userName"].as_str().unwrap_or("-none-");
        let headers = format!("{:?}{}", message.headers, message.subject);
        assert!(!headers.contains(user), "{headers}");
    }
}

#[test]
fn two_subscribers_store_each_event_once() {
    let Some(server) = server(JETSTREAM) else {
        return;
    };
    let lab = lab::with(LabOptions {
        sessions: 200,
        events_per_second: EventRate::PerSecond(200),
        ..LabOptions::default()
    });
    let to = server.to();
    let stream = ["--to", &to, "--create-stream", "--max-bytes", "50M"];
    let arguments = [
        &["ise", "pxgrid", "subscribe", "--topic", "session"],
        &stream[..],
    ]
    .concat();
    let second = lab.second_member();
    let second: Vec<(&str, &str)> = second.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let one = lab.start_netapi(&arguments, &[]);
    one.says("subscribed");
    let two = lab.start_netapi(&arguments, &second);
    two.says("subscribed");
    lab.listened_to(SESSIONS, 2);
    let since = Timestamp::now();
    wait_for("events", || server.count() > 500);
    let wanted = published(&lab, since);
    holds(&server, &wanted);
    // Both tell what they sent, and about half of it was there already.
    wait_for("what both subscribers tell", || {
        let status = ["ise", "pxgrid", "fleet", "status", &to, "--json"];
        let shown = json(&netapi().args(status).assert().success());
        let told = shown["subscribers"].as_array().unwrap();
        let sent =
            |one: &Value| one["stored"].as_u64().unwrap() + one["duplicates"].as_u64().unwrap();
        let names: BTreeSet<&str> = told.iter().filter_map(|one| one["name"].as_str()).collect();
        let percent = shown["stream"]["percentDuplicates"].as_u64();
        names.len() == 2
            && told
                .iter()
                .all(|one| sent(one) > 300 && one["lastSeen"].is_string())
            && percent.is_some_and(|percent| (30..=60).contains(&percent))
    });
    let text = stdout(
        &netapi()
            .args(["ise", "pxgrid", "fleet", "status", &to])
            .assert()
            .success(),
    );
    assert!(
        text.contains(" % of what subscribers sent") && !text.contains("DIFFER"),
        "{text}"
    );
    let said = |running: crate::support::running::Running| {
        running.signal(Signal::TERM);
        let (_, _, err) = running.end();
        err.join("\n")
    };
    let both = said(one) + &said(two);
    assert!(both.contains("in the stream already"), "{both}");
    holds(&server, &wanted);
}

#[test]
fn what_another_subscriber_stored_before_the_window_is_not_stored_again() {
    let Some(server) = server(JETSTREAM) else {
        return;
    };
    server.make_stream(|config| config.duplicate_window = Duration::from_secs(1));
    let lab = lab::with(LabOptions {
        sessions: 300,
        events_per_second: EventRate::PerSecond(0),
        ..LabOptions::default()
    });
    let to = server.to();
    let arguments = ["subscribe", "--topic", "session", "--snapshot", "--to", &to];
    let first = || {
        lab.start(&[&arguments[..], &["--count", "300"]].concat())
            .end()
    };
    let (code, _, err) = first();
    assert_eq!(code, 0, "{err:?}");
    assert_eq!(server.count(), 300);
    // The stream has forgotten their ids by then.
    std::thread::sleep(Duration::from_millis(1500));
    let (code, _, err) = first();
    assert_eq!(code, 0, "{err:?}");
    assert!(
        err.join("\n").contains("in the stream already 300"),
        "{err:?}"
    );
    assert_eq!(server.count(), 300);
}

#[test]
fn copies_that_cannot_be_told_apart_are_all_stored() {
    let Some(server) = server(JETSTREAM) else {
        return;
    };
    server.make_stream(|_| {});
    let lab = lab::with(LabOptions {
        events_per_second: EventRate::PerSecond(0),
        ..LabOptions::default()
    });
    let to = server.to();
    let running = lab.start(&["subscribe", "--topic", "sxp", "--to", &to]);
    running.says("carry no time");
    running.says("fetched, 0 events");
    let topic = "/topic/com.cisco.ise.sxp.binding";
    for operation in ["CREATE", "DELETE", "CREATE"] {
        let binding = serde_json::json!({"ipPrefix": "192.0.2.0/24", "tag": 5});
        lab.publish(
            topic,
            &serde_json::json!({"operation": operation, "binding": binding}),
        );
    }
    wait_for("the three of them", || server.count() >= 3);
    stop(running);
    let stored = server.stored();
    let told: Vec<_> = stored
        .iter()
        .map(|one| one.header("Netapi-Event"))
        .collect();
    assert_eq!(told, [Some("CREATE"), Some("DELETE"), Some("CREATE")]);
}

#[test]
fn a_subscriber_that_is_killed_loses_nothing_and_stores_nothing_twice() {
    let Some(server) = server(JETSTREAM) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let spool = dir.path().join("spool");
    let lab = lab::with(LabOptions {
        sessions: 1500,
        events_per_second: EventRate::PerSecond(40),
        ..LabOptions::default()
    });
    let to = server.to();
    let stream = [
        "--spool",
        spool.to_str().unwrap(),
        "--to",
        &to,
        "--create-stream",
        "--max-bytes",
        "100M",
        "--dedupe-window",
        "2s",
    ];
    let arguments = [&HASTY[..], &stream].concat();
    let mut since = None;
    for round in 0..20 {
        let running = lab.start(&arguments);
        running.says("subscribed");
        lab.listened_to(SESSIONS, 1);
        since.get_or_insert_with(Timestamp::now);
        // The moment is to be another one each time.
        std::thread::sleep(Duration::from_millis(fastrand::u64(50..700)));
        running.signal(Signal::KILL);
        assert_eq!(running.end().0, 137, "round {round}");
    }
    let running = lab.start(&arguments);
    running.says("subscribed");
    holds(&server, &published(&lab, since.unwrap()));
    stop(running);
}
