//! `netapi ise pxgrid sessions`: all sessions. The server starts at `--since` and applies
//! `--filter`; the other conditions hold for every ISE release and are looked at here, while the
//! list streams by.

use std::net::IpAddr;

use clap::{Args, ValueEnum};

use super::read_operation::Ask;
use super::timestamp;
use crate::cli::Context;
use crate::cli::input::{self, matches_name};
use crate::error::Result;
use crate::record::Record;

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise pxgrid sessions
  netapi ise pxgrid sessions --state started --nas 10.50.1.10
  netapi ise pxgrid sessions --since 15m --json
  netapi ise pxgrid sessions --filter \"userName=='pat.kim'\"

Rows are printed as they arrive. A list that breaks off ends with an error and
a non-zero exit status, never as if it were whole.")]
pub(crate) struct Sessions {
    /// Only sessions that changed since: RFC 3339, or a span such as 2h
    #[arg(long, value_name = "T")]
    since: Option<String>,
    /// A JMESPath condition, applied by the server (ISE 3.4)
    #[arg(long, value_name = "JMESPATH")]
    filter: Option<String>,
    /// Only sessions in this state
    #[arg(long, value_name = "STATE", ignore_case = true)]
    state: Option<SessionState>,
    /// Only sessions on the switch or controller with this address
    #[arg(long, value_name = "IP", value_parser = input::ip)]
    nas: Option<IpAddr>,
    /// Only this user name, whole, in any case; '*' stands for any text
    #[arg(long, value_name = "USER")]
    user: Option<String>,
}

/// The states of a session (reference pxgrid-api, section 3.1).
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SessionState {
    /// The endpoint is being authenticated
    Authenticating,
    /// It was authenticated
    Authenticated,
    /// Its posture was assessed
    Postured,
    /// Accounting has started
    Started,
    /// It is gone
    Disconnected,
}

impl SessionState {
    /// Whether `text` is this state as the server writes it.
    pub(super) fn is(self, text: &str) -> bool {
        self.to_possible_value()
            .is_some_and(|wanted| text.eq_ignore_ascii_case(wanted.get_name()))
    }
}

impl Sessions {
    /// Streams and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let ask = Ask::new("session", "getSessions", "no sessions")
            .with_some("startTimestamp", timestamp(self.since.as_deref())?)
            .filtered(self.filter.as_deref())?;
        let (state, nas, user) = (self.state, self.nas, self.user);
        ask.list_where(context, move |session| {
            state.is_none_or(|state| is_state(session, state))
                && nas.is_none_or(|nas| is_at(session, nas))
                && user.as_ref().is_none_or(|user| is_of(session, user))
        })
        .await
    }
}

fn is_state(session: &Record, state: SessionState) -> bool {
    session.text("state").is_some_and(|text| state.is(&text))
}

fn is_at(session: &Record, nas: IpAddr) -> bool {
    session
        .text("nasIpAddress")
        .is_some_and(|text| text.trim().parse() == Ok(nas))
}

fn is_of(session: &Record, user: &str) -> bool {
    session
        .text("userName")
        .is_some_and(|name| matches_name(user, &name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_look_at_the_servers_own_words() {
        let session = Record::from_value(serde_json::json!({
            "state": "STARTED", "nasIpAddress": "2001:DB8::0:1", "userName": "LAB\\pat.kim"
        }));
        assert!(is_state(&session, SessionState::Started));
        assert!(!is_state(&session, SessionState::Postured));
        assert!(is_at(&session, "2001:db8::1".parse().unwrap()));
        assert!(!is_at(&session, "10.0.0.1".parse().unwrap()));
        assert!(is_of(&session, "lab\\PAT.*") && !is_of(&session, "pat.kim"));
        let empty = Record::from_value(serde_json::json!({}));
        assert!(!is_state(&empty, SessionState::Started) && !is_of(&empty, "*"));
    }
}
