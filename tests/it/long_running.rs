//! What every command that goes on until it is stopped has in common: how it ends by which signal,
//! and what a service manager hears of it.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::callback::{lines, script};
use crate::support::lab;
use crate::support::{PATIENCE, wait_for};

/// The commands, each with what it says when it does its work, and the beginning of its summary.
const COMMANDS: [(&[&str], &str, &str); 4] = [
    (
        &["ise", "pxgrid", "subscribe", "--topic", "session"],
        "subscribed on",
        "received ",
    ),
    (
        &[
            "ise",
            "pxgrid",
            "publish",
            "/topic/com.example.custom",
            "/dev/null",
            "--stay",
        ],
        "connected to",
        "published ",
    ),
    (&["ise", "mnt", "watch"], "watching", "polls "),
    (&["ise", "lab", "up"], "the lab is up", "requests "),
];

#[test]
fn each_ends_by_the_signal_itself_with_its_summary() {
    let lab = lab::lab();
    for (arguments, ready, summary) in COMMANDS {
        for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
            let running = lab.start_netapi(arguments, &[]);
            running.says(ready);
            running.signal(Signal::USR1);
            running.says_times(summary, 1);
            running.signal(signal);
            let (ended_by, err) = running.end_by_signal();
            assert_eq!(ended_by, Some(signal.as_raw()), "{arguments:?} {err:?}");
            let said = err.iter().filter(|line| line.starts_with(summary)).count();
            assert_eq!(said, 2, "{arguments:?} {err:?}");
        }
    }
}

/// A second signal of whatever kind is in a hurry; the first one is what ended it.
#[test]
fn a_second_signal_ends_it_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let callback = script(
        dir.path(),
        "#!/bin/sh\ntrap '' TERM\necho began\nsleep 60\n",
    );
    let lab = lab::lab();
    let running = lab.start(&[
        "subscribe",
        "--topic",
        "session",
        "--snapshot",
        "--jobs",
        "1",
        "--callback",
        callback.to_str().unwrap(),
    ]);
    running.says("began");
    let asked = Instant::now();
    running.signal(Signal::TERM);
    running.says("leaving");
    running.signal(Signal::INT);
    let (ended_by, err) = running.end_by_signal();
    assert_eq!(ended_by, Some(Signal::TERM.as_raw()), "{err:?}");
    assert!(asked.elapsed() < Duration::from_secs(20));
}

/// A reader that pauses keeps a full pipe; the signal is heard all the same.
#[test]
fn watch_hears_a_signal_while_nobody_reads_what_it_prints() {
    let lab = lab::with(netapi::testing::lab::LabOptions {
        sessions: 3000,
        events_per_second: "2000".parse().unwrap(),
        ..Default::default()
    });
    let mut command = lab.process(&["watch", "--interval", "1s", "--json"]);
    let (reader, writer) = std::io::pipe().unwrap();
    command.stdout(writer).stderr(std::process::Stdio::null());
    let mut child = command.spawn().unwrap();
    drop(command);
    wait_for("a full pipe", || {
        rustix::io::ioctl_fionread(&reader).is_ok_and(|bytes| bytes >= 60_000)
    });
    let pid = rustix::process::Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    let mut status = None;
    wait_for("the end", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    assert_eq!(status.unwrap().signal(), Some(Signal::TERM.as_raw()));
}

/// What came, each datagram with its lines, until `last` is among them.
fn told(socket: &UnixDatagram, last: &str) -> Vec<String> {
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let length = socket
            .recv(&mut buffer)
            .unwrap_or_else(|error| panic!("{last} never came ({error}): {all:?}"));
        let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
        let found = text.starts_with(last);
        all.push(text);
        if found {
            return all;
        }
    }
}

#[test]
fn a_service_manager_hears_ready_alive_status_and_stopping_from_each() {
    let lab = lab::lab();
    let dir = tempfile::tempdir().unwrap();
    for (number, (arguments, _, summary)) in COMMANDS.into_iter().enumerate() {
        let path = dir.path().join(number.to_string());
        // A path, or a name in Linux's abstract namespace.
        let (name, socket) = if number % 2 == 0 {
            let socket = UnixDatagram::bind(&path).unwrap();
            (path.to_str().unwrap().to_owned(), socket)
        } else {
            let name = format!("netapi-test-{}-{number}", std::process::id());
            let address = SocketAddr::from_abstract_name(&name).unwrap();
            (
                format!("@{name}"),
                UnixDatagram::bind_addr(&address).unwrap(),
            )
        };
        let variables = [
            ("NOTIFY_SOCKET", name.as_str()),
            ("WATCHDOG_USEC", "400000"),
        ];
        let running = lab.start_netapi(arguments, &variables);
        let told_all = told(&socket, "READY=1");
        assert!(!told_all.iter().any(|line| line.starts_with("STOPPING")));
        let mut status = told(&socket, "STATUS=");
        let wanted = format!("; {summary}");
        while !status.last().unwrap().contains(&wanted) {
            status = told(&socket, "STATUS=");
        }
        told(&socket, "WATCHDOG=1");
        told(&socket, "WATCHDOG=1");
        running.signal(Signal::TERM);
        told(&socket, "STOPPING=1");
        let (ended_by, err) = running.end_by_signal();
        assert_eq!(ended_by, Some(Signal::TERM.as_raw()), "{err:?}");
    }
}

#[test]
fn ready_comes_with_the_subscription_and_never_without_one() {
    let lab = lab::faulty(&["ws-upgrade-refused"]);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let variables = [
        ("NOTIFY_SOCKET", path.to_str().unwrap()),
        ("WATCHDOG_USEC", "100000"),
    ];
    let running = lab.start_netapi(COMMANDS[0].0, &variables);
    running.says("cannot use");
    // Alive, but not ready.
    let all = told(&socket, "STATUS=not connected");
    assert!(!all.contains(&"READY=1".to_owned()), "{all:?}");
    lab.order("clear ws-upgrade-refused");
    told(&socket, "READY=1");
}

#[test]
fn callbacks_never_get_the_service_managers_socket() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let _socket = UnixDatagram::bind(&path).unwrap();
    let out = dir.path().join("environment");
    let text = format!("#!/bin/sh\nenv > '{}'\n", out.display());
    let callback = script(dir.path(), &text);
    let lab = lab::lab();
    for more in [&[][..], &["--keep-running"]] {
        let mut arguments = COMMANDS[0].0.to_vec();
        arguments.extend(["--snapshot", "--count", "1", "--callback"]);
        arguments.push(callback.to_str().unwrap());
        arguments.extend(more);
        let variables = [
            ("NOTIFY_SOCKET", path.to_str().unwrap()),
            ("WATCHDOG_USEC", "1000000"),
            ("KEPT", "yes"),
        ];
        let running = lab.start_netapi(&arguments, &variables);
        wait_for("the callback", || {
            lines(&out).contains(&"KEPT=yes".to_owned())
        });
        let environment = lines(&out);
        let service = |line: &&String| line.starts_with("NOTIFY") || line.starts_with("WATCHDOG");
        assert_eq!(environment.iter().find(service), None);
        drop(running);
        std::fs::remove_file(&out).unwrap();
    }
}
