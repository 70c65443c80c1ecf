//! The tables of a spool's file, and how an event is written there and read back.
//!
//! The format's number is that of all tables together; a file with a number that is not known is
//! not touched.

use std::collections::{BTreeMap, BTreeSet};

use compact_str::CompactString;
use jiff::Timestamp;
use redb::WriteTransaction;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, TableError};

use super::conversion;
use super::journal::Left;
use crate::event::{Event, EventId, Mark, Message, order_key};

/// id, event, sequence, topic, node, received (µs since the epoch), recovered, MAC, station, state,
/// whether the message is one session, message.
pub(super) type Row = (
    &'static [u8; 16],
    &'static str,
    Option<i64>,
    &'static str,
    &'static str,
    i64,
    bool,
    Option<&'static str>,
    Option<&'static str>,
    Option<&'static str>,
    bool,
    &'static str,
);

/// A row that is being read.
pub(super) type Read<'r> = (
    &'r [u8; 16],
    &'r str,
    Option<i64>,
    &'r str,
    &'r str,
    i64,
    bool,
    Option<&'r str>,
    Option<&'r str>,
    Option<&'r str>,
    bool,
    &'r str,
);

/// Events that wait, by their number.
pub(super) const EVENTS: TableDefinition<'static, u64, Row> = TableDefinition::new("waiting");
/// topic -> sequence, newest timestamp.
const MARKS: TableDefinition<'static, &str, (Option<i64>, Option<&'static str>)> =
    TableDefinition::new("marks");
/// Topics that are caught up by comparing, of which everything is remembered.
const COMPARED: TableDefinition<'static, &str, ()> = TableDefinition::new("compared");
/// How often a delivery was begun of events that earlier runs left.
const ATTEMPTS: TableDefinition<'static, u64, u32> = TableDefinition::new("attempts");
/// The name, in `META`, of the number below which any event may have been handled.
const UNCERTAIN: &str = "uncertain below";
const META: TableDefinition<'static, &str, u64> = TableDefinition::new("meta");

/// The layout of the tables above.
pub(super) const FORMAT: u64 = 2;

/// Makes the tables where they are missing, and converts those of an earlier version; the format
/// of the file, which is [`FORMAT`] unless a later version wrote it.
pub(super) fn prepare(database: &Database) -> Result<u64, redb::Error> {
    let format = match database.begin_read()?.open_table(META) {
        Ok(meta) => meta.get("format")?.map_or(0, |format| format.value()),
        Err(TableError::TableDoesNotExist(_)) => FORMAT,
        Err(error) => return Err(error.into()),
    };
    if format != FORMAT && format != conversion::FORMAT {
        return Ok(format);
    }
    let transaction = database.begin_write()?;
    transaction.open_table(META)?.insert("format", FORMAT)?;
    transaction.open_table(EVENTS)?;
    transaction.open_table(MARKS)?;
    transaction.open_table(COMPARED)?;
    transaction.open_table(ATTEMPTS)?;
    if format == conversion::FORMAT {
        conversion::convert(&transaction)?;
        let events = transaction.open_table(EVENTS)?;
        let last = events.last()?.map_or(0, |(id, _)| id.value());
        // That version did not note what it began.
        transaction.open_table(META)?.insert(UNCERTAIN, last + 1)?;
    }
    transaction.commit()?;
    Ok(FORMAT)
}

/// The number that follows the last event's, and whether no event waits.
pub(super) fn after_last(database: &Database) -> Result<(u64, bool), redb::Error> {
    let events = database.begin_read()?.open_table(EVENTS)?;
    let last = events.last()?.map(|(id, _)| id.value());
    Ok(last.map_or((0, true), |last| (last + 1, false)))
}

/// What earlier runs did with the events that are there.
#[derive(Debug, Default)]
pub(super) struct Before {
    /// How often deliveries were begun.
    pub(super) attempts: BTreeMap<u64, u32>,
    /// Below this number any event may have been handled.
    pub(super) uncertain_below: u64,
}

/// Takes over what the journal holds of an earlier run.
pub(super) fn take_over(database: &Database, left: &Left) -> Result<Before, redb::Error> {
    let transaction = database.begin_write()?;
    let mut before = Before::default();
    {
        let mut events = transaction.open_table(EVENTS)?;
        let mut attempts = transaction.open_table(ATTEMPTS)?;
        let mut meta = transaction.open_table(META)?;
        for id in &left.done {
            events.remove(id)?;
            attempts.remove(id)?;
        }
        for (id, begun) in &left.begun {
            let earlier = attempts.get(id)?.map_or(0, |earlier| earlier.value());
            attempts.insert(id, earlier.saturating_add(*begun))?;
        }
        attempts.retain(|id, _| events.get(id).is_ok_and(|event| event.is_some()))?;
        for entry in attempts.iter()? {
            let (id, begun) = entry?;
            before.attempts.insert(id.value(), begun.value());
        }
        let last = events.last()?.map(|(id, _)| id.value());
        if left.uncertain {
            meta.insert(UNCERTAIN, last.map_or(0, |last| last + 1))?;
        }
        // Numbers begin anew when nothing is there.
        if last.is_some() {
            before.uncertain_below = meta.get(UNCERTAIN)?.map_or(0, |below| below.value());
        } else {
            meta.remove(UNCERTAIN)?;
        }
    }
    transaction.commit()?;
    Ok(before)
}

