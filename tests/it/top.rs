//! The live screen on a terminal of its own: what it shows, what its keys send, how it ends.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt as _;

use netapi::testing::lab::LabOptions;

use crate::support::lab::{TestLab, lab, with};
use crate::support::screen::Screen;
use crate::support::{stderr, stdout};

const MAC: &str = "C8:5B:76:C6:59:62";

/// The screen on a terminal of 80 by 24, when its first sessions stand there.
fn started(lab: &TestLab, more: &[&str]) -> Option<Screen> {
    let args = [&["ise", "top"][..], more].concat();
    let variables = [("NO_COLOR", OsString::from("1"))];
    let mut screen = Screen::of(lab.on_terminal(&args, &variables)?);
    screen.shows("STARTED");
    assert!(screen.is_taken());
    Some(screen)
}

/// The same with the cursor on the one session that the filter leaves: that of [`MAC`].
fn on_mac(lab: &TestLab, more: &[&str]) -> Option<Screen> {
    let mut screen = started(lab, &[&["--mac", MAC], more].concat())?;
    screen.shows(MAC);
    Some(screen)
}

/// It ends with this status, and the terminal is as it was.
fn ends(screen: Screen, code: i32) -> String {
    let (status, given_back, text) = screen.end();
    assert_eq!(status.code(), Some(code), "{text}");
    assert!(given_back, "{text}");
    text
}

#[test]
fn it_shows_the_lab_and_gives_the_terminal_back() {
    let lab = lab();
    let Some(mut screen) = started(&lab, &[]) else {
        return;
    };
    screen.types("?");
    screen.shows("search in every column");
    screen.types("q");
    screen.types("/workstation\r");
    screen.shows("search \"workstation\"");
    screen.types("g");
    screen.shows("SHARE");
    screen.resize(120, 40);
    // At this width the table has a column for times.
    screen.types("x");
    screen.shows("CHANGED");
    screen.types("q");
    ends(screen, 0);
}

#[test]
fn a_key_that_comes_with_a_new_size_needs_no_other_key() {
    let lab = lab();
    let Some(mut screen) = started(&lab, &[]) else {
        return;
    };
    for turn in 0..10 {
        screen.resize(100 + turn, 40);
        screen.types("?");
        screen.shows("search in every column");
        screen.resize(80, 24 + turn);
        screen.types("q");
        screen.until("help closed", |screen| {
            !screen.text().contains("search in every column")
        });
    }
    screen.types("q");
    ends(screen, 0);
}

#[test]
fn a_quarantine_is_applied_and_cleared_once_each_after_a_question() {
    let lab = lab();
    let Some(mut screen) = on_mac(&lab, &[]) else {
        return;
    };
    let sent = |operation: &str| {
        let end = format!("/anc/{operation}");
        let requests = lab.requests();
        requests.iter().filter(|line| line.ends_with(&end)).count()
    };
    let policy = || {
        let run = lab
            .pxgrid(&["anc", "endpoints", "--json"])
            .assert()
            .success();
        stdout(&run)
    };
    screen.types("a");
    screen.shows("Quarantine");
    screen.types("\r");
    screen.shows("SURE?");
    screen.shows(MAC);
    assert_eq!(sent("applyEndpointByMacAddress"), 0);
    screen.types("y");
    screen.shows(": done");
    assert_eq!(sent("applyEndpointByMacAddress"), 1);
    let applied = policy();
    assert!(
        applied.contains(MAC) && applied.contains("Quarantine"),
        "{applied}"
    );
    // No is no.
    screen.types("c");
    screen.shows("SURE?");
    screen.types("n");
    screen.shows("nothing was sent");
    assert_eq!(sent("clearEndpointByMacAddress"), 0);
    screen.types("c");
    screen.shows("SURE?");
    screen.types("y");
    screen.shows(": done");
    assert_eq!(sent("clearEndpointByMacAddress"), 1);
    assert!(!policy().contains(MAC));
    screen.types("o");
    screen.shows("port-bounce");
    screen.types("\r");
    screen.shows("SURE?");
    screen.types("y");
    screen.shows("sent by");
    let coa = |line: &&String| line.contains("/CoA/") && line.contains(MAC);
    assert_eq!(lab.requests().iter().filter(coa).count(), 1);
    screen.types("q");
    ends(screen, 0);
}

#[test]
fn read_only_changes_nothing_and_says_so() {
    let lab = lab();
    let Some(mut screen) = on_mac(&lab, &["--read-only"]) else {
        return;
    };
    for key in ["a", "c", "o"] {
        screen.types(key);
        screen.shows("--read-only is set");
        screen.types("j");
    }
    screen.types("q");
    ends(screen, 0);
    let requests = lab.requests();
    let changes = |line: &&String| {
        line.contains("Endpoint") && line.contains("anc") || line.contains("/CoA/")
    };
    assert_eq!(requests.iter().find(changes), None);
}

#[test]
fn an_address_is_copied_and_an_explanation_read() {
    let lab = lab();
    let Some(mut screen) = on_mac(&lab, &[]) else {
        return;
    };
    screen.types("y");
    let copied = "\u{1b}]52;c;Qzg6NUI6NzY6QzY6NTk6NjI=\u{7}";
    screen.until("a copy", |screen| screen.written().contains(copied));
    screen.types("e");
    screen.shows("on the network");
    screen.types("q\r");
    screen.shows("auditSessionId");
    screen.types("qq");
    ends(screen, 0);
}

