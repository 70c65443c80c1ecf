//! `netapi ise failures`: failed authentications in groups, from pxGrid or from what the Monitoring
//! node can tell.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use netapi::testing::lab::LabOptions;
use serde_json::{Value, json};

use crate::pxgrid_node::plan;
use crate::support::lab::{TestLab, faulty, lab, with};
use crate::support::{stderr, stdout};

/// The variables that set pxGrid up.
const PXGRID: [&str; 3] = ["ISE_PXGRID_HOST", "ISE_PAN_FQDN", "ISE_PAN_IP"];

fn large() -> TestLab {
    with(LabOptions {
        sessions: 400,
        ..LabOptions::default()
    })
}

fn rows(lab: &TestLab, arguments: &[&str]) -> Vec<Value> {
    let mut command = lab.netapi();
    let run = command.arg("ise").args(arguments).arg("--json").assert();
    serde_json::from_str(&stdout(&run.success())).unwrap()
}

/// What the raw list says, counted here.
fn counted(lab: &TestLab, member: &str) -> BTreeMap<String, (usize, u64)> {
    let mut found: BTreeMap<String, (BTreeSet<String>, u64)> = BTreeMap::new();
    for row in rows(lab, &["pxgrid", "radius", "failures", "--since", "1h"]) {
        let value = row[member].as_str().unwrap_or_default().to_owned();
        let group = found.entry(value).or_default();
        group.0.insert(row["macAddress"].to_string());
        group.1 += 1;
    }
    let counts = found.into_iter();
    counts
        .map(|(value, (macs, attempts))| (value, (macs.len(), attempts)))
        .collect()
}

#[test]
fn groups_are_those_of_the_raw_list() {
    let lab = large();
    for (by, name, member) in [
        ("reason", "reason", "failureReason"),
        ("nas", "nas", "networkDeviceName"),
        ("user", "user", "userName"),
        ("server", "server", "serverName"),
        ("policy-set", "policySet", "policySetName"),
        ("Profile", "profile", "endpointProfile"),
    ] {
        let groups = rows(&lab, &["failures", "--by", by]);
        let mut told = BTreeMap::new();
        for group in &groups {
            let number = |member: &str| group[member].as_u64().unwrap();
            let endpoints = usize::try_from(number("endpoints")).unwrap();
            let trend = group["trend"].as_array().unwrap();
            assert_eq!(trend.len(), 12);
            let sum: u64 = trend.iter().map(|part| part.as_u64().unwrap()).sum();
            assert_eq!(sum, number("attempts"), "{group}");
            let other = if by == "reason" { "nas" } else { "reason" };
            assert!(group["mostly"][other].is_string(), "{group}");
            told.insert(
                group[name].as_str().unwrap_or_default().to_owned(),
                (endpoints, number("attempts")),
            );
        }
        assert_eq!(told, counted(&lab, member), "{by}");
        let order = groups.iter().map(|group| group["endpoints"].as_u64());
        assert!(order.collect::<Vec<_>>().is_sorted_by(|a, b| a >= b));
    }
    let groups = rows(&lab, &["failures", "--top", "1"]);
    assert_eq!(groups.len(), 1);
    let members: Vec<&String> = groups[0].as_object().unwrap().keys().collect();
    assert_eq!(
        members,
        [
            "reason",
            "code",
            "endpoints",
            "attempts",
            "newest",
            "mostly",
            "trend"
        ]
    );
}

