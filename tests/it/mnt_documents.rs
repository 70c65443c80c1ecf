//! Documents as other hands write them: encodings, very many members, depth; rows of VPN clients; a
//! node without AuthStatus.

use serde_json::Value;

use crate::support::documents::{Document, Node, no_session, xml};
use crate::support::{json, stderr, stdout};

const VPN: &str = "203.113.190.145";

/// A list with a VPN client, and an endpoint whose MAC address has the digits of that client's
/// address.
fn list() -> String {
    let row = |station: &str, ip: &str, user: &str, id: &str| {
        format!(
            "<activeSession><user_name>{user}</user_name><calling_station_id>{station}</calling_station_id><audit_session_id>{id}</audit_session_id><server>psn-a</server><framed_ip_address>{ip}</framed_ip_address></activeSession>"
        )
    };
    let rows = [
        row("20:31:13:19:01:45", "10.0.0.9", "trap", "0A01"),
        row(VPN, "10.0.0.10", "vpn.user@lab.example", "0A02"),
        row("198.51.100.7", "10.0.0.11", "twin.one", "0A03"),
        row("198.51.100.7", "10.0.0.12", "twin.two", "0A04"),
        row("198.51.100.8", "10.0.0.13", "no.id", ""),
    ];
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><activeList noOfActiveSession=\"5\">{}</activeList>",
        rows.concat()
    )
}

fn vpn_node() -> Node {
    Node::answering(|path| match path {
        "Session/ActiveList" => xml(list()),
        "Session/Active/SessionID/0A02/0" => xml(format!(
            "<activeSessionList noOfActiveSession=\"1\"><activeSession><calling_station_id>{VPN}</calling_station_id><username>vpn.user@lab.example</username><audit_session_id>0A02</audit_session_id><authorization_rule>VPN staff</authorization_rule></activeSession></activeSessionList>"
        )),
        other => no_session(other.rsplit('/').next().unwrap_or_default()),
    })
}

#[test]
fn an_address_is_never_taken_for_a_mac_address() {
    let node = vpn_node();
    let macs = |wanted: &str| {
        stdout(
            &node
                .mnt(&["sessions", "--mac", wanted, "--fields", "MAC"])
                .assert()
                .success(),
        )
    };
    assert_eq!(macs(VPN), format!("{VPN}\n"));
    assert_eq!(macs("20:31:13"), "20:31:13:19:01:45\n");
    assert_eq!(macs("203113190145"), "20:31:13:19:01:45\n");
    for begun in ["203.", "203.113.190.", "203.113", "2001:db8:"] {
        let run = node.mnt(&["sessions", "--mac", begun]).assert().code(2);
        assert!(
            stderr(&run).contains(&format!("'{begun}' is not a MAC address")),
            "{}",
            stderr(&run)
        );
    }
    for command in [&["coa", VPN][..], &["delete", VPN, "--yes"]] {
        let run = node.mnt(command).assert().code(2);
        assert!(
            stderr(&run).contains("is an IP address, not a MAC address"),
            "{}",
            stderr(&run)
        );
    }
}

