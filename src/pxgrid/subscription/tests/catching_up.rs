//! Catching up where clocks differ, connections are lost early, sessions are replaced, and filters
//! hide.

use super::*;

fn session(mac: &str, audit: &str, state: &str, time: &str) -> String {
    format!(
        r#"{{"timestamp":"2026-11-22T{time}Z","state":"{state}","macAddress":"{mac}","auditSessionId":"{audit}"}}"#
    )
}

fn body(sequence: i64, sessions: &[String]) -> String {
    format!(
        r#"{{"sequence":{sequence},"sessions":[{}]}}"#,
        sessions.join(",")
    )
}

/// Connected, but SUBSCRIBE is not known to be read.
fn connecting(run: &mut Run, date: Option<&str>) {
    let date = date.map(|date| date.parse().unwrap());
    run.give(Input::SecretGot).give(Input::Connected { date });
    run.give(Input::Frame(Frame::connected()));
}

fn since(run: &Run) -> String {
    let (_, read) = run.read().expect("a read");
    read.since
        .map_or_else(|| "everything".to_owned(), |since| since.to_string())
}

fn rows(run: &mut Run, rows: &[String]) {
    let (id, _) = run.read().expect("a read");
    run.give(Input::Rows {
        id,
        rows: rows.to_vec(),
        deleted: false,
    });
}

/// Ours says 02:00.
#[test]
fn reads_follow_the_servers_clock_not_ours() {
    for (date, from) in [
        // Nine minutes after the last change, on the server's clock.
        (Some("2026-11-22T01:50:00Z"), "2026-11-22T01:50:30Z"),
        (Some("2026-11-22T03:00:00Z"), "2026-11-22T02:59:30Z"),
        // Unknown: it is ours, and what is ahead of it does not count.
        (None, "2026-11-22T02:00:30Z"),
    ] {
        let mut run = Run::new(SubscriptionOptions::default(), Vec::new());
        run.give(Input::Started).looked_up(&[SESSION], &["a"]);
        connecting(&mut run, date);
        run.give(Input::Pong);
        run.now += Duration::from_mins(1);
        let time = if date.is_some_and(|date| date < "2026-11-22T02") {
            "01:51:00"
        } else {
            "03:00:00"
        };
        let first = session("M1", "A", "STARTED", time);
        run.message(0, &body(1, &[first]));
        run.message(0, &body(3, &[]));
        assert_eq!(since(&run), from, "{date:?}");
    }
    // Unknown and behind ours: its messages tell.
    let mut run = Run::live(SubscriptionOptions::default(), &[SESSION]);
    run.message(0, &body(1, &[session("M1", "A", "STARTED", "01:51:00")]));
    run.message(0, &body(3, &[]));
    assert_eq!(since(&run), "2026-11-22T01:50:30Z");
    rows(&mut run, &[session("M2", "B", "STARTED", "01:50:59")]);
    assert_eq!(run.words(), ["sessionCreated"]);
}

#[test]
fn one_time_in_the_future_does_not_hide_what_is_missed() {
    let mut run = Run::live(SubscriptionOptions::default(), &[SESSION]);
    run.message(0, &body(1, &[session("M1", "A", "STARTED", "05:00:00")]));
    run.message(0, &body(3, &[]));
    assert_eq!(since(&run), "2026-11-22T01:59:30Z");
    rows(&mut run, &[session("M2", "B", "STARTED", "01:59:50")]);
    assert_eq!(run.words(), ["sessionCreated"]);
    assert_eq!(
        run.machine.marks()[0].newest.to_string(),
        "2026-11-22T02:00:00Z"
    );
    // A mark that such a run left is not believed either.
    let mark = Mark {
        topic: SESSION.to_owned(),
        newest: "2026-11-22T09:00:00Z".parse().unwrap(),
        sequence: None,
        compared: false,
    };
    let mut run = Run::new(SubscriptionOptions::default(), vec![mark]);
    run.give(Input::Started)
        .looked_up(&[SESSION], &["a"])
        .connect();
    assert_eq!(since(&run), "2026-11-22T01:59:30Z");
}

#[test]
fn an_outage_is_read_from_its_beginning_whatever_comes_first_afterwards() {
    let mut run = Run::live(SubscriptionOptions::default(), &[SESSION]);
    run.now = Duration::from_mins(10);
    run.message(0, &body(1, &[session("M1", "A", "STARTED", "02:10:00")]));
    run.give(Input::Closed(reset()));
    run.now = Duration::from_mins(20);
    run.give(Input::Fired(Timer::Pause));
    connecting(&mut run, None);
    // Published after SUBSCRIBE was read and before the pong is here.
    run.message(0, &body(2, &[session("M2", "B", "STARTED", "02:20:00")]));
    assert_eq!(run.read(), None);
    assert_eq!(
        run.machine.marks()[0].newest.to_string(),
        "2026-11-22T02:10:00Z"
    );
    run.give(Input::Pong);
    assert_eq!(since(&run), "2026-11-22T02:09:30Z");
}

