//! The pxGrid 2.0 client: accounts, lookups and secrets (`control`), what services there are (`catalogue`), asking them (`rest`), and
//! Adaptive Network Control (`anc`).
//!
//! It prints nothing and knows no command line. Who the Basic user is, everywhere: our own node name, never the peer's
//! (reference pxgrid-api, section 2).

mod answer;
mod failover;

pub mod anc;
pub mod catalogue;
pub mod control;
pub mod rest;

pub use control::{Account, AccountState, Control, NodeName, ServiceNode};
pub use rest::ServiceClient;
//! pxGrid 2.0: accounts, services and REST over HTTPS, events by STOMP over WebSocket (reference pxgrid-api).
//!
//! It prints nothing and knows no command line. What happens to an event after it was emitted is `delivery`'s affair.
//!
//! | part | holds |
//! | --- | --- |
//! | [`event`] | an event as it reaches callbacks and standard output |
//! | [`stomp`] | frames, no I/O |
//! | [`subscription`] | reconnect, next node, sequence, recovery: a state machine, no I/O |

pub mod event;
pub mod stomp;
pub mod subscription;