/// Takes out events that are done with.
pub(super) fn remove_events(
    transaction: &WriteTransaction,
    gone: &BTreeSet<u64>,
    before: &Before,
) -> Result<(), redb::Error> {
    let mut events = transaction.open_table(EVENTS)?;
    let mut attempts = transaction.open_table(ATTEMPTS)?;
    for id in gone {
        events.remove(id)?;
        if before.attempts.contains_key(id) {
            attempts.remove(id)?;
        }
    }
    Ok(())
}

/// Puts events in, by their numbers.
pub(super) fn write_events<'e>(
    transaction: &WriteTransaction,
    batch: impl Iterator<Item = (u64, &'e Event)>,
) -> Result<(), redb::Error> {
    let mut events = transaction.open_table(EVENTS)?;
    for (number, event) in batch {
        events.insert(number, write(event, &event.id()))?;
    }
    Ok(())
}

/// Puts in how far topics were followed.
pub(super) fn write_marks(
    transaction: &WriteTransaction,
    marks: &[Mark],
) -> Result<(), redb::Error> {
    let mut table = transaction.open_table(MARKS)?;
    let mut compared = transaction.open_table(COMPARED)?;
    for mark in marks {
        if mark.compared {
            compared.insert(mark.topic.as_str(), ())?;
        } else {
            compared.remove(mark.topic.as_str())?;
        }
        let newest = mark.newest.to_string();
        table.insert(mark.topic.as_str(), (mark.sequence, Some(newest.as_str())))?;
    }
    Ok(())
}

/// Adds to what earlier runs began what this one did.
pub(super) fn add_attempts(
    database: &Database,
    begun: &BTreeMap<u64, u32>,
) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut attempts = transaction.open_table(ATTEMPTS)?;
        for (id, begun) in begun {
            let earlier = attempts.get(id)?.map_or(0, |earlier| earlier.value());
            attempts.insert(id, earlier.saturating_add(*begun))?;
        }
    }
    transaction.commit()?;
    Ok(())
}

/// An event as a row, beside its id.
pub(super) fn write<'e>(event: &'e Event, id: &'e EventId) -> Read<'e> {
    (
        id.bytes(),
        &event.event,
        event.sequence,
        &event.topic,
        &event.node,
        event.received_at.as_microsecond(),
        event.recovered,
        event.mac.as_deref(),
        event.station.as_deref(),
        event.state.as_deref(),
        event.message.is_session(),
        event.message.object(),
    )
}

/// The event of a row.
pub(super) fn read(row: Read<'_>) -> Event {
    let (id, event, sequence, topic, node, received, recovered, mac, station, state, session, text) =
        row;
    Event {
        id: EventId::from(*id).into(),
        event: event.to_owned().into(),
        sequence,
        topic: topic.into(),
        node: node.into(),
        received_at: Timestamp::from_microsecond(received).unwrap_or(Timestamp::UNIX_EPOCH),
        recovered,
        overtaken: false,
        mac: mac.map(Into::into),
        station: station.map(Into::into),
        state: state.map(|state| state.to_owned().into()),
        message: if session {
            Message::session(text)
        } else {
            Message::whole(text)
        },
    }
}

/// Of a row: its order key, when it was received in milliseconds since the epoch, and the length
/// of its message.
pub(super) fn glance(row: Read<'_>) -> (CompactString, i64, usize) {
    let (_, _, _, topic, _, received, _, mac, station, _, _, text) = row;
    let key = order_key(mac, station, topic).into();
    (key, received / 1000, text.len())
}

/// The marks that can be read.
pub(super) fn marks(database: &Database) -> Result<Vec<Mark>, redb::Error> {
    let transaction = database.begin_read()?;
    let table = transaction.open_table(MARKS)?;
    let compared = transaction.open_table(COMPARED)?;
    let mut marks = Vec::new();
    for entry in table.iter()? {
        let (topic, mark) = entry?;
        let (sequence, newest) = mark.value();
        // Without a time that we can read it is of no use: the topic begins now.
        if let Some(newest) = newest.and_then(|newest| newest.parse().ok()) {
            marks.push(Mark {
                topic: topic.value().to_owned(),
                newest,
                sequence,
                compared: compared.get(topic.value())?.is_some(),
            });
        }
    }
    Ok(marks)
}
