//! A server, workers and faults as plain data on one clock, for whole histories: workers join,
//! leave, are killed, are stopped for a while; the server is away, forgets acknowledgements, and its
//! clock jumps. After each: nothing is lost, endpoints are in order, none is left behind in an older
//! state, repeats are marked, and no two workers that are sure of their lease have the same partition.

mod callbacks;
mod histories;
mod judge;
mod server;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::Moment;
use super::claim::Claim;
use super::machine::{Action, Machine};
use crate::backoff::Backoff;
use crate::delivery::endpoint_order::{EndpointOrder, Rules};
use crate::event::Delivery;
use crate::nats::bucket::Written;
use crate::nats::consumer::{ConsumerState, Pulled};
use server::Server;

pub(super) const LEASE: Duration = Duration::from_secs(4);
pub(super) const ACK_WAIT: Duration = Duration::from_secs(8);
const JOBS: usize = 2;

/// An answer or news on its way to a worker.
#[allow(clippy::large_enum_variant, reason = "there are few")]
enum Mail {
    Renewed(Moment, bool),
    Wrote(u32, Written),
    Confirmed(String, Result<Option<u64>, ()>),
    Asked(u32, u64, Option<ConsumerState>),
    Delivered(u32, Moment, Pulled),
    PullEnded(u32, bool),
    Acked(u32, u64, bool),
    Progressed(u32, u64, Moment, bool),
    ViewBegan,
    ViewComplete,
    Member(String, u64, Option<(Duration, bool)>),
    Claim(u32, Claim),
}

/// A simulated process.
struct Process {
    name: String,
    machine: Machine,
    order: EndpointOrder,
    /// Numbers offered, in order: the event's sequence in the stream.
    offered: Vec<u64>,
    /// Those that began and are to be started then.
    starting: Vec<(u64, Delivery, Moment)>,
    /// Running callbacks: number, until when.
    running: Vec<(u64, Moment)>,
    /// Done, and the server's answer is awaited.
    unsettled: BTreeSet<u64>,
    /// Those of them whose places are given up: the acknowledgement left the process.
    written: BTreeSet<u64>,
    mail: VecDeque<(Moment, Mail)>,
    stopped_until: Moment,
    /// Until when news of members do not come; those come then.
    blind_until: Moment,
    withheld: Vec<Mail>,
    leaving: bool,
    /// Whether the server tells it what changes; it watches anew else.
    watching: bool,
}

impl Process {
    /// Whether no callback runs or is about to.
    fn is_idle(&self) -> bool {
        self.running.is_empty() && self.starting.is_empty()
    }
}

/// One start of a callback.
#[derive(Debug, Clone)]
pub(super) struct Begun {
    pub(super) sequence: u64,
    pub(super) repeated: bool,
    /// The server had heard before that it is done.
    heard: bool,
    pub(super) at: Moment,
}

/// See the module's documentation.
pub(super) struct World {
    pub(super) now: Moment,
    server: Server,
    /// Until when what came of a claim's write is not told, and often nothing does.
    pub(super) no_answer_until: Moment,
    processes: Vec<Process>,
    pub(super) begun: Vec<Begun>,
    /// Events whose callback ended well somewhere.
    pub(super) done: BTreeSet<u64>,
    /// Events of which the server heard that they are done, also where it forgot that.
    heard: BTreeSet<u64>,
    began: Instant,
    names: u32,
    random: u64,
}

impl World {
    pub(super) fn new(partitions: u32, seed: u64) -> Self {
        Self {
            now: Duration::from_secs(100),
            server: Server::new(partitions),
            no_answer_until: Duration::ZERO,
            processes: Vec::new(),
            begun: Vec::new(),
            done: BTreeSet::new(),
            heard: BTreeSet::new(),
            began: Instant::now(),
            names: 0,
            random: seed | 1,
        }
    }

    /// A number below `most` (xorshift).
    fn chance(&mut self, most: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % most
    }

    fn millis(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(least + self.chance(most - least))
    }

    pub(super) fn join(&mut self) {
        self.names += 1;
        let name = format!("w{}", self.names);
        let rules = Rules {
            jobs: JOBS,
            retries: 0,
            backoff: Backoff::new(Duration::from_secs(1), Duration::from_secs(1)),
            probes: false,
            capacity: 20_000,
        };
        self.processes.push(Process {
            machine: Machine::new(name.clone(), LEASE, self.server.partitions(), JOBS),
            name,
            order: EndpointOrder::new(rules),
            offered: Vec::new(),
            starting: Vec::new(),
            running: Vec::new(),
            unsettled: BTreeSet::new(),
            written: BTreeSet::new(),
            mail: VecDeque::new(),
            stopped_until: Duration::ZERO,
            blind_until: Duration::ZERO,
            withheld: Vec::new(),
            leaving: false,
            watching: false,
        });
    }

