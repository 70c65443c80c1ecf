//! pxGrid 2.0: accounts, services and REST over HTTPS, events by STOMP over WebSocket (reference
//! pxgrid-api).
//!
//! It prints nothing and knows no command line. Who the Basic user is, everywhere: our own node
//! name, never the peer's (reference, section 2). What happens to an event after it was emitted is
//! `delivery`'s affair.
//!
//! | part | holds |
//! | --- | --- |
//! | [`control`] | accounts, lookups, secrets, registrations |
//! | [`catalogue`] | what services, operations and topics there are, as data |
//! | [`rest`] | asking a service: replicas, secrets, lists |
//! | [`anc`] | Adaptive Network Control |
//! | [`socket`] | one WebSocket connection |
//! | [`stomp`] | frames, no I/O |
//! | [`subscriber`] | drives a subscription: lookups, secrets, connections, timers, reads |
//! | [`subscription`] | reconnect, next node, sequence, recovery: a state machine, no I/O |

mod answer;
mod failover;

pub mod anc;
pub mod catalogue;
pub mod control;
#[doc = include_str!("reference.md")]
pub mod reference {}
pub mod rest;
pub mod socket;
pub mod stomp;
pub mod subscriber;
pub mod subscription;

pub use control::{Account, AccountState, Control, ServiceNode};
pub use rest::ServiceClient;
