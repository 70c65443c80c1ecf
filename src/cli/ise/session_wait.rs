//! Waiting until the session of an endpoint is as it is wanted: `netapi ise wait`, and
//! `--wait-for` of the commands that change an endpoint. The session is asked for at a pace, on
//! whichever interface.
//!
//! After a change the session that was there before proves nothing, however well it fits: it may
//! be the one that the change has not reached yet. So what a session is known by (its id and the
//! time of its last state, both the server's) is read before the change, and only a session that
//! differs in it counts. No clock of this machine is compared with the server's.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout_at};

use crate::backoff::Backoff;
use crate::cli::report::Reporter;
use crate::error::{Error, Kind, Result};
use crate::mnt::MntClient;
use crate::pxgrid::ServiceClient;
use crate::record::jmespath::Filter;
use crate::record::{Mac, Record, time};
use crate::settings::duration::show;
use crate::snapshot::Source;
use crate::transport::show::quote;

/// What is asked for on pxGrid.
pub(super) const BY_MAC: &str = "getSessionByMacAddress";
/// The pause between two looks, unless another one is wanted.
const INTERVAL: Duration = Duration::from_secs(2);
/// The longest pause while the server is in trouble.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The expression that a session is to satisfy.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    text: String,
    filter: Arc<Filter>,
}

/// For clap: a JMESPath expression over one session.
pub(super) fn condition(text: &str) -> Result<Condition, String> {
    let filter = Filter::compile(text).map_err(|error| match error.hint_text() {
        Some(hint) => format!("{}; {hint}", error.message()),
        None => error.message().to_owned(),
    })?;
    Ok(Condition {
        text: text.to_owned(),
        filter: Arc::new(filter),
    })
}

impl Condition {
    /// As it was given.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// What no session at all is compared as: `null`.
    fn holds(&self, session: Option<&Record>) -> Result<bool, String> {
        self.filter
            .evaluate(session.map_or(Value::Null, Record::to_value))
    }

    /// The members that it looks at, as they are; `null` without a session.
    pub(super) fn facts(&self, session: Option<&Record>) -> Value {
        let Some(session) = session.map(Record::to_value) else {
            return Value::Null;
        };
        let members = self.filter.members();
        let fact = |name: &&str| {
            let value = session.get(*name).cloned().unwrap_or_default();
            ((*name).to_owned(), value)
        };
        Value::Object(members.iter().map(fact).collect())
    }

    /// The same in words: `state STARTED, ancPolicy –`.
    fn seen(&self, session: Option<&Record>) -> String {
        let Some(session) = session else {
            return "no session".to_owned();
        };
        let members = self.filter.members();
        if members.is_empty() {
            return "a session".to_owned();
        }
        let one = |name: &&str| {
            let text = session.text(name);
            format!("{name} {}", text.as_deref().unwrap_or("–"))
        };
        members.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}

/// What tells one state of a session from the next: its id and the time of its last state, as the
/// server wrote them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    id: Option<String>,
    time: Option<String>,
}

impl Stamp {
    pub(super) fn of(session: &Record) -> Self {
        let text = |names: &[&str]| session.first(names).map(std::borrow::Cow::into_owned);
        Self {
            id: text(&["auditSessionId", "audit_session_id"]),
            time: text(&["timestamp", "auth_acs_timestamp", "auth_timestamp"]),
        }
    }

    fn json(&self) -> Value {
        json!({ "id": self.id, "time": self.time })
    }

    fn read(value: &Value) -> Option<Self> {
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        value.is_object().then(|| Self {
            id: text("id"),
            time: text("time"),
        })
    }
}

/// Which sessions count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Counts {
    /// Any.
    Any,
    /// One that is not this one as it was; there was none where it is `None`.
    Unlike(Option<Stamp>),
    /// One whose last state is later than this, by the server's clock.
    After(Timestamp),
}

impl Counts {
    /// Whether this one does. That there is none is never old: one that was there has gone.
    fn include(&self, session: Option<&Record>) -> bool {
        let Some(session) = session else {
            return true;
        };
        let stamp = Stamp::of(session);
        match self {
            Self::Any | Self::Unlike(None) => true,
            Self::Unlike(Some(before)) => *before != stamp,
            Self::After(moment) => {
                let time = stamp.time.as_deref().and_then(time::instant);
                time.is_some_and(|time| time > *moment)
            }
        }
    }

