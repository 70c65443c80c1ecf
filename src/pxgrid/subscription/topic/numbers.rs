//! The numbers of a topic's messages: which came twice, which are missing, and whether the
//! publisher was restarted (reference pxgrid-api, section 4).

use bytes::Bytes;

use super::{Here, Topic};
use crate::pxgrid::subscription::catch_up::{Purpose, Since};
use crate::pxgrid::subscription::members::Members;
use crate::pxgrid::subscription::notice::Notice;
use crate::pxgrid::subscription::ways::Way;

/// What a message's number says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
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
        here: &mut Here<'_>,
    ) -> bool {
        let Some(number) = sequence else { return false };
        let order = self.order(number, body);
        if order == Order::Duplicate {
            here.figures.duplicates += 1;
            return true;
        }
        self.missed(order, here);
        false
    }

    fn order(&mut self, number: i64, body: &Bytes) -> Order {
        let order = match self.last {
            None => Order::Expected,
            Some(last) if number == last && *body == self.last_body => Order::Duplicate,
            Some(last) if last.checked_add(1) == Some(number) => Order::Expected,
            Some(last) if number > last => Order::Gap(number.abs_diff(last).saturating_sub(1)),
            Some(_) => Order::Restarted,
        };
        self.last = Some(number);
        self.last_body = body.clone();
        order
    }

    /// Says and counts what a number told, and wants what was missed. To be called before the
    /// message's own times are noted.
    fn missed(&mut self, order: Order, here: &mut Here<'_>) {
        let topic = self.destination.clone();
        match order {
            Order::Expected | Order::Duplicate => {}
            Order::Gap(_) if self.filtered => {
                if !std::mem::replace(&mut self.holes_said, true) {
                    here.say(Notice::FilteredNumbers { topic });
                }
            }
            Order::Gap(missed) => {
                here.figures.gaps += 1;
                here.figures.missed = here.figures.missed.saturating_add(missed);
                here.say(Notice::Gap { topic, missed });
                self.want_missed(self.since(), here);
            }
            Order::Restarted => {
                here.figures.restarts += 1;
                here.say(Notice::PublisherRestarted { topic });
                // What changed, ends among it, and then what goes on unchanged.
                self.want_missed(self.since(), here);
                let also = |way: &Way| way.full.is_some() && !way.compares();
                if self.way.is_some_and(also) {
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
