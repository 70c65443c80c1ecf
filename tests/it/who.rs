//! `netapi ise who`: one search over both interfaces, joined by endpoint.

use netapi::testing::lab::LabOptions;
use serde_json::{Value, json};

use crate::pxgrid_node::plan;
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
