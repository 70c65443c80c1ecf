//! A memory in a map, for histories with restarts.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::event::Memory;
use crate::event::remembered::{Remembered, RememberedState, endpoint};

/// What was told, by topic and identity.
#[derive(Debug, Default)]
pub(in crate::pxgrid::subscription) struct Kept(Mutex<BTreeMap<(String, String), RememberedState>>);

impl Kept {
    pub(in crate::pxgrid::subscription) fn keep(&self, told: &Remembered) {
        let key = (told.topic.to_string(), told.key.to_string());
        self.0.lock().unwrap().insert(key, told.state);
    }

    fn all(&self, topic: &str) -> Vec<(String, RememberedState)> {
        let kept = self.0.lock().unwrap();
        let of_topic = kept.iter().filter(|((of, _), _)| of == topic);
        of_topic
            .map(|((_, key), state)| (key.clone(), *state))
            .collect()
    }
}

impl Memory for Kept {
    fn seed(&self) -> u64 {
        7
    }

    fn find(&self, topic: &str, key: &str) -> Option<RememberedState> {
        let kept = self.0.lock().unwrap();
        kept.get(&(topic.to_owned(), key.to_owned())).copied()
    }

    fn find_endpoint(
        &self,
        topic: &str,
        wanted: &str,
        found: &mut dyn FnMut(&str, RememberedState),
    ) {
        for (key, state) in self.all(topic) {
            if endpoint(&key) == wanted {
                found(&key, state);
            }
        }
    }

    fn walk(&self, topic: &str, found: &mut dyn FnMut(&str, RememberedState)) {
        for (key, state) in self.all(topic) {
            found(&key, state);
        }
    }

    fn is_whole(&self, _topic: &str) -> bool {
        true
    }
}
