//! Every `netapi ise mnt` command as a user has it: what it prints in a pipe and as JSON, and what it asks the node.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use netapi::lab::LabOptions;
use serde_json::{Value, json};

use crate::support::lab::{TestLab, faulty, lab, with};
use crate::support::{self, stderr, stdout};

const MAC: &str = "C8:5B:76:C6:59:62";
const ID: &str = "0A32010A000000A1910A2DEC";

/// Runs a command that must succeed without a word on standard error.
fn said(lab: &TestLab, arguments: &[&str]) -> String {
    let run = lab.mnt(arguments).assert();
    assert!(
        run.get_output().status.success(),
        "{arguments:?}: {}",
        stderr(&run)
    );
    assert_eq!(stderr(&run), "", "{arguments:?}");
    stdout(&run)
}

/// The same with `--json`.
fn object(lab: &TestLab, arguments: &[&str]) -> Value {
    let mut arguments = arguments.to_vec();
    arguments.push("--json");
    serde_json::from_str(&said(lab, &arguments)).unwrap()
}

/// The requests so far, without method and base.
fn paths(lab: &TestLab) -> Vec<String> {
    lab.requests()
        .iter()
        .map(|request| request.replace("GET /admin/API/mnt/", ""))
        .collect()
}

/// A cell of `name<TAB>value` lines.
fn cell<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix('\t'))
}

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
    assert_eq!(macs(&["--user", r"lab\PAT.kim"]), ["00:00:5E:00:53:01"]);
    assert_eq!(
        macs(&["--user", "*pat.kim*"]),
        ["00:00:5E:00:53:01", "00:00:5E:00:53:06"]
    );
    assert_eq!(macs(&["--mac", "c85b.76c6.5962"]), [MAC]);
    assert_eq!(macs(&["--mac", "00:00:5e"]).len(), 8);
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
fn a_session_is_found_by_every_selector() {
    let lab = lab();
    for (selector, path) in [
        (&[MAC][..], format!("MACAddress/{MAC}")),
        (&["c8-5b-76-c6-59-62"], format!("MACAddress/{MAC}")),
        (&["c85b.76c6.5962"], format!("MACAddress/{MAC}")),
        (&["c85b76c65962"], format!("MACAddress/{MAC}")),
        (
            &["--ip", "10.50.10.100"],
            "EndPointIPAddress/10.50.10.100".to_owned(),
        ),
        (
            &["--user", "host/workstation.example.com"],
            "UserName/host%2Fworkstation.example.com".to_owned(),
        ),
        (&["--nas", "10.50.1.10"], "IPAddress/10.50.1.10".to_owned()),
        (&["--session-id", ID], format!("Active/SessionID/{ID}/0")),
    ] {
        let mut words = vec!["session"];
        words.extend(selector);
        let text = said(&lab, &words);
        let found = cell(&text, "calling_station_id");
        if selector[0] == "--nas" {
            assert!(found.is_some(), "{text}");
        } else {
            assert_eq!(found, Some(MAC), "{selector:?}: {text}");
        }
        assert_eq!(paths(&lab).last().unwrap(), &format!("Session/{path}"));
        let session = object(&lab, &words);
        assert!(session.is_object(), "{selector:?}");
    }
    assert_eq!(lab.requests().len(), 16);
    let session = object(&lab, &["session", MAC]);
    assert_eq!(session["nas_port_id"], "GigabitEthernet1/0/5");
    assert_eq!(
        session["acct_session_time"], "0",
        "values from XML are strings"
    );
    assert_eq!(
        session["other_attr_string"]["ISEPolicySetName"],
        "Wired dot1x"
    );
    assert_eq!(
        session["response"]["Tunnel-Private-Group-ID"],
        "(tag=1) 110"
    );
}

#[test]
fn what_is_not_there_is_status_3() {
    let lab = lab();
    for selector in [
        &["00:00:5E:00:53:99"][..],
        &["--ip", "192.0.2.1"],
        &["--nas", "192.0.2.1"],
        &["--user", "nobody"],
        &["--user", r"LAB\nobody"],
        &["--session-id", "0A32010A0000FFFF910A2DEC"],
    ] {
        let run = lab.mnt(&["session"]).args(selector).assert().code(3);
        assert!(stderr(&run).contains(&lab.host()), "{}", stderr(&run));
        assert!(stderr(&run).contains("\nhint: "), "{}", stderr(&run));
        assert_eq!(stdout(&run), "");
    }
}

