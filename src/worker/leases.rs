//! Who owns which partition: a state machine without I/O and without a clock of its own.
//!
//! Two kinds of keys decide. A **member's** key is rewritten each quarter of its lease; a
//! **claim** names a partition's owner and is changed by compare-and-set alone. A member counts as
//! dead when an observer saw its key unchanged for the member's whole lease by the observer's own
//! clock, and the key is still the same when asked for then; a claim that it wrote says that it
//! lives, too. Its owner, by its own clock, is sure of
//! its lease for nine tenths of it since it *sent* the last renewal that was acknowledged, which is
//! earlier. So no two are sure of a partition at once, whatever a server's clock says, as long as
//! two clocks run about equally fast.
//!
//! Who is no longer sure has lost all partitions, and must win each claim again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::claim::{Before, Claim};
use super::members::{Members, Unsure};
use super::{Moment, shares};
use crate::nats::bucket::Written;

/// A write whose outcome is not known is repeated after this time.
const WRITE_AGAIN: Duration = Duration::from_millis(500);

/// A write that somebody else's was before is tried again then, when its news has come.
const CONFLICT_PAUSE: Duration = Duration::from_millis(100);

/// A renewal that failed is tried again after this time.
const RENEW_AGAIN: Duration = Duration::from_millis(250);

/// What is to be done, or has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Write our member's key, which says whether we are leaving.
    Renew {
        /// Whether we are.
        leaving: bool,
    },
    /// Write a claim, if its revision is still this one (0: there is none).
    Write {
        /// Of this partition.
        partition: u32,
        /// For us, or for nobody.
        ours: bool,
        /// The revision.
        expected: u64,
        /// What may have been done.
        before: Before,
    },
    /// Ask for the revision of a member's key.
    Confirm(String),
    /// The partition is ours now.
    Open {
        /// Which one.
        partition: u32,
        /// What may have been done.
        before: Before,
    },
    /// It is to be handed over: [`Leases::release`] when nothing of it is under way.
    Drain(u32),
    /// It may be somebody else's already.
    Lost(u32),
}

#[derive(Debug, Clone, Copy)]
struct Write {
    ours: bool,
    before: Before,
    /// Since when we are sure of our lease, as a count.
    term: u64,
}

/// The writing of our member's key.
#[derive(Debug, Default)]
struct Renewal {
    /// When it is due.
    at: Moment,
    under_way: bool,
    /// Whether one that says that we are leaving was begun.
    said_leaving: bool,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Leases {
    me: String,
    lease: Duration,
    partitions: u32,
    members: Members,
    claims: BTreeMap<u32, Claim>,
    /// Whether everything stored is known.
    complete: bool,
    /// Claims that came since the view began anew.
    replayed: BTreeSet<u32>,
    /// Until when we are sure.
    sure_until: Option<Moment>,
    /// How often we ceased to be.
    term: u64,
    renewal: Renewal,
    leaving: bool,
    /// Our partitions, with the revision of the claim.
    owned: BTreeMap<u32, u64>,
    draining: BTreeSet<u32>,
    writing: BTreeMap<u32, Write>,
    write_at: BTreeMap<u32, Moment>,
}

impl Leases {
    /// A member that has not joined yet.
    pub fn new(me: String, lease: Duration, partitions: u32) -> Self {
        Self {
            me,
            lease,
            partitions,
            members: Members::new(lease),
            claims: BTreeMap::new(),
            complete: false,
            replayed: BTreeSet::new(),
            sure_until: None,
            term: 0,
            renewal: Renewal::default(),
            leaving: false,
            owned: BTreeMap::new(),
            draining: BTreeSet::new(),
            writing: BTreeMap::new(),
            write_at: BTreeMap::new(),
        }
    }

    /// Whether our partitions are ours at this moment.
    pub fn is_sure(&self, now: Moment) -> bool {
        self.sure_until.is_some_and(|until| now < until)
    }

    /// How many partitions are ours.
    pub fn owned(&self) -> usize {
        self.owned.len()
    }

    /// Which partitions are ours.
    #[cfg(test)]
    pub fn owned_partitions(&self) -> Vec<u32> {
        self.owned.keys().copied().collect()
    }

    /// How many members take partitions, ourselves included.
    pub fn members(&self, now: Moment) -> usize {
        self.takers(now).len()
    }

    /// Everything that is stored will be told anew.
    pub fn view_began(&mut self) {
        self.complete = false;
        self.replayed.clear();
    }

