//! Failures in groups: endpoints and attempts counted, where mostly, the newest, how many in each
//! part of the window. Only the groups are held, and a mark for each endpoint of a group.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;

use foldhash::quality::RandomState;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::failure_facts::{self, By};
use super::limits::Limits;
use super::trend::{Counts, Window};
use crate::record::Record;

/// See the module's documentation.
pub struct FailureGroups {
    by: By,
    window: Window,
    limits: Limits,
    groups: HashMap<Option<Box<str>>, Group, RandomState>,
    hasher: RandomState,
    /// Marks of the endpoints of all groups.
    endpoints: HashSet<u64, RandomState>,
    totals: Totals,
    marks: usize,
    bytes: usize,
}

/// What is said beside the groups.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Failed attempts.
    pub attempts: u64,
    /// Different endpoints.
    pub endpoints: usize,
    /// Groups, those left out by `top` too.
    pub groups: usize,
    /// Attempts whose group had no room any more.
    pub beyond: u64,
    /// There was no room to tell all endpoints apart: their numbers are at least so high.
    pub at_least: bool,
}

#[derive(Default)]
struct Group {
    attempts: u64,
    /// Marks of its endpoints.
    endpoints: HashSet<u64, RandomState>,
    /// How many of them each value of the other field has; a value is a switch, or a reason.
    elsewhere: HashMap<Box<str>, u64, RandomState>,
    /// Marks of endpoint and value together.
    pairs: HashSet<u64, RandomState>,
    newest: Option<(Timestamp, String)>,
    code: Option<String>,
    trend: Counts,
}

impl FailureGroups {
    /// No group yet.
    pub fn new(by: By, window: Window, limits: Limits) -> Self {
        Self {
            by,
            window,
            limits,
            groups: HashMap::default(),
            hasher: RandomState::default(),
            endpoints: HashSet::default(),
            totals: Totals::default(),
            marks: 0,
            bytes: 0,
        }
    }

    /// What the place where a group is mostly found is told by.
    fn other(&self) -> By {
        if self.by == By::Reason {
            By::Nas
        } else {
            By::Reason
        }
    }

    /// Counts a failure.
    pub fn add(&mut self, failure: &Record) {
        self.totals.attempts += 1;
        let value = self.by.value(failure);
        let value: Option<Box<str>> = value.map(Into::into);
        if !self.groups.contains_key(&value) {
            let bytes = value.as_deref().map_or(0, str::len);
            let full = self.groups.len() >= self.limits.rows;
            if full || self.bytes + bytes > self.limits.bytes {
                self.totals.beyond += 1;
                return;
            }
            self.bytes += bytes;
        }
        let other = self.other().value(failure);
        let endpoint = failure_facts::endpoint(failure);
        let mark = endpoint.map(|endpoint| self.hasher.hash_one(&endpoint));
        let room = self.marks + 3 <= self.limits.marks;
        let place = other.filter(|other| self.bytes + other.len() <= self.limits.bytes);
        let group = self.groups.entry(value).or_default();
        group.attempts += 1;
        if let Some((at, words)) = failure_facts::moment(failure) {
            group.trend.add(&self.window, at);
            if group.newest.as_ref().is_none_or(|(newest, _)| at > *newest) {
                group.newest = Some((at, words.into_owned()));
            }
        }
        if group.code.is_none() && self.by == By::Reason {
            group.code = failure_facts::code(failure);
        }
        let Some(mark) = mark else { return };
        if !room {
            self.totals.at_least |= !group.endpoints.contains(&mark);
            return;
        }
        self.marks += usize::from(self.endpoints.insert(mark));
        self.marks += usize::from(group.endpoints.insert(mark));
        let Some(place) = place else { return };
        if group.pairs.insert(self.hasher.hash_one((mark, &place))) {
            self.marks += 1;
            if let Some(count) = group.elsewhere.get_mut(place.as_ref()) {
                *count += 1;
            } else {
                self.bytes += place.len();
                group.elsewhere.insert(place.into(), 1);
            }
        }
    }

    /// The groups as records, those with most endpoints first, at most `top`; and the totals. A
    /// record is made when it is asked for: it takes several times the room of its group.
    pub fn finish(self, top: Option<usize>) -> (impl Iterator<Item = Record>, Totals) {
        let (by, other, window) = (self.by, self.other(), self.window);
        let totals = Totals {
            endpoints: self.endpoints.len(),
            groups: self.groups.len(),
            ..self.totals
        };
        drop(self.endpoints);
        let mut groups: Vec<(Option<Box<str>>, Group)> = self.groups.into_iter().collect();
        let rank = |group: &Group| (group.endpoints.len(), group.attempts);
        crate::order::sort_by(&mut groups, |(a_value, a), (b_value, b)| {
            rank(b).cmp(&rank(a)).then_with(|| a_value.cmp(b_value))
        });
        groups.truncate(top.unwrap_or(usize::MAX));
        let groups = groups.into_iter();
        let records = groups.map(move |(value, group)| group.record((by, value), other, &window));
        (records, totals)
    }
}

