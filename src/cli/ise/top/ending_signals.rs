//! Signals that end a process which does not handle them, and ask for nothing else (QUIT, USR2,
//! ALRM, …): while the terminal is ours it is given back before the process ends by them. INT, TERM,
//! HUP and USR1 are heard elsewhere.

use crate::error::{Error, Kind, Result};
use crate::unix::signals::{Arrivals, ENDING, Ignored, SIGHUP, SIGINT, SIGTERM, SIGUSR1, next_of};

/// What every command that runs long hears; HUP may be ignored on purpose.
const HEARD_ELSEWHERE: [i32; 4] = [SIGHUP, SIGINT, SIGTERM, SIGUSR1];

/// See the module's documentation.
pub(super) struct EndingSignals(Vec<Arrivals>);

impl EndingSignals {
    /// Must be called inside a runtime, before the terminal is taken. What is ignored stays so.
    pub(super) fn listen() -> Result<Self> {
        let ignored = Ignored::read().unwrap_or_default();
        let all = ENDING.into_iter();
        let all = all.filter(|signal| !HEARD_ELSEWHERE.contains(signal) && !ignored.has(*signal));
        let arrivals = all.map(Arrivals::of).collect::<Result<Vec<_>, _>>();
        arrivals.map(Self).map_err(|error| {
            Error::new(Kind::Failed, format!("cannot listen for signals: {error}"))
        })
    }

    /// Waits for the next: its number. Safe to drop and to call again.
    pub(super) async fn next(&mut self) -> i32 {
        next_of(&mut self.0).await
    }
}
