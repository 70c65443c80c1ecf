//! The state as a whole: what keys do, what is drawn, what never is.

mod narrowed;

use std::sync::Arc;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde_json::json;

use super::*;
use crate::error::Kind;
use crate::event::{EventId, Message};
use crate::mnt::Coa;
use crate::pxgrid::subscription::Notice;
use crate::top::view::Column;

const MAC: &str = "00:00:5E:00:01:05";

fn now() -> Timestamp {
    "2026-03-01T02:00:00Z".parse().unwrap()
}

fn setup() -> Setup {
    Setup {
        feed: Feed::new("ise.example.com".to_owned(), true),
        read_only: None,
        no_mnt: None,
        no_anc: None,
        color: false,
        zone: TimeZone::UTC,
        now: now(),
    }
}

fn event(session: &serde_json::Value, at: Timestamp) -> Event {
    Event {
        id: EventId::default().into(),
        event: "sessionUpdated".into(),
        sequence: Some(1),
        topic: "/topic/com.cisco.ise.session".into(),
        node: Arc::default(),
        received_at: at,
        recovered: false,
        overtaken: false,
        mac: None,
        station: None,
        state: None,
        message: Message::session(session.to_string()),
    }
}

fn session(number: i64) -> serde_json::Value {
    let state = ["STARTED", "POSTURED", "AUTHENTICATED"]
        [usize::from(number % 7 == 0) + usize::from(number % 21 == 0)];
    let at = now()
        .checked_sub(jiff::SignedDuration::from_secs(number))
        .unwrap();
    json!({
        "macAddress": format!("00:00:5E:00:01:{number:02X}"), "state": state,
        "auditSessionId": format!("0A{number:06}"), "userName": format!("pat.kim{number}"),
        "ipAddresses": [format!("10.50.10.{number}")], "timestamp": at.to_string(),
        "nasIdentifier": format!("sw-lab-{:02}", number % 4), "nasPortId": format!("Gi1/0/{number}"),
        "authMethod": if number % 3 == 0 { "mab" } else { "dot1x" },
        "ctsSecurityGroup": if number == 5 { "Quarantined_Systems" } else { "Employees" },
        "postureStatus": if number % 7 == 0 { "Compliant" } else { "" },
        "endpointProfile": "Windows11-Workstation"
    })
}

fn failure(number: i64) -> Record {
    let at = now()
        .checked_sub(jiff::SignedDuration::from_mins(number))
        .unwrap();
    Record::from_value(json!({
        "id": number.to_string(), "timestamp": at.to_string(),
        "failureReason": "22040 Wrong password or invalid shared secret",
        "userName": "jsmith", "macAddress": format!("00:00:5E:00:53:{number:02X}"),
        "networkDeviceName": "sw-lab-03", "nasPortId": "Gi1/0/7", "serverName": "psn-a"
    }))
}

/// Sixty sessions and ten failures, connected.
fn filled() -> Top {
    let mut top = Top::new(setup());
    let topics = 2;
    let node = "~ise-pubsub-1".to_owned();
    top.feed().hear(&Notice::Subscribed { node, topics }, now());
    top.feed().nodes = Some((3, 4));
    for number in 0..60 {
        let event = event(&session(number), now());
        top.event(&event, true, now());
    }
    for number in 0..10 {
        top.failure(&failure(number), now());
    }
    top.until(now() + Duration::from_secs(1));
    top
}

fn picture(top: &mut Top, width: u16, height: u16) -> String {
    top.prepare(width, height, now());
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal
        .draw(|frame| draw(top, frame.buffer_mut()))
        .unwrap();
    let quoted = terminal.backend().to_string();
    let line = |line: &str| line.trim_matches('"').trim_end().to_owned();
    quoted.lines().map(|text| line(text) + "\n").collect()
}

fn press(top: &mut Top, keys: &str) -> Option<Action> {
    let mut last = None;
    for key in keys.chars() {
        let code = match key {
            '\n' => KeyCode::Enter,
            '\t' => KeyCode::Tab,
            '\u{1b}' => KeyCode::Esc,
            '↓' => KeyCode::Down,
            key => KeyCode::Char(key),
        };
        last = top.key(KeyEvent::new(code, KeyModifiers::NONE));
    }
    last
}

/// Moves to the session of [`MAC`].
fn on_mac(top: &mut Top) {
    picture(top, 80, 24);
    press(top, "↓↓↓↓↓");
    assert_eq!(top.endpoint().unwrap().mac, Some(MAC.parse().unwrap()));
}

/// Compares with `tests/golden/top/NAME.txt`; UPDATE_GOLDEN=1 writes it.
fn golden(name: &str, picture: &str) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/top");
    let path = std::path::Path::new(path).join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, picture).unwrap();
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(picture, wanted, "{}", path.display());
}

