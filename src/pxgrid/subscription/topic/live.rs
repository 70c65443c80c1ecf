//! What comes over the topic itself: a message's body to events, unless it was seen before.

use bytes::Bytes;

use super::numbers::sequence;
use super::{EmitContext, Topic, list_trust};
use crate::event::{Message, Text};
use crate::pxgrid::subscription::cache::{ObservationSource, Verdict};
use crate::pxgrid::subscription::catch_up_plan::MessageShape;
use crate::pxgrid::subscription::members::Members;
use crate::pxgrid::subscription::notice::Notice;
use crate::pxgrid::subscription::row::{message_word, session_word};

impl Topic {
    /// A message's body came.
    pub(in crate::pxgrid::subscription) fn live(
        &mut self,
        body: &Bytes,
        context: &mut EmitContext<'_>,
    ) {
        context.figures.messages += 1;
        self.cache.set_clock(list_trust::seconds(context.elapsed));
        if let Some((_, round)) = self.settles.take_if(|(when, _)| *when <= context.at) {
            self.cache.settle(round);
        }
        let text = std::str::from_utf8(body).unwrap_or_default();
        match self.plan.map(|plan| plan.shape) {
            Some(MessageShape::Sessions) => self.live_sessions(body, text, context),
            Some(MessageShape::List(name)) => self.live_rows(body, text, name, context),
            Some(MessageShape::Operation(_) | MessageShape::Flat) | None => {
                self.live_rows(body, text, "", context);
            }
        }
    }

    fn live_sessions(&mut self, body: &Bytes, text: &str, context: &mut EmitContext<'_>) {
        match Members::parse_with(text, "sessions", &mut self.names) {
            Ok((message, Some(sessions))) => {
                let sequence = sequence(&message);
                if self.is_duplicate(sequence, body, context) {
                    return;
                }
                for (text, members) in sessions {
                    let Some(members) = members else {
                        self.unreadable(context);
                        continue;
                    };
                    self.live_session(body, (text, &members), sequence, context);
                    self.names.keep_room(members);
                }
            }
            Ok((message, None)) => self.live_message(body, &message, Vec::new(), context),
            Err(_) => self.unreadable(context),
        }
    }

    fn live_rows(&mut self, body: &Bytes, text: &str, list: &str, context: &mut EmitContext<'_>) {
        match Members::parse_with(text, list, &mut self.names) {
            Ok((message, listed)) => {
                let listed = listed.into_iter().flatten();
                let rows = listed.filter_map(|(_, row)| row).collect();
                self.live_message(body, &message, rows, context);
            }
            Err(_) => self.unreadable(context),
        }
    }

    pub(super) fn unreadable(&self, context: &mut EmitContext<'_>) {
        context.figures.unreadable += 1;
        context.say(Notice::Unreadable {
            topic: self.destination.clone(),
        });
    }

    fn live_session(
        &mut self,
        body: &Bytes,
        (text, members): (&str, &Members<'_>),
        sequence: Option<i64>,
        context: &mut EmitContext<'_>,
    ) {
        let row = self.row(members, false);
        self.note_live_time(row.observation.timestamp, context);
        let verdict = self
            .cache
            .observe(&row.observation, ObservationSource::Live);
        if let Some(word) = session_word(verdict) {
            let message = Message::session(Text::part_of(body, text));
            self.emit(word.into(), sequence, row, message, context);
        } else {
            context.figures.repeated += 1;
        }
        self.remember(context);
    }

    /// A message that is one event. `listed`: its rows, where it lists them.
    fn live_message(
        &mut self,
        body: &Bytes,
        message: &Members<'_>,
        listed: Vec<Members<'_>>,
        context: &mut EmitContext<'_>,
    ) {
        let sequence = sequence(message);
        if self.is_duplicate(sequence, body, context) {
            return;
        }
        let word = message_word(message);
        let ended = word == "DELETE";
        let object = |name| message.get(name).and_then(|text| Members::parse(text).ok());
        let parts = match self.plan.map(|plan| plan.shape) {
            Some(MessageShape::Operation(name)) => object(name).into_iter().collect(),
            _ => listed,
        };
        let flat = self
            .plan
            .is_some_and(|plan| plan.shape == MessageShape::Flat);
        let rows = if flat {
            std::slice::from_ref(message)
        } else {
            parts.as_slice()
        };
        self.note_live_time(message.timestamp(), context);
        let mut known = 0;
        for members in rows {
            let observation = self.row(members, ended).observation;
            self.note_live_time(observation.timestamp, context);
            let verdict = self.cache.observe(&observation, ObservationSource::Live);
            known += usize::from(matches!(verdict, Verdict::Known | Verdict::Outdated));
        }
        if !rows.is_empty() && known == rows.len() {
            context.figures.repeated += 1;
            return self.remember(context);
        }
        let asset = object("asset");
        let subject = match rows {
            [one] => one,
            _ => asset.as_ref().unwrap_or(message),
        };
        let row = self.row(subject, ended);
        self.hash(message);
        let text = Message::whole(Text::from(body));
        self.emit(word, sequence, row, text, context);
        self.remember(context);
    }
}
