//! The Monitoring node: HTTPS with Basic authentication, the XML documents of ISE 3.3, and the
//! faults that were asked for.
//!
//! [`server`](self) takes connections; [`routes`] decides answers; [`list`], [`details`] and
//! [`documents`] write them; [`answer`] spoils them.

mod answer;
mod details;
mod documents;
mod list;
mod routes;
mod server;
mod xml;

pub(super) use server::{MntNode, serve};

#[cfg(test)]
mod tests;
