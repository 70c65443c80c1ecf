//! Messages, numbers, what REST adds.

use proptest::prelude::*;

use super::*;

fn session(mac: &str, state: &str, time: &str) -> String {
    format!(
        r#"{{"timestamp":"2026-11-22T{time}Z","state":"{state}","macAddress":"{mac}","auditSessionId":"0A{mac}", "v":1.10}}"#
    )
}

#[test]
fn a_message_is_cut_to_sessions_in_the_servers_words() {
    let mut run = Run::live(SubscriptionOptions::default(), &[SESSION]);
    let (one, two) = (
        session("AA:00:00:00:00:01", "STARTED", "02:00:01"),
        session("AA:00:00:00:00:02", "STARTED", "02:00:01"),
    );
    run.message(0, &format!(r#"{{"sequence":7,"sessions":[{one},{two}]}}"#));
    assert_eq!(run.words(), ["sessionCreated", "sessionCreated"]);
    let event = run.events()[1];
    assert_eq!(
        event.message.to_string(),
        format!(r#"{{"sessions":[{two}]}}"#)
    );
    assert_eq!(event.sequence, Some(7));
    assert_eq!(event.mac.as_deref(), Some("AA:00:00:00:00:02"));
    assert_eq!(event.state.as_deref(), Some("STARTED"));
    assert_eq!((event.node.as_ref(), event.topic.as_ref()), ("a", SESSION));
    assert!(!event.recovered);

    let ended = session("AA:00:00:00:00:01", "DISCONNECTED", "02:00:03");
    let changed = session("AA:00:00:00:00:02", "POSTURED", "02:00:01");
    let body = format!(r#"{{"sequence":8,"sessions":[{ended},{changed}]}}"#);
    run.message(0, &body);
    assert_eq!(run.words(), ["sessionDeleted", "sessionUpdated"]);
    run.message(0, &body);
    assert_eq!(run.words(), [""; 0]);
    let figures = run.machine.figures();
    assert_eq!(
        (figures.emitted_live, figures.duplicates, figures.gaps),
        (4, 1, 0)
    );

    // What could not be read in between makes the same message no other one.
    run.message(0, "garbage").message(0, &body);
    let figures = run.machine.figures();
    assert_eq!(
        (figures.unreadable, figures.duplicates, figures.restarts),
        (1, 2, 0)
    );
}

#[test]
fn other_topics_carry_the_servers_word() {
    let topics = [
        ANC,
        "/topic/com.cisco.ise.config.trustsec.security.group",
        "/topic/com.cisco.ise.radius.failure",
        "/topic/com.cisco.endpoint.asset",
        "/topic/com.cisco.ise.posture.visibility",
        "/topic/com.cisco.ise.config.trustsec.security.group.acl",
    ];
    let mut run = Run::live(SubscriptionOptions::default(), &topics);
    for (index, body, word, mac) in [
        (
            0,
            r#"{"operationId":"h:1","status":"SUCCESS","macAddress":"M"}"#,
            "SUCCESS",
            Some("M"),
        ),
        (
            1,
            r#"{"operation":"CREATE","securityGroup":{"id":"1","tag":4}}"#,
            "CREATE",
            None,
        ),
        (
            2,
            r#"{"sequence":1,"failures":[{"id":"1","macAddress":"M"},{"id":"2"}]}"#,
            "MESSAGE",
            None,
        ),
        (
            3,
            r#"{"opType":"UPDATE","asset":{"assetMacAddress":"M"}}"#,
            "UPDATE",
            Some("M"),
        ),
        (
            4,
            r#"{"sequenceNo":6,"macAddress":"M","operationType":"CREATE"}"#,
            "CREATE",
            Some("M"),
        ),
        (
            5,
            r#"{"id":"9","deleted":true,"sequence":3,"timestamp":"2026-11-22T02:00:00Z"}"#,
            "DELETE",
            None,
        ),
    ] {
        run.message(index, body);
        assert_eq!(run.words(), [word], "{body}");
        assert_eq!(run.events()[0].message.to_string(), body);
        assert_eq!(run.events()[0].mac.as_deref(), mac, "{body}");
    }
    run.message(
        4,
        r#"{"sequenceNo":6,"macAddress":"M","operationType":"CREATE"}"#,
    );
    assert_eq!(run.machine.figures().duplicates, 1);
}

#[test]
fn a_gap_is_filled_from_the_newest_time_seen_and_merged() {
    let mut run = Run::live(SubscriptionOptions::default(), &[SESSION]);
    run.now = Duration::from_mins(15);
    let first = session("M1", "STARTED", "02:10:00");
    run.message(0, &format!(r#"{{"sequence":1,"sessions":[{first}]}}"#));
    let third = session("M3", "STARTED", "02:12:00");
    run.message(0, &format!(r#"{{"sequence":4,"sessions":[{third}]}}"#));
    assert_eq!(run.words(), ["sessionCreated"]);
    assert!(run.said()[0].ends_with("2 messages were missed"));
    let (id, read) = run.read().unwrap();
    assert_eq!(read.operation, "getSessionsForRecovery");
    assert_eq!(
        read.body(),
        r#"{"startTimestamp":"2026-11-22T02:09:30.000Z"}"#
    );
    // Until the read came to its end a later run has to begin before the gap.
    assert_eq!(
        run.machine.marks()[0].newest.to_string(),
        "2026-11-22T02:10:00Z"
    );

    let rows = vec![
        first,
        third,
        session("M2", "DISCONNECTED", "02:11:00"),
        session("M1", "POSTURED", "02:11:30"),
    ];
    run.give(Input::Rows {
        id,
        rows,
        deleted: false,
    });
    assert_eq!(run.words(), ["sessionDeleted", "sessionUpdated"]);
    assert!(
        run.events()
            .iter()
            .all(|event| event.recovered && event.sequence.is_none())
    );
    run.give(Input::ReadDone { id });
    assert!(run.said()[0].ends_with("fetched, 2 events"));
    assert_eq!(
        run.machine.marks()[0].newest.to_string(),
        "2026-11-22T02:12:00Z"
    );
    assert_eq!(run.machine.marks()[0].sequence, Some(4));
}

#[test]
fn a_restarted_publisher_means_a_full_read_too_that_tells_what_is_gone() {
    let mut run = Run::live(SubscriptionOptions::default(), &[SESSION]);
    run.now = Duration::from_mins(15);
    let (one, two) = (
        session("M1", "STARTED", "02:10:00"),
        session("M2", "STARTED", "02:10:00"),
    );
    run.message(0, &format!(r#"{{"sequence":8,"sessions":[{one},{two}]}}"#));
    // What was seen live a moment ago must be in the list.
    run.now += Duration::from_mins(3);
    run.message(0, r#"{"sequence":0,"sessions":[]}"#);
    // First what changed, with the ends among it.
    let (id, read) = run.read().unwrap();
    assert_eq!(read.operation, "getSessionsForRecovery");
    run.give(Input::Rows {
        id,
        rows: vec![one.clone(), two],
        deleted: false,
    });
    run.give(Input::ReadDone { id });
    let (id, read) = run.read().unwrap();
    assert_eq!(
        (read.operation, read.body().as_str()),
        ("getSessions", "{}")
    );
    let old = session("M9", "STARTED", "01:00:00");
    run.give(Input::Rows {
        id,
        rows: vec![one, old],
        deleted: false,
    });
    assert_eq!(run.words(), [""; 0]);
    run.give(Input::ReadDone { id });
    assert_eq!(run.words(), ["sessionDeleted"]);
    assert_eq!(
        run.events()[0].message.to_string(),
        r#"{"sessions":[{"macAddress":"M2","auditSessionId":"0AM2","state":"DISCONNECTED","knownUntil":"2026-11-22T02:10:00Z"}]}"#
    );
    assert_eq!(run.machine.figures().restarts, 1);
    // The server's own word of it is no second end.
    let late = session("M2", "DISCONNECTED", "02:11:00");
    run.message(0, &format!(r#"{{"sequence":1,"sessions":[{late}]}}"#));
    assert_eq!((run.words().len(), run.machine.figures().repeated), (0, 1));
}

#[test]
fn a_failed_read_is_made_again_and_an_unknown_one_replaced() {
    let mut run = Run::live(SubscriptionOptions::default(), &[SESSION]);
    run.message(0, r#"{"sequence":1,"sessions":[]}"#);
    run.message(0, r#"{"sequence":3,"sessions":[]}"#);
    let (id, read) = run.read().unwrap();
    let since = read.since;
    run.give(Input::ReadFailed { id, error: reset() });
    assert_eq!(run.timer(Timer::CatchUp(0)), Some(Duration::from_secs(1)));
    run.give(Input::Fired(Timer::CatchUp(0)));
    let (id, read) = run.read().unwrap();
    assert_eq!(read.since, since);
    let error = Error::new(Kind::Server, "HTTP 404").status(404);
    run.give(Input::ReadFailed { id, error });
    let (id, read) = run.read().unwrap();
    assert_eq!((read.operation, read.since), ("getSessions", since));
    run.give(Input::ReadDone { id });
    assert!(run.said()[0].contains("does not tell which sessions ended"));
    // One read after the other leaves the server a moment.
    run.message(0, r#"{"sequence":9,"sessions":[]}"#);
    assert_eq!(run.read(), None);
    run.give(Input::Fired(Timer::CatchUp(0)));
    let (id, _) = run.read().unwrap();
    run.give(Input::ReadFailed {
        id,
        error: refused(),
    });
    assert_eq!((run.read(), run.machine.figures().possibly_lost), (None, 2));
}

#[test]
fn a_later_run_goes_on_where_the_last_one_was() {
    let mark = Mark {
        topic: SESSION.to_owned(),
        newest: "2026-11-21T12:00:00Z".parse().unwrap(),
        sequence: Some(41),
        compared: false,
    };
    let mut run = Run::new(SubscriptionOptions::default(), vec![mark.clone()]);
    run.give(Input::Started)
        .looked_up(&[SESSION], &["a"])
        .connect();
    assert_eq!(
        run.read().unwrap().1.body(),
        r#"{"startTimestamp":"2026-11-21T11:59:30.000Z"}"#
    );
    assert_eq!(run.machine.marks(), [mark]);
    run.message(0, r#"{"sequence":50,"sessions":[]}"#);
    assert_eq!(run.machine.figures().missed, 8);
}

#[test]
fn the_snapshot_is_told_as_recovered() {
    let options = SubscriptionOptions {
        snapshot: true,
        ..SubscriptionOptions::default()
    };
    let mut run = Run::live(options, &[SESSION, ANC]);
    let (id, read) = run.read().unwrap();
    assert_eq!(read.body(), "{}");
    let rows = vec![
        session("M1", "STARTED", "01:00:00"),
        session("M2", "DISCONNECTED", "01:00:00"),
    ];
    run.give(Input::Rows {
        id,
        rows,
        deleted: false,
    });
    assert_eq!(run.words(), ["sessionCreated"]);
    assert!(run.events()[0].recovered);
}

#[test]
fn bindings_are_compared_with_what_was_there_at_the_start() {
    let mut run = Run::live(SubscriptionOptions::default(), &[SXP]);
    let row = |prefix: &str, tag: u8| format!(r#"{{"ipPrefix":"{prefix}","tag":{tag}}}"#);
    let (id, _) = run.read().unwrap();
    run.give(Input::Rows {
        id,
        rows: vec![row("10.0.0.1/32", 1), row("10.0.0.2/32", 2)],
        deleted: false,
    });
    assert_eq!(run.words(), [""; 0]);
    run.give(Input::ReadDone { id })
        .give(Input::Closed(reset()));
    run.give(Input::Fired(Timer::Pause)).connect();
    let (id, _) = run.read().unwrap();
    run.give(Input::Rows {
        id,
        rows: vec![row("10.0.0.1/32", 9), row("10.0.0.3/32", 3)],
        deleted: false,
    });
    assert_eq!(run.words(), ["UPDATE", "CREATE"]);
    assert_eq!(
        run.events()[0].message.to_string(),
        r#"{"operation":"UPDATE","binding":{"ipPrefix":"10.0.0.1/32","tag":9}}"#
    );
    run.give(Input::ReadDone { id });
    assert_eq!(
        run.events()[0].message.to_string(),
        r#"{"operation":"DELETE","binding":{"ipPrefix":"10.0.0.2/32"}}"#
    );
}

#[test]
fn what_cannot_be_read_is_said_and_counted() {
    let mut run = Run::live(SubscriptionOptions::default(), &[SESSION]);
    for body in ["", "[]", "{\"sequence\":", "<html>"] {
        run.message(0, body);
        assert_eq!(run.said().len(), 1, "{body}");
    }
    run.message(0, r#"{"sessions":[7]}"#);
    run.message(99, "{}");
    assert_eq!(run.machine.figures().unreadable, 6);
    assert_eq!(run.machine.figures().messages, 6);
}

/// Text that is often nearly a message.
fn near_messages() -> impl Strategy<Value = String> {
    let piece = proptest::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"sequence\"",
        "\"sessions\"",
        "\"macAddress\"",
        "\"state\"",
        "\"operation\"",
        "\"asset\"",
        "\"timestamp\"",
        "\"DISCONNECTED\"",
        "\"\\u0041\"",
        "\"\\ud800\"",
        "0",
        "1",
        "-1",
        "9223372036854775807",
        "9223372036854775808",
        "1e400",
        "null",
        "\"2026-11-22T02:00:00Z\"",
        "\"9999-12-31T23:59:59Z\"",
        "\n",
        "{\"sequence\":1,\"sessions\":[",
        "{\"macAddress\":\"M\"}",
        "]}",
    ]);
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn hostile_messages_do_no_harm(bodies in proptest::collection::vec((0_usize..3, near_messages()), 0..20)) {
        let mut run = Run::live(SubscriptionOptions::default(), &[SESSION, ANC, SXP]);
        let mut events = 0;
        for (index, body) in &bodies {
            run.message(*index, body);
            for event in run.events() {
                events += 1;
                prop_assert!(!event.message.object().contains('\n'));
                prop_assert!(serde_json::from_str::<&serde_json::value::RawValue>(&event.to_json(None)).is_ok());
            }
        }
        let figures = run.machine.figures();
        prop_assert_eq!(figures.messages, u64::try_from(bodies.len()).unwrap());
        prop_assert_eq!(figures.emitted_live, events);
    }
}
