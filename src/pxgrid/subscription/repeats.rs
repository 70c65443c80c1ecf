//! Notices of which a faulty or hostile server can bring about as many as it sends messages: the first of a kind and topic is said at once, those
//! that follow within a second are counted, and the number is said.

use std::collections::BTreeMap;
use std::time::Duration;

use super::notice::Notice;
use super::{Action, Timer};

/// How long notices alike are counted before the number is said.
pub(super) const WINDOW: Duration = Duration::from_secs(1);

/// Kinds and topics that are told apart; what a server makes up beyond that is counted together.
const MOST_APART: usize = 64;

/// What notices have in common: their kind, and their topic unless there are too many.
type Alike = (u8, String);

/// The notices of the last moments.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    /// The last one, and how many were not said.
    seen: BTreeMap<Alike, (Notice, u64)>,
}

impl Repeats {
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
                timer: Timer::Repeats,
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
        let mut news = false;
        let (last, unsaid) = self.seen.entry(alike).or_insert_with(|| {
            news = true;
            (notice.clone(), 0)
        });
        if !news {
            last.clone_from(notice);
            *unsaid += 1;
        }
        news
    }

    /// The second is over: says the numbers, and counts on where there were any.
    pub(super) fn say(&mut self, out: &mut Vec<Action>) {
        self.seen.retain(|_, (last, unsaid)| {
            let times = std::mem::take(unsaid);
            if times == 0 {
                return false;
            }
            let last = Box::new(last.clone());
            out.push(Action::Say(Notice::Again { last, times }));
            true
        });
        if !self.seen.is_empty() {
            out.push(Action::SetTimer {
                timer: Timer::Repeats,
                after: WINDOW,
            });
        }
    }

    /// It is over: says what was not said.
    pub(super) fn end(&mut self, out: &mut Vec<Action>) {
        for (_, (last, times)) in std::mem::take(&mut self.seen) {
            if times > 0 {
                let last = Box::new(last);
                out.push(Action::Say(Notice::Again { last, times }));
            }
        }
    }
}
