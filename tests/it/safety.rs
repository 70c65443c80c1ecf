//! What is sent and what never: requests that are only shown, changes that are refused or sent
//! exactly once, reads that are asked again once, and secrets that stand nowhere.

use netapi::testing::lab::{PASSWORD, USER};

use crate::support::lab::{self, faulty};
use crate::support::{stderr, stdout};

const MAC: &str = "C8:5B:76:C6:59:62";
const SESSION: &str = "GET /admin/API/mnt/Session/MACAddress/C8:5B:76:C6:59:62";
const REAUTH: &str = "GET /admin/API/mnt/CoA/Reauth/psn-a/C8:5B:76:C6:59:62/0";
const NOTHING: [&str; 0] = [];

/// What HTTP Basic makes of user and password.
const BASIC: &str = "bGFiLWFkbWluOkxhYjpQYXNzLTE=";

/// Every command that asks the node something.
const READS: &[&[&str]] = &[
    &["version"],
    &["count"],
    &["sessions"],
    &["sessions", "--detail"],
    &["session", MAC],
    &["session", "--ip", "10.50.10.100"],
    &["session", "--user", "jsmith"],
    &["session", "--nas", "10.50.1.10"],
    &["session", "--session-id", "0A32010A000000A1910A2DEC"],
    &["auth-list", "--since", "1h"],
    &["auth-status", MAC],
    &["acct-status", MAC],
    &["failure-reasons"],
    &["explain", MAC],
    &["get", "Version"],
    &["watch"],
];

/// Every command that changes something.
const CHANGES: &[&[&str]] = &[
    &["coa", MAC],
    &["coa", MAC, "--server", "psn-a"],
    &["delete", MAC, "--yes"],
    &[
        "delete",
        "--session-id",
        "0A32010A000000A1910A2DEC",
        "--yes",
    ],
    &["delete", "--all", "--yes"],
];

#[test]
fn a_dry_run_shows_the_request_and_sends_nothing() {
    let lab = lab::lab();
    for arguments in READS.iter().chain(&CHANGES[1..]) {
        let run = lab.mnt(arguments).arg("--dry-run").assert().success();
        let text = stdout(&run);
        assert!(
            text.contains(&format!("https://{}/admin/API/mnt/", lab.host())),
            "{arguments:?}: {text}"
        );
        assert!(
            text.contains("Authorization: Basic **** (user lab-admin)"),
            "{arguments:?}: {text}"
        );
        assert_eq!(stderr(&run), "", "{arguments:?}");
    }
    assert_eq!(lab.requests(), NOTHING);
}

/// Only the session tells which node has to send the change, so that much is read.
#[test]
fn a_dry_coa_may_read_the_session_and_no_more() {
    let lab = lab::lab();
    let run = lab.mnt(&["coa", MAC, "--dry-run"]).assert().success();
    assert!(stdout(&run).starts_with(&format!(
        "GET https://{}/admin/API/mnt/CoA/Reauth/psn-a/{MAC}/0\n",
        lab.host()
    )));
    assert_eq!(lab.requests(), [SESSION]);
    // Where there is no session there is nothing to show.
    lab.mnt(&["coa", "00:00:5E:00:53:99", "--dry-run"])
        .assert()
        .code(3);
}

#[test]
fn a_list_of_addresses_is_not_sent_either() {
    let lab = lab::lab();
    for option in ["--dry-run", "--curl"] {
        let run = lab
            .mnt(&["session", "-", option])
            .write_stdin(format!("{MAC}\n00:00:5E:00:53:01\n"))
            .assert()
            .success();
        assert!(stdout(&run).contains(MAC), "{}", stdout(&run));
    }
    assert_eq!(lab.requests(), NOTHING);
}

#[test]
fn curl_commands_are_printed_not_sent_and_hold_no_password() {
    let lab = lab::lab();
    for arguments in READS.iter().chain(CHANGES) {
        let run = lab.mnt(arguments).arg("--curl").assert().success();
        let text = stdout(&run);
        assert!(text.starts_with("curl "), "{arguments:?}: {text}");
        assert!(text.contains("--user lab-admin "), "{arguments:?}: {text}");
        assert!(text.contains("--cacert "), "{arguments:?}: {text}");
        assert!(!text.contains(PASSWORD) && !text.contains(BASIC), "{text}");
    }
    let run = lab.mnt(&["coa", MAC, "--curl"]).assert();
    assert!(stdout(&run).contains("/CoA/Reauth/PSN-OF-THE-SESSION/"));
    assert_eq!(lab.requests(), NOTHING);
}

