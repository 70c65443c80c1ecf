//! Which members of a group live, by what was heard of their keys. A state machine without I/O and
//! without a clock of its own. Who owns what is decided by [`leases`](super::leases).
//!
//! A key that was unchanged for the member's whole lease is **late**; one that is the same when it
//! is asked for then is of a **dead** member.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Moment;

/// A question that was not answered is asked again after this time.
const ASK_AGAIN: Duration = Duration::from_millis(250);

/// So many members that are gone are known again.
const GONE: usize = 256;

/// The member's key is to be asked for first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsure;

#[derive(Debug, Clone)]
struct Member {
    revision: u64,
    lease: Duration,
    /// It takes no partitions.
    leaving: bool,
    /// When this revision was seen first.
    seen: Moment,
    /// Whether its key was unchanged after its whole lease.
    dead: bool,
    /// It is known from a claim alone.
    of_claim: bool,
    /// When its key may be asked for again.
    ask_at: Moment,
}

impl Member {
    fn is_late(&self, now: Moment) -> bool {
        now >= self.seen + self.lease
    }
}

/// See the module's documentation. We are none of them.
#[derive(Debug)]
pub struct Members {
    /// What one is taken to have of whom only a claim is known.
    lease: Duration,
    known: BTreeMap<String, Member>,
    /// Revisions of members that were forgotten since they were late: a key lives on for a while,
    /// and a view that begins anew tells it again.
    gone: BTreeMap<String, u64>,
}

impl Members {
    /// Nobody. `lease`: ours.
    pub fn new(lease: Duration) -> Self {
        Self {
            lease,
            known: BTreeMap::new(),
            gone: BTreeMap::new(),
        }
    }

    /// All were told anew, after their view had broken off: what was not heard meanwhile says
    /// nothing, so each has its whole lease from now on.
    pub fn told_anew(&mut self, now: Moment) {
        for member in self.known.values_mut().filter(|member| !member.dead) {
            member.seen = now;
        }
    }

    /// A key was removed.
    pub fn removed(&mut self, name: &str) {
        self.known.remove(name);
        self.gone.remove(name);
    }

    /// A key is this. `ordered`: whether an older one than we know says nothing.
    pub fn told(
        &mut self,
        name: &str,
        revision: u64,
        lease: Duration,
        leaving: bool,
        ordered: bool,
        now: Moment,
    ) {
        if self.gone.get(name) == Some(&revision) {
            return;
        }
        self.gone.remove(name);
        match self.known.get(name) {
            Some(known) if known.revision == revision && !known.of_claim => {}
            Some(known) if known.revision > revision && ordered => {}
            _ => {
                let member = Member {
                    revision,
                    lease,
                    leaving,
                    seen: now,
                    dead: false,
                    of_claim: false,
                    ask_at: now,
                };
                self.known.insert(name.to_owned(), member);
            }
        }
    }

    /// It was heard of now, whatever its key says.
    pub fn lives(&mut self, name: &str, now: Moment) {
        if let Some(member) = self.known.get_mut(name) {
            member.seen = now;
            member.dead = false;
        }
    }

    /// The revision of a key when it was asked for (`None`: there is none); `Err`: nobody answered.
    pub fn confirmed(&mut self, name: &str, found: Result<Option<u64>, ()>, now: Moment) {
        let Some(member) = self.known.get_mut(name) else {
            return;
        };
        match found {
            Err(()) => member.ask_at = now + ASK_AGAIN,
            Ok(Some(revision)) if revision != member.revision => {
                // It lives; what it says now comes by the view.
                member.seen = now;
                member.dead = false;
            }
            Ok(_) => member.dead = member.is_late(now),
        }
    }

    /// Those that take partitions, by what is known.
    pub fn takers(&self, now: Moment) -> BTreeSet<String> {
        let counts = |member: &Member| !member.leaving && !member.of_claim && !member.is_late(now);
        let takers = self.known.iter().filter(|(_, member)| counts(member));
        takers.map(|(name, _)| name.clone()).collect()
    }

    /// Whether the owner of a claim is dead; `Err`: it has to be asked for first.
    pub fn is_dead(&mut self, owner: &str, now: Moment) -> Result<bool, Unsure> {
        let lease = self.lease;
        let gone = self.gone.get(owner).copied();
        let member = self.known.entry(owner.to_owned()).or_insert(Member {
            revision: gone.unwrap_or(0),
            lease,
            leaving: true,
            seen: now,
            dead: false,
            of_claim: true,
            ask_at: now,
        });
        if member.dead || !member.is_late(now) {
            return Ok(member.dead);
        }
        if now < member.ask_at {
            return Ok(false);
        }
        // Until it is answered, or that took too long.
        member.ask_at = now + lease;
        Err(Unsure)
    }

    /// Forgets who is late and is none of those that own something.
    pub fn forget(&mut self, owners: &BTreeSet<&str>, now: Moment) {
        let is_gone = |name: &String, member: &mut Member| {
            member.is_late(now) && !owners.contains(name.as_str())
        };
        for (name, member) in self.known.extract_if(.., is_gone) {
            self.gone.insert(name, member.revision);
        }
        while self.gone.len() > GONE {
            let oldest = self.gone.values().copied().min();
            self.gone.retain(|_, revision| Some(*revision) != oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(4);

    fn told(members: &mut Members, name: &str, revision: u64, now: Moment) {
        members.told(name, revision, LEASE, false, true, now);
    }

    #[test]
    fn of_many_that_are_gone_the_last_ones_are_known_again() {
        let mut members = Members::new(LEASE);
        let most = GONE as u64 + 1;
        // The names go the other way than the times.
        let name = |revision: u64| format!("{:04}", 9999 - revision);
        for revision in 1..=most {
            told(&mut members, &name(revision), revision, Moment::ZERO);
        }
        members.forget(&BTreeSet::new(), LEASE);
        for revision in 1..=most {
            told(&mut members, &name(revision), revision, LEASE);
        }
        assert_eq!(members.takers(LEASE), BTreeSet::from([name(1)]));
        // Whoever says something new lives.
        told(&mut members, &name(most), most + 1, LEASE);
        assert_eq!(members.takers(LEASE).len(), 2);
    }

    #[test]
    fn one_that_is_gone_is_dead_where_its_key_is_the_same() {
        let mut members = Members::new(LEASE);
        told(&mut members, "a", 3, Moment::ZERO);
        members.forget(&BTreeSet::new(), LEASE);
        // A claim of it comes late.
        assert_eq!(members.is_dead("a", LEASE), Ok(false));
        assert_eq!(members.is_dead("a", 2 * LEASE), Err(Unsure));
        members.confirmed("a", Ok(Some(3)), 2 * LEASE);
        assert_eq!(members.is_dead("a", 2 * LEASE), Ok(true));
    }
}
