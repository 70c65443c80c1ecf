//! `netapi ise dc` against databases that are silent, lie, or send what no table of ISE's has.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::database::{Database, Script, Stage, described, end, failed, row};
use crate::support::{skipped, stderr, stdout, wait_for};

const SELECT: &str = "SELECT a FROM t";

/// What a limit may be exceeded by, telling the server and closing included.
const BEYOND: Duration = Duration::from_millis(500);

/// Runs against a server that falls silent and must be left in time; how long beyond its limit it
/// held us, by its own clock. `None`: the machine was so busy that the time was over before.
fn held_beyond_the_limit(stage: Stage, named: &str, obeys: bool) -> Option<Duration> {
    let database = Database::start(Script {
        silent_at: Some(stage),
        obeys,
        ..Script::default()
    });
    // A logon takes a debug build some time; what is measured is the silence.
    let asked = stage > Stage::SecondLogon;
    let (limits, allowed) = if asked {
        (["20s", "1s"], Duration::from_secs(1))
    } else {
        (["3s", "20s"], Duration::from_secs(3))
    };
    let words = ["sql", SELECT, "--connect-timeout", limits[0]];
    let assert = database
        .dc(&[&words[..], &["--timeout", limits[1]]].concat())
        .assert()
        .code(7);
    let words = stderr(&assert);
    if !words.contains(named) {
        let earlier = words.contains(" did not answer within ") || words.contains("no connection");
        assert!(earlier, "{stage:?}: {words}");
        return None;
    }
    if asked {
        assert_eq!(database.interrupts(), 1, "{stage:?}");
        let ignored = words.contains("it did not answer the interrupt");
        assert_ne!(ignored, obeys, "{stage:?}: {words}");
    }
    wait_for("the end of the connection", || {
        database.times().left.is_some()
    });
    let times = database.times();
    let began = if asked { times.asked } else { times.connected };
    let held = times.left.unwrap().duration_since(began.unwrap());
    Some(held.saturating_sub(allowed))
}

#[test]
fn silence_at_each_stage_ends_in_time_and_is_named() {
    let stages = [
        (Stage::Tls, "no connection to", true),
        (Stage::Listener, "the listener's answer", true),
        (Stage::Protocol, "its protocol", true),
        (Stage::Types, "its data types", true),
        (Stage::FirstLogon, "the first half of the logon", true),
        (Stage::SecondLogon, "the second half of the logon", true),
        (Stage::Statement, "the statement", true),
        (Stage::Statement, "the statement", false),
        (Stage::MoreRows, "more rows", true),
        (Stage::MoreRows, "more rows", false),
    ];
    // A few at a time: what they do is wait.
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while let Some((stage, named, obeys)) =
                    stages.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    // A busy machine may hold up one try, a fault in the limits holds up each.
                    let mut tries = (0..5).map(|_| held_beyond_the_limit(*stage, named, *obeys));
                    let in_time = tries.any(|held| held.is_some_and(|held| held <= BEYOND));
                    assert!(in_time, "{stage:?} {obeys}: five tries took too long");
                }
            });
        }
    });
}

/// Markers that ask to begin anew: there is always one to read.
#[test]
fn a_server_that_never_stops_to_break_off_is_left_in_time() {
    let database = Database::start(Script {
        protocol: Some([0, 0, 0, 11, 12, 0, 0, 0, 1, 0, 1].repeat(2000)),
        endless: true,
        ..Script::default()
    });
    let words = ["sql", SELECT, "--connect-timeout", "3s"];
    let err = stderr(&database.dc(&words).assert().code(7));
    assert!(err.contains("within 3s (its protocol)"), "{err}");
}

#[test]
fn a_server_that_breaks_off_before_the_logon_is_named() {
    let reset = [0, 0, 0, 11, 12, 0, 0, 0, 1, 0, 2];
    let data = [0, 0, 0, 11, 6, 0, 0, 0, 0, 0, 0];
    let database = Database::start(Script {
        protocol: Some([reset, data].concat()),
        ..Script::default()
    });
    let err = stderr(&database.dc(&["sql", SELECT]).assert().code(5));
    assert!(err.contains("the answer of localhost:"), "{err}");
    assert!(err.contains("it breaks off before the logon"), "{err}");
}

/// Long before the statement's own limit; how soon is measured in the figures.
#[test]
fn a_signal_reaches_the_server_at_once() {
    let database = Database::start(Script {
        silent_at: Some(Stage::Statement),
        ..Script::default()
    });
    let mut command = database.process(&["sql", SELECT, "--timeout", "60s"]);
    command.stderr(std::process::Stdio::null());
    let mut child = command.spawn().unwrap();
    wait_for("the statement", || database.statements() == 1);
    let sent = Instant::now();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    wait_for("the interrupt", || database.interrupts() == 1);
    let took = database.times().interrupted.unwrap().duration_since(sent);
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(child.wait().unwrap().signal(), Some(2));
}

