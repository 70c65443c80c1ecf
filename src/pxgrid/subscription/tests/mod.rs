//! Each path of a subscription as a plain test: what goes in, what must come out.

mod catching_up;
mod connection;
mod events;
mod ids;

use std::time::Duration;

use jiff::Timestamp;

use super::*;
use crate::error::Kind;
use crate::event::Mark;
use crate::pxgrid::stomp::Command;

const SESSION: &str = "/topic/com.cisco.ise.session";
const ANC: &str = "/topic/com.cisco.ise.config.anc.status";
const SXP: &str = "/topic/com.cisco.ise.sxp.binding";

/// A machine, a clock that is moved by hand, and what came out last.
struct Run {
    machine: Subscription,
    now: Duration,
    out: Vec<Action>,
}

impl Run {
    fn new(options: SubscriptionOptions, resume: Vec<Mark>) -> Self {
        Self {
            machine: Subscription::new(options, resume).unwrap(),
            now: Duration::ZERO,
            out: Vec::new(),
        }
    }

    fn give(&mut self, input: Input) -> &mut Self {
        let moment = Moment {
            elapsed: self.now,
            wall: "2026-11-22T02:00:00Z".parse::<Timestamp>().unwrap() + self.now,
            random: u32::MAX,
        };
        self.out.clear();
        self.machine.handle(moment, input, &mut self.out);
        self
    }

    fn looked_up(&mut self, destinations: &[&str], nodes: &[&str]) -> &mut Self {
        self.give(Input::LookedUp {
            destinations: destinations.iter().map(ToString::to_string).collect(),
            nodes: nodes
                .iter()
                .map(|name| PubsubNode {
                    name: (*name).to_owned(),
                    url: format!("wss://{name}.example.com:8910/pxgrid/ise/pubsub"),
                })
                .collect(),
        })
    }

    fn connect(&mut self) -> &mut Self {
        self.give(Input::SecretGot)
            .give(Input::Connected { date: None });
        self.give(Input::Frame(Frame::connected()));
        let mut out = std::mem::take(&mut self.out);
        self.give(Input::Pong);
        out.append(&mut self.out);
        self.out = out;
        self
    }

    fn live(options: SubscriptionOptions, destinations: &[&str]) -> Self {
        let mut run = Self::new(options, Vec::new());
        run.give(Input::Started)
            .looked_up(destinations, &["a", "b"]);
        run.connect();
        run
    }

    fn message(&mut self, index: usize, body: &str) -> &mut Self {
        let frame = Frame::message(&index.to_string(), "", 1, None, body.to_owned());
        self.give(Input::Frame(frame))
    }

    fn events(&self) -> Vec<&Event> {
        let mut events = Vec::new();
        for action in &self.out {
            if let Action::Emit(event) = action {
                events.push(event);
            }
        }
        events
    }

    fn words(&self) -> Vec<&str> {
        self.events()
            .iter()
            .map(|event| event.event.as_ref())
            .collect()
    }

    fn read(&self) -> Option<(u64, Read)> {
        self.out.iter().find_map(|action| match action {
            Action::Recover { id, read } => Some((*id, read.clone())),
            _ => None,
        })
    }

    fn said(&self) -> Vec<String> {
        let said = |action: &Action| match action {
            Action::Say(notice) => Some(notice.to_string()),
            _ => None,
        };
        self.out.iter().filter_map(said).collect()
    }

    fn timer(&self, wanted: Timer) -> Option<Duration> {
        self.out.iter().rev().find_map(|action| match action {
            Action::SetTimer { timer, after } if *timer == wanted => Some(*after),
            _ => None,
        })
    }

    fn sent(&self) -> Vec<(Command, &str)> {
        self.out
            .iter()
            .filter_map(|action| match action {
                Action::Send(frame) => Some((
                    frame.command,
                    frame.headers.iter().next().map_or("", |(_, value)| value),
                )),
                _ => None,
            })
            .collect()
    }
}

fn refused() -> Error {
    Error::new(Kind::Refused, "HTTP 401").status(401)
}

fn reset() -> Error {
    Error::new(Kind::Connect, "connection reset")
}
