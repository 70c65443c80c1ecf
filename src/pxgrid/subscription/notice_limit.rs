//! Notices of which a faulty or hostile server can bring about as many as it sends messages: the
//! first few of a kind and topic are said at once, those that follow within a second are counted,
//! and the number is said.

use std::collections::BTreeMap;
use std::time::Duration;

use super::notice::Notice;
use super::{Action, Timer};

/// How long notices alike are counted before the number is said.
pub(super) const WINDOW: Duration = Duration::from_secs(1);

/// So many alike are said one by one.
const FEW: u64 = 5;

/// Kinds and topics that are told apart; what a server makes up beyond that is counted together.
const MOST_APART: usize = 16;

/// What notices have in common: their kind, and their topic unless there are too many.
type Alike = (u8, String);

/// The notices of the last moments.
#[derive(Debug, Default)]
pub(super) struct NoticeLimit {
    seen: BTreeMap<Alike, AlikeNotices>,
}

/// Notices that are alike.
#[derive(Debug)]
struct AlikeNotices {
    /// The last one.
    last: Notice,
    /// How many came within this second.
    times: u64,
}

impl AlikeNotices {
    /// The number of those that were not said, if there are any.
    fn summed_up(self) -> Option<Action> {
        let times = self.times.checked_sub(FEW).filter(|times| *times > 0)?;
        let last = Box::new(self.last);
        Some(Action::Say(Notice::Again { last, times }))
    }
}

impl NoticeLimit {
    /// Takes out of `out`, from `begin` on, the notices that are like one that was just said.
    pub(super) fn sum_up(&mut self, begin: usize, out: &mut Vec<Action>) {
        let idle = self.seen.is_empty();
        let mut index = 0;
        out.retain(|action| {
            index += 1;
            match action {
                Action::Say(notice) if index > begin => self.is_news(notice),
                _ => true,
            }
        });
        if idle && !self.seen.is_empty() {
            out.push(Action::SetTimer {
                timer: Timer::NoticeLimit,
                after: WINDOW,
            });
        }
    }

    fn is_news(&mut self, notice: &Notice) -> bool {
        let Some((kind, topic)) = notice.per_message() else {
            return true;
        };
        let mut alike = (kind, topic.to_owned());
        if self.seen.len() >= MOST_APART && !self.seen.contains_key(&alike) {
            alike.1.clear();
        }
        let seen = self.seen.entry(alike).or_insert_with(|| AlikeNotices {
            last: notice.clone(),
            times: 0,
        });
        seen.last.clone_from(notice);
        seen.times += 1;
        seen.times <= FEW
    }

    /// The second, or the whole, is over: says the numbers.
    pub(super) fn say(&mut self, out: &mut Vec<Action>) {
        let seen = std::mem::take(&mut self.seen).into_values();
        out.extend(seen.filter_map(AlikeNotices::summed_up));
    }
}
