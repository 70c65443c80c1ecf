//! How many requests may be out on a password that nobody has confirmed: a directory locks an account after three refusals.
//!
//! A request is sure once one that was sent after it was let in, since the password was still good then. At most one request is out
//! before the first was let in, and at most two that are not sure after that. Who waited when the password was refused is
//! refused without asking. It sends nothing and keeps no password, only a keyed hash of it.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use secrecy::ExposeSecret;
use tokio::sync::Notify;

use super::Basic;
use crate::error::{Error, Kind, Result};

/// Requests out at once that are not sure, once one was let in.
const UNSURE: usize = 2;

/// Passwords remembered: pxGrid gives out new access secrets as long as the process lives.
const REMEMBERED: usize = 64;

/// What a request's answer said about the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The server let us in.
    Good,
    /// 401.
    Refused,
    /// Nothing: no answer, or one of something in between.
    Nothing,
}

impl Verdict {
    /// From an answer's status. A gateway's own errors come before anybody looked at the password.
    pub(super) fn of_status(status: u16) -> Self {
        match status {
            401 => Self::Refused,
            403 | 407 | 429 | 502..=504 => Self::Nothing,
            _ => Self::Good,
        }
    }
}

/// The passwords of one client.
#[derive(Default)]
pub(super) struct Logons {
    hasher: RandomState,
    known: Mutex<HashMap<(String, u64), Arc<Logon>>>,
}

/// One password at one host.
#[derive(Default)]
struct Logon {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// Requests sent so far; the last one's number.
    sent: u64,
    /// Those without an answer.
    out: BTreeSet<u64>,
    /// The latest request that was let in; 0 for none.
    good: u64,
    /// How often the password was refused.
    refused: u64,
}

impl State {
    fn may_send(&self) -> bool {
        let unsure = self.out.range(self.good + 1..).count();
        unsure < if self.good == 0 { 1 } else { UNSURE }
    }
}

impl Logons {
    /// Waits until a request to `host` may be sent with `basic`. Without a password there is nothing to wait for.
    ///
    /// Errors: [`Kind::Refused`] when the password was refused meanwhile; nothing was sent then.
    pub(super) async fn enter(&self, host: &str, basic: Option<&Basic>) -> Result<Option<Entry>> {
        let Some(basic) = basic else {
            return Ok(None);
        };
        let logon = self.logon(host, basic);
        let before = lock(&logon.state).refused;
        loop {
            let changed = logon.changed.notified();
            tokio::pin!(changed);
            // Registered before looking, so that no change between the two is missed.
            changed.as_mut().enable();
            {
                let mut state = lock(&logon.state);
                if state.refused != before {
                    return Err(Error::new(
                        Kind::Refused,
                        format!("not sent: {host} refused this password to another request"),
                    )
                    .host(host)
                    .nothing_sent());
                }
                if state.may_send() {
                    state.sent += 1;
                    let number = state.sent;
                    state.out.insert(number);
                    drop(state);
                    return Ok(Some(Entry {
                        logon: Arc::clone(&logon),
                        number,
                    }));
                }
            }
            changed.await;
        }
    }

    fn logon(&self, host: &str, basic: &Basic) -> Arc<Logon> {
        let secret = (basic.user.as_str(), basic.password.expose_secret());
        let key = (host.to_owned(), self.hasher.hash_one(secret));
        let mut known = lock(&self.known);
        if known.len() >= REMEMBERED && !known.contains_key(&key) {
            // Those in use stay.
            known.retain(|_, logon| Arc::strong_count(logon) > 1);
        }
        Arc::clone(known.entry(key).or_default())
    }
}

/// A request that is out. Dropped, it ended without an answer.
pub(super) struct Entry {
    logon: Arc<Logon>,
    number: u64,
}

impl Entry {
    /// Takes the verdict of the answer's head.
    pub(super) fn end(self, verdict: Verdict) {
        let mut state = lock(&self.logon.state);
        match verdict {
            Verdict::Good => state.good = state.good.max(self.number),
            Verdict::Refused => state.refused += 1,
            Verdict::Nothing => {}
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        lock(&self.logon.state).out.remove(&self.number);
        self.logon.changed.notify_waiters();
    }
}

/// The state behind the lock is always whole: nothing panics while holding it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use secrecy::SecretString;

    use super::*;

    fn basic(password: &str) -> Basic {
        Basic {
            user: "admin".to_owned(),
            password: SecretString::from(password),
        }
    }

    fn enter(logons: &Logons) -> Option<Result<Entry>> {
        let entered = logons.enter("ise:443", Some(&basic("p"))).now_or_never()?;
        Some(entered.map(Option::unwrap))
    }

    #[test]
    fn one_alone_then_two_that_are_not_sure() {
        let logons = Logons::default();
        let first = enter(&logons).unwrap().unwrap();
        assert!(enter(&logons).is_none());
        first.end(Verdict::Good);
        let second = enter(&logons).unwrap().unwrap();
        let third = enter(&logons).unwrap().unwrap();
        assert!(enter(&logons).is_none());
        // The third was let in, so the second is sure, though its answer is slow.
        third.end(Verdict::Good);
        let fourth = enter(&logons).unwrap().unwrap();
        let _fifth = enter(&logons).unwrap().unwrap();
        assert!(enter(&logons).is_none());
        // One that says nothing makes room and proves nothing.
        fourth.end(Verdict::Nothing);
        let _sixth = enter(&logons).unwrap().unwrap();
        assert!(enter(&logons).is_none());
        drop(second);
        assert!(enter(&logons).is_none());
    }

    #[tokio::test]
    async fn who_waited_at_a_refusal_does_not_ask() {
        let logons = Logons::default();
        let first = enter(&logons).unwrap().unwrap();
        let account = basic("p");
        let waiting = logons.enter("ise:443", Some(&account));
        tokio::pin!(waiting);
        assert!(waiting.as_mut().now_or_never().is_none());
        first.end(Verdict::Refused);
        let error = waiting.await.err().unwrap();
        assert_eq!(error.kind(), Kind::Refused);
        assert!(error.was_nothing_sent());
        // Another password, or another host, is another matter.
        let other = basic("q");
        assert!(logons.enter("ise:443", Some(&other)).await.is_ok());
        assert!(logons.enter("pan:443", Some(&account)).await.is_ok());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let logons = Logons::default();
        for number in 0..10 * REMEMBERED {
            let account = basic(&number.to_string());
            drop(logons.enter("ise:8910", Some(&account)).now_or_never());
        }
        assert!(lock(&logons.known).len() <= REMEMBERED);
    }
}
