//! What output looks like in each format, who may close it, and that names which strangers chose do
//! no harm.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use netapi::testing::lab::LabOptions;
use serde_json::Value;

use crate::support::lab::{faulty, lab, with};
use crate::support::{json, stderr, stdout};

const HEADER: [&str; 5] = ["MAC", "IP", "USER", "NAS", "SERVER"];

#[test]
fn each_format_has_the_same_rows() {
    let lab = lab();
    let out = |format: &str| {
        stdout(
            &lab.mnt(&["sessions", "--format", format])
                .assert()
                .success(),
        )
    };
    assert_eq!(out("table").lines().count(), 50);
    for (format, separator) in [("tsv", "\t"), ("csv", ",")] {
        let text = out(format);
        assert_eq!(text.lines().next().unwrap(), HEADER.join(separator));
        assert_eq!(text.lines().count(), 51);
        let run = lab
            .mnt(&["sessions", "--format", format, "--no-header"])
            .assert();
        assert_eq!(stdout(&run).lines().count(), 50);
    }
    let list: Value = serde_json::from_str(&out("json")).unwrap();
    let lines: Vec<Value> = out("jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(list, Value::Array(lines));
    let yaml: Value = yaml_serde::from_str(&out("yaml")).unwrap();
    assert_eq!(yaml, list);
    let xml = out("xml");
    assert!(xml.starts_with("<?xml") && xml.trim_end().ends_with("</activeList>"));
    let html = out("html");
    assert!(html.starts_with("<!doctype html>\n") && html.ends_with("</html>\n"));
    assert_eq!(html.matches("<tr><td>").count(), 50);
    assert_eq!(out("md").lines().count(), 52);
}

/// The names that become markup in a page, and links or mentions in a ticket.
#[test]
fn hostile_names_are_text_in_documents() {
    let lab = faulty(&["hostile-names"]);
    let out = |format: &str| {
        stdout(
            &lab.mnt(&["sessions", "--format", format])
                .assert()
                .success(),
        )
    };
    let names: Vec<String> = json(&lab.mnt(&["sessions", "--json"]).assert().success())
        .as_array()
        .unwrap()
        .iter()
        .map(|session| session["user_name"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert!(
        names.iter().any(|name| name.contains("<script>")),
        "{names:?}"
    );
    let page = out("html");
    assert!(page.contains("Content-Security-Policy") && !page.contains("<script"));
    assert!(page.contains("&#60;script&#62;"));
    let table = out("md");
    assert!(table.contains("`</td></style></script><script>"), "{table}");
    for line in table.lines() {
        assert_eq!(line.matches('|').count(), 6, "{line}");
    }
    for text in [page, table] {
        assert!(!text.contains(['\u{9b}', '\u{1b}', '\u{202e}', '\u{200b}']));
    }
}

/// What happens has no end, and a page has one.
#[test]
fn what_prints_as_things_happen_is_no_page() {
    let lab = lab();
    for format in ["html", "yaml"] {
        let run = lab.mnt(&["watch", "--format", format]).assert().code(2);
        let said = stderr(&run);
        assert!(
            said.contains(&format!("--format {format} does not go with it")),
            "{said}"
        );
    }
}

#[test]
fn fields_sort_and_limit() {
    let lab = lab();
    let out = |words: &[&str]| stdout(&lab.mnt(&["sessions"]).args(words).assert().success());
    assert_eq!(
        out(&["--fields", "SERVER,calling_station_id", "--limit", "1"]),
        "psn-a\tC8:5B:76:C6:59:62\n"
    );
    let text = out(&["--fields", "MAC", "--sort", "MAC"]);
    let rising: Vec<&str> = text.lines().filter(|line| line.contains(':')).collect();
    assert!(rising.is_sorted(), "{rising:?}");
    let text = out(&["--fields", "MAC", "--sort", "-MAC", "--limit", "3"]);
    assert_eq!(text.lines().next(), rising.last().copied());
    assert_eq!(text.lines().count(), 3);
    assert_eq!(out(&["--limit", "0"]), "");
}

/// `-o name | anc apply --mac -`; `-n` is `--limit`.
#[test]
fn names_are_one_column_for_the_next_command() {
    let lab = lab();
    let out = |words: &[&str]| stdout(&lab.mnt(&["sessions"]).args(words).assert().success());
    let macs = out(&["--fields", "MAC"]);
    assert_eq!(out(&["-o", "name"]), macs);
    assert_eq!(out(&["-o", "name", "-n", "1"]), "C8:5B:76:C6:59:62\n");
    assert_eq!(out(&["-o", "wide"]), out(&[]));
    let session = lab.mnt(&["session", "c85b.76c6.5962", "-o", "name"]);
    let run = { session }.assert().success();
    assert_eq!(stdout(&run), "C8:5B:76:C6:59:62\n");
}

#[test]
fn names_of_fields_may_have_blanks_around_them_and_stand_once_in_an_object() {
    let lab = lab();
    let out = |words: &[&str]| stdout(&lab.mnt(&["sessions"]).args(words).assert().success());
    let one = |fields, format| out(&["--fields", fields, "--limit", "1", "--format", format]);
    assert_eq!(
        one("MAC, SERVER", "csv"),
        "MAC,SERVER\nC8:5B:76:C6:59:62,psn-a\n"
    );
    let object = "{\"calling_station_id\":\"C8:5B:76:C6:59:62\",\"server\":\"psn-a\"}\n";
    assert_eq!(one("MAC,SERVER,mac,MAC", "jsonl"), object);
    assert_eq!(one("MAC,MAC", "csv").lines().next(), Some("MAC,MAC"));
    for empty in ["", "MAC,", "MAC,,IP", " "] {
        let run = lab.mnt(&["sessions", "--fields", empty]).assert().code(2);
        assert!(stderr(&run).contains("a name is empty"), "{empty:?}");
    }
}

#[test]
fn jq_is_built_in() {
    let lab = lab();
    let out = |words: &[&str]| stdout(&lab.mnt(&["sessions"]).args(words).assert().success());
    assert_eq!(out(&["--jq", "length"]), "50\n");
    assert_eq!(
        out(&["--jq", ".[0].user_name"]),
        "host/workstation.example.com\n"
    );
    assert_eq!(
        out(&["--format", "jsonl", "--jq", ".server"])
            .lines()
            .count(),
        50
    );
}

/// The reader goes away after a line: success, and not a word.
#[test]
fn a_closed_pipe_is_success() {
    let lab = with(LabOptions {
        sessions: 100_000,
        ..LabOptions::default()
    });
    for format in ["table", "csv", "json", "jsonl", "yaml", "xml", "html", "md"] {
        let mut child = lab
            .process(&["sessions", "--format", format])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert!(!line.is_empty(), "{format}");
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{format}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{format}");
    }
}

#[test]
fn hostile_names_break_no_line_and_run_no_formula() {
    let lab = faulty(&["hostile-names"]);
    let run = lab.mnt(&["sessions"]).assert().success();
    assert_eq!(stdout(&run).lines().count(), 50);
    assert!(
        stdout(&run)
            .lines()
            .all(|line| line.split('\t').count() == 5)
    );
    assert!(
        !stdout(&run).contains(['\u{9b}', '\u{1b}']),
        "{}",
        stdout(&run)
    );
    let run = lab.mnt(&["sessions", "--format", "csv"]).assert().success();
    assert!(stdout(&run).contains("\"'=HYPERLINK("), "{}", stdout(&run));
    assert_eq!(stdout(&run).lines().count(), 51);
    let list = json(&lab.mnt(&["sessions", "--json"]).assert().success());
    assert_eq!(
        list[4]["user_name"], "LAB\\mal\u{9b}31mlory\u{202e}nimda\u{200b}",
        "JSON keeps what was sent"
    );
}

/// `netapi ise mnt …` on a terminal of its own, by `script`; `None` where there is none.
fn on_a_terminal(
    lab: &crate::support::lab::TestLab,
    words: &str,
    variables: &[(&str, &str)],
) -> Option<String> {
    let line = format!("{} ise mnt {words}", env!("CARGO_BIN_EXE_netapi"));
    let environment = lab.process(&[]);
    let mut command = std::process::Command::new("script");
    command.args(["-qec", &line, "/dev/null"]).env_clear();
    for (name, value) in environment.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    let output = command
        .env("TERM", "xterm")
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .ok()?;
    assert!(output.status.success(), "{output:?}");
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_terminal_gets_a_table_that_fits_and_nothing_that_steers_it() {
    let lab = faulty(&["hostile-names"]);
    let Some(wide) = on_a_terminal(
        &lab,
        "sessions --quiet --limit 11",
        &[("COLUMNS", "200"), ("NO_COLOR", "1")],
    ) else {
        // `script` is not installed here; render's own tests cover the same.
        return;
    };
    assert!(wide.starts_with("MAC "), "{wide}");
    assert!(
        !wide.contains(['\u{1b}', '\u{9b}', '\u{202e}', '\u{200b}']),
        "{wide:?}"
    );
    assert!(wide.contains("\\u{202e}"), "{wide}");
    let narrow = on_a_terminal(
        &lab,
        "sessions --quiet --limit 11",
        &[("COLUMNS", "60"), ("NO_COLOR", "1")],
    )
    .unwrap();
    assert!(
        narrow
            .lines()
            .all(|line| line.trim_end().chars().count() <= 60),
        "{narrow}"
    );
    assert_eq!(narrow.lines().count(), 12);
    let all = on_a_terminal(
        &lab,
        "sessions --quiet --limit 11 -o wide",
        &[("COLUMNS", "60"), ("NO_COLOR", "1")],
    );
    assert_eq!(all.unwrap(), wide);
    let coloured = on_a_terminal(&lab, "sessions --limit 1", &[]).unwrap();
    assert!(coloured.contains("\u{1b}["), "{coloured:?}");
    let dumb = on_a_terminal(&lab, "sessions --limit 1", &[("TERM", "dumb")]).unwrap();
    assert!(!dumb.contains('\u{1b}'), "{dumb:?}");
}

#[test]
fn a_pipe_gets_no_colour_and_no_progress() {
    let lab = lab();
    let run = lab
        .mnt(&["sessions"])
        .env("TERM", "xterm")
        .assert()
        .success();
    assert!(!stdout(&run).contains('\u{1b}'));
    assert_eq!(stderr(&run), "");
}
