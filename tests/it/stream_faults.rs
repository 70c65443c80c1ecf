//! `subscribe --to` a stream that is not there, or not as it must be: message, hint, exit status,
//! before anything is subscribed.

use std::time::Duration;

use async_nats::jetstream::stream;
use netapi::testing::lab::certificates::Flavour;
use netapi::testing::lab::{EventRate, LabOptions};

use crate::support::lab::{self, TestLab};
use crate::support::nats::{JETSTREAM, Servers, secret_file, server};
use crate::support::{skipped, stderr, stdout};

/// Runs it, and looks at its end; gives its standard error.
#[track_caller]
fn refused(lab: &TestLab, more: &[&str], code: i32, part: &str) -> String {
    let arguments = [&["subscribe", "--topic", "session", "--for", "5s"], more].concat();
    let err = stderr(&lab.pxgrid(&arguments).assert().code(code));
    assert!(err.contains(part), "{err}");
    assert!(err.contains("hint: "), "{err}");
    assert!(!err.contains("subscribed"), "{err}");
    err
}

#[test]
fn what_is_written_wrongly_is_a_usage_error_that_quotes_no_password() {
    let lab = lab::lab();
    for (to, part) in [
        (
            "nats://user:geheim@127.0.0.1/EVENTS",
            "user or password in it",
        ),
        ("nats://127.0.0.1", "stream's name"),
        ("nats://127.0.0.1/a.b", "stream's name"),
        ("http://127.0.0.1/EVENTS", "neither nats:// nor tls://"),
        ("nats://127.0.0.1:0x/EVENTS", "no host, or no port"),
        ("EVENTS", "no server"),
    ] {
        let err = refused(&lab, &["--to", to], 2, part);
        assert!(!err.contains("geheim"), "{err}");
    }
    let variable = lab
        .netapi()
        .env("NATS_URL", "nats://user:geheim@127.0.0.1")
        .args([
            "ise",
            "pxgrid",
            "subscribe",
            "--topic",
            "session",
            "--to",
            "EVENTS",
        ])
        .assert()
        .code(2);
    assert!(!stderr(&variable).contains("geheim"));
    let to = "nats://127.0.0.1/EVENTS";
    for more in [
        &["--callback", "/bin/true"][..],
        &["--create-stream"],
        &["--max-bytes", "1G"],
        &["--nats-user", "a", "--nats-creds", "b"],
        &["--format", "csv"],
    ] {
        let arguments = [&["subscribe", "--topic", "session", "--to", to], more].concat();
        lab.pxgrid(&arguments).assert().code(2);
    }
    for missing in [
        "--nats-creds",
        "--nats-nkey",
        "--nats-cacert",
        "--nats-cert",
    ] {
        refused(
            &lab,
            &["--to", to, missing, "/nowhere/file"],
            2,
            "/nowhere/file",
        );
    }
}

#[test]
fn nobody_there_is_unreachable() {
    let lab = lab::lab();
    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let to = format!("nats://{}/EVENTS", free.local_addr().unwrap());
    drop(free);
    refused(&lab, &["--to", &to], 6, "connection refused");
}

#[test]
fn a_stream_that_is_not_as_it_must_be_is_refused() {
    let Some(server) = server(JETSTREAM) else {
        return;
    };
    let lab = lab::lab();
    let to = server.to();
    let to = &["--to", to.as_str()][..];
    refused(&lab, to, 3, "there is no stream EVENTS");
    let too_large = ["--create-stream", "--max-bytes", "100G"];
    refused(&lab, &[to, &too_large].concat(), 5, "making the stream");
    server.make_stream(|config| {
        config.subjects = vec!["netapi.other.>".to_owned()];
    });
    refused(
        &lab,
        to,
        5,
        "does not take the subject netapi.ise.session.0",
    );
    let change = |change: fn(&mut stream::Config)| {
        server.ask(async |jetstream| {
            jetstream.delete_stream("EVENTS").await.unwrap();
        });
        server.make_stream(change);
    };
    change(|config| config.retention = stream::RetentionPolicy::Interest);
    refused(&lab, to, 5, "by limits alone");
    change(|config| config.no_ack = true);
    refused(&lab, to, 5, "acknowledges nothing");
    change(|config| {
        config.description = Some("events in 8 partitions".to_owned());
        config
            .metadata
            .insert("netapi.partitions".to_owned(), "8".to_owned());
    });
    let other = ["--partitions", "32"];
    refused(&lab, &[to, &other].concat(), 2, "has 8 partitions, not 32");
    change(|config| {
        config.discard = stream::DiscardPolicy::Old;
        config.max_messages = 1000;
    });
    let running = lab.subscribed("session", to);
    running.says("discards old events");
}

#[test]
fn an_old_server_makes_no_stream_with_replicas() {
    let Some(server) = server(JETSTREAM) else {
        return;
    };
    let version = server.ask(async |jetstream| jetstream.client().server_info().version);
    if !version.starts_with("2.9.") {
        skipped(&format!("nats-server {version} is new enough for replicas"));
        return;
    }
    let to = server.to();
    let replicas = [
        "--to",
        &to,
        "--create-stream",
        "--max-bytes",
        "1M",
        "--replicas",
        "3",
    ];
    refused(
        &lab::lab(),
        &replicas,
        5,
        "loses events of a stream with replicas",
    );
}

