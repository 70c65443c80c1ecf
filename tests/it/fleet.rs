//! `fleet status` and `fleet dead`: what they show of a real stream and real workers, what they
//! change, and that the permissions that are printed suffice.

use std::time::Duration;

use async_nats::jetstream;
use rustix::process::Signal;
use serde_json::Value;

use crate::support::callback::{lines, script};
use crate::support::fleet::Fleet;
use crate::support::nats::{JETSTREAM, NatsServer, Servers, ask, secret_file, server};
use crate::support::running::Running;
use crate::support::{json, netapi, stderr, stdout, wait_for};

fn fleet(words: &[&str]) -> assert_cmd::assert::Assert {
    netapi()
        .args(["ise", "pxgrid", "fleet"])
        .args(words)
        .timeout(Duration::from_mins(1))
        .assert()
}

fn status(server: &NatsServer) -> Value {
    json(&fleet(&["status", &server.to(), "--json"]).success())
}

fn ends(worker: Running) {
    worker.signal(Signal::TERM);
    let (code, _, err) = worker.end();
    assert_eq!(code, 143, "{err:?}");
}

#[test]
fn status_shows_stream_members_and_what_each_group_has_to_do() {
    let Some(server) = server(JETSTREAM) else {
        return;
    };
    let err = stderr(&fleet(&["status", &server.to()]).code(3));
    assert!(err.contains("there is no stream EVENTS"), "{err}");
    assert!(err.contains("--create-stream --max-bytes 10G"), "{err}");
    let mut fleet_of = Fleet::start(server, 40);
    let worker = fleet_of.worker("g", "", &["--jobs", "3"]);
    worker.says("32 of 32 partitions are ours");
    fleet_of.more_runs("g", 30);
    let shown = status(&fleet_of.server);
    assert_eq!(shown["stream"]["name"], "EVENTS");
    assert_eq!(shown["stream"]["partitions"], 32);
    assert_eq!(shown["stream"]["maxBytes"], 100 << 20);
    assert!(shown["stream"]["messages"].as_u64().unwrap() >= 30);
    let members = shown["members"].as_array().unwrap();
    assert_eq!(members.len(), 1, "{members:?}");
    assert_eq!(
        (&members[0]["group"], &members[0]["jobs"]),
        (&"g".into(), &3.into())
    );
    let group = &shown["groups"][0];
    assert_eq!(group["name"], "g");
    let partitions = group["partitions"].as_array().unwrap();
    assert_eq!(partitions.len(), 32);
    assert!(
        partitions
            .iter()
            .all(|one| one["owner"] == members[0]["name"])
    );
    ends(worker);
    // It says goodbye for a second; on a machine that is busy its lease may have to run out.
    wait_for("a group without members", || {
        let shown = status(&fleet_of.server);
        shown["members"].as_array().unwrap().is_empty()
    });
    // Nobody works now: it piles up, and is nobody's.
    wait_for("lag", || {
        status(&fleet_of.server)["groups"][0]["lag"]
            .as_u64()
            .unwrap()
            > 20
    });
    let stored = fleet_of.fill();
    let shown = status(&fleet_of.server);
    let group = &shown["groups"][0];
    assert_eq!(shown["stream"]["messages"], stored.len());
    assert!(group["oldest"].is_string());
    assert!(shown["members"].as_array().unwrap().is_empty());
    let partitions = group["partitions"].as_array().unwrap();
    assert!(partitions.iter().all(|one| one["owner"].is_null()));
    let text = stdout(&fleet(&["status", &fleet_of.server.to()]).success());
    let lag = format!("group g: lag {}", group["lag"]);
    for part in [
        "stream EVENTS: ",
        "of 100.0M",
        "dead letters: 0",
        &lag,
        "no workers",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

/// A server before 2.10 miscounts what is left when values are replaced that it was about to
/// deliver, and a request that is not to wait then waits.
#[test]
fn members_that_write_while_they_are_read_are_read_to_the_end() {
    let Some(server) = server(JETSTREAM) else {
        return;
    };
    let fleet_of = Fleet::start(server, 1);
    let one = fleet_of.worker("g", "", &[]);
    one.says("32 of 32 partitions are ours");
    let value = r#"{"lease":60000,"leaving":false,"host":"h","version":"1","since":"2026-11-22T02:00:00Z","jobs":1,"partitions":0,"inHand":0,"delivered":0,"failed":0,"repeated":0}"#;
    let write = move |jetstream: &jetstream::Context| {
        let client = jetstream.client();
        async move {
            for member in 0..20 {
                let key = format!("$KV.NETAPI_EVENTS_members.other.{member}");
                let answer = client.request(key, value.into()).await.unwrap();
                assert!(!answer.payload.is_empty());
            }
        }
    };
    fleet_of
        .server
        .ask(async move |jetstream| write(&jetstream).await);
    let host = fleet_of.server.host();
    let first = "CONSUMER.MSG.NEXT.KV_NETAPI_EVENTS_members";
    let door = fleet_of.server.before(first, move || {
        ask(&host, async move |jetstream| write(&jetstream).await);
    });
    let shown = json(&fleet(&["status", &door, "--json"]).success());
    assert_eq!(shown["members"].as_array().unwrap().len(), 21, "{shown}");
    ends(one);
}

#[test]
fn dead_letters_are_listed_and_those_that_succeed_leave_the_stream() {
    let Some(server) = server(JETSTREAM) else {
        return;
    };
    let none = fleet(&["dead", "list", &server.to()]).code(3);
    assert!(stderr(&none).contains("there is no stream EVENTS_DEAD"));
    let mut fleet_of = Fleet::start(server, 30);
    let worker = fleet_of.worker("g", "exit 7\n", &["--retries", "0"]);
    fleet_of.more_runs("g", 30);
    let stored = fleet_of.fill();
    let to = fleet_of.server.to();
    let list = || {
        let listed = fleet(&["dead", "list", &to, "--json", "--group", "g"]).success();
        json(&listed).as_array().unwrap().clone()
    };
    wait_for("every dead letter", || list().len() == stored.len());
    ends(worker);
    let letters = list();
    assert_eq!(letters[0]["outcome"], "exit 7");
    assert_eq!(letters[0]["group"], "g");
    assert!(letters[0]["event"]["id"].is_string() && letters[0]["sequence"].is_u64());
    assert_eq!(
        status(&fleet_of.server)["stream"]["deadLetters"],
        letters.len()
    );
    let others = fleet(&["dead", "list", &to, "--json", "--group", "other"]).success();
    assert_eq!(json(&others), Value::Array(Vec::new()));
    // Half of them succeed.
    let out = fleet_of.dir.path().join("again");
    let text = format!(
        "#!/bin/sh\necho \"$NETAPI_ID $NETAPI_REPEATED $NETAPI_ATTEMPT\" >> {}\ncase $NETAPI_ID in [A-Z]*) exit 0;; esac\nexit 3\n",
        out.display()
    );
    let callback = script(fleet_of.dir.path(), &text);
    let retry = ["dead", "retry", &to, "--group", "g", "--callback"];
    let retry = [&retry[..], &[callback.to_str().unwrap()]].concat();
    let err = stderr(&fleet(&retry).code(1));
    let fails = |letter: &&Value| {
        let id = letter["event"]["id"].as_str().unwrap();
        !id.starts_with(|c: char| c.is_ascii_uppercase())
    };
    let stay: Vec<Value> = letters.iter().filter(fails).cloned().collect();
    assert!(!stay.is_empty() && stay.len() < letters.len());
    assert!(err.contains("they stay in the stream EVENTS_DEAD"), "{err}");
    let ids = |letters: &[Value]| -> Vec<Value> {
        letters
            .iter()
            .map(|letter| letter["event"]["id"].clone())
            .collect()
    };
    assert_eq!(ids(&list()), ids(&stay));
    let again = lines(&out);
    assert_eq!(again.len(), letters.len());
    assert!(
        again.iter().all(|line| line.ends_with(" true 2")),
        "{again:?}"
    );
    let read_only = [&retry[..], &["--read-only"]].concat();
    fleet(&read_only).code(2);
    assert_eq!(list().len(), stay.len());
}

#[test]
fn the_permissions_that_are_printed_suffice_for_workers_and_for_looking() {
    let printed =
        stdout(&fleet(&["permissions", "EVENTS", "--for", "subscriber,worker,fleet"]).success());
    let users = r"users = [
        { user: sub, password: right, permissions: $NETAPI_SUBSCRIBER }
        { user: work, password: right, permissions: $NETAPI_WORKER }
        { user: look, password: right, permissions: $NETAPI_FLEET }
        { user: least, password: right, permissions: $NETAPI_LEAST }
        { user: all, password: right }
    ]
    no_auth_user: all";
    let least = printed.split_once("NETAPI_FLEET").unwrap().1;
    let least = least
        .lines()
        .filter(|line| !line.contains("CONSUMER.DELETE") && !line.contains("_subscribers"));
    let least = format!("NETAPI_LEAST{}", least.collect::<Vec<_>>().join("\n"));
    let printed = format!("{printed}\n{least}");
    let (users, no_auth) = users.split_once("no_auth_user").unwrap();
    let settings =
        format!("{JETSTREAM}authorization {{\n{printed}\n{users}\n}}\nno_auth_user{no_auth}\n");
    let Some(server) = server(&settings) else {
        return;
    };
    let fleet_of = Fleet::start(server, 30);
    let password = secret_file(fleet_of.dir.path(), "password", "right\n");
    let login = |user| ["--nats-user", user, "--nats-password-file", &*password];
    let fails = "case $NETAPI_ID in [A-M]*) exit 3;; esac\n";
    let options = [&["--retries", "0"][..], &login("work")].concat();
    let worker = fleet_of.worker("workers", fails, &options);
    worker.says("32 of 32 partitions are ours");
    fleet_of.more_runs("workers", 40);
    let to = fleet_of.server.to();
    let look = |words: &[&str]| fleet(&[words, &login("look")].concat()).success();
    wait_for("dead letters", || {
        let shown = json(&look(&["status", &to, "--json"]));
        shown["stream"]["deadLetters"].as_u64().unwrap() > 2
    });
    ends(worker);
    // What goes by itself need not be allowed, and is not told in the place of something else.
    let without = [&["status", &to, "--json"][..], &login("least")].concat();
    let shown = json(&fleet(&without).success());
    assert_eq!(shown["groups"][0]["name"], "workers");
    // Permissions that are older than what subscribers tell show the rest, and say so.
    assert!(shown["subscribers"].is_null());
    let shown = stdout(&fleet(&[&["status", &to][..], &login("least")].concat()).success());
    assert!(
        shown.contains("subscribers: this account may not"),
        "{shown}"
    );
    let shown = json(&look(&["status", &to, "--json"]));
    assert_eq!(shown["subscribers"].as_array().unwrap().len(), 1);
    look(&["dead", "retry", &to, "--callback", "/bin/true"]);
    assert_eq!(
        json(&look(&["dead", "list", &to, "--json"])),
        Value::Array(Vec::new())
    );
    let denied = [&["dead", "list", &to, "--json"][..], &login("sub")].concat();
    fleet(&denied).failure();
}

#[test]
fn what_permissions_forbid_a_worker_is_said() {
    let printed = stdout(&fleet(&["permissions", "EVENTS", "--for", "worker"]).success());
    let without = |name: &str, words: &str| {
        let renamed = printed.replace("NETAPI_WORKER", name);
        let lines = renamed.lines().filter(|line| !line.contains(words));
        lines.collect::<Vec<_>>().join("\n")
    };
    let (no_members, no_pulls) = (
        without("NO_MEMBERS", "KV.NETAPI_EVENTS_members"),
        without("NO_PULLS", "CONSUMER.MSG.NEXT"),
    );
    let users = "users = [
        { user: members, password: right, permissions: $NO_MEMBERS }
        { user: pulls, password: right, permissions: $NO_PULLS }
        { user: all, password: right }
    ]";
    let settings = format!(
        "{JETSTREAM}authorization {{\n{no_members}\n{no_pulls}\n{users}\n}}\nno_auth_user: all\n"
    );
    let Some(server) = server(&settings) else {
        return;
    };
    let fleet_of = Fleet::start(server, 30);
    let password = secret_file(fleet_of.dir.path(), "password", "right\n");
    let login = |user| ["--nats-user", user, "--nats-password-file", &*password];
    let (code, _, err) = fleet_of.worker("members", "", &login("members")).end();
    let err = err.join("\n");
    assert_eq!(code, 4, "{err}");
    assert!(err.contains("refused while joining the group"), "{err}");
    assert!(err.contains("fleet permissions"), "{err}");
    let worker = fleet_of.worker("pulls", "", &login("pulls"));
    worker.says("forbids what a worker does");
    ends(worker);
}
