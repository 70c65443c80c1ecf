//! Failed authentications of the last hour: the newest one by one, the reasons counted, the minutes
//! for the sparkline. What came over REST at the start and what came live is told apart by id.

use std::collections::{HashMap, VecDeque};

use foldhash::quality::RandomState;
use jiff::Timestamp;

use super::rates::{Minutes, is_in_the_hour};
use super::session::safe;
use crate::joins::failure_facts::{self, By};
use crate::record::{Mac, Record};

/// How many are kept one by one.
const KEPT: usize = 1_000;

/// One failed authentication.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(super) id: Box<str>,
    pub(super) at: Timestamp,
    pub(super) mac: Option<Mac>,
    /// The endpoint as it was named.
    pub(super) endpoint: Box<str>,
    pub(super) user: Box<str>,
    pub(super) nas: Box<str>,
    pub(super) port: Box<str>,
    pub(super) server: Box<str>,
    pub(super) policy_set: Box<str>,
    pub(super) profile: Box<str>,
    /// Code and words.
    pub(super) reason: Box<str>,
    /// The number of the reason, by which its cause and remedy are found.
    pub(super) code: Box<str>,
}

impl Failure {
    /// Reads one that came `at` this time.
    fn read(record: &Record, at: Timestamp) -> Self {
        let text = |value: Option<std::borrow::Cow<'_, str>>| safe(&value.unwrap_or_default());
        let of = |by: By| text(by.value(record));
        let station = record.first(&["macAddress", "callingStationId"]);
        let endpoint = failure_facts::endpoint(record).unwrap_or_default();
        Self {
            id: text(record.text("id")),
            at: failure_facts::moment(record).map_or(at, |(at, _)| at),
            mac: station.as_ref().and_then(|text| text.parse().ok()),
            endpoint: safe(&endpoint),
            user: of(By::User),
            nas: of(By::Nas),
            port: text(record.text("nasPortId")),
            server: of(By::Server),
            policy_set: of(By::PolicySet),
            profile: of(By::Profile),
            reason: of(By::Reason),
            code: safe(&failure_facts::code(record).unwrap_or_default()),
        }
    }
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    /// Newest first.
    newest: VecDeque<Failure>,
    /// Of each reason, how many of those that are kept.
    reasons: HashMap<Box<str>, u64, RandomState>,
    pub(super) minutes: Minutes,
}

impl Failures {
    /// Takes one; whether it is new.
    pub(super) fn add(&mut self, record: &Record, at: Timestamp) -> bool {
        let failure = Failure::read(record, at);
        // It would be let go at once.
        if !is_in_the_hour(failure.at, at) {
            return false;
        }
        let known = |known: &Failure| !failure.id.is_empty() && known.id == failure.id;
        if self.newest.iter().any(known) {
            return false;
        }
        self.minutes.add(failure.at, at);
        if let Some(count) = self.reasons.get_mut(&failure.reason) {
            *count += 1;
        } else {
            self.reasons.insert(failure.reason.clone(), 1);
        }
        let place = self.newest.partition_point(|known| known.at > failure.at);
        self.newest.insert(place, failure);
        if self.newest.len() > KEPT
            && let Some(oldest) = self.newest.pop_back()
        {
            self.uncount(&oldest.reason);
        }
        true
    }

