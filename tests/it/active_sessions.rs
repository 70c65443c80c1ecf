//! The node's document of an endpoint is its latest, which need not be of its active session: it can
//! be of a refused attempt, of a session that is over, or of another one. Nobody is said to be on
//! the network by it, no row is replaced by it, and no change is sent where it says.

use crate::support::documents::{Document, Node, no_session, xml};
use crate::support::{json, stderr, stdout};

const MAC: &str = "00:00:5E:00:53:06";

/// A refused attempt, sparse as the node tells it (reference mnt-api, section 2.3).
const REFUSED: &str = "<sessionParameters><passed>0</passed><failed>1</failed><user_name>intruder</user_name><nas_ip_address>192.0.2.99</nas_ip_address><failure_reason>22040 Wrong password or invalid shared secret</failure_reason><calling_station_id>00:00:5E:00:53:06</calling_station_id><acs_server>psn-b</acs_server><auth_acs_timestamp>2026-03-09T07:40:01.554+01:00</auth_acs_timestamp></sessionParameters>";

/// A session that is over.
const OVER: &str = "<sessionParameters><passed>true</passed><failed>false</failed><user_name>robin</user_name><calling_station_id>00:00:5E:00:53:06</calling_station_id><acs_server>psn-b</acs_server><audit_session_id>R0</audit_session_id><auth_acs_timestamp>2026-03-09T07:40:01.554+01:00</auth_acs_timestamp><acct_status_type>Stop</acct_status_type><started>false</started><stopped>true</stopped></sessionParameters>";

fn row(user: &str, nas: &str, id: &str, server: &str) -> String {
    format!(
        "<activeSession><user_name>{user}</user_name><calling_station_id>{MAC}</calling_station_id><nas_ip_address>{nas}</nas_ip_address><audit_session_id>{id}</audit_session_id><server>{server}</server><framed_ip_address>198.51.100.6</framed_ip_address></activeSession>"
    )
}

fn robin() -> String {
    row("robin", "192.0.2.12", "R1", "psn-a")
}

/// A node with this document of the endpoint and these rows in its list.
fn node(document: &'static str, rows: &[String]) -> Node {
    let list = format!(
        "<activeList noOfActiveSession=\"{}\">{}</activeList>",
        rows.len(),
        rows.concat()
    );
    Node::answering(move |path| answer(path, document, &list))
}

fn answer(path: &str, document: &str, list: &str) -> Document {
    match path {
        "Session/ActiveList" => xml(list),
        "FailureReasons" => xml("<failureReasonList/>"),
        _ if path.starts_with("Session/MACAddress/") => xml(document),
        _ if path.starts_with("AuthStatus/") => xml("<authStatusOutputList/>"),
        _ if path.starts_with("CoA/") => {
            xml("<remoteCoA requestType=\"reauth\"><results>true</results></remoteCoA>")
        }
        _ => no_session(path.rsplit('/').next().unwrap_or_default()),
    }
}

#[test]
fn who_was_refused_or_left_is_not_on_the_network() {
    let refused = node(REFUSED, &[]);
    let head = |node: &Node| stdout(&node.mnt(&["explain", MAC]).assert().success());
    let text = head(&refused);
    let reason = "22040 Wrong password or invalid shared secret";
    assert!(
        text.starts_with(&format!("{MAC}  refused: {reason}\n")),
        "{text}"
    );
    let who = |node: &Node| {
        let fields = "MAC,USER,STATE,WHY";
        stdout(
            &node
                .ise(&["who", MAC, "--fields", fields])
                .assert()
                .success(),
        )
    };
    assert_eq!(
        who(&refused),
        format!("{MAC}\tintruder\trefused\t{reason}\n")
    );
    let over = node(OVER, &[]);
    let text = head(&over);
    assert!(
        text.starts_with(&format!("{MAC}  passed, but has no active session\n")),
        "{text}"
    );
    assert_eq!(who(&over), format!("{MAC}\trobin\tsession ended\t\n"));
    // Beside the refused attempt of somebody else, the session is active.
    for document in [REFUSED, OVER] {
        let beside = node(document, &[robin()]);
        let rows = json(&beside.ise(&["who", MAC, "--json"]).assert().success());
        assert_eq!(rows[0]["mnt"]["session"]["audit_session_id"], "R1");
        let row = who(&beside);
        assert!(
            row.starts_with(&format!("{MAC}\trobin\ton the network\t")),
            "{row}"
        );
    }
    let rows = json(&refused.ise(&["who", MAC, "--json"]).assert().success());
    assert_eq!(rows[0]["mnt"]["failure"]["user_name"], "intruder");
    assert!(rows[0]["mnt"]["session"].is_null());
}