#[test]
fn read_only_refuses_every_change_before_anything_is_sent() {
    let lab = lab::lab();
    for arguments in CHANGES {
        let run = lab.mnt(arguments).arg("--read-only").assert().code(2);
        assert!(stderr(&run).contains(
            "--read-only is set\nhint: leave out --read-only, or unset NETAPI_READ_ONLY"
        ));
        assert_eq!(stdout(&run), "");
        let run = lab
            .mnt(arguments)
            .env("NETAPI_READ_ONLY", "1")
            .assert()
            .code(2);
        assert!(stderr(&run).contains("--read-only is set"));
    }
    assert_eq!(lab.requests(), NOTHING);
    lab.mnt(&["count", "--read-only"]).assert().success();
    assert_eq!(lab.requests().len(), 1);
}

/// Whatever becomes of it, the change goes over the wire once.
#[test]
fn a_change_of_authorization_is_sent_exactly_once() {
    for (fault, status, message) in [
        ("reset:/CoA/", 5, "broke off before its end"),
        (
            "reset-early:/CoA/",
            6,
            "closed the connection before it answered",
        ),
        (
            "overload-502:/CoA/",
            5,
            "overloaded or restarting (HTTP 502)",
        ),
        (
            "overload-503:/CoA/",
            5,
            "overloaded or restarting (HTTP 503)",
        ),
        ("gateway-timeout-504:/CoA/", 7, "(HTTP 504)"),
        ("server-error:/CoA/", 5, "the server failed (HTTP 500)"),
        ("stalled:/CoA/", 7, "stalled"),
        (
            "empty-body:/CoA/",
            5,
            "the answer to the change of authorization is empty (PSN psn-a)",
        ),
        (
            "coa-empty",
            5,
            "the answer to the change of authorization is empty (PSN psn-a)",
        ),
        (
            "coa-false",
            5,
            "the change of authorization was not carried out: ",
        ),
        ("truncated:/CoA/", 5, ""),
        ("redirect:/CoA/", 5, "redirects are not followed"),
        ("unauthorized:/CoA/", 4, "(HTTP 401)"),
    ] {
        let lab = faulty(&[fault]);
        let run = lab.mnt(&["coa", MAC, "--timeout", "1s"]).assert();
        let text = stderr(&run);
        assert_eq!(
            run.get_output().status.code(),
            Some(status),
            "{fault}: {text}"
        );
        assert!(text.contains(message), "{fault}: {text}");
        assert!(text.contains("\nhint: "), "{fault}: {text}");
        assert_eq!(stdout(&run), "", "{fault}");
        assert_eq!(lab.requests(), [SESSION, REAUTH], "{fault}");
    }
}

/// When nobody knows whether it was carried out, that is said.
#[test]
fn a_change_whose_fate_is_unknown_is_said_to_be() {
    for arguments in [&["coa", MAC][..], &["delete", MAC, "--yes"]] {
        let lab = faulty(&["reset-early:/CoA/", "reset-early:/Delete/"]);
        let run = lab.mnt(arguments).assert().code(6);
        let said = stderr(&run);
        assert!(
            said.contains("was sent, and what became of it is not known: ")
                && said.contains("hint: look with `netapi ise mnt session"),
            "{said}"
        );
    }
}

#[test]
fn a_deletion_is_sent_exactly_once() {
    for fault in [
        "reset",
        "reset-early",
        "overload-502",
        "overload-503",
        "empty-body",
    ] {
        for (arguments, path) in [
            (
                &["delete", MAC, "--yes"][..],
                "MACAddress/C8:5B:76:C6:59:62",
            ),
            (&["delete", "--all", "--yes"], "All"),
        ] {
            let lab = faulty(&[&format!("{fault}:/Delete/")]);
            let run = lab.mnt(arguments).assert();
            assert!(!run.get_output().status.success(), "{fault}");
            assert_eq!(
                lab.requests(),
                [format!("DELETE /admin/API/mnt/Session/Delete/{path}")],
                "{fault}"
            );
        }
    }
}