/// User names go into the path as one segment, nothing in them left bare.
#[test]
fn user_names_are_encoded_whole() {
    let lab = lab();
    for (user, encoded, mac) in [
        (r"LAB\pat.kim", "LAB%5Cpat.kim", "00:00:5E:00:53:01"),
        (
            "host/WS-0417.lab.example",
            "host%2FWS-0417.lab.example",
            "00:00:5E:00:53:04",
        ),
        (
            "pat.kim@lab.example",
            "pat.kim%40lab.example",
            "00:00:5E:00:53:06",
        ),
        (
            "jürgen.müller@lab.example",
            "j%C3%BCrgen.m%C3%BCller%40lab.example",
            "00:00:5E:00:53:05",
        ),
        (r"R&D\lee", "R%26D%5Clee", "00:00:5E:00:53:09"),
    ] {
        let text = said(&lab, &["session", "--user", user]);
        assert_eq!(cell(&text, "calling_station_id"), Some(mac), "{user}");
        assert_eq!(
            paths(&lab).last().unwrap(),
            &format!("Session/UserName/{encoded}")
        );
    }
    lab.mnt(&["session", "--user", "a b?c#d%e/../f"])
        .assert()
        .code(3);
    assert!(
        paths(&lab).contains(&"Session/UserName/a%20b%3Fc%23d%25e%2F..%2Ff".to_owned()),
        "{:?}",
        paths(&lab)
    );
}

/// Some gateways refuse `%5C` and `%2F`; then the active list knows the endpoint, and its MAC survives in a path.
#[test]
fn a_user_name_that_the_path_does_not_carry_is_found_in_the_list() {
    for (user, mac) in [
        (r"LAB\pat.kim", "00:00:5E:00:53:01"),
        ("host/WS-0417.lab.example", "00:00:5E:00:53:04"),
    ] {
        let lab = faulty(&["user-backslash"]);
        let text = said(&lab, &["session", "--user", user]);
        assert_eq!(cell(&text, "calling_station_id"), Some(mac));
        let asked = paths(&lab);
        assert_eq!(asked.len(), 3, "{asked:?}");
        assert!(asked[0].starts_with("Session/UserName/"));
        assert_eq!(
            asked[1..],
            [
                "Session/ActiveList".to_owned(),
                format!("Session/MACAddress/{mac}")
            ]
        );
    }
    // A plain name that is unknown needs no list.
    let lab = faulty(&["user-backslash"]);
    lab.mnt(&["session", "--user", "nobody"]).assert().code(3);
    assert_eq!(paths(&lab), ["Session/UserName/nobody"]);
}

#[test]
fn an_endpoint_address_that_the_node_does_not_find_is_found_in_the_list() {
    let lab = faulty(&["endpoint-ip-unreliable"]);
    let text = said(&lab, &["session", "--ip", "10.50.10.102"]);
    assert_eq!(cell(&text, "user_name"), Some("jsmith"));
    assert_eq!(
        paths(&lab),
        [
            "Session/EndPointIPAddress/10.50.10.102",
            "Session/ActiveList",
            "Session/MACAddress/00:00:5E:00:53:02"
        ]
    );
}

/// From a list what was found is printed, what failed is named, and the status says that something failed.
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
fn auth_status_has_attempts_newest_first() {
    let lab = lab();
    let jsmith = "00:00:5E:00:53:02";
    let text = said(&lab, &["auth-status", jsmith, "--since", "5d"]);
    let rows: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    assert!(rows.iter().all(|row| row.len() == 9));
    assert!(rows.windows(2).all(|two| two[0][0] >= two[1][0]), "{text}");
    assert_eq!(rows[0][1], "pass");
    let failed: Vec<_> = rows.iter().filter(|row| row[1] == "fail").collect();
    assert_eq!(failed.len(), 3, "{text}");
    assert!(failed[0][2].starts_with("22040 "), "{text}");
    let list = object(
        &lab,
        &["auth-status", jsmith, "--since", "5d", "--records", "2"],
    );
    assert_eq!(list.as_array().unwrap().len(), 2);
    assert_eq!(
        paths(&lab),
        [
            "AuthStatus/MACAddress/00:00:5E:00:53:02/432000/0/All",
            "AuthStatus/MACAddress/00:00:5E:00:53:02/432000/2/All"
        ]
    );
    said(&lab, &["auth-status", jsmith]);
    assert_eq!(
        paths(&lab)[2],
        "AuthStatus/MACAddress/00:00:5E:00:53:02/3600/0/All",
        "an hour unless told otherwise"
    );
}

