//! `netapi ise who`: one search over both interfaces, joined by endpoint.

use netapi::testing::lab::LabOptions;
use serde_json::{Value, json};

use crate::pxgrid_node::{Answer, Arrived, plan};
use crate::support::lab::{TestLab, faulty, lab, with};
use crate::support::{stderr, stdout};

fn found(lab: &TestLab, query: &str) -> Vec<Value> {
    let run = lab.netapi().args(["ise", "who", query, "--json"]).assert();
    serde_json::from_str(&stdout(&run.success())).unwrap()
}

fn endpoints(rows: &[Value]) -> Vec<&str> {
    let names = rows.iter().map(|row| row["endpoint"].as_str().unwrap());
    names.collect()
}

#[test]
fn what_is_asked_for_is_told_apart_by_its_form() {
    let lab = with(LabOptions {
        sessions: 2000,
        ..LabOptions::default()
    });
    let both = ["00:00:5E:00:53:01", "00:00:5E:00:53:06"];
    for query in ["pat.kim", "PAT.KIM", r"LAB\pat.kim", "pat.kim@lab.example"] {
        assert_eq!(endpoints(&found(&lab, query)), both, "{query}");
    }
    let one = found(&lab, "0000.5e00.5301");
    let session = &one[0]["pxgrid"]["session"];
    let id = session["auditSessionId"].as_str().unwrap().to_lowercase();
    for query in ["00-00-5E-00-53-01", "10.50.10.101", "2001:db8:7::1:1", &id] {
        assert_eq!(endpoints(&found(&lab, query)), both[..1], "{query}");
    }
    assert_eq!(found(&lab, "10.50.10.101/32").len(), 1);
    let at_switch = found(&lab, "sw-lab-02");
    assert!(at_switch.len() > 30, "{}", at_switch.len());
    assert!(endpoints(&at_switch).contains(&both[0]));
    assert!(endpoints(&found(&lab, "00:00:5E")).len() > 7);
    // A VPN client by the address that its row shows.
    let vpn = found(&lab, "203.0.113.90");
    assert_eq!(endpoints(&vpn), ["203.0.113.90"]);
}

#[test]
fn each_source_is_there_as_it_was_sent() {
    let lab = lab();
    let mac = "C8:5B:76:C6:59:62";
    let order = ["anc", "apply", "--mac", mac, "--policy", "Quarantine"];
    lab.pxgrid(&order).assert().success();
    let rows = found(&lab, mac);
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    let of = |command: &mut assert_cmd::Command| -> Value {
        serde_json::from_str(&stdout(&command.assert().success())).unwrap()
    };
    let detail = of(&mut lab.mnt(&["session", mac, "--json"]));
    assert_eq!(row["mnt"]["session"], detail);
    let session = of(&mut lab.pxgrid(&["session", mac, "--json"]));
    assert_eq!(row["pxgrid"]["session"], session);
    assert_eq!(row["pxgrid"]["anc"]["policyName"], "Quarantine");
    // An endpoint that only ever failed has no session, and is found.
    let failed = found(&lab, "00:00:5E:00:53:F0");
    let failure = &failed[0]["pxgrid"]["failure"];
    let reason = failure["failureReason"].as_str().unwrap();
    assert!(reason.starts_with("22040 "), "{failed:?}");
    assert!(failed[0]["pxgrid"]["session"].is_null());
    let by_user = lab
        .netapi()
        .args(["ise", "who", "robin", "--fields", "MAC"])
        .assert();
    assert_eq!(stdout(&by_user.success()), "00:00:5E:00:53:F0\n");
}

#[test]
fn what_could_not_be_asked_is_named() {
    let lab = lab();
    let without = |variables: &[&str]| {
        let mut command = lab.netapi();
        for variable in variables {
            command.env_remove(variable);
        }
        command.args(["ise", "who", "pat.kim", "--fields", "MAC"]);
        command.assert()
    };
    let both = "00:00:5E:00:53:01\n00:00:5E:00:53:06\n";
    let pan = ["ISE_PAN_FQDN", "ISE_PAN_IP"];
    let alone = without(&[&["ISE_PXGRID_HOST"][..], &pan].concat()).success();
    assert_eq!(stdout(&alone), both);
    assert!(stderr(&alone).contains("pxGrid was not asked: not set up"));
    let alone = without(&[&["ISE_MNT_FQDN"][..], &pan].concat()).success();
    assert_eq!(stdout(&alone), both);
    assert!(stderr(&alone).contains("the Monitoring node was not asked"));
    // The administration node is named for the Monitoring node's sake.
    let account = ["PXGRID_CERT", "PXGRID_KEY", "ISE_PXGRID_CLIENT_NAME"];
    let alone = without(&[&["ISE_PXGRID_HOST"][..], &account].concat()).success();
    assert_eq!(stdout(&alone), both);
    assert!(stderr(&alone).contains("pxGrid was not asked: not set up (--cert"));
    // A node of its own is meant to be asked.
    let half = without(&account).code(2);
    assert!(stderr(&half).contains("no client certificate"));
    // Set up and away: the other's answer is printed, and the exit status says that it is half.
    let away = lab
        .netapi()
        .env("ISE_MNT_PORT", "1")
        .args(["ise", "who", "pat.kim", "--fields", "MAC"])
        .assert()
        .code(1);
    assert_eq!(stdout(&away), both);
    assert!(stderr(&away).contains("the Monitoring node could not be asked"));
    let nobody = lab.netapi().args(["ise", "who", "nobody"]).assert().code(3);
    assert!(stderr(&nobody).contains("nobody is known by 'nobody'"));
    let neither = lab
        .netapi()
        .env("ISE_MNT_PORT", "1")
        .args(["ise", "who", "nobody"])
        .assert();
    neither.code(6).stdout("");
    lab.netapi().args(["ise", "who", " "]).assert().code(2);
}

