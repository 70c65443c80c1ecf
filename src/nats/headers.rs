//! The headers of stored events (contract, section 10): CloudEvents in binary mode, our own, and
//! those by which JetStream tells copies and streams apart. It sends nothing.
//!
//! Nothing in them was chosen freely by somebody on the network: what the server says there is cut
//! down to letters, digits, `.`, `-` and `_`.

use std::sync::{Arc, Mutex, PoisonError};

use async_nats::{HeaderMap, header};

use super::message::{Happened, MessageMaker, endpoint, key, word};
use crate::event::id::TEXT;
use crate::event::{Event, EventId};

/// Makes the headers of one subscriber's events.
pub(super) struct HeaderMaker {
    common: HeaderMap,
    /// Those of the last event: the next is mostly of its kind, and a copy costs less than to put
    /// each in its place.
    last: Mutex<Option<OfKind>>,
}

/// What events of one kind have alike.
struct OfKind {
    topic: Arc<str>,
    event: String,
    recovered: bool,
    headers: HeaderMap,
}

impl OfKind {
    fn is_of(&self, event: &Event) -> bool {
        self.topic == event.topic && self.event == event.event && self.recovered == event.recovered
    }
}

impl HeaderMaker {
    /// For events that this stream is to take.
    pub(super) fn new(maker: &MessageMaker, stream: &str) -> Self {
        let mut common = HeaderMap::new();
        let source = format!("urn:netapi:pxgrid:{}", maker.deployment);
        common.insert(names::SPECVERSION.clone(), "1.0");
        common.insert(names::SOURCE.clone(), source);
        common.insert(names::CONTENT_TYPE.clone(), "application/json");
        common.insert(names::MEMBER.clone(), word(&maker.member));
        common.insert(header::NATS_EXPECTED_STREAM, stream);
        Self {
            common,
            last: Mutex::default(),
        }
    }

    /// Those of an event that is stored by this id. `happened`: when, by
    /// [`happened()`](super::message::happened).
    pub(super) fn headers(&self, event: &Event, id: EventId, happened: Happened) -> HeaderMap {
        let mut headers = self.of_kind(event);
        let mut text = [0; TEXT];
        let id = id.text(&mut text);
        headers.insert(header::NATS_MESSAGE_ID, id);
        headers.insert(names::ID.clone(), id);
        match endpoint(event) {
            Some(mac) => headers.insert(names::SUBJECT.clone(), &*mac),
            None => headers.insert(names::KEY.clone(), key(event)),
        }
        if let Some(time) = happened.at() {
            headers.insert(names::TIME.clone(), time.to_string());
        }
        if event.overtaken {
            headers.insert(names::OVERTAKEN.clone(), "true");
        }
        headers
    }

    fn of_kind(&self, event: &Event) -> HeaderMap {
        // A poisoned lock holds headers that are whole all the same.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = last.as_ref().filter(|last| last.is_of(event)) {
            return last.headers.clone();
        }
        let mut headers = self.common.clone();
        let topic = event.topic.strip_prefix("/topic/").unwrap_or(&event.topic);
        headers.insert(names::TYPE.clone(), word(topic));
        headers.insert(names::EVENT.clone(), word(&event.event));
        let recovered = if event.recovered { "true" } else { "false" };
        headers.insert(names::RECOVERED.clone(), recovered);
        *last = Some(OfKind {
            topic: Arc::clone(&event.topic),
            event: event.event.clone().into_owned(),
            recovered: event.recovered,
            headers: headers.clone(),
        });
        headers
    }
}

/// The names of headers: static ones take no memory of their own.
pub(super) mod names {
    use async_nats::HeaderName;

    pub(in crate::nats) const MEMBER_NAME: &str = "Netapi-Member";
    pub(in crate::nats) const SUBJECT_NAME: &str = "ce-subject";
    pub(in crate::nats) const KEY_NAME: &str = "Netapi-Key";
    pub(in crate::nats) const TIME_NAME: &str = "ce-time";

    pub(super) static SPECVERSION: HeaderName = HeaderName::from_static("ce-specversion");
    pub(super) static ID: HeaderName = HeaderName::from_static("ce-id");
    pub(super) static TYPE: HeaderName = HeaderName::from_static("ce-type");
    pub(super) static SOURCE: HeaderName = HeaderName::from_static("ce-source");
    pub(super) static SUBJECT: HeaderName = HeaderName::from_static(SUBJECT_NAME);
    pub(super) static KEY: HeaderName = HeaderName::from_static(KEY_NAME);
    pub(super) static TIME: HeaderName = HeaderName::from_static(TIME_NAME);
    pub(super) static CONTENT_TYPE: HeaderName = HeaderName::from_static("content-type");
    pub(super) static EVENT: HeaderName = HeaderName::from_static("Netapi-Event");
    pub(super) static MEMBER: HeaderName = HeaderName::from_static(MEMBER_NAME);
    pub(super) static RECOVERED: HeaderName = HeaderName::from_static("Netapi-Recovered");
    pub(super) static OVERTAKEN: HeaderName = HeaderName::from_static("Netapi-Overtaken");
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::event::Message;
    use crate::nats::message::{self, PARTITIONS, happened};