    fn uncount(&mut self, reason: &str) {
        if let Some(count) = self.reasons.get_mut(reason) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.reasons.remove(reason);
            }
        }
    }

    /// Time goes on: what the minutes count no more is let go. Whether something changed.
    pub(super) fn until(&mut self, now: Timestamp) -> bool {
        let mut changed = self.minutes.until(now);
        while let Some(oldest) = self.newest.back()
            && !is_in_the_hour(oldest.at, now)
        {
            let reason = oldest.reason.clone();
            self.newest.pop_back();
            self.uncount(&reason);
            changed = true;
        }
        changed
    }

    /// Counts one of which nothing else is kept.
    pub(super) fn count(&mut self, failed: Timestamp, now: Timestamp) {
        self.minutes.add(failed, now);
    }

    /// How many are kept one by one.
    pub(super) fn len(&self) -> usize {
        self.newest.len()
    }

    /// The `at`-th newest.
    pub(super) fn get(&self, at: usize) -> Option<&Failure> {
        self.newest.get(at)
    }

    /// The place of one that was seen before.
    pub(super) fn place_of(&self, id: &str, at: Timestamp) -> Option<usize> {
        let same = |known: &Failure| &*known.id == id && known.at == at;
        self.newest.iter().position(same)
    }

    /// From the `first`-th newest on.
    pub(super) fn from(&self, first: usize) -> impl Iterator<Item = (usize, &Failure)> {
        self.newest.iter().enumerate().skip(first)
    }

    /// The reason that most of those that are kept have.
    pub(super) fn mostly(&self) -> Option<(&str, u64)> {
        let most = self
            .reasons
            .iter()
            .max_by(|a, b| a.1.cmp(b.1).then(b.0.cmp(a.0)));
        most.map(|(reason, count)| (&**reason, *count))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const HOUR: i64 = 3_600;

    fn failure(id: &str, second: i64) -> Record {
        Record::from_value(json!({
            "id": id, "timestamp": Timestamp::from_second(second).unwrap().to_string(),
            "failureReason": "22040 Wrong password\u{1b}[2J", "userName": "pat",
            "macAddress": "00:00:5E:00:53:02", "networkDeviceName": "sw-1"
        }))
    }

    #[test]
    fn each_is_told_once_newest_first_and_for_an_hour() {
        let now = |second| Timestamp::from_second(second).unwrap();
        let mut failures = Failures::default();
        assert!(failures.add(&failure("1", 10_000), now(10_001)));
        assert!(failures.add(&failure("2", 10_060), now(10_061)));
        assert!(failures.add(&failure("3", 10_030), now(10_061)));
        assert!(!failures.add(&failure("2", 10_060), now(10_062)));
        let ids: Vec<&str> = failures.from(0).map(|(_, failure)| &*failure.id).collect();
        assert_eq!(ids, ["2", "3", "1"]);
        let reason = "22040 Wrong password\\x1b[2J";
        assert_eq!(failures.mostly(), Some((reason, 3)));
        assert_eq!(failures.place_of("1", now(10_000)), Some(2));
        // The first is of the minute before the others.
        assert!(failures.until(now(10_019 + HOUR)));
        assert_eq!((failures.len(), failures.mostly()), (2, Some((reason, 2))));
    }

    #[test]
    fn those_of_a_reason_are_never_more_than_those_of_the_hour() {
        let mut failures = Failures::default();
        for second in (50_000..60_000).step_by(25) {
            let now = Timestamp::from_second(second).unwrap();
            failures.add(&failure(&second.to_string(), second), now);
            failures.until(now);
            let counted = failures.mostly().unwrap().1;
            assert_eq!(
                (failures.len() as u64, counted),
                (failures.minutes.sum(), counted)
            );
            assert_eq!(counted, failures.minutes.sum());
        }
    }

    #[test]
    fn what_is_older_than_an_hour_is_neither_counted_nor_uncounted() {
        let now = Timestamp::from_second(50_000).unwrap();
        let mut failures = Failures::default();
        assert!(failures.add(&failure("1", 49_999), now));
        assert!(!failures.add(&failure("2", 50_000 - HOUR), now));
        failures.until(now);
        assert_eq!((failures.len(), failures.mostly().unwrap().1), (1, 1));
        assert_eq!(failures.minutes.sum(), 1);
    }

    #[test]
    fn many_of_them_take_no_more_room() {
        let mut failures = Failures::default();
        for number in 0..2_000 {
            let record = failure(&number.to_string(), 50_000 + number);
            failures.add(&record, Timestamp::from_second(50_000 + number).unwrap());
        }
        assert_eq!(failures.len(), KEPT);
        assert_eq!(failures.mostly().unwrap().1, KEPT as u64);
    }
}
