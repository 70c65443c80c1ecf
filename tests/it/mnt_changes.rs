//! What changes something: change of authorization, deleting a session; and `get`, which may not.

use serde_json::{Value, json};

use crate::support::lab::lab;
use crate::support::mnt::{ID, MAC, object, paths, said};
use crate::support::{stderr, stdout};

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
    let sent = lab.requests().len();
    for option in [["--fields", "nope"], ["--sort", "count"], ["--limit", "1"]] {
        let run = lab.mnt(&["get", "Version"]).args(option).assert().code(2);
        assert!(
            stderr(&run).contains("hint: add --json"),
            "{}",
            stderr(&run)
        );
    }
    assert_eq!(lab.requests().len(), sent);
    let run = lab.mnt(&["get", "No/Such/Path"]).assert().code(5);
    assert!(stderr(&run).contains("the server does not know this path (HTTP 404)"));
    assert_eq!(paths(&lab).last().unwrap(), "No/Such/Path");
}

/// However it is written: what changes the network is not for the escape hatch, and nothing leaves
/// the API's folder.
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

/// How to print is looked at before anything is sent: an error of usage says that nothing was.
#[test]
fn a_mistake_in_how_to_print_is_found_before_anything_is_changed() {
    let lab = lab();
    for command in [
        &["mnt", "coa", MAC][..],
        &["mnt", "delete", MAC, "--yes"],
        &[
            "pxgrid",
            "anc",
            "apply",
            "--mac",
            MAC,
            "--policy",
            "Quarantine",
        ],
        &[
            "pxgrid",
            "anc",
            "apply",
            "--mac",
            "-",
            "--policy",
            "Quarantine",
        ],
        &["pxgrid", "anc", "clear", "--mac", MAC],
        &["pxgrid", "anc", "create", "new", "--action", "port-bounce"],
        &["pxgrid", "anc", "delete", "Quarantine"],
        &["pxgrid", "account", "create", "reporter"],
        &["pxgrid", "account", "activate"],
        &[
            "pxgrid",
            "call",
            "anc",
            "deletePolicyByName",
            r#"{"name":"Quarantine"}"#,
        ],
    ] {
        for (option, said) in [
            (&["--fields", "nope"][..], "unknown field 'nope'"),
            (&["--sort", "-nope", "--json"], "unknown field 'nope'"),
            (&["--jq", "foo("], "the --jq expression is wrong"),
            (&["--jq", ".", "--format", "csv"], "--jq works on JSON"),
        ] {
            if command.contains(&"call") && said.contains("field") {
                continue;
            }
            let mut run = lab.netapi();
            run.arg("ise").args(command).args(option);
            let run = run.write_stdin(MAC).assert().code(2);
            assert!(stderr(&run).contains(said), "{command:?} {option:?}");
        }
    }
    assert_eq!(lab.requests(), [""; 0]);
    said(
        &lab,
        &["coa", MAC, "--fields", "server,result", "--sort", "mac"],
    );
}

/// What only the answer could tell does not lose the answer.
#[test]
fn the_answer_to_a_change_is_printed_whole_where_it_cannot_be_printed_as_asked() {
    let lab = lab();
    let create = r#"{"name":"new","actions":["QUARANTINE"]}"#;
    for (words, member) in [
        (
            &[
                "call",
                "anc",
                "createPolicy",
                create,
                "--json",
                "--fields",
                "nope",
            ][..],
            "name",
        ),
        (
            &["account", "create", "reporter", "--jq", ".password.x"],
            "password",
        ),
    ] {
        let run = lab.pxgrid(words).assert().code(1);
        let answer: Value = serde_json::from_str(&stdout(&run)).unwrap();
        assert!(answer[member].is_string(), "{answer}");
        assert!(
            stderr(&run).contains("it was carried out"),
            "{}",
            stderr(&run)
        );
    }
}

/// An answer on which `--jq` fails leaves nothing of the list undone.
#[test]
fn a_list_of_changes_goes_on_after_an_answer_on_which_jq_fails() {
    let lab = lab();
    let other = "00:00:5E:00:53:01";
    let filter = format!(r#".answer.macAddress | if . == "{MAC}" then error("no") else . end"#);
    let run = lab
        .pxgrid(&["anc", "apply", "--mac", "-", "--policy", "Quarantine"])
        .args(["--jobs", "1", "--format", "jsonl", "--jq", &filter])
        .write_stdin(format!("{MAC}\n{other}\n"))
        .assert()
        .code(1);
    assert_eq!(stdout(&run), format!("{other}\n"));
    assert!(stderr(&run).contains("1 of 2 failed"), "{}", stderr(&run));
}