#[test]
fn a_server_without_jetstream_is_named_as_that() {
    let Some(server) = server("") else {
        return;
    };
    refused(&lab::lab(), &["--to", &server.to()], 5, "has no JetStream");
}

#[test]
fn a_login_that_is_refused_and_a_permission_that_lacks_are_4() {
    let users = r#"
        authorization { users: [
          { user: full, password: right }
          { user: reader, password: right, permissions: { publish: ["$JS.API.>"], subscribe: [">"] } }
          { user: nothing, password: right, permissions: { publish: ["other"], subscribe: [">"] } }
        ] }
    "#;
    let Some(server) = server(&format!("{JETSTREAM}{users}")) else {
        return;
    };
    let lab = lab::lab();
    let dir = tempfile::tempdir().unwrap();
    let (right, to) = (secret_file(dir.path(), "secret", "right\n"), server.to());
    refused(&lab, &["--to", &to], 4, "wants a login");
    let login = |user, file| {
        [
            "--to",
            &to,
            "--nats-user",
            user,
            "--nats-password-file",
            file,
        ]
    };
    let create = ["--create-stream", "--max-bytes", "10M"];
    let running = lab.subscribed("session", &[&login("full", &right)[..], &create].concat());
    drop(running);
    let err = refused(&lab, &login("reader", &right), 4, "Permissions Violation");
    assert!(err.contains("netapi.ise.session.0"), "{err}");
    refused(&lab, &login("nothing", &right), 4, "Permissions Violation");
    let wrong = secret_file(dir.path(), "secret", "geheim\n");
    let err = refused(&lab, &login("full", &wrong), 4, "refused user or password");
    assert!(!err.contains("geheim"), "{err}");
}

/// A user's nkey made for this test alone: seed, and public part.
const SEED: &str = "SUAL4HVAJI3F4OHAAHSC3CEB5VNYRAY4O72HS36DRQO2ZMQ372MK7ZVY5M";
const PUBLIC: &str = "UAULOIJLZXRTTJLTTENDI2QTIHVRHNSMNYVBRUQWDYPZDKFLELOJEETM";

#[test]
fn an_nkey_logs_in_and_another_file_does_not() {
    let users = format!("authorization {{ users: [ {{ nkey: {PUBLIC} }} ] }}");
    let Some(server) = server(&format!("{JETSTREAM}{users}")) else {
        return;
    };
    let lab = lab::lab();
    let dir = tempfile::tempdir().unwrap();
    let (seed, to) = (
        secret_file(dir.path(), "secret", &format!("# a user\n{SEED}\n")),
        server.to(),
    );
    let create = ["--create-stream", "--max-bytes", "10M"];
    let nkey = ["--to", &to, "--nats-nkey", &seed];
    drop(lab.subscribed("session", &[&nkey[..], &create].concat()));
    let running = lab.start_netapi(
        &[
            "ise",
            "pxgrid",
            "subscribe",
            "--topic",
            "session",
            "--to",
            "EVENTS",
        ],
        &[
            ("NATS_NKEY", &seed),
            ("NATS_URL", &format!("nats://{}", server.host())),
        ],
    );
    running.says("subscribed");
    let other = secret_file(dir.path(), "secret", "geheim\n");
    let err = refused(
        &lab,
        &["--to", &to, "--nats-nkey", &other],
        2,
        "no user's seed",
    );
    assert!(!err.contains("geheim"), "{err}");
    let err = refused(
        &lab,
        &["--to", &to, "--nats-creds", &other],
        2,
        "no JWT with a seed",
    );
    assert!(err.contains(&other), "{err}");
    assert!(!err.contains("geheim"), "{err}");
}

#[test]
fn certificates_are_checked_on_both_sides() {
    let lab = lab::lab();
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: String| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let ca = lab.variable("PXGRID_CA");
    let of_server = |flavour| {
        let identity = lab.certificates().server("n1", flavour).unwrap();
        let cert = file("server.pem", identity.certificate_pem.clone());
        let key = file(
            "server.key",
            secrecy::ExposeSecret::expose_secret(&identity.key_pem).to_owned(),
        );
        format!("tls {{ cert_file: {cert:?}, key_file: {key:?}, ca_file: {ca:?}, verify: true }}")
    };
    let Some(server) = server(&format!("{JETSTREAM}{}", of_server(Flavour::Good))) else {
        return;
    };
    let to = server.to().replace("127.0.0.1", "localhost");
    let stranger = ["--to", &to];
    let err = refused(&lab, &stranger, 6, "--nats-cacert");
    assert!(err.contains("TLS"), "{err}");
    let trusted = [&stranger[..], &["--nats-cacert", &ca]].concat();
    refused(&lab, &trusted, 6, "--nats-cert");
    let (cert, key) = (lab.variable("PXGRID_CERT"), lab.variable("PXGRID_KEY"));
    let known = ["--nats-cert", &cert, "--nats-key", &key];
    let create = ["--create-stream", "--max-bytes", "10M"];
    drop(lab.subscribed("session", &[&trusted[..], &known, &create].concat()));
    let variables = [
        ("NATS_CA", ca.as_str()),
        ("NATS_CERT", cert.as_str()),
        ("NATS_KEY", key.as_str()),
    ];
    let arguments = [
        "ise",
        "pxgrid",
        "subscribe",
        "--topic",
        "session",
        "--to",
        &to,
    ];
    lab.start_netapi(&arguments, &variables).says("subscribed");
    drop(server);
    let wrong = format!("{JETSTREAM}{}", of_server(Flavour::Expired));
    let Some(server) = crate::support::nats::server(&wrong) else {
        return;
    };
    let to = server.to().replace("127.0.0.1", "localhost");
    let arguments = [&["--to", to.as_str(), "--nats-cacert", &ca][..], &known].concat();
    refused(&lab, &arguments, 6, "TLS");
}

