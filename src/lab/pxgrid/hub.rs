//! The events of the deployment: who changes something publishes here, the pubsub nodes subscribe.
//! Numbers what is numbered, remembers what was said.
//!
//! Knows no frames and no sockets; what is lost to a slow subscriber is told to that subscriber
//! (`RecvError::Lagged`).

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::broadcast;

use super::published_log;
use crate::lab::faults::{FaultKind, Faults};
use crate::lab::log::RequestLog;
use crate::pxgrid::catalogue::SERVICES;

/// Events that a subscriber may be behind.
const BEHIND: usize = 4096;
/// Bytes of bodies that are remembered.
const KEPT: usize = 64 * 1024 * 1024;

/// One event as it was published.
#[derive(Debug, Clone)]
pub struct Event {
    /// The topic's path.
    pub topic: Arc<str>,
    /// Its number, from 0 since the publisher's start; `None` on topics that are not numbered.
    pub sequence: Option<u64>,
    /// The body, JSON, with the number in it.
    pub body: Arc<str>,
}

#[derive(Debug, Default)]
struct Inner {
    next: HashMap<String, u64>,
    published: HashMap<String, u64>,
    event_log: VecDeque<Event>,
    remembered: usize,
}

/// The hub.
#[derive(Debug)]
pub struct Events {
    sender: broadcast::Sender<Event>,
    inner: Mutex<Inner>,
    log: Arc<RequestLog>,
    faults: Arc<Faults>,
}

impl Events {
    /// A hub that writes what it publishes to `log`.
    pub(in crate::lab) fn new(log: Arc<RequestLog>, faults: Arc<Faults>) -> Self {
        Self {
            sender: broadcast::channel(BEHIND).0,
            inner: Mutex::default(),
            log,
            faults,
        }
    }

    /// Publishes `body` on `topic`. On a numbered topic (reference pxgrid-api, section 4) the
    /// number becomes its first member.
    pub fn publish(&self, topic: &str, body: &Value) {
        self.publish_text(topic, &body.to_string());
    }

    /// [`publish`](Self::publish) of a body that is JSON text already.
    pub(super) fn publish_text(&self, topic: &str, body: &str) {
        let counter = SERVICES
            .iter()
            .flat_map(|service| service.topics)
            .find(|known| known.path == topic)
            .and_then(|known| known.sequence);
        self.send(topic, body, counter);
    }

    /// Passes on what a client published, as it is.
    pub(super) fn relay(&self, topic: &str, body: &str) {
        self.send(topic, body, None);
    }

    fn send(&self, topic: &str, body: &str, counter: Option<&str>) {
        // Numbering, sending and logging under one lock, or two publishers could send their numbers
        // in the wrong order.
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let (sequence, body) = match (counter, body.strip_prefix('{')) {
            (Some(name), Some(members)) => {
                if inner.next.get(topic).is_some_and(|next| next % 4 == 3)
                    && self.faults.strikes(FaultKind::PublisherRestart, topic)
                {
                    inner.next.clear();
                }
                let next = inner.next.entry(topic.to_owned()).or_default();
                let number = *next;
                *next += 1;
                let comma = if members.starts_with('}') { "" } else { "," };
                let body = format!("{{\"{name}\":{number}{comma}{members}");
                (Some(number), body.into())
            }
            _ => (None, body.into()),
        };
        let event = Event {
            topic: topic.into(),
            sequence,
            body,
        };
        *inner.published.entry(topic.to_owned()).or_default() += 1;
        self.log
            .published(|| published_log::entry(Timestamp::now(), &event));
        inner.remembered += event.body.len();
        inner.event_log.push_back(event.clone());
        while inner.remembered > KEPT
            && let Some(oldest) = inner.event_log.pop_front()
        {
            inner.remembered -= oldest.body.len();
        }
        // An error says that nobody listens, which is nobody's loss.
        let _ = self.sender.send(event);
    }

    /// What is published from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.sender.subscribe()
    }

    /// What was published, oldest first; the last 64 MiB of bodies.
    pub fn event_log(&self) -> Vec<Event> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.event_log.iter().cloned().collect()
    }

    /// How many events were published on `topic`.
    pub fn published(&self, topic: &str) -> u64 {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.published.get(topic).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn topics_are_numbered_apart_and_the_event_log_is_kept() {
        let events = Events::new(Arc::default(), Arc::new(Faults::new(Vec::new())));
        let mut receiver = events.subscribe();
        let session = "/topic/com.cisco.ise.session";
        events.publish(session, &json!({"sessions": []}));
        events.publish("/topic/com.cisco.ise.session.all", &json!({"sessions": []}));
        events.publish(session, &json!({"sessions": []}));
        events.publish("/topic/com.cisco.ise.config.anc.status", &json!({"x": 1}));
        let bodies: Vec<String> =
            std::iter::from_fn(|| receiver.try_recv().ok().map(|event| event.body.to_string()))
                .collect();
        assert_eq!(
            bodies,
            [
                r#"{"sequence":0,"sessions":[]}"#,
                r#"{"sequence":0,"sessions":[]}"#,
                r#"{"sequence":1,"sessions":[]}"#,
                r#"{"x":1}"#
            ]
        );
        assert_eq!(events.event_log().len(), 4);
        assert_eq!(events.event_log()[2].sequence, Some(1));
    }
}
