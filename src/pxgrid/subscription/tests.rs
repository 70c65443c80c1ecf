//! Each path of a subscription as a plain test: what goes in, what must come out.

use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::error::Kind;
use crate::pxgrid::stomp::Command;

const SESSION: &str = "/topic/com.cisco.ise.session";
const ANC: &str = "/topic/com.cisco.ise.config.anc.status";
const SXP: &str = "/topic/com.cisco.ise.sxp.binding";

/// A machine, a clock that is moved by hand, and what came out last.
struct Run {
    machine: Subscription,
    now: Duration,
    out: Vec<Action>,
}

impl Run {
    fn new(options: Options, resume: Vec<Mark>) -> Self {
        Self {
            machine: Subscription::new(options, resume).unwrap(),
            now: Duration::ZERO,
            out: Vec::new(),
        }
    }

    fn give(&mut self, input: Input) -> &mut Self {
        let moment = Moment {
            elapsed: self.now,
            wall: "2026-11-22T02:00:00Z".parse::<Timestamp>().unwrap() + self.now,
            random: u32::MAX,
        };
        self.out = self.machine.handle(moment, input);
        self
    }

    fn looked_up(&mut self, destinations: &[&str], nodes: &[&str]) -> &mut Self {
        self.give(Input::LookedUp {
            destinations: destinations.iter().map(ToString::to_string).collect(),
            nodes: nodes
                .iter()
                .map(|name| Node {
                    name: (*name).to_owned(),
                    url: format!("wss://{name}.example.com:8910/pxgrid/ise/pubsub"),
                })
                .collect(),
        })
    }

    fn connect(&mut self) -> &mut Self {
        self.give(Input::SecretGot).give(Input::Connected);
        self.give(Input::Frame(Frame::connected()))
    }

    fn live(options: Options, destinations: &[&str]) -> Self {
        let mut run = Self::new(options, Vec::new());
        run.give(Input::Started)
            .looked_up(destinations, &["a", "b"]);
        run.connect();
        run
    }

    fn message(&mut self, index: usize, body: &str) -> &mut Self {
        let frame = Frame::message(&index.to_string(), "", 1, None, body.to_owned());
        self.give(Input::Frame(frame))
    }

    fn events(&self) -> Vec<&Event> {
        let event = |action| match action {
            &Action::Emit(ref event) => Some(event),
            _ => None,
        };
        self.out.iter().filter_map(event).collect()
    }

    fn words(&self) -> Vec<&str> {
        self.events()
            .iter()
            .map(|event| event.event.as_str())
            .collect()
    }

    fn read(&self) -> Option<(u64, Read)> {
        self.out.iter().find_map(|action| match action {
            Action::Recover { id, read } => Some((*id, read.clone())),
            _ => None,
        })
    }

    fn said(&self) -> Vec<String> {
        let said = |action: &Action| match action {
            Action::Say(notice) => Some(notice.to_string()),
            _ => None,
        };
        self.out.iter().filter_map(said).collect()
    }

    fn timer(&self, wanted: Timer) -> Option<Duration> {
        self.out.iter().rev().find_map(|action| match action {
            Action::SetTimer { timer, after } if *timer == wanted => Some(*after),
            _ => None,
        })
    }

    fn sent(&self) -> Vec<(Command, &str)> {
        self.out
            .iter()
            .filter_map(|action| match action {
                Action::Send(frame) => Some((
                    frame.command,
                    frame.headers.first().map_or("", |(_, value)| value),
                )),
                _ => None,
            })
            .collect()
    }
}

fn refused() -> Error {
    Error::new(Kind::Refused, "HTTP 401").status(401)
}

fn reset() -> Error {
    Error::new(Kind::Connect, "connection reset")
}

fn session(mac: &str, state: &str, time: &str) -> String {
    format!(
        r#"{{"timestamp":"2026-11-22T{time}Z","state":"{state}","macAddress":"{mac}","auditSessionId":"0A{mac}", "v":1.10}}"#
    )
}

