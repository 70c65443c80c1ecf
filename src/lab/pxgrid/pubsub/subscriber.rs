//! What a client's frames do and which messages it gets: a state machine without I/O.
//!
//! A client may subscribe without `CONNECT`, as Cisco's own Go sample does. A frame that makes no
//! sense is answered by an `ERROR`, after which the connection ends (STOMP 1.2, "ERROR").

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::Value;

use super::message::message;
use crate::lab::pxgrid::hub::Event;
use crate::pxgrid::catalogue::SERVICES;
use crate::pxgrid::stomp::{Command, Frame};
use crate::record::jmespath::Filter;

/// More subscriptions on one connection than there are topics are no use to anybody.
const MOST_SUBSCRIPTIONS: usize = 100;
/// The longest subscription id: it comes back in a header line, of which clients read 1 KB.
const LONGEST_ID: usize = 256;
/// The service whose topic an outside provider publishes.
const ASSET: &str = "com.cisco.endpoint.asset";
/// The topic with one object, not a list, that can be filtered.
const BINDINGS: (&str, &str) = ("/topic/com.cisco.ise.sxp.binding", "binding");
/// The member lists of topics that can be filtered (reference pxgrid-api, section 3.2).
const FILTERED_LISTS: &[&str] = &["sessions", "userGroups"];

/// What a frame makes the node do, in this order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Reaction {
    /// Publish a client's message.
    pub(super) publish: Option<(String, Bytes)>,
    /// Answer this frame.
    pub(super) reply: Option<Frame>,
    /// Then end the connection.
    pub(super) end: bool,
}

#[derive(Debug)]
struct Subscription {
    id: String,
    destination: String,
    filter: Option<Filter>,
    /// Numbered messages that it had.
    had: u64,
}

/// What happens to a message on its way to one subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Arrives,
    IsLost,
    ComesTwice,
}

/// One client on one connection.
#[derive(Debug, Default)]
pub(super) struct Subscriber {
    connected: bool,
    disconnected: bool,
    subscriptions: Vec<Subscription>,
    sent: u64,
}

impl Subscriber {
    /// What it is subscribed to.
    pub(super) fn topics(&self) -> impl Iterator<Item = &str> {
        self.subscriptions
            .iter()
            .map(|one| one.destination.as_str())
    }

    /// The first subscription to a topic: its id.
    pub(super) fn subscription_to(&self, topics: &[&str]) -> Option<(&str, &str)> {
        self.subscriptions
            .iter()
            .find(|one| !self.disconnected && topics.contains(&one.destination.as_str()))
            .map(|one| (one.id.as_str(), one.destination.as_str()))
    }

    /// Takes a frame that the client sent.
    pub(super) fn take(&mut self, frame: &Frame) -> Reaction {
        let done = match frame.command {
            _ if self.disconnected => Err("a frame after DISCONNECT".to_owned()),
            Command::Connect | Command::Stomp => return self.connect(frame),
            Command::Subscribe => self.subscribe(frame).map(|()| None),
            Command::Unsubscribe => self.unsubscribe(frame).map(|()| None),
            Command::Send => destination(frame).and_then(|topic| {
                may_publish(topic)?;
                Ok(Some((topic.to_owned(), frame.body.clone())))
            }),
            Command::Disconnect => {
                self.disconnected = true;
                Ok(None)
            }
            Command::Connected | Command::Message | Command::Receipt | Command::Error => {
                Err(format!("{} is a server's frame", frame.command))
            }
        };
        match done {
            Ok(publish) => Reaction {
                publish,
                reply: frame.header("receipt").map(Frame::receipt),
                end: false,
            },
            Err(why) => refuse(&why),
        }
    }

    fn connect(&mut self, frame: &Frame) -> Reaction {
        let versions = frame.header("accept-version");
        if versions.is_some_and(|all| !all.split(',').any(|one| one.trim() == "1.2")) {
            return refuse("only version 1.2 is spoken here");
        }
        if self.connected {
            return refuse("connected already");
        }
        self.connected = true;
        Reaction {
            reply: Some(Frame::connected()),
            ..Reaction::default()
        }
    }