#[test]
fn the_picture_is_as_it_was_at_every_size() {
    for (width, height) in [(80, 24), (120, 40), (200, 50)] {
        let mut top = filled();
        let name = format!("{width}x{height}");
        golden(&name, &picture(&mut top, width, height));
        press(&mut top, "↓↓\n");
        golden(
            &format!("{name}-details"),
            &picture(&mut top, width, height),
        );
        press(&mut top, "\u{1b}g");
        golden(&format!("{name}-groups"), &picture(&mut top, width, height));
        press(&mut top, "?");
        golden(&format!("{name}-help"), &picture(&mut top, width, height));
    }
}

#[test]
fn every_size_has_a_picture_and_every_overlay_too() {
    for (width, height) in [
        (1, 1),
        (39, 9),
        (40, 10),
        (60, 15),
        (80, 19),
        (300, 100),
        (500, 200),
    ] {
        let mut top = filled();
        for keys in [
            "", "\n", "\u{1b}a", "\u{1b}o", "\n", "n?", "qg", "\t", "x/pat",
        ] {
            press(&mut top, keys);
            picture(&mut top, width, height);
        }
    }
}

#[test]
fn a_change_goes_out_only_after_y_and_for_the_endpoint_of_the_question() {
    let mac: Mac = MAC.parse().unwrap();
    let mut top = filled();
    on_mac(&mut top);
    assert_eq!(press(&mut top, "a"), Some(Action::Policies(mac)));
    let policies = vec!["Bounce".to_owned(), "Quarantine".to_owned()];
    top.policies_are(mac, Ok(policies));
    assert_eq!(press(&mut top, "↓\n"), None);
    let shown = picture(&mut top, 80, 24);
    assert!(
        shown.contains(&format!("Put Quarantine on {MAC} (pat.kim5) at sw-lab-01?")),
        "{shown}"
    );
    let kind = ChangeKind::Apply("Quarantine".to_owned());
    let change = Change { mac, kind };
    assert_eq!(press(&mut top, "y"), Some(Action::Change(change.clone())));
    top.changed(&change, Ok("done".to_owned()));
    assert!(picture(&mut top, 80, 24).contains(&format!("Quarantine for {MAC}: done")));
    // Everything but y is no.
    for no in ["n", "\n", "\u{1b}", "Y", " ", "q"] {
        assert_eq!(press(&mut top, "c"), None);
        assert!(picture(&mut top, 80, 24).contains("Take the ANC policy off"));
        assert_eq!(press(&mut top, no), None, "{no:?}");
        assert!(picture(&mut top, 80, 24).contains("nothing was sent"));
    }
    // Esc and y that a slow line brings together are one key with Alt.
    press(&mut top, "c");
    let together = KeyEvent::new(KeyCode::Char('y'), KeyModifiers::ALT);
    assert_eq!(top.key(together), None);
    assert!(picture(&mut top, 80, 24).contains("nothing was sent"));
    let kind = ChangeKind::Clear;
    assert_eq!(
        press(&mut top, "cy"),
        Some(Action::Change(Change { mac, kind }))
    );
    let kind = ChangeKind::Coa(Coa::Disconnect);
    assert_eq!(
        press(&mut top, "o↓\ny"),
        Some(Action::Change(Change { mac, kind }))
    );
}

#[test]
fn what_is_pasted_is_never_a_key() {
    let mut top = filled();
    on_mac(&mut top);
    top.paste("cy");
    assert!(matches!(top.overlay, Overlay::None));
    press(&mut top, "c");
    top.paste("y");
    assert!(matches!(top.overlay, Overlay::Question(_)));
    press(&mut top, "n/");
    top.paste("pat\u{1b}[2J\n");
    assert_eq!(top.view.search, "pat[2J");
}

#[test]
fn nothing_is_changed_with_read_only() {
    for (read_only, no_anc) in [(true, false), (false, true)] {
        let mut top = filled();
        top.setup.read_only = read_only.then(|| "--read-only is set".to_owned());
        top.setup.no_anc = no_anc.then(|| "pxGrid is not set up".to_owned());
        on_mac(&mut top);
        for key in ["a", "c", "o"] {
            if key == "o" && no_anc {
                continue;
            }
            assert_eq!(press(&mut top, key), None);
            assert!(matches!(top.overlay, Overlay::None));
            let shown = picture(&mut top, 80, 24);
            let why = if read_only {
                "--read-only is set"
            } else {
                "pxGrid is not set up"
            };
            assert!(shown.contains(why), "{shown}");
        }
        assert_eq!(
            press(&mut top, "y"),
            Some(Action::Copy(MAC.parse().unwrap()))
        );
    }
}

