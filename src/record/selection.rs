//! Which rows of a list, or which events, are wanted: conditions on facts, and a `JMESPath`
//! expression over the whole object (`--where`).
//!
//! It counts on how many objects the expression failed and which of its members none had, so that
//! whoever asked can be told; it prints nothing itself.

use std::ops::ControlFlow;
use std::sync::Arc;

use serde_json::Value;

use super::conditions::Tests;
use super::jmespath::Filter;
use super::{JsonText, Record, RecordSink};
use crate::error::Result;

/// See the module's documentation.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    tests: Tests,
    expression: Option<Arc<Filter>>,
    /// On how many objects the expression failed; they count as not wanted.
    failed: u64,
    /// Why it failed on the first of them, until that was said.
    unsaid: Option<String>,
    /// Members that it looks at and no object had so far.
    unseen: Vec<String>,
    /// Whether the expression was tried on any.
    asked: bool,
}

impl Selection {
    /// Conditions, and an expression where there is one.
    pub fn new(tests: Tests, expression: Option<Filter>) -> Self {
        let expression = expression.map(Arc::new);
        let members = expression.iter().flat_map(|filter| filter.members());
        Self {
            unseen: members.map(str::to_owned).collect(),
            tests,
            expression,
            ..Self::default()
        }
    }

    /// Whether everything is wanted.
    pub fn is_empty(&self) -> bool {
        self.tests.is_empty() && self.expression.is_none()
    }

    /// Whether a row is wanted.
    pub fn wants(&mut self, record: &Record) -> bool {
        if !self.tests.pass(record) {
            return false;
        }
        let Some(expression) = self.expression.clone() else {
            return true;
        };
        self.unseen.retain(|name| !record.has(name));
        self.evaluate(&expression, record.to_value())
    }

    /// Whether an event is wanted, by the JSON object that it is about. Conditions are on the
    /// object, on an object within it, or on one of a list of them: messages of other topics than
    /// sessions have their rows there.
    pub fn wants_message(&mut self, object: &str) -> bool {
        if self.is_empty() {
            return true;
        }
        let Ok(value) = super::read_json::<Value>(object) else {
            return false;
        };
        if !self.tests.is_empty() && !self.any_passes(&value) {
            return false;
        }
        let Some(expression) = self.expression.clone() else {
            return true;
        };
        self.unseen
            .retain(|name| !object.contains(&format!("\"{name}\"")));
        self.evaluate(&expression, value)
    }

    fn any_passes(&self, value: &Value) -> bool {
        let passes = |value: &Value| {
            value.is_object()
                && self
                    .tests
                    .pass(&Record::Json(JsonText::from_value(value.clone())))
        };
        let members = value.as_object().into_iter().flat_map(|all| all.values());
        passes(value)
            || members
                .flat_map(|member| match member {
                    Value::Array(list) => list.iter().collect(),
                    other => vec![other],
                })
                .any(passes)
    }

