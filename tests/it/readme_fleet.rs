//! The README's page "More than one machine" runs as it is written: each event of the stream is
//! handled, though a subscriber and a worker were killed.

use std::fs::{File, read_to_string};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::support::{process, skipped};

const README: &str = include_str!("../../README.md");

/// The page's code: first the lab, then what is typed in it.
fn code() -> Vec<&'static str> {
    let page = README
        .split_once("\n### More than one machine\n")
        .unwrap()
        .1;
    let page = page.split("\n### ").next().unwrap();
    let blocks = page.split("\n```sh\n").skip(1);
    blocks
        .map(|block| block.split("\n```").next().unwrap())
        .collect()
}

/// What runs the page. Dropped, it is killed with all that it began: what is in the background
/// would go on for ever.
struct Page(Child);

impl Page {
    /// Whether it ends well within this time.
    fn ends_within(&mut self, limit: Duration) -> bool {
        let began = Instant::now();
        loop {
            match self.0.try_wait().unwrap() {
                Some(status) => return status.success(),
                None if began.elapsed() > limit => return false,
                None => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let leader = Pid::from_raw(self.0.id().try_into().unwrap()).unwrap();
        let _gone = kill_process_group(leader, Signal::KILL);
        let _reaped = self.0.wait();
    }
}

#[test]
fn two_subscribers_and_three_workers_of_whom_one_each_is_killed() {
    if Command::new("nats-server")
        .arg("--version")
        .output()
        .is_err()
    {
        skipped("there is no nats-server on PATH");
        return;
    }
    let code = code();
    let (lab, typed) = code.split_first().unwrap();
    let lab = lab.split_whitespace().collect::<Vec<_>>();
    assert_eq!(lab[0], "netapi");
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let child = process()
        .args(&lab[1..])
        .args(["--", "sh", "-euc"])
        .arg(typed.join("\n"))
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .stdout(File::create(path("out")).unwrap())
        .stderr(File::create(path("err")).unwrap())
        .process_group(0)
        .spawn()
        .unwrap();
    let mut page = Page(child);
    let ended = page.ends_within(Duration::from_mins(3));
    drop(page);
    let text = |name: &str| read_to_string(path(name)).unwrap_or_default();
    let told = ["err", "subscriber-1.log", "subscriber-2.log"].map(text);
    let out = text("out");
    assert!(ended, "{out}{}", told.join("--\n"));
    let last: Vec<u64> = out
        .lines()
        .rev()
        .take(2)
        .map(|line| line.trim().parse().unwrap())
        .collect();
    assert_eq!(last[0], last[1], "{out}");
    assert!(last[0] > 100, "{out}");
    assert!(
        text("handled.txt").lines().count() as u64 >= last[0],
        "{out}"
    );
    assert_eq!(out.matches("group workers").count(), 2, "{out}");
}