    /// How many partitions are this one's.
    pub(super) fn owned(&self, which: usize) -> usize {
        self.processes[which].machine.owned()
    }

    pub(super) fn count(&self) -> usize {
        self.processes.iter().filter(|one| !one.leaving).count()
    }

    fn pick(&self, which: usize) -> Option<usize> {
        let there: Vec<usize> = (0..self.processes.len())
            .filter(|one| !self.processes[*one].leaving)
            .collect();
        (!there.is_empty()).then(|| there[which % there.len()])
    }

    pub(super) fn leave(&mut self, which: usize) {
        if let Some(one) = self.pick(which) {
            self.processes[one].leaving = true;
            self.processes[one].machine.leave(self.now);
        }
    }

    pub(super) fn kill(&mut self, which: usize) {
        if let Some(one) = self.pick(which) {
            let gone = self.processes.remove(one);
            self.server.disconnected(&gone.name);
        }
    }

    pub(super) fn stop(&mut self, which: usize, time: Duration) {
        if let Some(one) = self.pick(which) {
            self.processes[one].stopped_until = self.now + time;
        }
    }

    pub(super) fn blind(&mut self, which: usize, time: Duration) {
        if let Some(one) = self.pick(which) {
            self.processes[one].blind_until = self.now + time;
        }
    }

    /// The server is away for so long; whether it forgets the acknowledgements of its last moments.
    pub(super) fn server_away(&mut self, time: Duration, forgets: bool) {
        self.server.away_until = self.now + time;
        if forgets {
            self.server.forget_recent();
        }
        self.server.disconnect_all();
        for process in &mut self.processes {
            process.watching = false;
            // What was on its way is lost; who asked hears that nobody answered.
            for (_, mail) in &mut process.mail {
                lose(mail);
            }
            process
                .mail
                .retain(|(_, mail)| !matches!(mail, Mail::Delivered(..)));
        }
    }

    pub(super) fn run(&mut self, time: Duration) {
        let until = self.now + time;
        while self.now < until {
            self.now += Duration::from_millis(20);
            self.step();
        }
    }

    fn step(&mut self) {
        self.server.tick(self.now);
        for index in 0..self.processes.len() {
            if self.now >= self.processes[index].stopped_until {
                self.step_process(index);
            }
        }
        self.processes
            .retain(|one| !(one.leaving && one.machine.has_left() && one.is_idle()));
    }

    fn step_process(&mut self, index: usize) {
        let now = self.now;
        if !self.processes[index].watching && now >= self.server.away_until {
            self.processes[index].watching = true;
            let name = self.processes[index].name.clone();
            let at = now + self.millis(1, 60);
            let mut mail = vec![Mail::ViewBegan];
            mail.extend(self.server.view());
            mail.push(Mail::ViewComplete);
            let box_ = &mut self.processes[index].mail;
            box_.extend(mail.into_iter().map(|mail| (at, mail)));
            self.server.watch(&name);
        }
        self.end_callbacks(index);
        let name = self.processes[index].name.clone();
        let news = self.server.news(&name);
        let process = &mut self.processes[index];
        let is_blind = now < process.blind_until;
        let (withheld, told): (Vec<Mail>, _) = std::mem::take(&mut process.withheld)
            .into_iter()
            .chain(news)
            .partition(|mail| is_blind && matches!(mail, Mail::Member(..)));
        process.withheld = withheld;
        let at = now + Duration::from_millis(5);
        process.mail.extend(told.into_iter().map(|mail| (at, mail)));
        // In the order of their sending, as on one connection.
        let mut due = Vec::new();
        let process = &mut self.processes[index];
        while process.mail.front().is_some_and(|(at, _)| *at <= now) {
            due.extend(process.mail.pop_front());
        }
        for (_, mail) in due {
            self.read(index, mail);
        }
        self.processes[index].machine.tick(now);
        self.act(index);
        self.begin_callbacks(index);
        self.act(index);
    }

    /// No two have the same partition and are sure of it.
    fn only_one_is_sure(&self) {
        let mut owners: HashMap<u32, &str> = HashMap::new();
        for process in &self.processes {
            // One that is stopped knows nothing and begins nothing.
            if self.now < process.stopped_until || !process.machine.is_sure(self.now) {
                continue;
            }
            for partition in process.machine.owned_partitions() {
                let before = owners.insert(partition, &process.name);
                assert!(
                    before.is_none(),
                    "{partition} is both {before:?}'s and {}'s",
                    process.name
                );
            }
        }
    }

