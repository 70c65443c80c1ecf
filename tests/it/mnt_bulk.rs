//! Many detail calls: lists on standard input and `sessions --detail`, what fails in them and what
//! ends them.

use std::fmt::Write as _;

use netapi::testing::lab::LabOptions;
use serde_json::Value;

use crate::support::hostile::{Reply, answer, node, session_of};
use crate::support::lab::{faulty, lab, with};
use crate::support::mnt::{MAC, paths, said};
use crate::support::{stderr, stdout};

/// From a list what was found is printed, what failed is named, and the status says that something
/// failed.
#[test]
fn a_bulk_run_names_each_item_that_failed() {
    let lab = lab();
    let list =
        "# desk 4\n\nC8:5B:76:C6:59:62\nnot-a-mac\n00:00:5e:00:53:99\n0000.5e00.5302  # jsmith\n";
    let run = lab
        .mnt(&["session", "-"])
        .write_stdin(list)
        .assert()
        .code(1);
    let out = stdout(&run);
    assert_eq!(out.lines().count(), 2, "{out}");
    assert!(
        out.lines().next().unwrap().starts_with(MAC),
        "in the order of the list: {out}"
    );
    let errors = stderr(&run);
    assert!(
        errors.contains("netapi: line 4 of standard input: 'not-a-mac' is not a MAC address"),
        "{errors}"
    );
    assert!(
        errors.contains("Session data is not available for 00:00:5E:00:53:99"),
        "{errors}"
    );
    assert!(errors.contains("netapi: 2 of 4 failed"), "{errors}");
    let mut asked = paths(&lab);
    asked.sort();
    assert_eq!(
        asked,
        [
            "Session/MACAddress/00:00:5E:00:53:02",
            "Session/MACAddress/00:00:5E:00:53:99",
            "Session/MACAddress/C8:5B:76:C6:59:62"
        ]
    );
    let run = lab
        .mnt(&["session", "-", "--json"])
        .write_stdin(list)
        .assert()
        .code(1);
    let found: Value = serde_json::from_str(&stdout(&run)).unwrap();
    assert_eq!(found.as_array().unwrap().len(), 2);
    for line in stderr(&run).lines() {
        let error: Value = serde_json::from_str(line).unwrap();
        assert!(error["error"]["message"].is_string());
    }
}

/// What the node does not find by address is looked up in the list of sessions, which is read once
/// for all of them.
#[test]
fn addresses_that_the_node_does_not_know_cost_one_reading_of_the_list() {
    let row = |mac: &str, ip: &str, id: u32| {
        format!(
            "<activeSession><calling_station_id>{mac}</calling_station_id><framed_ip_address>{ip}</framed_ip_address><audit_session_id>A{id}</audit_session_id></activeSession>"
        )
    };
    let rows: String = (1..=40)
        .map(|number| {
            row(
                &format!("02:00:00:00:00:{number:02X}"),
                &format!("10.0.0.{number}"),
                number,
            )
        })
        .collect();
    let shared = row("203.0.113.9", "10.9.0.1", 901) + &row("203.0.113.9", "10.9.0.2", 902);
    let list = format!("<activeList noOfActiveSession='42'>{rows}{shared}</activeList>");
    let node = node(move |path| match path {
        "Session/ActiveList" => Reply::xml(&list),
        path if path.starts_with("Session/MACAddress/") => {
            Reply::xml(&session_of(path.rsplit('/').next().unwrap()))
        }
        _ => Reply::Bytes(answer(
            500,
            "<mnt-rest-result><http-code>500</http-code><cpm-code>34110</cpm-code><description>Session data is not available</description><status>FAILED</status></mnt-rest-result>",
        )),
    });
    let asked: Vec<String> = (1..=40).map(|number| format!("10.0.0.{number}")).collect();
    let asked = asked.join("\n");
    let run = node
        .mnt(&["session", "-", "--fields", "MAC"])
        .write_stdin(format!(
            "{asked}\n192.0.2.1\n203.0.113.9\n02:00:00:00:00:01\n"
        ))
        .assert()
        .code(1);
    let macs: Vec<String> = (1..=40)
        .chain([1])
        .map(|number| format!("02:00:00:00:00:{number:02X}"))
        .collect();
    assert_eq!(stdout(&run).lines().collect::<Vec<_>>(), macs);
    let said = stderr(&run);
    assert!(said.contains("192.0.2.1"), "{said}");
    assert!(
        said.contains("203.0.113.9 is the calling station of 2 sessions"),
        "{said}"
    );
    assert!(said.contains("2 of 43 failed"), "{said}");
    let lists = |asked: &[String]| {
        asked
            .iter()
            .filter(|path| path.ends_with("ActiveList"))
            .count()
    };
    assert_eq!(lists(&node.asked()), 1);
    for command in ["auth-status", "acct-status", "explain"] {
        let before = lists(&node.asked());
        let _run = node
            .mnt(&[command, "-"])
            .write_stdin(asked.clone())
            .assert();
        assert_eq!(lists(&node.asked()), before + 1, "{command}");
    }
}