#[test]
fn no_attempts_are_an_empty_list() {
    let lab = lab();
    assert_eq!(said(&lab, &["auth-status", "00:00:5E:00:53:99"]), "");
    assert_eq!(
        object(&lab, &["auth-status", "00:00:5E:00:53:99"]),
        json!([])
    );
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
fn acct_status() {
    let lab = lab();
    let text = said(&lab, &["acct-status", MAC]);
    let row: Vec<&str> = text.trim_end().split('\t').collect();
    assert_eq!((row[0], row[1], row[7]), (MAC, ID, "psn-a"), "{text}");
    let list = object(&lab, &["acct-status", MAC, "--since", "1d"]);
    assert_eq!(list[0]["audit_session_id"], ID);
    assert_eq!(
        paths(&lab),
        [
            format!("AcctStatusTT/MACAddress/{MAC}/3600"),
            format!("AcctStatusTT/MACAddress/{MAC}/86400")
        ]
    );
    assert_eq!(
        object(&lab, &["acct-status", "00:00:5E:00:53:99"]),
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

#[test]
fn explain_an_endpoint_that_is_on_the_network() {
    let lab = lab();
    let text = said(&lab, &["explain", MAC]);
    assert!(
        text.starts_with("C8:5B:76:C6:59:62  on the network\n"),
        "{text}"
    );
    for part in [
        "sw-lab-01 (10.50.1.10) GigabitEthernet1/0/5",
        "Wired dot1x",
        "Dot1X Certificate",
        "EAP-TLS Full Access",
        "Linux-EAP-TLS-Access",
        "Linux_Workstations",
        "25 ms",
        "11001 11017 15049",
        "last attempts",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(text.lines().count() <= 40, "one screen: {text}");
    assert_eq!(
        paths(&lab),
        [
            format!("AuthStatus/MACAddress/{MAC}/86400/10/All"),
            format!("Session/MACAddress/{MAC}")
        ],
        "no failure, no catalogue"
    );
    let story = object(&lab, &["explain", MAC]);
    assert_eq!(story["verdict"], "on the network");
    assert_eq!(story["why"]["policySet"], "Wired dot1x");
    assert_eq!(story["session"]["audit_session_id"], ID);
    assert_eq!(story["attempts"].as_array().unwrap().len(), 10);
}

#[test]
fn explain_an_endpoint_that_was_refused() {
    let lab = lab();
    let robin = "00:00:5E:00:53:F0";
    let text = said(&lab, &["explain", robin]);
    assert!(
        text.starts_with(
            "00:00:5E:00:53:F0  refused: 22040 Wrong password or invalid shared secret\n"
        ),
        "{text}"
    );
    assert!(
        text.contains("Let the user type the password again"),
        "{text}"
    );
    assert_eq!(paths(&lab)[2], "FailureReasons");
    let story = object(&lab, &["explain", robin]);
    assert_eq!(story["verdict"], "refused");
    assert_eq!(story["session"], Value::Null);
    assert_eq!(story["why"]["user"], "robin");
    assert!(story["why"]["resolution"].is_string());
}

#[test]
fn explain_an_endpoint_that_ise_never_saw() {
    let lab = lab();
    let run = lab.mnt(&["explain", "00:00:5E:00:53:99"]).assert().code(3);
    let text = stderr(&run);
    assert!(text.starts_with("netapi: no session of 00:00:5E:00:53:99, and no attempt in the time looked at\nhint: look further back"));
    assert_eq!(stdout(&run), "");
    assert_eq!(lab.requests().len(), 2);
}

/// Every spelling, also those of the tool that came before.
#[test]
fn coa_in_every_spelling() {
    for (words, path) in [
        (&["coa", MAC][..], "Reauth/psn-a/C8:5B:76:C6:59:62/0"),
        (
            &["coa", MAC, "--type", "reauth"],
            "Reauth/psn-a/C8:5B:76:C6:59:62/0",
        ),
        (
            &["coa", MAC, "--type", "Reauth"],
            "Reauth/psn-a/C8:5B:76:C6:59:62/0",
        ),
        (
            &["coa", "--mac", MAC, "--action", "reauth"],
            "Reauth/psn-a/C8:5B:76:C6:59:62/0",
        ),
        (
            &["coa", "--mac", MAC, "--action", "Disconnect"],
            "Disconnect/psn-a/C8:5B:76:C6:59:62/0",
        ),
        (
            &["coa", MAC, "-t", "disconnect"],
            "Disconnect/psn-a/C8:5B:76:C6:59:62/0",
        ),
        (
            &["coa", MAC, "-t", "PortBounce"],
            "Disconnect/psn-a/C8:5B:76:C6:59:62/1",
        ),
        (
            &["coa", MAC, "-t", "port-bounce"],
            "Disconnect/psn-a/C8:5B:76:C6:59:62/1",
        ),
        (
            &["coa", MAC, "-t", "port-shutdown"],
            "Disconnect/psn-a/C8:5B:76:C6:59:62/2",
        ),
    ] {
        let lab = lab();
        let run = lab.mnt(words).arg("--json").assert().success();
        let asked = paths(&lab);
        assert_eq!(asked.len(), 2, "{words:?}: {asked:?}");
        assert_eq!(asked[0], format!("Session/MACAddress/{MAC}"));
        assert!(
            asked[1].starts_with(&format!("CoA/{path}")),
            "{words:?}: {}",
            asked[1]
        );
        let done: Value = serde_json::from_str(&stdout(&run)).unwrap();
        assert_eq!(
            (&done["mac"], &done["server"], &done["result"]),
            (&json!(MAC), &json!("psn-a"), &json!("sent"))
        );
    }
    let lab = lab();
    assert_eq!(
        said(&lab, &["coa", MAC, "-t", "Disconnect"]),
        "mac\tC8:5B:76:C6:59:62\naction\tdisconnect\nserver\tpsn-a\nresult\tsent\n"
    );
    assert_eq!(said(&lab, &["count"]), "49\n", "the session is over");
}

#[test]
fn coa_without_a_session_or_with_the_node_named() {
    let lab = lab();
    let run = lab.mnt(&["coa", "00:00:5E:00:53:99"]).assert().code(3);
    assert!(stderr(&run).contains("a change of authorization needs a session"));
    assert_eq!(paths(&lab), ["Session/MACAddress/00:00:5E:00:53:99"]);
    said(&lab, &["coa", MAC, "--server", "psn-a"]);
    assert_eq!(lab.requests().len(), 2, "the session is not asked for");
    for server in ["psn/../x", "psn a", "psn%2e", ""] {
        let run = lab.mnt(&["coa", MAC, "--server", server]).assert().code(2);
        assert!(stderr(&run).contains("hint: "), "{}", stderr(&run));
    }
    assert_eq!(lab.requests().len(), 2);
}

#[test]
fn delete_needs_a_yes_where_nobody_can_be_asked() {
    let lab = lab();
    for words in [
        &["delete", MAC][..],
        &["delete", "--all"],
        &["delete", "--session-id", ID],
        &["delete", "--all", "--no-input"],
    ] {
        let run = lab.mnt(words).write_stdin("yes\n").assert().code(2);
        assert!(
            stderr(&run).contains("needs --yes where nobody can be asked\nhint: add --yes"),
            "{}",
            stderr(&run)
        );
    }
    assert_eq!(lab.requests(), [""; 0]);
    assert_eq!(
        said(&lab, &["delete", MAC, "--yes"]),
        "deleted\tC8:5B:76:C6:59:62\nstatus\tSUCCESSFUL\n"
    );
    lab.mnt(&["session", MAC]).assert().code(3);
    let id = "0a32010b000000a296b2c072";
    assert_eq!(
        object(&lab, &["delete", "--session-id", id, "--yes"]),
        json!({"deleted": id, "status": "SUCCESSFUL"})
    );
    said(&lab, &["delete", "--all", "--yes"]);
    assert_eq!(said(&lab, &["count"]), "0\n");
    let deletions: Vec<String> = lab
        .requests()
        .into_iter()
        .filter(|request| request.starts_with("DELETE"))
        .collect();
    assert_eq!(
        deletions,
        [
            format!("DELETE /admin/API/mnt/Session/Delete/MACAddress/{MAC}"),
            format!("DELETE /admin/API/mnt/Session/Delete/SessionID/{id}"),
            "DELETE /admin/API/mnt/Session/Delete/All".to_owned()
        ]
    );
}

#[test]
fn get_is_the_body_as_it_came_or_decoded() {
    let lab = lab();
    let raw = said(&lab, &["get", "Session/ActiveCount"]);
    assert!(
        raw.starts_with("<?xml") && raw.contains("<count>50</count>"),
        "{raw}"
    );
    assert_eq!(
        said(&lab, &["get", "/admin/API/mnt/Session/ActiveCount"]),
        raw
    );
    assert_eq!(
        object(&lab, &["get", "Session/ActiveCount"]),
        json!({"count": "50"})
    );
    assert_eq!(
        object(&lab, &["get", "Session/ActiveList"])
            .as_array()
            .unwrap()
            .len(),
        50
    );
    assert_eq!(
        said(&lab, &["get", "Session/ActiveCount", "--jq", ".count"]),
        "50\n"
    );
    let run = lab.mnt(&["get", "No/Such/Path"]).assert().code(5);
    assert!(stderr(&run).contains("the server does not know this path (HTTP 404)"));
    assert_eq!(paths(&lab).last().unwrap(), "No/Such/Path");
}

/// However it is written: what changes the network is not for the escape hatch, and nothing leaves the API's folder.
#[test]
fn get_refuses_what_changes_or_climbs() {
    let lab = lab();
    for path in [
        "CoA/Reauth/psn-a/C8:5B:76:C6:59:62/0",
        "/CoA/Reauth/psn-a/C8:5B:76:C6:59:62/0",
        "/admin/API/mnt/CoA/Disconnect/psn-a/C8:5B:76:C6:59:62/0",
        "coa/Reauth/psn-a/C8:5B:76:C6:59:62/0",
        "C%6FA/Reauth/psn-a/C8:5B:76:C6:59:62/0",
        "%43%6f%41/Reauth/psn-a/C8:5B:76:C6:59:62/0",
        "%2543oA/Reauth/psn-a/C8:5B:76:C6:59:62/0",
        "Session/Delete/All",
        "Session/delete/All",
        "Session/%44elete/All",
        "Session//Delete/All",
        "//CoA/Reauth/x",
        "Session;x=1/Delete/All",
        "Session/Delete;x/All",
        "Session/./Delete/All",
        "Session/../CoA/x",
        "Session/%2e%2e/CoA/x",
        "Session%2FDelete%2FAll",
        "../ers/config",
        "..%2f..%2fers",
        "https://192.0.2.1/x",
        "//192.0.2.1/x",
        "Version?x=../CoA",
        "Version#x",
        "Version\r\nX: y",
        "",
    ] {
        let run = lab.mnt(&["get", path]).assert();
        assert_eq!(
            run.get_output().status.code(),
            Some(2),
            "{path:?}: {}",
            stderr(&run)
        );
        assert!(stderr(&run).contains("hint: "), "{path:?}");
    }
    assert_eq!(lab.requests(), [""; 0]);
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

/// Kills the process when a test ends, also when it fails.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn watch_prints_what_came_changed_and_went() {
    let lab = lab();
    let mut child = Killed(
        lab.process(&["watch", "--interval", "1s", "--json", "--nas", "10.50.1.10"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    support::wait_for("the first poll", || !lab.requests().is_empty());
    // The second poll shows that the first has been read: what happens now is a change.
    support::wait_for("the second poll", || lab.requests().len() > 1);
    said(&lab, &["delete", MAC, "--yes"]);
    let change: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(change["change"], "went");
    assert_eq!(change["session"]["calling_station_id"], MAC);
    assert_eq!(change["session"]["audit_session_id"], ID);
}

#[test]
fn watch_sees_a_disconnected_endpoint_go() {
    let lab = lab();
    let mut child = Killed(
        lab.process(&["watch", "--interval", "1s", "--limit", "1"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    support::wait_for("the second poll", || lab.requests().len() > 1);
    said(&lab, &["coa", MAC, "-t", "disconnect"]);
    let changes: Vec<Vec<String>> = lines
        .take(1)
        .map(|line| line.unwrap().split('\t').map(str::to_owned).collect())
        .collect();
    let words: Vec<&str> = changes.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(words, ["went"]);
    assert!(changes.iter().all(|row| row[1] == MAC && row.len() == 6));
    let status = child.0.wait().unwrap();
    assert_eq!(status.code(), Some(0), "--limit ends it");
}

/// A poll that fails is said, and the next one follows; a refusal ends it.
#[test]
fn watch_survives_an_overload_and_ends_at_a_refusal() {
    let lab = lab();
    let run = lab
        .mnt(&["watch", "--interval", "1s"])
        .env("ISE_MNT_PASS", "wrong")
        .assert()
        .code(4);
    assert!(stderr(&run).contains("(HTTP 401)"));
    assert_eq!(lab.requests().len(), 1);
}
