//! Whether another node may be asked after one failed, and what is said when all did. Decisions
//! only.

use crate::error::{Error, Kind};
use crate::transport::Effect;

/// Reads go on after connection trouble and 5xx; a change only when nothing of it was sent
/// (contract, section 8).
pub(super) fn may_try_next(effect: Effect, error: &Error) -> bool {
    if matches!(error.kind(), Kind::Usage | Kind::NotSent | Kind::Refused) {
        // Refused by ourselves, only shown, or refused for who we are, by a node or the proxy:
        // another node changes nothing about that, and a wrong password sent often locks its
        // account.
        return false;
    }
    if error.was_nothing_sent() || error.kind() == Kind::Resolve {
        return true;
    }
    match effect {
        Effect::Change => false,
        Effect::Read => {
            error.http_status().is_some_and(|status| status >= 500)
                || matches!(
                    error.kind(),
                    Kind::Connect | Kind::Tls | Kind::TimedOut | Kind::Truncated | Kind::Overloaded
                )
        }
    }
}

/// One error of all that happened, in order: the first one's kind, host, status and hint, every
/// one's words.
pub(super) fn joined(what: &str, failures: Vec<Error>) -> Error {
    let nothing_sent = failures.iter().all(Error::was_nothing_sent);
    let mut failures = failures.into_iter();
    let Some(first) = failures.next() else {
        return Error::new(Kind::Failed, format!("there is no node to ask for {what}"));
    };
    let mut messages = vec![first.message().to_owned()];
    for next in failures {
        // The same refusal twice (with an old and a fresh secret) is said once.
        if !messages.iter().any(|message| message == next.message()) {
            messages.push(next.message().to_owned());
        }
    }
    if messages.len() == 1 {
        return first;
    }
    let mut error = Error::new(
        first.kind(),
        format!("no node answered {what}: {}", messages.join("; ")),
    );
    if let Some(hint) = first.hint_text() {
        error = error.hint(hint);
    }
    if let Some(host) = first.host_name() {
        error = error.host(host);
    }
    if let Some(status) = first.http_status() {
        error = error.status(status);
    }
    if nothing_sent {
        error = error.nothing_sent();
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_go_on_and_changes_only_when_nothing_was_sent() {
        let reset = Error::new(Kind::Connect, "reset");
        let refused = Error::new(Kind::Connect, "refused").nothing_sent();
        let broken = Error::new(Kind::Server, "500").status(500);
        let slow = Error::new(Kind::TimedOut, "slow");
        for error in [&reset, &refused, &broken, &slow] {
            assert!(may_try_next(Effect::Read, error), "{error}");
        }
        assert!(may_try_next(Effect::Change, &refused));
        for error in [&reset, &broken, &slow] {
            assert!(!may_try_next(Effect::Change, error), "{error}");
        }
        for error in [
            Error::new(Kind::Refused, "401").status(401),
            Error::new(Kind::Refused, "the proxy: 407").nothing_sent(),
            Error::new(Kind::Server, "404").status(404),
            Error::new(Kind::NotSent, "dry run"),
            Error::new(Kind::Malformed, "html"),
            Error::usage("no").nothing_sent(),
        ] {
            assert!(!may_try_next(Effect::Read, &error), "{error}");
        }
    }

    #[test]
    fn all_failures_are_named() {
        let one = Error::new(Kind::Connect, "a: refused").host("a").hint("h");
        let two = Error::new(Kind::TimedOut, "b: silent");
        assert_eq!(joined("x", vec![one.clone()]), one);
        assert_eq!(joined("x", vec![one.clone(), one.clone()]), one);
        let both = joined("x", vec![one, two]);
        assert_eq!((both.kind(), both.hint_text()), (Kind::Connect, Some("h")));
        assert!(both.message().contains("a: refused; b: silent"));
    }
}
