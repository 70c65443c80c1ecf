//! `netapi ise wait`, and `--wait-for` of coa and anc: did the endpoint come back as it was wanted,
//! after the change and not before it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::Value;

use crate::support::hostile::{HostileNode, Reply, node};
use crate::support::lab::{TestLab, faulty, lab};
use crate::support::{json, stderr, stdout};

const MAC: &str = "C8:5B:76:C6:59:62";

fn wait(lab: &TestLab, arguments: &[&str]) -> assert_cmd::assert::Assert {
    let mut command = lab.netapi();
    command.args(["ise", "wait", MAC]).args(arguments).assert()
}

#[test]
fn it_returns_when_the_session_is_as_wanted() {
    let lab = lab();
    let run = wait(&lab, &["--for", "state=='STARTED'", "--json"]).success();
    assert_eq!(json(&run)["macAddress"], MAC);
    let quarantined = [
        "ise",
        "wait",
        MAC,
        "--for",
        "ancPolicy=='Quarantine'",
        "--interval",
        "1s",
        "--fields",
        "SGT",
    ];
    let running = lab.start_netapi(&quarantined, &[]);
    let looks = || {
        let requests = lab.requests();
        requests
            .iter()
            .filter(|line| line.contains("getSessionByMacAddress"))
            .count()
    };
    crate::support::wait_for("a second look", || looks() >= 3);
    let order = ["anc", "apply", "--mac", MAC, "--policy", "Quarantine"];
    lab.pxgrid(&order).assert().success();
    let (code, out, err) = running.end();
    assert_eq!(
        (code, out),
        (0, vec!["SGT\tQuarantined_Systems".to_owned()]),
        "{err:?}"
    );
    // Of the other interface, by its members; and until it has none.
    let mnt = [
        "--source",
        "mnt",
        "--for",
        "cts_security_group=='Quarantined_Systems'",
        "--fields",
        "calling_station_id",
    ];
    assert!(stdout(&wait(&lab, &mnt).success()).ends_with(&format!("\t{MAC}\n")));
    lab.mnt(&["coa", MAC, "-t", "disconnect"])
        .assert()
        .success();
    wait(&lab, &["--for", "!@"]).success().stdout("");
}

#[test]
fn what_does_not_come_is_7_with_the_last_state_and_how_to_ask_again() {
    let lab = lab();
    let run = wait(
        &lab,
        &[
            "--for",
            "ancPolicy=='Quarantine' && state=='STARTED'",
            "--timeout",
            "1s",
        ],
    )
    .code(7);
    let said = stderr(&run);
    assert!(
        said.contains("did not come to satisfy")
            && said.contains("last seen: ancPolicy –, state STARTED"),
        "{said}"
    );
    assert!(
        said.contains("ask again with `netapi ise wait C8:5B:76:C6:59:62 --source pxgrid --for '"),
        "{said}"
    );
    let run = wait(&lab, &["--for", "ancPolicy", "--timeout", "1s", "--json"]).code(7);
    let error: Value = serde_json::from_str(&stderr(&run)).unwrap();
    assert_eq!(error["error"]["answer"]["macAddress"], MAC);
    // It was so already, and is asked to be so anew.
    wait(
        &lab,
        &[
            "--for",
            "state=='STARTED'",
            "--after",
            "0s",
            "--timeout",
            "1s",
        ],
    )
    .code(7);
    wait(
        &lab,
        &[
            "--for",
            "state=='STARTED'",
            "--after",
            "30d",
            "--timeout",
            "1s",
        ],
    )
    .success();
    let asked = lab.requests().len();
    for (wrong, words) in [
        (&["--for", "state="][..], "is not a filter"),
        (&["--for", "nosuch(state)"], "is not a filter"),
        (
            &["--for", "state", "--timeout", "soon"],
            "is no length of time",
        ),
        (
            &["--for", "state", "--after", "soon"],
            "is no point in time",
        ),
    ] {
        let run = wait(&lab, wrong).code(2);
        assert!(stderr(&run).contains(words), "{}", stderr(&run));
    }
    let list = lab
        .netapi()
        .args(["ise", "wait", "-", "--for", "x"])
        .assert()
        .code(2);
    assert!(stderr(&list).contains("a list is waited for by --wait-for"));
    assert_eq!(lab.requests().len(), asked);
    // A refusal is not waited out, and overload is.
    let refused = faulty(&["unauthorized:/admin/"]);
    wait(&refused, &["--source", "mnt", "--for", "x"]).code(4);
    let busy = faulty(&["overload-503@2:/Session/"]);
    wait(
        &busy,
        &["--source", "mnt", "--for", "user_name", "--interval", "1s"],
    )
    .success();
}

