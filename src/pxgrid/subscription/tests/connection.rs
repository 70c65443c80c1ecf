//! Lookup, secret, nodes, pauses, watchdog, leaving.

use proptest::prelude::*;

use super::*;

#[test]
fn the_way_to_the_first_message() {
    let mut run = Run::new(SubscriptionOptions::default(), Vec::new());
    assert_eq!(run.give(Input::Started).out, [Action::LookUp]);
    run.looked_up(&[SESSION, ANC], &["a", "b"]);
    assert!(matches!(
        &run.out[1],
        Action::FetchSecret { node, fresh: false } if node.name == "a"
    ));
    assert_eq!(run.timer(Timer::Connect), Some(Duration::from_secs(30)));
    run.give(Input::SecretGot);
    assert!(matches!(&run.out[..], [Action::Connect { node }] if node.name == "a"));
    run.give(Input::Connected { date: None });
    assert_eq!(run.out, [Action::Send(Frame::connect("a"))]);
    run.give(Input::Frame(Frame::connected()));
    let subscribe = Command::Subscribe;
    assert_eq!(run.sent(), [(subscribe, SESSION), (subscribe, ANC)]);
    assert!(run.out.contains(&Action::Ping));
    assert_eq!(run.timer(Timer::Silence), Some(Duration::from_secs(75)));
    assert_eq!(run.said(), [""; 0]);
    // What the server sends by itself says nothing of what it has read.
    run.give(Input::Ping);
    assert_eq!(run.said(), [""; 0]);
    run.give(Input::Pong);
    assert_eq!(run.said(), ["subscribed to 2 topics on a"]);
    assert_eq!(run.read(), None);
    run.give(Input::Pong);
    assert_eq!(run.said(), [""; 0]);
}

#[test]
fn nothing_is_read_over_rest_before_the_server_has_read_subscribe() {
    let mut run = Run::live(SubscriptionOptions::default(), &[SESSION]);
    run.give(Input::Closed(reset()));
    run.give(Input::Fired(Timer::Pause));
    run.give(Input::SecretGot)
        .give(Input::Connected { date: None });
    run.give(Input::Frame(Frame::connected()));
    assert_eq!(run.read(), None);
    run.give(Input::Pong);
    assert!(run.read().is_some());
}

#[test]
fn a_server_that_answers_no_ping_is_taken_at_its_word() {
    let mut run = Run::new(SubscriptionOptions::default(), Vec::new());
    run.give(Input::Started).looked_up(&[SESSION], &["a"]);
    run.give(Input::SecretGot)
        .give(Input::Connected { date: None });
    run.give(Input::Frame(Frame::connected()));
    run.give(Input::Fired(Timer::Connect));
    assert_eq!(run.said(), ["subscribed on a"]);
}

#[test]
fn an_error_in_answer_to_connect_may_mean_the_secret() {
    let mut run = Run::new(SubscriptionOptions::default(), Vec::new());
    run.give(Input::Started).looked_up(&[SESSION], &["a", "b"]);
    run.give(Input::SecretGot)
        .give(Input::Connected { date: None });
    let error = || Input::Frame(Frame::error("Bad CONNECT", "Access refused"));
    run.give(error());
    assert_eq!(
        run.said(),
        [
            "a refused CONNECT (the server said: Bad CONNECT: Access refused); fetching a fresh secret"
        ]
    );
    assert!(run.out.contains(&Action::Close));
    assert!(matches!(
        run.out.last(),
        Some(Action::FetchSecret { node, fresh: true }) if node.name == "a"
    ));
    run.give(Input::SecretGot)
        .give(Input::Connected { date: None });
    run.give(error());
    assert!(
        run.said()[0].starts_with("cannot use a: "),
        "{:?}",
        run.said()
    );
}

#[test]
fn a_refused_secret_is_renewed_once_then_looked_up_then_an_error() {
    let mut run = Run::new(SubscriptionOptions::default(), Vec::new());
    run.give(Input::Started);
    for round in 0..2 {
        run.looked_up(&[SESSION], &["a"]).give(Input::SecretGot);
        run.give(Input::ConnectFailed {
            error: refused(),
            refused: true,
        });
        assert!(matches!(
            run.out.last(),
            Some(Action::FetchSecret { fresh: true, .. })
        ));
        run.give(Input::SecretGot);
        run.give(Input::ConnectFailed {
            error: refused(),
            refused: true,
        });
        if round == 0 {
            run.give(Input::Fired(Timer::Pause));
            assert_eq!(run.out, [Action::LookUp]);
        }
    }
    assert_eq!(run.out, [Action::Close, Action::Finished(Some(refused()))]);
    assert!(run.machine.is_finished());
}

