//! What a Monitoring node and the way to it do wrong: each fault with its words, its exit status
//! and what went over the wire. TLS has a file of its own; what must never be sent twice is in
//! `safety`.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::lab::{self, faulty};
use crate::support::{stderr, stdout};

const LIST: &str = "GET /admin/API/mnt/Session/ActiveList";

/// A fault of every request, what `sessions` then says (HOST stands for the node), a part of the
/// hint, and the exit status.
const FAULTS: &[(&str, &str, &str, i32)] = &[
    (
        "unauthorized",
        "HOST: user or password was refused (HTTP 401)",
        "ISE locks an account after a few wrong passwords",
        4,
    ),
    (
        "unauthorized-html",
        "HOST: user or password was refused (HTTP 401)",
        "MnT Admin",
        4,
    ),
    (
        "forbidden",
        "HOST: the account may not do this (HTTP 403)",
        "MnT Admin",
        4,
    ),
    (
        "not-found-path",
        "HOST: the server does not know this path (HTTP 404)",
        "host and port",
        5,
    ),
    (
        "bad-request",
        "HOST: the server refused the request as malformed (HTTP 400)",
        "--trace",
        5,
    ),
    (
        "wrong-node",
        "HOST: this node is not a Monitoring node (HTTP 500): This host is not a MnT node. MnT REST APIs can not be executed on this node",
        "--mnt-host, ISE_MNT_FQDN",
        5,
    ),
    (
        "server-error",
        "HOST: the server failed (HTTP 500): The session directory could not be read: its database connection was lost",
        "log",
        5,
    ),
    (
        "overload-502",
        "HOST: the Monitoring node is overloaded or restarting (HTTP 502)",
        "wait some minutes",
        5,
    ),
    (
        "overload-503",
        "HOST: the Monitoring node is overloaded or restarting (HTTP 503)",
        "wait some minutes",
        5,
    ),
    (
        "gateway-timeout-504",
        "HOST: the Monitoring node did not answer its gateway in time (HTTP 504)",
        "wait a minute",
        7,
    ),
    (
        "login-page",
        "HOST: the server answered with a web page (HTTP 200)",
        "login page",
        5,
    ),
    (
        "redirect",
        "HOST redirects to /admin/login.jsp (HTTP 302); redirects are not followed",
        "the API is not enabled",
        5,
    ),
    (
        "empty-body",
        "HOST: the list of sessions is missing: empty answer",
        "check host and port",
        5,
    ),
    (
        "doctype",
        "HOST: the list of sessions: a document type, which ISE never sends, at byte 55",
        "ISE",
        5,
    ),
    (
        "entity",
        "HOST: the list of sessions: unknown entity '&undeclared;', at byte 145",
        "ISE",
        5,
    ),
    (
        "deep-nesting",
        "HOST: the list of sessions: nested deeper than 100 elements, at byte 388",
        "ISE",
        5,
    ),
    (
        "huge-field",
        "HOST: the list of sessions: a piece of it is longer than 1114112 bytes, at byte 117",
        "ISE",
        5,
    ),
];

/// The message and the hint on standard error.
fn told(text: &str) -> (&str, &str) {
    let (message, hint) = text.split_once('\n').unwrap_or((text, ""));
    (
        message.strip_prefix("netapi: ").unwrap_or(message),
        hint.strip_prefix("hint: ").unwrap_or("").trim_end(),
    )
}

#[test]
fn every_fault_has_its_words_its_status_and_one_request() {
    for (fault, message, hint, status) in FAULTS {
        let lab = faulty(&[fault]);
        let run = lab.mnt(&["sessions"]).assert();
        let text = stderr(&run);
        let (said, hinted) = told(&text);
        assert_eq!(said, message.replace("HOST", &lab.host()), "{fault}");
        assert!(hinted.contains(hint), "{fault}: {text}");
        assert_eq!(text.lines().count(), 2, "{fault}: {text}");
        assert_eq!(run.get_output().status.code(), Some(*status), "{fault}");
        assert_eq!(stdout(&run), "", "{fault}");
        assert_eq!(lab.requests(), [LIST], "{fault}");
    }
}

/// The same faults meet a single document, which another parser reads.
#[test]
fn single_documents_meet_the_same_faults() {
    for (fault, _, _, status) in FAULTS {
        let lab = faulty(&[fault]);
        for command in [&["count"][..], &["version"]] {
            let run = lab.mnt(command).assert().code(*status);
            assert!(
                stderr(&run).contains(&lab.host()),
                "{fault}: {}",
                stderr(&run)
            );
            assert!(
                stderr(&run).contains("\nhint: "),
                "{fault}: {}",
                stderr(&run)
            );
            assert_eq!(stdout(&run), "", "{fault}");
        }
        assert_eq!(lab.requests().len(), 2, "{fault}");
    }
}

