//! The README's page "More than one machine" runs as it is written: each event of the stream is
//! handled, though a subscriber and a worker were killed.

use std::process::Command;

use crate::support::{netapi, skipped, stdout};

const README: &str = include_str!("../../README.md");

/// The page's code: first the lab, then what is typed in it.
fn code() -> Vec<&'static str> {
    let page = README
        .split_once("\n### More than one machine\n")
        .unwrap()
        .1;
    let page = page.split("\n### ").next().unwrap();
    let blocks = page.split("\n```sh\n").skip(1);
    blocks
        .map(|block| block.split("\n```").next().unwrap())
        .collect()
}

#[test]
fn two_subscribers_and_three_workers_of_whom_one_each_is_killed() {
    if Command::new("nats-server")
        .arg("--version")
        .output()
        .is_err()
    {
        skipped("there is no nats-server on PATH");
        return;
    }
    let code = code();
    let (lab, typed) = code.split_first().unwrap();
    let lab = lab.split_whitespace().collect::<Vec<_>>();
    assert_eq!(lab[0], "netapi");
    let dir = tempfile::tempdir().unwrap();
    let run = netapi()
        .args(&lab[1..])
        .args(["--", "sh", "-euc"])
        .arg(typed.join("\n"))
        .current_dir(dir.path())
        .timeout(std::time::Duration::from_mins(3))
        .assert()
        .success();
    let out = stdout(&run);
    let last: Vec<u64> = out
        .lines()
        .rev()
        .take(2)
        .map(|line| line.trim().parse().unwrap())
        .collect();
    assert_eq!(last[0], last[1], "{out}");
    assert!(last[0] > 100, "{out}");
    let handled = std::fs::read_to_string(dir.path().join("handled.txt")).unwrap();
    assert!(handled.lines().count() as u64 >= last[0], "{out}");
    assert_eq!(out.matches("group workers").count(), 2, "{out}");
}
