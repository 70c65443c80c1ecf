//! One change of the network on its way: what is known of it at each moment, and what is said when
//! its outcome is lost.
//!
//! A change that was sent and whose answer is lost (time-out, reset, an answer that is none, a
//! signal) may have been carried out. Then its error names what was sent and how to look, and
//! carries what the server had answered until then; the exit status stays that of the fact.

use std::cell::{Cell, RefCell};

use serde_json::Value;

use super::long_running::Signals;
use crate::error::{Error, Kind, Result};
use crate::record::{Mac, Record};

/// What a change came to.
pub(crate) struct Carried {
    /// There was nothing to do.
    pub already: bool,
    /// In words, where there is more to say than that it was carried out.
    pub reason: Option<String>,
    /// As the server sent it.
    pub answer: Option<Value>,
    /// What the command prints for one endpoint.
    pub record: Record,
}

/// A change of endpoints that can be listed.
pub(crate) trait Change {
    /// The command in a few words, the same for the same change: `coa reauth`.
    fn command(&self) -> String;

    /// The question before many are changed, without their number: `Send reauth to`.
    fn question(&self) -> String;

    /// Whether also a few are asked for, and `--yes` is needed where nobody can be asked.
    fn asks_always(&self) -> bool {
        false
    }

    /// The change of one endpoint: `reauth of C8:5B:76:C6:59:62`.
    fn what(&self, mac: Mac) -> String;

    /// How to look whether it was carried out, given what the server answered until then.
    fn look(&self, mac: Mac, answer: Option<&Value>) -> String;

    /// Carries it out, once, and says to `attempt` how far it is.
    async fn carry_out(&self, mac: Mac, attempt: &Attempt<'_>) -> Result<Carried>;

    /// Asks what became of one that an earlier run sent, where the server's `answer` has something
    /// to ask by.
    async fn ask_again(&self, _mac: Mac, _answer: &Value) -> Option<Result<Carried>> {
        None
    }
}

/// What is told of a step before it is taken: what the server answered until then.
type Note<'a> = &'a dyn Fn(Option<&Value>) -> Result<()>;

/// How far one change is.
#[derive(Default)]
pub(crate) struct Attempt<'a> {
    sent: Cell<bool>,
    settled: Cell<bool>,
    answer: RefCell<Option<Value>>,
    waits: Cell<bool>,
    note: Option<Note<'a>>,
}

impl<'a> Attempt<'a> {
    /// An attempt whose steps are noted before they are taken.
    pub(crate) fn noted(note: Note<'a>) -> Self {
        Self {
            note: Some(note),
            ..Self::default()
        }
    }

    /// An attempt that was sent.
    pub(crate) fn begun() -> Self {
        let attempt = Self::default();
        attempt.sent.set(true);
        attempt
    }

    /// To be called before the change is sent.
    ///
    /// Errors: it cannot be noted; then it must not be sent.
    pub(crate) fn sending(&self) -> Result<()> {
        if let Some(note) = self.note {
            note(None)?;
        }
        self.sent.set(true);
        Ok(())
    }

    /// The server took it, and this is what it can be asked by; its outcome is still to come.
    pub(crate) fn answered(&self, answer: Value) {
        if let Some(note) = self.note {
            // It is sent: an error here is told by the next row that cannot be written.
            let _unwritten = note(Some(&answer)).is_err();
        }
        self.answer.replace(Some(answer));
    }

    /// It was carried out, and what it was for is waited for; `answer` is what another run can go
    /// on with.
    pub(crate) fn waits(&self, answer: Value) {
        self.answered(answer);
        self.waits.set(true);
    }

    /// The outcome is known, whatever it is.
    pub(crate) fn settled(&self) {
        self.settled.set(true);
    }

    /// Whether it was sent and its outcome is not known after `error`.
    pub(crate) fn is_lost(&self, error: &Error) -> bool {
        self.sent.get()
            && !self.settled.get()
            && !error.was_nothing_sent()
            && (self.answer.borrow().is_some() || leaves_open(error))
    }

    /// What the server answered until now.
    pub(crate) fn answer(&self) -> Option<Value> {
        self.answer.borrow().clone()
    }