/// The document by the address inside the tunnel has the user, the steps and the policies; the one
/// by audit session id has not.
#[test]
fn a_vpn_session_is_shown_whole_also_from_a_list() {
    let node = Node::answering(|path| {
        match path {
        "Session/ActiveList" => xml(list()),
        "Session/EndPointIPAddress/10.0.0.10" => xml(format!(
            "<sessionParameters><passed>true</passed><user_name>vpn.user@lab.example</user_name><calling_station_id>{VPN}</calling_station_id><framed_ip_address>10.0.0.10</framed_ip_address><audit_session_id>0A02</audit_session_id></sessionParameters>"
        )),
        // Somebody else has the address by now.
        "Session/EndPointIPAddress/10.0.0.13" => xml(
            "<sessionParameters><user_name>late</user_name><framed_ip_address>10.0.0.13</framed_ip_address><audit_session_id>0A09</audit_session_id></sessionParameters>".to_owned(),
        ),
        other => no_session(other.rsplit('/').next().unwrap_or_default()),
    }
    });
    let one = json(&node.mnt(&["session", VPN, "--json"]).assert().success());
    assert_eq!(one["passed"], "true");
    let other = json(
        &node
            .mnt(&["session", "198.51.100.8", "--json"])
            .assert()
            .success(),
    );
    assert_eq!(other["user_name"], "no.id");
    let list = format!("{VPN}\n10.0.0.10\n{VPN}\n");
    let run = node
        .mnt(&["session", "-", "--fields", "MAC,USER"])
        .write_stdin(list.clone())
        .assert()
        .success();
    let row = format!("{VPN}\tvpn.user@lab.example\n");
    assert_eq!(
        stdout(&run),
        format!("{row}{row}"),
        "a repeat is asked once"
    );
    let run = node
        .mnt(&["explain", "-", "--fields", "MAC,VERDICT"])
        .write_stdin(format!("{VPN}\n"))
        .assert()
        .success();
    assert_eq!(stdout(&run), format!("{VPN}\ton the network\n"));
    for history in ["auth-status", "acct-status"] {
        let run = node
            .mnt(&[history, "-"])
            .write_stdin(list.clone())
            .assert()
            .code(1);
        assert!(
            stderr(&run).contains("has no MAC address"),
            "{}",
            stderr(&run)
        );
    }
    // A change names its endpoint by MAC address alone.
    let run = node.mnt(&["coa", "-"]).write_stdin(list).assert().code(1);
    assert!(
        stdout(&run).starts_with(&format!("{VPN}\tinvalid\t")),
        "{}",
        stdout(&run)
    );
}

#[test]
fn a_vpn_session_is_found_by_the_address_that_its_row_shows() {
    let node = vpn_node();
    for selector in [&[VPN][..], &["--ip", VPN]] {
        let mut words = vec!["session"];
        words.extend(selector);
        words.push("--json");
        let session = json(&node.mnt(&words).assert().success());
        assert_eq!(session["authorization_rule"], "VPN staff");
    }
    assert_eq!(
        node.asked()[..4],
        [
            &format!("Session/EndPointIPAddress/{VPN}")[..],
            "Session/ActiveList",
            "Session/EndPointIPAddress/10.0.0.10",
            "Session/Active/SessionID/0A02/0"
        ]
    );
    // The endpoint's own address, inside the tunnel, leads there too.
    let session = json(
        &node
            .mnt(&["session", "10.0.0.10", "--json"])
            .assert()
            .success(),
    );
    assert_eq!(session["audit_session_id"], "0A02");
    let row = json(
        &node
            .mnt(&["session", "198.51.100.8", "--json"])
            .assert()
            .success(),
    );
    assert_eq!(row["user_name"], "no.id");
    let run = node
        .mnt(&["session", "198.51.100.8", "--format", "xml"])
        .assert()
        .code(2);
    assert!(
        stderr(&run).contains("only a row of its list"),
        "{}",
        stderr(&run)
    );
    let run = node.mnt(&["session", "198.51.100.7"]).assert().code(2);
    let said = stderr(&run);
    assert!(
        said.contains("198.51.100.7 is the calling station of 2 sessions"),
        "{said}"
    );
    assert!(said.contains("--session-id"), "{said}");
    let run = node.mnt(&["session", "192.0.2.99"]).assert().code(3);
    assert!(
        stderr(&run).contains(
            "no row of the active list has it as the endpoint's address or calling station"
        )
    );
    for history in ["auth-status", "acct-status"] {
        let run = node.mnt(&[history, VPN]).assert().code(3);
        assert!(
            stderr(&run).contains("has no MAC address"),
            "{}",
            stderr(&run)
        );
    }
    let story = json(&node.mnt(&["explain", VPN, "--json"]).assert().success());
    assert_eq!(story["mac"], VPN);
    assert_eq!(story["why"]["authorizationRule"], "VPN staff");
    assert!(
        story["attemptsMissing"]
            .as_str()
            .unwrap()
            .contains("has none")
    );
    // An endpoint's address leads to its MAC address, by which histories are kept.
    node.mnt(&["auth-status", "10.0.0.9"]).assert().code(3);
    assert!(
        node.asked()
            .contains(&"Session/MACAddress/20:31:13:19:01:45".to_owned())
    );
}

