//! The Monitoring node's REST API: paths, requests, which document each call answers, what its
//! error envelope means, and the client that puts these together (reference mnt-api).
//!
//! It prints nothing and knows no command line. [`paths`], [`documents`] and [`envelope`] are pure;
//! [`MntClient`] is the only part that sends, through [`transport`](crate::transport), and lists go
//! to a [`RecordSink`](crate::record::RecordSink) while they arrive.

mod active_holders;
mod active_list_search;
mod answer_subject;
mod change_outcome;
mod client;
pub mod documents;
pub mod envelope;
pub mod members;
mod message_codes;
pub mod paths;
#[doc = include_str!("reference.md")]
pub mod reference {}
mod requests;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

pub use active_holders::Holders;
pub use answer_subject::psn_of;
pub use client::MntClient;
pub use message_codes::message_name;
pub use paths::{Coa, Count, DeleteTarget, checked};
pub use requests::Requests;
