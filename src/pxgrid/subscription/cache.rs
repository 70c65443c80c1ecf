//! What a subscriber remembers of each session (or row) of a topic, and what follows for the next
//! observation of it.
//!
//! A session is known by its identity (endpoint and audit session), the newest time it was seen
//! with, the digests of its last few contents and whether it ended. Ended ones are remembered too,
//! so that an older observation does not bring them back.
//!
//! Memory is bounded: two generations of at most `bound` sessions. Whatever is seen moves to the
//! young one; when that is full, the old one is forgotten and the young one grows old. At least the
//! last `bound` different sessions are remembered, at most twice as many. A forgotten session is
//! called created when it changes next, and a recovery can bring its last state again, marked as
//! recovered.
//!
//! With a [`Memory`] behind it, which a durable spool has, nothing that was told is forgotten: what
//! is not here is looked for there, and each change is given out ([`Cache::take_changes`]) to be
//! written there with its event. What is written is read back only after it was pushed out of here,
//! which takes `bound` other sessions. Of what was pushed out during a read only the hashes of
//! those that it observed are kept.

mod known_row;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::quality::RandomState;
use jiff::Timestamp;

use crate::event::remembered::{DIGESTS, Memory, Remembered, RememberedState};
use known_row::{KnownRow, NO_DIGEST, NO_TIME, UNSEEN_END, microseconds};
pub(super) use known_row::{Observation, ObservationSource, Verdict};

/// What a list lacks of what is known and goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Lacking {
    /// How many were known when the read began.
    pub(super) known: usize,
    /// How many of them were not observed since.
    pub(super) missing: usize,
    /// How many of those were seen live after a certain second.
    pub(super) recent: usize,
    /// How many of those an earlier list lacked too.
    pub(super) doubted: usize,
    /// How many that an earlier list lacked were observed since.
    pub(super) returned: usize,
}

/// The memory of one topic.
#[derive(Debug)]
pub(super) struct Cache {
    young: HashMap<Box<str>, KnownRow, RandomState>,
    old: HashMap<Box<str>, KnownRow, RandomState>,
    bound: usize,
    /// The number of the read that runs or ran last.
    round: u32,
    /// What reads up to this one told is long ago.
    settled: u32,
    /// Something was forgotten, or not remembered in the first place.
    partial: bool,
    /// The second that it is now.
    now: u32,
    /// How many went on when the read began.
    known: usize,
    /// How many of those that were doubted have been observed since.
    returned: usize,
    /// The newest time, as it was when the read began, of those that were seen live since then.
    overtaken: i64,
    /// What is told over restarts, and the topic's path.
    memory: Option<(Arc<dyn Memory>, Arc<str>)>,
    /// Whether what is here may be forgotten when it is old, also while it goes on.
    passing: bool,
    /// Of what was told last some may be in the memory only: the round in which that came about.
    recent_away: Option<u32>,
    /// What changed and is to be written to the memory.
    changes: Vec<Remembered>,
    /// Hashes of those that were observed in this round and pushed out; sorted when they are used.
    sighted_away: Vec<u64>,
    /// Hashes of those in the memory only that a list lacked; sorted.
    doubted_away: Vec<u64>,
    away_hasher: RandomState,
}

/// Where a list lacks something.
type Missing<'m> = &'m mut dyn FnMut(&str, bool);

impl Cache {
    /// Nothing is known but by the memory. `passing`: rows that nobody ends.
    pub(super) fn new(
        bound: usize,
        memory: Option<(Arc<dyn Memory>, Arc<str>)>,
        passing: bool,
    ) -> Self {
        Self {
            recent_away: memory.as_ref().map(|_| 0),
            memory,
            passing,
            changes: Vec::new(),
            sighted_away: Vec::new(),
            doubted_away: Vec::new(),
            away_hasher: RandomState::default(),
            young: HashMap::default(),
            old: HashMap::default(),
            bound: bound.max(1),
            round: 0,
            settled: 0,
            partial: false,
            now: 0,
            known: 0,
            returned: 0,
            overtaken: NO_TIME,
        }
    }

    /// Sets the second that it is now, counted from 1.
    pub(super) fn set_clock(&mut self, now: u32) {
        self.now = now;
    }

