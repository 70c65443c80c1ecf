//! All sessions that the live screen knows, by identity, with the counts of every shared fact kept
//! as they come and go. A row is some 150 bytes and its user's name.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::net::IpAddr;

use foldhash::quality::RandomState;
use jiff::Timestamp;

use super::session::{Facts, Field, Session};
use super::values::{ValueId, Values};
use crate::record::Mac;

/// How many sessions are kept; of more there is only the number.
const MOST: usize = 1_000_000;

/// The place of a row, until its session ends.
pub(super) type RowId = u32;

/// One session.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// Of its identity; the same as long as the program runs.
    pub(super) key: u64,
    pub(super) mac: Option<Mac>,
    pub(super) station: Box<str>,
    pub(super) ip: Option<IpAddr>,
    pub(super) user: Box<str>,
    pub(super) facts: Facts<ValueId>,
    pub(super) quarantined: bool,
    pub(super) changed: Timestamp,
    /// In which list of the Monitoring node it stood last.
    list: u32,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    rows: Vec<Option<Row>>,
    free: Vec<RowId>,
    places: HashMap<u64, RowId, RandomState>,
    hasher: RandomState,
    values: Facts<Values>,
    /// Sessions that came when there was no room.
    pub(super) beyond: u64,
    /// There was an address of the sixth version.
    pub(super) had_ipv6: bool,
    list: u32,
}

/// What a session that came was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Came {
    /// It was not known.
    New,
    /// It was known, and is as told now.
    Known,
    /// There is no room.
    Beyond,
}

impl Sessions {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// The key of an identity.
    pub(super) fn key(&self, identity: &str) -> u64 {
        self.hasher.hash_one(identity)
    }

    /// Keeps what is told of a session.
    pub(super) fn put(&mut self, session: &Session) -> Came {
        let key = self.key(&session.identity);
        let known = self.places.get(&key).copied();
        if known.is_none() && self.len() >= MOST {
            self.beyond += 1;
            return Came::Beyond;
        }
        let mut facts = [0; Field::ALL.len()];
        self.had_ipv6 |= session.ip.is_some_and(|ip| ip.is_ipv6());
        let texts = session.facts.iter().zip(&mut self.values);
        for (id, (text, values)) in facts.iter_mut().zip(texts) {
            *id = values.add(text);
        }
        let mut row = Row {
            key,
            mac: session.mac,
            station: session.station.clone(),
            ip: session.ip,
            user: session.user.clone(),
            facts,
            quarantined: session.quarantined,
            changed: session.changed,
            list: self.list,
        };
        if let Some(id) = known {
            let place = self.rows.get_mut(id as usize);
            // A list without times tells the same session again and again.
            let old = place.as_ref().and_then(|place| place.as_ref());
            if let Some(old) = old.filter(|old| !session.is_dated && old.is_like(&row)) {
                row.changed = old.changed;
            }
            let old = place.and_then(|place| place.replace(row));
            self.uncount(old.as_ref());
            return Came::Known;
        }
        let id = if let Some(id) = self.free.pop() {
            if let Some(place) = self.rows.get_mut(id as usize) {
                *place = Some(row);
            }
            id
        } else {
            self.rows.push(Some(row));
            RowId::try_from(self.rows.len() - 1).unwrap_or(RowId::MAX)
        };
        self.places.insert(key, id);
        Came::New
    }

    /// Forgets a session; whether it was known.
    pub(super) fn end(&mut self, identity: &str) -> bool {
        let key = self.key(identity);
        let Some(id) = self.places.remove(&key) else {
            return false;
        };
        self.take(id);
        true
    }

    fn take(&mut self, id: RowId) {
        let row = self.rows.get_mut(id as usize).and_then(Option::take);
        self.uncount(row.as_ref());
        self.free.push(id);
    }

    fn uncount(&mut self, row: Option<&Row>) {
        let facts = row.map_or([0; Field::ALL.len()], |row| row.facts);
        if row.is_some() {
            for (id, values) in facts.into_iter().zip(&mut self.values) {
                values.remove(id);
            }
        }
    }

    /// A whole list begins: what does not stand in it has ended.
    pub(super) fn begin_list(&mut self) {
        self.list = self.list.wrapping_add(1);
    }

    /// The list came to its end; how many sessions did not stand in it.
    pub(super) fn end_list(&mut self) -> u64 {
        let old = |(id, row): (usize, &Option<Row>)| {
            let row = row.as_ref().filter(|row| row.list != self.list)?;
            Some((row.key, RowId::try_from(id).ok()?))
        };
        let gone: Vec<(u64, RowId)> = self.rows.iter().enumerate().filter_map(old).collect();
        for (key, id) in &gone {
            self.places.remove(key);
            self.take(*id);
        }
        gone.len() as u64
    }