    /// For a report, so that another run can go on waiting.
    pub(super) fn json(&self) -> Value {
        match self {
            Self::Unlike(Some(stamp)) => stamp.json(),
            _ => Value::Null,
        }
    }

    /// The same read again.
    pub(super) fn read(value: Option<&Value>) -> Self {
        Self::Unlike(value.and_then(Stamp::read))
    }

    /// The option of `wait` that says nearly the same.
    fn option(&self) -> String {
        match self {
            Self::Unlike(Some(Stamp {
                time: Some(time), ..
            })) if time::instant(time).is_some() => format!(" --after {}", quote(time)),
            Self::After(time) => format!(" --after {time}"),
            _ => String::new(),
        }
    }
}

/// Where sessions are asked for.
pub(super) enum Sessions {
    Mnt(MntClient),
    Pxgrid(Rc<ServiceClient>),
}

impl Sessions {
    fn source(&self) -> Source {
        match self {
            Self::Mnt(_) => Source::Mnt,
            Self::Pxgrid(_) => Source::Pxgrid,
        }
    }

    /// The session of an endpoint; `None` where it has none.
    pub(super) async fn of(&self, mac: Mac) -> Result<Option<Record>> {
        let asked = match self {
            Self::Mnt(client) => client.session_by_mac(mac).await.map(|answer| answer.record),
            Self::Pxgrid(client) => {
                let body = json!({ "macAddress": mac.to_string() });
                let answer = client.query("session", BY_MAC, &body).await;
                answer.map(Record::Json)
            }
        };
        match asked {
            Ok(session) => Ok(Some(session)),
            Err(error) if error.kind() == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The member of a report's row in which a run leaves what a session must differ from.
pub(super) const BEFORE: &str = "sessionBefore";

/// `--wait-for`.
#[derive(Args, Debug, Clone)]
pub(super) struct WaitFor {
    /// Wait until the endpoint's session, changed since, satisfies this expression
    #[arg(long, value_name = "EXPR", value_parser = condition)]
    wait_for: Option<Condition>,
}

impl WaitFor {
    /// Whether it was given.
    pub(super) fn is_given(&self) -> bool {
        self.wait_for.is_some()
    }

    /// What it asks for.
    pub(super) fn waiting(
        self,
        sessions: Sessions,
        patience: Duration,
    ) -> Option<Waiting<'static>> {
        Some(Waiting {
            sessions,
            condition: self.wait_for?,
            patience,
            interval: INTERVAL,
            reporter: None,
        })
    }
}

/// How to wait.
pub(super) struct Waiting<'a> {
    pub(super) sessions: Sessions,
    pub(super) condition: Condition,
    /// How long.
    pub(super) patience: Duration,
    /// The pause between two looks.
    pub(super) interval: Duration,
    /// Told each state that is seen, where somebody looks.
    pub(super) reporter: Option<&'a Reporter>,
}

impl Waiting<'_> {
    /// What a session must differ from to count after a change that is about to be sent.
    pub(super) async fn before_change(&self, mac: Mac) -> Result<Counts> {
        let session = self.sessions.of(mac).await?;
        Ok(Counts::Unlike(session.as_ref().map(Stamp::of)))
    }

    /// The command that asks again.
    pub(super) fn command(&self, mac: Mac, counts: &Counts) -> String {
        format!(
            "netapi ise wait {mac} --source {} --for {}{}",
            self.sessions.source().name(),
            quote(self.condition.text()),
            counts.option()
        )
    }

