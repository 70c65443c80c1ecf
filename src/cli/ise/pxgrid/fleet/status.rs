//! `netapi ise pxgrid fleet status`: the stream, the workers, and what each group still has to do.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::subscribers::Subscribers;
use super::{FleetStream, opened};
use crate::cli::Context;
use crate::cli::context::write_out;
use crate::cli::input;
use crate::error::{Error, Kind, Result};
use crate::nats::bucket::{Bucket, Entry};
use crate::nats::overview::{self, PartitionState, StreamState};
use crate::nats::{Connection, StreamAddress};
use crate::record::{JsonText, Record};
use crate::render::{Column, Shape, column};
use crate::sanitize;
use crate::worker::values::{ClaimValue, MemberValue, bucket_names};

const COLUMNS: &[Column] = &[
    column("STREAM", "stream.name"),
    column("MESSAGES", "stream.messages"),
    column("DEAD", "stream.deadLetters"),
];

/// From this share of its bytes on a stream is nearly full.
const NEARLY_FULL: u64 = 80;

/// Partitions with the most to do that are named one by one.
const NAMED: usize = 10;

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise pxgrid fleet status nats://n1.example.com/EVENTS
  netapi ise pxgrid fleet status EVENTS --watch      # servers: NATS_URL
  netapi ise pxgrid fleet status EVENTS --json \\
    | jq '.groups[] | select(.lag > 1000)'

LAG is what a group has not done: waiting and under way. OLDEST is since when
the oldest of that is in the stream. DUPLICATES: what a subscriber sent and the
stream had; about 50 % with two. SEEN is when one was heard of last; one that is
gone stays listed: a worker three leases, a subscriber ten minutes.")]
pub(crate) struct Status {
    #[command(flatten)]
    stream: FleetStream,
    /// Again and again, until it is stopped
    #[arg(long)]
    watch: bool,
    /// The pause between two looks
    #[arg(long, value_name = "DURATION", default_value = "2s", requires = "watch", value_parser = input::pause)]
    interval: Duration,
}

/// What was found.
struct Found {
    name: String,
    stream: StreamState,
    dead: u64,
    subscribers: Subscribers,
    members: Vec<(String, String, MemberValue, Timestamp)>,
    owners: BTreeMap<(String, u32), String>,
    partitions: Vec<PartitionState>,
}

impl Status {
    /// Looks, once or until it is stopped.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let (connection, address) = opened(context, &self.stream).await?;
        loop {
            let found = look(&connection, &address).await;
            match found {
                Ok(found) => print(context, &found, self.watch)?,
                // A look that fails is not the end of watching.
                Err(error) if self.watch && error.kind() != Kind::NotFound => {
                    context.reporter.error(&error);
                }
                Err(error) => return Err(error),
            }
            if !self.watch {
                return Ok(());
            }
            sleep(self.interval).await;
        }
    }
}

async fn look(connection: &Connection, address: &StreamAddress) -> Result<Found> {
    let stream = overview::stream(connection, address).await?;
    let dead = overview::messages(connection, &format!("{}_DEAD", address.stream)).await?;
    let (members, claims) = bucket_names(address);
    let members = entries(connection, members).await?;
    let claims = entries(connection, claims).await?;
    let mut owners = BTreeMap::new();
    for entry in claims {
        let value = entry.value.as_deref().map(serde_json::from_slice);
        let value: Option<ClaimValue> = value.and_then(Result::ok);
        let key = entry.key.split_once('.');
        if let (Some(owner), Some((group, partition))) = (value.and_then(|value| value.owner), key)
            && let Ok(partition) = partition.parse()
        {
            owners.insert((group.to_owned(), partition), owner);
        }
    }
    let member = |entry: Entry| {
        let value = serde_json::from_slice(entry.value.as_deref()?).ok()?;
        let (group, name) = entry.key.split_once('.')?;
        Some((group.to_owned(), name.to_owned(), value, entry.at))
    };
    Ok(Found {
        name: address.stream.clone(),
        stream,
        dead: dead.unwrap_or(0),
        subscribers: Subscribers::read(connection, address).await?,
        members: members.into_iter().filter_map(member).collect(),
        owners,
        partitions: overview::groups(connection, address).await?,
    })
}

