//! What came of a request that a key asked for: it is taken where it is still waited for, and told
//! on the last line where it failed.

use super::change::{Change, ChangeKind};
use super::overlay::Overlay;
use super::session::{readable, safe};
use super::{Top, Urgency};
use crate::error::Error;
use crate::record::{Mac, Record};

impl Top {
    /// The answer to [`Action::Detail`](super::Action::Detail).
    pub(crate) fn detailed(&mut self, mac: Mac, answer: Result<Record, Error>) {
        let Overlay::Details(details) = &mut self.overlay else {
            return;
        };
        if details.endpoint.mac != Some(mac) || !details.awaited {
            return;
        }
        details.awaited = false;
        match answer {
            Ok(record) => details.take(&record),
            Err(error) => self.say_error(&error),
        }
        self.wanted = Some(Urgency::Now);
    }

    /// The answer to [`Action::Explain`](super::Action::Explain).
    pub(crate) fn explained(&mut self, mac: Mac, answer: Result<String, Error>) {
        let Overlay::Text(text) = &mut self.overlay else {
            return;
        };
        if text.endpoint.mac != Some(mac) || !text.awaited {
            return;
        }
        match answer {
            Ok(answer) => text.take(&answer),
            Err(error) => {
                self.overlay = Overlay::None;
                self.say_error(&error);
            }
        }
        self.wanted = Some(Urgency::Now);
    }

    /// The answer to [`Action::Policies`](super::Action::Policies): names as the server wrote them.
    pub(crate) fn policies_are(&mut self, mac: Mac, answer: Result<Vec<String>, Error>) {
        let Overlay::Choice(choice) = &mut self.overlay else {
            return;
        };
        if choice.endpoint.mac != Some(mac) || !choice.awaited {
            return;
        }
        self.wanted = Some(Urgency::Now);
        choice.awaited = false;
        let failed = match answer {
            Ok(names) if names.is_empty() => {
                self.overlay = Overlay::None;
                self.say(
                    "ISE has no ANC policy; `netapi ise pxgrid anc create` makes one",
                    true,
                );
                return;
            }
            Ok(names) => {
                let change = |policy: String| {
                    let kind = ChangeKind::Apply(policy.clone());
                    (safe(&policy), Change { mac, kind })
                };
                choice.choices = names.into_iter().map(change).collect();
                return;
            }
            Err(error) => error,
        };
        self.overlay = Overlay::None;
        self.say_error(&failed);
    }

    /// The answer to [`Action::Causes`](super::Action::Causes): code, cause, remedy of each.
    pub(crate) fn causes_are(&mut self, answer: Result<Vec<(String, String, String)>, Error>) {
        match answer {
            Ok(causes) => {
                let each = causes.iter();
                let each = each
                    .map(|(code, cause, remedy)| (safe(code), (readable(cause), readable(remedy))));
                self.causes = Some(each.collect());
                self.add_cause();
            }
            // Asked again with the next failure that is looked at.
            Err(error) => self.say_error(&error),
        }
        self.wanted = Some(Urgency::Now);
    }

    /// The outcome of [`Action::Change`](super::Action::Change).
    pub(crate) fn changed(&mut self, change: &Change, outcome: Result<String, Error>) {
        match outcome {
            Ok(done) => self.say(&format!("{}: {done}", change.words()), false),
            Err(error) => {
                // An error that tells of a lost outcome names the change itself.
                let (words, why) = (change.words(), error.message().to_owned());
                let named = why.starts_with(&words);
                let told = if named {
                    why
                } else {
                    format!("{words}: {why}")
                };
                self.say_error(&error.reworded(told));
            }
        }
    }
}