    fn event(topic: &str, text: &str) -> Event {
        message::tests::event(topic, Some("c8-5b-76-c6-59-62"), Message::session(text))
    }

    fn maker() -> HeaderMaker {
        let maker = MessageMaker {
            deployment: "ise".to_owned(),
            member: "one".to_owned(),
            partitions: PARTITIONS,
            topics: Arc::new(HashMap::new()),
        };
        HeaderMaker::new(&maker, "EVENTS")
    }

    fn value(headers: &HeaderMap, name: &str) -> Option<String> {
        let values: Vec<_> = headers.get_all(name).collect();
        assert!(values.len() < 2, "{name}");
        values.first().map(|value| value.as_str().to_owned())
    }

    #[test]
    fn headers_are_the_contracts() {
        let text = r#"{"timestamp":"2026-11-22T03:00:00.120+01:00","userName":"pat"}"#;
        let maker = maker();
        // The second is made of the first.
        for _ in 0..2 {
            let event = event("/topic/com.cisco.ise.session", text);
            let headers = maker.headers(&event, event.id(), happened(&event));
            for (name, wanted) in [
                ("ce-specversion", "1.0"),
                ("ce-id", "AAAAAAAAAAAAAAAAAAAAAA"),
                ("ce-type", "com.cisco.ise.session"),
                ("ce-source", "urn:netapi:pxgrid:ise"),
                ("ce-subject", "C8:5B:76:C6:59:62"),
                ("ce-time", "2026-11-22T02:00:00.12Z"),
                ("content-type", "application/json"),
                ("Netapi-Event", "sessionCreated"),
                ("Netapi-Member", "one"),
                ("Netapi-Recovered", "false"),
                ("Nats-Msg-Id", "AAAAAAAAAAAAAAAAAAAAAA"),
                ("Nats-Expected-Stream", "EVENTS"),
            ] {
                assert_eq!(value(&headers, name).as_deref(), Some(wanted), "{name}");
            }
            assert_eq!(headers.len(), 12);
        }
    }

    #[test]
    fn nothing_of_the_event_before_is_left() {
        let maker = maker();
        let first = event("/topic/a", r#"{"timestamp":"2026-11-22T03:00:00Z"}"#);
        maker.headers(&first, EventId::of_text("1"), happened(&first));
        let mut ended = event("/topic/b", "{}");
        ended.event = "sessionDeleted".into();
        (ended.recovered, ended.overtaken) = (true, true);
        (ended.mac, ended.station) = (None, Some("printer".into()));
        for event in [ended.clone(), first, ended] {
            let headers = maker.headers(&event, event.id(), happened(&event));
            let value = |name| value(&headers, name);
            let is_end = event.recovered;
            assert_eq!(value("Netapi-Event").as_deref(), Some(&*event.event));
            let recovered = if is_end { "true" } else { "false" };
            assert_eq!(value("Netapi-Recovered").as_deref(), Some(recovered));
            let topic = if is_end { "b" } else { "a" };
            assert_eq!(value("ce-type").as_deref(), Some(topic));
            assert_eq!(value("ce-time").is_none(), is_end);
            assert_eq!(value("ce-subject").is_none(), is_end);
            assert_eq!(value("Netapi-Key").is_some(), is_end);
            assert_eq!(value("Netapi-Overtaken").is_some(), is_end);
        }
    }

    #[test]
    fn nothing_that_a_stranger_chose_gets_into_them() {
        let mut hostile = event("/topic/a b.*.>\r\nX: y", "[]");
        hostile.event = "x\r\nNats-Rollup: all".into();
        (hostile.mac, hostile.station) = (None, Some("LAB\\pat.kim".into()));
        let headers = maker().headers(&hostile, hostile.id(), happened(&hostile));
        let event = value(&headers, "Netapi-Event");
        assert_eq!(event.as_deref(), Some("x--Nats-Rollup--all"));
        assert!(value(&headers, "ce-subject").is_none() && value(&headers, "ce-time").is_none());
        assert!(!format!("{headers:?}").contains("pat"));
    }
}
