//! `pxgrid test` and `doctor`: whatever step fails, and however, says what to do; and how the walk
//! ends.

use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use netapi::testing::lab::LabOptions;
use netapi::testing::lab::certificates::Flavour;
use rustls::ServerConfig;
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::support::lab::{TestLab, lab, with};
use crate::support::pubsub::block_on;
use crate::support::{json, netapi, stderr, stdout};

/// The steps that are not ok, each of which must have a hint; and the exit status.
fn trouble(lab: &TestLab, command: &[&str]) -> (Vec<Value>, i32) {
    let run = lab
        .netapi()
        .args(["ise"])
        .args(command)
        .args(["--json", "--timeout", "1s", "--connect-timeout", "1s"])
        .assert();
    let Value::Array(steps) = json(&run) else {
        panic!("{}", stdout(&run))
    };
    let wrong: Vec<Value> = steps
        .into_iter()
        .filter(|step| step["result"] != "ok")
        .collect();
    for step in &wrong {
        let hint = step["hint"].as_str().unwrap_or_default();
        assert!(hint.len() > 20, "no hint: {step}");
        let host = step["host"].as_str().unwrap_or("no host");
        let detail = step["detail"].as_str().unwrap();
        assert!(
            !detail.starts_with(&format!("{host}: ")),
            "the host twice: {step}"
        );
    }
    (wrong, run.get_output().status.code().unwrap())
}

/// Every step that asks a server, with every answer that goes wrong.
#[test]
fn every_step_that_fails_has_a_hint() {
    let lab = lab();
    let faults = [
        "unauthorized",
        "forbidden",
        "not-found-path",
        "bad-request",
        "server-error",
        "overload-502",
        "gateway-timeout-504",
        "login-page",
        "redirect",
        "empty-body",
        "truncated",
        "reset",
        "reset-early",
        "invalid-utf8",
        "deep-nesting",
        "wrong-shape",
        "stalled",
    ];
    let paths = [
        "AccountActivate",
        "ServiceLookup",
        "AccessSecret",
        "getSessionByMacAddress",
        "/pxgrid/ise/pubsub",
    ];
    let mut failed = 0;
    for path in paths {
        for fault in faults {
            lab.order(&format!("fault {fault}:{path}"));
            let (wrong, _) = trouble(&lab, &["pxgrid", "test"]);
            failed += wrong.len();
            lab.order(&format!("clear {fault}"));
        }
    }
    for fault in faults {
        lab.order(&format!("fault {fault}:/Version"));
        failed += trouble(&lab, &["doctor"]).0.len();
        lab.order(&format!("clear {fault}"));
    }
    assert!(failed > 80, "{failed}: most of these are no faults here");
}

/// What a pubsub node does when somebody comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    SilentBeforeTheUpgrade,
    NoWebSocket,
    Silent,
    Resets,
    Closes,
    Error,
    NoStomp,
    OtherFrame,
    NeverEnding,
}

const MANNERS: [Manner; 9] = [
    Manner::SilentBeforeTheUpgrade,
    Manner::NoWebSocket,
    Manner::Silent,
    Manner::Resets,
    Manner::Closes,
    Manner::Error,
    Manner::NoStomp,
    Manner::OtherFrame,
    Manner::NeverEnding,
];

async fn serve(listener: TcpListener, config: Arc<ServerConfig>, manner: Manner) {
    let acceptor = TlsAcceptor::from(config);
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            return;
        };
        let Ok(stream) = acceptor.accept(stream).await else {
            continue;
        };
        Box::pin(visit(stream, manner)).await;
    }
}

async fn visit(mut stream: TlsStream<TcpStream>, manner: Manner) {
    use tokio::io::AsyncWriteExt;
    match manner {
        Manner::SilentBeforeTheUpgrade => {
            let mut all = Vec::new();
            let _gone = stream.read_to_end(&mut all).await;
        }
        Manner::NoWebSocket => {
            let mut some = [0; 4096];
            let _read = stream.read(&mut some).await;
            let _written = stream.write_all(b"220 mail.example.com ESMTP\r\n").await;
        }
        _ => {
            if let Ok(socket) = tokio_tungstenite::accept_async(stream).await {
                speak(socket, manner).await;
            }
        }
    }
}

async fn speak(mut socket: WebSocketStream<TlsStream<TcpStream>>, manner: Manner) {
    let frame = |text: &'static [u8]| Message::Binary(text.into());
    let _connect = socket.next().await;
    let _sent = match manner {
        Manner::Resets => {
            socket.get_ref().get_ref().0.set_zero_linger().unwrap();
            return;
        }
        Manner::Closes => socket.close(None).await,
        Manner::Error => {
            socket
                .send(frame(b"ERROR\nmessage:no room here\n\n\0"))
                .await
        }
        Manner::NoStomp => socket.send(frame(b"\x01\x02nonsense\n\n\0")).await,
        Manner::NeverEnding => return pieces(socket.into_inner()).await,
        Manner::OtherFrame => socket.send(frame(b"RECEIPT\nreceipt-id:1\n\n\0")).await,
        _ => Ok(()),
    };
    while let Some(Ok(_)) = socket.next().await {}
}