/// A node that takes every change, and whose sessions authenticate again `after` so many looks
/// behind it.
fn slow_node(after: usize) -> HostileNode {
    let looks = Arc::new(AtomicUsize::new(usize::MAX));
    node(move |path| {
        if path.starts_with("CoA/") {
            looks.store(0, Ordering::SeqCst);
            return Reply::xml("<remoteCoA><results>true</results></remoteCoA>");
        }
        let seen = looks.load(Ordering::SeqCst);
        let seen = match seen {
            usize::MAX => 0,
            seen => {
                looks.store(seen + 1, Ordering::SeqCst);
                seen + 1
            }
        };
        let second = if seen > after { "01" } else { "00" };
        let mac = path.rsplit('/').next().unwrap();
        Reply::xml(&format!(
            "<sessionParameters><passed>true</passed><user_name>pat</user_name>\
             <audit_session_id>A</audit_session_id><calling_station_id>{mac}</calling_station_id>\
             <auth_acs_timestamp>2026-11-28T10:00:{second}.000Z</auth_acs_timestamp>\
             <acct_session_time>{seen}</acct_session_time><acs_server>psn-a</acs_server></sessionParameters>"
        ))
    })
}

/// The session of before satisfies it from the first look on, and is not taken for an answer.
#[test]
fn the_session_of_before_the_change_does_not_count() {
    let node = slow_node(2);
    let started = Instant::now();
    let run = node
        .mnt(&["coa", MAC, "--wait-for", "user_name=='pat'", "--json"])
        .assert()
        .success();
    assert!(
        started.elapsed().as_secs() >= 4,
        "two looks saw the old one"
    );
    let answer = json(&run);
    assert_eq!(
        (&answer["result"], &answer["seen"]["user_name"]),
        (&"satisfied".into(), &"pat".into())
    );
    let asked = node.asked();
    let sent = asked.iter().filter(|path| path.starts_with("CoA/")).count();
    assert_eq!((sent, asked.len()), (1, 5), "{asked:?}");
    // It never comes back.
    let run = slow_node(usize::MAX - 1)
        .mnt(&["coa", MAC, "--wait-for", "user_name=='pat'", "--wait", "1s"])
        .assert()
        .code(7);
    let said = stderr(&run);
    assert!(
        said.contains("was sent, but its session did not come to satisfy"),
        "{said}"
    );
    assert!(
        said.contains("last seen: user_name pat, as before"),
        "{said}"
    );
    assert!(
        said.contains("--source mnt") && said.contains("--after 2026-11-28T10:00:00.000Z"),
        "{said}"
    );
}

#[test]
fn a_list_is_waited_for_and_a_later_run_goes_on_waiting() {
    let directory = tempfile::tempdir().unwrap();
    let report = directory.path().join("report.jsonl").display().to_string();
    let node = slow_node(2);
    let run = |arguments: &[&str]| {
        let words = ["coa", "-", "--wait-for", "user_name=='pat'", "--json"];
        let run = node.mnt(&[&words[..], arguments].concat());
        let mut run = run;
        run.write_stdin(format!("{MAC}\n")).assert()
    };
    let sent = || {
        node.asked()
            .iter()
            .filter(|path| path.starts_with("CoA/"))
            .count()
    };
    let rows = json(&run(&["--wait", "1s", "--report", &report]).code(1));
    assert_eq!(rows[0]["outcome"], "failed");
    let reason = rows[0]["reason"].as_str().unwrap();
    assert!(
        reason.contains("ask again with `netapi ise wait"),
        "{reason}"
    );
    assert_eq!(sent(), 1);
    // The session that had not changed is still the one of before; it is not sent again.
    let rows = json(&run(&["--wait", "20s", "--resume", &report]).success());
    assert_eq!((&rows[0]["outcome"], sent()), (&"done".into(), 1));
    let reason = rows[0]["reason"].as_str().unwrap();
    assert!(reason.contains("its session is as wanted"), "{reason}");
}

#[test]
fn a_policy_is_waited_for_too() {
    let lab = lab();
    let apply = [
        "anc",
        "apply",
        "--mac",
        MAC,
        "--policy",
        "Quarantine",
        "--wait-for",
        "ancPolicy=='Quarantine'",
    ];
    lab.pxgrid(&apply).assert().success();
    // It is on already: nothing new is to be waited for.
    lab.pxgrid(&apply).assert().success();
    let clear = [
        "anc",
        "clear",
        "--mac",
        "-",
        "--wait-for",
        "!ancPolicy",
        "--json",
    ];
    let run = lab.pxgrid(&clear).write_stdin(MAC).assert().success();
    assert_eq!(json(&run)[0]["reason"], "its session is as wanted");
    let never = [
        "anc",
        "apply",
        "--mac",
        MAC,
        "--policy",
        "Quarantine",
        "--wait",
        "1s",
        "--wait-for",
        "ctsSecurityGroup=='Nobody'",
        "--json",
    ];
    let run = lab.pxgrid(&never).assert().code(7);
    let said = stderr(&run);
    assert!(
        said.contains("anc status") && said.contains("netapi ise wait"),
        "{said}"
    );
    assert!(
        said.contains("last seen: ctsSecurityGroup Quarantined_Systems"),
        "{said}"
    );
    let answer = json(&run);
    assert!(
        answer["operationId"].is_string() && answer.get("sessionBefore").is_none(),
        "{answer}"
    );
    for wrong in [
        &["--ip", "10.50.10.100", "--wait-for", "x"][..],
        &["--mac", MAC, "--wait-for", "x", "--no-wait"],
        &["--mac", MAC, "--wait-for", "x="],
    ] {
        let words = ["anc", "apply", "--policy", "Quarantine"];
        lab.pxgrid(&[&words[..], wrong].concat()).assert().code(2);
    }
}
