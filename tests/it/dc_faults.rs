//! `netapi ise dc` against the faults of the lab's database: what is said, what to do, and the exit
//! code of each.

use assert_cmd::Command;
use netapi::testing::lab::{LabOptions, Release};
use serde_json::Value;

use crate::support::lab::{TestLab, faulty, lab, with};
use crate::support::{stderr, stdout, wait_for};

const ONE: &str = "SELECT 1 AS one FROM dual";

/// `netapi ise dc …` with a place of its own to remember in.
fn dc(lab: &TestLab, state: &tempfile::TempDir, words: &[&str]) -> Command {
    let mut command = lab.netapi();
    command.env("XDG_STATE_HOME", state.path());
    command.args(["ise", "dc"]).args(words);
    command
}

/// Passwords that the lab was sent.
fn logons(lab: &TestLab) -> usize {
    let entries = lab.entries();
    entries.iter().filter(|one| one.method == "LOGON").count()
}

/// Each fault with the statement that meets it, the exit code, what is said and what to do.
const TOLD: [(&str, &str, i32, &str, &str); 12] = [
    (
        "dc-locked",
        ONE,
        4,
        "ORA-28000: The account is locked.",
        "a new password unlocks it, `netapi ise dc password`",
    ),
    (
        "dc-expired",
        ONE,
        4,
        "ORA-28001: the password has expired",
        "`netapi ise dc password` sets a new one",
    ),
    (
        "dc-wrong-service",
        ONE,
        3,
        "it knows no service cpm10 (ORA-12514)",
        "`netapi ise dc status` names the node",
    ),
    (
        "dc-missing:RADIUS_ERRORS_VIEW",
        "SELECT message_code FROM radius_errors_view",
        3,
        "ORA-00942",
        "`netapi ise dc views` lists those of this node",
    ),
    (
        "dc-missing:NODE_LIST.HOSTNAME",
        "SELECT hostname FROM node_list",
        2,
        "ORA-00904",
        "`netapi ise dc views NAME` lists them",
    ),
    (
        "dc-drop:connect",
        ONE,
        6,
        "(the listener's answer)",
        "is it the one that ISE names? `netapi ise dc status`",
    ),
    (
        "dc-drop:protocol",
        ONE,
        6,
        "(its protocol)",
        "`netapi ise dc status`",
    ),
    (
        "dc-drop:types",
        ONE,
        6,
        "(its data types)",
        "`netapi ise dc status`",
    ),
    (
        "dc-drop:logon1",
        ONE,
        6,
        "(the first half of the logon)",
        "`netapi ise dc status`",
    ),
    (
        "dc-drop:logon2",
        ONE,
        6,
        "(the second half of the logon)",
        "`netapi ise dc status`",
    ),
    (
        "dc-drop:execute",
        ONE,
        6,
        "(the statement)",
        "`netapi ise dc status`",
    ),
    (
        "dc-drop:fetch",
        "SELECT n FROM lab_rows WHERE n < 1000",
        6,
        "(more rows)",
        "`netapi ise dc status`",
    ),
];

#[test]
fn each_fault_is_told_with_what_to_do() {
    let state = tempfile::tempdir().unwrap();
    for (fault, sql, code, words, hint) in TOLD {
        let lab = faulty(&[fault]);
        let assert = dc(&lab, &state, &["sql", sql]).assert().code(code);
        let said = stderr(&assert);
        assert!(said.contains(words), "{fault}: {said}");
        let (_, hints) = said.split_once("hint: ").unwrap_or_default();
        assert!(hints.contains(hint), "{fault}: {said}");
        assert!(!said.contains("panicked"), "{fault}: {said}");
        assert!(logons(&lab) <= 2, "{fault}");
    }
}

#[test]
fn statements_that_are_wrong_are_told_with_what_to_do() {
    let lab = lab();
    let state = tempfile::tempdir().unwrap();
    let form = "the statement is not well formed";
    for (sql, code, words, hint) in [
        ("SELECT FROM dual", 2, "ORA-00936", form),
        ("SELECT 1 FROM dual ; SELECT 2", 2, "ORA-0", form),
        ("SELECT 1 FROM dual WHERE", 2, "ORA-00936", form),
        (
            "SELECT 1 FROM dual WHERE 'x' = 1",
            2,
            "ORA-01722",
            "TO_CHAR(column) makes a text",
        ),
    ] {
        let assert = dc(&lab, &state, &["sql", sql]).assert().code(code);
        let said = stderr(&assert);
        assert!(said.contains(words) && said.contains(hint), "{sql}: {said}");
    }
    // No password is sent where there is none, and what is no SELECT is not sent either.
    let before = logons(&lab);
    let assert = dc(&lab, &state, &["sql", ONE])
        .env("ISE_DC_PASS", "")
        .assert()
        .code(2);
    assert!(stderr(&assert).contains("hint: "), "{}", stderr(&assert));
    dc(&lab, &state, &["sql", "UPDATE t SET a = 1"])
        .assert()
        .code(2);
    assert_eq!(logons(&lab), before);
}

