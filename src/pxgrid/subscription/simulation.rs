//! Whole histories of faults against a model of ISE: sessions that change, a publisher that
//! numbers, nodes that fail, REST that lags and fails.
//!
//! Time is virtual. After the faults all is mended, one more session changes (a loss shows only
//! with the next message), and then nothing that REST knows may be missing, nothing may have come
//! twice, and the machine must be at rest.

mod answers;
mod directory;
mod histories;
pub(super) mod kept;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::*;
use crate::error::Kind;
use crate::event::Figures;
use kept::Kept;

const TOPIC: &str = "/topic/com.cisco.ise.session";
const SESSIONS: usize = 6;
const NODES: usize = 2;
/// The longest time of empty answers, in milliseconds: shorter than the pause before a list that is
/// doubted is read again.
const LONGEST_EMPTY: u32 = 170_000;
/// After so many milliseconds an answer has come.
const IN_FLIGHT: u64 = 10_000;

#[derive(Debug, Clone)]
enum HistoryStep {
    Change(usize),
    End(usize),
    Lose(u8),
    Duplicate,
    Restart,
    Drop,
    HalfOpen,
    Error,
    NodeDown(usize, bool),
    RefuseSecrets(u8),
    FailSecrets(u8),
    FailLookups(u8),
    FailReads(u8),
    /// The directory has just come up: for so many milliseconds its answers are empty.
    Empty(u32),
    /// The process dies and another goes on from its marks.
    Crash,
    Wait(u32),
}

#[derive(Debug, Clone)]
struct Row {
    revision: u64,
    /// Which session of its endpoint it is; ISE shows the last one.
    audit: u64,
    ended: bool,
    at: i64,
    timestamp: i64,
}

impl Row {
    fn json(&self, session: usize) -> String {
        let state = if self.ended {
            "DISCONNECTED"
        } else {
            "STARTED"
        };
        let timestamp = Timestamp::from_millisecond(self.timestamp).unwrap();
        format!(
            r#"{{"timestamp":"{timestamp}","state":"{state}","macAddress":"00:00:00:00:00:0{session}","auditSessionId":"s{session}a{}","revision":{}}}"#,
            self.audit, self.revision
        )
    }
}

/// ISE, the network and the shell in one.
#[allow(clippy::struct_excessive_bools)]
struct World {
    machine: Subscription,
    /// What a process that goes on is told.
    again: SubscriptionOptions,
    /// What was told, over restarts.
    kept: Option<Arc<Kept>>,
    now: u64,
    /// How far the subscriber's clock is ahead of ISE's, in milliseconds.
    clock: i64,
    /// How far the nodes' `Date` is ahead of the times in events.
    date_ahead: i64,
    dice: u64,
    /// What is under way to the machine; `true` when it dies with the connection.
    coming: BTreeMap<(u64, u64), (bool, Input)>,
    tickets: u64,
    timers: BTreeMap<Timer, u64>,
    rows: BTreeMap<usize, Row>,
    revision: u64,
    number: i64,
    /// Below this number a loss cannot be told from a restart.
    blurred: i64,
    last_message: Option<String>,
    /// SUBSCRIBE was sent and is not read yet.
    subscribing: bool,
    subscribed: bool,
    half_open: bool,
    subscribed_first: Option<i64>,
    /// This process has been let in. Before that a lasting refusal ends it, which is right and not
    /// what is looked at here.
    let_in: bool,
    trying: usize,
    lose: u8,
    down: [bool; NODES],
    refuse: u8,
    fail_secrets: u8,
    fail_lookups: u8,
    fail_reads: u8,
    /// Until when the directory is empty.
    empty_until: u64,
    /// When the first of the empty answers was given that may be doubted still.
    empty_from: u64,
    knows_recovery: bool,
    emitted: Vec<Event>,
    finished: bool,
    /// Of earlier processes: what they counted, and how much they had told at their end.
    before: Vec<(Figures, usize)>,
}

const EPOCH: i64 = 1_800_000_000_000;