    /// `error` with what was sent and how to look, where its outcome is lost.
    pub(crate) fn explain_lost(
        &self,
        error: Error,
        what: &str,
        look: impl Fn(Option<&Value>) -> String,
    ) -> Error {
        if !self.is_lost(&error) {
            return error;
        }
        let message = match error.kind() {
            // It is known: it runs.
            Kind::Pending => error.message().to_owned(),
            _ if self.waits.get() => format!("{what} was sent, but {}", error.message()),
            _ => format!(
                "{what} was sent, and what became of it is not known: {}",
                error.message()
            ),
        };
        let answer = self.answer();
        let error = error.reworded(message).hint(look(answer.as_ref()));
        match answer {
            Some(answer) => error.answer(answer.to_string()),
            None => error,
        }
    }
}

/// Whether an error at the sending of a change leaves open whether it was carried out. A server
/// that failed inside may have done it before it failed; one that does not know the request (501)
/// has not.
fn leaves_open(error: &Error) -> bool {
    match error.kind() {
        Kind::Connect
        | Kind::TimedOut
        | Kind::Truncated
        | Kind::Malformed
        | Kind::Overloaded
        | Kind::Redirected
        | Kind::Stopped(_) => true,
        Kind::Server => error
            .http_status()
            .is_some_and(|status| status >= 500 && status != 501),
        _ => false,
    }
}

/// The end by a signal.
pub(crate) fn stopped(signal: i32) -> Error {
    Error::new(Kind::Stopped(signal), "interrupted")
}

/// Carries out one change (`what`) to its end or to the first signal; `look` is the hint where its
/// outcome is lost.
pub(crate) async fn alone<T>(
    attempt: &Attempt<'_>,
    what: &str,
    look: impl Fn(Option<&Value>) -> String,
    change: impl Future<Output = Result<T>>,
) -> Result<T> {
    let mut signals = Signals::listen()?;
    let result = tokio::select! {
        biased;
        result = change => result,
        signal = signals.stopped() => Err(stopped(signal)),
    };
    result.map_err(|error| attempt.explain_lost(error, what, look))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn explain_lost(attempt: &Attempt<'_>, error: Error) -> Error {
        attempt.explain_lost(error, "the order", |answer| match answer {
            Some(answer) => format!("ask for {}", answer["id"]),
            None => "look".to_owned(),
        })
    }

    #[test]
    fn only_what_was_sent_and_not_answered_is_lost() {
        let timed_out = || Error::new(Kind::TimedOut, "silent");
        let attempt = Attempt::default();
        assert_eq!(explain_lost(&attempt, timed_out()), timed_out());
        attempt.sending().unwrap();
        let lost = explain_lost(&attempt, timed_out());
        assert_eq!(
            (lost.kind(), lost.hint_text()),
            (Kind::TimedOut, Some("look"))
        );
        assert!(lost.message().starts_with("the order was sent, and"));
        let failed_inside = Error::new(Kind::Server, "failed").status(500);
        assert!(attempt.is_lost(&failed_inside));
        // A refusal, or what never left, is an outcome.
        for known in [
            Error::new(Kind::Refused, "no"),
            Error::new(Kind::Server, "no such thing").status(501),
            Error::new(Kind::Server, "results is false"),
            timed_out().nothing_sent(),
        ] {
            assert_eq!(explain_lost(&attempt, known.clone()), known);
        }
        attempt.answered(json!({"id": 7}));
        let refused = explain_lost(&attempt, Error::new(Kind::Refused, "no"));
        assert_eq!(refused.hint_text(), Some("ask for 7"));
        assert_eq!(refused.answer_text(), Some("{\"id\":7}"));
        attempt.settled();
        assert_eq!(explain_lost(&attempt, timed_out()), timed_out());
    }

    #[test]
    fn what_cannot_be_noted_is_not_sent() {
        let full = |_: Option<&Value>| Err(Error::new(Kind::Failed, "disk full"));
        let attempt = Attempt::noted(&full);
        assert!(attempt.sending().is_err());
        assert!(!attempt.is_lost(&stopped(130)));
    }
}
