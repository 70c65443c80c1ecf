//! What `netapi ise dc` promises beside its answers: the connection is made as with the Monitoring
//! node, one statement at a time, rows are bounded, and what a release lacks costs its part only.

use netapi::testing::lab::LabOptions;
use serde_json::Value;

use crate::support::database::{Database, Script, Stage};
use crate::support::lab::{TestLab, faulty, lab, with};
use crate::support::mnt::MAC;
use crate::support::proxy::{Does, Way, start};
use crate::support::running::Running;
use crate::support::{stderr, stdout, wait_for};

const ONE: &str = "SELECT 1 AS one FROM dual";

/// `netapi ise …` with a place of its own to remember in.
fn ise(lab: &TestLab, state: &tempfile::TempDir, words: &[&str]) -> assert_cmd::Command {
    let mut command = lab.netapi();
    command.env("XDG_STATE_HOME", state.path());
    command.arg("ise").args(words);
    command
}

/// A message without what is another one's: ports and fingerprints.
fn alike(text: &str, lab: &TestLab) -> String {
    let ports = ["ISE_MNT_PORT", "ISE_DC_PORT"].map(|name| lab.variable(name));
    let text = ports
        .iter()
        .fold(text.to_owned(), |text, port| text.replace(port, "PORT"));
    let is_fingerprint =
        |word: &str| word.len() >= 64 && word.chars().take(64).all(|c| c.is_ascii_hexdigit());
    let words = text.split(' ').map(|word| {
        if is_fingerprint(word) {
            &word[64..]
        } else {
            word
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn faults_of_its_certificate_are_told_and_mended_as_the_monitoring_nodes() {
    for (fault, remedy) in [
        ("tls-expired", None),
        ("tls-unknown-issuer", None),
        ("tls-self-signed", Some("--insecure")),
        ("tls-wrong-name", Some("--no-verify-hostname")),
    ] {
        let lab = faulty(&[fault]);
        let state = tempfile::tempdir().unwrap();
        let mnt = ise(&lab, &state, &["mnt", "count"]).assert().code(6);
        let ours = ise(&lab, &state, &["dc", "sql", ONE]).assert().code(6);
        let ours = stderr(&ours);
        assert_eq!(alike(&ours, &lab), alike(&stderr(&mnt), &lab), "{fault}");
        let (_, rest) = ours.split_once("SHA-256 is ").unwrap();
        let pin = rest.get(..64).unwrap();
        let pinned = ["dc", "sql", ONE, "--format", "csv", "--pin-sha256", pin];
        let pinned = ise(&lab, &state, &pinned).assert().success();
        assert_eq!(stdout(&pinned), "ONE\n1\n", "{fault}");
        if let Some(remedy) = remedy {
            let mut run = ise(&lab, &state, &["dc", "sql", ONE, remedy]);
            run.assert().success();
        }
    }
}

#[test]
fn a_name_can_be_resolved_and_a_proxy_taken_as_for_the_monitoring_node() {
    let lab = lab();
    let state = tempfile::tempdir().unwrap();
    let port = lab.variable("ISE_DC_PORT");
    let resolve = format!("dc.lab.invalid:{port}:127.0.0.1");
    let words = ["dc", "sql", ONE, "--dc-host", "dc.lab.invalid"];
    let more = ["--resolve", &resolve, "--no-verify-hostname"];
    let run = ise(&lab, &state, &[&words[..], &more].concat());
    { run }.assert().success();
    let proxy = start(Way::Http, Does::Relay);
    let mut run = ise(&lab, &state, &["dc", "sql", ONE]);
    run.env_remove("NO_PROXY").env_remove("no_proxy");
    run.env("https_proxy", format!("http://127.0.0.1:{}", proxy.port));
    run.assert().success();
    let heads = proxy.heads();
    let wanted = format!("CONNECT localhost:{port} HTTP/1.1\r\n");
    assert!(
        heads.iter().any(|head| head.starts_with(&wanted)),
        "{heads:?}"
    );
}

#[test]
fn the_node_is_the_one_that_ise_names_and_flags_come_first() {
    let lab = lab();
    let state = tempfile::tempdir().unwrap();
    let mut named = ise(&lab, &state, &["dc", "sql", ONE, "--format", "csv"]);
    named.env_remove("ISE_DC_HOST").env_remove("ISE_DC_PORT");
    let named = named.assert().success();
    assert_eq!(stdout(&named), "ONE\n1\n");
    let asked = lab.requests();
    let details = "GET /api/v1/mnt/data-connect/details";
    assert!(asked.iter().any(|one| one == details), "{asked:?}");
    // What is set is taken, and what is wrong is named.
    for (option, value, code, words) in [
        ("--dc-port", "1", 6, "localhost:1"),
        ("--dc-service", "other", 3, "it knows no service other"),
        ("--dc-user", "nobody", 4, "ORA-01017"),
    ] {
        let state = tempfile::tempdir().unwrap();
        let run = ise(&lab, &state, &["dc", "sql", ONE, option, value]);
        let text = stderr(&{ run }.assert().code(code));
        assert!(text.contains(words), "{option}: {text}");
    }
    let file = state.path().join("password");
    std::fs::write(&file, lab.variable("ISE_DC_PASS")).unwrap();
    let file = file.to_str().unwrap();
    let mut run = ise(
        &lab,
        &state,
        &["dc", "sql", ONE, "--dc-password-file", file],
    );
    run.env_remove("ISE_DC_PASS").assert().success();
}

#[test]
fn a_limit_that_no_node_bears_is_refused_before_anything_is_asked() {
    let database = Database::start(Script::default());
    for words in [&["sql", "SELECT a FROM t"][..], &["views"], &["last"]] {
        let mut run = database.dc(&[words, &["--timeout", "90s"]].concat());
        let text = stderr(&run.assert().code(2));
        assert!(
            text.contains("--timeout is too long for a statement"),
            "{text}"
        );
        assert!(text.contains("hint: at most 60s"), "{text}");
    }
}

#[test]
fn one_process_at_a_time_asks_a_node() {
    let database = Database::start(Script {
        silent_at: Some(Stage::Statement),
        ..Script::default()
    });
    let words = ["sql", "SELECT a FROM t", "--timeout", "60s"];
    let first = Running::start(database.process(&words));
    wait_for("the statement", || database.statements() == 1);
    let second = Running::start(database.process(&words));
    second.says("waiting: another netapi is asking localhost:");
    assert_eq!(database.logons(), 1);
    first.signal(rustix::process::Signal::INT);
    assert_eq!(first.end().0, 130);
    // It is the other's turn.
    wait_for("its statement", || database.statements() == 2);
    second.signal(rustix::process::Signal::INT);
    assert_eq!(second.end().0, 130);
}

#[test]
fn a_terminal_shows_a_thousand_rows_and_says_so_and_a_pipe_has_all() {
    let lab = lab();
    let state = tempfile::tempdir().unwrap();
    let sql = "SELECT n FROM lab_rows WHERE n <= 1500";
    let run = ise(&lab, &state, &["dc", "sql", sql]).assert().success();
    assert_eq!(stdout(&run).lines().count(), 1500);
    assert_eq!(stderr(&run), "");
    let home = ("XDG_STATE_HOME", state.path().as_os_str().to_owned());
    let words = ["ise", "dc", "sql", sql, "--no-pager"];
    let Some(terminal) = lab.on_terminal(&words, &[home]) else {
        return;
    };
    let (status, shown) = terminal.end();
    assert!(status.success(), "{shown}");
    assert!(shown.contains("these are the first 1000 rows"), "{shown}");
    assert!(!shown.contains("1001"), "{shown}");
}

#[test]
fn a_question_has_a_thousand_rows_on_a_terminal_and_all_of_them_in_a_pipe() {
    let lab = with(LabOptions {
        sessions: 1200,
        ..LabOptions::default()
    });
    let state = tempfile::tempdir().unwrap();
    let run = ise(&lab, &state, &["dc", "endpoints"]).assert().success();
    let all = stdout(&run).lines().count();
    assert!(all > 1000, "{all}");
    assert_eq!(stderr(&run), "");
    // What is sorted here is held here, and has the usual bound.
    let sorted = ["dc", "endpoints", "--sort", "MAC"];
    let run = ise(&lab, &state, &sorted).assert().success();
    assert_eq!(stdout(&run).lines().count(), 1000);
    let said = stderr(&run);
    assert!(said.contains("these are the first 1000 rows"), "{said}");
    let few = ["dc", "endpoints", "--limit", "7"];
    let run = ise(&lab, &state, &few).assert().success();
    assert_eq!(
        (stdout(&run).lines().count(), stderr(&run)),
        (7, String::new())
    );
}

#[test]
fn a_column_or_a_view_that_a_release_lacks_costs_its_part_and_is_said() {
    let state = tempfile::tempdir().unwrap();
    let rows = |lab: &TestLab, words: &[&str]| -> (Vec<Value>, String) {
        let run = ise(lab, &state, words).arg("--json").assert().success();
        (serde_json::from_str(&stdout(&run)).unwrap(), stderr(&run))
    };
    let lacks = faulty(&["dc-missing:RADIUS_AUTHENTICATIONS.SECURITY_GROUP"]);
    let (found, said) = rows(&lacks, &["dc", "history", MAC]);
    let passed = found.iter().find(|row| row["what"] == "pass").unwrap();
    assert!(passed.get("securityGroup").is_none(), "{passed}");
    assert!(said.contains("has no column SECURITY_GROUP"), "{said}");
    let lacks = faulty(&["dc-missing:RADIUS_ACCOUNTING"]);
    let (found, said) = rows(&lacks, &["dc", "history", MAC]);
    assert!(found.iter().all(|row| row["what"] == "pass"), "{found:?}");
    assert!(said.contains("has no view RADIUS_ACCOUNTING"), "{said}");
    // It is the only way to who had an address.
    let run = ise(&lacks, &state, &["dc", "history", "--ip", "10.50.10.100"]);
    let text = stderr(&{ run }.assert().code(3));
    assert!(text.contains("has no view RADIUS_ACCOUNTING"), "{text}");
    let lacks = faulty(&["dc-missing:ENDPOINTS_DATA"]);
    let (found, said) = rows(&lacks, &["who", MAC]);
    assert_eq!(found[0]["history"]["authentication"]["mac"], MAC);
    assert!(said.contains("has no view ENDPOINTS_DATA"), "{said}");
}

/// A question without `--since` is bounded too.
#[test]
fn every_question_of_time_is_bounded() {
    let database = Database::start(Script::default());
    for words in [
        &["history", MAC][..],
        &["history", "--user", "kim"],
        &["history", "--ip", "10.0.0.1"],
        &["failures"],
        &["failures", "--by", "policy-set"],
        &["last"],
        &["last", "--nas"],
        &["live"],
    ] {
        let run = database.dc(words).arg("--dry-run").assert().success();
        let sql = stdout(&run);
        for statement in sql.split(';') {
            assert!(
                statement.contains(">= SYSDATE - "),
                "{words:?}: {statement}"
            );
        }
    }
    assert_eq!(database.logons(), 0);
}