#[test]
fn an_error_as_json_is_one_object_with_all_its_facts() {
    let lab = faulty(&["overload-503"]);
    for arguments in [
        &["count", "--json"][..],
        &["--json", "count"],
        &["count", "--format", "jsonl"],
    ] {
        let run = lab.mnt(arguments).assert().code(5);
        let text = stderr(&run);
        assert_eq!(text.lines().count(), 1);
        let error: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            error,
            json!({"error": {
                "kind": "overloaded",
                "message": format!("{}: the Monitoring node is overloaded or restarting (HTTP 503)", lab.host()),
                "hint": "wait some minutes before the next try: repeated lists are what keeps it down",
                "host": lab.host(),
                "status": 503,
                "exitCode": 5
            }})
        );
    }
}

/// "No such session" and "not a Monitoring node" come with the same status and the same code.
#[test]
fn a_500_is_told_apart_by_what_it_says() {
    let lab = lab::lab();
    let run = lab.mnt(&["session", "00:00:5E:00:53:99"]).assert().code(3);
    let text = stderr(&run);
    assert!(text.starts_with(&format!(
        "netapi: {}: no session (HTTP 500): Session data is not available for 00:00:5E:00:53:99\nhint: ",
        lab.host()
    )));
    assert_eq!(
        lab.requests(),
        ["GET /admin/API/mnt/Session/MACAddress/00:00:5E:00:53:99"]
    );
    for (fault, word) in [
        ("wrong-node", "this node is not a Monitoring node"),
        ("server-error", "the server failed (HTTP 500)"),
    ] {
        let lab = faulty(&[fault]);
        let run = lab.mnt(&["session", "00:00:5E:00:53:99"]).assert().code(5);
        assert!(stderr(&run).contains(word));
        assert_eq!(lab.requests().len(), 1);
    }
}

/// A list that broke off is never taken for a whole one: its rows stay, then the error, then a
/// status that is not 0.
#[test]
fn a_broken_list_keeps_its_rows_and_ends_in_an_error() {
    for (fault, rows, message) in [
        (
            "truncated",
            33,
            "HOST: the list of sessions broke off after 33 of 50 rows",
        ),
        (
            "reset",
            33,
            "the list of sessions broke off after 33 of 50 rows: the answer of HOST broke off before its end: the connection was reset",
        ),
        (
            "count-mismatch",
            50,
            "HOST: the list of sessions: announced 53, sent 50",
        ),
    ] {
        let lab = faulty(&[fault]);
        let message = message.replace("HOST", &lab.host());
        for format in ["table", "jsonl", "json", "yaml", "csv", "tsv"] {
            let run = lab.mnt(&["sessions", "--format", format]).assert().code(5);
            let out = stdout(&run);
            assert_eq!(
                out.matches("C8:5B:76:C6:59:62").count(),
                1,
                "{fault} {format}"
            );
            let found = match format {
                "json" => {
                    assert!(serde_json::from_str::<Value>(&out).is_err(), "{out}");
                    assert!(!out.trim_end().ends_with(']'), "{out}");
                    out.matches("\"server\"").count()
                }
                "yaml" => out.matches(" server: psn").count(),
                "csv" | "tsv" => out.lines().count() - 1,
                _ => out.lines().count(),
            };
            assert_eq!(found, rows, "{fault} {format}");
            let errors = stderr(&run);
            assert!(
                errors.contains(&message) && errors.contains("hint"),
                "{fault} {format}: {errors}"
            );
        }
        assert_eq!(lab.requests().len(), 6, "a list is not asked for again");
    }
}

#[test]
fn a_sorted_list_that_broke_off_is_an_error_too() {
    let lab = faulty(&["truncated"]);
    let run = lab.mnt(&["sessions", "--sort", "MAC"]).assert().code(5);
    assert!(stderr(&run).contains("broke off after 33 of 50 rows"));
    let run = lab
        .mnt(&["sessions", "--jq", "length", "--json"])
        .assert()
        .code(5);
    assert_ne!(stdout(&run).trim(), "50");
}

/// `xml` is the document as it came, up to where it broke.
#[test]
fn a_raw_document_that_broke_off_is_an_error_too() {
    for fault in ["truncated", "reset"] {
        let lab = faulty(&[fault]);
        let run = lab.mnt(&["sessions", "--format", "xml"]).assert().code(5);
        assert!(stdout(&run).starts_with("<?xml"));
        assert!(!stdout(&run).contains("</activeList>"));
    }
}

#[test]
fn bytes_that_are_no_text_are_replaced() {
    let lab = faulty(&["invalid-utf8"]);
    let run = lab.mnt(&["sessions"]).assert().success();
    assert_eq!(stdout(&run).lines().count(), 50);
    assert!(stdout(&run).contains('\u{fffd}'));
    assert_eq!(lab.requests(), [LIST]);
}

