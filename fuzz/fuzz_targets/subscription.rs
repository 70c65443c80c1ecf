//! A live subscription and hostile messages and rows: never a panic, every event is one line of
//! JSON, and the counts add up.
//!
//! The first byte says which topic is subscribed; bytes `0xff` part the messages. One that begins
//! with `r` or `R` is a row of the read that runs (`R`: of its deleted ones), `d` ends that read,
//! `s` is a message to the topic, `x` one to nobody.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use netapi::testing::pxgrid::stomp::Frame;
use netapi::testing::pxgrid::subscription::{
    Action, Input, Moment, SubscriptionOptions, PubsubNode, Subscription,
};
use serde_json::value::RawValue;

const TOPICS: [&str; 6] = [
    "/topic/com.cisco.ise.session",
    "/topic/com.cisco.ise.session.group",
    "/topic/com.cisco.ise.config.anc.status",
    "/topic/com.cisco.ise.sxp.binding",
    "/topic/com.cisco.ise.radius.failure",
    "/topic/com.cisco.endpoint.asset",
];

struct Run {
    machine: Subscription,
    seconds: u64,
    messages: u64,
    events: u64,
    read: Option<u64>,
}

impl Run {
    fn give(&mut self, input: Input) {
        self.seconds += 1;
        let moment = Moment {
            elapsed: Duration::from_secs(self.seconds),
            wall: "2026-11-22T02:00:00Z".parse().expect("a time"),
            random: 7,
        };
        let mut out = Vec::new();
        self.machine.handle(moment, input, &mut out);
        for action in out {
            match action {
                Action::Emit(event) => {
                    let line = event.to_json(None);
                    assert!(!line.contains(['\n', '\r']));
                    // Half a surrogate pair passes: the text is the server's.
                    serde_json::from_str::<&RawValue>(&line).expect("an event is JSON");
                    serde_json::from_str::<&RawValue>(event.message.object())
                        .expect("what it is about is JSON");
                    self.events += 1;
                }
                Action::Recover { id, .. } => self.read = Some(id),
                _ => {}
            }
        }
    }

    fn end_read(&mut self) {
        if let Some(id) = self.read.take() {
            self.give(Input::ReadDone { id });
        }
    }

    fn piece(&mut self, kind: u8, bytes: &[u8]) {
        match kind {
            b'r' | b'R' => {
                if let Some(id) = self.read {
                    let rows = vec![String::from_utf8_lossy(bytes).into_owned()];
                    let deleted = kind == b'R';
                    self.give(Input::Rows { id, rows, deleted });
                }
            }
            b'd' => self.end_read(),
            _ => {
                self.messages += 1;
                let id = if kind == b's' { "0" } else { "x" };
                let body = bytes.to_vec();
                self.give(Input::Frame(Frame::message(id, "", 1, None, body)));
            }
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&first, bytes)) = data.split_first() else {
        return;
    };
    let mut run = Run {
        machine: Subscription::new(SubscriptionOptions::default(), Vec::new()).expect("the defaults are fine"),
        seconds: 0,
        messages: 0,
        events: 0,
        read: None,
    };
    let topic = TOPICS[usize::from(first) % TOPICS.len()];
    run.give(Input::Started);
    run.give(Input::LookedUp {
        destinations: vec![topic.to_owned()],
        nodes: vec![PubsubNode {
            name: "a".to_owned(),
            url: "wss://a.example.com:8910/pxgrid/ise/pubsub".to_owned(),
        }],
    });
    for input in [
        Input::SecretGot,
        Input::Connected { date: None },
        Input::Frame(Frame::connected()),
        Input::Pong,
    ] {
        run.give(input);
    }
    for piece in bytes.split(|byte| *byte == 0xff) {
        if let Some((&kind, rest)) = piece.split_first() {
            run.piece(kind, rest);
        }
    }
    run.end_read();
    assert!(run.machine.is_live());
    let figures = run.machine.figures();
    assert_eq!(figures.messages, run.messages);
    assert_eq!(figures.emitted_live + figures.emitted_read, run.events);
});
