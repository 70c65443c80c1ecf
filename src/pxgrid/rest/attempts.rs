//! What to do next after a lookup, a refusal, a failure: a state machine without I/O.
//!
//! 401 and 403 get a fresh secret once, then a fresh lookup once, then they are the answer
//! (reference pxgrid-api, section 5). That holds for changes too: what was refused was not done.
//! Failures go to the next replica where that repeats nothing.

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AttemptOutcome {
    /// The lookup found this many replicas, at least one.
    Found(usize),
    /// 401 or 403.
    Denied,
    /// Anything else that is no answer.
    Failed {
        /// Whether another replica may be asked, see `failover`.
        try_next: bool,
    },
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NextStep {
    /// Find the replicas.
    LookUp {
        /// Ask ISE even if we know some.
        fresh: bool,
    },
    /// Send the request.
    Send {
        /// To this one.
        replica: usize,
        /// With a secret that is asked for now.
        fresh_secret: bool,
    },
    /// Report what went wrong.
    GiveUp,
}

/// How far one request has come.
#[derive(Debug, Clone, Default)]
pub(super) struct Attempts {
    replicas: usize,
    replica: usize,
    renewed_secret: bool,
    renewed_lookup: bool,
}

impl Attempts {
    /// Where every request begins.
    pub(super) const FIRST: NextStep = NextStep::LookUp { fresh: false };

    pub(super) fn after(&mut self, outcome: AttemptOutcome) -> NextStep {
        match outcome {
            AttemptOutcome::Found(replicas) => {
                self.replicas = replicas;
                self.replica = 0;
                NextStep::Send {
                    replica: 0,
                    fresh_secret: self.renewed_lookup,
                }
            }
            AttemptOutcome::Denied if !self.renewed_secret => {
                self.renewed_secret = true;
                NextStep::Send {
                    replica: self.replica,
                    fresh_secret: true,
                }
            }
            AttemptOutcome::Denied if !self.renewed_lookup => {
                self.renewed_lookup = true;
                NextStep::LookUp { fresh: true }
            }
            AttemptOutcome::Failed { try_next: true } if self.replica + 1 < self.replicas => {
                self.replica += 1;
                NextStep::Send {
                    replica: self.replica,
                    fresh_secret: self.renewed_lookup,
                }
            }
            AttemptOutcome::Denied | AttemptOutcome::Failed { .. } => NextStep::GiveUp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn send(replica: usize, fresh_secret: bool) -> NextStep {
        NextStep::Send {
            replica,
            fresh_secret,
        }
    }

    #[test]
    fn a_refusal_gets_a_secret_then_a_lookup_then_is_the_answer() {
        let mut attempts = Attempts::default();
        assert_eq!(Attempts::FIRST, NextStep::LookUp { fresh: false });
        assert_eq!(attempts.after(AttemptOutcome::Found(2)), send(0, false));
        assert_eq!(attempts.after(AttemptOutcome::Denied), send(0, true));
        assert_eq!(
            attempts.after(AttemptOutcome::Denied),
            NextStep::LookUp { fresh: true }
        );
        assert_eq!(attempts.after(AttemptOutcome::Found(2)), send(0, true));
        assert_eq!(attempts.after(AttemptOutcome::Denied), NextStep::GiveUp);
    }

    #[test]
    fn failures_walk_over_the_replicas_in_the_servers_order() {
        let mut attempts = Attempts::default();
        assert_eq!(attempts.after(AttemptOutcome::Found(3)), send(0, false));
        assert_eq!(
            attempts.after(AttemptOutcome::Failed { try_next: true }),
            send(1, false)
        );
        assert_eq!(
            attempts.after(AttemptOutcome::Failed { try_next: true }),
            send(2, false)
        );
        assert_eq!(
            attempts.after(AttemptOutcome::Failed { try_next: true }),
            NextStep::GiveUp
        );
    }

    #[test]
    fn what_may_not_be_repeated_ends_at_once() {
        let mut attempts = Attempts::default();
        attempts.after(AttemptOutcome::Found(3));
        assert_eq!(
            attempts.after(AttemptOutcome::Failed { try_next: false }),
            NextStep::GiveUp
        );
    }

    proptest! {
        #[test]
        fn every_request_comes_to_an_end(
            replicas in 1_usize..5,
            outcomes in proptest::collection::vec(0_u8..3, 0..40),
        ) {
            let mut attempts = Attempts::default();
            let mut step = Attempts::FIRST;
            let mut sends = 0;
            let mut outcomes = outcomes.into_iter();
            while step != NextStep::GiveUp {
                let outcome = if let NextStep::Send { replica, .. } = step {
                    prop_assert!(replica < replicas);
                    sends += 1;
                    match outcomes.next() {
                        Some(0) => AttemptOutcome::Denied,
                        Some(1) => AttemptOutcome::Failed { try_next: false },
                        _ => AttemptOutcome::Failed { try_next: true },
                    }
                } else {
                    AttemptOutcome::Found(replicas)
                };
                let ends = outcome == AttemptOutcome::Failed { try_next: false };
                step = attempts.after(outcome);
                if ends {
                    prop_assert_eq!(step, NextStep::GiveUp);
                }
            }
            prop_assert!(sends <= 2 * replicas + 1);
        }
    }
}
