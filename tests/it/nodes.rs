//! `netapi ise nodes`: load and latency of each node, its sessions, and the check for monitoring
//! systems.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::pxgrid_node::{Answer, Deployment, plan};
use crate::support::lab::{TestLab, faulty, lab};
use crate::support::{stderr, stdout};

const PXGRID: [&str; 3] = ["ISE_PXGRID_HOST", "ISE_PAN_FQDN", "ISE_PAN_IP"];
const MNT: [&str; 3] = ["ISE_MNT_FQDN", "ISE_PAN_FQDN", "ISE_PAN_IP"];

fn rows(lab: &TestLab, arguments: &[&str]) -> Vec<Value> {
    let mut command = lab.netapi();
    let run = command
        .args(["ise", "nodes", "--json"])
        .args(arguments)
        .assert();
    serde_json::from_str(&stdout(&run.success())).unwrap()
}

fn names(rows: &[Value]) -> Vec<&str> {
    rows.iter()
        .map(|row| row["node"].as_str().unwrap())
        .collect()
}

#[test]
fn one_row_a_node_worst_first_as_both_interfaces_say() {
    let lab = lab();
    let nodes = rows(&lab, &[]);
    assert_eq!(names(&nodes), ["psn-b", "ise-mnt", "psn-a"]);
    let ise = |words: &[&str]| -> Vec<Value> {
        let run = lab.netapi().arg("ise").args(words).arg("--json").assert();
        serde_json::from_str(&stdout(&run.success())).unwrap()
    };
    let sessions = ise(&["mnt", "sessions", "--by", "server"]);
    let health = ise(&["pxgrid", "system", "health", "--since", "1h"]);
    let performance = ise(&["pxgrid", "system", "performance", "--since", "1h"]);
    let newest = |list: &[Value], name: &Value| {
        let mine = list.iter().filter(|row| row["serverName"] == *name);
        mine.max_by_key(|row| row["timestamp"].as_str().unwrap().to_owned())
            .unwrap()
            .clone()
    };
    for node in &nodes {
        let name = &node["node"];
        let counted = sessions.iter().find(|row| row["server"] == *name);
        let counted = counted.map_or(json!(0), |row| row["count"].clone());
        assert_eq!(node["sessions"], counted, "{node}");
        let sample = newest(&health, name);
        assert_eq!(node["health"], sample);
        assert_eq!(node["cpu"].to_string(), sample["cpuUsage"].to_string());
        assert_eq!(node["memory"], sample["memoryUsage"]);
        assert_eq!(node["load"], sample["loadAverage"]);
        let sample = newest(&performance, name);
        assert_eq!(node["authentications"], sample["radiusCount"]);
        assert_eq!(node["latency"], sample["radiusLatency"]);
        for metric in ["cpu", "memory", "load", "authentications", "latency"] {
            assert_eq!(
                node["trend"][metric].as_array().unwrap().len(),
                10,
                "{metric}"
            );
        }
    }
    let paths = lab.requests();
    let lists = paths
        .iter()
        .filter(|path| path.contains("ActiveList"))
        .count();
    // One for the nodes, one for the comparison.
    assert_eq!(lists, 2);
    let spared = rows(&lab, &["--no-sessions", "psn-a"]);
    assert_eq!(
        (names(&spared), &spared[0]["sessions"]),
        (vec!["psn-a"], &Value::Null)
    );
    let paths = lab.requests();
    assert_eq!(
        paths
            .iter()
            .filter(|path| path.contains("ActiveList"))
            .count(),
        2
    );
    // Names are found without their domain and in any case; no such node is 3.
    assert_eq!(names(&rows(&lab, &["PSN-B.lab.example"])), ["psn-b"]);
    let run = lab
        .netapi()
        .args(["ise", "nodes", "psn-x"])
        .assert()
        .code(3);
    assert!(stderr(&run.stdout("")).contains("no node is called 'psn-x'"));
}

#[test]
fn a_check_fails_where_a_node_is_over_a_limit_and_names_it() {
    let lab = lab();
    let check = |limits: &str| {
        let mut command = lab.netapi();
        command
            .args(["ise", "nodes", "--fail-over", limits])
            .assert()
    };
    let well = check("cpu=99.9,memory=99,latency=9000,load=90,sessions=1000").success();
    assert_eq!(stdout(&well).lines().count(), 3);
    let over = check("cpu=70,latency=100").code(1);
    let first = stdout(&over);
    let first = first.lines().next().unwrap();
    // A check shows its first line: the worst node and why.
    assert!(
        first.starts_with("psn-b\tcpu ") && first.contains(">70, latency "),
        "{first}"
    );
    let words = stderr(&over);
    assert!(
        words.starts_with("netapi: psn-b: cpu ") && words.contains(" over 100"),
        "{words}"
    );
    assert!(!words.contains("psn-a"), "{words}");
    let error = lab
        .netapi()
        .args(["ise", "nodes", "--fail-over", "sessions=25", "--json"])
        .assert()
        .code(1);
    let error: Value = serde_json::from_str(&stderr(&error)).unwrap();
    assert_eq!(error["error"]["message"], "psn-a: sessions 26 over 25");
    for limits in ["cpu", "heat=3", "cpu=-1", "cpu=x"] {
        check(limits).code(2).stdout("");
    }
    let run = lab
        .netapi()
        .args(["ise", "nodes", "--no-sessions", "--fail-over", "sessions=3"])
        .assert();
    run.code(2).stdout("");
}

