//! What the frames of a connection bring: the greeting, the topics that are subscribed with it,
//! messages, errors and the receipt at the end.

use super::{ClockOf, Life, Phase, RECEIPT, Subscription};
use crate::pxgrid::stomp::{Command, Frame};
use crate::pxgrid::subscription::notice::{Notice, Why};
use crate::pxgrid::subscription::{Action, Moment, Timer};

impl Subscription {
    pub(super) fn frame(
        &mut self,
        now: Moment,
        frame: &Frame,
        phase: Phase,
        out: &mut Vec<Action>,
    ) {
        match (frame.command, phase) {
            (Command::Connected, Phase::Greeting) => self.connected(now, out),
            (Command::Error, Phase::Greeting) if !self.refreshed => {
                out.push(Action::Close);
                out.push(Action::Say(Notice::ConnectRefused {
                    node: self.node_name().to_owned(),
                    said: error_text(frame),
                }));
                self.try_node(true, out);
            }
            (Command::Error, Phase::Greeting) => {
                self.node_failed(now, Why::ErrorFrame(error_text(frame)), out);
            }
            (Command::Error, Phase::Live(life)) => {
                self.lost(now, life, Why::ErrorFrame(error_text(frame)), out);
            }
            (Command::Message, Phase::Live(life)) => {
                self.phase = Phase::Live(Life {
                    heard: now.elapsed,
                    message: true,
                    ..life
                });
                self.message(now, frame, out);
            }
            (Command::Receipt, Phase::Stopping) if frame.header("receipt-id") == Some(RECEIPT) => {
                self.finish(None, out);
            }
            _ => {}
        }
    }

    fn connected(&mut self, now: Moment, out: &mut Vec<Action>) {
        if std::mem::replace(&mut self.let_in, true) {
            self.figures.reconnects += 1;
        }
        self.refused_before = false;
        self.phase = Phase::Live(Life {
            since: now.elapsed,
            heard: now.elapsed,
            message: false,
            subscribed: false,
        });
        for index in 0..self.topics.len() {
            self.with_topic(now, index, out, |topic, context| topic.subscribing(context));
        }
        for (index, topic) in self.topics.iter().enumerate() {
            let filter = self.options.filter.as_deref();
            out.push(Action::Send(Frame::subscribe(
                &index.to_string(),
                &topic.destination,
                filter,
            )));
        }
        out.push(Action::Ping);
        out.push(Action::SetTimer {
            timer: Timer::Silence,
            after: self.options.silence,
        });
    }

    /// The server has read what we sent so far.
    pub(super) fn subscribed(&mut self, now: Moment, out: &mut Vec<Action>) {
        let Phase::Live(Life {
            subscribed: subscribed @ false,
            ..
        }) = &mut self.phase
        else {
            return;
        };
        *subscribed = true;
        out.push(Action::Say(Notice::Subscribed {
            node: self.node_name().to_owned(),
            topics: self.topics.len(),
        }));
        let snapshot = self.options.snapshot;
        for index in 0..self.topics.len() {
            self.with_topic(now, index, out, |topic, context| {
                topic.subscribed(snapshot, context);
            });
            self.begin_read(now, index, out);
        }
    }

    fn message(&mut self, now: Moment, frame: &Frame, out: &mut Vec<Action>) {
        let by_id = frame
            .header("subscription")
            .and_then(|id| id.parse::<usize>().ok())
            .filter(|index| *index < self.topics.len());
        let destination = || frame.header("destination").unwrap_or_default();
        let by_destination = || {
            self.topics
                .iter()
                .position(|topic| topic.destination == destination())
        };
        let Some(index) = by_id.or_else(by_destination) else {
            self.figures.messages += 1;
            self.figures.unreadable += 1;
            out.push(Action::Say(Notice::Unreadable {
                topic: destination().to_owned(),
            }));
            return;
        };
        let ahead = self.with_topic(now, index, out, |topic, context| {
            topic.live(&frame.body, context);
            topic.clock_ahead_of_events(context.ahead)
        });
        if let Some(Some(ahead)) = ahead {
            self.compare_clocks(ahead, ClockOf::Events, out);
        }
        self.begin_read(now, index, out);
    }
}

/// The server's words in an ERROR frame: the header, and the body where it says more. Bounded, for
/// it goes to a terminal.
fn error_text(frame: &Frame) -> String {
    let head = frame.header("message").unwrap_or_default().trim();
    let body = String::from_utf8_lossy(&frame.body);
    let body = body.trim();
    let text = match (head.is_empty(), body.is_empty()) {
        (false, true) => head.to_owned(),
        (true, false) => body.to_owned(),
        (true, true) => "ERROR without a word".to_owned(),
        (false, false) => format!("{head}: {body}"),
    };
    text.chars().take(500).collect()
}