/// The Monitoring node's list has no names of switches: that nobody was found says nothing then.
#[test]
fn a_switch_by_name_that_could_not_be_looked_for_is_said() {
    let lab = lab();
    let mut command = lab.netapi();
    for variable in ["ISE_PXGRID_HOST", "ISE_PAN_FQDN", "ISE_PAN_IP"] {
        command.env_remove(variable);
    }
    let run = command.args(["ise", "who", "sw-lab-02"]).assert().code(3);
    assert!(
        stderr(&run).contains("list has switches by address only"),
        "{}",
        stderr(&run)
    );
    let refused = faulty(&["policy-refused"]);
    let run = refused.netapi().args(["ise", "who", "sw-lab-02"]).assert();
    assert!(stderr(&run.code(4)).contains("list has switches by address only"));
    let by_address = refused.netapi().args(["ise", "who", "10.50.1.11"]).assert();
    let words = stderr(&by_address.code(1));
    assert!(!words.contains("switches by address only"), "{words}");
}

/// Of an endpoint's failures the newest is kept, so that many of one hide no other's; endpoints
/// beyond the bound are said.
#[test]
fn failures_beyond_the_bound_are_said() {
    let failures = |endpoints: u32, times: u32| {
        let rows = (0..times).flat_map(|time| {
            (0..endpoints).map(move |number| {
                let [_, a, b, c] = number.to_be_bytes();
                json!({
                    "macAddress": format!("02:00:00:{a:02X}:{b:02X}:{c:02X}"),
                    "userName": "robin", "failureReason": format!("22040 {time}"),
                    "timestamp": format!("2026-03-01T10:{time:02}:00Z"),
                })
            })
        });
        let body = json!({ "failures": rows.collect::<Vec<_>>() });
        plan()
            .answering("getFailures", 200, &body.to_string())
            .start()
    };
    let repeated = failures(700, 20);
    let run = repeated
        .ise(&["who", "robin", "--fields", "MAC,WHY"])
        .assert();
    let text = stdout(&run.success());
    assert_eq!(text.lines().count(), 700);
    assert!(
        text.lines().all(|line| line.ends_with("\t22040 19")),
        "{text}"
    );
    let many = failures(10_050, 1);
    let run = many.ise(&["who", "robin", "-o", "name"]).assert().code(1);
    assert_eq!(stdout(&run).lines().count(), 10_000);
    let words = stderr(&run);
    assert!(
        words.contains("over 10000 endpoints that failed are meant"),
        "{words}"
    );
}

#[test]
fn a_refused_account_is_asked_once_and_hides_nothing() {
    let lab = faulty(&["unauthorized:/admin/"]);
    let run = lab
        .netapi()
        .args(["ise", "who", "pat.kim", "--fields", "MAC"])
        .assert();
    let run = run.code(1);
    assert!(stdout(&run).contains("00:00:5E:00:53:01"));
    let asked = lab
        .requests()
        .iter()
        .filter(|path| path.contains("/mnt/"))
        .count();
    assert_eq!(asked, 1);
}

#[test]
fn names_that_strangers_choose_reach_no_terminal_raw() {
    let lab = faulty(&["hostile-names"]);
    let run = lab.netapi().args(["ise", "who", "*"]).assert().success();
    let text = stdout(&run);
    assert!(
        !text.contains('\u{1b}') && !text.contains('\u{7}'),
        "{text:?}"
    );
    assert!(text.lines().count() >= 50);
}