#[test]
fn a_code_or_a_groups_value_lists_its_endpoints() {
    let lab = large();
    let all = rows(&lab, &["pxgrid", "radius", "failures", "--since", "1h"]);
    let of = |name: &str, value: &str| {
        let mine = all.iter().filter(|row| row[name].as_str() == Some(value));
        let macs = mine.map(|row| row["macAddress"].as_str().unwrap());
        macs.map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let listed = |arguments: &[&str]| {
        let rows = rows(&lab, arguments);
        let macs = rows.iter().map(|row| row["endpoint"].as_str().unwrap());
        macs.map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let at_switch = of("networkDeviceName", "sw-lab-02");
    assert!(at_switch.len() > 2, "{at_switch:?}");
    for arguments in [
        &["failures", "sw-lab-02"][..],
        &["failures", "SW-LAB-02", "--by", "nas"],
        &["failures", "10.50.1.11", "--by", "nas"],
        &["failures", "5411", "--nas", "sw-lab-02"],
    ] {
        assert_eq!(listed(arguments), at_switch, "{arguments:?}");
    }
    let silent = of("failureReason", "5411 Supplicant stopped responding to ISE");
    assert_eq!(listed(&["failures", "5411"]), silent);
    assert_eq!(
        listed(&[
            "failures",
            "stopped responding to ISE",
            "--where",
            "starts_with(failureReason,'5411')"
        ]),
        silent
    );
    // The newest failure is there as it was sent.
    let robin = rows(&lab, &["failures", "robin"]);
    let newest = all
        .iter()
        .filter(|row| row["userName"] == "robin")
        .max_by_key(|row| row["timestamp"].as_str());
    assert_eq!(robin[0]["failure"], *newest.unwrap());
    assert_eq!(robin[0]["code"], "22040");
    // With another field a code says which failures are grouped.
    let by_nas = rows(&lab, &["failures", "5411", "--by", "nas"]);
    let attempts = by_nas
        .iter()
        .map(|group| group["attempts"].as_u64().unwrap());
    let expected = all.iter().filter(|row| {
        let reason = row["failureReason"].as_str().unwrap();
        reason.starts_with("5411 ")
    });
    assert_eq!(attempts.sum::<u64>(), expected.count() as u64);
    assert_eq!(by_nas[0]["nas"], "sw-lab-02");
    // Nobody is an empty list, and the columns are there for a pipe.
    assert_eq!(rows(&lab, &["failures", "99999"]), Vec::<Value>::new());
    let run = lab
        .netapi()
        .args(["ise", "failures", "sw-lab-02", "--fields", "MAC,REASON"])
        .assert();
    let text = stdout(&run.success());
    assert!(text.lines().all(|line| line.contains("\t5411 ")), "{text}");
}

#[test]
fn filters_times_and_formats_work_as_on_lists() {
    let lab = large();
    let attempts = |arguments: &[&str]| -> u64 {
        let groups = rows(&lab, &[&["failures"][..], arguments].concat());
        let numbers = groups
            .iter()
            .map(|group| group["attempts"].as_u64().unwrap());
        numbers.sum()
    };
    let all = attempts(&[]);
    assert!(attempts(&["--since", "5d"]) > all);
    for filter in [
        &["--nas", "10.50.1.11"][..],
        &["--nas", "10.50.1.8/30"],
        &["--mac", "00:00:5E"],
        &["--user", "*rob*"],
        &["--server", "psn-b"],
        &["--method", "mab"],
        &["--since", "20m"],
        &["--since", "1h", "--until", "30m"],
        &["--where", "nasPortType=='Ethernet'"],
    ] {
        let some = attempts(filter);
        assert!(some > 0 && some < all, "{filter:?}: {some} of {all}");
    }
    let requests = lab.entries();
    let asked = requests
        .iter()
        .filter(|entry| entry.path.ends_with("/getFailures"))
        .count();
    assert_eq!(asked, 11);
    let csv = lab
        .netapi()
        .args(["ise", "failures", "--top", "2", "--format", "csv"])
        .assert();
    let csv = stdout(&csv.success());
    assert!(
        csv.starts_with("REASON,ENDPOINTS,ATTEMPTS,TREND,NEWEST,MOSTLY\n"),
        "{csv}"
    );
    let unknown = lab
        .netapi()
        .args(["ise", "failures", "--fields", "resaon"])
        .assert();
    let words = stderr(&unknown.success());
    assert!(words.contains("did you mean REASON?"), "{words}");
    let sorted = lab
        .netapi()
        .args(["ise", "failures", "--by", "nas", "--sort", "-attempts"])
        .args(["--fields", "nas,attempts", "--limit", "1"])
        .assert();
    assert!(stdout(&sorted.success()).starts_with("sw-lab-02\t"));
}

#[test]
fn what_is_wrong_is_said_before_anything_is_sent() {
    let lab = lab();
    for (arguments, says) in [
        (
            &["--by", "switch"][..],
            "failures are not grouped by 'switch'",
        ),
        (
            &["--by", "nas,user"],
            "failures are not grouped by 'nas,user'",
        ),
        (&["--since", "soon"], "no point in time"),
        (
            &["--state", "started"],
            "--state: a RADIUS failure has no state",
        ),
        (&["--nas", "10.50.1"], "neither an IP address"),
        (&["--where", "userName=="], "is not a filter"),
        (&["--format", "xml"], "counts failures"),
    ] {
        let run = lab
            .netapi()
            .args(["ise", "failures"])
            .args(arguments)
            .assert();
        let words = stderr(&run.code(2).stdout(""));
        assert!(words.contains(says), "{arguments:?}: {words}");
    }
    assert!(lab.requests().is_empty(), "{:?}", lab.requests());
}

#[test]
fn without_pxgrid_the_monitoring_node_tells_what_it_can() {
    let lab = large();
    let mut command = lab.netapi();
    for variable in PXGRID {
        command.env_remove(variable);
    }
    let run = command
        .args(["ise", "failures", "--since", "12h", "--json"])
        .assert();
    let run = run.success();
    let words = stderr(&run);
    assert!(
        words.contains("pxGrid was not asked: not set up"),
        "{words}"
    );
    assert!(
        words.contains("the Monitoring node has no list of failures"),
        "{words}"
    );
    let groups: Vec<Value> = serde_json::from_str(&stdout(&run)).unwrap();
    let told: u64 = groups
        .iter()
        .map(|group| group["attempts"].as_u64().unwrap())
        .sum();
    // Three before each session that has some; who never got in is not known here.
    let asked: Vec<String> = lab.requests();
    let calls = asked
        .iter()
        .filter(|path| path.contains("/AuthStatus/"))
        .count();
    assert!(told > 0 && told.is_multiple_of(3), "{told}");
    assert!(calls > 300 && calls < 400, "{calls}");
    assert!(asked.iter().all(|path| !path.contains("getFailures")));
    assert!(!groups.iter().any(|group| group["reason"].is_null()));
    // Filters on what the list tells save the calls.
    let before = lab.requests().len();
    let mut command = lab.netapi();
    for variable in PXGRID {
        command.env_remove(variable);
    }
    command
        .args([
            "ise",
            "failures",
            "jsmith",
            "--mac",
            "00:00:5E:00:53:02",
            "--fields",
            "MAC,ATTEMPTS,REASON",
        ])
        .assert()
        .success()
        .stdout("00:00:5E:00:53:02\t3\t22040 Wrong password or invalid shared secret\n");
    assert_eq!(lab.requests().len() - before, 2);
}

#[test]
fn one_that_is_away_is_named_and_both_are_an_error() {
    let lab = faulty(&["policy-refused"]);
    let run = lab
        .netapi()
        .args(["ise", "failures", "--since", "12h"])
        .assert();
    let run = run.code(1);
    assert!(!stdout(&run).is_empty());
    let words = stderr(&run);
    assert!(
        words.contains("pxGrid fails: the Monitoring node has no list"),
        "{words}"
    );
    assert!(words.contains("pxGrid could not be asked"), "{words}");
    let both = lab
        .netapi()
        .env("ISE_MNT_PORT", "1")
        .args(["ise", "failures"])
        .assert();
    let both = both.code(4).stdout("");
    assert!(stderr(&both).contains("localhost:1"), "{}", stderr(&both));
    let unreachable = lab
        .netapi()
        .env("ISE_PXGRID_HOST", "localhost")
        .env("ISE_PXGRID_PORT", "1")
        .env("ISE_MNT_PORT", "1")
        .args(["ise", "failures", "--json"])
        .assert();
    unreachable.code(6).stdout("");
    // A wrong password is tried once.
    let locked = faulty(&["unauthorized:/admin/"]);
    let mut command = locked.netapi();
    for variable in PXGRID {
        command.env_remove(variable);
    }
    command
        .args(["ise", "failures"])
        .assert()
        .code(4)
        .stdout("");
    assert_eq!(locked.requests().len(), 1);
}

#[test]
fn answers_that_are_wrong_count_for_nothing() {
    for (status, body, code) in [
        (200, r#"{"failures":[{"failureReason":"22040 x"},"#, 5),
        (200, "<html>", 5),
        (200, r#"{"rows":[]}"#, 5),
        (500, "", 5),
        (504, "", 7),
    ] {
        let deployment = plan().answering("getFailures", status, body).start();
        let run = deployment.ise(&["failures"]).assert().code(code);
        assert_eq!(stdout(&run), "", "{body}");
    }
    let nothing = plan().answering("getFailures", 204, "").start();
    let run = nothing.ise(&["failures", "--json"]).assert().success();
    assert_eq!(stdout(&run).split_whitespace().collect::<String>(), "[]");
}

/// Twenty thousand failures with names that strangers chose: all are counted, in bounded room, and
/// what is not listed is said.
#[test]
fn many_failures_with_hostile_names() {
    let mut body = String::from(r#"{"failures":["#);
    let now = jiff::Timestamp::now();
    for number in 0..20_000 {
        let comma = if number > 0 { "," } else { "" };
        let [_, a, b, c] = u32::to_be_bytes(number);
        write!(
            body,
            "{comma}{}",
            json!({
                "failureReason": "22040 Wrong password\u{1b}[31m\u{202e}",
                "macAddress": format!("02:00:00:{a:02X}:{b:02X}:{c:02X}"),
                "userName": format!("=cmd|{number}\r\n"), "timestamp": now.to_string(),
                "networkDeviceName": "sw\u{7}", "serverName": null, "policySetName": ["x"],
            })
        )
        .unwrap();
    }
    body.push_str("]}");
    let deployment = plan().answering("getFailures", 200, &body).start();
    let run = deployment.ise(&["failures"]).assert().success();
    let text = stdout(&run);
    assert_eq!(text.lines().count(), 1);
    assert!(text.contains("\t20000\t20000\t"), "{text}");
    assert!(!text.contains(['\u{1b}', '\u{7}']), "{text:?}");
    let users = deployment
        .ise(&["failures", "--by", "user", "--top", "3", "--format", "csv"])
        .assert();
    let users = stdout(&users.success());
    assert!(
        users
            .lines()
            .skip(1)
            .all(|line| line.starts_with("'=") || line.starts_with("\"'=")),
        "{users}"
    );
    let run = deployment
        .ise(&["failures", "22040", "-o", "name"])
        .assert();
    let run = run.success();
    assert_eq!(stdout(&run).lines().count(), 10_000);
    let words = stderr(&run);
    assert!(
        words.contains("10000 of 20000 attempts are of endpoints that are not listed"),
        "{words}"
    );
}

/// A failure without a time is a failure: where no window was asked for it is counted, and said.
#[test]
fn failures_without_a_time_are_counted_and_said() {
    let now = jiff::Timestamp::now();
    let failure = |number: u8, time: Value| {
        json!({
            "failureReason": "22040 Wrong password", "userName": "pat.kim", "timestamp": time,
            "macAddress": format!("00:00:5E:00:53:0{number}"),
        })
    };
    let body = json!({"failures": [
        failure(1, json!(now.to_string())), failure(2, json!(now.as_millisecond())),
        failure(3, Value::Null), failure(4, json!("nonsense")),
        failure(5, json!("2020-01-01T00:00:00Z")),
    ]});
    let deployment = plan()
        .answering("getFailures", 200, &body.to_string())
        .start();
    for (window, counted, words) in [
        (
            &[][..],
            4,
            "2 failures have no time that can be read: they are counted",
        ),
        (
            &["--since", "1h"],
            2,
            "2 failures have no time that can be read: they are left out",
        ),
    ] {
        let mut command = deployment.ise(&["failures", "--json"]);
        let run = command.args(window).assert().success();
        let groups: Value = serde_json::from_str(&stdout(&run)).unwrap();
        assert_eq!(groups[0]["attempts"], counted, "{groups}");
        assert_eq!(groups[0]["trend"][11], 2, "{groups}");
        assert!(stderr(&run).contains(words), "{}", stderr(&run));
    }
}

/// Users have names of digits. A code that somebody fails with is the code.
#[test]
fn a_name_of_digits_is_found_where_no_reason_has_the_code() {
    let now = jiff::Timestamp::now().to_string();
    let failure = |user: &str, code: u32| {
        json!({
            "failureReason": format!("{code} Wrong password"), "userName": user, "timestamp": now,
            "macAddress": "00:00:5E:00:53:01", "networkDeviceName": "sw-lab-02",
        })
    };
    let body =
        json!({"failures": [failure("104233", 22040), failure("LAB\\22040", 5411)]}).to_string();
    let deployment = plan().answering("getFailures", 200, &body).start();
    let run = |arguments: &[&str]| {
        let mut command = deployment.ise(&["failures", "--json"]);
        let run = command.args(arguments).assert().success();
        serde_json::from_str::<Value>(&stdout(&run)).unwrap()
    };
    for arguments in [&["104233"][..], &["104233", "--by", "user"]] {
        let rows = run(arguments);
        assert_eq!(rows[0]["user"], "104233", "{arguments:?}: {rows}");
        assert_eq!(rows.as_array().unwrap().len(), 1);
    }
    let rows = run(&["22040"]);
    assert_eq!(rows[0]["user"], "104233", "{rows}");
    let words = deployment.ise(&["failures", "22040"]).assert().success();
    let words = stderr(&words);
    assert!(words.contains("as another value: 1"), "{words}");
    let rows = run(&["22040", "--by", "nas"]);
    assert_eq!(rows[0]["nas"], "sw-lab-02", "{rows}");
    assert_eq!(run(&["99999"]), json!([]));
}