#[test]
fn details_keep_their_endpoint_while_the_list_moves() {
    let mut top = filled();
    picture(&mut top, 80, 24);
    let mac: Mac = "00:00:5E:00:01:00".parse().unwrap();
    assert_eq!(press(&mut top, "\n"), Some(Action::Detail(mac)));
    // Something newer comes to the top, and the session ends.
    let mut newer = session(99);
    newer["timestamp"] = json!("2026-03-01T03:00:00Z");
    top.event(&event(&newer, now()), true, now());
    let mut ended = session(0);
    ended["state"] = json!("DISCONNECTED");
    top.event(&event(&ended, now()), true, now());
    picture(&mut top, 80, 24);
    let kind = ChangeKind::Clear;
    assert_eq!(
        press(&mut top, "cy"),
        Some(Action::Change(Change { mac, kind }))
    );
}

#[test]
fn answers_for_somebody_else_are_not_shown() {
    let mut top = filled();
    on_mac(&mut top);
    let mac: Mac = MAC.parse().unwrap();
    let other: Mac = "00:00:5E:00:01:06".parse().unwrap();
    assert_eq!(press(&mut top, "e"), Some(Action::Explain(mac)));
    top.explained(other, Ok("somebody else".to_owned()));
    assert!(picture(&mut top, 80, 24).contains("asking …"));
    top.explained(mac, Ok("on the network\u{1b}]0;x\u{7}".to_owned()));
    let shown = picture(&mut top, 80, 24);
    assert!(shown.contains("on the network\\x1b]0;x\\x07"), "{shown}");
    press(&mut top, "q");
    assert_eq!(press(&mut top, "e"), Some(Action::Explain(mac)));
    top.explained(
        mac,
        Err(Error::new(Kind::Server, "no such endpoint").hint("look")),
    );
    assert!(picture(&mut top, 80, 24).contains("no such endpoint; look"));
}

#[test]
fn a_failure_has_its_reason_cause_and_remedy_in_words() {
    let mut top = filled();
    picture(&mut top, 80, 24);
    assert_eq!(press(&mut top, "\t↓\n"), Some(Action::Causes));
    let remedy = "Type it. ".repeat(40) + "Then look again.";
    let cause = ("22040".to_owned(), "It was typed wrong.".to_owned(), remedy);
    top.causes_are(Ok(vec![cause]));
    let shown = picture(&mut top, 80, 24);
    let end = press(&mut top, "\u{1b}\n");
    assert_eq!(end, None);
    top.key(KeyEvent::new(KeyCode::End, KeyModifiers::NONE));
    let at_its_end = picture(&mut top, 80, 24);
    assert!(at_its_end.contains("Then look again."), "{at_its_end}");
    for words in [
        "22040 Wrong password or invalid shared",
        "It was typed wrong.",
        "Type it.",
    ] {
        assert!(shown.contains(words), "{shown}");
    }
    let mac = "00:00:5E:00:53:01".parse().unwrap();
    assert_eq!(press(&mut top, "e"), Some(Action::Explain(mac)));
}

#[test]
fn what_changed_days_ago_has_its_day() {
    let mut top = Top::new(setup());
    for (number, time) in [(1, "2026-02-28T02:00:01Z"), (2, "2026-02-26T23:15:00Z")] {
        let mut told = session(number);
        told["timestamp"] = json!(time);
        top.event(&event(&told, now()), true, now());
    }
    let shown = picture(&mut top, 120, 40);
    assert!(
        shown.contains(" 02:00:01") && shown.contains(" Feb 26"),
        "{shown}"
    );
    assert!(!shown.contains("23:15:00"), "{shown}");
}

#[test]
fn of_many_failures_it_is_said_how_many_the_reason_is_of() {
    let mut top = filled();
    let earlier: Vec<Timestamp> = (0..3_000)
        .map(|_| now() - Duration::from_mins(10))
        .collect();
    top.earlier_failures(&earlier, now());
    let shown = picture(&mut top, 120, 40);
    assert!(shown.contains("FAILURES 3,010 in 1h"), "{shown}");
    assert!(shown.contains("(10 of the newest 10)"), "{shown}");
}

#[test]
fn hostile_names_are_drawn_as_escapes_and_nothing_steers() {
    let mut top = Top::new(setup());
    let hostile = "\u{1b}[2J\u{9b}31m\u{202e}evil\u{7}\u{200b}";
    let mut bad = session(1);
    for name in [
        "userName",
        "nasIdentifier",
        "ctsSecurityGroup",
        "postureStatus",
        "state",
        "nasPortId",
    ] {
        bad[name] = json!(hostile);
    }
    top.event(&event(&bad, now()), true, now());
    let reason = json!({
        "failureReason": hostile, "userName": hostile, "callingStationId": hostile,
        "networkDeviceName": hostile, "timestamp": now().to_string()
    });
    top.failure(&Record::from_value(reason), now());
    top.say(hostile, true);
    for keys in ["", "\n", "\u{1b}g", "x\t\n", "\u{1b}\u{1b}c", "n"] {
        press(&mut top, keys);
        let shown = picture(&mut top, 200, 50);
        let steers = |c: char| c != '\n' && crate::sanitize::is_unsafe(c);
        assert!(!shown.chars().any(steers), "{keys:?}: {shown:?}");
    }
}