/// A deployment whose sessions and failures are these.
fn knowing(sessions: &Value, failures: &Value) -> crate::pxgrid_node::Deployment {
    let (sessions, failures) = (
        json!({ "sessions": sessions }),
        json!({ "failures": failures }),
    );
    let answer = move |arrived: &Arrived| match arrived.operation.as_str() {
        "getSessions" => Some(Answer::json(&sessions)),
        "getFailures" => Some(Answer::json(&failures)),
        "getEndpoints" => Some(Answer::json(&json!({"endpoints":
            [{"macAddress": "00:00:5E:00:53:01", "policyName": "Isolate"}]}))),
        _ => None,
    };
    plan().when(answer).start()
}

#[test]
fn the_newest_is_told_by_the_instant_whatever_the_zone() {
    let mac = "00:00:5E:00:53:01";
    let session = |time: &str, state: &str, user: &str| json!({"timestamp": time, "state": state, "macAddress": mac, "userName": user});
    let failure = |time: &str, reason: &str| json!({"timestamp": time, "failureReason": reason, "macAddress": mac});
    let deployment = knowing(
        &json!([
            session("2026-11-29T14:00:00+03:00", "DISCONNECTED", "old"),
            session("2026-11-29T12:30:00Z", "STARTED", "new"),
        ]),
        &json!([
            failure("2026-11-29T15:10:00+03:00", "12514 old"),
            failure("2026-11-29T12:50:00Z", "22040 new"),
        ]),
    );
    let fields = "USER,STATE,pxgrid.failure.failureReason";
    let run = deployment.ise(&["who", mac, "--fields", fields]).assert();
    assert_eq!(stdout(&run.success()), "new\tSTARTED\t22040 new\n");
}

#[test]
fn people_behind_one_address_have_a_row_each() {
    let session = |user: &str, id: &str| {
        json!({"state": "STARTED", "callingStationId": "203.0.113.90", "userName": user,
            "auditSessionId": id})
    };
    let nowhere = |user: &str| json!({"state": "STARTED", "userName": user});
    let deployment = knowing(
        &json!([
            session("vpn.anna", "A1"),
            session("vpn.boris", "B2"),
            nowhere("vpn.cleo"),
            nowhere("vpn.dora"),
        ]),
        &json!([{"callingStationId": "203.0.113.90", "userName": "vpn.boris",
            "failureReason": "22040 x", "timestamp": "2026-11-29T12:50:00Z"}]),
    );
    let users = |query: &str| {
        let run = deployment
            .ise(&["who", query, "--fields", "MAC,USER,WHY"])
            .assert();
        stdout(&run.success())
    };
    let (anna, boris) = (
        "203.0.113.90\tvpn.anna\t\n",
        "203.0.113.90\tvpn.boris\t22040 x\n",
    );
    assert_eq!(users("203.0.113.90"), format!("{anna}{boris}"));
    let all = users("vpn*");
    assert_eq!(all, format!("{anna}{boris}\tvpn.cleo\t\n\tvpn.dora\t\n"));
}

/// Failures carry neither address nor session id of the endpoint that is found by one.
#[test]
fn the_last_failure_is_that_of_who_was_found() {
    let mac = "00:00:5E:00:53:01";
    let deployment = knowing(
        &json!([{"state": "STARTED", "macAddress": mac, "ipAddresses": ["10.50.10.102"],
            "auditSessionId": "0A32010B00000001", "userName": "jsmith"}]),
        &json!([{"macAddress": mac, "failureReason": "22040 x", "userName": "other",
            "timestamp": "2026-11-29T12:50:00Z"},
            {"macAddress": "00:00:5E:00:53:02", "failureReason": "12514 y"}]),
    );
    for query in [mac, "10.50.10.102", "0A32010B00000001", "jsmith"] {
        let rows: Value = {
            let run = deployment.ise(&["who", query, "--json"]).assert().success();
            serde_json::from_str(&stdout(&run)).unwrap()
        };
        assert_eq!(rows.as_array().unwrap().len(), 1, "{query}");
        assert_eq!(
            rows[0]["pxgrid"]["failure"]["failureReason"], "22040 x",
            "{query}"
        );
        assert_eq!(rows[0]["pxgrid"]["anc"]["policyName"], "Isolate", "{query}");
    }
}

#[test]
fn a_service_that_is_away_hides_no_other() {
    let mac = "00:00:5E:00:53:02";
    let lab = faulty(&["lookup-empty:session"]);
    let anc = ["anc", "apply", "--mac", mac, "--policy", "Quarantine"];
    lab.pxgrid(&anc).assert().success();
    let fields = "MAC,ANC,pxgrid.failure.failureReason";
    let run = lab
        .netapi()
        .args(["ise", "who", mac, "--fields", fields])
        .assert();
    let run = run.code(1);
    let row = stdout(&run);
    assert!(
        row.starts_with(&format!("{mac}\tQuarantine\t22040 ")),
        "{row}"
    );
    assert!(
        stderr(&run).contains("pxGrid could not be asked"),
        "{}",
        stderr(&run)
    );
}