#[test]
fn a_connection_lost_before_it_was_confirmed_is_caught_up_too() {
    let mut run = Run::new(SubscriptionOptions::default(), Vec::new());
    run.give(Input::Started).looked_up(&[SESSION], &["a", "b"]);
    connecting(&mut run, None);
    run.message(0, &body(1, &[session("M1", "A", "STARTED", "02:00:00")]));
    assert_eq!(run.words(), ["sessionCreated"]);
    run.give(Input::Closed(reset()))
        .give(Input::Fired(Timer::Pause));
    run.connect();
    assert_eq!(since(&run), "2026-11-22T01:59:30Z");
}

#[test]
fn where_only_comparing_tells_a_later_run_says_that_it_cannot() {
    let mark = Mark {
        topic: SXP.to_owned(),
        newest: "2026-11-22T01:00:00Z".parse().unwrap(),
        sequence: None,
        compared: false,
    };
    let mut run = Run::new(SubscriptionOptions::default(), vec![mark]);
    run.give(Input::Started).looked_up(&[SXP], &["a"]).connect();
    assert!(
        run.said()
            .iter()
            .any(|said| said.contains("may have been lost"))
    );
    rows(
        &mut run,
        &[r#"{"ipPrefix":"10.0.0.0/8","tag":7}"#.to_owned()],
    );
    assert_eq!(run.words(), [""; 0]);
    run.give(Input::ReadDone { id: 0 });
    assert_eq!(run.read(), None);
}

#[test]
fn what_cannot_be_compared_for_its_number_is_said_and_not_invented() {
    let options = SubscriptionOptions {
        remembered: 2,
        ..SubscriptionOptions::default()
    };
    let mut run = Run::live(options, &[SXP]);
    let bindings: Vec<String> = (0..9)
        .map(|number| format!(r#"{{"ipPrefix":"10.{number}.0.0/16","tag":7}}"#))
        .collect();
    rows(&mut run, &bindings);
    run.give(Input::ReadDone { id: 0 });
    run.give(Input::Closed(reset()))
        .give(Input::Fired(Timer::Pause));
    run.connect();
    rows(&mut run, &bindings[1..]);
    assert_eq!(run.words(), [""; 0]);
    run.give(Input::ReadDone { id: 1 });
    assert_eq!(run.words(), [""; 0]);
    assert!(run.said()[0].contains("more rows than can be compared"));
}

#[test]
fn a_session_whose_place_was_taken_has_ended() {
    let mut run = Run::live(SubscriptionOptions::default(), &[SESSION]);
    let first = [
        session("M1", "A", "STARTED", "01:59:40"),
        session("M2", "B", "STARTED", "01:59:40"),
    ];
    run.message(0, &body(1, &first));
    run.message(0, &body(9, &[]));
    rows(&mut run, &[session("M1", "C", "STARTED", "01:59:50")]);
    let told: Vec<_> = run
        .events()
        .iter()
        .map(|event| (event.event.as_ref(), event.message.object()))
        .collect();
    assert_eq!(told[0].0, "sessionDeleted");
    assert!(told[0].1.contains(r#""auditSessionId":"A""#));
    assert_eq!((told[1].0, told.len()), ("sessionCreated", 2));
}

#[test]
fn addresses_that_come_later_make_no_new_session() {
    let mut run = Run::live(SubscriptionOptions::default(), &[SESSION]);
    let vpn = |addresses: &str, time: &str| {
        format!(
            r#"{{"timestamp":"2026-11-22T{time}Z","state":"STARTED","callingStationId":"198.51.100.7","auditSessionId":"A"{addresses}}}"#
        )
    };
    run.message(0, &body(1, &[vpn("", "01:59:40")]));
    assert_eq!(run.words(), ["sessionCreated"]);
    let addresses = r#","ipAddresses":["192.0.2.7"]"#;
    run.message(0, &body(2, &[vpn(addresses, "01:59:41")]));
    assert_eq!(run.words(), ["sessionUpdated"]);
}

#[test]
fn with_a_filter_holes_in_the_numbers_are_no_loss() {
    let options = SubscriptionOptions {
        filter: Some("userName=='pat'".to_owned()),
        ..SubscriptionOptions::default()
    };
    let mut run = Run::live(options, &[SESSION]);
    run.message(0, &body(1, &[]));
    run.message(0, &body(7, &[]));
    assert!(run.said()[0].contains("--where"));
    assert_eq!(run.read(), None);
    run.message(0, &body(9, &[]));
    assert_eq!(run.said(), [""; 0]);
    assert_eq!(run.machine.figures().gaps, 0);
    // A restart still shows.
    run.message(0, &body(0, &[]));
    let (id, _) = run.read().unwrap();
    run.give(Input::ReadDone { id });
    let (id, read) = run.read().unwrap();
    assert_eq!(read.operation, "getSessions");
    run.give(Input::ReadDone { id });
    assert!(run.said()[0].contains("--filter hides"));
}

#[test]
fn changes_of_one_row_with_one_time_are_all_told() {
    const ACL: &str = "/topic/com.cisco.ise.config.trustsec.security.group.acl";
    let mut run = Run::live(SubscriptionOptions::default(), &[ACL]);
    for (sequence, operation) in [(5, "CREATE"), (6, "UPDATE"), (7, "DELETE")] {
        let deleted = operation == "DELETE";
        let body = format!(
            r#"{{"id":"1","timestamp":"2026-11-22T01:59:40Z","operationType":"{operation}","isDeleted":{deleted},"sequence":{sequence}}}"#
        );
        run.message(0, &body);
        assert_eq!(run.words(), [operation]);
    }
}

/// A node's `Date` may be ahead of the times in its events, which another node wrote: a read
/// begins by those.
#[test]
fn a_nodes_clock_that_is_ahead_hides_nothing_of_an_outage() {
    let ahead = Some("2026-11-22T02:01:30Z");
    let outage = |run: &mut Run| {
        run.give(Input::Closed(reset()));
        run.give(Input::Fired(Timer::Pause));
        connecting(run, ahead);
        run.give(Input::Pong);
        assert_eq!(since(run), "2026-11-22T01:59:30Z");
        rows(run, &[session("M2", "B", "STARTED", "02:00:10")]);
        assert_eq!(run.words(), ["sessionCreated"]);
    };
    for seen in [true, false] {
        let mut run = Run::new(SubscriptionOptions::default(), Vec::new());
        run.give(Input::Started).looked_up(&[SESSION], &["a"]);
        run.give(Input::SecretGot).give(Input::Connected {
            date: ahead.map(|date| date.parse().unwrap()),
        });
        let said = "the clock of a is 90 s ahead of ours";
        assert!(run.said()[0].starts_with(said), "{:?}", run.said());
        run.give(Input::Frame(Frame::connected()));
        run.give(Input::Pong);
        if seen {
            run.message(0, &body(1, &[session("M1", "A", "STARTED", "02:00:00")]));
        }
        outage(&mut run);
    }
}

#[test]
fn a_nodes_clock_that_differs_from_its_events_is_said_once() {
    let mut run = Run::new(SubscriptionOptions::default(), Vec::new());
    run.give(Input::Started).looked_up(&[SESSION], &["a"]);
    // Ours and the node's agree, the events' do not.
    connecting(&mut run, Some("2026-11-22T02:00:00Z"));
    run.give(Input::Pong);
    let mut said = Vec::new();
    for sequence in 1..6 {
        let late = session("M1", "A", "STARTED", &format!("01:59:0{sequence}"));
        run.message(0, &body(sequence, &[late]));
        said.extend(run.said());
    }
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("the clock of a is 57 s ahead of the times in its events"));
}

/// The directory came up with the publisher and has nobody yet: that is said, nobody is ended,
/// and it is read again.
#[test]
fn an_empty_directory_ends_nobody() {
    let mut run = Run::live(SubscriptionOptions::default(), &[SESSION]);
    let all: Vec<_> = (0..5)
        .map(|number| session(&format!("M{number}"), "A", "STARTED", "01:59:50"))
        .collect();
    run.message(0, &body(8, &all));
    run.message(0, &body(0, &[]));
    for _ in 0..2 {
        let (id, _) = run.read().unwrap();
        run.give(Input::ReadDone { id });
        assert_eq!(run.words(), [""; 0]);
        let said = run.said();
        assert!(said[0].contains("lacks 5 of what is known"), "{said:?}");
    }
    let pause = run.timer(Timer::Confirm(0)).unwrap();
    assert_eq!(pause, Duration::from_mins(3));
    assert_eq!(run.machine.unread(false).len(), 1);
    run.give(Input::Fired(Timer::CatchUp(0)));
    run.now += pause;
    run.give(Input::Fired(Timer::Confirm(0)));
    // By then it has them again, but for one that did end.
    let (id, _) = run.read().unwrap();
    rows(&mut run, &all[1..]);
    run.give(Input::ReadDone { id });
    let (id, read) = run.read().unwrap();
    assert_eq!(read.operation, "getSessions");
    rows(&mut run, &all[1..]);
    run.give(Input::ReadDone { id });
    assert_eq!(run.words(), [""; 0]);
    run.give(Input::Fired(Timer::CatchUp(0)));
    // It grew, so a third one is waited for.
    run.now += run
        .timer(Timer::Confirm(0))
        .unwrap_or(Duration::from_mins(6));
    run.give(Input::Fired(Timer::Confirm(0)));
    let mut told = Vec::new();
    while let Some((id, _)) = run.read() {
        rows(&mut run, &all[1..]);
        run.give(Input::ReadDone { id });
        told.extend(run.words().iter().map(ToString::to_string));
    }
    assert_eq!(told, ["sessionDeleted"]);
    assert!(run.machine.unread(false).is_empty());
}
