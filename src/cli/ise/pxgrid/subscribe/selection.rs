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
                .is_none_or(|condition| condition.matches_text(event.message.object()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pxgrid::event::Message;

    fn event(message: Message) -> Event {
        Event {
            event: "sessionCreated".into(),
            sequence: None,
            topic: "/topic/x".into(),
            node: "".into(),
            received_at: jiff::Timestamp::UNIX_EPOCH,
            recovered: false,
            mac: None,
            state: Some("STARTED".into()),
            station: None,
            message,
        }
    }

    #[test]
    fn a_condition_is_on_one_session_or_on_the_message() {
        let session = event(Message::session(r#"{"userName":"pat","tags":[1]}"#));
        let other = event(Message::whole(
            r#"{"operation":"CREATE","binding":{"tag":5}}"#,
        ));
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