    /// Waits until a session that counts satisfies the condition: that session, or `None` where
    /// the endpoint has none and that is what was wanted.
    ///
    /// Errors: [`Kind::TimedOut`] with the last state that was seen; what the server says where
    /// waiting does not mend it, and where it never answered.
    pub(super) async fn until(&self, mac: Mac, counts: &Counts) -> Result<Option<Record>> {
        let deadline = Instant::now() + self.patience;
        let mut backoff = Backoff::new(self.interval.saturating_mul(2), LONGEST_PAUSE);
        let mut last = Seen::default();
        loop {
            let mut pause = self.interval;
            match timeout_at(deadline, self.sessions.of(mac)).await {
                Err(_) => return Err(self.over(mac, counts, last)),
                Ok(Ok(session)) => {
                    backoff.reset();
                    let fresh = counts.include(session.as_ref());
                    match self.condition.holds(session.as_ref()) {
                        Ok(true) if fresh => return Ok(session),
                        Ok(_) => last.why = None,
                        Err(why) => last.why = Some(why),
                    }
                    let mut words = self.condition.seen(session.as_ref());
                    if !fresh {
                        words.push_str(", as before");
                    }
                    if last.words.as_ref() != Some(&words)
                        && let Some(reporter) = self.reporter
                    {
                        reporter.step(&format!("{mac}: {words}"));
                    }
                    last.words = Some(words);
                    last.session = session;
                }
                Ok(Err(error)) if error.passes() => {
                    pause = backoff.next_pause();
                    if let Some(reporter) = self.reporter {
                        reporter.step(&format!("{mac}: {}; asking again", error.message()));
                    }
                    last.error = Some(error);
                }
                Ok(Err(error)) => return Err(error),
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(self.over(mac, counts, last));
            }
            // The last look is at the end.
            sleep(pause.min(left)).await;
        }
    }

    fn over(&self, mac: Mac, counts: &Counts, last: Seen) -> Error {
        let Some(words) = last.words else {
            return last.error.unwrap_or_else(|| {
                Error::new(
                    Kind::TimedOut,
                    format!("no answer about {mac} came within {}", show(self.patience)),
                )
            });
        };
        let why = last.why.map_or(String::new(), |why| format!(" ({why})"));
        let message = format!(
            "its session did not come to satisfy `{}` within {}; last seen: {words}{why}",
            self.condition.text(),
            show(self.patience),
        );
        let error = Error::new(Kind::TimedOut, message);
        let error = error.hint(format!("ask again with `{}`", self.command(mac, counts)));
        match last.session {
            Some(session) => error.answer(session.to_value().to_string()),
            None => error,
        }
    }
}

/// What was seen last.
#[derive(Default)]
struct Seen {
    words: Option<String>,
    session: Option<Record>,
    /// Why the expression could not be evaluated.
    why: Option<String>,
    error: Option<Error>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(id: &str, time: &str) -> Record {
        Record::from_value(json!({"auditSessionId": id, "timestamp": time, "state": "STARTED"}))
    }

    #[test]
    fn the_session_of_before_a_change_does_not_count_and_none_does() {
        let old = session("A", "2026-11-28T10:00:00Z");
        let counts = Counts::Unlike(Some(Stamp::of(&old)));
        assert!(!counts.include(Some(&old)));
        assert!(counts.include(Some(&session("B", "2026-11-28T10:00:00Z"))));
        assert!(counts.include(Some(&session("A", "2026-11-28T10:00:01Z"))));
        assert!(counts.include(None));
        assert_eq!(Counts::read(Some(&counts.json())), counts);
        assert_eq!(counts.option(), " --after 2026-11-28T10:00:00Z");
        assert!(Counts::read(None).include(Some(&old)));
        let after = Counts::After("2026-11-28T10:00:00Z".parse().unwrap());
        assert!(!after.include(Some(&old)));
        assert!(after.include(Some(&session("A", "2026-11-28T11:00:00.5+01:00"))));
        assert!(!after.include(Some(&Record::from_value(json!({})))));
    }

    #[test]
    fn an_expression_is_over_the_session_and_null_where_there_is_none() {
        let gone = condition("!@").unwrap();
        let one = session("A", "x");
        assert_eq!(gone.holds(None), Ok(true));
        assert_eq!(gone.holds(Some(&one)), Ok(false));
        let started = condition("state=='STARTED' && ancPolicy=='Q'").unwrap();
        assert_eq!(started.holds(None), Ok(false));
        assert_eq!(started.seen(Some(&one)), "ancPolicy –, state STARTED");
        assert_eq!(started.seen(None), "no session");
        assert!(condition("state=").unwrap_err().contains("is not a filter"));
    }
}