#[test]
fn a_refused_account_is_looked_up_once_more_then_an_error() {
    let mut run = Run::new(SubscriptionOptions::default(), Vec::new());
    run.give(Input::Started);
    run.looked_up(&[SESSION], &["a"]);
    run.give(Input::SecretFailed(refused()));
    run.give(Input::Fired(Timer::Pause));
    assert_eq!(run.out, [Action::LookUp]);
    run.looked_up(&[SESSION], &["a"]);
    run.give(Input::SecretFailed(refused()));
    assert_eq!(run.out, [Action::Close, Action::Finished(Some(refused()))]);
}

#[test]
fn a_node_that_refuses_us_is_left_for_the_next() {
    let refuse = |run: &mut Run| {
        for _ in 0..2 {
            run.give(Input::SecretGot);
            run.give(Input::ConnectFailed {
                error: refused(),
                refused: true,
            });
        }
    };
    let next = |run: &Run| match run.out.last() {
        Some(Action::FetchSecret { node, fresh: false }) => node.name.clone(),
        other => panic!("{other:?}"),
    };
    let mut run = Run::new(SubscriptionOptions::default(), Vec::new());
    run.give(Input::Started).looked_up(&[SESSION], &["a", "b"]);
    refuse(&mut run);
    run.give(Input::Fired(Timer::Pause));
    assert_eq!(next(&run), "b");
    run.connect();
    // It serves us for longer than the pause before it, so that its loss begins anew.
    run.message(0, "{}");
    run.now += Duration::from_secs(2);
    run.give(Input::Closed(reset()))
        .give(Input::Fired(Timer::Pause));
    assert_eq!(next(&run), "a");
    refuse(&mut run);
    run.give(Input::Fired(Timer::Pause));
    assert_eq!(next(&run), "b");
    refuse(&mut run);
    // Nobody is let in any more: as with nodes that are dead.
    assert_eq!(run.timer(Timer::Pause), Some(Duration::from_mins(1)));
    run.give(Input::Fired(Timer::Pause));
    assert_eq!(run.out, [Action::LookUp]);
}

#[test]
fn a_first_lookup_that_fails_is_the_end() {
    let mut run = Run::new(SubscriptionOptions::default(), Vec::new());
    run.give(Input::Started).give(Input::LookupFailed(reset()));
    assert_eq!(run.out, [Action::Close, Action::Finished(Some(reset()))]);
}

#[test]
fn nodes_in_turn_with_growing_pauses_then_a_pause_and_a_new_lookup() {
    let mut run = Run::new(SubscriptionOptions::default(), Vec::new());
    run.give(Input::Started)
        .looked_up(&[SESSION], &["a", "b", "c", "d"]);
    for (pause, next) in [(1, "b"), (2, "c"), (4, "d")] {
        run.give(Input::SecretFailed(reset()));
        assert_eq!(run.timer(Timer::Pause), Some(Duration::from_secs(pause)));
        run.give(Input::Fired(Timer::Pause));
        assert!(matches!(
            run.out.last(),
            Some(Action::FetchSecret { node, .. }) if node.name == next
        ));
    }
    run.give(Input::Fired(Timer::Connect));
    assert_eq!(
        run.said(),
        ["cannot use d: no answer in 30s", "new lookup in 60.0 s"]
    );
    assert_eq!(run.give(Input::Fired(Timer::Pause)).out, [Action::LookUp]);
    run.give(Input::LookupFailed(reset()));
    assert_eq!(run.timer(Timer::Pause), Some(Duration::from_mins(1)));
}

