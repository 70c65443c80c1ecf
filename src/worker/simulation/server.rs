//! The server of the simulation: a stream, its consumers and the two buckets, as plain data.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::{ACK_WAIT, LEASE, Mail};
use crate::delivery::testing::event;
use crate::nats::bucket::Written;
use crate::nats::consumer::{ConsumerState, Pulled};
use crate::nats::message::partition;
use crate::worker::Moment;
use crate::worker::claim::{Before, Claim};

const MOST_PENDING: usize = 8;
const PULL: Duration = Duration::from_secs(1);

/// How often a consumer's state is saved. What happened since is forgotten when the server is
/// killed: also that an event was delivered, and how often.
const SAVED: Duration = Duration::from_millis(400);

#[derive(Default)]
struct Consumer {
    /// The partition's events, in order.
    log: Vec<u64>,
    state: State,
    saved: State,
    saved_at: Moment,
    again: VecDeque<u64>,
    pull: Option<(String, Moment, usize)>,
}

/// What a server saves of a consumer.
#[derive(Default, Clone)]
struct State {
    /// How many events were delivered once.
    given: usize,
    delivery: u64,
    /// Delivered and not acknowledged: until when, and how often.
    pending: BTreeMap<u64, (Moment, u64)>,
    times: HashMap<u64, u64>,
}

/// See the module's documentation.
pub(super) struct Server {
    consumers: Vec<Consumer>,
    keys: BTreeMap<u64, String>,
    members: BTreeMap<String, (u64, bool)>,
    claims: BTreeMap<u32, Claim>,
    revision: u64,
    news: HashMap<String, Vec<Mail>>,
    pub(super) away_until: Moment,
    now: Moment,
}

impl Server {
    pub(super) fn new(partitions: u32) -> Self {
        Self {
            consumers: (0..partitions).map(|_| Consumer::default()).collect(),
            keys: BTreeMap::new(),
            members: BTreeMap::new(),
            claims: BTreeMap::new(),
            revision: 0,
            news: HashMap::new(),
            away_until: Duration::ZERO,
            now: Duration::ZERO,
        }
    }

    pub(super) fn partitions(&self) -> u32 {
        u32::try_from(self.consumers.len()).unwrap()
    }

    pub(super) fn key(&self, sequence: u64) -> String {
        self.keys[&sequence].clone()
    }

