use jiff::Timestamp;
use serde_json::json;

use super::*;
use crate::record::Record;
use crate::top::session::Session;

/// Session `number`; a higher one changed later.
fn session(number: u32, user: &str, nas: &str) -> Session {
    let record = json!({
        "macAddress": format!("00:00:5E:00:{:02X}:{:02X}", number / 256, number % 256),
        "auditSessionId": number.to_string(), "nasIdentifier": nas, "userName": user,
        "ipAddresses": [format!("10.0.{}.{}", number / 256, number % 256)],
        "timestamp": Timestamp::from_second(i64::from(number)).unwrap().to_string()
    });
    Session::read(&Record::from_value(record), Timestamp::UNIX_EPOCH).unwrap()
}

fn many(count: u32) -> Sessions {
    let mut sessions = Sessions::default();
    for number in 0..count {
        // In no order.
        let number = number * 7 % count;
        let nas = format!("sw-{}", number % 5);
        sessions.put(&session(number, &format!("User{number}"), &nas));
    }
    sessions
}

/// The rows of the window, by their users' numbers.
fn seen(view: &View, sessions: &Sessions) -> Vec<u32> {
    let user = |(_, id)| sessions.row(id).unwrap().user[4..].parse().unwrap();
    view.window().map(user).collect()
}

fn current(view: &View, sessions: &Sessions) -> String {
    view.current(sessions).unwrap().user.to_string()
}

#[test]
fn the_window_is_in_order_wherever_it_lies() {
    let sessions = many(1_000);
    let mut view = View::default();
    view.arrange(&sessions, 10);
    assert_eq!(
        seen(&view, &sessions),
        (990..1_000).rev().collect::<Vec<_>>()
    );
    view.step(500, &sessions);
    view.arrange(&sessions, 10);
    assert_eq!(current(&view, &sessions), "User499");
    assert_eq!(seen(&view, &sessions), (499..509).rev().collect::<Vec<_>>());
    view.step(isize::MAX, &sessions);
    view.arrange(&sessions, 10);
    assert_eq!(seen(&view, &sessions), (0..10).rev().collect::<Vec<_>>());
    view.step(isize::MIN, &sessions);
    assert_eq!(current(&view, &sessions), "User999");
    view.sort = Column::Ip;
    view.descending = false;
    view.return_to_top();
    view.arrange(&sessions, 3);
    assert_eq!(seen(&view, &sessions), [0, 1, 2]);
}

#[test]
fn the_cursor_stays_on_its_session_and_its_line() {
    let mut sessions = many(100);
    let mut view = View::default();
    view.arrange(&sessions, 10);
    view.step(4, &sessions);
    assert_eq!(current(&view, &sessions), "User95");
    for number in 100..150 {
        sessions.put(&session(number, &format!("User{number}"), "sw-9"));
    }
    view.arrange(&sessions, 10);
    assert_eq!(current(&view, &sessions), "User95");
    assert_eq!((view.place, view.place - view.first), (54, 4));
    // It ended: the cursor is on what took its place, and not lost.
    assert!(sessions.end(&session(95, "", "").identity));
    view.arrange(&sessions, 10);
    assert_eq!(current(&view, &sessions), "User94");
    // At the top it is on whatever is newest.
    view.return_to_top();
    view.arrange(&sessions, 10);
    sessions.put(&session(200, "User200", "sw-9"));
    view.arrange(&sessions, 10);
    assert_eq!(current(&view, &sessions), "User200");
}

#[test]
fn search_looks_into_every_column_in_any_case() {
    let sessions = many(300);
    let mut view = View::default();
    for (search, found) in [
        ("user25", 11),
        ("SW-3", 60),
        ("10.0.1.4", 5),
        ("5e:00:01:0", 16),
        ("00005e00010f", 1),
        ("nobody", 0),
        (" ", 300),
    ] {
        search.clone_into(&mut view.search);
        view.arrange(&sessions, 10);
        assert_eq!(view.len(), found, "{search}");
    }
}

#[test]
fn filters_take_patterns_and_groups_are_meant_as_they_are() {
    let sessions = many(300);
    let mut view = View::default();
    for (filter, left) in [
        ("nas=sw-1", 60),
        ("nas=sw-*", 300),
        ("nas=sw-1 user=USER1*", 23),
        ("ip=10.0.0.7", 1),
        ("ip=10.0.1.0/24", 44),
        ("ip=", 0),
        ("mac=00:00:5e:00:01", 44),
        ("sgt=", 300),
        ("method=dot1x", 0),
    ] {
        view.filters = Filter::parse(filter).unwrap();
        view.arrange(&sessions, 10);
        assert_eq!(view.len(), left, "{filter}");
    }
    view.filters = vec![Filter::exact(Field::Nas, "sw-*")];
    view.arrange(&sessions, 10);
    assert_eq!(view.len(), 0);
    // Who has no address is found by an empty one.
    let mut sessions = sessions;
    let record = json!({ "macAddress": "00:00:5E:00:53:01", "auditSessionId": "none" });
    let without = Session::read(&Record::from_value(record), Timestamp::UNIX_EPOCH).unwrap();
    sessions.put(&without);
    view.filters = Filter::parse("ip=").unwrap();
    view.arrange(&sessions, 10);
    assert_eq!(view.len(), 1);
    for wrong in ["sw-1", "switch=a", "changed=1", "nas='a"] {
        assert!(Filter::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn groups_are_counted_over_what_is_left() {
    let sessions = many(300);
    let mut view = View {
        group: Some(Field::Nas),
        search: "user1".to_owned(),
        ..View::default()
    };
    view.arrange(&sessions, 3);
    let counts: usize = view.groups.iter().map(|(_, count)| count).sum();
    assert_eq!((view.groups.len(), counts), (5, 111));
    view.step(4, &sessions);
    assert_eq!((view.group_place, view.group_first), (4, 2));
    let under = view.groups[4].0.clone();
    view.arrange(&sessions, 3);
    assert_eq!(view.groups[view.group_place].0, under);
}

#[test]
fn what_is_empty_comes_last_either_way() {
    let mut sessions = many(3);
    sessions.put(&session(7, "", ""));
    let stationless = json!({
        "auditSessionId": "9", "callingStationId": "10.0.0.9", "userName": "User9",
        "nasIdentifier": "sw-9"
    });
    let record = Record::from_value(stationless);
    sessions.put(&Session::read(&record, Timestamp::UNIX_EPOCH).unwrap());
    let columns = [
        (Column::User, "00:00:5E:00:00:07"),
        (Column::Fact(Field::Nas), "00:00:5E:00:00:07"),
        (Column::Ip, "10.0.0.9"),
        (Column::Mac, "10.0.0.9"),
    ];
    for (column, last) in columns {
        for descending in [false, true] {
            let mut view = View {
                sort: column,
                descending,
                ..View::default()
            };
            view.arrange(&sessions, 10);
            let rows = view
                .window()
                .map(|(_, id)| sessions.row(id).unwrap().name());
            let names: Vec<String> = rows.collect();
            assert_eq!(names.len(), 5);
            assert_eq!(names[4], last, "{column:?} {descending} {names:?}");
        }
    }
}
