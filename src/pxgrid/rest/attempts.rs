//! What to do next after a lookup, a refusal, a failure: a state machine without I/O.
//!
//! 401 and 403 get a fresh secret once, then a fresh lookup once, then they are the answer
//! (reference pxgrid-api, section 5). That holds for changes too: what was refused was not done.
//! Failures go to the next replica where that repeats nothing.

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
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
pub(super) enum Step {
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
    pub(super) const FIRST: Step = Step::LookUp { fresh: false };

    pub(super) fn after(&mut self, outcome: Outcome) -> Step {
        match outcome {
            Outcome::Found(replicas) => {
                self.replicas = replicas;
                self.replica = 0;
                Step::Send {
                    replica: 0,
                    fresh_secret: self.renewed_lookup,
                }
            }
            Outcome::Denied if !self.renewed_secret => {
                self.renewed_secret = true;
                Step::Send {
                    replica: self.replica,
                    fresh_secret: true,
                }
            }
            Outcome::Denied if !self.renewed_lookup => {
                self.renewed_lookup = true;
                Step::LookUp { fresh: true }
            }
            Outcome::Failed { try_next: true } if self.replica + 1 < self.replicas => {
                self.replica += 1;
                Step::Send {
                    replica: self.replica,
                    fresh_secret: self.renewed_lookup,
                }
            }
            Outcome::Denied | Outcome::Failed { .. } => Step::GiveUp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn send(replica: usize, fresh_secret: bool) -> Step {
        Step::Send {
            replica,
            fresh_secret,
        }
    }

    #[test]
    fn a_refusal_gets_a_secret_then_a_lookup_then_is_the_answer() {
        let mut attempts = Attempts::default();
        assert_eq!(Attempts::FIRST, Step::LookUp { fresh: false });
        assert_eq!(attempts.after(Outcome::Found(2)), send(0, false));
        assert_eq!(attempts.after(Outcome::Denied), send(0, true));
        assert_eq!(
            attempts.after(Outcome::Denied),
            Step::LookUp { fresh: true }
        );
        assert_eq!(attempts.after(Outcome::Found(2)), send(0, true));
        assert_eq!(attempts.after(Outcome::Denied), Step::GiveUp);
    }

    #[test]
    fn failures_walk_over_the_replicas_in_the_servers_order() {
        let mut attempts = Attempts::default();
        assert_eq!(attempts.after(Outcome::Found(3)), send(0, false));
        assert_eq!(
            attempts.after(Outcome::Failed { try_next: true }),
            send(1, false)
        );
        assert_eq!(
            attempts.after(Outcome::Failed { try_next: true }),
            send(2, false)
        );
        assert_eq!(
            attempts.after(Outcome::Failed { try_next: true }),
            Step::GiveUp
        );
    }

    #[test]
    fn what_may_not_be_repeated_ends_at_once() {
        let mut attempts = Attempts::default();
        attempts.after(Outcome::Found(3));
        assert_eq!(
            attempts.after(Outcome::Failed { try_next: false }),
            Step::GiveUp
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
            while step != Step::GiveUp {
                let outcome = if let Step::Send { replica, .. } = step {
                    prop_assert!(replica < replicas);
                    sends += 1;
                    match outcomes.next() {
                        Some(0) => Outcome::Denied,
                        Some(1) => Outcome::Failed { try_next: false },
                        _ => Outcome::Failed { try_next: true },
                    }
                } else {
                    Outcome::Found(replicas)
                };
                let ends = outcome == Outcome::Failed { try_next: false };
                step = attempts.after(outcome);
                if ends {
                    prop_assert_eq!(step, Step::GiveUp);
                }
            }
            prop_assert!(sends <= 2 * replicas + 1);
        }
    }
}