/// An older root and older spellings of yes and no are the same document.
#[test]
fn old_spellings_are_understood() {
    let lab = faulty(&["old-root", "verdict-strings"]);
    let run = lab.mnt(&["sessions"]).assert().success();
    assert_eq!(stdout(&run).lines().count(), 50);
    let run = lab
        .mnt(&["explain", "C8:5B:76:C6:59:62"])
        .assert()
        .success();
    assert!(stdout(&run).starts_with("C8:5B:76:C6:59:62  on the network"));
}

#[test]
fn a_server_that_trickles_or_falls_silent_times_out() {
    for fault in ["slow", "stalled"] {
        let lab = faulty(&[fault]);
        for command in ["sessions", "count"] {
            let started = Instant::now();
            let run = lab.mnt(&[command, "--timeout", "1s"]).assert().code(7);
            assert!(started.elapsed() < Duration::from_secs(10), "{fault}");
            let text = stderr(&run);
            assert!(
                text.contains(&format!(
                    "the answer of {} stalled: less than 1 kB came within 1s\nhint: --timeout allows more time",
                    lab.host()
                )),
                "{text}"
            );
            assert_eq!(stdout(&run), "");
        }
        assert_eq!(lab.requests().len(), 2, "{fault}");
    }
}

#[test]
fn a_connection_that_dies_before_the_answer_is_unreachable() {
    let lab = faulty(&["reset-early"]);
    let run = lab.mnt(&["count"]).assert().code(6);
    assert!(stderr(&run).starts_with(&format!(
        "netapi: {} closed the connection before it answered\nhint: ",
        lab.host()
    )));
    assert_eq!(
        lab.requests(),
        ["GET /admin/API/mnt/Session/ActiveCount"; 2],
        "a read is asked twice, not more"
    );
    assert!(lab.entries().iter().all(|entry| entry.status.is_none()));
}

#[test]
fn a_name_that_does_not_resolve() {
    let lab = lab::lab();
    let host = "no-such-node.invalid";
    let run = lab.mnt(&["count", "--mnt-host", host]).assert().code(6);
    let text = stderr(&run);
    assert!(
        text.starts_with(&format!("netapi: cannot resolve {host}: ")),
        "{text}"
    );
    assert!(text.contains(&format!("--resolve {host}:")), "{text}");
    assert_eq!(lab.requests(), [""; 0]);
}

#[test]
fn a_closed_port() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let lab = lab::lab();
    let port = port.to_string();
    let run = lab.mnt(&["count", "--mnt-port", &port]).assert().code(6);
    let text = stderr(&run);
    assert!(
        text.starts_with(&format!(
            "netapi: cannot connect to localhost:{port}: the connection was refused\nhint: nothing listens there"
        )),
        "{text}"
    );
}

/// A server that takes the connection and says nothing at all, not even TLS.
#[test]
fn a_silent_port_times_out_while_connecting() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let lab = lab::lab();
    let run = lab
        .mnt(&["count", "--mnt-port", &port, "--connect-timeout", "500ms"])
        .assert()
        .code(7);
    let text = stderr(&run);
    assert!(
        text.contains(&format!("no connection to localhost:{port} within 500ms")),
        "{text}"
    );
    assert!(text.contains("--connect-timeout"), "{text}");
}

/// Answers of which nothing was asked are told in their own words.
#[test]
fn an_answer_of_a_cache_and_a_head_without_end_have_words_of_their_own() {
    use crate::support::hostile::{Reply, node};
    for (answer, words) in [
        (
            "HTTP/1.1 200 OK\r\ncontent-encoding: br\r\ncontent-length: 1\r\n\r\nx".to_owned(),
            "packed its answer as 'br'",
        ),
        (
            "HTTP/1.1 304 Not Modified\r\n\r\n".to_owned(),
            "'not modified' (HTTP 304)",
        ),
        (
            "HTTP/1.1 300 X\r\ncontent-length: 0\r\n\r\n".to_owned(),
            "to nowhere (HTTP 300)",
        ),
        (
            format!("HTTP/1.1 200 OK\r\n{}\r\n", "X-Hop: proxy\r\n".repeat(200)),
            "is too large: over 100 lines",
        ),
    ] {
        let node = node(move |_| Reply::Bytes(answer.clone()));
        let run = node.mnt(&["count"]).assert().code(5);
        let text = stderr(&run);
        let (message, hint) = told(&text);
        assert!(message.contains(words), "{message}");
        assert!(hint.contains("between"), "{hint}");
    }
}

/// Nothing in an answer to a list is an empty list (contract, section 8).
#[test]
fn a_list_without_content_is_empty() {
    use crate::support::hostile::{Reply, node};
    let node = node(|_| Reply::Bytes("HTTP/1.1 204 No Content\r\n\r\n".to_owned()));
    for command in [&["sessions", "--json"][..], &["auth-list", "--json"]] {
        assert_eq!(stdout(&node.mnt(command).assert().success()), "[]\n");
    }
    // Of one thing it is none.
    node.mnt(&["version"]).assert().code(5);
}