/// Who hears a signal may end to listen while the signal's handler still runs. Strace holds the
/// handler behind what wakes who listens.
#[test]
fn a_signal_that_was_heard_ends_nothing_while_its_handler_runs() {
    let held = ["-e", "trace=sendto", "-e", "inject=sendto:delay_exit=200ms"];
    let strace = |program: &str| {
        let mut strace = std::process::Command::new("strace");
        // The program is our child, not strace's.
        strace.args(["-D", "-f", "-qq", "-o", "/dev/null"]);
        strace.args(held).arg("--").arg(program);
        strace
    };
    if !strace("true").status().is_ok_and(|status| status.success()) {
        skipped("there is no strace that may trace");
        return;
    }
    let database = Database::start(Script {
        silent_at: Some(Stage::Statement),
        ..Script::default()
    });
    let plain = database.process(&["sql", SELECT, "--timeout", "60s"]);
    let mut command = strace(plain.get_program().to_str().unwrap());
    command.args(plain.get_args()).env_clear();
    command.envs(
        plain
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    command.stderr(std::process::Stdio::null());
    let mut child = command.spawn().unwrap();
    wait_for("the statement", || database.statements() == 1);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    wait_for("the interrupt", || database.interrupts() == 1);
    assert_eq!(child.wait().unwrap().signal(), Some(2));
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

/// The password was the right one: it is not held against it.
#[test]
fn a_right_that_is_lacking_is_no_wrong_password() {
    let text = b"ORA-01045: user DATACONNECT lacks CREATE SESSION privilege; logon denied";
    let database = Database::start(Script {
        refusal: Some((1045, text)),
        ..Script::default()
    });
    for logons in 1..=2 {
        let assert = database.dc(&["sql", SELECT]).assert().code(4);
        let words = stderr(&assert);
        assert!(words.contains("ORA-01045"), "{words}");
        assert!(words.contains("netapi ise dc enable"), "{words}");
        assert_eq!(database.logons(), logons);
    }
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
            "TEXT_2": long,
            "WHEN": "unreadable:00000000000000"
        },
        {
            "TEXT": null, "NUMBER": "-1", "A[2J\"\\": "z", "TEXT_2": null,
            "WHEN": "2026-11-24T03:04:05"
        },
    ]);
    assert_eq!(list, wanted);
}

#[test]
fn rows_that_nobody_reads_do_not_hold_off_a_signal() {
    let long = "y".repeat(20_000);
    let rows = row(&[Some(long.as_bytes())]).repeat(150);
    let database = Database::start(Script {
        first: [described(&[("A", 1)]), rows, end(1403)].concat(),
        ..Script::default()
    });
    let mut command = database.process(&["sql", SELECT, "--format", "jsonl"]);
    command.stdout(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut first = [0; 1];
    let mut output = child.stdout.take().unwrap();
    output.read_exact(&mut first).unwrap();
    let process = Pid::from_child(&child);
    kill_process(process, Signal::TERM).unwrap();
    wait_for("the end of the process", || {
        child.try_wait().unwrap().is_some()
    });
    assert_eq!(child.wait().unwrap().signal(), Some(15));
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
fn a_statement_that_is_only_to_be_shown_is_not_sent() {
    let database = Database::start(Script::default());
    for (words, shown) in [
        (&["sql", SELECT][..], SELECT),
        (&["history", "C8:5B:76:C6:59:62"], "FROM RADIUS_ACCOUNTING "),
        (&["history", "--ip", "10.0.0.1"], "FRAMED_IP_ADDRESS = :ip"),
        (
            &["history", "--host", "pc"],
            "UPPER(HOSTNAME) = UPPER(:host)",
        ),
        (
            &["endpoints", "--host", "pc", "--no-random"],
            "UPPER(HOSTNAME) = UPPER(:host) AND UPPER(SUBSTR(MAC_ADDRESS, 2, 1)) NOT IN",
        ),
        (&["failures"], "GROUP BY FAILURE_REASON"),
        (&["endpoints", "--no-random"], "FROM ENDPOINTS_DATA"),
        (&["last", "--nas"], "GROUP BY DEVICE_NAME"),
        (&["last"], "GROUP BY CALLING_STATION_ID"),
        (&["views"], "user_tab_columns"),
    ] {
        let assert = database.dc(words).arg("--dry-run").assert().success();
        assert!(stdout(&assert).contains(shown), "{}", stdout(&assert));
        database.dc(words).arg("--curl").assert().code(2);
    }
    assert_eq!(database.logons(), 0);
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
