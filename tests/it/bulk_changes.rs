//! Lists that are changed: one row for each input, what is sent once, what is kept of a run and how
//! it goes on; and changes whose outcome is lost.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::pxgrid_node::{Answer, counts, plan};
use crate::support::hostile::{Reply, node, session_of};
use crate::support::{json as printed, stderr, stdout};

const MAC: &str = "C8:5B:76:C6:59:62";
const SENT: &str = "<remoteCoA><results>true</results></remoteCoA>";

fn outcomes(rows: &Value) -> Vec<(String, String)> {
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| (text(row, "input"), text(row, "outcome")))
        .collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected
        .iter()
        .map(|(input, outcome)| ((*input).to_owned(), (*outcome).to_owned()))
        .collect()
}

fn good_node(path: &str) -> Reply {
    match path {
        path if path.starts_with("CoA/") => Reply::xml(SENT),
        path => Reply::xml(&session_of(path.rsplit('/').next().unwrap())),
    }
}

#[test]
fn each_input_has_one_row_in_its_own_spelling() {
    let deployment = plan().start();
    let list = "\u{feff}C8:5B:76:00:00:01\r\nC8:5B:76:00:00:05\nnope\nc85b.7600.0005 # again\n";
    let run = deployment
        .pxgrid(&[
            "anc",
            "apply",
            "--mac",
            "-",
            "--policy",
            "quarantine",
            "--json",
        ])
        .write_stdin(list)
        .assert()
        .code(1);
    let rows = printed(&run);
    assert_eq!(
        outcomes(&rows),
        pairs(&[
            ("C8:5B:76:00:00:01", "already"),
            ("C8:5B:76:00:00:05", "done"),
            ("nope", "invalid"),
            ("c85b.7600.0005", "already"),
        ])
    );
    assert_eq!(rows[0]["answer"]["status"], "FAILURE");
    assert_eq!(rows[1]["answer"]["status"], "SUCCESS");
    assert!(rows[2]["answer"].is_null());
    assert_eq!(counts(&deployment)["applyEndpointByMacAddress"], 2);
    // A repeat is no failure, also where a second order would be one.
    let run = deployment
        .pxgrid(&["anc", "clear", "--mac", "-"])
        .write_stdin("C8:5B:76:00:00:05\nc8-5b-76-00-00-05\n")
        .assert()
        .success();
    let rows: Vec<String> = stdout(&run).lines().map(str::to_owned).collect();
    assert!(rows[0].starts_with("C8:5B:76:00:00:05\tdone"), "{rows:?}");
    assert!(
        rows[1].starts_with("c8-5b-76-00-00-05\talready"),
        "{rows:?}"
    );
    assert_eq!(counts(&deployment)["clearEndpointByMacAddress"], 1);
}

#[test]
fn a_list_is_checked_whole_with_each_hint_once_before_anything_is_sent() {
    let deployment = plan().start();
    let mut list: Vec<String> = (0..50).map(|number| format!("bad{number}")).collect();
    list[3] = "desk 4,C8:5B:76:00:00:05".to_owned();
    list.push("C8:5B:76:00:00:05".to_owned());
    let run = deployment
        .pxgrid(&["anc", "clear", "--mac", "-"])
        .write_stdin(list.join("\n"))
        .assert()
        .code(1);
    let said = stderr(&run);
    assert!(
        said.starts_with("1 address, 50 invalid: lines 1, 2, 3, "),
        "{said}"
    );
    for hint in ["hint: write it as ", "hint: a list has one column"] {
        assert_eq!(said.matches(hint).count(), 1, "{said}");
    }
    assert_eq!(said.matches("hint: ").count(), 2, "{said}");
    assert_eq!(stdout(&run).lines().count(), 51);
    // A list that cannot be read to its end changes nothing.
    let long = format!("C8:5B:76:00:00:06\n{}\n", "A".repeat(5000));
    deployment
        .pxgrid(&["anc", "clear", "--mac", "-"])
        .write_stdin(long)
        .assert()
        .code(2);
    assert_eq!(counts(&deployment)["clearEndpointByMacAddress"], 1);
}

