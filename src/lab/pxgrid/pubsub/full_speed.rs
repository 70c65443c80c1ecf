//! Session events as fast as a subscriber takes them, for measurements: what is made once is made
//! once, and whole blocks of WebSocket messages leave in one write.
//!
//! Sessions are sent as they are and nothing changes, so there is nothing to find in any other
//! interface, and nothing in the event log.

use bytes::BufMut;

use super::message::push_head;
use crate::lab::fast_text::push_number;
use crate::lab::pxgrid::listing::Facts;
use crate::lab::pxgrid::sessions;

/// The topics that are flooded.
pub(super) const TOPICS: &[&str] = &[sessions::TOPIC, sessions::TOPIC_ALL];
/// How long a body is to be: a session event of a real deployment, of which the figures speak.
const LENGTH: usize = 1300;
/// How many sessions are looked at for ones of that length.
const LOOKED_AT: u64 = 2048;
/// How many different sessions are sent.
const DIFFERENT: usize = 64;
/// Bytes of a block.
const BLOCK: usize = 128 * 1024;
/// A final binary frame (RFC 6455, section 5.2); servers do not mask.
const BINARY: u8 = 0x82;
/// The mark of a length in two bytes.
const TWO_BYTES: u8 = 126;

/// The bodies that are sent round and round, without the number that each begins with.
#[derive(Debug)]
pub(in crate::lab) struct Bodies(Vec<String>);

impl Bodies {
    /// Bodies with one session each, as the sessions are now.
    pub(in crate::lab::pxgrid) fn new(source: &Facts) -> Self {
        let population = &source.directory.population;
        let mut bodies: Vec<String> = (0..population.sessions().min(LOOKED_AT))
            .filter_map(|index| source.changes.apply(population.session(index)))
            .filter(|session| session.framed_ip().is_some())
            .map(|session| {
                let mut body = String::from(",\"sessions\":[");
                sessions::push(&mut body, &session, &source.changes, None);
                body.push_str("]}");
                body
            })
            .collect();
        crate::order::sort_by_key(&mut bodies, |body| body.len().abs_diff(LENGTH));
        bodies.truncate(DIFFERENT);
        Self(bodies)
    }
}

/// One subscriber's flood: its numbers, and the block being made.
#[derive(Debug, Default)]
pub(super) struct Flood {
    next: u64,
    block: Vec<u8>,
    head: String,
    number: String,
}

impl Flood {
    /// The next block of whole messages for a subscription; empty when there are no sessions.
    pub(super) fn block(&mut self, bodies: &Bodies, subscription: &str, topic: &str) -> &[u8] {
        self.block.clear();
        while self.block.len() < BLOCK {
            let position = usize::try_from(self.next).unwrap_or(0) % bodies.0.len().max(1);
            let Some(body) = bodies.0.get(position) else {
                break;
            };
            self.number.clear();
            self.number.push_str("{\"sequence\":");
            push_number(&mut self.number, self.next, 1);
            let length = self.number.len() + body.len();
            self.head.clear();
            push_head(&mut self.head, subscription, topic, self.next, length);
            self.next += 1;
            // A session is far below 64 KiB and far above 125 bytes.
            let Ok(size) = u16::try_from(self.head.len() + length + 1) else {
                continue;
            };
            self.block.put_u8(BINARY);
            self.block.put_u8(TWO_BYTES);
            self.block.put_u16(size);
            for part in [&self.head, &self.number, body] {
                self.block.extend_from_slice(part.as_bytes());
            }
            self.block.put_u8(0);
        }
        &self.block
    }
}
