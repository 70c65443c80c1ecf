//! The numbers of a topic's messages: which came twice, which are missing, and whether the
//! publisher was restarted (reference pxgrid-api, section 4).

use bytes::Bytes;

use super::{EmitContext, Topic};
use crate::pxgrid::subscription::catch_up::{Purpose, Since};
use crate::pxgrid::subscription::catch_up_plan::CatchUpPlan;
use crate::pxgrid::subscription::members::Members;
use crate::pxgrid::subscription::notice::Notice;

/// What a message's number says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SequenceCheck {
    Expected,
    Duplicate,
    Restarted,
    Gap(u64),
}

impl Topic {
    /// Whether a message with this number came before; if not, what its number tells is said and
    /// done.
    pub(super) fn is_duplicate(
        &mut self,
        sequence: Option<i64>,
        body: &Bytes,
        context: &mut EmitContext<'_>,
    ) -> bool {
        let Some(number) = sequence else { return false };
        let order = self.check_sequence(number, body);
        if order == SequenceCheck::Duplicate {
            context.figures.duplicates += 1;
            return true;
        }
        self.missed(order, context);
        false
    }

    fn check_sequence(&mut self, number: i64, body: &Bytes) -> SequenceCheck {
        let order = match self.last {
            None => SequenceCheck::Expected,
            Some(last) if number == last && *body == self.last_body => SequenceCheck::Duplicate,
            Some(last) if last.checked_add(1) == Some(number) => SequenceCheck::Expected,
            Some(last) if number > last => {
                SequenceCheck::Gap(number.abs_diff(last).saturating_sub(1))
            }
            Some(_) => SequenceCheck::Restarted,
        };
        self.last = Some(number);
        self.last_body = body.clone();
        order
    }

    /// Says and counts what a number told, and wants what was missed. To be called before the
    /// message's own times are noted.
    fn missed(&mut self, order: SequenceCheck, context: &mut EmitContext<'_>) {
        match order {
            SequenceCheck::Expected | SequenceCheck::Duplicate => {}
            SequenceCheck::Gap(_) if self.filtered => {
                if !std::mem::replace(&mut self.holes_said, true) {
                    let topic = self.destination.clone();
                    context.say(Notice::FilteredNumbers { topic });
                }
            }
            SequenceCheck::Gap(missed) => {
                let topic = self.destination.clone();
                context.figures.gaps += 1;
                context.figures.missed = context.figures.missed.saturating_add(missed);
                context.say(Notice::Gap { topic, missed });
                self.want_missed(self.since(), context);
            }
            SequenceCheck::Restarted => {
                let topic = self.destination.clone();
                context.figures.restarts += 1;
                self.doubt_anew(context);
                context.say(Notice::PublisherRestarted { topic });
                // What changed, ends among it, and then what goes on unchanged.
                self.want_missed(self.since(), context);
                let also = |plan: &CatchUpPlan| plan.full.is_some() && !plan.compares();
                if self.plan.is_some_and(also) {
                    self.reads.want(Purpose::Missed(Since::Everything));
                }
            }
        }
    }
}

/// The member that counts messages has one of these names.
pub(super) const SEQUENCE: [&str; 2] = ["sequence", "sequenceNo"];

/// A message's number, by either of its names.
pub(super) fn sequence(message: &Members<'_>) -> Option<i64> {
    SEQUENCE.iter().find_map(|name| message.integer(name))
}