    fn subscribe(&mut self, frame: &Frame) -> Result<(), String> {
        let topic = destination(frame)?;
        let id = identifier(frame)?;
        if self.subscriptions.iter().any(|one| one.id == id) {
            return Err(format!("there is a subscription '{id}' already"));
        }
        if self.subscriptions.len() == MOST_SUBSCRIPTIONS {
            return Err("too many subscriptions".to_owned());
        }
        let filter = frame.header("filter").map(|text| {
            if member_to_filter(topic).is_none() {
                return Err("this topic takes no filter".to_owned());
            }
            Filter::compile(text).map_err(|error| error.message().to_owned())
        });
        self.subscriptions.push(Subscription {
            id: id.to_owned(),
            destination: topic.to_owned(),
            filter: filter.transpose()?,
            had: 0,
        });
        Ok(())
    }

    fn unsubscribe(&mut self, frame: &Frame) -> Result<(), String> {
        let id = identifier(frame)?;
        let before = self.subscriptions.len();
        self.subscriptions.retain(|one| one.id != id);
        if self.subscriptions.len() == before {
            return Err(format!("there is no subscription '{id}'"));
        }
        Ok(())
    }

    /// The messages that `event` is for this client, encoded. `fate` is asked for each numbered
    /// one, with the count of those before it.
    pub(super) fn deliver(
        &mut self,
        event: &Event,
        mut fate: impl FnMut(u64) -> Fate,
    ) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        if self.disconnected {
            return messages;
        }
        for one in &mut self.subscriptions {
            if *one.destination != *event.topic {
                continue;
            }
            let Some(body) = passed(one.filter.as_ref(), event) else {
                continue;
            };
            let fate = match event.sequence {
                Some(_) => fate(one.had),
                None => Fate::Arrives,
            };
            one.had += 1;
            let times = match fate {
                Fate::IsLost => 0,
                Fate::Arrives => 1,
                Fate::ComesTwice => 2,
            };
            for _ in 0..times {
                messages.push(message(&one.id, &event.topic, self.sent, &body));
                self.sent += 1;
            }
        }
        messages
    }
}

/// The end of a connection that spoke nonsense.
pub(super) fn refuse(why: &str) -> Reaction {
    Reaction {
        publish: None,
        reply: Some(Frame::error("the frame was not understood", why.to_owned())),
        end: true,
    }
}

fn destination(frame: &Frame) -> Result<&str, String> {
    let topic = frame.header("destination").unwrap_or("");
    if topic.len() > "/topic/".len() && topic.starts_with("/topic/") {
        Ok(topic)
    } else {
        Err(format!(
            "{} needs a destination below /topic/",
            frame.command
        ))
    }
}

fn identifier(frame: &Frame) -> Result<&str, String> {
    let id = frame.header("id").unwrap_or("");
    if id.is_empty() || id.len() > LONGEST_ID {
        return Err(format!(
            "{} needs an id of at most {LONGEST_ID} bytes",
            frame.command
        ));
    }
    Ok(id)
}

/// ISE's own topics are published by ISE alone.
fn may_publish(topic: &str) -> Result<(), String> {
    let own = SERVICES
        .iter()
        .filter(|service| service.name != ASSET)
        .flat_map(|service| service.topics)
        .any(|known| known.path == topic);
    if own {
        return Err(format!("not authorized to publish on {topic}"));
    }
    Ok(())
}

/// The member of a topic's messages that a filter is applied to.
fn member_to_filter(topic: &str) -> Option<&'static str> {
    if topic == BINDINGS.0 {
        return Some(BINDINGS.1);
    }
    let known = SERVICES
        .iter()
        .flat_map(|service| service.topics)
        .find(|known| known.path == topic)?;
    known.list.filter(|list| FILTERED_LISTS.contains(list))
}

/// What a filter leaves of a body; `None` when nothing. The publisher's number stays, so a filter
/// makes gaps in the numbers.
fn passed<'e>(filter: Option<&Filter>, event: &'e Event) -> Option<Cow<'e, str>> {
    let Some(filter) = filter else {
        return Some(Cow::Borrowed(&event.body));
    };
    let member = member_to_filter(&event.topic)?;
    let mut body: Value = serde_json::from_str(&event.body).ok()?;
    match body.get_mut(member)? {
        Value::Array(rows) => {
            rows.retain(|row| filter.matches(row.clone()));
            if rows.is_empty() {
                return None;
            }
        }
        object => {
            if !filter.matches(object.clone()) {
                return None;
            }
        }
    }
    Some(Cow::Owned(body.to_string()))
}
