//! A subscriber, a real stream, and workers whose callback writes down what it was given; judged
//! against what the stream holds, and that against what the lab published.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use netapi::testing::lab::{EventRate, LabOptions};
use tempfile::TempDir;

use super::account::published;
use super::callback::{lines, script};
use super::lab::{self, TestLab};
use super::nats::{NatsServer, Servers, Stored, endpoint, holds};
use super::running::Running;
use super::sessions::SESSIONS;
use super::{PATIENCE, wait_for};

/// See the module's documentation.
pub(crate) struct Fleet<S = NatsServer> {
    pub(crate) server: S,
    pub(crate) lab: TestLab,
    pub(crate) dir: TempDir,
    pub(crate) subscriber: Option<Running>,
    since: Timestamp,
}

/// One run of the callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) id: String,
    pub(crate) repeated: bool,
    pub(crate) attempt: u32,
}

/// Writes the id, whether it is a repeat, and the attempt; then does what a test wants.
const NOTE: &str =
    "#!/bin/sh\necho \"$NETAPI_ID $NETAPI_REPEATED $NETAPI_ATTEMPT\" >> \"$NOTES\"\n";

impl<S: Servers> Fleet<S> {
    /// A subscriber that fills the stream of this server, which is made, at so many events a
    /// second.
    pub(crate) fn start(server: S, events_per_second: u32) -> Self {
        let lab = lab::with(LabOptions {
            sessions: 300,
            events_per_second: EventRate::PerSecond(events_per_second),
            ..LabOptions::default()
        });
        let to = server.to();
        let spool = tempfile::tempdir().unwrap();
        let subscriber = lab.subscribed(
            "session",
            &[
                "--to",
                &to,
                "--create-stream",
                "--max-bytes",
                "100M",
                "--replicas",
                S::REPLICAS,
            ],
        );
        lab.listened_to(SESSIONS, 1);
        Self {
            server,
            lab,
            dir: spool,
            subscriber: Some(subscriber),
            since: Timestamp::now(),
        }
    }

    /// Where the callbacks of a group write; in `$NOTES` for them.
    pub(crate) fn notes(&self, group: &str) -> PathBuf {
        self.dir.path().join(format!("notes-{group}"))
    }

    /// A worker of this group whose callback goes on as `more` says.
    pub(crate) fn worker(&self, group: &str, more: &str, options: &[&str]) -> Running {
        self.worker_of(group, &format!("{NOTE}{more}"), options)
    }

    /// A worker of this group with this script.
    pub(crate) fn worker_of(&self, group: &str, text: &str, options: &[&str]) -> Running {
        // One of its own: another's may be running.
        let dir = tempfile::tempdir_in(self.dir.path()).unwrap().keep();
        let callback = script(&dir, text);
        let from = self.server.to();
        let lease = ["--lease", "2s", "--group", group];
        let arguments = [
            &["ise", "pxgrid", "worker", "--from", &from, "--callback"],
            &[callback.to_str().unwrap()][..],
            &lease,
            options,
        ]
        .concat();
        let notes = self.notes(group);
        self.lab
            .start_netapi(&arguments, &[("NOTES", notes.to_str().unwrap())])
    }

    /// The runs so far, in their order.
    pub(crate) fn runs(&self, group: &str) -> Vec<Run> {
        let notes = self.notes(group);
        if !notes.exists() {
            return Vec::new();
        }
        let run = |line: &String| {
            let mut words = line.split(' ');
            Run {
                id: words.next().unwrap().to_owned(),
                repeated: words.next() == Some("true"),
                attempt: words.next().unwrap().parse().unwrap(),
            }
        };
        lines(&notes).iter().map(run).collect()
    }

    /// Waits for so many more runs.
    pub(crate) fn more_runs(&self, group: &str, more: usize) {
        let before = self.runs(group).len();
        wait_for("runs of the callback", || {
            self.runs(group).len() >= before + more
        });
    }

    /// How long it takes until all is handled that is stored within the next second, or was before.
    pub(crate) fn catches_up(&self, group: &str) -> Duration {
        let began = Instant::now();
        std::thread::sleep(Duration::from_secs(1));
        self.handles(group, &self.server.stored());
        began.elapsed()
    }

    /// Ends the subscriber; all that the lab published is in the stream then.
    pub(crate) fn fill(&mut self) -> Vec<Stored> {
        let stored = holds(&self.server, &published(&self.lab, self.since));
        if let Some(subscriber) = self.subscriber.take() {
            super::account::stop(subscriber);
        }
        drop(stored);
        self.server.stored()
    }

    /// Ends the subscriber, waits until every event of the stream was handled by the group, and
    /// checks order and marks. Gives the number of repeats.
    pub(crate) fn judge(&mut self, group: &str) -> usize {
        let stored = self.fill();
        self.judge_stored(group, &stored)
    }

    /// Waits until all of this is handled. A machine with much to do may take its time, as long as
    /// it goes on.
    pub(crate) fn handles(&self, group: &str, stored: &[Stored]) {
        let wanted = ids(stored);
        let (mut since, mut before) = (Instant::now(), 0);
        loop {
            let runs = self.runs(group);
            let handled: BTreeSet<&str> = runs.iter().map(|run| run.id.as_str()).collect();
            let lacks: Vec<&&str> = wanted.difference(&handled).collect();
            if lacks.is_empty() {
                return;
            }
            if handled.len() > before {
                (since, before) = (Instant::now(), handled.len());
            }
            assert!(
                since.elapsed() < PATIENCE,
                "{} of {} never came: {lacks:?}",
                lacks.len(),
                wanted.len()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The same for what is stored.
    pub(crate) fn judge_stored(&self, group: &str, stored: &[Stored]) -> usize {
        self.handles(group, stored);
        check(stored, &self.runs(group))
    }
}

/// Ids of those.
fn ids(stored: &[Stored]) -> BTreeSet<&str> {
    stored.iter().map(id).collect()
}

fn id(stored: &Stored) -> &str {
    stored.body["id"].as_str().unwrap()
}

/// First runs in the stream's order, endpoint by endpoint; further ones marked. Gives their number.
fn check(stored: &[Stored], runs: &[Run]) -> usize {
    let places: BTreeMap<&str, (usize, &str)> = stored
        .iter()
        .enumerate()
        .map(|(place, stored)| {
            let who = endpoint(&stored.body["message"]["sessions"][0]);
            (id(stored), (place, who))
        })
        .collect();
    let (mut seen, mut last) = (BTreeSet::new(), BTreeMap::new());
    let mut repeats = 0;
    for run in runs {
        let Some((place, who)) = places.get(run.id.as_str()) else {
            panic!("nobody published {run:?}");
        };
        if !seen.insert(run.id.as_str()) {
            repeats += 1;
            assert!(run.repeated, "a repeat that is not marked: {run:?}");
            continue;
        }
        let before = last.insert(*who, *place);
        assert!(
            before.is_none_or(|before| before < *place),
            "out of order at {who}: {place} after {before:?}, {run:?}"
        );
    }
    repeats
}
