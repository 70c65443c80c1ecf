//! What users changed on the simulated network: sessions removed, bounced, authenticated again, ANC
//! policies applied.
//!
//! Only touched sessions are held; everything else is the population's. Times are given by the
//! caller, so that tests need no clock.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::population::LabSession;

/// How long an endpoint is away when its port is bounced, in milliseconds: long enough for a poll
/// to see it gone.
pub const BOUNCE: i64 = 2_000;

/// What was done to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Authenticated again: a new authentication time.
    Reauthenticate,
    /// The session ended.
    Disconnect,
    /// The port went down and up: the session is away for [`BOUNCE`], then a new one begins.
    PortBounce,
    /// The port was shut down: the session ended.
    PortShutdown,
    /// The record was deleted.
    Delete,
    /// An endpoint that never came in failed once more.
    Fail,
    /// An ANC policy put it in quarantine: authenticated again, with other rights.
    Quarantine,
    /// The ANC policy was lifted: authenticated again; a port that was shut down comes up with a
    /// new session.
    Release,
}

/// A session that ended.
#[derive(Debug, Clone, Copy)]
struct Ended {
    /// When it had begun, and after how many reconnections; `None` if it was there from the start.
    began: Option<(i64, u32)>,
    reauthenticated_at: Option<i64>,
    at: i64,
}

impl Ended {
    /// The session as it last was, and when it ended.
    fn of(self, mut session: LabSession) -> (LabSession, i64) {
        if let Some((began_at, reconnections)) = self.began {
            session = session.reconnected(began_at, reconnections);
        }
        if let Some(at) = self.reauthenticated_at {
            session = session.reauthenticated(at);
        }
        (session, self.at)
    }
}

/// How many ended sessions are kept of somebody without a MAC.
const MOST_EARLIER: usize = 8;

#[derive(Debug, Clone, Default)]
struct Touched {
    gone: bool,
    back_at: Option<i64>,
    reauthenticated_at: Option<i64>,
    reconnections: u32,
    ended: Option<Ended>,
    /// The sessions before the one that is there, oldest first: of somebody without a MAC, for a
    /// directory merges by MAC.
    earlier: Vec<Ended>,
    quarantined: bool,
    failed_at: Option<i64>,
}

/// What was changed so far, as of one moment: what a list is written from.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    touched: HashMap<u64, Touched>,
    policies: HashMap<String, String>,
    emptied: bool,
    now: i64,
}

impl Changes {
    /// The session as it now is; `None` when it is gone or away.
    pub fn apply(&self, session: LabSession) -> Option<LabSession> {
        self.apply_at(session, self.now)
    }

    fn apply_at(&self, session: LabSession, now: i64) -> Option<LabSession> {
        if self.emptied {
            return None;
        }
        let Some(touched) = self.touched.get(&session.index()) else {
            return Some(session);
        };
        if touched.is_absent(now) {
            return None;
        }
        let mut session = session;
        if let Some(back_at) = touched.back_at {
            session = session.reconnected(back_at, touched.reconnections);
        }
        if let Some(at) = touched.reauthenticated_at {
            session = session.reauthenticated(at);
        }
        if touched.quarantined {
            session = session.quarantined();
        }
        if let Some(at) = touched.failed_at {
            session = session.failed(at);
        }
        Some(session)
    }

    /// A session that ended, as it last was, and when; `None` for one that did not.
    pub fn ended(&self, session: LabSession) -> Option<(LabSession, i64)> {
        let touched = self.touched.get(&session.index())?;
        touched.ended.map(|ended| ended.of(session))
    }

    /// The sessions of somebody without a MAC that ended before the one that is there.
    pub fn earlier(&self, session: LabSession) -> impl Iterator<Item = (LabSession, i64)> {
        let touched = self.touched.get(&session.index());
        let ended = touched.map_or(&[][..], |touched| &touched.earlier);
        ended.iter().map(move |ended| ended.of(session))
    }

    /// When the session `index` comes back, if it is away for a moment.
    pub fn back_at(&self, index: u64) -> Option<i64> {
        let back_at = self.touched.get(&index)?.back_at?;
        (self.now < back_at).then_some(back_at)
    }

    /// The ANC policy applied to the endpoint with this upper-case MAC.
    pub fn anc_policy(&self, mac: &str) -> Option<&str> {
        self.policies.get(mac).map(String::as_str)
    }

    /// How many of `sessions` are there.
    pub fn present(&self, sessions: u64) -> u64 {
        if self.emptied {
            return 0;
        }
        let absent = self
            .touched
            .values()
            .filter(|touched| touched.is_absent(self.now))
            .count();
        sessions.saturating_sub(u64::try_from(absent).unwrap_or(u64::MAX))
    }
}

impl Touched {
    /// The session ends: remembers what it was.
    fn end(&mut self, now: i64) {
        self.ended = Some(Ended {
            began: self.back_at.map(|began_at| (began_at, self.reconnections)),
            reauthenticated_at: self.reauthenticated_at,
            at: now,
        });
    }