/// What is in a bucket; nothing where there is none.
pub(super) async fn entries(connection: &Connection, name: String) -> Result<Vec<Entry>> {
    let stream = format!("KV_{name}");
    if overview::messages(connection, &stream).await?.is_none() {
        return Ok(Vec::new());
    }
    let found = Bucket::named(connection, name).entries(">").await;
    found.ok_or_else(|| {
        Error::new(
            Kind::Server,
            format!("{}: reading {stream} broke off", connection.hosts()),
        )
        .hint("what the account needs: netapi ise pxgrid fleet permissions STREAM")
    })
}

impl Found {
    fn full(&self) -> Option<u64> {
        let most = self.stream.max_bytes?;
        Some(self.stream.bytes.saturating_mul(100) / most.max(1))
    }

    /// The groups that have consumers, in order.
    fn groups(&self) -> Vec<(&str, Vec<&PartitionState>)> {
        let mut groups: Vec<(&str, Vec<&PartitionState>)> = Vec::new();
        for partition in &self.partitions {
            match groups.last_mut() {
                Some((name, list)) if *name == partition.group => list.push(partition),
                _ => groups.push((&partition.group, vec![partition])),
            }
        }
        groups
    }

    fn to_json(&self) -> Value {
        let stream = &self.stream;
        let seconds = |age: Option<Duration>| age.map(|age| age.as_secs());
        let members = self.members.iter().map(|(group, name, value, seen)| {
            let mut member = serde_json::to_value(value).unwrap_or_default();
            if let Some(member) = member.as_object_mut() {
                member.insert("group".to_owned(), json!(group));
                member.insert("name".to_owned(), json!(name));
                member.insert("lastSeen".to_owned(), json!(seen.to_string()));
            }
            member
        });
        let groups = self.groups().into_iter().map(|(name, partitions)| {
            let lag: u64 = partitions
                .iter()
                .map(|one| one.waiting + one.under_way)
                .sum();
            let oldest = partitions.iter().filter_map(|one| one.oldest).min();
            let each = partitions.iter().map(|one| {
                json!({
                    "partition": one.partition,
                    "owner": self.owners.get(&(one.group.clone(), one.partition)),
                    "waiting": one.waiting,
                    "underWay": one.under_way,
                    "oldest": one.oldest.map(|time| time.to_string()),
                })
            });
            json!({
                "name": name,
                "lag": lag,
                "oldest": oldest.map(|time| time.to_string()),
                "partitions": each.collect::<Vec<_>>(),
            })
        });
        json!({
            "stream": {
                "name": self.name,
                "messages": stream.messages,
                "bytes": stream.bytes,
                "maxBytes": stream.max_bytes,
                "percentFull": self.full(),
                "maxAgeSeconds": seconds(stream.max_age),
                "oldest": stream.oldest.map(|time| time.to_string()),
                "newest": stream.newest.map(|time| time.to_string()),
                "partitions": stream.partitions,
                "replicas": stream.replicas,
                "discardsOld": stream.drops_old,
                "deadLetters": self.dead,
                "percentDuplicates": self.subscribers.percent_duplicates(),
            },
            "subscribers": self.subscribers.to_json(),
            "members": members.collect::<Vec<_>>(),
            "groups": groups.collect::<Vec<_>>(),
        })
    }

    /// For a person.
    fn to_text(&self) -> String {
        let now = Timestamp::now();
        let stream = &self.stream;
        let mut text = format!(
            "stream {}: {} messages in {} partitions, {}",
            self.name,
            stream.messages,
            stream.partitions,
            bytes(stream.bytes)
        );
        // Writing to a String never fails.
        if let (Some(most), Some(full)) = (stream.max_bytes, self.full()) {
            let _ = write!(text, " of {} ({full} %)", bytes(most));
            if full >= NEARLY_FULL {
                text.push_str(", NEARLY FULL");
            }
        }
        if let Some(oldest) = stream.oldest {
            let _ = write!(text, ", the oldest {} old", age(now, oldest));
        }
        let _ = writeln!(text, "\ndead letters: {}", self.dead);
        self.subscribers.write(&mut text, &self.name);
        let groups = self.groups();
        if groups.is_empty() {
            text.push_str("no group of workers\n");
        }
        for (group, partitions) in groups {
            self.group_text(&mut text, group, &partitions, now);
        }
        text
    }