#[test]
fn a_unit_is_printed_without_asking_anybody() {
    let lab = lab::lab();
    let unit = lab
        .pxgrid(&[
            "subscribe",
            "--topic",
            "session",
            "--to",
            "nats://n1.invalid/EVENTS",
            "--print-unit",
        ])
        .timeout(Duration::from_secs(30))
        .assert()
        .success();
    let text = stdout(&unit);
    assert!(text.contains("--to nats://n1.invalid/EVENTS"), "{text}");
}

#[test]
fn the_permissions_that_are_printed_suffice_and_nothing_else_is_needed() {
    let printed = stdout(
        &crate::support::netapi()
            .args(["ise", "pxgrid", "fleet", "permissions", "EVENTS"])
            .assert()
            .success(),
    );
    let users = r"users = [ { user: netapi, password: right, permissions: $NETAPI_SUBSCRIBER } ]";
    let settings = format!("{JETSTREAM}authorization {{\n{printed}\n{users}\n}}\n");
    let Some(server) = server(&settings) else {
        return;
    };
    let lab = lab::with(LabOptions {
        sessions: 50,
        events_per_second: EventRate::PerSecond(0),
        ..LabOptions::default()
    });
    let dir = tempfile::tempdir().unwrap();
    let (right, to) = (secret_file(dir.path(), "secret", "right\n"), server.to());
    let arguments = [
        "subscribe",
        "--topic",
        "session",
        "--snapshot",
        "--count",
        "50",
        "--to",
        &to,
        "--nats-user",
        "netapi",
        "--nats-password-file",
        &right,
    ];
    let create = [
        "--create-stream",
        "--max-bytes",
        "10M",
        "--dedupe-window",
        "1s",
    ];
    let first = [&arguments[..], &create].concat();
    lab.pxgrid(&first).assert().success();
    // Beyond the window what is stored is read, which wants permissions of its own.
    std::thread::sleep(Duration::from_millis(1200));
    let again = stderr(&lab.pxgrid(&arguments).assert().success());
    assert!(again.contains("in the stream already 50"), "{again}");
    let hostile = ["ise", "pxgrid", "fleet", "permissions", "E\" ] x"];
    crate::support::netapi().args(hostile).assert().code(2);
}

#[test]
fn an_account_that_may_not_tell_of_itself_stores_its_events_all_the_same() {
    let printed = stdout(
        &crate::support::netapi()
            .args(["ise", "pxgrid", "fleet", "permissions", "EVENTS"])
            .assert()
            .success(),
    );
    // As they were printed before subscribers told of themselves.
    let told = |line: &&str| line.contains("_subscribers") && !line.starts_with('#');
    assert_eq!(printed.lines().filter(told).count(), 8);
    let printed: Vec<&str> = printed.lines().filter(|line| !told(line)).collect();
    let users = r"users = [ { user: netapi, password: right, permissions: $NETAPI_SUBSCRIBER } ]";
    let permissions = printed.join("\n");
    let settings = format!("{JETSTREAM}authorization {{\n{permissions}\n{users}\n}}\n");
    let Some(server) = server(&settings) else {
        return;
    };
    let lab = lab::with(LabOptions {
        sessions: 20,
        events_per_second: EventRate::PerSecond(100),
        ..LabOptions::default()
    });
    let dir = tempfile::tempdir().unwrap();
    let (right, to) = (secret_file(dir.path(), "secret", "right\n"), server.to());
    let login = ["--nats-user", "netapi", "--nats-password-file", &right];
    let stream = ["--to", &to, "--create-stream", "--max-bytes", "10M"];
    let arguments = ["subscribe", "--topic", "session", "--count", "300"];
    let all = [&arguments[..], &stream, &login].concat();
    let err = stderr(&lab.pxgrid(&all).assert().success());
    assert!(!err.contains("Permissions Violation"), "{err}");
    let said = "this subscriber cannot tell of itself in the bucket";
    assert_eq!(err.matches(said).count(), 1, "{err}");
}
