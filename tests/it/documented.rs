//! What a user can give to the program, and what it leaves behind, stands in the man pages and the
//! help topics: options, variables, exit statuses, files.

use std::collections::BTreeSet;
use std::path::Path;

use clap::Command;

use crate::support::callback::script;
use crate::support::{netapi, stdout};

/// A page as text: roff's escapes of hyphens and dots undone.
fn page(path: &Path) -> String {
    let text =
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.replace("\\-", "-").replace("\\&", "")
}

/// Whether `word` stands in `text`, and not as a part of a longer name.
fn names(text: &str, word: &str) -> bool {
    let part = |byte: Option<&u8>| {
        byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'-' || *byte == b'_')
    };
    text.match_indices(word).any(|(at, _)| {
        let (before, after) = (&text.as_bytes()[..at], &text.as_bytes()[at + word.len()..]);
        // Roff's change of the font is no part of the name.
        let before = before
            .strip_suffix(b"\\fB")
            .or(before.strip_suffix(b"\\fI"));
        let before = before.unwrap_or(&text.as_bytes()[..at]);
        !part(before.last()) && !part(after.first())
    })
}

fn topic(name: &str) -> String {
    stdout(&netapi().args(["help", name]).assert().success())
}

/// The spellings of a command's own options, or of those that every command takes.
fn options(command: &Command, global: bool) -> Vec<String> {
    command
        .get_arguments()
        .filter(|one| one.is_global_set() == global && !one.is_hide_set() && !one.is_positional())
        .flat_map(|one| {
            let short = one.get_short().map(|letter| format!("-{letter}"));
            let long = one.get_long().map(|name| format!("--{name}"));
            short.into_iter().chain(long)
        })
        .collect()
}

#[test]
fn every_option_stands_in_the_page_of_its_command() {
    fn walk(command: &Command, name: &str, pages: &Path, seen: &mut usize) {
        let text = page(&pages.join(format!("{name}.1")));
        for option in options(command, false) {
            *seen += 1;
            assert!(names(&text, &option), "{name}(1) does not have {option}");
        }
        for inner in command.get_subcommands().filter(|one| !one.is_hide_set()) {
            walk(inner, &format!("{name}-{}", inner.get_name()), pages, seen);
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let pages = directory.path().join("man1");
    netapi().arg("man").arg(&pages).assert().success();
    let mut root = netapi::testing::command_tree();
    root.build();
    let mut seen = 0;
    walk(&root, "netapi", &pages, &mut seen);
    assert!(seen > 150, "{seen}");
    let global = options(&root, true);
    assert!(global.len() > 30, "{global:?}");
    let text = page(&directory.path().join("man7/netapi-options.7"));
    for option in global {
        assert!(
            names(&text, &option),
            "netapi-options(7) does not have {option}"
        );
    }
}

/// The sources of the program without their tests.
fn sources() -> Vec<(String, String)> {
    fn walk(directory: &Path, found: &mut Vec<(String, String)>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "tests" {
                walk(&path, found);
            } else if path.extension().is_some_and(|end| end == "rs")
                && !name.contains("test")
                && name != "samples.rs"
            {
                let text = std::fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
                found.push((path.display().to_string(), code.to_owned()));
            }
        }
    }
    let mut found = Vec::new();
    walk(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut found,
    );
    found
}

#[test]
fn every_variable_stands_in_a_help_topic() {
    // Not a user's: one of the build, and those of completion scripts and of the lab with itself.
    let ours = ["NETAPI_COMMIT", "NETAPI_COMPLETE", "NETAPI_LAB_EVENTS"];
    let texts: String = ["environment", "callbacks", "files", "options", "formats"]
        .map(topic)
        .concat();
    let lab = stdout(
        &netapi()
            .args(["help", "ise", "lab", "run"])
            .assert()
            .success(),
    );
    let readme = include_str!("../../README.md");
    let mut seen = BTreeSet::new();
    for (path, code) in sources() {
        for word in code.split('"').skip(1).step_by(2) {
            let prefixed = ["ISE_", "PXGRID_", "NETAPI_", "NATS_", "XDG_"]
                .iter()
                .any(|prefix| word.starts_with(prefix) && word.len() > prefix.len());
            let plain = word
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
            // ISE_NODE is a column there.
            let column = path.contains("lab/data_connect/views/");
            if !prefixed || !plain || column || ours.contains(&word) {
                continue;
            }
            seen.insert(word.to_owned());
            // What the lab sets beside the settings is told with the lab.
            let told = names(&texts, word)
                || (word.ends_with("_2") && (names(&lab, word) || names(readme, word)));
            assert!(told, "{path}: no help topic has {word}");
        }
    }
    assert!(seen.len() > 30, "{seen:?}");
}

#[test]
fn every_exit_status_stands_in_its_topic_and_in_the_pages() {
    let (_, code) = include_str!("../../src/error.rs")
        .split_once("fn exit_status")
        .unwrap();
    let (code, _) = code.split_once("\n    }\n").unwrap();
    let statuses: BTreeSet<&str> = code
        .split("=> ")
        .skip(1)
        .filter_map(|arm| arm.split([',', '\n']).next())
        .filter(|text| text.parse::<u8>().is_ok())
        .collect();
    assert!(statuses.len() >= 7, "{statuses:?}");
    let text = topic("exit-codes");
    let pages = stdout(&netapi().arg("man").assert().success());
    for status in statuses {
        let start = format!("{status}  ");
        let told = text
            .lines()
            .any(|line| line.trim_start().starts_with(&start));
        assert!(told, "netapi help exit-codes does not have {status}");
        assert!(pages.contains(&format!(".B {status}\n")), "{status}");
    }
}

#[test]
fn every_file_of_a_spool_stands_in_its_topic() {
    let directory = tempfile::tempdir().unwrap();
    let spool = directory.path().join("spool");
    // One that fails makes a dead letter too.
    let callback = script(directory.path(), "#!/bin/sh\nexit 1\n");
    let run = netapi()
        .args(["ise", "lab", "run", "--events-per-second", "50", "--"])
        .arg(env!("CARGO_BIN_EXE_netapi"))
        .args([
            "ise",
            "pxgrid",
            "subscribe",
            "--topic",
            "session",
            "--count",
            "2",
        ])
        .args(["--retries", "0", "--spool"])
        .arg(&spool)
        .arg("--callback")
        .arg(&callback)
        .assert();
    let said = format!("{run}");
    let text = topic("files");
    let mut seen = 0;
    for entry in std::fs::read_dir(&spool).expect(&said) {
        seen += 1;
        let name = entry.unwrap().file_name().into_string().unwrap();
        let told = text
            .lines()
            .any(|line| line.trim_start().starts_with(&name));
        assert!(told, "netapi help files does not have {name}");
    }
    assert!(seen >= 3, "{seen} files\n{said}");
    let path = stdout(&netapi().args(["config", "path"]).assert().success());
    let name = path.trim().rsplit_once("/netapi/").unwrap().1;
    assert!(names(&text, name), "{path}");
}