/// The program's own table, header and all, is a list for the next command.
#[test]
fn the_header_of_a_list_is_no_failure() {
    let lab = lab();
    let table = said(
        &lab,
        &[
            "sessions", "--fields", "MAC", "--format", "csv", "--limit", "2",
        ],
    );
    assert!(table.starts_with("MAC"), "{table}");
    let run = lab
        .mnt(&["session", "-", "--fields", "MAC"])
        .write_stdin(table.clone())
        .assert()
        .success();
    assert_eq!(
        format!("MAC\n{}", stdout(&run)),
        table.replace("\r\n", "\n")
    );
    let run = lab
        .mnt(&["coa", "-", "--no-header"])
        .write_stdin(table)
        .assert()
        .success();
    assert_eq!(stdout(&run).lines().count(), 2, "{}", stdout(&run));
}

#[test]
fn a_bulk_run_without_failures_is_status_0() {
    let lab = lab();
    let run = lab
        .mnt(&["session", "-", "--format", "jsonl", "--jobs", "2"])
        .write_stdin("C8:5B:76:C6:59:62\n00:00:5E:00:53:02")
        .assert()
        .success();
    let users: Vec<String> = stdout(&run)
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["user_name"].to_string())
        .collect();
    assert_eq!(users, ["\"host/workstation.example.com\"", "\"jsmith\""]);
    let run = lab
        .mnt(&["session", "-"])
        .write_stdin("")
        .assert()
        .success();
    assert_eq!(stdout(&run), "");
}

#[test]
fn auth_status_takes_a_list() {
    let lab = lab();
    let run = lab
        .mnt(&["auth-status", "-", "--json"])
        .write_stdin("C8:5B:76:C6:59:62\n00:00:5E:00:53:99\n00:00:5E:00:53:F0\n")
        .assert()
        .success();
    let attempts: Value = serde_json::from_str(&stdout(&run)).unwrap();
    let macs: Vec<&str> = attempts
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|attempt| attempt["calling_station_id"].as_str())
        .collect();
    assert!(
        macs.contains(&MAC) && macs.contains(&"00:00:5E:00:53:F0"),
        "{macs:?}"
    );
    assert_eq!(lab.requests().len(), 3);
}

#[test]
fn a_list_of_hundreds_goes_through_paced_and_in_order() {
    let lab = with(LabOptions {
        sessions: 200,
        ..LabOptions::default()
    });
    let macs: Vec<String> = said(&lab, &["sessions", "--fields", "MAC"])
        .lines()
        .filter(|mac| mac.contains(':'))
        .take(40)
        .map(str::to_owned)
        .collect();
    let list = macs.iter().fold(String::new(), |mut list, mac| {
        writeln!(list, "{mac}").unwrap();
        list
    });
    let run = lab
        .mnt(&["session", "-", "--fields", "MAC"])
        .write_stdin(list)
        .assert()
        .success();
    assert_eq!(stdout(&run).lines().collect::<Vec<_>>(), macs);
    assert_eq!(lab.requests().len(), 1 + macs.len());
}

/// A wrong password fanned out would lock the administrator's account.
#[test]
fn a_bulk_run_ends_at_the_first_refusal() {
    let list = (0..1000).fold(String::new(), |mut list, number| {
        writeln!(
            list,
            "02:00:00:00:{:02X}:{:02X}",
            number / 256,
            number % 256
        )
        .unwrap();
        list
    });
    for fault in ["unauthorized", "unauthorized-html", "forbidden"] {
        for command in ["session", "auth-status"] {
            let lab = faulty(&[fault]);
            let run = lab
                .mnt(&[command, "-", "--jobs", "10"])
                .write_stdin(list.as_str())
                .assert()
                .code(4);
            assert_eq!(lab.requests().len(), 1, "{fault}, {command}");
            assert_eq!(stderr(&run).matches("netapi: ").count(), 1);
            assert_eq!(stdout(&run), "");
        }
    }
    // Also among the detail calls of a list that was allowed.
    let lab = faulty(&["unauthorized:/MACAddress/"]);
    lab.mnt(&["sessions", "--detail"]).assert().code(4);
    assert_eq!(lab.requests().len(), 2);
}

/// A node that recovers: detail calls wait for it, the list is whole.
#[test]
fn an_overload_that_passes_is_waited_for() {
    let lab = with(LabOptions {
        sessions: 3,
        faults: vec!["overload-503@1:/MACAddress/".parse().unwrap()],
        ..LabOptions::default()
    });
    let run = lab.mnt(&["sessions", "--detail"]).assert().success();
    assert_eq!(stdout(&run).lines().count(), 3);
    assert!(stdout(&run).contains("GigabitEthernet1/0/5"));
    assert_eq!(lab.requests().len(), 5);
}