    /// Everything that was stored when the view began was told.
    pub fn view_complete(&mut self) -> Vec<Step> {
        self.complete = true;
        let replayed = std::mem::take(&mut self.replayed);
        let gone = self.claims.keys().filter(|key| !replayed.contains(key));
        let gone: Vec<u32> = gone.copied().collect();
        let mut steps = Vec::new();
        for partition in gone {
            self.claims.remove(&partition);
            steps.extend(self.lose(partition));
        }
        steps
    }

    /// See [`Members::told_anew`].
    pub fn members_told_anew(&mut self, now: Moment) {
        self.members.told_anew(now);
    }

    /// A member's key is this; `None`: it was removed.
    pub fn member(
        &mut self,
        name: &str,
        revision: u64,
        told: Option<(Duration, bool)>,
        now: Moment,
    ) {
        match told {
            None => self.members.removed(name),
            Some(_) if name == self.me => {}
            Some((lease, leaving)) => {
                let ordered = self.complete;
                self.members
                    .told(name, revision, lease, leaving, ordered, now);
            }
        }
    }

    /// A partition's claim is this.
    pub fn claim(&mut self, partition: u32, claim: Claim, now: Moment) -> Vec<Step> {
        self.replayed.insert(partition);
        let known = self.claims.get(&partition);
        let owned = self.owned.get(&partition).copied();
        let older = known.is_some_and(|known| known.revision > claim.revision);
        if older && (self.complete || owned.is_some()) {
            return Vec::new();
        }
        let same = |known: &Claim| (known.revision, &known.owner) == (claim.revision, &claim.owner);
        if known.is_some_and(same) {
            // What it leaves may be known better here.
            return Vec::new();
        }
        // Whoever wrote it lives, also where the news of its key are late.
        if let Some(writer) = &claim.owner {
            self.members.lives(writer, now);
        }
        let is_ours = claim.owner.as_ref() == Some(&self.me);
        let another = owned.is_some_and(|owned| owned != claim.revision || !is_ours);
        self.claims.insert(partition, claim);
        let lost = another.then(|| self.lose(partition)).flatten();
        lost.into_iter().collect()
    }

    /// Our key was to be written, which was sent then.
    pub fn renewed(&mut self, sent: Moment, done: bool, now: Moment) -> Vec<Step> {
        self.renewal.under_way = false;
        if !done {
            self.renewal.at = now + RENEW_AGAIN;
            return self.expire(now);
        }
        // What was lost before is not ours again by this.
        let steps = self.expire(now);
        if self.sure_until.is_none() {
            // Whoever was not heard of while we were away may have been away with us.
            self.members.told_anew(now);
        }
        let until = sent + self.lease * 9 / 10;
        self.sure_until = Some(self.sure_until.map_or(until, |known| known.max(until)));
        self.renewal.at = sent + self.lease / 4;
        if self.leaving && !self.renewal.said_leaving {
            self.renewal.at = Moment::ZERO;
        }
        let late = self.expire(now);
        [steps, late].concat()
    }

    /// The revision of a member's key when it was asked for (`None`: there is none); `Err`: nobody
    /// answered.
    pub fn confirmed(&mut self, name: &str, found: Result<Option<u64>, ()>, now: Moment) {
        self.members.confirmed(name, found, now);
    }

    /// What came of a claim's write.
    pub fn wrote(&mut self, partition: u32, written: Written, now: Moment) -> Vec<Step> {
        let Some(write) = self.writing.remove(&partition) else {
            return Vec::new();
        };
        let revision = match written {
            Written::Done(revision) => revision,
            Written::Conflict => {
                self.write_at.insert(partition, now + CONFLICT_PAUSE);
                return Vec::new();
            }
            Written::Unknown => {
                self.write_at.insert(partition, now + WRITE_AGAIN);
                return Vec::new();
            }
        };
        let newer = |known: &Claim| known.revision > revision;
        if self.claims.get(&partition).is_some_and(newer) {
            return Vec::new();
        }
        let mut steps = self.expire(now);
        let opens = write.ours && write.term == self.term && self.is_sure(now) && !self.leaving;
        let owner = write.ours.then(|| self.me.clone());
        let claim = if opens {
            Claim::new(revision, owner, write.before)
        } else {
            // Nothing of it begins here.
            Claim {
                revision,
                owner,
                before: write.before,
            }
        };
        self.claims.insert(partition, claim);
        self.replayed.insert(partition);
        if opens {
            self.owned.insert(partition, revision);
            steps.push(Step::Open {
                partition,
                before: write.before,
            });
        }
        steps
    }

