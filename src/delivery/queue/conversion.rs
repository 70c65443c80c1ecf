//! The spool's file as version 0.1.0 wrote it, converted once when it is opened: nothing that was
//! not delivered is lost. Its marks are as they are today.

use jiff::Timestamp;
use redb::{ReadableTable, TableDefinition, TableError, WriteTransaction};

use super::tables::{EVENTS, write};
use crate::event::{Event, EventId, Message};

/// key, topic, event, sequence, MAC, state, received (µs since the epoch), JSON.
type OldRow = (
    &'static str,
    &'static str,
    &'static str,
    Option<i64>,
    Option<&'static str>,
    Option<&'static str>,
    i64,
    &'static str,
);

pub(super) const OLD_EVENTS: TableDefinition<'static, u64, OldRow> = TableDefinition::new("events");

/// The number of that format.
pub(super) const FORMAT: u64 = 1;

/// Moves every event to today's table.
pub(super) fn convert(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    {
        let old = match transaction.open_table(OLD_EVENTS) {
            Ok(old) => old,
            Err(TableError::TableDoesNotExist(_)) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let mut events = transaction.open_table(EVENTS)?;
        for entry in old.iter()? {
            let (number, row) = entry?;
            let event = today(row.value());
            events.insert(number.value(), write(&event, &event.id()))?;
        }
    }
    transaction.delete_table(OLD_EVENTS)?;
    Ok(())
}

type OldRead<'r> = (
    &'r str,
    &'r str,
    &'r str,
    Option<i64>,
    Option<&'r str>,
    Option<&'r str>,
    i64,
    &'r str,
);

/// The event that an old row holds. What is no event's JSON is kept as the message.
fn today((key, topic, event, sequence, mac, state, received, json): OldRead<'_>) -> Event {
    let parsed = Event::parse(json).unwrap_or_else(|| Event {
        id: EventId::default().into(),
        event: event.to_owned().into(),
        sequence,
        topic: topic.into(),
        node: std::sync::Arc::default(),
        received_at: Timestamp::UNIX_EPOCH,
        recovered: false,
        overtaken: false,
        mac: None,
        station: None,
        state: None,
        message: Message::whole(json),
    });
    Event {
        received_at: Timestamp::from_microsecond(received).unwrap_or(parsed.received_at),
        mac: mac.map(Into::into),
        // What it is in order with stays the same.
        station: (mac.is_none() && key != topic).then(|| key.into()),
        state: state.map(|state| state.to_owned().into()),
        ..parsed
    }
}

#[cfg(test)]
mod tests {
    use redb::Database;

    use super::*;
    use crate::delivery::queue::spool::{FILE, Spool};

    #[test]
    fn a_file_of_the_old_format_is_converted_once_and_loses_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let envelope = |number: i64| {
            format!(
                r#"{{"type":"MESSAGE","event":"sessionCreated","sequenceNumber":{number},"topic":"/topic/com.cisco.ise.session","node":"n","receivedAt":"2026-11-22T02:00:00Z","recovered":true,"message":{{"sessions":[{{"macAddress":"00:00:5E:00:53:01","weight":1.10}}]}}}}"#
            )
        };
        let database = Database::create(dir.path().join(FILE)).unwrap();
        let meta: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
        let marks: TableDefinition<'_, &str, (Option<i64>, Option<&str>)> =
            TableDefinition::new("marks");
        let transaction = database.begin_write().unwrap();
        {
            let mut table = transaction.open_table(meta).unwrap();
            table.insert("format", 1).unwrap();
            let mut table = transaction.open_table(marks).unwrap();
            let mark = (Some(8), Some("2026-11-22T02:00:00Z"));
            table.insert("/topic/com.cisco.ise.session", mark).unwrap();
            let mut table = transaction.open_table(OLD_EVENTS).unwrap();
            for number in [7, 8] {
                let json = envelope(number);
                let mac = "00:00:5E:00:53:01";
                let row = (
                    mac,
                    "/topic/com.cisco.ise.session",
                    "sessionCreated",
                    Some(number),
                    Some(mac),
                    Some("STARTED"),
                    1_900_000_000_000_000,
                    json.as_str(),
                );
                table.insert(number.unsigned_abs(), row).unwrap();
            }
        }
        transaction.commit().unwrap();
        drop(database);

        for _ in 0..2 {
            let spool = Spool::open(dir.path()).unwrap();
            assert_eq!((spool.count().unwrap(), spool.tail()), (2, 9));
            let event = spool.get(7).unwrap().unwrap();
            assert_eq!((event.sequence, event.recovered), (Some(7), true));
            assert_eq!(event.order_key(), "00:00:5E:00:53:01");
            assert!(event.to_json(None).ends_with(
                r#""recovered":true,"message":{"sessions":[{"macAddress":"00:00:5E:00:53:01","weight":1.10}]}}"#
            ));
            let other = spool.get(8).unwrap().unwrap();
            assert_ne!(event.id, other.id);
            assert_eq!(spool.marks().unwrap()[0].sequence, Some(8));
            spool.close().unwrap();
        }
    }
}