    /// A read begins. If it is a full one, what is not observed from now on to its end is gone.
    pub(super) fn begin_round(&mut self) {
        self.round = self.round.saturating_add(1);
        self.sighted_away = Vec::new();
        self.overtaken = NO_TIME;
        self.known = self.all().filter(|seen| !seen.ended).count();
    }

    /// What changed since it was last asked, for the memory.
    pub(super) fn take_changes(&mut self) -> Vec<Remembered> {
        std::mem::take(&mut self.changes)
    }

    /// Whether there is a memory.
    pub(super) fn remembers(&self) -> bool {
        self.memory.is_some()
    }

    /// Gives those in the memory only that go on and were not observed in this round, and whether
    /// an earlier list lacked them too.
    fn missing_away(&self, missing: Missing<'_>) -> usize {
        let Some((memory, topic)) = &self.memory else {
            return 0;
        };
        let mut known = 0;
        memory.walk(topic, &mut |key, state| {
            if state.ended || self.young.contains_key(key) || self.old.contains_key(key) {
                return;
            }
            known += 1;
            let hash = self.away_hasher.hash_one(key);
            if self.sighted_away.binary_search(&hash).is_err() {
                missing(key, self.doubted_away.binary_search(&hash).is_ok());
            }
        });
        known
    }

    /// Brings back what was told of one that is not here.
    fn recall(&self, key: &str) -> Option<KnownRow> {
        let (memory, topic) = self.memory.as_ref()?;
        let state = memory.find(topic, key)?;
        let hash = || self.away_hasher.hash_one(key);
        let doubted =
            !self.doubted_away.is_empty() && self.doubted_away.binary_search(&hash()).is_ok();
        Some(KnownRow {
            newest: state.newest,
            digests: state.digests,
            round: 0,
            heard: 0,
            ended: state.ended,
            recovered: state.recovered,
            doubted,
        })
    }

    /// Notes the state of one, to be written to the memory.
    fn note(&mut self, key: &str) {
        let Some((_, topic)) = &self.memory else {
            return;
        };
        let Some(seen) = self.young.get(key).or_else(|| self.old.get(key)) else {
            return;
        };
        self.changes.push(Remembered {
            topic: Arc::clone(topic),
            key: key.into(),
            state: RememberedState {
                newest: seen.newest,
                digests: seen.digests,
                ended: seen.ended,
                recovered: seen.recovered,
                passing: seen.ended || self.passing,
            },
        });
    }

    fn all(&self) -> impl Iterator<Item = &KnownRow> {
        self.young.values().chain(self.old.values())
    }

    /// What the list that was just read lacks. Recent is what was seen live in the second
    /// `recent` or later.
    pub(super) fn lacking(&mut self, recent: u32) -> Lacking {
        self.sighted_away.sort_unstable();
        let mut lacking = Lacking {
            known: self.known,
            returned: self.returned,
            ..Lacking::default()
        };
        for seen in self.all().filter(|seen| seen.is_missing(self.round)) {
            lacking.missing += 1;
            lacking.recent += usize::from(seen.heard >= recent);
            lacking.doubted += usize::from(seen.doubted);
        }
        let (mut missing, mut doubted) = (0, 0);
        lacking.known += self.missing_away(&mut |_, again| {
            missing += 1;
            doubted += usize::from(again);
        });
        lacking.missing += missing;
        lacking.doubted += doubted;
        lacking
    }

    /// Whether one had been seen with that time or a later one before the read began, and was seen
    /// live meanwhile: an answer without any row lacks it, though it is no longer missed.
    pub(super) fn overtook_since(&self, time: Timestamp) -> bool {
        self.overtaken >= microseconds(Some(time))
    }

    /// How many that were seen with that time or a later one are not in the answer that was just
    /// read; of those that have ended only if they must be there too.
    /// `away`: what is in the memory only counts as well.
    pub(super) fn lacks_since(&mut self, time: Timestamp, ended: bool, away: bool) -> usize {
        let since = microseconds(Some(time));
        let lacks = |seen: &&KnownRow| {
            seen.round < self.round && seen.newest >= since && (ended || !seen.ended)
        };
        let here = self.all().filter(lacks).count();
        let away = match self.recent_away {
            Some(_) if away => self.lacks_away(since, ended),
            _ => 0,
        };
        let lacking = here + away;
        // An answer that lacks nothing brought all of them here, if it pushed none out again.
        let stays = |since: &u32| lacking > 0 || *since == self.round;
        self.recent_away = self.recent_away.filter(stays);
        lacking
    }