#[test]
fn a_picture_is_wanted_only_when_something_changed() {
    let mut top = filled();
    picture(&mut top, 80, 24);
    assert_eq!(top.wants_picture(), None);
    // Rates fall to nothing, and then all is still.
    for second in 2..20 {
        top.until(now() + Duration::from_secs(second));
    }
    assert_eq!(top.wants_picture(), Some(Urgency::Soon));
    picture(&mut top, 80, 24);
    for second in 20..40 {
        top.until(now() + Duration::from_secs(second));
        assert_eq!(top.wants_picture(), None, "{second}");
    }
    press(&mut top, "j");
    assert_eq!(top.wants_picture(), Some(Urgency::Now));
}

#[test]
fn a_session_that_the_filters_do_not_want_any_more_goes() {
    let mut top = filled();
    let told = event(&session(5), now());
    top.event(&told, false, now());
    assert_eq!(top.sessions.len(), 59);
    top.event(&told, true, now());
    assert_eq!(top.sessions.len(), 60);
}

#[test]
fn prompts_are_typed_mended_and_dropped() {
    let mut top = filled();
    picture(&mut top, 80, 24);
    press(&mut top, "/kim7\n");
    assert!(picture(&mut top, 80, 24).contains("SESSIONS 1 of 60 · search \"kim7\""));
    press(&mut top, "/x");
    assert!(picture(&mut top, 80, 24).contains("no session is so"));
    press(&mut top, "\u{1b}");
    assert!(picture(&mut top, 80, 24).contains("SESSIONS 1 of 60"));
    press(&mut top, "xfswitch=a\n");
    let shown = picture(&mut top, 80, 24);
    // What is wrong, all names, and what was typed.
    assert!(shown.contains("write NAME=VALUE: mac "), "{shown}");
    assert!(shown.contains(" profile server\n"), "{shown}");
    assert!(
        shown.ends_with("filter (NAME=VALUE …): switch=a▏\n"),
        "{shown}"
    );
    press(&mut top, "\u{1b}fmethod=mab nas=sw-lab-0*\n");
    assert!(picture(&mut top, 80, 24).contains("SESSIONS 20 of 60 · method=mab · nas=sw-lab-0*"));
    press(&mut top, "\u{1b}");
    assert!(picture(&mut top, 80, 24).contains("SESSIONS 60 ·"));
}

#[test]
fn the_column_that_is_sorted_by_is_shown_at_every_width() {
    let mut top = filled();
    for _ in 0..Column::ALL.len() {
        press(&mut top, "s");
        for width in [80, 120] {
            let shown = picture(&mut top, width, 24);
            let way = if top.view.descending { "▼" } else { "▲" };
            let arrow = format!("{}{way}", top.view.sort.title());
            let usual = top.view.sort == Column::Changed && shown.contains("newest first");
            assert!(shown.contains(&arrow) || usual, "{arrow}: {shown}");
        }
    }
}

#[test]
fn names_that_differ_at_their_end_keep_it_in_a_narrow_place() {
    let mut top = filled();
    let mut long = session(1);
    long["nasIdentifier"] = json!("switch-in-the-laboratory-17");
    long["nasPortId"] = json!("TenGigabitEthernet1/0/48");
    top.event(&event(&long, now()), true, now());
    assert!(picture(&mut top, 80, 24).contains("ry-17"));
    assert!(picture(&mut top, 200, 50).contains("Te1/0/48"));
}

#[test]
fn all_keys_are_seen_at_once_on_the_smallest_usual_terminal() {
    let mut top = filled();
    picture(&mut top, 80, 24);
    press(&mut top, "?");
    let shown = picture(&mut top, 80, 24);
    for (keys, _) in keys::HELP {
        assert!(shown.contains(keys), "{keys}: {shown}");
    }
}

#[test]
fn a_first_picture_tells_whom_it_connects_to_and_why_that_fails() {
    let mut top = Top::new(setup());
    let shown = picture(&mut top, 80, 24);
    assert!(shown.contains("connecting to ise.example.com"), "{shown}");
    let pause = Duration::from_secs(4);
    top.feed()
        .no_answer("no connection within 10s", pause, now());
    let shown = picture(&mut top, 80, 24);
    let line = "connecting to ise.example.com · again at 02:00:04 · 02:00:00 no connection";
    assert!(shown.contains(line), "{shown}");
}