#[test]
fn what_nobody_measured_is_never_well() {
    let lab = lab();
    let without = |variables: &[&str], arguments: &[&str]| {
        let mut command = lab.netapi();
        for variable in variables {
            command.env_remove(variable);
        }
        command.args(["ise", "nodes"]).args(arguments).assert()
    };
    let run = without(&PXGRID, &[]).success();
    assert_eq!(stdout(&run).lines().count(), 2);
    assert!(stderr(&run).contains("pxGrid was not asked: not set up"));
    let run = without(&PXGRID, &["--fail-over", "cpu=90"]).code(1);
    assert!(
        stderr(&run).contains("psn-a: cpu unknown; psn-b: cpu unknown"),
        "{}",
        stderr(&run)
    );
    let run = without(&MNT, &["--fail-over", "cpu=99.9"]).success();
    assert!(stderr(&run).contains("the Monitoring node was not asked: not set up"));
    let run = without(&MNT, &["--fail-over", "sessions=3"]).code(1);
    assert!(stderr(&run).contains("sessions unknown"));
}

#[test]
fn one_that_is_away_is_named_and_both_are_an_error() {
    let lab = lab();
    let away = lab
        .netapi()
        .env("ISE_MNT_PORT", "1")
        .args(["ise", "nodes"])
        .assert();
    let away = away.code(1);
    assert_eq!(stdout(&away).lines().count(), 3);
    assert!(stderr(&away).contains("the Monitoring node could not be asked"));
    let refused = faulty(&["policy-refused"]);
    let half = refused.netapi().args(["ise", "nodes"]).assert().code(1);
    assert_eq!(stdout(&half).lines().count(), 2);
    assert!(stderr(&half).contains("pxGrid could not be asked"));
    let mut both = refused.netapi();
    let both = both
        .env("ISE_MNT_PORT", "1")
        .args(["ise", "nodes"])
        .assert();
    both.code(4).stdout("");
    let mut unreachable = lab.netapi();
    unreachable
        .env("ISE_PXGRID_HOST", "localhost")
        .env("ISE_PXGRID_PORT", "1")
        .env("ISE_MNT_PORT", "1")
        .args(["ise", "nodes", "--fail-over", "cpu=90"]);
    unreachable.assert().code(6).stdout("");
    let pending = faulty(&["account-pending"]);
    let mut command = pending.netapi();
    for variable in MNT {
        command.env_remove(variable);
    }
    command.args(["ise", "nodes"]).assert().code(8).stdout("");
}

/// One whose samples of health are these, and which has no others.
fn deployment(samples: &Value) -> Deployment {
    let samples = samples.clone();
    let nothing: [u8; 0] = [];
    plan()
        .when(move |arrived| match arrived.operation.as_str() {
            "getHealths" => Some(Answer::json(&json!({ "healths": samples }))),
            "getPerformances" => Some(Answer::json(&json!({ "performances": nothing }))),
            _ => None,
        })
        .start()
}

#[test]
fn old_samples_hostile_names_and_empty_lists() {
    let at = |minutes: i64| {
        let at = Timestamp::now() - SignedDuration::from_mins(minutes);
        at.to_string()
    };
    let old = deployment(&json!([
        {"timestamp": at(40), "serverName": "old", "cpuUsage": 10},
        {"timestamp": at(2), "serverName": "new\u{1b}[2J\n", "cpuUsage": "12.50"},
        {"timestamp": "soon", "serverName": "odd"},
    ]));
    let run = old
        .ise(&["nodes", "--fail-over", "cpu=90"])
        .assert()
        .code(1);
    let text = stdout(&run);
    assert!(text.starts_with("old\tcpu unknown\t"), "{text}");
    assert!(
        text.contains("new\\x1b[2J") && !text.contains('\u{1b}'),
        "{text:?}"
    );
    let words = stderr(&run);
    assert!(
        words.contains("old: the newest sample is 40 minutes old"),
        "{words}"
    );
    assert!(words.contains("1 row was left out"), "{words}");
    let nobody = deployment(&json!([]));
    let run = nobody.ise(&["nodes", "--json"]).assert().success();
    assert_eq!(stdout(&run).split_whitespace().collect::<String>(), "[]");
    let run = nobody.ise(&["nodes", "--fail-over", "cpu=90"]).assert();
    assert!(stderr(&run.code(1)).contains("nothing is known"));
    let both = plan().when(|arrived| {
        let wanted = ["getHealths", "getPerformances"].contains(&arrived.operation.as_str());
        wanted.then(|| Answer::Text(500, String::new()))
    });
    both.start().ise(&["nodes"]).assert().code(5).stdout("");
    let broken = plan().answering("getHealths", 500, "").start();
    let run = broken
        .ise(&["nodes", "--fail-over", "cpu=90"])
        .assert()
        .code(1);
    // The usual samples of the other list are of long ago.
    assert!(stderr(&run).contains("cpu unknown"), "{}", stderr(&run));
}