const MAC: &str = "00:00:5E:00:53:01";

fn session_document() -> String {
    format!(
        "<sessionParameters><passed>true</passed><failed>false</failed><user_name>pat</user_name><calling_station_id>{MAC}</calling_station_id><selected_azn_profiles>Isolated</selected_azn_profiles><other_attr_string>:!:ISEPolicySetName=Wired:!:AuthorizationPolicyMatchedRule=Isolation:!:ANCPolicy=Isolate</other_attr_string></sessionParameters>"
    )
}

#[test]
fn explain_does_without_authentication_status() {
    for status in [404, 500] {
        let node = Node::answering(move |path| match path.split('/').next() {
            Some("AuthStatus") => (status, "text/html", b"<html>no</html>".to_vec()),
            Some("Session") => xml(session_document()),
            _ => xml("<failureReasonList/>"),
        });
        let run = node.mnt(&["explain", MAC]).assert().success();
        let text = stdout(&run);
        assert!(
            text.starts_with(&format!(
                "{MAC}  on the network, quarantined (ANC Isolate)\n"
            )),
            "{text}"
        );
        assert!(text.contains("policy set      Wired"), "{text}");
        assert!(
            text.contains("not known, the above is from the session alone: localhost"),
            "{text}"
        );
        assert!(text.contains(&format!("(HTTP {status})")), "{text}");
        let story = json(&node.mnt(&["explain", MAC, "--json"]).assert().success());
        assert_eq!(story["quarantine"], "ANC Isolate");
        assert_eq!(story["attempts"], Value::Array(Vec::new()));
    }
    let node = Node::answering(|path| match path.split('/').next() {
        Some("AuthStatus") => (404, "text/html", Vec::new()),
        _ => no_session(MAC),
    });
    let run = node.mnt(&["explain", MAC]).assert().code(5);
    assert!(stderr(&run).contains("HTTP 404"), "{}", stderr(&run));
    let node = Node::answering(|path| match path.split('/').next() {
        Some("AuthStatus") => (401, "text/html", Vec::new()),
        _ => xml(session_document()),
    });
    node.mnt(&["explain", MAC]).assert().code(4);
    assert_eq!(node.asked().len(), 1, "a refusal ends it");
}

#[test]
fn a_count_that_was_cut_is_not_told_as_whole() {
    let attempt = |second: u32| {
        format!(
            "<authStatusElements><passed>false</passed><failed>true</failed><failure_reason>22040 Wrong password</failure_reason><calling_station_id>{MAC}</calling_station_id><acs_timestamp>2026-03-09T07:40:{second:02}.000Z</acs_timestamp></authStatusElements>"
        )
    };
    let attempts: Vec<String> = (0..30).map(attempt).collect();
    let history = format!(
        "<authStatusOutputList><authStatusList key=\"{MAC}\">{}</authStatusList></authStatusOutputList>",
        attempts.concat()
    );
    let node = Node::answering(move |path| match path.split('/').next() {
        Some("AuthStatus") => xml(history.clone()),
        Some("FailureReasons") => xml("<failureReasonList/>"),
        _ => no_session(MAC),
    });
    let text = |words: &[&str]| stdout(&node.mnt(words).assert().success());
    assert!(text(&["explain", MAC]).contains("10 times or more, "));
    assert!(text(&["explain", MAC, "--records", "0"]).contains("30 times, "));
}

/// The same list in an encoding.
fn encoded(declared: &str, write: fn(&str) -> Vec<u8>) -> Vec<u8> {
    write(&format!(
        "<?xml version=\"1.0\" encoding=\"{declared}\"?><activeList noOfActiveSession=\"1\"><activeSession><user_name>M\u{fc}ller</user_name><calling_station_id>{MAC}</calling_station_id></activeSession></activeList>"
    ))
}

