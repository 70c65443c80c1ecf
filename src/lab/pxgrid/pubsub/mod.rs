//! Pubsub: the WebSocket of a pxGrid node that carries every topic, in STOMP as ISE 3.4 words it
//! (reference pxgrid-api, section 4).
//!
//! | part | holds |
//! | --- | --- |
//! | `handshake` | what makes a request a WebSocket upgrade |
//! | `subscriber` | what a client's frames do, which messages it gets; no I/O |
//! | `full_speed` | session events as fast as they are taken |
//! | `message` | how a `MESSAGE` is written |
//! | `socket` | one connection: frames in, messages out, pings, time limits |
//!
//! Whoever has an enabled account may subscribe to everything. Nothing is replayed: who was away
//! has missed it.

mod full_speed;
pub(super) mod handshake;
mod message;
mod socket;
mod subscriber;

pub(in crate::lab) use full_speed::Bodies;
pub(super) use socket::{Accepted, serve};

use std::time::Duration;

/// How long a pubsub node waits for what (reference pxgrid-api, section 4, "Limits").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PubsubTimes {
    /// Between two pings.
    pub ping: Duration,
    /// A connection on which nothing came for so long is given up.
    pub silence: Duration,
    /// A consumer that does not take what is sent within this time is cut off.
    pub send: Duration,
}

impl Default for PubsubTimes {
    fn default() -> Self {
        Self {
            ping: Duration::from_secs(20),
            silence: Duration::from_mins(1),
            send: Duration::from_mins(1),
        }
    }
}
