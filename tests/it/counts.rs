//! `--by` and `--top`: rows counted by the values of fields instead of listed.

use std::collections::BTreeMap;

use serde_json::json;

use crate::support::lab::{TestLab, faulty, lab};
use crate::support::{stderr, stdout};

fn said(lab: &TestLab, arguments: &[&str]) -> String {
    let assert = lab.netapi().arg("ise").args(arguments).assert();
    stdout(&assert.success())
}

#[test]
fn counts_are_those_of_the_list() {
    let lab = lab();
    for (list, field) in [
        (&["mnt", "sessions"][..], "SERVER"),
        (&["mnt", "sessions"], "nas_ip_address"),
        (&["mnt", "sessions", "--detail"], "SGT"),
        (&["pxgrid", "sessions"], "SGT"),
        (&["pxgrid", "sessions"], "mdmRegistered"),
        (&["pxgrid", "sessions", "--user", "*a*"], "NAS"),
        (&["pxgrid", "radius", "failures", "--since", "5d"], "REASON"),
        (&["pxgrid", "endpoints"], "PROFILE"),
        (&["pxgrid", "services"], "NODE"),
        (&["mnt", "auth-status", "00:00:5E:00:53:F0"], "RESULT"),
    ] {
        let listed = said(&lab, &[list, &["--fields", field]].concat());
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for line in listed.lines() {
            *counts.entry(line).or_default() += 1;
        }
        let counted = said(&lab, &[list, &["--by", field]].concat());
        let rows = counted.lines().map(|line| line.rsplit_once('\t').unwrap());
        let rows: Vec<(&str, u64)> = rows.map(|(name, n)| (name, n.parse().unwrap())).collect();
        assert!(
            rows.windows(2).all(|pair| pair[0].1 >= pair[1].1),
            "{rows:?}"
        );
        assert_eq!(
            rows.into_iter().collect::<BTreeMap<_, _>>(),
            counts,
            "{field}"
        );
    }
    let text = said(&lab, &["mnt", "sessions", "--by", "server", "--json"]);
    let counted: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        counted,
        json!([{"server": "psn-a", "count": 26}, {"server": "psn-b", "count": 24}])
    );
}

#[test]
fn two_fields_missing_values_and_the_largest_groups() {
    let lab = lab();
    let sessions = ["pxgrid", "sessions", "--by", "authMethod,postureStatus"];
    let all = said(&lab, &[&sessions[..], &["--format", "jsonl"]].concat());
    let rows = all.lines().map(|line| serde_json::from_str(line).unwrap());
    let rows: Vec<serde_json::Value> = rows.collect();
    let total: u64 = rows.iter().map(|row| row["count"].as_u64().unwrap()).sum();
    assert_eq!(total, 50);
    assert!(
        rows.iter().any(|row| row["postureStatus"].is_null()),
        "{all}"
    );
    let top = said(
        &lab,
        &[&sessions[..], &["--top", "1", "--format", "csv"]].concat(),
    );
    let largest = &rows[0];
    assert_eq!(
        top,
        format!(
            "authMethod,postureStatus,count\n{},,{}\n",
            largest["authMethod"].as_str().unwrap(),
            largest["count"]
        )
    );
    let jq = said(
        &lab,
        &[&sessions[..], &["--jq", "map(.count)|add"]].concat(),
    );
    assert_eq!(jq, "50\n");
    let empty = said(
        &lab,
        &[
            "pxgrid", "sessions", "--user", "nobody", "--by", "SGT", "--json",
        ],
    );
    assert_eq!(empty.split_whitespace().collect::<String>(), "[]");
}

#[test]
fn what_does_not_go_with_counting_is_said_before_anything_is_sent() {
    let lab = lab();
    for (arguments, says) in [
        (
            "mnt sessions --by server --limit 2",
            "--limit does not go with --by",
        ),
        (
            "mnt sessions --by server --sort server",
            "--sort does not go with --by",
        ),
        (
            "mnt sessions --by server --fields MAC",
            "--fields does not go with --by",
        ),
        (
            "mnt sessions --by server -o name",
            "-o name does not go with --by",
        ),
        (
            "mnt sessions --by server --format xml",
            "--by does not go with --format xml",
        ),
        ("mnt sessions --top 3", "--top is of --by"),
        ("mnt sessions --by server,", "a name is empty"),
        (
            "pxgrid subscribe --topic session --by STATE",
            "this one has no end",
        ),
        ("mnt watch --by CHANGE", "this one has no end"),
    ] {
        let assert = lab.netapi().arg("ise").args(arguments.split(' ')).assert();
        let words = stderr(&assert.code(2).stdout(""));
        assert!(words.contains(says), "{arguments}: {words}");
    }
    assert!(lab.requests().is_empty(), "{:?}", lab.requests());
    let one = lab
        .netapi()
        .args(["ise", "mnt", "version", "--by", "name"])
        .assert();
    assert!(stderr(&one.code(2)).contains("this is one thing"));
    let unknown = lab
        .netapi()
        .args(["ise", "mnt", "sessions", "--by", "servr"])
        .assert();
    assert_eq!(stdout(&unknown), "\t50\n");
    assert!(stderr(&unknown.success()).contains("did you mean SERVER?"));
}

#[test]
fn values_that_strangers_choose_are_cells_like_others() {
    let lab = faulty(&["hostile-names"]);
    let tsv = said(&lab, &["pxgrid", "sessions", "--by", "userName"]);
    let total = tsv.lines().map(|line| line.rsplit_once('\t').unwrap().1);
    assert_eq!(total.map(|n| n.parse::<u64>().unwrap()).sum::<u64>(), 50);
    assert!(!tsv.contains('\u{1b}'), "{tsv}");
    let csv = said(
        &lab,
        &["pxgrid", "sessions", "--by", "userName", "--format", "csv"],
    );
    assert!(csv.lines().all(|line| !line.starts_with('=')), "{csv}");
    assert!(csv.contains("'="), "{csv}");
}

#[test]
fn a_list_that_breaks_off_is_never_counted_as_if_it_were_whole() {
    let lab = faulty(&["truncated"]);
    let assert = lab
        .netapi()
        .args(["ise", "mnt", "sessions", "--by", "server", "--json"])
        .assert();
    let text = stdout(&assert);
    assert!(!assert.get_output().status.success());
    assert!(
        serde_json::from_str::<serde_json::Value>(&text).is_err(),
        "{text}"
    );
}