    pub(super) fn sequences(&self) -> impl Iterator<Item = u64> + '_ {
        self.keys.keys().copied()
    }

    /// Stores an event of this endpoint.
    pub(super) fn store(&mut self, endpoint: u8) {
        let sequence = self.keys.len() as u64 + 1;
        let key = format!("endpoint {endpoint}");
        let place = partition(&key, self.partitions());
        self.consumers[usize::try_from(place).unwrap()]
            .log
            .push(sequence);
        self.keys.insert(sequence, key);
    }

    fn consumer(&mut self, partition: u32) -> &mut Consumer {
        &mut self.consumers[usize::try_from(partition).unwrap()]
    }

    /// Partition and event of a reply subject.
    fn reply(reply: &str) -> (u32, u64) {
        let (partition, sequence) = reply.split_once('.').unwrap();
        (partition.parse().unwrap(), sequence.parse().unwrap())
    }

    pub(super) fn acknowledge(&mut self, reply: &str) {
        let (partition, sequence) = Self::reply(reply);
        let consumer = self.consumer(partition);
        consumer.state.pending.remove(&sequence);
        consumer.again.retain(|one| *one != sequence);
    }

    pub(super) fn progress(&mut self, reply: &str, now: Moment) {
        let (partition, sequence) = Self::reply(reply);
        let pending = &mut self.consumer(partition).state.pending;
        if let Some((until, _)) = pending.get_mut(&sequence) {
            *until = now + ACK_WAIT;
        }
    }

    pub(super) fn hand_back(&mut self, reply: &str) {
        let (partition, sequence) = Self::reply(reply);
        let consumer = self.consumer(partition);
        if consumer.state.pending.contains_key(&sequence) && !consumer.again.contains(&sequence) {
            consumer.again.push_back(sequence);
        }
    }

    pub(super) fn state(&mut self, partition: u32) -> ConsumerState {
        let consumer = self.consumer(partition);
        ConsumerState {
            delivered: consumer.state.delivery,
            pending: consumer.state.pending.len(),
            ack_wait: ACK_WAIT,
            most_pending: MOST_PENDING,
        }
    }

    pub(super) fn pull(&mut self, partition: u32, who: &str, count: usize, now: Moment) {
        let consumer = self.consumer(partition);
        if let Some((before, _, _)) = consumer.pull.replace((who.to_owned(), now, count)) {
            self.tell(&before, Mail::PullEnded(partition, true));
        }
    }

    fn tell(&mut self, who: &str, mail: Mail) {
        self.news.entry(who.to_owned()).or_default().push(mail);
    }

    /// What this worker is told now.
    pub(super) fn news(&mut self, who: &str) -> Vec<Mail> {
        self.news
            .get_mut(who)
            .map(std::mem::take)
            .unwrap_or_default()
    }

    pub(super) fn watch(&mut self, who: &str) {
        self.news.entry(who.to_owned()).or_default();
    }

    /// Its connection is gone.
    pub(super) fn disconnected(&mut self, who: &str) {
        self.news.remove(who);
        for consumer in &mut self.consumers {
            consumer.pull.take_if(|(puller, _, _)| puller == who);
        }
    }

    /// All connections are gone; whoever had pulled hears that it failed.
    pub(super) fn disconnect_all(&mut self) {
        for news in self.news.values_mut() {
            // A pull that is not answered is given up by whoever sent it.
            news.retain_mut(|mail| match mail {
                Mail::PullEnded(_, well) => {
                    *well = false;
                    true
                }
                _ => false,
            });
        }
        let mut failed = Vec::new();
        for (partition, consumer) in (0..).zip(&mut self.consumers) {
            if let Some((who, _, _)) = consumer.pull.take() {
                failed.push((who, partition));
            }
        }
        for (who, partition) in failed {
            self.tell(&who, Mail::PullEnded(partition, false));
        }
    }

    /// What it had not saved is forgotten.
    pub(super) fn forget_recent(&mut self) {
        for consumer in &mut self.consumers {
            consumer.state = consumer.saved.clone();
            consumer.again.clear();
        }
    }

    /// All that the buckets hold.
    pub(super) fn view(&self) -> Vec<Mail> {
        let members = self.members.iter().map(|(name, (revision, leaving))| {
            Mail::Member(name.clone(), *revision, Some((LEASE, *leaving)))
        });
        let claims = self.claims.iter();
        let claims = claims.map(|(partition, claim)| Mail::Claim(*partition, claim.clone()));
        members.chain(claims).collect()
    }

    pub(super) fn renew(&mut self, name: &str, leaving: bool) {
        self.revision += 1;
        let revision = self.revision;
        self.members.insert(name.to_owned(), (revision, leaving));
        let watchers: Vec<String> = self.news.keys().cloned().collect();
        for watcher in watchers {
            let told = Some((LEASE, leaving));
            self.tell(&watcher, Mail::Member(name.to_owned(), revision, told));
        }
    }

    /// Values of members that are too old by the server's clock are gone; its clock jumped.
    pub(super) fn members_expire(&mut self) {
        self.members.clear();
    }

    pub(super) fn revision(&self, name: &str) -> Option<u64> {
        self.members.get(name).map(|(revision, _)| *revision)
    }

    pub(super) fn claim(
        &mut self,
        partition: u32,
        owner: Option<String>,
        expected: u64,
        before: Before,
    ) -> Written {
        let known = self
            .claims
            .get(&partition)
            .map_or(0, |claim| claim.revision);
        if known != expected {
            return Written::Conflict;
        }
        self.revision += 1;
        let claim = Claim::new(self.revision, owner, before);
        self.claims.insert(partition, claim.clone());
        let watchers: Vec<String> = self.news.keys().cloned().collect();
        for watcher in watchers {
            self.tell(&watcher, Mail::Claim(partition, claim.clone()));
        }
        Written::Done(self.revision)
    }

    /// Time passes: what waits too long comes again, pulls are answered.
    pub(super) fn tick(&mut self, now: Moment) {
        self.now = now;
        if now < self.away_until {
            return;
        }
        for partition in 0..self.partitions() {
            let consumer = self.consumer(partition);
            if now >= consumer.saved_at + SAVED {
                consumer.saved_at = now;
                consumer.saved = consumer.state.clone();
            }
            let late = consumer
                .state
                .pending
                .iter()
                .filter(|(_, (until, _))| *until <= now);
            let late: Vec<u64> = late.map(|(sequence, _)| *sequence).collect();
            for sequence in late {
                if !consumer.again.contains(&sequence) {
                    consumer.again.push_back(sequence);
                }
            }
            self.deliver(partition, now);
        }
    }

    fn deliver(&mut self, partition: u32, now: Moment) {
        let Some((who, sent, left)) = self.consumer(partition).pull.clone() else {
            return;
        };
        let mut given = Vec::new();
        let consumer = self.consumer(partition);
        let state = &mut consumer.state;
        while given.len() < left {
            let sequence = if let Some(sequence) = consumer.again.pop_front() {
                sequence
            } else if state.pending.len() < MOST_PENDING && state.given < consumer.log.len() {
                state.given += 1;
                consumer.log[state.given - 1]
            } else {
                break;
            };
            state.delivery += 1;
            let times = state.times.entry(sequence).or_default();
            *times += 1;
            state.pending.insert(sequence, (now + ACK_WAIT, *times));
            given.push((sequence, state.delivery, *times));
        }
        let left = left - given.len();
        if let Some((_, _, count)) = &mut consumer.pull {
            *count = left;
        }
        for (sequence, delivery, times) in given {
            let mut event = event(&self.key(sequence), i64::try_from(sequence).unwrap());
            event.mac = None;
            event.station = Some(self.key(sequence).into());
            let pulled = Pulled {
                sequence,
                delivery,
                times,
                reply: Arc::from(format!("{partition}.{sequence}")),
                event: Some(event),
            };
            self.tell(&who, Mail::Delivered(partition, sent, pulled));
        }
        if left == 0 || now >= sent + PULL {
            self.consumer(partition).pull = None;
            self.tell(&who, Mail::PullEnded(partition, true));
        }
    }
}
