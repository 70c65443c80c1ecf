//! The lists of `netapi ise mnt` as a user has them, in a pipe and as JSON: version, count, active
//! and authenticated sessions, failure reasons.

use netapi::testing::lab::LabOptions;
use serde_json::json;

use crate::support::lab::{lab, with};
use crate::support::mnt::{ID, MAC, object, paths, said};
use crate::support::{stderr, stdout};

#[test]
fn version() {
    let lab = lab();
    assert_eq!(
        said(&lab, &["version"]),
        "name\tCisco Identity Services Engine\nversion\t3.3.0.430\ntype_of_node\t1\nnode\tactive\n"
    );
    assert_eq!(
        object(&lab, &["version"]),
        json!({"name": "Cisco Identity Services Engine", "version": "3.3.0.430", "type_of_node": "1", "node": "active"})
    );
    assert_eq!(paths(&lab), ["Version"; 2]);
}

#[test]
fn count() {
    let lab = lab();
    for (options, path, count) in [
        (&["count"][..], "ActiveCount", 50),
        (&["count", "--posture"], "PostureCount", 2),
        (&["count", "--profiler"], "ProfilerCount", 45),
    ] {
        assert_eq!(said(&lab, options), format!("{count}\n"));
        assert_eq!(object(&lab, options), json!({ "count": count }));
        assert_eq!(paths(&lab).last().unwrap(), &format!("Session/{path}"));
    }
    assert_eq!(lab.requests().len(), 6);
    let empty = with(LabOptions {
        sessions: 0,
        ..LabOptions::default()
    });
    assert_eq!(said(&empty, &["count"]), "0\n");
}

#[test]
fn sessions_are_whole_rows_in_a_pipe() {
    let lab = lab();
    let text = said(&lab, &["sessions"]);
    let rows: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    assert_eq!(rows.len(), 50);
    assert!(rows.iter().all(|row| row.len() == 5));
    assert_eq!(
        rows[0],
        [
            MAC,
            "10.50.10.100",
            "host/workstation.example.com",
            "10.50.1.10",
            "psn-a"
        ]
    );
    assert_eq!(rows[1][2], r"LAB\pat.kim", "values whole");
    assert_eq!(
        rows[7][0], "203.0.113.90",
        "a calling station that is no MAC is shown as sent"
    );
    assert_eq!(rows[8], ["00:00:5E:00:53:08", "", "", "", "psn-b"]);
    assert_eq!(rows[9][2], r"R&D\lee");
    assert_eq!(paths(&lab), ["Session/ActiveList"]);
}

#[test]
fn sessions_as_json_have_every_member_under_the_servers_name() {
    let lab = lab();
    let list = object(&lab, &["sessions"]);
    assert_eq!(list.as_array().unwrap().len(), 50);
    assert_eq!(
        list[0],
        json!({
            "user_name": "host/workstation.example.com", "calling_station_id": MAC, "nas_ip_address": "10.50.1.10",
            "acct_session_id": "0000A2F1", "audit_session_id": ID, "server": "psn-a",
            "framed_ip_address": "10.50.10.100", "framed_ipv6_address": []
        })
    );
    assert_eq!(list[1]["user_name"], r"LAB\pat.kim");
    assert_eq!(list[1]["framed_ipv6_address"].as_array().unwrap().len(), 2);
    assert_eq!(list[9]["user_name"], r"R&D\lee");
}

#[test]
fn an_empty_list_is_no_error() {
    let lab = with(LabOptions {
        sessions: 0,
        ..LabOptions::default()
    });
    assert_eq!(said(&lab, &["sessions"]), "");
    assert_eq!(object(&lab, &["sessions"]), json!([]));
    assert_eq!(said(&lab, &["sessions", "--format", "jsonl"]), "");
    assert_eq!(object(&lab, &["sessions", "--detail"]), json!([]));
}

#[test]
fn sessions_are_filtered_while_they_stream() {
    let lab = lab();
    let macs = |filter: &[&str]| -> Vec<String> {
        let mut words = vec!["sessions", "--fields", "MAC"];
        words.extend(filter);
        said(&lab, &words).lines().map(str::to_owned).collect()
    };
    assert_eq!(macs(&["--ip", "10.50.10.102"]), ["00:00:5E:00:53:02"]);
    assert_eq!(macs(&["--ip", "2001:db8:7::1:1"]), ["00:00:5E:00:53:01"]);
    // A name in any spelling: LAB\pat.kim and pat.kim@lab.example are one user.
    for user in [r"lab\PAT.kim", "pat.kim", "*pat.kim*"] {
        let both = ["00:00:5E:00:53:01", "00:00:5E:00:53:06"];
        assert_eq!(macs(&["--user", user]), both, "{user}");
    }
    assert_eq!(macs(&["--user", r"BRANCH\pat.kim"]), [""; 0]);
    assert_eq!(macs(&["--mac", "c85b.76c6.5962"]), [MAC]);
    assert_eq!(macs(&["--mac", "00:00:5e"]).len(), 8);
    // A VPN row shows an address under MAC, and is found by it.
    assert_eq!(macs(&["--mac", "203.0.113.90"]), ["203.0.113.90"]);
    assert_eq!(macs(&["--mac", "203.0.113.9"]), [""; 0]);
    lab.mnt(&["sessions", "--mac", "203.0.113."])
        .assert()
        .code(2);
    assert_eq!(macs(&["--nas", "10.50.1.10"]).len(), 6);
    assert_eq!(
        macs(&["--server", "PSN-A"]).len() + macs(&["--server", "psn-b"]).len(),
        50
    );
    assert_eq!(macs(&["--nas", "10.50.1.10", "--mac", MAC]), [MAC]);
    assert_eq!(macs(&["--nas", "192.0.2.1"]), [""; 0]);
    assert_eq!(macs(&["--server", "psn-a", "--limit", "2"]).len(), 2);
    assert!(paths(&lab).iter().all(|path| path == "Session/ActiveList"));
}

