//! `netapi ise top` on a terminal: memory, how soon a key is answered, how often it draws.
//!
//! `NETAPI_FIGURE_SESSIONS` sets the number of sessions, 100,000 otherwise.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZero;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::Figures;
use crate::lab::Lab;

/// How long anything may take that is not measured.
const PATIENCE: Duration = Duration::from_mins(2);
/// Keys that are timed, and the pause before each: a person types no faster for long.
const KEYS: usize = 100;
const BETWEEN_KEYS: Duration = Duration::from_millis(150);
/// How long pictures are counted.
const COUNTED: Duration = Duration::from_secs(20);
/// What is written with a pause of this length before it is another picture.
const BETWEEN_PICTURES: Duration = Duration::from_millis(5);
/// What the help says and nothing else.
const HELP: &str = "search in every column";

/// The terminal's size.
const COLUMNS: u16 = 120;
const LINES: u16 = 40;

fn cells(count: u16) -> NonZero<u16> {
    NonZero::new(count).expect("a terminal has cells")
}

/// The live screen on a terminal of its own.
struct Live {
    child: Child,
    person: File,
    /// What was written, and when.
    written: Receiver<(Instant, Vec<u8>)>,
    screen: vt100::Parser,
}

/// A picture that was written.
struct Picture {
    /// When it began.
    at: Instant,
    /// Something is seen otherwise by it.
    changes: bool,
}

impl Live {
    fn start(lab: &Lab) -> Self {
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&person).unwrap();
        unlockpt(&person).unwrap();
        let size = Winsize {
            ws_row: LINES,
            ws_col: COLUMNS,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&person, size).unwrap();
        let name = ptsname(&person, Vec::new()).unwrap();
        let open = || -> File {
            let flags = OFlags::RDWR | OFlags::NOCTTY;
            let file = rustix::fs::open(name.as_c_str(), flags, Mode::empty());
            file.unwrap().into()
        };
        let child = Command::new("setsid")
            .args(["--ctty", env!("CARGO_BIN_EXE_netapi"), "ise", "top"])
            .env_clear()
            .envs(lab.environment.iter().cloned())
            .env("TERM", "xterm-256color")
            .stdin(open())
            .stdout(open())
            .stderr(open())
            .spawn()
            .expect("setsid (util-linux) is installed");
        let person: File = person.into();
        let mut reader = person.try_clone().unwrap();
        let (give, written) = channel();
        std::thread::spawn(move || {
            let mut block = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut block) {
                if give
                    .send((Instant::now(), block[..count].to_vec()))
                    .is_err()
                {
                    break;
                }
            }
        });
        Self {
            child,
            person,
            written,
            screen: vt100::Parser::new(cells(LINES), cells(COLUMNS), 0),
        }
    }

    /// Waits until the screen is as `is` says; when the last of it was written.
    fn until(&mut self, what: &str, is: impl Fn(&str) -> bool) -> Instant {
        let started = Instant::now();
        loop {
            let left = PATIENCE.saturating_sub(started.elapsed());
            let next = self.written.recv_timeout(left);
            let (at, bytes) = next.unwrap_or_else(|_| panic!("no {what}: {}", self.text()));
            self.screen.process(&bytes);
            if is(&self.text()) {
                return at;
            }
        }
    }

    fn text(&self) -> String {
        self.screen.screen().contents()
    }

    /// How long the screen takes to be as `is` says after a key, in milliseconds.
    fn answered(&mut self, key: &str, is: impl Fn(&str) -> bool) -> f64 {
        let typed = Instant::now();
        self.person.write_all(key.as_bytes()).unwrap();
        let at = self.until(key, is);
        at.saturating_duration_since(typed).as_secs_f64() * 1e3
    }

    /// The pictures that are written in this time.
    fn pictures(&mut self, time: Duration) -> Vec<Picture> {
        let until = Instant::now() + time;
        let mut pictures: Vec<Picture> = Vec::new();
        let mut last: Option<Instant> = None;
        let mut before = self.seen();
        while let Ok((at, bytes)) = self
            .written
            .recv_timeout(until.saturating_duration_since(Instant::now()))
        {
            if last.is_none_or(|last| at.duration_since(last) >= BETWEEN_PICTURES) {
                before = self.seen();
                pictures.push(Picture { at, changes: false });
            }
            self.screen.process(&bytes);
            if let Some(picture) = pictures.last_mut() {
                picture.changes = self.seen() != before;
            }
            last = Some(at);
        }
        pictures
    }

    /// All that is seen, with its colours.
    fn seen(&self) -> String {
        self.screen.screen().contents_formatted()
    }

    /// The peak of its memory until now.
    fn peak_mebibytes(&self) -> f64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let words = line.unwrap().split_whitespace().next();
        words.unwrap().parse::<f64>().unwrap() / 1024.0
    }

    fn quit(mut self) {
        self.person.write_all(b"q").unwrap();
        // What it still writes is taken, and it ends.
        while self.written.recv_timeout(PATIENCE).is_ok() {}
        assert!(self.child.wait().unwrap().success());
    }
}