    fn evaluate(&mut self, expression: &Filter, object: Value) -> bool {
        self.asked = true;
        match expression.evaluate(object) {
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

    /// On how many objects the expression failed.
    pub fn failed(&self) -> u64 {
        self.failed
    }

    /// What there is to say of the expression at the end: a member that no object (`what`: "row",
    /// "event") had may be misspelt.
    pub fn last_warning(&self, what: &str) -> Option<String> {
        let misspelt = self.asked && !self.unseen.is_empty();
        let names = self.unseen.iter().map(|name| format!("\"{name}\""));
        let names = names.collect::<Vec<_>>().join(", ");
        misspelt.then(|| format!("--where looks at {names}, which no {what} had: is it misspelt?"))
    }

    /// What there is to say of the expression, once.
    pub fn warning(&mut self, what: &str) -> Option<String> {
        let why = self.unsaid.take()?;
        let article = if what.starts_with('e') { "an" } else { "a" };
        Some(format!(
            "--where failed on {article} {what}: {why}; such {what}s are left out and counted \
             (where a member may be missing, write \"MEMBER && …\")"
        ))
    }
}

/// Passes on the rows that are wanted.
pub struct Selected<S> {
    /// Which rows.
    pub selection: Selection,
    /// Where they go.
    pub inner: S,
}

impl<S: RecordSink> RecordSink for Selected<S> {
    fn begin(&mut self, announced: Option<u64>) -> Result<()> {
        // How many of them are wanted nobody knows.
        self.inner
            .begin(announced.filter(|_| self.selection.is_empty()))
    }

    fn record(&mut self, record: &Record) -> Result<ControlFlow<()>> {
        if self.selection.wants(record) {
            self.inner.record(record)
        } else {
            Ok(ControlFlow::Continue(()))
        }
    }

    fn pause(&mut self) -> Result<()> {
        self.inner.pause()
    }

    fn raw(&mut self, bytes: &[u8]) -> Result<()> {
        self.inner.raw(bytes)
    }

    fn wants_raw(&self) -> bool {
        self.inner.wants_raw()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::record::conditions::{Carried, Conditions, Fact};

    fn selection(expression: &str) -> Selection {
        Selection::new(Tests::default(), Some(Filter::compile(expression).unwrap()))
    }

    fn in_state(state: &str) -> Selection {
        let conditions = Conditions {
            state: Some(state.to_owned()),
            ..Conditions::default()
        };
        let (tests, _) = conditions.on(Carried(&[(Fact::State, &["state"])]));
        Selection::new(tests, None)
    }

    #[test]
    fn an_expression_is_over_one_session_or_over_the_message() {
        let session = r#"{"userName":"pat","tags":[1]}"#;
        let other = r#"{"operation":"CREATE","binding":{"tag":5}}"#;
        assert!(selection("userName=='pat'").wants_message(session));
        assert!(!selection("userName=='kim'").wants_message(session));
        assert!(selection("binding.tag==`5`").wants_message(other));
        assert!(!selection("sessions").wants_message(session));
        let row = Record::from_value(json!({"userName": "pat"}));
        assert!(selection("userName=='pat'").wants(&row) && Selection::default().wants(&row));
    }

    #[test]
    fn conditions_are_on_a_message_or_on_a_row_of_it() {
        for (message, wanted) in [
            (r#"{"state":"STARTED"}"#, true),
            (r#"{"failures":[{"state":"x"},{"state":"started"}]}"#, true),
            (
                r#"{"operation":"CREATE","session":{"state":"STARTED"}}"#,
                true,
            ),
            (r#"{"failures":[{"state":"x"}]}"#, false),
            (r#"{"failures":"STARTED"}"#, false),
            ("{", false),
        ] {
            let mut selection = in_state("STARTED");
            assert_eq!(selection.wants_message(message), wanted, "{message}");
        }
    }

    #[test]
    fn an_expression_that_fails_is_counted_and_said_once() {
        let mut selection = selection("contains(userName,'p')");
        let (with, without) = (r#"{"userName":"pat"}"#, r#"{"state":"STARTED"}"#);
        assert!(selection.wants_message(with));
        assert_eq!((selection.failed(), selection.warning("event")), (0, None));
        assert!(!selection.wants_message(without) && !selection.wants_message(without));
        let warning = selection.warning("event").unwrap();
        assert!(warning.starts_with("--where failed on an event: argument 1 of contains"));
        assert!(!selection.wants_message(without));
        assert_eq!((selection.failed(), selection.warning("event")), (3, None));
        assert_eq!(selection.last_warning("event"), None);
    }

    #[test]
    fn a_member_that_none_had_is_named_at_the_end() {
        let mut selection = selection("usrName=='pat' || state=='x'");
        assert_eq!(selection.last_warning("row"), None);
        let row = Record::from_value(json!({"userName": "pat", "state": "STARTED"}));
        assert!(!selection.wants(&row));
        let warning = selection.last_warning("row").unwrap();
        assert!(warning.contains("looks at \"usrName\", which no row had"));
    }
}