fn latin1(text: &str) -> Vec<u8> {
    text.chars()
        .map(|c| u8::try_from(u32::from(c)).unwrap())
        .collect()
}

fn utf16(text: &str) -> Vec<u8> {
    format!("\u{feff}{text}")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect()
}

fn utf8(text: &str) -> Vec<u8> {
    text.into()
}

#[test]
fn what_is_declared_is_decoded_and_what_cannot_be_is_refused() {
    for (kind, body) in [
        ("application/xml", encoded("ISO-8859-1", latin1)),
        ("application/xml", encoded("windows-1252", latin1)),
        (
            "application/xml;charset=ISO-8859-1",
            encoded("UTF-8", latin1),
        ),
        ("text/xml; charset=\"utf-8\"", encoded("ISO-8859-1", utf8)),
        ("application/xml", encoded("UTF-16", utf16)),
        (
            "application/xml;charset=ISO-8859-1",
            encoded("ISO-8859-1", utf16),
        ),
    ] {
        let sent = body.clone();
        let node = Node::answering(move |_| (200, kind, body.clone()));
        let run = node
            .mnt(&["sessions", "--user", "m\u{fc}ller", "--fields", "USER"])
            .assert()
            .success();
        assert_eq!(stdout(&run), "M\u{fc}ller\n", "{kind}");
        // As it came, unless it is decoded.
        let run = node.mnt(&["get", "Session/ActiveList"]).assert().success();
        assert_eq!(run.get_output().stdout, sent);
        let rows = json(
            &node
                .mnt(&["get", "Session/ActiveList", "--json"])
                .assert()
                .success(),
        );
        assert_eq!(rows[0]["user_name"], "M\u{fc}ller");
    }
    for (kind, body, words) in [
        (
            "application/xml",
            encoded("x-strange", utf8),
            "declares the encoding 'x-strange', which is none that is known",
        ),
        (
            "application/xml; charset=klingon",
            encoded("UTF-8", utf8),
            "'klingon'",
        ),
        (
            "application/xml",
            encoded("Shift_JIS", latin1),
            "it declares Shift_JIS, and byte",
        ),
        (
            "application/xml",
            encoded("UTF-16", utf8),
            "it declares UTF-16, and does not begin so",
        ),
    ] {
        let node = Node::answering(move |_| (200, kind, body.clone()));
        let run = node.mnt(&["sessions"]).assert().code(5);
        assert!(stderr(&run).contains(words), "{}", stderr(&run));
    }
}

#[test]
fn a_record_may_have_thousands_of_members_and_not_be_endlessly_deep() {
    let members: String = (0..5000).fold(String::new(), |text, n| {
        text + &format!(
            "<lstSystemStatus60Min><server>psn-{n}</server></lstSystemStatus60Min><m{n}/>"
        )
    });
    let summary = format!("<dashboardResult>{members}</dashboardResult>");
    let deep = format!(
        "<sessionParameters>{}{}</sessionParameters>",
        "<a>".repeat(100_000),
        "</a>".repeat(100_000)
    );
    let node = Node::answering(move |path| -> Document {
        match path {
            "dashboard/getSystemSummaryDetails" => xml(summary.clone()),
            _ => xml(deep.clone()),
        }
    });
    let get = |path: &str| node.mnt(&["get", path, "--json"]).assert();
    let summary = json(&get("dashboard/getSystemSummaryDetails").success());
    assert_eq!(
        summary["lstSystemStatus60Min"].as_array().unwrap().len(),
        5000
    );
    for words in [
        &["session", MAC][..],
        &["get", "Session/MACAddress/x", "--json"],
        &["session", MAC, "--format", "yaml"],
    ] {
        let run = node.mnt(words).assert().code(5);
        assert!(
            stderr(&run).contains("nested deeper than 100 elements"),
            "{}",
            stderr(&run)
        );
    }
}