#[test]
fn the_way_to_the_first_message() {
    let mut run = Run::new(Options::default(), Vec::new());
    assert_eq!(run.give(Input::Started).out, [Action::LookUp]);
    run.looked_up(&[SESSION, ANC], &["a", "b"]);
    assert!(matches!(
        &run.out[1],
        Action::FetchSecret { node, fresh: false } if node.name == "a"
    ));
    assert_eq!(run.timer(Timer::Connect), Some(Duration::from_secs(30)));
    run.give(Input::SecretGot);
    assert!(matches!(&run.out[..], [Action::Connect { node }] if node.name == "a"));
    run.give(Input::Connected);
    assert_eq!(run.out, [Action::Send(Frame::connect("a"))]);
    run.give(Input::Frame(Frame::connected()));
    let subscribe = Command::Subscribe;
    assert_eq!(run.sent(), [(subscribe, SESSION), (subscribe, ANC)]);
    assert_eq!(run.said(), ["subscribed to 2 topics on a"]);
    assert_eq!(run.timer(Timer::Silence), Some(Duration::from_secs(75)));
    assert_eq!(run.read(), None);
}

#[test]
fn a_message_is_cut_to_sessions_in_the_servers_words() {
    let mut run = Run::live(Options::default(), &[SESSION]);
    let (one, two) = (
        session("AA:00:00:00:00:01", "STARTED", "02:00:01"),
        session("AA:00:00:00:00:02", "STARTED", "02:00:01"),
    );
    run.message(0, &format!(r#"{{"sequence":7,"sessions":[{one},{two}]}}"#));
    assert_eq!(run.words(), ["sessionCreated", "sessionCreated"]);
    let event = run.events()[1];
    assert_eq!(event.message, format!(r#"{{"sessions":[{two}]}}"#));
    assert_eq!(event.sequence, Some(7));
    assert_eq!(event.mac.as_deref(), Some("AA:00:00:00:00:02"));
    assert_eq!(event.state.as_deref(), Some("STARTED"));
    assert_eq!((event.node.as_str(), event.topic.as_str()), ("a", SESSION));
    assert!(!event.recovered);

    let ended = session("AA:00:00:00:00:01", "DISCONNECTED", "02:00:03");
    let changed = session("AA:00:00:00:00:02", "POSTURED", "02:00:01");
    let body = format!(r#"{{"sequence":8,"sessions":[{ended},{changed}]}}"#);
    run.message(0, &body);
    assert_eq!(run.words(), ["sessionDeleted", "sessionUpdated"]);
    run.message(0, &body);
    assert_eq!(run.words(), [""; 0]);
    let counters = run.machine.counters();
    assert_eq!(
        (counters.received, counters.duplicates, counters.gaps),
        (4, 1, 0)
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
    let mut run = Run::live(Options::default(), &topics);
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
        assert_eq!(run.events()[0].message, body);
        assert_eq!(run.events()[0].mac.as_deref(), mac, "{body}");
    }
    run.message(
        4,
        r#"{"sequenceNo":6,"macAddress":"M","operationType":"CREATE"}"#,
    );
    assert_eq!(run.machine.counters().duplicates, 1);
}

#[test]
fn a_gap_is_filled_from_the_newest_time_seen_and_merged() {
    let mut run = Run::live(Options::default(), &[SESSION]);
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
        "2026-11-22T02:09:30Z"
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
fn a_restarted_publisher_means_a_full_read_that_also_tells_what_is_gone() {
    let mut run = Run::live(Options::default(), &[SESSION]);
    let (one, two) = (
        session("M1", "STARTED", "02:10:00"),
        session("M2", "STARTED", "02:10:00"),
    );
    run.message(0, &format!(r#"{{"sequence":8,"sessions":[{one},{two}]}}"#));
    run.message(0, r#"{"sequence":0,"sessions":[]}"#);
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
        run.events()[0].message,
        r#"{"sessions":[{"macAddress":"M2","auditSessionId":"0AM2","state":"DISCONNECTED"}]}"#
    );
    assert_eq!(run.machine.counters().restarts, 1);
}

#[test]
fn a_failed_read_is_made_again_and_an_unknown_one_replaced() {
    let mut run = Run::live(Options::default(), &[SESSION]);
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
    run.message(0, r#"{"sequence":9,"sessions":[]}"#);
    let (id, _) = run.read().unwrap();
    run.give(Input::ReadFailed {
        id,
        error: refused(),
    });
    assert_eq!(
        (run.read(), run.machine.counters().possibly_lost),
        (None, 2)
    );
}

#[test]
fn a_refused_secret_is_renewed_once_then_looked_up_then_an_error() {
    let mut run = Run::new(Options::default(), Vec::new());
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
fn a_first_lookup_that_fails_is_the_end() {
    let mut run = Run::new(Options::default(), Vec::new());
    run.give(Input::Started).give(Input::LookupFailed(reset()));
    assert_eq!(run.out, [Action::Close, Action::Finished(Some(reset()))]);
}

#[test]
fn nodes_in_turn_with_growing_pauses_then_a_pause_and_a_new_lookup() {
    let mut run = Run::new(Options::default(), Vec::new());
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

#[test]
fn a_lost_connection_is_made_again_elsewhere_subscribed_and_caught_up() {
    let mut run = Run::live(Options::default(), &[SESSION, ANC]);
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
    assert_eq!(run.machine.counters().reconnects, 1);
}

#[test]
fn pings_keep_a_connection_and_silence_ends_it() {
    let mut run = Run::live(Options::default(), &[SESSION]);
    run.now = Duration::from_secs(50);
    run.give(Input::Heard);
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
    let mut run = Run::live(Options::default(), &[SESSION]);
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

    let mut run = Run::live(Options::default(), &[SESSION]);
    run.give(Input::StopRequested)
        .give(Input::Fired(Timer::Receipt));
    assert!(run.machine.is_finished());
    assert_eq!(run.said(), ["the server did not confirm that we left"]);
}

#[test]
fn a_later_run_goes_on_where_the_last_one_was() {
    let mark = Mark {
        destination: SESSION.to_owned(),
        newest: "2026-11-21T12:00:00Z".parse().unwrap(),
        sequence: Some(41),
    };
    let mut run = Run::new(Options::default(), vec![mark.clone()]);
    run.give(Input::Started)
        .looked_up(&[SESSION], &["a"])
        .connect();
    assert_eq!(run.read().unwrap().1.since, Some(mark.newest));
    assert_eq!(run.machine.marks(), [mark]);
    run.message(0, r#"{"sequence":50,"sessions":[]}"#);
    assert_eq!(run.machine.counters().missed, 8);
}

#[test]
fn the_snapshot_is_told_as_recovered() {
    let options = Options {
        snapshot: true,
        ..Options::default()
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
    let mut run = Run::live(Options::default(), &[SXP]);
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
        run.events()[0].message,
        r#"{"operation":"UPDATE","binding":{"ipPrefix":"10.0.0.1/32","tag":9}}"#
    );
    run.give(Input::ReadDone { id });
    assert_eq!(
        run.events()[0].message,
        r#"{"operation":"DELETE","binding":{"ipPrefix":"10.0.0.2/32"}}"#
    );
}

#[test]
fn what_cannot_be_read_is_said_and_counted() {
    let mut run = Run::live(Options::default(), &[SESSION]);
    for body in ["", "[]", "{\"sequence\":", "<html>"] {
        run.message(0, body);
        assert_eq!(run.said().len(), 1, "{body}");
    }
    run.message(0, r#"{"sessions":[7]}"#);
    run.message(99, "{}");
    assert_eq!(run.machine.counters().unreadable, 6);
    assert_eq!(run.machine.counters().messages, 6);
}

#[test]
fn a_filter_that_cannot_be_sent_is_refused_before_anything_happens() {
    let options = Options {
        filter: Some("x".repeat(2000)),
        ..Options::default()
    };
    let error = Subscription::new(options, Vec::new()).unwrap_err();
    assert_eq!(error.kind(), Kind::Usage);
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
        let mut run = Run::live(Options::default(), &[SESSION, ANC, SXP]);
        let mut events = 0;
        for (index, body) in &bodies {
            run.message(*index, body);
            for event in run.events() {
                events += 1;
                prop_assert!(!event.message.contains('\n'));
                prop_assert!(serde_json::from_str::<&serde_json::value::RawValue>(&event.to_json()).is_ok());
            }
        }
        let counters = run.machine.counters();
        prop_assert_eq!(counters.messages, u64::try_from(bodies.len()).unwrap());
        prop_assert_eq!(counters.received, events);
    }

    #[test]
    fn pauses_stay_within_their_bounds(tries in 0_u32..100, random in any::<u32>()) {
        let options = Options::default();
        let pause = super::machine::growing_pause(&options, tries, random);
        let whole = Duration::from_secs(1_u64 << tries.min(10)).min(options.reconnect_max);
        prop_assert!(pause >= whole / 2 && pause <= whole);
    }
}
