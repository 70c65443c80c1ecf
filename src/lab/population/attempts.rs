//! The authentication attempts of an endpoint, newest first: what `AuthStatus` answers, and what
//! RADIUS failures are made of.
//!
//! One endpoint in ten failed three times before it came in; those without a session failed only,
//! each at its own pace. In the last half an hour many of them stand at one switch, whose uplink
//! was changed: what a network looks like when somebody asks what is broken now.

use std::ops::RangeInclusive;

use super::reasons::{self, Reason};
use super::{LabSession, Population};
use crate::lab::fast_text::pick;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
/// A node keeps attempts for five days (reference mnt-api, section 1, row 16).
const KEPT: i64 = 5 * 24 * HOUR;
/// The database keeps them for thirty days (reference dataconnect, A4).
const KEPT_IN_DATABASE: i64 = 30 * 24 * HOUR;
const FIRST_ID: u64 = 1_771_000_000_000_000;

/// One attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// Milliseconds since 1970.
    pub at: i64,
    /// Why it failed; `None` for a success.
    pub failure: Option<&'static Reason>,
    /// The record's number, sixteen digits.
    pub id: u64,
}

/// What endpoints at the switch with the new uplink fail with.
const OF_THE_UPLINK: u32 = 5411;

impl LabSession {
    /// Whether it stands at the switch with the new uplink, and has failed since it is new.
    fn suffers_from_the_uplink(&self) -> bool {
        let after_the_first = self.index() > super::session::FIRST_FAILED;
        after_the_first && self.nas().is_some_and(|nas| nas.number() == 1)
    }

    /// When it failed last, before the lab's start, and how far apart its failures are.
    fn rhythm(&self) -> (i64, i64) {
        if self.suffers_from_the_uplink() {
            let apart = MINUTE * i64::try_from(2 + self.hash() % 5).unwrap_or(2);
            return (MINUTE / 2 + apart / 2, apart);
        }
        let apart = MINUTE * i64::try_from(5 + self.hash() % 50).unwrap_or(5);
        let first = self.index() == super::session::FIRST_FAILED;
        let late = i64::try_from(self.hash() >> 24).unwrap_or(0);
        let late = if first { 0 } else { late % apart };
        (2 * MINUTE + late, apart)
    }

    /// The record number of the session's authentication.
    pub fn auth_id(&self) -> u64 {
        FIRST_ID + self.index() * 1000
    }

    /// The record number of the session's last accounting.
    pub fn acct_id(&self) -> u64 {
        self.auth_id() + 500
    }

    /// Why this endpoint fails when it fails.
    pub fn usual_failure(&self) -> &'static Reason {
        let codes = match self.role().protocol {
            _ if matches!(self.index(), 2 | super::session::FIRST_FAILED) => {
                return &reasons::WRONG_PASSWORD;
            }
            _ if self.suffers_from_the_uplink() => return reasons::of_code(OF_THE_UPLINK),
            "EAP-TLS" => reasons::OF_CERTIFICATES,
            "Lookup" => reasons::OF_MAB,
            _ => reasons::OF_PASSWORDS,
        };
        pick(codes, self.hash() >> 12)
            .map_or(&reasons::WRONG_PASSWORD, |code| reasons::of_code(*code))
    }

    /// Codes of the steps of `attempt`.
    pub fn steps(&self, failure: Option<&Reason>) -> Vec<u32> {
        let steps = self.role().steps;
        match failure {
            None => steps.to_vec(),
            Some(reason) => {
                let mut taken: Vec<u32> = steps.iter().take(steps.len() / 2).copied().collect();
                taken.extend([reason.code, 11003]);
                taken
            }
        }
    }
}

impl Population {
    /// The endpoint that the attempt with record number `id` belongs to.
    pub fn endpoint_of_record(&self, id: u64) -> Option<LabSession> {
        let index = id.checked_sub(FIRST_ID)? / 1000;
        self.has_endpoint(index).then(|| self.session(index))
    }

    /// The attempts of `endpoint` between `since` and `until`, newest first; at most a hundred and
    /// fifty.
    ///
    /// `endpoint` carries what a CoA made of it: an authentication after the lab's start comes
    /// first.
    pub fn attempts(&self, endpoint: &LabSession, since: i64, until: i64) -> Vec<Attempt> {
        self.attempts_kept(endpoint, since..=until, KEPT)
    }

    /// As [`attempts`](Self::attempts), of thirty days.
    pub fn history(&self, endpoint: &LabSession, since: i64, until: i64) -> Vec<Attempt> {
        self.attempts_kept(endpoint, since..=until, KEPT_IN_DATABASE)
    }

    fn attempts_kept(
        &self,
        endpoint: &LabSession,
        window: RangeInclusive<i64>,
        kept: i64,
    ) -> Vec<Attempt> {
        let original = self.session(endpoint.index());
        let mut attempts = Vec::new();
        if let Some(at) = endpoint.failed_at {
            // Its number is beyond those of the others, which keep theirs.
            attempts.push(Attempt {
                at,
                failure: Some(endpoint.usual_failure()),
                id: endpoint.auth_id() + 401,
            });
        }
        let mut id = endpoint.auth_id() + 401;
        let mut next = |at: i64, failure: Option<&'static Reason>| {
            id -= 1;
            attempts.push(Attempt { at, failure, id });
        };
        if endpoint.is_failed_only() {
            let (newest, apart) = endpoint.rhythm();
            let times = if endpoint.suffers_from_the_uplink() {
                30 * MINUTE / apart
            } else {
                20
            };
            for number in 0..times {
                next(
                    self.started_at() - newest - number * apart,
                    Some(endpoint.usual_failure()),
                );
            }
        } else {
            if endpoint.authenticated_at() > original.authenticated_at() {
                next(endpoint.authenticated_at(), None);
            }
            next(original.authenticated_at(), None);
            if endpoint.index() % 10 == 2 {
                for number in 1..=3 {
                    next(
                        original.authenticated_at() - number * MINUTE,
                        Some(endpoint.usual_failure()),
                    );
                }
            }
            let mut at = original.authenticated_at() - 2 * HOUR;
            while at > self.started_at() - kept {
                next(at, None);
                at -= 2 * HOUR;
            }
        }
        attempts.retain(|attempt| window.contains(&attempt.at));
        attempts
    }
}
