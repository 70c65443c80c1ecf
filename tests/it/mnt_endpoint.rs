//! One endpoint as a user sees it: its session by every selector, its attempts and counters, and
//! why it is (not) on the network.

use serde_json::{Value, json};

use crate::support::lab::{faulty, lab};
use crate::support::mnt::{ID, MAC, cell, object, paths, said};
use crate::support::{stderr, stdout};

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

/// Some gateways refuse `%5C` and `%2F`; then the active list knows the endpoint, and its MAC
/// survives in a path.
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
        "  11001  RADIUS Access-Request received\n",
        "  22070  name taken from the certificate",
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
    let mut run = lab.mnt(&["explain", "00:00:5E:00:53:99"]);
    let run = run.env_remove("ISE_DC_PASS").assert().code(3);
    let text = stderr(&run);
    assert!(text.starts_with("netapi: no session of 00:00:5E:00:53:99, and no attempt in the last 1d\nhint: look further back"));
    assert_eq!(stdout(&run), "");
    assert_eq!(lab.requests().len(), 2);
}
