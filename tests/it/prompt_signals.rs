//! A signal or Ctrl-C while a password is typed: the terminal shows again what is typed, and the
//! program ends by that signal. An empty line is no password.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use crate::support::{process, skipped, wait_for};

const MNT: &str = "ise mnt count --mnt-user somebody --mnt-host ADDRESS";

/// The program on a terminal of its own, asking for the password of somebody.
struct Asking {
    person: File,
    terminal: File,
    child: Child,
}

impl Asking {
    /// `None` where `setsid` is not there to give it a terminal.
    fn begin(port: u16) -> Option<Self> {
        Self::with(MNT, port, "Password of somebody: ")
    }

    /// This command line, where the server's address stands for `ADDRESS`.
    fn with(words: &str, port: u16, question: &str) -> Option<Self> {
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&person).unwrap();
        unlockpt(&person).unwrap();
        let name = ptsname(&person, Vec::new()).unwrap();
        let open = || -> File {
            let flags = OFlags::RDWR | OFlags::NOCTTY;
            rustix::fs::open(name.as_c_str(), flags, Mode::empty())
                .unwrap()
                .into()
        };
        let netapi = process();
        let words = words.replace("ADDRESS", &format!("127.0.0.1:{port}"));
        let mut command = Command::new("setsid");
        command
            .arg("--ctty")
            .arg(netapi.get_program())
            .args(words.split(' '))
            .env_clear()
            .envs(
                netapi
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            .stdin(open())
            .stdout(open())
            .stderr(open());
        let Ok(child) = command.spawn() else {
            skipped("setsid (util-linux) is not there");
            return None;
        };
        let mut asking = Self {
            person: person.into(),
            terminal: open(),
            child,
        };
        asking.until(question);
        assert!(!asking.echoes());
        Some(asking)
    }

    fn until(&mut self, end: &str) {
        let mut seen = Vec::new();
        while !seen.ends_with(end.as_bytes()) {
            let mut byte = [0];
            self.person.read_exact(&mut byte).unwrap();
            seen.push(byte[0]);
        }
    }

    fn echoes(&self) -> bool {
        let modes = tcgetattr(&self.terminal).unwrap().local_modes;
        modes.contains(LocalModes::ECHO | LocalModes::ISIG)
    }

    fn send(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    fn ended_by(&mut self, signal: Signal) {
        assert_eq!(self.end().signal(), Some(signal.as_raw()));
    }

    fn end(&mut self) -> ExitStatus {
        let mut status = None;
        wait_for("the end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

#[test]
fn every_signal_puts_the_terminal_back_and_ends_the_program() {
    for signal in [
        Signal::TERM,
        Signal::HUP,
        Signal::INT,
        Signal::QUIT,
        Signal::USR1,
        Signal::ALARM,
    ] {
        let Some(mut asking) = Asking::begin(1) else {
            return;
        };
        asking.send(signal);
        asking.ended_by(signal);
        assert!(asking.echoes(), "{signal:?}");
    }
}

/// Command lines that ask, and the question of each.
const QUESTIONS: [(&str, &str); 6] = [
    (MNT, "Password of somebody: "),
    (
        "ise dc views --dc-user somebody --dc-host ADDRESS",
        "Password of somebody: ",
    ),
    (
        "ise mnt watch --mnt-user somebody --mnt-host ADDRESS",
        "Password of somebody: ",
    ),
    (
        "ise pxgrid sessions --client-name me --pxgrid-host ADDRESS",
        "Password of the pxGrid account me: ",
    ),
    (
        "ise pxgrid subscribe --topic session --client-name me --pxgrid-host ADDRESS",
        "Password of the pxGrid account me: ",
    ),
    (
        "ise pxgrid sessions --client-name me --pxgrid-host ise.example --proxy http://somebody@ADDRESS",
        "Password of somebody at the proxy: ",
    ),
];

#[test]
fn ctrl_c_ends_the_program_by_the_signal_at_every_question() {
    for (words, question) in QUESTIONS {
        let Some(mut asking) = Asking::with(words, 1, question) else {
            return;
        };
        asking.person.write_all(b"\x03").unwrap();
        asking.ended_by(Signal::INT);
        assert!(asking.echoes(), "{words}");
    }
}

#[test]
fn an_empty_line_is_no_password_and_nothing_is_sent() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    server.set_nonblocking(true).unwrap();
    let port = server.local_addr().unwrap().port();
    for (words, question) in QUESTIONS {
        let Some(mut asking) = Asking::with(words, port, question) else {
            return;
        };
        asking.person.write_all(b"\n").unwrap();
        assert_eq!(asking.end().code(), Some(2), "{words}");
        asking.until("is missing: the line is empty");
        assert!(server.accept().is_err(), "{words}");
    }
}

#[test]
fn a_stop_puts_it_back_and_the_question_comes_again() {
    let Some(mut asking) = Asking::begin(1) else {
        return;
    };
    asking.send(Signal::TSTP);
    wait_for("the terminal as it was", || asking.echoes());
    asking.send(Signal::CONT);
    asking.until("Password of somebody: ");
    assert!(!asking.echoes());
    asking.send(Signal::TERM);
    asking.ended_by(Signal::TERM);
    assert!(asking.echoes());
}

/// The handler that guarded the question must not swallow what comes later.
#[test]
fn after_the_question_a_signal_ends_the_program_as_ever() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let Some(mut asking) = Asking::begin(port) else {
        return;
    };
    asking.person.write_all(b"hunter2\n").unwrap();
    let _silent = server.accept().unwrap();
    assert!(asking.echoes());
    asking.send(Signal::TERM);
    asking.ended_by(Signal::TERM);
}
