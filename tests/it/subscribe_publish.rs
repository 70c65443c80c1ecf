//! `netapi ise pxgrid publish`: a registration as long as it takes, messages once each, and the
//! last steps of `pxgrid test`.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{json as parsed, lab, stderr, stdout};

const ASSETS: &str = "/topic/com.cisco.endpoint.asset";

fn asked(lab: &lab::TestLab, method: &str) -> usize {
    lab.requests()
        .iter()
        .filter(|line| line.ends_with(&format!("/{method}")))
        .count()
}

#[test]
fn assets_arrive_in_the_shape_that_ise_reads_and_the_registration_is_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("assets.jsonl");
    std::fs::write(
        &file,
        "{\"assetId\":1.0,\"assetName\":\"plc\"}\n[{\"opType\":\"DELETE\",\"asset\":{\"assetId\":2}}]\n",
    )
    .unwrap();
    let lab = lab::lab();
    let reader = lab.subscribed("asset", &["--count", "2", "--json"]);
    lab.pxgrid(&[
        "publish",
        "asset",
        file.to_str().unwrap(),
        "--settle",
        "0s",
        "--operation",
        "update",
    ])
    .assert()
    .success();
    let (code, out, _) = reader.end();
    assert_eq!(code, 0);
    let events: Vec<Value> = out
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(events[0]["topic"], ASSETS);
    assert_eq!(events[0]["event"], "UPDATE");
    assert!(
        out[0]
            .contains(r#""message":{"opType":"UPDATE","asset":{"assetId":1.0,"assetName":"plc"}}"#)
    );
    assert_eq!(
        events[1]["message"],
        json!({ "opType": "DELETE", "asset": { "assetId": 2 } })
    );
    assert_eq!(
        (
            asked(&lab, "ServiceRegister"),
            asked(&lab, "ServiceUnregister")
        ),
        (1, 1)
    );
}

#[test]
fn a_service_of_ones_own_is_found_while_it_is_registered() {
    let lab = lab::lab();
    let running = lab.start(&[
        "publish",
        "com.example.custom:customTopic",
        "/dev/null",
        "--stay",
    ]);
    running.says("connected to");
    let assert = lab
        .pxgrid(&["services", "com.example.custom", "--json"])
        .assert()
        .success();
    assert!(
        stdout(&assert).contains("/topic/com.example.custom"),
        "{}",
        parsed(&assert)
    );
    running.signal(Signal::TERM);
    assert_eq!(running.end().0, 143);
    assert_eq!(asked(&lab, "ServiceUnregister"), 1);
}

#[test]
fn what_is_no_object_ends_it_and_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bad.jsonl");
    std::fs::write(&file, "{\"a\":1}\n7\n").unwrap();
    let lab = lab::lab();
    let assert = lab
        .pxgrid(&[
            "publish",
            "/topic/com.example.custom",
            file.to_str().unwrap(),
        ])
        .assert()
        .code(2);
    assert!(stderr(&assert).contains("object 2"), "{}", stderr(&assert));
    assert_eq!(asked(&lab, "ServiceRegister"), 0);
}

#[test]
fn nothing_is_registered_where_nothing_may_be_changed() {
    let lab = lab::lab();
    lab.pxgrid(&["publish", "asset", "/dev/null", "--read-only"])
        .assert()
        .code(2);
    let assert = lab
        .pxgrid(&["publish", "asset", "/dev/null", "--dry-run"])
        .assert()
        .success();
    assert!(stdout(&assert).contains("assetTopic"));
    lab.pxgrid(&["publish", "session", "/dev/null"])
        .assert()
        .code(2);
    assert!(lab.requests().is_empty(), "{:?}", lab.requests());
}

#[test]
fn the_test_goes_as_far_as_stomp() {
    let lab = lab::lab();
    let assert = lab.pxgrid(&["test", "--json"]).assert().success();
    let steps = parsed(&assert);
    let steps: Vec<_> = steps.as_array().unwrap().iter().rev().take(2).collect();
    assert!(
        steps[0].to_string().contains("stomp") && steps[1].to_string().contains("websocket"),
        "{steps:?}"
    );
}

#[test]
fn a_server_that_hangs_does_not_keep_it_from_ending() {
    for signals in [&[Signal::TERM, Signal::INT][..], &[Signal::TERM]] {
        let lab = lab::lab();
        let running = lab.start(&[
            "publish",
            "/topic/com.example.custom",
            "/dev/null",
            "--stay",
        ]);
        running.says("connected to");
        lab.order("fault stalled");
        let begun = std::time::Instant::now();
        for signal in signals {
            running.signal(*signal);
            running.says("published 0");
        }
        let (code, _, err) = running.end();
        assert_eq!(code, 143, "{err:?}");
        assert!(
            begun.elapsed() < std::time::Duration::from_secs(10),
            "{err:?}"
        );
        let word = "the registration of com.example.custom was not taken back";
        assert!(err.iter().any(|line| line.contains(word)), "{err:?}");
    }
}

/// What cannot be published is found before the server hears of anything, in a file to its end.
#[test]
fn a_wrong_input_registers_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("assets.jsonl");
    std::fs::write(&file, "{\"assetId\":1}\n{\"assetId\":2}\n7\n").unwrap();
    let lab = lab::lab();
    let wrong = |run: assert_cmd::assert::Assert, which: &str| {
        let said = stderr(&run.code(2));
        assert!(said.contains(which), "{said}");
        assert!(
            said.contains("hint: nothing was registered or published"),
            "{said}"
        );
        assert_eq!(asked(&lab, "ServiceRegister"), 0);
        assert_eq!(asked(&lab, "AccountActivate"), 0);
    };
    let publish = |from: &str| lab.pxgrid(&["publish", "asset", from, "--settle", "0s"]);
    wrong(
        publish(file.to_str().unwrap()).assert(),
        "assets.jsonl: object 3 ",
    );
    wrong(
        publish("-").write_stdin("nonsense\n").assert(),
        "standard input: object 1 ",
    );
    let mut shell = std::process::Command::new("/bin/sh");
    shell
        .args([
            "-c",
            "exec \"$0\" ise pxgrid publish asset - --settle 0s < \"$1\"",
        ])
        .arg(env!("CARGO_BIN_EXE_netapi"))
        .arg(&file);
    for name in ["ISE_PXGRID_HOST", "PXGRID_CERT", "PXGRID_KEY", "PXGRID_CA"] {
        shell.env(name, lab.variable(name));
    }
    assert_eq!(shell.output().unwrap().status.code(), Some(2));
    assert_eq!(asked(&lab, "ServiceRegister"), 0);
    // A good one is read from its beginning.
    std::fs::write(&file, "{\"assetId\":1}\n{\"assetId\":2}\n").unwrap();
    let done = shell.output().unwrap();
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert!(
        String::from_utf8_lossy(&done.stderr).contains("published 2"),
        "{done:?}"
    );
}
