//! The client of a NATS JetStream stream that keeps events: which servers and which stream, how we
//! log in, what the stream must be like, and what a stored event looks like.
//!
//! | part | holds |
//! | --- | --- |
//! | [`address`] | `nats://HOST[,HOST…]/STREAM` as a user writes it |
//! | [`connection`] | logging in, and what a refused connection means |
//! | [`open`] | the stream: found or created, and checked before anything is sent |
//! | [`message`] | subject, partition, id and time of a stored event |
//! | [`bucket`] | a bucket of the key-value store |
//! | [`consumer`] | what delivers the events of a partition to a group of workers |
//! | [`dead`] | the stream of dead letters |
//! | [`overview`] | how a stream stands, for a person who looks |
//! | [`publisher`] | stores one event, and says what became of it |
//! | [`subscribers`] | what subscribers tell of themselves, for a person who looks |
//! | `acknowledgement` | sends a message to a stream: whether it was acknowledged, and why not |
//! | `bodies` | where bodies of events are written |
//! | `headers` | the headers of a stored event |
//! | `known` | what the stream holds already, where its own memory does not reach |
//! | `lateness` | whether an event may have been overtaken |
//! | `reader` | reads what a stream holds of some subjects, to its end and on |
//!
//! When an event is sent, and again, is decided in `delivery`; nothing here prints.

mod acknowledgement;
pub mod address;
mod bodies;
pub mod bucket;
pub mod connection;
pub mod consumer;
pub mod dead;
mod headers;
mod known;
mod lateness;
pub mod message;
pub mod open;
pub mod overview;
pub mod publisher;
mod reader;
#[cfg(test)]
mod scripted;
pub mod subscribers;

pub use address::StreamAddress;
pub use connection::{Connection, Login};
pub use open::{CreateOptions, OpenStream};
pub use publisher::{Published, Publisher};
