//! Whether other subscribers can see us: our sign was heard lately. Nothing is sent here.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tokio::time::timeout;

/// Who was seen that lately is seen.
pub(super) const FRESH: Duration = Duration::from_secs(30);

/// See the module's documentation.
pub struct OwnSign {
    sign: watch::Sender<Sign>,
    wanted: Notify,
    /// Why the last one was not heard, where that is known.
    unheard: Mutex<Option<String>>,
}

/// What became of our last sign.
#[derive(Debug, Clone, Copy)]
enum Sign {
    /// Nobody has heard one.
    None,
    /// One was heard that was given then.
    Heard(Instant),
    /// We may give none.
    Refused,
}

impl Sign {
    /// Whether events may be stored now.
    fn suffices(self, now: Instant) -> bool {
        match self {
            Self::None => false,
            Self::Heard(at) => now.saturating_duration_since(at) < FRESH,
            Self::Refused => true,
        }
    }
}

impl OwnSign {
    /// Nobody has seen us yet.
    pub(in crate::nats) fn new() -> Self {
        Self {
            sign: watch::Sender::new(Sign::None),
            wanted: Notify::new(),
            unheard: Mutex::default(),
        }
    }

    /// Whether events may be stored: others can see us, or never will.
    pub(in crate::nats) fn suffices(&self) -> bool {
        self.sign.borrow().suffices(Instant::now())
    }

    /// Whether others can see us.
    pub(in crate::nats) fn is_seen(&self) -> bool {
        let sign = *self.sign.borrow();
        matches!(sign, Sign::Heard(_)) && sign.suffices(Instant::now())
    }

    /// Why others cannot see us, in the words of whoever was asked; none: nobody answered.
    pub(in crate::nats) fn why_unheard(&self) -> Option<String> {
        self.unheard().clone()
    }

    /// A poisoned lock holds a text that is whole all the same.
    fn unheard(&self) -> MutexGuard<'_, Option<String>> {
        self.unheard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits so long until events may be stored. False: they may not.
    pub(in crate::nats) async fn suffices_within(&self, patience: Duration) -> bool {
        if self.suffices() {
            return true;
        }
        self.wanted.notify_one();
        let mut sign = self.sign.subscribe();
        let suffices = sign.wait_for(|sign| sign.suffices(Instant::now()));
        timeout(patience, suffices)
            .await
            .is_ok_and(|seen| seen.is_ok())
    }

    /// A sign that was given then was heard.
    pub(in crate::nats) fn is_heard(&self, given: Instant) {
        self.sign.send_replace(Sign::Heard(given));
    }

    /// The last one was not heard: why, where that is known.
    pub(super) fn is_unheard(&self, why: Option<String>) {
        *self.unheard() = why;
    }

    /// The server lets us give none.
    pub(super) fn is_refused(&self) {
        self.sign.send_replace(Sign::Refused);
    }

    /// Waits so long, or until somebody waits for a sign.
    pub(super) async fn wanted_within(&self, pause: Duration) {
        // Either is a reason to give one.
        let _elapsed = timeout(pause, self.wanted.notified()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_suffices_for_a_while() {
        let now = Instant::now();
        assert!(!Sign::None.suffices(now));
        assert!(Sign::Refused.suffices(now));
        let heard = Sign::Heard(now);
        assert!(heard.suffices(now + FRESH / 2));
        assert!(!heard.suffices(now + FRESH));
        // A clock that another thread read a moment before.
        assert!(heard.suffices(now.checked_sub(Duration::from_secs(1)).unwrap_or(now)));
    }

    #[tokio::test]
    async fn whoever_may_not_store_asks_for_a_sign_and_waits_for_it() {
        let sign = OwnSign::new();
        assert!(!sign.suffices_within(Duration::from_millis(1)).await);
        let (stored, ()) = tokio::join!(sign.suffices_within(FRESH), async {
            sign.wanted_within(FRESH).await;
            sign.is_heard(Instant::now());
        });
        assert!(stored);
    }

    #[tokio::test]
    async fn without_permission_nobody_waits() {
        let sign = OwnSign::new();
        let (stored, ()) = tokio::join!(sign.suffices_within(FRESH), async {
            sign.wanted_within(FRESH).await;
            sign.is_refused();
        });
        assert!(stored);
    }
}