    fn group_text(
        &self,
        text: &mut String,
        group: &str,
        partitions: &[&PartitionState],
        now: Timestamp,
    ) {
        let lag: u64 = partitions
            .iter()
            .map(|one| one.waiting + one.under_way)
            .sum();
        let oldest = partitions.iter().filter_map(|one| one.oldest).min();
        let oldest = oldest.map_or(String::new(), |oldest| {
            format!(", the oldest {}", age(now, oldest))
        });
        let _ = writeln!(text, "\ngroup {}: lag {lag}{oldest}", safe(group));
        let members = self.members.iter().filter(|(of, ..)| of == group);
        let mut rows = vec![
            [
                "WORKER",
                "PARTITIONS",
                "IN HAND",
                "DELIVERED",
                "FAILED",
                "REPEATED",
                "SEEN",
            ]
            .map(str::to_owned),
        ];
        rows.extend(members.map(|(_, name, value, seen)| {
            [
                safe(name),
                value.partitions.to_string(),
                value.in_hand.to_string(),
                value.delivered.to_string(),
                value.failed.to_string(),
                value.repeated.to_string(),
                age(now, *seen),
            ]
        }));
        if rows.len() == 1 {
            text.push_str("no workers\n");
        } else {
            table(text, &rows);
        }
        let mut behind: Vec<&&PartitionState> = partitions
            .iter()
            .filter(|one| one.waiting + one.under_way > 0)
            .collect();
        crate::order::sort_by_key(&mut behind, |one| {
            std::cmp::Reverse(one.waiting + one.under_way)
        });
        if behind.is_empty() {
            return;
        }
        let more = behind.len().saturating_sub(NAMED);
        let mut rows =
            vec![["PARTITION", "LAG", "UNDER WAY", "OLDEST", "OWNER"].map(str::to_owned)];
        rows.extend(behind.into_iter().take(NAMED).map(|one| {
            let owner = self.owners.get(&(one.group.clone(), one.partition));
            [
                one.partition.to_string(),
                (one.waiting + one.under_way).to_string(),
                one.under_way.to_string(),
                one.oldest.map_or("-".to_owned(), |oldest| age(now, oldest)),
                owner.map_or("-".to_owned(), |owner| safe(owner)),
            ]
        }));
        table(text, &rows);
        if more > 0 {
            let _ = writeln!(text, "and {more} more partitions with something to do");
        }
    }
}

/// What somebody else wrote, for a terminal.
pub(super) fn safe(text: &str) -> String {
    sanitize::terminal_safe(text).into_owned()
}

/// Rows whose columns stand under each other.
pub(super) fn table<const N: usize>(text: &mut String, rows: &[[String; N]]) {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    for row in rows {
        let cells = row.iter().zip(&widths);
        let cells = cells.map(|(cell, width)| format!("{cell:<width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

/// How long ago something was.
pub(super) fn age(now: Timestamp, then: Timestamp) -> String {
    let age = now.duration_since(then).max(SignedDuration::ZERO);
    let seconds = age.as_secs();
    match seconds {
        0..60 => format!("{:.1}s", age.as_secs_f64()),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// A number of bytes for people.
fn bytes(count: u64) -> String {
    for (shift, unit) in [(40, "T"), (30, "G"), (20, "M"), (10, "K")] {
        let tenths = (u128::from(count) * 10) >> shift;
        if tenths >= 10 {
            return format!("{}.{}{unit}", tenths / 10, tenths % 10);
        }
    }
    format!("{count}B")
}

fn print(context: &Context, found: &Found, watch: bool) -> Result<()> {
    let global = &context.global;
    let chosen = global.chosen_format().is_some()
        || global.jq.is_some()
        || !global.fields.is_empty()
        || context.is_one_of_several();
    if chosen {
        let record = Record::Json(JsonText::from_value(found.to_json()));
        return context.print(&[record], COLUMNS, Shape::Single, "no stream");
    }
    let mut text = found.to_text();
    if watch {
        if Context::on_terminal() {
            // A new screen each time.
            text.insert_str(0, "\x1b[H\x1b[2J");
        } else {
            text.push('\n');
        }
    }
    write_out(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_ages_are_for_people() {
        for (count, text) in [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.0K"),
            (1_572_864, "1.5M"),
            (u64::MAX, "16777215.9T"),
        ] {
            assert_eq!(bytes(count), text);
        }
        let now = Timestamp::now();
        for (seconds, text) in [
            (-5, "0.0s"),
            (5, "5.0s"),
            (65, "1m05s"),
            (3_700, "1h01m"),
            (90_000, "1d01h"),
        ] {
            assert_eq!(age(now, now - SignedDuration::from_secs(seconds)), text);
        }
    }
}