impl World {
    fn new(
        dice: u64,
        (clock, date_ahead): (i64, i64),
        knows_recovery: bool,
        snapshot: bool,
        kept: Option<Arc<Kept>>,
        remembered: usize,
    ) -> Self {
        let options = SubscriptionOptions {
            snapshot,
            remembered,
            memory: kept.clone().map(|kept| kept as Arc<dyn Memory>),
            ..SubscriptionOptions::default()
        };
        let again = SubscriptionOptions {
            snapshot: false,
            ..options.clone()
        };
        let mut world = Self {
            machine: Subscription::new(options, Vec::new()).unwrap(),
            again,
            kept,
            now: 0,
            clock,
            date_ahead,
            dice,
            coming: BTreeMap::new(),
            tickets: 0,
            timers: BTreeMap::new(),
            rows: BTreeMap::new(),
            revision: 0,
            number: 5,
            blurred: 0,
            last_message: None,
            subscribing: false,
            subscribed: false,
            half_open: false,
            subscribed_first: None,
            let_in: false,
            trying: 0,
            lose: 0,
            down: [false; NODES],
            refuse: 0,
            fail_secrets: 0,
            fail_lookups: 0,
            fail_reads: 0,
            empty_until: 0,
            empty_from: 0,
            knows_recovery,
            emitted: Vec::new(),
            finished: false,
            before: Vec::new(),
        };
        for session in 0..SESSIONS / 2 {
            world.change(session, false);
        }
        world.now += 3_600_000;
        world.input(Input::Started);
        world
    }

    fn roll(&mut self) -> u32 {
        self.dice = self
            .dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        u32::try_from(self.dice >> 32).unwrap()
    }

    fn wall(&self) -> i64 {
        EPOCH + i64::try_from(self.now).unwrap()
    }

    fn soon(&mut self, after: u64, with_connection: bool, input: Input) {
        self.tickets += 1;
        self.coming
            .insert((self.now + after, self.tickets), (with_connection, input));
    }

    fn later(&mut self, with_connection: bool, input: Input) {
        let after = 1 + u64::from(self.roll() % 300);
        self.soon(after, with_connection, input);
    }

    fn change(&mut self, session: usize, ended: bool) {
        let before = self.rows.get(&session);
        if ended && before.is_none_or(|row| row.ended) {
            return;
        }
        let audit = before.map_or(0, |row| row.audit + u64::from(row.ended));
        self.revision += 1;
        // Each session's node has a clock of its own, off by up to six seconds.
        let skew = 2000 * i64::try_from(session).unwrap() - 6000;
        let row = Row {
            revision: self.revision,
            audit,
            ended,
            at: self.wall(),
            timestamp: self.wall() + skew,
        };
        let json = row.json(session);
        self.rows.insert(session, row);
        let body = format!(r#"{{"sequence":{},"sessions":[{json}]}}"#, self.number);
        self.number += 1;
        if self.lose > 0 && self.number > self.blurred + 1 {
            self.lose -= 1;
            return;
        }
        self.publish(body);
    }

    fn publish(&mut self, body: String) {
        if self.subscribed && !self.half_open {
            let frame = Frame::message("0", TOPIC, 1, None, body.clone());
            self.soon(5, true, Input::Frame(frame));
            self.last_message = Some(body);
        }
    }

    fn steps<'a>(&mut self, steps: impl IntoIterator<Item = &'a HistoryStep>) {
        for step in steps {
            self.step(step);
        }
    }