    /// A row, unless its session has ended.
    pub(super) fn row(&self, id: RowId) -> Option<&Row> {
        self.rows.get(id as usize).and_then(Option::as_ref)
    }

    /// The row with this key.
    pub(super) fn row_of(&self, key: u64) -> Option<&Row> {
        self.row(self.places.get(&key).copied()?)
    }

    /// All rows.
    pub(super) fn rows(&self) -> impl Iterator<Item = (RowId, &Row)> {
        let rows = (0..).zip(&self.rows);
        rows.filter_map(|(id, row)| Some((id, row.as_ref()?)))
    }

    /// The values of a field.
    pub(super) fn values(&self, field: Field) -> &Values {
        let [state, method, nas, sgt, posture, profile, server, port] = &self.values;
        match field {
            Field::State => state,
            Field::Method => method,
            Field::Nas => nas,
            Field::Sgt => sgt,
            Field::Posture => posture,
            Field::Profile => profile,
            Field::Server => server,
            Field::Port => port,
        }
    }

    /// A row's text of a field.
    pub(super) fn text(&self, row: &Row, field: Field) -> &str {
        self.values(field).text(row.fact(field))
    }
}

impl Row {
    /// The id of its value of a field.
    pub(super) fn fact(&self, field: Field) -> ValueId {
        self.facts.get(field as usize).copied().unwrap_or(0)
    }

    /// Whether it tells the same.
    fn is_like(&self, other: &Self) -> bool {
        (self.ip, &self.user, self.facts) == (other.ip, &other.user, other.facts)
    }

    /// The endpoint as it is named to a person.
    pub(super) fn name(&self) -> String {
        self.mac
            .map_or_else(|| self.station.to_string(), |mac| mac.to_string())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::record::Record;

    fn session(number: u32, nas: &str) -> Session {
        let record = json!({
            "macAddress": format!("00:00:5E:00:{:02X}:{:02X}", number / 256, number % 256),
            "auditSessionId": number.to_string(), "nasIdentifier": nas
        });
        Session::read(&Record::from_value(record), Timestamp::UNIX_EPOCH).unwrap()
    }

    #[test]
    fn counts_follow_what_comes_changes_and_goes() {
        let mut sessions = Sessions::default();
        assert_eq!(sessions.put(&session(1, "a")), Came::New);
        assert_eq!(sessions.put(&session(2, "a")), Came::New);
        assert_eq!(sessions.put(&session(1, "b")), Came::Known);
        let most = |sessions: &Sessions| {
            let most = sessions.values(Field::Nas).most(9);
            most.iter()
                .map(|(text, count)| format!("{text}{count}"))
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(most(&sessions), "a1 b1");
        assert!(sessions.end(&session(2, "").identity));
        assert!(!sessions.end(&session(2, "").identity));
        assert_eq!((most(&sessions).as_str(), sessions.len()), ("b1", 1));
        // The room of a session that ended is taken again.
        sessions.put(&session(3, "c"));
        assert_eq!(sessions.rows.len(), 2);
    }

    #[test]
    fn what_a_whole_list_lacks_has_ended() {
        let mut sessions = Sessions::default();
        for list in [[1, 2, 3], [2, 3, 4]] {
            sessions.begin_list();
            for number in list {
                sessions.put(&session(number, "a"));
            }
        }
        assert_eq!(sessions.end_list(), 1);
        assert_eq!(sessions.len(), 3);
        assert!(!sessions.end(&session(1, "a").identity));
    }

    #[test]
    fn without_a_time_of_its_own_a_session_changed_when_it_is_told_otherwise() {
        let mut sessions = Sessions::default();
        let mut told = session(1, "a");
        sessions.put(&told);
        told.changed = Timestamp::from_second(60).unwrap();
        sessions.put(&told);
        let changed = |sessions: &Sessions| sessions.rows().next().unwrap().1.changed;
        assert_eq!(changed(&sessions), Timestamp::UNIX_EPOCH);
        told.user = "another".into();
        sessions.put(&told);
        assert_eq!(changed(&sessions).as_second(), 60);
    }

    #[test]
    fn a_row_is_small() {
        assert!(
            std::mem::size_of::<Option<Row>>() <= 152,
            "{}",
            std::mem::size_of::<Option<Row>>()
        );
    }
}