/// The number behind `sessions` in the header.
fn sessions_of(screen: &str) -> Option<u64> {
    let (_, behind) = screen.split_once("sessions ")?;
    let number = behind.split(' ').next()?;
    number.replace(',', "").parse().ok()
}

/// The most that begin in any one second.
fn most_a_second(pictures: &[Picture]) -> usize {
    let within = |first: &Picture| {
        let second = first.at..first.at + Duration::from_secs(1);
        let within = pictures.iter().filter(|next| second.contains(&next.at));
        within.count()
    };
    pictures.iter().map(within).max().unwrap_or(0)
}

/// The group.
pub(crate) fn top(figures: &mut Figures) {
    busy(figures);
    idle(figures);
}

#[allow(clippy::cast_precision_loss, reason = "some pictures")]
fn busy(figures: &mut Figures) {
    let sessions = crate::sessions(100_000);
    let count = sessions.to_string();
    let lab = Lab::start(&["--sessions", &count, "--events-per-second", "1000"]);
    let mut live = Live::start(&lab);
    // While they come and go a part of them has always just ended.
    live.until("all sessions", |screen| {
        let enough = sessions_of(screen).is_some_and(|shown| shown >= sessions / 2);
        enough && !screen.contains("reading the sessions")
    });
    let mut late: Vec<f64> = (0..KEYS)
        .map(|turn| {
            std::thread::sleep(BETWEEN_KEYS);
            if turn % 2 == 0 {
                live.answered("?", |screen| screen.contains(HELP))
            } else {
                live.answered("q", |screen| !screen.contains(HELP))
            }
        })
        .collect();
    late.sort_by(f64::total_cmp);
    println!(
        "     half of the keys within {:.1} ms",
        late[late.len() / 2]
    );
    figures.line(
        &format!("top, {sessions} sessions, 1,000 events/s: a key is answered within"),
        late[late.len() - 1],
        50.0,
        "ms",
    );
    let most = most_a_second(&live.pictures(COUNTED));
    figures.line("the same: pictures in any second", most as f64, 10.0, "");
    let shown = sessions_of(&live.text());
    println!("     sessions at the end: {}", shown.unwrap_or(0));
    figures.line("the same: peak memory", live.peak_mebibytes(), 128.0, "MiB");
    live.quit();
}

#[allow(clippy::cast_precision_loss, reason = "some pictures")]
fn idle(figures: &mut Figures) {
    let lab = Lab::start(&["--sessions", "1000"]);
    let mut live = Live::start(&lab);
    live.until("all sessions", |screen| sessions_of(screen) == Some(1_000));
    // The rates of the beginning fall to nothing.
    live.pictures(Duration::from_secs(5));
    // The failures of an hour ago fall out of the hour, and that is seen.
    let pictures = live.pictures(COUNTED);
    let needless = pictures.iter().filter(|picture| !picture.changes).count();
    println!("     pictures without an event: {}", pictures.len());
    figures.line(
        "top, no event for 20 s: pictures that change nothing",
        needless as f64,
        0.0,
        "",
    );
    live.quit();
}
