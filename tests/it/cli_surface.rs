//! The surface that scripts and people rely on: topics, completion, and how a wrong command line is
//! answered. What holds for every command is in `cli_tree`.

use crate::support::{json, netapi, stderr, stdout};

#[test]
fn help_topics() {
    let mut known = Vec::new();
    for (topic, words) in [
        ("environment", "ISE_MNT_FQDN"),
        ("exit-codes", "130"),
        ("formats", "--jq"),
        ("callbacks", "NETAPI_ID"),
        ("files", "spool.redb"),
        ("options", "--connect-timeout"),
        ("filters", "--where"),
        ("queries", "SELECT"),
    ] {
        known.push(topic);
        let run = netapi().args(["help", topic]).assert().success();
        let text = stdout(&run);
        assert!(text.contains(words), "{topic}");
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{topic}: {line}");
        }
    }
    let run = netapi().args(["help", "nonsense"]).assert().code(2);
    let said = stderr(&run);
    assert!(said.starts_with("netapi: no command or topic 'nonsense'\nhint: "));
    let (_, topics) = said.trim_end().split_once("topics are ").unwrap();
    let mut topics: Vec<&str> = topics.split(", ").collect();
    topics.sort_unstable();
    known.sort_unstable();
    assert_eq!(topics, known, "a topic that was not looked at");
}

#[test]
fn completion_and_man_pages_on_their_own() {
    netapi().args(["completion", "dos"]).assert().code(2);
    let run = netapi().arg("man").assert().success();
    assert!(stdout(&run).contains(".TH"));
}

