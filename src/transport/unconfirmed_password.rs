//! How many requests may be out on a password that nobody has confirmed: a directory locks an
//! account after three refusals.
//!
//! At most one request is out before the first was let in (or after a refusal), and at most two
//! after that: whatever order a server reads its connections in, it refuses two before we hear of
//! the first. Who waited when the password was refused is refused without asking. It sends nothing
//! and keeps no password, only a keyed hash of it.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use secrecy::ExposeSecret;
use tokio::sync::Notify;

use super::Basic;
use crate::error::{Error, Kind, Result};

/// Requests out at once, when the last verdict was good.
const OUT: u32 = 2;

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
    state: Mutex<LogonState>,
    changed: Notify,
}

#[derive(Default)]
struct LogonState {
    /// Requests without an answer.
    out: u32,
    /// Whether the last verdict was good.
    proven: bool,
    /// How often the password was refused.
    refused: u64,
}

impl LogonState {
    fn may_send(&self) -> bool {
        self.out < if self.proven { OUT } else { 1 }
    }
}

impl Logons {
    /// Waits until a request to `host` may be sent with `basic`. Without a password there is
    /// nothing to wait for.
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
                    state.out += 1;
                    drop(state);
                    return Ok(Some(Entry(Arc::clone(&logon))));
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
pub(super) struct Entry(Arc<Logon>);

impl Entry {
    /// Takes the verdict of the answer's head.
    pub(super) fn end(self, verdict: Verdict) {
        let mut state = lock(&self.0.state);
        match verdict {
            Verdict::Good => state.proven = true,
            Verdict::Refused => {
                state.refused += 1;
                state.proven = false;
            }
            Verdict::Nothing => {}
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        state.out = state.out.saturating_sub(1);
        drop(state);
        self.0.changed.notify_waiters();
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
    fn one_alone_then_two_and_one_again_after_a_refusal() {
        let logons = Logons::default();
        let first = enter(&logons).unwrap().unwrap();
        assert!(enter(&logons).is_none());
        first.end(Verdict::Good);
        let second = enter(&logons).unwrap().unwrap();
        let third = enter(&logons).unwrap().unwrap();
        assert!(enter(&logons).is_none());
        // One that says nothing makes room and proves nothing.
        third.end(Verdict::Nothing);
        let fourth = enter(&logons).unwrap().unwrap();
        assert!(enter(&logons).is_none());
        fourth.end(Verdict::Refused);
        assert!(enter(&logons).is_none());
        drop(second);
        let _fifth = enter(&logons).unwrap().unwrap();
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
