//! Which of the events that came are wanted: `--where` and `--state`.

use crate::cli::ise::pxgrid::sessions::State;
use crate::pxgrid::event::Event;
use crate::record::filter::Filter;

/// What an event must be.
pub(super) struct Selection {
    pub(super) condition: Option<Filter>,
    pub(super) state: Option<State>,
}

impl Selection {
    /// Whether it is.
    pub(super) fn wants(&self, event: &Event) -> bool {
        self.state
            .is_none_or(|state| event.state.as_deref().is_some_and(|text| state.is(text)))
            && self
                .condition
                .as_ref()
                .is_none_or(|condition| condition.matches_text(object(event)))
    }
}

/// What a condition is about: the session of an event of a session, else the message.
fn object(event: &Event) -> &str {
    let message = event.message.as_str();
    if event.event.starts_with("session") {
        message
            .strip_prefix(r#"{"sessions":["#)
            .and_then(|rest| rest.strip_suffix("]}"))
            .unwrap_or(message)
    } else {
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(word: &str, message: &str) -> Event {
        Event {
            event: word.to_owned(),
            sequence: None,
            topic: "/topic/x".to_owned(),
            node: String::new(),
            received_at: jiff::Timestamp::UNIX_EPOCH,
            recovered: false,
            mac: None,
            state: Some("STARTED".to_owned()),
            endpoint: None,
            message: message.to_owned(),
        }
    }

    #[test]
    fn a_condition_is_on_one_session_or_on_the_message() {
        let session = event(
            "sessionCreated",
            r#"{"sessions":[{"userName":"pat","tags":[1]}]}"#,
        );
        let other = event("CREATE", r#"{"operation":"CREATE","binding":{"tag":5}}"#);
        let selection = |text: &str, state| Selection {
            condition: Some(Filter::compile(text).unwrap()),
            state,
        };
        assert!(selection("userName=='pat'", None).wants(&session));
        assert!(selection("userName=='pat'", Some(State::Started)).wants(&session));
        assert!(!selection("userName=='pat'", Some(State::Postured)).wants(&session));
        assert!(!selection("userName=='kim'", None).wants(&session));
        assert!(selection("binding.tag==`5`", None).wants(&other));
        assert!(!selection("sessions", None).wants(&session));
    }
}