/// The attempts tell which session began last; the node is asked whether it is still there.
#[test]
fn explain_looks_for_the_session_behind_a_refused_attempt() {
    let attempt = |passed: bool, minute: u32, id: &str| {
        format!(
            "<authStatusElements><passed>{passed}</passed><failed>{}</failed><calling_station_id>{MAC}</calling_station_id><acs_timestamp>2026-03-09T07:{minute:02}:00Z</acs_timestamp><audit_session_id>{id}</audit_session_id></authStatusElements>",
            !passed
        )
    };
    let attempts = format!(
        "<authStatusOutputList><authStatusList key=\"{MAC}\">{}{}</authStatusList></authStatusOutputList>",
        attempt(false, 40, ""),
        attempt(true, 31, "R1"),
    );
    let by_id = |state: &str| {
        format!(
            "<activeSessionList noOfActiveSession=\"1\"><activeSession><calling_station_id>{MAC}</calling_station_id><session_state>{state}</session_state><audit_session_id>R1</audit_session_id><username>robin</username></activeSession></activeSessionList>"
        )
    };
    for (state, verdict) in [
        ("STARTED", "has a session, but its last attempt failed"),
        ("DISCONNECTED", "refused"),
    ] {
        let (attempts, by_id) = (attempts.clone(), by_id(state));
        let node = Node::answering(move |path| match path {
            "Session/Active/SessionID/R1/0" => xml(by_id.clone()),
            _ if path.starts_with("AuthStatus/") => xml(attempts.clone()),
            _ => answer(path, REFUSED, ""),
        });
        let story = json(&node.mnt(&["explain", MAC, "--json"]).assert().success());
        assert_eq!(story["verdict"], verdict, "{state}");
    }
}

#[test]
fn a_change_of_authorization_goes_where_the_active_session_is() {
    let sent = |node: &Node| {
        let asked = node.asked().into_iter();
        asked
            .filter(|path| path.starts_with("CoA/"))
            .collect::<Vec<_>>()
    };
    for document in [REFUSED, OVER] {
        let one = node(document, &[robin()]);
        one.mnt(&["coa", MAC]).assert().success();
        assert_eq!(sent(&one), [format!("CoA/Reauth/psn-a/{MAC}/0")]);
        // Nobody can tell which of two: nothing is sent.
        let two = node(document, &[robin(), row("x", "192.0.2.21", "X2", "psn-b")]);
        let run = two.mnt(&["coa", MAC]).assert().code(2);
        let said = stderr(&run);
        assert!(said.contains("more than one PSN: psn-a, psn-b"), "{said}");
        assert!(
            said.contains("hint: name the one that is meant: --server PSN"),
            "{said}"
        );
        let none = node(document, &[]);
        let said = stderr(&none.mnt(&["coa", MAC]).assert().code(3));
        assert!(
            said.contains(&format!("no active session of {MAC}: its last")),
            "{said}"
        );
        assert_eq!(sent(&two).len() + sent(&none).len(), 0);
        two.mnt(&["coa", MAC, "--server", "psn-b"])
            .assert()
            .success();
        assert_eq!(sent(&two), [format!("CoA/Reauth/psn-b/{MAC}/0")]);
    }
    // Of a list the active list is read once.
    let node = Node::answering(|path| {
        let mac = path.rsplit('/').next().unwrap_or_default();
        let list = format!(
            "<activeList noOfActiveSession=\"1\">{}</activeList>",
            robin()
        );
        answer(path, &REFUSED.replace(MAC, mac), &list)
    });
    let run = node
        .mnt(&["coa", "-", "--fields", "INPUT,OUTCOME"])
        .write_stdin(format!("00:00:5E:00:53:07\n{MAC}\n"))
        .assert()
        .code(1);
    assert_eq!(
        stdout(&run),
        format!("00:00:5E:00:53:07\tfailed\n{MAC}\tdone\n")
    );
    let lists = node
        .asked()
        .iter()
        .filter(|path| path.ends_with("List"))
        .count();
    assert_eq!(lists, 1);
}