#[test]
fn the_version() {
    let run = netapi().arg("--version").assert().success();
    assert_eq!(
        stdout(&run),
        format!("netapi {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn a_wrong_command_line_is_status_2_and_json_where_json_was_asked_for() {
    for (words, message) in [
        (&["nonsense"][..], "unrecognized subcommand 'nonsense'"),
        (
            &["ise", "mnt", "nonsense"],
            "unrecognized subcommand 'nonsense'",
        ),
        (
            &["ise", "mnt", "count", "--nonsense"],
            "unexpected argument '--nonsense' found",
        ),
        (
            &["ise", "mnt", "session", "--ip", "error: x"],
            "invalid value 'error: x' for '--ip <IP>': 'error: x' is not an IP address",
        ),
    ] {
        let run = netapi().args(words).assert().code(2);
        assert_eq!(stdout(&run), "");
        let text = stderr(&run);
        assert!(text.starts_with(&format!("netapi: {message}\n")), "{text}");
        assert!(!text.contains("\nerror:"), "{text}");
        assert!(text.contains("try '--help'"), "{text}");
    }
    // clap's tip and usage lines stay.
    let run = netapi().args(["ise", "mnt", "cuont"]).assert().code(2);
    let text = stderr(&run);
    assert!(text.contains("\n  tip: "), "{text}");
    assert!(text.contains("\nUsage: netapi ise mnt"), "{text}");
    for words in [&[][..], &["ise", "mnt"]] {
        let run = netapi().args(words).assert().code(2);
        assert_eq!(stdout(&run), "");
        assert!(stderr(&run).contains("Usage: netapi"), "{}", stderr(&run));
        assert!(!stderr(&run).starts_with("netapi:"), "{}", stderr(&run));
    }
    for words in [
        &["--json"][..],
        &["--format", "json"],
        &["--format=jsonl"],
        &["--format", "jsonl"],
    ] {
        let run = netapi()
            .args(["ise", "mnt", "nonsense"])
            .args(words)
            .assert()
            .code(2);
        let error: serde_json::Value = serde_json::from_str(&stderr(&run)).unwrap();
        assert_eq!(error["error"]["kind"], "usage");
        assert_eq!(error["error"]["exitCode"], 2);
        assert_eq!(
            error["error"]["message"],
            "unrecognized subcommand 'nonsense'"
        );
    }
    let run = netapi()
        .args(["ise", "mnt", "count", "--json"])
        .assert()
        .code(2);
    let error: serde_json::Value = serde_json::from_str(&stderr(&run)).unwrap();
    assert_eq!(error["error"]["message"], "no MnT host is set");
}

/// In JSON an error of clap's is one message and one hint, not its whole text on one line.
#[test]
fn wrong_command_lines_in_json_have_a_message_and_one_hint() {
    for (words, message, hint) in [
        (
            &["ise", "mnt", "cuont"][..],
            "unrecognized subcommand 'cuont'",
            "a similar subcommand exists: 'count'",
        ),
        (
            &["ise", "mnt", "coa"],
            "the following required arguments were not provided: <MAC|--mac <MAC>>",
            "see `netapi ise mnt coa --help`",
        ),
        (
            &["ise", "mnt", "session", "--ip", "x"],
            "invalid value 'x' for '--ip <IP>': 'x' is not an IP address",
            "see `netapi ise mnt session --help`",
        ),
    ] {
        let run = netapi().args(words).arg("--json").assert().code(2);
        let error: serde_json::Value = serde_json::from_str(&stderr(&run)).unwrap();
        assert_eq!(error["error"]["message"], message);
        assert_eq!(error["error"]["hint"], hint);
    }
}

#[test]
fn a_format_that_is_none_lists_the_formats() {
    let run = netapi()
        .args(["config", "show", "--format", "xlm"])
        .assert()
        .code(2);
    let text = stderr(&run);
    assert!(
        text.starts_with("netapi: invalid value 'xlm' for '--format <FORMAT>'"),
        "{text}"
    );
    assert!(
        text.contains(
            "[possible values: table, tsv, csv, json, jsonl, yaml, xml, html, md, wide, name]"
        ),
        "{text}"
    );
    for words in [&["config", "show"][..], &["ise", "lab", "faults"]] {
        let run = netapi()
            .args(words)
            .args(["--format", "xml"])
            .assert()
            .code(2);
        assert_eq!(stdout(&run), "");
        assert!(
            stderr(&run).starts_with("netapi: --format xml is"),
            "{}",
            stderr(&run)
        );
    }
}

#[test]
fn the_path_of_the_configuration_in_json_too() {
    let path = "/etc/ise tools.toml";
    for (more, wanted) in [
        (&[][..], format!("{path}\n")),
        (&["--json"], format!("{{\"path\":\"{path}\"}}\n")),
    ] {
        let run = netapi()
            .args(["--config", path, "config", "path"])
            .args(more)
            .assert()
            .success();
        assert_eq!(stdout(&run), wanted);
    }
}

/// A disk that is full is said, also by what clap prints.
#[cfg(target_os = "linux")]
#[test]
fn help_and_version_on_a_full_disk_say_why_they_failed() {
    for word in ["--help", "--version"] {
        let full = std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let run = crate::support::process()
            .arg(word)
            .stdout(full)
            .output()
            .unwrap();
        assert_eq!(run.status.code(), Some(1), "{word}");
        let text = String::from_utf8(run.stderr).unwrap();
        assert!(
            text.starts_with("netapi: cannot write to standard output: "),
            "{text}"
        );
        assert!(text.contains("\nhint: is there room"), "{text}");
    }
}

/// On a pipe clap's texts have colour only where it is asked for.
#[test]
fn color_of_help_and_usage_errors() {
    for (words, code) in [(&["--help"][..], 0), (&["nonsense"], 2)] {
        for (color, wanted) in [
            (&[][..], false),
            (&["--color", "always"], true),
            (&["--color=always"], true),
            (&["--color", "never"], false),
        ] {
            let run = netapi().args(color).args(words).assert().code(code);
            let text = stdout(&run) + &stderr(&run);
            assert_eq!(text.contains('\u{1b}'), wanted, "{words:?} {color:?}");
        }
    }
}

/// Global options stand before or after the command.
#[test]
fn global_options_stand_anywhere() {
    let first = json(
        &netapi()
            .args(["--json", "config", "show"])
            .assert()
            .success(),
    );
    let last = json(
        &netapi()
            .args(["config", "show", "--json"])
            .assert()
            .success(),
    );
    assert_eq!(first, last);
}