    /// The same, of those in the memory only.
    fn lacks_away(&mut self, since: i64, ended: bool) -> usize {
        self.sighted_away.sort_unstable();
        let Some((memory, topic)) = &self.memory else {
            return 0;
        };
        let mut lacking = 0;
        memory.walk(topic, &mut |key, state| {
            let counts = state.newest >= since && (ended || !state.ended);
            if !counts || self.young.contains_key(key) || self.old.contains_key(key) {
                return;
            }
            let hash = self.away_hasher.hash_one(key);
            lacking += usize::from(self.sighted_away.binary_search(&hash).is_err());
        });
        lacking
    }

    /// What the list that was just read lacks is doubted, and what was doubted before is not.
    pub(super) fn doubt(&mut self) {
        let round = self.round;
        for seen in self.young.values_mut().chain(self.old.values_mut()) {
            seen.doubted = seen.is_missing(round);
        }
        let mut doubted = Vec::new();
        self.missing_away(&mut |key, _| doubted.push(self.away_hasher.hash_one(key)));
        doubted.sort_unstable();
        self.doubted_away = doubted;
        self.returned = 0;
    }

    /// The number of the read that runs or ran last.
    pub(super) fn round(&self) -> u32 {
        self.round
    }

    /// Whatever was on its way when the reads up to this one were answered has come.
    pub(super) fn settle(&mut self, round: u32) {
        self.settled = self.settled.max(round);
    }

    /// Whether everything that was ever observed is remembered.
    pub(super) fn is_whole(&self) -> bool {
        let kept = |(memory, topic): &(Arc<dyn Memory>, Arc<str>)| memory.is_whole(topic);
        !self.partial && self.memory.as_ref().is_none_or(kept)
    }

    /// Whether this was observed before.
    pub(super) fn knows(&self, key: &str) -> bool {
        self.young.contains_key(key) || self.old.contains_key(key) || self.recall(key).is_some()
    }

    /// A full read came to its end: the identities of sessions that were not observed since it
    /// began. They count as ended from now on.
    pub(super) fn gone(&mut self) -> Vec<String> {
        let round = self.round;
        self.sighted_away.sort_unstable();
        let mut away = Vec::new();
        self.missing_away(&mut |key, _| away.push(key.to_owned()));
        self.doubted_away = Vec::new();
        let mut gone = self.end(|_, seen| seen.is_missing(round));
        gone.append(&mut away);
        gone.sort();
        gone
    }

