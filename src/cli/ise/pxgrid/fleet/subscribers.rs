//! The subscribers of a stream, as `fleet status` shows them: what each tells of itself, and what
//! share of it the stream had already.

use std::fmt::Write;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::status::{age, entries, safe, table};
use crate::error::{Kind, Result};
use crate::nats::bucket::Entry;
use crate::nats::subscribers::{SubscriberValue, bucket_name};
use crate::nats::{Connection, StreamAddress};

/// Subscribers that sent so many events ought to have sent some that another had sent.
const ENOUGH: u64 = 200;

/// One that was heard of within this time is there.
const THERE: SignedDuration = SignedDuration::from_secs(15);

/// See the module's documentation.
pub(super) struct Subscribers {
    /// `None`: this account may not read them.
    told: Option<Vec<(SubscriberValue, Timestamp)>>,
    at: Timestamp,
}

impl Subscribers {
    /// Reads them. An account whose permissions are older than their bucket is told so, and sees
    /// the rest.
    pub(super) async fn read(connection: &Connection, address: &StreamAddress) -> Result<Self> {
        let parsed = |entry: Entry| {
            let value = serde_json::from_slice(entry.value.as_deref()?).ok()?;
            Some((value, entry.at))
        };
        let told = match entries(connection, bucket_name(&address.stream)).await {
            Ok(found) => Some(found.into_iter().filter_map(parsed).collect()),
            Err(error) if error.kind() == Kind::Refused => None,
            Err(error) => return Err(error),
        };
        let at = Timestamp::now();
        Ok(Self { told, at })
    }

    fn each(&self) -> impl Iterator<Item = &(SubscriberValue, Timestamp)> {
        self.told.iter().flatten()
    }

    /// What of a hundred events that subscribers sent the stream had already; `None` where nothing
    /// was sent.
    pub(super) fn percent_duplicates(&self) -> Option<u64> {
        let sum = |of: fn(&SubscriberValue) -> u64| {
            let each = self.each().map(|(value, _)| of(value));
            each.fold(0_u64, u64::saturating_add)
        };
        let (stored, duplicates) = (sum(|value| value.stored), sum(|value| value.duplicates));
        duplicates
            .saturating_mul(100)
            .checked_div(stored.saturating_add(duplicates))
    }

    /// Whether two that are there send the same topics, and nothing of it is ever the same.
    fn ids_differ(&self) -> bool {
        let there = |seen: Timestamp| self.at.duration_since(seen) < THERE;
        let alone = |value: &SubscriberValue| value.duplicates == 0 && value.stored >= ENOUGH;
        let alone: Vec<&SubscriberValue> = self
            .each()
            .filter(|(value, seen)| there(*seen) && alone(value))
            .map(|(value, _)| value)
            .collect();
        alone.iter().enumerate().any(|(place, one)| {
            alone.iter().skip(place + 1).any(|other| {
                let topics = &other.topics;
                one.deployment == other.deployment
                    && one.topics.iter().any(|topic| topics.contains(topic))
            })
        })
    }

    /// An array of them; null where they may not be read.
    pub(super) fn to_json(&self) -> Value {
        let subscriber = |(value, seen): &(SubscriberValue, Timestamp)| {
            let mut subscriber = serde_json::to_value(value).unwrap_or_default();
            if let Some(subscriber) = subscriber.as_object_mut() {
                subscriber.insert("lastSeen".to_owned(), json!(seen.to_string()));
            }
            subscriber
        };
        let told = self.told.as_ref();
        json!(told.map(|told| told.iter().map(subscriber).collect::<Vec<_>>()))
    }

    /// For a person.
    pub(super) fn write(&self, text: &mut String, stream: &str) {
        let Some(told) = &self.told else {
            let _ = writeln!(
                text,
                "subscribers: this account may not read them; what it lacks: netapi ise pxgrid fleet permissions {stream} --for fleet"
            );
            return;
        };
        if told.is_empty() {
            text.push_str("no subscribers\n");
            return;
        }
        if let Some(percent) = self.percent_duplicates() {
            let _ = write!(
                text,
                "duplicates: {percent} % of what subscribers sent was in the stream already"
            );
            if self.ids_differ() {
                text.push_str(", THEIR IDS DIFFER: each event is stored once a subscriber");
            }
            text.push('\n');
        }
        let mut rows =
            vec![["SUBSCRIBER", "DEPLOYMENT", "STORED", "DUPLICATES", "SEEN"].map(str::to_owned)];
        rows.extend(told.iter().map(|(value, seen)| {
            [
                safe(&value.name),
                safe(&value.deployment),
                value.stored.to_string(),
                value.duplicates.to_string(),
                age(self.at, *seen),
            ]
        }));
        text.push('\n');
        table(text, &rows);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two(change: impl Fn(&mut SubscriberValue, &mut Timestamp)) -> Subscribers {
        let at = Timestamp::now();
        let value = |name: &str| SubscriberValue {
            name: name.to_owned(),
            deployment: "ise".to_owned(),
            topics: vec!["session".to_owned()],
            host: "sub1".to_owned(),
            version: "1.0.0".to_owned(),
            since: at.to_string(),
            stored: 1000,
            duplicates: 0,
        };
        let (mut second, mut seen) = (value("b"), at);
        change(&mut second, &mut seen);
        Subscribers {
            told: Some(vec![(value("a"), at), (second, seen)]),
            at,
        }
    }

    #[test]
    fn ids_differ_where_two_send_the_same_topics_and_nothing_is_ever_the_same() {
        assert!(two(|_, _| ()).ids_differ());
        // One that is gone, or just began, or sends something else, had no chance to meet.
        assert!(!two(|_, seen| *seen -= SignedDuration::from_mins(2)).ids_differ());
        assert!(!two(|value, _| value.stored = 10).ids_differ());
        assert!(!two(|value, _| value.topics = vec!["radius-failure".to_owned()]).ids_differ());
        assert!(!two(|value, _| "lab".clone_into(&mut value.deployment)).ids_differ());
        // A single duplicate shows that they are alike, whatever the share is.
        let met = two(|value, _| value.duplicates = 1);
        assert!(!met.ids_differ());
        assert_eq!(met.percent_duplicates(), Some(0));
        let half = two(|value, _| (value.stored, value.duplicates) = (0, 1000));
        assert_eq!(half.percent_duplicates(), Some(50));
    }

    #[test]
    fn who_may_not_read_them_is_told_what_lacks() {
        let unread = Subscribers {
            told: None,
            at: Timestamp::now(),
        };
        let mut text = String::new();
        unread.write(&mut text, "EVENTS");
        assert!(
            text.contains("fleet permissions EVENTS --for fleet"),
            "{text}"
        );
        assert_eq!(unread.to_json(), Value::Null);
        assert_eq!(unread.percent_duplicates(), None);
    }
}
