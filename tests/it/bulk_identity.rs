//! Answers about somebody else, and passwords that are rotated: what a list of look-ups and a
//! change make of them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::pxgrid_node::{Answer, counts, plan};
use crate::support::hostile::{Reply, answer, node, session_of};
use crate::support::{stderr, stdout};

const MAC: &str = "C8:5B:76:C6:59:62";
const OTHER: &str = "00:00:5E:00:53:01";

fn macs(count: usize) -> Vec<String> {
    (0..count)
        .map(|number| format!("02:00:00:00:00:{number:02X}"))
        .collect()
}

/// A cache or a proxy answers with somebody's session: nothing is sent to anybody.
#[test]
fn a_change_is_never_of_the_session_that_came() {
    let node = node(|path| match path {
        path if path.starts_with("CoA/") => {
            Reply::xml("<remoteCoA><results>true</results></remoteCoA>")
        }
        _ => Reply::xml(&session_of(OTHER)),
    });
    let run = node.mnt(&["coa", MAC, "--json"]).assert().code(5);
    assert_eq!(stdout(&run), "");
    let error: Value = serde_json::from_str(stderr(&run).trim()).unwrap();
    let message = error["error"]["message"].as_str().unwrap();
    assert!(
        message.contains(MAC) && message.contains(OTHER),
        "{message}"
    );
    assert!(!node.asked().iter().any(|path| path.starts_with("CoA/")));
    // The same for a list: each input's own row says so.
    let run = node
        .mnt(&["coa", "-", "--json"])
        .write_stdin(format!("{MAC}\n{OTHER}\n"))
        .assert()
        .code(1);
    let rows: Value = serde_json::from_str(&stdout(&run)).unwrap();
    assert_eq!(rows[0]["outcome"], "failed");
    assert_eq!(rows[1]["outcome"], "done");
    let sent: Vec<String> = node
        .asked()
        .into_iter()
        .filter(|path| path.starts_with("CoA/"))
        .collect();
    assert_eq!(sent, [format!("CoA/Reauth/psn-a/{OTHER}/0")]);
}

/// A history says whose it is around its rows, too.
#[test]
fn a_history_of_somebody_else_is_known_by_its_wrapper() {
    let node = node(|path| {
        if path.starts_with("AuthStatus") {
            return Reply::xml(&format!(
                "<authStatusOutputList><authStatusList key='{OTHER}'><authStatusElements>\
                 <passed>true</passed></authStatusElements></authStatusList></authStatusOutputList>"
            ));
        }
        Reply::xml(&format!(
            "<acctStatusOutputList><acctStatusList macAddress='{OTHER}'><acctStatusElements>\
             <acct_session_id>1</acct_session_id></acctStatusElements></acctStatusList></acctStatusOutputList>"
        ))
    });
    for command in ["auth-status", "acct-status"] {
        let run = node.mnt(&[command, MAC]).assert().code(5);
        assert!(stderr(&run).contains(OTHER), "{}", stderr(&run));
        assert_eq!(
            stdout(&node.mnt(&[command, OTHER]).assert().success())
                .lines()
                .count(),
            1
        );
    }
}

/// Each answer is followed by the one before it, unasked: no row is somebody else's, and none is
/// missing.
#[test]
fn a_belated_answer_on_a_kept_connection_is_nobodys() {
    let asked: Mutex<Vec<String>> = Mutex::default();
    let node = node(move |path| {
        let mac = path.rsplit('/').next().unwrap().to_owned();
        let own = answer(200, &session_of(&mac));
        let mut asked = asked.lock().unwrap();
        let again = asked.contains(&mac);
        asked.push(mac);
        // Every third answer comes behind an earlier one, as after a time-out in a gateway.
        match asked.iter().rev().nth(1) {
            Some(before) if !again && asked.len().is_multiple_of(3) => {
                Reply::Bytes(answer(200, &session_of(before)) + &own)
            }
            _ => Reply::Bytes(own),
        }
    });
    for (jobs, list) in [("1", 0..60), ("4", 60..120)] {
        let list = macs(120)[list].to_vec();
        let run = node
            .mnt(&["session", "-", "--fields", "MAC", "--jobs", jobs])
            .write_stdin(list.join("\n"))
            .assert()
            .success();
        assert_eq!(stdout(&run).lines().collect::<Vec<_>>(), list);
    }
}

/// The same where the belated answer is another document: every question has its answer.
#[test]
fn a_belated_document_of_another_kind_is_no_answer() {
    let asked = Mutex::new(0);
    let node = node(move |path| {
        let mac = path.split('/').nth(2).unwrap();
        let history = format!(
            "<authStatusOutputList><authStatusList key='{mac}'><authStatusElements>\
             <calling_station_id>{mac}</calling_station_id>\
             </authStatusElements></authStatusList></authStatusOutputList>"
        );
        let mut asked = asked.lock().unwrap();
        *asked += 1;
        // Once the answer is that to an earlier question about the session.
        if *asked == 3 {
            return Reply::xml(&session_of(mac));
        }
        Reply::xml(&history)
    });
    let list = macs(8);
    let run = node
        .mnt(&["auth-status", "-", "--json", "--jobs", "1"])
        .write_stdin(list.join("\n"))
        .assert()
        .success();
    let rows: serde_json::Value = serde_json::from_str(&stdout(&run)).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), list.len());
    assert_eq!(node.asked().len(), list.len() + 1, "once more, for one");
}