    /// The end of one without a MAC stays known when another session begins.
    fn keep_ended(&mut self) {
        if self.earlier.len() == MOST_EARLIER {
            self.earlier.remove(0);
        }
        self.earlier.extend(self.ended);
    }

    /// Another session begins.
    fn begin(&mut self, at: i64) {
        self.back_at = Some(at);
        self.reauthenticated_at = None;
        self.reconnections += 1;
    }

    fn is_absent(&self, now: i64) -> bool {
        self.gone || self.back_at.is_some_and(|back_at| now < back_at)
    }
}

#[derive(Debug, Default)]
struct Inner {
    changes: Changes,
}

/// The changes, shared by all who serve the deployment.
#[derive(Debug, Default)]
pub struct SharedChanges {
    inner: Mutex<Inner>,
}

impl SharedChanges {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy as of `now` (milliseconds since 1970).
    pub fn changes(&self, now: i64) -> Changes {
        let mut changes = self.lock().changes.clone();
        changes.now = now;
        changes
    }

    /// The session as it is at `now`; `None` when it is gone or away. For one session cheaper than
    /// a copy of all changes.
    pub fn apply(&self, session: LabSession, now: i64) -> Option<LabSession> {
        self.lock().changes.apply_at(session, now)
    }

    /// Does `change` to a session; the caller has made sure that it is there.
    pub fn change(&self, session: &LabSession, change: Change, now: i64) {
        let mut inner = self.lock();
        let touched = inner.changes.touched.entry(session.index()).or_default();
        match change {
            Change::Reauthenticate => touched.reauthenticated_at = Some(now),
            Change::Disconnect | Change::PortShutdown | Change::Delete => {
                touched.end(now);
                touched.gone = true;
            }
            Change::Fail => touched.failed_at = Some(now),
            Change::Quarantine => {
                touched.quarantined = true;
                touched.reauthenticated_at = Some(now);
            }
            Change::Release if touched.gone => {
                if session.mac().is_none() {
                    touched.keep_ended();
                }
                touched.ended = None;
                touched.gone = false;
                touched.begin(now);
            }
            Change::Release => {
                touched.quarantined = false;
                touched.reauthenticated_at = Some(now);
            }
            Change::PortBounce => {
                touched.end(now);
                touched.begin(now + BOUNCE);
            }
        }
    }

    /// Deletes every session record.
    pub fn delete_all(&self) {
        let mut inner = self.lock();
        inner.changes.emptied = true;
        inner.changes.touched.clear();
    }

    /// The ANC policy applied to the endpoint with this upper-case MAC.
    pub fn anc_policy(&self, mac: &str) -> Option<String> {
        self.lock().changes.policies.get(mac).cloned()
    }

    /// Applies an ANC policy, or clears it with `None`; answers the one before.
    pub fn set_anc_policy(&self, mac: &str, policy: Option<String>) -> Option<String> {
        let mut inner = self.lock();
        match policy {
            Some(policy) => inner.changes.policies.insert(mac.to_owned(), policy),
            None => inner.changes.policies.remove(mac),
        }
    }

    /// Every endpoint with an ANC policy, as (MAC, policy), in order of the MACs.
    pub fn anc_policies(&self) -> Vec<(String, String)> {
        let mut all: Vec<_> = self.lock().changes.policies.clone().into_iter().collect();
        crate::order::sort(&mut all);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::super::population::Population;
    use super::*;

    const NOW: i64 = 1_790_000_000_000;

    /// The ends of whoever has a MAC are forgotten when another session begins, the last few of the
    /// others are not.
    #[test]
    fn ends_of_somebody_without_a_mac_stay_known() {
        let population = Population::new(7, 50, false, NOW).unwrap();
        let all = || (0..50).map(|index| population.session(index));
        let merged = all().find(|session| session.mac().is_some()).unwrap();
        let unmerged = all().find(|session| session.mac().is_none()).unwrap();
        let state = SharedChanges::default();
        let mut ends = Vec::new();
        for (turn, at) in (NOW..).step_by(1_000).take(MOST_EARLIER + 2).enumerate() {
            for session in [&merged, &unmerged] {
                state.change(session, Change::Reauthenticate, at);
                state.change(session, Change::Disconnect, at + 1);
                let (last, end) = state.changes(at + 1).ended(*session).unwrap();
                assert_eq!((last.authenticated_at(), end), (at, at + 1), "{turn}");
                state.change(session, Change::Release, at + 2);
                assert!(state.changes(at + 2).ended(*session).is_none());
            }
            ends.push(at + 1);
        }
        let changes = state.changes(NOW + 60_000);
        assert_eq!(changes.earlier(merged).count(), 0);
        let earlier: Vec<_> = changes.earlier(unmerged).collect();
        let kept: Vec<i64> = earlier.iter().map(|(_, end)| *end).collect();
        assert_eq!(kept, ends[2..]);
        let mut names: Vec<_> = earlier
            .iter()
            .map(|(session, _)| session.audit_session_id())
            .collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), MOST_EARLIER);
    }
}