#[test]
fn a_detail_is_of_the_rows_own_session() {
    let fields = "MAC,IP,NAS,USER,PORT";
    let list = |node: &Node| {
        node.mnt(&["sessions", "--detail", "--fields", fields])
            .assert()
    };
    let refused = node(REFUSED, &[robin()]);
    let run = list(&refused).success();
    assert_eq!(
        stdout(&run),
        format!("{MAC}\t198.51.100.6\t192.0.2.12\trobin\t\n")
    );
    let said = stderr(&run);
    assert!(
        said.contains("1 session is as the list has it: the node's document"),
        "{said}"
    );
    // Two sessions of one endpoint, of which the document is that of the newer.
    let rows = [
        row("old", "192.0.2.21", "OLD1", "psn-a"),
        row("new", "192.0.2.22", "NEW2", "psn-b"),
    ];
    let active = format!(
        "<activeList noOfActiveSession=\"2\">{}</activeList>",
        rows.concat()
    );
    let node = Node::answering(move |path| match path {
        "Session/Active/SessionID/OLD1/0" => xml(format!(
            "<activeSessionList noOfActiveSession=\"1\"><activeSession><calling_station_id>{MAC}</calling_station_id><audit_session_id>OLD1</audit_session_id><username>old</username><nas_ip_address>192.0.2.21</nas_ip_address><framed_ip_address>198.51.100.6</framed_ip_address><nas_port_id>Gi1</nas_port_id></activeSession></activeSessionList>"
        )),
        _ => answer(
            path,
            "<sessionParameters><passed>true</passed><user_name>new</user_name><nas_ip_address>192.0.2.22</nas_ip_address><calling_station_id>00:00:5E:00:53:06</calling_station_id><framed_ip_address>198.51.100.6</framed_ip_address><audit_session_id>NEW2</audit_session_id><nas_port_id>Gi2</nas_port_id></sessionParameters>",
            &active,
        ),
    });
    let run = list(&node).success();
    assert_eq!(
        stdout(&run),
        format!(
            "{MAC}\t198.51.100.6\t192.0.2.21\told\tGi1\n{MAC}\t198.51.100.6\t192.0.2.22\tnew\tGi2\n"
        )
    );
    assert_eq!(stderr(&run), "");
    // The row that leads to a session leads to that one.
    let run = node
        .mnt(&["session", "--ip", "198.51.100.6", "--json"])
        .assert();
    assert_eq!(json(&run.success())["audit_session_id"], "OLD1");
}

/// Cause and remedy are an addition: the reason's words stand in the attempt.
#[test]
fn explain_does_without_the_catalogue() {
    for (status, code) in [(500, 0), (404, 0), (401, 4)] {
        let node = Node::answering(move |path| match path {
            "FailureReasons" => (status, "text/html", b"<html>boom</html>".to_vec()),
            _ => answer(path, REFUSED, ""),
        });
        let run = node.mnt(&["explain", MAC]).assert().code(code);
        if code == 0 {
            let text = stdout(&run);
            assert!(
                text.starts_with(&format!("{MAC}  refused: 22040 Wrong")),
                "{text}"
            );
            assert!(
                text.contains("  cause           not known, nor is the remedy: "),
                "{text}"
            );
            let story = json(&node.mnt(&["explain", MAC, "--json"]).assert().success());
            let missing = story["catalogueMissing"].as_str().unwrap();
            assert!(missing.contains(&format!("HTTP {status}")), "{missing}");
        }
    }
}
