//! `netapi ise dc` against databases that are silent, lie, or send what no table of ISE's has.

use std::time::{Duration, Instant};

use crate::support::database::{Database, Script, Stage, described, end, failed, row};
use crate::support::{stderr, stdout};

const SELECT: &str = "SELECT a FROM t";

#[test]
fn silence_at_each_stage_ends_in_time_and_is_named() {
    for (stage, named) in [
        (Stage::Tls, "no connection to"),
        (Stage::Listener, "the listener's answer"),
        (Stage::Protocol, "its protocol"),
        (Stage::Types, "its data types"),
        (Stage::FirstLogon, "the first half of the logon"),
        (Stage::SecondLogon, "the second half of the logon"),
        (Stage::Statement, "the statement"),
        (Stage::MoreRows, "more rows"),
    ] {
        let database = Database::start(Script {
            silent_at: Some(stage),
            ..Script::default()
        });
        // A logon takes a debug build some time; what is measured is the silence.
        let slow = stage > Stage::SecondLogon;
        let limits = if slow { ["20s", "1s"] } else { ["3s", "20s"] };
        let allowed = Duration::from_secs(if slow { 4 } else { 3 });
        let started = Instant::now();
        let assert = database
            .dc(&[
                "sql",
                SELECT,
                "--connect-timeout",
                limits[0],
                "--timeout",
                limits[1],
            ])
            .assert()
            .code(7);
        let took = started.elapsed();
        let words = stderr(&assert);
        assert!(words.contains(named), "{stage:?}: {words}");
        assert!(
            took < allowed + Duration::from_secs(4),
            "{stage:?}: {took:?}"
        );
        if slow {
            assert_eq!(database.interrupts(), 1, "{stage:?}");
        }
    }
}

#[test]
fn a_wrong_password_is_tried_once_by_two_processes_at_once() {
    let database = Database::start(Script::default());
    let start = || {
        let mut command = database.process(&["sql", SELECT]);
        command.env("ISE_DC_PASS", "Wrong-Password-1");
        command.stderr(std::process::Stdio::piped());
        command.spawn().unwrap()
    };
    let both = [start(), start()].map(|child| child.wait_with_output().unwrap());
    assert!(both.iter().all(|output| output.status.code() == Some(4)));
    assert_eq!(database.logons(), 1);
    let words: Vec<String> = both
        .iter()
        .map(|output| String::from_utf8_lossy(&output.stderr).into_owned())
        .collect();
    assert!(
        words.iter().any(|words| words.contains("ORA-01017")),
        "{words:?}"
    );
    assert!(
        words.iter().any(|words| words.contains("not tried")),
        "{words:?}"
    );
    // The right one is let in, and forgets the refusal.
    database.dc(&["sql", SELECT]).assert().success();
    assert_eq!(database.logons(), 2);
}

#[test]
fn a_server_that_does_not_know_the_password_is_left() {
    let database = Database::start(Script {
        proves_itself: false,
        ..Script::default()
    });
    let assert = database.dc(&["sql", SELECT]).assert().code(4);
    assert!(
        stderr(&assert).contains("did not prove"),
        "{}",
        stderr(&assert)
    );
    assert_eq!(stdout(&assert), "");
}

#[test]
fn odd_values_cost_no_row() {
    let long = "y".repeat(100_000);
    let mut forty = vec![212];
    forty.extend([100; 20]);
    let columns = [
        ("TEXT", 1),
        ("NUMBER", 2),
        ("A\u{1b}[2J\"\\", 1),
        ("TEXT", 1),
        ("WHEN", 180),
    ];
    let rows = [
        row(&[
            Some(b"M\xfcnchen"),
            Some(&forty),
            None,
            Some(long.as_bytes()),
            Some(&[0; 7]),
        ]),
        row(&[
            None,
            Some(&[62, 100, 102]),
            Some(b"z"),
            None,
            Some(&[120, 126, 11, 24, 4, 5, 6]),
        ]),
    ];
    let database = Database::start(Script {
        first: [described(&columns), rows.concat(), end(1403)].concat(),
        ..Script::default()
    });
    let assert = database.dc(&["sql", SELECT, "--json"]).assert().success();
    let list: serde_json::Value = serde_json::from_str(&stdout(&assert)).unwrap();
    let wanted = serde_json::json!([
        {
            "TEXT": "M\u{fffd}nchen", "NUMBER": "9".repeat(40), "A[2J\"\\": null,
            "TEXT_2": long, "WHEN": null
        },
        {
            "TEXT": null, "NUMBER": "-1", "A[2J\"\\": "z", "TEXT_2": null,
            "WHEN": "2026-11-24T03:04:05"
        },
    ]);
    assert_eq!(list, wanted);
}

#[test]
fn lengths_that_lie_are_refused() {
    let lies = [
        // A packet of 4 GiB, one of no length, and one of a kind that no listener sends.
        Script {
            listener: Some(vec![0xff, 0xff, 0, 0, 2, 0, 0, 0, 1, 62]),
            silent_at: Some(Stage::Listener),
            ..Script::default()
        },
        Script {
            listener: Some(vec![0, 0, 0, 0, 2, 0, 0, 0]),
            ..Script::default()
        },
        Script {
            listener: Some(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
            ..Script::default()
        },
        // A million columns, and a value of 4 GiB.
        Script {
            first: vec![16, 0, 1, 100, 3, 0x0f, 0x42, 0x40],
            ..Script::default()
        },
        Script {
            first: [
                described(&[("A", 1)]),
                vec![7, 254, 4, 0xff, 0xff, 0xff, 0xff],
            ]
            .concat(),
            ..Script::default()
        },
    ];
    for (at, script) in lies.into_iter().enumerate() {
        let waits = script.silent_at.is_some();
        let database = Database::start(script);
        let assert = database
            .dc(&["sql", SELECT, "--connect-timeout", "2s"])
            .assert()
            .code(if waits { 7 } else { 5 });
        assert_eq!(stdout(&assert).trim(), "", "{at}");
    }
}

#[test]
fn the_statement_has_a_caret_where_the_server_points() {
    let database = Database::start(Script {
        first: failed(904, b"ORA-00904: \"A\": invalid identifier", 7),
        ..Script::default()
    });
    let assert = database.dc(&["sql", SELECT]).assert().code(2);
    let words = stderr(&assert);
    assert!(
        words.starts_with("  SELECT a FROM t\n         ^\n"),
        "{words}"
    );
    assert!(words.contains("ORA-00904"), "{words}");
}

#[test]
fn what_is_no_select_is_not_sent() {
    let database = Database::start(Script::default());
    for sql in [
        "DELETE FROM t",
        "/* SELECT */ UPDATE t SET a = 1",
        "-- SELECT",
    ] {
        database.dc(&["sql", sql]).assert().code(2);
    }
    assert_eq!(database.logons(), 0);
}
