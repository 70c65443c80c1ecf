//! Which of the events that came are wanted: `--where` and `--state`.

use crate::cli::ise::pxgrid::sessions::SessionState;
use crate::error::Result;
use crate::event::Event;
use crate::record::filter::Filter;

/// What an event must be.
pub(super) struct Selection {
    condition: Option<Filter>,
    state: Option<SessionState>,
    /// On how many events the condition failed; they count as not wanted.
    failed: u64,
    /// Why it failed on the first of them, until that was said.
    unsaid: Option<String>,
    /// Members that it looks at and no event had so far, in quotes.
    unseen: Vec<String>,
    /// Whether any event came.
    asked: bool,
}

impl Selection {
    /// From the options.
    ///
    /// Errors: [`crate::error::Kind::Usage`] for a condition that is none, or that no event can
    /// satisfy.
    pub(super) fn new(condition: Option<&str>, state: Option<SessionState>) -> Result<Self> {
        let condition = condition.map(Filter::compile).transpose()?;
        let members = condition.iter().flat_map(Filter::members);
        Ok(Self {
            unseen: members.map(|name| format!("\"{name}\"")).collect(),
            condition,
            state,
            failed: 0,
            unsaid: None,
            asked: false,
        })
    }

    /// Whether it is.
    pub(super) fn wants(&mut self, event: &Event) -> bool {
        let state = self
            .state
            .is_none_or(|state| event.state.as_deref().is_some_and(|text| state.is(text)));
        let (true, Some(condition)) = (state, &self.condition) else {
            return state;
        };
        let object = event.message.object();
        self.asked = true;
        self.unseen.retain(|name| !object.contains(name.as_str()));
        match condition.evaluate_text(object) {
            Ok(wanted) => wanted,
            Err(why) => {
                if self.failed == 0 {
                    self.unsaid = Some(why);
                }
                self.failed += 1;
                false
            }
        }
    }

    /// On how many events the condition failed.
    pub(super) fn failed(&self) -> u64 {
        self.failed
    }

    /// What there is to say of the condition at the end: a member that no event had may be
    /// misspelt.
    pub(super) fn last_warning(&self) -> Option<String> {
        let misspelt = self.asked && !self.unseen.is_empty();
        let names = self.unseen.join(", ");
        misspelt.then(|| format!("--where looks at {names}, which no event had: is it misspelt?"))
    }

    /// What there is to say of the condition, once.
    pub(super) fn warning(&mut self) -> Option<String> {
        let why = self.unsaid.take()?;
        Some(format!(
            "--where failed on an event: {why}; such events are left out and counted \
             (where a member may be missing, write \"MEMBER && …\")"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EventId, Message};

    fn event(message: Message) -> Event {
        Event {
            id: EventId::default(),
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
        let selection = |text: &str, state| Selection::new(Some(text), state).unwrap();
        assert!(selection("userName=='pat'", None).wants(&session));
        assert!(selection("userName=='pat'", Some(SessionState::Started)).wants(&session));
        assert!(!selection("userName=='pat'", Some(SessionState::Postured)).wants(&session));
        assert!(!selection("userName=='kim'", None).wants(&session));
        assert!(selection("binding.tag==`5`", None).wants(&other));
        assert!(!selection("sessions", None).wants(&session));
    }

    #[test]
    fn a_condition_that_fails_is_counted_and_said_once() {
        let mut selection = Selection::new(Some("contains(userName,'p')"), None).unwrap();
        let with = event(Message::session(r#"{"userName":"pat"}"#));
        let without = event(Message::session(r#"{"state":"STARTED"}"#));
        assert!(selection.wants(&with));
        assert_eq!((selection.failed(), selection.warning()), (0, None));
        assert!(!selection.wants(&without) && !selection.wants(&without));
        let warning = selection.warning().unwrap();
        assert!(warning.contains("argument 1 of contains"), "{warning}");
        assert!(!selection.wants(&without));
        assert_eq!((selection.failed(), selection.warning()), (3, None));
        assert_eq!(selection.last_warning(), None);
    }

    #[test]
    fn a_member_that_no_event_had_is_named_at_the_end() {
        let mut selection = Selection::new(Some("usrName=='pat' || state=='x'"), None).unwrap();
        assert_eq!(selection.last_warning(), None);
        let session = event(Message::session(r#"{"userName":"pat","state":"STARTED"}"#));
        assert!(!selection.wants(&session));
        let warning = selection.last_warning().unwrap();
        assert!(warning.contains("looks at \"usrName\", which no event had"));
    }
}