    fn step(&mut self, step: &HistoryStep) {
        match *step {
            HistoryStep::Change(session) => self.change(session, false),
            HistoryStep::End(session) => self.change(session, true),
            HistoryStep::Lose(count) => self.lose = count,
            HistoryStep::Duplicate => {
                if let Some(body) = self.last_message.clone() {
                    self.publish(body);
                }
            }
            HistoryStep::Restart => {
                self.blurred = self.blurred.max(self.number);
                self.number = 0;
            }
            HistoryStep::Drop => self.drop_connection(),
            HistoryStep::HalfOpen => self.half_open = self.subscribed,
            HistoryStep::Error => {
                if self.subscribed {
                    self.soon(5, true, Input::Frame(Frame::error("no", "")));
                }
            }
            HistoryStep::NodeDown(node, down) => {
                self.down[node] = down;
                if down && self.trying == node {
                    self.drop_connection();
                }
            }
            HistoryStep::RefuseSecrets(count) => {
                if self.let_in {
                    self.refuse = count;
                }
            }
            HistoryStep::FailSecrets(count) => self.fail_secrets = count,
            HistoryStep::FailLookups(count) => self.fail_lookups = count,
            HistoryStep::FailReads(count) => self.fail_reads = count,
            HistoryStep::Empty(time) => {
                // A process that knows of nothing that was seen live cannot know what an answer
                // lacks.
                let before = self.before.last().filter(|_| self.kept.is_none());
                let from = before.map_or(0, |(_, until)| *until);
                let seen = |event: &Event| !event.recovered;
                if self.knows_recovery && self.emitted[from..].iter().any(seen) {
                    // Two wrong answers that agree, minutes apart, are believed: nobody could tell.
                    if !self.machine.doubts() && self.now > self.empty_until + IN_FLIGHT {
                        self.empty_from = self.now;
                    }
                    let until = self.now + u64::from(time);
                    self.empty_until = until.min(self.empty_from + u64::from(LONGEST_EMPTY));
                }
            }
            HistoryStep::Crash => self.crash(),
            HistoryStep::Wait(time) => self.run(u64::from(time)),
        }
    }

    fn crash(&mut self) {
        // A lookup that fails at the start would end the new one.
        self.fail_lookups = 0;
        self.refuse = 0;
        if self.kept.is_none() {
            self.empty_until = 0;
        }
        self.let_in = false;
        let marks = self.machine.marks();
        self.before
            .push((self.machine.figures(), self.emitted.len()));
        self.machine = Subscription::new(self.again.clone(), marks).unwrap();
        self.coming.clear();
        self.timers.clear();
        self.subscribed = false;
        self.half_open = false;
        self.input(Input::Started);
        self.run(500);
    }

    fn drop_connection(&mut self) {
        if self.subscribed && !self.half_open {
            self.subscribed = false;
            self.soon(6, true, Input::Closed(Error::new(Kind::Connect, "reset")));
        }
    }

    /// Lets time pass.
    fn run(&mut self, time: u64) {
        let until = self.now + time;
        loop {
            let coming = self.coming.keys().next().map(|(due, _)| *due);
            let timer = self.timers.iter().map(|(timer, due)| (*due, *timer)).min();
            let next = coming
                .into_iter()
                .chain(timer.map(|(due, _)| due))
                .min()
                .filter(|due| *due <= until);
            let Some(due) = next else { break };
            self.now = due.max(self.now);
            if coming == Some(due) {
                let (_, (_, input)) = self.coming.pop_first().unwrap();
                self.input(input);
            } else if let Some((_, timer)) = timer {
                self.timers.remove(&timer);
                self.input(Input::Fired(timer));
            }
        }
        self.now = until;
    }

    fn input(&mut self, input: Input) {
        match input {
            Input::Ping => self.ping(),
            // That far the server has read what we sent.
            Input::Pong if self.subscribing => self.subscribe(),
            _ => {}
        }
        let moment = Moment {
            elapsed: Duration::from_millis(self.now),
            wall: Timestamp::from_millisecond(self.wall() + self.clock).unwrap(),
            random: self.roll(),
        };
        let mut actions = Vec::new();
        self.machine.handle(moment, input, &mut actions);
        for action in actions {
            self.act(action);
        }
        assert!(
            self.finished || !self.coming.is_empty() || !self.timers.is_empty(),
            "stuck: {:?}",
            self.machine
        );
    }

    fn ping(&mut self) {
        if self.subscribed && !self.half_open {
            self.soon(20_000, true, Input::Ping);
        }
    }

    /// What SUBSCRIBE asked for is so from now on.
    fn subscribe(&mut self) {
        self.subscribing = false;
        self.subscribed = true;
        self.let_in = true;
        // A new connection is not sent what the old one was.
        self.last_message = None;
        self.subscribed_first = self.subscribed_first.or(Some(self.wall()));
        self.ping();
    }

    fn mend(&mut self) {
        self.lose = 0;
        self.down = [false; NODES];
        self.refuse = 0;
        self.fail_secrets = 0;
        self.fail_lookups = 0;
        self.fail_reads = 0;
        self.empty_until = 0;
        self.run(1_800_000);
        self.change(0, false);
        self.run(600_000);
    }
}