#[test]
fn a_read_is_asked_again_once_on_a_broken_connection() {
    for arguments in READS
        .iter()
        .filter(|words| words.len() < 2 || words[1] != "--detail")
    {
        let lab = faulty(&["reset-early@1"]);
        if arguments == &["watch"] {
            continue;
        }
        lab.mnt(arguments).assert().success();
        let statuses: Vec<_> = lab
            .entries()
            .iter()
            .map(|entry| entry.status)
            .take(2)
            .collect();
        assert_eq!(statuses, [None, Some(200)], "{arguments:?}");
        let lab = faulty(&["reset-early"]);
        lab.mnt(arguments).assert().code(6);
        assert_eq!(lab.requests().len(), 2, "{arguments:?}");
    }
}

/// What the server said is not asked again: it said it.
#[test]
fn an_answered_read_is_not_asked_again() {
    for fault in [
        "overload-502",
        "overload-503",
        "gateway-timeout-504",
        "server-error",
        "unauthorized",
        "stalled",
    ] {
        let lab = faulty(&[fault]);
        lab.mnt(&["count", "--timeout", "1s"]).assert().failure();
        assert_eq!(lab.requests().len(), 1, "{fault}");
    }
}

#[test]
fn one_refusal_ends_every_command() {
    for fault in ["unauthorized", "unauthorized-html", "forbidden"] {
        for arguments in READS.iter().chain(CHANGES) {
            let lab = faulty(&[fault]);
            let run = lab.mnt(arguments).assert().code(4);
            assert_eq!(lab.requests().len(), 1, "{fault}, {arguments:?}");
            assert_eq!(stderr(&run).matches("netapi: ").count(), 1);
        }
    }
}

/// A wrong password is the server's to refuse, and is not shown either.
#[test]
fn a_wrong_password_is_sent_once_and_shown_nowhere() {
    let lab = lab::lab();
    let run = lab
        .mnt(&["sessions", "--detail", "--trace"])
        .env("ISE_MNT_PASS", "correct-horse")
        .assert()
        .code(4);
    assert!(!stderr(&run).contains("correct-horse"));
    assert_eq!(lab.requests().len(), 1);
    assert_eq!(lab.entries()[0].user.as_deref(), Some(USER));
    assert_eq!(lab.entries()[0].status, Some(401));
}

#[test]
fn a_trace_tells_of_each_request_and_of_no_password() {
    let lab = lab::lab();
    let run = lab.mnt(&["coa", MAC, "--trace"]).assert().success();
    let text = stderr(&run);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert!(lines[0].starts_with("> GET https://localhost:") && lines[0].ends_with(MAC));
    assert!(lines[1].starts_with("< 200 GET "), "{text}");
    // What changes something has a connection of its own.
    assert!(lines[1].contains("(new connection)") && lines[3].contains("(new connection)"));
    assert!(
        lines[2].ends_with(&format!("/CoA/Reauth/psn-a/{MAC}/0")),
        "{text}"
    );
    let run = lab.mnt(&["explain", MAC, "--trace"]).assert().success();
    assert!(stderr(&run).contains("(kept connection)"));
}

/// The password, and what it looks like in the header, in no output of any command however it ends.
#[test]
fn secrets_stand_in_no_output() {
    for faults in [
        &[][..],
        &["unauthorized"],
        &["server-error"],
        &["reset-early"],
        &["redirect"],
        &["tls-expired"],
    ] {
        let lab = faulty(faults);
        for arguments in READS.iter().chain(CHANGES) {
            if arguments == &["watch"] {
                continue;
            }
            for option in ["--trace", "--dry-run", "--curl", "--json"] {
                let run = lab.mnt(arguments).arg(option).arg("--trace").assert();
                for text in [stdout(&run), stderr(&run)] {
                    assert!(!text.contains(PASSWORD), "{arguments:?} {option}: {text}");
                    assert!(!text.contains("Pass-1"), "{arguments:?} {option}: {text}");
                    assert!(!text.contains(BASIC), "{arguments:?} {option}: {text}");
                }
            }
            if !faults.is_empty() {
                break;
            }
        }
        for words in [&["config", "show"][..], &["config", "show", "--json"]] {
            let run = lab.netapi().args(words).assert();
            assert!(!stdout(&run).contains(PASSWORD));
            assert!(stdout(&run).contains("****"));
        }
    }
}
