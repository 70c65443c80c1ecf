//! What is known of a session or a failure at once, before anybody is asked.

use super::Top;
use super::failures::Failure;
use super::overlay::{Details, Endpoint, Overlay, Scroll};
use super::session::Field;
use super::sessions::Row;
use super::view::scrolled;

impl Top {
    /// What is known of a session before the server answers.
    pub(super) fn row_details(&self, row: &Row, endpoint: Endpoint) -> Details {
        let facts = Field::ALL.map(|field| (field.name(), self.sessions.text(row, field)));
        let known = [("user", &*row.user)].into_iter().chain(facts);
        let known = known.filter(|(_, value)| !value.is_empty());
        let mut lines: Vec<(Box<str>, Box<str>)> = known
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        if let Some(ip) = row.ip {
            lines.insert(0, ("ip".into(), ip.to_string().into()));
        }
        Details {
            title: row.name(),
            endpoint,
            code: Box::from(""),
            awaited: row.mac.is_some(),
            lines,
            scroll: Scroll::default(),
        }
    }

    /// All that was told of a failure.
    pub(super) fn failure_details(&self, failure: &Failure, endpoint: Endpoint) -> Details {
        let at = failure.at.to_zoned(self.setup.zone.clone());
        let all: [(&str, &str); 9] = [
            ("reason", &failure.reason),
            ("when", &at.strftime("%Y-%m-%d %H:%M:%S").to_string()),
            ("endpoint", &failure.endpoint),
            ("user", &failure.user),
            ("nas", &failure.nas),
            ("port", &failure.port),
            ("server", &failure.server),
            ("policy set", &failure.policy_set),
            ("profile", &failure.profile),
        ];
        let told = all.iter().filter(|(_, value)| !value.is_empty());
        let lines = told.map(|(name, value)| ((*name).into(), (*value).into()));
        Details {
            title: format!("failure of {}", failure.endpoint),
            endpoint,
            code: failure.code.clone(),
            awaited: false,
            lines: lines.collect(),
            scroll: Scroll::default(),
        }
    }

    /// Adds cause and remedy to the failure that is looked at, where they are known.
    pub(super) fn add_cause(&mut self) {
        let Overlay::Details(details) = &mut self.overlay else {
            return;
        };
        let causes = self.causes.as_ref();
        let known = causes.and_then(|causes| causes.get(&details.code));
        let there = details.lines.iter().any(|(name, _)| &**name == "cause");
        if let Some((cause, remedy)) = known.filter(|_| !there) {
            for (name, text) in [("remedy", remedy), ("cause", cause)] {
                if !text.is_empty() {
                    details.lines.insert(1, (name.into(), text.clone()));
                }
            }
        }
    }

    /// The cursor among the failures follows the failure that holds it.
    pub(super) fn find_failure(&mut self) {
        let held = self.failure_held.as_ref();
        let held = held.and_then(|(id, at)| self.failures.place_of(id, *at));
        let last = self.failures.len().saturating_sub(1);
        self.failure_place = held.unwrap_or(self.failure_place).min(last);
        let height = self.failure_height.max(1);
        self.failure_first = scrolled(self.failure_first, self.failure_place, height);
    }
}