/// Two refusals are seen, however many wait: accounts are locked after three.
#[test]
fn a_password_that_is_rotated_in_the_middle_is_refused_at_most_twice() {
    let row = |mac: &String| {
        format!("<activeSession><calling_station_id>{mac}</calling_station_id></activeSession>")
    };
    let rows: Vec<String> = macs(60).iter().map(row).collect();
    let rows = rows.concat();
    let list = format!("<activeList noOfActiveSession='60'>{rows}</activeList>");
    for command in [
        &["session", "-"][..],
        &["auth-status", "-"],
        &["acct-status", "-"],
        &["coa", "-"],
        &["delete", "-", "--yes"],
        &["sessions", "--detail"],
    ] {
        let list = list.clone();
        let (asked, refused) = (
            AtomicUsize::new(0),
            std::sync::Arc::new(AtomicUsize::new(0)),
        );
        let seen = refused.clone();
        let node = node(move |path| {
            if asked.fetch_add(1, Ordering::SeqCst) >= 20 {
                seen.fetch_add(1, Ordering::SeqCst);
                return Reply::status(401);
            }
            if path.starts_with("CoA/") {
                return Reply::xml("<remoteCoA><results>true</results></remoteCoA>");
            }
            if path.ends_with("ActiveList") {
                return Reply::xml(&list);
            }
            if path.starts_with("AcctStatus") {
                return Reply::xml("<acctStatusOutputList></acctStatusOutputList>");
            }
            if path.starts_with("Session/Delete") {
                return Reply::xml(
                    "<mnt-rest-result><status>SUCCESSFUL</status></mnt-rest-result>",
                );
            }
            if path.starts_with("AuthStatus") {
                return Reply::xml("<authStatusOutputList></authStatusOutputList>");
            }
            Reply::xml(&session_of(path.rsplit('/').next().unwrap()))
        });
        let run = node
            .mnt(command)
            .args(["--jobs", "10"])
            .write_stdin(macs(60).join("\n"))
            .assert()
            .code(4);
        let refused = refused.load(Ordering::SeqCst);
        assert!((1..=2).contains(&refused), "{command:?}: {refused}");
        if matches!(command[0], "coa" | "delete") {
            let rows = stdout(&run);
            assert_eq!(rows.lines().count(), 60);
            assert!(rows.contains("\tnot-sent\t"), "{rows}");
        }
    }
}

/// The same comparison for pxGrid, for every look-up of one thing.
#[test]
fn nobody_elses_answer_is_taken_from_pxgrid() {
    let foreign = json!({
        "macAddress": OTHER, "callingStationId": OTHER, "ipAddresses": ["10.9.9.9"],
        "name": "other", "id": "1", "operationId": "ise:1", "status": "SUCCESS", "policyName": "other",
    });
    for arguments in [
        vec!["session", MAC],
        vec!["session", "--ip", "10.50.10.5"],
        vec!["anc", "policy", "quarantine"],
        vec!["anc", "endpoint", MAC],
        vec!["anc", "status", "ise:7"],
        vec!["radius", "failure", "77"],
    ] {
        let body = foreign.clone();
        let deployment = plan()
            .when(move |arrived| {
                arrived
                    .operation
                    .starts_with("get")
                    .then(|| Answer::json(&body))
            })
            .start();
        let run = deployment.pxgrid(&arguments).assert().code(5);
        assert_eq!(stdout(&run), "", "{arguments:?}");
        assert!(stderr(&run).contains(" about "), "{}", stderr(&run));
        let asked: usize = counts(&deployment)
            .iter()
            .filter(|(operation, _)| operation.starts_with("get"))
            .map(|(_, count)| count)
            .sum();
        assert_eq!(asked, 2, "{arguments:?}: once more on a new connection");
    }
}

/// A belated answer to another operation, or one of a gateway, has nothing of what was asked for:
/// it is no session without members.
#[test]
fn an_answer_without_a_member_of_what_was_asked_for_is_none() {
    for body in [
        json!({}),
        json!([]),
        json!({"accountState": "ENABLED"}),
        json!({"sessions": [{"macAddress": OTHER}]}),
    ] {
        for arguments in [
            ["session", MAC].as_slice(),
            &["anc", "policy", "quarantine"],
            &["anc", "endpoint", MAC],
        ] {
            let body = body.clone();
            let deployment = plan()
                .when(move |arrived| {
                    let asks = arrived.operation.starts_with("get");
                    asks.then(|| Answer::json(&body))
                })
                .start();
            let run = deployment.pxgrid(arguments).assert().code(5);
            assert_eq!(stdout(&run), "", "{arguments:?}");
            assert!(
                stderr(&run).contains("with something else"),
                "{}",
                stderr(&run)
            );
        }
    }
}