/// A node that lets us in, says something and drops us again is no success however often it does
/// so.
#[test]
fn pauses_grow_with_a_node_that_flaps() {
    let mut run = Run::live(SubscriptionOptions::default(), &[SESSION]);
    let mut pauses = Vec::new();
    for sequence in 0..8 {
        run.message(0, &format!(r#"{{"sequence":{sequence},"sessions":[]}}"#));
        run.now += Duration::from_millis(200);
        run.give(Input::Closed(reset()));
        let pause = run.timer(Timer::Pause).unwrap();
        pauses.push(pause.as_secs());
        run.now += pause;
        run.give(Input::Fired(Timer::Pause));
        if run.out == [Action::LookUp] {
            run.looked_up(&[SESSION], &["a", "b"]);
        }
        run.connect();
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
    // One that lasts longer than the pause before it is a success.
    run.message(0, r#"{"sequence":8,"sessions":[]}"#);
    run.now += Duration::from_secs(61);
    run.give(Input::Closed(reset()));
    assert_eq!(run.timer(Timer::Pause), Some(Duration::from_secs(1)));
}

#[test]
fn a_flood_of_faulty_messages_is_said_once_a_second() {
    let mut run = Run::live(SubscriptionOptions::default(), &[SESSION]);
    let mut said = Vec::new();
    for number in 0..20_000 {
        if number % 9000 == 8999 {
            run.now += Duration::from_secs(1);
            run.give(Input::Fired(Timer::NoticeLimit));
            said.extend(run.said());
        }
        run.message(0, "nonsense");
        said.extend(run.said());
        // Nor does a server get a line for each topic that it makes up.
        let frame = Frame::message("x", &format!("/topic/{number}"), 1, None, "{}".to_owned());
        run.give(Input::Frame(frame));
        said.extend(run.said());
    }
    assert!(said.len() < 1000, "{} lines", said.len());
    let first = format!("{SESSION}: a message could not be read");
    assert_eq!(said[0], first);
    assert!(said.contains(&format!("{first} (8994 times more in a second)")));
    assert_eq!(run.machine.figures().unreadable, 40_000);
    run.give(Input::StopRequested)
        .give(Input::Fired(Timer::Receipt));
    assert!(run.said().iter().any(|line| line.starts_with(&first)));
    assert!(run.machine.is_finished());
}

/// What is missed while no connection stands may be lost with the end.
#[test]
fn an_end_in_an_outage_leaves_something_unread() {
    let mut run = Run::live(SubscriptionOptions::default(), &[SESSION, ANC]);
    assert!(run.machine.unread(false).is_empty());
    run.give(Input::Closed(reset()));
    assert_eq!(run.machine.unread(false).len(), 2);
    // A later run reads the sessions from the mark; nobody can read ANC's.
    let left = run.machine.unread(true);
    assert!(matches!(&left[..], [Notice::PossiblyLost { topic, .. }] if topic == ANC));
    run.give(Input::Fired(Timer::Pause)).connect();
    let (id, _) = run.read().unwrap();
    assert_eq!(run.machine.unread(false).len(), 1);
    run.give(Input::ReadDone { id });
    assert!(run.machine.unread(false).is_empty());
}

#[test]
fn a_lost_connection_is_made_again_elsewhere_subscribed_and_caught_up() {
    let mut run = Run::live(SubscriptionOptions::default(), &[SESSION, ANC]);
    run.message(0, r#"{"sequence":1,"sessions":[]}"#);
    run.give(Input::Frame(Frame::error("slow consumer", "cut off")));
    assert_eq!(
        run.said(),
        [
            "connection to a lost: the server said: slow consumer: cut off",
            "next try in 1.0 s"
        ]
    );
    run.give(Input::Fired(Timer::Pause)).connect();
    assert_eq!(run.sent().len(), 2);
    assert_eq!(run.read().unwrap().1.operation, "getSessionsForRecovery");
    let said = run.said();
    assert_eq!(said[0], "subscribed to 2 topics on b");
    assert!(
        said[2].contains("anc.status: events may have been lost"),
        "{said:?}"
    );
    assert_eq!(run.machine.figures().reconnects, 1);
}

#[test]
fn pings_keep_a_connection_and_silence_ends_it() {
    let mut run = Run::live(SubscriptionOptions::default(), &[SESSION]);
    run.now = Duration::from_secs(50);
    run.give(Input::Ping);
    run.now = Duration::from_secs(75);
    run.give(Input::Fired(Timer::Silence));
    assert_eq!(run.timer(Timer::Silence), Some(Duration::from_secs(50)));
    run.now = Duration::from_secs(125);
    run.give(Input::Fired(Timer::Silence));
    assert_eq!(
        run.said()[0],
        "connection to a lost: neither data nor ping for 75s"
    );
    assert_eq!(run.out[0], Action::Close);
}

#[test]
fn leaving_is_said_to_the_server_and_does_not_hang() {
    let mut run = Run::live(SubscriptionOptions::default(), &[SESSION]);
    run.give(Input::StopRequested);
    assert_eq!(
        run.sent(),
        [(Command::Unsubscribe, "0"), (Command::Disconnect, "bye")]
    );
    assert_eq!(run.timer(Timer::Receipt), Some(Duration::from_secs(2)));
    run.message(0, r#"{"sequence":1,"sessions":[{}]}"#);
    assert_eq!(run.out, []);
    run.give(Input::Frame(Frame::receipt("bye")));
    assert_eq!(run.out, [Action::Close, Action::Finished(None)]);

    let mut run = Run::live(SubscriptionOptions::default(), &[SESSION]);
    run.give(Input::StopRequested)
        .give(Input::Fired(Timer::Receipt));
    assert!(run.machine.is_finished());
    assert_eq!(run.said(), ["the server did not confirm that we left"]);
}

#[test]
fn a_filter_that_cannot_be_sent_is_refused_before_anything_happens() {
    let options = SubscriptionOptions {
        filter: Some("x".repeat(2000)),
        ..SubscriptionOptions::default()
    };
    let error = Subscription::new(options, Vec::new()).unwrap_err();
    assert_eq!(error.kind(), Kind::Usage);
}

proptest! {
    #[test]
    fn pauses_stay_within_their_bounds(tries in 0_u32..100, random in any::<u32>()) {
        let options = SubscriptionOptions::default();
        let pause = crate::pxgrid::subscription::machine::nodes::growing_pause(&options, tries, random);
        let whole = Duration::from_secs(1_u64 << tries.min(10)).min(options.reconnect_max);
        prop_assert!(pause >= whole / 2 && pause <= whole);
        prop_assert!(pause >= options.reconnect_min);
    }
}
