//! A worker of a fleet: it takes partitions of a stream, runs what is to be run for their events,
//! and hands them over. Which are its own is decided by all workers of a group together, without a
//! coordinator, in the stream's own key-value store.
//!
//! | part | holds |
//! | --- | --- |
//! | [`shares`] | which member is to own which partition |
//! | [`claim`] | whose a partition is, and what of it may have been done |
//! | [`leases`] | who owns what, and until when we are sure of it: without I/O |
//! | [`members`] | which members live: without I/O |
//! | [`partition`] | what is in hand of a partition: without I/O |
//! | [`machine`] | both together: the worker as a state machine without I/O |
//! | [`driver`] | what does that machine's actions, and tells it what was heard |
//! | [`values`] | what they keep in the key-value store |
//! | `simulation` | servers, workers and faults, for tests over whole histories |
//!
//! Order per endpoint, retries and callbacks are `delivery`'s, what is said to a server `nats`'s.

pub mod claim;
pub mod driver;
pub mod leases;
pub mod machine;
pub mod members;
pub mod partition;
pub mod shares;
#[cfg(test)]
mod simulation;
pub mod values;

use std::time::Duration;

/// The time since some beginning, by a clock that only goes on, also while the computer sleeps.
pub type Moment = Duration;

/// Now.
pub fn moment() -> Moment {
    crate::unix::clock::since_start()
}