#[test]
fn signals_give_the_terminal_back_and_end_it_as_a_shell_expects() {
    let lab = lab();
    for (signal, number) in [
        ("TERM", 15),
        ("HUP", 1),
        ("INT", 2),
        ("QUIT", 3),
        ("USR2", if cfg!(target_os = "macos") { 31 } else { 12 }),
        ("ALRM", 14),
        ("XCPU", 24),
        ("PROF", 27),
    ] {
        let Some(mut screen) = started(&lab, &[]) else {
            return;
        };
        screen.terminal().signal(signal);
        let (status, given_back, text) = screen.end();
        assert_eq!(status.signal(), Some(number), "{signal}: {text}");
        assert!(given_back, "{signal}: {text}");
    }
}

#[test]
fn a_stop_gives_the_terminal_back_until_it_goes_on() {
    let lab = lab();
    let Some(mut screen) = started(&lab, &[]) else {
        return;
    };
    screen.types("\u{1a}");
    for again in [true, false] {
        screen.until("the terminal given back", |screen| !screen.is_taken());
        screen.terminal().is_stopped();
        screen.terminal().signal("CONT");
        screen.until("a screen again", Screen::is_taken);
        screen.shows("STARTED");
        if again {
            screen.terminal().signal("TSTP");
        }
    }
    screen.types("q");
    ends(screen, 0);
}

#[test]
fn a_node_that_goes_is_told_in_the_header() {
    let lab = lab();
    let Some(mut screen) = started(&lab, &[]) else {
        return;
    };
    lab.order("node-down 1");
    lab.order("node-down 2");
    screen.shows("NOT CONNECTED");
    screen.shows("down: ");
    lab.order("node-up 1");
    lab.order("node-up 2");
    screen.shows("reconnects 1");
    screen.types("q");
    ends(screen, 0);
}

#[test]
fn a_picture_is_there_at_once_where_pxgrid_is_away() {
    let lab = lab();
    // It takes connections, and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap();
    // Nobody listens there.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = closed.local_addr().map(|address| (address, drop(closed)));
    let (closed, ()) = closed.unwrap();
    for (address, words) in [
        (silent, "waiting for the first answer"),
        (closed, "again at"),
    ] {
        let host = format!("localhost:{}", address.port());
        let args = ["ise", "top", "--pxgrid-host", &host];
        let Some(terminal) = lab.on_terminal(&args, &[]) else {
            return;
        };
        let mut screen = Screen::of(terminal);
        screen.shows("connecting to localhost");
        screen.shows(words);
        if address == closed {
            screen.resize(120, 24);
            screen.shows("the connection was refused");
        }
        screen.types("?");
        screen.shows("search in every column");
        screen.types("qq");
        ends(screen, 0);
    }
}

#[test]
fn without_pxgrid_the_monitoring_node_is_polled() {
    let lab = lab();
    let args = ["ise", "top", "--source", "mnt", "--interval", "1s"];
    let Some(terminal) = lab.on_terminal(&args, &[]) else {
        return;
    };
    let mut screen = Screen::of(terminal);
    screen.shows("MnT: polling");
    screen.shows("SESSIONS 50");
    let lists = || {
        let requests = lab.requests();
        requests
            .iter()
            .filter(|line| line.ends_with("/Session/ActiveList"))
            .count()
    };
    crate::support::wait_for("a second poll", || lists() > 1);
    screen.types("q");
    ends(screen, 0);
}

#[test]
fn what_cannot_be_drawn_on_is_refused_in_words() {
    let lab = lab();
    let run = lab.netapi().args(["ise", "top"]).assert().code(2);
    assert!(
        stderr(&run).contains("top needs a terminal"),
        "{}",
        stderr(&run)
    );
    let dumb = [("TERM", OsString::from("dumb"))];
    let Some(terminal) = lab.on_terminal(&["ise", "top"], &dumb) else {
        return;
    };
    let (status, shown) = terminal.end();
    assert_eq!(status.code(), Some(2), "{shown}");
    assert!(
        shown.contains("TERM=dumb") && shown.contains("subscribe"),
        "{shown}"
    );
    for option in [["--format", "json"], ["--jq", "."], ["--limit", "3"]] {
        let args = [&["ise", "top"][..], &option].concat();
        let Some(terminal) = lab.on_terminal(&args, &[]) else {
            return;
        };
        let (status, shown) = terminal.end();
        assert_eq!(status.code(), Some(2), "{shown}");
        assert!(shown.contains("top is a screen"), "{shown}");
    }
    assert!(lab.requests().is_empty());
}

#[test]
fn a_refused_account_ends_it_with_its_status() {
    let lab = crate::support::lab::faulty(&["account-disabled"]);
    let Some(terminal) = lab.on_terminal(&["ise", "top"], &[]) else {
        return;
    };
    let (status, shown) = terminal.end();
    assert_eq!(status.code(), Some(4), "{shown}");
    assert!(
        shown.contains("DISABLED") || shown.contains("disabled"),
        "{shown}"
    );
}

#[test]
fn a_terminal_that_takes_nothing_holds_up_neither_keys_nor_the_end() {
    let lab = with(LabOptions {
        sessions: 2_000,
        events_per_second: "500".parse().unwrap(),
        ..LabOptions::default()
    });
    let Some(mut terminal) = lab.on_terminal(&["ise", "top"], &[]) else {
        return;
    };
    terminal.until("STARTED");
    // More than a terminal's buffer holds, were every picture written.
    let mut typed = vec!["\u{c}j"; 200];
    typed.push("q");
    assert_eq!(terminal.ends_unread(&typed).code(), Some(0));
}