    fn read(&mut self, index: usize, mail: Mail) {
        let now = self.now;
        let machine = &mut self.processes[index].machine;
        match mail {
            Mail::Renewed(sent, done) => machine.renewed(sent, done, now),
            Mail::Wrote(partition, written) => machine.wrote(partition, written, now),
            Mail::Confirmed(name, found) => machine.confirmed(&name, found, now),
            Mail::Asked(partition, question, state) => {
                machine.asked(partition, question, state, now);
            }
            Mail::Delivered(partition, sent, pulled) => {
                machine.delivered(partition, pulled, sent, now);
            }
            Mail::PullEnded(partition, well) => machine.pull_ended(partition, well, now),
            Mail::Acked(partition, sequence, heard) => {
                machine.acked(partition, sequence, heard, now);
            }
            Mail::Progressed(partition, sequence, sent, heard) => {
                machine.progressed(partition, sequence, sent, heard, now);
            }
            Mail::ViewBegan => machine.view_began(),
            Mail::ViewComplete => {
                machine.members_told_anew(now);
                machine.view_complete(now);
            }
            Mail::Member(name, revision, told) => machine.member(&name, revision, told, now),
            Mail::Claim(partition, claim) => machine.claim(partition, claim, now),
        }
        self.act(index);
    }

    /// Does what a machine wants.
    fn act(&mut self, index: usize) {
        let actions = self.processes[index].machine.take_actions();
        for action in actions {
            let there = self.now >= self.server.away_until;
            let name = self.processes[index].name.clone();
            let now = self.now;
            let stores = self.chance(2) == 0;
            let server = &mut self.server;
            let answer = match action {
                Action::Offer(number, event) => {
                    let process = &mut self.processes[index];
                    let sequence = u64::try_from(event.sequence.unwrap()).unwrap();
                    assert_eq!(number, process.offered.len() as u64);
                    process.offered.push(sequence);
                    assert!(process.order.offer(number, &event.order_key()));
                    continue;
                }
                Action::Settled(number) => {
                    let at = self.began + now;
                    let process = &mut self.processes[index];
                    if process.unsettled.remove(&number) {
                        process.order.done(number, true, at);
                    }
                    process.written.remove(&number);
                    continue;
                }
                Action::Lost => continue,
                Action::HandBack(reply) => {
                    if there {
                        server.hand_back(&reply);
                    }
                    continue;
                }
                Action::Renew { leaving } => {
                    if there {
                        server.renew(&name, leaving);
                    }
                    Mail::Renewed(now, there)
                }
                Action::Claim {
                    partition,
                    ours,
                    expected,
                    before,
                } => {
                    let owner = ours.then(|| name.clone());
                    let answers = now >= self.no_answer_until;
                    let mut written = Written::Unknown;
                    if there && (answers || stores) {
                        written = server.claim(partition, owner, expected, before);
                    }
                    if !answers {
                        written = Written::Unknown;
                    }
                    Mail::Wrote(partition, written)
                }
                Action::Confirm(member) => {
                    let found = if there {
                        Ok(server.revision(&member))
                    } else {
                        Err(())
                    };
                    Mail::Confirmed(member, found)
                }
                Action::Ask {
                    partition,
                    question,
                } => Mail::Asked(partition, question, there.then(|| server.state(partition))),
                Action::Pull(partition, count) => {
                    if there {
                        server.pull(partition, &name, count, now);
                        continue;
                    }
                    Mail::PullEnded(partition, false)
                }
                Action::Ack(receipt) => {
                    if there {
                        server.acknowledge(&receipt.reply);
                        self.heard.insert(receipt.sequence);
                    }
                    Mail::Acked(receipt.partition, receipt.sequence, there)
                }
                Action::Progress(receipt) => {
                    if there {
                        server.progress(&receipt.reply, now);
                    }
                    Mail::Progressed(receipt.partition, receipt.sequence, now, there)
                }
                Action::Bury(..) => unreachable!("no callback fails"),
            };
            let late = self.millis(1, 40);
            let process = &mut self.processes[index];
            let last = process.mail.back().map_or(Duration::ZERO, |(at, _)| *at);
            process.mail.push_back((last.max(now + late), answer));
        }
    }
}

/// What was asked is not answered.
fn lose(mail: &mut Mail) {
    match mail {
        Mail::Renewed(_, done) => *done = false,
        Mail::Wrote(_, written) => *written = Written::Unknown,
        Mail::Confirmed(_, found) => *found = Err(()),
        Mail::Asked(_, _, state) => *state = None,
        Mail::PullEnded(_, well) | Mail::Acked(_, _, well) | Mail::Progressed(_, _, _, well) => {
            *well = false;
        }
        _ => {}
    }
}
