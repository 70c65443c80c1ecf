//! A hundred kills at random moments: whatever was published meanwhile is handed over in the end,
//! and what comes again says so.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use netapi::testing::lab::{EventRate, LabOptions};
use rustix::process::Signal;

use crate::support::account::{Account, published, stop};
use crate::support::callback::{script, text};
use crate::support::lab;
use crate::support::running::Running;
use crate::support::sessions::HASTY;

const ROUNDS: usize = 100;

/// Random numbers that can be had again: a failing test says its seed, and `CHAOS_SEED` sets it.
struct Dice {
    seed: u64,
    numbers: fastrand::Rng,
}

impl Dice {
    fn new() -> Self {
        let given = std::env::var("CHAOS_SEED").ok();
        let seed = given.map_or_else(|| fastrand::u64(..), |text| text.parse().unwrap());
        Self {
            seed,
            numbers: fastrand::Rng::with_seed(seed),
        }
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.numbers.u64(..limit)
    }
}

impl Drop for Dice {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _closed = writeln!(std::io::stderr(), "CHAOS_SEED={}", self.seed);
        }
    }
}

/// Waits a while, which is no waiting for anything: the moment is to be random.
fn linger(dice: &mut Dice, most: u64) {
    std::thread::sleep(Duration::from_millis(dice.below(most)));
}

/// A file of what was handed over in this round.
fn log(dir: &Path, round: usize) -> std::path::PathBuf {
    dir.join(format!("log.{round}"))
}

#[test]
fn a_hundred_kills_lose_nothing() {
    let mut dice = Dice::new();
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let spool = dir.join("spool");
    // It takes as long as an event to come, so that a kill finds one at work.
    let callback = script(dir, "#!/bin/sh\nsleep 0.04\nexec cat >> \"$1\"\n");
    // Each start fetches the last 30 seconds again, so that the rate counts a thousandfold.
    let lab = lab::with(LabOptions {
        sessions: 1500,
        events_per_second: EventRate::PerSecond(25),
        ..LabOptions::default()
    });
    let mut arguments = HASTY.to_vec();
    arguments.extend(["--spool", spool.to_str().unwrap()]);
    let start = |way: u64, round: usize| -> Running {
        let mut arguments = arguments.clone();
        let log = log(dir, round);
        match way {
            0 => arguments.push("--json"),
            1 => arguments.push("--keep-running"),
            _ => arguments.extend(["--jobs", "2"]),
        }
        if way > 0 {
            arguments.extend(["--callback", callback.to_str().unwrap()]);
            arguments.extend(["--", log.to_str().unwrap()]);
        }
        lab.start(&arguments)
    };
    let mut since = None;
    let mut printed = Vec::new();
    let mut left_over = 0;
    for round in 0..ROUNDS {
        match round % 10 {
            3 => lab.order("fault sequence-gap@1"),
            6 => lab.order("fault duplicate@1"),
            9 => lab.order("fault publisher-restart@1"),
            _ => {}
        }
        // The first one is to have a beginning: what is published from there on is ours.
        let way = if round == 0 { 0 } else { dice.below(3) };
        let running = start(way, round);
        if since.is_none() {
            running.says("subscribed");
            since = Some(Timestamp::now());
            running.prints(3);
        } else if dice.below(2) == 0 {
            running.says("subscribed");
            linger(&mut dice, 120);
        } else {
            linger(&mut dice, 300);
        }
        running.signal(Signal::KILL);
        let (code, out, err) = running.end();
        assert_eq!(code, 137, "round {round}: {err:?}");
        left_over += usize::from(err.iter().any(|line| line.contains("of an earlier run")));
        printed.push(out);
    }
    let wanted = published(&lab, since.unwrap());
    let running = start(0, ROUNDS);
    let mut account = Account::default();
    for (round, out) in printed.iter().enumerate() {
        account.note_lines(out.iter().map(String::as_str), true);
        account.note_lines(text(&log(dir, round)).lines(), true);
    }
    account.follow(&running, &wanted);
    stop(running);
    assert!(account.unmarked.is_empty(), "{:?}", account.unmarked);
    // Otherwise the kills hit nothing.
    let hit = (left_over, account.again, wanted.len());
    assert!(hit.0 > 10 && hit.1 > 0 && hit.2 > 100, "{hit:?}");
}