/// A message in pieces without content and without end, and pongs, so that it is no silence.
async fn pieces(mut stream: TlsStream<TcpStream>) {
    use tokio::io::AsyncWriteExt;
    let mut sent = stream.write_all(&[0x02, 0x01, b'C']).await;
    let piece: Vec<u8> = [[0x00, 0x00].repeat(8000), vec![0x8a, 0x00]].concat();
    while sent.is_ok() {
        sent = stream.write_all(&piece).await;
    }
}

#[test]
fn a_pubsub_node_that_does_not_speak_with_us_has_a_hint_whatever_it_does() {
    std::thread::scope(|scope| {
        for manner in MANNERS {
            scope.spawn(move || {
                let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
                let port = listener.local_addr().unwrap().port();
                let lab = with(LabOptions {
                    pubsub_url: Some(format!("wss://localhost:{port}/pxgrid/ise/pubsub")),
                    ..LabOptions::default()
                });
                let identity = lab
                    .certificates()
                    .server("ise-pubsub", Flavour::Good)
                    .unwrap();
                let config = identity.server_config().unwrap();
                // It ends with the tests: nobody waits for it.
                std::thread::spawn(move || {
                    block_on(async {
                        listener.set_nonblocking(true).unwrap();
                        let listener = TcpListener::from_std(listener).unwrap();
                        serve(listener, config, manner).await;
                    });
                });
                let (wrong, code) = trouble(&lab, &["pxgrid", "test"]);
                assert_eq!(wrong.len(), 1, "{manner:?}: {wrong:?}");
                assert!([5, 6, 7].contains(&code), "{manner:?}: {code}");
                let late = !matches!(manner, Manner::SilentBeforeTheUpgrade | Manner::NoWebSocket);
                assert_eq!(
                    wrong[0]["step"],
                    if late { "stomp" } else { "websocket" },
                    "{manner:?}"
                );
                if manner == Manner::Error {
                    let detail = wrong[0]["detail"].as_str().unwrap();
                    assert!(detail.ends_with("with ERROR: no room here"), "{detail}");
                }
            });
        }
    });
}

/// The last line counts, and says nothing a second time.
#[test]
fn a_walk_ends_with_a_count() {
    let lab = lab();
    let run = lab.netapi().args(["ise", "doctor"]).assert().success();
    let all = stdout(&run).lines().count();
    assert_eq!(stderr(&run), format!("doctor: {all} ok\n"));

    let mut command = lab.netapi();
    let host = lab.host();
    command.env("ISE_MNT_PASS", "wrong").args(["ise", "doctor"]);
    let run = command.assert().code(4);
    let ok = stdout(&run)
        .lines()
        .filter(|line| line.contains("\tok\t"))
        .count();
    assert_eq!(
        stderr(&run),
        format!("netapi: doctor: {ok} ok, 1 failed; first: mnt version of {host}\n")
    );
    let mut command = lab.netapi();
    command
        .env("ISE_MNT_PASS", "wrong")
        .args(["ise", "doctor", "--json"]);
    let error: Value = serde_json::from_str(&stderr(&command.assert().code(4))).unwrap();
    assert_eq!(error["error"]["kind"], "refused");
    assert_eq!(error["error"]["host"], host);
    assert_eq!(error["error"]["exitCode"], 4);
}

/// A person's terminal is 80 columns wide.
#[test]
fn no_line_of_a_walk_is_wider_than_the_terminal() {
    let lab = lab();
    for width in ["80", "60"] {
        let mut command = lab.process(&[]);
        let line = format!(
            "stty cols {width}; {} ise doctor; true",
            env!("CARGO_BIN_EXE_netapi")
        );
        let variables: Vec<_> = command
            .get_envs()
            .filter_map(|(n, v)| Some((n.to_owned(), v?.to_owned())))
            .collect();
        command = std::process::Command::new("script");
        command
            .args(["-qec", &line, "/dev/null"])
            .env_clear()
            .envs(variables);
        command
            .env("TERM", "xterm")
            .env("NO_COLOR", "1")
            .stdin(std::process::Stdio::null());
        let Ok(output) = command.output() else {
            crate::support::skipped("script is not installed");
            return;
        };
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("CN=ise-mnt"), "{text}");
        for line in text.lines() {
            assert!(
                line.trim_end().chars().count() <= width.parse().unwrap(),
                "{line:?}"
            );
        }
    }
}

/// With no settings at all both halves say what they need.
#[test]
fn without_settings_both_halves_are_named() {
    let run = netapi().args(["ise", "doctor", "--json"]).assert().code(2);
    let steps = json(&run);
    let steps = steps.as_array().unwrap();
    let of = |name: &str| {
        let step = steps.iter().find(|step| step["step"] == name);
        step.unwrap_or_else(|| panic!("{steps:?}"))["hint"]
            .as_str()
            .unwrap()
    };
    assert!(of("mnt settings").contains("--mnt-host"));
    assert!(of("pxgrid settings").contains("--pxgrid-host"));
    let run = netapi().args(["ise", "doctor"]).assert().code(2);
    assert_eq!(
        stderr(&run),
        "netapi: doctor: 0 ok, 2 failed; first: mnt settings\n"
    );
}
