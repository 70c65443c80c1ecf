//! Commands that run for long while the network is in trouble: they live through what passes,
//! grow their pauses, and say in the end what did not arrive.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::mnt::{MAC, said};
use crate::support::sessions::{HASTY, SESSIONS, publish, session};
use crate::support::{lab, stderr, wait_for};

/// The summary, of errors written as JSON.
fn summary(err: &[String]) -> Value {
    let line = err.iter().rfind(|line| line.contains("\"summary\""));
    let summary: Value = serde_json::from_str(line.expect("a summary")).unwrap();
    summary["summary"].clone()
}

#[test]
fn publish_of_a_file_gives_up_when_no_node_takes_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("messages.jsonl");
    std::fs::write(&file, "{\"a\":1}\n".repeat(5000)).unwrap();
    let lab = lab::faulty(&["ws-upgrade-refused"]);
    let topic = "/topic/com.example.custom";
    let from_pipe = ["publish", topic, "--wait", "2s", "--json"];
    let from_file = [&from_pipe[..], &[file.to_str().unwrap()]].concat();
    for (arguments, input, count) in [
        (&from_file[..], "", 5000),
        // A pipe whose writer is done ends as well.
        (&from_pipe, "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n", 3),
    ] {
        let begun = Instant::now();
        let run = lab.pxgrid(arguments).write_stdin(input).assert().code(6);
        assert!(begun.elapsed() >= Duration::from_secs(2));
        let err: Vec<String> = stderr(&run).lines().map(str::to_owned).collect();
        assert_eq!(summary(&err)["notSent"], count, "{err:?}");
        let error: Value = serde_json::from_str(err.last().unwrap()).unwrap();
        let message = error["error"]["message"].as_str().unwrap();
        let words = format!("{count} of {count} messages were not sent: for 2s no node took any");
        assert!(message.starts_with(&words), "{message}");
        assert!(message.contains("503"), "{message}");
    }
    let requests = lab.requests();
    let count = |end: &str| requests.iter().filter(|line| line.ends_with(end)).count();
    assert_eq!(count("/ServiceRegister"), 2);
    assert_eq!(count("/ServiceUnregister"), 2);
}

/// Whoever writes may write on: an input that has not ended waits for a node.
#[test]
fn publish_of_what_goes_on_waits_for_a_node() {
    let lab = lab::faulty(&["ws-upgrade-refused"]);
    let (input, mut writer) = std::io::pipe().unwrap();
    let mut command = crate::support::process();
    command.stdin(input).args(["ise", "pxgrid", "publish"]);
    command.args(["/topic/com.example.custom", "--wait", "0s"]);
    let running = lab.start_command(command);
    writer.write_all(b"{\"a\":1}\n").unwrap();
    running.says("new lookup");
    // Only its end makes the input finite.
    drop(writer);
    let (code, _, err) = running.end();
    assert_eq!(code, 6);
    let word = "1 of 1 messages were not sent";
    assert!(err.iter().any(|line| line.contains(word)), "{err:?}");
}

/// Whoever ends it is told what is left to publish.
#[test]
fn publish_that_is_stopped_says_what_was_not_sent() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("messages.jsonl");
    std::fs::write(&file, "{\"a\":1}\n".repeat(300)).unwrap();
    let lab = lab::lab();
    let topic = "/topic/com.example.custom";
    let slowly = ["publish", topic, "--rate", "5", "--json"];
    let running = lab.start(&[&slowly[..], &[file.to_str().unwrap()]].concat());
    running.says("connected to");
    running.signal(Signal::TERM);
    let (code, _, err) = running.end();
    assert_eq!(code, 143, "{err:?}");
    let figures = summary(&err);
    let count = |name: &str| figures[name].as_u64().unwrap();
    assert_eq!(count("published") + count("notSent"), 300, "{figures}");
    assert!(count("notSent") > 0, "{figures}");
}

#[test]
fn a_time_in_which_no_connection_stood_is_no_success() {
    let lab = lab::faulty(&["ws-upgrade-refused"]);
    let arguments = [&HASTY[..], &["--for", "2s"]].concat();
    let run = lab.pxgrid(&arguments).assert().code(6);
    let said = stderr(&run);
    assert!(
        said.contains("netapi: no connection stood in 2s: "),
        "{said}"
    );
    assert!(said.contains("503"), "{said}");
    // With one it is done when the time is over.
    let lab = lab::lab();
    lab.pxgrid(&arguments).assert().success();
}

/// What is missed from the loss on is not fetched any more: nobody may read a 0 there.
#[test]
fn an_end_in_an_outage_counts_what_may_be_lost() {
    let lab = lab::lab();
    let arguments = [&HASTY[..], &["--topic", "anc", "--json"]].concat();
    let running = lab.start(&arguments);
    publish(&lab, &[session("00:00:00:00:00:01", "pat", "STARTED")]);
    running.prints(1);
    lab.order("fault ws-upgrade-refused");
    lab.order("fault ws-close@1");
    running.says("next try");
    running.signal(Signal::INT);
    let (code, _, err) = running.end();
    assert_eq!(code, 130);
    assert_eq!(summary(&err)["possiblyLost"], 2, "{err:?}");
    let word = format!("{SESSIONS}: events may have been lost: the command ended before");
    assert!(err.iter().any(|line| line.contains(&word)), "{err:?}");
}

