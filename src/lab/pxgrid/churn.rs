//! What happens by itself: sessions update, end and start again, at a given rate. Real changes,
//! which every node shows from then on.
//!
//! The fixed first session is only ever updated, so that examples with its address keep working;
//! sessions that a user ended stay ended.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::Grid;
use super::listing::Facts;
use super::{other_topics, sessions};
use crate::error::{Error, Result};
use crate::lab::fast_text::{low_byte, mix};
use crate::lab::shared_changes::Change;

/// How often it is looked whether something is due.
const TICK: Duration = Duration::from_millis(20);
/// Only the first sessions take part: what is touched is held in memory.
const TAKING_PART: u64 = 10_000;
/// The most sessions in one message: far below the server's 300 KB.
const MOST_IN_MESSAGE: usize = 16;
/// Session changes between two events of other topics.
const BETWEEN_OTHERS: u64 = 10;
/// The highest rate that changes anything; more is only sent, see [`EventRate::Max`].
const HIGHEST: u32 = 50_000;

/// How many sessions change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum EventRate {
    /// None by itself.
    #[default]
    None,
    /// So many a second.
    PerSecond(u32),
    /// Subscribers of sessions are sent events as fast as they take them; nothing changes.
    Max,
}

impl fmt::Display for EventRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("0"),
            Self::PerSecond(rate) => rate.fmt(f),
            Self::Max => f.write_str("max"),
        }
    }
}

impl FromStr for EventRate {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.parse() {
            Ok(0) => Ok(Self::None),
            Ok(rate) if rate <= HIGHEST => Ok(Self::PerSecond(rate)),
            _ if text == "max" => Ok(Self::Max),
            _ => Err(Error::usage(format!(
                "'{text}' is no rate: 0 to {HIGHEST} events a second, or max"
            ))),
        }
    }
}

/// Changes `rate` sessions a second, until it is dropped.
pub(in crate::lab) async fn run(grid: Arc<Grid>, rate: u32, seed: u64) {
    let mut churn = Churn::new(grid, seed);
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let start = Instant::now();
    let mut done = 0;
    loop {
        ticks.tick().await;
        let elapsed = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        let due = elapsed.saturating_mul(u64::from(rate)) / 1000;
        // What could not be done in time is not made up for at once, or a busy machine would see a
        // flood.
        let count = usize::try_from((due - done).min(u64::from(rate))).unwrap_or(0);
        churn.advance(count, Timestamp::now().as_millisecond());
        done = due;
    }
}

struct Churn {
    grid: Arc<Grid>,
    /// The sessions in the order in which something happens to them.
    order: Vec<u64>,
    position: usize,
    /// Those that we ended.
    away: HashSet<u64>,
    random: u64,
    changes: u64,
}

impl Churn {
    fn new(grid: Arc<Grid>, seed: u64) -> Self {
        let count = grid.directory.population.sessions().min(TAKING_PART);
        let mut order: Vec<u64> = (0..count).collect();
        crate::order::sort_by_key(&mut order, |index| mix(seed ^ mix(*index)));
        Self {
            grid,
            order,
            position: 0,
            away: HashSet::new(),
            random: seed,
            changes: 0,
        }
    }

    fn random(&mut self) -> u64 {
        self.random = mix(self.random);
        self.random
    }

    /// Changes `count` sessions, and publishes them in messages of one to [`MOST_IN_MESSAGE`]. No
    /// session changes twice in what is looked at together, or its first change would never be
    /// seen.
    fn advance(&mut self, count: usize, now: i64) {
        let mut left = count;
        while left > 0 {
            let mut changed = Vec::new();
            for _ in 0..self.order.len() {
                if changed.len() < left
                    && let Some(index) = self.next()
                    && self.change(index, now)
                {
                    changed.push(index);
                }
            }
            if changed.is_empty() {
                return;
            }
            left -= changed.len();
            self.publish(&changed, now);
            for _ in &changed {
                self.changes += 1;
                if self.changes.is_multiple_of(BETWEEN_OTHERS) {
                    other_topics::another(&self.grid, self.changes / BETWEEN_OTHERS, now);
                }
            }
        }
    }

    fn publish(&mut self, changed: &[u64], now: i64) {
        let source = Facts {
            directory: Arc::clone(&self.grid.directory),
            changes: self.grid.directory.state.changes(now),
            now,
        };
        let mut rest = changed;
        while !rest.is_empty() {
            let size = 1 + usize::from(low_byte(self.random())) % MOST_IN_MESSAGE;
            let (together, later) = rest.split_at(size.min(rest.len()));
            sessions::publish_all(&source, &self.grid.events, together);
            rest = later;
        }
    }

    /// Whose turn it is.
    fn next(&mut self) -> Option<u64> {
        let index = self.order.get(self.position).copied();
        self.position = (self.position + 1) % self.order.len().max(1);
        index
    }

    /// Changes one session; false when it is not ours to change.
    fn change(&mut self, index: u64, now: i64) -> bool {
        let directory = Arc::clone(&self.grid.directory);
        let session = directory.population.session(index);
        let before = directory.state.apply(session, now);
        let change = if before.is_some() {
            self.away.remove(&index);
            match self.random() % 10 {
                0..3 if index > 0 => Change::Disconnect,
                _ => Change::Reauthenticate,
            }
        } else if self.away.remove(&index) {
            Change::Release
        } else {
            return false;
        };
        if change == Change::Disconnect {
            self.away.insert(index);
        }
        directory.state.change(&session, change, now);
        let after = directory.state.apply(session, now);
        match (before, after) {
            (Some(ended), None) => other_topics::session(&self.grid, &ended, false),
            (None, Some(began)) => other_topics::session(&self.grid, &began, true),
            _ => {}
        }
        true
    }
}