    /// Nothing of the partition is under way any more; it goes to whoever takes it, who is told
    /// what may have been done.
    pub fn release(&mut self, partition: u32, before: Before) {
        self.owned.remove(&partition);
        self.draining.remove(&partition);
        if let Some(claim) = self.claims.get_mut(&partition) {
            claim.before = Before {
                done_to: claim.before.done_to.max(before.done_to),
                ..before
            };
        }
    }

    /// We take nothing any more, and hand over what we have.
    pub fn leave(&mut self) {
        if !self.leaving {
            self.leaving = true;
            self.renewal.at = Moment::ZERO;
        }
    }

    /// Whether nothing is ours any more, and everybody knows.
    pub fn has_left(&self) -> bool {
        let names_us = |claim: &Claim| claim.owner.as_deref() == Some(self.me.as_str());
        self.leaving
            && self.owned.is_empty()
            && self.writing.is_empty()
            && !self.claims.values().any(names_us)
    }

    /// What is to be done now.
    pub fn tick(&mut self, now: Moment) -> Vec<Step> {
        let mut steps = self.expire(now);
        if !self.renewal.under_way && now >= self.renewal.at {
            self.renewal.under_way = true;
            self.renewal.said_leaving = self.leaving;
            steps.push(Step::Renew {
                leaving: self.leaving,
            });
        }
        if !self.complete || !self.is_sure(now) {
            return steps;
        }
        let takers = self.takers(now);
        let takers: BTreeSet<&str> = takers.iter().map(String::as_str).collect();
        let wanted = if self.leaving {
            BTreeSet::new()
        } else {
            shares::of(&self.me, &takers, self.partitions)
        };
        for partition in self.owned.keys() {
            if !wanted.contains(partition) && self.draining.insert(*partition) {
                steps.push(Step::Drain(*partition));
            }
        }
        for partition in 0..self.partitions {
            if !self.owned.contains_key(&partition) {
                steps.extend(self.change_claim(partition, wanted.contains(&partition), now));
            }
        }
        self.forget_the_dead(now);
        steps
    }

    /// The members that take partitions, by what is known.
    fn takers(&self, now: Moment) -> BTreeSet<String> {
        let mut takers = self.members.takers(now);
        if !self.leaving {
            takers.insert(self.me.clone());
        }
        takers
    }

    /// The next step to a partition that is not ours and that we want; or to be rid of one.
    fn change_claim(&mut self, partition: u32, wanted: bool, now: Moment) -> Option<Step> {
        let early = self.write_at.get(&partition).is_some_and(|at| now < *at);
        if early || self.writing.contains_key(&partition) {
            return None;
        }
        let claim = self.claims.get(&partition);
        let (expected, before) = claim.map_or((0, Before::default()), |claim| {
            (claim.revision, claim.before)
        });
        match claim.and_then(|claim| claim.owner.clone()) {
            None if !wanted => return None,
            None => {}
            Some(owner) if owner == self.me => {}
            Some(_) if !wanted => return None,
            Some(owner) => match self.members.is_dead(&owner, now) {
                Ok(true) => {}
                Ok(false) => return None,
                Err(Unsure) => return Some(Step::Confirm(owner)),
            },
        }
        let write = Write {
            ours: wanted,
            before,
            term: self.term,
        };
        self.writing.insert(partition, write);
        self.write_at.remove(&partition);
        Some(Step::Write {
            partition,
            ours: wanted,
            expected,
            before,
        })
    }

    /// Members that are dead and own nothing.
    fn forget_the_dead(&mut self, now: Moment) {
        let owners: BTreeSet<&str> = self
            .claims
            .values()
            .filter_map(|claim| claim.owner.as_deref())
            .collect();
        self.members.forget(&owners, now);
    }

    /// Whether a lease ran out: all is lost then.
    pub fn expire(&mut self, now: Moment) -> Vec<Step> {
        if self.sure_until.is_none_or(|until| now < until) {
            return Vec::new();
        }
        self.sure_until = None;
        self.term += 1;
        self.renewal.at = Moment::ZERO;
        let all: Vec<u32> = self.owned.keys().copied().collect();
        all.into_iter().filter_map(|one| self.lose(one)).collect()
    }

    fn lose(&mut self, partition: u32) -> Option<Step> {
        self.draining.remove(&partition);
        self.owned.remove(&partition)?;
        Some(Step::Lost(partition))
    }
}

#[cfg(test)]
mod tests;
