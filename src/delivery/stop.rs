//! How urgently to end: one word for delivery and for every command that goes on until it is
//! stopped. It ends nothing itself.

use tokio::sync::watch;

/// How urgently; it only ever gets more urgent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// Not at all.
    #[default]
    No,
    /// Everything offered is delivered first (`--count`, `--for`).
    Drained,
    /// The running callbacks finish, the rest stays in the spool (first Ctrl-C).
    Finish,
    /// The running callbacks are killed (second Ctrl-C).
    AtOnce,
}

impl Stop {
    /// Says it to whoever listens, unless something more urgent was said before.
    pub fn raise(self, level: &watch::Sender<Self>) {
        level.send_if_modified(|now| {
            let more = self > *now;
            *now = self.max(*now);
            more
        });
    }

    /// Waits until it is at least as urgent as this; also when nobody is left to say so.
    pub async fn reached(self, level: &mut watch::Receiver<Self>) {
        let _gone = level.wait_for(|now| *now >= self).await.is_err();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_only_gets_more_urgent_and_nobody_waits_for_one_who_is_gone() {
        let (level, mut seen) = watch::channel(Stop::No);
        Stop::AtOnce.raise(&level);
        Stop::Finish.raise(&level);
        assert_eq!(*seen.borrow_and_update(), Stop::AtOnce);
        Stop::Finish.reached(&mut seen).await;
        let (level, mut seen) = watch::channel(Stop::No);
        drop(level);
        Stop::AtOnce.reached(&mut seen).await;
    }
}