#[test]
fn coa_of_a_list_is_sent_once_to_each() {
    let node = node(|path| match path {
        "CoA/Reauth/psn-a/02:00:00:00:00:02/0" => {
            Reply::xml("<remoteCoA><results>false</results></remoteCoA>")
        }
        path => good_node(path),
    });
    let run = node
        .mnt(&["coa", "-", "--json"])
        .write_stdin("02:00:00:00:00:01\n02:00:00:00:00:02\n0200.0000.0001\n")
        .assert()
        .code(1);
    let rows = printed(&run);
    assert_eq!(
        outcomes(&rows),
        pairs(&[
            ("02:00:00:00:00:01", "done"),
            ("02:00:00:00:00:02", "failed"),
            ("0200.0000.0001", "already"),
        ])
    );
    assert_eq!(rows[0]["answer"], json!({"results": "true"}));
    assert!(stderr(&run).contains("1 of 3 failed: 1 done, 1 already, 1 failed"));
    let sent = |path: &&String| path.starts_with("CoA/");
    assert_eq!(node.asked().iter().filter(sent).count(), 2);
}

#[test]
fn a_report_keeps_each_input_and_a_run_goes_on_where_it_ended() {
    let directory = tempfile::tempdir().unwrap();
    let report = directory.path().join("report.jsonl");
    let report = report.to_str().unwrap();
    let sick = Arc::new(AtomicUsize::new(1));
    let still_sick = sick.clone();
    let node = node(move |path| {
        if path.ends_with("02:00:00:00:00:02") && still_sick.load(Ordering::SeqCst) == 1 {
            return Reply::status(500);
        }
        good_node(path)
    });
    let list = "02:00:00:00:00:01\n02:00:00:00:00:02\nnope\n";
    node.mnt(&["coa", "-", "--report", report])
        .write_stdin(list)
        .assert()
        .code(1);
    let rows = |path: &str| -> Vec<Value> {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let kept = Value::Array(rows(report));
    assert_eq!(
        outcomes(&kept),
        pairs(&[
            ("02:00:00:00:00:01", "done"),
            ("02:00:00:00:00:02", "failed"),
            ("nope", "invalid"),
        ])
    );
    // It is not overwritten, and it is of this command.
    node.mnt(&["coa", "-", "--report", report])
        .write_stdin(list)
        .assert()
        .code(2);
    node.mnt(&["coa", "-", "-t", "disconnect", "--resume", report])
        .write_stdin(list)
        .assert()
        .code(2);
    sick.store(0, Ordering::SeqCst);
    let run = node
        .mnt(&["coa", "-", "--resume", report])
        .write_stdin("0200.0000.0001\n02:00:00:00:00:02\n")
        .assert()
        .success();
    assert!(stdout(&run).contains("0200.0000.0001\talready\tdone in an earlier run"));
    let sent = |path: &&String| path.starts_with("CoA/") && path.contains(":01/");
    assert_eq!(node.asked().iter().filter(sent).count(), 1);
    assert_eq!(rows(report)[1]["outcome"], "done");
}

/// Killed between sending and hearing: the run that goes on does not send it again, and says so.
#[test]
fn what_a_killed_run_had_sent_is_not_sent_again() {
    let directory = tempfile::tempdir().unwrap();
    let report = directory.path().join("report.jsonl");
    let report = report.to_str().unwrap();
    let node = node(|path| match path {
        path if path.starts_with("CoA/") && path.contains(":02/") => Reply::Silence,
        path => good_node(path),
    });
    let list = "02:00:00:00:00:01\n02:00:00:00:00:02\n02:00:00:00:00:03\n";
    let mut input = tempfile::tempfile().unwrap();
    input.write_all(list.as_bytes()).unwrap();
    std::io::Seek::rewind(&mut input).unwrap();
    let run = node.start(&["coa", "-", "--jobs", "1", "--report", report], input);
    let sent = |mac: &str| {
        let path = format!("CoA/Reauth/psn-a/{mac}/0");
        node.asked().iter().filter(|asked| **asked == path).count()
    };
    run.until("the second is sent", || sent("02:00:00:00:00:02") == 1);
    run.signal(Signal::KILL);
    drop(run);
    let run = node
        .mnt(&["coa", "-", "--resume", report, "--json"])
        .write_stdin(list)
        .assert()
        .code(1);
    let rows = printed(&run);
    assert_eq!(
        outcomes(&rows),
        pairs(&[
            ("02:00:00:00:00:01", "already"),
            ("02:00:00:00:00:02", "failed"),
            ("02:00:00:00:00:03", "done"),
        ])
    );
    let reason = rows[1]["reason"].as_str().unwrap();
    assert!(reason.contains("not sent again") && reason.contains("netapi ise mnt session"));
    for mac in [
        "02:00:00:00:00:01",
        "02:00:00:00:00:02",
        "02:00:00:00:00:03",
    ] {
        assert_eq!(sent(mac), 1, "{mac}");
    }
}

/// The answer to a change of authorization is lost: what was sent, to whom, and how to look; the
/// status is that of the fact.
#[test]
fn a_change_of_authorization_whose_answer_is_lost() {
    for (reply, code) in [
        ((|| Reply::Close) as fn() -> Reply, 6),
        (|| Reply::Silence, 7),
        (
            || Reply::Bytes("HTTP/1.1 200 X\r\nContent-Length: 90\r\n\r\n<remoteCoA>".into()),
            7,
        ),
        (|| Reply::xml("<html>"), 5),
        (|| Reply::xml(""), 5),
        (|| Reply::status(503), 5),
        (|| Reply::status(500), 5),
    ] {
        let node = node(move |path| match path {
            path if path.starts_with("CoA/") => reply(),
            _ => Reply::xml(&session_of(MAC)),
        });
        let run = node
            .mnt(&["coa", MAC, "--timeout", "1s"])
            .assert()
            .code(code);
        let said = stderr(&run);
        for words in [
            "the change of authorization (reauth) of C8:5B:76:C6:59:62 was sent",
            "psn-a",
            "hint: look with `netapi ise mnt session C8:5B:76:C6:59:62`",
        ] {
            assert!(said.contains(words), "{said}");
        }
        let sent = |path: &&String| path.starts_with("CoA/");
        assert_eq!(node.asked().iter().filter(sent).count(), 1);
    }
}

/// The outcome of an order is lost: its id and the line to ask by are in the error, and in JSON in
/// `answer`.
#[test]
fn an_order_whose_status_cannot_be_read_names_its_operation() {
    for (answer, code) in [
        (|| Answer::Text(500, String::new()), 5),
        (|| Answer::Text(401, String::new()), 4),
        (|| Answer::Text(200, "<html>".into()), 5),
        (|| Answer::Close, 6),
        (|| Answer::Silence, 7),
    ] as [(fn() -> Answer, i32); 5]
    {
        let deployment = plan()
            .when(move |arrived| match arrived.operation.as_str() {
                "getOperationStatus" => Some(answer()),
                "applyEndpointByMacAddress" => Some(Answer::json(
                    &json!({"operationId": "ise:7", "status": "RUNNING", "macAddress": arrived.body["macAddress"]}),
                )),
                _ => None,
            })
            .start();
        let apply = ["anc", "apply", "--policy", "quarantine", "--timeout", "1s"];
        let run = deployment
            .pxgrid(&apply)
            .args(["--mac", "C8:5B:76:00:00:07", "--json"])
            .assert()
            .code(code);
        let error: Value = serde_json::from_str(stderr(&run).trim()).unwrap();
        let error = &error["error"];
        assert_eq!(error["answer"]["operationId"], "ise:7");
        let hint = error["hint"].as_str().unwrap();
        assert!(
            hint.contains("`netapi ise pxgrid anc status ise:7`"),
            "{hint}"
        );
        assert_eq!(printed(&run)["operationId"], "ise:7");
        // The same in a list.
        let run = deployment
            .pxgrid(&apply)
            .args(["--mac", "-", "--json"])
            .write_stdin("C8:5B:76:00:00:07\n")
            .assert();
        let rows = printed(&run);
        assert_eq!(rows[0]["outcome"], "failed");
        assert_eq!(rows[0]["answer"]["operationId"], "ise:7");
        let reason = rows[0]["reason"].as_str().unwrap();
        assert!(reason.contains("anc status ise:7"), "{reason}");
    }
}

/// An order that was taken with a state that nobody knows has an id all the same.
#[test]
fn an_order_of_unknown_state_names_its_operation() {
    let deployment = plan()
        .when(|arrived| {
            let taken = json!({"operationId": "ise:9", "status": "ACCEPTED"});
            let applies = arrived.operation == "applyEndpointByMacAddress";
            applies.then(|| Answer::json(&taken))
        })
        .start();
    let apply = ["anc", "apply", "--policy", "quarantine", "--mac"];
    let run = deployment
        .pxgrid(&apply)
        .arg("C8:5B:76:00:00:07")
        .assert()
        .code(5);
    let said = stderr(&run);
    assert!(
        said.contains("`netapi ise pxgrid anc status ise:9`"),
        "{said}"
    );
}

/// A registration whose answer is lost: nothing was published, and how to look.
#[test]
fn a_registration_whose_answer_is_lost() {
    for answer in [|| Answer::Close, || Answer::Text(500, String::new())] as [fn() -> Answer; 2] {
        let deployment = plan()
            .when(move |arrived| (arrived.operation == "ServiceRegister").then(answer))
            .start();
        let run = deployment
            .pxgrid(&["publish", "asset", "-"])
            .write_stdin("{\"assetId\":1}")
            .assert()
            .failure();
        let said = stderr(&run);
        for words in [
            "the registration of com.cisco.endpoint.asset was sent",
            "hint: nothing was published; `netapi ise pxgrid services com.cisco.endpoint.asset`",
        ] {
            assert!(said.contains(words), "{said}");
        }
    }
}

/// Ctrl-C in a list: what is under way has its row and its id, the rest was not sent, and the
/// status is the signal's.
#[test]
fn a_signal_ends_a_list_with_a_row_for_each_input() {
    let deployment = plan()
        .when(|arrived| match arrived.operation.as_str() {
            "getOperationStatus" => Some(Answer::json(
                &json!({"operationId": arrived.body["operationId"], "status": "RUNNING"}),
            )),
            "applyEndpointByMacAddress" => Some(Answer::json(
                &json!({"operationId": "ise:7", "status": "RUNNING"}),
            )),
            _ => None,
        })
        .start();
    let mut input = tempfile::tempfile().unwrap();
    input
        .write_all(b"C8:5B:76:00:00:07\nC8:5B:76:00:00:08\n")
        .unwrap();
    std::io::Seek::rewind(&mut input).unwrap();
    let run = deployment.start(
        &["anc", "apply", "--mac", "-", "--policy", "quarantine"],
        input,
    );
    run.until("the order is given", || {
        counts(&deployment).contains_key("getOperationStatus")
    });
    run.signal(Signal::INT);
    let (code, out, _) = run.end();
    assert_eq!(code, 130);
    assert!(out[0].starts_with("C8:5B:76:00:00:07\tfailed"), "{out:?}");
    assert!(out[0].contains("anc status ise:7"), "{out:?}");
    assert!(out[1].starts_with("C8:5B:76:00:00:08\tnot-sent"), "{out:?}");
    // And of one endpoint.
    let run = deployment.start(
        &[
            "anc",
            "apply",
            "--mac",
            "C8:5B:76:00:00:07",
            "--policy",
            "quarantine",
        ],
        tempfile::tempfile().unwrap(),
    );
    let before = counts(&deployment)["getOperationStatus"];
    run.until("the order is given", || {
        counts(&deployment)["getOperationStatus"] > before
    });
    run.signal(Signal::TERM);
    let (code, _, err) = run.end();
    assert_eq!(code, 143);
    assert!(err.join("\n").contains("anc status ise:7"), "{err:?}");
}

#[test]
fn options_of_lists_are_refused_for_one() {
    let node = node(good_node);
    for option in ["--report", "--resume"] {
        let run = node.mnt(&["coa", MAC, option, "x"]).assert().code(2);
        assert!(stderr(&run).contains("is for a list"), "{}", stderr(&run));
    }
    assert!(node.asked().is_empty());
}

/// One line for each on a pipe, the whole of each in JSON; the failure catalogue is asked for once.
#[test]
fn explain_takes_a_list() {
    let lab = crate::support::lab::lab();
    let list = "C8:5B:76:C6:59:62\n00:00:5e:00:53:f0\n0000.5E00.53F0\n";
    let run = lab
        .mnt(&["explain", "-", "--json"])
        .write_stdin(list)
        .assert()
        .success();
    let found = printed(&run);
    let macs: Vec<&str> = (0..2).filter_map(|at| found[at]["mac"].as_str()).collect();
    assert_eq!(macs, [MAC, "00:00:5E:00:53:F0"]);
    assert_eq!(found.as_array().unwrap().len(), 2);
    assert!(found[1]["why"]["cause"].is_string());
    let reasons = |path: &&String| path.ends_with("FailureReasons");
    assert_eq!(lab.requests().iter().filter(reasons).count(), 1);
    let run = lab
        .mnt(&["explain", "-"])
        .write_stdin(list)
        .assert()
        .success();
    assert_eq!(stdout(&run).lines().count(), 2, "{}", stdout(&run));
}
