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