impl Group {
    fn record(self, (by, value): (By, Option<Box<str>>), other: By, window: &Window) -> Record {
        let mut members = Map::new();
        members.insert(by.member().to_owned(), value.map(String::from).into());
        if by == By::Reason {
            members.insert("code".to_owned(), self.code.into());
        }
        members.insert("endpoints".to_owned(), self.endpoints.len().into());
        members.insert("attempts".to_owned(), self.attempts.into());
        members.insert(
            "newest".to_owned(),
            self.newest.map(|(_, text)| text).into(),
        );
        // Of several with as many the first by name, so that the answer is the same each time.
        let most = self.elsewhere.into_iter();
        let most = most.max_by(|(a, most), (b, more)| most.cmp(more).then_with(|| b.cmp(a)));
        let mostly = most.map_or(
            Value::Null,
            |(place, endpoints)| json!({ other.member(): place, "endpoints": endpoints }),
        );
        members.insert("mostly".to_owned(), mostly);
        members.insert("trend".to_owned(), self.trend.value(window));
        Record::from_value(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: (&str, &str) = ("2026-03-01T10:00:00Z", "2026-03-01T11:00:00Z");

    fn groups(by: By, limits: Limits) -> FailureGroups {
        let window = Window {
            since: WINDOW.0.parse().unwrap(),
            until: WINDOW.1.parse().unwrap(),
            parts: 4,
        };
        FailureGroups::new(by, window, limits)
    }

    fn failure(reason: &str, mac: u8, nas: &str, minute: u32) -> Record {
        Record::from_value(json!({
            "failureReason": reason, "macAddress": format!("00:00:5E:00:53:{mac:02X}"),
            "networkDeviceName": nas, "timestamp": format!("2026-03-01T10:{minute:02}:00Z"),
        }))
    }

    fn some() -> Vec<Record> {
        vec![
            failure("22040 Wrong password", 1, "sw-1", 1),
            failure("22040 Wrong password", 1, "sw-1", 2),
            failure("22040 Wrong password", 1, "sw-2", 3),
            failure("22040 Wrong password", 2, "sw-2", 50),
            failure("12514 Unknown CA", 3, "sw-1", 20),
            failure("12514 Unknown CA", 3, "sw-1", 10),
            failure("12514 Unknown CA", 3, "sw-1", 5),
            failure("12514 Unknown CA", 3, "sw-1", 1),
        ]
    }

    fn values(records: impl Iterator<Item = Record>) -> Value {
        records.map(|record| record.to_value()).collect()
    }

    #[test]
    fn endpoints_and_attempts_are_counted_where_mostly_and_when() {
        let mut by_reason = groups(By::Reason, Limits::GROUPS);
        for failure in some() {
            by_reason.add(&failure);
        }
        let (records, totals) = by_reason.finish(None);
        assert_eq!(
            values(records),
            json!([
                {"reason": "22040 Wrong password", "code": "22040", "endpoints": 2, "attempts": 4,
                 "newest": "2026-03-01T10:50:00Z", "mostly": {"nas": "sw-2", "endpoints": 2},
                 "trend": [3, 0, 0, 1]},
                {"reason": "12514 Unknown CA", "code": "12514", "endpoints": 1, "attempts": 4,
                 "newest": "2026-03-01T10:20:00Z", "mostly": {"nas": "sw-1", "endpoints": 1},
                 "trend": [3, 1, 0, 0]},
            ])
        );
        let expected = Totals {
            attempts: 8,
            endpoints: 3,
            groups: 2,
            ..Totals::default()
        };
        assert_eq!(totals, expected);
    }

    #[test]
    fn other_groups_say_for_which_reason_mostly() {
        let mut by_nas = groups(By::Nas, Limits::GROUPS);
        for failure in some() {
            by_nas.add(&failure);
        }
        by_nas.add(&Record::from_value(json!({"failureReason": "5440 x"})));
        let (records, totals) = by_nas.finish(Some(2));
        assert_eq!(
            values(records),
            json!([
                {"nas": "sw-1", "endpoints": 2, "attempts": 6, "newest": "2026-03-01T10:20:00Z",
                 "mostly": {"reason": "12514 Unknown CA", "endpoints": 1}, "trend": [5, 1, 0, 0]},
                {"nas": "sw-2", "endpoints": 2, "attempts": 2, "newest": "2026-03-01T10:50:00Z",
                 "mostly": {"reason": "22040 Wrong password", "endpoints": 2},
                 "trend": [1, 0, 0, 1]},
            ])
        );
        // What nobody can be told of is counted all the same.
        assert_eq!((totals.attempts, totals.groups), (9, 3));
    }

    #[test]
    fn what_is_beyond_the_bounds_is_counted_and_said() {
        let small = Limits {
            rows: 1,
            marks: 7,
            bytes: 100,
        };
        let mut by_reason = groups(By::Reason, small);
        for failure in some() {
            by_reason.add(&failure);
        }
        for mac in 10..20 {
            by_reason.add(&failure("22040 Wrong password", mac, "sw-1", 1));
        }
        let (records, totals) = by_reason.finish(None);
        let records: Vec<Record> = records.collect();
        assert_eq!(records.len(), 1);
        assert_eq!(
            (totals.attempts, totals.beyond, totals.at_least),
            (18, 4, true)
        );
        let group = records[0].to_value();
        assert_eq!(group["attempts"], 14);
        assert!(group["endpoints"].as_u64().unwrap() <= 3, "{group}");
        // A stranger's long name takes no more than there is room for.
        let mut by_user = groups(By::User, small);
        let long = Record::from_value(json!({"userName": "x".repeat(200)}));
        by_user.add(&long);
        assert_eq!(by_user.finish(None).1.beyond, 1);
    }
}