#[test]
fn details_add_columns_and_one_call_a_row() {
    let lab = lab();
    let text = said(
        &lab,
        &[
            "sessions",
            "--detail",
            "--nas",
            "10.50.1.10",
            "--limit",
            "2",
        ],
    );
    let first: Vec<&str> = text.lines().next().unwrap().split('\t').collect();
    assert_eq!(
        first,
        [
            MAC,
            "10.50.10.100",
            "host/workstation.example.com",
            "10.50.1.10",
            "psn-a",
            "GigabitEthernet1/0/5",
            "dot1x",
            "Ubuntu-Workstation",
            "Linux_Workstations"
        ]
    );
    assert_eq!(text.lines().count(), 2);
    let asked = paths(&lab);
    assert_eq!(asked[0], "Session/ActiveList");
    assert!(
        asked.contains(&format!("Session/MACAddress/{MAC}")),
        "{asked:?}"
    );
    assert_eq!(asked.len(), 3, "{asked:?}");
}

/// A row without a MAC address cannot be asked for and stays as it was.
#[test]
fn details_leave_rows_without_a_mac_as_they_are() {
    let lab = with(LabOptions {
        sessions: 10,
        ..LabOptions::default()
    });
    let list = object(&lab, &["sessions", "--detail"]);
    assert_eq!(list.as_array().unwrap().len(), 10);
    assert_eq!(list[0]["endpoint_policy"], "Ubuntu-Workstation");
    assert_eq!(list[7]["calling_station_id"], "203.0.113.90");
    assert_eq!(list[7].get("endpoint_policy"), None);
    assert_eq!(lab.requests().len(), 10);
}

#[test]
fn auth_list_asks_for_its_window() {
    let lab = lab();
    let all = said(&lab, &["auth-list"]);
    let recent = said(&lab, &["auth-list", "--since", "1h"]);
    let older = said(&lab, &["auth-list", "--since", "1d", "--until", "1h"]);
    assert_eq!(all.lines().count(), 50);
    assert_eq!(recent.lines().count() + older.lines().count(), 50);
    assert!(recent.lines().count() >= 10);
    said(
        &lab,
        &[
            "auth-list",
            "--since",
            "2026-03-09T08:00:00+01:00",
            "--until",
            "2026-03-09T08:00:00Z",
        ],
    );
    let asked = paths(&lab);
    assert_eq!(asked[0], "Session/AuthList/null/null");
    assert!(asked[1].ends_with("/null"), "{}", asked[1]);
    // The local time of this machine, which is UTC here.
    assert_eq!(
        asked[3],
        "Session/AuthList/2026-03-09%2007:00:00/2026-03-09%2008:00:00"
    );
    assert_eq!(
        object(&lab, &["auth-list", "--since", "1s", "--until", "0s"]),
        json!([])
    );
}

#[test]
fn failure_reasons() {
    let lab = lab();
    let all = object(&lab, &["failure-reasons"]);
    assert!(all.as_array().unwrap().len() > 30);
    let text = said(&lab, &["failure-reasons", "22040"]);
    let row: Vec<&str> = text.trim_end().split('\t').collect();
    assert_eq!(row.len(), 4);
    assert_eq!(row[0], "22040");
    assert!(row[1].contains("Wrong password") && row[2].contains("password") && !row[3].is_empty());
    let two = object(&lab, &["failure-reasons", "12514", "22040"]);
    assert_eq!(
        (&two[0]["id"], &two[1]["id"]),
        (&json!("12514"), &json!("22040"))
    );

    let run = lab.mnt(&["failure-reasons", "99999"]).assert().code(3);
    assert!(
        stderr(&run).starts_with("netapi: not in the catalogue of failure reasons: 99999\nhint: ")
    );
    assert_eq!(stdout(&run), "");
    let run = lab
        .mnt(&["failure-reasons", "22040", "99999", "99998"])
        .assert()
        .code(3);
    assert!(stderr(&run).contains("99999, 99998"));
    assert!(stdout(&run).starts_with("22040\t"));
    assert!(paths(&lab).iter().all(|path| path == "FailureReasons"));
}