    /// The identities of sessions that a new one of their endpoint has taken the place of;
    /// `arriving` tells of an identity whether, and when. They count as ended from now on; those in
    /// the memory only from [`Cache::tell_end`] on.
    pub(super) fn replaced<'e>(
        &mut self,
        endpoints: impl Iterator<Item = &'e str>,
        arriving: impl Fn(&str) -> Option<Option<Timestamp>>,
    ) -> Vec<String> {
        let ends =
            |key: &str, newest: i64| arriving(key).is_some_and(|time| newest <= microseconds(time));
        let mut replaced = self.endpoints_away(endpoints, ends);
        replaced.append(&mut self.end(|key, seen| ends(key, seen.newest)));
        replaced.sort();
        replaced
    }

    /// Those sessions of these endpoints in the memory only that go on and that `ends` tells to have
    /// ended. They are not brought here, which would push out others that are asked for.
    fn endpoints_away<'e>(
        &self,
        endpoints: impl Iterator<Item = &'e str>,
        ends: impl Fn(&str, i64) -> bool,
    ) -> Vec<String> {
        let Some((memory, topic)) = &self.memory else {
            return Vec::new();
        };
        let mut away = Vec::new();
        for endpoint in endpoints {
            memory.find_endpoint(topic, endpoint, &mut |key, state| {
                let here = self.young.contains_key(key) || self.old.contains_key(key);
                if !here && !state.ended && ends(key, state.newest) {
                    away.push(key.to_owned());
                }
            });
        }
        away
    }

    /// Brings back what was told of one, unless it is here.
    fn bring_back(&mut self, key: &str) {
        if self.young.contains_key(key) || self.old.contains_key(key) {
            return;
        }
        if let Some(seen) = self.recall(key) {
            self.put(key.into(), seen);
        }
    }

    /// The newest time of one that is here.
    pub(super) fn newest(&self, key: &str) -> Option<Timestamp> {
        let seen = self.young.get(key).or_else(|| self.old.get(key))?;
        Timestamp::from_microsecond(seen.newest).ok()
    }

    /// The end of one was found and is being told; it may have been in the memory only.
    pub(super) fn tell_end(&mut self, key: &str) {
        self.bring_back(key);
        let seen = self.young.get_mut(key).or_else(|| self.old.get_mut(key));
        if let Some(seen) = seen.filter(|seen| !seen.ended) {
            seen.ended = true;
            seen.doubted = false;
            seen.digests = UNSEEN_END;
        }
        self.note(key);
    }

    /// Notes the end of those that go on and that `ends` tells to have ended.
    fn end(&mut self, ends: impl Fn(&str, &KnownRow) -> bool) -> Vec<String> {
        let mut gone = Vec::new();
        for (key, seen) in self.young.iter_mut().chain(self.old.iter_mut()) {
            if !seen.ended && ends(key, seen) {
                seen.ended = true;
                seen.doubted = false;
                // Should it be there again after all, that is news.
                seen.digests = UNSEEN_END;
                gone.push(key.to_string());
            }
        }
        // For the same events in each run with the same history.
        gone.sort();
        gone
    }

    /// Notes an observation and tells what it is.
    pub(super) fn observe(
        &mut self,
        observation: &Observation,
        source: ObservationSource,
    ) -> Verdict {
        if self.memory.is_some() {
            self.bring_back(&observation.key);
        }
        let (round, settled, now) = (self.round, self.settled, self.now);
        let heard = if source == ObservationSource::Live {
            now
        } else {
            0
        };
        let mut compare = |seen: &mut KnownRow| {
            let told = std::mem::replace(&mut seen.round, round);
            if source == ObservationSource::Live && told < round {
                self.overtaken = self.overtaken.max(seen.newest);
            }
            seen.heard = seen.heard.max(heard);
            let doubted = std::mem::take(&mut seen.doubted);
            self.returned += usize::from(doubted && !observation.ended);
            let before = seen.told_state();
            let verdict = seen.again(observation, source, told <= settled);
            (verdict, seen.told_state() != before)
        };
        let outcome = if let Some(seen) = self.young.get_mut(observation.key.as_str()) {
            Some(compare(seen))
        } else if let Some((key, mut seen)) = self.old.remove_entry(observation.key.as_str()) {
            let outcome = compare(&mut seen);
            self.put(key, seen);
            Some(outcome)
        } else {
            None
        };
        if let Some((verdict, changed)) = outcome {
            if changed {
                self.note(&observation.key);
            }
            return verdict;
        }
        let quiet = match source {
            ObservationSource::Live => false,
            ObservationSource::Baseline => true,
            ObservationSource::Snapshot => observation.ended,
            ObservationSource::Recovered(start) => {
                observation.timestamp.is_some() && observation.timestamp < start
            }
        };
        // What is no news must not push out what is.
        if !quiet || self.young.len() < self.bound {
            let mut seen = KnownRow {
                newest: NO_TIME,
                digests: [NO_DIGEST; DIGESTS],
                ended: true,
                recovered: false,
                doubted: false,
                heard,
                round,
            };
            seen.accept(observation, source);
            self.put(observation.key.as_str().into(), seen);
            // What is only known to be there was not told; a baseline is what changes are told by.
            if !quiet || source == ObservationSource::Baseline {
                self.note(&observation.key);
            }
        } else {
            self.partial = true;
        }
        match (quiet, observation.ended) {
            (true, _) => Verdict::Known,
            (false, true) => Verdict::Ended,
            (false, false) => Verdict::Created,
        }
    }

    fn put(&mut self, key: Box<str>, seen: KnownRow) {
        if self.young.len() >= self.bound {
            // Their room is used again, and does not grow anew from nothing.
            std::mem::swap(&mut self.young, &mut self.old);
            if self.memory.is_some() {
                self.recent_away = Some(self.round);
                let (round, hasher) = (self.round, &self.away_hasher);
                let sighted = self.young.iter().filter(|(_, seen)| seen.round == round);
                self.sighted_away
                    .extend(sighted.map(|(key, _)| hasher.hash_one(&**key)));
            } else {
                self.partial |= !self.young.is_empty();
            }
            self.young.clear();
        }
        self.young.insert(key, seen);
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}