/// RESEND comes on each third connection of the lab, so three statements meet one.
#[test]
fn a_listener_may_ask_again_send_elsewhere_and_be_of_another_release() {
    for release in [Release::Of19c, Release::Of23ai] {
        for faults in [&[][..], &["dc-redirect"], &["dc-old-verifier"]] {
            let lab = with(LabOptions {
                faults: faults.iter().map(|text| text.parse().unwrap()).collect(),
                data_connect: release,
                ..LabOptions::default()
            });
            let state = tempfile::tempdir().unwrap();
            for _ in 0..3 {
                let sql = "SELECT text, long_text, notes, amount FROM lab_values ORDER BY id";
                let words = ["sql", sql, "--wide", "--json"];
                let assert = dc(&lab, &state, &words).assert().success();
                let rows: Vec<Value> = serde_json::from_str(&stdout(&assert)).unwrap();
                assert_eq!(rows.len(), 5, "{release:?} {faults:?}");
                assert_eq!(rows[3]["NOTES"].as_str().unwrap().len(), 100_000);
                assert_eq!(
                    rows[4]["AMOUNT"], "12345678901234567890123456789012345678",
                    "{release:?} {faults:?}"
                );
            }
            let redirected = lab.requests().iter().any(|one| one.starts_with("REDIRECT"));
            assert_eq!(redirected, faults == ["dc-redirect"]);
        }
    }
}

#[test]
fn a_session_that_the_node_ends_is_opened_again_once_and_in_silence() {
    let state = tempfile::tempdir().unwrap();
    let once = faulty(&["dc-session-limit@1"]);
    let assert = dc(&once, &state, &["sql", ONE, "--format", "csv"])
        .assert()
        .success();
    assert_eq!(stdout(&assert), "ONE\n1\n");
    assert_eq!(stderr(&assert), "");
    let always = faulty(&["dc-session-limit"]);
    let assert = dc(&always, &state, &["sql", ONE]).assert().code(6);
    assert!(stderr(&assert).contains("ORA-02399"), "{}", stderr(&assert));
    assert_eq!(logons(&always), 2);
}

#[test]
fn a_password_that_expires_soon_is_a_warning() {
    let lab = faulty(&["dc-expiring"]);
    let state = tempfile::tempdir().unwrap();
    let assert = dc(&lab, &state, &["sql", ONE, "--format", "csv"])
        .assert()
        .success();
    let said = stderr(&assert);
    assert!(said.contains("will expire within 3 days"), "{said}");
    assert_eq!(stdout(&assert), "ONE\n1\n");
}

#[test]
fn bytes_that_are_no_text_cost_a_character_and_named_zones_nothing() {
    let lab = faulty(&["dc-invalid-utf8", "dc-regions"]);
    let state = tempfile::tempdir().unwrap();
    let sql = "SELECT name FROM network_devices FETCH FIRST 5 ROWS ONLY";
    let assert = dc(&lab, &state, &["sql", sql, "--json"]).assert().success();
    let rows: Vec<Value> = serde_json::from_str(&stdout(&assert)).unwrap();
    assert_eq!(rows.len(), 5);
    assert!(rows[0]["NAME"].as_str().unwrap().contains('\u{fffd}'));
    let sql = "SELECT moment_in_region, broken_text FROM lab_values WHERE id = 5";
    let assert = dc(&lab, &state, &["sql", sql, "--json"]).assert().success();
    let rows: Vec<Value> = serde_json::from_str(&stdout(&assert)).unwrap();
    assert_eq!(rows[0]["MOMENT_IN_REGION"], "2026-11-24T03:04:05.250Z");
    assert_eq!(rows[0]["BROKEN_TEXT"], "caf\u{fffd} \u{fffd}\u{fffd} end");
}

/// While the lab looks through two million rows it answers others, and sees an interrupt.
#[test]
fn an_interrupt_is_seen_while_rows_are_scanned() {
    let lab = lab();
    let state = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let scan = "SELECT COUNT(*) FROM lab_rows WHERE message LIKE '%nowhere%'";
    let home = state[0].path().to_str().unwrap();
    let running = lab.start_netapi(
        &["ise", "dc", "sql", scan, "--timeout", "60s"],
        &[("XDG_STATE_HOME", home)],
    );
    wait_for("the scan", || {
        lab.requests().iter().any(|one| one.contains("nowhere"))
    });
    dc(&lab, &state[1], &["sql", ONE]).assert().success();
    // Not over yet: the signal would find nobody.
    running.signal(rustix::process::Signal::INT);
    wait_for("the interrupt", || {
        lab.requests()
            .iter()
            .any(|one| one.starts_with("INTERRUPT"))
    });
    let (code, _, said) = running.end();
    assert_eq!(code, 130, "{said:?}");
}