#[test]
fn pauses_that_would_hammer_a_server_are_refused() {
    let lab = lab::lab();
    for option in [
        "--reconnect-min",
        "--reconnect-max",
        "--lookup-pause",
        "--silence",
    ] {
        for pause in ["0s", "20ms", "999ms"] {
            let arguments = ["subscribe", "--topic", "session", option, pause];
            let run = lab.pxgrid(&arguments).assert().code(2);
            assert!(stderr(&run).contains("at least 1s"), "{}", stderr(&run));
        }
    }
    let nothing = ["subscribe", "--topic", "session", "--for", "0s"];
    let run = lab.pxgrid(&nothing).assert().code(2);
    assert!(stderr(&run).contains("no time at all"), "{}", stderr(&run));
    let run = lab.mnt(&["watch", "--interval", "0s"]).assert().code(2);
    assert!(stderr(&run).contains("at least 1s"), "{}", stderr(&run));
    assert_eq!(lab.requests(), [""; 0]);
}

#[test]
fn watch_lives_through_an_overload_from_the_first_poll_on() {
    let lab = lab::faulty(&["overload-503@2"]);
    let mut command = lab.process(&["watch", "--interval", "1s", "--limit", "1"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut words = BufReader::new(child.stderr.take().unwrap()).lines();
    for pause in ["next poll in 2s", "next poll in 4s", "watching "] {
        let said = words.find(|line| line.as_ref().unwrap().starts_with(pause));
        assert!(said.is_some(), "{pause}");
    }
    said(&lab, &["delete", MAC, "--yes"]);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.map(Result::unwrap).count(), 1);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// Waiting does not mend a refusal: one request, and the account is not locked.
#[test]
fn watch_ends_at_a_refusal_also_later() {
    let lab = lab::lab();
    let mut child = lab
        .process(&["watch", "--interval", "1s"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("the first poll", || !lab.requests().is_empty());
    lab.order("fault unauthorized");
    assert_eq!(child.wait().unwrap().code(), Some(4));
    let refused = lab.entries();
    let refused = refused.iter().filter(|entry| entry.status == Some(401));
    assert_eq!(refused.count(), 1);
}

#[test]
fn a_condition_that_can_hold_for_no_event_is_refused_and_one_that_fails_is_counted() {
    let lab = lab::lab();
    for (option, expression, why) in [
        (
            "--where",
            "contians(userName,'x')",
            "there is no function contians",
        ),
        ("--where", "contains(userName)", "contains takes 2"),
        (
            "--where",
            "starts_with(userName,`5`)",
            "argument 2 of starts_with",
        ),
        (
            "--filter",
            "in_subnets(ipAddresses,'10.0.0.0/8')",
            "in_subnets",
        ),
    ] {
        let arguments = ["subscribe", "--topic", "session", option, expression];
        let run = lab.pxgrid(&arguments).assert().code(2);
        assert!(stderr(&run).contains(why), "{}", stderr(&run));
    }
    let run = lab
        .pxgrid(&["sessions", "--filter", "lenght(userName)>`1`"])
        .assert()
        .code(2);
    assert!(stderr(&run).contains("lenght"), "{}", stderr(&run));
    let run = lab
        .pxgrid(&["sessions", "--jq", ".[] | selekt(.x)"])
        .assert()
        .code(2);
    assert!(stderr(&run).contains("--jq"), "{}", stderr(&run));
    assert_eq!(lab.requests(), [""; 0]);

    let condition = ["--where", "contains(userName,'a')", "--json"];
    let running = lab.start(&[&HASTY[..], &condition, &["--count", "1"]].concat());
    let nameless = |mac| {
        let mut row = session(mac, "", "STARTED");
        row.as_object_mut().unwrap().remove("userName");
        row
    };
    let all = [
        nameless("00:00:00:00:00:01"),
        nameless("00:00:00:00:00:02"),
        session("00:00:00:00:00:03", "pat", "STARTED"),
    ];
    publish(&lab, &all);
    let (code, out, err) = running.end();
    assert_eq!((code, out.len()), (0, 1), "{err:?}");
    assert_eq!(summary(&err)["conditionFailed"], 2, "{err:?}");
    let warned = err.iter().filter(|line| line.contains("--where failed on"));
    assert_eq!(warned.count(), 1, "{err:?}");

    // A member that no event has is as good as misspelt.
    let condition = ["--where", "usrName=='a' || userName=='kim'"];
    let running = lab.start(&[&HASTY[..], &condition, &["--count", "1"]].concat());
    lab.listened_to(SESSIONS, 2);
    publish(&lab, &[session("00:00:00:00:00:04", "kim", "STARTED")]);
    let (code, _, err) = running.end();
    assert_eq!(code, 0);
    let word = "looks at \"usrName\", which no event had";
    assert!(err.iter().any(|line| line.contains(word)), "{err:?}");
}
